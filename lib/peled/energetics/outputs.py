"""From a folder of outputs to a table of binding and formation energies.

A CSV says which outputs belong together:

    name,complex,parts,molecules
    GL,gl_on_slab.out,gl.out + slab.out,1
    GL+GL,glgl_on_slab*.out,2*gl.out + slab.out,2
    Frenkel bare,slab_defect.out,slab.out,0

A pattern (`*`) takes several starts of one system: the lowest converged energy counts, the others show the spread. A
start in which covalent bonds broke or formed has become another substance and is left out where others did not. Atoms must balance; settings that differ between members of one difference are reported, since their energies do not subtract.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.energetics.draw import COVALENT
from peled.formats import FormatError, read_text
from peled.formats.atomistic import Calculation, Structure, formula, read_calculation

_LIGHT = ("H", "C", "N", "O", "S")
_COMPARED = ("functional", "method", "dispersion", "cutoff_eV", "density_cutoff_eV", "solvation")


class BookkeepingError(ValueError):
    """A table of outputs whose rows do not add up."""


@dataclass(frozen=True)
class EnergyRow:
    """One difference of total energies.

    `energy_eV` is that of the lowest converged starts, `starts_eV` those of all converged starts of the complex, lowest first; `unconverged`
    and `reacted` count starts left out; `warnings` says what makes the difference doubtful.
    """

    name: str
    energy_eV: float
    starts_eV: tuple[float, ...]
    unconverged: int
    molecules: int
    warnings: tuple[str, ...]
    complex: Calculation = field(repr=False)
    files: tuple[Path, ...] = field(repr=False)
    reacted: int = 0

    @property
    def spread_eV(self) -> float:
        """Half the range of the converged starts: how far the answer hangs on where one begins."""
        return (self.starts_eV[-1] - self.starts_eV[0]) / 2 if len(self.starts_eV) > 1 else float("nan")


def read_table(path: str | os.PathLike) -> list[EnergyRow]:
    """All rows of a table of outputs, computed.

    Raises
    ------
    FormatError
        For a table without the columns, a pattern without files, or an output that cannot be used.
    BookkeepingError
        When the atoms of a row do not balance, or nothing of it converged.
    """
    path = Path(path)
    reader = csv.DictReader(io.StringIO(read_text(path, what="a table of outputs")))
    missing = [c for c in ("name", "complex", "parts") if c not in (reader.fieldnames or [])]
    if missing:
        raise FormatError(path, place="line 1", expected="the columns name, complex, parts", found=", ".join(reader.fieldnames or []) or "none")
    cache: dict[Path, Calculation] = {}
    rows = []
    for row in reader:
        if not (row["name"] or "").strip() or row["name"].lstrip().startswith("#"):
            continue
        rows.append(_row(path, reader.line_num, {k: (v or "").strip() for k, v in row.items() if isinstance(v, str) or v is None}, cache))
    if not rows:
        raise FormatError(path, expected="at least one row", found="none")
    return rows


def _row(path: Path, line: int, row: dict, cache: dict) -> EnergyRow:
    try:
        molecules = int(row.get("molecules") or 1)
    except ValueError:
        raise FormatError(path, place=f"line {line}", expected="a whole number of molecules", found=repr(row["molecules"])) from None
    whole = _calculations(path, line, row["complex"], cache)
    parts = []
    for term in row["parts"].split(" + "):
        match = re.fullmatch(r"(?:(\d+)\s*\*\s*)?(\S.*)", term.strip())
        if not match:
            raise FormatError(path, place=f"line {line}", expected="parts like 'a.out + 2*b.out'", found=repr(row["parts"]))
        parts.append((int(match[1] or 1), _calculations(path, line, match[2], cache)))
    for calculations in (whole, *(c for _, c in parts)):
        if not any(_usable(c) for c in calculations):
            names = ", ".join(f"{c.path.name} ({'; '.join(c.complaints)})" for c in calculations)
            raise BookkeepingError(f"{path.name}, line {line}: {row['name']}: expected a converged calculation, found {names}")
    members = [(count, _lowest(calculations)) for count, calculations in parts]
    usable = [c for c in whole if _usable(c)]
    intact = [c for c in usable if _intact(c, members)]
    kept = intact or usable
    best = min(kept, key=lambda c: c.energy_eV)
    _balance(path, line, row["name"], best, members)
    reference = sum(count * c.energy_eV for count, c in members)
    starts = tuple(sorted(c.energy_eV - reference for c in kept))
    used = tuple(dict.fromkeys(c.path for c in (*whole, *(c for _, cs in parts for c in cs))))
    warnings = _warnings(best, [c for _, c in members]) + (() if intact else (f"{best.path.name}: covalent bonds differ from those of the parts",))
    return EnergyRow(row["name"], starts[0], starts, len(whole) - len(usable), molecules, warnings, best, used, len(usable) - len(kept))


def _usable(c: Calculation) -> bool:
    return c.scf_converged and c.geometry_converged is not False


def covalent_bonds(structure: Structure) -> Counter:
    """Number of bonds between light atoms by the pair of elements, across cell boundaries where there is a cell.

    Bonded is what is nearer than 1.2 times the sum of the covalent radii; metals and heavy halides are left out, since adsorbing
    is making bonds to them.
    """
    light = [k for k, s in enumerate(structure.symbols) if s in _LIGHT]
    if len(light) < 2:
        return Counter()
    at, names = structure.positions[light], [structure.symbols[k] for k in light]
    delta = at[:, None] - at[None]
    if structure.cell is not None:
        fractions = delta @ np.linalg.inv(structure.cell)
        delta = (fractions - np.round(fractions)) @ structure.cell
    radius = np.array([COVALENT[s] for s in names])
    near = np.triu(np.linalg.norm(delta, axis=2) < 1.2 * (radius[:, None] + radius[None]), 1)
    return Counter(tuple(sorted((names[i], names[j]))) for i, j in np.argwhere(near) if not names[i] == names[j] == "H")


def _intact(whole: Calculation, members: list[tuple[int, Calculation]]) -> bool:
    """Whether the complex has the covalent bonds of its parts; unknown structures pass."""
    if whole.structure is None or any(c.structure is None for _, c in members):
        return True
    total: Counter = Counter()
    for count, c in members:
        for pair, n in covalent_bonds(c.structure).items():
            total[pair] += count * n
    return covalent_bonds(whole.structure) == total


def _lowest(calculations: list[Calculation]) -> Calculation:
    return min((c for c in calculations if _usable(c)), key=lambda c: c.energy_eV)


def _calculations(path: Path, line: int, pattern: str, cache: dict) -> list[Calculation]:
    root = path.parent.resolve()
    try:
        found = sorted(p for p in path.parent.glob(pattern) if p.is_file() and root in p.resolve().parents)
    except (ValueError, NotImplementedError):  # an empty or absolute pattern
        found = []
    if not found:
        raise FormatError(path, place=f"line {line}", expected=f"files like {pattern!r} beside the table", found="none")
    for p in found:
        if p not in cache:
            cache[p] = read_calculation(p, allow_unconverged=True)
    return [cache[p] for p in found]


def _balance(path: Path, line: int, name: str, whole: Calculation, members: list[tuple[int, Calculation]]) -> None:
    if not whole.composition or any(not c.composition for _, c in members):
        return
    total: Counter = Counter()
    for count, c in members:
        for symbol, n in c.composition.items():
            total[symbol] += count * n
    if total != whole.composition:
        raise BookkeepingError(
            f"{path.name}, line {line}: {name}: atoms do not balance: {whole.path.name} is {formula(whole.composition)}, its parts are {formula(total)}"
        )
    charges = [c.settings.get("charge") for _, c in members]
    if whole.settings.get("charge") is not None and None not in charges:
        sum_of_parts = sum(n * q for (n, _), q in zip(members, charges, strict=True))
        if whole.settings["charge"] != sum_of_parts:
            raise BookkeepingError(f"{path.name}, line {line}: {name}: charge does not balance: {whole.settings['charge']} against {sum_of_parts}")


def _warnings(whole: Calculation, parts: list[Calculation]) -> tuple[str, ...]:
    said = []
    for part in parts:
        if part.program != whole.program:
            said.append(f"{part.path.name}: {part.program}, not {whole.program}")
        for key in _COMPARED:
            a, b = whole.settings.get(key), part.settings.get(key)
            if a is not None and b is not None and not (np.isclose(a, b, rtol=1e-4) if isinstance(a, float) and isinstance(b, float) else a == b):
                said.append(f"{part.path.name}: {key} {b}, not {a}")
        for key in (k for k in whole.settings if k.startswith("pseudopotential ")):
            if key in part.settings and part.settings[key] != whole.settings[key]:
                said.append(f"{part.path.name}: {key} {part.settings[key]}, not {whole.settings[key]}")
        said += _cell_warnings(whole, part)
    for c in (whole, *parts):
        said += [f"{c.path.name}: {complaint}" for complaint in c.complaints if complaint == "the program did not finish"]
    return tuple(dict.fromkeys(said))


def _cell_warnings(whole: Calculation, part: Calculation) -> list[str]:
    a, b = whole.structure, part.structure
    if a is None or b is None or a.cell is None or b.cell is None:
        return []
    same = np.allclose(a.cell, b.cell, atol=1e-3)
    if len(b) > len(a) / 2 and not same:  # the surface; a molecule may have a box of its own
        return [f"{part.path.name}: another cell than {whole.path.name}"]
    if same and whole.settings.get("kpoints") != part.settings.get("kpoints"):
        return [f"{part.path.name}: {part.settings.get('kpoints')} k-points, not {whole.settings.get('kpoints')}"]
    return []


def to_csv(rows: list[EnergyRow]) -> str:
    """The table to take away: energies in eV and kJ/mol, per molecule, spread over starts, warnings."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["name", "energy_eV", "energy_kJ_mol", "per_molecule_eV", "starts", "spread_eV", "unconverged", "reacted", "warnings"])
    for r in rows:
        per = f"{r.energy_eV / r.molecules:.3f}" if r.molecules else ""
        spread = f"{r.spread_eV:.3f}" if len(r.starts_eV) > 1 else ""
        writer.writerow(
            [r.name, f"{r.energy_eV:.3f}", f"{r.energy_eV * 96.48533212:.1f}", per, len(r.starts_eV), spread, r.unconverged, r.reacted, "; ".join(r.warnings)]
        )
    return stream.getvalue()
