"""Operational lifetime: time to a fraction of the initial luminance, its law, and how it falls with the drive.

T_x is the time at which L has fallen to x of L₀. A run that ends before is right-censored: a lower bound, said so. Acceleration is
described by T ∝ L₀^(−n); n between two drives is −Δln T / Δln L₀, and one power law for all drives is refused when the local
exponents differ by more than two standard errors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats
from scipy.optimize import least_squares

from peled.quantities import threshold


@dataclass(frozen=True)
class Crossing:
    """Time at which a decaying signal passes a fraction of its start.

    `censored` runs have `time` at the last point, a lower bound, and no standard error. `crossings` above 1 says that the
    signal came back above the level later (recovery, or noise wider than the slope).
    """

    fraction: float
    time: float
    standard_error: float
    censored: bool
    crossings: int


def crossing_time(
    time,
    signal,
    fraction: float = 0.5,
    *,
    initial: float | None = None,
    initial_error: float = 0.0,
    window: int = 60,
) -> Crossing:
    """T_x by a local parabola in log signal through the points around the crossing.

    Parameters
    ----------
    time : array (n,)
        Rising, any unit.
    signal : array (n,)
        Luminance or anything proportional to it.
    fraction : float
        x, 0.5 for T50.
    initial : float, optional
        L₀; the first point by default.
    initial_error : float
        Standard error of L₀. Where L₀ is the first reading its noise is that of the others and is added from the scatter.
    window : int
        Most points on either side; within them those count whose signal is within 12 % (or four times the noise) of the level.

    Returns
    -------
    Crossing
        Error from the scatter about the parabola and from L₀.

    Raises
    ------
    ValueError
        For time that does not rise, a start that is not above zero and the noise, a fraction
        outside (0, 1), fewer than four points.
    """
    t, y = np.asarray(time, float), np.asarray(signal, float)
    if t.shape != y.shape or t.ndim != 1 or t.size < 4:
        raise ValueError(
            f"lifetime: expected at least four times and as many signals, found {t.shape} and {y.shape}"
        )
    if (np.diff(t) <= 0).any():
        i = int(np.flatnonzero(np.diff(t) <= 0)[0])
        raise ValueError(
            f"lifetime: expected rising times, found {t[i + 1]:g} after {t[i]:g} at point {i + 1}"
        )
    if not 0 < fraction < 1:
        raise ValueError(f"lifetime: expected a fraction between 0 and 1, found {fraction:g}")
    if not (np.isfinite(y).all() and np.isfinite(t).all()):
        raise ValueError("lifetime: expected finite numbers, found NaN or infinity")
    start = float(y[0]) if initial is None else float(initial)
    if start <= 0:
        raise ValueError(f"lifetime: expected a positive initial luminance, found {start:g}")
    if (noise := _noise(y, start)) * threshold() > start:
        raise ValueError(
            f"lifetime: expected a start above the noise of the log, found {start:.3g} ± {noise:.2g}"
        )
    level = fraction * start
    if not (y <= level).any():
        return Crossing(fraction, float(t[-1]), math.nan, True, 0)
    smooth = _median3(y)
    crossings = int(((smooth[1:] <= level) & (smooth[:-1] > level)).sum())
    # The split of the run into "above" and "below" that mistakes the fewest points: one low reading is no crossing.
    wrong = np.r_[0, np.cumsum(y <= level)] + np.r_[np.cumsum((y > level)[::-1])[::-1], 0]
    hit = int(np.clip(np.argmin(wrong), 1, t.size - 1))
    if np.argmin(wrong) == t.size:  # the last reading alone does not make it
        return Crossing(fraction, float(t[-1]), math.nan, True, crossings)
    scatter = _noise(y, level) / level
    ratio = np.log(np.clip(smooth, 1e-300, None) / level)
    reach = max(0.12, 4 * scatter)
    lo, hi = hit - 1, hit + 1
    while lo > 0 and abs(ratio[lo - 1]) < reach and hit - lo < window:
        lo -= 1
    while hi < t.size and abs(ratio[min(hi, t.size - 1)]) < reach and hi - hit < window:
        hi += 1
    use = np.arange(max(min(lo, hit - 2), 0), min(max(hi, hit + 2), t.size))
    use = use[y[use] > 0]
    scale = float(np.ptp(t[use])) or 1.0
    x, z = (t[use] - t[hit]) / scale, np.log(y[use] / level)
    # A parabola where there are points for it: a stretched decay bends, and the bend would move a straight line's crossing.
    degree = 2 if use.size >= 7 else 1
    design = np.vander(x, degree + 1, increasing=True)
    c, *_ = np.linalg.lstsq(design, z, rcond=None)
    residual = z - design @ c
    freedom = use.size - degree - 1
    roots = np.roots(c[::-1])
    roots = roots[np.isreal(roots)].real
    slopes = np.array([np.polyval(np.polyder(c[::-1]), r) for r in roots])
    falling = slopes < 0
    if not falling.any():
        return Crossing(fraction, float(t[hit]), math.nan, False, crossings)
    near = int(np.argmin(np.where(falling, np.abs(roots), np.inf)))
    at, slope = float(roots[near]), float(slopes[near])
    # With few points their own scatter is no yardstick; the noise of the whole run is.
    spread = (
        math.sqrt(float(residual @ residual) / freedom)
        if freedom >= 6
        else max(math.sqrt(float(residual @ residual) / max(freedom, 1)), scatter)
    )
    covariance = spread**2 * np.linalg.inv(design.T @ design)
    row = at ** np.arange(degree + 1)
    start_relative = (
        initial_error / start if initial is not None else math.hypot(initial_error, noise) / start
    )
    error = math.sqrt(float(row @ covariance @ row) + start_relative**2) / abs(slope)
    return Crossing(fraction, float(t[hit] + at * scale), float(error * scale), False, crossings)


def _noise(y: np.ndarray, at: float) -> float:
    """Standard deviation of white noise on a smooth decay where the signal is `at`.

    From second differences, clipped at six times their median against spikes. Noise goes with a power of
    the signal, 0 (reading), 1/2 (counting) or 1 (source, supply): the likeliest is taken. What few
    differences may be wrong by widens it as Student's t does.
    """
    use = y[1:-1] > 0.2 * at
    level, second = y[1:-1][use], np.abs(np.diff(y, 2))[use]
    if level.size < 3:
        return 0.0
    fits = []
    for power in (0.0, 0.5, 1.0):
        scaled = second / level**power
        scaled = np.minimum(scaled, 6 * np.median(scaled))
        spread = math.sqrt(float(np.mean(scaled**2)) / 6)
        unlikely = math.log(spread + 1e-300) + power * float(np.log(level).mean())
        fits.append((unlikely, spread * at**power))
    widened = stats.t.isf(0.025, max(level.size / 4, 2.0)) / stats.norm.isf(0.025)
    return min(fits)[1] * float(widened)


def _median3(y: np.ndarray) -> np.ndarray:
    if y.size < 3:
        return y
    out = y.copy()
    out[1:-1] = np.median(np.column_stack([y[:-2], y[1:-1], y[2:]]), axis=1)
    return out


@dataclass(frozen=True)
class DecayFit:
    """L/L₀ = a exp(−t/τ_b) + (1 − a) exp(−(t/τ)^β).

    `values` and `standard_errors` in the order scale, burn_in (a), burn_in_time, time_constant, exponent; an error is NaN for a
    parameter at a bound. `t50` with error follows from the fit (`extrapolated` when it lies beyond the data).
    """

    values: np.ndarray
    standard_errors: np.ndarray
    covariance: np.ndarray = field(repr=False)
    scatter: float
    converged: bool
    t50: float
    t50_error: float
    extrapolated: bool
    burn_in_needed: bool

    NAMES = ("scale", "burn_in", "burn_in_time", "time_constant", "exponent")


def decay_model(time, values) -> np.ndarray:
    """The signal of `DecayFit.values` at the given times."""
    t = np.asarray(time, float)
    scale, share, burn, tau, beta = values
    return scale * (share * np.exp(-t / burn) + (1 - share) * np.exp(-((t / tau) ** beta)))


def fit_decay(time, signal) -> DecayFit:
    """Stretched exponential with burn-in, by least squares on the signal; the burn-in is kept only if BIC wants it.

    Raises
    ------
    ValueError
        For fewer than ten points or a signal whose start is not positive.
    """
    t, y = np.asarray(time, float), np.asarray(signal, float)
    if t.size < 10 or t.shape != y.shape or y[0] <= 0:
        raise ValueError(
            f"decay: expected at least ten points with a positive start, found {t.size}"
        )
    top, span = float(y[:3].mean()), float(t[-1] - t[0])
    z = y / top
    lower, upper = (
        np.array([0.5, 0.0, 1e-4 * span, 1e-3 * span, 0.2]),
        np.array([2.0, 0.9, 0.5 * span, 1e3 * span, 2.5]),
    )

    def solve(start, free, weight=1.0):
        full = np.array(start, float)

        def residual(p):
            full[free] = p
            return (decay_model(t - t[0], full) - z) * weight

        got = least_squares(
            residual,
            full[free],
            bounds=(lower[free], upper[free]),
            x_scale=np.clip(np.abs(full[free]), 1e-3, None),
            max_nfev=400,
            ftol=1e-13,
            xtol=1e-13,
            gtol=1e-13,
        )
        out = full.copy()
        out[free] = got.x
        return out, got

    level = float(np.interp(-0.5, -np.minimum.accumulate(z), t - t[0])) or span
    plain, got_plain = solve([1.0, 0.0, 0.05 * span, 1.4 * level, 0.8], np.array([0, 3, 4]))
    best, got = min(
        (
            solve([1.0, 0.1, b * span, 1.4 * level, e], np.arange(5))
            for b, e in ((0.03, 0.8), (0.15, 1.0))
        ),
        key=lambda pair: pair[1].cost,
    )
    n = t.size
    bic = [
        n * math.log(2 * g.cost / n + 1e-300) + k * math.log(n)
        for g, k in ((got_plain, 3), (got, 5))
    ]
    needed = bic[1] < bic[0] - 2
    values, used, free = (
        (best, got, np.arange(5)) if needed else (plain, got_plain, np.array([0, 3, 4]))
    )
    # Reading noise may be constant or go with the signal: sigma ~ L^p with the p of greatest likelihood, then a weighted fit.
    shape = np.clip(decay_model(t - t[0], values), 1e-3, None)
    power = min(
        (0.0, 0.5, 1.0),
        key=lambda p: (
            0.5 * n * math.log(float(np.sum((used.fun / shape**p) ** 2)) + 1e-300)
            + p * float(np.log(shape).sum())
        ),
    )
    if power:
        values, used = solve(values, free, shape**-power)
    scatter = math.sqrt(2 * used.cost / (n - free.size))
    covariance = np.zeros((5, 5))
    scale = np.linalg.norm(used.jac, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    covariance[np.ix_(free, free)] = (
        scatter**2
        * np.linalg.pinv((used.jac / scale).T @ (used.jac / scale), rcond=1e-14)
        / np.outer(scale, scale)
    )
    errors = np.sqrt(np.clip(np.diag(covariance), 0, None))
    bound = np.zeros(5, bool)
    bound[free] = used.active_mask != 0
    errors = np.where(bound, np.nan, errors)
    if not needed:
        errors[[1, 2]] = np.nan
        values = values.copy()
        values[2] = np.nan
    relative = np.nan_to_num(values, nan=1.0)
    t50 = _half(relative)
    gradient = np.zeros(5)
    for k in free:
        if errors[k] > 0:
            step = 0.05 * errors[k]
            gradient[k] = (
                _half(relative + step * np.eye(5)[k]) - _half(relative - step * np.eye(5)[k])
            ) / (2 * step)
    # L0 of the fit is its own start, so the scale drops out of T50.
    gradient[0] = 0.0
    error = math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
    out = values.copy()
    out[0] *= top
    errors[0] *= top
    return DecayFit(
        out,
        errors,
        covariance,
        scatter * top,
        bool(used.success),
        t50,
        error,
        bool(t50 > span),
        needed,
    )


def _half(values: np.ndarray) -> float:
    from scipy.optimize import brentq

    shape = np.array(values, float)
    shape[0] = 1.0
    high = shape[3]
    while decay_model(np.array([high]), shape)[0] > 0.5 and high < 1e8 * shape[3]:
        high *= 2
    return float(
        brentq(
            lambda t: float(decay_model(np.array([t]), shape)[0]) - 0.5, 0.0, high, xtol=1e-9 * high
        )
    )


# ---- acceleration ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Acceleration:
    """Lifetime against drive.

    Attributes
    ----------
    exponents, exponent_errors : array (drives − 1,)
        Between neighbouring drives, in the order of rising drive.
    power_law : float
        Exponent of the least-squares line through all drives; meaningless where `single_law` is False.
    power_law_error : float
    single_law : bool
        No two local exponents differ by more than two standard errors.
    largest_difference_sigma : float
    """

    drive: np.ndarray
    lifetime: np.ndarray
    exponents: np.ndarray
    exponent_errors: np.ndarray
    power_law: float
    power_law_error: float
    single_law: bool
    largest_difference_sigma: float


def acceleration(
    drive: Sequence[float],
    lifetime: Sequence[float],
    lifetime_error: Sequence[float],
    drive_error: Sequence[float] | None = None,
) -> Acceleration:
    """Local acceleration exponents and whether one power law T ∝ drive^(−n) will do.

    Parameters
    ----------
    drive : sequence
        Initial luminance, or current density.
    lifetime, lifetime_error : sequence
        With standard errors; for printed numbers half the last digit over √3.
    drive_error : sequence, optional

    Notes
    -----
    Neighbouring exponents share a lifetime, which correlates them (negatively); the covariance is used.
    """
    x, t, e = (np.asarray(a, float) for a in (drive, lifetime, lifetime_error))
    dx = np.zeros_like(x) if drive_error is None else np.asarray(drive_error, float)
    if (
        x.size < 2
        or x.shape != t.shape
        or (x <= 0).any()
        or (t <= 0).any()
        or np.unique(x).size < x.size
    ):
        raise ValueError(
            f"acceleration: expected at least two different positive drives with positive lifetimes, found {x.tolist()} and {t.tolist()}"
        )
    order = np.argsort(x)
    x, t, e, dx = x[order], t[order], e[order], dx[order]
    lx, lt = np.log(x), np.log(t)

    def exponents(v: np.ndarray) -> np.ndarray:
        return -np.diff(v[t.size :]) / np.diff(v[: t.size])

    point = np.r_[lx, lt]
    gradient = np.empty((t.size - 1, 2 * t.size))
    for k in range(2 * t.size):
        step = np.zeros(2 * t.size)
        step[k] = 1e-5
        gradient[:, k] = (exponents(point + step) - exponents(point - step)) / 2e-5
    covariance = (gradient * np.r_[dx / x, e / t] ** 2) @ gradient.T
    local = exponents(point)
    worst = 0.0
    for i, k in itertools.combinations(range(local.size), 2):
        variance = covariance[i, i] + covariance[k, k] - 2 * covariance[i, k]
        worst = max(
            worst,
            abs(local[i] - local[k]) / math.sqrt(variance)
            if variance > 0
            else (math.inf if local[i] != local[k] else 0.0),
        )
    centred = lx - lx.mean()
    slope = -float(centred @ lt) / float(centred @ centred)
    residual = lt - lt.mean() + slope * centred
    own = math.sqrt(float(np.sum((centred / (centred @ centred)) ** 2 * (e / t) ** 2)))
    misfit = (
        math.sqrt(float(residual @ residual) / (x.size - 2) / float(centred @ centred))
        if x.size > 2
        else 0.0
    )
    return Acceleration(
        x, t, local, np.sqrt(np.diag(covariance)), slope, max(own, misfit), worst <= 2.0, worst
    )


def lifetime_at(drive: float, measured: Acceleration) -> dict[str, float]:
    """Lifetime at another drive by each common route; their spread shows what the extrapolation is worth.

    Routes: `interpolated` (log-log between neighbours, beyond the ends with the last exponent), `power law` (one line through
    all), `lowest pair`, `highest pair` (its exponent, from the nearer of its drives), `n = 1.5` (from the lowest drive; often assumed).
    """
    x, t = np.log(measured.drive), np.log(measured.lifetime)
    target = math.log(drive)
    i = int(np.clip(np.searchsorted(x, target) - 1, 0, x.size - 2))
    law = t.mean() - measured.power_law * (target - x.mean())
    first, last = measured.exponents[0], measured.exponents[-1]
    return {
        "interpolated": math.exp(t[i] - measured.exponents[i] * (target - x[i])),
        "power law": math.exp(law),
        "lowest pair": math.exp(t[0] - first * (target - x[0])),
        "highest pair": math.exp(t[-2] - last * (target - x[-2])),
        "n = 1.5": math.exp(t[0] - 1.5 * (target - x[0])),
    }


def charge_to(current_density_mA_cm2, lifetime_s) -> np.ndarray:
    """Charge that has passed at the end of the lifetime, C cm⁻²."""
    return np.asarray(current_density_mA_cm2, float) * 1e-3 * np.asarray(lifetime_s, float)
