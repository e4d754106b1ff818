"""Is there a band at all: a matched filter over position and width, at a stated false-alarm
rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft, optimize, stats

from peled.conditioning.noise import scatter_length
from peled.conditioning.signal import Signal
from peled.quantities import Finding

FALSE_ALARM = 1e-3  #: share of spectra without light in which a band is found


class Detection(NamedTuple):
    """The strongest band-like excess of each spectrum: significance, index of its maximum, FWHM in
    points.

    `threshold` is the significance that noise alone exceeds in a share `false_alarm` of spectra.
    """

    significance: np.ndarray
    index: np.ndarray
    fwhm: np.ndarray
    threshold: float


def widths(n_x: int) -> np.ndarray:
    """Standard deviations in points of the Gaussians tried: FWHM of 5 points to a fifth of the
    axis, steps of sqrt 2.

    Parameters
    ----------
    n_x : int
        Points of the axis.

    Returns
    -------
    array (m,)
        Rising.
    """
    low, high = 5 / 2.3548, max(n_x / 5, 10) / 2.3548
    return low * np.sqrt(2) ** np.arange(int(2 * np.log2(high / low)) + 1)


def threshold(n_x: int, false_alarm: float = FALSE_ALARM) -> float:
    """Significance that the maximum over all positions and widths exceeds with probability
    `false_alarm` in noise.

    A filter of Gaussian width s turns white noise into a process with correlation exp(-d^2/4 s^2),
    whose maximum exceeds u with the probability Q(u) + n_x / (2 sqrt(2) pi s) exp(-u^2/2) [1]_;
    the widths are added up, which counts their overlap twice and errs to the safe side.

    Parameters
    ----------
    n_x : int
        Points of the axis.
    false_alarm : float
        0 to 1, a spectrum.

    Returns
    -------
    float
        In standard errors.

    References
    ----------
    .. [1] S. O. Rice, Bell Syst. Tech. J. 24, 46 (1945), 10.1002/j.1538-7305.1945.tb00453.x
    """
    s = widths(n_x)

    def excess(u):
        crossings = n_x / (2 * np.sqrt(2) * np.pi * s) * np.exp(-u * u / 2)
        return (stats.norm.sf(u) + crossings).sum() - false_alarm

    return float(optimize.brentq(excess, 0.0, 40.0))


def find_band(
    values: np.ndarray,
    good: np.ndarray,
    *,
    lumping: float = 1.0,
    false_alarm: float = FALSE_ALARM,
) -> Detection:
    """Significance of the best Gaussian on a straight baseline, (n,).

    The noise is what is left of the spectrum without that Gaussian, so no noise estimate enters:
    the statistic is Student's t of the best band, which for n_x in hundreds is normal. Bands that
    rise above noise of another kind (fringes, drift along the axis) are taken for signal.

    Parameters
    ----------
    values : (n, n_x) array
    good : (n, n_x) bool array
        Points taken; those that most spectra lack are left out.
    lumping : float
        1 + 2 sum of the correlations of neighbouring points.
    false_alarm : float
        Share of spectra without light that pass, 0 to 1.

    Returns
    -------
    Detection
        Arrays (n,); significance in standard errors.

    References
    ----------
    .. [1] E. Gross and O. Vitells, Eur. Phys. J. C 70, 525 (2010),
           doi:10.1140/epjc/s10052-010-1470-8
    """
    n, n_x = values.shape
    use = good[good.any(axis=1)].mean(axis=0) > 0.5 if good.any() else np.ones(n_x, bool)
    y = np.where(use & np.isfinite(values), values, 0.0)
    t = np.linspace(-1, 1, n_x)
    basis, _ = np.linalg.qr(np.column_stack([use, use * t]))
    y = y - (y @ basis) @ basis.T
    free = use.sum() - 2
    square = np.maximum(np.einsum("ij,ij->i", y, y), 1e-300)
    size = fft.next_fast_len(2 * n_x, real=True)
    spectra = fft.rfft(y, size, axis=1)
    parts = fft.rfft(np.vstack([use, basis.T]), size, axis=1)
    best, index, fwhm = np.full(n, -np.inf), np.zeros(n, int), np.zeros(n)
    distance = np.minimum(np.arange(size), size - np.arange(size))
    for s in widths(n_x):
        filter_ = fft.rfft(np.exp(-0.5 * (distance / s) ** 2))
        filter_square = fft.rfft(np.exp(-((distance / s) ** 2)))
        seen = fft.irfft(spectra * filter_, size, axis=1)[:, :n_x]
        norm = fft.irfft(parts[0] * filter_square, size)[:n_x]
        norm = norm - (fft.irfft(parts[1:] * filter_, size, axis=1)[:, :n_x] ** 2).sum(axis=0)
        norm = np.where(
            norm > 0.3 * np.sqrt(np.pi) * s, norm, np.inf
        )  # too little of it on the axis
        seen /= np.sqrt(norm)
        peak = seen.argmax(axis=1)
        height = seen[np.arange(n), peak]
        better = height > best
        best[better], index[better], fwhm[better] = height[better], peak[better], 2.3548 * s
    rest = np.maximum(square - np.maximum(best, 0.0) ** 2, 1e-12 * square)
    significance = best * np.sqrt((free - 1) / rest) / np.sqrt(max(lumping, 1.0))
    return Detection(significance, index, fwhm, threshold(n_x, false_alarm))


CALCULATED = (
    "determined",
    "withheld",
    "its points have no noise of their own: calculated, fitted or smoothed, so that nothing tells "
    "how far off its numbers are; give the spectrum as it was measured",
)
AVERAGED = (
    "assumed",
    "doubtful",
    "neighbouring points were averaged or repeated, as their scatter shows: errors are too small, "
    "widths too large; give the spectrum as it was measured",
)
BAND = 0.1  #: of its maximum, from which on a spectrum is judged by its scatter


def scatter_findings(
    signal: Signal, window: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[Finding, ...]:
    """What the scatter of the points of spectra says against their errors.

    Where points have no noise of their own nothing says how far off the numbers are that are read
    off a curve, whatever it was made of; where neighbours were averaged, errors are too small.

    Parameters
    ----------
    signal : Signal
        Less its baseline, if it has one.
    window : (float, float)
        Of the axis: where the band is.

    Returns
    -------
    tuple of Finding
        Withheld or doubtful, with the label of the spectrum; of a series where it is so in most.
    """
    inside = (signal.axis >= window[0]) & (signal.axis <= window[1])
    found = []
    for row in np.flatnonzero(signal.used):
        y, good = signal.finite[row, inside], signal.good[row, inside]
        high = y > BAND * y.max(initial=0.0)
        length = scatter_length(np.where(good, y, np.nan)[high])
        if length != 1:
            found.append(Finding(*(AVERAGED if length else CALCULATED), signal.label(row)))
    return tuple(found) if 2 * len(found) > np.count_nonzero(signal.used) else ()


def with_scatter(
    findings: tuple[Finding, ...], signal: Signal, window: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[Finding, ...]:
    """Findings and those of `scatter_findings`; of points without noise, nothing else that was
    taken for structure or for noise.

    Parameters
    ----------
    findings : tuple of Finding
        Of the steps before.
    signal, window
        As in `scatter_findings`.

    Returns
    -------
    tuple of Finding
    """
    found = scatter_findings(signal, window)
    calculated = any(one.status == "withheld" for one in found)
    return (*(one for one in findings if not (calculated and one.gate == "described")), *found)
