"""Scans of one matrix: on common axes, averaged by their scatter, with errors and what changed from
the first to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from peled.transient_absorption.matrices import Matrix

# Mean of the median absolute deviation of few normal values is too small by these factors for 2, 3,
# ... of them
# (C. Croux, P. J. Rousseeuw, Computational Statistics 1, 411 (1992), DOI
# 10.1007/978-3-662-26811-7_58).
_FEW = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
_OUTLYING = 5.0  # robust standard deviations off the median over the scans: left out
_DRIFT = 4.0  # standard errors from which on a change over the scans is said
_LEAST_DRIFT = 0.02  # and its least size over all scans


def average_scans(scans: Sequence[Matrix], *, name: str | None = None) -> Matrix:
    """Mean of scans, each weighted by its scatter, with standard errors; outlying points and scans
    are left out.

    Parameters
    ----------
    scans : sequence of Matrix
        At least two. Pixels and delays may be missing in some; the mean has all that any scan has.
    name : str, optional
        Of the mean; by default that of the first scan.

    Returns
    -------
    Matrix
        With `standard_error` (None for identical scans). Where a point was measured in one scan
        only its error is that of the scan's other points.
        A signal that grows or fades over the scans stands in `notes`.

    Raises
    ------
    ValueError
        For fewer than two scans, or scans that share no delay or wavelength with the first.

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207
    """
    scans = list(scans)
    if len(scans) < 2:
        raise ValueError(f"scans: expected at least 2, found {len(scans)}")
    delay, wavelength, stack = on_common_axes(scans)
    good, lost = _good(stack)
    variance = _scan_variances(np.where(good, stack, np.nan))
    weight = np.where(good, 1 / variance[:, None, None], 0.0)
    total = weight.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(good, weight * np.where(good, stack, 0), 0).sum(0) / total
        n = good.sum(0)
        # Scatter about the weighted mean, in units of each scan's own variance; 1 where the scans
        # say so.
        squares = np.where(good, weight * (stack - mean) ** 2, 0).sum(0)
        spread = squares / np.maximum(n - 1, 1)
    # Few scans tell little at one point: their scatter there is averaged with that of all points,
    # as if of two scans more.
    level = np.nansum(np.where(n > 1, spread * (n - 1), 0)) / max(float(np.sum(n[n > 1] - 1)), 1)
    spread = (np.where(n > 1, spread * (n - 1), 0) + 2 * level) / (np.maximum(n - 1, 0) + 2)
    if len(scans) - lost.sum() > 8:  # enough to say it at each point
        spread = np.where(n > 8, squares / np.maximum(n - 1, 1), spread)
    error = np.where(n > 0, np.sqrt(spread / np.where(total > 0, total, 1)), np.nan)
    if not np.nanmedian(error) > 1e-9 * np.nanmax(np.abs(mean)):
        error = None  # copies of one scan say nothing of the noise
    rejected = int((~good[~lost] & np.isfinite(stack[~lost])).sum())
    step = f"mean of {len(scans) - int(lost.sum())} scans"
    step += f", {int(lost.sum())} whole scans left out" if lost.any() else ""
    step += f", {rejected} outlying points left out" if rejected else ""
    return replace(
        scans[0],
        delay_ps=delay,
        wavelength_nm=wavelength,
        signal=np.where(n > 0, mean, np.nan),
        standard_error=error,
        name=name or scans[0].name,
        steps=(*scans[0].steps, step),
        notes=(*scans[0].notes, *_drift(stack, good, mean, weight)),
    )


def on_common_axes(scans):
    """All scans on the delays and wavelengths that any of them has, shape (scans, nt, nw).

    Parameters
    ----------
    scans : sequence of Matrix

    Returns
    -------
    delay_ps : ndarray, shape (nt,)
    wavelength_nm : ndarray, shape (nw,)
    stack : ndarray, shape (scans, nt, nw)
        NaN where a scan has nothing.

    Raises
    ------
    ValueError
        If a scan lacks more than half of the delays or wavelengths of the first.
    """
    delay = _union([s.delay_ps for s in scans], 1e-9, 1e-9)
    wavelength = _union([s.wavelength_nm for s in scans], 1e-6, 0.0)
    stack = np.full((len(scans), len(delay), len(wavelength)), np.nan)
    for i, s in enumerate(scans):
        rows, columns = _places(delay, s.delay_ps), _places(wavelength, s.wavelength_nm)
        stack[i][np.ix_(rows, columns)] = s.signal
        seen = [
            np.isin(_places(a, s0), p).mean()
            for a, s0, p in (
                (delay, scans[0].delay_ps, rows),
                (wavelength, scans[0].wavelength_nm, columns),
            )
        ]
        if min(seen) < 0.5:
            raise ValueError(
                f"{s.name}: expected the delays and wavelengths of {scans[0].name} "
                f"({scans[0].shape}), found others ({s.shape})"
            )
    return delay, wavelength, stack


def _union(axes, relative: float, absolute: float):
    values = np.sort(np.concatenate(axes))
    new = np.diff(values) > absolute + relative * np.abs(values[1:])
    return values[np.r_[True, new]]


def _places(axis, values):
    return np.clip(np.searchsorted(axis, values - 1e-5 * np.abs(values) - 1e-8), 0, len(axis) - 1)


def _good(stack):
    """Which points count, and which scans are left out as a whole (a fifth of the points off: a
    blocked beam, a mode hop)."""
    few = _FEW[min(len(stack), len(_FEW) + 1) - 2] if len(stack) <= len(_FEW) + 1 else 1.0
    with np.errstate(invalid="ignore"), np.testing.suppress_warnings() as quiet:
        quiet.filter(RuntimeWarning)
        median = np.nanmedian(stack, axis=0)
        spread = few * 1.4826 * np.nanmedian(np.abs(stack - median), axis=0)
        # A chance agreement of a few scans must not reject the rest.
        scale = np.maximum(np.nan_to_num(spread), np.nanmedian(spread))
        far = np.abs(stack - median) > _OUTLYING * np.maximum(scale, 1e-300)
    measured = np.isfinite(stack)
    share = far.sum((1, 2)) / np.maximum(measured.sum((1, 2)), 1)
    lost = share > 0.2
    good = measured & ~far & ~lost[:, None, None]
    return good, lost


def _scan_variances(stack):
    """Variance of each scan's noise, from the differences of pairs: mean square of j − k is the sum
    of their variances."""
    n = len(stack)
    if n == 2:
        return np.ones(2)
    pair = np.zeros((n, n))
    middle = np.nanmean(stack, axis=0) if n > 12 else None
    if middle is not None:  # many scans: against their mean, of which each is a small part
        square = (stack - middle) ** 2
        count = np.isfinite(square).sum(axis=(1, 2))  # none in a scan that is all missing
        found = np.nansum(square, axis=(1, 2)) / np.maximum(count, 1)
        return _bounded(np.where(count, found, np.nan))
    for j in range(n):
        for k in range(j):
            square = (stack[j] - stack[k]) ** 2
            pair[j, k] = pair[k, j] = np.nanmean(square) if np.isfinite(square).any() else np.nan
    row = np.nan_to_num(pair).sum(1)
    return _bounded((row - row.sum() / 2 / (n - 1)) / (n - 2))


def _bounded(variance):
    """No scan counts more than ten times the typical one: its variance may be small by chance."""
    typical = float(
        np.median(
            variance[np.isfinite(variance) & (variance > 0)],
        )
        if np.any(variance > 0)
        else 1.0
    )
    return np.where(np.isfinite(variance), np.maximum(variance, 0.1 * typical), 1e6 * typical)


def _drift(stack, good, mean, weight) -> tuple[str, ...]:
    """A note where the signal's size changes steadily over the scans."""
    found = _slope(stack, good, mean, weight)
    if found is None:
        return ()
    slope, error, scans = found
    whole = slope * scans
    if abs(slope) < _DRIFT * error or abs(whole) < _LEAST_DRIFT:
        return ()
    verb = "falls" if whole < 0 else "grows"
    return (
        f"the signal {verb} by {100 * abs(whole):.0f} ± {100 * error * scans:.0f} % over the scans",
    )


def loss_over_scans(stack: np.ndarray) -> tuple[float, float] | None:
    """Relative change of the signal from one scan to the next, and its standard error; None for
    fewer than three scans.

    Parameters
    ----------
    stack : ndarray, shape (scans, nt, nw)
        NaN where missing.

    Returns
    -------
    (float, float) or None
    """
    good = np.isfinite(stack)
    number = good.sum(0)
    mean = np.where(good, stack, 0).sum(0) / np.where(number, number, np.nan)
    weight = 1 / _scan_variances(np.where(good, stack, np.nan))
    found = _slope(stack, good, mean, weight[:, None, None])
    return found and found[:2]


def _slope(stack, good, mean, weight) -> tuple[float, float, float] | None:
    """Change of the signal's size a scan, its standard error, and the scans from first to last."""
    filled = np.nan_to_num(mean)
    use = good & np.isfinite(mean)
    square = np.where(use, weight * filled**2, 0).sum((1, 2))
    used = square > 0
    if used.sum() < 3:
        return None
    size = np.where(use, weight * filled * np.nan_to_num(stack), 0).sum((1, 2))[used] / square[used]
    order = np.flatnonzero(used) - np.flatnonzero(used).mean()
    slope = float(order @ size / (order @ order))
    rest = size - size.mean() - slope * order
    scatter = np.sqrt(np.mean(rest**2) * len(rest) / max(len(rest) - 2, 1))
    # What the noise of the points alone makes of it, should the scatter of few scans be small by
    # chance.
    alone = float(np.sqrt(np.mean(1 / square[used])))
    return slope, float(max(scatter, alone) / np.sqrt(order @ order)), float(np.ptp(order))


def smooth_errors(m: Matrix) -> Matrix:
    """Standard errors replaced by their best product of a delay and a wavelength profile.

    Errors from few scans scatter, and weighting by them costs efficiency; the product form also
    keeps the fit's exact data compression.

    Parameters
    ----------
    m : Matrix
        With standard errors, or it is given back.

    Returns
    -------
    Matrix
    """
    if m.standard_error is None:
        return m
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(m.standard_error)
    seen = np.isfinite(log)
    log = np.where(seen, log, 0.0)
    row, column = np.zeros(log.shape[0]), np.zeros(log.shape[1])
    for _ in range(20 if not seen.all() else 2):  # means of the points that are there
        row = (np.where(seen, log - column, 0).sum(1)) / np.maximum(seen.sum(1), 1)
        column = (np.where(seen, log - row[:, None], 0).sum(0)) / np.maximum(seen.sum(0), 1)
    profile = row[:, None] + column
    # The mean of the logarithm of a sample standard deviation lies below the logarithm of its mean:
    # same mean square as found.
    scale = np.sqrt(np.mean(m.standard_error[seen] ** 2) / np.mean(np.exp(2 * profile[seen])))
    return replace(
        m,
        standard_error=scale * np.exp(profile),
        steps=(*m.steps, "standard errors smoothed to delay × wavelength profiles"),
    )
