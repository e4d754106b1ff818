"""Whether a line is there: a matched filter against the noise of that very spectrum.

Each place is compared with line shapes of several widths, each less a straight line under it. The
noise of such a comparison follows from the noise of the spectrum (`Processed.covariance_of`); where
the spectrum scatters by more than that, by its own scatter. The largest of many comparisons is
large by itself, and a phase that was sought in the noise makes it larger: both enter the level.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.signal import find_peaks, oaconvolve

from peled.nmr.lines import Line, shape_columns
from peled.nmr.processing import Processed
from peled.quantities import FALSE_ALARM, threshold, times

#: Noise in which the phase was sought too (no lines agree on one), positive at its largest, is
#: distributed as its magnitude, exp(-u²/2): about u √(2π) times as often above u as one component.
PHASE_TRIES = 12.0

#: A Gaussian process comes above a level u as often as u √(2π) independent values for each of its
#: crossings of zero; 12 for u near 4.8.
CROSSING_TRIES = 12.0

#: A maximum may be several lines within this many of the widths that see half of it or more.
SPLIT = 3.0

#: Below this share of a line nearby, a maximum may be that line's truncation or phase error.
DYNAMIC_RANGE = 0.02


@dataclass(frozen=True)
class Matched:
    """Matched filter of a window: at each point the largest ratio to its noise over all widths.

    Attributes
    ----------
    by_width : ndarray, shape (widths, points)
        Ratio to its noise of shapes of each of `widths_Hz`.
    ppm, ratio, width_Hz : ndarray, shape (points,)
    needed : float
        What the largest `ratio` of noise alone exceeds with the chance `false_alarm`.
    tries : int
        Independent comparisons that this level allows for.
    """

    ppm: np.ndarray = field(repr=False)
    reference_MHz: float
    by_width: np.ndarray = field(repr=False)
    widths_Hz: np.ndarray = field(repr=False)
    ratio: np.ndarray = field(repr=False)
    width_Hz: np.ndarray = field(repr=False)
    needed: float
    tries: int
    false_alarm: float

    @property
    def best(self) -> int:
        """Index of the largest ratio."""
        return int(np.argmax(self.ratio))

    @property
    def there(self) -> bool:
        """Whether anything stands out."""
        return bool(self.ratio[self.best] > self.needed)

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the maxima that stand out, by shift, and the width (Hz) that suits each.

        A maximum is several lines where narrower shapes find several there and explain more by
        them together, Σu² of theirs above u² of the one.
        """
        chosen = dict(zip(*self._maxima(self.ratio), strict=True))
        step = abs(self.ppm[1] - self.ppm[0])
        finer = [self._maxima(ratio) for ratio in self.by_width]
        for i in list(chosen):
            seen = self.widths_Hz[self.by_width[:, i] > self.ratio[i] / 2].max()
            reach = SPLIT * seen / self.reference_MHz / step
            best = chosen[i] ** 2
            for (index, height), width in zip(finer, self.widths_Hz, strict=True):
                near = np.abs(index - i) <= reach
                sure = (height[near] ** 2).sum()
                if width <= self.width_Hz[i] and near.sum() > 1 and sure > best:
                    best, parts = sure, {int(k): width for k in index[near]}
                    chosen[i] = parts
        out: dict[int, float] = {}
        for i, found in chosen.items():
            out |= found if isinstance(found, dict) else {int(i): float(self.width_Hz[i])}
        index = np.array(sorted(out), int)
        return index, np.array([out[i] for i in index])

    def _maxima(self, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        reach = max(len(ratio) // 50, 5)
        index, found = find_peaks(ratio, height=self.needed, prominence=self.needed / 2)
        near = [ratio[max(i - reach, 0) : i + reach].max() for i in index]
        kept = found["prominences"] > DYNAMIC_RANGE * np.array(near)
        return index[kept], ratio[index[kept]]

    def __str__(self) -> str:
        return (
            f"largest signal at {self.ppm[self.best]:.2f} ppm, {times(self.ratio[self.best])} "
            f"its noise; noise alone passes {self.needed:.2g} with a chance of "
            f"{self.false_alarm:.2g} over {self.tries} places"
        )


def matched_filter(
    processed: Processed,
    window_ppm: tuple[float, float] | None = None,
    *,
    false_alarm: float = FALSE_ALARM,
) -> Matched:
    """Look for lines of any width from a point to a hundredth of the sweep.

    Parameters
    ----------
    processed : Processed
    window_ppm : (low, high), optional
        The whole spectrum otherwise.
    false_alarm : float
        Chance that noise alone makes a line anywhere in the window.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        If the window holds fewer than eight points.

    Notes
    -----
    u = t·y / √(tᵀCt) [1]_, t the line shape less its straight line over ±4 widths. The level
    counts, for each width, the crossings of a Gaussian process, N₀ = M √(2 (1 - ρ₁)) / 2π [2]_,
    ρ₁ the correlation of u at neighbouring points.

    References
    ----------
    .. [1] G. L. Turin, IRE Trans. Inf. Theory 6, 311 (1960), doi:10.1109/TIT.1960.1057571
    .. [2] S. O. Rice, Bell Syst. Tech. J. 23, 282 (1944), doi:10.1002/j.1538-7305.1944.tb00874.x
    """
    part = processed.window(*window_ppm) if window_ppm else slice(0, len(processed.ppm))
    step = processed.hz_per_point
    widths_Hz = _widths(step, max(step * 8, processed.spectral_width_Hz / 100))
    rows, widths, tries = [], [], 0.0
    square = local_level(processed) ** 2
    for width, template, sd, crossings in _templates(processed, widths_Hz, part.stop - part.start):
        answer = oaconvolve(processed.real, template[::-1], mode="same")[part]
        weight = template**2 / (template @ template)
        answer /= np.sqrt(np.maximum(oaconvolve(square, weight, mode="same")[part], 1.0))
        low, middle = np.quantile(answer, [0.159, 0.5])
        rows.append(answer / max(sd, min(middle - low, 3 * sd)))
        widths.append(width)
        tries += crossings
    rows, widths = np.array(rows), np.array(widths)
    best = rows.argmax(axis=0)
    ratio = np.take_along_axis(rows, best[None], axis=0)[0]
    tries = _all_tries(processed, tries)
    needed = threshold(tries, false_alarm=false_alarm)
    ppm, mhz = processed.ppm[part], processed.reference_MHz
    return Matched(ppm, mhz, rows, widths, ratio, widths[best], needed, tries, false_alarm)


#: Level of the noise: half width of what tells it around a place, as a share of its distance from
#: the receiver's frequency, in independent points at least, as a share of the sweep at most.
NEAR, FEWEST, WIDEST = 0.5, 24, 1 / 32


def local_level(processed: Processed, *, raised: bool = True) -> np.ndarray:
    """Noise around each point over that of the quiet stretches.

    Noise of a receiver is not white: it grows as 1/f towards zero frequency, with a filter, at a
    neighbour's pick-up. Third differences of points far enough apart to be independent hold no
    baseline and little of lines; where lines are crowded their lower quartile counts. It is read in
    windows that narrow towards the receiver's frequency, and continued to it by a power law.

    Parameters
    ----------
    processed : Processed
    raised : bool
        At least 1, and as Student's t wants for a threshold from so few points; without it the
        level itself, the same on both sides of the receiver's frequency.

    Returns
    -------
    ndarray, shape of the spectrum
    """
    y, size = processed.real, len(processed.ppm)
    lags = processed.autocovariance.real / processed.autocovariance[0].real
    alike = np.flatnonzero(np.abs(lags) > 0.2)
    apart = int(alike[-1]) + 1 if len(alike) else 1
    apart = min(apart, max(size // (16 * FEWEST), 1))
    c = np.concatenate([lags, np.zeros(3 * apart + 1)])[[0, apart, 2 * apart, 3 * apart]]
    sd = processed.noise_sd * np.sqrt(max(c @ [20, -30, 12, -2], 1e-3))
    third = np.zeros(size)
    inner = y[: size - 3 * apart] - 3 * y[apart : size - 2 * apart]
    inner += 3 * y[2 * apart : size - apart] - y[3 * apart :]
    third = np.pad(np.abs(inner) / sd, (3 * apart // 2, 3 * apart - 3 * apart // 2), mode="edge")
    middle, least = size // 2, FEWEST * apart // 2
    # Places double in distance near the receiver's frequency, then keep their distance.
    away = [0]
    while away[-1] < middle:
        away.append(away[-1] + int(np.clip(NEAR * away[-1] / 2, least / 2, WIDEST * size / 2)))
    both = middle + np.outer([-1, 1], away).ravel()
    places = np.unique(np.clip(both, 0, size - 1))
    half = np.clip(NEAR * np.abs(places - middle), least, WIDEST * size).astype(int)
    level, count = np.empty(len(places)), np.empty(len(places))
    for k, (at, reach) in enumerate(zip(places, half, strict=True)):
        some = third[max(at - reach, 0) : at + reach + 1]
        level[k], count[k] = np.quantile(some, 0.25) / 0.3186, len(some) / apart / 3
    needed = threshold(size // apart)
    if not raised:
        level = np.sqrt(level * np.interp(size - places, places, level))
        level = np.convolve(np.pad(level, 2, mode="edge"), np.full(5, 0.2), "valid")
        return np.maximum(np.interp(np.arange(size), places, level), 0.5)
    level *= np.array([threshold(size // apart, dof=n) for n in count]) / needed
    # The innermost window is told by its outer points: within it the same rise once more.
    centre = np.searchsorted(places, middle)
    beside = level[[max(centre - 4, 0), min(centre + 4, len(places) - 1)]].mean()
    level[centre] *= np.clip(level[centre] / beside, 1.0, 10.0)
    return np.maximum(np.interp(np.arange(size), places, level), 1.0)


def _templates(processed: Processed, widths_Hz, count: int):
    """Of each width: it, its template, the noise of the answer, comparisons in `count` points."""
    for width in widths_Hz:
        template = _template(processed, width)
        sd, crossings = _noise(processed, template, count)
        yield width, template, sd, min(count, crossings)


def _all_tries(processed: Processed, tries: float) -> int:
    """With those of a phase that was sought in the noise too."""
    sought = not (processed.phase.accepted and processed.phase.lines) and processed.points
    return max(int((PHASE_TRIES if sought else 1.0) * tries), 1)


def _widths(low: float, high: float) -> np.ndarray:
    """Full widths at half maximum, doubled from one to the next, beyond the window function's."""
    return np.geomspace(low, high, max(round(np.log2(high / low)), 1) + 1)


def _template(processed: Processed, width_Hz: float) -> np.ndarray:
    """A line of unit height in an odd count of points, less the straight line under it."""
    full = width_Hz + processed.line_broadening_Hz
    half = int(np.clip(4 * full / processed.hz_per_point, 4, len(processed.ppm) // 8))
    middle = len(processed.ppm) // 2
    ppm = processed.ppm[middle - half : middle + half + 1]
    shape = shape_columns(processed, ppm, processed.ppm[[middle]], width_Hz)[:, 0]
    return shape / shape.max() - shape.mean() / shape.max()  # symmetric: its line is its mean


def _noise(processed: Processed, template: np.ndarray, count: int) -> tuple[float, float]:
    """Standard deviation of the answer to noise, and its comparisons in `count` points."""
    both = np.zeros((len(template) + 1, 2))
    both[:-1, 0] = both[1:, 1] = template
    c = processed.covariance_of(both)
    correlation = c[0, 1] / c[0, 0]
    crossings = count * np.sqrt(max(2 * (1 - correlation), 0.0)) / (2 * np.pi)
    return float(np.sqrt(c[0, 0])), CROSSING_TRIES * crossings + 1


#: Mains frequencies (Hz), how far they wander, and the least decay (Hz) of a line of a sample.
MAINS_HZ, WANDERS, LEAST_WIDTH = (50.0, 60.0), 2e-3, 0.1


def is_hum(processed: Processed, line: Line) -> bool:
    """Whether a line stands a multiple of the mains frequency from the receiver's and does not
    decay: pick-up, that a sharp line of a sample is there by chance in about one case of fifty.

    Parameters
    ----------
    processed : Processed
        Of a decay; lines of what somebody else processed are none.
    line : Line
        Fitted.

    Returns
    -------
    bool
    """
    if not processed.points:
        return False
    whole = processed.spectral_width_Hz / processed.points
    error = line.width_error_Hz if np.isfinite(line.width_error_Hz) else 0.0
    decays = line.width_Hz > whole or line.width_Hz - 2 * error > LEAST_WIDTH * whole
    away = abs(line.position_ppm - processed.carrier_ppm) * processed.reference_MHz
    reach = 3 * line.position_error_ppm * processed.reference_MHz + WANDERS * away
    order = [round(away / hz) for hz in MAINS_HZ]
    return not decays and any(
        k and abs(away - k * hz) < reach for k, hz in zip(order, MAINS_HZ, strict=True)
    )


def there(processed: Processed, line: Line, window_ppm: tuple[float, float]) -> bool:
    """Whether a line that a fit found in a window has an area that noise alone would not give it.

    The level is that of `matched_filter` in the window, for lines of about its width.

    Parameters
    ----------
    processed : Processed
    line : Line
        Fitted in the window.
    window_ppm : (low, high)

    Returns
    -------
    bool

    References
    ----------
    .. [1] G. L. Turin, IRE Trans. Inf. Theory 6, 311 (1960), doi:10.1109/TIT.1960.1057571
    """
    wide = max(line.width_Hz, line.gauss_Hz, processed.hz_per_point)
    part = processed.window(*window_ppm)
    looked = _templates(processed, _widths(wide / 2, wide), part.stop - part.start)
    tries = _all_tries(processed, sum(crossings for *_, crossings in looked))
    return bool(line.area > threshold(tries) * line.area_error)
