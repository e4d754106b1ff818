"""Below the detection limit, in numbers: how much could be there unseen, and how cross polarisation bends the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import norm

from peled.nmr.lines import shape_columns
from peled.nmr.processing import Processed


@dataclass(frozen=True)
class Limit:
    """What a spectrum says about lines at given shifts.

    Attributes
    ----------
    area, area_error : float
        Best estimate of the total area over Hz (free sign) and its standard error.
    critical : float
        Area above which a signal is called detected, 5 % false alarms.
    detection_limit : float
        Area that is missed 5 % of the time (Currie, Anal. Chem. 40, 586 (1968), doi:10.1021/ac60259a007).
    upper_limit : float
        95 % upper limit on the area, given what was seen and that areas are not negative.
    detected : bool
    """

    area: float
    area_error: float
    critical: float
    detection_limit: float
    upper_limit: float
    detected: bool


def limit_at(
    processed: Processed,
    shifts_ppm: Sequence[float],
    width_Hz: float,
    *,
    window_ppm: tuple[float, float] | None = None,
    weights: Sequence[float] | None = None,
    nuisance: Sequence[tuple[float, float]] = (),
    baseline_order: int = 2,
    gauss_Hz: float = 0.0,
) -> Limit:
    """Estimate the area of lines of known place and width, seen or not.

    Parameters
    ----------
    shifts_ppm : sequence of float
        Where the lines are expected; they are estimated together, with `weights` as their relative areas.
    width_Hz, gauss_Hz : float
        Lorentzian and Gaussian width expected.
    window_ppm : (low, high), optional
        By default ten widths around the lines.
    nuisance : sequence of (shift_ppm, width_Hz)
        Other lines of unknown area under or beside them: sidebands, neighbours.
    baseline_order : int

    Raises
    ------
    ValueError
        If the window is outside the spectrum.
    """
    shifts = np.asarray(shifts_ppm, float)
    relative = (
        np.ones(len(shifts)) / len(shifts)
        if weights is None
        else np.asarray(weights, float) / np.sum(weights)
    )
    reach = 10 * (width_Hz + gauss_Hz + processed.line_broadening_Hz) / processed.reference_MHz
    part = processed.window(*(window_ppm or (shifts.min() - reach, shifts.max() + reach)))
    ppm, data = processed.ppm[part], processed.real[part]
    columns = [shape_columns(processed, ppm, shifts, width_Hz, gauss_Hz) @ relative]
    columns += [
        shape_columns(processed, ppm, np.array([shift]), width)[:, 0] for shift, width in nuisance
    ]
    columns += list(np.vander(np.linspace(-1, 1, len(ppm)), baseline_order + 1).T)
    design = np.array(columns).T
    size = np.sqrt((design**2).sum(axis=0))
    operator = np.linalg.pinv(design / size).T / size  # each column estimates one amplitude
    estimate = float(operator[:, 0] @ data)
    error = float(np.sqrt(processed.covariance_of(operator[:, :1])[0, 0]))
    rest = data - design @ (operator.T @ data)
    independent = processed.independent_points(len(data))
    misfit = (
        np.sqrt(np.mean(rest**2) * independent / max(independent - design.shape[1], 1.0))
        / processed.noise_sd
    )
    if misfit**2 > 1 + 4 * np.sqrt(2 / max(independent - design.shape[1], 2.0)):
        error *= float(misfit)
    z = norm.ppf(0.95)
    # A Gaussian estimate truncated at zero: the limit stays meaningful when the estimate is negative.
    upper = estimate + error * norm.ppf(1 - 0.05 * norm.cdf(estimate / error))
    return Limit(estimate, error, z * error, 2 * z * error, float(upper), estimate > z * error)


def build_up(
    contact_time_s: np.ndarray, amplitude: float, t_is_s: float, t1rho_s: float
) -> np.ndarray:
    """Intensity after cross polarisation for a contact time, abundant spins relaxing with T1rho (T1rho of 13C neglected).

    I(t) = A (1 - T_IS/T1rho)^-1 [exp(-t/T1rho) - exp(-t/T_IS)] (Kolodziejski and Klinowski, Chem. Rev. 102, 613 (2002),
    doi:10.1021/cr000060n, equation for the I-S model).
    """
    ratio = t_is_s / t1rho_s
    if abs(ratio - 1) < 1e-6:
        return amplitude * contact_time_s / t1rho_s * np.exp(-contact_time_s / t1rho_s)
    return (
        amplitude
        / (1 - ratio)
        * (np.exp(-contact_time_s / t1rho_s) - np.exp(-contact_time_s / t_is_s))
    )


@dataclass(frozen=True)
class BuildUp:
    """Cross-polarisation build-up: amplitude (quantitative), T_IS, T1rho with errors; correlated, hence the covariance."""

    amplitude: float
    t_is_s: float
    t1rho_s: float
    errors: tuple[float, float, float]
    covariance_log: np.ndarray
    chi2_reduced: float

    def efficiency(self, contact_time_s: float) -> tuple[float, float]:
        """Intensity at a contact time over the quantitative amplitude, with its standard error (without the amplitude's)."""
        value = float(build_up(np.array(contact_time_s), 1.0, self.t_is_s, self.t1rho_s))
        steps = []
        for k, (a, b) in enumerate(((self.t_is_s, self.t1rho_s),) * 2):
            up = build_up(
                np.array(contact_time_s),
                1.0,
                a * (1.001 if k == 0 else 1),
                b * (1.001 if k == 1 else 1),
            )
            steps.append((float(up) - value) / np.log(1.001))
        gradient = np.array(steps)
        return value, float(np.sqrt(gradient @ self.covariance_log[1:, 1:] @ gradient))


def fit_build_up(contact_time_s: np.ndarray, intensity: np.ndarray, error: np.ndarray) -> BuildUp:
    """Fit a contact-time series.

    Raises
    ------
    ValueError
        For fewer than four contact times.
    """
    t, y, e = (np.asarray(a, float) for a in (contact_time_s, intensity, error))
    if len(t) < 4:
        raise ValueError(f"contact times: expected at least four, found {len(t)}")
    best = None
    for fast in (0.05e-3, 0.3e-3, 1.5e-3):
        for slow in (3e-3, 15e-3, 100e-3):
            start = np.log([max(y.max(), 1e-300) * 1.2, fast, slow])
            found = least_squares(
                lambda p: (build_up(t, *np.exp(p)) - y) / e,
                start,
                x_scale=[0.2, 0.5, 0.5],
                bounds=(start - 12, start + 12),
            )
            if best is None or found.cost < best.cost - 1e-9:
                best = found
    values = np.exp(best.x)
    freedom = max(len(t) - 3, 1)
    chi2 = 2 * best.cost / freedom
    covariance = np.linalg.pinv(best.jac.T @ best.jac) * max(chi2, 1.0)
    errors = np.sqrt(np.diag(covariance)) * values
    if (
        values[1] > values[2]
    ):  # the two times exchange roles; the faster one builds up for strongly coupled carbons
        ratio = values[1] / values[2]
        order = [0, 2, 1]
        values, errors, covariance = values[order], errors[order], covariance[np.ix_(order, order)]
        values[0] *= 1 / ratio
        errors[0] /= ratio
    return BuildUp(
        float(values[0]),
        float(values[1]),
        float(values[2]),
        tuple(float(x) for x in errors),
        covariance,
        float(chi2),
    )
