"""Urbach energy from sub-gap absorption (photothermal deflection): which window carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import special

from peled import separable
from peled.quantities import threshold
from peled.separable import Slopes, Sought


@dataclass(frozen=True)
class UrbachFit:
    """Result of `urbach_energy`.

    Attributes
    ----------
    energy_meV, error_meV : float
        With its statistical error.
    window_error_meV : float
        By how much acceptable windows differ beyond noise.
    window_eV : (low, high)
    floor : float
        Of the signal.
    saturation_eV : float
        Where the signal begins to saturate; NaN if nowhere.
    decades, p_value : float
        Of the window.
    scan : (m, 4) array
        Upper end (eV), energy, error (meV), p of each window.
    curve : (k, 2) array
        Energy (eV) and fitted signal.
    notes : tuple of str
        What to doubt.
    """

    energy_meV: float
    error_meV: float
    window_error_meV: float
    window_eV: tuple[float, float]
    floor: float
    saturation_eV: float
    decades: float
    p_value: float
    scan: np.ndarray = field(repr=False)
    curve: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


def saturation_onset(energy_eV, signal) -> float:
    """Energy above which the signal stays over 90 % of its plateau, the median of the top 15 % of
    the range.

    Parameters
    ----------
    energy_eV, signal : array, shape (n,)

    Returns
    -------
    float
        eV; NaN where the plateau scatters by more than a tenth.
    """
    e, s = np.asarray(energy_eV, float), np.asarray(signal, float)
    top = s[e > e[0] + 0.85 * (e[-1] - e[0])]
    plateau = np.median(top)
    if top.std() > 0.1 * plateau:
        return float("nan")
    below = np.flatnonzero(s < 0.9 * plateau)
    return float(e[min(below[-1] + 1, len(e) - 1)]) if len(below) else float(e[0])


def urbach_energy(energy_eV, signal) -> UrbachFit:
    """Fit floor + A exp(E/E_U) below the gap, the upper end of the window scanned.

    Parameters
    ----------
    energy_eV : (n,) array, increasing
    signal : (n,) array
        Proportional to the absorptance.

    Returns
    -------
    UrbachFit

    Raises
    ------
    ValueError
        If energies do not increase, or no window is described by an exponential over a decade.

    Notes
    -----
    The floor comes with the fit, so that points near it need not be cut. A window is acceptable
    while chi-square allows it (p > 0.01) and the exponential spans a decade above the noise. The
    widest acceptable one, shortened by a tenth (the test only sees a departure once it is large),
    gives the result. A signal that saturates, S₀ (1 − exp(−αd)), is made linear up to half of its
    plateau. Noise is relative (lamp, lock-in), from third differences of ln S, plus that of the
    floor.

    Windows share their points, and the fit to the wider one is the better: by noise alone two
    results differ by √(σ²_narrow − σ²_wide) [1]_. What they differ by beyond that is
    `window_error_meV`.

    References
    ----------
    .. [1] J. A. Hausman, Econometrica 46, 1251 (1978), doi:10.2307/1913827

    Examples
    --------
    >>> e = np.arange(1.4, 1.9, 0.005)
    >>> noise = np.random.default_rng(1).normal(0, 1, (2, e.size))
    >>> s = np.exp((e - 1.9) / 0.020) * (1 + 0.01 * noise[0]) + 1e-5 * noise[1]
    >>> fit = urbach_energy(e, s)
    >>> abs(fit.energy_meV - 20) < 3 * fit.error_meV < 0.3
    True
    """
    e, s = np.asarray(energy_eV, float), np.asarray(signal, float)
    if e.shape != s.shape or len(e) < 20 or (np.diff(e) <= 0).any() or not np.isfinite(s).all():
        raise ValueError(
            "sub-gap absorption: expected at least 20 finite points over increasing energy"
        )
    floor, noise = _floor(e, s)
    saturation = saturation_onset(e, s)
    s, limit = _linear(e, s, saturation)
    clear = s > floor + 20 * noise
    third = np.diff(np.log(s[clear]), 3) if clear.sum() > 8 else np.array([0.05])
    relative = float(np.sqrt(np.median(third**2) / 0.455 / 20))
    ends = np.flatnonzero((e <= limit) & (s > floor + 10 * noise))
    scan: list[_Window] = []
    for end in ends:
        if s[end] - floor < 10 * 3 * noise:
            continue
        last = scan[-1] if scan else None  # the next window differs little
        one = _exponential(e[: end + 1], s[: end + 1], relative, noise, floor, last)
        scan += [one] if one else []
    if not scan:
        raise ValueError(
            "sub-gap absorption: expected an exponential tail over a decade above the noise "
            "floor, found none"
        )
    good = [w for w in scan if w.p > 0.01]
    notes = []
    if not good:  # one stray point at the floor spoils every window alike
        best = max(w.p for w in scan)
        if best < 1e-8:
            raise ValueError(
                "sub-gap absorption: expected one window that an exponential describes "
                "(p > 0.01), found none"
            )
        good = [w for w in scan if w.p >= best / 10]
        notes.append("no window is described to p > 0.01; errors are enlarged by the misfit")
    first = float(e[ends[0]])
    shortened = first + 0.9 * (good[-1].end_eV - first)
    chosen = min(scan, key=lambda w: abs(w.end_eV - shortened))
    spread = _beyond_noise(good, chosen)
    if spread > chosen.error_meV:
        notes.append(
            f"the choice of window moves the result by {spread:.2g} meV beyond noise, more than "
            "its statistical error"
        )
    curve = e[e <= chosen.end_eV + 0.05]
    rise = (curve - chosen.end_eV) / chosen.energy_meV * 1e3
    return UrbachFit(
        chosen.energy_meV,
        chosen.error_meV,
        spread,
        (first, chosen.end_eV),
        chosen.floor,
        saturation,
        float((chosen.end_eV - first) / chosen.energy_meV * 1e3 / np.log(10)),
        chosen.p,
        np.array([[w.end_eV, w.energy_meV, w.error_meV, w.p] for w in scan]),
        np.column_stack([curve, chosen.floor + chosen.height * np.exp(rise)]),
        tuple(notes),
    )


class _Window(NamedTuple):
    """The fit up to one end: floor + height exp((E − end)/E_U)."""

    end_eV: float
    energy_meV: float
    error_meV: float
    p: float
    height: float
    floor: float


def _beyond_noise(windows: list[_Window], chosen: _Window) -> float:
    """By how much windows differ from the chosen one, meV; 0 where noise alone may have done it."""
    away = np.array([w.energy_meV - chosen.energy_meV for w in windows])
    chance = np.array([abs(w.error_meV**2 - chosen.error_meV**2) for w in windows])
    compared = (chance > 0) & (chance < 8 * chosen.error_meV**2)  # a narrow one says little
    away, chance = away[compared], chance[compared]
    if not (away**2 > threshold(tries=max(len(away), 1)) ** 2 * chance).any():
        return 0.0
    return float(np.sqrt(max(np.mean(away**2 - chance), 0.0)))


def _floor(e, s) -> tuple[float, float]:
    """Level and noise at low energy; 0 and a tenth of the smallest value where there is no
    floor."""
    ground = _ground(e, s)
    if ground.sum() < 5:
        return 0.0, float(np.min(np.abs(s))) * 0.1 + 1e-300
    return float(np.mean(s[ground])), float(np.std(s[ground], ddof=1))


def _linear(e, s, saturation: float) -> tuple[np.ndarray, float]:
    """The signal as without saturation, and the energy up to which it can be had."""
    if not np.isfinite(saturation):
        return s, float(e[-1])
    plateau = float(np.median(s[e >= saturation]))
    low = np.minimum(s, 0.5 * plateau)
    s = np.where(s < 0.5 * plateau, -plateau * np.log1p(-low / plateau), s)
    return s, float(e[np.argmax(np.convolve(s, np.ones(3) / 3, "same") > 0.45 * plateau)])


def _ground(e, s) -> np.ndarray:
    """Points of the noise floor: the low-energy stretch without a rise."""
    tail = s[: max(5, len(s) // 12)]
    level, scatter = np.median(tail), max(tail.std(ddof=1), 1e-12 * abs(np.median(tail)))
    above = np.convolve(s > level + 4 * scatter, np.ones(4), "valid") >= 3
    stop = int(np.argmax(above)) if above.any() else len(s)
    out = np.zeros(len(s), bool)
    out[: max(int(0.8 * stop), 0)] = True
    return out


def _exponential(e, s, relative, noise, floor, last: _Window | None) -> _Window | None:
    """Weighted fit of one window, weights from the model, that of the last window where there is
    one; None where no tail comes out of it."""
    end, begin, rise = float(e[-1]), 20.0, np.maximum(s - floor, 0)
    if last:
        begin = last.energy_meV
        rise = last.height * np.exp((e - last.end_eV) / begin * 1e3)

    def basis(p, derivatives):
        u = (e - end) / p[0] * 1e3
        tail = np.exp(np.clip(u, -700, 0))
        slopes = Slopes(lambda a: (-a[0] / p[0] * tail * u)[None]) if derivatives else None
        return np.column_stack([tail, np.ones_like(e)]), slopes

    for _ in range(1 if last else 2):
        fit = separable.fit(
            basis, s, {"E_U": Sought(begin, 2.0, 500.0, 0.2, log=True, unit="meV")},
            ["height", "floor"], error=np.hypot(relative * rise, noise), variance=separable.larger,
        )  # fmt: skip
        begin, rise = float(fit.values[0]), fit.model - fit.linear[1]
    if fit.linear[0] <= 0 or not fit.estimates.converged or fit.estimates.at_bound.any():
        return None
    return _Window(
        end, begin, float(fit.errors[0]), float(special.chdtrc(fit.freedom, fit.chi2)),
        *map(float, fit.linear),
    )  # fmt: skip
