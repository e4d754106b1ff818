"""Perturbed free induction of several mid-infrared lines: recovery from sets convolved by
quadrature, and a response that the delays do not resolve."""

from dataclasses import replace

import numpy as np
import pytest

from peled.samples import read_sheet
from peled.transient_absorption import Model, analyse, global_fit, matrix
from peled.transient_absorption.terms import CM_PER_PS
from writers import write_matrix

WAVENUMBER = np.linspace(1970.0, 2070.0, 32)
FINE = np.r_[np.arange(-6, 2, 0.1), np.geomspace(2, 200, 30)]
COARSE = np.r_[np.arange(-10, 2, 0.5), np.geomspace(2, 200, 25)]
LINES = ((2010.0, 1.8, 1e-2, 6.0), (2035.0, 1.1, 7e-3, 9.0))  # 1/cm, ps, OD, 1/cm
START = ((2008.0, 1.2), (2038.0, 1.2))
SIGMA = 1e-4


def clean(delays, fwhm=0.15, lifetime=20.0):
    """Bands that decay, and before zero time the beats of each line, through the response."""
    s = fwhm / 2.3548200450309493
    grid = np.linspace(-6 * s, 6 * s, 600)
    weight = np.exp(-0.5 * (grid / s) ** 2)
    y = np.zeros((len(delays), len(WAVENUMBER)))
    for line, dephasing, size, width in LINES:
        off = WAVENUMBER - line
        shape = size / (1 + (off / width) ** 2)
        for at, w in zip(grid, weight / weight.sum(), strict=True):
            t = (delays - at)[:, None]
            early, late = np.minimum(t, 0.0), np.maximum(t, 0.0)
            beats = -0.6 * np.exp(early / dephasing) * np.cos(2 * np.pi * CM_PER_PS * off * early)
            y += w * np.where(t < 0, beats, np.exp(-late / lifetime)) * shape
    return y[:, ::-1]  # by rising wavelength


def noisy(y, delays, seed):
    rng = np.random.default_rng(seed)
    return matrix(delays, 1e7 / WAVENUMBER[::-1], y + SIGMA * rng.standard_normal(y.shape))


@pytest.mark.parametrize("delays", [FINE, COARSE], ids=["fine", "coarse"])
def test_two_lines_are_recovered_with_honest_errors(delays):
    y, model = clean(delays), Model((15.0,), fwhm_ps=0.12, free_induction=START)
    true = {"tau_1": 20.0, "line_1": 2010.0, "line_2": 2035.0}
    true |= {"dephasing_1": 1.8, "dephasing_2": 1.1}
    off = []
    for seed in range(10):
        fit = global_fit(noisy(y, delays, seed), model, starts=1)
        assert fit.converged
        off.append([(fit[n].value - v) / fit[n].standard_error for n, v in true.items()])
    assert np.abs(off).max() < 5 and np.sqrt(np.mean(np.square(off))) < 1.4


def test_a_width_that_the_delays_do_not_resolve_is_held_and_said():
    """Half a picosecond between delays: a width of 0.15 ps was quoted as 0.44 ± 0.04 ps."""
    y, model = clean(COARSE), Model((15.0,), fwhm_ps=0.12, free_induction=START)
    for seed in range(6):
        fit = global_fit(noisy(y, COARSE, seed), model, starts=0)
        assert "fwhm" not in fit.free and any("not resolved" in flag for flag in fit.flags)
    resolved = global_fit(noisy(clean(FINE), FINE, 0), model, starts=0)
    assert abs(resolved["fwhm"].value - 0.15) < 4 * resolved["fwhm"].standard_error < 0.02
    wide = global_fit(noisy(clean(COARSE, fwhm=1.2), COARSE, 0), replace(model, fwhm_ps=1.0))
    assert abs(wide["fwhm"].value - 1.2) < 4 * wide["fwhm"].standard_error < 0.3


def test_lines_in_a_folder_with_settings_as_they_come(tmp_path):
    """A dispersion fitted over a window so narrow in 1/λ that its coefficients are thousands: the
    search took steps of two of them, and did not end."""
    m = noisy(clean(FINE), FINE, 0)
    write_matrix(tmp_path / "a.csv", m.delay_ps, m.wavelength_nm, m.signal, digits=7)
    sheet = "sample,measurement,file,signal_unit\nfilm,ta,a.csv,OD\n"
    (tmp_path / "samples.csv").write_text(sheet)
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    report = analyse.analyse(sheet, {"free_induction": START})
    found = {q.name: q for q in report.quantities}
    assert abs(found["line 1"].value - 2010) < 4 * found["line 1"].standard_error < 1
    assert abs(found["dephasing 2"].value - 1.1) < 4 * found["dephasing 2"].standard_error < 0.3
    assert abs(found["lifetime 1"].value - 20) < 4 * found["lifetime 1"].standard_error < 2
    assert found["response FWHM"].value is None  # the artefact's derivatives are changes of it
