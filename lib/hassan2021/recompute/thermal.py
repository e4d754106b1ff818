"""Free-energy corrections of ligands and lead complexes: vibrations, rotation and translation in GFN2-xTB (`xtb --hess`).

Rigid rotor and harmonic oscillator with low modes treated as rotors (Grimme 2012, doi:10.1002/chem.201200497), as `xtb` does by default. The lead ion
is the same on both sides of a comparison of two ligands, so its own translation cancels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import partial
from pathlib import Path

from hassan2021.recompute import molecules
from hassan2021.recompute.jobs import FOLDER, Job
from ledger.files import write_atomically

TEMPERATURE_K = 298.15
SYSTEMS = {
    "edta": FOLDER / "molecules" / "edta.xyz",
    "glutathione": FOLDER / "molecules" / "glutathione.xyz",
    "edta_on_lead_ion": FOLDER / "lead" / "edta_on_lead_ion.xyz",
    "glutathione_on_lead_ion": FOLDER / "lead" / "glutathione_on_lead_ion.xyz",
}
OUT = FOLDER / "lead" / "thermal"


def corrections(text: str) -> dict[str, float]:
    """Gibbs, enthalpy and entropy terms (eV) from the printout of `xtb --hess`; entropy as T S.

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
    return {
        "gibbs_correction_eV": float(gibbs[1]) * molecules.HARTREE_EV,
        "enthalpy_correction_eV": enthalpy * molecules.HARTREE_EV,
        "temperature_times_entropy_eV": entropy * molecules.HARTREE_EV,
    }


def run(name: str, scratch: Path) -> None:
    """Hessian of the lowest kept conformer of `name` after `xtb`'s own tight relaxation.

    Raises
    ------
    RuntimeError
        `xtb` stopped, or the geometry is a saddle point.
    """
    frame = molecules.read_frames(SYSTEMS[name])[0]
    rows = [
        f"{s} {x:.8f} {y:.8f} {z:.8f}"
        for s, (x, y, z) in zip(frame.symbols, frame.positions, strict=True)
    ]
    (scratch / "in.xyz").write_text("\n".join([str(len(rows)), name, *rows]) + "\n")
    command = ["xtb", "in.xyz", "--gfn", "2", "--chrg", str(frame.charge), "--ohess", "tight"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_STACKSIZE": "1G"}
    said = subprocess.run(
        command,
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if "normal termination" not in said.stdout + said.stderr:
        raise RuntimeError(f"{name}: xtb stopped: {(said.stdout + said.stderr).strip()[-200:]}")
    imaginary = re.search(r"# imaginary freq\.\s+(\d+)", said.stdout)
    found = corrections(said.stdout)
    record = {
        "system": name,
        "program": "xtb 6.5.1",
        "method": frame.method,
        "charge": frame.charge,
        "temperature_K": TEMPERATURE_K,
        "imaginary_modes": int(imaginary[1]) if imaginary else None,
        **{k: round(v, 6) for k, v in found.items()},
    }
    write_atomically(OUT / f"{name}.json", json.dumps(record, indent=1) + "\n")


def jobs() -> list[Job]:
    """One Hessian a system."""
    return [
        Job(
            f"lead/thermal/{name}",
            partial(run, name),
            (OUT / f"{name}.json",),
            programs=("xtb",),
            minutes=3,
        )
        for name in SYSTEMS
    ]
