"""The global fit: closed forms, derivatives, known answers, invariances, coverage, flags, bad
input."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from peled.separable import SharedBlock
from peled.transient_absorption import (
    MeasuredIRF,
    Model,
    Scheme,
    band_amplitude,
    before_after,
    bootstrap,
    carriers_per_crystal,
    export,
    global_fit,
    lifetime_density,
    lmfit_parameters,
    matrix,
    number_of_components,
    preprocess,
    profile,
    shape_change,
)
from peled.transient_absorption import noise as noise_of_sets
from peled.transient_absorption.dispersed import NormalBlock
from peled.transient_absorption.irf import FWHM_PER_SIGMA, columns, gaussian, gaussian_decay
from peled.transient_absorption.matrices import bin_wavelengths
from peled.transient_absorption.preprocess import mask
from peled.transient_absorption.schemes import Relation, sequential

TAU, T0, FWHM = (0.4, 14.0, 280.0), 0.02, 0.12
DELAYS = np.unique(
    np.round(
        np.r_[np.arange(-1, -0.3, 0.2), np.arange(-0.3, 1.0, 0.04), np.geomspace(1, 800, 40)], 6
    )
)


def spectra(wavelength):
    def band(c, w):
        return np.exp(-0.5 * ((wavelength - c) / w) ** 2)

    return np.stack(
        [
            6 * band(655, 14) - 5 * band(615, 16),
            -4 * band(630, 17) + band(590, 25),
            -10 * band(638, 13) + 1.5 * band(600, 30),
        ]
    )


def convolved(x, tau, fwhm):
    """The decay through the response by plain quadrature on a grid: no formula shared with the
    package."""
    s = fwhm / 2.3548200450309493
    u = np.linspace(-6, 6, 4001)
    g = np.exp(-0.5 * u**2)
    g /= g.sum()
    shifted = x[:, None] - s * u
    return np.where(shifted >= 0, np.exp(-np.maximum(shifted, 0) / tau), 0.0) @ g


def clean(wavelength, tau=TAU, t0=T0, fwhm=FWHM, delays=DELAYS):
    return np.column_stack(
        [gaussian_decay(delays - t0, 1 / t, fwhm / FWHM_PER_SIGMA) for t in tau]
    ) @ spectra(wavelength)


def noisy(nw, sigma, seed, correlated=0.0, **kw):
    wavelength = np.linspace(550, 730, nw)
    rng = np.random.default_rng(seed)
    d = clean(wavelength, **kw)
    noise = rng.standard_normal(d.shape) * np.sqrt(1 - correlated)
    if correlated:
        k = np.exp(-0.5 * ((wavelength[:, None] - wavelength) / 25) ** 2)
        noise += (
            np.sqrt(correlated)
            * rng.standard_normal(d.shape)
            @ np.linalg.cholesky(k + 1e-9 * np.eye(nw)).T
        )
    return matrix(kw.get("delays", DELAYS), wavelength, d + sigma * noise, name="set")


MODEL = Model((0.2, 5.0, 500.0), t0_ps=0.04, fwhm_ps=0.15)


# ---- response ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau", "fwhm"), [(0.01, 0.1), (0.1, 0.1), (0.4, 0.1), (14.0, 0.3), (1e6, 0.1)]
)
def test_decay_is_the_convolution(tau, fwhm):
    s = fwhm / FWHM_PER_SIGMA
    for x in (-0.3, -0.05, 0.0, 0.07, 0.4, 3.0):
        low = max(0.0, x - 12 * s)
        high = max(low, x + 12 * s)
        expected = quad(
            lambda u, x=x: np.exp(-u / tau) * gaussian(x - u, s),
            low,
            high,
            points=[min(max(x, low), high)],
            epsabs=1e-14,
            limit=200,
        )[0]
        assert gaussian_decay(x, 1 / tau, s) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_popular_product_of_exponential_and_step_is_not_what_is_fitted():
    s = 0.1 / FWHM_PER_SIGMA
    x = np.array([0.0])
    product = np.exp(-x / 0.4) * 0.5
    assert abs(gaussian_decay(x, 2.5, s) / product - 1)[0] > 0.05


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(0, 1e6), st.floats(1e-4, 1e3))
def test_decay_never_overflows(x, k, s):
    with np.errstate(over="raise", invalid="raise"):
        y = gaussian_decay(x, k, s)
        many = gaussian_decay(np.full((80, 80), x), k, s)
    assert 0 <= y <= 1
    assert np.allclose(many, y, rtol=1e-13, atol=1e-300)  # below, digits are lost


def check_derivatives(x, rates, s, **options):
    _c, dk, dx, ds = columns(x, rates, s, **options)
    h = 1e-6
    n = len(rates)
    for i in range(n):
        up, down = (
            columns(x, rates + sign * h * rates[i] * np.eye(n)[i], s, derivatives=False, **options)[
                0
            ]
            for sign in (1, -1)
        )
        assert np.allclose(
            (up - down)[..., i] / (2 * h * rates[i]), dk[..., i], rtol=1e-5, atol=1e-7
        )
    up, down = (
        columns(x + sign * h, rates, s, derivatives=False, **options)[0] for sign in (1, -1)
    )
    assert np.allclose((up - down) / (2 * h), dx, rtol=1e-5, atol=1e-6)
    if s is not None and ds is not None:
        up, down = (
            columns(x, rates, s * np.exp(sign * h), derivatives=False, **options)[0]
            for sign in (1, -1)
        )
        assert np.allclose((up - down) / (2 * h), ds, rtol=1e-5, atol=1e-7)


def test_analytic_derivatives():
    x, rates = np.linspace(-0.4, 5, 61) + 0.003, np.array([8.0, 1.0, 0.01])
    check_derivatives(x, rates, 0.05, infinite=True, offset=True, artefact=4)
    check_derivatives(x, rates, 0.05, period=13.0)
    t = np.linspace(-0.3, 0.5, 60)
    check_derivatives(
        x, rates, None, irf=MeasuredIRF(t, np.exp(-0.5 * (t / 0.06) ** 2) * (1 + 0.4 * t))
    )


def test_measured_response_equals_gaussian_and_conserves_area():
    t = np.linspace(-0.5, 0.5, 801)
    irf = MeasuredIRF(t + 0.0, 7.0 * gaussian(t, 0.06))
    x = np.linspace(-0.4, 4, 97)
    for k in (20.0, 2.0, 0.1, 1e-9):
        assert np.allclose(irf.decay(x, k)[0], gaussian_decay(x, k, 0.06), atol=2e-5)
    odd = MeasuredIRF(np.array([-0.1, 0.0, 0.05, 0.4]), np.array([0.0, 3.0, 1.0, 0.0]))
    x = np.linspace(-1, 30, 200001)
    assert np.trapezoid(odd.decay(x, 1.0)[0], x) == pytest.approx(
        1.0, rel=1e-4
    )  # area of the response times lifetime


def test_streak_period_sums_all_earlier_pulses():
    k, period, x = np.array([0.05]), 13.0, np.array([1.0, 3.0])
    c = columns(x, k, 0.05, period=period, derivatives=False)[0][:, 0]
    m = np.arange(1, 400)[:, None]
    # Forward sweeps every period; the backward sweep passes the same spot half a period after the
    # mirrored time.
    expected = (
        np.exp(-k * x)
        + np.exp(-k * (x + m * period)).sum(0)
        + np.exp(-k * (period / 2 - x + (m - 1) * period)).sum(0)
    )
    assert np.allclose(c, expected, rtol=1e-5)  # the response multiplies by exp(k²s²/2)


# ---- engine --------------------------------------------------------------------------------------


def gradient_check(fit_model, data, theta_shift=0.05, **options):
    fit = global_fit(data, fit_model, starts=0, max_evaluations=3, **options)
    problem = fit.setup.problem
    theta = fit.theta + theta_shift * np.random.default_rng(0).standard_normal(
        len(fit.theta)
    ) * np.minimum(1, np.sqrt(np.diag(fit.covariance_white)) * 20)
    now = problem.evaluate(theta)
    for i in range(len(theta)):
        h = 1e-5
        step = h * np.eye(len(theta))[i]
        numeric = (
            problem.evaluate(theta + step, derivatives=False).cost
            - problem.evaluate(theta - step, derivatives=False).cost
        ) / (2 * h)
        assert 2 * now.gradient[i] == pytest.approx(numeric, rel=2e-4, abs=1e-6 * now.cost)
    assert np.all(np.linalg.eigvalsh(now.hessian) > 0)


def test_gradient_of_every_kind_of_fit():
    data = noisy(12, 0.05, 1)
    gradient_check(MODEL, data)
    gradient_check(replace(MODEL, artefact=3, infinite=True, offset=True), data)
    gradient_check(replace(MODEL, dispersion=(0.1, 0.05), artefact=2), data)
    scheme = Scheme(
        {("a", "b"): "ab", ("b", "c"): "bc", ("b", None): "b", ("c", None): "c"},
        {"ab": 0.3, "bc": 9.0, "b": 20.0, "c": 300.0},
        {"a": 1.0},
    )
    gradient_check(replace(MODEL, lifetimes_ps=(), scheme=scheme, fixed=("tau_b",)), data)
    gradient_check(
        replace(MODEL, lifetimes_ps=(), scheme=scheme, fixed=("tau_b",), dispersion=(0.1,)), data
    )
    gradient_check(MODEL, [data, replace(noisy(12, 0.05, 2), name="other")], shared_spectra=True)


def test_compression_is_exact():
    data = noisy(300, 0.05, 3)
    fit = global_fit(data, MODEL)
    block = fit.setup.problem.blocks[0]
    compressed = block.evaluate(fit.setup.expand(fit.theta)[0]).cost
    assert compressed == pytest.approx(float(np.sum(fit.residual() ** 2)), rel=1e-10)
    block.exact()
    assert block.evaluate(fit.setup.expand(fit.theta)[0]).cost == pytest.approx(
        compressed, rel=1e-10
    )


@pytest.mark.parametrize("sigma", [0.03, 0.01, 0.003])
def test_no_step_is_judged_by_digits_that_rounding_has_lost(sigma):
    """The cost is a difference of large sums: steps that promise less than their last digits were
    tried again and again."""
    start = Model((0.2, 5.0, 500.0), t0_ps=0.0, fwhm_ps=0.15)
    for seed in range(6):
        fit = global_fit(noisy(200, sigma, seed), start, starts=0)
        assert fit.converged and fit.minimum.evaluations <= 6
        block = fit.setup.problem.blocks[0]
        block.exact()
        now = fit.setup.problem.evaluate(fit.theta)
        step = np.linalg.solve(now.hessian, now.gradient)
        error = np.sqrt(np.diag(fit.covariance))
        assert (np.abs(step) < 1e-4 * error).all() and now.cost == pytest.approx(fit.ssr, rel=1e-8)


def test_noise_free_data_are_recovered_to_many_digits():
    wavelength = np.linspace(550, 730, 120)
    fit = global_fit(matrix(DELAYS, wavelength, clean(wavelength)), MODEL)
    assert np.allclose(fit.lifetimes_ps, TAU, rtol=1e-7)
    assert fit.value("t0") == pytest.approx(T0, abs=1e-8) and fit.value("fwhm") == pytest.approx(
        FWHM, rel=1e-7
    )
    assert np.allclose(fit.dads().values, spectra(wavelength), atol=1e-5)


def test_fit_of_data_convolved_by_quadrature():
    wavelength = np.linspace(550, 730, 30)
    d = np.column_stack([convolved(DELAYS - T0, t, FWHM) for t in TAU]) @ spectra(wavelength)
    fit = global_fit(matrix(DELAYS, wavelength, d), MODEL)
    assert np.allclose(fit.lifetimes_ps, TAU, rtol=1e-3)


def test_known_answer_simulated_sets(samples):
    z = np.load(samples / "tas" / "glot_sim3d.npz")
    fit = global_fit(
        matrix(z["t"], np.arange(153) + 400.0, np.concatenate([z["Da"], z["Db"], z["Dc"]], 1)),
        Model((0.3, 3.0, 30.0), t0_ps=0.3, fwhm_ps=0.2),
    )
    assert fit.ssr == pytest.approx(838.7457896967, rel=1e-10)
    assert np.allclose(
        fit.lifetimes_ps, [0.50075, 2.00159, 20.0045], rtol=0, atol=[4e-5, 9e-5, 1.2e-4]
    )
    assert np.allclose(
        np.sqrt(np.diag(fit.covariance_white))[:3] * fit.lifetimes_ps,
        [0.00039, 0.00093, 0.0012],
        rtol=0.04,
    )
    linked = global_fit(
        [matrix(z["t"], np.arange(51) + 400.0, z[k], name=k) for k in ("Da", "Db", "Dc")],
        Model((0.3, 3.0, 30.0), t0_ps=0.3, fwhm_ps=0.2),
        link=("tau", "t0", "fwhm"),
    )
    assert linked.ssr == pytest.approx(fit.ssr, rel=1e-10)


def test_known_answer_fixed_lifetime_and_artefact(samples):
    z = np.load(samples / "tas" / "skultrafast_disp_corrected.npz")
    fit = global_fit(
        matrix(z["t"], z["wl"], z["D"]),
        Model((1.0, 20.0, 1000.0), fixed=("tau_3",), artefact=3, fwhm_ps=0.2),
    )
    assert fit.ssr == pytest.approx(92080.060, rel=1e-7)
    assert np.allclose(fit.lifetimes_ps[:2], [1.4677, 32.506], rtol=0, atol=[6e-4, 0.044])
    assert fit.value("fwhm") == pytest.approx(0.24770, abs=1e-5)
    assert fit["tau_3"].standard_error is None


def test_known_answer_chirp_and_artefact(samples):
    from peled.formats.tas import read_tas

    r = read_tas(samples / "tas" / "rc_dcm_raw.ascii")
    m = preprocess.crop(
        matrix(r.delay_ps, r.wavelength_nm, r.signal * 1000), wavelength_nm=(430, 850)
    )
    m = preprocess.subtract_background(m, 0.6).take(wavelengths=slice(None, None, 2))
    fit = global_fit(
        m,
        Model(
            (0.129, 0.634, 6.63, 1749.0),
            artefact=3,
            t0_ps=1.21,
            fwhm_ps=0.0505 * FWHM_PER_SIGMA,
            dispersion=(-0.84, -0.3545),
            reference_nm=550.0,
        ),
    )
    assert fit.ssr == pytest.approx(7057.620, rel=1e-7)
    assert np.allclose(
        fit.lifetimes_ps, [0.25004, 4.1556, 362.75, 2763], rtol=0, atol=[4e-4, 4e-3, 1.2, 6.5]
    )
    assert fit.value("fwhm") == pytest.approx(0.116457, abs=2e-6) and fit.value(
        "t0"
    ) == pytest.approx(1.21647, abs=1e-5)
    assert any("longer than the window" in f for f in fit.flags)


def test_random_starts_find_the_global_minimum():
    data = noisy(60, 0.1, 7)
    best = global_fit(data, Model(TAU, t0_ps=T0, fwhm_ps=FWHM), starts=0).ssr
    rng = np.random.default_rng(1)
    found = 0
    for i in range(100):
        tau = np.array(TAU) * 10 ** rng.uniform(-1, 1, 3)
        start = Model(
            tuple(tau),
            t0_ps=rng.uniform(-0.1, 0.1),
            fwhm_ps=10 ** rng.uniform(np.log10(0.03), np.log10(0.3)),
        )
        found += global_fit(data, start, starts=1, seed=i).ssr < best * (1 + 1e-9)
    assert found >= 99


# ---- invariances ---------------------------------------------------------------------------------


def test_invariances():
    data = noisy(40, 0.1, 4)
    fit = global_fit(data, MODEL)
    order = np.random.default_rng(0).permutation(40)
    mixed = global_fit(replace(data, signal=data.signal[:, order]), MODEL)
    scaled = global_fit(replace(data, signal=-1e-3 * data.signal), MODEL)
    shifted = global_fit(replace(data, delay_ps=data.delay_ps + 5.0), replace(MODEL, t0_ps=5.04))
    halves = [replace(data.take(wavelengths=slice(a, None, 2)), name=f"half{a}") for a in (0, 1)]
    linked = global_fit(halves, MODEL, link=("tau", "t0", "fwhm"))
    for other in (mixed, scaled, shifted, linked):
        assert np.allclose(other.lifetimes_ps, fit.lifetimes_ps, rtol=1e-6)
    assert mixed.ssr == pytest.approx(fit.ssr, rel=1e-10) and linked.ssr == pytest.approx(
        fit.ssr, rel=1e-10
    )
    assert scaled.ssr == pytest.approx(1e-6 * fit.ssr, rel=1e-10)
    assert shifted.value("t0") == pytest.approx(fit.value("t0") + 5, abs=1e-7)
    assert np.allclose(scaled.lifetime_errors(), fit.lifetime_errors(), rtol=1e-4)
    assert np.allclose(linked.covariance_white, fit.covariance_white, rtol=1e-3)


def test_weights_that_factorise_keep_the_compression_and_agree_with_weights_per_point():
    data = noisy(20, 0.1, 5)
    delay, wavelength = np.linspace(0.5, 2, len(DELAYS)), np.linspace(1, 3, 20)
    weighted = replace(data, standard_error=0.1 * delay[:, None] * wavelength)
    fit = global_fit(weighted, MODEL)
    assert isinstance(fit.setup.problem.blocks[0], SharedBlock)
    error = weighted.standard_error.copy()
    error[0, 0] *= 1 + 1e-9  # the product form is lost, the weights are not
    per_point = global_fit(replace(weighted, standard_error=error), MODEL)
    assert isinstance(per_point.setup.problem.blocks[0], NormalBlock)
    assert per_point.ssr == pytest.approx(fit.ssr, rel=1e-6)
    assert np.allclose(per_point.lifetimes_ps, fit.lifetimes_ps, rtol=1e-6)
    assert np.allclose(per_point.dads().values, fit.dads().values, rtol=1e-5, atol=1e-8)
    assert np.allclose(per_point.covariance, fit.covariance, rtol=1e-2, atol=1e-12)


def test_missing_points_do_not_count():
    data = noisy(20, 0.1, 5)
    signal = data.signal.copy()
    signal[10, 3], signal[30, 8] = 1e6, -1e6
    holes = replace(data, signal=np.where(np.abs(signal) > 1e5, np.nan, signal))
    fit, whole = global_fit(holes, MODEL), global_fit(data, MODEL)
    assert fit.size == whole.size - 2
    assert np.allclose(np.log(fit.lifetimes_ps), np.log(whole.lifetimes_ps), atol=0.02)


@pytest.mark.parametrize("fastest", [0.002, 0.03, 0.4])
def test_columns_of_a_chirped_set_are_those_of_each_wavelength(fastest):
    m = noisy(9, 0.1, 5)
    model = Model(
        (fastest, 14.0, 280.0),
        t0_ps=0.1,
        fwhm_ps=0.12,
        dispersion=(0.9, 0.4),
        reference_nm=640.0,
        infinite=True,
        offset=True,
        artefact=3,
    )
    segment = global_fit(m, model, starts=0, max_evaluations=2).setup.segments[0]
    u = np.log(np.array([fastest, 14.0, 280.0, np.e, 0.12, np.e, np.e]))
    u[3], u[5:] = 0.1, (0.9, 0.4)
    c, local = segment.dispersed(u, True)
    full = np.stack([local(np.tile(one[:, None], (9, 1, 1))) for one in np.eye(8)], axis=-1)
    rest = np.random.default_rng(0).normal(size=(9, len(DELAYS), 1))
    summed = np.einsum("wt,wtpn->wpn", rest[:, :, 0], full)
    assert local.against(rest) == pytest.approx(summed, rel=1e-9, abs=1e-9)
    for j, w in enumerate(m.wavelength_nm):
        xi = 1e3 / w - 1e3 / 640.0
        x = DELAYS - (0.1 + 0.9 * xi + 0.4 * xi**2)
        rates = 1 / np.array([fastest, 14.0, 280.0])
        e, dk, dx, ds = columns(
            x, rates, 0.12 / FWHM_PER_SIGMA, infinite=True, offset=True, artefact=3
        )
        assert np.allclose(c[j], e, rtol=1e-10, atol=1e-14)
        assert np.allclose(full[j, :, 1, 1], -dk[:, 1] * rates[1], rtol=1e-9, atol=1e-14)
        assert np.allclose(full[j, :, 3], -dx, rtol=1e-9, atol=1e-11) and np.allclose(
            full[j, :, 4], ds, rtol=1e-9, atol=1e-11
        )
        assert np.allclose(full[j, :, 6], -dx * xi**2, rtol=1e-9, atol=1e-11)


# ---- schemes and parameters ----------------------------------------------------------------------


def test_sequential_scheme_three_ways():
    rates = 1 / np.array(TAU)
    scheme = Scheme(
        {("1", "2"): "a", ("2", "3"): "b", ("3", None): "c"},
        dict(zip("abc", TAU, strict=True)),
        {"1": 1.0},
    )
    assert np.allclose(scheme.rates(np.array(TAU))[2], sequential(rates), rtol=1e-10)
    wavelength = np.linspace(550, 730, 40)
    states = np.stack([np.exp(-0.5 * ((wavelength - c) / 20) ** 2) for c in (600, 630, 660)])
    decays = np.column_stack([gaussian_decay(DELAYS - T0, k, FWHM / FWHM_PER_SIGMA) for k in rates])
    m = matrix(DELAYS, wavelength, decays @ sequential(rates) @ states)
    eads = global_fit(m, MODEL).eads()
    sads = global_fit(
        m,
        replace(
            MODEL,
            lifetimes_ps=(),
            scheme=replace(scheme, start_ps={"a": 0.2, "b": 5.0, "c": 500.0}),
        ),
    ).sads()
    assert np.allclose(eads.values, states, atol=1e-4) and np.allclose(
        sads.values, states, atol=1e-4
    )
    assert sads.names == ("1", "2", "3")


def test_branching_scheme_recovers_its_spectra_and_conserves_population():
    scheme = Scheme(
        {
            ("hot", "band"): "cool",
            ("hot", "trap"): "trap",
            ("band", None): "rad",
            ("trap", None): "slow",
        },
        {"cool": 0.5, "trap": 2.0, "rad": 30.0, "slow": 400.0},
        {"hot": 1.0},
    )
    tau = np.array([0.5, 2.0, 30.0, 400.0])
    k, _dk = scheme.matrix(tau)
    assert np.allclose(k.sum(0), [0, -1 / 30, -1 / 400])
    _values, derivatives, t = scheme.rates(tau)
    assert np.allclose(t.sum(0), [1, 0, 0])  # all population is hot at zero time
    h = 1e-6
    for i in range(4):
        up, down = (scheme.rates(tau * np.exp(s * h * np.eye(4)[i]))[0] for s in (1, -1))
        assert np.allclose((up - down) / (2 * h), derivatives[:, i], rtol=1e-5, atol=1e-10)


def test_scheme_refuses_what_is_no_sum_of_exponentials():
    with pytest.raises(ValueError, match="equal"):
        Scheme({("a", "b"): "t", ("b", None): "s"}, {"t": 1.0, "s": 1.0}, {"a": 1.0})
    with pytest.raises(ValueError, match="oscillating"):
        Scheme({("a", "b"): "x", ("b", "c"): "x", ("c", "a"): "x"}, {"x": 1.0}, {"a": 1.0})
    with pytest.raises(ValueError, match="start value"):
        Scheme({("a", None): "x"}, {}, {"a": 1.0})


def test_a_chain_of_equal_steps():
    """One name for both steps: the second state holds t/τ·exp(−t/τ)."""
    scheme = Scheme({("a", "b"): "t", ("b", None): "t"}, {"t": 20.0}, {"a": 1.0})
    t = np.linspace(0, 60, 50)
    k, _, weights = scheme.rates(np.array([5.0]))
    second = (np.exp(-np.outer(t, k)) @ weights)[:, 1]
    assert np.allclose(second, t / 5 * np.exp(-t / 5), atol=5e-4)
    wavelength = np.linspace(550, 730, 20)
    states = np.stack([np.exp(-0.5 * ((wavelength - c) / 20) ** 2) for c in (600, 660)])
    late = np.maximum(DELAYS, 0)
    pure = np.stack([np.exp(-late / 5), late / 5 * np.exp(-late / 5)], 1) * (DELAYS >= 0)[:, None]
    noise = 1e-3 * np.random.default_rng(0).standard_normal((len(DELAYS), 20))
    m = matrix(DELAYS, wavelength, pure @ states + noise)
    fit = global_fit(m, Model(scheme=scheme, irf=None, t0_ps=0.0))
    assert abs(fit["tau_t"].value - 5.0) < 4 * fit["tau_t"].standard_error + 2.5e-3
    assert fit.flags == () and np.abs(fit.sads().values - states).max() < 0.01


def test_relations_bounds_and_lmfit_parameters():
    data = noisy(30, 0.05, 6)
    parameters = lmfit_parameters(MODEL, data)
    parameters["tau_3"].set(expr="20*tau_2")
    parameters["fwhm"].set(value=FWHM, vary=False)
    fit = global_fit(data, MODEL, parameters=parameters)
    assert fit.value("tau_3") == pytest.approx(20 * fit.value("tau_2"), rel=1e-12)
    assert fit["tau_3"].standard_error == pytest.approx(20 * fit["tau_2"].standard_error, rel=1e-6)
    assert fit["fwhm"].standard_error is None
    bounded = global_fit(data, replace(MODEL, bounds_ps={"tau_2": (1.0, 8.0)}))
    assert bounded["tau_2"].at_bound and any("at bound: tau_2" in f for f in bounded.flags)
    assert bounded.value("tau_2") == pytest.approx(8.0)


def test_relation_is_arithmetic_only():
    value, slopes = Relation("exp(a)/b**2 - sqrt(4)").value({"a": 0.5, "b": 3.0})
    assert value == pytest.approx(np.exp(0.5) / 9 - 2)
    assert slopes["a"] == pytest.approx(np.exp(0.5) / 9) and slopes["b"] == pytest.approx(
        -2 * np.exp(0.5) / 27
    )
    for text in ("__import__('os')", "a if b else c", "open(a)", "a.b", "[a]"):
        with pytest.raises(ValueError, match="relation"):
            Relation(text)


def test_scheme_responses_and_their_derivatives():
    scheme = Scheme(
        {("a", "b"): "ab", ("b", "c"): "bc", ("b", None): "b", ("c", None): "c"},
        {"ab": 0.3, "bc": 9.0, "b": 20.0, "c": 300.0},
        {"a": 0.7, "b": 0.2},
    )
    tau, h = np.array([0.3, 9.0, 20.0, 300.0]), 1e-6
    each, moved = scheme.responses(tau)
    assert np.allclose(np.tensordot((0.7, 0.2, 0.0), each, 1), scheme.rates(tau)[2])
    assert np.allclose(each.sum(axis=1), np.eye(3))  # at zero time: what was populated
    for i in range(4):
        up, down = (scheme.responses(tau * np.exp(s * h * np.eye(4)[i]))[0] for s in (1, -1))
        assert np.allclose((up - down) / (2 * h), moved[i], rtol=1e-5, atol=1e-8)


def emission(seed, sigma=0.02):
    """A sequential emitter whose decay-associated spectra are partly negative, its species' spectra
    never."""
    wavelength = np.linspace(550, 730, 60)
    states = np.stack([np.exp(-0.5 * ((wavelength - c) / 14) ** 2) for c in (590, 640, 690)])
    decays = np.column_stack(
        [gaussian_decay(DELAYS - T0, 1 / t, FWHM / FWHM_PER_SIGMA) for t in TAU]
    )
    d = decays @ sequential(1 / np.array(TAU)) @ states
    return matrix(
        DELAYS, wavelength, d + sigma * np.random.default_rng(seed).standard_normal(d.shape)
    ), states


def test_non_negative_species_spectra():
    from scipy.optimize import nnls

    m, states = emission(0)
    scheme = Scheme(
        {("1", "2"): "a", ("2", "3"): "b", ("3", None): "c"},
        {"a": 0.3, "b": 10.0, "c": 400.0},
        {"1": 1.0},
    )
    model = replace(MODEL, lifetimes_ps=(), scheme=scheme, non_negative=True)
    gradient_check(model, m)
    fit, free = global_fit(m, model), global_fit(m, replace(model, non_negative=False))
    sads = fit.sads()
    assert fit.converged and sads.values.min() > -1e-9 and free.sads().values.min() < -0.005
    assert np.allclose(
        np.log(fit.lifetimes_ps / TAU), 0, atol=4 * fit.lifetime_errors() / fit.lifetimes_ps
    )
    assert np.abs(sads.values - states).mean() < np.abs(free.sads().values - states).mean()
    assert fit.ssr >= free.ssr
    columns_ = fit._solved[0][1][0]
    expected = sum(nnls(columns_, y)[1] ** 2 for y in m.signal.T)
    assert fit.ssr == pytest.approx(expected, rel=1e-9)
    assert fit.ssr == pytest.approx(float(np.sum(fit.residual() ** 2)), rel=1e-9)
    # Amplitudes of a parallel model: bounded below as well.
    plain = global_fit(m, replace(MODEL, non_negative=True))
    assert plain.dads().values.min() > -1e-12 and plain.ssr > 2 * fit.ssr


def test_non_negative_lifetimes_have_honest_errors():
    scheme = Scheme(
        {("1", "2"): "a", ("2", "3"): "b", ("3", None): "c"},
        dict(zip("abc", TAU, strict=True)),
        {"1": 1.0},
    )
    model = Model(scheme=scheme, t0_ps=T0, fwhm_ps=FWHM, non_negative=True)
    hits = []
    for seed in range(100):
        fit = global_fit(emission(seed)[0], model, starts=0)
        hits.append(
            np.abs(np.log(fit.lifetimes_ps / TAU)) < 1.96 * fit.lifetime_errors() / fit.lifetimes_ps
        )
    assert 0.9 <= np.mean(hits) <= 0.99


# ---- trust ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nw", "sigma", "correlated"), [(16, 0.3, 0.0), (16, 0.3, 0.85), (200, 2.0, 0.0)]
)
def test_coverage_of_lifetimes_and_spectra(nw, sigma, correlated):
    """95 % intervals hold the truth for independent noise, for noise shared by pixels, and for many
    noisy pixels."""
    truth = np.log(np.array(TAU))
    model = Model(TAU, t0_ps=T0, fwhm_ps=FWHM)
    hits, white, dads = [], [], []
    for seed in range(160):
        fit = global_fit(noisy(nw, sigma, 1000 + seed, correlated), model, starts=0)
        off = np.abs(fit.theta[:3] - truth)
        hits.append(off < 1.96 * np.sqrt(np.diag(fit.covariance)[:3]))
        white.append(off < 1.96 * np.sqrt(np.diag(fit.covariance_white)[:3]))
        if seed < 60:
            s = fit.dads()
            dads.append(np.abs(s.values - spectra(s.wavelength_nm)) < 1.96 * s.standard_errors)
    coverage = np.mean(hits)
    assert 0.92 <= coverage <= 0.98
    assert 0.92 <= np.mean(dads) <= 0.975
    if correlated:
        assert np.mean(white) < 0.85  # what the textbook formula would have claimed


def test_coverage_of_the_profile_and_of_a_band():
    model = Model(TAU, t0_ps=T0, fwhm_ps=FWHM)
    inside, band = [], []
    wavelength = np.linspace(550, 730, 12)
    rows = (wavelength >= 600) & (wavelength <= 640)
    truth = spectra(wavelength)[2, rows].mean()
    for seed in range(160):
        fit = global_fit(noisy(12, 0.5, 5000 + seed, 0.8), model, starts=0)
        a = band_amplitude(fit, -1, 600, 640)
        band.append(abs(a.value - truth) < 1.96 * a.standard_error)
        if seed < 80:
            p = profile(fit, "tau_2")
            inside.append(p.low < 14.0 < p.high)
    assert 0.90 <= np.mean(band) <= 0.99
    assert 0.88 <= np.mean(inside) <= 0.99


def test_bootstrap_agrees_with_the_covariance():
    fit = global_fit(noisy(24, 0.2, 8, 0.7), Model(TAU, t0_ps=T0, fwhm_ps=FWHM))
    draws = bootstrap(fit, 300)
    assert draws.failed == 0
    assert np.allclose(
        np.log(draws.lifetimes).std(0), fit.lifetime_errors() / fit.lifetimes_ps, rtol=0.3
    )
    low, high = draws.interval()
    assert np.all((low < fit.lifetimes_ps) & (fit.lifetimes_ps < high))
    low, high = draws.band()
    assert np.mean((low < fit.dads().values) & (fit.dads().values < high)) > 0.97
    rng = np.random.default_rng(0)
    base = noisy(24, 0.0, 8).signal
    scans = base + 0.8 * rng.standard_normal((16, *base.shape))
    mean = global_fit(
        matrix(DELAYS, np.linspace(550, 730, 24), scans.mean(0)), Model(TAU, t0_ps=T0, fwhm_ps=FWHM)
    )
    by_scans = bootstrap(mean, 120, scans=scans)
    assert np.allclose(
        np.log(by_scans.lifetimes).std(0), mean.lifetime_errors() / mean.lifetimes_ps, rtol=0.45
    )


@pytest.mark.parametrize("correlated", [0.0, 0.9])
def test_number_of_components(correlated):
    table = number_of_components(
        noisy(40, 0.05, 9, correlated), Model(TAU, t0_ps=T0, fwhm_ps=FWHM), most=5
    )
    assert table.supported == 3
    assert table.rows[1].largest_singular_value > 2 * table.rows[2].largest_singular_value
    assert table.rows[2].bic == min(r.bic for r in table.rows)
    assert "lifetimes" in str(table)


def test_noise_above_the_stated_errors_is_said_with_its_factor():
    """Errors that are right say nothing; half of what they should be, 2 times."""
    rng, wavelength = np.random.default_rng(4), np.linspace(550, 730, 20)
    rise = [gaussian_decay(DELAYS - T0, 1 / t, FWHM / FWHM_PER_SIGMA) for t in TAU]
    d = np.column_stack(rise) @ spectra(wavelength)
    d += 0.05 * rng.standard_normal(d.shape)
    for stated, said in ((0.05, ""), (0.025, "2.0")):
        m = replace(matrix(DELAYS, wavelength, d), standard_error=np.full(d.shape, stated))
        flags = " | ".join(global_fit(m, MODEL).flags)
        assert ("times the stated noise" in flags) == bool(said)
        assert not said or f"residual {said}" in flags or "residual 1.9" in flags


def test_flags_name_what_is_wrong():
    wavelength = np.linspace(550, 730, 20)
    rng = np.random.default_rng(2)

    def flags(tau, model, sigma=0.05, delays=DELAYS, **kw):
        d = (
            np.column_stack(
                [gaussian_decay(delays - T0, 1 / t, FWHM / FWHM_PER_SIGMA) for t in tau]
            )
            @ spectra(wavelength)[: len(tau)]
        )
        return " | ".join(
            global_fit(
                matrix(delays, wavelength, d + sigma * rng.standard_normal(d.shape)), model, **kw
            ).flags
        )

    assert "longer than the window" in flags((0.4, 14.0, 5000.0), MODEL)
    assert "spike" in flags(
        (0.03, 14.0, 280.0),
        replace(
            MODEL, lifetimes_ps=(0.04, 14.0, 280.0), fixed=("fwhm", "t0"), fwhm_ps=FWHM, t0_ps=T0
        ),
    )
    assert "coalescing" in flags(
        (10.0, 11.0), replace(MODEL, lifetimes_ps=(10.0, 11.0)), sigma=0.0001
    )
    assert "structure" in flags((0.4, 14.0, 280.0), replace(MODEL, lifetimes_ps=(1.0, 100.0)))
    assert "times the stated noise" in flags(TAU, MODEL, noise=0.01)
    assert "not converged" in flags(
        TAU, replace(MODEL, lifetimes_ps=(0.01, 0.05, 3000.0)), max_evaluations=3, starts=0
    )
    assert "femtoseconds" in flags(
        (400.0, 14000.0, 280000.0),
        replace(MODEL, lifetimes_ps=(400.0, 14000.0, 280000.0), fwhm_ps=120.0, t0_ps=20.0),
        delays=DELAYS * 1e3,
    )
    assert flags(TAU, MODEL) == ""


def test_distinct_minima_are_listed_best_first():
    fit = global_fit(noisy(30, 0.1, 3), replace(MODEL, lifetimes_ps=(0.4, 14.0)), starts=6)
    costs = [m.cost for m in fit.minima]
    assert costs == sorted(costs) and sum(m.count for m in fit.minima) == 7
    assert fit.minima[0].rise == 0 and all(m.rise > 0 for m in fit.minima[1:])
    assert fit.ssr == pytest.approx(costs[0], rel=1e-9)


# ---- comparison, density, record -----------------------------------------------------------------


def test_before_after_tells_change_from_none():
    model = Model(TAU, t0_ps=T0, fwhm_ps=FWHM)
    same = [
        before_after(
            replace(noisy(30, 0.2, s, 0.6), name="before"),
            replace(noisy(30, 0.2, s + 500, 0.6), name="after"),
            model,
            starts=0,
        )
        for s in range(40)
    ]
    assert np.mean([t.lifetimes_p < 0.05 for t in same]) < 0.17
    assert all(t.best == "lifetimes and spectra" for t in same)
    slower = before_after(
        replace(noisy(30, 0.2, 1), name="before"),
        replace(noisy(30, 0.2, 2, tau=(0.4, 14.0, 320.0)), name="after"),
        model,
    )
    assert slower.lifetimes_p < 1e-4 and slower.best == "spectra"
    assert slower.log_ratio[2] == pytest.approx(
        np.log(320 / 280), abs=4 * slower.log_ratio_error[2]
    )
    changed = noisy(30, 0.2, 3)
    new_band = np.outer(
        gaussian_decay(DELAYS - T0, 1 / 280, FWHM / FWHM_PER_SIGMA),
        -1.5 * np.exp(-0.5 * ((changed.wavelength_nm - 690) / 12) ** 2),
    )
    spectral = before_after(
        replace(noisy(30, 0.2, 1), name="before"),
        replace(changed, name="after", signal=changed.signal + new_band),
        model,
    )
    assert spectral.best == "lifetimes" and spectral.lifetimes_p > 1e-3
    assert "p against" in str(spectral)


def test_shape_change():
    w = np.linspace(600, 700, 101)
    a = -np.exp(-0.5 * ((w - 650) / 10) ** 2)
    e = np.full_like(w, 1e-3)
    same = shape_change(w, a, 0.7 * a, e, e)
    assert (
        same.scale == pytest.approx(0.7) and same.difference < 1e-12 and abs(same.shift_nm) < 1e-9
    )
    moved = shape_change(w, a, -np.exp(-0.5 * ((w - 652) / 10) ** 2), e, e)
    assert (
        moved.shift_nm == pytest.approx(2.0, abs=0.05)
        and moved.difference > 10 * moved.expected_difference
    )


def test_the_error_of_a_shift_of_shape_is_its_scatter():
    """With a shoulder that passes the cut-off of the weights at a tenth of the extremum."""
    rng, w = np.random.default_rng(0), np.linspace(600, 700, 60)
    a = np.exp(-0.5 * ((w - 650) / 12) ** 2) + 0.12 * np.exp(-0.5 * ((w - 685) / 10) ** 2)
    e = np.full_like(w, 0.01)
    found = [shape_change(w, *(a + e * rng.standard_normal((2, 60))), e, e) for _ in range(500)]
    scatter = np.std([f.shift_nm for f in found])
    assert np.median([f.shift_error_nm for f in found]) == pytest.approx(scatter, rel=0.12)


def test_carriers_per_crystal():
    photons, pairs = carriers_per_crystal(106, 520, 4e4, 16.3)
    assert photons == pytest.approx(2.775e14, rel=1e-3)
    assert pairs / carriers_per_crystal(106, 520, 4e4, 12.0)[1] == pytest.approx((16.3 / 12) ** 3)


@pytest.mark.parametrize("penalty", ["identity", "second difference"])
def test_lifetime_density_peaks_at_the_lifetimes(penalty):
    m = noisy(40, 0.01, 4, tau=(0.5, 14.0, 400.0))
    density = lifetime_density(
        m, t0_ps=T0, fwhm_ps=FWHM, strength="discrepancy", noise=0.0102, penalty=penalty
    )
    peaks = density.peaks(least=0.15)
    for tau in (14.0, 400.0):
        assert np.min(np.abs(np.log(peaks / tau))) < 0.25
    assert np.all(np.diff(density.residual_norms) >= -1e-9) and np.all(
        np.diff(density.solution_norms) <= 1e-9
    )
    # Total amplitude at a wavelength is that of the decays.
    assert density.density[:, 20].sum() == pytest.approx(
        spectra(m.wavelength_nm)[:, 20].sum(), abs=0.3
    )
    with pytest.raises(ValueError, match="strength"):
        lifetime_density(m, t0_ps=T0, fwhm_ps=FWHM, strength="guess")


@pytest.mark.parametrize("penalty", ["second difference", "identity"])
def test_curves_of_a_density_are_those_of_the_densities_along_them(penalty):
    """Norms of residual and (penalised) density at a strength: those of the density found with
    it, which is Tikhonov's."""
    m = noisy(6, 0.3, 1)
    tau = np.geomspace(0.05, 2000, 30)
    given = {"t0_ps": T0, "fwhm_ps": FWHM, "penalty": penalty, "lifetimes_ps": tau}
    curves = lifetime_density(m, **given)
    c = columns(m.delay_ps - T0, 1 / tau, FWHM / FWHM_PER_SIGMA, derivatives=False)[0]
    rows = np.eye(30)
    if penalty == "second difference":
        rows = 2 * rows - np.eye(30, k=1) - np.eye(30, k=-1)
    for k in (40, 80, 110):
        strength = curves.strengths[k]
        found = lifetime_density(m, strength=strength, **given).density
        right = np.vstack([m.signal, np.zeros((30, 6))])
        direct = np.linalg.lstsq(np.vstack([c, strength * rows]), right, rcond=None)[0]
        assert found == pytest.approx(direct, rel=1e-5, abs=1e-6 * np.abs(direct).max())
        assert curves.residual_norms[k] == pytest.approx(np.linalg.norm(m.signal - c @ found))
        assert curves.solution_norms[k] == pytest.approx(np.linalg.norm(rows @ found), rel=1e-6)


def test_record_repeats_the_fit():
    data = noisy(20, 0.1, 5)
    for model in (
        MODEL,
        replace(MODEL, dispersion=(0.05,), artefact=2),
        replace(
            MODEL,
            lifetimes_ps=(),
            scheme=Scheme({("a", "b"): "x", ("b", None): "y"}, {"x": 3.0, "y": 200.0}, {"a": 1.0}),
        ),
    ):
        fit = global_fit(data, model)
        record = json.loads(json.dumps(export.fit_record(fit), allow_nan=False))
        again = export.repeat(record, data)
        assert again.ssr == pytest.approx(fit.ssr, rel=1e-12) and np.allclose(
            again.theta, fit.theta, rtol=1e-9
        )
    with pytest.raises(ValueError, match="as in the record"):
        export.repeat(record, data.take(wavelengths=slice(5)))
    rows = export.spectra_csv(fit.spectra()).splitlines()
    assert len(rows) == 21 and rows[0].startswith("wavelength (nm),decay 1,decay 1 standard error")


# ---- bad input -----------------------------------------------------------------------------------


def test_bad_input_is_named():
    w = np.linspace(550, 730, 10)
    d = clean(w)
    with pytest.raises(ValueError, match="transposed"):
        matrix(DELAYS, w, d.T)
    with pytest.raises(ValueError, match="no finite value"):
        matrix(DELAYS, w, np.full_like(d, np.nan))
    with pytest.raises(ValueError, match="delays: expected finite"):
        matrix(np.where(DELAYS > 700, np.nan, DELAYS), w, d)
    with pytest.raises(ValueError, match="more delays than"):
        global_fit(matrix(DELAYS[::15], w, d[::15]), MODEL)
    with pytest.raises(ValueError, match="zeros only"):
        global_fit(matrix(DELAYS, w, 0 * d), MODEL)
    with pytest.raises(ValueError, match="positive start lifetimes"):
        Model((0.0, 1.0))
    with pytest.raises(ValueError, match="expected names among"):
        Model((1.0,), fixed=("tau_2",))
    with pytest.raises(ValueError, match="expected tau_1"):
        global_fit(matrix(DELAYS, w, d), MODEL, parameters={"tau9": 1.0})
    with pytest.raises(ValueError, match="different names"):
        global_fit([matrix(DELAYS, w, d), matrix(DELAYS, w, d)], MODEL)
    with pytest.raises(ValueError, match="positive area"):
        MeasuredIRF(np.array([0.0, 1.0]), np.array([0.0, 0.0]))


def test_unsorted_and_repeated_delays_and_empty_columns_are_mended_and_recorded():
    w = np.linspace(550, 730, 10)
    d = clean(w)
    order = np.random.default_rng(0).permutation(len(DELAYS))
    m = matrix(
        np.r_[DELAYS[order], DELAYS[5]],
        np.r_[w[::-1], 800.0],
        np.c_[np.r_[d[order], d[5:6] + 2.0][:, ::-1], np.full(len(DELAYS) + 1, np.nan)],
    )
    assert (
        m.shape == d.shape
        and np.all(np.diff(m.delay_ps) > 0)
        and np.all(np.diff(m.wavelength_nm) > 0)
    )
    assert np.allclose(np.delete(m.signal, 5, 0), np.delete(d, 5, 0)) and np.allclose(
        m.signal[5], d[5] + 1.0
    )
    assert (
        any("sorted" in s for s in m.steps)
        and any("repeated" in s for s in m.steps)
        and any("without any value" in s for s in m.steps)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-8, 8), st.booleans())
def test_any_noise_ends_with_numbers_or_a_clear_error(seed, log_scale, chirp):
    """Pure noise at any scale: no hang, no NaN where a number is promised."""
    rng = np.random.default_rng(seed)
    m = matrix(
        DELAYS, np.linspace(500, 700, 7), 10**log_scale * rng.standard_normal((len(DELAYS), 7))
    )
    fit = global_fit(m, replace(MODEL, dispersion=(0.1,) if chirp else ()), max_evaluations=60)
    assert np.all(np.isfinite(fit.lifetimes_ps)) and np.isfinite(fit.ssr)
    assert fit.null.size or np.all(np.isfinite(fit.spectra().values))


def test_a_decay_beyond_the_window_does_not_hide_the_faster_ones():
    """3 and 60 ps beside 4000 ps in a window of 800 ps: the slowest is flagged in every fit."""
    from peled.transient_absorption.components import number_of_components

    rng = np.random.default_rng(5)
    t, x = np.r_[np.arange(-1, 2, 0.1), np.geomspace(2, 800, 40)], np.linspace(500, 600, 12)
    y = sum(
        np.where(t > 0, np.exp(-np.maximum(t, 0) / tau), 0)[:, None]
        * np.exp(-(((x - c) / 25) ** 2))
        for tau, c in ((3, 520), (60, 550), (4000, 580))
    )
    m = preprocess.matrix(t, x, y + rng.normal(0, 0.003, y.shape))
    table = number_of_components(m, Model((1.0,), irf=None, t0_ps=0.0), most=4, starts=1)
    assert table.supported == 3 and not table.at_least


@pytest.mark.parametrize("size", [1.0, 1e-12])
def test_a_residual_of_one_pattern_leaves_shares_of_rounding_that_are_not_made_large(size):
    """As of data without noise, where the rest beside the loudest pattern is 0 of either sign."""
    rng, wavelength = np.random.default_rng(9), np.linspace(550, 730, 30)
    rise = [gaussian_decay(DELAYS - T0, 1 / t, FWHM / FWHM_PER_SIGMA) for t in TAU]
    d = np.column_stack(rise) @ spectra(wavelength)
    fit = global_fit(matrix(DELAYS, wavelength, d + 0.05 * rng.standard_normal(d.shape)), MODEL)
    (rows,) = fit.setup.problem.evaluate(fit.theta, covariance=True).rows
    for pattern in np.linalg.eigh(rows.gram)[1].T[-5:]:
        one = noise_of_sets.kernel(replace(rows, gram=size * np.outer(pattern, pattern)), 30)
        assert all(np.isfinite(m).all() and np.abs(m).max() < 1e3 for m in one.matrices)


def test_wavelengths_in_a_mask_are_dropped_and_no_others():
    m = matrix(np.arange(6.0), np.arange(400.0, 500.0, 10), np.ones((6, 10)))
    left = mask(m, (430, 450)).wavelength_nm
    assert [*left] == [400, 410, 420, 460, 470, 480, 490]


def test_errors_of_binned_wavelengths_fall_with_the_root_of_their_number():
    y = np.ones((6, 10))
    y[2, 1] = np.nan
    m = matrix(np.arange(6.0), np.arange(400.0, 500.0, 10), y, standard_error=np.full(y.shape, 3.0))
    binned = bin_wavelengths(m, 4)
    assert binned.standard_error[0] == pytest.approx([1.5, 1.5, 3 / 2**0.5])
    assert binned.standard_error[2, 0] == pytest.approx(3**0.5)


def test_slopes_of_weighted_columns_are_summed_with_their_weights():
    m = noisy(9, 0.1, 5)
    errors = np.random.default_rng(2).uniform(0.5, 1.5, m.signal.shape)
    model = Model((0.4, 14.0), t0_ps=0.1, fwhm_ps=0.12, dispersion=(0.9, 0.4), reference_nm=640.0)
    fit = global_fit(replace(m, standard_error=errors), model, starts=0, max_evaluations=2)
    segment = fit.setup.segments[0]
    assert segment.point_weight is not None
    _, local = segment.dispersed(
        np.array([np.log(0.4), np.log(14), 0.1, np.log(0.12), 0.9, 0.4]), True
    )
    full = np.stack([local(np.tile(one[:, None], (9, 1, 1))) for one in np.eye(2)], axis=-1)
    rest = np.random.default_rng(0).normal(size=(9, len(DELAYS), 1))
    summed = np.einsum("wt,wtpn->wpn", rest[:, :, 0], full)
    assert local.against(rest) == pytest.approx(summed, rel=1e-9, abs=1e-9)
