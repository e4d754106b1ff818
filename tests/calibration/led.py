"""Light-emitting diodes: a sweep, spectra at five biases, a log of the luminance."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

import labs
import peled
from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 25
SHEET = """\
sample,measurement,file,geometry,luminance_unit
{sample},jvl,{sample}_jvl.csv,lambertian,
{sample},el_series,{sample}_el.txt,,
{sample},lifetime,{sample}_life.txt,,
"""
SHEET_PHOTODIODE = """\
sample,measurement,file,geometry,area_cm2,responsivity_A_W,solid_angle_sr
{sample},jvl,{sample}_diode.csv,lambertian,0.045,0.55,0.8417872
{sample},el_series,{sample}_el.txt,,,,
"""
SHEET_SPHERE = """\
sample,measurement,file,geometry,spectrum_unit
{sample},jvl,{sample}_jvl.csv,,
{sample},el_series,{sample}_sphere.txt,sphere,uW/nm
"""
BIASES = np.array([2.5, 3.0, 3.5, 4.0, 5.0])
#: What the analysis takes for granted unless the sheet says otherwise, as it states it.
METER, CURRENT, SCALE_NM = 0.02, 0.003, 0.3
SPECTRAL = ("EL peak", "EL FWHM", "CIE x", "CIE y", "peak EQE")

CONDITIONS = (
    Condition("white", "photon-starved", {"counts": 60.0}, "open"),
    Condition("white", "dim", {"counts": 400.0}),
    Condition("white", "bright"),
    Condition("saturated", "60 % of the peak", {"clip": 0.6}, "act", SPECTRAL),
    Condition("drift", "0.2 cd/m2 over the sweep", {"drift": 0.2}),
    Condition("1/f", "", {"shape": "1/f"}),
    Condition("1/f", "1 % of the peak", {"shape": "1/f", "read": 40.0}),
    Condition("common mode", "1 % of the peak", {"common": 0.01}),
    Condition("correlated", "three pixels", {"shape": "correlated", "read": 40.0}),
    Condition("proportional", "3 % of the light", {"scatter": 0.03}),
    Condition("missing cells", "3 % of the sweep", {"missing": 0.03}),
    Condition("offsets", "0.5 cd/m2, 3 % of the peak", {"offset": 0.5, "stray": 0.03}),
    Condition("contamination", "room light, 3 % of the peak", {"line": 0.03}, "open"),
    Condition("route", "photodiode", {"route": "photodiode"}, sheet=SHEET_PHOTODIODE),
    Condition("route", "sphere", {"route": "sphere"}, sheet=SHEET_SPHERE),
    Condition("no light", "", {"eqe": 0.0}, "act", (*SPECTRAL, "turn-on voltage")),
    Condition("wrong unit", "EQE of 150 %", {"eqe": 1.5}, "act", ("peak EQE",)),
)


def draw(folder: Path, sample: str, rng, *, counts=4000.0, clip=None, drift=0.0, shape="white",
         read=8.0, common=0.0, scatter=0.005, missing=0.0, offset=0.0, stray=0.0, line=0.0,
         eqe=None, route="") -> dict[str, float]:  # fmt: skip
    """Files of one device.

    Parameters
    ----------
    counts : float
        Of the maximum at 5 V, each a photon.
    clip : float, optional
        Share of that maximum at which the detector is full.
    drift, offset : float
        Of the luminance meter over the sweep, cd/m²; its noise is 0.02.
    shape : str
        Of `noise.SHAPES`, along the sweep and of the read noise along each spectrum: photons come
        independently.
    read : float
        Read noise of a pixel, counts.
    common, stray, line : float
        Offset of each spectrum by chance, of all with a slope, a line of room light at 546 nm;
        shares of the maximum.
    scatter : float
        Of the light from point to point, relative.
    missing : float
        Share of readings of the luminance without a value.
    eqe : float, optional
        0.03 to 0.2 if not given.
    route : str
        `photodiode` or `sphere` in place of a luminance meter.
    """
    lamp = labs.Lamp(
        eqe=rng.uniform(0.03, 0.2) if eqe is None else eqe, centre=rng.uniform(625, 675),
        fwhm=rng.uniform(26, 38), j_peak=10 ** rng.uniform(-0.3, 0.7),
    )  # fmt: skip
    per_photon = labs.photon(lamp.centre, None, lamp.fwhm)  # lm s
    _sweep(
        folder / f"{sample}_jvl.csv",
        lamp,
        per_photon,
        rng,
        drift,
        SHAPES[shape],
        scatter,
        missing,
        offset,
    )
    _spectra(folder / f"{sample}_el.txt", lamp, rng, counts, clip, SHAPES[shape], read, common,
             stray, line)  # fmt: skip
    if route:
        if route == "photodiode":
            _diode(folder / f"{sample}_diode.csv", lamp, rng)
        else:
            _sphere(folder / f"{sample}_sphere.txt", lamp, rng)
        name = "peak EQE" + (", integrating sphere" if route == "sphere" else "")
        v = np.arange(1.76, 6.0, 0.002) if route == "photodiode" else BIASES
        return {name: 100 * lamp.efficiency(v).max()}
    t50 = rng.uniform(60, 300)
    labs.write_life(folder / f"{sample}_life.txt", t50, seed=int(rng.integers(2**31)))
    truth = {"EL peak": lamp.centre, "EL FWHM": lamp.fwhm, "EL peak shift": 0.0, "T50": t50,
             "T80": t50 * (np.log(1.25) / np.log(2)) ** (1 / 0.7)}  # fmt: skip
    return truth | _colour(lamp) | _light(lamp, per_photon)


def _sweep(path, lamp, per_photon, rng, drift, noise, scatter, missing, offset) -> None:
    v = lamp.voltages()
    read = _luminance(lamp, v, per_photon) * (1 + METER * rng.standard_normal())
    read = read * (1 + scatter * noise(rng, v.size)) + 0.02 * noise(rng, v.size)
    read += offset + drift * np.linspace(0, 1, v.size)
    current = lamp.current() * (1 + CURRENT * rng.standard_normal()) * 1e-3 * lamp.area_cm2
    cells = np.where(rng.random(v.size) < missing, "NaN", np.char.mod("%.5f", read))
    lines = [f"{a:.3f},{b:.6e},{c}" for a, b, c in zip(v, current, cells)]
    head = f"Area (cm2),{lamp.area_cm2}\nVoltage (V),Current (A),Luminance (cd/m2)\n"
    path.write_text(head + "\n".join(lines) + "\n")


def _spectra(path, lamp, rng, counts, clip, noise, read, common, stray, line) -> None:
    x = lamp.x()
    bright = lamp.efficiency(BIASES) * lamp.current(BIASES)
    y = counts * (bright / max(bright[-1], 1e-30))[:, None] * labs.band(x, lamp.centre, lamp.fwhm)
    if not lamp.eqe:
        y[:] = 0.0
    y = rng.poisson(y) + read * noise(rng, *y.shape)
    y += counts * (common * rng.standard_normal((len(y), 1)) + stray * (1 + x / x[-1]) / 2)
    y += counts * line * np.exp(-0.5 * ((x - 546.1) / 0.9) ** 2)
    y = np.minimum(y, np.inf if clip is None else clip * counts)
    cells = np.char.mod("%.2f", y)
    shown = x + SCALE_NM * rng.standard_normal()
    lines = ["\t".join(["Wavelength (nm)", *(f"{b:.1f} V" for b in BIASES)])]
    lines += ["\t".join([f"{a:.3f}", *row]) for a, row in zip(shown, cells.T)]
    path.write_text("\n".join(lines) + "\n")


def _diode(path, lamp, rng) -> None:
    """Photocurrent of a diode that sees a quarter of a Lambertian emitter."""
    light = lamp.light(0.55, 0.25) * lamp.area_cm2 * 1e-4
    light *= (1 + METER * rng.standard_normal()) * (1 + 0.005 * rng.standard_normal(light.size))
    light += 1e-11 * rng.standard_normal(light.size)
    current = lamp.current() * (1 + CURRENT * rng.standard_normal()) * 1e-3 * lamp.area_cm2
    rows = [f"{a:.3f},{b:.6e},{c:.6e}" for a, b, c in zip(lamp.voltages(), current, light)]
    path.write_text("Voltage (V),Current (A),Photodiode (A)\n" + "\n".join(rows) + "\n")


def _sphere(path, lamp, rng) -> None:
    """Spectral power at each bias, all of the light."""
    x = lamp.x()
    photons = lamp.efficiency(BIASES) * lamp.current(BIASES) * 1e-3 * lamp.area_cm2 / labs.Q
    shape = labs.band(x, lamp.centre, lamp.fwhm)
    unit = labs.photon(lamp.centre, 1.0, lamp.fwhm) / (shape.sum() * (x[1] - x[0]))
    y = (photons * unit)[:, None] * shape * 1e6 * (1 + METER * rng.standard_normal())
    y += 2e-3 * y.max() * rng.standard_normal(y.shape)
    lines = ["\t".join(["Wavelength (nm)", *(f"{b:.1f} V" for b in BIASES)])]
    lines += ["\t".join(f"{a:.8g}" for a in row) for row in zip(x, *y)]
    path.write_text("\n".join(lines) + "\n")


@cache
def _matching() -> np.ndarray:
    table = Path(peled.__file__).parent / "tables/cie/cie_1931_colour_matching.csv"
    rows = [r for r in csv.reader(table.open(encoding="utf-8")) if not r[0].startswith("#")]
    return np.array(rows[1:], float).T


def _colour(lamp) -> dict[str, float]:
    x, *matching = _matching()
    sums = [(labs.band(x, lamp.centre, lamp.fwhm) * one).sum() for one in matching]
    return {"CIE x": sums[0] / sum(sums), "CIE y": sums[1] / sum(sums)}


def _luminance(lamp, v, per_photon: float) -> np.ndarray:
    """Of a Lambertian emitter, cd/m², from the photons that leave it."""
    return lamp.efficiency(v) * 10 * lamp.current(v) / labs.Q * per_photon / np.pi


def _light(lamp, per_photon: float) -> dict[str, float]:
    """True values of what the sweep gives; the maxima of smooth curves, not of readings."""
    if not lamp.eqe:
        return {}
    v = np.arange(1.76, 6.0, 0.002)
    j, luminance = lamp.current(v), _luminance(lamp, v, per_photon)
    truth = {
        "peak EQE": 100 * lamp.efficiency(v).max(),
        "largest luminance": _luminance(lamp, lamp.voltages(), per_photon).max(),
        "largest current efficiency": (luminance / (10 * j)).max(),
        "largest power efficacy": (np.pi * luminance / (10 * j * v)).max(),
    }
    if luminance[0] < 1 < luminance.max():
        truth["turn-on voltage"] = brentq(lambda at: np.interp(at, v, luminance) - 1, v[0], v[-1])
    return truth
