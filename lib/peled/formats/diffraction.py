"""Powder diffraction: text, PANalytical `.xrdml`, Bruker `.raw` (1 to 4), `.brml` and UXD, Rigaku
`.ras` and `.rasx`.

`read_patterns` returns every range or column of a file, `read_pattern` the one wanted. Intensities
stay as the file has them (counts, or counts a second); where counts can be told, `sigma` is their
Poisson error in the same unit. The wavelength is the file's, or that of the anode which it names,
or the caller's; no other is ever assumed.

Tried on files not written here: `.raw` 4, UXD and `.xrdml` on github.com/wojdyr/xylib (`samples/`),
`.raw` 3 on aimat-lab/xrdpattern and paradimdata/project_chameleon (`tests/data/bruker`), `.brml` on
the latter and aglavic/genx (`genx/tests/data`), `.ras`, `.rasx` and attenuated `.xrdml` on genx.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, jcampdx, read_bytes, read_text
from peled.formats.contract import Bytes, archive, reader, xml_root
from peled.formats.delimited import Account, Sheet, parse_number, read_table, stated

_WHAT = "a powder diffraction pattern"
_ADVICE = "export it as two columns of text (2theta in degrees, intensity)"

#: K alpha 1 and 2 of the anodes of laboratory tubes, ångström (Deslattes et al., Rev. Mod. Phys.
#: 75, 35 (2003), doi:10.1103/RevModPhys.75.35).
KALPHA_A = {
    "Cr": (2.2897260, 2.2936510),
    "Fe": (1.9360410, 1.9399730),
    "Co": (1.7889960, 1.7928350),
    "Cu": (1.5405929, 1.5444274),
    "Mo": (0.70931715, 0.713607),
    "Ag": (0.55942178, 0.5638131),
}


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
        K alpha 1 and, where recorded, K alpha 2, in ångström; empty where neither file nor caller
        says.
    metadata : dict
    notes : tuple of str
        Where caller and file contradict each other.
    """

    path: Path
    label: str
    two_theta_deg: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    unit: str
    sigma: np.ndarray | None = field(repr=False, default=None)
    wavelengths_A: tuple[float, ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    account: Account = field(default_factory=Account, repr=False)

    @property
    def radiation_A(self) -> tuple[float, ...]:
        """The wavelengths, for whoever turns angles into lengths.

        Raises
        ------
        FormatError
            Where they are unknown, asking for the column of the sample sheet that gives them.
        """
        if not self.wavelengths_A:
            raise FormatError(
                self.path,
                place=self.label,
                expected="the wavelength of the radiation",
                found="neither a wavelength nor an anode in the file",
                advice="give wavelength_A (ångström) or anode (Cu, Co, ...) in the sample "
                "sheet or in "
                "a line at the head of a text file",
            )
        return self.wavelengths_A


@reader(_WHAT)
def read_patterns(
    path: str | os.PathLike, *, wavelength_A: float | None = None, anode: str | None = None
) -> tuple[Pattern, ...]:
    """All patterns of a file.

    Parameters
    ----------
    path : path-like
    wavelength_A : float, optional
        Wavelength, ångström; it has precedence over the file.
    anode : str, optional
        Element of the tube, of which K alpha 1 and 2 are taken.

    Returns
    -------
    tuple of Pattern
        Each label once: alike ones are numbered as scans.

    Raises
    ------
    FormatError
        For a file that is missing, truncated, of another technique, or whose 2theta does not
        increase.
    ValueError
        For an anode that is not in `KALPHA_A` or a wavelength that is none.
    """
    path = Path(path)
    given = _given(wavelength_A, anode)
    content = read_bytes(path, what=_WHAT)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16, which XML may also say of itself
        text = re.sub(r"""\sencoding=["'][^"']*["']""", "", read_text(path), count=1)
        content = text.encode()
    if content[:2] == b"PK":
        found = _read_zip(path)
    elif content[:3] == b"RAW":
        found = _read_bruker_raw(path, content)
    elif b"<xrdMeasurement" in content[:4000]:
        found = _read_xrdml(path, content)
    elif b"*RAS_" in content[:2000]:
        found = _read_ras(path)
    elif re.search(rb"^_FILEVERSION\s*=", content[:4000], re.MULTILINE):
        found = _read_uxd(path)
    elif jcampdx.is_jcampdx(content[:4000]):
        raise FormatError(path, expected=_WHAT, found="a JCAMP-DX file", advice=_ADVICE)
    else:
        found = _read_columns(path)
    found = [_checked(_irradiated(pattern, given)) for pattern in found]
    if len({pattern.label for pattern in found}) < len(found):
        found = [
            replace(pattern, label=f"{pattern.label}, scan {i}".removeprefix(", "))
            for i, pattern in enumerate(found, 1)
        ]
    return tuple(found)


@reader(_WHAT)
def read_pattern(
    path: str | os.PathLike,
    part: str | None = None,
    *,
    wavelength_A: float | None = None,
    anode: str | None = None,
) -> Pattern:
    """The one pattern of a file, or of several the one whose label is, else contains, `part` (case
    ignored).

    Parameters
    ----------
    path : path-like
    part : str, optional
        Label of the pattern, or a piece of it; not needed where the file holds one.
    wavelength_A : float, optional
        Wavelength, ångström; it has precedence over the file.
    anode : str, optional
        Element of the tube, of which K alpha 1 and 2 are taken.

    Returns
    -------
    Pattern

    Raises
    ------
    FormatError
        As `read_patterns`, and when no or several patterns are meant.
    """
    patterns = read_patterns(path, wavelength_A=wavelength_A, anode=anode)
    labels = ", ".join(repr(p.label) for p in patterns) or "none"
    if part is not None:
        patterns = tuple(p for p in patterns if p.label.lower() == part.lower()) or tuple(
            p for p in patterns if part.lower() in p.label.lower()
        )
    if len(patterns) != 1:
        raise FormatError(
            path,
            expected="one pattern" + (f" labelled {part!r}" if part else ""),
            found=f"{len(patterns)} of {labels}" if part else f"{len(patterns)}: {labels}",
            advice="give its label as part",
        )
    return patterns[0]


def _given(wavelength_A: float | None, anode: str | None) -> tuple[float, ...]:
    if wavelength_A is not None:
        if not 0.1 < wavelength_A < 5:
            raise ValueError(f"wavelength_A: expected ångström, 0.1 to 5, found {wavelength_A:g}")
        return (float(wavelength_A),)
    if anode is None:
        return ()
    if (element := anode.strip().capitalize()) not in KALPHA_A:
        raise ValueError(f"anode: expected one of {', '.join(KALPHA_A)}, found {anode!r}")
    return KALPHA_A[element]


def _irradiated(pattern: Pattern, given: tuple[float, ...]) -> Pattern:
    """The pattern with the wavelengths that hold: given, else the file's, else those of the anode
    that it names.
    """
    waves = pattern.wavelengths_A
    if not waves:
        named = (
            v
            for k, v in pattern.metadata.items()
            if re.search("anode|target_?name", k, re.IGNORECASE)
        )
        words = " ".join(map(str, named)).replace("'", " ").replace('"', " ").split()
        waves = next((KALPHA_A[w.capitalize()] for w in words if w.capitalize() in KALPHA_A), ())
    notes = pattern.notes
    if given and waves and abs(given[0] / waves[0] - 1) > 1e-3:
        notes += (f"the wavelength given is {given[0]:g} Å, the file's {waves[0]:g} Å",)
    return replace(pattern, wavelengths_A=given or waves, notes=notes)


def _checked(pattern: Pattern) -> Pattern:
    x = pattern.two_theta_deg
    if len(x) < 10:
        raise FormatError(
            pattern.path,
            expected="a pattern of at least 10 points",
            found=f"{len(x)}",
            advice=_ADVICE,
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
    """Poisson error of counts times a factor, None where the numbers cannot be counts.

    Counts that were multiplied with the factor and rounded are whole numbers within 1/(2 factor)
    only.
    """
    loose = np.where(np.asarray(factor) > 1, 0.6 / np.asarray(factor), 1e-3)
    off = np.abs(counts - np.round(counts))
    if (counts < 0).any() or np.max(counts * factor) < 5 or (off > loose).any():
        return None
    return np.sqrt(np.maximum(counts, 1)) * factor


def _read_columns(path: Path) -> list[Pattern]:
    table = read_table(path)
    expected = "columns of numbers: 2theta, then one or more intensities"
    axis, columns = table.along_first(expected, r"2.?th|angle")
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


def _numbers(path: Path, text: str | None, place: str) -> np.ndarray:
    try:
        if len(found := np.array((text or "").split(), dtype=float)):
            return found
        raise ValueError("none")
    except ValueError as error:
        raise FormatError(path, place=place, expected="numbers", found=str(error)) from None


def _read_xrdml(path: Path, content: bytes) -> list[Pattern]:
    root = xml_root(path, content, "an xrdML measurement")
    waves = {
        _local(e.tag): float(_numbers(path, e.text, _local(e.tag))[0])
        for e in root.iter()
        if _local(e.tag) in ("kAlpha1", "kAlpha2") and e.text
    }
    anode = {_local(e.tag): e.text for e in root.iter() if _local(e.tag) == "anodeMaterial"}
    sample = next((e.text or "" for e in root.iter() if _local(e.tag) == "id" and e.text), "")
    found = []
    for scan in (e for e in root.iter() if _local(e.tag) == "scan"):
        points = next((e for e in scan.iter() if _local(e.tag) == "dataPoints"), None)
        if points is not None:
            place = f"scan {len(found) + 1}"
            x, y, unit, sigma, seconds = _xrdml_scan(path, points, place)
            metadata = {"counting time, s": seconds} | anode
            found.append(Pattern(path, sample, x, y, unit, sigma, tuple(waves.values()), metadata))
    if not found:
        raise FormatError(path, expected="a scan with data points", found="none")
    return found


def _xrdml_scan(path: Path, points, place: str):
    """2theta, intensity, its unit and error, and the counting time of one scan."""
    values = {_local(e.tag): e for e in points}
    data = values["counts"] if "counts" in values else values.get("intensities")
    axes = (e for e in points if _local(e.tag) == "positions" and e.get("axis") == "2Theta")
    axis = next(axes, None)
    if data is None or axis is None:
        raise FormatError(
            path,
            place=place,
            expected="a 2Theta axis and counts or intensities",
            found=", ".join(values) or "nothing",
        )
    y = _numbers(path, data.text, f"{place}, {_local(data.tag)}")
    x = _xrdml_axis(path, axis, len(y), place)
    factor, seconds = np.ones(len(y)), 1.0
    if "beamAttenuationFactors" in values:
        factor = _numbers(path, values["beamAttenuationFactors"].text, "beamAttenuationFactors")
    if "commonCountingTime" in values:
        seconds = _numbers(path, values["commonCountingTime"].text, "commonCountingTime")[0]
    if len(factor) != len(y) or (factor < 1).any() or not seconds > 0:
        raise FormatError(
            path,
            place=f"{place}, beamAttenuationFactors, commonCountingTime",
            expected=f"{len(y)} factors of at least 1, and a time",
            found=f"{len(factor)}, from {factor.min(initial=np.inf):g}, {seconds:g} s",
        )
    # `counts` are as the detector saw them, `intensities` multiplied with the factors already.
    seen = y if _local(data.tag) == "counts" else y / factor
    if data.get("unit", "counts") == "counts":
        return x, seen * factor, "counts", _sigma(seen, factor), seconds
    return x, seen * factor, "counts/s", _sigma(seen * seconds, factor / seconds), seconds


def _xrdml_axis(path: Path, axis, n: int, place: str) -> np.ndarray:
    inside = {_local(e.tag): e.text for e in axis}
    if "listPositions" in inside:
        x = _numbers(path, inside["listPositions"], "listPositions")
    elif {"startPosition", "endPosition"} <= set(inside):
        ends = [_numbers(path, inside[k], k)[0] for k in ("startPosition", "endPosition")]
        x = np.linspace(*ends, n)
    else:
        raise FormatError(
            path,
            place=place,
            expected="start and end, or a list, of 2Theta positions",
            found=", ".join(inside) or "none",
        )
    if len(x) != n:
        raise FormatError(
            path,
            place=place,
            expected=f"{len(x)} intensities",
            found=f"{n}",
            advice="the file is cut; export it again",
        )
    return x


def _read_ras(path: Path) -> list[Pattern]:
    sheet = Sheet(path, read_text(path, what="a Rigaku .ras file").split("\n"), None)
    header: dict[str, str] = {}
    found, rows, first = [], None, 0
    for i in sheet.content:
        line, sheet.claims[i] = sheet.lines[i], "key"
        if line.startswith("*RAS_HEADER_START"):
            header = {}
        elif line.startswith("*RAS_INT_START"):
            rows, first = [], i
        elif line.startswith("*RAS_INT_END"):
            found.append(_ras_pattern(path, rows or [], header, f"line {i + 1}"))
            rows = None
        elif rows is not None:
            rows.append(_ras_row(sheet, i))
        elif match := re.match(r'\*(\S+)\s+"(.*)"\s*$', line):
            header[match[1]] = match[2]
    if rows is not None or not found:
        expected = f"*RAS_INT_END after line {first + 1}" if first else "*RAS_INT_START and rows"
        raise sheet.refuse(len(sheet.lines) - 1, expected, "the end of the file", "export it again")
    account = sheet.settle()
    return [replace(pattern, account=account) for pattern in found]


def _ras_row(sheet: Sheet, i: int) -> list[float]:
    values = sheet.numbers(i)
    if len(values) < 2:
        raise sheet.refuse(i, "2theta, intensity, attenuator")
    return [*values[:2], values[2] if len(values) > 2 else 1.0]


def _ras_pattern(path: Path, rows: list, header: dict[str, str], place: str) -> Pattern:
    axis = header.get("MEAS_SCAN_AXIS_X", "TwoTheta")
    if not rows or not re.search(r"(two|2)-?theta", axis.replace(" ", ""), re.IGNORECASE):
        raise FormatError(
            path,
            place=place,
            expected="rows of 2theta and intensity",
            found=f"a scan of {axis}" if rows else "none",
        )
    waves = tuple(
        float(header[key])
        for key in ("HW_XG_WAVE_LENGTH_ALPHA1", "HW_XG_WAVE_LENGTH_ALPHA2")
        if parse_number(header.get(key, ""))
    )
    x, y, factor = np.array(rows).T
    _require_steps(path, x, header.get("MEAS_SCAN_STEP", ""), place)
    _require_points(path, header, "MEAS_DATA_COUNT", len(x), place)
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


def _require_points(path: Path, header: dict[str, str], key: str, found: int, place: str) -> None:
    expected = parse_number(header.get(key, ""))
    if expected and expected != found:
        raise FormatError(
            path,
            place=place,
            expected=f"{expected:.0f} points, as {key} says",
            found=str(found),
            advice="the file is cut; export it again",
        )


def _require_steps(path: Path, x: np.ndarray, step: str, place: str) -> None:
    """Hold 2theta against the step of the header: a row that is missing or doubled shows."""
    size = parse_number(step)
    if not size:
        return
    off = np.abs(np.diff(x) - size) > 0.5 * size + 2e-3  # written with three decimals
    if off.any():
        i = int(np.argmax(off))
        raise FormatError(
            path,
            place=f"{place}, point {i + 2}",
            expected=f"2theta {x[i] + size:.5g}, one step of {size:g} on",
            found=f"{x[i + 1]:.5g}",
            advice="rows are missing or damaged; export it again",
        )


def _read_zip(path: Path) -> list[Pattern]:
    """Archives of Bruker (`.brml`: a `RawData*.xml` a range) and Rigaku (`.rasx`:
    `Data*/Profile*.txt` and conditions).
    """
    wanted = re.compile(r"(RawData\d*\.xml|Profile\d+\.txt|MesurementConditions\d+\.xml)$")
    with archive(path, "a Bruker .brml or Rigaku .rasx archive") as members:
        contents = {name: members.read(name) for name in members.names if wanted.search(name)}
    found = []
    # As they were measured: Data10 after Data2.
    for name in sorted(contents, key=lambda n: [int(d) for d in re.findall(r"\d+", n)]):
        if re.search(r"RawData\d*\.xml$", name):
            root = xml_root(path, contents[name], f"Bruker raw data in {name}")
            found.append(_brml_pattern(path, name, root))
        elif name.endswith(".txt"):
            conditions = re.sub(r"Profile(\d+)\.txt$", r"MesurementConditions\1.xml", name)
            found.append(_rasx_pattern(path, name, contents[name], contents.get(conditions)))
    if not found:
        raise FormatError(
            path,
            expected="RawData0.xml (.brml) or Data0/Profile0.txt (.rasx) in the archive",
            found="neither",
            advice=_ADVICE,
        )
    return found


def _rasx_pattern(path: Path, name: str, content: bytes, conditions: bytes | None) -> Pattern:
    sheet = Sheet(path, content.decode("utf-8-sig", "replace").split("\n"), None, part=name)
    rows = [_ras_row(sheet, i) for i in sheet.content]
    header = {}
    if conditions is not None:
        root = xml_root(path, conditions, f"the conditions of {name}")
        texts = {_local(e.tag): e.text.strip() for e in root.iter() if e.text and e.text.strip()}
        even = texts.get("UnequalySpaced", "false").lower() == "false"
        alpha_2 = "" if texts.get("WaveType") == "Ka1" else texts.get("WavelengthKalpha2", "")
        header = {
            "FILE_SAMPLE": texts.get("SampleName", ""),
            "HW_XG_TARGET_NAME": texts.get("TargetName", ""),
            "HW_XG_WAVE_LENGTH_ALPHA1": texts.get("WavelengthKalpha1", ""),
            "HW_XG_WAVE_LENGTH_ALPHA2": alpha_2,
            "MEAS_SCAN_AXIS_X": texts.get("AxisName", "TwoTheta"),
            "MEAS_SCAN_UNIT_Y": texts.get("IntensityUnit", "counts"),
            "MEAS_SCAN_STEP": texts.get("Step", "") if even else "",
            "MEAS_DATA_COUNT": texts.get("DataCount", ""),
        }
    return _ras_pattern(path, rows, header, name)


def _brml_pattern(path: Path, name: str, root) -> Pattern:
    """One range of a `.brml`: rows of cells in `Datum` elements, whose columns the `RawDataView`
    elements explain.
    """
    named = {_local(e.tag): e.get("Value") or e.text for e in root.iter()}
    waves = [parse_number(named.get(f"WaveLengthAlpha{i}") or "") for i in (1, 2)]
    rows = [e.text for e in root.iter() if _local(e.tag) == "Datum" and e.text]
    cells = [[parse_number(cell) for cell in row.split(",")] for row in rows]
    if len({len(row) for row in cells}) != 1 or any(v is None for row in cells for v in row):
        raise FormatError(
            path,
            place=name,
            expected="Datum elements, rows of equal numbers of cells",
            found="others" if rows else "none",
            advice=_ADVICE,
        )
    x, y, factor = _brml_columns(path, name, root, np.array(cells, dtype=float))
    items = {e.get("Name"): e.get("Value") for e in root.iter() if _local(e.tag) == "InfoItem"}
    return Pattern(
        path,
        items.get("SampleName") or "",
        x,
        y,
        "counts",
        _sigma(y / factor, factor),
        tuple(wave for wave in waves if wave),
        {key: value for key, value in items.items() if key and value},
    )


def _brml_columns(path: Path, name: str, root, cells: np.ndarray):
    """2theta, counts (which are corrected for the absorber) and the factor of the absorber.

    Several counters, and figures such as the brightest pixel, may follow each other in a row: the
    first that counts is taken. Without `RawDataView` the row is seconds, absorber, the axes of the
    scan, counts.
    """
    columns: dict[str, int] = {}
    for view in (e for e in root.iter() if _local(e.tag) == "RawDataView"):
        start, axes = int(view.get("Start", "0")), []
        if view.get("LogicName") == "AbsorptionFactor":
            columns["absorber"] = start
        for e in view.iter():
            if _local(e.tag) == "FieldDefinitions":
                axes.append(_axis(e.get("AxisId")))
            elif _local(e.tag) == "Recording" and e.get("Category", "Count") == "Count":
                columns.setdefault("counts", start)
        if "twotheta" in axes:
            columns.setdefault("twotheta", start + axes.index("twotheta"))
    if not {"twotheta", "counts"} <= set(columns):
        scans = (e for e in root.iter() if _local(e.tag) == "ScanAxes")
        axes = [_axis(a.get("AxisId") or a.get("AxisName")) for a in next(scans, ())]
        at = next((i for i, axis in enumerate(axes) if "twotheta" in axis or "2theta" in axis), 0)
        columns = {"absorber": 1, "twotheta": 2 + at, "counts": cells.shape[1] - 1}
    if len(cells) == 1:  # a position-sensitive detector: one Datum with all channels
        ends = {_local(e.tag): e.text for e in root.iter() if _local(e.tag) in ("Start", "Stop")}
        span = [parse_number(ends.get(end) or "") for end in ("Start", "Stop")]
        if None not in span:
            return np.linspace(*span, cells.shape[1] - 3), cells[0, 3:], 1.0
    if cells.shape[1] < 4 or not columns["twotheta"] < columns["counts"] < cells.shape[1]:
        raise FormatError(
            path,
            place=name,
            expected="columns of 2theta and counts",
            found=f"{cells.shape[1]} columns",
            advice=_ADVICE,
        )
    factor = np.maximum(cells[:, columns.get("absorber", 1)], 1.0)
    return cells[:, columns["twotheta"]], cells[:, columns["counts"]], factor


def _axis(name: str | None) -> str:
    return (name or "").lower().replace(" ", "")


def _read_uxd(path: Path) -> list[Pattern]:
    """Bruker UXD: `_KEY=value`, then `_2THETACOUNTS` and pairs, or `_COUNTS` and values from
    `_START` in `_STEPSIZE`.
    """
    text = re.sub(r"(?m)(?<=[^;\n]);.*$", "", read_text(path, what="a Bruker UXD file"))
    sheet = Sheet(path, text.split("\n"), None)
    header: dict[str, str] = {}
    ranges: list[tuple[dict[str, str], str, list[float], int]] = []
    for i in sheet.content:
        line, sheet.claims[i] = sheet.lines[i].strip(), "key"
        if line.startswith(";"):
            sheet.claims[i] = "comment"
        elif match := re.match(r"_(\w+)\s*=\s*'?(.*?)'?$", line):
            header[match[1].upper()] = match[2]
        elif re.fullmatch(r"_(2THETA)?(COUNTS|CPS)", line.upper()):
            ranges.append((dict(header), line.upper(), [], i + 1))
        elif not ranges:
            raise sheet.refuse(i, "_KEY=value, _COUNTS, _2THETACOUNTS or _CPS", advice=_ADVICE)
        else:
            ranges[-1][2].extend(sheet.numbers(i))
    if not ranges:
        raise FormatError(path, expected="_2THETACOUNTS or _COUNTS and numbers", found="none")
    account = sheet.settle()
    return [replace(_uxd_pattern(path, *one), account=account) for one in ranges]


def _uxd_pattern(path: Path, header: dict, form: str, values: list[float], line: int) -> Pattern:
    def number(key: str) -> float:
        if (value := parse_number(header.get(key, ""))) is None:
            raise FormatError(
                path, place=f"_{key}", expected="a number", found=header.get(key) or "none"
            )
        return value

    y = np.array(values)
    if "2THETA" in form:
        if len(y) % 2:
            raise FormatError(
                path, place=f"line {line}", expected="pairs of numbers", found=f"{len(y)} numbers"
            )
        x, y = y.reshape(-1, 2).T
    else:
        x = number("START") + number("STEPSIZE") * np.arange(len(y))
    _require_points(path, header, "STEPCOUNT", len(y), f"line {line}")
    _require_steps(path, x, header.get("STEPSIZE", ""), f"after line {line}")
    counts = form.endswith("COUNTS")
    return Pattern(
        path,
        header.get("SAMPLE", ""),
        x,
        y,
        "counts" if counts else "counts/s",
        _sigma(y) if counts else None,
        tuple(number(key) for key in ("WL1", "WL2") if header.get(key)),
        header,
    )


_HEADER = "a header of a Bruker .raw file"


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin-1").strip()


def _read_bruker_raw(path: Path, content: bytes) -> list[Pattern]:
    """Layouts after the DIFFRAC-AT and DIFFRAC plus manuals (appendix on raw files), as also
    documented by xylib.
    """
    cursor = Bytes(path, content, "<")
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
    cursor: Bytes, label: str, start: float, step: float, y: np.ndarray, seconds: float, waves
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


def _raw1(c: Bytes) -> list[Pattern]:
    found, at, more = [], 4, True
    while more:
        if found and c.content[at : at + 4] == b"RAW ":
            at += 4
        n, seconds, step = c.get("Iff", _HEADER, at)
        start = c.get("f", _HEADER, at + 20)
        name = _text(c.content[at + 36 : at + 68])
        waves = c.get("ff", _HEADER, at + 68)
        more = c.get("I", _HEADER, at + 148) > 0
        found.append(
            _range(c, name, start, step, c.values("f4", n, "intensities", at + 152), seconds, waves)
        )
        at = c.at
    return found


def _raw2(c: Bytes) -> list[Pattern]:
    ranges = c.get("H", _HEADER, 4)
    waves = c.get("ff", _HEADER, 190)
    found, at = [], 256
    for _ in range(ranges):
        length, n = c.get("HH", _HEADER, at)
        seconds, step, start = c.get("fff", _HEADER, at + 8)
        if length < 48:
            raise FormatError(
                c.path,
                place=f"byte {at}",
                expected="a range header of at least 48 bytes",
                found=str(length),
            )
        found.append(
            _range(
                c, "", start, step, c.values("f4", n, "intensities", at + length), seconds, waves
            )
        )
        at = c.at
    return found


def _raw3(c: Bytes) -> list[Pattern]:
    ranges = c.get("I", _HEADER, 12)
    name, waves = _text(c.content[326:386]), c.get("dd", _HEADER, 624)
    found, at = [], 712
    for _ in range(ranges):
        length, n = c.get("II", _HEADER, at)
        if length != 304:
            raise FormatError(
                c.path,
                place=f"byte {at}",
                expected="a range header of 304 bytes",
                found=str(length),
            )
        start, step, seconds, extra = (
            c.get("d", _HEADER, at + 16),
            c.get("d", _HEADER, at + 176),
            c.get("f", _HEADER, at + 192),
            c.get("I", _HEADER, at + 256),
        )
        found.append(
            _range(
                c,
                name,
                start,
                step,
                c.values("f4", n, "intensities", at + length + extra),
                seconds,
                waves,
            )
        )
        at = c.at
    return found


def _raw4(c: Bytes) -> list[Pattern]:
    at, waves, name, found = 61, (), "", []
    while at + 4 <= len(c.content):
        kind = c.get("I", _HEADER, at)
        if kind in (0, 160):
            scan = _text(c.content[at + 32 : at + 56])
            start, step, n, seconds = c.get("ddIf", _HEADER, at + 72)
            datum, header = c.get("II", _HEADER, at + 136)
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
                y = c.values("f4", n * (datum // 4), "intensities", data).reshape(n, -1)[:, 0]
                found.append(_range(c, name, start, step, y, seconds, waves))
            at = data + n * datum
            continue
        length = c.get("I", _HEADER, at + 4)
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
            waves = c.get("dd", _HEADER, at + 80)
        at += length
    if not found:
        raise FormatError(
            c.path, expected="a coupled theta-2theta scan", found="none", advice=_ADVICE
        )
    return found
