"""Errors of photoluminescence, each against a peer: information of the counts by differences of the
closed form, propagation by refits, scatter of repetitions."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from peled import photoluminescence as pl
from peled.conditioning import Noise
from peled.formats.sphere import Band, Calibration, SphereRun, SphereTriple
from peled.photoluminescence import plqy, reciprocity
from peled.photoluminescence.lifetimes import fit_decay, prepare_response
from peled.photoluminescence.transients import Transient, fit_transients
from test_error_terms import propagated

# ---- decays --------------------------------------------------------------------------------------

T, STEP = 0.2 * np.arange(400), 0.2


def _information(model, theta):
    """Inverse Fisher information (p, p) of Poisson counts, by differences of the model."""
    rows = []
    for i, value in enumerate(theta):
        h = np.zeros(len(theta))
        h[i] = 1e-5 * max(abs(value), 1e-3)
        rows.append((model(theta + h) - model(theta - h)) / (2 * h[i]))
    rows = np.array(rows)
    return np.linalg.inv(rows / model(theta) @ rows.T)


def _two(theta):
    """Counts in bins of two exponentials above a background."""
    a, b, one, two, floor = theta
    edges = np.append(T, T[-1] + STEP)
    return sum(-np.diff(h * t * np.exp(-edges / t)) for h, t in ((a, one), (b, two))) + floor


def test_errors_of_two_lifetimes_are_the_information_of_their_counts():
    true = np.array([9e3, 6e3, 2.0, 12.0, 40.0])
    fit = fit_decay(T, np.random.default_rng(1).poisson(_two(true)).astype(float), components=2)
    theta = np.array([*fit.amplitudes, *fit.lifetimes_ns, fit.background])
    assert fit.model == pytest.approx(_two(theta), rel=1e-3)
    covariance = _information(_two, theta)
    errors = np.sqrt(np.diag(covariance))
    assert fit.lifetime_errors_ns == pytest.approx(errors[2:4], rel=0.02)
    assert fit.amplitude_errors == pytest.approx(errors[:2], rel=0.02)
    assert fit.background_error == pytest.approx(errors[4], rel=0.02)
    for name, mean in (
        ("amplitude-weighted", lambda a, b, s, t: (a * s + b * t) / (a + b)),
        ("intensity-weighted", lambda a, b, s, t: (a * s**2 + b * t**2) / (a * s + b * t)),
    ):
        value, error = fit.mean_ns[name]
        assert value == pytest.approx(mean(*theta[:4]))
        expected = propagated(mean, theta[:4], covariance[:4, :4])
        assert error == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("beta", [0.6, 0.8])
def test_mean_lifetimes_of_a_stretched_decay(beta):
    """τ Γ(1/β)/β is its area over its height; Γ(2/β)/Γ(1/β) τ its mean time."""
    fine = STEP * (np.arange(400 * 200) + 0.5) / 200
    mean = 5e3 * np.exp(-((fine / 6.0) ** beta)).reshape(400, 200).mean(axis=1) + 5
    fit = fit_decay(T, np.random.default_rng(2).poisson(mean).astype(float), stretched=True)
    tau, b = fit.lifetimes_ns[0], fit.beta
    assert abs(b - beta) < 4 * fit.beta_error < 0.1
    for name, at in (
        ("amplitude-weighted", lambda t, b: t * math.gamma(1 / b) / b),
        ("intensity-weighted", lambda t, b: t * math.gamma(2 / b) / math.gamma(1 / b)),
    ):
        value, error = fit.mean_ns[name]
        assert value == pytest.approx(at(tau, b))
        both = fit.covariance[:2, :2] * np.outer([tau, 1], [tau, 1])
        assert error == pytest.approx(propagated(at, (tau, b), both), rel=1e-3)


def _folded(rng, photons, seen=20_000):
    """A decay of 3 ns and its response, Poisson."""
    axis, sigma = 0.4 * np.arange(300) - 20.13, 1.2 / 2.3548
    fine = np.linspace(axis[0], axis[-1] + 0.4, 300 * 32, endpoint=False)
    kernel = np.exp(-0.5 * (np.arange(-160, 161) * 0.0125 / sigma) ** 2)
    light = np.convolve(np.where(fine >= 0, np.exp(-fine / 3), 0), kernel, "same")
    mean = light.reshape(300, 32).sum(axis=1)
    counts = rng.poisson(seen * mean / mean.max() + 2).astype(float)
    irf = photons * np.diff(ndtr(np.append(axis, axis[-1] + 0.4) / sigma))
    return axis, counts, prepare_response(axis, rng.poisson(irf).astype(float), 0.4)


def test_noise_of_a_response_adds_what_its_bins_move_the_lifetime():
    axis, counts, response = _folded(np.random.default_rng(3), 1000)

    def lifetime(*bins):
        moved = replace(response, counts=np.array(bins), variance=None)
        return fit_decay(axis, counts, response=moved).lifetimes_ns[0]

    found = fit_decay(axis, counts, response=response)
    alone = fit_decay(axis, counts, response=replace(response, variance=None))
    moves, slopes = 0.3 * np.sqrt(response.variance), []
    for i in np.flatnonzero(response.variance):
        h = moves[i] * np.eye(moves.size)[i]
        up, down = lifetime(*response.counts + h), lifetime(*response.counts - h)
        slopes.append((up - down) / (2 * moves[i]) * math.sqrt(response.variance[i]))
    expected = np.sum(np.square(slopes))
    more = found.lifetime_errors_ns[0] ** 2 - alone.lifetime_errors_ns[0] ** 2
    assert more > alone.lifetime_errors_ns[0] ** 2
    assert more == pytest.approx(expected, rel=0.1)
    # The rates of a series know of it too: one transient, one rate.
    series = fit_transients(
        [Transient(axis, counts, 1e10, "", response)], ("k1",),
        held={"radiative": 1e-14, "doping": 1e18},
    )  # fmt: skip
    error = math.sqrt(series.estimates.covariance[0, 0])
    relative = found.lifetime_errors_ns[0] / found.lifetimes_ns[0]
    assert error == pytest.approx(relative, rel=0.03)


@pytest.mark.parametrize("photons, seen", [(1e7, 1000), (5e3, 2e4), (5e2, 2e3)])
def test_deviance_has_its_spread_whatever_the_counts_of_the_response(photons, seen):
    """Of the noise of a poor response the fit takes up a part: only what is left is expected."""
    rng = np.random.default_rng(4)
    fits = []
    for _ in range(60):
        axis, counts, response = _folded(rng, photons, seen=seen)
        fits.append(fit_decay(axis, counts, response=response))
    z = np.array([f.goodness_z for f in fits])
    assert abs(z.mean()) < 0.5 and 0.75 < z.std() < 1.25


def test_error_of_a_rate_is_the_information_of_its_counts():
    """A doped film that decays in one exponential, without a response."""

    def model(theta):
        height, rate, floor = theta
        edges = np.append(T, T[-1] + STEP)
        return -np.diff(height * np.exp(-rate * edges)) / rate + floor

    true = np.array([5e3, 0.08, 20.0])
    counts = np.random.default_rng(5).poisson(model(true)).astype(float)
    held = {"radiative": 1e-14, "doping": 1e18}
    found = fit_transients([Transient(T, counts, 1e10)], ("k1",), held=held)
    k = 1e-9 * (found.estimates.values[0] + 1e-14 * 1e18)
    at = np.array([counts[0] / STEP, k, found.estimates.values[-1]])
    error = math.sqrt(_information(model, at)[1, 1])  # of k1 and what doping adds
    claimed = math.sqrt(found.estimates.covariance[0, 0]) * 1e-9 * found.estimates.values[0]
    assert abs(k - 0.08) < 4 * error
    assert claimed / found.growth == pytest.approx(error, rel=0.03)


def test_a_law_that_does_not_describe_the_counts_has_wider_errors():
    """Three times the counts in a hump: the errors grow by the root of the deviance."""
    rng, fall = np.random.default_rng(6), 2e3 * np.exp(-T / 10) + 10
    held = {"radiative": 1e-14, "doping": 1e18}
    fits = [
        fit_transients([Transient(T, rng.poisson(m).astype(float), 1e10)], ("k1",), held=held)
        for m in (fall, fall + 400 * np.exp(-(((T - 30) / 8) ** 2)))
    ]
    assert fits[0].growth < 1.15 and fits[1].growth > 2
    assert fits[1].growth ** 2 == pytest.approx(fits[1].deviance / fits[1].expected_deviance)
    sharp, wide = (f.estimates.covariance[0, 0] / f.growth**2 for f in fits)
    assert wide == pytest.approx(sharp, rel=0.6)  # but for the growth, of as many counts


# ---- quantum yields ------------------------------------------------------------------------------

_LASER, _BAND = np.linspace(400.0, 410.0, 21), np.linspace(600.0, 680.0, 81)
_RUNS = ("empty", "indirect", "direct")
_LIGHT = {"empty": (9e4, 20.0), "indirect": (8e4, 90.0), "direct": (4e4, 1200.0)}


def _triple(scales, path="a"):
    """Runs whose bands are `scales` (6,) times what they are: laser of the three, emission."""
    line, band = (
        np.exp(-0.5 * ((x - c) / w) ** 2) for x, c, w in ((_LASER, 405, 2), (_BAND, 640, 15))
    )
    runs = [
        SphereRun(
            name,
            Band(_LASER, scales[k] * _LIGHT[name][0] * line),
            Band(_BAND, scales[k + 3] * _LIGHT[name][1] * band),
        )
        for k, name in enumerate(_RUNS)
    ]
    return SphereTriple(Path(path), path, *runs)


@pytest.mark.parametrize("blank", [True, False])
def test_yields_propagate_counts_laser_calibration_and_self_absorption(blank):
    knots = np.array([350.0, 500.0, 700.0])
    calibration = Calibration(None, knots, np.array([2.0, 1.0, 0.8]), "energy", 0.03)
    noise = Noise(4.0, 2.0)

    def of(*v):
        scales, share, gain = np.array(v[:6]), v[6], v[7]
        made = plqy.quantum_yield([_triple(scales)], calibration, noise=noise, subtract_blank=blank)
        measured = gain * made.plqy[0]
        return measured / (1 - share + share * measured), made.absorptance[0]

    found = plqy.quantum_yield(
        [_triple(np.ones(6))], calibration, noise=noise, subtract_blank=blank,
        self_absorption=(0.2, 0.05), laser_drift=0.01,
    )  # fmt: skip
    relative = []
    for part in ("laser", "emission"):
        for run in (getattr(_triple(np.ones(6)), name) for name in _RUNS):
            x, y = getattr(run, part).wavelength_nm, getattr(run, part).counts
            weights = plqy.photon_weights(x, calibration)
            relative.append(math.sqrt(weights**2 @ (4.0 + 2.0 * y)) / (weights @ y))
    counts = np.diag([*np.square(relative), 0.05**2, 0.03**2])
    drift = np.zeros((8, 8))
    for k in range(3):  # laser and emission of a run go together
        drift[np.ix_([k, k + 3], [k, k + 3])] = 0.01**2
    at = (*np.ones(6), 0.2, 1.0)
    assert found.plqy[0] == pytest.approx(of(*at)[0])
    for value, covariance, which in (
        (found.standard_error[0], counts + drift, 0),
        (found.absorptance_error[0], counts + drift, 1),
        (found.budget["laser drift"][0], drift, 0),
        (found.budget["self-absorption"][0], counts * (np.arange(8) == 6), 0),
        (found.budget["calibration"][0], counts * (np.arange(8) == 7), 0),
        (found.budget["laser"][0], counts * (np.arange(8) < 3), 0),
        (found.budget["emission"][0], counts * np.isin(np.arange(8), (3, 4, 5)), 0),
    ):
        expected = propagated(lambda *v, which=which: of(*v)[which], at, covariance)
        assert value == pytest.approx(expected, rel=0.01)  # noise is smoothed


def test_yields_that_share_a_run_err_together():
    """Two triples with one empty sphere, of noise nowhere else: one yield follows the other."""
    calibration = Calibration(None, np.array([350.0, 700.0]), np.ones(2), "photons", 0.0)
    first, second = _triple(np.ones(6)), _triple(np.array([1, 0.9, 0.8, 1, 1.2, 2.0]))
    found = plqy.quantum_yield([first, second], calibration, noise=Noise(30.0, 1.0))
    apart = plqy.quantum_yield([first, replace(second, path=Path("b"))], calibration,
                               noise=Noise(30.0, 1.0))  # fmt: skip
    assert apart.covariance[0, 1] == 0.0 and found.covariance[0, 1] > 0.0
    assert np.diag(found.covariance) == pytest.approx(np.diag(apart.covariance))


def test_self_absorption_is_undone():
    """η a share of which comes back: what leaves is η(1 − a)/(1 − aη)."""
    true, share = np.array([0.2, 0.6, 1.0]), 0.3
    seen = true * (1 - share) / (1 - share * true)
    found, slope, error = plqy.unabsorbed(seen, share, 0.04)
    assert found == pytest.approx(true)
    for k, y in enumerate(seen):
        assert slope[k] == pytest.approx(
            propagated(lambda y: plqy.unabsorbed(y, share, 0.0)[0], (y,), (1.0,)), rel=1e-5
        )
        by_share = propagated(lambda a, y=y: plqy.unabsorbed(y, a, 0.0)[0], (share,), (0.04,))
        assert error[k] == pytest.approx(by_share, rel=1e-5, abs=1e-9)


# ---- emission and absorption ---------------------------------------------------------------------


def test_temperature_of_emission_has_the_errors_of_both_spectra():
    """Spectra that obey the relation exactly: no scatter, no bend, the errors of points alone."""
    e = np.linspace(1.75, 1.95, 24)
    absorbed = np.linspace(0.05, 0.5, 24)
    emitted = absorbed * e**2 * np.exp(-(e - 1.9) / 0.0259)
    errors = 0.02 * emitted, np.full(24, 0.004)

    def scale(*v):
        return reciprocity.thermal_energy(
            e, np.array(v[:24]), errors[0], np.array(v[24:]), errors[1]
        ).scale_eV

    found = reciprocity.thermal_energy(e, emitted, errors[0], absorbed, errors[1])
    kept = int(np.count_nonzero(absorbed < 0.45))
    assert found.scale_eV == pytest.approx(0.0259) and found.points == kept
    assert found.z == pytest.approx(-math.sqrt((kept - 2) / 2))
    every = np.r_[emitted, absorbed], np.r_[errors]
    assert found.error_eV == pytest.approx(propagated(scale, *map(np.ravel, every)), rel=1e-3)


def test_a_bend_between_the_halves_is_in_the_error_of_a_line():
    x, error = np.linspace(-1.0, 1.0, 41), np.full(41, 1e-4)
    found = reciprocity._line(x, 3 * x + 0.2 * x * np.abs(x), error, "")
    halves = [np.polyfit(part, 3 * part + 0.2 * part * np.abs(part), 1)[0]
              for part in (x[x <= 0], x[x > 0])]  # fmt: skip
    slope, covariance = np.polyfit(x, 3 * x + 0.2 * x * np.abs(x), 1, cov=True)
    expected = math.hypot(abs(halves[0] - halves[1]) / math.sqrt(12),
                          math.sqrt(covariance[0, 0]))  # fmt: skip
    assert 1 / found.scale_eV == pytest.approx(slope[0])
    assert found.error_eV == pytest.approx(expected / slope[0] ** 2, rel=1e-6)
    bent = reciprocity._line(x, 3 * x + 0.2 * x**2, error, "")
    assert bent.error_eV * bent.scale_eV**-2 > 0.2 / math.sqrt(12)


def test_voltage_of_radiation_is_the_ideal_diode():
    dark = reciprocity.radiative_dark_current(np.linspace(1.2, 4, 4000), np.ones(4000), 300.0)
    kt = reciprocity.K_EV * 300
    below = 1.2  # of a step at 1.2 eV: q 2π/(h³c²) kT (E² + 2E kT + 2 kT²) e^(−E/kT)
    expected = (
        reciprocity.CHARGE_MC * reciprocity.BLACKBODY * kt
        * (below**2 + 2 * below * kt + 2 * kt**2) * math.exp(-below / kt)
    )  # fmt: skip
    assert dark == pytest.approx(expected, rel=1e-4)
    volts = reciprocity.radiative_voltage(20.0, dark, 300.0)
    assert dark * math.expm1(volts / kt) == pytest.approx(20.0)


def test_an_absorptance_is_continued_by_the_emission_that_it_makes():
    e = np.linspace(1.6, 2.1, 200)
    absorbed = 1 / (1 + np.exp(-(e - 1.95) / 0.02))
    emitted = 5.0 * absorbed * e**2 * np.exp(-(e - 1.9) / 0.0259)
    line = reciprocity.Line(0.0259, 1e-4, (1.85, 1.97), 40, 0.0, 1.91)
    found = reciprocity.with_tail(e, np.where(e < 1.84, 0.0, absorbed), emitted, line, 0.0259)
    assert found == pytest.approx(absorbed)
    implied = reciprocity.absorption_of_emission(e, emitted, 0.0259)
    assert implied / absorbed == pytest.approx(np.full(200, implied[0] / absorbed[0]))


def test_a_shift_of_a_response_is_the_shift_of_its_light():
    axis, counts, response = _folded(np.random.default_rng(8), 1e5)
    late = replace(response, start_ns=response.start_ns + 0.3)
    fits = [pl.fit_decay(axis, counts, response=r, fit_shift=True) for r in (response, late)]
    assert fits[0].shift_ns - fits[1].shift_ns == pytest.approx(0.3, abs=1e-3)
    assert fits[0].lifetimes_ns == pytest.approx(fits[1].lifetimes_ns, rel=1e-4)
