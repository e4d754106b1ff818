"""Lines through readings whose neighbours may err together."""

import numpy as np
import pytest
from scipy.linalg import toeplitz

from peled.separable import averaged, fits_over_correlations, serial


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
