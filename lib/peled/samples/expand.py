"""From lines with patterns to rows: one file, or one part of a file, is one row.

A pattern's `*` and `{column}` stand for text without a `/`; a `{column}` of numbers or words fits
such only. Where text could be divided in several ways the earlier placeholder takes as much as it
can. Among patterns that fit, the one with most literal characters wins, file and part counted
together; a tie is an error of that file that names both lines.

A folder that a pattern names is one measurement (as instruments write them) unless a file or folder
inside finds a row; `.` names the sheet's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peled.samples.schema import NUMBER, Column
from peled.samples.table import PLACEHOLDER, Line

#: What a row is, as against how it was taken.
IDENTITY = ("sample", "measurement", "role", "group", "state", "replicate")
#: The sheet's own folder, where all of it is one measurement.
WHOLE = "."
_FREE = ("date", "operator", "note")


@dataclass(frozen=True)
class Row:
    """One measurement of one sample, or what a measurement needs.

    Attributes
    ----------
    path : Path
        The file, or the folder that is one measurement.
    file : str
        The same below the sheet's folder, with `/`.
    part : str
        Which part of the file; empty: the whole.
    sample, measurement, role, group, state, replicate : str
        As in the sheet; `role` is `sample` where it says nothing.
    settings : dict
        Columns with settings: numbers in the unit of the name, ranges as (low, high), words.
    free : dict
        `date`, `operator`, `note` and `x_…` columns.
    doubt : str
        Why its quantities are doubtful ("joined by name"), or empty.
    problems : tuple of str
        Why it cannot be used; empty for a good row.
    origin : str
        Where it comes from: a line of the sheet, or "proposed".
    inherited : dict
        Settings that come from elsewhere -> place.
    """

    path: Path
    file: str
    part: str = ""
    sample: str = ""
    measurement: str = ""
    role: str = "sample"
    group: str = ""
    state: str = ""
    replicate: str = "1"
    settings: Mapping[str, object] = field(default_factory=dict, hash=False)
    free: Mapping[str, str] = field(default_factory=dict, hash=False)
    doi: str = ""
    doubt: str = ""
    problems: tuple[str, ...] = ()
    origin: str = ""
    inherited: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """The row in a message: file, part and sample."""
        place = f"{self.file} [{self.part}]" if self.part else self.file
        return f"{place} ({self.sample})" if self.sample else place


@dataclass(frozen=True)
class Claim:
    """A line that fits a file, with what its pattern captured."""

    line: Line
    captured: Mapping[str, str]
    literal_file: int
    literal_part: int = 0
    part: str = ""

    @property
    def literal(self) -> int:
        return self.literal_file + self.literal_part


def _literals(pattern: str) -> int:
    """How many characters of a pattern stand for themselves."""
    return len(PLACEHOLDER.sub("", pattern).replace("*", ""))


def _matcher(
    pattern: str, columns: Mapping[str, Column], known: Mapping[str, str], *, part: bool = False
) -> Callable[[str], dict[str, str] | None]:
    """A function text -> captured columns, None where the pattern does not fit.

    `known` columns must have just that value. In a `part`, placeholders may hold a `/`.
    """
    groups: dict[str, str] = {}
    out = []
    for piece in re.split(r"(\*+|\{[^{}]*\})", unicodedata.normalize("NFC", pattern)):
        if piece.startswith("*"):
            out.append(".*" if part else "[^/]*")
        elif piece.startswith("{"):
            out.append(_placeholder(piece[1:-1], groups, columns, known, part))
        else:
            out.append(re.escape(piece))
    compiled = re.compile("".join(out), re.DOTALL)
    tail = re.split(r"[*}]", unicodedata.normalize("NFC", pattern))[-1]

    def match(text: str) -> dict[str, str] | None:
        text = unicodedata.normalize("NFC", text)
        found = compiled.fullmatch(text) if text.endswith(tail) else None  # saves the search
        return {name: found[group] for name, group in groups.items()} if found else None

    return match


def _placeholder(name: str, groups: dict, columns, known, part: bool) -> str:
    if name in known:
        return re.escape(known[name])
    if name in groups:
        return f"(?P={groups[name]})"
    groups[name] = f"g{len(groups)}"
    column = columns.get(name)
    text = ".+" if part else "[^/]+"
    if column and column.kind == "number":
        text = NUMBER
    elif column and column.kind == "word":
        text = "|".join(map(re.escape, sorted(column.words, key=len, reverse=True)))
    return f"(?P<{groups[name]}>{text})"


def in_order(name: str) -> tuple[list, str]:
    """Key that sorts names with numbers in them by the numbers: 0.2uJ, 2uJ, 20uJ.

    Parameters
    ----------
    name : str
        Of a file, with its folders.

    Returns
    -------
    list, str
        Text and numbers in turn, and the name itself.

    Examples
    --------
    >>> sorted(["f/20uJ", "f/2uJ", "f/0.2uJ"], key=in_order)
    ['f/0.2uJ', 'f/2uJ', 'f/20uJ']
    """
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)], name


def claims(
    lines: Sequence[Line], files: Iterable[str], columns: Mapping[str, Column]
) -> dict[str, list[Claim]]:
    """For each file, and each folder that is one measurement, the lines whose file pattern fits.

    Parameters
    ----------
    lines : sequence of Line
        Lines of a sheet; those without a pattern, or with a problem in it, fit nothing.
    files : iterable of str
        Files below the sheet's folder, with `/`.
    columns : mapping
        The topic's columns by name.

    Returns
    -------
    dict
        File or folder -> its claims, in the order of the lines; without those that no line fits.
    """
    files = sorted(files, key=in_order)
    folders = {folder for file in files for folder in _above(file)}
    matchers = []
    for line in lines:
        pattern = line.cells.get("file", "").rstrip("/").removeprefix("./")
        known = {k: v for k, v in line.cells.items() if "{" not in v}
        if pattern and not any(p.startswith("file: ") for p in line.problems):
            matchers.append((line, _literals(pattern), _matcher(pattern, columns, known)))

    def fitting(name: str) -> list[Claim]:
        fits = ((line, n, match(name)) for line, n, match in matchers)
        return [Claim(line, got, n) for line, n, got in fits if got is not None]

    found = {file: fits for file in files if (fits := fitting(file))}
    taken = {folder for file in found for folder in _above(file)}
    for folder in sorted(folders, key=lambda name: (name == WHOLE, -name.count("/"), name)):
        if folder not in taken and (fits := fitting(folder)):
            found[folder] = fits
            taken |= set(_above(folder))
    return found


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return [WHOLE, *("/".join(parts[:i]) for i in range(1, len(parts)))]


def resolve(
    fits: Sequence[Claim], parts: Sequence[str] | None, columns: Mapping[str, Column]
) -> tuple[list[Claim], list[str], list[str]]:
    """One claim for the whole file or one a part; sentences on ties; parts that nobody claims.

    `parts` is None where nothing can say what the file holds; then only literal parts can be taken.
    A line for the whole file and lines for its parts stand side by side where their file patterns
    are equally literal (a recipe and its treatments); otherwise the more literal file pattern wins.

    Parameters
    ----------
    fits : sequence of Claim
        All claims of one file, as `claims` returns.
    parts : sequence of str or None
        Names of what the file holds.
    columns : mapping
        The topic's columns by name.

    Returns
    -------
    kept : list of Claim
    problems : list of str
    left : list of str
        Empty where a line takes the whole file, or none names a part.
    """
    whole = [claim for claim in fits if "part" not in claim.line.cells]
    parted = [claim for claim in fits if "part" in claim.line.cells]
    problems: list[str] = []
    kept = [best] if (best := _best(whole, "", problems)) else []
    said = [claim.line.cells["part"] for claim in parted]
    names = list(parts or ()) or [part for part in said if not re.search(r"[*{]", part)]
    by_part = []
    for part in dict.fromkeys(names):
        fitting = [claim for c in parted if (claim := _part_claim(c, part, columns))]
        if best := _best(fitting, part, problems):
            by_part.append(best)
    if kept and by_part:
        most = max(kept[0].literal_file, *(claim.literal_file for claim in by_part))
        kept = [claim for claim in kept if claim.literal_file == most]
        by_part = [c for c in by_part if c.literal_file == most or not kept]
    left = [] if kept or not parted else [p for p in names if p not in {c.part for c in by_part}]
    return kept + by_part, problems, left


def _part_claim(claim: Claim, part: str, columns) -> Claim | None:
    cells = claim.line.cells
    known = {k: v for k, v in cells.items() if "{" not in v} | dict(claim.captured)
    got = _matcher(cells["part"], columns, known, part=True)(part)
    if got is None:
        return None
    captured = {**claim.captured, **got}
    return Claim(claim.line, captured, claim.literal_file, _literals(cells["part"]), part)


def _best(fits: Sequence[Claim], part: str, problems: list[str]) -> Claim | None:
    if not fits:
        return None
    most = max(claim.literal for claim in fits)
    first = sorted((c for c in fits if c.literal == most), key=lambda c: c.line.number)
    if len(first) > 1:
        where = f"part {part!r}: " if part else ""
        both = " and ".join(f"{c.line.place} ({c.line.cells['file']})" for c in first[:2])
        problems.append(f"{where}{both} fit equally well; make one more literal")
        return None
    return first[0]


def fill(claim: Claim) -> dict[str, str]:
    """The cells of a claim's line with what was captured put into them.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    dict
        Column -> text, without `file` and `part`; a cell has precedence over what was captured.
    """
    cells = {k: v for k, v in claim.line.cells.items() if k not in ("file", "part")}
    cells = {
        k: PLACEHOLDER.sub(lambda m: claim.captured.get(m[1], m[0]), v) for k, v in cells.items()
    }
    return {k: v for k, v in claim.captured.items()} | cells


def _inherit(
    cells: Mapping[str, str], sources: Sequence[Sequence[Line]], columns: Mapping[str, Column]
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Cells completed from settings lines, nearest source first; where from; sentences on ties.

    A settings line serves the rows that agree with what it says of sample, measurement, role,
    group, state, replicate; of several in one source the one that says most of these wins.
    """
    cells, places, problems = dict(cells), {}, []
    is_row = {"role": "sample"} | cells
    for source in sources:
        serving = [line for line in source if _serves(line.cells, is_row)]
        for column in dict.fromkeys(c for line in serving for c in line.cells):
            if column in cells or column in IDENTITY or not _known(column, columns):
                continue
            saying = [line for line in serving if column in line.cells]
            most = max(map(_said, saying))
            best = [line for line in saying if _said(line) == most]
            if len({line.cells[column] for line in best}) > 1:
                both = " and ".join(line.place for line in best[:2])
                problems.append(f"{column}: {both} both give it")
            else:
                cells[column], places[column] = best[0].cells[column], best[0].place
    return cells, places, problems


def _known(column: str, columns) -> bool:
    return column in columns or column.startswith("x_")


def _said(line: Line) -> int:
    return sum(column in line.cells for column in IDENTITY)


def _serves(settings: Mapping[str, str], row: Mapping[str, str]) -> bool:
    return all(row.get(k, "") == settings[k] for k in IDENTITY if k in settings)


def to_row(
    path: Path,
    file: str,
    claim: Claim,
    sources: Sequence[Sequence[Line]],
    columns: Mapping[str, Column],
    measurement: str,
) -> Row:
    """The row of a claim; what is wrong with its line and its cells become its problems.

    `measurement` is what the content says, for a sheet that is silent.

    Parameters
    ----------
    path : Path
        The file, or the folder that is one measurement.
    file : str
        The same below the sheet's folder, with `/`.
    claim : Claim
    sources : sequence of sequence of Line
        Lines of settings of each source, nearest first; they fill columns that the cells leave out.
    columns : mapping
        The topic's columns by name.
    measurement : str
        May be empty.

    Returns
    -------
    Row
    """
    cells = fill(claim)
    if measurement and "measurement" not in cells:
        cells["measurement"] = measurement
    problems = list(claim.line.problems)
    cells, inherited, ties = _inherit(cells, sources, columns)
    problems += ties
    values: dict[str, object] = {}
    for name, cell in cells.items():
        try:
            values[name] = columns[name].read(cell) if name in columns else cell
        except ValueError as error:
            if not any(p.startswith(f"{name}: ") for p in problems):
                problems.append(f"{name}: {error}")
    role = values.pop("role", "sample")
    if not values.get("measurement") and role in ("sample", "scan"):
        problems.append("measurement: not said, and not to be told from the content")
    if said := _misplaced(role, str(values.get("measurement", "")), columns):
        problems.append(said)
    own = {name: values.pop(name, "") for name in IDENTITY if name != "role"}
    doubt = "joined by name" if values.pop("proposed", "") else ""
    doi = values.pop("doi", "")
    free = {k: values.pop(k) for k in [*values] if k in _FREE or k.startswith("x_")}
    if doubt and free.get("note"):
        doubt += f", {free['note']}"
    origin = claim.line.place
    return Row(
        path, file, claim.part, role=role, settings=values, free=free, doi=doi, doubt=doubt,
        problems=tuple(problems), origin=origin, inherited=inherited, **own,
    )  # fmt: skip


def _misplaced(role: str, measurement: str, columns: Mapping[str, Column]) -> str:
    """A sentence where rows of a measurement have no such role, so that nothing would use it; ""
    where they have.
    """
    kinds = columns["measurement"].words
    if measurement not in kinds or role in ("sample", "ignore", *kinds[measurement].roles):
        return ""
    known = ", ".join(("sample", *kinds[measurement].roles))
    taking = [kind for kind, word in kinds.items() if role in word.roles]
    advice = f"if it is {' or '.join(taking)}, say so in measurement; else " if taking else ""
    return (
        f"role: expected {known} or ignore in a row of {measurement}, found {role!r}; {advice}"
        "correct role (empty: the sample itself)"
    )
