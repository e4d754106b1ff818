"""The mesh of k-points behind a list of irreducible ones.

Programs print the points that symmetry leaves and their weights. How many are left depends on the symmetry of the atoms,
so two calculations on one mesh print different numbers of points; what must be equal is the mesh.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

_MOST = 4096  #: points of the largest mesh that is looked for


def sampling(points: np.ndarray, weights: np.ndarray, cell: np.ndarray) -> str:
    """Mesh and shift in words: `Gamma`, `4x4x1 k-points`, `2x2x2 k-points, shifted 1 1 1`.

    A mesh n1 x n2 x n3 with a shift s (0 or half a step along each axis) is the answer if every point is on it, every
    weight is a whole number of its points, and the lattice's own symmetry spreads the points over all of it. A list that
    no mesh explains is counted instead (`17 irreducible k-points`).

    Parameters
    ----------
    points : (n, 3) array
        In units of the reciprocal lattice vectors.
    weights : (n,) array
        In any unit; points without weight are left out, points listed twice (spin) are counted once.
    cell : (3, 3) array
        Lattice vectors in rows, in any unit.

    Examples
    --------
    The three points of a square 2 x 2 mesh, and the two of a hexagonal one:

    >>> sampling([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], [1, 2, 1], [[4, 0, 0], [0, 4, 0], [0, 0, 9]])
    '2x2x1 k-points'
    >>> sampling([[0, 0, 0], [0.5, 0, 0]], [1, 3], [[2, 0, 0], [-1, 3**0.5, 0], [0, 0, 9]])
    '2x2x1 k-points'
    """
    points, weights = np.atleast_2d(np.asarray(points, float)), np.asarray(weights, float)
    points, weights = _merged(points[weights > 0] % 1.0, weights[weights > 0])
    if not len(points):
        return "no k-points"
    operations = _lattice_symmetry(tuple(np.asarray(cell, float).ravel().round(4)))
    for size, shift in _candidates(points, weights):
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


def _candidates(points: np.ndarray, weights: np.ndarray):
    """Sizes and shifts that have all points on them and whole numbers of points for all weights, small ones first."""
    numbers = np.arange(1, _MOST + 1)
    counts = numbers[:, None] * (weights / weights.sum())
    whole = (np.abs(counts - counts.round()) < 0.02).all(axis=1) & (counts > 0.9).all(axis=1)
    for total in numbers[whole]:
        for a in (d for d in range(1, total + 1) if total % d == 0):
            for b in (d for d in range(1, total // a + 1) if (total // a) % d == 0):
                size = (a, b, int(total // a // b))
                steps = points * size
                for shift in itertools.product((0.0, 0.5), repeat=3):
                    off = steps - shift
                    if (np.abs(off - off.round()) < 2e-3 * np.maximum(size, 1)).all():
                        yield size, shift


def _covers(size: tuple, shift: tuple, points: np.ndarray, operations: np.ndarray) -> bool:
    """Whether the orbits of the points under the lattice's symmetry contain the whole mesh."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    wanted = {tuple(row) for row in grid.reshape(-1, 3)}
    orbit = (points @ operations).reshape(-1, 3) * size - shift
    orbit = orbit[(np.abs(orbit - orbit.round()) < 2e-3 * np.maximum(size, 1)).all(axis=1)]
    return wanted <= {tuple(row) for row in orbit.round().astype(int) % size}


__all__ = ["sampling"]
