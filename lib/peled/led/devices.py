"""From the sweeps and spectra of one device to what a paper says about it, and the table of many devices.

The spectrum belongs to the operating point: where a series against bias or current was measured, it is interpolated to each
point of the sweep. Where none was, a described band stands in, and the device says so in its notes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from peled.led import photometry
from peled.led.consistency import ColumnCheck, check_column
from peled.led.current_voltage import Hysteresis, Peak, TurnOn, hysteresis, peak_eqe, turn_on
from peled.led.photometry import Colour, Efficiency


@dataclass(frozen=True)
class Readings:
    """How well the instruments read: relative and absolute standard errors that go into every device's EQE."""

    luminance_relative: float = 0.01
    luminance_noise_cd_m2: float = 0.02
    current_relative: float = 0.003
    wavelength_nm: float = 0.3
    solid_angle_relative: float = 0.0


@dataclass(frozen=True)
class Device:
    """One device, its sweep up analysed; arrays run over the points of that sweep, NaN where there was no usable luminance."""

    name: str
    voltage_V: np.ndarray = field(repr=False)
    current_density_mA_cm2: np.ndarray = field(repr=False)
    luminance_cd_m2: np.ndarray = field(repr=False)
    efficiency: Efficiency = field(repr=False)
    peak: Peak
    turn_on: TurnOn
    largest_luminance_cd_m2: float
    largest_cd_A: float
    largest_lm_W: float
    peak_nm: float
    colour: Colour
    hysteresis: Hysteresis | None
    reported: ColumnCheck | None
    good: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


def spectra_at(
    voltage_V, current_density_mA_cm2, parameter, parameter_unit: str, spectra
) -> np.ndarray:
    """Spectra at each point of a sweep from a series against bias (V) or current density (mA cm⁻²): linear in V or in log J.

    Each spectrum is normalised to its area first, so that brightness does not weigh the mix. Beyond the ends of the series the
    last spectrum is kept.

    Raises
    ------
    ValueError
        If the series is against something else.
    """
    values = np.asarray(spectra, float)
    values = values / values.sum(axis=1, keepdims=True)
    at = np.asarray(parameter, float)
    unit = parameter_unit.lower().replace(" ", "").replace("²", "2").replace("^", "")
    if unit in ("v", "mv"):
        x, grid = np.asarray(voltage_V, float), at * (1e-3 if unit == "mv" else 1.0)
    elif "a" in unit and "cm" in unit:
        scale = 1e-3 if unit[0] in "uµμ" else 1e3 if unit[0] == "a" else 1.0
        x, grid = np.log(np.clip(current_density_mA_cm2, 1e-12, None)), np.log(at * scale)
    else:
        raise ValueError(
            f"spectra: expected a series against bias (V) or current density (mA/cm2), found {parameter_unit or 'no unit'}"
        )
    order = np.argsort(grid)
    grid, values = grid[order], values[order]
    place = np.clip(np.interp(x, grid, np.arange(grid.size)), 0, grid.size - 1)
    low = np.clip(np.floor(place).astype(int), 0, max(grid.size - 2, 0))
    share = (place - low)[:, None]
    return (1 - share) * values[low] + share * values[np.minimum(low + 1, grid.size - 1)]


def analyse(
    name: str,
    sweeps: Sequence,
    series=None,
    *,
    band: tuple[float, float] = (620.0, 35.0),
    readings: Readings | None = None,
    solid_angle_sr: float = photometry.LAMBERTIAN_SR,
    turn_on_cd_m2: float = 1.0,
) -> Device:
    """One device from its sweeps (`peled.formats.sweeps.Sweep`) and, if there is one, its spectral series.

    Parameters
    ----------
    sweeps : sequence of Sweep
        The first sweep up is analysed (else the first down, which is said); the first down is used for the hysteresis.
    series : Spectra, optional
        With `wavelength_nm`, `values`, `parameter`, `parameter_unit` (`peled.formats.spectra`); a single spectrum serves all points.
    band : (centre_nm, fwhm_nm)
        Stands in when there is no series.

    Raises
    ------
    ValueError
        If no sweep is there, or it has neither luminance nor cd/A, or hardly any light.
    """
    readings = readings or Readings()
    up = next((s for s in sweeps if s.direction == "up"), None)
    notes = []
    if up is None:
        up = next((s for s in sweeps if s.direction == "down"), None)
        notes.append("swept down only")
    if up is None:
        raise ValueError(
            f"{name}: expected a sweep, found {', '.join(s.direction for s in sweeps) or 'none'}"
        )
    voltage, current, lum = up.voltage_V, up.current_density_mA_cm2, up.luminance_cd_m2
    notes = [*up.notes, *notes]
    if lum is None and up.reported_cd_A is not None:
        lum = up.reported_cd_A * current * photometry.A_M2_PER_MA_CM2
        notes.append("no luminance column: luminance from the reported cd/A and the current")
    elif lum is None:
        raise ValueError(
            f"{name}: expected a luminance column, found none; EQE from a photodiode needs photometry.eqe_from_photodiode and its calibration"
        )
    elif up.reported_cd_A is not None:
        notes += _check_cd_A(up.reported_cd_A, lum, current)
    if series is None:
        wavelength, spectra = photometry.gaussian_band(*band)
        notes.append(
            f"no spectra: a Gaussian band at {band[0]:g} nm, {band[1]:g} nm wide, stands in"
        )
    elif len(series) == 1 or series.parameter is None:
        wavelength, spectra = series.wavelength_nm, series.values[0]
        notes.append("one spectrum for all points")
    else:
        wavelength, spectra = (
            series.wavelength_nm,
            spectra_at(voltage, current, series.parameter, series.parameter_unit, series.values),
        )
    # Light is where luminance exceeds its noise fivefold and the current is forward; elsewhere EQE is noise over leakage.
    light = (
        np.isfinite(lum)
        & (lum > 5 * readings.luminance_noise_cd_m2)
        & (current > 0)
        & (voltage > 0)
    )
    if light.sum() < 3:
        raise ValueError(
            f"{name}: expected at least three points with light, found {int(light.sum())} above {5 * readings.luminance_noise_cd_m2:g} cd m-2"
        )
    got = photometry.efficiency(
        lum[light],
        current[light],
        wavelength,
        spectra[light] if spectra.ndim == 2 else spectra,
        voltage_V=voltage[light],
        solid_angle_sr=solid_angle_sr,
        luminance_error=np.hypot(
            readings.luminance_relative * lum[light], readings.luminance_noise_cd_m2
        ),
        current_relative_error=readings.current_relative,
    )

    def spread(values: np.ndarray) -> np.ndarray:
        full = np.full(voltage.shape, np.nan)
        full[light] = values
        return full

    peak = peak_eqe(current[light], got.eqe, got.eqe_error)
    if peak.at_edge:
        notes.append("the largest EQE is at an end of the sweep")
    reference = (
        spectra
        if spectra.ndim == 1
        else spectra[
            int(
                np.argmin(
                    np.abs(np.log(np.clip(current, 1e-12, None) / peak.current_density_mA_cm2))
                )
            )
        ]
    )
    shared = _shared_error(wavelength, reference, readings)
    peak = Peak(
        peak.eqe,
        math.hypot(np.nan_to_num(peak.eqe_error), shared * peak.eqe),
        *(
            getattr(peak, n)
            for n in (
                "current_density_mA_cm2",
                "current_error",
                "half_current_mA_cm2",
                "half_reached",
                "at_edge",
            )
        ),
    )
    down = next((s for s in sweeps if s.direction == "down"), None)
    between = None
    if down is not None and down is not up and len(down) > 3:
        between = hysteresis(voltage, current, down.voltage_V, down.current_density_mA_cm2)
    reported = None
    if up.reported_eqe is not None:
        reported = check_column(
            up.reported_eqe, lum, current, wavelength, spectra, solid_angle_sr=solid_angle_sr
        )
        notes.append(reported.sentence())
    unusable = int((~up.good).sum())
    if unusable:
        notes.append(f"{unusable} points in compliance or at range steps: shown, not fitted")
    return Device(
        name,
        voltage,
        current,
        lum,
        Efficiency(
            spread(got.eqe),
            spread(got.eqe_error),
            spread(got.current_efficiency_cd_A),
            spread(got.power_efficacy_lm_W),
        ),
        peak,
        turn_on(
            voltage,
            lum,
            threshold_cd_m2=turn_on_cd_m2,
            luminance_relative_error=readings.luminance_relative,
            noise_cd_m2=readings.luminance_noise_cd_m2,
        ),
        float(np.nanmax(lum)),
        float(np.max(got.current_efficiency_cd_A)),
        float(np.max(got.power_efficacy_lm_W)),
        float(wavelength[np.argmax(reference)]),
        photometry.colour(wavelength, reference),
        between,
        reported,
        up.good,
        tuple(dict.fromkeys(notes)),
    )


def _check_cd_A(reported, luminance_cd_m2, current_density_mA_cm2) -> list[str]:
    """Whether a reported cd/A column is the luminance over the current beside it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = reported * current_density_mA_cm2 * photometry.A_M2_PER_MA_CM2 / luminance_cd_m2
    lit = (
        np.isfinite(ratio)
        & (luminance_cd_m2 > 0.02 * np.nanmax(luminance_cd_m2))
        & (current_density_mA_cm2 > 0)
    )
    if lit.sum() < 3 or abs(np.median(ratio[lit]) - 1) < 0.02:
        return []
    return [f"reported cd/A is {100 * (np.median(ratio[lit]) - 1):+.1f} % off L/J"]


def _shared_error(wavelength, spectrum, readings: Readings) -> float:
    """Relative error common to all points: wavelength scale and angular pattern."""
    up, down = (
        float(photometry.luminous_energy_per_photon(np.asarray(wavelength) + d, spectrum))
        for d in (0.5, -0.5)
    )
    return math.hypot(math.log(up / down) * readings.wavelength_nm, readings.solid_angle_relative)


TABLE_HEAD = (
    "device",
    "V_on (V)",
    "L_max (cd/m²)",
    "LE_max (cd/A)",
    "PE_max (lm/W)",
    "EQE_max (%)",
    "at J (mA/cm²)",
    "J½ (mA/cm²)",
    "x, y",
)


def table(devices: Mapping[str, Device]) -> list[tuple[str, ...]]:
    """Rows of the device table, rounded to what is meaningful; the head is `TABLE_HEAD`."""
    rows = []
    for name, d in devices.items():
        half = f"{d.peak.half_current_mA_cm2:.2g}" if d.peak.half_reached else "beyond"
        rows.append(
            (
                name,
                f"{d.turn_on.voltage_V:.2f}" if d.turn_on.reached else "not reached",
                f"{d.largest_luminance_cd_m2:.0f}",
                f"{d.largest_cd_A:.1f}",
                f"{d.largest_lm_W:.1f}",
                f"{100 * d.peak.eqe:.1f} ± {100 * d.peak.eqe_error:.1f}",
                f"{d.peak.current_density_mA_cm2:.2g}",
                half,
                f"{float(d.colour.x):.3f}, {float(d.colour.y):.3f}",
            )
        )
    return rows


def current_ratio(
    first: Device, second: Device, *, from_V: float | None = None
) -> tuple[float, float]:
    """Mean ratio of current densities J(first)/J(second) at equal voltage above turn-on, and its spread as a factor (1 standard deviation)."""
    low = (
        from_V
        if from_V is not None
        else max(t.voltage_V for t in (first.turn_on, second.turn_on) if math.isfinite(t.voltage_V))
    )
    v = first.voltage_V[(first.voltage_V >= low) & (first.voltage_V <= second.voltage_V.max())]
    if v.size < 2:
        raise ValueError(f"current ratio: expected common voltages above {low:g} V, found {v.size}")
    a = np.interp(v, first.voltage_V, np.log(np.clip(first.current_density_mA_cm2, 1e-12, None)))
    b = np.interp(v, second.voltage_V, np.log(np.clip(second.current_density_mA_cm2, 1e-12, None)))
    return float(np.exp(np.mean(a - b))), float(np.exp(np.std(a - b)))


def current_at(device: Device, voltage_V) -> np.ndarray:
    """Current density (mA cm⁻²) of a device's sweep at other voltages, interpolated in log J."""
    forward = device.current_density_mA_cm2 > 0
    order = np.argsort(device.voltage_V[forward])
    return np.exp(
        np.interp(
            voltage_V,
            device.voltage_V[forward][order],
            np.log(device.current_density_mA_cm2[forward][order]),
        )
    )
