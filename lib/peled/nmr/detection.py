"""Below the detection limit, in numbers: how much could be there unseen, and how cross polarisation
bends the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from peled import separable
from peled.nmr.lines import shape_columns
from peled.nmr.processing import Processed
from peled.quantities import (
    Estimates,
    Finding,
    Gate,
    Quantity,
    derive,
    described,
    goodness_z,
    signal,
)
from peled.separable import Sought


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
        Area that is missed 5 % of the time (Currie, Anal. Chem. 40, 586 (1968),
        doi:10.1021/ac60259a007).
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
    nuisance: Sequence[tuple[float, float]] = (),
    baseline_order: int = 2,
    gauss_Hz: float = 0.0,
) -> Limit:
    """Estimate the area of lines of known place and width, seen or not.

    Parameters
    ----------
    processed : Processed
    shifts_ppm : sequence of float
        Where the lines are expected; they are estimated together, as of equal areas.
    width_Hz, gauss_Hz : float
        Lorentzian and Gaussian width expected.
    window_ppm : (low, high), optional
        By default ten widths around the lines.
    nuisance : sequence of (shift_ppm, width_Hz)
        Other lines of unknown area under or beside them: sidebands, neighbours.
    baseline_order : int

    Returns
    -------
    Limit

    Raises
    ------
    ValueError
        If the window is outside the spectrum.

    References
    ----------
    .. [1] L. A. Currie, Anal. Chem. 40, 586 (1968), doi:10.1021/ac60259a007
    """
    shifts = np.asarray(shifts_ppm, float)
    reach = 10 * (width_Hz + gauss_Hz + processed.line_broadening_Hz) / processed.reference_MHz
    part = processed.window(*(window_ppm or (shifts.min() - reach, shifts.max() + reach)))
    ppm, data = processed.ppm[part], processed.real[part]
    columns = [shape_columns(processed, ppm, shifts, width_Hz, gauss_Hz).mean(axis=1)]
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
    z = float(ndtri(0.95))
    # A Gaussian truncated at zero: the limit stays meaningful when the estimate is negative.
    upper = estimate + error * ndtri(1 - 0.05 * ndtr(estimate / error))
    return Limit(estimate, error, z * error, 2 * z * error, float(upper), estimate > z * error)


def build_up(
    contact_time_s: np.ndarray, amplitude: float, t_is_s: float, t1rho_s: float
) -> np.ndarray:
    """Intensity after cross polarisation, abundant spins relaxing with T1rho (that of 13C
    neglected).

    I(t) = A (1 - T_IS/T1rho)^-1 [exp(-t/T1rho) - exp(-t/T_IS)] [1]_, their I-S model.

    Parameters
    ----------
    contact_time_s : ndarray
    amplitude : float
        Intensity without relaxation.
    t_is_s, t1rho_s : float
        Time of the transfer of polarisation, and of the protons' relaxation under the lock.

    Returns
    -------
    ndarray, shape of `contact_time_s`

    References
    ----------
    .. [1] W. Kolodziejski and J. Klinowski, Chem. Rev. 102, 613 (2002), doi:10.1021/cr000060n
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
    open_ends : mapping of time to (bool, bool)
        Whether the data allow it to be as short, as long as a hundred times beyond the times
        measured: then it is no number.
    """

    estimates: Estimates
    gates: tuple[Gate, ...]
    time_s: np.ndarray
    signal: np.ndarray
    error: np.ndarray
    model: np.ndarray
    chi2_reduced: float
    open_ends: Mapping[str, tuple[bool, bool]]

    def time(self, name: str, unit: str = "ms", **labels) -> Quantity:
        """A time constant.

        Parameters
        ----------
        name : str
        unit : {"ms", "s"}
        **labels
            As those of `derive`.

        Returns
        -------
        Quantity
        """
        factor = {"s": 1.0, "ms": 1e3}[unit]
        return derive(
            labels.pop("label", name),
            unit,
            lambda p: factor * np.exp(p[f"ln {name}"]),
            self.estimates,
            gates=(*self.gates, self._bounded(name)),
            **labels,
        )

    def _bounded(self, name: str) -> Gate:
        ends = [
            w for w, is_open in zip(("short", "long"), self.open_ends[name], strict=True) if is_open
        ]

        def gate(_: Quantity | None) -> Finding | None:
            if not ends:
                return None
            may = " or as ".join(ends)
            said = f"{name} may be as {may} as one likes: the times measured do not bound it"
            return Finding("determined", "withheld", said)

        return gate

    def diffusion(self, **labels) -> Quantity:
        """Diffusion coefficient, 1/b of `fit_diffusion`; `labels` as those of `derive`."""
        gates = (*self.gates, self._bounded("1/D"))
        label = labels.pop("label", "D")
        return derive(
            label, "m²/s", lambda p: np.exp(-p["ln 1/D"]), self.estimates, gates=gates, **labels
        )

    def efficiency(self, contact_time_s: float) -> Quantity:
        """Of cross polarisation: intensity at a contact time over the quantitative amplitude.

        Parameters
        ----------
        contact_time_s : float

        Returns
        -------
        Quantity
        """

        def share(p) -> float:
            times = np.exp(p["ln T_IS"]), np.exp(p["ln T1rho"])
            return float(build_up(np.array(contact_time_s), 1.0, *times))

        gates = (*self.gates, self._bounded("T_IS"), self._bounded("T1rho"))
        return derive("efficiency", "", share, self.estimates, gates=gates)


def fit_build_up(contact_time_s: np.ndarray, intensity: np.ndarray, error: np.ndarray) -> Course:
    """Fit a contact-time series; times `T_IS` and `T1rho`, the shorter being T_IS.

    Parameters
    ----------
    contact_time_s : array_like, shape (times,)
    intensity, error : array_like, shape (times,)
        Integrals and their standard errors by noise.

    Returns
    -------
    Course
        With the times `T_IS` and `T1rho`.

    Raises
    ------
    ValueError
        For fewer than four contact times.

    Notes
    -----
    T_IS and T1rho enter alike: I(t) is the same with the two exchanged and A → A T1rho/T_IS. For
    strongly coupled carbons the build-up is the faster of the two.

    References
    ----------
    .. [1] W. Kolodziejski and J. Klinowski, Chem. Rev. 102, 613 (2002), doi:10.1021/cr000060n
    """
    t, y, e = _course(contact_time_s, intensity, error)

    def basis(t_is: float, t1rho: float) -> dict[str, np.ndarray]:
        return {"amplitude": build_up(t, 1.0, t_is, t1rho)}

    return _fit(t, y, e, basis, ("T_IS", "T1rho"))


def fit_relaxation(time_s: np.ndarray, signal: np.ndarray, error: np.ndarray) -> Course:
    """Fit inversion recovery, saturation recovery (`T1`) or a decay of echoes (`T2`).

    Parameters
    ----------
    time_s, signal, error : array_like, shape (times,)
        Signed integrals: a magnitude hides the inversion.

    Returns
    -------
    Course

    Raises
    ------
    ValueError
        For fewer than four delays.

    Notes
    -----
    Recovery: M(t) = a - b exp(-t/T1), b free, so that an imperfect pulse does not enter T1 [1]_. A
    signal that falls with time is a decay to zero, b exp(-t/T2); one that falls through zero is
    a recovery phased upside down. Which it is, is taken from the data.

    References
    ----------
    .. [1] M. Sass and D. Ziessow, J. Magn. Reson. 25, 263 (1977), doi:10.1016/0022-2364(77)90077-9

    Examples
    --------
    >>> t = np.array([0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    >>> course = fit_relaxation(t, 5 - 9.6 * np.exp(-t / 0.3), np.full(8, 0.02))
    >>> print(course.time("T1", "s"))
    0.3000±0.0018 s
    """
    t, y, e = _course(time_s, signal, error)
    late = t > np.median(t)
    upside_down = y[0] > SURE * e[0] and y[-1] < -SURE * e[-1]
    y = -y if upside_down else y
    grows = y[late].mean() > y[~late].mean()

    def basis(scale: float) -> dict[str, np.ndarray]:
        decay = {"amplitude": np.exp(-t / scale)}
        return decay | {"level": np.ones(len(t))} if grows else decay

    return _fit(t, y, e, basis, ("T1" if grows else "T2",))


def fit_diffusion(weight_s_m2: np.ndarray, signal: np.ndarray, error: np.ndarray) -> Course:
    """Fit I(b) = A exp(-b D), the decay of a signal under growing gradients; `time_s` of the course
    is b, s/m².

    Parameters
    ----------
    weight_s_m2 : array_like, shape (gradients,)
        b of each trace, s/m², as of `peled.formats.nmr.Gradients`.
    signal, error : array_like, shape (gradients,)

    Returns
    -------
    Course
        With the weight `1/D`; its `diffusion` gives D, m²/s.

    Raises
    ------
    ValueError
        For fewer than four gradients.

    Notes
    -----
    One species a line: two that overlap leave a curved decay, which the goodness of fit says.

    References
    ----------
    .. [1] E. O. Stejskal and J. E. Tanner, J. Chem. Phys. 42, 288 (1965), doi:10.1063/1.1695690
    """
    b, y, e = _course(weight_s_m2, signal, error)
    return _fit(b, y, e, lambda scale: {"amplitude": np.exp(-b / scale)}, ("1/D",))


#: By how much traces of a series may scatter with their signal (gain, pulses, lock) before the
#: course is no longer described: what they scatter by stands in the errors.
TRACES = 0.02

#: A signal has another sign where it lies this many errors on either side of zero.
SURE = 5.0


def _course(time_s, signal, error) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t, y, e = (np.asarray(a, float) for a in (time_s, signal, error))
    if len(np.unique(t)) < 4:
        raise ValueError(f"times: expected at least four, found {np.unique(t).size}")
    order = np.argsort(t)
    return t[order], y[order], e[order]


#: Rise of χ² that an end of the range of a time must cost, for the time to be more than a limit.
OPEN = 6.63  # 99 % for one parameter


def _fit(t, y, e, basis, times: tuple[str, ...]) -> Course:
    """Times on a grid with the linear parameters eliminated, then all together.

    Errors are those of traces that may scatter with their signal as well (a receiver, a pulse, a
    lock): a χ² that noise could make does not say that they do not.
    """
    axis = np.log(np.geomspace(t[t > 0].min() / 100, t.max() * 100, 40))
    grid = np.full((len(axis),) * len(times), np.inf)
    for at in combinations(range(len(axis)), len(times)):  # ascending: the first time is shorter
        grid[at] = _square(basis(*np.exp(axis[list(at)])), y, e)
    best = np.unravel_index(np.argmin(grid), grid.shape)
    starts = [float(axis[i]) for i in best]
    linear = list(basis(*np.exp(starts)))

    def columns(logs) -> np.ndarray:
        return np.stack(list(basis(*np.exp(logs)).values()), axis=1)

    def of_traces(jacobian) -> np.ndarray:
        return separable.covariance_over_correlations(jacobian, fit.residual, fit.model / e)

    fit = separable.fit(
        separable.differences(columns, [1e-4] * len(times)),
        y,
        {
            f"ln {name}": Sought(value, axis[0], axis[-1], 0.1)
            for name, value in zip(times, starts, strict=True)
        },
        linear,
        error=e,
        covariance_of=of_traces,
    )
    square, shown = fit.chi2, fit.model
    # A course that scatters by more than its errors is less sure than they say.
    noise = np.sqrt(separable.larger(fit.residual, fit.freedom))
    # What the times rest on is what changes with time.
    size = np.linalg.norm((shown - shown.mean() * ("level" in linear)) / e)
    positive = "level" in linear or fit.linear[0] > 0
    value = float(size if positive else -size)
    there = signal(value, noise, "the course of the signal", tries=10 * len(t))
    allowed = np.hypot(e, TRACES * np.abs(y).max())
    left = goodness_z(float(np.sum(((y - shown) / allowed) ** 2)), fit.freedom)
    ends = {}
    for k, name in enumerate(times):
        low, high = (
            float(np.take(grid, i, axis=k).min()) for i in (0, len(axis) - 1 - (len(times) - 1 - k))
        )
        ends[name] = (low - square) / noise**2 < OPEN, (high - square) / noise**2 < OPEN
    found = replace(fit.estimates, goodness=None)
    return Course(found, (there, described(left)), t, y, e, shown, square / fit.freedom, ends)


def _square(columns: dict[str, np.ndarray], y, e) -> float:
    """χ² with the best linear parameters."""
    design = np.stack(list(columns.values()), axis=1) / e[:, None]
    rest = design @ np.linalg.lstsq(design, y / e, rcond=None)[0] - y / e
    return float(rest @ rest)
