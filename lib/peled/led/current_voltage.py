"""Current-voltage-luminance curves: the J-V model and its fit, turn-on voltage, hysteresis, and the
roll-off of efficiency.

The J-V model has four regimes, each one visible as a slope on a log-log plot: leakage (ohmic
shunt), injection (diode with ideality n), transport (J ∝ V^m, m = 2 space-charge limited, m > 2
with traps or a field-dependent mobility) and series resistance. Injection and transport carry the
same current, so their voltages add:

    V − J R_s = (n k T/q) ln(1 + J_d/J_0) + (J_d/K)^(1/m),      J = J_d + (V − J R_s)/R_sh.

It is a description with parameters of physical meaning, not a drift-diffusion model (S. M. Sze,
Physics of Semiconductor Devices; M. A. Lampert, P. Mark, Current Injection in Solids). Current
densities are in mA cm⁻², voltages in V.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import Boltzmann, elementary_charge
from scipy.interpolate import PchipInterpolator
from scipy.special import expit

from peled.quantities import Estimates, fit_lmfit
from peled.separable import averaged, fits_over_correlations

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

TEMPERATURE_K = 295.0
NOISE_MA_CM2 = 1e-6  #: of a source meter's current; a point must exceed three times this
LEAST_V = 0.05  #: at 0 V a logarithm has nothing to say
LEAST_POINTS = 9
NEWTON_STEPS = 3  #: from a coarse table on, to seven digits at least

#: Parameters of the J-V model: unit, bounds.
JV_PARAMETERS = {
    "log10_saturation": ("", -40.0, 0.0),
    "ideality": ("", 1.0, 20.0),
    "log10_transport": ("", -12.0, 8.0),
    "exponent": ("", 1.5, 12.0),
    "log10_shunt": ("", 1.0, 11.0),
    "log10_series": ("", -4.0, 4.0),
}


def jv_current(voltage_V: np.ndarray, parameters: Sequence[float]) -> np.ndarray:
    """Current density (mA cm⁻²) of the model above at positive voltages and `TEMPERATURE_K`.

    Parameters
    ----------
    voltage_V : array (n,)
    parameters : sequence of 6
        log10 J_0 (mA cm⁻²), n, log10 K (mA cm⁻² V⁻ᵐ), m, log10 R_sh and log10 R_s (Ω cm²).

    Returns
    -------
    array (n,)
        mA cm⁻².

    Notes
    -----
    V is explicit in J_d: a coarse table gives a start, three Newton steps in ln V the rest, so that
    the current is smooth in the parameters (an interpolated table is not, and spoils the
    derivatives of a fit).

    References
    ----------
    .. [1] W. Shockley, Bell Syst. Tech. J. 28, 435 (1949), doi:10.1002/j.1538-7305.1949.tb03645.x
    """
    log_j0, ideality, log_k, exponent, log_shunt, log_series = parameters
    thermal = ideality * Boltzmann * TEMPERATURE_K / elementary_charge
    ln_j0, ln_k, shunt_mS, series_kOhm = (
        math.log(10) * log_j0,
        math.log(10) * log_k,
        10.0 ** (3 - log_shunt),
        10.0 ** (log_series - 3),
    )

    def outer(ln_j):
        """Terminal voltage, its derivative in ln J_d, and the total current."""
        transport = np.exp((ln_j - ln_k) / exponent)
        inner = thermal * np.logaddexp(0.0, ln_j - ln_j0) + transport
        slope = thermal * expit(ln_j - ln_j0) + transport / exponent
        diode = np.exp(ln_j)
        return (
            inner + series_kOhm * (diode + shunt_mS * inner),
            slope + series_kOhm * (diode + shunt_mS * slope),
            diode + shunt_mS * inner,
        )

    ln_v = np.log(np.asarray(voltage_V, float))
    table = np.linspace(min(ln_j0, -20.0) - 12.0, 16.0, 240)
    ln_j = np.interp(ln_v, np.log(outer(table)[0]), table)
    for _ in range(NEWTON_STEPS):
        v, slope, _ = outer(ln_j)
        ln_j = ln_j - (np.log(v) - ln_v) * v / slope
    return outer(ln_j)[2]


@dataclass(frozen=True)
class JVFit:
    """A fitted J-V curve.

    Attributes
    ----------
    result : lmfit.minimizer.MinimizerResult
        For `lmfit.fit_report`.
    estimates : Estimates
        In the order of `JV_PARAMETERS`. With a parameter at a bound (usually a series resistance
        too small to see) the other errors hold only given that bound.
    scatter : float
        Standard deviation of the residuals in log10 J: what the errors were scaled with.
    runs_z : float
        Runs test on the signs of the residuals [1]_; below −2 the model misses structure and the
        errors are too small.
    used : array of bool
        Points of the sweep that were fitted.
    residual : array
        log10(J/model), NaN where not used.

    References
    ----------
    .. [1] A. Wald, J. Wolfowitz, Ann. Math. Stat. 11, 147 (1940), doi:10.1214/aoms/1177731909
    """

    result: MinimizerResult = field(repr=False)
    estimates: Estimates = field(repr=False)
    scatter: float
    runs_z: float
    used: np.ndarray = field(repr=False)
    residual: np.ndarray = field(repr=False)

    @property
    def values(self) -> np.ndarray:
        """In the order of `JV_PARAMETERS`."""
        return self.estimates.values

    @property
    def standard_errors(self) -> np.ndarray:
        """NaN where a parameter ended at a bound or the data do not determine it."""
        errors = np.sqrt(np.diag(self.estimates.covariance))
        return np.where(np.isin(self.estimates.names, self.undetermined), np.nan, errors)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters at a bound, in an open direction, or with an error of half their range."""
        e = self.estimates
        half = np.array([(high - low) / 2 for _, low, high in JV_PARAMETERS.values()])
        loose = e.at_bound | e.null.any(axis=1) | (np.sqrt(np.diag(e.covariance)) > half)
        return tuple(n for n, is_loose in zip(e.names, loose, strict=True) if is_loose)

    def __getitem__(self, name: str) -> tuple[float, float]:
        i = self.estimates.names.index(name)
        return float(self.values[i]), float(self.standard_errors[i])


def fit_jv(voltage_V, current_density_mA_cm2, *, good=None) -> JVFit:
    """Fit the J-V model to log10 J.

    Parameters
    ----------
    voltage_V, current_density_mA_cm2 : array (n,)
        One sweep.
    good : array of bool, optional
        Points to use (`Sweep.good`: no compliance, no range steps).

    Returns
    -------
    JVFit

    Raises
    ------
    ValueError
        For unequal lengths, or fewer than nine usable points.

    Notes
    -----
    Least squares by lmfit from three starts. Gain errors of a sourcemeter are relative, so
    residuals of log J are even over the decades; errors are scaled with the scatter found. Points
    below `LEAST_V` or three times `NOISE_MA_CM2` are left out.

    References
    ----------
    .. [1] W. Shockley, Bell Syst. Tech. J. 28, 435 (1949), doi:10.1002/j.1538-7305.1949.tb03645.x

    Examples
    --------
    >>> v = np.arange(0.1, 8.0, 0.1)
    >>> j = jv_current(v, [-16.0, 1.8, 0.5, 2.6, 5.0, 1.5])
    >>> gain = 1 + 0.01 * np.random.default_rng(0).standard_normal(v.size)
    >>> print("m = {:.2f} ± {:.2f}".format(*fit_jv(v, j * gain)["exponent"]))
    m = 2.70 ± 0.06
    """
    import lmfit

    voltage, current = np.asarray(voltage_V, float), np.asarray(current_density_mA_cm2, float)
    if voltage.shape != current.shape or voltage.ndim != 1:
        raise ValueError(
            "J-V curve: expected two arrays of one length, "
            f"found {voltage.shape} and {current.shape}"
        )
    used = np.isfinite(voltage) & np.isfinite(current)
    used &= (voltage >= LEAST_V) & (current > 3 * NOISE_MA_CM2)
    if good is not None:
        used &= np.asarray(good, bool)
    if used.sum() < LEAST_POINTS:
        raise ValueError(
            f"J-V curve: expected at least {LEAST_POINTS} points above {LEAST_V:g} V and "
            f"{3 * NOISE_MA_CM2:g} mA cm-2, found {int(used.sum())}"
        )
    v, target = voltage[used], np.log10(current[used])
    weight = 1 / np.hypot(1.0, NOISE_MA_CM2 / (math.log(10) * 10.0**target) / 0.005)

    def residual(p: lmfit.Parameters) -> np.ndarray:
        return weight * (target - np.log10(jv_current(v, list(p.valuesdict().values()))))

    starts = []
    for values in _jv_starts(v, target):
        start = lmfit.Parameters()
        for (name, (_, low, high)), value in zip(JV_PARAMETERS.items(), values, strict=True):
            start.add(name, float(value), min=low, max=high)
        starts.append(start)
    result, estimates = fit_lmfit(residual, starts, {})
    full = np.full(voltage.size, np.nan)
    full[used] = result.residual / weight
    freedom = max(v.size - int((~estimates.at_bound).sum()), 1)
    scatter = math.sqrt(result.chisqr / freedom)
    return JVFit(result, estimates, scatter, _runs_z(result.residual), used, full)


def _jv_starts(v: np.ndarray, log10_j: np.ndarray) -> list[list[float]]:
    """Three starts: the diode carries the steepest part of the curve, the shunt its beginning."""
    steepest = int(np.argmax(np.gradient(log10_j, np.log(v))))
    shunt = math.log10(1e3 * v[0]) - log10_j[0]
    transport = log10_j[-1] - 2.5 * math.log10(v[-1])
    in_decades = elementary_charge / (Boltzmann * TEMPERATURE_K * math.log(10))
    return [
        [
            log10_j[steepest] - v[steepest] * in_decades / ideality,
            *(ideality, transport, 2.5, shunt, series),
        ]
        for ideality, series in ((2.0, 0.0), (2.0, 1.5), (4.0, 0.5))
    ]


def _runs_z(residual: np.ndarray) -> float:
    signs = residual > 0
    a, b = int(signs.sum()), int((~signs).sum())
    if a == 0 or b == 0:
        return -math.inf
    runs = 1 + int((signs[1:] != signs[:-1]).sum())
    mean = 2 * a * b / (a + b) + 1
    variance = (mean - 1) * (mean - 2) / (a + b - 1)
    return (runs - mean) / math.sqrt(variance) if variance > 0 else 0.0


@dataclass(frozen=True)
class TurnOn:
    """Voltage at which the luminance passes a threshold; NaN voltage where it never does (`reached`
    False)."""

    voltage_V: float
    standard_error_V: float
    reached: bool


def turn_on(
    voltage_V,
    luminance_cd_m2,
    *,
    threshold_cd_m2: float = 1.0,
    luminance_relative_error: float = 0.03,
    noise_cd_m2: float = 0.02,
) -> TurnOn:
    """Turn-on voltage: where log L, interpolated between the first pair that stays above the
    threshold by a parabola through the next reading, passes it.

    Parameters
    ----------
    voltage_V, luminance_cd_m2 : array
        One sweep up; points without a reading (NaN) are passed over.
    threshold_cd_m2 : float
    luminance_relative_error, noise_cd_m2 : float
        Standard errors of a reading; they are carried to the voltage through the slope.

    Returns
    -------
    TurnOn
        Voltage and error NaN where no reading is above the threshold; error NaN where the first
        is, or where noise or a repeated voltage hides the step.

    References
    ----------
    .. [1] M. Anaya et al., Nat. Photon. 13, 818 (2019), doi:10.1038/s41566-019-0543-y
    """
    v, lum = np.asarray(voltage_V, float), np.asarray(luminance_cd_m2, float)
    order = np.argsort(v, kind="stable")
    v, lum = v[order], lum[order]
    keep = np.isfinite(lum)
    v, lum = v[keep], lum[keep]
    above = lum >= threshold_cd_m2
    if not above.any():
        return TurnOn(math.nan, math.nan, False)
    # The first point from which on most readings are above, so that one spike in the dark is no
    # turn-on.
    starts = [i for i in np.flatnonzero(above) if above[i : i + 3].all()]
    i = int(starts[0]) if starts else int(np.flatnonzero(above)[0])
    if i == 0:
        return TurnOn(float(v[0]), math.nan, False)
    low, high = max(float(lum[i - 1]), noise_cd_m2), float(lum[i])
    step = float(v[i] - v[i - 1])
    if low >= threshold_cd_m2 or not step:
        return TurnOn(float(v[i - 1] + step / 2), math.nan, True)
    rise, whole = math.log(threshold_cd_m2 / low), math.log(high / low)
    share = straight = rise / whole
    relative = [math.hypot(luminance_relative_error, noise_cd_m2 / x) for x in (low, high)]
    error = math.hypot((1 - share) * relative[0], share * relative[1]) * step / whole
    # The slope of log L changes within the step: the parabola through the reading after it. What a
    # parabola leaves over is taken as a third of what a straight line does.
    if i + 1 < v.size and v[i + 1] > v[i] and lum[i + 1] > 0:
        further = float(v[i + 1] - v[i]) / step
        half = (math.log(lum[i + 1] / high) / further - whole) / (1 + further)
        share = _crossing(rise, whole, half)
    bend = abs(share - straight) * step / 3
    return TurnOn(float(v[i - 1] + share * step), math.hypot(error, bend), True)


def _crossing(rise: float, whole: float, half: float) -> float:
    """Where s whole - s (1 - s) half first reaches `rise`, 0 < `rise` <= `whole`."""
    return 2 * rise / (whole - half + math.sqrt((whole - half) ** 2 + 4 * half * rise))


@dataclass(frozen=True)
class Hysteresis:
    """Mean shift in voltage between two directions over their common voltages, with the standard
    error of that mean."""

    shift_V: float
    points: int
    shift_error: float


def hysteresis(up_voltage_V, up_current, down_voltage_V, down_current) -> Hysteresis:
    """Compare a sweep up with the sweep down that followed.

    Parameters
    ----------
    up_voltage_V, up_current, down_voltage_V, down_current : array
        Currents in mA cm⁻².

    Returns
    -------
    Hysteresis

    Raises
    ------
    ValueError
        If fewer than three voltages are common to both, or no current.
    """
    up_v, up_j, down_v, down_j = (
        np.asarray(a, float) for a in (up_voltage_V, up_current, down_voltage_V, down_current)
    )
    ok_up, ok_down = up_j > 3 * NOISE_MA_CM2, down_j > 3 * NOISE_MA_CM2
    a, b = np.argsort(up_v[ok_up]), np.argsort(down_v[ok_down])
    x, lj_up = up_v[ok_up][a], np.log10(up_j[ok_up])[a]
    x2, lj_down = down_v[ok_down][b], np.log10(down_j[ok_down])[b]
    inside = (x >= x2.min(initial=np.inf)) & (x <= x2.max(initial=-np.inf))
    if inside.sum() < 3:
        raise ValueError(
            "hysteresis: expected at least three voltages in both sweeps, found "
            f"{int(inside.sum())}"
        )
    # The way between the curves along the voltage, at the currents of the sweep up: a distance in
    # log J over the slope is short where the curve bends.
    rising = np.r_[True, lj_down[1:] > np.maximum.accumulate(lj_down)[:-1]]
    if rising.sum() < 2:
        raise ValueError("hysteresis: expected a current that rises with the voltage")
    back = PchipInterpolator(lj_down[rising], x2[rising], extrapolate=False)
    shift, slope = x - back(lj_up), np.gradient(lj_up, x)
    met = inside & np.isfinite(shift)
    steep = met & (slope > 0.2 * slope[met].max(initial=0.0))
    if not steep.any():
        raise ValueError("hysteresis: expected currents that both sweeps reach, found none")
    return Hysteresis(
        float(np.mean(shift[steep])),
        int(inside.sum()),
        float(np.std(shift[steep], ddof=1) / np.sqrt(steep.sum())) if steep.sum() > 1 else math.nan,
    )


# ---- efficiency against current ------------------------------------------------------------------


@dataclass(frozen=True)
class Peak:
    """The maximum of EQE(J): value, where, and the current density at which the EQE has fallen to
    half of it.

    `half_current` is NaN (and `half_reached` False) where the sweep ends before; `at_edge` when the
    maximum is the first or last point.
    """

    eqe: float
    eqe_error: float
    current_density_mA_cm2: float
    current_error: float
    half_current_mA_cm2: float
    half_reached: bool
    at_edge: bool


#: Half-width, in decades of J, of the window about a maximum.
WINDOW_DECADES = 0.5
#: Points that the window is widened for in a coarse sweep, and how far.
SOME, WIDEST_DECADES = 7, 1.0
#: Share of the window about its middle where a maximum is believed; outside, the window moves.
INNER = 0.6


def peak_eqe(current_density_mA_cm2, eqe, eqe_error=None) -> Peak:
    """Maximum of EQE(J) from a smooth curve in ln EQE against log10 J around it, weighted with the
    errors.

    Parameters
    ----------
    current_density_mA_cm2, eqe : array (n,)
        Unsorted is fine.
    eqe_error : array (n,), optional
        Standard errors; without them the scatter about the curve is used.

    Returns
    -------
    Peak

    Raises
    ------
    ValueError
        If fewer than three points are positive.

    Notes
    -----
    The largest of many noisy points is biased upwards; a smooth maximum is not. Where fewer than
    five points lie in the window the largest point is taken, with its own error. Noise along a
    sweep is often slow: the curve is fitted under every correlation of neighbours that the points
    allow (`peled.separable.fits_over_correlations`).

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    """
    j, q = np.asarray(current_density_mA_cm2, float), np.asarray(eqe, float)
    e = None if eqe_error is None else np.broadcast_to(np.asarray(eqe_error, float), q.shape)
    ok = np.isfinite(j) & np.isfinite(q) & (j > 0) & (q > 0)
    if ok.sum() < 3:
        raise ValueError(f"EQE(J): expected at least three positive points, found {int(ok.sum())}")
    order = np.argsort(j[ok])
    j, q = j[ok][order], q[ok][order]
    own = np.full(q.size, np.nan) if e is None else np.where(e[ok][order] > 0, e[ok][order], np.nan)
    e = None if np.isnan(own).any() else own
    # A point counts as the maximum only as far as its error allows: noise at the lowest currents
    # must not win.
    top = int(np.argmax(q if e is None else q - 2 * e))
    x = np.log10(j)
    at_edge = top in (0, q.size - 1)
    smooth = None if at_edge else _smooth_maximum(x, q, e, x[top])
    one = float(q[top]), float(own[top]), float(j[top]), math.nan
    value, error, where, where_error = smooth or one
    half = math.nan
    below = np.flatnonzero((q <= value / 2) & (np.arange(q.size) > top))
    if below.size:
        i = int(below[0])
        half = float(
            10
            ** np.interp(
                math.log(value / 2), [math.log(q[i]), math.log(q[i - 1])], [x[i], x[i - 1]]
            )
        )
    return Peak(value, error, where, where_error, half, bool(below.size), at_edge)


def _smooth_maximum(x, q, e, middle) -> tuple[float, float, float, float] | None:
    """EQE, its error, J and its error at the maximum of a curve about `middle` (log10 J).

    The window follows the maximum of the curve, as noise on a flat top puts the largest point far
    from it.
    """
    for _ in range(4):
        away = np.abs(x - middle)
        reach = max(WINDOW_DECADES, min(np.sort(away)[min(SOME, x.size) - 1], WIDEST_DECADES))
        near = away <= reach
        if near.sum() < 5:
            return None
        u = x[near] - middle
        # Leakage cuts one side more steeply than quenching the other: a cubic where there are
        # points for it.
        degree = 3 if u.size >= SOME else 2
        fits = fits_over_correlations(
            np.vander(u, degree + 1, increasing=True),
            np.log(q[near]),
            None if e is None else e[near] / q[near],
        )
        mean = np.polynomial.Polynomial(fits.weight @ fits.coefficients)
        fine = np.linspace(*np.clip([u[0], u[-1]], -INNER * WINDOW_DECADES, INNER * WINDOW_DECADES),
                           801)  # fmt: skip
        best = int(np.argmax(mean(fine)))
        if 0 < best < fine.size - 1:
            break
        middle += fine[best]
    else:
        return None
    found = []
    for c, covariance in zip(fits.coefficients, fits.covariance, strict=True):
        curve = np.polynomial.Polynomial(c)
        best = int(np.argmax(curve(fine)))
        at, bend = float(fine[best]), float(curve.deriv(2)(fine[best]))
        row = at ** np.arange(degree + 1)
        lean = np.arange(degree + 1) * np.r_[0.0, at ** np.arange(degree)]
        inside = 0 < best < fine.size - 1 and bend < 0
        found.append((
            row @ c, row @ covariance @ row,
            at, lean @ covariance @ lean / bend**2 if inside else math.nan,
        ))  # fmt: skip
    height, its, at, its_place = np.array(found).T
    log_eqe, log_error = averaged(fits.weight, height, its)
    place, place_error = averaged(fits.weight, at, its_place)
    eqe, where = math.exp(log_eqe), 10 ** (middle + place)
    return eqe, eqe * log_error, where, where * math.log(10) * place_error


def _quench(j, p):  # bimolecular quenching: g = n + n²
    x = 8 * j / np.exp(p[1])
    return p[0] + np.log(2 / (1 + np.sqrt(1 + x)))


def _polaron(j, p):  # quenching by charges of density ∝ √J (space-charge limited current)
    return p[0] - np.log1p(np.sqrt(j / np.exp(p[1])))


def _auger(j, p):  # B n² against C n³: J/J₀ = x² + x³, EQE ∝ 1/(1 + x)
    x = _cubic_root(j / np.exp(p[1]))
    return p[0] - np.log1p(x)


def _exciton_auger(j, p):  # k n against C n³: J/J₀ = x + x³, EQE ∝ 1/(1 + x²)
    g = j / np.exp(p[1])
    x = 2 / math.sqrt(3) * np.sinh(np.arcsinh(1.5 * math.sqrt(3) * g) / 3)
    return p[0] - np.log1p(x**2)


def _cubic_root(g):  # 1/x by the trigonometric solution, of a cosine or a hyperbolic one
    root = np.sqrt(3 * g)
    return root / (2 * np.cosh(np.arccosh(1.5 * root + 0j) / 3).real)


#: Roll-off laws: name -> (function(J, (ln EQE₀, ln J₀)) -> ln EQE, limiting log-log slope, source)
ROLLOFF = {
    "bimolecular quenching": (
        _quench,
        -1 / 2,
        "M. A. Baldo, C. Adachi, S. R. Forrest, Phys. Rev. B 62, 10967 (2000)",
    ),
    "charge quenching": (
        _polaron,
        -1 / 2,
        "N. C. Giebink, S. R. Forrest, Phys. Rev. B 77, 235215 (2008)",
    ),
    "Auger (free carriers)": (_auger, -1 / 3, "ABC model without A: B n² + C n³"),
    "Auger (excitons)": (_exciton_auger, -2 / 3, "k n + C n³"),
}


@dataclass(frozen=True)
class RolloffFit:
    """One law fitted to EQE(J).

    Attributes
    ----------
    name : str
        In `ROLLOFF`.
    result : lmfit.minimizer.MinimizerResult
        Of ln EQE₀ and ln J₀, for `lmfit.fit_report`.
    j0_mA_cm2, j0_error : float
        J₀ with standard error, NaN where J₀ lies so far outside the data that only the limiting
        power law is seen.
    largest : float
        Largest relative misfit.
    bic : float
        n ln(χ²/n) + 3 ln n.
    """

    name: str
    result: MinimizerResult = field(repr=False)
    j0_mA_cm2: float
    j0_error: float
    largest: float
    bic: float


@dataclass(frozen=True)
class Rolloff:
    """All laws, the best first, and in `why` whether the data tell them apart: for that it takes at
    least three points more than parameters and a BIC lead of 6 over the next law (Kass and Raftery,
    J. Am. Stat. Assoc. 90, 773 (1995)).
    """

    fits: tuple[RolloffFit, ...]
    why: str
    local_slopes: np.ndarray


def rolloff(current_density_mA_cm2, eqe) -> Rolloff:
    """Compare roll-off laws on the falling side of EQE(J).

    Parameters
    ----------
    current_density_mA_cm2, eqe : array (n,)
        From the peak on; at least three points.

    Returns
    -------
    Rolloff

    Raises
    ------
    ValueError
        For fewer than three points, or any that is not positive.

    Notes
    -----
    Least squares in ln EQE by lmfit; the scatter is estimated for each law.

    References
    ----------
    .. [1] M. A. Baldo, C. Adachi, S. R. Forrest, Phys. Rev. B 62, 10967 (2000),
           doi:10.1103/PhysRevB.62.10967
    """
    j, q = np.asarray(current_density_mA_cm2, float), np.asarray(eqe, float)
    good = np.isfinite(j).all() and np.isfinite(q).all() and (j > 0).all() and (q > 0).all()
    if j.size < 3 or j.shape != q.shape or not good:
        raise ValueError(f"roll-off: expected at least three positive points, found {j.size}")
    order = np.argsort(j)
    j, y = j[order], np.log(q[order])
    first, second, *_ = fits = sorted((_one_law(n, j, y) for n in ROLLOFF), key=lambda f: f.bic)
    lead = second.bic - first.bic
    if j.size < 5:
        left = f"{j.size - 2} degree{'s' if j.size != 3 else ''} of freedom"
        why = f"{j.size} points leave {left}: no mechanism can be told from another"
    elif lead < 6:
        why = f"{first.name} leads {second.name} by only {lead:.1f} in BIC"
    else:
        why = f"{first.name} leads by {lead:.1f} in BIC"
    return Rolloff(tuple(fits), why, np.diff(y) / np.diff(np.log(j)))


def _one_law(name: str, j: np.ndarray, y: np.ndarray) -> RolloffFit:
    """A law fitted to y = ln EQE."""
    import lmfit

    law, n = ROLLOFF[name][0], y.size
    result, estimates = fit_lmfit(
        lambda p: law(j, (p["ln_eqe0"].value, p["ln_j0"].value)) - y,
        [
            lmfit.create_params(ln_eqe0=float(y.max()), ln_j0=float(at))
            for at in (np.log(np.median(j)), np.log(j[0]) - 1, np.log(j[-1]))
        ],
        {},
    )
    j0 = math.exp(estimates.values[1])
    seen = 1e-4 * j[0] < j0 < 1e4 * j[-1]
    return RolloffFit(
        name,
        result,
        j0,
        j0 * math.sqrt(estimates.covariance[1, 1]) if seen else math.nan,
        float(np.max(np.abs(np.expm1(result.residual)))),
        n * math.log(max(result.chisqr / n, 1e-300)) + 3 * math.log(n),
    )
