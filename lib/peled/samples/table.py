"""A sheet or `lab.csv` as text: encodings, delimiters, comments, Excel; the check of all cells.

Whatever the bytes are, the outcome is a `Table` with its messages, or `SheetError`.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from peled.formats import limits, read_text
from peled.formats.contract import sheets
from peled.samples.schema import Column, nearest

_LARGEST = 16 * 2**20  # bytes of a sheet; unfolded, for a workbook
_MOST_LINES = 100_000
_MOST_FREE = 5  # in one name: the time to divide a name grows as its length to that power
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Message:
    """What is wrong in a sheet, and where; `line` 0 means the whole file."""

    file: str
    line: int
    column: str
    text: str

    def __str__(self) -> str:
        place = [self.file, f"line {self.line}" if self.line else ""]
        place.append(f"column {self.column}" if self.column else "")
        return ", ".join(filter(None, place)) + f": {self.text}"


class SheetError(ValueError):
    """A sample sheet of which nothing can be understood, or a question to it that has two answers.

    Parameters
    ----------
    messages : iterable of Message or str
        All that is wrong, not only the first.
    """

    def __init__(self, messages: Iterable[Message | str]):
        self.messages = tuple(messages)
        super().__init__("\n".join(map(str, self.messages)))

    def __reduce__(self):
        return SheetError, (self.messages,)


@dataclass(frozen=True)
class Line:
    """A line of a sheet with its non-empty cells; `problems` say what keeps it from being used."""

    file: str
    number: int
    cells: Mapping[str, str]
    problems: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.number}" if self.number else self.file


@dataclass(frozen=True)
class Table:
    """The lines of a sheet and everything that was found wrong in it."""

    lines: tuple[Line, ...]
    messages: tuple[Message, ...]


def read_table(path: Path, columns: Mapping[str, Column], *, lab: bool = False) -> Table:
    """Read and check a sheet.

    Parameters
    ----------
    path : Path
        CSV (comma, semicolon, tab; UTF-8, UTF-16 or Windows-1252) or the first sheet of a workbook.
    columns : mapping
        The columns that may stand in it.
    lab : bool
        `lab.csv`: settings of a laboratory, without `file`, `part` and `doi`.

    Returns
    -------
    Table

    Raises
    ------
    SheetError
        If no line can be understood: all messages, with line, column and nearest known word.
    """
    name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    try:
        raw = _excel(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _text(path)
    except (OSError, ValueError, csv.Error) as error:
        raise SheetError([Message(name, 0, "", f"cannot be read: {error}")]) from None
    rows = [
        (number, [unicodedata.normalize("NFC", cell.strip()) for cell in cells])
        for number, cells in raw
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#")
    ]
    if not rows:
        raise SheetError([Message(name, 0, "", "expected a line of column names, found none")])
    (at, head), *body = rows
    messages = _check_head(name, at, head, columns, lab)
    refused = {message.column: message.text for message in messages}
    lines = []
    for number, cells in body:
        line, found = _check_line(name, number, cells, head, columns, refused)
        lines.append(line)
        messages += found
    if not lines:
        messages.append(Message(name, 0, "", "expected rows below the column names, found none"))
    if all(line.problems for line in lines):
        raise SheetError(messages)
    return Table(tuple(lines), tuple(messages))


def _check_head(name, at, head, columns, lab) -> list[Message]:
    messages = []
    for i, column in enumerate(head):
        if column in head[:i] and column:
            text = "stands twice; keep one"
        elif lab and column in ("file", "part", "doi"):
            text = "belongs into the sheet beside the data, not into lab.csv"
        elif not column or column in columns or re.fullmatch(r"x_\w+", column):
            continue
        else:
            near = nearest(column, columns)
            text = "unknown column" + (f"; nearest: {near!r}" if near else "")
            text += "; columns of your own begin with x_"
        messages.append(Message(name, at, column, text))
    return messages


def _check_line(name, number, cells, head, columns, refused) -> tuple[Line, list[Message]]:
    found, kept = [], {}
    if any(cells[len(head) :]):
        text = f"expected at most {len(head)} cells, found {len(cells)}"
        found.append(("", text + "; a decimal comma needs quotes or another delimiter"))
    for column, cell in zip(head, cells):
        if not cell:
            continue
        if column in refused:
            found.append((column, refused[column]))
        elif not column:
            found.append(("", f"expected a name above {cell!r}, found an empty head"))
        else:
            kept[column] = cell.replace("\\", "/") if column == "file" else cell
            if text := _check_cell(column, cell, columns):
                found.append((column, text))
    found += _check_placeholders(kept, columns)
    messages = [Message(name, number, column, text) for column, text in found]
    problems = tuple(f"{column}: {text}" if column else text for column, text in found)
    return Line(name, number, kept, problems), messages


def _check_cell(column: str, cell: str, columns: Mapping[str, Column]) -> str:
    if column == "file":
        place = cell.replace("\\", "/")
        if place.startswith("/") or re.match(r"[A-Za-z]:", place) or ".." in place.split("/"):
            return f"expected a path below the folder, found {cell!r}"
    if "{" in cell or column not in columns:
        return ""
    try:
        columns[column].read(cell)
    except ValueError as error:
        other = next((c.name for c in columns.values() if c.name != column and cell in c.words), "")
        return str(error) + (f"; {cell!r} is a word of {other}" if other else "")
    return ""


def _check_placeholders(cells: Mapping[str, str], columns) -> list[tuple[str, str]]:
    found = []
    captured = set()
    for column in ("file", "part"):
        pattern = cells.get(column, "")
        names = PLACEHOLDER.findall(pattern)
        if re.search(r"[{}]", PLACEHOLDER.sub("", pattern)):
            found.append((column, f"expected {{column}} in whole braces, found {pattern!r}"))
        elif max(map(_free, re.split(r"[/\\]", pattern))) > _MOST_FREE:
            limit = f"expected at most {_MOST_FREE} of * and {{column}} between two /"
            found.append((column, f"{limit}, found {pattern!r}"))
        for name in names:
            if (name not in columns and not re.fullmatch(r"x_\w+", name)) or name in (
                "file",
                "part",
                "doi",
                "proposed",
            ):
                near = nearest(name, columns)
                advice = f"; nearest: {near!r}" if near else ""
                found.append((column, f"{{{name}}} is no column to capture{advice}"))
        captured |= set(names)
    for column, cell in cells.items():
        for name in PLACEHOLDER.findall(cell) if column not in ("file", "part") else ():
            if name not in captured:
                text = f"{{{name}}} stands neither in file nor in part, so nothing gives it a value"
                found.append((column, text))
    return found


def _free(pattern: str) -> int:
    return len(PLACEHOLDER.sub("*", pattern).split("*")) - 1


def _text(path: Path) -> list[tuple[int, list[str]]]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"expected a sheet of at most {_LARGEST >> 20} MB")
    with limits(unpacked=_LARGEST):
        text = read_text(path, what="a sheet as text; save it as CSV")
    said = re.match(r"sep=(.)\n", text)  # how Excel marks the delimiter
    head = next((s for s in text.split("\n")[bool(said) :] if s.strip(' ;,\t"')[:1] not in "#"), "")
    delimiter = said[1] if said else max(",;\t", key=head.count)
    stream = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, number = [], 1
    for cells in stream:
        if cells and not (said and number == 1):
            rows.append((number, cells))
        number = stream.line_num + 1
    if len(rows) > _MOST_LINES:
        raise ValueError(f"expected at most {_MOST_LINES} lines, found {len(rows)}")
    return rows


def _excel(path: Path) -> list[tuple[int, list[str]]]:
    with limits(unpacked=4 * _LARGEST, cells=10 * _MOST_LINES):
        first = sheets(path)[0][1]
    return [
        (number, [_cell(cell) for cell in row])
        for number, row in enumerate(first, start=1)
        if any(cell is not None for cell in row)
    ]


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime | date):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value)
