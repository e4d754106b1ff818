"""Writes the files of `data/energetics`: `python -m peled.simulate.energetics` (fixed seeds, same bytes each time).

With `--xtb` it first runs the tight-binding calculations of `xtb`, which need the optional packages ase and tblite.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from peled import files
from peled.simulate.energetics import espresso, structures, xtb

#: Published energies (eV) that the written outputs carry, and what was drawn for those that are not published.
BINDING = {"acetic_acid": -0.58, "methylamine": -0.84, "gl": -1.85, "edta": -1.60, "gl+edta": -4.45}
DRAWN = {"n_methylacetamide": -0.97, "trimethylamine": -0.71, "gl+gl": -4.02, "edta+edta": -3.68}
FRENKEL = {"bare": 0.03, "gl": 0.15, "gl+edta": 0.18, "mai": 0.84, "ether": 0.11}
_SIZE = {"gl": "glutathione", "edta": "edta"}
#: Invented energies by element, so that totals look like totals (eV).
_ATOM_EV = {"H": -15.9, "C": -154.3, "N": -268.1, "O": -431.0, "S": -310.7, "I": -292.8, "Pb": -1104.6}
VACUUM = 10.0


def adsorbed(name: str, at: np.ndarray, molecules: dict, places) -> tuple[list[str], np.ndarray]:
    """Molecules of `name` (joined by +) laid on the slab one after the other, not relaxed."""
    symbols, positions = [], np.empty((0, 3))
    for part, place in zip(name.split("+"), places, strict=True):
        kind, free = molecules[_SIZE.get(part, part)][0]
        laid = structures.side_by_side(free, np.vstack([at, positions]), np.asarray(place))
        symbols, positions = symbols + list(kind), np.vstack([positions, laid])
    return symbols, positions


def defect(symbols: list[str], positions: np.ndarray, site: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Move the surface iodide nearest to `site` onto the neighbouring hollow nearer to the middle of the cell: positions, vacancy, index of the interstitial."""
    lead = np.array([positions[k] for k, s in enumerate(symbols) if s == "Pb" and abs(positions[k][2]) < 0.1])
    top = [k for k, s in enumerate(symbols) if s == "I" and abs(positions[k][2]) < 0.1]
    k = min(top, key=lambda i: np.linalg.norm(positions[i][:2] - site))
    vacancy = positions[k].copy()
    along = (lead[np.argmin(np.linalg.norm(lead - vacancy, axis=1))] - vacancy)[:2]
    across = np.array([-along[1], along[0]])  # hollows lie across the Pb-I-Pb line, as far from it as the lead is
    middle = positions[:, :2].mean(axis=0)
    hollow = min((vacancy[:2] + across, vacancy[:2] - across), key=lambda h: np.linalg.norm(h - middle))
    moved = positions.copy()
    moved[k] = [*hollow, 1.7]  # raised until no iodide is nearer than 3.5 angstrom
    return moved, vacancy, k


def write_structure(path: Path, symbols, positions, period, **info) -> None:
    """Extended XYZ in the slab's lateral cell with the stated vacuum above the highest atom."""
    height = np.ptp(positions[:, 2]) + VACUUM
    lattice = f'Lattice="{period[0]:.4f} 0 0 0 {period[1]:.4f} 0 0 0 {height:.4f}" Properties=species:S:1:pos:R:3 pbc="T T F"'
    words = " ".join(f'{k}="{v}"' for k, v in info.items())
    rows = [f"{s:2s} {x:10.4f} {y:10.4f} {z:10.4f}" for s, (x, y, z) in zip(symbols, positions, strict=True)]
    files.write_atomically(path, "\n".join([str(len(rows)), f"{lattice} {words}", *rows]) + "\n")


def write_all(folder: Path) -> None:
    """Slabs, and the outputs of a laboratory that would have found the published energies."""
    molecules = {name: xtb.read_frames(folder / "molecules" / f"{name}.xyz") for name in (*xtb.FRAGMENTS, *xtb.LIGANDS)}
    rng = np.random.default_rng(2021)
    symbols, at, period = structures.slab()
    middle = period / 2
    places = {1: [middle], 2: [middle - [0, 3.8], middle + [0, 3.8]]}
    cell = np.diag([*period, np.ptp(at[:, 2]) + VACUUM + 6.0])
    box = np.diag([22.0, 22.0, 22.0])
    total = {s: _ATOM_EV[s] for s in _ATOM_EV}

    def energy(names) -> float:
        return float(sum(total[s] for s in names) + rng.normal(0, 2.0))

    out = folder / "espresso"
    surface_eV = energy(symbols)
    files.write_atomically(out / "slab.out", espresso.relaxation(symbols, at, cell, surface_eV))
    free = {}
    for name in ("acetic_acid", "methylamine", "n_methylacetamide", "trimethylamine", "gl", "edta"):
        kind, where = molecules[_SIZE.get(name, name)][0]
        free[name] = energy(kind)
        files.write_atomically(out / f"{name}.out", espresso.relaxation(list(kind), where - where.mean(axis=0) + 11.0, box, free[name]))
    lines, whole = ["name,complex,parts,molecules,claim"], {}
    claims = {"acetic_acid": "C078", "methylamine": "C079", "gl": "C077", "edta": "C080", "gl+edta": "C082"}
    for name, binding in (BINDING | DRAWN).items():
        parts = name.split("+")
        extra, where = adsorbed(name, at, molecules, places[len(parts)])
        stem = name.replace("+", "_")
        whole[name] = surface_eV + sum(free[p] for p in parts) + binding + rng.uniform(-0.004, 0.004)
        files.write_atomically(out / f"{stem}_on_slab.out", espresso.relaxation(symbols + extra, np.vstack([at, where]), cell, whole[name]))
        lines.append(f"{label(name)},{stem}_on_slab.out,{' + '.join(f'{p}.out' for p in parts)} + slab.out,{len(parts)},{claims.get(name, '')}")
        if name in ("gl", "edta", "gl+edta", "gl+gl", "edta+edta"):
            write_structure(
                folder / "structures" / f"{stem}.xyz",
                symbols + extra,
                np.vstack([at, where]),
                period,
                built="ideal I4/mcm positions, ligands laid on, not relaxed",
            )
    for name, formation in FRENKEL.items():
        if name in ("mai", "ether"):
            continue
        parts = [] if name == "bare" else name.split("+")
        extra, where = adsorbed(name, at, molecules, places[len(parts)]) if parts else ([], np.empty((0, 3)))
        moved, vacancy, k = defect(symbols, at, middle - [2.0, 8.8])
        base = surface_eV if name == "bare" else whole[name]
        stem = name.replace("+", "_")
        files.write_atomically(
            out / f"frenkel_{stem}.out", espresso.relaxation(symbols + extra, np.vstack([moved, where]), cell, base + formation + rng.uniform(-0.004, 0.004))
        )
        reference = "slab.out" if name == "bare" else f"{stem}_on_slab.out"
        lines.append(f"Frenkel {label(name)},frenkel_{stem}.out,{reference},0,{ {'bare': 'C085', 'gl': 'C086', 'gl+edta': 'C087'}[name] }")
        write_structure(
            folder / "structures" / f"frenkel_{stem}.xyz",
            symbols + extra,
            np.vstack([moved, where]),
            period,
            vacancy=" ".join(f"{x:.3f}" for x in vacancy),
            interstitial=k,
            built="ideal I4/mcm positions, one surface iodide moved by hand, ligands laid on, not relaxed",
        )
    write_structure(folder / "structures" / "slab.xyz", symbols, at, period, built="ideal I4/mcm positions, not relaxed")
    files.write_atomically(out / "table.csv", "\n".join(lines) + "\n")


def label(name: str) -> str:
    """The name of a row as the paper calls it."""
    return {
        "acetic_acid": "acetic acid",
        "n_methylacetamide": "amide",
        "trimethylamine": "tertiary amine",
        "gl": "GL",
        "edta": "EDTA",
        "gl+edta": "GL+EDTA",
        "gl+gl": "GL+GL",
        "edta+edta": "EDTA+EDTA",
    }.get(name, name)


def main(arguments: list[str] | None = None) -> int:
    """Write everything; with `--xtb` also run the tight-binding calculations that are missing."""
    arguments = sys.argv[1:] if arguments is None else arguments
    folder = files.ROOT / "data" / "energetics"
    if "--xtb" in arguments:
        xtb.main(folder / "molecules", folder / "xtb")
    write_all(folder)
    return 0
