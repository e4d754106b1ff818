"""Films: a spectrum, three runs of an integrating sphere, a decay with its response."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 40  # of 15, one cell in twenty is off by chance alone
SHEET = """\
sample,measurement,file,role,excitation_nm,laser_drift,repetition_MHz,pulses
{sample},pl,{sample}_pl.csv,,405,,,
{sample},plqy,{sample}_sphere_{role}.csv,{role},405,0.01,,
{sample},plqy,{sample}_flat.csv,gain,,,,
{sample},trpl,{sample}_trpl.csv,,405,,1,1e9
{sample},trpl,{sample}_irf.csv,irf,,,,
"""
SHEET_FLUENCE = """\
sample,measurement,file,role,fluence_uJ_cm2,excitation_nm,absorptance,thickness_nm
{sample},trpl,{sample}_trpl_{fluence_uJ_cm2}uJ.csv,,,405,0.45,50
{sample},trpl,{sample}_irf.csv,irf,,,,
"""
SHEET_TIME = """\
sample,measurement,file
{sample},pl_series,{sample}_series.csv
"""
FLUENCE = 0.1  #: relative standard error of all fluences together, as the analysis states it
RATES = ("first-order rate", "radiative rate (leaving)")
GROWTH = ("red share, growth", "red share at the end", "centroid, drift")
#: Standard error of the wavelength scale that the analysis takes for granted, nm.
SCALE_NM = 0.3
WINGS = 0.04  #: of a band in Lorentzian wings, one standard deviation, as the analysis states
LASER_DRIFT = 0.01  #: of its power from run to run, relative standard deviation, as the sheet says
#: The calibration of the sphere ends at 780 nm: what a wide band has beyond is in the error.
X = np.arange(380.0, 800.0, 0.8)
T = np.arange(0.0, 120.0, 0.25)
SPECTRAL = ("PL peak", "PL centroid", "PL width", "PL peak energy", "PL area")
DECAY = ("lifetime, amplitude-weighted", "lifetime, intensity-weighted")

CONDITIONS = (
    Condition("white", "photon-starved", {"bright": 0.01}, "open"),
    Condition("white", "dim", {"bright": 0.1}),
    Condition("white", "bright"),
    Condition("saturated", "60 % of the peak", {"clip": 0.6}, "act", (*SPECTRAL, "PLQY")),
    Condition("1/f", "", {"shape": "1/f"}),
    Condition("common mode", "offset of each run", {"common": 20.0}),
    Condition("correlated", "three pixels", {"shape": "correlated"}),
    Condition("proportional", "1 % of the light", {"proportional": 0.01}),
    Condition("wide", "60 to 90 nm, with wings", {"wide": True}),
    Condition("missing cells", "3 %", {"missing": 0.03}),
    Condition("offsets", "400 counts, rising by 100", {"offset": 400.0, "slope": 100.0}),
    Condition("contamination", "laser, second order, scatter", {"laser": 0.3}),
    Condition("two lifetimes", "", {"two": True}),
    Condition("fluences", "dim", {"counts": 3e3}, sheet=SHEET_FLUENCE),
    Condition("fluences", "bright", {"counts": 1e5}, sheet=SHEET_FLUENCE),
    Condition("fluences", "no light", {"counts": 0.0}, "act", RATES, SHEET_FLUENCE),
    Condition("in time", "dim", {"grown": 0.4, "bright": 0.03}, sheet=SHEET_TIME),
    Condition("in time", "bright", {"grown": 0.4}, sheet=SHEET_TIME),
    Condition("in time", "no red band", {"grown": 0.0}, "act", GROWTH[:2], SHEET_TIME),
    Condition("no light", "", {"bright": 0.0}, "act", (*SPECTRAL, *DECAY, "PLQY")),
)


def draw(folder: Path, sample: str, rng, *, bright=1.0, clip=None, shape="white", common=0.0,
         proportional=0.0, missing=0.0, offset=30.0, slope=0.0, laser=0.0,
         two=False, wide=False, counts=None, grown=None) -> dict[str, float]:  # fmt: skip
    """Files of one film.

    Parameters
    ----------
    bright : float
        1: 9,000 counts in the spectrum's maximum, 10⁶ in the laser's line, 1.2 × 10⁵ in the decay.
    clip : float, optional
        Share of the maximum at which a detector is full.
    shape : str
        Of `noise.SHAPES`: read noise of 8 along a spectrum.
    common, offset, slope : float
        Counts under each run by chance, under all, and rising over the axis.
    proportional : float
        Of the light, from pixel to pixel, another in each run.
    missing : float
        Share of cells without a value.
    laser : float
        Height of the laser in the spectrum, of its second order in the sphere (a twentieth) and
        share of its pulse in the decay (a third).
    two : bool
        Whether the decay has two lifetimes.
    wide : bool
        Whether the band is two to three times as wide, with wings as the analysis states them.
    counts : float, optional
        Of the decays at three fluences, in place of all else.
    grown : float, optional
        Largest share of a red band at the end of twenty minutes, in place of all else.
    """
    if counts is not None:
        return _fluences(folder, sample, rng, counts)
    if grown is not None:
        return _in_time(folder, sample, rng, 9000 * bright, grown)

    def detected(light, name: str, line_nm: float = 0.0) -> None:
        """A spectrum as counts on an axis that is off by `line_nm`."""
        seen = light * (1 + proportional * SHAPES[shape](rng, X.size))
        counts = rng.poisson(np.maximum(seen, 0)) + 8 * SHAPES[shape](rng, X.size)
        counts = counts + offset + common * rng.standard_normal() + slope * (X - X[0]) / np.ptp(X)
        if clip:
            counts = np.minimum(counts, offset + clip * light.max())
        cells = np.char.mod("%.0f", counts)
        cells[rng.random(X.size) < missing] = "NaN"
        _write(folder / f"{sample}_{name}.csv", "Wavelength (nm),counts",
               np.char.mod("%.3f", X + line_nm), cells)  # fmt: skip

    peak, fwhm = rng.uniform(620, 680), rng.uniform(22, 36)
    wings = 0.0
    if wide:
        fwhm, wings = 2.6 * fwhm, WINGS * abs(rng.standard_normal())
    band = _band(X, peak, fwhm, wings)
    line = np.exp(-0.5 * ((X - 405) / 1.5) ** 2)
    height = 9000 * bright
    detected(height * (band + laser * line), "pl", SCALE_NM * rng.standard_normal())
    plqy, absorbed = rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.6)
    for run, left, taken in (
        ("empty", 1.0, 0.0), ("indirect", 0.88, 0.12),
        ("direct", (1 - absorbed) * 0.88, absorbed + (1 - absorbed) * 0.12),
    ):  # fmt: skip
        power = 1 + LASER_DRIFT * rng.standard_normal()
        light = left * line / line.sum() + plqy * bool(bright) * taken * band / band.sum()
        if laser:  # the grating's second order of the laser
            light += left * laser / 20 * np.exp(-0.5 * ((X - 790) / 1.5) ** 2) / line.sum()
        detected(4e6 * max(bright, 0.01) * power * light * 405 / X, f"sphere_{run}")
    _write(folder / f"{sample}_flat.csv", "# quantity: energy\nWavelength (nm),factor",
           np.char.mod("%.1f", X[::25]), np.full(X[::25].size, "1"))  # fmt: skip
    found = _decay(folder, sample, rng, 1.2e5 * bright, laser / 3, two)
    found |= {"PLQY": plqy, "absorptance": absorbed}
    if bright:
        fine = np.arange(peak - 30, peak + 30, 0.001)
        per_energy = _band(fine, peak, fwhm, wings) * fine**2
        found |= {
            "PL peak": peak, "PL centroid": peak, "PL width": fwhm,
            "PL peak energy": 1239.841984 / fine[np.argmax(per_energy)],
            "PL area": height * band.sum() * (X[1] - X[0]),
        }  # fmt: skip
    return found


def _band(x, peak, fwhm, wings):
    """A Gaussian with some of its area in a Lorentzian of its width; 1 in the maximum."""
    away = 2 * (x - peak) / fwhm
    gauss, lorentz = 2.0 ** -(away**2), 1 / (1 + away**2)
    share = wings * np.sqrt(np.log(2) / np.pi)  # a Lorentzian of that height holds as much
    return (1 - share) * gauss + share * lorentz


def _decay(folder, sample, rng, light: float, scatter: float, two: bool) -> dict[str, float]:
    """Counts of a decay and of the instrument's pulse; the mean lifetimes."""
    taus, shares = [rng.uniform(4, 25)], [1.0]
    if two:
        taus, shares = [rng.uniform(1.5, 3), rng.uniform(12, 25)], [0.6, 0.4]
    fine = np.arange(0.0, 120.0, 0.0125)
    pulse = np.exp(-0.5 * ((fine - 10.5) / 0.4) ** 2)
    amplitudes = np.array(shares)
    law = sum(a * np.exp(-fine / tau) for a, tau in zip(amplitudes, taus))
    seen = np.convolve(pulse, law)[: fine.size].reshape(-1, 20).sum(axis=1)
    prompt = pulse.reshape(-1, 20).sum(axis=1)
    expected = light * ((1 - scatter) * seen / seen.sum() + scatter * prompt / prompt.sum()) + 0.5
    response = rng.poisson(60000 * prompt / prompt.max() / 6 + 0.3)
    for name, counts in (("trpl", rng.poisson(expected)), ("irf", response)):
        _write(folder / f"{sample}_{name}.csv", "Time (ns),counts",
               np.char.mod("%.2f", T), counts.astype(str))  # fmt: skip
    if not light:
        return {}
    first, second = (amplitudes @ np.power(taus, k) for k in (1, 2))
    found = dict(zip(DECAY, (first / amplitudes.sum(), second / first)))
    return found if two else found | {"lifetime, 1 exponential": taus[0]}


def _fluences(folder, sample, rng, counts: float) -> dict[str, float]:
    """Decays of first order with radiation after pulses of three fluences: closed form."""
    rates = 10 ** rng.uniform(7.3, 7.9), 10 ** rng.uniform(-10.3, -9.7)
    fine = np.arange(0.0, 120.0, 0.0125)
    pulse = np.exp(-0.5 * ((fine - 10.5) / 0.4) ** 2)
    off, photon_J = np.exp(FLUENCE * rng.standard_normal()), 1.98644586e-25 / 405e-9
    for fluence in (0.2, 2, 20):
        density = fluence * off * 1e-6 * 0.45 / photon_J / 50e-7
        fall = np.exp(-1e-9 * rates[0] * fine)
        light = (fall / (1 + rates[1] * density / rates[0] * (1 - fall))) ** 2
        seen = np.convolve(pulse, light)[: fine.size].reshape(-1, 20).sum(axis=1)
        decay = rng.poisson(counts * seen / seen.sum() + 0.5)
        _write(folder / f"{sample}_trpl_{fluence:g}uJ.csv", "Time (ns),counts",
               np.char.mod("%.2f", T), decay.astype(str))  # fmt: skip
    response = rng.poisson(10000 * pulse.reshape(-1, 20).mean(axis=1) + 0.3)
    _write(folder / f"{sample}_irf.csv", "Time (ns),counts",
           np.char.mod("%.2f", T), response.astype(str))  # fmt: skip
    return dict(zip(RATES, rates)) if counts else {}


def _in_time(folder, sample, rng, height: float, grown: float) -> dict[str, float]:
    """Twenty minutes of spectra whose red band grows as the time."""
    minutes, x = np.arange(20.0), X[200:]
    peak, fwhm = rng.uniform(620, 650), rng.uniform(24, 34)
    apart = fwhm * rng.uniform(1.2, 1.8)
    share = grown and rng.uniform(0.1, grown)
    columns = []
    for now in share * minutes / minutes[-1]:
        y = (1 - now) * np.exp(-4 * np.log(2) * ((x - peak) / fwhm) ** 2)
        y += now * np.exp(-4 * np.log(2) * ((x - peak - apart) / fwhm) ** 2)
        columns.append(rng.poisson(height * y + 20).astype(str))
    heads = ",".join(["Wavelength (nm)", *(f"{60 * m:.0f} s" for m in minutes)])
    _write(folder / f"{sample}_series.csv", heads, np.char.mod("%.1f", x), *columns)
    each = share / minutes[-1]
    return dict(zip(GROWTH, (each, share, each * apart))) if share else {GROWTH[-1]: 0.0}


def _write(path: Path, head: str, *columns) -> None:
    path.write_text("\n".join([head, *map(",".join, zip(*columns))]) + "\n")
