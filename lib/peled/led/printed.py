"""Efficiencies that a file prints beside its own readings: do they follow from them?

Software of set-ups writes a column of EQE or cd/A that rests on its own assumptions about spectrum,
pattern and area. Held against what luminance, current and the measured spectrum give, a constant
ratio names the shortcut; nothing is corrected.
"""

from __future__ import annotations

import math

import numpy as np

from peled.led import photometry
from peled.led.consistency import ColumnCheck, check_column, shortcuts
from peled.led.device import Context, Curve
from peled.quantities import Finding, Quantity

FLOOR = 0.02  #: of the largest light: below it noise and offsets rule


def quantities(c: Context, curve: Curve) -> list[Quantity]:
    """Ratio of a printed to the found EQE, and of a printed to the found current efficiency.

    Parameters
    ----------
    c : Context
    curve : Curve
        EQE found along the sweep of `c`.

    Returns
    -------
    list of Quantity
        One a column that at least three lit readings can be compared for.
    """
    sweep = c.run.sweep
    made = []
    if sweep.reported_eqe is not None and curve.peak is not None:
        expected = _shortcuts(curve)
        made += _ratio(c, curve, "printed EQE over found", sweep.reported_eqe, curve.eqe, expected)
    if sweep.reported_cd_A is not None and sweep.luminance_cd_m2 is not None:
        per = photometry.A_M2_PER_MA_CM2 * sweep.current_density_mA_cm2
        with np.errstate(divide="ignore", invalid="ignore"):
            found = c.run.lights["luminance"].values / per
        expected = {"A m⁻² and mA cm⁻² were mixed": 10.0, "mA cm⁻² and A m⁻² were mixed": 0.1}
        name = "printed cd/A over found"
        made += _ratio(c, curve, name, sweep.reported_cd_A, found, expected)
    return made


def _shortcuts(curve: Curve) -> dict[str, float]:
    """What each shortcut would make of the EQE with the brightest spectrum of the device."""
    signal = curve.response.series[0].signal
    values = np.nan_to_num(signal.values)
    brightest = values[int(np.argmax(values.max(axis=1)))]
    try:
        return shortcuts(signal.axis, brightest)
    except photometry.SpectrumError:
        return {}


def _ratio(c: Context, curve: Curve, name: str, printed, found, expected) -> list[Quantity]:
    light = c.run.lights[curve.route]
    bright = light.lit & (light.values > FLOOR * np.nanmax(light.values))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(bright & (printed > 0) & (found > 0), printed / found, np.nan)
    if np.isfinite(ratio).sum() < 3:
        return []
    check = check_column(ratio, c.run.sweep.current_density_mA_cm2, expected)
    half = max(check.high - check.low, 1e-3 * check.median) / 3.92
    where = c.run.row.label
    note = f"{check.points} readings, their scatter as error"
    made = c.make(name, "", lambda: check.median, note=note, scatter=half)
    return [made if check.agrees else made.found(_said(check, where))]


def _said(check: ColumnCheck, where: str) -> Finding:
    ratio = 100 * (check.median - 1)
    text = f"the printed column is {ratio:+.0f} % off what the readings beside it give"
    if check.explanations:
        text += f", as if {' or '.join(name for name, _ in check.explanations[:2])}"
    if abs(check.trend_per_decade) > 3 * check.trend_error and math.isfinite(check.trend_error):
        text += f"; the ratio changes by {100 * check.trend_per_decade:+.0f} % a decade of current"
    return Finding("described", "reported", text, where)
