"""Lifetimes, segregation tracks and fluence series beside lmfit: the same model on the same data,
in the same run, in CPU seconds (`pytest benchmarks/bench_photoluminescence.py --benchmark-only
-s`). That the answers are the same is tested, else speed means nothing.
"""

import time

import lmfit
import numpy as np
import pytest
from scipy.integrate import odeint
from scipy.signal import fftconvolve
from scipy.special import xlogy

from hassan2021.simulate.photoluminescence import segregation, tcspc
from peled import photoluminescence as pl
from peled.lineshapes import HC_EV_NM
from peled.lineshapes.bands import SIGMA_PER_FWHM
from peled.photoluminescence.emission import constant
from peled.photoluminescence.segregation import _two_bands
from peled.photoluminescence.transients import Transient, fit_transients

BIN, BINS = 0.128, 1024
T = np.arange(BINS) * BIN


def deviance_residual(counts, mean):
    """What lmfit is given so that its least squares are the Poisson likelihood."""
    mean = np.maximum(mean, 1e-9)
    unit = 2 * (xlogy(counts, np.maximum(counts, 1) / mean) - counts + mean)
    return np.sign(counts - mean) * np.sqrt(np.maximum(unit, 0))


@pytest.fixture(scope="module")
def decay():
    rng = np.random.default_rng(1)
    response = tcspc.response_histogram(rng, BINS, BIN, 400_000, 0.3)
    counts = tcspc.histogram(rng, BINS, BIN, 10_000_000, 100_000, np.array([2.0, 10.0]), 0.5)
    return pl.prepare_response(T, response, BIN), counts


@pytest.mark.benchmark(group="two exponentials, reconvolution, 1024 bins", timer=time.process_time)
def test_lifetimes(benchmark, against, cpu, decay):
    """lmfit gets start values close to the truth, which here have to be found."""
    response, counts = decay
    ours = benchmark(lambda: pl.fit_decay(T, counts, components=2, response=response))
    # Decay and response are spread over their bins, which folds the response twice with a bin:
    # less its second, fourth and sixth difference it is as it was.
    second = np.array([0, 0, -1, 2, -1, 0, 0]) / 4
    fourth = np.convolve(second, second, "same")
    undo = (
        np.eye(7)[3] + second / 3 + 8 * fourth / 45 + 4 * np.convolve(fourth, second, "same") / 35
    )
    kernel = np.convolve(response.counts / response.counts.sum(), undo)
    edges = T[0] - response.start_ns + BIN * (np.arange(-kernel.size, BINS + 1) + 2)

    def mean(v):
        since = np.maximum(edges - v["shift"], 0)
        light = sum(
            v[f"a{k}"] * v[f"t{k}"] * (since + v[f"t{k}"] * np.expm1(-since / v[f"t{k}"]))
            for k in (1, 2)
        )
        return fftconvolve(np.diff(light, 2) / BIN, kernel, "valid") + v["background"]

    start = lmfit.Parameters()
    for name, value, low in (("a1", 500, 0), ("t1", 1.5, 0.05), ("a2", 500, 0), ("t2", 12, 0.05),
                             ("background", 0.5, 0)):  # fmt: skip
        start.add(name, value, min=low)
    start.add("shift", 0.0, min=-0.5, max=0.5)
    found = []

    def peer():
        found.append(
            lmfit.minimize(lambda p: deviance_residual(counts, mean(p.valuesdict())), start)
        )

    seconds = cpu(peer, 5)
    values = [found[0].params[name].value for name in ("t1", "t2")]
    assert np.abs((ours.lifetimes_ns - values) / ours.lifetime_errors_ns).max() < 5e-3
    assert found[0].chisqr == pytest.approx(ours.deviance, abs=0.05)
    against("lmfit", seconds, least=8)


@pytest.fixture(scope="module")
def series():
    w, t = np.arange(560.0, 760.0), np.linspace(0, 600, 60)
    made = segregation.spectra(
        np.random.default_rng(2), w, t, crystals=4000, peak_nm=649.0, red_shift_eV=0.075,
        nucleation_s=140.0, extent=0.4, bleach_s=5000.0, counts=3000,
    )  # fmt: skip
    return w, t, made


@pytest.mark.benchmark(group="two bands in 60 spectra", timer=time.process_time)
def test_track(benchmark, against, cpu, series, quick):
    """lmfit fits one spectrum after the other with the bands held where all spectra together have
    them, and with the weights that the fit gives; here both have to be found, and a band that moves
    and one that stays are tried too."""
    w, t, counts = series
    ours = benchmark(lambda: pl.track(w, counts, t))
    energy = ours.energy_eV
    jacobian = HC_EV_NM / energy**2
    floor, _ = constant(w, counts)  # the detector's constant, as here
    table = (counts - floor)[:, ::-1] * jacobian
    weights = 1 / np.sqrt(jacobian * np.maximum(ours.model, 0.3 * jacobian))
    model = (
        lmfit.models.GaussianModel(prefix="main_")
        + lmfit.models.GaussianModel(prefix="red_")
        + lmfit.models.LinearModel()
    )
    two = _two_bands(energy, table, 1 / weights**2)[1]
    start = model.make_params(main_amplitude=1e5, red_amplitude=1e5, slope=0, intercept=0)
    for band in ("main", "red"):
        start[f"{band}_center"].set(float(two.value(f"{band}_centre")[0]), vary=False)
        width = SIGMA_PER_FWHM * float(two.value(f"{band}_fwhm")[0])
        start[f"{band}_sigma"].set(width, vary=False)
    found = []

    def peer():
        found[:] = [
            model.fit(row, start, x=energy, weights=weight).best_values
            for row, weight in zip(table, weights)
        ]

    seconds = cpu(peer, 3)
    areas = np.array([[v["main_amplitude"], v["red_amplitude"]] for v in found])
    off = areas[:, 1] / areas.sum(axis=1) - ours.fraction
    assert ours.segregates and np.abs(off / ours.fraction_error).max() < 0.1
    against("lmfit", seconds, least=18)


FINE = 25  #: steps of a bin in which the transients with a response are made


@pytest.fixture(scope="module", params=["short pulse", "response"])
def fluences(request):
    """Three series of six transients of 2,000 bins; first-order and radiative loss. How long lmfit
    takes one by one differs tenfold from one draw to the next. With a response of 1.2 ns, counted
    as the decays are, they begin at 12 ns."""
    return [_series(np.random.default_rng(seed), request.param) for seed in (3, 4, 5)]


def _series(rng, kind):
    edges, k, b = 0.25 / FINE * np.arange(2000 * FINE + 1), 4e-3, 8e-20
    pulse, response = np.ones(1), None
    if kind == "response":
        pulse = np.exp(-0.5 * ((edges - 12.0) / 0.5) ** 2)
        seen = pulse[:-1].reshape(2000, FINE).sum(axis=1)
        counted = rng.poisson(3e4 * seen / seen.max() + 0.3)
        response = pl.prepare_response(edges[:-1:FINE], counted, 0.25)
    made = []
    for density in np.geomspace(3e14, 3e17, 6):
        fall = np.exp(-k * edges)
        n = density * fall / (1 + b * density / k * (1 - fall))
        light = fftconvolve(n**2, pulse)[: edges.size]
        mean = (0.5 * (light[1:] + light[:-1])).reshape(2000, FINE).sum(axis=1)
        counts = rng.poisson(2000 * mean / mean.max() + 3)
        made.append(Transient(edges[:-1:FINE], counts, density, "", response))
    return made


@pytest.mark.benchmark(group="fluence series, 6 x 2000 bins", timer=time.process_time)
def test_fluence_series(benchmark, against, cpu, fluences, quick):
    """lmfit around an integrator of the rate equation, folded with the response where there is
    one: one curve after the other, each with rates of its own, and all curves at once, which is
    the same fit. Bounds keep the integrator where it works: without them the loop takes ten times
    as long. The closed form that this law has is used here and not there: a peer that knows it
    does not integrate."""
    fluences = fluences[: 1 if quick else None]
    ours = benchmark.pedantic(
        lambda: [fit_transients(series) for series in fluences], rounds=1 if quick else 5
    )
    rates = np.log([one.estimates.values[:2] for one in ours])
    errors = [one.estimates.covariance.diagonal()[:2] ** 0.5 for one in ours]
    assert np.abs(rates - np.log([4e6, 8e-11])).max() < 0.02
    places = range(6)[-1 if quick else 0 :]
    bins = fluences[0][0].time_ns

    def slope(n, _, k, b):
        return -k * n - b * n * n

    def light(k, b, shift, response):
        at_ends = odeint(slope, 1.0, np.append(bins, bins[-1] + 0.25), args=(k, b))[:, 0] ** 2
        in_bins = 0.5 * (at_ends[1:] + at_ends[:-1])
        if response is None:
            return in_bins
        folded = fftconvolve(in_bins, response.counts / response.counts.sum())[: bins.size]
        return np.interp(bins - response.start_ns - shift, bins, folded, left=0.0)

    def residual(p, series, which):
        v, out = p.valuesdict(), []
        for i in which:
            one = series[i]
            k, b = 1e-9 * np.exp(v["k"]), 1e-9 * np.exp(v["b"]) * one.density_cm3
            mean = v[f"a{i}"] * light(k, b, v["shift"], one.response) + v[f"background{i}"]
            out.append(deviance_residual(one.counts, mean))
        return np.concatenate(out)

    def fitted(series, which):
        p = lmfit.Parameters()
        p.add("k", np.log(2e6), min=np.log(1e3), max=np.log(1e9))
        p.add("b", np.log(1e-10), min=np.log(1e-13), max=np.log(1e-7))
        p.add("shift", 0.0, min=-1.0, max=1.0, vary=series[0].response is not None)
        for i in which:
            p.add(f"a{i}", 2000.0, min=0)
            p.add(f"background{i}", 1.0, min=0)
        return lmfit.minimize(residual, p, args=(series, which))

    found = []
    loop = cpu(lambda: [fitted(series, [i]) for series in fluences for i in places], 1)
    together = cpu(lambda: found.extend(fitted(series, list(places)) for series in fluences), 1)
    folded = fluences[0][0].response is not None
    if not quick:
        off = [[one.params[name].value for name in "kb"] for one in found] - rates
        # A response folded bin by bin is not folded exactly.
        assert np.abs(off / errors).max() < (1.0 if folded else 0.05)
    least = 14 if folded else 30
    against("a loop of lmfit", loop, least=least)
    against("lmfit on all curves", together, least=least)
    if not quick:
        assert benchmark.stats.stats.min < 3 * 0.2
