"""Integrals as linear functionals of the spectrum, so that their error follows from the noise of the decay exactly.

An integral is the sum over its region less a straight line through the two flanks. Sum, line and noise are linear:
integral = a . s, variance = a' C a with the covariance of the processed noise. What the noise does not contain, the
choice of baseline, is a second, systematic error: the spread of the integral over several baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from peled.nmr.processing import Baseline, Processed


@dataclass(frozen=True)
class Integral:
    """Area over Hz of one region, with its noise error and its baseline (systematic) error."""

    low_ppm: float
    high_ppm: float
    area: float
    noise_error: float
    baseline_error: float

    @property
    def error(self) -> float:
        """Both errors in quadrature."""
        return float(np.hypot(self.noise_error, self.baseline_error))


@dataclass(frozen=True)
class Integrals:
    """Several regions with the covariance of their noise (regions that share a flank are correlated)."""

    regions: tuple[Integral, ...]
    covariance: np.ndarray = field(repr=False)

    def ratio(self, i: int, j: int) -> tuple[float, float]:
        """Area i over area j with its standard error, to first order, from both kinds of error."""
        a, b = self.regions[i].area, self.regions[j].area
        variance = (
            self.covariance[i, i] / b**2
            + self.covariance[j, j] * a**2 / b**4
            - 2 * self.covariance[i, j] * a / b**3
        )
        variance += (self.regions[i].baseline_error / b) ** 2 + (
            self.regions[j].baseline_error * a / b**2
        ) ** 2
        return a / b, float(np.sqrt(variance))


def integrate(
    processed: Processed,
    regions_ppm: Sequence[tuple[float, float]],
    *,
    flank_ppm: float | None = None,
    base: Baseline | None = None,
) -> Integrals:
    """Integrate regions.

    Parameters
    ----------
    processed : Processed
    regions_ppm : sequence of (low, high)
    flank_ppm : float, optional
        Width of the flank on each side through which a straight baseline is laid; 0 for none; by default a fifth of the
        region. With `base` the default is none.
    base : Baseline, optional
        A baseline by several methods, taken off first; its methods' integrals spread by the systematic error.

    Returns
    -------
    Integrals

    Raises
    ------
    ValueError
        For a region outside the spectrum.
    """
    found, operators = [], []
    y = processed.real - base.mean if base is not None else processed.real
    size, step = len(processed.ppm), processed.hz_per_point
    for low, high in regions_ppm:
        low, high = sorted((low, high))
        part = processed.window(low, high)
        if low < processed.ppm[0] or high > processed.ppm[-1]:
            raise ValueError(
                f"region {low:g} to {high:g} ppm: expected it inside the spectrum ({processed.ppm[0]:.2f} to {processed.ppm[-1]:.2f} ppm)"
            )
        operator = np.zeros(size)
        operator[part] = step
        flank = (
            flank_ppm if flank_ppm is not None else 0.0 if base is not None else (high - low) / 5
        )
        systematic = 0.0
        width = round(float(flank / (processed.ppm[1] - processed.ppm[0])))
        if width >= 3:
            without = _line_under(part, size, width, step)
            operator -= without
            # The same with half the flank: how much the answer hangs on the choice.
            narrower = np.zeros(size)
            narrower[part] = step
            narrower -= _line_under(part, size, max(width // 2, 2), step)
            difference = float((narrower - operator) @ y)
            scatter = _noise_variance(processed, narrower - operator)
            systematic = np.sqrt(max(difference**2 - scatter, 0.0))
        if base is not None:
            areas = [operator @ (processed.real - curve) for curve in base.curves.values()]
            systematic = float(np.hypot(systematic, np.std(areas, ddof=1)))
        operators.append(operator)
        found.append((low, high, float(operator @ y), systematic))
    first = min(int(np.flatnonzero(o)[0]) for o in operators)
    last = max(int(np.flatnonzero(o)[-1]) for o in operators) + 1
    covariance = processed.covariance_of(np.array(operators)[:, first:last].T)
    regions = tuple(
        Integral(low, high, area, float(np.sqrt(max(covariance[i, i], 0))), float(systematic))
        for i, (low, high, area, systematic) in enumerate(found)
    )
    return Integrals(regions, covariance)


def _line_under(part: slice, size: int, width: int, step: float) -> np.ndarray:
    """Operator of the area under the least-squares line through both flanks."""
    left = np.arange(max(part.start - width, 0), part.start)
    right = np.arange(part.stop, min(part.stop + width, size))
    place = np.concatenate([left, right])
    if len(place) < 4:
        return np.zeros(size)
    centre = (part.start + part.stop - 1) / 2
    basis = np.column_stack([np.ones(len(place)), place - centre])
    count = part.stop - part.start
    inside = np.arange(part.start, part.stop) - centre
    target = np.array([count, inside.sum()]) * step
    operator = np.zeros(size)
    operator[place] = target @ np.linalg.pinv(basis)
    return operator


def _noise_variance(processed: Processed, operator: np.ndarray) -> float:
    inside = np.flatnonzero(operator)
    if not len(inside):
        return 0.0
    return float(processed.covariance_of(operator[inside[0] : inside[-1] + 1, None])[0, 0])
