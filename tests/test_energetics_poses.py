"""Statistics of poses, sites and coverages, and the report of a folder of outputs."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import pwscf_text as espresso
from hassan2021.energetics import methods
from peled.energetics import analyse, poses
from peled.energetics.frenkel import K_EV
from peled.energetics.outputs import EnergyRow, read_table
from peled.formats import FormatError
from peled.formats.atomistic import read_calculation
from peled.samples import read_sheet

CELL = np.diag([12.0, 12.0, 20.0])
SURFACE = (["Pb", "S"], np.array([[0.0, 0, 0], [3, 0, 0]]))
LIGAND = (["O", "C"], np.array([[0.0, 0, 5], [0, 0, 6.2]]))


def row(name, *starts, molecules=1, **labels):
    return EnergyRow(
        name, starts[0], tuple(starts), 0, molecules, (), None, (), labels=dict(labels)
    )


def test_starts_that_agree_to_the_last_digit_leave_a_millielectronvolt():
    assert poses.standard_error(row("a", -1.0, -1.0), 0.1) == 1e-3
    assert poses.standard_error(row("a", -1.0), 0.1) == 0.1


def test_populations_in_closed_form():
    kt = K_EV * 300
    p = poses.populations([-1.0, -1.0 + kt * np.log(3)], 300)
    assert p == pytest.approx([0.75, 0.25])
    assert poses.populations([5.0, 5.0, 5.0]) == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match="temperature above 0"):
        poses.populations([1.0], 0.0)


def test_poses_between_one_and_many():
    alone = poses.poses([-1.5])
    assert (alone.range_eV, alone.populated, alone.mean_eV) == (0, 1, -1.5)
    alike = poses.poses([-1.5, -1.49, -1.48], temperature_K=1e6)
    assert alike.populated == pytest.approx(3, abs=1e-3)
    # one minimum found twice is one pose
    assert poses.poses([-1.5, -1.4995, -1.0]).populated == pytest.approx(1.0, abs=1e-6)
    far = poses.poses([-1.5, -0.5])
    assert far.mean_eV == pytest.approx(-1.5) and far.range_eV == 1.0


def test_sites_that_an_error_of_the_energies_cannot_tell_apart():
    sharp = poses.site_shares({"top": (-1.0, 0.001), "bridge": (-0.8, 0.001)})
    assert sharp[0].share > 0.999 and sharp[1].high < 0.01
    blurred = poses.site_shares({"top": (-1.0, 0.1), "bridge": (-0.8, 0.1)})
    assert blurred[0].low < 0.05 and blurred[0].high > 0.99
    assert sum(s.share for s in blurred) == pytest.approx(1)


def test_lateral_interaction_is_the_slope_and_its_error_covers():
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        rows = [
            row(str(c), c * 4 * (-1.2 + 0.3 * c) + 4 * c * rng.normal(0, 0.05 / (4 * c)),
                molecules=round(4 * c), coverage=str(c))
            for c in (0.25, 0.5, 0.75, 1.0)
        ]  # fmt: skip
        found = poses.lateral(rows, 0.05)
        inside += abs(found.slope_eV - 0.3) <= 1.96 * found.error_eV
    assert 0.92 < inside / 400 < 0.98
    assert poses.lateral([row("a", -1.0, coverage="0.5")], 0.1) is None
    # a second, poorer site at a coverage is no neighbour
    clean = [row("a", -1.0, coverage="0.25"), row("b", -0.9, coverage="0.5")]
    poorer = row("c", -0.2, coverage="0.25")
    assert poses.lateral([poorer, *clean], 0.1) == poses.lateral(clean, 0.1)


def test_parts_of_a_pair_add_up():
    rows = {
        name: EnergyRow(name, e, (e,), 0, 1, (), None, (), dispersion_eV=d)
        for name, e, d in (("A", -1.0, -0.4), ("B", -1.5, -0.6), ("A+B", -2.4, -1.3))
    }
    split = methods.parts(rows, (1, "A+B"), (-1, "A"), (-1, "B"))
    assert split.dispersion_eV == pytest.approx(-0.3)
    assert split.functional_eV == pytest.approx(0.4)
    assert methods.parts(rows, (1, "A+B"), (-1, "C")) is None


def test_edta_refers_to_its_lowest_conformer_in_pbe(data_of_energetics):
    """By pw.x itself; def2-SVP sees half the gap, for it lets the folded conformer borrow."""
    slab = data_of_energetics / "espresso" / "slab"

    def energy(name):
        return read_calculation(slab / f"{name}.out").energy_eV

    assert energy("edta") - energy("edta-2") == pytest.approx(0.136, abs=0.003)
    row = next(r for r in read_table(data_of_energetics / "dft.csv").rows if r.name == "EDTA")
    lowest = min(energy(p.stem) for p in slab.glob("edta[.-]*out"))
    assert row.starts_eV[-1] == pytest.approx(energy("edta_on_slab") - lowest - energy("slab"))
    assert any("the lowest of" in note for note in row.notes)


def test_the_preference_of_lead_is_the_sum_of_its_parts(data_of_energetics):
    split = methods.lead_parts(data_of_energetics / "lead")
    rows = {row.name: row.energy_eV for row in read_table(data_of_energetics / "lead.csv").rows}
    method = "PBE-D3/def2-SVP; vacuum"
    gap = rows[f"Pb GL | {method}"] - rows[f"Pb EDTA | {method}"]
    assert split.functional_eV + split.dispersion_eV == pytest.approx(gap, abs=1e-3)
    assert abs(split.dispersion_eV) < 0.1 < split.functional_eV


def test_kept_dispersion_is_that_of_the_outputs(data_of_energetics):
    """D3 of `pw.x` at a geometry that both have, by another program."""
    import json

    terms = json.loads((data_of_energetics / "lead" / "dispersion.json").read_text())
    for output, record in (("edta", "edta-0"), ("glutathione", "glutathione-0")):
        found = read_calculation(data_of_energetics / "espresso" / "slab" / f"{output}.out")
        assert found.dispersion_eV == pytest.approx(terms[record]["d3zero_eV"], abs=0.002)


@pytest.fixture
def data_of_energetics():
    return Path(__file__).resolve().parents[1] / "data" / "energetics"


TABLE = """name,complex,parts,molecules,adsorbate,surface,site,coverage
CO top,both-*.out,ligand.out + surface.out,1,CO,PbS,top,0.25
CO bridge,other.out,ligand.out + surface.out,1,CO,PbS,bridge,0.5
bad,both-0.out,surface.out,1,,,,
"""


@pytest.fixture
def folder(tmp_path):
    (s, p), (t, q) = SURFACE, LIGAND
    (tmp_path / "surface.out").write_text(espresso.relaxation(s, p, CELL, -100.0))
    (tmp_path / "ligand.out").write_text(espresso.relaxation(t, q, CELL, -10.0))
    at = np.vstack([p, q])
    for name, energy in (("both-0", -111.5), ("both-1", -111.45), ("other", -111.2)):
        (tmp_path / f"{name}.out").write_text(espresso.relaxation(s + t, at, CELL, energy))
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def test_a_report_of_ones_own_outputs(folder):
    import matplotlib.pyplot as plt

    report = analyse.analyse(read_sheet(folder, "energetics", sniff=analyse.sniff), {})
    (top,) = report.select(sample="CO top", name="energy")
    assert top.value == pytest.approx(-1.5, abs=1e-6) and top.kind == "calculated"
    assert set(top.budget) == {"self-consistency", "poses"}
    (bridge,) = report.select(sample="CO bridge", name="energy")
    assert bridge.budget["assumed for one start"] == analyse.SETTINGS["single_eV"]
    shares = [q for q in report.quantities if q.name.startswith("share of site")]
    assert not shares  # two sites at two coverages are no rivals
    (slope,) = report.select(name="lateral interaction")
    assert slope.value == pytest.approx(0.3 / 0.25, abs=1e-6)
    assert any("atoms do not balance" in p.reason for p in report.problems)
    assert len([q for q in report.quantities if q.name.startswith("Boltzmann")]) == 1
    for panel in report.panels():
        figure = plt.figure()
        panel.draw(figure)
        plt.close(figure)
    assert {p.name for p in report.panels()} == {"energies", "structure"}


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("name,complex,parts,covrage", "found covrage; did you mean 'coverage'"),
        ("name,complex,parts,mood", "own begin with x_"),
    ],
)
def test_unknown_columns_of_a_table_are_refused(tmp_path, head, message):
    (tmp_path / "t.csv").write_text(head + "\na,b.out,c.out,1\n")
    with pytest.raises(FormatError, match=message):
        read_table(tmp_path / "t.csv")


def test_a_coverage_is_a_number(folder):
    (folder / "table.csv").write_text(TABLE.replace(",0.25", ",half"))
    rows, refused = read_table(folder / "table.csv")
    assert "a number as coverage" in refused["CO top"] and len(rows) == 1


def test_settings_of_the_report_are_known(folder):
    sheet = read_sheet(folder, "energetics", sniff=analyse.sniff)
    with pytest.raises(ValueError, match="temperatur"):
        analyse.analyse(sheet, {"temperatur": 3})
    warm = analyse.analyse(sheet, {"temperature_K": 600.0})
    cold = analyse.analyse(sheet, {"temperature_K": 30.0})
    name = "Boltzmann mean at {} K"
    (hot,), (ice,) = (r.select(name=name.format(t)) for r, t in ((warm, 600), (cold, 30)))
    assert hot.value > ice.value == pytest.approx(-1.5, abs=1e-4)
    assert all(a.value != b.value for a, b in itertools.pairwise([hot, ice]))


def test_a_counterpoise_weakens_the_bond_and_must_add_up(folder):
    (s, p), (t, q) = SURFACE, LIGAND
    for name, symbols, at, energy in (
        ("surface_ghost", s, p, -100.2),
        ("ligand_ghost", t, q, -10.1),
    ):
        (folder / f"{name}.out").write_text(espresso.relaxation(symbols, at, CELL, energy))
    head = "name,complex,parts,counterpoise\nCO,both-0.out,ligand.out + surface.out,"
    both = "ligand.out + surface.out - ligand_ghost.out - surface_ghost.out"
    (folder / "table.csv").write_text(f"{head}{both}\n")
    ((found,), refused) = read_table(folder / "table.csv")
    assert found.energy_eV == pytest.approx(-1.5 + 0.3, abs=1e-6) and not refused
    assert any("counterpoise: +0.300 eV" in n for n in found.notes)
    for wrong in (both.replace(" - ", " + "), "ligand_ghost.out - ligand.out"):
        (folder / "table.csv").write_text(f"{head}{wrong}\n")
        assert "each part once alone" in read_table(folder / "table.csv").refused["CO"]


MESH = Path(__file__).resolve().parents[2] / "shared" / "failing" / "energetics" / "mesh"


@pytest.mark.skipif(not MESH.is_dir(), reason="no folder of small failing inputs")
def test_adsorption_at_one_mesh_whatever_symmetry_leaves_of_it(tmp_path):
    """Graphene and hydrogen, 4 x 4 x 1: 7 and 10 points with symmetry, 16 without."""
    for path in MESH.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "table.csv").write_text(
        "name,complex,parts\n"
        "with,ads.out,h2.out + bare.out\nwithout,n_ads.out,h2.out + n_bare.out\n"
        "mixed,ads.out,h2.out + n_bare.out\n"
    )
    rows, refused = read_table(tmp_path / "table.csv")
    assert not refused and not any(r.warnings for r in rows)
    assert np.ptp([r.energy_eV for r in rows]) < 2e-4
    assert {r.complex.settings["kpoints"] for r in rows} == {"4x4x1 k-points"}
