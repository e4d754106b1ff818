"""Folders of LED laboratories made on the spot: a forward model that shares nothing with the
analysis.

Currents are exponentials with a series resistance, the efficiency is a smooth hump in log J,
spectra are Gaussians of power in wavelength on a detector with offset, slope and read noise. V(λ)
is read from the CIE table by itself.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import peled

Q, HC = 1.602176634e-19, 1.98644586e-25


def vlambda(x):
    rows = [
        row
        for row in csv.reader(
            open(Path(peled.__file__).parent / "tables/cie/cie_1924_photopic.csv", encoding="utf-8")
        )
        if row and not row[0].startswith("#")
    ][1:]
    known = np.array(rows, float)
    return np.interp(x, known[:, 0], known[:, 1], left=0.0, right=0.0)


def band(x, centre, fwhm=32.0):
    return np.exp(-4 * np.log(2) * ((x - centre) / fwhm) ** 2)


def photon(centre, weight=None, fwhm=32.0):
    """Reading of a mean photon: lm s for the eye, else ∫ S w / ∫ S λ/hc."""
    x = np.arange(max(centre - 200, 300), centre + 200, 0.1)
    s = band(x, centre, fwhm)
    w = 683.002 * vlambda(x) if weight is None else np.broadcast_to(weight, x.shape)
    return (s * w).sum() / (s * x * 1e-9 / HC).sum()


@dataclass(frozen=True)
class Lamp:
    """One device and the instruments that look at it."""

    eqe: float = 0.12
    centre: float = 642.0
    fwhm: float = 32.0
    j_peak: float = 2.0  # mA cm-2
    shift_nm_V: float = 0.0  # of the band, from 3 V on
    area_cm2: float = 0.045
    noise: float = 0.02  # cd m-2
    scatter: float = 0.005  # relative
    offset: float = 0.0  # cd m-2
    spectrum_noise: float = 8.0
    spectrum_offset: float = 0.0  # of the peak
    spectrum_slope: float = 0.0  # of the peak, over the axis
    peak_counts: float = 4000.0  # at 5 V
    axis: tuple = (350.0, 1000.0, 1024)
    seed: int = 0

    def voltages(self):
        return np.arange(0, 6.05, 0.1)

    def current(self, v=None):
        """mA cm-2."""
        v = self.voltages() if v is None else np.asarray(v, float)
        on = np.logaddexp(0, (v - 2.4) / 0.12) ** 2.2
        return 1e-6 * v + 0.06 * on * np.exp(-0.25 * np.maximum(v - 4, 0))

    def efficiency(self, v=None):
        u = np.log10(np.maximum(self.current(v), 1e-9) / self.j_peak)
        v = self.voltages() if v is None else np.asarray(v, float)
        lit = v > 1.75  # no light below the gap
        return np.where(lit, self.eqe * np.exp(-0.55 * u**2 / (1 + 0.15 * np.abs(u))), 0.0)

    def centre_at(self, v):
        return self.centre + self.shift_nm_V * (np.asarray(v, float) - 3.0)

    def light(self, weight=None, geometry=1 / np.pi):
        """Reading by density of electrons: L = EQE J/q Λ/π without noise."""
        v = self.voltages()
        r = np.array([photon(c, weight, self.fwhm) for c in self.centre_at(v)])
        if np.ptp(self.centre_at(v)) == 0:
            r = r[0]
        return self.efficiency() * 10 * self.current() / Q * r * geometry

    def rng(self, salt=0):
        return np.random.default_rng([self.seed, salt])

    def measured(self, light, noise):
        n = self.rng(1).standard_normal((2, light.size))
        return light * (1 + self.scatter * n[0]) + noise * n[1] + self.offset

    def x(self):
        return np.linspace(*self.axis[:2], self.axis[2])

    def spectra(self, biases):
        """(n, n_x) counts; the brightness goes with the light."""
        x, out = self.x(), []
        bright = np.interp(biases, self.voltages(), self.light(1.0))
        top = np.interp(5.0, self.voltages(), self.light(1.0))
        for v, b in zip(biases, bright):
            height = self.peak_counts * min(b / top, 1.0)
            stray = self.spectrum_offset + self.spectrum_slope * np.linspace(0, 1, x.size)
            out.append(height * band(x, self.centre_at(v), self.fwhm) + self.peak_counts * stray)
        noise = self.rng(2).standard_normal((len(out), x.size)) * self.spectrum_noise
        return np.array(out) + noise


def write_jvl(
    path,
    lamp: Lamp,
    *,
    current="Current (A)",
    light="Luminance (cd/m2)",
    area=True,
    scale=None,
    extra=1.0,
    both=False,
):
    """One sweep as CSV; `scale` turns mA/cm2 into the unit headed."""
    v, j = lamp.voltages(), lamp.current()
    scale = 1e-3 * lamp.area_cm2 if scale is None else scale
    values = lamp.measured(lamp.light(), lamp.noise) * extra
    head = f"Area (cm2),{lamp.area_cm2}\n" if area else ""
    rows = list(zip(v, j * scale, values))
    if both:
        back = replace(lamp, seed=lamp.seed + 999)
        again = back.measured(lamp.light(), lamp.noise) * extra
        rows += list(zip(v, j * scale * 1.04, again))[-2::-1]
    lines = [f"{a:.3f},{b:.6e},{c:.5f}" for a, b, c in rows]
    Path(path).write_text(f"{head}Voltage (V),{current},{light}\n" + "\n".join(lines) + "\n")


def write_series(path, lamp: Lamp, biases=(2.5, 3.0, 3.5, 4.0, 5.0), heads=None):
    """Spectra side by side, one a bias."""
    y = lamp.spectra(np.array(biases, float))
    heads = heads or [f"{b:.1f} V" for b in biases]
    lines = ["\t".join(["Wavelength (nm)", *heads])]
    lines += ["\t".join([f"{x:.2f}", *(f"{a:.3f}" for a in row)]) for x, row in zip(lamp.x(), y.T)]
    Path(path).write_text("\n".join(lines) + "\n")


def write_spectrum(path, lamp: Lamp, bias):
    """One spectrum alone in a file."""
    y = lamp.spectra(np.array([bias]))[0]
    Path(path).write_text("\n".join(f"{x:.2f}\t{a:.3f}" for x, a in zip(lamp.x(), y)) + "\n")


def write_life(path, t50_min, *, current=5, luminance=100.0, seed=5, stop=3.0):
    t = np.linspace(0, stop * t50_min, 400)
    tau = t50_min / np.log(2) ** (1 / 0.7)
    noise = 1 + 0.004 * np.random.default_rng(seed).standard_normal(t.size)
    y = luminance * np.exp(-((t / tau) ** 0.7)) * noise
    lines = [f"{a:.3f}\t{b:.4f}" for a, b in zip(t, y)]
    head = f"Current density (mA/cm2): {current}\nTime (min)\tLuminance (cd/m2)\n"
    Path(path).write_text(head + "\n".join(lines) + "\n")
