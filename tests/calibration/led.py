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

DRAWS = 80
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
SHEET_HELD = """\
sample,measurement,file,geometry
{sample},jvl,{sample}_jvl.csv,lambertian
{sample},jvl,{sample}_held.csv,lambertian
{sample},el_series,{sample}_el.txt,
"""
SHEET_TIME = """\
sample,measurement,file
{sample},el_series,{sample}_time.txt
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
    Condition("held", "falls by 5 to 40 %", {"held": True}, sheet=SHEET_HELD),
    Condition("held", "dim", {"held": True, "eqe": 2e-4}, sheet=SHEET_HELD),
    Condition("both ways", "down 10 to 80 mV ahead", {"ahead": True}),
    Condition("both ways", "2 % of the current", {"ahead": True, "jitter": 0.02}),
    Condition("in time", "a second band grows to 5 to 30 %", {"grown": 0.3}, sheet=SHEET_TIME),
    Condition("in time", "400 counts", {"grown": 0.3, "counts": 400.0}, sheet=SHEET_TIME),
    Condition("in time", "no second band", {"grown": 0.0}, "act", ("shoulder",), SHEET_TIME),
    Condition("no light", "", {"eqe": 0.0}, "act", (*SPECTRAL, "turn-on voltage")),
    Condition("wrong unit", "EQE of 150 %", {"eqe": 1.5}, "act", ("peak EQE",)),
)


def draw(folder: Path, sample: str, rng, *, counts=4000.0, clip=None, drift=0.0, shape="white",
         read=8.0, common=0.0, scatter=0.005, missing=0.0, offset=0.0, stray=0.0, line=0.0,
         eqe=None, route="", held=False, ahead=False, jitter=0.0,
         grown=None) -> dict[str, float]:  # fmt: skip
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
    held : bool
        Ten minutes at 3 V beside the sweep.
    ahead : bool
        Whether the sweep is gone back, the current as at a higher voltage.
    jitter : float
        Of the current from point to point, relative.
    grown : float, optional
        Largest share of a second band at the end of a series in time, in place of all else.
    """
    lamp = labs.Lamp(
        eqe=rng.uniform(0.03, 0.2) if eqe is None else eqe, centre=rng.uniform(625, 675),
        fwhm=rng.uniform(26, 38), j_peak=10 ** rng.uniform(-0.3, 0.7),
    )  # fmt: skip
    if grown is not None:
        return _in_time(folder / f"{sample}_time.txt", lamp, rng, counts, read, grown)
    per_photon = labs.photon(lamp.centre, None, lamp.fwhm)  # lm s
    lead = rng.uniform(0.01, 0.08) if ahead else None
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
        lead,
        jitter,
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
    if held:
        return _held(folder / f"{sample}_held.csv", lamp, per_photon, rng)
    if lead:
        return {"hysteresis (down − up)": lead}
    t50 = rng.uniform(60, 300)
    labs.write_life(folder / f"{sample}_life.txt", t50, seed=int(rng.integers(2**31)))
    truth = {"EL peak": lamp.centre, "EL FWHM": lamp.fwhm, "EL peak shift": 0.0, "T50": t50,
             "T80": t50 * (np.log(1.25) / np.log(2)) ** (1 / 0.7)}  # fmt: skip
    return truth | _colour(lamp) | _light(lamp, per_photon)


def _sweep(path, lamp, per_photon, rng, drift, noise, scatter, missing, offset, lead,
           jitter) -> None:  # fmt: skip
    v = lamp.voltages()
    way, seen = (v, v) if lead is None else (np.r_[v, v[::-1]], np.r_[v, v[::-1] + lead])
    read = _luminance(lamp, seen, per_photon) * (1 + METER * rng.standard_normal())
    read = read * (1 + scatter * noise(rng, way.size)) + 0.02 * noise(rng, way.size)
    read += offset + drift * np.linspace(0, 1, way.size)
    current = lamp.current(seen) * (1 + CURRENT * rng.standard_normal()) * 1e-3 * lamp.area_cm2
    current = current * (1 + jitter * rng.standard_normal(way.size))
    cells = np.where(rng.random(way.size) < missing, "NaN", np.char.mod("%.5f", read))
    lines = [f"{a:.3f},{b:.6e},{c}" for a, b, c in zip(way, current, cells)]
    head = f"Area (cm2),{lamp.area_cm2}\nVoltage (V),Current (A),Luminance (cd/m2)\n"
    path.write_text(head + "\n".join(lines) + "\n")


def _held(path, lamp, per_photon, rng) -> dict[str, float]:
    """Ten minutes at 3 V: the efficiency falls and stays; meters as in a sweep."""
    t, v = np.arange(0, 601, 5.0), 3.0
    last, tau = rng.uniform(0.6, 0.95), rng.uniform(30, 80)
    fall = last + (1 - last) * np.exp(-t / tau)
    light = _luminance(lamp, np.full(t.size, v), per_photon) * fall
    light = light * (1 + METER * rng.standard_normal()) * (1 + 0.005 * rng.standard_normal(t.size))
    light += 0.02 * rng.standard_normal(t.size)
    current = lamp.current(v) * (1 + CURRENT * rng.standard_normal()) * 1e-3 * lamp.area_cm2
    rows = [f"{a:.1f},{v},{current:.6e},{b:.5f}" for a, b in zip(t, light)]
    head = f"Area (cm2),{lamp.area_cm2}\nTime (s),Voltage (V),Current (A),Luminance (cd/m2)\n"
    path.write_text(head + "\n".join(rows) + "\n")
    left = fall[t >= 480].mean()
    eqe = 100 * float(lamp.efficiency(np.array([v]))[0])
    return {"stabilised EQE": eqe * left, "EQE change while held": 100 * (left - 1)}


def _in_time(path, lamp, rng, counts, read, grown) -> dict[str, float]:
    """Twelve minutes of spectra; a second band grows 1.3 to 2 widths to the red."""
    x, minutes = lamp.x(), np.arange(12.0)
    place = lamp.centre + lamp.fwhm * rng.uniform(1.3, 2)
    share = grown and rng.uniform(0.05, grown) * (1 - np.exp(-minutes / 4))[:, None]
    y = (1 - share) * labs.band(x, lamp.centre, lamp.fwhm) + share * labs.band(x, place, lamp.fwhm)
    y = rng.poisson(counts * np.broadcast_to(y, (12, x.size))) + read * rng.standard_normal(
        (12, x.size)
    )
    shown = x + SCALE_NM * rng.standard_normal()
    lines = ["\t".join(["Wavelength (nm)", *(f"{60 * m:.0f} s" for m in minutes)])]
    lines += [f"{a:.3f}\t" + "\t".join(np.char.mod("%.2f", row)) for a, row in zip(shown, y.T)]
    path.write_text("\n".join(lines) + "\n")
    return {"shoulder": place} if grown else {}


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
        "J at peak EQE": lamp.j_peak,
        "largest luminance": _luminance(lamp, lamp.voltages(), per_photon).max(),
        "largest current efficiency": (luminance / (10 * j)).max(),
        "largest power efficacy": (np.pi * luminance / (10 * j * v)).max(),
    }
    if luminance[0] < 1 < luminance.max():
        truth["turn-on voltage"] = brentq(lambda at: np.interp(at, v, luminance) - 1, v[0], v[-1])
    return truth
