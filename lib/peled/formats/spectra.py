"""Spectra as instruments export them: one or many, against wavelength or photon energy, alone or as
a timed series.

What is read, told from content: text and CSV with any common delimiter and decimal mark; Ocean
Optics SpectraSuite and OceanView (single and time series); Horiba FluorEssence and LabSpec (single,
and matrices with the axis along the first row); Edinburgh F900/Fluoracle; Shimadzu UVProbe; Cary
WinUV with a pair of columns a sample. The axis comes back ascending, as the file has it (nm or eV):
a spectral density is not converted here, because that takes a Jacobian.

Tried on files not written here: the text exports of Avantes, CRAIC, Ocean Optics (SpectraSuite,
OceanView, Jaz, English and not) among those of github.com/ropensci/lightr (`inst/testdata`; 29 of
31 are read, one has no head over its axis and one no columns), FluoTracer and the LuQY Pro of
github.com/nomad-hzb/nomad-hysprint (`tests/data`); the other makes on files written here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, jcampdx, read_bytes
from peled.formats.contract import reader
from peled.formats.delimited import (
    Account,
    Column,
    Sheet,
    Table,
    clock_times,
    parse_number,
    sheets_of,
    split_unit,
)
from peled.materials import AXES_NM, HC_EV_NM

_TO_AXIS = {
    "nm": ("nm", 1.0),
    "um": ("nm", 1e3),
    "µm": ("nm", 1e3),
    "μm": ("nm", 1e3),
    "å": ("nm", 0.1),
    "a": ("nm", 0.1),
    "ev": ("eV", 1.0),
    "mev": ("eV", 1e-3),
    "cm-1": ("eV", 1e-7 * HC_EV_NM),
    "1/cm": ("eV", 1e-7 * HC_EV_NM),
}
_AXIS_WORD = re.compile(
    r"wave ?length|lambda|λ|energy|wave ?number|^wl(?![a-z])|^nm\.?$|^ev$|^e$|^x$",
    re.IGNORECASE,
)
_UNIT_WORD = re.compile(r"(?<![A-Za-z])(nm|µm|μm|um|Å|meV|eV|cm\^?[-−]1|cm⁻¹|1/cm)(?![A-Za-z])")
_NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_AREAL = r"(?:[mµu]?[AW]|[µu]J)[ /]?cm(?:\^?[-−]?2|⁻²|²)"
_SERIES = re.compile(
    rf"(?:^|[\s=:,_@])(?P<value>{_NUMBER})\s*"
    r"(?P<unit>ms|s|sec|secs|seconds|min|mins|minutes|h|hours?|m?V|volts?|[µu]?A|mA|K|°C|nm|"
    rf"{_AREAL})?\s*\)?$"
)
#: A number with the unit of a drive or a time within a head.
_DRIVEN = rf"(?<=[\s=:,;_@(]){_NUMBER}\s*(?:{_AREAL}|m?s|sec|min|h|m?V|[mµu]?A)"
_SETTING = re.compile(
    r"time|^t(?![a-z])|delay|scan|sample|film|device|pixel|bias|volt|current|power|fluence|"
    r"temperature|run|index|^no\b",
    re.IGNORECASE,
)
_SETTING_UNIT = re.compile(
    r"[(\[]\s*(m?V|[mµu]?A[ /]?cm(?:\^?-?2|²|⁻²)|mA|A|m?W/?cm\^?-?2)\s*[)\]]"
)
_QUANTITY = re.compile(
    r"intensity|signal|counts?(/s)?|cps|cts|photons?|emission|absorption|absorbance|abs\b|"
    r"transmi\w+|reflect\w+|optical density|O\.?D\.?\b|a\.? ?u\b|arb\w*|units?|"
    r"[µm]?W[^)\]]*|\b(PL|EL|T|R|A|y)\b",
    re.IGNORECASE,
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
        As in the file (µm, Å → nm; meV, cm⁻¹ → eV). An emission spectrum in the file is a density
        per this unit.
    values : ndarray, shape (m, n)
        One row a spectrum, as in the file; NaN where it calls a value missing.
    labels : tuple of str
        Names of the m spectra.
    value_unit : str
        "absorbance", "absorptance", "absorptance_percent", "transmittance_percent", or the unit as
        headed ("counts", "a.u.", ""), lower case.
    parameter : ndarray, shape (m,), or None
        What was varied along the series, when the heads say so: times in s, voltages, currents,
        powers.
    parameter_unit : str
        Its unit: "s" for times, else as headed.
    metadata : dict
    account : Account
        What each line of the file was taken for.
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
    account: Account = field(default_factory=Account, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def heads(self) -> str:
        """The first labels and the last, for a message."""
        return ", ".join(map(repr, dict.fromkeys((*self.labels[:2], self.labels[-1]))))

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


@reader("spectra as text", missing=("values",))
def read_spectra(path: str | os.PathLike, *, x_unit: str | None = None) -> Spectra:
    """All spectra of a file, which must share one axis.

    Parameters
    ----------
    path : path-like
    x_unit : {"nm", "eV", "cm-1", ...}, optional
        Unit of the axis when the file does not say (and its range does not tell).

    Returns
    -------
    Spectra

    Raises
    ------
    FormatError
        With the place: no numbers, one column, text among numbers, an axis that turns back or
        repeats, an unknown unit, or samples on different axes (then use `read_each`).
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


@reader("spectra as text or .xlsx", missing=("values",))
def read_each(
    path: str | os.PathLike, *, x_unit: str | None = None, part: str = ""
) -> tuple[Spectra, ...]:
    """All spectra of a file, grouped by axis; of a workbook those of all sheets.

    Parameters
    ----------
    path : path-like
    x_unit : str, optional
        As in `read_spectra`.
    part : str
        Of a workbook with a sheet of this name that one alone.

    Returns
    -------
    tuple of Spectra

    Raises
    ------
    FormatError
        As `read_spectra`.
    """
    what = "a text file with a spectrum"
    if jcampdx.is_jcampdx(read_bytes(path, what=what)[:4096]):
        return _jcamp(Path(path), x_unit)
    sheets = sheets_of(path, part, what=what)
    return tuple(group for _, sheet in sheets for group in _each(sheet, x_unit))


def sniff_each(path: str | os.PathLike, *, part: str = "") -> tuple[Spectra, ...]:
    """As `read_each`, to tell what a file holds: numbers in another unit than their head names are
    spectra all the same, here over nm.

    Parameters
    ----------
    path : path-like
    part : str

    Returns
    -------
    tuple of Spectra

    Raises
    ------
    FormatError
        As `read_each`, else.
    """
    try:
        return read_each(path, part=part)
    except FormatError as error:
        if _MISNAMED not in error.expected:
            raise
    return read_each(path, x_unit="nm", part=part)


def _each(sheet: Sheet, x_unit: str | None) -> tuple[Spectra, ...]:
    if found := _series_by_row(sheet, x_unit):
        return (found,)
    table = delimited.table_of(sheet, allow_missing=True)
    numeric = [j for j, column in enumerate(table.columns) if column.numeric]
    if len(numeric) < 2:
        raise table.refuse(
            "at least two columns: axis and signal",
            f"{len(numeric)}",
            "export the axis beside the signal",
            row=0,
        )
    axes = _axes(table, numeric)
    if len(axes) > 1:
        return _side_by_side(table, numeric, axes, x_unit)
    table.refuse_missing(axes)
    if len(keys := _keys(table, numeric, axes[0])):
        return _long(table, numeric, axes[0], keys, x_unit)
    return (_columns(table, numeric, axes[0], x_unit),)


# ---- spectra in columns, with one axis or several ------------------------------------------------


def _axes(table: Table, numeric: list[int]) -> list[int]:
    """The columns that are an axis: by their heads, else the first; a nameless second one is
    refused.
    """
    heads = [column.head for column in table.columns]
    named = [j for j in numeric if _AXIS_WORD.search(heads[j])]
    certain = [j for j in named if _UNIT_WORD.search(heads[j]) or "wave" in heads[j].lower()]
    if len(certain) > 1:
        return certain
    axis = (named or numeric)[0]
    again = [j for j in numeric if heads[j] and heads[j] == heads[axis]]
    if len(again) > 1:
        return again
    return [axis]


def _side_by_side(table: Table, numeric: list[int], axes: list[int], x_unit) -> tuple[Spectra, ...]:
    """Each axis with the columns to its right up to the next; a shorter sample ends with empty
    cells.
    """
    stem = delimited.stem(table.path)
    found, before = [], [j for j in numeric if j < axes[0]]
    if before:
        raise table.refuse(
            "an axis to the left of each spectrum",
            repr(table.columns[before[0]].head),
            place=f"column {before[0] + 1}",
        )
    for k, axis in enumerate(axes):
        stop = axes[k + 1] if k + 1 < len(axes) else len(table.columns)
        for j in [j for j in numeric if axis < j < stop]:
            filled = np.flatnonzero(
                ~np.isnan(table.columns[axis].values) | ~np.isnan(table.columns[j].values)
            )
            rows = slice(0, int(filled[-1]) + 1 if filled.size else 0)
            table.refuse_missing((axis,), rows)
            if rows.stop < 2:
                raise table.refuse(
                    "at least two points",
                    f"{rows.stop}",
                    "export the sample again or remove its columns",
                    place=f"column {axis + 1}",
                )
            name = table.columns[j].name
            above = table.above[-2] if len(table.above) > 1 else [""] * len(table.columns)
            said = above[axis] or above[j]
            generic = (
                not name or _value_unit([name]) or [c.name for c in table.columns].count(name) > 1
            )
            label = said if said and generic else (f"{stem} {k + 1}" if generic else name)
            x, unit = _axis(table, axis, x_unit, rows)
            y = table.columns[j].values[None, rows]
            value_unit = _value_unit([table.columns[j].head])
            one = Spectra(table.path, x, unit, y, (label,), value_unit)
            found.append(_ordered(one, table.lines[rows]))
    return _grouped(found, table)


def _grouped(found: list[Spectra], table: Table) -> tuple[Spectra, ...]:
    """Spectra on equal axes together, in the order of the first of each."""
    groups: list[Spectra] = []
    for one in found:
        for g, other in enumerate(groups):
            units = (other.x_unit, other.value_unit) == (one.x_unit, one.value_unit)
            same = units and other.x.shape == one.x.shape
            if same and np.allclose(other.x, one.x, rtol=0, atol=1e-6):
                values = np.vstack([other.values, one.values])
                groups[g] = replace(other, values=values, labels=other.labels + one.labels)
                break
        else:
            groups.append(one)
    done = []
    for g in groups:
        parameter, unit = _parameters(g.labels, "", table.metadata, False)
        kept = {"metadata": table.metadata, "account": table.account}
        done.append(replace(g, parameter=parameter, parameter_unit=unit, **kept))
    return tuple(done)


def _keys(table: Table, numeric: list[int], axis: int) -> list[int]:
    """Columns that say which spectrum a row belongs to, where the rows of several stand in one
    column.
    """
    steps = np.diff(table.columns[axis].values)
    if np.all(steps > 0) or np.all(steps < 0):
        return []
    many = [j for j in range(len(table.columns)) if len(set(table.columns[j].values)) > 1]
    words = [j for j in many if j not in numeric]
    settings = [j for j in many if j in numeric[:-1] and j != axis]
    return words + [j for j in settings if _SETTING.search(table.columns[j].head)]


def _long(table: Table, numeric, axis: int, keys: list[int], x_unit) -> tuple[Spectra, ...]:
    """One row a point: columns that name the spectrum, one axis, one or more signals."""
    rows: dict[str, list[int]] = {}
    for i in range(len(table)):
        words = (
            f"{c.values[i]:g} {c.unit}".strip() if c.numeric else str(c.values[i])
            for c in (table.columns[j] for j in keys)
        )
        rows.setdefault(", ".join(words), []).append(i)
    signals = [j for j in numeric if j != axis and j not in keys]
    found = []
    for label, at in rows.items():
        x, unit = _axis(table, axis, x_unit, at)
        for j in signals:
            column = table.columns[j]
            name = label if len(signals) == 1 else f"{label}, {column.name}"
            y = column.values[None, at]
            one = Spectra(table.path, x, unit, y, (name,), _value_unit([column.head]))
            found.append(_ordered(one, table.lines[at]))
    return _grouped(found, table)


def _columns(table: Table, numeric: list[int], axis: int, x_unit: str | None) -> Spectra:
    head = table.columns[axis].head
    if re.search("time|channel", head, re.IGNORECASE) and not _UNIT_WORD.search(head):
        raise table.refuse("a wavelength or energy axis", f"a column headed {head!r}")
    x, unit = _axis(table, axis, x_unit)
    others = [j for j in numeric if j != axis]
    table.refuse_second_axis(others)
    labels, value_unit, times = _labels(table, others)
    values = np.array([table.columns[j].values for j in others])
    parameter, parameter_unit = _parameters(labels, head, table.metadata, times)
    found = Spectra(table.path, x, unit, values, labels, value_unit, parameter, parameter_unit)
    return _ordered(replace(found, metadata=table.metadata, account=table.account), table.lines)


def _labels(table: Table, others: list[int]) -> tuple[tuple[str, ...], str, bool]:
    """Names of the spectra and the unit of their values, from the heads, a `Labels` line or the
    rows above.
    """
    names = [table.columns[j].head for j in others]
    said = [str(table.metadata.get(key, "")) for key in ("Yaxis", "Y-axis", "Y Axis")]
    unit = _value_unit(names + said)
    # A row of names or of times above a row of repeated quantities (Edinburgh, Horiba, hand-made
    # tables).
    generic = len({n.lower() for n in names}) < len(names) or all(
        not n or _value_unit([n]) or delimited.is_unit(n) for n in names
    )
    for cells in reversed(table.above) if generic else ():
        row = [cells[j] for j in others]
        corner = re.match(r"labels?|time|sample|name|$|\W*$|wave", cells[0], re.IGNORECASE)
        if row != names and all(row) and len(set(row)) == len(row) and corner:
            return tuple(row), unit, bool(re.match(r"time", cells[0], re.IGNORECASE))
    if joined := _in_lines(table, others, names):
        return joined, unit, False
    stem = delimited.stem(table.path)
    if len(names) == 1:
        # `%T neat` names a sample, `Intensity (a.u.)` does not.
        rest = _QUANTITY.sub("", names[0])
        return (names[0] if re.search(r"\w", rest) else stem,), unit, False
    return tuple(n or f"{stem} {k + 1}" for k, n in enumerate(names)), unit, False


def _in_lines(table: Table, others: list[int], names: list[str]) -> tuple[str, ...]:
    """Heads in several lines (`P1` over `2.5 V`), where the lines above tell more than the last;
    else nothing. An empty cell goes on with the one to its left.
    """
    same = len(set(names)) < len(names)
    if not same and not all((m := _SERIES.search(n)) and m["unit"] for n in names):
        return ()
    said = [n for n in names if n and not (_value_unit([n]) or delimited.is_unit(n))]
    heads = names if len(said) == len(names) else [""] * len(names)
    found = ()
    for cells in reversed(table.above[:-1]):
        row = [cells[j] for j in others]
        for k, cell in enumerate(row[1:], start=1):
            row[k] = cell or row[k - 1]
        words = all(re.search(r"[^\W\d_]", _beside(cell)) for cell in row)
        counts = re.search(r"time|integration|exposure|average|gain", cells[0], re.IGNORECASE)
        if not all(row) or len(set(row)) == 1 or counts or not (same or words):
            continue
        heads = [f"{cell} {head}".strip() for cell, head in zip(row, heads, strict=True)]
        found = tuple(heads)
        if same and len(set(heads)) == len(heads):
            break
    return found


def _value_unit(names: list[str]) -> str:
    for name in names:
        if re.search(r"%\s*T\b|transmit", name, re.IGNORECASE):
            return "transmittance_percent"
        if re.search(r"absorptance|\bEQE\b|\bIPCE\b|quantum efficiency", name, re.IGNORECASE):
            return "absorptance_percent" if "%" in name else "absorptance"
        if re.search(r"\babs(orbance|\.|\b)|\bO\.?D\.?\b|optical density", name, re.IGNORECASE):
            return "absorbance"
    for name in names:
        if match := re.search(
            r"counts?/s|cps|counts?|cts|photons?|a\.? ?u\.?|arb|µW[^)\]]*|[mnuμ]?W/?[^)\]]*nm",
            name,
            re.IGNORECASE,
        ):
            return match[0].lower()
    return ""


def choose(groups: Sequence[Spectra], part: str) -> Spectra:
    """The spectrum of a name.

    Parameters
    ----------
    groups : sequence of Spectra
        As `read_each` gives them.
    part : str

    Returns
    -------
    Spectra
        That one alone.

    Raises
    ------
    FormatError
        If there is none of that name, or more than one.
    """
    places = [(g, k) for g in groups for k, label in enumerate(g.labels) if label == part]
    if len(places) == 1:
        group, k = places[0]
        one = {"values": group.values[k : k + 1], "labels": (part,)}
        return replace(group, **one, parameter=None, parameter_unit="")
    labels = [label for g in groups for label in g.labels]
    raise FormatError(
        groups[0].path,
        place="heads of the spectra",
        expected=f"one spectrum {part!r}",
        found=f"{len(places)} of them" if places else ", ".join(map(repr, labels)),
        advice="head each with a name of its own" if places else "name one of these",
    )


# ---- a matrix with the axis along the first row --------------------------------------------------


def _series_by_row(sheet: Sheet, x_unit: str | None) -> Spectra | None:
    """OceanView and LabSpec time series: a row of wavelengths, then a row a spectrum that leads
    with its time.
    """
    head = next((i for i in sheet.content[:400] if _is_axis_row(*sheet.row(i))), None)
    body = [i for i in sheet.content if head is not None and i > head]
    body = [i for i in body if not sheet.lines[i].startswith((">", "#"))]
    if not body:
        return None
    cells, numbers = sheet.row(head)
    first = next(j for j, number in enumerate(numbers) if number is not None)
    last = max(j for j, cell in enumerate(cells) if cell)
    x = numbers[first : last + 1]
    if None in x:
        j = first + x.index(None)
        raise sheet.refuse(head, "a wavelength", repr(cells[j]), "mend the cell", j)
    width = sheet.width(body)
    lead = width - len(x)
    if not 1 <= lead <= 3:
        return None
    if lead > 1 and not all(cells[1:lead]) and (lead > 2 or not _counts_on(sheet, body)):
        raise sheet.refuse(
            head, "a wavelength or a head over each column", "an empty cell", column=1
        )
    down = [sheet.row(i)[1][0] for i in body]
    if lead == 1 and len(body) > 15 and _rising(down, 100) and not _rising(x, 100):
        return None  # spectra in columns headed by numbers
    values = np.array([sheet.numbers(i, len(x), skip=lead, missing=True) for i in body])
    sheet.claims[head] = "head"
    account = sheet.settle(width)
    corner = " ".join(cells[:first])
    axis = Column(*split_unit(cells[0]), np.array(x))
    table = Table(sheet.path, (axis,), np.full(len(x), head + 1), metadata=sheet.metadata)
    x, unit = _axis(table, 0, x_unit)
    stamps = [sheet.row(i)[0][0] for i in body]
    found = Spectra(
        sheet.path,
        x,
        unit,
        values,
        tuple(stamps),
        _value_unit([corner]),
        *_stamps(sheet, body, stamps, corner),
        sheet.metadata,
        account,
    )
    return _ordered(found, table.lines)


def _counts_on(sheet: Sheet, body: list[int]) -> bool:
    """Whether the second column is that clock of whole numbers which OceanView leaves headless."""
    cells = [sheet.row(i)[0][1] for i in body]
    odd = [i for i, cell in zip(body, cells, strict=True) if not cell.isdecimal()]
    if 2 * len(odd) >= len(body):
        return False
    for i in odd:
        raise sheet.refuse(i, "a whole number", repr(sheet.row(i)[0][1]), "mend the cell", 1)
    return bool(np.all(np.diff([int(cell) for cell in cells]) >= 0))


def _is_axis_row(cells: list[str], numbers: list) -> bool:
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


def _stamps(sheet: Sheet, body: list[int], stamps: list[str], corner: str):
    numbers = [sheet.row(i)[1][0] for i in body]
    if None not in numbers:
        if other := _SETTING_UNIT.search(corner):
            return np.array(numbers), other[1]
        match = re.search(r"\(?\b(ms|s|sec|min|h)\b\)?\s*$|time", corner, re.IGNORECASE)
        factor = _SECONDS.get((match[1] or "s").lower(), 1.0) if match else 1.0
        return np.array(numbers) * factor, "s"
    if (times := clock_times(stamps)) is None:
        mixed = any(n is not None for n in numbers)
        odd = (
            n is None if mixed else clock_times([s]) is None
            for n, s in zip(numbers, stamps, strict=True)
        )
        i = body[next((k for k, bad in enumerate(odd) if bad), 0)]
        expected = "a time, as a number, hh:mm:ss or a date such as 2026-11-28 12:00:00"
        raise sheet.refuse(i, expected, repr(sheet.row(i)[0][0]), "mend the cell", 0)
    return times, "s"


# ---- JCAMP-DX ------------------------------------------------------------------------------------

_JCAMP_AXES = {
    "NANOMETERS": "nm",
    "NANOMETRES": "nm",
    "MICROMETERS": "µm",
    "1CM": "cm-1",
    "ELECTRONVOLTS": "eV",
    "EV": "eV",
    "NM": "nm",
    "WAVELENGTHNM": "nm",
}


def _jcamp(path: Path, x_unit: str | None) -> tuple[Spectra, ...]:
    """Spectra over wavelength or energy, as UV-Vis and fibre spectrometers write them.

    Tried on Ocean Optics SpectraSuite of github.com/ropensci/lightr
    (`inst/testdata/OceanOptics_period.jdx`, `non_english/OceanOptics_comma.jdx`) and UV-Vis of
    cheminfo/jcampconverter (`uv.jdx`) and nzhagen/jcamp (`blckpac1.jdx`).
    """

    def unit(block) -> str:
        if re.search(r"INFRA|\bFT-?IR|RAMAN|NEUTRON|NMR|MASS", block.kind):
            return ""
        return _JCAMP_AXES.get(re.sub(r"[^A-Z1]", "", block.text("XUNITS").upper()), "")

    found = []
    for block in jcampdx.select(path, "a spectrum over NANOMETERS, 1/CM or EV", unit):
        data = jcampdx.read_table(block)
        line = np.full(
            data.x.size, min(r.line for records in block.records.values() for r in records)
        )
        table = Table(path, (Column("", unit(block), data.x),), line, metadata=block.parameters())
        x, kind = _axis(table, 0, x_unit)
        label = block.text("TITLE") or delimited.stem(path)
        one = Spectra(path, x, kind, *_jcamp_values(data, label), metadata=block.parameters())
        found.append(_ordered(one, line))
    return _grouped(found, table)


def _jcamp_values(data: jcampdx.Table, label: str) -> tuple[np.ndarray, tuple[str], str]:
    """Values, label and unit; TRANSMITTANCE of the standard is a fraction, with a % it is none."""
    unit = data.y_unit.lower()
    if "transm" in unit:
        percent = data.y if re.search("%|percent", unit) else 100 * data.y
        return percent[None], (label,), "transmittance_percent"
    return data.y[None], (label,), "absorbance" if unit in ("a", "absorbance") else unit


# ---- axis and series -----------------------------------------------------------------------------


def _axis(table: Table, j: int, asked: str | None, rows=slice(None)) -> tuple[np.ndarray, str]:
    """Column `j` as an axis in nm or eV, and which: by request, head, metadata, or range."""
    head, x = table.columns[j].head, table.columns[j].values[rows]
    line = table.lines[rows]
    said = asked or ""
    if not said:
        keys = ("Xaxis", "X-axis", "X Axis", "XUNITS", "AxisUnit", "AxisUnit[1]", "Units")
        texts = [head] + [str(table.metadata.get(key, "")) for key in keys]
        said = next((m[1] for t in texts if (m := _UNIT_WORD.search(t))), "")
        if not said and any(re.search("wave ?length", t, re.IGNORECASE) for t in texts):
            said = "nm" if np.min(x) > 20 else "µm"
        elif not said and any(re.search("energy", t, re.IGNORECASE) for t in texts):
            said = "eV" if np.max(x) < 50 else ""
    if not said:
        low, high = float(np.min(x)), float(np.max(x))
        if 0.2 <= low < high <= 10:
            said = "eV"
        elif 150 <= low < high <= 4000:
            said = "nm"
        else:
            raise table.refuse(
                "an axis in nm (150 to 4000) or eV (0.2 to 10), or its unit in the head",
                f"numbers from {low:g} to {high:g} without a unit",
                "name the unit in the column's head or pass x_unit",
                place=f"line {line[0]}, column {j + 1}",
            )
    key = said.lower().replace("^", "").replace("−", "-").replace("⁻¹", "-1").strip()
    if key not in _TO_AXIS:
        raise table.refuse(
            "nm, µm, Å, eV, meV or cm-1",
            repr(said),
            "name the unit in the column's head or pass x_unit",
            place=f"line {line[0]}, column {j + 1}",
        )
    unit, factor = _TO_AXIS[key]
    _refuse_another_unit(table, j, x, said, None if asked else key, line)
    x = x * factor
    if np.any(x <= 0):
        raise table.refuse(
            f"a positive axis in {unit}",
            f"{x[np.argmax(x <= 0)]:g}",
            place=f"line {line[np.argmax(x <= 0)]}, column {j + 1}",
        )
    return x, unit


_MISNAMED = "numbers in the unit that the head names"


def _refuse_another_unit(table: Table, j: int, x, said: str, key: str | None, line) -> None:
    """Numbers that are no light in the unit of their head and are in another are refused."""

    def lit(unit: str) -> bool:
        to, factor = _TO_AXIS[unit]
        nm = x * factor if to == "nm" else HC_EV_NM / np.maximum(x * factor, 1e-9)
        return bool(AXES_NM[0] <= nm.min() and nm.max() <= AXES_NM[1])

    others = [one for one in ("nm", "eV", "cm-1") if lit(one.lower())]
    if key is None or lit(key) or not others:
        return
    raise table.refuse(
        f"{_MISNAMED}, {said}",
        f"{np.min(x):g} to {np.max(x):g}, which fit {' or '.join(others)}",
        f"correct the head, or write {others[0]} into the column spectral_unit of the sample sheet",
        place=f"line {line[0]}, column {j + 1}",
    )


def _ordered(spectra: Spectra, lines: np.ndarray) -> Spectra:
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
            place=f"line {lines[i + 1]}",
            expected="an axis that rises or falls throughout",
            found=f"{what}: {spectra.x[i]:g} then {spectra.x[i + 1]:g} {spectra.x_unit}",
            advice="sort the file and merge repeated rows",
        )
    return spectra


def _beside(head: str) -> str:
    """What a head says beside how its spectrum was driven: the sample, or nothing."""
    parts = re.split(r"[\s,;:@_]+", re.sub(rf"{_DRIVEN}(?![^\W_])", " ", f" {head}"))
    return " ".join(filter(None, (part.strip("=.#-") for part in parts))).lower()


def _parameters(
    labels: tuple[str, ...], corner: str, metadata: dict, times: bool
) -> tuple[np.ndarray | None, str]:
    """What was varied, from heads such as `30 s`, `t = 0.5 min`, `2.6 V`, `10 mA/cm2`, `12:03:55`;
    None when they do not say, or name several samples (`P1 2.6 V`, `P2 2.6 V`).
    """
    if len(labels) < 2:
        return None, ""
    if (times := clock_times(labels)) is not None:
        return times, "s"
    matches = [
        _SERIES.search(label.strip().replace("[", "").replace("]", "").replace("(", ""))
        for label in labels
    ]
    if any(m is None for m in matches):
        return None, ""
    values = np.array([float(m["value"].replace(",", ".")) for m in matches])
    units = {(m["unit"] or "") for m in matches}
    if units <= set(_SECONDS):
        values, units = values * [_SECONDS[m["unit"]] for m in matches], {"s"}
    names = {_beside(m.string[: m.start()]) for m in matches}
    # Time runs on by itself: stages of one sample may each have a name (`T90 @ 3 min`).
    stages = units == {"s"} and len(names) == len(labels) > 2 and np.all(np.diff(values) > 0)
    if len(names) > 1 and not stages:
        return None, ""
    if units == {""}:
        named = (
            "time" if times else corner + " " + str(metadata.get("Series", "")) + " " + labels[0]
        )
        match = re.search(r"time[^A-Za-z]*(ms|s|sec|min|h)?\b", named, re.IGNORECASE)
        bare = all(parse_number(label.replace(",", ".")) is not None for label in labels)
        if match:
            return values * _SECONDS.get((match[1] or "s").lower(), 1.0), "s"
        if other := _SETTING_UNIT.search(str(metadata.get("Series", "")) + corner):
            return values, other[1]
        return (values, "") if bare else (None, "")
    return (values, units.pop()) if len(units) == 1 else (None, "")
