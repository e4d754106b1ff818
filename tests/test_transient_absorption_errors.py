"""Errors of transient absorption against least squares written out in full: one decay without a
response, an amplitude at each wavelength, white noise."""

import math
from dataclasses import replace

import numpy as np
import pytest

from peled.transient_absorption import Model, before_after, errors, global_fit, matrix, preprocess
from peled.transient_absorption import drift as ta_drift
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
