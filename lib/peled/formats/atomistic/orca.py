"""Outputs of ORCA: the energy of the ground state, and the settings from the echo of the input.

Own code, since cclib 1.8 fails on ORCA 6 and takes the SCF energy for the total of MP2 and coupled
clusters.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from peled.formats import FormatError
from peled.formats.atomistic.calculation import (
    HARTREE_EV,
    NUMBER,
    Calculation,
    energy,
    last,
    listed_atoms,
    to_float,
)

#: Keywords that change how, how precisely or how talkatively one number is found, not which.
_NO_SETTING = re.compile(
    r"(very|extreme)?(tight|loose|normal|sloppy|strong|medium|crude)?(opt|scf|conv|print)|(c|z)?opt"
    r"|copt|energy|sp|engrad|md|(num|an)?(freq|grad|nacme)|optts|neb\S*|irc|scan\w*|mini?print"
    r"|\S*print|print\S*|pal\d+|no?autostart|moread|(use|no(use)?)sym|slow(conv|tight)|veryslowconv"
    r"|(no)?(soscf|trah|autotrah|diis|kdiis)|xyzfile|aim|nmr|keepdens|allpop|uno|rigidbodyopt"
    r"|(no)?(pop|mulliken|loewdin)|largeprint|direct|conventional"
)
_BASIS = re.compile(
    r"((ma|x2c|sarc\d?|zora|dkh|old|minis)-)*def2?-\S+"
    r"|(aug-|may-|jun-|jul-|heavyaug-)?(cc|saug)-p\S+"
    r"|\d-\d+\+{0,2}g\S*|sto-\d+g|(aug-)?pc\w*-\d|(sarc\d?|zora|dkh|x2c|ano|epr|iglo|lanl)\S*"
    r"|sv(p|\(p\))?|tzvp{0,2}|qzvp{0,2}|minix|vdzp|autoaux"
)
_FITTED = re.compile(r"\S+/(j|jk|c)|autoaux|ri(jcosx|jk|-?mp2|cosx|\b)|rijcosx|no(ri|cosx)")
_DISPERSION = re.compile(r"d[234](bj|zero|tz|s|\(0\)|\(bj\))?|nl|scnl|vv10")
_MEDIUM = re.compile(r"(c-?pcmc?|smd|alpb|ddcosmo|cpcmx|gbsa)(\((.+)\))?")
_SPIN = re.compile(r"(u|r|ro)(ks|hf)")


def orca(path: Path, text: str) -> Calculation:
    """ORCA. Where excited states were asked for, its last energy is that of one of them: here the
    ground state's counts.

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
        Without a total energy, for a label of no element, or where the energy of an excited state
        cannot be told from the ground state's.
    """
    match = last(rf"FINAL SINGLE POINT ENERGY\s+(?:\([^)\n]*\)\s*)?{NUMBER}", text)
    energy_eV = energy(path, match, HARTREE_EV, "a line 'FINAL SINGLE POINT ENERGY'")
    before = text[: match.start()]
    energy_eV -= _excitation(path, before, to_float(match[1])) * HARTREE_EV
    failed = max(
        text.rfind("SCF NOT CONVERGED AFTER"), text.rfind("Wavefunction not fully converged")
    )
    reached = text.rfind("SCF CONVERGED AFTER")
    geometry = None
    if "GEOMETRY OPTIMIZATION CYCLE" in text or "Geometry Optimization Run" in text:
        geometry = "THE OPTIMIZATION HAS CONVERGED" in text
    structure = None
    if block := last(
        r"CARTESIAN COORDINATES \(ANGSTROEM\)\n-+\n((?:\s+[A-Za-z]{1,2}\s+\S+\s+\S+\s+\S+\n)+)",
        text,
    ):
        structure = listed_atoms(path, block[1])
    corrected = last(rf"^Dispersion correction\s+{NUMBER}\s*$", before, re.M)
    return Calculation(
        path,
        "ORCA" + (f" {v[1]}" if (v := re.search(r"Program Version\s+(\d+)", text)) else ""),
        energy_eV,
        reached > failed,
        geometry,
        "ORCA TERMINATED NORMALLY" in text,
        _settings(text),
        structure,
        structure.composition if structure else Counter(),
        dispersion_eV=to_float(corrected[1]) * HARTREE_EV if corrected else None,
    )


def _excitation(path: Path, text: str, final: float) -> float:
    """What of the last energy (hartree) is an excitation: 0 where it is that of the ground state.

    Raises
    ------
    FormatError
        Where excited states were calculated and the last energy is none that can be told to be the
        ground state's.
    """
    pairs = (
        (r"E\(SCF\)\s*=\s*{0} Eh", r"DE\([^)]*\)\s*=\s*{0} Eh"),
        (r"E\(TOT\)\s+\.+\s+{0}", r"IROOT=\s*\d+:\s+{0} au"),
    )
    for ground, step in pairs:
        below = last(ground.replace("{0}", NUMBER), text)
        above = [to_float(x) for x in re.findall(step.replace("{0}", NUMBER), text)]
        for excitation in (0.0, *above) if below else ():
            if abs(final - to_float(below[1]) - excitation) < 5e-6:
                return excitation
    if re.search(r"IROOT=\s*\d+:|DE\(CIS\)|^\|\s*\d+>\s*%\s*(?i:rocis)\b", text, re.M):
        raise FormatError(
            path,
            expected="the total energy of the ground state",
            found="a last energy after excited states, which is none that is printed for it",
            advice="repeat the calculation without excited states",
        )
    return 0.0


def _settings(text: str) -> dict:
    settings: dict = {}
    for key, pattern in (
        ("charge", r"Total Charge\s+Charge\s+\.+\s+(-?\d+)"),
        ("electrons", r"Number of Electrons\s+NEL\s+\.+\s+(\d+)"),
    ):
        if found := re.search(pattern, text):
            settings[key] = int(found[1])
    if found := re.search(r"Hartree-Fock type\s+HFTyp\s+\.+\s+(\w+)", text):
        settings["spin"] = "none" if found[1] in ("RHF", "RKS") else "polarised"
    lines = re.findall(r"^\|\s*\d+>[ \t]?([^\n]*)", text, re.M)
    if not any(line.lstrip().startswith("!") for line in lines):
        return settings
    return settings | _words(lines) | _blocks(lines)


def _words(lines: list[str]) -> dict:
    """What the keyword lines say; their order and what tunes only the way does not matter."""
    lines = [line.split("#")[0].strip().lower() for line in lines]
    words = sorted({w for line in lines if line.startswith("!") for w in line[1:].split()})
    kinds = ("spin", "medium", "fitted", "basis", "dispersion", "method")
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for word in words:
        kind = (
            "spin"
            if _SPIN.fullmatch(word)
            else "medium"
            if _MEDIUM.fullmatch(word)
            else "fitted"
            if _FITTED.fullmatch(word)
            else "basis"
            if _BASIS.fullmatch(word)
            else "dispersion"
            if _DISPERSION.fullmatch(word)
            else None
            if _NO_SETTING.fullmatch(word)
            else "method"
        )
        if kind:
            found[kind].append(word)
    settings = {"method": " ".join(found["method"]) or "hf", "medium": "vacuum"}
    if found["basis"]:
        settings["basis"] = " ".join(found["basis"])
    if found["fitted"]:
        settings["density_fitting"] = " ".join(found["fitted"])
    if found["dispersion"]:
        settings["dispersion"] = "DFT-" + " ".join(found["dispersion"]).upper()
    elif not re.search(r"-?3c\b|-d\d|-v\b|b97m|xtb", settings["method"]):
        settings["dispersion"] = "none"
    if found["medium"]:
        parts = _MEDIUM.fullmatch(found["medium"][0])
        settings["medium"] = f"{parts[3] or 'unnamed'} ({parts[1].replace('-', '')})"
    return settings


def _blocks(lines: list[str]) -> dict:
    """Blocks (`%cpcm ... end`) that change which number is found."""
    text = "\n".join(
        line.split("#")[0].strip().lower() for line in lines if not line.lstrip().startswith("!")
    )
    found, changed = {}, []
    for name, body in re.findall(r"%\s*(\w+)\b(.*?)(?=\n\s*[%*]|\Z)", text, re.S):
        body = re.sub(r"\bend\b", " ", body).replace('"', "")
        content = " ".join(body.split())
        if name in ("cpcm", "cosmo"):
            solvent = re.search(r"(?:smdsolvent|solvent)\s+(\S+)", content)
            constant = re.search(r"epsilon\s+(\S+)", content)
            model = "smd" if re.search(r"smd\s+true|smdsolvent", content) else name
            medium = solvent[1] if solvent else f"epsilon {constant[1]}" if constant else "unnamed"
            found["medium"] = f"{medium} ({model})"
        elif name == "basis":
            found["basis"] = f"%basis {content}"
        elif name in ("method", "rel", "mp2", "mdci", "casscf", "dft", "rocis", "xtb"):
            changed.append(f"%{name} {content}")
    if changed:
        found["method"] = " ".join((_words(lines)["method"], *sorted(changed)))
    return found
