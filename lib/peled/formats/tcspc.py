"""Time-correlated single-photon counting: decays and instrument responses as histograms of counts.

What is read, told from content: text in one or more columns (Edinburgh, Horiba DataStation with
channels and a time calibration, FluoFit, spreadsheets), PicoQuant text exports (`#ns/channel` ...
`#counts`), Becker & Hickl ASCII blocks, MetroTRPL tables (three leading rows: power, filter,
background), all of them gzipped or not; PicoQuant .ptu and .phu (through ptufile) and Becker &
Hickl .sdt (through sdtfile).

Tried on files not written here: tables and a response among the examples of MetroTRPL, a text
export of a TimeHarp 260 and a data frame in `tests/data/*.trpl.dat` of
github.com/nomad-hzb/nomad-hysprint; the others on files written here after the makers'
descriptions.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, read_bytes
from peled.formats.contract import reader
from peled.formats.delimited import (
    Account,
    Column,
    Sheet,
    Table,
    parse_number,
    split_unit,
    stated,
    stated_number,
)

_ALONE = "export the decays one by one"
_ROWS = 8  #: least number of bins of a decay
_TO_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1.0, "ps": 1e-3, "fs": 1e-6}


@dataclass(frozen=True)
class Histogram:
    """Decays on one time axis.

    Attributes
    ----------
    path : Path
    time_ns : ndarray, shape (n,)
        Left edges of the bins, evenly spaced.
    counts : ndarray, shape (m, n)
        One row a decay.
    labels : tuple of str
    bin_ns : float
        Width of a bin.
    period_ns : float or None
        Time between two excitation pulses, when the file says it.
    cycles : ndarray, shape (m,), or None
        Number of excitation pulses behind each decay, when the file says it: pile-up depends on it.
    background : ndarray, shape (m,), or None
        Counts per bin stated in the file.
    metadata : dict
    left_out : tuple of str
        Columns that are no decays: fits, residuals, errors.
    errors : ndarray, shape (m, n), or None
        Standard errors in the column after each decay; NaN for a decay without.
    asks : tuple of str
        Settings that neither file nor caller gave: `bin_ns` where a time axis has no unit (ns was
        taken).
    account : Account
        What each line of a text file was taken for.
    """

    path: Path
    time_ns: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    labels: tuple[str, ...]
    bin_ns: float
    period_ns: float | None = None
    cycles: np.ndarray | None = field(default=None, repr=False)
    background: np.ndarray | None = field(default=None, repr=False)
    metadata: dict = field(default_factory=dict, repr=False)
    left_out: tuple[str, ...] = ()
    errors: np.ndarray | None = field(default=None, repr=False)
    asks: tuple[str, ...] = ()
    account: Account = field(default_factory=Account, repr=False)

    def __len__(self) -> int:
        return len(self.counts)


@reader("a TCSPC histogram")
def read_histogram(path: str | os.PathLike, *, bin_ns: float | None = None) -> Histogram:
    """All decays of a file, which must share one time axis.

    Parameters
    ----------
    path : path-like
    bin_ns : float, optional
        As in `read_histograms`.

    Returns
    -------
    Histogram

    Raises
    ------
    FormatError
        As `read_histograms`, and for decays on several time axes.
    """
    groups = read_histograms(path, bin_ns=bin_ns)
    if len(groups) > 1:
        raise FormatError(
            path,
            expected="decays on one time axis",
            found="; ".join(f"{g.labels[0]}: bins of {g.bin_ns:g} ns" for g in groups[:3]),
            advice="read them with read_histograms",
        )
    return groups[0]


def of_a_counter(path: Path) -> bool:
    """Whether a file begins as those of photon counters do: what it lacks its own reader says.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    start = read_bytes(path, what="a TCSPC histogram")[:4096]
    text = re.search(rb"^\s*(\*BLOCK\s+\d|#ns/(channel|bin))", start, re.MULTILINE)
    return _binary_of(path, start) is not None or text is not None


def _binary_of(path: Path, start: bytes):
    """The reader of a binary file that begins like this, None for text."""
    if start[:6] in (b"PQTTTR", b"PQHIST"):
        return _picoquant
    if start[32:34] == b"\x55\x55" or path.suffix.lower() == ".sdt":
        return _becker_hickl
    return None


@reader("a TCSPC histogram")
def read_histograms(
    path: str | os.PathLike, *, bin_ns: float | None = None
) -> tuple[Histogram, ...]:
    """All decays of a file, grouped by time axis: a response may have bins of its own beside the
    decay.

    Parameters
    ----------
    path : path-like
    bin_ns : float, optional
        Time per channel, where the file gives channels, counts alone, or times without a unit.

    Returns
    -------
    tuple of Histogram
        Times in ns; one of each time axis.

    Raises
    ------
    FormatError
        With the place: no numbers, channels without a time, text among the numbers, negative or
        missing counts, an uneven time axis, a damaged binary file.
    """
    path = Path(path)
    start = read_bytes(path, what="a TCSPC histogram")[:4096]
    if binary := _binary_of(path, start):
        return (_checked(binary(path)),)
    sheet = Sheet.read(path, what="a TCSPC histogram")
    becker_hickl = partial(_becker_hickl_text, bin_ns=bin_ns)
    for sniffed in (_picoquant_text, becker_hickl, _metrotrpl):
        found = sniffed(sheet)
        if found is not None:
            return (_checked(found),)
    return tuple(map(_checked, _tables(sheet, bin_ns)))


# ---- binary --------------------------------------------------------------------------------------


def _picoquant(path: Path) -> Histogram:
    import ptufile

    if path.read_bytes()[:6] == b"PQHIST":
        with ptufile.PhuFile(path) as file:
            tags, curves = file.tags, [np.asarray(h) for h in file.histograms()]
            size = len(curves)
            bins = tags.get("HistResDscr_MDescResolution", [file.tcspc_resolution] * size)
            sync = tags.get("HistResDscr_SyncRate") or [tags.get("TTResult_SyncRate", 0)] * size
            stop = tags.get("HistResDscr_MDescStopAfter") or tags.get("HistResDscr_MDescAcqTime")
            stop = stop or [tags.get("MeasDesc_AcquisitionTime", 0)] * size
            labels = tuple(f"curve {i + 1}" for i in range(size))
    else:
        with ptufile.PtuFile(path) as file:
            if not file.is_t3:
                expected, place = "T3 records (time since the excitation pulse)", "Measurement_Mode"
                raise FormatError(path, expected=expected, found="T2 records", place=f"tag {place}")
            tags, counts = file.tags, file.decode_histogram(dtype=np.uint32, dtime=0)
            used = [i for i in range(len(counts)) if counts[i].any()]
            curves, size = [np.asarray(counts[i]) for i in used], len(used)
            bins, sync = [file.tcspc_resolution] * size, [file.syncrate] * size
            stop = [tags.get("MeasDesc_AcquisitionTime", file.acquisition_time * 1e3)] * size
            active = dict(enumerate(file.active_channels))
            labels = tuple(f"channel {active.get(i, i) + 1}" for i in used)
    if not curves:
        raise FormatError(path, expected="at least one decay", found="none")
    bins = [1e9 * float(width) for width in bins]
    if max(bins) - min(bins) > 1e-6 * max(bins) or len({c.size for c in curves}) > 1:
        expected, found = "decays with one bin width and length", f"{sorted(set(bins))} ns"
        raise FormatError(path, expected=expected, found=found, advice=_ALONE)
    return _recorded(path, np.array(curves, float), bins[0], labels, tags, sync, stop)


def _recorded(path: Path, counts, bin_ns: float, labels, tags, sync, stop) -> Histogram:
    """Decays of a PicoQuant file; `sync` and `stop` are rates (Hz) and times (ms) of each."""
    last = int(np.max(np.flatnonzero(counts.sum(axis=0)), initial=0)) + 1
    period = 1e9 / sync[0] if sync and sync[0] else None
    # The time axis ends with the period, or with the last count where no period is known.
    keep = min(counts.shape[1], int(period / bin_ns) if period else last)
    known = sync and stop and all(sync) and all(stop)
    cycles = [float(r) * float(t) * 1e-3 for r, t in zip(sync, stop, strict=False)]
    comment = str(tags.get("File_Comment") or "")
    return Histogram(
        path,
        np.arange(keep) * bin_ns,
        counts[:, :keep],
        _names(comment, len(counts)) or labels,
        bin_ns,
        period,
        np.array(cycles) if known else None,
        metadata={"comment": comment},
    )


def _names(comment: str, size: int) -> tuple[str, ...]:
    """What a comment calls each of `size` curves, or nothing."""
    names = tuple(filter(None, map(str.strip, re.split(r"[|;\t\n]+", comment))))
    return names if len(names) == size else ()


def _becker_hickl(path: Path) -> Histogram:
    import sdtfile

    with sdtfile.SdtFile(path) as file:
        data, times = [np.atleast_2d(d) for d in file.data], file.times
    if not data:
        raise FormatError(path, expected="at least one decay", found="no data block")
    if any(d.ndim > 2 for d in data):  # an image: the decay of all pixels
        data = [d.reshape(-1, d.shape[-1]).sum(axis=0, keepdims=True) for d in data]
    sizes = [d.shape[-1] for d in data]
    if len(set(sizes)) > 1:
        found = ", ".join(map(str, sizes))
        raise FormatError(path, expected="decays of one length", found=found, advice=_ALONE)
    counts = np.vstack(data).astype(float)
    time = np.asarray(times[0], float) * 1e9
    labels = tuple(f"decay {i + 1}" for i in range(len(counts)))
    return Histogram(path, time, counts, labels, _step(path, time))


# ---- text ----------------------------------------------------------------------------------------


def _picoquant_text(sheet: Sheet) -> Histogram | None:
    """`#ns/channel` (TimeHarp: `#ns/bin`) on one line, its value on the next; then `#counts` and
    one row a channel, one column a curve. A comment of as many names as curves calls them.
    """
    marks = {sheet.lines[i].strip().lower(): i for i in sheet.content[:400] if sheet.is_comment(i)}
    width = marks.get("#ns/channel", marks.get("#ns/bin"))
    if width is None or "#counts" not in marks:
        return None
    at = width + 1
    rows = [i for i in sheet.content if i > marks["#counts"]]
    if not rows or at >= len(sheet.lines):
        raise sheet.refuse(marks["#counts"], "rows of counts below", "none")
    widths = sheet.numbers(at)
    if not widths or min(widths) <= 0 or max(widths) != min(widths):
        raise sheet.refuse(at, "one positive time per channel")
    size = sheet.width(rows)
    counts = np.array([sheet.numbers(i, size) for i in rows]).T
    _refuse_gap(sheet.path, np.array(rows) + 1)
    told = marks.get("#channels per curve")
    if told is not None and (n := sheet.numbers(told + 1)[0]) != len(rows):
        # One short at the head: the first line of counts is blank.
        _refuse_gap(sheet.path, np.array([marks["#counts"], *rows]) + 1)
        expected = f"{n:g} channels, to line {rows[0] + n:.0f}"
        raise sheet.refuse(told + 1, expected, f"{len(rows)}", "export it again")
    below = [i for i in sheet.content if i < marks["#counts"] and not sheet.is_comment(i)]
    sheet.claim(below, "key")
    calls = {i + 1 for mark, i in marks.items() if re.search("comment|name|label|title", mark)}
    named = (_names(sheet.lines[i], len(counts)) for i in below if i in calls)
    last = int(np.max(np.flatnonzero(counts.sum(axis=0)), initial=0)) + 1
    return Histogram(
        sheet.path,
        np.arange(last) * widths[0],
        counts[:, :last],
        next(filter(None, named), tuple(f"curve {k + 1}" for k in range(len(counts)))),
        widths[0],
        account=sheet.settle(),
    )


def _becker_hickl_text(sheet: Sheet, bin_ns: float | None) -> Histogram | None:
    """`*BLOCK n` ... `*END`: time and counts, or counts alone with a time range in the header."""
    stars = [i for i in sheet.content if sheet.lines[i].lstrip().startswith("*")]
    starts = [i for i in stars if sheet.lines[i].strip().startswith("*BLOCK")]
    if not starts:
        return None
    blocks, labels = [], []
    for i in starts:
        stop = next((j for j in stars if j > i), len(sheet.lines))
        rows = [j for j in sheet.content if i < j < stop]
        if not rows:
            raise sheet.refuse(i, "a block of rows", "an empty one")
        size = sheet.width(rows)
        blocks.append(np.array([sheet.numbers(j, size) for j in rows]))
        words = sheet.lines[i].split()
        labels.append(words[1] if len(words) > 1 else str(len(blocks)))
    if len({b.shape for b in blocks}) > 1:
        sizes = ", ".join(f"{b.shape[0]} × {b.shape[1]}" for b in blocks)
        raise FormatError(sheet.path, expected="blocks of one size", found=sizes)
    sheet.claim(stars, "head")
    head = [sheet.lines[i] for i in sheet.content if i < starts[0]]
    account = sheet.settle()
    if blocks[0].shape[1] > 1:
        axis = blocks[0][:, 0]
        if any(not np.array_equal(b[:, 0], axis) for b in blocks):
            raise FormatError(sheet.path, expected="one time axis", found="several", advice=_ALONE)
    else:
        tac = (re.search(r"SP_TAC_TC,F,([\d.eE+-]+)", line) for line in head)
        tac = next((parse_number(m[1]) for m in tac if m), None)
        step = tac * 1e9 if tac else _bin_width(sheet.path, head) or bin_ns
        if not step:
            raise sheet.refuse(
                starts[0],
                "time and counts below",
                "counts alone and no time per channel in the header",
                "export with the time axis, or say bin_ns in the sample sheet",
            )
        axis = np.arange(len(blocks[0])) * step
    counts = np.array([b[:, -1] for b in blocks])
    return Histogram(
        sheet.path, axis, counts, tuple(labels), _step(sheet.path, axis), account=account
    )


def _metrotrpl(sheet: Sheet) -> Histogram | None:
    """Three leading rows (power, filter, background) with time 0, then the decays."""
    content = sheet.content
    if not re.match(r"x1,x2", sheet.lines[0]) or len(content) < 6:
        return None
    times = [sheet.row(i)[1][0] for i in content[1:6]]
    if any(times[:4]) or not times[4]:
        return None
    size = sheet.width(content[1:])
    rows = np.array([sheet.numbers(i, size) for i in content[1:]])
    sheet.claim(content[:1], "head")
    head, table = rows[:3, 1:], rows[3:].T
    return Histogram(
        sheet.path,
        table[0],
        table[1:],
        tuple(f"power {p:.3g}, filter {f:.3g}" for p, f in zip(*head[:2], strict=True)),
        float(np.median(np.diff(table[0]))),
        background=head[2],
        metadata={"power": head[0].tolist(), "filter": head[1].tolist(), "time unit": "ns"},
        account=sheet.settle(),
    )


_AXIS_HEAD = re.compile(r"time|chan|delay\b|bins?\b", re.IGNORECASE)
_NO_DECAY = re.compile(r"fit\b|fitted|resid|sigma|[σ±]|err|std|weight|chi", re.IGNORECASE)
_GENERIC = r"counts?|intensity|y|decay"
_ERROR = re.compile(r"sigma|[σ±]|err|std", re.IGNORECASE)
_UNITS = "(ps|ns|us|µs|μs|ms|sec|s)"
_PER_CHANNEL = re.compile(
    rf"(?<![A-Za-z]){_UNITS}\s?(?:/|\bper\b)\s?(?:ch(?:an(?:nel)?)?|bin)(?![A-Za-z])", re.IGNORECASE
)
_WIDTH = re.compile(
    r"time ?(cal\w*|base|/ ?ch\w*|per ch\w*)|ch\w*\.? ?width|bin ?width|resolution", re.IGNORECASE
)
_TIME_UNIT = re.compile(r"(?<![A-Za-z])(ps|ns|us|µs|μs|ms|s)(?![A-Za-z])")


def _tables(sheet: Sheet, bin_ns: float | None) -> tuple[Histogram, ...]:
    """Decays in columns to the right of their time axis, of which there may be several; one under
    the other where the times of one column begin again.
    """
    begins = _heads_between(sheet)
    # `5.5E-02 ns/chan` alone on its line is neither a row of two cells nor the name of a decay.
    first = next((i for i in sheet.content if None not in sheet.row(i)[1]), 0)
    above = [i for i in sheet.content if i < first and not sheet.is_comment(i)]
    said = {i: _width_said(sheet.lines[i]) for i in above}
    sheet.claim((i for i in above if said[i] and stated_number(said[i][0])), "key")
    table = delimited.table_of(sheet, allow_missing=True)
    numeric = [j for j, column in enumerate(table.columns) if column.numeric]
    axes = [j for j in numeric if _AXIS_HEAD.match(table.columns[j].name)]
    found: list[Histogram] = []
    index = {*axes} - {numeric[0]} and _is_index(table, numeric[0])
    if index:
        table = _without(table, numeric[:1])
    for name, piece in _stacked(table, begins):
        for group in _side_by_side(piece, name, bin_ns):
            same = next((g for g in found if np.array_equal(g.time_ns, group.time_ns)), None)
            if same is None:
                found.append(group)
                continue
            n = len(same) + len(group)
            found[found.index(same)] = replace(
                same,
                counts=np.vstack([same.counts, group.counts]),
                labels=same.labels + group.labels,
                errors=None
                if same.errors is None or group.errors is None
                else np.vstack([same.errors, group.errors]),
                cycles=None if same.cycles is None else np.full(n, same.cycles[0]),
                left_out=same.left_out + group.left_out,
            )
    if index:
        found[0] = replace(found[0], left_out=(f"column {numeric[0] + 1}", *found[0].left_out))
    return tuple(found)


def _heads_between(sheet: Sheet) -> dict[int, tuple[str, list[str]]]:
    """Heads that come again over decays one under the other: line (from 1) of the first row below
    -> title above the head, cells of the head.
    """
    rows = [sheet.row(i) for i in sheet.content]
    numbers = [all(v is not None for v in values) and len(values) > 1 for _, values in rows]
    first = next((k for k, whole in enumerate(numbers) if whole), 0)
    begins, head = {}, rows[first - 1][0]
    axis = split_unit(head[0])[0]
    if not first or not _AXIS_HEAD.match(axis.lstrip("#% ")):
        return {}
    for k, (cells, _) in enumerate(rows):
        if numbers[k] or split_unit(cells[0])[0] != axis or len(cells) != len(head):
            continue
        above = k
        while above and _is_title(sheet, sheet.content[above - 1]):
            above -= 1
        if k + 1 < len(rows) and numbers[k + 1]:
            title = sheet.lines[sheet.content[k - 1]].strip(" #%,;\t") if above < k else ""
            begins[sheet.content[k + 1] + 1] = title, cells
            if k >= first:
                sheet.claim(sheet.content[above : k + 1], "head")
    return begins if len(begins) > 1 else {}


def _is_title(sheet: Sheet, i: int) -> bool:
    words = all(v is None for v in sheet.row(i)[1])
    return words and not re.search("[:=]", sheet.lines[i])


def _without(table: Table, columns: list[int]) -> Table:
    def kept(cells):
        return tuple(cell for j, cell in enumerate(cells) if j not in columns)

    return replace(table, columns=kept(table.columns), above=tuple(map(kept, table.above)))


def _stacked(table: Table, begins: dict[int, tuple[str, list[str]]]) -> list[tuple[str, Table]]:
    """Decays one under the other, with what each is called: by its head, its title, a column that
    says it, or its number. A table whose times rise all along is one, without a name.
    """
    numeric = [j for j, column in enumerate(table.columns) if column.numeric]
    axes = [j for j in numeric if _AXIS_HEAD.match(table.columns[j].name)] or numeric[:1]
    if len(numeric) < 2 or (len(axes) > 1 and not begins):
        return [("", table)]
    time = table.columns[axes[0]].values
    again = np.flatnonzero((np.diff(time) <= 0) | np.isin(table.lines[1:], [*begins])) + 1
    if not again.size:
        return [("", table)]
    ends, step = [*again, time.size], abs(np.median(np.diff(time)))
    for start, stop in zip(again, ends[1:]):
        alike = table.lines[start] in begins or abs(time[start] - time[0]) <= step
        if not alike or min(again[0], stop - start) < _ROWS:
            raise table.refuse(
                f"times that rise, or decays one under the other that all begin at {time[0]:g}",
                f"{time[start - 1]:g} then {time[start]:g}",
                "sort the rows, or give each decay columns of its own",
                row=int(start),
                place=f"column {axes[0] + 1}",
            )
    parts = [slice(start, stop) for start, stop in zip([0, *again], ends)]
    keys = [
        j
        for j, column in enumerate(table.columns)
        if len(set(column.values)) > 1 and all(len(set(column.values[p])) == 1 for p in parts)
    ]
    names, pieces = [], []
    for part in parts:
        title, head = begins.get(table.lines[part.start], ("", []))
        said = [(c.values[part.start], c) for c in (table.columns[j] for j in keys)]
        words = [f"{v:g} {c.unit}".strip() if c.numeric else str(v) for v, c in said]
        names.append(", ".join(filter(None, (title, *words))))
        if len(head) != len(table.columns):  # none, or over columns that are empty
            head = [column.head for column in table.columns]
        columns = zip(map(split_unit, head), table.columns, strict=True)
        columns = tuple(Column(*own, c.values[part]) for own, c in columns)
        piece = replace(table, columns=columns, lines=table.lines[part])
        pieces.append(_without(piece, keys))
    if len({tuple(p.names[1:]) for p in pieces}) == len(pieces) and not any(names):
        return [("", piece) for piece in pieces]
    if len({*names}) < len(names) or not all(names):
        stem = delimited.stem(table.path)
        names = [f"{name if all(names) else stem} {k}" for k, name in enumerate(names, 1)]
    return list(zip(names, pieces, strict=True))


def _side_by_side(table: Table, name: str, bin_ns: float | None) -> list[Histogram]:
    """The decays of each time axis of a table, whose name goes before theirs."""
    numeric = [j for j, column in enumerate(table.columns) if column.numeric]
    axes = [j for j in numeric if _AXIS_HEAD.match(table.columns[j].name)]
    if numeric[0] not in axes:
        axes.insert(0, numeric[0])
    axes = axes if len(numeric) > 1 else []
    if len(axes) == 1:
        table.refuse_second_axis([j for j in numeric if j != axes[0]])
    aside = [
        j for j in numeric if _NO_DECAY.search(table.columns[j].name) or _is_error(table.columns, j)
    ]
    labels = _labels(table, [j for j in numeric if j not in (*axes, *aside)], name)
    found = []
    for k, axis in enumerate(axes or [None]):
        stop = axes[k + 1] if k + 1 < len(axes) else len(table.columns)
        inside = [j for j in numeric if (-1 if axis is None else axis) < j < stop]
        left = [table.columns[j].head or f"column {j + 1}" for j in inside if j in aside]
        decays = [j for j in inside if j in labels]
        if not decays:
            place, names = f"column {axis + 1}", ", ".join(map(repr, left)) or "none"
            raise table.refuse("counts beside the time", names, place=place)
        found.append(_decays(table, axis, {j: labels[j] for j in decays}, bin_ns, tuple(left)))
    return found


def _is_index(table: Table, j: int) -> bool:
    """Whether a column without a name, or of channels, only counts the rows from 0 or 1 on."""
    column = table.columns[j]
    if column.head and not re.match(r"chan|#|no\b|index", column.head, re.IGNORECASE):
        return False
    told = ~np.isnan(column.values)
    counted = (column.values - np.arange(len(table)))[told]
    return bool(counted.size and counted[0] in (0, 1) and (counted == counted[0]).all())


def _is_error(columns, j: int) -> bool:
    """Whether a nameless column is the root of the one before: the error of its counts."""
    if columns[j].head or not j or not columns[j - 1].numeric:
        return False
    counts, error = columns[j - 1].values, columns[j].values
    near = np.abs(error**2 - counts) <= 0.02 * counts + 1
    return bool(np.nanmax(counts, initial=0) > 50 and near[~np.isnan(counts)].all())


def _labels(table: Table, decays: list[int], piece: str) -> dict[int, str]:
    """Names of the decays by column: from the heads, a `Labels` line, the piece or the file."""
    names = [table.columns[j].name for j in decays]
    said = next((v for k, v in table.metadata.items() if k.lower() == "labels"), "")
    listed = [n.strip() for n in said.strip(",").split(",")]
    if len(listed) == len(names) and all(listed):
        names = listed
    stem, generic = piece or delimited.stem(table.path), re.compile(_GENERIC, re.IGNORECASE)
    labels = {}
    for k, (j, name) in enumerate(zip(decays, names, strict=True), 1):
        # `decay` says something beside `irf`, but nothing alone or beside another `decay`.
        bare = not name or names.count(name) > 1 or (len(names) == 1 and generic.fullmatch(name))
        bare = bare or (piece and len(names) == 1)
        own = f"{piece}, {name}" if piece else name
        labels[j] = (stem if len(names) == 1 else f"{stem} {k}") if bare else own
    return labels


def _decays(table: Table, axis, labels: dict[int, str], bin_ns, left) -> Histogram:
    columns = [table.columns[j] for j in labels]
    used = [*labels, axis] if axis is not None else list(labels)
    filled = np.flatnonzero(~np.isnan([table.columns[j].values for j in used]).all(axis=0))
    rows = slice(0, int(filled[-1]) + 1 if filled.size else 0)  # a shorter decay ends with gaps
    table.refuse_missing(used, rows)
    time, asks = _time(table, axis, rows, bin_ns)
    back = np.flatnonzero(np.diff(time) <= 0)
    if back.size:
        i = int(back[0])
        found = f"{time[i]:g} then {time[i + 1]:g} ns"
        advice = "sort the rows, or give each decay columns of its own"
        place = f"column {(axis or 0) + 1}"
        raise table.refuse("times that rise", found, advice, row=i + 1, place=place)
    said = {k.lower(): v for k, v in table.metadata.items()}
    cycles = stated(table.path, said, r"excitation (pulses|cycles)|^cycles", positive=True)
    return Histogram(
        table.path,
        time,
        np.array([c.values[rows] for c in columns]),
        tuple(labels.values()),
        _step(table.path, time),
        _period(table.path, said),
        None if cycles is None else np.full(len(columns), cycles[0]),
        metadata=table.metadata,
        left_out=left,
        errors=_errors(table, labels, rows),
        asks=asks,
        account=table.account,
    )


def _errors(table: Table, labels: dict[int, str], rows: slice) -> np.ndarray | None:
    """Standard errors of the decays in the columns after them."""
    found, none = [], True
    for j in labels:
        after = table.columns[j + 1] if j + 1 < len(table.columns) else None
        is_error = after is not None and after.numeric and (
            _ERROR.search(after.name) or _is_error(table.columns, j + 1)
        )  # fmt: skip
        none &= not is_error
        if is_error:
            table.refuse_missing([j + 1], rows)
        found.append(
            after.values[rows] if is_error else np.full_like(table.columns[j].values[rows], np.nan)
        )
    return None if none else np.array(found)


FASTEST_NS = 1e-4  #: no counter has shorter bins


def _time(table: Table, axis: int | None, rows: slice, bin_ns: float | None):
    """Times in ns, and what the file leaves open."""
    width = bin_ns or _bin_width(table.path, table.notes)
    column = None if axis is None else table.columns[axis]
    numbered = column is not None and not column.head and np.all(np.diff(column.values) == 1)
    if column is None or (numbered and width) or re.match("chan", column.name, re.IGNORECASE):
        if width is None:
            raise table.refuse(
                "a time axis, or a time per channel in the header",
                "channels" if column else "one column",
                "say bin_ns in the sample sheet, or 'Time calibration = 2.7e-11 s/ch' above",
                row=0,
            )
        if column is None:
            _refuse_gap(table.path, table.lines)
        channels = np.arange(len(table)) if column is None else column.values
        return channels[rows] * width, ()
    said = {key.lower(): text for key, text in table.metadata.items()}
    unit = column.unit or next(
        iter(_TIME_UNIT.findall(f"{column.name} {said.get('xaxis', '')}")), ""
    )
    if unit and unit.lower() not in _TO_NS:
        raise table.refuse(
            "a time in ps, ns, µs, ms or s", repr(unit), "name the unit in the head of the column"
        )
    time = column.values[rows]
    if not unit and bin_ns:
        step = np.median(np.diff(time)) if time.size > 1 else 1.0
        return time * (bin_ns / step), ()
    step = abs(float(np.median(np.diff(time)))) if not unit and time.size > 1 else FASTEST_NS
    if step < FASTEST_NS:
        raise table.refuse(
            "a unit of the times in their head, such as 'time (ns)'",
            f"none, and steps of {step:.3g}, which no counter makes in ns",
            f"in s? Then write 'time (s)' there, or {1e9 * step:.4g} into the column bin_ns of the "
            "sample sheet",
        )
    return time * _TO_NS[unit.lower() or "ns"], () if unit else ("bin_ns",)


def _refuse_gap(path, lines: np.ndarray) -> None:
    """Where no axis says which channel a row is, a row that is not there would shift all others."""
    gap = np.flatnonzero(np.diff(lines) != 1)
    if gap.size:
        place = f"line {lines[gap[0]] + 1}"
        advice = "fill it, or export with the time axis"
        raise FormatError(path, place=place, expected="counts", found="none", advice=advice)


def _step(path, time: np.ndarray) -> float:
    if time.size < 2 or not time[1] > time[0]:
        raise FormatError(path, expected="at least two times that rise", found=f"{time[:2]} ns")
    return float(np.median(np.diff(time)))


def _bin_width(path, lines) -> float | None:
    """ns per channel from the first header line that states it with its unit."""
    for line in lines:
        if not (said := _width_said(line)):
            continue
        text, unit = said
        number = stated_number(text)
        if number is None or number[0] <= 0:
            raise FormatError(
                path,
                place="header",
                expected="a time per channel above 0",
                found=repr(line.strip()[:60]),
                advice="correct the line or take it out",
            )
        return number[0] * _TO_NS[unit.lower().replace("sec", "s")]
    return None


def _width_said(line: str) -> tuple[str, str] | None:
    """Where a line has the number of a time per channel, and its unit."""
    if per := _PER_CHANNEL.search(line):  # `0.055 ns/chan`, `sec/ch: 5.5E-11`
        before = re.search(r"[-+]?[\d.,]+([eE][-+]?\d+)?[\s(\[]*$", line[: per.start()])
        return (before[0] if before else line[per.end() :]), per[1]
    word = _WIDTH.search(line)
    unit = word and re.search(rf"(?<![A-Za-z]){_UNITS}(?![A-Za-z])", line[word.end() :])
    return (line[word.end() :], unit[1]) if unit else None


def _period(path, said: dict) -> float | None:
    rate = stated(path, said, r"rep\w*\.? ?rate|sync ?rate|frequency", positive=True)
    if rate and (m := re.match(r"([kM]?)Hz", rate[1], re.IGNORECASE)):
        return 1e9 / (rate[0] * {"": 1.0, "k": 1e3, "m": 1e6}[m[1].lower()])
    period = stated(path, said, r"period", positive=True)
    if period and (m := _TIME_UNIT.match(period[1])):
        return period[0] * _TO_NS[m[1]]
    return None


def _checked(histogram: Histogram) -> Histogram:
    counts, time = histogram.counts, histogram.time_ns
    if counts.size == 0 or counts.shape[1] < _ROWS:
        raise FormatError(
            histogram.path,
            expected=f"at least {_ROWS} bins",
            found=f"{counts.shape[1] if counts.ndim == 2 else 0}",
        )
    bad = np.argwhere(~np.isfinite(counts) | (counts < 0))
    if bad.size:
        m, i = bad[0]
        raise FormatError(
            histogram.path,
            place=f"{histogram.labels[m]}, {time[i]:g} ns",
            expected="counts, none negative",
            found=f"{counts[m, i]:g}",
            advice="export raw counts, without subtracting a background: the statistics need them",
        )
    steps = np.diff(time)
    # Rounded times may differ in their last digit; a changed bin width may not.
    if (
        np.max(
            np.abs(time - (time[0] + np.arange(time.size) * (time[-1] - time[0]) / (time.size - 1)))
        )
        > 0.51 * histogram.bin_ns
    ):
        i = int(np.argmax(np.abs(steps - histogram.bin_ns)))
        raise FormatError(
            histogram.path,
            place=f"{time[i]:g} ns",
            expected=f"even bins of {histogram.bin_ns:g} ns",
            found=f"a step of {steps[i]:g} ns",
            advice="export one time range",
        )
    return histogram
