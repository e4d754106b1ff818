"""Band profiles of unit area with their analytic derivatives, for many spectra at once.

Conventions: `x` has shape (n, m) or (1, m), shape parameters have shape (n, 1); a profile returns
its values (n, m) and the list of its derivatives with respect to its shape parameters (centre
first). Widths are full widths at half maximum of the component named, in the unit of `x`. Areas are
kept out: a band is `area * profile`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
_SQRT_PI = np.sqrt(np.pi)


def gaussian(x, centre, fwhm, derivatives=True):
    """Normal profile of unit area.

    Parameters
    ----------
    x : ndarray
    centre, fwhm : float or ndarray
        In the unit of `x`; they broadcast with it.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre and fwhm; empty where not asked for.

    Examples
    --------
    >>> float(gaussian(np.array(0.0), 0.0, 2.0)[0].round(4))
    0.4697
    """
    sigma = fwhm * SIGMA_PER_FWHM
    u = x - centre
    u /= sigma
    square = u * u
    values = np.exp(-0.5 * square)
    values *= 1 / (sigma * np.sqrt(2 * np.pi))
    if not derivatives:
        return values, ()
    u *= values
    u /= sigma
    square -= 1
    square *= values
    square /= fwhm
    return values, (u, square)


def lorentzian(x, centre, fwhm, derivatives=True):
    """Cauchy profile of unit area.

    Parameters
    ----------
    x : ndarray
    centre, fwhm : float or ndarray
        In the unit of `x`; they broadcast with it.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre and fwhm; empty where not asked for.

    Examples
    --------
    >>> float(lorentzian(np.array(0.0), 0.0, 2.0)[0].round(4))
    0.3183
    """
    half = fwhm / 2
    u = x - centre
    square = u * u
    denominator = 1 / (square + half**2)
    values = half / np.pi * denominator
    if not derivatives:
        return values, ()
    return values, (2 * u * values * denominator, (square - half**2) * denominator**2 / (2 * np.pi))


def pseudo_voigt(x, centre, fwhm, fraction, derivatives=True):
    """Sum of a Lorentzian and a Gaussian of one FWHM and unit area together.

    Parameters
    ----------
    x : ndarray
    centre, fwhm : float or ndarray
        In the unit of `x`; they broadcast with it.
    fraction : float or ndarray
        Of the Lorentzian; 1 - `fraction` is the Gaussian's.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre, fwhm and fraction; empty where not asked for.
    """
    g, dg = gaussian(x, centre, fwhm, derivatives)
    c, dc = lorentzian(x, centre, fwhm, derivatives)
    values = g + fraction * (c - g)
    if not derivatives:
        return values, ()
    return values, (dg[0] + fraction * (dc[0] - dg[0]), dg[1] + fraction * (dc[1] - dg[1]), c - g)


def voigt(x, centre, fwhm_gauss, fwhm_lorentz, derivatives=True):
    """Convolution of a Gaussian and a Lorentzian through the Faddeeva function w [1]_.

    Derivatives come from w' = -2 z w + 2i/sqrt(pi); far out, where the two terms cancel, from the
    asymptotic series of w.

    Parameters
    ----------
    x : ndarray
    centre, fwhm_gauss, fwhm_lorentz : float or ndarray
        In the unit of `x`; they broadcast with it.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre, fwhm_gauss and fwhm_lorentz; empty where not asked for.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions, section 7.19, https://dlmf.nist.gov/7.19
    """
    sigma, gamma = fwhm_gauss * SIGMA_PER_FWHM, fwhm_lorentz / 2
    scale = 1 / (sigma * np.sqrt(2))
    z = (x - centre + 1j * gamma) * scale
    w = special.wofz(z)
    norm = 1 / (sigma * np.sqrt(2 * np.pi))
    values = norm * w.real
    if not derivatives:
        return values, ()
    slope = -2 * z * w + 2j / _SQRT_PI
    far = np.abs(z) > 200
    if far.any():
        zf = z[far] ** -2
        slope[far] = -1j / _SQRT_PI * zf * (1 + 1.5 * zf * (1 + 2.5 * zf))
    d_sigma = -values / sigma - norm / sigma * (slope * z).real
    return values, (
        -norm * scale * slope.real,
        d_sigma * SIGMA_PER_FWHM,
        -0.5 * norm * scale * slope.imag,
    )


def exponential_gaussian(x, centre, fwhm_gauss, tail, derivatives=True):
    """Gaussian convolved with a one-sided exponential [1]_, to high `x` for positive `tail`.

    Mean centre + tail, variance sigma² + tail². `tail` may pass through zero: below 1 % of sigma
    the profile is the Gaussian of the same mean and variance (relative error under 1e-6).

    Parameters
    ----------
    x : ndarray
    centre, fwhm_gauss : float or ndarray
        In the unit of `x`; they broadcast with it.
    tail : float or ndarray
        Decay length with the sign of its direction, in the unit of `x`.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre, fwhm_gauss and tail; empty where not asked for.

    References
    ----------
    .. [1] E. Grushka, Anal. Chem. 44, 1733 (1972), doi:10.1021/ac60319a011
    """
    x, centre, fwhm_gauss, tail = np.broadcast_arrays(x, centre, fwhm_gauss, tail)
    sigma, side, length = fwhm_gauss * SIGMA_PER_FWHM, np.where(tail < 0, -1.0, 1.0), np.abs(tail)
    short = length < 0.01 * sigma
    safe = np.where(short, sigma, length)
    u, r = side * (x - centre) / sigma, sigma / safe
    a = (r - u) / np.sqrt(2)
    g = np.exp(-0.5 * u * u)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        e = np.where(
            a > 0,
            g * special.erfcx(np.maximum(a, 0)),
            np.exp(np.minimum(r * (0.5 * r - u), 0)) * special.erfc(np.minimum(a, 0)),
        )
        # u < r leaves erfcx in charge; beyond it the exponent is below zero
    norm = 0.5 / safe
    values = norm * e
    if derivatives:
        in_u = norm * (-r * e + np.sqrt(2 / np.pi) * g)
        in_r = norm * ((r - u) * e - np.sqrt(2 / np.pi) * g)
        d_centre, d_sigma = -side / sigma * in_u, -u / sigma * in_u + in_r / safe
        d_tail = side * (-values / safe - r / safe * in_r)
    if short.any():
        width = np.hypot(sigma, tail)
        v, (dc, dw) = gaussian(x, centre + tail, width / SIGMA_PER_FWHM)
        dw = dw / SIGMA_PER_FWHM
        values = np.where(short, v, values)
        if derivatives:
            d_centre = np.where(short, dc, d_centre)
            d_sigma = np.where(short, dw * sigma / width, d_sigma)
            d_tail = np.where(short, dc + dw * tail / width, d_tail)
    return (values, (d_centre, d_sigma * SIGMA_PER_FWHM, d_tail)) if derivatives else (values, ())


def split_gaussian(x, centre, fwhm_low, fwhm_high, derivatives=True):
    """Two half Gaussians joined at the maximum; FWHM is their mean.

    Parameters
    ----------
    x : ndarray
    centre : float or ndarray
        In the unit of `x`; broadcasts with it.
    fwhm_low, fwhm_high : float or ndarray
        Below and above the centre.
    derivatives : bool

    Returns
    -------
    values : ndarray
        In the inverse unit of `x`.
    derivatives : tuple of ndarray
        By centre, fwhm_low and fwhm_high; empty where not asked for.
    """
    low, high = fwhm_low * SIGMA_PER_FWHM, fwhm_high * SIGMA_PER_FWHM
    below = x < centre
    sigma = np.where(below, low, high)
    u = (x - centre) / sigma
    total = low + high
    values = np.sqrt(2 / np.pi) / total * np.exp(-0.5 * u * u)
    if not derivatives:
        return values, ()
    stretch = values * u * u / sigma
    in_low = (np.where(below, stretch, 0) - values / total) * SIGMA_PER_FWHM
    in_high = (np.where(below, 0, stretch) - values / total) * SIGMA_PER_FWHM
    return values, (values * u / sigma, in_low, in_high)


@dataclass(frozen=True)
class Shape:
    """One profile: the function, the names of its shape parameters, and which of them must stay
    positive."""

    function: Callable
    parameters: tuple[str, ...]
    positive: tuple[str, ...]

    def fwhm(self, *values):
        """Rough full width at half maximum from the shape parameters after the centre (for starts
        and grids)."""
        if self.function is voigt:
            gauss, lorentz = values
            return 0.5346 * lorentz + np.sqrt(
                0.2166 * lorentz**2 + gauss**2
            )  # Olivero & Longbothum, JQSRT 17 (1977) 233
        if self.function is exponential_gaussian:
            return np.hypot(values[0], 1.5 * values[1])
        return 0.5 * (values[0] + values[1]) if self.function is split_gaussian else values[0]


SHAPES = {
    "gaussian": Shape(gaussian, ("centre", "fwhm"), ("fwhm",)),
    "lorentzian": Shape(lorentzian, ("centre", "fwhm"), ("fwhm",)),
    "pseudo_voigt": Shape(pseudo_voigt, ("centre", "fwhm", "fraction"), ("fwhm",)),
    "voigt": Shape(voigt, ("centre", "fwhm_gauss", "fwhm_lorentz"), ("fwhm_gauss", "fwhm_lorentz")),
    "exponential_gaussian": Shape(
        exponential_gaussian, ("centre", "fwhm_gauss", "tail"), ("fwhm_gauss",)
    ),
    "split_gaussian": Shape(
        split_gaussian, ("centre", "fwhm_low", "fwhm_high"), ("fwhm_low", "fwhm_high")
    ),
}
