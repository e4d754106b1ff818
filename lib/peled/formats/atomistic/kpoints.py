"""The mesh of k-points behind a list of irreducible ones.

Programs print the points that symmetry leaves and their weights. How many are left depends on the
symmetry of the atoms,
so two calculations on one mesh print different numbers of points; what must be equal is the mesh.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

_MOST = 64  #: steps along one axis of the finest mesh that is looked for
_NEAR = (
    1e-4  #: how far from a mesh point printed coordinates may lie, in reciprocal lattice vectors
)


def sampling(
    points: np.ndarray, weights: np.ndarray, cell: np.ndarray, *, rounding: float = 0.0
) -> str:
    """Mesh and shift in words: `Gamma`, `4x4x1 k-points`, `2x2x2 k-points, shifted 1 1 1`.

    A mesh n1 x n2 x n3 with a shift s (0 or half a step along each axis) is the answer if every
    point is on it, every
    weight is a whole number of its points, and the lattice's own symmetry spreads the points over
    all of it. A list that
    no mesh explains is counted instead (`17 irreducible k-points`).

    Parameters
    ----------
    points : (n, 3) array
        In units of the reciprocal lattice vectors.
    weights : (n,) array
        In any unit; points without weight are left out, points listed twice (spin) are counted
        once.
    rounding : float
        Half the last printed digit of weights whose sum is 1, where that matters (OUTCAR prints
        three).
    cell : (3, 3) array
        Lattice vectors in rows, in any unit.

    Returns
    -------
    str

    References
    ----------
    .. [1] H. J. Monkhorst and J. D. Pack, Phys. Rev. B 13, 5188 (1976),
           doi:10.1103/PhysRevB.13.5188

    Examples
    --------
    The three points of a square 2 x 2 mesh, and the two of a hexagonal one:

    >>> square = [[4, 0, 0], [0, 4, 0], [0, 0, 9]]
    >>> sampling([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], [1, 2, 1], square)
    '2x2x1 k-points'
    >>> sampling([[0, 0, 0], [0.5, 0, 0]], [1, 3], [[2, 0, 0], [-1, 3**0.5, 0], [0, 0, 9]])
    '2x2x1 k-points'
    """
    points, weights = np.atleast_2d(np.asarray(points, float)), np.asarray(weights, float)
    counted = weights > -rounding if rounding else weights > 0
    points, weights = _merged(points[counted] % 1.0, weights[counted])
    if not len(points) or not weights.any():
        return "no k-points"
    operations = _lattice_symmetry(tuple(np.asarray(cell, float).ravel().round(4)))
    for size, shift in _candidates(points, weights, rounding):
        if _covers(size, shift, points, operations):
            if size == (1, 1, 1) and not any(shift):
                return "Gamma"
            moved = ", shifted " + " ".join(f"{2 * s:g}" for s in shift) if any(shift) else ""
            return "x".join(map(str, size)) + " k-points" + moved
    return f"{len(points)} irreducible k-points"


def _merged(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keys, inverse = np.unique(points.round(5) % 1.0, axis=0, return_inverse=True)
    return keys, np.bincount(inverse.ravel(), weights)


@lru_cache(maxsize=64)
def _lattice_symmetry(cell: tuple[float, ...]) -> np.ndarray:
    """Integer matrices that keep the metric of the reciprocal lattice, for fractional points."""
    axes = np.linalg.inv(np.reshape(cell, (3, 3))).T
    metric = axes @ axes.T
    w = np.array(list(itertools.product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    same = np.isclose(w @ metric @ w.transpose(0, 2, 1), metric, rtol=0, atol=2e-3 * metric.max())
    return w[same.all(axis=(1, 2)) & (np.abs(np.round(np.linalg.det(w))) == 1)]


def _candidates(points: np.ndarray, weights: np.ndarray, rounding: float):
    """Sizes and shifts that have all points on them and whole numbers of points for all weights,
    small ones first.
    """
    axes = []
    for column in points.T:
        fitting = []
        for n, shift in itertools.product(range(1, _MOST + 1), (0.0, 0.5)):
            off = column * n - shift
            if (np.abs(off - off.round()) < _NEAR * n).all():
                fitting.append((n, shift))
        axes.append(fitting)
    if not all(axes):
        return
    most = 4 * max(axis[0][0] for axis in axes)  # symmetry may hide a factor along one axis
    found = itertools.product(*([a for a in axis if a[0] <= most] for axis in axes))
    shares = weights / weights.sum()
    for mesh in sorted(found, key=lambda mesh: mesh[0][0] * mesh[1][0] * mesh[2][0]):
        size, shift = tuple(n for n, _ in mesh), tuple(s for _, s in mesh)
        counts, slack = shares * np.prod(size), 0.02 + rounding * np.prod(size)
        if (np.abs(counts - counts.round()) < slack).all() and counts.min() > 0.9 - slack:
            yield size, shift


def _covers(size: tuple, shift: tuple, points: np.ndarray, operations: np.ndarray) -> bool:
    """Whether the orbits of the points under the lattice's symmetry contain the whole mesh."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    wanted = {tuple(row) for row in grid.reshape(-1, 3)}
    orbit = (points @ operations).reshape(-1, 3) * size - shift
    orbit = orbit[(np.abs(orbit - orbit.round()) < 4 * _NEAR * np.array(size)).all(axis=1)]
    return wanted <= {tuple(row) for row in orbit.round().astype(int) % size}


__all__ = ["sampling"]
