"""Molecules for the slab and what is kept of them on it: conformers, docked poses, the lowest relaxed start."""

from __future__ import annotations

from functools import cache

import numpy as np

from hassan2021.recompute import surface
from hassan2021.recompute import tightbinding as tb
from hassan2021.recompute.tightbinding import calculator, load, tagged

FRAGMENTS = (
    "acetic_acid",
    "methylamine",
    "acetamide",
    "n_methylacetamide",
    "methanethiol",
    "trimethylamine",
    "dimethyl_ether",
)
LIGANDS = ("glutathione", "edta")
DOCKED = 12  # poses kept of each docking, best first


def bare(method: str = "gfn2"):
    """The relaxed bare slab with its tags."""
    atoms = load(tb.OUT / f"slab-0.{method}.xyz")
    atoms.set_tags(surface.slab().get_tags())
    return atoms


@cache
def conformers(name: str, count: int = 40) -> tuple[tuple[tuple[str, ...], np.ndarray, float], ...]:
    """Conformers for docking: from distance geometry, extended ones among them, with their strain in GFN2-xTB at that geometry (eV)."""
    from ase import Atoms

    from hassan2021.recompute import molecules

    substance, found = molecules.embedded(molecules.SMILES[name], 200)
    # Every so many of the ranking: the lowest are folded on themselves and have nothing left for a surface.
    picked = found[:: max(len(found) // count, 1)][:count]
    energies = []
    for positions in picked:
        atoms = Atoms(substance.symbols, positions=positions)
        atoms.calc = calculator("gfn2", 5.0)
        energies.append(float(atoms.get_potential_energy()))
    return tuple(
        (substance.symbols, p, 0.6 * (e - min(energies)))
        for p, e in zip(picked, energies, strict=True)
    )


def adduct(on, symbols, positions):
    """`on` (slab, or slab with a ligand) with one more molecule behind it; the ligands' tags count from 10."""
    from ase import Atoms

    tag = max(10, max(on.get_tags()) + 1)
    return on + Atoms(symbols, positions=positions, tags=[tag] * len(symbols))


@cache
def docked(name: str, under: str = "", between: bool = False) -> tuple:
    """Poses of one ligand on the bare slab, or beside what lies on it in the kept adduct `under`, looking for hydrogen bonds to it or not."""
    on = tagged(load(tb.OUT / f"{under}.gfn2.xyz")) if under else bare()
    return tuple(
        surface.dock(
            conformers(name),
            on,
            count=DOCKED,
            trials=30 if name in LIGANDS else 60,
            seed=7,
            between=between,
        )
    )


def framework(atoms) -> np.ndarray:
    """Indices of lead and iodide."""
    return np.flatnonzero(np.isin(atoms.get_chemical_symbols(), ["Pb", "I"]))


def below(atoms) -> np.ndarray:
    """Indices of everything but ligands."""
    return np.flatnonzero(atoms.get_tags() < 10)


def kept(stem: str, method: str = "gfn2") -> list[tuple[float, bool, int, str]]:
    """Energy (eV), converged, steps and name (without method) of the kept starts of `stem`, lowest first."""
    from peled.formats.atomistic.structures import comment_keys

    found = []
    for path in sorted(tb.OUT.glob(f"{stem}-*.{method}.xyz")):
        info = comment_keys(path.read_text(encoding="utf-8").split("\n", 2)[1])
        found.append(
            (
                float(info["energy"]),
                str(info["converged"]) in ("T", "True"),
                int(info["steps"]),
                path.name.removesuffix(f".{method}.xyz"),
            )
        )
    return sorted(found)


def lowest(stem: str, method: str = "gfn2") -> str:
    """Name (without method) of the lowest kept start of `stem`.

    Raises
    ------
    FileNotFoundError
        When none is kept.
    """
    found = kept(stem, method)
    if not found:
        raise FileNotFoundError(f"no kept start of {stem} in {method}")
    return found[0][-1]
