"""Counts and a model with bounds: maximum likelihood, and whether the deviance is that of noise."""

from __future__ import annotations

import numpy as np
from scipy import special

#: Curvature, relative to the largest, below which a way down is rounding: an error 1e4 times that
#: of the best parameter.
FLAT = 1e-8
ENOUGH = 2.0  #: standard deviations of the deviance below which no other start is tried


def descend(model, y, inside, theta, max_iterations=60):
    """Fisher scoring with Marquardt damping, projected on the bounds. Returns theta, deviance,
    converged.
    """
    low, high = model.bounds()
    theta = np.clip(theta, low, high)
    data = y[inside]
    best = 2 * float(np.sum(special.xlogy(data, np.maximum(data, 1e-300)) - data))

    def evaluated(at):
        mu, jac = model.jacobian(at)
        m = np.maximum(mu[inside], 1e-9)
        cost = best + 2 * float(m.sum() - data @ np.log(m))
        return cost if np.isfinite(cost) else np.inf, m, jac[inside]

    cost, m, j = evaluated(theta)
    damping, converged = 1e-3, False
    for _ in range(max_iterations):
        weighted = j / m[:, None]
        gradient = weighted.T @ (m - data)
        curvature = weighted.T @ j
        held = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        free = np.flatnonzero(~held & (np.diag(curvature) > 0))
        if not free.size:
            return theta, max(cost, 0.0), True
        s = np.sqrt(np.diag(curvature)[free])
        h, g = curvature[np.ix_(free, free)] / np.outer(s, s), gradient[free] / s
        values, vectors = np.linalg.eigh(h)
        along = vectors.T @ g
        steep = values > FLAT * values[-1]
        # Squared distance to the optimum in standard errors.
        distance = float(np.sum(along[steep] ** 2 / values[steep]))
        if distance < 1e-8:
            converged = True
            break
        for _ in range(12):
            step = -(vectors @ (along / (np.maximum(values, 0) + damping))) / s
            trial = theta.copy()
            trial[free] += step
            trial[: model.capped] = np.clip(
                trial[: model.capped],
                theta[: model.capped] - 1.5,
                theta[: model.capped] + 1.5,
            )
            trial = np.clip(trial, low, high)
            found = evaluated(trial)
            if found[0] < cost:
                break
            damping = max(damping * 6, 1e-6)
        else:
            converged = distance < 1e-4
            break
        gain = cost - found[0]
        theta, (cost, m, j) = trial, found
        damping = max(damping / 8, 1e-9)
        if gain < 1e-9 * (1 + abs(cost)) and distance < 1e-4:
            converged = True
            break
    return theta, max(cost, 0.0), converged


def as_noise(mean, cost, converged) -> bool:
    """Whether a fit ended and leaves no more than noise: no other start can do much better."""
    expected, variance = (part.sum() for part in expected_unit_deviance(mean))
    return bool(converged and cost < expected + ENOUGH * np.sqrt(variance))


def unit_deviance(y, mu):
    mu = np.maximum(mu, 1e-12)
    return np.maximum(2 * (special.xlogy(y, np.maximum(y, 1e-300) / mu) - (y - mu)), 0)


_GRID = np.geomspace(1e-4, 60, 160)


def expected_unit_deviance(mu):
    """Mean and variance of a Poisson bin's deviance at its true mean, by summing over the counts
    (n,).
    """
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
