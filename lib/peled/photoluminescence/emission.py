"""Emission spectra made ready and measured: cosmic rays, laser tail, dark counts; centre, width, area with errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import median_filter

from peled import lineshapes
from peled.photoluminescence.plqy import estimate_noise


@dataclass(frozen=True)
class Emission:
    """One emission spectrum, cleaned and measured.

    Attributes
    ----------
    label : str
    peak_nm, peak_error_nm, centroid_nm, centroid_error_nm, fwhm_nm, fwhm_error_nm : float
    area, area_error : float
        Counts × nm.
    energy_peak_eV, energy_peak_error_eV : float
        Maximum of the same spectrum per unit energy: not the energy of `peak_nm`.
    spikes : int
        Points that were cosmic rays.
    wavelength_nm, counts : ndarray, shape (n,)
        Cleaned, baseline off.
    """

    label: str
    peak_nm: float
    peak_error_nm: float
    centroid_nm: float
    centroid_error_nm: float
    fwhm_nm: float
    fwhm_error_nm: float
    area: float
    area_error: float
    energy_peak_eV: float
    energy_peak_error_eV: float
    spikes: int
    wavelength_nm: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)


def measure(
    wavelength_nm: np.ndarray,
    counts: np.ndarray,
    *,
    label: str = "",
    window_nm: tuple[float, float] | None = None,
    laser_nm: float | None = None,
    poisson: bool | None = None,
) -> Emission:
    """Clean and measure one emission spectrum.

    Cosmic rays are replaced, a laser tail or a constant is fitted outside the emission and taken off, the emission is
    measured inside a window of ±3 FWHM about its maximum with the baseline's error passed on.

    Parameters
    ----------
    wavelength_nm, counts : ndarray, shape (n,)
    label : str
    window_nm : (float, float), optional
        Where the emission is; ±3 FWHM about the maximum otherwise.
    laser_nm : float, optional
        Position of the laser whose tail reaches into the spectrum.
    poisson : bool, optional
        Counts have their Poisson variance; otherwise the noise is estimated from the data. Left out, whole numbers that
        are not negative count as counts.

    Raises
    ------
    ValueError
        Negative counts where Poisson is asked, no emission in the window.
    """
    w, y = np.asarray(wavelength_nm, dtype=float), np.asarray(counts, dtype=float)
    poisson = looks_like_counts(y) if poisson is None else poisson
    if poisson and np.any(y < 0):
        i = int(np.argmax(y < 0))
        raise ValueError(
            f"{label or 'spectrum'}: expected raw counts, none negative, found {y[i]:g} at {w[i]:g} nm; give raw counts or poisson=False"
        )
    # The level without spikes gives the noise: a spike must not vouch for itself, nor the top of a band be taken for one.
    level = median_filter(y, size=9, mode="nearest")
    cleaned = lineshapes.despike(
        y,
        variance=np.maximum(level, 1.0) + 1e-4 * level**2 if poisson else None,
        threshold=7.0 if poisson else 12.0,
    )
    y = cleaned.signal
    variance = (
        np.maximum(np.convolve(np.pad(y, 2, mode="edge"), np.full(5, 0.2), mode="valid"), 1.0)
        if poisson
        else estimate_noise(y).variance(y)
    )
    low, high = window_nm or _emission_window(w, y, laser_nm)
    outside = [
        (a, b)
        for a, b in ((w.min(), low), (high, w.max()))
        if np.count_nonzero((w >= a) & (w <= b)) >= 6
    ]
    base = None
    if outside:
        kind = "laser tail" if laser_nm is not None and laser_nm < low else "constant"
        base = lineshapes.baseline(w, y, kind, regions=outside, variance=variance, laser=laser_nm)
        y_off = y - np.reshape(base.values, y.shape)
    else:
        y_off = y
    found = lineshapes.moments(w, y, variance, window=(low, high), baseline=base)
    energy = lineshapes.to_energy(w, y_off, variance)
    peak = lineshapes.moments(
        energy.energy_eV,
        energy.signal,
        energy.variance,
        window=(lineshapes.HC_EV_NM / high, lineshapes.HC_EV_NM / low),
    )
    return Emission(
        label,
        found.peak,
        found.peak_se,
        found.centroid,
        found.centroid_se,
        found.fwhm,
        found.fwhm_se,
        found.area,
        found.area_se,
        peak.peak,
        peak.peak_se,
        int(np.count_nonzero(cleaned.spikes)),
        w,
        y_off,
    )


def per_nanometre(spectra) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (n,), ascending, and spectra (m, n) per nm of a `Spectra` on either axis."""
    if spectra.x_unit == "nm":
        return spectra.x, spectra.values
    order = np.argsort(spectra.wavelength_nm)
    wavelength = spectra.wavelength_nm[order]
    return wavelength, spectra.values[:, order] * lineshapes.HC_EV_NM / wavelength**2


def looks_like_counts(values: np.ndarray) -> bool:
    """Whole numbers, none negative, and more than a few of them: what a photon counter writes before anybody scales it."""
    y = np.asarray(values, dtype=float)
    return bool(
        np.all(y >= 0) and np.all(np.abs(y - np.round(y)) < 1e-6) and y.max(initial=0) >= 10
    )


def _emission_window(w, y, laser_nm):
    smooth = np.convolve(np.pad(y, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    allowed = w > (laser_nm + 60 if laser_nm is not None else -np.inf)
    if not allowed.any():
        raise ValueError(
            f"spectrum: expected points beyond the laser at {laser_nm:g} nm, found none"
        )
    floor = np.quantile(smooth[allowed], 0.1)
    top = int(np.argmax(np.where(allowed, smooth, -np.inf)))
    half = smooth > floor + 0.5 * (smooth[top] - floor)
    left, right = top, top
    while left > 0 and half[left - 1]:
        left -= 1
    while right < w.size - 1 and half[right + 1]:
        right += 1
    width = max(abs(w[right] - w[left]), 3 * abs(np.median(np.diff(w))))
    return max(w.min(), w[top] - 2.6 * width), min(w.max(), w[top] + 3.2 * width)
