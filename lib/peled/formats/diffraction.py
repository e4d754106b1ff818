"""Powder diffraction patterns: plain text, PANalytical `.xrdml`, Bruker `.raw` (versions 1 to 4) and `.brml`, Rigaku `.ras`.

`read_patterns` returns every range or column of a file, `read_pattern` the one wanted. Intensities stay as the file has
them (counts, or counts a second); where counts can be told, `sigma` is their Poisson error in the same unit.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import archive, reader
from peled.formats.delimited import Account, parse_number, read_table, stated

_WHAT = "a powder diffraction pattern"
_ADVICE = "export it as two columns of text (2theta in degrees, intensity)"


@dataclass(frozen=True)
class Pattern:
    """One powder pattern.

    Attributes
    ----------
    path : Path
    label : str
        Name of the sample, column or range, possibly empty.
    two_theta_deg : (n,) float array, increasing
    intensity : (n,) float array
    unit : str
        `counts`, `counts/s` or `arb. unit`.
    sigma : (n,) float array or None
        Poisson error of the intensity where counts are known.
    wavelengths_A : tuple of float
        K alpha 1 and, where recorded, K alpha 2, in ångström; empty where the file does not say.
    metadata : dict
    """

    path: Path
    label: str
    two_theta_deg: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    unit: str
    sigma: np.ndarray | None = field(repr=False, default=None)
    wavelengths_A: tuple[float, ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)


@reader(_WHAT)
def read_patterns(path: str | os.PathLike) -> tuple[Pattern, ...]:
    """All patterns of a file.

    Raises
    ------
    FormatError
        For a file that is missing, truncated, of another technique, or whose 2theta does not increase.
    """
    path = Path(path)
    content = read_bytes(path, what=_WHAT)
    if content[:2] == b"PK":
        found = _read_brml(path)
    elif content[:3] == b"RAW":
        found = _read_bruker_raw(path, content)
    elif b"<xrdMeasurement" in content[:4000]:
        found = _read_xrdml(path, content)
    elif b"*RAS_" in content[:2000]:
        found = _read_ras(path)
    else:
        found = _read_columns(path)
    return tuple(_checked(pattern) for pattern in found)


@reader(_WHAT)
def read_pattern(path: str | os.PathLike, label: str | None = None) -> Pattern:
    """The one pattern of a file, or the one whose label contains `label` (case ignored).

    Raises
    ------
    FormatError
        As `read_patterns`, and when no or several patterns are meant.
    """
    patterns = read_patterns(path)
    if label is not None:
        patterns = tuple(p for p in patterns if p.label.lower() == label.lower()) or tuple(
            p for p in patterns if label.lower() in p.label.lower()
        )
    if len(patterns) != 1:
        labels = ", ".join(repr(p.label) for p in patterns) or "none"
        raise FormatError(
            path,
            expected="one pattern" + (f" labelled {label!r}" if label else ""),
            found=f"{len(patterns)}: {labels}",
            advice="give its label",
        )
    return patterns[0]


def write_xy(path: str | os.PathLike, two_theta_deg, intensity, *, comment: str = "") -> None:
    """Write a pattern as `.xy` text: one comment line, two columns."""
    from peled import files

    rows = "\n".join(f"{x:.4f} {y:.6g}" for x, y in zip(two_theta_deg, intensity, strict=True))
    files.write_atomically(path, (f"# {comment}\n" if comment else "") + rows + "\n")


def _checked(pattern: Pattern) -> Pattern:
    x, y = pattern.two_theta_deg, pattern.intensity
    if len(x) < 10:
        raise FormatError(
            pattern.path,
            expected="a pattern of at least 10 points",
            found=f"{len(x)}",
            advice=_ADVICE,
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        bad = int(np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))[0])
        raise FormatError(
            pattern.path,
            place=f"point {bad + 1}",
            expected="finite 2theta and intensity",
            found=f"{x[bad]}, {y[bad]}",
        )
    if (np.diff(x) <= 0).any():
        bad = int(np.flatnonzero(np.diff(x) <= 0)[0])
        raise FormatError(
            pattern.path,
            place=f"point {bad + 2}",
            expected=f"2theta above {x[bad]:.5g} degrees",
            found=f"{x[bad + 1]:.5g}",
            advice="sort the rows, or split the scans into files",
        )
    if x[0] < -10 or x[-1] > 180:
        raise FormatError(
            pattern.path,
            expected="2theta in degrees, -10 to 180",
            found=f"{x[0]:.5g} to {x[-1]:.5g}",
            advice=_ADVICE,
        )
    return pattern


def _sigma(counts: np.ndarray, factor=1.0) -> np.ndarray | None:
    """Poisson error of counts times a factor, None where the numbers cannot be counts."""
    if (counts < 0).any() or counts.max() < 5 or np.abs(counts - np.round(counts)).max() > 1e-3:
        return None
    return np.sqrt(np.maximum(counts, 1)) * factor


def _read_columns(path: Path) -> list[Pattern]:
    table = read_table(path)
    if len(table.numeric) < 2 or not table.columns[0].numeric:
        raise FormatError(
            path,
            expected="columns of numbers: 2theta, then one or more intensities",
            found=f"{len(table.columns)} columns",
            place=f"line {table.first_line}",
            advice=_ADVICE,
        )
    axis, *columns = table.numeric
    table.refuse_second_axis([j for j, c in enumerate(table.columns) if c.numeric][1:])
    again = [c.head for c in columns if re.search(r"2.?th|angle", c.head, re.IGNORECASE)]
    if again:
        raise FormatError(
            path,
            place="column heads",
            expected="one axis of 2theta",
            found=f"a second one, {again[0]!r}",
            advice="export the patterns one by one",
        )
    # A third column of an .xye file is the error of the second.
    errors = None
    if len(columns) == 2 and (
        path.suffix.lower() == ".xye"
        or re.search(r"err|sigma|esd|std|^s\.?e", columns[1].name, re.IGNORECASE)
    ):
        errors = columns.pop().values
    said = stated(path, table.metadata, r"wave ?length|lambda|λ|alpha ?1", positive=True)
    factor = 10.0 if said and re.match(r"nm", said[1]) else 1.0
    if said and not 0.1 < factor * said[0] < 3:
        raise FormatError(
            path,
            place="header",
            expected="a wavelength of 0.1 to 3 Å",
            found=f"{said[0]:g} {said[1]}",
            advice="correct the line or take it out",
        )
    return [
        Pattern(
            path,
            c.name,
            axis.values,
            c.values,
            "counts" if _sigma(c.values) is not None else c.unit or "arb. unit",
            errors if errors is not None else _sigma(c.values),
            (factor * said[0],) if said else (),
            table.metadata,
            account=table.account,
        )
        for c in columns
    ]


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _parse_xml(path: Path, content: bytes, what: str):
    if b"<!ENTITY" in content:
        raise FormatError(
            path,
            expected=what,
            found="XML entities, which are not expanded here",
            advice="export it again",
        )
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise FormatError(
            path,
            place=f"line {error.position[0]}",
            expected=what,
            found=str(error),
            advice="the file is damaged or cut; export it again",
        ) from None


def _numbers(path: Path, text: str | None, place: str) -> np.ndarray:
    try:
        return np.array((text or "").split(), dtype=float)
    except ValueError as error:
        raise FormatError(path, place=place, expected="numbers", found=str(error)) from None


def _read_xrdml(path: Path, content: bytes) -> list[Pattern]:
    root = _parse_xml(path, content, "an xrdML measurement")
    waves = {
        _local(e.tag): float(e.text)
        for e in root.iter()
        if _local(e.tag) in ("kAlpha1", "kAlpha2") and e.text
    }
    sample = next((e.text or "" for e in root.iter() if _local(e.tag) == "id" and e.text), "")
    found = []
    for scan in (e for e in root.iter() if _local(e.tag) == "scan"):
        points = next((e for e in scan.iter() if _local(e.tag) == "dataPoints"), None)
        if points is None:
            continue
        values = {_local(e.tag): e for e in points}
        data = values["counts"] if "counts" in values else values.get("intensities")
        axis = next(
            (e for e in points if _local(e.tag) == "positions" and e.get("axis") == "2Theta"), None
        )
        if data is None or axis is None:
            raise FormatError(
                path,
                place=f"scan {len(found) + 1}",
                expected="a 2Theta axis and counts or intensities",
                found=", ".join(values) or "nothing",
            )
        y = _numbers(path, data.text, "counts")
        inside = {_local(e.tag): e.text for e in axis}
        if "listPositions" in inside:
            x = _numbers(path, inside["listPositions"], "listPositions")
        elif {"startPosition", "endPosition"} <= set(inside):
            x = np.linspace(float(inside["startPosition"]), float(inside["endPosition"]), len(y))
        else:
            raise FormatError(
                path,
                place=f"scan {len(found) + 1}",
                expected="start and end, or a list, of 2Theta positions",
                found=", ".join(inside),
            )
        if len(x) != len(y):
            raise FormatError(
                path,
                place=f"scan {len(found) + 1}",
                expected=f"{len(x)} intensities",
                found=f"{len(y)}",
                advice="the file is cut; export it again",
            )
        unit = data.get("unit", "counts")
        seconds = (
            _numbers(path, values["commonCountingTime"].text, "commonCountingTime")[0]
            if "commonCountingTime" in values
            else 1.0
        )
        if "beamAttenuationFactors" in values and _local(data.tag) == "counts":
            factors = _numbers(
                path, values["beamAttenuationFactors"].text, "beamAttenuationFactors"
            )
            found.append(
                Pattern(
                    path,
                    sample,
                    x,
                    y * factors,
                    "counts",
                    _sigma(y, factors),
                    tuple(waves.values()),
                    {"counting time, s": seconds},
                )
            )
        else:
            scale = 1.0 if unit == "counts" else 1 / seconds
            found.append(
                Pattern(
                    path,
                    sample,
                    x,
                    y,
                    "counts" if unit == "counts" else "counts/s",
                    _sigma(y / scale, scale),
                    tuple(waves.values()),
                    {"counting time, s": seconds},
                )
            )
    if not found:
        raise FormatError(path, expected="a scan with data points", found="none")
    return found


def _read_ras(path: Path) -> list[Pattern]:
    lines = read_text(path, what="a Rigaku .ras file").split("\n")
    header: dict[str, str] = {}
    found, rows, first = [], None, 0
    for number, line in enumerate(lines, 1):
        if line.startswith("*RAS_HEADER_START"):
            header = {}
        elif line.startswith("*RAS_INT_START"):
            rows, first = [], number
        elif line.startswith("*RAS_INT_END"):
            if not rows:
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected="rows of 2theta and intensity",
                    found="none",
                )
            found.append(_ras_pattern(path, np.array(rows), header))
            rows = None
        elif rows is not None:
            cells = line.split()
            values = [parse_number(cell) for cell in cells]
            if len(values) < 2 or None in values:
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected="2theta, intensity, attenuator",
                    found=repr(line.strip()[:40]),
                )
            rows.append([values[0], values[1], values[2] if len(values) > 2 else 1.0])
        elif match := re.match(r'\*(\S+)\s+"(.*)"\s*$', line):
            header[match[1]] = match[2]
    if rows is not None:
        raise FormatError(
            path,
            place=f"line {len(lines)}",
            expected=f"*RAS_INT_END after line {first}",
            found="the end of the file",
            advice="the file is cut; export it again",
        )
    if not found:
        raise FormatError(path, expected="*RAS_INT_START and rows of numbers", found="none")
    return found


def _ras_pattern(path: Path, rows: np.ndarray, header: dict[str, str]) -> Pattern:
    waves = tuple(
        float(header[key])
        for key in ("HW_XG_WAVE_LENGTH_ALPHA1", "HW_XG_WAVE_LENGTH_ALPHA2")
        if parse_number(header.get(key, ""))
    )
    x, y, factor = rows.T
    counts = header.get("MEAS_SCAN_UNIT_Y", "counts").lower().startswith("count")
    return Pattern(
        path,
        header.get("FILE_SAMPLE", ""),
        x,
        y * factor,
        "counts" if counts else "counts/s",
        _sigma(y, factor) if counts else None,
        waves,
        header,
    )


def _read_brml(path: Path) -> list[Pattern]:
    """A Bruker `.brml`: a zip archive with one `RawData*.xml` a range, its points in `Datum` elements."""
    with archive(path, "a Bruker .brml archive") as members:
        names = sorted(n for n in members.names if re.search(r"RawData\d*\.xml$", n))
        contents = [(name, members.read(name)) for name in names]
    if not contents:
        raise FormatError(path, expected="RawData0.xml in the archive", found="no raw data")
    found = []
    for name, content in contents:
        root = _parse_xml(path, content, f"Bruker raw data in {name}")
        waves = []
        for tag in ("WaveLengthAlpha1", "WaveLengthAlpha2"):
            value = next(
                (e.get("Value") or e.text for e in root.iter() if _local(e.tag) == tag), None
            )
            if value and parse_number(value):
                waves.append(float(value))
        rows = [e.text for e in root.iter() if _local(e.tag) == "Datum" and e.text]
        if not rows:
            raise FormatError(
                path, place=name, expected="Datum elements", found="none", advice=_ADVICE
            )
        cells = [[parse_number(cell) for cell in row.split(",")] for row in rows]
        if len({len(row) for row in cells}) != 1 or any(v is None for row in cells for v in row):
            raise FormatError(
                path,
                place=name,
                expected="rows of equal numbers of cells",
                found="others",
                advice=_ADVICE,
            )
        found.append(_brml_pattern(path, name, root, np.array(cells, dtype=float), tuple(waves)))
    return found


def _brml_pattern(
    path: Path, name: str, root, cells: np.ndarray, waves: tuple[float, ...]
) -> Pattern:
    """Columns of a Datum row: seconds, flag, then the axes in the order of the scan information, last the counts."""
    axes = []
    for scan in (e for e in root.iter() if _local(e.tag) == "ScanAxes"):
        axes = [
            (a.get("AxisId") or a.get("AxisName") or "").lower().replace(" ", "")
            for a in scan
            if _local(a.tag) == "ScanAxisInfo"
        ]
        break
    column = 2 + next(
        (i for i, axis in enumerate(axes) if "twotheta" in axis or "2theta" in axis), 0
    )
    y = cells[:, -1]
    if cells.shape[1] >= 4 and column < cells.shape[1] - 1:
        x = cells[:, column]
    elif len(cells) == 1:  # a position-sensitive detector: one Datum with all channels
        info = {
            _local(e.tag): e.text
            for e in root.iter()
            if _local(e.tag) in ("Start", "Stop", "Increment")
        }
        y = cells[0, 3:]
        if not {"Start", "Stop"} <= set(info):
            raise FormatError(
                path,
                place=name,
                expected="start and stop of the axis",
                found=", ".join(info),
                advice=_ADVICE,
            )
        x = np.linspace(float(info["Start"]), float(info["Stop"]), len(y))
    else:
        raise FormatError(
            path,
            place=name,
            expected="a column with 2theta",
            found=f"{cells.shape[1]} columns, axes {', '.join(axes) or 'unnamed'}",
            advice=_ADVICE,
        )
    return Pattern(path, "", x, y, "counts", _sigma(y), waves, {"axes": axes})


class _Cursor:
    """Little-endian reading with a byte count, refusing to run over the end."""

    def __init__(self, path: Path, content: bytes, at: int = 0):
        self.path, self.content, self.at = path, content, at

    def get(self, code: str, at: int | None = None):
        at = self.at if at is None else at
        size = struct.calcsize("<" + code)
        if at < 0 or at + size > len(self.content):
            raise FormatError(
                self.path,
                place=f"byte {at}",
                expected=f"{size} bytes of a Bruker .raw file",
                found=f"the end of the file at {len(self.content)}",
                advice="the file is cut; copy it again",
            )
        values = struct.unpack_from("<" + code, self.content, at)
        self.at = at + size
        return values[0] if len(values) == 1 else values

    def floats(self, n: int, at: int) -> np.ndarray:
        if n <= 0 or n > 10_000_000 or at + 4 * n > len(self.content):
            raise FormatError(
                self.path,
                place=f"byte {at}",
                expected=f"{n} intensities",
                found=f"{max(len(self.content) - at, 0) // 4}",
                advice="the file is cut; copy it again",
            )
        self.at = at + 4 * n
        return np.frombuffer(self.content, "<f4", n, at).astype(float)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin-1").strip()


def _read_bruker_raw(path: Path, content: bytes) -> list[Pattern]:
    """Layouts after the DIFFRAC-AT and DIFFRAC plus manuals (appendix on raw files), as also documented by xylib."""
    cursor = _Cursor(path, content)
    if content[:4] == b"RAW ":
        return _raw1(cursor)
    if content[:4] == b"RAW2":
        return _raw2(cursor)
    if content[:7] == b"RAW1.01":
        return _raw3(cursor)
    if content[:7] == b"RAW4.00":
        return _raw4(cursor)
    raise FormatError(
        path,
        place="byte 0",
        expected="RAW , RAW2, RAW1.01 or RAW4.00",
        found=repr(content[:8]),
        advice=_ADVICE,
    )


def _range(
    cursor: _Cursor, label: str, start: float, step: float, y: np.ndarray, seconds: float, waves
) -> Pattern:
    if not (step > 0 and np.isfinite(start)):
        raise FormatError(
            cursor.path, place="range header", expected="a positive step of 2theta", found=f"{step}"
        )
    waves = tuple(float(w) for w in waves if 0.1 < w < 5)
    return Pattern(
        cursor.path,
        label,
        start + step * np.arange(len(y)),
        y,
        "counts",
        _sigma(y),
        waves,
        {"counting time, s": seconds},
    )


def _raw1(c: _Cursor) -> list[Pattern]:
    found, at, more = [], 4, True
    while more:
        if found and c.content[at : at + 4] == b"RAW ":
            at += 4
        n, seconds, step = c.get("Iff", at)
        start = c.get("f", at + 20)
        name = _text(c.content[at + 36 : at + 68])
        waves = c.get("ff", at + 68)
        more = c.get("I", at + 148) > 0
        found.append(_range(c, name, start, step, c.floats(n, at + 152), seconds, waves))
        at = c.at
    return found


def _raw2(c: _Cursor) -> list[Pattern]:
    ranges = c.get("H", 4)
    waves = c.get("ff", 190)
    found, at = [], 256
    for _ in range(ranges):
        length, n = c.get("HH", at)
        seconds, step, start = c.get("fff", at + 8)
        if length < 48:
            raise FormatError(
                c.path,
                place=f"byte {at}",
                expected="a range header of at least 48 bytes",
                found=str(length),
            )
        found.append(_range(c, "", start, step, c.floats(n, at + length), seconds, waves))
        at = c.at
    return found


def _raw3(c: _Cursor) -> list[Pattern]:
    ranges = c.get("I", 12)
    name, waves = _text(c.content[326:386]), c.get("dd", 624)
    found, at = [], 712
    for _ in range(ranges):
        length, n = c.get("II", at)
        if length != 304:
            raise FormatError(
                c.path,
                place=f"byte {at}",
                expected="a range header of 304 bytes",
                found=str(length),
            )
        start, step, seconds, extra = (
            c.get("d", at + 16),
            c.get("d", at + 176),
            c.get("f", at + 192),
            c.get("I", at + 256),
        )
        found.append(_range(c, name, start, step, c.floats(n, at + length + extra), seconds, waves))
        at = c.at
    return found


def _raw4(c: _Cursor) -> list[Pattern]:
    at, waves, name, found = 61, (), "", []
    while at + 4 <= len(c.content):
        kind = c.get("I", at)
        if kind in (0, 160):
            scan = _text(c.content[at + 32 : at + 56])
            start, step, n, seconds = c.get("ddIf", at + 72)
            datum, header = c.get("II", at + 136)
            data = at + 160 + header
            if scan.lower() in ("locked coupled", "unlocked coupled", "2theta", "twotheta"):
                if datum < 4 or datum % 4:
                    raise FormatError(
                        c.path,
                        place=f"byte {at + 136}",
                        expected="intensities of 4 bytes",
                        found=f"{datum}",
                        advice=_ADVICE,
                    )
                y = c.floats(n * (datum // 4), data).reshape(n, -1)[:, 0]
                found.append(_range(c, name, start, step, y, seconds, waves))
            at = data + n * datum
            continue
        length = c.get("I", at + 4)
        if length < 8:
            raise FormatError(
                c.path,
                place=f"byte {at}",
                expected="a segment of at least 8 bytes",
                found=str(length),
                advice=_ADVICE,
            )
        if kind == 10 and _text(c.content[at + 12 : at + 36]).upper() == "SAMPLEID":
            name = _text(c.content[at + 36 : at + length])
        elif kind == 30:
            waves = c.get("dd", at + 80)
        at += length
    if not found:
        raise FormatError(
            c.path, expected="a coupled theta-2theta scan", found="none", advice=_ADVICE
        )
    return found
