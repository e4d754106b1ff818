"""Outputs of Quantum ESPRESSO's `pw.x`: text and XML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.calculation import (
    HARTREE_EV,
    NUMBER,
    RYDBERG_EV,
    Calculation,
    by_element,
    energy,
    last,
    numbers,
    to_float,
)
from peled.formats.atomistic.kpoints import sampling
from peled.formats.atomistic.structures import BOHR_ANGSTROM, Structure, symbol
from peled.formats.contract import xml_root

#: Parts of a functional, which older versions of pw.x spell out.
_SPELT_OUT = {
    "SLA PW PBE PBE": "PBE",
    "SLA PW PBX PBC": "PBE",
    "SLA PW PSX PSC": "PBESOL",
    "SLA PZ NOGX NOGC": "PZ",
    "SLA LYP B88 BLYP": "BLYP",
}
_DISPERSION = {
    "GRIMME-D3": "DFT-D3",
    "GRIMME-D2": "DFT-D2",
    "DISPERSION CORRECTION": "DFT-D2",
    "TKATCHENKO-SCHEFFLER": "TS",
    "T-S": "TS",
    "TS-VDW": "TS",
}
_THREE = rf"\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}"


def espresso(path: Path, text: str) -> Calculation:
    """Text of pw.x; not by ASE, which gives energies of unfinished runs without a word and none of
    the settings.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str
        Of several runs in one file the last is read.

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström.

    Raises
    ------
    FormatError
        Without a total energy, for a calculation of bands, or for a label of no element.
    """
    text = text[
        max(text.rfind("     Program PWSCF"), 0) :
    ]  # a continued run may have been appended
    match = last(rf"^!+[ \t]*total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    failed, reached = (
        text.rfind("convergence NOT achieved"),
        text.rfind("convergence has been achieved"),
    )
    if match is None and failed >= 0:
        match = last(rf"^[ \t]+total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    if match is None and re.search(r"Band Structure Calculation", text):
        raise FormatError(
            path,
            expected="a line '!    total energy'",
            found="a calculation of bands",
            advice="the energy stands in the output of the scf before it",
        )
    energy_eV = energy(path, match, RYDBERG_EV, "a line '!    total energy'")
    # "End of BFGS Geometry Optimization" also stands where the steps ran out.
    ended = r"bfgs converged|Damped Dynamics: convergence achieved|convergence achieved, Efinal"
    began = (
        r"BFGS Geometry Optimization|Damped (Cell )?Dynamics|Molecular Dynamics Calculation|"
        r"number of bfgs steps"
    )
    relaxed = re.search(ended, text) is not None
    moving = relaxed or re.search(began, text) is not None
    sites = _espresso_sites(text)
    composition = Counter(symbol(path, label, 0) for label, *_ in sites)
    structure = _espresso_structure(path, text, sites, match.end(), relaxed)
    labels, finished = Counter(label for label, *_ in sites), "JOB DONE" in text
    return Calculation(
        path,
        "Quantum ESPRESSO",
        energy_eV,
        reached > failed,
        relaxed if moving else None,
        finished,
        _espresso_settings(text, labels),
        structure,
        composition,
        _espresso_step_eV(text),
        _espresso_dispersion_eV(text[: match.end() + 3000]),
    )


def _espresso_sites(text: str) -> list[tuple[str, ...]]:
    """Label and coordinates (units of alat) of every atom at the start; the table in crystal
    coordinates that may follow names the same atoms again.
    """
    row = rf"\s+\d+\s+(\w+)\s+tau\(\s*\d+\)\s*=\s*\({_THREE}\s*\)"
    table = re.search(rf"positions \((?!cryst)[^\n]*\n((?:{row}[^\n]*\n)+)", text)
    return re.findall(row, table[1]) if table else []


def _espresso_step_eV(text: str) -> float | None:
    """Change of the total energy in the last iteration of the last self-consistency that ended;
    None if that took one, or dispersion was added at the end.
    """
    if re.search(r"Dispersion XDM|XDM dispersion|MBD", text):
        return None
    found = re.findall(rf"^(!?)[ \t]+total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    ended = max((k for k, (mark, _) in enumerate(found) if mark), default=0)
    return (
        (to_float(found[ended][1]) - to_float(found[ended - 1][1])) * RYDBERG_EV
        if ended and not found[ended - 1][0]
        else None
    )


def _espresso_dispersion_eV(text: str) -> float | None:
    """The term of a dispersion correction in the sum that follows the total energy."""
    found = last(rf"^[ \t]+(?:DFT-D\d?|Dispersion|XDM|T-S)[^\n=]*=\s*{NUMBER}\s*Ry", text, re.M)
    return to_float(found[1]) * RYDBERG_EV if found else None


def _espresso_structure(
    path: Path, text: str, sites: list[tuple[str, ...]], end: int, relaxed: bool
) -> Structure | None:
    """Positions and cell of the last energy, which ends at `end`; not by ASE, which needs every
    blank line and every step of an output, so that a shortened
    one fails.

    Steps that ran out, and molecular dynamics, print last the positions that were to come next. A
    shortened output of a finished relaxation may hold no
    others than the final ones.
    """
    alat, axes = (
        re.search(rf"lattice parameter \((?:alat|a_0)\)\s*=\s*{NUMBER}", text),
        re.findall(rf"a\(\d\) = \({_THREE}\s*\)", text),
    )
    if not alat or len(axes) < 3:
        return None
    unit = {"alat": to_float(alat[1]) * BOHR_ANGSTROM, "bohr": BOHR_ANGSTROM, "angstrom": 1.0}
    cell = numbers(axes[:3]) * unit["alat"]
    block, box = _blocks(text[:end])
    if block is None and relaxed:
        block, box = _blocks(text)
    if box:
        factor = to_float(box[2]) * BOHR_ANGSTROM if box[2] else unit[box[1]]
        cell = numbers(row.split() for row in box[3].strip().split("\n")) * factor
    if block:
        rows = [row.split() for row in block[2].strip().split("\n")]
        at = numbers(row[1:4] for row in rows)
        return Structure(
            tuple(symbol(path, row[0], 0) for row in rows),
            at @ cell if block[1] == "crystal" else at * unit[block[1]],
            cell,
        )
    return (
        Structure(
            tuple(symbol(path, s[0], 0) for s in sites),
            numbers(s[1:] for s in sites) * unit["alat"],
            cell,
        )
        if sites
        else None
    )


def _blocks(text: str) -> tuple[re.Match | None, re.Match | None]:
    """The last cards of positions and of the cell."""
    positions = last(
        r"^ATOMIC_POSITIONS[ \t]*\(?(angstrom|bohr|alat|crystal)\)?[ \t]*\n"
        rf"((?:[ \t]*[A-Za-z]\w*{_THREE}(?:[ \t]+[01]){{0,3}}[ \t]*\n)+)",
        text,
        re.M,
    )
    cell = last(
        r"^CELL_PARAMETERS[ \t]*\(?(angstrom|bohr|alat)"
        rf"(?:\s*=\s*{NUMBER})?\)?[ \t]*\n((?:{_THREE}[ \t]*\n){{3}})",
        text,
        re.M,
    )
    return positions, cell


def _espresso_settings(text: str, sites: Counter) -> dict:
    settings: dict = {}
    for name, pattern in (
        ("cutoff_eV", "kinetic-energy cutoff"),
        ("density_cutoff_eV", "charge density cutoff"),
    ):
        if found := re.search(rf"{pattern}\s*=\s*{NUMBER}\s*Ry", text):
            settings[name] = round(to_float(found[1]) * RYDBERG_EV, 3)
    if mesh := _espresso_mesh(text):
        settings["kpoints"] = mesh
    if found := re.search(rf"number of electrons\s*=\s*{NUMBER}", text):
        settings["electrons"] = to_float(found[1])
    if found := re.search(r"Exchange-correlation\s*=\s*([^\n(]+)", text):
        name = " ".join(found[1].split())
        settings["functional"] = _SPELT_OUT.get(name.replace("+", " "), name)
    # Not in the tables of stress, which name corrections that were not used. A correction without
    # a name is from when there was one only.
    names = (
        "DFT-D3|Grimme-D3|DFT-D2|Grimme-D2|XDM|Tkatchenko-Scheffler|T-S(?= "
        "Correction)|TS-vdW|many-body dispersion|(?<=for )Dispersion Correction"
    )
    if found := re.search(rf"^(?!.*stress).*?({names})", text, re.I | re.M):
        name = found[1].upper()
        settings["dispersion"] = _DISPERSION.get(name, name)
    elif "Dispersion" not in text:
        settings["dispersion"] = "none"
    valence = dict(
        re.findall(rf"^[ \t]+(\w+)\s+{NUMBER}\s+\d+\.\d+\s+\w+\s*\(\s*\d\.\d+\)", text, re.M)
    )
    valence |= re.findall(
        rf"PseudoPot\. #\s*\d+ for\s+(\w+)\s[\s\S]{{0,400}}?Zval\s*=\s*{NUMBER}", text
    )
    if "electrons" in settings and sites and set(sites) <= set(valence):
        neutral = sum(n * to_float(valence[label]) for label, n in sites.items())
        settings["charge"] = round(neutral - settings["electrons"], 3)
    named = re.findall(r"PseudoPot\. #\s*\d+ for\s+(\w+)\s+read from file:?\s*\n?\s*(\S+)", text)
    return (
        settings
        | _espresso_physics(text)
        | by_element("pseudopotential", [(label, Path(file.strip()).name) for label, file in named])
    )


def _espresso_mesh(text: str) -> str | None:
    """The mesh from the points, which the text lists up to a hundred; a longer list is counted
    only.
    """
    count = re.search(r"number of k points=\s*(\d+)", text)
    if not count:
        return None
    table = re.search(r"cart\. coord\. in units 2pi/alat\s*\n((?:\s+k\([^\n]*\n)+)", text)
    rows = re.findall(rf"\) = \({_THREE}\s*\), wk =\s*{NUMBER}", table[1]) if table else []
    axes = re.findall(rf"a\(\d\) = \({_THREE}\s*\)", text)[:3]
    if len(rows) < int(count[1]) or len(axes) < 3:
        return "Gamma" if count[1] == "1" else f"{count[1]} irreducible k-points"
    points, cell = numbers(rows), numbers(axes)
    return sampling(points[:, :3] @ cell.T, points[:, 3], cell)


def _espresso_physics(text: str) -> dict[str, str]:
    """What of spin, correlation, fields and occupations was turned on."""
    settings = {
        "spin": "none",
        "spin_orbit": "yes" if "with spin-orbit" in text else "no",
        "field": "none",
        "isolation": "none",
        "exact_exchange": "none",
    }
    if "Noncollinear calculation" in text:
        settings["spin"] = "noncollinear"
    elif re.search(r"total magnetization\s*=|Starting magnetic structure", text):
        settings["spin"] = "polarised"
    for name, pattern in (
        ("external", "Adding external electric field"),
        ("Berry phase", "Using Berry phase electric field"),
        ("gate", "Adding charged plate"),
    ):
        if pattern in text:
            settings["field"] = name
    for name, pattern in (
        ("Martyna-Tuckerman", "Martyna-Tuckerman method"),
        ("Makov-Payne", "MAKOV-PAYNE CORRECTION"),
        ("ESM", "Effective Screening Medium"),
    ):
        if pattern in text:
            settings["isolation"] = name
    if found := re.search(rf"EXX-fraction\s*=\s*{NUMBER}", text):
        grid = re.search(r"EXX: setup a grid of\s+(\d+)\s+q-points", text)
        settings["exact_exchange"] = f"{to_float(found[1]):g}, {grid[1] if grid else 1} q-points"
    # The table of a calculation with Hubbard U names every species that has one.
    if table := re.search(
        rf"(?:LDA|DFT)\+U calculation[^\n]*\n[^\n]*\n((?: +\w+ +\d(?: +{NUMBER})+[^\n]*\n)+)", text
    ):
        rows = [row.split() for row in table[1].strip().split("\n")]
        settings |= by_element("Hubbard", [(row[0], f"{to_float(row[2]):g} eV") for row in rows])
    elif re.search(r"Hubbard (energy|projectors)", text):
        settings["Hubbard"] = "yes"
    if found := re.search(
        rf"number of k points=\s*\d+\s+(\S+) smearing, width \(Ry\)=\s*{NUMBER}", text
    ):
        settings["occupations"] = f"{found[1].lower()} {to_float(found[2]):g} Ry"
    elif "tetrahedr" in text:
        settings["occupations"] = "tetrahedra"
    elif "number of k points=" in text:
        settings["occupations"] = "fixed"
    return settings


def _xml_charge(text: str) -> float | None:
    found = re.search(rf"<tot_charge>\s*{NUMBER}", text)  # stands in the copy of the input only
    return to_float(found[1]) if found else None


#: Names of smearing, by what the XML may call it and the text prints.
_SMEARING = {
    "mv": "marzari-vanderbilt",
    "m-v": "marzari-vanderbilt",
    "cold": "marzari-vanderbilt",
    "mp": "methfessel-paxton",
    "m-p": "methfessel-paxton",
    "fd": "fermi-dirac",
    "f-d": "fermi-dirac",
}


_ISOLATION = {
    "mt": "Martyna-Tuckerman",
    "m-t": "Martyna-Tuckerman",
    "martyna-tuckerman": "Martyna-Tuckerman",
    "mp": "Makov-Payne",
    "m-p": "Makov-Payne",
    "makov-payne": "Makov-Payne",
    "esm": "ESM",
}


def _xml_physics(output: ElementTree.Element, value) -> dict[str, str]:
    """The settings of `_espresso_physics` from the XML's elements, `value(place)` being their
    text.
    """
    settings = {
        "spin": "none",
        "spin_orbit": "yes" if value("magnetization/spinorbit") == "true" else "no",
        "exact_exchange": "none",
    }
    if value("magnetization/noncolin") == "true":
        settings["spin"] = "noncollinear"
    elif value("magnetization/lsda") == "true":
        settings["spin"] = "polarised"
    kind = value("boundary_conditions/assume_isolated") or "none"
    settings["isolation"] = _ISOLATION.get(kind.lower(), kind)
    fields = (
        ("external", "dipoleInfo"),
        ("Berry phase", "finiteElectricFieldInfo"),
        ("gate", "gateInfo"),
    )
    settings["field"] = next(
        (name for name, place in fields if output.find(f"electric_field/{place}") is not None),
        "none",
    )
    if fraction := value("dft/hybrid/exx_fraction"):
        grid = output.find("dft/hybrid/qpoint_grid")
        points = (
            1 if grid is None else int(np.prod([int(grid.get(f"nqx{k}", "1")) for k in (1, 2, 3)]))
        )
        settings["exact_exchange"] = f"{to_float(fraction):g}, {points} q-points"
    settings |= by_element(
        "Hubbard",
        [
            (u.get("specie", ""), f"{to_float(u.text) * HARTREE_EV:.4g} eV")
            for u in output.findall("dft/dftU/Hubbard_U")
            if u.text and to_float(u.text)
        ],
    )
    kind, smearing = (
        value("band_structure/occupations_kind"),
        output.find("band_structure/smearing"),
    )
    if kind == "smearing" and smearing is not None and smearing.text:
        name = smearing.text.strip().lower()
        settings["occupations"] = (
            f"{_SMEARING.get(name, name)} {2 * to_float(smearing.get('degauss', 'nan')):g} Ry"
        )
    elif kind:
        settings["occupations"] = "tetrahedra" if kind.startswith("tetra") else kind
    return settings


def _xml_mesh(output: ElementTree.Element, cell: np.ndarray) -> str | None:
    """The mesh as it was asked for, else from the points (units of 2 pi/alat)."""
    grid = output.find("band_structure/starting_k_points/monkhorst_pack")
    if grid is not None:
        size = "x".join(grid.get(f"nk{k}", "?") for k in (1, 2, 3))
        shift = [grid.get(f"k{k}", "0") for k in (1, 2, 3)]
        moved = ", shifted " + " ".join(shift) if set(shift) != {"0"} else ""
        return "Gamma" if size == "1x1x1" and not moved else f"{size} k-points{moved}"
    found = output.findall("band_structure/ks_energies/k_point")
    alat = output.find("atomic_structure")
    if not found or alat is None or not alat.get("alat"):
        count = (output.findtext("band_structure/nks") or "").strip()
        gamma = output.findtext("basis_set/gamma_only") == "true"
        return "Gamma" if gamma else f"{count} irreducible k-points" if count else None
    axes = cell / (to_float(alat.get("alat")) * BOHR_ANGSTROM)
    points = numbers((k.text or "").split() for k in found)
    return sampling(points @ axes.T, np.array([float(k.get("weight", 1)) for k in found]), cell)


def espresso_xml(path: Path, text: str) -> Calculation:
    """data-file-schema.xml of pw.x, in hartree and bohr.

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
        For XML that is not complete, without results or a total energy, or for a label of no
        element.
    """
    root = xml_root(path, text, "complete XML")
    output = root.find("output")
    if output is None:
        raise FormatError(
            path,
            expected="an element 'output'",
            found="none",
            advice="the run stopped before it wrote one",
        )

    def value(place: str) -> str | None:
        return (
            None
            if (found := output.find(place)) is None or found.text is None
            else found.text.strip()
        )

    if (etot := value("total_energy/etot")) is None:
        raise FormatError(path, expected="total_energy/etot", found="none")
    scf = value("convergence_info/scf_conv/convergence_achieved")
    if scf is None:  # version 6.1 and older
        error = value("convergence_info/scf_conv/scf_error")
        limit = root.findtext("input/electron_control/conv_thr")
        reached = None not in (error, limit) and to_float(error) <= to_float(limit)
        scf = "true" if reached else "false"
    geometry = value("convergence_info/opt_conv/convergence_achieved")
    structure = _xml_structure(path, output)
    settings = _xml_settings(text, output, value)
    if structure is not None and (mesh := _xml_mesh(output, structure.cell)):
        settings["kpoints"] = mesh
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


def _xml_settings(text: str, output: ElementTree.Element, value: Callable) -> dict:
    settings: dict = {}
    for name, place in (
        ("cutoff_eV", "basis_set/ecutwfc"),
        ("density_cutoff_eV", "basis_set/ecutrho"),
    ):
        if (found := value(place)) is not None:
            settings[name] = round(float(found) * HARTREE_EV, 3)
    if (electrons := value("band_structure/nelec")) is not None:
        settings["electrons"] = to_float(electrons)
    if (found := value("dft/functional")) is not None:
        settings["functional"] = found
    if (charge := _xml_charge(text)) is not None:
        settings["charge"] = charge
    settings["dispersion"] = (
        (value("dft/vdW/vdw_corr") or "none")
        .upper()
        .replace("GRIMME-", "DFT-")
        .replace("NONE", "none")
    )
    if settings["dispersion"] == "DFT-D3" and value("dft/vdW/dftd3_version") == "4":
        settings["dispersion"] = "DFT-D3(BJ)"
    named = [
        (species.get("name", ""), Path(species.findtext("pseudo_file", "").strip()).name)
        for species in output.findall("atomic_species/species")
    ]
    return settings | by_element("pseudopotential", named) | _xml_physics(output, value)


def _xml_structure(path: Path, output: ElementTree.Element) -> Structure | None:
    atoms = output.find("atomic_structure/atomic_positions")
    if atoms is None:
        return None
    axes = (output.find(f"atomic_structure/cell/a{k}").text.split() for k in (1, 2, 3))
    return Structure(
        tuple(symbol(path, a.get("name"), 0) for a in atoms),
        numbers(a.text.split() for a in atoms) * BOHR_ANGSTROM,
        numbers(axes) * BOHR_ANGSTROM,
    )
