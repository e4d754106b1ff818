"""Fluence series of the public examples of PEARS and MetroTRPL: their solvers and fits beside ours.

Run: pytest benchmarks/bench_public_fluence.py -s, with PELED_STUDIES naming a folder that holds
clones of Emmanuelpean/pears and HagesLab/MetroTRPL; skipped without. Nothing of theirs is kept here
but the parameters of their examples. What their solvers say of them is compared with ours, and
counted (Poisson) it is fitted: by PEARS as its own example is, from its own start, and by ours.

.. [1] E. V. Péan, S. Dimitrov, C. S. De Castro, M. L. Davies, Phys. Chem. Chem. Phys. 22, 28345
   (2020), doi:10.1039/D0CP04950F
.. [2] C. Fai, A. J. C. Ladd, C. J. Hages, Joule 6, 2585 (2022), doi:10.1016/j.joule.2022.09.002
"""

import importlib
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from peled.photoluminescence.dynamics import Depth, Light, course
from peled.photoluminescence.transients import Transient, fit_transients

STUDIES = os.environ.get("PELED_STUDIES", "")


@pytest.fixture
def theirs(monkeypatch):
    """A module of a clone; what it imports for its pages and its speed alone need not be there."""

    def load(folder, module, *, unused=()):
        place = Path(STUDIES) / folder
        if not STUDIES or not (place / f"{module}.py").is_file():
            pytest.skip(f"{folder}: clone the studies and name their folder by PELED_STUDIES")
        monkeypatch.syspath_prepend(str(place))
        for name in unused:
            monkeypatch.setitem(sys.modules, name, MagicMock(njit=lambda **_: lambda f: f))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(module)

    return load


def ours(rates, densities, times, depth=None):
    """Light at times (n,) in ns over its first value, for each density."""
    found = course(rates, np.array(densities), step_ns=0.02 * times[1], span_ns=times[-1] * 1.02,
                   depth=depth)  # fmt: skip
    light = Light(found, None)
    h = 1e-3 * times[1]
    middle = (light.accumulated(times + h) - light.accumulated(times)).T / h
    return middle / middle[:, :1]


PEARS = {
    # their constants in cm and ns, ours in cm and s; what the example is fitted by
    "BTModelTRPL": ({"k_T": ("k1", 1e9), "k_B": ("radiative", 1e9)}, {"k_A": ("auger", 1e9)}),
    "BTDModelTRPL": (
        {"k_B": ("radiative", 1e9), "k_T": ("capture", 1e9), "N_T": ("traps", 1.0),
         "k_D": ("detrap", 1e9), "p_0": ("doping", 1.0)}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEARS)
def test_pears(theirs, name):
    """Their fit is of light at instants, scaled to the first, that scale held; ours of counts in
    bins, each decay with a scale and a background of its own."""
    models = theirs("pears/app", "models", unused=("streamlit", "pandas"))
    free, held = PEARS[name]
    said = models.BT_KWARGS if name.startswith("BTM") else models.BTD_KWARGS
    truth = {mine: said[key] * factor for key, (mine, factor) in (free | held).items()}
    model = getattr(models, name)()
    times, light, densities = model.generate_decays()
    apart = ours(truth, densities, times[0]) - np.array(light)
    print(f"\n{name}: light differs by {np.abs(apart).max():.1e} of its maximum")
    assert np.abs(apart).max() < 1e-3
    expected = 5000 * binned(model, said, densities, times[0])
    rng, pulls = np.random.default_rng(11), []
    names = [mine for mine, _ in free.values()]
    spent = np.zeros(2)
    for _ in range(5):
        counts = rng.poisson(expected)
        begin = time.process_time()
        series = [Transient(times[0], c, n) for c, n in zip(counts, densities, strict=True)]
        fit = fit_transients(series, names, held={m: truth[m] for m, _ in held.values()})
        spent[0] += time.process_time() - begin
        errors = np.sqrt(np.diag(fit.estimates.covariance))[: len(names)]
        real = np.log([truth[n] for n in names])
        pulls.append((np.log(fit.estimates.values[: len(names)]) - real) / errors)
        begin = time.process_time()
        found = model.fit(times, [c / c[0] for c in counts], densities)["popts"][0]
        spent[1] += time.process_time() - begin
        print("  ours", " ".join(f"{m} {v:.3e} ± {100 * e:.1f} %" for m, v, e in
                                 zip(names, fit.estimates.values, errors)),
              "| theirs", " ".join(f"{found[k] * f:.3e}" for k, (_, f) in free.items()),
              "| truth", " ".join(f"{truth[n]:.3e}" for n in names))  # fmt: skip
    print(f"  CPU {spent[0]:.2f} s, theirs {spent[1]:.2f} s")
    assert np.abs(pulls).max() < 4 and np.sqrt(np.mean(np.square(pulls))) < 1.6


def binned(model, said, densities, times):
    """Light in bins that begin at `times` over that of the first, by their solver."""
    step = times[1] - times[0]
    fine = np.arange(8 * times.size + 1) * step / 8
    light = np.array([model.calculate_fit_quantity(fine, N_0=n, **said) for n in densities])
    each = 0.5 * (light[:, 1:] + light[:, :-1])
    bins = np.maximum(each.reshape(len(densities), times.size, 8).mean(axis=2), 0)
    return bins / bins[:, :1]


def test_metrotrpl(theirs):
    """Their example of MAPbI3 after F. Staub et al. (Phys. Rev. Appl. 6, 044017 (2016),
    doi:10.1103/PhysRevApplied.6.044017) without doping, where electrons and holes are alike:
    the ambipolar limit of their model, D = μkT/q, k₁ = 1/(τₙ + τₚ), S/2, C = Cₙ + Cₚ."""
    solver = theirs("MetroTRPL", "forward_solver", unused=("numba", "nn_features"))
    said = {"n0": 1e8, "p0": 1e8, "mu_n": 20.0, "mu_p": 20.0, "ks": 4.8e-11, "Cn": 4.4e-29,
            "Cp": 4.4e-29, "Sf": 10.0, "Sb": 10.0, "tauN": 511.0, "tauP": 871.0, "eps": 10.0,
            "Tm": 300.0}  # fmt: skip
    units = np.array([1e-21, 1e-21, 1e5, 1e5, 1e12, 1e33, 1e33, 0.01, 0.01, 1, 1, 1, 1])
    fluences, absorption, thickness, nodes = (2.12e11, 1.92e12, 2.75e13), 6e4, 311.0, 64
    times, made = np.arange(0.0, 500.01, 0.05), []
    for fluence in fluences:
        dx = thickness / nodes
        grid = SimpleNamespace(
            nx=nodes, dx=dx, thickness=thickness, tSteps=times, start_time=0.0, min_y=0.0,
            final_time=times[-1], hmax=4.0, xSteps=np.linspace(dx / 2, thickness - dx / 2, nodes),
        )  # fmt: skip
        begin = np.array([fluence, absorption, 1.0])
        state, at = np.array([*said.values()]), {k: i for i, k in enumerate(said)}
        made.append(solver.solve(begin, grid, state, at, units=units, ini_mode="fluence"))
    bins = 0.5 * (np.array(made)[:, 1:] + np.array(made)[:, :-1])
    bins = bins.reshape(len(fluences), -1, 20).mean(axis=2)
    made = np.array(made) / np.array(made)[:, :1]
    share = 1 - np.exp(-absorption * thickness * 1e-7)
    densities = [fluence * share / (thickness * 1e-7) for fluence in fluences]
    truth = {"k1": 1e9 / (511 + 871), "radiative": 4.8e-11, "auger": 8.8e-29,
             "diffusion": 20 * 8.61773e-5 * 300, "front": 5.0, "back": 5.0}  # fmt: skip
    depth = Depth(thickness, absorption, nodes)
    apart = ours(truth, densities, times, depth) - made
    print(f"\nMetroTRPL: light differs by {np.abs(apart).max():.1e} of its maximum")
    assert np.abs(apart).max() < 5e-3
    rng = np.random.default_rng(12)
    counts = rng.poisson(1e4 * bins / bins[:, :1])
    series = [Transient(np.arange(500.0), c, n) for c, n in zip(counts, densities)]
    free, known = ("k1", "radiative", "auger"), ("diffusion", "front", "back")
    fit = fit_transients(series, free, held={n: truth[n] for n in known}, depth=depth)
    errors = np.sqrt(np.diag(fit.estimates.covariance))[:3]
    for name, value, error in zip(free, fit.estimates.values, errors):
        print(f"  {name} {value:.3e} ± {100 * error:.1f} %, theirs {truth[name]:.3e}")
    pulls = (np.log(fit.estimates.values[:3]) - np.log([truth[n] for n in free])) / errors
    assert np.abs(pulls).max() < 3.5 and fit.goodness_z < 4
