"""Convergence of the plane-wave cutoff: PbI2, small molecules and their adducts in a box, against PySCF in the same geometry.

Geometries come from GFN2-xTB and stay fixed, so that only the electronic-structure method changes. Binding energies are
those of the adduct against the relaxed parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hassan2021.recompute import pseudopotentials
from hassan2021.recompute.espresso import GROUP, Settings, boxed, run
from hassan2021.recompute.jobs import Job
from hassan2021.recompute.molecules import HARTREE_EV, SMILES
from ledger.files import write_atomically
from peled.formats.atomistic import read_calculation
from peled.formats.atomistic.structures import Structure, read_structure

BOX = GROUP / "box"
GEOMETRIES = BOX / "geometries"
SALT = "lead_iodide"
#: Side of the cubic cell, angstrom: more than 5 angstrom between an adduct and its images; the other tells what is missing.
SIDE, LARGER = 11.0, 14.0
#: Molecules and the element that binds to lead, in order of their importance for the convergence.
DONOR = {
    "methylamine": "N",
    "acetic_acid": "O",
    "acetamide": "O",
    "n_methylacetamide": "O",
    "methanethiol": "S",
    "trimethylamine": "N",
    "dimethyl_ether": "O",
}
FULL = ("methylamine", "acetic_acid")
#: Wave-function and density cutoffs, Ry: the paper's and three above, in the paper's ratio.
CUTOFFS = ((25, 200), (30, 240), (45, 360), (60, 480))
POSES, SEED = 8, 1
BASIS = "def2-tzvp"
#: The smallest run there is, a few seconds: hydrogen with a bond of 0.75 angstrom in a cube of 6. Tests repeat it.
SMALL = Structure(("H", "H"), np.array([[0.0, 0, 0], [0, 0, 0.75]]), np.eye(3) * 6.0)
#: Pb-I lengths (angstrom) and I-Pb-I angle at which both programs are compared; the minimum is that of the parabola.
LENGTHS, ANGLE_DEG = (2.74, 2.82, 2.90), 98.0


def adduct(molecule: str) -> str:
    return f"{molecule}_on_{SALT}"


def label(molecule: str) -> str:
    return molecule.replace("_", " ").replace("n methyl", "N-methyl")


# ---- geometries --------------------------------------------------------------------------------------------------------


def _write_geometries(scratch: Path) -> None:
    """PbI2, the molecules, and of each adduct the lowest of `POSES` starts around the open side of lead, relaxed with GFN2-xTB to 0.01 eV/angstrom."""
    from ase import Atoms
    from rdkit import Chem
    from rdkit.Chem import AllChem

    generator = np.random.default_rng(SEED)
    salt = Atoms("PbI2", [(0, 0, 0), (2.0, 1.9, 0), (-2.0, 1.9, 0)])
    _keep(SALT, salt, _relax(salt), 1)
    for name, donor in DONOR.items():
        drawn = Chem.AddHs(Chem.MolFromSmiles(SMILES[name]))
        AllChem.EmbedMolecule(drawn, randomSeed=7)
        AllChem.MMFFOptimizeMolecule(drawn)
        molecule = Atoms(
            [a.GetSymbol() for a in drawn.GetAtoms()], drawn.GetConformer().GetPositions()
        )
        _keep(name, molecule, _relax(molecule), 1)
        binding = min(
            (a for a in drawn.GetAtoms() if a.GetSymbol() == donor), key=lambda a: a.GetDegree()
        ).GetIdx()
        found = []
        for pose in range(POSES):
            start = salt.copy() + _placed(molecule, binding, pose, generator)
            if (energy := _relax(start)) is not None:
                found.append((energy, pose, start))
        energy, _, best = min(found, key=lambda f: f[:2])
        _keep(adduct(name), best, energy, len(found))


def _relax(atoms) -> float | None:
    from ase.optimize import LBFGS
    from tblite.ase import TBLite

    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    return (
        atoms.get_potential_energy()
        if LBFGS(atoms, logfile=None).run(fmax=0.01, steps=600)
        else None
    )


def _placed(molecule, donor: int, pose: int, generator: np.random.Generator):
    """The molecule with its donor 2.6 angstrom from lead, on the side away from the iodides, turned at random."""
    from scipy.spatial.transform import Rotation

    placed = molecule.copy()
    placed.calc = None
    placed.translate(-placed.positions[donor])
    direction = np.array([0, -1, 0]) + 0.6 * generator.normal(size=3)
    direction /= np.linalg.norm(direction)
    rest = np.delete(placed.positions, donor, 0).mean(0)
    placed.positions = Rotation.align_vectors([direction], [rest])[0].apply(placed.positions)
    placed.positions = Rotation.from_rotvec(direction * generator.uniform(0, 2 * np.pi)).apply(
        placed.positions
    )
    side = np.array([0, -0.7, 0.7 if pose % 2 else 0.2])
    placed.translate(2.6 * side / np.linalg.norm(side))
    return placed


def _keep(name: str, atoms, energy_eV: float | None, starts: int) -> None:
    if energy_eV is None:
        raise RuntimeError(f"{name}: GFN2-xTB did not relax to 0.01 eV/angstrom in 600 steps")
    comment = f"energy={energy_eV:.6f} method=GFN2-xTB charge=0 converged=T starts={starts}"
    write_atomically(
        GEOMETRIES / f"{name}.xyz", _xyz(atoms.get_chemical_symbols(), atoms.positions, comment)
    )


def _xyz(symbols: Sequence[str], positions: np.ndarray, comment: str) -> str:
    rows = [
        f"{s:2} " + " ".join(f"{x:13.8f}" for x in at)
        for s, at in zip(symbols, positions, strict=True)
    ]
    return "\n".join([str(len(rows)), f"Properties=species:S:1:pos:R:3 {comment}", *rows]) + "\n"


def geometry(name: str) -> Structure:
    return read_structure(GEOMETRIES / f"{name}.xyz")


# ---- energies ----------------------------------------------------------------------------------------------------------


def _run_in_box(scratch: Path, *, name: str, settings: Settings, side: float, target: Path) -> None:
    twins = [
        BOX / replace(settings, potentials=other).name / f"{name}.out"
        for other in pseudopotentials.SETS
        if other != settings.potentials
    ]
    if name == SALT and side == SIDE and (done := [path for path in twins if path.exists()]):
        write_atomically(target, done[0].read_text())  # lead and iodine are the same in both sets
        return
    text = run(
        boxed(geometry(name), np.eye(3) * side), settings, scratch, title=f"{name} {settings.name}"
    )
    write_atomically(target, text)


def _run_small(scratch: Path, *, target: Path) -> None:
    write_atomically(
        target, run(boxed(SMALL, SMALL.cell), Settings(), scratch, title="hydrogen, small")
    )


def _run_pyscf(scratch: Path, *, name: str, target: Path) -> None:
    from pyscf import __version__

    atoms = geometry(name)
    energy, extra = _pyscf_energies(atoms)
    comment = (
        f"energy={energy + extra['d3zero']:.6f} scf_energy_eV={energy:.6f} d3zero_eV={extra['d3zero']:.6f} d3bj_eV={extra['d3bj']:.6f} "
        f'program="PySCF {__version__}" functional=PBE dispersion=DFT-D3 method=PBE-D3(0)/{BASIS} charge=0 scf_converged=T'
    )
    write_atomically(target, _xyz(atoms.symbols, atoms.positions, comment))


def _pyscf_energies(atoms: Structure) -> tuple[float, dict[str, float]]:
    """PBE in def2-TZVP (effective core potentials for I and Pb), density fitting; and D3(0), which pw.x adds, and D3(BJ), both with three-body terms (eV)."""
    from pyscf import dft, gto
    from pyscf.dispersion import dftd3

    heavy = {s: BASIS for s in atoms.symbols if s in ("I", "Pb")}
    molecule = gto.M(
        atom=list(zip(atoms.symbols, atoms.positions.tolist(), strict=True)),
        basis=BASIS,
        ecp=heavy,
        verbose=0,
    )
    field = dft.RKS(molecule).density_fit()
    field.xc, field.grids.level, field.conv_tol = "PBE", 4, 1e-8
    energy = field.kernel()
    if not field.converged:
        raise RuntimeError("PySCF did not reach self-consistency")
    extra = {
        v: float(
            dftd3.DFTD3Dispersion(molecule, xc="PBE", version=v, atm=True).get_dispersion()[
                "energy"
            ]
        )
        for v in ("d3zero", "d3bj")
    }
    return float(energy) * HARTREE_EV, {v: e * HARTREE_EV for v, e in extra.items()}


def bent(length: float) -> Structure:
    """PbI2 with both bonds of one length (angstrom) and the angle `ANGLE_DEG`."""
    half = np.deg2rad(ANGLE_DEG / 2)
    return Structure(
        ("Pb", "I", "I"),
        length
        * np.array([[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]),
    )


def _run_bond(scratch: Path, *, target: Path) -> None:
    rows = ["program,length_angstrom,energy_eV"]
    for length in LENGTHS:
        text = run(
            boxed(bent(length), np.eye(3) * SIDE), Settings(), scratch, title=f"{SALT} {length:g}"
        )
        (scratch / "bond.out").write_text(text)
        rows.append(
            f"pw.x PBE-D3 25/200 Ry,{length},{read_calculation(scratch / 'bond.out').energy_eV:.6f}"
        )
    for length in LENGTHS:
        energy, extra = _pyscf_energies(bent(length))
        rows.append(f"PySCF PBE-D3/{BASIS},{length},{energy + extra['d3zero']:.6f}")
    write_atomically(target, "\n".join(rows) + "\n")


def plan() -> list[tuple[Settings, tuple[str, ...]]]:
    """Settings, and the molecules that are calculated with them."""
    every = tuple(DONOR)
    steps = []
    for potentials in ("soft", "hard"):
        for cutoff, density in CUTOFFS:
            steps.append(
                (
                    Settings(potentials, cutoff, density),
                    every if cutoff == 25 or (potentials, cutoff) == ("hard", 45) else FULL,
                )
            )
    return steps


def _table(molecules: Sequence[str], suffix: str) -> str:
    rows = [f"{label(m)},{adduct(m)}{suffix},{m}{suffix} + {SALT}{suffix},1" for m in molecules]
    return "\n".join(["name,complex,parts,molecules", *rows]) + "\n"


def write_tables() -> list[Path]:
    """A `table.csv` in every folder of results, of the molecules whose three outputs are there; returns what was written."""
    written = []
    for folder in sorted(p for p in BOX.iterdir() if p.is_dir() and p != GEOMETRIES):
        suffix = ".xyz" if list(folder.glob("*.xyz")) else ".out"
        whole = [
            m
            for m in DONOR
            if all((folder / f"{n}{suffix}").exists() for n in (m, adduct(m), SALT))
        ]
        if whole:
            written.append(write_atomically(folder / "table.csv", _table(whole, suffix)))
    return written


def _run_tables(scratch: Path) -> None:
    write_tables()


def jobs() -> list[Job]:
    """Geometries, PySCF, plane waves from low cutoff to high, the larger box, tables."""
    names = [SALT, *(n for m in DONOR for n in (m, adduct(m)))]
    start = "espresso/box/geometries"
    found = [
        Job(
            start,
            _write_geometries,
            tuple(GEOMETRIES / f"{n}.xyz" for n in names),
            packages=("tblite", "ase", "rdkit"),
            minutes=1.5,
        )
    ]

    def waves(settings: Settings, folder: Path, name: str, side: float, minutes: float) -> Job:
        target = folder / f"{name}.out"
        act = partial(_run_in_box, name=name, settings=settings, side=side, target=target)
        return Job(
            f"espresso/box/{folder.name}/{name}",
            act,
            (target,),
            programs=("pw.x", "ld1.x"),
            after=(start,),
            minutes=minutes,
        )

    for settings, molecules in plan():
        for name in (SALT, *(n for m in molecules for n in (m, adduct(m)))):
            found.append(
                waves(settings, BOX / settings.name, name, SIDE, (settings.cutoff_Ry / 25) ** 2)
            )
    for name in (SALT, "acetic_acid", adduct("acetic_acid")):
        found.append(waves(Settings(), BOX / f"soft-25-box{LARGER:g}", name, LARGER, 2.0))
    for name in names:
        target = BOX / "pyscf-tzvp" / f"{name}.xyz"
        act = partial(_run_pyscf, name=name, target=target)
        found.append(
            Job(
                f"espresso/box/pyscf-tzvp/{name}",
                act,
                (target,),
                packages=("pyscf",),
                after=(start,),
                minutes=1.0,
            )
        )
    target = BOX / "small" / "hydrogen.out"
    found.append(
        Job(
            "espresso/box/small/hydrogen",
            partial(_run_small, target=target),
            (target,),
            programs=("pw.x", "ld1.x"),
            minutes=0.1,
        )
    )
    target = pseudopotentials.INPUTS / "lead_iodide_bond.csv"
    found.append(
        Job(
            "espresso/pseudo/lead_iodide_bond",
            partial(_run_bond, target=target),
            (target,),
            packages=("pyscf",),
            programs=("pw.x", "ld1.x"),
            minutes=3.0,
        )
    )
    everything = tuple(job.name for job in found)
    tables = tuple(BOX / s.name / "table.csv" for s, _ in plan()) + (
        BOX / f"soft-25-box{LARGER:g}" / "table.csv",
        BOX / "pyscf-tzvp" / "table.csv",
    )
    return [*found, Job("espresso/box/tables", _run_tables, tables, after=everything, minutes=0.01)]
