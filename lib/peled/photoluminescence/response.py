"""The instrument's response: what it is, how it widens light, what its own noise does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
    lags : ndarray, shape (n + k - 1,)
        Times at which light is needed before it is folded.
    width_ns : float
        Full width of the response at half its maximum, of a bin at least.
    variance : ndarray, shape (k,), or None
        Of the response of unit sum.
    """

    def __init__(self, time_ns: np.ndarray, bin_ns: float, response: Response):
        counts = np.asarray(response.counts, float)
        self.size = counts.size
        self._bins = slice(counts.size - 1, counts.size - 1 + time_ns.size)
        self._length = fft.next_fast_len(time_ns.size + 2 * counts.size - 2, real=True)
        self._recorded = fft.rfft(counts / counts.sum(), self._length)
        self._true = self._recorded * _sharpening(self._length)
        lags = np.arange(time_ns.size + counts.size - 1) - (counts.size - 1)
        self.lags = lags * bin_ns + (time_ns[0] - response.start_ns)
        true = fft.irfft(self._true, self._length)[: counts.size]
        self.width_ns = bin_ns * np.count_nonzero(true > 0.5 * true.max())
        known = response.variance is not None
        self.variance = response.variance / counts.sum() ** 2 if known else None

    def taps(self) -> tuple[int, np.ndarray]:
        """What `fold` weighs the light of earlier bins with, and how many bins before the first."""
        reach = 3  #: of the sharpening
        whole = fft.irfft(self._true, self._length)
        return -reach, np.roll(whole, reach)[: self.size + 2 * reach]

    def fold(self, rows: np.ndarray) -> np.ndarray:
        """Light (..., n) that is spread over its bins, (..., n + k - 1) before.

        Parameters
        ----------
        rows : ndarray, shape (..., n + k - 1)
            Light in the bins from each of `lags` on.

        Returns
        -------
        ndarray, shape (..., n)
        """
        return self._folded(rows, self._true)

    def fold_instant(self, rows: np.ndarray) -> np.ndarray:
        """Light of no duration, recorded on bins as the response was: nothing is widened twice.

        Parameters
        ----------
        rows : ndarray, shape (..., n + k - 1)
            Light in the bins from each of `lags` on.

        Returns
        -------
        ndarray, shape (..., n)
        """
        return self._folded(rows, self._recorded)

    def _folded(self, rows, kernel):
        return fft.irfft(fft.rfft(rows, self._length) * kernel, self._length)[..., self._bins]


def _sharpening(length: int) -> np.ndarray:
    """Factor on the Fourier transform (length // 2 + 1,) of a response that was recorded on bins h.

    Photons of a bin came anywhere in it: recording them, and taking response and decay as evenly
    spread over theirs, folds the response with the width of a bin twice. That is undone by
    1/sinc²(πfh) = arcsin²(√x)/x with x = sin²(πfh), of which the first terms reach three bins to
    either side; the second is Sheppard's correction, h²/6 in variance.
    """
    x = np.sin(np.pi * np.arange(length // 2 + 1) / length) ** 2
    return 1 + x / 3 + 8 * x**2 / 45 + 4 * x**3 / 35


def windows(pulse: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Light (k, g) that each bin of a response of unit sum puts into each bin of a decay, or into
    groups of them.

    Parameters
    ----------
    pulse : ndarray, shape (n + k − 1,)
        Light before the response widens it.
    ends : int array, shape (g + 1,)
        Ends of the groups: 0, ..., n.

    Returns
    -------
    ndarray, shape (k, g)
    """
    if ends.size == ends[-1] + 1:
        return sliding_window_view(pulse, ends[-1])[::-1]
    total = np.concatenate([[0.0], np.cumsum(pulse)])
    return np.diff(sliding_window_view(total, ends[-1] + 1)[::-1, ends], axis=1)


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
    left = variance * np.maximum(each - np.einsum("pk,pk->k", score, covariance @ score), 0)
    # Neighbouring bins move the model alike; those that hold next to nothing count alone.
    order = np.argsort(left)[::-1]
    heavy = order[: 1 + np.searchsorted(np.cumsum(left[order]), 0.99 * left.sum())]
    together = -score[:, heavy].T @ covariance @ score[:, heavy]
    for moved, mean in decays:
        most = moved[heavy] * np.sqrt(weights(mean))
        together += most @ most.T
    together *= np.sqrt(np.outer(variance[heavy], variance[heavy]))
    alone = left @ left - left[heavy] @ left[heavy]
    return float(left.sum()), float(4 * left.sum() + 2 * (np.sum(together**2) + alone))
