"""From measured matrices to matrices that can be fitted: every step a pure function, recorded in
the result's `steps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian, gaussian_decay
from peled.transient_absorption.matrices import (
    Matrix,
    bin_wavelengths,
    estimate_t0,
    filled,
    matrix,
)
from peled.transient_absorption.scans import average_scans, smooth_errors

__all__ = [
    "Chirp",
    "Matrix",
    "average_scans",
    "band_average",
    "bin_wavelengths",
    "correct_chirp",
    "crop",
    "drop_delays",
    "estimate_t0",
    "find_chirp",
    "find_scatter",
    "weigh",
    "from_transmission",
    "mask",
    "matrix",
    "reject_spikes",
    "smooth_errors",
    "struck_delays",
    "subtract_background",
]


def crop(
    m: Matrix,
    *,
    wavelength_nm: tuple[float, float] | None = None,
    delay_ps: tuple[float, float] | None = None,
) -> Matrix:
    """The part inside closed ranges.

    Parameters
    ----------
    m : Matrix
    wavelength_nm, delay_ps : (float, float), optional
        Lowest and highest; None: all.

    Returns
    -------
    Matrix

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
            f"{m.name}: nothing between {' and '.join(said)}; it spans {m.wavelength_nm[0]:g} to "
            f"{m.wavelength_nm[-1]:g} nm, {m.delay_ps[0]:g} to {m.delay_ps[-1]:g} ps"
        )
    return m.take(rows, columns_, "cropped to " + ", ".join(said))


def subtract_background(m: Matrix, before_ps: float | None = None) -> Matrix:
    """Subtract each wavelength's mean before its own rise.

    A wavelength whose signal is there from the first delay on has no background in the data and
    none is subtracted; neither is it where nothing rises.

    Parameters
    ----------
    before_ps : float, optional
        Only delays before this count, and of those only the ones before the rise of the wavelength;
        by default
        the first 70 % of the time before it.

    Returns
    -------
    Matrix
    """
    found = m.rise
    if before_ps is None and not found.seen:
        said = "no delay lies before the rise" if found.late else "nothing rises"
        return replace(m, steps=(*m.steps, f"background: none subtracted, {said}"))
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
        return replace(
            m, steps=(*m.steps, "background: none subtracted, no delay lies before the rise")
        )
    used = number[number > 0]
    how = f"{used.min()}" if used.min() == used.max() else f"{used.min()} to {used.max()}"
    said = f"background: mean of {how} delays before the rise subtracted"
    if none:
        said += f", none at {none} wavelengths whose signal is there from the first delay on"
    return replace(m, signal=m.signal - mean, steps=(*m.steps, said))


def mask(m: Matrix, *regions_nm: tuple[float, float]) -> Matrix:
    """Drop wavelength regions, such as the scattered pump.

    Parameters
    ----------
    m : Matrix
    *regions_nm : (float, float)
        Lowest and highest wavelength, nm.

    Returns
    -------
    Matrix
        Without them.

    Raises
    ------
    ValueError
        If no wavelength is left.
    """
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


def weigh(m: Matrix, *regions: tuple[float, float, float]) -> Matrix:
    """Wavelength regions with a weight of their own in fits, such as a noisy end of the probe of a
    single scan, whose noise no further scan tells.

    Parameters
    ----------
    m : Matrix
    *regions : (float, float, float)
        Lowest and highest wavelength in nm, and the factor by which residuals there count; that of
        all others is 1.

    Returns
    -------
    Matrix
        With standard errors divided by the factors: its own, or 1 where it has none.

    Raises
    ------
    ValueError
        For a weight that is not positive; `mask` leaves wavelengths out.
    """
    if not regions:
        return m
    factor = np.ones(len(m.wavelength_nm))
    for low, high, weight in regions:
        if not weight > 0:
            raise ValueError(f"{m.name}: expected positive weights, found {weight:g}; use a mask")
        factor[(m.wavelength_nm >= low) & (m.wavelength_nm <= high)] *= weight
    error = np.ones(m.shape) if m.standard_error is None else m.standard_error
    said = ", ".join(f"{w:g} from {low:g} to {high:g} nm" for low, high, w in regions)
    return replace(m, standard_error=error / factor, steps=(*m.steps, f"weight {said}"))


def find_scatter(m: Matrix) -> tuple[tuple[float, float], ...]:
    """Wavelength regions in which the signal before zero time fluctuates or stands far above its
    neighbours: pump scatter, dead pixels.

    The scale is the median over wavelengths of the standard deviation before zero; a region begins
    where it is passed five times.

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    tuple of (float, float)
        Lowest and highest wavelength of each region, nm; for `mask`.
    """
    # before the rise of each wavelength, with distance from it
    first = m.delay_ps[0]
    latest = first + 0.7 * (np.fmin(m.rise.onset_ps, estimate_t0(m)) - first)
    early = np.where(m.delay_ps[:, None] < latest, m.signal, np.nan)
    number = np.isfinite(early).sum(axis=0)
    if number.max() < 3:
        return ()
    mean = np.nansum(early, axis=0) / np.maximum(number, 1)
    square = np.nansum((early - mean) ** 2, axis=0) / np.maximum(number, 1)
    spread = np.where(number > 2, np.sqrt(square), 0.0)  # of fewer nothing is said
    scale = np.median(spread[spread > 0]) if np.any(spread > 0) else 0.0
    bad = spread > 5.0 * scale
    edges = np.flatnonzero(np.diff(np.r_[False, bad, False].astype(int)))
    return tuple(
        (float(m.wavelength_nm[a]), float(m.wavelength_nm[b - 1]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def reject_spikes(m: Matrix, *, threshold: float = 10.0) -> Matrix:
    """Mask single points that stand out from their neighbours by `threshold` robust standard
    deviations.

    A point must stand out against the mean of its two neighbours in delay *and* of those in
    wavelength: the rise and the coherent artefact are steep in delay but smooth in wavelength, a
    narrow band the reverse. The scale of each is the median over the row and the column. Masked
    points are NaN and the fit does not use them.

    Parameters
    ----------
    m : Matrix
    threshold : float
        In robust standard deviations.

    Returns
    -------
    Matrix
        With their number in `steps`.

    References
    ----------
    .. [1] F. R. Hampel, J. Am. Stat. Assoc. 69, 383 (1974), doi:10.1080/01621459.1974.10482962
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


def band_average(m: Matrix, low_nm: float, high_nm: float) -> np.ndarray:
    """Mean transient over a band of wavelengths, shape (nt,); NaN where the data do not reach into
    it.

    Parameters
    ----------
    m : Matrix
    low_nm, high_nm : float

    Returns
    -------
    ndarray, shape (nt,)
    """
    inside = (m.wavelength_nm >= low_nm) & (m.wavelength_nm <= high_nm)
    if not inside.any():
        return np.full(len(m.delay_ps), np.nan)
    part = m.signal[:, inside]
    number = np.isfinite(part).sum(1)
    return np.where(number > 0, np.nansum(part, axis=1) / np.maximum(number, 1), np.nan)


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
    window_ps: float = 2.0,
) -> Chirp:
    """Zero time at each wavelength from its rise, and a robust polynomial in 1/λ through it.

    Each wavelength's early transient is fitted by two decays, a step and an artefact through a
    Gaussian response, the centre scanned over a grid and refined; wavelengths with little signal
    weigh little, and those far off the polynomial (Tukey's biweight) nothing.

    Parameters
    ----------
    m : Matrix
    order : int
        Of the polynomial.
    fwhm_ps : float
        Of the response.
    window_ps : float
        Delays this near to the rise count, or within four widths where that is more.

    Returns
    -------
    Chirp

    Raises
    ------
    ValueError
        If fewer than `order + 2` wavelengths show a rise, or fewer than 8 delays are near it.

    References
    ----------
    .. [1] S. A. Kovalenko et al., Phys. Rev. A 59, 2369 (1999), doi:10.1103/PhysRevA.59.2369
    """
    reference = float(np.median(m.wavelength_nm))
    centre = estimate_t0(m)
    early = np.abs(m.delay_ps - centre) < max(window_ps, 4 * fwhm_ps)
    t = m.delay_ps[early]
    if len(t) < 8:
        raise ValueError(
            f"{m.name}: chirp: expected at least 8 delays within {window_ps:g} ps of the rise, "
            f"found {len(t)}"
        )
    groups = max(1, len(m.wavelength_nm) // 96)
    coarse = bin_wavelengths(m, groups) if groups > 1 else m
    rise, strength = _rises(t, filled(m.delay_ps, coarse.signal)[early], fwhm_ps)
    # Noise gives two parameters' worth of improvement; below twenty times that no rise is seen.
    usable = strength > 40 / len(t)
    if usable.sum() < order + 2:
        raise ValueError(
            f"{m.name}: chirp: expected a rise at {order + 2} wavelengths at least, found "
            f"{int(usable.sum())}; lower the order or give the dispersion"
        )
    xi = 1e3 / coarse.wavelength_nm - 1e3 / reference
    design = np.vander(xi, order + 1, increasing=True)
    weight = np.where(usable, np.sqrt(np.minimum(strength, np.median(strength[usable]))), 0.0)
    coefficients, covariance, used = _biweight(design, rise, weight, 0.02 * fwhm_ps)
    return Chirp(
        tuple(float(x) for x in coefficients),
        tuple(float(x) for x in np.sqrt(np.diag(covariance))),
        reference,
        fwhm_ps,
        np.column_stack([coarse.wavelength_nm, rise, used]),
    )


def _rises(t, y, fwhm_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre of the response in each transient (nt, n), and by what share of the rest a rise there
    describes it better than a constant; 0 at the ends of the delays."""
    grid = np.linspace(t[0], t[-1], max(60, int(4 * np.ptp(t) / fwhm_ps)))
    s = fwhm_ps / FWHM_PER_SIGMA
    costs = np.empty((len(grid), y.shape[1]))
    for i, g in enumerate(grid):
        x = (t - g)[:, None]
        decays = gaussian_decay(x, np.array([0.0, 1 / (4 * fwhm_ps), 0.2]), s)
        q, _ = np.linalg.qr(np.concatenate([decays, gaussian(x, s), np.ones_like(x)], 1))
        costs[i] = np.sum(y**2, 0) - np.sum((q.T @ y) ** 2, 0)
    best = np.argmin(costs, axis=0)
    inner = np.clip(best, 1, len(grid) - 2)
    a, b, c = (costs[inner + d, np.arange(len(best))] for d in (-1, 0, 1))
    curvature = a - 2 * b + c
    shift = np.where(curvature > 0, 0.5 * (a - c) / np.where(curvature > 0, curvature, 1), 0.0)
    rise = grid[inner] + np.clip(shift, -1, 1) * (grid[1] - grid[0])
    gain = np.maximum(np.sum((y - y.mean(0)) ** 2, 0) - b, 0) / np.maximum(b, 1e-300)
    return rise, np.where(best == inner, gain, 0.0)


def _biweight(design, y, weight, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (p,) of a weighted regression by Tukey's biweight at 4.7 robust standard
    deviations, of `least` at the least, their covariance (p, p), and which points count."""
    usable, robust = weight > 0, np.ones_like(weight)
    for _ in range(30):
        w = weight * np.sqrt(robust)
        coefficients = np.linalg.lstsq(design * w[:, None], y * w, rcond=None)[0]
        off = y - design @ coefficients
        reach = 4.7 * max(1.4826 * np.median(np.abs(off[usable])), least)
        robust = np.where(np.abs(off) < reach, (1 - (off / reach) ** 2) ** 2, 0.0)
    w = weight * np.sqrt(robust)
    used = w > 0
    dof = max(used.sum() - design.shape[1], 1)
    inverse = np.linalg.pinv((design * w[:, None]).T @ (design * w[:, None]))
    covariance = inverse * np.sum((w * off) ** 2) / dof
    return coefficients, covariance, used


def correct_chirp(m: Matrix, chirp, *, keep_zero: bool = True) -> Matrix:
    """The matrix on common delays: each wavelength's transient interpolated (linearly) to t +
    t0(λ).

    For maps and averages; a fit should rather have the dispersion as parameters, because
    interpolation smooths the noise. Delays outside what a wavelength has measured become NaN,
    missing cells stay missing, and delays that no wavelength has are dropped.

    Parameters
    ----------
    chirp : Chirp or callable
        t0(λ) in ps.
    keep_zero : bool
        Shift relative to t0 at the middle wavelength, so that zero stays where it was; else to t0 =
        0.

    Returns
    -------
    Matrix

    References
    ----------
    .. [1] S. A. Kovalenko et al., Phys. Rev. A 59, 2369 (1999), doi:10.1103/PhysRevA.59.2369
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
    """Each column at t + its shift, interpolated between neighbours that are both there; NaN
    outside what was measured.

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


def struck_delays(m: Matrix) -> tuple[float, ...]:
    """Delays at which the whole spectrum stands off although its neighbours agree: a laser hiccup,
    a bubble. For a person to drop.

    A delay is named when its distance from the line between its neighbours is `threshold` times the
    usual one and twice the distance between them (the rise and the coherent artefact have unlike
    neighbours).

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    tuple of float
        Delays, ps.
    """
    y = filled(m.delay_ps, m.signal)
    if len(y) < 8:
        return ()
    share = ((m.delay_ps[1:-1] - m.delay_ps[:-2]) / (m.delay_ps[2:] - m.delay_ps[:-2]))[:, None]
    off = np.median(np.abs(y[1:-1] - (1 - share) * y[:-2] - share * y[2:]), axis=1)
    beside = np.median(np.abs(y[2:] - y[:-2]), axis=1)
    largest = off >= np.maximum(np.r_[0, off[:-1]], np.r_[off[1:], 0])
    bad = (off > 8.0 * np.median(off)) & (off > 2 * beside) & largest
    return tuple(float(t) for t in m.delay_ps[1:-1][bad])


def drop_delays(m: Matrix, delays_ps: Sequence[float]) -> Matrix:
    """Without the delays nearest to the given ones.

    Parameters
    ----------
    m : Matrix
    delays_ps : sequence of float

    Returns
    -------
    Matrix

    Raises
    ------
    ValueError
        For a delay that is not within a hundredth of the smallest step of one in the data.
    """
    step = 0.01 * float(np.diff(m.delay_ps).min())
    at = [int(np.argmin(np.abs(m.delay_ps - t))) for t in delays_ps]
    strange = [
        t
        for t, i in zip(delays_ps, at, strict=True)
        if abs(m.delay_ps[i] - t) > max(step, 1e-4 * abs(t))
    ]
    if strange:
        raise ValueError(f"{m.name}: no delay at {', '.join(f'{t:g}' for t in strange)} ps")
    keep = np.ones(len(m.delay_ps), bool)
    keep[at] = False
    named = ", ".join(f"{m.delay_ps[i]:.4g}" for i in at)
    return m.take(delays=keep, step=f"delays dropped: {named} ps") if at else m


def from_transmission(change) -> np.ndarray:
    """ΔA = −lg(1 + ΔT/T) of a relative change of the transmission.

    Parameters
    ----------
    change : array
        ΔT/T; NaN is given where it is -1 or less.

    Returns
    -------
    ndarray
        ΔA in OD.

    References
    ----------
    .. [1] R. Berera, R. van Grondelle, J. T. M. Kennis, Photosynth. Res. 101, 105 (2009),
           doi:10.1007/s11120-009-9454-y

    Examples
    --------
    >>> from_transmission(np.array([-0.1])).round(4)
    array([0.0458])
    """
    change = np.asarray(change, float)
    return -np.log10(np.where(change > -1, 1 + change, np.nan))
