"""Least squares for one spectrum or thousands: a batched Levenberg-Marquardt.

All spectra step together on stacked normal equations; those that have converged leave the stack.
Convergence is judged where it matters: the Newton decrement of the undamped step, i.e. the distance
to the optimum in standard errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from peled.lineshapes.model import BandModel
from peled.lineshapes.result import SeriesFit
from peled.lineshapes.starts import guess

_BLOCK = 2**16  # doubles of Jacobian worked on at once: a block stays in the cache

TOLERANCE = 1e-4  # see `fit_series`


def fit_series(
    x: np.ndarray,
    Y: np.ndarray,
    model: BandModel,
    start: Mapping | np.ndarray | None = None,
    *,
    variance: np.ndarray | float | None = None,
    shared: Sequence[str] = (),
    max_iterations: int = 200,
    tolerance: float = TOLERANCE,
    errors: bool = True,
) -> SeriesFit:
    """Fit one spectrum or a whole series.

    Parameters
    ----------
    x : (m,) or (n, m) array
        The axis, any unit.
    Y : (m,) or (n, m) array
        One spectrum or n.
    model : BandModel
    start : mapping of str to float or (n,), or array (p,) or (n, p), optional
        Start values. Names left out, or everything when None, are read off the data; areas and
        baseline are in any case started at their linear optimum.
    variance : float, (m,) or (n, m), optional
        Variance of each point. Without it all points weigh the same and their variance is taken
        from the residuals.
    shared : sequence of str
        Free parameters with one value for the whole series.
    max_iterations : int
    tolerance : float
        Distance to the optimum, in standard errors, at which a fit counts as converged.
    errors : bool
        False: covariances are NaN, for a fit that is only compared with others.

    Returns
    -------
    SeriesFit

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite, variances that are not positive, fewer
        points than parameters, unknown names; the message says which spectrum and point.

    Notes
    -----
    Levenberg-Marquardt with Marquardt's scaling and projection on the bounds (J. SIAM 11 (1963)
    431); shared parameters by the Schur complement of the arrow-shaped normal equations, so that a
    long series costs no more than its spectra.

    References
    ----------
    .. [1] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963), doi:10.1137/0111030
    """
    problem, theta = _prepare(x, Y, model, start, variance)
    unknown = [name for name in shared if name not in model.free]
    if unknown:
        raise ValueError(
            f"shared: expected free parameters ({', '.join(model.free)}), found "
            f"{', '.join(unknown)}"
        )
    common = np.array([name in shared for name in model.free])
    if common.any():
        theta[:, common] = theta[:, common].mean(axis=0)
        problem = replace(
            problem, one_shape=len(problem.x) == 1 and bool(common[~model.linear].all())
        )
    theta, state = _solve_linear(problem, theta, ~common if common.any() else None)
    if start is None and len(theta) > 1 and len(problem.x) == 1 and not common.any():
        theta, state = _with_series_start(problem, theta, state)
    theta, converged, iterations = _descend(
        problem, theta, common, max_iterations, tolerance, state
    )
    if not errors:
        return _bare(problem, theta, common, converged, iterations)
    return _summarise(problem, theta, common, converged, iterations)


@dataclass(frozen=True)
class _Problem:
    """Data, weights and model, and their normal equations in cache-sized blocks.

    `one_shape`: on one axis all spectra have the same bands but for their areas.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    model: BandModel
    lower: np.ndarray
    upper: np.ndarray
    one_shape: bool = False

    def blocks(self, theta, rows):
        size = max(1, _BLOCK // (self.y.shape[1] * (len(self.model.free) + 2)))
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            which = rows[part]
            x = self.x if len(self.x) == 1 else self.x[which]
            w = (
                self.weights
                if self.weights is None or len(self.weights) == 1
                else self.weights[which]
            )
            yield part, self.y[which], w, *self.model.evaluate_free(x, theta[part])

    def normal(self, theta, rows):
        """Cost (k,), curvature (k, q, q) and gradient (k, q) (both of half the cost) of the spectra
        `rows`."""
        k, q = theta.shape
        with np.errstate(all="ignore"):
            if self.one_shape:
                cost, curvature, gradient = self._of_one_shape(theta)
            else:
                cost, curvature, gradient = np.empty(k), np.empty((k, q, q)), np.empty((k, q))
                for part, y, w, value, jac in self.blocks(theta, rows):
                    cost[part], slope = _compared(value, y, w)
                    gradient[part] = np.matmul(jac, slope[:, :, None])[:, :, 0]
                    bent = jac if w is None else jac * w[:, None, :]
                    curvature[part] = np.matmul(bent, jac.transpose(0, 2, 1))
        # Where a derivative is not finite, the gradient that it is a part of is none either.
        cost[~(np.isfinite(cost) & np.isfinite(gradient).all(axis=1))] = np.inf
        return cost, curvature, gradient

    def cost(self, theta):
        """Cost (n,) of all spectra alone."""
        values = self.model.evaluate(self.x, self.model.full(theta))
        return _compared(values, self.y, self.weights)[0]

    def _of_one_shape(self, theta):
        """As `normal`: one set of columns serves all spectra."""
        columns, sizes, values = self.model.columns(self.x, theta)
        cost, slope = _compared(values, self.y, self.weights)
        i, j = _pairs(len(columns))
        pairs = columns[i] * columns[j]
        bent = pairs.sum(axis=1) if self.weights is None else self.weights @ pairs.T
        curvature = np.empty((*sizes.shape, len(columns)))
        curvature[:, i, j] = curvature[:, j, i] = bent * sizes[:, i] * sizes[:, j]
        return cost, *self.model.freed(curvature, (slope @ columns.T) * sizes)


@cache
def _pairs(count: int) -> tuple[np.ndarray, ...]:
    """Places of a triangular matrix, its diagonal included."""
    return np.nonzero(np.tri(count))


def _compared(value, y, w):
    """Cost (k,), and half its slope (k, m) in the values."""
    residual = value - y
    slope = residual if w is None else residual * w
    return np.einsum("nm,nm->n", residual, slope), slope


def _prepare(x, Y, model, start, variance):
    x, y = np.asarray(x, float), np.asarray(Y, float)
    y = y[None] if y.ndim == 1 else y
    x = x[None] if x.ndim == 1 else x
    if y.ndim != 2 or x.ndim != 2 or x.shape[1] != y.shape[1] or x.shape[0] not in (1, y.shape[0]):
        raise ValueError(
            f"x, Y: expected shapes (m,) or (n, m) that fit each other, found {np.shape(x)} and "
            f"{np.shape(Y)}"
        )
    n, m = y.shape
    if n == 0:
        raise ValueError("Y: expected at least one spectrum, found none")
    _refuse(~np.isfinite(x), "x", "finite values", x)
    weights = None
    if variance is not None:
        variance = np.asarray(variance, float)
        try:
            variance = np.broadcast_to(variance, (1, m) if variance.ndim < 2 else (n, m))
        except ValueError:
            raise ValueError(
                f"variance: expected a number or shape ({m},) or ({n}, {m}), found {variance.shape}"
            ) from None
        _refuse(~(variance > 0), "variance", "positive values", variance)
        weights = 1 / variance
    _refuse(~np.isfinite(y), "Y", "finite values", y)
    if m <= len(model.free):
        raise ValueError(
            f"Y: expected more than {len(model.free)} points for {len(model.free)} free "
            f"parameters, found {m}"
        )
    # a band narrower than a thousandth of a point is no band; keeps width parameters off zero,
    # where profiles are undefined
    spread = np.ptp(x, axis=1).max()
    if spread == 0:
        raise ValueError("x: expected an axis, found one value repeated")
    floor = 1e-3 * spread / y.shape[1]
    width = np.array(
        [name.rsplit("_", 1)[-1] in ("fwhm", "gauss", "low", "high") for name in model.free]
    )
    lower = np.where(width, np.maximum(model.lower, floor), model.lower)
    problem = _Problem(x, y, weights, model, lower, model.upper)
    return problem, np.clip(_start(model, x, y, start), lower, model.upper)


def _refuse(bad, what, expected, values):
    if bad.any():
        place = np.argwhere(bad)[0]
        raise ValueError(
            f"{what}: spectrum {place[0]}, point {place[1]}: expected {expected}, found "
            f"{values[tuple(place)]}"
        )


def _start(model, x, y, start):
    n = len(y)
    if start is None or (isinstance(start, Mapping) and not start):
        return guess(model, x, y)
    if isinstance(start, Mapping):
        unknown = set(start) - set(model.names)
        if unknown:
            raise ValueError(
                f"start: expected names of {', '.join(model.names)}, found "
                f"{', '.join(sorted(unknown))}"
            )
        missing = [
            name
            for name, linear in zip(model.free, model.linear)
            if name not in start and model.specification[name].value is None and not linear
        ]
        theta = guess(model, x, y) if missing else np.zeros((n, len(model.free)))
        for k, name in enumerate(model.free):
            given = start.get(name, model.specification[name].value)
            if given is None and not missing:
                given = 0.0 if name.startswith("base_") else 1.0
            if given is not None:
                theta[:, k] = given
        return theta
    start = np.asarray(start, float)
    if start.shape not in ((len(model.names),), (n, len(model.names))):
        raise ValueError(
            f"start: expected shape ({len(model.names)},) or ({n}, {len(model.names)}), found "
            f"{start.shape}"
        )
    columns = [model.index(name) for name in model.free]
    return np.broadcast_to(start[..., columns], (n, len(columns))).astype(float)


def _with_series_start(problem, theta, own):
    """The optimum of the mean spectrum as start where it is no worse than the spectrum's own: keeps
    bands in one order."""
    mean = np.average(problem.y, axis=0)[None]
    weights = None if problem.weights is None else problem.weights.mean(axis=0)[None]
    flat = replace(problem, y=mean, weights=weights)
    first, state = _solve_linear(
        flat, np.clip(guess(problem.model, problem.x, mean), problem.lower, problem.upper), None
    )
    common = _descend(flat, first, np.zeros(theta.shape[1], bool), 100, 1e-2, state)[0]
    common, series = _solve_linear(problem, np.repeat(common, len(theta), axis=0), None)
    take = (series[0] <= 2 * own[0]) & np.isfinite(series[0])
    return _pick(take, common, theta), tuple(_pick(take, *pair) for pair in zip(series, own))


def _pick(rows, there, here):
    """`there` in the given rows, `here` in the others."""
    return np.where(rows.reshape(-1, *[1] * (here.ndim - 1)), there, here)


def _solve_linear(problem, theta, allowed):
    """Areas and baseline at their (Gauss-Newton) optimum for the start's centres and widths, where
    that is better.

    Returns the parameters, and their cost, curvature and gradient.
    """
    rows = np.arange(len(theta))
    here = problem.normal(theta, rows)
    linear = problem.model.linear if allowed is None else problem.model.linear & allowed
    if not linear.any():
        return theta, here
    frozen = np.broadcast_to(~linear, theta.shape)
    step, _ = _solve(here[1], here[2], frozen, np.full(len(theta), 1e-10))
    trial = np.clip(theta + step, problem.lower, problem.upper)
    there = problem.normal(trial, rows)
    better = there[0] < here[0]
    theta, state = (
        _pick(better, trial, theta),
        tuple(_pick(better, *pair) for pair in zip(there, here)),
    )
    return theta, state


def _solve(curvature, gradient, frozen, damping):
    """Damped step and decrement in Marquardt's scaling; frozen parameters stay."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = curvature / (scale[:, :, None] * scale[:, None, :])
    right = np.where(frozen, 0.0, gradient / scale)
    if frozen.any():
        scaled = np.where(frozen[:, :, None] | frozen[:, None, :], 0.0, scaled)
    q = curvature.shape[1]
    dead = frozen | (diagonal <= 0)
    scaled[:, np.arange(q), np.arange(q)] = np.where(dead, 1.0, 1.0 + damping[:, None])
    try:
        step = np.linalg.solve(scaled, -right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:  # exactly singular somewhere: damp a little more
        scaled[:, np.arange(q), np.arange(q)] += 1e-8
        step = np.linalg.solve(scaled, -right[:, :, None])[:, :, 0]
    return step / scale, -np.einsum("nq,nq->n", step, right)


def _pushed(theta, gradient, lower, upper):
    """Parameters at a bound that the gradient pushes against."""
    return ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0))


def _descend(problem, theta, common, max_iterations, tolerance, state):
    if common.any():
        return _descend_shared(problem, theta, common, max_iterations, tolerance, state)
    n, q = theta.shape
    theta, converged, iterations = theta.copy(), np.zeros(n, bool), np.zeros(n, int)
    rows = np.arange(n)
    cost, curvature, gradient = state
    if not np.isfinite(cost).all():
        bad = int(np.flatnonzero(~np.isfinite(cost))[0])
        raise ValueError(
            f"start: spectrum {bad}: expected parameters at which the model is finite"
            f", found {dict(zip(problem.model.free, theta[bad].round(6)))}"
        )
    damping, now = np.full(n, 1e-3), theta.copy()
    absolute = problem.weights is not None
    dof = max(problem.y.shape[1] - q, 1)
    # below this no step can show in the sum of squares: exact data
    ground = 1e-20 * np.einsum("nm,nm->n", problem.y, problem.y) if not absolute else np.zeros(n)
    for _ in range(max_iterations):
        frozen = _pushed(now, gradient, problem.lower, problem.upper)
        step, decrement = _solve(curvature, gradient, frozen, damping)
        unit = 1.0 if absolute else cost / dof + ground[rows]
        near = decrement <= tolerance**2 * unit * 100
        done = np.zeros(len(rows), bool)
        if near.any():
            full = _solve(
                curvature[near], gradient[near], frozen[near], np.full(near.sum(), 1e-13)
            )[1]
            done[near] = np.abs(full) <= tolerance**2 * (unit if np.isscalar(unit) else unit[near])
        stalled = damping > 1e14
        leave = done | stalled
        trial = np.clip(now + step, problem.lower, problem.upper)
        if leave.any():
            theta[rows[leave]] = np.where(
                done[leave, None], trial[leave], now[leave]
            )  # the last step comes free
            converged[rows[leave]] = done[leave]
            keep = ~leave
            rows, now, cost, curvature, gradient, damping, trial = (
                a[keep] for a in (rows, now, cost, curvature, gradient, damping, trial)
            )
            if len(rows) == 0:
                break
        iterations[rows] += 1
        new_cost, new_curvature, new_gradient = problem.normal(trial, rows)
        better = new_cost <= cost
        now[better], cost[better], curvature[better], gradient[better] = (
            trial[better],
            new_cost[better],
            new_curvature[better],
            new_gradient[better],
        )
        damping = np.where(better, np.maximum(damping * 0.1, 1e-12), np.maximum(damping * 8, 1e-6))
    theta[rows] = now
    return theta, converged, iterations


def _arrow(curvature, gradient, common, frozen, damping):
    """Step (n, q) and decrement for local and shared parameters by the Schur complement; also the
    pieces for covariance."""
    order = np.argsort(common, kind="stable")
    n, b = len(curvature), int(common.sum())
    a = order.size - b
    l, c = order[:a], order[a:]
    sorted_, slope = curvature[:, order[:, None], order], gradient[:, order]
    right = np.concatenate([sorted_[:, :a, a:], slope[:, :a, None]], axis=2)
    ll, ls, gl = sorted_[:, :a, :a], right[:, :, :b], right[:, :, b]
    ss, gs = sorted_[:, a:, a:].sum(axis=0), slope[:, a:].sum(axis=0)
    dl, total = ll.diagonal(axis1=1, axis2=2).copy(), ss.diagonal().copy()
    hold_l, hold_s = frozen[:, l], frozen[0, c]
    if frozen.any():
        ll[hold_l[:, :, None] | hold_l[:, None, :]] = 0.0
        ls[hold_l[:, :, None] | hold_s] = 0.0
        ss[hold_s[:, None] | hold_s] = 0.0
        gl[hold_l], gs[hold_s] = 0.0, 0.0
    ll[:, np.arange(a), np.arange(a)] = np.where(hold_l | (dl <= 0), 1.0, dl * (1 + damping))
    ss[np.arange(b), np.arange(b)] = np.where(hold_s | (total <= 0), 1.0, total * (1 + damping))
    solved = np.linalg.solve(ll, right) if a else np.zeros((n, 0, b + 1))
    taken = ls.reshape(n * a, b).T @ solved.reshape(n * a, b + 1)
    schur = ss - taken[:, :b]
    step_s = -np.linalg.solve(schur, gs - taken[:, b])
    step_l = -solved @ np.append(step_s, 1.0)
    step = np.empty_like(gradient)
    step[:, c], step[:, l] = step_s, step_l
    decrement = -float(np.vdot(gl, step_l) + gs @ step_s)
    return step, decrement, (ll, solved[:, :, :b], schur)


def _descend_shared(problem, theta, common, max_iterations, tolerance, state):
    n = len(theta)
    rows, damping, converged, count = np.arange(n), 1e-3, False, 0
    cost, curvature, gradient = state
    absolute = problem.weights is not None
    dof = max(problem.y.size - (~common).sum() * n - common.sum(), 1)
    ground = 0.0 if absolute else 1e-20 * float(np.sum(problem.y**2))
    if not np.isfinite(cost).all():
        raise ValueError("start: expected parameters at which the model is finite")
    while count < max_iterations:
        count += 1
        summed = gradient.copy()
        summed[:, common] = gradient[:, common].sum(axis=0)
        frozen = _pushed(theta, summed, problem.lower, problem.upper)
        step, decrement, _ = _arrow(curvature, gradient, common, frozen, damping)
        unit = 1.0 if absolute else cost.sum() / dof + ground
        trial = np.clip(theta + step, problem.lower, problem.upper)
        if (
            decrement <= 100 * tolerance**2 * unit
            and abs(_arrow(curvature, gradient, common, frozen, 1e-13)[1]) <= tolerance**2 * unit
        ):
            theta, converged = trial, True
            break
        if damping > 1e14:
            break
        new = problem.normal(trial, rows)
        if new[0].sum() <= cost.sum():
            theta, (cost, curvature, gradient), damping = trial, new, max(damping * 0.1, 1e-12)
        else:
            damping = max(damping * 8, 1e-6)
    return theta, np.full(n, converged), np.full(n, count)


def _at_bound(problem, theta):
    return (theta <= problem.lower) | (theta >= problem.upper)  # steps end on it exactly


def _bare(problem, theta, common, converged, iterations):
    """As `_summarise`, without covariances."""
    model, n, p = problem.model, len(theta), len(problem.model.names)
    dof = problem.y.shape[1] - (~common).sum() - common.sum() / n
    return SeriesFit(
        model, model.full(theta), np.full((n, p, p), np.nan), problem.cost(theta),
        np.full(n, dof), converged, _at_bound(problem, theta) @ (np.abs(model.transform).T > 0),
        np.zeros(n, bool), iterations,
    )  # fmt: skip


def _summarise(problem, theta, common, converged, iterations):
    model, (n, q) = problem.model, theta.shape
    rows = np.arange(n)
    cost, curvature, gradient = problem.normal(theta, rows)
    bound = _at_bound(problem, theta)
    used = np.full(n, problem.y.shape[1])
    if common.any():
        _, _, (ll, mixed, schur) = _arrow(curvature, gradient, common, bound, 0.0)
        inverse, (flat_l, flat_s) = (
            np.zeros((n, q, q)),
            (_safe_inverse(ll), _safe_inverse(schur[None])),
        )
        local = np.flatnonzero(~common)
        shared = np.flatnonzero(common)
        cross = -mixed @ flat_s[0][0]
        inverse[np.ix_(rows, local, local)] = flat_l[0] - cross @ mixed.transpose(0, 2, 1)
        inverse[np.ix_(rows, local, shared)] = cross
        inverse[np.ix_(rows, shared, local)] = cross.transpose(0, 2, 1)
        inverse[np.ix_(rows, shared, shared)] = flat_s[0]
        degenerate = flat_l[1] | flat_s[1]
        dof = used - len(local) - len(shared) / n
        scale = np.full(n, cost.sum() / max(dof.sum(), 1))
        inverse[bound[:, :, None] | bound[:, None, :]] = 0.0
    else:
        inverse, degenerate = _safe_inverse(
            np.where(bound[:, :, None] | bound[:, None, :], 0.0, curvature)
            + bound[:, :, None] * np.eye(q)
        )
        inverse[bound[:, :, None] | bound[:, None, :]] = 0.0
        dof = used - q
        scale = cost / np.maximum(dof, 1)
    if problem.weights is None:
        inverse = inverse * scale[:, None, None]
    transform = model.transform
    covariance = inverse if model._plain else transform @ inverse @ transform.T
    at_bound = bound @ (np.abs(transform).T > 0)
    return SeriesFit(
        model, model.full(theta), covariance, cost, dof, converged, at_bound, degenerate, iterations
    )


#: Curvature of a parameter that the data do not see, as of a band far outside: its inverse would be
#: no number.
_UNSEEN = 1e-280


def _safe_inverse(curvature):
    """Inverse in scaled form and whether it is singular to 1e-12."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    seen = diagonal > _UNSEEN
    scale = np.sqrt(np.where(seen, diagonal, 1.0))
    outer = scale[:, :, None] * scale[:, None, :]
    values, vectors = np.linalg.eigh(curvature / outer)
    degenerate = (values[:, 0] < 1e-12 * values[:, -1]) | ~seen.all(axis=1)
    values = np.maximum(values, 1e-14 * values[:, -1:])
    return (vectors / values[:, None, :]) @ vectors.transpose(0, 2, 1) / outer, degenerate
