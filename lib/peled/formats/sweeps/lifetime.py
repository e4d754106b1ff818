"""Lifetime logs: luminance, or a signal proportional to it, against time under drive."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats.contract import reader
from peled.formats.delimited import Account, Column, Table, clock_times, stated
from peled.formats.sweeps.columns import FACTORS, identify, read_tables, scaled, unit_key


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
    assumed: dict[str, str] = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)


@reader("a lifetime log as text or .xlsx", missing=("voltage_V",))
def read_lifetime(path: str | os.PathLike, *, part: str = "") -> LifetimeLog:
    """A lifetime log: time (s, min, h, or clock stamps) and luminance, photodiode current or
    relative signal.

    Parameters
    ----------
    path : path-like
    part : str, optional
        Of a workbook with a sheet of this name that one alone.

    Returns
    -------
    LifetimeLog
        Times from the first, s.

    Raises
    ------
    FormatError
        For a missing time or signal column, an unknown or missing time unit, time that does not
        rise, non-finite values.
    """
    path = Path(path)
    (_, table), *more = read_tables(path, part)
    if more:
        found = ", ".join(repr(name) for name, _ in more)
        raise table.refuse("one sheet with numbers", f"others: {found}", place="")
    assumed: dict[str, str] = {}
    roles = _roles(table)
    names, advice = ", ".join(map(repr, table.names)), "name it in the head of the column"
    if "time" not in roles:
        raise table.refuse("a time column such as Time (min)", names, advice)
    time = _times(table, *roles["time"])
    which = next((q for q in ("luminance", "relative", "photocurrent") if q in roles), None)
    if which is None:
        expected = "a column of luminance (cd/m2), L/L0 or photodiode current"
        raise table.refuse(expected, names, advice)
    column, unit = roles[which]
    if which == "relative":
        signal = np.asarray(column.values, float) * (0.01 if unit == "%" else 1.0)
    else:
        signal = scaled(path, which, column, unit, assumed, None)
    for row in np.flatnonzero(~(np.isfinite(signal) & np.isfinite(time)))[:1]:
        raise table.refuse("a number", "none", "fill or remove the row", row=row)
    for row in np.flatnonzero(np.diff(time) <= 0)[:1]:
        expected, found = f"time after {time[row]:g} s", f"{time[row + 1]:g} s"
        advice = "sort the log, or split it where the run was restarted"
        raise table.refuse(expected, found, advice, row=row + 1)
    if time.size < 4:
        raise table.refuse("at least four times", f"{time.size}", place="")
    return LifetimeLog(
        path,
        time - time[0],
        signal,
        {"luminance": "cd m-2", "photocurrent": "A"}.get(which, ""),
        scaled(path, "voltage", *roles["voltage"], assumed, None) if "voltage" in roles else None,
        _stated(table, r"current density|^j\b"),
        _stated(table, r"initial luminance|^l_?0\b"),
        tuple(f"{name}: no unit; taken as {unit}" for name, unit in assumed.items()),
        dict(table.metadata),
        assumed,
        table.account,
    )


def _roles(table: Table) -> dict[str, tuple[Column, str]]:
    """What each column is; the first of its kind counts."""
    signal = re.compile(r"l/l_?0|norm|relative|intensity|signal|^el\b|counts", re.IGNORECASE)
    roles: dict[str, tuple[Column, str]] = {}
    for column in table.columns:
        quantity, unit = identify(column)
        if quantity is None and signal.search(column.name):
            quantity = "relative"
        if quantity is None and re.search(r"date|clock", column.name, re.IGNORECASE):
            quantity = "time"
        if quantity:
            roles.setdefault(quantity, (column, unit))
    return roles


def _times(table: Table, column: Column, unit: str) -> np.ndarray:
    if column.numeric:
        unit = unit_key(unit)
        if unit not in FACTORS["time"]:
            raise table.refuse(
                "a time unit (s, min, h)",
                repr(unit) if unit else "none",
                "head it 'Time (min)'",
                place=f"column {column.name!r}",
            )
        return np.asarray(column.values, float) * FACTORS["time"][unit]
    if (times := clock_times(column.values)) is None:
        odd = (clock_times([text]) is None for text in column.values)
        i = next((k for k, bad in enumerate(odd) if bad), 0)
        expected, found = "clock stamps such as 2020-05-17 14:03:00", repr(column.values[i])
        raise table.refuse(expected, found, row=i)
    return times


def _stated(table: Table, pattern: str) -> float | None:
    found = stated(table.path, table.metadata, pattern)
    return found[0] if found else None
