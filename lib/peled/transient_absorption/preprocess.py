"""From measured matrices to matrices that can be fitted: every step a pure function, recorded in the result's `steps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian, gaussian_decay

FEMTOSECOND_SUSPECT = 50000.0  # a mechanical delay line of more than 50 ns (7.5 m of travel) is rarer than a wrong unit


@dataclass(frozen=True)
class Matrix:
    """A difference signal over delays and wavelengths. Make it by `matrix`, which checks it.

    `signal` and `standard_error` have the shape (delays, wavelengths) and the unit `unit`; NaN marks points masked on purpose.
    """

    delay_ps: np.ndarray
    wavelength_nm: np.ndarray
    signal: np.ndarray
    name: str = "data"
    standard_error: np.ndarray | None = None
    unit: str = "dA"
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        return self.signal.shape

    @cached_property
    def rise(self) -> Rise:
        """Where the signal begins, see `find_rise`."""
        return find_rise(self)

    def take(self, delays=slice(None), wavelengths=slice(None), step: str = "") -> Matrix:
        """Rows and columns by index, slice or mask."""
        error = self.standard_error
        return replace(
            self,
            delay_ps=self.delay_ps[delays],
            wavelength_nm=self.wavelength_nm[wavelengths],
            signal=self.signal[delays][:, wavelengths],
            standard_error=None if error is None else error[delays][:, wavelengths],
            steps=self.steps + ((step,) if step else ()),
        )

    def near(self, wavelength_nm: float) -> int:
        """Index of the nearest wavelength."""
        return int(np.argmin(np.abs(self.wavelength_nm - wavelength_nm)))


def matrix(
    delay_ps,
    wavelength_nm,
    signal,
    *,
    name: str = "data",
    standard_error=None,
    unit: str = "dA",
    steps: Sequence[str] = (),
) -> Matrix:
    """A checked matrix, sorted by delay and wavelength.

    Delays that are out of order are sorted and repeated delays averaged; both are recorded. Wavelengths without any finite value are dropped and recorded.

    Raises
    ------
    ValueError
        For shapes that do not fit (a transposed matrix is named as such), NaN on an axis, fewer than three delays, or no finite value at all.
    """
    delay, wavelength, signal = (np.array(a, float) for a in (delay_ps, wavelength_nm, signal))
    error = None if standard_error is None else np.array(standard_error, float)
    if delay.ndim != 1 or wavelength.ndim != 1 or signal.ndim != 2:
        raise ValueError(
            f"{name}: expected delays (nt), wavelengths (nw) and a signal (nt, nw), found shapes {delay.shape}, {wavelength.shape}, {signal.shape}"
        )
    if signal.shape != (len(delay), len(wavelength)):
        hint = (
            "; the signal looks transposed, hand over its transpose"
            if signal.shape == (len(wavelength), len(delay))
            else ""
        )
        raise ValueError(
            f"{name}: expected a signal of shape {(len(delay), len(wavelength))} (delays, wavelengths), found {signal.shape}{hint}"
        )
    if error is not None and error.shape != signal.shape:
        raise ValueError(
            f"{name}: expected standard errors of shape {signal.shape}, found {error.shape}"
        )
    for what, axis in (("delays", delay), ("wavelengths", wavelength)):
        if not np.all(np.isfinite(axis)):
            raise ValueError(
                f"{name}: {what}: expected finite numbers, found {np.count_nonzero(~np.isfinite(axis))} that are not, first at position {int(np.argmin(np.isfinite(axis))) + 1}"
            )
    done, notes = list(steps), []
    if np.any(np.diff(delay) < 0):
        done.append("delays sorted")
    order = np.argsort(delay, kind="stable")
    delay, signal = delay[order], signal[order]
    error = None if error is None else error[order]
    if np.any(np.diff(delay) == 0):
        unique, first, counts = np.unique(delay, return_index=True, return_counts=True)
        with np.errstate(invalid="ignore"):
            present = np.isfinite(signal)
            number = np.add.reduceat(present, first, axis=0)
            signal = np.where(
                number > 0,
                np.add.reduceat(np.where(present, signal, 0.0), first, axis=0)
                / np.maximum(number, 1),
                np.nan,
            )
            if error is not None:
                error = np.sqrt(
                    np.add.reduceat(np.where(present, error, 0.0) ** 2, first, axis=0)
                ) / np.maximum(number, 1)
        done.append(f"{int(np.sum(counts - 1))} repeated delays averaged")
        delay = unique
    order = np.argsort(wavelength, kind="stable")
    if np.any(np.diff(order) != 1):
        wavelength, signal = wavelength[order], signal[:, order]
        error = None if error is None else error[:, order]
    signal = np.where(np.isfinite(signal), signal, np.nan)
    empty = ~np.isfinite(signal).any(axis=0)
    if empty.all():
        raise ValueError(f"{name}: expected a signal, found no finite value")
    if empty.any():
        done.append(f"{int(empty.sum())} wavelengths without any value dropped")
        wavelength, signal = wavelength[~empty], signal[:, ~empty]
        error = None if error is None else error[:, ~empty]
    lost = ~np.isfinite(signal).any(axis=1)
    if lost.any():
        done.append(f"{int(lost.sum())} delays without any value dropped")
        delay, signal = delay[~lost], signal[~lost]
        error = None if error is None else error[~lost]
    if len(delay) < 3:
        raise ValueError(f"{name}: expected at least 3 delays, found {len(delay)}")
    if np.ptp(delay) > FEMTOSECOND_SUSPECT:
        notes.append(f"delays span {np.ptp(delay):.3g} ps: are they femtoseconds?")
    return Matrix(
        delay,
        wavelength,
        np.ascontiguousarray(signal),
        name,
        error,
        unit,
        tuple(done),
        tuple(notes),
    )


def crop(
    m: Matrix,
    *,
    wavelength_nm: tuple[float, float] | None = None,
    delay_ps: tuple[float, float] | None = None,
) -> Matrix:
    """The part inside closed ranges.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    rows, columns_ = np.ones(len(m.delay_ps), bool), np.ones(len(m.wavelength_nm), bool)
    said = []
    if wavelength_nm is not None:
        columns_ = (m.wavelength_nm >= wavelength_nm[0]) & (m.wavelength_nm <= wavelength_nm[1])
        said.append(f"{wavelength_nm[0]:g} to {wavelength_nm[1]:g} nm")
    if delay_ps is not None:
        rows = (m.delay_ps >= delay_ps[0]) & (m.delay_ps <= delay_ps[1])
        said.append(f"{delay_ps[0]:g} to {delay_ps[1]:g} ps")
    if not rows.any() or not columns_.any():
        raise ValueError(
            f"{m.name}: nothing between {' and '.join(said)}; it spans {m.wavelength_nm[0]:g} to {m.wavelength_nm[-1]:g} nm, {m.delay_ps[0]:g} to {m.delay_ps[-1]:g} ps"
        )
    return m.take(rows, columns_, "cropped to " + ", ".join(said))


def subtract_background(m: Matrix, before_ps: float | None = None) -> Matrix:
    """Subtract each wavelength's mean before its own rise.

    A wavelength whose signal is there from the first delay on has no background in the data and none is subtracted.

    Parameters
    ----------
    before_ps : float, optional
        Only delays before this count, and of those only the ones before the rise of the wavelength; by default
        the first 70 % of the time before it.
    """
    found = m.rise
    first = m.delay_ps[0]
    limit = found.onset_ps - (0.3 * (found.onset_ps - first) if before_ps is None else 0.0)
    with np.errstate(invalid="ignore"):
        rows = m.delay_ps[:, None] <= limit
        if before_ps is not None:
            rows &= m.delay_ps[:, None] < before_ps
    rows &= np.isfinite(m.signal)
    number = rows.sum(0)
    mean = np.where(rows, m.signal, 0.0).sum(0) / np.maximum(number, 1)
    none = int(np.count_nonzero(number == 0))
    if none == len(number):
        return replace(m, steps=(*m.steps, "background: none subtracted, no delay lies before the rise"))
    used = number[number > 0]
    how = f"{used.min()}" if used.min() == used.max() else f"{used.min()} to {used.max()}"
    said = f"background: mean of {how} delays before the rise subtracted"
    if none:
        said += f", none at {none} wavelengths whose signal is there from the first delay on"
    return replace(m, signal=m.signal - mean, steps=(*m.steps, said))


def mask(m: Matrix, *regions_nm: tuple[float, float]) -> Matrix:
    """Drop wavelength regions, such as the scattered pump."""
    keep = np.ones(len(m.wavelength_nm), bool)
    for low, high in regions_nm:
        keep &= (m.wavelength_nm < low) | (m.wavelength_nm > high)
    if not keep.any():
        raise ValueError(f"{m.name}: the masks leave no wavelength")
    return (
        m.take(
            wavelengths=keep,
            step="masked " + ", ".join(f"{low:g} to {high:g} nm" for low, high in regions_nm),
        )
        if not keep.all()
        else m
    )


def find_scatter(m: Matrix, *, threshold: float = 5.0) -> tuple[tuple[float, float], ...]:
    """Wavelength regions in which the signal before zero time fluctuates or stands far above its neighbours: pump scatter, dead pixels.

    The scale is the median over wavelengths of the standard deviation before zero; a region begins where it is passed `threshold` times.
    """
    rows = m.delay_ps < estimate_t0(m) - 0.3 * (estimate_t0(m) - m.delay_ps[0])
    if rows.sum() < 3:
        return ()
    spread = np.nanstd(m.signal[rows], axis=0)
    scale = np.nanmedian(spread[spread > 0]) if np.any(spread > 0) else 0.0
    bad = ~np.isfinite(spread) | (spread > threshold * scale)
    edges = np.flatnonzero(np.diff(np.r_[False, bad, False].astype(int)))
    return tuple(
        (float(m.wavelength_nm[a]), float(m.wavelength_nm[b - 1]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def reject_spikes(m: Matrix, *, threshold: float = 10.0) -> Matrix:
    """Mask single points that stand out from their neighbours by `threshold` robust standard deviations.

    A point must stand out against the mean of its two neighbours in delay *and* of those in wavelength: the rise and the
    coherent artefact are steep in delay but smooth in wavelength, a narrow band the reverse. The scale of each is the median over the row and the column.
    Masked points are NaN and the fit does not use them.
    """
    if min(m.shape) < 5:
        return m
    y = np.pad(m.signal, 1, mode="reflect")
    deviations = [
        np.abs(m.signal - 0.5 * (a + b))
        for a, b in ((y[:-2, 1:-1], y[2:, 1:-1]), (y[1:-1, :-2], y[1:-1, 2:]))
    ]
    bad = np.ones(m.shape, bool)
    with np.errstate(invalid="ignore"):
        for d in deviations:
            finite = np.where(np.isfinite(d), d, 0.0)
            scale = 1.4826 * np.maximum(
                np.median(finite, axis=1, keepdims=True), np.median(finite, axis=0, keepdims=True)
            )
            bad &= d > threshold * np.maximum(scale, 1e-300)
        # Nor is anything a spike that its own neighbours nearly reach.
        beside = np.stack([y[:-2, 1:-1], y[2:, 1:-1], y[1:-1, :-2], y[1:-1, 2:]])
        bad &= np.minimum(*deviations) > 2 * (np.fmax.reduce(beside) - np.fmin.reduce(beside))
    # The neighbours of a spike deviate by half of it: only the largest of a neighbourhood goes.
    height = np.where(bad, deviations[0] + deviations[1], 0.0)
    around = np.pad(height, 1)
    largest = np.max(
        [
            around[1 + i : height.shape[0] + 1 + i, 1 + j : height.shape[1] + 1 + j]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ],
        axis=0,
    )
    bad &= height >= largest
    if not bad.any():
        return m
    return replace(
        m,
        signal=np.where(bad, np.nan, m.signal),
        steps=(*m.steps, f"{int(bad.sum())} spikes masked"),
    )


def bad_pixels(m: Matrix, *, threshold: float = 8.0) -> tuple[float, ...]:
    """Wavelengths whose point-to-point noise along the delays is `threshold` times the median, or that never change."""
    jump = np.nanmedian(np.abs(np.diff(m.signal, n=2, axis=0)), axis=0)
    scale = np.nanmedian(jump)
    bad = (jump > threshold * scale) | ~(np.nanstd(m.signal, axis=0) > 0)
    return tuple(float(w) for w in m.wavelength_nm[bad])


def bin_wavelengths(m: Matrix, count: int) -> Matrix:
    """Mean of each `count` neighbouring wavelengths; an incomplete last group is averaged as it is."""
    if count < 2:
        return m
    starts = np.arange(0, len(m.wavelength_nm), count)
    number = np.diff(np.r_[starts, len(m.wavelength_nm)])
    error = (
        None
        if m.standard_error is None
        else _group_errors(m.standard_error, m.signal, starts)
    )
    return replace(
        m,
        wavelength_nm=np.add.reduceat(m.wavelength_nm, starts) / number,
        signal=_group_means(m.signal, starts),
        standard_error=error,
        steps=(*m.steps, f"{count} wavelengths averaged into one"),
    )


def _group_means(signal, starts):
    """Means of groups of columns over the cells that are there."""
    there = np.isfinite(signal)
    number = np.add.reduceat(there, starts, axis=1, dtype=int)
    total = np.add.reduceat(np.where(there, signal, 0.0), starts, axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _group_errors(error, signal, starts):
    there = np.isfinite(signal) & np.isfinite(error)
    number = np.add.reduceat(there, starts, axis=1, dtype=int)
    total = np.sqrt(np.add.reduceat(np.where(there, error, 0.0) ** 2, starts, axis=1))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def band_average(m: Matrix, low_nm: float, high_nm: float, signal=None) -> np.ndarray:
    """Mean transient over a band of wavelengths, shape (nt,); NaN where the data do not reach into it."""
    inside = (m.wavelength_nm >= low_nm) & (m.wavelength_nm <= high_nm)
    signal = m.signal if signal is None else signal
    if not inside.any():
        return np.full(len(m.delay_ps), np.nan)
    part = signal[:, inside]
    number = np.isfinite(part).sum(1)
    return np.where(number > 0, np.nansum(part, axis=1) / np.maximum(number, 1), np.nan)


@dataclass(frozen=True)
class Rise:
    """Where the signal begins. `onset_ps`: the last delay before the rise of each wavelength, NaN where the signal is there from the first delay on.

    `seen` is whether any wavelength shows a rise, `late` whether there is a signal but no rise at all.
    """

    onset_ps: np.ndarray
    seen: bool
    late: bool


_GROUPS = 48  # averages of neighbouring wavelengths in which a rise is looked for


def find_rise(m: Matrix) -> Rise:
    """The rise of each wavelength, from a constant up to a delay followed by decays, against decays from the first delay on.

    Decays are a dictionary of exponentials from the smallest step to three windows; the break that lowers the sum of squares most counts
    where the fall is significant. Neighbouring wavelengths are averaged into about 48 groups first; groups without signal take the
    onset of the others.
    """
    coarse = bin_wavelengths(m, max(1, len(m.wavelength_nm) // _GROUPS))
    t, y = m.delay_ps, filled(m.delay_ps, coarse.signal)
    nt = len(t)
    decays = max(1, min(6, nt // 4))
    rates = 1 / np.geomspace(float(np.diff(t).min()), 3 * np.ptp(t), decays)
    square = np.cumsum(y**2, axis=0)
    mean = np.cumsum(y, axis=0)
    breaks = np.arange(nt - decays - 2) if nt > decays + 4 else np.zeros(1, int)
    cost = np.empty((len(breaks), y.shape[1]))
    for i in breaks:
        x = t[i:] - t[i]
        q, _ = np.linalg.qr(np.column_stack([np.ones_like(x), np.exp(-np.outer(x, rates))]))
        after = square[-1] - (square[i - 1] if i else 0.0) - np.sum((q.T @ y[i:]) ** 2, axis=0)
        before = square[i - 1] - mean[i - 1] ** 2 / i if i else 0.0
        cost[i] = np.maximum(after, 0) + before
    least = 1e-24 * max(float(square[-1].max()), 1e-300)
    free = max(nt - decays - 3, 1)

    def gain(costs):
        best = np.argmin(costs, axis=0)
        low = np.take_along_axis(costs, best[None], 0)[0]
        return best, (costs[0] - low) / 2 / np.maximum(low / free, least)

    best, f = gain(cost)
    whole, f_whole = gain(cost.sum(1, keepdims=True))
    flat = square[-1] - mean[-1] ** 2 / nt
    low = np.maximum(cost.min(0) / free, least)
    signal = (flat - cost[0]) / decays / low > 100
    broken = (f > 30) & (best > 0)
    seen = bool(broken.any() or (f_whole[0] > 30 and whole[0] > 0))
    if not seen:
        late = bool(signal.any())
        onset = np.full(len(m.wavelength_nm), np.nan if late else t[0])
        return Rise(onset, False, late)
    where = np.where(broken, best, np.nan)
    spread = [where[max(0, g - 2) : g + 3] for g in range(len(where))]
    common = np.nanmin(where) if broken.any() else whole[0]
    near = np.array([np.nanmedian(w) if np.isfinite(w).any() else common for w in spread])
    at = np.where(broken, np.fmin(where, near), near).astype(int)
    onset = np.where(signal & ~broken, np.nan, t[np.maximum(at - 1, 0)])
    groups = np.argmin(np.abs(m.wavelength_nm[:, None] - coarse.wavelength_nm), axis=1)
    return Rise(onset[groups], True, False)


def filled(t, y):
    """Missing cells by interpolation along the delays; for looking, never for fitting."""
    out = y.copy()
    for column in np.flatnonzero(~np.isfinite(y).all(axis=0)):
        good = np.isfinite(y[:, column])
        out[:, column] = np.interp(t, t[good], y[good, column]) if good.any() else 0.0
    return out


def estimate_t0(m: Matrix) -> float:
    """Zero time from the rise: where the change over all wavelengths first reaches half of its early maximum; the first delay where there is none."""
    found = m.rise
    if not found.seen:
        return float(m.delay_ps[0])
    with np.errstate(invalid="ignore"):
        before = (m.delay_ps[:, None] <= found.onset_ps) & np.isfinite(m.signal)
    level = np.where(before, m.signal, 0.0).sum(0) / np.maximum(before.sum(0), 1)
    energy = np.sqrt(np.nanmean(np.square(m.signal - level), axis=1))
    quiet = m.delay_ps <= np.nanmin(found.onset_ps)
    height = np.maximum(energy - np.median(energy[quiet]), 0)
    peak = int(np.argmax(height))
    at = int(np.argmax((height >= 0.5 * height[peak]) & ~quiet))
    if at == 0 or height[peak] == 0:
        return float(m.delay_ps[0])
    low, high = height[at - 1], height[at]
    fraction = np.clip((0.5 * height[peak] - low) / (high - low), 0, 1) if high > low else 0.5
    return float(m.delay_ps[at - 1] + fraction * (m.delay_ps[at] - m.delay_ps[at - 1]))


@dataclass(frozen=True)
class Chirp:
    """Zero time over wavelength, t0(λ) = Σ c_j ξ^j with ξ = 10³/λ − 10³/λ_ref, ps.

    `points` are the rises found at single wavelengths (nm, ps, used or not).
    """

    coefficients: tuple[float, ...]
    standard_errors: tuple[float, ...]
    reference_nm: float
    fwhm_ps: float
    points: np.ndarray

    def __call__(self, wavelength_nm):
        xi = 1e3 / np.asarray(wavelength_nm, float) - 1e3 / self.reference_nm
        return np.polynomial.polynomial.polyval(xi, self.coefficients)


def find_chirp(
    m: Matrix,
    *,
    order: int = 2,
    fwhm_ps: float = 0.15,
    reference_nm: float | None = None,
    window_ps: float = 2.0,
) -> Chirp:
    """Zero time at each wavelength from its rise, and a robust polynomial in 1/λ through it.

    Each wavelength's early transient is fitted by two decays, a step and an artefact through a Gaussian response, the centre scanned over a
    grid and refined; wavelengths with little signal weigh little, and those far off the polynomial (Tukey's biweight) nothing.

    Raises
    ------
    ValueError
        If fewer than `order + 2` wavelengths show a rise.
    """
    reference = float(np.median(m.wavelength_nm)) if reference_nm is None else reference_nm
    centre = estimate_t0(m)
    early = np.abs(m.delay_ps - centre) < max(window_ps, 4 * fwhm_ps)
    t = m.delay_ps[early]
    if len(t) < 8:
        raise ValueError(
            f"{m.name}: chirp: expected at least 8 delays within {window_ps:g} ps of the rise, found {len(t)}"
        )
    groups = max(1, len(m.wavelength_nm) // 96)
    coarse = bin_wavelengths(m, groups) if groups > 1 else m
    y = filled(m.delay_ps, coarse.signal)[early]
    grid = np.linspace(t[0], t[-1], max(60, int(4 * np.ptp(t) / fwhm_ps)))
    s = fwhm_ps / FWHM_PER_SIGMA
    costs = np.empty((len(grid), y.shape[1]))
    for i, g in enumerate(grid):
        x = (t - g)[:, None]
        c = np.concatenate(
            [
                gaussian_decay(x, np.array([0.0, 1 / (4 * fwhm_ps), 0.2]), s),
                gaussian(x, s) * s,
                np.ones_like(x),
            ],
            1,
        )
        q, _ = np.linalg.qr(c)
        costs[i] = np.sum(y**2, 0) - np.sum((q.T @ y) ** 2, 0)
    best = np.argmin(costs, axis=0)
    inner = np.clip(best, 1, len(grid) - 2)
    a, b, c = (costs[inner + d, np.arange(len(best))] for d in (-1, 0, 1))
    curvature = a - 2 * b + c
    shift = np.where(curvature > 0, 0.5 * (a - c) / np.where(curvature > 0, curvature, 1), 0.0)
    rise = grid[inner] + np.clip(shift, -1, 1) * (grid[1] - grid[0])
    flat = np.sum((y - y.mean(0)) ** 2, 0)
    strength = np.where(
        (best > 0) & (best < len(grid) - 1), np.maximum(flat - b, 0) / np.maximum(b, 1e-300), 0.0
    )
    # Two parameters' worth of improvement is what noise gives; below ten times that there is no rise to be seen.
    usable = strength > 10.0 * 4 / len(t)
    if usable.sum() < order + 2:
        raise ValueError(
            f"{m.name}: chirp: expected a rise at {order + 2} wavelengths at least, found {int(usable.sum())}; lower the order or give the dispersion"
        )
    xi = 1e3 / coarse.wavelength_nm - 1e3 / reference
    design = np.vander(xi, order + 1, increasing=True)
    weight = np.where(usable, np.sqrt(np.minimum(strength, np.median(strength[usable]))), 0.0)
    robust = np.ones_like(weight)
    # Start from the median's neighbourhood so that wavelengths locked to a later feature do not bend the first polynomial.
    for _ in range(30):
        w = weight * np.sqrt(robust)
        coefficients = np.linalg.lstsq(design * w[:, None], rise * w, rcond=None)[0]
        off = rise - design @ coefficients
        scale = max(1.4826 * np.median(np.abs(off[usable])), 0.02 * fwhm_ps)
        robust = np.where(np.abs(off) < 4.7 * scale, (1 - (off / (4.7 * scale)) ** 2) ** 2, 0.0)
    w = weight * np.sqrt(robust)
    used = w > 0
    dof = max(used.sum() - order - 1, 1)
    covariance = (
        np.linalg.pinv((design * w[:, None]).T @ (design * w[:, None]))
        * np.sum((w * off) ** 2)
        / dof
    )
    return Chirp(
        tuple(float(x) for x in coefficients),
        tuple(float(x) for x in np.sqrt(np.diag(covariance))),
        reference,
        fwhm_ps,
        np.column_stack([coarse.wavelength_nm, rise, used]),
    )


def correct_chirp(m: Matrix, chirp, *, keep_zero: bool = True) -> Matrix:
    """The matrix on common delays: each wavelength's transient interpolated (linearly) to t + t0(λ).

    For maps and averages; a fit should rather have the dispersion as parameters, because interpolation smooths the noise.
    Delays outside what a wavelength has measured become NaN, missing cells stay missing, and delays that no wavelength has are dropped.

    Parameters
    ----------
    chirp : Chirp or callable
        t0(λ) in ps.
    keep_zero : bool
        Shift relative to t0 at the middle wavelength, so that zero stays where it was; else to t0 = 0.
    """
    t0 = np.asarray(chirp(m.wavelength_nm), float)
    shift = t0 - (float(np.median(t0)) if keep_zero else 0.0)
    signal = _shifted(m.delay_ps, m.signal, shift)
    keep = np.isfinite(signal).any(axis=1)
    error = None
    if m.standard_error is not None:
        error = np.where(np.isfinite(signal), _shifted(m.delay_ps, m.standard_error, shift), np.nan)
        error = error[keep]
    return replace(
        m,
        delay_ps=m.delay_ps[keep],
        signal=signal[keep],
        standard_error=error,
        steps=(*m.steps, f"chirp of {np.ptp(t0):.3g} ps corrected by interpolation"),
    )


def _shifted(t, values, shift):
    """Each column at t + its shift, interpolated between neighbours that are both there; NaN outside what was measured.

    The last delays, far beyond any dynamics on the scale of the chirp, may keep their value.
    """
    out = np.empty_like(values)
    tail = t > t[-1] - np.abs(shift).max() - 1e-12
    for j, (d, y) in enumerate(zip(shift, values.T, strict=True)):
        x = t + d
        at = np.clip(np.searchsorted(t, x, side="right") - 1, 0, len(t) - 2)
        part = (x - t[at]) / (t[at + 1] - t[at])
        left, right = np.where(part == 1, 0, y[at]), np.where(part == 0, 0, y[at + 1])
        value = np.where((part < 0) | (part > 1), np.nan, (1 - part) * left + part * right)
        out[:, j] = np.where(tail & (x > t[-1]), y[-1], value)
    return out


def struck_delays(m: Matrix, *, threshold: float = 8.0) -> tuple[float, ...]:
    """Delays at which the whole spectrum stands off although its neighbours agree: a laser hiccup, a bubble. For a person to drop.

    A delay is named when its distance from the line between its neighbours is `threshold` times the usual one and twice the
    distance between them (the rise and the coherent artefact have unlike neighbours).
    """
    y = filled(m.delay_ps, m.signal)
    if len(y) < 8:
        return ()
    share = ((m.delay_ps[1:-1] - m.delay_ps[:-2]) / (m.delay_ps[2:] - m.delay_ps[:-2]))[:, None]
    off = np.sqrt(np.mean((y[1:-1] - (1 - share) * y[:-2] - share * y[2:]) ** 2, axis=1))
    beside = np.sqrt(np.mean((y[2:] - y[:-2]) ** 2, axis=1))
    largest = off >= np.maximum(np.r_[0, off[:-1]], np.r_[off[1:], 0])
    bad = (off > threshold * np.median(off)) & (off > 2 * beside) & largest
    return tuple(float(t) for t in m.delay_ps[1:-1][bad])


def drop_delays(m: Matrix, delays_ps: Sequence[float]) -> Matrix:
    """Without the delays nearest to the given ones.

    Raises
    ------
    ValueError
        For a delay that is not within a hundredth of the smallest step of one in the data.
    """
    step = 0.01 * float(np.diff(m.delay_ps).min())
    at = [int(np.argmin(np.abs(m.delay_ps - t))) for t in delays_ps]
    strange = [t for t, i in zip(delays_ps, at, strict=True) if abs(m.delay_ps[i] - t) > max(step, 1e-4 * abs(t))]
    if strange:
        raise ValueError(f"{m.name}: no delay at {', '.join(f'{t:g}' for t in strange)} ps")
    keep = np.ones(len(m.delay_ps), bool)
    keep[at] = False
    named = ", ".join(f"{m.delay_ps[i]:.4g}" for i in at)
    return m.take(delays=keep, step=f"delays dropped: {named} ps") if at else m
