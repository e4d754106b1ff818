"""What can be read off a spectrum without a model: centroid, peak, width, area, each with
its error.

Every quantity is, near the data at hand, a linear function of the points. Its gradient is kept, so
errors follow from any variance, correlated noise or fitted baseline by one matrix product, and
quantities keep their covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from peled.lineshapes.spectra import _axis, _match, estimate_variance
from peled.lineshapes.starts import calm_and_top, run

#: Noise of a mean over the points above half, of the maximum, that is little, and next to none.
LITTLE, TINY = 0.002, 3e-5
#: Why a quantity of `Moments` is nan.
UNSEEN = {
    "peak": "the largest values lie at an end of the window: no maximum within it",
    "fwhm": "the band does not fall to half of its maximum on both sides within the window",
}


@dataclass(frozen=True)
class Moments:
    """Area, centroid, peak and FWHM of n spectra; scalars for one.

    Attributes
    ----------
    area, centroid, peak, fwhm : float or (n,) array
        In units of x and y. `peak` is nan where the maximum lies at an end of the window, `fwhm`
        where the half maximum is not reached inside it.
    area_se, centroid_se, peak_se, fwhm_se : float or (n,) array
        Standard errors.
    peak_read_off, fwhm_read_off : float or (n,) array
        What polynomials of these degrees miss of the shape, with its sign: a part of `peak_se` and
        `fwhm_se` that bands of one shape share.
    height : float or (n,) array
        Value at the peak.
    gradient : (4, m) or (n, 4, m) array
        Derivatives of the quantities by the points, in the order area, centroid, peak, fwhm; zero
        where a quantity is nan.
    """

    area: np.ndarray
    centroid: np.ndarray
    peak: np.ndarray
    fwhm: np.ndarray
    area_se: np.ndarray
    centroid_se: np.ndarray
    peak_se: np.ndarray
    fwhm_se: np.ndarray
    peak_read_off: np.ndarray
    fwhm_read_off: np.ndarray
    height: np.ndarray
    gradient: np.ndarray = field(repr=False)


def moments(
    x: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray | float | None = None,
    *,
    window: tuple[float, float] | None = None,
) -> Moments:
    """Measure spectra without a model.

    Parameters
    ----------
    x : (m,) array
        Ascending or descending axis.
    y : (m,) or (n, m) array
        One upright band, or several, above a baseline near zero.
    variance : float or array broadcastable to `y`, optional
        Of each point; for counts, the counts (at least 1). Without it white noise is estimated from
        the data.
    window : (low, high), optional
        Integrate here only. Area and centroid take all noise in the window, so it should not be
        wider than the emission.

    Returns
    -------
    Moments

    Raises
    ------
    ValueError
        Shapes that do not fit, an axis with repeats, an empty window, an area that is not positive.

    Notes
    -----
    Area and centroid by the trapezium rule. The peak is the maximum of a sextic through the points
    above 40 % of the maximum (60 % in little noise, a quartic in much); the half-maximum points
    come from quintics (cubics) through the flanks between 20 and 80 %: least squares over many
    points instead of one noisy maximum, at the price of a bias of about a third of the standard
    error for smooth bands. In little noise it is more, up to 0.3 % of the FWHM: by what polynomials
    of higher degree differ, beyond noise, it is in the errors. Lines with fewer than 9 points above
    half are measured on a polynomial through log(y), exact for a Gaussian. Where the mean over the
    points above half is known to no better than 2 % errors are too small: fit a band.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.1, doi:10.59161/JCGM100-2008E
    """
    x = _axis(x, "x")
    y = np.asarray(y, float)
    _match(x, y, "y")
    table = np.atleast_2d(y)
    n, m = table.shape
    if variance is None:
        variance = estimate_variance(table)[:, None]
    spread = np.broadcast_to(np.asarray(variance, float), (n, m))
    if not (np.isfinite(spread) & (spread >= 0)).all():
        raise ValueError("variance: expected finite values that are not negative")
    order = np.argsort(x)
    xs, ys = x[order], table[:, order]
    inside = np.ones(m, bool) if window is None else (xs >= min(window)) & (xs <= max(window))
    if inside.sum() < 5:
        raise ValueError(
            f"window: expected at least 5 points inside {window}, found {int(inside.sum())}"
        )
    cells = np.zeros(m)
    cells[inside] = _trapezium(xs[inside])
    area = ys @ cells
    if not (area > 0).all():
        bad = int(np.argmin(area))
        raise ValueError(
            f"y: expected a positive area in the window, found {area[bad]:.3g} in spectrum {bad}; "
            "subtract the baseline or take another window"
        )
    gradient = np.zeros((n, 4, m))
    values = np.full((n, 4), np.nan)
    values[:, 0], gradient[:, 0] = area, cells
    values[:, 1] = ys @ (cells * xs) / area
    gradient[:, 1] = cells * (xs - values[:, 1, None]) / area[:, None]
    height, missed = np.full(n, np.nan), np.zeros((n, 2))
    noise = spread[:, order][:, inside]
    xi, start = xs[inside], int(np.argmax(inside))
    for i in range(n):
        values[i, 2:], height[i], slopes, missed[i] = _peak_and_width(xi, ys[i, inside], noise[i])
        gradient[i, 2:4, start : start + len(xi)] = slopes
    back = np.empty_like(gradient)
    back[:, :, order] = gradient
    variances = (back**2 @ spread[:, :, None])[:, :, 0]
    variances[:, 2:] += missed**2
    errors = np.where(np.isnan(values), np.nan, np.sqrt(variances))
    parts = [*values.T, *errors.T, *missed.T, height]
    if y.ndim == 1:
        return Moments(*(float(part[0]) for part in parts), back[0])
    return Moments(*parts, back)


def _trapezium(x):
    weights = np.zeros(len(x))
    steps = np.diff(x)
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    return weights


def _peak_and_width(x, y, noise):
    """Peak and FWHM (2,) of one spectrum, its height, the gradients (2, m) of both in the points,
    and what both miss of its shape (2,): what they differ by, in little noise, from those of
    polynomials that are two degrees higher, beyond the noise of that difference."""
    calm, top = calm_and_top(y)
    low, high = run(calm > 0.5 * calm[top], top)
    relative = np.sqrt(noise[low:high].mean() / max(high - low, 1)) / max(calm[top], 1e-300)
    read = partial(_sharp_line, x, y, top)
    if high - low >= 9 or (found := read()) is None:
        read = partial(_smooth_band, x, y, calm, top, relative)
        found = read()
    finer = (relative < LITTLE and read(more=2)) or found
    off = np.nan_to_num(finer[0] - found[0])
    square = off**2 - (finer[2] - found[2]) ** 2 @ noise
    return *found, np.copysign(np.sqrt(np.maximum(square, 0.0)), off)


def _smooth_band(x, y, calm, top, relative, more=0):
    """Peak and FWHM (2,), height and the gradients (2, m) of a band of many points."""
    m = len(x)
    share, top_degree, flank_degree = _degrees(relative)
    low, high = run(calm > share * calm[top], top)
    low, high = _at_least(low, high, 5, m)
    peak, height, in_peak, in_height = _maximum(x[low:high], y[low:high], x[top], top_degree, more)
    slopes, full = np.zeros((2, m)), np.zeros(m)
    full[low:high] = in_height
    slopes[0, low:high] = in_peak
    flanks = [
        _crossing(x, y, calm, top, side, height, full, flank_degree, more) for side in (-1, 1)
    ]
    if any(crossing is None for crossing, _ in flanks):
        return np.array([peak, np.nan]), height, slopes
    (left, in_left), (right, in_right) = flanks
    slopes[1] = in_right - in_left
    return np.array([peak, right - left]), height, slopes


def _at_least(low, high, count, m):
    while high - low < min(count, m):
        low, high = max(low - 1, 0), min(high + 1, m)
    return low, high


def _sharp_line(x, y, top, more=0):
    """Peak and FWHM (2,), height and gradients (2, m) of a line of few points, from a polynomial
    through log(y); None where it fails."""
    m = len(x)
    low, high = run(y > 0.15 * y[top], top)
    low, high = _at_least(low, high, 4, m)
    if high - low < 4 or (y[low:high] <= 0).any():
        return None
    count = high - low
    degree = min((2 if count < 6 else 4) + more, count - 1)
    t0, scale = x[top], 0.5 * (x[high - 1] - x[low])
    t, weight = (x[low:high] - t0) / scale, y[low:high]
    project = (
        np.linalg.pinv(np.vander(t, degree + 1, increasing=True) * weight[:, None]) * weight
    )  # d log(y) = dy / y
    c = project @ np.log(y[low:high])
    polynomial = np.polynomial.Polynomial(c)
    slope, bend = polynomial.deriv(1), polynomial.deriv(2)
    powers = np.arange(degree + 1)
    peaks = [
        r.real
        for r in slope.roots()
        if abs(r.imag) < 1e-9 and t[0] <= r.real <= t[-1] and bend(r.real) < 0
    ]
    if not peaks:
        return None
    at = max(peaks, key=polynomial)
    in_log = project / weight  # gradients of the coefficients in y
    rise = np.where(powers > 0, powers * at ** np.maximum(powers - 1, 0), 0.0)
    gradients = np.zeros((2, m))
    gradients[0, low:high] = -scale * (rise @ in_log) / bend(at)
    edges = []
    for side in (-1, 1):
        ends = [
            r.real
            for r in (polynomial - (polynomial(at) - np.log(2))).roots()
            if abs(r.imag) < 1e-9 and (r.real - at) * side > 0
        ]
        if not ends:
            return None
        end = min(ends, key=lambda r: abs(r - at))
        if not t[0] - 0.5 <= end <= t[-1] + 0.5:
            return None
        edges.append(end)
        gradients[1, low:high] += side * scale * ((at**powers - end**powers) @ in_log) / slope(end)
    both = np.array([t0 + scale * at, scale * (edges[1] - edges[0])])
    return both, float(np.exp(polynomial(at))), gradients


def _degrees(relative: float) -> tuple[float, int, int]:
    """Share of the maximum from which on points make the peak, degree there and on the flanks.

    A polynomial over more of a band, or of lower degree, has less noise and more bias. Decided by
    the noise stated (of a mean over the points above half, of the maximum), not by its course: the
    bias is below a third of the standard error.
    """
    if relative > 0.014:
        return 0.4, 4, 3
    if relative > TINY:
        return (0.6 if relative < LITTLE else 0.4), 6, 5
    return 0.6, 8, 7


def _maximum(x, y, near, degree, more=0):
    """Maximum of the least-squares polynomial through a top (of lower degree where points are few,
    then `more`), with gradients in y; no position where it lies at an end."""
    count = len(x)
    middle, half = 0.5 * (x[0] + x[-1]), 0.5 * (x[-1] - x[0])
    t = (x - middle) / half
    degree = (degree if count >= 15 else 4 if count >= 9 else 2) + more
    project = np.linalg.pinv(np.vander(t, degree + 1, increasing=True))
    c = project @ y
    first, second = np.polynomial.Polynomial(c).deriv(1), np.polynomial.Polynomial(c).deriv(2)
    roots = first.roots()
    roots = roots[np.abs(roots.imag) < 1e-9].real
    roots = roots[(np.abs(roots) <= 1) & (second(roots) < 0)]
    polynomial = np.polynomial.Polynomial(c)
    if len(roots) == 0:
        at = float(np.clip((near - middle) / half, -1, 1))
        return (
            np.nan,
            float(polynomial(at)),
            np.zeros(count),
            at ** np.arange(degree + 1) @ project,
        )
    at = float(roots[np.argmax(polynomial(roots))])
    powers = np.arange(degree + 1)
    slope_row = np.where(powers > 0, powers * at ** np.maximum(powers - 1, 0), 0.0)
    in_peak = -half * (slope_row @ project) / second(at)
    return middle + half * at, float(polynomial(at)), in_peak, at**powers @ project


def _crossing(x, y, calm, top, side, height, in_height, degree, more=0):
    """Where one flank passes half of `height`, and its gradient in the points, by a polynomial of
    this degree (1 where points are few) and `more`."""
    m, half = len(x), 0.5 * height
    k = top
    while 0 <= k + side < m and calm[k] > half:
        k += side
    if calm[k] > half:
        return None, None
    # the flank: from 80 to 20 % of the height around the crossing
    inner, outer = k, k
    while inner != top and calm[inner] < 0.8 * height:
        inner -= side
    while (
        0 <= outer + side < m
        and calm[outer] > 0.2 * height
        and calm[outer + side] < calm[outer] + 0.1 * height
    ):
        outer += side
    low, high = min(inner, outer), max(inner, outer) + 1
    if high - low < 8:
        degree, low = 1, k - (side > 0) - more // 2
        low, high = max(low, 0), min(low + 2 + more, m)
    degree += more
    t0, scale = x[k], max(x[high - 1] - x[low], 1e-300)
    t = (x[low:high] - t0) / scale
    project = np.linalg.pinv(np.vander(t, degree + 1, increasing=True))
    c = project @ y[low:high]
    c[0] -= half
    roots = np.polynomial.Polynomial(c).roots()
    roots = roots[np.abs(roots.imag) < 1e-9].real
    roots = roots[(roots >= t[0] - 0.2) & (roots <= t[-1] + 0.2)]
    if len(roots) == 0:
        return None, None
    at = float(roots[np.argmin(np.abs(roots))])
    slope = float(np.polynomial.Polynomial(c).deriv()(at)) / scale
    if slope * side >= 0:
        return None, None
    gradient = 0.5 * in_height / slope
    gradient[low:high] -= at ** np.arange(degree + 1) @ project / slope
    return t0 + scale * at, gradient
