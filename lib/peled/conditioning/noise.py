"""The noise of a spectrum, from the spectrum itself: one estimate for every topic.

Where nothing but a straight line is left the scatter about it is the noise, correlation of
neighbouring pixels included; how it grows with the signal shows in third differences, which remove
anything that a parabola describes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.ndimage import convolve1d, uniform_filter1d
from scipy.optimize import nnls

LAGS = 30  #: longest correlation that is looked for, in points
LEAST_CORRELATION = (
    0.05  #: below it neighbours count as independent; a fitted line alone makes some -0.01
)
FEW = 0.25  #: share of blocks free of signal below which another line is tried
BELOW = 0.02  #: of the blocks may lie below that line: light only adds
LEAST_FREE = 20  #: points free of signal that a scatter is judged by


class Noise(NamedTuple):
    """Noise of n spectra: variance = read + gain * level + square * level², level above the
    baseline; correlation from lag 1 on, of the read noise, and of the rest too unless that is
    `white`.

    Photons make the gain; light that flickers, or pixels that differ, the square.
    """

    read: np.ndarray | float
    gain: np.ndarray | float
    correlation: np.ndarray = np.empty(0)
    white: bool = False
    square: np.ndarray | float = 0.0

    @property
    def lumping(self) -> float:
        """Variance of a mean over many points, relative to that of white noise: 1 + 2 sum of
        correlations.
        """
        return max(float(1 + 2 * self.correlation.sum()), 0.0)

    def variance(self, level: np.ndarray) -> np.ndarray:
        """Variance of spectra `level` (n, n_x), or of one (n_x,), smoothed over five points
        first.

        Parameters
        ----------
        level : (n, n_x) or (n_x,) array
            Above the baseline.

        Returns
        -------
        array
            In the shape and the squared unit of `level`.
        """
        parts = (self.read, self.gain, self.square)
        read, gain, square = (np.reshape(part, (-1, 1)[-level.ndim :]) for part in parts)
        if not (gain.any() or square.any()):
            return np.broadcast_to(read, level.shape)
        smooth = uniform_filter1d(level, 5, axis=-1, mode="nearest")
        np.maximum(smooth, 0.0, out=smooth)
        smooth *= gain + square * smooth
        smooth += read
        return smooth

    def independent(self, variance: np.ndarray) -> np.ndarray | None:
        """What neighbours do not share of `variance` (n, n_x); None: they share all of it alike.

        Parameters
        ----------
        variance : (n, n_x) array
            As `variance` gives it.

        Returns
        -------
        array (n, n_x) or None
            Not below zero.
        """
        if not (self.white and self.correlation.size):
            return None
        return np.maximum(variance - self.read[:, None], 0.0)


class Region(NamedTuple):
    """Where a spectrum is statistically nothing but a line: `free` (n, n_x), the line there, and
    its residual.

    `offset` (n,) holds at `centre` (n,), `slope` (n,) per unit of `t` (n_x,), which runs from -1
    to 1.
    """

    free: np.ndarray
    t: np.ndarray
    count: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    level: np.ndarray


#: Of white noise of deviation 1: median of its magnitude, and of that of its third differences.
MEDIAN = 0.6744897501960817
_THIRD = np.sqrt(20.0) * MEDIAN


def third_differences(values: np.ndarray) -> np.ndarray:
    """Third differences, scaled so that their median is the deviation of white noise on a smooth
    curve.

    Parameters
    ----------
    values : (..., n) array

    Returns
    -------
    (..., n − 3) array
        |y_i − 3 y_{i+1} + 3 y_{i+2} − y_{i+3}| / (0.6745 √20), in the unit of `values`.

    Notes
    -----
    Spikes, lines and edges bend few of them, and a band of 6 points or more adds less than 1 % of
    its height; correlated neighbours make them too small.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625

    Examples
    --------
    >>> y = np.linspace(0, 1, 4000) ** 2 + np.random.default_rng(0).normal(0, 0.1, 4000)
    >>> print(f"{np.median(third_differences(y)):.2f}")
    0.10
    """
    third = np.diff(values)
    third = third[..., 2:] - 2 * third[..., 1:-1] + third[..., :-2]
    np.abs(third, out=third)
    third /= _THIRD
    return third


#: Photoelectrons in the brightest point of a spectrum, beyond which its scatter is no detector's.
MOST_LIGHT = 1e9
WITHIN = 1 / 12  #: of a band's full width at half maximum, over which points may have been averaged
GROWN = 4.0  #: variance of points further apart over that of neighbours, where those were averaged
_SIXTH = 924.0  #: variance of sixth differences of white noise of variance 1


def scatter_length(band: np.ndarray) -> int:
    """How many points lie between those of a band that scatter as a detector's do.

    Sixth differences of noise alternate: their neighbours correlate by −6/7 and differ in sign in
    83 of 100 pairs; those of a smooth curve in few. Of points that were averaged with their
    neighbours those further apart alternate, or do so more. Scatter of more light than `MOST_LIGHT`
    is that of arithmetic, or of the digits that were written.

    Parameters
    ----------
    band : (n,) array
        Above about a tenth of its maximum; NaN where a point was not measured.

    Returns
    -------
    int
        1 where each point scatters, or where they are too few to tell; more where neighbours were
        averaged; 0 where none does.

    Examples
    --------
    >>> light = 900 * np.exp(-np.linspace(-2, 2, 80) ** 2)
    >>> seen = np.random.default_rng(0).poisson(light)
    >>> scatter_length(light), scatter_length(seen)
    (0, 1)
    """
    y = np.asarray(band, float)
    top = np.nanmax(y, initial=0.0)
    longest = WITHIN * np.count_nonzero(y > 0.5 * top)
    found, apart, near = 0, 1, np.inf
    while apart <= max(longest, 1):
        sixth = y
        for _ in range(6):
            sixth = sixth[apart:] - sixth[:-apart]
        if sixth.size < 12 + apart:
            return found or int(apart == 1)
        pairs = sixth[apart:] * sixth[:-apart]
        if not np.isfinite(pairs).any():
            return found or int(apart == 1)
        turning = np.count_nonzero(pairs < 0) / max(np.count_nonzero(np.abs(pairs) > 0), 1)
        variance = max(np.nanmean(sixth**2) / _SIXTH, 1e-300)
        if turning > 1 / 3 and np.nanmean(y) * top < MOST_LIGHT * variance:
            found = found or apart
        if found == 1 and turning > 0.6 and variance > GROWN * near:
            return apart
        apart, near = 2 * apart, min(near, variance)
    return found


BLOCK = 32  #: points that share one white deviation


def white_deviation(values: np.ndarray) -> np.ndarray:
    """Standard deviation (n, B) of white noise on smooth curves (n, n_x), of each `BLOCK` points.

    From the median of third differences, which bears spikes and lines; correlated neighbours make
    it too small.

    Parameters
    ----------
    values : (n, n_x) array
        Finite.

    Returns
    -------
    array (n, B)
        In the unit of `values`.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625
    """
    third = third_differences(values)
    blocks = max(third.shape[1] // BLOCK, 1)
    size = min(BLOCK, third.shape[1])
    part = third[:, : blocks * size].reshape(len(values), blocks, size)
    spread = np.partition(part, size // 2, axis=2)[:, :, size // 2]
    overall = np.median(spread, axis=1, keepdims=True)
    if (overall == 0).any():  # digitised: most neighbours are equal
        rms = MEDIAN * np.sqrt((part**2).mean(axis=(1, 2)))
        overall = np.where(overall == 0, rms[:, None], overall)
    return np.maximum(spread, 0.5 * overall)


def block_means(values: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (n, B) over about 64 blocks of points, the number of good points in each, and the
    blocks' starts.

    Parameters
    ----------
    values : (n, n_x) array
    good : (n, n_x) bool array
        Points that count.

    Returns
    -------
    array (n, B), int array (n, B), int array (B,)
        The mean is 0 where a block has no good point.
    """
    blocks = max(8, min(64, values.shape[1] // 3))
    starts = np.linspace(0, values.shape[1], blocks, endpoint=False).astype(int)
    if good.all():
        count = np.broadcast_to(np.diff(starts, append=values.shape[1]), (len(values), blocks))
        return np.add.reduceat(values, starts, axis=1) / count, count, starts
    count = np.add.reduceat(good, starts, axis=1, dtype=int)
    total = np.add.reduceat(np.where(good, values, 0.0), starts, axis=1)
    return total / np.maximum(count, 1), count, starts


def line_through(t, y, weight):
    """Weighted line through (n, B) points: centre, spread, offset at the centre, slope."""
    total = np.maximum(weight.sum(axis=1), 1e-300)
    centre = weight @ t / total
    spread = np.maximum(weight @ t**2 - total * centre**2, 1e-300)
    offset = (weight * y).sum(axis=1) / total
    slope = ((weight * y) @ t - total * centre * offset) / spread
    return centre, spread, offset, slope


def _around(kept, excess, strong):
    """Bands around the strongest excesses, widened by half of their own half widths, out of the
    kept blocks.
    """
    index, rows = np.arange(kept.shape[1]), np.arange(len(kept))
    calm = kept & np.roll(kept, 1, axis=1)
    calm[:, 0] = kept[:, 0]
    calm_right = kept & np.roll(kept, -1, axis=1)
    calm_right[:, -1] = kept[:, -1]
    left_of = np.maximum.accumulate(np.where(calm, index, -1), axis=1)
    right_of = np.minimum.accumulate(np.where(calm_right, index, kept.shape[1])[:, ::-1], axis=1)[
        :, ::-1
    ]
    out = kept.copy()
    out[:, 1:] &= kept[
        :, :-1
    ]  # every excess costs its neighbours: edges of bands lie between blocks
    out[:, :-1] &= kept[:, 1:]
    left_over = np.where(kept, -np.inf, excess)
    for _ in range(3):
        peak = left_over.argmax(axis=1)
        found = left_over[rows, peak] > strong
        if not found.any():
            break
        left, right = left_of[rows, peak], right_of[rows, peak]
        low = np.where(found, peak - np.ceil(1.5 * (peak - left)), 1)
        high = np.where(found, peak + np.ceil(1.5 * (right - peak)), 0)
        inside = (index >= low[:, None]) & (index <= high[:, None])
        out &= ~inside
        left_over[inside] = -np.inf
    return out


def free_blocks(t: np.ndarray, y: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Which of (n, B) block means are a line and its noise: the rest is signal.

    A line under the data (asymmetric least squares) starts a fit that drops, round by round, what
    stands more than three standard deviations off, singly or in threes. The deviation is that of
    the blocks themselves (lower quartile of second differences), so that correlated pixels do not
    make signals. Bands are widened by half of their half widths on each side: for a Gaussian that
    is seen to 3 sigma, to 4.5.

    Parameters
    ----------
    t : (B,) array
        Places of the blocks.
    y : (n, B) array
        Means of the blocks.
    count : (n, B) int array
        Good points in each.

    Returns
    -------
    bool array (n, B)
        True where there is no signal.
    """
    filled = count > 0
    second = np.sort(np.abs(np.diff(y, 2, axis=1)), axis=1)
    scatter = second[:, second.shape[1] // 4] / (0.3186394 * np.sqrt(6))
    weight = filled.astype(float)
    for _ in range(15):
        excess = _above(t, y, weight)
        weight = np.where(excess > 0, 0.02, 0.98) * filled
    free, _ = _settled(t, y, filled, _above(t, y, weight), scatter)
    poor = np.flatnonzero(free.sum(axis=1) < FEW * filled.sum(axis=1))
    if poor.size:
        y, filled, scatter = y[poor], filled[poor], scatter[poor]
        # What is constant scatters by its rounding.
        least = np.maximum(scatter, np.finfo(float).eps * np.abs(y).max(axis=1) + 1e-150)
        weight = filled.astype(float)
        for _ in range(15):
            excess = np.abs(_above(t, y, weight))
            weight = filled / np.maximum(excess, least[:, None])
        through, below = _settled(t, y, filled, np.abs(_above(t, y, weight)), scatter)
        more = (through.sum(axis=1) > free[poor].sum(axis=1)) & (below <= BELOW)
        free[poor[more]] = through[more]
    return free


def _above(t, y, weight):
    """What (n, B) points stand above the line that goes through them with their weights."""
    centre, _, offset, slope = line_through(t, y, weight)
    return y - offset[:, None] - slope[:, None] * (t - centre[:, None])


def _settled(t, y, filled, excess, scatter):
    """Blocks (n, B) on a line, from what they stand above a first one; the share below it."""
    kept = filled & (excess < 6 * scatter[:, None])
    for _ in range(12):
        excess = _above(t, y, kept.astype(float))
        rms = np.sqrt((excess**2 * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1))
        limit = 3 * np.maximum(scatter, np.minimum(rms, 2 * scatter))[:, None]
        threes = uniform_filter1d(excess, 3, axis=1, mode="nearest")
        fresh = filled & (np.abs(excess) < limit) & (threes < limit / np.sqrt(3))
        if (fresh == kept).all():
            break
        kept = fresh
    below = (filled & (excess < -limit)).sum(axis=1) / np.maximum(filled.sum(axis=1), 1)
    return filled & _around(kept, excess, 2 * limit[:, 0]), below


def free_region(axis: np.ndarray, values: np.ndarray, good: np.ndarray) -> Region:
    """Where the spectra (n, n_x) are free of signal, and the line through them there (see
    `free_blocks`).

    What is signal in the mean of a series is signal in each of its spectra.

    Parameters
    ----------
    axis : (n_x,) array
    values : (n, n_x) array
    good : (n, n_x) bool array
        Points that count.

    Returns
    -------
    Region
    """
    n, n_x = values.shape
    mean, count, starts = block_means(values, good)
    t = _scaled(axis)
    size = np.diff(starts, append=n_x)
    t_block = np.add.reduceat(t, starts) / size
    if n > 1:
        used = good.any(axis=1)
        mean = np.vstack([mean, mean[used].mean(axis=0) if used.any() else mean[0]])
        count = np.vstack([count, count[used].sum(axis=0) if used.any() else count[0]])
    blocks = free_blocks(t_block, mean, count)
    if n > 1:
        blocks = blocks[:-1] & blocks[-1]
    return stated_region(axis, values, np.repeat(blocks, size, axis=1) & good)


def stated_region(axis: np.ndarray, values: np.ndarray, free: np.ndarray) -> Region:
    """The region `free` (n, n_x) and the line through the spectra there.

    Parameters
    ----------
    axis : (n_x,) array
    values : (n, n_x) array
    free : (n, n_x) bool array
        Points taken for free of signal.

    Returns
    -------
    Region
    """
    t = _scaled(axis)
    weight = free.astype(float)
    centre, spread, offset, slope = line_through(t, np.where(free, values, 0.0), weight)
    level = values - (offset - slope * centre)[:, None]
    level -= slope[:, None] * t
    return Region(free, t, weight.sum(axis=1), centre, spread, offset, slope, level)


def _scaled(axis: np.ndarray) -> np.ndarray:
    low, high = axis.min(), axis.max()
    return (2 * axis - low - high) / (high - low)


def _lags(residual, free):
    """Autocorrelation at lags 1, 2, ... of a residual in the free region, from how many pairs."""
    square = float((residual**2).sum()) / max(np.count_nonzero(free), 1)
    for lag in range(1, LAGS + 1):
        pairs = np.count_nonzero(free[:, lag:] & free[:, :-lag])
        if pairs < LEAST_FREE or square == 0:
            break
        product = float(np.einsum("ij,ij->", residual[:, lag:], residual[:, :-lag]))
        yield product / square / pairs, pairs


def _correlation(residual, free):
    """Autocorrelation at lags 1, 2, ... of the residual in the free region, as far as it stands
    clear of nothing.
    """
    found = []
    for r, pairs in _lags(residual, free):
        if r < max(2.5 / np.sqrt(pairs), LEAST_CORRELATION):
            break
        found.append(r)
    return np.array(found)


NEAR = 4  #: points over which neighbours may be correlated by other than a 1/f noise
LONG = 1 / 128  #: of the axis: a correlation that is none of neighbours; 1/f noise has no length
SHOWN = 3.0  #: standard errors of its share, from which on 1/f noise is carried along
TURNS = 24  #: over the axis, up to which 1/f noise is held as curves; the rest as correlation
CELLS = 5e6  #: of curves by spectra and points, from which on fewer turns are held


@lru_cache(maxsize=8)
def _one_over_f(points: int, held: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of variance 1 whose power falls as 1/f from one turn over the axis on.

    Curves (2 `held`, n_x) of one standard deviation each, and the autocovariance (`LAGS` + 1,) of
    what is faster.
    """
    turns = np.arange(1, points // 2 + 1)
    share = 1 / turns / np.sum(1 / turns)
    angle = 2 * np.pi / points * turns[:held, None] * np.arange(points)
    curves = np.concatenate([np.cos(angle), np.sin(angle)])
    curves *= np.sqrt(np.tile(share[:held], 2))[:, None]
    fast = np.cos(2 * np.pi / points * np.outer(np.arange(LAGS + 1), turns[held:]))
    return curves, fast @ share[held:]


def slow_in(region: Region, noise: Noise) -> tuple[Noise, np.ndarray]:
    """1/f noise taken apart: what is fast, and curves (m, n, n_x) of one standard deviation each.

    Noise with a power of 1/f wanders under a band by more than the points beside it say, and takes
    with it the line that was fitted there: each of its slow curves is as it stands after that fit.
    Its share is fitted to the autocorrelation found, beyond the `NEAR` lags that smoothing by an
    instrument reaches, unless more of them stand out; below `SHOWN` standard errors there are no
    curves. They are as much larger as Student's factor for the waves that the share is known from.

    Parameters
    ----------
    region : Region
    noise : Noise
        Of it.

    Returns
    -------
    Noise, array (m, n, n_x)
        The same noise and m = 0 where there are no curves.
    """
    none = noise, np.empty((0, *region.level.shape))
    lags = list(_lags(np.where(region.free, region.level, 0.0), region.free))
    if len(lags) <= NEAR:
        return none
    seen, pairs = np.array(lags).T
    held = int(np.clip(CELLS / region.level.size, TURNS / 4, TURNS))
    curves, quick = _one_over_f(region.t.size, held)
    some = slice(None, None, max(len(region.level) // 5, 1))
    free = region.free[some]
    part = _after_line(curves, region, some) * free
    slow = float((part**2).sum()) / max(np.count_nonzero(free), 1)
    every = np.broadcast_to(free, part.shape).reshape(-1, region.t.size)
    said = np.array([r for r, _ in _lags(part.reshape(every.shape), every)])[: seen.size]
    said = (slow * said + quick[1 : seen.size + 1]) / (slow + quick[0])
    # Few neighbours that are alike may have been smoothed together.
    near = NEAR if noise.correlation.size < max(LONG * region.t.size, NEAR) else 0
    far, weight = said[near:], pairs[near:]
    known = (weight * far) @ far
    share = float((weight * far) @ seen[near:] / known)
    if near:  # alike neighbours make their correlation at other lags uncertain, too
        alike = np.concatenate([noise.correlation[::-1], [1.0], noise.correlation])
        known *= far @ far / (far @ convolve1d(far, np.convolve(alike, alike), mode="constant"))
    if not share * np.sqrt(known) > SHOWN:
        return none
    variance = share * noise.read / (slow + quick[0])
    read = max(1 - share, 0.0) * noise.read + variance * quick[0]
    correlation = quick[1:] * np.median(variance / read)
    # What grows with the light is no 1/f noise.
    grows = 1.0 if noise.white else _in_third(_of_third(noise.correlation))
    lagged = np.concatenate([far[::-1], np.zeros(2 * near + 1), far])
    waves = part[:, 0] @ convolve1d(part[:, 0], lagged, mode="constant").T
    waves = len(region.level) * np.trace(waves) ** 2 / np.sum(waves**2)
    wider = special.stdtrit(max(waves, 1.0), 0.975) / special.ndtri(0.975)
    moved = _after_line(curves, region, slice(None))
    fast = Noise(read, grows * noise.gain, correlation, True, grows * noise.square)
    return fast, wider * np.sqrt(variance)[:, None] * moved


def _after_line(curves, region, rows):
    """Curves (m, n_x) as they stand in some spectra after the fit of their lines (m, rows, n_x)."""
    free, centre = region.free[rows], region.centre[rows]
    centred = region.t - centre[:, None]
    offset = free @ curves.T / np.maximum(region.count[rows], 1)[:, None]
    slope = (free * centred) @ curves.T / region.spread[rows, None]
    return curves[:, None] - offset.T[:, :, None] - slope.T[:, :, None] * centred


def noise_in(region: Region, good: np.ndarray | None = None) -> Noise:
    """The noise of spectra whose signal-free region is known.

    Parameters
    ----------
    region : Region
        Spectra with fewer than `LEAST_FREE` free points have the noise of their third differences.
    good : (n, n_x) bool array, optional
        Points as measured: what was made of its neighbours scatters less than they. All by default.

    Returns
    -------
    Noise
        `read` and `gain` (n,).
    """
    level, free = region.level, region.free
    enough = region.count >= LEAST_FREE
    white = np.median(white_deviation(np.where(np.isfinite(level), level, 0.0)), axis=1) ** 2
    residual = np.where(free, level, 0.0)
    read = np.where(
        enough, np.einsum("ij,ij->i", residual, residual) / np.maximum(region.count - 2, 1), white
    )
    sample = slice(None) if len(level) <= 200 else slice(None, None, len(level) // 100)
    correlation = _correlation(residual[sample], free[sample] & enough[sample, None])
    filled = np.where(np.isfinite(level), level, 0.0)
    good = np.isfinite(level) if good is None else good & np.isfinite(level)
    use = good[:, :-3] & good[:, 1:-2] & good[:, 2:-1] & good[:, 3:]
    third = np.where(use, np.diff(filled, 3, axis=1), 0.0)
    # What wanders where there is no signal is no level that the variance could grow with.
    height = np.where(use & ~free[:, 1:-2], np.maximum(filled[:, 1:-2], 0.0), 0.0)
    like = _of_third(correlation)
    white = bool(correlation.size) and _grows_white(third, height, read, like)
    share = _in_third(like)
    v, *_ = block_means(third**2 / 20.0, use)
    powers = [block_means(height**power, use)[0] for power in (1, 2)]
    far = np.maximum(np.roll(v, 2, axis=1), np.roll(v, -2, axis=1))
    v = np.where(v > 8 * far, far, v)  # a spike or a line sits in one block or two
    gain, square = _growth(*powers, v, share * read)
    seen = 1.0 if white else share
    return Noise(read, gain / seen, correlation, white, square / seen)


THIRD = np.array([-1.0, 6.0, -15.0, 20.0, -15.0, 6.0, -1.0])  #: autocovariance of third differences


def _of_third(correlation) -> np.ndarray:
    """Autocovariance (8,) of third differences of noise of variance 1 at lags 0 to 7."""
    r = np.concatenate([correlation, np.zeros(LAGS)])[:LAGS]
    around = np.concatenate([r[::-1], [1.0], r])
    return np.convolve(THIRD, around)[LAGS + 3 :][:8]


def _in_third(like) -> float:
    """Share of correlated noise that is in third differences, of their autocovariance `like`."""
    return max(float(like[0]) / 20.0, 0.02)


def _grows_white(third, height, read, like) -> bool:
    """Whether what grows with the level is independent from point to point though the rest is not.

    The autocovariance of third differences under signal, less that of the read noise, lies nearer
    to that of white noise than to `like`.
    """
    weight = height / np.maximum(height.max(axis=1, keepdims=True), 1e-300)
    size = third.shape[1]
    found = np.array([
        np.sum(weight[:, : size - lag] * (
            third[:, : size - lag] * third[:, lag:] - like[lag] * read[:, None]
        ))
        for lag in range(8)
    ])  # fmt: skip
    white = _of_third(np.empty(0))
    return bool(found @ white / np.linalg.norm(white) > found @ like / np.linalg.norm(like))


def _growth(height, squares, v, read):
    """Growth of the variance with the signal and with its square, (n,) each, none negative.

    The course of the growth is that of all spectra together, how much of it there is that of each.
    """
    unit = max(height.max(), 1e-300)
    shapes = np.array([height, squares / unit])
    least = _some(read, v)
    parts = np.array([1.0, 0.0])
    gain = _gain(height, v, read)
    for _ in range(4):
        grown = np.tensordot(parts, shapes, 1)
        weighted = (shapes * (least + gain[:, None] * grown) ** -2.0).reshape(2, -1)
        rise = weighted @ (v - least).ravel()
        found = nnls(weighted @ shapes.reshape(2, -1).T, rise)[0]
        if not found.any():
            break
        before, parts = parts, found / found.sum()
        gain = _gain(np.tensordot(parts, shapes, 1), v, read)
        if abs(parts[0] - before[0]) < 0.01:
            break
    return gain * parts[0], gain * parts[1] / unit


def _some(read, v):
    """Variances (n, 1) of the read noise by whose squares weights can be divided: none is 0."""
    return np.maximum(read, 1e-30 * v.max(initial=0.0) + 1e-130)[:, None]


def _gain(height, v, read):
    """Growth of the variance with the signal, not negative: weighted least squares over blocks
    of points.
    """
    gain = np.zeros(len(v))
    read = _some(read, v)
    for _ in range(4):
        weight = (read + gain[:, None] * height) ** -2.0
        top, below = (weight * height * (v - read)).sum(axis=1), (weight * height**2).sum(axis=1)
        found = top / np.maximum(below, 1e-300)
        gain = np.maximum(found, 0.0)
    # A block's variance is known to about a half; below three standard errors a spectrum shows no
    # growth of its own. It then has that of its series, as far as two standard errors allow; of a
    # series that shows none, the mean of what all its blocks allow.
    if not below.any():  # nothing stands above the lines: no growth is seen, and none matters
        return gain
    root = np.sqrt(np.maximum(below, 1e-300))
    shown = gain * root > 1.5
    if shown.any():
        return np.where(shown, gain, np.minimum(np.median(gain[shown]), gain + 1 / root))
    sd = 0.5 / np.sqrt(np.maximum(below.sum(), 1e-300))
    mean = top.sum() / np.maximum(below.sum(), 1e-300)
    hazard = np.sqrt(2 / np.pi) / special.erfcx(-mean / sd / np.sqrt(2))
    return np.full(len(v), mean + sd * hazard)


def estimate_noise(values: np.ndarray, axis: np.ndarray | None = None) -> Noise:
    """Noise of spectra from the spectra themselves.

    Parameters
    ----------
    values : (n_x,) or (n, n_x) array, n_x >= 32
        Detector counts or any unit that is linear in them.
    axis : (n_x,) array, optional
        The point numbers without it.

    Returns
    -------
    Noise
        `read` and `gain` of each spectrum and the correlation of neighbouring points they share.
        The variance under a signal S above the baseline is read + gain S (shot noise: gain =
        counts per photoelectron).

    Raises
    ------
    ValueError
        If the spectra have fewer than 32 points.

    Notes
    -----
    The read noise is the scatter about a line where there is no signal; spectra that leave fewer
    than 20 such points (an absorption spectrum) have it from the median of third differences,
    which takes correlated noise for less.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.arange(1000.0)
    >>> band = 4000 * np.exp(-0.5 * ((x - 600) / 40) ** 2)
    >>> noise = estimate_noise(rng.normal(band, np.sqrt(25 + 0.5 * band)))
    >>> bool(abs(noise.read[0] - 25) < 4), bool(abs(noise.gain[0] - 0.5) < 0.2)
    (True, True)
    """
    table = np.atleast_2d(np.asarray(values, float))
    if table.shape[1] < 32:
        raise ValueError(f"noise: expected at least 32 points, found {table.shape[1]}")
    axis = np.arange(table.shape[1], dtype=float) if axis is None else np.asarray(axis, float)
    good = np.isfinite(table)
    return noise_in(free_region(axis, table, good), good)


def detector_noise(*bands: np.ndarray, read: float | None = None) -> Noise:
    """Read noise and gain that all spectra of one detector share, from bands with no free region.

    Third differences of white noise have 20 times its variance, d²/20 = read + gain × level:
    weighted least squares, the weights from the round before (those of the scattered squares
    would favour small ones), as far as each makes the squares likelier, neither part negative.

    Parameters
    ----------
    *bands : (n,) arrays, n >= 12 each
        Counts, smooth on the scale of their points.
    read : float, optional
        Variance of the read noise, where it is known.

    Returns
    -------
    Noise
        `read` and `gain` are single numbers.

    Raises
    ------
    ValueError
        If a band has fewer than 12 points.

    References
    ----------
    .. [1] J. R. Janesick, Photon Transfer (2007), doi:10.1117/3.725073
    .. [2] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625

    Examples
    --------
    >>> rng, x = np.random.default_rng(1), np.arange(2000.0)
    >>> level = 50 + 4000 * np.exp(-0.5 * ((x - 1000) / 180) ** 2)
    >>> noise = detector_noise(rng.normal(level, np.sqrt(25 + 2.5 * level)))
    >>> bool(abs(noise.gain - 2.5) < 0.3)
    True
    """
    if any(len(y) < 12 for y in bands):
        raise ValueError(f"noise: expected at least 12 points, found {min(map(len, bands))}")
    bands = [np.asarray(y, float) for y in bands]
    square = np.concatenate([np.diff(y, 3) ** 2 / 20 for y in bands])
    level = np.concatenate([np.maximum((y[1:-2] + y[2:-1]) / 2, 0) for y in bands])
    top = max(level.max(), 1e-300)
    basis = np.column_stack([np.ones_like(level), level / top])
    held = np.zeros(2) if read is None else np.array([read, 0.0])
    free = basis[:, 0 if read is None else 1 :]
    least = 1e-6 * square.mean() + 1e-300

    def unlikely(at):
        mean = np.maximum(basis @ at, least)
        return np.sum(square / mean + np.log(mean))

    found = np.array([square.mean() if read is None else read, 0.0])
    now = unlikely(found)
    for _ in range(20):
        weight = 1 / np.maximum(basis @ found, least)
        part = nnls(free * weight[:, None], (square - held[0]) * weight)[0]
        step = held + np.concatenate([np.zeros(2 - part.size), part]) - found
        # A whole step may pass the likeliest by far, and the next one go back.
        tries = ((share, unlikely(found + share * step)) for share in 0.5 ** np.arange(12))
        share, then = next((one for one in tries if one[1] < now), (0.0, now))
        found, gained, now = found + share * step, now - then, then
        if gained < 1e-6:
            break
    return Noise(float(found[0]), float(found[1] / top))
