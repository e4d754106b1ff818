"""Small formulas, each against its definition: by hand, by integration, by a limit, by
repetition."""

import math
from dataclasses import astuple, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import constants, integrate, special, stats

from peled import conditioning, lineshapes, materials, nmr
from peled.conditioning import noise as conditioning_noise
from peled.conditioning import propagation, spikes
from peled.energetics import frenkel
from peled.formats import nmr as nmr_formats
from peled.formats.diffraction import Pattern
from peled.led import current_voltage, device, held, lifetime, light, printed, routes
from peled.lineshapes.bands import pseudo_voigt
from peled.nmr import assignment, processing
from peled.optics import dipole, indices
from peled.photoluminescence import (
    confocal,
    dynamics,
    gap,
    lifetimes,
    measures,
    poisson,
    reciprocity,
    recycling,
    segregation,
    shift_budget,
    transients,
    yields,
)
from peled.photoluminescence.response import Response
from peled.photoluminescence.transients import Transient
from peled.structure import diffract, standards, urbach, xps, xrd
from peled.structure.xrd import crystal, evidence, pawley, phases, profiles
from peled.transient_absorption import errors as trust
from peled.transient_absorption import global_fit, irf, matrices, noise, setup, workflow
from peled.transient_absorption.dispersed import NormalBlock
from peled.transient_absorption.preprocess import from_transmission
from peled.transient_absorption.scans import average_scans
from peled.transient_absorption.schemes import Model, Relation
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


def test_a_watt_of_green_light_has_683_lumens():
    assert routes.photopic(np.array([555.0]))[0] == pytest.approx(683.0, rel=1e-4)
    assert routes.photopic(np.array([507.0]))[0] == pytest.approx(683.0 * 0.444, rel=0.01)


# ---- noise ---------------------------------------------------------------------------------------


def test_noise_on_a_smooth_curve():
    rng, x = np.random.default_rng(4), np.linspace(-4, 4, 2000)
    y = 50 * np.exp(-0.5 * x**2) + 0.3 * rng.standard_normal(x.size)
    assert lineshapes.estimate_variance(y) == pytest.approx(0.09, rel=0.1)
    digits = (rng.random(20_000) < 0.1) * 5.0  # mostly flat: what is left are the steps
    assert lineshapes.estimate_variance(digits) == pytest.approx(25 * 0.09, rel=0.1)


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
        e, density_g_cm3=rho, molar_mass_g_mol=mass, valence_electrons=valence, gap_eV=gap
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


# ---- refractive indices --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, coefficients, wavelength_nm, expected",
    [
        # Fused silica (Malitson 1965), BK7 (Schott) at the sodium d line, air (Ciddor 1996).
        (1, (0, 0.6961663, 0.0684043, 0.4079426, 0.1162414, 0.8974794, 9.896161), 587.6, 1.45846),
        (2, (0, 1.03961212, 0.00600069867, 0.231792344, 0.0200179144, 1.01046945, 103.560653),
         587.6, 1.51680),
        (6, (0, 0.05792105, 238.0185, 0.00167917, 57.362), 587.6, 1.00027716),
    ],
)  # fmt: skip
def test_dispersion_formulas_give_the_indices_they_are_known_for(
    number, coefficients, wavelength_nm, expected
):
    found = indices._Formula(number, coefficients)(wavelength_nm)
    assert found == pytest.approx(expected, abs=6e-6)


def test_polynomial_cauchy_and_general_dispersion():
    x = np.array([0.45, 0.6, 0.8])
    square = 2.2 + 0.03 * x**-2 - 0.01 * x**2
    of = (2.2, 0.03, -2.0, -0.01, 2.0)
    assert indices._Formula(3, of)(1000 * x) == pytest.approx(np.sqrt(square))
    assert indices._Formula(5, of)(1000 * x) == pytest.approx(square)
    general = (2.2, 0.5, 2.0, 0.2, 2.0, 0.7, 1.0, 0.3, 3.0, 0.02, -2.0)
    expected = 2.2 + 0.5 * x**2 / (x**2 - 0.2**2) + 0.7 * x / (x**2 - 0.3**3) + 0.02 * x**-2
    assert indices._Formula(4, general)(1000 * x) == pytest.approx(np.sqrt(expected))


# ---- light-emitting devices ----------------------------------------------------------------------


def test_an_offset_that_drifts_is_that_at_its_end():
    rng, stop = np.random.default_rng(21), 20
    found = np.array([
        light._offset(3 + 0.4 * np.arange(stop) + rng.standard_normal(stop), stop)
        for _ in range(1500)
    ])  # fmt: skip
    drifts = found[:, 0] > 3 + 0.4 * 15  # seen as one
    assert drifts.mean() > 0.95
    value, error, sd = found[drifts].T
    assert value.mean() == pytest.approx(3 + 0.4 * 19, abs=0.1)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.1)
    assert sd.mean() == pytest.approx(1.0, abs=0.05)
    # It may go on over what follows, evenly to either side.
    y = 3 + 0.4 * np.arange(60) + 1e-3 * rng.standard_normal(60)
    assert light._offset(y, stop)[1] == pytest.approx(0.4 * 40 / 2 / math.sqrt(3), rel=0.01)


def test_runs_of_few_signs_have_unit_variance():
    rng, signs = np.random.default_rng(22), np.repeat([1.0, -1.0], [5, 6])
    z = [current_voltage._runs_z(rng.permutation(signs)) for _ in range(5000)]
    assert np.std(z) == pytest.approx(1, abs=0.03)


def test_budget_of_a_peak_is_of_the_reading_nearest_to_it():
    seen = light.Light(np.array([0.1, 40.0, 90.0, 200.0]), 2.0, 0.03, 0.0, 1.5, np.zeros(4, bool),
                       np.array([False, True, True, True]))  # fmt: skip
    drive = np.array([0.01, 1.0, 3.0, 10.0])
    context = SimpleNamespace(run=SimpleNamespace(
        sweep=SimpleNamespace(current_density_mA_cm2=drive)), settings={"current_relative": 0.02}
    )  # fmt: skip
    peak = SimpleNamespace(eqe=0.2, eqe_error=math.nan, current_density_mA_cm2=2.5)
    found = device._peak_budget(context, seen, peak, 0.04)
    assert found["offset"] == pytest.approx(0.2 * 1.5 / 90.0)
    assert found["reading"] == pytest.approx(0.2 * math.hypot(2.0, 0.03 * 90.0) / 90.0)
    assert found["calibration"] == pytest.approx(0.2 * math.hypot(0.02, 0.04))
    fitted = SimpleNamespace(**{**vars(peak), "eqe_error": 0.007})
    assert device._peak_budget(context, seen, fitted, 0.04)["reading"] == 0.007


def test_a_shift_of_a_spectrum_is_uniform_to_either_side():
    draws = np.random.default_rng(23).uniform(-4.0, 4.0, 100_000)
    one = routes.Response("", np.array([1.0]), np.array([2.0]), {"noise": np.array([0.01])},
                          np.array([-0.03]))  # fmt: skip
    assert one._elsewhere(4.0)["spectrum elsewhere"] == pytest.approx(0.03 * draws.std(), rel=0.01)
    lent = one.borrowed(4.0).errors
    assert lent["spectrum of another device"] == pytest.approx([0.03 * draws.std()], rel=0.01)
    assert lent["noise"] == [0.01]


def test_what_lies_between_two_spectra_is_weighted_by_nearness():
    two = routes.Response("current_mA_cm2", np.array([2.0, 6.0]), np.array([2.0, 4.0]),
                          {"noise": np.array([0.01, 0.02])}, np.zeros(2))  # fmt: skip
    low, high = two.grid()
    inside = two.error_at(low + 0.25 * (high - low), 4.0)
    parts = 0.75 * 2.0 * 0.01, 0.25 * 4.0 * 0.02
    assert inside["noise"] == pytest.approx(math.hypot(*parts) / 2.5)
    assert "spectrum elsewhere" not in inside
    beyond = two.error_at(high + 0.5 * (high - low), 4.0)["spectrum elsewhere"]
    assert beyond == pytest.approx(1.0 / 4.0 / math.sqrt(3))  # half a step on, evenly


def test_a_settled_mean_has_the_scatter_about_its_line_and_the_rise_evenly():
    rng, t = np.random.default_rng(24), np.linspace(0, 60, 30)
    found = held._settled(t, 5 + 0.01 * t)
    rise = np.random.default_rng(25).uniform(-0.3, 0.3, 100_000)
    assert found["drift"] == pytest.approx(rise.std(), rel=0.01)
    assert found["reading"] == pytest.approx(0, abs=1e-9)
    drawn = [5 + 0.2 * rng.standard_normal(30) for _ in range(800)]
    claimed = np.sqrt(np.mean([held._settled(t, y)["reading"] ** 2 for y in drawn]))
    assert claimed == pytest.approx(np.std([y.mean() for y in drawn]), rel=0.1)


@pytest.mark.parametrize("value, offset_error, readings, quoted", [
    (12.0, 0.1, 121, True), (2.0, 0.0, 121, False), (12.0, 5.0, 121, False), (12.0, 0.0, 20, False)
])  # fmt: skip
def test_settled_light_stands_above_the_noise_of_its_mean(
    value, offset_error, readings, quoted, monkeypatch
):
    """In units of the noise of a mean of 25 readings, of which each has five."""
    t, none = 900 + np.linspace(0, 600, readings), np.zeros(readings, bool)
    seen = light.Light(np.full(readings, value), 5.0, 0.0, 0.0, offset_error, none, ~none)
    sweep = SimpleNamespace(time_s=t, voltage_V=np.full(readings, 3.0))
    run = SimpleNamespace(lights={"luminance": seen}, sweep=sweep, row=SimpleNamespace(label=""))
    made = {}
    context = SimpleNamespace(
        run=run, settings={"current_relative": 0.12},
        without=lambda name, unit, *findings: None,
        make=lambda name, unit, law, note, **errors: made.update({name: (law(), errors)}),
    )  # fmt: skip
    monkeypatch.setattr(held, "external", lambda c, name, mean, curve, geometry, note, **errors:
                        made.update({name: (mean, errors)}))  # fmt: skip
    eqe = np.where(t >= t[-1] - 120, 0.08, 0.1)
    curve = SimpleNamespace(eqe=eqe, route="luminance")
    held.quantities(context, "luminance", curve, SimpleNamespace(value=1.0), 0.05)
    assert bool(made) == quoted
    if quoted:
        luminance, errors = made["stabilised luminance"]
        assert luminance == value and errors["calibration"] == pytest.approx(0.05 * value)
        assert errors["offset"] == offset_error
        percent, errors = made["stabilised EQE"]
        assert percent == pytest.approx(8.0)
        assert errors["calibration"] == pytest.approx(0.13 * 8.0)
        assert errors["offset"] == pytest.approx(offset_error / value * 8.0)
        change, errors = made["EQE change while held"]
        assert change == pytest.approx(-20.0)
        assert errors["first reading"] == pytest.approx(80.0 * 5.0 / value)


@pytest.mark.parametrize("law, solves", [
    (current_voltage._quench, lambda x, g: x + x**2 - 2 * g),
    (current_voltage._polaron, lambda x, g: x**2 - g),
    (current_voltage._auger, lambda x, g: x**2 + x**3 - g),
    (current_voltage._exciton_auger, lambda x, g: np.sqrt(x) + np.sqrt(x) ** 3 - g),
])  # fmt: skip
def test_roll_off_laws_solve_their_rate_equations(law, solves):
    """EQE = EQE₀/(1 + x), x the lost over the radiative rate, at drives from nothing to all."""
    drive = np.geomspace(1e-4, 1e4, 33)
    eqe = np.exp(law(drive, (math.log(0.2), math.log(3.0))))
    x, g = 0.2 / eqe - 1, drive / 3.0
    assert np.abs(solves(x, g) / g).max() < 1e-6
    assert eqe[0] == pytest.approx(0.2, rel=0.02) and (np.diff(eqe) < 0).all()


def test_places_of_spectra_are_logarithms_of_currents():
    of = {"at": np.array([1.0, 10.0]), "value": np.ones(2), "errors": {}, "slope": np.zeros(2)}
    by_current, by_bias = routes.Response("current_mA_cm2", **of), routes.Response("bias_V", **of)
    volts, current = np.array([2.0, 3.0]), np.array([1.0, 10.0])
    assert by_current.place(volts, current) == pytest.approx(by_current.grid())
    assert by_bias.place(volts, current) == pytest.approx(volts)
    assert np.isfinite(by_current.place(volts, np.zeros(2))).all()


@pytest.mark.parametrize("median, said", [(0.9, "-10 % off"), (1.25, "+25 % off")])
def test_a_printed_column_is_off_by_its_ratio_less_one(median, said):
    check = SimpleNamespace(median=median, explanations=(("a factor", 1.0),),
                            trend_per_decade=-0.05, trend_error=0.01)  # fmt: skip
    text = printed._said(check, "a").evidence
    assert said in text and "a factor" in text and "-5 % a decade" in text


# ---- light in layers -----------------------------------------------------------------------------


def test_a_slide_in_air_lets_out_what_fresnel_lets_through():
    """Dipoles in one medium of 1.5 with air beyond: what is sent back leaves at the other side."""
    found = dipole.dipole_emission([1.5, 1.5, 1.5], [50.0], 1, 600.0, outside=1.0)
    edge = math.asin(1 / 1.5)

    def through(a):
        b = math.asin(1.5 * math.sin(a))
        s = (1.5 * math.cos(a) - math.cos(b)) / (1.5 * math.cos(a) + math.cos(b))
        p = (math.cos(a) - 1.5 * math.cos(b)) / (math.cos(a) + 1.5 * math.cos(b))
        return (1 - (s**2 + p**2) / 2) * math.sin(a) / 2

    down = integrate.quad(through, 0, edge)[0]
    assert found.air_bottom == pytest.approx(down, rel=1e-3)
    cone = (1 - math.cos(edge)) / 2
    assert found.air_top == pytest.approx(0.5 + cone - down, rel=1e-3)
    assert found.substrate == pytest.approx(0.5 - cone, rel=1e-3)


def test_light_of_a_film_on_glass_goes_somewhere():
    for thickness in (30.0, 250.0):
        found = recycling.wave_optics(1.9, 1.5, thickness, 620.0)
        *parts, _ = astuple(found)
        assert sum(parts) == pytest.approx(1.0, abs=1e-3) and min(parts) >= 0
    assert parts[3] > 0.3  # a waveguide


def test_light_trapped_in_a_slide_is_lost_in_proportion_to_weak_absorption():
    weak, twice, strong = (
        dipole.substrate_reabsorption([1.5, 1.9, 1.0], [30.0], 1, 620.0, k)
        for k in (1e-5, 2e-5, 0.05)
    )
    assert twice / weak == pytest.approx(2, rel=0.02) and 0 < weak < 0.02 < strong < 1
    # All of it is lost where each of many bounces takes a part, whatever the power of the dipoles.
    black = dipole.substrate_reabsorption([1.5, 1.9, 1.0], [300.0], 1, 620.0, 0.3)
    assert 0.85 < black <= 1 + 1e-9


# ---- spectra -------------------------------------------------------------------------------------


def test_errors_that_neighbours_share_add_in_a_sum():
    """Variance 1 + 0.5² a point, of which the 1 goes with the neighbour by 0.4."""
    values = np.zeros((1, 50))
    made = conditioning.Signal(
        np.arange(50.0), values, variance=np.full((1, 50), 1.25), correlation=np.array([0.4]),
        independent=np.full((1, 50), 0.25),
    )  # fmt: skip
    weights = np.random.default_rng(26).standard_normal((50, 2))
    whole = 1.25 * np.eye(50) + 0.4 * (np.eye(50, k=1) + np.eye(50, k=-1))
    found = propagation.covariance(made, weights)["counting"][0]
    assert found == pytest.approx(weights.T @ whole @ weights)
    # What a fit has taken out is no noise of the points; waves go with their cause, each its own.
    fitted, waves = 0.1 * np.ones((1, 1, 50)), np.array([np.ones(50), np.linspace(-1, 2, 50)])
    more = replace(made, fitted=fitted, modes=waves[:, None], mode_names=("slow", "slow"))
    causes = propagation.covariance(more, weights)
    taken = fitted[0, 0] @ weights
    expected = weights.T @ whole @ weights - np.outer(taken, taken)
    assert causes["counting"][0] == pytest.approx(expected)
    by_wave = waves @ weights
    assert causes["slow"][0] == pytest.approx(by_wave.T @ by_wave)


def _spike(*points, width=4):
    """The runs that begin in the middle of three points or more, noise 2."""
    y = np.zeros((1, 30))
    y[0, 9 : 9 + len(points)] = points
    column = np.arange(10, 8 + len(points))
    height = y[0, column]
    return spikes._runs(y, 0 * column, column, height, np.full((1, 30), 2.0), width)


@pytest.mark.parametrize("beside, wider", [(3.0, 0), (7.0, 1)])
def test_a_spike_takes_its_neighbour_where_that_is_three_noises_up(beside, wider):
    assert _spike(beside, 100.0, 0.0) == [(0, 10 - wider, 11, 100.0)]
    assert _spike(0.0, 100.0, 90.0, beside) == [(0, 10, 12 + wider, 100.0)]


@pytest.mark.parametrize("step, is_spike", [(63.0, False), (65.0, True)])
def test_a_spike_rises_or_falls_by_sixty_percent_and_two_noises(step, is_spike):
    assert bool(_spike(100.0 - step, 100.0, 70.0)) == is_spike
    assert bool(_spike(70.0, 100.0, 100.0 - step)) == is_spike


@pytest.mark.parametrize("other", [2, 3, 5, 6])
def test_a_line_that_a_near_spectrum_has_too_is_no_spike(other):
    y = np.full((9, 30), 3.0)
    y[4, 10] = y[other, 10] = 23.0
    assert spikes._elsewhere(y, 4, 10, 11, 4, 19.0)
    assert not spikes._elsewhere(y, 4, 10, 11, 4, 21.0)
    assert not spikes._elsewhere(y, 4, 15, 16, 4, 1.0)


@pytest.mark.parametrize(
    "low, high, expected", [(8, 9, (6, 10)), (0, 1, (0, 4)), (19, 20, (16, 20)), (3, 9, (3, 9))]
)
def test_a_run_is_widened_to_both_sides_within_the_spectrum(low, high, expected):
    found = lineshapes.measures._at_least(low, high, 4, 20)
    assert found[0] <= low and found[1] >= high and 4 <= found[1] - found[0] <= 6
    assert found[0] >= 0 and found[1] <= 20
    assert abs((low - found[0]) - (found[1] - high)) <= 1 or 0 in found or 20 in found


# ---- nuclear magnetic resonance ------------------------------------------------------------------


def _lorentz(at=7.3, width=0.01, slope=0.0):
    """A line of unit area (over Hz at 400 MHz) on a straight baseline, hardly any noise."""
    ppm = np.linspace(-0.5, 9.5, 32768)
    line = width / 2 / math.pi / ((ppm - at) ** 2 + (width / 2) ** 2) / 400.0
    noise = 1e-9 * np.random.default_rng(27).standard_normal(ppm.size)
    spectrum = nmr_formats.Spectrum(Path("a"), ppm, line + 0.2 + slope * ppm + noise, 400.0, "1H")
    return processing.from_spectrum(spectrum)


@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_an_integral_leaves_the_straight_line_under_it_and_has_its_wings(slope):
    done, half = _lorentz(slope=slope), 0.25
    inside = 2 / math.pi * math.atan(half / 0.005)
    (with_wings,) = nmr.integrate(done, [(7.05, 7.55)], wings=True).regions
    assert with_wings.area == pytest.approx(1.0, abs=5e-4)
    (plain,) = nmr.integrate(done, [(7.05, 7.55)], flank_ppm=0.4).regions
    assert inside - 0.02 < plain.area < inside
    (wide,) = nmr.integrate(done, [(7.05, 7.55)], flank_ppm=0.4, wings=True).regions
    (narrow,) = nmr.integrate(done, [(7.05, 7.55)], flank_ppm=0.2).regions
    assert plain.wing_error == pytest.approx(abs(wide.area - plain.area), rel=1e-3)
    assert plain.baseline_error == pytest.approx(abs(narrow.area - plain.area), rel=0.01)


@pytest.mark.parametrize("off", [-0.4, 0.25])
def test_a_peak_between_points_is_where_a_parabola_puts_it(off):
    step = 10 / 32767
    at = -0.5 + step * (20000 + off)
    (found,) = nmr.pick_peaks(_lorentz(at=at, width=10 * step), threshold=20).ppm
    assert found == pytest.approx(at, abs=0.03 * step)


def _turned_lines(places_ppm, height, angle, width_Hz=2.0):
    """Decay of lines with one phase over noise of 1 in each part, 4 kHz and 400 MHz."""
    rng, t = np.random.default_rng(37), np.arange(8192) / 4000.0
    lines = np.exp((2j * np.pi * 400.0 * np.array(places_ppm)[:, None] - np.pi * width_Hz) * t)
    made = np.exp(1j * angle) * height * lines.sum(0)
    made = made + rng.standard_normal(t.size) + 1j * rng.standard_normal(t.size)
    return nmr_formats.Fid(Path("made"), made[None], 4000.0, 400.0, 400.0, "1H")


@pytest.mark.parametrize("broadening, gauss", [(20.0, 0.0), (0.0, 20.0)])
def test_a_window_makes_lines_as_wide_as_it_says(broadening, gauss):
    """Full width at half height of a line that has none of its own."""
    fid = _turned_lines([1.0], 1e6, 0.0, width_Hz=0.01)
    done = nmr.process(fid, line_broadening_Hz=broadening, gaussian_Hz=gauss, zero_fill=3)
    inside = done.ppm[done.real > done.real.max() / 2]
    assert np.ptp(inside) * 400.0 == pytest.approx(20.0, abs=0.5)


@pytest.mark.parametrize("over_noise, phased", [(15.0, True), (6.0, False)])
def test_lines_are_phased_from_ten_times_the_noise_on(over_noise, phased):
    places = [-3.0, -1.6, 0.3, 1.9, 3.4]
    quiet = nmr.process(_turned_lines(places, 1.0, 0.0))
    clean = nmr.process(_turned_lines(places, 1e6, 0.0))
    height = over_noise * quiet.noise_sd / (np.abs(clean.values).max() / 1e6)
    found = nmr.autophase(nmr.process(_turned_lines(places, height, math.radians(40))))
    assert found.accepted == phased
    if phased:
        assert found.p0_deg == pytest.approx(40, abs=12) and found.lines == len(places)


def test_phases_of_groups_of_lines_are_those_of_their_wings():
    """Each group has its own, and is off by no more than its error says."""
    places = np.linspace(-4.0, 4.0, 8)
    fid = _turned_lines(places, 300.0, 0.5)
    done = nmr.process(fid, line_broadening_Hz=0.3)
    peaks = np.searchsorted(done.ppm, places)
    peaks = np.array([p - 3 + np.argmax(np.abs(done.values[p - 3 : p + 4])) for p in peaks])
    half = processing._half_widths(np.abs(done.values), peaks)
    centres, phases, errors = processing._group_phases(done, peaks, half)
    assert centres == pytest.approx(peaks, abs=1)
    assert np.abs(phases - 0.5).max() < 0.05
    assert np.all(np.abs(phases - 0.5) < 3 * errors) and errors.max() < 0.1


# ---- structure, once more ------------------------------------------------------------------------


@pytest.mark.parametrize("low, high", [(20.0, 94.7), (28.7, 100.0), (20.0, 100.0), (27.7, 100.0),
                                       (20.0, 69.85)])  # fmt: skip
def test_a_standard_is_recognised_by_the_lines_within_the_pattern(low, high):
    """One line may be too faint; those at and beyond the ends are not asked for."""
    silicon = next(s for s in standards.read_standards() if s.name.lower().startswith("si"))
    x, lines = np.arange(low, high, 0.02), silicon.lines_deg(1.5406, 20, 100)
    y = np.full(x.size, 40.0)
    for at in lines[np.abs(lines - 88.0) > 0.5]:
        y += 800 / (1 + ((x - at) / 0.04) ** 2) * (low + 0.5 < at < high - 0.5)
    counts = np.random.default_rng(38).poisson(y).astype(float)
    pattern = Pattern(Path("si"), "", x, counts, "counts", None, (1.5406,))
    assert standards.recognised(pattern, standards.read_standards()) is silicon


def test_lines_beside_those_of_a_standard_are_not_its_own():
    """Each of silicon's lines has a neighbour as strong, 0.6 degrees off."""
    silicon = next(s for s in standards.read_standards() if s.name.lower().startswith("si"))
    x = np.arange(20.0, 100.0, 0.02)
    y = np.full(x.size, 40.0)
    for at in silicon.lines_deg(1.5406, 20, 100):
        y += sum(800 / (1 + ((x - at - off) / 0.04) ** 2) for off in (0.0, 0.6))
    counts = np.random.default_rng(38).poisson(y).astype(float)
    pattern = Pattern(Path("si"), "", x, counts, "counts", None, (1.5406,))
    assert standards.recognised(pattern, standards.read_standards()) is None


class _Bench(SimpleNamespace):
    """Notes what an analysis makes of a fit."""

    def __init__(self):
        super().__init__(made={})

    def make(self, held, name, unit, of, estimates, gates=(), **said):
        self.made[name] = (of(dict(zip(estimates.names, estimates.values))), gates)

    def nothing(self, held, name, *said):
        self.made[name] = (None, said)


@pytest.mark.parametrize("low", [5.0, 13.0])
def test_another_phase_stands_by_its_first_line_in_the_range(low):
    table, bench, wavelength = diffract._phases(), _Bench(), 1.5406
    x = np.linspace(low, 60.0, 200)
    count = sum(len(lines) for lines in table.values())
    extra = [(10.0 + k, 0.1) for k in range(count)]
    fit = SimpleNamespace(two_theta_deg=x, model=np.full(200, 150.0), background=np.full(200, 50.0),
                          extra=extra)  # fmt: skip
    held = SimpleNamespace(row=SimpleNamespace(label="a"))
    diffract._other_phases(bench, held, fit, (wavelength,))
    numbered = iter(extra)
    for name, lines in table.items():
        here = [(hkl, height) for (hkl, d), (height, _) in zip(lines, numbered)
                if low + 0.3 < 2 * math.degrees(math.asin(wavelength / 2 / d)) < 59.7]  # fmt: skip
        if here:
            hkl, height = here[0]
            value, _ = bench.made.pop(f"{name} ({hkl}) : strongest line")
            assert value == pytest.approx(height / 100.0)
    assert not bench.made


def test_levels_are_twice_as_significant_in_four_times_the_counts():
    x = np.arange(60.0, 80.0, 0.1)
    levels = [xps.Doublet("Br 3d", 69.0, 1.05, 0.68, 1.0)]
    line = sum(
        h * pseudo_voigt(x, 68.5 + s, 1.0, 0.3, False)[0] for h, s in ((1.0, 0.0), (0.68, 1.05))
    )
    found = [
        xps.find_shift(x, np.random.default_rng(28).poisson(n * (200 + 400 * line)), levels)
        for n in (1, 4)
    ]
    assert all(f.value_eV == pytest.approx(-0.5, abs=0.11) for f in found)
    for name in ("significance", "rival"):
        few, many = (getattr(f, name) for f in found)
        assert many / few == pytest.approx(2, rel=0.15)
    expected = math.sqrt(np.sum((400 * line) ** 2 / (200 + 400 * line)))
    assert found[0].significance == pytest.approx(expected, rel=0.3)


def test_a_line_of_another_phase_moves_as_those_of_the_cell():
    """Zero and height of the sample: Δ2θ = zero − 2 s cos θ/R; full width at half maximum."""
    x = np.arange(20.0, 34.0, 0.002)
    geometry = SimpleNamespace(lines=[(1.5406, 1.0)], radius=200.0)
    line = pawley._extra_line(x, 3.3, 0.07, 0.4, geometry, 0.5)
    theta = math.asin(1.5406 / 6.6)
    at = 2 * math.degrees(theta) + 0.07 - math.degrees(2 * 0.4 / 200) * math.cos(theta)
    assert x[np.argmax(line)] == pytest.approx(at, abs=0.002)
    assert line.max() == pytest.approx(1.0, abs=1e-4)
    assert np.ptp(x[line > 0.5]) == pytest.approx(0.5, abs=0.005)


def test_lines_of_a_thin_film_grow_as_its_lit_volume():
    x = np.arange(12.0, 20.0, 0.02)
    plain, thin = (
        profiles.Profiles(x, [(1, 0, 0)], (1.5406,), 240.0, "lorentzian", 0.0, film).matrix(
            6.0, 0.0, 0.0, 200.0, 0.05, 0.0
        )[:, 0]
        for film in (False, True)
    )
    lit = plain > 1e-6 * plain.max()
    assert thin[lit] / plain[lit] == pytest.approx(1 / np.sin(np.radians(x[lit] / 2)))
    assert x[np.argmax(plain)] == pytest.approx(xrd.two_theta(6.0, (1, 0, 0), 1.5406), abs=0.02)


def test_an_absorptance_is_joined_where_both_are_seen():
    e = np.linspace(1.6, 2.1, 200)
    absorbed = 1 / (1 + np.exp(-(e - 1.95) / 0.02))
    emitted = 5.0 * absorbed * e**2 * np.exp(-(e - 1.9) / 0.0259)
    emitted[e > 1.98] *= 0.3  # light that the film takes back
    line = reciprocity.Line(0.0259, 1e-4, (1.85, 1.97), 40, 0.0, 1.91)
    found = reciprocity.with_tail(e, np.where(e < 1.84, 0.0, absorbed), emitted, line, 0.0259)
    assert found == pytest.approx(absorbed)


# ---- transient absorption, once more -------------------------------------------------------------


def _step(level=0.0, rise=2.0):
    """A rise over a constant, seen at twenty wavelengths."""
    t = np.r_[np.arange(-3, 6, 0.1), np.geomspace(6, 300, 25)]
    after = np.where(t >= rise, np.exp(-(t - rise) / 40.0), 0.0)
    signal = np.outer(after, np.linspace(1, 2, 20)) + level
    rng = np.random.default_rng(29)
    return matrices.matrix(
        t, np.linspace(500, 600, 20), signal + 0.005 * rng.standard_normal(signal.shape)
    )


@pytest.mark.parametrize("level", [0.0, 0.1, -0.4])
def test_zero_time_is_where_the_change_rises_whatever_was_before(level):
    found = _step(level)
    assert found.rise.seen
    assert matrices.estimate_t0(found) == pytest.approx(2.0, abs=0.11)


def test_thinned_wavelengths_keep_both_ends():
    m = _step()
    few = setup._thin(m, 5)
    assert few.shape == (len(m.delay_ps), 5)
    assert few.wavelength_nm[[0, -1]] == pytest.approx([500, 600])
    assert np.ptp(np.diff(few.wavelength_nm)) < 11
    assert setup._thin(m, 20) is m and setup._thin(m, 50) is m


def test_a_drawn_chirp_goes_through_its_points():
    points = [(480.0, -0.4), (560.0, 0.1), (700.0, 0.45)]
    made = workflow.with_chirp(Model((5.0,), reference_nm=600.0), points)
    nm, ps = np.array(points).T
    assert made.t0_ps + made.dispersion_terms(nm).T @ made.dispersion == pytest.approx(ps)
    assert {"dispersion_1", "dispersion_2"} <= set(made.fixed)
    line = workflow.with_chirp(made, points[:2])
    assert len(line.dispersion) == 1
    nm, ps = np.array(points[:2]).T
    assert line.t0_ps + line.dispersion_terms(nm).T @ line.dispersion == pytest.approx(ps)


@pytest.mark.parametrize(
    "wrong",
    [
        {"oscillations": ((-1.0, 2.0),)},
        {"lifetimes_ps": (-1.0,)},
        {"free_induction": ((0.0, 1.0),)},
        {"fwhm_ps": -0.1},
    ],
)
def test_times_are_positive(wrong):
    with pytest.raises(ValueError, match="positive"):
        Model(**{"lifetimes_ps": (1.0,), **wrong})


def test_structure_is_sought_from_eight_delays_on():
    rng = np.random.default_rng(30)
    white = rng.standard_normal((12, 400))
    assert noise.structure((white @ white.T)[:7, :7], 1, 400) is None
    found = noise.structure(white @ white.T, 1, 400)
    assert abs(found.z) < 4 and not found.found
    assert found.excess == pytest.approx(1.0, abs=0.2)
    smooth = white + 3 * np.sin(np.linspace(0, 2, 12))[:, None] * rng.standard_normal(400)
    found = noise.structure(smooth @ smooth.T, 1, 400)
    assert found.found and found.excess > 2


@pytest.mark.parametrize(
    "model",
    [
        Model((0.3, 14.0), t0_ps=0.1, fwhm_ps=0.2, infinite=True),
        Model((0.3, 14.0), t0_ps=0.1, fwhm_ps=0.2, dispersion=(0.9, 0.4), reference_nm=640.0,
              infinite=True, offset=True, artefact=2),
        Model((2.0, 14.0), irf=None, t0_ps=0.0),
        Model((2.0,), t0_ps=0.1, fwhm_ps=0.2, oscillations=((0.8, 3.0),)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("each_point", [False, True])
def test_slopes_of_the_cost_are_its_differences(model, each_point):
    rng, t = np.random.default_rng(31), np.r_[np.arange(-1, 2, 0.06), np.geomspace(2, 80, 25)]
    x = np.linspace(560, 720, 9)
    late = np.clip(t - 0.1, 0, None)
    signal = np.where(t > 0.1, 1.0, 0.0)[:, None] * (
        np.outer(np.exp(-late / 0.4), np.linspace(1, -1, 9)) + np.exp(-late / 11.0)[:, None]
    )
    signal = signal + 0.05 * rng.standard_normal(signal.shape)
    error = rng.uniform(0.5, 2, signal.shape) if each_point else None
    fit = global_fit(matrices.matrix(t, x, signal, standard_error=error), model, starts=0,
                     max_evaluations=1)  # fmt: skip
    problem, at = fit.setup.problem, fit.theta + 0.02 * rng.standard_normal(fit.theta.size)
    at = np.clip(at, problem.low + 1e-4, problem.high - 1e-4)
    found = 2 * problem.evaluate(at).gradient
    h = 1e-5 * np.eye(at.size)
    expected = [(problem.evaluate(at + d, False).cost - problem.evaluate(at - d, False).cost) / 2e-5
                for d in h]  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    "artefact, offset, ramp",
    [(0, False, False), (0, True, False), (2, True, False), (2, True, True), (0, False, True)],
)
def test_steps_from_gram_matrices_are_those_of_the_projection(artefact, offset, ramp):
    """Two data sets with spectra in common: what only turns the columns of one turns both."""
    rng, t = np.random.default_rng(33), np.r_[np.arange(-1, 2, 0.06), np.geomspace(2, 80, 25)]
    x = np.linspace(560, 720, 7)
    model = Model((0.5, 14.0), t0_ps=0.1, fwhm_ps=0.25, dispersion=(0.9, 0.4), infinite=True,
                  reference_nm=640.0, offset=offset, artefact=artefact, ramp=ramp)  # fmt: skip
    late = np.clip(t - 0.1, 0, None)
    bands = np.outer(np.exp(-late / 0.6), np.linspace(1, -1, 7)) + np.exp(-late / 11.0)[:, None]
    seen = [matrices.matrix(t, x, np.where(t > 0.1, 1.0, 0.0)[:, None] * bands * size
                            + 0.05 * rng.standard_normal(bands.shape), name=name)
            for name, size in (("one", 1.0), ("two", 0.6))]  # fmt: skip
    fit = global_fit(seen, model, link=("dispersion",), shared_spectra=True, starts=0,
                     max_evaluations=1)  # fmt: skip
    (block,) = fit.setup.problem.blocks
    assert isinstance(block, NormalBlock) and block.normal
    at = fit.setup.expand(fit.theta + 0.02 * rng.standard_normal(fit.theta.size))[0]
    quick, exact = block.evaluate(at), block.exact_block.evaluate(at, True)
    assert quick.cost == pytest.approx(exact.cost, rel=1e-8)
    assert block.evaluate(at, False).cost == pytest.approx(exact.cost, rel=1e-8)
    size = np.abs(exact.gradient).max()
    assert quick.gradient == pytest.approx(exact.gradient, rel=1e-5, abs=1e-6 * size)
    scale = np.sqrt(np.diag(exact.hessian))
    assert quick.hessian / np.outer(scale, scale) == pytest.approx(
        exact.hessian / np.outer(scale, scale), abs=1e-5
    )


def test_noise_has_no_rise_and_signal_at_some_wavelengths_has():
    """Where nothing is seen the onset is that of the others; where nothing is seen anywhere, the
    first delay."""
    rng, t = np.random.default_rng(34), np.r_[np.arange(-2, 3, 0.1), np.geomspace(3, 300, 30)]
    noise_only = 0.01 * rng.standard_normal((len(t), 40))
    found = matrices.find_rise(matrices.matrix(t, np.linspace(500, 700, 40), noise_only))
    assert not found.seen and not found.late
    assert found.onset_ps == pytest.approx(np.full(40, t[0]))
    y = noise_only + np.where(t > 0.5, 1.0, 0.0)[:, None] * (np.arange(40) < 15)
    found = matrices.find_rise(matrices.matrix(t, np.linspace(500, 700, 40), y))
    assert found.seen and not found.late
    assert np.abs(found.onset_ps - 0.45).max() < 0.11


@pytest.mark.parametrize("text", ["a**b", "a**2 * b", "a / b**a", "exp(a - b) + log(a) - sqrt(b)"])
def test_slopes_of_a_relation(text):
    at, h = {"a": 1.7, "b": 2.3}, 1e-6
    value, slopes = Relation(text).value(at)
    told = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}
    assert value == pytest.approx(eval(text, told, at))
    for name in at:
        up, down = (Relation(text).value(at | {name: at[name] + d})[0] for d in (h, -h))
        assert slopes[name] == pytest.approx((up - down) / (2 * h), rel=1e-6)


def test_many_scans_tell_the_noise_of_each_point():
    """A lamp ten times as noisy at half of the wavelengths makes no error at the others."""
    rng, t, x = np.random.default_rng(35), np.linspace(-1, 9, 20), np.linspace(500, 600, 30)
    noise_sd = np.where(np.arange(30) < 15, 1.0, 10.0)
    scans = [matrices.matrix(t, x, 100.0 + noise_sd * rng.standard_normal((20, 30)))
             for _ in range(20)]  # fmt: skip
    error = average_scans(scans).standard_error * math.sqrt(20)
    quiet, loud = np.median(error[:, :15]), np.median(error[:, 15:])
    assert quiet == pytest.approx(1.0, rel=0.1) and loud == pytest.approx(10.0, rel=0.1)


# ---- decays and their noise ----------------------------------------------------------------------


def _falls(lifetime, beta):
    return lambda t: math.exp(-((t / lifetime) ** beta))


@pytest.mark.parametrize("lifetime, sigma", [(3.0, 0.4), (0.2, 0.5), (50.0, 0.05), (3.0, 0.0)])
def test_accumulated_light_of_an_exponential_is_its_integral(lifetime, sigma):
    u = np.array([-1.0, 0.0, 0.3, 2.0, 9.0])
    once = lifetimes._accumulated(u, lifetime, 1.0, sigma, None)
    t = np.linspace(0, 30 * lifetime, 60_001)
    fall, out = np.exp(-t / lifetime), max(sigma, 1e-9)
    expected = [np.trapezoid(fall * special.ndtr((v - t) / out), t) for v in u]
    assert once == pytest.approx(expected, rel=1e-4, abs=3e-4 * lifetime)
    # Pulses every 10 ns: the light since any time holds that of all before.
    period = 10.0
    many = lifetimes._accumulated(u + period, lifetime, 1.0, sigma, period)
    step = many - lifetimes._accumulated(u, lifetime, 1.0, sigma, period)
    assert step[:4] == pytest.approx(np.full(4, lifetime), rel=1e-3)  # a whole decay a period
    back = sum(
        lifetimes._accumulated(np.array([2.0, 1.0]) + k * period, lifetime, 1.0, sigma, None)
        for k in range(-1, 400)
    )
    pair = lifetimes._accumulated(np.array([2.0, 1.0]), lifetime, 1.0, sigma, period)
    assert pair[0] - pair[1] == pytest.approx(back[0] - back[1], rel=1e-4)


@pytest.mark.parametrize("beta", [0.5, 0.8, 1.3])
def test_accumulated_light_of_a_stretched_decay_is_its_integral(beta):
    u = np.array([-2.0, 0.5, 4.0, 20.0])
    found = lifetimes._accumulated(u, 3.0, beta, 0.0, None)
    expected = [integrate.quad(_falls(3.0, beta), 0, max(v, 0))[0] for v in u]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)
    early = np.array([-3.0, -0.5])
    whole = (lifetimes._accumulated(u, 3.0, beta, 0.0, 8.0) for u in (early + 8.0, early))
    area = 3.0 * math.gamma(1 + 1 / beta)
    assert np.subtract(*whole) == pytest.approx(np.full(2, area), rel=1e-2)


def _laser(noise, ground=0.0, cut=15.0):
    """A line at 405 nm that falls as an exponential: over 0.8 nm to the blue, 0.4 nm to the red."""
    x = np.arange(405 - cut, 405 + cut + 0.025, 0.05)
    y = 1e4 * np.exp(-np.where(x < 405, 405 - x, 2 * (x - 405)) / 0.8) + ground
    variance = None if noise is None else np.full((1, x.size), noise**2)
    return SimpleNamespace(axis=x, values=y[None], variance=variance, source="empty")


@pytest.mark.parametrize("noise, sinks", [(1.0, 1e-3), (200.0, 0.06), (450.0, 0.135)])
def test_a_laser_band_ends_half_as_far_again_as_the_line_is_seen(noise, sinks):
    """To a thousandth of the line or three times the noise, or to the ends of the axis."""
    low, high = yields._laser_band(_laser(noise))
    assert low == pytest.approx(405 + 1.5 * 0.8 * math.log(sinks), abs=0.08)
    assert high == pytest.approx(405 - 1.5 * 0.4 * math.log(sinks), abs=0.08)
    assert yields._laser_band(_laser(noise, cut=0.5)) == pytest.approx((404.5, 405.5))


def test_a_laser_line_is_asked_for_where_none_stands_out():
    whole = yields._laser_band(_laser(None, ground=3000.0))  # 4.3 times its ends
    assert whole == pytest.approx((390, 420))
    for run in (_laser(550.0), _laser(None, ground=7000.0)):
        with pytest.raises(conditioning.ConditioningError, match="expected a laser line"):
            yields._laser_band(run)


@pytest.mark.parametrize("first, scatter, count", [
    ([0.96], 0.0, 0), ([0.94], 0.0, 1), ([0.5, 0.9, 1.0], 0.0, 2), ([0.82], 0.02, 0),
    ([0.7], 0.02, 1), ([math.nan], 0.0, 1), ([0.5] * 5, 0.0, 0),
])  # fmt: skip
def test_frames_that_the_shutter_cut_short_step_up_beyond_scatter(first, scatter, count):
    """By more than 5 % and 8 standard deviations of the steps (of 0.028); a tenth is tried."""
    frames = 200 if scatter else 40
    lit = 1 + scatter * np.random.default_rng(41).standard_normal(frames)
    lit[: len(first)] = first
    values = 30.0 * lit[:, None] * np.ones(7)
    assert segregation.partly_exposed(values, np.isfinite(lit)) == count
    assert segregation.partly_exposed(values[:7], np.isfinite(lit[:7])) == 0


def test_light_that_rises_steadily_is_no_shutter():
    rise, all_used = np.linspace(0.2, 2, 20)[:, None] * np.ones(7), np.ones(20, bool)
    assert segregation.partly_exposed(rise, all_used) == 0  # by 9 % of the median a frame
    rise[0] = 0.0
    assert segregation.partly_exposed(rise, all_used) == 1


@pytest.mark.parametrize(
    "slopes, first, last",
    [
        ([(600, 100, 1.0)], 355, 745),  # to a twentieth and to 0.35 of a Gaussian slope
        ([(600, 0.1, 1.0)], 580, 613),  # of a step: the triangle that two means of 21 points make
        ([(300, 60, 0.5), (800, 60, 1.0)], 153, 387),  # the lowest above 0.4 of the steepest
        ([(300, 60, 0.3), (800, 60, 1.0)], 653, 887),
        ([(300, 20, 1.0), (800, 140, 0.8)], 247, 331),  # 15 % of the spectrum
        ([(300, 10, 1.0), (800, 140, 1.0)], 457, 1003),  # 7 %: too little for an edge
        ([(400, 60, 0.7), (560, 60, 1.0)], 253, 503),  # up to where the next is 1.1 times as steep
    ],
)
def test_an_edge_is_the_lowest_steep_rise(slopes, first, last):
    i = np.arange(1200.0)
    slope = sum(h * np.exp(-0.5 * ((i - c) / s) ** 2) for c, s, h in slopes)
    found = gap._edge(i, 1e3 + np.cumsum(slope))
    assert found[:2] == pytest.approx((first, last), abs=1.1)


@pytest.mark.parametrize("skew", [0.0, 0.4])
@pytest.mark.parametrize("what, step, said", [
    ("moves", 2e-4, True), ("moves", 2.5e-5, True), ("grows beside", 0.02, False),
    ("moves and grows", 0.02, False), ("widens", 2e-3, False),
])  # fmt: skip
def test_a_band_that_moves_changes_by_its_own_slope(skew, what, step, said):
    """Whatever its shape, also where noise all but hides it; not where a share of the change is
    another, as a fit that has it says."""
    x, rng = np.linspace(1.6, 2.2, 240), np.random.default_rng(3)

    def band(centre, width=0.04):
        far = (x - centre) / (width * (1 + skew * np.tanh((x - centre) / width)))
        return np.exp(-0.5 * far**2)

    k = np.arange(12.0)
    moved = {"moves": step, "moves and grows": step / 16}.get(what, 0.0)
    wider, grown = step * (what == "widens"), step * ("grows" in what)
    light = np.array([band(1.9 - moved * n, 0.04 + wider * n) + grown * n * band(1.8) for n in k])
    signal = light + 1e-3 * rng.standard_normal(light.shape)
    spread = np.full_like(light, 1e-6)
    assert segregation._shifts(x, signal, spread, light, light) is said


def test_four_spectra_are_a_series():
    w, t = np.arange(600.0, 760.0, 2.0), np.arange(4.0)
    light = 1e4 * np.exp(-0.5 * ((w - 660) / 14) ** 2) * np.ones((4, 1)) + 20
    counts = np.random.default_rng(2).poisson(light)
    assert segregation.track(w, counts, t).account == "steady"
    with pytest.raises(ValueError, match="at least 4 spectra"):
        segregation.track(w, counts[:3], t[:3])


@pytest.mark.parametrize("mean", [0.003, 0.05, 0.7, 3.0, 30.0, 70.0, 400.0])
def test_deviance_of_a_poisson_bin_has_its_mean_and_variance(mean):
    k = np.arange(1, int(mean + 12 * math.sqrt(mean) + 30))
    p = stats.poisson.pmf(np.r_[0, k], mean)
    d = np.r_[2 * mean, 2 * (k * np.log(k / mean) - k + mean)]
    assert poisson.unit_deviance(np.r_[0.0, k], mean) == pytest.approx(d, abs=1e-9)
    found = poisson.expected_deviance(np.array([mean]))
    assert found[0] == pytest.approx(p @ d, rel=5e-4 if mean > 60 else 0.01)
    assert found[1] == pytest.approx(p @ d**2 - (p @ d) ** 2, rel=0.02)


def test_runs_of_a_residual_are_standard_normal():
    rng = np.random.default_rng(32)
    z = [poisson.runs_z(rng.standard_normal(40)) for _ in range(6000)]
    assert np.mean(z) == pytest.approx(0, abs=0.05) and np.std(z) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("k, h", [(0.7, 1.3), (40.0, 0.5), (1e-4, 0.8), (0.0009, 1.0)])
def test_a_segment_of_a_response_decays_as_its_integral(k, h):
    def value(k):
        return integrate.quad(lambda u: (2 - 0.6 * u) * math.exp(-k * (h - u)), 0, h)[0]

    found, slope = irf._segment(np.array(k), h, 2.0, -0.6)
    assert float(found) == pytest.approx(value(k), rel=1e-7)
    step = 1e-3 * k
    assert float(slope) == pytest.approx((value(k + step) - value(k - step)) / (2 * step), rel=1e-4)


# ---- noise and tops of spectra -------------------------------------------------------------------


def test_noise_of_blocks_is_that_of_white_noise_on_a_smooth_curve():
    rng, x = np.random.default_rng(33), np.linspace(0, 6, 3200)
    y = 40 * np.sin(x) + np.array([[0.5], [2.0]]) * rng.standard_normal((2, x.size))
    y[0, 500] += 300  # a spike
    found = conditioning_noise.white_deviation(y)
    assert np.median(found, axis=1) == pytest.approx([0.5, 2.0], rel=0.1)
    steps = np.zeros((1, 3200))
    steps[0, ::40] = 1.0  # digitised: most neighbours are equal
    assert conditioning_noise.white_deviation(steps).min() > 0


def test_variance_grows_with_the_signal_by_its_gain():
    rng = np.random.default_rng(34)
    height = np.geomspace(1, 1000, 60) * np.array([[1.0], [0.5]])
    true = 4.0 + 0.3 * height
    v = true * rng.chisquare(8, true.shape) / 8
    found = conditioning_noise._gain(height, v, np.full(2, 4.0))
    assert found == pytest.approx([0.3, 0.3], rel=0.2)
    flat = 4.0 * rng.chisquare(8, true.shape) / 8
    # Where none shows, no more than what all blocks together allow.
    assert 0 < conditioning_noise._gain(height, flat, np.full(2, 4.0)).max() < 0.01


@pytest.mark.parametrize("points", [7, 13, 31])
def test_top_and_flank_of_a_band_and_their_slopes(points):
    x = 630.3 + np.linspace(-5, 4, points)
    y = 50 * np.exp(-0.5 * ((x - 630.0) / 9.0) ** 2) + 0.02 * np.cos(np.arange(points))

    def top(y):
        return lineshapes.measures._maximum(x, y, 630.0, 6)

    place, height, in_place, in_height = top(y)
    assert place == pytest.approx(630.0, abs=0.15) and height == pytest.approx(50, rel=2e-3)
    h = 1e-5 * np.eye(points)
    for k, found in ((0, in_place), (1, in_height)):
        expected = [(top(y + d)[k] - top(y - d)[k]) / 2e-5 for d in h]
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("width", [3.0, 25.0])
def test_half_height_of_a_flank_and_its_slopes(side, width):
    x = np.arange(560.0, 700.0)
    y = 50 * np.exp(-0.5 * ((x - 630.0) / width) ** 2)
    top, calm = 70, y.copy()

    def crossing(y, height=50.0):
        return lineshapes.measures._crossing(x, y, calm, top, side, height, np.zeros(x.size), 5)

    at, slopes = crossing(y)
    assert at == pytest.approx(630 + side * width * math.sqrt(2 * math.log(2)), abs=0.06 * width)
    near = np.flatnonzero(np.abs(x - at) < 1.5 * width)
    for i in near[:: max(len(near) // 6, 1)]:
        d = 1e-4 * np.eye(1, x.size, i)[0]
        expected = (crossing(y + d)[0] - crossing(y - d)[0]) / 2e-4
        assert slopes[i] == pytest.approx(expected, rel=1e-2, abs=1e-6)
    risen = lineshapes.measures._crossing(x, y, calm, top, side, 50.0, np.ones(x.size), 5)[1]
    by_height = (crossing(y, 50.001)[0] - crossing(y, 49.999)[0]) / 0.002
    assert (risen - slopes)[0] == pytest.approx(by_height, rel=0.02)
    raised = (x, y + 40, calm + 40, top, side, 50.0, np.zeros(x.size), 5)
    never = lineshapes.measures._crossing(*raised)
    assert never == (None, None)


# ---- crystals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, expected",
    [
        ("LaB6", [21.358, 30.385, 37.442, 43.507]),
        ("Si", [28.441, 47.300, 56.119, 69.126]),
        ("Al2O3", [25.574, 35.149, 37.773, 43.351]),
    ],
)
def test_lines_of_standards_are_where_certificates_say(name, expected):
    (one,) = (s for s in standards.read_standards() if s.name.startswith(name))
    found = one.lines_deg(1.5405929, 15.0, 90.0)
    for line in expected:
        assert np.abs(found - line).min() < 0.012
    assert found[0] == pytest.approx(expected[0], abs=0.012)  # none before it


@pytest.mark.parametrize("name, group", [("Al2O3", "R -3 c:H"), ("LaB6", "P m -3 m")])
def test_lines_of_standards_are_those_of_their_space_groups(name, group):
    import gemmi

    (one,) = (s for s in standards.read_standards() if s.name.startswith(name))
    operations = gemmi.SpaceGroup(group).operations()
    for hkl in product(range(6), repeat=3):
        if any(hkl):
            assert one._allowed(*hkl) is not operations.is_systematically_absent(hkl), hkl


def test_spacings_and_volume_of_a_cell_without_a_right_angle():
    import gemmi

    cell = np.array([5.1, 7.3, 9.2, 81.0, 97.0, 113.0])
    peer = gemmi.UnitCell(*cell)
    hkl = np.array([[1, 0, 0], [0, 2, 1], [1, -1, 3], [2, 1, -1]])
    expected = [peer.calculate_d([int(i) for i in row]) for row in hkl]
    assert phases.spacings(hkl, cell) == pytest.approx(expected)
    assert phases._volume(cell) == pytest.approx(peer.volume)


@pytest.mark.parametrize("gauss, lorentz", [(0.1, 0.02), (0.1, 0.1), (0.05, 0.3)])
def test_widths_of_a_pseudo_voigt_are_those_of_the_voigt(gauss, lorentz):
    full, mixing, by_gauss, by_lorentz = phases.widths(gauss, np.array([lorentz]))
    x = np.linspace(-1, 1, 40_001)
    exact = special.voigt_profile(x, gauss / math.sqrt(8 * math.log(2)), lorentz / 2)
    assert full[0] == pytest.approx(np.ptp(x[exact > exact.max() / 2]), rel=5e-3)
    assert 0 <= mixing[0] <= 1
    for k, slopes in ((0, by_gauss), (1, by_lorentz)):
        d = np.array([1e-6 * (k == 0), 1e-6 * (k == 1)])
        up, down = (
            phases.widths(gauss + sign * d[0], np.array([lorentz + sign * d[1]]))
            for sign in (1, -1)
        )
        for j in (0, 1):
            assert slopes[j][0] == pytest.approx((up[j][0] - down[j][0]) / 2e-6, rel=1e-3)


def test_texture_moves_intensity_and_makes_none():
    """March and Dollase: 1 on the mean over all directions, 1 for a random powder."""
    assert evidence._march_dollase((2, 1, 0), 1.0) == pytest.approx(1.0)
    z, turn = (np.arange(1500) + 0.5) / 750 - 1, 2.399963 * np.arange(1500)  # a spiral over all
    flat = np.sqrt(1 - z**2)
    ways = np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)
    for r in (0.6, 1.5):
        mean = np.mean([evidence._march_dollase(tuple(v), r) for v in ways])
        assert mean == pytest.approx(1.0, abs=0.01)
    assert evidence._march_dollase((1, 0, 0), 0.6) > evidence._march_dollase((1, 1, 1), 0.6)


def test_lines_reach_into_a_pattern_from_just_outside():
    a, wavelength = 6.0, 1.5406
    inside = xrd.two_theta(a, (1, 1, 0), wavelength)
    for begin, seen in ((inside + 0.3, True), (inside + 0.5, False)):
        found = crystal.lines_in(a, np.array([begin, 40.0]), wavelength)
        assert ((1, 1, 0) in found) is seen
    assert (1, 1, 1) in found


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_a_gaussian_response_folds_a_decay_as_the_closed_form(start):
    """k₁ alone in a doped film: one exponential, through 1.5 ns on bins of 0.5 ns."""
    t = -10 + 0.5 * np.arange(120)
    found = dynamics.course(
        {"k1": 1e8, "radiative": 1e-14, "doping": 1e18}, [1e10], step_ns=0.02, span_ns=80.0
    )
    seen = Transient(t, np.ones(t.size), 1e10, "", Response(start_ns=start, fwhm_ns=1.5))
    light = dynamics.Light(found, None)
    counts = transients._Kernel(seen).everywhere(light, np.array([[0]]), 0.0)[1][0]
    lifetime, edges = 1e9 / (1e8 + 1e-14 * 1e18), np.append(t, t[-1] + 0.5) - start
    sigma = 1.5 / math.sqrt(8 * math.log(2))
    expected = np.diff(lifetimes._accumulated(edges, lifetime, 1.0, sigma, None))
    assert counts / counts.sum() == pytest.approx(expected / expected.sum(), abs=2e-4)
    assert counts[-1] / counts[-2] == pytest.approx(math.exp(-0.5 / lifetime), rel=1e-3)


def test_two_bands_take_four_parameters_of_each_spectrum_and_four_of_all():
    fit = SimpleNamespace(chi2=np.array([30.0, 50.0]))
    found = segregation._goodness(fit, np.zeros((2, 30)))
    assert found == pytest.approx((80 / 48, 32 / np.sqrt(96)))


def test_a_residual_is_held_against_its_noise_by_what_no_parameter_takes(monkeypatch):
    monkeypatch.setattr(noise, "effective_wavelengths", lambda _: 20.0)
    one = SimpleNamespace(shape=(30, 20), standard_error=None)
    sought = SimpleNamespace(size=600, linear=60, matrices=[one])
    now = SimpleNamespace(cost=530 * (1.5 * 0.2) ** 2, rows=[SimpleNamespace(gram=np.eye(30))])
    best = SimpleNamespace(theta=np.zeros(10))
    assert trust._level_flags(sought, now, best, 0.2) == ["residual 1.50 times the stated noise"]
    sought.linear = 596
    assert trust._level_flags(sought, now, best, 0.2) == []  # no more numbers than parameters


def test_radiative_current_of_a_black_film_is_that_of_its_temperature():
    """q 2π/(h³c²) ∫ E² e^(−E/kT) dE = q 2π/(h³c²) 2 (kT)³, in mA/cm²."""
    kelvin, e = 2000.0, np.linspace(0.0, 8.0, 8001)
    kt = constants.k * kelvin
    flux = 2 * np.pi / (constants.h**3 * constants.c**2) * 2 * kt**3
    found = reciprocity.radiative_dark_current(e, np.full(e.size, 0.3), kelvin)
    assert found == pytest.approx(0.3 * constants.e * flux * 1e3 / 1e4, rel=1e-4)


def test_no_absorptance_is_invented_below_the_first_point_of_an_edge():
    share = measures._between(
        np.array([1.3, 1.5, 1.6]), np.array([1.4, 1.6]), np.array([0.01, 0.04])
    )
    assert share == pytest.approx([0.0, 0.02, 0.04])
