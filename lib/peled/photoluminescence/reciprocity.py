"""Emission and absorption of one film: van Roosbroeck and Shockley's relation.

Per photon energy E a film at temperature T with quasi-Fermi splitting Δμ emits [1]_, [2]_

    φ(E) = A(E) φ_bb(E) e^(Δμ/kT),   φ_bb = 2π E² e^(−E/kT)/(h³c²)

with A its absorptance (or the quantum efficiency of a photovoltaic device [3]_). So ln(φ/(A E²)) is
a straight line of slope −1/kT wherever both are measured: a test of either spectrum. Beyond the
noise of A, emission gives it: A ∝ φ e^(E/kT)/E².

References
----------
.. [1] W. van Roosbroeck, W. Shockley, Phys. Rev. 94, 1558 (1954), doi:10.1103/PhysRev.94.1558
.. [2] P. Würfel, J. Phys. C 15, 3967 (1982), doi:10.1088/0022-3719/15/18/012
.. [3] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from peled.materials import HC_EV_NM, K_EV

#: 2π/(h³c²) in 1/(cm² s eV³), and the charge in mC: blackbody photons, current in mA/cm².
BLACKBODY = 2 * np.pi / (4.135667696e-15**3 * 2.99792458e10**2)
CHARGE_MC = 1.602176634e-16
SEEN = 8.0  #: noises above which a value enters
LEAST = 10  #: points of a line


class Line(NamedTuple):
    """A straight part of a logarithm: its energy scale with error, and where it was found.

    `scale_eV` is 1/|slope|; `error_eV` combines scatter and the change between the two halves of
    the window; `z` is the misfit of the line against the noise of its points.
    """

    scale_eV: float
    error_eV: float
    window_eV: tuple[float, float]
    points: int
    z: float
    at_eV: float


def per_energy(wavelength_nm: np.ndarray, per_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photon energy, rising, and a spectrum per eV: φ(E) = φ(λ) λ²/(hc).

    Parameters
    ----------
    wavelength_nm, per_nm : array, shape (n,)

    Returns
    -------
    energy_eV, per_eV : ndarray, shape (n,)

    References
    ----------
    .. [1] J. Mooney and P. Kambhampati, J. Phys. Chem. Lett. 4, 3316 (2013),
           doi:10.1021/jz401508t

    Examples
    --------
    >>> energy, per_eV = per_energy([500.0, 1000.0], [1.0, 1.0])
    >>> [round(float(x), 4) for x in (energy[0], per_eV[0]/per_eV[1])]
    [1.2398, 4.0]
    """
    wavelength = np.asarray(wavelength_nm, float)
    energy = HC_EV_NM / wavelength
    order = np.argsort(energy)
    return energy[order], (np.asarray(per_nm, float) * wavelength**2 / HC_EV_NM)[order]


def thermal_energy(
    energy_eV: np.ndarray,
    emission: np.ndarray,
    emission_error: np.ndarray,
    absorptance: np.ndarray,
    absorptance_error: np.ndarray,
) -> Line:
    """kT of the emitting carriers from ln(φ/(A E²)), where φ and A both are seen.

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
    emission, emission_error : ndarray, shape (n,)
        Photons per eV, in any unit, and standard errors.
    absorptance, absorptance_error : ndarray, shape (n,)

    Returns
    -------
    Line
        Its scale is kT.

    Raises
    ------
    ValueError
        If the spectra share fewer than `LEAST` points above `SEEN` noises, or the ratio rises.

    Notes
    -----
    Errors are of points that are independent; an offset of A bends the line and shows in the
    difference of its halves. Emission that the film absorbs again is weakened where A is large.

    References
    ----------
    .. [1] W. van Roosbroeck, W. Shockley, Phys. Rev. 94, 1558 (1954), doi:10.1103/PhysRev.94.1558
    .. [2] P. Würfel, J. Phys. C 15, 3967 (1982), doi:10.1088/0022-3719/15/18/012
    """
    e = np.asarray(energy_eV, float)
    good = (emission > SEEN * emission_error) & (absorptance > SEEN * absorptance_error)
    good &= np.asarray(absorptance) < 0.9 * np.max(absorptance)  # where it still rises
    if np.count_nonzero(good) < LEAST:
        raise ValueError(
            f"emission and absorption: expected at least {LEAST} energies where both are above "
            f"{SEEN:g} noises, found {np.count_nonzero(good)}"
        )
    y = np.log(emission[good] / (absorptance[good] * e[good] ** 2))
    error = np.hypot(
        emission_error[good] / emission[good], absorptance_error[good] / absorptance[good]
    )
    return _line(e[good], -y, error, "ln(A E²/φ)")


def urbach_energy(energy_eV: np.ndarray, absorption: np.ndarray, error: np.ndarray) -> Line:
    """Urbach energy of an absorption edge: α = α₀ e^(E/E_U) below the gap.

    The window goes from `SEEN` noises to a third of the largest value, and not farther than the
    local slope of ln α keeps half of its steepest.

    Parameters
    ----------
    energy_eV, absorption, error : ndarray, shape (n,)
        Absorption coefficient or absorbance, −ln(1 − A) of an absorptance, in any unit; of emission
        φ e^(E/kT)/E².

    Returns
    -------
    Line
        Its scale is the Urbach energy.

    Raises
    ------
    ValueError
        If fewer than `LEAST` points are there, or nothing rises.

    References
    ----------
    .. [1] F. Urbach, Phys. Rev. 92, 1324 (1953), doi:10.1103/PhysRev.92.1324
    """
    e, a = np.asarray(energy_eV, float), np.asarray(absorption, float)
    top = np.quantile(a, 0.98)
    good = (a > SEEN * error) & (a < top / 3)
    first = np.flatnonzero(a >= top / 3)
    good &= e < (e[first[0]] if first.size else np.inf)
    # One stretch below the edge: noise farther down is none of it.
    at = np.flatnonzero(good)
    if at.size:
        last = at[-1]
        breaks = np.flatnonzero(~good[: last + 1])
        good[: breaks[-1] + 1 if breaks.size else 0] = False
    good[np.flatnonzero(good)[_steep(e[good], a[good]) :]] = False
    if np.count_nonzero(good) < LEAST:
        raise ValueError(
            f"absorption edge: expected at least {LEAST} points between {SEEN:g} noises and a "
            f"third of the maximum, found {np.count_nonzero(good)}"
        )
    return _line(e[good], np.log(a[good]), error[good] / a[good], "ln α")


def _steep(energy, absorption) -> int:
    """Number of points up to where ln α rises by less than half of its steepest."""
    size = max(energy.size // 6, LEAST)
    if energy.size < 2 * size:
        return energy.size
    x, y = (sliding_window_view(part, size) for part in (energy, np.log(absorption)))
    x = x - x.mean(axis=1, keepdims=True)
    slope = (x * y).sum(axis=1) / (x * x).sum(axis=1)
    top = int(np.argmax(slope))
    less = np.flatnonzero(slope[top:] < 0.5 * slope[top])
    return top + int(less[0]) + size // 2 if less.size else energy.size


def absorption_of_emission(energy_eV: np.ndarray, emission: np.ndarray, kT_eV: float) -> np.ndarray:
    """Absorption that emission implies, φ e^(E/kT)/E² [1]_.

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
    emission : ndarray, shape (n,)
        Per eV.
    kT_eV : float

    Returns
    -------
    ndarray, shape (n,)
        In an arbitrary unit.

    References
    ----------
    .. [1] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303
    """
    e = np.asarray(energy_eV, float)
    return emission * np.exp((e - e.mean()) / kT_eV) / e**2


def with_tail(
    energy_eV: np.ndarray,
    absorptance: np.ndarray,
    emission: np.ndarray,
    line: Line,
    kT_eV: float,
) -> np.ndarray:
    """Absorptance (n,), below the middle of `line`'s window by the emission there (both (n,)).

    An absorptance ends in its noise where most of the thermal emission still lies; the emission
    goes on. It is scaled to the absorptance where both are seen.

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
    absorptance : ndarray, shape (n,)
    emission : ndarray, shape (n,)
        Photons per eV, in any unit.
    line : Line
        Of `thermal_energy`.
    kT_eV : float
        Of the sample.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303
    """
    e = np.asarray(energy_eV, float)
    tail = absorption_of_emission(e, emission, kT_eV)  # noise below zero counts, too
    both = (e >= line.window_eV[0]) & (e <= line.window_eV[1]) & (tail > 0)
    scale = np.exp(np.mean(np.log(absorptance[both] / tail[both])))
    return np.where(e < line.at_eV, scale * tail, absorptance)


def radiative_dark_current(
    energy_eV: np.ndarray, absorptance: np.ndarray, temperature_K: float
) -> float:
    """J₀,rad = q ∫ A φ_bb dE in mA/cm², of emission into one half space.

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
        Rising.
    absorptance : ndarray, shape (n,)
    temperature_K : float

    Returns
    -------
    float
        mA/cm².

    References
    ----------
    .. [1] W. van Roosbroeck, W. Shockley, Phys. Rev. 94, 1558 (1954), doi:10.1103/PhysRev.94.1558
    .. [2] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303
    """
    e = np.asarray(energy_eV, float)
    photons = BLACKBODY * e**2 * np.exp(-e / (K_EV * temperature_K))
    return float(CHARGE_MC * np.trapezoid(absorptance * photons, e))


def radiative_voltage(current_mA_cm2: float, dark_mA_cm2: float, temperature_K: float) -> float:
    """Voltage at which radiation alone carries a current: kT ln(J/J₀,rad + 1), in V.

    With a yield below 1 the voltage is lower by kT |ln PLQY|.

    Parameters
    ----------
    current_mA_cm2, dark_mA_cm2 : float
        Current, and J₀,rad.
    temperature_K : float

    Returns
    -------
    float
        V.

    References
    ----------
    .. [1] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303

    Examples
    --------
    >>> round(radiative_voltage(20.0, 1e-21, 300.0), 3)
    1.328
    """
    return float(K_EV * temperature_K * np.log1p(current_mA_cm2 / dark_mA_cm2))


def _line(x, y, error, what) -> Line:
    """Weighted line through a rising logarithm; halves tell of a bend."""

    def fitted(part):
        design = np.column_stack([np.ones(part.sum()), x[part] - middle]) / error[part, None]
        normal = np.linalg.inv(design.T @ design)
        values = normal @ design.T @ (y[part] / error[part])
        return values, normal, y[part] / error[part] - design @ values

    middle = float(x.mean())
    whole = np.ones(x.size, bool)
    (_, slope), normal, rest = fitted(whole)
    if not slope > 3 * np.sqrt(normal[1, 1]):
        raise ValueError(
            f"{what}: expected a rise with energy, found a slope of {slope:.3g} per eV"
        )
    spread = np.sqrt(max(rest @ rest / (x.size - 2), 1.0))
    halves = [fitted(part)[0][1] for part in (x <= middle, x > middle)]
    bend = abs(halves[0] - halves[1]) / np.sqrt(12)
    slope_error = np.hypot(spread * np.sqrt(normal[1, 1]), bend)
    z = (rest @ rest - (x.size - 2)) / np.sqrt(2 * (x.size - 2))
    return Line(
        float(1 / slope), float(slope_error / slope**2), (float(x.min()), float(x.max())),
        int(x.size), float(z), middle,
    )  # fmt: skip
