"""Quantum yields, spectra, gaps, recycling and segregation: limits, recovery with coverage, real
files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hassan2021.simulate.photoluminescence import crystals, film_parameters, segregation, sphere
from ledger import paper
from peled import photoluminescence as pl
from peled.conditioning import ConditioningError, Noise, Signal, condition, detector_noise
from peled.formats.spectra import HC_EV_NM, read_spectra
from peled.formats.sphere import (
    RUNS,
    Band,
    Calibration,
    SphereRun,
    SphereTriple,
    read_calibration,
    read_sphere,
)
from peled.materials import bulk_wavelength_nm
from peled.photoluminescence import confocal, fluence, gap, recycling, shift_budget

# ---- quantum yields ------------------------------------------------------------------------------

W = np.concatenate([np.arange(396.0, 416.0, 0.25), np.arange(416.0, 780.1, 1.0)])
LASER, EMISSION = (W > 398) & (W < 412), W >= 540
KNOTS = np.arange(380.0, 800.1, 5.0)
CALIBRATION = Calibration(None, KNOTS, HC_EV_NM / KNOTS / sphere.response(KNOTS), "energy")


def _triple(counts, name="x"):
    return SphereTriple(
        Path(name),
        name,
        *(
            SphereRun(
                run, Band(W[LASER], counts[run][LASER]), Band(W[EMISSION], counts[run][EMISSION])
            )
            for run in RUNS
        ),
    )


def _film_emission():
    emission = crystals.emission_nm(W, crystals.tuned(crystals.Ensemble(urbach_eV=0.016), 640.0))
    emission[W < 500] = 0
    return emission / np.trapezoid(emission, W)


@pytest.mark.parametrize("true", [0.7, 0.05])
def test_yield_intervals_cover(true):
    rng, emission, film = np.random.default_rng(3), _film_emission(), film_parameters()["E+G"]
    found = []
    for _ in range(400):
        result = pl.quantum_yield(
            [_triple(sphere.runs(rng, W, emission, np.zeros_like(W), true, film, 4e5))], CALIBRATION
        )
        found.append((result.plqy[0], result.standard_error[0]))
    value, error = np.array(found).T
    assert 0.925 <= np.mean(np.abs(value - true) < 1.96 * error) <= 0.975
    assert abs(value.mean() - true) < 4 * value.std() / np.sqrt(value.size)


@given(st.floats(0.01, 1.0), st.floats(0.02, 0.9), st.floats(0.0, 0.3))
@settings(max_examples=60, deadline=None)
def test_yield_of_an_ideal_sphere_is_exact(true, absorptance, wall):
    """Without noise, de Mello's balance gives back the yield for any absorptance and wall light."""
    emission = _film_emission()
    line = np.exp(-0.5 * ((W - 405) / 0.9) ** 2)
    line /= np.trapezoid(line, W)
    taken = {
        "empty": (1.0, 0.0),
        "indirect": (1 - wall, wall),
        "direct": ((1 - absorptance) * (1 - wall), absorptance + (1 - absorptance) * wall),
    }
    counts = {
        run: 1e8
        * (
            left * line / np.trapezoid(line[LASER], W[LASER])
            + true * absorbed * emission / np.trapezoid(emission[EMISSION], W[EMISSION])
        )
        * sphere.response(W)
        for run, (left, absorbed) in taken.items()
    }
    calibration = Calibration(None, W, 1 / sphere.response(W), "photons")
    result = pl.quantum_yield([_triple(counts)], calibration, noise=Noise(0, 1))
    assert result.plqy[0] == pytest.approx(true, rel=1e-9) and result.absorptance[
        0
    ] == pytest.approx(absorptance, rel=1e-6)


def test_photon_weight_is_in_the_calibration():
    band = np.linspace(400, 420, 21)
    flat = np.ones(2)
    energy, photons = (
        Calibration(None, np.array([300.0, 900.0]), flat, q) for q in ("energy", "photons")
    )
    np.testing.assert_allclose(
        pl.photon_weights(band, energy) / pl.photon_weights(band, photons), band
    )
    with pytest.raises(TypeError):
        pl.photon_weights(band)
    with pytest.raises(ValueError, match="ascending"):
        pl.photon_weights(band[::-1], photons)


@pytest.mark.parametrize(
    "folder, plqy, absorptance", [("1", 0.93386, 0.64594), ("2", 0.90843, 0.64879)]
)
def test_real_sphere_runs(samples, folder, plqy, absorptance):
    triples = read_sphere(samples / "plqy_sphere" / folder)
    right = pl.quantum_yield(
        triples, read_calibration(samples / "plqy_sphere" / "CF.txt", quantity="energy")
    )
    wrong = pl.quantum_yield(
        triples, read_calibration(samples / "plqy_sphere" / "CF.txt", quantity="photons")
    )
    assert right.plqy[0] == pytest.approx(plqy, abs=2e-5) and right.absorptance[0] == pytest.approx(
        absorptance, abs=2e-5
    )
    assert 0.001 < right.standard_error[0] < 0.03 and wrong.plqy[0] < 0.6


def test_shared_runs_and_calibration_correlate_a_series():
    rng, emission, film = np.random.default_rng(5), _film_emission(), film_parameters()["E+G"]
    runs = [sphere.runs(rng, W, emission, np.zeros_like(W), 0.5, film, 4e5) for _ in range(2)]
    shared = [_triple({**runs[0], "direct": r["direct"]}) for r in runs]
    apart = [_triple(r, name) for r, name in zip(runs, "ab", strict=True)]
    noise = Noise(120, 1)
    assert pl.quantum_yield(shared, CALIBRATION, noise=noise).covariance[0, 1] > 0
    assert pl.quantum_yield(apart, CALIBRATION, noise=noise).covariance[0, 1] == pytest.approx(
        0, abs=1e-12
    )
    # The shared covariance is what repeated experiments scatter by.
    values = []
    for _ in range(250):
        first = sphere.runs(rng, W, emission, np.zeros_like(W), 0.5, film, 4e5)
        second = sphere.runs(rng, W, emission, np.zeros_like(W), 0.5, film, 4e5)
        values.append(
            pl.quantum_yield(
                [_triple(first), _triple({**first, "direct": second["direct"]})],
                CALIBRATION,
                noise=noise,
            ).plqy
        )
    scatter = np.cov(np.array(values).T)[0, 1]
    assert scatter == pytest.approx(
        pl.quantum_yield(shared, CALIBRATION, noise=Noise(60, 1)).covariance[0, 1], rel=0.5
    )
    doubtful = Calibration(None, KNOTS, CALIBRATION.factor, "energy", relative_error=0.05)
    result = pl.quantum_yield(apart, doubtful, noise=noise)
    assert result.covariance[0, 1] == pytest.approx(
        result.plqy[0] * result.plqy[1] * 0.05**2, rel=1e-6
    )


def test_weak_yield_is_flagged_and_blank_subtraction_matters():
    rng, emission, film = np.random.default_rng(6), _film_emission(), film_parameters()["E+G"]
    weak = pl.quantum_yield(
        [_triple(sphere.runs(rng, W, emission, np.zeros_like(W), 1e-4, film, 4e4))], CALIBRATION
    )
    assert "not significant" in weak.flags[0]
    counts = sphere.runs(rng, W, emission, np.zeros_like(W), 0.3, film, 4e5)
    counts = {run: c + 200 * EMISSION for run, c in counts.items()}  # a lamp left on
    with_blank, without = (
        pl.quantum_yield([_triple(counts)], CALIBRATION, subtract_blank=b).plqy[0]
        for b in (True, False)
    )
    assert with_blank == pytest.approx(0.3, abs=0.05) and without > with_blank + 0.05


def test_self_absorption_is_corrected():
    rng, emission, film = np.random.default_rng(8), _film_emission(), film_parameters()["E+G"]
    taken = np.clip(0.4 * np.exp(-(W - 600) / 25), 0, 0.9)
    lost = np.trapezoid(taken * emission, W)
    counts = sphere.runs(rng, W, emission, taken, 0.6, film, 4e6)
    apparent = pl.quantum_yield([_triple(counts)], CALIBRATION)
    corrected = pl.quantum_yield([_triple(counts)], CALIBRATION, self_absorption=(lost, 0.01))
    assert (
        apparent.plqy[0] < 0.59 and abs(corrected.plqy[0] - 0.6) < 3 * corrected.standard_error[0]
    )


def test_noise_of_a_detector_is_found():
    rng = np.random.default_rng(2)
    level = 50 + 4000 * np.exp(-0.5 * ((np.arange(2000) - 1000) / 180) ** 2)
    noise = detector_noise(level + rng.normal(0, np.sqrt(25 + 2.5 * level)))
    assert noise.gain == pytest.approx(2.5, rel=0.1)
    found = noise.variance(level)[[1000, 20]]
    np.testing.assert_allclose(found, [25 + 2.5 * 4050, 25 + 2.5 * 50], rtol=0.3)


def test_drift_of_the_laser_between_runs_is_covered():
    """The same triple under lasers that drift: the yields scatter as their error says."""
    rng, drift, film = np.random.default_rng(7), 0.03, film_parameters()["E+G"]
    clean = sphere.runs(rng, W, _film_emission(), np.zeros_like(W), 0.4, film, 4e7)
    found = []
    for _ in range(200):
        runs = {k: c * (1 + drift * rng.standard_normal()) for k, c in clean.items()}
        found.append(pl.quantum_yield([_triple(runs)], CALIBRATION, noise=Noise(1e-3, 0.0),
                                      laser_drift=drift))  # fmt: skip
    for values, errors in (
        ([f.plqy[0] for f in found], [f.standard_error[0] for f in found]),
        ([f.absorptance[0] for f in found], [f.absorptance_error[0] for f in found]),
    ):
        assert np.std(values) == pytest.approx(np.median(errors), rel=0.2)


# ---- fluence series ------------------------------------------------------------------------------


def test_steady_state_algebra_agrees_with_rate_equations_in_time():
    film = sphere.Film(capture=2e-10, traps=2e16)
    generation = np.geomspace(1e19, 1e23, 7)
    algebra = fluence.yield_of_generation(
        generation,
        film.capture,
        film.traps,
        film.auger,
        radiative=film.radiative,
        detrap=film.detrap,
    )
    np.testing.assert_allclose(
        algebra, [sphere.steady_yield(g, film) for g in generation], rtol=2e-3
    )


def test_recombination_is_recovered_and_what_is_not_determined_is_said():
    rng = np.random.default_rng(4)
    generation = np.geomspace(1e19, 5e22, 12)
    clean = fluence.yield_of_generation(
        generation, 1e-10, 1e16, 2e-27, radiative=1e-10, detrap=2e-11
    )
    fit = pl.fit_recombination(
        generation,
        clean * (1 + rng.normal(0, 0.01, clean.size)),
        np.diag((0.01 * clean) ** 2),
        radiative=1e-10,
        detrap=2e-11,
    )
    for name, true in (("capture_rate_s", 1e6), ("traps_cm3", 1e16), ("auger_cm6_s", 2e-27)):
        low, high = fit.intervals[name]
        assert 0.8 * low < true < 1.2 * high and fit.determined(name)
    weak = slice(0, 6)  # too weak for Auger: nothing above says how much of it there is
    poor = pl.fit_recombination(
        generation[weak],
        clean[weak],
        np.diag((0.03 * clean[weak]) ** 2),
        radiative=1e-10,
        detrap=2e-11,
    )
    assert not poor.determined("auger_cm6_s") and poor.intervals["auger_cm6_s"][0] == 0.0
    with pytest.raises(ValueError, match="at least 4"):
        pl.fit_recombination(generation[:2], clean[:2], np.eye(2), radiative=1e-10, detrap=2e-11)


# ---- spectra -------------------------------------------------------------------------------------


def _measured(w, counts, window, **settings):
    steps = [("cosmic", {}), ("mask", settings), ("baseline", {"order": 1})]
    return pl.measure(condition(Signal(w, np.atleast_2d(counts)), steps), window)


def test_intervals_of_an_emission_spectrum_cover():
    """Bias below half a standard error and 95 % intervals, with a baseline that rises."""
    rng, w = np.random.default_rng(11), np.arange(440.0, 800.0, 0.8)
    fwhm = 12 * np.sqrt(8 * np.log(2))
    expected = 6000 * np.exp(-0.5 * ((w - 640) / 12) ** 2) + 400 + 0.3 * (w - 440)
    found = [_measured(w, rng.poisson(expected), (570, 725)) for _ in range(250)]
    truth = {"peak_nm": 640, "centroid_nm": 640, "fwhm_nm": fwhm,
             "area": 6000 * 12 * np.sqrt(2 * np.pi)}  # fmt: skip
    for name, true in truth.items():
        error = [getattr(m, name.replace("_nm", "") + "_error" + "_nm" * ("nm" in name))
                 for m in found]  # fmt: skip
        z = (np.array([getattr(m, name) for m in found]) - true) / error
        assert 0.91 <= np.mean(np.abs(z) < 1.96) <= 0.985 and abs(np.median(z)) < 0.5, name
        assert all("baseline" in m.budgets["area"] for m in found)


def test_noise_that_neighbours_share_widens_the_error_and_shot_noise_does_not_pass_for_it():
    rng, w = np.random.default_rng(4), np.arange(440.0, 800.0, 0.8)
    light = 9000 * np.exp(-0.5 * ((w - 640) / 12) ** 2)
    z = []
    for _ in range(100):
        read = np.convolve(rng.standard_normal(w.size + 2), [1, 2, 1], "valid") / np.sqrt(6)
        found = _measured(w, rng.poisson(light) + 8 * read + 60, (570, 725))
        z.append((found.centroid_nm - 640) / found.centroid_error_nm)
    assert 0.8 < np.std(z) < 1.2


def test_cosmic_rays_and_the_laser_do_not_move_the_peak():
    rng, w = np.random.default_rng(12), np.arange(390.0, 780.0, 0.5)
    counts = rng.poisson(
        20000 * np.exp(-0.5 * ((w - 640) / 12) ** 2)
        + 3000 * np.exp(-0.5 * ((w - 405) / 1.5) ** 2)
        + 100
    )
    counts[[430, 600, 700]] += 9000
    found = _measured(w, counts, (570, 725), excitation_nm=405.0)
    assert abs(found.peak_nm - 640) < 4 * found.peak_error_nm + 0.05
    # Per eV the maximum of the same light lies to the red, by about 2 sigma^2/lambda.
    red = HC_EV_NM / found.energy_peak_eV - found.peak_nm
    assert red == pytest.approx(2 * 144 / 640, abs=0.1)


def test_a_spectrum_without_a_baseline_is_not_measured():
    w = np.arange(610.0, 670.0, 0.5)
    y = np.random.default_rng(1).poisson(3000 * np.exp(-0.5 * ((w - 640) / 12) ** 2))
    with pytest.raises(ConditioningError, match="wider range"):
        _measured(w, y, (610, 670))


# ---- optical gap ---------------------------------------------------------------------------------


@given(st.floats(1.6, 2.4), st.floats(0.2, 5.0))
@settings(max_examples=30, deadline=None)
def test_tauc_line_of_an_ideal_direct_edge_is_exact(edge, scale):
    energy = np.linspace(1.2, 3.2, 900)
    absorbance = scale * np.sqrt(np.maximum(energy - edge, 0)) / energy
    found = pl.tauc_gap(energy, absorbance, window_eV=(edge + 0.1, edge + 0.5))
    assert found.gap_eV == pytest.approx(edge, abs=1e-6) and found.window_spread_eV < 1e-6


def test_elliott_series_and_continuum_join_at_the_gap():
    """Bound states above n merge into the Sommerfeld continuum: with many of them the absorption
    has no step at the gap."""
    energy = np.linspace(1.9, 2.1, 400)
    bound, continuum = gap.elliott(energy, 2.0, 0.03, 0.004, bound_states=40)
    total = bound + continuum
    assert np.max(np.abs(np.diff(total[np.abs(energy - 2.0) < 0.012]))) < 0.03 * total.max()
    free = gap.elliott(np.array([2.4]), 2.0, 1e-7, 0.004)[1][0]
    assert free == pytest.approx(
        np.sqrt(0.4 / 1e-7) / (2 * np.pi), rel=0.02
    )  # without Coulomb attraction: the root of free bands


def test_elliott_recovers_an_ensemble_and_tauc_is_low():
    ensemble = crystals.tuned(crystals.Ensemble(), 640.0)
    energy = np.linspace(1.6, 2.8, 600)
    absorbance = 0.3 * crystals.absorption(energy, ensemble) + np.random.default_rng(3).normal(
        0, 1e-3, energy.size
    )
    values, weights = crystals.gaps(ensemble)
    true = float(weights @ values)
    found = pl.elliott_gap(energy, absorbance)
    assert (
        found.gap_eV == pytest.approx(true, abs=0.012)
        and found.binding_eV == pytest.approx(0.030, abs=0.008)
        and found.converged
    )
    assert pl.tauc_gap(energy, absorbance).gap_eV < true - 0.03


def test_real_tauc(samples):
    spectrum = read_spectra(samples / "tauc" / "spectrum_1.txt")
    found = pl.tauc_gap(spectrum.energy_eV, spectrum.values[0])
    assert abs(found.gap_eV - 2.85877) < found.total_error_eV < 0.03
    with pytest.raises(ValueError, match="transition"):
        pl.tauc_gap(spectrum.energy_eV, spectrum.values[0], transition="forbidden")


def test_falling_absorbance_has_no_edge():
    with pytest.raises(ValueError, match="rising"):
        pl.tauc_gap(np.linspace(1.5, 3, 100), np.linspace(1, 0.1, 100) ** 2)


# ---- recycling -----------------------------------------------------------------------------------


def test_three_optical_models_of_the_film():
    decadic, natural, rays = (
        recycling.paper_model(1.82, 1.5, 0.02),
        recycling.paper_model(1.82, 1.5, 0.02, base=np.e),
        recycling.ray_model(1.82, 1.5, 0.02),
    )
    wave = recycling.wave_optics(1.82, 1.5, 30.0, 620.0)
    assert decadic.internal(0.7) == pytest.approx(0.878, abs=5e-4) and natural.internal(
        0.7
    ) == pytest.approx(0.876, abs=5e-4)
    assert recycling.paper_model(1.82, 1.5, 0.02, rounded=True).escape == pytest.approx(
        0.3240, abs=5e-5
    )
    assert rays.escape == pytest.approx(0.4075, abs=5e-4) and rays.internal(0.7) == pytest.approx(
        0.851, abs=1e-3
    )
    assert recycling.ray_model(1.82, 1.5, 0.0).escape == pytest.approx(0.434, abs=1e-3)
    assert wave.guided < 1e-3 and 0.6 < wave.glass < 0.72
    band = [wave.model(f).internal(0.7) for f in (0.0, 1.0)]
    assert band[0] == pytest.approx(0.70, abs=0.02) and band[1] == pytest.approx(0.87, abs=0.02)


@given(st.floats(0.05, 0.95), st.floats(0.1, 0.9), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_internal_yield_inverts_the_rounds_of_recycling(internal, escape, share):
    reabsorbed = share * (1 - escape)
    model = recycling.OpticalModel("any", escape, reabsorbed)
    external = sum(internal * escape * (internal * reabsorbed) ** k for k in range(3000))
    assert model.internal(external) == pytest.approx(internal, rel=1e-6)
    step = 1e-6
    slope = (
        (model.internal(external + step) - model.internal(external - step)) / (2 * step)
        if external + step < escape
        else None
    )
    assert slope is None or model.internal_error(external, 1.0) == pytest.approx(slope, rel=1e-3)


# ---- the shift budget ----------------------------------------------------------------------------


def test_shift_budget_numbers():
    assert float(bulk_wavelength_nm(0.6)) == pytest.approx(644.8, abs=0.1)
    np.testing.assert_allclose(
        shift_budget.bromide_for_wavelength(np.array([647.0, 655.0])), [0.59, 0.56], atol=0.005
    )
    weak = shift_budget.confinement(16.3, 12.0, mass=0.44, start_nm=642.0)
    assert weak.shift_meV == pytest.approx(8.15, abs=0.02) and shift_budget.shift_in_meV(
        642, 630
    ) == pytest.approx(36.8, abs=0.1)
    assert shift_budget.edge_for_shift(780, 80, 0.11) < 7.7
    assert shift_budget.mean_spacing_nm(0.001, 16.3) == pytest.approx(245, abs=1)
    with pytest.raises(ValueError, match="541 to 790"):
        shift_budget.bromide_for_wavelength(900.0)


@given(st.floats(0.0, 1.0))
def test_bromide_and_wavelength_are_inverse(x):
    assert float(shift_budget.bromide_for_wavelength(bulk_wavelength_nm(x))) == pytest.approx(
        x, abs=1e-6
    )


def test_combinations_respect_exclusive_causes():
    parts = [
        shift_budget.given("a", 8, 1, 642),
        shift_budget.given("b", 4, 1, 642),
        shift_budget.given("c", 3, 1, 642),
    ]
    found = shift_budget.combinations(12, 1.0, parts, exclusive=("b", "c"))
    assert found[0].causes == ("a", "b") and found[0].explains and len(found) == 5


def test_colour_patch_is_red_at_640_and_green_at_530():
    red, green = pl.plots.wavelength_colour(640.0), pl.plots.wavelength_colour(530.0)
    assert red[0] > 0.9 > 0.4 > red[1] and green[1] > green[0]


# ---- segregation ---------------------------------------------------------------------------------

WAVE, TIMES = (
    np.arange(560.0, 760.0),
    np.array([0, 10, 20, 40, 60, 90, 120, 180, 240, 300, 420, 600.0]),
)


def _series(seed, **options):
    defaults = {
        "crystals": 20000,
        "peak_nm": 649.0,
        "red_shift_eV": 0.075,
        "nucleation_s": 140.0,
        "extent": 0.4,
        "bleach_s": 5000.0,
        "counts": 4000,
    }
    return segregation.spectra(np.random.default_rng(seed), WAVE, TIMES, **(defaults | options))


def test_growing_red_band_is_found_with_its_time():
    found = pl.track(WAVE, _series(1), TIMES)
    assert found.segregates and found.growth.z > 3 and found.blue.z < 3
    assert HC_EV_NM / found.red_nm == pytest.approx(HC_EV_NM / found.peak_nm - 0.075, abs=0.006)
    kinetics = pl.fit_kinetics(TIMES, found.fraction, found.fraction_error)
    assert kinetics.rise_s == pytest.approx(140, rel=0.15) and kinetics.final == pytest.approx(
        0.4, abs=0.04
    )


def test_no_segregation_is_an_answer():
    accounts = [pl.track(WAVE, _series(k, extent=1e-9), TIMES) for k in range(6)]
    assert all(a.account == "steady" and not a.segregates for a in accounts)
    assert sum(abs(a.drift_nm.z) < 1.96 for a in accounts) >= 4


def test_moving_band_is_not_called_two_bands():
    rng, energy = np.random.default_rng(9), HC_EV_NM / WAVE
    counts = np.array(
        [
            rng.poisson(4000 * np.exp(-0.5 * ((energy - 1.91 + 0.02 * t / 600) / 0.035) ** 2) + 20)
            for t in TIMES
        ]
    )
    assert pl.track(WAVE, counts, TIMES).account == "one band moves"


def test_reversible_kinetics():
    t = np.concatenate([np.linspace(0, 300, 12), 300 + np.array([60, 200, 500, 900, 1500.0])])
    true = np.where(
        t <= 300, 0.4 * -np.expm1(-t / 100), 0.4 * -np.expm1(-3.0) * np.exp(-(t - 300) / 500)
    )
    found = pl.fit_kinetics(
        t,
        true + np.random.default_rng(1).normal(0, 0.004, t.size),
        np.full(t.size, 0.004),
        dark_from_s=300,
    )
    assert (
        abs(found.rise_s - 100) < 3 * found.rise_error_s
        and abs(found.recovery_s - 500) < 3 * found.recovery_error_s
    )


def test_drift_error_covers_and_widens_with_scatter():
    rng, t = np.random.default_rng(5), np.linspace(0, 600, 15)
    slopes = [
        pl.drift(t, 650 + 0.1 * t / 60 + rng.normal(0, 0.2, t.size), np.full(t.size, 0.2))
        for _ in range(400)
    ]
    assert (
        0.93 <= np.mean([abs(s.per_minute - 0.1) < 1.96 * s.standard_error for s in slopes]) <= 0.99
    )
    wide = pl.drift(t, 650 + rng.normal(0, 2.0, t.size), np.full(t.size, 0.2))
    assert wide.chi2_per_dof > 20 and wide.standard_error > 5 * slopes[0].standard_error


def test_series_that_cannot_be_used():
    with pytest.raises(ValueError, match="at least 4 spectra"):
        pl.track(WAVE, _series(1)[:3], TIMES[:3])
    with pytest.raises(ValueError, match="finite"):
        pl.track(WAVE, np.where(WAVE == 600, np.nan, _series(1)), TIMES)


def test_spots_are_found_and_measured():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:96, :96]
    places = [(12, 15), (30, 70), (60, 30), (80, 80), (45, 50), (20, 45)]
    image = 5 + sum(150 * np.exp(-0.5 * ((x - b) ** 2 + (y - a) ** 2) / 1.9**2) for a, b in places)
    found = confocal.find_spots(rng.poisson(image, (6, 96, 96)), pixel_um=0.06)
    assert {(int(a), int(b)) for a, b in zip(found.y_px, found.x_px, strict=True)} >= set(
        places
    ) or len(found) >= 6
    assert found.fwhm_px == pytest.approx(1.9 * 2.355, rel=0.05)
    assert len(confocal.find_spots(rng.poisson(5.0, (6, 96, 96)))) <= 12


# ---- forward models ------------------------------------------------------------------------------


def test_emission_of_the_forward_model_peaks_where_it_is_told_and_obeys_detailed_balance():
    ensemble = crystals.tuned(crystals.Ensemble(), paper.claim("C012").number)
    w = np.arange(560.0, 760.0, 0.05)
    assert w[np.argmax(crystals.emission_nm(w, ensemble))] == pytest.approx(642, abs=0.1)
    single = crystals.Ensemble(edge_sd_nm=1e-9, bromide_sd=0.0, nodes=1)
    energy = np.linspace(1.75, 2.0, 200)
    ratio = np.log(
        crystals.emission(energy, single) / crystals.absorption(energy, single) / energy**2
    )
    assert np.polyfit(energy, ratio, 1)[0] == pytest.approx(-1 / crystals.KT_EV, rel=1e-3)


def test_files_are_the_same_every_time(tmp_path):
    from hassan2021.simulate.photoluminescence import main
    from ledger import files

    main(tmp_path)
    for path in tmp_path.iterdir():
        if path.suffix in (".csv", ".txt", ".phu"):
            assert (
                path.read_bytes()
                == (files.ROOT / "data" / "photoluminescence" / path.name).read_bytes()
            ), path.name
