"""PBE-D3 in Gaussian bases by PySCF: complexes of free lead, and what plane waves are held against.

Density fitting; def2 core potentials on lead and iodine. Solvent is a polarizable continuum
(IEF-PCM) [1]_. `pw.x` adds D3 with zero damping and three-body terms [2]_, the records of free
lead D3 with the damping of Becke and Johnson [3]_, so both are kept where they are compared.

References
----------
.. [1] Lange & Herbert, J. Chem. Phys. 133, 244111 (2010), doi:10.1063/1.3511297.
.. [2] Grimme et al., J. Chem. Phys. 132, 154104 (2010), doi:10.1063/1.3382344.
.. [3] Grimme, Ehrlich & Goerigk, J. Comput. Chem. 32, 1456 (2011), doi:10.1002/jcc.21759.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hassan2021.recompute.jobs import FOLDER, Job, kept_structure, require
from ledger.files import write_atomically
from peled.formats.atomistic.calculation import HARTREE_EV
from peled.formats.atomistic.structures import Structure

#: Relative permittivities at 298 K; water doi:10.1063/1.1461829, DMSO as tabulated by the
#: Minnesota solvent descriptors.
PERMITTIVITY = {"water": 78.355, "dmso": 46.826}
LEAD_CHARGE = 2
GRID, SURFACE_ORDER = 1, 17  # PySCF's integration grids; Lebedev order of the cavity's surface


def molecule(found: Structure, basis: str, charge: int, ghosts: Sequence[int] = ()):
    """PySCF's molecule; `ghosts` are atoms that lend their basis functions only."""
    require(("pyscf", "pyscf.dispersion"))
    from pyscf import gto

    atoms = [
        (f"ghost-{s}" if k in ghosts else s, tuple(at))
        for k, (s, at) in enumerate(zip(found.symbols, found.positions, strict=True))
    ]
    heavy = {s for k, s in enumerate(found.symbols) if s in ("I", "Pb") and k not in ghosts}
    return gto.M(
        atom=atoms,
        basis=basis,
        ecp=dict.fromkeys(heavy, basis),
        charge=charge,
        verbose=0,
        max_memory=6000,
    )


def d3_eV(mol, version: str, *, three_body: bool) -> float:
    """D3 of a molecule for PBE in one damping, `d3zero` or `d3bj`."""
    from pyscf.dispersion import dftd3

    model = dftd3.DFTD3Dispersion(mol, xc="PBE", version=version, atm=three_body)
    return float(model.get_dispersion()["energy"]) * HARTREE_EV


def _field(mol, medium: str, *, dispersion: bool):
    """The converged mean field: most iterations on a coarse grid, in vacuum."""
    from pyscf import dft

    fitting = dft.RKS(mol, xc="pbe").density_fit().with_df
    fitting.build()  # else the three-centre integrals are made anew in every iteration
    density = None
    for grid in (0, GRID):
        mf = dft.RKS(mol, xc="pbe").density_fit()
        mf.with_df, mf.init_guess, mf.grids.level = fitting, "atom", grid
        mf.max_cycle, mf.conv_tol, mf.conv_check = 150, 1e-4 if grid == 0 else 1e-6, False
        if grid and medium != "vacuum":
            mf = mf.PCM()
            mf.with_solvent.method = "IEF-PCM"
            mf.with_solvent.eps = PERMITTIVITY[medium]
            mf.with_solvent.lebedev_order = SURFACE_ORDER
        if grid and dispersion:
            mf.disp = "d3bj"
        mf.kernel(dm0=density)
        density = mf.make_rdm1()
    if not mf.converged:
        raise RuntimeError("expected a converged density, found none after 150 cycles")
    return mf


def part_of(whole: Structure, charge: int, part: str) -> tuple[Structure, int, list[int]]:
    """Atoms, charge and ghosts of `whole`, or of `ligand` or `lead` in it, `+ghost` with the
    other's basis functions.
    """
    if part == "whole":
        return whole, charge, []
    lead = whole.symbols.index("Pb")
    mine = [k for k in range(len(whole)) if (k == lead) == part.startswith("lead")]
    charge = LEAD_CHARGE if part.startswith("lead") else charge - LEAD_CHARGE
    if part.endswith("+ghost"):
        return whole, charge, [k for k in range(len(whole)) if k not in mine]
    symbols = tuple(whole.symbols[k] for k in mine)
    return Structure(symbols, whole.positions[mine]), charge, []


def run(job: Job, target: Path, scratch: Path) -> None:
    """One record: PBE-D3(BJ) at a fixed geometry; settings `basis`, `medium`, `part`.

    Raises
    ------
    RuntimeError
        Its self-consistency did not converge.
    """
    start = time.monotonic()
    file, _, frame = job.start.partition("#")
    basis, medium = job.settings["basis"], job.settings["medium"]
    part = job.settings.get("part", "whole")
    kept = kept_structure(FOLDER / file, int(frame or 0))
    found, charge, ghosts = part_of(kept, int(kept.info["charge"]), part)
    mol = molecule(found, basis, charge, ghosts)
    # Dispersion knows no basis, so the counterpoise parts go without.
    mf = _field(mol, medium, dispersion=part == "whole")
    import pyscf

    said = f"{medium} (IEF-PCM, relative permittivity {PERMITTIVITY.get(medium)})"
    record = {
        "system": job.path.name.rpartition(f".{basis}")[0].split(".")[0].rpartition("-")[0],
        "conformer": int(frame or 0),
        "part": part,
        "geometry": f"{Path(file).name}, frame {frame or 0}",
        "program": "PySCF",
        "version": pyscf.__version__,
        "method": "DFT",
        "functional": "PBE",
        "dispersion": "D3(BJ)" if part == "whole" else "none",
        "basis": basis,
        "ecp": "def2 (60 electrons of Pb)" if mol.has_ecp() else "none",
        "density_fitting": True,
        "auxiliary_basis": str(mf.with_df.auxbasis),
        "grid_level": GRID,
        "medium": medium if medium == "vacuum" else said,
        "charge": charge,
        "spin": 0,
        "energy_eV": float(mf.e_tot) * HARTREE_EV,
        "converged": True,
        "highest_occupied_eV": float(mf.mo_energy[mf.mo_occ > 0].max()) * HARTREE_EV,
        "minutes": round((time.monotonic() - start) / 60, 2),
        "symbols": list(found.symbols),
        "ghost_atoms": ghosts,
    }
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in record.items()]
    rows = ",\n  ".join(json.dumps(row) for row in np.round(found.positions, 8).tolist())
    text = "{\n " + ",\n ".join(lines) + f',\n "positions_angstrom": [\n  {rows}\n ]\n}}\n'
    write_atomically(target, text)


def box_energies(found: Structure, basis: str) -> tuple[float, dict[str, float]]:
    """PBE without dispersion, finer grid, and D3 in both dampings with three-body terms (eV)."""
    from pyscf import dft

    mol = molecule(found, basis, 0)
    # The functional after the fitting basis, as for what is kept: PySCF chooses by it (2 meV).
    field = dft.RKS(mol).density_fit()
    field.xc, field.grids.level, field.conv_tol = "PBE", 4, 1e-8
    energy = field.kernel()
    if not field.converged:
        raise RuntimeError("PySCF did not reach self-consistency")
    dispersion = {v: d3_eV(mol, v, three_body=True) for v in ("d3zero", "d3bj")}
    return float(energy) * HARTREE_EV, dispersion


def run_box(job: Job, target: Path, scratch: Path) -> None:
    """PBE-D3(0) of a kept geometry of the box, D3(BJ) beside it."""
    basis, found = job.settings["basis"], kept_structure(FOLDER / job.start)
    energy, extra = box_energies(found, basis)
    import pyscf

    said = (
        f"Properties=species:S:1:pos:R:3 energy={energy + extra['d3zero']:.6f} "
        f"scf_energy_eV={energy:.6f} d3zero_eV={extra['d3zero']:.6f} "
        f'd3bj_eV={extra["d3bj"]:.6f} program="PySCF {pyscf.__version__}" functional=PBE '
        f"dispersion=DFT-D3 method=PBE-D3(0)/{basis} charge=0 scf_converged=T"
    )
    rows = [
        f"{s:2} " + " ".join(f"{x:13.8f}" for x in at)
        for s, at in zip(found.symbols, found.positions, strict=True)
    ]
    write_atomically(target, "\n".join([str(len(rows)), said, *rows]) + "\n")


def run_dispersion(job: Job, target: Path, scratch: Path) -> None:
    """D3 of every kept record in def2-SVP and vacuum: Becke-Johnson damping without, zero damping
    with three-body terms, so that one can be put in the place of the other.
    """
    found = {}
    for path in sorted((FOLDER / "lead" / "pbe").glob("*-[0-9].def2-svp.vacuum.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if len(record["symbols"]) > 1:
            atoms = Structure(tuple(record["symbols"]), np.array(record["positions_angstrom"]))
            mol = molecule(atoms, "def2-svp", record["charge"])
            found[path.name.split(".")[0]] = {
                f"{v}_eV": round(d3_eV(mol, v, three_body=v == "d3zero"), 6)
                for v in ("d3bj", "d3zero")
            }
    write_atomically(target, json.dumps(found, indent=1) + "\n")
