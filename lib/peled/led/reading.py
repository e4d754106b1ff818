"""What lies in a folder of light-emitting diodes: what a file is, and a row of the sheet as
data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from peled.conditioning import ConditioningError, Plan, Signal, condition, plan
from peled.formats import FormatError
from peled.formats.delimited import read_tables, sheets_of
from peled.formats.spectra import Spectra, choose, read_each, sniff_each
from peled.formats.sweeps import Sweep, read_lifetime, read_sweeps
from peled.led.ceiling import read_stack
from peled.lineshapes import to_wavelength
from peled.samples import Content, Held, Holdings, Row, SheetError, joined
from peled.sources import kind_of

AXES = {"V": ("bias_V", 1.0), "mV": ("bias_V", 1e-3), "s": ("time_s", 1.0)}
#: Standard errors by which a band must stand out for its peak and width to be read off without a
#: model: the width is then known to 4 %. In more noise `moments` looks for its points in the noise.
CLEAR = 45.0
_FRACTION = 0.05  #: of its largest value: a current that moves less stands still


def sniff(path: Path) -> Content | None:
    """What a file holds, from its content alone (see `peled.samples.Sniffer`).

    A log whose current stands still, or that has none, is a lifetime; a table with wavelengths
    holds spectra, one series where their heads count bias, current or time.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        None for a folder; without a kind where the content tells none.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    if path.is_dir():
        return None
    if path.suffix.lower() in (".yaml", ".yml") or _names_layers(path):
        read_stack(path)
        return Content("stack", role="stack")
    sheets = _sheets(path)
    if len(sheets) == 1:
        return _sniff_part(path, "")
    kinds, errors = [], []
    for name in sheets:
        try:
            kinds.append(_sniff_part(path, name))
        except FormatError as error:  # one odd sheet does not cost the others
            kinds.append(Content(""))
            errors.append(error)
    if len(errors) == len(sheets):
        raise errors[0]
    if set(kinds) == {Content("jvl")}:
        return Content("jvl", tuple(sheets))
    return Content("", tuple(sheets), kinds=tuple(kinds))


def _names_layers(path: Path) -> bool:
    """Whether the first line that is no comment has the heads of a table of layers."""
    with open(path, "rb") as stream:
        lines = stream.read(4096).decode("latin-1").splitlines()
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return "thickness_nm" in head and "role" in head


def _sheets(path: Path) -> list[str]:
    """Names of the sheets of a workbook with several; [''] of anything else."""
    with open(path, "rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return [""]
    return [name for name, _ in sheets_of(path, what="a table")]


def _sniff_part(path: Path, part: str) -> Content:
    """What a file holds, or one sheet of a workbook."""
    errors = []
    for look in (_sniff_sweeps, _sniff_lifetime, _sniff_spectra, _sniff_angles):
        try:
            return look(path, part)
        except FormatError as error:
            errors.append(error)
    raise max(errors, key=lambda e: "column heads" not in e.place)


def _sniff_sweeps(path: Path, part: str) -> Content:
    sweeps = read_sweeps(path, area_cm2=1.0, part=part)
    j = np.concatenate([s.current_density_mA_cm2 for s in sweeps])
    timed = all(s.time_s is not None for s in sweeps)
    if timed and np.ptp(j) < _FRACTION * np.abs(j).max():
        read_lifetime(path, part=part)
        return Content("lifetime")
    labels = tuple(dict.fromkeys(s.label for s in sweeps))
    return Content("jvl", labels if len(labels) > 1 else ())


def _sniff_lifetime(path: Path, part: str) -> Content:
    read_lifetime(path, part=part)
    return Content("lifetime")


def _sniff_spectra(path: Path, part: str) -> Content:
    groups = sniff_each(path, part=part)
    first = groups[0]
    if len(groups) == 1 and len(first) == 1:
        return Content("responsivity" if _is_response(first) else "el")
    labels = tuple(dict.fromkeys(label for group in groups for label in group.labels))
    if len(groups) == 1 and first.parameter is not None and (axis := _axis(first.parameter_unit)):
        return Content("el_series", labels, axis[0])
    return Content("el", labels)


def _sniff_angles(path: Path, part: str) -> Content:
    read_pattern(path, part)
    return Content("goniometer")


def _is_response(one: Spectra) -> bool:
    heads = " ".join((*one.labels, *map(str, one.metadata.values()))).lower()
    return "a/w" in heads or "respons" in heads


def _axis(unit: str) -> tuple[str, float] | None:
    """Column and factor of what a series counts in."""
    if unit in AXES:
        return AXES[unit]
    flat = unit.lower().replace(" ", "").replace("²", "2").replace("^", "").replace("µ", "u")
    if "a" in flat and "cm" in flat:
        return "current_mA_cm2", {"u": 1e-3, "a": 1e3}.get(flat[0], 1.0)
    return None


# ---- rows as data --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """Emission spectra of one device, conditioned.

    Attributes
    ----------
    sample, state, group : str
        Without a sample they serve every device of the group, without a group all.
    axis : str
        Column in which the spectra count (`bias_V`, `current_mA_cm2`, `time_s`); '' for none.
    raw, signal : Signal
        As read (per nm), and after `plan`: spectra without light are NaN, with a finding.
    plan : Plan
        Edit it and `condition(raw, plan, companions)` again.
    companions : mapping
        The dark that went in.
    label : str
        File, part, sample.
    unit : str
        Of the values, as headed.
    kind, inputs, doubt
        Source, digests, and why what rests on it is doubtful.
    """

    sample: str
    state: str
    axis: str
    raw: Signal = field(repr=False)
    signal: Signal = field(repr=False)
    plan: Plan = field(repr=False)
    companions: Mapping[str, Signal] = field(default_factory=dict, repr=False)
    label: str = ""
    unit: str = ""
    kind: str = "measured"
    inputs: tuple[str, ...] = ()
    doubt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    group: str = ""

    @property
    def used(self) -> np.ndarray:
        """Which spectra hold light, (n,)."""
        return self.signal.used

    @property
    def clearness(self) -> np.ndarray:
        """Standard errors (n,) by which the whole band stands out: its energy over that of noise,
        slow modes and correlation of neighbours included.
        """
        s = self.signal
        noise = np.median(s.variance + (s.modes**2).sum(axis=0), axis=1)
        energy = (s.finite**2).sum(axis=1) - s.axis.size * noise
        return np.sqrt(np.maximum(energy, 0.0) / (noise * max(s.lumping, 1.0)))

    @property
    def clear(self) -> np.ndarray:
        """Which spectra hold a band with a peak and a width to read off, (n,)."""
        return self.used & (self.clearness > CLEAR)


def _read_row_sweeps(path: Path, row: Row) -> tuple[Sweep, ...]:
    """The sweeps of a row; a current without an area is read as it stands, area NaN.

    Raises
    ------
    FormatError
        As `read_sweeps`; several devices in the file and no part said.
    """
    said = {k: row.settings[k] for k in ("area_cm2", "current_unit") if k in row.settings}
    said["part"] = row.part
    light = row.settings.get("luminance_unit", "")
    if light in ("cd/m2", "kcd/m2"):
        said["luminance_unit"] = light
    try:
        sweeps = read_sweeps(path, **said)
    except FormatError as error:
        if "device area" not in error.expected or "area_cm2" in said:
            raise
        sweeps = tuple(
            replace(s, area_cm2=None, current_density_mA_cm2=s.current_density_mA_cm2 * np.nan)
            for s in read_sweeps(path, area_cm2=1.0, **said)
        )
    if light and "luminance_unit" not in said:
        sweeps = tuple(_in_unit(s, light) for s in sweeps)
    labels = tuple(dict.fromkeys(s.label for s in sweeps))
    if row.part and labels != ("",):  # else a sheet of that name was read
        sweeps = tuple(s for s in sweeps if s.label == row.part)
    elif len(labels) > 1:
        raise FormatError(
            path,
            expected="one device a row",
            found=", ".join(map(repr, labels)),
            advice="name one in the column part of the sample sheet, or write part = {sample}",
        )
    if not sweeps:
        raise FormatError(path, expected=f"a part {row.part!r}", found=", ".join(labels))
    return sweeps


def _in_unit(sweep: Sweep, unit: str) -> Sweep:
    """A sweep whose light, where its head is silent, is what the sheet says: a current, a power."""
    if unit == "V":
        raise FormatError(
            sweep.path,
            place="column luminance_unit",
            expected="a unit of light or of photocurrent",
            found="V, the voltage of an amplifier",
            advice="divide by its gain and write A",
        )
    silent = any(u in ("cd m-2", "A") for u in sweep.assumed.values())
    if not silent:
        return sweep
    number = re.fullmatch(r"([mun]?)(A|W|W/sr/m2)", unit)
    factor = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}[number[1]]
    name = {"A": "photocurrent_A", "W": "flux_W", "W/sr/m2": "radiance_W_sr_m2"}[number[2]]
    raw = sweep.luminance_cd_m2 if sweep.luminance_cd_m2 is not None else sweep.photocurrent_A
    if raw is None:
        return sweep
    light = {"luminance_cd_m2": None, "photocurrent_A": None, name: raw * factor}
    return replace(sweep, **light)


def _read_row_spectra(path: Path, row: Row) -> Signal:
    """The spectra of a row as a signal per nm, with what they count in where the heads say so."""
    groups = read_each(path, x_unit=row.settings.get("spectral_unit"), part=row.part)
    if row.part and row.part not in _sheets(path):
        groups = (choose(groups, row.part),)
    if len(groups) > 1:
        raise FormatError(
            path,
            expected="spectra on one axis",
            found=f"{len(groups)} axes",
            advice="name one spectrum in the column part of the sample sheet",
        )
    found = groups[0]
    if len(found) > 1 and found.parameter is None:
        raise FormatError(
            path,
            place="heads of the spectra",
            expected="bias, current density or time with its unit, and beside it the same name",
            found=found.heads,
            advice="name one in the column part; of several devices write measurement el and a "
            "part such as {sample} {bias_V} V",
        )
    x, values = found.x, found.values
    if found.x_unit != "nm":
        x, values = to_wavelength(x, values)
    at, unit = None, ""
    if found.parameter is not None and (axis := _axis(found.parameter_unit)):
        at, unit = found.parameter * axis[1], axis[0].partition("_")[2].replace("mA_cm2", "mA/cm2")
    elif found.parameter is not None:
        raise FormatError(
            path,
            expected="spectra against bias (V), current density (mA/cm2) or time",
            found=f"the unit {found.parameter_unit!r}",
            advice="head the spectra with the unit",
        )
    return Signal(x, values, unit=found.value_unit or "a.u.", at=at, at_unit=unit, source=row.label)


@dataclass(frozen=True)
class Pattern:
    """An angular pattern: intensity (any unit, projected area included) against the angle."""

    angle_deg: np.ndarray
    intensity: np.ndarray


def read_pattern(path: Path, part: str = "") -> Pattern:
    """Angles and intensities of a goniometer: a column headed angle or theta (deg), one beside it.

    Parameters
    ----------
    path : Path
    part : str
        Sheet of a workbook.

    Returns
    -------
    Pattern

    Raises
    ------
    FormatError
        If there is no column of angles, or not one of intensities.
    """
    table = read_tables(path, part)[0][1]
    numeric = [c for c in table.columns if c.numeric]
    angle = [c for c in numeric if c.name.lower().startswith(("angle", "theta", "θ"))]
    others = [c for c in numeric if c not in angle]
    if len(angle) != 1 or not others:
        raise FormatError(
            path,
            place="column heads",
            expected="a column angle (deg) and one of intensity",
            found=", ".join(repr(c.head) for c in table.columns),
        )
    return Pattern(angle[0].values, others[0].values)


READERS = {
    "jvl": _read_row_sweeps,
    "el": _read_row_spectra,
    "el_series": _read_row_spectra,
    "lifetime": lambda path, row: read_lifetime(path, part=row.part),
    "goniometer": lambda path, row: read_pattern(path, row.part),
    "responsivity": _read_row_spectra,
    "stack": lambda path, row: read_stack(path),
}


# ---- spectra through conditioning ----------------------------------------------------------------


def series_of(holdings: Holdings) -> tuple[list[Series], list[tuple[str, str]]]:
    """All series of emission spectra, conditioned, and (place, reason) of what was set aside.

    Single spectra of one device that say where they were taken are joined to a series where
    they share an axis.

    Parameters
    ----------
    holdings : Holdings

    Returns
    -------
    list of Series, list of (str, str)
    """
    jobs: list[tuple[Sequence[Held], str, Signal]] = []
    own = {"V": "bias_V", "mA/cm2": "current_mA_cm2", "s": "time_s"}
    for measurement in ("el", "el_series"):
        for axis, members in holdings.along(measurement, "bias_V", "current_mA_cm2"):
            raw = joined(members, axis)
            jobs.append((members, axis or own.get(raw.at_unit, ""), raw))
    found, aside = [], []
    for members, axis, raw in jobs:
        try:
            one = _conditioned(holdings, members, axis, raw)
        except (ConditioningError, SheetError) as error:
            aside.append((members[0].row.label, str(error)))
            continue
        found.append(one)
        for f in one.signal.findings:
            if f.status == "withheld":
                aside.append((f"{one.label}, {f.where}" if f.where else one.label, f.evidence))
    return found, aside


def _conditioned(holdings: Holdings, members: Sequence[Held], axis: str, raw: Signal) -> Series:
    row = members[0].row
    dark = holdings.companion(row, "dark")
    companions = {"dark": dark.data} if dark else {}
    steps = plan(raw, {"measurement": "el", "baseline_nm": row.settings.get("baseline_nm")})
    inputs = tuple(dict.fromkeys(h.digest for h in [*members, *([dark] if dark else [])]))
    return Series(
        row.sample,
        row.state,
        axis,
        raw,
        condition(raw, steps, companions),
        steps,
        companions,
        raw.source,
        raw.unit,
        kind_of(*(h.row.path for h in members)),
        inputs,
        row.doubt,
        row.settings,
        row.group,
    )
