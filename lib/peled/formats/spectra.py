"""Spectra as instruments export them: one or many, against wavelength or photon energy, alone or as a timed series.

What is read, told from content: text and CSV with any common delimiter and decimal mark; Ocean Optics SpectraSuite and
OceanView (single and time series); Horiba FluorEssence and LabSpec (single, and matrices with the axis along the first
row); Edinburgh F900/Fluoracle; Shimadzu UVProbe; Cary WinUV with a pair of columns a sample. The axis comes back
ascending, as the file has it (nm or eV): a spectral density is not converted here, because that takes a Jacobian.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, jcampdx, read_bytes, read_text
from peled.formats.delimited import parse_number, split_unit

HC_EV_NM = 1239.841984332  # h c, exact in the SI, in eV nm
_TO_AXIS = {
    "nm": ("nm", 1.0),
    "um": ("nm", 1e3),
    "µm": ("nm", 1e3),
    "μm": ("nm", 1e3),
    "å": ("nm", 0.1),
    "a": ("nm", 0.1),
    "ev": ("eV", 1.0),
    "mev": ("eV", 1e-3),
    "cm-1": ("eV", 1e7**-1 * HC_EV_NM),
    "1/cm": ("eV", 1e-7 * HC_EV_NM),
}
_AXIS_WORD = re.compile(
    r"wave ?length|wavelength|lambda|λ|energy|wave ?number|photon|^nm\.?$|^ev$|^e$|^x$",
    re.IGNORECASE,
)
_UNIT_WORD = re.compile(r"(?<![A-Za-z])(nm|µm|μm|um|Å|meV|eV|cm\^?[-−]1|cm⁻¹|1/cm)(?![A-Za-z])")
_SERIES = re.compile(
    r"(?:^|[\s=:,_@])(?P<value>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>ms|s|sec|secs|seconds|min|mins|minutes|h|hours?|m?V|volts?|[µu]?A|mA|"
    r"[mµu]?A[ /]?cm(?:\^?[-−]?2|⁻²|²)|[mµu]?W[ /]?cm(?:\^?[-−]?2|⁻²|²)|[µu]J[ /]?cm(?:\^?[-−]?2|⁻²|²)|K|°C|nm)?\s*\)?$"
)
_SECONDS = {
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "mins": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
}


@dataclass(frozen=True)
class Spectra:
    """Spectra on one common axis.

    Attributes
    ----------
    path : Path
    x : ndarray, shape (n,)
        The axis, ascending, in `x_unit`.
    x_unit : {"nm", "eV"}
        As in the file (µm, Å → nm; meV, cm⁻¹ → eV). An emission spectrum in the file is a density per this unit.
    values : ndarray, shape (m, n)
        One row a spectrum, as in the file.
    labels : tuple of str
        Names of the m spectra.
    value_unit : str
        "absorbance", "transmittance_percent", or the unit as headed ("counts", "a.u.", ""), lower case.
    parameter : ndarray, shape (m,), or None
        What was varied along the series, when the heads say so: times in s, voltages, currents, powers.
    parameter_unit : str
        Its unit: "s" for times, else as headed.
    metadata : dict
    """

    path: Path
    x: np.ndarray = field(repr=False)
    x_unit: str
    values: np.ndarray = field(repr=False)
    labels: tuple[str, ...]
    value_unit: str = ""
    parameter: np.ndarray | None = field(default=None, repr=False)
    parameter_unit: str = ""
    metadata: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def wavelength_nm(self) -> np.ndarray:
        """The axis in nm, in the order of `x`."""
        return self.x if self.x_unit == "nm" else HC_EV_NM / self.x

    @property
    def energy_eV(self) -> np.ndarray:
        """The axis in eV, in the order of `x`."""
        return self.x if self.x_unit == "eV" else HC_EV_NM / self.x

    @property
    def time_s(self) -> np.ndarray:
        """Times of a series in s.

        Raises
        ------
        FormatError
            If the file does not give any.
        """
        if self.parameter is None or self.parameter_unit != "s":
            raise FormatError(
                self.path,
                expected="a series of spectra with times, such as columns headed '0 s', '10 s'",
                place="column heads",
                found=", ".join(map(repr, self.labels[:4])),
                advice="head each spectrum with its time and unit",
            )
        return self.parameter

    def spectrum(self, which: int | str = 0) -> np.ndarray:
        """One spectrum by number, or by label (a regular expression that fits exactly one)."""
        if not isinstance(which, str):
            return self.values[which]
        found = [i for i, label in enumerate(self.labels) if re.search(which, label, re.IGNORECASE)]
        if len(found) != 1:
            raise FormatError(
                self.path,
                expected=f"one spectrum named like {which!r}",
                found=", ".join(map(repr, self.labels)),
                place="column heads",
            )
        return self.values[found[0]]


def read_spectra(path: str | os.PathLike, *, x_unit: str | None = None) -> Spectra:
    """All spectra of a file, which must share one axis.

    Parameters
    ----------
    path : path-like
    x_unit : {"nm", "eV", "cm-1", ...}, optional
        Unit of the axis when the file does not say (and its range does not tell).

    Raises
    ------
    FormatError
        With the place: no numbers, one column, text among numbers, an axis that turns back or repeats, an unknown unit,
        or samples on different axes (then use `read_each`).
    """
    groups = read_each(path, x_unit=x_unit)
    if len(groups) > 1:
        spans = "; ".join(
            f"{g.labels[0]}: {g.x[0]:g} to {g.x[-1]:g} {g.x_unit}, {g.x.size} points"
            for g in groups[:3]
        )
        raise FormatError(
            path,
            expected="spectra on one common axis",
            found=f"{len(groups)} axes ({spans})",
            advice="export them on one grid, or read them with read_each",
        )
    return groups[0]


def read_each(path: str | os.PathLike, *, x_unit: str | None = None) -> tuple[Spectra, ...]:
    """All spectra of a file, grouped by axis. Parameters and errors as `read_spectra`."""
    path = Path(path)
    if jcampdx.is_jcampdx(read_bytes(path, what="a spectrum")[:4000]):
        return _jcamp(path)
    text = read_text(path, what="a text file with a spectrum")
    lines = text.split("\n")
    for sniffed in (_series_by_row, _pairs):
        found = sniffed(path, lines, x_unit)
        if found:
            return found
    return (_columns(path, lines, x_unit),)


# ---- one axis, spectra in columns --------------------------------------------------------------------------------------


def _columns(path: Path, lines: list[str], x_unit: str | None) -> Spectra:
    table = delimited.read_table(path)
    numeric = [c for c in table.columns if c.values.dtype.kind == "f"]
    if len(numeric) < 2:
        raise FormatError(
            path,
            place=f"line {table.first_line}",
            expected="at least two columns: axis and signal",
            found=f"{len(numeric)}: {lines[table.first_line - 1].strip()[:60]!r}",
            advice="export the axis beside the signal",
        )
    scan = delimited.scan(path)
    heads = _heads(scan, len(table.columns))
    numeric_index = [i for i, c in enumerate(table.columns) if c.values.dtype.kind == "f"]
    axis = next((i for i in numeric_index if _AXIS_WORD.search(heads[i])), numeric_index[0])
    others = [i for i in numeric_index if i != axis]
    if any(word in heads[axis].lower() for word in ("time", "channel")) and not _UNIT_WORD.search(
        heads[axis]
    ):
        raise FormatError(
            path,
            expected="a wavelength or energy axis",
            found=f"a column headed {heads[axis]!r}",
            place="column heads",
        )
    metadata = dict(table.metadata)
    x, unit = _axis(
        path,
        table.columns[axis].values,
        heads[axis],
        table.columns[axis].unit,
        metadata,
        x_unit,
        table.first_line,
    )
    labels, value_unit, names_row = _labels(scan, heads, others, metadata)
    values = np.array([table.columns[i].values for i in others])
    parameter, parameter_unit = _parameters(labels, heads[axis], metadata, names_row)
    return _ordered(
        Spectra(path, x, unit, values, labels, value_unit, parameter, parameter_unit, metadata),
        table.first_line,
    )


def _heads(scan: delimited.Scan, width: int) -> list[str]:
    """Whole heads of the columns (unit included); blank where there are none."""
    above = [i for i in range(scan.start) if scan.lines[i].strip()]
    for i in reversed(above[-4:]):
        cells = _padded(scan, i)
        if len(cells) != width and scan.delimiter is None:
            cells = [
                c for c in re.split(r"\s{2,}|\t|\"\s+\"", scan.lines[i].strip().strip('"#% ')) if c
            ]
        if (
            len(cells) == width
            and any(parse_number(c, scan.decimal) is None for c in cells)
            and not cells[0].endswith(("=", ":"))
        ):  # metadata is no head
            return cells
    return [""] * width


def _padded(scan: delimited.Scan, index: int) -> list[str]:
    line = scan.lines[index].rstrip("\n")
    for mark in ("#", "%", "//"):
        line = line.removeprefix(mark)
    return (
        [c.strip().strip("\"'").strip() for c in line.split(scan.delimiter)]
        if scan.delimiter
        else line.split()
    )


def _labels(
    scan: delimited.Scan, heads: list[str], others: list[int], metadata: dict
) -> tuple[tuple[str, ...], str, bool]:
    """Names of the spectra and the unit of their values, from the heads, a `Labels` line or the rows above."""
    names = [heads[i] for i in others]
    unit = _value_unit(names + [metadata.get(key, "") for key in ("Yaxis", "Y-axis", "Y Axis")])
    # A row of names or of times above a row of repeated quantities (Edinburgh, Horiba, hand-made tables).
    generic = len({n.lower() for n in names}) < len(names) or all(
        not n or _value_unit([n]) or delimited._looks_like_unit(n) for n in names
    )
    if generic:
        for i in reversed([i for i in range(scan.start) if scan.lines[i].strip()]):
            cells = _padded(scan, i)
            while len(cells) > len(heads) and not cells[-1]:
                cells.pop()
            if (
                len(cells) == len(heads)
                and (row := [cells[j] for j in others]) != names
                and all(row)
                and len(set(row)) == len(row)
                and re.match(r"labels?|time|sample|name|$|\W*$|wave", cells[0], re.IGNORECASE)
            ):
                return tuple(row), unit, bool(re.match(r"time", cells[0], re.IGNORECASE))
    stem = scan.path.name.split(".")[0]
    if len(names) == 1 and generic:
        names = [stem]
    return (
        tuple(n or (f"{stem} {k + 1}" if len(names) > 1 else stem) for k, n in enumerate(names)),
        unit,
        False,
    )


def _value_unit(names: list[str]) -> str:
    for name in names:
        if re.search(r"%\s*T\b|transmit", name, re.IGNORECASE):
            return "transmittance_percent"
        if re.search(r"\babs(orbance|\.|\b)|\bO\.?D\.?\b|optical density", name, re.IGNORECASE):
            return "absorbance"
    for name in names:
        if match := re.search(
            r"counts?/s|cps|counts?|cts|photons?|a\.? ?u\.?|arb|µW[^)\]]*|W/?[^)\]]*nm",
            name,
            re.IGNORECASE,
        ):
            return match[0].lower()
    return ""


# ---- a matrix with the axis along the first row ------------------------------------------------------------------------


def _series_by_row(path: Path, lines: list[str], x_unit: str | None) -> tuple[Spectra, ...] | None:
    """OceanView and LabSpec time series: a row of wavelengths, then a row a spectrum that leads with its time."""
    for delimiter in ("\t", ";", ","):
        decimal = (
            ","
            if delimiter != "," and any("," in line and "." not in line for line in lines[-3:])
            else "."
        )
        rows = [
            (i, [c.strip() for c in line.rstrip(" \n").split(delimiter)])
            for i, line in enumerate(lines)
            if line.strip()
        ]
        head = next((k for k, (_, cells) in enumerate(rows) if _is_axis_row(cells, decimal)), None)
        if head is not None:
            break
    else:
        return None
    _, cells = rows[head]
    first = next(j for j, c in enumerate(cells) if parse_number(c, decimal) is not None)
    axis = [c for c in cells[first:] if c]
    body = [(i, c) for i, c in rows[head + 1 :] if not c[0].startswith((">", "#"))]
    lead = len(body[0][1]) - len(axis) if body else 0
    while body and lead > 0 and not body[0][1][-1]:
        body = [(i, c[:-1]) for i, c in body]
        lead -= 1
    if len(body) < 1 or lead < 1 or lead > 3:
        return None
    if (
        lead == 1
        and len(body) > 1
        and _looks_like_axis([parse_number(c[0], decimal) for _, c in body])
        and not _rising([parse_number(a, decimal) for a in axis], 100)
    ):
        return None  # spectra in columns headed by numbers
    x = np.array([parse_number(c, decimal) for c in axis], dtype=object)
    values, stamps = [], []
    for i, c in body:
        if len(c) != lead + len(axis):
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected=f"{lead + len(axis)} cells as the first spectrum has",
                found=f"{len(c)}",
                advice="mend or remove the line",
            )
        numbers = [parse_number(v, decimal) for v in c[lead:]]
        if None in numbers:
            j = numbers.index(None)
            raise FormatError(
                path,
                place=f"line {i + 1}, column {lead + j + 1}",
                expected="a number",
                found=repr(c[lead + j]),
                advice="mend the cell",
            )
        values.append(numbers)
        stamps.append(c[:lead])
    metadata = delimited._metadata([line for i, line in enumerate(lines) if i < rows[head][0]])
    x, unit = _axis(
        path, np.array(x, dtype=float), cells[0], "", metadata, x_unit, rows[head][0] + 1
    )
    corner = " ".join(cells[:first])
    labels = tuple(" ".join(s[:1]) for s in stamps)
    parameter, parameter_unit = _stamps(path, [s[0] for s in stamps], corner, decimal, body)
    return (
        _ordered(
            Spectra(
                path,
                x,
                unit,
                np.array(values),
                labels,
                _value_unit([corner]),
                parameter,
                parameter_unit,
                metadata,
            ),
            rows[head][0] + 1,
        ),
    )


def _is_axis_row(cells: list[str], decimal: str) -> bool:
    numbers = [parse_number(c, decimal) for c in cells]
    inside = [n for n in numbers[1:] if n is not None]
    return (
        len(inside) >= 16
        and numbers[0] is None
        and len(inside) >= len([c for c in cells if c]) - 3
        and _rising(inside, 0.3)
    )


def _rising(numbers: list, least: float) -> bool:
    if any(n is None for n in numbers) or len(numbers) < 2:
        return False
    steps = np.diff(numbers)
    return bool((np.all(steps > 0) or np.all(steps < 0)) and min(numbers) >= least)


def _looks_like_axis(numbers: list) -> bool:
    return _rising(numbers, 100) and len(numbers) >= 16


def _stamps(
    path, stamps: list[str], corner: str, decimal: str, body
) -> tuple[np.ndarray | None, str]:
    numbers = [parse_number(s, decimal) for s in stamps]
    if None not in numbers:
        match = re.search(r"\(?\b(ms|s|sec|min|h)\b\)?\s*$|time", corner, re.IGNORECASE)
        factor = _SECONDS.get((match[1] or "s").lower(), 1.0) if match else 1.0
        return np.array(numbers) * factor, "s"
    times = [_clock(s) for s in stamps]
    if None in times:
        i = times.index(None)
        raise FormatError(
            path,
            place=f"line {body[i][0] + 1}, column 1",
            expected="a time, as a number, hh:mm:ss or ISO date",
            found=repr(stamps[i]),
        )
    return _since_first(times), "s"


def _clock(stamp: str) -> float | None:
    """Seconds of a time of day or a date with time."""
    stamp = stamp.strip()
    if match := re.fullmatch(r"(\d{1,3}):(\d{2}):(\d{2}(?:[.,:]\d+)?)", stamp):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(re.sub("[,:]", ".", match[3]))
    for form in (
        None,
        "%Y-%m-%d %H:%M:%S.%f",
        "%m/%d/%Y %H:%M:%S",
        "%d.%m.%Y %H:%M:%S",
        "%a %b %d %H:%M:%S %Y",
        "%Y/%m/%d %H:%M:%S",
    ):
        try:
            return (
                (datetime.fromisoformat(stamp) if form is None else datetime.strptime(stamp, form))
                .replace(tzinfo=None)
                .timestamp()
            )
        except ValueError:
            continue
    return None


def _since_first(times: list[float]) -> np.ndarray:
    t = np.array(times, dtype=float)
    steps = np.diff(t)
    t[1:] += 86400.0 * np.cumsum(steps < -43200)  # past midnight
    return t - t[0]


# ---- a pair of columns a sample (Cary WinUV) ---------------------------------------------------------------------------


def _pairs(path: Path, lines: list[str], x_unit: str | None) -> tuple[Spectra, ...] | None:
    for i, line in enumerate(lines[:80]):
        for delimiter in (",", "\t", ";"):
            cells = [c.strip().strip('"') for c in line.split(delimiter)]
            axes = [
                j
                for j, c in enumerate(cells)
                if _AXIS_WORD.search(c)
                and (_UNIT_WORD.search(c) or re.search("wave", c, re.IGNORECASE))
            ]
            if len(axes) >= 2 and i + 1 < len(lines) and axes == list(range(0, 2 * len(axes), 2)):
                return _read_pairs(path, lines, i, delimiter, cells, axes, x_unit)
    return None


def _read_pairs(
    path: Path,
    lines: list[str],
    head: int,
    delimiter: str,
    heads: list[str],
    axes: list[int],
    x_unit: str | None,
) -> tuple[Spectra, ...]:
    body = [
        (i, [c.strip() for c in lines[i].split(delimiter)]) for i in range(head + 1, len(lines))
    ]
    end = next(
        (
            k
            for k, (_, cells) in enumerate(body)
            if not any(cells) or (cells[0] and not re.match(r"[+\-−.,\d]", cells[0]))
        ),
        len(body),
    )
    footer = [lines[i] for i, _ in body[end:]]
    for i, cells in body[end:]:  # a damaged row would otherwise pass for the footer
        if sum(
            bool(re.fullmatch(r"[+-]?[\d.,]+(e[+-]?\d+)?", c, re.IGNORECASE)) for c in cells
        ) >= max(2, 2 * len(axes) - 1):
            raise FormatError(
                path,
                place=f"line {i + 1}, column 1",
                expected="a number",
                found=repr(cells[0]),
                advice="mend the cell",
            )
    body = body[:end]
    sample = [c for _, cells in body[:50] for c in cells if c]
    decimal = (
        ","
        if delimiter != "," and any("," in c for c in sample) and not any("." in c for c in sample)
        else "."
    )
    above = [c.strip().strip('"') for c in lines[head - 1].split(delimiter)] if head else []
    metadata = delimited._metadata(lines[: max(head - 1, 0)] + footer)
    found: list[Spectra] = []
    for k, j in enumerate(axes):
        pairs, lines_of = [], []
        for i, cells in body:
            x, y = (
                (cells[j] if j < len(cells) else ""),
                (cells[j + 1] if j + 1 < len(cells) else ""),
            )
            if not x and not y:
                continue  # a shorter sample
            numbers = parse_number(x, decimal), parse_number(y, decimal)
            if None in numbers:
                bad = numbers.index(None)
                raise FormatError(
                    path,
                    place=f"line {i + 1}, column {j + bad + 1}",
                    expected="a number",
                    found=repr((x, y)[bad]),
                    advice="mend the cell",
                )
            pairs.append(numbers)
            lines_of.append(i + 1)
        if len(pairs) < 2:
            raise FormatError(
                path,
                place=f"column {j + 1}",
                expected="at least two points",
                found=f"{len(pairs)}",
                advice="export the sample again or remove its columns",
            )
        x, unit = _axis(
            path,
            np.array([p[0] for p in pairs]),
            heads[j],
            split_unit(heads[j])[1],
            metadata,
            x_unit,
            lines_of[0],
        )
        label = (above[j] if j < len(above) else "") or f"{path.name.split('.')[0]} {k + 1}"
        found.append(
            _ordered(
                Spectra(
                    path,
                    x,
                    unit,
                    np.array([[p[1] for p in pairs]]),
                    (label,),
                    _value_unit([heads[j + 1]] if j + 1 < len(heads) else []),
                    metadata=metadata,
                ),
                lines_of[0],
            )
        )
    groups: list[Spectra] = []
    for one in found:
        at = next(
            (
                g
                for g, other in enumerate(groups)
                if other.x_unit == one.x_unit
                and other.x.shape == one.x.shape
                and np.allclose(other.x, one.x, rtol=0, atol=1e-6)
            ),
            None,
        )
        if at is None:
            groups.append(one)
        else:
            groups[at] = replace(
                groups[at],
                values=np.vstack([groups[at].values, one.values]),
                labels=groups[at].labels + one.labels,
            )
    return tuple(
        replace(g, parameter=p[0], parameter_unit=p[1])
        for g in groups
        for p in [_parameters(g.labels, "", g.metadata, False)]
    )


# ---- axis and series ---------------------------------------------------------------------------------------------------


def _axis(
    path: Path, x: np.ndarray, head: str, unit: str, metadata: dict, asked: str | None, line: int
) -> tuple[np.ndarray, str]:
    """The axis in nm or eV, and which: by request, head, metadata, or range."""
    said = asked or ""
    if not said:
        texts = [unit, head] + [
            str(metadata.get(key, ""))
            for key in ("Xaxis", "X-axis", "X Axis", "XUNITS", "AxisUnit", "AxisUnit[1]", "Units")
        ]
        said = next((m[1] for t in texts if (m := _UNIT_WORD.search(t))), "")
        if not said and any(re.search("wave ?length", t, re.IGNORECASE) for t in texts):
            said = "nm" if np.min(x) > 20 else "µm"
        elif (
            not said
            and any(re.search("energy", t, re.IGNORECASE) for t in texts)
            and np.max(x) < 50
        ):
            said = "eV"
    if not said:
        low, high = float(np.min(x)), float(np.max(x))
        if low >= 0.2 and high <= 10 and high > low:
            said = "eV"
        elif low >= 150 and high <= 4000 and high > low:
            said = "nm"
        else:
            raise FormatError(
                path,
                place=f"line {line}, column 1",
                expected="an axis in nm (150 to 4000) or eV (0.2 to 10), or its unit in the head",
                found=f"numbers from {low:g} to {high:g} without a unit",
                advice="name the unit in the column's head or pass x_unit",
            )
    key = said.lower().replace("^", "").replace("−", "-").replace("⁻¹", "-1").strip()
    if key not in _TO_AXIS:
        raise FormatError(
            path,
            place=f"line {line}, column 1",
            expected="nm, µm, Å, eV, meV or cm-1",
            found=repr(said),
            advice="name the unit in the column's head or pass x_unit",
        )
    unit, factor = _TO_AXIS[key]
    x = np.asarray(x, dtype=float) * factor
    if np.any(x <= 0):
        raise FormatError(
            path,
            place=f"line {line + int(np.argmax(x <= 0))}, column 1",
            expected=f"a positive axis in {unit}",
            found=f"{x[np.argmax(x <= 0)]:g}",
        )
    return x, unit


def _ordered(spectra: Spectra, line: int) -> Spectra:
    """Ascending axis; refuses one that repeats or turns back."""
    steps = np.diff(spectra.x)
    if steps.size and np.all(steps < 0):
        return replace(spectra, x=spectra.x[::-1].copy(), values=spectra.values[:, ::-1].copy())
    down = np.median(steps) < 0
    bad = np.flatnonzero(steps >= 0 if down else steps <= 0)
    if bad.size:
        i = bad[0]
        what = "a repeated value" if steps[i] == 0 else "one that turns back"
        raise FormatError(
            spectra.path,
            place=f"line {line + i + 1}, column 1",
            expected="an axis that rises or falls throughout",
            found=f"{what}: {spectra.x[i]:g} then {spectra.x[i + 1]:g} {spectra.x_unit}",
            advice="sort the file and merge repeated rows",
        )
    if not np.all(np.isfinite(spectra.values)):
        raise FormatError(spectra.path, expected="finite numbers", found="a value that is not")
    return spectra


def _parameters(
    labels: tuple[str, ...], corner: str, metadata: dict, times: bool
) -> tuple[np.ndarray | None, str]:
    """What was varied, from heads such as `30 s`, `t = 0.5 min`, `2.6 V`, `10 mA/cm2`, `12:03:55`; None when they do not say."""
    if len(labels) < 2:
        return None, ""
    clocks = [_clock(label) if ":" in label else None for label in labels]
    if None not in clocks:
        return _since_first(clocks), "s"
    matches = [
        _SERIES.search(label.strip().replace("[", "").replace("]", "").replace("(", ""))
        for label in labels
    ]
    if any(m is None for m in matches):
        return None, ""
    values = np.array([float(m["value"]) for m in matches])
    units = {(m["unit"] or "") for m in matches}
    if units == {""}:
        named = (
            "time" if times else corner + " " + str(metadata.get("Series", "")) + " " + labels[0]
        )
        match = re.search(r"time[^A-Za-z]*(ms|s|sec|min|h)?\b", named, re.IGNORECASE)
        bare = all(parse_number(label) is not None for label in labels)
        if match:
            return values * _SECONDS.get((match[1] or "s").lower(), 1.0), "s"
        if other := re.search(
            r"[(\[]\s*(m?V|[mµu]?A[ /]?cm\^?-?2|mA|A|m?W/?cm\^?-?2)\s*[)\]]",
            str(metadata.get("Series", "")) + corner,
        ):
            return values, other[1]
        return (values, "") if bare else (None, "")
    if units <= set(_SECONDS):
        return np.array([float(m["value"]) * _SECONDS[m["unit"]] for m in matches]), "s"
    return (values, units.pop()) if len(units) == 1 else (None, "")


# ---- JCAMP-DX ----------------------------------------------------------------------------------------------------------


def _jcamp(path: Path) -> tuple[Spectra, ...]:
    """The spectra over wavelength of a JCAMP-DX file, those on one axis together.

    Tried on Ocean Optics SpectraSuite of github.com/ropensci/lightr (`inst/testdata/OceanOptics_period.jdx`, and
    `non_english/OceanOptics_comma.jdx` with decimal commas) and UV-Vis of cheminfo/jcampconverter.
    """
    found: list[tuple[np.ndarray, str, str, np.ndarray, dict]] = []
    for block in jcampdx.select(path, "an optical spectrum over NANOMETERS", _is_over_wavelength):
        table = jcampdx.read_table(block)
        unit, y = table.y_unit.lower(), table.y
        if "transm" in unit:
            unit, y = "transmittance_percent", y if re.search("%|percent", unit) else 100 * y
        elif "absorbance" in unit or unit == "a":
            unit = "absorbance"
        x = table.x
        if np.median(np.diff(x)) < 0:
            x, y = x[::-1], y[::-1]
        if (stuck := np.flatnonzero(np.diff(x) <= 0)).size:
            raise FormatError(
                path,
                place=f"block {block.text('TITLE')!r}",
                expected="wavelengths that rise or fall throughout",
                found=f"{x[stuck[0] + 1]:g} nm beside {x[stuck[0]]:g} nm",
            )
        found.append((x, unit, block.text("TITLE"), y, block.parameters()))
    groups: dict[tuple[bytes, str], list] = {}
    for one in found:
        groups.setdefault((one[0].tobytes(), one[1]), []).append(one)
    return tuple(
        Spectra(
            path,
            group[0][0],
            "nm",
            np.array([y for *_, y, _ in group]),
            tuple(label for _, _, label, _, _ in group),
            group[0][1],
            metadata=group[0][4],
        )
        for group in groups.values()
    )


def _is_over_wavelength(block: jcampdx.Block) -> bool:
    unit = re.sub(r"[^A-Z]", "", block.text("XUNITS").upper())
    return unit in ("NANOMETERS", "NANOMETRES", "NM", "WAVELENGTHNM") and "NMR" not in block.kind
