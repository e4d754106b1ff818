"""What the noise of a matrix is like, found so that what the model fails to describe is not taken for it where that can be told.

Over wavelengths the noise of a broadband probe is correlated (every pixel sees the same pulse); over delays it drifts, follows the
pump (1/f) or the signal itself. The residual R = P·N holds the noise N less what the fit takes up. With cov(N) = K ⊗ Σ (delays ⊗ wavelengths)

    E[R·Rᵀ] = tr Σ · P·K·P ,

so that the parts of K, each a known matrix times a variance, follow from R·Rᵀ by least squares with non-negative variances (moments as
in restricted maximum likelihood; C. R. Rao, J. Multivar. Anal. 1, 257 (1971), DOI 10.1016/0047-259X(71)90001-7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.optimize import nnls

_LENGTHS = (2.0, 8.0, 32.0)  # delays over which the noise forgets itself


@dataclass(frozen=True)
class Kernel:
    """Covariance K of the noise over the delays, such that cov(N) = K ⊗ RᵀR: tr(P·K·P) = 1.

    `degrees` are those of the variances in it, `white` is 1/(degrees of freedom of one wavelength): K = white·1 for noise that is alike
    and independent at all delays.
    """

    matrix: np.ndarray
    degrees: float
    white: float


@lru_cache(maxsize=16)
def _memories(nt: int) -> tuple[np.ndarray, ...]:
    apart = np.abs(np.subtract.outer(np.arange(nt), np.arange(nt)))
    return tuple(np.exp(-apart / length) for length in _LENGTHS)


def kernel(rows) -> Kernel:
    """The covariance over delays of one block's noise.

    Parts: equal and independent at all delays, in proportion to the signal, and memories of 2, 8 and 32 delays, both additive (baseline)
    and in proportion to the signal (pump).
    """
    gram = rows.gram
    nt, trace = len(gram), float(np.trace(gram))
    n = rows.hats.shape[2]
    white = 1.0 / max(nt - n, 1)
    if not trace > 0 or nt < n + 8:
        return Kernel(white * np.eye(nt), float(max(nt - n, 1)), white)
    signal = rows.signal / max(float(np.sqrt(np.mean(rows.signal**2))), 1e-300)
    both = np.outer(signal, signal)
    memories = _memories(nt)
    parts = [np.eye(nt), np.diag(signal**2), *memories, *(m * both for m in memories[1:])]
    if rows.present is not None:
        parts = [part * rows.present for part in parts]
    seen = np.stack([_projected(part, rows.hats).ravel() for part in parts])
    square = seen @ seen.T
    scale = np.sqrt(np.diag(square))
    right = seen @ gram.ravel() / trace
    # Non-negative least squares on the normal equations, by their Cholesky factor.
    lower = np.linalg.cholesky(square / np.outer(scale, scale) + 1e-9 * np.eye(len(parts)))
    share = nnls(lower.T, np.linalg.solve(lower, right / scale))[0] / scale
    left = seen.T @ share
    total = float(left[:: nt + 1].sum())
    if not total > 0:
        return Kernel(white * np.eye(nt), float(max(nt - n, 1)), white)
    whole = sum(x * part for x, part in zip(share, parts, strict=True) if x > 0) / total
    degrees = total**2 / float(left @ left) * effective_wavelengths(gram)
    return Kernel(whole, max(degrees, 1.0), white)


def _projected(part, hats):
    """Mean of P·K·P over the given bases."""
    out = np.zeros_like(part)
    for q in hats:
        kq = part @ q
        half = kq - 0.5 * q @ (q.T @ kq)
        out += part - half @ q.T - q @ half.T
    return out / len(hats)


def widening(degrees: float) -> float:
    """Factor by which 1.96 standard errors must grow to hold 95 % with so many degrees of freedom.

    >>> round(widening(8), 2), round(widening(1e6), 2)
    (1.18, 1.0)
    """
    return float(stats.t.ppf(0.975, max(degrees, 2.0)) / stats.norm.ppf(0.975))


def effective_wavelengths(gram) -> float:
    """Effective number of independent wavelengths, (tr Σ)²/tr Σ², from R·Rᵀ of independent delays; unbiased for few of them.

    Noise common to all wavelengths gives 1, independent noise of equal size their number.
    """
    nt = len(gram)
    trace, square = float(np.trace(gram)), float(np.sum(gram * gram))
    excess = square - trace**2 / nt  # independent delays put this much into tr Σ² by chance
    return float(np.clip(trace**2 / max(excess, 1e-300) * (nt / (nt + 1.0)), 1.0, 1e9))


def differences(gram) -> np.ndarray:
    """R·Rᵀ of half the differences of neighbouring delays (pairs without a common one): noise without what is smooth over delays."""
    first, second = np.arange(0, len(gram) - 1, 2), np.arange(1, len(gram), 2)
    cross = gram[np.ix_(first, second)]
    pairs = gram[np.ix_(first, first)] + gram[np.ix_(second, second)]
    return 0.5 * (pairs - cross - cross.T)


@dataclass(frozen=True)
class Structure:
    """How alike neighbouring delays are in a residual: mean correlation, its distance from none in standard errors, and the residual over the noise of differences."""

    correlation: float
    z: float
    excess: float

    @property
    def found(self) -> bool:
        return self.z > 5 and self.correlation > 0.1


def structure(gram, columns: int, wavelengths: int) -> Structure | None:
    """Structure in a residual, R·Rᵀ, against the noise of differences between neighbouring delays, which no smooth misfit reaches.

    The number of independent wavelengths is taken from the differences too: a misfit has few, and would excuse itself.
    """
    total = float(np.trace(gram))
    if not total > 0 or len(gram) < 8:
        return None
    noise = differences(gram)
    norm = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    correlation = float(np.mean(np.diag(gram, 1) / (norm[1:] * norm[:-1])))
    independent = min(effective_wavelengths(noise), wavelengths)
    free = max(len(gram) - columns, 1)
    excess = np.sqrt(total / free / max(float(np.trace(noise)) / len(noise), 1e-300))
    return Structure(correlation, correlation * np.sqrt((len(gram) - 1) * independent), float(excess))
