"""Tight-binding energies (GFN-xTB) of the fragments and ligands on a surface cluster and on a free lead ion.

This is the independent calculation of the energetics room. It needs the optional packages `ase` and `tblite` (and
nothing of them at import) and takes about half an hour on one core:

    python -m peled.simulate.energetics --xtb

Every start geometry is optimised; its energy, whether it converged, and its last geometry are written, also where it did not converge. A
second run continues those. One start whose self-consistency failed has no file.
Surface atoms stay where the crystal has them, adsorbates are free. Methods: GFN2-xTB (Bannwarth, Ehlert, Grimme 2019,
doi:10.1021/acs.jctc.8b01176) and GFN1-xTB (Grimme, Bannwarth, Shushkov 2017, doi:10.1021/acs.jctc.7b00118).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peled.simulate.energetics import structures

FRAGMENTS = ("acetic_acid", "methylamine", "n_methylacetamide", "trimethylamine", "methanethiol", "dimethyl_ether")
LIGANDS = ("glutathione", "edta")
FORCE_LIMIT = 0.05  # eV/angstrom
_MIDDLE = structures.CELL_A / np.sqrt(2) / 2  # of the 2x2 cluster, along x and y


@dataclass(frozen=True)
class Job:
    """One start geometry: `name` is system-start, `frozen` counts the leading atoms that do not move."""

    name: str
    method: str
    symbols: tuple[str, ...]
    positions: np.ndarray
    charge: int = 0
    frozen: int = 0
    steps: int = 250


def read_frames(path: Path) -> list[tuple[list[str], np.ndarray]]:
    """The frames of an XYZ file."""
    lines, frames = path.read_text(encoding="utf-8").splitlines(), []
    while lines:
        count = int(lines[0])
        rows = [line.split() for line in lines[2 : 2 + count]]
        frames.append(([r[0] for r in rows], np.array([[float(x) for x in r[1:4]] for r in rows])))
        lines = lines[2 + count :]
    return frames


def jobs(molecules: Path, *, starts: int = 4, seed: int = 11) -> Iterator[Job]:
    """All calculations, the cheap and decisive ones first."""
    rng = np.random.default_rng(seed)
    frames = {name: read_frames(molecules / f"{name}.xyz") for name in (*FRAGMENTS, *LIGANDS)}
    surface, at = structures.cluster(2, 2)
    for method in ("GFN2-xTB", "GFN1-xTB"):
        yield Job("surface-0", method, tuple(surface), at, frozen=len(surface), steps=0)
        yield Job("lead_ion-0", method, ("Pb",), np.zeros((1, 3)), charge=2, steps=0)
        for name in FRAGMENTS:
            symbols, free = frames[name][0]
            yield Job(f"{name}-0", method, tuple(symbols), free)
            donors = [k for k, s in enumerate(symbols) if s in structures.DONORS]
            for k in range(starts if method == "GFN2-xTB" else 2):
                donor = donors[k % len(donors)]
                placed = structures.donor_down(symbols, free, donor, spin=rng.uniform(0, 2 * np.pi))
                yield Job(f"{name}_on_surface-{k}", method, (*surface, *symbols), np.vstack([at, placed + [0, 0, 2.7]]), frozen=len(surface))
            for k, donor in enumerate(donors):
                placed = structures.donor_down(symbols, free, donor)
                yield Job(f"{name}_on_lead_ion-{k}", method, ("Pb", *symbols), np.vstack([[[0.0, 0, 0]], placed + [0, 0, 2.5]]), charge=2)
        if method == "GFN2-xTB":
            yield from _ligands(frames, surface, at, method, rng)
    yield from _free_and_chelates(frames, "GFN1-xTB", rng, range(3))
    yield from _pairs(frames, surface, at, "GFN2-xTB")
    yield from further_chelates(frames, seed + 1)


def further_chelates(frames: dict, seed: int) -> Iterator[Job]:
    """More starts of the flexible chelates, whose minima the first six did not settle; and the acid dimer that pairs are held against."""
    yield from _free_and_chelates(frames, "GFN2-xTB", np.random.default_rng(seed), range(6, 18))
    symbols, free = frames["acetic_acid"][0]
    ends = [k for k, s in enumerate(symbols) if s == "O"]
    axis = free[ends].mean(axis=0) - free[symbols.index("C")]
    # The second molecule is the first one inverted through a point beyond its carboxylic oxygens: a cyclic dimer.
    centre = free[ends].mean(axis=0) + 1.5 * axis / np.linalg.norm(axis)
    yield Job("acetic_acid+acetic_acid-0", "GFN2-xTB", (*symbols, *symbols), np.vstack([free, 2 * centre - free]))


def _ligands(frames, surface, at, method, rng) -> Iterator[Job]:
    yield from _free_and_chelates(frames, method, rng, range(6))
    for k in range(4):
        for name in LIGANDS:
            symbols, free = frames[name][k]
            yield Job(f"{name}_on_surface-{k}", method, (*surface, *symbols), np.vstack([at, _lying(free, at, rng)]), frozen=len(surface), steps=150)


def _free_and_chelates(frames, method, rng, chelates: range) -> Iterator[Job]:
    for k in chelates:
        for name in LIGANDS:
            symbols, free = frames[name][k]
            yield Job(f"{name}-{k}", method, tuple(symbols), free, steps=300)
            site = _pocket(symbols, free, rng)
            yield Job(f"{name}_on_lead_ion-{k}", method, ("Pb", *symbols), np.vstack([site, free]), charge=2, steps=400)


def _pairs(frames, surface, at, method) -> Iterator[Job]:
    for one, other in (("glutathione", "edta"), ("edta", "edta"), ("glutathione", "glutathione")):
        (s1, p1), (s2, p2) = frames[one][1], frames[other][2]
        first = structures.side_by_side(p1, at, np.array([_MIDDLE, _MIDDLE - 3.4]))
        second = structures.side_by_side(p2, np.vstack([at, first]), np.array([_MIDDLE, _MIDDLE + 3.4]))
        yield Job(f"{one}+{other}_on_surface-0", method, (*surface, *s1, *s2), np.vstack([at, first, second]), frozen=len(surface), steps=150)


def _lying(free: np.ndarray, surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The molecule flat on the surface (its longest axes in the plane), turned about the normal at random."""
    centred = free - free.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    axes[2] *= np.sign(np.linalg.det(axes))
    spin = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    return structures.above(surface, centred @ axes.T @ turn.T, np.array([_MIDDLE, _MIDDLE]), 2.4)


def _pocket(symbols, free, rng, tries: int = 4000) -> np.ndarray:
    """Where a lead ion touches most donors without touching anything else: nearest donors at 2.3 to 3.5 angstrom."""
    donors = free[[k for k, s in enumerate(symbols) if s in structures.DONORS]]
    sites = donors[rng.integers(len(donors), size=tries)] + rng.normal(size=(tries, 3)) * 2.0
    nearest = np.linalg.norm(sites[:, None] - free[None], axis=2).min(axis=1)
    reach = np.exp(-(((np.linalg.norm(sites[:, None] - donors[None], axis=2) - 2.6) / 0.6) ** 2)).sum(axis=1)
    return sites[np.argmax(np.where(nearest > 2.1, reach, -1))][None]


def run(job: Job) -> tuple[float, bool, int, float, np.ndarray]:
    """Optimise one start: energy (eV), converged, steps taken, largest force on a free atom (eV/angstrom), positions."""
    from ase import Atoms
    from ase.constraints import FixAtoms
    from ase.optimize import LBFGS
    from tblite.ase import TBLite

    atoms = Atoms(job.symbols, positions=job.positions)
    atoms.calc = TBLite(method=job.method, charge=job.charge, verbosity=0, max_iterations=500)
    if job.frozen:
        atoms.set_constraint(FixAtoms(range(job.frozen)))
    taken, converged = 0, True
    if job.steps:
        optimiser = LBFGS(atoms, logfile=None, maxstep=0.15)
        converged = bool(optimiser.run(fmax=FORCE_LIMIT, steps=job.steps))
        taken = optimiser.get_number_of_steps()
    energy = float(atoms.get_potential_energy())
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max()) if job.steps else 0.0
    return energy, converged, taken, force, atoms.get_positions()


def write_frame(path: Path, job: Job, outcome: tuple[float, bool, int, float, np.ndarray], program: str) -> None:
    """One extended-XYZ file: the last geometry, with energy, method and convergence in its comment line."""
    energy, converged, taken, force, positions = outcome
    comment = (
        f"Properties=species:S:1:pos:R:3 energy={energy:.8f} method={job.method} charge={job.charge} converged={'T' if converged else 'F'} "
        f'steps={taken} max_force={force:.4f} frozen={job.frozen} program="{program}" pbc="F F F"'
    )
    rows = [f"{s:2s} {x:12.6f} {y:12.6f} {z:12.6f}" for s, (x, y, z) in zip(job.symbols, positions, strict=True)]
    path.write_text("\n".join([str(len(rows)), comment, *rows]) + "\n", encoding="utf-8")


def main(molecules: Path, out: Path) -> None:
    """Run all jobs, one file each under `out`; files of converged starts are kept, others continued from their last geometry."""
    from importlib.metadata import version

    program = f"tblite {version('tblite')}, ASE {version('ase')}"
    out.mkdir(parents=True, exist_ok=True)
    for job in jobs(molecules):
        path = out / f"{job.name}.{job.method.split('-')[0].lower()}.xyz"
        if path.exists():
            if "converged=F" not in path.read_text(encoding="utf-8").split("\n", 2)[1]:
                continue
            job = replace(job, positions=read_frames(path)[-1][1], steps=300)
        try:
            outcome = run(job)
        except Exception as error:  # one start that fails must not end an hour's work; a missing file says so
            print(f"{path.name}: {type(error).__name__}: {error}", flush=True)
            continue
        write_frame(path, job, outcome, program)
        print(f"{path.name}: {outcome[0]:.4f} eV, {'converged' if outcome[1] else 'not converged'} after {outcome[2]} steps", flush=True)
