"""Results of lmfit as `Estimates`, with what lmfit does not say: rank, bounds, goodness."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from .estimates import Estimates, from_jacobian, from_normal, goodness_z

if TYPE_CHECKING:
    from lmfit import Minimizer
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
