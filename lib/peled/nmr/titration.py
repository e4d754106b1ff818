"""Shifts and widths along a titration: which line is which, what moves, what only broadens, and a
binding model.

Concentrations in mol/L; ratios are metal to ligand. In the fast limit the observed shift is the
mean over free and bound ligand, and exchange adds to the width 4 pi p_f^2 p_b dnu^2 / k_off (Hz;
Leigh, J. Magn. Reson. 4, 308 (1971)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import chdtri

from peled import separable
from peled.separable import Sought, differences

REACH_PPM = 0.1  #: of a line from one spectrum to the next, at most

# ---- which line is which -------------------------------------------------------------------------


def track(
    positions_ppm: Sequence[np.ndarray], areas: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Follow lines along a series by the cheapest assignment of each spectrum's lines to the lines
    before.

    Each line is expected where its last two places point; missing it costs as much as a step of
    `reach_ppm`.

    Parameters
    ----------
    positions_ppm : sequence of ndarray
        Line positions of each spectrum, in any order and number.
    areas : sequence of ndarray, optional
        A line that changes its area by e costs like one that moves by half of `reach_ppm`.

    Returns
    -------
    ndarray of int, shape (spectra, lines of the first)
        Index into each spectrum's lines; -1 where a line was not found.

    References
    ----------
    .. [1] H. W. Kuhn, Nav. Res. Logist. Q. 2, 83 (1955), doi:10.1002/nav.3800020109
    """
    first = np.asarray(positions_ppm[0], float)
    found = np.full((len(positions_ppm), len(first)), -1)
    found[0] = np.arange(len(first))
    last, drift = first.copy(), np.zeros(len(first))
    last_area = None if areas is None else np.asarray(areas[0], float).copy()
    for k in range(1, len(positions_ppm)):
        now = np.asarray(positions_ppm[k], float)
        cost = ((now[None, :] - (last + drift)[:, None]) / REACH_PPM) ** 2
        if areas is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.log(
                    np.abs(np.asarray(areas[k], float))[None, :] / np.abs(last_area)[:, None]
                )
            cost = cost + np.where(np.isfinite(change), (0.5 * change) ** 2, 4.0)
        allowed = np.abs(now[None, :] - last[:, None]) <= REACH_PPM
        cost = np.where(allowed, cost, np.inf)
        padded = np.hstack([cost, np.full((len(first), len(first)), 1.0)])
        rows, columns = linear_sum_assignment(padded)
        for row, column in zip(rows, columns, strict=True):
            if column < len(now):
                step = now[column] - last[row]
                drift[row] = step if found[k - 1, row] >= 0 else 0.0
                last[row] = now[column]
                if areas is not None:
                    last_area[row] = areas[k][column]
                found[k, row] = column
    return found


@dataclass(frozen=True)
class Trend:
    """How one line answers to a titration.

    `kind` is "shift and broadening", "shift only", "broadening only", "narrowing" or "unchanged",
    at `z` standard errors.
    """

    name: str
    shift_ppm: float
    shift_error_ppm: float
    broadening_Hz: float
    broadening_error_Hz: float
    kind: str


def trend(
    name: str,
    ratio: np.ndarray,
    shift_ppm: np.ndarray,
    shift_error_ppm: np.ndarray,
    width_Hz: np.ndarray,
    width_error_Hz: np.ndarray,
) -> Trend:
    """Change of shift from the start of a series to its end, and of width from its start to the
    rest.

    The change of shift is that of a straight line in ratio / (1 + ratio), which any saturating
    isotherm follows closely enough to tell its sign; its error is scaled up where the points
    scatter more than their errors. Exchange broadening rises and falls again, so the width of the
    first spectrum is compared with the mean of the others.

    Parameters
    ----------
    name : str
        Of the line.
    ratio : ndarray, shape (spectra,)
    shift_ppm, shift_error_ppm : ndarray, shape (spectra,)
        Error with that of referencing, which every spectrum has anew.
    width_Hz, width_error_Hz : ndarray, shape (spectra,)

    Returns
    -------
    Trend

    References
    ----------
    .. [1] P. Thordarson, Chem. Soc. Rev. 40, 1305 (2011), doi:10.1039/C0CS00062K
    .. [2] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207
    """
    x = np.asarray(ratio, float)
    x = x / (1 + x)
    moved, moved_error = _slope(x, shift_ppm, shift_error_ppm)
    w, e = np.asarray(width_Hz, float), np.asarray(width_error_Hz, float)
    later = np.isfinite(w[1:]) & np.isfinite(e[1:])
    broader = float(np.mean(w[1:][later]) - w[0]) if later.any() and np.isfinite(w[0]) else 0.0
    broader_error = (
        float(np.hypot(e[0], np.sqrt(np.sum(e[1:][later] ** 2)) / max(later.sum(), 1)))
        if later.any() and np.isfinite(w[0])
        else np.inf
    )
    moves, broadens = abs(moved) > 3.0 * moved_error, abs(broader) > 3.0 * broader_error
    if moves and broadens and broader > 0:
        kind = "shift and broadening"
    elif moves:
        kind = "shift only"
    elif broadens:
        kind = "broadening only" if broader > 0 else "narrowing"
    else:
        kind = "unchanged"
    return Trend(
        name,
        moved,
        moved_error,
        broader,
        broader_error,
        kind,
    )


def _slope(x, y, error) -> tuple[float, float]:
    y, error = np.asarray(y, float), np.asarray(error, float)
    ok = np.isfinite(y) & np.isfinite(error) & (error > 0)
    x, y, error = x[ok], y[ok], error[ok]
    if len(y) < 2 or np.ptp(x) == 0:
        return 0.0, np.inf
    design = np.column_stack([np.ones(len(x)), x]) / error[:, None]
    solution, *_ = np.linalg.lstsq(design, y / error, rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    reduced = np.sum((y / error - design @ solution) ** 2) / max(len(y) - 2, 1)
    span = np.ptp(x)
    return float(solution[1] * span), float(np.sqrt(covariance[1, 1] * max(reduced, 1.0)) * span)


# ---- binding -------------------------------------------------------------------------------------


def bound_fractions(
    ligand: np.ndarray, metal: np.ndarray, constants: Sequence[float]
) -> np.ndarray:
    """Fractions of the ligand in ML and, with two constants, in ML2.

    Parameters
    ----------
    ligand, metal : ndarray
        Total concentrations, mol/L.
    constants : (K1,) or (K1, K2)
        Stepwise association constants, L/mol.

    Returns
    -------
    ndarray, shape (len(constants), points)

    Notes
    -----
    Free ligand x solves x + M (K1 x + 2 K1 K2 x²) / (1 + K1 x + K1 K2 x²) = L; it is bracketed in
    (0, L) and found by Newton's steps, by halving where one leaves the bracket.

    References
    ----------
    .. [1] P. Thordarson, Chem. Soc. Rev. 40, 1305 (2011), doi:10.1039/C0CS00062K
    """
    ligand, metal = np.broadcast_arrays(np.asarray(ligand, float), np.asarray(metal, float))
    k1, k12 = constants[0], constants[0] * constants[1] if len(constants) == 2 else 0.0
    low, high = np.zeros_like(ligand), ligand.copy()
    x = 0.5 * ligand
    for _ in range(60):
        partition = 1 + k1 * x + k12 * x**2
        bound = (k1 * x + 2 * k12 * x**2) / partition
        away = x + metal * bound - ligand
        low, high = np.where(away < 0, x, low), np.where(away < 0, high, x)
        slope = (k1 + 4 * k12 * x - bound * (k1 + 2 * k12 * x)) / partition
        step = x - away / (1 + metal * slope)
        next_x = np.where((low <= step) & (step <= high), step, 0.5 * (low + high))
        settled, x = np.abs(next_x - x) <= 1e-14 * ligand, next_x
        if settled.all():
            break
    partition = 1 + k1 * x + k12 * x**2
    rows = [metal * k1 * x / partition / ligand]
    if len(constants) == 2:
        rows.append(2 * metal * k12 * x**2 / partition / ligand)
    return np.array(rows)


@dataclass(frozen=True)
class Binding:
    """A binding model fitted to the shifts of one or several lines.

    Attributes
    ----------
    model : "1:1" or "1:2"
    log10_K : tuple of float
    log10_K_intervals : tuple of (low, high)
        95 % profile intervals; an end at the limit of the search (0 and 8) means the data set no
        bound there.
    free_ppm, bound_ppm : ndarray
        Limiting shifts of each line: free (lines,), bound (states, lines).
    chi2, bic : float
    """

    model: str
    log10_K: tuple[float, ...]
    log10_K_intervals: tuple[tuple[float, float], ...]
    free_ppm: np.ndarray
    bound_ppm: np.ndarray
    chi2: float
    bic: float
    freedom: int


LOG_K_RANGE = (0.0, 8.0)

#: Of the constants that a search may start from, so many that lie nearest are refined.
NEAREST = 3


def fit_binding(
    ligand: np.ndarray,
    metal: np.ndarray,
    shifts_ppm: np.ndarray,
    errors_ppm: np.ndarray,
    *,
    model: str = "1:1",
) -> Binding:
    """Fit shifts in fast exchange by an isotherm; all lines share the constants.

    Parameters
    ----------
    ligand, metal : ndarray, shape (points,)
    shifts_ppm, errors_ppm : ndarray, shape (points,) or (points, lines)
    model : "1:1" (ML) or "1:2" (ML and ML2)

    Returns
    -------
    Binding

    Raises
    ------
    ValueError
        For an unknown model or fewer points than parameters.

    References
    ----------
    .. [1] P. Thordarson, Chem. Soc. Rev. 40, 1305 (2011), doi:10.1039/C0CS00062K
    """
    if model not in ("1:1", "1:2"):
        raise ValueError(f"model: expected 1:1 or 1:2, found {model!r}")
    y = np.asarray(shifts_ppm, float)
    y = y[:, None] if y.ndim == 1 else y
    e = np.asarray(errors_ppm, float)
    e = np.broadcast_to(e[:, None] if e.ndim == 1 else e, y.shape)
    states = 1 if model == "1:1" else 2
    count = y.size
    parameters = states + (1 + states) * y.shape[1]
    if count <= parameters:
        raise ValueError(f"{model}: expected more than {parameters} shifts, found {count}")

    def columns(logs):
        fractions = bound_fractions(ligand, metal, [10**v for v in logs])
        return np.column_stack([np.ones(len(y)), *fractions])

    low, high = LOG_K_RANGE
    starts = [(v,) for v in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)]
    if states == 2:
        starts = [(a, b) for a in (1.5, 3.0, 5.0) for b in (1.0, 2.5, 4.5)]

    def missed(start) -> float:
        c = columns(start)
        return float(
            sum(
                np.linalg.lstsq(c / s[:, None], v / s, rcond=None)[1].sum()
                for v, s in zip(y.T, e.T, strict=True)
            )
        )

    fits = [
        separable.fit(
            differences(columns, [1e-4] * states),
            y,
            {f"log K{i + 1}": Sought(v, low, high) for i, v in enumerate(start)},
            ["free", *(f"bound {i + 1}" for i in range(states))],
            error=e,
        )
        for start in sorted(starts, key=missed)[:NEAREST]
    ]
    best = min(fits, key=lambda f: f.chi2)
    reduced = best.chi2 / max(count - parameters, 1)
    rise = float(chdtri(1, 0.05)) * max(reduced, 1.0)
    free = best.linear[0]
    return Binding(
        model,
        tuple(best.values.tolist()),
        tuple(best.interval(f"log K{i + 1}", low, high, rise) for i in range(states)),
        free,
        free[None] + best.linear[1:],
        best.chi2,
        float(best.chi2 + parameters * np.log(count)),
        count - parameters,
    )


@dataclass(frozen=True)
class Exchange:
    """Rate of leaving the complex from the widths of one line in fast exchange; `fast` tells
    whether that limit holds.
    """

    k_off_s: float
    k_off_error_s: float
    width_free_Hz: float
    width_bound_Hz: float
    chi2_reduced: float
    fast: bool


def fit_exchange(
    fraction_bound: np.ndarray, difference_Hz: float, width_Hz: np.ndarray, error_Hz: np.ndarray
) -> Exchange:
    """Fit widths by free and bound width and two-site exchange broadening 4 pi p_f^2 p_b dnu^2 /
    k_off.

    The rate is held not to be negative; `fast` is k_ex > 2 pi |dnu| at every point of the series.

    Parameters
    ----------
    fraction_bound : ndarray, shape (points,)
    difference_Hz : float
        Between the shifts of bound and free.
    width_Hz, error_Hz : ndarray, shape (points,)

    Returns
    -------
    Exchange

    References
    ----------
    .. [1] H. S. Gutowsky and C. H. Holm, J. Chem. Phys. 25, 1228 (1956), doi:10.1063/1.1743184
    """
    p = np.asarray(fraction_bound, float)
    y, e = np.asarray(width_Hz, float), np.asarray(error_Hz, float)
    exchange = 4 * np.pi * (1 - p) ** 2 * p * difference_Hz**2
    design = np.column_stack([1 - p, p, exchange]) / e[:, None]
    size = np.sqrt((design**2).sum(axis=0))
    size[size == 0] = 1.0
    solution = np.linalg.lstsq(design / size, y / e, rcond=1e-10)[0] / size
    inverse = np.linalg.pinv((design / size).T @ (design / size)) / np.outer(size, size)
    freedom = max(len(y) - 3, 1)
    reduced = float(np.sum((y / e - design @ solution) ** 2) / freedom)
    error = np.sqrt(np.diag(inverse) * max(reduced, 1.0))
    slow = solution[2]
    rate = 1 / slow if slow > 0 else np.inf
    rate_error = error[2] / slow**2 if slow > 0 else np.inf
    free = np.maximum(1 - p, 1e-9)
    fast = bool(np.isinf(rate) or np.all(rate / free > 2 * np.pi * abs(difference_Hz)))
    return Exchange(
        float(rate), float(rate_error), float(solution[0]), float(solution[1]), reduced, fast
    )


def two_site(
    offset_Hz: np.ndarray,
    fraction_bound: float,
    free_Hz: float,
    bound_Hz: float,
    k_ex_s: float,
    width_free_Hz: float,
    width_bound_Hz: float,
) -> np.ndarray:
    """Absorption of unit area over Hz of one spin that exchanges between two sites, at any rate.

    S = Re 1'(R + i(w - W) - K)^-1 p [1]_, the 2 x 2 inverse written out. `k_ex_s` is the sum of the
    rates both ways.

    Parameters
    ----------
    offset_Hz : ndarray
    fraction_bound : float
    free_Hz, bound_Hz : float
        Places of both sites.
    k_ex_s : float
        Sum of the rates both ways, 1/s.
    width_free_Hz, width_bound_Hz : float
        Full widths without exchange.

    Returns
    -------
    ndarray, shape of `offset_Hz`
        Per Hz.

    References
    ----------
    .. [1] H. M. McConnell, J. Chem. Phys. 28, 430 (1958), doi:10.1063/1.1744152
    """
    w = 2 * np.pi * np.asarray(offset_Hz, float)
    pf, pb = 1 - fraction_bound, fraction_bound
    to_bound, to_free = k_ex_s * pb, k_ex_s * pf
    a = np.pi * width_free_Hz + 1j * (w - 2 * np.pi * free_Hz) + to_bound
    b = np.pi * width_bound_Hz + 1j * (w - 2 * np.pi * bound_Hz) + to_free
    total = (pf * (b + to_bound) + pb * (a + to_free)) / (a * b - to_bound * to_free)
    return 2 * total.real
