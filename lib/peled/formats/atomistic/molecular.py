"""Outputs of CP2K and xtb."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from peled.formats.atomistic.calculation import (
    HARTREE_EV,
    NUMBER,
    Calculation,
    energy,
    last,
    listed_atoms,
    numbers,
    to_float,
)
from peled.formats.atomistic.structures import Structure, symbol


def cp2k(path: Path, text: str) -> Calculation:
    """CP2K; at its lowest print level it states no settings and no atoms.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström; no structure of an optimisation, of which only
        the first is printed.

    Raises
    ------
    FormatError
        Without a total energy, or for a label of no element.
    """
    match = last(
        rf"ENERGY\|\s*Total "
        rf"FORCE_EVAL\s*\(\s*QS\s*\)\s*energy\s*[\[(](?:a\.u\.|hartree)[\])]:?\s*{NUMBER}",
        text,
    )
    energy_eV = energy(path, match, HARTREE_EV, "a line 'ENERGY| Total FORCE_EVAL ( QS ) energy'")
    failed = max(
        text.rfind("SCF run NOT converged"),
        text.rfind("Leaving inner SCF loop after reaching")
        if "outer SCF loop converged" not in text
        else -1,
    )
    reached = max(text.rfind("SCF run converged"), text.rfind("outer SCF loop converged"))
    optimised = "GEO_OPT" in text or "OPTIMIZATION STEP" in text
    # An optimisation prints only where it began.
    composition, structure = _cp2k_atoms(path, text)
    return Calculation(
        path,
        "CP2K",
        energy_eV,
        reached > failed,
        "GEOMETRY OPTIMIZATION COMPLETED" in text if optimised else None,
        "PROGRAM ENDED AT" in text,
        _cp2k_settings(path, text),
        None if optimised else structure,
        composition,
    )


def _cp2k_settings(path: Path, text: str) -> dict:
    settings: dict = {}
    if found := re.search(
        rf"(?:QS\||MULTIGRID INFO)[^\n]*?[Cc]utoff \[a\.u\.\]:?\s*{NUMBER}", text
    ):
        settings["density_cutoff_eV"] = round(to_float(found[1]) * HARTREE_EV, 3)
    if names := re.findall(r"FUNCTIONAL\|\s+([A-Z0-9_]+):", text):
        settings["functional"] = "+".join(dict.fromkeys(names))
    if found := re.search(r"vdW POTENTIAL\|\s*(DFT-D\d)", text):
        settings["dispersion"] = found[1] + ("(BJ)" if "BJ Damping" in text else "")
    elif "FUNCTIONAL|" in text and "vdW POTENTIAL|" not in text:
        settings["dispersion"] = "none"
    if found := re.search(
        r"DFT\| Charge\s+(-?\d+)", text
    ):  # "Total charge" elsewhere is that of the density
        settings["charge"] = int(found[1])
    for kind in re.split(r"\n[ \t]*\d+\. Atomic kind:", text)[1:]:
        name = symbol(path, kind.split()[0], 0)
        for key, pattern in (
            (f"pseudopotential {name}", r"Potential information for\s+(\S+)"),
            (f"basis {name}", r"Orbital Basis Set\s+(\S+)"),
        ):
            if found := re.search(pattern, kind):
                settings[key] = found[1]
    bases = dict.fromkeys(v for k, v in settings.items() if k.startswith("basis "))
    if len(bases) == 1:
        settings["basis"] = next(iter(bases))
    if "CELL|" in text and "BRILLOUIN|" not in text:
        settings["kpoints"] = "Gamma"
    elif found := re.search(r"BRILLOUIN\|[^\n]*[Gg]rid\s+(\d+)\s+(\d+)\s+(\d+)", text):
        settings["kpoints"] = "x".join(found.groups()) + " k-points"
    if "DFT| Spin" in text:
        unrestricted = re.search(r"DFT\| Spin unrestricted[^\n]*Kohn", text)
        settings["spin"] = "polarised" if unrestricted else "none"
    return settings


def _cp2k_atoms(path: Path, text: str) -> tuple[Counter, Structure | None]:
    """Which atoms, and where they are if their places and the cell are printed."""
    block = last(
        r"MODULE QUICKSTEP:\s+ATOMIC COORDINATES IN angstrom\n((?:[^\n]*\n)+?)\s*\n\s*\n",
        text,
        re.I,
    )
    lines = block[1].split("\n") if block else ()
    rows = [line.split() for line in lines if re.match(r"\s*\d+\s+\d+\s+[A-Za-z]", line)]
    names = tuple(symbol(path, row[2], 0) for row in rows)
    vector = rf"CELL\| Vector [abc] \[angstrom\]:?\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}"
    axes = re.findall(vector, text)[-3:]
    if not rows or len(axes) < 3 or any(len(row) < 7 for row in rows):
        return Counter(names), None
    return Counter(names), Structure(names, numbers(row[4:7] for row in rows), numbers(axes))


def xtb(path: Path, text: str) -> Calculation:
    """The program xtb; a single point prints no positions, only which atoms there are.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str

    Returns
    -------
    Calculation
        Energy in eV, positions in ångström.

    Raises
    ------
    FormatError
        Without a total energy, or for a label of no element.
    """
    energy_eV = energy(
        path,
        last(rf"TOTAL ENERGY\s+{NUMBER}\s+Eh", text, re.I),
        HARTREE_EV,
        "a line 'TOTAL ENERGY ... Eh'",
    )
    failed = max(
        text.rfind("convergence criteria cannot be satisfied"),
        text.rfind("Self consistent charge iterator did not converge"),
    )
    settings: dict = {}
    if found := re.search(r"Hamiltonian\s+(GFN\S+)", text):
        settings["method"] = found[1]
    if found := re.search(rf"(?:net charge|total charge)\s+{NUMBER}", text):
        settings["charge"] = round(to_float(found[1]))
    solvent = re.search(r"\*\s*Solvation model:\s*(\S+)[\s\S]{0,200}?Solvent\s+(\S+)", text)
    settings["medium"] = f"{solvent[2]} ({solvent[1]})" if solvent else "vacuum"
    geometry = None
    if "GEOMETRY OPTIMIZATION" in text or "A N C O P T" in text:
        geometry = "GEOMETRY OPTIMIZATION CONVERGED" in text
    structure, composition = None, Counter()
    if block := last(
        r"final structure:\s*\n=+\n\s*(\d+)\n[^\n]*\n((?:\s*[A-Za-z]{1,2}\s+\S+\s+\S+\s+\S+\n)+)",
        text,
    ):
        structure = listed_atoms(path, block[2])
        composition = structure.composition
    elif table := re.search(
        r"ID +Z +sym\.? +atoms\n((?: +\d+ +\d+ +[A-Za-z]{1,2} +[\d, -]+\n)+)", text
    ):
        for row in table[1].strip().split("\n"):
            _, _, name, atoms = row.split(None, 3)
            ends = [
                [int(x) for x in part.split("-")]
                for part in atoms.replace(" ", "").strip(",").split(",")
            ]
            composition[symbol(path, name, 0)] += sum(e[-1] - e[0] + 1 for e in ends)
    finished = (
        "* finished run" in text
    )  # "normal termination" goes to stderr and can stand anywhere in a file of both
    return Calculation(
        path, "xtb", energy_eV, failed < 0, geometry, finished, settings, structure, composition
    )
