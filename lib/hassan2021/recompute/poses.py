"""Search for poses of flexible ligands and of pairs: docked, relaxed and shaken on the thin stand-in of the slab (`surface.thin`), ranked by its energy.

A free ligand's conformers are searched by metadynamics (`molecules`), so an adsorbed one that was only docked would come out too weakly bound. Here the lowest
docked poses are heated, cooled and relaxed again. Hydrogen moves as a mass of 4 u, which lets a step be 2 fs and changes no minimum. The lowest poses
then go to the slab itself (`tightbinding`).

Kept: `tight_binding/poses/<name>.xyz`, the ligands' atoms in the slab's frame, one frame a try in the order of trying, energies of the stand-in with all its atoms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hassan2021.recompute import adsorbates, molecules, surface
from hassan2021.recompute import tightbinding as tb
from hassan2021.recompute.jobs import Job
from hassan2021.recompute.molecules import Frame

OUT = tb.OUT / "poses"
SEED = 20211
MASS_H = 4.0  # u
STEP_FS, HOT_K, COLD_K, FRICTION_PER_FS = 2.0, 500.0, 50.0, 0.02


@dataclass(frozen=True)
class Effort:
    """How much is tried: docked poses and steps of relaxing each; the lowest of all that are shaken, and steps of dynamics each."""

    docked: int
    relax_steps: int
    shaken: int
    shake_steps: int


EFFORT = {
    "glutathione": Effort(12, 40, 2, 240),
    "edta": Effort(12, 40, 2, 240),
    "glutathione+edta": Effort(8, 40, 1, 240),
    "glutathione+glutathione": Effort(6, 40, 1, 240),
    "edta+edta": Effort(6, 40, 1, 240),
}


def path(name: str) -> Path:
    return OUT / f"{name}.xyz"


def starts(name: str, count: int) -> Iterator:
    """`count` docked starts on the slab, best first: a ligand on the bare slab, or each of a pair beside the lowest kept pose of the other, in turn.

    Of a pair the lowest start that is kept already is one more.
    """
    members = name.split("+")
    if len(members) == 1:
        for pose in adsorbates.docked(name)[:count]:
            yield adsorbates.adduct(
                adsorbates.bare(), adsorbates.conformers(name)[pose.conformer][0], pose.positions
            )
        return
    orders = list(dict.fromkeys([tuple(members), tuple(members[::-1])]))
    for k in range(count):
        upper, lower = orders[k % len(orders)]
        under = adsorbates.lowest(f"{lower}_on_slab")
        pose = adsorbates.docked(upper, under, True)[k // len(orders)]
        on = tb.tagged(tb.load(tb.OUT / f"{under}.gfn2.xyz"))
        yield _ordered(
            adsorbates.adduct(on, adsorbates.conformers(upper)[pose.conformer][0], pose.positions),
            members,
        )
    if found := adsorbates.kept(f"{name}_on_slab"):
        yield _ordered(tb.tagged(tb.load(tb.OUT / f"{found[0][-1]}.gfn2.xyz")), members)


def _ordered(whole, members: list[str]):
    """The same with the ligands in the order of `members`: where one was put beside another, the lower one stands first."""
    first = Counter(_free(members[0]).symbols)
    ligands = np.flatnonzero(whole.get_tags() >= 10)
    size = first.total()
    if Counter(np.array(whole.get_chemical_symbols())[ligands[:size]]) == first:
        return whole
    return whole[np.r_[np.flatnonzero(whole.get_tags() < 10), ligands[-size:], ligands[:-size]]]


def _free(member: str) -> Frame:
    return molecules.read_frames(molecules.FOLDER / "molecules" / f"{member}.xyz")[0]


def shake(small, steps: int, rng: np.random.Generator) -> None:
    """Langevin dynamics of the ligands of a stand-in with its calculator, cooling evenly from `HOT_K` to `COLD_K`."""
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    masses = small.get_masses()
    masses[small.numbers == 1] = MASS_H
    small.set_masses(masses)
    MaxwellBoltzmannDistribution(small, temperature_K=HOT_K, rng=rng)
    walk = Langevin(
        small,
        STEP_FS * units.fs,
        temperature_K=HOT_K,
        friction=FRICTION_PER_FS / units.fs,
        fixcm=False,
        rng=rng,
    )
    for temperature in np.linspace(HOT_K, COLD_K, max(steps // 20, 1)):
        walk.set_temperature(temperature_K=temperature)
        walk.run(20)


def _frame(small, steps: int) -> Frame:
    ligand = small.get_tags() >= 10
    force = float(np.linalg.norm(small.get_forces()[ligand], axis=1).max())
    return Frame(
        tuple(np.array(small.get_chemical_symbols())[ligand]),
        small.positions[ligand] + [0, 0, surface.TOP - surface.TOP_THIN],
        energy_eV=float(small.get_potential_energy()),
        method=tb.METHODS["gfn2"],
        converged=force <= 1.2 * tb.STAND_IN_FORCE,
        steps=steps,
        max_force=force,
        medium="stand-in",
    )


def search(name: str, scratch: Path) -> None:
    """Try what `EFFORT` says, keeping every try beside the target, so that an interrupted search goes on; write all tries."""
    effort, part = EFFORT[name], OUT / f".{name}.part.xyz"
    notes = {
        "docked": effort.docked,
        "shaken": effort.shaken,
        "hot_K": HOT_K,
        "shake_fs": effort.shake_steps * STEP_FS,
        "program": molecules.program(),
    }
    tried = molecules.read_frames(part) if part.exists() else []
    first = effort.docked + (1 if "+" in name and adsorbates.kept(f"{name}_on_slab") else 0)
    for k, whole in enumerate(starts(name, effort.docked) if len(tried) < first else ()):
        if len(tried) <= k:
            small = surface.thin(whole)
            tried.append(_frame(small, tb.relax_stand_in(small, "gfn2", effort.relax_steps)))
            molecules.write_frames(part, tried, **notes)
            print(f"  {name}: pose {k}, {tried[-1].energy_eV:.3f} eV", flush=True)
    lowest = sorted(tried[:first], key=lambda f: f.energy_eV)
    for k in range(len(tried) - first, effort.shaken):
        small = surface.thin(
            adsorbates.adduct(adsorbates.bare(), lowest[k].symbols, lowest[k].positions)
        )
        tb.relax_stand_in(small, "gfn2", 0)
        shake(small, effort.shake_steps, np.random.default_rng([SEED, k]))
        tried.append(_frame(small, tb.relax_stand_in(small, "gfn2", effort.relax_steps)))
        molecules.write_frames(part, tried, **notes)
        print(
            f"  {name}: pose {k} shaken, {lowest[k].energy_eV:.3f} to {tried[-1].energy_eV:.3f} eV",
            flush=True,
        )
    molecules.write_frames(path(name), tried, **notes)
    part.unlink(missing_ok=True)


def intact(frame: Frame, name: str) -> bool:
    """Whether the atoms of `frame` are bonded as in the ligands of `name`."""
    free = [_free(member) for member in name.split("+")]
    # The free ligands side by side, too far apart for a bond.
    symbols = tuple(s for f in free for s in f.symbols)
    positions = np.vstack(
        [f.positions - f.positions.mean(axis=0) + [100.0 * k, 0, 0] for k, f in enumerate(free)]
    )
    mine, theirs = (
        molecules.graph_key(s, molecules.bonds(s, at))
        for s, at in ((frame.symbols, frame.positions), (symbols, positions))
    )
    return mine == theirs


def best(name: str, rank: int, apart: float = 0.5) -> Frame:
    """The lowest kept pose (rank 0) of intact ligands, or the next one that differs from all lower ones by more than `apart` (root mean square angstrom).

    Raises
    ------
    FileNotFoundError
        Before `search`.
    ValueError
        When there are not so many.
    """
    if not path(name).exists():
        raise FileNotFoundError(
            f"{name}: no poses yet; make energetics ONLY='tight_binding/{name}_on_slab.poses'"
        )
    taken: list[Frame] = []
    for frame in sorted(molecules.read_frames(path(name)), key=lambda f: f.energy_eV):
        if intact(frame, name) and all(
            np.sqrt(((f.positions - frame.positions) ** 2).sum(axis=1).mean()) > apart
            for f in taken
        ):
            taken.append(frame)
        if len(taken) > rank:
            return taken[rank]
    raise ValueError(f"{name}: {len(taken)} poses that differ, number {rank + 1} asked for")


def jobs() -> list[Job]:
    """One search a ligand or pair; those of pairs want the lowest poses of their members kept."""
    found = []
    for name, effort in EFFORT.items():
        minutes = (
            effort.docked * effort.relax_steps
            + effort.shaken * (effort.shake_steps + effort.relax_steps)
        ) / (60 if "+" not in name else 40)
        after = (
            tuple(f"tight_binding/{m}_on_slab.refine" for m in dict.fromkeys(name.split("+")))
            if "+" in name
            else ("tight_binding/slab-0.gfn2",)
        )
        found.append(
            Job(
                f"tight_binding/{name}_on_slab.poses",
                partial(search, name),
                (path(name),),
                tb.PACKAGES,
                after=after,
                minutes=round(minutes),
            )
        )
    return found
