"""The bundled files in other instruments' formats give the same numbers; 02's checks on its
evidence."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hassan2021 import photoluminescence as study
from hassan2021.desk import Missing
from hassan2021.verdicts import photoluminescence as verdicts
from ledger import files
from peled import lineshapes
from peled import photoluminescence as pl
from peled.formats.spectra import read_spectra
from peled.formats.sphere import read_calibration, read_sphere
from peled.formats.tcspc import read_histogram
from peled.photoluminescence.analyse import analyse, sniff
from peled.photoluminescence.explore import SHOWN, explorer
from peled.samples import read_sheet

BUNDLED = files.ROOT / "data" / "photoluminescence"
KEPT = ("pl_films.txt", "sphere_EG.csv", "sphere_calibration.csv", "trpl_film.phu",
        "segregation_pmma_0.006.csv")  # fmt: skip


def analysed(folder: Path):
    return analyse(read_sheet(folder, "photoluminescence", sniff=sniff), {"laws": ("2",)})


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """Some of the bundled files with the rows of their sheet."""
    folder = tmp_path_factory.mktemp("bundled")
    for name in KEPT:
        shutil.copy(BUNDLED / name, folder)
    head, *rows = (BUNDLED / "samples.csv").read_text().splitlines()
    stems = [name.split(".")[0] for name in KEPT]
    kept = [r for r in rows if r.endswith("-8") or any(s in r for s in (*stems, "segregation_{"))]
    (folder / "samples.csv").write_text("\n".join([head, *kept]) + "\n")
    return folder


@pytest.fixture(scope="module")
def report(bundled):
    return analysed(bundled)


def _write_other_formats(folder):
    films = read_spectra(BUNDLED / "pl_films.txt")
    per_eV = lineshapes.to_energy(films.wavelength_nm, films.values)
    rows = [
        "\t".join(f"{v:.6f}".replace(".", ",") for v in row)
        for row in np.column_stack([per_eV.energy_eV, per_eV.signal.T])
    ]
    (folder / "pl_films.dat").write_text(
        "Energy (eV)\t" + "\t".join(films.labels) + "\n" + "\n".join(rows)
    )
    calibration = read_calibration(BUNDLED / "sphere_calibration.csv")
    np.savetxt(
        folder / "sphere_calibration.txt",
        np.column_stack([calibration.wavelength_nm, calibration.factor]),
    )
    decays = read_histogram(BUNDLED / "trpl_film.phu")
    table = "\n".join("\t".join(str(int(v)) for v in row) for row in decays.counts.T)
    (folder / "trpl_film.dat").write_text(
        "#PicoHarp 300  Histogram data\n#channels per curve\n"
        f"{decays.time_ns.size}\n#ns/channel\n0.128\t0.128\t0.128\n#counts\n{table}\n"
    )
    series = read_spectra(BUNDLED / "segregation_pmma_0.006.csv")
    lines = ["Data from x", ">>>>>Begin Spectral Data<<<<<",
             "\t\t" + "\t".join(f"{x:.2f}" for x in series.wavelength_nm)]  # fmt: skip
    lines += [
        f"2021-01-01 12:{int(t // 60):02d}:{t % 60:06.3f}\t16000{int(t)}\t"
        + "\t".join(f"{v:.0f}" for v in row)
        for t, row in zip(series.time_s, series.values, strict=True)
    ]
    (folder / "segregation_pmma_0.006.txt").write_text("\n".join(lines))
    (folder / "samples.csv").write_text(
        "sample,measurement,file,part,role,state,repetition_MHz,pulses,excitation_nm\n"
        "{sample},pl,pl_films.dat,{sample},,film,,,405\n"
        ",trpl,trpl_film.dat,curve 1,irf,film,,,\nneat,trpl,trpl_film.dat,curve 2,,film,2,1.5e7,\n"
        "E+G,trpl,trpl_film.dat,curve 3,,film,2,1.5e7,\n"
        "pmma_0.006,pl_series,segregation_pmma_0.006.txt,,,,,,405\n"
    )


def test_other_formats_give_the_same_numbers(report, tmp_path):
    _write_other_formats(tmp_path)
    own = analysed(tmp_path)
    compared = 0
    for q in own.quantities:
        (other,) = report.select(sample=q.sample, name=q.name, state=q.state)
        # Spectra per eV have lost their counting statistics: areas have another scale.
        if q.name != "PL area" and q.value is not None:
            assert abs(q.value - other.value) < 0.5 * other.standard_error, q.name
            assert 0.3 < q.standard_error / other.standard_error < 3, q.name
            compared += 1
    assert compared > 20


def test_bundled_files_give_back_what_went_in(report):
    truth = pl.read_truth(BUNDLED / "truth.csv")
    yields = [q for q in report.select(sample="E+G") if q.name.startswith("PLQY")]
    top = max(yields, key=lambda q: q.value)
    assert abs(top.value - truth["plqy_largest_E+G"]) < 3 * top.standard_error
    (mean,) = report.select(sample="E+G", name="lifetime, amplitude-weighted")
    assert abs(mean.value - truth["mean_lifetime_film_E+G"]) < 3 * mean.standard_error
    triples = read_sphere(BUNDLED / "sphere_EG.csv")
    found = pl.quantum_yield(
        triples,
        read_calibration(BUNDLED / "sphere_calibration.csv"),
        self_absorption=(truth["self_absorption"], 0.01),
    )
    level = np.array([t.parameter for t in triples])
    fit = pl.fit_recombination(
        level * pl.generation_rate(1.0, truth["absorptance_E+G"], 30.0, 405.0),
        found.plqy, found.covariance, radiative=1e-10, detrap=2e-11,
    )  # fmt: skip
    low, high = fit.intervals["capture_rate_s"]
    assert 0.97 * low < truth["capture_rate_E+G"] < 1.03 * high


def test_checks_of_the_notebook_say_what_the_folder_lacks(bundled, report):
    film = study.Film(1.82, 1.5, 0.02, 30.0, 0.7)
    sheet = read_sheet(bundled, "photoluminescence", sniff=sniff)
    e = study.Evidence(sheet, report, bundled, film, (0.44, 0.11), quick=True)
    found, missing = {}, {}
    for check in verdicts.claims:
        try:
            found[check.claim, check.route] = check.find(e)
        except Missing as reason:
            missing[check.claim, check.route] = str(reason)
    assert found["C013", "peak per nm"]["found"] == pytest.approx(625, abs=0.5)
    assert found["C042", "dilute film"]["holds"]
    # Nothing of the solution, of half devices or of the neat film's yield lies in this folder.
    assert {"C012", "C252", "C024", "C254", "C246"} <= {claim for claim, _ in missing}
    assert all("folder" in missing[k] for k in missing if k[0] in ("C012", "C252", "C024", "C254"))


def test_a_column_for_self_absorption_needs_its_error(bundled, tmp_path):
    for name in ("sphere_EG.csv", "sphere_calibration.csv"):
        shutil.copy(bundled / name, tmp_path)
    sheet = "sample,measurement,file,role,self_absorption\nf,plqy,sphere_EG.csv,,0.06\n"
    (tmp_path / "samples.csv").write_text(sheet + ",plqy,sphere_calibration.csv,gain,\n")
    report = analysed(tmp_path)
    assert any("self_absorption_error" in p.reason for p in report.problems)


# ---- what a person is told -----------------------------------------------------------------------


def _band(path: Path, noise: float, head: str = "Wavelength (nm)") -> None:
    x = np.arange(500.0, 800.0, 0.5)
    band = 50 + 1000 / (1 + ((x - 650) / 15) ** 2)
    y = band + noise * np.random.default_rng(3).normal(size=x.size)
    np.savetxt(path, np.column_stack([x, y]), header=f"{head}\tPL (counts)", delimiter="\t",
               comments="")  # fmt: skip


def test_an_axis_whose_head_names_another_unit_is_read_as_the_sheet_says(tmp_path):
    _band(tmp_path / "film.txt", 4.0, "Energy (eV)")
    sheet = read_sheet(tmp_path, "photoluminescence", sniff=sniff)
    (problem,) = analyse(sheet).problems
    assert [row.sample for row in sheet] == ["film"]
    assert "500 to 799.5, which fit nm" in str(problem) and "spectral_unit" in str(problem)
    (tmp_path / "samples.csv").write_text(
        "sample,measurement,file,spectral_unit\nfilm,pl,film.txt,nm\n"
    )
    (peak,) = analysed(tmp_path).select(name="PL peak")
    assert peak.value == pytest.approx(650, abs=2 * peak.standard_error)


def test_of_a_calculated_curve_that_alone_is_said(tmp_path):
    """Its wings are no line, and no noise of any colour."""
    _band(tmp_path / "film.txt", 0.0)
    for q in analysed(tmp_path).quantities:
        assert q.status == "withheld" and "no noise of their own" in q.reasons
        assert "1/f" not in q.reasons and "scatter" not in q.reasons


def test_the_picture_says_reasons_whole_and_once(tmp_path):
    _band(tmp_path / "film.txt", 4.0)
    sheet = read_sheet(tmp_path, "photoluminescence", sniff=sniff)
    window = explorer(sheet, analyse(sheet))
    window.choose(emission_band_nm=(649.0, 651.0))
    said = " ".join(window.said.get_text().split())
    settings = {"emission_band_nm": (649.0, 651.0)}
    rows = tuple(replace(row, settings=settings) for row in sheet.rows)
    told = [q for q in analyse(replace(sheet, rows=rows)).quantities if q.name in SHOWN]
    reasons = {str(finding) for q in told for finding in q.findings}
    assert all(q.value is None for q in told) and sum(map(len, reasons)) > 4 * 90
    assert all(said.count(one) == 1 for one in reasons)
