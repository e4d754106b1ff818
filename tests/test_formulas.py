"""Small formulas, each against its definition: by hand, by integration, by a limit, by
repetition."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from peled import lineshapes, materials, nmr
from peled.energetics import frenkel
from peled.led import lifetime, routes
from peled.nmr import assignment, processing
from peled.photoluminescence import confocal, recycling, shift_budget
from peled.structure import urbach, xps, xrd
from peled.structure.xrd import pawley, profiles
from peled.transient_absorption.preprocess import from_transmission
from peled.transient_absorption.schemes import Model
from peled.transient_absorption.terms import Wave

# ---- materials and light -------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_slopes_of_the_gap(x):
    h = 1e-6
    slope = (materials.bulk_gap_eV(x + h) - materials.bulk_gap_eV(x - h)) / (2 * h)
    assert materials.bulk_gap_slope_eV(x) == pytest.approx(slope, rel=1e-6)
    shift = (materials.bulk_wavelength_nm(x - h) - materials.bulk_wavelength_nm(x + h)) / (2 * h)
    from peled.structure.composition import wavelength_slope_nm

    assert wavelength_slope_nm(x) == pytest.approx(shift, rel=1e-6)
    assert materials.bromide_fraction_of_gap(materials.bulk_gap_eV(x)) == pytest.approx(x)


def test_energies_of_cubes():
    """Three dimensions of h²/8mL²: 1.128 eV nm² for a free electron."""
    h, m, e = 6.62607015e-34, 9.1093837015e-31, 1.602176634e-19
    expected = 3 * h**2 / (8 * m * 0.2 * (10e-9) ** 2) / e * 1e3
    assert shift_budget.cube_energy_meV(10.0, 0.2) == pytest.approx(expected, rel=1e-5)
    edge = shift_budget.edge_for_shift(640.0, 20.0, 0.2)
    moved = shift_budget.cube_energy_meV(edge, 0.2)
    assert moved == pytest.approx(shift_budget.shift_in_meV(640.0, 620.0))
    assert shift_budget.shift_in_meV(640.0, 620.0) == pytest.approx(
        1e3 * 1239.841984 * (1 / 620 - 1 / 640), rel=1e-6
    )
    edges = np.array([8.0, 10, 12, 15])
    energies = shift_budget.cube_energy_meV(edges, 0.2)
    assert shift_budget.linearity(edges, energies) == pytest.approx(1.0)
    assert shift_budget.linearity(edges, edges) < 0.99


def test_crystals_in_a_matrix():
    share = shift_budget.volume_fraction(2.0, density_crystal=4.0, density_matrix=1.0)
    assert share == pytest.approx((2 / 4) / (2 / 4 + 1 / 1))
    spacing = shift_budget.mean_spacing_nm(2.0, 12.0, density_crystal=4.0, density_matrix=1.0)
    assert spacing**3 == pytest.approx(12.0**3 / share)  # a crystal and its own matrix


def test_light_along_a_film():
    assert recycling.optical_density_of_path(0.1, 50.0, 0.05) == pytest.approx(1 - 10**-0.1)
    assert recycling.optical_density_of_path(0.1, 50.0, 0.5) == pytest.approx(1 - 10**-1.0)


def test_spots_that_shine_and_the_rayleigh_distance():
    assert confocal.resolution_nm(640.0, 1.22) == pytest.approx(320.0)
    counts = np.array([[10.0, 20], [0, 20], [10, 0], [0, 20]])
    spots = confocal.Spots(np.zeros(2), np.zeros(2), counts, 1.0, 0.1, 1.0, 0.1, 0.0)
    assert spots.on_fraction() == pytest.approx([1.0, 0.5, 0.5, 0.5])


def test_a_cone_of_a_lambertian_emitter():
    half = 0.4
    cone = 2 * np.pi * (1 - np.cos(half))
    found = routes.collected_share({"solid_angle_sr": cone}, 0.1, "")
    inside = integrate.quad(lambda t: 2 * np.cos(t) * np.sin(t), 0, half)[0]
    assert found.value == pytest.approx(inside)
    contact = routes.collected_share({"geometry": "contact"}, 0.1, "")
    draws = np.random.default_rng(1).uniform(0.9, 1.0, 100_000)
    assert contact.value == pytest.approx(draws.mean(), abs=1e-3)
    assert contact.standard_error == pytest.approx(draws.std(), rel=0.01)


def test_a_pattern_assumed_evenly_within_a_range():
    found = routes.effective_angle(None, "", 0.1, "")
    assert found.value == pytest.approx(math.pi)
    draws = np.random.default_rng(2).uniform(0.9 * math.pi, 1.1 * math.pi, 100_000)
    assert found.standard_error == pytest.approx(draws.std(), rel=0.01)


def test_a_decay_starts_at_its_scale_and_burns_in():
    t = np.array([0.0, 5.0, 50.0])
    scale, share, burn, tau, beta = 800.0, 0.2, 5.0, 50.0, 0.8
    found = lifetime.decay_model(t, (scale, share, burn, tau, beta))
    assert found[0] == pytest.approx(800.0)
    assert found[2] == pytest.approx(800 * (0.2 * math.exp(-10) + 0.8 * math.exp(-1)))
    assert found[1] == pytest.approx(800 * (0.2 / math.e + 0.8 * math.exp(-(0.1**0.8))))


# ---- energies ------------------------------------------------------------------------------------


def test_errors_of_formation_energies():
    assert frenkel.difference_error_eV(0.1, 0.0) == pytest.approx(0.1 * math.sqrt(2))
    assert frenkel.difference_error_eV(0.1, 1.0) == 0.0
    rng = np.random.default_rng(3)
    pairs = rng.multivariate_normal((0, 0), 0.01 * np.array([[1, 0.6], [0.6, 1]]), 100_000)
    found = frenkel.difference_error_eV(0.1, 0.6)
    assert found == pytest.approx((pairs[:, 0] - pairs[:, 1]).std(), rel=0.01)
    energy = frenkel.energy_for_error(10.0, 300.0)
    assert math.exp(energy / (2 * 8.617333e-5 * 300)) == pytest.approx(10.0, rel=1e-5)


# ---- noise ---------------------------------------------------------------------------------------


def test_noise_on_a_smooth_curve():
    rng, x = np.random.default_rng(4), np.linspace(-4, 4, 2000)
    y = 50 * np.exp(-0.5 * x**2) + 0.3 * rng.standard_normal(x.size)
    assert lineshapes.estimate_variance(y) == pytest.approx(0.09, rel=0.1)
    assert lineshapes.estimate_variance(np.round(0.2 * rng.standard_normal(2000))) > 0


@pytest.mark.parametrize("lines", [0, 3])
def test_noise_of_a_decay_with_and_without_lines(lines):
    rng, t = np.random.default_rng(5), np.arange(8192) / 8192.0
    decay = 0.7 * (rng.standard_normal(8192) + 1j * rng.standard_normal(8192))
    for k in range(lines):
        decay = decay + 40 * np.exp((2j * np.pi * (300 + 700 * k) - 8) * t)
    assert processing.noise_of_decay(decay) == pytest.approx(0.7, rel=0.05)


def test_noise_of_a_pattern_is_floor_and_gain():
    rng, x = np.random.default_rng(6), np.linspace(0, 30, 3000)
    level = 200 + 800 * np.exp(-0.5 * ((x - 15) / 4) ** 2)
    true = np.sqrt(9.0 + 0.5 * level)
    found = pawley.noise_of(level + true * rng.standard_normal(x.size))
    assert np.median(found / true) == pytest.approx(1.0, abs=0.06)
    assert found[1500] / found[10] == pytest.approx(true[1500] / true[10], rel=0.2)


def test_independent_points_of_smoothed_noise():
    spectrum = nmr.process(_noise_only(), line_broadening_Hz=4.0)
    n = 600
    r = spectrum.autocovariance.real / spectrum.autocovariance[0].real
    r = np.r_[r, np.zeros(max(n - len(r), 0))][:n]
    k = np.arange(n)
    matrix = r[np.abs(k[:, None] - k)]
    expected = np.trace(matrix) ** 2 / np.sum(matrix**2)  # of a mean square: Satterthwaite
    assert spectrum.independent_points(n) == pytest.approx(expected, rel=1e-6)


def _noise_only():
    from peled.formats.nmr import Fid

    rng = np.random.default_rng(7)
    values = rng.standard_normal(2048) + 1j * rng.standard_normal(2048)
    return Fid(Path("noise"), values[None], 4000.0, 400.0, 400.0, "1H")


# ---- structure -----------------------------------------------------------------------------------


def test_a_metals_tail_keeps_the_area_and_leans_to_high_energy():
    x = np.arange(60.0, 120.0, 0.05)
    line = np.exp(-0.5 * ((x - 84) / 0.4) ** 2)
    tail = xps.metal_tail(x, line, 0.1)
    assert tail.sum() == pytest.approx(line.sum(), rel=0.02)
    mean = (x @ tail) / tail.sum()
    assert mean == pytest.approx(84 + 0.1 * 8.0, rel=0.002)  # mean loss: index times band
    assert xps.metal_tail(x, line, 0.0) is line


def test_streaks_of_a_cube_lean_its_lines():
    t, edge, s0 = np.linspace(0, 20, 5), 100.0, 0.3
    found = profiles.streaks(t, edge, s0)
    assert found[0] == 1
    expected = 1 - np.sqrt(t / (s0 * edge**2)) / np.pi * (1 - 1j) / np.sqrt(2)
    assert found == pytest.approx(expected)


def test_saturation_begins_where_the_plateau_does():
    e = np.linspace(1.6, 2.4, 161)
    s = np.minimum(np.exp((e - 2.0) / 0.02), 1.0)
    assert urbach.saturation_onset(e, s) == pytest.approx(2.0, abs=0.006)
    assert math.isnan(urbach.saturation_onset(e, np.exp(8 * e)))


def test_lines_near_each_other_collide():
    lines = [("a", 3.0, 0.03), ("b", 3.04, 0.04), ("c", 3.2, 0.01)]
    found = assignment.collisions(lines, 0.01)
    assert [(c.first, c.second) for c in found] == [("a", "b")]
    assert found[0].limit_ppm == pytest.approx(0.05)  # in quadrature
    assert found[0].distance_ppm == pytest.approx(0.04)
    assert len(assignment.collisions(lines, 0.17)) == 2


def test_mean_free_path_of_silicon():
    """TPP-2M as printed (Å, eV, g/cm³), and its well-known value of 2.4 nm at 1 keV."""
    e, rho, mass, valence, gap = 1000.0, 2.33, 28.086, 4, 1.1
    u = valence * rho / mass
    plasmon = 28.8 * math.sqrt(u)
    beta = -0.10 + 0.944 / math.hypot(plasmon, gap) + 0.069 * rho**0.1
    gamma, c, d = 0.191 * rho**-0.5, 1.97 - 0.91 * u, 53.4 - 20.8 * u
    expected = e / (plasmon**2 * (beta * math.log(gamma * e) - c / e + d / e**2))
    found = xps.mean_free_path_nm(
        e, density_g_cm3=rho, molar_mass=mass, valence_electrons=valence, gap_eV=gap
    )
    assert found == pytest.approx(expected / 10, rel=1e-4)
    assert found == pytest.approx(2.4, abs=0.1)


def test_reflections_of_a_primitive_cube():
    families = xrd.reflection_families(9)
    assert (1, 0, 0) in families and (2, 2, 0) in families
    assert all(sum(i * i for i in hkl) <= 9 for hkl in families)
    spacing = 6.0 / math.sqrt(2)
    angle = 2 * math.degrees(math.asin(1.5406 / (2 * spacing)))
    assert xrd.two_theta(6.0, (1, 1, 0), 1.5406) == pytest.approx(angle)


# ---- transient absorption ------------------------------------------------------------------------


def test_absorbance_of_a_change_of_transmission():
    assert from_transmission(-0.5) == pytest.approx(math.log10(2))
    assert from_transmission(0.1) == pytest.approx(-math.log10(1.1))
    assert np.isnan(from_transmission(-1.0))


@pytest.mark.parametrize("axis", ["wavelength", "wavenumber"])
def test_terms_of_the_dispersion(axis):
    model = Model((1.0,), dispersion=(0.1, 0.2), reference_nm=550.0, dispersion_axis=axis)
    wavelength = np.array([500.0, 550.0, 650.0])
    xi = (wavelength - 550) / 100 if axis == "wavelength" else 1e3 / wavelength - 1e3 / 550
    assert model.dispersion_terms(wavelength) == pytest.approx(np.array([xi, xi**2]))


def test_rates_of_a_damped_wave_and_their_derivatives():
    at = np.log([0.8, 3.0])
    rate, slopes = Wave.rate(at)
    assert rate == pytest.approx(1 / 3.0 - 2j * np.pi / 0.8)
    for k in range(2):
        h = np.zeros(2)
        h[k] = 1e-6
        change = (Wave.rate(at + h)[0] - Wave.rate(at - h)[0]) / 2e-6
        assert slopes[k] == pytest.approx(change, rel=1e-6)
