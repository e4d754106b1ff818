"""Infrared spectra of films: baseline, ATR depth correction, bands with errors and assignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage, signal

from peled import separable
from peled.conditioning.noise import third_differences
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import likeness_z, missed_share
from peled.separable import Slopes, Sought

STIFFNESS = 1e6  #: of the baseline, for points 2 cm-1 apart

PROMINENCE = 6.0  #: least of a band, in units of the noise
NO_BANDS_CM1 = ((2280, 2400),)  #: carbon dioxide of the air
MOST_BANDS = 40
NOISE_POINTS, NOISE_DOF = 127, 25  #: points that tell the noise around one, and what they are worth


@dataclass(frozen=True)
class Assignment:
    """One expected band: range in cm-1, vibration, group and source."""

    low_cm1: float
    high_cm1: float
    vibration: str
    species: str
    source: str


@dataclass(frozen=True)
class Band:
    """One fitted band with standard errors and what may cause it.

    `misfit_z` says whether neighbouring residuals of its group are alike, `missed` what share of
    the group's bands that leaves out.
    """

    position_cm1: float
    position_error_cm1: float
    height: float
    height_error: float
    fwhm_cm1: float
    area: float
    area_error: float
    misfit_z: float = 0.0
    missed: float = 0.0
    assignments: tuple[Assignment, ...] = ()


@dataclass(frozen=True)
class BandFit:
    """A corrected spectrum and its bands."""

    label: str
    wavenumber_cm1: np.ndarray = field(repr=False)
    absorbance: np.ndarray = field(repr=False)
    baseline: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    bands: tuple[Band, ...] = ()
    noise: np.ndarray = field(repr=False, default=None)


def atr_corrected(wavenumber_cm1, absorbance) -> np.ndarray:
    """Absorbance by attenuated total reflection as in transmission, that at 1000 1/cm as it is.

    The depth that light reaches goes as the wavelength, dₚ = λ / (2π n₁ √(sin²θ - n₂²/n₁²)) [1]_:
    angle and indices are in a common factor. Limits: weak bands, no dispersion of the indices, so
    that the maxima of strong bands stay a little too low in wavenumber.

    Parameters
    ----------
    wavenumber_cm1, absorbance : array, shape (n,)

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] N. J. Harrick, J. Opt. Soc. Am. 55, 851 (1965), doi:10.1364/JOSA.55.000851

    Examples
    --------
    >>> atr_corrected(np.array([1000.0, 3000.0]), np.array([0.1, 0.1])).round(3).tolist()
    [0.1, 0.3]
    """
    return np.asarray(absorbance, float) * np.asarray(wavenumber_cm1, float) / 1000.0


def baseline(wavenumber_cm1, absorbance) -> np.ndarray:
    """Asymmetrically reweighted penalised least squares (arPLS [1]_), by pybaselines.

    Parameters
    ----------
    wavenumber_cm1, absorbance : array, shape (n,)

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] S.-J. Baek et al., Analyst 140, 250 (2015), doi:10.1039/C4AN01061B
    """
    from pybaselines import Baseline

    # The penalty acts on points: scaled so that one stiffness means the same at every resolution.
    spacing = np.median(np.abs(np.diff(wavenumber_cm1)))
    return Baseline(np.asarray(wavenumber_cm1, float)).arpls(
        np.asarray(absorbance, float), lam=STIFFNESS * (2.0 / spacing) ** 4, max_iter=100, tol=1e-4
    )[0]


def local_noise(values) -> np.ndarray:
    """Standard deviation of the noise around each point, from third differences.

    Parameters
    ----------
    values : (n,) array
        Absorbance over even steps.

    Returns
    -------
    (n,) array
        Median of the scaled third differences over `NOISE_POINTS`; at least half of that over all,
        where that is 0 over those that are not.
        It is known to 14 %, as from `NOISE_DOF` degrees of freedom.

    Notes
    -----
    Where all light is absorbed the noise is that of the logarithm of nothing; lines of water vapour
    are as narrow as the spectrometer's and count as noise, as neither is a band of a film.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(0, np.repeat([1.0, 5.0], 500))
    >>> np.round(local_noise(y).reshape(2, 500).mean(axis=1))
    array([1., 5.])
    """
    third = np.pad(third_differences(values), (1, 2), mode="reflect")
    found = ndimage.median_filter(third, NOISE_POINTS, mode="mirror")
    moves = third if np.median(third) else third[third > 0]  # most of it may be zeros
    return np.maximum(found, 0.5 * np.median(moves) if moves.size else 1.0)


def fit_bands(
    wavenumber_cm1,
    absorbance,
    *,
    label: str = "",
    assignments: Sequence[Assignment] = (),
    lost=None,
) -> BandFit:
    """Find and fit the bands of one spectrum.

    Bands are pseudo-Voigt profiles, those that overlap fitted together; errors from the noise
    around each point (`local_noise`) times the misfit.

    Parameters
    ----------
    wavenumber_cm1, absorbance : (n,) arrays
    label : str
        Of the fit.
    assignments : sequence of Assignment
        What a band may be.
    lost : (n,) array of bool, optional
        Points that say nothing, such as those at a ceiling: without weight, no maximum of a band.

    Returns
    -------
    BandFit

    Raises
    ------
    ValueError
        For input that is not two equal finite arrays over increasing wavenumber.

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036
    """
    x, y = np.asarray(wavenumber_cm1, float), np.asarray(absorbance, float)
    if x.shape != y.shape or len(x) < 30 or (np.diff(x) <= 0).any() or not np.isfinite(y).all():
        raise ValueError(
            "infrared spectrum: expected at least 30 finite values over increasing wavenumber"
        )
    lost = np.zeros(len(x), bool) if lost is None else np.asarray(lost, bool)
    ground = baseline(x, y)
    net = y - ground
    noise = local_noise(net)
    smooth = signal.savgol_filter(net, 9, 3)
    peaks, _ = signal.find_peaks(
        smooth, prominence=np.maximum(PROMINENCE * noise, 0.012 * np.ptp(net)), width=2
    )
    shut = ndimage.binary_dilation(lost, iterations=4)  # the smoothed maximum of a ceiling
    peaks = np.array(
        [
            p
            for p in peaks
            if not shut[p] and not any(low < x[p] < high for low, high in NO_BANDS_CM1)
        ],
        int,
    )
    peaks = np.sort(peaks[np.argsort(-smooth[peaks])][:MOST_BANDS])
    step = np.median(np.diff(x))
    widths = (
        np.clip(signal.peak_widths(smooth, peaks, 0.5)[0] * step, 4 * step, 250.0)
        if len(peaks)
        else np.empty(0)
    )
    model = np.zeros_like(x)
    bands = []
    for group in _groups(x[peaks], widths):
        found, curve = _fit_group(x, net, x[peaks[group]], widths[group], noise, lost)
        model += curve
        bands += found
    named = tuple(
        Band(
            *b,
            tuple(a for a in assignments if a.low_cm1 - 2 * b[1] <= b[0] <= a.high_cm1 + 2 * b[1]),
        )
        for b in sorted(bands)
    )
    return BandFit(label, x, net, ground, model, named, noise)


def _groups(centres, widths) -> list[np.ndarray]:
    groups: list[list[int]] = []
    for i in range(len(centres)):
        if (
            groups
            and centres[i] - centres[groups[-1][-1]] < 1.5 * (widths[i] + widths[groups[-1][-1]])
            and len(groups[-1]) < 6
        ):
            groups[-1].append(i)
        else:
            groups.append([i])
    return [np.array(g) for g in groups]


def _fit_group(x, y, centres, widths, noise, lost):
    n = len(centres)
    near = (x > (centres - 1.6 * widths).min()) & (x < (centres + 1.6 * widths).max()) & ~lost
    if near.sum() < 3 * n + 4:
        near = (x > centres.min() - 3 * widths.max()) & (x < centres.max() + 3 * widths.max())
        near &= ~lost
    xs = x[near]
    ground = np.column_stack([np.ones_like(xs), np.linspace(-1, 1, len(xs))])

    def basis(p, derivatives):
        curves, slopes = pseudo_voigt(xs, p[:n, None], p[n : 2 * n, None], p[-1], derivatives)
        if not derivatives:
            return np.hstack([curves.T, ground]), None

        def times(a):
            by_place, by_width, by_fraction = (a[:n, None] * slope for slope in slopes)
            return np.concatenate([by_place, by_width, by_fraction.sum(axis=0, keepdims=True)])

        return np.hstack([curves.T, ground]), Slopes(times)

    reach = np.exp(1.2)
    sought = {
        f"position {i}": Sought(c, c - w, c + w, 0.2 * w, unit="1/cm")
        for i, (c, w) in enumerate(zip(centres, widths, strict=True))
    }
    sought |= {
        f"width {i}": Sought(w, w / reach, w * reach, 0.2, log=True, unit="1/cm")
        for i, w in enumerate(widths)
    }
    sought["fraction"] = Sought(0.5, 0.0, 1.0, 0.2)
    fit = separable.fit(
        basis,
        y[near],
        sought,
        [*(f"area {i}" for i in range(n)), "offset", "slope"],
        error=noise[near],
        variance=separable.larger,
        max_evaluations=40,
    )
    left, bands = fit.residual.ravel(), fit.design[:, :n] @ fit.linear[:n] / noise[near]
    lags = round(float(widths.min()) / 4 / float(np.median(np.diff(x))))
    misfit = likeness_z(left, lags), missed_share(left, bands)
    found = []
    for i in range(n):
        fwhm, fraction, area = fit.values[n + i], fit.values[-1], fit.linear[i]
        tops = pseudo_voigt(0.0, 0.0, fwhm, np.array([fraction, 0.0, 1.0]), False)[0]
        height = area * tops[0]
        if height > 3 * np.interp(fit.values[i], x, noise):
            gradient = np.zeros(len(fit.errors))
            gradient[n + i], gradient[2 * n] = -height, area * (tops[2] - tops[1])
            gradient[2 * n + 1 + i] = tops[0]
            height_error = np.sqrt(gradient @ fit.estimates.covariance @ gradient)
            own = (fit.values[i], fit.errors[i], height, height_error, fwhm, area)
            found.append((*map(float, own), float(fit.errors[2 * n + 1 + i]), *misfit))
    curve = np.zeros_like(x)
    curve[near] = fit.model
    return found, curve
