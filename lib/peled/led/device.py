"""One device: its sweeps, spectra and logs, and the numbers that follow from them.

`efficiency` turns a sweep and a response (`routes.response`) into a curve; `sweep_quantities` makes
its headline numbers, each through `derive` and the gates. Both take what `Device` holds, so that a
changed baseline means: condition, `response`, `efficiency` again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.constants import e as ELEMENTARY_CHARGE

from peled.formats.delimited import Column
from peled.formats.sweeps import LifetimeLog, Sweep
from peled.formats.sweeps.columns import identify
from peled.led import photometry, routes
from peled.led.ceiling import Stack
from peled.led.current_voltage import Peak, hysteresis, peak_eqe, turn_on
from peled.led.light import Light, find_light
from peled.led.reading import Pattern, Series
from peled.led.stability import Followed
from peled.quantities import Finding, Quantity, assumed, derive, possible, signal
from peled.samples import Row

#: Units that may be meant where a head is silent, relative to the one that the reader takes.
UNITS = {
    "A": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9},
    "mA cm-2": {"mA/cm2": 1.0, "A/cm2": 1e3, "A/m2": 0.1, "uA/cm2": 1e-3},
    "cd m-2": {"cd/m2": 1.0, "kcd/m2": 1e3},
}
#: Electrical power that no device bears under direct current, W cm⁻².
MOST_POWER = 50.0

NO_SPECTRUM = "no spectrum of this device that can be used"
UNIT_OF = {"luminance": "cd/m2", "photodiode": "A", "radiance": "W/sr/m2", "flux": "W"}


@dataclass(frozen=True)
class Run:
    """One sweep with its light.

    Attributes
    ----------
    sweep : Sweep
    row : Row
    lights : mapping of route (luminance, photodiode, radiance, flux) to Light
    readings : mapping of route to (n,) array
        As measured, offset and all.
    kind, digest : str
    """

    sweep: Sweep
    row: Row
    lights: Mapping[str, Light]
    readings: Mapping[str, np.ndarray] = field(repr=False)
    kind: str = "measured"
    digest: str = ""

    @property
    def backward(self) -> bool:
        return self.sweep.direction == "down"


@dataclass(frozen=True)
class Curve:
    """External quantum efficiency along a sweep, by one route.

    Arrays run over the points of the sweep, NaN where there is no light above noise and offset.
    `error` is that of the single points (noise and scatter); what all share is in the headline.
    """

    route: str
    current_mA_cm2: np.ndarray = field(repr=False)
    eqe: np.ndarray = field(repr=False)
    error: np.ndarray = field(repr=False)
    peak: Peak | None
    place: float = math.nan
    response: routes.Response | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Device:
    """What `analyse` keeps of one device, in `Report.found`.

    Attributes
    ----------
    sample : str
    runs : tuple of Run
        Every sweep, forward and backward, with the offset and noise of its light.
    series : tuple of Series
        Spectra as read and conditioned.
    curves : mapping of (index of run, route) to Curve
    followed : mapping of (state, label) to Followed
        Peak, width, shoulder along each series.
    lifetimes : tuple of (Row, LifetimeLog, Crossing)
    pattern : Pattern or None
    held : tuple of Run
        Readings at one bias against time.
    stack : peled.led.ceiling.Stack or None
        Its layers, where the sheet has them; those for all devices are kept under "stack".
    slopes : mapping of str to float
        Change of the outcoupling with 1 nm of each layer, by name; empty where not calculated.
    """

    sample: str
    runs: tuple[Run, ...] = ()
    series: tuple[Series, ...] = ()
    curves: Mapping[tuple[int, str], Curve] = field(default_factory=dict)
    followed: Mapping[tuple[str, str], Followed] = field(default_factory=dict)
    lifetimes: tuple[tuple[Row, LifetimeLog, Any], ...] = ()
    pattern: Pattern | None = None
    held: tuple[Run, ...] = ()
    stack: Stack | None = None
    slopes: Mapping[str, float] = field(default_factory=dict)


def run_of(sweep: Sweep, row: Row, kind: str, digest: str) -> Run:
    """A sweep with the offset, noise and onset of each channel of light that it has.

    Parameters
    ----------
    sweep : Sweep
    row : Row
    kind : str
        What the file is: measured, simulated, ...
    digest : str
        Of the file.

    Returns
    -------
    Run
        Channels luminance (cd/m², of cd/A where that alone is reported), photodiode (A), radiance
        (W/(sr m²)), flux (W).
    """
    readings = {}
    if sweep.luminance_cd_m2 is not None:
        readings["luminance"] = sweep.luminance_cd_m2
    elif sweep.reported_cd_A is not None:
        per = photometry.A_M2_PER_MA_CM2 * sweep.current_density_mA_cm2
        readings["luminance"] = sweep.reported_cd_A * per
    if sweep.photocurrent_A is not None:
        readings["photodiode"] = sweep.photocurrent_A
    if sweep.radiance_W_sr_m2 is not None:
        readings["radiance"] = sweep.radiance_W_sr_m2
    if sweep.flux_W is not None:
        readings["flux"] = sweep.flux_W
    v, j = sweep.voltage_V, sweep.current_density_mA_cm2
    j = np.where(np.isfinite(j), j, 1.0) if not np.isfinite(j).any() else j
    usable = ~sweep.compliance & (v > 0) & (j > 0)
    lights = {name: find_light(v, j, y, usable) for name, y in readings.items()}
    return Run(sweep, row, lights, readings, kind, digest)


def efficiency(run: Run, route: str, response: routes.Response, geometry: float) -> Curve:
    """EQE along a sweep.

    Parameters
    ----------
    run : Run
    route : str
    response : Response
        Reading of a mean photon along the device's spectra, in the unit of the route.
    geometry : float
        G of `routes`; for an absolute flux or photocurrent, over the device's area in m².

    Returns
    -------
    Curve
        All NaN and without a peak where fewer than three points are lit or there is no spectrum.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    """
    light, sweep = run.lights[route], run.sweep
    j = sweep.current_density_mA_cm2
    eqe, error = np.full(j.shape, np.nan), np.full(j.shape, np.nan)
    lit = light.lit
    if lit.sum() < 3 or not response.value.size:
        return Curve(route, j, eqe, error, None, response=response)
    x = response.place(sweep.voltage_V, j)
    electrons = photometry.A_M2_PER_MA_CM2 * j[lit] / ELEMENTARY_CHARGE
    factor = geometry / (electrons * response(x[lit]))
    eqe[lit] = light.values[lit] * factor
    error[lit] = light.error()[lit] * factor
    peak = peak_eqe(j[lit], eqe[lit], error[lit])
    at = np.interp(math.log(peak.current_density_mA_cm2), *_sorted(np.log(j[lit]), x[lit]))
    return Curve(route, j, eqe, error, peak, float(at), response)


def _sorted(x, y):
    order = np.argsort(x)
    return x[order], y[order]


# ---- headline numbers ----------------------------------------------------------------------------


def light_error(run: Run, settings: Mapping[str, Any], route: str) -> float:
    """Relative standard error of a detector's calibration: as the sheet states it, or as taken.

    Parameters
    ----------
    run : Run
    settings : mapping
        `luminance_relative` and `detector_relative`, for a sheet without `light_error`.
    route : str

    Returns
    -------
    float
    """
    taken = settings["luminance_relative" if route == "luminance" else "detector_relative"]
    return float(run.row.settings.get("light_error", taken))


@dataclass(frozen=True)
class Context:
    """What the numbers of one sweep are made with."""

    device: str
    run: Run
    suffix: str
    settings: Mapping[str, Any]
    extra: tuple[Finding, ...] = ()

    def common(self) -> dict[str, Any]:
        return {
            "sample": self.device,
            "state": self.run.row.state,
            "kind": self.run.kind,
            "inputs": (self.run.digest,),
            "where": self.run.row.label,
        }

    def make(self, name: str, unit: str, function, *of, gates=(), note="", **budget) -> Quantity:
        """`derive` with what all numbers of this sweep share.

        Parameters
        ----------
        name, unit : str
            `suffix` is added to the name.
        function : callable
            Takes one argument for each of `of`, and returns a float in `unit`.
        *of : Estimates or Quantity
        gates : sequence of callables
        note : str
        **budget : float
            Further standard errors by cause, in `unit`.

        Returns
        -------
        Quantity
        """
        made = derive(
            name + self.suffix, unit, function, *of, gates=gates, note=note,
            **self.common(), **budget,
        )  # fmt: skip
        return made.found(*self.extra) if self.extra else made

    def without(self, name: str, unit: str, *findings: Finding) -> Quantity:
        """A number that cannot be given, and why.

        Parameters
        ----------
        name, unit : str
        *findings : Finding

        Returns
        -------
        Quantity
            Its value is None.
        """
        common = self.common()
        common.pop("where")
        return Quantity(name + self.suffix, value=None, budget={}, unit=unit, findings=findings,
                        **common)  # fmt: skip


def luminance_quantities(c: Context, angle: Quantity) -> list[Quantity]:
    """Turn-on voltage, largest luminance, current and power efficiency: what needs no spectrum.

    Parameters
    ----------
    c : Context
        Of a sweep with luminance.
    angle : Quantity
        Effective solid angle, for the lumens.

    Returns
    -------
    list of Quantity
    """
    light, sweep = c.run.lights["luminance"], c.run.sweep
    level = c.settings["turn_on_cd_m2"]
    calibration = light_error(c.run, c.settings, "luminance")
    dark = math.hypot(light.noise, light.offset_error)
    name = "turn-on voltage"
    if not light.lit.any():
        gate = signal(float(np.nanmax(light.values)), dark, "the largest luminance less its offset",
                      tries=light.values.size, where=c.run.row.label)  # fmt: skip
        why = gate(None) or Finding(
            "signal", "withheld", "no three readings in a row stand above noise and offset of the "
            "sweep", c.run.row.label,
        )  # fmt: skip
        return [c.without("largest luminance", "cd/m2", why), c.without(name, "V", why)]
    on = turn_on(
        sweep.voltage_V,
        light.values,
        threshold_cd_m2=level,
        luminance_relative_error=math.hypot(light.relative, calibration),
        noise_cd_m2=dark,
    )
    gate = signal(level, dark, f"the threshold of {level:g} cd/m2", where=c.run.row.label)
    made = []
    if on.reached:
        note = f"at {level:g} cd/m2"
        made.append(c.make(name, "V", lambda: on.voltage_V, gates=(gate,), note=note,
                           reading=on.standard_error_V))  # fmt: skip
    else:
        said = f"the luminance does not pass {level:g} cd/m2 within the sweep"
        made.append(c.without(name, "V", Finding("signal", "withheld", said, c.run.row.label)))
    top = int(np.nanargmax(np.where(light.lit, light.values, np.nan)))
    value = float(light.values[top])
    errors = {
        "reading": float(light.error()[top]),
        "offset": light.offset_error,
        "calibration": calibration * value,
    }
    made.append(c.make("largest luminance", "cd/m2", lambda: value, **errors))
    return [*made, *_per_current(c, light, angle, calibration)]


def _per_current(c: Context, light: Light, angle: Quantity, calibration: float) -> list[Quantity]:
    """cd/A, and lm/W = Ω_f cd/A / V."""
    sweep, lit = c.run.sweep, light.lit
    j = sweep.current_density_mA_cm2
    if lit.sum() < 3 or not np.isfinite(j[lit]).all():
        return []
    per_A = 1 / (photometry.A_M2_PER_MA_CM2 * j[lit])
    made = []
    for name, unit, per, of in (
        ("largest current efficiency", "cd/A", per_A, ()),
        ("largest power efficacy", "lm/W", per_A / sweep.voltage_V[lit], (angle,)),
    ):
        peak = peak_eqe(j[lit], light.values[lit] * per, light.error()[lit] * per)
        share = math.prod(q.value or 0.0 for q in of)  # 0: withheld, as what rests on it
        budget = _peak_budget(c, light, peak, calibration)
        made.append(c.make(
            name, unit, lambda *a, p=peak.eqe: p * math.prod(a), *of,
            note=f"at {peak.current_density_mA_cm2:.2g} mA/cm2",
            **{cause: share * e for cause, e in budget.items()},
        ))  # fmt: skip
    return made


def _peak_budget(c: Context, light: Light, peak: Peak, calibration: float) -> dict[str, float]:
    """Errors of a maximum of light over current, but those of spectrum and geometry.

    `calibration` is the relative error of the detector; that of the current is added.
    """
    lit = np.flatnonzero(light.lit)
    away = np.log(c.run.sweep.current_density_mA_cm2[lit] / peak.current_density_mA_cm2)
    near = int(lit[np.argmin(np.abs(away))])
    least = float(light.error()[near] / light.values[near])
    return {
        "reading": peak.eqe_error if math.isfinite(peak.eqe_error) else least * peak.eqe,
        "offset": light.offset_error / float(light.values[near]) * peak.eqe,
        "calibration": math.hypot(c.settings["current_relative"], calibration) * peak.eqe,
    }


def eqe_quantities(c: Context, curve: Curve, geometry: Quantity, detector: float) -> list[Quantity]:
    """Peak EQE by one route, and the current density there.

    Parameters
    ----------
    c : Context
    curve : Curve
        Made with `geometry.value`.
    geometry : Quantity
        Ω_f, or 1/collected; its relative error goes in.
    detector : float
        Relative error of the detector's calibration.

    Returns
    -------
    list of Quantity
        %, mA/cm².
    """
    light = c.run.lights[curve.route]
    where, response = c.run.row.label, curve.response
    name = "peak EQE"
    if geometry.value is None:
        return [c.without(name, "%", *geometry.findings)]
    if response is None or not response.value.size:
        why = response.reasons if response else ()
        said = "; ".join(why) or NO_SPECTRUM
        return [c.without(name, "%", Finding("signal", "withheld", said, where))]
    if curve.peak is None:
        dark = math.hypot(light.noise, light.offset_error)
        said = (
            f"{int(light.lit.sum())} readings of light above noise and offset of the sweep "
            f"({dark:.2g} {UNIT_OF[curve.route]}), three in a row needed"
        )
        return [c.without(name, "%", Finding("signal", "withheld", said, where))]
    peak = curve.peak
    budget = {k: 100 * e for k, e in _peak_budget(c, light, peak, detector).items()}
    note = f"{curve.route}, at {peak.current_density_mA_cm2:.2g} mA/cm2"
    made = external(c, name, 100 * peak.eqe, curve, geometry, note, **budget)
    out = [made.found(*_remarks(c, curve, where))]
    if made.value is None:
        return out
    if math.isfinite(peak.current_error):
        out.append(c.make("J at peak EQE", "mA/cm2", lambda: peak.current_density_mA_cm2,
                          reading=peak.current_error, spectra=_moved(c, curve)))  # fmt: skip
    else:
        said = (
            "EQE is largest at the first or last reading of light"
            if peak.at_edge
            else "no maximum of EQE(J) stands clear on five readings within half a decade of J"
        )
        lacking = Finding("determined", "withheld", said, where)
        out.append(c.without("J at peak EQE", "mA/cm2", lacking))
    return out


def _moved(c: Context, curve: Curve) -> float:
    """Standard error, mA/cm², of where the EQE is largest, by the errors of the spectra.

    Each spectrum's own error tilts the curve between it and its neighbours, and a flat top moves
    far.
    """
    response, peak, seen = curve.response, curve.peak, np.isfinite(curve.eqe)
    if response is None or response.value.size < 2:
        return 0.0
    own = np.sqrt(sum(np.square(e) for e in response.errors.values()))
    all_j = curve.current_mA_cm2
    j, x = all_j[seen], response.place(c.run.sweep.voltage_V, all_j)[seen]
    moved = []
    for k, relative in enumerate(own):
        raised = 1 + relative * (np.arange(own.size) == k)
        other = replace(response, value=response.value * raised)
        factor = response(x) / other(x)
        found = peak_eqe(j, curve.eqe[seen] * factor, curve.error[seen] * factor)
        moved.append(found.current_density_mA_cm2 - peak.current_density_mA_cm2)
    return float(np.linalg.norm(moved))


def external(
    c: Context, name: str, percent: float, curve: Curve, geometry: Quantity, note: str, **budget
) -> Quantity:
    """An EQE in per cent with the errors of spectrum, wavelength scale and geometry added.

    Parameters
    ----------
    c : Context
    name : str
    percent : float
        Made with `geometry.value` and `curve.response` at `curve.place`.
    curve : Curve
    geometry : Quantity
    note : str
    **budget : float
        Errors of light and current by cause, in per cent of EQE.

    Returns
    -------
    Quantity
        %.
    """
    response, where = curve.response, c.run.row.label
    errors = response.error_at(curve.place, c.settings["spectrum_shift_nm"])
    slope = float(np.interp(curve.place, response.grid(), response.slope))
    series = response.series
    scale, _ = routes.scale_error(series[0], c.settings["wavelength_nm"])
    errors["wavelength scale"] = abs(slope) * scale
    r = Quantity("response", "", 1.0, {k: e for k, e in errors.items() if e > 0}, "1",
                 kind=series[0].kind,
                 inputs=tuple(i for s in series for i in s.inputs))  # fmt: skip
    relative = Quantity(
        "geometry", "", 1.0, {k: e / geometry.value for k, e in geometry.budget.items()}, "1",
        findings=geometry.findings,
    )  # fmt: skip
    gates = (possible(0, 100, where=where),)
    return c.make(
        name, "%", lambda r, g: percent * g / r, r, relative, note=note, gates=gates, **budget
    )


def _remarks(c: Context, curve: Curve, where: str) -> tuple[Finding, ...]:
    out = []
    if "light_error" not in c.run.row.settings:
        taken = light_error(c.run, c.settings, curve.route)
        said = f"calibration of the light within {taken:.0%} taken; state light_error"
        out.append(Finding("assumed", "reported", said, where))
    if curve.peak.at_edge:
        said = "the largest EQE is at an end of what the sweep shows; the maximum may lie beyond"
        out.append(Finding("described", "reported", said, where))
    if curve.response.axis == "":
        said = (
            f"one spectrum, taken nobody says where: as if it were that at every bias, within "
            f"{c.settings['spectrum_shift_nm']:g} nm; measure one at each bias"
        )
        out.append(Finding("assumed", "reported", said, where))
    for one in curve.response.series:
        if one.doubt:
            out.append(Finding("assumed", "doubtful", one.doubt, one.label))
    return tuple(out)


# ---- units that nobody said ----------------------------------------------------------------------


def silent_units(sweep: Sweep, settings: Mapping[str, Any], route: str) -> dict[str, dict]:
    """{column of the sheet: {unit: factor}} for heads without a unit and sheets without a word.

    Parameters
    ----------
    sweep : Sweep
    settings : mapping
        Of its row of the sheet.
    route : str

    Returns
    -------
    dict of str to dict of str to float
        Empty where all units are known.
    """
    light = "photocurrent" if route == "photodiode" else route
    columns = {"current": "current_unit", "current_density": "current_unit"}
    columns[light] = "luminance_unit"
    out = {}
    for name, unit in sweep.assumed.items():
        column = columns.get(identify(Column(name, "", np.zeros(1)))[0])
        if column and column not in settings:
            out[column] = UNITS.get(unit, {unit: 1.0})
    return out


def consistent_units(run: Run, curve: Curve, silent: Mapping) -> dict[str, str]:
    """The only units with which the EQE is possible and the device bears the power; else none.

    Two currents of one instrument, both without a unit, are in the same one; of several that fit
    the first is then taken, as the EQE is the same.

    Parameters
    ----------
    run : Run
    curve : Curve
        EQE with the units as taken.
    silent : mapping
        As `silent_units` gives it.

    Returns
    -------
    dict of str to str
        Column -> unit; empty where several, or no, combinations are possible.
    """
    if curve.peak is None:
        return {}
    v, j = run.sweep.voltage_V, run.sweep.current_density_mA_cm2
    power = float(np.nanmax(v * j)) * 1e-3
    paired = curve.route == "photodiode" and len(silent) == 2
    fits = []
    for cu, cf in silent.get("current_unit", {"": 1.0}).items():
        for lu, lf in silent.get("luminance_unit", {"": 1.0}).items():
            possible_eqe = 1e-6 < curve.peak.eqe * lf / cf <= 1.0
            if possible_eqe and power * cf < MOST_POWER and (cu == lu or not paired):
                fits.append({"current_unit": cu, "luminance_unit": lu})
    return {k: u for k, u in fits[0].items() if u} if len(fits) == 1 or (paired and fits) else {}


def rescaled(run: Run, silent: Mapping, units: Mapping[str, str]) -> Run:
    """The run in the units found.

    Parameters
    ----------
    run : Run
    silent : mapping
        As `silent_units` gives it.
    units : mapping of str to str
        As `consistent_units` gives it.

    Returns
    -------
    Run
        With offset, noise and onset of its light found anew.
    """
    j = silent.get("current_unit", {}).get(units.get("current_unit"), 1.0)
    light = silent.get("luminance_unit", {}).get(units.get("luminance_unit"), 1.0)
    sweep = run.sweep
    changed = {"current_density_mA_cm2": sweep.current_density_mA_cm2 * j}
    for name in ("luminance_cd_m2", "photocurrent_A"):
        if getattr(sweep, name) is not None:
            changed[name] = getattr(sweep, name) * light
    return run_of(replace(sweep, **changed), run.row, run.kind, run.digest)


def asked(columns: Sequence[str], where: str) -> tuple[Finding, ...]:
    """Findings that ask for columns of the sheet.

    Parameters
    ----------
    columns : sequence of str
        Names.
    where : str
        File, part or operating point, for the findings.

    Returns
    -------
    tuple of Finding
        One a column.
    """
    return tuple(assumed(column, where=where).findings[0] for column in columns)


def hysteresis_quantity(c: Context, forward: Run, backward: Run) -> Quantity | None:
    """Mean shift in voltage between the sweep up and the one down, where both steepen.

    Parameters
    ----------
    c : Context
    forward, backward : Run
        Of one device.

    Returns
    -------
    Quantity or None
        V, voltage down less voltage up; None where the sweeps do not allow it.
    """
    up, down = forward.sweep, backward.sweep
    try:
        found = hysteresis(
            up.voltage_V, up.current_density_mA_cm2, down.voltage_V, down.current_density_mA_cm2
        )
    except ValueError:
        return None
    return c.make("hysteresis (down − up)", "V", lambda: found.shift_V, scatter=found.shift_error)
