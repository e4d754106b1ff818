"""Structure: speed beside a peer on the same data in the same run (`pytest benchmarks/bench_structure.py --benchmark-only`).

Core levels: variable projection here, the same two doublets as a composite model in lmfit there. Powder patterns: one whole-pattern fit,
beside a fit of the same lines as independent pseudo-Voigt peaks in lmfit, which gives positions only.
"""

import numpy as np
import pytest
from lmfit.models import LinearModel, PseudoVoigtModel

from hassan2021.simulate.structure import diffraction, spectra
from peled.structure import xps, xrd


@pytest.fixture(scope="module")
def region():
    x = np.arange(42, 78, 0.1)
    return x, np.random.default_rng(0).poisson(
        spectra.core_levels(x, {"I": 1.2, "Br": 1.8, "Pb": 1.0}, counts_per_unit=200)
    ).astype(float)


@pytest.fixture(scope="module")
def film():
    x = np.arange(11, 46, 0.04)
    return x, np.random.default_rng(0).poisson(
        diffraction.film_pattern(x, a_A=6.05, mean_nm=12, sd_nm=1.7, x_br=0.6)
    ).astype(float)


@pytest.mark.benchmark(group="core levels")
def test_core_levels_here(benchmark, region):
    fit = benchmark(
        xps.fit_levels,
        *region,
        (xps.Doublet("I 4d", 49.4, 1.7, 0.69), xps.Doublet("Br 3d", 68.4, 1.05, 0.69)),
    )
    assert fit.converged


@pytest.mark.benchmark(group="core levels")
def test_core_levels_lmfit(benchmark, region):
    x, y = region
    model = LinearModel(prefix="b_")
    for name in ("i1_", "i2_", "r1_", "r2_"):
        model += PseudoVoigtModel(prefix=name)
    parameters = model.make_params(b_slope=0, b_intercept=y.min())
    for name, centre, other in (
        ("i1_", 49.4, None),
        ("i2_", 51.1, "i1_"),
        ("r1_", 68.4, None),
        ("r2_", 69.45, "r1_"),
    ):
        parameters[f"{name}center"].set(centre)
        parameters[f"{name}sigma"].set(0.5, min=0.05)
        parameters[f"{name}amplitude"].set(y.max())
        if other:
            parameters[f"{name}sigma"].set(expr=f"{other}sigma")
            parameters[f"{name}fraction"].set(expr=f"{other}fraction")
            parameters[f"{name}amplitude"].set(expr=f"0.69*{other}amplitude")
            parameters[f"{name}center"].set(expr=f"{other}center+{1.7 if other == 'i1_' else 1.05}")
    result = benchmark(lambda: model.fit(y, parameters, x=x, weights=1 / np.sqrt(np.maximum(y, 1))))
    assert result.success


@pytest.mark.benchmark(group="powder pattern")
def test_whole_pattern_here(benchmark, film):
    fit = benchmark(
        lambda: xrd.pawley_fit(
            *film,
            wavelengths_A=xrd.CU_KALPHA_A,
            a_A=6.05,
            shape="cube",
            size_relative_sd=0.14,
            thin_film=True,
            instrument_fwhm_deg=0.08,
        )
    )
    assert abs(fit.a_A - 6.05) < 0.01


@pytest.mark.benchmark(group="powder pattern")
def test_peaks_lmfit(benchmark, film, quick):
    x, y = film
    lines = [hkl for hkl in xrd.reflection_families(9) if xrd.two_theta(6.05, hkl) < 45.5]
    model = LinearModel(prefix="b_")
    for i in range(len(lines)):
        model += PseudoVoigtModel(prefix=f"p{i}_")
    parameters = model.make_params(b_slope=0, b_intercept=y.min())
    for i, hkl in enumerate(lines):
        parameters[f"p{i}_center"].set(float(xrd.two_theta(6.05, hkl)))
        parameters[f"p{i}_sigma"].set(0.3, min=0.05, max=2)
        parameters[f"p{i}_amplitude"].set(500, min=0)
    benchmark.pedantic(
        lambda: model.fit(
            y,
            parameters,
            x=x,
            weights=1 / np.sqrt(np.maximum(y, 1)),
            max_nfev=100 if quick else 2000,
        ),
        rounds=2,
    )
