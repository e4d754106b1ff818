"""Ultraviolet photoelectron spectra: secondary cut-off, valence edge, work function, ionisation
energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled import separable
from peled.quantities import likeness_z, missed_share
from peled.separable import Sought, differences
from peled.structure.xps import edge

#: Resolution of light and analyser, as standard deviation: known to a factor of two, at most.
WIDTH_EV, WIDEST_EV = 0.1, 0.25
STEEPEST = 4.0  #: power of an edge, and one over it that of the flattest
LOWER, UPPER = 0.5, 0.8  #: shares of the height up to which an edge is fitted
_FAR = 6.0  #: widths
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


@dataclass(frozen=True)
class Cutoff:
    """Secondary cut-off: `energy_eV` on the binding energy scale with error, `width_eV` (standard
    deviation of the edge), and how far the straight-line extrapolation usual in the field would
    have put it (`extrapolated_eV`). `misfit_z` says whether neighbouring residuals are alike,
    `missed` what share of the step that leaves out.
    """

    energy_eV: float
    error_eV: float
    width_eV: float
    extrapolated_eV: float
    curve: np.ndarray
    misfit_z: float = 0.0
    missed: float = 0.0


@dataclass(frozen=True)
class Onset:
    """Valence edge: where a power of the energy begins (`energy_eV`) on the binding energy scale,
    with the error of `power` and resolution (`width_eV`, standard deviation) and of how far up the
    edge is fitted; where the straight line through the steepest part, usual in the field, meets
    the ground (`extrapolated_eV`), and the edge on a logarithmic scale (`log_energy_eV`), which
    follows weak states at the top of the band. `misfit_z` says whether neighbouring residuals are
    alike, `missed` what share of the edge they leave out.
    """

    energy_eV: float
    error_eV: float
    power: float
    width_eV: float
    extrapolated_eV: float
    log_energy_eV: float
    curve: np.ndarray
    misfit_z: float = 0.0
    missed: float = 0.0


def secondary_cutoff(binding_eV, counts, *, bias_V: float = 0.0) -> Cutoff:
    """Fit the low-energy edge of the secondary electrons: an error-function step times a straight
    line above a floor.

    Parameters
    ----------
    binding_eV, counts : array, shape (n,)
    bias_V : float
        Potential of the sample (usually negative); it moves all binding energies and is taken back.

    Returns
    -------
    Cutoff

    Raises
    ------
    ValueError
        If there is no falling edge in the data.

    References
    ----------
    .. [1] M. G. Helander et al., Appl. Surf. Sci. 256, 2602 (2010),
           doi:10.1016/j.apsusc.2009.11.002
    """
    x, y = np.asarray(binding_eV, float) - bias_V, np.asarray(counts, float)
    order = np.argsort(x)
    x, y = x[order], y[order]
    if len(x) < 20:
        raise ValueError(f"secondary cut-off: expected at least 20 points, found {len(x)}")
    smooth = np.convolve(y, np.ones(5) / 5, "same")[2:-2]
    slope = np.gradient(smooth, x[2:-2])
    at = int(np.argmin(slope))
    if slope[at] >= 0 or y[-5:].mean() > 0.5 * y.max():
        raise ValueError(
            "secondary cut-off: expected counts that fall to a floor at high binding energy, "
            "found none"
        )
    centre = x[2:-2][at]
    near = (x > centre - 0.6) & (x < centre + 0.8)
    xs, ys = x[near], y[near]

    def columns(p):
        step = edge(xs, *p)
        return np.column_stack([step, step * (xs - centre), np.ones_like(xs)])

    fit = separable.fit(
        differences(columns, [1e-5, 1e-5]),
        ys,
        {
            "energy": Sought(centre, xs[0], xs[-1], 0.05, unit="eV"),
            "width": Sought(0.1, 1e-3, 1.0, 0.3, log=True, unit="eV"),
        },
        ["height", "slope", "floor"],
        error=np.sqrt(np.maximum(ys, 1)),
        variance=separable.larger,
    )
    fitted = fit.model
    i = int(np.argmin(np.gradient(fitted, xs)))
    steep = np.gradient(fitted, xs)[i]
    extrapolated = xs[i] - (fitted[i] - ys[-5:].mean()) / steep
    return Cutoff(
        float(fit.values[0]),
        float(fit.errors[0]),
        float(fit.values[1]),
        float(extrapolated),
        np.column_stack([xs, fitted]),
        likeness_z(fit.residual.ravel()),
        missed_share(fit.residual.ravel(), (fitted - fit.linear[-1]) / np.sqrt(np.maximum(ys, 1))),
    )


def power_edge(x, position: float, width: float, power: float) -> np.ndarray:
    """A power of the distance from an edge, seen with a resolution:
    ∫ max(t − x₀, 0)ᵖ φ((x − t)/w) dt/w.

    Parameters
    ----------
    x : array, shape (n,)
    position, width : float
        x₀ and the standard deviation w of the resolution, in the unit of `x`.
    power : float
        p: 1/2 for the density of states of a parabolic band, 1 for a straight edge.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of `x` to the power, to 10⁻⁵.

    Examples
    --------
    >>> power_edge(np.array([0.0, 1.0, 2.0]), 1.0, 1e-3, 2.0).round(5)
    array([0., 0., 1.])
    """
    p, u = power, (np.asarray(x, float) - position) / width
    far = np.maximum(u, _FAR)  # where the resolution is but three small terms
    seen = far**p
    for k in (5, 3, 1):
        seen = far**p + (p - k) * (p - k + 1) / (k + 1) / far**2 * seen
    seen[u <= -_FAR] = 0.0
    near = np.abs(u) < _FAR
    v = u[near, None]
    # In the root of the distance, so that a root of it is smooth where it begins.
    end = np.sqrt(np.maximum(v, 0) + _FAR)
    root = 0.5 * end * (_NODES + 1)
    seen[near] = (root ** (2 * p + 1) * np.exp(-((v - root**2) ** 2) / 2)) @ _WEIGHTS
    seen[near] *= end[:, 0] / np.sqrt(2 * np.pi)
    return width**p * seen


def valence_onset(binding_eV, counts) -> Onset:
    """Where the valence band begins, whatever the shape of its edge: a power of the energy from
    there on, seen with a resolution, over a level ground; binding energy from the Fermi level.

    A straight line put through an edge that is none meets the ground elsewhere: 0.4 eV too deep
    for a parabola that rises over 1.2 eV, 0.2 eV too shallow for a root. Which straight part is
    taken moves the edges of halide perovskites by as much [1]_ [2]_. Power and resolution are
    therefore fitted, known to a factor of two beforehand, and the edge is fitted up to half of its
    height and up to 80 %: by what the two differ, or may differ by their noise [4]_, carried on to
    no height at all (5/3 of it), the edge may be off where it is no power throughout.

    Parameters
    ----------
    binding_eV, counts : array, shape (n,)

    Returns
    -------
    Onset

    Raises
    ------
    ValueError
        If no rising edge with at least six points up to half of its height is found, it is sharper
        than half the distance of points, so that it may lie anywhere between two, or no power of
        1/4 to 4 seen with a credible resolution describes it, as with a strong foot.

    References
    ----------
    .. [1] J. Endres et al., J. Phys. Chem. Lett. 7, 2722 (2016), doi:10.1021/acs.jpclett.6b00946
    .. [2] F. Zhang et al., Adv. Energy Mater. 10, 1903252 (2020), doi:10.1002/aenm.201903252
    .. [3] E. A. Kraut et al., Phys. Rev. Lett. 44, 1620 (1980), doi:10.1103/PhysRevLett.44.1620
    .. [4] J. A. Hausman, Econometrica 46, 1251 (1978), doi:10.2307/1913827
    """
    x, y = np.asarray(binding_eV, float), np.asarray(counts, float)
    order = np.argsort(x)
    x, y = x[order], y[order]
    ground = x < x[0] + 0.2 * (x[-1] - x[0])
    if ground.sum() < 5:
        raise ValueError("valence edge: expected at least five points of background above the edge")
    level, noise = y[ground].mean(), max(y[ground].std(ddof=1), 1e-12)
    smooth = np.convolve(y, np.ones(5) / 5, "same")
    first = int(np.argmax((smooth > level + 8 * noise) & (x > x[ground][-1])))
    top = _first_shoulder(x, smooth, first)
    rise = (smooth[: top + 1] - level) / (smooth[top] - level)
    half, most = (first + int(np.argmax(rise[first:] > share)) for share in (LOWER, UPPER))
    if smooth[first] <= level + 8 * noise or half - first < 6:
        raise ValueError(
            "valence edge: expected a rising edge of at least six points up to half of its "
            f"height, found {max(half - first, 0)}"
        )
    lower, upper = (_power_fit(x[:end], y[:end], smooth[:end], x[first]) for end in (half, most))
    energy, width, power = lower.values[0], *np.exp(lower.values[1:])
    _credible(lower, width, _sharpest(x))
    # The points of the lower fit are in the upper one too: what they differ by has the variance of
    # the lower less that of the upper, and is not known to be less.
    apart = (upper.values[0] - energy) ** 2
    apart += max(lower.errors[0] ** 2 - upper.errors[0] ** 2, 0.0)
    moved = LOWER / (UPPER - LOWER) * np.sqrt(apart)
    steep = np.gradient(upper.model, x[:most])
    i = int(np.argmax(steep))
    above = np.flatnonzero((smooth > level + 3.0 * noise) & (x > x[ground][-1]))
    return Onset(
        float(energy),
        float(np.hypot(lower.errors[0], moved)),
        float(power),
        float(width),
        float(x[i] - (upper.model[i] - upper.linear[-1]) / steep[i]),
        float(x[above[0]]) if len(above) else float("nan"),
        np.column_stack([x[:half], lower.model]),
        likeness_z(lower.residual.ravel()),
        missed_share(
            lower.residual.ravel(),
            (lower.model - lower.linear[-1]) / np.sqrt(np.maximum(lower.model, 1)),
        ),
    )


def _power_fit(x, y, smooth, start: float) -> separable.SeparableFit:
    """Onset and logarithms of width and power; counts weigh as the fitted model says."""

    def columns(p):
        edge_ = power_edge(x, p[0], np.exp(p[1]), np.exp(p[2]))
        return np.column_stack([edge_, np.ones_like(x)])

    log_width, twice = np.log(WIDTH_EV), np.log(2)
    sought = {
        "energy": Sought(start - WIDTH_EV, x[0], x[-1], 0.05, unit="eV"),
        "width": Sought(log_width, np.log(_sharpest(x)), np.log(WIDEST_EV), 0.3,
                        known=(log_width, twice)),
        "power": Sought(0.0, -np.log(STEEPEST), np.log(STEEPEST), 0.3, known=(0.0, twice)),
    }  # fmt: skip
    variance = smooth
    for _ in range(2):
        fit = separable.fit(
            differences(columns, [1e-5] * 3), y, sought, ["height", "ground"],
            error=np.sqrt(np.maximum(variance, 1)), variance=separable.scatter,
        )  # fmt: skip
        sought, variance = fit.continued, fit.model
    return fit


def _sharpest(x) -> float:
    """Resolution (eV) below which an edge may lie anywhere between two points."""
    return min(0.5 * float(np.median(np.diff(x))), WIDTH_EV)


def _credible(fit: separable.SeparableFit, width: float, sharpest: float) -> None:
    """Refuses an edge that only an end of what is credible describes."""
    _, wide, power, *_ = fit.estimates.at_bound
    if wide and width < WIDTH_EV:
        said = f"sharper than {sharpest:.2g} eV, half the distance of points: take smaller steps"
    elif wide:
        said = f"wider than a resolution of {WIDEST_EV:g} eV"
    elif power:
        said = f"whose power is not 1/{STEEPEST:g} to {STEEPEST:g}, as with strong tails below it"
    else:
        return
    raise ValueError(
        f"valence edge: expected a power of the energy seen with a resolution, found one {said}"
    )


def _first_shoulder(x, smooth, first: int) -> int:
    """Index where the first edge stops rising steeply: the first maximum, or where the slope has
    fallen to a fifth of its largest.
    """
    slope = np.gradient(np.convolve(smooth, np.ones(5), "same"), x)  # times five
    best = slope[first]
    for i in range(first, len(x) - 3):
        best = max(best, slope[i])
        if slope[i] < 0.2 * best and smooth[i] > smooth[first] * 1.5:
            return i
    return len(x) - 3
