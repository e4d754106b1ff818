"""NMR against its peers, in one run: automatic phasing (nmrglue ACME), a multiplet fit (lmfit)."""

import numpy as np
import pytest

from ledger.files import ROOT
from peled import nmr
from peled.formats.nmr import read

FOLDER = ROOT / "data" / "nmr" / "1h_dmso" / "GL_0.00"


@pytest.fixture(scope="module")
def spectrum():
    return nmr.process(read(FOLDER), line_broadening_Hz=0.3)


@pytest.mark.benchmark(group="automatic phase")
def test_phase_peled(benchmark, spectrum):
    found = benchmark(nmr.autophase, spectrum)
    assert found.accepted


@pytest.mark.benchmark(group="automatic phase")
def test_phase_nmrglue(benchmark, spectrum):
    nmrglue = pytest.importorskip("nmrglue")
    benchmark.pedantic(
        nmrglue.process.proc_autophase.autops,
        args=(spectrum.values.copy(), "acme"),
        kwargs={"disp": False},
        rounds=2,
    )


@pytest.mark.benchmark(group="multiplet fit")
def test_fit_peled(benchmark, spectrum):
    line = nmr.Component("NH", 8.28, 2.5, couplings_Hz=(8.0,), partners=(1,))
    referenced = spectrum.shifted(0.0)
    fit = benchmark(
        nmr.fit_lines, nmr.apply_phase(referenced, nmr.autophase(referenced)), (8.2, 8.36), [line]
    )
    assert fit.converged


@pytest.mark.benchmark(group="multiplet fit")
def test_fit_lmfit(benchmark, spectrum):
    lmfit = pytest.importorskip("lmfit")
    turned = nmr.apply_phase(spectrum, nmr.autophase(spectrum))
    part = turned.window(8.2, 8.36)
    x, y = (turned.ppm[part] - 8.28) * 400.13, turned.real[part]
    model = (
        lmfit.models.LorentzianModel(prefix="a_")
        + lmfit.models.LorentzianModel(prefix="b_")
        + lmfit.models.LinearModel()
    )
    start = model.make_params(
        a_center=-4,
        b_center=4,
        a_sigma=1.4,
        b_sigma=1.4,
        a_amplitude=y.max() * 4,
        b_amplitude=y.max() * 4,
        slope=0,
        intercept=0,
    )
    result = benchmark(model.fit, y, start, x=x)
    assert np.isfinite(result.chisqr)


@pytest.mark.benchmark(group="spin system of 8")
def test_transitions_of_eight_spins(benchmark):
    j = np.triu(np.full((8, 8), 6.0), 1)
    found = benchmark(nmr.transitions, np.linspace(1, 3, 8), j, 400.0)
    assert found.intensity.sum() == pytest.approx(8, rel=1e-2)
