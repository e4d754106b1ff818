"""Small fits by lmfit, and its results as `Estimates` with what it does not say: rank, bounds,
goodness.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .estimates import Estimates, from_jacobian, from_normal, goodness_z

if TYPE_CHECKING:
    from lmfit import Minimizer, Parameters
    from lmfit.minimizer import MinimizerResult
    from lmfit.model import ModelResult

#: Nearer to a bound than this share of its own standard error, a parameter stands at it.
AT_BOUND = 0.05


def from_lmfit(
    result: MinimizerResult | ModelResult,
    units: Mapping[str, str],
    noise: float | None = None,
    *,
    minimizer: Minimizer | None = None,
    profile: Collection[str] = (),
) -> Estimates:
    """Estimates of a least-squares fit by lmfit.

    The Jacobian is taken anew at the solution, in the parameters themselves: lmfit's own covariance
    is lost as soon as one parameter reaches a bound, and nearly singular ones come out as small
    numbers. Parameters that are expressions are left out; derive them.

    Parameters
    ----------
    result : lmfit result
        A `ModelResult` evaluates its own residual; for a `MinimizerResult` give its `minimizer`
        too, or its covariance is taken as lmfit gives it and a fit without one determines nothing.
    units : mapping of parameter name to unit
        '' where absent.
    noise : float, optional
        Standard deviation of one (weighted) residual, known from elsewhere. Without, it comes from
        the residual.
    minimizer : lmfit.Minimizer, optional
    profile : collection of str
        Parameters whose 95 % interval `lmfit.conf_interval` shall find; slow, and right where the
        cost is no parabola.

    References
    ----------
    .. [1] M. Newville et al., LMFIT, doi:10.5281/zenodo.598352

    Examples
    --------
    >>> import numpy as np
    >>> from lmfit.models import ExponentialModel
    >>> from peled.quantities import derive
    >>> x = np.linspace(0, 5, 60)
    >>> y = 3 * np.exp(-x / 1.5) + 0.02 * np.random.default_rng(1).standard_normal(60)
    >>> fit = ExponentialModel().fit(y, x=x, amplitude=2, decay=1)
    >>> estimates = from_lmfit(fit, {"decay": "ns"}, noise=0.02)
    >>> print(derive("decay", "ns", lambda p: p["decay"], estimates))
    1.494±0.007 ns
    """
    minimizer = minimizer or (result if hasattr(result, "userfcn") else None)
    parameters = [p for p in result.params.values() if not p.expr]
    names = [p.name for p in parameters]
    values = [p.value for p in parameters]
    units = [units.get(name, "") for name in names]
    held = [p.name for p in parameters if not p.vary]
    others = {"converged": bool(result.success), "held": held}
    if profile:
        others["intervals"] = _profiles(result, minimizer, profile)
    if minimizer is None:
        return _from_covariance(result, names, values, units, noise, others)
    residual, jacobian = _jacobian(minimizer, result, names)
    free = from_jacobian(names, values, units, jacobian, residual, noise=noise, **others)
    errors = np.sqrt(np.diag(free.covariance))
    others["at_bound"] = [
        p.name
        for p, error in zip(parameters, errors)
        if p.vary and _gap(p) <= max(AT_BOUND * error, 1e-9 * abs(p.value))
    ]
    return from_jacobian(names, values, units, jacobian, residual, noise=noise, **others)


def fit_lmfit(
    residual: Callable[[Parameters], np.ndarray],
    starts: Sequence[Parameters],
    units: Mapping[str, str],
    *,
    least_noise: float = 0.0,
) -> tuple[MinimizerResult, Estimates]:
    """Least squares by lmfit from each start, within bounds; the best of them.

    Parameters
    ----------
    residual : callable
        Takes `lmfit.Parameters`, returns the (weighted) residual, shape (n,).
    starts : sequence of lmfit.Parameters
        Start values, bounds and relations; held ones with `vary=False`.
    units : mapping of parameter name to unit
        '' where absent.
    least_noise : float
        The standard deviation of one residual is their scatter, √(χ²/(n − p)), but at least this: 1
        for residuals in units of errors that may be too small, not too large.

    Returns
    -------
    result : lmfit.minimizer.MinimizerResult
        For `lmfit.fit_report`; its errors and correlations are those of the estimates.
    estimates : Estimates

    References
    ----------
    .. [1] M. Newville et al., LMFIT, doi:10.5281/zenodo.598352
    .. [2] M. A. Branch, T. F. Coleman, Y. Li, SIAM J. Sci. Comput. 21, 1 (1999),
       doi:10.1137/S1064827595289108

    Examples
    --------
    >>> import lmfit
    >>> import numpy as np
    >>> from peled.quantities import derive
    >>> t = np.linspace(0, 5, 60)
    >>> y = 3 * np.exp(-t / 1.5) + 0.02 * np.random.default_rng(1).standard_normal(60)
    >>> start = lmfit.create_params(height=2, lifetime={"value": 1, "min": 0.1, "max": 10})
    >>> result, estimates = fit_lmfit(
    ...     lambda p: (p["height"] * np.exp(-t / p["lifetime"]) - y) / 0.02,
    ...     [start],
    ...     {"lifetime": "ns"},
    ...     least_noise=1.0,
    ... )
    >>> print(derive("lifetime", "ns", lambda p: p["lifetime"], estimates))
    1.494±0.007 ns
    >>> f"{result.params['lifetime'].stderr:.4f}"
    '0.0067'
    """
    from lmfit import Minimizer

    def search(start: Parameters, **options) -> tuple[Minimizer, MinimizerResult]:
        minimizer = Minimizer(residual, start)
        with np.errstate(invalid="ignore"):  # in lmfit's own covariance, which is not used
            return minimizer, minimizer.minimize(method="least_squares", x_scale="jac", **options)

    if len(starts) > 1:  # where each leads, then the best to the end
        rough = [search(start, ftol=1e-2)[1] for start in starts]
        starts = [min(rough, key=lambda result: result.chisqr).params]
    minimizer, result = search(starts[0])
    freedom = max(result.nfree, 1)
    noise = max(float(np.sqrt(result.chisqr / freedom)), least_noise)
    estimates = from_lmfit(result, units, noise, minimizer=minimizer)
    # Scatter that nothing but itself is held against is always as large as it should be.
    goodness = goodness_z(result.chisqr / least_noise**2, freedom) if least_noise else None
    estimates = replace(estimates, goodness=goodness)
    _say_errors(result, estimates)
    return result, estimates


def _say_errors(result: MinimizerResult, estimates: Estimates) -> None:
    """Put errors and correlations of the estimates where `lmfit.fit_report` finds them."""
    errors = np.sqrt(np.diag(estimates.covariance))
    known = (errors > 0) & ~estimates.null.any(axis=1)
    result.errorbars = bool(known.any())
    for i, name in enumerate(estimates.names):
        p = result.params[name]
        p.stderr = float(errors[i]) if known[i] else None
        p.correl = {
            other: float(estimates.covariance[i, k] / (errors[i] * errors[k]))
            for k, other in enumerate(estimates.names)
            if k != i and known[i] and known[k]
        }


def _gap(parameter) -> float:
    return min(parameter.value - parameter.min, parameter.max - parameter.value)


def _jacobian(minimizer, result, names) -> tuple[np.ndarray, np.ndarray]:
    """(residual, its derivative) by central differences; one-sided where the model ends."""
    best = result.params

    def residual(name: str = "", move: float = 0.0) -> np.ndarray:
        trial = best.copy()
        if name:
            trial[name].set(value=best[name].value + move, min=-np.inf, max=np.inf)
        r = minimizer.userfcn(trial, *(minimizer.userargs or ()), **(minimizer.userkws or {}))
        return np.asarray(r, float).ravel()

    here = residual()
    columns = []
    for name in names:
        p = best[name]
        if not p.vary:
            columns.append(np.zeros_like(here))
            continue
        step = max(np.cbrt(np.finfo(float).eps) * abs(p.value), 1e-18)
        with np.errstate(all="ignore"):
            while True:  # a parameter that came out near 0 says nothing of its own scale
                up, down = residual(name, step), residual(name, -step)
                small = np.abs(up - down).max() < 1e-7 * np.abs(here).max()
                if not small or step > max(1.0, abs(p.value)):
                    break
                step *= 1e3
        slope = (up - down) / (2 * step)
        for side in ((up - here) / step, (here - down) / step):
            slope = np.where(np.isfinite(slope), slope, side)
        columns.append(slope)
    return here, np.stack(columns, axis=1)


def _from_covariance(result, names, values, units, noise, others) -> Estimates:
    p = len(names)
    normal = np.zeros((p, p))
    if result.covar is not None and np.isfinite(result.covar).all():
        order = [names.index(n) for n in result.var_names]
        normal[np.ix_(order, order)] = np.linalg.pinv(result.covar, hermitian=True)
    if noise is not None and result.nfree > 0:
        others["goodness"] = goodness_z(result.chisqr / noise**2, result.nfree)
    return from_normal(names, values, units, normal, **others)


def _profiles(result, minimizer, names) -> dict[str, tuple[float, float]]:
    from lmfit import conf_interval

    found = conf_interval(minimizer, result, p_names=list(names), sigmas=[0.95])
    ends = {n: (float(rows[0][1]), float(rows[-1][1])) for n, rows in found.items()}
    return {n: pair for n, pair in ends.items() if np.isfinite(pair).all()}
