"""From a folder of outputs to a table of binding and formation energies.

A CSV says which outputs belong together:

    name,complex,parts,molecules
    GL,gl_on_slab.out,gl.out + slab.out,1
    GL+GL,glgl_on_slab*.out,2*gl.out + slab.out,2
    Frenkel bare,slab_defect.out,slab.out,0

A pattern (`*`) takes several starts of one system, as does an extended XYZ of several conformers:
the lowest converged
energy counts, the others show the spread. A start in which covalent bonds broke or formed has
become another substance
and is left out where others did not. A row is only computed from comparable calculations
(`comparability`): what differs
in settings, breaks off, did not converge or does not balance is refused with the reason, and the
other rows stand. An optional
column `accept` with the word `geometry` takes geometries that are not fully relaxed, and the row
says so.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from peled.energetics.bonding import links, molecules
from peled.energetics.comparability import BookkeepingError, compare
from peled.formats import FormatError
from peled.formats.atomistic import Calculation, Structure, formula, read_calculations
from peled.formats.atomistic.structures import ELEMENTS
from peled.formats.contract import reader
from peled.formats.delimited import read_records

__all__ = ["BookkeepingError", "EnergyRow", "EnergyTable", "covalent_bonds", "read_table", "to_csv"]

#: A self-consistency whose last iteration moved the total energy by more (eV) is warned of:
#: programs judge by an estimate that mixing can deceive.
SETTLED_EV = 0.01


@dataclass(frozen=True)
class EnergyRow:
    """One difference of total energies.

    `energy_eV` is that of the lowest converged starts, `starts_eV` those of all converged starts
    of the complex, lowest first; `unconverged`
    (or not readable) and `reacted` count starts left out; `adsorbed` is the complex less its
    surface, the part with most heavy atoms; `warnings` says what makes the difference doubtful,
    `notes` what differs between its members without harm.
    `dispersion_eV` is the part of the energy that a dispersion correction adds (the rest is the
    functional's), `gibbs_eV` the
    Gibbs energy; None where not every member states its part, or was done without frequencies.
    `labels` are the columns
    adsorbate, surface, site and coverage of the table, where it has them.
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
    notes: tuple[str, ...] = ()
    adsorbed: Counter = field(default_factory=Counter, repr=False)
    dispersion_eV: float | None = None
    gibbs_eV: float | None = None
    labels: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def spread_eV(self) -> float:
        """How far the answer hangs on where one begins: `error_of_minimum` of the starts; nan for
        a single start.
        """
        return error_of_minimum(self.starts_eV)

    @property
    def method(self) -> str:
        """Method, basis or cutoffs, sampling, medium: `PBE-D3, 25/200 Ry, Gamma`."""
        return self.complex.label

    @property
    def atoms(self) -> int:
        """Number of atoms of the complex, 0 where its output does not say."""
        return sum(self.complex.composition.values())

    @property
    def caption(self) -> str:
        """What stands beside the number: method, size, starts and their spread."""
        reach = self.starts_eV[-1] - self.starts_eV[0]
        starts = (
            f"{len(self.starts_eV)} starts over {reach:.2f} eV, lowest ± {self.spread_eV:.2f} eV"
            if len(self.starts_eV) > 1
            else "1 start"
        )
        return f"{self.method}; {self.atoms} atoms; {starts}"


def error_of_minimum(starts_eV: Sequence[float]) -> float:
    """Standard deviation of the lowest of n energies under redrawing all n with replacement
    (bootstrap, in closed form); nan for one.

    The k-th lowest of n is the lowest of a redraw with probability ((n - k)^n - (n - k - 1)^n) /
    n^n, k from 0. Unlike the range, it does not grow with
    every bad start that is added. It measures how well the search agrees with itself; that all
    starts missed the minimum it cannot see.

    Parameters
    ----------
    starts_eV : sequence of float
        Energies that separate searches ended in.

    Returns
    -------
    float
        eV.

    References
    ----------
    .. [1] B. Efron, Ann. Stat. 7, 1 (1979), doi:10.1214/aos/1176344552

    Examples
    --------
    >>> round(error_of_minimum([-1.0, -0.9]), 4)    # the lowest is missed in a quarter of redraws
    0.0433
    """
    n = len(starts_eV)
    if n < 2:
        return float("nan")
    energies, left = np.sort(starts_eV), np.arange(n, -1, -1) / n
    chance = -np.diff(left**n)
    return float(np.sqrt(chance @ (energies - chance @ energies) ** 2))


_NEEDED = ("name", "complex", "parts")
#: Columns of a table that say what a row is, for statistics over rows.
_LABELS = ("adsorbate", "surface", "site", "coverage")


class EnergyTable(NamedTuple):
    """Rows that could be computed, and for every other row (by name) why not."""

    rows: list[EnergyRow]
    refused: dict[str, str]


def named(path: Path) -> set[str]:
    """The files and patterns that a table names, without reading them.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    set of str
        As written in the columns complex, parts and counterpoise, numbers of molecules left out.

    Raises
    ------
    FormatError
        For a file that is no such table.
    """
    rows, _ = read_records(path, _NEEDED)
    cells = [row.cells.get(k, "") for row in rows for k in ("complex", "parts", "counterpoise")]
    return {
        re.sub(r"^\d+\s*\*\s*", "", term)
        for cell in cells
        for term in re.split(r"\s+[+-]\s+|\s+", cell)
    }


@reader("a table of outputs")
def read_table(path: str | os.PathLike) -> EnergyTable:
    """All rows of a table of outputs: those computed, and those refused with their reasons.

    Parameters
    ----------
    path : path-like
        The table (CSV); the outputs lie beside it or below.

    Returns
    -------
    EnergyTable
        `rows` and `refused`.

    Raises
    ------
    FormatError
        For a table without the columns or without rows; what is wrong with a single row is in
        `refused`.
    """
    path = Path(path)
    records, account = read_records(path, _NEEDED)
    known = (*_NEEDED, "molecules", "accept", "counterpoise", *_LABELS)
    for head in records[0].cells:
        if head and head not in known and not head.startswith("x_"):
            near = difflib.get_close_matches(head, known, 1, 0.5)
            raise FormatError(
                path,
                place=f"line {account.head[0]}",
                expected=f"the columns {', '.join(known)}",
                found=head,
                advice=f"did you mean {near[0]!r}?" if near else "your own begin with x_",
            )
    cache: dict[Path, list[Calculation] | FormatError] = {}
    rows: list[EnergyRow] = []
    refused: dict[str, str] = {}
    for record in records:
        name, line = record["name"] or f"line {record.line}", record.line
        if name in {r.name for r in rows} or name in refused:
            refused[f"{name}, line {line}"] = (
                f"{path.name}, line {line}: a second row of this name; several starts "
                "go into one row, as a pattern"
            )
            continue
        try:
            if not record["name"]:
                raise record.refuse("name", "a name")
            rows.append(_row(path, line, record.cells, cache))
        except (FormatError, BookkeepingError) as error:
            refused[name] = str(error)
    return EnergyTable(rows, refused)


def _row(path: Path, line: int, row: dict, cache: dict) -> EnergyRow:
    where = f"{path.name}, line {line}: {row['name']}"
    molecules, labels, unrelaxed = _cells(path, line, row)
    whole, broken = _calculations(path, line, row["complex"], cache)
    unread = len(broken)
    parts, others = _sum(path, line, row["parts"], cache)
    broken = [*broken, *others]
    usable = _only_usable(where, whole, unrelaxed)
    parts = [(n, _of_one_level(usable[0], _only_usable(where, cs, unrelaxed))) for n, cs in parts]
    _alike(path, line, row["name"], [usable, *(cs for _, cs in parts)])
    members = [(count, min(cs, key=lambda c: c.energy_eV)) for count, cs in parts]
    intact = [c for c in usable if _intact(c, members)]
    kept = intact or usable
    best = min(kept, key=lambda c: c.energy_eV)
    _balance(path, line, row["name"], best, members)
    everyone = (best, *(c for _, c in members))
    borrowed = _borrowed(path, line, row, best, cache)
    notes, doubts = _compared(where, best, members)
    notes = [*map(str, broken), *notes, *_remarks(best, members, borrowed)]
    notes += [said for _, cs in parts if (said := _chosen(cs))]
    if not intact:
        doubts = [f"{best.path.name}: covalent bonds differ from those of the parts", *doubts]
    doubts += [_unsettled(c) for c in everyone if abs(c.scf_step_eV or 0) > SETTLED_EV]
    reference = sum(count * c.energy_eV for count, c in members) - (borrowed or 0.0)
    starts = tuple(sorted(c.energy_eV - reference for c in kept))
    gibbs = _difference("thermal_eV", best, members)
    surface = max((c.composition for _, c in members), key=_mineral)
    return EnergyRow(
        row["name"],
        starts[0],
        starts,
        unconverged=len(whole) - len(usable) + unread,
        molecules=molecules,
        warnings=tuple(dict.fromkeys(doubts)),
        complex=best,
        files=tuple(dict.fromkeys(c.path for c in (*whole, *(c for _, cs in parts for c in cs)))),
        reacted=len(usable) - len(kept),
        notes=tuple(dict.fromkeys(notes)),
        adsorbed=best.composition - surface,
        labels=labels,
        dispersion_eV=_difference("dispersion_eV", best, members),
        gibbs_eV=None if gibbs is None else starts[0] + gibbs,
    )


def _cells(path: Path, line: int, row: dict) -> tuple[int, dict[str, str], bool]:
    """Number of molecules, labels, and whether geometries that are not relaxed are accepted."""

    def refuse(expected: str, cell: str) -> FormatError:
        return FormatError(path, place=f"line {line}", expected=expected, found=repr(row[cell]))

    try:
        molecules = int(row.get("molecules") or 1)
    except ValueError:
        raise refuse("a whole number of molecules", "molecules") from None
    labels = {k: row[k] for k in _LABELS if row.get(k)}
    try:
        float(labels.get("coverage", 0))
    except ValueError:
        raise refuse("a number as coverage", "coverage") from None
    accept = (row.get("accept") or "").split()
    if set(accept) - {"geometry"}:
        raise refuse("accept: geometry, or nothing", "accept")
    return molecules, labels, bool(accept)


def _sum(
    path: Path, line: int, text: str, cache: dict
) -> tuple[list[tuple[int, list[Calculation]]], list[FormatError]]:
    """Counts (negative after a minus) and calculations of a sum of patterns."""
    terms, broken = [], []
    pieces = ["+", *re.split(r"\s([+-])\s", text.strip())]
    for sign, term in zip(pieces[::2], pieces[1::2], strict=True):
        match = re.fullmatch(r"(?:(\d+)\s*\*\s*)?(\S.*)", term.strip())
        if not match:
            raise FormatError(
                path,
                place=f"line {line}",
                expected="parts like 'a.out + 2*b.out'",
                found=repr(text),
            )
        found, others = _calculations(path, line, match[2], cache)
        terms.append((int(f"{sign}{match[1] or 1}"), found))
        broken += others
    return terms, broken


def _only_usable(where: str, found: list[Calculation], unrelaxed: bool) -> list[Calculation]:
    kept = [c for c in found if _usable(c, unrelaxed)]
    if not kept:
        names = dict.fromkeys(f"{c.path.name} ({'; '.join(c.complaints)})" for c in found)
        raise BookkeepingError(
            f"{where}: expected a converged calculation, found {', '.join(names)}"
        )
    return kept


def _compared(
    where: str, best: Calculation, members: list[tuple[int, Calculation]]
) -> tuple[list[str], list[str]]:
    """Notes and doubts of comparing the complex with its parts."""
    notes, doubts = [], []
    for _, part in members:
        found = compare(best, part)
        if found.differences:
            raise BookkeepingError(f"{where}: not comparable: {'; '.join(found.differences)}")
        notes += found.notes
        doubts += found.doubts
    return notes, doubts


def _borrowed(path: Path, line: int, row: dict, best: Calculation, cache: dict) -> float | None:
    """What the parts gain from each other's basis functions in the complex (eV, positive), where
    the table names the
    outputs: each part alone less the same with the others' functions, at the geometry it has there.

    Boys & Bernardi, Mol. Phys. 19, 553 (1970), doi:10.1080/00268977000101561.
    """
    if not row.get("counterpoise"):
        return None
    where = f"{path.name}, line {line}: {row['name']}: counterpoise"
    terms, _ = _sum(path, line, row["counterpoise"], cache)
    members = [(n, _only_usable(where, cs, True)[0]) for n, cs in terms]
    _compared(where, best, members)
    found = sum(n * c.energy_eV for n, c in members)
    if sum(n for n, _ in members) or not 0 <= found < 3:
        raise BookkeepingError(
            f"{where}: expected 'a.out + b.out - a_with_ghosts.out - b_with_ghosts.out', each "
            "part once "
            "alone and once with the others' functions, between 0 and 3 eV in all, found "
            f"{found:.3f} eV"
        )
    return found


def _remarks(
    best: Calculation, members: list[tuple[int, Calculation]], borrowed: float | None
) -> list[str]:
    """What is to be known of a row without doubting it."""
    notes = []
    # Plane waves and grids have no superposition error; a single part (a conformer, a defect) has
    # nobody to borrow from.
    atomic = "basis" in best.settings and "cutoff_eV" not in best.settings
    if borrowed is not None:
        notes.append(f"counterpoise: {borrowed:+.3f} eV added")
    elif atomic and sum(count for count, _ in members) > 1:
        notes.append(
            f"{best.path.name}: basis {best.settings['basis']}, no counterpoise: molecules that "
            "borrow each other's functions bind too strongly"
        )
    return notes + [
        f"{c.path.name}: geometry not converged, accepted by the table"
        for c in (best, *(c for _, c in members))
        if c.geometry_converged is False
    ]


def _chosen(found: list[Calculation]) -> str:
    """Which of several files of one part is referred to."""
    kept = sorted(found, key=lambda c: c.energy_eV)
    if len({c.path for c in kept}) < 2:
        return ""
    gap = kept[1].energy_eV - kept[0].energy_eV
    return f"{kept[0].path.name}: the lowest of {len(kept)}, {gap:.3f} eV below the next"


def _difference(
    part: str, best: Calculation, members: list[tuple[int, Calculation]]
) -> float | None:
    """A part of the energy, complex less parts; None where a member does not state it."""
    terms = [(1, best), *((-count, c) for count, c in members)]
    values = [(count, getattr(c, part)) for count, c in terms]
    return None if any(v is None for _, v in values) else sum(n * v for n, v in values)


def _unsettled(c: Calculation) -> str:
    return (
        f"{c.path.name}: the last iteration moved the total energy by {c.scf_step_eV:+.2f} eV, "
        "although the program calls it converged"
    )


def _mineral(composition: Counter) -> tuple[int, int]:
    """How much like a surface: atoms beyond argon, then all."""
    return sum(n for s, n in composition.items() if ELEMENTS.index(s) > 17), sum(
        composition.values()
    )


def _usable(c: Calculation, unrelaxed: bool) -> bool:
    return c.scf_converged and c.finished and (unrelaxed or c.geometry_converged is not False)


def _of_one_level(whole: Calculation, part: list[Calculation]) -> list[Calculation]:
    """Of a file that holds one system at several levels (vacuum and water, say) only the frames at
    the level of the whole, if there are any.
    """
    kept = []
    for path in dict.fromkeys(c.path for c in part):
        frames = [c for c in part if c.path == path]
        fitting = (
            [c for c in frames if not compare(whole, c).differences] if len(frames) > 1 else []
        )
        kept += fitting or frames
    return kept


def _alike(path: Path, line: int, name: str, sets: list[list[Calculation]]) -> None:
    """The starts of one system must have one composition and one setting, else the lowest means
    nothing.
    """
    for first, *others in sets:
        for other in others:
            if first.composition and other.composition and first.composition != other.composition:
                both = (f"{c.path.name} is {formula(c.composition)}" for c in (first, other))
                found = ", ".join(both)
                raise BookkeepingError(
                    f"{path.name}, line {line}: {name}: starts of one system differ: {found}"
                )
            found = compare(first, other, same_system=True)
            if found.differences:
                raise BookkeepingError(
                    f"{path.name}, line {line}: {name}: starts of one system differ: "
                    f"{'; '.join(found.differences)}"
                )


def covalent_bonds(structure: Structure) -> Counter:
    """Number of bonds within molecules by the pair of elements, across cell boundaries where
    there is a cell.

    Atoms of surfaces are left out, since adsorbing is making bonds to them.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    Counter
        By pairs such as ("C", "H").

    References
    ----------
    .. [1] B. Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j
    """
    names = structure.symbols
    found = links(names, structure.positions, structure.cell)
    organic = molecules(structure, found) >= 0
    return Counter(
        tuple(sorted((names[b.i], names[b.j]))) for b in found if organic[b.i] and organic[b.j]
    )


def _intact(whole: Calculation, members: list[tuple[int, Calculation]]) -> bool:
    """Whether the complex has the covalent bonds of its parts; unknown structures pass."""
    if whole.structure is None or any(c.structure is None for _, c in members):
        return True
    total: Counter = Counter()
    for count, c in members:
        for pair, n in covalent_bonds(c.structure).items():
            total[pair] += count * n
    return covalent_bonds(whole.structure) == total


def _calculations(
    path: Path, line: int, pattern: str, cache: dict
) -> tuple[list[Calculation], list[FormatError]]:
    """The calculations of all files that fit, and why others could not be read."""
    root = path.parent.resolve()
    try:
        found = sorted(
            p for p in path.parent.glob(pattern) if p.is_file() and root in p.resolve().parents
        )
    except (ValueError, NotImplementedError, IndexError):  # an empty or absolute pattern
        found = []
    if not found:
        advice = "a sum is written with blanks, 'a.out + b.out'" if "+" in pattern else ""
        raise FormatError(
            path,
            place=f"line {line}",
            expected=f"files like {pattern!r} beside the table",
            found="none",
            advice=advice,
        )
    calculations, broken = [], []
    for p in found:
        if p not in cache:
            try:
                cache[p] = read_calculations(p, allow_unconverged=True)
            except FormatError as error:
                cache[p] = error
        if isinstance(cache[p], FormatError):
            broken.append(cache[p])
        else:
            calculations += cache[p]
    if not calculations:
        raise broken[0]
    return calculations, broken


def _balance(
    path: Path, line: int, name: str, whole: Calculation, members: list[tuple[int, Calculation]]
) -> None:
    if not whole.composition or any(not c.composition for _, c in members):
        return
    total: Counter = Counter()
    for count, c in members:
        for symbol, n in c.composition.items():
            total[symbol] += count * n
    if total != whole.composition:
        raise BookkeepingError(
            f"{path.name}, line {line}: {name}: atoms do not balance: {whole.path.name} is "
            f"{formula(whole.composition)}, its parts are {formula(total)}"
        )
    charges = [c.settings.get("charge") for _, c in members]
    if whole.settings.get("charge") is not None and None not in charges:
        sum_of_parts = sum(n * q for (n, _), q in zip(members, charges, strict=True))
        if abs(whole.settings["charge"] - sum_of_parts) > 1e-3:
            raise BookkeepingError(
                f"{path.name}, line {line}: {name}: charge does not balance: "
                f"{whole.settings['charge']} against {sum_of_parts}"
            )


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def to_csv(rows: list[EnergyRow], refused: dict[str, str] | None = None) -> str:
    """The table to take away: energies in eV and kJ/mol, per molecule, method, size, spread over
    starts, warnings, notes; refused rows last, with reasons.

    Parameters
    ----------
    rows : sequence of EnergyRow
    refused : mapping, optional
        By name, why a row was not computed.

    Returns
    -------
    str
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = [
        "name",
        "energy_eV",
        "energy_kJ_mol",
        "per_molecule_eV",
        "dispersion_eV",
        "gibbs_eV",
        "method",
        "atoms",
        "starts",
        "spread_eV",
        "unconverged",
        "reacted",
        "warnings",
        "notes",
    ]
    writer.writerow(head)
    for r in rows:
        per = f"{r.energy_eV / r.molecules:.3f}" if r.molecules else ""
        spread = f"{r.spread_eV:.3f}" if len(r.starts_eV) > 1 else ""
        energies = [f"{r.energy_eV:.3f}", f"{r.energy_eV * 96.48533212:.1f}", per]
        energies += [_three(r.dispersion_eV), _three(r.gibbs_eV)]
        writer.writerow(
            [
                r.name,
                *energies,
                r.method,
                r.atoms,
                len(r.starts_eV),
                spread,
                r.unconverged,
                r.reacted,
                "; ".join(r.warnings),
                "; ".join(r.notes),
            ]
        )
    for name, reason in (refused or {}).items():
        writer.writerow([name, *[""] * (len(head) - 3), f"refused: {reason}", ""])
    return stream.getvalue()
