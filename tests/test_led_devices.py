"""LED lifetime, stability, ceiling, and that the forward models share nothing with the analysis."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.constants import c, e, h

from hassan2021.led import VARIED
from hassan2021.simulate import led as simulate
from ledger.files import ROOT
from peled.conditioning import Signal
from peled.formats import FormatError
from peled.formats.sweeps import Sweep, read_sweeps
from peled.led import ceiling, device, lifetime, photometry, printed, routes, sphere, stability
from peled.quantities import Quantity

STACK = ROOT / "data" / "led" / "device.yaml"


# ---- lifetime ------------------------------------------------------------------------------------


@pytest.mark.parametrize("multiplicative", [True, False])
def test_t50_covers(multiplicative):
    rng = np.random.default_rng(1)
    t, hits = np.linspace(0, 208, 200), 0
    clean = 150 * simulate.decay(t, 130)
    for _ in range(400):
        noise = 0.01 * rng.normal(size=t.size)
        y = clean * (1 + noise) if multiplicative else clean + 150 * noise
        found = lifetime.crossing_time(t, y, 0.5, initial=150)
        hits += abs(found.time - 130) < 1.96 * found.standard_error
    assert 0.92 <= hits / 400 <= 0.985


@pytest.mark.parametrize("relative,absolute", [(0.004, 0.0), (0.0, 0.004)])
def test_t50_holds_the_truth_where_the_start_is_a_reading(relative, absolute):
    """Noise of the source goes with the light, that of the detector does not."""
    t = np.linspace(0, 570, 400)
    clean = 100 * np.exp(-np.log(2) * (t / 190) ** 0.7)
    inside = []
    for seed in range(150):
        noise = np.random.default_rng(seed).standard_normal((2, t.size))
        y = clean * (1 + relative * noise[0]) + 100 * absolute * noise[1]
        found = lifetime.crossing_time(t, y, 0.5)
        inside.append(abs(found.time - 190) < 1.96 * found.standard_error)
    assert 0.91 <= np.mean(inside) <= 0.995


def test_decay_fit_covers_and_finds_the_burn_in():
    rng = np.random.default_rng(2)
    t, hits, burn = np.linspace(0, 208, 150), 0, 0
    for _ in range(50):
        fit = lifetime.fit_decay(
            t, 150 * simulate.decay(t, 130) * (1 + 0.005 * rng.normal(size=t.size))
        )
        hits += abs(fit.t50.value - 130) < 1.96 * fit.t50.standard_error
        burn += fit.values[1] > 0
    assert hits >= 43 and burn == 50


def test_plain_exponential_needs_no_burn_in_and_extrapolates():
    t = np.linspace(0, 50, 120)
    fit = lifetime.fit_decay(
        t, 100 * np.exp(-t / 100) * (1 + 1e-3 * np.random.default_rng(0).normal(size=120))
    )
    assert fit.values[1] == 0 and fit.t50.status == "doubtful"
    assert fit.t50.value == pytest.approx(100 * math.log(2), abs=4 * fit.t50.standard_error)
    assert fit.values[4] == pytest.approx(1.0, abs=0.05)


def test_censored_runs_are_bounds():
    t = np.linspace(0, 100, 60)
    found = lifetime.crossing_time(t, np.exp(-t / 1000), 0.5)
    assert found.censored and found.time == 100 and math.isnan(found.standard_error)
    once_low = np.exp(-t / 1000)
    once_low[30] = 0.3  # one bad reading is no death
    assert lifetime.crossing_time(t, once_low, 0.5).censored


@pytest.mark.parametrize(
    "t,y,fraction,message",
    [
        ([0, 1, 1, 2], [4, 3, 2, 1], 0.5, "rising times"),
        ([0, 1, 2], [3, 2, 1], 0.5, "at least four"),
        ([0, 1, 2, 3], [0, 2, 1, 1], 0.5, "positive initial"),
        ([0, 1, 2, 3], [4, 3, 2, 1], 1.5, "between 0 and 1"),
        ([0, 1, 2, 3], [4, 3, np.nan, 1], 0.5, "finite"),
    ],
)
def test_unusable_lifetimes(t, y, fraction, message):
    with pytest.raises(ValueError, match=message):
        lifetime.crossing_time(t, y, fraction)


def test_printed_lifetimes_obey_no_single_power_law():
    half = np.array([5, 5, 0.5]) / 3**0.5
    found = lifetime.acceleration(
        [30, 150, 600], [340, 130, 16], half, np.array([5, 5, 50]) / 3**0.5
    )
    np.testing.assert_allclose(
        found.exponents, [math.log(340 / 130) / math.log(5), math.log(130 / 16) / math.log(4)]
    )
    np.testing.assert_allclose(found.exponents, [0.597, 1.511], atol=1e-3)
    assert not found.single_law and found.largest_difference_sigma > 8
    routes = lifetime.lifetime_at(100, found)
    assert routes["interpolated"] == pytest.approx(165.6, abs=0.1) and routes[
        "power law"
    ] == pytest.approx(124.4, abs=0.1)
    assert routes["n = 1.5"] == pytest.approx(340 * (30 / 100) ** 1.5)
    assert routes["lowest pair"] == pytest.approx(340 * (30 / 100) ** found.exponents[0])
    assert routes["highest pair"] == pytest.approx(130 * (150 / 100) ** found.exponents[-1])
    np.testing.assert_allclose(
        lifetime.charge_to([0.1, 1, 10], 60 * np.array([340, 130, 16])), [2.04, 7.8, 9.6]
    )


def test_one_law_is_accepted_when_there_is_one_at_the_right_rate():
    rng = np.random.default_rng(7)
    drive, accepted, inside = np.array([30.0, 150.0, 600.0]), 0, 0
    for _ in range(500):
        true = 1e4 * drive**-1.4
        found = lifetime.acceleration(drive, true * (1 + 0.03 * rng.normal(size=3)), 0.03 * true)
        accepted += found.single_law
        inside += np.sum(np.abs(found.exponents - 1.4) < 1.96 * found.exponent_errors)
    assert accepted / 500 == pytest.approx(0.954, abs=0.03) and inside / 1000 == pytest.approx(
        0.95, abs=0.025
    )


# ---- stability -----------------------------------------------------------------------------------


def series(share, shift=0.0, rng=None, level=0.004, surface="neat"):
    share = np.asarray(share, float)
    spectra = simulate.emission(
        simulate.EMITTERS[surface], share, shift * share / max(share.max(), 1e-9), 0 * share
    )
    return simulate.noisy(spectra, rng or np.random.default_rng(0), level)


def test_growing_shoulder_is_found_in_place_and_size():
    share = np.linspace(0, 0.3, 10)
    found = stability.follow(np.arange(10.0), simulate.WAVELENGTH_NM, series(share))
    assert found.grows and found.converged
    assert abs(found.shoulder_nm - 680) < 2.5 * found.shoulder_error and found.shoulder_error < 10
    # The share is of power, the model's of photons, and the bands differ in form: a few per cent.
    assert found.growth[-1] == pytest.approx(0.3, abs=0.06)


def test_stable_series_has_no_shoulder():
    rng = np.random.default_rng(3)
    for _ in range(25):
        found = stability.follow(
            np.arange(8.0), simulate.WAVELENGTH_NM, series(np.zeros(8), rng=rng, surface="EG")
        )
        assert not found.grows


def test_relaxation_covers_and_says_when_there_is_nothing():
    rng = np.random.default_rng(5)
    t = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8.0])
    hits = 0
    for _ in range(80):
        r = stability.relaxation(
            t,
            630 + 10 * np.exp(-t / 1.4) + 0.1 * rng.normal(size=11),
            np.full(11, 0.1),
            at=6,
            unit="h",
        )
        hits += abs(r.time_constant.value - 1.4) < 1.96 * r.time_constant.standard_error
    assert hits >= 70
    assert r.remaining.value == pytest.approx(math.exp(-6 / 1.4), abs=0.005) and r.determined
    assert not stability.relaxation(
        t, 630 + 0.1 * rng.normal(size=11), np.full(11, 0.1), at=6, unit="h"
    ).determined


@pytest.mark.parametrize("errors,told", [(2.0, False), (3.8, True)])
def test_a_recovery_is_one_where_its_step_exceeds_three_errors(errors, told):
    t = np.linspace(0, 8, 12)
    course = np.exp(-t / 2.0)
    by = np.array([np.ones(12), course, course * t / 2.0])  # by end, step and ln tau
    unit = np.sqrt(np.linalg.inv(by @ by.T)[1, 1])
    found = stability.relaxation(t, 630 + course, np.full(12, 1 / (errors * unit)), at=8.0,
                                 unit="h")  # fmt: skip
    assert found.determined == told


def test_series_that_do_not_fit_are_refused():
    with pytest.raises(photometry.SpectrumError, match="one parameter"):
        stability.follow(np.arange(3.0), simulate.WAVELENGTH_NM, series(np.zeros(5)))


# ---- ceiling -------------------------------------------------------------------------------------


def test_energy_is_conserved_in_the_full_stack():
    found = ceiling.emission(ceiling.read_stack(STACK), layers=True)
    assert sum(float(v) for v in found.fractions().values()) == pytest.approx(1.0, abs=1e-6)
    assert abs(float(found.balance)) < 1e-3


def test_outcoupling_of_the_paper_stack_and_the_shortcut():
    stack = ceiling.read_stack(STACK)
    quick = {"hole_nm": (0.5, 30.0, 60.0), "organic_index": (1.65, 1.8)}
    found = ceiling.ceiling(stack, {**VARIED, **quick})
    assert (
        0.24 < found.central < 0.31
        and found.lowest <= found.low < found.central < found.high <= found.highest
    )
    assert 0.22 < found.eqe(0.878)[0] < 0.27
    assert ceiling.half_stack_outcoupling(stack) / found.central - 1 == pytest.approx(
        -0.075, abs=0.02
    )


def test_nothing_is_lost_where_there_is_nothing_to_lose_it_in():
    """Emitter and substrate of index 1 in air: rate and outcoupling of free space, both sides
    alike."""
    layers = (
        ceiling.Layer("nothing", 1.0, 0, None, "substrate"),
        ceiling.Layer("film", 1.0, 0, 50.0, "emitter"),
    )
    found = ceiling.emission(ceiling.Stack(layers, 620.0))
    assert float(found.purcell) == pytest.approx(1.0, abs=1e-4) and float(
        found.outcoupling
    ) == pytest.approx(1.0, abs=1e-4)
    assert float(found.air_top) == pytest.approx(float(found.air_bottom), abs=1e-4)


def test_scan_is_the_same_as_one_by_one():
    stack = ceiling.read_stack(STACK)
    nm = np.array([10.0, 45.0, 90.0])
    together = ceiling.emission(stack.scale_role("hole", nm)).outcoupling
    alone = [float(ceiling.emission(stack.scale_role("hole", x)).outcoupling) for x in nm]
    np.testing.assert_allclose(together, alone, rtol=1e-4)


def test_horizontal_dipoles_come_out_better():
    stack = ceiling.read_stack(STACK)
    out = [float(ceiling.emission(stack, orientation=v).outcoupling) for v in (0.0, 1 / 3, 1.0)]
    assert out[0] > out[1] > out[2]


def test_recycling_inverts_its_series():
    eta, q, a = 0.27, 0.88, 0.4
    total = q * eta * sum((q * (1 - eta) * a) ** k for k in range(200))
    assert ceiling.recycling_needed(total, q, eta) == pytest.approx(a, rel=1e-9)
    assert ceiling.implied_outcoupling(0.324, 0.878) == pytest.approx(0.369, abs=5e-4)


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda t: t.replace("role: emitter", "role: hole"), "one layer with the role emitter"),
        (
            lambda t: t.replace("thickness_nm: 70", "thickness_nm: thick"),
            "TPBi.*thickness_nm as a number",
        ),
        (lambda t: t.replace("name: TPBi, thickness_nm: 70,", "name: TPBi,"), "TPBi.*thickness_nm"),
        (lambda t: "stack: [1, 2", "YAML"),
        (lambda t: t.replace("wavelength_nm: 620", ""), "wavelength_nm.*found None"),
        (lambda t: "levels: []", "'stack'"),
    ],
)
def test_broken_stacks(tmp_path, change, message):
    path = tmp_path / "device.yaml"
    path.write_text(change(STACK.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        ceiling.read_stack(path)


# ---- forward models ------------------------------------------------------------------------------


def test_simulated_current_obeys_kirchhoff_and_its_limits():
    device = simulate.Diode(trap_leakage=0.0)
    v = np.array([0.2, 0.4])
    np.testing.assert_allclose(
        simulate.current_density(v, device), 1e3 * v / device.shunt_Ohm_cm2, rtol=1e-3
    )
    steep = simulate.Diode(mobility_cm2_Vs=1e4, series_Ohm_cm2=50.0)
    j = simulate.current_density(np.array([8.0, 9.0]), steep)
    assert (j[1] - j[0]) * 1e-3 * 50 == pytest.approx(1.0, rel=0.05)
    assert (simulate.current_density(-v, device) < 0).all()


def test_simulated_lifetimes_pass_the_printed_half():
    for _, _, _, t50 in simulate.PUBLISHED["lifetime series (J mA cm-2, L0 cd m-2, EQE0, T50 min)"]:
        assert float(simulate.decay(np.array([t50]), t50)[0]) == pytest.approx(0.5, abs=1e-9)


def test_files_are_the_same_bytes_each_time(tmp_path):
    for folder in ("sweeps", "lifetime", "batch"):
        (tmp_path / folder).mkdir()
        getattr(simulate, f"write_{folder}")(tmp_path / folder)
        for path in sorted((tmp_path / folder).iterdir()):
            assert path.read_bytes() == (ROOT / "data" / "led" / folder / path.name).read_bytes(), (
                path.name
            )


def test_bundled_sweeps_have_both_directions_and_the_planted_range_step():
    for path in sorted((ROOT / "data" / "led" / "sweeps").iterdir()):
        up, down = read_sweeps(path)
        assert (up.direction, down.direction) == ("up", "down")
        assert up.range_change.any() == (path.stem == "ed5_GL")


def test_peaks_of_counted_spectra_cover():
    """A counting detector is noisiest at the peak; the noise beside the band is not that there.

    The axis falls: variances turn with the spectra.
    """
    rng = np.random.default_rng(4)
    x = np.arange(540.0, 780.0, 1.0)[::-1]
    heights, at = np.array([0.05, 0.3, 1.0]), np.array([2.5, 3.0, 4.0])
    true = 655.0 - 0.4 * (at - 3)
    pulls = []
    for _ in range(30):
        light = 2e4 * heights[:, None] * np.exp(-4 * np.log(2) * ((x - true[:, None]) / 34) ** 2)
        variance = light + 12.0**2
        spectra = light + rng.normal(0, 1, light.shape) * np.sqrt(variance)
        found = stability.follow(at, x, spectra, variance=variance)
        shift, error = found.change("peak_nm")
        pulls.append([*((found.peak_nm - true) / found.peak_error), (shift + 0.6) / error])
    assert (np.std(pulls, axis=0) < 1.4).all() and (np.std(pulls, axis=0) > 0.6).all()
    assert (np.abs(np.mean(pulls, axis=0)) < 0.7).all()


# ---- lifetimes and series by independent computations --------------------------------------------


@pytest.mark.parametrize("points, initial", [(30, None), (30, 200.0), (6, None)])
def test_a_crossing_is_that_of_the_parabola_through_its_neighbourhood(points, initial):
    """By numpy's polyfit: time, and the error by the scatter and by the start where it is read."""
    rng, fraction = np.random.default_rng(2), 0.95
    t = np.linspace(0, 100, points)
    y = 200 * np.exp(-0.1 * (t / 100) - 0.02 * (t / 100) ** 2)
    y = y * (1 + 1e-3 * rng.standard_normal(points))
    found = lifetime.crossing_time(t, y, fraction, initial=initial)
    start = y[0] if initial is None else initial
    z, degree = np.log(y / (fraction * start)), 2 if points > 6 else 1
    c, cov = np.polyfit(t, z, degree, cov="unscaled")
    roots = np.roots(c)
    at = roots[np.argmin(np.abs(roots - 47))].real
    slope = np.polyval(np.polyder(c), at)
    row = at ** np.arange(degree, -1, -1.0)
    noise = lifetime._noise(y, fraction * start) / (fraction * start)
    freedom = points - degree - 1
    spread = np.sqrt(np.sum((z - np.polyval(c, t)) ** 2) / freedom)
    if freedom < 6:
        spread = max(spread, noise)
    of_start = 0.0 if initial else lifetime._noise(y, start) / start
    error = np.sqrt(spread**2 * row @ cov @ row + of_start**2) / abs(slope)
    if points > 6:
        assert found.time == pytest.approx(at) and not found.censored
        assert found.standard_error == pytest.approx(error)
    else:
        assert found.time == pytest.approx(at, rel=0.05) and found.standard_error > 0.3 * error


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_noise_of_a_log_goes_with_its_power_of_the_signal(power):
    """And is widened as Student's t of a quarter of its points, that intervals may hold."""
    rng, t = np.random.default_rng(3), np.linspace(0, 1, 2001)
    clean = 100 * np.exp(-1.2 * t)
    for at in (100.0, 40.0):
        found = [
            lifetime._noise(clean + 0.02 * clean**power * rng.standard_normal(t.size), at)
            for _ in range(20)
        ]
        assert np.mean(found) == pytest.approx(0.02 * at**power, rel=0.05)
    spikes = clean + 0.02 * clean**power * rng.standard_normal(t.size)
    spikes[::200] += 50
    assert lifetime._noise(spikes, 60.0) == pytest.approx(0.02 * 60**power, rel=0.3)
    few = [lifetime._noise(100 + 0.5 * rng.standard_normal(22), 100.0) for _ in range(400)]
    student = stats.t.isf(0.025, 5) / stats.norm.isf(0.025)
    assert np.sqrt(np.mean(np.square(few))) == pytest.approx(0.5 * student, rel=0.1)
    assert lifetime._noise(np.array([5.0, 4.0, 3.0, 1.0]), 5.0) == 0.0


def test_a_decay_without_noise_gives_its_law_and_half_life():
    t = np.linspace(3, 403, 300)
    for values in ((500.0, 0.0, 1.0, 240.0, 0.75), (80.0, 0.2, 12.0, 300.0, 0.9)):
        found = lifetime.fit_decay(t, lifetime.decay_model(t - 3, values))
        assert (found.values[1] > 0) == (values[1] > 0)
        scale, share, burn, tau, beta = found.values
        assert (scale, tau, beta) == pytest.approx((values[0], values[3], values[4]), rel=2e-3)
        if values[1]:
            assert (share, burn) == pytest.approx((0.2, 12.0), rel=5e-3)
            left = lifetime.decay_model(found.t50.value, (1, *values[1:]))
            assert left == pytest.approx(0.5, abs=1e-3)
        else:
            assert np.isnan(burn) and share == 0
            assert found.t50.value == pytest.approx(240 * np.log(2) ** (1 / 0.75), rel=2e-3)
        assert not any("beyond" in f.evidence for f in found.t50.findings)
    short = lifetime.fit_decay(t[:80], lifetime.decay_model(t[:80] - 3, (1, 0, 1, 240.0, 0.75)))
    assert any("beyond the data" in f.evidence for f in short.t50.findings)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_fit_is_weighed_by_the_power_that_its_noise_goes_with(power):
    rng, shape = np.random.default_rng(4), np.geomspace(1, 0.2, 600)
    found = [lifetime._noise_power(shape**power * rng.standard_normal(600), shape)
             for _ in range(30)]  # fmt: skip
    assert np.mean(np.array(found) == power) > 0.9


def test_a_recovery_without_noise_gives_its_ends_time_and_what_is_left():
    t = np.array([2.0, 2.3, 2.7, 3.5, 4.5, 6, 8, 11, 15, 20])
    found = stability.relaxation(t, 630 + 8 * np.exp(-(t - 2) / 3.0), np.full(10, 0.1), at=8.0,
                                 unit="h")  # fmt: skip
    assert (found.start, found.end) == pytest.approx((638, 630), abs=1e-3)
    assert found.time_constant.value == pytest.approx(3, rel=1e-4) and found.determined
    assert found.remaining.value == pytest.approx(np.exp(-2), rel=1e-4)
    by = np.array([np.exp(-(t - 2) / 3), 1 - np.exp(-(t - 2) / 3),
                   8 * np.exp(-(t - 2) / 3) * (t - 2) / 3]) / 0.1  # fmt: skip
    error = np.sqrt(np.linalg.inv(by @ by.T)[2, 2])
    assert found.time_constant.standard_error == pytest.approx(3 * error, rel=0.02)
    assert found.remaining.standard_error == pytest.approx(np.exp(-2) * 2 * error, rel=0.02)
    for tau, told in ((0.05, False), (100.0, False), (40.0, True)):
        slow = stability.relaxation(t, 630 + 8 * np.exp(-(t - 2) / tau), np.full(10, 1e-4), at=8.0,
                                    unit="h")  # fmt: skip
        assert slow.determined == told


def test_a_side_band_that_grows_has_its_place_share_and_error():
    """Two Gaussians without noise: the share of each spectrum, and its growth from the first."""
    x = np.arange(520.0, 860.0, 1.0)
    share = np.array([0.02, 0.05, 0.1, 0.2])

    def band(centre, fwhm):
        sigma = fwhm / 2.35482
        return np.exp(-0.5 * ((x - centre) / sigma) ** 2) / sigma

    y = np.outer(1 - share, band(630, 32)) + np.outer(share, band(690, 36))
    found = stability.follow(np.arange(4.0), x, 7e3 * y)
    assert found.grows and found.converged and not found.notes
    assert found.share == pytest.approx(share, abs=3e-3)
    assert found.growth == pytest.approx(share - share[0], abs=3e-3)
    assert found.shoulder_nm == pytest.approx(690, abs=1.0)
    assert found.growth_error[1:] == pytest.approx(
        np.hypot(found.share_error[1:], found.share_error[0])
    )
    assert found.growth_error[0] == 0
    small = np.outer(1 - share / 8, band(630, 32)) + np.outer(share / 8, band(690, 36))
    little = stability.follow(np.arange(4.0), x, small)  # 2.3 % are none
    assert not little.grows and np.isnan(little.shoulder_nm)
    narrow = x < 664
    alone = stability.follow(np.arange(4.0), x[narrow], y[:, narrow], variance=y[:, narrow] * 0 + 1)
    assert not alone.grows and "no room" in alone.notes[0]
    moving = np.array([band(630 + k, 32) for k in range(4)])
    seen = stability.follow(np.arange(4.0), x, moving)
    assert seen.change("peak_nm")[0] == pytest.approx(3, abs=0.01) == seen.change("centroid_nm")[0]
    assert seen.change()[1] == pytest.approx(np.hypot(seen.peak_error[0], seen.peak_error[3]))
    assert seen.fwhm_nm == pytest.approx(32, abs=0.05)


@pytest.mark.parametrize("kind, unit", [("flux", "µW/nm"), ("radiance", "W/sr/m2/nm")])
def test_efficiency_of_absolute_spectra_is_photons_over_electrons(kind, unit):
    """By hand, line by line; the largest is chosen less its own error."""
    x = np.arange(540.0, 700.0)
    shape = np.exp(-0.5 * ((x - 620) / 12) ** 2)
    power = np.array([0.01, 0.03, 0.031])  # of each spectrum's maximum, in its unit
    noise = np.array([1e-5, 1e-5, 3e-3])
    signal = Signal(
        x, power[:, None] * shape, unit=unit, at=np.array([1.0, 2.0, 2.0]), at_unit="mA/cm²",
        variance=np.repeat(noise[:, None] ** 2, x.size, 1),
    )  # fmt: skip
    said = {"geometry": "sphere" if kind == "flux" else "lambertian", "area_cm2": 0.05,
            "light_error": 0.03}  # fmt: skip
    one = SimpleNamespace(
        signal=signal, label="a", axis="current_mA_cm2", sample="s", state="", kind="measured",
        inputs=(), settings=said, unit=unit, doubt="",
    )  # fmt: skip
    held = SimpleNamespace(series=[one], pattern=None, runs=())
    settings = {"pattern_relative": 0.1, "detector_relative": 0.1, "current_relative": 0.04}
    (q,) = sphere.quantities(held, settings)
    photons = np.trapezoid(0.03 * shape * x * 1e-9 / (h * c), x)
    per_m2 = photons * 1e-6 / 0.05e-4 if kind == "flux" else photons * math.pi
    assert q.value == pytest.approx(100 * per_m2 * e / (10 * 2.0), rel=1e-9)
    counting = np.sqrt(np.sum((x * 1e-9 / (h * c)) ** 2)) * 1e-5 / photons
    assert q.budget["counting"] == pytest.approx(q.value * counting, rel=0.01)
    assert q.budget["calibration"] == pytest.approx(q.value * 0.05)
    if kind == "radiance":  # a pattern that nobody measured, evenly within its range
        one.settings = {**said, "geometry": ""}
        (taken,) = sphere.quantities(held, settings)
        assert taken.value == pytest.approx(q.value)
        assert taken.budget["assumed pattern"] == pytest.approx(q.value * 0.1 / math.sqrt(3))
        one.settings = said
    dim = replace(signal, values=1e-8 * signal.values)
    one.signal = dim
    assert "five standard errors" in sphere.quantities(held, settings)[0].reasons
    del said["geometry"], said["area_cm2"]
    (asked,) = sphere.quantities(held, settings)
    assert asked.value is None and ("area_cm2" in asked.reasons) == (kind == "flux")


@pytest.mark.parametrize("unit, found", [
    ("W/nm", ("flux", 1.0)), ("mW nm-1", ("flux", 1e-3)), ("µW/nm", ("flux", 1e-6)),
    ("nW/nm", ("flux", 1e-9)), ("W/sr/m2/nm", ("radiance", 1.0)), ("mW sr-1 m-2 nm-1",
    ("radiance", 1e-3)), ("counts", None), ("W/m2/nm", None),
])  # fmt: skip
def test_units_of_absolute_spectra(unit, found):
    assert sphere.absolute(SimpleNamespace(settings={}, unit=unit)) == found
    assert sphere.absolute(SimpleNamespace(settings={"spectrum_unit": unit}, unit="a")) == found


def test_candela_per_ampere_alone_give_the_luminance():
    v = np.linspace(0, 4, 9)
    j = np.maximum(v - 1, 0) * 5  # 15 mA/cm2 at 4 V
    swept = Sweep(
        Path("d.csv"), "", "up", v, j, reported_cd_A=np.full(9, 20.0), compliance=np.zeros(9, bool)
    )
    run = device.run_of(swept, None, "measured", "")
    assert run.readings["luminance"] == pytest.approx(20 * 10 * j)
    assert set(run.lights) == {"luminance"}


def test_a_printed_current_efficiency_is_held_against_luminance_over_current():
    """cd/m² over mA/cm² is ten cd/A; the ratio of columns and what mixed units would make."""
    j = np.geomspace(0.1, 100, 20)
    lum = 40 * j
    seen = {}

    def ratio(c, curve, name, printed, made, expected):
        seen.update(name=name, printed=printed, made=made, expected=expected)
        return []

    sweep = SimpleNamespace(reported_eqe=None, reported_cd_A=4.4 * np.ones(20),
                            luminance_cd_m2=lum, current_density_mA_cm2=j)  # fmt: skip
    held = SimpleNamespace(run=SimpleNamespace(
        sweep=sweep, lights={"luminance": SimpleNamespace(values=lum)}))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printed, "_ratio", ratio)
        printed.quantities(held, SimpleNamespace(peak=None))
    assert seen["made"] == pytest.approx(4.0) and seen["printed"] is sweep.reported_cd_A
    assert sorted(seen["expected"].values()) == [0.1, 10.0]


def test_a_band_that_is_only_described_has_points_enough():
    for fwhm in (2.0, 10.0, 40.0):
        x, y = photometry.gaussian_band(620.0, fwhm)
        assert np.diff(x) == pytest.approx(min(0.5, fwhm / 20))
        assert (x[0], x[-1]) == pytest.approx((620 - 4 * fwhm, 620 + 4 * fwhm), abs=0.51)
        assert y[np.abs(x - 620 - fwhm / 2).argmin()] == pytest.approx(0.5, abs=0.04)
        assert y.max() == pytest.approx(1)


@pytest.mark.parametrize("share, eqe, units", [
    (0.9, 0.05, ["mA"]), (1.1, 0.05, []), (0.9e-3, 0.05, []), (0.9, 1.1, []), (0.9, 9e-7, []),
    (0.9e-3, 2e-4, ["mA"]),
])  # fmt: skip
def test_silent_units_are_told_by_what_is_possible(share, eqe, units):
    """Less power than melts a device, and from a millionth of a photon an electron to one."""
    v = np.linspace(0, 5, 6)
    j = share * device.MOST_POWER * 1e3 * v / 25  # V times mA/cm² is mW/cm²
    run = SimpleNamespace(sweep=SimpleNamespace(voltage_V=v, current_density_mA_cm2=j))
    curve = SimpleNamespace(peak=SimpleNamespace(eqe=eqe), route="luminance")
    silent = {"current_unit": {"mA": 1.0, "A": 1e3}}
    found = device.consistent_units(run, curve, silent)
    assert [*found.values()] == units
    assert device.consistent_units(run, SimpleNamespace(peak=None), silent) == {}


def test_an_efficiency_has_the_relative_errors_of_geometry_spectrum_and_scale():
    """EQE ∝ Ω/R: in per cent of it e_Ω/Ω, e_R/R, and d ln R/dλ times the error of the scale."""
    ends = np.array([2.0, 4.0])
    one = SimpleNamespace(settings={"wavelength_error_nm": 0.5}, kind="measured", inputs=(),
                          label="")  # fmt: skip
    seen = routes.Response("bias_V", ends, np.array([1.0, 1.0]), {"counting": np.full(2, 0.02)},
                           np.array([0.03, 0.05]), (), (one,))  # fmt: skip
    run = SimpleNamespace(row=SimpleNamespace(label="a", state=""), kind="measured", digest="x")
    c = device.Context("d", run, "", {"spectrum_shift_nm": 2.0, "wavelength_nm": 1.0})
    angle = Quantity("effective solid angle", "", 2.5, {"pattern": 0.1}, "sr")
    curve = SimpleNamespace(response=seen, place=3.0)
    q = device.external(c, "EQE", 12.0, curve, angle, "", reading=0.3)
    assert q.value == pytest.approx(12.0)
    mean = 0.02 / 2**0.5  # of two spectra, halfway
    expected = {"pattern": 12 * 0.1 / 2.5, "counting": 12 * mean, "wavelength scale": 12 * 0.02}
    for cause, error in expected.items():
        assert q.budget[cause] == pytest.approx(error, rel=1e-3)
    assert q.budget["reading"] == 0.3
