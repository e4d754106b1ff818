"""An integrating sphere and the film in it, counted photon by photon stream.

Excitation of carriers and traps is integrated in time to its steady state; the sphere spreads laser
and emission, the sample takes a share of what the walls return, re-absorbs part of its own light
and may emit it again; a spectrometer of known response counts with shot noise and dark counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp


@dataclass(frozen=True)
class Film:
    """Recombination of a film; all values assumed but for the 70 % plateau of E+G, which fixes
    `capture` and `auger`."""

    capture: float  # cm³/s
    traps: float  # cm⁻³
    detrap: float = 2e-11
    radiative: float = 1e-10  # photons that leave
    auger: float = 4e-27
    absorptance: float = 0.22
    thickness_nm: float = 30.0
    self_absorption: float = 0.06  # of the emission that passes the sample again in the sphere


def steady_yield(generation: float, film: Film) -> float:
    """External yield in steady state: rate equations integrated until nothing changes."""

    def rates(_, y):
        n, filled = np.exp(y[0]), film.traps / (1 + np.exp(-y[1]))
        p = n + filled
        capture, empty = film.capture * n * (film.traps - filled), film.detrap * filled * p
        dn = generation - capture - film.radiative * n * p - film.auger * n * p * p
        return [dn / n, (capture - empty) * film.traps / max(filled * (film.traps - filled), 1e-30)]

    found = solve_ivp(rates, (0, 1.0), [np.log(1e9), -12.0], method="LSODA", rtol=1e-8, atol=1e-10)
    n, filled = np.exp(found.y[0, -1]), film.traps / (1 + np.exp(-found.y[1, -1]))
    return float(film.radiative * n * (n + filled) / generation)


def response(wavelength_nm: np.ndarray) -> np.ndarray:
    """Counts per photon: grating blaze and silicon, a smooth curve."""
    w = np.asarray(wavelength_nm, dtype=float)
    return 0.62 * np.exp(-(((w - 580) / 260) ** 2)) + 0.12


def runs(
    rng: np.random.Generator,
    wavelength_nm: np.ndarray,
    emission: np.ndarray,
    self_absorbed: np.ndarray,
    plqy: float,
    film: Film,
    laser_photons: float,
) -> dict[str, np.ndarray]:
    """Counts (n,) of the empty, indirect and direct run.

    Parameters
    ----------
    emission : ndarray, shape (n,)
        Photons per nm of the film in front of a detector, unit area.
    self_absorbed : ndarray, shape (n,)
        Fraction of emitted light that the sample takes back before the detector, by wavelength.
    plqy : float
        Yield without the sphere's self-absorption.
    laser_photons : float
        That reach the detector's port in the empty run.
    """
    w = wavelength_nm
    line = np.exp(-0.5 * ((w - 405.0) / 0.9) ** 2)
    line /= np.trapezoid(line, w)
    # Emitted light goes round until it is seen or not re-emitted: the series sums to one fraction.
    escaping = emission * (1 - self_absorbed)
    seen = np.trapezoid(escaping, w)
    once_more = plqy * (1 - seen)
    shape = escaping / seen
    out = plqy * seen / (1 - once_more)
    wall = 0.055  # share of wall light that the film absorbs
    a = film.absorptance
    budget = {
        "empty": (1.0, 0.0),
        "indirect": (1 - wall, wall),
        "direct": ((1 - a) * (1 - wall), a + (1 - a) * wall),
    }
    counts = {}
    for run, (laser, absorbed) in budget.items():
        stray = 1.5e-6 * laser * np.exp(-(w - 405) / 160) * (w > 412)
        photons = laser_photons * (laser * line + stray + absorbed * out * shape)
        expected = photons * response(w)
        counts[run] = rng.poisson(expected) + rng.poisson(60.0, w.size) - 60.0
    return counts
