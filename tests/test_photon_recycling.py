"""Rays traced one by one against the closed formulas of escape and recycling; neither uses the
other's code."""

import numpy as np
import pytest

from hassan2021.simulate.photon_recycling import trace
from peled import optics
from peled.photoluminescence.recycling import OpticalModel

PHOTONS = 100_000


def outside_of(inside, escape, again):
    """Emitted, re-absorbed, emitted again: the geometric series."""
    return inside * escape / (1 - inside * again)


def assert_near(found, error, expected):
    assert abs(found - expected) < 4 * error, f"{found:.5f} +- {error:.5f} against {expected:.5f}"


@pytest.mark.parametrize(
    "n_film,n_glass,density",
    [(1.82, 1.5, 0.02), (1.82, 1.5, 0.5), (2.2, 1.5, 0.1), (1.4, 1.6, 0.05)],
)
def test_first_escape_is_the_exact_ray_formula(n_film, n_glass, density):
    fates = trace(PHOTONS, n_film=n_film, n_glass=n_glass, optical_density=density, seed=1)
    first = fates.by_generation[0] / PHOTONS
    assert_near(
        first,
        np.sqrt(first * (1 - first) / PHOTONS),
        optics.film_escape(n_film, 1.0, n_glass, density).total,
    )


def test_each_face_gets_its_share():
    fates = trace(PHOTONS, optical_density=0.02, internal_yield=0.3, seed=2)
    film = optics.film_escape(1.82, 1.0, 1.5, 0.02)
    for count, share in ((fates.front, film.front), (fates.back, film.back)):
        assert_near(count / fates.emissions, np.sqrt(share / fates.emissions), share)


def test_one_face_passes_the_fresnel_average():
    """Matched glass, so that nothing comes back: what leaves in front has met one face once."""
    fates = trace(PHOTONS, n_glass=1.82, optical_density=0.0, seed=3)
    share = fates.front / PHOTONS
    assert_near(share, np.sqrt(share / PHOTONS), optics.escape_fresnel(1.82))


@pytest.mark.parametrize("internal", [0.5, 0.85, 0.95])
def test_recycling_relation(internal):
    fates = trace(PHOTONS, internal_yield=internal, seed=4)
    found, error = fates.external_yield
    film = optics.film_escape(1.82, 1.0, 1.5, 0.02)
    assert_near(found, error, outside_of(internal, film.total, 1 - film.total))
    assert_near(OpticalModel("rays", film.total, 1 - film.total).internal(found), error, internal)


def test_generations_fall_geometrically():
    fates = trace(PHOTONS, internal_yield=0.8, seed=5)
    film = optics.film_escape(1.82, 1.0, 1.5, 0.02)
    ratio = fates.by_generation[1:5] / fates.by_generation[:4]
    np.testing.assert_allclose(
        ratio, 0.8 * (1 - film.total), atol=4 * np.sqrt(2 / fates.by_generation[4])
    )


def test_nothing_is_lost_without_losses():
    fates = trace(5000, internal_yield=1.0, glass_mm=1.0, radius_mm=5.0, seed=6)
    assert fates.escaped == fates.excitations == fates.by_generation.sum() and fates.lost == 0
    dark = trace(5000, internal_yield=0.0)
    assert dark.emissions == 0 and dark.lost == 5000 and dark.external_yield[0] == 0


def test_the_books_balance():
    fates = trace(20_000, internal_yield=0.7, glass_mm=1.0, seed=7)
    assert fates.emissions == fates.escaped + fates.reabsorbed
    assert fates.excitations + fates.reabsorbed == fates.emissions + fates.lost


def test_a_wide_slide_gives_its_trapped_light_back_to_the_film():
    narrow, wide = (
        trace(20_000, glass_mm=1.0, radius_mm=radius, internal_yield=0.85, seed=8)
        for radius in (2.0, 50.0)
    )
    assert wide.reabsorption[0] > narrow.reabsorption[0] and wide.edge < narrow.edge
    for fates in (narrow, wide):  # the relation holds with the losses and returns of any geometry
        assert_near(
            *fates.external_yield,
            outside_of(0.85, fates.escape[0], fates.reabsorption[0]),
        )


def test_a_slide_without_absorption_empties_by_its_cones_and_its_rim():
    fates = trace(
        PHOTONS, n_film=1.5, n_glass=1.5, optical_density=0.0, glass_mm=1.0, radius_mm=100.0, seed=9
    )
    cone = 1 - np.sqrt(1 - 1 / 1.5**2)
    assert_near((fates.front + fates.back) / PHOTONS, np.sqrt(cone / PHOTONS), cone)


def test_recycled_light_is_redder():
    wavelength = np.linspace(580, 680, 201)
    emission = np.exp(-0.5 * ((wavelength - 625) / 14) ** 2)
    density = 0.5 / (1 + np.exp((wavelength - 618) / 6))
    fates = trace(
        40_000, optical_density=density, wavelength_nm=wavelength, emission=emission, seed=10
    )
    mean = np.sum(wavelength * emission) / emission.sum()
    assert fates.escaped_nm.mean() > mean + 2
    plain = trace(
        40_000,
        optical_density=0.0,
        n_glass=1.9,
        wavelength_nm=wavelength,
        emission=emission,
        seed=11,
    )
    assert_near(plain.escaped_nm.mean(), 14 / np.sqrt(40_000), mean)


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"photons": 0}, "at least 1"),
        ({"n_film": -1.0}, "n_film"),
        ({"internal_yield": 1.2}, "probability"),
        ({"optical_density": -0.1}, "0 or more"),
        ({"optical_density": 0.0, "max_events": 50}, "some absorption"),
        ({"wavelength_nm": np.arange(3.0), "emission": np.ones(2)}, "one value"),
        ({"glass_mm": 0.0}, "glass_mm"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        trace(**({"photons": 100} | arguments))
