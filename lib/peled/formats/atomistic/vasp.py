"""Outputs of VASP: OUTCAR and vasprun.xml."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.calculation import (
    NUMBER,
    Calculation,
    by_element,
    energy,
    last,
    to_float,
    xml_root,
)
from peled.formats.atomistic.structures import Structure, symbol
from peled.formats.contract import allow

_VASP_FUNCTIONAL = {"PE": "PBE", "8": "PBE", "CA": "LDA", "PS": "PBEsol", "91": "PW91"}
_VASP_DISPERSION = {"0": "none", "1": "DFT-D2", "10": "DFT-D2", "11": "DFT-D3", "12": "DFT-D3(BJ)"}


def _on(get, tag: str) -> bool:
    """Whether a logical tag is true, as Fortran writes it (`T`, `.TRUE.`)."""
    return (get(tag) or "").strip(". ").upper().startswith("T")


def _vasp_physics(get) -> dict[str, str]:
    """Settings by tag, `get(tag)` being its text or None; what is not in it has VASP's default, which prints IVDW only where it was set."""

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
    # Two blanks mark the energy of an ionic step; with one blank it is an iteration's, not yet converged.
    energy_eV = energy(path, match, 1.0, "a total energy (energy(sigma->0) or TOTEN)")
    failed, reached = (
        text.rfind("aborting loop EDIFF was not reached"),
        text.rfind("aborting loop because EDIFF is reached"),
    )
    finished = "General timing and accounting" in text

    def get(tag: str) -> str | None:
        # The first mention may be an echo of the input or of a potential: what counts stands in the list of parameters, further down.
        found = last(rf"^(?:[^\n]*;)?[ \t]*{tag}\s*=\s*([^\s;]+)", text, re.M)
        return found[1] if found else None

    settings: dict = {}
    if found := re.search(rf"ENCUT\s*=\s*{NUMBER}\s*eV", text):
        settings["cutoff_eV"] = to_float(found[1])
    if found := re.search(r"NKPTS\s*=\s*(\d+)", text):
        settings["kpoints"] = "Gamma" if found[1] == "1" else f"{found[1]} irreducible k-points"
    if name := _vasp_functional(get):
        settings["functional"] = name
    settings |= _vasp_physics(get)
    ibrion, nsw = re.search(r"IBRION\s*=\s*(-?\d+)", text), re.search(r"NSW\s*=\s*(\d+)", text)
    geometry = None
    if ibrion and int(ibrion[1]) in (1, 2, 3) and nsw and int(nsw[1]) > 0:
        geometry = "reached required accuracy" in text
    counts = re.search(r"ions per type\s*=\s*([\d ]+)", text)
    numbers = counts[1].split() if counts else []
    titles = [
        t.split()
        for t in re.findall(r"TITEL\s*=\s*(\S[^\n]*)", text)
        or re.findall(r"POTCAR:\s*(\S[^\n]*)", text)[: len(numbers)]
    ]
    kinds = re.findall(r"VRHFIN\s*=\s*(\w+)\s*:", text) or [
        t[1].partition("_")[0] for t in titles if len(t) > 1
    ]
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
    valence = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=\s*([-\d. ]+)", text)
    if valence and (electrons := get("NELECT")) and len(valence[1].split()) == len(numbers):
        settings["charge"] = round(
            sum(int(n) * to_float(z) for n, z in zip(numbers, valence[1].split(), strict=True))
            - to_float(electrons),
            3,
        )
    allow(path, 8 * sum(map(int, numbers)), "a list of atoms", place="ions per type")
    symbols = [
        symbol(path, k, 0) for k, n in zip(kinds, numbers, strict=False) for _ in range(int(n))
    ]
    structure = _outcar_structure(text, symbols)
    return Calculation(
        path,
        "VASP",
        energy_eV,
        reached > failed,
        geometry,
        finished,
        settings,
        structure,
        Counter(symbols),
    )


def _outcar_structure(text: str, symbols: list[str]) -> Structure | None:
    cells = list(
        re.finditer(r"direct lattice vectors\s+reciprocal lattice vectors\n((?:[^\n]*\n){3})", text)
    )
    at = text.rfind("POSITION                                       TOTAL-FORCE")
    if not cells or at < 0:
        return None
    try:
        cell = np.array(
            [[float(x) for x in line.split()[:3]] for line in cells[-1][1].strip().split("\n")]
        )
        rows = np.array(
            [
                [float(x) for x in line.split()[:3]]
                for line in text[at:].split("\n")[2 : 2 + len(symbols)]
            ]
        )
        return (
            Structure(tuple(symbols), rows.reshape(-1, 3), cell)
            if len(rows) == len(symbols) and symbols
            else None
        )
    except ValueError:  # numbers that run into each other; the energy is what matters
        return None


def vasprun(path: Path, text: str) -> Calculation:
    """vasprun.xml of VASP; one without an end is not XML and refused."""
    root = xml_root(path, text)
    steps = root.findall("calculation")
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
        # VASP 5.4 writes the entropy in place of the step's e_0_energy; the last iteration has both.
        energy_eV = (
            to_float(found["e_fr_energy"])
            + to_float(inner["e_0_energy"])
            - to_float(inner["e_fr_energy"])
        )
    incar: dict[str, str] = {}
    for i in root.iter(
        "i"
    ):  # the first counts: the input, then the parameters; later ones of one name belong to other parts of the program
        if i.get("name"):
            incar.setdefault(i.get("name"), (i.text or "").strip())
    limit = int(incar.get("NELM", 60))
    settings: dict = {}
    if incar.get("ENMAX") or incar.get("ENCUT"):
        settings["cutoff_eV"] = float(incar.get("ENMAX") or incar["ENCUT"])
    if (points := root.find("kpoints/varray[@name='kpointlist']")) is not None:
        settings["kpoints"] = "Gamma" if len(points) == 1 else f"{len(points)} irreducible k-points"
    if name := _vasp_functional(incar.get):
        settings["functional"] = name
    settings |= _vasp_physics(incar.get)
    types = [
        [(c.text or "").strip() for c in row.findall("c")]
        for row in root.findall("atominfo/array[@name='atomtypes']/set/rc")
    ]
    types = [t for t in types if len(t) >= 5]
    settings |= by_element("pseudopotential", [(t[1], " ".join(t[4].split())) for t in types])
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
    if types and incar.get("NELECT"):
        settings["charge"] = round(
            sum(int(t[0]) * to_float(t[3]) for t in types) - to_float(incar["NELECT"]), 3
        )
    symbols = [
        row.findtext("c", "").strip()
        for row in root.findall("atominfo/array[@name='atoms']/set/rc")
    ]
    structure = None
    places = root.findall("structure[@name='finalpos']") or steps[-1].findall("structure")
    if places and symbols:
        cell = np.array(
            [
                [float(x) for x in v.text.split()]
                for v in places[-1].findall("crystal/varray[@name='basis']/v")
            ]
        )
        fractions = np.array(
            [
                [float(x) for x in v.text.split()]
                for v in places[-1].findall("varray[@name='positions']/v")
            ]
        )
        structure = Structure(tuple(symbol(path, s, 0) for s in symbols), fractions @ cell, cell)
    nsw = int(incar.get("NSW", 0) or 0)
    geometry = (
        len(steps) < nsw if nsw > 1 and incar.get("IBRION", "-1") in ("1", "2", "3") else None
    )
    composition = Counter(structure.symbols if structure else symbols)
    return Calculation(
        path,
        "VASP",
        energy_eV,
        len(iterations) < limit,
        geometry,
        True,
        settings,
        structure,
        composition,
    )
