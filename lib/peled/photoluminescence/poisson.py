"""Counts and a model with bounds: maximum likelihood, and whether the deviance is that of noise."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.linalg import lapack

#: Curvature, relative to the largest, below which a way down is rounding: an error 1e4 times that
#: of the best parameter.
FLAT = 1e-8
NEAR = 1e-6  #: squared distance to the optimum, in standard errors, at which a descent ends
#: The same, at which it ends with one more step, if a short one, and the model is not asked again:
#: it is linear over a tenth of a standard error.
CLOSE = 1e-2
SAME = 1e-2  #: difference of deviance of descents that ended in one place
DARK = 0.1  #: counts a bin, background at least from which a search begins
ENOUGH = 2.0  #: standard deviations of the deviance below which no other start is tried


class Blocks(NamedTuple):
    """Derivatives (p, n) of which most are zero: parts (parameters (t, q), t·g bins in a row, their
    derivatives (t, q, g)).
    """

    shape: tuple[int, int]
    parts: list[tuple[np.ndarray, slice, np.ndarray]]


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes
    ----------
    theta : ndarray, shape (p,)
    deviance : float
    converged : bool
    mean, jacobian : ndarray, shapes (n,) and (p, n)
        Expected counts of all bins there, and their derivatives (or `Blocks` of them).
    expected : (float, float), optional
        Mean and variance of a deviance that is noise alone, of the bins that are fitted.
    """

    theta: np.ndarray
    deviance: float
    converged: bool
    mean: np.ndarray
    jacobian: np.ndarray | Blocks
    expected: tuple[float, float] | None = None


def descend(model, y, inside, theta, max_iterations=60) -> Descent:
    """Fisher scoring with Marquardt damping, projected on the bounds.

    Parameters
    ----------
    model
        `jacobian(theta)` gives expected counts (n,) and derivatives (p, n) or, where all bins are
        fitted, `Blocks`; `bounds` low and high (p,) of theta;
        `strides` (p,) how far a step may go.
    y : ndarray, shape (n,)
    inside : slice
        Bins that are fitted.
    theta : ndarray, shape (p,)
        Start.
    max_iterations : int

    Returns
    -------
    Descent

    References
    ----------
    .. [1] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963), doi:10.1137/0111030
    """
    low, high = model.bounds
    theta = np.clip(theta, low, high)
    data, strides = y[inside], model.strides
    best = 2 * float(data @ np.log(np.maximum(data, 1e-300)) - data.sum())

    def evaluated(at):
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far costs without bound
            mean, jac = model.jacobian(at)
            m = np.maximum(mean[inside], 1e-9)
            cost = best + 2 * float(m.sum() - data @ np.log(m))
        return cost if math.isfinite(cost) else math.inf, m, (mean, jac)

    cost, m, state = evaluated(theta)
    damping, converged = 1e-3, False
    for _ in range(max_iterations):
        gradient, curvature = normal(state[1], inside, m, m - data)
        held = np.where(gradient > 0, theta <= low, theta >= high) | (curvature.diagonal() <= 0)
        free = (~held).nonzero()[0]
        if not free.size:
            converged = True
            break
        s, values, vectors = modes(curvature, free)
        along = (gradient[free] / s) @ vectors
        # Squared distance to the optimum in standard errors.
        newton = np.where(values > FLAT * values[-1], along, 0.0) / values
        distance = float(along @ newton)
        if distance < NEAR:
            converged = True
            break
        step = np.zeros(theta.size)
        if distance < CLOSE:
            step[free] = vectors @ newton / -s
            ended = theta + step
            if ((ended >= low) & (ended <= high) & (np.abs(step) <= 0.5 * strides)).all():
                moved = state[0] + _along(state[1], step)
                if moved[inside].min() > 0:
                    return Descent(ended, max(cost - distance, 0.0), True, moved, state[1])
        for _ in range(12):
            step[free] = vectors @ (along / (np.maximum(values, 0) + damping)) / -s
            trial = theta + np.minimum(np.maximum(step, -strides), strides)
            trial = np.minimum(np.maximum(trial, low), high)
            found = evaluated(trial)
            if found[0] < cost:
                break
            damping = max(damping * 6, 1e-6)
        else:
            converged = distance < 1e-4
            break
        gain = cost - found[0]
        theta, (cost, m, state) = trial, found
        damping = max(damping / 8, 1e-9)
        if gain < 1e-9 * (1 + abs(cost)) and distance < 1e-4:
            converged = True
            break
    return Descent(theta, max(cost, 0.0), converged, *state)


def modes(curvature, free):
    """Roots of the diagonal (q,), and ascending eigenvalues (q,) and vectors (q, q) in units of
    them, of the curvature (p, p) of the parameters at places `free` (q,).
    """
    part = curvature[free[:, None], free]
    s = np.sqrt(part.diagonal())
    values, vectors, _ = lapack.dsyevd(part / (s[:, None] * s))
    return s, values, vectors


def _along(jacobian, step):
    """Change of the expected counts (n,) by a step (p,)."""
    if not isinstance(jacobian, Blocks):
        return step @ jacobian
    change = np.zeros(jacobian.shape[1])
    for own, bins, part in jacobian.parts:
        change[bins] += (step[own][:, None] @ part).ravel()
    return change


def normal(jacobian, inside, m, off):
    """Gradient and expected curvature of half the deviance.

    Parameters
    ----------
    jacobian : ndarray, shape (p, n), or Blocks
    inside : slice
        Bins that are fitted.
    m, off : ndarray
        Expected counts of those, and these less the counts.

    Returns
    -------
    gradient, curvature : ndarray, shapes (p,) and (p, p)
    """
    if not isinstance(jacobian, Blocks):
        j = jacobian[:, inside]
        weighted = j / m
        return weighted @ off, weighted @ j.T
    p = jacobian.shape[0]
    gradient, curvature = np.zeros(p), np.zeros((p, p))
    for own, bins, part in jacobian.parts:
        weighted = part / m[bins].reshape(len(part), 1, -1)
        np.add.at(gradient, own, (weighted @ off[bins].reshape(len(part), -1, 1))[..., 0])
        np.add.at(curvature, (own[..., None], own[:, None]), weighted @ part.swapaxes(1, 2))
    return gradient, curvature


def least(model, y, inside, starts) -> Descent:
    """The lowest end of descents from several starts (each (p,)).

    One that converged and leaves no more than noise ends the search: no other can do much better;
    so do two that converged to one deviance.

    Parameters
    ----------
    model
        As `descend`.
    y : ndarray, shape (n,)
        Counts.
    inside : slice
        Bins that are fitted.
    starts : iterable of ndarray, shape (p,)
        At least one; not read further than the search goes.

    Returns
    -------
    Descent
    """
    best = None
    for start in starts:
        found = descend(model, y, inside, start)
        both = best is not None and best.converged and found.converged
        if both and abs(found.deviance - best.deviance) < SAME:
            break
        if best is None or found.deviance < best.deviance - 1e-6:
            best = found
        best = best._replace(expected=expected_deviance(best.mean[inside]))
        expected, variance = best.expected
        if best.converged and best.deviance < expected + ENOUGH * math.sqrt(variance):
            break
    return best


def unit_deviance(y, mu):
    """Deviance of each Poisson bin, 2 (y ln(y/μ) − y + μ).

    Parameters
    ----------
    y : ndarray, shape (...)
        Counts.
    mu : ndarray, shape (...)
        Expected counts; at least 1e-12 is taken.

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    .. [1] S. Baker and R. D. Cousins, Nucl. Instrum. Methods 221, 437 (1984),
           doi:10.1016/0167-5087(84)90016-4
    """
    mu = np.maximum(mu, 1e-12)
    return np.maximum(2 * (y * np.log(np.maximum(y, 1e-300) / mu) - (y - mu)), 0)


DIM, BRIGHT, NODES = 1e-4, 60.0, 160  #: means of the table of `expected_deviance`


@cache
def _table():
    """Mean and variance of the deviance at evenly spaced logarithms of the mean, and their
    differences (`NODES`, 2), by summing over the counts.
    """
    means = np.geomspace(DIM, BRIGHT, NODES)
    k = np.arange(0, 160)[:, None]
    p = np.exp(special.xlogy(k, means) - means - special.gammaln(k + 1))
    d = unit_deviance(k.astype(float), means)
    mean = (p * d).sum(axis=0)
    made = np.array([mean, (p * d * d).sum(axis=0) - mean**2]).T
    return made, np.diff(made, axis=0, append=made[-1:])


def expected_deviance(mu: np.ndarray) -> tuple[float, float]:
    """Mean and variance of the deviance of Poisson bins from their true means.

    Parameters
    ----------
    mu : ndarray, shape (n,)

    Returns
    -------
    mean, variance : float
        1 + 1/(6 μ) and 2 a bin to first order, other numbers where μ is small.
    """
    mu = np.asarray(mu, float)
    dark = mu <= BRIGHT
    place = np.log(np.maximum(mu[dark], DIM) / DIM) * ((NODES - 1) / math.log(BRIGHT / DIM))
    node = place.astype(np.intp)
    made, change = _table()
    found = np.bincount(node, minlength=NODES) @ made
    found += np.bincount(node, place - node, NODES) @ change
    bright = mu[~dark]
    mean, variance = found.tolist()
    return mean + bright.size + float((1 / bright).sum()) / 6, variance + 2.0 * bright.size


def runs_z(residual):
    """Wald-Wolfowitz z value of the runs of residual signs; below 0 there are too few of them.

    Parameters
    ----------
    residual : ndarray, shape (n,)

    Returns
    -------
    float
        0 where fewer than 5 residuals have one of the signs.

    References
    ----------
    .. [1] A. Wald, J. Wolfowitz, Ann. Math. Stat. 11, 147 (1940), doi:10.1214/aoms/1177731909
    """
    signs = residual > 0
    n1, n2 = int(signs.sum()), int((~signs).sum())
    if min(n1, n2) < 5:
        return 0.0
    runs = 1 + np.count_nonzero(signs[1:] != signs[:-1])
    mean = 2 * n1 * n2 / (n1 + n2) + 1
    return float((runs - mean) / np.sqrt((mean - 1) * (mean - 2) / (n1 + n2 - 1)))
