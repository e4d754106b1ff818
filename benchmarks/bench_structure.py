"""Structure: speed beside a peer on the same data in the same run, in CPU seconds (`pytest
benchmarks/bench_structure.py --benchmark-only -s`).

Core levels: variable projection here, the same two doublets as a composite model in lmfit there.
Powder patterns: one whole-pattern fit, beside the same lines as independent pseudo-Voigt peaks in
lmfit, which gives positions only; two phases in 2,000 points.
"""

import time

import numpy as np
import pytest
from lmfit.models import LinearModel, PseudoVoigtModel

from hassan2021.simulate.structure import diffraction, spectra
from peled.structure import xps, xrd

LEVELS = (xps.Doublet("I 4d", 49.4, 1.7, 0.69), xps.Doublet("Br 3d", 68.4, 1.05, 0.69))


@pytest.fixture(scope="module")
def region():
    x = np.arange(42, 78, 0.1)
    mean = spectra.core_levels(x, {"I": 1.2, "Br": 1.8, "Pb": 1.0}, counts_per_unit=200)
    return x, np.random.default_rng(0).poisson(mean).astype(float)


@pytest.fixture(scope="module")
def film():
    x = np.arange(11, 46, 0.04)
    mean = diffraction.film_pattern(x, a_A=6.05, mean_nm=12, sd_nm=1.7, x_br=0.6)
    return x, np.random.default_rng(0).poisson(mean).astype(float)


@pytest.mark.benchmark(group="core levels", timer=time.process_time)
def test_core_levels(benchmark, against, cpu, region):
    x, y = region
    fit = benchmark(xps.fit_levels, x, y, LEVELS)
    assert fit.converged
    model = LinearModel(prefix="b_")
    for name in ("i1_", "i2_", "r1_", "r2_"):
        model += PseudoVoigtModel(prefix=name)
    start = model.make_params(b_slope=0, b_intercept=y.min())
    for name, centre in (("i1_", 49.4), ("r1_", 68.4)):
        start[f"{name}center"].set(centre)
        start[f"{name}sigma"].set(0.5, min=0.05)
        start[f"{name}amplitude"].set(y.max())
    for name, other, away in (("i2_", "i1_", 1.7), ("r2_", "r1_", 1.05)):
        for shared in ("sigma", "fraction"):
            start[f"{name}{shared}"].set(expr=f"{other}{shared}")
        start[f"{name}amplitude"].set(expr=f"0.69*{other}amplitude")
        start[f"{name}center"].set(expr=f"{other}center+{away}")
    weights = 1 / np.sqrt(np.maximum(y, 1))
    found = []

    def peer():
        found.append(model.fit(y, start, x=x, weights=weights))

    against("lmfit", cpu(peer), least=20)
    assert found[0].success


@pytest.mark.benchmark(group="powder pattern", timer=time.process_time)
def test_whole_pattern(benchmark, against, cpu, film, quick):
    x, y = film
    options = {
        "a_A": 6.05, "shape": "cube", "size_relative_sd": 0.14, "thin_film": True,
        "instrument_fwhm_deg": 0.08, "wavelengths_A": xrd.CU_KALPHA_A,
    }  # fmt: skip
    fit = benchmark(lambda: xrd.pawley_fit(x, y, **options))
    assert abs(fit.a_A - 6.05) < 0.01
    lines = [hkl for hkl in xrd.reflection_families(9) if xrd.two_theta(6.05, hkl) < 45.5]
    model = LinearModel(prefix="b_")
    for i in range(len(lines)):
        model += PseudoVoigtModel(prefix=f"p{i}_")
    start = model.make_params(b_slope=0, b_intercept=y.min())
    for i, hkl in enumerate(lines):
        start[f"p{i}_center"].set(float(xrd.two_theta(6.05, hkl)))
        start[f"p{i}_sigma"].set(0.3, min=0.05, max=2)
        start[f"p{i}_amplitude"].set(500, min=0)
    weights, most = 1 / np.sqrt(np.maximum(y, 1)), 100 if quick else 2000
    against(
        "lmfit, positions alone",
        cpu(lambda: model.fit(y, start, x=x, weights=weights, max_nfev=most), rounds=1),
        least=30,
    )


@pytest.mark.benchmark(group="powder pattern", timer=time.process_time)
def test_two_phases(benchmark):
    """2,000 points, a perovskite and lead iodide: cells, sizes, height."""
    x = np.linspace(10, 60, 2000)
    y = diffraction.film_pattern(x, a_A=6.28, mean_nm=30, sd_nm=3, x_br=0.0)
    for d, height in ((6.98, 0.3), (3.49, 0.1), (2.42, 0.1)):
        at = 2 * np.degrees(np.arcsin(1.5406 / 2 / d))
        y = y + height * y.max() / (1 + ((x - at) / 0.12) ** 2)
    y = np.random.default_rng(0).poisson(y).astype(float)
    phases = [
        xrd.Phase("lattice", (6.28, 6.28, 6.28, 90, 90, 90), "P m -3 m"),
        xrd.known_phases()["PbI2 2H"],
    ]
    fit = benchmark(
        xrd.fit_phases, x, y, np.sqrt(np.maximum(y, 1)), phases=phases,
        wavelengths_A=xrd.CU_KALPHA_A, displacement_mm=None, instrument_fwhm_deg=0.08,
    )  # fmt: skip
    found = dict(zip(fit.estimates.names, fit.estimates.values))
    assert abs(found["lattice a"] - 6.28) < 0.02
    assert benchmark.stats is None or benchmark.stats.stats.min < 0.3
