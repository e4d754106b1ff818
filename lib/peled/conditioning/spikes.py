"""Cosmic rays: bright excursions of a few points that are in one spectrum only."""

from __future__ import annotations

import numpy as np

from peled.conditioning.noise import white_deviation

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
        work = replace_points(y, spikes)
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


def replace_points(values: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """A copy with bad points on the straight line between the good ones beside them.

    Parameters
    ----------
    values : (n, n_x) array
    bad : (n, n_x) bool array
        Points to replace.

    Returns
    -------
    array (n, n_x)
        A spectrum without a good point stays as it is.
    """
    out = values.copy()
    index = np.arange(values.shape[1])
    for row in np.flatnonzero(bad.any(axis=1)):
        good = ~bad[row] & np.isfinite(values[row])
        if good.any():
            out[row, bad[row]] = np.interp(index[bad[row]], index[good], values[row, good])
    return out
