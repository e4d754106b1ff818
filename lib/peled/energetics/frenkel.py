"""Frenkel pairs (iodide vacancy and interstitial) in equilibrium, and what an error of the
formation energy makes of them.

Mass action for n pairs on N lattice sites and m N interstitial sites: x² / ((1 - x)(m - x)) =
exp(-E/kT), x = n/N. Far below
saturation this is x = sqrt(m) exp(-E/2kT) (Ashcroft & Mermin, Solid State Physics, ch. 30).
Entropies of vibration are left out, as the paper
leaves them out; they cancel in ratios as far as they are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from peled.materials import K_EV
from peled.quantities.quantity import Z95


def dilute_fraction(
    energy_eV: ArrayLike, temperature_K: ArrayLike = 300.0, *, interstitials: float = 1.0
) -> np.ndarray:
    """sqrt(m) exp(-E/2kT): displaced iodides per lattice site where pairs are few.

    Parameters
    ----------
    energy_eV : array_like
        Formation energy of a pair.
    temperature_K : array_like
    interstitials : float
        Interstitial sites per lattice site, m.

    Returns
    -------
    ndarray
        Of the broadcast shape; above 1 where the formula does not hold (see `pair_fraction`).

    References
    ----------
    .. [1] J. Frenkel, Z. Phys. 35, 652 (1926), doi:10.1007/BF01379812
    .. [2] N. W. Ashcroft, N. D. Mermin, Solid State Physics (1976), chapter 30

    Examples
    --------
    >>> float(dilute_fraction(0.15).round(4))
    0.055
    """
    return np.sqrt(interstitials) * np.exp(
        -np.asarray(energy_eV, float) / (2 * K_EV * np.asarray(temperature_K, float))
    )


def pair_fraction(
    energy_eV: ArrayLike, temperature_K: ArrayLike = 300.0, *, interstitials: float = 1.0
) -> np.ndarray:
    """Displaced iodides per lattice site with sites that fill up; never above 1 or above the
    number of interstitial sites.

    Parameters
    ----------
    energy_eV, temperature_K, interstitials
        See `dilute_fraction`.

    Returns
    -------
    ndarray
        x of x^2 / ((1 - x)(m - x)) = exp(-E/kT).

    Raises
    ------
    ValueError
        Without interstitial sites, or at a temperature that is not positive.

    References
    ----------
    .. [1] J. Frenkel, Z. Phys. 35, 652 (1926), doi:10.1007/BF01379812

    Examples
    --------
    >>> float(pair_fraction(0.0).round(4))     # no cost: half of the ions are displaced
    0.5
    """
    if interstitials <= 0:
        raise ValueError(
            "interstitials: expected a positive number of sites per lattice site, found "
            f"{interstitials}"
        )
    temperature = np.asarray(temperature_K, float)
    if np.any(temperature <= 0):
        raise ValueError(f"temperature_K: expected positive temperatures, found {temperature_K}")
    m, k = interstitials, np.exp(-np.asarray(energy_eV, float) / (K_EV * temperature))
    # The smaller root of (1 - K) x² + K (1 + m) x - K m = 0, written so that nothing cancels for
    # small K.
    b = k * (1 + m)
    return np.minimum(
        2 * k * m / (b + np.sqrt(b**2 + 4 * (1 - k) * k * m)), min(1.0, m)
    )  # the last digit may round beyond the limit


def pairs_per_crystal(
    energy_eV: ArrayLike,
    sites: ArrayLike,
    temperature_K: ArrayLike = 300.0,
    *,
    interstitials: float = 1.0,
) -> np.ndarray:
    """Mean number of pairs in a crystal that cannot exchange ions with others.

    Vacancies and interstitials of one crystal come in equal number. With weights y^(2n)/(n!)² the
    mean is
    y I1(2y)/I0(2y), where y is the mass-action number: y for a large crystal, y² when less than
    one pair is expected. So in
    a small crystal the Boltzmann factor counts with E/kT, not E/2kT.

    Parameters
    ----------
    energy_eV, temperature_K, interstitials
        See `dilute_fraction`.
    sites : array_like
        Lattice sites of the crystal.

    Returns
    -------
    ndarray
        Mean number of pairs.

    References
    ----------
    .. [1] F. A. Kröger and H. J. Vink, Solid State Phys. 3, 307 (1956),
           doi:10.1016/S0081-1947(08)60135-6

    Examples
    --------
    >>> big = pairs_per_crystal(0.2, 1e6)           # as in bulk
    >>> bool(abs(big / (1e6 * pair_fraction(0.2)) - 1) < 0.001)
    True
    """
    y = np.asarray(sites, float) * pair_fraction(
        energy_eV, temperature_K, interstitials=interstitials
    )
    return y * special.i1e(2 * y) / special.i0e(2 * y)


@dataclass(frozen=True)
class Suppression:
    """How much rarer pairs are on one surface than on another.

    `factor` is the ratio of pair numbers (reference over treated), `low` and `high` its 95 %
    interval, `probability` that the treated
    surface truly has the higher formation energy, `difference_eV` and `difference_se_eV` the
    difference and its standard error.
    """

    factor: float
    low: float
    high: float
    probability: float
    difference_eV: float
    difference_se_eV: float


def difference_error_eV(error_eV: float, correlation: float = 0.5) -> float:
    """Standard error of a difference of two formation energies with equal errors: s sqrt(2 (1 -
    r)).

    The same functional errs alike on similar surfaces, so part of the error cancels: r is the
    correlation.

    Parameters
    ----------
    error_eV : float
        Standard error of each energy.
    correlation : float
        From 0 (nothing shared) to 1 (all of it cancels).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For a negative error or a correlation outside 0 to 1.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.2, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> difference_error_eV(0.1, 0.5)
    0.1
    """
    if error_eV < 0 or not 0 <= correlation <= 1:
        raise ValueError(
            f"expected error_eV >= 0 and correlation from 0 to 1, found {error_eV} and "
            f"{correlation}"
        )
    return float(error_eV * np.sqrt(2 * (1 - correlation)))


def suppression(
    reference_eV: float,
    treated_eV: float,
    *,
    error_eV: float,
    correlation: float = 0.5,
    temperature_K: float = 300.0,
    interstitials: float = 1.0,
    sites: float | None = None,
    dilute: bool = True,
) -> Suppression:
    """Ratio of pair numbers of two surfaces with the error of their energies.

    Parameters
    ----------
    reference_eV, treated_eV : float
        Formation energies.
    error_eV : float
        Standard error of each, from the method (functional, dispersion, cutoff, missing entropy).
    correlation : float
        Of the two errors.
    temperature_K, interstitials : float
        See `pair_fraction`.
    sites : float, optional
        Lattice sites of a crystal; then numbers per crystal are compared.
    dilute : bool
        Use exp(-E/2kT), for which the interval is exact; otherwise filled sites count and the
        errors are propagated to first
        order in the logarithm (coverage 94 to 95 % at 0.05 eV, 91 to 95 % at 0.1 eV near
        saturation).

    Returns
    -------
    Suppression

    References
    ----------
    .. [1] JCGM 100:2008, section 5.2, doi:10.59161/JCGM100-2008E
    """
    s = difference_error_eV(error_eV, correlation)
    difference = treated_eV - reference_eV
    probability = float(stats.norm.cdf(difference / s)) if s > 0 else float(difference > 0)
    if dilute and sites is None:
        centre, width = (
            difference / (2 * K_EV * temperature_K),
            Z95 * s / (2 * K_EV * temperature_K),
        )
        return Suppression(
            float(np.exp(centre)),
            float(np.exp(centre - width)),
            float(np.exp(centre + width)),
            probability,
            difference,
            s,
        )

    def log_number(energy: float) -> float:
        fraction = pair_fraction(energy, temperature_K, interstitials=interstitials)
        return float(
            np.log(
                fraction
                if sites is None
                else pairs_per_crystal(energy, sites, temperature_K, interstitials=interstitials)
            )
        )

    def slope(energy: float) -> float:
        step = max(
            error_eV / 2, 1e-4
        )  # over the width of the error, since the curve bends where sites fill up
        return (log_number(energy + step) - log_number(energy - step)) / (2 * step)

    g0, g1 = slope(reference_eV), slope(treated_eV)
    centre = log_number(reference_eV) - log_number(treated_eV)
    width = Z95 * error_eV * np.sqrt(max(g0**2 + g1**2 - 2 * correlation * g0 * g1, 0.0))
    return Suppression(
        float(np.exp(centre)),
        float(np.exp(centre - width)),
        float(np.exp(centre + width)),
        probability,
        difference,
        s,
    )


def energy_for_error(ratio: float, temperature_K: float = 300.0) -> float:
    """The energy error (eV) that moves a pair concentration by `ratio`: 2 kT ln(ratio).

    Parameters
    ----------
    ratio : float
        Of the numbers of pairs.
    temperature_K : float

    Returns
    -------
    float
        eV.
    """
    return float(2 * K_EV * temperature_K * np.log(ratio))
