"""Making a spectrum ready: nm to eV, cosmic rays, baselines, and the noise when nobody recorded
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import optimize, special
from scipy.ndimage import median_filter

from peled.materials import HC_EV_NM


class EnergySpectrum(NamedTuple):
    """A spectrum per unit energy: `energy_eV` (m,) ascending, `signal` and `variance` (..., m);
    variance None if unknown."""

    energy_eV: np.ndarray
    signal: np.ndarray
    variance: np.ndarray | None


class Despiked(NamedTuple):
    """A cleaned spectrum or series and where points were replaced: `signal` and `spikes` (bool),
    both (..., m)."""

    signal: np.ndarray
    spikes: np.ndarray


def to_energy(
    wavelength_nm: np.ndarray, signal: np.ndarray, variance: np.ndarray | None = None
) -> EnergySpectrum:
    """A spectral density per nm as one per eV, with the Jacobian and, for the variance, its square.

    E = hc / lambda and I(E) = I(lambda) lambda^2 / hc (Mooney & Kambhampati, J. Phys. Chem. Lett. 4
    (2013) 3316). The area over the axis is kept, the shape is not: maxima move. Works on counts,
    photons or power alike.

    Parameters
    ----------
    wavelength_nm : (m,) array
        In any order, positive and distinct.
    signal : (m,) or (n, m) array
        Per nm (or per equal wavelength step).
    variance : array broadcastable to `signal`, optional

    Raises
    ------
    ValueError
        Wavelengths that are not positive or repeat, shapes that do not fit, values that are not
        finite.
    """
    wavelength = _axis(wavelength_nm, "wavelength_nm")
    signal = np.asarray(signal, float)
    _match(wavelength, signal, "signal")
    if not (wavelength > 0).all():
        place = int(np.argmin(wavelength))
        raise ValueError(
            f"wavelength_nm: point {place}: expected positive wavelengths, found "
            f"{wavelength[place]}"
        )
    order = np.argsort(-wavelength)
    wavelength = wavelength[order]
    jacobian = wavelength**2 / HC_EV_NM
    if variance is not None:
        variance = (
            np.broadcast_to(np.asarray(variance, float), signal.shape)[..., order] * jacobian**2
        )
    return EnergySpectrum(HC_EV_NM / wavelength, signal[..., order] * jacobian, variance)


def to_wavelength(energy_eV: np.ndarray, signal: np.ndarray):
    """The way back: a density per eV as one per nm. Returns (wavelength_nm ascending, signal)."""
    energy = _axis(energy_eV, "energy_eV")
    return tuple(to_energy(energy, signal))[:2]


def estimate_variance(y: np.ndarray) -> np.ndarray:
    """Variance of white noise on a smooth curve, from third differences (robust: median absolute).

    Shape (...,) for `y` (..., m). A curve that bends within four points is taken for noise;
    neighbours that the instrument has smoothed give too small a value.
    """
    y = np.asarray(y, float)
    if y.shape[-1] < 8:
        raise ValueError(
            f"y: expected at least 8 points to judge the noise by, found {y.shape[-1]}"
        )
    third = np.diff(y, 3, axis=-1)
    spread = np.median(np.abs(third), axis=-1) / 0.6744897501960817
    zero = spread == 0  # digitised or mostly flat data
    return np.where(zero, (third**2).mean(axis=-1), spread**2) / 20.0


def despike(
    signal: np.ndarray,
    *,
    variance: np.ndarray | float | None = None,
    threshold: float = 6.0,
    width: int = 3,
    series: bool = True,
) -> Despiked:
    """Replace cosmic rays: bright excursions of at most `width` points.

    A point is a spike when it stands more than `threshold` noise standard deviations above the
    median of its neighbourhood and, in a series of three spectra or more, as much above the same
    point of its neighbours in the series; so a sharp line that is in all of them stays. In a single
    spectrum a spike must instead rise or fall by 60 % of its height from one point to the next,
    which no line resolved by three points or more does. Spikes are replaced by a straight line
    between the points next to them.

    Parameters
    ----------
    signal : (m,) or (n, m) array
    variance : float or array broadcastable to `signal`, optional
        Of each point. Otherwise the noise is judged from the scatter around the running median,
        locally.
    threshold : float
    width : int
        Longest spike in points.
    series : bool
        Compare with the neighbours of a series.

    Returns
    -------
    Despiked
    """
    y = np.asarray(signal, float)
    table = np.atleast_2d(y)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(
            f"signal: expected finite values of shape (m,) or (n, m), found shape {y.shape}"
            + ("" if np.isfinite(table).all() else " with values that are not finite")
        )
    n, m = table.shape
    size = 2 * int(width) + 3
    if m < 2 * size:
        raise ValueError(
            f"signal: expected at least {2 * size} points to tell spikes of {width} points, found "
            f"{m}"
        )
    spikes = np.zeros_like(table, bool)
    given = (
        None
        if variance is None
        else np.sqrt(np.broadcast_to(np.asarray(variance, float), table.shape))
    )
    work = table.copy()
    for _ in range(2):  # the second pass finds small spikes beside large ones
        calm = median_filter(work, size=(1, size), mode="nearest")
        residual = work - calm
        if given is None:
            local = (
                median_filter(np.abs(residual), size=(1, 8 * size + 1), mode="nearest")
                / 0.6744897501960817
            )
            overall = np.sqrt(estimate_variance(work))[:, None]
            # where the curve bends its scatter about the median is not noise alone; the larger of
            # the two is safe
            noise = np.maximum(np.maximum(local, overall), 1e-12 * np.abs(work).max())
        else:
            noise = given
        bright = residual > threshold * noise
        # the flank of a narrow line also stands above its median: a spike rises within `width`
        # points, whatever the curvature
        reach = int(width) + 1
        padded = np.pad(work, ((0, 0), (reach, reach)), mode="edge")
        around = np.maximum(padded[:, :m], padded[:, 2 * reach :])
        bright &= work - around > threshold * noise
        if series and n >= 3:
            before, after = np.roll(work, 1, axis=0), np.roll(work, -1, axis=0)
            before[0], after[-1] = work[2], work[-3]
            bright &= work - np.maximum(before, after) > threshold * noise
        else:
            bright = np.array(
                [
                    _abrupt(row, mask, rise, sd)
                    for row, mask, rise, sd in zip(work, bright, work - around, noise)
                ]
            )
        if not bright.any():
            break
        spikes |= bright
        for row in np.flatnonzero(bright.any(axis=1)):
            bad = spikes[row] | _beside(
                bright[row], residual[row], 3 * noise[row] if np.ndim(noise) else noise, int(width)
            )
            spikes[row] = bad
            good = ~bad
            work[row, bad] = np.interp(np.flatnonzero(bad), np.flatnonzero(good), table[row, good])
    return Despiked(work.reshape(y.shape), spikes.reshape(y.shape))


def _abrupt(y, bright, height, noise):
    """Of the runs of bright points, those with a step of 60 % of their height, and what noise adds,
    at either side."""
    keep = bright.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bright, [False]]).astype(int)))
    steps = np.abs(np.diff(y, prepend=y[0], append=y[-1]))
    for low, high in zip(edges[::2], edges[1::2]):
        near = slice(max(low - 1, 0), min(high + 2, len(steps)))
        if steps[near].max() < 0.6 * height[low:high].max() + 2 * noise[low:high].max():
            keep[low:high] = False
    return keep


def _beside(bright, residual, limit, width):
    """Neighbours of bright points that belong to the same spike."""
    near = np.convolve(bright, np.ones(2 * width - 1), mode="same") > 0 if width > 1 else bright
    return near & (residual > limit)


@dataclass(frozen=True)
class Baseline:
    """A baseline under a spectrum or series, with what is needed to pass its error on.

    Attributes
    ----------
    values : (m,) or (n, m) array
    basis : (n, m, k) array
        Derivatives of the baseline in its k coefficients.
    sensitivity : (n, k, m) array
        Derivatives of the coefficients in the data: baseline error = basis @ sensitivity @ data
        error.
    coefficients : (n, k) array
    kind : str
    """

    values: np.ndarray = field(repr=False)
    basis: np.ndarray = field(repr=False)
    sensitivity: np.ndarray = field(repr=False)
    coefficients: np.ndarray = field(repr=False)
    kind: str = ""


BASELINES = ("constant", "linear", "quadratic", "filter edge", "laser tail")


def baseline(
    x: np.ndarray,
    y: np.ndarray,
    kind: str = "constant",
    *,
    regions: Sequence[tuple[float, float]] | None = None,
    variance: np.ndarray | float | None = None,
    edge: tuple[float, float] | None = None,
    laser: float | None = None,
) -> Baseline:
    """Fit a baseline where there is no band.

    Parameters
    ----------
    x, y : (m,) and (m,) or (n, m) arrays
    kind : {"constant", "linear", "quadratic", "filter edge", "laser tail"}
        "filter edge": a background seen through a long-pass filter, c0 + c1 * (1 + erf((x - edge) /
        (sqrt(2) width))) / 2. "laser tail": c0 + c1 * exp(-|x - laser| / length), the length being
        fitted.
    regions : sequence of (low, high), optional
        Where there is only baseline, in units of `x`. Default: the outer tenth at each end.
    variance : float or array broadcastable to `y`, optional
        Weights.
    edge : (position, width), for "filter edge"
    laser : float, for "laser tail"
        Position of the laser line.

    Returns
    -------
    Baseline
        Give it to `moments` and its error is passed on exactly (for the tail's length, to first
        order).

    Raises
    ------
    ValueError
        Unknown kind, missing `edge` or `laser`, or too few points in `regions`.
    """
    x = _axis(x, "x")
    y = np.asarray(y, float)
    _match(x, y, "y")
    table = np.atleast_2d(y)
    n, m = table.shape
    if kind not in BASELINES:
        raise ValueError(f"kind: expected one of {', '.join(BASELINES)}, found {kind!r}")
    low, high = x.min(), x.max()
    if regions is None:
        regions = [(low, low + 0.1 * (high - low)), (high - 0.1 * (high - low), high)]
    use = np.zeros(m, bool)
    for a, b in regions:
        use |= (x >= min(a, b)) & (x <= max(a, b))
    weights = (
        np.ones((1, m))
        if variance is None
        else np.broadcast_to(
            1 / np.asarray(variance, float), (n, m) if np.ndim(variance) == 2 else (1, m)
        )
    )
    weights = np.where(use, weights, 0.0)
    middle, half = 0.5 * (low + high), max(0.5 * (high - low), 1e-300)
    t = (x - middle) / half
    if kind in ("constant", "linear", "quadratic"):
        basis = np.stack([t**k for k in range(BASELINES.index(kind) + 1)], axis=1)
    elif kind == "filter edge":
        if edge is None:
            raise ValueError("edge: expected (position, width) of the filter edge, found none")
        basis = np.stack(
            [
                np.ones(m),
                0.5 * (1 + special.erf((x - edge[0]) / (np.sqrt(2) * max(edge[1], 1e-300)))),
            ],
            axis=1,
        )
    else:
        if laser is None:
            raise ValueError("laser: expected the position of the laser line, found none")
        return _laser_tail(x, table, weights, use, laser, y.shape)
    if use.sum() <= basis.shape[1]:
        raise ValueError(
            f"regions: expected more than {basis.shape[1]} points of pure baseline, found "
            f"{int(use.sum())}"
        )
    sensitivity = _weighted_projection(basis[None], weights)
    coefficients = np.einsum(
        "nkm,nm->nk", np.broadcast_to(sensitivity, (n, *sensitivity.shape[1:])), table
    )
    values = coefficients @ basis.T
    return Baseline(
        values.reshape(y.shape),
        np.broadcast_to(basis, (n, *basis.shape)),
        np.broadcast_to(sensitivity, (n, *sensitivity.shape[1:])),
        coefficients,
        kind,
    )


def _weighted_projection(basis, weights):
    """(n, k, m) matrices that turn data into least-squares coefficients."""
    weighted = basis * weights[:, :, None]
    return np.linalg.solve(basis.transpose(0, 2, 1) @ weighted, weighted.transpose(0, 2, 1))


def _laser_tail(x, table, weights, use, laser, shape):
    away, n = np.abs(x - laser), len(table)
    if use.sum() <= 3:
        raise ValueError(
            f"regions: expected more than 3 points of pure baseline, found {int(use.sum())}"
        )
    step, span = np.ptp(x) / len(x), np.ptp(x)
    rows = []
    for i in range(n):
        w = weights[i if len(weights) > 1 else 0]

        def linear(log_length, w=w, y=table[i]):
            tail = np.exp(-(away - away[use].min()) / np.exp(log_length))
            basis = np.stack([np.ones_like(x), tail], axis=1)
            c = _weighted_projection(basis[None], w[None])[0] @ y
            return float(np.sum(w * (y - basis @ c) ** 2)), basis, c

        grid = np.linspace(np.log(2 * step), np.log(span), 25)
        best = grid[int(np.argmin([linear(g)[0] for g in grid]))]
        log_length = optimize.minimize_scalar(
            lambda g: linear(g)[0],
            bounds=(best - (grid[1] - grid[0]), best + (grid[1] - grid[0])),
            method="bounded",
            options={"xatol": 1e-10},
        ).x
        _, basis, c = linear(log_length)
        full = np.concatenate(
            [basis, (c[1] * basis[:, 1] * (away - away[use].min()) / np.exp(log_length))[:, None]],
            axis=1,
        )
        rows.append(
            (
                basis @ c,
                full,
                _weighted_projection(full[None], w[None])[0],
                np.append(c, np.exp(log_length)),
            )
        )
    values, full, sensitivity, coefficients = (np.array(part) for part in zip(*rows))
    return Baseline(values.reshape(shape), full, sensitivity, coefficients, "laser tail")


def _axis(x, name):
    x = np.asarray(x, float)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"{name}: expected an axis of at least 2 points, found shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}: point {int(np.flatnonzero(~np.isfinite(x))[0])}: expected finite values, "
            f"found {x[~np.isfinite(x)][0]}"
        )
    values, counts = np.unique(x, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{name}: expected distinct values, found {values[counts > 1][0]} {counts.max()} times"
        )
    return x


def _match(x, y, name):
    if y.ndim not in (1, 2) or y.shape[-1] != len(x):
        raise ValueError(f"{name}: expected shape ({len(x)},) or (n, {len(x)}), found {y.shape}")
    if not np.isfinite(y).all():
        place = np.argwhere(~np.isfinite(np.atleast_2d(y)))[0]
        raise ValueError(
            f"{name}: spectrum {place[0]}, point {place[1]}: expected finite values, found "
            f"{np.atleast_2d(y)[tuple(place)]}"
        )
