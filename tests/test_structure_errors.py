"""Errors of patterns, breadths and micrographs: scatter of repetitions, weights written out."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from peled.lineshapes.bands import pseudo_voigt
from peled.structure import microscopy, urbach, xrd
from peled.structure.xrd.breadths import _breadth
from peled.structure.xrd.phases import Phase, fit_phases, widths

LINE = 1.5406


def _pattern(x, a, heights, floor=40.0, gauss=0.1, lorentz=0.25):
    """Single lines of a primitive cube over a level ground."""
    full, mixing, *_ = widths(gauss, np.array([lorentz]))
    at = [xrd.two_theta(a, hkl, LINE) for hkl in ((1, 0, 0), (1, 1, 0), (1, 1, 1))]
    return floor + sum(
        h * pseudo_voigt(x, c, full, mixing, False)[0] for h, c in zip(heights, at, strict=True)
    )


X = np.arange(12.0, 28.5, 0.04)
CLEAN = _pattern(X, 6.0, (900.0, 500.0, 300.0))
OPTIONS = {"wavelengths_A": (LINE,), "a_A": 6.0, "shape": "lorentzian", "background_order": 2,
           "instrument_fwhm_deg": 0.1, "zero_deg": 0.0, "displacement_mm": 0.0}  # fmt: skip


def _information(sigma):
    """Standard errors of the cell and the areas by differences of the closed form."""
    ground = np.polynomial.chebyshev.chebvander(2 * (X - X[0]) / np.ptp(X) - 1, 2)
    at = np.array([6.0, 0.25, 900.0, 500.0, 300.0])

    def made(p):
        return _pattern(X, p[0], p[2:], lorentz=p[1])

    steps = np.diag([1e-4, 1e-4, 1.0, 1.0, 1.0])
    slopes = [(made(at + h) - made(at - h)) / (2 * h.max()) for h in steps]
    design = np.column_stack([*slopes, ground]) / sigma[:, None]
    return np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[[0, 2, 3, 4]]


def test_errors_of_a_pattern_are_those_of_its_noise_however_that_is_known():
    """Given, of counts, and read off the scatter of numbers that are no counts."""
    counts = np.random.default_rng(1).poisson(CLEAN).astype(float)
    cell, *areas = _information(np.sqrt(CLEAN))
    for unit, sigma in ((1.0, np.sqrt(CLEAN)), (1.0, None), (0.037, None)):
        found = xrd.pawley_fit(X, unit * counts, sigma, **OPTIONS)
        assert found.error_scale < 1.5 and found.chi2_reduced == pytest.approx(1, abs=0.3)
        assert found.a_error_A == pytest.approx(cell, rel=0.25)
        claimed = found.intensity_errors / found.intensities
        assert claimed == pytest.approx(np.array(areas) / [900.0, 500.0, 300.0], rel=0.25)


def test_phases_scatter_as_they_say_with_noise_given_and_found():
    phase = Phase("cube", (6.0, 6.0, 6.0, 90.0, 90.0, 90.0), "P m -3 m")
    rng, found = np.random.default_rng(3), []
    for k in range(16):
        y, sigma = 0.037 * rng.poisson(CLEAN), 0.037 * np.sqrt(CLEAN) if k % 2 else None
        made = fit_phases(X, y, sigma, phases=[phase], wavelengths_A=(LINE,),
                          instrument_fwhm_deg=0.1)  # fmt: skip
        at = made.estimates.names.index("cube a")
        found.append((made.estimates.values[at], math.sqrt(made.estimates.covariance[at, at])))
    value, error = np.array(found).T
    assert np.mean(error[::2]) == pytest.approx(np.mean(error[1::2]), rel=0.25)
    assert np.mean(error) / value.std(ddof=1) == pytest.approx(1.05, abs=0.35)
    assert value.mean() == pytest.approx(6.0, abs=4 * error[0] / math.sqrt(16))


def test_breadth_of_a_line_scatters_as_it_says():
    x, at = np.arange(28.0, 32.0, 0.03), 30.0
    full, mixing, *_ = widths(0.1, np.array([0.3]))
    clean = 50 + 2000 * pseudo_voigt(x, at, full, mixing, False)[0] + 3 * (x - at)
    rng, found = np.random.default_rng(4), []
    for _ in range(40):
        fit = SimpleNamespace(
            two_theta_deg=x, observed=rng.poisson(clean).astype(float), sigma=np.sqrt(clean)
        )
        (one,) = _breadth(fit, np.ones(x.size, bool), (2, 0, 0), at, 0.3, (LINE,), 0.1)
        found.append((one.breadth_deg, one.error_deg, one.two_theta_deg))
    value, error, place = np.array(found).T
    # Of a Lorentzian the integral breadth is π/2 of its full width.
    assert value.mean() == pytest.approx(math.pi / 2 * 0.3, abs=4 * value.std() / math.sqrt(40))
    assert place.mean() == pytest.approx(at, abs=0.005)
    assert np.mean(error) / value.std(ddof=1) == pytest.approx(1.07, abs=0.25)


# ---- micrographs ---------------------------------------------------------------------------------


def _spots(monkeypatch, of):
    """A transform whose spots are (frequencies, error) as given."""
    made = tuple(
        microscopy.Spot(fx, fy, error, 1 / math.hypot(fx, fy), error / (fx**2 + fy**2),
                        math.degrees(math.atan2(fy, fx)) % 180, strength)
        for fx, fy, error, strength in of
    )  # fmt: skip
    monkeypatch.setattr(microscopy, "find_spots", lambda *_, **__: (made, None, 0.1))


def _net(pixel=0.0):
    return microscopy.fit_square_lattice(None, 0.05, d100_nm=0.6, pixel_relative_error=pixel)


def test_spacings_of_a_net_are_weighted_means(monkeypatch):
    q, errors = 1 / 0.6, (0.004, 0.008)
    _spots(monkeypatch, [(q, 0.0, errors[0], 30.0), (0.0, q, errors[1], 20.0)])
    found = _net()
    best = (errors[0] ** -2 + errors[1] ** -2) ** -0.5
    assert found.d100_nm == pytest.approx(0.6)
    assert found.d100_error_nm == pytest.approx(best * 0.6**2)
    assert math.isnan(found.d110_nm)
    both = math.hypot(*errors) / q
    assert (found.ellipticity, found.ellipticity_error) == pytest.approx((1.0, both))
    assert (found.angle_deg, found.angle_error_deg) == pytest.approx((90.0, math.degrees(both)))
    assert _net(0.01).d100_error_nm == pytest.approx(math.hypot(best * 0.36, 0.006))


def test_a_net_that_its_spots_do_not_fit_has_wider_errors(monkeypatch):
    q, error = 1 / 0.6, 0.002
    square = [(q, 0.0), (0.0, q), (q, q), (q, -q)]
    off = [(0.0, 0.0), (0.0, 0.0), (0.012, 0.0), (-0.012, 0.0)]
    _spots(monkeypatch, [(a + c, b + d, error, 30.0) for (a, b), (c, d) in zip(square, off)])
    found = _net()
    # Eight numbers by two vectors: the differences go to (0, ±0.008) of b and what is left.
    design = np.array([[1, 0], [0, 1], [1, 1], [1, -1.0]])
    values = np.array(square) + off
    fitted, rest, *_ = np.linalg.lstsq(design, values, rcond=None)
    variance = rest.sum() / 4 * np.linalg.inv(design.T @ design)
    sides = np.hypot(*fitted.T)
    relative = np.sqrt(np.diag(variance)) / sides
    assert found.ellipticity == pytest.approx(sides[1] / sides[0])
    assert found.ellipticity_error == pytest.approx(found.ellipticity * math.hypot(*relative))
    assert rest.sum() / 4 / error**2 > 4
    lengths = np.hypot(*values[2:].T)
    mean, scatter = lengths.mean(), lengths.std(ddof=1) / math.sqrt(2)
    assert found.d110_nm == pytest.approx(1 / mean)
    expected = math.hypot(error / math.sqrt(2), scatter) / mean**2
    assert found.d110_error_nm == pytest.approx(expected)


def test_floor_of_a_tail_is_its_level_and_its_noise():
    rng, e = np.random.default_rng(5), np.linspace(1.4, 2.0, 241)
    found = np.array([
        urbach._floor(e, 2e-4 + 3e-5 * rng.standard_normal(241) + np.exp((e - 1.95) / 0.015))
        for _ in range(100)
    ])  # fmt: skip
    assert found[:, 0].mean() == pytest.approx(2e-4, rel=0.02)
    assert found[:, 1].mean() == pytest.approx(3e-5, rel=0.08)
