"""Device measurements of light-emitting diodes: J-V-L sweeps, radiance series of a luminance meter, lifetime logs.

`read_sweeps` reads text (any delimiter, decimal mark, header) and Excel sheets with columns recognised by name and unit: voltage;
current or current density; luminance; photodiode current; EQE, cd/A and lm/W as reported; time; status. Among them are exports of
Keithley 2400/2450 sourcemeters (with or without column heads, status word), of Konica-Minolta CS-2000 and of Hamamatsu C9920-12.
Up and down sweeps come back apart. Nothing is dropped: points in compliance, at a range change, repeated, or without a
luminance reading are kept and flagged.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, read_bytes, read_text
from peled.formats.delimited import Column, Table, split_unit

#: Quantity: patterns of column names (after lower-casing), first match wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "status": (r"^stat(us)?\b", r"^compliance"),
    "power_efficacy": (r"^pe\b", r"power eff", r"lm/w"),
    "current_efficiency": (r"^(ce|le)\b", r"(current|luminous|luminance|cd).{0,3}eff", r"^cd/a"),
    "eqe": (r"\beqe\b", r"external quantum", r"^eta.?ext", r"^η"),
    "photocurrent": (r"photo.?(diode|current)", r"\bi?.?pd\b", r"detector", r"^ph\b", r"^smu ?b.*i"),
    "luminance": (r"^lum(inance)?\b", r"\bluminance\b", r"^lumi?$", r"^brightness", r"^l_?v?$", r"^lv\b", r"^l$"),
    "current_density": (r"curr(ent)?[ .]?dens", r"^j\b", r"^j_", r"^jd(ev)?$", r"^cd$", r"\bj$"),
    "voltage": (r"volt", r"^v\b", r"^v_", r"^bias", r"^u$", r"\bv$", r"^vmeas"),
    "current": (r"curr", r"^i\b", r"^i_", r"^amps?\b", r"\bi$", r"^imeas"),
    "time": (r"^time", r"^t$", r"elapsed", r"^timestamp"),
}
_FACTORS: dict[str, dict[str, float]] = {
    "voltage": {"v": 1.0, "volt": 1.0, "volts": 1.0, "mv": 1e-3},
    "current": {"a": 1.0, "amp": 1.0, "ma": 1e-3, "ua": 1e-6, "na": 1e-9, "pa": 1e-12},
    "current_density": {"macm-2": 1.0, "acm-2": 1e3, "uacm-2": 1e-3, "nacm-2": 1e-6, "am-2": 0.1},
    "luminance": {"cdm-2": 1.0, "nit": 1.0, "nits": 1.0, "kcdm-2": 1e3, "cdcm-2": 1e4, "fl": 3.4262591},
    "eqe": {"%": 0.01, "percent": 0.01, "": 1.0, "1": 1.0, "fraction": 1.0},
    "current_efficiency": {"cda-1": 1.0}, "power_efficacy": {"lmw-1": 1.0},
    "time": {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0, "mins": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
             "d": 86400.0, "day": 86400.0, "days": 86400.0},
}
_FACTORS["photocurrent"] = _FACTORS["current"]
_DEFAULT_UNIT = {"voltage": "V", "current": "A", "photocurrent": "A", "current_density": "mA cm-2", "luminance": "cd m-2", "current_efficiency": "cd A-1", "power_efficacy": "lm W-1", "time": "s"}
_KEITHLEY_NAN = 9.91e37  # what a 2400 writes for a function that was not measured
_COMPLIANCE_BITS = (1 << 3) | (1 << 16)  # status word of the 2400: compliance, range compliance (user's manual, table 18-4)


@dataclass(frozen=True)
class Sweep:
    """One sweep in one direction. Arrays have one length; those the file does not hold are None.

    Attributes
    ----------
    path : Path
    label : str
        Sheet, block or column-group name; "" where there is only one.
    direction : {"up", "down", "hold"}
    voltage_V, current_density_mA_cm2 : ndarray
    luminance_cd_m2, photocurrent_A, reported_eqe, reported_cd_A, time_s : ndarray or None
        `reported_eqe` as a fraction; NaN in `luminance_cd_m2` stands for "no reading" and is said in `notes`.
    compliance, range_change, repeated : ndarray of bool
        The source limited; the current range of the meter changed here with a visible step; the bias point stood before.
    area_cm2 : float or None
    notes : tuple of str
        Everything assumed or noticed.
    metadata : dict
    """

    path: Path
    label: str
    direction: str
    voltage_V: np.ndarray = field(repr=False)
    current_density_mA_cm2: np.ndarray = field(repr=False)
    luminance_cd_m2: np.ndarray | None = field(default=None, repr=False)
    photocurrent_A: np.ndarray | None = field(default=None, repr=False)
    reported_eqe: np.ndarray | None = field(default=None, repr=False)
    reported_cd_A: np.ndarray | None = field(default=None, repr=False)
    time_s: np.ndarray | None = field(default=None, repr=False)
    compliance: np.ndarray = field(default=None, repr=False)
    range_change: np.ndarray = field(default=None, repr=False)
    repeated: np.ndarray = field(default=None, repr=False)
    area_cm2: float | None = None
    notes: tuple[str, ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.voltage_V.size

    @property
    def good(self) -> np.ndarray:
        """Points that a fit may use: not in compliance, not at a range step."""
        return ~(self.compliance | self.range_change)


def read_sweeps(path: str | os.PathLike, *, area_cm2: float | None = None) -> tuple[Sweep, ...]:
    """All sweeps of a file, in their order, split where the direction turns.

    Parameters
    ----------
    path : path-like
        Text or .xlsx. Several devices may stand side by side: each voltage column begins a new one.
    area_cm2 : float, optional
        Device area. Needed where the file gives a current and no area; it overrules an area in the header.

    Raises
    ------
    FormatError
        Naming the place: no voltage or current column, an unknown unit, a current without an area, current and current density that
        do not fit the area, negative luminance beyond noise, missing numbers in voltage or current, fewer than three points.
    """
    path = Path(path)
    if area_cm2 is not None and not 0 < area_cm2 < 1e4:
        raise FormatError(path, expected="a device area in cm² above 0", found=f"{area_cm2:g}", place="parameter area_cm2")
    found: list[Sweep] = []
    for label, table in _tables(path):
        for name, columns in _devices(table):
            found += _split(table, " ".join(filter(None, (label, name))), columns, area_cm2)
    return tuple(found)


def read_sweep(path: str | os.PathLike, *, area_cm2: float | None = None, direction: str = "up") -> Sweep:
    """The one sweep of a file in the given direction.

    Raises
    ------
    FormatError
        If there is none or there are several; and as `read_sweeps`.
    """
    sweeps = read_sweeps(path, area_cm2=area_cm2)
    chosen = [sweep for sweep in sweeps if sweep.direction == direction]
    if len(chosen) != 1:
        raise FormatError(path, expected=f"one sweep {direction}", found=f"{len(chosen)} among {', '.join(s.label + ' ' + s.direction if s.label else s.direction for s in sweeps)}",
                          advice="use read_sweeps")
    return chosen[0]


# ---- tables ----------------------------------------------------------------------------------------------------------


def _tables(path: Path):
    if read_bytes(path, what="a sweep as text or .xlsx")[:4] == b"PK\x03\x04":
        yield from _excel(path)
        return
    table = delimited.read_table(path, allow_missing=True)
    if not any(table.names):
        table = _headless(table)
    yield "", _buffer_export(table)


def _headless(table: Table) -> Table:
    """A Keithley 2400 without heads streams V, I, R, time, status; R is not measured and reads 9.91E37."""
    width = len(table.columns)
    if width in (4, 5) and np.all(table.columns[2].values >= _KEITHLEY_NAN):
        names = ["Voltage", "Current", "Resistance", "Time", "Status"][:width]
        units = ["V", "A", "Ohm", "s", ""]
        return Table(table.path, tuple(Column(n, u, c.values) for n, u, c in zip(names, units, table.columns, strict=False)), table.header, table.footer, table.metadata, table.first_line)
    raise FormatError(table.path, expected="column heads such as Voltage (V), Current density (mA/cm2), Luminance (cd/m2)", found=f"{width} columns without names",
                      place=f"line {table.first_line}", advice="add a line of heads with units above the numbers")


def _buffer_export(table: Table) -> Table:
    """A Keithley 2450 buffer names its columns Reading and Source Value and says in text columns which is volt and which ampere."""
    lower = [name.strip().lower() for name in table.names]
    source = next((i for i, name in enumerate(lower) if name in ("source value", "source reading", "source")), None)
    if source is None or "reading" not in lower:
        return table
    columns = list(table.columns)
    for value, unit_names in ((lower.index("reading"), ("unit", "reading unit", "units")), (source, ("source unit", "source units"))):
        units = next((columns[i] for i, name in enumerate(lower) if name in unit_names and columns[i].values.dtype.kind != "f"), None)
        word = str(units.values[0]).lower() if units is not None else ("v" if value == source else "a")
        if units is not None and len(set(units.values)) > 1:
            raise FormatError(table.path, place=f"column {units.name!r}", expected="one unit for all readings", found=", ".join(sorted(set(map(str, units.values)))), advice="export the sweep alone")
        name, unit = ("Voltage", "V") if word.startswith("v") else ("Current", "A")
        columns[value] = Column(name, unit, columns[value].values)
    for i, name in enumerate(lower):
        if name == "relative time":
            columns[i] = Column("Time", "s", columns[i].values)
    keep = [column for i, column in enumerate(columns) if i in (lower.index("reading"), source) or _identify(column)[0] not in ("voltage", "current")]
    return Table(table.path, tuple(keep), table.header, table.footer, table.metadata, table.first_line)


def _excel(path: Path):
    import zipfile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=False, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise FormatError(path, expected="an Excel workbook (.xlsx)", found=f"a file that does not open ({error})", advice="save it again as .xlsx or .csv") from None
    got = 0
    for sheet in book.worksheets:
        rows = [[cell for cell in row] for row in sheet.iter_rows(values_only=True)]
        table = _sheet_table(path, sheet.title, rows)
        if table is not None:
            got += 1
            yield (sheet.title if len(book.worksheets) > 1 else ""), table
    if not got:
        raise FormatError(path, expected="a sheet with columns of numbers", found=f"none in {len(book.worksheets)} sheets")


def _sheet_table(path: Path, title: str, rows: list[list]) -> Table | None:
    def is_number(cell) -> bool:
        return isinstance(cell, (int, float)) and not isinstance(cell, bool)

    start = next((i for i in range(len(rows) - 1) if sum(map(is_number, rows[i])) >= 2 and sum(map(is_number, rows[i + 1])) >= 2), None)
    if start is None:
        return None
    heads_row = next((i for i in range(start - 1, -1, -1) if any(isinstance(cell, str) for cell in rows[i])), None)
    stop = start
    while stop < len(rows) and any(is_number(cell) for cell in rows[stop]):
        stop += 1
    used = [j for j in range(len(rows[start])) if any(j < len(row) and row[j] is not None for row in rows[start:stop])]
    columns = []
    for j in used:
        head = str(rows[heads_row][j] or "") if heads_row is not None else ""
        values = []
        for i in range(start, stop):
            cell = rows[i][j]
            if cell is not None and not is_number(cell) and not isinstance(cell, str):
                cell = str(cell)
            if isinstance(cell, str):
                number = delimited.parse_number(cell, "," if "," in cell and "." not in cell else ".")
                if number is None and cell.strip().lower() not in delimited._MISSING:
                    values = None
                    break
                cell = np.nan if number is None else number
            values.append(np.nan if cell is None else float(cell))
        if values is not None:
            columns.append(Column(*split_unit(head), np.array(values)))
        else:  # a column of words: kept as text
            columns.append(Column(*split_unit(head), np.array([str(rows[i][j]) for i in range(start, stop)])))
    above = rows[: heads_row if heads_row is not None else start]
    metadata = {str(row[0]).strip().rstrip(":="): str(next((c for c in row[1:] if c is not None), "")) for row in above if row and row[0] is not None}
    return Table(path, tuple(columns), tuple(" ".join(str(c) for c in row if c is not None) for row in above), (), metadata, start + 1)


# ---- columns ---------------------------------------------------------------------------------------------------------


def _identify(column: Column) -> tuple[str | None, str]:
    """The quantity of a column by its name, and its unit; units may hide in the name (`J_mA_cm2`, `V_V`)."""
    name, unit = column.name.strip(), column.unit.strip()
    if not unit and (match := re.fullmatch(r"(.+?)[_ ](m?V|[mµunp]?A|[mµun]?A[_ /]?cm-?2|A[_ /]?m-?2|cd[_ /]?m-?2|cd[_ /]?A|lm[_ /]?W|s|min|h|percent|%)", name)):
        name, unit = match[1], match[2].replace("_", " ")
    flat = re.sub(r"[_\s]+", " ", name.lower()).strip()
    # Some units belong to one quantity only; the others need the name.
    for quantity in ("power_efficacy", "current_efficiency", "luminance", "current_density"):
        if unit and _unit(unit) in _FACTORS[quantity]:
            return quantity, unit
    for quantity, patterns in _NAMES.items():
        if any(re.search(pattern, flat) for pattern in patterns):
            return quantity, unit
    return {"v": "voltage", "mv": "voltage", "a": "current", "ma": "current", "ua": "current", "na": "current"}.get(_unit(unit)), unit


def _unit(unit: str) -> str:
    """A unit in one spelling: `mA/cm²`, `mA cm^-2`, `mA/cm2`, `mA·cm⁻²` are all `macm-2`."""
    text = unit.lower().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("⁻", "-").replace("−", "-").replace("¹", "1")
    text = re.sub(r"[\s^{}·*().]+", "", text)
    if match := re.fullmatch(r"(.+?)/(.+?)(\d?)", text):
        return f"{match[1]}{match[2]}-{match[3] or '1'}"
    # `mA_cm2`, `cd m2`, `cd A` in column names leave out the stroke.
    text = re.sub(r"^([kmun]?a|k?cd)(c?m)2$", r"\1\2-2", text)
    return {"cda": "cda-1", "lmw": "lmw-1"}.get(text, text)


def _scaled(path: Path, quantity: str, column: Column, unit: str, notes: list[str]) -> np.ndarray:
    values = np.asarray(column.values, float)
    if quantity == "eqe" and not unit:
        percent = np.nanmax(values, initial=0.0) > 1.0
        notes.append(f"{column.name}: no unit; taken as {'per cent' if percent else 'a fraction'}")
        return values * (0.01 if percent else 1.0)
    if not unit:
        notes.append(f"{column.name}: no unit; taken as {_DEFAULT_UNIT[quantity]}")
        return values
    known = _FACTORS[quantity]
    if _unit(unit) not in known:
        raise FormatError(path, place=f"column {column.name!r}", expected=f"a unit of {quantity.replace('_', ' ')} ({', '.join(k for k in known if k)})", found=repr(unit),
                          advice="correct the unit in the head of the column")
    return values * known[_unit(unit)]


def _devices(table: Table):
    """Groups of columns, one a device: every further voltage column begins a new group."""
    groups: list[dict[str, tuple[Column, str]]] = [{}]
    for column in table.columns:
        if column.values.dtype.kind != "f" and _identify(column)[0] != "status":
            continue
        quantity, unit = _identify(column)
        if quantity is None:
            continue
        if quantity in groups[-1]:
            if quantity == "voltage" and {"current", "current_density"} & set(groups[-1]):
                groups.append({})
            else:
                # A second column of the same kind in one device: the one that says it was measured wins.
                first, second = groups[-1][quantity][0], column
                if re.search(r"meas|sense", second.name, re.IGNORECASE) and not re.search(r"meas|sense", first.name, re.IGNORECASE):
                    groups[-1][quantity] = (column, unit)
                    continue
                if re.search(r"meas|sense", first.name, re.IGNORECASE) or re.search(r"source|set|prog", second.name, re.IGNORECASE):
                    continue
                raise FormatError(table.path, place="column heads", expected=f"one column of {quantity.replace('_', ' ')}", found=f"{first.name!r} and {second.name!r}",
                                  advice="rename the one that is not meant")
        groups[-1][quantity] = (column, unit)
    for number, group in enumerate(groups, 1):
        yield (f"device {number}" if len(groups) > 1 else ""), group


def _area(table: Table) -> float | None:
    lines = [*table.header, *table.footer, *(f"{key} {value}" for key, value in table.metadata.items())]
    for line in lines:
        if not (word := re.search(r"\barea\b", line.replace("_", " "), re.IGNORECASE)):
            continue
        rest = line[word.end() :]
        unit = re.search(r"(mm|cm|um|µm|μm|m)\s*\^?\s*[2²]", rest)
        number = re.search(r"[-+]?(\d+[.,]?\d*|\.\d+)(?:[eE][-+]?\d+)?", rest.replace(unit[0], " ") if unit else rest)
        if number and (value := float(number[0].replace(",", "."))) > 0:
            return value * {"mm": 1e-2, "cm": 1.0, "um": 1e-8, "µm": 1e-8, "μm": 1e-8, "m": 1e4}[unit[1] if unit else "cm"]
    return None


def _split(table: Table, label: str, columns: dict[str, tuple[Column, str]], area_cm2: float | None) -> list[Sweep]:
    path, notes = table.path, []
    place = f"{label or 'column heads'}"
    if "voltage" not in columns:
        raise FormatError(path, place=place, expected="a voltage column such as Voltage (V)", found=", ".join(map(repr, table.names)), advice="name it in the head of the column")
    if not {"current", "current_density"} & set(columns):
        raise FormatError(path, place=place, expected="a column of current (A) or current density (mA/cm2)", found=", ".join(map(repr, table.names)), advice="name it in the head of the column")
    got = {q: _scaled(path, q, *columns[q], notes) for q in columns if q != "status"}
    area = area_cm2 if area_cm2 is not None else _area(table)
    if area_cm2 is None and area is not None:
        notes.append(f"device area {area:g} cm² from the header")
    if "current_density" in got:
        density = got["current_density"]
        if "current" in got and area is not None:
            _refuse_unfit_area(path, place, got["current"], density, area)
    elif area is None:
        raise FormatError(path, place=place, expected="a device area beside a current in A", found="none in the header or the parameters", advice="give area_cm2, or a line 'Area (cm2): 0.045' above the columns")
    else:
        density = got["current"] * 1e3 / area
    voltage = got["voltage"]
    for name, values in (("voltage", voltage), ("current", density)):
        bad = np.flatnonzero(~np.isfinite(values) | (np.abs(values) > 1e30))
        if bad.size:
            raise FormatError(path, place=f"line {table.first_line + bad[0]}, {name}", expected="a number", found="none" if np.isnan(values[bad[0]]) else f"{values[bad[0]]:.3g} (overflow)", advice="remove the row or measure it again")
    lum = got.get("luminance")
    if lum is not None:
        lum = np.where(np.abs(lum) > 1e30, np.nan, lum)
        empty = int(np.isnan(lum).sum())
        if empty:
            notes.append(f"luminance: {empty} of {lum.size} points without a reading")
        # Noise about zero in the dark is real and kept; more than 1 % of the maximum below zero is a wrong sign or offset.
        if np.nanmin(lum, initial=0.0) < -0.01 * max(np.nanmax(lum, initial=0.0), 0.0) - 0.5:
            worst = int(np.nanargmin(lum))
            raise FormatError(path, place=f"line {table.first_line + worst}, luminance", expected="no luminance below the noise about zero", found=f"{lum[worst]:.3g} cd/m2", advice="check sign and dark offset")
    if voltage.size < 3:
        raise FormatError(path, place=place, expected="at least three bias points", found=f"{voltage.size}")
    compliance = _compliance(columns.get("status"), voltage, density)
    if compliance.any():
        notes.append(f"{int(compliance.sum())} points in compliance")
    current_A = got["current"] if "current" in got else density * 1e-3 * (area or np.nan)
    sweeps = []
    for direction, part in _directions(voltage):
        steps = _range_changes(voltage[part], density[part], current_A[part], compliance[part])
        repeated = np.r_[False, np.abs(np.diff(voltage[part])) < 1e-9] if part.stop - part.start > 1 else np.zeros(1, bool)
        own = list(notes)
        if steps.any():
            own.append(f"{int(steps.sum())} points at a step between current ranges")
        if repeated.any() and direction != "hold":
            own.append(f"{int(repeated.sum())} repeated bias points")
        if direction == "hold":
            own.append("bias held: no sweep in this part")

        def cut(values, part=part):
            return None if values is None else values[part]

        sweeps.append(Sweep(path, label, direction, voltage[part], density[part], cut(lum), cut(got.get("photocurrent")), cut(got.get("eqe")), cut(got.get("current_efficiency")), cut(got.get("time")),
                            compliance[part], steps, repeated, area, tuple(own), dict(table.metadata)))
    return sweeps


def _refuse_unfit_area(path: Path, place: str, current_A: np.ndarray, density: np.ndarray, area: float) -> None:
    large = np.abs(density) > 0.01 * np.nanmax(np.abs(density))
    if large.any():
        implied = float(np.median(current_A[large] * 1e3 / density[large]))
        if not 0.98 < implied / area < 1.02:
            raise FormatError(path, place=place, expected=f"current and current density that fit the area {area:g} cm2", found=f"an area of {implied:.4g} cm2 between the two columns",
                              advice="correct the area, or the units of one of the columns")


def _compliance(status: tuple[Column, str] | None, voltage: np.ndarray, density: np.ndarray) -> np.ndarray:
    """From the status column where there is one, and from a current that stands still at its maximum while the voltage goes on."""
    found = np.zeros(voltage.size, bool)
    if status is not None:
        values = status[0].values
        if values.dtype.kind == "f":
            word = np.nan_to_num(values).astype(np.int64)
            # A column of 0 and 1 is a flag, not the 24-bit word of a 2400.
            found |= word == 1 if word.max(initial=0) <= 1 else (word & _COMPLIANCE_BITS) > 0
        else:
            found |= np.array([bool(re.search(r"compl|limit|^c$|^true$", str(v), re.IGNORECASE)) for v in values])
    top = np.nanmax(np.abs(density))
    flat = (np.abs(np.abs(density) / top - 1) < 2e-4) & (top > 0)
    run = np.flatnonzero(flat)
    if run.size >= 3 and np.ptp(voltage[run]) > 0:
        found |= flat
    return found


def _directions(voltage: np.ndarray):
    """Slices of one direction each. A turn is where the voltage goes back by more than half a typical step."""
    step = np.diff(voltage)
    moving = np.abs(step[np.abs(step) > 1e-12])
    if moving.size == 0:
        return [("hold", slice(0, voltage.size))]
    threshold = 0.5 * float(np.median(moving))
    parts, start, extreme, sign = [], 0, 0, 0.0
    for i in range(1, voltage.size):
        if sign == 0.0:
            if abs(voltage[i] - voltage[start]) > threshold:
                sign, extreme = np.sign(voltage[i] - voltage[start]), i
        elif sign * (voltage[i] - voltage[extreme]) >= 0:
            extreme = i
        elif sign * (voltage[extreme] - voltage[i]) > threshold:
            # A point measured twice at the turn belongs half to each side.
            turn = extreme - 1 if extreme > start and abs(voltage[extreme] - voltage[extreme - 1]) < 1e-9 else extreme
            parts.append((sign, start, turn + 1))
            start, sign, extreme = turn + 1, -sign, i
    parts.append((sign, start, voltage.size))
    return [("up" if s > 0 else "down" if s < 0 else "hold", slice(a, b)) for s, a, b in parts]


def _range_changes(voltage: np.ndarray, density: np.ndarray, current_A: np.ndarray, compliance: np.ndarray) -> np.ndarray:
    """Points where |I| passes a range end (decades × 1.05 of a 2400) and log|I| steps out of line with its neighbours."""
    found = np.zeros(voltage.size, bool)
    if voltage.size < 9 or not np.isfinite(current_A).all():
        return found
    with np.errstate(divide="ignore"):
        y = np.log10(np.abs(current_A))
        decade = np.ceil(np.log10(np.abs(current_A) / 1.05))
    usable = np.isfinite(y) & ~compliance
    for i in np.flatnonzero(np.diff(decade) != 0):
        around = np.arange(max(i - 4, 0), min(i + 6, voltage.size))
        around = around[usable[around]]
        if around.size < 8 or (around <= i).sum() < 3 or (around > i).sum() < 3:
            continue
        # A cubic with a step at the crossing: the step must stand out of the scatter and be more than 2 %.
        x = (voltage[around] - voltage[i]) / max(np.ptp(voltage[around]), 1e-12)
        design = np.column_stack([np.ones(x.size), x, x**2, x**3, around > i])
        coefficients, *_ = np.linalg.lstsq(design, y[around], rcond=None)
        residual = y[around] - design @ coefficients
        spread = np.linalg.pinv(design.T @ design)[-1, -1] * (residual @ residual) / (x.size - 5)
        if abs(coefficients[-1]) > max(6 * np.sqrt(spread), 0.0086):
            found[i + 1] = True
    return found


# ---- luminance meter -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Radiances:
    """Measurements of a spectroradiometer: spectral radiance and its own luminance for each.

    Attributes
    ----------
    wavelength_nm : ndarray (n,)
    radiance : ndarray (m, n)
        W sr⁻¹ m⁻² nm⁻¹.
    luminance_cd_m2 : ndarray (m,) or None
        As the instrument states it.
    labels : tuple of str
    metadata : dict
        Further rows of the head (integration time, x, y, ...), a tuple each.
    """

    path: Path
    wavelength_nm: np.ndarray = field(repr=False)
    radiance: np.ndarray = field(repr=False)
    luminance_cd_m2: np.ndarray | None
    labels: tuple[str, ...]
    metadata: dict = field(default_factory=dict, repr=False)


def read_radiances(path: str | os.PathLike) -> Radiances:
    """A Konica-Minolta CS-2000 export (CS-S10w): a column a measurement, rows named (Lv, x, y, ...), then one row a wavelength.

    Raises
    ------
    FormatError
        If there are no rows of wavelengths, or rows of unequal length.
    """
    path = Path(path)
    lines = read_text(path, what="a CS-2000 export").split("\n")
    delimiter = max("\t,;", key=lambda d: sum(line.count(d) for line in lines))
    decimal = "," if delimiter != "," and re.search(r"\d,\d", "".join(lines)) else "."
    wavelength, values, head = [], [], {}
    for number, line in enumerate(lines, 1):
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        while len(cells) > 1 and not cells[-1]:
            cells.pop()
        if len(cells) < 2:
            continue
        match = re.fullmatch(r"(?:Le\()?\s*(\d{3,4}(?:[.,]\d+)?)\s*(?:nm)?\s*\)?", cells[0])
        row = [delimited.parse_number(cell, decimal) for cell in cells[1:]]
        if match and None not in row:
            if values and len(row) != len(values[0]):
                raise FormatError(path, place=f"line {number}", expected=f"{len(values[0])} values", found=f"{len(row)}", advice="mend or remove the line")
            wavelength.append(float(match[1].replace(",", ".")))
            values.append(row)
        elif not match:
            head[cells[0]] = tuple(cells[1:])
    if len(values) < 5:
        raise FormatError(path, expected="rows that begin with a wavelength in nm", found=f"{len(values)}", advice="export with spectral data")
    order = np.argsort(wavelength)
    luminance = next((head[key] for key in head if re.fullmatch(r"L_?v\b.*|Luminance.*", key, re.IGNORECASE)), None)
    lum = None
    if luminance is not None:
        parsed = [delimited.parse_number(cell, decimal) for cell in luminance]
        lum = np.array(parsed, float) if None not in parsed and len(parsed) == len(values[0]) else None
    labels = next((head[key] for key in head if re.search(r"data.?name|sample|^no\.?$|comment", key, re.IGNORECASE)), tuple(str(i + 1) for i in range(len(values[0]))))
    return Radiances(path, np.array(wavelength)[order], np.array(values, float)[order].T.copy(), lum, tuple(labels), head)


# ---- lifetime --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LifetimeLog:
    """Luminance (or a signal proportional to it) against time under drive.

    Attributes
    ----------
    time_s : ndarray (n,)
        From the first point, rising.
    signal : ndarray (n,)
    signal_unit : str
        "cd m-2", "A" (photodiode) or "" (relative).
    voltage_V : ndarray or None
    current_density_mA_cm2, initial_luminance_cd_m2 : float or None
        From the header or parameters.
    """

    path: Path
    time_s: np.ndarray = field(repr=False)
    signal: np.ndarray = field(repr=False)
    signal_unit: str
    voltage_V: np.ndarray | None = field(default=None, repr=False)
    current_density_mA_cm2: float | None = None
    initial_luminance_cd_m2: float | None = None
    notes: tuple[str, ...] = ()
    metadata: dict = field(default_factory=dict, repr=False)


def read_lifetime(path: str | os.PathLike, *, time_unit: str | None = None) -> LifetimeLog:
    """A lifetime log: time (s, min, h, or clock stamps) and luminance, photodiode current or relative signal.

    Parameters
    ----------
    time_unit : str, optional
        Where the head of the time column does not say.

    Raises
    ------
    FormatError
        For a missing time or signal column, an unknown or missing time unit, time that does not rise, non-finite values.
    """
    path = Path(path)
    (_, table), *_ = _tables(path)
    notes: list[str] = []
    roles: dict[str, tuple[Column, str]] = {}
    for column in table.columns:
        quantity, unit = _identify(column)
        if quantity is None and re.search(r"l/l_?0|norm|relative|intensity|signal|^el\b|counts", column.name, re.IGNORECASE):
            quantity = "relative"
        if quantity is None and re.search(r"date|clock", column.name, re.IGNORECASE):
            quantity = "time"
        if quantity:
            roles.setdefault(quantity, (column, unit))
    if "time" not in roles:
        raise FormatError(path, place="column heads", expected="a time column such as Time (min)", found=", ".join(map(repr, table.names)), advice="name it in the head of the column")
    time = _times(path, *roles["time"], time_unit, table.first_line)
    which = next((q for q in ("luminance", "relative", "photocurrent") if q in roles), None)
    if which is None:
        raise FormatError(path, place="column heads", expected="a column of luminance (cd/m2), L/L0 or photodiode current", found=", ".join(map(repr, table.names)), advice="name it in the head of the column")
    column, unit = roles[which]
    signal = np.asarray(column.values, float) * (0.01 if unit == "%" else 1.0) if which == "relative" else _scaled(path, which, column, unit, notes)
    bad = np.flatnonzero(~np.isfinite(signal))
    if bad.size:
        raise FormatError(path, place=f"line {table.first_line + bad[0]}", expected="a number", found="none", advice="fill or remove the row")
    back = np.flatnonzero(np.diff(time) <= 0)
    if back.size:
        i = int(back[0])
        raise FormatError(path, place=f"line {table.first_line + i + 1}", expected=f"time after {time[i]:g} s", found=f"{time[i + 1]:g} s", advice="sort the log, or split it where the run was restarted")
    if time.size < 4:
        raise FormatError(path, expected="at least four times", found=f"{time.size}")
    return LifetimeLog(path, time - time[0], signal, {"luminance": "cd m-2", "photocurrent": "A"}.get(which, ""), _scaled(path, "voltage", *roles["voltage"], notes) if "voltage" in roles else None,
                       _stated(table, r"current density|^j\b"), _stated(table, r"initial luminance|^l_?0\b"), tuple(notes), dict(table.metadata))


def _times(path: Path, column: Column, unit: str, asked: str | None, first_line: int) -> np.ndarray:
    if column.values.dtype.kind == "f":
        unit = asked or unit
        if _unit(unit) not in _FACTORS["time"]:
            raise FormatError(path, place=f"column {column.name!r}", expected="a time unit (s, min, h)", found=repr(unit) if unit else "none", advice="head it 'Time (min)', or give time_unit")
        return np.asarray(column.values, float) * _FACTORS["time"][_unit(unit)]
    stamps = []
    for i, text in enumerate(column.values):
        for form in (None, "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%H:%M:%S"):
            try:
                stamps.append(datetime.fromisoformat(text) if form is None else datetime.strptime(text, form))
                break
            except ValueError:
                continue
        else:
            raise FormatError(path, place=f"line {first_line + i}", expected="a clock stamp such as 2020-05-17 14:03:00", found=repr(text))
    return np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])


def _stated(table: Table, pattern: str) -> float | None:
    for key, value in table.metadata.items():
        if re.search(pattern, key, re.IGNORECASE) and (match := re.match(r"\s*([-+]?\d+[.,]?\d*(?:[eE][-+]?\d+)?)", value)):
            return float(match[1].replace(",", "."))
    return None
