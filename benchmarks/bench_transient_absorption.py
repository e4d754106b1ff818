"""Global fit of 149 delays × 200, 1000, 4000 wavelengths, 3 lifetimes + zero time + width free:
this package against pyglotaran.

Run: pytest benchmarks/bench_transient_absorption.py. The peer lives in an environment of its own,
whose Python the variable
`PELED_PYGLOTARAN` names (`python -m venv peers && peers/bin/pip install pyglotaran==0.7.5`);
without it only our times are
taken. Both fit the same file from the same starts, call against call, one after the other, CPU time
of the best of several calls.
"""

import json
import os
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest

from peled.transient_absorption import Model, bootstrap, global_fit, matrix
from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian_decay

TRUE = {"tau": (0.4, 14.0, 280.0), "t0": 0.0, "fwhm": 0.1}
START = {"tau": (0.2, 5.0, 500.0), "t0": 0.02, "fwhm": 0.15}
CHIRP = 0.43  # ps over the window, as 1/λ²
PEER = os.environ.get("PELED_PYGLOTARAN")
LEAST = {False: 100, True: 40}  # times the peer's speed at 1000 wavelengths, without and with chirp

PEER_PROGRAM = r"""
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, xarray as xr
from glotaran.io import load_model, load_parameters
from glotaran.optimization.optimize import optimize
from glotaran.project.scheme import Scheme
z = np.load(sys.argv[1]); chirp = sys.argv[2] == "chirp"
irf = "{type: gaussian, center: irf.c, width: irf.w}"
megacomplex, more, extra = "m", "", ""
if chirp:
    irf = ("{type: spectral-gaussian, center: irf.c, width: irf.w, dispersion_center: irf.dc, "
           "center_dispersion_coefficients: [irf.d1, irf.d2], "
           "model_dispersion_with_wavenumber: true}")
    megacomplex, more = "m, a", ", a: {type: coherent-artifact, order: 3}"
    extra = "  - [dc, 640, {vary: false}]\n  - [d1, %g]\n  - [d2, %g]\n" % tuple(z["d"])
m = load_model("dataset: {d: {megacomplex: [" + megacomplex + "], irf: i}}\n"
    "megacomplex: {m: {type: decay-parallel, compartments: [s1, s2, s3], "
    "rates: [r.1, r.2, r.3]}" + more + "}\nirf: {i: " + irf + "}\n", format_name="yml_str")
rates = "".join("  - ['%d', %r, {non-negative: true}]\n" % (i + 1, 1 / x)
                for i, x in enumerate(z["tau"].tolist()))
P = "r:\n%sirf:\n  - [c, %r]\n  - [w, %r]\n%s" % (
    rates, float(z["t0"]), float(z["fwhm"]) / 2.3548200450309493, extra)
ds = xr.DataArray(z["D"], coords=[("time", z["t"]), ("spectral", z["wl"])]).to_dataset(name="data")
cpu = []
for _ in range(int(sys.argv[3])):
    c = time.process_time()
    r = optimize(Scheme(m, load_parameters(P, format_name="yml_str"), {"d": ds},
    optimization_method="TrustRegionReflection"), verbose=False, raise_exception=True)
    cpu.append(time.process_time() - c)
print(json.dumps({"cpu": min(cpu), "ssr": float((r.data["d"].residual ** 2).sum())}))
"""


def data(nw, chirp):
    delay = np.unique(
        np.round(
            np.r_[np.arange(-1, -0.3, 0.1), np.arange(-0.3, 1.0, 0.02), np.geomspace(1, 800, 77)], 6
        )
    )
    wavelength = np.linspace(550.0, 730.0, nw)

    def band(c, w):
        return np.exp(-0.5 * ((wavelength - c) / w) ** 2)

    spectra = np.stack(
        [
            0.006 * band(655, 14) - 0.005 * band(615, 16),
            -0.004 * band(630, 17) + 0.001 * band(590, 25),
            -0.010 * band(638, 13) + 0.0015 * band(600, 30),
        ]
    )
    xi = 1e3 / wavelength - 1e3 / 640
    t0 = 0.9 * xi + 0.3 * xi**2 if chirp else np.zeros(nw)
    s = TRUE["fwhm"] / FWHM_PER_SIGMA
    x = delay[:, None] - t0
    d = sum(gaussian_decay(x, 1 / tau, s) * a for tau, a in zip(TRUE["tau"], spectra))
    if chirp:
        d = d + 0.002 * np.exp(-0.5 * (x / s) ** 2) * (1 - 0.5 * x / s)
    return matrix(delay, wavelength, d + 1e-4 * np.random.default_rng(7).standard_normal(d.shape))


def cpu_of(call, repeats):
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        out = call()
        times.append(time.process_time() - begin)
    return min(times), out


def peer(tmp_path, m, chirp, repeats):
    np.savez(
        tmp_path / "set.npz",
        t=m.delay_ps,
        wl=m.wavelength_nm,
        D=m.signal,
        tau=START["tau"],
        t0=START["t0"],
        fwhm=START["fwhm"],
        d=[0.7, 0.2],
    )
    run = subprocess.run(
        [
            PEER,
            "-c",
            PEER_PROGRAM,
            str(tmp_path / "set.npz"),
            "chirp" if chirp else "plain",
            str(repeats),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
        },
    )
    if run.returncode:
        raise RuntimeError(run.stderr[-2000:])
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("chirp", [False, True], ids=["plain", "chirp and artefact"])
@pytest.mark.parametrize("nw", [200, 1000, 4000])
def test_global_fit(benchmark, quick, tmp_path, nw, chirp):
    if chirp and nw > 1000:
        pytest.skip("one size is enough")
    m = data(nw, chirp)
    model = _chirped() if chirp else replace(_chirped(), dispersion=(), artefact=0)

    def one_start():
        fit = global_fit(m, model, starts=0)
        return fit, fit.lifetime_errors(), fit.dads()

    def several_starts():
        fit = global_fit(m, model)
        return fit, fit.lifetime_errors(), fit.dads()

    benchmark.pedantic(one_start, rounds=5, warmup_rounds=1)
    cpu, (fit, *_) = cpu_of(one_start, 1 if quick else 7)
    cpu_default, (best, *_) = cpu_of(several_starts, 1 if quick else 5)
    optimum = global_fit(
        m,
        Model(
            TRUE["tau"],
            t0_ps=0.0,
            fwhm_ps=0.1,
            **({"dispersion": (0.9, 0.3), "reference_nm": 640.0, "artefact": 3} if chirp else {}),
        ),
    ).ssr
    assert best.ssr == pytest.approx(optimum, rel=1e-9)
    # zero time and the artefact's derivatives can trade places: one start may end in a neighbouring
    # minimum
    if not chirp:
        assert fit.ssr == pytest.approx(optimum, rel=1e-9)
    benchmark.extra_info |= {"cpu_ms": 1e3 * cpu, "cpu_ms_with_multi_start": 1e3 * cpu_default}
    line = (
        f"\n{nw} wavelengths, {'chirp and artefact' if chirp else 'plain'}: {1e3 * cpu:.1f} ms CPU"
    )
    line += f", with multi-start {1e3 * cpu_default:.1f} ms"
    if PEER:
        theirs = peer(tmp_path, m, chirp, 2)
        # the same model, else speed means nothing; at 200 wavelengths with chirp pyglotaran ends in
        # the minimum beside (1.4e-4 higher, at ftol 1e-13 too), from which our search goes on down
        assert fit.ssr < theirs["ssr"] * (1 + 1e-6) < fit.ssr * 1.001
        benchmark.extra_info["ratio to pyglotaran"] = theirs["cpu"] / cpu
        line += f"; pyglotaran {1e3 * theirs['cpu']:.0f} ms, ratio {theirs['cpu'] / cpu:.0f}"
        line += f" (multi-start {theirs['cpu'] / cpu_default:.0f})"
        line += f"; SSR {fit.ssr / theirs['ssr'] - 1:+.1e}"
        if nw == 1000:
            assert theirs["cpu"] / cpu >= LEAST[chirp], line
    print(line)


def test_missing_cells(benchmark):
    """2 % of the cells missing: weights per point, against the full matrix in the same run."""
    m = data(1000, True)
    model = _chirped()
    whole, _ = cpu_of(lambda: global_fit(m, model, starts=0), 2)
    gone = np.random.default_rng(0).random(m.shape) < 0.02
    holes = replace(m, signal=np.where(gone, np.nan, m.signal))
    benchmark.pedantic(lambda: global_fit(holes, model, starts=0), rounds=2)
    cpu, fit = cpu_of(lambda: global_fit(holes, model, starts=0), 2)
    assert fit.converged and cpu < 3 * whole
    print(f"\n2 % missing: {1e3 * cpu:.0f} ms CPU, {cpu / whole:.1f} times the full matrix")


@pytest.mark.parametrize("shared", [False, True], ids=["own spectra", "shared spectra"])
def test_linked_sets(benchmark, shared):
    """Two sets of 500 wavelengths with common lifetimes, response and dispersion; three starts."""
    one = replace(data(500, True), name="one")
    rng = np.random.default_rng(1)
    two = 0.7 * one.signal + 1e-4 * rng.standard_normal(one.shape)
    sets = [one, replace(one, name="two", signal=two)]
    model = replace(_chirped(), t0_ps=None)
    benchmark.pedantic(lambda: global_fit(sets, model, shared_spectra=shared), rounds=1)
    cpu, fit = cpu_of(lambda: global_fit(sets, model, shared_spectra=shared), 1)
    assert fit.converged and np.allclose(fit.lifetimes_ps, TRUE["tau"], rtol=0.05)
    benchmark.extra_info["cpu_ms"] = 1e3 * cpu
    print(f"\nlinked sets, {'shared' if shared else 'own'} spectra: {cpu:.2f} s CPU")


def _chirped():
    return Model(
        START["tau"],
        t0_ps=START["t0"],
        fwhm_ps=START["fwhm"],
        dispersion=(0.7, 0.2),
        reference_nm=640.0,
        artefact=3,
    )


def test_bootstrap_of_500_refits(benchmark):
    fit = global_fit(
        data(200, False), Model(START["tau"], t0_ps=START["t0"], fwhm_ps=START["fwhm"])
    )
    draws = benchmark.pedantic(lambda: bootstrap(fit, 500), rounds=1)
    assert draws.failed == 0
