"""Energetics beside its peers, in one run: `pytest benchmarks/bench_energetics.py
--benchmark-group-by=group`."""

import numpy as np
import pytest

from hassan2021.simulate import energetics as crystals
from ledger.files import ROOT
from peled.energetics import pairs_per_crystal
from peled.formats.atomistic import read_calculation

OUTPUT = ROOT / "tests/atomistic/pw_relax.out"
ENERGIES = np.linspace(0.02, 0.9, 40)


@pytest.mark.benchmark(group="energy and atoms of a pw.x output")
def test_peled_reads_an_output(benchmark):
    assert benchmark(read_calculation, OUTPUT).scf_converged


@pytest.mark.benchmark(group="energy and atoms of a pw.x output")
def test_ase_reads_an_output(benchmark):
    io = pytest.importorskip("ase.io")
    found = benchmark(lambda: io.read(OUTPUT, format="espresso-out"))
    assert found.get_potential_energy() == pytest.approx(
        read_calculation(OUTPUT).energy_eV, abs=0.02
    )  # ASE converts with older constants


@pytest.mark.benchmark(group="pairs in a crystal of 1000 sites at 40 energies")
def test_closed_form(benchmark):
    benchmark(pairs_per_crystal, ENERGIES, 1000)


@pytest.mark.benchmark(group="pairs in a crystal of 1000 sites at 40 energies")
def test_counting_states(benchmark):
    benchmark(
        lambda: [crystals.pair_distribution(e, 1000, 1000) @ np.arange(1001) for e in ENERGIES]
    )
