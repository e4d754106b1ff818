"""A batch of devices as a population: density, mean and median with intervals, and the champion seen against the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Batch:
    """Statistics of one figure of merit over devices; intervals are 95 %.

    Attributes
    ----------
    mean, median : (value, low, high)
        BCa bootstrap intervals.
    standard_deviation : float
        With n − 1.
    champion : float
    champion_expected : float
        Expected maximum of n devices of a normal population with this mean and standard deviation (Blom's approximation).
    champion_sigma : float
        How far the champion lies above the mean, in standard deviations.
    grubbs_p : float
        Probability that the largest of n normal values lies at least as far out (Grubbs' test, one-sided).
    skewness : float
    density_at, density : array
        Kernel density estimate (Gaussian, Scott's bandwidth).
    """

    values: np.ndarray = field(repr=False)
    mean: tuple[float, float, float]
    median: tuple[float, float, float]
    standard_deviation: float
    champion: float
    champion_expected: float
    champion_sigma: float
    grubbs_p: float
    skewness: float
    density_at: np.ndarray = field(repr=False)
    density: np.ndarray = field(repr=False)

    @property
    def count(self) -> int:
        return self.values.size


def batch(values, *, resamples: int = 4000, seed: int = 0) -> Batch:
    """Describe a batch.

    Parameters
    ----------
    values : array (n,)
        One number a device, at least five.
    resamples : int
        Of the bootstrap.
    seed : int
        Of its random numbers: the same batch gives the same interval.

    Notes
    -----
    BCa: B. Efron, J. Am. Stat. Assoc. 82, 171 (1987). Expected maximum: G. Blom, Statistical Estimates and Transformed
    Beta-Variables (1958). F. E. Grubbs, Technometrics 11, 1 (1969).
    """
    v = np.asarray(values, float)
    if v.ndim != 1 or v.size < 5 or not np.isfinite(v).all():
        raise ValueError(f"batch: expected at least five finite numbers, found {v.size}")
    rng = np.random.default_rng(seed)
    index = rng.integers(0, v.size, (resamples, v.size))
    sample = v[index]
    spread = float(v.std(ddof=1))
    mean = _bca(float(v.mean()), sample.mean(axis=1), _jackknife(v, np.mean))
    median = _bca(float(np.median(v)), np.median(sample, axis=1), _jackknife(v, np.median))
    n, top = v.size, float(v.max())
    expected = float(v.mean()) + spread * float(stats.norm.ppf((n - 0.375) / (n + 0.25)))
    z = (top - float(v.mean())) / spread if spread > 0 else 0.0
    grid = (
        np.linspace(v.min() - 3 * spread * n**-0.2, v.max() + 3 * spread * n**-0.2, 256)
        if spread > 0
        else np.array([v[0]])
    )
    width = spread * n**-0.2
    density = (
        np.exp(-0.5 * ((grid[:, None] - v) / width) ** 2).sum(axis=1)
        / (n * width * math.sqrt(2 * math.pi))
        if spread > 0
        else np.array([1.0])
    )
    return Batch(
        v,
        mean,
        median,
        spread,
        top,
        expected,
        z,
        _grubbs(z, n),
        float(stats.skew(v, bias=False)) if spread > 0 else 0.0,
        grid,
        density,
    )


def _jackknife(v: np.ndarray, statistic) -> np.ndarray:
    return np.array([statistic(np.delete(v, i)) for i in range(v.size)])


def _bca(
    value: float, resampled: np.ndarray, jackknife: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    # Ties (of a median) count half, or the bias correction would be off.
    below = np.mean(resampled < value) + 0.5 * np.mean(resampled == value)
    z0 = stats.norm.ppf(np.clip(below, 1e-6, 1 - 1e-6))
    d = jackknife.mean() - jackknife
    scale = float((d**2).sum()) ** 1.5
    a = float((d**3).sum()) / (6 * scale) if scale > 0 else 0.0
    z = stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    at = stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z)))
    low, high = np.quantile(resampled, at)
    return value, float(low), float(high)


def _grubbs(z: float, n: int) -> float:
    inside = n * (n - 2) * z**2 / ((n - 1) ** 2 - n * z**2)
    if not math.isfinite(inside) or inside < 0:
        return 0.0
    return float(min(1.0, n * stats.t.sf(math.sqrt(inside), n - 2)))
