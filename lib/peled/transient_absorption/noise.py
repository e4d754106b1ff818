"""What the noise of a matrix is like, found so that what the model fails to describe is not taken
for it where that can be told.

Over wavelengths the noise of a broadband probe is correlated (every pixel sees the same pulse);
over delays it drifts, follows the pump (1/f) or the signal itself. The residual R = P·N holds the
noise N less what the fit takes up. With cov(N) = K ⊗ Σ (delays ⊗ wavelengths)

    E[R·Rᵀ] = tr Σ · P·K·P ,

so that the parts of K, each a known matrix times a variance, follow from R·Rᵀ by least squares with
non-negative variances (moments as in restricted maximum likelihood; C. R. Rao, J. Multivar. Anal.
1, 257 (1971), DOI 10.1016/0047-259X(71)90001-7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.optimize import nnls

_PATTERNS = 3  # spectral patterns of the noise with a memory of their own
_LOUD = 1.3  # singular value of a pattern, over the largest that independent noise makes


@dataclass(frozen=True)
class Kernel:
    """Covariance of the noise N (nt, nw), cov(N) = Σ_j K_j ⊗ (A_j·R)ᵀ(A_j·R).

    The projectors `shares` A_j (nt, nt; None: all of it) part the residual into its loudest
    spectral patterns and the rest; `matrices` are the K_j, with tr(P·K_j·P) = 1, each the sum of
    its `parts`, whose sizes are known with the relative covariance `spreads` (parts, parts).
    `degrees` are those of the variance of each share, `white` is 1/(degrees of freedom of one
    wavelength): K = white·1 for noise that is alike and independent at all delays.
    """

    shares: tuple[np.ndarray | None, ...]
    matrices: tuple[np.ndarray, ...]
    parts: tuple[tuple[np.ndarray, ...], ...]
    spreads: tuple[np.ndarray, ...]
    degrees: tuple[float, ...]
    white: float

    def scores(self, rows) -> list[tuple[list[np.ndarray], np.ndarray]]:
        """Covariance of Jᵀr from the parts of each share, with that of their sizes.

        Parameters
        ----------
        rows : Rows
            Of the same data set.

        Returns
        -------
        list of (list of ndarray, ndarray)
            A share each: parts (p, p), and the relative covariance (parts, parts).
        """
        return [
            (rows.scores(parts, a), spread)
            for a, parts, spread in zip(self.shares, self.parts, self.spreads, strict=True)
        ]

    def even(self, rows) -> np.ndarray:
        """Covariance of Jᵀr for noise alike and independent at all delays.

        Parameters
        ----------
        rows : Rows
            Of the same data set.

        Returns
        -------
        ndarray, shape (p, p)
        """
        return rows.scores([self.white * np.eye(len(rows.gram))])[0]

    @property
    def total_degrees(self) -> float:
        return float(sum(self.degrees))

    def variance(self, pseudo, rest) -> np.ndarray:
        """Covariance of pseudo·N: pseudo (n, nt) or (nw, n, nt), rest = R (nt, nw); shape (nw, n,
        n).

        Parameters
        ----------
        pseudo : ndarray, shape (n, nt) or (nw, n, nt)
            C⁺, one for all wavelengths or one each.
        rest : ndarray, shape (nt, nw)
            Residual.

        Returns
        -------
        ndarray, shape (nw, n, n)
        """
        out = 0.0
        for k, a in zip(self.matrices, self.shares, strict=True):
            size = np.einsum("tw,tw->w", rest, rest if a is None else a @ rest)
            turned = (pseudo.reshape(-1, len(k)) @ k).reshape(pseudo.shape)
            inner = np.matmul(turned, np.swapaxes(pseudo, -1, -2))
            out = out + size[:, None, None] * inner
        return out

    def total(self, each) -> float:
        """Variance of Σ_w p_w·N_w for each = Σ_w R_w p_wᵀ, shape (nt, nt).

        Parameters
        ----------
        each : ndarray, shape (nt, nt)

        Returns
        -------
        float
        """
        pairs = zip(self.matrices, self.shares, strict=True)
        return float(sum(np.sum(((each if a is None else a @ each) @ k) * each) for k, a in pairs))


@lru_cache(maxsize=16)
def _memories(nt: int) -> tuple[np.ndarray, ...]:
    """Short memory, 1/f (as much in each octave), and drift."""
    apart = np.abs(np.subtract.outer(np.arange(nt), np.arange(nt)))
    octaves = [np.exp(-apart / 2.0**k) for k in range(1, max(3, int(np.log2(2 * nt))))]
    return octaves[0], sum(octaves) / len(octaves), np.exp(-apart / (2.0 * nt))


def kernel(rows, wavelengths: int) -> Kernel:
    """The covariance of one data set's noise.

    Parts of each K: equal and independent at all delays, in proportion to the signal, and memories
    (short, 1/f, drift), both additive (baseline) and in proportion to the signal (pump).

    Parameters
    ----------
    rows : Rows
        What the set's residual says.
    wavelengths : int
        Of the set.

    Returns
    -------
    Kernel
        Of fewer than 8 delays more than columns: alike and independent at all of them.
    """
    gram, n = rows.gram, rows.hats.shape[2]
    nt, trace = len(gram), float(np.trace(gram))
    white, one = 1.0 / max(nt - n, 1), np.eye(nt)
    if not trace > 0 or nt < n + 8:
        free, alike = float(max(nt - n, 1)), white * one
        return Kernel((None,), (alike,), ((alike,),), (np.array([[2 / free]]),), (free,), white)
    signal = rows.signal / max(float(np.sqrt(np.mean(rows.signal**2))), 1e-300)
    both = np.outer(signal, signal)
    memories = _memories(nt)
    parts = [one, np.diag(signal**2), *memories, memories[1] * both]
    shown = parts if rows.present is None else [part * rows.present for part in parts]
    flat = np.stack([part.ravel() for part in shown])
    seen = _projected(flat.reshape(-1, nt, nt), rows.hats).reshape(len(flat), -1)
    traces = seen[:, :: nt + 1].sum(1)
    white = 1 / max(float(traces[0]), 1.0)
    square = seen @ seen.T
    scale = np.sqrt(np.maximum(np.diag(square), 1e-300))
    # Non-negative least squares on the normal equations, by their Cholesky factor.
    lower = np.linalg.cholesky(square / np.outer(scale, scale) + 1e-9 * np.eye(len(parts)))
    matrices, made, spreads, degrees, shares = [], [], [], [], _shares(gram, wavelengths)
    for a, own in shares:
        weight = float(np.trace(own)) / trace
        # P·R = R; a share that is rounding of the whole, of any sign, is not made large.
        right = flat @ own.ravel() / (trace * max(weight, 1e-15))
        share = nnls(lower.T, np.linalg.solve(lower, right / scale))[0] / scale
        total = float(traces @ share)
        if not total > 0:
            share, total = np.eye(len(parts))[0], 1 / white
        many = min(effective_wavelengths(own), wavelengths) if a is shares[-1][0] else 1.0
        degrees.append(max(total**2 / float(share @ square @ share) * many, 1.0))
        there = np.flatnonzero(share > 0)
        made.append(tuple(share[j] / total * parts[j] for j in there))
        matrices.append(sum(made[-1]))
        spreads.append(_spread(seen[there].reshape(-1, nt, nt), share[there], square, there) / many)
    shares = tuple(a for a, _ in shares)
    return Kernel(shares, tuple(matrices), tuple(made), tuple(spreads), tuple(degrees), white)


def _spread(parts, share, square, there) -> np.ndarray:
    """Relative covariance of the sizes of parts found by their moments in one pattern: 2 tr(P·K_i·P
    V P·K_j·P V) between the moments, V the sum of all."""
    count, nt, _ = parts.shape
    whole = (share @ parts.reshape(count, -1)).reshape(nt, nt)
    turned = parts @ whole
    moments = 2 * turned.reshape(count, -1) @ turned.transpose(0, 2, 1).reshape(count, -1).T
    inverse = np.linalg.pinv(square[np.ix_(there, there)])
    return inverse @ moments @ inverse / np.outer(share, share)


def _shares(gram, wavelengths: int) -> list[tuple[np.ndarray | None, np.ndarray]]:
    """Projectors over the delays on the patterns that are louder than independent noise makes any,
    and on the rest, with what each leaves of R·Rᵀ."""
    nt, one = len(gram), np.eye(len(gram))
    if effective_wavelengths(gram) > 0.7 * wavelengths:
        return [(None, gram)]
    values, vectors = np.linalg.eigh(gram)
    found = []
    for j in range(1, _PATTERNS + 1):
        edge = values[:-j].sum() / nt * (1 + np.sqrt(nt / wavelengths)) ** 2
        if not values[-j] > _LOUD * edge:
            break
        pattern = np.outer(vectors[:, -j], vectors[:, -j])
        found.append((pattern, values[-j] * pattern))
    if not found:
        return [(None, gram)]
    rest = vectors[:, : -len(found)]
    rest = (rest * np.maximum(values[: -len(found)], 0)) @ rest.T
    return [*found, (one - sum(a for a, _ in found), rest)]


def _projected(parts, hats):
    """Mean of P·K·P over the given bases, of each of the parts K (parts, nt, nt). Where a basis
    reaches over other data sets too, what their noise puts into this one's residual counts as that
    of noise independent over delays, with the mean variance of K."""
    mean = np.einsum("jii->j", parts) / parts.shape[1]
    halves = []
    for q in hats:
        kq = parts @ q
        other = np.eye(q.shape[1]) - q.T @ q
        halves.append(kq - 0.5 * q @ (q.T @ kq + mean[:, None, None] * other))
    half = np.concatenate(halves, axis=2) @ (np.concatenate(hats, axis=1).T / len(hats))
    out = parts - half
    out -= half.transpose(0, 2, 1)
    return out


def widening(variances, spread) -> np.ndarray:
    """Factor by which 1.96 standard errors must grow to hold 95 %.

    For a sum of variances that are not well known: Student's t at the degrees of the sum,
    2 v²/var(v) [1]_.

    Parameters
    ----------
    variances : array, shape (parts, p)
    spread : array, shape (parts, parts)
        Their relative covariance, 2/ν for ν degrees of freedom.

    Returns
    -------
    ndarray, shape (p,)

    References
    ----------
    .. [1] F. E. Satterthwaite, Biometrics Bull. 2, 110 (1946), doi:10.2307/3002019

    Examples
    --------
    >>> widening([[1.0]], [[2 / 8]]).round(2), widening([[1.0]], [[2e-6]]).round(2)
    (array([1.18]), array([1.]))
    """
    variances = np.asarray(variances, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = 2 * variances.sum(0) ** 2 / np.einsum("jp,jk,kp->p", variances, spread, variances)
    whole = np.where(np.isfinite(whole), np.maximum(whole, 2.0), np.inf)
    return stats.t.ppf(0.975, np.minimum(whole, 1e6)) / stats.norm.ppf(0.975)


def effective_wavelengths(gram) -> float:
    """Effective number of independent wavelengths, (tr Σ)²/tr Σ²; unbiased for few delays.

    Noise common to all wavelengths gives 1, independent noise of equal size their number.

    Parameters
    ----------
    gram : ndarray, shape (nt, nt)
        R·Rᵀ of independent delays.

    Returns
    -------
    float
    """
    nt = len(gram)
    trace, square = float(np.trace(gram)), float(np.sum(gram * gram))
    excess = square - trace**2 / nt  # independent delays put this much into tr Σ² by chance
    return float(np.clip(trace**2 / max(excess, 1e-300) * (nt / (nt + 1.0)), 1.0, 1e9))


def differences(gram) -> np.ndarray:
    """R·Rᵀ of half the differences of neighbouring delays (pairs without a common one): noise
    without what is smooth over delays.

    Parameters
    ----------
    gram : ndarray, shape (nt, nt)
        R·Rᵀ.

    Returns
    -------
    ndarray, shape (nt // 2, nt // 2)
    """
    first, second = np.arange(0, len(gram) - 1, 2), np.arange(1, len(gram), 2)
    cross = gram[np.ix_(first, second)]
    pairs = gram[np.ix_(first, first)] + gram[np.ix_(second, second)]
    return 0.5 * (pairs - cross - cross.T)


@dataclass(frozen=True)
class Structure:
    """How alike neighbouring delays are in a residual: mean correlation, its distance from none in
    standard errors, and the residual over the noise of differences."""

    correlation: float
    z: float
    excess: float

    @property
    def found(self) -> bool:
        return self.z > 5 and self.correlation > 0.1


def structure(gram, columns: int, wavelengths: int) -> Structure | None:
    """Structure in a residual, R·Rᵀ, against the noise of differences between neighbouring delays,
    which no smooth misfit reaches.

    The number of independent wavelengths is taken from the differences too: a misfit has few, and
    would excuse itself.

    Parameters
    ----------
    gram : ndarray, shape (nt, nt)
        R·Rᵀ.
    columns : int
        Of the model matrix.
    wavelengths : int

    Returns
    -------
    Structure or None
        None where nothing is left, or of fewer than 8 delays.
    """
    total = float(np.trace(gram))
    if not total > 0 or len(gram) < 8:
        return None
    noise = differences(gram)
    norm = np.sqrt(np.maximum(np.diag(gram), 1e-9 * total))  # a delay may be taken up by the fit
    correlation = float(np.mean(np.diag(gram, 1) / (norm[1:] * norm[:-1])))
    independent = min(effective_wavelengths(noise), wavelengths)
    free = max(len(gram) - columns, 1)
    excess = np.sqrt(total / free / max(float(np.trace(noise)) / len(noise), 1e-300))
    return Structure(
        correlation, correlation * np.sqrt((len(gram) - 1) * independent), float(excess)
    )
