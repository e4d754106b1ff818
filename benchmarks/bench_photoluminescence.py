"""Speed of lifetimes and segregation tracks beside lmfit on the same data, in the same run.

Run with `pytest benchmarks/bench_photoluminescence.py`: the table's relative column is the ratio.
"""

import numpy as np
import pytest

from hassan2021.simulate.photoluminescence import segregation, tcspc
from peled import photoluminescence as pl

BIN, BINS = 0.128, 1024
T = np.arange(BINS) * BIN


@pytest.fixture(scope="module")
def decay():
    rng = np.random.default_rng(1)
    response = tcspc.response_histogram(rng, BINS, BIN, 400_000, 0.3)
    return response, tcspc.histogram(
        rng, BINS, BIN, 10_000_000, 100_000, np.array([2.0, 10.0]), 0.5
    )


@pytest.mark.benchmark(group="two exponentials, reconvolution, 1024 bins")
def test_lifetimes(benchmark, decay):
    response = pl.prepare_response(T, decay[0], BIN)
    fit = benchmark(lambda: pl.fit_decay(T, decay[1], components=2, response=response))
    assert fit.lifetimes_ns[1] == pytest.approx(10, rel=0.05)


@pytest.mark.benchmark(group="two exponentials, reconvolution, 1024 bins")
def test_lifetimes_with_lmfit(benchmark, decay):
    """The usual way: lmfit minimises Poisson deviance residuals of a numerically convolved
    model."""
    import lmfit
    from scipy.signal import fftconvolve

    kernel = np.maximum(decay[0] - 0.3, 0)
    kernel = kernel / kernel.sum()

    def model(p):
        v = p.valuesdict()
        law = sum(v[f"a{k}"] * np.exp(-T / v[f"t{k}"]) for k in (1, 2))
        return np.interp(T - v["shift"], T, fftconvolve(law, kernel)[:BINS]) + v["background"]

    def residual(p):
        mu = np.maximum(model(p), 1e-9)
        y = decay[1]
        return np.sign(y - mu) * np.sqrt(
            np.maximum(2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0) - (y - mu)), 0)
        )

    def fit():
        p = lmfit.Parameters()
        for name, value, low in (
            ("a1", 500, 0),
            ("t1", 1.5, 0.05),
            ("a2", 500, 0),
            ("t2", 12, 0.05),
            ("background", 0.5, 0),
        ):
            p.add(name, value, min=low)
        p.add("shift", 0.0, min=-0.5, max=0.5)
        return lmfit.minimize(residual, p)

    assert benchmark(fit).params["t2"].value == pytest.approx(10, rel=0.05)


@pytest.fixture(scope="module")
def series():
    w, t = np.arange(560.0, 760.0), np.linspace(0, 600, 60)
    return (
        w,
        t,
        segregation.spectra(
            np.random.default_rng(2),
            w,
            t,
            crystals=4000,
            peak_nm=649.0,
            red_shift_eV=0.075,
            nucleation_s=140.0,
            extent=0.4,
            bleach_s=5000.0,
            counts=3000,
        ),
    )


@pytest.mark.benchmark(group="two bands in 60 spectra")
def test_track(benchmark, series):
    w, t, counts = series
    assert benchmark(lambda: pl.track(w, counts, t)).segregates


@pytest.mark.benchmark(group="two bands in 60 spectra")
def test_track_with_lmfit(benchmark, series):
    """One spectrum after the other, the two bands held in place after the last one: less than
    `track` does."""
    import lmfit

    w, _, counts = series
    energy = 1239.842 / w[::-1]
    table = counts[:, ::-1] * (1239.842 / energy**2)
    model = (
        lmfit.models.GaussianModel(prefix="main_")
        + lmfit.models.GaussianModel(prefix="red_")
        + lmfit.models.LinearModel()
    )

    def fit():
        start = model.make_params(
            main_center=1.91,
            main_sigma=0.035,
            main_amplitude=1e6,
            red_center=1.836,
            red_sigma=0.035,
            red_amplitude=1e6,
            slope=0,
            intercept=0,
        )
        last = model.fit(table[-1], start, x=energy)
        for name in ("main_center", "main_sigma", "red_center", "red_sigma"):
            last.params[name].vary = False
        return [model.fit(row, last.params, x=energy) for row in table]

    assert len(benchmark.pedantic(fit, rounds=3)) == 60


@pytest.fixture(scope="module")
def fluences():
    """Six transients of 2,000 bins; first-order and radiative loss in closed form."""
    from peled.photoluminescence.transients import Transient

    rng = np.random.default_rng(3)
    edges, k, b = 0.25 * np.arange(2001), 4e-3, 8e-20
    made = []
    for density in np.geomspace(3e14, 3e17, 6):
        fall = np.exp(-k * edges)
        n = density * fall / (1 + b * density / k * (1 - fall))
        light = n**2
        mean = 0.5 * (light[1:] + light[:-1])
        counts = rng.poisson(2000 * mean / mean.max() + 3)
        made.append(Transient(edges[:-1], counts, density))
    return made


@pytest.mark.benchmark(group="fluence series, 6 x 2000 bins")
def test_fluence_series(benchmark, fluences):
    from peled.photoluminescence.transients import fit_transients

    found = benchmark.pedantic(lambda: fit_transients(fluences), rounds=3)
    k1, radiative = found.estimates.values[:2]
    assert k1 == pytest.approx(4e6, rel=0.02) and radiative == pytest.approx(8e-11, rel=0.05)


@pytest.mark.benchmark(group="fluence series, 6 x 2000 bins")
def test_fluence_series_with_lmfit(benchmark, fluences):
    """The usual way: lmfit around an integrator, one curve after the other."""
    import lmfit
    from scipy.integrate import odeint

    def residual(p, one):
        k, b = 1e-9 * np.exp(p["k"]), 1e-9 * np.exp(p["b"]) * one.density_cm3
        centre = one.time_ns + 0.5 * one.bin_ns
        times = np.append(0.0, centre)
        n = odeint(lambda y, _: -k * y - b * y * y, 1.0, times, rtol=1e-8, atol=1e-12)[1:, 0]
        mean = np.maximum(p["a"] * n**2 + p["background"], 1e-9)
        return (mean - one.counts) / np.sqrt(np.maximum(one.counts, 1))

    def fit():
        found = []
        for one in fluences:
            p = lmfit.Parameters()
            p.add("k", np.log(2e6))
            p.add("b", np.log(1e-10))
            p.add("a", 2000.0, min=0)
            p.add("background", 1.0, min=0)
            found.append(lmfit.minimize(residual, p, args=(one,)))
        return found

    assert len(benchmark.pedantic(fit, rounds=1)) == 6
