"""Optical gap from absorption: Tauc and Elliott, each with the spread that the choice of the fit
window makes.

Tauc's construction (J. Tauc, R. Grigorovici, A. Vancu, Phys. Status Solidi 15 (1966) 627) assumes
bands without excitons. In a perovskite the exciton sits below the gap and steepens the edge, so the
straight line lands lower: Elliott's formula (R. J. Elliott, Phys. Rev. 108 (1957) 1384; broadened
as in M. Saba et al., Nat. Commun. 5 (2014) 5049) carries the exciton, and the difference is the
bias.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from peled import separable
from peled.conditioning.noise import MEDIAN, third_differences
from peled.quantities import likeness_z, missed_share
from peled.separable import Sought, differences

REACH_EV = (0.25, 0.35)  #: of Elliott's window below and above the steepest point of the edge

#: Of interference: periods in eV (films of 0.15 to 3 µm) and amplitudes in absorbance (0.1 to 7 %).
PERIODS_EV = 1 / np.arange(0.5, 10.0, 0.2)
AMPLITUDES = np.geomspace(3e-4, 0.03, 14)

#: An edge rises by so many times what the spectrum does below it, over this much or twice its own
#: width; where less than its width is seen, interference of this amplitude is taken for granted.
RISES, BELOW_EV, UNSEEN = 8.0, 0.3, 0.01

#: Urbach energies, in broadenings, of tails that Elliott's law lacks; errors that show one.
TAILS, SHOWN = (1.15, 1.3, 1.5, 1.8, 2.2), 3.0

BROAD_EV = 0.4  #: an edge that rises over more is no exciton's
POWERS = {
    "direct": 2.0,
    "indirect": 0.5,
    "direct forbidden": 2.0 / 3.0,
    "indirect forbidden": 1.0 / 3.0,
}


@dataclass(frozen=True)
class TaucGap:
    """Gap by a straight line through (absorbance × E)^power.

    Attributes
    ----------
    gap_eV, standard_error_eV : float
        Intercept of the best window and its error by the scatter about the line.
    window_spread_eV : float
        Standard deviation of the intercepts of all acceptable windows: the systematic error.
    window_eV : (float, float)
    windows : int
        How many windows were acceptable.
    slope, intercept : float
        Of the best line, for drawing it.
    energy_eV, tauc : ndarray, shape (n,)
    """

    gap_eV: float
    standard_error_eV: float
    window_spread_eV: float
    window_eV: tuple[float, float]
    windows: int
    slope: float
    intercept: float
    energy_eV: np.ndarray = field(repr=False)
    tauc: np.ndarray = field(repr=False)

    @property
    def total_error_eV(self) -> float:
        """Statistical and window error together."""
        return float(np.hypot(self.standard_error_eV, self.window_spread_eV))


@dataclass(frozen=True)
class ElliottGap:
    """Gap with its exciton.

    Attributes
    ----------
    gap_eV, binding_eV, broadening_eV : float
        Continuum edge, exciton binding energy, width Γ of the sech line.
    errors_eV : tuple of float
        Standard errors of these three by the scatter about the fit.
    window_spread_eV : tuple of float
        Standard deviations over fit windows: the systematic error.
    interference_eV : tuple of float
        Standard errors by the interference that the spectrum may hold.
    tail_eV : tuple of float
        By how much they move with an exponential tail longer than the broadening's, as far as the
        spectrum shows one; 0 where it does not.
    window_eV : (float, float)
    energy_eV, absorbance, model, continuum : ndarray, shape (n,)
        Inside the window; `continuum` is the part without bound states, baseline included.
    interference : ndarray, shape (m, N)
        That interference, as independent curves of one standard deviation over all N energies as
        they were given, in absorbance.
    misfit_z, missed : float
        Likeness of neighbours in what law and interference leave, and how much that is of the edge
        (`likeness_z`, `missed_share`).
    converged : bool
    """

    gap_eV: float
    binding_eV: float
    broadening_eV: float
    errors_eV: tuple[float, float, float]
    window_spread_eV: tuple[float, float, float]
    interference_eV: tuple[float, float, float]
    tail_eV: tuple[float, float, float]
    window_eV: tuple[float, float]
    energy_eV: np.ndarray = field(repr=False)
    absorbance: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    continuum: np.ndarray = field(repr=False)
    interference: np.ndarray = field(repr=False)
    misfit_z: float
    missed: float
    converged: bool = True

    @property
    def exciton_eV(self) -> float:
        """Energy of the lowest exciton: gap less binding energy."""
        return self.gap_eV - self.binding_eV

    @property
    def total_error_eV(self) -> float:
        """Of the gap, all four together."""
        return float(self.total_errors_eV[0])

    @property
    def total_errors_eV(self) -> np.ndarray:
        """Of gap, binding energy and broadening (3,), all four together."""
        parts = (self.errors_eV, self.window_spread_eV, self.interference_eV, self.tail_eV)
        return np.sqrt(np.square(parts).sum(axis=0))


def tauc_gap(
    energy_eV: np.ndarray,
    absorbance: np.ndarray,
    *,
    transition: str = "direct",
    window_eV: tuple[float, float] | None = None,
) -> TaucGap:
    """Tauc gap, with the fit window given or found and scanned.

    Without a window, lines are put through all stretches of the absorption edge between levels of
    10 to 60 % and 40 to 100 % of the rise; those that are straight (R² within 0.01 of the best) are
    acceptable, the steepest of the straightest is the best. The spread over the acceptable ones is
    the systematic error. With a window, its two ends are moved by up to a quarter of its width.

    Parameters
    ----------
    energy_eV, absorbance : ndarray, shape (n,)
        Any order of energy.
    transition : {"direct", "indirect", "direct forbidden", "indirect forbidden"}
    window_eV : (float, float), optional

    Returns
    -------
    TaucGap

    Raises
    ------
    ValueError
        Unknown transition, too few points, no rise; without a window, no edge that noise,
        interference, scattered light or the end of the range could not be.

    References
    ----------
    .. [1] J. Tauc, R. Grigorovici, A. Vancu, Phys. Status Solidi 15, 627 (1966),
           doi:10.1002/pssb.19660150224
    """
    if transition not in POWERS:
        raise ValueError(f"transition: expected one of {', '.join(POWERS)}, found {transition!r}")
    e, a = _ascending(energy_eV, absorbance)
    if e.size < 12:
        raise ValueError(f"spectrum: expected at least 12 points, found {e.size}")
    _refuse_noise(e, a)
    if window_eV is None:
        refuse_slopes(e, a)
    y, above_zero = np.maximum(a * e, 0) ** POWERS[transition], None
    edge = _edge(e, y)[:2]
    if window_eV is None and e[edge[1]] - e[edge[0]] > BROAD_EV:
        # No exciton ends the edge: the plot rises on and on. The edge is then where absorbance
        # rises steepest, above the plateau below it.
        edge = _edge(e, a)[:2]
        foot = a[: max(edge[0] - e.size // 50, 12)]
        y, above_zero = np.maximum((a - np.median(foot)) * e, 0) ** POWERS[transition], y
    candidates = _edge_windows(e, y, edge) if window_eV is None else _moved_windows(e, window_eV)
    lines = [
        line
        for low, high in candidates
        if (line := _line(e, y, low, high)) is not None and line[0] > 0
    ]
    if not lines:
        raise ValueError(
            "spectrum: expected a rising edge, found none"
            if window_eV is None
            else f"window: expected a rising stretch of at least 5 points in {window_eV[0]:g} to "
            f"{window_eV[1]:g} eV"
        )
    table = np.array(lines)  # slope, intercept, gap, error, r2, low, high
    straight = table[:, 4] >= table[:, 4].max() - 0.01
    good = table[straight]
    straightest = good[good[:, 4] >= good[:, 4].max() - 0.001]
    best = straightest[np.argmax(straightest[:, 0])] if window_eV is None else table[0]
    spread = float(np.std(good[:, 2])) if len(good) > 1 else 0.0
    if above_zero is not None and (other := _line(e, above_zero, best[5], best[6])) is not None:
        spread = float(np.hypot(spread, other[2] - best[2]))  # what the plateau is, nobody knows
    return TaucGap(
        float(best[2]),
        float(best[3]),
        spread,
        (float(best[5]), float(best[6])),
        len(good),
        float(best[0]),
        float(best[1]),
        e,
        y,
    )


def elliott(
    energy_eV: np.ndarray,
    gap_eV: float,
    binding_eV: float,
    broadening_eV: float,
    *,
    span_eV: float = 1.5,
    bound_states: int = 6,
) -> tuple[np.ndarray, np.ndarray]:
    """Absorption of discrete excitons and of the Coulomb-enhanced continuum, each (n,), to one
    common factor.

    Broadened by a sech of width Γ = `broadening_eV`; Saba et al. [1]_, eq. 2 without the correction
    for band non-parabolicity. The continuum is integrated on x = E − Eg = s², which removes the
    root at the edge.

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
    gap_eV : float
    binding_eV : float
        Of the lowest exciton.
    broadening_eV : float
    span_eV : float
        How far above the gap the continuum reaches.
    bound_states : int

    Returns
    -------
    bound, continuum : ndarray, shape (n,)
        Relative to the factor that they share.

    References
    ----------
    .. [1] M. Saba et al., Nat. Commun. 5, 5049 (2014), doi:10.1038/ncomms6049
    """
    e = np.asarray(energy_eV, dtype=float)[:, None]
    gamma = broadening_eV
    order = np.arange(1, bound_states + 1)
    levels = gap_eV - binding_eV / order**2
    bound = (2 * binding_eV / order**3 / np.cosh(np.minimum(np.abs(e - levels) / gamma, 300))).sum(
        axis=1
    )
    s = (np.arange(260) + 0.5) / 260 * np.sqrt(span_eV)
    x = s * s
    weight = (
        2 * s * np.sqrt(span_eV) / 260 / -np.expm1(-2 * np.pi * np.sqrt(max(binding_eV, 1e-9) / x))
    )
    continuum = (weight / np.cosh(np.minimum(np.abs(e - gap_eV - x) / gamma, 300))).sum(axis=1)
    return bound / (np.pi * gamma), continuum / (np.pi * gamma)


def elliott_gap(energy_eV: np.ndarray, absorbance: np.ndarray) -> ElliottGap:
    """Fit Elliott's absorption to the edge; strength, offset and slope of a background are solved
    linearly.

    Parameters
    ----------
    energy_eV, absorbance : ndarray, shape (n,)

    Returns
    -------
    ElliottGap

    Raises
    ------
    ValueError
        Too few points in the window, an edge too near to the ends of the spectrum, noise alone, or
        no edge that interference or scattered light could not be.

    Notes
    -----
    Interference is not in the law. What of it fits the residual, and the spectrum below the window,
    is in the errors (`separable.waves`), in each period and phase; so are other smooth misfits.

    References
    ----------
    .. [1] R. J. Elliott, Phys. Rev. 108, 1384 (1957), doi:10.1103/PhysRev.108.1384
    .. [2] M. Saba et al., Nat. Commun. 5, 5049 (2014), doi:10.1038/ncomms6049
    """
    e, a = _ascending(energy_eV, absorbance)
    _refuse_noise(e, a)
    start_eV = _steepest(e, a)
    if not e[0] + 0.05 < start_eV < e[-1] - 0.05:
        raise ValueError(
            f"spectrum: expected an edge inside {e[0]:.3g} to {e[-1]:.3g} eV, found the steepest "
            f"rise at {start_eV:.3g} eV; measure further"
        )
    refuse_slopes(e, a)
    windows = [
        (start_eV - REACH_EV[0] * p, start_eV + REACH_EV[1] * q)
        for p, q in ((1, 1), (0.8, 1), (1.2, 1), (1, 0.8), (1, 1.2), (0.8, 0.8))
    ]
    fits = []
    for low, high in windows:
        inside = (e >= low) & (e <= high)
        if np.count_nonzero(inside) < 12:
            if not fits:
                raise ValueError(
                    f"window: expected at least 12 points from {low:.3g} to {high:.3g} eV, found "
                    f"{np.count_nonzero(inside)}"
                )
            continue
        fits.append(_fit_elliott(e[inside], a[inside], start_eV if not fits else fits[0].theta))
    found = fits[0]
    spread = np.std([f.theta for f in fits], axis=0) if len(fits) > 1 else np.zeros(3)
    inside = (e >= windows[0][0]) & (e <= windows[0][1])
    curves = _interference(e, a, inside, found)
    size = np.linalg.norm(found.slopes, axis=0)
    moved = np.linalg.pinv(found.slopes / size)[:3] @ curves[:, inside].T / size[:3, None]
    z, missed = _misfit(a[inside], found, curves[:, inside])
    return ElliottGap(
        *map(float, found.theta),
        tuple(map(float, found.errors)),
        tuple(map(float, spread)),
        tuple(map(float, np.linalg.norm(moved, axis=1))),
        tuple(map(float, _with_tail(e[inside], a[inside], found, curves[:, inside]))),
        windows[0],
        e[inside],
        a[inside],
        found.model,
        found.continuum,
        curves[:, np.argsort(np.argsort(energy_eV))],
        z,
        missed,
        found.converged,
    )


class _Fit(NamedTuple):
    """Elliott's law in one window: gap, binding energy and broadening, the slopes (n, 6) of the
    model in these and in strength, offset and slope of the background, the last two (2,)."""

    theta: np.ndarray
    errors: np.ndarray
    model: np.ndarray
    continuum: np.ndarray
    converged: bool
    slopes: np.ndarray
    background: np.ndarray


def _interference(e, a, inside, found: _Fit):
    """Curves (m, n) of interference as the fit, and what is below its window, allow it."""
    seen = e <= e[inside][-1]
    below = ~inside[seen]
    line = np.column_stack([np.ones_like(e), e - e[inside].mean()])[seen]
    residual = a[seen] - line @ found.background
    residual[~below] = a[inside] - found.model
    design = np.concatenate([np.zeros((below.sum(), 4)), line[below]], axis=1)
    design = np.concatenate([design, found.slopes])
    return interference(e[seen], design, residual, local_noise(a)[seen], e)


def interference(energy_eV, design, residual, error, at_eV) -> np.ndarray:
    """What of interference a spectrum may hold, as a few curves (`separable.waves`).

    Parameters
    ----------
    energy_eV : ndarray, shape (n,)
    design : ndarray, shape (n, p)
        Derivatives of what was fitted.
    residual, error : ndarray, shape (n,)
        In absorbance.
    at_eV : ndarray, shape (N,)

    Returns
    -------
    ndarray, shape (m, N)
        Of one standard deviation each, in absorbance.
    """
    curves = separable.waves(
        energy_eV, design, residual, error, PERIODS_EV, AMPLITUDES, at_eV
    )  # fmt: skip
    size, turn = np.linalg.eigh(curves @ curves.T)
    return turn[:, size > 1e-4 * size[-1]].T @ curves


def _with_tail(e, a, found: _Fit, curves):
    """By how much gap, binding energy and broadening (3,) are off where a tail e^(E/E_U) of free
    size goes on from the law at its slope of 1/E_U: that of `TAILS` which describes best what law
    and interference (m, n) leave."""
    noise = local_noise(a)
    law = found.model - found.slopes[:, 4:] @ found.background
    steep = np.gradient(np.log(np.maximum(law, 1e-12)), e)
    steep[int(np.argmax(np.gradient(law, e))) :] = 0.0
    slopes, rest = found.slopes / noise[:, None], (a - found.model) / noise
    size = np.linalg.norm(slopes, axis=0)
    scale = np.linalg.norm(found.slopes, axis=0)
    back = np.linalg.pinv(found.slopes / scale)[:3] / scale[:3, None]
    both = curves / noise
    of_waves = np.linalg.inv(np.eye(len(both)) + both @ both.T)

    def weighed(y):
        return y - both.T @ (of_waves @ (both @ y))

    q = weighed(slopes / size)
    known = np.linalg.pinv((slopes / size).T @ q)
    moves = [(0.0, np.zeros(3))]
    for urbach in found.theta[2] * np.array(TAILS):
        if not (at := np.flatnonzero(steep > 1 / urbach)).size:
            continue
        goes_on = law[at[-1]] * np.exp((e - e[at[-1]]) / urbach)
        tail = np.where(e < e[at[-1]], goes_on - law, 0.0)
        free = weighed(tail / noise)
        free = free - q @ (known @ (q.T @ (tail / noise)))
        left = max(free @ (tail / noise), 1e-300)
        share = free @ rest / left
        moves.append((share * np.sqrt(left), share * (back @ tail)))
    shown, move = max(moves, key=lambda one: one[0])
    return np.abs(move) if shown > SHOWN else np.zeros(3)


def _misfit(a, found: _Fit, curves):
    """Likeness of neighbours, and share of the edge, of what law and interference (m, n) leave."""
    noise = local_noise(a)
    rest, both = (a - found.model) / noise, curves / noise
    q, _ = np.linalg.qr(found.slopes / noise[:, None])
    both = both - (both @ q) @ q.T
    rest = rest - both.T @ np.linalg.solve(np.eye(len(both)) + both @ both.T, both @ rest)
    line = found.slopes[:, 4:] @ found.background
    return likeness_z(rest), missed_share(rest, (found.model - line) / noise)


def local_noise(absorbance: np.ndarray) -> np.ndarray:
    """Standard deviation of white noise along a spectrum.

    Over a fortieth of it on each side; spikes count as four times their neighbours at most.

    Parameters
    ----------
    absorbance : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    width = max(len(absorbance) // 20, 9)
    third = np.pad(third_differences(absorbance), (1, 2), mode="edge")
    third = np.minimum(third, 4 * uniform_filter1d(third, width))
    square = uniform_filter1d(third**2, width)
    return MEDIAN * np.sqrt(np.maximum(square, 1e-18))


def _fit_elliott(e, a, start):
    if np.isscalar(start):  # an exciton, and an edge without one, sharp or not
        firsts = [(start + 0.01, 0.16, 0.03), (start, 0.05, 0.01)]
    else:
        firsts = [(start[0], np.sqrt(start[1]), start[2])]
    # The root of the binding energy, with which the attraction above the gap goes, and
    # where nothing binds the law is that of free bands.
    limits = {"gap": (e[0], e[-1], 0.02), "root": (1e-4, 0.45, 0.03)}
    limits["broadening"] = (2e-3, 0.15, 0.01)
    background = np.column_stack([np.ones_like(e), e - e.mean()])

    def parts(p):
        span = max(e[-1] - p[0], 0.0) + 12 * p[2]
        return elliott(e, p[0], p[1] ** 2, p[2], span_eV=span)

    def variance(residual, freedom):
        """Neighbouring residuals of a smooth misfit count for less than there are of them."""
        r = np.corrcoef(residual[:-1, 0], residual[1:, 0])[0, 1] if e.size > 8 else 0.0
        r = np.clip(r, 0, 0.98)
        return separable.scatter(residual, freedom) * (1 + r) / (1 - r)

    fits = [
        separable.fit(
            differences(
                lambda p: np.column_stack([np.sum(parts(p), axis=0), background]), [1e-8] * 3
            ),
            a,
            {
                name: Sought(float(np.clip(value, low + 1e-6, high - 1e-6)), low, high, step)
                for value, (name, (low, high, step)) in zip(first, limits.items(), strict=True)
            },
            ["strength", "offset", "slope"],
            variance=variance,
            non_negative=1,
            max_evaluations=80,
        )
        for first in firsts
    ]
    found = min(fits, key=lambda fit: fit.chi2)
    bound, continuum = parts(found.values)
    slopes = [
        (np.sum(parts(found.values + step), axis=0) - bound - continuum) / 1e-6
        for step in 1e-6 * np.eye(3)
    ]
    gap, root, broadening = found.values
    of_theta = np.array([1, 2 * root, 1])
    slopes = found.linear[0] * np.column_stack(slopes) / of_theta
    return _Fit(
        np.array([gap, root**2, broadening]),
        found.errors[:3] * of_theta,
        found.model,
        found.linear[0] * continuum + background @ found.linear[1:],
        found.estimates.converged,
        np.column_stack([slopes, bound + continuum, background]),
        found.linear[1:],
    )


def _ascending(energy, absorbance):
    e, a = np.asarray(energy, dtype=float), np.asarray(absorbance, dtype=float)
    if e.ndim != 1 or e.shape != a.shape:
        raise ValueError(
            f"spectrum: expected energies and absorbances of one length, found {e.shape} and "
            f"{a.shape}"
        )
    if not (np.all(np.isfinite(e)) and np.all(np.isfinite(a))):
        raise ValueError("spectrum: expected finite numbers, found others")
    order = np.argsort(e)
    return e[order], a[order]


def _refuse_noise(e, a):
    """A spectrum whose smoothed values vary no more than its noise lets them has no edge."""
    noise = np.median(third_differences(a))
    width = max(3, e.size // 30)
    rise = float(np.ptp(_smooth(a, width)[width // 2 : -(width // 2)]))
    if not rise > 8 * noise / np.sqrt(width | 1):
        raise ValueError(
            f"spectrum: expected an absorption edge above the noise, found values that vary by "
            f"{rise:.2g} where noise of {noise:.2g} a point alone makes some "
            f"{5 * noise / np.sqrt(width | 1):.2g}"
        )


def refuse_slopes(energy_eV: np.ndarray, absorbance: np.ndarray) -> None:
    """Refuse a spectrum without an edge.

    An edge begins and ends within the spectrum, and rises by more than what is below it does:
    scattered light and the onset of a substrate only rise, interference rises everywhere.

    Parameters
    ----------
    energy_eV, absorbance : ndarray, shape (n,)

    Raises
    ------
    ValueError
        With what was found instead.
    """
    e, a = _ascending(energy_eV, absorbance)
    left, right, _ = _edge(e, a)
    reach = e[right] - e[left]
    width = max(3, (e.size // 60) | 1)
    calm, line = _smooth(a, width), np.polynomial.Polynomial.fit
    below = (e < e[left]) & (e >= e[left] - max(2 * reach, BELOW_EV))
    end = max(right + 5, int(np.searchsorted(e, e[right] + 0.5 * reach)))
    if end > e.size:
        raise ValueError(
            f"spectrum: expected an edge that ends below {e[-1]:.3g} eV, found a rise from "
            f"{e[left]:.3g} to {e[right]:.3g} eV; measure further"
        )
    above = slice(right + 1, end)
    slope, varies = line(e[above], calm[above], 1).deriv()(0), local_noise(a)[right] / width**0.5
    if np.count_nonzero(below) >= 4:
        foot = line(e[below], calm[below], 1)
        slope = max(slope, foot.deriv()(0))
        rest = calm[below] - foot(e[below])
        varies = np.sqrt(varies**2 + rest @ rest / (rest.size - 2))
    if e[left] - e[0] < max(reach, BELOW_EV / 2):
        varies = np.hypot(varies, UNSEEN)
    rise = calm[right] - calm[left] - max(slope, 0.0) * reach
    if not rise > RISES * varies:
        raise ValueError(
            f"spectrum: expected an absorption edge, found a rise by {max(rise, 0):.2g} from "
            f"{e[left]:.3g} to {e[right]:.3g} eV beyond the slope beside it; noise, interference "
            f"or scattered light, of which {varies:.2g} was found or must be expected, can make "
            f"{RISES * varies:.2g}"
        )


def _smooth(y, width):
    width = max(3, width | 1)
    return np.convolve(np.pad(y, width // 2, mode="edge"), np.full(width, 1 / width), mode="valid")


def _steepest(e, a):
    """Energy of the steepest point of the lowest edge."""
    left, right, slope = _edge(e, a)
    return float(e[left + int(np.argmax(slope[left : right + 1]))])


def _edge(e, y):
    """Lowest rise that makes up a good part of the spectrum: its first and last index, and the
    smoothed slope (n,).

    It ends where the slope has fallen to a third of its maximum (above) or a twentieth (below).
    """
    slope = _smooth(np.gradient(_smooth(y, e.size // 60), e), e.size // 60)
    if slope.max() <= 0:
        raise ValueError("spectrum: expected a rising edge, found none")
    smooth = _smooth(y, e.size // 60)
    rises, rise = [], slope.tolist()  # a list is ten times as quick to walk
    for at in range(1, e.size - 1):
        if rise[at] > 0 and rise[at] >= rise[at - 1] and rise[at] > rise[at + 1]:
            left, right = at, at
            while left > 0 and 0.05 * rise[at] < rise[left - 1] <= 1.1 * rise[at]:
                left -= 1
            while right < e.size - 1 and 0.35 * rise[at] < rise[right + 1] <= 1.1 * rise[at]:
                right += 1
            rises.append((smooth[right] - smooth[left], rise[at], left, right))
    rises = [r for r in rises if r[0] > 0.1 * np.ptp(smooth)]
    if not rises:
        return 0, e.size - 1, slope
    # The lowest steep one: an exciton's edge rises less than the continuum behind it, but steeper.
    steepest = max(r[1] for r in rises)
    _, _, left, right = next(r for r in rises if r[1] > 0.4 * steepest)
    return left, right, slope


def _edge_windows(e, y, edge):
    """Stretches of the edge, by levels between its foot and its end."""
    s = _smooth(y, e.size // 100)
    left, right = edge
    foot, top = s[left], s[right]
    windows = []
    for low in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        for high in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            if high - low >= 0.28:
                i = left + int(np.argmax(s[left : right + 1] >= foot + low * (top - foot)))
                j = left + int(np.argmax(s[left : right + 1] >= foot + high * (top - foot)))
                windows.append((e[i], e[j]))
    return windows


def _moved_windows(e, window):
    low, high = sorted(window)
    step = 0.125 * (high - low)
    return [(low, high)] + [
        (low + i * step, high + j * step)
        for i in (-2, -1, 0, 1, 2)
        for j in (-2, -1, 0, 1, 2)
        if (i, j) != (0, 0)
    ]


def _line(e, y, low, high):
    inside = (e >= low - 1e-12) & (e <= high + 1e-12)
    n = np.count_nonzero(inside)
    if n < 5:
        return None
    x, v = e[inside], y[inside]
    centre = x.mean()
    sxx = ((x - centre) ** 2).sum()
    slope = ((x - centre) @ v) / sxx
    residual = v - v.mean() - slope * (x - centre)
    variance = residual @ residual / (n - 2)
    total = ((v - v.mean()) ** 2).sum()
    if slope <= 0 or total <= 0:
        return None
    gap = centre - v.mean() / slope
    error = np.sqrt(variance / n / slope**2 + (v.mean() / slope) ** 2 * variance / sxx / slope**2)
    return slope, v.mean() - slope * centre, gap, error, 1 - residual @ residual / total, low, high
