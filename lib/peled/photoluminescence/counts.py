"""What the numbers of a decay are: raw counts, counts times a factor, or no counts at all.

Poisson likelihood needs counts. A histogram that was divided by its maximum or averaged over
scans still has a variance in proportion to its mean; the factor is found and taken out, or the
numbers are refused.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEAST_BINS = 64  #: bins that a variance is judged by
FACTOR = 1.5  #: a variance within this factor of the mean is that of counts
WHITE = -0.75  #: correlation of neighbouring third differences of white noise, -15/20
SMOOTH = 0.2  #: by which it may differ
LINEAR = 3.0  #: largest ratio of variance to mean between bright and dark bins

_SPREAD = 2.3  #: √n times the relative error of `_ratio`: √2, and third differences overlap
#: E|third difference of Poisson counts| hardly differs from a normal one's above this mean.
_ENOUGH = 5.0
_OF_FOUR = np.array([1.0, -3.0, 3.0, -1.0]), np.full(4, 0.25)


class Counting(NamedTuple):
    """Counts (n,) with the variance of their mean, `gain` of the numbers as given, and what was
    done, in a sentence ('' for raw counts).
    """

    counts: np.ndarray
    gain: float
    sentence: str


def as_counts(values: np.ndarray, sigma: np.ndarray | None = None) -> Counting:
    """Numbers of a decay (n,) divided by their gain, variance over mean, where that is not 1.

    A common step of all numbers (1/maximum of normalised counts, 1/scans of averaged ones, 10 of
    tenfold ones) is the gain where the scatter agrees; otherwise the scatter of neighbouring bins
    gives it: third differences have 20 times the variance of white noise and lose any parabola.
    Standard errors `sigma` (n,), where the file has them, give it instead.

    Parameters
    ----------
    values : ndarray, shape (n,)
    sigma : ndarray, shape (n,), optional

    Returns
    -------
    Counting

    Raises
    ------
    ValueError
        If the variance is not in proportion to the mean (smoothed, background subtracted and
        clipped, analog), or too few bins can tell.
    """
    y = np.asarray(values, dtype=float)
    if sigma is not None:
        return _by_errors(y, np.asarray(sigma, dtype=float))
    whole = _whole(y)
    level, third, lit = _scatter(y)
    bins = np.count_nonzero(lit)
    enough = bins >= LEAST_BINS
    ratio = np.where(lit, third**2 / 20 / np.maximum(level, 1e-300), 0.0)  # variance over mean
    gain = float(ratio.sum() / max(bins, 1))
    off = 6 * _SPREAD / np.sqrt(max(bins, 1))

    def fits(step):
        return not enough or abs(np.log(max(gain / step, 1e-9))) < max(np.log(FACTOR), off)

    step = _step(y, whole)
    if whole and step < 1.5 and fits(1.0):
        return Counting(y, 1.0, "")
    if step is not None and fits(step):
        said = f"numbers are multiples of {step:.4g}: divided by it, they are counts"
        return Counting(np.round(y / step), step, "" if step == 1 else said)
    if not enough:
        raise ValueError(
            "counts: expected whole numbers, or bins enough to judge their variance "
            f"({LEAST_BINS}), found {bins}; export the raw histogram"
        )
    small = step is not None and gain < step / FACTOR
    unit = np.where(lit, third, 0.0) / np.sqrt(np.maximum(level, 1e-300))
    pairs = max(np.count_nonzero(lit[1:] & lit[:-1]), 1)
    neighbours = (unit[1:] @ unit[:-1] / pairs) / (unit @ unit / bins)
    if small or abs(neighbours - WHITE) > SMOOTH:
        raise ValueError(
            "counts: expected bins independent of their neighbours, found smoothed ones: they "
            f"scatter {gain:.2g} times their mean, steps are {step or 0:.2g}, and "
            f"third differences correlate by {neighbours:.2f} (white noise {WHITE}); export the "
            "raw histogram"
        )
    dark, *_, bright = np.array_split(lit.nonzero()[0][np.argsort(level[lit])], 4)
    ratios = [ratio[part].mean() for part in (dark, bright)]
    if not min(ratios) > 0 or max(ratios) > LINEAR * min(ratios):
        raise ValueError(
            "counts: expected a variance in proportion to the mean, found "
            f"{ratios[0]:.3g} times it in the darker and {ratios[1]:.3g} in the brighter bins; "
            "export the raw histogram, neither smoothed nor subtracted"
        )
    said = f"variance is {gain:.3g} times the mean: numbers are no raw counts, divided by it"
    return Counting(y / gain, gain, said)


def response_counts(values: np.ndarray, sigma: np.ndarray | None = None) -> np.ndarray:
    """Numbers of a response (n,) as counts, by the common step of those that are not whole, or by
    errors `sigma` (n,); else as given: it has too few bins for their scatter to tell.

    Parameters
    ----------
    values : ndarray, shape (n,)
    sigma : ndarray, shape (n,), optional

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> response_counts(np.array([0, 3, 40, 7, 1]) / 40)
    array([ 0.,  3., 40.,  7.,  1.])
    """
    y = np.asarray(values, dtype=float)
    if sigma is not None:
        return _by_errors(y, np.asarray(sigma, dtype=float)).counts
    step = None if _whole(y) else _step(y, False)
    return y if step is None else np.round(y / step)


def _by_errors(y, sigma):
    """Numbers with stated errors: σ² over the number is the gain, one for all."""
    lit = (y > 0.05 * y.max()) & (sigma > 0)
    if np.count_nonzero(lit) < 3:
        raise ValueError(
            f"errors: expected some above 0 beside the decay, found {np.count_nonzero(lit)}"
        )
    ratio = sigma[lit] ** 2 / y[lit]
    gain = float(np.median(ratio))
    low, high = np.quantile(ratio, [0.05, 0.95])
    if high > LINEAR * low:
        raise ValueError(
            "errors: expected σ² in proportion to the number, as counting gives it, found "
            f"{low:.3g} to {high:.3g} times it; export the raw histogram"
        )
    if abs(gain - 1) < 0.02:
        return Counting(y, 1.0, "")
    return Counting(y / gain, gain, f"σ² is {gain:.3g} times the number: divided by it")


def _scatter(y):
    """Levels of four bins each, third differences of them, and which of them tell a variance: lit
    and beside the rise and the maximum, which are no parabola.
    """
    third, level = (np.convolve(y, by, "valid") for by in _OF_FOUR)
    lit = level > _ENOUGH * y[y > 0].min(initial=np.inf)
    top, beside = int(np.argmax(y)), max(20, y.size // 50)
    lit[max(top - beside, 0) : top + beside] = False
    return level, third, lit


def _whole(y) -> bool:
    return bool(np.abs(y - np.rint(y)).max() < 1e-6)


def _step(y, whole):
    """The number of which all are multiples, to their printed accuracy; None if there is none."""
    if whole:
        return float(np.gcd.reduce(np.rint(y).astype(np.int64)))
    values = np.unique(y[y > 0])
    if values.size < 3:
        return None
    steps = np.diff(values)
    step = float(np.min(steps[steps > 1e-9 * values[-1]], initial=values[0]))
    for value in values[values > 2 * step]:  # each is rounded: the larger, the less that matters
        step = value / max(round(value / step), 1)
    off = np.abs(values / step - np.round(values / step))
    return float(step) if np.mean(off < 0.12) >= 0.98 else None
