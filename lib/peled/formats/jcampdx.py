"""JCAMP-DX blocks: labelled records, tables of numbers plain or compressed (AFFN, PAC, SQZ, DIF,
DUP).

One decoder for infrared (McDonald and Wilks, Appl. Spectrosc. 42, 151 (1988),
doi:10.1366/0003702884428734) and NMR (Davies and Lampen, Appl. Spectrosc. 47, 1093 (1993),
doi:10.1366/0003702934067874). What the format repeats against damage is held against what was
decoded: the number of points, the check value after differences, and the abscissa at the start of
each line. Writers give that abscissa divided by XFACTOR, in the units of the header, or as a count
of points, from either end; what counts is that it moves from line to line by the points in between.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_text
from peled.formats.contract import reader

_SQZ = {c: str(i) for i, c in enumerate("@ABCDEFGHI")} | {
    c: f"-{i}" for i, c in enumerate("abcdefghi", 1)
}
_DIF = {c: str(i) for i, c in enumerate("%JKLMNOPQR")} | {
    c: f"-{i}" for i, c in enumerate("jklmnopqr", 1)
}
_DUP = {c: str(i) for i, c in enumerate("STUVWXYZs", 1)}
_DIGITS = r"(?:\d+(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(rf"[+-]?{_DIGITS}(?:[eE][+-]?\d+)?")
# In a compressed table E is a digit, unless a sign makes it an exponent.
_HEAD = re.compile(rf"\s*([+-]?{_DIGITS}(?:[eE][+-]\d+)?)")
_HEAD_PLAIN = re.compile(rf"\s*({_NUMBER.pattern})")
_TOKEN = re.compile(rf"[\s,]*(?:([@A-Ia-i%J-Rj-rS-Zs+\-])\s?)?({_DIGITS}(?:[eE][+-]\d+)?)?")
_SQUEEZED = re.compile(r"[@%A-DF-Za-df-s]|\d[eE]\d+[eE]")
_LETTERS = re.compile(r"[^\d\s.,;+\-eE]")  # words that Python would take for numbers among them
_MOST_POINTS = 10_000_000  # where the header does not say how many there are
_TABLES = ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "DATATABLE")


@dataclass(frozen=True)
class Record:
    """One labelled record: its text and the line it starts on (from 1)."""

    text: str = field(repr=False)
    line: int

    @property
    def form(self) -> str:
        """The first line in capitals without blanks: `(X++(Y..Y))`, `(XY..XY)`."""
        return re.sub(r"\s", "", self.text.split("\n", 1)[0]).upper()


@dataclass
class Block:
    """One block from TITLE to END: `records` maps normalised labels to all records of that label,
    in order.
    """

    path: Path
    records: dict[str, list[Record]] = field(default_factory=dict, repr=False)

    def text(self, *labels: str) -> str:
        """The first of these labels that is present."""
        for label in labels:
            if found := self.records.get(_normalise(label)):
                return found[0].text.strip()
        return ""

    def number(self, *labels: str) -> float | None:
        """The first of these labels that begins with a number, a decimal comma allowed."""
        for label in labels:
            for record in self.records.get(_normalise(label), [])[:1]:
                text = re.sub(r"^([+-]?\d+),(\d+)\s*$", r"\1.\2", record.text.strip())
                if match := _NUMBER.match(text):
                    return float(match[0])
        return None

    def list(self, label: str) -> list[str]:
        """A comma-separated record.

        Parameters
        ----------
        label : str

        Returns
        -------
        list of str
            Empty where there is no such record.
        """
        text = self.text(label)
        return [part.strip() for part in text.replace("\n", " ").split(",")] if text else []

    def parameters(self) -> dict:
        """All short records as text."""
        return {
            label: found[0].text.strip()
            for label, found in self.records.items()
            if len(found[0].text) < 400
        }

    @property
    def kind(self) -> str:
        """DATA TYPE in capitals, blanks made one: `NMR SPECTRUM`, `INFRARED SPECTRUM`."""
        return " ".join(self.text("DATA TYPE").upper().split())

    @property
    def decimal_comma(self) -> bool:
        """Whether the ends of the abscissa are written with a decimal comma."""
        ends = (self.text(label) for label in ("FIRSTX", "LASTX", "DELTAX", "FIRSTY"))
        return any(re.fullmatch(r"[+-]?\d+,\d+", end) for end in ends)


@dataclass(frozen=True)
class Table:
    """The numbers of one block: `x` and `y` in the units named, in the order of the file.

    `imaginary` where the file has a second part, `labels` of assigned peaks, `paired` for a table
    of x and y of their own.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    x_unit: str
    y_unit: str
    imaginary: np.ndarray | None = field(default=None, repr=False)
    labels: tuple[str, ...] = ()
    paired: bool = False


def _normalise(label: str) -> str:
    """A label as it is compared: upper case, without blanks, dashes, slashes and underscores."""
    return re.sub(r"[\s\-/_]", "", label).upper()


def is_jcampdx(head: bytes) -> bool:
    """Whether the first bytes of a file are a label or comment of JCAMP-DX, in whatever
    encoding.

    Parameters
    ----------
    head : bytes
        As many as hold the first label.

    Returns
    -------
    bool
    """
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return bool(re.match(rb"##\s*[^=\r\n]*=|\$\$", start))


@reader("a JCAMP-DX file")
def read_blocks(path: str | os.PathLike) -> list[Block]:
    """All blocks of a JCAMP-DX file, those within others included, in the order in which they
    start.

    Tried on the collections of github.com/cheminfo/jcampconverter, cheminfo/jcamp-data-test and
    nzhagen/jcamp (there the official `jcamp-dx.org_official_test_data`), written by some thirty
    programs.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Block

    Raises
    ------
    FormatError
        If the file does not start a block, or a block is not ended.
    """
    path = Path(path)
    text = read_text(path, what="a JCAMP-DX file")
    blocks: list[Block] = []
    stack: list[Block] = []
    current: list[str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.split("$$", 1)[0].rstrip()
        match = re.match(r"\s*##([^=]*)=\s?(.*)$", stripped)
        label = _normalise(match[1]) if match else ""
        if label == "END" or re.match(r"\s*##\s*END\s*$", stripped, re.IGNORECASE):
            del stack[-1:]
            current = None
        elif match:
            if label == "TITLE":
                blocks.append(Block(path))
                stack.append(blocks[-1])
            if not stack:
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected="##TITLE= at the start of a JCAMP-DX block",
                    found=repr(stripped[:40]),
                )
            # Blank and comment lines stay in a record, so that line numbers stay right.
            current = [match[2]]
            stack[-1].records.setdefault(label, []).append(current)
            current.append(number)
        elif current is not None:
            current.append(stripped)
    if not blocks:
        raise FormatError(path, expected="a JCAMP-DX block (##TITLE= ... ##END=)", found="none")
    if stack:
        raise FormatError(
            path,
            place=f"line {text.count(chr(10)) + 1}",
            expected=f"##END= for {len(stack)} block(s)",
            found="the end of the file",
            advice="the file is cut: export it again",
        )
    for block in blocks:
        block.records = {
            label: [Record("\n".join([first, *rest]), line) for first, line, *rest in found]
            for label, found in block.records.items()
        }
    return blocks


def select(path: str | os.PathLike, what: str, wanted: Callable[[Block], bool]) -> list[Block]:
    """The blocks with numbers that are wanted.

    Parameters
    ----------
    path : path-like
    what : str
        What is wanted, for the message.
    wanted : callable
        Block -> bool.

    Returns
    -------
    list of Block
        At least one, in the order of the file.

    Raises
    ------
    FormatError
        For none, naming what there is.
    """
    blocks = [b for b in read_blocks(path) if any(label in b.records for label in _TABLES)]
    if found := [block for block in blocks if wanted(block)]:
        return found
    others = dict.fromkeys(
        f"{b.kind or 'no DATA TYPE'} over {b.text('XUNITS') or 'no XUNITS'}" for b in blocks
    )
    raise FormatError(
        path,
        place="labels DATA TYPE, XUNITS" if blocks else "",
        expected=what,
        found=", ".join(others) or "labels without a table of numbers",
    )


def read_table(block: Block) -> Table:
    """The numbers of a block, decoded and scaled.

    Parameters
    ----------
    block : Block
        One with a table, as `select` returns.

    Returns
    -------
    Table

    Raises
    ------
    FormatError
        With the line: a form that is none of the standard's, damaged or unfinished tables, several
        tables of which none is the one meant, an abscissa that the header does not give.
    """
    if "DATATABLE" in block.records:
        return _read_ntuples(block)
    label = next(label for label in _TABLES if label in block.records)
    records = block.records[label]
    if len(records) > 1:
        raise FormatError(
            block.path,
            place=f"line {records[1].line}",
            expected=f"one ##{label}= a block",
            found=str(len(records)),
            advice="export the spectra one by one",
        )
    (record,) = records
    factors = block.number("XFACTOR") or 1.0, block.number("YFACTOR") or 1.0
    units = block.text("XUNITS"), block.text("YUNITS")
    counts = _counts(block, block.text("NPOINTS"))
    if "X++" not in record.form:
        x, y, labels = pairs(block, record)
        _require_count(block.path, record, counts, len(x))
        return Table(x * factors[0], y * factors[1], *units, labels=labels, paired=True)
    first, last, delta = (block.number(name) for name in ("FIRSTX", "LASTX", "DELTAX"))
    if last is None and None not in (first, delta) and counts:
        last = first + delta * (counts[0] - 1)
    if first is None or last is None:
        raise FormatError(
            block.path,
            place="labels FIRSTX, LASTX",
            expected="both ends of the abscissa",
            found="none" if first is None and last is None else "one",
        )
    if (
        delta and counts
    ):  # some programs write one point fewer than they say, but the step of those they write
        counts = (*counts, round((last - first) / delta) + 1)
    y = decode(
        block.path,
        record,
        span=(first, last),
        factor=factors[0],
        counts=counts,
        decimal_comma=block.decimal_comma,
    )
    return Table(np.linspace(first, last, len(y)), y * factors[1], *units)


def _read_ntuples(block: Block) -> Table:
    """A block of NTUPLES with one page for each of its variables."""
    path = block.path
    symbols = [symbol.upper() for symbol in block.list("SYMBOL")]
    units = dict(zip(symbols, block.list("UNITS"), strict=False))
    roles = dict(zip(symbols, block.list("VAR_TYPE"), strict=False))
    independent = [s for s, role in roles.items() if role.upper().startswith("INDEP")]
    if len(independent) > 1 or (not independent and (block.number("NUMDIM") or 1) > 1):
        raise FormatError(
            path,
            place="label NTUPLES",
            expected="a one-dimensional spectrum",
            found=f"one over {', '.join(independent) or 'several axes'}",
            advice="export the rows one by one",
        )
    entry = partial(_entry, block, symbols)
    columns: dict[str, np.ndarray] = {}
    x_symbol = ""
    for record in block.records["DATATABLE"]:
        match = re.match(r"\((\w+)\+\+\((\w+)\.\.", record.form)
        if not match or match[1] not in symbols or match[2] in columns:
            raise FormatError(
                path,
                place=f"line {record.line}",
                expected="one page X++(R..R) for each variable of ##SYMBOL=",
                found=repr(record.text.split("\n")[0].strip()),
                advice="export the rows of a two-dimensional set one by one",
            )
        x_symbol, symbol = match.groups()
        columns[symbol] = entry("FACTOR", symbol, 1.0) * decode(
            path,
            record,
            span=(entry("FIRST", x_symbol), entry("LAST", x_symbol)),
            factor=entry("FACTOR", x_symbol, 1.0),
            counts=_counts(block, str(entry("VAR_DIM", symbol))),
        )
    real = columns.get("R", columns.get("Y"))
    if real is None or len({len(column) for column in columns.values()}) != 1:
        raise FormatError(
            path,
            place="label SYMBOL",
            expected="a real part R or Y, and an imaginary one of the same length",
            found=", ".join(f"{len(v)} of {s}" for s, v in columns.items()),
        )
    x = np.linspace(entry("FIRST", x_symbol), entry("LAST", x_symbol), len(real))
    return Table(x, real, units.get(x_symbol, ""), units.get("R", ""), columns.get("I"))


def _entry(
    block: Block, symbols: list[str], name: str, symbol: str, otherwise: float | None = None
) -> float:
    """What a row of the NTUPLES header says of a variable; `otherwise` where it says nothing."""
    row = block.list(name)
    if otherwise is not None and not row:
        return otherwise
    try:
        return float(row[symbols.index(symbol)])
    except (ValueError, IndexError):
        raise FormatError(
            block.path,
            place=f"label {name}",
            expected=f"a number for {symbol}",
            found=", ".join(row) or "none",
        ) from None


def _counts(block: Block, text: str) -> tuple[int, ...]:
    """A number of points as the header gives it; none where it gives none."""
    match = re.match(r"\+?\d+\.?0*(?![\d.])", text)
    if not match and text:
        raise FormatError(
            block.path, place="label NPOINTS", expected="a number of points", found=repr(text[:20])
        )
    return (int(float(match[0])),) if match else ()


def _require_count(path: Path, record: Record, counts: tuple[int, ...], found: int) -> None:
    if counts and found not in counts:
        raise FormatError(
            path,
            place=f"line {record.line}",
            expected=f"{counts[0]} points, as the header says (NPOINTS or VAR_DIM)",
            found=str(found),
            advice="the file is cut or damaged: export it again",
        )


def decode(
    path: Path,
    record: Record,
    *,
    span: tuple[float, float],
    factor: float,
    counts: tuple[int, ...],
    decimal_comma: bool = False,
) -> np.ndarray:
    """Ordinates of an `X++(Y..Y)` table in any of the compressions, before YFACTOR.

    Parameters
    ----------
    path : Path
        For the messages.
    record : Record
    span : tuple of float
        First and last abscissa as the header gives them.
    factor : float
        XFACTOR.
    counts : tuple of int
        Numbers of points that the header allows; empty where it does not say.
    decimal_comma : bool
        Whether numbers are written with a decimal comma.

    Returns
    -------
    (n,) float array

    Raises
    ------
    FormatError
        With the line: unknown characters, a check value or abscissa that does not fit, too few or
        too many points.
    """
    lines = record.text.split("\n")[1:]
    if decimal_comma:
        lines = [_decimal_points(line) for line in lines]
    squeezed = any(_SQUEEZED.search(line) for line in lines)
    values: list[float] = []
    heads: list[tuple[int, str, int]] = []
    pending = False  # whether the last value was given as a difference: the next line repeats it
    most = max(counts, default=_MOST_POINTS) + 1
    for number, line in enumerate(lines, record.line + 1):
        if not line.strip():
            continue
        head, row, differences = _row(path, line, number, squeezed, most - len(values) + 1)
        heads.append((number, head, len(values) - pending))
        if pending and row:
            end_mark = row == [0.0] and len(values) in counts  # no check value: SPECFILE.DX
            if not end_mark and abs(row[0] - values[-1]) > 1e-6 * max(abs(values[-1]), 1.0):
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected=f"the check value {values[-1]:g} of the line before",
                    found=f"{row[0]:g}",
                    advice="the table is damaged: export it again",
                )
            del row[0]
        values.extend(row)
        pending = differences
    if pending and len(values) not in counts and len(values) - 1 in counts:
        values.pop()  # a last difference that leads to the check value of no further line
    found = np.array(values, float)
    if not np.isfinite(found).all():
        raise FormatError(
            path, place=f"line {record.line}", expected="finite numbers", found="others"
        )
    _check_abscissae(path, heads, span, factor, (*counts, len(found))[0])
    _require_count(path, record, counts, len(found))
    return found


def _row(path: Path, line: str, number: int, squeezed: bool, most: int):
    """Text of the abscissa, ordinates, and whether the last of these was given as a difference."""
    head = (_HEAD if squeezed else _HEAD_PLAIN).match(line)
    try:
        if not head:
            raise ValueError(f"no abscissa in {line.strip()[:30]!r}")
        body = line[head.end() :]
        return head[1], *(_squeezed_row(body, most) if squeezed else (_plain_row(body), False))
    except ValueError as error:
        raise FormatError(
            path,
            place=f"line {number}",
            expected="an abscissa and numbers in one of the JCAMP-DX forms",
            found=str(error),
            advice="export without compression",
        ) from None


def _decimal_points(line: str) -> str:
    return re.sub(r"(?<=\d),(?=\d)", ".", line)


def _plain_row(body: str) -> list[float]:
    """Numbers that blanks, commas or their signs part."""
    if not _LETTERS.search(body):
        try:
            return [float(cell) for cell in re.split(r"[\s,;]+", body) if cell]
        except ValueError:
            pass  # parted by their signs
    if rest := re.sub(r"[\s,;]", "", _NUMBER.sub(" ", body)):
        raise ValueError(repr(rest[:12]))
    return [float(match) for match in _NUMBER.findall(body)]


def _squeezed_row(body: str, most: int) -> tuple[list[float], bool]:
    """Values of one line of pseudo-digits, and whether its last was given as a difference."""
    values: list[float] = []
    last, differences, position = 0.0, False, 0
    body = body.rstrip()
    while position < len(body):
        match = _TOKEN.match(body, position)
        sign, digits = match[1] or "", match[2] or ""
        if match.end() == position or not sign + digits:
            raise ValueError(repr(body[position : position + 12]))
        position = match.end()
        if sign in _DUP:
            repeats = int(_DUP[sign] + digits) - 1
            if not values or len(values) + repeats > most:
                raise ValueError(f"{repeats} repeats of {len(values[-1:])} value in {match[0]!r}")
            if differences:
                values += [values[-1] + last * k for k in range(1, repeats + 1)]
            else:
                values += [last] * repeats
        elif sign in _DIF:
            if not values:
                raise ValueError(f"a difference at the start of a line: {body[:12]!r}")
            last, differences = float(_DIF[sign] + digits), True
            values.append(values[-1] + last)
        else:
            last, differences = float(_SQZ.get(sign, sign) + digits), False
            values.append(last)
    return values, differences


def _check_abscissae(
    path: Path,
    heads: list[tuple[int, str, int]],
    span: tuple[float, float],
    factor: float,
    count: int,
) -> None:
    """Hold the abscissae of the lines (line, text, points before it) against the points between
    them and the header.
    """
    if len(heads) < 2 or count < 2:
        return
    x = np.array([float(text) for _, text, _ in heads])
    at = np.array([points for _, _, points in heads], float)
    # What is not written: one unit of the last digit, by rounding or by cutting off.
    unit = np.array([float(Decimal(1).scaleb(Decimal(t).as_tuple().exponent)) for _, t, _ in heads])
    step = (span[1] - span[0]) / (count - 1)
    moved, points = x[-1] - x[0], at[-1] - at[0]
    slack = unit.max() + 0.01 * abs(moved)
    known = (step / factor if factor else step, step, 1.0, -1.0)
    found = min(known, key=lambda s: abs(moved - s * points))
    if abs(moved - found * points) > slack + 2 * abs(found):
        raise FormatError(
            path,
            place=f"line {heads[-1][0]}",
            expected=f"about {x[0] + known[0] * points:.6g} as the abscissa after {points:.0f} "
            "points",
            found=heads[-1][1],
            advice="points are missing or doubled, or the header is of another table",
        )
    slope = moved / points if points else 0.0
    off = np.abs(np.diff(x) - slope * np.diff(at)) - np.maximum(unit[1:], unit[:-1])
    if (off > 1.5 * abs(slope) + 1e-9 * np.abs(x[1:])).any():
        bad = int(np.argmax(off)) + 1
        raise FormatError(
            path,
            place=f"line {heads[bad][0]}",
            expected=f"the abscissa {x[bad - 1] + slope * (at[bad] - at[bad - 1]):.6g}, "
            f"{at[bad] - at[bad - 1]:.0f} points after {heads[bad - 1][1]}",
            found=heads[bad][1],
            advice="points are missing or doubled before this line",
        )


def pairs(block: Block, record: Record) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Abscissae, ordinates and assignments of a `(XY..XY)`, `(XYW..XYW)` or `(XYA)` table.

    Parameters
    ----------
    block : Block
        The record's, for its decimal mark and for the messages.
    record : Record

    Returns
    -------
    x, y : (n,) float array
        As written: XFACTOR and YFACTOR are not applied.
    labels : tuple of str
        Assignments, one a row; empty where not every row has one.

    Raises
    ------
    FormatError
        For another form, or a line that does not hold whole groups of numbers.
    """
    if not record.form.startswith("(XY"):
        raise FormatError(
            block.path,
            place=f"line {record.line}",
            expected="a table (X++(Y..Y)) or (XY..XY)",
            found=repr(record.form[:30]),
            advice="export without compression",
        )
    assigned = "A" in record.form
    width = 3 if re.match(r"\(XY[WM]", record.form) and not assigned else 2
    cells, labels = [], []
    for number, line in enumerate(record.text.split("\n")[1:], record.line + 1):
        if not line.strip():
            continue
        if assigned and (match := re.match(r"\s*\(([^<)]*)(?:<([^>]*)>)?", line)):
            line = ",".join(match[1].split(",")[:2])
            labels.append(match[2] or "")
        if block.decimal_comma:
            line = _decimal_points(line)
        try:
            row = _plain_row(line)
            if len(row) % width or not np.isfinite(row).all():
                raise ValueError(repr(line.strip()[:40]))
        except ValueError as error:
            raise FormatError(
                block.path,
                place=f"line {number}",
                expected=f"groups of {width} numbers {record.form}",
                found=str(error),
            ) from None
        cells += row
    if not cells:
        raise FormatError(
            block.path, place=f"line {record.line}", expected="a table of pairs", found="none"
        )
    groups = np.reshape(cells, (-1, width))
    return groups[:, 0], groups[:, 1], tuple(labels) if len(labels) == len(groups) else ()
