"""Operational lifetime: time to a fraction of the initial luminance, its law, and how it falls with
the drive.

T_x is the time at which L has fallen to x of L₀. A run that ends before is right-censored: a lower
bound, said so. Acceleration is described by T ∝ L₀^(−n); n between two drives is −Δln T / Δln L₀,
and one power law for all drives is refused when the local exponents differ by more than two
standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

from peled.quantities import Finding, Quantity, derive, fit_lmfit, threshold

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult


@dataclass(frozen=True)
class Crossing:
    """Time at which a decaying signal passes a fraction of its start.

    `censored` runs have `time` at the last point, a lower bound, and no standard error. `crossings`
    above 1 says that the signal came back above the level later (recovery, or noise wider than the
    slope).
    """

    time: float
    standard_error: float
    censored: bool
    crossings: int


#: Most points on either side of a crossing; of these, those within 12 % (or four noises) of it.
WINDOW = 60


def crossing_time(
    time,
    signal,
    fraction: float = 0.5,
    *,
    initial: float | None = None,
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
        L₀; the first point by default, whose noise is that of the others and enters the error.

    Returns
    -------
    Crossing
        Error from the scatter about the parabola and from L₀.

    Raises
    ------
    ValueError
        For time that does not rise, a start that is not above zero and the noise, a fraction
        outside (0, 1), fewer than four points.

    References
    ----------
    .. [1] F. So, D. Kondakov, Adv. Mater. 22, 3762 (2010), doi:10.1002/adma.200902624
    """
    t, y, start = _checked(time, signal, fraction, initial)
    if (noise := _noise(y, start)) * threshold() > start:
        raise ValueError(
            f"lifetime: expected a start above the noise of the log, found {start:.3g} ± "
            f"{noise:.2g}"
        )
    level = fraction * start
    smooth = _median3(y)
    crossings = int(((smooth[1:] <= level) & (smooth[:-1] > level)).sum())
    # The split of the run into "above" and "below" that mistakes the fewest points: one low reading
    # is no crossing.
    wrong = np.r_[0, np.cumsum(y <= level)] + np.r_[np.cumsum((y > level)[::-1])[::-1], 0]
    if np.argmin(wrong) == t.size:  # never, or the last reading alone
        return Crossing(float(t[-1]), math.nan, True, crossings)
    hit = int(np.clip(np.argmin(wrong), 1, t.size - 1))
    scatter = _noise(y, level) / level
    use = _around(np.log(np.clip(smooth, 1e-300, None) / level), hit, max(0.12, 4 * scatter))
    use = use[y[use] > 0]
    scale = float(np.ptp(t[use])) or 1.0
    found = _passage((t[use] - t[hit]) / scale, np.log(y[use] / level), scatter)
    if found is None:
        return Crossing(float(t[hit]), math.nan, False, crossings)
    at, slope, spread = found
    error = math.hypot(spread, noise / start if initial is None else 0.0) / abs(slope)
    return Crossing(float(t[hit] + at * scale), float(error * scale), False, crossings)


def _checked(time, signal, fraction: float, initial) -> tuple[np.ndarray, np.ndarray, float]:
    """Times, signals and the signal at the start; refuses what has no crossing."""
    t, y = np.asarray(time, float), np.asarray(signal, float)
    if t.shape != y.shape or t.ndim != 1 or t.size < 4:
        raise ValueError(
            f"lifetime: expected at least four times and as many signals, found {t.shape} and "
            f"{y.shape}"
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
    return t, y, start


def _around(ratio: np.ndarray, hit: int, reach: float) -> np.ndarray:
    """Points around a crossing whose logarithm lies within `reach` of it, two on each side at
    least, `WINDOW` at most."""
    lo, hi = hit - 1, hit + 1
    while lo > 0 and abs(ratio[lo - 1]) < reach and hit - lo < WINDOW:
        lo -= 1
    while hi < ratio.size and abs(ratio[hi]) < reach and hi - hit < WINDOW:
        hi += 1
    return np.arange(max(min(lo, hit - 2), 0), min(max(hi, hit + 2), ratio.size))


def _passage(x: np.ndarray, z: np.ndarray, scatter: float) -> tuple[float, float, float] | None:
    """Where points fall through zero, their slope there, and the error of the fit there.

    A parabola where there are points for it: a stretched decay bends, and the bend would move a
    straight line's crossing. With few points their own scatter is no yardstick; that of the whole
    run, `scatter`, is.
    """
    degree = 2 if x.size >= 7 else 1
    design = np.vander(x, degree + 1, increasing=True)
    c, *_ = np.linalg.lstsq(design, z, rcond=None)
    residual = z - design @ c
    freedom = x.size - degree - 1
    roots = np.roots(c[::-1])
    roots = roots[np.isreal(roots)].real
    roots = roots[(roots >= x[0]) & (roots <= x[-1])]
    slopes = np.array([np.polyval(np.polyder(c[::-1]), r) for r in roots])
    falling = slopes < 0
    if not falling.any():
        return None
    near = int(np.argmin(np.where(falling, np.abs(roots), np.inf)))
    at, slope = float(roots[near]), float(slopes[near])
    spread = math.sqrt(float(residual @ residual) / max(freedom, 1))
    if freedom < 6:
        spread = max(spread, scatter)
    row = at ** np.arange(degree + 1)
    variance = spread**2 * float(row @ np.linalg.inv(design.T @ design) @ row)
    return at, slope, math.sqrt(variance)


def _noise(y: np.ndarray, at: float) -> float:
    """Standard deviation of white noise on a smooth decay where the signal is `at`.

    From second differences, clipped at six times their median against spikes. Noise goes with a
    power of the signal, 0 (reading), 1/2 (counting) or 1 (source, supply): the likeliest is taken.
    What few differences may be wrong by widens it as Student's t does.
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
    out = y.copy()
    out[1:-1] = np.median(np.column_stack([y[:-2], y[1:-1], y[2:]]), axis=1)
    return out


#: Parameters of a decay: start, bounds; times in units of the run's span.
_DECAY = {
    "scale": (1.0, 0.5, 2.0),
    "burn_in": (0.0, 0.0, 0.9),
    "burn_in_time": (0.05, 1e-4, 0.5),
    "time_constant": (1.0, 1e-3, 1e3),
    "exponent": (0.8, 0.2, 2.5),
}


@dataclass(frozen=True)
class DecayFit:
    """L/L₀ = a exp(−t/τ_b) + (1 − a) exp(−(t/τ)^β).

    Attributes
    ----------
    result : lmfit.minimizer.MinimizerResult
        For `lmfit.fit_report`; the signal in units of its start.
    values : array (5,)
        scale, burn_in (a), burn_in_time, time_constant, exponent, in the units of signal and time;
        burn_in_time is NaN where no burn-in is needed.
    t50 : Quantity
        Of the law, from its own start; doubtful where it lies beyond the data.
    """

    result: MinimizerResult = field(repr=False)
    values: np.ndarray
    t50: Quantity


def decay_model(time, values) -> np.ndarray:
    """The signal of `DecayFit.values` at the given times.

    S (f exp(−t/t_b) + (1 − f) exp(−(t/τ)^β)).

    Parameters
    ----------
    time : array (n,)
    values : (S, f, t_b, τ, β)

    Returns
    -------
    array (n,)

    References
    ----------
    .. [1] G. Williams and D. C. Watts, Trans. Faraday Soc. 66, 80 (1970), doi:10.1039/TF9706600080

    Examples
    --------
    >>> decay_model([0.0, 100.0], (1.0, 0.0, 1.0, 100.0, 1.0)).round(3).tolist()
    [1.0, 0.368]
    """
    t = np.asarray(time, float)
    scale, share, burn, tau, beta = values
    return scale * (share * np.exp(-t / burn) + (1 - share) * np.exp(-((t / tau) ** beta)))


def fit_decay(time, signal) -> DecayFit:
    """Stretched exponential with burn-in, by least squares on the signal.

    Parameters
    ----------
    time : array (n,)
        Rising, any unit.
    signal : array (n,)
        Luminance or anything proportional to it.

    Returns
    -------
    DecayFit

    Raises
    ------
    ValueError
        For fewer than ten points or a signal whose start is not positive.

    Notes
    -----
    The burn-in is kept only if BIC wants it. Noise may be constant, go with the root of the signal
    or with the signal: the likeliest weighs a second fit, and its scatter gives the errors. The law
    with burn-in is that of F. So et al. for organic light-emitting diodes [1]_.

    References
    ----------
    .. [1] F. So, D. Kondakov, Adv. Mater. 22, 3762 (2010), doi:10.1002/adma.200902624
    """
    t, y = np.asarray(time, float), np.asarray(signal, float)
    if t.size < 10 or t.shape != y.shape or y[0] <= 0:
        raise ValueError(
            f"decay: expected at least ten points with a positive start, found {t.size}"
        )
    top, span = float(y[:3].mean()), float(t[-1] - t[0])
    x, z, n = (t - t[0]) / span, y / top, t.size
    level = float(np.interp(-0.5, -np.minimum.accumulate(z), x)) / math.log(2)

    def solve(starts, weight=1.0):
        return fit_lmfit(lambda p: (decay_model(x, _values(p)) - z) * weight, starts, {})

    plain = solve([_decay_start(time_constant=level)])
    burnt = solve(
        [
            _decay_start(burn_in=0.1, burn_in_time=at, time_constant=level, exponent=e)
            for at, e in ((0.03, 0.8), (0.15, 1.0))
        ]
    )
    bic = [n * math.log(r.chisqr / n + 1e-300) + r.nvarys * math.log(n) for r, _ in (plain, burnt)]
    needed = bic[1] < bic[0] - 2
    result, estimates = burnt if needed else plain
    shape = np.clip(decay_model(x, _values(result.params)), 1e-3, None)
    if power := _noise_power(result.residual, shape):
        result, estimates = solve([result.params], shape**-power)
    t50 = derive("T50", "", lambda p: span * _half([*p.values()]), estimates)
    if t50.value is not None and t50.value > span:
        t50 = t50.found(Finding("assumed", "doubtful", "T50 lies beyond the data"))
    values = np.array(_values(result.params)) * [top, 1.0, span, span, 1.0]
    if not needed:
        values[2] = math.nan
    return DecayFit(result, values, t50)


def _values(parameters) -> list[float]:
    return [*parameters.valuesdict().values()]


def _decay_start(**values: float):
    """Parameters of the law; without a value for it there is no burn-in."""
    import lmfit

    start = lmfit.Parameters()
    for name, (value, low, high) in _DECAY.items():
        free = not name.startswith("burn_in") or "burn_in" in values
        start.add(name, values.get(name, value), vary=free, min=low, max=high)
    return start


def _noise_power(residual: np.ndarray, shape: np.ndarray) -> float:
    """The power of the signal that noise goes with, by likelihood."""

    def unlikely(power: float) -> float:
        square = float(np.sum((residual / shape**power) ** 2))
        return 0.5 * len(shape) * math.log(square + 1e-300) + power * np.log(shape).sum()

    return min((0.0, 0.5, 1.0), key=unlikely)


def _half(values: Sequence[float]) -> float:
    """Where the law has fallen to half of its start."""
    _, share, burn, tau, beta = values
    both = 2 * max(burn * math.log(2), tau * math.log(2) ** (1 / beta))  # either part is below
    shape = [1.0, share, burn, tau, beta]
    return float(optimize.brentq(lambda t: decay_model(t, shape) - 0.5, 0.0, both))


# ---- acceleration --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Acceleration:
    """Lifetime against drive.

    Attributes
    ----------
    exponents, exponent_errors : array (drives − 1,)
        Between neighbouring drives, in the order of rising drive.
    power_law : float
        Exponent of the least-squares line through all drives; meaningless where `single_law` is
        False.
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

    Returns
    -------
    Acceleration

    Raises
    ------
    ValueError
        If there are fewer than two drives, two of them are equal, or a value is not positive.

    Notes
    -----
    Neighbouring exponents share a lifetime, which correlates them (negatively); the covariance is
    used.

    References
    ----------
    .. [1] F. So, D. Kondakov, Adv. Mater. 22, 3762 (2010), doi:10.1002/adma.200902624
    """
    x, t, e = (np.asarray(a, float) for a in (drive, lifetime, lifetime_error))
    dx = np.zeros_like(x) if drive_error is None else np.asarray(drive_error, float)
    if (
        x.size < 2
        or x.shape != t.shape
        or (x <= 0).any()
        or (t <= 0).any()
        or (e <= 0).any()
        or np.unique(x).size < x.size
    ):
        raise ValueError(
            "acceleration: expected at least two different positive drives with positive "
            f"lifetimes and errors, found {x.tolist()}, {t.tolist()} and {e.tolist()}"
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
    own = np.diag(covariance)
    apart = np.sqrt(own[:, None] + own - 2 * covariance)
    np.fill_diagonal(apart, np.inf)
    worst = float(np.max(np.abs(local[:, None] - local) / apart))
    centred = lx - lx.mean()
    slope = -float(centred @ lt) / float(centred @ centred)
    residual = lt - lt.mean() + slope * centred
    stated = math.sqrt(float(np.sum((centred / (centred @ centred)) ** 2 * (e / t) ** 2)))
    misfit = (
        math.sqrt(float(residual @ residual) / (x.size - 2) / float(centred @ centred))
        if x.size > 2
        else 0.0
    )
    return Acceleration(x, t, local, np.sqrt(own), slope, max(stated, misfit), worst <= 2.0, worst)


def lifetime_at(drive: float, measured: Acceleration) -> dict[str, float]:
    """Lifetime at another drive by each common route; their spread is what all are worth.

    Parameters
    ----------
    drive : float
        In the unit of the measured ones.
    measured : Acceleration

    Returns
    -------
    dict of str to float
        `interpolated` (log-log between neighbours, beyond the ends with the last exponent),
        `power law` (one line through all), `lowest pair`, `highest pair` (its exponent, from the
        nearer of its drives), `n = 1.5` (from the lowest drive; often assumed).

    References
    ----------
    .. [1] F. So, D. Kondakov, Adv. Mater. 22, 3762 (2010), doi:10.1002/adma.200902624

    Examples
    --------
    >>> measured = acceleration([1.0, 10.0], [100.0, 10.0], [1.0, 0.1])
    >>> round(lifetime_at(0.1, measured)["lowest pair"])
    1000
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
    """Charge that has passed at the end of the lifetime, Q = J T.

    Parameters
    ----------
    current_density_mA_cm2, lifetime_s : array or float

    Returns
    -------
    array or float
        C cm⁻².

    Examples
    --------
    >>> float(charge_to(10.0, 3600.0))
    36.0
    """
    return np.asarray(current_density_mA_cm2, float) * 1e-3 * np.asarray(lifetime_s, float)
