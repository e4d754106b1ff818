"""The one way into a text file of numbers: encodings, quoting, decimal marks, heads, units, keys
and comments.

A `Sheet` holds the lines of a file, split by the delimiter and decimal mark that fit most of its
rows, and keeps book: every line that is not blank is a head, a `key: value`, a comment, or data, or
the file is refused with the line. What was read carries that `Account`. `read_table` reads one
block of columns; readers of formats with more structure (matrices with two axes, blocks with marks)
take rows from a `Sheet` and leave the rest to `settle`.

Quoting follows RFC 4180: a cell in double quotes may hold delimiters, line breaks and doubled
quotes.

Tried on files not written here through the readers of formats, which name theirs, and on the
`samples/` of github.com/wojdyr/xylib; of 14 plain texts five have rows of unequal
length, or numbers where heads stand, and are refused by line.
"""

from __future__ import annotations

import math
import os
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import reader, sheets

DELIMITERS = ("\t", ";", ",", "|", None)  # None: runs of blanks
DELIMITER_NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", None: "blank"}
COMMENT = ("#", "%", "!", "//")
MISSING = frozenset(
    (
        *("nan", "-nan", "na", "n/a", "#n/a", "1.#qnan", "-1.#ind", "--", "---", "null", "none"),
        *("overflow", "over", "inf", "-inf", "+inf"),
    )
)
_NUMBER = {
    ".": re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eEdD][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(\d+(?:,\d*)?|,\d+)([eEdD][+-]?\d+)?", re.ASCII),
}
_STATED = re.compile(
    r"(?<![\w.])(?<!\d,)([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)(?![.,]?\d)(.*)",
    re.ASCII,
)
#: Blanks around cells, by whether tabs part them.
_BLANK = {"\t": re.compile(r"[^\S\t]"), "": re.compile(r"\s")}
_TIME_OF_DAY = r"(\d{1,3}):(\d{2}):(\d{2}(?:[.,:]\d+)?)"
#: Stamps that instruments write; "" for a time of day.
_STAMPS = (
    "", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
_FAILED = re.compile(r"#(N/?A|ERR|NUM|DIV|VALUE|REF|NAME|NULL|SPILL|CALC)", re.IGNORECASE)
_KEY = re.compile(
    r"^[#%!/\s\"]*([^\W\d_][\w .()\[\]^/%\-²³µ°]{0,60}?)\s*"
    r"(?::\s|:\t|:$|=|\t|,|;)\s*\"?(.*?)\"?[\s,;]*$"
)
_UNIT = re.compile(
    r"^(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|\s/\s(?P<slash>\S.*))\s*$"
)
#: `Time/ns`: a quantity over its unit; `counts/s` is none.
_QUANTITY = re.compile(
    r"(time|delay|wavelength|wavenumber|(?:photon )?energy)/([a-zµμ][a-z0-9µμ^-]*)", re.IGNORECASE
)
_BARE_UNIT = re.compile(
    r"[\[(]?(nm|um|µm|cm\^?-1|1/cm|eV|meV|ps|ns|fs|us|µs|s|min|h|V|mV|A|mA|uA|µA|mA/?cm\^?-?2|"
    r"cd/?m\^?-?2|ppm|Hz|deg|°|a\.?u\.?|arb\.? ?u\.?|counts|cts|%|W|mW|OD|mOD|-|)[\])]?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Account:
    """Line numbers (from 1) of everything in a text that is not blank, by what it was taken for.

    The four together are all lines that are not blank: `sum(account.counts.values()) ==
    account.lines`.
    """

    head: tuple[int, ...] = ()
    key: tuple[int, ...] = ()
    comment: tuple[int, ...] = ()
    data: tuple[int, ...] = ()
    lines: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {kind: len(getattr(self, kind)) for kind in ("head", "key", "comment", "data")}


@dataclass(frozen=True)
class Column:
    """One column: name and unit as headed (either may be empty) and its values, float or str."""

    name: str
    unit: str
    values: np.ndarray = field(repr=False)

    @property
    def numeric(self) -> bool:
        return self.values.dtype.kind == "f"

    @property
    def head(self) -> str:
        """The whole head, unit included."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Table:
    """One block of columns with everything that stood around it.

    Attributes
    ----------
    path : Path
    columns : tuple of Column
    lines : (n,) int array
        Line number of each row.
    above : tuple of tuple of str
        Cells of the lines above the block that have its width, from the top, column heads last.
    metadata : dict
        `key: value`, `key = value` and `key<delimiter>value` lines before and after the block.
    account : Account
    notes : tuple of str
        Every line that is no data.
    """

    path: Path
    columns: tuple[Column, ...]
    lines: np.ndarray = field(repr=False)
    above: tuple[tuple[str, ...], ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def numeric(self) -> list[Column]:
        return [column for column in self.columns if column.numeric]

    def refuse(
        self, expected: str, found: str, advice: str = "", *, row=None, place="column heads"
    ):
        """A FormatError at a row (from 0), else at `place`.

        Parameters
        ----------
        expected, found : str
        advice : str, optional
        row : int, optional
            Row of data (from 0), of which the message names the line.
        place : str
            Where, when no row is given; beside a row, the place within it.

        Returns
        -------
        FormatError
            For the caller to raise.
        """
        if row is not None:
            place = f"line {self.lines[row]}" + (f", {place}" if place != "column heads" else "")
        return FormatError(self.path, place=place, expected=expected, found=found, advice=advice)

    def refuse_missing(self, columns: Iterable[int], rows=slice(None)) -> None:
        """FormatError at the first gap in these columns (from 0).

        Parameters
        ----------
        columns : iterable of int
            Columns of numbers.
        rows : slice or int array
            Rows (from 0) that are looked at; by default all.

        Raises
        ------
        FormatError
            Naming line and column.
        """
        for j in columns:
            bad = np.flatnonzero(np.isnan(self.columns[j].values[rows]))
            if bad.size:
                place = f"line {self.lines[rows][bad[0]]}, column {j + 1}"
                advice = "fill or remove the row"
                raise self.refuse("a number", "a missing value", advice, place=place)

    def along_first(self, expected: str, again: str) -> tuple[Column, list[Column]]:
        """The first column as the axis of the others that hold numbers.

        Parameters
        ----------
        expected : str
            What the table should hold, for the message.
        again : str
            Regular expression of the head of an axis, in whatever case.

        Returns
        -------
        axis : Column
        signals : list of Column

        Raises
        ------
        FormatError
            Fewer than two columns of numbers, words in the first, a second axis: a nameless one
            with even steps, or one with a head like `again`.
        """
        numeric = [j for j, column in enumerate(self.columns) if column.numeric]
        if len(numeric) < 2 or numeric[0]:
            raise self.refuse(expected, f"{len(self.columns)} columns", row=0)
        self.refuse_second_axis(numeric[1:])
        axis, *signals = self.numeric
        for column in signals:
            if re.search(again, column.head, re.IGNORECASE):
                advice = "export them one by one or on one axis"
                raise self.refuse("one axis", f"a second one, {column.head!r}", advice)
        return axis, signals

    def refuse_second_axis(self, columns: Sequence[int]) -> None:
        """FormatError at a nameless column with even steps and another to its right: no signal is
        like that.

        Parameters
        ----------
        columns : sequence of int
            Columns of numbers, from left to right; where one has a head none is refused.

        Raises
        ------
        FormatError
            Naming line and column.
        """
        for j in columns[:-1] if not any(self.columns[j].head for j in columns) else ():
            x = self.columns[j].values
            step = np.diff(x)
            if step.size > 6 and np.ptp(step) < 1e-3 * abs(np.median(step)):
                raise self.refuse(
                    "one axis, or heads that name each",
                    f"a second one: {', '.join(f'{v:g}' for v in x[:3])}",
                    "head the columns, for instance Wavelength (nm), a, Wavelength (nm), b",
                    row=0,
                    place=f"column {j + 1}",
                )


def parse_number(cell: str, decimal: str = ".") -> float | None:
    """A cell as a float: decimal point or comma, Fortran exponents, typographic minus.

    Parameters
    ----------
    cell : str
    decimal : "." or ","

    Returns
    -------
    float or None
        None for what is no number, and for what overflows.

    Examples
    --------
    >>> parse_number("−1,5e3", ","), parse_number("12 nm"), parse_number("1e400")
    (-1500.0, None, None)
    """
    cell = cell.strip().replace("\u2212", "-")
    if not _NUMBER[decimal].fullmatch(cell):
        return None
    value = float(cell.replace(",", ".").replace("D", "e").replace("d", "e"))
    return value if np.isfinite(value) else None


def stated_number(text: str) -> tuple[float, str] | None:
    """The first number in the value of a header line, and what follows it.

    Parameters
    ----------
    text : str
        With decimal point or comma.

    Returns
    -------
    (float, str) or None

    Examples
    --------
    >>> stated_number("0,015"), stated_number("about 2 MHz"), stated_number("1.2.3 ns")
    ((0.015, ''), (2.0, 'MHz'), None)
    """
    match = _STATED.search(text.replace("\u2212", "-"))
    value = parse_number(match[1].replace(",", ".")) if match else None
    return None if value is None else (value, match[2].strip())


def stated(path, metadata: dict, pattern: str, *, positive: bool = False):
    """Number and unit of the first header line whose key fits a pattern.

    Parameters
    ----------
    path : path-like
        For the message.
    metadata : dict of str to str
        Key and value of each line; a unit in the key, `Area (cm2)`, counts where the value has
        none.
    pattern : str
        Regular expression for the key, case ignored.
    positive : bool
        Whether the number must be above 0.

    Returns
    -------
    (float, str) or None

    Raises
    ------
    FormatError
        If the key is there and its value is no number, or not above 0 where `positive`.
    """
    for key, text in metadata.items():
        name, unit = split_unit(key)
        if not re.search(pattern, name, re.IGNORECASE):
            continue
        found = stated_number(text)
        if found is None or (positive and found[0] <= 0):
            raise FormatError(
                path,
                place=f"header, {key!r}",
                expected="a number above 0" if positive else "a number",
                found=repr(text[:40]),
                advice="correct the line or take it out",
            )
        return found[0], found[1].strip(" ()[]") or unit
    return None


def split_unit(head: str) -> tuple[str, str]:
    """A column head as name and unit: `Wavelength (nm)`, `J [mA/cm2]`, `t / ps`.

    What follows a known unit in brackets belongs to the name: `Voltage (V) forward`.

    Parameters
    ----------
    head : str

    Returns
    -------
    name, unit : str

    Examples
    --------
    >>> split_unit("Current density [mA/cm2]"), split_unit("counts")
    (('Current density', 'mA/cm2'), ('counts', ''))
    """
    head = head.strip()
    if len(head) > 1000:
        return head, ""
    if match := _UNIT.match(head):
        unit = match["round"] or match["square"] or match["slash"] or ""
        return match["name"].strip(), unit.strip()
    if match := _QUANTITY.fullmatch(head):
        return match[1], match[2]
    for match in re.finditer(r"\s*[(\[]([^()\[\]]+)[)\]]", head):
        if is_unit(match[1].strip()):
            return (head[: match.start()] + head[match.end() :]).strip(), match[1].strip()
    return head, ""


def clock_s(stamp: str) -> float | None:
    """Seconds that one stamp of a clock shows, from midnight or, with a date, from 1970.

    Of a series within one month differences are right whichever way day and month stand.

    Parameters
    ----------
    stamp : str

    Returns
    -------
    float or None
        None where it is none.

    Examples
    --------
    >>> clock_s("Mon Nov 30 12:00:30 CET 2026") - clock_s("2026-11-30 12:00:00"), clock_s("12:01")
    (30.0, None)
    """
    plain = re.sub(r" [A-Z]{3,5}(?= \d{4}$)", "", stamp.strip())
    for form in _STAMPS:
        try:
            return _time(plain, form)
        except (ValueError, AttributeError):
            continue
    return None


def _time(stamp: str, form: str) -> float:
    if form:
        return (datetime.strptime(stamp.strip(), form) - datetime(1970, 1, 1)).total_seconds()
    hours, minutes, seconds = re.fullmatch(_TIME_OF_DAY, stamp.strip()).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(re.sub("[,:]", ".", seconds))


def clock_times(stamps: Sequence[str]) -> np.ndarray | None:
    """Seconds from the first of times of day or dates with time.

    Parameters
    ----------
    stamps : sequence of str

    Returns
    -------
    array or None
        None where they are none, or where day and month could be either.

    Examples
    --------
    >>> clock_times(["23:59:50", "00:00:05.5"]), clock_times(["01/05/26 12:00:00"])
    (array([ 0. , 15.5]), None)
    """
    readings = []
    for form in _STAMPS:
        try:
            t = np.array([_time(stamp, form) for stamp in stamps])
        except (ValueError, AttributeError):
            continue
        t[1:] += 86400.0 * np.cumsum(np.diff(t) < -43200) * (not form)  # past midnight
        readings.append(t - t[0])
    if not readings or any(not np.allclose(t, readings[0]) for t in readings):
        return None
    return readings[0]


def stem(path: Path) -> str:
    """The name of a file without its suffixes.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Examples
    --------
    >>> stem(Path("a_2.5V.txt.gz"))
    'a_2.5V'
    """
    return re.sub(r"(\.[A-Za-z]\w{0,4}){1,2}$", "", path.name) or path.name


def is_unit(cell: str) -> bool:
    """Whether a cell is a bare unit, as in a row of units under a row of names.

    Parameters
    ----------
    cell : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_unit("nm"), is_unit("Wavelength")
    (True, False)
    """
    return bool(_BARE_UNIT.fullmatch(cell))


def split(line: str, delimiter: str | None) -> list[str]:
    """The cells of a line after RFC 4180, stripped of blanks.

    Parameters
    ----------
    line : str
    delimiter : str or None
        None for runs of blanks.

    Returns
    -------
    list of str
        Quotes around a cell taken off.
    """
    if '"' not in line:
        cells = line.split(delimiter)
        if delimiter and _BLANK["\t" if delimiter == "\t" else ""].search(line):
            cells = [cell.strip() for cell in cells]
        return [cell.strip("'") for cell in cells] if "'" in line else cells
    if delimiter is None:
        return [
            quoted.replace('""', '"').strip() if quoted else bare
            for quoted, bare in re.findall(r'"((?:[^"]|"")*)"|(\S+)', line)
        ]
    cells, at = [], 0
    mark = re.escape(delimiter)
    cell = re.compile(rf'\s*"((?:[^"]|"")*)"\s*(?={mark}|$)|([^{mark}]*)')
    while True:
        match = cell.match(line, at)
        text = match[2] if match[1] is None else match[1].replace('""', '"')
        cells.append(text.strip().strip("'"))
        at = match.end() + 1
        if at > len(line):
            return cells


class Sheet:
    """The lines of a text file, split into cells, with a book of what each was taken for.

    Parameters
    ----------
    path : path-like
    lines : sequence of str
    delimiter, decimal : str, optional
        By default those that make most rows of numbers.
    part : str, optional
        What the lines are of a larger file, for messages: a member of an archive.

    Raises
    ------
    FormatError
        If there are no rows of numbers to tell the delimiter from.
    """

    def __init__(
        self,
        path: Path,
        lines: Sequence[str],
        delimiter: str | None = "",
        decimal: str = ".",
        part: str = "",
    ):
        self.path, self.part, self.claims, self.joined = Path(path), part, {}, {}
        self.lines = self._join(list(lines))
        self.content = [i for i, line in enumerate(self.lines) if line.strip()]
        if delimiter == "":
            delimiter, decimal = self._sniff()
        self.delimiter, self.decimal = delimiter, decimal
        self.metadata: dict[str, str] = {}
        self._rows: dict[int, tuple[list[str], list[float | None]]] = {}

    @classmethod
    def read(cls, path: str | os.PathLike, what: str = "a text file with columns of numbers"):
        """The lines of a text file.

        Parameters
        ----------
        path : path-like
        what : str
            What was expected of the file, for the messages.

        Returns
        -------
        Sheet

        Raises
        ------
        FormatError
            For no file, what is no text, or no rows of numbers to tell the delimiter from.
        """
        return cls(Path(path), read_text(path, what=what).split("\n"))

    def _join(self, lines: list[str]) -> list[str]:
        """A quoted cell may go on over lines: they become one, the others blank but counted."""
        for i, line in enumerate(lines):
            if '"' not in line or not re.search(r'(^|[,;\t|]) *"(?:[^"]|"")*$', line):
                continue
            if line.count('"') % 2 == 0:
                continue
            for j in range(i + 1, min(i + 8, len(lines))):
                if lines[j].count('"') % 2:
                    self.joined[i] = [k for k in range(i + 1, j + 1) if lines[k].strip()]
                    lines[i : j + 1] = [" ".join(lines[i : j + 1]), *[""] * (j - i)]
                    break
        return lines

    def _sniff(self) -> tuple[str | None, str]:
        """Judged on lines spread over the whole file, so that a long header does not decide it."""
        content = [i for i in self.content if not self.lines[i].lstrip().startswith(COMMENT)]
        size = max((len(self.lines[i]) for i in content), default=1)
        count = int(np.clip(400_000 // size, 24, 160))
        probe = [content[i] for i in np.unique(np.linspace(0, len(content) - 1, count).astype(int))]
        best, best_score = None, (0, 0, 0)
        for delimiter in DELIMITERS:
            lines = [self.lines[i] for i in probe if not delimiter or delimiter in self.lines[i]]
            rows = [_stripped(split(line, delimiter)) for line in lines]
            # Of two decimal marks, the one by which more cells are numbers.
            marks = "." if delimiter == "," and not any('"' in line for line in lines) else ".,"
            numbers = {}
            for mark in marks:
                found = [tuple(v is not None for v in self._numbers(row, mark)) for row in rows]
                numbers[mark] = Counter(found)
            decimal = max(marks, key=lambda m: sum(n * sum(k) for k, n in numbers[m].items()))
            for mask, n in numbers[decimal].items():
                # Rows all of numbers count before rows with text cells; two columns before one.
                weight = n * (1 + all(mask)) * (3 if len(mask) > 1 else 1)
                score = (weight, len(mask) > 1, sum(mask))
                if any(mask) and score > best_score:
                    best, best_score = (delimiter, decimal), score
        if best is None:
            raise FormatError(
                self.path,
                expected="rows of numbers",
                found=f"none in {len(self.lines)} lines",
                advice="export the data as text columns",
            )
        return best

    @staticmethod
    def _numbers(cells: list[str], decimal: str) -> list[float | None]:
        together = "".join(cells)
        if decimal == "." and together.isascii() and "_" not in together:
            try:
                values = list(map(float, cells))
                if all(map(math.isfinite, values)):
                    return values
            except ValueError:
                pass
        return [parse_number(cell, decimal) for cell in cells]

    def row(self, i: int) -> tuple[list[str], list[float | None]]:
        """Cells of line `i` (from 0), and each as a number or None.

        Parameters
        ----------
        i : int

        Returns
        -------
        cells : list of str
        values : list of float or None
        """
        if i not in self._rows:
            cells = split(self.lines[i], self.delimiter)
            self._rows[i] = cells, self._numbers(cells, self.decimal)
        return self._rows[i]

    def number(self, cell: str) -> float | None:
        """A cell as a number with the decimal mark of this sheet, None when it is none.

        Parameters
        ----------
        cell : str

        Returns
        -------
        float or None
        """
        return parse_number(cell, self.decimal)

    def is_comment(self, i: int) -> bool:
        """Whether a line begins with a mark of a comment (`COMMENT`).

        Parameters
        ----------
        i : int
            Line (from 0).

        Returns
        -------
        bool
        """
        return self.lines[i].lstrip().startswith(COMMENT)

    def width(self, lines: Sequence[int]) -> int:
        """How many cells most of these lines have, delimiters at their ends left out.

        Parameters
        ----------
        lines : sequence of int
            Lines (from 0), at least one.

        Returns
        -------
        int
        """
        sizes = Counter(len(_stripped(list(self.row(i)[0]))) for i in lines)
        return sizes.most_common(1)[0][0]

    def refuse(self, i: int, expected: str, found=None, advice: str = "mend the line", column=None):
        """A FormatError at line `i` (from 0), `column` (from 0).

        Parameters
        ----------
        i : int
        expected : str
        found : str, optional
            By default the line.
        advice : str
        column : int, optional

        Returns
        -------
        FormatError
            For the caller to raise.
        """
        if found is None:
            found = repr(self.lines[i].strip()[:60])
        column = "" if column is None else f"column {column + 1}"
        place = ", ".join(filter(None, (self.part, f"line {i + 1}", column)))
        return FormatError(self.path, place=place, expected=expected, found=found, advice=advice)

    def numbers(
        self, i: int, width: int | None = None, *, missing: bool = False, skip: int = 0
    ) -> list[float]:
        """Line `i` as a row of data: all its cells as numbers; with `missing`, words such as nan as
        NaN.

        The first `skip` cells are left out.

        Parameters
        ----------
        i : int
            Line (from 0).
        width : int, optional
            How many cells are to follow the skipped ones; by default as many as there are, empty
            ones at the end left out.
        missing : bool
            Take words for "missing" as NaN; an empty cell is refused all the same.
        skip : int

        Returns
        -------
        list of float

        Raises
        ------
        FormatError
            Another number of cells than `width`, text, or a missing value.
        """
        cells, values = self.row(i)
        n = len(cells) if width is None else width + skip
        while len(cells) > (1 if width is None else n) and not cells[-1]:
            cells, values = cells[:-1], values[:-1]
        if width is not None and len(cells) != n:
            raise self._not_a_row(i, n)
        self.claims[i] = "data"
        return [
            value if value is not None else self._missing(i, j, cell, missing and bool(cell))
            for j, (cell, value) in enumerate(zip(cells, values, strict=True))
            if j >= skip
        ]

    def _missing(self, i: int, j: int, cell: str, allowed: bool) -> float:
        if allowed and _is_missing(cell):
            return np.nan
        advice = "fill or remove the row" if _is_missing(cell) else "mend the cell"
        raise self.refuse(i, "a number", repr(cell[:40]) if cell else "an empty cell", advice, j)

    def claim(self, lines: Iterable[int], kind: str) -> None:
        """Put lines (from 0) down as `head`, `key`, `comment` or `data`.

        Parameters
        ----------
        lines : iterable of int
            Blank ones are passed over.
        kind : "head", "key", "comment" or "data"
        """
        for i in lines:
            if self.lines[i].strip():
                self.claims[i] = kind

    def settle(self, width: int = 0) -> Account:
        """Account for all lines not claimed yet, by what they look like and where they stand.

        Between the rows of data only comments may stand; outside, text, but no numbers.

        Parameters
        ----------
        width : int
            Number of cells of a row of data; 0 where it is not known.

        Returns
        -------
        Account
            `metadata` is filled from the comments and keys on the way.

        Raises
        ------
        FormatError
            For a line that is none of these: a damaged row would otherwise pass for a head or a
            note.
        """
        data = [i for i, kind in self.claims.items() if kind == "data"]
        first, last = (min(data), max(data)) if data else (len(self.lines), len(self.lines))
        for i in self.content:
            if i not in self.claims:
                self.claims[i] = self._kind(i, first, last, width)
        said = (self.lines[i] for i in self.content if self.claims[i] in ("comment", "key"))
        self.metadata = key_values(said)
        taken = {kind: [] for kind in ("head", "key", "comment", "data")}
        for i in self.content:
            taken[self.claims[i]] += [i + 1, *(j + 1 for j in self.joined.get(i, ()))]
        count = len(self.content) + sum(map(len, self.joined.values()))
        return Account(**{kind: tuple(lines) for kind, lines in taken.items()}, lines=count)

    def _kind(self, i: int, first: int, last: int, width: int) -> str:
        cells, values = self.row(i)
        cells = cells[:width] if width and not any(cells[width:]) else cells
        n = sum(value is not None for value in values)
        usual = sum(v is not None for v in self.row(first)[1]) if first < len(self.lines) else 0
        as_wide = width > 1 and len(cells) == width and n >= max(usual - 1, 1)
        if self.is_comment(i):
            # `#N/A,22` is a row with a cell that a spreadsheet could not compute, `# 420,22` a
            # remark.
            bare = cells[0].lstrip("#").strip()
            wide = width or len(self.row(first)[0]) if first < len(self.lines) else 0
            failed = _FAILED.match(cells[0]) and 1 < len(cells) == wide
            if failed or (as_wide and first < i and values[0] is None and _has_letters(bare)):
                raise self.refuse(i, "a number", repr(cells[0]), "mend the cell", 0)
            return "comment"
        if first < i < last:
            raise self._not_a_row(i, width)
        after = i > last
        beside = after and not any(self.lines[j].strip() for j in range(last + 1, i))
        slip = (
            re.match(r"[+-]?[\d.,]", cells[0]) and 2 * n >= len(cells) and (self.delimiter or after)
        )
        named = after or is_name(cells[0])
        if (as_wide and (values[0] is not None or beside or not named)) or slip:
            raise self._second_block(i, first) or self._not_a_row(i, width)
        if _is_stray(self.lines[i]):
            raise self.refuse(i, "text, or a row like the others")
        if _KEY.match(self.lines[i][:1000]):
            return "key"
        return "comment" if after else "head"

    def _second_block(self, i: int, first: int) -> FormatError | None:
        """The later of two blocks, where line `i` begins one of another width than that of
        `first`.
        """
        size, at, rows = len(_stripped(self.row(i)[0])), self.content.index(i), 0
        for j in self.content[at:]:
            if len(_stripped(self.row(j)[0])) != size or None in self.row(j)[1][:size]:
                break
            rows += 1
        wide = len(_stripped(self.row(first)[0])) if first < len(self.lines) else size
        if rows < 3 or wide == size:
            return None
        before, later = (size, wide) if i < first else (wide, size)
        found = f"a second one, of {later} columns after {before}"
        return self.refuse(max(i, first), "one block of columns", found, "export them one by one")

    def _not_a_row(self, i: int, width: int) -> FormatError:
        cells, values = self.row(i)
        bad = next((j for j, v in enumerate(values) if v is None), None)
        if len(cells) == width and bad is not None:
            found = repr(cells[bad][:40]) if cells[bad] else "an empty cell"
            return self.refuse(
                i, "a number", found, "mend the cell, or mark the line as a comment with #", bad
            )
        expected = f"{width} cells between {DELIMITER_NAMES[self.delimiter]}s, or a comment"
        found = f"{len(cells)}: {self.lines[i].strip()[:60]!r}"
        return self.refuse(i, expected, found, "mend or remove the line")


def key_values(lines: Iterable[str]) -> dict[str, str]:
    """The `key: value`, `key = value` and `key<delimiter>value` lines.

    Parameters
    ----------
    lines : iterable of str

    Returns
    -------
    dict of str to str
        The first of each key counts.

    Examples
    --------
    >>> key_values(["Area: 0.1 cm2", "words", "Area: 2"])
    {'Area': '0.1 cm2'}
    """
    found = {}
    for line in lines:
        if (match := _KEY.match(line[:1000])) and match[2]:
            found.setdefault(match[1].strip(), match[2].strip())
    return found


def _is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return not cell or cell.lower() in MISSING


def _stripped(cells: list[str]) -> list[str]:
    # A delimiter at the end of every row is a habit of many exporters, not an empty column.
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return cells


def _is_stray(line: str) -> bool:
    """Whether a line holds digits and no words, and is no date or time either."""
    if not re.search(r"\d", line) or re.search(r"[^\W\deEdD_]", line):
        return False
    bare = line.strip(string.punctuation + string.whitespace)
    date = r"(\d{1,4}[-./]\d{1,2}[-./]\d{1,4})?[T\s]*"
    return not re.fullmatch(date + r"(\d[\d.,]*:[\d:.,]*)?", bare)


def _has_letters(text: str) -> bool:
    return bool(re.search(r"[^\W\d_]", text))


def is_name(cell: str) -> bool:
    """Whether the first cell above a column of numbers is a name, not a number with a slip in it.

    Parameters
    ----------
    cell : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_name("Wavelength (nm)"), is_name("T"), is_name("4O0"), is_name("")
    (True, True, False, False)
    """
    if _is_missing(cell) or not _has_letters(cell):
        return False
    slips = (cell[:k] + cell[k + 1 :] for k in range(len(cell)))
    return not 2 < len(cell) < 40 or all(
        parse_number(s) is None and parse_number(s, ",") is None for s in slips
    )


@reader("a text file with columns of numbers", missing=("values",))
def read_table(path: str | os.PathLike, *, allow_missing: bool = False) -> Table:
    """Read one block of columns from a text file.

    Parameters
    ----------
    path : path-like
    allow_missing : bool
        Empty cells and `nan`-like words become NaN instead of an error.

    Returns
    -------
    Table

    Raises
    ------
    FormatError
        With line and column: for text among the numbers, rows of unequal length, missing values, a
        second block, a line that is neither head, key, comment nor data, a file without numbers.
    """
    return table_of(Sheet.read(path), allow_missing=allow_missing)


def read_tables(path: str | os.PathLike, part: str = "") -> list[tuple[str, Table]]:
    """Each table of a text file or of a workbook (.xlsx), gaps as NaN, with the name of its sheet.

    Parameters
    ----------
    path : path-like
    part : str
        Of a workbook with a sheet of this name only that one; any other name leaves all.

    Returns
    -------
    list of (str, Table)

    Raises
    ------
    FormatError
        As `sheets_of` and `read_table`.
    """
    found = sheets_of(path, part, what="a table as text or .xlsx")
    return [(name, table_of(sheet, allow_missing=True)) for name, sheet in found]


def sheets_of(path: str | os.PathLike, part: str = "", *, what: str) -> list[tuple[str, Sheet]]:
    """A text file as it is, or each sheet of a workbook (.xlsx) that holds columns of numbers.

    Parameters
    ----------
    path : path-like
    part : str, optional
        Of a workbook with a sheet of this name only that one; any other name leaves all.
    what : str
        What was expected of the file, for its messages.

    Returns
    -------
    list of (name, Sheet)
        The name is empty where there is only one.

    Raises
    ------
    FormatError
        A workbook that does not open, with too many cells, or without numbers.
    """
    if read_bytes(path, what=what)[:4] != b"PK\x03\x04":
        return [("", Sheet.read(path, what=what))]
    found, sheets = [], read_workbook(Path(path))
    for title, lines in sheets:
        rows = sum(len(re.findall(r"(?:^|\t)-?[\d.]+(?:e-?\d+)?(?=\t|$)", s)) > 1 for s in lines)
        if rows > 1:
            found.append((title, Sheet(path, lines, "\t", ".")))
    if not found:
        expected, said = "a sheet with columns of numbers", f"none in {len(sheets)} sheets"
        raise FormatError(path, expected=expected, found=said)
    found = [one for one in found if one[0] == part] or found
    return found if len(found) > 1 else [("", found[0][1])]


def read_workbook(path: Path) -> list[tuple[str, list[str]]]:
    """Each sheet of a workbook as lines of cells between tabs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of (str, list of str)
    """
    return [
        (title, ["\t".join(map(_cell_text, row)) for row in rows]) for title, rows in sheets(path)
    ]


def _cell_text(cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return repr(cell)
    text = " ".join(str(cell).split())
    if parse_number(text, ",") is not None:
        text = text.replace(",", ".")
    return '"' + text.replace('"', '""') + '"' if '"' in text else text


def table_of(sheet: Sheet, *, allow_missing: bool = False) -> Table:
    """The one block of columns of a sheet.

    Parameters
    ----------
    sheet : Sheet
    allow_missing : bool
        As in `read_table`.

    Returns
    -------
    Table

    Raises
    ------
    FormatError
        As `read_table`.
    """
    content = [i for i in sheet.content if not sheet.is_comment(i) and i not in sheet.claims]
    width, numeric = _shape(sheet, content)
    rows = [i for i in content if _fits(sheet, i, width, numeric)]
    while rows and not sheet.row(rows[0])[0][numeric.index(True)]:
        rows.pop(0)  # a head without a word in its corner
    if len(rows) < 2:
        where = f"line {rows[0] + 1}" if rows else ""
        raise FormatError(
            sheet.path, place=where, expected="at least two rows of numbers", found=str(len(rows))
        )
    width, numeric = _widened(sheet, rows, width, numeric)
    taken = set(rows)
    for i in content:
        if rows[0] < i < rows[-1] and i not in taken:
            _refuse_row(sheet, i, width, numeric)
    used = [
        j
        for j in range(width)
        if not numeric[j] or any(sheet.row(i)[0][j] for i in rows) or _headed(sheet, rows[0], j)
    ]
    values = {j: [] for j in used}
    for i in rows:
        sheet.claims[i] = "data"
        cells, found = sheet.row(i)
        for j in used:
            if not numeric[j]:
                values[j].append(cells[j])
            elif found[j] is not None:
                values[j].append(found[j])
            else:
                values[j].append(sheet._missing(i, j, cells[j], allow_missing))
    heads, above = _heads(sheet, rows[0], width, numeric)
    account = sheet.settle(width)
    columns = tuple(
        Column(
            *(heads[j] if heads else ("", "")), np.array(values[j], float if numeric[j] else str)
        )
        for j in used
    )
    above = tuple(tuple(line[j] for j in used) for line in above)
    lines = np.array(rows) + 1
    notes = tuple(sheet.lines[i] for i in sheet.content if sheet.claims[i] != "data")
    return Table(sheet.path, columns, lines, above, sheet.metadata, account, notes)


def _shape(sheet: Sheet, content: list[int]) -> tuple[int, list[bool]]:
    """Width of the block and which of its columns hold numbers, by the commonest kind of row."""
    masks: Counter = Counter()
    for i in content:
        cells, values = sheet.row(i)
        if None not in values:
            masks[(True,) * len(cells)] += 1
        elif any(value is not None for value in values):
            n = len(_stripped(list(cells)))
            masks[
                tuple(
                    value is not None or (j > 0 and _is_missing(cell))
                    for j, (cell, value) in enumerate(zip(cells[:n], values, strict=False))
                )
            ] += 1
    if not masks:
        raise FormatError(
            sheet.path,
            expected="rows of numbers",
            found=f"none in {len(sheet.lines)} lines",
            advice="export the data as text columns",
        )
    mask = max(masks, key=lambda m: (masks[m] * (1 + all(m)) * (3 if len(m) > 1 else 1), sum(m)))
    numeric = list(mask)
    rows = [i for i in content if _fits(sheet, i, len(mask), numeric, but=True)]
    for j in range(len(mask)):
        numbers = sum(sheet.row(i)[1][j] is not None for i in rows)
        texts = sum(not _is_missing(sheet.row(i)[0][j]) for i in rows) - numbers
        if texts == 0 or numbers == 0:  # words or numbers with gaps
            numeric[j] = texts == 0
    return len(mask), numeric


def _fits(sheet: Sheet, i: int, width: int, numeric: list[bool], *, but: bool = False) -> bool:
    """Whether a line is a row of the block: a number or a gap in each numeric column, the first
    filled.

    With `but`, one numeric column may hold text.
    """
    cells, values = sheet.row(i)
    if len(cells) < width:
        return False
    if None not in values:
        return True
    off = [
        j for j in range(width) if numeric[j] and values[j] is None and not _is_missing(cells[j])
    ]
    lead = numeric.index(True)
    filled = sum(v is not None for v in values[:width])
    return len(off) <= but and (values[lead] is not None or filled > 1)


def _widened(sheet: Sheet, rows: list[int], width: int, numeric: list[bool]):
    """Columns that only some rows fill (remarks, readings that often fail) belong to the block."""
    # Delimiters at the end count: a cell more or less shifts all to its right.
    sizes = Counter(len(sheet.row(i)[0]) for i in rows)
    size = sizes.most_common(1)[0][0]
    odd = next((i for i in rows if len(sheet.row(i)[0]) != size), None)
    if odd is not None:
        _refuse_row(sheet, odd, size, numeric)
    reach = {i: len(_stripped(list(sheet.row(i)[0]))) for i in rows}
    widest = max(reach.values())
    if widest == width:
        return width, numeric
    wide = [i for i in rows if reach[i] > width]
    extra = [any(sheet.row(i)[1][j] is not None for i in wide) for j in range(width, widest)]
    return widest, numeric + extra


def _refuse_row(sheet: Sheet, i: int, width: int, numeric: list[bool]):
    cells, values = sheet.row(i)
    if len(_stripped(list(cells))) <= width <= len(cells):
        for j, cell in enumerate(cells[:width]):
            if values[j] is None and (j >= len(numeric) or numeric[j]):
                sheet._missing(i, j, cell, False)
    name = DELIMITER_NAMES[sheet.delimiter]
    found = f"{len(cells)}: {sheet.lines[i].strip()[:60]!r}"
    raise sheet.refuse(i, f"{width} cells between {name}s", found, "mend or remove the line")


def _head_cells(sheet: Sheet, i: int, width: int) -> list[str]:
    line = sheet.lines[i].strip(" ")
    for mark in COMMENT:
        line = line.removeprefix(mark)
    cells = split(line, sheet.delimiter)
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if len(cells) != width and sheet.delimiter is None and not re.search(r"[:=](\s|$)", line):
        # Heads with blanks in them over numbers between blanks.
        for mark in (r"\s{2,}|\t|,\s*|;\s*", r"\s+(?![(\[])"):
            cells = [cell for cell in re.split(mark, line.strip()) if cell]
            if len(cells) == width:
                break
    return cells


def _headed(sheet: Sheet, start: int, j: int) -> bool:
    above = next((i for i in reversed(sheet.content) if i < start), None)
    cells = split(sheet.lines[above], sheet.delimiter) if above is not None else []
    return j < len(cells) and bool(cells[j])


def _heads(sheet: Sheet, start: int, width: int, numeric: list[bool]):
    """Names and units from the last line before the block if it is as wide, and all such lines."""
    lines = [i for i in sheet.content if i < start]
    wide = [(i, cells) for i in lines if len(cells := _head_cells(sheet, i, width)) == width]
    above = [cells for _, cells in wide]
    if not wide or wide[-1][0] != lines[-1] or _FAILED.match(sheet.lines[lines[-1]].lstrip()):
        return [], above
    at, last = wide[-1]
    stated = sheet.claims.get(at) == "key" or last[0].endswith(("=", ":"))
    if stated or parse_number(last[0], sheet.decimal) is not None:
        return [], above
    if width > 1 and not sheet.is_comment(at) and last[0] and not is_name(last[0]):
        raise sheet.refuse(at, "a name or a number", repr(last[0]), "mend the cell", 0)
    sheet.claims[at] = "head"
    numbers = [parse_number(cell, sheet.decimal) for cell in last]
    if sum(v is not None for v in numbers) >= width - 1 > 0:
        _refuse_damaged_first_row(sheet, at, wide, last, width)
    named = len(wide) > 1 and not any(sheet.number(cell) is not None for cell in wide[-2][1])
    if named and not all(numeric) and any(v is not None for v in numbers):
        # Names above and a number in it: a row of a table with words.
        bad = next((j for j in range(width) if numeric[j] and numbers[j] is None), 0)
        raise sheet.refuse(at, "a number", repr(last[bad]), "mend the cell", bad)
    if len(wide) > 1 and wide[-2][0] == lines[-2]:
        before = wide[-2][1]
        # A row of bare units under a row of names.
        if not any(split_unit(cell)[1] for cell in before) and all(map(is_unit, last)):
            sheet.claims[wide[-2][0]] = "head"
            return [(n, u.strip("()[]")) for n, u in zip(before, last, strict=True)], above
    return [split_unit(cell) for cell in last], above


def _refuse_damaged_first_row(sheet: Sheet, at: int, wide, last: list[str], width: int) -> None:
    """Numbers in all columns but the first: heads of a series (`time \\ nm,0,5,10`), or a row with
    a slip.
    """
    named = any(
        not any(parse_number(c, sheet.decimal) is not None for c in cells) and all(cells)
        for _, cells in wide[:-1]
    )
    empty, letter = not last[0] and (named or width == 2), len(last[0]) == 1 and named
    if empty or letter or (last[0] and not is_name(last[0].lstrip("#% "))):
        del sheet.claims[at]
        raise sheet._not_a_row(at, width)


@dataclass(frozen=True)
class Record:
    """One row of a table with words: its cells by head, and its line."""

    path: Path
    line: int
    cells: dict[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def number(self, name: str, empty: float | None = None) -> float:
        """A cell as a number, decimal point or comma; `empty` where it holds nothing.

        Parameters
        ----------
        name : str
            Head of the column.
        empty : float, optional
            By default an empty cell is refused.

        Returns
        -------
        float

        Raises
        ------
        FormatError
            Naming line and column.
        """
        cell = self.cells[name]
        if not cell and empty is not None:
            return empty
        value = parse_number(cell, "," if "," in cell and "." not in cell else ".")
        if value is None:
            raise self.refuse(name, "a number")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """A cell of numbers between semicolons.

        Parameters
        ----------
        name : str
            Head of the column.

        Returns
        -------
        tuple of float
            Empty for an empty cell.

        Raises
        ------
        FormatError
            Naming line and column.
        """
        found = tuple(parse_number(part) for part in self.cells[name].split(";") if part.strip())
        if None in found:
            raise self.refuse(name, "numbers between semicolons")
        return found

    def refuse(self, name: str, expected: str, advice: str = "mend the cell") -> FormatError:
        """A FormatError at a cell.

        Parameters
        ----------
        name : str
            Head of the column.
        expected : str
        advice : str

        Returns
        -------
        FormatError
            For the caller to raise.
        """
        found = repr(self.cells[name]) if self.cells[name] else "an empty cell"
        place = f"line {self.line}, column {name}"
        return FormatError(self.path, place=place, expected=expected, found=found, advice=advice)


def read_records(path: str | os.PathLike, needed: Sequence[str]) -> tuple[list[Record], Account]:
    """Rows of a table with words.

    The first line that is no comment holds the heads, and every other line has as many cells.

    Parameters
    ----------
    path : path-like
    needed : sequence of str
        Columns that must be there.

    Returns
    -------
    list of Record, Account

    Raises
    ------
    FormatError
        A missing column, a row of another length, no rows.
    """
    lines = read_text(path, what="a table").split("\n")
    sheet = Sheet(Path(path), lines, None, ".")
    content = [i for i in sheet.content if not sheet.is_comment(i)]
    heads, first = [], content[0] if content else 0
    for delimiter in DELIMITERS if content else ():
        cells = _stripped(split(sheet.lines[first], delimiter))
        if len(cells) > len(heads):
            heads, sheet.delimiter = cells, delimiter
    if any(name not in heads for name in needed):
        expected = f"the columns {', '.join(needed)}"
        raise sheet.refuse(first, expected, ", ".join(heads) or "none", "name them in the head")
    if len(content) < 2:
        raise sheet.refuse(first, "at least one row below the heads", "none")
    sheet.claim([first], "head")
    rows = []
    for i in content[1:]:
        cells = sheet.row(i)[0]
        if len(cells) != len(split(sheet.lines[first], sheet.delimiter)):
            raise sheet.refuse(i, f"{len(heads)} cells", f"{len(cells)}", "mend or remove the line")
        sheet.claims[i] = "data"
        rows.append(Record(sheet.path, i + 1, dict(zip(heads, cells, strict=False))))
    return rows, sheet.settle()
