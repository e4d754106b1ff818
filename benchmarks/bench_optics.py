"""Dipole emission and plane waves: a sweep over angle, one LED stack, a scan of 100 thicknesses;
tmm as the peer.

Run: pytest benchmarks/bench_optics.py.
"""

import time

import numpy as np
import pytest

from peled.optics import dipole_emission, film_escape, multilayer, power_spectrum

INDICES = [
    1.522,
    1.795 + 0.0032j,
    1.505 + 0.0123j,
    1.68,
    1.68,
    1.82,
    1.70,
    1.3915,
    1.366 + 7.406j,
    1.0,
]
THICKNESS = [150.0, 16.0, 7.0, 7.0, 20.0, 70.0, 1.0, 80.0]


def test_sweep_of_2000_angles_of_a_film_on_glass(benchmark):
    effective = np.linspace(0.0005, 1.82 * 1.5, 2000)
    benchmark(power_spectrum, [1.5, 1.82, 1.0], [30.0], 1, 620.0, effective)


def test_sweep_of_2000_angles_of_the_led(benchmark):
    benchmark(power_spectrum, INDICES, THICKNESS, 5, 620.0, np.linspace(0.0005, 1.82 * 1.5, 2000))


def test_channels_of_one_led(benchmark):
    found = benchmark(dipole_emission, INDICES, THICKNESS, 5, 620.0, outside=1.0)
    assert abs(found.balance) < 1e-3


def test_channels_of_one_led_with_absorption_by_layer(benchmark):
    found = benchmark(dipole_emission, INDICES, THICKNESS, 5, 620.0, outside=1.0, layers=True)
    assert abs(found.balance) < 1e-3


def test_scan_of_100_thicknesses(benchmark):
    scan = [*THICKNESS[:5], np.linspace(20, 120, 100), *THICKNESS[6:]]
    found = benchmark(dipole_emission, INDICES, scan, 5, 620.0, outside=1.0)
    assert np.abs(found.balance).max() < 1e-3


def test_rays_of_a_film(benchmark):
    benchmark(film_escape, 1.82, 1.0, 1.5, 0.02)


def test_plane_waves_against_tmm(benchmark, against):
    tmm = pytest.importorskip("tmm")
    angles = np.linspace(0, 1.5, 200)
    indices, thickness = [INDICES[0].real, *INDICES[1:]], [np.inf, *THICKNESS, np.inf]
    ours = benchmark(multilayer, indices, THICKNESS, 620.0, angles, "p")
    begin = time.perf_counter()
    theirs = [tmm.coh_tmm("p", indices, thickness, angle, 620.0)["R"] for angle in angles]
    loop = time.perf_counter() - begin
    np.testing.assert_allclose(ours.R, theirs, atol=1e-10)
    against("tmm.coh_tmm", loop)
