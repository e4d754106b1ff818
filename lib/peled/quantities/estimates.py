"""What a fit knows: values, their joint covariance, and the directions that the data leave open.

Coordinates are the engine's own: the value itself, or its natural logarithm where `log` says so
(lifetimes, widths, rates). Covariance, Jacobian and null space refer to these coordinates; `values`
are always natural values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.linalg import qr

#: Eigenvalue of the column-scaled JᵀJ, relative to the largest, below which its direction counts as
#: not determined. Round-off of JᵀJ stays below 1e-13 and central differences below 1e-14; a
#: direction just above the threshold has an error 1e5 times that of its best parameter alone, which
#: no measurement bears.
NULL_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Estimates:
    """Parameters as fitted. No judgement in it: `peled.quantities.derive` judges.

    Attributes
    ----------
    names, units : tuple of str, length p
    values : ndarray, shape (p,)
        Natural values, in `units`.
    covariance : ndarray, shape (p, p)
        Of the coordinates, on the part that the data determine; rows of held parameters are 0, of
        those at a bound too unless they share an open direction.
    log, held, at_bound : ndarray of bool, shape (p,)
        Coordinate is ln(value); not fitted; ended at a bound, so that its error is not known.
    null : ndarray, shape (p, k)
        Directions in the coordinates along which the data do not change; k = 0 where all is
        determined.
    converged : bool
    goodness : float or None
        z of the residual against noise that does not come from that residual; None where no such
        noise is known.
    problems : tuple of str
        What else the engine says, in sentences.
    intervals : mapping of str to (float, float)
        95 % profile-likelihood intervals of natural values, where the engine computed them.
    """

    names: tuple[str, ...]
    values: np.ndarray
    units: tuple[str, ...]
    covariance: np.ndarray
    log: np.ndarray
    held: np.ndarray
    at_bound: np.ndarray
    null: np.ndarray
    converged: bool = True
    goodness: float | None = None
    problems: tuple[str, ...] = ()
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def coordinates(self) -> np.ndarray:
        """Values as fitted: ln(value) where `log` (p,)."""
        u = np.array(self.values, float)
        u[self.log] = np.log(u[self.log])
        return u

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of `values` (p,): 0 for what was held, infinite where the data give none
        (at a bound, or along an open direction)."""
        error = np.sqrt(np.maximum(np.diag(self.covariance), 0))
        error = error * np.where(self.log, self.values, 1.0)
        return np.where(self.at_bound | self.null.any(axis=1), np.inf, error)

    def natural(self, coordinates: np.ndarray) -> dict[str, float]:
        """Natural values by name at some coordinates.

        Parameters
        ----------
        coordinates : ndarray, shape (p,)
            Logarithms where those were fitted.

        Returns
        -------
        dict of str to float
        """
        with np.errstate(over="ignore"):  # what no data bound may be infinite within its error
            x = np.where(self.log, np.exp(np.where(self.log, coordinates, 0.0)), coordinates)
        return dict(zip(self.names, x.tolist()))

    @cached_property
    def root(self) -> np.ndarray:
        """R (p, p), R Rᵀ = covariance: coordinates as sums of independent variables."""
        values, vectors = np.linalg.eigh(self.covariance)
        return vectors * np.sqrt(np.maximum(values, 0))

    @cached_property
    def token(self) -> str:
        """Digest of names, values, covariance: by it correlations are found again."""
        text = "\0".join(self.names).encode()
        return hashlib.sha256(text + self.values.tobytes() + self.covariance.tobytes()).hexdigest()


def goodness_z(chi_square: float, degrees_of_freedom: int) -> float:
    """Standard normal equivalent of a χ² (Wilson and Hilferty).

    z = [(χ²/ν)^(1/3) − (1 − 2/9ν)] / √(2/9ν) [1]_; unlike (χ² − ν)/√(2ν) it has the right tails at
    small ν.

    Parameters
    ----------
    chi_square : float
    degrees_of_freedom : int
        ν.

    Returns
    -------
    float

    References
    ----------
    .. [1] E. B. Wilson, M. M. Hilferty, Proc. Natl Acad. Sci. USA 17, 684 (1931),
       doi:10.1073/pnas.17.12.684

    Examples
    --------
    >>> round(goodness_z(140.0, 100), 2)
    2.56
    """
    spread = 2 / (9 * degrees_of_freedom)
    return float(((chi_square / degrees_of_freedom) ** (1 / 3) - (1 - spread)) / np.sqrt(spread))


def likeness_z(residual: np.ndarray, lags: int = 4) -> float:
    """Standard normal deviate of neighbouring residuals being alike: what a model leaves beyond
    white noise, however large that is.

    z = √(n/L) Σ_{l ≤ L} ρ_l, ρ_l the autocorrelation at lag l, whose standard error for white noise
    is 1/√n [1]_. A χ² says nothing where the size of the noise is not known (counts per second,
    means of scans).

    Parameters
    ----------
    residual : array, shape (n,)
        Of even standard error, in the order of the axis.
    lags : int
        L, at most the half of what the model may miss is wide, in points.

    Returns
    -------
    float
        Negative infinity for fewer than eight residuals, or none that differs from 0.

    References
    ----------
    .. [1] M. S. Bartlett, J. R. Stat. Soc. Suppl. 8, 27 (1946), doi:10.2307/2983611

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(0, 7, 400)
    >>> abs(likeness_z(r)) < 3, likeness_z(r + 5 * np.sin(np.arange(400) / 20)) > 5
    (True, True)
    """
    r = np.asarray(residual, float)
    power = float(r @ r)
    if len(r) < 8 or not power > 0:
        return -np.inf
    lags = int(np.clip(lags, 1, len(r) // 4))
    alike = sum(float(r[lag:] @ r[:-lag]) for lag in range(1, lags + 1))
    return float(alike / power * np.sqrt(len(r) / lags))


def missed_share(left: np.ndarray, signal: np.ndarray) -> float:
    """Root mean square of what a model leaves, less white noise, over that of the signal it
    describes.

    Neighbours' products hold what is smooth and, on average, nothing of white noise.

    Parameters
    ----------
    left, signal : array, shape (n,)
        Data less model, and the model less its background, both in units of the noise.

    Returns
    -------
    float
        Infinite without a signal.

    References
    ----------
    .. [1] R. L. Anderson, Ann. Math. Stat. 13, 1 (1942), doi:10.1214/aoms/1177731638
    """
    left, signal = np.asarray(left, float), np.asarray(signal, float)
    power = float(signal @ signal)
    smooth = max(float(left[1:] @ left[:-1]), 0.0)
    return float(np.sqrt(smooth / power)) if power > 0 else np.inf


def from_normal(
    names: Sequence[str],
    values: Sequence[float],
    units: Sequence[str],
    normal: np.ndarray,
    *,
    variance: float = 1.0,
    score: np.ndarray | None = None,
    log: Collection[str] = (),
    held: Collection[str] = (),
    at_bound: Collection[str] = (),
    **others,
) -> Estimates:
    """Estimates from the normal matrix N = JᵀJ of a least-squares or likelihood fit.

    The covariance is σ² N⁻¹, or N⁻¹ V N⁻¹ where `score` gives V = cov(Jᵀr) of correlated residuals.
    N is scaled to a unit diagonal first, so that units do not decide about rank; directions with an
    eigenvalue below `NULL_TOLERANCE` of the largest go to `null`, the inverse is taken on the rest.
    Parameters that are held or at a bound are left out of the inverse, so that the others' errors
    are those with it fixed there; one at a bound stays in the search for open directions, as it may
    stand there only because another took its part.

    Parameters
    ----------
    names, values, units : sequences, length p
    normal : array, shape (p, p)
        In the coordinates (logarithms where `log`). Curvature JᵀJ where the derivative of noise is
        not part of it.
    variance : float
        Variance σ² of one (weighted) residual: 1 for residuals in units of their noise.
    score : array, shape (p, p), optional
    log, held, at_bound : collections of names
    **others
        `converged`, `goodness`, `problems`, `intervals` of `Estimates`.

    Raises
    ------
    ValueError
        If a name occurs twice, a logarithmic value is not positive, or shapes differ.

    References
    ----------
    .. [1] H. White, Econometrica 48, 817 (1980), doi:10.2307/1912934
    """
    names, values = tuple(names), np.array(values, float)
    normal = np.asarray(normal, float)
    if len(set(names)) != len(names) or not len(names) == len(values) == len(units):
        raise ValueError(f"estimates: expected {len(names)} different names, values and units")
    if normal.shape != (len(names), len(names)):
        raise ValueError(f"estimates: expected a square matrix of {len(names)}: {normal.shape}")
    is_log, is_held, is_bound = (
        np.array([name in those for name in names], bool) for those in (log, held, at_bound)
    )
    if (values[is_log] <= 0).any():
        raise ValueError("estimates: a value fitted as logarithm is not positive")
    active, free = np.flatnonzero(~is_held), np.flatnonzero(~is_held & ~is_bound)
    inverse, open_ways = _invert(normal[np.ix_(active, active)])
    if is_bound.any():
        inverse, _ = _invert(normal[np.ix_(free, free)])
    null = np.zeros((len(names), open_ways.shape[1]))
    null[active] = open_ways
    if score is None:
        middle = inverse * variance
    else:
        middle = inverse @ np.asarray(score, float)[np.ix_(free, free)] @ inverse
    covariance = np.zeros(normal.shape)
    covariance[np.ix_(free, free)] = middle
    size = np.where(is_log | (values == 0), 1.0, np.abs(values))
    covariance = _least_change(covariance, null, size)
    return Estimates(
        names, values, tuple(units), covariance, is_log, is_held, is_bound, null, **others
    )


def from_jacobian(
    names: Sequence[str],
    values: Sequence[float],
    units: Sequence[str],
    jacobian: np.ndarray,
    residual: np.ndarray,
    *,
    noise: float | None = None,
    **others,
) -> Estimates:
    """Estimates from the Jacobian (n, p) of the (weighted) residual (n,) in the coordinates.

    Parameters
    ----------
    noise : float, optional
        Standard deviation of one residual, known from elsewhere than this residual (1 for weighted
        residuals). It gives the variance and the goodness of fit; without it the variance is Σr²/(n
        − rank) and goodness stays unknown.
    **others
        As `from_normal`.

    References
    ----------
    .. [1] H. White, Econometrica 48, 817 (1980), doi:10.2307/1912934
    """
    jacobian, residual = np.asarray(jacobian, float), np.asarray(residual, float)
    made = from_normal(names, values, units, jacobian.T @ jacobian, **others)
    fitted = int((~made.held).sum())
    rank = min(fitted - made.null.shape[1], fitted - int(made.at_bound.sum()))
    spare = residual.size - rank
    square = float(residual @ residual)
    if noise is not None:
        variance = noise**2
        if spare > 0:
            others["goodness"] = goodness_z(square / variance, spare)
    elif spare > 0:
        variance = square / spare
    else:  # as many parameters as data and no noise known: nothing says how large an error is
        return from_normal(names, values, units, np.zeros((len(names), len(names))), **others)
    return from_normal(names, values, units, jacobian.T @ jacobian, variance=variance, **others)


def _invert(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse on what is determined, and a sparse basis (p, k) of what is not."""
    p = len(normal)
    if p == 0:
        return np.zeros((0, 0)), np.zeros((0, 0))
    scale = np.sqrt(np.maximum(np.diag(normal), 0))
    scale[scale == 0] = (
        1.0  # a parameter without effect keeps its zero column: an open direction of its own
    )
    values, vectors = np.linalg.eigh(normal / np.outer(scale, scale))
    known = values > NULL_TOLERANCE * max(values[-1], 0)
    kept = vectors[:, known] / scale[:, None]
    return (kept / values[known]) @ kept.T, _sparse(vectors[:, ~known]) / scale[:, None]


def _least_change(covariance: np.ndarray, null: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The covariance without what lies along open directions: least relative change.

    Any amount along them fits as well; this choice keeps determined functions within reach of a
    linear expansion.
    """
    if not null.any():
        return covariance
    scaled = null / size[:, None]
    keep = np.eye(len(size)) - null @ np.linalg.pinv(scaled) / size
    return keep @ covariance @ keep.T


def _sparse(basis: np.ndarray) -> np.ndarray:
    """The same space with zeros where pivoting gives them: open directions come apart.

    Entries below √tolerance are noise: a parameter that takes so small a part is determined by the
    others' columns.
    """
    if not basis.shape[1]:
        return basis
    edge = np.sqrt(NULL_TOLERANCE)
    basis = np.where(np.linalg.norm(basis, axis=1, keepdims=True) < edge, 0.0, basis)
    pivots = qr(basis.T, mode="r", pivoting=True)[1][: basis.shape[1]]
    reduced = basis @ np.linalg.inv(basis[pivots])
    return np.where(np.abs(reduced) < edge, 0.0, reduced)
