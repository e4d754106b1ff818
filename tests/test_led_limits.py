"""LED analysis at its limits: closed forms at both sides of a threshold, and what units, order and
scale must not change."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import Boltzmann, elementary_charge

from peled.conditioning import Signal
from peled.led import (
    ceiling,
    consistency,
    current_voltage,
    device,
    held,
    lifetime,
    light,
    outcoupling,
    photometry,
    printed,
    routes,
    series,
    stability,
)
from peled.led.consistency import Stated
from peled.led.reading import Series
from peled.optics.escape import fresnel_transmittance
from peled.quantities import Estimates

THERMAL_V = Boltzmann * current_voltage.TEMPERATURE_K / elementary_charge

# ---- J-V -----------------------------------------------------------------------------------------


def sweep_of(parameters, ln_diode):
    """Voltage and current by the model's own equations, from the current of the diode on."""
    log_j0, ideality, log_k, exponent, log_shunt, log_series = parameters
    diode = np.exp(ln_diode)
    inner = ideality * THERMAL_V * np.log1p(diode / 10.0**log_j0)
    inner = inner + (diode / 10.0**log_k) ** (1 / exponent)
    current = diode + 1e3 * inner / 10.0**log_shunt  # V over Ω cm², in mA
    return inner + 1e-3 * current * 10.0**log_series, current


@given(st.tuples(st.floats(-35, -3), st.floats(1, 6), st.floats(-6, 6), st.floats(1.6, 8),
                 st.floats(2, 11), st.floats(-4, 3)))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_current_solves_the_equations_of_its_model(parameters):
    v, j = sweep_of(parameters, np.linspace(-60, 12, 90))
    seen = (v > 0.02) & (v < 30)
    found = current_voltage.jv_current(v[seen], parameters)
    np.testing.assert_allclose(found, j[seen], rtol=1e-7)


def test_searches_for_a_jv_curve_begin_at_what_its_regimes_show():
    """R = V/J at the beginning, J₀ by the steepest part, K J = (V/1 V)^2.5 at the end."""
    truth = (-16.0, 2.0, 2.0, 2.5, 6.0, -4.0)
    v, j = sweep_of(truth, np.linspace(-60, 6, 400))
    seen = v > 0.05
    starts = np.array(current_voltage._jv_starts(v[seen], np.log10(j[seen])))
    assert starts[:, 4] == pytest.approx(6.0, abs=0.02)
    assert starts[:2, 0] == pytest.approx(-16, abs=1.0) and (starts[2, 0] > -12)
    end = np.log10(j[-1] / v[-1] ** 2.5)
    assert starts[:, 2] == pytest.approx(end) and (starts[:, 3] == 2.5).all()
    assert len({(row[1], row[5]) for row in starts}) == 3


@pytest.mark.parametrize("share, is_open", [(0.49, False), (0.51, True)])
def test_a_parameter_known_to_half_its_range_is_not_determined(share, is_open):
    names = tuple(current_voltage.JV_PARAMETERS)
    _, low, high = current_voltage.JV_PARAMETERS["exponent"]
    covariance = np.diag(np.where(np.array(names) == "exponent", share * (high - low), 0.1) ** 2)
    none = np.zeros(6, bool)
    estimates = Estimates(names, np.ones(6), ("",) * 6, covariance, none, none, none,
                          np.zeros((6, 0)))  # fmt: skip
    fit = current_voltage.JVFit(None, estimates, 0.0, 0.0, none, np.zeros(6))
    assert fit.undetermined == (("exponent",) if is_open else ())
    assert np.isnan(fit["exponent"][1]) == is_open
    assert fit["ideality"] == pytest.approx((1.0, 0.1))


def test_a_jv_fit_takes_points_from_its_least_voltage_and_current_on(monkeypatch):
    def at_start(residual, starts, _):
        left = residual(starts[0])
        none = SimpleNamespace(at_bound=np.zeros(6, bool))
        return SimpleNamespace(residual=left, chisqr=float(left @ left)), none

    monkeypatch.setattr(current_voltage, "fit_lmfit", at_start)
    v = np.array([0.04, 0.05, 0.06, *np.arange(0.3, 2.3, 0.2)])
    j = 1e-2 * v
    j[2] = 3e-6  # three times the noise of the meter, no more
    used = current_voltage.fit_jv(v, j).used
    assert used.tolist() == [False, True, False] + [True] * 10
    j[2] = 3.1e-6
    assert current_voltage.fit_jv(v, j).used[2]
    assert current_voltage.fit_jv(v[:10], j[:10]).used.sum() == 9
    with pytest.raises(ValueError, match="found 8"):
        current_voltage.fit_jv(v[:9], j[:9])


@given(st.floats(-0.9, 0.9), st.floats(0.3, 3), st.floats(0.05, 0.95), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_turn_on_is_exact_where_the_logarithm_is_a_parabola(bend, ratio, share, unit):
    """Readings at -1, 0 and `ratio` in units of a step; any unit of light."""
    slope = 3.0
    at = -1 + share

    def log(x):
        return slope * (x - at) + 0.5 * bend * slope * (x - at) ** 2

    v = 2.0 + 0.1 * np.array([-3.0, -2.0, -1.0, 0.0, ratio])
    lum = unit * np.r_[1e-9, 1e-8, np.exp(log(np.array([-1.0, 0.0, ratio])))]
    if not lum[2] < unit <= lum[3] < lum[4]:
        return
    found = current_voltage.turn_on(v, lum, threshold_cd_m2=unit, noise_cd_m2=1e-5 * unit,
                                    luminance_relative_error=0.01)  # fmt: skip
    assert found.voltage_V == pytest.approx(2.0 + 0.1 * at, abs=1e-9) and found.reached
    # The errors of both readings by their weights, and a third of what a straight line is off by.
    a, b = -math.log(lum[2] / unit), math.log(lum[3] / unit)
    straight = a / (a + b)
    errors = [math.hypot(0.01, 1e-5 * unit / x) for x in lum[2:4]]
    read = math.hypot((1 - straight) * errors[0], straight * errors[1]) * 0.1 / (a + b)
    off = 0.1 * abs(share - straight) / 3
    assert found.standard_error_V == pytest.approx(math.hypot(read, off), rel=1e-6)


def test_turn_on_has_no_error_where_noise_hides_the_step():
    v, lum = np.arange(5.0), np.array([0.0, 0.1, 0.2, 5.0, 50.0])
    hidden = current_voltage.turn_on(v, lum, noise_cd_m2=1.0)
    assert hidden.reached and hidden.voltage_V == 2.5 and np.isnan(hidden.standard_error_V)
    assert current_voltage.turn_on(v, lum, noise_cd_m2=0.9).standard_error_V > 0
    first = current_voltage.turn_on(v, lum + 2)
    assert first == current_voltage.TurnOn(0.0, pytest.approx(math.nan, nan_ok=True), False)
    last = current_voltage.turn_on(v[:4], lum[:4], noise_cd_m2=1e-3)  # no reading after it
    assert last.voltage_V == pytest.approx(2 + math.log(5) / math.log(25))
    one = current_voltage.turn_on(v, np.array([0.1, 0.1, 3.0, 0.1, 0.1]), noise_cd_m2=1e-3)
    assert 1 < one.voltage_V < 2  # a single reading counts where no three follow each other


def test_hysteresis_counts_three_voltages_and_currents_above_three_noises():
    v = np.arange(1.0, 5.0)
    up, down = np.exp(v), np.exp(v + 0.1)
    found = current_voltage.hysteresis(v[:3], up[:3], v, down)
    assert found.points == 3 and found.shift_V == pytest.approx(0.1, abs=1e-6)
    with pytest.raises(ValueError, match="three voltages"):
        current_voltage.hysteresis(v[:2], up[:2], v, down)
    dim = np.r_[3.5e-6, up[1:]]  # of 1e-6 in a reading
    assert current_voltage.hysteresis(v, dim, v, np.r_[4e-6, down[1:]]).points == 4
    dim[0] = 2.9e-6
    assert current_voltage.hysteresis(v, dim, v, np.r_[4e-6, down[1:]]).points == 3


# ---- EQE(J) --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step, fitted", [(0.1, True), (0.49, True), (0.55, False)])
def test_a_maximum_is_fitted_through_five_readings_within_a_decade(step, fitted):
    x = step * np.arange(-6, 7)
    q = 0.1 * np.exp(-0.5 * (x - 0.2 * step) ** 2)
    found = current_voltage.peak_eqe(10**x, q)
    assert np.isfinite(found.current_error) == fitted
    place = 0.2 * step if fitted else 0.0
    assert np.log10(found.current_density_mA_cm2) == pytest.approx(place, abs=1e-3)
    assert found.eqe == pytest.approx(0.1 if fitted else q[6])


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_a_peak_scales_with_its_units_and_has_no_direction(per_eqe, per_j, seed):
    rng, x = np.random.default_rng(seed), np.linspace(-1.5, 2, 40)
    j = 10**x
    q = 0.1 * np.exp(-0.5 * x**2) * (1 + 0.01 * rng.standard_normal(40))
    one = current_voltage.peak_eqe(j, q, 0.01 * q)
    other = current_voltage.peak_eqe(per_j * j[::-1], per_eqe * q[::-1], 0.01 * per_eqe * q[::-1])
    assert other.eqe == pytest.approx(per_eqe * one.eqe)
    assert other.eqe_error == pytest.approx(per_eqe * one.eqe_error)
    for name in ("current_density_mA_cm2", "current_error", "half_current_mA_cm2"):
        assert getattr(other, name) == pytest.approx(per_j * getattr(one, name), rel=1e-5)


@pytest.mark.parametrize(
    "points, lead, said",
    [(5, 5.9, "by only 5.9"), (5, 6.0, "leads by 6.0"), (4, 20.0, "2 degrees")],
)
def test_a_law_is_told_by_five_points_and_a_lead_of_six(points, lead, said, monkeypatch):
    bics = dict(zip(current_voltage.ROLLOFF, (3.0, 3.0 + lead, 40.0, 50.0)))

    def law(name, j, y):
        return current_voltage.RolloffFit(name, None, 1.0, 0.1, 0.0, bics[name])

    monkeypatch.setattr(current_voltage, "_one_law", law)
    found = current_voltage.rolloff(np.arange(1.0, points + 1), np.geomspace(0.1, 0.05, points))
    assert said in found.why


@pytest.mark.parametrize("away, seen", [(3e3, True), (1e5, False)])
def test_a_limiting_power_law_has_no_current_of_its_own(away, seen):
    j = np.geomspace(1, 10, 12)
    for j0 in (10 * away, 1 / away):
        y = -np.log1p(j / j0)
        law = {"told": (lambda j, p: p[0] - np.log1p(j / np.exp(p[1])), 0.0, "")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(current_voltage, "ROLLOFF", law)
            found = current_voltage._one_law("told", j, y)
        assert found.j0_mA_cm2 == pytest.approx(j0, rel=0.5 if seen else 9.0)
        assert np.isfinite(found.j0_error) == seen


# ---- photometry ----------------------------------------------------------------------------------


def flat_end(height, points=3, n=60):
    y = np.exp(-0.5 * ((np.arange(n) - n / 2) / (n / 20)) ** 2)
    y[:points] = height * y.max()
    return y


@pytest.mark.parametrize("n", [20, 60, 2000])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("height, points, cut", [
    (0.049, 3, False), (0.051, 3, True), (0.9, 1, False), (0.9, 2, True),
])  # fmt: skip
def test_a_band_is_cut_where_two_of_three_end_points_are_above_a_twentieth(
    n, side, height, points, cut
):
    nm, y = np.linspace(500.0, 700.0, n), flat_end(height, points, n)[::side]
    if not cut:
        photometry.check_spectrum(nm, y)
        return
    with pytest.raises(photometry.SpectrumError, match="short end" if side > 0 else "long end"):
        photometry.check_spectrum(nm, y)
    photometry.check_spectrum(nm, y, edge=math.inf)
    with pytest.raises(photometry.SpectrumError, match="whole emission band"):
        photometry.check_spectrum(nm, np.stack([flat_end(0.0, 3, n), y]))  # one of several


@pytest.mark.parametrize("nm, said", [
    (np.linspace(100, 5000, 30), ""), (np.linspace(99, 5000, 30), "expected nm"),
    (np.linspace(100, 5001, 30), "expected nm"), (np.linspace(500, 700, 5), ""),
    (np.linspace(500, 700, 4), "5 wavelengths"), (np.array([500.0, 600, 550, 550, 700]), "550 nm"),
])  # fmt: skip
def test_axes_of_spectra(nm, said):
    y = np.exp(-0.5 * ((nm - nm.mean()) / np.ptp(nm) * 12) ** 2)
    if not said:
        found, values = photometry.check_spectrum(nm[::-1], np.stack([y, 2 * y])[:, ::-1])
        assert (found == nm).all() and (values[1] == 2 * y).all()
        return
    with pytest.raises(photometry.SpectrumError, match=said):
        photometry.check_spectrum(nm, y)


@pytest.mark.parametrize("angles, said", [
    ((0, 20, 45, 70), ""), ((0, 20, 45, 69), "69"), ((5, 30, 60, 80), ""),
    ((5.1, 30, 60, 80), "5.1"), ((0, 30, 60, 90.5), ""), ((0, 30, 60, 90.6), "90.6"),
    ((0, 40, 80), "at least four"),
])  # fmt: skip
def test_patterns_reach_from_the_normal_to_the_side(angles, said):
    angle = np.array(angles, float)
    intensity = np.cos(np.radians(np.minimum(angle, 90)))
    if said:
        with pytest.raises(ValueError, match=said):
            photometry.effective_solid_angle(angle, intensity)
    else:
        assert photometry.effective_solid_angle(angle, intensity) == pytest.approx(np.pi, rel=0.08)


def test_patterns_are_carried_to_the_side_only_where_they_stop_short_of_it():
    angle = np.arange(0.0, 91.0)
    whole = photometry.effective_solid_angle(angle, np.full(91, 7.0))
    assert whole == pytest.approx(2 * np.pi, rel=1e-6)
    nearly = photometry.effective_solid_angle(np.minimum(angle, 89.5), np.full(91, 7.0))
    assert nearly == pytest.approx(2 * np.pi, rel=1e-6)
    short = photometry.effective_solid_angle(angle[:86], np.full(86, 7.0))
    assert 2 * np.pi * (1 - np.cos(np.radians(85))) < short < 0.98 * 2 * np.pi
    one, both = (np.cos(np.radians(a)) ** 1.4 for a in (angle[:90], np.arange(-89.0, 90.0)))
    each = photometry.effective_solid_angle(angle[:90], one)
    assert photometry.effective_solid_angle(np.arange(-89.0, 90.0), 3 * both) == pytest.approx(each)
    with pytest.raises(ValueError, match="more than -1"):
        photometry.effective_solid_angle(cosine_power=-1)
    with pytest.raises(ValueError, match="non-negative"):
        photometry.effective_solid_angle(angle, -np.ones(91))


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0, 100), st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_view_factors_are_reciprocal_and_without_units(one, other, distance, unit):
    there = photometry.disc_view_factor(one, other, distance)
    back = photometry.disc_view_factor(other, one, distance)
    assert one**2 * there == pytest.approx(other**2 * back) and 0 <= there <= 1 + 1e-12
    scaled = photometry.disc_view_factor(unit * one, unit * other, unit * distance)
    assert scaled == pytest.approx(there)
    x = 1 + (distance**2 + other**2) / one**2
    closed = (x - math.sqrt(max(x**2 - 4 * (other / one) ** 2, 0.0))) / 2
    assert there == pytest.approx(closed, rel=1e-5, abs=1e-9)


def test_a_colour_has_its_place_and_distances_in_one_diagram():
    """u' = 4X/(X + 15Y + 3Z), v' = 9Y/(X + 15Y + 3Z), by sums at 1 nm."""
    nm = np.arange(400.0, 781.0)
    spectra = np.stack([gaussian(nm, c, 30.0) for c in (530.0, 620.0)])
    found = photometry.colour(nm, spectra)
    big_x, big_y, big_z = photometry.matching_functions(nm) @ spectra.T
    total, below = big_x + big_y + big_z, big_x + 15 * big_y + 3 * big_z
    assert found.x == pytest.approx(big_x / total) and found.y == pytest.approx(big_y / total)
    assert found.u == pytest.approx(4 * big_x / below) and found.v == pytest.approx(
        9 * big_y / below
    )
    for name, (x, y) in photometry.RED_PRIMARIES.items():
        red = 4 * x / (-2 * x + 12 * y + 3), 9 * y / (-2 * x + 12 * y + 3)
        away = np.hypot(found.u - red[0], found.v - red[1])
        assert found.distance[name] == pytest.approx(away)


# ---- consistency ---------------------------------------------------------------------------------


def test_a_number_that_follows_has_the_corners_and_errors_of_those_given():
    """EQE ∝ L/J: the widest by the roundings of both, and their relative errors in squares."""
    plain = {"centre_nm": 620.0, "fwhm_nm": 35.0}
    of = consistency.solve(luminance_cd_m2=30.0, current_density_mA_cm2=0.2, **plain).value
    rounded = consistency.solve(luminance_cd_m2=Stated(30.0, 5.0), **plain,
                                current_density_mA_cm2=Stated(0.2, 0.05))  # fmt: skip
    assert (rounded.low, rounded.high) == pytest.approx((of * 25 / 30 / 1.25, of * 35 / 30 / 0.75))
    assert rounded.standard_error == 0
    noisy = consistency.solve(luminance_cd_m2=Stated(30.0, 0.0, 0.6), **plain,
                              current_density_mA_cm2=Stated(0.2, 0.0, 0.002))  # fmt: skip
    error = of * math.hypot(0.02, 0.01)
    assert noisy.standard_error == pytest.approx(error, rel=1e-4)
    assert noisy.high - of == pytest.approx(1.959964 * error, rel=1e-4)
    assert of - noisy.low == pytest.approx(1.959964 * error, rel=1e-4)
    for value in (Stated(1.0, 1.0), Stated(math.nan), Stated(-3.0)):
        with pytest.raises(ValueError, match="positive number"):
            consistency.solve(luminance_cd_m2=value, current_density_mA_cm2=0.2, **plain)


@given(st.lists(st.floats(0.5, 2), min_size=5, max_size=40), st.floats(-1, 1))
@settings(max_examples=40, deadline=None)
def test_the_ratio_of_a_column_has_its_median_order_statistics_and_slope(values, trend):
    j = np.geomspace(0.01, 100, len(values))
    ratio = np.array(values)
    found = consistency.check_column(np.r_[ratio, np.nan], np.r_[j, 1.0], {})
    n, ordered = len(values), np.sort(ratio)
    low = max(math.floor(n / 2 - 0.98 * math.sqrt(n)), 0)
    high = min(math.ceil(n / 2 + 0.98 * math.sqrt(n)), n - 1)
    assert (found.median, found.points) == (np.median(ratio), n)
    assert (found.low, found.high) == (ordered[low], ordered[high])
    assert found.agrees == (ordered[low] - 0.03 <= 1 <= ordered[high] + 0.03)
    tilted = consistency.check_column(ratio * j**trend, j, {})
    by = math.log(10) * trend
    assert tilted.trend_per_decade - found.trend_per_decade == pytest.approx(by, abs=1e-9)
    assert tilted.trend_error == pytest.approx(found.trend_error)
    if n > 5:
        fit = np.polynomial.Polynomial.fit(np.log10(j), np.log(ratio), 1).convert().coef
        rest = np.log(ratio) - fit[0] - (fit[1] if fit.size > 1 else 0.0) * np.log10(j)
        x = np.log10(j) - np.log10(j).mean()
        error = math.sqrt(rest @ rest / (n - 2) / (x @ x))
        assert found.trend_error == pytest.approx(error, abs=1e-9)


def test_an_explanation_lies_within_half_a_percent_of_the_interval_nearest_first():
    ratio = np.full(9, 2.0)
    names = {"a": 1.992, "b": 1.989, "c": 2.009, "d": 2.011, "e": 2.002}
    found = consistency.check_column(ratio, np.geomspace(1, 10, 9), names)
    assert [name for name, _ in found.explanations] == ["e", "a", "c"]
    assert found.trend_error == pytest.approx(0, abs=1e-9)
    alone = consistency.check_column(ratio[:2], np.array([1.0, 2.0]), {})
    assert alone.trend_error == math.inf
    assert consistency.check_column(ratio[:3], np.full(3, 5.0), {}).trend_error == math.inf


def test_shortcuts_of_a_band_by_its_moments():
    """A line's luminous energy at the peak and at the centroid of photons; photons for power."""
    nm = np.arange(480.0, 760.0)
    y = np.exp(-0.5 * ((nm - 600) / 15) ** 2) + 0.4 * np.exp(-0.5 * ((nm - 640) / 15) ** 2)
    found = list(consistency.shortcuts(nm, y).values())
    v = photometry.photopic_response
    true = (y @ v(nm)) / (y @ nm)
    peak, centroid = nm[np.argmax(y)], (y * nm) @ nm / (y @ nm)
    assert found[0] == pytest.approx(true / (v(peak) / peak), rel=1e-6)
    assert found[1] == pytest.approx(true / (v(centroid) / centroid), rel=1e-6)
    assert found[2] == pytest.approx(true / (((y / nm) @ v(nm)) / y.sum()), rel=1e-6)
    assert found[3] == pytest.approx((y @ v(nm)) / (y @ v(nm, "CIE 2008")), rel=1e-6)
    # 2π sr of constant intensity, no π, per cent, and A/m² are so whatever the spectrum.
    assert found[4:] == pytest.approx([2.0, 1 / math.pi, 100.0, 0.01, 10.0, 0.1])


# ---- lifetimes -----------------------------------------------------------------------------------


@given(st.floats(0.55, 0.9), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(-50, 50),
       st.integers(0, 30))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_a_crossing_scales_with_time_and_not_with_light(fraction, seconds, unit, first, seed):
    rng, t = np.random.default_rng(seed), np.linspace(0, 100, 60)
    y = np.exp(-t / 120) * (1 + 0.003 * rng.standard_normal(60))
    one = lifetime.crossing_time(t, y, fraction)
    other = lifetime.crossing_time(seconds * (t + first), unit * y, fraction)
    assert other.time / seconds - first == pytest.approx(one.time, rel=1e-6)
    assert other.standard_error == pytest.approx(seconds * one.standard_error, rel=1e-5)
    assert (other.censored, other.crossings) == (one.censored, one.crossings)


@pytest.mark.parametrize("bend, exact", [(0.125, True), (0.11, False)])
def test_a_crossing_is_that_of_the_points_within_an_eighth_of_it(bend, exact):
    """An exponential decay between kinks at so much of its logarithm about the half."""
    t = np.linspace(0, 100, 401)
    z = np.log(2) * (1 - t / 50)  # 0 at 50
    y = np.exp(np.clip(z, -bend, bend) + 3 * (z - np.clip(z, -bend, bend)))
    found = lifetime.crossing_time(t, y, 0.5, initial=2.0)
    assert (abs(found.time - 50) < 1e-9) == exact or found.standard_error > 0
    assert (found.standard_error < 1e-9) == exact


@pytest.mark.parametrize("slope, reach, low, high", [
    (0.01, 0.1001, 10, 10), (0.01, 0.0999, 9, 9), (0.2, 0.1, 2, 1), (1e-4, 9.0, 60, 60),
])  # fmt: skip
def test_points_about_a_crossing_are_within_reach_two_at_least_and_sixty_at_most(
    slope, reach, low, high
):
    found = lifetime._around(-slope * (np.arange(400.0) - 200), 200, reach)
    assert (200 - found[0], found[-1] - 200) == (low, high - (high > 1 and low == high == 60))
    assert (np.diff(found) == 1).all()
    short = lifetime._around(-slope * (np.arange(3.0) - 1), 1, reach)
    assert short.tolist() == [0, 1, 2]


@pytest.mark.parametrize("points, degree", [(6, 1), (7, 2), (8, 2), (9, 2)])
@pytest.mark.parametrize("bend", [0.0, 0.2, -0.2])
def test_a_passage_is_that_of_a_parabola_from_seven_points_on(points, degree, bend):
    x = np.linspace(-1, 1, points)
    z = -2 * (x - 0.1) + bend * (x - 0.1) ** 2
    at, slope, error = lifetime._passage(x, z, 0.05)
    c = np.polyfit(x, z, degree)
    roots = np.roots(c)
    expected = roots[np.argmin(np.abs(roots))]
    assert at == pytest.approx(expected)
    assert slope == pytest.approx(np.polyval(np.polyder(c), expected))
    row = expected ** np.arange(degree, -1, -1.0)
    design = np.vander(x, degree + 1)
    own = math.sqrt(np.sum((z - np.polyval(c, x)) ** 2) / (points - degree - 1))
    variance = row @ np.linalg.inv(design.T @ design) @ row
    if points - degree - 1 < 6:  # too few to tell their own scatter
        own = max(own, 0.05)
    assert error == pytest.approx(own * math.sqrt(variance), abs=1e-12)
    assert lifetime._passage(x, -z, 0.05) is None


@given(st.floats(0.3, 3), st.floats(0.1, 10), st.floats(0.05, 20), st.booleans())
@settings(max_examples=40, deadline=None)
def test_lifetimes_elsewhere_by_one_law_are_all_on_it(n, scale, ratio, faster):
    drives = np.array([2.0, 5.0, 30.0])
    found = lifetime.acceleration(drives, 100 * scale * drives**-n, [1.0, 1.0, 1.0])
    assert found.power_law == pytest.approx(n) and found.single_law
    there = lifetime.lifetime_at(2.0 * ratio, found)
    law = 100 * scale * (2.0 * ratio) ** -n
    for name in ("interpolated", "power law", "lowest pair", "highest pair"):
        assert there[name] == pytest.approx(law)
    assert there["n = 1.5"] == pytest.approx(100 * scale * 2.0**-n * ratio**-1.5)


def test_lifetimes_elsewhere_are_those_measured_where_they_were_and_go_on_beyond():
    drives, times = np.array([1.0, 10.0, 100.0]), np.array([1000.0, 300.0, 10.0])
    found = lifetime.acceleration(drives, times, 0.1 * times)
    for d, t in zip(drives, times):
        assert lifetime.lifetime_at(d, found)["interpolated"] == pytest.approx(t)
    between = lifetime.lifetime_at(10**1.5, found)["interpolated"]
    assert between == pytest.approx(math.sqrt(300 * 10))
    below, above = (lifetime.lifetime_at(d, found) for d in (0.1, 1000.0))
    assert below["interpolated"] == pytest.approx(below["lowest pair"]) == 1000 * 1000 / 300
    assert above["interpolated"] == pytest.approx(above["highest pair"]) == 10 * 10 / 300
    x = np.log(drives)
    law = np.polyfit(x, np.log(times), 1)
    assert found.power_law == pytest.approx(-law[0])
    assert above["power law"] == pytest.approx(np.exp(np.polyval(law, math.log(1000.0))))


def test_exponents_have_the_errors_of_drives_and_lifetimes():
    """n = -Δ ln T/Δ ln L, by hand; neighbours share a lifetime and a drive."""
    drives, times = np.array([1.0, 4.0, 32.0]), np.array([900.0, 200.0, 3.0])
    e, dx = np.array([0.02, 0.05, 0.1]), np.array([0.03, 0.01, 0.02])
    found = lifetime.acceleration(drives[::-1], times[::-1], (e * times)[::-1],
                                  (dx * drives)[::-1])  # fmt: skip
    step = np.diff(np.log(drives))
    n = -np.diff(np.log(times)) / step
    assert found.exponents == pytest.approx(n)
    own = [math.sqrt((e[k] ** 2 + e[k + 1] ** 2 + n[k] ** 2 * (dx[k] ** 2 + dx[k + 1] ** 2))
                     / step[k] ** 2) for k in (0, 1)]  # fmt: skip
    assert found.exponent_errors == pytest.approx(own, rel=1e-5)
    shared = -(e[1] ** 2 + n[0] * n[1] * dx[1] ** 2) / (step[0] * step[1])
    apart = math.sqrt(own[0] ** 2 + own[1] ** 2 - 2 * shared)
    assert found.largest_difference_sigma == pytest.approx(abs(n[0] - n[1]) / apart, rel=1e-5)
    assert found.single_law == (found.largest_difference_sigma <= 2)
    x = np.log(drives) - np.log(drives).mean()
    line, rest = np.polyfit(x, np.log(times), 1), None
    rest = np.log(times) - np.polyval(line, x)
    error = max(math.sqrt(np.sum((x / (x @ x) * e) ** 2)), math.sqrt(rest @ rest / (x @ x)))
    assert found.power_law_error == pytest.approx(error)
    two = lifetime.acceleration(drives[:2], times[:2], e[:2] * times[:2])
    assert two.single_law and two.power_law == pytest.approx(n[0])
    assert two.power_law_error == pytest.approx(two.exponent_errors[0], rel=1e-5)
    assert two.largest_difference_sigma == 0
    for wrong in (0 * times, [1.0, 1.0, -1.0]):
        with pytest.raises(ValueError, match="and errors"):
            lifetime.acceleration(drives, times, wrong)


@pytest.mark.parametrize("values", [
    (3.0, 0.0, 1.0, 40.0, 0.2), (3.0, 0.0, 1.0, 40.0, 2.5), (1.0, 0.9, 0.1, 40.0, 0.5),
    (1.0, 0.3, 80.0, 2.0, 1.0),
])  # fmt: skip
def test_half_of_a_decay_is_where_its_law_is_half(values):
    at = lifetime._half(values)
    assert lifetime.decay_model(at, (1.0, *values[1:])) == pytest.approx(0.5)


@pytest.mark.parametrize("start, stands", [(2.0, False), (5.0, True)])
def test_a_log_has_no_lifetime_where_its_start_does_not_stand_out_of_its_noise(start, stands):
    """By a false alarm of a thousandth, 3.1 times the noise."""
    y = start * np.exp(-np.arange(200) / 150) + np.random.default_rng(4).standard_normal(200)
    y[0] = start
    if stands:
        lifetime.crossing_time(np.arange(200.0), y, 0.5, initial=start)
    else:
        with pytest.raises(ValueError, match="start above the noise of the log, found 2 ± "):
            lifetime.crossing_time(np.arange(200.0), y, 0.5, initial=start)


def a_log(tau_s, initial=0.0, unit="cd m-2", current=10.0):
    t = np.linspace(0, 3000, 301)
    log = SimpleNamespace(
        time_s=t, signal=100 * np.exp(-t / tau_s), signal_unit=unit,
        initial_luminance_cd_m2=initial, current_density_mA_cm2=current,
    )  # fmt: skip
    row = SimpleNamespace(sample="a", state="fresh", settings={}, path=Path("a.txt"), label="a",
                          doubt="")  # fmt: skip
    return SimpleNamespace(row=row, data=log, digest="x")


def test_lifetimes_of_logs_are_in_minutes_from_the_first_luminance_stated():
    kept, made = series.lifetime_quantities([a_log(1200.0)])
    by_name = {q.name: q for q in made}
    assert by_name["T50"].value == pytest.approx(20 * math.log(2)) and by_name["T50"].unit == "min"
    assert by_name["T80"].value == pytest.approx(20 * math.log(1.25))
    assert by_name["T50"].state == "fresh, 10 mA/cm2"
    assert kept[0][2].time == by_name["T50"].value
    _, stated = series.lifetime_quantities([a_log(1200.0, initial=120.0)])
    assert stated[1].value == pytest.approx(20 * math.log(100 / 60))
    _, long = series.lifetime_quantities([a_log(12000.0)])
    assert long[1].relation == ">" and long[1].value == pytest.approx(50.0)


@pytest.mark.parametrize("logs, made", [
    ([(1200.0, 100.0, "cd m-2"), (300.0, 400.0, "cd m-2")], True),
    ([(1200.0, 100.0, "V"), (300.0, 400.0, "cd m-2")], False),
    ([(1200.0, 100.0, "cd m-2"), (300.0, 100.0, "cd m-2")], False),
    ([(1200.0, 100.0, "cd m-2"), (90000.0, 400.0, "cd m-2")], False),
])  # fmt: skip
def test_an_acceleration_is_that_of_lifetimes_at_different_luminances(logs, made):
    held = [a_log(tau, initial=1e-9 + first, unit=unit) for tau, first, unit in logs]
    for one, (_, first, _) in zip(held, logs):
        one.data.signal = one.data.signal * first / 100
        one.data.signal = one.data.signal * (1 + 1e-4 * (-1.0) ** np.arange(301))
    found = [q for q in series.lifetime_quantities(held)[1] if q.name.startswith("acceleration")]
    assert bool(found) == made
    if made:
        assert found[0].value == pytest.approx(math.log(4) / math.log(4), rel=0.01)


# ---- series --------------------------------------------------------------------------------------


def gaussian(x, centre, fwhm):
    return np.exp(-4 * np.log(2) * ((x - centre) / fwhm) ** 2)


@pytest.mark.parametrize(
    "place, counted", [(8.0, True), (10.5, False), (-5.0, True), (-7.0, False)]
)
def test_a_centroid_counts_the_light_from_six_half_widths_below_to_nine_above(place, counted):
    x = np.arange(400.0, 900.0)
    y = gaussian(x, 620, 30) + 0.03 * gaussian(x, 620 + 15 * place, 10)
    found = stability.follow(np.zeros(1), x, y)
    inside = (x >= 620 - 90) & (x <= 620 + 135)
    centroid = np.trapezoid((x * y)[inside], x[inside]) / np.trapezoid(y[inside], x[inside])
    assert found.centroid_nm[0] == pytest.approx(centroid, abs=0.02)
    assert (abs(found.centroid_nm[0] - 620) > 0.5) == counted


def test_a_series_without_a_width_is_taken_whole():
    x = np.arange(600.0, 700.0)
    y = gaussian(x, 605, 90)
    found = stability.follow(np.zeros(3), x, np.stack([y] * 3), variance=np.full((3, 100), 1e-6))
    assert np.isnan(found.fwhm_nm).all() and not found.grows
    whole = np.trapezoid(x * y, x) / np.trapezoid(y, x)
    assert found.centroid_nm == pytest.approx(whole, abs=1e-6)


def test_the_scale_of_a_series_does_not_matter_and_its_clearest_spectrum_leads():
    rng, x = np.random.default_rng(5), np.arange(520.0, 760.0)
    y = np.stack([gaussian(x, 620 + k, 30) for k in range(2)]) + 1e-3 * rng.normal(size=(2, 240))
    sd = np.full((2, 240), 1e-3)
    one = stability.follow(np.arange(2.0), x, y, variance=sd**2)
    factor = np.array([[50.0], [1e3]])
    other = stability.follow(np.arange(2.0), x, factor * y, variance=(factor * sd) ** 2)
    for name in ("peak_nm", "peak_error", "centroid_nm", "centroid_error", "fwhm_nm", "fwhm_error"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9)
    assert one.change("fwhm_nm") == pytest.approx(
        (one.fwhm_nm[1] - one.fwhm_nm[0], math.hypot(one.fwhm_error[1], one.fwhm_error[0]))
    )


def followed_share(monkeypatch, growth, error, place, misfit=0.0, x=None, count=3):
    """What is said of a second band, from fits as stated: band at 600, half width 15."""
    share = 0.1 + np.array([0.0, 0.5 * growth, growth])
    x = np.arange(500.0, 800.0) if x is None else x

    def fits(x, y, peak, fwhm, range_nm, shape, noise):
        other = misfit if shape == "split_gaussian" else 0.0
        where = range_nm[0] + place * (range_nm[1] - range_nm[0]) + other

        class Fit(SimpleNamespace):
            def __getitem__(self, name):
                return np.full(3, where), np.full(3, 3.0)

        return Fit(chi2=np.array([1.0 + other]), converged=np.ones(3, bool),
                   ratio=lambda band: (share, np.full(3, error)),
                   value=lambda name: np.full(3, where))  # fmt: skip

    monkeypatch.setattr(stability, "_two_bands", fits)
    return stability._shoulder(x, np.ones((count, x.size)), 600.0, 15.0)


@pytest.mark.parametrize("growth, error, place, grows", [
    (0.027, 0.001, 0.5, True), (0.026, 0.001, 0.5, False), (0.38, 0.07, 0.5, True),
    (0.37, 0.07, 0.5, False), (0.2, 0.01, 0.021, True), (0.2, 0.01, 0.019, False),
    (0.2, 0.01, 0.981, False), (0.2, 0.01, 0.979, True),
])  # fmt: skip
def test_a_shoulder_grows_by_two_percent_and_errors_away_from_the_ends(
    growth, error, place, grows, monkeypatch
):
    """The last two of three shares exceed the first by 3/4 of the growth, known to 1.22 errors."""
    found = followed_share(monkeypatch, growth, error, place)
    assert found[6] == grows and len(found[8]) == (not 0.02 < place < 0.98)
    assert found[5] == pytest.approx([0, error * 2**0.5, error * 2**0.5])
    if grows:  # from 1.6 to 6 half widths beyond the band
        assert found[2] == pytest.approx(624 + place * 66)
        assert found[3] == pytest.approx(3.0)
        other = followed_share(monkeypatch, growth, error, place, 4.0)
        assert other[3] == pytest.approx(5.0)  # two shapes that serve: their difference is error


def test_shares_that_do_not_rise_seldom_do():
    """Once in 1,000 series, whether the first spectrum is dimmest or the last; what scatters by
    more than its errors says nothing."""
    rng = np.random.default_rng(11)
    for error in (np.geomspace(5.0, 0.15, 8), np.geomspace(0.15, 5.0, 8)):
        draws = 0.1 + error * rng.standard_normal((800, 8))
        assert sum(stability.rises(share, error) for share in draws) <= 5
    assert not stability.rises([0.0, 0.3, 0.0, 0.3, 0.0, 0.3], np.full(6, 0.01))
    assert stability.rises(np.r_[np.zeros(4), np.full(4, 7.0)], np.ones(8))
    falls = np.r_[np.full(4, 7.0), np.zeros(4)]
    assert not stability.rises(falls, np.ones(8))


def shifting(rng, levels):
    """One band with a tail that moves to the red, and its noise; the last spectrum is brightest."""
    x, y = np.arange(540.0, 800.0), []
    for k, _ in enumerate(levels):
        tail = np.where(x > 630 + k, np.exp(-np.maximum(x - 630 - k, 0.0) / 9), 0.0)
        kernel = np.exp(-0.5 * (np.arange(-40.0, 41.0) / 12) ** 2)
        y.append(np.convolve(tail, kernel, "same"))
    y = np.stack(y) / np.max(y, axis=1, keepdims=True)
    sd = np.repeat(1 / np.asarray(levels)[:, None], x.size, axis=1)
    return x, y + sd * rng.standard_normal(y.shape), sd**2


def test_one_band_with_a_tail_that_shifts_has_no_shoulder_however_dim_its_first_spectrum():
    rng, levels = np.random.default_rng(4), np.geomspace(8, 400, 6)
    for _ in range(5):
        x, y, variance = shifting(rng, levels)
        found = stability.follow(np.arange(6.0), x, y, variance=variance)
        assert not found.grows and np.isnan(found.shoulder_nm)
        # Each share is known as well as its spectrum; the place and width that all share add.
        assert found.share_error[0] > 5 * found.share_error[-1]


@pytest.mark.parametrize("end, count, room", [(640.0, 3, True), (638.0, 3, False),
                                              (640.0, 2, False)])  # fmt: skip
def test_a_second_band_needs_room_and_three_spectra(end, count, room, monkeypatch):
    found = followed_share(monkeypatch, 0.3, 0.01, 0.5, x=np.arange(500.0, end + 1), count=count)
    assert found[6] == room and ("no room" in " ".join(found[8])) != room


def test_a_colour_of_a_series_errs_by_counting_and_by_its_scale():
    """By differences of each point, and of the axis, of a spectrum on an uneven axis."""
    x = 560.0 + np.cumsum(np.linspace(0.5, 2.0, 100))
    y, sd = gaussian(x, 632.0, 36.0), np.linspace(1e-3, 3e-3, 100)
    signal = Signal(x, y[None], variance=sd[None] ** 2)
    made = {}

    def make(name, unit, value, **budget):
        made[name] = value, budget

    series._cie(SimpleNamespace(signal=signal), 0, 0.7, make)

    def cie(x, y, step):
        xyz = photometry.matching_functions(x) @ (y * step)
        return (xyz / xyz.sum())[:2]

    step = np.gradient(x, 1.0)
    step[[0, -1]] = np.diff(x)[[0, -1]] / 2
    by_point = np.array([(cie(x, y + d, step) - cie(x, y - d, step)) / 2e-6
                         for d in 1e-6 * np.eye(100)])  # fmt: skip
    error = np.sqrt(((by_point * sd[:, None]) ** 2).sum(axis=0))
    by_scale = np.abs(cie(x + 0.7, y, step) - cie(x - 0.7, y, step)) / 2
    for k, name in enumerate(("CIE x", "CIE y")):
        value, budget = made[name]
        assert value == pytest.approx(cie(x, y, step)[k])
        assert budget["counting"] == pytest.approx(error[k], rel=1e-3)
        assert budget["wavelength scale"] == pytest.approx(by_scale[k], rel=1e-6)


# ---- light ---------------------------------------------------------------------------------------


@given(st.integers(0, 50), st.floats(1e-3, 1e3), st.floats(-5, 5), st.booleans())
@settings(max_examples=10, deadline=None)
def test_light_scales_with_its_unit_and_not_with_its_offset_or_direction(seed, unit, by, turned):
    rng, v = np.random.default_rng(seed), np.arange(0.0, 5.0, 0.1)
    read = np.where(v > 2.4, np.exp(3 * (v - 3.2)), 0.0) + 0.02 * rng.standard_normal(v.size)
    j, usable = np.exp(v), np.ones(v.size, bool)
    one = light.find_light(v, j, read, usable)
    side = -1 if turned else 1
    other = light.find_light(v[::side], j[::side], unit * (read + by)[::side], usable)
    assert other.noise == pytest.approx(unit * one.noise, rel=1e-6)
    assert other.offset == pytest.approx(unit * (one.offset + by), abs=1e-6 * unit)
    assert other.offset_error == pytest.approx(unit * one.offset_error, rel=1e-6)
    assert (other.lit == one.lit[::side]).all() and (other.dark == one.dark[::side]).all()
    assert other.relative == pytest.approx(one.relative, rel=1e-6)
    assert other.error() == pytest.approx(unit * one.error()[::side], rel=1e-6)


@pytest.mark.parametrize("dark, light_from, stop", [(5, 1.0, 5), (16, 1.0, 14), (60, 0.0, 60)])
def test_dark_points_end_an_eighth_before_three_that_stand_out(dark, light_from, stop):
    """Of at least five; all are dark where none stands out."""
    y = 0.01 * (-1.0) ** np.arange(60)
    y[dark:] += light_from * np.arange(1, 61 - dark)
    assert light._onset(y) == stop
    assert light._onset(y[:5]) == 5 and light._onset(y[:4]) == 0


@pytest.mark.parametrize("rise, lit", [(1.05, True), (0.95, False)])
def test_seven_readings_that_rise_by_half_of_the_last_are_light(rise, lit):
    y = np.ones(30) + rise * np.r_[np.arange(7), np.full(23, 6)] / 6
    assert (light._onset(y) == 0) == lit
    y[3] = y[2]
    assert light._onset(y) > 0


@pytest.mark.parametrize("y, half", [([1.0, 1.0, 1.25, 2.0], 0.125), ([0.0, 0.0], None)])
def test_a_digit_is_half_of_the_smallest_step(y, half):
    found = light._digit(np.array(y))
    assert found == half if half else 0 < found < 1e-20


@pytest.mark.parametrize("count, told", [(5, False), (6, True)])
def test_scatter_of_light_over_current_needs_six_readings(count, told):
    v = np.arange(float(count))
    ratio = np.exp(0.3 * (-1.0) ** v)
    assert (light._scatter(v[::-1], ratio[::-1]) > 0) == told
    assert light._scatter(np.arange(40.0), np.exp(0.1 * np.arange(40.0))) < 1e-12


def test_modes_of_conditioning_move_a_peak_and_widen_a_band_as_they_are():
    """A spectrum moved by 0.1 nm, and one 0.1 nm wider; peak and width do not know their height."""
    x = np.arange(560.0, 700.0, 0.5)
    height = np.array([[40.0], [4000.0]])
    y = height * gaussian(x, np.array([[625.0], [635.0]]), 36.0)
    moved = height * gaussian(x, np.array([[625.1], [635.1]]), 36.0) - y
    wider = height * gaussian(x, np.array([[625.0], [635.0]]), 36.1) - y
    signal = SimpleNamespace(axis=x, values=y, variance=(1e-4 * height) ** 2 * np.ones(y.shape),
                             modes=np.stack([moved, wider]))  # fmt: skip
    by_peak, by_width = series._by_modes(signal, np.array([0, 1]))
    assert by_peak == pytest.approx(np.array([[0.1, 0.1], [0.0, 0.0]]), abs=2e-3)
    assert by_width == pytest.approx(np.array([[0.0, 0.0], [0.1, 0.1]]), abs=2e-3)
    (only,) = series._by_modes(signal, np.array([1]))[0][0]
    assert only == pytest.approx(0.1, abs=2e-3)


# ---- routes and devices --------------------------------------------------------------------------


@pytest.mark.parametrize("beyond, told", [(0.019, False), (0.021, True)])
@pytest.mark.parametrize("side", [-1, 1])
def test_beyond_the_spectra_the_last_step_may_go_on(beyond, told, side):
    r = routes.Response("bias_V", np.array([2.0, 4.0, 6.0]), np.array([2.0, 3.0, 4.0])[::side],
                        {}, np.zeros(3))  # fmt: skip
    x = 6.0 + 2 * beyond if side > 0 else 2.0 - 2 * beyond
    found = r.error_at(x, 4.0)
    assert ("spectrum elsewhere" in found) == told
    end = r.value[-1] if side > 0 else r.value[0]
    far = r.error_at(4.0 + side * 400, 4.0)["spectrum elsewhere"]
    assert far == pytest.approx(2.0 / end / math.sqrt(3))  # no further than the spectra differ
    if told:
        assert found["spectrum elsewhere"] == pytest.approx(beyond / end / math.sqrt(3))


def test_a_peak_moves_as_the_errors_of_two_spectra_tilt_its_curve():
    """ln EQE = -a x²/2: a slope b of ln R moves the peak by b/a, once for each spectrum."""
    x = np.linspace(-1.5, 1.5, 61)
    j, a, error = np.exp(x), 1.0, 0.02
    r = routes.Response("current_mA_cm2", np.exp([-3.0, 3.0]), np.ones(2),
                        {"noise": np.full(2, error)}, np.zeros(2))  # fmt: skip
    eqe = 0.1 * np.exp(-0.5 * a * x**2)
    curve = device.Curve("luminance", j, eqe, 1e-4 * eqe,
                         SimpleNamespace(current_density_mA_cm2=1.0), response=r)  # fmt: skip
    context = SimpleNamespace(run=SimpleNamespace(sweep=SimpleNamespace(voltage_V=x)))
    moved = device._moved(context, curve)
    assert moved == pytest.approx(math.sqrt(2) * error / 6 / a, rel=0.1)
    alone = routes.Response("", np.zeros(1), np.ones(1), {"noise": np.full(1, error)}, np.zeros(1))
    assert device._moved(context, device.Curve("", j, eqe, eqe, None, response=alone)) == 0.0


@pytest.mark.parametrize("angles", [np.arange(-80.0, 81.0, 10.0), np.arange(0.0, 81.0, 5.0)])
def test_a_pattern_has_half_the_difference_of_its_halves_as_error(angles):
    """Both sides of the normal, or every other angle with both ends."""
    lean = np.where(angles < 0, 1.1, 1.0) if angles[0] < 0 else 1 + 0.05 * (angles % 10 > 0)
    intensity = lean * np.cos(np.radians(angles))
    pattern = SimpleNamespace(angle_deg=angles, intensity=intensity)
    value = photometry.effective_solid_angle(angles, intensity)
    found = routes._pattern_error(pattern, value)
    if angles[0] < 0:
        halves = [(angles <= 0), (angles >= 0)]
    else:
        ends = np.isin(angles, (0.0, 80.0))
        halves = [(angles % 10 == 0) | ends, (angles % 10 > 0) | ends]
    each = [photometry.effective_solid_angle(angles[m], intensity[m]) for m in halves]
    assert found == pytest.approx(abs(each[0] - each[1]) / 2) and found > 1e-3 * value
    even = SimpleNamespace(angle_deg=angles, intensity=np.cos(np.radians(angles)))
    least = routes._pattern_error(even, value)
    assert 1e-3 * value <= least < 4e-3 * value


@pytest.mark.parametrize("geometry, share, error", [
    ({"geometry": "Integrating sphere"}, 1.0, 1e-9),
    ({"geometry": "contact"}, 0.95, 0.1 / 12**0.5),
    ({"solid_angle_sr": 2 * math.pi}, 1.0, 1e-9),
    ({"distance_mm": 30.0, "detector_area_cm2": 1.0}, None, 1e-9),
    ({"distance_mm": 30.0}, math.nan, 0.0),
])  # fmt: skip
def test_shares_of_light_collected(geometry, share, error):
    found = routes.collected_share(geometry, 0.04, "")
    if share is None:
        share = photometry.disc_view_factor(2 / math.pi**0.5, 10 / math.pi**0.5, 30.0)
    if math.isnan(share):
        assert found.value is None and "solid_angle_sr" in found.reasons
    else:
        assert found.value == pytest.approx(share) and found.standard_error == pytest.approx(error)


def test_energy_of_a_band_over_its_noise():
    """Σ y² less that of noise, over the noise of one point; neighbours that err together count
    less, and slow modes are noise."""
    y, noise = np.zeros((2, 40)), np.full((2, 40), 4.0)
    y[0, 10:20], y[1] = 30.0, 1.0

    def clear(modes=None, lumping=1.0):
        modes = np.zeros((1, 2, 40)) if modes is None else modes
        signal = SimpleNamespace(values=y, finite=y, variance=noise, modes=modes,
                                 lumping=lumping, axis=np.arange(40.0))  # fmt: skip
        return Series("p", "", "bias_V", signal, signal, None).clearness

    assert clear() == pytest.approx([math.sqrt((9000 - 160) / 4), 0.0])
    assert (
        clear(lumping=9.0)[0] == pytest.approx(clear()[0] / 3)
        and clear(lumping=0.2)[0] == (clear()[0])
    )
    slow = np.full((1, 2, 40), 1.5)
    assert clear(slow)[0] == pytest.approx(math.sqrt((9000 - 250) / 6.25))


@pytest.mark.parametrize("role, n, k, changed", [
    ("hole", 1.56, 0.0, True), ("electron", 1.9, 0.0, True), ("hole", 1.54, 0.0, False),
    ("hole", 1.7, 1e-4, False), ("anode", 1.8, 0.0, False),
])  # fmt: skip
def test_organic_layers_are_the_transparent_ones_beside_the_emitter(role, n, k, changed):
    layer = ceiling.Layer("x", n, k, 30.0, role)
    found = ceiling._organic(ceiling.Stack((layer,), 620.0), 1.65)
    assert found["x"].n == (1.65 if changed else n)


@given(st.floats(0.05, 1), st.floats(0.5, 3), st.floats(0.05, 0.6), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_ceiling_is_the_yield_in_the_cavity_times_what_leaves(q, purcell, eta, a):
    inside = q * purcell / (q * purcell + 1 - q)  # the radiative rate grows, the other does not
    found = ceiling.Ceiling(eta, 0.9 * eta, 1.1 * eta, 0, 1, (), purcell).eqe(q)
    assert found == pytest.approx([inside * eta, 0.9 * inside * eta, 1.1 * inside * eta])
    limit = q * eta / (1 - q * (1 - eta) * a)
    assert ceiling.recycling_needed(limit, q, eta) == pytest.approx(a, abs=1e-9)
    assert ceiling.implied_outcoupling(limit, q) * q == pytest.approx(limit)


@pytest.mark.parametrize("spread, half", [(0.02, 0.02 / 3.92), (1e-6, 1e-3 / 3.92)])
def test_a_printed_column_has_its_scatter_as_error_over_the_brighter_readings(spread, half):
    j = np.geomspace(1, 100, 40)
    values = np.linspace(0, 1, 40)
    printed_values = 1.0 + spread * np.where(np.arange(40) % 2, 0.5, -0.5)
    made = {}
    lit = np.arange(40) > 0
    row = SimpleNamespace(label="a")
    run = SimpleNamespace(lights={"luminance": SimpleNamespace(lit=lit, values=values)},
                          sweep=SimpleNamespace(current_density_mA_cm2=j), row=row)  # fmt: skip
    c = SimpleNamespace(run=run, make=lambda name, unit, law, note, scatter:
                        made.update({name: (law(), scatter, note)}))  # fmt: skip
    curve = SimpleNamespace(route="luminance")
    printed._ratio(c, curve, "ratio", printed_values, np.ones(40), {})
    median, scatter, note = made["ratio"]
    assert median == pytest.approx(1.0, abs=spread)
    assert scatter == pytest.approx(half, rel=0.01)
    assert note.startswith("39 readings")  # the first is not lit, the next is above 2 % of the top
    none = printed._ratio(c, curve, "x", np.where(values > 0.94, 1.0, np.nan), np.ones(40), {})
    assert none != [] and made["x"][2].startswith("3 readings")
    assert printed._ratio(c, curve, "x", np.where(values > 0.96, 1.0, 0.0), np.ones(40), {}) == []


@pytest.mark.parametrize("away, elsewhere", [(0.0, False), (1e-3, True)])
def test_one_spectrum_is_elsewhere_but_where_it_was_taken(away, elsewhere):
    r = routes.Response("bias_V", np.array([3.0]), np.ones(1), {"noise": np.array([0.01])},
                        np.array([0.03]))  # fmt: skip
    found = r.error_at(3.0 + away, 4.0)
    assert found["noise"] == 0.01 and ("spectrum elsewhere" in found) == elsewhere
    nowhere = routes.Response("", np.zeros(1), np.ones(1), {}, np.array([0.03]))
    assert "spectrum elsewhere" in nowhere.error_at(0.0, 4.0)


@pytest.mark.parametrize("share, used", [(0.0199, False), (0.0201, True)])
def test_dim_readings_say_nothing_of_a_printed_column(share, used):
    values = np.r_[share, np.linspace(0.5, 1, 9)]
    run = SimpleNamespace(lights={"flux": SimpleNamespace(lit=np.ones(10, bool), values=values)},
                          sweep=SimpleNamespace(current_density_mA_cm2=np.arange(1.0, 11)),
                          row=SimpleNamespace(label=""))  # fmt: skip
    notes = []
    c = SimpleNamespace(run=run, make=lambda name, unit, law, note, scatter: notes.append(note))
    printed._ratio(c, SimpleNamespace(route="flux"), "", np.ones(10), np.ones(10), {})
    assert notes[0].startswith("10" if used else "9 ")


@pytest.mark.parametrize("trend, error, said", [(0.1, 0.03, True), (0.1, 0.034, False),
                                                (0.1, math.inf, False)])  # fmt: skip
def test_a_trend_of_a_column_is_said_from_three_errors_on(trend, error, said):
    check = consistency.ColumnCheck(np.ones(3), 1.2, 1.1, 1.3, trend, error, False, (), 3)
    text = printed._said(check, "a").evidence
    assert ("changes by +10 % a decade" in text) == said and "+20 % off" in text


@given(st.floats(0.05, 0.95), st.floats(0.6, 2), st.floats(0.05, 0.5), st.floats(0.5, 2))
@settings(max_examples=20, deadline=None)
def test_a_limit_is_the_mean_over_the_spectrum_by_rate(q, rate, eta, ratio):
    """F̄ = ⟨F⟩, η̄ = ⟨F η⟩/F̄ and q F̄/(1 − q + q F̄) η̄ of lines of equal photon number."""
    rates = rate * np.array([1.0, 1.1, 1.3, 0.9, 1.2])
    etas = eta * np.array([1.0, ratio, 0.8, 1.1, 0.9])
    each = iter(SimpleNamespace(purcell=f, outcoupling=o) for f, o in zip(rates, etas))
    layers = (ceiling.Layer("film", 1.8, 0.0, 30.0, "emitter"),)
    stack = ceiling.Stack(layers, 620.0, fwhm_nm=30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcoupling, "emission", lambda stack, **how: next(each))
        found = outcoupling.limit(stack, outcoupling.Assumed(internal_yield=q))
    mean = rates @ etas / rates.sum()
    assert found.purcell == pytest.approx(rates.mean())
    assert found.outcoupling == pytest.approx(mean)
    assert found.eqe == pytest.approx(mean * q * rates.mean() / (1 - q + q * rates.mean()))
    from_lines = outcoupling.lines(stack)
    assert np.std(from_lines) == pytest.approx(30 / 2.3548, rel=0.15) and len(from_lines) == 5


@pytest.mark.parametrize("thickness, low, high", [(100.0, 98.0, 102.0), (5.0, 4.8, 5.2),
                                                  (0.1, 0.0, 0.3)])  # fmt: skip
def test_slopes_are_differences_of_a_fiftieth_and_two_tenths_at_least(thickness, low, high):
    seen = []

    def scan(stack, name, nm, assumed):
        seen.append(nm)
        return SimpleNamespace(outcoupling=0.3 + 0.01 * nm)

    layers = (ceiling.Layer("glass", 1.5, 0.0, None, "substrate"),
              ceiling.Layer("film", 1.8, 0.0, thickness, "emitter"))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcoupling, "scan", scan)
        found = outcoupling.slopes(ceiling.Stack(layers, 620.0))
    assert found == {"film": pytest.approx(0.01)}
    assert seen[0] == pytest.approx([low, high], abs=1e-9)


@pytest.mark.parametrize("axis", ["bias_V", "current_mA_cm2"])
def test_a_response_is_the_luminous_energy_of_a_photon_of_each_spectrum(axis):
    x = np.arange(540.0, 720.0)
    y = np.stack([gaussian(x, c, 30.0) for c in (630.0, 620.0)])
    signal = Signal(x, y, variance=np.full(y.shape, 1e-8), at=np.array([4.0, 2.0]), at_unit="V")
    one = SimpleNamespace(signal=signal, label="a", axis=axis)
    found = routes.response([one], routes.photopic, "the photopic integral")
    of = photometry.luminous_energy_per_photon(x, y)
    assert found.at.tolist() == [2.0, 4.0] and found.axis == axis and not found.reasons
    assert found.value == pytest.approx(of[::-1])
    v = photometry.photopic_response
    slope = [(row @ v(x + 0.5) - row @ v(x - 0.5)) / (row @ v(x)) for row in y[::-1]]
    assert found.slope == pytest.approx(slope, rel=1e-6)
    by_point = np.array([
        photometry.luminous_energy_per_photon(x, y[1] + d)
        - photometry.luminous_energy_per_photon(x, y[1] - d) for d in 1e-6 * np.eye(x.size)
    ]) / 2e-6  # fmt: skip
    error = 1e-4 * np.linalg.norm(by_point) / of[1]
    assert found.errors["counting"][0] == pytest.approx(error, rel=1e-3)
    assert found(found.grid()) == pytest.approx(found.value)
    cut = SimpleNamespace(signal=Signal(x[80:], y[:, 80:], variance=np.full((2, 100), 1e-8),
                                        at=np.array([4.0, 2.0])), label="a", axis=axis)  # fmt: skip
    none = routes.response([cut], routes.photopic, "the photopic integral")
    assert not none.value.size and len(none.reasons) == 2 and "cut" in none.reasons[0]


def test_a_shortcut_lets_through_what_fresnel_does_of_light_that_goes_all_ways_in_glass():
    """Half of an isotropic emission, of either polarisation, once through the far face."""
    n = 1.5
    layers = (ceiling.Layer("glass", n, 0.0, None, "substrate"),
              ceiling.Layer("film", n, 0.0, 30.0, "emitter"))  # fmt: skip

    def even(indices, thickness, emitter, nm, angle, side):
        assert side == "bottom" and indices == [n, n, 1.0] and thickness == [30.0]
        return np.full(angle.size, 0.9 / (8 * np.pi)), np.full(angle.size, 1.1 / (8 * np.pi))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peled.optics.dipole.far_field", even)
        patch.setattr(ceiling, "emission", lambda stack: SimpleNamespace(purcell=1.25))
        found = ceiling.half_stack_outcoupling(ceiling.Stack(layers, 620.0))
    cosine = np.cos(np.linspace(0, np.arcsin(1 / n) - 1e-6, 4001))
    t_s, t_p = fresnel_transmittance(n, 1.0, cosine)
    whole = np.trapezoid(0.25 * (0.9 * t_s + 1.1 * t_p), -cosine) / 1.25
    assert found == pytest.approx(whole, rel=2e-3)


@pytest.mark.parametrize("k, share", [(0.02, 0.3 * 0.4), (0.0, 0.0)])
def test_light_taken_back_is_a_share_of_what_goes_into_the_substrate(k, share):
    layers = (ceiling.Layer("glass", 1.5, 0.0, None, "substrate"),
              ceiling.Layer("film", 1.9, k, 30.0, "emitter"),
              ceiling.Layer("etl", 1.7, 0.0, 50.0, "electron"))  # fmt: skip

    def reabsorbed(indices, thickness, emitter, nm, absorbing, orientation):
        assert indices == [1.5, complex(1.9, k), 1.7, 1.0] and thickness == [30.0, 50.0]
        assert (emitter, nm, absorbing, orientation) == (1, 620.0, k, 0.2)
        return 0.3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcoupling, "substrate_reabsorption", reabsorbed)
        patch.setattr(outcoupling, "emission", lambda s, **how: SimpleNamespace(substrate=0.4))
        found = outcoupling.taken_back(ceiling.Stack(layers, 620.0), outcoupling.Assumed(0.2))
    assert found == pytest.approx(share)


@pytest.mark.parametrize("q, back", [(None, 0.0), (0.8, 0.1)])
def test_a_limit_has_the_errors_of_thicknesses_and_dipoles_and_grows_by_recycling(q, back):
    layers = (ceiling.Layer("glass", 1.5, 0.0, None, "substrate"),
              ceiling.Layer("film", 1.9, 0.0, 30.0, "emitter"),
              ceiling.Layer("etl", 1.7, 0.0, 50.0, "electron"))  # fmt: skip

    def limit(stack, how):
        eta = 0.25 - 0.2 * (how.vertical - 0.3)
        return outcoupling.Limit(eta, 1.2, 0.9 * eta)

    settings = {"internal_yield": q, "vertical": 0.3, "profile_nm": 0.0, "thickness_relative": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcoupling, "limit", limit)
        patch.setattr(outcoupling, "taken_back", lambda stack, how: back)
        each = {"film": 2e-3, "etl": -1e-3}
        made = outcoupling.quantities(ceiling.Stack(layers, 620.0), each, settings,
                                      {"sample": "a", "kind": "calculated"})  # fmt: skip
    out, eqe, *more = made
    assert out.value == pytest.approx(0.25) and eqe.value == pytest.approx(0.225)
    expected = {"thicknesses": math.hypot(2e-3 * 3, 1e-3 * 5), "dipoles": 0.2 * 0.1}
    assert out.budget == pytest.approx(expected)
    assert eqe.budget == pytest.approx({k: 0.9 * e for k, e in expected.items()})
    assert ("internal_yield" in out.reasons) == (q is None) and "film" in out.note
    assert [m.value for m in more] == ([pytest.approx(0.225 / (1 - 0.8 * 0.1))] if back else [])


def test_light_of_a_held_bias_has_the_offset_and_noise_of_a_sweep_with_dark_points():
    none, some = np.zeros(3, bool), np.array([True, False, False])
    seen = light.Light(np.ones(3), 0.1, 0.02, 1.5, 0.05, some, ~some)
    bright = light.Light(np.ones(3), 0.3, 0.0, 9.0, 0.9, none, ~none)
    swept = [device.Run(None, None, {"flux": one}, {}) for one in (bright, seen)]
    run = device.Run(None, None, {}, {"flux": np.array([3.0, 1.0, 2.0])})
    found = held.with_offset(run, tuple(swept), "flux").lights["flux"]
    assert found.values.tolist() == [1.5, -0.5, 0.5] and found.lit.tolist() == [True, False, True]
    assert (found.noise, found.relative, found.offset, found.offset_error) == (0.1, 0.02, 1.5, 0.05)
    assert held.with_offset(run, (swept[0],), "flux") is None
