"""EQE from absolute spectra: total flux in an integrating sphere, radiance along the normal.

Photons a second are ∫ S λ/(hc) dλ of the flux in W nm⁻¹, or Ω_f times that of the radiance in
W sr⁻¹ m⁻² nm⁻¹ and the area; electrons are I/q at the same bias or current density.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.constants import c as SPEED_OF_LIGHT
from scipy.constants import e as ELEMENTARY_CHARGE
from scipy.constants import h as PLANCK

from peled.conditioning import propagate
from peled.led import routes
from peled.led.device import Device, asked
from peled.led.photometry import A_M2_PER_MA_CM2
from peled.led.reading import Series
from peled.quantities import Finding, Quantity, derive, possible, signal

_PREFIX = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def absolute(one: Series) -> tuple[str, float] | None:
    """("flux" or "radiance", factor to SI per nm) of a series in absolute units, else None.

    Parameters
    ----------
    one : Series
        `spectrum_unit` of the sheet goes before the unit of the file.

    Returns
    -------
    (str, float) or None
    """
    said = str(one.settings.get("spectrum_unit") or one.unit)
    flat = re.sub(r"[µμ]", "u", said.lower()).replace("²", "2").replace(" ", "")
    found = re.fullmatch(r"([mun]?)w(.*)/?nm(?:-1)?", flat.replace("nm-1", "/nm"))
    if not found:
        return None
    kind = "radiance" if "sr" in found[2] else "flux" if not found[2].strip("/") else ""
    return (kind, _PREFIX[found[1]]) if kind else None


def quantities(device: Device, settings: Mapping[str, Any]) -> list[Quantity]:
    """The largest EQE of each series of absolute spectra.

    Parameters
    ----------
    device : Device
    settings : mapping
        `pattern_relative`, `detector_relative`, `current_relative`.

    Returns
    -------
    list of Quantity
        %, one a series in absolute units; withheld where geometry, area or current is not known, or
        no spectrum stands clear of its error.
    """
    out = []
    for one in device.series:
        if one.axis != "time_s" and (found := absolute(one)):
            out += _largest(device, one, *found, settings)
    return out


def _largest(device: Device, one: Series, kind: str, factor: float, settings) -> list[Quantity]:
    s, where = one.signal, one.label
    common = {"sample": one.sample, "state": one.state, "kind": one.kind, "inputs": one.inputs}
    name = f"peak EQE, {'integrating sphere' if kind == 'flux' else 'spectral radiance'}"

    def without(*findings: Finding) -> list[Quantity]:
        return [Quantity(name, value=None, budget={}, unit="%", findings=findings, **common)]

    angle, area, missing = None, 1.0, []
    if kind == "flux":
        if "sphere" not in str(one.settings.get("geometry", "")).lower():
            missing.append("geometry")
        area = _area(device, one)
        missing += [] if area else ["area_cm2"]
    else:
        stated = str(one.settings.get("geometry", ""))
        angle = routes.effective_angle(device.pattern, stated, settings["pattern_relative"], where)
    j = _currents(device, one)
    if j is None:
        missing.append("current_mA_cm2")
    if missing:
        return without(*asked(missing, where))
    step = 0.5 * (np.r_[np.diff(s.axis), 0.0] + np.r_[0.0, np.diff(s.axis)])
    photons, errors = propagate(s, factor * step * s.axis * 1e-9 / (PLANCK * SPEED_OF_LIGHT))
    scale = (angle.value if angle else 1.0) * ELEMENTARY_CHARGE / (A_M2_PER_MA_CM2 * j)
    scale /= 1.0 if angle else area * 1e-4
    error = np.sqrt(sum(e**2 for e in errors.values()))
    with np.errstate(invalid="ignore"):
        sure = np.where(photons > 5 * error, (photons - error) * scale, -np.inf)
    if not np.isfinite(sure).any():
        said = "no spectrum with more photons than five standard errors"
        return without(Finding("signal", "withheld", said, where))
    top = int(np.argmax(sure))
    value = 100 * photons[top] * scale[top]
    budget = {cause: 100 * float(e[top] * scale[top]) for cause, e in errors.items()}
    detector = one.settings.get("light_error", settings["detector_relative"])
    calibration = math.hypot(detector, settings["current_relative"])
    budget["calibration"] = value * calibration
    findings = angle.findings if angle else ()
    if angle:
        budget |= {c: value * e / angle.value for c, e in angle.budget.items()}
    gates = (
        signal(float(photons[top]), float(error[top]), "the photon flux", where=where),
        possible(0, 100, where=where),
    )
    note = f"at {s.label(top)}, {j[top]:.3g} mA/cm2"
    made = derive(name, "%", lambda: value, gates=gates, note=note, **common, **budget)
    doubt = (Finding("assumed", "doubtful", one.doubt, where),) if one.doubt else ()
    return [made.found(*findings, *doubt)]


def _area(device: Device, one: Series) -> float | None:
    said = [one.settings.get("area_cm2"), *(run.sweep.area_cm2 for run in device.runs)]
    return next((a for a in said if a), None)


def _currents(device: Device, one: Series) -> np.ndarray | None:
    """Current density at each spectrum: as the spectra count, as the sheet says, or of the
    sweep."""
    count = len(one.signal.values)
    if one.axis == "current_mA_cm2":
        return one.signal.at
    if "current_mA_cm2" in one.settings:
        return np.full(count, one.settings["current_mA_cm2"])
    forward = [run for run in device.runs if not run.backward] or device.runs
    if one.axis == "bias_V" and forward:
        sweep = forward[0].sweep
        ok = sweep.current_density_mA_cm2 > 0
        if ok.any():
            order = np.argsort(sweep.voltage_V[ok])
            v, j = sweep.voltage_V[ok][order], sweep.current_density_mA_cm2[ok][order]
            inside = (one.signal.at >= v[0]) & (one.signal.at <= v[-1])
            return np.where(inside, np.exp(np.interp(one.signal.at, v, np.log(j))), np.nan)
    return None
