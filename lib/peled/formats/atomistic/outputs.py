"""Total energies from the outputs of Quantum ESPRESSO, VASP, CP2K, ORCA, xtb, and from extended XYZ.

What is read beside the energy is what makes two energies comparable: functional, cutoffs, dispersion, k-points, charge,
cell. Which energy: the one each program calls its total (Quantum ESPRESSO `!`, VASP sigma->0, ORCA FINAL SINGLE POINT).
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from peled.formats import FormatError, read_text
from peled.formats.atomistic.structures import (
    BOHR_ANGSTROM,
    Structure,
    comment_keys,
    read_espresso_cards,
    symbol,
    xyz_frames,
)

HARTREE_EV = 27.211386245981  # CODATA 2022
RYDBERG_EV = HARTREE_EV / 2
_NUMBER = r"([+-]?\d+\.?\d*(?:[eEdD][+-]?\d+)?)"


@dataclass(frozen=True)
class Calculation:
    """One finished calculation.

    `scf_converged` speaks of the last self-consistency, `geometry_converged` of an optimisation (None where there was
    none), `finished` of the program having said good-bye. `settings` holds what must be equal for two energies to be
    subtracted; what an output does not say is not in it.
    """

    path: Path
    program: str
    energy_eV: float
    scf_converged: bool
    geometry_converged: bool | None
    finished: bool
    settings: dict = field(default_factory=dict)
    structure: Structure | None = field(default=None, repr=False)
    composition: Counter = field(default_factory=Counter)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What speaks against using the energy."""
        said = []
        if not self.scf_converged:
            said.append("self-consistency not reached")
        if self.geometry_converged is False:
            said.append("geometry not converged")
        if not self.finished:
            said.append("the program did not finish")
        return tuple(said)


def read_calculation(path: str | os.PathLike, *, allow_unconverged: bool = False) -> Calculation:
    """Read the last total energy of an output.

    Parameters
    ----------
    path : path-like
        The program is recognised by the content.
    allow_unconverged : bool
        Return an energy whose self-consistency was not reached, with `scf_converged` False, instead of refusing it.

    Raises
    ------
    FormatError
        For unknown programs, outputs without a total energy, and unconverged self-consistency.
    """
    path = Path(path)
    text = read_text(path, what="an output of Quantum ESPRESSO, VASP, CP2K, ORCA or xtb")
    for marks, reader in _READERS:
        if any(mark in text for mark in marks):
            found = reader(path, text)
            break
    else:
        if re.fullmatch(r"\s*\d+\s*", text.split("\n", 1)[0]):
            found = _extended_xyz(path, text)
        else:
            raise FormatError(
                path, expected="an output of Quantum ESPRESSO, VASP, CP2K, ORCA or xtb, or extended XYZ with an energy", found=repr(text.strip()[:60])
            )
    if not math.isfinite(found.energy_eV):
        raise FormatError(path, expected="a finite total energy", found=str(found.energy_eV))
    if not found.scf_converged and not allow_unconverged:
        raise FormatError(
            path,
            expected="a converged self-consistency",
            found="the last one was not converged",
            advice="continue the calculation, or read with allow_unconverged=True",
        )
    return found


def _last(pattern: str, text: str, flags: int = 0) -> re.Match | None:
    found = None
    for found in re.finditer(pattern, text, flags):  # noqa: B007  the last match is wanted
        pass
    return found


def _float(number: str) -> float:
    return float(number.lower().replace("d", "e"))


def _energy(path: Path, match: re.Match | None, unit_eV: float, what: str) -> float:
    if match is None:
        raise FormatError(path, expected=what, found="none", advice="the run stopped before its first self-consistency")
    return _float(match[1]) * unit_eV


def _position(text: str, mark: str) -> int:
    return text.rfind(mark)


# ---- Quantum ESPRESSO --------------------------------------------------------------------------------------------------


def _espresso(path: Path, text: str) -> Calculation:
    match = _last(rf"^!+\s*total energy\s*=\s*{_NUMBER}\s*Ry", text, re.M)
    failed, reached = _position(text, "convergence NOT achieved"), _position(text, "convergence has been achieved")
    if match is None and failed >= 0:
        match = _last(rf"^\s+total energy\s*=\s*{_NUMBER}\s*Ry", text, re.M)
    energy = _energy(path, match, RYDBERG_EV, "a line '!    total energy'")
    settings: dict = {}
    for name, pattern, unit in (
        ("cutoff_eV", rf"kinetic-energy cutoff\s*=\s*{_NUMBER}\s*Ry", RYDBERG_EV),
        ("density_cutoff_eV", rf"charge density cutoff\s*=\s*{_NUMBER}\s*Ry", RYDBERG_EV),
        ("kpoints", r"number of k points=\s*(\d+)", 1),
    ):
        if found := re.search(pattern, text):
            settings[name] = round(_float(found[1]) * unit, 3)
    if found := re.search(r"Exchange-correlation\s*=\s*([^\n(]+)", text):
        name = " ".join(found[1].split())
        settings["functional"] = {"SLA PW PBE PBE": "PBE", "SLA PW PSX PSC": "PBESOL"}.get(name, name)  # older versions spell the parts out
    if found := re.search(r"(DFT-D3|Grimme-D3|DFT-D2|Grimme-D2|XDM|Tkatchenko-Scheffler|many-body dispersion)", text, re.I):
        settings["dispersion"] = found[1].upper().replace("GRIMME-", "DFT-").replace("TKATCHENKO-SCHEFFLER", "TS")
    elif "Dispersion" not in text:
        settings["dispersion"] = "none"
    settings |= {
        f"pseudopotential {found[1]}": Path(found[2].strip()).name
        for found in re.finditer(r"PseudoPot\. #\s*\d+ for\s+(\w+)\s+read from file:?\s*\n?\s*(\S+)", text)
    }
    geometry = None
    if "BFGS Geometry Optimization" in text or "bfgs" in text.lower():
        geometry = "bfgs converged in" in text or ("End of BFGS Geometry Optimization" in text and "The maximum number of steps has been reached" not in text)
        geometry = geometry and "bfgs failed" not in text and "history already reset" not in text
    structure = _espresso_structure(path, text)
    return Calculation(
        path, "Quantum ESPRESSO", energy, reached > failed, geometry, "JOB DONE" in text, settings, structure, structure.composition if structure else Counter()
    )


def _espresso_structure(path: Path, text: str) -> Structure | None:
    alat = re.search(rf"lattice parameter \(alat\)\s*=\s*{_NUMBER}", text)
    axes = re.findall(rf"a\(\d\) = \(\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*\)", text)
    if not alat or len(axes) < 3:
        return None
    alat_angstrom = _float(alat[1]) * BOHR_ANGSTROM
    cell = np.array([[_float(x) for x in row] for row in axes[:3]]) * alat_angstrom
    if "ATOMIC_POSITIONS" in text:
        return read_espresso_cards(path, text, cell=cell, alat=alat_angstrom)
    sites = re.findall(rf"^\s+\d+\s+(\w+)\s+tau\(\s*\d+\)\s*=\s*\(\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*\)", text, re.M)
    if not sites:
        return None
    return Structure(tuple(symbol(path, s[0], 0) for s in sites), np.array([[_float(x) for x in s[1:]] for s in sites]) * alat_angstrom, cell)


def _xml(path: Path, text: str) -> ElementTree.Element:
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise FormatError(path, expected="plain XML", found="a document type with entities", advice="such files can unfold without end; remove the declaration")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FormatError(path, place=f"line {error.position[0]}", expected="complete XML", found=str(error), advice="the run may have been stopped") from None


def _espresso_xml(path: Path, text: str) -> Calculation:
    output = _xml(path, text).find("output")
    if output is None:
        raise FormatError(path, expected="an element 'output'", found="none", advice="the run stopped before it wrote one")

    def value(place: str) -> str | None:
        return None if (found := output.find(place)) is None or found.text is None else found.text.strip()

    if (etot := value("total_energy/etot")) is None:
        raise FormatError(path, expected="total_energy/etot", found="none")
    settings: dict = {}
    for name, place, unit in (
        ("cutoff_eV", "basis_set/ecutwfc", HARTREE_EV),
        ("density_cutoff_eV", "basis_set/ecutrho", HARTREE_EV),
        ("kpoints", "band_structure/nks", 1),
    ):
        if (found := value(place)) is not None:
            settings[name] = round(float(found) * unit, 3)
    if (found := value("dft/functional")) is not None:
        settings["functional"] = found
    settings["dispersion"] = (value("dft/vdW/vdw_corr") or "none").upper().replace("GRIMME-", "DFT-").replace("NONE", "none")
    scf = value("convergence_info/scf_conv/convergence_achieved")
    geometry = value("convergence_info/opt_conv/convergence_achieved")
    structure = None
    if (atoms := output.find("atomic_structure/atomic_positions")) is not None:
        cell = np.array([[float(x) for x in output.find(f"atomic_structure/cell/a{k}").text.split()] for k in (1, 2, 3)]) * BOHR_ANGSTROM
        structure = Structure(
            tuple(symbol(path, a.get("name"), 0) for a in atoms), np.array([[float(x) for x in a.text.split()] for a in atoms]) * BOHR_ANGSTROM, cell
        )
    return Calculation(
        path,
        "Quantum ESPRESSO",
        float(etot) * HARTREE_EV,
        scf == "true",
        None if geometry is None else geometry == "true",
        True,
        settings,
        structure,
        structure.composition if structure else Counter(),
    )


# ---- VASP --------------------------------------------------------------------------------------------------------------


def _outcar(path: Path, text: str) -> Calculation:
    match = _last(rf"energy  without entropy\s*=\s*\S+\s+energy\(sigma->0\)\s*=\s*{_NUMBER}", text) or _last(
        rf"free\s+energy\s+TOTEN\s*=\s*{_NUMBER}\s*eV", text
    )
    # Two blanks mark the energy of an ionic step; with one blank it is an iteration's, not yet converged.
    energy = _energy(path, match, 1.0, "a total energy (energy(sigma->0) or TOTEN)")
    failed, reached = _position(text, "aborting loop EDIFF was not reached"), _position(text, "aborting loop because EDIFF is reached")
    finished = "General timing and accounting" in text
    settings: dict = {}
    for name, pattern in (("cutoff_eV", rf"ENCUT\s*=\s*{_NUMBER}\s*eV"), ("kpoints", r"NKPTS\s*=\s*(\d+)")):
        if found := re.search(pattern, text):
            settings[name] = _float(found[1])
    gga, lexch = re.search(r"\n\s*GGA\s*=\s*(\S+)", text), re.search(r"LEXCH\s*=\s*(\w+)", text)
    name = gga[1] if gga and gga[1] not in ("--", "type") else lexch[1] if lexch else None
    if name:
        settings["functional"] = {"PE": "PBE", "8": "PBE", "CA": "LDA", "PS": "PBEsol", "91": "PW91"}.get(name, name)
    if found := re.search(r"IVDW\s*=\s*(\d+)", text):
        settings["dispersion"] = {"0": "none", "1": "DFT-D2", "10": "DFT-D2", "11": "DFT-D3", "12": "DFT-D3(BJ)"}.get(found[1], f"IVDW {found[1]}")
    ibrion, nsw = re.search(r"IBRION\s*=\s*(-?\d+)", text), re.search(r"NSW\s*=\s*(\d+)", text)
    geometry = None
    if ibrion and int(ibrion[1]) in (1, 2, 3) and nsw and int(nsw[1]) > 0:
        geometry = "reached required accuracy" in text
    kinds = re.findall(r"VRHFIN\s*=\s*(\w+)\s*:", text)
    counts = re.search(r"ions per type\s*=\s*([\d ]+)", text)
    symbols = [symbol(path, k, 0) for k, n in zip(kinds, counts[1].split(), strict=False) for _ in range(int(n))] if counts else []
    structure = _outcar_structure(text, symbols)
    return Calculation(path, "VASP", energy, reached > failed, geometry, finished, settings, structure, Counter(symbols))


def _outcar_structure(text: str, symbols: list[str]) -> Structure | None:
    cells = list(re.finditer(r"direct lattice vectors\s+reciprocal lattice vectors\n((?:[^\n]*\n){3})", text))
    at = text.rfind("POSITION                                       TOTAL-FORCE")
    if not cells or at < 0:
        return None
    try:
        cell = np.array([[float(x) for x in line.split()[:3]] for line in cells[-1][1].strip().split("\n")])
        rows = np.array([[float(x) for x in line.split()[:3]] for line in text[at:].split("\n")[2 : 2 + len(symbols)]])
        return Structure(tuple(symbols), rows.reshape(-1, 3), cell) if len(rows) == len(symbols) and symbols else None
    except ValueError:  # numbers that run into each other; the energy is what matters
        return None


def _vasprun(path: Path, text: str) -> Calculation:
    root = _xml(path, text)
    steps = root.findall("calculation")
    energies = steps[-1].findall("energy/i") if steps else []
    found = {e.get("name"): e.text for e in energies}
    if "e_0_energy" not in found:
        raise FormatError(
            path, expected="a calculation with e_0_energy", found=f"{len(steps)} calculations", advice="the run stopped before its first self-consistency"
        )
    incar = {i.get("name"): (i.text or "").strip() for i in root.iter("i") if i.get("name")}
    last, limit = len(steps[-1].findall("scstep")), int(incar.get("NELM", 60))
    settings: dict = {}
    if incar.get("ENMAX") or incar.get("ENCUT"):
        settings["cutoff_eV"] = float(incar.get("ENMAX") or incar["ENCUT"])
    if (points := root.find("kpoints/varray[@name='kpointlist']")) is not None:
        settings["kpoints"] = float(len(points))
    if incar.get("GGA") and incar["GGA"] != "--":
        settings["functional"] = {"PE": "PBE", "PS": "PBEsol"}.get(incar["GGA"], incar["GGA"])
    if incar.get("IVDW"):
        settings["dispersion"] = {"0": "none", "11": "DFT-D3", "12": "DFT-D3(BJ)"}.get(incar["IVDW"], f"IVDW {incar['IVDW']}")
    symbols = [row.findtext("c", "").strip() for row in root.findall("atominfo/array[@name='atoms']/set/rc")]
    structure = None
    places = root.findall("structure[@name='finalpos']") or steps[-1].findall("structure")
    if places and symbols:
        cell = np.array([[float(x) for x in v.text.split()] for v in places[-1].findall("crystal/varray[@name='basis']/v")])
        fractions = np.array([[float(x) for x in v.text.split()] for v in places[-1].findall("varray[@name='positions']/v")])
        structure = Structure(tuple(symbol(path, s, 0) for s in symbols), fractions @ cell, cell)
    nsw = int(incar.get("NSW", 0) or 0)
    geometry = len(steps) < nsw if nsw > 1 and incar.get("IBRION", "-1") in ("1", "2", "3") else None
    return Calculation(
        path, "VASP", float(found["e_0_energy"]), last < limit, geometry, True, settings, structure, Counter(structure.symbols if structure else symbols)
    )


# ---- molecular programs ------------------------------------------------------------------------------------------------


def _cp2k(path: Path, text: str) -> Calculation:
    match = _last(rf"ENERGY\|\s*Total FORCE_EVAL\s*\(\s*QS\s*\)\s*energy\s*[\[(](?:a\.u\.|hartree)[\])]:?\s*{_NUMBER}", text)
    energy = _energy(path, match, HARTREE_EV, "a line 'ENERGY| Total FORCE_EVAL ( QS ) energy'")
    failed = max(
        _position(text, "SCF run NOT converged"), _position(text, "Leaving inner SCF loop after reaching") if "outer SCF loop converged" not in text else -1
    )
    reached = max(_position(text, "SCF run converged"), _position(text, "outer SCF loop converged"))
    settings: dict = {}
    if found := re.search(rf"(?:QS\||MULTIGRID INFO)[^\n]*?[Cc]utoff \[a\.u\.\]:?\s*{_NUMBER}", text):
        settings["density_cutoff_eV"] = round(_float(found[1]) * HARTREE_EV, 3)
    if names := re.findall(r"FUNCTIONAL\|\s+([A-Z0-9_]+):", text):
        settings["functional"] = "+".join(dict.fromkeys(names))
    if found := re.search(r"vdW POTENTIAL\|\s*(DFT-D\d)", text):
        settings["dispersion"] = found[1]
    if found := re.search(r"(?:DFT\| Charge|Total charge)\D*(-?\d+)", text):
        settings["charge"] = int(found[1])
    geometry = ("GEOMETRY OPTIMIZATION COMPLETED" in text) if "GEO_OPT" in text or "OPTIMIZATION STEP" in text else None
    composition = Counter()
    if block := _last(r"MODULE QUICKSTEP:\s+ATOMIC COORDINATES IN angstrom\n((?:[^\n]*\n)+?)\s*\n\s*\n", text, re.I):
        composition = Counter(symbol(path, row.split()[2], 0) for row in block[1].split("\n") if re.match(r"\s*\d+\s+\d+\s+[A-Za-z]", row))
    return Calculation(path, "CP2K", energy, reached > failed, geometry, "PROGRAM ENDED AT" in text, settings, None, composition)


def _orca(path: Path, text: str) -> Calculation:
    energy = _energy(path, _last(rf"FINAL SINGLE POINT ENERGY\s+(?:\([^)\n]*\)\s*)?{_NUMBER}", text), HARTREE_EV, "a line 'FINAL SINGLE POINT ENERGY'")
    failed = max(_position(text, "SCF NOT CONVERGED AFTER"), _position(text, "Wavefunction not fully converged"))
    reached = _position(text, "SCF CONVERGED AFTER")
    settings: dict = {}
    if lines := re.findall(r"\|\s*\d+>\s*!([^\n]*)", text):
        words = " ".join(lines).lower().split()
        settings["method"] = " ".join(w for w in words if not re.fullmatch(r"(loose|tight|verytight)?(opt|scf)|numfreq|freq|pal\d+|normalprint|xyzfile|sp", w))
    if found := re.search(r"Total Charge\s+Charge\s+\.+\s+(-?\d+)", text):
        settings["charge"] = int(found[1])
    geometry = None
    if "GEOMETRY OPTIMIZATION CYCLE" in text or "Geometry Optimization Run" in text:
        geometry = "THE OPTIMIZATION HAS CONVERGED" in text
    structure = None
    if block := _last(r"CARTESIAN COORDINATES \(ANGSTROEM\)\n-+\n((?:\s+[A-Za-z]{1,2}\s+\S+\s+\S+\s+\S+\n)+)", text):
        rows = [row.split() for row in block[1].strip().split("\n")]
        structure = Structure(tuple(symbol(path, r[0], 0) for r in rows), np.array([[_float(x) for x in r[1:4]] for r in rows]))
    return Calculation(
        path,
        "ORCA",
        energy,
        reached > failed,
        geometry,
        "ORCA TERMINATED NORMALLY" in text,
        settings,
        structure,
        structure.composition if structure else Counter(),
    )


def _xtb(path: Path, text: str) -> Calculation:
    energy = _energy(path, _last(rf"TOTAL ENERGY\s+{_NUMBER}\s+Eh", text, re.I), HARTREE_EV, "a line 'TOTAL ENERGY ... Eh'")
    failed = max(_position(text, "convergence criteria cannot be satisfied"), _position(text, "Self consistent charge iterator did not converge"))
    settings: dict = {}
    if found := re.search(r"Hamiltonian\s+(GFN\S+)", text):
        settings["method"] = found[1]
    if found := re.search(r"net charge\s+(-?\d+)", text):
        settings["charge"] = int(found[1])
    solvent = re.search(r"\*\s*Solvation model:\s*(\S+)[\s\S]{0,200}?Solvent\s+(\S+)", text)
    settings["solvation"] = f"{solvent[1]} {solvent[2]}" if solvent else "none"
    geometry = None
    if "GEOMETRY OPTIMIZATION" in text:
        geometry = "GEOMETRY OPTIMIZATION CONVERGED" in text
    structure = None
    if block := _last(r"final structure:\s*\n=+\n\s*(\d+)\n[^\n]*\n((?:\s*[A-Za-z]{1,2}\s+\S+\s+\S+\s+\S+\n)+)", text):
        rows = [row.split() for row in block[2].strip().split("\n")]
        structure = Structure(tuple(symbol(path, r[0], 0) for r in rows), np.array([[_float(x) for x in r[1:4]] for r in rows]))
    finished = "normal termination of xtb" in text.replace("abnormal termination", "") or "* finished run" in text
    return Calculation(path, "xtb", energy, failed < 0, geometry, finished, settings, structure, structure.composition if structure else Counter())


def _extended_xyz(path: Path, text: str) -> Calculation:
    frames = xyz_frames(path, text.split("\n"))
    structure = frames[-1]
    info = structure.info
    name = next((key for key in ("energy", "energy_eV", "Energy", "free_energy") if key in info), None)
    try:
        energy = float(info[name])
    except (KeyError, ValueError):
        raise FormatError(path, place="line 2", expected="energy=<eV> in the comment of an extended XYZ", found=repr(info.get("comment", "")[:60])) from None
    settings: dict = {key: info[key] for key in ("method", "functional", "dispersion", "solvation") if key in info}
    for key in ("charge",):
        if key in info:
            settings[key] = int(float(info[key]))
    told = {"T": True, "True": True, "true": True, "F": False, "False": False, "false": False}
    return Calculation(
        path,
        info.get("program", "extended XYZ"),
        energy,
        told.get(info.get("scf_converged"), True),
        told.get(info.get("converged")),
        True,
        settings,
        structure,
        structure.composition,
    )


_READERS = (
    (("Program PWSCF",), _espresso),
    (("<qes:espresso", "quantum-espresso.org/ns/qes"), _espresso_xml),
    (("<modeling>",), _vasprun),
    (("energy  without entropy", "free  energy   TOTEN", " vasp."), _outcar),
    (("CP2K|", "ENERGY| Total FORCE_EVAL"), _cp2k),
    (("* O   R   C   A *", "FINAL SINGLE POINT ENERGY"), _orca),
    (("x T B", "normal termination of xtb"), _xtb),
)

__all__ = ["HARTREE_EV", "RYDBERG_EV", "Calculation", "comment_keys", "read_calculation"]
