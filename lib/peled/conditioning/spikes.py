"""Cosmic rays: bright excursions of a few points that are in one spectrum only."""

from __future__ import annotations

import numpy as np

from peled.conditioning.noise import white_deviation
from peled.conditioning.signal import Leaning

STEP = 0.6  #: share of its height by which a spike rises or falls from one point to the next


def find_spikes(
    values: np.ndarray, *, threshold: float = 6.0, width: int = 3, keep: np.ndarray | None = None
) -> np.ndarray:
    """Points that a cosmic ray hit, (n, n_x) bool.

    A spike stands `threshold` standard deviations of the noise above the points `width` + 1 away
    on either side, rises or falls by 60 % of its height from one point to the next, which no line
    that the instrument resolves by three points does, and is in none of the neighbouring spectra
    at the same place (two before, two after), where a narrow line would be.

    Parameters
    ----------
    values : (n, n_x) array
    threshold : float
        At 6, a million points of white noise gave no false spike.
    width : int
        Longest spike, in points.
    keep : (n_x,) bool array, optional
        Where narrow lines are expected (a laser): nothing there is a spike.

    Returns
    -------
    bool array (n, n_x)
    """
    y = values if np.isfinite(values).all() else np.where(np.isfinite(values), values, -np.inf)
    sd = _deviation(y)
    spikes = np.zeros(y.shape, bool)
    reach = width + 1
    work, rows = y, np.arange(len(y))
    for _ in range(3):  # small spikes beside large ones show once those are gone
        part = work[rows]
        height = np.full(part.shape, -np.inf)
        with np.errstate(invalid="ignore"):
            around = np.maximum(part[:, : -2 * reach], part[:, 2 * reach :])
            np.subtract(part[:, reach:-reach], around, out=height[:, reach:-reach])
            # at the ends only one side has points
            height[:, :reach] = part[:, :reach] - part[:, reach : 2 * reach]
            height[:, -reach:] = part[:, -reach:] - part[:, -2 * reach : -reach]
        at, column = np.nonzero(height > threshold * sd[rows])
        if keep is not None:
            outside = ~keep[column]
            at, column = at[outside], column[outside]
        if not at.size:
            break
        hit = _runs(work, rows[at], column, height[at, column], sd, width)
        fresh = np.zeros(y.shape, bool)
        for row, low, high, tall in hit:
            if not _elsewhere(work, row, low, high, reach, max(4 * sd[row, low], 0.1 * tall)):
                fresh[row, low:high] = True
        fresh &= ~spikes
        rows = np.flatnonzero(fresh.any(axis=1))
        if not rows.size:
            break
        spikes |= fresh
        work, _ = replace_points(y, spikes)
    return spikes


def _deviation(y):
    """Noise of each point (n, n_x): that of its 32 points or of the 32 beside them, the larger."""
    block = white_deviation(np.where(np.isfinite(y), y, 0.0))
    wide = block.copy()
    np.maximum(wide[:, 1:], block[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], block[:, 1:], out=wide[:, :-1])
    return wide[:, np.minimum(np.arange(y.shape[1]) // 32, wide.shape[1] - 1)]


def _runs(y, row, column, height, sd, width):
    """Runs of candidates that rise or fall abruptly, with their less bright neighbours: (row,
    low, high, height).
    """
    begins = np.flatnonzero(np.diff(row, prepend=-1) | (np.diff(column, prepend=-9) != 1))
    out = []
    for first, last in zip(begins, [*begins[1:], len(row)]):
        i, low, high = row[first], column[first], column[last - 1] + 1
        tall = height[first:last].max()
        if high - low > width:
            continue
        line, noise = y[i, max(low - 1, 0) : high + 1], sd[i, low]
        if np.abs(np.diff(line)).max() < STEP * tall + 2 * noise:
            continue
        base = y[i, column[first:last]].max() - tall
        if low > 0 and y[i, low - 1] > base + 3 * noise:
            low -= 1
        if high < y.shape[1] and y[i, high] > base + 3 * noise:
            high += 1
        out.append((i, low, high, tall))
    return out


def _elsewhere(y, row, low, high, reach, least):
    """Whether a neighbouring spectrum has a narrow excess in the same place."""
    left, right = max(low - reach, 0), min(high + reach, y.shape[1])
    for other in (row - 2, row - 1, row + 1, row + 2):
        if 0 <= other < len(y):
            line = y[other, left:right]
            if line[low - left : high - left].max() - max(line[0], line[-1]) > least:
                return True
    return False


def replace_points(
    values: np.ndarray, bad: np.ndarray, order: int = 1
) -> tuple[np.ndarray, Leaning]:
    """A copy with bad points on a polynomial through the good ones beside them.

    Beyond the last good point, and where good points are too few, its value.

    Parameters
    ----------
    values : (n, n_x) array
    bad : (n, n_x) bool array
        Points to replace.
    order : {1, 3}
        A line between two neighbours, or a cubic through four.

    Returns
    -------
    array (n, n_x), Leaning
        A spectrum without a good point stays as it is.
    """
    out, made = values.copy(), []
    for row in np.flatnonzero(bad.any(axis=1)):
        good = np.flatnonzero(~bad[row] & np.isfinite(values[row]))
        if not good.size:
            continue
        points = np.flatnonzero(bad[row])
        size = order + 1 if good.size > order else 1
        first = np.searchsorted(good, points) - size // 2
        sources = good[np.clip(first, 0, good.size - size)[:, None] + np.arange(size)]
        shares = _through(points, sources)
        out[row, points] = (shares * values[row, sources]).sum(axis=1)
        pad = ((0, 0), (0, order + 1 - size))
        made.append((np.full(points.size, row), points,
                     np.pad(sources, pad), np.pad(shares, pad)))  # fmt: skip
    if not made:
        none = np.empty(0, int)
        return out, Leaning(none, none, np.empty((0, 1), int), np.empty((0, 1)))
    return out, Leaning(*map(np.concatenate, zip(*made)))


def _through(points, sources):
    """Shares (r, s) of sources in a polynomial through them at each point; at ends of the axis
    that of the nearest is one.
    """
    at = points[:, None] - sources
    shares = np.ones(sources.shape)
    for k in range(sources.shape[1]):
        for other in range(sources.shape[1]):
            if other != k:
                shares[:, k] *= at[:, other] / (sources[:, k] - sources[:, other])
    outside = (at > 0).all(axis=1) | (at < 0).all(axis=1)
    nearest = np.abs(at) == np.abs(at).min(axis=1, keepdims=True)
    shares[outside] = nearest[outside]
    return shares
