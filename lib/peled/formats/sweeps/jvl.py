"""J-V-L sweeps: directions kept apart, compliance, range steps and repeated points flagged."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import Account, Column, Table, stated_number
from peled.formats.sweeps.columns import identify, read_tables, scaled, unit_key

_WHAT = "a J-V-L sweep as text or .xlsx"
_MISSING = (
    "luminance_cd_m2", "photocurrent_A", "radiance_W_sr_m2", "flux_W", "reported_eqe",
    "reported_cd_A", "time_s",
)  # fmt: skip
_COMPLIANCE_BITS = (1 << 3) | (
    1 << 16
)  # status word of the 2400: compliance, range compliance (user's manual, table 18-4)


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
    radiance_W_sr_m2, flux_W : ndarray or None
        `reported_eqe` as a fraction; NaN in `luminance_cd_m2` stands for "no reading" and is said
        in `notes`.
    compliance, range_change, repeated : ndarray of bool
        The source limited; the current range of the meter changed here with a visible step; the
        bias point stood before.
    area_cm2 : float or None
    notes : tuple of str
        Everything assumed or noticed.
    metadata : dict
    assumed : dict
        Columns whose head names no unit, and the unit taken for it; `current_unit` or
        `luminance_unit` says another.
    account : Account
        What each line of the file (or sheet) was taken for.
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
    assumed: dict[str, str] = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)
    radiance_W_sr_m2: np.ndarray | None = field(default=None, repr=False)
    flux_W: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.voltage_V.size

    @property
    def good(self) -> np.ndarray:
        """Points that a fit may use: not in compliance, not at a range step."""
        return ~(self.compliance | self.range_change)


@reader(_WHAT, missing=_MISSING)
def read_sweeps(
    path: str | os.PathLike,
    *,
    area_cm2: float | None = None,
    current_unit: str | None = None,
    luminance_unit: str | None = None,
    part: str = "",
) -> tuple[Sweep, ...]:
    """All sweeps of a file, in their order, split where the direction turns.

    Parameters
    ----------
    path : path-like
        Text or .xlsx. Several devices may stand side by side: each voltage column begins a new one.
    area_cm2 : float, optional
        Device area. Needed where the file gives a current and no area; it overrules an area in the
        header.
    current_unit, luminance_unit : str, optional
        Units of current (or current density) and luminance where their heads name none.
    part : str, optional
        Of a workbook with a sheet of this name that one alone.

    Returns
    -------
    tuple of Sweep

    Raises
    ------
    FormatError
        Naming the place: no voltage or current column, an unknown unit, a current without an area,
        current and current density that do not fit the area, negative luminance beyond noise,
        missing numbers in voltage or current, fewer than three points.
    """
    path = Path(path)
    if area_cm2 is not None and not 0 < area_cm2 < 1e4:
        raise FormatError(
            path,
            expected="a device area in cm² above 0",
            found=f"{area_cm2:g}",
            place="parameter area_cm2",
        )
    found: list[Sweep] = []
    units = {"current": current_unit, "current_density": current_unit, "luminance": luminance_unit}
    for label, table in read_tables(path, part):
        unknown = [
            c.head or f"column {j + 1}"
            for j, c in enumerate(table.columns)
            if c.numeric and identify(c)[0] is None
        ]
        for name, columns in _devices(table):
            label_of = " ".join(filter(None, (label, name)))
            sweeps = _split(table, label_of, columns, area_cm2, units)
            said = (f"not used: {', '.join(unknown)}",) if unknown else ()
            found += [replace(sweep, notes=sweep.notes + said) for sweep in sweeps]
    return tuple(found)


def _devices(table: Table):
    """Groups of columns, one a device: every further voltage column begins a new group, and beside
    nothing but a voltage every current density is one, under its own head.
    """
    found = [(column, *identify(column)) for column in table.columns]
    if len(found) > 2 and [quantity for _, quantity, _ in found] == ["voltage"] + [
        "current_density"
    ] * (len(found) - 1):
        voltage, *densities = [(column, unit) for column, _, unit in found]
        for one in densities:
            yield one[0].name, {"voltage": voltage, "current_density": one}
        return
    groups: list[dict[str, tuple[Column, str]]] = [{}]
    for column, quantity, unit in found:
        if quantity is None or not (column.numeric or quantity == "status"):
            continue
        if quantity in groups[-1]:
            if quantity == "voltage" and {"current", "current_density"} & set(groups[-1]):
                groups.append({})
            else:
                # A second column of the same kind in one device: the one that says it was measured
                # wins.
                first, second = groups[-1][quantity][0], column
                if re.search(r"meas|sense", second.name, re.IGNORECASE) and not re.search(
                    r"meas|sense", first.name, re.IGNORECASE
                ):
                    groups[-1][quantity] = (column, unit)
                    continue
                if re.search(r"meas|sense", first.name, re.IGNORECASE) or re.search(
                    r"source|set|prog", second.name, re.IGNORECASE
                ):
                    continue
                raise table.refuse(
                    f"one column of {quantity.replace('_', ' ')}",
                    f"{first.name!r} and {second.name!r}",
                    "rename the one that is not meant",
                )
        groups[-1][quantity] = (column, unit)
    for number, group in enumerate(groups, 1):
        yield (f"device {number}" if len(groups) > 1 else ""), group


def _area(table: Table) -> float | None:
    """cm² from the first line that speaks of an area and holds a number above 0."""
    for line in table.notes:
        word = re.search(r"\barea\b|fl(ä|ae)che", line.replace("_", " "), re.IGNORECASE)
        if not word:
            continue
        rest = line[word.end() :].replace("_", " ")
        unit = re.search(r"(mm|cm|um|µm|μm|m)\s*\^?\s*[2²]", rest)
        number = stated_number(rest.replace(unit[0], " ") if unit else rest)
        if number and number[0] > 0:
            factors = {"mm": 1e-2, "cm": 1.0, "um": 1e-8, "µm": 1e-8, "μm": 1e-8, "m": 1e4}
            return number[0] * factors[unit[1] if unit else "cm"]
    return None


def _split(
    table: Table,
    label: str,
    columns: dict[str, tuple[Column, str]],
    area_cm2: float | None,
    units: dict[str, str | None],
) -> list[Sweep]:
    path, assumed, place = table.path, {}, label or "column heads"
    names, advice = ", ".join(map(repr, table.names)), "name it in the head of the column"
    if "voltage" not in columns:
        raise table.refuse("a voltage column such as Voltage (V)", names, advice, place=place)
    if not {"current", "current_density"} & set(columns):
        expected = "a column of current (A) or current density (mA/cm2)"
        raise table.refuse(expected, names, advice, place=place)
    got = {q: scaled(path, q, *columns[q], assumed, units.get(q)) for q in columns if q != "status"}
    notes = [f"{name}: no unit; taken as {unit}" for name, unit in assumed.items()]
    for q, unit in units.items():
        headed = columns[q][1] if q in columns else ""
        if unit and headed and unit_key(unit) != unit_key(headed):
            notes.append(f"{columns[q][0].name}: the sheet says {unit}, the head {headed}, taken")
    headed = _area(table)
    area = headed if area_cm2 is None else area_cm2
    if area_cm2 is None and area is not None:
        notes.append(f"device area {area:g} cm² from the header")
    elif headed is not None and not 0.999 < headed / area < 1.001:
        notes.append(f"device area: the sheet says {area:g} cm², taken, the head {headed:g} cm²")
    voltage, density = got["voltage"], _density(table, place, got, area)
    for name, values in (("voltage", voltage), ("current", density)):
        for row in np.flatnonzero(np.isnan(values))[:1]:
            advice = "remove the row or measure it again"
            raise table.refuse("a number", "no reading, or overflow", advice, row=row, place=name)
    if "luminance" in got:
        _look_at_luminance(table, got["luminance"], notes)
    if voltage.size < 3:
        raise table.refuse("at least three bias points", f"{voltage.size}", place=place)
    compliance = _compliance(columns.get("status"), voltage, density)
    if compliance.any():
        notes.append(f"{int(compliance.sum())} points in compliance")
    got |= {"voltage": voltage, "density": density, "compliance": compliance}
    current_A = got.get("current", density * 1e-3 * (area or np.nan))
    shared = {"area_cm2": area, "assumed": assumed, "account": table.account}
    return [
        replace(
            _part(
                table,
                label,
                direction,
                {q: v[part] for q, v in got.items()},
                current_A[part],
                notes,
            ),
            **shared,
        )
        for direction, part in _directions(voltage)
    ]


def _part(
    table: Table, label: str, direction: str, got: dict, current_A: np.ndarray, notes: list[str]
) -> Sweep:
    """One direction of a sweep."""
    steps = _range_changes(got["voltage"], got["density"], current_A, got["compliance"])
    repeated = np.r_[False, np.abs(np.diff(got["voltage"])) < 1e-9]
    own = []
    if steps.any():
        own.append(f"{int(steps.sum())} points at a step between current ranges")
    if repeated.any() and direction != "hold":
        own.append(f"{int(repeated.sum())} repeated bias points")
    if direction == "hold":
        own.append("bias held: no sweep in this part")
    return Sweep(
        table.path,
        label,
        direction,
        got["voltage"],
        got["density"],
        *(got.get(q) for q in ("luminance", "photocurrent", "eqe", "current_efficiency", "time")),
        got["compliance"],
        steps,
        repeated,
        notes=(*notes, *own),
        metadata=dict(table.metadata),
        radiance_W_sr_m2=got.get("radiance"),
        flux_W=got.get("flux"),
    )


def _density(table: Table, place: str, got: dict, area: float | None) -> np.ndarray:
    """Current density in mA cm⁻², as it stands or from current and area."""
    if "current_density" in got:
        if "current" in got and area is not None:
            _refuse_unfit_area(table.path, place, got["current"], got["current_density"], area)
        return got["current_density"]
    if area is None:
        raise table.refuse(
            "a device area beside a current in A",
            "none in the header or the parameters",
            "give area_cm2, or a line 'Area (cm2): 0.045' above the columns",
            place=place,
        )
    return got["current"] * 1e3 / area


def _look_at_luminance(table: Table, lum: np.ndarray, notes: list[str]) -> None:
    """Points without a reading are said; one far below zero is refused."""
    if empty := int(np.isnan(lum).sum()):
        notes.append(f"luminance: {empty} of {lum.size} points without a reading")
    # Noise about zero in the dark is real and kept; more than 1 % of the maximum below zero is a
    # wrong sign or offset.
    if np.nanmin(lum, initial=0.0) < -0.01 * max(np.nanmax(lum, initial=0.0), 0.0) - 0.5:
        row = int(np.nanargmin(lum))
        expected, found = "no luminance below the noise about zero", f"{lum[row]:.3g} cd/m2"
        advice = "check sign and dark offset"
        raise table.refuse(expected, found, advice, row=row, place="luminance")


def _refuse_unfit_area(
    path: Path, place: str, current_A: np.ndarray, density: np.ndarray, area: float
) -> None:
    large = np.abs(density) > 0.01 * np.nanmax(np.abs(density))
    if large.any():
        implied = float(np.median(current_A[large] * 1e3 / density[large]))
        if not 0.98 < implied / area < 1.02:
            raise FormatError(
                path,
                place=place,
                expected=f"current and current density that fit the area {area:g} cm2",
                found=f"an area of {implied:.4g} cm2 between the two columns",
                advice="correct the area, or the units of one of the columns",
            )


def _compliance(
    status: tuple[Column, str] | None, voltage: np.ndarray, density: np.ndarray
) -> np.ndarray:
    """From the status column where there is one, and from a current that stands still at its
    maximum while the voltage goes on.
    """
    found = np.zeros(voltage.size, bool)
    if status is not None:
        values = status[0].values
        if values.dtype.kind == "f":
            word = np.nan_to_num(values).astype(np.int64)
            # A column of 0 and 1 is a flag, not the 24-bit word of a 2400.
            found |= word == 1 if word.max(initial=0) <= 1 else (word & _COMPLIANCE_BITS) > 0
        else:
            found |= np.array(
                [bool(re.search(r"compl|limit|^c$|^true$", str(v), re.IGNORECASE)) for v in values]
            )
    top = np.nanmax(np.abs(density))
    flat = np.abs(np.abs(density) - top) < 2e-4 * top
    run = np.flatnonzero(flat)
    if run.size >= 3 and np.ptp(voltage[run]) > 0:
        found |= flat
    return found


def _directions(voltage: np.ndarray):
    """Slices of one direction each. A turn is where the voltage goes back by more than half a
    typical step.
    """
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
            turn = (
                extreme - 1
                if extreme > start and abs(voltage[extreme] - voltage[extreme - 1]) < 1e-9
                else extreme
            )
            parts.append((sign, start, turn + 1))
            start, sign, extreme = turn + 1, -sign, i
    parts.append((sign, start, voltage.size))
    return [("up" if s > 0 else "down" if s < 0 else "hold", slice(a, b)) for s, a, b in parts]


def _range_changes(
    voltage: np.ndarray, density: np.ndarray, current_A: np.ndarray, compliance: np.ndarray
) -> np.ndarray:
    """Points where |I| passes a range end (decades × 1.05 of a 2400) and log|I| steps out of line
    with its neighbours.
    """
    found = np.zeros(voltage.size, bool)
    if voltage.size < 9 or not np.isfinite(current_A).all():
        return found
    with np.errstate(divide="ignore"):
        y = np.log10(np.abs(current_A))
        decade = np.ceil(np.log10(np.abs(current_A) / 1.05))
    usable = np.isfinite(y) & ~compliance
    for i in np.flatnonzero(decade[1:] != decade[:-1]):
        around = np.arange(max(i - 4, 0), min(i + 6, voltage.size))
        around = around[usable[around]]
        if around.size < 8 or (around <= i).sum() < 3 or (around > i).sum() < 3:
            continue
        # A cubic with a step at the crossing: the step must stand out of the scatter and be more
        # than 2 %.
        x = (voltage[around] - voltage[i]) / max(np.ptp(voltage[around]), 1e-12)
        design = np.column_stack([np.ones(x.size), x, x**2, x**3, around > i])
        coefficients, *_ = np.linalg.lstsq(design, y[around], rcond=None)
        residual = y[around] - design @ coefficients
        spread = np.linalg.pinv(design.T @ design)[-1, -1] * (residual @ residual) / (x.size - 5)
        if abs(coefficients[-1]) > max(6 * np.sqrt(spread), 0.0086):
            found[i + 1] = True
    return found
