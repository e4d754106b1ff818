"""Single methods of structure and of separable fits against certified values and peers."""

from pathlib import Path

import numpy as np
import pytest

from peled import separable
from peled.lineshapes.bands import pseudo_voigt
from peled.separable import Sought
from peled.structure import xps

NIST = Path(__file__).parent / "nist"

# ---- separable fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [(0.009, 113, 20, 140, 20), (0.0096, 110, 25, 139, 25)])
def test_two_gaussians_on_an_exponential_to_the_certified_digits(start):
    """NIST StRD Gauss3, both starts: values, standard deviations, residual sum of squares."""
    lines = (NIST / "Gauss3.dat").read_text().splitlines()
    certified = {
        name: tuple(map(float, rest.split()[2:])) for name, rest in
        (line.strip().split(" =") for line in lines[40:48])
    }  # fmt: skip
    y, x = np.array([line.split() for line in lines[60:]], float).T

    def basis(p, derivatives):
        fall = np.exp(-p[0] * x)
        u = [(x - p[k]) / p[k + 1] for k in (1, 3)]
        bells = [np.exp(-(v**2)) for v in u]
        slopes = np.zeros((5, len(x), 3))
        slopes[0, :, 0] = -x * fall
        for k, (v, bell) in enumerate(zip(u, bells, strict=True)):
            slopes[1 + 2 * k, :, 1 + k] = 2 * v / p[2 + 2 * k] * bell
            slopes[2 + 2 * k, :, 1 + k] = 2 * v**2 / p[2 + 2 * k] * bell
        return np.column_stack([fall, *bells]), slopes

    sought = {
        name: Sought(value, step=step) for name, value, step in
        zip(("b2", "b4", "b5", "b7", "b8"), start, (1e-3, 2, 2, 2, 2), strict=True)
    }  # fmt: skip
    fit = separable.fit(basis, y, sought, ["b1", "b3", "b6"], close=1e-9)
    assert fit.estimates.converged
    for name, value, error in zip(
        fit.estimates.names, fit.estimates.values, fit.errors, strict=True
    ):
        assert value == pytest.approx(certified[name][0], rel=1e-8)
        assert error == pytest.approx(certified[name][1], rel=1e-6)
    assert fit.chi2 == pytest.approx(1.2444846360e03, rel=1e-10)


# ---- photoelectrons ------------------------------------------------------------------------------


def test_levels_on_an_exponential_tail_cover():
    """I 4d on the tail of the valence band: areas of repeated noise, and what a line would do."""
    x = np.arange(40.0, 60.0, 0.1)
    line = pseudo_voigt(x, 49.4, 1.1, 0.3, False)[0]
    line = (line + 0.69 * pseudo_voigt(x, 51.1, 1.1, 0.3, False)[0]) / 1.69
    truth = 3000 * line + 150 + 4000 * np.exp(-(x - x[0]) / 5)
    level = [xps.Doublet("I 4d", 49.4, 1.7, 0.69, 1.1)]
    pulls, rng = [], np.random.default_rng(5)
    for _ in range(120):
        fit = xps.fit_levels(x, rng.poisson(truth), level, background="exponential")
        pulls.append((fit.areas[0] - 3000) / fit.area_errors[0])
    assert 0.9 < np.mean(np.abs(pulls) < 1.96) <= 1.0
    straight = xps.fit_levels(x, truth, level, background="linear")
    assert straight.chi2_reduced > 3


def test_a_metals_line_is_that_of_doniach_and_sunjic():
    """Peer: lmfit's closed form, where the band is wide enough not to end it."""
    lineshapes = pytest.importorskip("lmfit").lineshapes
    x = np.arange(-60.0, 60.0, 0.02)
    for index in (0.05, 0.15):
        lorentz = pseudo_voigt(x, 0.0, 0.6, 1.0, False)[0]
        ours = xps.metal_tail(x, lorentz, index, band_eV=3e4)
        theirs = lineshapes.doniach(-x, 1.0, 0.0, 0.3, index)
        near = np.abs(x) < 3
        quotient = ours[near] / theirs[near]
        assert np.ptp(quotient) < 0.02 * quotient.mean()
