"""Lifetime logs: luminance, or a signal proportional to it, against time under drive."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import Account, Column, Table, stated
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
    (_, table), *more = read_tables(path)
    if more:
        names = ", ".join(repr(name) for name, _ in more)
        raise FormatError(path, expected="one sheet with numbers", found=f"others: {names}")
    assumed: dict[str, str] = {}
    roles: dict[str, tuple[Column, str]] = {}
    for column in table.columns:
        quantity, unit = identify(column)
        if quantity is None and re.search(
            r"l/l_?0|norm|relative|intensity|signal|^el\b|counts", column.name, re.IGNORECASE
        ):
            quantity = "relative"
        if quantity is None and re.search(r"date|clock", column.name, re.IGNORECASE):
            quantity = "time"
        if quantity:
            roles.setdefault(quantity, (column, unit))
    if "time" not in roles:
        raise FormatError(
            path,
            place="column heads",
            expected="a time column such as Time (min)",
            found=", ".join(map(repr, table.names)),
            advice="name it in the head of the column",
        )
    time = _times(path, *roles["time"], time_unit, table.lines)
    which = next((q for q in ("luminance", "relative", "photocurrent") if q in roles), None)
    if which is None:
        raise FormatError(
            path,
            place="column heads",
            expected="a column of luminance (cd/m2), L/L0 or photodiode current",
            found=", ".join(map(repr, table.names)),
            advice="name it in the head of the column",
        )
    column, unit = roles[which]
    signal = (
        np.asarray(column.values, float) * (0.01 if unit == "%" else 1.0)
        if which == "relative"
        else scaled(path, which, column, unit, assumed, None)
    )
    bad = np.flatnonzero(~np.isfinite(time) | ~np.isfinite(signal))
    if bad.size:
        raise FormatError(
            path,
            place=f"line {table.lines[bad[0]]}",
            expected="a number",
            found="none",
            advice="fill or remove the row",
        )
    back = np.flatnonzero(np.diff(time) <= 0)
    if back.size:
        i = int(back[0])
        raise FormatError(
            path,
            place=f"line {table.lines[i + 1]}",
            expected=f"time after {time[i]:g} s",
            found=f"{time[i + 1]:g} s",
            advice="sort the log, or split it where the run was restarted",
        )
    if time.size < 4:
        raise FormatError(path, expected="at least four times", found=f"{time.size}")
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


def _times(path: Path, column: Column, unit: str, asked: str | None, lines) -> np.ndarray:
    if column.values.dtype.kind == "f":
        unit = asked or unit
        if unit_key(unit) not in FACTORS["time"]:
            raise FormatError(
                path,
                place=f"column {column.name!r}",
                expected="a time unit (s, min, h)",
                found=repr(unit) if unit else "none",
                advice="head it 'Time (min)', or give time_unit",
            )
        return np.asarray(column.values, float) * FACTORS["time"][unit_key(unit)]
    stamps = []
    for i, text in enumerate(column.values):
        for form in (
            None,
            "%d/%m/%Y %H:%M:%S",
            "%d.%m.%Y %H:%M:%S",
            "%Y/%m/%d %H:%M:%S",
            "%H:%M:%S",
        ):
            try:
                stamps.append(
                    datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
                )
                break
            except ValueError:
                continue
        else:
            raise FormatError(
                path,
                place=f"line {lines[i]}",
                expected="a clock stamp such as 2020-05-17 14:03:00",
                found=repr(text),
            )
    return np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])


def _stated(table: Table, pattern: str) -> float | None:
    found = stated(table.path, table.metadata, pattern)
    return found[0] if found else None
