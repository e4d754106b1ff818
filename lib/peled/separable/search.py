"""Blocks of data that share parameters, and the search for the parameters.

Levenberg–Marquardt within bounds on the cost that is left once the linear coefficients are
eliminated (`blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .blocks import Evaluation, SharedBlock


class Problem:
    """Blocks that share parameters. Coordinates `theta` are the free ones; `expand` makes the full
    vector and its Jacobian. A step goes no further than twice `reach` in any of them: where they
    are logarithms e²."""

    def __init__(self, blocks, expand, low, high, reach=1.0):
        self.blocks, self.expand, self.reach = blocks, expand, reach
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        self.total = sum(block.total for block in blocks)
        first = blocks[0].index
        self.alone = len(blocks) == 1 and np.array_equal(first, np.arange(len(first)))

    def evaluate(self, theta, derivatives=True, covariance=False) -> Evaluation:
        """Sum over the blocks, derivatives by the free coordinates.

        Parameters
        ----------
        theta : ndarray, shape (free,)
        derivatives : bool
            Whether gradient and Hessian are wanted.
        covariance : bool
            Whether `floor` and `rows` are wanted too; not without derivatives.

        Returns
        -------
        Evaluation
            Shapes (free,) and (free, free).
        """
        u, jacobian = self.expand(theta)
        parts = [(block, block.evaluate(u, derivatives, covariance)) for block in self.blocks]
        out = Evaluation(sum(part.cost for _, part in parts))
        if not derivatives:
            return out
        out.gradient = jacobian.T @ self.gathered(len(u), [part.gradient for _, part in parts])
        for name in ["hessian"] + (["floor"] if covariance else []):
            whole = self.gathered(len(u), [getattr(part, name) for _, part in parts])
            setattr(out, name, jacobian.T @ whole @ jacobian)
        out.rows = tuple(
            row.by(jacobian[block.index]) for block, part in parts for row in part.rows
        )
        return out

    def gathered(self, size: int, parts) -> np.ndarray:
        """Sum of each block's vector or matrix over its own entries of the `size` full
        coordinates.

        Parameters
        ----------
        size : int
        parts : sequence of ndarray, shapes (p,) or (p, p)
            One a block, by the coordinates of its `index`.

        Returns
        -------
        ndarray, shape (size,) or (size, size)
        """
        if self.alone and len(parts[0]) == size:
            return parts[0]
        out = np.zeros((size,) * parts[0].ndim)
        for block, part in zip(self.blocks, parts, strict=True):
            where = block.index if part.ndim == 1 else np.ix_(block.index, block.index)
            np.add.at(out, where, part)
        return out


@dataclass(frozen=True)
class Minimum:
    """Where a search ended. `decrement` is the fall of cost that a Newton step still promises, over
    the cost."""

    theta: np.ndarray
    cost: float
    evaluations: int
    converged: bool
    decrement: float
    gradient_norm: float
    at_bound: np.ndarray


def minimise(problem: Problem, start, *, tolerance=1e-13, max_evaluations=200) -> Minimum:
    """Levenberg–Marquardt within bounds on the projected cost.

    A coordinate at its bound whose gradient points outward is held there; one that the data do not
    feel stays where it is. The search ends when the fall of the cost that the quadratic model still
    promises is below `tolerance` of the cost or of what rounding leaves of it, with the step that
    promises it.

    Parameters
    ----------
    problem : Problem
    start : array, shape (free,)
    tolerance : float
        Fall of the cost, relative to it, below which the search ends.
    max_evaluations : int

    Returns
    -------
    Minimum

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036
    .. [2] L. Kaufman, BIT 15, 49 (1975), doi:10.1007/BF01932995
    .. [3] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963), doi:10.1137/0111030
    """
    low, high = problem.low, problem.high
    theta = np.clip(np.asarray(start, float), low, high)
    now = problem.evaluate(theta)
    used, damping, converged = 1, 1e-3, False
    if len(theta) == 0:
        return Minimum(theta, now.cost, 1, True, 0.0, 0.0, np.zeros(0, bool))
    while used < max_evaluations:
        if now.cost < 1e-7 * problem.total and any(
            b.compressed is None for b in problem.blocks if isinstance(b, SharedBlock)
        ):
            for block in problem.blocks:
                block.exact()
            now = problem.evaluate(theta)
        free, scale, h, g = _scaled(now, theta, low, high)
        ahead = _solved(h, g)
        least = tolerance * max(now.cost, 1e-14 * problem.total, 1e-300)
        least = max(least, sum(block.rounded for block in problem.blocks))
        if abs(g @ ahead) <= least:
            converged = True
            break
        improved, one = False, np.eye(len(g))
        while used < max_evaluations:
            step = np.zeros(len(theta))
            room = 2.0 * np.broadcast_to(problem.reach, theta.shape)[free] * scale
            step[free] = _within(h + damping * one, g, room) / scale
            trial = np.clip(theta + step, low, high)
            moved = trial - theta
            promised = -(2 * now.gradient @ moved + moved @ now.hessian @ moved)
            used += 1
            # Nearly every trial is accepted, so its derivatives are made at once.
            then = problem.evaluate(trial)
            gained = now.cost - then.cost
            if gained > 0:
                change = 0.1 if gained > 0.5 * promised else 0.5 if gained > 0.2 * promised else 2.0
                damping = max(damping * change, 1e-12)
                theta, now, improved = trial, then, True
                break
            damping *= 8.0
            if damping > 1e12 or abs(promised) < least:
                break
        if not improved:
            break
    if not converged:
        free, scale, h, g = _scaled(now, theta, low, high)
        ahead = _solved(h, g)
    decrement, cost = float(abs(g @ ahead)), max(now.cost, 1e-300)
    norm = float(np.linalg.norm(g) / np.sqrt(cost))
    if converged:
        last = np.zeros(len(theta))
        last[free] = -ahead / scale
        inside = (low < theta) & (theta < high)
        theta = np.where(inside, np.clip(theta + last, low, high), theta)
    elif used < max_evaluations:  # it found nothing better
        converged = decrement <= 1e-9 * max(cost, 1e-14 * problem.total)
    at_bound = (theta <= low) | (theta >= high)
    return Minimum(theta, now.cost, used, converged, decrement / cost, norm, at_bound)


def _solved(matrix, right):
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, right, rcond=1e-15)[0]


def _within(h, g, room):
    """The step −H⁻¹g no longer than `room` in any coordinate. One that the data hardly feel would
    go far: it goes as far as it may, and the others as they would beside it."""
    step = -_solved(h, g)
    far = np.zeros(len(g), bool)
    while (over := ~far & (np.abs(step) > room)).any():
        far |= over
        step[far] = np.clip(step[far], -room[far], room[far])
        near = ~far
        step[near] = -_solved(h[np.ix_(near, near)], g[near] + h[np.ix_(near, far)] @ step[far])
    return step


def _scaled(now: Evaluation, theta, low, high):
    """Coordinates that move, their scales, and H and g of them in these scales. Those that a bound
    holds stay, and those whose curvature is no more than what rounding leaves of the others'."""
    g, size = now.gradient, now.hessian.diagonal()
    held = ((theta <= low) & (g > 0)) | ((theta >= high) & (g < 0))
    free = np.flatnonzero(~held & (size > 1e-28 * size.max()))
    scale = np.sqrt(size[free])
    return free, scale, now.hessian[free[:, None], free] / (scale[:, None] * scale), g[free] / scale
