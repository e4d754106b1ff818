"""Quantum ESPRESSO: inputs for every kept structure, runs with `pw.x`, and outputs cut down to what is read from them.

The paper's settings: PBE, ultrasoft potentials, 25 and 200 Ry, DFT-D3, 10 angstrom of vacuum; Gamma only, for which the
2 x 2 slab is meant. `vdw_corr = 'dft-d3'` of `pw.x` is the zero-damping form with three-body terms (doi:10.1063/1.3382344)
unless `dftd3_version` says otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hassan2021.recompute import pseudopotentials
from hassan2021.recompute.jobs import FOLDER, Job, MissingProgram
from ledger.files import write_atomically
from peled.formats.atomistic import read_calculation
from peled.formats.atomistic.structures import Structure, read_structure, xyz_frames

GROUP = FOLDER / "espresso"
GEOMETRIES = FOLDER / "tight_binding"
MASS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "S": 32.06, "I": 126.904, "Pb": 207.2}
#: Relaxation ends below 1e-3 Ry/bohr (0.026 eV/angstrom).
FORCE_RY_BOHR = 1e-3
#: One core. The rest keeps freed memory with the process: pw.x allocates large arrays at every step, and fresh pages cost a third of its time.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
    "MALLOC_TOP_PAD_": "200000000",
}
#: Local Thomas-Fermi screening. With plain mixing the estimated accuracy falls sooner, while the total energy goes on wandering by up to half an electronvolt.
MIXING = "mixing_mode = 'local-TF', mixing_beta = 0.7"


@dataclass(frozen=True)
class Settings:
    """What must be the same in calculations whose energies are subtracted, and how tightly the density is converged."""

    potentials: str = "soft"
    cutoff_Ry: float = 25.0
    density_cutoff_Ry: float = 200.0
    dispersion: str = "dft-d3"
    threshold_Ry: float = 2e-6

    @property
    def name(self) -> str:
        return f"{self.potentials}-{self.cutoff_Ry:g}"


PAPER = Settings()


def pw_input(
    structure: Structure,
    settings: Settings = PAPER,
    *,
    calculation: str = "scf",
    title: str = "",
    steps: int = 100,
    moving: Sequence[int] | None = None,
    go_on: bool = False,
    keep: bool = False,
) -> str:
    """The input of `pw.x`; potentials are looked for beside it.

    Parameters
    ----------
    structure : Structure
        With a cell.
    calculation : {"scf", "relax"}
        In a relaxation atoms move within the given cell.
    title : str
        Printed by `pw.x`: which geometry this is.
    steps : int
        Limit of a relaxation.
    moving : sequence of int, optional
        The atoms that move in it; all by default.
    go_on, keep : bool
        Start from the density and the wave functions that a run before left in the same folder; leave them there.

    Raises
    ------
    ValueError
        No cell, an element without potential, atoms closer than 0.5 angstrom (periodic images included), or an unknown calculation.
    """
    if calculation not in ("scf", "relax"):
        raise ValueError(f"calculation: expected scf or relax, found {calculation}")
    if structure.cell is None:
        raise ValueError(f"{title or 'structure'}: expected a periodic cell, found none")
    potentials = pseudopotentials.SETS[settings.potentials]
    if unknown := sorted(set(structure.symbols) - set(potentials)):
        raise ValueError(
            f"{title or 'structure'}: no potential for {', '.join(unknown)}; there are {', '.join(potentials)}"
        )
    if (near := closest(structure)) < 0.5:
        raise ValueError(
            f"{title or 'structure'}: expected atoms further apart than 0.5 angstrom, found {near:.2f}"
        )
    kinds = [s for s in potentials if s in structure.symbols]
    free = set(range(len(structure)) if moving is None else moving)
    lines = [
        "&control",
        f"  calculation = '{calculation}', title = '{title}', prefix = 'x', outdir = './out', pseudo_dir = './',",
        f"  disk_io = '{'low' if keep or calculation == 'relax' else 'none'}', tprnfor = .{str(calculation == 'relax').lower()}.,"
        + (
            f" nstep = {steps}, forc_conv_thr = {FORCE_RY_BOHR:g}, etot_conv_thr = 1e-4"
            if calculation == "relax"
            else ""
        ),
        "/",
        "&system",
        f"  ibrav = 0, nat = {len(structure)}, ntyp = {len(kinds)}, ecutwfc = {settings.cutoff_Ry:g}, ecutrho = {settings.density_cutoff_Ry:g},",
        f"  input_dft = 'PBE', vdw_corr = '{settings.dispersion}'",
        "/",
        "&electrons",
        f"  conv_thr = {settings.threshold_Ry:g}, {MIXING}, electron_maxstep = 80"
        + (", startingpot = 'file', startingwfc = 'file'" if go_on else ""),
        "/",
        *(
            [
                "&ions",
                "  ion_dynamics = 'bfgs', pot_extrapolation = 'second_order', wfc_extrapolation = 'second_order'",
                "/",
            ]
            if calculation == "relax"
            else []
        ),
        "ATOMIC_SPECIES",
        *(f"  {s:2} {MASS[s]:8.3f} {potentials[s]}.UPF" for s in kinds),
        "K_POINTS gamma",
        "CELL_PARAMETERS angstrom",
        *("  " + " ".join(f"{x:14.8f}" for x in row) for row in structure.cell),
        "ATOMIC_POSITIONS angstrom",
        *(
            f"  {s:2} " + " ".join(f"{x:14.8f}" for x in at) + ("" if k in free else "  0 0 0")
            for k, (s, at) in enumerate(zip(structure.symbols, structure.positions, strict=True))
        ),
    ]
    return "\n".join(lines) + "\n"


def closest(structure: Structure) -> float:
    """Shortest distance between two atoms or an atom and its images in the neighbouring cells, angstrom."""
    at = structure.positions
    shortest = np.inf
    for shift in np.ndindex(3, 3, 3):
        apart = np.linalg.norm(
            at[:, None] - at[None] - (np.array(shift) - 1) @ structure.cell, axis=2
        )
        if shift == (1, 1, 1):
            apart[np.diag_indices(len(at))] = np.inf
        shortest = min(shortest, apart.min())
    return float(shortest)


def boxed(structure: Structure, cell: np.ndarray) -> Structure:
    """The atoms with the middle of their extent in the middle of `cell` (3, 3), angstrom."""
    middle = (structure.positions.max(axis=0) + structure.positions.min(axis=0)) / 2
    return Structure(structure.symbols, structure.positions - middle + cell.sum(axis=0) / 2, cell)


# ---- running -----------------------------------------------------------------------------------------------------------


def run(structure: Structure, settings: Settings, scratch: Path, **options) -> str:
    """Run `pw.x` in `scratch` on one core and return its trimmed output; `options` are those of `pw_input`. A relaxation may end at its last step.

    Raises
    ------
    MissingProgram
        Without `pw.x`, `ld1.x` or a shipped potential.
    RuntimeError
        It stopped before the end or did not converge.
    """
    if shutil.which("pw.x") is None:
        raise MissingProgram("pw.x: not installed here; Debian: apt install quantum-espresso")
    pseudopotentials.provide(
        (pseudopotentials.SETS[settings.potentials][s] for s in set(structure.symbols)), scratch
    )
    title = options.get("title", "")
    (scratch / "pw.in").write_text(pw_input(structure, settings, **options))
    with open(scratch / "pw.out", "w") as out:
        subprocess.run(
            ["pw.x", "-in", "pw.in"],
            cwd=scratch,
            env=os.environ | ENVIRONMENT,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = (scratch / "pw.out").read_text(errors="replace")
    if (
        "JOB DONE" not in said
        or "convergence NOT achieved" in said
        or "!    total energy" not in said
    ):
        raise RuntimeError(
            f"{title}: pw.x did not come to a converged end; its last words: {said.strip()[-400:]}"
        )
    return trim(said)


#: Lines of an output that are kept: settings, cell, atoms, potentials, every energy, convergence, end.
_KEPT = re.compile(
    r"Title:|bravais-lattice|celldm|crystal axes|k\(\s+\d|positions \(|atomic species  |^\s+[A-Z][a-z]?\s+\d+\.\d+\s+\d+\.\d+\s+[A-Z][a-z]?\s*\(|lattice parameter|unit-cell volume|number of (atoms|atomic types|electrons|Kohn-Sham|k points|iterations)|cutoff  |"
    r"convergence thresh|mixing beta|Exchange-correlation|^\s+\(\s+\d+\s+\d+\s+\d+\s+\d+|a\(\d\) = |PseudoPot\.|Pseudo is|DFT-D3|Dense +grid|Smooth grid|"
    r"site n\.|tau\(|iteration #|total energy|estimated scf|The total energy is|one-electron contribution|hartree contribution|xc contribution|"
    r"ewald contribution|Dispersion|convergence (has|NOT)|has converged|Total force|BFGS|bfgs|energy\s+(old|new)|Gradient error|Energy error|"
    r"Final energy|nstep|JOB DONE|PWSCF +:|highest occupied"
)


def trim(text: str) -> str:
    """An output of `pw.x` without bands, timings, paths, dates and all positions of a relaxation but those of the last energy and the final ones.

    What a reader needs stays as printed.
    """
    lines = text.split("\n")
    blocks = [k for k, line in enumerate(lines) if line.startswith("ATOMIC_POSITIONS")]
    ended = max((k for k, line in enumerate(lines) if line.startswith("!")), default=0)
    wanted = {*blocks[-1:], *[k for k in blocks if k < ended][-1:]}
    kept, k = [], 0
    while k < len(lines):
        line = lines[k].rstrip()
        if match := re.match(r"(\s+Program PWSCF v\.\S+)", line):
            kept.append(match[1])
        elif "Title:" in line:
            kept += [line, lines[k + 1].rstrip()]
            k += 1
        elif "PseudoPot." in line:
            kept += [line, "     " + lines[k + 1].strip().rsplit("/", 1)[-1]]
            k += 1
        elif line.startswith("ATOMIC_POSITIONS"):
            end = next(
                (n for n in range(k + 1, len(lines)) if len(lines[n].split()) not in (4, 7)),
                len(lines),
            )
            if k in wanted:
                kept += [row.rstrip() for row in lines[k:end]]
            k = end - 1
        elif _KEPT.search(line):
            kept.append(line)
        k += 1
    return "\n".join(kept) + "\n"


# ---- every structure ---------------------------------------------------------------------------------------------------


def periodic(folder: Path = GEOMETRIES) -> list[Path]:
    """Extended XYZ files of `folder` that carry a cell, in order of name."""
    return [
        path
        for path in sorted(folder.glob("*.gfn2.xyz"))
        if "Lattice=" in path.read_text().split("\n", 2)[1]
    ]


def lowest(system: str, folder: Path = GEOMETRIES, *, unfinished: bool = False) -> Path | None:
    """The start of lowest energy of a system, `<system>-<start>.gfn2.xyz`, or None; only converged ones count unless `unfinished` and there are none."""
    starts = [
        path
        for path in folder.glob(f"{system}-*.gfn2.xyz")
        if re.fullmatch(r"-\d+\.gfn2\.xyz", path.name[len(system) :])
    ]
    found = [
        (not c.geometry_converged, c.energy_eV, path)
        for path in starts
        if (c := read_calculation(path)).geometry_converged or unfinished
    ]
    return min(found)[2] if found else None


def inputs(paths: Iterable[Path], settings: Settings = PAPER) -> dict[str, str]:
    """A relaxation at the paper's settings from each geometry: file name and text. Made for a cluster; our own runs are single points."""
    return {
        path.name.replace(".xyz", ".in"): pw_input(
            read_structure(path),
            settings,
            calculation="relax",
            title=path.name.removesuffix(".xyz"),
        )
        for path in paths
    }


def write_inputs(folder: Path = GROUP / "inputs") -> list[Path]:
    """Inputs of every periodic tight-binding system from its lowest start, and of the molecules alone in the cell of the slab; removes those of other starts.

    Slabs whose lead and iodide were freed are left out: they are no start for anybody. Returns what was written.
    """
    systems = [
        s
        for s in dict.fromkeys(re.sub(r"-\d+\.gfn2\.xyz$", "", path.name) for path in periodic())
        if not s.endswith("_free")
    ]
    texts = inputs(lowest(s, unfinished=True) for s in systems)
    cell = read_structure(lowest("slab")).cell
    for molecule in sorted(
        {
            m
            for s in systems
            if s.endswith("_on_slab")
            for m in s.removesuffix("_on_slab").split("+")
        }
    ):
        if (FOLDER / "molecules" / f"{molecule}.xyz").exists():
            found, frame = lowest_conformer(molecule)
            texts[f"{molecule}.in"] = pw_input(
                boxed(found, cell), calculation="relax", title=f"{molecule} conformer {frame}"
            )
    written = [write_atomically(folder / name, text) for name, text in texts.items()]
    for path in set(folder.glob("*.in")) - set(written):
        path.unlink()
    return written


# ---- the paper's slab --------------------------------------------------------------------------------------------------

SLAB = GROUP / "slab"
#: Energies to a few meV, in half the iterations of the tighter threshold.
SLAB_SETTINGS = replace(PAPER, threshold_Ry=1e-4)
#: Period along z of our own runs, angstrom: 13.7 of vacuum at the bare slab, 8 to 9 above one ligand, 7.6 above two; inputs keep the geometries' 24.
HEIGHT = 20.0
#: What lies on the slab, in order of running, and the molecules it is made of.
ADSORBED = {
    "acetic_acid": ("acetic_acid",),
    "methylamine": ("methylamine",),
    "glutathione": ("glutathione",),
    "edta": ("edta",),
    "glutathione+edta": ("glutathione", "edta"),
    "n_methylacetamide": ("n_methylacetamide",),
}
#: What is relaxed in `pw.x` too, ligand only, and in how many steps (the first is the given geometry); the molecule alone likewise. Forces want a tighter
#: density than energies.
RELAXED, RELAX_STEPS = ("methylamine", "acetic_acid"), 3
RELAX_SETTINGS = replace(SLAB_SETTINGS, threshold_Ry=3e-5)
LABELS = {
    "glutathione": "GL",
    "edta": "EDTA",
    "glutathione+edta": "GL+EDTA",
    "acetic_acid": "acetic acid",
    "n_methylacetamide": "amide",
}


def lowest_conformer(molecule: str) -> tuple[Structure, int]:
    """The lowest gas-phase conformer in GFN2-xTB of `data/energetics/molecules`, and which frame of the file it is."""
    path = FOLDER / "molecules" / f"{molecule}.xyz"
    frames = xyz_frames(path, path.read_text().split("\n"))
    settled = [k for k, frame in enumerate(frames) if frame.info.get("converged") == "T"]
    if not settled:
        raise ValueError(
            f"{path.name}: expected a converged conformer, found {len(frames)} frames without one"
        )
    best = min(settled, key=lambda k: float(frames[k].info["energy"]))
    return frames[best], best


def slab_geometry(system: str) -> tuple[Structure, str]:
    """`slab`, `<ligands>_on_slab` or a molecule in the slab's cell of height `HEIGHT`, and the name of the geometry.

    Raises
    ------
    FileNotFoundError
        No converged tight-binding geometry yet.
    """
    on_slab = system == "slab" or system.endswith("_on_slab")
    path = lowest(system if on_slab else "slab")
    if path is None:
        raise FileNotFoundError(
            f"{system}: no converged geometry {system}-*.gfn2.xyz in {GEOMETRIES.name}"
        )
    found = read_structure(path)
    cell = found.cell.copy()
    cell[2] = [0, 0, HEIGHT]
    if on_slab:
        return Structure(found.symbols, found.positions, cell), path.name.removesuffix(".xyz")
    molecule, frame = lowest_conformer(system)
    return boxed(molecule, cell), f"{system} conformer {frame}"


def _run_slab(scratch: Path, *, system: str, target: Path) -> None:
    structure, title = slab_geometry(system)
    write_atomically(target, run(structure, SLAB_SETTINGS, scratch, title=title))


def _run_and_relax_slab(scratch: Path, *, system: str, target: Path, relaxed: Path) -> None:
    """The single point, and from its density some steps of the ligand."""
    structure, title = slab_geometry(system)
    write_atomically(target, run(structure, SLAB_SETTINGS, scratch, title=title, keep=True))
    below = len(slab_geometry("slab")[0]) if system.endswith("_on_slab") else 0
    moving = range(below, len(structure))
    text = run(
        structure,
        RELAX_SETTINGS,
        scratch,
        calculation="relax",
        title=f"{title}, ligand relaxed",
        steps=RELAX_STEPS,
        moving=moving,
        go_on=True,
    )
    write_atomically(relaxed, text)


def slab_table(folder: Path = SLAB) -> str:
    """The bookkeeping of what is in `folder`: name, complex, parts, molecules."""
    rows = ["name,complex,parts,molecules"]
    for ligands, molecules in ADSORBED.items():
        files = [f"{ligands}_on_slab.out", *(f"{m}.out" for m in molecules), "slab.out"]
        if all((folder / f).exists() for f in files):
            rows.append(
                f"{LABELS.get(ligands, ligands)},{files[0]},{' + '.join(files[1:])},{len(molecules)}"
            )
    return "\n".join(rows) + "\n"


def _run_table(scratch: Path) -> None:
    write_atomically(SLAB / "table.csv", slab_table())


def _run_inputs(scratch: Path) -> None:
    write_inputs()


def jobs() -> list[Job]:
    """The slab at the paper's settings, inputs for a cluster."""
    found = []
    names = [
        "slab",
        *(n for ligands, molecules in ADSORBED.items() for n in (*molecules, f"{ligands}_on_slab")),
    ]
    for name in dict.fromkeys(names):
        target, relaxed = SLAB / f"{name}.out", SLAB / f"{name}.relaxed.out"
        on_slab = "slab" in name
        after = (f"tight_binding/{name}-0.gfn2",) if on_slab else (f"molecules/{name}",)
        minutes = 15.0 if on_slab else 3.0
        if name.removesuffix("_on_slab") in RELAXED:
            act = partial(_run_and_relax_slab, system=name, target=target, relaxed=relaxed)
            found.append(
                Job(
                    f"espresso/slab/{name}",
                    act,
                    (target, relaxed),
                    programs=("pw.x", "ld1.x"),
                    after=after,
                    minutes=3 * minutes,
                )
            )
        else:
            act = partial(_run_slab, system=name, target=target)
            found.append(
                Job(
                    f"espresso/slab/{name}",
                    act,
                    (target,),
                    programs=("pw.x", "ld1.x"),
                    after=after,
                    minutes=minutes,
                )
            )
    found.append(
        Job(
            "espresso/slab/table",
            _run_table,
            (SLAB / "table.csv",),
            after=tuple(f"espresso/slab/{n}" for n in names),
            minutes=0.01,
        )
    )
    found.append(
        Job(
            "espresso/inputs",
            _run_inputs,
            (GROUP / "inputs" / "slab-0.gfn2.in",),
            after=("tight_binding/slab-0.gfn2",),
            minutes=0.01,
        )
    )
    return found
