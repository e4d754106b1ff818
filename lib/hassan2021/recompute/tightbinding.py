"""GFN-xTB by tblite through ASE, and vibrations by xtb.

GFN2-xTB [1]_ and GFN1-xTB [2]_ with their own dispersion; slabs are periodic in three directions,
at the Gamma point of the 2 x 2 cell. Free-energy corrections are those of a rigid rotor and
harmonic oscillator whose low modes turn [3]_, as `xtb` has them by default.

References
----------
.. [1] Bannwarth, Ehlert & Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
   doi:10.1021/acs.jctc.8b01176.
.. [2] Grimme, Bannwarth & Shushkov, J. Chem. Theory Comput. 13, 1989 (2017),
   doi:10.1021/acs.jctc.7b00118.
.. [3] Grimme, Chem. Eur. J. 18, 9955 (2012), doi:10.1002/chem.201200497.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hassan2021.recompute.jobs import FOLDER, Job, kept_structure, require
from ledger.files import write_atomically
from peled.formats.atomistic.calculation import HARTREE_EV
from peled.formats.atomistic.structures import xyz_frames

#: eV/angstrom; in a soft contact (1 eV/angstrom²) this leaves a few meV.
FORCE_LIMIT = 0.07
#: Around the old and the new place of a displaced iodide, what is free (angstrom).
AROUND = 4.0


def calculator(info: Mapping[str, str], accuracy: float = 1.0):
    """tblite for the method, charge and medium that a kept frame or a job names."""
    require(("tblite",))
    from tblite.ase import TBLite

    medium = info.get("medium", "vacuum")
    solvation = {} if medium in ("vacuum", "stand-in") else {"solvation": ("alpb", medium)}
    return TBLite(
        method=info["method"],
        charge=int(info.get("charge", 0)),
        verbosity=0,
        accuracy=accuracy,
        max_iterations=500,
        **solvation,
    )


def _write(path: Path, frames: list[tuple]) -> None:
    """Extended XYZ of (atoms, energy in eV, what else to say) a frame."""
    blocks = []
    for atoms, energy, notes in frames:
        cell = " ".join(f"{x:.6f}" for x in atoms.cell.array.ravel())
        said = {
            "energy": f"{energy:.8f}",
            **notes,
            "pbc": " ".join("FT"[int(p)] for p in atoms.pbc),
        }
        words = ['Lattice="' + cell + '"'] if atoms.cell.rank == 3 else []
        words += ["Properties=species:S:1:pos:R:3"]
        words += [
            f'{k}="{v}"' if set(str(v)) & set(" =(),") else f"{k}={v}" for k, v in said.items()
        ]
        rows = zip(atoms.symbols, atoms.positions, strict=True)
        blocks += [str(len(atoms)), " ".join(words)]
        blocks += [f"{s:2s} {x:13.8f} {y:13.8f} {z:13.8f}" for s, (x, y, z) in rows]
    write_atomically(path, "\n".join(blocks) + "\n")


def _energy(atoms, info: Mapping[str, str], accuracy: float) -> float:
    atoms.calc = calculator(info, accuracy)
    return float(atoms.get_potential_energy())


def run(job: Job, target: Path, scratch: Path) -> None:
    """Kept: the energy of every frame where it lies. Not kept: relaxed from its start by L-BFGS,
    charges first to 5 times tblite's default, the energy to a tenth of it.

    Settings: `method`, `free` (`over` what lies on the slab, `cations`, `defect`, `all`), and
    `like`, the file with the defect whose free atoms a surface without it shares.
    """
    from hassan2021.recompute.slabs import build, to_atoms

    if job.kept:
        kept = xyz_frames(job.path, job.path.read_text(encoding="utf-8").split("\n"))
        frames = [to_atoms(frame) for frame in kept]
        periodic = [frame.cell is not None for frame in kept]
        found = [
            (atoms, _energy(atoms, frame.info, 0.1 if p else 1.0), {"method": frame.info["method"]})
            for atoms, frame, p in zip(frames, kept, periodic, strict=True)
        ]
        _write(target, found)
        return
    from ase.constraints import FixAtoms
    from ase.optimize import LBFGS

    atoms = build(job.start)
    free = _free(atoms, job)
    atoms.set_constraint(FixAtoms(np.setdiff1d(np.arange(len(atoms)), free)))
    atoms.calc = calculator(job.settings, 5.0)
    optimiser = LBFGS(atoms, logfile=None, maxstep=0.15)
    optimiser.run(fmax=FORCE_LIMIT, steps=int(job.settings.get("steps", 150)))
    energy = _energy(atoms, job.settings, 0.1)
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    notes = {
        "method": job.settings["method"],
        "charge": job.settings.get("charge", "0"),
        "converged": "T" if force <= 1.2 * FORCE_LIMIT else "F",
        "steps": optimiser.get_number_of_steps(),
        "max_force": f"{force:.4f}",
        "frozen": len(atoms) - len(free),
        **atoms.info,
        "program": f"tblite {version('tblite')}; ASE {version('ase')}",
        "start": job.start,
    }
    _write(target, [(atoms, energy, notes)])


def _free(atoms, job: Job) -> np.ndarray:
    """Indices of the atoms that move."""
    from hassan2021.recompute.slabs import build

    kind, tags = job.settings.get("free", "all"), atoms.get_tags()
    if kind == "over":
        return np.flatnonzero(tags >= 10)
    if kind == "cations":
        return np.flatnonzero(~np.isin(atoms.numbers, (53, 82)))
    if kind == "all":
        return np.arange(len(atoms))
    # Both are made from the same surface, so the defect tells what was moved and from where.
    defect = build(job.settings["like"]) if "like" in job.settings else atoms
    site = int(defect.info["interstitial"])
    vacancy = defect.copy()
    vacancy.positions[site] = [float(x) for x in defect.info["vacancy"].split()]
    near = np.minimum(*(a.get_distances(site, range(len(a)), mic=True) for a in (defect, vacancy)))
    free = (near < AROUND) | (tags >= 10)
    for carbon in np.flatnonzero((atoms.numbers == 6) & (tags < 10)):
        # A cation (C, N and six H stand together) moves whole or not at all.
        free[carbon : carbon + 8] = free[carbon : carbon + 8].any()
    return np.flatnonzero(free)


def run_stand_in(job: Job, target: Path, scratch: Path) -> None:
    """Energies of kept poses on the thin stand-in of the slab (`slabs.thin`)."""
    from hassan2021.recompute.slabs import build, thin, to_atoms

    found = []
    bare = build("tight_binding/slab-0.gfn2.xyz")
    for frame in xyz_frames(job.path, job.path.read_text(encoding="utf-8").split("\n")):
        pose = to_atoms(frame)
        pose.set_tags(10)
        found.append((pose, _energy(thin(bare + pose), frame.info, 20.0), {}))
    _write(target, found)


def run_solvation(job: Job, target: Path, scratch: Path) -> None:
    """GFN2-xTB energies of kept vacuum geometries in implicit solvent (ALPB), unrelaxed."""
    from hassan2021.recompute.slabs import build

    kept = json.loads(job.path.read_text(encoding="utf-8"))
    for row in kept["rows"]:
        folder = "lead" if row["system"].endswith("lead_ion") else "molecules"
        atoms = build(f"{folder}/{row['system']}.xyz#{row['conformer']}")
        row["energy_eV"] = round(_energy(atoms, {"method": "GFN2-xTB", **row}, 1.0), 8)
    write_atomically(target, json.dumps(kept, indent=0) + "\n")


def corrections(text: str) -> dict[str, float]:
    """Gibbs, enthalpy and entropy terms (eV) from the printout of `xtb --hess`; entropy as T S.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict
        `gibbs_correction_eV`, `enthalpy_correction_eV`, `temperature_times_entropy_eV`.

    Raises
    ------
    ValueError
        Where the printout has no thermochemistry.
    """
    gibbs = re.search(r"G\(RRHO\) contrib\.\s+(-?\d+\.\d+)\s+Eh", text)
    table = re.search(r"^\s*298\.15\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.MULTILINE)
    if gibbs is None or table is None:
        raise ValueError("expected a thermochemistry section of xtb at 298.15 K, found none")
    enthalpy, entropy = (float(table[k].replace("D", "E")) for k in (2, 3))
    terms = {"gibbs_correction_eV": float(gibbs[1]), "enthalpy_correction_eV": enthalpy}
    terms["temperature_times_entropy_eV"] = entropy
    return {name: value * HARTREE_EV for name, value in terms.items()}


def run_hessian(job: Job, target: Path, scratch: Path) -> None:
    """Vibrations of the lowest kept conformer after `xtb`'s own tight relaxation.

    Raises
    ------
    RuntimeError
        `xtb` stopped.
    """
    require(programs=("xtb",))
    found = kept_structure(FOLDER / job.start)
    rows = [
        " ".join([s, *(f"{x:.8f}" for x in at)])
        for s, at in zip(found.symbols, found.positions, strict=True)
    ]
    (scratch / "in.xyz").write_text("\n".join([str(len(rows)), "", *rows]) + "\n")
    said = subprocess.run(
        ["xtb", "in.xyz", "--gfn", "2", "--chrg", found.info["charge"], "--ohess", "tight"],
        cwd=scratch,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_STACKSIZE": "1G"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if "normal termination" not in said.stdout + said.stderr:
        raise RuntimeError(f"xtb stopped: {(said.stdout + said.stderr).strip()[-200:]}")
    imaginary = re.search(r"# imaginary freq\.\s+(\d+)", said.stdout)
    record = {
        "system": job.path.stem,
        "program": "xtb 6.5.1",
        "method": found.info["method"],
        "charge": int(found.info["charge"]),
        "temperature_K": 298.15,
        "imaginary_modes": int(imaginary[1]) if imaginary else None,
        **{k: round(v, 6) for k, v in corrections(said.stdout).items()},
    }
    write_atomically(target, json.dumps(record, indent=1) + "\n")
