"""Output while the bias is held: does the efficiency of a sweep last?

A sweep is over before ions have moved. What counts is the output that settles: the mean of the last
fifth of the run, with what it still drifts by as an error of its own, and its change since the
first readings, in which calibration, spectrum and geometry cancel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import e as ELEMENTARY_CHARGE

from peled.figures import plain
from peled.led import photometry
from peled.led.device import Context, Curve, Run, external
from peled.led.light import Light
from peled.led.plots import LIGHT
from peled.quantities import Finding, Quantity, signal
from peled.report.parts import Panel

if TYPE_CHECKING:
    from peled.report import Report

LAST = 5  #: the last of so many parts of a run counts as settled
FEWEST = 5  #: readings there


def with_offset(run: Run, swept: tuple[Run, ...], route: str) -> Run | None:
    """The run with the offset and noise that a sweep of the same device has below turn-on.

    Parameters
    ----------
    run : Run
        At one bias.
    swept : tuple of Run
        Sweeps of the device with that light.
    route : str

    Returns
    -------
    Run or None
        None where no sweep has points below turn-on.
    """
    dark = next((r.lights[route] for r in swept if r.lights[route].dark.any()), None)
    if dark is None:
        return None
    y = run.readings[route] - dark.offset
    none = np.zeros(y.size, bool)
    light = Light(y, dark.noise, dark.relative, dark.offset, dark.offset_error, none, y > 0)
    return replace(run, lights={**run.lights, route: light})


def quantities(c: Context, route: str, curve: Curve, geometry: Quantity, detector: float):
    """Stabilised luminance and EQE of a run, and what they changed by.

    Parameters
    ----------
    c : Context
        Its run with the offset taken off (`with_offset`).
    route : str
    curve : Curve
        EQE of each reading, without a peak.
    geometry : Quantity
    detector : float
        Relative error of its calibration.

    Returns
    -------
    list of Quantity
        cd/m², %; EQE withheld where readings are too few or not clear of the offset.
    """
    light, sweep, where = c.run.lights[route], c.run.sweep, c.run.row.label
    t = sweep.time_s
    last = t >= t[-1] - (t[-1] - t[0]) / LAST
    note = f"{np.median(sweep.voltage_V):.3g} V held for {_span(t[-1] - t[0])}, last fifth"
    if last.sum() < FEWEST:
        said = f"{int(last.sum())} readings in the last fifth, {FEWEST} needed"
        return [c.without("stabilised EQE", "%", Finding("signal", "withheld", said, where))]
    value = float(light.values[last].mean())
    dark = math.hypot(light.noise / math.sqrt(last.sum()), light.offset_error)
    gate = signal(value, dark, "the light of the last fifth", where=where)
    if gone := gate(None):
        return [c.without("stabilised EQE", "%", gone)]
    made = []
    if route == "luminance":
        errors = _settled(t[last], light.values[last]) | {
            "offset": light.offset_error, "calibration": detector * value
        }  # fmt: skip
        made.append(c.make("stabilised luminance", "cd/m2", lambda: value, note=note, **errors))
    eqe = 100 * curve.eqe[last]
    if np.isfinite(eqe).all() and geometry.value is not None:
        mean = float(eqe.mean())
        calibration = math.hypot(detector, c.settings["current_relative"])
        errors = _settled(t[last], eqe) | {
            "offset": light.offset_error / value * mean, "calibration": calibration * mean
        }  # fmt: skip
        made.append(external(c, "stabilised EQE", mean, curve, geometry, note, **errors))
        made += _change(c, curve, last, note)
    return made


def _settled(t: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Errors of a mean: scatter about a line, and the line's rise across, evenly."""
    x = t - t.mean()
    slope = float(x @ y) / float(x @ x)
    rest = y - y.mean() - slope * x
    scatter = math.sqrt(float(rest @ rest) / (y.size - 2) / y.size)
    return {"reading": scatter, "drift": abs(slope) * float(np.ptp(t)) / math.sqrt(12)}


def _change(c: Context, curve: Curve, last: np.ndarray, note: str) -> list[Quantity]:
    """EQE of the last fifth over that of the first reading, less one."""
    eqe, light = curve.eqe, c.run.lights[curve.route]
    if not np.isfinite(eqe[0]):
        return []
    noise = light.error()[0] / light.values[0]
    relative = float(eqe[last].mean() / eqe[0])
    errors = _settled(c.run.sweep.time_s[last], eqe[last] / eqe[0])
    errors["first reading"] = float(relative * noise)
    percent = {cause: 100 * e for cause, e in errors.items()}
    return [c.make("EQE change while held", "%", lambda: 100 * (relative - 1), note=note,
                   **percent)]  # fmt: skip


def curve_of(c: Context, route: str, response, geometry: float) -> Curve:
    """EQE of every reading of a run.

    Parameters
    ----------
    c : Context
        Its run with the offset taken off (`with_offset`).
    route : str
    response : Response
    geometry : float
        As for `peled.led.device.efficiency`.

    Returns
    -------
    Curve
        Without a peak; NaN where no current flows.
    """
    sweep, light = c.run.sweep, c.run.lights[route]
    j = sweep.current_density_mA_cm2
    place = response.place(sweep.voltage_V, j)
    electrons = photometry.A_M2_PER_MA_CM2 * j / ELEMENTARY_CHARGE
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(j > 0, geometry / (electrons * response(place)), np.nan)
    return Curve(
        route, j, light.values * factor, light.error() * factor, None, float(np.median(place)),
        response,
    )  # fmt: skip


def _span(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def panels(report: Report) -> Iterator[Panel]:
    """Light and current density of each run against time.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `held`.
    """
    for sample, device in report.found.items():
        for run in device.held:
            volts = np.median(run.sweep.voltage_V)
            title = f"{plain(sample)}: {volts:.3g} V held"
            yield Panel("held", partial(_draw, run), sample, title)


def _draw(run: Run, figure) -> None:
    axes = figure.subplots()
    minutes = run.sweep.time_s / 60
    for route, read in list(run.readings.items())[:1]:
        axes.plot(minutes, read, ".", ms=2, color="C0")
        axes.set(ylabel=LIGHT[route], ylim=(min(0, np.nanmin(read)), 1.1 * np.nanmax(read)))
    axes.set_xlabel("time (min)")
    right = axes.twinx() if run.readings else axes
    j = run.sweep.current_density_mA_cm2
    if np.isfinite(j).any():
        right.plot(minutes, j, "-", lw=0.8, color="C1")
        right.set(ylabel="J (mA cm$^{-2}$), line", ylim=(0, 1.1 * np.nanmax(j)))
