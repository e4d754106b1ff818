"""Tables of device measurements, from text or Excel: what each column is, by its name and unit, and
its values in stated units.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited
from peled.formats.delimited import Column, Table

#: Quantity: patterns of column names (after lower-casing), first match wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "status": (r"^stat(us)?\b", r"^compliance"),
    "power_efficacy": (r"^pe\b", r"power eff", r"lm/w"),
    "current_efficiency": (r"^(ce|le)\b", r"(current|luminous|luminance|cd).{0,3}eff", r"^cd/a"),
    "eqe": (r"\beqe\b", r"external quantum", r"^eta.?ext", r"^η"),
    "radiance": (r"radiance",),
    "flux": (r"(optical|light|radiant|emitted).?(power|flux)", r"^flux"),
    "photocurrent": (
        r"photo.?(diode|current)",
        r"\bi?.?pd\b",
        r"detector",
        r"^ph\b",
        r"^smu ?b.*i",
    ),
    "luminance": (
        r"^lum(inance)?\b",
        r"\bluminance\b",
        r"^lumi?$",
        r"^brightness",
        r"^l_?v?$",
        r"^lv\b",
        r"^l$",
    ),
    "current_density": (r"curr(ent)?[ .]?dens", r"^j\b", r"^j_", r"^jd(ev)?$", r"^cd$", r"\bj$"),
    "voltage": (r"volt", r"^v\b", r"^v_", r"^bias", r"^u$", r"\bv$", r"^vmeas"),
    "current": (r"curr", r"^i\b", r"^i_", r"^amps?\b", r"\bi$", r"^imeas"),
    "time": (r"^time", r"^t$", r"elapsed", r"^timestamp"),
}
FACTORS: dict[str, dict[str, float]] = {
    "voltage": {"v": 1.0, "volt": 1.0, "volts": 1.0, "mv": 1e-3},
    "current": {"a": 1.0, "amp": 1.0, "ma": 1e-3, "ua": 1e-6, "na": 1e-9, "pa": 1e-12},
    "current_density": {"macm-2": 1.0, "acm-2": 1e3, "uacm-2": 1e-3, "nacm-2": 1e-6, "am-2": 0.1},
    "luminance": {
        "cdm-2": 1.0,
        "nit": 1.0,
        "nits": 1.0,
        "kcdm-2": 1e3,
        "cdcm-2": 1e4,
        "fl": 3.4262591,
    },
    "radiance": {
        f"{prefix}{unit}": factor
        for prefix, factor in (("", 1.0), ("m", 1e-3), ("u", 1e-6))
        for unit in ("wsr/m-2", "wsr-1m-2", "wsrm-2", "wm-2sr-1", "w/m2/sr", "wm2/sr-1")
    },
    "flux": {"w": 1.0, "mw": 1e-3, "uw": 1e-6, "nw": 1e-9},
    "eqe": {"%": 0.01, "percent": 0.01, "": 1.0, "1": 1.0, "fraction": 1.0},
    "current_efficiency": {"cda-1": 1.0},
    "power_efficacy": {"lmw-1": 1.0},
    "time": {
        "s": 1.0,
        "sec": 1.0,
        "second": 1.0,
        "seconds": 1.0,
        "ms": 1e-3,
        "min": 60.0,
        "mins": 60.0,
        "minutes": 60.0,
        "h": 3600.0,
        "hr": 3600.0,
        "hour": 3600.0,
        "hours": 3600.0,
        "d": 86400.0,
        "day": 86400.0,
        "days": 86400.0,
    },
}
FACTORS["photocurrent"] = FACTORS["current"]
_DEFAULT_UNIT = {
    "voltage": "V",
    "current": "A",
    "photocurrent": "A",
    "current_density": "mA cm-2",
    "luminance": "cd m-2",
    "radiance": "W sr-1 m-2",
    "flux": "W",
    "current_efficiency": "cd A-1",
    "power_efficacy": "lm W-1",
    "time": "s",
}
_KEITHLEY_NAN = 9.91e37  # what a 2400 writes for a function that was not measured


def read_tables(path: Path, part: str = "") -> list[tuple[str, Table]]:
    """Each table of a text file or workbook, with the heads of a SourceMeter's buffer put right.

    Parameters
    ----------
    path : Path
    part : str
        Of a workbook with a sheet of this name that one alone.

    Returns
    -------
    list of (str, Table)
        The name is empty where there is only one.
    """
    tables = delimited.read_tables(path, part)
    return [(name, _buffer_export(t if any(t.names) else _headless(t))) for name, t in tables]


def _headless(table: Table) -> Table:
    """A Keithley 2400 without heads streams V, I, R, time, status; R is not measured and reads
    9.91E37.
    """
    width = len(table.columns)
    if width in (4, 5) and not np.any(table.columns[2].values < _KEITHLEY_NAN):
        names = ["Voltage", "Current", "Resistance", "Time", "Status"][:width]
        units = ["V", "A", "Ohm", "s", ""]
        columns = zip(names, units, table.columns, strict=False)
        return replace(table, columns=tuple(Column(n, u, c.values) for n, u, c in columns))
    raise table.refuse(
        "column heads such as Voltage (V), Current density (mA/cm2), Luminance (cd/m2)",
        f"{width} columns without names",
        "add a line of heads with units above the numbers",
        row=0,
    )


def _buffer_export(table: Table) -> Table:
    """A Keithley 2450 buffer names its columns Reading and Source Value and says in text columns
    which is volt and which ampere.
    """
    lower = [name.strip().lower() for name in table.names]
    source = next(
        (i for i, name in enumerate(lower) if name in ("source value", "source reading", "source")),
        None,
    )
    if source is None or "reading" not in lower:
        return table
    columns = list(table.columns)
    for value, unit_names in (
        (lower.index("reading"), ("unit", "reading unit", "units")),
        (source, ("source unit", "source units")),
    ):
        units = next(
            (
                columns[i]
                for i, name in enumerate(lower)
                if name in unit_names and columns[i].values.dtype.kind != "f"
            ),
            None,
        )
        word = (
            str(units.values[0]).lower() if units is not None else ("v" if value == source else "a")
        )
        if units is not None and len(set(units.values)) > 1:
            raise table.refuse(
                "one unit for all readings",
                ", ".join(sorted(set(map(str, units.values)))),
                "export the sweep alone",
                place=f"column {units.name!r}",
            )
        name, unit = ("Voltage", "V") if word.startswith("v") else ("Current", "A")
        columns[value] = Column(name, unit, columns[value].values)
    for i, name in enumerate(lower):
        if name == "relative time":
            columns[i] = Column("Time", "s", columns[i].values)
    keep = [
        column
        for i, column in enumerate(columns)
        if i in (lower.index("reading"), source)
        or identify(column)[0] not in ("voltage", "current")
    ]
    return replace(table, columns=tuple(keep))


def identify(column: Column) -> tuple[str | None, str]:
    """The quantity of a column by its name, and its unit.

    Parameters
    ----------
    column : Column
        Its unit may hide in the name (`J_mA_cm2`, `V_V`).

    Returns
    -------
    quantity : str or None
    unit : str
    """
    name, unit = column.name.strip(), column.unit.strip()
    if not (name or unit):  # thousands of them beside a stray cell far out
        return None, ""
    if not unit and (
        match := re.fullmatch(
            r"(.+?)[_ ](m?V|[mµunp]?A|[mµun]?A[_ /]?cm-?2|A[_ /]?m-?2|cd[_ /]?m-?2|cd[_ /]?A|"
            r"lm[_ /]?W|s|min|h|percent|%)",
            name,
        )
    ):
        name, unit = match[1], match[2].replace("_", " ")
    flat = re.sub(r"[_\s]+", " ", name.lower()).strip()
    # Some units belong to one quantity only; the others need the name.
    for quantity in (
        "power_efficacy",
        "current_efficiency",
        "luminance",
        "radiance",
        "current_density",
    ):
        if unit and unit_key(unit) in FACTORS[quantity]:
            return quantity, unit
    for quantity, patterns in _NAMES.items():
        if any(re.search(pattern, flat) for pattern in patterns):
            return quantity, unit
    return {
        "v": "voltage",
        "mv": "voltage",
        "a": "current",
        "ma": "current",
        "ua": "current",
        "na": "current",
    }.get(unit_key(unit)), unit


def unit_key(unit: str) -> str:
    """A unit in one spelling.

    Parameters
    ----------
    unit : str

    Returns
    -------
    str

    Examples
    --------
    >>> unit_key("mA/cm²"), unit_key("mA cm^-2"), unit_key("mA·cm⁻²")
    ('macm-2', 'macm-2', 'macm-2')
    """
    text = (
        unit.lower()
        .replace("µ", "u")
        .replace("μ", "u")
        .replace("²", "2")
        .replace("⁻", "-")
        .replace("−", "-")
        .replace("¹", "1")
    )
    text = re.sub(r"[\s^{}·*().]+", "", text)
    if match := re.fullmatch(r"(.+?)/(.+?)(\d?)", text):
        return f"{match[1]}{match[2]}-{match[3] or '1'}"
    # `mA_cm2`, `cd m2`, `cd A` in column names leave out the stroke.
    text = re.sub(r"^([kmun]?a|k?cd)(c?m)2$", r"\1\2-2", text)
    return {"cda": "cda-1", "lmw": "lmw-1"}.get(text, text)


def scaled(
    path: Path, quantity: str, column: Column, unit: str, assumed: dict[str, str], said: str | None
) -> np.ndarray:
    """Values in the unit of `FACTORS`, from the head, else `said`; what had to be assumed is put
    down.

    Parameters
    ----------
    path : Path
        For the message.
    quantity : str
        A key of `FACTORS`.
    column : Column
        Numbers; readings beyond ±1e30 become NaN.
    unit : str
        As in the head; may be empty.
    assumed : dict
        Column -> unit taken for it; written to where neither head nor `said` gives one.
    said : str or None
        Unit where the head has none.

    Returns
    -------
    (n,) float array
        In the unit whose factor is 1 in `FACTORS`; quantum efficiency as a fraction.

    Raises
    ------
    FormatError
        For a unit that is none of the quantity.
    """
    values = np.asarray(column.values, float)
    values = np.where(np.abs(values) > 1e30, np.nan, values)  # no reading, or overflow
    known = FACTORS[quantity]
    unit = unit or said or ""
    if not unit and quantity == "eqe":
        percent = np.nanmax(values, initial=0.0) > 1.0
        assumed[column.name] = "per cent" if percent else "a fraction"
        return values * (0.01 if percent else 1.0)
    if not unit:
        assumed[column.name] = _DEFAULT_UNIT[quantity]
        return values
    if unit_key(unit) not in known:
        raise FormatError(
            path,
            place=f"column {column.name!r}",
            expected=f"a unit of {quantity.replace('_', ' ')} ({', '.join(k for k in known if k)})",
            found=repr(unit),
            advice="correct the unit in the head of the column",
        )
    return values * known[unit_key(unit)]
