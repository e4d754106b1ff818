"""Quantum yields, spectra, gaps, recycling and segregation: limits, recovery with coverage, real
files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from hassan2021.photoluminescence import Film
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


def test_tauc_gap_is_where_the_line_meets_zero_in_all_moved_windows():
    """By numpy's polyfit: the given window, its ends moved by up to a quarter of its width."""
    energy = np.linspace(1.5, 3.1, 500)
    noise = np.random.default_rng(21).normal(0, 4e-3, energy.size)
    absorbance = 0.4 * np.maximum(energy - 1.9, 0) ** 0.6 / energy + noise * (energy > 1.9)
    low, high = 2.05, 2.45
    found = pl.tauc_gap(energy, absorbance, window_eV=(high, low))
    y = (absorbance * energy) ** 2
    lines = []
    for a in np.array([0, -2, -1, 1, 2]) * 0.05:
        for b in np.array([0, -2, -1, 1, 2]) * 0.05:
            inside = (energy > low + a - 1e-9) & (energy < high + b + 1e-9)
            (m, c), cov = np.polyfit(energy[inside], y[inside], 1, cov=True)
            by = np.array([c / m**2, -1 / m])
            r2 = np.corrcoef(energy[inside], y[inside])[0, 1] ** 2
            lines.append((-c / m, np.sqrt(by @ cov @ by), r2, m, c))
    gaps, errors, r2, slopes, at = np.array(lines).T
    good = r2 > r2.max() - 0.01
    assert 1 < good.sum() < good.size and found.windows == good.sum()
    assert found.gap_eV == pytest.approx(gaps[0]) and found.window_eV == (low, high)
    assert found.standard_error_eV == pytest.approx(errors[0], rel=1e-6)
    assert found.window_spread_eV == pytest.approx(np.std(gaps[good]), rel=1e-6)
    assert (found.slope, found.intercept) == pytest.approx((slopes[0], at[0]))
    assert found.total_error_eV == pytest.approx(np.hypot(errors[0], np.std(gaps[good])))


@pytest.mark.parametrize("transition, power", [
    ("direct", 2), ("indirect", 1 / 2), ("direct forbidden", 2 / 3), ("indirect forbidden", 1 / 3),
])  # fmt: skip
def test_tauc_finds_the_edge_of_its_own_law(transition, power):
    """A plot that is straight from the gap to its end, below a plateau of absorption."""
    energy = np.linspace(1.5, 2.6, 600)
    absorbance = np.clip(energy - 2.0, 0, 0.25) ** (1 / power) / energy
    found = pl.tauc_gap(energy, absorbance, transition=transition)
    assert found.gap_eV == pytest.approx(2.0, abs=2e-3)
    assert 2.0 < found.window_eV[0] < found.window_eV[1] < 2.26
    np.testing.assert_allclose(found.tauc, np.clip(energy - 2.0, 0, 0.25) * (
        energy / energy) ** power, atol=1e-9)  # fmt: skip


@pytest.mark.parametrize("at", [1.97, 2.03, 2.11])
def test_elliott_is_its_integral(at):
    """Bound states and Sommerfeld's continuum, each broadened by sech(E/Γ)/(πΓ), by quadrature."""
    gap_eV, binding, width = 2.0, 0.04, 0.02
    (bound,), (continuum,) = gap.elliott(np.array([at]), gap_eV, binding, width, bound_states=3)
    lines = sum(
        2 * binding / n**3 / np.cosh((at - gap_eV + binding / n**2) / width) for n in (1, 2, 3)
    )
    assert bound == pytest.approx(lines / (np.pi * width), rel=1e-12)

    def part(x):
        sommerfeld = 1 / (1 - np.exp(-2 * np.pi * np.sqrt(binding / x)))
        return sommerfeld / np.cosh((at - gap_eV - x) / width) / (np.pi * width)

    whole = integrate.quad(part, 0, 0.5, points=[max(at - gap_eV, 0.01)])[0]
    assert continuum == pytest.approx(whole, rel=2e-3)


def test_elliott_without_noise_is_exact_and_its_errors_those_of_the_curvature():
    energy = np.linspace(1.6, 2.8, 400)
    true = np.array([2.02, 0.035, 0.025])

    def clean(p, strength=0.3):
        return strength * np.sum(gap.elliott(energy, *p), axis=0) + 0.02 + 0.01 * (energy - 2)

    exact = pl.elliott_gap(energy[::-1], clean(true)[::-1])
    assert (exact.gap_eV, exact.binding_eV, exact.broadening_eV) == pytest.approx(true, abs=2e-4)
    assert exact.exciton_eV == pytest.approx(1.985, abs=2e-4) and max(exact.window_spread_eV) < 1e-3
    steepest = energy[np.argmax(np.gradient(clean(true), energy) * (energy < 2))]
    assert exact.window_eV == pytest.approx((steepest - 0.25, steepest + 0.35), abs=0.02)
    np.testing.assert_allclose(exact.model, exact.absorbance, atol=2e-4)
    inside = np.isin(energy, exact.energy_eV)
    bound = 0.3 * gap.elliott(energy, *true)[0][inside]
    np.testing.assert_allclose(exact.continuum, exact.model - bound, atol=2e-3)

    noisy = clean(true) + np.random.default_rng(8).normal(0, 2e-3, energy.size)
    found = pl.elliott_gap(energy, noisy)
    at = (found.gap_eV, found.binding_eV, found.broadening_eV)
    by = [(clean(at + h) - clean(at - h)) / 2e-4 for h in 1e-4 * np.eye(3)]
    by += [np.sum(gap.elliott(energy, *at), axis=0), np.ones(energy.size), energy]
    by = np.array(by)[:, np.isin(energy, found.energy_eV)]
    rest = found.absorbance - found.model
    near = max(np.corrcoef(rest[1:], rest[:-1])[0, 1], 0)
    variance = rest @ rest / (rest.size - 6) * (1 + near) / (1 - near)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(by @ by.T)))[:3]
    np.testing.assert_allclose(found.errors_eV, errors, rtol=0.05)
    parts = found.errors_eV, found.window_spread_eV, found.interference_eV, found.tail_eV
    assert found.total_error_eV == pytest.approx(np.linalg.norm(parts, axis=0)[0])
    assert found.tail_eV == (0, 0, 0)  # none longer than the broadening's is there
    # Next to no interference is left where none is; the curves are in the order of the energies.
    assert found.interference.shape[1] == energy.size
    assert np.linalg.norm(found.interference, axis=0).max() < 6e-4


@pytest.mark.parametrize("broadening", [0.004, 0.02])
def test_an_edge_without_an_exciton_gives_elliotts_gap_where_it_is(broadening):
    """The root of free bands, which Elliott's law is where nothing binds."""
    energy = np.linspace(1.45, 3.6, 1300)
    over = np.linspace(-1, 1, 801) * 12 * broadening
    weight = 1 / np.cosh(over / broadening)
    roots = np.sqrt(np.maximum(energy[:, None] - over - 1.86, 0))
    noise = np.random.default_rng(12).normal(0, 3e-4, energy.size)
    found = pl.elliott_gap(energy, 0.03 + 0.5 * roots @ weight / weight.sum() + noise)
    error = np.hypot(found.errors_eV[0], found.window_spread_eV[0])
    assert found.converged and abs(found.gap_eV - 1.86) < 2.5 * error < 3e-3
    assert max(found.window_spread_eV) > 1e-6


def test_windows_of_an_elliott_fit_move_by_a_fifth(monkeypatch):
    """A fit that gives back its window shows by how much the windows differ."""
    energy = np.linspace(1.2, 3.2, 2001)
    edge = 0.3 / (1 + np.exp(-(energy - 2.2) / 0.02))
    seen = []

    def ends(e, a, start):
        seen.append(start)
        theta, slopes = np.array([e[0], e[-1], np.ptp(e)]), np.vander(e - e.mean(), 6)
        return gap._Fit(theta, np.zeros(3), a, a, True, slopes, np.zeros(2))

    monkeypatch.setattr(gap, "_fit_elliott", ends)
    found = pl.elliott_gap(energy, edge)
    below = 0.25 * np.array([1, 0.8, 1.2, 1, 1, 0.8])
    above = 0.35 * np.array([1, 1, 1, 0.8, 1.2, 0.8])
    assert found.window_eV == pytest.approx((1.95, 2.55), abs=2e-3)
    assert found.window_spread_eV == pytest.approx(
        (np.std(below), np.std(above), np.std(below + above)), abs=1e-3
    )
    # The first starts at the steepest point, the others at what it found.
    assert seen[0] == pytest.approx(2.2, abs=2e-3)
    assert all(start == pytest.approx([1.95, 2.55, 0.6], abs=2e-3) for start in seen[1:])
    with pytest.raises(ValueError, match="measure further"):
        pl.elliott_gap(energy[energy < 2.24], edge[energy < 2.24])
    coarse = slice(None, None, 70)
    with pytest.raises(ValueError, match="at least 12 points"):
        pl.elliott_gap(energy[coarse], edge[coarse])


@pytest.mark.parametrize("times, refused", [(1, True), (9, False)])
def test_an_edge_counts_from_so_many_times_its_noise(times, refused):
    """Of the noise of a mean over a thirtieth of the points, beside what that noise varies by."""
    rng, energy = np.random.default_rng(3), np.linspace(1.5, 3.0, 900)
    wide = 0.01 / np.sqrt(31)
    said = []
    for _ in range(8):
        noise = 0.2 + rng.normal(0, 0.01, energy.size)
        try:
            gap._refuse_noise(energy, noise + times * wide * (energy > 2.2))
        except ValueError:
            said.append(True)
    assert len(said) == (8 if refused else 0)


def _film(rng, amplitude=0.0, phase=0.0, period=0.6):
    """Energies and absorbance of a film in the light of a spectrometer, 0.3 % of noise in T."""
    energy = np.linspace(1.4, 3.0, 700)
    law = np.sum(gap.elliott(energy, 2.0, 0.03, 0.025), axis=0)
    seen = 10 ** -(0.04 + 0.3 * law / law[350])
    seen *= 1 + amplitude * np.cos(2 * np.pi * energy / period + phase)
    return energy, -np.log10(seen + rng.normal(0, 1.5e-3, energy.size))


def test_interference_is_in_the_error_of_a_gap():
    """Of ±3 % in T: by scatter and windows alone the gaps were many errors off."""
    rng, before = np.random.default_rng(41), []
    for phase in (0.3, 2.0, 4.1):
        found = pl.elliott_gap(*_film(rng, 0.03, phase))
        off = abs(found.gap_eV - 2.0)
        before.append(off / np.hypot(found.errors_eV[0], found.window_spread_eV[0]))
        assert off < 2 * found.total_error_eV < 0.05
    assert max(before) > 4
    calm = pl.elliott_gap(*_film(rng))
    assert calm.interference_eV[0] < 1.5 * calm.errors_eV[0] and calm.misfit_z < 3


@pytest.mark.parametrize("urbach, waves", [(0.032, 0.0), (0.038, 0.008), (0.04, 0.02)])
def test_a_tail_that_elliotts_law_lacks_is_in_the_error_of_its_gap(urbach, waves):
    """Longer than the broadening of 25 meV: the gap is as far off as the tail's part says."""
    energy = HC_EV_NM / np.arange(380.0, 900.0, 0.5)
    law = np.sum(gap.elliott(energy, 2.0, 0.03, 0.025), axis=0)
    steep = np.gradient(np.log(law), energy)
    begins = np.flatnonzero((steep > 1 / urbach) & (energy < 2.0))[0]
    tail = law[begins] * np.exp((energy - energy[begins]) / urbach)
    edge = np.where(energy < energy[begins], tail, law)
    edge *= 0.7 / np.interp(2.3, energy[::-1], edge[::-1])
    seen = 10 ** -(0.04 + edge) * (1 + waves * 10 ** (-2 * edge) * np.cos(15 * energy))
    noise = np.random.default_rng(1).normal(0, 1e-3, energy.size)
    found = pl.elliott_gap(energy, -np.log10(seen + noise))
    off = found.gap_eV - 2.0
    assert 0.001 < 0.4 * off < found.tail_eV[0] < 2 * off
    assert off < 1.96 * found.total_error_eV < 0.05


@pytest.mark.parametrize("kind", ["flat", "scattering", "interference", "onset"])
def test_a_spectrum_without_an_edge_has_no_gap(kind):
    """Bare glass, particles, a film that absorbs nowhere, a substrate that begins to absorb."""
    wavelength, rng = np.arange(350.0, 900.0, 0.5), np.random.default_rng(42)
    energy = HC_EV_NM / wavelength
    for _ in range(10):
        absorbance = {
            "flat": 0.04 + 0 * energy,
            "scattering": 0.02 + rng.uniform(0.05, 0.3) * (400 / wavelength) ** rng.uniform(2, 4),
            "interference": 0.05
            + 0.013 * np.cos(2 * np.pi * energy / rng.uniform(0.3, 2) + rng.uniform(0, 6)),
            "onset": 0.04 + 1.5 * np.exp((energy - energy.max()) / rng.uniform(0.04, 0.12)),
        }[kind]
        blue = np.interp(energy, [1.3, 2.8, 3.6], [1.5, 1, 4]) * rng.normal(0, 1.5e-3, energy.size)
        seen = -np.log10(np.maximum(10**-absorbance + blue, 1e-4))
        for fit in (pl.tauc_gap, pl.elliott_gap):
            with pytest.raises(ValueError, match="expected an"):
                fit(energy, seen)


def test_falling_absorbance_has_no_edge():
    with pytest.raises(ValueError, match="rising"):
        pl.tauc_gap(np.linspace(1.5, 3, 100), np.linspace(1, 0.1, 100) ** 2)


# ---- recycling -----------------------------------------------------------------------------------


def test_optical_models_of_the_film():
    film = Film(1.82, 1.5, 0.02, 30.0, 0.7)
    decadic, rays, *waves = film.models()
    assert decadic.internal(0.7) == pytest.approx(0.878, abs=5e-4)
    assert film.paper(base=np.e).internal(0.7) == pytest.approx(0.876, abs=5e-4)
    assert decadic.lost == 0 and decadic.escape == pytest.approx(0.324, abs=5e-4)
    assert rays.escape == pytest.approx(0.4075, abs=5e-4)
    assert rays.internal(0.7) == pytest.approx(0.851, abs=1e-3)
    assert recycling.ray_model(1.82, 1.5, 0.0).escape == pytest.approx(0.434, abs=1e-3)
    wave = recycling.wave_optics(1.82, 1.5, 30.0, 620.0)
    assert wave.guided < 1e-3 and 0.6 < wave.glass < 0.72
    assert [m.internal(0.7) for m in waves] == pytest.approx([0.70, 0.77, 0.87], abs=0.02)
    assert wave.air + wave.glass + wave.guided == pytest.approx(1, abs=1e-3)


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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("moved", [1.0, 3.0])
def test_a_band_that_is_no_gaussian_and_moves_is_one(moved, seed):
    """Two Gaussians fit its shape, and trade weights as it moves."""
    rng, x, t = np.random.default_rng(seed), np.arange(560.0, 760.0, 0.5), np.linspace(0, 600, 60)
    centre = 640 + moved * t[:, None] / 600
    light = np.exp(-0.5 * ((x - centre) / np.where(x < centre, 13.0, 18.0)) ** 2)
    found = pl.track(x, rng.poisson(1500 * light + 20), t)
    assert found.account == "one band moves"
    off = found.drift_nm.per_minute - moved / 10
    assert abs(off) < 4 * found.drift_nm.standard_error < 0.02


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


ENERGY = HC_EV_NM / WAVE
PER_NM = ENERGY**2 / HC_EV_NM  # eV a nm
DARK = 80.0  # counts of the detector a point


def _gaussian(centre, fwhm):
    """Of unit area per eV, over `ENERGY`, for centres (m,)."""
    sigma = np.asarray(fwhm) / np.sqrt(8 * np.log(2))
    z = (ENERGY - np.reshape(centre, (-1, 1))) / sigma
    return np.exp(-0.5 * z**2) / (sigma * np.sqrt(2 * np.pi))


def _clean(per_eV):
    return per_eV * PER_NM + DARK


@pytest.mark.parametrize("height", [300.0, 9000.0])
def test_drift_of_the_centroid_is_none_of_the_background(height):
    """Bands of another shape than those of the fit, on 20 counts a point."""
    minutes, z, share = TIMES / 60, [], []
    true = 0.2 * minutes / minutes[-1]
    bands = [np.exp(-4 * np.log(2) * ((WAVE - at) / 28) ** 2) for at in (640, 682)]
    light = height * (np.outer(1 - true, bands[0]) + np.outer(true, bands[1])) + 20
    for seed in range(8):
        counts = np.random.default_rng(seed).poisson(light)
        found = pl.track(WAVE, counts, TIMES, variance=light)
        drift = found.drift_nm
        z.append((drift.per_minute - 0.2 * 42 / minutes[-1]) / drift.standard_error)
        error = np.hypot(found.fraction_error[-1], found.by_shape[-1])
        share.append((found.fraction[-1] - 0.2) / error)
    assert abs(np.mean(z)) < 1.2 and 0.4 < np.std(z) < 1.8, z
    assert np.abs(share).max() < 3.5, share


def test_centroids_scatter_as_they_say():
    """The baseline of the fit is taken off: its noise is in the error, and grows it by a third."""
    bands = [np.exp(-4 * np.log(2) * ((WAVE - at) / 28) ** 2) for at in (640, 682)]
    light = 3000 * (0.8 * bands[0] + 0.2 * bands[1]) + 20
    light = np.broadcast_to(light, (400, WAVE.size))
    counts = np.random.default_rng(4).poisson(light)
    found = pl.track(WAVE, counts, np.arange(400.0), variance=light)
    ratio = np.std(found.centroid_nm) / np.mean(found.centroid_error_nm)
    assert ratio == pytest.approx(1, abs=4 / np.sqrt(800))


@pytest.mark.parametrize("account", ["steady", "one band moves", "two bands"])
def test_account_of_spectra_without_noise_is_exact(account):
    """χ² is 0 for the account that made them; its BIC is that of its free parameters alone."""
    m, ramp = TIMES.size, TIMES / 600
    share = 0.1 + 0.3 * ramp if account == "two bands" else np.zeros(m)
    centre = 1.93 - (0.02 * ramp if account == "one band moves" else 0.0 * ramp)
    light = 2e4 * (1 + 0.3 * np.sin(ramp))[:, None]
    bands = (1 - share)[:, None] * _gaussian(centre, 0.09) + share[:, None] * _gaussian(1.84, 0.07)
    counts = _clean(light * bands)
    found = pl.track(WAVE, counts, TIMES, variance=counts)
    free = {"steady": 3 * m + 2, "one band moves": 4 * m + 1, "two bands": 4 * m + 4}
    assert found.account == account
    assert found.bic[account] == pytest.approx(free[account] * np.log(counts.size), abs=0.3)
    dof = counts.size - free["two bands"]
    if account != "one band moves":
        assert found.chi2_per_dof < 1e-3
        assert found.misfit == pytest.approx(-np.sqrt(dof / 2), rel=1e-3)
        np.testing.assert_allclose(found.model * PER_NM[::-1], counts[:, ::-1], rtol=1e-3)
    emitted = light * bands * PER_NM
    mean = np.trapezoid(emitted * WAVE, WAVE) / np.trapezoid(emitted, WAVE)
    if account != "one band moves":
        np.testing.assert_allclose(found.centroid_nm, mean, atol=0.01)
    if account == "two bands":
        np.testing.assert_allclose(found.fraction, share, atol=1e-4)
        assert found.growth.per_minute == pytest.approx(0.03, rel=1e-3)
        assert HC_EV_NM / found.peak_nm == pytest.approx(1.93, abs=1e-5)
        assert HC_EV_NM / found.red_nm == pytest.approx(1.84, abs=1e-5)
        assert found.blue.per_minute == pytest.approx(0, abs=1e-5)


def test_errors_of_two_bands_are_the_information_of_their_counts():
    """Red share and place of the red band by the whole Fisher matrix, numerically derived; weights
    of raw counts are found from the fit."""
    m, share = TIMES.size, 0.1 + 0.3 * TIMES / 600

    def expected(p):
        main, width, red, red_width = p[:4]
        areas, flat = p[4 : 4 + 2 * m].reshape(2, m, 1), p[4 + 2 * m :].reshape(2, m, 1)
        bands = areas[0] * _gaussian(main, width) + areas[1] * _gaussian(red, red_width)
        return (bands + flat[0] + flat[1] * (ENERGY - 1.9)) * PER_NM + DARK

    lit = 2e4 * np.stack([1 - share, share])
    p = np.concatenate([[1.93, 0.09, 1.84, 0.07], lit.ravel(), np.zeros(2 * m)])
    light, step = expected(p), np.where(p > 0, 1e-5 * p, 1.0)
    by = np.array([
        (expected(p + h) - expected(p - h)).ravel() / (2 * h.sum()) for h in np.diag(step)
    ])  # fmt: skip
    covariance = np.linalg.inv((by / light.ravel()) @ by.T)
    slopes = np.zeros((m, p.size))
    at = np.arange(m)
    slopes[at, 4 + at], slopes[at, 4 + m + at] = -share / 2e4, (1 - share) / 2e4
    error = np.sqrt(np.einsum("mp,pq,mq->m", slopes, covariance, slopes))
    known = pl.track(WAVE, light, TIMES, variance=light)
    np.testing.assert_allclose(known.fraction_error, error, rtol=2e-3)
    width = HC_EV_NM / 1.84**2 * np.sqrt(covariance[2, 2])
    assert known.red_error_nm == pytest.approx(width, rel=2e-3)
    counted = pl.track(WAVE, np.random.default_rng(6).poisson(light), TIMES)
    np.testing.assert_allclose(counted.fraction_error, error, rtol=0.06)
    assert np.abs((counted.fraction - share) / error).max() < 3.5


def test_drift_is_the_weighted_straight_line():
    """By numpy's polyfit, at errors that differ; what has no error does not count."""
    t = np.array([0, 40, 70, 150, 260, 300.0])
    v = np.array([1.0, 1.7, 1.6, 2.9, 3.0, 3.9])
    s = np.array([0.1, 0.2, 0.1, 0.3, 0.15, 0.2])
    found = pl.drift(np.append(t, [350, 400]), np.append(v, [50, 60]), np.append(s, [np.nan, 0]))
    (slope, at), unscaled = np.polyfit(t / 60, v, 1, w=1 / s, cov="unscaled")
    excess = np.sum(((v - slope * t / 60 - at) / s) ** 2) / 4
    assert found.per_minute == pytest.approx(slope) and found.chi2_per_dof == pytest.approx(excess)
    assert excess > 1  # so that it widens the error
    assert found.standard_error == pytest.approx(np.sqrt(excess * unscaled[0, 0]))
    assert found.z == pytest.approx(slope / found.standard_error)
    quiet = pl.drift(t, v, 10 * s)
    assert quiet.standard_error == pytest.approx(10 * np.sqrt(unscaled[0, 0]))


@pytest.mark.parametrize("rise, back", [(70.0, 400.0), (30.0, None), (1e6, None)])
def test_course_without_noise_gives_its_times_and_ends(rise, back):
    t, dark = np.linspace(0, 900, 40), None if back is None else 310.0
    lit = np.minimum(t, dark or np.inf)
    course = 0.05 + 0.3 * (1 - np.exp(-lit / rise)) * np.exp(-np.maximum(t - lit, 0) / (back or 1))
    found = pl.fit_kinetics(t, course, np.full(t.size, 0.004), dark_from_s=dark)
    if rise > 1e5:  # a straight line has no end, hence no time
        assert np.isnan(found.rise_s) and np.isnan(found.rise_error_s)
        return
    assert found.rise_s == pytest.approx(rise, rel=1e-3)
    assert np.isnan(found.recovery_s) == (back is None)
    assert back is None or found.recovery_s == pytest.approx(back, rel=1e-3)
    assert (found.initial, found.final) == pytest.approx((0.05, 0.35), abs=1e-3)
    later = np.array([0.0, 100.0, 300.0, 500.0])
    np.testing.assert_allclose(found.at(later, dark), np.interp(later, t, course), atol=2e-3)
    # A spectrum that knows nothing of its share changes nothing.
    course[20] += 0.2
    poor = np.where(np.arange(t.size) == 20, 4.0, 0.004)
    found = pl.fit_kinetics(t, course, poor, dark_from_s=dark)
    assert found.rise_s == pytest.approx(rise, rel=0.01)
    # Nothing that grows has no time either.
    still = pl.fit_kinetics(t, 0.1 + 1e-4 * np.cos(40 * t), np.full(t.size, 0.004))
    assert np.isnan(still.rise_s)


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


def test_the_error_of_a_narrow_peak_is_one_in_nanometres_and_in_energy():
    """dE = hc/λ² dλ, of a band of 1 % of its wavelength, by points of one noise per nm."""
    x, rng = np.arange(600.0, 700.0, 0.25), np.random.default_rng(8)
    counts = 3000 * np.exp(-0.5 * ((x - 650) / 3) ** 2) + rng.normal(0, 20, x.size) + 200
    ready = condition(Signal(x, counts[None]), [("baseline", {"order": 1})])
    found = pl.measure(ready, (630, 670))
    slope = HC_EV_NM / 650.0**2
    assert found.energy_peak_error_eV == pytest.approx(slope * found.peak_error_nm, rel=0.1)


def test_spots_that_the_border_cuts_are_left_out():
    rng, (y, x) = np.random.default_rng(2), np.mgrid[:96, :80]
    places = [(95, 40), (0, 30), (50, 79), (40, 0), (48, 40)]
    image = 5 + sum(150 * np.exp(-0.5 * ((x - b) ** 2 + (y - a) ** 2) / 1.9**2) for a, b in places)
    found = confocal.find_spots(rng.poisson(image, (6, 96, 80)))
    bright = found.counts.mean(axis=0) > 1000
    assert [*zip(found.y_px[bright], found.x_px[bright])] == [(48, 40)]


@pytest.mark.parametrize("place", [(93, 40), (40, 77), (2, 30), (30, 2)])
def test_a_spot_near_the_border_is_counted_and_its_width_left_to_others(place):
    rng, (y, x) = np.random.default_rng(2), np.mgrid[:96, :80]
    places = [place, (48, 40), (20, 20), (70, 20), (20, 60), (70, 55)]
    image = 5 + sum(150 * np.exp(-0.5 * ((x - b) ** 2 + (y - a) ** 2) / 1.9**2) for a, b in places)
    found = confocal.find_spots(rng.poisson(image, (6, 96, 80)))
    assert np.count_nonzero(found.counts.mean(axis=0) > 1000) == 6
    assert found.fwhm_px == pytest.approx(1.9 * 2.355, rel=0.05)


def test_images_of_a_few_spots_are_too_small():
    with pytest.raises(ValueError, match="at least 24 pixels a side"):
        confocal.find_spots(np.ones((2, 23, 40)), width_px=6.0)


def test_counts_of_a_spot_are_those_of_a_square_about_it_above_the_background():
    """Without noise, of bells on a level: the sum of the bell over 5 by 5 pixels."""
    y, x = np.mgrid[:64, :64]
    places, heights = [(12, 15), (30, 44), (50, 20)], [150.0, 90.0, 120.0]
    bells = [np.exp(-0.5 * ((x - b) ** 2 + (y - a) ** 2) / 1.9**2) for a, b in places]
    image = 5 + sum(h * bell for h, bell in zip(heights, bells))
    found = confocal.find_spots(np.array([image, 2 * image - 5]))
    order = [(int(a), int(b)) for a, b in zip(found.y_px, found.x_px)]
    assert sorted(order) == places
    for k, at in enumerate(order):
        h, bell, (a, b) = heights[places.index(at)], bells[places.index(at)], at
        box = bell[a - 2 : a + 3, b - 2 : b + 3].sum()
        assert found.counts[0, k] == pytest.approx(h * box, rel=1e-3)
        assert found.counts[1, k] == pytest.approx(2 * h * box, rel=1e-3)


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


@pytest.mark.parametrize("height", [0.0, 300.0])
def test_a_constant_of_the_detector_is_no_light_of_a_red_band(height):
    """4000 counts on a constant one: share at the end, and the drift of a band that moves, which
    bands that keep their places would leave to the baseline in part."""
    bands = [
        np.exp(-4 * np.log(2) * ((WAVE - at) / w) ** 2) / w for at, w in ((650, 32), (735, 45))
    ]
    end = 0.6 * (1 - np.exp(-TIMES / 150))[:, None]
    off, drifts = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        light = 4000 * 32 * ((1 - end) * bands[0] + end * bands[1]) + height
        found = pl.track(WAVE, rng.poisson(light), TIMES)
        off.append((found.fraction[-1] - end[-1, 0]) / found.fraction_error[-1])
        at = 650 + 0.3 * TIMES[:, None] / 60
        moved = 4000 * np.exp(-4 * np.log(2) * ((WAVE - at) / 32) ** 2) + height
        found = pl.track(WAVE, rng.poisson(moved), TIMES)
        assert found.account == "one band moves"
        drifts.append((found.drift_nm.per_minute - 0.3) / found.drift_nm.standard_error)
    assert abs(np.mean(off)) < 2.5 and abs(np.mean(drifts)) < 2.5
