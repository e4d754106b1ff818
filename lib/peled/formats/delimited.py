"""Delimited text as instruments and spreadsheets write it: any common delimiter, decimal point or comma, a header
block of any length, units in the column heads.

`read_table` is for one block of columns; `scan` gives the bare rows with their line numbers to readers of formats
with more structure (several samples side by side, matrices with two axes).
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_text
from peled.formats.contract import reader

DELIMITERS = ("\t", ";", ",", "|", None)  # None: runs of blanks
DELIMITER_NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", None: "blanks"}
COMMENT = ("#", "%", "!", "//")
_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$")
_COMMA = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eEdD][+-]?\d+)?$")
_MISSING = {
    "",
    "nan",
    "na",
    "n/a",
    "#n/a",
    "-nan",
    "inf",
    "-inf",
    "+inf",
    "--",
    "---",
    "null",
    "none",
    "overflow",
    "over",
}
_UNIT = re.compile(
    r"^(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|\s/\s(?P<slash>\S.*))\s*$"
)


@dataclass(frozen=True)
class Column:
    """One column: its name and unit as headed (either may be empty) and its values, float or str."""

    name: str
    unit: str
    values: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Table:
    """One block of columns with everything that stood around it.

    Attributes
    ----------
    path : Path
    columns : tuple of Column
    header, footer : tuple of str
        The lines before and after the block, column heads included, as they stand in the file.
    metadata : dict
        `key: value`, `key = value` and `key<tab>value` lines of header and footer.
    first_line : int
        Line number (from 1) of the first row of the block.
    """

    path: Path
    columns: tuple[Column, ...]
    header: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)
    first_line: int = 1

    def __len__(self) -> int:
        return len(self.columns[0].values)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, *patterns: str) -> Column:
        """The one column whose name matches the first pattern that matches any (regular expressions, case ignored).

        Raises
        ------
        FormatError
            If no pattern matches, or one matches several columns.
        """
        for pattern in patterns:
            found = [
                column for column in self.columns if re.search(pattern, column.name, re.IGNORECASE)
            ]
            if len(found) == 1:
                return found[0]
            if found:
                raise FormatError(
                    self.path,
                    expected=f"one column named like {pattern!r}",
                    place="column heads",
                    found=", ".join(repr(column.name) for column in found),
                    advice="rename all but one",
                )
        raise FormatError(
            self.path,
            expected="a column named like " + " or ".join(map(repr, patterns)),
            place="column heads",
            found=", ".join(repr(name) for name in self.names) or "no names",
            advice="name it in the head of the column",
        )

    def numbers(self) -> np.ndarray:
        """All numeric columns side by side, shape (rows, columns)."""
        return np.column_stack(
            [column.values for column in self.columns if column.values.dtype.kind == "f"]
        )


@dataclass(frozen=True)
class Scan:
    """The rows of a text file, split: `rows[i]` are the cells of line `line_numbers[i]` (from 1)."""

    path: Path
    lines: tuple[str, ...] = field(repr=False)
    delimiter: str | None
    decimal: str
    start: int
    stop: int

    def cells(self, index: int) -> list[str]:
        """The cells of line `index` (from 0), stripped of blanks and quotes."""
        return _split(self.lines[index], self.delimiter)

    def number(self, cell: str) -> float | None:
        """`cell` as a number, None when it is none."""
        return parse_number(cell, self.decimal)


def parse_number(cell: str, decimal: str = ".") -> float | None:
    """A cell as a float: decimal point or comma, Fortran exponents and the typographic minus are understood.

    >>> parse_number("−1,5e3", ","), parse_number("12 nm")
    (-1500.0, None)
    """
    cell = cell.strip().replace("\u2212", "-")
    if not (_COMMA if decimal == "," else _POINT).match(cell):
        return None
    value = float(cell.replace(",", ".").replace("D", "e").replace("d", "e"))
    return value if math.isfinite(value) else None  # 1e400 is no number


def split_unit(head: str) -> tuple[str, str]:
    """A column head as name and unit: `Wavelength (nm)`, `J [mA/cm2]`, `t / ps`.

    >>> split_unit("Current density [mA/cm2]"), split_unit("counts")
    (('Current density', 'mA/cm2'), ('counts', ''))
    """
    match = _UNIT.match(head.strip())
    if not match:
        return head.strip(), ""
    return match["name"].strip(), (
        match["round"] or match["square"] or match["slash"] or ""
    ).strip()


def scan(path: str | os.PathLike) -> Scan:
    """Find delimiter, decimal mark and the block of numeric rows of a text file.

    Raises
    ------
    FormatError
        If the file is missing, empty, binary, or holds no two rows of numbers.
    """
    path = Path(path)
    lines = tuple(read_text(path, what="a text file with columns of numbers").split("\n"))
    content = [
        i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(COMMENT)
    ]
    # The delimiter is judged on lines spread over the whole file, so that a long header does not decide it.
    probe = (
        [content[i] for i in np.unique(np.linspace(0, len(content) - 1, 160).astype(int))]
        if content
        else []
    )
    best, best_score = None, (0, 0, 0)
    for delimiter in DELIMITERS:
        for decimal in (".", ","):
            if delimiter == decimal:
                continue
            masks = Counter(mask for i in probe if any(mask := _mask(lines[i], delimiter, decimal)))
            for mask, count in masks.items():
                # Rows all of numbers count before rows with text cells; two columns before one.
                score = (
                    count * (2 if all(mask) else 1) * (3 if len(mask) > 1 else 1),
                    len(mask) > 1,
                    sum(mask),
                )
                if score > best_score:
                    best, best_score = (delimiter, decimal, mask), score
    if best is None:
        raise FormatError(
            path,
            expected="rows of numbers",
            found=f"none in {len(lines)} lines",
            advice="export the data as text columns",
        )
    delimiter, decimal, mask = best
    rows = [i for i in content if _mask(lines[i], delimiter, decimal) == mask]
    if len(rows) < 2:
        raise FormatError(
            path,
            expected="at least two rows of numbers",
            found=f"{len(rows)}",
            place=f"line {rows[0] + 1}" if rows else "",
        )
    return Scan(path, lines, delimiter, decimal, rows[0], rows[-1] + 1)


@reader("a text file with columns of numbers", missing=("values",))
def read_table(
    path: str | os.PathLike, *, names: tuple[str, ...] | None = None, allow_missing: bool = False
) -> Table:
    """Read one block of columns from a text file.

    Parameters
    ----------
    path : path-like
    names : tuple of str, optional
        Names for the columns when the file has no heads; their number must fit.
    allow_missing : bool
        Empty cells and `nan`-like words become NaN instead of an error.

    Returns
    -------
    Table

    Raises
    ------
    FormatError
        With line and column: for text among the numbers, rows of unequal length, missing values, a file without numbers.
    """
    found = scan(path)
    path, lines = found.path, found.lines
    width = len(found.cells(found.start))
    text_columns = [
        found.number(cell) is None and cell.lower() not in _MISSING
        for cell in found.cells(found.start)
    ]
    rows: list[list] = []
    for i in range(found.start, found.stop):
        if not lines[i].strip() or lines[i].lstrip().startswith(COMMENT):
            continue
        cells = found.cells(i)
        if len(cells) != width:
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected=f"{width} cells between {DELIMITER_NAMES[found.delimiter]}s as on line {found.start + 1}",
                found=f"{len(cells)}: {lines[i].strip()[:60]!r}",
                advice="mend or remove the line",
            )
        row = []
        for j, cell in enumerate(cells):
            value = cell if text_columns[j] else found.number(cell)
            if value is None:
                missing = cell.lower() in _MISSING
                if not (missing and allow_missing):
                    raise FormatError(
                        path,
                        place=f"line {i + 1}, column {j + 1}",
                        expected="a number",
                        found="an empty cell" if not cell else repr(cell),
                        advice="fill or remove the row" if missing else "mend the cell",
                    )
                value = np.nan
            row.append(value)
        rows.append(row)
    _refuse_stray_rows(found, width, text_columns)
    heads = _heads(found, width)
    if names is not None:
        if len(names) != width:
            raise FormatError(
                path,
                expected=f"{len(names)} columns ({', '.join(names)})",
                found=f"{width}",
                place=f"line {found.start + 1}",
            )
        heads = [(name, heads[j][1] if heads else "") for j, name in enumerate(names)]
    heads = heads or [("", "")] * width
    columns = tuple(
        Column(
            name,
            unit,
            np.array([row[j] for row in rows], dtype=object if text_columns[j] else float).astype(
                str if text_columns[j] else float
            ),
        )
        for j, (name, unit) in enumerate(heads)
    )
    header, footer = (
        lines[: found.start],
        tuple(line for line in lines[found.stop :] if line.strip()),
    )
    return Table(path, columns, header, footer, _metadata(header + footer), found.start + 1)


def _split(line: str, delimiter: str | None) -> list[str]:
    cells = (
        [cell.strip().strip("\"'").strip() for cell in line.strip("\n ").split(delimiter)]
        if delimiter
        else line.split()
    )
    # A delimiter at the end of every row is a habit of many exporters, not an empty column.
    while len(cells) > 1 and not cells[-1] and delimiter:
        cells.pop()
    return cells


def _mask(line: str, delimiter: str | None, decimal: str) -> tuple[bool, ...]:
    return tuple(parse_number(cell, decimal) is not None for cell in _split(line, delimiter))


def _refuse_stray_rows(found: Scan, width: int, text_columns: list[bool]) -> None:
    """A damaged first or last row looks like header or footer: refuse it when it is as wide as the block and part number."""
    outside = [
        i
        for i in (
            *range(max(found.start - 1, 0), found.start),
            *range(found.stop, len(found.lines)),
        )
    ]
    for i in outside:
        cells = found.cells(i)
        if width > 1 and len(cells) == width and not found.lines[i].lstrip().startswith(COMMENT):
            bad = [
                j
                for j, cell in enumerate(cells)
                if not text_columns[j] and found.number(cell) is None
            ]
            leads = found.number(cells[0]) is not None
            if leads and bad:
                raise FormatError(
                    found.path,
                    place=f"line {i + 1}, column {bad[0] + 1}",
                    expected="a number",
                    found=repr(cells[bad[0]]),
                    advice="mend the cell, or mark the line as a comment with #",
                )


def _heads(found: Scan, width: int) -> list[tuple[str, str]]:
    """Column names and units from the last lines before the block that are as wide as it."""
    above = [i for i in range(found.start) if found.lines[i].strip()]
    if not above:
        return []

    def cells(i: int) -> list[str]:
        line = found.lines[i].strip()
        for mark in COMMENT:
            line = line.removeprefix(mark)
        got = _split(line, found.delimiter)
        if (
            len(got) != width and found.delimiter is None
        ):  # heads with blanks in them over blank-separated numbers
            for split in (r"\s{2,}|\t|,\s*|;\s*", r"\s+(?![(\[])"):
                got = [cell for cell in re.split(split, line.strip()) if cell]
                if len(got) == width:
                    break
        return got

    last = cells(above[-1])
    if len(last) != width or found.number(last[0]) is not None:
        return []
    before = cells(above[-2]) if len(above) > 1 else []
    # A row of bare units under a row of names.
    if (
        len(before) == width
        and not any(split_unit(cell)[1] for cell in last + before)
        and all(_looks_like_unit(cell) for cell in last)
    ):
        return list(zip(before, (cell.strip("()[]") for cell in last), strict=True))
    return [split_unit(cell) for cell in last]


def _looks_like_unit(cell: str) -> bool:
    return bool(
        re.fullmatch(
            r"[\[(]?(nm|um|µm|cm\^?-1|1/cm|eV|meV|ps|ns|fs|us|µs|s|min|h|V|mV|A|mA|uA|µA|mA/?cm\^?-?2|cd/?m\^?-?2|ppm|Hz|deg|°|"
            r"a\.?u\.?|arb\.? ?u\.?|counts|cts|%|W|mW|OD|mOD|-|)[\])]?",
            cell,
            re.IGNORECASE,
        )
    )


def _metadata(lines) -> dict[str, str]:
    found = {}
    for line in lines:
        match = re.match(
            r"^[#%!/\s\"]*([A-Za-z][\w .()/%\-]{0,60}?)\s*(?::\s|:\t|=|\t|,|;)\s*\"?(.*?)\"?[\s,;]*$",
            line,
        )
        if match and match[2]:
            found.setdefault(match[1].strip(), match[2].strip())
    return found
