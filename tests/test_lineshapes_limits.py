"""Which points a reading of a band counts, by its gradients, and where fits and starts change their
ways; closed forms of profiles and of their sums."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from peled.lineshapes import (
    SHAPES,
    BandModel,
    Parameter,
    estimate_variance,
    fit_series,
    measures,
    moments,
    starts,
)
from peled.lineshapes import fit as fitting
from peled.lineshapes.result import SeriesFit

X = np.arange(540.0, 721.0)


def gaussian(x, centre, fwhm):
    return np.exp(-4 * np.log(2) * ((x - centre) / fwhm) ** 2)


# ---- moments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("relative, share, top, flank", [
    (0.0019, 0.6, 6, 5), (0.0021, 0.4, 6, 5), (0.0139, 0.4, 6, 5), (0.0141, 0.4, 4, 3),
])  # fmt: skip
def test_a_top_is_read_over_as_much_of_a_band_as_its_noise_asks_for(relative, share, top, flank):
    """Relative: of a mean over the points above half, of the maximum. What it is read with are the
    least squares that reproduce a polynomial of the degree."""
    x = np.linspace(540.0, 720.0, 721)
    y = gaussian(x, 630.2, 34.0)
    calm, at = starts.calm_and_top(y)
    above = int(np.sum(calm > 0.5 * calm[at]))
    noise = np.full(x.size, above * (relative * calm[at]) ** 2)
    (peak, width), height, (in_peak, _), _ = measures._peak_and_width(x, y, noise)
    counted = np.flatnonzero(in_peak)
    expected = np.flatnonzero(calm > share * calm[at])
    assert (counted[0], counted[-1]) == (expected[0], expected[-1])
    # A gradient by a polynomial over these points: it gives nothing to higher ones.
    t = np.polynomial.legendre.legvander(np.linspace(-1, 1, counted.size), top + 2).T
    basis = np.linalg.qr(t.T)[0]
    left = basis.T @ in_peak[counted]
    assert np.abs(left[top + 1 :]).max() < 1e-6 * np.abs(left).max() < np.abs(left[: top + 1]).max()
    assert (measures._degrees(relative)) == (share, top, flank)
    assert (peak, height, width) == pytest.approx((630.2, 1.0, 34.0), rel=3e-3)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("degree", [3, 5])
def test_a_flank_is_read_from_four_fifths_to_a_fifth_of_the_height(side, degree):
    y = gaussian(X, 630.0, 44.0)
    at, slopes = measures._crossing(X, y, y, 90, side, 1.0, np.zeros(X.size), degree)
    used = y[np.flatnonzero(slopes)]
    inner, outer = used.max(), used.min()
    beyond = np.sort(y)
    assert inner >= 0.8 > beyond[np.searchsorted(beyond, inner) - 2]
    assert outer <= 0.2 < beyond[np.searchsorted(beyond, outer) + 2]
    flank = np.flatnonzero(slopes)
    t = (X[flank] - X[flank].mean()) / 30
    curve = np.polynomial.Polynomial.fit(t, y[flank] - 0.5, degree)
    roots = curve.roots()
    roots = roots[np.abs(roots.imag) < 1e-9].real * 30 + X[flank].mean()
    assert at == pytest.approx(roots[np.argmin(np.abs(roots - at))], abs=1e-6)
    assert at == pytest.approx(630 + side * 22, abs=0.1)


@pytest.mark.parametrize("rise, stops", [(0.09, False), (0.11, True)])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_flank_ends_where_a_neighbour_rises_by_a_tenth_of_the_height(rise, stops, side):
    y = gaussian(X, 630.0, 44.0)
    foot = 90 + side * 28  # at a third of the height
    beyond = np.arange(X.size) > foot if side > 0 else np.arange(X.size) < foot
    y[beyond] = np.maximum(y[beyond], 0.0) + rise + (y[foot] - y[foot + side])
    _, slopes = measures._crossing(X, y, y, 90, side, 1.0, np.zeros(X.size), 5)
    used = np.flatnonzero(slopes)
    assert ((used * side).max() == foot * side) == stops


@pytest.mark.parametrize("slope, few", [(0.09, False), (0.12, True)])
def test_a_flank_of_fewer_than_eight_points_is_a_straight_line_through_two(slope, few):
    x = np.arange(41.0)
    y = np.maximum(1 - slope * np.abs(x - 20.0), 0.0)
    at, slopes = measures._crossing(x, y, y, 20, 1, 1.0, np.zeros(41), 5)
    assert at == pytest.approx(20 + 0.5 / slope)
    assert np.count_nonzero(slopes) == (2 if few else 8)


@pytest.mark.parametrize("foot, counted", [(0.16, True), (0.14, False)])
def test_a_line_of_few_points_is_read_above_a_seventh_of_its_height(foot, counted):
    y = np.array([0.0, foot, 0.45, 0.9, 1.0, 0.9, 0.45, foot, 0.0])
    (_, width), height, (in_peak, in_width) = measures._sharp_line(np.arange(9.0), y, 4)
    assert (in_width[1] != 0) == counted and (in_width[7] != 0) == counted
    assert height == pytest.approx(1.0, rel=0.1) and width == pytest.approx(3.9, rel=0.05)
    assert in_peak == pytest.approx(-in_peak[::-1], abs=1e-9)
    assert in_width == pytest.approx(in_width[::-1], abs=1e-9)


@pytest.mark.parametrize("points", [4, 5, 6, 7])
def test_the_logarithm_of_a_line_is_a_parabola_or_of_fourth_degree_from_six_points_on(points):
    """A quartic exponent is read exactly by six points, and not by five."""
    x = np.arange(float(points))
    middle, half = (points - 1) / 2 + 0.1, (points - 1) / 2
    t = (x - middle) / half
    y = np.exp(-1.2 * t**2 - 0.3 * t**4)
    peak, width = measures._sharp_line(x, y, int(np.argmax(y)))[0]
    root = math.sqrt((-1.2 + math.sqrt(1.44 + 1.2 * math.log(2))) / 0.6)
    exact = points >= 6
    assert (abs(peak - middle) < 1e-9) == exact
    assert (abs(width - 2 * half * root) < 1e-9) == exact and width > half
    peak, width = measures._sharp_line(x, np.exp(-1.2 * t**2), int(np.argmax(y)))[0]
    assert peak == pytest.approx(middle)
    assert width == pytest.approx(2 * half * math.sqrt(math.log(2) / 1.2))


@pytest.mark.parametrize("inside, read", [(0.45, True), (0.55, False)])
def test_half_a_line_lies_no_further_out_than_half_its_points_reach(inside, read):
    """Points over a half-range of 2; the half maximum `inside` of a half-range beyond the last."""
    x = np.arange(5.0)
    edge = 2 * (1 + inside)
    y = np.exp(-math.log(2) * ((x - 2) / edge) ** 2)
    found = measures._sharp_line(x, y, 2)
    assert (found is not None) == read
    if read:
        assert found[0][1] == pytest.approx(2 * edge)


@pytest.mark.parametrize("points, logarithm", [(8, True), (9, False)])
def test_lines_of_fewer_than_nine_points_above_half_are_read_by_logarithm(points, logarithm):
    """Exact then for a Gaussian; the half maxima are a polynomial's otherwise."""
    x = np.arange(120.0)
    y = gaussian(x, 60.0 + 0.5 * (points % 2 == 0), points + 0.001)
    found = moments(x, y, 1e-10)
    assert (abs(found.fwhm - points - 0.001) < 1e-9) == logarithm
    assert found.fwhm == pytest.approx(points, rel=0.01)


@given(st.integers(0, 30), st.floats(0.1, 10), st.floats(-300, 300), st.booleans(),
       st.sampled_from([2.0, 5.0, 12.0, 40.0]))  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_readings_of_a_noisy_band_are_the_same_in_other_units_and_reversed(
    seed, stretch, shift, turned, width
):
    rng = np.random.default_rng(seed)
    y = gaussian(X, 630.0 + rng.uniform(), width) + 0.01 * rng.standard_normal(X.size)
    side = -1 if turned else 1
    one = moments(X, y, 1e-4)
    other = moments(stretch * side * X[::side] + shift, 7 * y[::side], 49e-4)
    for name in ("centroid", "peak"):
        found = side * (getattr(other, name) - shift) / stretch
        assert found == pytest.approx(getattr(one, name), rel=1e-6, nan_ok=True)
    for name in ("fwhm", "centroid_se", "peak_se", "fwhm_se"):
        expected = stretch * getattr(one, name)
        assert getattr(other, name) == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert other.height == pytest.approx(7 * one.height)


@pytest.mark.parametrize("place, seen", [(0.96, True), (1.04, False), (1.4, False)])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_maximum_beyond_the_points_of_a_top_has_no_place(place, seen, side):
    """Its height is that of the polynomial where the largest point is."""
    x = 3 * np.linspace(-1, 1, 20) + 50
    y = 5 - ((x - 50) / 3 - side * place) ** 2
    near = 50 + 3 * side
    peak, height, in_peak, in_height = measures._maximum(x, y, near, 4)
    if seen:
        assert peak == pytest.approx(50 + 3 * side * place) and height == pytest.approx(5)
    else:
        assert np.isnan(peak) and height == pytest.approx(5 - (1 - place) ** 2)
    assert in_peak.any() == seen and in_height @ y == pytest.approx(height)


# ---- noise and starts ----------------------------------------------------------------------------


def test_noise_of_digitised_spectra_is_their_mean_square_and_needs_eight_points():
    y = np.zeros(4000)
    y[::100] = 1.0
    assert estimate_variance(y) == pytest.approx(0.01, rel=0.05)
    assert estimate_variance(np.zeros(8)) == 0
    with pytest.raises(ValueError, match="at least 8 points"):
        estimate_variance(np.zeros(7))


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_a_run_is_unbroken_and_as_long_as_it_gets(values, data):
    condition = np.array(values)
    at = data.draw(st.integers(0, len(values) - 1))
    condition[at] = True
    low, high = starts.run(condition, at)
    assert low <= at < high and condition[low:high].all()
    assert low == 0 or not condition[low - 1]
    assert high == len(condition) or not condition[high]


@pytest.mark.parametrize("points", [15, 16, 30])
def test_a_band_without_noise_is_smoothed_over_an_eighth_of_its_half_width(points):
    x = np.arange(200.0)
    y = np.maximum(1 - np.abs(x - 100) / points, 0.0)  # above half: `points` less one
    above = int(np.sum(y > 0.5))
    calm, top = starts.calm_and_top(y)
    assert top == 100
    assert calm == pytest.approx(y if above < 16 else starts.smooth(y, max(above // 8, 1)))


@pytest.mark.parametrize("noise, width", [(0.03, 1), (0.05, 3), (0.078, 3), (0.09, 7)])
def test_noise_is_smoothed_until_four_percent_of_the_maximum_are_left(noise, width):
    """√(2/3w) of white noise is left by a running mean of w points, twice."""
    x = np.arange(300.0)
    y = gaussian(x, 150.0, 12.0)
    # a pattern whose third differences are all of one size, as white noise has them in the median
    wave = noise * np.tile([1.0, -1.0], 150) * math.sqrt(20) / 8 * 0.6744897501960817
    calm, _ = starts.calm_and_top(y + wave)
    assert calm == pytest.approx(starts.smooth(y + wave, width))


@pytest.mark.parametrize("degree", [0, 1])
def test_the_line_under_a_band_starts_at_the_medians_of_its_ends(degree):
    x = np.linspace(0.0, 100.0, 201)
    y = 3.0 + 0.05 * x + 40 * gaussian(x, 50.0, 8.0)
    y[1], y[-2] = 90.0, -90.0  # single readings do not count
    model = BandModel({"a": "gaussian"}, baseline=degree)
    found = dict(zip(model.free, starts.guess(model, x[None], y[None])[0]))
    at_ends = np.median(y[:10]), np.median(y[-10:])
    base = min(at_ends) if degree == 0 else np.mean(at_ends)
    assert found["base_0"] == pytest.approx(base, abs=1e-9)


def test_a_flat_spectrum_starts_with_a_band_of_its_own_and_a_stated_value_is_taken():
    model = BandModel({"a": "pseudo_voigt"}, baseline=0,
                      parameters={"a_fwhm": Parameter(value=7.0)})  # fmt: skip
    (found,) = starts.guess(model, X[None], np.full((1, X.size), 5.0))
    start = dict(zip(model.free, found))
    assert start["a_fwhm"] == 7.0 and start["base_0"] == 5.0
    assert np.isfinite(found).all() and start["a_fraction"] == 0.5


@pytest.mark.parametrize("gauss, lorentz", [(7.0, 0.0), (0.0, 7.0), (5.0, 5.0), (3.0, 9.0)])
def test_the_width_of_a_voigt_profile_is_known_to_three_in_ten_thousand(gauss, lorentz):
    fine = np.linspace(-20, 20, 400_001)
    y = special.voigt_profile(fine, gauss / math.sqrt(8 * math.log(2)), lorentz / 2)
    width = np.ptp(fine[y > y.max() / 2])
    assert SHAPES["voigt"].fwhm(gauss, lorentz) == pytest.approx(width, rel=3e-4)


# ---- models and results --------------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(0.2, 3), st.floats(0.2, 3), st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_components_sum_to_the_spectrum_and_scale_with_its_axis(centre, one, other, unit):
    x = np.linspace(-5, 5, 41)
    model = BandModel({"a": "voigt", "b": "split_gaussian"}, baseline=2, origin=0.5)
    values = np.array([2.0, centre, one, other, 3.0, -centre, other, one, 0.4, 0.3, -0.02])
    parts = model.components(x, values)
    assert sum(parts.values()) == pytest.approx(model.evaluate(x, values))
    assert parts["baseline"] == pytest.approx(0.4 + 0.3 * (x - 0.5) - 0.02 * (x - 0.5) ** 2)
    table = model.evaluate(x, np.stack([values, 2 * values]))
    assert table.shape == (2, 41) and table[0] == pytest.approx(sum(parts.values()))
    wide = BandModel(dict(model.bands), baseline=2, origin=0.5 * unit)
    powers = [unit, unit, unit, unit] * 2 + [1, 1 / unit, 1 / unit**2]
    assert wide.evaluate(unit * x, values * powers) == pytest.approx(sum(parts.values()), rel=1e-6)


@pytest.mark.parametrize("shape, widths", [
    ("voigt", (20.0, 12.0)), ("exponential_gaussian", (22.0, -11.0)),
    ("split_gaussian", (24.0, 36.0)),
])  # fmt: skip
def test_bands_of_a_fit_have_the_height_position_and_width_of_their_curve(shape, widths):
    model = BandModel({"a": shape})
    p = 2 + len(widths)
    values = np.array([[50.0, 3.0, *widths]])
    one = np.ones(1)
    fit = SeriesFit(model, values, 1e-6 * np.eye(p)[None], one, one, one > 0,
                    np.zeros((1, p), bool), one < 0, one)  # fmt: skip
    fine = np.linspace(-150, 150, 60_001)
    y = model.evaluate(fine, values[0])
    above = fine[y > y.max() / 2]
    found = fit.band("a")
    assert found["position"][0][0] == pytest.approx(fine[np.argmax(y)], abs=0.01)
    assert found["height"][0][0] == pytest.approx(y.max(), rel=1e-5)
    assert found["fwhm"][0][0] == pytest.approx(np.ptp(above), abs=0.02)
    assert found["height"][1][0] > found["height"][0][0] / 50 * 1e-3 * 0.9  # by the area alone
    assert fit.evaluate(list(fine[::9])) == pytest.approx(y[None, ::9])
    value, error = fit.derived(lambda v: 3 * v[:, 0] - v[:, 1] * v[:, 2])
    slopes = np.zeros(p)
    slopes[:3] = 3, -widths[0], -3
    assert value[0] == 150 - 3 * widths[0]
    assert error[0] == pytest.approx(1e-3 * np.linalg.norm(slopes), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_steps_of_a_descent_are_those_of_marquardt(seed):
    """In the scale of the curvature; held parameters stay; the decrement is the gain foreseen."""
    rng = np.random.default_rng(seed)
    j = rng.normal(size=(2, 9, 4)) * [1.0, 1e3, 1e-3, 1.0]
    curvature, gradient = j.transpose(0, 2, 1) @ j, rng.normal(size=(2, 4)) * [1, 1e3, 1e-3, 1]
    frozen = np.zeros((2, 4), bool)
    frozen[1, 2] = True
    damping = np.array([0.3, 1e-3])
    step, decrement = fitting._solve(curvature.copy(), gradient, frozen, damping)
    for k in range(2):
        free = ~frozen[k]
        a = curvature[k][np.ix_(free, free)]
        a = a + damping[k] * np.diag(np.diag(a))
        expected = -np.linalg.solve(a, gradient[k, free])
        assert step[k, free] == pytest.approx(expected) and not step[k, ~free].any()
        assert decrement[k] == pytest.approx(-gradient[k, free] @ expected)
    flat = fitting._solve(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.zeros((1, 2), bool), np.ones(1))
    assert not flat[0].any()


@pytest.mark.parametrize("small, degenerate", [(3e-13, True), (3e-12, False)])
def test_what_data_cannot_tell_apart_is_degenerate(small, degenerate):
    vectors = np.linalg.qr(np.array([[1.0, 1.0], [1.0, -1.0]]))[0]
    curvature = vectors @ np.diag([2.0, 2 * small]) @ vectors.T
    scale = np.array([1e3, 1e-4])
    inverse, told = fitting._safe_inverse((curvature * np.outer(scale, scale))[None])
    assert told[0] == degenerate and np.isfinite(inverse).all()
    plain, told = fitting._safe_inverse(np.array([[[4.0, 1.0], [1.0, 9.0]]]))
    assert plain[0] == pytest.approx(np.linalg.inv([[4.0, 1.0], [1.0, 9.0]])) and not told[0]
    assert fitting._safe_inverse(np.diag([1.0, 1e-300])[None])[1][0]


@pytest.mark.parametrize("theta, gradient, held", [
    (0.0, 1.0, True), (0.0, -1.0, False), (5.0, -1.0, True), (5.0, 1.0, False), (2.0, 1.0, False),
])  # fmt: skip
def test_a_parameter_is_held_where_it_pushes_against_its_bound(theta, gradient, held):
    found = fitting._pushed(np.array([theta]), np.array([gradient]), np.zeros(1), np.full(1, 5.0))
    assert found[0] == held


@pytest.mark.parametrize("shape", ["gaussian", "voigt"])
def test_areas_and_baseline_start_at_their_linear_optimum(shape):
    """With places and widths at the truth nothing is left to do."""
    model = BandModel({"a": shape, "b": "gaussian"}, baseline=1, origin=630.0)
    widths = (20.0,) if shape == "gaussian" else (15.0, 8.0)
    truth = np.array([[900.0, 622.0, *widths, 300.0, 668.0, 26.0, 2.0, 0.02]] * 2)
    truth[1, 0], truth[1, -1] = -100.0, 0.0
    y = model.evaluate(X, truth)
    theta = truth.copy()
    theta[:, model.linear] = 1.0
    problem, theta = fitting._prepare(X, y, model, theta, None)
    found, (cost, *_) = fitting._solve_linear(problem, theta, None)
    assert found == pytest.approx(truth, rel=1e-6, abs=1e-6)
    assert cost == pytest.approx(0, abs=1e-8)


def test_natural_limits_hold_whatever_else_is_asked():
    asked = {"a_fraction": Parameter(0.4, lower=-3.0, upper=0.7), "a_fwhm": Parameter(lower=-5.0)}
    wide = BandModel({"a": "pseudo_voigt"}, baseline=0)
    narrow = BandModel({"a": "pseudo_voigt"}, baseline=0, parameters=asked)
    for model, top in ((wide, 1.0), (narrow, 0.7)):
        limits = dict(zip(model.free, zip(model.lower, model.upper)))
        assert limits["a_fraction"] == (0.0, top) and limits["a_fwhm"] == (0.0, np.inf)
        assert limits["a_area"] == limits["base_0"] == (-np.inf, np.inf)


def test_widths_are_kept_off_zero_by_a_thousandth_of_a_point():
    model = BandModel({"a": "voigt", "b": "split_gaussian"}, baseline=0)
    problem, _ = fitting._prepare(X, np.ones(X.size), model, None, None)
    floor = dict(zip(model.free, problem.lower))
    for name in ("a_fwhm_gauss", "b_fwhm_low", "b_fwhm_high"):
        assert floor[name] == pytest.approx(1e-3 * 180 / 181)
    assert floor["a_fwhm_lorentz"] == 0.0  # a Gaussian is a Voigt profile too
    assert floor["a_centre"] == floor["base_0"] == -np.inf


def test_a_series_starts_at_the_optimum_of_its_mean_where_that_is_no_worse():
    """Bands keep their order in spectra that would start the other way round."""
    model = BandModel({"a": "gaussian", "b": "gaussian"})
    area = np.array([[900.0, 500.0], [900.0, 500.0], [500.0, 600.0]])
    truth = np.stack([[a, 610.0, 24.0, b, 660.0, 24.0] for a, b in area])
    fit = fit_series(X, model.evaluate(X, truth), model)
    assert fit.values == pytest.approx(truth, rel=1e-5) and fit.converged.all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_weighted_fits_scale_with_their_errors(scale):
    rng = np.random.default_rng(3)
    model = BandModel({"a": "gaussian"}, baseline=0)
    y = model.evaluate(X, np.array([900.0, 622.0, 24.0, 3.0])) + rng.normal(0, 0.3, X.size)
    plain = fit_series(X, y, model, variance=0.09)
    other = fit_series(X, scale * y, model, variance=0.09 * scale**2)
    factor = np.array([scale, 1.0, 1.0, scale])
    assert other.values[0] / factor == pytest.approx(plain.values[0], rel=1e-6)
    assert other.standard_errors[0] / factor == pytest.approx(plain.standard_errors[0], rel=1e-5)
    assert other.chi2[0] == pytest.approx(plain.chi2[0], rel=1e-8) and other.dof[0] == 177
    own = fit_series(X, y, model)
    assert own.covariance[0] == pytest.approx(
        plain.covariance[0] / 0.09 * own.chi2[0] / own.dof[0], rel=1e-4
    )


def test_hints_of_lmfit_are_the_models_own():
    pytest.importorskip("lmfit")
    from peled.lineshapes import to_lmfit

    model = BandModel(
        {"a": "gaussian", "b": "gaussian"},
        parameters={
            "b_centre": Parameter(tie={"a_centre": 2.0}, offset=-3.0),
            "a_fwhm": Parameter(9.0, fixed=True),
            "b_fwhm": Parameter(5.0, lower=1.0, upper=8.0),
        },
    )
    made = to_lmfit(model, {"a_centre": 4.0}).make_params()
    assert made["b_centre"].value == pytest.approx(5.0) and made["a_area"].value == 1.0
    assert not made["a_fwhm"].vary and made["a_fwhm"].value == 9.0
    assert (made["b_fwhm"].min, made["b_fwhm"].max) == (1.0, 8.0)
