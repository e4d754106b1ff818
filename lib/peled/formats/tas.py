"""Transient absorption: delay × wavelength matrices as instruments and fit programs write them.

`read_tas` knows by content: Ultrafast Systems `.ufs` (binary), Surface Xplorer CSV, glotaran ASCII (time or wavelength explicit), SIA
and other matrices of text with both axes (either orientation, any delimiter, decimal comma), LabVIEW `.lvm` with axes, and
`.npz`. Delays come out in ps, wavelengths in nm, the signal as (delays, wavelengths); cells that an exporter wrote as `NaN`
stay NaN and are counted in `missing`.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, contract, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import COMMENT, DELIMITERS, parse_number

TIME_UNITS_PS = {
    "fs": 1e-3,
    "ps": 1.0,
    "ns": 1e3,
    "us": 1e6,
    "µs": 1e6,
    "μs": 1e6,
    "ms": 1e9,
    "s": 1e12,
}
_DELAY_WORD = re.compile(r"\b(time|delay|t|pump.?probe)\b", re.IGNORECASE)
_WAVE_WORD = re.compile(
    r"\b(wave.?length|wave.?number|lambda|wl|energy|pixel)s?\b|λ", re.IGNORECASE
)
_BLANK = {"nan", "-nan", "na", "n/a", "inf", "-inf", "+inf", "--", "1.#qnan", "-1.#ind"}


@dataclass(frozen=True)
class TransientMap:
    """A file's matrix. `signal` has the shape (delays, wavelengths), or (scans, delays, wavelengths) in `scans` where the file holds single scans.

    `delay_unit` and `spectral_unit` are those of the file; the axes are already ps and nm. `missing` counts the NaN cells.
    """

    path: Path
    format: str
    delay_ps: np.ndarray
    wavelength_nm: np.ndarray
    signal: np.ndarray
    signal_unit: str = ""
    delay_unit: str = "ps"
    spectral_unit: str = "nm"
    metadata: dict[str, str] = field(default_factory=dict)
    scans: np.ndarray | None = None

    @property
    def missing(self) -> int:
        return int(np.count_nonzero(~np.isfinite(self.signal)))


@reader("a map of delays and wavelengths", missing=("signal", "scans"))
def read_tas(
    path: str | os.PathLike,
    *,
    orientation: str | None = None,
    delay_unit: str | None = None,
    spectral_unit: str | None = None,
    key: str | None = None,
) -> TransientMap:
    """Read one matrix.

    Parameters
    ----------
    path : path-like
    orientation : "delays down" or "delays across", optional
        For matrices of text whose axes could be either: which axis runs down the first column. By default told from words in the corner, signs and
        ranges of the axes.
    delay_unit : str, optional
        fs, ps, ns, us; overrules what the file says. ps where it says nothing.
    spectral_unit : str, optional
        nm, um, cm-1 or eV.
    key : str, optional
        Name of the signal in an `.npz` that holds several.

    Raises
    ------
    FormatError
        With the place: truncated or damaged files, text among the numbers, axes that cannot be told apart, rows of unequal length.
    """
    path = Path(path)
    if delay_unit is not None and delay_unit not in TIME_UNITS_PS:
        raise ValueError(
            f"delay_unit: expected one of {', '.join(TIME_UNITS_PS)}, found {delay_unit!r}"
        )
    if orientation not in (None, "delays down", "delays across"):
        raise ValueError(
            f"orientation: expected 'delays down' or 'delays across', found {orientation!r}"
        )
    content = read_bytes(path, what="a transient-absorption matrix")
    if content[:2] == b"PK":
        return _read_npz(path, delay_unit, spectral_unit, key)
    if _is_ufs(content):
        return _read_ufs(path, content, delay_unit, spectral_unit)
    if b"\0" in content[:4096] and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise FormatError(
            path,
            expected="a .ufs, .npz or text matrix",
            found=f"binary content starting with {content[:8]!r}",
            advice="export it as CSV",
        )
    text = read_text(path)
    lines = text.split("\n")
    head = "\n".join(lines[:12]).lower()
    if re.search(r"^\s*(time|wavelength)\s+explicit", head, re.MULTILINE) or "intervalnr" in head:
        return _read_glotaran(path, lines, delay_unit, spectral_unit)
    return _read_text_matrix(path, lines, orientation, delay_unit, spectral_unit)


# ---- Ultrafast Systems -------------------------------------------------------------------------------------------------


def _is_ufs(content: bytes) -> bool:
    if len(content) < 12:
        return False
    length = struct.unpack(">i", content[:4])[0]
    return 0 < length <= 32 and content[4 : 4 + length].lower().startswith(b"version")


class _Cursor:
    """Reads big-endian values and says where a file ends too early."""

    def __init__(self, path: Path, content: bytes):
        self.path, self.content, self.at = path, content, 0

    def take(self, count: int, what: str) -> bytes:
        if count < 0 or self.at + count > len(self.content):
            raise FormatError(
                self.path,
                place=f"byte {self.at}",
                expected=f"{what} ({count} bytes)",
                found=f"{len(self.content) - self.at} bytes to the end of the file",
                advice="the file is truncated or damaged: copy or export it again",
            )
        self.at += count
        return self.content[self.at - count : self.at]

    def integer(self, what: str) -> int:
        return struct.unpack(">i", self.take(4, what))[0]

    def text(self, what: str, limit: int = 256) -> str:
        place = self.at
        length = self.integer(f"the length of {what}")
        if not 0 <= length <= limit:
            raise FormatError(
                self.path,
                place=f"byte {place}",
                expected=f"{what}, up to {limit} characters",
                found=f"a length of {length}",
                advice="the file is damaged",
            )
        return self.take(length, what).decode("latin-1")

    def doubles(self, count: int, what: str) -> np.ndarray:
        return np.frombuffer(self.take(8 * count, what), ">f8").astype(float)

    def count(self, what: str) -> int:
        place = self.at
        n = self.integer(f"the number of {what}")
        if not 0 < n <= 10_000_000:
            raise FormatError(
                self.path,
                place=f"byte {place}",
                expected=f"a number of {what}",
                found=str(n),
                advice="the file is damaged",
            )
        return n


def _read_ufs(path, content, delay_unit, spectral_unit) -> TransientMap:
    c = _Cursor(path, content)
    version = c.text("the version")
    axes = {}
    for what, word in (("wavelengths", "wavelength"), ("delays", "time")):
        place = c.at
        name, unit = c.text(f"the name of the {what}"), c.text(f"the unit of the {what}")
        if word not in name.lower():
            raise FormatError(
                path, place=f"byte {place}", expected=f"the axis {word!r}", found=repr(name[:40])
            )
        axes[what] = c.doubles(c.count(what), f"{what}"), unit
    wavelength, wave_unit = axes["wavelengths"]
    delay, time_unit = axes["delays"]
    signal_name = c.text("the name of the signal")
    c.integer("a flag")
    place = c.at
    n, m = c.count("wavelengths"), c.count("delays")
    if (n, m) != (len(wavelength), len(delay)):
        raise FormatError(
            path,
            place=f"byte {place}",
            expected=f"a matrix of {len(wavelength)} wavelengths × {len(delay)} delays",
            found=f"{n} × {m}",
            advice="the file is damaged",
        )
    data = c.doubles(n * m, "the matrix").reshape(n, m)
    metadata = {"version": version}
    if c.at < len(content):
        # Some exporters write a length, others plain text to the end; the text matters, its frame does not.
        rest = content[c.at :]
        if len(rest) >= 4 and struct.unpack(">i", rest[:4])[0] == len(rest) - 4:
            rest = rest[4:]
        metadata |= _notes(rest.decode("latin-1").replace("\r", "\n").split("\n"))
    return _finish(
        path,
        "Ultrafast Systems ufs",
        delay,
        wavelength,
        data.T,
        delay_unit or _unit(path, time_unit, "ps"),
        spectral_unit or wave_unit or "nm",
        signal_name,
        metadata,
    )


def write_ufs(
    path: str | os.PathLike, delay_ps, wavelength_nm, signal, *, metadata: str = ""
) -> None:
    """Write a matrix (delays, wavelengths) as Ultrafast Systems `.ufs`, Version 2."""
    from peled.files import write_atomically

    def text(s: str) -> bytes:
        raw = s.encode("latin-1")
        return struct.pack(">i", len(raw)) + raw

    def axis(name: str, unit: str, values) -> bytes:
        return (
            text(name)
            + text(unit)
            + struct.pack(">i", len(values))
            + np.asarray(values, ">f8").tobytes()
        )

    signal = np.asarray(signal, float)
    if signal.shape != (len(delay_ps), len(wavelength_nm)):
        raise ValueError(
            f"ufs: expected a signal of shape {(len(delay_ps), len(wavelength_nm))}, found {signal.shape}"
        )
    body = (
        text("Version2")
        + axis("Wavelength", "nm", wavelength_nm)
        + axis("Time", "ps", delay_ps)
        + text("DA")
        + struct.pack(">iii", 0, len(wavelength_nm), len(delay_ps))
    )
    write_atomically(path, body + np.ascontiguousarray(signal.T, ">f8").tobytes() + text(metadata))


# ---- glotaran ----------------------------------------------------------------------------------------------------------


def _read_glotaran(path, lines, delay_unit, spectral_unit) -> TransientMap:
    kind, count, at = None, None, None
    for i, line in enumerate(lines[:60]):
        if match := re.match(r"\s*(time|wavelength)\s+explicit", line, re.IGNORECASE):
            kind = match[1].lower()
        if match := re.match(r"\s*intervalnr\s+(\d+)", line, re.IGNORECASE):
            count, at = int(match[1]), i + 1
            break
    if kind is None or count is None:
        raise FormatError(
            path,
            place="header",
            expected="the lines 'Time explicit' or 'Wavelength explicit' and 'Intervalnr <n>'",
            found=repr(" / ".join(lines[:5])[:80]),
        )
    explicit: list[float] = []
    while len(explicit) < count and at < len(lines):
        explicit += [_cell(path, cell, at, j, ".") for j, cell in enumerate(lines[at].split())]
        at += 1
    if len(explicit) != count:
        raise FormatError(
            path,
            place=f"line {at}",
            expected=f"{count} values of the {kind} axis",
            found=str(len(explicit)),
        )
    rows, other = [], []
    for i in range(at, len(lines)):
        cells = lines[i].split()
        if not cells:
            continue
        values = [_cell(path, cell, i, j, ".") for j, cell in enumerate(cells)]
        if len(values) != count + 1:
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected=f"{count + 1} numbers (axis value and {count} signals)",
                found=str(len(values)),
                advice="mend or remove the line",
            )
        other.append(values[0])
        rows.append(values[1:])
    if not rows:
        raise FormatError(path, place=f"line {at + 1}", expected="rows of the matrix", found="none")
    explicit, other, data = np.array(explicit), np.array(other), np.array(rows)
    header = [line for line in lines[:at] if line.strip()]
    unit = delay_unit or _said_time_unit(" ".join(header[:3])) or "ps"
    metadata = _notes(header)
    if kind == "time":
        return _finish(
            path,
            "glotaran, time explicit",
            explicit,
            other,
            data.T,
            unit,
            spectral_unit or "nm",
            "",
            metadata,
        )
    return _finish(
        path,
        "glotaran, wavelength explicit",
        other,
        explicit,
        data,
        unit,
        spectral_unit or "nm",
        "",
        metadata,
    )


def write_glotaran(
    path: str | os.PathLike,
    delay_ps,
    wavelength_nm,
    signal,
    *,
    explicit: str = "time",
    title: str = "",
) -> None:
    """Write a matrix (delays, wavelengths) as glotaran ASCII, `explicit` "time" or "wavelength"."""
    from peled.files import write_atomically

    if explicit not in ("time", "wavelength"):
        raise ValueError(f"explicit: expected 'time' or 'wavelength', found {explicit!r}")
    across, down, data = (
        (delay_ps, wavelength_nm, np.asarray(signal).T)
        if explicit == "time"
        else (wavelength_nm, delay_ps, np.asarray(signal))
    )
    lines = [
        "Header",
        f"Original filename: {title}",
        f"{explicit.capitalize()} explicit",
        f"Intervalnr {len(across)}",
        "\t" + "\t".join(f"{x:.10g}" for x in across),
    ]
    lines += [
        f"{y:.10g}\t" + "\t".join(f"{v:.8g}" for v in row)
        for y, row in zip(down, data, strict=True)
    ]
    write_atomically(path, "\n".join(lines) + "\n")


# ---- text with both axes -----------------------------------------------------------------------------------------------


def _read_text_matrix(path, lines, orientation, delay_unit, spectral_unit) -> TransientMap:
    start = max(
        (i + 1 for i, line in enumerate(lines) if "***end_of_header***" in line.lower()), default=0
    )
    labview = start > 0 or lines[0].lower().startswith("labview measurement")
    delimiter, decimal, first, last, width = _find_block(path, lines, start)
    grid, corner = [], ""
    for i in range(first, last):
        if not lines[i].strip():
            continue
        cells = _cells(lines[i], delimiter)
        if i == first:
            if (
                len(cells) >= width and _as_number(cells[len(cells) - width], decimal) is None
            ):  # words in the corner, with blanks between them perhaps
                corner, cells = (
                    " ".join(cells[: len(cells) - width + 1]),
                    ["nan", *cells[len(cells) - width + 1 :]],
                )
            elif len(cells) == width - 1:  # no corner cell at all
                cells = ["nan", *cells]
        if len(cells) > width and all(not c for c in cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected=f"{width} cells, as in most rows",
                found=f"{len(cells)}: {lines[i].strip()[:50]!r}",
                advice="mend or remove the line",
            )
        grid.append([_cell(path, cell, i, j, decimal) for j, cell in enumerate(cells)])
    grid = np.array(grid)
    if (
        labview and width > 3 and not np.isfinite(grid[1:, 0]).any()
    ):  # an empty X column before the data
        grid = grid[:, 1:]
    across, down, data = grid[0, 1:], grid[1:, 0], grid[1:, 1:]
    for what, axis in (("first row", across), ("first column", down)):
        if not np.all(np.isfinite(axis)):
            raise FormatError(
                path,
                place=what,
                expected="numbers of an axis",
                found=f"{int(np.sum(~np.isfinite(axis)))} cells without a number",
                advice="the matrix needs delays and wavelengths as its first row and first column",
            )
    header, footer = (
        [line for line in lines[:first] if line.strip()],
        [line for line in lines[last:] if line.strip()],
    )
    words = " ".join([*header[-6:], corner])
    down_is_delay = _delays_down(path, down, across, words, corner, orientation)
    delay, wavelength, signal = (down, across, data) if down_is_delay else (across, down, data.T)
    metadata = _notes([*header, *footer])
    unit = (
        delay_unit
        or _said_time_unit(corner)
        or _said_time_unit(
            " ".join(
                f"{k} {v}" for k, v in metadata.items() if re.search("time|delay", k, re.IGNORECASE)
            )
        )
        or _said_time_unit(" ".join(h for h in header if _DELAY_WORD.search(h)))
        or "ps"
    )
    spectral = spectral_unit or _said_spectral_unit(words) or "nm"
    name = (
        "LabVIEW lvm"
        if labview
        else "Surface Xplorer csv"
        if footer and not down_is_delay and delimiter == ","
        else "SIA"
        if path.suffix.lower() == ".sia"
        else "text matrix"
    )
    return _finish(path, name, delay, wavelength, signal, unit, spectral, "", metadata)


def _cells(line: str, delimiter):
    line = line.rstrip("\r\n")
    if delimiter is None:
        return line.split()
    cells = [cell.strip().strip("\"'").strip() for cell in line.split(delimiter)]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return cells


def _as_number(cell: str, decimal: str):
    if cell.lower() in _BLANK:
        return float("nan")
    return parse_number(cell, decimal)


def _find_block(path, lines, start):
    """Delimiter, decimal mark, first and last line and width of the matrix: the longest run of rows of one width made of numbers."""
    best = None
    for delimiter in DELIMITERS:
        for decimal in (".", ","):
            if delimiter == decimal:
                continue
            probe = [i for i in range(start, len(lines)) if lines[i].strip()]
            sample = (
                [probe[i] for i in np.unique(np.linspace(0, len(probe) - 1, 60).astype(int))]
                if probe
                else []
            )
            widths: dict[int, int] = {}
            for i in sample:
                cells = _cells(lines[i], delimiter)
                numbers = sum(_as_number(c, decimal) is not None for c in cells[1:])
                if (
                    len(cells) > 2
                    and numbers >= 0.8 * (len(cells) - 1)
                    and _as_number(cells[0] or "nan", decimal) is not None
                ):
                    widths[len(cells)] = widths.get(len(cells), 0) + 1
            for width, count in widths.items():
                score = count * min(width, 50)
                if best is None or score > best[0]:
                    best = (score, delimiter, decimal, width)
    if best is None:
        raise FormatError(
            path,
            expected="a matrix of numbers with delays and wavelengths as first row and column",
            found=f"none in {len(lines)} lines",
            advice="export the matrix with both axes",
        )
    _, delimiter, decimal, width = best

    def fits(i: int) -> bool:
        cells = _cells(lines[i], delimiter)
        return abs(len(cells) - width) <= 1 and sum(
            _as_number(c, decimal) is not None for c in cells[1:]
        ) >= 0.5 * max(len(cells) - 1, 1)

    rows = [
        i
        for i in range(start, len(lines))
        if lines[i].strip()
        and not (lines[i].lstrip().startswith(COMMENT) and not fits(i))
        and fits(i)
    ]
    if len(rows) < 4:
        raise FormatError(
            path,
            expected="at least 4 rows of a matrix",
            found=str(len(rows)),
            advice="export the matrix with both axes",
        )
    # Text between the rows is damage, text before and after is header and footer.
    first, last = rows[0], rows[-1] + 1
    above = next((i for i in range(first - 1, start - 1, -1) if lines[i].strip()), None)
    if (
        above is not None
        and len(cells := _cells(lines[above], delimiter)) > width
        and all(_as_number(c, decimal) is not None for c in cells[1 - width :])
    ):
        first = above  # an axis with several words before it
        rows.insert(0, above)
    inside = set(rows)
    for i in range(first, last):
        if lines[i].strip() and i not in inside and not lines[i].lstrip().startswith(COMMENT):
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected=f"a row of {width} numbers",
                found=repr(lines[i].strip()[:50]),
                advice="mend the line, or move notes to the end of the file",
            )
    return delimiter, decimal, first, last, width


def _cell(path, cell: str, line: int, column: int, decimal: str) -> float:
    value = _as_number(cell, decimal)
    if value is None and not cell and (line, column) != (0, 0):
        value = float("nan") if column == 0 else None
    if value is None:
        raise FormatError(
            path,
            place=f"line {line + 1}, column {column + 1}",
            expected="a number",
            found=repr(cell[:30]) if cell else "an empty cell",
            advice="mend the cell, or write NaN",
        )
    return value if np.isfinite(value) else float("nan")


def _delays_down(path, down, across, words, corner, orientation) -> bool:
    if orientation is not None:
        return orientation == "delays down"
    # Words in the corner such as "wavelength\time" name the first column first.
    d, w = _DELAY_WORD.search(corner), _WAVE_WORD.search(corner)
    if d and w:
        return d.start() < w.start()
    if d or w:
        return bool(d)
    score = _delay_likeness(down) - _delay_likeness(across)
    if abs(score) < 0.5:
        raise FormatError(
            path,
            place="axes",
            expected="one axis of delays and one of wavelengths",
            found=f"{down[0]:g} … {down[-1]:g} down, {across[0]:g} … {across[-1]:g} across: either could be both",
            advice="hand over orientation='delays down' or 'delays across'",
        )
    return score > 0


def _delay_likeness(axis) -> float:
    """How much an axis looks like delays: negative or tiny values, unequal steps over decades; wavelengths are positive with a small ratio."""
    score = 0.0
    if axis.min() <= 0:
        score += 3.0
    elif axis.min() < 50:
        score += 1.0
    if axis.min() > 0 and axis.max() / axis.min() > 20:
        score += 1.0
    steps = np.abs(np.diff(axis))
    if (
        len(steps) > 2
        and steps.min() >= 0
        and steps.max() > 20 * max(np.median(steps[steps > 0]) if np.any(steps > 0) else 0, 1e-12)
    ):
        score += 1.0
    if axis.min() > 150 and axis.max() / axis.min() < 12:
        score -= 1.0
    return score


# ---- numpy -------------------------------------------------------------------------------------------------------------


def _read_npz(path, delay_unit, spectral_unit, key) -> TransientMap:
    arrays = contract.arrays(path)
    axes = {
        name: a.astype(float) for name, a in arrays.items() if a.ndim == 1 and a.dtype.kind in "fiu"
    }

    def axis(what, pattern):
        found = [name for name in axes if re.search(pattern, name, re.IGNORECASE)]
        if len(found) != 1:
            raise FormatError(
                path,
                expected=f"one entry of {what}",
                found=", ".join(found or arrays) or "an empty archive",
                advice="name them delay_ps, wavelength_nm and signal",
            )
        return found[0]

    w = axis("wavelengths", r"^(wl|wls|wn)$|wave|lambda|lam$|nm$|energy")
    t = axis("delays", r"^(t|ts|x)$|time|delay|_ps$|_fs$")
    delay, wavelength = axes[t], axes[w]
    nt, nw = len(delay), len(wavelength)
    fits = {
        name: a
        for name, a in arrays.items()
        if a.ndim in (2, 3) and a.dtype.kind in "fiu" and sorted(a.shape[-2:]) == sorted((nt, nw))
    }
    if key is not None:
        if key not in fits:
            raise FormatError(
                path,
                place=f"entry {key!r}",
                expected=f"a matrix of {nt} × {nw}",
                found=", ".join(fits) or "none",
            )
        fits = {key: fits[key]}
    if len(fits) != 1:
        raise FormatError(
            path,
            expected=f"one matrix of {nt} delays × {nw} wavelengths",
            found=", ".join(fits)
            or "none that fits: " + ", ".join(f"{k} {a.shape}" for k, a in arrays.items()),
            advice="hand over key='<name>'" if fits else "",
        )
    name, data = next(iter(fits.items()))
    data = data.astype(float)
    if data.shape[-2:] != (nt, nw):
        data = np.swapaxes(data, -1, -2)
    unit = delay_unit or next((u for u in TIME_UNITS_PS if t.lower().endswith("_" + u)), "ps")
    spectral = spectral_unit or (
        "cm-1"
        if w.lower().endswith(("cm", "cm-1", "_cm1", "wn"))
        else "eV"
        if w.lower().endswith("ev")
        else "nm"
    )
    metadata = {n: str(a) for n, a in arrays.items() if a.dtype.kind == "U" and a.ndim == 0}
    scans = data if data.ndim == 3 else None
    return _finish(
        path,
        "npz",
        delay,
        wavelength,
        data.mean(0) if scans is not None else data,
        unit,
        spectral,
        name,
        metadata,
        scans,
    )


# ---- common ------------------------------------------------------------------------------------------------------------


def write_matrix(
    path: str | os.PathLike,
    delay_ps,
    wavelength_nm,
    signal,
    *,
    delays: str = "down",
    delimiter: str = ",",
    footer: str = "",
    digits: int = 6,
) -> None:
    """Write a matrix of text with both axes: `delays` "down" (first column; SIA with tabs) or "across" (first row; Surface Xplorer with commas)."""
    from peled.files import write_atomically

    down, across, data = (
        (delay_ps, wavelength_nm, np.asarray(signal))
        if delays == "down"
        else (wavelength_nm, delay_ps, np.asarray(signal).T)
    )
    corner = "delay (ps)\\wavelength (nm)" if delays == "down" else "0"
    lines = [delimiter.join([corner, *(f"{x:.8g}" for x in across)])]
    lines += [
        delimiter.join([f"{y:.8g}", *(f"{v:.{digits}g}" for v in row)])
        for y, row in zip(down, data, strict=True)
    ]
    write_atomically(path, "\n".join(lines) + "\n" + footer)


def _finish(
    path,
    form,
    delay,
    wavelength,
    signal,
    time_unit,
    spectral_unit,
    signal_unit,
    metadata,
    scans=None,
) -> TransientMap:
    for what, axis in (("delays", delay), ("wavelengths", wavelength)):
        if not np.all(np.isfinite(axis)):
            raise FormatError(
                path,
                place=what,
                expected="finite numbers",
                found=f"{int(np.sum(~np.isfinite(axis)))} that are not",
            )
    key = spectral_unit.strip().lower().replace("^", "").replace("⁻¹", "-1").replace("1/cm", "cm-1")
    if key in ("nm", ""):
        nm = wavelength
    elif key in ("um", "µm", "μm"):
        nm = wavelength * 1e3
    elif key in ("cm-1", "wavenumber", "wavenumbers"):
        nm = 1e7 / wavelength
    elif key == "ev":
        nm = 1239.8419843320026 / wavelength
    else:
        raise FormatError(
            path,
            place="wavelengths",
            expected="the unit nm, um, cm-1 or eV",
            found=repr(spectral_unit),
            advice="hand over spectral_unit='nm'",
        )
    if np.any(nm <= 0) or not np.all(np.isfinite(nm)):
        raise FormatError(
            path,
            place="wavelengths",
            expected="positive numbers",
            found=f"{wavelength.min():g} … {wavelength.max():g}",
            advice="delays and wavelengths may be exchanged: hand over orientation",
        )
    if not np.isfinite(signal).any():
        raise FormatError(path, place="matrix", expected="numbers", found="no finite value")
    return TransientMap(
        Path(path),
        form,
        delay * TIME_UNITS_PS[time_unit],
        nm,
        np.ascontiguousarray(signal, float),
        signal_unit,
        time_unit,
        spectral_unit,
        metadata,
        scans,
    )


def _unit(path, text: str, default: str) -> str:
    unit = text.strip().lower() or default
    if unit not in TIME_UNITS_PS:
        raise FormatError(
            path,
            place="unit of the delays",
            expected=", ".join(TIME_UNITS_PS),
            found=repr(text),
            advice="hand over delay_unit='ps'",
        )
    return unit


def _said_time_unit(text: str) -> str | None:
    match = re.search(r"(?<![A-Za-z])(fs|ps|ns|us|µs|μs)(?![A-Za-z])", text)
    return match[1] if match else None


def _said_spectral_unit(text: str) -> str | None:
    match = re.search(r"(?<![A-Za-z])(nm|um|µm|cm\^?-1|1/cm|eV)(?![A-Za-z])", text)
    return match[1] if match else None


def _notes(lines) -> dict[str, str]:
    found = {}
    for line in lines:
        match = re.match(r"^[#%!\s\"]*([A-Za-z][^:=\t,]{0,60}?)\s*[:=\t,]\s*(.*?)[\s,;\"]*$", line)
        if match and match[2]:
            found.setdefault(match[1].strip(), match[2].strip())
    return found
