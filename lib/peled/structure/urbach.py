"""Urbach energy from sub-gap absorption (photothermal deflection): which window can carry it, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, stats


@dataclass(frozen=True)
class UrbachFit:
    """Result of `urbach_energy`.

    `energy_meV` with the statistical `error_meV`; `window_error_meV` is the standard deviation over all acceptable windows and stays beside it;
    `window_eV` the widest acceptable window; `floor` the noise floor (signal unit) and `saturation_eV` where saturation begins (NaN if nowhere);
    `scan` rows (upper end eV, energy meV, error meV, p); `curve` rows (eV, signal); `notes` what to doubt.
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
    """Energy above which the signal stays over 90 % of its plateau, the median of the top 15 % of the
    range; NaN where these scatter by more than a tenth."""
    e, s = np.asarray(energy_eV, float), np.asarray(signal, float)
    top = s[e > e[0] + 0.85 * (e[-1] - e[0])]
    plateau = np.median(top)
    if top.std() > 0.1 * plateau:
        return float("nan")
    below = np.flatnonzero(s < 0.9 * plateau)
    return float(e[min(below[-1] + 1, len(e) - 1)]) if len(below) else float(e[0])


def urbach_energy(
    energy_eV,
    signal,
    relative_error: float | None = None,
    *,
    upper_eV: float | None = None,
    min_decades: float = 1.0,
) -> UrbachFit:
    """Fit floor + A exp(E/E_U) below the gap, the upper end of the window scanned.

    The floor comes with the fit, so that points near it need not be cut. A window is acceptable while chi-square allows it (p > 0.01)
    and the exponential spans `min_decades` above the floor. The widest acceptable window, shortened by a tenth of its tail, gives the
    result (the test only sees a departure once it is large). A signal that saturates at high energy is made linear first. Noise is relative (source, lock-in) plus a constant at the floor.

    Parameters
    ----------
    energy_eV, signal : (n,) arrays, increasing energy
    relative_error : float, optional
        Relative standard error of a point; by default from the scatter of third differences of ln signal above the floor.
    upper_eV : float, optional
        Only windows that end below this energy.

    Raises
    ------
    ValueError
        If energies do not increase, or no window is acceptable.
    """
    e, s = np.asarray(energy_eV, float), np.asarray(signal, float)
    if e.shape != s.shape or len(e) < 20 or (np.diff(e) <= 0).any() or not np.isfinite(s).all():
        raise ValueError(
            "sub-gap absorption: expected at least 20 finite points over increasing energy"
        )
    ground = _ground(e, s)
    floor, noise = (
        (float(np.mean(s[ground])), float(np.std(s[ground], ddof=1)))
        if ground.sum() >= 5
        else (0.0, float(np.min(np.abs(s))) * 0.1 + 1e-300)
    )
    saturation = saturation_onset(e, s)
    plateau = float(np.median(s[e >= saturation])) if np.isfinite(saturation) else np.inf
    if np.isfinite(plateau):
        # A film that absorbs all light: signal = plateau (1 - exp(-alpha d)); undone up to half of the plateau, error carried along.
        s = np.where(
            s < 0.5 * plateau, -plateau * np.log1p(-np.minimum(s, 0.5 * plateau) / plateau), s
        )
        limit = e[np.argmax(np.convolve(s, np.ones(3) / 3, "same") > 0.45 * plateau)]
    else:
        limit = e[-1]
    if relative_error is None:
        clear = s > floor + 20 * noise
        third = np.diff(np.log(s[clear]), 3) if clear.sum() > 8 else np.array([0.05])
        relative_error = float(np.sqrt(np.median(third**2) / 0.455 / 20))
    limit = min(upper_eV or np.inf, limit)
    ends = np.flatnonzero((e <= limit) & (s > floor + 10 * noise))
    scan, start = [], None
    for end in ends:
        if np.log10(max(s[end] - floor, 1e-300) / max(noise * 3, 1e-300)) < min_decades:
            continue
        fitted = _exponential(e[: end + 1], s[: end + 1], relative_error, noise, floor, start)
        if fitted is not None:
            scan.append((e[end], *fitted))
            start = np.log(fitted[0] / 1e3)  # the next window differs little
    if not scan:
        raise ValueError(
            "sub-gap absorption: expected an exponential tail over a decade above the noise floor, found none"
        )
    table = np.array([row[:4] for row in scan])
    good = np.flatnonzero(table[:, 3] > 0.01)
    forced = not len(good)
    if forced:  # one stray point at the floor spoils every window alike
        good = np.flatnonzero(table[:, 3] >= table[:, 3].max() / 10)
    if table[good, 3].max() < 1e-8:
        raise ValueError(
            "sub-gap absorption: expected one window that an exponential describes (p > 0.01), found none"
        )
    start = e[ends[0]]
    shortened = start + 0.9 * (table[good[-1], 0] - start)
    chosen = int(np.argmin(np.abs(table[:, 0] - shortened)))
    value, error, p = table[chosen, 1:4]
    spread = float(table[good, 1].std(ddof=1)) if len(good) > 1 else 0.0
    amplitude, fitted_floor = scan[chosen][4:6]
    end = table[chosen, 0]
    curve = e[e <= end + 0.05]
    notes = []
    if forced:
        notes.append("no window is described to p > 0.01; errors are enlarged by the misfit")
    if spread > error:
        notes.append(
            f"the choice of window moves the result by {spread:.2g} meV, more than its statistical error"
        )
    if value < 26 * 0.5:
        notes.append(
            "below half of kT at room temperature: instrument resolution or a wrong window"
        )
    decades = float(np.log10(np.exp((end - start) / (value / 1e3))))
    return UrbachFit(
        float(value),
        float(error),
        spread,
        (float(start), float(end)),
        float(fitted_floor),
        saturation,
        decades,
        float(p),
        table,
        np.column_stack([curve, fitted_floor + np.exp(amplitude + (curve - end) / (value / 1e3))]),
        tuple(notes),
    )


def _ground(e, s) -> np.ndarray:
    """Points of the noise floor: the low-energy stretch without a rise."""
    tail = s[: max(5, len(s) // 12)]
    level, scatter = np.median(tail), max(tail.std(ddof=1), 1e-12 * abs(np.median(tail)))
    above = np.convolve(s > level + 4 * scatter, np.ones(4), "valid") >= 3
    stop = int(np.argmax(above)) if above.any() else len(s)
    out = np.zeros(len(s), bool)
    out[: max(int(0.8 * stop), 0)] = True
    return out


def _exponential(e, s, relative, noise, floor, start=None):
    """Weighted fit of f + exp(a + (E - E_end)/E_U), weights from the model; (energy meV, error, p, a, f) or None."""
    end = e[-1]
    p = np.array(
        [np.log(max(s[-1] - floor, 1e-300)), np.log(0.02) if start is None else start, 0.0]
    )
    unit = max(noise, 1e-12 * abs(s[-1]))

    def model(p):
        return floor + p[2] * unit + np.exp(p[0] + np.clip((e - end) / np.exp(p[1]), -200, 50))

    sigma = np.hypot(relative * s, noise)
    for _ in range(2 if start is not None else 3):
        solution = optimize.least_squares(
            lambda p, sigma=sigma: (s - model(p)) / sigma,
            p,
            jac=lambda p, sigma=sigma: _jacobian(p, e, end, unit, sigma),
            method="lm",
            max_nfev=100,
        )
        p = solution.x
        sigma = np.sqrt((relative * (model(p) - floor - p[2] * unit)) ** 2 + noise**2)
    covariance = np.linalg.pinv(solution.jac.T @ solution.jac)
    energy = np.exp(p[1]) * 1e3
    chi2 = float(np.sum(((s - model(p)) / sigma) ** 2))
    if not 2 < energy < 500:
        return None
    return (
        energy,
        energy * 1.08 * np.sqrt(covariance[1, 1] * max(1.0, chi2 / (len(e) - 3))),
        float(stats.chi2.sf(chi2, len(e) - 3)),
        p[0],
        floor + p[2] * unit,
    )


def _jacobian(p, e, end, unit, sigma):
    u = (e - end) / np.exp(p[1])
    tail = np.exp(p[0] + np.clip(u, -200, 50))
    return -np.column_stack([tail, -tail * u, np.full_like(e, unit)]) / sigma[:, None]
