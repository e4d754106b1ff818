"""Outputs of Gaussian, Psi4, NWChem, Q-Chem (read with `cclib`), FHI-aims and CASTEP (with `ase`),
behind our contract.

The libraries give atoms, charge, multiplicity, basis, solvent. The total energy is found by our
own patterns too, since
cclib takes the SCF energy for the total of some correlated methods and of runs with excited
states, and neither library
says what is not converged; where both readings of the total differ the file is refused and both
are named.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.calculation import (
    HARTREE_EV,
    NUMBER,
    Calculation,
    last,
    numbers,
    to_float,
)
from peled.formats.atomistic.kpoints import sampling
from peled.formats.atomistic.structures import ELEMENTS, Structure


@dataclass(frozen=True)
class _Program:
    """What is to be known of a program: patterns of its total energies, of failure and of a good
    end.
    """

    name: str
    totals: tuple[str, ...]
    failed: str
    finished: str
    unit_eV: float = HARTREE_EV
    dispersion: str = r"(?!)"  # names the correction in group 1
    method: str = r"(?!)"  # names a wave-function method more closely than cclib does
    excited: str = r"(?!)"  # single excitations: the ground state is that of the SCF, first total


GAUSSIAN = _Program(
    "Gaussian",
    (
        r"SCF Done:\s+E\([^)]*\)\s*=\s*{0}",
        r"EUMP\d\s*=\s*{0}",
        r"UMP4\([SDTQ]+\)=\s*{0}",
        r"E\(\w*2\w*PLYP\w*\)\s*=\s*{0}",
        r"\bE\(CORR\)=\s*{0}",
        r"CCSD\(T\)=\s*{0}",
        r"\bE\(CI\)=\s*{0}",
        r"\bMP5\s*=\s*{0}",
        r"ONIOM: extrapolated energy\s*=\s*{0}",
    ),
    r"Convergence criterion not met|SCF has not converged|Convergence failure",
    r"Normal termination of Gaussian",
    dispersion=r"(?i)empiricaldispersion\s*=?\s*\(?(\w+)",
    method=r"(?m)^ #[^\n]*?\s(\S+?)/\S+",
    excited=r"(?im)^ #[^\n]*\bCIS\b",
)
PSI4 = _Program(
    "Psi4",
    (
        r"Final Energy:\s*{0}",
        r"\n\s*Total Energy\s*=\s*{0}",
        r"(?<!SCS )(?<!SCS-)(?:MP\d(?:\.5)?|CCSD|CCSD\(T\)|CC2|CC3|CISD|OMP\d)\s+total "
        r"energy\s*=\s*{0}",
        r"(?m)^[ \t]*\*?\s*(?:MP\d|CCSD(?:\(T\)|\(AT\))?|CC2|CC3) [Tt]otal "
        r"[Ee]nergy[^=\n]*[=:]\s*{0}",
    ),
    r"Could not converge SCF|SCF did not converge|PsiException",
    r"Psi4 exiting successfully",
    dispersion=r"Composite Functional: \S+-(D[234]\w*)",
)
NWCHEM = _Program(
    "NWChem",
    (
        r"Total (?:DFT|SCF|MP2) energy\s*[:=]?\s*{0}",
        r"(?:CCSD(?:\(T\))?|MBPT\(\d\)|CCSDT) total energy / hartree\s*=\s*{0}",
        r"Total CCSD(?:\(T\))? energy:\s*{0}",
        r"sol phase energy\s*=\s*{0}",
    ),
    r"Calculation failed to converge|failed to converge",
    r"Total times  cpu:",
    dispersion=r"(?i)(DFT-D\d)(?: Model|BJ)?",
)
QCHEM = _Program(
    "Q-Chem",
    (
        r"Total energy in the final basis set =\s*{0}",
        r"(?m)^ *Total energy =\s*{0}",
        r"(?m)^ *(?:MP2|MP3|CCD|CCSD|CCSD\(T\)|RIMP2)\s+(?:total )?energy\s*=\s*{0}",
        r"(?m)^ *EMP4(?:SDQ)?\s*=\s*{0}",
    ),
    r"SCF failed to converge|Convergence failure|MAXIMUM OPTIMIZATION CYCLES REACHED",
    r"Have a nice day|Thank you very much for using Q-Chem",
    dispersion=r"(?im)^[ \t]*dft_d\s*=?\s*(\w+)",
)


def molecular(program: _Program):
    """A reader of one molecular program, for the table of readers.

    Parameters
    ----------
    program : _Program
        One of `GAUSSIAN`, `PSI4`, `NWCHEM` and `QCHEM`.

    Returns
    -------
    callable
        (path, text) -> Calculation.
    """
    return lambda path, text: _molecular(path, text, program)


def _by_cclib(path: Path, program: _Program):
    """What cclib makes of an output."""
    try:
        from cclib.io import ccopen
    except ImportError:
        raise FormatError(
            path,
            expected=f"the package cclib to read {program.name}",
            found="none installed",
            advice="pip install cclib",
        ) from None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return ccopen(str(path), loglevel=logging.CRITICAL).parse()
    except Exception as error:  # the parser stumbles in many ways over files that break off
        raise FormatError(
            path,
            expected=f"an output of {program.name} that cclib can read",
            found=f"{type(error).__name__}: {str(error)[:80]}",
            advice="the run may have been stopped",
        ) from None


def _molecular(path: Path, text: str, program: _Program) -> Calculation:
    data = _by_cclib(path, program)
    excited = re.search(program.excited, text) is not None
    energy_eV = _total(path, text, program, program.totals[:1] if excited else ())
    theirs = _their_total_hartree(data, scf=excited)
    if theirs is None or abs(energy_eV - theirs * HARTREE_EV) > 1e-4:
        raise FormatError(
            path,
            expected="one total energy",
            found=f"{energy_eV / HARTREE_EV:.8f} hartree by the last line that names one, "
            + (f"{theirs:.8f} by cclib" if theirs is not None else "none by cclib"),
            advice="split the run into single calculations",
        )
    atoms = getattr(data, "atomnos", [])
    places = getattr(data, "atomcoords", [])
    structure = None
    if len(atoms) and len(places):
        structure = Structure(
            tuple(ELEMENTS[int(z) - 1] for z in atoms), np.array(places[-1], float)
        )
    corrections = np.ravel(getattr(data, "dispersionenergies", []))[-1:]
    thermal_eV = None
    if hasattr(data, "freeenergy"):  # of Q-Chem cclib gives the correction, of the others the sum
        thermal_eV = float(data.freeenergy) * HARTREE_EV
        thermal_eV -= energy_eV if abs(thermal_eV) > abs(energy_eV) / 2 else 0.0
    return Calculation(
        path,
        f"{program.name} {data.metadata.get('legacy_package_version', '')}".strip(),
        energy_eV,
        last(program.failed, text) is None,
        bool(data.optdone) if hasattr(data, "optdone") else None,
        last(program.finished, text) is not None,
        _molecular_settings(text, data, program, bool(corrections.any())),
        structure,
        structure.composition if structure else Counter(),
        dispersion_eV=float(corrections[0]) if corrections.any() else None,
        thermal_eV=thermal_eV,
    )


def _total(path: Path, text: str, program: _Program, totals: tuple[str, ...] = ()) -> float:
    """The total energy that stands last (eV)."""
    matches = (last(pattern.replace("{0}", NUMBER), text) for pattern in totals or program.totals)
    found = max((m for m in matches if m), key=lambda m: m.start(), default=None)
    if found is None:
        raise FormatError(
            path,
            expected=f"a total energy of {program.name}",
            found="none",
            advice="the run stopped before its first self-consistency",
        )
    return to_float(found[1]) * program.unit_eV


def _their_total_hartree(data, *, scf: bool) -> float | None:
    """The total by cclib, which gives eV by a constant of its own: coupled clusters before
    perturbation before SCF, or that of the SCF alone.
    """
    from cclib.parser.utils import convertor

    for name in ("scfenergies",) if scf else ("ccenergies", "mpenergies", "scfenergies"):
        values = np.ravel(getattr(data, name, [])[-1:])
        if values.size:
            return convertor(float(values[-1]), "eV", "hartree")
    return None


def _molecular_settings(text: str, data, program: _Program, corrected: bool) -> dict:
    told, settings = data.metadata, {}
    method = (told.get("methods") or ["HF"])[-1]
    functional = _functional(text, told, program)
    if functional:
        # Psi4 hangs the correction on the name; B97-D and its like are functionals of their own.
        name, _, hung = functional.partition("-D")
        settings["functional"] = name if hung[:1] in tuple("234") and name != "B97" else functional
        named = re.search(program.dispersion, text)
        if named and named[1].upper() not in ("FALSE", "NONE"):
            settings["dispersion"] = "DFT-" + named[1].upper().removeprefix("DFT-")
        elif re.search(r"-D\d?\w*$|-V$|3C$|WB97X-?D|B97-?D|M06|M11|MN1", functional.upper()):
            settings["dispersion"] = "of the functional"
        elif not corrected:
            settings["dispersion"] = "none"
    if not functional:
        closer = re.search(program.method, text)
        name = closer[1].lower() if closer else method.removeprefix("DF-").lower()
        settings["method"] = re.sub(r"^r?o?u?(?=hf|mp|cc|ci|qc|bd)", "", name)
        if re.search(program.excited, text):
            settings["method"] = "hf"
        if method.startswith("DF-"):
            settings["density_fitting"] = "DF"
    if told.get("basis_set"):
        settings["basis"] = str(told["basis_set"]).lower()
    for name in ("charge", "mult"):
        if hasattr(data, name):
            settings["charge" if name == "charge" else "spin"] = int(getattr(data, name))
    if "spin" in settings:
        open_shell = settings["spin"] != 1 or bool(getattr(data, "mocoeffs", [])[1:])
        settings["spin"] = "polarised" if open_shell else "none"
    if model := told.get("solvent_model"):
        constant = (told.get("solvent_params") or {}).get("epsilon")
        name = told.get("solvent_name") or (f"epsilon {constant:g}" if constant else "unnamed")
        settings["medium"] = f"{str(name).lower()} ({str(model).lower()})"
    else:
        solvent = re.search(
            r"(?i)solvent_method\s*=?\s*(\w+)|polarizable continuum|\bcosmo\b", text
        )
        settings["medium"] = (
            f"unnamed ({(solvent[1] or 'continuum').lower()})" if solvent else "vacuum"
        )
    if hasattr(data, "nelectrons"):
        settings["electrons"] = int(data.nelectrons)
    return settings


def _functional(text: str, told: dict, program: _Program) -> str:
    if program is NWCHEM:  # cclib names the exchange only
        table = re.search(r"XC Information\s*\n\s*-+\s*\n((?:[^\n]+\n)+)", text)
        pattern = r"^[ \t]*(\S.*?(?:Exchange|Correlation|XC)\b.*?)(?: Functional)?\s+\d\.\d+"
        rows = re.findall(pattern, table[1], re.M) if table else []
        if rows:
            return "+".join(rows)
    name = str(told.get("functional") or "")
    # cclib also calls a wave-function method a functional.
    wave_function = re.fullmatch(r"(?i)[ru]*(hf|cis.*|mp\d.*|cc.*|qci.*|bd.*|ri.*)", name)
    return "" if wave_function else name or ("unnamed" if "DFT" in told.get("methods", ()) else "")


def aims(path: Path, text: str) -> Calculation:
    """FHI-aims; the energy is that extrapolated to no broadening (`Total energy corrected`).

    Parameters
    ----------
    path : Path
        The file, of which ASE reads the atoms.
    text : str
        Its text.

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström; no structure where ASE finds none.

    Raises
    ------
    FormatError
        Without a total energy.
    """
    program = _Program("FHI-aims", (r"\| Total energy corrected\s*:\s*{0} eV",), "", "", 1.0)
    echo = {
        key: " ".join(value.split())
        for key, value in re.findall(r"^ +([a-z_0-9]+)[ \t]*([^\n#]*)", _control(text), re.M)
    }
    settings: dict = {
        "functional": echo.get("xc", "").upper() or None,
        "spin": {"none": "none", "collinear": "polarised"}.get(echo.get("spin", "none")),
        "charge": to_float(echo["charge"]) if "charge" in echo else 0.0,
        "spin_orbit": "yes" if "include_spin_orbit" in echo else "no",
        "precision": echo.get("relativistic"),
        "dispersion": next((name for key, name in _AIMS_DISPERSION.items() if key in echo), "none"),
        "occupations": echo.get("occupation_type"),
    }
    for kind, tier in re.findall(
        r"species\s+([A-Z][a-z]?)\b[\s\S]*?cut_pot\s+([\d.]+\s+[\d.]+)", _control(text)
    ):
        settings[f"basis {kind}"] = "cut_pot " + " ".join(tier.split())
    if found := re.search(r"number of electrons[^\n]*?:\s*([\d.]+)", text):
        settings["electrons"] = to_float(found[1])
    if "k_grid" in echo:
        size = echo["k_grid"].split()[:3]
        offset = echo.get("k_offset", "0 0 0").split()[:3]
        moved = f", offset {' '.join(offset)}" if set(map(float, offset)) != {0.0} else ""
        mesh = f"{'x'.join(size)} k-points{moved}"
        settings["kpoints"] = "Gamma" if mesh == "1x1x1 k-points" else mesh
    relaxing = "relax_geometry" in echo or "Geometry optimization:" in text
    structure = _by_ase(path, "aims-output")
    failed, reached = (
        text.rfind("Self-consistency cycle not yet converged"),
        text.rfind("Self-consistency cycle converged"),
    )
    return Calculation(
        path,
        "FHI-aims",
        _total(path, text, program),
        reached > failed,
        "Present geometry is converged" in text if relaxing else None,
        "Have a nice day." in text,
        {k: v for k, v in settings.items() if v is not None},
        structure,
        structure.composition if structure else Counter(),
        dispersion_eV=to_float(found[1])
        if (found := last(rf"\| vdW energy correction\s*:\s*\S+ Ha\s+{NUMBER} eV", text))
        else None,
    )


_AIMS_DISPERSION = {
    "vdw_correction_hirshfeld": "TS",
    "vdw_correction_hirshfeld_alkali": "TS",
    "many_body_dispersion": "MBD",
    "many_body_dispersion_nl": "MBD-NL",
    "d3": "DFT-D3",
}


def _control(text: str) -> str:
    """The copy of control.in that an output begins with."""
    found = re.search(r"Parsing control\.in([\s\S]*?)Completed first pass over input file", text)
    return found[1] if found else ""


_CASTEP_FUNCTIONALS = {
    "Perdew Burke Ernzerhof": "PBE",
    "PBE for solids (2008)": "PBESOL",
    "Local Density Approximation": "LDA",
    "PBE with Wu-Cohen exchange": "WC",
    "revised Perdew Burke Ernzerhof": "RPBE",
}


def castep(path: Path, text: str) -> Calculation:
    """CASTEP; the energy is that extrapolated to no broadening (`NB est. 0K energy`) where bands
    are broadened.

    Parameters
    ----------
    path : Path
        The file, of which ASE reads the atoms.
    text : str
        Its text; of several runs in one file the last is read.

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström; no structure where ASE finds none.

    Raises
    ------
    FormatError
        Without a total energy.
    """
    text = text[max(text.rfind("Welcome to CASTEP"), text.rfind("| CCC   AA"), 0) :]
    patterns = (
        r"NB est\. 0K energy \(E-0\.5TS\)\s*=\s*{0}\s+eV",
        r"dispersion corrected est\. 0K energy\*?\s*\(E-0\.5TS\)\s*=\s*{0}\s+eV",
        r"Final energy(?:, E)?\s*=\s*{0}\s+eV",
        r"Dispersion corrected final energy\*?\s*=\s*{0}\s+eV",
    )
    # Without broadening the two extrapolated ones are not printed; with it they follow the others.
    program = _Program("CASTEP", patterns, "", "", 1.0)

    def said(label: str) -> str | None:
        found = re.search(rf"^ *{label}\s*:\s*(\S[^\n]*)", text, re.M)
        return " ".join(found[1].split()) if found else None

    name = said("using functional") or ""
    settings: dict = {
        "functional": _CASTEP_FUNCTIONALS.get(name, name) or None,
        "spin": "polarised" if said("treating system as spin-polarized") else "none",
        "dispersion": "none",
    }
    if cutoff := re.search(rf"plane wave basis set cut-off\s*:\s*{NUMBER}\s*eV", text):
        settings["cutoff_eV"] = to_float(cutoff[1])
    if charge := re.search(rf"net charge of system\s*:\s*{NUMBER}", text):
        settings["charge"] = to_float(charge[1])
    if electrons := re.search(rf"number of\s+electrons\s*:\s*{NUMBER}", text):
        settings["electrons"] = to_float(electrons[1])
    if re.search(r"(?:SEDC|Semi-empirical dispersion correction)[^\n]*:\s*on", text, re.I):
        scheme = re.search(r"SEDC with\s*:\s*(\S+)|Dispersion-correction scheme\s*:\s*(\S+)", text)
        settings["dispersion"] = (scheme[1] or scheme[2]).upper() if scheme else "on"
    structure = _by_ase(path, "castep-castep")
    if mesh := _castep_mesh(text, structure):
        settings["kpoints"] = mesh
    for kind, potential in re.findall(
        r"^[ \t]+([A-Z][a-z]?)\s+(\d\|[\d.|]+[^\s]*|\S+\.(?:usp|recpot|upf))\s*$", text, re.M | re.I
    ):
        settings.setdefault(f"pseudopotential {kind}", potential)
    geometry = None
    if re.search(r"type of calculation\s*:\s*geometry optimization", text):
        geometry = "Geometry optimization completed successfully" in text
    return Calculation(
        path,
        "CASTEP",
        _total(path, text, program),
        "SCF cycles performed but system has not reached" not in text,
        geometry,
        re.search(r"^Total time\s*=", text, re.M) is not None,
        {k: v for k, v in settings.items() if v is not None},
        structure,
        structure.composition if structure else Counter(),
    )


def _castep_mesh(text: str, structure: Structure | None) -> str | None:
    grid = re.search(r"MP grid size for SCF calculation is\s+(\d+)\s+(\d+)\s+(\d+)", text)
    if grid:
        offset = re.search(r"with an offset of\s+(\S+)\s+(\S+)\s+(\S+)", text)
        moved = [float(x) for x in offset.groups()] if offset else [0.0] * 3
        # A Monkhorst-Pack grid of an even number has no point at Gamma: half a step, less the
        # offset.
        shifts = [
            ((n + 1) / 2 + x * n) % 1 for n, x in zip(map(int, grid.groups()), moved, strict=True)
        ]
        word = " ".join("1" if abs(s - 0.5) < 1e-6 else "0" for s in shifts)
        size = "x".join(grid.groups())
        plain = "1" not in word
        return (
            "Gamma"
            if size == "1x1x1" and plain
            else f"{size} k-points" + ("" if plain else f", shifted {word}")
        )
    rows = re.findall(
        rf"^[ \t]*\+\s+\d+\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}\s+\+", text, re.M
    )
    if not rows or structure is None or structure.cell is None:
        return None
    points = numbers(rows)
    return sampling(points[:, :3], points[:, 3], structure.cell)


def _by_ase(path: Path, kind: str) -> Structure | None:
    """The last atoms of an output by ASE; None where it finds none."""
    try:
        from ase.io import read
    except ImportError:
        raise FormatError(
            path, expected="the package ase", found="none installed", advice="pip install ase"
        ) from None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            atoms = read(path, format=kind, index=-1)
    except (
        Exception
    ):  # its readers end in whatever the missing line leads to; the energy needs no atoms
        return None
    cell = np.array(atoms.cell.array) if atoms.pbc.any() else None
    return Structure(tuple(atoms.get_chemical_symbols()), np.array(atoms.positions), cell)
