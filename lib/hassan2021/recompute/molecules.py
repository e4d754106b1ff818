"""Ligands and fragments: from SMILES to the lowest conformers that a search finds, in GFN2-xTB and GFN1-xTB.

The search has three stages: a distance-geometry set (RDKit ETKDG, doi:10.1021/acs.jcim.5b00654, ranked by MMFF94);
metadynamics with the GFN force field (doi:10.1002/anie.202004239, doi:10.1021/acs.jctc.9b00143) from the lowest of them,
whose snapshots are relaxed in the force field and ranked by GFN2-xTB (doi:10.1021/acs.jctc.8b01176); molecular dynamics
with GFN2-xTB from the best. A snapshot in which a bond was made, broken or a proton moved is another substance and is set
aside. What is kept was relaxed by `tblite` to `FORCE_LIMIT`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hassan2021.recompute.jobs import FOLDER, Job
from ledger.files import write_atomically
from peled.formats.atomistic.structures import xyz_frames

HARTREE_EV = 27.211386245988  # CODATA 2018
FORCE_LIMIT = 0.02  # eV/angstrom
SEED = 20210  # of everything drawn here
#: What is calculated, as drawn: neutral unless the SMILES carries charges.
SMILES = {
    "acetic_acid": "CC(=O)O",
    "methylamine": "CN",
    "methylammonium": "C[NH3+]",
    "acetamide": "CC(=O)N",
    "n_methylacetamide": "CC(=O)NC",
    "methanethiol": "CS",
    "trimethylamine": "CN(C)C",
    "dimethyl_ether": "COC",
    "glutathione": "N[C@@H](CCC(=O)N[C@@H](CS)C(=O)NCC(=O)O)C(=O)O",
    "edta": "OC(=O)CN(CCN(CC(=O)O)CC(=O)O)CC(=O)O",
    # Deprotonated: glutathione without its two carboxylic protons, and without that of the thiol too; EDTA with two protons
    # left (on carboxylates of different arms, or on the nitrogens as in water) and with none.
    "glutathione_2-": "N[C@@H](CCC(=O)N[C@@H](CS)C(=O)NCC(=O)[O-])C(=O)[O-]",
    "glutathione_3-": "N[C@@H](CCC(=O)N[C@@H](C[S-])C(=O)NCC(=O)[O-])C(=O)[O-]",
    "edta_2-": "OC(=O)CN(CCN(CC(=O)[O-])CC(=O)O)CC(=O)[O-]",
    "edta_2-_zwitterion": "[O-]C(=O)C[NH+](CC[NH+](CC(=O)[O-])CC(=O)[O-])CC(=O)[O-]",
    "edta_4-": "[O-]C(=O)CN(CCN(CC(=O)[O-])CC(=O)[O-])CC(=O)[O-]",
}
FLEXIBLE = tuple(name for name in SMILES if name.startswith(("glutathione", "edta")))
#: Single-bond covalent radii, angstrom, doi:10.1039/b801115j.
RADII = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "S": 1.05}


@dataclass(frozen=True)
class Frame:
    """A geometry with its energy: positions (atoms, 3) in angstrom, `max_force` in eV/angstrom."""

    symbols: tuple[str, ...]
    positions: np.ndarray
    charge: int = 0
    energy_eV: float = float("nan")
    method: str = ""
    converged: bool = False
    steps: int = 0
    max_force: float = float("nan")
    medium: str = "vacuum"


@dataclass(frozen=True)
class Search:
    """Settings of a search; `walks` are (push in hartree, width in 1/bohr^2) of the metadynamics in the force field."""

    embedded: int = 200
    walks: tuple[tuple[float, float], ...] = ((0.05, 0.4), (0.1, 0.6), (0.1, 1.0), (0.2, 0.4))
    picoseconds: float = 60.0
    temperature_K: float = 400.0
    relaxed: int = 40
    dynamics: int = 2
    dynamics_picoseconds: float = 3.0
    kept: int = 8


def charge_of(smiles: str) -> int:
    """Formal charge written in a SMILES with single charges (`[O-]`, `[NH3+]`)."""
    return smiles.count("+]") - smiles.count("-]")


# ---- files ----------------------------------------------------------------------------------------------------------------


def write_frames(path: Path, frames: Sequence[Frame], **notes) -> None:
    """Frames of extended XYZ, energies in eV, in the order given; `notes` stand in every comment line."""
    blocks = []
    for f in frames:
        keys = {
            "energy": f"{f.energy_eV:.8f}",
            "method": f.method,
            "charge": f.charge,
            "medium": f.medium,
            "converged": "T" if f.converged else "F",
        }
        keys |= {"steps": f.steps, "max_force": f"{f.max_force:.4f}", **notes, "pbc": "F F F"}
        comment = " ".join(
            f'{k}="{v}"' if set(str(v)) & set(" =(),") else f"{k}={v}" for k, v in keys.items()
        )
        rows = [
            f"{s:2s} {x:13.8f} {y:13.8f} {z:13.8f}"
            for s, (x, y, z) in zip(f.symbols, f.positions, strict=True)
        ]
        blocks += [str(len(rows)), f"Properties=species:S:1:pos:R:3 {comment}", *rows]
    write_atomically(path, "\n".join(blocks) + "\n")


def read_frames(path: Path) -> list[Frame]:
    """What `write_frames` wrote; frames without an energy have nan."""
    found = []
    for s in xyz_frames(path, path.read_text(encoding="utf-8").split("\n")):
        get = s.info.get
        energy = float(get("energy", "nan"))
        done = get("converged", "F") in ("T", True)
        steps, force = int(get("steps", 0)), float(get("max_force", "nan"))
        found.append(
            Frame(
                s.symbols,
                np.array(s.positions),
                int(get("charge", 0)),
                energy,
                get("method", ""),
                done,
                steps,
                force,
                get("medium", "vacuum"),
            )
        )
    return found


# ---- what a molecule is -----------------------------------------------------------------------------------------------------


def bonds(symbols: Sequence[str], positions: np.ndarray) -> frozenset[tuple[int, int]]:
    """Covalent bonds (i < j) among H, C, N, O and S; other elements have none.

    Heavy atoms bond within 1.3 times the sum of their radii; a hydrogen belongs to its nearest neighbour by distance over
    the sum of radii, so a hydrogen bond is never one.
    """
    at = np.asarray(positions)
    known = [k for k, s in enumerate(symbols) if s in RADII]
    heavy = [k for k in known if symbols[k] != "H"]
    found = set()
    for n, i in enumerate(heavy):
        for j in heavy[n + 1 :]:
            if np.linalg.norm(at[i] - at[j]) < 1.3 * (RADII[symbols[i]] + RADII[symbols[j]]):
                found.add((i, j))
    for h in known:
        if symbols[h] == "H" and heavy:
            reduced = [
                np.linalg.norm(at[h] - at[k]) / (RADII["H"] + RADII[symbols[k]]) for k in heavy
            ]
            k = heavy[int(np.argmin(reduced))]
            if min(reduced) < 1.5:
                found.add((min(h, k), max(h, k)))
    return frozenset(found)


def graph_key(
    symbols: Sequence[str], edges: Iterable[tuple[int, int]], rounds: int = 16
) -> tuple[str, ...]:
    """The same for two bond graphs that differ in the numbering of like atoms only (Weisfeiler and Leman's colours, hashed)."""
    near: dict[int, list[int]] = {k: [] for k, s in enumerate(symbols) if s in RADII}
    for i, j in edges:
        near[i].append(j)
        near[j].append(i)
    colour = {k: symbols[k] for k in near}
    for _ in range(rounds):
        colour = {
            k: hashlib.sha256(
                f"{colour[k]}({','.join(sorted(colour[j] for j in near[k]))})".encode()
            ).hexdigest()[:16]
            for k in near
        }
    return tuple(sorted(colour.values()))


def handedness(
    symbols: Sequence[str], positions: np.ndarray, centres: Sequence[tuple[int, int, int, int]]
) -> tuple[bool, ...]:
    """Sign of the volume that each centre's first three neighbours span with it: (centre, a, b, c)."""
    at = np.asarray(positions)
    return tuple(bool(np.linalg.det(at[[a, b, c]] - at[k]) > 0) for k, a, b, c in centres)


@dataclass(frozen=True)
class Substance:
    """A molecule by its bonds and handedness, to tell a conformer from another substance."""

    smiles: str
    symbols: tuple[str, ...]
    key: tuple[str, ...]
    centres: tuple[tuple[int, int, int, int], ...]
    hands: tuple[bool, ...]

    @property
    def charge(self) -> int:
        return charge_of(self.smiles)

    def holds(self, positions: np.ndarray) -> bool:
        """Whether the atoms at `positions` (ligand only, order of the SMILES) are still this substance."""
        return (
            graph_key(self.symbols, bonds(self.symbols, positions)) == self.key
            and handedness(self.symbols, positions, self.centres) == self.hands
        )


def embedded(smiles: str, count: int, seed: int = SEED) -> tuple[Substance, list[np.ndarray]]:
    """ETKDG conformers relaxed by MMFF94, lowest first, duplicates (within 0.01 kcal/mol) left out."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    settings = AllChem.ETKDGv3()
    settings.randomSeed = seed
    AllChem.EmbedMultipleConfs(molecule, count, settings)
    energies = [e for _, e in AllChem.MMFFOptimizeMoleculeConfs(molecule, maxIters=2000)]
    order = np.argsort(energies, kind="stable")
    found: list[np.ndarray] = []
    last = -np.inf
    for k in order:
        if energies[k] - last > 0.01:
            found.append(molecule.GetConformer(int(k)).GetPositions())
            last = energies[k]
    symbols = tuple(a.GetSymbol() for a in molecule.GetAtoms())
    chiral = [i for i, _ in Chem.FindMolChiralCenters(molecule)]
    centres = tuple(
        (i, *sorted(n.GetIdx() for n in molecule.GetAtomWithIdx(i).GetNeighbors())[:3])
        for i in chiral
    )
    edges = frozenset(
        (min(e), max(e))
        for e in ((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds())
    )
    return Substance(
        smiles, symbols, graph_key(symbols, edges), centres, handedness(symbols, found[0], centres)
    ), found


# ---- programs ---------------------------------------------------------------------------------------------------------------


def _xtb(frame: Frame, scratch: Path, model: str, *arguments: str, timeout_s: float = 900) -> bool:
    """Run `xtb` in a fresh folder on one core; whether it ended without an error code."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    _write_plain(scratch / "in.xyz", frame)
    solvent = [] if frame.medium == "vacuum" else ["--alpb", frame.medium]
    method = ["--gfnff"] if model == "GFN-FF" else ["--gfn", model[3]]
    one_core = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_STACKSIZE="1G")
    command = ["xtb", "in.xyz", *method, "--chrg", str(frame.charge), *solvent, *arguments]
    try:
        with open(scratch / "log", "w") as log:
            return (
                subprocess.run(
                    command,
                    cwd=scratch,
                    stdout=log,
                    stderr=log,
                    env=one_core,
                    timeout=timeout_s,
                    check=False,
                ).returncode
                == 0
            )
    except subprocess.TimeoutExpired:
        return False


def _write_plain(path: Path, frame: Frame) -> None:
    rows = [
        f"{s} {x:.8f} {y:.8f} {z:.8f}"
        for s, (x, y, z) in zip(frame.symbols, frame.positions, strict=True)
    ]
    path.write_text("\n".join([str(len(rows)), "", *rows]) + "\n")


def _trajectory(path: Path) -> list[tuple[np.ndarray, float]]:
    """Positions and energies (eV) of an xyz file written by xtb."""
    lines = path.read_text().split("\n") if path.exists() else []
    found, count = [], int(lines[0]) if lines and lines[0].strip() else 0
    for start in range(0, len(lines) - count - 1, count + 2):
        at = np.array([line.split()[1:4] for line in lines[start + 2 : start + 2 + count]], float)
        found.append((at, float(lines[start + 1].split("energy:")[1].split()[0]) * HARTREE_EV))
    return found


def crude(
    frame: Frame, scratch: Path, model: str = "GFN2", level: str = "loose", cycles: int = 300
) -> Frame | None:
    """Relaxed by xtb's own optimiser; None when it failed."""
    if not _xtb(frame, scratch, model, "--opt", level, "--cycles", str(cycles)) or not (
        ends := _trajectory(scratch / "xtbopt.xyz")
    ):
        return None
    return replace(frame, positions=ends[-1][0], energy_eV=ends[-1][1], method=f"{model} (xtb)")


def walk(
    frame: Frame,
    scratch: Path,
    model: str,
    picoseconds: float,
    temperature_K: float,
    *,
    push: tuple[float, float] | None,
    every_fs: int,
) -> list[Frame]:
    """Snapshots of molecular dynamics, of metadynamics on the root-mean-square deviation when `push` (hartree, 1/bohr^2) is given."""
    bias = "" if push is None else f"$metadyn\n save=60\n kpush={push[0]}\n alp={push[1]}\n$end\n"
    step = 2 if model == "GFN-FF" else 4
    scratch.parent.mkdir(parents=True, exist_ok=True)
    text = f"$md\n temp={temperature_K:g}\n time={picoseconds:g}\n dump={every_fs}\n step={step}\n hmass=4\n shake={0 if step == 2 else 1}\n velo=false\n$end\n{bias}"
    (settings := scratch.with_suffix(".inp")).write_text(text)
    _xtb(
        frame,
        scratch,
        model,
        "--md" if push is None else "--metadyn",
        "--input",
        str(settings),
        timeout_s=1200,
    )
    return [
        replace(frame, positions=at, energy_eV=energy, method=model)
        for at, energy in _trajectory(scratch / "xtb.trj")
    ]


def quench(
    frame: Frame, method: str = "GFN2-xTB", *, steps: int = 600, fmax: float = FORCE_LIMIT
) -> Frame:
    """Relaxed by tblite with ASE's L-BFGS to `fmax` (eV/angstrom); with `steps=0` the energy of the geometry as it is."""
    from ase import Atoms
    from ase.optimize import LBFGS
    from tblite.ase import TBLite

    atoms = Atoms(frame.symbols, positions=frame.positions)
    solvation = {} if frame.medium == "vacuum" else {"solvation": ("alpb", frame.medium)}
    atoms.calc = TBLite(
        method=method, charge=frame.charge, verbosity=0, max_iterations=500, **solvation
    )
    taken, converged = 0, True
    if steps:
        optimiser = LBFGS(atoms, logfile=None, maxstep=0.15)
        converged, taken = (
            bool(optimiser.run(fmax=fmax, steps=steps)),
            optimiser.get_number_of_steps(),
        )
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    return replace(
        frame,
        positions=atoms.get_positions(),
        energy_eV=float(atoms.get_potential_energy()),
        method=method,
        converged=converged,
        steps=taken,
        max_force=force,
    )


def program() -> str:
    """Names and versions of what `quench` uses."""
    from importlib.metadata import version

    return f"tblite {version('tblite')}; ASE {version('ase')}"


# ---- the search -------------------------------------------------------------------------------------------------------------


def shape(frame: Frame) -> np.ndarray:
    """Sorted distances between heavy atoms, angstrom: unchanged by motion, reflection and exchange of like atoms."""
    at = frame.positions[[k for k, s in enumerate(frame.symbols) if s != "H"]]
    i, j = np.triu_indices(len(at), 1)
    return np.sort(np.linalg.norm(at[i] - at[j], axis=1))


def distinct(
    frames: Iterable[Frame], energy_eV: float = 0.005, shape_angstrom: float = 0.15
) -> list[Frame]:
    """Lowest first; of frames near in energy and in `shape` (largest difference) the lowest only."""
    found: list[Frame] = []
    for f in sorted(frames, key=lambda f: f.energy_eV):
        if not any(
            abs(f.energy_eV - g.energy_eV) < energy_eV
            and np.abs(shape(f) - shape(g)).max() < shape_angstrom
            for g in found
        ):
            found.append(f)
    return found


def relax_lowest(
    starts: Sequence[Frame], count: int, scratch: Path, holds
) -> tuple[list[Frame], list[Frame]]:
    """Of `starts`, ranked by their energies, the lowest `count` relaxed in GFN2-xTB: those that stayed what they were, and other substances."""
    done = [g for f in distinct(starts)[:count] if (g := crude(f, scratch / "opt")) is not None]
    return [g for g in done if holds(g.positions)], [g for g in done if not holds(g.positions)]


def ranked(frames: Iterable[Frame], scratch: Path) -> list[Frame]:
    """Frames relaxed in the force field, then with their GFN2-xTB energies."""
    found = []
    for f in frames:
        if (g := crude(f, scratch / "ff", "GFN-FF", "normal")) is None:
            continue
        try:
            found.append(replace(g, energy_eV=quench(g, steps=0).energy_eV))
        except RuntimeError:  # a self-consistency that fails is one start less
            continue
    return found


def search(
    name: str,
    scratch: Path,
    settings: Search = Search(),
    medium: str = "vacuum",
    extra: Sequence[np.ndarray] = (),
) -> tuple[list[Frame], dict]:
    """The lowest conformers of `SMILES[name]` in GFN2-xTB, and how many starts and snapshots were tried."""
    substance, poses = embedded(SMILES[name], settings.embedded)
    first = [Frame(substance.symbols, p, substance.charge, medium=medium) for p in (*extra, *poses)]
    tried = {"embedded": len(poses), "snapshots": 0, "relaxed": 0, "set_aside": 0}
    if name not in FLEXIBLE:
        return distinct(quench(f) for f in first[:4])[:1], tried
    starts = ranked(first[:60], scratch)
    best = sorted(starts, key=lambda f: f.energy_eV)
    for k, push in enumerate(settings.walks):
        snapshots = walk(
            best[k % len(best)],
            scratch / "walk",
            "GFN-FF",
            settings.picoseconds,
            settings.temperature_K,
            push=push,
            every_fs=1000,
        )
        tried["snapshots"] += len(snapshots)
        starts += ranked(snapshots, scratch)
    found, lost = relax_lowest(starts, settings.relaxed, scratch, substance.holds)
    for f in distinct(found)[: settings.dynamics]:
        snapshots = walk(
            f,
            scratch / "walk",
            "GFN2",
            settings.dynamics_picoseconds,
            settings.temperature_K,
            push=(0.05, 0.6),
            every_fs=200,
        )
        tried["snapshots"] += len(snapshots)
        more, changed = relax_lowest(snapshots, len(snapshots), scratch, substance.holds)
        found, lost = found + more, lost + changed
    tried |= {"relaxed": len(found) + len(lost), "set_aside": len(lost)}
    final = [quench(f) for f in distinct(found)[: settings.kept]]
    return [f for f in distinct(final) if f.converged and substance.holds(f.positions)], tried


def run(name: str, scratch: Path, folder: Path = FOLDER / "molecules") -> None:
    """Search, relax in GFN2-xTB and, from these, in GFN1-xTB; write both."""
    frames, tried = search(name, scratch)
    notes = {
        "smiles": SMILES[name],
        "program": program() + "; RDKit" + ("; xtb 6.5.1" if name in FLEXIBLE else ""),
        **tried,
    }
    write_frames(
        folder / f"{name}.gfn1.xyz", distinct(quench(f, "GFN1-xTB") for f in frames), **notes
    )
    write_frames(folder / f"{name}.xyz", frames, **notes)


def jobs() -> list[Job]:
    """One search a molecule in vacuum; the anions, which have no meaning there, are searched in `lead`."""
    return [
        Job(
            f"molecules/{name}",
            partial(run, name),
            (FOLDER / "molecules" / f"{name}.gfn1.xyz", FOLDER / "molecules" / f"{name}.xyz"),
            packages=("ase", "tblite", "rdkit"),
            programs=("xtb",) if name in FLEXIBLE else (),
            minutes=10 if name in FLEXIBLE else 0.1,
        )
        for name in SMILES
        if charge_of(SMILES[name]) >= 0
    ]
