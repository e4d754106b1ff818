"""Quantum ESPRESSO: inputs by ASE, runs with `pw.x`, outputs cut down to what is read from them.

The paper's settings: PBE, ultrasoft potentials, 25 and 200 Ry, DFT-D3, Gamma only, for which the
2 x 2 slab is meant. `vdw_corr = 'dft-d3'` of `pw.x` is the zero-damping form with three-body terms
[1]_ unless `dftd3_version` says otherwise.

References
----------
.. [1] Grimme et al., J. Chem. Phys. 132, 154104 (2010), doi:10.1063/1.3382344.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
from pathlib import Path

import numpy as np

from hassan2021.recompute import gaussians, potentials
from hassan2021.recompute.jobs import Job, kept_structure, require
from ledger.files import write_atomically
from peled.formats.atomistic import read_calculation
from peled.formats.atomistic.structures import Structure

#: One core. The rest keeps freed memory with the process: pw.x allocates large arrays at every
#: step, and fresh pages cost a third of its time.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
    "MALLOC_TOP_PAD_": "200000000",
}
#: What every input shares. Local Thomas-Fermi screening: with plain mixing the estimated accuracy
#: falls sooner, while the total energy goes on wandering by up to half an electronvolt.
FIXED = {
    "control": {"prefix": "x", "outdir": "./out", "pseudo_dir": "./"},
    "system": {"input_dft": "PBE", "vdw_corr": "dft-d3"},
    "electrons": {"mixing_mode": "local-TF", "mixing_beta": 0.7, "electron_maxstep": 80},
}
#: Relaxation ends below 1e-3 Ry/bohr (0.026 eV/angstrom).
RELAX = {
    "control": {"tprnfor": True, "forc_conv_thr": 1e-3, "etot_conv_thr": 1e-4, "disk_io": "low"},
    "ions": {
        "ion_dynamics": "bfgs",
        "pot_extrapolation": "second_order",
        "wfc_extrapolation": "second_order",
    },
}
#: Pb-I lengths (angstrom) and I-Pb-I angle at which both programs are compared.
LENGTHS, ANGLE_DEG = (2.74, 2.82, 2.90), 98.0


def pw_input(atoms, settings, *, title: str = "", steps: int = 0, moving=None) -> str:
    """The input of `pw.x`; potentials are looked for beside it.

    Parameters
    ----------
    atoms : ase.Atoms
        With a cell.
    settings : mapping
        `potentials`, `cutoff` (Ry; the density's is eight times as high), `threshold` (Ry).
    title : str
        Printed by `pw.x`: which geometry this is.
    steps : int
        Of a relaxation within the cell; 0 for a single point.
    moving : sequence of int, optional
        The atoms that move in it; all by default.

    Raises
    ------
    ValueError
        No cell, an element without potential, atoms closer than 0.5 angstrom, images included.
    """
    from ase.constraints import FixAtoms
    from ase.io.espresso import write_espresso_in
    from ase.neighborlist import neighbor_list

    chosen = potentials.SETS[settings["potentials"]]
    if atoms.cell.rank < 3:
        raise ValueError(f"{title or 'structure'}: expected a periodic cell, found none")
    if unknown := sorted(set(atoms.symbols) - set(chosen)):
        raise ValueError(f"{title or 'structure'}: no potential for {', '.join(unknown)}")
    atoms = atoms.copy()
    atoms.pbc = True
    if len(near := neighbor_list("d", atoms, 0.5)):
        raise ValueError(
            f"{title or 'structure'}: expected atoms further apart than 0.5 angstrom, "
            f"found {near.min():.2f}"
        )
    if moving is not None:
        atoms.set_constraint(FixAtoms(np.setdiff1d(np.arange(len(atoms)), moving)))
    cutoff = float(settings["cutoff"])
    sections = {name: dict(keys) for name, keys in FIXED.items()}
    sections["control"] |= {"title": title, "calculation": "relax" if steps else "scf"}
    sections["system"] |= {"ecutwfc": cutoff, "ecutrho": 8 * cutoff}
    sections["electrons"]["conv_thr"] = float(settings["threshold"])
    if steps:
        sections["control"] |= RELAX["control"] | {"nstep": steps}
        sections["ions"] = RELAX["ions"]
    else:
        sections["control"]["disk_io"] = "none"
    stream = io.StringIO()
    files = {symbol: f"{chosen[symbol]}.UPF" for symbol in set(atoms.symbols)}
    write_espresso_in(stream, atoms, input_data=sections, pseudopotentials=files)
    return stream.getvalue()


def boxed(atoms, cell):
    """The atoms with the middle of their extent in the middle of `cell`."""
    atoms = atoms.copy()
    atoms.cell, atoms.pbc = cell, True
    middle = (atoms.positions.max(axis=0) + atoms.positions.min(axis=0)) / 2
    atoms.positions += atoms.cell.array.sum(axis=0) / 2 - middle
    return atoms


def _input_of(job: Job, *, steps: int) -> tuple[str, list[str]]:
    """The input of a job and the elements in it: at the kept geometry, else from its start, in the
    cell (`cell`, lengths in angstrom) that its settings name.
    """
    from hassan2021.recompute.slabs import build, to_atoms

    cell = [float(x) for x in job.settings["cell"].split(",")]
    atoms = to_atoms(kept_structure(job.path)) if job.kept else build(job.start)
    slab = bool(atoms.get_tags().any())
    name, _, frame = Path(job.start or job.name).name.partition("#")
    name = name.removesuffix(".xyz") + (f" conformer {frame}" if frame else "")
    if slab or job.kept:
        atoms.cell, atoms.pbc = cell, True
    else:
        atoms = boxed(atoms, cell)
    moving = np.flatnonzero(atoms.get_tags() >= 10) if slab else None
    text = pw_input(atoms, job.settings, title=name, steps=steps, moving=moving if steps else None)
    return text, sorted(set(atoms.symbols))


def write_input(job: Job, folder: Path) -> Path:
    """The input of a job, for another machine.

    Raises
    ------
    ValueError
        It is none of `pw.x`.
    """
    if job.kind != "pw":
        raise ValueError(f"{job.name}: expected a calculation of pw.x, found {job.kind}")
    text, _ = _input_of(job, steps=int(job.settings.get("relax", 0)))
    return write_atomically(folder / f"{job.path.stem}.in", text)


def run(job: Job, target: Path, scratch: Path) -> None:
    """A job of `pw.x`: single point, or `relax` steps of what lies on the slab; a repeat of what is
    kept is a single point where it ended.
    """
    text, elements = _input_of(job, steps=0 if job.kept else int(job.settings.get("relax", 0)))
    write_atomically(target, trim(_pw(text, elements, job.settings["potentials"], scratch)))


def _pw(text: str, elements: list[str], chosen: str, scratch: Path) -> str:
    """What `pw.x` printed, on one core. A relaxation may end at its last step.

    Raises
    ------
    MissingProgram
        Without `pw.x`, `ld1.x` or a shipped potential.
    RuntimeError
        It stopped before the end or did not converge.
    """
    require(programs=("pw.x",))
    potentials.provide((potentials.SETS[chosen][s] for s in elements), scratch)
    (scratch / "pw.in").write_text(text)
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
    wanted = "JOB DONE" in said and "!    total energy" in said
    if not wanted or "convergence NOT achieved" in said:
        raise RuntimeError(f"pw.x did not come to a converged end; it said {said.strip()[-400:]}")
    return said


def run_bond(job: Job, target: Path, scratch: Path) -> None:
    """PbI2 at three lengths of its bonds, in both programs."""
    from ase import Atoms

    basis, side = job.settings["basis"], float(job.settings["cell"])
    half = np.deg2rad(ANGLE_DEG / 2)
    out = np.array([[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]])
    rows = {"pw.x PBE-D3 25/200 Ry": [], f"PySCF PBE-D3/{basis}": []}
    for length in LENGTHS:
        atoms = boxed(Atoms("PbI2", positions=length * out), [side] * 3)
        text = pw_input(atoms, job.settings, title=f"lead_iodide {length:g}")
        (scratch / "bond.out").write_text(
            _pw(text, ["I", "Pb"], job.settings["potentials"], scratch)
        )
        energies = [read_calculation(scratch / "bond.out").energy_eV]
        energy, extra = gaussians.box_energies(Structure(("Pb", "I", "I"), length * out), basis)
        energies.append(energy + extra["d3zero"])
        for found, energy in zip(rows.values(), energies, strict=True):
            found.append(f"{length},{energy:.6f}")
    lines = [f"{program},{row}" for program, found in rows.items() for row in found]
    write_atomically(target, "\n".join(["program,length_angstrom,energy_eV", *lines]) + "\n")


#: Lines of an output that are kept: settings, cell, atoms, potentials, energies, convergence, end.
_KEPT = re.compile(
    r"Title:|bravais-lattice|celldm|crystal axes|k\(\s+\d|positions \(|atomic species  |"
    r"^\s+[A-Z][a-z]?\s+\d+\.\d+\s+\d+\.\d+\s+[A-Z][a-z]?\s*\(|lattice parameter|"
    r"unit-cell volume|number of (atoms|atomic types|electrons|Kohn-Sham|k points|iterations)|"
    r"cutoff  |convergence thresh|mixing beta|Exchange-correlation|"
    r"^\s+\(\s+\d+\s+\d+\s+\d+\s+\d+|a\(\d\) = |PseudoPot\.|Pseudo is|DFT-D3|Dense +grid|"
    r"Smooth grid|site n\.|tau\(|iteration #|total energy|estimated scf|The total energy is|"
    r"one-electron contribution|hartree contribution|xc contribution|ewald contribution|"
    r"Dispersion|convergence (has|NOT)|has converged|Total force|BFGS|bfgs|energy\s+(old|new)|"
    r"Gradient error|Energy error|Final energy|nstep|JOB DONE|PWSCF +:|highest occupied"
)


def trim(text: str) -> str:
    """An output of `pw.x` without bands, timings, paths, dates and all positions of a relaxation
    but those of the last energy and the final ones. What a reader needs stays as printed.

    Parameters
    ----------
    text : str
        What `pw.x` printed.

    Returns
    -------
    str
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
        elif "Title:" in line or "PseudoPot." in line:
            k += 1
            after = lines[k].rstrip()
            kept += [
                line,
                after if "Title:" in line else "     " + after.strip().rsplit("/", 1)[-1],
            ]
        elif line.startswith("ATOMIC_POSITIONS"):
            rows = range(k + 1, len(lines))
            end = next((n for n in rows if len(lines[n].split()) not in (4, 7)), len(lines))
            if k in wanted:
                kept += [row.rstrip() for row in lines[k:end]]
            k = end - 1
        elif _KEPT.search(line):
            kept.append(line)
        k += 1
    return "\n".join(kept) + "\n"
