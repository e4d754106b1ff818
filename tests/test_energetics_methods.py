"""Several methods on one quantity: the error they leave, pair interactions, lead's preference,
cutoffs, what the drawn ladder says.
"""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hassan2021.desk import Missing
from hassan2021.energetics import Evidence, loading, methods, told
from hassan2021.energetics import charts as plots
from hassan2021.energetics.loading import convergence, frenkel_rows, lowest, shells
from hassan2021.verdicts import energetics_calculated as calculated
from ledger import paper
from ledger.files import ROOT
from peled.energetics import binding
from peled.energetics.outputs import EnergyRow


def row(name: str, *starts: float, molecules: int = 1) -> EnergyRow:
    calculation = SimpleNamespace(
        label="method", composition=Counter(C=1), path=Path(name), geometry_converged=True
    )
    return EnergyRow(name, min(starts), tuple(sorted(starts)), 0, molecules, (), calculation, ())


def rows(**energies) -> dict:
    return {
        name.replace("_and_", "+"): row(name, *np.atleast_1d(e)) for name, e in energies.items()
    }


def test_method_error_is_the_root_mean_square_of_what_both_have():
    a = rows(x=-1.0, y=-2.0, z=-3.0, only=-9.0) | {
        "Frenkel bare": row("f", 5.0),
        "acid on PbI2": row("m", 7.0),
    }
    b = rows(x=-1.1, y=-1.9, z=-3.2) | {
        "Frenkel bare": row("f", 0.0),
        "acid on PbI2": row("m", 0.0),
    }
    error, shared = methods.method_error_eV(a, b)
    assert shared == 3 and error == pytest.approx(np.sqrt((0.01 + 0.01 + 0.04) / 3))
    assert methods.method_error_eV(a, rows(x=-1.0)) == (methods.ASSUMED_ERROR_EV, 1)
    # The part of one sign: a constant offset is all mean, and no mean exceeds the root of the mean
    # square.
    assert methods.mean_difference_eV(a, b) == pytest.approx((0.1 - 0.1 + 0.2) / 3)
    shifted = {name: dataclasses.replace(r, energy_eV=r.energy_eV - 0.3) for name, r in a.items()}
    assert (
        methods.mean_difference_eV(a, shifted)
        == pytest.approx(0.3)
        == methods.method_error_eV(a, shifted)[0]
    )
    assert np.isnan(methods.mean_difference_eV(a, {}))


def test_variants_are_compared_with_what_they_vary_and_are_no_rows_of_their_own():
    a = rows(x=-1.0, y=-2.0, z=-3.0) | {
        "x; three sheets": row("t", -1.25),
        "w; three sheets": row("u", -9.0),
    }
    assert methods.changes(a) == {"x; three sheets": pytest.approx(-0.25)}
    assert methods.method_error_eV(a, a | {"x; three sheets": row("t", 5.0)}) == (0.0, 3)


def test_interaction_counts_the_spread_of_all_three_and_is_zero_without_any():
    found = methods.interaction(
        rows(GL=(-1.8, -1.4), EDTA=-1.6, GL_and_EDTA=(-4.4, -4.0)), "GL+EDTA", 0.1
    )
    assert found.value_eV == pytest.approx(-1.0)
    assert found.error_eV == pytest.approx(
        np.sqrt(0.1**2 + 2 * 0.75 * 0.25 * 0.4**2)
    )  # of two starts the lower is drawn three times in four
    assert methods.interaction(
        rows(GL=-1.85, EDTA=-1.6, GL_and_EDTA=-3.45), "GL+EDTA", 0.1
    ).value_eV == pytest.approx(0)
    assert methods.interaction(rows(GL=-1.85, GL_and_EDTA=-3.45), "GL+EDTA", 0.1) is None
    assert methods.interaction(
        rows(GL=-1.0, GL_and_GL=-3.0), "GL+GL", 0.0
    ).value_eV == pytest.approx(-1.0)


def test_lead_gap_is_antisymmetric_and_its_error_covers_the_search():
    edta, gl = row("e", -10.8, -10.5, -10.1), row("g", -10.0, -9.9)
    gap = methods.lead_gap(edta, gl, "m")
    assert gap.gap_eV == pytest.approx(0.8) and gap.conformers == (3, 2)
    assert methods.lead_gap(gl, edta, "m").gap_eV == pytest.approx(-0.8)
    # Many searches of n starts from one known distribution: the error of the lowest is of the size
    # of its real scatter.
    rng = np.random.default_rng(4)
    found = [
        methods.lead_gap(
            row("e", *rng.exponential(0.3, 12)), row("g", *rng.exponential(0.3, 12)), "m"
        )
        for _ in range(150)
    ]
    real = np.std([g.gap_eV for g in found])
    assert 0.5 < np.median([g.error_eV for g in found]) / real < 2.0


def test_counterpoise_is_what_both_halves_borrow_and_positive_in_the_kept_records(tmp_path):
    energies = {
        "x-1.ligand.b": -10.0,
        "x-1.ligand+ghost.b": -10.3,
        "x-1.lead+ghost.b": -5.05,
        "lead_ion-0.b": -5.0,
    }
    for name, energy in energies.items():
        assert methods.counterpoise_eV(tmp_path, "x", "b") is None  # until all four are there
        (tmp_path / f"{name}.vacuum.json").write_text(json.dumps({"energy_eV": energy}))
    assert methods.counterpoise_eV(tmp_path, "x", "b") == pytest.approx(0.35)
    kept = {
        b: methods.counterpoise_eV(ROOT / "data/energetics/lead/pbe", "methylamine_on_lead_ion", b)
        for b in ("def2-svp", "def2-tzvp")
    }
    assert 0 < kept["def2-tzvp"] < kept["def2-svp"] < 1  # the larger basis has less to borrow


def test_gaps_are_formed_only_within_one_method_and_form():
    lead = {
        n: row(n, e)
        for n, e in {
            "Pb EDTA | A; vacuum": -3.0,
            "Pb GL | A; vacuum": -2.5,
            "Pb EDTA | B; vacuum": -4.0,
            "Pb EDTA 2- | A; water": -1.0,
            "Pb GL 2- | A; water": -0.4,
            "Pb GL 3- | A; water": -9.0,
        }.items()
    }
    searched = {"Pb EDTA | C; vacuum": row("e", -3.0, -2.6), "Pb GL | C; vacuum": row("g", -2.0)}
    few = methods.lead_gaps(lead | searched)
    assert (
        few["A; vacuum"].error_eV
        == few["C; vacuum"].error_eV
        == pytest.approx(np.sqrt(0.75 * 0.25) * 0.4)
    )  # a single conformer takes the search of others
    gaps = methods.lead_gaps(lead)
    assert {k: round(g.gap_eV, 9) for k, g in gaps.items()} == {
        "A; vacuum": 0.5,
        "A; water, EDTA 2- and GL 2-": 0.6,
    }


def test_rows_of_the_box_and_of_frenkel_pairs_are_found_by_their_names():
    box = {
        n: row(n, -1.0)
        for n in (
            "acetic acid | hard | 60",
            "acetic acid | hard | 25",
            "acetic acid | soft | 25",
            "acetic acid | PySCF",
        )
    }
    found = convergence(box)
    assert [c for c, _ in found["acetic acid", "hard"]] == [25, 60] and set(found) == {
        ("acetic acid", "hard"),
        ("acetic acid", "soft"),
    }
    sites = frenkel_rows(
        {
            "Frenkel GL": row("a", 0.4),
            "Frenkel GL second site": row("b", 0.2),
            "Frenkel GL+EDTA": row("c", 0.9),
            "GL": row("d", -1.0),
        }
    )
    assert {site: r.energy_eV for site, r in sites["GL"].items()} == {"first": 0.4, "second": 0.2}
    assert set(sites) == {"GL", "GL+EDTA"} and lowest(sites["GL"]).energy_eV == 0.2


def test_occupied_shells_of_potential_inputs(tmp_path):
    (tmp_path / "Pb.made.in").write_text(
        "&input\n/\n3\n6S 1 0 2.00 0.0\n6P 2 1 2.00 0.0\n5D 3 2 10.00 0.0\n"
    )
    (tmp_path / "S.made.in").write_text("3S 1 0 2.0\n3P 2 1 4.0\n3D 3 2 -1.0\n")
    assert shells(tmp_path) == {"Pb": "5d 6p 6s", "S": "3p 3s"}
    assert shells(tmp_path / "absent") == {}


def test_thermal_preference_is_the_difference_of_the_two_reactions(tmp_path):
    assert methods.thermal_preference(tmp_path) is None
    for name, gibbs, entropy in (
        ("edta", 6.0, 1.5),
        ("glutathione", 7.0, 1.7),
        ("edta_on_lead_ion", 6.3, 1.55),
        ("glutathione_on_lead_ion", 7.1, 1.85),
    ):
        (tmp_path / f"{name}.json").write_text(
            json.dumps(
                {
                    "gibbs_correction_eV": gibbs,
                    "temperature_times_entropy_eV": entropy,
                    "temperature_K": 298.15,
                }
            )
        )
    found = methods.thermal_preference(tmp_path)
    assert found.gibbs_eV == pytest.approx(0.1 - 0.3) and found.entropy_eV == pytest.approx(
        0.15 - 0.05
    )


# ---- verdicts ------------------------------------------------------------------------------------


def verdict(claim_id: str, route: str, held=None, gaps=None, **found) -> str:
    """The verdict by one route, of rows in GFN2-xTB or of other holdings."""
    holdings = SimpleNamespace(
        methods={loading.GFN2: held or {}}, kind=lambda method: "calculated", **found
    )
    errors = {loading.GFN2: found.get("error", 0.0)}
    evidence = Evidence(told.published(), holdings, errors, gaps or {})
    (check,) = (c for c in calculated.claims if (c.claim, c.route) == (claim_id, route))
    try:
        said = {"kind": "recomputed", **check.find(evidence)}
    except Missing:
        return "not testable"
    return paper.judge(claim_id, route=route, **said).verdict


ON_SLAB = f"{loading.GFN2} on the slab"


@pytest.mark.parametrize(
    ("share", "error", "flexible", "rigid"),
    [
        (1.0, 0.05, "inconclusive", "agrees"),
        (0.5, 0.05, "inconclusive", "disagrees"),
        (1.5, 0.05, "disagrees", "disagrees"),
        (0.02, 0.05, "inconclusive", "disagrees"),
        (-0.3, 0.05, "disagrees", "disagrees"),
        (0.8, 0.7, "inconclusive", "inconclusive"),
    ],
)
def test_one_pose_of_a_flexible_molecule_is_a_bound_from_above(share, error, flexible, rigid):
    """As printed; weaker; stronger; none; repelled; so uncertain that it is both."""
    for name in ("GL", "methylamine", "GL+EDTA"):
        printed = paper.claim(calculated.ROW_CLAIMS[name]).number
        held = {name: row(name, share * printed)}
        found = verdict(calculated.ROW_CLAIMS[name], ON_SLAB, held, error=error * abs(printed))
        assert found == (rigid if name == "methylamine" else flexible), name


@pytest.mark.parametrize(
    ("beyond", "error", "wanted"),
    [
        (-1.0, 0.2, "inconclusive"),
        (-0.1, 0.1, "inconclusive"),
        (-0.5, 0.1, "inconclusive"),
        (-2.0, 0.1, "disagrees"),
        (-0.6, 0.8, "inconclusive"),
        (0.5, 0.1, "disagrees"),
    ],
)
def test_attraction_of_the_pair(beyond, error, wanted):
    """Of the printed size; none; weaker; stronger; too uncertain to tell; repulsion."""
    held = rows(GL=-1.3, EDTA=-1.4, GL_and_EDTA=-2.7 + beyond)
    assert verdict("C083", ON_SLAB, held, error=error) == wanted


@pytest.mark.parametrize(
    ("gap", "error", "search", "wanted"),
    [
        (0.8, 0.05, 0.0, "agrees"),
        (0.05, 0.05, 0.0, "disagrees"),
        # What the search for conformers may miss leaves neither with power.
        (0.8, 0.05, calculated.SEARCH_ERROR_EV, "inconclusive"),
        (0.05, 0.05, calculated.SEARCH_ERROR_EV, "inconclusive"),
        (0.4, 0.05, calculated.SEARCH_ERROR_EV, "inconclusive"),
        (-0.3, 0.05, calculated.SEARCH_ERROR_EV, "disagrees"),
        (0.5, 0.4, calculated.SEARCH_ERROR_EV, "inconclusive"),
    ],
)
def test_preference_of_lead(gap, error, search, wanted, monkeypatch):
    monkeypatch.setattr(calculated, "SEARCH_ERROR_EV", search)
    best = methods.LEAD_METHODS[0]
    gaps = {best: methods.LeadGap(best, gap, error, -10 - gap, -10.0, (3, 3))}
    assert verdict("C175", best, gaps=gaps) == verdict("C274", best, gaps=gaps) == wanted
    assert verdict("C175", methods.LEAD_METHODS[1], gaps=gaps) == "not testable"  # a worse method


def test_cutoffs_are_judged_by_what_they_do_to_a_binding_energy():
    def judged(**energies):
        box = {f"a | {k.replace('_', ' | ')}": row("x", e) for k, e in energies.items()}
        return verdict("C217", "convergence in a box", box=box)

    soft = {"soft_25": -0.80, "soft_60": -0.81}
    assert judged(**soft, hard_25=-0.82, hard_60=-0.8) == "agrees"
    assert judged(**soft, hard_25=-1.4, hard_60=-0.8) == "inconclusive"
    assert judged() == "not testable"
    # What two kinds of potentials differ by at their best is no error of the cutoff.
    assert judged(soft_25=-0.8, soft_45=-0.8, hard_25=-0.74, hard_60=-0.74) == "agrees"


@pytest.mark.parametrize(
    ("bare", "gl", "wanted"),
    [
        (0.07, 0.23, ("inconclusive", "inconclusive")),
        (0.60, 0.70, ("inconclusive", "inconclusive")),  # 2.8 standard errors have a power of 0.8
        (1.20, 1.30, ("disagrees", "inconclusive")),  # one site of the covered surface
    ],
)
def test_frenkel_energies_smaller_than_the_error_are_never_confirmed(bare, gl, wanted):
    held = {
        "Frenkel bare": row("b", bare),
        "Frenkel bare second site": row("b2", bare + 0.1),
        "Frenkel GL": row("g", gl),
    }
    assert tuple(verdict(claim, ON_SLAB, held) for claim in ("C085", "C086")) == wanted


def test_shells_that_differ_from_the_list_are_noticed():
    listed = {
        "I": "5p 5s",
        "N": "2p 2s",
        "C": "2p 2s",
        "O": "2p 2s",
        "H": "1s",
        "Pb": "5d 6p 6s",
        "S": "3p 3s",
    }
    for potentials, wanted in (
        (listed, "agrees"),
        (listed | {"Pb": "6p 6s"}, "partly"),
        ({}, "not testable"),
    ):
        assert verdict("C216", "potentials made here", potentials=potentials) == wanted


# ---- pictures ------------------------------------------------------------------------------------


def test_ladder_stands_at_the_energies():
    cells = {
        k: binding.Cell(k, binding.Interval(e, e))
        for k, e in {"GL": -1.85, "EDTA": -1.6, "GL+EDTA": -4.45}.items()
    }
    fig, ax = plt.subplots()
    plots.ladder(ax, "GL+EDTA", rows(GL=-1.5, EDTA=-1.2, GL_and_EDTA=(-3.4, -3.0)), cells, 0.1)
    heights = {
        round(float(y), 6)
        for c in ax.collections
        for y in np.unique([s[:, 1] for s in c.get_segments()])
    }
    assert {0.0, -2.7, -3.4, -3.0, -3.45, -4.45} <= heights
    assert [t.get_text() for t in ax.get_xticklabels()] == ["apart", "each alone", "together"]
    plt.close(fig)


def test_binding_table_has_a_column_for_each_method_and_marks_what_is_absent():
    cells = {
        "GL": binding.Cell("GL", binding.Interval(-1.85, -1.85)),
        "GL+EDTA": binding.Cell("GL+EDTA", binding.Interval(-4.45, -4.45), molecules=2),
    }
    fig, ax = plt.subplots()
    plots.binding_table(ax, cells, {"A": rows(GL=(-1.5, -1.1)), "B": {}})
    texts = [t.get_text() for t in ax.texts]
    assert (
        "\u22121.50 ± 0.17" in texts
        and texts.count("\u2013") == 3
        and "(\u22122.23)" in "".join(texts).replace("\u22122.225", "\u22122.23")
    )
    plt.close(fig)
