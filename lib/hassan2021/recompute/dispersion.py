"""D3 of the kept PBE records of free molecules and lead complexes, so that one damping can be put
in the place of another.

The records of PySCF add Becke-Johnson damping without three-body terms, `pw.x` zero damping with
them
(doi:10.1002/jcc.21759, doi:10.1063/1.3382344).
"""

from __future__ import annotations

import json
from pathlib import Path

from hassan2021.recompute.jobs import FOLDER, Job
from hassan2021.recompute.molecules import HARTREE_EV
from ledger.files import write_atomically

RECORDS = FOLDER / "lead" / "pbe"
OUT = FOLDER / "lead" / "dispersion.json"


def run(scratch: Path) -> None:
    """Both forms for every kept geometry of neutral molecules and complexes (records in def2-SVP,
    vacuum).
    """
    from pyscf import gto
    from pyscf.dispersion import dftd3

    found = {}
    for path in sorted(RECORDS.glob("*-[0-9].def2-svp.vacuum.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        atoms = list(zip(record["symbols"], record["positions_angstrom"], strict=True))
        if len(atoms) < 2:
            continue
        molecule = gto.M(
            atom=atoms,
            charge=record["charge"],
            spin=None,
            basis="def2-svp",
            verbose=0,
        )
        found[path.name.split(".")[0]] = {
            f"{version}_eV": round(
                float(
                    dftd3.DFTD3Dispersion(
                        molecule, xc="PBE", version=version, atm=version == "d3zero"
                    ).get_dispersion()["energy"]
                )
                * HARTREE_EV,
                6,
            )
            for version in ("d3bj", "d3zero")
        }
    write_atomically(OUT, json.dumps(found, indent=1) + "\n")


def jobs() -> list[Job]:
    """One job for all: seconds."""
    return [Job("lead/dispersion", run, (OUT,), packages=("pyscf",), minutes=0.1)]
