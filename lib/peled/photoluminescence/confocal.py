"""Spots in confocal images: how many, how wide, how bright in time, and whether one can be one
crystal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from peled import separable
from peled.lineshapes.bands import SIGMA_PER_FWHM
from peled.separable import Sought, differences


@dataclass(frozen=True)
class Spots:
    """Spots of a stack.

    Attributes
    ----------
    x_px, y_px : ndarray, shape (k,)
    counts : ndarray, shape (frames, k)
        Light of each spot in a window of its width, background taken off.
    fwhm_px, fwhm_error_px : float
        Of the mean of isolated spots, with its error; NaN when there are fewer than three.
    per_um2, per_um2_error : float
        Spots per area; NaN without a pixel size.
    background : float
    """

    x_px: np.ndarray = field(repr=False)
    y_px: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    fwhm_px: float
    fwhm_error_px: float
    per_um2: float
    per_um2_error: float
    background: float

    def __len__(self) -> int:
        return len(self.x_px)

    def on_fraction(self) -> np.ndarray:
        """Fraction of spots that shine, by frame (frames,): above half of their own brightest
        third.
        """
        if not len(self):
            return np.full(len(self.counts), np.nan)
        level = 0.5 * np.quantile(self.counts, 0.8, axis=0)
        return (self.counts > level).mean(axis=1)


def find_spots(
    frames: np.ndarray,
    *,
    pixel_um: float | None = None,
    width_px: float = 4.5,
    threshold: float = 3.5,
) -> Spots:
    """Local maxima of the mean image that stand `threshold` standard deviations above the
    background.

    Parameters
    ----------
    frames : ndarray, shape (t, y, x)
    pixel_um : float, optional
    width_px : float
        Expected full width of a spot.
    threshold : float
        In standard deviations of the smoothed background.

    Returns
    -------
    Spots

    Raises
    ------
    ValueError
        If the images are smaller than a few spots.
    """
    frames = np.asarray(frames, dtype=float)
    if frames.ndim != 3 or min(frames.shape[1:]) < 4 * width_px:
        raise ValueError(
            f"images: expected frames (t, y, x) of at least {4 * width_px:.0f} pixels a side, "
            f"found shape {frames.shape}"
        )
    mean = frames.mean(axis=0)
    sigma = width_px * SIGMA_PER_FWHM
    # A difference of Gaussians takes off what is broader than a spot.
    smooth = ndimage.gaussian_filter(mean, sigma / 1.5) - ndimage.gaussian_filter(mean, 3 * sigma)
    # In a crowded image all pixels have some light: the noise is that of the darkest quarter.
    dark = np.sort(smooth.ravel())[: smooth.size // 4]
    noise = 1.4826 * np.median(np.abs(dark - np.median(dark)))
    level = np.quantile(smooth, 0.25) + threshold * max(3 * noise, 1e-12)
    peaks = (smooth == ndimage.maximum_filter(smooth, size=int(width_px) | 1)) & (smooth > level)
    y, x = np.nonzero(peaks)
    half = round(width_px / 2)
    inside = (x >= half) & (x < mean.shape[1] - half) & (y >= half) & (y < mean.shape[0] - half)
    x, y = x[inside], y[inside]
    background = float(np.quantile(mean, 0.1))
    counts = np.array(
        [
            [
                frame[j - half : j + half + 1, i - half : i + half + 1].sum()
                for i, j in zip(x, y, strict=True)
            ]
            for frame in frames
        ]
    ).reshape(len(frames), len(x))
    counts = counts - background * (2 * half + 1) ** 2
    fwhm, error = _width(mean, x, y, width_px)
    area = mean.size * pixel_um**2 if pixel_um else np.nan
    return Spots(
        x, y, counts, fwhm, error, len(x) / area, np.sqrt(max(len(x), 1)) / area, background
    )


def _width(image, x, y, width):
    """FWHM of isolated spots by Gaussian fits: mean and its error."""
    reach = round(1.6 * width)
    found = []
    yy, xx = (axis.ravel() for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    sigma = width * SIGMA_PER_FWHM

    def columns(p):
        bell = np.exp(-0.5 * ((xx - p[0]) ** 2 + (yy - p[1]) ** 2) / p[2] ** 2)
        return np.column_stack([bell, np.ones(bell.size)])

    place = Sought(0.0, -reach, reach, 0.3 * sigma, unit="px")
    sought = {"x": place, "y": place}
    sought["sigma"] = Sought(sigma, 0.3 * sigma, 3 * sigma, 0.3, log=True, unit="px")
    basis = differences(columns, [1e-4 * sigma] * 3)
    for i, j in zip(x, y, strict=True):
        gap = np.hypot(x - i, y - j)
        if np.count_nonzero(gap < 2.2 * width) > 1 or not (
            reach <= i < image.shape[1] - reach and reach <= j < image.shape[0] - reach
        ):
            continue
        patch = image[j - reach : j + reach + 1, i - reach : i + reach + 1].ravel()
        fit = separable.fit(
            basis, patch, sought, ["height", "background"], error=np.sqrt(np.maximum(patch, 1))
        )
        if fit.estimates.converged and np.isfinite(fit.errors[2]):
            found.append(fit.values[2] / SIGMA_PER_FWHM)
        if len(found) >= 30:
            break
    if len(found) < 3:
        return float("nan"), float("nan")
    return float(np.median(found)), float(1.2533 * np.std(found, ddof=1) / np.sqrt(len(found)))


def resolution_nm(wavelength_nm: float, aperture: float) -> float:
    """Rayleigh distance 0.61 λ/NA: two points nearer than this are one spot.

    Parameters
    ----------
    wavelength_nm : float
    aperture : float
        Numerical.

    Returns
    -------
    float
        nm.

    References
    ----------
    .. [1] Lord Rayleigh, Phil. Mag. 8, 261 (1879), doi:10.1080/14786447908639684

    Examples
    --------
    >>> round(resolution_nm(620.0, 1.4), 1)
    270.1
    """
    return 0.61 * wavelength_nm / aperture
