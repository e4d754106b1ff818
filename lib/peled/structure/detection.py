"""Is there a line, or an edge, at all: matched filters against the noise of that very file.

A pattern, a photoelectron region and an infrared spectrum hold lines on a slow background that has
no formula. The filter of a line is therefore a window less the mean of its two neighbours, which a
straight background does not pass; the filter of an edge is one window less the next. Both are
divided by their own standard error, and what remains of the file's noise beyond that (correlated
points, wrong counting errors) is taken from the scatter of the filtered file itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from peled.conditioning.noise import third_differences
from peled.quantities import FALSE_ALARM, threshold, times

#: Widths tried, in points, from narrow to broad; windows wider than an eighth of the file would
#: take its background for a line.
_WIDTHS = (3, 5, 7, 11, 15, 23, 33, 47, 65, 93, 131)


class Feature(NamedTuple):
    """A line or edge: position in the unit of the axis, width (points), height over its standard
    error."""

    position: float
    width: int
    significance: float


class Found(NamedTuple):
    """Lines or edges above `threshold`, strongest first; `best` is the strongest of all, there or
    not."""

    features: tuple[Feature, ...]
    best: Feature
    threshold: float

    def sentence(self, what: str) -> str:
        """The strongest one in numbers, for a reason why there is nothing.

        Parameters
        ----------
        what : str
            Name of what was sought: "line", "edge".

        Returns
        -------
        str
        """
        return (
            f"no {what} above the noise of this file: the strongest is "
            f"{times(self.best.significance)} its error, at {self.best.position:.5g}; "
            f"noise alone passes {self.threshold:.1f} in {FALSE_ALARM:.2g} of such files"
        )

    def near(self, position: float, distance: float) -> bool:
        """Whether one of the lines lies there.

        Parameters
        ----------
        position, distance : float
            Place and largest distance from it, in the unit of the axis.

        Returns
        -------
        bool
        """
        return any(abs(f.position - position) <= distance for f in self.features)


def find_lines(
    x,
    y,
    sigma=None,
    *,
    least: int = 3,
    dof: float | None = None,
) -> Found:
    """Lines that rise out of a slow background.

    Parameters
    ----------
    x, y : (n,) arrays
        x in order, about evenly spaced.
    sigma : (n,) array or float, optional
        Standard errors; by default from third differences, one for all points.
    least : int
        Points of the narrowest line.
    dof : float, optional
        Degrees of freedom of each of `sigma`, where it was estimated from few points.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        For fewer than 24 points.
    """
    return _search(x, y, sigma, _line, least, dof)


def find_edges(x, y, sigma=None, *, falling: bool = False):
    """Edges, rising or falling with x; as `find_lines`.

    Parameters
    ----------
    x, y : array, shape (n,)
    sigma : array, shape (n,), or float, optional
        Standard errors; by default from third differences, one for all points.
    falling : bool

    Returns
    -------
    Found
    """
    edge = (lambda y, v, w: _edge(-y, v, w)) if falling else _edge
    return _search(x, y, sigma, edge, 5)


def _search(x, y, sigma, filter_, least, dof=None) -> Found:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(y) < 24:
        raise ValueError(f"expected at least 24 points, found {len(y)}")
    sigma = np.median(third_differences(y)) if sigma is None else sigma
    variance = np.broadcast_to(np.asarray(sigma, float) ** 2, y.shape)
    widths = [w for w in _WIDTHS if least <= w <= max(len(y) // 8, least)]
    rows = [filter_(y, variance, w) for w in widths]
    tries = sum(int(np.isfinite(row).sum()) for row in rows)
    needed = threshold(tries, dof, false_alarm=FALSE_ALARM)
    scores = np.full((len(rows), len(y)), -np.inf)
    spread = 1.0
    for row, score in zip(rows, scores, strict=True):
        there = np.isfinite(row)
        if there.sum() > 40:
            # Below the median there are no lines: the lower half tells the noise of this filter.
            # Correlated noise grows with the width, and broad windows are too few to say by how
            # much: they have at least the spread of the narrower ones.
            level = min(np.median(row[there]), 0.0)
            spread = max(spread, float(level - np.percentile(row[there], 16)))
        score[there] = row[there] / spread
    best = scores.argmax(axis=0)
    height = scores[best, np.arange(len(y))]
    found, free, reach = [], np.isfinite(height), np.array(widths)[best]
    top = int(np.argmax(height))
    strongest = Feature(float(x[top]), widths[best[top]], float(height[top]))
    while free.any():
        i = int(np.argmax(np.where(free, height, -np.inf)))
        if not height[i] > needed:
            break
        w = widths[best[i]]
        found.append(Feature(float(x[i]), w, float(height[i])))
        # A broad window beside a strong line still sees it with its edge.
        free &= np.abs(np.arange(len(y)) - i) > 0.75 * (w + reach)
    return Found(tuple(found), strongest, needed)


def _means(y, variance, w):
    """Means of all windows of w points and their variances."""
    total = np.concatenate([[0.0], np.cumsum(y)])
    square = np.concatenate([[0.0], np.cumsum(variance)])
    return (total[w:] - total[:-w]) / w, (square[w:] - square[:-w]) / w**2


def _line(y, variance, w):
    mean, var = _means(y, variance, w)
    out = np.full(len(y), np.nan)
    net = mean[w:-w] - 0.5 * (mean[: -2 * w] + mean[2 * w :])
    error = np.sqrt(var[w:-w] + 0.25 * (var[: -2 * w] + var[2 * w :]))
    start = w + w // 2
    out[start : start + len(net)] = net / np.maximum(error, 1e-300)
    return out


def _edge(y, variance, w):
    mean, var = _means(y, variance, w)
    out = np.full(len(y), np.nan)
    net = mean[w:] - mean[:-w]
    out[w : w + len(net)] = net / np.maximum(np.sqrt(var[w:] + var[:-w]), 1e-300)
    return out
