"""Outputs of the plane-wave programs: Quantum ESPRESSO (text and XML) and VASP (OUTCAR and vasprun.xml)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.calculation import HARTREE_EV, NUMBER, RYDBERG_EV, Calculation, energy, last, to_float
from peled.formats.atomistic.structures import BOHR_ANGSTROM, Structure, element, symbol

#: Parts of a functional, which older versions of pw.x spell out.
_SPELT_OUT = {"SLA PW PBE PBE": "PBE", "SLA PW PBX PBC": "PBE", "SLA PW PSX PSC": "PBESOL", "SLA PZ NOGX NOGC": "PZ", "SLA LYP B88 BLYP": "BLYP"}
_DISPERSION = {"GRIMME-D3": "DFT-D3", "GRIMME-D2": "DFT-D2", "DISPERSION CORRECTION": "DFT-D2", "TKATCHENKO-SCHEFFLER": "TS", "T-S": "TS", "TS-VDW": "TS"}
_THREE = rf"\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}"

# ---- Quantum ESPRESSO --------------------------------------------------------------------------------------------------


def espresso(path: Path, text: str) -> Calculation:
    """Text of pw.x; not by ASE, which gives energies of unfinished runs without a word and none of the settings."""
    text = text[max(text.rfind("     Program PWSCF"), 0) :]  # a continued run may have been appended
    match = last(rf"^!+\s*total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    failed, reached = text.rfind("convergence NOT achieved"), text.rfind("convergence has been achieved")
    if match is None and failed >= 0:
        match = last(rf"^\s+total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    if match is None and re.search(r"Band Structure Calculation", text):
        raise FormatError(
            path, expected="a line '!    total energy'", found="a calculation of bands", advice="the energy stands in the output of the scf before it"
        )
    energy_eV = energy(path, match, RYDBERG_EV, "a line '!    total energy'")
    # "End of BFGS Geometry Optimization" also stands where the steps ran out.
    relaxed = re.search(r"bfgs converged|Damped Dynamics: convergence achieved|convergence achieved, Efinal", text) is not None
    moving = relaxed or re.search(r"BFGS Geometry Optimization|Damped (Cell )?Dynamics|Molecular Dynamics Calculation|number of bfgs steps", text) is not None
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
    )


def _espresso_sites(text: str) -> list[tuple[str, ...]]:
    """Label and coordinates (units of alat) of every atom at the start; the table in crystal coordinates that may follow names the same atoms again."""
    row = rf"\s+\d+\s+(\w+)\s+tau\(\s*\d+\)\s*=\s*\({_THREE}\s*\)"
    table = re.search(rf"positions \((?!cryst)[^\n]*\n((?:{row}[^\n]*\n)+)", text)
    return re.findall(row, table[1]) if table else []


def _espresso_step_eV(text: str) -> float | None:
    """Change of the total energy in the last iteration of the last self-consistency that ended; None if that took one, or dispersion was added at the end."""
    if re.search(r"Dispersion XDM|XDM dispersion|MBD", text):
        return None
    found = re.findall(rf"^(!?)\s+total energy\s*=\s*{NUMBER}\s*Ry", text, re.M)
    ended = max((k for k, (mark, _) in enumerate(found) if mark), default=0)
    return (to_float(found[ended][1]) - to_float(found[ended - 1][1])) * RYDBERG_EV if ended and not found[ended - 1][0] else None


def _espresso_structure(path: Path, text: str, sites: list[tuple[str, ...]], end: int, relaxed: bool) -> Structure | None:
    """Positions and cell of the last energy, which ends at `end`; not by ASE, which needs every blank line and every step of an output, so that a shortened
    one fails.

    Steps that ran out, and molecular dynamics, print last the positions that were to come next. A shortened output of a finished relaxation may hold no
    others than the final ones.
    """
    alat, axes = re.search(rf"lattice parameter \((?:alat|a_0)\)\s*=\s*{NUMBER}", text), re.findall(rf"a\(\d\) = \({_THREE}\s*\)", text)
    if not alat or len(axes) < 3:
        return None
    unit = {"alat": to_float(alat[1]) * BOHR_ANGSTROM, "bohr": BOHR_ANGSTROM, "angstrom": 1.0}
    cell = _numbers(axes[:3]) * unit["alat"]
    block, box = _blocks(text[:end])
    if block is None and relaxed:
        block, box = _blocks(text)
    if box:
        factor = to_float(box[2]) * BOHR_ANGSTROM if box[2] else unit[box[1]]
        cell = _numbers(row.split() for row in box[3].strip().split("\n")) * factor
    if block:
        rows = [row.split() for row in block[2].strip().split("\n")]
        at = _numbers(row[1:4] for row in rows)
        return Structure(tuple(symbol(path, row[0], 0) for row in rows), at @ cell if block[1] == "crystal" else at * unit[block[1]], cell)
    return Structure(tuple(symbol(path, s[0], 0) for s in sites), _numbers(s[1:] for s in sites) * unit["alat"], cell) if sites else None


def _blocks(text: str) -> tuple[re.Match | None, re.Match | None]:
    """The last cards of positions and of the cell."""
    positions = last(rf"^ATOMIC_POSITIONS\s*\(?(angstrom|bohr|alat|crystal)\)?\s*\n((?:\s*[A-Za-z]\w*{_THREE}(?:\s+[01]){{0,3}}\s*\n)+)", text, re.M)
    cell = last(rf"^CELL_PARAMETERS\s*\(?(angstrom|bohr|alat)(?:\s*=\s*{NUMBER})?\)?\s*\n((?:{_THREE}\s*\n){{3}})", text, re.M)
    return positions, cell


def _numbers(rows) -> np.ndarray:
    return np.array([[to_float(x) for x in row] for row in rows])


def _espresso_settings(text: str, sites: Counter) -> dict:
    settings: dict = {}
    for name, pattern in (("cutoff_eV", "kinetic-energy cutoff"), ("density_cutoff_eV", "charge density cutoff")):
        if found := re.search(rf"{pattern}\s*=\s*{NUMBER}\s*Ry", text):
            settings[name] = round(to_float(found[1]) * RYDBERG_EV, 3)
    if found := re.search(r"number of k points=\s*(\d+)", text):
        first = re.search(rf"k\(\s*1\) = \(\s*{NUMBER}\s+{NUMBER}\s+{NUMBER}\s*\)", text)
        gamma = found[1] == "1" and (first is None or not any(to_float(x) for x in first.groups()))
        settings["kpoints"] = "Gamma" if gamma else f"{found[1]} irreducible k-points"
    if found := re.search(r"Exchange-correlation\s*=\s*([^\n(]+)", text):
        name = " ".join(found[1].split())
        settings["functional"] = _SPELT_OUT.get(name.replace("+", " "), name)
    # Not in the tables of stress, which name corrections that were not used. A correction without a name is from when there was one only.
    names = "DFT-D3|Grimme-D3|DFT-D2|Grimme-D2|XDM|Tkatchenko-Scheffler|T-S(?= Correction)|TS-vdW|many-body dispersion|(?<=for )Dispersion Correction"
    if found := re.search(rf"^(?!.*stress).*?({names})", text, re.I | re.M):
        name = found[1].upper()
        settings["dispersion"] = _DISPERSION.get(name, name)
    elif "Dispersion" not in text:
        settings["dispersion"] = "none"
    valence = dict(re.findall(rf"^\s+(\w+)\s+{NUMBER}\s+\d+\.\d+\s+\w+\s*\(\s*\d\.\d+\)", text, re.M))
    valence |= re.findall(rf"PseudoPot\. #\s*\d+ for\s+(\w+)\s[\s\S]{{0,400}}?Zval\s*=\s*{NUMBER}", text)
    if (found := re.search(rf"number of electrons\s*=\s*{NUMBER}", text)) and sites and set(sites) <= set(valence):
        settings["charge"] = round(sum(n * to_float(valence[label]) for label, n in sites.items()) - to_float(found[1]), 3)
    named = re.findall(r"PseudoPot\. #\s*\d+ for\s+(\w+)\s+read from file:?\s*\n?\s*(\S+)", text)
    return settings | _espresso_physics(text) | _by_element("pseudopotential", [(label, Path(file.strip()).name) for label, file in named])


def _by_element(what: str, found: list[tuple[str, str]]) -> dict[str, str]:
    """Values by element, of labels that need not be elements (`Fe1`, `hy`)."""
    values: dict[str, set[str]] = {}
    for label, value in found:
        values.setdefault(element(label) or label, set()).add(value)
    return {f"{what} {name}": " and ".join(sorted(v)) for name, v in values.items()}


def _espresso_physics(text: str) -> dict[str, str]:
    """What of spin, correlation, fields and occupations was turned on."""
    settings = {"spin": "none", "spin_orbit": "yes" if "with spin-orbit" in text else "no", "field": "none", "isolation": "none", "exact_exchange": "none"}
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
    for name, pattern in (("Martyna-Tuckerman", "Martyna-Tuckerman method"), ("Makov-Payne", "MAKOV-PAYNE CORRECTION"), ("ESM", "Effective Screening Medium")):
        if pattern in text:
            settings["isolation"] = name
    if found := re.search(rf"EXX-fraction\s*=\s*{NUMBER}", text):
        grid = re.search(r"EXX: setup a grid of\s+(\d+)\s+q-points", text)
        settings["exact_exchange"] = f"{to_float(found[1]):g}, {grid[1] if grid else 1} q-points"
    # The table of a calculation with Hubbard U names every species that has one.
    if table := re.search(rf"(?:LDA|DFT)\+U calculation[^\n]*\n[^\n]*\n((?: +\w+ +\d(?: +{NUMBER})+[^\n]*\n)+)", text):
        rows = [row.split() for row in table[1].strip().split("\n")]
        settings |= _by_element("Hubbard", [(row[0], f"{to_float(row[2]):g} eV") for row in rows])
    elif re.search(r"Hubbard (energy|projectors)", text):
        settings["Hubbard"] = "yes"
    if found := re.search(rf"number of k points=\s*\d+\s+(\S+) smearing, width \(Ry\)=\s*{NUMBER}", text):
        settings["occupations"] = f"{found[1].lower()} {to_float(found[2]):g} Ry"
    elif "tetrahedr" in text:
        settings["occupations"] = "tetrahedra"
    elif "number of k points=" in text:
        settings["occupations"] = "fixed"
    return settings


def _xml(path: Path, text: str) -> ElementTree.Element:
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise FormatError(path, expected="plain XML", found="a document type with entities", advice="such files can unfold without end; remove the declaration")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FormatError(path, place=f"line {error.position[0]}", expected="complete XML", found=str(error), advice="the run may have been stopped") from None


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
    """The settings of `_espresso_physics` from the XML's elements, `value(place)` being their text."""
    settings = {"spin": "none", "spin_orbit": "yes" if value("magnetization/spinorbit") == "true" else "no", "exact_exchange": "none"}
    if value("magnetization/noncolin") == "true":
        settings["spin"] = "noncollinear"
    elif value("magnetization/lsda") == "true":
        settings["spin"] = "polarised"
    kind = value("boundary_conditions/assume_isolated") or "none"
    settings["isolation"] = _ISOLATION.get(kind.lower(), kind)
    fields = (("external", "dipoleInfo"), ("Berry phase", "finiteElectricFieldInfo"), ("gate", "gateInfo"))
    settings["field"] = next((name for name, place in fields if output.find(f"electric_field/{place}") is not None), "none")
    if fraction := value("dft/hybrid/exx_fraction"):
        grid = output.find("dft/hybrid/qpoint_grid")
        points = 1 if grid is None else int(np.prod([int(grid.get(f"nqx{k}", "1")) for k in (1, 2, 3)]))
        settings["exact_exchange"] = f"{to_float(fraction):g}, {points} q-points"
    settings |= _by_element(
        "Hubbard",
        [(u.get("specie", ""), f"{to_float(u.text) * HARTREE_EV:.4g} eV") for u in output.findall("dft/dftU/Hubbard_U") if u.text and to_float(u.text)],
    )
    kind, smearing = value("band_structure/occupations_kind"), output.find("band_structure/smearing")
    if kind == "smearing" and smearing is not None and smearing.text:
        name = smearing.text.strip().lower()
        settings["occupations"] = f"{_SMEARING.get(name, name)} {2 * to_float(smearing.get('degauss', 'nan')):g} Ry"
    elif kind:
        settings["occupations"] = "tetrahedra" if kind.startswith("tetra") else kind
    return settings


def espresso_xml(path: Path, text: str) -> Calculation:
    """data-file-schema.xml of pw.x, in hartree and bohr."""
    root = _xml(path, text)
    output = root.find("output")
    if output is None:
        raise FormatError(path, expected="an element 'output'", found="none", advice="the run stopped before it wrote one")

    def value(place: str) -> str | None:
        return None if (found := output.find(place)) is None or found.text is None else found.text.strip()

    if (etot := value("total_energy/etot")) is None:
        raise FormatError(path, expected="total_energy/etot", found="none")
    settings: dict = {}
    for name, place in (("cutoff_eV", "basis_set/ecutwfc"), ("density_cutoff_eV", "basis_set/ecutrho")):
        if (found := value(place)) is not None:
            settings[name] = round(float(found) * HARTREE_EV, 3)
    if (grid := output.find("band_structure/starting_k_points/monkhorst_pack")) is not None:
        numbers = "x".join(grid.get(f"nk{k}", "?") for k in (1, 2, 3))
        shifted = any(grid.get(f"k{k}", "0") != "0" for k in (1, 2, 3))
        settings["kpoints"] = "Gamma" if numbers == "1x1x1" and not shifted else f"{numbers} k-points" + (", shifted" if shifted else "")
    elif (points := value("band_structure/nks")) is not None:
        settings["kpoints"] = "Gamma" if value("basis_set/gamma_only") == "true" else f"{points} irreducible k-points"
    if (found := value("dft/functional")) is not None:
        settings["functional"] = found
    if (charge := _xml_charge(text)) is not None:
        settings["charge"] = charge
    settings["dispersion"] = (value("dft/vdW/vdw_corr") or "none").upper().replace("GRIMME-", "DFT-").replace("NONE", "none")
    if settings["dispersion"] == "DFT-D3" and value("dft/vdW/dftd3_version") == "4":
        settings["dispersion"] = "DFT-D3(BJ)"
    named = [(species.get("name", ""), Path(species.findtext("pseudo_file", "").strip()).name) for species in output.findall("atomic_species/species")]
    settings |= _by_element("pseudopotential", named) | _xml_physics(output, value)
    scf = value("convergence_info/scf_conv/convergence_achieved")
    if scf is None:  # version 6.1 and older
        error, limit = value("convergence_info/scf_conv/scf_error"), root.findtext("input/electron_control/conv_thr")
        scf = str(error is not None and limit is not None and to_float(error) <= to_float(limit)).lower()
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


_VASP_FUNCTIONAL = {"PE": "PBE", "8": "PBE", "CA": "LDA", "PS": "PBEsol", "91": "PW91"}
_VASP_DISPERSION = {"0": "none", "1": "DFT-D2", "10": "DFT-D2", "11": "DFT-D3", "12": "DFT-D3(BJ)"}


def _vasp_physics(get) -> dict[str, str]:
    """Settings by tag, `get(tag)` being its text or None; what is not in it has VASP's default, which prints IVDW only where it was set."""

    def on(tag: str) -> bool:
        return (get(tag) or "").strip(". ").upper().startswith("T")

    def number(tag: str) -> float:
        return to_float(get(tag) or "0")

    settings = {"spin": "noncollinear" if on("LNONCOLLINEAR") else "polarised" if get("ISPIN") == "2" else "none"}
    settings["spin_orbit"] = "yes" if on("LSORBIT") else "no"
    settings["dispersion"] = "DFT-D2" if on("LVDW") else _VASP_DISPERSION.get(get("IVDW") or "0", f"IVDW {get('IVDW')}")
    settings["exact_exchange"] = f"{number('AEXX'):g}, screening {number('HFSCREEN'):g}" if on("LHFCALC") else "none"
    settings["field"] = "external" if number("EFIELD") else "dipole correction" if on("LDIPOL") else "none"
    if prec := get("PREC"):
        settings["precision"] = prec.lower()[:6]
    if kind := get("ISMEAR"):
        name = {"-5": "tetrahedra", "-4": "tetrahedra", "-1": "fermi-dirac", "0": "gaussian"}.get(kind, f"methfessel-paxton {kind}")
        settings["occupations"] = name if name == "tetrahedra" else f"{name} {number('SIGMA'):g} eV"
    return settings


def _vasp_functional(get) -> str | None:
    """GGA, or the meta-GGA that replaces it, with the kernel of van der Waals where one is used."""
    meta = (get("METAGGA") or "--").upper()
    name = get("GGA") if get("GGA") not in (None, "--", "type") else get("LEXCH")
    name = _VASP_FUNCTIONAL.get(name, name) if meta in ("--", "F", "NONE") else meta
    return f"{name}+vdW" if name and (get("LUSE_VDW") or "").strip(". ").upper().startswith("T") else name


def outcar(path: Path, text: str) -> Calculation:
    """OUTCAR of VASP.

    Raises
    ------
    FormatError
        Without an energy, or where the last one is that of a machine-learned force field.
    """
    match = last(rf"^(?!\s*ML ).*energy  without entropy\s*=\s*\S+\s+energy\(sigma->0\)\s*=\s*{NUMBER}", text, re.M)
    match = match or last(rf"^(?!\s*ML ).*free\s+energy\s+TOTEN\s*=\s*{NUMBER}\s*eV", text, re.M)
    if text.rfind("ML energy  without entropy") > (match.end() if match else -1):
        raise FormatError(
            path, expected="an energy of density-functional theory", found="one of a machine-learned force field", advice="do the last step without ML_LMLFF"
        )
    # Two blanks mark the energy of an ionic step; with one blank it is an iteration's, not yet converged.
    energy_eV = energy(path, match, 1.0, "a total energy (energy(sigma->0) or TOTEN)")
    failed, reached = text.rfind("aborting loop EDIFF was not reached"), text.rfind("aborting loop because EDIFF is reached")
    finished = "General timing and accounting" in text

    def get(tag: str) -> str | None:
        # The first mention may be an echo of the input or of a potential: what counts stands in the list of parameters, further down.
        found = last(rf"^\s*(?:.*;\s*)?{tag}\s*=\s*([^\s;]+)", text, re.M)
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
    titles = [t.split() for t in re.findall(r"TITEL\s*=\s*(\S[^\n]*)", text) or re.findall(r"POTCAR:\s*(\S[^\n]*)", text)[: len(numbers)]]
    kinds = re.findall(r"VRHFIN\s*=\s*(\w+)\s*:", text) or [t[1].partition("_")[0] for t in titles if len(t) > 1]
    settings |= _by_element("pseudopotential", [(kind, " ".join(title)) for kind, title in zip(kinds, titles, strict=False)])
    if found := re.search(r"LDAUU\s*=\s*([-\d. ]+)", text):
        settings |= _by_element("Hubbard", [(kind, f"{to_float(u):g} eV") for kind, u in zip(kinds, found[1].split(), strict=False) if to_float(u)])
    valence = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=\s*([-\d. ]+)", text)
    if valence and (electrons := get("NELECT")) and len(valence[1].split()) == len(numbers):
        settings["charge"] = round(sum(int(n) * to_float(z) for n, z in zip(numbers, valence[1].split(), strict=True)) - to_float(electrons), 3)
    symbols = [symbol(path, k, 0) for k, n in zip(kinds, numbers, strict=False) for _ in range(int(n))]
    structure = _outcar_structure(text, symbols)
    return Calculation(path, "VASP", energy_eV, reached > failed, geometry, finished, settings, structure, Counter(symbols))


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


def vasprun(path: Path, text: str) -> Calculation:
    """vasprun.xml of VASP; one without an end is not XML and refused."""
    root = _xml(path, text)
    steps = root.findall("calculation")
    found = {e.get("name"): e.text for e in (steps[-1].findall("energy/i") if steps else [])}
    if "e_0_energy" not in found:
        raise FormatError(
            path, expected="a calculation with e_0_energy", found=f"{len(steps)} calculations", advice="the run stopped before its first self-consistency"
        )
    energy_eV = to_float(found["e_0_energy"])
    iterations = steps[-1].findall("scstep")
    inner = {e.get("name"): e.text for e in (iterations[-1].findall("energy/i") if iterations else [])}
    if {"e_fr_energy", "e_0_energy"} <= set(inner) and "e_fr_energy" in found:
        # VASP 5.4 writes the entropy in place of the step's e_0_energy; the last iteration has both.
        energy_eV = to_float(found["e_fr_energy"]) + to_float(inner["e_0_energy"]) - to_float(inner["e_fr_energy"])
    incar: dict[str, str] = {}
    for i in root.iter("i"):  # the first counts: the input, then the parameters; later ones of one name belong to other parts of the program
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
    types = [[(c.text or "").strip() for c in row.findall("c")] for row in root.findall("atominfo/array[@name='atomtypes']/set/rc")]
    types = [t for t in types if len(t) >= 5]
    settings |= _by_element("pseudopotential", [(t[1], " ".join(t[4].split())) for t in types])
    repulsion = root.find(".//v[@name='LDAUU']")
    if repulsion is not None and incar.get("LDAU", "F").strip(". ").upper().startswith("T"):
        settings |= _by_element("Hubbard", [(t[1], f"{to_float(u):g} eV") for t, u in zip(types, (repulsion.text or "").split(), strict=False) if to_float(u)])
    if types and incar.get("NELECT"):
        settings["charge"] = round(sum(int(t[0]) * to_float(t[3]) for t in types) - to_float(incar["NELECT"]), 3)
    symbols = [row.findtext("c", "").strip() for row in root.findall("atominfo/array[@name='atoms']/set/rc")]
    structure = None
    places = root.findall("structure[@name='finalpos']") or steps[-1].findall("structure")
    if places and symbols:
        cell = np.array([[float(x) for x in v.text.split()] for v in places[-1].findall("crystal/varray[@name='basis']/v")])
        fractions = np.array([[float(x) for x in v.text.split()] for v in places[-1].findall("varray[@name='positions']/v")])
        structure = Structure(tuple(symbol(path, s, 0) for s in symbols), fractions @ cell, cell)
    nsw = int(incar.get("NSW", 0) or 0)
    geometry = len(steps) < nsw if nsw > 1 and incar.get("IBRION", "-1") in ("1", "2", "3") else None
    composition = Counter(structure.symbols if structure else symbols)
    return Calculation(path, "VASP", energy_eV, len(iterations) < limit, geometry, True, settings, structure, composition)
