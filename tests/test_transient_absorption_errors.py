"""Errors of transient absorption against least squares written out in full: one decay without a
response, an amplitude at each wavelength, white noise."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from peled.separable import DispersedBlock
from peled.transient_absorption import (
    Model,
    before_after,
    density,
    errors,
    global_fit,
    globalfit,
    matrix,
    noise,
    preprocess,
    scans,
    workflow,
)
from peled.transient_absorption import drift as ta_drift
from peled.transient_absorption.globalfit import FoundMinimum
from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian, gaussian_decay
from peled.transient_absorption.resample import bootstrap
from peled.transient_absorption.scans import smooth_errors

T, X = np.geomspace(0.2, 30.0, 80), np.linspace(500.0, 600.0, 40)
TAU, SIGMA = 6.0, 0.05
AMPLITUDE = 1.0 + np.exp(-(((X - 550) / 20) ** 2))
MODEL = Model((TAU,), irf=None, t0_ps=0.0, fixed=("t0",))


def _made(seed, tau=TAU, sigma=SIGMA, name="a", **more):
    noise = sigma * np.random.default_rng(seed).standard_normal((T.size, X.size))
    return matrix(T, X, np.exp(-T / tau)[:, None] * AMPLITUDE + noise, name=name, **more)


def _columns(drift=False):
    """Derivatives (p, nt, nw) by amplitudes, ln τ, and a drift of the signal over the delays."""
    fall = np.exp(-T / TAU)
    amplitudes = np.einsum("t,vw->vtw", fall, np.eye(X.size))
    more = [np.outer(fall * T / TAU, AMPLITUDE)]
    if drift:
        more.append(np.outer(fall * np.linspace(-0.5, 0.5, T.size), AMPLITUDE))
    return np.concatenate([amplitudes, more])


def _errors(columns, sigma=SIGMA):
    flat = columns.reshape(len(columns), -1)
    return sigma * np.sqrt(np.diag(np.linalg.inv(flat @ flat.T)))


def test_lifetime_and_spectrum_have_the_errors_of_least_squares():
    expected = _errors(_columns())
    fits = [global_fit(_made(seed), MODEL, starts=0) for seed in range(6)]
    for fit in fits:
        (found,) = (p for p in fit.parameters if p.name == "tau_1")
        assert found.standard_error == pytest.approx(fit.lifetime_errors()[0])
    relative = [fit.lifetime_errors()[0] / fit.lifetimes_ps[0] for fit in fits]
    assert np.mean(relative) == pytest.approx(expected[-1], rel=0.1)
    spectra = [fit.dads().standard_errors[0] for fit in fits]
    ratio = np.mean(spectra, axis=0) / expected[:-1]
    # Memories that chance puts into white noise only widen.
    assert 0.95 < ratio.mean() < 1.2 and np.ptp(ratio) < 0.6


def test_errors_are_widened_by_their_ratio_to_those_of_even_noise():
    rng, m = np.random.default_rng(5), _made(0)
    slow = np.cumsum(rng.standard_normal(len(m.delay_ps)))[:, None] * np.ones(m.shape[1])
    fit = global_fit(replace(m, signal=m.signal + 0.5 * SIGMA * slow), MODEL, starts=0)
    now = fit.setup.problem.evaluate(fit.theta, covariance=True)
    scores, even = errors.residual_scores(now.rows, fit.kernels)
    known = [([even], np.array([[1e-9]]))]
    found, plain = (
        errors.covariances(fit.setup, now, fit.minimum, parts, even, fit.degrees_of_freedom)
        for parts in (scores, known)
    )
    ratio = np.sqrt(np.diag(found.covariance) / np.diag(plain.covariance))
    assert found.widened == pytest.approx(ratio.max(), rel=1e-5) and found.widened > 1.5
    assert plain.widened == pytest.approx(1.0, rel=1e-5)


def test_drift_has_the_error_of_least_squares_beside_the_decay():
    expected = _errors(_columns(drift=True))[-1]
    found = [ta_drift.drift(_made(seed), MODEL, (0.0, 10.0)) for seed in range(6)]
    assert np.mean([d.standard_error for d in found]) == pytest.approx(expected, rel=0.1)
    assert np.abs([d.value for d in found]).max() < 4 * expected
    # What is known beforehand counts as a datum: with an error as large, 1/√2 of either.
    known = ta_drift.drift(_made(0), MODEL, (0.0, found[0].standard_error))
    assert known.standard_error == pytest.approx(found[0].standard_error / math.sqrt(2), rel=0.02)
    assert known.value == pytest.approx(found[0].value / 2, rel=0.1, abs=0.02 * expected)
    # A drift upwards lengthens the decay, as much as the decay with it in full.
    drifted = ta_drift.without(_made(0, sigma=1e-6), -0.02)
    plain = global_fit(_made(0, sigma=1e-6), MODEL, starts=0)
    moved = global_fit(drifted, MODEL, starts=0)
    by_one = math.log(moved.lifetimes_ps[0] / plain.lifetimes_ps[0]) / 0.02
    assert -found[0].moves["tau_1"] == pytest.approx(by_one, rel=0.1)


def test_drift_where_bounds_hold_every_parameter_is_that_beside_known_decays():
    held = replace(MODEL, bounds_ps={"tau_1": (TAU, TAU)})
    known = replace(MODEL, fixed=("t0", "tau_1"))
    m = _made(0)
    bound, fixed = (ta_drift.drift(m, model, (0.0, 10.0)) for model in (held, known))
    assert bound.value == pytest.approx(fixed.value)
    assert bound.standard_error == pytest.approx(fixed.standard_error)
    assert not bound.moves


def test_a_further_unknown_adds_its_own_error():
    fit = global_fit(_made(1), MODEL, starts=0)
    wider = fit.widened({"tau_1": 0.3}, 0.2)
    relative = [f.lifetime_errors()[0] / f.lifetimes_ps[0] for f in (fit, wider)]
    assert relative[1] == pytest.approx(math.hypot(relative[0], 0.06))
    (found,) = (p for p in wider.parameters if p.name == "tau_1")
    assert found.standard_error == pytest.approx(relative[1] * fit.lifetimes_ps[0])


def test_ratio_of_lifetimes_has_the_errors_of_both():
    first, second = _made(2, name="before"), _made(3, tau=6.6, sigma=0.1, name="after")
    pair = before_after(first, second, MODEL, starts=0)
    alone = [global_fit(m, MODEL, starts=0) for m in (first, second)]
    relative = [f.lifetime_errors()[0] / f.lifetimes_ps[0] for f in alone]
    ratio = math.log(alone[1].lifetimes_ps[0] / alone[0].lifetimes_ps[0])
    assert pair.log_ratio[0] == pytest.approx(ratio, rel=1e-3)
    assert pair.log_ratio_error[0] == pytest.approx(math.hypot(*relative), rel=1e-3)


def test_repeated_delays_are_means_with_the_errors_of_means():
    signal = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, np.nan], [6.0, 7.0]])
    errors = np.array([[0.1, 0.1], [0.3, 0.5], [0.4, 0.2], [0.1, 0.1]])
    found = matrix([1, 2, 2, 3], [500, 510], signal, standard_error=errors)
    assert found.signal[1] == pytest.approx([4.0, 4.0])
    assert found.standard_error[1] == pytest.approx([0.25, 0.5])
    assert "1 repeated delays averaged" in found.steps


def test_smoothed_errors_are_a_product_of_the_mean_square_found():
    rng = np.random.default_rng(4)
    product = np.outer(np.linspace(1, 3, 60), np.linspace(0.5, 2, 50))
    m = matrix(np.arange(60.0), np.arange(500.0, 550.0), np.ones((60, 50)), standard_error=product)
    assert np.allclose(smooth_errors(m).standard_error, product)
    scatter = np.sqrt(rng.chisquare(4, product.shape) / 4)  # of five scans
    few = smooth_errors(replace(m, standard_error=product * scatter)).standard_error
    assert np.allclose(few, product, rtol=0.4)
    assert np.sqrt(np.mean((few / product) ** 2)) == pytest.approx(1, abs=0.03)
    holes = np.where(rng.random(product.shape) < 0.2, np.nan, product)
    assert np.allclose(smooth_errors(replace(m, standard_error=holes)).standard_error, product)


def test_scans_give_the_scores_that_their_noise_gives():
    """White noise: cov(Jᵀr) = σ²/n Σ x xᵀ, and the residual of the mean has that variance."""
    rng, n = np.random.default_rng(9), 300
    clean = np.exp(-T / TAU)[:, None] * AMPLITUDE
    scans = clean + SIGMA * rng.standard_normal((n, *clean.shape))
    fit = global_fit(matrix(T, X, scans.mean(axis=0)), MODEL, starts=0)
    x = fit.directions()[1]
    (((found,), relative),), share = errors.scan_scores(fit, scans)
    expected = SIGMA**2 / n * np.einsum("wtp,wtq->pq", x, x)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(found - expected).max() < 0.25 * size.max()  # 3 of √(2/n)
    assert np.diag(found) == pytest.approx(np.diag(expected), rel=0.25)
    assert relative.item() == pytest.approx(2 / (n - 1))
    assert share == pytest.approx(1.0, abs=0.1)


def test_an_error_is_raised_to_what_is_least_and_keeps_its_correlations():
    trust = errors.Trust(
        np.array([[1.0, 1.0], [1.0, 4.0]]), np.diag([2.0, 1.0]), np.zeros((2, 0)), 1
    )
    raised = trust.at_least(0.9).covariance
    assert np.diag(raised) == pytest.approx([1.8, 4.0])
    assert raised[0, 1] / np.sqrt(raised[0, 0] * raised[1, 1]) == pytest.approx(0.5)


def test_a_weight_divides_the_standard_error_of_its_wavelengths():
    plain = preprocess.weigh(_made(1), (540.0, 560.0, 0.5), (550.0, 600.0, 0.2))
    expected = np.select([X < 540, X < 550, X <= 560], [1.0, 2.0, 10.0], 5.0)
    assert plain.standard_error == pytest.approx(np.broadcast_to(expected, (T.size, X.size)))
    known = replace(_made(1), standard_error=np.full((T.size, X.size), 0.3))
    weighed = preprocess.weigh(known, (540.0, 560.0, 0.5), (550.0, 600.0, 0.2))
    assert weighed.standard_error == pytest.approx(0.3 * plain.standard_error)


# ---- zero time over the wavelengths --------------------------------------------------------------


def _at_once(t, t0, fwhm, parts):
    """A step, two decays, an artefact and a level through a Gaussian response at `t0`."""
    x, s = np.subtract.outer(t, t0), fwhm / FWHM_PER_SIGMA
    rates = (0.0, 1 / (4 * fwhm), 0.2)
    made = [gaussian_decay(x.T.reshape(-1, 1), np.array([k]), s)[:, 0].reshape(x.T.shape).T
            for k in rates]  # fmt: skip
    return sum(a * m for a, m in zip(parts, [*made, gaussian(x, s) * s, np.ones_like(x)]))


def test_rises_are_found_between_the_delays_and_as_strong_as_they_are():
    t, t0 = np.linspace(-1.1, 1.3, 97), np.array([-0.613, -0.2, 0.0471, 0.39])
    clean = _at_once(t, t0, 0.15, (0.7, -1.1, 0.4, 0.8, 0.3))
    rise, strength = preprocess._rises(t, clean, 0.15)
    assert rise == pytest.approx(t0, abs=6e-3) and strength.min() > 100
    rng, found = np.random.default_rng(41), []
    for _ in range(40):
        y = clean + 0.03 * rng.standard_normal(clean.shape)
        rise, strength = preprocess._rises(t, y, 0.15)
        found.append(rise)
        total = ((y - y.mean(0)) ** 2).sum(0)
        # What is left has 97 delays less five columns and a centre.
        assert strength == pytest.approx(total / (9e-4 * 91) - 1, rel=0.6)
    assert np.mean(found, axis=0) == pytest.approx(t0, abs=0.02)
    # At an end of the delays nothing rises.
    late = preprocess._rises(t, np.where(t > 1.29, 1.0, 0.0)[:, None], 0.15)[1]
    assert late == 0.0


def test_a_biweight_is_least_squares_where_nothing_is_far_off():
    """Its estimating equation: Σ w² (1 − (r/c)²)² r x = 0, c of 4.7 · 1.4826 median |r|."""
    rng = np.random.default_rng(42)
    design = np.vander(np.linspace(-0.3, 0.4, 60), 3, increasing=True)
    weight = rng.uniform(0.5, 2, 60)
    weight[::7] = 0.0
    y = design @ [0.3, -0.8, 1.7] + 0.02 * rng.standard_normal(60)
    y[5::9] += 3.0
    y[8::9] -= 3.0
    found, covariance, used = preprocess._biweight(design, y, weight, 1e-6)
    off = y - design @ found
    reach = 4.7 * 1.4826 * np.median(np.abs(off[weight > 0]))
    psi = weight**2 * np.clip(1 - (off / reach) ** 2, 0, None) ** 2
    assert design.T @ (psi * off) == pytest.approx(np.zeros(3), abs=1e-6 * np.abs(psi * off).sum())
    assert (used == ((weight > 0) & (np.abs(off) < reach))).all() and 25 < used.sum() < 45
    normal = design.T @ (psi[:, None] * design)
    variance = (psi * off) @ off / (used.sum() - 3)
    assert covariance == pytest.approx(np.linalg.inv(normal) * variance, rel=1e-6)
    # All within the least reach: plain weighted least squares but for the outliers.
    wide, _, used = preprocess._biweight(design, y, weight, 0.5)
    kept = (weight > 0) & (np.abs(y - design @ [0.3, -0.8, 1.7]) < 1)
    plain = np.linalg.lstsq(design[kept] * weight[kept, None], y[kept] * weight[kept], rcond=None)
    assert wide == pytest.approx(plain[0], abs=2e-3) and (used == kept).all()


@pytest.mark.parametrize("pixels", [96, 230])
def test_a_chirp_is_found_from_neighbouring_pixels_together(pixels):
    """Of more than two times 96 pixels two are averaged; a polynomial in 1/λ about the middle."""
    rng, x = np.random.default_rng(43), np.linspace(480.0, 720.0, pixels)
    true = (0.11, -0.9, 0.7)
    xi = 1e3 / x - 1e3 / np.median(x)
    t = np.r_[np.arange(-1.5, 2, 0.04), np.geomspace(2.1, 60, 12)]
    size = np.linspace(0.4, 1.5, pixels)
    signal = size * _at_once(t, np.polyval(true[::-1], xi), 0.15, (0.7, 0.5, 0.4, 0.2, 0.0))
    m = matrix(t, x, signal + 0.01 * rng.standard_normal(signal.shape))
    found = preprocess.find_chirp(m, fwhm_ps=0.15)
    assert len(found.points) == (96 if pixels == 96 else 115)
    assert found.points[:, 0] == pytest.approx(x if pixels == 96 else x.reshape(-1, 2).mean(1))
    off = np.array(found.coefficients) - true
    assert np.abs(off / found.standard_errors)[1:].max() < 4.5
    assert abs(off[0]) < 0.015  # a start value: an artefact moves all rises alike
    assert max(found.standard_errors) < 0.06 and found.points[:, 2].all()
    assert found(x) == pytest.approx(np.polyval(true[::-1], xi), abs=0.02)
    late = preprocess.find_chirp(m, fwhm_ps=0.15, window_ps=5.0)
    assert found(x) == pytest.approx(late(x), abs=0.02)


def test_a_chirp_asks_for_delays_and_for_wavelengths_with_a_rise():
    rng, t, x = np.random.default_rng(44), np.arange(-1.0, 3.0, 0.05), np.linspace(500, 700, 30)
    signal = _at_once(t, np.full(30, 0.2), 0.15, (1.0, 0, 0, 0, 0)) * (np.arange(30) < 3)
    m = matrix(t, x, signal + 0.02 * rng.standard_normal(signal.shape))
    with pytest.raises(ValueError, match="at 4 wavelengths at least, found 3"):
        preprocess.find_chirp(m, fwhm_ps=0.15)
    assert preprocess.find_chirp(m, fwhm_ps=0.15, order=1).points[:, 2].sum() == 3
    few = m.take(delays=slice(1, None, 4))  # six of them within four widths
    with pytest.raises(ValueError, match="at least 8 delays"):
        preprocess.find_chirp(few, fwhm_ps=0.15, order=1, window_ps=0.1)
    some = m.take(delays=slice(0, None, 2))  # twelve, and twelve picoseconds later
    some = replace(some, delay_ps=some.delay_ps + 12.0)
    found = preprocess.find_chirp(some, fwhm_ps=0.15, order=1, window_ps=0.1)
    assert found(500.0) == pytest.approx(12.2, abs=0.05)
    # The response is four widths to either side, whatever the window.
    assert preprocess.find_chirp(m, fwhm_ps=0.15, order=1, window_ps=0.1).points[:, 2].sum() == 3


# ---- what the noise remembers, whose dispersion, which minima ------------------------------------


@pytest.mark.parametrize("nt, octaves", [(3, 2), (40, 5), (150, 7)])
def test_memories_of_noise_fall_off_as_exponentials_of_the_distance(nt, octaves):
    short, pink, drift = noise._memories(nt)
    for m in (0, 1, nt - 1):
        of = [math.exp(-m / 2.0**k) for k in range(1, octaves + 1)]
        expected = of[0], sum(of) / octaves, math.exp(-m / (2 * nt))
        for matrix_, value in zip((short, pink, drift), expected, strict=True):
            assert np.diag(matrix_, m) == pytest.approx(np.full(nt - m, value))
            assert (matrix_ == matrix_.T).all()


def _joint(monkeypatch, rise, bend, signal=None):
    """One of two sets: its residual alone is a 1/(1 + rise) of that with the joint dispersion,
    which its own differs from by `bend`; noise white over 30 wavelengths."""
    rng = np.random.default_rng(45)
    rest = rng.standard_normal((50, 30))
    x = np.linspace(500.0, 700.0, 30)
    signal = (1.0 if signal is None else signal) * np.linspace(-2, 3, 50)[:, None] * np.ones(30)
    model = Model((5.0,), dispersion=(0.5, 0.1), reference_nm=600.0)
    m = SimpleNamespace(signal=signal, shape=(50, 30), wavelength_nm=x, delay_ps=np.arange(50.0))
    gram = rest @ rest.T
    joint = SimpleNamespace(
        matrices=[m], model=model, rows=[SimpleNamespace(gram=gram)],
        setup=SimpleNamespace(locals=[{n: n for n in model.names}]),
        optimum=dict.fromkeys(model.names, 0.1) | {"dispersion_1": 0.5, "dispersion_2": 0.1},
    )  # fmt: skip
    found = {"dispersion_1": 0.5 + bend, "dispersion_2": 0.1, "fwhm": 0.2}
    alone = SimpleNamespace(theta=np.zeros(5), ssr=float(np.trace(gram)) / (1 + rise),
                            value=found.__getitem__)  # fmt: skip
    asked = []
    monkeypatch.setattr(workflow, "global_fit", lambda *a, **k: asked.append(k) or alone)
    own = workflow._own_dispersion(joint, 0)
    assert asked[0]["parameters"]["dispersion_1"] == 0.5
    return own, gram, len(model.spectra)


@pytest.mark.parametrize("factor, own", [(0.99, False), (1.01, True)])
def test_an_own_dispersion_lowers_the_residual_by_more_than_chance(factor, own, monkeypatch):
    """F test of three parameters at 10⁻³, wavelengths by their effective number."""
    _, gram, spectra = _joint(monkeypatch, 1.0, 1.0)
    effective = min(noise.effective_wavelengths(noise.differences(gram)), 30)
    count = (50 - spectra) * effective - 5
    limit = stats.f.isf(1e-3, 3, count) * 3 / count
    assert _joint(monkeypatch, factor * limit, 1.0)[0] is own


@pytest.mark.parametrize("factor, own", [(0.95, False), (1.05, True)])
@pytest.mark.parametrize("part", [slice(None), slice(0, 12)])
def test_an_own_dispersion_bends_by_a_quarter_of_the_response_where_there_is_signal(
    factor, own, part, monkeypatch
):
    """Root mean square about its mean, weighted by the size of the signal; fwhm 0.2 ps."""
    size = np.zeros(30)
    size[part] = np.linspace(1, 3, 30)[part]
    xi = 1e3 / np.linspace(500.0, 700.0, 30) - 1e3 / 600.0
    mean = (size @ xi) / size.sum()
    spread = math.sqrt(size @ (xi - mean) ** 2 / size.sum())
    bend = -factor * 0.25 * 0.2 / spread
    assert _joint(monkeypatch, 1.0, bend, size)[0] is own


def test_each_different_minimum_of_thinned_data_is_followed_on_all(monkeypatch):
    """The first two are one minimum; the third, a little higher there, is the lowest of all."""
    costs = {"thin": (1.0, 1.0 + 5e-7, 1.0005), "all": (3.0, 3.0, 2.0)}

    def minimise(problem, theta, **_):
        return SimpleNamespace(theta=theta, cost=costs[problem.name][int(theta[0])])

    def problem(name):
        evaluate = SimpleNamespace(cost=0.0)
        blocks = [DispersedBlock.__new__(DispersedBlock)]
        return SimpleNamespace(name=name, blocks=blocks, evaluate=lambda *_, **__: evaluate)

    monkeypatch.setattr(globalfit, "minimise", minimise)
    monkeypatch.setattr(globalfit, "_candidates", lambda *_: [np.array([1.0]), np.array([2.0])])
    setup = SimpleNamespace(start=np.zeros(1), free=[0], low=0.0, high=3.0, problem=problem("all"))
    setup.matrices = [SimpleNamespace(wavelength_nm=np.arange(1000.0))]
    setup.thinned = lambda _: SimpleNamespace(problem=problem("thin"))
    best, found = globalfit._search(setup, 2, 0, 100)
    assert best.theta[0] == 2 and [m.theta[0] for m in found] == [2, 0]


def test_minima_alike_in_lifetimes_or_cost_are_one():
    def ended(cost, *tau):
        return SimpleNamespace(cost=cost, theta=np.log(tau))

    segment = SimpleNamespace(rates=lambda u: (np.exp(-u),))
    setup = SimpleNamespace(expand=lambda theta: (theta, None), segments=[segment])
    minima = [
        ended(2.5, 3.0, 40.0), ended(2.0, 10.0, 1.0), ended(2.0001, 1.015, 10.1),
        ended(2.0001, 1.03, 10.0), ended(2.0 * (1 + 5e-8), 77.0, 99.0),
        ended(2.0 * (1 + 1.5e-7), 7.0, 9.0),
    ]  # fmt: skip
    found = globalfit._distinct(setup, minima, 300.0)
    assert found == (
        FoundMinimum(2.0, 0.0, (pytest.approx(1.0), pytest.approx(10.0)), 3),
        FoundMinimum(pytest.approx(2.0), pytest.approx(4.5e-5), pytest.approx((7.0, 9.0)), 1),
        FoundMinimum(2.0001, pytest.approx(0.015), (pytest.approx(1.03), pytest.approx(10.0)), 1),
        FoundMinimum(2.5, pytest.approx(75.0), (pytest.approx(3.0), pytest.approx(40.0)), 1),
    )


# ---- resampling, scans, corners ------------------------------------------------------------------


@pytest.mark.parametrize("lost", [0.0, 0.5])
def test_a_bootstrap_spreads_as_least_squares_of_the_cells_that_are_there(lost):
    found = []
    for seed in (1, 2, 3):
        m = _made(seed)
        gone = np.random.default_rng(seed).random(m.shape) < lost
        fit = global_fit(replace(m, signal=np.where(gone, np.nan, m.signal)), MODEL, starts=0)
        found.append(bootstrap(fit, 120).spectra.std(axis=0).mean())
    expected = SIGMA / math.sqrt((np.exp(-2 * T / TAU)).sum() * (1 - lost))
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_loss_over_scans_is_the_slope_of_their_sizes():
    rng, sizes = np.random.default_rng(46), np.array([1.1, 1.0, 0.93, 0.82, 0.75])
    shape = np.exp(-T / TAU)[:, None] * AMPLITUDE
    stack = sizes[:, None, None] * shape + 1e-3 * rng.standard_normal((5, T.size, X.size))
    stack[:, 7, 3] = stack[2, 11] = np.nan  # a cell of all scans, a row of one
    found, error = scans.loss_over_scans(stack)
    relative = sizes / np.mean(sizes)
    slope, rest = np.polyfit(np.arange(5), relative, 1, full=True)[:2]
    assert found == pytest.approx(slope[0], rel=2e-3)
    assert error == pytest.approx(math.sqrt(rest[0] / 3 / 10), rel=0.02)
    assert scans.loss_over_scans(stack[:2]) is None


@pytest.mark.parametrize("stretch", [1.0, 0.2])
def test_corner_of_an_l_curve_is_its_tightest_turn(stretch):
    """A quarter of a circle between two straight lines, run through at any pace."""
    u = np.linspace(0, 3**stretch, 200) ** (1 / stretch)
    turn = np.clip(u - 1, 0, 1) * math.pi / 2
    x = 0.3 * (1 - np.cos(turn)) + np.clip(u - 2, 0, None)
    y = -np.clip(u, 0, 1) - 0.3 * np.sin(turn)
    assert 1.0 <= u[density._corner(x, y)] <= 2.0
    tight = np.hypot(u - 1.5, 0.05)
    assert u[density._corner(tight, u)] == pytest.approx(1.5, abs=0.05)


def test_ways_to_share_are_judged_by_their_rise_of_chi_square():
    """F test against the freest way; the count of data follows from each BIC."""
    test = before_after(_made(1), _made(2, tau=TAU * 1.012, name="b"), MODEL, starts=0)
    free, *shared = test.hypotheses
    count = math.exp((free.bic - free.chi2) / free.free)
    assert free.p_value == 1.0 and count < 2 * T.size * X.size + 1
    for way in shared:
        assert way.bic == pytest.approx(way.chi2 + way.free * math.log(count))
        rise = (way.chi2 - free.chi2) / (free.free - way.free)
        noise_ = free.chi2 / (count - free.free)
        expected = stats.f.sf(rise / noise_, free.free - way.free, count - free.free)
        assert way.p_value == pytest.approx(expected)
    lifetimes = next(w for w in shared if w.name == "lifetimes")
    assert 1e-9 < lifetimes.p_value < 0.5


def test_a_blue_share_over_much_dark_has_the_error_of_the_dark_level(tmp_path):
    """One level for all channels of the band: their number squared times its variance."""
    rng, x = np.random.default_rng(47), np.linspace(560, 700, 281)
    clean = 900 * np.exp(-(((x - 630) / 14) ** 2)) + 200
    found = []
    for _ in range(60):
        counts = rng.poisson(clean, (2, 281))
        rows = (",".join(map(str, row)) for row in zip(x, *counts, strict=True))
        (tmp_path / "a.csv").write_text("wavelength (nm),fresh,1\n" + "\n".join(rows))
        found.append(workflow.read_pl_series(tmp_path / "a.csv"))
    blue = np.count_nonzero(x < 630 - 2 * 14 / math.sqrt(2))
    total = 900 * 14 * math.sqrt(math.pi) / 0.5
    one = math.sqrt(blue * 200 + blue**2 * 200 / 28) / total
    assert np.mean([f.blue_share_error for f in found]) == pytest.approx(one * 2**0.5, rel=0.1)


def test_slopes_of_a_factor_between_sets_that_share_their_spectra():
    first, second = _made(1), _made(2, name="b")
    second = replace(second, signal=0.6 * second.signal)
    fit = global_fit([first, second], MODEL, shared_spectra=True, starts=0)
    problem, rng = fit.setup.problem, np.random.default_rng(48)
    at = fit.theta + 0.05 * rng.standard_normal(fit.theta.size)
    expected = [
        (problem.evaluate(at + d, False).cost - problem.evaluate(at - d, False).cost) / 2e-5
        for d in 1e-5 * np.eye(at.size)
    ]
    found = 2 * problem.evaluate(at).gradient
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * np.abs(expected).max())
