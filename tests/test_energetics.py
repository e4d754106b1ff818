"""Energetics: bookkeeping, Frenkel pairs, affinity, tables of outputs, the drawn structures, the
notebook's verdicts.
"""

import csv
import dataclasses
import itertools
import math
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import pwscf_text as espresso
from hassan2021.energetics import Evidence, charts, gather, loading
from hassan2021.energetics.told import published, table_cells
from hassan2021.simulate import energetics as crystals
from hassan2021.verdicts import energetics_calculated as verdicts
from ledger import paper
from ledger.files import MissingDataError
from ledger.notebook import open_room
from peled.energetics import (
    Cell,
    Interval,
    affinity,
    bonding,
    comparability,
    dilute_fraction,
    draw,
    frenkel,
    outputs,
    pair_fraction,
    pair_interaction_eV,
    pairs_per_crystal,
    read_table,
    suppression,
    to_csv,
)
from peled.energetics.outputs import covalent_bonds, error_of_minimum
from peled.formats import FormatError
from peled.formats.atomistic import Structure, read_calculation, read_structure
from peled.formats.atomistic.calculation import RYDBERG_EV

FINITE = st.floats(-1e3, 1e3)


# ---- intervals and binding -----------------------------------------------------------------------


@given(FINITE, FINITE, FINITE, FINITE, st.floats(0, 1), st.floats(0, 1), st.floats(-10, 10))
def test_interval_arithmetic_contains_every_member(a, b, c, d, u, v, factor):
    x, y = Interval(min(a, b), max(a, b)), Interval(min(c, d), max(c, d))
    p, q = x.low + u * (x.high - x.low), y.low + v * (y.high - y.low)
    for interval, value in ((x + y, p + q), (x - y, p - q), (x * factor, p * factor), (-x, -p)):
        assert interval.low - 1e-6 <= value <= interval.high + 1e-6


def test_intervals_that_exclude_each_other_and_undecided_orders():
    with pytest.raises(ValueError, match="exclude"):
        Interval(0, 1) & Interval(2, 3)
    with pytest.raises(ValueError, match="low <= high"):
        Interval(1, 0)
    assert Interval(0, 1).below(Interval(2, 3)) is True
    assert Interval(2, 3).below(Interval(0, 1)) is False
    assert Interval(0, 2).below(Interval(1, 3)) is None


def test_table_of_the_paper():
    told = published()
    assert told.interaction.middle == pytest.approx(
        -1.0
    ) and told.interaction.half_width == pytest.approx(0.015)
    gl2, edta2 = told.cells["GL+GL"].energy_eV, told.cells["EDTA+EDTA"].energy_eV
    assert (gl2.low, gl2.high) == pytest.approx((-4.455, -3.69)) and (
        edta2.low,
        edta2.high,
    ) == pytest.approx((-4.455, -3.19))
    assert told.cells["tertiary amine"].energy_eV.low == -math.inf
    assert told.cells["GL+EDTA"].per_molecule_eV.middle == pytest.approx(-2.225)
    # two GL cannot attract each other as much as E+G does; for two EDTA the text does not say
    e_and_g = told.interaction
    assert e_and_g.below(pair_interaction_eV(gl2, *[told.cells["GL"].energy_eV] * 2)) is True
    assert e_and_g.below(pair_interaction_eV(edta2, *[told.cells["EDTA"].energy_eV] * 2)) is None


def test_inequalities_that_contradict_leave_what_lies_between():
    """A pair weaker than twice GL cannot be the strongest; its cell then reaches from one to the
    other."""
    cells = table_cells(
        gl=Interval(-1.9, -1.8),
        edta=Interval(-1.6, -1.6),
        pair=Interval(-3.0, -3.0),
        acid=Interval(-0.6, -0.6),
        amine=Interval(-0.8, -0.8),
    )
    assert cells["GL+GL"].energy_eV == Interval(-3.6, -3.0)
    assert cells["EDTA+EDTA"].energy_eV == Interval(-3.2, -3.0)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell("a", Interval(-1.605, -1.595)), "-1.60"),
        (Cell("b", Interval(-math.inf, -0.575), printed=False), "below -0.57"),
    ],
)
def test_quoting(cell, text):
    assert charts.quoted(cell).startswith(text[:-1])


# ---- Frenkel pairs -------------------------------------------------------------------------------


def test_limits_of_the_pair_fraction():
    assert pair_fraction(0.0) == pytest.approx(0.5)
    assert pair_fraction(0.0, interstitials=3.0) == pytest.approx(
        0.75
    )  # ions spread evenly over 1 + 3 sites
    assert pair_fraction(0.8) == pytest.approx(float(dilute_fraction(0.8)), rel=1e-5)
    assert pair_fraction(-2.0) == pytest.approx(1.0, abs=1e-8)
    assert pair_fraction(-2.0, interstitials=0.4) == pytest.approx(0.4, abs=1e-8)
    with pytest.raises(ValueError, match="positive"):
        pair_fraction(0.1, 0.0)
    with pytest.raises(ValueError, match="interstitials"):
        pair_fraction(0.1, interstitials=0)


@given(st.floats(-0.5, 1.0), st.floats(100, 600), st.floats(0.2, 4.0))
@settings(deadline=None)
def test_mass_action_holds(energy, temperature, m):
    x = float(pair_fraction(energy, temperature, interstitials=m))
    assert 0 <= x <= min(1.0, m)
    if 1e-6 < x < 0.999 * min(1, m):
        assert math.log(x * x / ((1 - x) * (m - x))) == pytest.approx(
            -energy / (frenkel.K_EV * temperature), abs=1e-4
        )


@pytest.mark.parametrize("energy", [0.03, 0.15, 0.3, 0.45, 0.84])
@pytest.mark.parametrize("sites", [60, 1000])
def test_pairs_of_one_crystal_against_counting_its_states(energy, sites):
    probability = crystals.pair_distribution(energy, sites, sites)
    counted = probability @ np.arange(len(probability))
    assert pairs_per_crystal(energy, sites) == pytest.approx(counted, rel=0.03)


def test_in_a_closed_small_crystal_the_exponent_doubles():
    slope = (
        np.log(pairs_per_crystal(0.80, 1000) / pairs_per_crystal(0.82, 1000))
        / 0.02
        * frenkel.K_EV
        * 300
    )
    bulk = np.log(pair_fraction(0.80) / pair_fraction(0.82)) / 0.02 * frenkel.K_EV * 300
    assert slope == pytest.approx(1.0, abs=0.01) and bulk == pytest.approx(0.5, abs=0.01)


def energies_of_a_method(true_eV, shared, seed):
    """600 sets: of the variance, 0.05 eV squared, a part shared by all surfaces."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.05 * np.sqrt(shared), (600, 1))
    return true_eV + common + rng.normal(0, 0.05 * np.sqrt(1 - shared), (600, len(true_eV)))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_suppression_intervals_cover_the_truth(correlation):
    true = np.array([0.10, 0.25])
    factor = float(dilute_fraction(true[0]) / dilute_fraction(true[1]))
    sets = energies_of_a_method(true, correlation, seed=8)
    hits = sum(
        s.low <= factor <= s.high
        for s in (suppression(a, b, error_eV=0.05, correlation=correlation) for a, b in sets)
    )
    assert 0.925 <= hits / 600 <= 0.972


@pytest.mark.parametrize("sites", [None, 1000])
def test_saturated_suppression_covers_and_is_smaller(sites):
    true = np.array([0.03, 0.18])
    numbers = [
        float(pair_fraction(e) if sites is None else pairs_per_crystal(e, sites)) for e in true
    ]
    sets = energies_of_a_method(true, 0.5, seed=4)
    found = [
        suppression(a, b, error_eV=0.05, correlation=0.5, dilute=False, sites=sites)
        for a, b in sets
    ]
    assert 0.925 <= np.mean([s.low <= numbers[0] / numbers[1] <= s.high for s in found]) <= 0.97
    assert (
        suppression(*true, error_eV=0.05, dilute=False).factor
        < suppression(*true, error_eV=0.05).factor
    )


def test_three_hundredths_of_an_electronvolt_decide_nothing():
    s = suppression(0.15, 0.18, error_eV=0.05, correlation=0.5)
    assert s.low < 1 < s.high and 0.7 < s.probability < 0.75
    assert suppression(0.15, 0.18, error_eV=0.0).probability == 1.0
    with pytest.raises(ValueError, match="correlation"):
        suppression(0.1, 0.2, error_eV=0.05, correlation=1.5)


# ---- affinity ------------------------------------------------------------------------------------


def test_protons_against_a_titration_done_by_hand():
    assert affinity.log_alpha(4.76, [4.76]) == pytest.approx(math.log10(2))
    assert affinity.log_alpha(13.0, [4.0, 5.0]) == pytest.approx(0.0, abs=1e-6)
    assert affinity.log_alpha(0.0, [4.0, 5.0]) == pytest.approx(9.0, abs=1e-3)
    assert affinity.conditional_log_k(
        18.0, np.array([4.0, 5.0, 6.0]), [10.2, 6.1, 2.7, 2.0]
    ).tolist() == sorted(
        affinity.conditional_log_k(18.0, np.array([4.0, 5.0, 6.0]), [10.2, 6.1, 2.7, 2.0])
    )


@given(
    st.floats(1e-6, 1e-1),
    st.lists(
        st.tuples(st.one_of(st.just(0.0), st.floats(1e-9, 0.1)), st.floats(-5, 20)),
        min_size=1,
        max_size=4,
    ),
)
@settings(deadline=None, max_examples=60)
def test_speciation_conserves_and_obeys_mass_action(metal, ligands):
    totals, constants = zip(*ligands, strict=True)
    found = affinity.speciation(metal, totals, constants)
    assert found.free_metal + sum(found.complexes) == pytest.approx(metal, rel=1e-6)
    for total, log_k, bound in zip(totals, constants, found.complexes, strict=True):
        assert bound <= total * (1 + 1e-9)
        if 0 < 1e-9 * total < bound < 0.99 * total:
            assert math.log10(bound / (found.free_metal * (total - bound))) == pytest.approx(
                log_k, abs=1e-5
            )


def test_hydroxide_takes_lead_where_the_solution_is_basic():
    assert affinity.log_alpha_metal(7.71, [-7.71]) == pytest.approx(math.log10(2))
    assert affinity.log_alpha_metal(np.array([2.0, 5.0])) == pytest.approx(0.0, abs=0.01)
    # Far above every step only the last complex is left: slope 3 in pH, intercept its constant.
    assert affinity.log_alpha_metal(13.5) == pytest.approx(
        3 * 13.5 + affinity.LEAD_HYDROLYSIS[-1], abs=0.01
    )
    pH = np.linspace(0, 13, 131)
    best = pH[np.argmax(affinity.conditional_log_k(18.0, pH, [10.2, 6.1, 2.7, 2.0, 1.5]))]
    assert 7.5 < best < 9.5  # protons on one side, hydroxide on the other


def test_eighty_hundredths_are_thirteen_powers_of_ten():
    assert affinity.log_units(0.80, 300.0) == pytest.approx(13.44, abs=0.01)


# ---- tables of outputs ---------------------------------------------------------------------------

CELL = np.diag([10.0, 10.0, 20.0])
#: Atoms of glutathione, put on a line: only their number matters.
GLUTATHIONE = (
    list("C" * 10 + "H" * 17 + "N" * 3 + "O" * 6 + "S"),
    np.array([[5.0, 5.0, 5.0 + 0.3 * k] for k in range(37)]),
)
AT = {
    "surface": (["Pb", "S"], np.array([[0.0, 0, 0], [3, 0, 0]])),
    "ligand": (["O", "C"], np.array([[0.0, 0, 5], [0, 0, 6]])),
}


def lab(
    folder,
    *,
    whole=-111.5,
    table="name,complex,parts,molecules\nGL,both.out,ligand.out + surface.out,1\n",
    ligand=AT["ligand"],
    **options,
):
    folder.mkdir(exist_ok=True)
    (s, p), (t, q) = AT["surface"], ligand
    (folder / "surface.out").write_text(espresso.relaxation(s, p, CELL, -100.0))
    (folder / "ligand.out").write_text(espresso.relaxation(t, q, CELL, -10.0, **options))
    (folder / "both.out").write_text(espresso.relaxation(s + t, np.vstack([p, q]), CELL, whole))
    (folder / "table.csv").write_text(table)
    return folder / "table.csv"


def test_binding_energy_of_three_outputs(tmp_path):
    (row,), refused = read_table(lab(tmp_path))
    assert (
        row.energy_eV == pytest.approx(-1.5, abs=1e-6)
        and row.warnings == ()
        and row.molecules == 1
        and not refused
    )
    assert "-144.7" in to_csv([row])  # kJ/mol
    assert row.caption == "PBE-D3, 25/200 Ry, Gamma; 4 atoms; 1 start"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"cutoff_Ry": 30.0}, "cutoff_eV"),
        ({"functional": "PBESOL"}, "functional"),
        ({"dispersion": False}, "dispersion"),
        ({"density_Ry": 300.0}, "density_cutoff"),
    ],
)
def test_settings_that_differ_are_refused_and_named(tmp_path, options, word):
    rows, refused = read_table(lab(tmp_path, **options))
    assert (
        not rows
        and "ligand.out" in refused["GL"]
        and "both.out" in refused["GL"]
        and word in refused["GL"]
    )


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6))
@settings(max_examples=15, deadline=None)
def test_error_of_a_minimum_is_that_of_redrawing_and_ignores_an_offset(starts):
    found = error_of_minimum(starts)
    rng = np.random.default_rng(0)
    drawn = rng.choice(np.array(starts), (40000, len(starts))).min(axis=1)
    assert found == pytest.approx(drawn.std(), abs=0.03 * np.ptp(starts) + 1e-9)
    assert error_of_minimum([x + 3 for x in starts]) == pytest.approx(found, abs=1e-9)


def test_one_bad_start_more_does_not_spoil_the_error_of_a_minimum():
    good = [-1.9, -1.88, -1.85, -1.82, -1.8]
    assert error_of_minimum([*good, 8.0]) < 0.1
    assert np.isnan(error_of_minimum([-1.9]))


def test_unconverged_members_are_refused_and_unconverged_starts_left_out(tmp_path):
    rows, refused = read_table(lab(tmp_path, converged=False))
    assert not rows and re.search(r"ligand.out .*self-consistency", refused["GL"])
    path = lab(tmp_path, table="name,complex,parts\nGL,both*.out,ligand.out + surface.out\n")
    (s, p), (t, q) = AT["surface"], AT["ligand"]
    for k, (energy, fine) in enumerate([(-111.9, True), (-113.0, False), (-111.2, True)]):
        (tmp_path / f"both{k}.out").write_text(
            espresso.relaxation(s + t, np.vstack([p, q]), CELL, energy, converged=fine)
        )
    ((row,), _) = read_table(path)
    assert row.energy_eV == pytest.approx(-1.9, abs=1e-6) and row.unconverged == 1
    (tmp_path / "both_torn.out").write_text((tmp_path / "both0.out").read_text()[:200])
    ((torn,), _) = read_table(path)
    assert torn.unconverged == 2 and torn.energy_eV == row.energy_eV
    # Of the 27 redraws of three, 19 hold the lowest, 7 more the next, one the highest three times.
    redrawn = np.repeat([-1.9, -1.5, -1.2], [19, 7, 1])
    assert row.spread_eV == pytest.approx(redrawn.std(), abs=1e-6)
    assert (
        row.caption == "PBE-D3, 25/200 Ry, Gamma; 4 atoms; 3 starts over 0.70 eV, lowest ± "
        f"{redrawn.std():.2f} eV"
    )


def test_a_total_energy_that_still_moves_is_warned_of(tmp_path):
    """Mixing can deceive the estimate by which a program calls itself converged; the energies of
    its last two iterations cannot.
    """
    path = lab(tmp_path)
    text = (tmp_path / "ligand.out").read_text()
    before = re.findall(r"^ +total energy +=.*$", text, re.M)[-1]
    (tmp_path / "ligand.out").write_text(
        before.replace(re.search(r"-[\d.]+", before)[0], "-0.73").join(text.rsplit(before, 1))
    )
    ((row,), _) = read_table(path)
    assert row.energy_eV == pytest.approx(-1.5, abs=1e-6)
    (said,) = row.warnings
    assert said.startswith("ligand.out") and f"{-10.0 + 0.73 * RYDBERG_EV:+.2f} eV" in said


def test_a_start_that_reacted_is_left_out_where_others_did_not(tmp_path):
    def put(name, energy, *rows):
        (tmp_path / f"{name}.xyz").write_text(
            "\n".join([str(len(rows)), f"Properties=species:S:1:pos:R:3 energy={energy}", *rows])
            + "\n"
        )

    water = ("O 0 0 {0}", "H 0.76 0 {1}", "H -0.76 0 {1}")
    put("lead", -10.0, "Pb 0 0 0")
    put("water", -5.0, *(w.format(9, 9.6) for w in water))
    put("a0", -15.5, "Pb 0 0 0", *(w.format(2.4, 3.0) for w in water))
    put("a1", -17.0, "Pb 0 0 0", "O 0 0 2.2", "H 0 0 3.2", "H 4 0 0")  # a proton has left
    (tmp_path / "table.csv").write_text(
        "name,complex,parts\nPb,a*.xyz,lead.xyz + water.xyz\nreacted,a1.xyz,lead.xyz + water.xyz\n"
    )
    both, only = read_table(tmp_path / "table.csv").rows
    assert both.energy_eV == pytest.approx(-0.5) and both.reacted == 1
    assert only.energy_eV == pytest.approx(-2.0) and any(
        "covalent bonds" in w for w in only.warnings
    )


def test_bonds_across_the_cell_are_counted():
    split = Structure(("C", "O"), np.array([[0.1, 0, 0], [9.1, 0, 0]]), np.diag([10.0, 10, 10]))
    assert covalent_bonds(split) == Counter({("C", "O"): 1})
    assert covalent_bonds(Structure(split.symbols, split.positions)) == Counter()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("bad,both.out,2*ligand.out + surface.out,1", "atoms do not balance"),
        ("bad,both.out,nothing.out,1", "nothing.out"),
        ("bad,both.out,/etc/passwd,1", "files like"),
        ("bad,../*.out,surface.out,1", "files like"),
        ("bad,both.out,ligand.out + surface.out,two", "molecules"),
        ("bad,cut.out,ligand.out + surface.out,1", "total energy"),
        ("bad,both.out,,1", "parts like"),
    ],
)
def test_a_row_that_does_not_add_up_is_refused_and_the_others_stand(tmp_path, row, what):
    path = lab(
        tmp_path / "lab",
        table=f"name,complex,parts,molecules\nGL,both.out,ligand.out + surface.out,1\n{row}\n",
    )
    (path.parent / "cut.out").write_text((path.parent / "both.out").read_text()[:1500])
    rows, refused = read_table(path)
    assert [r.name for r in rows] == ["GL"] and what in refused["bad"]
    lines = list(csv.reader(to_csv(rows, refused).splitlines()))
    assert lines[-1][0] == "bad" and what in " ".join(lines[-1])
    assert {len(line) for line in lines} == {len(lines[0])}


@pytest.mark.parametrize(
    ("table", "what"),
    [("name,complex\nGL,both.out\n", "columns"), ("name,complex,parts\n", "at least one row")],
)
def test_tables_without_columns_or_rows(tmp_path, table, what):
    with pytest.raises(FormatError, match=what):
        read_table(lab(tmp_path / "lab", table=table))


def test_a_difference_names_each_value_with_its_file():
    whole, part = (
        SimpleNamespace(settings={"field": field}, structure=None, path=Path(name))
        for field, name in ((0.1, "whole.out"), (0.2, "part.out"))
    )
    told = []
    comparability._compare_surroundings(
        whole, part, True, lambda key, a, b: told.append((key, a, b)), [], []
    )
    assert told == [("field", 0.1, 0.2)]


def test_molecules_of_atomic_bases_are_said_to_borrow():
    def said(count=2, **settings):
        one = SimpleNamespace(settings=settings, path=Path("a.out"), geometry_converged=True)
        return outputs._remarks(one, [(1, one)] * count, None)

    (note,) = said(basis="def2-SVP")
    assert "no counterpoise" in note
    assert not said(basis="def2-SVP", count=1) and not said(basis="def2-SVP", cutoff_eV=400.0)


def test_charges_must_balance(tmp_path):
    for name, body, charge in (
        ("ion", "Pb 0 0 0", 1),
        ("ligand", "O 0 0 3", 0),
        ("both", "Pb 0 0 0\nO 0 0 2", 0),
    ):
        (tmp_path / f"{name}.xyz").write_text(
            f"{body.count(chr(10)) + 1}\nProperties=species:S:1:pos:R:3 energy=-1 "
            f"charge={charge}\n{body}\n"
        )
    (tmp_path / "table.csv").write_text("name,complex,parts\nPb,both.xyz,ion.xyz + ligand.xyz\n")
    assert "charge" in read_table(tmp_path / "table.csv").refused["Pb"]


# ---- pictures ------------------------------------------------------------------------------------


def test_the_acid_dimer_has_two_hydrogen_bonds_and_the_known_energy(root):
    kept = root / "data/energetics"
    dimer = read_calculation(kept / "tight_binding/acetic_acid_dimer-0.gfn2.xyz")
    s = dimer.structure
    assert len(bonding.links(s.symbols, s.positions)) == 14  # seven in each molecule
    assert [c.kind for c in bonding.contacts(s)] == ["hydrogen"] * 2
    one = read_calculation(kept / "molecules/acetic_acid.xyz").energy_eV
    assert (
        -0.85 < dimer.energy_eV - 2 * one < -0.6
    )  # experiment and CCSD(T): about -0.7 to -0.8 eV (S22)


def test_projection_keeps_distances_in_three_dimensions():
    at = np.random.default_rng(0).normal(size=(6, 3))
    view = draw.project(at, tilt_deg=33, turn_deg=71)
    assert np.allclose(
        np.linalg.norm(at[:, None] - at[None], axis=2),
        np.linalg.norm(view[:, None] - view[None], axis=2),
    )


# ---- the room ------------------------------------------------------------------------------------


def open_here(tmp_path, data_dir):
    return open_room(
        "energetics",
        data_dir=str(data_dir),
        figures_dir=str(tmp_path / "f"),
        results_dir=str(tmp_path / "r"),
        quick=True,
    )


def judge(room):
    verdicts.judge_all(room, gather(room))
    return {(v.claim_id, v.route): v for v in room.verdicts().rows}


def test_every_claim_gets_its_verdict(tmp_path, root):
    room = open_here(tmp_path, root / "data")
    found = judge(room)
    assert room.missing_claims() == []
    assert found["C076", ""].verdict == "agrees" and found["C083", "restated"].verdict == "agrees"
    assert (
        found["C088", "like with like"].verdict == "partly"
        and found["C213", ""].verdict == "agrees"
    )
    assert (
        found["C079", "GFN2-xTB on the slab"].verdict == "inconclusive"  # 30 % off would pass
        and found["C079", "GFN2-xTB on the slab"].source_kind == "calculated"
    )
    assert found["C216", "potentials made here"].verdict == "agrees"


def test_ones_own_outputs_stand_beside_the_kept_ones_and_count_as_calculated(tmp_path):
    folder = tmp_path / "mine"
    lab(folder, whole=-111.85, ligand=GLUTATHIONE)
    room = open_here(tmp_path, folder)
    evidence = gather(room)
    held = evidence.held
    assert held.own and held.kind(loading.OWN) == "calculated"
    verdicts.judge_all(room, evidence)
    found = {(v.claim_id, v.route): v for v in room.verdicts().rows}
    assert (
        found["C077", "own outputs"].verdict == "agrees"
        and found["C077", "own outputs"].source_kind == "calculated"
    )
    assert room.missing_claims() == []
    assert held.picture("GL").kind == "calculated" and held.picture("EDTA").kind == "calculated"


def test_names_are_recognised_and_held_against_what_adsorbs(tmp_path, root):
    """The paper's names in any spelling; a row named after another molecule is refused, an anion
    of it is not.
    """
    known = {
        name: read_structure(root / f"data/energetics/molecules/{name}.xyz", frame=0)
        for name in ("glutathione", "edta", "acetic_acid")
    }
    formulas = {name: known[name].composition for name in known}
    both = formulas["glutathione"] + formulas["edta"]

    def row(name, adsorbed):
        return dataclasses.replace(read_table(lab(tmp_path)).rows[0], name=name, adsorbed=adsorbed)

    given = [
        ("E+G", both),
        ("Acetic Acid", formulas["acetic_acid"] - Counter("H")),
        ("edta", formulas["acetic_acid"]),
        ("GL / EDTA", both),
        ("oleate", Counter("C")),
    ]
    found, refused = loading.recognised(
        {name: row(name, adsorbed) for name, adsorbed in given}, known
    )
    assert set(found) == {"GL+EDTA", "acetic acid", "oleate"}
    assert (
        "C2H4O2" in refused["edta"]
        and "C10H16N2O8" in refused["edta"]
        and "second row" in refused["GL / EDTA"]
    )


def test_rows_of_one_name_are_not_taken_for_each_other(tmp_path):
    rows, refused = read_table(
        lab(
            tmp_path,
            table="name,complex,parts\nGL,both.out,ligand.out + surface.out\n"
            "GL,surface.out,surface.out\n",
        )
    )
    assert [r.energy_eV for r in rows] == [
        pytest.approx(-1.5, abs=1e-6)
    ] and "second row" in refused["GL, line 3"]


@pytest.mark.parametrize(
    ("table", "advice"),
    [
        ("name,complex,parts\nGL,both.out\n", "line 2: expected 3 cells"),
        ("name,complex,parts\n,both.out,ligand.out + surface.out\n", "column name: .* a name"),
        ("name,complex,parts\nGL,both.out,ligand.out+surface.out\n", r"'a\.out \+ b\.out'"),
    ],
)
def test_what_tables_are_mistyped_as(tmp_path, table, advice):
    path = lab(tmp_path, table=table)
    try:
        (said,) = read_table(path).refused.values()
    except FormatError as error:
        said = str(error)
    assert re.search(advice, said)


def test_a_table_between_semicolons(tmp_path):
    table = "name;complex;parts\n# a remark\nGL;both.out;ligand.out + surface.out\n"
    assert [row.name for row in read_table(lab(tmp_path, table=table)).rows] == ["GL"]


def test_outputs_of_another_program_give_the_same_table(tmp_path, root):
    """Kept tight-binding frames as POSCAR-like files of another program would be: here as QCSchema
    records, energies in hartree.
    """
    import json

    from peled.formats.atomistic.calculation import HARTREE_EV
    from peled.formats.atomistic.structures import BOHR_ANGSTROM

    kept = root / "data/energetics"
    names = {
        "both": "tight_binding/methylamine_on_pbi2-0.gfn2.xyz",
        "ligand": "molecules/methylamine.xyz",
        "surface": "tight_binding/pbi2-0.gfn2.xyz",
    }
    for name, path in names.items():
        c = read_calculation(kept / path)
        record = {
            "molecule": {
                "symbols": list(c.structure.symbols),
                "geometry": (c.structure.positions / BOHR_ANGSTROM).ravel().tolist(),
                "molecular_charge": 0,
            },
            "driver": "energy",
            "model": {"method": "GFN2-xTB", "basis": None},
            "provenance": {"creator": "tblite"},
            "return_result": c.energy_eV / HARTREE_EV,
            "success": True,
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    (tmp_path / "table.csv").write_text(
        "name,complex,parts,molecules\nmethylamine,both.json,ligand.json + surface.json,1\n"
    )
    wanted = {r.name: r.energy_eV for r in read_table(kept / "gfn2.csv").rows}
    (row,) = read_table(tmp_path / "table.csv").rows
    assert row.energy_eV == pytest.approx(wanted["methylamine on PbI2"], abs=1e-6)


def test_a_folder_without_anything_of_this_room_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(MissingDataError, match=r"table\.csv"):
        loading.load(open_here(tmp_path, tmp_path))


def test_ones_own_outputs_that_disagree(tmp_path):
    rows, _ = read_table(lab(tmp_path / "mine", whole=-112.4, ligand=GLUTATHIONE))
    held = SimpleNamespace(methods={loading.OWN: {"GL": rows[0]}}, kind=lambda m: "calculated")
    evidence = Evidence(published(), held, {}, {})
    found = verdicts.own(evidence, "GL")
    assert paper.judge("C077", route=loading.OWN, **found).verdict == "disagrees"


@pytest.mark.parametrize("change", [{"log_k": [18, 17]}, {"pKa": ["x"]}, {"source": ""}])
def test_constants_that_make_no_sense(tmp_path, change):
    path = tmp_path / "stability.yaml"
    path.write_text(
        yaml.safe_dump({"EDTA": {"log_k": [17.9, 18.1], "pKa": [10.2], "source": "s"} | change})
    )
    with pytest.raises(FormatError, match=r"stability\.yaml"):
        affinity.constants(path)


# ---- geometry, sums and signs at no special point ------------------------------------------------


OBLIQUE = np.array([[7.1, 0.3, -0.4], [1.9, 6.2, 0.5], [-0.8, 1.1, 8.3]])


def test_near_pairs_are_those_of_counting_all_images():
    """Also of atoms outside their cell; each pair once, at the shift of the second atom."""
    rng = np.random.default_rng(6)
    positions = rng.uniform(-1.5, 2.5, (9, 3)) @ OBLIQUE
    limit = rng.uniform(1.5, 5.5, (9, 9))
    limit = (limit + limit.T) / 2
    counted, shifts = {}, np.array(list(itertools.product(range(-6, 7), repeat=3)))
    for i, j in itertools.product(range(9), repeat=2):
        away = np.linalg.norm(positions[j] + shifts @ OBLIQUE - positions[i], axis=1)
        for shift, distance in zip(map(tuple, shifts.tolist()), away, strict=True):
            if distance < limit[i, j] and (i < j or (i == j and shift > (0, 0, 0))):
                counted[i, j, shift] = distance
    found = bonding.near_pairs(positions, OBLIQUE, limit)
    assert {(i, j, s): d for i, j, s, d in found} == pytest.approx(counted)
    assert found == sorted(found) and len(counted) > 30
    alone = bonding.near_pairs(positions, None, limit)
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    assert {(i, j) for i, j, *_ in alone} == {
        (i, j) for i, j in itertools.combinations(range(9), 2) if distance[i, j] < limit[i, j]
    }


def _on_a_slab(origin=(0.0, 0.0, 0.0)):
    """Two layers of lead sulphide, a carbon monoxide and a water above; 18 angstrom of cell."""
    cell = np.diag([6.0, 7.0, 18.0]) + 0.4 * np.eye(3, k=1)
    symbols = ("Pb", "S", "Pb", "S", "C", "O", "O", "H", "H")
    at = np.array([
        [0, 0, 0], [3, 0, 0], [0, 0.4, -2.9], [3, 0.4, -2.9], [0.2, 0.1, 2.4], [0.3, 0.1, 3.5],
        [3.1, 3.3, 2.0], [3.9, 3.3, 2.6], [2.3, 3.3, 2.6],
    ])  # fmt: skip
    return Structure(symbols, at + origin, cell)


def test_a_slab_is_cut_in_its_vacuum_and_its_ligands_come_to_the_middle():
    first = bonding.arranged(_on_a_slab())
    inverse = np.linalg.inv(first.cell)
    for origin in ((0, 0, 0), (2.7, -1.4, 11.3), (-8.2, 5.5, -3.9)):
        given = _on_a_slab(origin)
        found = bonding.arranged(given)
        moved = (found.positions - given.positions) @ inverse
        moved -= moved[0]
        assert moved == pytest.approx(np.round(moved), abs=1e-9)  # by cell vectors only
        # Nothing but the origin differs.
        relative = found.positions - found.positions[0]
        assert relative == pytest.approx(first.positions - first.positions[0], abs=1e-6)
        fractions = found.positions @ inverse
        assert np.ptp(fractions[:, 2]) * 18 == pytest.approx(6.4, abs=0.1)
        turns = np.exp(2j * np.pi * fractions[4:, :2]).mean(axis=0)
        assert np.angle(-turns) == pytest.approx(0, abs=0.8)
        assert np.linalg.norm(found.positions[4] - found.positions[5]) < 1.2
        assert np.linalg.norm(found.positions[6] - found.positions[7]) < 1.1


def test_the_widest_gap_of_a_slab():
    gaps, middles = bonding._widest_gaps(_on_a_slab())
    inverse = np.linalg.inv(_on_a_slab().cell)
    height = 1 / np.linalg.norm(inverse[:, 2])
    assert gaps[2] == pytest.approx((1 - 6.4 / 18) * height, abs=0.03)
    assert middles[2] == pytest.approx((3.5 + (18 - 2.9)) / 2 / 18, abs=0.02)


@pytest.mark.parametrize("height, lies_on", [(0.7, False), (0.9, True)])
def test_what_lies_eight_tenths_above_the_metal_is_adsorbed(height, lies_on):
    """By its middle, of as many atoms as it has."""
    at = np.array([[0, 0, 5.0], [3, 0, 4.0], [1, 3, 5 + height - 2], [1, 3, 5 + height + 2]])
    slab = Structure(("Pb", "Pb", "C", "O"), at, np.diag([9.0, 9.0, 30.0]))
    found = bonding.adsorbed(slab, np.array([-1, -1, 0, 0]))
    assert found.tolist() == ([0] if lies_on else [])


@pytest.mark.parametrize("composition, charge, odd", [
    ({"C": 1, "H": 3}, 0, True), ({"C": 1, "H": 4}, 0, False), ({"C": 1, "H": 3}, 1, False),
    ({"Pb": 1, "N": 1}, 0, True), ({"O": 3, "H": 1}, -1, False),
])  # fmt: skip
def test_radicals_have_an_odd_number_of_electrons(composition, charge, odd):
    calculation = SimpleNamespace(settings={"charge": charge}, composition=Counter(composition))
    assert comparability._odd(calculation) is odd
    told = SimpleNamespace(settings={"electrons": 7.0}, composition=Counter())
    assert comparability._odd(told) is True
    assert comparability._odd(SimpleNamespace(settings={}, composition=Counter())) is None


def test_a_gibbs_energy_is_that_of_electrons_and_the_difference_of_the_rest(tmp_path, monkeypatch):
    table, read = lab(tmp_path), outputs.read_calculations
    rest = {"both": 0.9, "ligand": 0.5, "surface": 0.07}

    def with_rest(path, **more):
        return [dataclasses.replace(c, thermal_eV=rest[path.stem]) for c in read(path, **more)]

    monkeypatch.setattr(outputs, "read_calculations", with_rest)
    (row,), _ = read_table(table)
    assert row.gibbs_eV == pytest.approx(-1.5 + 0.9 - 0.57)


@pytest.mark.parametrize("side, alone", [(3.4, False), (3.6, True)])
def test_atoms_near_their_images_along_one_axis_are_not_isolated(side, alone):
    """Without a bond to them: a row of argon, and one that is stretched."""
    argon = Structure(("Ar",), np.zeros((1, 3)), np.diag([side, 30.0, 30.0]))
    assert bonding.isolated(argon) == alone
