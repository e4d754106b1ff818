"""Counts and a model with bounds: maximum likelihood, and whether the deviance is that of noise."""

from __future__ import annotations

import numpy as np
from scipy import special

#: Curvature, relative to the largest, below which a way down is rounding: an error 1e4 times that
#: of the best parameter.
FLAT = 1e-8


def descend(model, y, inside, theta, max_iterations=60):
    """Fisher scoring with Marquardt damping, projected on the bounds. Returns theta, deviance, converged."""
    low, high = model.bounds()
    theta = np.clip(theta, low, high)
    data = y[inside]
    mu, jac = model.jacobian(theta)
    cost = deviance(data, mu[inside])
    damping, converged = 1e-3, False
    for _ in range(max_iterations):
        m = np.maximum(mu[inside], 1e-9)
        j = jac[inside]
        gradient = j.T @ ((m - data) / m)
        curvature = (j / m[:, None]).T @ j
        held = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        free = ~held
        scale = np.diag(curvature)[free]
        if not np.all(scale > 0):
            free[np.flatnonzero(free)[scale <= 0]] = False
            scale = np.diag(curvature)[free]
        if not free.any():
            return theta, cost, True
        h, g = curvature[np.ix_(free, free)], gradient[free]
        s = np.sqrt(scale)
        h, g = h / np.outer(s, s), g / s
        undamped = np.linalg.lstsq(h, -g, rcond=FLAT)[0]
        if -(g @ undamped) < 1e-8:  # squared distance to the optimum in standard errors
            converged = True
            break
        for _ in range(12):
            step = np.linalg.solve(h + damping * np.eye(len(g)), -g) / s
            trial = theta.copy()
            trial[free] += step
            trial[: model.capped] = np.clip(
                trial[: model.capped],
                theta[: model.capped] - 1.5,
                theta[: model.capped] + 1.5,
            )
            trial = np.clip(trial, low, high)
            trial_mu = model.expected(trial)
            trial_cost = deviance(data, trial_mu[inside])
            if trial_cost < cost:
                break
            damping = max(damping * 6, 1e-6)
        else:
            converged = -(g @ undamped) < 1e-4
            break
        gain = cost - trial_cost
        theta, cost = trial, trial_cost
        damping = max(damping / 8, 1e-9)
        mu, jac = model.jacobian(theta)
        if gain < 1e-9 * (1 + abs(cost)) and -(g @ undamped) < 1e-4:
            converged = True
            break
    return theta, cost, converged


def unit_deviance(y, mu):
    mu = np.maximum(mu, 1e-12)
    return np.maximum(2 * (special.xlogy(y, np.maximum(y, 1e-300) / mu) - (y - mu)), 0)


def deviance(y, mu):
    return float(np.sum(unit_deviance(y, mu))) if np.all(np.isfinite(mu)) else np.inf


_GRID = np.geomspace(1e-4, 60, 160)


def expected_unit_deviance(mu):
    """Mean and variance of a Poisson bin's deviance at its true mean, by summing over the counts (n,)."""
    global _TABLE
    if _TABLE is None:
        k = np.arange(0, 160)[:, None]
        p = np.exp(special.xlogy(k, _GRID) - _GRID - special.gammaln(k + 1))
        d = unit_deviance(k.astype(float), _GRID)
        mean = (p * d).sum(axis=0)
        _TABLE = mean, (p * d * d).sum(axis=0) - mean**2
    mean, variance = _TABLE
    x = np.log(np.clip(mu, _GRID[0], _GRID[-1]))
    grid = np.log(_GRID)
    # Beyond the table: 1 + 1/(6 mu) and 2 to first order.
    return np.where(mu > 60, 1 + 1 / (6 * np.maximum(mu, 1)), np.interp(x, grid, mean)), np.where(
        mu > 60, 2.0, np.interp(x, grid, variance)
    )


_TABLE = None


def runs_z(residual):
    signs = residual > 0
    n1, n2 = int(signs.sum()), int((~signs).sum())
    if min(n1, n2) < 5:
        return 0.0
    runs = 1 + np.count_nonzero(signs[1:] != signs[:-1])
    mean = 2 * n1 * n2 / (n1 + n2) + 1
    return float((runs - mean) / np.sqrt((mean - 1) * (mean - 2) / (n1 + n2 - 1)))
