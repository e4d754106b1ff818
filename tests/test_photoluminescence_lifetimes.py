"""Lifetimes from counts: closed forms, coverage, real decays."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from hassan2021.simulate.photoluminescence import tcspc
from peled import photoluminescence as pl
from peled.formats.tcspc import read_histogram, read_histograms
from peled.photoluminescence import lifetimes
from peled.photoluminescence import response as responses

BIN, BINS = 0.128, 512
T = np.arange(BINS) * BIN


@pytest.fixture(scope="module")
def response():
    return pl.prepare_response(
        T, tcspc.response_histogram(np.random.default_rng(1), BINS, BIN, 400_000, 0.3), BIN
    )


def _coverage(values, errors, true):
    return np.mean(np.abs(np.asarray(values) - true) < 1.96 * np.asarray(errors))


def test_lifetime_interval_covers_with_response_pile_up_and_background(response):
    rng = np.random.default_rng(3)
    fits = [
        pl.fit_decay(
            T,
            tcspc.histogram(rng, BINS, BIN, 1_000_000, 20_000, np.array([9.0]), 0.5),
            response=response,
            period_ns=100.0,
            cycles=1_000_000,
        )
        for _ in range(400)
    ]
    assert all(f.converged for f in fits)
    assert (
        0.925
        <= _coverage(
            [f.lifetimes_ns[0] for f in fits], [f.lifetime_errors_ns[0] for f in fits], 9.0
        )
        <= 0.975
    )
    z = np.array([f.goodness_z for f in fits])
    assert abs(z.mean()) < 0.5 and 0.85 < z.std() < 1.15  # the deviance is what Poisson noise gives
    assert 0.85 < np.std([f.runs_z for f in fits]) < 1.15


def test_mean_lifetime_of_two_components_covers(response):
    rng, pool = np.random.default_rng(4), np.concatenate([np.full(30, 2.0), np.full(70, 10.0)])
    fits = [
        pl.fit_decay(
            T,
            tcspc.histogram(rng, BINS, BIN, 10_000_000, 40_000, pool, 0.5),
            components=2,
            response=response,
            period_ns=100.0,
            cycles=10_000_000,
        )
        for _ in range(300)
    ]
    share = np.array([0.3 / 2, 0.7 / 10])
    true = float(share @ [2, 10] / share.sum())
    assert (
        0.91
        <= _coverage(
            [f.mean_ns["amplitude-weighted"][0] for f in fits],
            [f.mean_ns["amplitude-weighted"][1] for f in fits],
            true,
        )
        <= 0.985
    )
    assert (
        0.92
        <= _coverage(
            [f.lifetimes_ns[1] for f in fits], [f.lifetime_errors_ns[1] for f in fits], 10.0
        )
        <= 0.985
    )
    assert all(
        f.mean_ns["intensity-weighted"][0] > f.mean_ns["amplitude-weighted"][0] for f in fits
    )


def test_pile_up_biases_when_it_is_left_out(response):
    counts = tcspc.histogram(
        np.random.default_rng(5), BINS, BIN, 400_000, 200_000, np.array([9.0]), 0.2
    )
    with_it, without = (
        pl.fit_decay(T, counts, response=response, cycles=c) for c in (400_000, None)
    )
    assert abs(with_it.lifetimes_ns[0] - 9) < 4 * with_it.lifetime_errors_ns[0]
    assert (
        without.lifetimes_ns[0] < 9 - 10 * without.lifetime_errors_ns[0] and without.goodness_z > 5
    )


def test_wrap_around_of_long_decays():
    rng = np.random.default_rng(6)
    arrival = (rng.exponential(30.0, 300_000) + 3.0) % 50.0
    counts = np.histogram(arrival, bins=np.arange(0, 50.01, 0.1))[0]
    t = np.arange(counts.size) * 0.1
    found = pl.fit_decay(
        t, counts, response=lifetimes.Response(3.0), period_ns=50.0, fit_shift=False, background=0.0
    )
    assert (
        abs(found.lifetimes_ns[0] - 30) < 4 * found.lifetime_errors_ns[0]
        and abs(found.goodness_z) < 4
    )


@given(st.floats(0.3, 40.0), st.floats(-0.4, 0.4))
@settings(max_examples=40, deadline=None)
def test_bin_integrals_conserve_counts_and_shift(lifetime, shift):
    """Reconvolution moves and spreads counts but makes none: the sum is the area of decay times
    response."""
    n, width = 4096, 0.1
    time = np.arange(n) * width
    kernel = np.exp(-0.5 * ((np.arange(21) - 10) / 3.0) ** 2)
    model = lifetimes._Model(
        time, width, lifetimes.Response(5.0, kernel), 1, False, None, None, True, False, True, 0.0
    )
    row = model.shapes(np.array([np.log(lifetime), shift, 1.0, 0.0]))[0]
    left = np.exp(-(time[-1] - 6.0) / lifetime)
    assert row.sum() == pytest.approx(lifetime * (1 - left), rel=2e-3)
    centre = (row @ (time + 0.5 * width)) / row.sum()
    if left < 1e-6:  # mean of the response, plus half a bin, plus the lifetime, plus the shift
        assert centre == pytest.approx(
            5.0 + 10 * width + 0.5 * width + lifetime + shift, abs=2e-3 * lifetime + 1e-3
        )


def test_gaussian_response_equals_a_finely_measured_one():
    time, width = np.arange(400) * 0.05, 0.05
    fine = np.exp(-0.5 * ((np.arange(81) - 40) * width / 0.2) ** 2)
    theta = np.array([np.log(2.5), 0.0, 1.0, 0.0])
    measured = lifetimes._Model(
        time,
        width,
        lifetimes.Response(3.0 - 40 * width - 0.5 * width, fine),
        1,
        False,
        None,
        None,
        True,
        False,
        True,
        0.0,
    ).shapes(theta)[0]
    closed = lifetimes._Model(
        time,
        width,
        lifetimes.Response(3.0, None, 0.2 * 2.35482),
        1,
        False,
        None,
        None,
        True,
        False,
        True,
        0.0,
    ).shapes(theta)[0]
    np.testing.assert_allclose(measured, closed, atol=2e-3 * closed.max())


def test_model_selection_finds_the_number_of_components(response):
    rng = np.random.default_rng(7)
    one = pl.fit_decays(
        T,
        tcspc.histogram(rng, BINS, BIN, 10_000_000, 60_000, np.array([8.0]), 0.5),
        response=response,
    )
    two = pl.fit_decays(
        T,
        tcspc.histogram(rng, BINS, BIN, 10_000_000, 60_000, np.array([1.5, 9.0]), 0.5),
        response=response,
    )
    assert pl.preferred(one).law == "1 exponential" and pl.preferred(two).law == "2 exponentials"
    single = next(fit for law, fit in two.items() if law.startswith("1 exponential"))
    assert single.runs_z < -3 and single.goodness_z > 5  # scatter does not mend it


def test_stretched_exponential_is_recovered():
    t = np.arange(600) * 0.2
    counts = np.random.default_rng(8).poisson(8000 * np.exp(-(((t + 0.1) / 12) ** 0.6)) + 3)
    found = pl.fit_decay(t, counts, stretched=True)
    assert abs(found.beta - 0.6) < 4 * found.beta_error + 0.01 and found.lifetimes_ns[
        0
    ] == pytest.approx(12, rel=0.05)
    assert found.mean_ns["amplitude-weighted"][0] == pytest.approx(
        12 / 0.6 * math.gamma(1 / 0.6), rel=0.05
    )  # τ/β Γ(1/β)


def test_trapped_crystals_by_their_mean(response):
    rng = np.random.default_rng(9)
    parameters = (40.0, 12.0, 1.2)
    pool, bins = tcspc.trapped_lifetimes(rng, 200_000, *parameters), 2800
    time = np.arange(bins) * BIN
    counts = tcspc.histogram(rng, bins, BIN, 15_000_000, 300_000, pool, 1.2)
    mean = pl.mean_lifetime(
        pl.fit_decays(
            time, counts, ("2", "3"), response=response, period_ns=500.0, cycles=15_000_000
        )
    )
    assert abs(mean.value_ns - tcspc.mean_lifetime(*parameters)) < 3.5 * mean.error_ns


def test_unweighted_least_squares_is_not_to_be_trusted():
    rng, t = np.random.default_rng(10), np.arange(400) * 0.25
    pulls = []
    for _ in range(60):
        tau, error = pl.least_squares_lifetime(
            t, rng.poisson(2000 * np.exp(-t / 8) + 1.0), background=1.0
        )
        pulls.append((tau - 8) / error)
    assert np.std(pulls) > 1.5


@pytest.mark.parametrize(
    "change, said",
    [
        ({"counts": np.r_[-1.0, np.ones(99)]}, "none negative"),
        ({"period_ns": 0.1}, "at most 20 pulses in a record"),
        ({"counts": np.zeros(100)}, "found none"),
        ({"counts": np.ones(100)}, "at least"),
        ({"components": 7}, "1 to 4"),
        ({"time_ns": np.geomspace(1, 100, 100)}, "even bins"),
        ({"window_ns": (0.0, 2.0)}, "more than"),
        ({"response": lifetimes.Response(0.0, -np.ones(4))}, "none negative"),
        ({"response": lifetimes.Response(0.0), "fit_width": True}, "fwhm_ns"),
    ],
)
def test_bad_decays_are_refused(change, said):
    given_ = {
        "time_ns": np.arange(100.0),
        "counts": np.round(50 * np.exp(-np.arange(100) / 20) + (change.get("counts") is None)),
    } | change
    if said == "at least":
        given_["counts"] = np.r_[3.0, np.zeros(99)]
    with pytest.raises(ValueError, match=said):
        pl.fit_decay(given_.pop("time_ns"), given_.pop("counts"), **given_)


def test_real_decay_by_likelihood_and_by_least_squares(samples):
    file = read_histogram(samples / "trpl" / "sample1.csv.gz")
    found = pl.fit_decay(
        file.time_ns, file.counts[0], background=float(file.background[0]), window_ns=(0, 200)
    )
    assert found.lifetimes_ns[0] == pytest.approx(6.0616, abs=0.0131) and found.lifetime_errors_ns[
        0
    ] == pytest.approx(0.0263, abs=3e-4)
    early = file.time_ns < 200
    assert pl.least_squares_lifetime(
        file.time_ns[early], file.counts[0][early], background=float(file.background[0])
    )[0] == pytest.approx(6.127, abs=1e-3)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_light_that_does_not_decay_has_no_lifetime_and_no_warning():
    """A constant beside a response: laws of lifetimes without end overflow nothing."""
    t, rng = np.arange(0, 60, 0.25), np.random.default_rng(3)
    pulse = 1e5 * np.exp(-0.5 * ((t - 3) / 0.3) ** 2)
    response = pl.prepare_response(t, rng.poisson(pulse), 0.25)
    best = pl.preferred(pl.fit_decays(t, rng.poisson(1002.0, t.size), response=response))
    assert best.problems or best.lifetime_errors_ns[0] > 0.5 * best.lifetimes_ns[0]


def test_real_response_serves_a_simulated_decay(samples):
    irf = read_histogram(samples / "trpl" / "irf_520nm.csv")
    rng = np.random.default_rng(11)
    clean = np.maximum(irf.counts[0] - 20, 0)
    arrival = (
        rng.exponential(5.0, 100_000)
        + rng.choice(irf.time_ns, 100_000, p=clean / clean.sum())
        + rng.uniform(0, irf.bin_ns, 100_000)
        + 2.0
    )
    counts = np.histogram(arrival, bins=np.arange(0, 40.01, 0.05))[0]
    found = pl.fit_decay(
        np.arange(counts.size) * 0.05,
        counts,
        response=pl.prepare_response(irf.time_ns, irf.counts[0], 0.05),
    )
    assert abs(found.lifetimes_ns[0] - 5) < 4 * found.lifetime_errors_ns[
        0
    ] and found.shift_ns == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("period", [None, 20.0, 7.3])
@pytest.mark.parametrize("law", ["exponential", "stretched"])
def test_derivatives_of_light_in_bins_are_those_of_its_value(period, law):
    h, tau = 0.1, 2.7

    def light(shift, log_tau, slopes=False):
        edges = h * np.arange(-32.3, 150) - shift
        if law == "stretched":
            return lifetimes._stretched_in_bins(edges, h, np.exp(log_tau), 0.7, period, slopes)
        lone = np.exp([log_tau])
        return lifetimes._exponentials_in_bins(edges, h, lone, period, slopes)[:, 0]

    _, by_log, by_shift = light(0.0, np.log(tau), True)
    step = 1e-4
    up, down = light(0.0, np.log(tau) + step)[0], light(0.0, np.log(tau) - step)[0]
    np.testing.assert_allclose(by_log, (up - down) / (2 * step), atol=2e-4 * by_log.max())
    up, down = light(step * h, np.log(tau))[0], light(-step * h, np.log(tau))[0]
    slope = (up - down) / (2 * step * h)
    np.testing.assert_allclose(by_shift, slope, atol=2e-3 * np.abs(by_shift).max())


@pytest.mark.parametrize("period", [None, 13.0, 30.0])
@pytest.mark.parametrize("bins", [150, 700])
def test_a_response_widens_an_exponential_to_itself_where_the_pulse_is_over(period, bins):
    """As all bins folded one by one, with the derivatives; by matrix and by Fourier transform. Of
    light that the sharpening of the response takes below zero nothing is left."""
    h, counts = 0.1, np.random.default_rng(3).poisson(300 * np.exp(-0.02 * np.arange(300)))
    response = lifetimes.Response(-2.03, counts[: bins // 2].astype(float))
    time = h * np.arange(bins)
    model = lifetimes._Model(
        time, h, response, 2, False, period, None, True, False, True, 0.0
    )  # fmt: skip
    logs, shift = np.log([0.15, 4.0]), 0.37
    theta = np.array([*logs, shift, 1.0, 1.0, 0.0])
    light = lifetimes._exponentials_in_bins(
        model.finer - shift, h, np.exp(logs), period, True
    )  # fmt: skip
    folded = np.array([
        [np.convolve(row, model.response.taps, "valid") for row in of] for of in light
    ])  # fmt: skip
    folded = np.where(folded[0] > 0, folded, 0.0)
    for ours, one in zip(model._seen(theta, logs, True), folded, strict=True):
        assert np.abs(ours - one).max() < 1e-9 * np.abs(one).max()


@pytest.mark.parametrize("stretched", [False, True])
def test_errors_of_mean_lifetimes_are_carried_by_their_slopes(stretched):
    k = 1 if stretched else 2
    model = SimpleNamespace(components=k, stretched=stretched, nonlinear=2)
    theta = np.array([0.4, 0.7, 900.0, 5.0] if stretched else [0.4, 1.9, 900.0, 200.0, 5.0])
    root = 0.01 * np.random.default_rng(1).standard_normal((theta.size, theta.size))
    free = np.arange(theta.size) != theta.size - 1

    def means(at, covariance=root):
        known = SimpleNamespace(theta=at, covariance=covariance, free=free)
        return np.array(list(lifetimes._mean_lifetimes(model, known).values()))

    steps = 1e-5 * np.maximum(np.abs(theta), 1.0)
    slopes = np.array([
        (means(theta + step) - means(theta - step))[:, 0] for step in np.diag(steps)
    ]) / (2 * steps[:, None])  # fmt: skip
    found = means(theta, root @ root.T)[:, 1]
    assert found == pytest.approx(np.linalg.norm(root.T @ (slopes * free[:, None]), axis=0))


@pytest.mark.parametrize("begin", [0.3, 2.0, 6.0])
def test_a_stretched_decay_right_after_its_pulse_is_no_smooth_rest(begin):
    """Bins that begin when the pulse has just been, as the decay integrated twice."""
    h, tau, beta, period = 0.1, 2.7, 0.6, 20.0
    edges = begin + h * np.arange(-1, 181)
    (found,) = lifetimes._stretched_in_bins(edges, h, tau, beta, period, False)
    fine = np.linspace(0, 1, 41)  # of a bin, over which the pulse is spread
    each = [np.diff(lifetimes._accumulated(edges[:-1] + h * f, tau, beta, 0, period)) for f in fine]
    assert found == pytest.approx(np.trapezoid(each, fine, axis=0), rel=2e-4)


def test_errors_beside_the_counts_say_their_scale(tmp_path):
    rng = np.random.default_rng(8)
    t = np.arange(400) * 0.25
    counts = rng.poisson(2000 * np.exp(-t / 9) + 1)
    sigma = np.sqrt(np.maximum(counts, 1)) / 7
    table = np.column_stack([t, counts / 7, sigma])
    np.savetxt(tmp_path / "d.csv", table, "%.6g", ",", header="Time (ns),a,sigma", comments="")
    (histogram,) = read_histograms(tmp_path / "d.csv")
    np.testing.assert_allclose(histogram.errors[0], sigma, rtol=1e-4)
    found = pl.fit_decay(t, counts / 7, sigma=histogram.errors[0])
    raw = pl.fit_decay(t, counts)
    assert found.gain == pytest.approx(1 / 7, rel=1e-3)
    assert found.lifetimes_ns == pytest.approx(raw.lifetimes_ns, rel=1e-3)
    assert found.lifetime_errors_ns == pytest.approx(raw.lifetime_errors_ns, rel=0.02)
    with pytest.raises(ValueError, match="σ² in proportion"):
        pl.fit_decay(t, counts / 7, sigma=0.02 * counts + 0.1)


def test_a_record_longer_than_the_period_holds_its_second_pulse_once():
    """Response and decay show two pulses, 40 ns apart; the model repeats the first."""
    rng, period, tau, bin_ns = np.random.default_rng(8), 40.0, 6.0, 0.2
    edges = bin_ns * np.arange(276)
    pulse = sum(np.diff(ndtr((edges - 5.0 - k * period) / 0.3)) for k in range(2))
    light = sum(
        np.diff(lifetimes._accumulated(edges - 5.0 - k * period, tau, 1.0, 0.3, None))
        for k in range(-4, 2)
    )
    seen = rng.poisson(3e4 * pulse / pulse.max() + 1.0)
    response = pl.prepare_response(edges[:-1], seen, bin_ns, period)
    counts = rng.poisson(5e3 * light / light.max() + 2.0)
    fit = pl.fit_decay(edges[:-1], counts, response=response, period_ns=period)
    assert abs(fit.lifetimes_ns[0] - tau) < 3 * fit.lifetime_errors_ns[0] < 0.1
    assert fit.goodness_z < 4


@pytest.mark.parametrize("error,counts", [(5.0, True), (90.0, False)])
def test_a_law_that_does_not_know_the_mean_says_nothing_of_it(error, counts):
    rng, t = np.random.default_rng(2), np.arange(200) * 0.5
    fit = pl.fit_decay(t, rng.poisson(300 * np.exp(-t / 8) + 1))
    mean, _ = fit.mean_ns["amplitude-weighted"]
    other = replace(fit, law="2 exponentials", bic=fit.bic + 9,
                    mean_ns={"amplitude-weighted": (mean + 30, error)})  # fmt: skip
    found = lifetimes.mean_lifetime({fit.law: fit, other.law: other})
    assert found.model_ns == pytest.approx(30 if counts else fit.unseen_ns["amplitude-weighted"])


def test_what_bins_have_widened_is_undone_to_the_fourth_order():
    """A bin's width, folded in twice, is sinc² of the frequency."""
    turns = np.arange(401) / 4000  # per bin
    left = np.fft.rfft(np.roll(np.pad(responses._undo(), (0, 3993)), -3))[: turns.size].real
    left *= np.sinc(turns) ** 2
    assert left == pytest.approx(1, abs=1e-5)


def test_light_of_no_duration_comes_with_every_pulse():
    """On its own bin all of it, a period later all of it again, between two bins divided."""
    train = SimpleNamespace(period=50.0, bin=1.0)
    light = lifetimes._Model._instant(train, np.arange(-20.0, 60.0))
    assert light[[20, 70]] == pytest.approx([1, 1]) and light.sum() == pytest.approx(2)
    halved = lifetimes._Model._instant(train, np.arange(-20.0, 20.0) + 0.5)
    assert halved[[19, 20]] == pytest.approx([9 / 16, 9 / 16]) and halved.sum() == pytest.approx(1)


def test_a_gaussian_response_that_came_later_is_shifted_later():
    time = 0.1 * np.arange(500)
    counts = np.random.default_rng(4).poisson(_gaussian(time, 5.3, 0.4, 6.0, 3000) + 2)
    response = lifetimes.Response(5.0, fwhm_ns=0.4)
    fit = lifetimes.fit_decay(time, counts, response=response)
    assert abs(fit.shift_ns - 0.3) < 3 * fit.shift_error_ns < 0.1
    later = lifetimes.fit_decay(
        time + 50, counts, response=lifetimes.Response(55.0, fwhm_ns=0.4)
    )  # fmt: skip
    assert later.lifetimes_ns == pytest.approx(fit.lifetimes_ns, rel=1e-6)


def _gaussian(time, at, fwhm, tau, height):
    """A decay after a Gaussian pulse, at the middles of bins: the exponentially modified one."""
    sigma, v = fwhm / 2.3548, time + 0.05 - at
    grown = np.exp(0.5 * (sigma / tau) ** 2 - v / tau)
    return height * grown * ndtr(v / sigma - sigma / tau)


def test_bounds_do_not_hang_on_where_a_record_begins():
    time = 0.1 * np.arange(300)
    made = [
        lifetimes._Model(time + begin, 0.1, lifetimes.Response(begin + 2.0, fwhm_ns=0.3), 2, False,
                         None, None, True, True, True, 0.0)
        for begin in (0.0, 70.0)
    ]  # fmt: skip
    for ends, later in zip(made[0].bounds, made[1].bounds, strict=True):
        assert later == pytest.approx(ends)


def test_a_response_is_left_without_its_background():
    """Of 40 counts a bin under a pulse of 2e5: light of the pulse alone, with the variance of all
    that was counted in its bins."""
    time = 0.1 * np.arange(400)
    pulse = np.exp(-0.5 * ((time - 12) / 0.5) ** 2)
    counts = np.random.default_rng(2).poisson(2e5 * pulse / pulse.sum() + 40).astype(float)
    found = pl.prepare_response(time, counts, 0.1)
    assert found.counts.sum() == pytest.approx(2e5, abs=4 * np.sqrt(2e5))
    bins = slice(*np.searchsorted(time, found.start_ns + np.array([0.0, 0.1 * found.counts.size])
                                  - 1e-6))  # fmt: skip
    assert found.variance.sum() == pytest.approx(counts[bins].sum(), rel=0.02)
