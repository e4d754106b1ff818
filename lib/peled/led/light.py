"""The light of a sweep: its offset and noise from the points below turn-on, and where it is above
both.

A detector reads offset + light + noise. Below turn-on there is no light, so the readings there give
the offset (their mean) and the noise (their scatter) of that very sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from peled.conditioning.noise import third_differences
from peled.quantities import threshold

FEWEST = 5  #: points below turn-on that an offset is judged by
RISING = 7  #: readings that rise one after the other are light: noise does in 1 of 7! sweeps


@dataclass(frozen=True)
class Light:
    """One channel of light along a sweep.

    Attributes
    ----------
    values : (n,) array
        Less the offset, in the unit of the channel; NaN where there was no reading.
    noise : float
        Standard deviation of one reading in the dark.
    relative : float
        Scatter of light over current from point to point, relative, where there is light.
    offset, offset_error : float
    dark, lit : (n,) bool array
        Points below turn-on; points above noise and offset at a false-alarm rate of 0.001 a sweep.
    """

    values: np.ndarray = field(repr=False)
    noise: float
    relative: float
    offset: float
    offset_error: float
    dark: np.ndarray = field(repr=False)
    lit: np.ndarray = field(repr=False)

    def error(self) -> np.ndarray:
        """Standard error of each reading by noise and scatter, (n,); the offset's is shared."""
        return np.hypot(self.noise, self.relative * np.abs(self.values))


def find_light(voltage_V, current, readings, usable) -> Light:
    """Offset, noise and lit points of a sweep.

    From low bias on, points count as dark until three in a row stand above them. Without five such
    points (a sweep that begins above turn-on) the offset is not known: it is taken as 0 with an
    error as large as the smallest reading, which it cannot exceed.

    Parameters
    ----------
    voltage_V, current, readings : (n,) arrays
    usable : (n,) bool array
        Not in compliance, current forward.

    Returns
    -------
    Light
    """
    y = np.asarray(readings, float)
    order = np.argsort(voltage_V, kind="stable")
    order = order[np.isfinite(y[order])]
    stop = _onset(y[order])
    dark = np.zeros(y.size, bool)
    dark[order[:stop]] = True
    if stop:
        offset, offset_error, noise = _offset(y[order], stop)
        needed = threshold(y.size, stop - 1)
    else:
        least = float(np.nanmin(np.abs(y), initial=np.inf))
        offset, offset_error, needed = 0.0, least / np.sqrt(3), threshold(y.size)
        noise = offset_error
    values = y - offset
    with np.errstate(invalid="ignore"):
        above = values > needed * np.hypot(noise, offset_error)
    above &= ~dark & usable
    lit = above & _from_run(above, order)
    relative = _scatter(np.asarray(voltage_V)[lit], values[lit] / np.asarray(current)[lit])
    return Light(values, noise, relative, offset, offset_error, dark, lit)


def _offset(y: np.ndarray, stop: int) -> tuple[float, float, float]:
    """Offset of the readings, its error, and the noise, from the first `stop` of them.

    Where they drift, by more than chance would, the offset is that at their end, and may go on
    drifting over the rest of the sweep: a uniform spread to either side.
    """
    at, seen = np.arange(stop) - (stop - 1) / 2, y[:stop]
    slope = float(at @ seen / (at @ at))
    noise = max(float((seen - slope * at).std(ddof=2)), _digit(seen))
    if abs(slope) < threshold(1, stop - 2, 0.02) * noise / np.sqrt(at @ at):
        noise = max(float(seen.std(ddof=1)), _digit(seen))
        return float(seen.mean()), noise / float(np.sqrt(stop)), noise
    error = noise * np.sqrt(1 / stop + at[-1] ** 2 / (at @ at))
    further = slope * (y.size - stop) / 2 / np.sqrt(3)
    return float(seen.mean() + slope * at[-1]), float(np.hypot(error, further)), noise


def _onset(y: np.ndarray) -> int:
    """How many of the readings, from low bias on, are dark; 0 where fewer than `FEWEST`."""
    if y.size < FEWEST:
        return 0
    start = y[:RISING]
    if (np.diff(start) > 0).all() and start[-1] - start[0] > 0.5 * np.abs(start).max():
        return 0  # rises from the first point on
    for i in range(FEWEST, y.size):
        spread = max(y[:i].std(ddof=1), _digit(y[:i]))
        if (y[i : i + 3] > y[:i].mean() + threshold(1, i - 1, 0.02) * spread).all():
            # the last dark points hold the first light: an eighth of them is left out
            return max(i - i // 8, FEWEST)
    return y.size


def _digit(y: np.ndarray) -> float:
    """Resolution of readings that stand still: half of the smallest step between them."""
    steps = np.abs(np.diff(np.unique(y)))
    return float(steps.min()) / 2 if steps.size else np.spacing(np.abs(y).max() + 1e-12)


def _from_run(above: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Points from the first three in a row on: single excesses below are noise."""
    run = above[order]
    start = np.flatnonzero(run[:-2] & run[1:-1] & run[2:])
    out = np.zeros(above.size, bool)
    if start.size:
        out[order[start[0] :]] = True
    return out


def _scatter(voltage: np.ndarray, ratio: np.ndarray) -> float:
    """Relative scatter of light over current, from third differences of its logarithm."""
    if ratio.size < 6:
        return 0.0
    return float(np.median(third_differences(np.log(ratio[np.argsort(voltage)]))))
