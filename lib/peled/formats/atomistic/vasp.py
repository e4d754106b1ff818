"""Outputs of VASP: OUTCAR and vasprun.xml."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.calculation import (
    NUMBER,
    Calculation,
    by_element,
    energy,
    last,
    numbers,
    to_float,
)
from peled.formats.atomistic.kpoints import sampling
from peled.formats.atomistic.structures import Structure, symbol
from peled.formats.contract import allow, xml_root

_VASP_FUNCTIONAL = {"PE": "PBE", "8": "PBE", "CA": "LDA", "PS": "PBEsol", "91": "PW91"}
_FAMILIES = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "PAW_LDA": "LDA"}
_VASP_DISPERSION = {"0": "none", "1": "DFT-D2", "10": "DFT-D2", "11": "DFT-D3", "12": "DFT-D3(BJ)"}


def _on(get, tag: str) -> bool:
    """Whether a logical tag is true, as Fortran writes it (`T`, `.TRUE.`)."""
    return (get(tag) or "").strip(". ").upper().startswith("T")


def _vasp_physics(get) -> dict[str, str]:
    """Settings by tag, `get(tag)` being its text or None; what is not in it has VASP's default,
    which prints IVDW only where it was set.
    """

    def number(tag: str) -> float:
        return to_float(get(tag) or "0")

    settings = {
        "spin": "noncollinear"
        if _on(get, "LNONCOLLINEAR")
        else "polarised"
        if get("ISPIN") == "2"
        else "none"
    }
    settings["spin_orbit"] = "yes" if _on(get, "LSORBIT") else "no"
    settings["dispersion"] = (
        "DFT-D2"
        if _on(get, "LVDW")
        else _VASP_DISPERSION.get(get("IVDW") or "0", f"IVDW {get('IVDW')}")
    )
    settings["exact_exchange"] = (
        f"{number('AEXX'):g}, screening {number('HFSCREEN'):g}" if _on(get, "LHFCALC") else "none"
    )
    settings["field"] = (
        "external" if number("EFIELD") else "dipole correction" if _on(get, "LDIPOL") else "none"
    )
    if prec := get("PREC"):
        settings["precision"] = prec.lower()[:6]
    if kind := get("ISMEAR"):
        name = {"-5": "tetrahedra", "-4": "tetrahedra", "-1": "fermi-dirac", "0": "gaussian"}.get(
            kind, f"methfessel-paxton {kind}"
        )
        settings["occupations"] = name if name == "tetrahedra" else f"{name} {number('SIGMA'):g} eV"
    return settings


def _vasp_functional(get) -> str | None:
    """GGA, or the meta-GGA that replaces it, with the kernel of van der Waals where one is used."""
    meta = (get("METAGGA") or "--").upper()
    name = get("GGA") if get("GGA") not in (None, "--", "type") else get("LEXCH")
    name = _VASP_FUNCTIONAL.get(name, name) if meta in ("--", "F", "NONE") else meta
    return f"{name}+vdW" if name and _on(get, "LUSE_VDW") else name


def outcar(path: Path, text: str) -> Calculation:
    """OUTCAR of VASP.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str

    Returns
    -------
    Calculation
        Energy in eV (sigma -> 0, else TOTEN), positions and cell in ångström.

    Raises
    ------
    FormatError
        Without an energy, or where the last one is that of a machine-learned force field.
    """
    match = last(
        rf"^(?![ \t]*ML ).*energy  without entropy\s*=\s*\S+\s+energy\(sigma->0\)\s*=\s*{NUMBER}",
        text,
        re.M,
    )
    match = match or last(rf"^(?![ \t]*ML ).*free\s+energy\s+TOTEN\s*=\s*{NUMBER}\s*eV", text, re.M)
    if text.rfind("ML energy  without entropy") > (match.end() if match else -1):
        raise FormatError(
            path,
            expected="an energy of density-functional theory",
            found="one of a machine-learned force field",
            advice="do the last step without ML_LMLFF",
        )
    # Two blanks mark the energy of an ionic step; with one blank it is an iteration's, not yet
    # converged.
    energy_eV = energy(path, match, 1.0, "a total energy (energy(sigma->0) or TOTEN)")
    # A step that runs into NELM says so in new versions only: the word has to stand in the last
    # step.
    begun = last(r"Iteration\s+\d+\(\s*1\)", text)
    step = text[begun.start() if begun else 0 :]
    failed, reached = (
        step.rfind("aborting loop EDIFF was not reached"),
        step.rfind("aborting loop because EDIFF is reached"),
    )
    symbols = _outcar_symbols(path, text)
    return Calculation(
        path,
        "VASP",
        energy_eV,
        reached > failed,
        _outcar_relaxed(text),
        "General timing and accounting" in text,
        _outcar_settings(text),
        _outcar_structure(text, symbols),
        Counter(symbols),
        dispersion_eV=to_float(found[1])
        if (found := last(rf"Edisp \(eV\):?\s*{NUMBER}", text))
        else None,
    )


def _outcar_relaxed(text: str) -> bool | None:
    """Whether a relaxation ended; None where none was asked for."""
    ibrion, nsw = re.search(r"IBRION\s*=\s*(-?\d+)", text), re.search(r"NSW\s*=\s*(\d+)", text)
    if not ibrion or int(ibrion[1]) not in (1, 2, 3) or not nsw or int(nsw[1]) == 0:
        return None
    return "reached required accuracy" in text


def _outcar_kinds(text: str) -> tuple[list[str], list[list[str]], list[str]]:
    """Elements, titles of their potentials and numbers of their atoms, as text."""
    counts = re.search(r"ions per type\s*=\s*([\d ]+)", text)
    many = counts[1].split() if counts else []
    lines = re.findall(r"TITEL\s*=\s*(\S[^\n]*)", text)
    titles = [
        line.split() for line in lines or re.findall(r"POTCAR:\s*(\S[^\n]*)", text)[: len(many)]
    ]
    kinds = re.findall(r"VRHFIN\s*=\s*(\w+)\s*:", text)
    return kinds or [t[1].partition("_")[0] for t in titles if len(t) > 1], titles, many


def _outcar_symbols(path: Path, text: str) -> list[str]:
    kinds, _, many = _outcar_kinds(text)
    allow(path, 8 * sum(map(int, many)), "a list of atoms", place="ions per type")
    return [symbol(path, k, 0) for k, n in zip(kinds, many, strict=False) for _ in range(int(n))]


def _outcar_settings(text: str) -> dict:
    kinds, titles, many = _outcar_kinds(text)

    def get(tag: str) -> str | None:
        # The first mention may be an echo of the input or of a potential: what counts stands in
        # the list of parameters, further down.
        found = last(rf"^(?:[^\n]*;)?[ \t]*{tag}\s*=\s*([^\s;]+)", text, re.M)
        return found[1] if found else None

    settings: dict = {}
    if found := re.search(rf"ENCUT\s*=\s*{NUMBER}\s*eV", text):
        settings["cutoff_eV"] = to_float(found[1])
    if mesh := _outcar_mesh(text):
        settings["kpoints"] = mesh
    if name := _vasp_functional(get):
        settings["functional"] = name
    settings |= _vasp_physics(get)
    settings |= by_element(
        "pseudopotential",
        [(kind, " ".join(title)) for kind, title in zip(kinds, titles, strict=False)],
    )
    if found := re.search(r"LDAUU\s*=\s*([-\d. ]+)", text):
        settings |= by_element(
            "Hubbard",
            [
                (kind, f"{to_float(u):g} eV")
                for kind, u in zip(kinds, found[1].split(), strict=False)
                if to_float(u)
            ],
        )
    if electrons := get("NELECT"):
        settings["electrons"] = to_float(electrons)
    valence = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=\s*([-\d. ]+)", text)
    if valence and electrons and len(valence[1].split()) == len(many):
        settings["charge"] = round(
            sum(int(n) * to_float(z) for n, z in zip(many, valence[1].split(), strict=True))
            - to_float(electrons),
            3,
        )
    return settings


def _outcar_mesh(text: str) -> str | None:
    """The mesh from the points in reciprocal coordinates; without their list (a shortened file)
    they are counted.
    """
    count = re.search(r"NKPTS\s*=\s*(\d+)", text)
    table = re.search(
        r"k-points in reciprocal lattice and weights:[^\n]*\n((?:[ \d.E+-]+\n)+)", text
    )
    cell = re.search(
        r"direct lattice vectors\s+reciprocal lattice vectors\n((?:[^\n]*\n){3})", text
    )
    try:
        rows = [row.split() for row in (table[1] if table else "").splitlines() if row.strip()]
        points = np.array(rows, float)
        axes = np.array([row.split()[:3] for row in cell[1].splitlines()], float) if cell else None
    except ValueError:  # numbers that run into each other
        points, axes = np.empty((0, 4)), None
    if count and axes is not None and points.shape == (int(count[1]), 4):
        return sampling(points[:, :3], points[:, 3], axes, rounding=5e-4)
    if count:
        return "Gamma" if count[1] == "1" else f"{count[1]} irreducible k-points"
    return None


def _outcar_structure(text: str, symbols: list[str]) -> Structure | None:
    cells = list(
        re.finditer(r"direct lattice vectors\s+reciprocal lattice vectors\n((?:[^\n]*\n){3})", text)
    )
    at = text.rfind("POSITION                                       TOTAL-FORCE")
    if not cells or at < 0:
        return None
    try:
        cell = numbers(line.split()[:3] for line in cells[-1][1].strip().split("\n"))
        rows = numbers(line.split()[:3] for line in text[at:].split("\n")[2 : 2 + len(symbols)])
        return (
            Structure(tuple(symbols), rows.reshape(-1, 3), cell)
            if len(rows) == len(symbols) and symbols
            else None
        )
    except ValueError:  # numbers that run into each other; the energy is what matters
        return None


def _vectors(place: ElementTree.Element, name: str) -> np.ndarray:
    """The rows of an array of vectors; empty where there is none."""
    found = place.find(name)
    rows = [] if found is None else [(v.text or "").split() for v in found.findall("v")]
    return np.array(rows, float) if rows else np.empty((0, 3))


def _vasprun_relaxed(
    root: ElementTree.Element, steps: list[ElementTree.Element], incar: dict[str, str]
) -> bool | None:
    """Whether the last step of a relaxation meets EDIFFG: forces of free atoms (negative), change
    of energy (positive).

    The number of steps tells nothing: a run that was stopped has less than NSW too. None where
    nothing was relaxed.
    """
    if incar.get("IBRION", "-1") not in ("1", "2", "3") or int(incar.get("NSW", 0) or 0) < 1:
        return None
    limit = to_float(incar.get("EDIFFG") or "0") or 10 * to_float(incar.get("EDIFF") or "1e-4")
    if limit < 0:
        forces = _vectors(steps[-1], "varray[@name='forces']")
        flags = root.find("structure[@name='initialpos']/varray[@name='selective']")
        if flags is not None:
            moves = [[c == "T" for c in (v.text or "").split()] for v in flags.findall("v")]
            forces = np.where(moves, forces, 0.0) if len(moves) == len(forces) else forces
        return len(forces) > 0 and bool(np.linalg.norm(forces, axis=1).max() <= -limit * 1.0001)
    energies = [
        to_float(e.text or "nan")
        for step in steps[-2:]
        for e in step.findall("energy/i")
        if e.get("name") == "e_fr_energy"
    ]
    return len(energies) == 2 and bool(abs(energies[1] - energies[0]) <= limit)


def vasprun(path: Path, text: str) -> Calculation:
    """vasprun.xml of VASP; one without an end is not XML and refused.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström.

    Raises
    ------
    FormatError
        For XML that is not complete, without a total energy, or for a label of no element.
    """
    root = xml_root(path, text, "complete XML")
    steps = root.findall("calculation")
    energy_eV, iterations = _vasprun_energy(path, steps)
    incar: dict[str, str] = {}
    # The first counts: the input, then the parameters; later ones of one name belong to other
    # parts of the program.
    for i in root.iter("i"):
        if i.get("name"):
            incar.setdefault(i.get("name"), (i.text or "").strip())
    symbols = [
        row.findtext("c", "").strip()
        for row in root.findall("atominfo/array[@name='atoms']/set/rc")
    ]
    structure = None
    places = root.findall("structure[@name='finalpos']") or steps[-1].findall("structure")
    if places and symbols:
        cell = _vectors(places[-1], "crystal/varray[@name='basis']")
        fractions = _vectors(places[-1], "varray[@name='positions']")
        structure = Structure(tuple(symbol(path, s, 0) for s in symbols), fractions @ cell, cell)
    settings = _vasprun_settings(root, incar)
    points = _vectors(root, "kpoints/varray[@name='kpointlist']")
    weights = _vectors(root, "kpoints/varray[@name='weights']").ravel()
    if len(points) and len(points) == len(weights) and structure is not None:
        settings["kpoints"] = sampling(points, weights, structure.cell)
    elif len(points):
        settings["kpoints"] = "Gamma" if len(points) == 1 else f"{len(points)} irreducible k-points"
    return Calculation(
        path,
        "VASP",
        energy_eV,
        iterations < int(incar.get("NELM", 60)),
        _vasprun_relaxed(root, steps, incar),
        True,
        settings,
        structure,
        Counter(structure.symbols if structure else symbols),
    )


def _vasprun_energy(path: Path, steps: list[ElementTree.Element]) -> tuple[float, int]:
    """Energy of the last step extrapolated to no broadening, and how many iterations it took."""
    found = {e.get("name"): e.text for e in (steps[-1].findall("energy/i") if steps else [])}
    if "e_0_energy" not in found:
        raise FormatError(
            path,
            expected="a calculation with e_0_energy",
            found=f"{len(steps)} calculations",
            advice="the run stopped before its first self-consistency",
        )
    energy_eV = to_float(found["e_0_energy"])
    iterations = steps[-1].findall("scstep")
    inner = {
        e.get("name"): e.text for e in (iterations[-1].findall("energy/i") if iterations else [])
    }
    if {"e_fr_energy", "e_0_energy"} <= set(inner) and "e_fr_energy" in found:
        # VASP 5.4 writes the entropy in place of the step's e_0_energy; the last iteration has
        # both.
        energy_eV = (
            to_float(found["e_fr_energy"])
            + to_float(inner["e_0_energy"])
            - to_float(inner["e_fr_energy"])
        )
    return energy_eV, len(iterations)


def _vasprun_settings(root: ElementTree.Element, incar: dict[str, str]) -> dict:
    settings: dict = {}
    if incar.get("ENMAX") or incar.get("ENCUT"):
        settings["cutoff_eV"] = float(incar.get("ENMAX") or incar["ENCUT"])
    if name := _vasp_functional(incar.get):
        settings["functional"] = name
    settings |= _vasp_physics(incar.get)
    types = [
        [(c.text or "").strip() for c in row.findall("c")]
        for row in root.findall("atominfo/array[@name='atomtypes']/set/rc")
    ]
    types = [t for t in types if len(t) >= 5]
    settings |= by_element("pseudopotential", [(t[1], " ".join(t[4].split())) for t in types])
    # Without GGA in the input the functional is that of the potentials.
    families = {_FAMILIES.get(t[4].split()[0]) for t in types if t[4].split()}
    if "functional" not in settings and len(families) == 1 and None not in families:
        settings["functional"] = families.pop()
    repulsion = root.find(".//v[@name='LDAUU']")
    if repulsion is not None and _on(incar.get, "LDAU"):
        settings |= by_element(
            "Hubbard",
            [
                (t[1], f"{to_float(u):g} eV")
                for t, u in zip(types, (repulsion.text or "").split(), strict=False)
                if to_float(u)
            ],
        )
    if incar.get("NELECT"):
        settings["electrons"] = to_float(incar["NELECT"])
    if types and incar.get("NELECT"):
        settings["charge"] = round(
            sum(int(t[0]) * to_float(t[3]) for t in types) - to_float(incar["NELECT"]), 3
        )
    return settings
