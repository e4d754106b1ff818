"""GFN-xTB energies of molecules on the slab (tblite through ASE), one relaxation a job.

Methods: GFN2-xTB (Bannwarth, Ehlert & Grimme 2019, doi:10.1021/acs.jctc.8b01176) and GFN1-xTB (Grimme, Bannwarth & Shushkov 2017,
doi:10.1021/acs.jctc.7b00118), both with their own dispersion, periodic in three directions at the Gamma point of the 2x2 cell.
What is relaxed with it stands in `adsorption`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hassan2021.recompute import surface
from hassan2021.recompute.jobs import FOLDER
from ledger import files

OUT = FOLDER / "tight_binding"
METHODS = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}
FORCE_LIMIT = 0.07  # eV/angstrom; in a soft contact (1 eV/angstrom²) this leaves a few meV
PACKAGES = ("tblite", "ase", "rdkit")


@dataclass
class Relaxation:
    """What to relax: where from, which atoms stay, how long.

    `build` gives the start as `ase.Atoms` (charge neutral); `frozen` the indices that stay, from the start. With `pose_steps` the ligands are first
    relaxed on the thin stand-in of the slab for up to so many steps.
    """

    name: str
    method: str
    build: Callable[[], object] = field(repr=False)
    frozen: Callable[[object], np.ndarray] | None = field(default=None, repr=False)
    steps: int = 150
    note: str = ""
    force_limit: float = FORCE_LIMIT
    accuracy: float = 5.0
    pose_steps: int = 0

    @property
    def path(self) -> Path:
        return OUT / f"{self.name}.{self.method}.xyz"

    @property
    def part(self) -> Path:
        return OUT / f".{self.name}.{self.method}.part.xyz"


def calculator(method: str, accuracy: float = 1.0):
    """tblite's ASE calculator, silent."""
    from tblite.ase import TBLite

    return TBLite(method=METHODS[method], verbosity=0, accuracy=accuracy, max_iterations=500)


def save(path: Path, atoms, energy_eV: float, **info) -> None:
    """One extended-XYZ frame: lattice, species, positions, and in the comment line energy (eV), method, convergence."""
    words = {
        "energy": f"{energy_eV:.8f}",
        **{k: ("T" if v else "F") if isinstance(v, bool) else str(v) for k, v in info.items()},
    }
    lattice = (
        'Lattice="' + " ".join(f"{x:.6f}" for x in atoms.cell.array.ravel()) + '" '
        if atoms.cell.rank == 3
        else ""
    )
    comment = (
        lattice
        + "Properties=species:S:1:pos:R:3 "
        + " ".join(f'{k}="{v}"' if " " in v else f"{k}={v}" for k, v in words.items())
    )
    periodic = ' pbc="T T T"' if atoms.cell.rank == 3 else ' pbc="F F F"'
    rows = [
        f"{s:2s} {x:12.6f} {y:12.6f} {z:12.6f}"
        for s, (x, y, z) in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)
    ]
    files.write_atomically(path, "\n".join([str(len(rows)), comment + periodic, *rows]) + "\n")


def load(path: Path):
    """`ase.Atoms` of a kept frame; `info` holds the comment line."""
    from ase.io import read

    return read(path, format="extxyz")


def model_hessian(atoms, *, soft: float = 3.0) -> np.ndarray:
    """Start for BFGS: springs between all near pairs, stiff as bonds where they touch, on a soft background (eV/angstrom²); shape (3 atoms, 3 atoms).

    After the idea of Lindh et al. 1995, doi:10.1016/0009-2614(95)00646-L, stretches only. It halves the steps of a molecule with both bonds and contacts.
    """
    from ase.data import covalent_radii

    count = len(atoms)
    vector = atoms.get_all_distances(mic=True, vector=True)
    distance = np.linalg.norm(vector, axis=2)
    np.fill_diagonal(distance, np.inf)
    radius = covalent_radii[atoms.numbers]
    stiffness = np.minimum(30.0 * np.exp(-3.4 * (distance - radius[:, None] - radius[None])), 45.0)
    unit = vector / distance[..., None]
    blocks = -stiffness[..., None, None] * unit[..., :, None] * unit[..., None, :]
    index = np.arange(count)
    blocks[index, index] = -blocks.sum(axis=1) + soft * np.eye(3)
    return blocks.transpose(0, 2, 1, 3).reshape(3 * count, 3 * count)


STAND_IN_FORCE = 0.08  # eV/angstrom, where relaxing on the stand-in ends


def relax_stand_in(small, method: str, steps: int) -> int:
    """Relax the ligands (tags from 10) of a stand-in of the slab, which stays; returns the steps taken. The calculator and the constraint stay with it."""
    from ase.constraints import FixAtoms
    from ase.optimize import BFGS

    small.set_constraint(FixAtoms(np.flatnonzero(small.get_tags() < 10)))
    small.calc = calculator(method, 20.0)
    if not steps:
        return 0
    optimiser = BFGS(small, logfile=None, maxstep=0.2)
    optimiser.H0 = model_hessian(small)
    optimiser.run(fmax=STAND_IN_FORCE, steps=steps)
    return optimiser.get_number_of_steps()


def settle(atoms, method: str, steps: int) -> None:
    """Move the ligands of `atoms` (tags from 10) to where they relax on the thin stand-in of the slab."""
    small = surface.thin(atoms)
    relax_stand_in(small, method, steps)
    atoms.positions[atoms.get_tags() >= 10] = small.positions[small.get_tags() >= 10] + [
        0,
        0,
        surface.TOP - surface.TOP_THIN,
    ]


def relax(job: Relaxation) -> None:
    """Relax with BFGS, keeping a partial geometry every five steps so that an interrupted run goes on; write the last geometry, converged or not.

    The steps are made with charges converged to 5 times tblite's default, the energy that is kept to a tenth of it.
    """
    from ase.constraints import FixAtoms
    from ase.optimize import BFGS

    atoms = job.build()
    if job.pose_steps and not job.part.exists() and not job.path.exists():
        settle(atoms, job.method, job.pose_steps)
    fixed = np.asarray(job.frozen(atoms) if job.frozen else [], int)
    taken = 0
    if job.part.exists() or job.path.exists():
        begun = load(job.part if job.part.exists() else job.path)
        if begun.get_chemical_symbols() == atoms.get_chemical_symbols():
            atoms.positions, taken = begun.positions, int(begun.info["steps"])
    if len(fixed):
        atoms.set_constraint(FixAtoms(fixed))

    if job.steps:
        atoms.calc = calculator(job.method, job.accuracy)
        optimiser = BFGS(atoms, logfile=None, maxstep=0.2)
        optimiser.H0 = model_hessian(atoms)

        def keep() -> None:
            if optimiser.get_number_of_steps() % 5 == 4:
                force = np.linalg.norm(atoms.get_forces(), axis=1).max()
                print(
                    f"  {job.name}.{job.method}: step {taken + optimiser.get_number_of_steps()}, {atoms.get_potential_energy():.3f} eV, {force:.3f} eV/angstrom",
                    flush=True,
                )
                save(
                    job.part,
                    atoms,
                    0.0,
                    steps=taken + optimiser.get_number_of_steps(),
                    converged=False,
                )

        optimiser.attach(keep)
        optimiser.run(fmax=job.force_limit, steps=max(job.steps - taken, 5))
        taken += optimiser.get_number_of_steps()
    atoms.calc = calculator(job.method, 0.1)
    energy = float(atoms.get_potential_energy())
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    save(
        job.path,
        atoms,
        energy,
        method=METHODS[job.method],
        charge=0,
        converged=force <= 1.2 * job.force_limit,
        steps=taken,
        max_force=f"{force:.4f}",
        frozen=len(fixed),
        **{k: v for k, v in atoms.info.items() if k in ("interstitial", "vacancy")},
        program=f"tblite {version('tblite')}; ASE {version('ase')}",
        start=job.note or "built",
    )
    job.part.unlink(missing_ok=True)


def tagged(atoms):
    """An adduct with the tags of the slab and 10 for everything on it."""
    tags = np.full(len(atoms), 10)
    clean = surface.slab().get_tags()
    tags[: len(clean)] = clean
    atoms.set_tags(tags)
    return atoms
