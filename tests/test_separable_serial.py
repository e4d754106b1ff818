"""Lines through readings whose neighbours may err together."""

import numpy as np
import pytest
from scipy.linalg import toeplitz

from peled.separable import (
    averaged,
    covariance_over_correlations,
    fits_over_correlations,
    serial,
    waves,
)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_one_correlation_is_generalised_least_squares(rho, monkeypatch):
    monkeypatch.setattr(serial, "CORRELATIONS", {rho: 1.0})
    rng = np.random.default_rng(1)
    x, sigma = np.linspace(-1, 1, 15), rng.uniform(0.5, 2, 15)
    design, y = np.vander(x, 3), 2 * x + 40 * sigma * rng.standard_normal(15)
    fits = fits_over_correlations(design, y, sigma)
    inverse = np.linalg.inv(np.outer(sigma, sigma) * toeplitz(rho ** np.arange(15.0)))
    information = design.T @ inverse @ design
    by_hand = np.linalg.solve(information, design.T @ inverse @ y)
    residual = y - design @ by_hand
    assert fits.coefficients[0] == pytest.approx(by_hand)
    scale = residual @ inverse @ residual / 12
    assert scale > 1 and fits.weight == [1.0]
    assert fits.covariance[0] == pytest.approx(scale * np.linalg.inv(information))


def test_stated_errors_are_the_least():
    x = np.linspace(-1, 1, 15)
    fits = fits_over_correlations(np.ones((15, 1)), 1e-3 * x, np.full(15, 0.3))
    assert fits.covariance[0, 0, 0] == pytest.approx(0.09 / 15)
    plain = fits_over_correlations(np.ones((15, 1)), 1e-3 * x)
    assert plain.covariance[0, 0, 0] == pytest.approx(np.var(1e-3 * x, ddof=1) / 15)


def test_how_likely_a_correlation_is_depends_on_no_unit():
    y = np.random.default_rng(3).standard_normal(60)
    weight = fits_over_correlations(np.ones((60, 1)), y).weight
    for unit in (1e-12, 1e12):
        said = fits_over_correlations(np.ones((60, 1)), unit * y).weight
        assert said == pytest.approx(weight, rel=1e-9)


@pytest.mark.parametrize("true", [0.0, 0.8])
def test_the_correlation_that_the_readings_have_is_the_likeliest(true):
    rng, root = np.random.default_rng(2), np.linalg.cholesky(toeplitz(true ** np.arange(60.0)))
    design = np.vander(np.linspace(-1, 1, 60), 4)
    said = np.mean(
        [fits_over_correlations(design, root @ rng.standard_normal(60)).weight for _ in range(40)],
        axis=0,
    )
    assert said.sum() == pytest.approx(1)
    assert said @ list(serial.CORRELATIONS) == pytest.approx(true, abs=0.12)


def test_means_are_over_fits_that_have_the_quantity():
    assert averaged([0.25, 0.25, 0.5], [1.0, 3.0, np.nan], [1.0, 1.0, 1.0]) == pytest.approx(
        (2.0, np.sqrt(2.0))
    )
    assert np.isnan(averaged([0.5, 0.5], [1.0, np.nan], [np.nan, 1.0])).all()


LINE = np.exp(-(np.linspace(-6, 6, 60) ** 2))


@pytest.mark.parametrize(("beta", "rho"), [(2.0, 0.0), (3.0, 0.7)])
def test_noise_of_a_source_is_where_the_source_is(beta, rho, monkeypatch):
    """By dense matrices: JᵀΣJ, and the restricted likelihood of two that are tried."""
    monkeypatch.setattr(serial, "STRENGTHS", {0.0: 1.0, beta: 1.0})
    monkeypatch.setattr(serial, "OF_NEIGHBOURS", (rho,))
    rng, x = np.random.default_rng(3), np.linspace(-1, 1, 60)
    signal = np.where(x < 0, LINE[::-1], 0.5 * LINE) + np.where(np.abs(x) < 0.1, 0.0, 0.05)
    design = np.column_stack([signal, np.gradient(signal), np.ones(60)])
    m = np.where(signal > 0.02 * signal.max(), signal / signal.max(), 0.0)
    more = beta**2 * np.outer(m, m) * toeplitz(rho ** np.arange(60.0))
    likely = []
    residual = 1.5 * rng.standard_normal(60)
    for sigma in (np.eye(60), np.eye(60) + more):
        inverse = np.linalg.inv(sigma)
        told = design.T @ inverse @ design
        off = residual - design @ np.linalg.solve(told, design.T @ inverse @ residual)
        size = np.linalg.slogdet(sigma)[1] + np.linalg.slogdet(told)[1]
        likely.append(-0.5 * (size + off @ inverse @ off))
    share = 1 / (1 + np.exp(likely[0] - likely[1]))
    assert 0.01 < share < 0.99
    expected = design.T @ (np.eye(60) + share * more) @ design
    assert covariance_over_correlations(design, residual, signal) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_beam_that_flickers_widens_the_place_of_a_line(steps):
    """The place of many lines, by least squares, scatters as the errors say; with white noise the
    errors are hardly larger than those of counting."""
    rng, x = np.random.default_rng(4), np.arange(240)
    line = 30 * np.abs(np.sin(x * np.pi / 40)) ** 8
    design = np.column_stack([np.gradient(line), *np.repeat(np.eye(6), 40, axis=1) * line])
    solve, z, wide = np.linalg.pinv(design), [], []
    for beam in (0.0, 0.06):
        for _ in range(40):
            slow = np.repeat(rng.standard_normal(240 // steps), steps)
            noise = rng.standard_normal(240) + beam * line * slow
            off = noise - design @ (solve @ noise)
            score = covariance_over_correlations(design, off, line)
            error = np.sqrt((solve @ solve.T @ score @ solve @ solve.T)[0, 0])
            z.append(solve[0] @ noise / error)
            wide.append(error / np.linalg.norm(solve[0]))
    assert np.std(z[:40]) == pytest.approx(0.95, abs=0.2)
    assert np.std(z[40:]) == pytest.approx(0.95, abs=0.2)
    assert np.mean(wide[:40]) < 1.15 < 1.3 < np.mean(wide[40:])


def test_a_wave_that_readings_may_hold_is_in_the_error_of_their_line():
    """Of any phase, seen through the fit of a line over less than a period; less than the
    noise where there is none."""
    x, rng, periods = np.linspace(0, 1, 160), np.random.default_rng(31), [0.5, 0.7, 1.0, 1.4]
    design, error = np.column_stack([np.ones_like(x), x]), np.full(160, 0.1)
    slope = np.linalg.pinv(design)[1]
    by_noise, inside, calm = 0.1 * np.linalg.norm(slope), [], []
    for _ in range(120):
        noise = rng.normal(0, 0.1, x.size)
        seen = noise + 0.3 * np.cos(2 * np.pi * x / 1.4 + rng.uniform(0, 2 * np.pi))
        for values, found in ((seen, inside), (noise, calm)):
            rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
            curves = waves(x, design, rest, error, periods, [0.1, 0.2, 0.3, 0.4], x)
            found.append((slope @ values, np.linalg.norm(curves @ slope)))
    off, wave = np.array(inside).T
    assert np.mean(np.abs(off) < 2 * by_noise) < 0.6
    assert np.mean(np.abs(off) < 1.96 * np.hypot(by_noise, wave)) >= 0.95
    assert np.mean(wave) < 1.5 * np.std(off)
    assert np.median([w for _, w in calm]) < 0.7 * by_noise
