"""NMR against its peers on the same data in the same run, in CPU seconds: automatic phasing
(nmrglue ACME), a multiplet fit (lmfit)."""

import time

import numpy as np
import pytest
from lmfit.models import LinearModel, LorentzianModel
from nmrglue.process import proc_autophase

from ledger.files import ROOT
from peled import nmr
from peled.formats.nmr import read

FOLDER = ROOT / "data" / "nmr" / "1h_dmso" / "GL_0.00"


@pytest.fixture(scope="module")
def spectrum():
    return nmr.process(read(FOLDER), line_broadening_Hz=0.3)


@pytest.mark.benchmark(group="automatic phase", timer=time.process_time)
def test_automatic_phase(benchmark, against, cpu, spectrum):
    """16 k points; ACME of nmrglue from the same spectrum."""
    found = benchmark(nmr.autophase, spectrum)
    assert found.accepted
    values = spectrum.values

    def peer():
        proc_autophase.autops(values.copy(), "acme", disp=False)

    against("nmrglue ACME", cpu(peer, rounds=2), least=20)


@pytest.mark.benchmark(group="automatic phase", timer=time.process_time)
def test_automatic_phase_of_64k_points(benchmark):
    long = nmr.process(read(FOLDER), line_broadening_Hz=0.3, zero_fill=3)
    assert benchmark(nmr.autophase, long).accepted
    assert benchmark.stats is None or benchmark.stats.stats.min < 0.1


@pytest.mark.benchmark(group="multiplet fit", timer=time.process_time)
def test_multiplet(benchmark, against, cpu, spectrum):
    """A doublet over a slope; two tied Lorentzians of lmfit from the same start to the same
    minimum."""
    found = nmr.autophase(spectrum)
    turned = nmr.apply_phase(spectrum, nmr.Phase(found.p0_deg, found.p1_deg))
    line = nmr.Component("NH", 8.28, 2.5, couplings_Hz=(8.0,), partners=(1,))
    fit = benchmark(nmr.fit_lines, turned, (8.2, 8.36), [line])
    part = turned.window(8.2, 8.36)
    x, y = (turned.ppm[part] - 8.28) * turned.reference_MHz, turned.real[part]
    model = LorentzianModel(prefix="a_") + LorentzianModel(prefix="b_") + LinearModel()
    start = model.make_params(a_center=-4, b_center=4, a_sigma=1.4, slope=0, intercept=0)
    start["a_amplitude"].set(4 * y.max())
    for shared in ("sigma", "amplitude"):
        start[f"b_{shared}"].set(expr=f"a_{shared}")
    found = []

    def peer():
        found.append(model.fit(y, start, x=x))

    against("lmfit", cpu(peer), least=5)
    assert fit.converged and fit.fit.chi2 == pytest.approx(found[0].chisqr, rel=1e-4)


@pytest.mark.benchmark(group="spin system of 8")
def test_transitions_of_eight_spins(benchmark):
    j = np.triu(np.full((8, 8), 6.0), 1)
    found = benchmark(nmr.transitions, np.linspace(1, 3, 8), j, 400.0)
    assert found.intensity.sum() == pytest.approx(8, rel=1e-2)
