"""What is in each file of `formats`, and what readers once got wrong: heads, blocks, gaps,
errors."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from peled.files import display_path
from peled.formats import FormatError
from peled.formats.confocal import read_stack
from peled.formats.delimited import split_unit
from peled.formats.diffraction import read_patterns
from peled.formats.images import read_image
from peled.formats.infrared import read_infrared
from peled.formats.nmr import read_jcamp, read_ppm_table
from peled.formats.spectra import read_each, read_spectra
from peled.formats.sphere import read_calibration, read_sphere
from peled.formats.sweeps import read_sweeps
from peled.formats.tas import read_tas
from peled.formats.tcspc import read_histogram, read_histograms

FILES = Path(__file__).parent / "formats"


def rows(*columns, sep=","):
    cells = (
        [c if isinstance(c, str) else f"{c:g}" for c in row] for row in zip(*columns, strict=True)
    )
    return "\n".join(map(sep.join, cells)) + "\n"


# ---- one file an instrument ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "side", "pixel_nm"),
    [("tem.dm3", 20, 0.5), ("tem.dm4", 20, 0.5), ("tem.ser", 20, 0.5), ("tem.img", 18, 17.5)],
)
def test_micrographs_and_their_pixels(name, side, pixel_nm):
    pixels = np.random.default_rng(17).integers(0, 255, (18, 20)).astype(np.uint8)
    found = read_image(FILES / name)
    assert np.array_equal(found.pixels, pixels[:, :side])
    assert found.pixel_nm == pytest.approx(pixel_nm)


def test_decays_of_a_timeharp_and_of_a_data_frame():
    bins, frame = (
        read_histogram(FILES / f"trpl_{name}") for name in ("timeharp.dat", "data_frame.csv")
    )
    for found in (bins, frame):
        assert found.bin_ns == pytest.approx(0.5) and not found.asks
    np.testing.assert_array_equal(frame.counts, bins.counts)
    np.testing.assert_allclose(frame.time_ns, bins.time_ns)
    assert frame.left_out == ("column 1",)  # the index, which is no axis and no decay


def test_gaps_in_an_index_and_a_last_channel_that_is_gone(tmp_path):
    whole = (FILES / "trpl_data_frame.csv").read_text()
    for gap in ("\n\t4500.0", "\nnan\t4500.0"):
        (tmp_path / "a.csv").write_text(whole.replace("\n9\t4500.0", gap))
        found = read_histogram(tmp_path / "a.csv")
        np.testing.assert_array_equal(
            found.counts, read_histogram(FILES / "trpl_data_frame.csv").counts
        )
    lines = (FILES / "trpl_timeharp.dat").read_text().split("\n")
    (tmp_path / "a.dat").write_text("\n".join([*lines[:-2], "\t", ""]))
    with pytest.raises(FormatError, match="line 3: expected 64 channels, to line 74, found 63"):
        read_histogram(tmp_path / "a.dat")
    head = lines.index("#counts") + 1
    (tmp_path / "a.dat").write_text("\n".join([*lines[:head], "", *lines[head + 1 :]]))
    with pytest.raises(FormatError, match=f"line {head + 1}: expected counts, found none"):
        read_histogram(tmp_path / "a.dat")


def test_topspin_writes_limits_and_intensities_alone(tmp_path):
    found = read_ppm_table(FILES / "nmr_topspin_totxt.txt")
    assert (found.ppm[0], found.ppm[-1], found.ppm.size) == (0.0, 10.0, 60)
    assert abs(found.ppm[np.argmax(found.intensity)] - 4.0) < 0.2
    text = (FILES / "nmr_topspin_totxt.txt").read_text()
    for old, new in (("SIZE = 60", "SIZE = 61"), ("LEFT = 10.0", "LEFT = 1O.0")):
        (tmp_path / "a.txt").write_text(text.replace(old, new))
        with pytest.raises(FormatError, match="limits in ppm and SIZE = 60"):
            read_ppm_table(tmp_path / "a.txt")


def test_a_current_density_a_pixel_beside_one_voltage():
    sweeps = read_sweeps(FILES / "jv_pixels.txt")
    assert [s.label for s in sweeps] == ["a_rev", "a_for", "b_rev"]
    assert {(s.direction, s.area_cm2) for s in sweeps} == {("down", 0.16)}
    first, second, _ = (s.current_density_mA_cm2 for s in sweeps)
    np.testing.assert_allclose(second, 1.1 * first, rtol=1e-5)


def test_a_unit_within_a_head_is_one():
    assert split_unit("Voltage (V)_a_Forward") == ("Voltage_a_Forward", "V")
    assert split_unit("Sample (old) third") == ("Sample (old) third", "")


def test_flux_per_nanometre_is_no_wavelength():
    (found,) = read_each(FILES / "pl_luqy.txt")
    assert len(found) == 2 and found.x_unit == "nm" and found.x[0] == 550.0
    assert abs(found.x[np.argmax(found.values[0])] - 760) < 8


def test_a_name_padded_with_zeros_is_text():
    found = read_spectra(FILES / "absorption_avantes.ttt")
    assert found.value_unit == "transmittance_percent" and found.x[-1] == 398.0


@pytest.mark.parametrize("head", ["Photocurrent (A)", "Radiance (W/sr/m2)", "EQE (%)"])
def test_what_a_keithley_writes_for_no_reading_is_a_gap(tmp_path, head):
    path = tmp_path / "a.csv"
    lines = [f"{0.1 * i:.1f},{i * i},{9.91e37 if i == 3 else i}" for i in range(6)]
    path.write_text(f"Voltage (V),J (mA/cm2),{head}\n" + "\n".join(lines))
    (found,) = read_sweeps(path)
    values = next(
        v
        for v in (found.photocurrent_A, found.radiance_W_sr_m2, found.reported_eqe)
        if v is not None
    )
    assert np.isnan(values[3]) and np.isfinite(np.delete(values, 3)).all()


def test_infrared_and_diffraction_files_of_other_programs():
    (opus,), group = read_infrared(FILES / "ftir.0"), read_infrared(FILES / "ftir.spg")
    assert (opus.label, opus.quantity) == ("film", "absorbance")
    np.testing.assert_allclose(group[0].values, opus.values, atol=1e-6)
    np.testing.assert_allclose(group[1].values, 2 * opus.values, atol=1e-6)
    pairs, counts = (read_patterns(FILES / f"xrd{n}.uxd")[0] for n in ("", "_counts"))
    np.testing.assert_allclose(pairs.two_theta_deg, counts.two_theta_deg, atol=1e-3)
    np.testing.assert_array_equal(pairs.intensity, counts.intensity)
    first, second = read_patterns(FILES / "xrd.rasx")
    np.testing.assert_array_equal(second.intensity, first.intensity + 1)
    (xye,) = read_patterns(FILES / "xrd.xye")
    np.testing.assert_allclose(xye.sigma, np.sqrt(xye.intensity), atol=1e-3)
    assert xye.wavelengths_A[0] == pytest.approx(1.54059, abs=1e-5)


def test_series_of_spectra_in_four_dialects():
    view, spec = (read_spectra(FILES / f"pl_series_{n}.txt") for n in ("oceanview", "labspec"))
    np.testing.assert_array_equal(view.values, spec.values)
    np.testing.assert_array_equal(view.time_s, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(spec.time_s, [0, 1, 2.5, 5, 10])
    long = read_spectra(FILES / "pl_long.csv")
    assert long.labels == ("neat", "EG")
    np.testing.assert_array_equal(long.values[1], view.values[2])
    (jdx,) = read_each(FILES / "pl_decimal_comma.jdx")
    assert jdx.x[np.argmax(jdx.values[0])] == 550 and jdx.values.max() == 1030
    fid = read_jcamp(FILES / "nmr_ntuples.dx")
    assert fid.spectral_width_Hz == pytest.approx(1e4) and fid.data[0, 0] == 1000


def test_one_map_in_four_dialects():
    lvm, tim, gaps, three = (
        read_tas(FILES / name)
        for name in ("ta.lvm", "ta_tim.ascii", "ta_gaps.csv", "ta_three_files")
    )
    assert (tim.signal_unit, gaps.signal_unit, lvm.asks) == ("mOD", "mOD", ("signal_unit",))
    for other in (1e3 * tim.signal, three.signal):
        np.testing.assert_allclose(other, lvm.signal, atol=1e-9)
    assert np.argwhere(gaps.mask).tolist() == [[3, 4], [7, 7]] and gaps.missing == 2
    np.testing.assert_allclose(1e3 * gaps.signal[~gaps.mask], lvm.signal[~gaps.mask])


def test_runs_of_a_sphere_in_a_folder_and_beside_their_axes(tmp_path):
    (folder,), (table,) = (
        read_sphere(FILES / name) for name in ("sphere_folder", "sphere_three_axes.csv")
    )
    np.testing.assert_allclose(table.direct.laser.counts, folder.direct.laser.counts, atol=20)
    for run in ("empty", "indirect", "direct"):
        text = (FILES / "sphere_folder" / f"{run}.txt").read_text()
        (tmp_path / f"{run}.txt").write_text(text if run != "direct" else text.rsplit("\n", 2)[0])
    with pytest.raises(FormatError, match=r"direct\.txt.*wavelengths of 'empty' \(65 points"):
        read_sphere(tmp_path)


# ---- heads ---------------------------------------------------------------------------------------


def test_decays_keep_their_heads_and_errors_are_no_decays(tmp_path):
    irf, decay = read_histograms(FILES / "trpl_two_axes.csv")
    assert (irf.labels, decay.labels, decay.left_out) == (("irf",), ("decay",), ("sigma",))
    t = 0.1 * np.arange(64)
    counts = np.round(900 * np.exp(-t / 2) + 3)
    path = tmp_path / "film.csv"
    path.write_text(rows(t, counts, np.sqrt(counts)))
    found = read_histogram(path)
    assert found.labels == ("film",) and found.left_out == ("column 3",)
    path.write_text("time (ns),decay,decay\n" + rows(t, counts, counts))
    assert read_histogram(path).labels == ("film 1", "film 2")


@pytest.mark.parametrize("word", ["", "nan"])
def test_a_gap_among_the_errors_of_a_decay_is_named(tmp_path, word):
    text = (FILES / "trpl_two_axes.csv").read_text()
    assert ",832,28.844" in text
    (tmp_path / "a.csv").write_text(text.replace(",832,28.844", f",832,{word}"))
    with pytest.raises(FormatError, match="line 3, column 5"):
        read_histograms(tmp_path / "a.csv")


def test_runs_named_on_and_off_at_several_powers(tmp_path):
    x = np.arange(390, 720, 4.0)
    laser, band = 1e5 * np.exp(-(((x - 405) / 4) ** 2)), 2e3 * np.exp(-(((x - 640) / 18) ** 2))
    runs = [laser, 0.9 * laser + 0.1 * band, 0.5 * laser + 0.5 * band]
    path = tmp_path / "power.csv"
    head = "Wavelength (nm),empty,off 1 mW/cm2,on 1 mW/cm2,off 10 mW/cm2,on 10 mW/cm2\n"
    path.write_text(head + rows(x, *runs, *runs[1:]))
    assert [(t.parameter, t.parameter_unit) for t in read_sphere(path)] == [
        (1, "mW/cm2"),
        (10, "mW/cm2"),
    ]


def test_two_bands_in_one_table_the_laser_s_being_shorter(tmp_path):
    """The commonest row has no cell in the first column, which is an axis all the same."""
    laser, band = np.arange(395, 421, 1.0), np.arange(560, 700, 1.5)
    cells = []
    for i in range(band.size):
        row = []
        for k in (1.0, 0.9, 0.5):
            near = i < laser.size
            row += (
                [f"{laser[i]:g}", f"{9e4 * k * np.exp(-(((laser[i] - 408) / 3) ** 2)):.0f}"]
                if near
                else ["", ""]
            )
        for k in (0.1, 0.5):
            row += [f"{band[i]:g}", f"{2e3 * k * np.exp(-(((band[i] - 640) / 18) ** 2)):.0f}"]
        cells.append(",".join(row))
    names = ("empty laser", "indirect laser", "direct laser", "indirect band", "direct band")
    path = tmp_path / "two.csv"
    path.write_text(",".join(f"Wavelength (nm),{n}" for n in names) + "\n" + "\n".join(cells))
    (found,) = read_sphere(path)
    assert found.empty.emission is None and found.direct.laser.counts.size == laser.size
    assert found.direct.emission.counts.max() == pytest.approx(1000, rel=0.01)


# ---- places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_each, read_histogram])
def test_a_second_block_is_named_and_not_the_first(tmp_path, read):
    x = np.arange(400, 430.0)
    path = tmp_path / "two.csv"
    first, head = rows(x, x), "wavelength,a,b\n" if read is read_each else "time (ns),a,b\n"
    path.write_text(head.replace(",b", "") + first + "\n" + head + rows(x, x, x))
    with pytest.raises(FormatError, match=r"line 34: .*second one, of 3 columns after 2"):
        read(path)


def test_a_gap_in_an_axis_of_a_map_names_its_line(tmp_path):
    for name, old, new, place in (
        ("ta_gaps.csv", "\n5,", "\nNaN,", "line 11"),
        ("ta_gaps.csv", ",450,", ",NaN,", "line 2"),
        ("ta_explicit.ascii", "\n500\t", "\nnan\t", "line 6"),
    ):
        path = tmp_path / name
        text = (FILES / name).read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(FormatError, match=rf"{name}, {place}\b"):
            read_tas(path)


def test_a_number_that_is_none_in_the_first_row_of_a_table_with_words(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text((FILES / "pl_long.csv").read_text().replace("neat,500,30", "neat,5O0,30"))
    with pytest.raises(FormatError, match=r"line 2, column 2: .*'5O0'"):
        read_spectra(path)


def test_numbered_folders_are_shown_with_the_one_that_has_a_name():
    assert display_path("/somewhere/else/film/10/pdata/1/procs") == "film/10/pdata/1/procs"
    assert display_path("/somewhere/else/film/a.txt") == "film/a.txt"


# ---- what is not known ---------------------------------------------------------------------------


def test_the_error_of_a_calibration_is_unknown_and_not_0(tmp_path):
    text = (FILES / "sphere_calibration.csv").read_text()
    assert read_calibration(FILES / "sphere_calibration.csv").relative_error == 0.015
    path = tmp_path / "calibration.csv"
    path.write_text(re.sub(r"(?im)^.*relative error.*\n", "", text))
    assert read_calibration(path).relative_error is None
    path.write_text(text.replace("0.015", "0"))
    with pytest.raises(FormatError, match=r"relative error.*above 0"):
        read_calibration(path)


def test_keys_that_only_speak_of_frequencies_are_no_frequency(tmp_path):
    path = tmp_path / "nmr.txt"
    table = rows(10 - 0.1 * np.arange(40), np.arange(40) % 7, sep="\t")
    path.write_text(f"Frequency axis: reversed\nfrequency: 400.13 MHz\nppm\tintensity\n{table}")
    assert read_ppm_table(path).reference_MHz == 400.13


def test_a_print_resolution_is_no_pixel_of_a_microscope(tmp_path):
    frames, path = np.ones((2, 30, 40), np.uint8), tmp_path / "a.tif"
    for per_inch, size in ((72, None), (25.4e3 / 0.1, 0.1)):
        tifffile.imwrite(
            path, frames, resolution=(per_inch, per_inch), resolutionunit="INCH", metadata=None
        )
        found = read_stack(path).pixel_um
        assert found is None if size is None else found == pytest.approx(size, rel=1e-3)
