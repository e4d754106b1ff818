"""The bundled files in other instruments' formats give the same answers; missing and damaged files are named."""

import shutil

import numpy as np
import pytest

from peled import lineshapes
from peled import photoluminescence as pl
from peled.formats import FormatError
from peled.photoluminescence.loading import SETS


@pytest.fixture(scope="module")
def bundled(request):
    from ledger import files

    return pl.collect(files.ROOT / "data" / "photoluminescence")


def _write_other_formats(bundled, folder):
    films = bundled.get("pl_films")
    per_eV = lineshapes.to_energy(films.wavelength_nm, films.values)
    rows = [
        "\t".join(f"{v:.6f}".replace(".", ",") for v in row)
        for row in np.column_stack([per_eV.energy_eV, per_eV.signal.T])
    ]
    (folder / "pl_films.dat").write_text(
        "Energy (eV)\t" + "\t".join(films.labels) + "\n" + "\n".join(rows)
    )
    triple = bundled.get("sphere_EG")[9]
    (folder / "sphere_EG").mkdir()
    for run, letter in (("empty", "A"), ("indirect", "B"), ("direct", "C")):
        for k, band in enumerate((getattr(triple, run).laser, getattr(triple, run).emission)):
            np.savetxt(
                folder / "sphere_EG" / f"{letter}{k + 1}.txt",
                np.column_stack([band.wavelength_nm, band.counts]),
                delimiter="\t",
                fmt="%.3f",
            )
    calibration = bundled.get("sphere_calibration")
    np.savetxt(
        folder / "sphere_calibration.txt",
        np.column_stack([calibration.wavelength_nm, calibration.factor]),
    )
    decays = bundled.get("trpl_film")
    table = "\n".join("\t".join(str(int(v)) for v in row) for row in decays.counts.T)
    (folder / "trpl_film.dat").write_text(
        f"#PicoHarp 300  Histogram data\n#channels per curve\n{decays.time_ns.size}\n#ns/channel\n0.128\t0.128\t0.128\n#counts\n{table}\n"
    )
    series = bundled.get("segregation_pmma_0.006")
    lines = [
        "Data from x",
        ">>>>>Begin Spectral Data<<<<<",
        "\t\t" + "\t".join(f"{x:.2f}" for x in series.wavelength_nm),
    ]
    lines += [
        f"2021-01-01 12:{int(t // 60):02d}:{t % 60:06.3f}\t16000{int(t)}\t"
        + "\t".join(f"{v:.0f}" for v in row)
        for t, row in zip(series.time_s, series.values, strict=True)
    ]
    (folder / "segregation_pmma_0.006.txt").write_text("\n".join(lines))


def test_other_formats_give_the_same_answers(bundled, tmp_path):
    _write_other_formats(bundled, tmp_path)
    own = pl.collect(tmp_path, calibration_quantity="energy")
    assert (
        set(own.data)
        == {"pl_films", "sphere_EG", "sphere_calibration", "trpl_film", "segregation_pmma_0.006"}
        and "pl_solution" in own.missing()
    )
    for mine, theirs in zip(
        pl.measure_all(own.get("pl_films")), pl.measure_all(bundled.get("pl_films")), strict=True
    ):
        assert (
            mine.label == theirs.label
            and mine.peak_nm == pytest.approx(theirs.peak_nm, abs=0.05)
            and 0.3 < mine.peak_error_nm / theirs.peak_error_nm < 3
        )
    yields = [
        pl.quantum_yield([t], c.get("sphere_calibration"), noise=pl.Noise(60, 1)).plqy[0]
        for t, c in ((own.get("sphere_EG")[0], own), (bundled.get("sphere_EG")[9], bundled))
    ]
    assert yields[0] == pytest.approx(yields[1], abs=1e-3)
    fits, response = pl.fit_histogram(own.get("trpl_film"), ("2",), ["IRF", "neat", "E+G"])
    assert set(fits) == {"neat", "E+G"} and response is not None
    assert fits["E+G"]["2 exponentials"].lifetimes_ns[1] == pytest.approx(30, rel=0.03)
    mine, theirs = (
        pl.track(
            *pl.per_nanometre(c.get("segregation_pmma_0.006")),
            c.get("segregation_pmma_0.006").time_s,
        )
        for c in (own, bundled)
    )
    np.testing.assert_allclose(mine.fraction, theirs.fraction, atol=1e-6)


def test_names_of_curves_must_fit(bundled):
    with pytest.raises(ValueError, match="expected 3, one a curve, found 2"):
        pl.fit_histogram(bundled.get("trpl_film"), ("1",), ["neat", "E+G"])


def test_decays_without_a_response_are_fitted_from_their_maximum(bundled):
    from dataclasses import replace

    whole = bundled.get("trpl_film")
    fits, response = pl.fit_histogram(
        replace(whole, counts=whole.counts[1:], labels=whole.labels[1:], cycles=whole.cycles[1:]),
        ("2",),
    )
    assert response is None and fits["E+G"]["2 exponentials"].lifetimes_ns[1] == pytest.approx(
        30, rel=0.03
    )


def test_folders_without_or_with_doubled_files_are_named(bundled, tmp_path):
    with pytest.raises(FormatError, match="expected files named"):
        pl.collect(tmp_path)
    source = bundled.paths["pl_solution"]
    shutil.copy(source, tmp_path / "pl_solution.txt")
    shutil.copy(source, tmp_path / "pl_solution.csv")
    with pytest.raises(
        FormatError, match=r"one file for pl_solution.*pl_solution\.csv, pl_solution\.txt"
    ):
        pl.collect(tmp_path)


def test_a_damaged_file_is_named_with_its_line(bundled, tmp_path):
    lines = bundled.paths["pl_films"].read_text().splitlines()
    lines[20] = lines[20].replace(",", ",x", 1)
    (tmp_path / "pl_films.txt").write_text("\n".join(lines))
    with pytest.raises(FormatError, match=r"pl_films\.txt, line 21"):
        pl.collect(tmp_path)


def test_every_set_is_described_in_the_guide():
    from ledger import files

    guide = (files.ROOT / "data" / "photoluminescence" / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in guide for name in SETS)


def test_bundled_files_give_back_what_went_in(bundled):
    from ledger import files

    truth = pl.read_truth(files.ROOT / "data" / "photoluminescence" / "truth.csv")
    for name, file in (("neat", "sphere_neat"), ("E+G", "sphere_EG")):
        found = pl.quantum_yield(
            bundled.get(file),
            bundled.get("sphere_calibration"),
            self_absorption=(truth["self_absorption"], 0.01),
        )
        top = int(np.argmax(found.plqy))
        assert abs(found.plqy[top] - truth[f"plqy_largest_{name}"]) < 3 * found.standard_error[top]
        level = np.array([t.parameter for t in bundled.get(file)])
        fit = pl.fit_recombination(
            level * pl.generation_rate(1.0, truth[f"absorptance_{name}"], 30.0, 405.0),
            found.plqy,
            found.covariance,
            radiative=1e-10,
            detrap=2e-11,
        )
        low, high = fit.intervals["capture_rate_s"]
        assert 0.97 * low < truth[f"capture_rate_{name}"] < 1.03 * high
