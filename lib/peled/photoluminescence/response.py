"""The instrument's response: what it is, how it widens light, what its own noise does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import fft


@dataclass(frozen=True)
class Response:
    """Instrument response: measured (`counts` on evenly spaced bins from `start_ns`) or a Gaussian
    of `fwhm_ns`.

    Without either the response is a pulse shorter than a bin. `variance` of measured counts, where
    it is known, enters the errors of what is fitted.
    """

    start_ns: float = 0.0
    counts: np.ndarray | None = field(default=None, repr=False)
    fwhm_ns: float | None = None
    variance: np.ndarray | None = field(default=None, repr=False)


BESIDE = 3  #: bins to either side that what undoes the widening of bins reaches
#: Share of the time since the pulse, and of the record, in which merged bins are one: where they
#: are fitted, and where they only tell what noise of the response does.
MERGED, COARSE = (0.06, 0.01), (0.3, 0.08)
#: Bins of a row that is folded by one matrix; of pieces of a longer one, and of a response that
#: folds them: a longer one folds by Fourier transforms.
SHORT, PIECE = 256, 64


class Folding:
    """A measured response on the bins of a decay.

    Parameters
    ----------
    time_ns : ndarray, shape (n,)
        Starts of the decay's bins.
    bin_ns : float
    response : Response
        With counts (k,) on bins as wide.

    Attributes
    ----------
    lags : ndarray, shape (n + m - 1,)
        Times at which light is needed before it is folded; m = k + 2 `BESIDE`.
    taps : ndarray, shape (m,)
        What the light of earlier and earlier bins is weighed with, from `BESIDE` bins later on.
    width_ns : float
        Full width of the response at half its maximum, of a bin at least.
    comes_ns : ndarray, shape (2,)
        When it begins and ends, with what a shift may add.
    variance : ndarray, shape (k,), or None
        Of the response of unit sum.
    """

    def __init__(self, time_ns: np.ndarray, bin_ns: float, response: Response):
        counts = np.asarray(response.counts, float)
        self.size, total = counts.size, counts.sum()
        self._recorded = np.concatenate([np.zeros(BESIDE), counts / total, np.zeros(BESIDE)])
        self.taps = np.convolve(self._recorded, _UNDO, "same")
        lags = np.arange(time_ns.size + self.taps.size - 1) - (counts.size - 1 + BESIDE)
        self.lags = lags * bin_ns + (time_ns[0] - response.start_ns)
        self.width_ns = bin_ns * np.count_nonzero(self.taps > 0.5 * self.taps.max())
        reach = 10 * bin_ns + self.width_ns
        self.comes_ns = response.start_ns + np.array([-reach, bin_ns * counts.size + reach])
        known = response.variance is not None
        self.variance = response.variance / total**2 if known else None
        self.bin = bin_ns
        self._bends = np.convolve(self.taps, [1.0, -2.0, 1.0]) / bin_ns
        self._until = bin_ns * np.arange(self.taps.size - 1, -1, -1)
        self._fallen = np.array([self.taps, self.taps * self._until]).T
        self._made: dict[tuple, np.ndarray] = {}

    def fold(self, rows: np.ndarray) -> np.ndarray:
        """Light (..., j) that is spread over its bins, (..., j + m - 1) before.

        Parameters
        ----------
        rows : ndarray, shape (..., j + m - 1)
            Light in the bins from each of `lags`, or some of them in a row, on.

        Returns
        -------
        ndarray, shape (..., j)
        """
        return self._folded(rows, self.taps)

    def fold_integrated(self, rows: np.ndarray) -> np.ndarray:
        """The same for light that was integrated over time twice: its second differences over the
        width of a bin are what `fold` takes.

        Parameters
        ----------
        rows : ndarray, shape (..., j + m + 1)
            At the ends of bins, from one bin before the first.

        Returns
        -------
        ndarray, shape (..., j)
        """
        if rows.shape[-1] <= SHORT or self._bends.size <= PIECE:
            return self._folded(rows, self._bends)
        return self.fold(np.diff(rows, 2) / self.bin)

    def fold_instant(self, rows: np.ndarray) -> np.ndarray:
        """Light of no duration, recorded on bins as the response was: nothing is widened twice.

        Parameters
        ----------
        rows : ndarray, shape (..., j + m - 1)
            As for `fold`.

        Returns
        -------
        ndarray, shape (..., j)
        """
        return self._folded(rows, self._recorded)

    def fallen(self, tau: np.ndarray) -> np.ndarray:
        """What a response makes of an exponential decay once it is over, Σ w e^(−t/τ) with t the
        time from each of its bins until its end, and the derivative by ln τ, Σ w (t/τ) e^(−t/τ).

        Parameters
        ----------
        tau : ndarray, shape (k, 1)

        Returns
        -------
        ndarray, shape (2, k, 1)
        """
        sums = np.exp(self._until / -tau) @ self._fallen
        sums[:, 1:] /= tau
        return sums.T[:, :, None]

    def _folded(self, rows, taps):
        size, more = rows.shape[-1], taps.size - 1
        if size > SHORT and taps.size > PIECE:
            length = fft.next_fast_len(size, real=True)
            key = length, id(taps)
            if key not in self._made:
                self._made[key] = fft.rfft(taps, length)
            folded = fft.irfft(fft.rfft(rows, length) * self._made[key], length)
            return folded[..., more:size]
        wide = size - more if size <= SHORT else PIECE
        key = wide, id(taps)
        if key not in self._made:
            spread = np.zeros(2 * wide + more)
            spread[wide : wide + more + 1] = taps[::-1]
            step = spread.strides[0]
            band = as_strided(spread[wide:], (wide + more, wide), (step, -step))
            self._made[key] = np.ascontiguousarray(band)
        if size <= SHORT:
            return (rows.reshape(-1, size) @ self._made[key]).reshape(*rows.shape[:-1], -1)
        count = -(-(size - more) // wide)
        padded = np.zeros((*rows.shape[:-1], count * wide + more))
        padded[..., :size] = rows
        *steps, step = padded.strides
        shape = *rows.shape[:-1], count, wide + more
        pieces = as_strided(padded, shape, (*steps, wide * step, step)).reshape(-1, wide + more)
        return (pieces @ self._made[key]).reshape(*rows.shape[:-1], -1)[..., : size - more]


def _undo() -> np.ndarray:
    """Weights (2 `BESIDE` + 1,) that sharpen a response which was recorded on bins h.

    Photons of a bin came anywhere in it: recording them, and taking response and decay as evenly
    spread over theirs, folds the response with the width of a bin twice. That is undone by
    1/sinc²(πfh) = arcsin²(√x)/x = 1 + x/3 + 8x²/45 + 4x³/35 + ... with x = sin²(πfh), a second
    difference over −4, of which the first terms reach three bins to either side; the second is
    Sheppard's correction, h²/6 in variance.
    """
    x = np.array([-0.25, 0.5, -0.25])
    powers = [np.ones(1), x, np.convolve(x, x), np.convolve(np.convolve(x, x), x)]
    factors = (1, 1 / 3, 8 / 45, 4 / 35)
    return sum(f * np.pad(p, BESIDE - p.size // 2) for f, p in zip(factors, powers, strict=True))


_UNDO = _undo()


def merged(
    time_ns: np.ndarray,
    bin_ns: float,
    first_ns: float,
    last_ns: float,
    shares: tuple[float, float] = MERGED,
) -> np.ndarray:
    """Ends (g + 1,) of groups of bins between which light hardly bends.

    Single bins while the pulse comes; farther from it those in which the time since then changes by
    less than the first of the shares, and by less than the second of the record.

    Parameters
    ----------
    time_ns : ndarray, shape (n,)
        Starts of the bins.
    bin_ns, first_ns, last_ns : float
        Width of a bin; when the pulse comes.
    shares : (float, float)
        `MERGED`, or `COARSE`, with which errors keep five digits.

    Returns
    -------
    int array
        From 0 to n.
    """
    size = time_ns.size
    begin, stop = (
        min(max(round(float(t - time_ns[0]) / bin_ns), 0), size) for t in (first_ns, last_ns)
    )
    most = int(shares[1] * size)
    before, after = (_wider(side, shares[0], most) for side in (begin, size - stop))
    return np.concatenate([begin - before[:0:-1], np.arange(begin, stop + 1), stop + after[1:]])


@lru_cache(maxsize=64)
def _wider(size: int, share: float, most: int) -> np.ndarray:
    """Ends of wider and wider groups of at most so many bins, from 0 to `size`."""
    ends = [0]
    while ends[-1] < size:
        ends.append(min(size, ends[-1] + max(1, min(int(share * ends[-1]), most))))
    return np.array(ends)


def windows(once: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Light (..., k, g) that each bin of a response of unit sum puts into groups of a decay's bins.

    Parameters
    ----------
    once : ndarray, shape (..., n + k)
        Light before the response widens it, accumulated up to the ends of bins.
    ends : int array, shape (g + 1,)
        Ends of the groups: 0, ..., n.

    Returns
    -------
    ndarray, shape (..., k, g)
    """
    places = np.arange(once.shape[-1] - 1 - ends[-1], -1, -1)[:, None] + ends
    seen = once.take(places, axis=-1)
    return seen[..., 1:] - seen[..., :-1]


def weights(mean: np.ndarray) -> np.ndarray:
    """W of `deviance`: that of counts, of bins with less than one as if with one.

    Parameters
    ----------
    mean : ndarray, shape (n,)
        Fitted counts, infinite where they are not fitted.

    Returns
    -------
    ndarray, shape (n,)
    """
    return 1 / np.maximum(mean, 1.0)


def deviance(
    decays: Sequence[tuple[np.ndarray, np.ndarray]],
    variance: np.ndarray,
    covariance: np.ndarray,
    score: np.ndarray,
) -> tuple[float, float]:
    """What the noise of a response adds to the deviance that a fit leaves.

    A response that errs by δ moves the model by Pδ, of which the parameters take up a part; what is
    left has the deviance δᵀAδ with A = PᵀWP − SᵀCS, S = JᵀWP and W = 1/μ. Its mean is tr(AV); the
    counts of the decay err beside it, so that its variance is 4 tr(AV) + 2 tr(AVAV).

    Parameters
    ----------
    decays : sequence of (windows, mean)
        Those with this response: Pᵀ (`windows`), shape (k, n); the fitted counts, shape (n,),
        infinite where they are not fitted.
    variance : ndarray, shape (k,)
        V, of each bin of the response.
    covariance : ndarray, shape (p, p)
        C, of the parameters for counts without this noise.
    score : ndarray, shape (p, k)
        S, the sum over decays of their derivatives times `weights`, times P.

    Returns
    -------
    mean, variance : float
    """
    each = sum(np.square(moved) @ weights(mean) for moved, mean in decays)
    left = variance * np.maximum(each - (score * (covariance @ score)).sum(axis=0), 0)
    # Neighbouring bins move the model alike; those that hold a hundredth in all count alone.
    total = left.sum()
    heavy = left > 0.01 * total / left.size
    most = score[:, heavy]
    together = -most.T @ (covariance @ most)
    for moved, mean in decays:
        most = moved[heavy]
        together += (most * weights(mean)) @ most.T
    own = variance[heavy]
    alone = np.square(left[~heavy]).sum()
    return float(total), float(4 * total + 2 * (own @ np.square(together) @ own + alone))
