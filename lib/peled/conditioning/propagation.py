"""What the errors of a signal make of a number: by cause, exactly where the number is linear in
the spectrum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from peled.conditioning.signal import ConditioningError, Signal
from peled.quantities import with_error

NORMAL_95 = 1.959963984540054
#: Standard errors by which an integral in a denominator must stand above zero.
#: Its inverse is then known to 20 %.
LEAST_DENOMINATOR = 5.0


def covariance(signal: Signal, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Joint covariance, by cause, of k sums over each spectrum.

    Parameters
    ----------
    signal : Signal
    weights : (n_x, k) or (n, n_x, k) array
        The sums are values @ weights.

    Returns
    -------
    dict of str to (n, k, k) array
        "counting", from the noise of the points (less what a fit took out of them), then a mode
        each.

    Raises
    ------
    ConditioningError
        If the variance of the points is not known.

    References
    ----------
    .. [1] JCGM 100:2008, doi:10.59161/JCGM100-2008E
    """
    if signal.variance is None:
        raise ConditioningError(
            f"{signal.source or 'signal'}: expected the variance of its points, found none; "
            "let the plan have a step 'baseline' or 'noise'"
        )
    w = np.asarray(weights, float)
    w = w[None] if w.ndim == 2 else w
    measured = _on_measured(signal, w)
    counting = _products(signal.variance, measured, measured)
    alike = signal.variance - (0.0 if signal.independent is None else signal.independent)
    sd = np.sqrt(np.maximum(alike, 0.0))
    for lag, r in enumerate(signal.correlation, 1):
        pair = measured[:, lag:], measured[:, :-lag]
        cross = _products(sd[:, lag:] * sd[:, :-lag], *pair)
        counting += r * (cross + cross.transpose(0, 2, 1))
    plain = np.einsum("nkk->nk", counting).copy()
    for fitted in signal.fitted:
        part = _apply(fitted, measured)
        counting -= part[:, :, None] * part[:, None, :]
    # a sum that the fit has set to zero has no counting error but that of arithmetic
    np.einsum("nkk->nk", counting)[...] = np.maximum(
        np.einsum("nkk->nk", counting), 1e-12 * np.abs(plain)
    )
    causes = {"counting": counting}
    for name, mode in zip(signal.mode_names, signal.modes):
        part = _apply(mode, w)
        causes[name] = causes.get(name, 0.0) + part[:, :, None] * part[:, None, :]
    return causes


def _on_measured(signal, w):
    """Weights (1 or n, n_x, k) on the points as measured, of which replaced ones were made."""
    if not any(one.rows.size for one in signal.leanings):
        return w
    w = np.broadcast_to(w, (len(signal.values), *w.shape[1:])).copy()
    for one in reversed(signal.leanings):
        one.moved(w)
    return w


def _apply(spectra, w):
    return spectra @ w[0] if len(w) == 1 else np.einsum("nx,nxk->nk", spectra, w)


def _products(variance, a, b):
    """Sum over points of variance (n, x) * a (., x, k) * b (., x, l)."""
    if len(a) == 1:
        pairs = (a[0][:, :, None] * b[0][:, None, :]).reshape(a.shape[1], -1)
        return (variance @ pairs).reshape(len(variance), a.shape[2], b.shape[2])
    return np.einsum("nx,nxk,nxl->nkl", variance, a, b)


def propagate(
    signal: Signal, functional: np.ndarray | Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """A number of each spectrum and its standard error by cause.

    Parameters
    ----------
    signal : Signal
    functional : (n_x,) array, or callable
        Weights of a sum over the points, propagated exactly; or a function of spectra (m, n_x) to
        numbers (m,), each spectrum alone. A function's counting error is that of its gradient, by
        central differences of one standard deviation of each point; its modes are evaluated again.

    Returns
    -------
    value : (n,) array
        NaN where a point that counts is lost.
    errors : dict of str to (n,) array
        "counting" and one entry a name of the modes; independent, to be added in quadrature.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.1, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> x = np.linspace(0, 1, 5)
    >>> noise, mode = np.full((1, 5), 0.04), np.full((1, 1, 5), 0.1)
    >>> s = Signal(x, np.ones((1, 5)), variance=noise, modes=mode, mode_names=("offset",))
    >>> value, errors = propagate(s, np.ones(5))
    >>> float(value[0]), {k: round(float(v[0]), 3) for k, v in errors.items()}
    (5.0, {'counting': 0.447, 'offset': 0.5})
    """
    if not callable(functional):
        weights = np.asarray(functional, float)
        value = _sums(signal, weights[:, None])[:, 0]
        found = covariance(signal, weights[:, None])
        return value, {name: np.sqrt(c[:, 0, 0]) for name, c in found.items()}
    value = np.asarray(functional(signal.values), float)
    if signal.variance is None:
        covariance(signal, np.empty((len(signal.axis), 0)))  # for its message
    gradient = np.zeros((*signal.values.shape, 1))
    for row in np.flatnonzero(np.isfinite(value)):
        y, step = signal.values[row], np.diag(np.sqrt(signal.variance[row]))
        rise = functional(y + step) - functional(y - step)
        gradient[row, :, 0] = rise / (2 * np.maximum(np.diagonal(step), 1e-300))
    errors = {"counting": np.sqrt(covariance(signal, gradient)["counting"][:, 0, 0])}
    for name, mode in zip(signal.mode_names, signal.modes):
        off = 0.5 * (functional(signal.values + mode) - functional(signal.values - mode))
        errors[name] = np.hypot(errors.get(name, 0.0), off)
    return value, errors


def _sums(signal, weights):
    """values @ weights, where weight zero bears a lost point."""
    if np.isfinite(signal.values).all():
        return signal.values @ weights
    lost = ~np.isfinite(signal.values)
    out = np.where(lost, 0.0, signal.values) @ weights
    out[lost.astype(float) @ (weights != 0) > 0] = np.nan
    return out


class Ratio(NamedTuple):
    """Ratio of two integrals of each spectrum; NaN where withheld.

    `errors` by cause (one standard error), `interval` (n, 2) at 95 % after Fieller, `significance`
    (n,) of the denominator in its standard errors, `reasons` (n,) why a value is withheld (""
    where it is not).
    """

    value: np.ndarray
    errors: Mapping[str, np.ndarray]
    interval: np.ndarray
    significance: np.ndarray
    reasons: tuple[str, ...]


def ratio(
    signal: Signal, numerator: np.ndarray, denominator: np.ndarray, name: str = "denominator"
) -> Ratio:
    """Ratio of two sums over each spectrum, withheld where the denominator is not above its error.

    The external quantum efficiency from a luminance is one: photons over photopic integral. Its
    interval is Fieller's, all r for which numerator - r denominator is within 1.96 of its standard
    errors of zero: it is not symmetric, and it holds at any significance of the denominator. Below
    five standard errors the value is withheld.

    Parameters
    ----------
    signal : Signal
    numerator, denominator : (n_x,) arrays
        Weights over the points.
    name : str
        Of the denominator, for the reasons.

    Returns
    -------
    Ratio
        Arrays over the spectra; NaN with a reason where withheld.

    Raises
    ------
    ConditioningError
        If the variance of the points is not known.

    References
    ----------
    .. [1] E. C. Fieller, J. R. Stat. Soc. B 16, 175 (1954),
           doi:10.1111/j.2517-6161.1954.tb00159.x
    """
    weights = np.column_stack([numerator, denominator])
    a, b = _sums(signal, weights).T
    causes = covariance(signal, weights)
    total = sum(causes.values())
    with np.errstate(all="ignore"):
        significance = b / np.sqrt(total[:, 1, 1])
        value = a / b
        errors = {
            cause: np.sqrt(
                np.maximum(c[:, 0, 0] - 2 * value * c[:, 0, 1] + value**2 * c[:, 1, 1], 0.0)
            )
            / np.abs(b)
            for cause, c in causes.items()
        }
        k = NORMAL_95**2
        # (a - r b)^2 = k (C00 - 2 r C01 + r^2 C11)
        p = b**2 - k * total[:, 1, 1]
        q = a * b - k * total[:, 0, 1]
        s = a**2 - k * total[:, 0, 0]
        root = np.sqrt(np.maximum(q**2 - p * s, 0.0))
        interval = np.column_stack([(q - root) / p, (q + root) / p])
    withheld = ~(significance >= LEAST_DENOMINATOR)
    reasons = [""] * len(a)
    for row in np.flatnonzero(withheld):
        reasons[row] = (
            f"{signal.label(row)}: {name} {with_error(b[row], np.sqrt(total[row, 1, 1]))} is "
            f"{significance[row]:.1f} standard errors from zero, {LEAST_DENOMINATOR:g} needed"
            if np.isfinite(b[row])
            else f"{signal.label(row)}: set aside, or points that count are lost"
        )
    value = np.where(withheld, np.nan, value)
    errors = {cause: np.where(withheld, np.nan, e) for cause, e in errors.items()}
    interval[withheld] = np.nan
    return Ratio(value, errors, interval, significance, tuple(reasons))
