"""LED analysis beside its peers, in one run: `pytest benchmarks/bench_led.py
--benchmark-group-by=group`."""

import numpy as np
import pytest

from ledger.files import ROOT
from peled.led import ceiling, photometry

NM = np.arange(380.0, 781.0)
SPECTRA = np.exp(-0.5 * ((NM[None] - np.linspace(600, 650, 1000)[:, None]) / 15) ** 2)


@pytest.mark.benchmark(group="chromaticity and luminous energy of spectra")
def test_peled_1000_spectra(benchmark):
    benchmark.extra_info["spectra"] = 1000
    benchmark(
        lambda: (photometry.luminous_energy_per_photon(NM, SPECTRA), photometry.colour(NM, SPECTRA))
    )


@pytest.mark.benchmark(group="chromaticity and luminous energy of spectra")
def test_colour_science_10_spectra(benchmark):
    colour = pytest.importorskip("colour")
    shape = colour.SpectralShape(380, 780, 1)
    benchmark.extra_info["spectra"] = 10

    def run():
        return [
            colour.XYZ_to_xy(xyz)
            for xyz in colour.msds_to_XYZ(
                colour.MultiSpectralDistributions(SPECTRA[:10].T, shape.wavelengths),
                method="Integration",
            )
        ]

    found = np.array(benchmark(run))
    ours = photometry.colour(NM, SPECTRA[:10])
    np.testing.assert_allclose(found, np.column_stack([ours.x, ours.y]), atol=3e-4)


@pytest.mark.benchmark(group="thickness scan of the full stack, 100 points")
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
def test_thickness_scan(benchmark, tolerance):
    stack = ceiling.read_stack(ROOT / "data" / "led" / "device.yaml")
    scan = stack.scale_role("hole", np.linspace(1, 90, 100))
    found = benchmark(lambda: ceiling.emission(scan, tolerance=tolerance))
    assert np.abs(found.balance).max() < 1e-3
