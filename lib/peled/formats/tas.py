"""Transient absorption: delay × wavelength matrices as instruments and fit programs write them.

`read_tas` knows by content: Ultrafast Systems `.ufs` (binary), Surface Xplorer CSV, glotaran ASCII
(time or wavelength explicit), SIA and other matrices of text with both axes (either orientation,
any delimiter, decimal comma), LabVIEW `.lvm` with axes, `.npz`, and Hamamatsu streak images `.img`
(read by rosettasciio, in counts). Delays come out in ps,
wavelengths in nm, the signal as (delays, wavelengths); cells that an exporter wrote as `NaN` stay
NaN and are counted in `missing`.

Units that no head, key or remark says are not guessed: `asks` names them, and the caller may say
them. Tried on files not written here: glotaran ASCII of the pyglotaran paper (doi:
10.5281/zenodo.7658982), an archive of the skultrafast package, and the streak images of
github.com/hyperspy/rosettasciio (`rsciio/tests/data/hamamatsu`); the others on our own files.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.files import may_be_data
from peled.formats import FormatError, contract, read_bytes
from peled.formats.contract import Bytes, reader
from peled.formats.delimited import MISSING, Account, Sheet, is_unit, key_values, read_workbook
from peled.materials import HC_EV_NM

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
SIGNAL_UNITS_OD = {"OD": 1.0, "DA": 1.0, "mOD": 1e-3, "µOD": 1e-6, "μOD": 1e-6, "uOD": 1e-6}
_DELAY_WORD = re.compile(r"\b(times?|delays?|t|pump.?probe)\b", re.IGNORECASE)
_SIGNAL_WORD = re.compile(r"(Δ|d|delta)\W?(A|OD|absorb)|signal|absorb|unit|\(.?OD\)", re.IGNORECASE)
_WAVE_WORD = re.compile(
    r"\b(wave.?length|wave.?number|lambda|wl|energy|pixel)s?\b|λ", re.IGNORECASE
)


@dataclass(frozen=True)
class TransientMap:
    """A file's matrix. `signal` has the shape (delays, wavelengths), or (scans, delays,
    wavelengths) in `scans` where the file holds single scans.

    `delay_unit`, `spectral_unit` and `signal_unit` are those of the file; the axes are already ps
    and nm, the signal is OD where its unit is known. `asks` names the settings that neither file
    nor caller gave (`delay_unit`: ps was taken; `signal_unit`: the numbers stay). `mask` is True
    where a cell says that it holds no value, and NaN stands in `signal`; `missing` counts them.
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
    asks: tuple[str, ...] = ()
    account: Account = field(default_factory=Account, repr=False)

    @property
    def mask(self) -> np.ndarray:
        return ~np.isfinite(self.signal)

    @property
    def missing(self) -> int:
        return int(np.count_nonzero(self.mask))


@reader("a map of delays and wavelengths", folder=True, missing=("signal", "scans"))
def read_tas(
    path: str | os.PathLike,
    *,
    orientation: str | None = None,
    delay_unit: str | None = None,
    signal_unit: str | None = None,
    spectral_unit: str | None = None,
    key: str | None = None,
) -> TransientMap:
    """Read one matrix.

    Parameters
    ----------
    path : path-like
        A file, or a folder that holds nothing but a matrix and its two axes, a text file each. Of
        several matrices in a folder with two files that are named after axes
        (`delays.txt`, `wavelengths.txt`) each has these, where it has none itself.
    orientation : "delays down" or "delays across", optional
        For matrices of text whose axes could be either: which axis runs down the first column. By
        default told from words in the corner, signs and ranges of the axes.
    delay_unit : str, optional
        fs, ps, ns, us, ms or s; overrules what the file says. Where nobody says, ps is taken and
        `asks` holds "delay_unit".
    signal_unit : str, optional
        OD, mOD or µOD; overrules what the file says. Where nobody says, the numbers stay and `asks`
        holds "signal_unit".
    spectral_unit : str, optional
        nm, um, cm-1 or eV.
    key : str, optional
        Name of the signal in an `.npz` that holds several.

    Returns
    -------
    TransientMap
        Delays in ps, wavelengths in nm, signal in OD where its unit is known.

    Raises
    ------
    FormatError
        With the place: truncated or damaged files, text among the numbers, axes that cannot be told
        apart, rows of unequal length.
    ValueError
        For an unknown orientation, unit of delay or unit of signal.
    """
    path = Path(path)
    if delay_unit is not None and delay_unit not in TIME_UNITS_PS:
        raise ValueError(
            f"delay_unit: expected one of {', '.join(TIME_UNITS_PS)}, found {delay_unit!r}"
        )
    if signal_unit is not None and signal_unit not in SIGNAL_UNITS_OD:
        raise ValueError(
            f"signal_unit: expected one of {', '.join(SIGNAL_UNITS_OD)}, found {signal_unit!r}"
        )
    asked = {"delay": delay_unit, "signal": signal_unit, "spectral": spectral_unit}
    if orientation not in (None, "delays down", "delays across"):
        raise ValueError(
            f"orientation: expected 'delays down' or 'delays across', found {orientation!r}"
        )
    if path.is_dir():
        return _read_folder(path, orientation, asked)
    content = read_bytes(path, what="a transient-absorption matrix")
    if content[:2] == b"PK" and b"xl/workbook.xml" in content:
        return _read_matrix(_only_sheet(path), orientation, asked)
    if content[:2] == b"PK":
        return _read_npz(path, key, asked)
    if _is_ufs(content):
        return _read_ufs(path, content, asked)
    if content[:2] == b"IM" and b"Scaling" in content:
        return _read_streak(path, content, asked)
    sheet = Sheet.read(path, what="a transient-absorption matrix")
    head = "\n".join(sheet.lines[:60])
    if re.search(
        r"^\s*((time|wavelength)\s+explicit|intervalnr)", head, re.MULTILINE | re.IGNORECASE
    ):
        return _read_explicit(sheet, asked)
    if (axes := _axes_beside(path)) and path not in axes:
        try:
            return _with_axes(path, [path, *axes], orientation, asked)
        except FormatError as error:  # axes of other matrices, unless this has none of its own
            try:
                return _read_matrix(sheet, orientation, asked)
            except FormatError:
                raise error from None
    return _read_matrix(sheet, orientation, asked)


# ---- Ultrafast Systems ---------------------------------------------------------------------------


def _is_ufs(content: bytes) -> bool:
    if len(content) < 12:
        return False
    length = struct.unpack(">i", content[:4])[0]
    return 0 < length <= 32 and content[4 : 4 + length].lower().startswith(b"version")


class _Ufs(Bytes):
    """Counts, texts and numbers as `.ufs` has them."""

    def count(self, what: str, least: int = 1, most: int = 10_000_000) -> int:
        place, n = self.at, self.get("i", f"the number of {what}")
        if not least <= n <= most:
            raise self.refuse(place, f"a number of {what} up to {most}", str(n))
        return n

    def text(self, what: str) -> str:
        return self.take(self.count(f"characters of {what}", 0, 256), what).decode("latin-1")


def _read_ufs(path, content, asked) -> TransientMap:
    c = _Ufs(path, content, ">")
    version = c.text("the version")
    axes = {}
    for what, word in (("wavelengths", "wavelength"), ("delays", "time")):
        place = c.at
        name, unit = c.text(f"the name of the {what}"), c.text(f"the unit of the {what}")
        if word not in name.lower():
            raise c.refuse(place, f"the axis {word!r}", repr(name[:40]))
        axes[what] = c.values("f8", c.count(what), what), unit.strip()
    wavelength, wave_unit = axes["wavelengths"]
    delay, time_unit = axes["delays"]
    signal_name = c.text("the name of the signal")
    c.get("i", "a flag")
    place = c.at
    n, m = c.count("wavelengths"), c.count("delays")
    if (n, m) != (len(wavelength), len(delay)):
        expected = f"a matrix of {len(wavelength)} wavelengths × {len(delay)} delays"
        raise c.refuse(place, expected, f"{n} × {m}")
    data = c.values("f8", n * m, "the matrix").reshape(n, m)
    unit = asked["delay"] or time_unit.lower() or "ps"
    if unit not in TIME_UNITS_PS:
        raise FormatError(
            path,
            place="unit of the delays",
            expected=", ".join(TIME_UNITS_PS),
            found=repr(time_unit),
            advice="say delay_unit in the sample sheet",
        )
    metadata = {"version": version}
    if c.at < len(content):
        # Some exporters write a length, others plain text to the end; the text matters, its frame
        # does not.
        rest = content[c.at :]
        if len(rest) >= 4 and struct.unpack(">i", rest[:4])[0] == len(rest) - 4:
            rest = rest[4:]
        metadata |= key_values(rest.decode("latin-1").replace("\r", "\n").split("\n"))
    asked = {
        "delay": unit,
        "spectral": asked["spectral"] or wave_unit or "nm",
        "signal": asked["signal"] or signal_name or "DA",
    }
    texts = Texts(metadata=metadata)
    return _finish(path, "Ultrafast Systems ufs", delay, wavelength, data.T, asked, texts)


# ---- Hamamatsu -----------------------------------------------------------------------------------


def _read_streak(path, content, asked) -> TransientMap:
    """An ITEX image of HPD-TA: delays down, wavelengths across, both calibrated by tables."""
    c = Bytes(path, content, "<")
    c.take(2, "the mark IM")
    comment, across, down, _, _, depth = (c.get("h", "the head") for _ in range(6))
    size = {0: 1, 2: 2, 3: 4}.get(depth)
    if size is None or min(comment, across, down) < 1:
        raise c.refuse(2, "an image of 8, 16 or 32 bits", f"{across} × {down}, kind {depth}")
    if 64 + comment + across * down * size > len(content):
        raise c.refuse(
            64 + comment, f"{across} × {down} pixels of {size} bytes", f"{len(content)} bytes"
        )
    (image,) = contract.rosettasciio("hamamatsu").file_reader(str(path))
    axes = {axis["name"]: axis for axis in image["axes"]}
    for name, what in (("Time", "calibrated delays"), ("Wavelength", "calibrated wavelengths")):
        if "axis" not in axes.get(name, {}):
            raise FormatError(
                path,
                place="Scaling",
                expected=what,
                found="numbers of pixels",
                advice="an image in focus mode has no delays; save one in operate mode with its "
                "calibration",
            )
    time, wave = axes["Time"], axes["Wavelength"]
    unit = asked["delay"] or str(time["units"])
    if unit not in TIME_UNITS_PS:
        raise FormatError(
            path, place="Scaling", expected=", ".join(TIME_UNITS_PS), found=repr(unit),
            advice="say delay_unit in the sample sheet",
        )  # fmt: skip
    asked = {
        "delay": unit,
        "spectral": asked["spectral"] or str(wave["units"]),
        "signal": asked["signal"] or "counts",
    }
    said = image["original_metadata"].get("Comment", {}).get("Acquisition", {})
    metadata = {str(k): str(v) for k, v in said.items()} if isinstance(said, dict) else {}
    delay, nm = (np.asarray(axis["axis"], float) for axis in (time, wave))
    signal = np.asarray(image["data"], float)
    return _finish(path, "Hamamatsu img", delay, nm, signal, asked, Texts(metadata=metadata))


# ---- glotaran ------------------------------------------------------------------------------------


def _read_explicit(sheet: Sheet, asked: dict) -> TransientMap:
    """Glotaran and TIM: a count, that many values of one axis, then rows of the other with the
    signals.

    Axis and rows may go on over several lines.
    """
    kind, count, at = None, None, None
    for i in sheet.content[:60]:
        if match := re.match(r"\s*(time|wavelength)\s+explicit", sheet.lines[i], re.IGNORECASE):
            kind = match[1].lower()
        if match := re.match(r"\s*intervalnr\D{0,40}(\d{1,7})\b", sheet.lines[i], re.IGNORECASE):
            count, at = int(match[1]), i + 1
            break
    if kind is None or not count:
        raise sheet.refuse(
            0, "the lines 'Time explicit' or 'Wavelength explicit' and 'Intervalnr <n>'"
        )
    first = next((sheet.lines[i] for i in sheet.content if i >= at), "")
    if sheet.delimiter == "\t" and "\t" not in first and len(first.split()) > 1:
        # the axis by blanks, the rows by tabs
        sheet = Sheet(sheet.path, sheet.lines, None, sheet.decimal, sheet.part)
    sheet.claim(range(at), "head")
    rows, row = [], []
    start = at
    for i in (i for i in sheet.content if i >= at):
        if sheet.is_comment(i):
            continue
        start = i if not row else start
        corner = int(not rows and not row and not sheet.row(i)[0][0])
        row += sheet.numbers(i, missing=bool(rows), skip=corner)
        size = count + bool(rows)
        if len(row) > size:
            break
        if len(row) == size:
            if np.isnan(row[0]):
                raise sheet.refuse(start, "a value of the axis", "a missing one", column=0)
            rows.append(row)
            row = []
    if row or len(rows) < 2:
        what = f"{count + 1} numbers (axis value and {count} signals)"
        what = what if rows else f"{count} values of the {kind} axis"
        raise sheet.refuse(start, what, f"{len(row)}", "mend or remove the row")
    explicit, grid = np.array(rows[0]), np.array(rows[1:])
    other, data = grid[:, 0], grid[:, 1:]
    account = sheet.settle()
    head = [line for line in sheet.lines[:at] if line.strip()]
    delay, wavelength, signal = (
        (explicit, other, data.T) if kind == "time" else (other, explicit, data)
    )
    texts = Texts("", key_values(head), head, " ".join(head[:3]))
    return _finish(
        sheet.path, f"glotaran, {kind} explicit", delay, wavelength, signal, asked, texts, account
    )


# ---- text with both axes -------------------------------------------------------------------------


def _read_matrix(sheet: Sheet, orientation: str | None, asked: dict) -> TransientMap:
    marks = [i for i in sheet.content if "***end_of_header***" in sheet.lines[i].lower()]
    start = marks[-1] + 1 if marks else 0
    sheet.claim(range(start), "key")
    rows, width = _rows(sheet, [i for i in sheet.content if i >= start])
    body = [i for i in sheet.content if rows[0] < i <= rows[-1]]
    body = [i for i in body if not sheet.is_comment(i)]
    # LabVIEW leaves a column of times empty before the data.
    skip = int(bool(marks) and not any(sheet.row(i)[0][0] for i in body))
    corner, across = _axis_row(sheet, rows[0], width - skip)
    grid = np.array([sheet.numbers(i, width - skip, missing=True, skip=skip) for i in body])
    down, data = grid[:, 0], grid[:, 1:]
    for what, axis in (("first row", across), ("first column", down)):
        if not np.all(np.isfinite(axis)):
            at = rows[0] if axis is across else body[int(np.argmin(np.isfinite(axis)))]
            raise FormatError(
                sheet.path,
                place=f"line {at + 1}, {what}",
                expected="a value of the axis",
                found="a missing one",
                advice="fill it, or take its row or column out",
            )
    if not any(np.all(np.diff(turned) >= 0) for a in (down, across) for turned in (a, -a)):
        raise FormatError(
            sheet.path,
            place="axes",
            expected="delays and wavelengths along the first row and column",
            found="numbers that rise and fall along both",
            advice="put the axes into the file, or beside it as delays.txt and wavelengths.txt "
            "(with its ending)",
        )
    account = sheet.settle(width)
    lines = [sheet.lines[i] for i in sheet.content if sheet.claims[i] != "data"]
    header = [sheet.lines[i] for i in sheet.content if i < rows[0]]
    words = " ".join([*header[-6:], corner])
    down_is_delay = _delays_down(sheet.path, down, across, words, corner, orientation)
    delay, wavelength, signal = (down, across, data) if down_is_delay else (across, down, data.T)
    name = "text matrix"
    if marks or sheet.lines[0].lower().startswith("labview measurement"):
        name = "LabVIEW lvm"
    elif rows[-1] < sheet.content[-1] and not down_is_delay and sheet.delimiter == ",":
        name = "Surface Xplorer csv"
    elif sheet.path.suffix.lower() == ".sia":
        name = "SIA"
    texts = Texts(corner, key_values(lines), lines, words)
    return _finish(sheet.path, name, delay, wavelength, signal, asked, texts, account)


def _rows(sheet: Sheet, content: list[int]) -> tuple[list[int], int]:
    """Lines of the matrix and its width: that of most lines which are made of numbers."""

    def size(i: int) -> int:
        cells, values = sheet.row(i)
        n = len(cells)
        while n > 1 and not cells[n - 1]:
            n -= 1
        numbers = sum(
            v is not None or cell.lower() in MISSING
            for cell, v in zip(cells[1:n], values[1:n], strict=True)
        )
        return n if n > 2 and numbers >= 0.5 * (n - 1) else 0

    sizes = {i: n for i in content if (n := size(i))}
    if len(sizes) < 4:
        raise FormatError(
            sheet.path,
            expected="a matrix of numbers with delays and wavelengths as first row and column",
            found=f"{len(sizes)} rows in {len(sheet.lines)} lines",
            advice="export the matrix with both axes",
        )
    counts = Counter(sizes.values())
    width = max(counts, key=lambda n: counts[n] * min(n, 50))
    rows = [i for i, n in sizes.items() if n == width]
    before = [i for i in sizes if i < rows[0]]
    # The axis may have a cell less (no corner) or more (several words in it).
    if before and sum(v is not None for v in sheet.row(before[-1])[1]) == width - 1:
        rows.insert(0, before[-1])
    for i in sizes:
        if not rows[0] <= i <= rows[-1]:
            expected = f"{width} cells as in most rows, or text"
            raise sheet.refuse(i, expected, f"{sizes[i]}: {sheet.lines[i].strip()[:50]!r}")
    return rows, width


def _axis_row(sheet: Sheet, i: int, width: int) -> tuple[str, np.ndarray]:
    """Words in the corner, and the axis along the first row."""
    cells, values = sheet.row(i)
    below = next(k for k in sheet.content if k > i)
    # A delimiter at the end is a habit where the rows below have one too, and else an empty cell.
    least = width - 1 if len(sheet.row(below)[0]) > width else width
    while len(cells) > least and not cells[-1]:
        cells, values = cells[:-1], values[:-1]
    lead = max(len(cells) - width + 1, 0)
    axis = values[lead:]
    if len(axis) != width - 1 or None in axis:
        j = lead + axis.index(None) if None in axis else 0
        found = repr(cells[j]) if None in axis else f"{len(axis)} numbers"
        raise sheet.refuse(i, f"an axis of {width - 1} numbers", found, "mend the cell", j)
    sheet.claims[i] = "data"
    corner = " ".join(c for c, v in zip(cells[:lead], values[:lead], strict=True) if v is None)
    return corner, np.array(axis)


def _read_folder(folder: Path, orientation: str | None, asked: dict) -> TransientMap:
    """A matrix without axes and the two axes beside it."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and may_be_data(p.name))
    if len(files) != 3:
        expected = "a matrix and its two axes, a file each"
        names = ", ".join(sorted(p.name for p in folder.iterdir())) or "an empty folder"
        raise FormatError(folder, expected=expected, found=names)
    return _with_axes(folder, files, orientation, asked)


def _axes_beside(path: Path) -> list[Path]:
    """The two files in the folder of a file that are named after axes."""
    named: dict[str, list[Path]] = {"delay": [], "wave": []}
    names = os.listdir(path.parent)
    words = "\n".join(names).replace("_", " ")
    if not (_DELAY_WORD.search(words) and _WAVE_WORD.search(words)):
        return []  # at once: every file of a folder asks
    for file in map(path.with_name, names):
        words = file.stem.replace("_", " ")
        kinds = {"delay": _DELAY_WORD.search(words), "wave": _WAVE_WORD.search(words)}
        if file.suffix.lower() == path.suffix.lower() and sum(map(bool, kinds.values())) == 1:
            named["delay" if kinds["delay"] else "wave"].append(file)
    alone = all(len(files) == 1 for files in named.values())
    return [file for files in named.values() for file in files] if alone else []


def is_axis(path: Path) -> bool:
    """Whether a file is an axis of the matrices in its folder, by its name and its numbers.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    try:
        return path in _axes_beside(path) and 1 in _array(path)[0].shape
    except FormatError:
        return False


def _array(file: Path) -> tuple[np.ndarray, list[str], Account]:
    """The numbers of a file without axes, and the lines that are none."""
    sheet = Sheet.read(file, what="a matrix or an axis")
    named = {i for i in sheet.content if None not in sheet.row(i)[1] or i > sheet.content[0]}
    named = sorted(i for i in named if not sheet.is_comment(i))
    rows = [sheet.numbers(i, missing=True) for i in named]
    if len(rows) == 1 or max(map(len, rows), default=0) == 1:
        rows = [sheet.numbers(i) for i in named]  # an axis has no gaps
    if len(rows) > 2 and [*rows[0]] == [len(rows) - 1] and len(rows[1]) > 1:
        named, rows = named[1:], rows[1:]  # LabVIEW writes how many rows follow
    ragged = next((r for r in rows if len(r) != len(rows[0])), None)
    if ragged:
        raise sheet.refuse(named[rows.index(ragged)], f"{len(rows[0])} numbers", f"{len(ragged)}")
    account = sheet.settle()
    lines = [sheet.lines[i] for i in sheet.content if sheet.claims[i] != "data"]
    return np.array(rows), lines, account


def _with_axes(place: Path, files, orientation: str | None, asked: dict) -> TransientMap:
    """A matrix without axes and its two axes: told from their lengths."""
    made = {file: _array(file) for file in files}
    arrays = {file: array for file, (array, _, _) in made.items()}
    lines = [line for _, found, _ in made.values() for line in found]
    axes = {f: a.ravel() for f, a in arrays.items() if 1 in a.shape}
    matrix = next((f for f in files if f not in axes), None)
    fitting = [
        (d, a)
        for d in axes
        for a in axes
        if matrix and d != a and (axes[d].size, axes[a].size) == arrays[matrix].shape
    ]
    if len(axes) != 2 or not fitting:
        sizes = ", ".join(f"{f.name} {a.shape[0]} × {a.shape[1]}" for f, a in arrays.items())
        expected = "a matrix and axes as long as its rows and columns"
        raise FormatError(place, expected=expected, found=sizes)
    if len(fitting) > 1:
        raise FormatError(
            place,
            expected="as many delays as rows and another number of wavelengths",
            found=f"a square matrix of {len(axes[fitting[0][0]])}",
            advice="put the axes into one file with the matrix",
        )
    down, across = fitting[0]
    corner = f"{down.stem} {across.stem}".replace("_", " ")
    delays = _delays_down(place, axes[down], axes[across], "", corner, orientation)
    data = arrays[matrix] if delays else arrays[matrix].T
    delay, wavelength = (down, across) if delays else (across, down)
    texts = Texts(corner, key_values(lines), lines, f"{corner} {' '.join(lines)}")
    spectral = asked["spectral"] or _word(_SPECTRAL_UNIT, texts.spectral) or "nm"
    _nanometres(wavelength, axes[wavelength], spectral)  # so that the error names the file
    account = made[matrix][2]
    return _finish(
        place, "matrix and axes", axes[delay], axes[wavelength], data, asked, texts, account
    )


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
            found=f"{down[0]:g} … {down[-1]:g} down, {across[0]:g} … {across[-1]:g} across: "
            "either could be both",
            advice="say the orientation, 'delays down' or 'delays across' (as a column of the "
            "sample sheet)",
        )
    return score > 0


def _delay_likeness(axis) -> float:
    """How much an axis looks like delays: negative or tiny values, unequal steps over decades;
    wavelengths are positive with a small ratio.
    """
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


# ---- numpy ---------------------------------------------------------------------------------------


def _npz_axis(path, arrays: dict, what: str, pattern: str) -> str:
    """Name of the one axis of a kind."""
    axes = (n for n, a in arrays.items() if a.ndim == 1 and a.dtype.kind in "fiu")
    found = [name for name in axes if re.search(pattern, name, re.IGNORECASE)]
    if len(found) != 1:
        raise FormatError(
            path,
            expected=f"one entry of {what}",
            found=", ".join(found or arrays) or "an empty archive",
            advice="name them delay_ps, wavelength_nm and signal",
        )
    return found[0]


def _npz_matrix(path, arrays: dict, shape: tuple[int, int], key: str | None) -> str:
    """Name of the one matrix that fits the axes, or of the one asked for."""
    fits = [
        name
        for name, a in arrays.items()
        if a.ndim in (2, 3)
        and a.dtype.kind in "fiu"
        and sorted(a.shape[-2:]) == sorted(shape)
        and key in (None, name)
    ]
    if len(fits) != 1:
        others = ", ".join(f"{k} {a.shape}" for k, a in arrays.items())
        raise FormatError(
            path,
            place=f"entry {key!r}" if key else "",
            expected=f"one matrix of {shape[0]} delays × {shape[1]} wavelengths",
            found=", ".join(fits) or f"none that fits: {others}",
            advice="hand over key='<name>'" if fits else "",
        )
    return fits[0]


def _read_npz(path, key, asked) -> TransientMap:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # heads that Python 2 wrote
        arrays = contract.arrays(path)
    w = _npz_axis(path, arrays, "wavelengths", r"^(wl|wls|wn)$|wave|lambda|lam$|nm$|energy")
    t = _npz_axis(path, arrays, "delays", r"^(t|ts|x)$|time|delay|_ps$|_fs$")
    shape = arrays[t].size, arrays[w].size
    name = _npz_matrix(path, arrays, shape, key)
    data = arrays[name].astype(float)
    if data.shape[-2:] != shape:
        data = np.swapaxes(data, -1, -2)
    scans = data if data.ndim == 3 else None
    if scans is not None:
        with warnings.catch_warnings():  # a cell without a value in every scan stays NaN
            warnings.simplefilter("ignore", RuntimeWarning)
            data = np.nanmean(data, axis=0)
    wavenumbers = w.lower().endswith(("cm", "cm-1", "_cm1", "wn"))
    said = {
        "delay": next((u for u in TIME_UNITS_PS if t.lower().endswith("_" + u)), ""),
        "spectral": "cm-1" if wavenumbers else "eV" if w.lower().endswith("ev") else "nm",
        "signal": _word(_SIGNAL_UNIT, name.replace("_", " ")),
    }
    asked = {what: asked[what] or unit for what, unit in said.items()}
    texts = Texts(
        metadata={n: str(a) for n, a in arrays.items() if a.dtype.kind == "U" and not a.ndim}
    )
    delay, wavelength = arrays[t].astype(float), arrays[w].astype(float)
    return _finish(path, "npz", delay, wavelength, data, asked, texts, scans=scans)


def _only_sheet(path: Path) -> Sheet:
    """The one sheet of a workbook that is not empty."""
    filled = [(name, lines) for name, lines in read_workbook(path) if any(map(str.strip, lines))]
    if len(filled) != 1:
        names = ", ".join(repr(name) for name, _ in filled) or "none"
        raise FormatError(path, expected="one sheet with a matrix", found=names)
    return Sheet(path, filled[0][1], "\t", ".")


# ---- common --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Texts:
    """Where units may be said: corner of a matrix, keys, all lines that are no data, words beside
    the axes.
    """

    corner: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()
    spectral: str = ""


def _finish(
    path, form, delay, wavelength, signal, asked: dict, texts: Texts, account=None, scans=None
) -> TransientMap:
    """Axes in ps and nm, the signal in OD, and what neither file nor caller said."""
    if not np.isfinite(signal).any():
        raise FormatError(path, place="matrix", expected="numbers", found="no finite value")
    time_unit = asked["delay"] or _delay_unit(path, texts)
    signal_unit = asked["signal"] or _signal_unit(path, texts)
    spectral_unit = asked["spectral"] or _word(_SPECTRAL_UNIT, texts.spectral) or "nm"
    asks = [name for name, u in (("delay_unit", time_unit), ("signal_unit", signal_unit)) if not u]
    factor = SIGNAL_UNITS_OD.get(signal_unit, 1.0)
    return TransientMap(
        Path(path),
        form,
        delay * TIME_UNITS_PS[time_unit or "ps"],
        _nanometres(path, wavelength, spectral_unit),
        np.ascontiguousarray(signal * factor, float),
        signal_unit,
        time_unit or "ps",
        spectral_unit,
        texts.metadata,
        None if scans is None else scans * factor,
        tuple(asks),
        account or Account(),
    )


def _nanometres(path, wavelength: np.ndarray, unit: str) -> np.ndarray:
    key = unit.strip().lower().replace("^", "").replace("⁻¹", "-1").replace("1/cm", "cm-1")
    if key in ("cm-1", "wavenumber", "wavenumbers", "ev") and np.any(wavelength == 0):
        nm = np.zeros(1)
    elif key in ("nm", ""):
        nm = wavelength
    elif key in ("um", "µm", "μm"):
        nm = wavelength * 1e3
    elif key in ("cm-1", "wavenumber", "wavenumbers"):
        nm = 1e7 / wavelength
    elif key == "ev":
        nm = HC_EV_NM / wavelength
    else:
        raise FormatError(
            path,
            place="wavelengths",
            expected="the unit nm, um, cm-1 or eV",
            found=repr(unit),
            advice="hand over spectral_unit='nm'",
        )
    if np.any(nm <= 0):
        raise FormatError(
            path,
            place="wavelengths",
            expected="positive numbers",
            found=f"{wavelength.min():g} … {wavelength.max():g}",
            advice="delays and wavelengths may be exchanged: say the orientation, 'delays down' or "
            "'delays across' (as a column of the sample sheet)",
        )
    if nm.min() < 100 or nm.max() > 40000:
        raise FormatError(
            path,
            place="wavelengths",
            expected="100 to 40000 nm",
            found=f"{nm.min():g} … {nm.max():g} nm",
            advice="name the unit of the axis in its head (eV, cm-1), or as spectral_unit in the "
            "sample sheet; numbers of pixels are no wavelengths",
        )
    return nm


_TIME_UNIT = re.compile(r"(?<![A-Za-z])(fs|ps|ns|us|µs|μs|ms|s(?=[)\]]))(?![A-Za-z])")
_SPECTRAL_UNIT = re.compile(r"(?<![A-Za-z])(nm|um|µm|cm\^?-1|1/cm|eV)(?![A-Za-z])")
_SIGNAL_UNIT = re.compile(r"(?<![A-Za-z])([mµμu]?OD)(?![A-Za-z])")


def _word(pattern: re.Pattern, text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _delay_unit(path, texts: Texts) -> str:
    """From the corner, then from keys and lines that speak of delays, then from a row of bare
    units.
    """
    said = [
        f"{k} {v}" for k, v in texts.metadata.items() if re.search("time|delay", k, re.IGNORECASE)
    ]
    spoken = [line for line in texts.lines if _DELAY_WORD.search(line)]
    bare = [
        line
        for line in texts.lines
        if all(map(is_unit, re.split(r"[,;\s\\/|]+", line.strip("#% "))))
    ]
    found = (_word(_TIME_UNIT, text) for text in (texts.corner, *said, *spoken, *bare))
    return next(filter(None, found), "")


def _signal_unit(path, texts: Texts) -> str:
    """The one unit that heads, keys or remarks on the signal name."""
    spoken = [
        text
        for text in (texts.corner, *texts.lines)
        if _SIGNAL_WORD.search(text)
        or all(map(is_unit, re.split(r"[,;\s\\/|]+", text.strip("#% "))))
    ]
    found = {unit for text in spoken for unit in _SIGNAL_UNIT.findall(text)}
    if len(found) > 1:
        raise FormatError(
            path,
            place="heads",
            expected="one unit of the signal",
            found=" and ".join(sorted(found)),
            advice="say which in the column signal_unit of the sample sheet",
        )
    return found.pop() if found else ""
