"""Line shapes: every derivative, the optimum against lmfit's, coverage of every error, and honest
refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate

from peled import lineshapes
from peled.lineshapes import (
    BandModel,
    Parameter,
    fit_series,
    measures,
    moments,
    starts,
    to_energy,
    to_wavelength,
)
from peled.lineshapes import fit as fitting
from peled.lineshapes.result import _profile_summary

X = np.linspace(540.0, 720.0, 241)
SETS = 1000  # of each coverage test: the share inside 95 % intervals is then known to 0.7 %

WIDTHS = {
    "gaussian": (30.0,),
    "lorentzian": (20.0,),
    "pseudo_voigt": (25.0, 0.4),
    "voigt": (20.0, 12.0),
    "exponential_gaussian": (22.0, -11.0),
    "split_gaussian": (24.0, 36.0),
}


def inside(values, errors, truth):
    """Share of 95 % intervals that contain the truth."""
    return np.mean(np.abs(np.asarray(values) - truth) < 1.959964 * np.asarray(errors))


def assert_covers(values, errors, truth):
    share = inside(values, errors, truth)
    assert 0.93 <= share <= 0.97, f"{share:.3f} of the 95 % intervals contain {truth}"


# --- profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", lineshapes.SHAPES)
def test_profiles_have_unit_area(shape):
    values, _ = lineshapes.SHAPES[shape].function(
        np.linspace(-40000, 40000, 2_000_001)[None],
        *(np.array([[v]]) for v in (3.0, *WIDTHS[shape])),
    )
    assert integrate.trapezoid(values[0], dx=0.04) == pytest.approx(
        1, abs=3e-4
    )  # the rest is in the Lorentzian's wings


@pytest.mark.parametrize(
    "shape,widths",
    [
        *WIDTHS.items(),
        ("exponential_gaussian", (22.0, 0.0)),
        ("exponential_gaussian", (22.0, 0.05)),
        ("exponential_gaussian", (8.0, 60.0)),
        ("voigt", (0.02, 15.0)),
        ("voigt", (20.0, 0.0)),
    ],
)
def test_jacobian_is_the_derivative(shape, widths):
    model = BandModel({"a": shape}, baseline=2, origin=630.0)
    values = np.array([50.0, 626.3, *widths, 0.3, 0.01, 1e-4])
    analytic = model.jacobian(X, values)
    for k in range(len(values)):
        h = 1e-5 * max(abs(values[k]), 0.3)
        move = np.zeros_like(values)
        move[k] = h
        numeric = (model.evaluate(X, values + move) - model.evaluate(X, values - move)) / (2 * h)
        kink = (np.abs(X - 626.3) < 1) if shape == "split_gaussian" else np.zeros(len(X), bool)
        np.testing.assert_allclose(
            analytic[k][~kink], numeric[~kink], atol=2e-6 * np.abs(numeric).max() + 1e-12
        )


@pytest.mark.parametrize("shape", lineshapes.SHAPES)
def test_rough_widths_are_those_at_half_maximum(shape):
    fine = np.linspace(-150, 150, 30_001)
    y = BandModel({"a": shape}).evaluate(fine, np.array([1.0, 0.0, *WIDTHS[shape]]))
    above = fine[y > y.max() / 2]
    rough = lineshapes.SHAPES[shape].fwhm(*WIDTHS[shape])
    assert rough == pytest.approx(above[-1] - above[0], rel=0.03)


def test_voigt_limits_and_convolution():
    x = np.linspace(-60, 60, 1201)[None]
    c, wide, narrow = np.zeros((1, 1)), np.full((1, 1), 9.0), np.full((1, 1), 1e-3)
    shapes = {name: shape.function for name, shape in lineshapes.SHAPES.items()}
    np.testing.assert_allclose(
        shapes["voigt"](x, c, wide, 0 * narrow)[0], shapes["gaussian"](x, c, wide)[0], rtol=1e-12
    )
    np.testing.assert_allclose(
        shapes["voigt"](x, c, narrow, wide)[0], shapes["lorentzian"](x, c, wide)[0], rtol=1e-5
    )
    gauss = shapes["gaussian"](x, c, wide)[0][0]
    far = np.linspace(-3000, 3000, 60001)
    sharp = shapes["lorentzian"](far[None], c, wide)[0][0]
    convolved = [
        np.trapezoid(shapes["gaussian"](t - far[None], c, wide)[0][0] * sharp, far)
        for t in (0.0, 5.0, 20.0)
    ]
    np.testing.assert_allclose(
        shapes["voigt"](np.array([[0.0, 5.0, 20.0]]), c, wide, wide)[0][0], convolved, rtol=1e-9
    )
    assert gauss.max() == pytest.approx(2 * np.sqrt(np.log(2) / np.pi) / 9)


def test_exponential_gaussian_mean_and_variance():
    x = np.linspace(-100, 700, 80001)
    y = BandModel({"a": "exponential_gaussian"}).evaluate(x, np.array([1.0, 10.0, 12.0, 15.0]))
    mean = np.trapezoid(x * y, x)
    assert mean == pytest.approx(25.0, rel=1e-6)
    assert np.trapezoid((x - mean) ** 2 * y, x) == pytest.approx(
        (12 / 2.3548200450309493) ** 2 + 15**2, rel=1e-6
    )


# --- fits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", lineshapes.SHAPES)
def test_exact_data_are_recovered_from_the_data_alone(shape):
    model = BandModel({"a": shape}, baseline=1, origin=630.0)
    truth = np.array(
        [[900.0, 622.0, *WIDTHS[shape], 1.5, 0.02], [400.0, 640.0, *WIDTHS[shape], 0.5, -0.01]]
    )
    fit = fit_series(X, model.evaluate(X, truth), model)
    assert fit.converged.all()
    np.testing.assert_allclose(fit.values, truth, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "shape", ["gaussian", "lorentzian", "voigt", "exponential_gaussian", "split_gaussian"]
)
def test_same_optimum_and_errors_as_lmfit(shape):
    rng = np.random.default_rng(11)
    model = BandModel({"a": shape, "b": "gaussian"}, baseline=0)
    truth = np.array([900.0, 622.0, *WIDTHS[shape], 250.0, 668.0, 26.0, 1.0])
    sigma = 0.4
    y = model.evaluate(X, truth) + rng.normal(0, sigma, len(X))
    ours = fit_series(X, y, model, variance=sigma**2)
    theirs = lineshapes.to_lmfit(model, dict(zip(model.names, truth))).fit(
        y,
        x=X,
        weights=np.full(len(X), 1 / sigma),
        scale_covar=False,
        fit_kws={"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13},
    )
    assert ours.ok.all()
    best = np.array([theirs.params[name].value for name in model.names])
    np.testing.assert_allclose((ours.values[0] - best) / ours.standard_errors[0], 0, atol=1e-3)
    np.testing.assert_allclose(
        ours.standard_errors[0], [theirs.params[name].stderr for name in model.names], rtol=2e-2
    )
    assert ours.chi2[0] == pytest.approx(theirs.chisqr, rel=1e-9)


def test_ties_bounds_and_fixed_values_agree_with_lmfit():
    rng = np.random.default_rng(3)
    ties = {
        "b_centre": Parameter(tie={"a_centre": 1.0}, offset=30.0),
        "b_fwhm": Parameter(tie={"a_fwhm": 1.0}),
        "b_area": Parameter(tie={"a_area": 2 / 3}),
        "base_0": Parameter(1.0, fixed=True),
        "a_fwhm": Parameter(20.0, upper=40.0),
    }
    model = BandModel({"a": "gaussian", "b": "gaussian"}, baseline=1, parameters=ties, origin=630.0)
    truth = {"a_area": 600.0, "a_centre": 610.0, "a_fwhm": 24.0, "base_1": 0.002}
    y = model.evaluate(X, truth) + rng.normal(0, 0.3, len(X))
    fit = fit_series(X, y, model, {"a_centre": 612.0}, variance=0.09)
    theirs = lineshapes.to_lmfit(model, truth).fit(
        y, x=X, weights=np.full(len(X), 1 / 0.3), scale_covar=False
    )
    for name in model.names:
        error = max(fit.error(name)[0], 1e-9)
        assert abs(fit.value(name)[0] - theirs.params[name].value) < 2e-3 * error
    assert fit.error("base_0")[0] == 0
    assert fit.error("b_area")[0] == pytest.approx(2 / 3 * fit.error("a_area")[0])
    assert fit.value("b_centre")[0] - fit.value("a_centre")[0] == pytest.approx(30.0)


def test_extra_parameter_links_many_lines():
    """Sidebands at multiples of one spacing that is fitted itself."""
    rng = np.random.default_rng(8)
    bands = {f"s{k}": "lorentzian" for k in range(3)}
    links = {f"s{k}_centre": Parameter(tie={"first": 1.0, "spacing": float(k)}) for k in range(3)}
    model = BandModel(
        bands, parameters={**links, "first": Parameter(580.0), "spacing": Parameter(38.0)}
    )
    start = {name: 8.0 for name in model.free if name.endswith("fwhm")}
    y = model.evaluate(
        X,
        {
            **{f"s{k}_area": 300.0 for k in range(3)},
            **{f"s{k}_fwhm": 7.0 for k in range(3)},
            "first": 582.0,
            "spacing": 40.0,
        },
    ) + rng.normal(0, 0.5, len(X))
    fit = fit_series(X, y, model, start, variance=0.25)
    assert fit.ok.all()
    value, error = fit["spacing"]
    assert abs(value[0] - 40.0) < 4 * error[0] < 1.0


def test_parameter_at_its_bound_is_named():
    model = BandModel({"a": "gaussian"}, parameters={"a_fwhm": Parameter(22.0, upper=25.0)})
    fit = fit_series(
        X, BandModel({"a": "gaussian"}).evaluate(X, np.array([900.0, 630.0, 32.0])), model
    )
    assert fit.converged[0]
    assert dict(zip(fit.names, fit.at_bound[0])) == {
        "a_area": False,
        "a_centre": False,
        "a_fwhm": True,
    }
    assert fit.value("a_fwhm")[0] == pytest.approx(25.0)
    assert np.isnan(fit.error("a_fwhm")[0]) and np.isfinite(fit.error("a_centre")[0])
    assert not fit.ok[0]


def test_indistinguishable_parameters_are_called_degenerate():
    model = BandModel({"a": "gaussian", "b": "gaussian"})
    y = BandModel({"a": "gaussian"}).evaluate(X, np.array([900.0, 630.0, 32.0]))
    same = {
        "a_area": 450.0,
        "b_area": 450.0,
        "a_centre": 630.0,
        "b_centre": 630.0,
        "a_fwhm": 32.0,
        "b_fwhm": 32.0,
    }
    fit = fit_series(X, y, model, same, variance=1.0)
    assert fit.degenerate[0] and not fit.ok[0]


def test_a_fit_cut_short_is_not_called_converged():
    rng = np.random.default_rng(1)
    model = BandModel({"a": "voigt"}, baseline=1)
    y = model.evaluate(X, np.array([900.0, 630.0, 20.0, 12.0, 3.0, 0.0])) + rng.normal(
        0, 0.1, len(X)
    )
    start = {"a_centre": 600.0, "a_fwhm_gauss": 60.0, "a_fwhm_lorentz": 60.0}
    assert not fit_series(X, y, model, start, max_iterations=2).converged[0]
    assert fit_series(X, y, model, start).converged[0]


@pytest.mark.parametrize("variance", [2.25, None])
def test_coverage_of_fitted_bands(variance):
    rng = np.random.default_rng(variance is None)
    model = BandModel({"a": "gaussian"}, baseline=0)
    truth = np.array([500.0, 627.0, 32.0, 2.0])
    y = model.evaluate(X, truth)
    fit = fit_series(X, y + rng.normal(0, 1.5, (SETS, len(X))), model, variance=variance)
    assert fit.converged.all()
    for k, name in enumerate(model.names):
        assert_covers(*fit[name], truth[k])
    for what, true in (
        ("position", 627.0),
        ("fwhm", 32.0),
        ("height", 500.0 / 32.0 * 2 * np.sqrt(np.log(2) / np.pi)),
    ):
        assert_covers(*fit.band("a")[what], true)


def test_coverage_of_asymmetric_bands_and_their_ratio():
    rng = np.random.default_rng(21)
    model = BandModel({"main": "exponential_gaussian", "side": "gaussian"})
    truth = np.array([900.0, 615.0, 24.0, 9.0, 250.0, 672.0, 34.0])
    y = model.evaluate(X, truth)
    fit = fit_series(X, y + rng.normal(0, 0.35, (SETS, len(X))), model, truth, variance=0.35**2)
    assert fit.converged.mean() > 0.999
    fine = np.linspace(560, 680, 240_001)
    main = model.components(fine, truth)["main"]
    above = fine[main > main.max() / 2]
    assert_covers(*fit.band("main")["fwhm"], above[-1] - above[0])
    assert_covers(*fit.band("main")["position"], fine[main.argmax()])
    assert_covers(*fit.ratio("side"), 250 / 1150)


def test_shared_parameters_have_one_value_and_covered_errors():
    rng = np.random.default_rng(4)
    model = BandModel({"a": "gaussian"}, baseline=0)
    shared_width, centres, errors = [], [], []
    for _ in range(200):
        truth = np.column_stack(
            [
                rng.uniform(300, 600, 6),
                rng.normal(627, 2, 6),
                np.full(6, 32.0),
                rng.uniform(0, 2, 6),
            ]
        )
        fit = fit_series(
            X[::4],
            model.evaluate(X[::4], truth) + rng.normal(0, 1.0, (6, 61)),
            model,
            {"a_fwhm": 30.0},
            variance=1.0,
            shared=["a_fwhm"],
        )
        assert fit.converged.all() and np.ptp(fit.value("a_fwhm")) == 0
        shared_width.append((fit.value("a_fwhm")[0] - 32.0, fit.error("a_fwhm")[0]))
        centres.append(fit.value("a_area") - truth[:, 0])
        errors.append(fit.error("a_area"))
    pull = np.array(shared_width)[:, 0] / np.array(shared_width)[:, 1]
    assert 0.91 <= np.mean(np.abs(pull) < 1.96) <= 0.99  # 200 sets: +-1.5 %
    assert_covers(np.concatenate(centres), np.concatenate(errors), 0.0)


def test_shared_fit_equals_one_large_least_squares():
    from scipy.optimize import least_squares

    rng = np.random.default_rng(9)
    model = BandModel({"a": "gaussian"})
    truth = np.array([[300.0, 620.0, 30.0], [500.0, 630.0, 30.0]])
    y = model.evaluate(X, truth) + rng.normal(0, 0.5, (2, len(X)))
    fit = fit_series(X, y, model, truth, variance=0.25, shared=["a_fwhm"])

    def residual(p):
        return (
            (model.evaluate(X, np.array([[p[0], p[1], p[4]], [p[2], p[3], p[4]]])) - y) / 0.5
        ).ravel()

    other = least_squares(
        residual, [300, 620, 500, 630, 30], xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale="jac"
    )
    covariance = np.linalg.inv(other.jac.T @ other.jac)
    np.testing.assert_allclose(fit.values.ravel()[[0, 1, 3, 4, 2]], other.x, rtol=1e-7)
    np.testing.assert_allclose(
        fit.standard_errors.ravel()[[0, 1, 3, 4, 2]], np.sqrt(np.diag(covariance)), rtol=1e-4
    )
    assert fit.covariance[0][0, 2] == pytest.approx(covariance[0, 4], rel=1e-4)
    assert np.sum(fit.dof) == pytest.approx(2 * len(X) - 5)


def test_each_spectrum_is_fitted_as_if_alone():
    rng = np.random.default_rng(6)
    model = BandModel({"a": "gaussian", "b": "gaussian"}, baseline=0)
    truth = np.column_stack(
        [
            rng.uniform(300, 600, 30),
            rng.normal(615, 3, 30),
            rng.normal(28, 1, 30),
            rng.uniform(100, 200, 30),
            rng.normal(670, 3, 30),
            rng.normal(35, 2, 30),
            np.ones(30),
        ]
    )
    y = model.evaluate(X, truth) + rng.normal(0, 0.3, (30, len(X)))
    together = fit_series(X, y, model, variance=0.09)
    for k in (0, 7, 29):
        alone = fit_series(X, y[k], model, variance=0.09)
        np.testing.assert_allclose(
            alone.values[0] - together.values[k], 0, atol=2e-3 * together.standard_errors[k].max()
        )
    order = rng.permutation(30)
    np.testing.assert_allclose(
        fit_series(X, y[order], model, variance=0.09).values, together.values[order], rtol=1e-5
    )


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-9, 1e9),
    shift=st.floats(-1e4, 1e4),
    stretch=st.floats(1e-3, 1e3),
    seed=st.integers(0, 99),
)
def test_fits_do_not_depend_on_units(scale, shift, stretch, seed):
    """Other units of intensity and axis give the same fit in those units."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-40, 40, 121)
    model = BandModel({"a": "gaussian"}, baseline=0)
    truth = np.array(
        [rng.uniform(50, 200), rng.uniform(-15, 15), rng.uniform(8, 25), rng.uniform(0, 1)]
    )
    y = model.evaluate(x, truth) + rng.normal(0, 0.1, len(x))
    one, other = fit_series(x, y, model), fit_series(shift + stretch * x, scale * y, model)
    assert one.converged[0] and other.converged[0]
    back = (other.values[0] - np.array([0, shift, 0, 0])) / np.array(
        [scale * stretch, stretch, stretch, scale]
    )
    np.testing.assert_allclose(
        back, one.values[0], atol=2e-3 * one.standard_errors[0].max() + 1e-9 * abs(shift) / stretch
    )


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"Y": np.zeros((2, 5))}, "shapes"),
        ({"Y": np.full(241, np.nan)}, "spectrum 0, point 0: expected finite"),
        ({"variance": 0.0}, "variance: spectrum 0, point 0: expected positive"),
        ({"variance": np.ones(7)}, "variance: expected a number or shape"),
        ({"shared": ["a_colour"]}, "shared: expected free parameters"),
        ({"start": {"a_colour": 1.0}}, "start: expected names"),
        ({"x": X[:4], "Y": np.ones(4)}, "more than 4 points"),
        ({"start": np.ones(3)}, "start: expected shape"),
        ({"x": np.full(241, 3.0)}, "one value repeated"),
    ],
)
def test_fit_refuses_what_it_cannot_use(arguments, words):
    call = {
        "x": X,
        "Y": np.ones(241),
        "model": BandModel({"a": "gaussian"}, baseline=0),
    } | arguments
    with pytest.raises(ValueError, match=words):
        fit_series(**call)


@pytest.mark.parametrize(
    "arguments,words",
    [
        (({"a": "square"},), "expected a shape of gaussian"),
        (({"1a": "gaussian"},), "expected a name"),
        (({"a": "gaussian"}, 20), "baseline: expected a degree"),
        (
            ({"a": "gaussian"}, None, {"a_fwhm": Parameter(fixed=True)}),
            "fixed, so expected a value",
        ),
        (({"a": "gaussian"}, None, {"b_fwhm": Parameter()}), "belongs to no band"),
        (
            ({"a": "gaussian"}, None, {"a_fwhm": Parameter(tie={"b_fwhm": 1.0})}),
            "not a parameter of the model",
        ),
        (({"a": "gaussian"}, None, {"a_fwhm": Parameter(9.0, upper=5.0)}), "expected a value from"),
        (({"a": "gaussian"}, None, {"a_fwhm": Parameter(lower=9.0, upper=5.0)}), "lower < upper"),
    ],
)
def test_model_refuses_what_makes_no_sense(arguments, words):
    with pytest.raises(ValueError, match=words):
        BandModel(*arguments)


# --- axis, spikes, baselines ----------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(centre=st.floats(450, 800), width=st.floats(5, 60))
def test_energy_axis_keeps_the_area(centre, width):
    wavelength = np.linspace(300, 1100, 4001)
    signal = np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    energy = to_energy(wavelength, signal)
    assert (np.diff(energy.energy_eV) > 0).all()
    assert np.trapezoid(energy.signal, energy.energy_eV) == pytest.approx(
        np.trapezoid(signal, wavelength), rel=2e-3
    )
    back = to_wavelength(*energy[:2])
    np.testing.assert_allclose(back[1], signal, rtol=1e-9, atol=1e-300)


def test_energy_axis_scales_the_variance_by_the_square():
    wavelength = np.array([500.0, 400.0, 600.0])
    energy = to_energy(
        wavelength, np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]), np.array([4.0, 1.0, 9.0])
    )
    jacobian = np.array([600.0, 500.0, 400.0]) ** 2 / lineshapes.HC_EV_NM
    np.testing.assert_allclose(
        energy.energy_eV, lineshapes.HC_EV_NM / np.array([600.0, 500.0, 400.0])
    )
    np.testing.assert_allclose(energy.signal[0], jacobian * [3.0, 1.0, 2.0])
    np.testing.assert_allclose(energy.variance[1], jacobian**2 * [9.0, 4.0, 1.0])
    # signal over its error is the same per nm and per eV
    np.testing.assert_allclose(energy.signal[0] / np.sqrt(energy.variance[0]), [1.0, 0.5, 2.0])


@pytest.mark.parametrize(
    "wavelength,signal,words",
    [
        ([500.0, 500.0, 600.0], [1, 2, 3], "distinct"),
        ([0.0, 500.0, 600.0], [1, 2, 3], "positive wavelengths"),
        ([np.nan, 500.0, 600.0], [1, 2, 3], "point 0: expected finite"),
        ([400.0, 500.0, 600.0], [1, 2], "expected shape"),
        ([400.0, 500.0, 600.0], [1, np.inf, 3], "point 1: expected finite"),
        ([400.0], [1.0], "at least 2"),
    ],
)
def test_energy_axis_refuses(wavelength, signal, words):
    with pytest.raises(ValueError, match=words):
        to_energy(wavelength, signal)


# --- moments --------------------------------------------------------------------------------------


def truth_of(model, values, x, window=None):
    """Moments of the exact curve: sums as the analysis defines them on `x`, shape from a fine
    grid."""
    fine = np.linspace(x[0], x[-1], 400_001)
    y, yf = model.evaluate(x, values), model.evaluate(fine, values)
    use = np.ones(len(x), bool) if window is None else (x >= window[0]) & (x <= window[1])
    area = np.trapezoid(y[use], x[use])
    above = fine[yf > yf.max() / 2]
    return {
        "area": area,
        "centroid": np.trapezoid((x * y)[use], x[use]) / area,
        "peak": fine[yf.argmax()],
        "fwhm": above[-1] - above[0],
    }


@pytest.mark.parametrize(
    "shape,centre,widths,height",
    [
        ("gaussian", 627.3, (32.0,), 300.0),
        ("gaussian", 627.3, (32.0,), 150.0),
        ("gaussian", 627.3, (32.0,), 1e5),
        ("exponential_gaussian", 620.0, (28.0, 10.0), 300.0),
        ("exponential_gaussian", 620.0, (28.0, 10.0), 1e4),
        ("gaussian", 640.0, (4.0,), 300.0),
    ],
)
def test_coverage_of_moments_of_counts(shape, centre, widths, height):
    rng = np.random.default_rng(13)
    model = BandModel({"a": shape})
    values = np.array([height * widths[0], centre, *widths])
    x = X[np.abs(X - centre) <= 4 * widths[0]]
    counts = rng.poisson(model.evaluate(x, values) + 15, (1500, len(x)))
    found = moments(x, counts - 15.0, np.maximum(counts, 1))
    for name, true in truth_of(model, values, x).items():
        assert_covers(getattr(found, name), getattr(found, f"{name}_se"), true)


def test_coverage_of_moments_with_unknown_noise():
    rng = np.random.default_rng(14)
    x = np.linspace(480, 800, 481)
    model = BandModel({"a": "gaussian", "b": "gaussian"})
    values, window = np.array([2000.0, 620.0, 35.0, 500.0, 665.0, 40.0]), (540.0, 740.0)
    y = model.evaluate(x, values) + rng.normal(0, 1.5, (1500, len(x)))
    found = moments(x, y, window=window)
    for name, true in truth_of(model, values, x, window).items():
        assert_covers(getattr(found, name), getattr(found, f"{name}_se"), true)


@pytest.mark.parametrize("noise,loss", [(0.08, 3.4), (0.15, 2.2)])
def test_moments_of_dim_lines_cover_and_lose_little(noise, loss):
    """Beside a fit of the true shape, which no reading without one can beat."""
    line = BandModel({"a": "gaussian"})
    y = line.evaluate(X, np.array([40.0, 627.3, 35.0]))
    sets = y + noise * y.max() * np.random.default_rng(3).normal(size=(400, len(X)))
    found = moments(X, sets, (noise * y.max()) ** 2)
    best = fit_series(X, sets, line, {"a_centre": 627.3, "a_fwhm": 35.0, "a_area": 40.0})
    for name, true, in_fit in (("peak", 627.3, "centre"), ("fwhm", 35.0, "fwhm")):
        values, errors = getattr(found, name), getattr(found, f"{name}_se")
        assert 0.9 <= np.mean(np.abs(values - true) < 1.96 * errors) <= 0.98, name
        assert np.median(errors) < loss * np.median(best.error(f"a_{in_fit}")), name


@pytest.mark.parametrize("width", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("centre", [100.0, 100.3])
def test_a_line_of_few_points_on_empty_ground_is_read_exactly(width, centre):
    x = np.arange(80.0, 121.0)
    y = np.exp(-4 * np.log(2) * ((x - centre) / width) ** 2)
    found = moments(x, np.where(y < 0.02, 0.0, y), 1e-6)
    assert found.peak == pytest.approx(centre, abs=1e-3 * width)
    assert found.fwhm == pytest.approx(width, rel=1e-3)


def test_moments_know_what_each_point_does_to_them():
    rng = np.random.default_rng(15)
    model = BandModel({"a": "gaussian"})
    y = model.evaluate(X, np.array([9000.0, 627.0, 32.0]))
    found = moments(X, y + rng.normal(0, 3.0, (1500, len(X))), 9.0)
    names = ("area", "centroid", "peak", "fwhm")
    scatter = np.corrcoef([getattr(found, name) for name in names])
    stated = (found.gradient @ found.gradient.transpose(0, 2, 1)).mean(axis=0)
    stated /= np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
    np.testing.assert_allclose(scatter, stated, atol=0.1)


@pytest.mark.parametrize(
    "centre,width,noise",
    [(627.0, 32.0, 1e-4), (627.0, 32.0, 0.1), (627.3, 7.0, 1e-4), (627.3, 3.0, 1e-4),
     (627.2, 2.0, 1e-4), (545.0, 60.0, 1e-4)],
)  # fmt: skip
def test_gradients_of_moments_are_their_differences(centre, width, noise):
    """Bands of many points, of few (whose weights are held), and one with no width inside."""
    y = np.exp(-4 * np.log(2) * ((X - centre) / width) ** 2)
    y = y + 0.02 * np.exp(-np.abs(X - centre - 0.2 * width) / width)
    h, moved = 1e-6, np.flatnonzero(y > 0.1)
    steps = h * np.eye(len(X))[moved]
    found, up, down = (moments(X, np.atleast_2d(y + s), noise**2) for s in (0, steps, -steps))
    for k, name in enumerate(("area", "centroid", "peak", "fwhm")):
        slopes = (getattr(up, name) - getattr(down, name)) / (2 * h)
        if np.isnan(getattr(found, name)[0]):
            assert not found.gradient[0, k].any()
            continue
        stated = found.gradient[0, k, moved]
        assert stated == pytest.approx(slopes, rel=5e-3, abs=5e-3 * np.abs(slopes).max())
        error = noise * np.linalg.norm(found.gradient[0, k])
        missed = getattr(found, f"{name}_read_off", [0.0])[0]
        assert getattr(found, f"{name}_se")[0] == pytest.approx(np.hypot(error, missed))


@pytest.mark.parametrize("noise", [1e-8, 1e-5, 1e-3])
@pytest.mark.parametrize("width", [4.0, 8.0, 28.0, 80.0])
@pytest.mark.parametrize("shape", ["gaussian", "lorentzian", "sech"])
def test_what_polynomials_miss_of_a_shape_is_in_the_errors(shape, width, noise):
    """In next to no noise nothing but the reading is wrong."""
    t = 2 * (X - 627.3) / width
    y = {"gaussian": 2.0**-(t**2), "lorentzian": 1 / (1 + t**2),
         "sech": 1 / np.cosh(np.arccosh(2) * t)}[shape]  # fmt: skip
    rng = np.random.default_rng(2)
    found = moments(X, y + noise * rng.standard_normal((40, len(X))), noise**2)
    for name, true in (("peak", 627.3), ("fwhm", width)):
        off = np.sqrt(np.mean((getattr(found, name) - true) ** 2))
        assert 0.4 < np.sqrt(np.mean(getattr(found, f"{name}_se") ** 2)) / off < 2.5, name


@pytest.mark.parametrize("points,degree", [(20, 6), (15, 6), (14, 4), (9, 4), (8, 2)])
def test_a_top_is_a_polynomial_that_its_points_carry(points, degree):
    x = np.linspace(-1, 1, points)
    y = 1 - (x - 0.2) ** 2 + 0.05 * np.random.default_rng(6).standard_normal(points)
    peak, height, _, in_height = measures._maximum(x, y, 0.0, 6)
    curve = np.polynomial.Polynomial.fit(x, y, degree)
    assert height == pytest.approx(curve(peak)) and height == pytest.approx(in_height @ y)
    tops = [r.real for r in curve.deriv().roots() if abs(r.imag) < 1e-9 and abs(r) <= 1
            and curve.deriv(2)(r.real) < 0]  # fmt: skip
    assert peak == pytest.approx(max(tops, key=curve), abs=1e-6)


@pytest.mark.parametrize("stretch", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("centre", [1.2, 1.6, 2.1, 4.0])
def test_lines_at_the_end_of_an_axis_are_read_alike_in_all_units(centre, stretch):
    x = np.arange(20.0)
    y = np.exp(-4 * np.log(2) * ((x - centre) / 3.6) ** 2)
    one, other = moments(x, y, 1e-8), moments(stretch * x, y, 1e-8)
    for name in ("peak", "peak_se", "fwhm", "fwhm_se"):
        expected = stretch * getattr(one, name)
        assert getattr(other, name) == pytest.approx(expected, rel=1e-6, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(
    centre=st.floats(600, 660),
    width=st.floats(15, 50),
    scale=st.floats(1e-6, 1e9),
    shift=st.floats(-500, 500),
)
def test_moments_move_with_the_axis_and_not_with_the_scale(centre, width, scale, shift):
    y = BandModel({"a": "gaussian"}).evaluate(X, np.array([1000.0, centre, width]))
    one, other = moments(X, y, 1e-4), moments((X + shift)[::-1], scale * y[::-1], 1e-4 * scale**2)
    assert other.peak - shift == pytest.approx(one.peak, abs=1e-6)
    assert other.centroid - shift == pytest.approx(one.centroid, abs=1e-6)
    assert other.fwhm == pytest.approx(one.fwhm, rel=1e-6)
    assert other.area == pytest.approx(scale * one.area, rel=1e-9)
    assert other.fwhm_se == pytest.approx(one.fwhm_se, rel=1e-5)
    assert one.peak == pytest.approx(centre, abs=0.01 * width) and one.fwhm == pytest.approx(
        width, rel=0.01
    )


def test_half_maximum_outside_the_window_gives_no_width():
    y = BandModel({"a": "gaussian"}).evaluate(X, np.array([1000.0, 545.0, 60.0]))
    found = moments(X, y, 1e-6)
    assert np.isnan(found.fwhm) and np.isnan(found.fwhm_se) and np.isfinite(found.peak)
    rising = moments(X, np.exp((X - X[-1]) / 60.0), 1e-6)
    assert np.isnan(rising.peak) and np.isnan(rising.peak_se) and np.isfinite(rising.area)


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"y": -np.ones(241)}, "positive area"),
        ({"window": (1.0, 2.0)}, "at least 5 points"),
        ({"y": np.ones(7)}, "expected shape"),
        ({"variance": -1.0}, "not negative"),
        ({"x": np.full(241, 2.0)}, "distinct"),
    ],
)
def test_moments_refuse(arguments, words):
    call = {"x": X, "y": np.ones(241), "variance": 1.0} | arguments
    with pytest.raises(ValueError, match=words):
        moments(**call)


# --- odd data -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from(sorted(lineshapes.SHAPES)),
    bands=st.integers(1, 2),
)
@example(7012, "pseudo_voigt", 2)  # a band has run away until nothing of it is left
def test_whatever_the_data_the_answer_is_finite(seed, shape, bands):
    rng = np.random.default_rng(seed)
    kinds = [
        np.zeros(241),
        np.full(241, 5.0),
        100.0 * np.eye(241)[90],
        rng.normal(0, 1, 241),
        X - 540,
        1e-12 * rng.random(241),
        1.0 * (np.abs(X - 630) < 20),
    ]
    y = kinds[seed % len(kinds)]
    model = BandModel({f"b{k}": shape for k in range(bands)}, baseline=0)
    fit = fit_series(X, y, model, max_iterations=30)
    assert (
        np.isfinite(fit.values).all()
        and np.isfinite(fit.chi2).all()
        and np.isfinite(fit.covariance).all()
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_spectra_of_one_shape_have_the_normal_equations_of_any(weighted):
    """Areas and baseline differ, the bands do not, one of them is tied: one set of columns gives
    what each spectrum's own derivatives give."""
    model = BandModel(
        {"a": "gaussian", "b": "pseudo_voigt"},
        baseline=1,
        origin=650.0,
        parameters={"b_fwhm": Parameter(tie={"a_fwhm": 1.2})},
    )
    rng = np.random.default_rng(3)
    y = rng.poisson(20, (5, X.size)).astype(float)
    theta = np.tile([500.0, 620.0, 30.0, 300.0, 660.0, 0.4, 20.0, 0.01], (5, 1))
    theta[:, model.linear] *= rng.uniform(0.5, 2, (5, model.linear.sum()))
    weights = rng.uniform(0.5, 2, y.shape) if weighted else None
    any_ = fitting._Problem(X[None], y, weights, model, model.lower, model.upper)
    one = replace(any_, one_shape=True)
    for here, there in zip(one.normal(theta, np.arange(5)), any_.normal(theta, np.arange(5))):
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-9 * np.abs(there).max())


@pytest.mark.parametrize("shape", lineshapes.SHAPES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_a_fit_starts_from_has_place_width_and_area_of_the_band(shape, sign):
    """A band on a sloping line, read off: its full width to a third, its area as the sign says."""
    widths = WIDTHS[shape]
    model = BandModel({"a": shape}, baseline=1, origin=630.0)
    wide = np.linspace(420, 840, 421)
    truth = np.array([sign * 900.0, 622.0, *widths, 2.0, 0.004])
    (found,) = starts.guess(model, wide[None], model.evaluate(wide, truth)[None])
    of = lineshapes.SHAPES[shape]
    (mode,), _, (fwhm,) = _profile_summary(of, truth[None, 1 : 2 + len(widths)])
    (_,), _, (guessed,) = _profile_summary(of, found[None, 1 : 2 + len(widths)])
    assert found[1] == pytest.approx(mode, abs=2) and guessed == pytest.approx(fwhm, rel=0.35)
    assert sign * found[0] == pytest.approx(900, rel=0.4)
    assert found[-2] == pytest.approx(2.0, abs=0.9)


@pytest.mark.parametrize("shape", lineshapes.SHAPES)
def test_what_a_fit_starts_from_is_the_same_in_other_units(shape):
    model = BandModel({"a": shape}, baseline=0)
    y = model.evaluate(X, np.array([900.0, 622.0, *WIDTHS[shape], 2.0]))
    one, other = (starts.guess(model, s * X[None], y[None])[0] for s in (1.0, 0.01))
    constant = [name in ("a_fraction", "base_0") for name in model.free]
    assert other == pytest.approx(one * np.where(constant, 1.0, 0.01))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_steeper_side_of_a_band_tells_its_width(side):
    model = BandModel({"a": "gaussian", "b": "gaussian"})
    truth = np.array([900.0, 630.0, 30.0, 600.0, 630.0 + 28.0 * side, 30.0])
    (found,) = starts.guess(model, X[None], model.evaluate(X, truth)[None])
    assert found[1] == pytest.approx(630, abs=4) and found[2] == pytest.approx(30, rel=0.2)


def test_bands_are_peeled_off_from_the_strongest_to_the_weakest():
    model = BandModel({"a": "gaussian", "b": "gaussian", "c": "gaussian"}, baseline=0)
    x = np.linspace(500, 800, 301)
    truth = np.array([300.0, 700.0, 20.0, 900.0, 560.0, 20.0, 100.0, 640.0, 20.0, 5.0])
    (found,) = starts.guess(model, x[None], model.evaluate(x, truth)[None])
    by_name = dict(zip(model.free, found))
    assert [by_name[f"{n}_centre"] for n in "abc"] == pytest.approx([560, 700, 640], abs=2)
    assert [by_name[f"{n}_fwhm"] for n in "abc"] == pytest.approx([20] * 3, rel=0.1)
    assert [by_name[f"{n}_area"] for n in "abc"] == pytest.approx([900, 300, 100], rel=0.1)
    assert by_name["base_0"] == pytest.approx(5, abs=0.1)
    stated = BandModel(
        {"a": "gaussian", "b": "gaussian"},
        baseline=0,
        parameters={"b_centre": Parameter(value=560.0)},
    )
    (found,) = starts.guess(stated, x[None], model.evaluate(x, truth)[None])
    assert dict(zip(stated.free, found))["a_centre"] == pytest.approx(700, abs=2)


def test_smoothing_of_a_spectrum_leaves_lines_and_calms_noise():
    """About an eighth of the band; what is as narrow as its points stays; noise below 4 %."""
    rng, x = np.random.default_rng(51), np.arange(600.0)
    line = np.exp(-0.5 * ((x - 300) / 2.0) ** 2)
    calm, top = starts.calm_and_top(line)
    assert top == 300 and calm == pytest.approx(line)
    broad = np.exp(-0.5 * ((x - 300) / 60.0) ** 2)
    calm, top = starts.calm_and_top(broad)
    width = 2.3548 * 60 // 8
    expected = starts.smooth(broad, width)
    assert calm == pytest.approx(expected, abs=2e-3) and abs(top - 300) <= 1
    assert np.abs(calm - broad).max() > 1e-3
    tops = []
    for _ in range(20):
        calm, top = starts.calm_and_top(broad + 0.3 * rng.standard_normal(x.size))
        tops.append(top)
        assert np.std(np.diff(calm)) < 0.02
    assert np.std(tops) < 20
    y = rng.standard_normal(40)
    assert starts.smooth(y, 4) == pytest.approx(starts.smooth(y, 5)) and starts.smooth(y, 1) is y
    box = np.convolve(np.pad(y, 2, mode="edge"), np.ones(5) / 5, "valid")
    assert starts.smooth(y, 5) == pytest.approx(
        np.convolve(np.pad(box, 2, mode="edge"), np.ones(5) / 5, "valid")
    )


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_steps_with_shared_parameters_are_those_of_the_whole_normal_matrix(damping):
    """Three spectra, two parameters each and one for all; the first spectrum holds one of its."""
    rng = np.random.default_rng(4)
    jacobians = rng.normal(size=(3, 8, 3))
    curvature, gradient = jacobians.transpose(0, 2, 1) @ jacobians, rng.normal(size=(3, 3))
    common = np.array([False, True, False])
    frozen = np.zeros((3, 3), bool)
    frozen[0, 2] = True
    whole, right = np.zeros((7, 7)), np.zeros(7)  # two of each spectrum, then the shared one
    for k in range(3):
        at = [2 * k, 6, 2 * k + 1]
        whole[np.ix_(at, at)] += curvature[k]
        right[at] += gradient[k]
    whole += damping * np.diag(np.diag(whole))
    moves = np.delete(np.arange(7), 1)
    expected = np.zeros(7)
    expected[moves] = -np.linalg.solve(whole[np.ix_(moves, moves)], right[moves])
    step, decrement, _ = fitting._arrow(curvature, gradient, common, frozen, damping)
    for k in range(3):
        assert step[k] == pytest.approx(expected[[2 * k, 6, 2 * k + 1]])
    assert decrement == pytest.approx(-right[moves] @ expected[moves])


def test_series_of_exact_data_and_of_noise_converge_in_a_few_steps():
    """From starts that are read off; a step too many is a slip in the descent."""
    rng = np.random.default_rng(52)
    model = BandModel({"a": "gaussian", "b": "gaussian"}, baseline=1, origin=630.0)
    start = {"a_centre": 622.0, "a_fwhm": 22.0, "b_centre": 668.0, "b_fwhm": 30.0}
    truth = np.array([[900.0, 620.0, 25.0, 300.0 + 9 * k, 665.0, 27.0, 2.0, 0.01]
                      for k in range(6)])  # fmt: skip
    clean = model.evaluate(X, truth)
    for y in (clean, clean + 0.1 * rng.standard_normal(clean.shape)):
        for shared in ((), ("a_fwhm", "b_centre")):
            fit = fit_series(X, y, model, start, shared=shared)
            assert fit.converged.all() and fit.iterations.max() <= 9, fit.iterations
    counts = rng.poisson(20 * clean)
    for shared in ((), ("a_fwhm", "b_centre")):
        fit = fit_series(X, counts, model, start, variance=20 * clean, shared=shared)
        assert fit.converged.all() and fit.iterations.max() <= 10, fit.iterations


def test_a_fit_that_is_only_compared_has_the_same_sum_of_squares():
    x, rng = np.linspace(-5, 5, 80), np.random.default_rng(3)
    model = BandModel({"a": "gaussian"}, baseline=0)
    y = 50 * np.exp(-(x**2)) + rng.normal(0, 1, (4, x.size)) + 3
    for shared in ((), ("a_centre", "a_fwhm")):
        full = fit_series(x, y, model, variance=1.0, shared=shared)
        bare = fit_series(x, y, model, variance=1.0, shared=shared, errors=False)
        assert bare.chi2 == pytest.approx(full.chi2, rel=1e-9)
        assert bare.dof == pytest.approx(full.dof) and np.array_equal(bare.values, full.values)
        assert np.isnan(bare.covariance).all() and not bare.at_bound.any()
