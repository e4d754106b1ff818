"""Spectra in the layouts of instruments, and what a damaged file is told."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peled.formats import FormatError
from peled.formats.confocal import read_stack
from peled.formats.spectra import HC_EV_NM, choose, read_each, read_spectra

W = np.arange(500.0, 700.0, 4.0)
Y = np.round(1000 * np.exp(-((W - 620) ** 2) / 800) + 3, 2)


def _columns(*columns, delimiter=",", form="{:.4f}"):
    return (
        "\n".join(delimiter.join(form.format(v) for v in row) for row in zip(*columns, strict=True))
        + "\n"
    )


LAYOUTS = {
    "plain comma": "Wavelength (nm),Counts\n" + _columns(W, Y),
    "no head, blanks": _columns(W, Y, delimiter="  "),
    "tab, descending": "nm\tcounts\n" + _columns(W[::-1], Y[::-1], delimiter="\t"),
    "decimal comma": "Wellenlänge (nm);Intensität\n"
    + _columns(W, Y, delimiter=";").replace(".", ","),
    "micrometre": "Wavelength (µm),Signal\n" + _columns(W / 1e3, Y, form="{:.6f}"),
    "Ocean Optics": "Data from a.txt Node\n\nDate: Mon Jan 1 2020\nIntegration Time (sec): 1.0E-1\n"
    ">>>>>Begin Spectral Data<<<<<\n"
    + _columns(W, Y, delimiter="\t")
    + ">>>>>End Spectral Data<<<<<\n",
    "Edinburgh": "Labels,film,\nType,Emission Scan,\nXaxis,Wavelength,\nYaxis,Counts,\n\n"
    + "".join(f"{x:.2f},{y:.2f},\n" for x, y in zip(W, Y, strict=True)),
    "Horiba": "Wavelength\tS1c / R1c\nnm\tCPS / MicroAmps\n" + _columns(W, Y, delimiter="\t"),
    "Shimadzu": '"film - RawData"\n"Wavelength nm." "Abs."\n' + _columns(W, Y, delimiter=" "),
    "LabSpec header": "#Acq. time (s)=\t1\n#AxisUnit[0]=\tnm\n" + _columns(W, Y, delimiter="\t"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_single_spectrum_layouts(tmp_path, name):
    path = tmp_path / "film.txt"
    path.write_text(LAYOUTS[name], encoding="utf-8")
    found = read_spectra(path)
    assert found.x_unit == "nm" and len(found) == 1
    np.testing.assert_allclose(found.x, W, atol=1e-6)
    np.testing.assert_allclose(found.values[0], Y, atol=1e-6)


@pytest.mark.parametrize(
    "head, x, unit",
    [
        ("Energy (eV)", HC_EV_NM / W, 1.0),
        ("Wavenumber (cm-1)", 1e7 / W, 1.0),
        ("Energy (meV)", 1e3 * HC_EV_NM / W, 1.0),
    ],
)
def test_energy_axes_come_back_in_ev_ascending(tmp_path, head, x, unit):
    path = tmp_path / "pl.csv"
    path.write_text(f"{head},PL\n" + _columns(x, Y, form="{:.8g}"))
    found = read_spectra(path)
    assert found.x_unit == "eV" and np.all(np.diff(found.x) > 0)
    np.testing.assert_allclose(np.sort(found.wavelength_nm), W, rtol=1e-6)


@pytest.mark.parametrize(
    "head, ends, fits",
    [
        ("Energy (eV)", (500, 800), "nm"),
        ("Wavelength (nm)", (1.5, 2.5), "eV"),
        ("Wavelength (nm)", (11000, 21000), "cm-1"),
    ],
)
def test_numbers_in_another_unit_than_their_head_are_refused_as_written(tmp_path, head, ends, fits):
    path = tmp_path / "a.txt"
    x = np.linspace(*ends, 40)
    path.write_text(f"{head}\tPL\n" + "".join(f"{v:g}\t1\n" for v in x))
    with pytest.raises(FormatError) as refused:
        read_spectra(path)
    assert f"found {ends[0]:g} to {ends[1]:g}, which fit {fits};" in str(refused.value)
    assert f"write {fits} into the column spectral_unit" in str(refused.value)
    assert read_spectra(path, x_unit=fits).x.size == 40


def test_axis_without_unit_is_told_from_its_range(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(_columns(HC_EV_NM / W[::-1], Y[::-1], form="{:.8g}"))
    assert read_spectra(path).x_unit == "eV"
    path.write_text(_columns(np.arange(50.0), np.arange(50.0)))
    with pytest.raises(FormatError, match="without a unit"):
        read_spectra(path)
    assert read_spectra_shifted(tmp_path).x_unit == "nm"


def read_spectra_shifted(folder):
    path = folder / "b.txt"
    path.write_text(_columns(np.arange(20.0, 70.0), np.arange(50.0)))
    return read_spectra(path, x_unit="nm")


def test_cary_pairs_with_different_lengths_and_footer(tmp_path):
    rows = [f"{x:.1f},{y:.4f},{x:.1f},{2 * y:.4f}," for x, y in zip(W[::-1], Y[::-1], strict=True)]
    rows[-3:] = [",".join(r.split(",")[:2]) + ",,," for r in rows[-3:]]
    path = tmp_path / "scan.csv"
    path.write_text(
        "neat,,E+G,,\nWavelength (nm),Abs,Wavelength (nm),Abs,\n"
        + "\n".join(rows)
        + "\n\nneat\nCollection Time: 1/1/2020 10:00:00 AM\nScan Software Version: 3.00\n"
    )
    first, second = read_each(path)
    assert (
        first.labels == ("neat",) and second.labels == ("E+G",) and first.value_unit == "absorbance"
    )
    assert first.x.size == W.size and second.x.size == W.size - 3
    with pytest.raises(FormatError, match="2 axes"):
        read_spectra(path)
    path.write_text(path.read_text().replace(rows[4], rows[4].replace(f"{Y[-5]:.4f}", "abc", 1)))
    with pytest.raises(FormatError, match=r"line 7, column 2.*'abc'"):
        read_each(path)


@pytest.mark.parametrize(
    "heads, values, unit",
    [
        (["0 s", "10 s", "0.5 min"], [0, 10, 30], "s"),
        (["2.6 V", "3 V", "3.4V"], [2.6, 3, 3.4], "V"),
        (["0.1 mA/cm2", "1 mA/cm2", "10 mA/cm2"], [0.1, 1, 10], "mA/cm2"),
        (["12:00:05", "12:00:15", "12:01:05"], [0, 10, 60], "s"),
        (["t = 0 s", "t = 5 s", "t = 9 s"], [0, 5, 9], "s"),
    ],
)
def test_series_in_columns_know_what_was_varied(tmp_path, heads, values, unit):
    path = tmp_path / "series.csv"
    path.write_text("Wavelength (nm)," + ",".join(heads) + "\n" + _columns(W, Y, 2 * Y, 3 * Y))
    found = read_spectra(path)
    np.testing.assert_allclose(found.parameter, values)
    assert found.parameter_unit == unit and found.values.shape == (3, W.size)


BIASES = ("2.50", "2.75", "3.00")


@pytest.mark.parametrize("form", ["{p} {b} V", "{p}_{b}V", "{p}: {b} V", "pixel {p} {b} V",
                                  "{p} (V = {b} V)", "{p} {b} mA/cm2",
                                  "{p} 10 s {b} V"])  # fmt: skip
def test_heads_that_name_several_samples_make_no_series(tmp_path, form):
    several = [form.format(p=p, b=b) for p in ("P1", "P2") for b in BIASES]
    found = read_spectra(in_columns(tmp_path, [several]))
    assert found.parameter is None and len(set(found.labels)) == 6
    alone = read_spectra(in_columns(tmp_path, [several[:3]]))
    assert alone.parameter == pytest.approx([2.5, 2.75, 3.0])


@pytest.mark.parametrize("heads, series", [
    (["T100 @ 0 min", "T90 @ 3 min", "T80 @ 9 min"], True),  # stages of one sample
    (["A 0 s", "B 10 s"], False), (["A 0 s", "B 10 s", "C 5 s"], False),
    (["A 0 s", "B 10 s", "A 20 s"], False), (["A 2 V", "B 3 V", "C 4 V"], False),
])  # fmt: skip
def test_names_of_their_own_are_stages_where_time_runs_on(tmp_path, heads, series):
    found = read_spectra(in_columns(tmp_path, [heads]))
    assert (found.parameter is not None) == series


def test_heads_that_say_two_settings_make_one_series(tmp_path):
    heads = ["2.5 V 1 mA/cm2", "2.75 V 3 mA/cm2", "3 V 10 mA/cm2"]
    found = read_spectra(in_columns(tmp_path, [heads]))
    assert found.parameter == pytest.approx([1, 3, 10]) and found.parameter_unit == "mA/cm2"


def in_columns(folder, heads, corner=""):
    """Spectra under heads in one line or several, an axis to their left."""
    first = [corner] * (len(heads) - 1) + ["Wavelength (nm)"]
    lines = [",".join([corner, *cells]) for corner, cells in zip(first, heads)]
    n = len(heads[-1])
    lines += [",".join(f"{v:g}" for v in (500 + i, *range(i, i + n))) for i in range(20)]
    (folder / "wide.csv").write_text("\n".join(lines) + "\n")
    return folder / "wide.csv"


PIXELS = ["P1"] * 3 + ["P2"] * 3
VOLTS = [f"{b} V" for b in BIASES]


@pytest.mark.parametrize(
    "heads, first",
    [
        ([PIXELS, VOLTS * 2], "P1 2.50 V"),
        ([["P1", "", "", "P2", "", ""], VOLTS * 2], "P1 2.50 V"),
        ([VOLTS * 2, PIXELS], "2.50 V P1"),
        ([PIXELS, VOLTS * 2, ["Counts"] * 6], "P1 2.50 V"),
        ([PIXELS, [*VOLTS, "2.6 V", "2.9 V", "3.1 V"]], "P1 2.50 V"),
    ],
)
def test_heads_in_several_lines_are_read_together(tmp_path, heads, first):
    found = read_spectra(in_columns(tmp_path, heads))
    assert found.labels[0] == first and len(set(found.labels)) == 6
    assert found.parameter is None


@pytest.mark.parametrize("corner, above", [("", ["EL of board 3", "", ""]), ("", ["A"] * 3),
                                           ("Integration (ms)", ["100", "50", "100"])])  # fmt: skip
def test_lines_above_that_tell_no_sample_leave_a_series(tmp_path, corner, above):
    volts = ["2.5 V", "3 V", "2.5 V"]
    found = read_spectra(in_columns(tmp_path, [above, volts], corner))
    assert found.labels == tuple(volts) and found.parameter == pytest.approx([2.5, 3.0, 2.5])


def test_a_part_is_one_spectrum(tmp_path):
    groups = read_each(in_columns(tmp_path, [["P1 2.5 V", "P1 2.5 V", "P2 2.5 V"]]))
    assert choose(groups, "P2 2.5 V").values[0, 0] == 2
    with pytest.raises(FormatError, match="found 2 of them"):
        choose(groups, "P1 2.5 V")
    with pytest.raises(FormatError, match=r"'P2 2\.5 V'"):
        choose(groups, "P3 2.5 V")


def test_series_with_numbers_in_a_corner_head(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("wavelength_nm \\ time_s,0,5,10\n" + _columns(W, Y, 2 * Y, 3 * Y))
    np.testing.assert_allclose(read_spectra(path).time_s, [0, 5, 10])


def test_matrices_with_the_axis_along_the_first_row(tmp_path):
    axis, row = "\t".join(f"{x:.2f}" for x in W), "\t".join(f"{y:.2f}" for y in Y)
    path = tmp_path / "m.txt"
    path.write_text(
        "#AxisUnit[1]=\tnm\n\t" + axis + "\n" + "".join(f"{t}\t{row}\n" for t in (0, 2, 4))
    )
    labspec = read_spectra(path)
    path.write_text(
        "Data\n>>>>>Begin Spectral Data<<<<<\n\t\t"
        + axis
        + "\n"
        + "".join(f"2020-01-01 23:59:{s}.000\t1577\t{row}\n" for s in (50, 55))
        + f"2020-01-02 00:00:05.000\t1577\t{row}\n"
    )
    ocean = read_spectra(path)
    np.testing.assert_allclose(labspec.time_s, [0, 2, 4])
    np.testing.assert_allclose(ocean.time_s, [0, 5, 15])
    assert labspec.values.shape == ocean.values.shape == (3, W.size)


@pytest.mark.parametrize("order", ["by sample", "by wavelength"])
@pytest.mark.parametrize("key", ["words", "times"])
def test_long_tables_with_one_row_a_point(tmp_path, order, key):
    names = ("neat", "E+G") if key == "words" else ("0", "30")
    head = "sample" if key == "words" else "Time (s)"
    rows = [(n, w, y * (k + 1)) for k, n in enumerate(names) for w, y in zip(W, Y, strict=True)]
    if order == "by wavelength":
        rows.sort(key=lambda row: row[1])
    path = tmp_path / "long.csv"
    path.write_text(
        f"{head},Wavelength (nm),Counts\n" + "".join(f"{n},{w},{y:.2f}\n" for n, w, y in rows)
    )
    found = read_spectra(path)
    np.testing.assert_allclose(found.values, [Y, 2 * Y])
    if key == "words":
        assert found.labels == names
    else:
        np.testing.assert_array_equal(found.time_s, [0, 30])
    assert found.account.counts["data"] == 2 * W.size
    path.write_text(path.read_text().replace(f"{names[1]},{W[3]}", f"{names[1]},{W[2]}"))
    with pytest.raises(FormatError, match=r"line \d+.*repeated"):
        read_each(path)


@pytest.mark.parametrize(
    "head", ["Wavelength (nm),a,Wavelength (nm),b", "x,a,x,b", "Wavelength (nm),a,Energy (eV),b"]
)
def test_axes_side_by_side_are_never_more_spectra(tmp_path, head):
    second = W + 1 if "eV" not in head else HC_EV_NM / W[::-1]
    path = tmp_path / "two.csv"
    path.write_text(head + "\n" + _columns(W, Y, second, 2 * Y, form="{:.6f}"))
    first, other = read_each(path)
    assert (first.labels, other.labels) == (("a",), ("b",))
    np.testing.assert_allclose(other.x, second, atol=1e-5)
    path.write_text(_columns(W, Y, second, 2 * Y, form="{:.6f}").replace(",", " "))
    if "eV" not in head:
        with pytest.raises(FormatError, match="a second one"):
            read_each(path)


def test_gaps_only_where_a_sample_is_shorter(tmp_path):
    path = tmp_path / "two.csv"
    rows = [f"{w},{y},{w + 1},{y}" for w, y in zip(W, Y, strict=True)]
    path.write_text(
        "Wavelength (nm),a,Wavelength (nm),b\n" + "\n".join(rows) + f"\n,,{W[-1] + 9},1\n"
    )
    assert [g.x.size for g in read_each(path)] == [W.size, W.size + 1]
    rows[4] = ",".join(rows[4].split(",")[:2]) + ",,"
    path.write_text("Wavelength (nm),a,Wavelength (nm),b\n" + "\n".join(rows))
    with pytest.raises(FormatError, match="line 6, column 3"):
        read_each(path)


@pytest.mark.parametrize(
    ("head", "label"),
    [("%T neat", "%T neat"), ("Intensity (a.u.)", "film_2.5V"), ("", "film_2.5V")],
)
def test_the_name_of_a_single_spectrum(tmp_path, head, label):
    path = tmp_path / "film_2.5V.txt"
    path.write_text((f"Wavelength (nm)\t{head}\n" if head else "") + _columns(W, Y, delimiter="\t"))
    assert read_spectra(path).labels == (label,)


@pytest.mark.parametrize("comma", [False, True])
def test_jcamp_over_nanometres_with_either_decimal_mark(tmp_path, comma):
    rows = "\n".join(
        f"{W[k]:.2f} " + " ".join(f"{y:.2f}" for y in Y[k : k + 5]) for k in range(0, W.size, 5)
    )
    head = (
        f"##TITLE= film\n##JCAMP-DX= 4.24\n##DATA TYPE= UV/VIS SPECTRUM\n##XUNITS= NANOMETERS\n"
        f"##YUNITS= ABSORBANCE\n##FIRSTX= {W[0]}\n##LASTX= {W[-1]}\n##NPOINTS= {W.size}\n"
        f"##XFACTOR= 1.0\n##YFACTOR= 1.0\n##XYDATA= (X++(Y..Y))\n{rows}\n##END=\n"
    )
    path = tmp_path / "a.jdx"
    if comma:
        head = re.sub(r"(?<=\d)\.(?=\d)", ",", head.replace("4.24", "4-24")).replace("4-24", "4.24")
    path.write_text(head)
    found = read_spectra(path)
    assert (found.labels, found.x_unit, found.value_unit) == (("film",), "nm", "absorbance")
    np.testing.assert_allclose(found.x, W)
    np.testing.assert_allclose(found.values[0], Y)
    path.write_text(head.replace("NANOMETERS", "HZ"))
    with pytest.raises(FormatError, match="over HZ"):
        read_spectra(path)


def test_times_are_refused_where_there_are_none(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Wavelength (nm),neat,treated\n" + _columns(W, Y, Y))
    with pytest.raises(FormatError, match="series of spectra with times"):
        _ = read_spectra(path).time_s


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "empty file"),
        ("c\n500\n501\n502\n", "two columns"),
        ("Wavelength (nm),c\n500,1\n501,abc\n502,3\n503,1\n", "line 3, column 2.*'abc'"),
        ("Wavelength (nm),c\n500,1\n501,2\n501,3\n502,1\n", "line 4.*repeated"),
        ("Wavelength (nm),c\n500,1\n501,2\n499,3\n502,1\n", "line 4.*turns back"),
        ("hello\nworld\n", "rows of numbers"),
        ("Time (ns),c\n1,1\n2,2\n3,3\n", "wavelength or energy axis"),
        ("Wavelength (nm),c\n-5,1\n1,2\n2,3\n", "positive axis"),
    ],
)
def test_bad_files_are_told_what_and_where(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=said) as raised:
        read_spectra(path)
    assert "bad.csv" in str(raised.value)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.floats(-1e6, 1e6).map(lambda v: v if abs(v) > 1e-50 else 0.0), min_size=6, max_size=30
    ),
    st.sampled_from([",", ";", "\t", " "]),
)
def test_whatever_is_written_is_read(tmp_path_factory, values, delimiter):
    path = tmp_path_factory.mktemp("s") / "x.txt"
    x = 400.0 + np.arange(len(values))
    path.write_text(
        f"Wavelength (nm){delimiter if delimiter != ' ' else '  '}signal\n"
        + "".join(f"{a!r}{delimiter}{b!r}\n" for a, b in zip(x.tolist(), values, strict=True))
    )
    found = read_spectra(path)
    np.testing.assert_array_equal(found.values[0], values)


def test_real_absorbance_export(samples):
    found = read_spectra(samples / "tauc" / "spectrum_1.txt")
    assert found.value_unit == "absorbance" and found.x[0] == 250 and found.x[-1] == 800


def test_image_stacks_keep_their_scale(tmp_path):
    import tifffile

    path = tmp_path / "stack.tif"
    frames = np.arange(2 * 30 * 30, dtype=np.uint16).reshape(2, 30, 30)
    tifffile.imwrite(
        path,
        frames,
        imagej=True,
        resolution=(1 / 0.05, 1 / 0.05),
        metadata={"axes": "TYX", "unit": "um", "finterval": 3.0},
    )
    stack = read_stack(path)
    assert stack.pixel_um == pytest.approx(0.05) and stack.interval_s == 3.0
    np.testing.assert_array_equal(stack.frames, frames)
    (tmp_path / "broken.tif").write_bytes(path.read_bytes()[:100])
    (tmp_path / "other.tif").write_bytes(b"not a tiff at all")
    for name in ("broken.tif", "other.tif"):
        with pytest.raises(FormatError, match=name):
            read_stack(tmp_path / name)
