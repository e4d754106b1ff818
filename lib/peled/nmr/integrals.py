"""Integrals as linear functionals of the spectrum: their error follows from the noise of the decay.

An integral is the sum over its region less a straight line through the two flanks. Sum, line and
noise are linear: integral = a . s, variance = a' C a with the covariance of the processed noise.
What the noise does not contain, the choice of baseline and the wings of the lines, is a second,
systematic error: by how much, beyond noise, the integral changes with half the flank and with the
wings in the model or without them. What moves two integrals alike does not move their ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from peled.nmr.processing import Baseline, Processed
from peled.nmr.significance import local_level


@dataclass(frozen=True)
class Integral:
    """Area over Hz of one region: errors by noise, by the choice of baseline, by wings outside it.

    The error by wings is a share of the area: in a series of one line it is common to all.
    """

    low_ppm: float
    high_ppm: float
    area: float
    noise_error: float
    baseline_error: float
    wing_error: float

    @property
    def systematic_error(self) -> float:
        """By baseline and wings."""
        return float(np.hypot(self.baseline_error, self.wing_error))

    @property
    def error(self) -> float:
        """All errors in quadrature."""
        return float(np.hypot(self.noise_error, self.systematic_error))


@dataclass(frozen=True)
class Integrals:
    """Several regions with the covariance of their noise (regions that share a flank are
    correlated), and for each other choice of baseline or wings what it moves them by, area times
    area, less noise: shape (choices, regions, regions).
    """

    regions: tuple[Integral, ...]
    covariance: np.ndarray = field(repr=False)
    systematic: np.ndarray = field(repr=False)

    def ratio(self, i: int, j: int) -> tuple[float, float]:
        """Area i over area j with its standard error, to first order, from both kinds of error.

        Parameters
        ----------
        i, j : int
            Numbers of the regions.

        Returns
        -------
        ratio, standard_error : float
        """
        a, b = self.regions[i].area, self.regions[j].area
        slope = np.zeros(len(self.regions))
        slope[i], slope[j] = 1 / b, -a / b**2
        # Rounding leaves less than nothing where both err alike.
        square = slope @ np.array([self.covariance, *self.systematic]) @ slope
        return a / b, float(np.sqrt(np.maximum(square, 0.0).sum()))


def integrate(
    processed: Processed,
    regions_ppm: Sequence[tuple[float, float]],
    *,
    flank_ppm: float | None = None,
    base: Baseline | None = None,
    wings: bool = False,
    local: bool = False,
) -> Integrals:
    """Integrate regions.

    Parameters
    ----------
    processed : Processed
    regions_ppm : sequence of (low, high)
    flank_ppm : float, optional
        Width of the flank on each side through which a straight baseline is laid; 0 for none; by
        default a fifth of the region. With `base` the default is none.
    base : Baseline, optional
        A baseline by several methods, taken off first; its methods' integrals spread by the
        systematic error.
    wings : bool
        Whether Lorentzian wings are fitted in the flanks beside the line, and what lies of them
        outside the region is added. Without, what wings of Lorentzians as wide as the highest line
        of the region, or those that the flanks show beyond noise, would change is part of the
        systematic error.
    local : bool
        Noise as it is around each region, from few points, in place of that of the quiet stretches:
        a receiver's is not white, and of traces of a series it alone tells what a course is worth.

    Returns
    -------
    Integrals

    Raises
    ------
    ValueError
        For a region outside the spectrum.

    References
    ----------
    .. [1] F. Malz and H. Jancke, J. Pharm. Biomed. Anal. 38, 813 (2005),
           doi:10.1016/j.jpba.2005.01.043
    """
    operators, by_flank, by_wings, lost = [], [], [], []
    y = processed.real - base.mean if base is not None else processed.real
    size, step = len(processed.ppm), processed.hz_per_point
    taken = np.zeros(size, bool)  # a neighbour's region is no flank
    for low, high in regions_ppm:
        taken[slice(*np.searchsorted(processed.ppm, sorted((low, high))))] = True
    for low, high in regions_ppm:
        low, high = sorted((low, high))
        part = processed.window(low, high)
        if low < processed.ppm[0] or high > processed.ppm[-1]:
            raise ValueError(
                f"region {low:g} to {high:g} ppm: expected it inside the spectrum "
                f"({processed.ppm[0]:.2f} to {processed.ppm[-1]:.2f} ppm)"
            )
        flank = (
            flank_ppm if flank_ppm is not None else 0.0 if base is not None else (high - low) / 5
        )
        width = round(float(flank / (processed.ppm[1] - processed.ppm[0])))
        # Without a flank, or for its wings, one that is as wide as the region says what it costs.
        wide = max(width, (part.stop - part.start) // 2)

        def area_by(width: int, wings: bool, part=part) -> np.ndarray:
            operator = np.zeros(size)
            operator[part] = step
            if width >= 3:
                operator -= _line_under(part, y, width, step, taken, wings)
            return operator

        operator = area_by(wide if wings else width, wings)
        operators.append(operator)
        other = area_by(max(wide // 2, 3) if wings else wide, True) - operator
        if wings:
            by_wings.append(other)
            continue
        noise = np.sqrt(_noise(processed, other[None])[0, 0])
        seen = other @ y - 2 * noise  # beyond noise: that of a flank is far above most wings
        lost.append(max(seen, _lorentzian_lost(part, y, wide, operator, taken)))
        if width >= 3:
            by_flank.append(area_by(max(width // 2, 2), False) - operator)
        else:
            by_flank.append(np.zeros(size))
    level = local_level(processed, raised=False) if local else 1.0
    covariance = _noise(processed, np.array(operators) * level)

    def beyond_noise(moves) -> np.ndarray:
        moved = np.array(moves)
        return np.outer(moved @ y, moved @ y) - _noise(processed, moved)

    choice = np.zeros_like(covariance) if wings else beyond_noise(by_flank)
    if base is not None:
        areas = [np.array(operators) @ (processed.real - curve) for curve in base.curves.values()]
        choice = choice + np.cov(np.transpose(areas), ddof=1)
    systematic = np.array([choice, beyond_noise(by_wings) if wings else np.outer(lost, lost)])
    errors = [np.sqrt(np.maximum(np.diag(m), 0)) for m in (covariance, *systematic)]
    regions = tuple(
        Integral(*sorted(region), float(operator @ y), *map(float, each))
        for region, operator, *each in zip(regions_ppm, operators, *errors, strict=True)
    )
    return Integrals(regions, covariance, systematic)


def _noise(processed: Processed, operators: np.ndarray) -> np.ndarray:
    """Covariance of functionals (regions, points), by the stretch that they look at."""
    used = np.flatnonzero(operators.any(axis=0))
    if not used.size:
        return np.zeros((len(operators), len(operators)))
    return processed.covariance_of(operators[:, used[0] : used[-1] + 1].T)


def _flanks(part: slice, width: int, taken: np.ndarray) -> np.ndarray:
    """Points on both sides of a region that are no neighbour's."""
    left = np.arange(max(part.start - width, 0), part.start)
    right = np.arange(part.stop, min(part.stop + width, len(taken)))
    place = np.concatenate([left, right])
    return place[~taken[place]]


def _wing(part: slice, y: np.ndarray, place: np.ndarray):
    """Σ wᵢ/(x - xᵢ)² at `place`, wᵢ the signal at the points xᵢ that carry it, and what it has
    outside the region; None without a signal.
    """
    inside = np.arange(part.start, part.stop)
    signal = y[part] - np.median(y[place])
    carry = signal > 0.1 * signal.max()
    if not carry.any():
        return None
    weight, at = signal[carry] / signal[carry].sum(), inside[carry]
    outside = float(weight @ (1 / (at - part.start + 0.5) + 1 / (part.stop - 0.5 - at)))
    return (weight / (place[:, None] - at) ** 2).sum(axis=1), outside, _width_of_highest(signal)


def _width_of_highest(signal: np.ndarray) -> float:
    """Full width at half height around the maximum, points."""
    top = int(np.argmax(signal))
    half, width = signal[top] / 2, 0.0
    for side in (signal[top:], signal[top::-1]):
        low = int(np.argmax(side < half)) or len(side) - 1
        width += low - np.clip((half - side[low]) / max(side[low - 1] - side[low], half / 99), 0, 1)
    return float(width)


def _lorentzian_lost(part, y, width: int, operator, taken) -> float:
    """What an operator misses of Lorentzians as wide as the highest line, Γ, with the area A of the
    region: wings A Γ/(2π x²), those outside and those taken for a baseline.
    """
    place = _flanks(part, width, taken)
    wing = _wing(part, y, place) if len(place) else None
    if wing is None:
        return 0.0
    shape, outside, width = wing
    step = operator[part].max()
    amplitude = operator @ y / step * width / (2 * np.pi)
    return float(amplitude * (step * outside - operator[place] @ shape))


def _line_under(
    part: slice, y: np.ndarray, width: int, step: float, taken: np.ndarray, wings: bool = False
) -> np.ndarray:
    """Operator of the area under the least-squares line through both flanks.

    With `wings` K Σ wᵢ/(x - xᵢ)² is fitted beside it, the wings of Lorentzians of one width at the
    points xᵢ that carry the signal; the area less what they have outside the region is returned.
    """
    place = _flanks(part, width, taken)
    operator = np.zeros(len(y))
    if len(place) < 4:
        return operator
    columns = [np.ones(len(place)), place - part.start]
    inside = np.arange(part.start, part.stop)
    target = [len(inside), (inside - part.start).sum()]
    wing = _wing(part, y, place) if wings else None
    if wing is not None:
        columns.append(wing[0])
        # Of the wing nothing is baseline; its area beyond the edges of the region is missing.
        target.append(-wing[1])
    basis = np.column_stack(columns)
    scale = np.sqrt((basis**2).sum(axis=0))
    operator[place] = step * (np.array(target) / scale) @ np.linalg.pinv(basis / scale)
    return operator
