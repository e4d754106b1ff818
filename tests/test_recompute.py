"""Recomputing: structures on the surface, jobs that resume, tables that name what is kept, and one small case from scratch."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hassan2021.recompute import (
    adsorbates,
    adsorption,
    jobs,
    molecules,
    poses,
    surface,
    tables,
    thermal,
    tightbinding,
)
from peled.energetics import read_table
from peled.formats.atomistic import read_calculations

KEPT = jobs.FOLDER / "tight_binding"
SLABS = sorted(p.name for p in KEPT.glob("[a-z]*slab*.xyz"))


# ---- structures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sheets", [2, 3, 4])
def test_slab_is_neutral_its_own_mirror_image_and_has_no_dipole(sheets):
    atoms = surface.slab(2, sheets)
    count = Counter(atoms.get_chemical_symbols())
    assert 2 * count["Pb"] + count["N"] == count["I"]
    assert count["N"] == count["C"] and count["H"] == 6 * count["N"]
    share = {"Pb": 2.0, "I": -1.0, "C": 1 / 8, "N": 1 / 8, "H": 1 / 8}  # formal charges
    charges = np.array([share[s] for s in atoms.get_chemical_symbols()])
    assert charges @ atoms.positions[:, 2] == pytest.approx(0, abs=1e-9)
    heights = atoms.positions[:, 2]
    middle = (heights[np.array(atoms.get_chemical_symbols()) == "Pb"].max() + surface.BOTTOM) / 2
    for element in "Pb", "I", "C", "N":
        z = np.sort(heights[np.array(atoms.get_chemical_symbols()) == element] - middle)
        assert z == pytest.approx(-z[::-1], abs=1e-9)
    # The paper's vacuum is there above a ligand of 7.5 angstrom.
    assert (
        atoms.cell.lengths()[2]
        - np.ptp(heights[np.isin(atoms.get_chemical_symbols(), ["Pb", "I"])])
        - 7.5
        > 10
    )


def test_slab_has_the_crystals_distances():
    crystal, slab = surface.crystal(), surface.slab(2, 3)
    assert Counter(crystal.get_chemical_symbols()) == {"Pb": 4, "I": 12}

    def bonds(atoms):
        d = atoms.get_all_distances(mic=True)
        names = np.array(atoms.get_chemical_symbols())
        return d[np.ix_(names == "Pb", names == "I")]

    in_crystal = np.sort(bonds(crystal), axis=1)[:, :6]
    assert in_crystal.min() == pytest.approx(surface.CELL_C / 4, abs=1e-6)  # apical
    assert in_crystal.max() == pytest.approx(
        surface.CELL_A / np.sqrt(8) / np.cos(np.deg2rad(surface.TILT_DEG)), abs=1e-6
    )  # in the plane
    in_slab = bonds(slab)
    middle = (
        np.abs(
            slab.positions[np.array(slab.get_chemical_symbols()) == "Pb", 2]
            - surface.BOTTOM
            - surface.CELL_C / 2
        )
        < 0.1
    )
    assert np.sort(in_slab[middle], axis=1)[:, :6] == pytest.approx(
        np.sort(in_crystal, axis=1)[:1].repeat(middle.sum(), axis=0), abs=1e-6
    )
    assert np.all((in_slab < 3.3).sum(axis=1)[~middle] == 5)  # the surface leads lack one iodide


def test_one_sheet_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        surface.slab(2, 1)


def test_stand_in_is_neutral_and_keeps_the_contacts_of_the_ligand():
    bare = surface.slab()
    at = bare.positions[0] + [0, 0, 2.6]
    whole = adsorbates.adduct(bare, ["N", "H"], np.array([at, at + [0, 0, 1.0]]))
    small = surface.thin(whole)
    count = Counter(small.get_chemical_symbols())
    assert 2 * count["Pb"] + count["Cs"] == count["I"]
    lead = int(np.argmin(small.get_distances(len(small) - 2, range(len(small) - 2), mic=True)))
    assert small[lead].symbol == "Pb"
    assert small.get_distance(len(small) - 2, lead, mic=True) == pytest.approx(2.6)


AMINE = (
    ("C", "N", "H", "H", "H", "H", "H"),
    np.array(
        [
            [0, 0, 0],
            [1.46, 0, 0],
            [-0.4, 1.0, 0],
            [-0.4, -0.5, 0.9],
            [-0.4, -0.5, -0.9],
            [1.8, -0.5, 0.8],
            [1.8, -0.5, -0.8],
        ]
    ),
    0.0,
)


def test_docked_amine_reaches_lead_with_its_nitrogen_and_stays_rigid():
    bare = surface.slab()
    poses = surface.dock([AMINE], bare, count=3, trials=12, seed=3)
    assert len(poses) == 3 and [p.score_eV for p in poses] == sorted(p.score_eV for p in poses)
    for pose in poses:
        whole = adsorbates.adduct(bare, AMINE[0], pose.positions)
        ligand = range(len(bare), len(whole))
        d = whole.get_all_distances(mic=True)[np.ix_(ligand, range(len(bare)))]
        lead = np.array(bare.get_chemical_symbols()) == "Pb"
        to_lead = d[:, lead].min(axis=1)
        assert 2.3 < to_lead[AMINE[0].index("N")] < 3.0 < to_lead[AMINE[0].index("C")]
        assert d.min() > 2.0
        inside = np.linalg.norm(pose.positions[:, None] - pose.positions[None], axis=2)
        assert inside == pytest.approx(
            np.linalg.norm(AMINE[1][:, None] - AMINE[1][None], axis=2), abs=1e-9
        )  # rigid
    again = surface.dock([AMINE], bare, count=3, trials=12, seed=3)
    assert again[0].positions == pytest.approx(poses[0].positions)


def test_docking_beside_a_ligand_finds_hydrogen_bonds_when_asked_to():
    bare = surface.slab()
    carbonyl = bare.positions[0] + np.array(
        [[0, 0, 2.6], [0, 0, 3.8], [0.9, 0, 4.4], [-0.9, 0, 4.4]]
    )
    on = adsorbates.adduct(bare, ["O", "C", "H", "H"], carbonyl)
    water = (("O", "H", "H"), np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]]), 0.0)

    def nearest(between: bool) -> float:
        poses = surface.dock([water], on, count=1, trials=80, seed=1, between=between)
        whole = adsorbates.adduct(on, water[0], poses[0].positions)
        return min(whole.get_distance(len(on) + h, len(bare), mic=True) for h in (1, 2))

    assert 1.5 < nearest(True) < 2.1
    assert nearest(False) > 2.1


def test_frenkel_pair_moves_one_iodide_and_touches_nothing():
    bare = surface.slab()
    site = next(k for k, a in enumerate(bare) if a.symbol == "I" and a.tag == 0)
    made = surface.frenkel_pair(bare, site, hollow=0)
    moved = np.flatnonzero(np.linalg.norm(made.positions - bare.positions, axis=1) > 1e-9)
    assert list(moved) == [site]
    lead = [k for k, a in enumerate(made) if a.symbol == "Pb"]
    near = np.sort(made.get_distances(site, lead, mic=True))
    assert near[0] == pytest.approx(3.05) and near[1] > 4.0
    rest = [k for k in range(len(made)) if k != site and k not in lead]
    assert made.get_distances(site, rest, mic=True).min() > 2.8
    with pytest.raises(ValueError, match="iodide of the top sheet"):
        surface.frenkel_pair(bare, lead[0], hollow=0)
    with pytest.raises(ValueError, match="places"):
        surface.frenkel_pair(bare, site, hollow=99)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_model_hessian_is_positive_and_costs_nothing_beyond_the_background_for_a_shift(seed):
    from ase import Atoms

    rng = np.random.default_rng(seed)
    atoms = Atoms("CNOH", positions=rng.normal(0, 2, (4, 3)))
    h = tightbinding.model_hessian(atoms)
    assert h == pytest.approx(h.T)
    assert np.linalg.eigvalsh(h).min() > 2.9
    shift = np.tile(rng.normal(size=3), 4)
    assert shift @ h @ shift == pytest.approx(3.0 * shift @ shift)


# ---- searching poses --------------------------------------------------------------------------------------------------------


def _amine_on_stand_in():
    free = molecules.read_frames(jobs.FOLDER / "molecules" / "methylamine.xyz")[0]
    bare = surface.slab(1)
    lead = next(a.position for a in bare if a.symbol == "Pb" and a.tag == 0)
    nitrogen = free.symbols.index("N")
    rest = np.delete(free.positions, nitrogen, axis=0).mean(axis=0) - free.positions[nitrogen]
    turned = Rotation.align_vectors([[0, 0, 1.0]], [rest])[0].apply(
        free.positions - free.positions[nitrogen]
    )
    small = surface.thin(adsorbates.adduct(bare, free.symbols, turned + lead + [0, 0, 2.7]))
    small.pbc, small.cell = False, None  # without images, for speed
    return small, free


def test_shaking_moves_the_ligand_only_leaves_it_whole_and_can_be_repeated():
    pytest.importorskip("tblite")
    ends = []
    for _ in range(2):
        small, free = _amine_on_stand_in()
        before = small.copy()
        tightbinding.relax_stand_in(small, "gfn2", 0)
        poses.shake(small, 10, np.random.default_rng(3))
        ligand = small.get_tags() >= 10
        assert np.array_equal(small.positions[~ligand], before.positions[~ligand])
        assert (
            np.linalg.norm(small.positions[ligand] - before.positions[ligand], axis=1).max() > 0.05
        )
        edges = molecules.bonds(free.symbols, small.positions[ligand])
        assert molecules.graph_key(free.symbols, edges) == molecules.graph_key(
            free.symbols, molecules.bonds(free.symbols, free.positions)
        )
        ends.append(small.positions)
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)


def test_best_poses_are_the_lowest_that_differ_and_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(poses, "OUT", tmp_path)
    free = molecules.read_frames(jobs.FOLDER / "molecules" / "edta.xyz")[0]
    with pytest.raises(FileNotFoundError, match=r"ONLY='tight_binding/edta_on_slab\.poses'"):
        poses.best("edta", 0)
    broken = free.positions.copy()
    broken[free.symbols.index("H")] += [0, 0, 9.0]
    tries = [
        (free.positions, -3.0),
        (free.positions + 0.1, -2.9),
        (broken, -9.0),
        (free.positions + [5, 0, 0], -2.5),
    ]
    molecules.write_frames(
        tmp_path / "edta.xyz", [replace(free, positions=p, energy_eV=e) for p, e in tries]
    )
    assert [poses.best("edta", k).energy_eV for k in range(2)] == [-3.0, -2.5]
    with pytest.raises(ValueError, match="2 poses that differ, number 3 asked for"):
        poses.best("edta", 2)


@pytest.mark.parametrize("name", [n for n in poses.EFFORT if poses.path(n).exists()])
def test_kept_poses_are_whole_lie_on_the_surface_and_were_tried_as_often_as_said(name):
    found, effort = molecules.read_frames(poses.path(name)), poses.EFFORT[name]
    assert len(found) == effort.docked + effort.shaken + (
        "+" in name
    )  # of a pair the start that was kept before is one more
    members = [
        molecules.read_frames(jobs.FOLDER / "molecules" / f"{m}.xyz")[0] for m in name.split("+")
    ]
    for frame in found:
        assert sorted(frame.symbols) == sorted(s for m in members for s in m.symbols)
        first = len(members[0].symbols)  # the members in the order of the name
        assert Counter(frame.symbols[:first]) == Counter(members[0].symbols)
        assert 1.0 < frame.positions[:, 2].min() - surface.TOP < 3.5
    assert poses.intact(poses.best(name, 0), name)


# ---- what is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SLABS)
def test_kept_slabs_have_no_overlapping_atoms_and_the_frozen_framework(name):
    atoms = tightbinding.load(KEPT / name)
    d = atoms.get_all_distances(mic=True)
    np.fill_diagonal(d, 9)
    light = np.isin(atoms.get_chemical_symbols(), list("HCNOS"))
    assert d.min() > 0.9
    assert d[~light][:, ~light].min() > 2.5
    assert d[~light][:, light].min() > 1.9
    if "free" not in name and not name.startswith(("frenkel", "perfect")):
        start = surface.slab(lead_sheets=3 if "three" in name else 2)
        n = len(start)
        fixed = adsorbates.framework(start)
        shift = atoms.positions[:n][fixed] - start.positions[fixed]
        assert np.abs(shift).max() < 1e-5


def test_the_freed_slab_is_held_by_its_symmetry_only():
    """Bare, it relaxes a little and every lead keeps its five iodides; with methylamine on it, it falls several electronvolts and most are left with three."""
    freed, held, with_amine = (
        tightbinding.load(KEPT / f"{name}.gfn2.xyz")
        for name in ("slab_free-0", "slab-0", "methylamine_on_slab_free-0")
    )

    def iodides(atoms):
        return (
            atoms.get_all_distances(mic=True)[np.ix_(atoms.numbers == 82, atoms.numbers == 53)]
            < 3.6
        ).sum(axis=1)

    assert set(iodides(held)) == set(iodides(freed)) == {5} and np.median(iodides(with_amine)) == 3
    low, high = (
        read_calculations(KEPT / f"{name}.gfn2.xyz")[0].energy_eV
        for name in ("slab_free-0", "slab-0")
    )
    assert -4.0 < low - high < 0.0
    rows = {r.name: r.energy_eV for r in read_table(jobs.FOLDER / "gfn2.csv").rows}
    assert rows["methylamine; free slab"] < rows["methylamine"] - 5.0


def test_pairs_of_like_ligands_reach_what_the_ligands_have_alone(root):
    """A pair whose ligands lie where each lies alone is among the starts, so only what they do to each other can be missing."""
    rows = {r.name: r.energy_eV for r in read_table(root / "data/energetics/gfn2.csv").rows}
    for pair in ("GL+EDTA", "GL+GL", "EDTA+EDTA"):
        assert rows[pair] < sum(rows[n] for n in pair.split("+")) + 0.15, pair


def test_every_kept_frame_says_how_it_was_made():
    for path in sorted(KEPT.glob("[a-z]*.xyz")):
        (found,) = read_calculations(path, allow_unconverged=True)
        info = tightbinding.load(path).info
        assert {"method", "steps", "max_force", "program", "start"} <= set(info), path.name
        assert found.geometry_converged or int(info["steps"]) >= 5, path.name


def test_tables_name_what_is_kept_and_add_up(root, tmp_path):
    for name in ("gfn2", "gfn1", "dft", "lead", "box"):
        rows, refused = read_table(root / f"data/energetics/{name}.csv")
        assert rows and not refused, (name, refused)
    made = {
        "gfn2": tables.tight_binding(jobs.FOLDER, "gfn2"),
        "gfn1": tables.tight_binding(jobs.FOLDER, "gfn1"),
        "dft": tables.plane_waves(jobs.FOLDER),
    }
    for name, rows in made.items():
        assert (root / f"data/energetics/{name}.csv").read_text().splitlines()[1:] == rows
    assert tables.tight_binding(tmp_path, "gfn2") == []


# ---- jobs -----------------------------------------------------------------------------------------------------------------


def _job(folder: Path, name: str, **options) -> jobs.Job:
    path = folder / f"{name}.txt"
    return jobs.Job(
        name, lambda scratch: path.write_text(str(len(os.listdir(scratch)))), (path,), **options
    )


def test_only_what_is_missing_runs_and_a_failure_does_not_stop_the_rest(tmp_path):
    def fails(scratch):
        raise RuntimeError("no convergence")

    said = []
    listed = [
        _job(tmp_path, "one"),
        jobs.Job("two", fails, (tmp_path / "two.txt",)),
        _job(tmp_path, "three"),
    ]
    assert jobs.run_all(listed, say=said.append) == ["two"]
    assert [j.done for j in listed] == [True, False, True]
    assert any("two" in s and "no convergence" in s for s in said)
    (tmp_path / "one.txt").write_text("mine")
    jobs.run_all(listed[:1], say=said.append)
    assert (tmp_path / "one.txt").read_text() == "mine"  # kept results are not made again


def test_absent_programs_and_packages_are_named_with_what_installs_them(tmp_path):
    said = []
    lacking = _job(tmp_path, "lacking", packages=("no_such_package",))
    assert jobs.run_all([lacking], say=said.append) == ["lacking"]
    assert "no_such_package" in said[0] and "make energetics-env" in said[0] and not lacking.done
    with pytest.raises(jobs.MissingProgram, match=r"no-such-program.*Quantum ESPRESSO"):
        jobs.require(programs=["no-such-program"])


def test_a_job_held_by_another_process_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs.tempfile, "gettempdir", lambda: str(tmp_path))
    job, said = _job(tmp_path, "shared"), []
    (tmp_path / "peled-shared.lock").write_text(str(os.getppid()))
    jobs.run_all([job], say=said.append)
    assert not job.done and "another process" in said[0]
    (tmp_path / "peled-shared.lock").write_text("999999999")  # of a process that is gone
    jobs.run_all([job], say=said.append)
    assert job.done and not (tmp_path / "peled-shared.lock").exists()


def test_patterns_that_match_nothing_are_an_error():
    listed = adsorption.jobs()
    assert len({j.name for j in listed}) == len(listed)
    assert [j.name for j in jobs.chosen(listed, ["tight_binding/methylamine_on_pbi2*"])] == [
        "tight_binding/methylamine_on_pbi2-0.gfn2"
    ]
    with pytest.raises(ValueError, match="no calculation is called"):
        jobs.chosen(listed, ["tight_binding/benzene"])


def test_thermochemistry_of_a_printout():
    text = """
       T/K    H(0)-H(T)+PV         H(T)/Eh          T*S/Eh         G(T)/Eh
    298.15    0.431070E-02    0.668732E-01    0.271611E-01    0.397120E-01
         :: G(RRHO) contrib.            0.039712044159 Eh   ::
"""
    found = thermal.corrections(text)
    assert found["gibbs_correction_eV"] == pytest.approx(
        found["enthalpy_correction_eV"] - found["temperature_times_entropy_eV"], abs=1e-4
    )
    # Ideal-gas methylamine: about 243 J/(mol K) from calorimetry and spectra (Aston, Siller & Messerly 1937, doi:10.1021/ja01288a053).
    assert found["temperature_times_entropy_eV"] == pytest.approx(243 * 298.15 / 96485.3, rel=0.03)
    with pytest.raises(ValueError, match="thermochemistry"):
        thermal.corrections(text.replace("RRHO", "none"))


def test_listing_says_what_is_kept_and_a_wrong_name_is_an_error(capsys):
    from hassan2021.recompute.__main__ import main

    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.startswith("kept") and "tight_binding/methylamine_on_pbi2-0.gfn2" in line
        for line in lines
    )
    assert main(["tight_binding/benzene"]) == 2


# ---- from scratch ---------------------------------------------------------------------------------------------------------


def test_methylamine_on_lead_iodide_from_scratch(tmp_path, monkeypatch):
    """Conformer, placement and relaxation again, to the kept energy; needs the packages of `make energetics-env`."""
    for package in ("tblite", "rdkit"):
        pytest.importorskip(package, reason="make energetics-env installs what recomputing needs")
    wanted = {r.name: r.energy_eV for r in read_table(jobs.FOLDER / "gfn2.csv").rows}[
        "methylamine on PbI2"
    ]
    monkeypatch.setattr(tightbinding, "OUT", tmp_path)
    names = ("pbi2-0", "methylamine_on_pbi2-0")
    for relaxation in adsorption.relaxations():
        if relaxation.name in names and relaxation.method == "gfn2":
            tightbinding.relax(relaxation)
    energy = {}
    for name in names:
        (found,) = read_calculations(tmp_path / f"{name}.gfn2.xyz")
        (kept,) = read_calculations(KEPT / f"{name}.gfn2.xyz")
        assert found.energy_eV == pytest.approx(kept.energy_eV, abs=1e-6)
        energy[name] = found.energy_eV
    (free,) = read_calculations(jobs.FOLDER / "molecules" / "methylamine.xyz")
    assert energy[names[1]] - energy[names[0]] - free.energy_eV == pytest.approx(wanted, abs=1e-6)
