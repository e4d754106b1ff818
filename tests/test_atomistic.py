"""Real outputs of pw.x 6.7, xtb 6.5, CP2K 2023.1, PySCF and tblite, whole, cut and stuck; which
energies may be subtracted.
"""

import dataclasses
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hassan2021.recompute import waves
from peled.energetics import bonding, read_table
from peled.energetics.comparability import compare
from peled.formats import FormatError
from peled.formats.atomistic import (
    Structure,
    formula,
    read_calculation,
    read_calculations,
    read_structure,
)
from peled.formats.atomistic.outputs import HARTREE_EV, RYDBERG_EV, Calculation
from peled.formats.atomistic.structures import BOHR_ANGSTROM
from slabs import CELL, adduct, ligand, sheet

HERE = Path(__file__).parent / "atomistic"
#: What each program printed as its total, in eV, and what it rests on.
FINISHED = {
    "pw_relax.out": (-34.25174936 * RYDBERG_EV, "PBE-D3, 25/200 Ry, Gamma", 0),
    "pw_charged_kpoints.out": (
        -33.57262385 * RYDBERG_EV,
        "PBE-D3, 25/200 Ry, 2x1x1 k-points",
        1,
    ),
    "pw_charged_kpoints.xml": (-33.57262385 * RYDBERG_EV, "PBE-D3, 25/200 Ry, 2x1x1 k-points", 1),
    "xtb_relax.out": (-5.070544354480 * HARTREE_EV, "GFN2-xTB", 0),
    "xtb_solvent.out": (-5.789478992089 * HARTREE_EV, "GFN1-xTB, water (ALPB)", 0),
    "cp2k_energy.out": (
        -17.219761314625227 * HARTREE_EV,
        "PBE-D3(BJ)/DZVP-MOLOPT-SR-GTH, 280 Ry, Gamma",
        0,
    ),
    "cp2k_relax.out": (-17.219771012528842 * HARTREE_EV, "CP2K", None),
    "pyscf.json": (-76.27250903494416 * HARTREE_EV, "PBE/def2-SVP, vacuum", 0),
    "qcschema.json": (-5.070147161233127 * HARTREE_EV, "GFN2-xTB", 0),
}


def put(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# ---- readers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FINISHED)
def test_energy_settings_and_atoms_of_real_outputs(name):
    energy, label, charge = FINISHED[name]
    found = read_calculation(HERE / name)
    assert found.energy_eV == pytest.approx(energy, rel=3e-9) and not found.complaints
    assert found.label == label and found.settings.get("charge") == charge
    assert formula(found.composition) == (
        "H2O" if name != "cp2k_relax.out" else ""
    )  # at its lowest print level CP2K names no atoms
    if found.structure is not None:
        lengths = np.linalg.norm(
            found.structure.positions[1:] - found.structure.positions[0], axis=1
        )
        assert found.structure.symbols == ("O", "H", "H") and np.all(
            (lengths > 0.94) & (lengths < 1.02)
        )


@pytest.mark.parametrize("name", ["pw_stuck.out", "pw_stuck.xml", "qcfail.json"])
def test_runs_that_did_not_converge_give_no_number(name):
    with pytest.raises(FormatError, match=rf"{re.escape(name)}.*self-consistency"):
        read_calculation(HERE / name)
    assert not read_calculation(HERE / name, allow_unconverged=True).scf_converged


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(sorted(FINISHED)), where=st.floats(0, 1, exclude_max=True))
def test_an_output_cut_anywhere_is_refused_or_has_lost_nothing(tmp_path, name, where):
    text = (HERE / name).read_text(encoding="utf-8")
    path = put(tmp_path, name, text[: int(where * len(text))])
    try:
        found = read_calculation(path)
    except FormatError:
        return
    whole = read_calculation(HERE / name)
    assert (
        found.energy_eV == whole.energy_eV
        and found.settings == whole.settings
        and found.composition == whole.composition
    )
    assert found.geometry_converged == whole.geometry_converged and len(
        path.read_text()
    ) > 0.9 * len(text)


def test_every_line_at_which_pw_may_be_killed(tmp_path):
    lines = (HERE / "pw_relax.out").read_text().split("\n")
    end = next(k for k, line in enumerate(lines) if "JOB DONE" in line)
    for k in range(1, end, 3):
        with pytest.raises(FormatError):
            read_calculation(put(tmp_path, "a.out", "\n".join(lines[:k])))


def test_a_continued_run_that_was_killed_is_not_saved_by_the_end_of_the_first(tmp_path):
    text = (HERE / "pw_relax.out").read_text()
    with pytest.raises(FormatError):
        read_calculation(put(tmp_path, "a.out", text + text[: len(text) // 2]))
    assert (
        read_calculation(put(tmp_path, "b.out", text[: len(text) // 2] + text)).energy_eV
        == read_calculation(HERE / "pw_relax.out").energy_eV
    )


def test_steps_that_ran_out_are_no_converged_geometry(tmp_path):
    text = (HERE / "pw_relax.out").read_text()
    stopped = re.sub(
        r" +bfgs converged in.*?\n", "     The maximum number of steps has been reached.\n", text
    )
    assert "End of BFGS Geometry Optimization" in stopped and stopped != text
    assert read_calculation(put(tmp_path, "a.out", stopped)).complaints == (
        "geometry not converged",
    )


def test_a_shortened_output_keeps_its_atoms(tmp_path):
    text = (HERE / "pw_relax.out").read_text()
    short = "\n".join(line for line in text.split("\n") if line.strip() and "G-vectors" not in line)
    short, whole = (
        read_calculation(put(tmp_path, "a.out", short)),
        read_calculation(HERE / "pw_relax.out"),
    )
    assert (
        np.array_equal(short.structure.positions, whole.structure.positions)
        and short.settings == whole.settings
    )


def test_atoms_named_again_in_crystal_coordinates_are_counted_once(tmp_path):
    """`verbosity = 'high'`, and versions up to 5 for small cells, print the table of atoms
    twice."""
    text = (HERE / "pw_charged_kpoints.out").read_text()
    table = re.search(r"( +site n\..*\n)((?: +\d+ +\w+ +tau\(.*\n)+)", text)
    again = table[1].replace("(alat units)", "(cryst. coord.)") + re.sub(
        r"\d\.\d+", "0.2500000", table[2]
    )
    found = read_calculation(
        put(
            tmp_path,
            "a.out",
            text.replace(table[0], f"{table[0]}\n   Crystallographic axes\n\n{again}"),
        )
    )
    whole = read_calculation(HERE / "pw_charged_kpoints.out")
    assert found.composition == whole.composition and found.settings == whole.settings
    assert np.array_equal(found.structure.positions, whole.structure.positions)


def test_the_geometry_is_that_of_the_last_energy_and_not_the_next_one(tmp_path):
    """Where the steps ran out, and in molecular dynamics, the last positions printed are those of
    a step that was not calculated.
    """
    text = (HERE / "pw_relax.out").read_text()
    blocks = [m.start() for m in re.finditer("ATOMIC_POSITIONS", text)]
    third = text.index(
        "!    total energy", blocks[1]
    )  # two steps of the relaxation done, positions for the fourth energy printed
    stopped = (
        text[: text.index("\n\n", blocks[2])]
        + "\n     The maximum number of steps has been reached.\n\n   JOB DONE.\n"
    )
    found = read_calculation(put(tmp_path, "a.out", stopped))
    assert found.complaints == ("geometry not converged",) and found.energy_eV == pytest.approx(
        -34.25171278 * RYDBERG_EV, abs=1e-6
    )
    rows = text[blocks[1] : third].split("\n")[1:4]
    assert found.structure.positions == pytest.approx(
        np.array([[float(x) for x in row.split()[1:4]] for row in rows])
    )
    assert np.array_equal(
        read_calculation(put(tmp_path, "b.out", waves.trim(stopped))).structure.positions,
        found.structure.positions,
    )
    whole = read_calculation(HERE / "pw_relax.out")
    assert np.array_equal(
        read_calculation(put(tmp_path, "c.out", waves.trim(text))).structure.positions,
        whole.structure.positions,
    )


def test_molecular_dynamics_is_no_relaxed_geometry(tmp_path):
    text = (
        (HERE / "pw_relax.out")
        .read_text()
        .replace("bfgs", "x")
        .replace("BFGS Geometry Optimization", "Molecular Dynamics Calculation")
    )
    assert read_calculation(put(tmp_path, "a.out", text)).geometry_converged is False


@pytest.mark.parametrize(
    ("line", "dispersion"),
    [
        (
            "     DFT-D3  stress (kbar)      0.00      0.00      0.00",
            "none",
        ),  # in every table of stresses of some versions
        (
            "     Parameters for DFT-D3 Dispersion Correction:\n     DFT-D3  stress "
            "(kbar)      0.00      0.00      0.00",
            "DFT-D3",
        ),
        ("     Parameters for Dispersion (Grimme-D2) Correction:", "DFT-D2"),
        (
            "     Parameters for Dispersion Correction:\n     Dispersion Correction    "
            " =      -0.02256198 Ry",
            "DFT-D2",
        ),
        ("     TS-vdW initialization\n     Dispersion T-S Correction =      -0.04110649 Ry", "TS"),
        ("* XDM dispersion\n     Dispersion XDM Correction =      -0.03716184 Ry", "XDM"),
    ],
)
def test_dispersion_is_what_was_used(tmp_path, line, dispersion):
    text = re.sub(r".*(DFT-D3|Dispersion).*\n", "", (HERE / "pw_relax.out").read_text())
    at = text.index("     site n.")
    found = read_calculation(put(tmp_path, "a.out", text[:at] + line + "\n" + text[at:]))
    assert found.settings["dispersion"] == dispersion
    # Dispersion by XDM joins the energy after the last iteration, which is then no step of the
    # self-consistency.
    assert (found.scf_step_eV is None) == (dispersion == "XDM")


def test_bands_have_no_energy_and_the_reader_says_where_it_is(tmp_path):
    with pytest.raises(FormatError, match="a calculation of bands"):
        read_calculation(
            put(
                tmp_path,
                "a.out",
                "     Program PWSCF v.6.7\n     Band Structure Calculation\n     JOB DONE.\n",
            )
        )


def test_units_and_geometries_against_ase():
    from ase import units
    from ase.io import read

    assert (
        pytest.approx(units.Hartree, rel=2e-8) == HARTREE_EV
        and pytest.approx(units.Rydberg, rel=2e-8) == RYDBERG_EV
    )
    assert pytest.approx(units.Bohr, rel=1e-8) == BOHR_ANGSTROM
    for name in ("pw_relax.out", "pw_charged_kpoints.out"):
        ours, theirs = read_calculation(HERE / name), read(HERE / name, format="espresso-out")
        assert ours.energy_eV == pytest.approx(theirs.get_potential_energy(), rel=2e-7)
        assert np.allclose(ours.structure.positions, theirs.positions, atol=1e-6) and np.allclose(
            ours.structure.cell, theirs.cell.array, atol=1e-5
        )


def test_text_and_xml_of_one_run_agree():
    text, xml = (read_calculation(HERE / f"pw_charged_kpoints.{kind}") for kind in ("out", "xml"))
    assert text.energy_eV == pytest.approx(xml.energy_eV, abs=1e-6)
    assert np.allclose(
        text.structure.positions, xml.structure.positions, atol=1e-5
    ) and np.allclose(text.structure.cell, xml.structure.cell, atol=1e-3)
    assert text.settings == xml.settings


def test_atoms_of_a_single_point_of_xtb_are_counted_from_its_ranges(tmp_path):
    text = (HERE / "xtb_solvent.out").read_text()
    assert "    2    1 H      2, 3\n" in text
    found = read_calculation(
        put(
            tmp_path,
            "a.out",
            text.replace("    2    1 H      2, 3\n", "    2    1 H      2-5, 7, 9-10\n"),
        )
    )
    assert found.composition == Counter({"O": 1, "H": 7})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"converged": "yes"}, "true or false"),
        ({"converged": None}, "no converged"),
        ({"energy_eV": float("nan")}, "finite"),
        ({"energy_eV": "-1"}, "finite number"),
        ({"energy_eV": True}, "finite number"),
        ({"positions_angstrom": [[0, 0, 0]]}, "three finite coordinates"),
        ({"positions_angstrom": [[0, 0, 0], [0, 0, "x"], [0, 0, 1]]}, "right kind"),
        ({"symbols": ["O", "H", "??"]}, "element"),
        ({"symbols": []}, "three finite coordinates"),
        ({"program": None}, "no program"),
        ({"converged": False}, "self-consistency"),
    ],
)
def test_records_that_do_not_say_what_they_must(tmp_path, change, what):
    record = json.loads((HERE / "pyscf.json").read_text()) | change
    with pytest.raises(FormatError, match=rf"record\.json.*{what}"):
        read_calculation(put(tmp_path, "record.json", json.dumps(record)))


def test_gradients_in_qcschema_have_their_energy_elsewhere(tmp_path):
    data = json.loads((HERE / "qcschema.json").read_text())
    data |= {"driver": "gradient", "return_result": [0.0] * 9}
    assert read_calculation(put(tmp_path, "g.json", json.dumps(data))).energy_eV == pytest.approx(
        FINISHED["qcschema.json"][0]
    )
    data["properties"] = {}
    with pytest.raises(FormatError, match=r"g\.json"):
        read_calculation(put(tmp_path, "g.json", json.dumps(data)))


def test_conformers_of_one_file_are_calculations_and_the_steps_of_a_path_are_not(tmp_path):
    frames = "".join(
        f"1\nProperties=species:S:1:pos:R:3 energy={e} converged=T method=GFN2-xTB\nO 0 0 0\n"
        for e in (-1.0, -3.0, -2.0)
    )
    assert [c.energy_eV for c in read_calculations(put(tmp_path, "a.xyz", frames))] == [
        -1.0,
        -3.0,
        -2.0,
    ]
    assert [
        c.energy_eV
        for c in read_calculations(put(tmp_path, "b.xyz", frames.replace("converged=T ", "")))
    ] == [-2.0]
    put(
        tmp_path,
        "x.xyz",
        "2\nProperties=species:S:1:pos:R:3 energy=-9 converged=T method=GFN2-xTB\nPb 0 "
        "0 0\nO 0 0 2.4\n",
    )
    put(
        tmp_path,
        "pb.xyz",
        "1\nProperties=species:S:1:pos:R:3 energy=-5 converged=T method=GFN2-xTB\nPb 0 0 0\n",
    )
    ((row,), _) = read_table(
        put(tmp_path, "table.csv", "name,complex,parts\nPb O,x.xyz,pb.xyz + a.xyz\n")
    )
    assert row.energy_eV == pytest.approx(-1.0)  # against the lowest conformer


@pytest.mark.parametrize("kind", ["extxyz", "vasp", "cif", "espresso-in"])
def test_what_ase_writes_is_read_back(tmp_path, kind):
    from ase import Atoms
    from ase.io import write

    cell = np.array([[6.0, 0, 0], [1.0, 7.0, 0], [0.5, 0.2, 8.0]])
    atoms = Atoms(
        "PbI2CH",
        scaled_positions=[
            [0.1, 0.2, 0.3],
            [0.6, 0.2, 0.3],
            [0.1, 0.7, 0.3],
            [0.5, 0.5, 0.8],
            [0.55, 0.6, 0.9],
        ],
        cell=cell,
        pbc=True,
    )
    more = (
        {"pseudopotentials": {s: f"{s}.UPF" for s in ("Pb", "I", "C", "H")}}
        if kind == "espresso-in"
        else {}
    )
    stream = io.BytesIO() if kind == "cif" else io.StringIO()
    write(stream, atoms, format=kind, **more)
    text = stream.getvalue() if isinstance(stream, io.StringIO) else stream.getvalue().decode()
    found = read_structure(put(tmp_path, "POSCAR" if kind == "vasp" else f"a.{kind}", text))
    assert found.composition == Counter({"Pb": 1, "I": 2, "C": 1, "H": 1})
    assert np.allclose(np.linalg.norm(found.cell, axis=1), np.linalg.norm(cell, axis=1), atol=1e-4)
    distance = [
        np.sort(np.linalg.norm(p[:, None] - p[None], axis=2).ravel())
        for p in (found.positions, atoms.positions)
    ]
    assert np.allclose(*distance, atol=1e-3)


# ---- what may be subtracted ----------------------------------------------------------------------


def calculation(name, structure, energy_eV=0.0, program="Quantum ESPRESSO", **settings):
    told = {
        "functional": "PBE",
        "dispersion": "DFT-D3",
        "cutoff_eV": 340.142,
        "kpoints": "Gamma",
        "pseudopotential Pb": "Pb.UPF",
        "pseudopotential C": "C.UPF",
    }
    told = {k: v for k, v in (told | settings).items() if v is not None}
    return Calculation(
        Path(name), program, energy_eV, True, None, True, told, structure, structure.composition
    )


def members(root):
    whole, (s, p), (t, q) = adduct(root), sheet(), ligand(root)
    return (
        calculation("both.out", whole),
        calculation("slab.out", Structure(s, p, CELL)),
        calculation("gl.out", Structure(t, q, np.diag([15.0, 16.0, 17.0]))),
    )


def test_a_molecule_may_have_its_own_box_and_a_slab_may_not(root):
    whole, slab, molecule = members(root)
    assert compare(whole, slab) == compare(whole, whole)  # nothing to say
    found = compare(whole, molecule)
    assert not found.differences and "own box of 15.00x16.00x17.00" in found.notes[0]
    assert not compare(
        whole, dataclasses.replace(molecule, structure=Structure(*ligand(root)))
    ).differences  # a molecular code, no cell
    wider = dataclasses.replace(slab, structure=Structure(*sheet(), CELL * [[1.01], [1.01], [1]]))
    assert re.search(
        r"cell is 17\.89x17\.89x30\.00 angstrom in slab\.out, "
        r"17\.71x17\.71x30\.00 angstrom in both\.out",
        compare(whole, wider).differences[0],
    )


def test_k_points_must_agree_for_a_slab_and_need_not_for_a_molecule(root):
    whole, slab, molecule = members(root)
    dense = calculation("both.out", whole.structure, kpoints="4 irreducible k-points")
    assert (
        "kpoints is Gamma in slab.out, 4 irreducible k-points in both.out"
        in compare(dense, slab).differences
    )
    found = compare(dense, molecule)
    assert not found.differences and any("Gamma" in n and "4 irreducible" in n for n in found.notes)


def test_a_number_of_irreducible_points_forbids_nothing(root):
    """Symmetry decides how many are left; where the mesh is not listed, the difference is
    doubtful.
    """
    whole, slab, _ = members(root)
    whole.settings["kpoints"], slab.settings["kpoints"] = (
        "130 irreducible k-points",
        "210 irreducible k-points",
    )
    found = compare(whole, slab)
    assert not found.differences and any("which mesh" in d for d in found.doubts)
    slab.settings["kpoints"] = "4x4x1 k-points"
    whole.settings["kpoints"] = "4x2x1 k-points"
    assert any("kpoints" in d for d in compare(whole, slab).differences)


def test_silence_on_both_sides_is_no_agreement():
    """Two frames of unknown origin: water by one program less water by another is 37 eV."""
    water = Structure(("O", "H", "H"), np.eye(3), None)
    a, b = (
        Calculation(Path(f"{n}.xyz"), "extended XYZ", -1.0, True, None, True, {}, water)
        for n in "ab"
    )
    said = compare(a, b).doubts
    assert any("functional or method" in d for d in said) and any(
        "basis or cutoff" in d for d in said
    )
    for c in (a, b):
        c.settings["method"] = "GFN2-xTB"
    assert not compare(a, b).doubts
    for c in (a, b):
        c.settings["method"] = "PBE-D3/def2-SVP"
    assert not compare(a, b).doubts
    for c in (a, b):
        del c.settings["method"]
        c.settings.update(functional="PBE", cutoff_eV=400.0)
    assert compare(a, b).doubts == ("neither a.xyz nor b.xyz states its dispersion",)


def atoms(symbols, spin, **settings):
    """Atoms in a wide box, an Angstrom apart."""
    at = np.array([[0.0, 0, 0.8 * k] for k in range(len(symbols))]) + 5
    structure = Structure(tuple(symbols), at, np.eye(3) * 12)
    name = "".join(symbols) + f"-{spin}.out"
    settings = {
        "functional": "PBE",
        "dispersion": "none",
        "cutoff_eV": 400.0,
        "spin": spin,
    } | settings
    electrons = len([s for s in symbols if s == "H"])
    return Calculation(
        Path(name), "Quantum ESPRESSO", -1.0, True, None, True,
        settings | {"electrons": electrons}, structure, structure.composition,
    )  # fmt: skip


def test_an_atom_with_an_odd_number_of_electrons_needs_spin():
    """Hydrogen from two atoms: 6.6 eV without spin, 4.5 eV with it in the atom."""
    molecule = atoms("HH", "none")
    found = compare(molecule, atoms("H", "none"))
    assert found.differences == (
        "H-none.out has an odd number of electrons and no spin polarisation",
    )
    found = compare(molecule, atoms("H", "polarised"))
    assert not found.differences and not found.doubts and any("spin" in n for n in found.notes)
    # a metal with an odd number of electrons in its cell has bands that fill both ways
    metal = dataclasses.replace(
        atoms("H", "none"), structure=Structure(("H",), np.zeros((1, 3)), np.eye(3) * 2.5)
    )
    assert not any("odd" in d for d in compare(metal, metal).differences)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("functional", "PBESOL"),
        ("dispersion", "none"),
        ("cutoff_eV", 408.17),
        ("density_cutoff_eV", 2000.0),
        ("pseudopotential C", "C.other.UPF"),
        ("medium", "water (ALPB)"),
        ("exact_exchange", "0.25, 1 q-points"),
        ("spin_orbit", "yes"),
        ("precision", "low"),
    ],
)
def test_settings_that_forbid_a_difference(root, setting, value):
    whole, _, molecule = members(root)
    whole.settings.update(
        {
            "density_cutoff_eV": 2721.1,
            "exact_exchange": "none",
            "spin_orbit": "no",
            "precision": "accura",
        }
    )
    found = compare(
        whole,
        calculation("gl.out", molecule.structure, **{"density_cutoff_eV": 2721.1, setting: value}),
    )
    assert (
        len(found.differences) == 1
        and setting in found.differences[0]
        and "gl.out" in found.differences[0]
        and "both.out" in found.differences[0]
    )


def test_potentials_of_elements_that_are_not_shared_do_not_matter_and_silence_is_noted(root):
    whole, _, molecule = members(root)
    without = calculation("gl.out", molecule.structure, **{"pseudopotential Pb": None})
    assert not compare(whole, without).differences
    silent = compare(whole, calculation("gl.out", molecule.structure, functional=None))
    assert not silent.differences and "gl.out does not state functional" in silent.doubts
    assert (
        "program"
        in compare(
            whole, calculation("gl.xyz", molecule.structure, program="tblite 0.8.0")
        ).differences[0]
    )


@pytest.mark.parametrize(
    ("setting", "of_whole", "of_part"),
    [
        ("occupations", "gaussian 0.01 Ry", "fixed"),
        ("field", "dipole correction", "none"),
        ("isolation", "none", "Martyna-Tuckerman"),
    ],
)
def test_a_molecule_may_have_its_own_occupations_and_corrections_and_a_slab_may_not(
    root, setting, of_whole, of_part
):
    whole, slab, molecule = members(root)
    whole.settings[setting] = of_whole
    other_slab, other_molecule = (
        calculation(c.path.name, c.structure, **{setting: of_part}) for c in (slab, molecule)
    )
    assert any(setting in d for d in compare(whole, other_slab).differences)
    found = compare(whole, other_molecule)
    assert not found.differences and any(setting in n for n in found.notes)
    # Two starts of one molecule must be alike, and so must a molecule and its halves.
    assert compare(
        other_molecule,
        calculation("x.out", molecule.structure, **{setting: of_whole}),
        same_system=True,
    ).differences
    assert compare(
        calculation("x.out", molecule.structure, **{setting: of_whole}), other_molecule
    ).differences


def test_spin_of_a_surface_is_doubtful_and_of_a_molecule_its_own_affair(root):
    whole, slab, molecule = members(root)
    whole.settings["spin"] = "none"
    doubtful = compare(whole, calculation("slab.out", slab.structure, spin="polarised"))
    assert not doubtful.differences and any("spin" in d for d in doubtful.doubts)
    assert not compare(whole, calculation("gl.out", molecule.structure, spin="polarised")).doubts


def test_hubbard_u_counts_where_its_element_is(root):
    whole, slab, molecule = members(root)
    whole.settings["Hubbard Pb"] = "4 eV"
    assert "Hubbard Pb is none in slab.out, 4 eV in both.out" in compare(whole, slab).differences
    assert not compare(whole, molecule).differences


#: Settings of real outputs of pw.x 6.7 and VASP, by what stands in the text.
SAID = {
    "occupations": (
        "     number of k points=     1  Marzari-Vanderbilt smearing, width (Ry)=  0.0500",
        "marzari-vanderbilt 0.05 Ry",
    ),
    "spin_orbit": ("     Noncollinear calculation with spin-orbit", "yes"),
    "isolation": ("     Assuming isolated system, Martyna-Tuckerman method", "Martyna-Tuckerman"),
    "field": ("     Adding external electric field", "external"),
    "exact_exchange": (
        "     EXX-fraction              =        0.25\n  EXX: setup a grid of 8 "
        "q-points centered on each k-point",
        "0.25, 8 q-points",
    ),
    "Hubbard Fe": (
        "     Simplified LDA+U calculation (l_max = 2) with parameters (eV):\n     "
        "atomic species    L          U    alpha       J0     beta\n        Fe1        "
        "    2     4.3000   0.0000   0.0000   0.0000\n\n",
        "4.3 eV",
    ),
}


@pytest.mark.parametrize("setting", SAID)
def test_what_was_turned_on_is_read(tmp_path, setting):
    line, value = SAID[setting]
    text = (HERE / "pw_relax.out").read_text()
    if setting == "occupations":
        text = re.sub(r"     number of k points=.*", line, text)
    else:
        at = text.index("     site n.")
        text = text[:at] + line + "\n" + text[at:]
    found = read_calculation(put(tmp_path, "a.out", text))
    plain = read_calculation(HERE / "pw_relax.out")
    assert found.settings[setting] == value and plain.settings.get(setting) != value
    assert {k: v for k, v in found.settings.items() if k not in (setting, "spin")} == {
        k: v for k, v in plain.settings.items() if k not in (setting, "spin")
    }


def test_radii_are_those_of_the_table():
    from ase.data import chemical_symbols, covalent_radii

    assert {
        s: pytest.approx(float(covalent_radii[chemical_symbols.index(s)])) for s in bonding.COVALENT
    } == bonding.COVALENT


@pytest.mark.parametrize(
    ("metal", "halide", "length"),
    [
        ("Sn", "I", 3.11),
        ("Sn", "Br", 2.90),
        ("Ge", "I", 2.98),
        ("Pb", "Cl", 2.86),
        ("Bi", "I", 3.07),
    ],
)
def test_surfaces_of_other_perovskites_are_no_molecules(metal, halide, length):
    s, p = sheet()
    scale = length / (0.25 * 8.855 * 2**0.5)
    names = tuple({"Pb": metal, "I": halide}[x] for x in s)
    assert not bonding.isolated(
        Structure(names, p * [scale, scale, 1], CELL * [[scale], [scale], [1]])
    )


def test_ions_without_bonds_that_fill_their_cell_are_no_molecule():
    at = np.array([[0.0, 0, 0], [2.1, 2.1, 2.1]])
    assert not bonding.isolated(Structure(("Cs", "I"), at, 4.2 * np.eye(3)))


def test_what_is_isolated(root):
    (s, p), (t, q) = sheet(), ligand(root)
    assert not bonding.isolated(Structure(s, p, CELL)) and not bonding.isolated(adduct(root))
    assert bonding.isolated(Structure(t, q, np.diag([15.0, 16, 17])))
    assert bonding.isolated(
        Structure(t, q % 15.0, np.diag([15.0, 15, 15]))
    )  # cut by the faces, but still one molecule
    chain = Structure(("Pb", "I"), np.array([[0.0, 0, 0], [3.1, 0, 0]]), np.diag([6.2, 20, 20]))
    assert not bonding.isolated(chain)  # bound to its own image through one atom and two faces


def test_starts_of_mixed_settings_are_refused_and_unrelaxed_ones_need_a_word(tmp_path):
    def xyz(name, energy, body, extra="converged=T"):
        put(
            tmp_path,
            name,
            f"{body.count(chr(10)) + 1}\nProperties=species:S:1:pos:R:3 energy={energy} "
            f"method=GFN2-xTB {extra}\n{body}\n",
        )

    xyz("pb.xyz", -5, "Pb 0 0 0")
    xyz("o.xyz", -1, "O 0 0 0")
    xyz("a0.xyz", -7, "Pb 0 0 0\nO 0 0 2.4")
    xyz("a1.xyz", -8, "Pb 0 0 0\nO 0 0 2.4", "converged=T functional=PBE")
    xyz("b.xyz", -9, "Pb 0 0 0\nO 0 0 2.4", "converged=F")
    put(
        tmp_path,
        "table.csv",
        "name,complex,parts,accept\nmixed,a*.xyz,pb.xyz + o.xyz,\nraw,b.xyz,pb.xyz + "
        "o.xyz,\ntaken,b.xyz,pb.xyz + o.xyz,geometry\n",
    )
    put(tmp_path, "a2.xyz", (tmp_path / "a0.xyz").read_text().replace("GFN2", "GFN1"))
    (taken,), refused = read_table(tmp_path / "table.csv")
    assert (
        "method is GFN1-xTB in a2.xyz, GFN2-xTB in a0.xyz" in refused["mixed"]
        and "geometry not converged" in refused["raw"]
    )
    assert taken.energy_eV == pytest.approx(-3.0) and any(
        "geometry not converged" in n for n in taken.notes
    )


def test_a_file_of_several_media_gives_the_one_of_the_complex(tmp_path):
    comment = "Properties=species:S:1:pos:R:3 method=GFN2-xTB converged=T"
    put(
        tmp_path,
        "ion.xyz",
        "".join(
            f"1\n{comment} medium={m} energy={e}\nPb 0 0 0\n"
            for m, e in (("vacuum", -5), ("water", -8))
        ),
    )
    put(tmp_path, "o.xyz", f"1\n{comment} medium=vacuum energy=-1\nO 0 0 0\n")
    put(tmp_path, "both.xyz", f"2\n{comment} medium=vacuum energy=-7\nPb 0 0 0\nO 0 0 2.4\n")
    put(tmp_path, "alcohol.xyz", f"2\n{comment} medium=ethanol energy=-7\nPb 0 0 0\nO 0 0 2.4\n")
    put(
        tmp_path,
        "table.csv",
        "name,complex,parts\ngas,both.xyz,ion.xyz + o.xyz\nalcohol,alcohol.xyz,ion.xyz + o.xyz\n",
    )
    (gas,), refused = read_table(tmp_path / "table.csv")
    assert gas.energy_eV == pytest.approx(-1.0) and "medium" in refused["alcohol"]


def test_a_start_that_cannot_be_read_is_left_out_and_named(tmp_path):
    text = (HERE / "pw_relax.out").read_text()
    for k, cut in enumerate((len(text), len(text) // 4)):
        put(tmp_path, f"a{k}.out", text[:cut])
    put(tmp_path, "b.out", text)
    put(tmp_path, "table.csv", "name,complex,parts\nnothing,a*.out,b.out\n")
    ((row,), _) = read_table(tmp_path / "table.csv")
    assert (
        row.energy_eV == 0.0
        and row.unconverged == 1
        and len(row.starts_eV) == 1
        and any("a1.out" in n for n in row.notes)
    )


@pytest.mark.parametrize(
    ("ligand_ecp", "lead_ecp", "fine"),
    [("none", "def2", True), ("def2", "def2", True), ("none", "none", False)],
)
def test_a_core_potential_is_only_asked_of_what_has_cores(tmp_path, ligand_ecp, lead_ecp, fine):
    def record(name, symbols, ecp, energy):
        data = {
            "program": "PySCF",
            "version": "2",
            "method": "DFT",
            "functional": "PBE",
            "dispersion": "D3(BJ)",
            "basis": "def2-svp",
            "ecp": ecp,
            "density_fitting": True,
        }
        data |= {
            "medium": "vacuum",
            "charge": 0,
            "spin": 0,
            "energy_eV": energy,
            "converged": True,
            "symbols": symbols,
        }
        data |= {"positions_angstrom": [[3.0 * k, 0, 0] for k in range(len(symbols))]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))

    record("both", ["Pb", "O"], "def2", -30.0)
    record("lead", ["Pb"], lead_ecp, -20.0)
    record("ligand", ["O"], ligand_ecp, -9.0)
    (tmp_path / "table.csv").write_text(
        "name,complex,parts\nPb,both.json,lead.json + ligand.json\n"
    )
    rows, refused = read_table(tmp_path / "table.csv")
    assert (len(rows) == 1) is fine and (fine or "ecp" in refused["Pb"])
