"""Conformers of ligands and lead complexes: what is kept is whole and balances, and the search can tell substances apart."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from hassan2021.recompute import lead, molecules
from hassan2021.recompute.molecules import Frame

KEPT_MOLECULES = [
    name for name in molecules.SMILES if molecules.charge_of(molecules.SMILES[name]) >= 0
]
LIGANDS = {ligand.name: ligand for ligand in lead.LIGANDS}


def frames_of(system):
    return molecules.read_frames(lead.geometry_file(system))


@pytest.fixture(scope="module")
def records():
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted((lead.HERE / "pbe").glob("*.json"))
    }


# ---- telling substances apart -------------------------------------------------------------------------------------------------

#: Acetic acid, relaxed: C C O(=) O(H) H H H H.
ACID = ("C", "C", "O", "O", "H", "H", "H", "H")


@pytest.fixture
def acid():
    return molecules.read_frames(molecules.FOLDER / "molecules" / "acetic_acid.xyz")[0]


def hydroxyl(acid):
    """(hydrogen, its oxygen, the other oxygen)."""
    edges = molecules.bonds(acid.symbols, acid.positions)
    h, o = next((max(e), min(e)) for e in edges if {acid.symbols[k] for k in e} == {"O", "H"})
    return h, o, next(k for k, s in enumerate(acid.symbols) if s == "O" and k != o)


def test_acetic_acid_has_seven_bonds(acid):
    assert Counter(acid.symbols) == Counter(ACID)
    assert len(molecules.bonds(acid.symbols, acid.positions)) == 7


def test_proton_on_the_other_oxygen_of_the_same_acid_is_the_same_substance(acid):
    _, o, other = hydroxyl(acid)
    swapped = acid.positions.copy()
    swapped[[o, other]] = swapped[[other, o]]
    before, after = (molecules.bonds(acid.symbols, p) for p in (acid.positions, swapped))
    assert before != after
    assert molecules.graph_key(acid.symbols, before) == molecules.graph_key(acid.symbols, after)


def test_a_moved_proton_is_another_substance(acid):
    h, _, _ = hydroxyl(acid)
    carbon = next(
        k
        for k in range(len(acid.symbols))
        if acid.symbols[k] == "C" and not {"O"} & {acid.symbols[j] for j in neighbours(acid, k)}
    )
    moved = acid.positions.copy()
    away = acid.positions[carbon] - acid.positions.mean(axis=0)
    moved[h] = acid.positions[carbon] + 1.1 * away / np.linalg.norm(away)
    keys = {
        molecules.graph_key(acid.symbols, molecules.bonds(acid.symbols, p))
        for p in (acid.positions, moved)
    }
    assert len(keys) == 2


def neighbours(frame, k):
    return [
        j if i == k else i
        for i, j in molecules.bonds(frame.symbols, frame.positions)
        if k in (i, j)
    ]


def test_a_hydrogen_bond_is_no_bond():
    symbols = ("O", "H", "H", "O", "H", "H")
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    for gap in (1.6, 1.4):  # from the first water's proton to the second oxygen
        second = water @ np.diag([1, 1, -1]) + [0.96 + gap, 0, 0]
        second[1:] = second[0] + [[0.24, 0.66, 0.66], [0.24, -0.66, 0.66]]
        assert molecules.bonds(symbols, np.vstack([water, second])) == {
            (0, 1),
            (0, 2),
            (3, 4),
            (3, 5),
        }


def test_the_mirror_image_has_the_other_hand():
    at = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0], [-1, -1, -1]])
    centres = [(0, 1, 2, 3)]
    mirrored = at * [1, 1, -1]
    assert molecules.handedness("CCCCC", at, centres) != molecules.handedness(
        "CCCCC", mirrored, centres
    )


def test_distinct_keeps_the_lowest_of_like_frames_and_all_unlike_ones(acid):
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    twin = Frame(acid.symbols, acid.positions @ turn + 5, energy_eV=acid.energy_eV + 0.001)
    stretched = Frame(acid.symbols, acid.positions * 1.3, energy_eV=acid.energy_eV + 0.002)
    assert molecules.distinct([twin, stretched, acid]) == [acid, stretched]


def test_frames_survive_their_file(tmp_path, acid):
    there = Frame(acid.symbols, acid.positions, -1, -12.5, "GFN2-xTB", True, 7, 0.0123, "water")
    molecules.write_frames(tmp_path / "f.xyz", [there, acid], program="a; b 1")
    back = molecules.read_frames(tmp_path / "f.xyz")
    assert len(back) == 2 and np.array_equal(back[0].positions, np.round(there.positions, 8))
    assert (
        back[0].charge,
        back[0].energy_eV,
        back[0].steps,
        back[0].max_force,
        back[0].medium,
        back[0].converged,
    ) == (-1, -12.5, 7, 0.0123, "water", True)


def test_the_pocket_touches_donors_and_nothing_else():
    frame = frames_of("edta")[0]
    site = lead.pocket(frame.symbols, frame.positions, np.random.default_rng(1))
    distances = np.linalg.norm(frame.positions - site, axis=1)
    nearest_donor = distances[[s in lead.DONORS for s in frame.symbols]].min()
    assert distances.min() > 2.0 and nearest_donor < 3.5


@pytest.mark.parametrize("name", ["edta_2-", "edta_4-", "glutathione_2-", "glutathione_3-"])
def test_a_neutral_complex_without_protons_is_the_anions(name):
    pytest.importorskip("rdkit")
    whole = frames_of(f"{name.split('_')[0]}_on_lead_ion")[0]
    bare = lead.deprotonated(whole, name)
    substance, _ = molecules.embedded(molecules.SMILES[name], 2)
    lost = -molecules.charge_of(molecules.SMILES[name])
    assert (
        Counter(whole.symbols) - Counter(bare.symbols) == Counter(H=lost)
        and bare.charge == whole.charge - lost
    )
    assert bare.symbols[1:] == substance.symbols and substance.holds(bare.positions[1:])
    with pytest.raises(ValueError, match="heavy atoms"):
        lead.deprotonated(whole, "edta_2-" if name.startswith("glutathione") else "glutathione_2-")


def test_unlike_frames_leave_out_twins(acid):
    twin, other, third = (Frame(acid.symbols, acid.positions * c) for c in (1.0001, 1.5, 2.0))
    assert lead.unlike([acid, twin, other, third], 3) == [0, 2, 3]
    assert lead.unlike([acid, twin, other, third], 2) == [0, 2]
    assert lead.unlike([acid, twin], 5) == [0]


# ---- what is kept -------------------------------------------------------------------------------------------------------------


def kept_systems():
    free = [name for ligand in lead.LIGANDS for name in ligand.free]
    return [
        s
        for s in (*KEPT_MOLECULES, *free, *(x.complex for x in lead.LIGANDS))
        if kept_file(s).exists()
    ]


def kept_file(system):
    return (
        molecules.FOLDER / "molecules" / f"{system}.xyz"
        if system in KEPT_MOLECULES
        else lead.geometry_file(system)
    )


@pytest.mark.parametrize("system", sorted(set(kept_systems())))
def test_kept_geometries_are_relaxed_whole_and_in_order(system):
    path = kept_file(system)
    for file in (path, path.with_suffix(".gfn1.xyz")):
        if not file.exists():
            continue
        frames = molecules.read_frames(file)
        assert all(f.converged and f.max_force <= molecules.FORCE_LIMIT for f in frames)
        energies = [f.energy_eV for f in frames]
        assert energies == sorted(energies) and energies[-1] - energies[0] < 2.5
        for f in frames:
            distances = np.linalg.norm(
                f.positions[:, None] - f.positions[None], axis=2
            ) + 9 * np.eye(len(f.symbols))
            assert distances.min() > 0.9
            if "Pb" in f.symbols:
                assert distances[f.symbols.index("Pb")].min() > 1.9
                assert lead.denticity(f) >= 2


@pytest.mark.parametrize(
    "ligand",
    [
        x
        for x in lead.LIGANDS
        if lead.geometry_file(x.complex).exists() and lead.geometry_file(x.name).exists()
    ],
    ids=lambda x: x.name,
)
def test_complexes_are_lead_and_the_intact_ligand(ligand):
    charge = molecules.charge_of(molecules.SMILES[ligand.name])
    free = frames_of(ligand.name)[0]
    key = molecules.graph_key(free.symbols, molecules.bonds(free.symbols, free.positions))
    assert free.charge == charge
    for f in frames_of(ligand.complex):
        assert Counter(f.symbols) - Counter(free.symbols) == Counter(Pb=1)
        assert f.charge == charge + 2 and f.medium == ligand.medium
        assert molecules.graph_key(f.symbols, molecules.bonds(f.symbols, f.positions)) == key


def test_forms_of_a_ligand_are_tautomers():
    for ligand in lead.LIGANDS:
        found = [frames_of(name)[0] for name in ligand.free if lead.geometry_file(name).exists()]
        assert len({(f.charge, tuple(sorted(f.symbols))) for f in found}) <= 1
        assert len(
            {molecules.graph_key(f.symbols, molecules.bonds(f.symbols, f.positions)) for f in found}
        ) == len(found)


def test_records_say_what_was_calculated(records):
    assert {"lead_ion-0.def2-svp.vacuum", "edta_on_lead_ion-0.def2-svp.vacuum"} <= set(records)
    for name, r in records.items():
        assert (
            r["converged"]
            and r["functional"] == "PBE"
            and r["density_fitting"]
            and np.isfinite(r["energy_eV"])
        ), name
        assert (
            name
            == f"{r['system']}-{r['conformer']}{'' if r['part'] == 'whole' else '.' + r['part']}.{r['basis']}.{r['medium'].split()[0]}"
        )
        real = [s for k, s in enumerate(r["symbols"]) if k not in r["ghost_atoms"]]
        assert (r["ecp"] == "none") == ("Pb" not in real), name
        assert r["dispersion"] == ("D3(BJ)" if r["part"] == "whole" else "none"), name
        if r["system"] == "lead_ion":
            assert r["charge"] == 2
            continue
        frame = frames_of(r["system"])[r["conformer"]]
        if len(r["symbols"]) == len(frame.symbols):
            assert np.allclose(r["positions_angstrom"], frame.positions, atol=1e-7), name
        expected = {"whole": frame.charge, "lead+ghost": 2}.get(r["part"], frame.charge - 2)
        assert r["charge"] == expected, name


def test_a_larger_basis_and_a_solvent_lower_the_energy(records):
    for name, r in records.items():
        stem = name.split(".def2-")[0]
        if (
            larger := records.get(name.replace("def2-svp", "def2-tzvp"))
            if r["basis"] == "def2-svp"
            else None
        ):
            assert larger["energy_eV"] < r["energy_eV"], name
        vacuum = records.get(f"{stem}.{r['basis']}.vacuum")
        if r["medium"] != "vacuum" and vacuum:
            assert r["energy_eV"] < vacuum["energy_eV"], name


def test_ghost_functions_lower_a_fragment(records):
    for name, r in records.items():
        if r["part"].endswith("+ghost"):
            alone = records[
                "lead_ion-0.def2-svp.vacuum".replace("def2-svp", r["basis"])
                if r["part"].startswith("lead")
                else name.replace("+ghost", "")
            ]
            assert 0 < alone["energy_eV"] - r["energy_eV"] < 1.0, name


def test_lead_is_bound_in_every_model(records):
    for ligand in ("edta", "glutathione"):
        for suffix in (".xyz", ".gfn1.xyz"):
            free, whole, ion = (
                molecules.read_frames(lead.geometry_file(s).with_suffix(suffix))[0].energy_eV
                for s in (ligand, f"{ligand}_on_lead_ion", "lead_ion")
            )
            assert -20 < whole - free - ion < -5
        lowest = {
            s: min(
                r["energy_eV"]
                for r in records.values()
                if (r["system"], r["basis"], r["medium"], r["part"])
                == (s, "def2-svp", "vacuum", "whole")
            )
            for s in (ligand, f"{ligand}_on_lead_ion", "lead_ion")
        }
        assert -20 < lowest[f"{ligand}_on_lead_ion"] - lowest[ligand] - lowest["lead_ion"] < -5


def test_solvation_starts_from_the_kept_energies():
    kept = json.loads((lead.HERE / "solvation.json").read_text())
    assert {r["medium"] for r in kept["rows"]} == {"vacuum", "water", "dmso"}
    for r in kept["rows"]:
        same = {
            x["medium"]: x["energy_eV"]
            for x in kept["rows"]
            if (x["system"], x["conformer"]) == (r["system"], r["conformer"])
        }
        assert same["vacuum"] == pytest.approx(
            frames_of(r["system"])[r["conformer"]].energy_eV, abs=1e-6
        )
        assert same["water"] < same["vacuum"] and same["dmso"] < same["vacuum"]


def test_the_larger_basis_is_asked_for_the_lowest_only(tmp_path, monkeypatch, records):
    first = [
        p
        for p in lead.points()
        if p.system == "edta_on_lead_ion"
        and p.basis == lead.TZVP
        and p.medium == lead.VACUUM
        and not p.part
    ]
    energies = {
        r["conformer"]: r["energy_eV"]
        for r in records.values()
        if r["system"] == "edta_on_lead_ion"
        and r["basis"] == lead.SVP
        and r["medium"] == "vacuum"
        and r["part"] == "whole"
    }
    assert [p.frame for p in first] == sorted(energies, key=energies.get)[: lead.BEST]
    shutil.copytree(
        lead.HERE, tmp_path / "lead", ignore=lambda folder, names: [n for n in names if n == "pbe"]
    )
    monkeypatch.setattr(lead, "HERE", tmp_path / "lead")
    assert {p.basis for p in lead.points() if p.system == "edta_on_lead_ion"} == {lead.SVP}


# ---- again from scratch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["methylamine", "acetic_acid"])
def test_tight_binding_gives_the_kept_energy_again(name):
    pytest.importorskip("tblite")
    pytest.importorskip("ase")
    for file, method in ((f"{name}.xyz", "GFN2-xTB"), (f"{name}.gfn1.xyz", "GFN1-xTB")):
        kept = molecules.read_frames(molecules.FOLDER / "molecules" / file)[0]
        again = molecules.quench(kept, method, steps=0)
        assert again.energy_eV == pytest.approx(kept.energy_eV, abs=1e-6)
        assert again.max_force == pytest.approx(kept.max_force, abs=2e-4)


def test_pbe_gives_the_kept_lead_ion_again(records):
    pytest.importorskip("pyscf")
    again = lead.pbe(lead.lead_ion(), lead.SVP)
    assert again["energy_eV"] == pytest.approx(
        records["lead_ion-0.def2-svp.vacuum"]["energy_eV"], abs=1e-6
    )


def test_stored_integrals_change_nothing_of_pyscfs_own_solvent():
    pytest.importorskip("pyscf")
    from pyscf import dft, gto

    from hassan2021.recompute.solvent import stored_pcm

    molecule = gto.M(
        atom="O 0 0 0; H 0.96 0 0; H -0.24 0.93 0", basis="def2-svp", charge=0, verbose=0
    )
    field = dft.RKS(molecule, xc="pbe").density_fit()
    field.grids.level, field.conv_tol = 0, 1e-10
    own = field.PCM()
    own.with_solvent.method, own.with_solvent.eps, own.with_solvent.lebedev_order = (
        "IEF-PCM",
        46.826,
        11,
    )
    ours = stored_pcm(field, 46.826, surface_order=11)
    assert ours.kernel() == pytest.approx(own.kernel(), abs=1e-9)
    assert ours.with_solvent.v == pytest.approx(own.with_solvent.v, abs=1e-7)
    # Born: the charge of an ion in the middle of its sphere is screened by the whole of it, -(1 - 1/eps) q^2 / 2R less IEF's small volume term.
    ion = gto.M(atom="Na 0 0 0", basis="def2-svp", charge=1, verbose=0)
    bare = dft.RKS(ion, xc="pbe").density_fit()
    wet = stored_pcm(dft.RKS(ion, xc="pbe").density_fit(), 78.355, surface_order=17)
    radius = np.linalg.norm(
        (wet.kernel(), wet.with_solvent.surface["grid_coords"])[1], axis=1
    ).mean()
    assert wet.e_tot - bare.kernel() == pytest.approx(-(1 - 1 / 78.355) / (2 * radius), rel=0.02)


def test_every_smiles_has_its_charge_and_survives_embedding():
    chem = pytest.importorskip("rdkit.Chem")
    for smiles in molecules.SMILES.values():
        assert molecules.charge_of(smiles) == chem.GetFormalCharge(chem.MolFromSmiles(smiles))
    substance, poses = molecules.embedded(molecules.SMILES["glutathione"], 3)
    assert all(substance.holds(p) for p in poses)
    assert not substance.holds(poses[0] * [1, 1, -1])
