"""Below the detection limit, in numbers: how much could be there unseen, and how cross polarisation bends the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from peled.nmr.lines import shape_columns
from peled.nmr.processing import Processed
from peled.quantities import (
    Estimates,
    Gate,
    Quantity,
    derive,
    described,
    from_lmfit,
    goodness_z,
    signal,
)


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
class Course:
    """A signal against a time, fitted: quantities with errors, or the reason why there are none.

    Attributes
    ----------
    estimates : Estimates
        Times as logarithms `ln <name>`, in ln s.
    gates : tuple of Gate
        What speaks against the whole course.
    time_s, signal, error, model : ndarray, shape (times,)
    chi2_reduced : float
    """

    estimates: Estimates
    gates: tuple[Gate, ...]
    time_s: np.ndarray
    signal: np.ndarray
    error: np.ndarray
    model: np.ndarray
    chi2_reduced: float

    def time(self, name: str, unit: str = "ms", **labels) -> Quantity:
        """A time constant; `labels` as those of `derive`."""
        factor = {"s": 1.0, "ms": 1e3}[unit]
        return derive(
            labels.pop("label", name),
            unit,
            lambda p: factor * np.exp(p[f"ln {name}"]),
            self.estimates,
            gates=self.gates,
            **labels,
        )

    def efficiency(self, contact_time_s: float) -> Quantity:
        """Of cross polarisation: intensity at a contact time over the quantitative amplitude."""

        def share(p) -> float:
            times = np.exp(p["ln T_IS"]), np.exp(p["ln T1rho"])
            return float(build_up(np.array(contact_time_s), 1.0, *times))

        return derive("efficiency", "", share, self.estimates, gates=self.gates)


def fit_build_up(contact_time_s: np.ndarray, intensity: np.ndarray, error: np.ndarray) -> Course:
    """Fit a contact-time series; times `T_IS` and `T1rho`, the shorter being T_IS.

    Raises
    ------
    ValueError
        For fewer than four contact times.

    Notes
    -----
    T_IS and T1rho enter alike: I(t) is the same with the two exchanged and A → A T1rho/T_IS. For
    strongly coupled carbons the build-up is the faster of the two.
    """
    t, y, e = _course(contact_time_s, intensity, error, 4)
    starts = [
        {"amplitude": 1.2 * _extreme(y), "ln T_IS": np.log(fast), "ln T1rho": np.log(slow)}
        for fast in (0.05e-3, 0.3e-3, 1.5e-3)
        for slow in (3e-3, 15e-3, 100e-3)
    ]

    def model(p) -> np.ndarray:
        return build_up(t, p["amplitude"], np.exp(p["ln T_IS"]), np.exp(p["ln T1rho"]))

    return _fit(t, y, e, model, starts, exchange=("ln T_IS", "ln T1rho"))


def fit_relaxation(time_s: np.ndarray, signal: np.ndarray, error: np.ndarray) -> Course:
    """Fit inversion recovery, saturation recovery (`T1`) or a decay of echoes (`T2`).

    Parameters
    ----------
    time_s, signal, error : array_like, shape (times,)
        Signed integrals: a magnitude hides the inversion.

    Raises
    ------
    ValueError
        For fewer than four delays.

    Notes
    -----
    Recovery: M(t) = a - b exp(-t/T1), b free, so that an imperfect pulse does not enter T1 [1]_. A
    signal that falls with time is a decay to zero, b exp(-t/T2). Which it is, is taken from the
    data: the later half of the delays against the earlier, beyond their errors.

    References
    ----------
    .. [1] M. Sass and D. Ziessow, J. Magn. Reson. 25, 263 (1977), doi:10.1016/0022-2364(77)90077-9

    Examples
    --------
    >>> t = np.array([0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    >>> course = fit_relaxation(t, 5 - 9.6 * np.exp(-t / 0.3), np.full(8, 0.02))
    >>> print(course.time("T1", "s"))
    0.3000±0.0017 s
    """
    t, y, e = _course(time_s, signal, error, 4)
    late = t > np.median(t)
    grows = y[late].mean() > y[~late].mean()
    name = "T1" if grows else "T2"
    starts = [
        {"amplitude": y[~late].mean() - y[late].mean() if grows else _extreme(y)}
        | {f"ln {name}": np.log(scale), "level": y[late][-1] if grows else 0.0}
        for scale in np.geomspace(max(t[t > 0].min(), t.max() / 1e4), t.max(), 4)
    ]

    def model(p) -> np.ndarray:
        return p["level"] + p["amplitude"] * np.exp(-t / np.exp(p[f"ln {name}"]))

    return _fit(t, y, e, model, starts, held=() if grows else ("level",))


def _course(time_s, signal, error, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t, y, e = (np.asarray(a, float) for a in (time_s, signal, error))
    if len(t) < least:
        raise ValueError(f"times: expected at least {least}, found {len(t)}")
    order = np.argsort(t)
    return t[order], y[order], e[order]


def _extreme(y: np.ndarray) -> float:
    return float(y[np.argmax(np.abs(y))]) or 1.0


def _fit(t, y, e, model, starts, *, held: Sequence[str] = (), exchange: tuple[str, ...] = ()):
    """The best of the fits from several starts, through lmfit."""
    import lmfit

    span = np.log(t[t > 0].min() / 100), np.log(t.max() * 100)
    scale = abs(_extreme(y))  # lmfit steps in units of a parameter

    def run(start):
        parameters = lmfit.Parameters()
        ids = {}
        for name, value in start.items():
            low, high = span if name.startswith("ln ") else (-np.inf, np.inf)
            ids[name] = name.replace(" ", "_")
            value = float(np.clip(value if np.isfinite(low) else value / scale, low, high))
            parameters.add(ids[name], value, name not in held, low, high)

        def residual(p):
            values = {
                n: p[i].value if n.startswith("ln ") else scale * p[i].value for n, i in ids.items()
            }
            return (model(values) - y) / e

        minimizer = lmfit.Minimizer(residual, parameters)
        return minimizer.minimize(method="least_squares"), minimizer, ids

    runs = [run(start) for start in starts]
    result, minimizer, ids = min(runs, key=lambda r: r[0].chisqr)
    if exchange:
        first, second = (result.params[ids[n]].value for n in exchange)
        if first > second:
            turned = {n: result.params[i].value for n, i in ids.items()}
            turned |= {exchange[0]: second, exchange[1]: first}
            turned["amplitude"] *= scale * np.exp(second - first)
            result, minimizer, ids = run(turned)
    freedom = max(len(t) - result.nvarys, 1)
    chi2 = float(result.chisqr) / freedom
    noise = max(np.sqrt(chi2), 1.0)  # a course that scatters by more than its errors is less sure
    found = from_lmfit(result, {}, noise, minimizer=minimizer)
    found = replace(
        found, names=tuple(next(n for n, i in ids.items() if i == m) for m in found.names)
    )
    shown = y + e * result.residual
    shape = shown if "level" not in ids else shown - shown[-1]  # what a time constant rests on
    size = float(np.sqrt(np.sum((shape / e) ** 2))) * (
        1 if shape.sum() >= 0 or "level" in ids else -1
    )
    there = signal(size, noise, "the course of the signal", tries=10 * len(t))
    gates = (there, described(goodness_z(float(result.chisqr), freedom)))
    return Course(found, gates, t, y, e, shown, chi2)
