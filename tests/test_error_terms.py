"""Every error formula once, against what it abbreviates: first-order propagation by numerical
gradients with the full covariance, or the scatter of many repetitions."""

import csv
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import slips
from calibration.noise import correlated, pink
from hassan2021 import cpmas
from hassan2021.verdicts.photoluminescence import film_effective_index
from peled import conditioning, lineshapes, materials, nmr, quantities
from peled.energetics import poses
from peled.formats import nmr as nmr_formats
from peled.led import (
    consistency,
    current_voltage,
    device,
    lifetime,
    light,
    photometry,
    routes,
    stability,
)
from peled.lineshapes import result as bands
from peled.lineshapes.model import SHAPES
from peled.nmr import analyse as nmr_analyse
from peled.nmr import processing, referencing, titration
from peled.nmr.integrals import Integral, Integrals
from peled.optics import dipole
from peled.photoluminescence import (
    confocal,
    fit_decay,
    fluence,
    gap,
    measures,
    recycling,
    segregation,
    shift_budget,
    spots,
    yields,
)
from peled.structure import (
    composition,
    detection,
    eds,
    electrons,
    ftir,
    icpms,
    microscopy,
    ups,
    xps,
    xrd,
)
from peled.structure.xrd import evidence
from peled.structure.xrd.breadths import Breadth
from peled.synthesis import amounts
from peled.transient_absorption import carriers_per_crystal, compare, matrix, workflow
from peled.transient_absorption import drift as ta_drift
from peled.transient_absorption import errors as ta_errors
from peled.transient_absorption.globalfit import GlobalFit
from peled.transient_absorption.scans import average_scans


def propagated(function, values, errors) -> float:
    """Standard error of `function(*values)` for errors (p,) or a covariance (p, p), first order."""
    values = np.array(values, float)
    covariance = np.diag(np.square(errors)) if np.ndim(errors) == 1 else np.asarray(errors)
    gradient = []
    for i in range(len(values)):
        h = np.zeros(len(values))
        h[i] = 1e-5 * max(abs(values[i]), math.sqrt(covariance[i, i]), 1e-12)
        gradient.append((function(*values + h) - function(*values - h)) / (2 * h[i]))
    return math.sqrt(np.array(gradient) @ covariance @ np.array(gradient))


# ---- synthesis -----------------------------------------------------------------------------------


@pytest.mark.parametrize("purity", [0.9, 0.98])
def test_purity_at_least_is_uniform_up_to_pure(purity):
    draws = np.random.default_rng(1).uniform(purity, 1, 200_000)
    found = amounts.purity_factor(purity)
    assert found.nominal_value == pytest.approx(draws.mean(), abs=1e-4)
    assert found.std_dev == pytest.approx(draws.std(), rel=0.01)


def test_purity_of_a_technical_grade_and_of_the_pure():
    found = amounts.purity_factor(0.7, at_least=False)
    assert (found.nominal_value, found.std_dev) == pytest.approx((0.7, 0.03))
    assert amounts.purity_factor(1.0) == 1.0
    for wrong in (0.0, 1.1, -0.2):
        with pytest.raises(ValueError, match="fraction above 0"):
            amounts.purity_factor(wrong)


# ---- structure -----------------------------------------------------------------------------------


def test_lattice_change_is_after_less_before():
    before, after = (
        SimpleNamespace(a_A=6.05, a_error_A=0.003),
        SimpleNamespace(a_A=6.02, a_error_A=0.004),
    )
    change, error = xrd.lattice_change(before, after)
    assert change == pytest.approx(-0.03)
    assert error == pytest.approx(0.005)


def test_composition_from_gap_and_lattice():
    values, errors = (640.0, 0.02), (2.0, 0.01)
    x, error = composition.composition_from_gap(640.0, 2.0, 0.02, 0.01)
    assert materials.bulk_gap_eV(x) == pytest.approx(materials.HC_EV_NM / 640 - 0.02)
    expected = propagated(
        lambda w, c: composition.composition_from_gap(w, 1.0, c, 0.0)[0], values, errors
    )
    assert error == pytest.approx(expected, rel=1e-6)
    x, error = materials.bromide_fraction_of_lattice(6.07, 0.004)
    assert materials.lattice_constant_angstrom(x) == pytest.approx(6.07)
    expected = propagated(
        lambda a, i, b: materials.bromide_fraction_of_lattice(a, 0.0, (i, b))[0],
        (6.07, *materials.ENDS_A),
        (0.004, *materials.ENDS_ERROR_A),
    )
    assert error == pytest.approx(expected, rel=1e-6)


def test_joint_composition_is_the_weighted_mean():
    given = {"a": (0.5, 0.02), "b": (0.52, 0.04), "c": (0.49, 0.03)}
    found = composition.joint_composition(given)
    values, errors = np.array(list(given.values())).T
    mean = np.average(values, weights=errors**-2)
    assert found.x_br == pytest.approx(mean)
    chi2 = np.sum(((values - mean) / errors) ** 2)
    assert found.chi2 == pytest.approx(chi2)
    assert found.error == pytest.approx(np.sum(errors**-2.0) ** -0.5)
    scattered = composition.joint_composition({"a": (0.3, 0.02), "b": (0.6, 0.02)})
    assert scattered.error == pytest.approx(0.15)  # half of the distance
    assert scattered.pulls["a"] == pytest.approx(-0.3 / math.hypot(0.02, 0.02))


def test_lead_content_propagates_all_its_inputs():
    calibration = icpms.Calibration(
        120.0, 900.0, np.array([[400.0, -60.0], [-60.0, 25.0]]), range=(0.0, 50.0)
    )

    def content(signal, intercept, slope, mass, dilution):
        moved = replace(calibration, intercept=intercept, slope=slope)
        return icpms.lead_content(
            moved, signal, 1.0, volume_ml=50, dilution=dilution, mass_mg=mass
        ).value

    found = icpms.lead_content(
        calibration,
        20000.0,
        150.0,
        volume_ml=50,
        dilution=100.0,
        mass_mg=10.0,
        mass_error_mg=0.1,
        dilution_relative_error=0.02,
    )
    covariance = np.zeros((5, 5))
    covariance[0, 0], covariance[1:3, 1:3] = 150.0**2, calibration.covariance
    covariance[3, 3], covariance[4, 4] = 0.1**2, 2.0**2
    at = (20000.0, 120.0, 900.0, 10.0, 100.0)
    assert found.value == pytest.approx((20000 - 120) / 900 * 0.05 * 100 / 10)
    assert found.standard_error == pytest.approx(propagated(content, at, covariance), rel=1e-6)


def test_calibration_line_covers():
    rng, c = np.random.default_rng(3), np.array([0.0, 5, 10, 20, 50])
    s = np.array([5.0, 6, 8, 12, 25])
    fits = [icpms.calibrate(c, 40 + 9 * c + s * rng.standard_normal(5), s) for _ in range(2000)]
    slope = np.array([f.slope for f in fits])
    design = np.column_stack([np.ones(5), c]) / s[:, None]
    expected = np.linalg.inv(design.T @ design)
    assert np.std(slope) == pytest.approx(math.sqrt(expected[1, 1]), rel=0.06)
    assert np.mean([f.chi2_reduced for f in fits]) == pytest.approx(1, abs=0.08)
    calm = [f.covariance for f in fits if f.chi2_reduced <= 1]
    assert calm[0] == pytest.approx(expected)
    assert all(f.covariance[1, 1] > expected[1, 1] for f in fits if f.chi2_reduced > 1)


def test_ratio_of_areas():
    value, error = xps.ratio((200.0, 6.0), (350.0, 8.0), 12.0)
    covariance = np.array([[36.0, 12.0], [12.0, 64.0]])
    assert value == pytest.approx(200 / 350)
    assert error == pytest.approx(propagated(lambda a, b: a / b, (200, 350), covariance), rel=1e-6)


def test_size_change_and_its_errors():
    def change(l1, l2):
        return microscopy.size_change((l1, 1.5), (l2, 1.2), 6.0)

    found = microscopy.size_change((12.0, 1.5), (11.0, 1.2), 6.0, errors_nm=(0.2, 0.3))
    at, errors = (12.0, 11.0), (0.2, 0.3)
    assert found.ratio_error == pytest.approx(
        propagated(lambda *l: change(*l).ratio, at, errors), rel=1e-6
    )
    assert found.volume_lost_error == pytest.approx(
        propagated(lambda *l: change(*l).volume_lost, at, errors), rel=1e-6
    )
    assert found.significance == pytest.approx(1 / math.hypot(0.2, 0.3))
    assert found.population_separation == pytest.approx(1 / math.hypot(1.5, 1.2))
    assert found.layers_lost == pytest.approx(10 / 6 / 2)  # a nanometre, on two faces


# ---- light ---------------------------------------------------------------------------------------


def test_kane_energy_solves_the_two_band_relation():
    for edge in (5.0, 9.0, 14.0):
        e = 1e-3 * shift_budget.kane_energy_meV(edge, 0.15, 1.95)
        parabolic = 3 * 0.376030 / 0.15 / edge**2  # 3 h²/8mL², eV
        assert e * (1 + e / 1.95) == pytest.approx(parabolic)
    wide = shift_budget.kane_energy_meV(9.0, 0.15, 1e6)
    assert wide == pytest.approx(shift_budget.cube_energy_meV(9.0, 0.15), rel=1e-5)


def test_confinement_and_given_shifts_propagate():
    def part(before, after):
        return shift_budget.confinement(before, after, mass=0.2, start_nm=640.0)

    found = shift_budget.confinement(12.0, 9.0, mass=0.2, start_nm=640.0, edge_errors_nm=(0.4, 0.3))
    for name, error in (("shift_meV", found.error_meV), ("shift_nm", found.error_nm)):
        expected = propagated(
            lambda *e, name=name: getattr(part(*e), name), (12.0, 9.0), (0.4, 0.3)
        )
        assert error == pytest.approx(expected, rel=1e-4)
    assert found.shift_nm > 0  # smaller cubes emit bluer
    stated = shift_budget.given("strain", 3.0, 0.5, 640.0)
    assert stated.error_meV == pytest.approx(
        propagated(lambda s: shift_budget.shift_in_meV(640.0, 640.0 - s), (0.0,), (0.5,)), rel=1e-4
    )
    both = shift_budget.combinations(10.0, 1.2, [found, stated])
    whole = next(c for c in both if len(c.causes) == 2)
    assert whole.error_nm == pytest.approx(math.sqrt(found.error_nm**2 + 0.5**2 + 1.2**2))
    assert whole.z == pytest.approx((found.shift_nm + 3.0 - 10.0) / whole.error_nm)


@pytest.mark.parametrize("fill, expected", [(0.0, 1.48), (1.0, 2.35)])
def test_film_index_is_that_of_its_parts_at_the_ends(fill, expected):
    assert film_effective_index(fill) == pytest.approx(expected)


def test_film_index_of_few_crystals_is_clausius_mossotti():
    n, m, fill = 2.35, 1.48, 1e-5
    grown = (film_effective_index(fill) ** 2 - m**2) / (3 * fill * m**2)
    assert grown == pytest.approx((n**2 - m**2) / (n**2 + 2 * m**2), rel=1e-4)
    rising = [film_effective_index(f) for f in (0.1, 0.3, 0.6)]
    assert rising == sorted(rising)


def test_turn_on_is_as_far_off_as_its_two_readings():
    volts = np.array([2.0, 2.1, 2.2, 2.3])

    def crossing(low, high):
        return current_voltage.turn_on(volts, [1e-3, low, high, high**2 / low]).voltage_V

    low, high = 0.4, 1.3
    relative = [math.hypot(0.03, 0.02 / x) for x in (low, high)]
    found = current_voltage.turn_on(volts, [1e-3, low, high, high**2 / low])
    expected = propagated(crossing, (low, high), (relative[0] * low, relative[1] * high))
    assert found.standard_error_V == pytest.approx(expected, rel=1e-6)
    # Near the threshold the nearer reading decides.
    near = current_voltage.turn_on(volts, [1e-3, 0.999, 100.0, 1e4])
    slope = math.log(100 / 0.999) / 0.1
    assert near.standard_error_V == pytest.approx(math.hypot(0.03, 0.02 / 0.999) / slope, rel=0.01)


def test_error_of_a_tauc_line_is_the_scatter_of_its_intercept():
    rng, e = np.random.default_rng(5), np.linspace(2.0, 2.2, 30)
    lines = [
        gap._line(e, 3 * (e - 1.95) + 0.01 * rng.standard_normal(30), 2.0, 2.2) for _ in range(2000)
    ]
    _slope, _intercept, gaps, errors, *_ = np.array(lines).T
    assert gaps.mean() == pytest.approx(1.95, abs=3e-4)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(gaps.std(), rel=0.05)


def test_drift_covers_and_widens_with_scatter():
    rng, t = np.random.default_rng(6), np.linspace(0, 600, 15)
    errors = np.linspace(0.2, 0.6, 15)
    fits = [
        segregation.drift(t, 5 + 0.1 * t / 60 + errors * rng.standard_normal(15), errors)
        for _ in range(1500)
    ]
    slopes = np.array([f.per_minute for f in fits])
    calm = min(f.standard_error for f in fits)
    assert slopes.mean() == pytest.approx(0.1, abs=0.003)
    assert calm == pytest.approx(slopes.std(), rel=0.06)


# ---- units by hand -------------------------------------------------------------------------------


def test_carriers_and_excitons_from_photons_by_hand():
    photon = 6.62607015e-34 * 299792458.0 / 620e-9  # J; 1 mW cm⁻² is 1e-3 of them a second
    rate = fluence.generation_rate(5.0, 0.4, 50.0, 620.0)
    assert rate == pytest.approx(5e-3 / photon * 0.4 / 50e-7)
    mean = fluence.excitons_per_crystal(
        5.0, cross_section_cm2=2e-14, lifetime_ns=30.0, excitation_nm=620.0
    )
    assert mean == pytest.approx(5e-3 / photon * 2e-14 * 30e-9)
    photons, pairs = carriers_per_crystal(10.0, 620.0, 1e5, 12.0)
    assert photons == pytest.approx(10e-6 / photon)
    assert pairs == pytest.approx(10e-6 / photon * 1e5 * (12e-7) ** 3)  # F α V


# ---- NMR -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shared", "together"), [(-0.6, 0.0), (0.0, 1.0), (0.8, -1.0)])
def test_ratio_of_integrals_with_a_shared_flank(shared, together):
    a, b, sa, sb = 30.0, 80.0, 0.9, 1.4
    covariance = np.array([[sa**2, shared * sa * sb], [shared * sa * sb, sb**2]])
    regions = (Integral(1.0, 1.2, a, sa, 0.3, 0.4), Integral(2.0, 2.2, b, sb, 0.5, 1.2))
    flank = np.array([[0.3**2, together * 0.3 * 0.5], [together * 0.3 * 0.5, 0.5**2]])
    systematic = np.array([flank, np.diag([0.4**2, 1.2**2])])
    value, error = Integrals(regions, covariance, systematic).ratio(0, 1)
    whole = covariance + systematic.sum(0)
    assert value == a / b
    assert error == pytest.approx(propagated(lambda a, b: a / b, (a, b), whole), rel=1e-6)
    draws = np.random.default_rng(7).multivariate_normal((a, b), whole, 100_000)
    assert error == pytest.approx((draws[:, 0] / draws[:, 1]).std(), rel=0.02)
    assert regions[1].error == pytest.approx(math.sqrt(1.4**2 + 0.5**2 + 1.2**2))


def test_exchange_rate_is_recovered_and_covered():
    p = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0])
    width = (1 - p) * 2.0 + p * 6.0 + 4 * np.pi * (1 - p) ** 2 * p * 80.0**2 / 5000.0
    exact = nmr.fit_exchange(p, 80.0, width, np.full(7, 0.1))
    assert exact.k_off_s == pytest.approx(5000.0)
    assert (exact.width_free_Hz, exact.width_bound_Hz) == pytest.approx((2.0, 6.0))
    assert exact.fast  # 5000/(1 - p) is above 2π·80 = 503 everywhere
    assert not nmr.fit_exchange(p, 80.0, 60 * (width - 2) + 2, np.full(7, 0.1)).fast
    rng, fits = np.random.default_rng(8), []
    for _ in range(800):
        fits.append(
            nmr.fit_exchange(p, 80.0, width + 0.1 * rng.standard_normal(7), np.full(7, 0.1))
        )
    rates = np.array([f.k_off_s for f in fits])
    claimed = np.array([f.k_off_error_s for f in fits])
    calm = np.array([f.chi2_reduced <= 1 for f in fits])
    assert np.median(claimed[calm]) == pytest.approx(rates.std(), rel=0.1)
    pulls = np.abs(rates - 5000) / claimed
    assert 0.92 < np.mean(pulls < 1.96) <= 0.99


def test_scatter_about_an_exchange_is_by_points_less_three():
    p, error = np.array([0.1, 0.25, 0.4, 0.6, 0.8]), np.array([1.0, 2.0, 1.0, 3.0, 2.0])
    width = np.array([3.0, 9.0, 2.0, 8.0, 7.0])
    by = np.column_stack([1 - p, p, (1 - p) ** 2 * p]) / error[:, None]
    square = np.linalg.lstsq(by, width / error, rcond=None)[1]
    found = nmr.fit_exchange(p, 80.0, width, error)
    assert found.chi2_reduced == pytest.approx(square / 2)


def test_no_exchange_broadening_has_no_rate():
    p = np.linspace(0, 1, 6)
    found = nmr.fit_exchange(p, 80.0, 5 - 2 * (1 - p) ** 2 * p, np.full(6, 0.1))
    assert found.k_off_s == np.inf and found.fast


def test_trend_of_shift_and_width():
    rng, ratio = np.random.default_rng(9), np.array([0.0, 0.25, 0.5, 1.0, 2.0])
    x = ratio / (1 + ratio)
    shift_error, width_error = np.array([2, 3, 2, 4, 3]) * 1e-3, np.array([0.1, 0.2, 0.2, 0.1, 0.3])
    found = []
    for _ in range(1500):
        shift = 5 + 0.06 * x + shift_error * rng.standard_normal(5)
        width = np.array([2.0, 4, 4, 4, 4]) + width_error * rng.standard_normal(5)
        found.append(titration.trend("a", ratio, shift, shift_error, width, width_error))
    moved = np.array([f.shift_ppm for f in found])
    broader = np.array([f.broadening_Hz for f in found])
    assert moved.mean() == pytest.approx(0.06 * np.ptp(x), abs=3e-4)
    assert min(f.shift_error_ppm for f in found) == pytest.approx(moved.std(), rel=0.06)
    assert broader.mean() == pytest.approx(2.0, abs=0.02)
    assert found[0].broadening_error_Hz == pytest.approx(broader.std(), rel=0.06)


def test_moles_per_chain_propagate_all_areas_and_efficiencies():
    def made(area, error, sidebands):
        return cpmas.Vinyl(None, 130.0, 0.1, area, error, sidebands, 1e4, 1.0, True)

    vinyl = made(40.0, 1.5, {-1: (6.0, 0.8), 1: (5.0, 0.7)})

    def corrected(area, centre, left, right, e, ev):
        v = made(centre, 0.0, {-1: (left, 0.0), 1: (right, 0.0)})
        return cpmas.per_chain(
            area, 0.0, 4, v, efficiency=(e, 0.0), vinyl_efficiency=(ev, 0.0)
        ).corrected

    found = cpmas.per_chain(
        20.0, 1.2, 4, vinyl, efficiency=(0.7, 0.05), vinyl_efficiency=(0.9, 0.04)
    )
    at, errors = (20.0, 40.0, 6.0, 5.0, 0.7, 0.9), (1.2, 1.5, 0.8, 0.7, 0.05, 0.04)
    assert found.plain == pytest.approx(20 / 4 / (51 / 2))
    assert found.plain_error == pytest.approx(
        propagated(corrected, (20.0, 40.0, 6.0, 5.0, 1.0, 1.0), (1.2, 1.5, 0.8, 0.7, 0.0, 0.0)),
        rel=1e-6,
    )
    assert found.corrected == pytest.approx(found.plain * 0.9 / 0.7)
    assert found.corrected_error == pytest.approx(propagated(corrected, at, errors), rel=1e-6)


# ---- what slips showed to be untested ------------------------------------------------------------


def test_profile_ends_of_a_parabola_are_two_standard_errors():
    grid = np.linspace(-1.0, 1.0, 41) + 3.0
    delta = ((grid - 3.0) / 0.4) ** 2
    low, high = fluence._crossings(grid, delta, 20)
    assert math.log(low) == pytest.approx(3 - 0.4 * math.sqrt(3.84), abs=2e-3)
    assert math.log(high) == pytest.approx(3 + 0.4 * math.sqrt(3.84), abs=2e-3)
    assert fluence._crossings(grid, 0.1 * delta, 20) == (0.0, np.inf)


def test_internal_yield_sums_the_generations_and_has_the_error_of_the_external_one():
    model = recycling.OpticalModel("a", 0.3, 0.5)
    inside = model.internal(0.4)
    generations = sum(inside * 0.3 * (inside * 0.5) ** k for k in range(200))
    assert generations == pytest.approx(0.4, rel=1e-12)
    assert model.internal_error(0.4, 0.02) == pytest.approx(
        propagated(model.internal, (0.4,), (0.02,)), rel=1e-6
    )
    assert math.isnan(model.internal(0.7))  # more than would leave without any loss inside


def test_what_is_lost_of_a_photon():
    model = recycling.OpticalModel("a", 0.3, 0.5)
    assert model.lost == pytest.approx(0.2)
    assert recycling.OpticalModel("a", 0.5, 0.5).lost == 0.0
    assert model.internal(0.4) == pytest.approx(0.4 / (0.3 + 0.4 * 0.5))
    assert math.isnan(model.internal(0.9))


def test_the_straight_line_of_a_cutoff_meets_the_floor():
    x = np.arange(15.0, 18.0, 0.02)
    counts = 5000 * xps.edge(x, 16.4, 0.08) + 400
    found = ups.secondary_cutoff(x, counts)
    assert found.energy_eV == pytest.approx(16.4, abs=1e-3)
    assert found.width_eV == pytest.approx(0.08, rel=0.01)
    # The tangent in the middle of an error function reaches the floor after √(π/2) widths.
    assert found.extrapolated_eV == pytest.approx(16.4 + 0.08 * math.sqrt(math.pi / 2), abs=0.01)
    moved = ups.secondary_cutoff(x - 5, counts, bias_V=-5.0)
    assert moved.energy_eV == pytest.approx(found.energy_eV)


def test_the_error_of_a_cutoff_covers():
    x, rng = np.arange(15.5, 17.5, 0.04), np.random.default_rng(12)
    clean = 300 * xps.edge(x, 16.4, 0.1) * (1 - 0.2 * (x - 16.4)) + 20
    fits = [ups.secondary_cutoff(x, rng.poisson(clean)) for _ in range(150)]
    pulls = [(f.energy_eV - 16.4) / f.error_eV for f in fits]
    assert np.mean(pulls) == pytest.approx(0, abs=0.3)
    assert np.std(pulls) == pytest.approx(1, abs=0.2)


def test_slips_by_hand_still_find_their_lines():
    assert len(slips.by_hand()) == len(slips.BY_HAND)


def test_every_error_formula_has_a_check_or_a_reason():
    """A new one is to be entered in `error_formulas.csv`; `slips.py errors` tries the checks."""
    found = slips.candidates(slips.ROOMS, slips.widened)
    there = {(path.relative_to(slips.LIB).as_posix(), slip[1]) for _, path, _, slip in found}
    with slips.FORMULAS.open(encoding="utf-8", newline="") as f:
        listed = list(csv.DictReader(f))
    assert sorted(there) == sorted((row["module"], row["function"]) for row in listed)
    for row in listed:
        assert bool(row["check"]) != bool(row["why none"]), row
        for check in row["check"].split():
            file, name = check.split("::")
            text = (slips.TESTS / f"{file}.py").read_text(encoding="utf-8")
            assert f"def {name}(" in text, row


def test_capture_coefficient_shares_the_covariance_of_rate_and_traps():
    generation, exact = np.geomspace(1e19, 5e22, 12), np.log([1e6, 1e16, 2e-27])
    held = {"radiative": 1e-10, "detrap": 2e-11}

    def yields(u):
        rate, traps, auger = np.exp(u)
        return fluence.yield_of_generation(generation, rate / traps, traps, auger, **held)

    error = 0.01 * yields(exact)
    found = fluence.fit_recombination(generation, yields(exact), np.diag(error**2), scan=3, **held)
    moves = 1e-5 * np.eye(3)
    jacobian = [(yields(exact + m) - yields(exact - m)) / 2e-5 / error for m in moves]
    covariance = np.linalg.inv(np.array(jacobian) @ np.array(jacobian).T)
    for name, along in (
        ("capture_rate_s", [1, 0, 0]),
        ("traps_cm3", [0, 1, 0]),
        ("capture_cm3_s", [1, -1, 0]),
    ):
        variance = np.array(along) @ covariance @ np.array(along)
        assert found.log_errors[name] == pytest.approx(math.sqrt(variance), rel=1e-3)


def test_scans_weigh_by_their_scatter():
    """Three quiet scans and a loud one: the error is 1/√(Σ 1/σ²), that of the plain mean 1.5
    times."""
    rng, sigma = np.random.default_rng(5), np.array([1.0, 1.0, 1.0, 3.0])
    axes, truth = (np.arange(40.0), np.arange(500.0, 530.0)), 50 * np.ones((40, 30))
    made = [truth + s * rng.standard_normal(truth.shape) for s in sigma]
    for k in (0, 1, 2):
        made[k][7, 8] = np.nan
    found = average_scans([matrix(*axes, m) for m in made])
    expected = np.sum(sigma**-2.0) ** -0.5
    assert np.sqrt(np.mean(found.standard_error**2)) == pytest.approx(expected, rel=0.05)
    assert np.std(found.signal - truth) == pytest.approx(expected, rel=0.06)
    assert found.standard_error[7, 8] == pytest.approx(3.0, rel=0.2)  # the loud one alone


@pytest.mark.parametrize(
    "shape, widths",
    [
        ("gaussian", [0.3]),
        ("lorentzian", [3.0]),
        ("split_gaussian", [0.2, 0.4]),
        ("exponential_gaussian", [0.3, 0.25]),
        ("exponential_gaussian", [0.3, -0.25]),
    ],
)
def test_place_height_and_width_of_a_profile_are_those_on_a_fine_grid(shape, widths):
    x = np.linspace(-4, 6, 500_001)
    y = SHAPES[shape].function(x[None], *np.array([1.0, *widths])[:, None, None])[0][0]
    above = np.flatnonzero(y > y.max() / 2)
    mode, height, width = bands._profile_summary(SHAPES[shape], np.array([[1.0, *widths]]))
    assert mode[0] == pytest.approx(x[np.argmax(y)], abs=1e-4)
    assert height[0] == pytest.approx(y.max(), rel=1e-6)
    assert width[0] == pytest.approx(x[above[-1]] - x[above[0]], abs=1e-4)


def test_poles_end_at_the_plasmon_or_the_densest_medium():
    silver, glass = 0.13 + 3.99j, 1.5
    plasmon = np.sqrt(silver**2 * glass**2 / (silver**2 + glass**2)).real
    assert plasmon > glass
    stack = dipole._Stack([glass, 1.4, silver], [50.0], 1, 620.0, 0.5, "isotropic")
    other = np.sqrt(silver**2 * 1.4**2 / (silver**2 + 1.4**2)).real
    assert stack.largest() == pytest.approx(max(glass, other))
    beside = dipole._Stack([1.2, glass, silver], [50.0], 1, 620.0, 0.5, "isotropic")
    assert beside.largest() == pytest.approx(plasmon)
    clear = dipole._Stack([1.5, 1.82, 1.0], [50.0], 1, 620.0, 0.5, "isotropic")
    assert clear.largest() == pytest.approx(1.82)


def test_windows_of_an_edge_lie_at_its_levels():
    e = np.linspace(1.5, 2.5, 1001)
    y = np.clip((e - 1.8) / 0.4, 0, 1)
    edge = (int(np.argmin(np.abs(e - 1.75))), int(np.argmin(np.abs(e - 2.25))))
    found = gap._edge_windows(e, y, edge)
    assert min(w[0] for w in found) == pytest.approx(1.84, abs=0.006)
    assert max(w[0] for w in found) == pytest.approx(2.04, abs=0.006)
    assert all(0.28 * 0.4 - 0.01 < high - low < 0.45 for low, high in found)
    assert len(found) == 27 and found[1] == pytest.approx((1.84, 2.0), abs=0.006)


def test_share_of_a_blue_band_and_its_error():
    energy, t = np.linspace(1.7, 2.3, 121), np.linspace(0, 600, 12)
    variance = np.full((12, 121), 0.03**2)
    held = {"main_centre": 2.0, "main_fwhm": 0.09, "red_centre": 1.9, "red_fwhm": 0.08}
    two = SimpleNamespace(value=lambda name: np.array([held[name]]))

    def band(centre, fwhm):
        sigma = fwhm / (2 * math.sqrt(2 * math.log(2)))
        return np.exp(-0.5 * ((energy - centre) / sigma) ** 2) / sigma / math.sqrt(2 * math.pi)

    share = 0.04 + 0.006 * t / 60
    parts = np.array([band(2.0, 0.09), band(1.9, 0.08), band(2.09, 0.09)])
    clean = np.stack([0.7 - share, np.full(12, 0.3), share], axis=1) @ parts
    clean = clean + 0.2 + 0.1 * (energy - 2.0)
    exact = segregation._blue(energy, clean, variance, two, t)
    assert exact.per_minute == pytest.approx(0.006, rel=1e-4)
    brighter = segregation._blue(energy, 10 * clean, 100 * variance, two, t)
    assert brighter.standard_error == pytest.approx(exact.standard_error)
    rng = np.random.default_rng(8)
    noisy = [clean + 0.03 * rng.standard_normal(clean.shape) for _ in range(400)]
    drifts = [segregation._blue(energy, y, variance, two, t) for y in noisy]
    claimed = np.sqrt(np.mean([d.standard_error**2 for d in drifts]))
    # The error is widened by scatter above one only, so a little too large on the whole.
    assert 0.95 < claimed / np.std([d.per_minute for d in drifts]) < 1.25


def test_slopes_of_an_lmfit_residual():
    """At zero, where nothing says how large a parameter is, and at an end of the model's domain."""
    import lmfit

    x = np.linspace(0.1, 2.0, 20)

    def residual(p):
        return p["slope"] * x + np.sqrt(p["edge"] - 1.0) * x**2 + 1e-3 * p["small"] * x**3

    values = {"slope": 0.0, "edge": 1.3, "small": 1e-9}
    minimizer = lmfit.Minimizer(residual, lmfit.create_params(**values))
    _, jacobian = quantities.lmfit_adapter._jacobian(
        minimizer, SimpleNamespace(params=minimizer.params), list(values)
    )
    expected = np.stack([x, 0.5 / math.sqrt(0.3) * x**2, 1e-3 * x**3], axis=1)
    assert jacobian == pytest.approx(expected, rel=1e-6, abs=1e-12)

    def ending(p):  # not defined above 2
        return x * np.sqrt(2.0 - p["a"] + 0.0 * x) if p["a"].value <= 2.0 else np.nan * x

    minimizer = lmfit.Minimizer(lambda p: x + ending(p), lmfit.create_params(a=2.0 - 1e-7))
    _, jacobian = quantities.lmfit_adapter._jacobian(
        minimizer, SimpleNamespace(params=minimizer.params), ["a"]
    )
    step = np.cbrt(np.finfo(float).eps) * (2.0 - 1e-7)
    one_sided = (math.sqrt(1e-7) - math.sqrt(1e-7 + step)) / step
    assert jacobian[:, 0] == pytest.approx(one_sided * x, rel=1e-6)


class _Bench:
    """A sample whose quantities are kept by name."""

    settings = {"sensitivity_relative": 0.1, "energy_eV": 0.05, "alloy": True}

    def __init__(self):
        self.made = {}

    def make(self, held, name, unit, function, *of, **more):
        self.made[name] = quantities.derive(name, unit, function, *of, **more)
        return self.made[name]


def test_ionisation_energy_is_free_of_the_bias():
    spectrum = SimpleNamespace(photon_energy_eV=21.22)
    for bias in (0.0, -5.0):
        bench = _Bench()
        cut = (None, spectrum, bias, 16.4 + bias, 0.02, lambda _: None)
        electrons._ionisation(bench, cut, (None, spectrum, bias, 1.5 + bias, 0.03, lambda _: None))
        found = bench.made["ionisation energy"]
        assert found.value == pytest.approx(21.22 - (16.4 - 1.5))
        assert found.standard_error == pytest.approx(math.hypot(0.02, 0.03, 0.05), rel=1e-4)


def test_halide_ratio_of_two_regions_and_the_bromide_fraction_of_it(tmp_path):
    """Two bromide for one iodide: 2/3, whatever times the two regions took."""

    def region(level, atoms, error, seconds, scans):
        spectrum = SimpleNamespace(
            path=tmp_path / "a.vms", transmission=None, collection_time_s=seconds, scans=scans,
            photon_energy_eV=1486.6,
        )  # fmt: skip
        glass = dict(density_g_cm3=2.2, molar_mass_g_mol=60.1, valence_electrons=16, gap_eV=9.0)
        held = SimpleNamespace(row=SimpleNamespace(label=level, settings=glass))
        one = SimpleNamespace(
            spectrum=spectrum,
            shift=SimpleNamespace(value_eV=0.0),
            held=held,
            fit=SimpleNamespace(names=(level,)),
            described=lambda _: None,
        )
        binding = electrons._levels(tmp_path)[level].position_eV
        area = atoms * electrons._factor(level, binding, 1486.6, one)
        one.level = lambda name: (area, error * area)
        return one

    bench = _Bench()
    iodide, bromide = region("I 4d", 1.0, 0.01, 2.0, 3), region("Br 3d", 2.0, 0.02, 5.0, 1)
    electrons._ratio(bench, "I : Br", "I 4d", "Br 3d", iodide, bromide)
    ratio = bench.made["I : Br"]
    assert ratio.value == pytest.approx(0.5)
    assert ratio.standard_error == pytest.approx(0.5 * math.hypot(0.01, 0.02, 0.1), rel=1e-3)
    fraction = bench.made["x_Br (I 4d)"]
    assert fraction.value == pytest.approx(2 / 3)
    assert fraction.standard_error == pytest.approx(ratio.standard_error / 1.5**2, rel=1e-3)


def test_the_fourth_quantity_has_the_error_of_the_three():
    def fourth(light, drive, centre):
        given = {"luminance_cd_m2": light, "current_density_mA_cm2": drive, "centre_nm": centre}
        return consistency.solve(**given, fwhm_nm=35.0)

    at, errors = (30.0, 0.1, 620.0), (1.5, 0.002, 0.4)
    stated = [consistency.Stated(v, h, e) for v, h, e in zip(at, (0.5, 0.0, 0.0), errors)]
    found = fourth(*stated)
    expected = propagated(lambda *v: fourth(*v).value, at, errors)
    assert found.standard_error == pytest.approx(expected, rel=1e-3)
    assert found.high == pytest.approx(fourth(30.5, 0.1, 620.0).value + 1.96 * expected, rel=1e-3)


def test_trend_of_a_printed_column_is_a_straight_line():
    rng, drive = np.random.default_rng(3), np.geomspace(0.1, 100, 25)
    ratio = np.exp(0.04 * np.log10(drive) + 0.02 * rng.standard_normal(25))
    found = consistency.check_column(ratio, drive, {})
    line, covariance = np.polyfit(np.log10(drive), np.log(ratio), 1, cov=True)
    assert found.trend_per_decade == pytest.approx(line[0])
    assert found.trend_error == pytest.approx(math.sqrt(covariance[0, 0]))


def test_runs_of_shuffled_signs_are_standard_normal():
    rng, signs = np.random.default_rng(4), np.repeat([1.0, -1.0], [18, 30])
    z = [current_voltage._runs_z(rng.permutation(signs)) for _ in range(4000)]
    assert np.mean(z) == pytest.approx(0, abs=0.06)
    assert np.std(z) == pytest.approx(1, abs=0.04)
    assert current_voltage._runs_z(np.repeat([1.0, -1.0], 20)) < -5


def test_interval_of_a_site_is_that_of_the_distance_to_its_rival():
    kt = 8.617333262e-5 * 300
    found, _ = poses.site_shares({"a": (0.0, 0.03), "b": (0.05, 0.04)}, 300.0)
    for share, moved in ((found.share, 0), (found.low, 1.96 * 0.05), (found.high, -1.96 * 0.05)):
        assert share == pytest.approx(1 / (1 + math.exp((moved - 0.05) / kt)))


# ---- light-emitting devices ----------------------------------------------------------------------


def test_exponents_of_a_lifetime_against_drive():
    drive, life = np.array([0.1, 1.0, 10.0]), np.array([200.0, 35.0, 4.0])
    errors, drive_errors = np.array([9.0, 2.0, 0.3]), np.array([0.004, 0.05, 0.2])
    found = lifetime.acceleration(drive, life, errors, drive_errors)

    def of(k):
        return lambda *v: lifetime.acceleration(v[:3], v[3:], errors).exponents[k]

    every = (np.r_[drive, life], np.r_[drive_errors, errors])
    for k in (0, 1):
        assert found.exponent_errors[k] == pytest.approx(propagated(of(k), *every), rel=1e-5)
    between = propagated(lambda *v: of(0)(*v) - of(1)(*v), *every)
    apart = abs(found.exponents[0] - found.exponents[1])
    assert found.largest_difference_sigma == pytest.approx(apart / between, rel=1e-5)
    exact = lifetime.acceleration(drive, 35 * drive**-1.2, errors)  # no misfit: its own errors
    line = propagated(lambda *t: lifetime.acceleration(drive, t, errors).power_law,
                      35 * drive**-1.2, errors)  # fmt: skip
    assert exact.power_law_error == pytest.approx(line, rel=1e-5)


def test_errors_of_a_current_are_those_of_its_slopes():
    """Those of least squares, by slopes taken numerically and the scatter of the fit."""
    v, rng = np.arange(0.1, 8.01, 0.1), np.random.default_rng(4)
    truth = np.array([-16.0, 1.8, 0.5, 2.6, 5.0, 1.5])
    clean = current_voltage.jv_current(v, truth)
    fit = current_voltage.fit_jv(v, clean * 10 ** (0.005 * rng.normal(size=v.size)))
    step = 1e-5
    slopes = np.transpose([
        np.log10(current_voltage.jv_current(v, fit.values + move)
                 / current_voltage.jv_current(v, fit.values - move)) / (2 * step)
        for move in step * np.eye(6)
    ])  # fmt: skip
    expected = fit.scatter * np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    assert fit.standard_errors == pytest.approx(expected, rel=0.05)


def test_the_end_of_readings_that_drift_scatters_as_it_says():
    """At the last of 30 readings along a line, with nothing after it."""
    rng, at = np.random.default_rng(8), np.arange(30.0)
    found = [light._offset(0.5 * at + rng.standard_normal(30), 30) for _ in range(300)]
    ends, errors, _ = np.transpose(found)
    assert ends.mean() == pytest.approx(14.5, abs=0.1)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(ends.std(), rel=0.15)


@pytest.mark.parametrize("count", [4, 6, 12])
def test_readings_that_stand_still_drift_one_time_in_fifty_either_way(count):
    rng = np.random.default_rng(count)
    drawn = rng.standard_normal((4000, count))
    drifts = [light._offset(y, count)[0] != pytest.approx(y.mean(), abs=1e-12) for y in drawn]
    assert np.mean(drifts) == pytest.approx(0.04, abs=0.01)


def test_a_largest_efficiency_has_the_errors_of_reading_offset_and_calibration():
    j = np.geomspace(0.01, 10, 6)
    values = np.array([1.0, 20.0, 400.0, 3e3, 1.2e4, 3e4])
    held = light.Light(values, 0.3, 0.004, 0.1, 0.02, j < 0, j > 0)
    row = SimpleNamespace(state="", label="a")
    sweep = _Sweep(current_density_mA_cm2=j, voltage_V=np.linspace(2, 4, 6))
    run = SimpleNamespace(lights={"luminance": held}, sweep=sweep, row=row, kind="measured",
                          digest="")  # fmt: skip
    found = current_voltage.Peak(0.12, 2e-3, float(j[3]), math.nan, math.nan, False, False)
    one = SimpleNamespace(settings={"wavelength_error_nm": 0.0}, kind="measured", inputs=(),
                          label="")  # fmt: skip
    seen = routes.Response(
        "bias_V",
        np.array([2.0]),
        np.ones(1),
        {"counting": np.full(1, 0.02)},
        np.zeros(1),
        (),
        (one,),
    )
    curve = SimpleNamespace(route="luminance", peak=found, response=seen, place=2.0)
    context = device.Context("d", run, "", {"current_relative": 0.02, "spectrum_shift_nm": 0.0,
                                            "wavelength_nm": 0.0})  # fmt: skip
    angle = quantities.Quantity("angle", "", math.pi, {"pattern": 1e-9}, "sr")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "_remarks", lambda *a: ())
        made = device.eqe_quantities(context, curve, angle, 0.04)[0]
    assert made.value == pytest.approx(12.0)
    assert made.budget["reading"] == pytest.approx(0.2)
    assert made.budget["offset"] == pytest.approx(12 * 0.02 / 3e3)
    assert made.budget["calibration"] == pytest.approx(12 * math.hypot(0.02, 0.04))


def test_the_place_of_a_shoulder_is_known_as_well_as_the_shape_of_its_band():
    """Without noise its error is what two shapes of the main band put it apart by."""
    x = np.linspace(560, 760, 301)
    share = np.array([0.0, 0.05, 0.1, 0.15, 0.2])[:, None]
    y = np.exp(-(((x - 630) / 15) ** 2)) + share * np.exp(-(((x - 680) / 15) ** 2))
    half = 15 * math.sqrt(math.log(2))
    range_nm = (630 + 1.6 * half, 630 + 6 * half)
    places = [
        stability._two_bands(x, y, 630.0, 2 * half, range_nm, shape).value("side_centre")[0]
        for shape in stability._SHAPES
    ]
    _, _, place, error, *_ = stability._shoulder(x, y, 630.0, half)
    assert place == pytest.approx(680, abs=0.1)
    assert error == pytest.approx(abs(places[0] - places[1]), rel=0.05)


def test_changes_along_a_series_are_differences():
    at, x = np.arange(5.0), np.linspace(560, 760, 301)
    share = np.array([0.0, 0.05, 0.1, 0.15, 0.2])[:, None]
    clean = np.exp(-(((x - 630) / 15) ** 2)) + share * np.exp(-(((x - 680) / 15) ** 2))
    noisy = clean + 0.002 * np.random.default_rng(2).standard_normal(clean.shape)
    found = stability.follow(at, x, noisy)
    shift, error = found.change("fwhm_nm")
    assert shift == found.fwhm_nm[-1] - found.fwhm_nm[0]
    assert error == pytest.approx(math.hypot(found.fwhm_error[0], found.fwhm_error[-1]))
    assert found.grows and found.growth_error[0] == 0.0
    assert found.growth_error[3] == pytest.approx(
        math.hypot(found.share_error[0], found.share_error[3])
    )


def test_offset_of_a_sweep_and_its_error():
    rng, bias = np.random.default_rng(6), np.linspace(0, 4, 41)
    true = np.where(bias > 2, (bias - 2) ** 3 * 1e3, 0.0)
    current, usable = np.geomspace(1e-4, 100, 41), np.ones(41, bool)
    found = [
        light.find_light(bias, current, 5 + true + rng.standard_normal(41), usable)
        for _ in range(400)
    ]
    offsets = np.array([f.offset for f in found])
    claimed = np.array([f.offset_error for f in found])
    assert np.sqrt(np.mean(claimed**2)) == pytest.approx(offsets.std(), rel=0.12)
    one = found[0]
    assert one.error() == pytest.approx(np.sqrt(one.noise**2 + (one.relative * one.values) ** 2))
    # A sweep that begins in the light: anything up to the smallest reading, evenly.
    bright = light.find_light(bias, current, 50 * np.exp(2 * bias), usable)
    assert (bright.offset, bright.offset_error) == pytest.approx((0.0, 50 / math.sqrt(3)))
    # Light that follows an unsteady current does not scatter against it.
    uneven = current * np.exp(0.05 * rng.standard_normal(41))
    steady = light.find_light(bias, uneven, 1e3 * uneven + 1e-6 * true, usable)
    assert steady.relative < 1e-3
    # Readings that creep upwards are no light.
    creeping = light.find_light(bias, current, 5 + 0.05 * bias + true, usable)
    assert creeping.dark.sum() > 10 and creeping.offset == pytest.approx(5.1, abs=0.05)


def test_error_of_a_pattern_is_half_the_difference_of_its_sides():
    angle = np.arange(-90.0, 91.0, 5.0)
    cosine = np.cos(np.radians(angle))
    made = np.where(angle < 0, cosine**1.4, cosine)
    found = routes.effective_angle(SimpleNamespace(angle_deg=angle, intensity=made), "", 0.1, "")
    assert found.standard_error == pytest.approx(math.pi * (1 - 2 / 2.4) / 2, rel=0.01)
    taken = routes.effective_angle(None, "", 0.1, "")
    assert taken.standard_error == pytest.approx(0.1 * math.pi / math.sqrt(3))


@pytest.mark.parametrize("first", [0.0, -20.0])
def test_error_of_a_pattern_of_one_side_is_that_of_its_points(first):
    """Points that lie high and low by turns: each half of them is a pattern of its own."""
    angle = np.arange(first, 90.1, 2.5)
    made = np.cos(np.radians(angle)) * (1 + 0.02 * (-1.0) ** np.arange(angle.size))
    found = routes.effective_angle(SimpleNamespace(angle_deg=angle, intensity=made), "", 0.1, "")
    assert found.standard_error == pytest.approx(0.02 / 1.02 * math.pi, rel=0.01)


def test_response_of_a_spectrum_scatters_as_it_says():
    rng, x = np.random.default_rng(7), np.linspace(560, 720, 161)
    clean, sd = 400 * np.exp(-(((x - 630) / 20) ** 2)), np.full(161, 6.0)

    def of(values):
        return routes._response_of(
            SimpleNamespace(
                signal=conditioning.Signal(x, values[None], variance=sd[None] ** 2),
                label="a",
            ),
            photometry.photopic_response,
            "light",
        )[0][0]

    value, errors, slope = of(clean)
    drawn = [of(clean + sd * rng.standard_normal(161))[0] for _ in range(600)]
    claimed = math.sqrt(sum(e**2 for e in errors.values()))
    assert claimed == pytest.approx(np.std(drawn) / value, rel=0.1)
    moved = [photometry.photopic_response(x + d) @ clean for d in (0.5, 0.0, -0.5)]
    assert slope == pytest.approx((moved[0] - moved[2]) / moved[1], rel=1e-3)


class _Sweep(SimpleNamespace):
    """A sweep of which only bias, current and luminance are asked."""


def test_luminance_and_turn_on_carry_reading_offset_and_calibration():
    volts = np.array([1.8, 2.0, 2.2, 2.4, 2.6, 2.8])
    values = np.array([0.01, 0.2, 4.0, 30.0, 120.0, 300.0])
    held = light.Light(values, 0.02, 0.03, 0.1, 0.01, values < 0.1, values > 0.1)
    sweep = _Sweep(voltage_V=volts, current_density_mA_cm2=np.geomspace(0.01, 10, 6))
    row = SimpleNamespace(state="", label="a", settings={"light_error": 0.04})
    run = SimpleNamespace(lights={"luminance": held}, sweep=sweep, row=row, kind="measured",
                          digest="")  # fmt: skip
    settings = {"turn_on_cd_m2": 1.0, "luminance_relative": 0.5, "current_relative": 0.02}
    angle = quantities.Quantity("angle", "", math.pi, {"pattern": 1e-9}, "sr")
    made = device.luminance_quantities(device.Context("d", run, "", settings), angle)
    found = {q.name: q for q in made}
    assert found["largest luminance"].budget == pytest.approx(
        {"reading": math.hypot(0.02, 0.03 * 300), "offset": 0.01, "calibration": 0.04 * 300}
    )
    alone = current_voltage.turn_on(
        volts, values, threshold_cd_m2=1.0, noise_cd_m2=math.hypot(0.02, 0.01),
        luminance_relative_error=math.hypot(0.03, 0.04),
    )  # fmt: skip
    assert found["turn-on voltage"].standard_error == pytest.approx(alone.standard_error_V)


def test_candela_an_ampere_and_lumen_a_watt_are_light_over_drive():
    """20 cd/A less what is lost at low and at high current; over voltage, with Ω_f, in lm/W."""
    j = np.geomspace(0.01, 100, 41)
    volts, candela = 2.5 + 0.4 * np.log10(j / 0.01), 20 / (1 + j / 10 + 0.1 / j)
    held = light.Light(10 * j * candela, 1e-3, 1e-3, 0.0, 1e-2, j < 0, j > 0)
    sweep = _Sweep(voltage_V=volts, current_density_mA_cm2=j)
    row = SimpleNamespace(state="", label="a")
    run = SimpleNamespace(lights={}, sweep=sweep, row=row, kind="measured", digest="")
    angle = quantities.Quantity("angle", "", math.pi, {"pattern": 0.1}, "sr")
    context = device.Context("d", run, "", {"current_relative": 0.02})
    made = {q.name: q for q in device._per_current(context, held, angle, 0.04)}
    for name, course, share in (
        ("largest current efficiency", candela, 0.0),
        ("largest power efficacy", math.pi * candela / volts, 0.1 / math.pi),
    ):
        found, top = made[name], int(np.argmax(course))
        assert found.value == pytest.approx(course[top], rel=2e-3)
        assert float(found.note.split()[1]) == pytest.approx(j[top], rel=0.2)
        assert found.budget["calibration"] == pytest.approx(math.hypot(0.02, 0.04) * course[top],
                                                            rel=2e-3)  # fmt: skip
        offset = 0.01 / (10 * j[top] * candela[top]) * course[top]
        assert found.budget["offset"] == pytest.approx(offset, rel=0.01)
        assert found.budget["reading"] < 2e-3 * course[top]
        assert found.budget.get("pattern", 0.0) == pytest.approx(share * course[top], rel=2e-3)


def test_an_integral_that_its_lines_do_not_describe_is_as_far_off_as_they_differ():
    def region(area, error, misfit, outside=100.0):
        return nmr_analyse.Region("", (SimpleNamespace(area=area),), (1.0, 1.2), True, error,
                                  outside, misfit, True)  # fmt: skip

    covariance = np.array([[0.81, 0.2], [0.2, 1.96]])
    whole = Integrals(
        (Integral(1.0, 1.2, 30.0, 0.9, 0.3, 0.4), Integral(2.0, 2.2, 80.0, 1.4, 0.5, 1.2)),
        covariance,
        np.array([np.diag([0.3**2, 0.5**2]), np.diag([0.4**2, 1.2**2])]),
    )
    assert nmr_analyse._noise_of_ratio(whole, 0, 1) == pytest.approx(
        propagated(lambda a, b: a / b, (30.0, 80.0), covariance), rel=1e-6
    )
    fitted, other = region(31.0, 0.6, 1.0), region(86.0, 1.0, 1e3)
    found = nmr_analyse._by_lines(whole, (fitted, other))
    assert (found.regions[0].area, found.regions[0].error) == (31.0, 0.6)
    assert found.covariance[0, 0] == pytest.approx(0.36) and found.covariance[0, 1] == 0.0
    assert found.regions[1].area == 80.0  # six apart, of which 1.4 are noise
    assert found.regions[1].wing_error == pytest.approx(math.sqrt(1.2**2 + 36 - 1.4**2))
    found = nmr_analyse._by_lines(whole, (fitted, region(86.0, 1.0, 1e3, outside=2.0)))
    assert found.regions[1].wing_error == pytest.approx(math.hypot(1.2, 2.0))
    found = nmr_analyse._by_lines(whole, (fitted, region(74.0, 1.0, 1e3, outside=2.0)))
    assert found.regions[1].wing_error == pytest.approx(math.sqrt(1.2**2 + 36 - 1.4**2))


# ---- NMR: noise and places -----------------------------------------------------------------------


def test_noise_of_a_decay_under_strong_lines():
    rng, t = np.random.default_rng(11), np.arange(8192)
    lines = [(900, 0.06, 80.0), (300, -0.21, 200.0), (40, 0.33, 30.0)]
    decay = sum(a * np.exp(2j * np.pi * f * t - t / w) for a, f, w in lines)
    noise = 1.7 * (rng.standard_normal(8192) + 1j * rng.standard_normal(8192))
    assert processing.noise_of_decay(decay + noise) == pytest.approx(1.7, rel=0.05)


def _with_correlated_noise(seed, height=0.0):
    """A spectrum whose neighbours err together, and the standard deviation of its points."""
    rng, ppm = np.random.default_rng(seed), np.linspace(0, 10, 16384)
    kernel = np.array([1.0, 2.0, 1.0])
    noise = np.convolve(rng.standard_normal(16386), kernel, "valid")
    line = height * 0.02**2 / ((ppm - 4.0) ** 2 + 0.02**2)
    spectrum = nmr_formats.Spectrum(Path("a"), ppm, line + noise, 400.0, "1H")
    return processing.from_spectrum(spectrum), math.sqrt(6.0)


def test_covariance_of_a_processed_spectrum_is_that_of_its_noise():
    """Not the quietest stretches alone, and not less what a parabola takes away."""
    done, sd = _with_correlated_noise(12)
    assert done.noise_sd == pytest.approx(sd, rel=0.03)
    sums = np.lib.stride_tricks.sliding_window_view(done.real, 40)[::7].sum(axis=1)
    operator = np.ones((40, 1))
    assert math.sqrt(done.covariance_of(operator)[0, 0]) == pytest.approx(sums.std(), rel=0.05)


def test_place_of_a_reference_adds_the_error_of_its_shift():
    done, _ = _with_correlated_noise(13, height=400.0)
    standard = referencing.Standard("a", "1H", 4.01, 0.002, 0, 0.0, "")
    found = referencing.reference(done, standard)
    own = found.fit["standard"].position_error_ppm
    assert found.error_ppm == pytest.approx(math.hypot(own, 0.002))
    assert found.moved_ppm == pytest.approx(0.01, abs=4 * own)


def test_region_of_several_lines_has_the_error_of_their_sum():
    lines = [SimpleNamespace(position_ppm=1.0, area=2.0), SimpleNamespace(position_ppm=1.1, area=1)]
    covariance = np.array([[0.04, -0.01], [-0.01, 0.09]])
    fit = SimpleNamespace(
        lines=lines, area_covariance=covariance, misfit=1.0, converged=True, curves=np.ones((2, 5))
    )
    spectrum = SimpleNamespace(nucleus="1H", hz_per_point=0.2)
    seen = SimpleNamespace(spectrum=spectrum, row=None, solvent=())
    found = nmr_analyse._named(seen, fit, (0.9, 1.2), SimpleNamespace(table=()))
    assert found.area_error == pytest.approx(math.sqrt(0.04 + 0.09 - 0.02))
    assert found.outside == pytest.approx(3.0 - 2.0)


# ---- fits ----------------------------------------------------------------------------------------


def test_known_noise_makes_the_covariance_and_lmfit_is_told():
    import lmfit

    rng, x = np.random.default_rng(14), np.linspace(0, 3, 25)
    design = np.stack([x, np.ones(25)], axis=1)
    made = quantities.from_jacobian(
        ["a", "b"], [1.0, 2.0], ["", ""], design, rng.standard_normal(25), noise=0.3
    )
    assert made.covariance == pytest.approx(0.09 * np.linalg.inv(design.T @ design))
    y = 1.4 * x + 2 + 0.1 * rng.standard_normal(25)
    result, _ = quantities.fit_lmfit(
        lambda p: p["a"] * x + p["b"] - y, [lmfit.create_params(a=1.0, b=1.0)], {}
    )
    (a, b), covariance = np.polyfit(x, y, 1, cov=True)
    assert (result.params["a"].value, result.params["b"].value) == pytest.approx((a, b), rel=1e-5)
    errors = np.sqrt(np.diag(covariance))
    assert [result.params[n].stderr for n in "ab"] == pytest.approx(errors, rel=1e-3)
    correlation = covariance[0, 1] / errors.prod()
    assert result.params["a"].correl["b"] == pytest.approx(correlation, rel=1e-3)


# ---- structure: counts, lines, images ------------------------------------------------------------


def test_net_counts_scatter_as_poisson():
    rng = np.random.default_rng(15)
    draws = rng.poisson(150, 20_000) - rng.poisson(60, 20_000)
    net, error = eds.Counts("Pb", 150.0, 60.0, 1.0, 0.0, "").net
    assert net == pytest.approx(draws.mean(), abs=0.4)
    assert error == pytest.approx(draws.std(), rel=0.02)
    assert eds.Counts("Pb", 0.0, 0.0, 1.0, 0.0, "").net == (0.0, 1.0)


def test_height_of_a_line_is_in_units_of_its_error():
    """White noise of any size through the filters for lines and edges has unit variance."""
    rng = np.random.default_rng(18)
    y, variance = 3 * rng.standard_normal(200_000), np.full(200_000, 9.0)
    for score in (detection._line, detection._edge):
        found = score(y, variance, 8)
        assert np.nanstd(found) == pytest.approx(1, abs=0.02)


def test_spinning_rate_is_the_weighted_mean_of_both_sidebands(monkeypatch):
    def line(place, error):
        return SimpleNamespace(position_ppm=place, position_error_ppm=error, width_Hz=40.0,
                               gauss_Hz=50.0, area=10.0, area_error=0.1)  # fmt: skip

    lines = [line(130.0, 0.01), line(29.8, 0.03), line(230.5, 0.05)]
    seen = iter(lines)

    class Fit(SimpleNamespace):
        def __getitem__(self, name):
            return self.lines[0]

    monkeypatch.setattr(cpmas, "fit_lines", lambda *_: Fit(lines=[next(seen)]))
    monkeypatch.setattr(cpmas, "_highest", lambda *_: 130.0)
    monkeypatch.setattr(cpmas, "there", lambda *_: True)
    found = cpmas.fit_vinyl(SimpleNamespace(reference_MHz=100.0), 10_000.0)
    errors = 100 * np.hypot([0.03, 0.05], 0.01)
    assert found.rate_Hz == pytest.approx(np.average([10_020, 10_050], weights=errors**-2))
    assert found.rate_error_Hz == pytest.approx(np.sum(errors**-2) ** -0.5)


def test_bands_of_an_infrared_spectrum_cover():
    rng, x = np.random.default_rng(16), np.arange(1200.0, 2000, 2)
    bands = ((1640, 40, 0.1), (1545, 44, 0.12))
    clean = 0.02 + sum(h / (1 + 4 * ((x - c) / w) ** 2) for c, w, h in bands)
    found = []
    for _ in range(50):
        made = ftir.fit_bands(x, clean + 3e-4 * rng.standard_normal(x.size))
        band = min(made.bands, key=lambda b: abs(b.position_cm1 - 1545))
        found.append((band.position_cm1, band.height, band.position_error_cm1, band.height_error))
    place, height, place_error, height_error = np.array(found).T
    assert np.mean(place_error) == pytest.approx(place.std(), rel=0.3)
    assert np.mean(height_error) == pytest.approx(height.std(), rel=0.3)


def test_axes_of_a_lattice_scatter_as_they_say():
    rng = np.random.default_rng(17)
    y, x = np.mgrid[0:144, 0:144] * 0.05
    u, v = 0.921 * x + 0.389 * y, 0.921 * y - 0.389 * x
    clean = np.cos(2 * np.pi * u / 0.605) + np.cos(2 * np.pi * v / 0.605)
    fits = [
        microscopy.fit_square_lattice(
            clean + 2 * rng.standard_normal(x.shape), 0.05, d100_nm=0.6, pixel_relative_error=0.0
        )
        for _ in range(20)
    ]
    axes = np.array([(f.ellipticity, f.ellipticity_error) for f in fits])
    spacing = np.array([(f.d100_nm, f.d100_error_nm) for f in fits])
    assert 0.7 < np.mean(axes[:, 1]) / axes[:, 0].std() < 1.35
    assert 0.8 < np.mean(spacing[:, 1]) / spacing[:, 0].std() < 1.8  # unequal axes are added
    stretched = microscopy.fit_square_lattice(clean, 0.05, d100_nm=0.6, pixel_relative_error=0.01)
    assert stretched.d100_error_nm == pytest.approx(0.01 * stretched.d100_nm, rel=0.5)


def test_a_reference_among_rivals_holds_them_all(monkeypatch):
    found = SimpleNamespace(spectrum="s", error_ppm=0.003, rivals_ppm=np.array([0.05, -0.09]))
    monkeypatch.setattr(referencing, "reference", lambda *_: found)
    standard = referencing.Standard("a", "1H", 4.0, 0.0, 0, 0.0, "")
    _, error, said = referencing.first_standard(None, [standard])
    assert error == pytest.approx(math.sqrt(0.003**2 + (0.05**2 + 0.09**2) / 2))
    assert "2 more lines" in said


# ---- powder patterns -----------------------------------------------------------------------------


def test_size_and_strain_scatter_as_they_say():
    rng, wavelength = np.random.default_rng(19), 1.5406
    two_theta = np.array([14.6, 20.8, 29.6, 33.2, 42.4, 45.1])
    theta = np.radians(two_theta / 2)
    true = np.degrees((wavelength / 120 + 4 * 0.004 * np.sin(theta)) / np.cos(theta))
    errors = np.linspace(0.02, 0.05, 6)
    fits = []
    for _ in range(1500):
        drawn = true + errors * rng.standard_normal(6)
        lines = [Breadth((), *line) for line in zip(two_theta, drawn, errors)]
        fits.append(xrd.williamson_hall(lines, wavelength))
    found = np.array([f.values for f in fits])
    assert found.mean(axis=0) == pytest.approx([1 / 12, 0.4], rel=0.03)
    calm = min((f.covariance for f in fits), key=np.trace)
    assert np.sqrt(np.diag(calm)) == pytest.approx(found.std(axis=0), rel=0.07)


def test_bromide_fraction_of_intensities_and_its_error():
    lines = [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0), (2, 1, 1), (2, 2, 0)]

    def strengths(x):
        return np.array([evidence.line_strength(hkl, x) for hkl in lines])

    true = (strengths(0.4) + strengths(0.45)) / 2  # between two nodes of the table
    made = dict(zip(lines, np.stack([true, 0.03 * true], axis=1)))
    fit = SimpleNamespace(indices=lines, intensity=lambda *hkl: made[hkl])
    x, error, *_ = xrd.composition_from_intensities(fit, texture=False)
    design = np.stack([(strengths(0.45) - strengths(0.4)) / 0.05, true], axis=1)
    design /= (math.hypot(0.03, 0.02) * true)[:, None]
    assert x == pytest.approx(0.425, abs=1e-4)
    assert error == pytest.approx(math.sqrt(np.linalg.inv(design.T @ design)[0, 0]), rel=0.01)


def test_superlattice_line_keeps_its_relative_error(monkeypatch):
    made = SimpleNamespace(
        a_A=6.0,
        indices=[(1, 0, 0), (2, 0, 0), (1.5, 0.5, 0.5)],
        intensities=np.array([100.0, 80.0, 3.0]),
        intensity_errors=np.array([1.0, 1.0, 0.6]),
        chi2_reduced=1.0,
        bic=0.0,
    )
    monkeypatch.setattr(evidence, "pawley_fit", lambda *_, **__: made)
    found = xrd.phase_test([], [], wavelengths_A=(1.5406,))
    assert found.superlattice_error / found.superlattice_ratio == pytest.approx(0.2)


# ---- light and time ------------------------------------------------------------------------------


def test_a_spectrum_keeps_its_relative_errors_on_an_axis_of_energy():
    x = np.array([500.0, 560.0, 640.0, 700.0])
    signal, variance = np.array([1.0, 4.0, 9.0, 2.0]), np.array([0.01, 0.04, 0.25, 0.04])
    found = lineshapes.to_energy(x, signal, variance=variance)
    assert found.variance / found.signal**2 == pytest.approx((variance / signal**2)[::-1])


def test_width_of_spots_is_a_median_with_the_error_of_one(monkeypatch):
    rng, size = np.random.default_rng(21), 29
    place = 20 * np.arange(1, size + 1)
    frame, middle = np.zeros((41, 20 * size + 40)), np.full(size, 20)

    def fit(*_, **__):
        sigma = 2.0 + 0.2 * rng.standard_normal()
        return SimpleNamespace(estimates=SimpleNamespace(converged=True),
                               values=np.array([0, 0, sigma]), errors=np.full(3, 0.1))  # fmt: skip

    monkeypatch.setattr(confocal.separable, "fit", fit)
    found = np.array([confocal._width(frame, place, middle, 4.7) for _ in range(300)])
    assert np.mean(found[:, 1]) == pytest.approx(found[:, 0].std(), rel=0.12)
    assert found[:, 0].mean() == pytest.approx(2 * 2.3548, rel=0.01)


def test_absorptance_has_the_error_of_its_absorbance(monkeypatch):
    energy, noise = np.linspace(1.8, 2.4, 61), 0.004
    absorbance = 0.6 / (1 + np.exp(-(energy - 2.0) / 0.05))
    seen = {}

    def thermal(energy, emission, emission_error, share, error):
        seen.update(share=share, error=error)
        raise ValueError

    monkeypatch.setattr(measures, "_edge", lambda _: ((energy, absorbance), noise))
    monkeypatch.setattr(measures.reciprocity, "thermal_energy", thermal)
    monkeypatch.setattr(measures.reciprocity, "per_energy", lambda x, y: (energy, y))
    noisy = 1 + 0.01 * np.random.default_rng(24).standard_normal(61)
    emitted = conditioning.Signal(energy, noisy[None], variance=np.full((1, 61), 1e-4))
    emitted = SimpleNamespace(signal=emitted)
    with pytest.raises(ValueError):
        measures.reciprocity_of(SimpleNamespace(signal=None), emitted, {}, {})
    at = 30
    expected = propagated(lambda a: 1 - 10**-a, (absorbance[at],), (noise,))
    assert seen["share"][at] == pytest.approx(1 - 10 ** -absorbance[at])
    assert seen["error"][at] == pytest.approx(expected, rel=1e-6)


def test_runs_of_one_detector_share_its_gain():
    rng, x = np.random.default_rng(22), np.linspace(500, 700, 400)
    band = np.exp(-(((x - 600) / 40) ** 2))
    ready, true = {}, {}
    for role, factor, height in (("a", 2.0, 4e3), ("b", 5.0, 2e4)):
        level = height * band
        true[role] = (9.0 + 3.0 * level) / factor**2
        drawn = (level + np.sqrt(9.0 + 3.0 * level) * rng.standard_normal(400)) / factor
        read = np.full((1, 400), 9.0 / factor**2)
        ready[role] = conditioning.Signal(x, drawn[None], variance=read)
    settings = {
        "a": {"integration_ms": 2.0},
        "b": {"integration_ms": 20.0, "filter_transmission": 0.25},
    }
    bands = SimpleNamespace(emission=(520.0, 680.0), laser=(520.0, 680.0))
    ready["a laser"] = replace(ready["a"], variance=None)  # a file too short to know its noise
    settings["a laser"] = settings["a"]
    true["a laser"] = true["a"]
    found = yields._with_common_gain(ready, bands, settings, ("a laser", "b"), ("a", "b"))
    for role, variance in true.items():
        assert np.median(found[role].variance[0] / variance) == pytest.approx(1, abs=0.2)


def test_a_pair_of_lifetimes_that_is_determined_has_its_errors():
    covariance = np.array([[0.02, -0.012], [-0.012, 0.03]])
    u = np.log([3.0, 40.0])
    setup = SimpleNamespace(names=["t1", "t2"])
    trust = SimpleNamespace(null=np.zeros((2, 0)), covariance=covariance)
    total, others = ta_errors._determined(setup, u, np.eye(2), trust, (0, 1))
    for found, of in zip(
        [*total, *others],
        (
            lambda a, b: math.exp(-a) + math.exp(-b),
            lambda a, b: math.exp(a + b),
            lambda a, b: math.exp(a - b),
        ),
    ):
        assert found.value == pytest.approx(of(*u))
        assert found.standard_error == pytest.approx(propagated(of, u, covariance), rel=1e-6)


def test_amplitude_and_phase_of_an_oscillation():
    values, errors = np.array([[3.0], [-1.5]]), np.array([[0.2], [0.4]])
    names = ("decay", "oscillation 1 cosine", "oscillation 1 sine")
    spectra = SimpleNamespace(names=names, values=np.vstack([[[9.0]], values]),
                              standard_errors=np.vstack([[[9.0]], errors]),
                              wavelength_nm=np.array([500.0]), unit="mOD")  # fmt: skip
    fit = SimpleNamespace(
        spectra=lambda _: spectra,
        model=SimpleNamespace(oscillations=[None]),
        optimum=[1.3],
        setup=SimpleNamespace(locals=[{"period_1": 0}]),
        _which=lambda _: 0,
    )
    size, turn = GlobalFit.oscillations(fit)
    at, of = (3.0, -1.5), (0.2, 0.4)
    assert size.values[0, 0] == pytest.approx(math.hypot(*at))
    assert size.standard_errors[0, 0] == pytest.approx(propagated(math.hypot, at, of), rel=1e-6)
    expected = propagated(lambda c, s: math.atan2(s, c), at, of)
    assert turn.standard_errors[0, 0] == pytest.approx(expected, rel=1e-6)


def test_weights_of_a_matrix_are_its_errors_times_the_noise():
    m = matrix(np.arange(4.0), np.arange(500.0, 505.0), np.ones((4, 5)))
    assert compare._scaled(m, 0.3).signal == pytest.approx(m.signal / 0.3)
    held = replace(m, standard_error=np.full((4, 5), 2.0))
    assert compare._scaled(held, 0.3).standard_error == pytest.approx(np.full((4, 5), 0.6))


def test_mean_wavelengths_of_counted_spectra_scatter_as_they_say(tmp_path):
    rng, x = np.random.default_rng(23), np.linspace(560, 700, 281)
    clean = 900 * np.exp(-(((x - 630) / 14) ** 2)) + 25
    found = []
    for _ in range(60):
        counts = rng.poisson(clean, (3, 281))
        rows = (",".join(map(str, row)) for row in zip(x, *counts))
        (tmp_path / "a.csv").write_text("wavelength (nm),fresh,1,2\n" + "\n".join(rows))
        found.append(workflow.read_pl_series(tmp_path / "a.csv"))
    shares = np.array([f.blue_share_after - f.blue_share_fresh for f in found])
    # The dark level and the blue side share channels, which is left out: a little too large.
    assert 0.9 < np.mean([f.blue_share_error for f in found]) / shares.std() < 1.4
    fresh = np.array([f.fresh_nm for f in found])
    assert np.mean([f.fresh_error_nm for f in found]) == pytest.approx(fresh.std(), rel=0.25)


def test_share_of_spots_that_shine_is_binomial(monkeypatch):
    class Spots(list):
        fwhm_px = math.nan

        def on_fraction(self):
            return [1.0, sum(self) / len(self)]

    def share(on):
        found = iter([Spots(on), []])
        monkeypatch.setattr(spots, "find_spots", lambda *_, **__: next(found))
        stack = SimpleNamespace(frames=np.zeros((2, 4, 4)), pixel_um=None)
        held = SimpleNamespace(data=stack, row=SimpleNamespace(label="a", state=""))
        (made,) = spots.images(None, [held], {}, {"sample": "s", "state": ""}).quantities
        return made

    rng = np.random.default_rng(25)
    drawn = [share(rng.random(50) < 0.7) for _ in range(400)]
    claimed = np.mean([q.standard_error for q in drawn])
    assert claimed == pytest.approx(np.std([q.value for q in drawn]), rel=0.12)
    assert share([1] * 50).standard_error > 0.01  # all of fifty are not all of any number


def test_height_and_place_of_a_peak_scatter_as_they_say():
    rng, j = np.random.default_rng(26), np.geomspace(0.1, 30, 25)
    true = 12 * np.exp(-(np.log10(j / 2.0) ** 2) / 0.8)
    errors = 0.02 * true
    found = []
    for _ in range(250):
        peak = current_voltage.peak_eqe(j, true + errors * rng.standard_normal(25), errors)
        found.append((peak.eqe, peak.eqe_error, peak.current_density_mA_cm2, peak.current_error))
    value, value_error, place, place_error = np.array(found).T
    # Too large by as much as slow noise cannot be ruled out; more for the height.
    assert 1.0 < np.nanmedian(value_error) / np.nanstd(value) < 2.1
    assert 1.0 < np.nanmedian(place_error) / np.nanstd(place) < 1.6


def test_a_peak_under_slow_noise_is_where_it_says():
    """1/f noise and readings that share their errors: 57 to 80 % by independent readings."""
    for k, noise in enumerate((pink, correlated)):
        rng, x = np.random.default_rng(27 + k), np.linspace(-1.6, 1.6, 64)
        true = np.exp(-1.2 * x**2)
        held = []
        for _ in range(150):
            q = true * (1 + 0.005 * noise(rng, x.size))
            peak = current_voltage.peak_eqe(10**x, q, 0.005 * q)
            away = math.log(peak.current_density_mA_cm2) * peak.current_density_mA_cm2
            held.append((abs(peak.eqe - 1) < 1.96 * peak.eqe_error,
                         abs(away) < 1.96 * peak.current_error))  # fmt: skip
        assert np.all(np.mean(held, axis=0) > 0.86)


def test_a_drift_divided_out_leaves_relative_errors():
    m = matrix(np.arange(4.0), np.arange(500.0, 505.0), np.ones((4, 5)))
    m = replace(m, standard_error=np.full((4, 5), 0.1))
    found = ta_drift.without(m, 0.2)
    assert found.standard_error / found.signal == pytest.approx(np.full((4, 5), 0.1))
    assert found.signal[[0, -1], 0] == pytest.approx([1 / 0.9, 1 / 1.1])


def test_a_recovery_counts_from_three_of_its_errors():
    t, tau = np.linspace(0, 6, 13), 1.4
    fall = np.exp(-t / tau)
    design = np.stack([np.ones(13), fall, fall * t / tau], axis=1)
    step_error = math.sqrt(np.linalg.inv(design.T @ design)[1, 1])  # of a step of 1, noise 1
    for times, seen in ((3.4, True), (2.7, False)):
        errors = np.full(13, 1 / times / step_error)
        found = stability.relaxation(t, 600 + fall, errors, at=6, unit="h")
        assert found.determined is seen


def test_place_of_a_shoulder_scatters_as_it_says():
    rng, at, x = np.random.default_rng(28), np.arange(4.0), np.linspace(580, 740, 161)
    share = np.array([0.0, 0.1, 0.2, 0.3])[:, None]
    clean = np.exp(-(((x - 630) / 12) ** 2)) + share * np.exp(-(((x - 672) / 14) ** 2))
    found = []
    for _ in range(40):
        made = stability.follow(at, x, clean + 0.006 * rng.standard_normal(clean.shape))
        found.append((made.shoulder_nm, made.shoulder_error))
    place, claimed = np.array(found).T
    assert 0.85 < np.median(claimed) / place.std() < 1.4  # the two shapes differ by something


def test_a_degenerate_fit_has_errors_only_of_what_is_fixed():
    covariance = np.diag([0.04, 0.0, 0.09])
    fit = SimpleNamespace(
        covariance=np.stack([covariance, covariance]),
        at_bound=np.array([[False, False, True], [False, False, False]]),
        degenerate=np.array([False, True]),
    )
    found = bands.SeriesFit.standard_errors.fget(fit)
    assert found == pytest.approx(
        np.array([[0.2, 0.0, np.nan], [np.nan, 0.0, np.nan]]), nan_ok=True
    )


def test_a_yield_of_either_calibration_covers_both():
    def made(value):
        return quantities.Quantity("PLQY", "s", value, {"laser": 0.01}, "")

    found = measures._either(made(0.6), made(0.5))
    assert found.value == pytest.approx(0.55)
    assert found.budget["assumed"] == pytest.approx(0.1 / math.sqrt(12))
    assert found.interval == pytest.approx((0.48, 0.62))


def test_a_setting_within_a_range_is_uniform_over_it():
    draws = np.random.default_rng(29).uniform(0.8, 1.1, 100_000)
    found = quantities.assumed("filter_transmission", "", 0.8, 1.1)
    assert found.value == pytest.approx(0.95) and found.interval == (0.8, 1.1)
    assert found.standard_error == pytest.approx(draws.std(), rel=0.01)


# ---- sums of squares -----------------------------------------------------------------------------


def test_least_squares_without_known_noise_are_those_of_numpy():
    x, rng = np.linspace(0, 5, 30), np.random.default_rng(12)
    y = 2 + 3 * x + rng.standard_normal(30)
    values, expected = np.polyfit(x, y, 1, cov=True)
    slopes = np.column_stack([x, np.ones(30)])
    found = quantities.from_jacobian(
        ("slope", "level"), values, ("", ""), slopes, y - slopes @ values
    )
    assert found.covariance == pytest.approx(expected, rel=1e-6)


def test_a_decay_of_one_exponential_is_known_to_its_photons():
    """Cramer and Rao: tau to tau / sqrt(N), its height, N over tau, to sqrt(2 / N)."""
    t = np.arange(0, 60, 0.05)
    counts = np.random.default_rng(5).poisson(500 * np.exp(-t / 5))
    fit = fit_decay(t, counts, background=0.0)
    n = counts.sum()
    assert fit.lifetime_errors_ns[0] == pytest.approx(5 / math.sqrt(n), rel=0.03)
    assert fit.amplitude_errors[0] / fit.amplitudes[0] == pytest.approx(math.sqrt(2 / n), rel=0.03)


def test_integrals_of_noise_scatter_as_they_say():
    """A hundred integrals beside a line, and their covariance where they share a flank."""
    rng, ppm = np.random.default_rng(17), np.linspace(0, 10, 16384)
    line = 1 / (1 + ((ppm - 9) / 0.01) ** 2)
    regions = [(low, low + 0.04) for low in np.arange(1.0, 8.0, 0.07)]
    y = line + 0.01 * rng.standard_normal(ppm.size)
    done = processing.from_spectrum(nmr_formats.Spectrum(Path("a"), ppm, y, 400.0, "1H"))
    found = nmr.integrate(done, regions, flank_ppm=0.01)
    areas = np.array([r.area for r in found.regions])
    assert np.sqrt(np.mean(np.diag(found.covariance))) == pytest.approx(areas.std(), rel=0.15)
