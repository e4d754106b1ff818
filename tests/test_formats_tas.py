"""Readers of transient-absorption files: every format gives the same matrix; damage is named with
its place.
"""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hassan2021.simulate.writers import write_ufs
from peled.formats import FormatError
from peled.formats.tas import read_tas
from peled.samples import read_sheet
from peled.transient_absorption.analyse import sniff
from writers import write_glotaran, write_matrix

T = np.r_[-1.0, -0.5, 0.0, 0.1, 0.2, 1.0, 10.0, 100.0]
W = np.linspace(500.0, 700.0, 6)
X = np.random.default_rng(0).normal(size=(8, 6)) * 1e-3


def same(r, digits=1e-6):
    assert (
        np.allclose(r.delay_ps, T)
        and np.allclose(r.wavelength_nm, W)
        and np.allclose(r.signal, X, rtol=1e-4, atol=digits)
    )
    assert r.missing == 0


def test_ufs_is_exact_and_keeps_its_notes(tmp_path):
    write_ufs(tmp_path / "a.ufs", T, W, X, metadata="Pump: 520 nm\nNumber of scans: 3")
    r = read_tas(tmp_path / "a.ufs")
    assert (
        np.array_equal(r.signal, X)
        and np.array_equal(r.delay_ps, T)
        and r.format == "Ultrafast Systems ufs"
    )
    assert (
        r.metadata["Pump"] == "520 nm"
        and r.metadata["Number of scans"] == "3"
        and r.signal_unit == "DA"
    )


def test_ufs_layout_byte_by_byte(tmp_path):
    """Written by hand from the description of the format, not by our writer; time in fs."""

    def text(s):
        return struct.pack(">i", len(s)) + s.encode("latin-1")

    body = (
        text("Version2")
        + text("Wavelength")
        + text("nm")
        + struct.pack(">i2d", 2, 500.0, 600.0)
        + text("Time")
        + text("fs")
        + struct.pack(">i3d", 3, -100.0, 0.0, 250.0)
    )
    body += (
        text("DA")
        + struct.pack(">iii", 0, 2, 3)
        + struct.pack(">6d", 1, 2, 3, 4, 5, 6)
        + text("µ notes")
    )
    (tmp_path / "no_suffix").write_bytes(body)
    r = read_tas(tmp_path / "no_suffix")
    assert np.allclose(r.delay_ps, [-0.1, 0, 0.25]) and np.array_equal(
        r.signal, [[1, 4], [2, 5], [3, 6]]
    )


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 700), junk=st.binary(max_size=4))
def test_truncated_or_damaged_ufs_is_a_format_error(tmp_path_factory, cut, junk):
    folder = tmp_path_factory.mktemp("ufs")
    write_ufs(folder / "a.ufs", T, W, X)
    content = (folder / "a.ufs").read_bytes()
    (folder / "b.ufs").write_bytes(content[: min(cut, len(content) - 5)] + junk)
    try:
        read_tas(folder / "b.ufs")
    except FormatError as error:
        assert "b.ufs" in str(error)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 180), value=st.integers(0, 255))
def test_one_wrong_byte_in_the_ufs_header_never_escapes(tmp_path_factory, at, value):
    folder = tmp_path_factory.mktemp("ufs")
    write_ufs(folder / "a.ufs", T, W, X)
    content = bytearray((folder / "a.ufs").read_bytes())
    content[at] = value
    (folder / "a.ufs").write_bytes(bytes(content))
    try:
        r = read_tas(folder / "a.ufs")
        assert r.signal.shape == (len(r.delay_ps), len(r.wavelength_nm))
    except FormatError:
        pass


def write_img(path, counts, delay, wavelength, unit="ps", scaled=2):
    """A streak image as HPD-TA writes it: head, comment, pixels, tables of the axes."""
    across, down = len(wavelength), len(delay)

    def comment(at):
        return (
            '[Application],Date="01/02/2026",Time="10:00:00.1",Software="HPD-TA"\r\n'
            "[Acquisition],NrExposure=10,ExposureTime=20 ms,AcqMode=4,ZAxisLabel=Intensity,"
            "ZAxisUnit=Count\r\n"
            '[Streak camera],DeviceName="C5680",Time Range="2"\r\n'
            '[Spectrograph],Wavelength="500",Grating="300 g/mm",Blaze="500",Ruling="300"\r\n'
            f'[Scaling],ScalingXType={scaled},ScalingXScale=1,ScalingXUnit="nm",'
            f'ScalingXScalingFile="#{at:07d},{across:04d}",ScalingYType={scaled},ScalingYScale=1,'
            f'ScalingYUnit="{unit}",ScalingYScalingFile="#{at + 4 * across:07d},{down:04d}"'
        ).encode()

    length = len(comment(0))
    head = b"IM" + struct.pack("<6hi2hd", length, across, down, 0, 0, 3, 1, 0, 0, 0.0)
    pixels = np.asarray(counts, "<u4").tobytes()
    tables = np.concatenate([wavelength, delay]).astype("<f4").tobytes()
    text = comment(64 + length + len(pixels))
    path.write_bytes(head.ljust(64, b"\0") + text + pixels + tables)


def test_streak_image(tmp_path):
    delay, nm = np.linspace(0, 2.0, 7), np.linspace(500, 540, 5)
    counts = np.arange(35).reshape(7, 5)
    write_img(tmp_path / "a.img", counts, delay, nm, unit="us")
    m = read_tas(tmp_path / "a.img")
    assert m.delay_ps == pytest.approx(1e6 * delay) and m.wavelength_nm == pytest.approx(nm)
    assert np.array_equal(m.signal, counts) and m.signal_unit == "counts" and not m.asks
    assert m.metadata["NrExposure"] == "10"
    write_img(tmp_path / "b.img", counts[:, ::-1], delay, nm[::-1])
    assert np.array_equal(read_tas(tmp_path / "b.img").signal, counts)
    write_img(tmp_path / "focus.img", counts, delay, nm, scaled=1)
    with pytest.raises(FormatError, match=r"focus\.img, Scaling: expected calibrated delays"):
        read_tas(tmp_path / "focus.img")
    cut = (tmp_path / "a.img").read_bytes()
    (tmp_path / "cut.img").write_bytes(cut[:600])
    with pytest.raises(FormatError, match=r"cut\.img, byte .* pixels of 4 bytes"):
        read_tas(tmp_path / "cut.img")
    write_img(tmp_path / "odd.img", counts, delay, nm, unit="fortnight")
    with pytest.raises(FormatError, match="fortnight"):
        read_tas(tmp_path / "odd.img")
    assert read_tas(tmp_path / "odd.img", delay_unit="ns").delay_ps[-1] == pytest.approx(2000)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 800), value=st.integers(0, 255))
def test_one_wrong_byte_in_a_streak_image_never_escapes(tmp_path_factory, at, value):
    folder = tmp_path_factory.mktemp("img")
    write_img(folder / "a.img", np.ones((7, 5)), np.arange(7.0), np.arange(500.0, 505.0))
    content = bytearray((folder / "a.img").read_bytes())
    content[at % len(content)] = value
    (folder / "a.img").write_bytes(bytes(content))
    try:
        r = read_tas(folder / "a.img")
        assert r.signal.shape == (len(r.delay_ps), len(r.wavelength_nm))
    except FormatError:
        pass


@pytest.mark.parametrize("explicit", ["time", "wavelength"])
def test_glotaran(tmp_path, explicit):
    write_glotaran(tmp_path / "a.ascii", T, W, X, explicit=explicit, title="film 3")
    r = read_tas(tmp_path / "a.ascii")
    same(r)
    assert explicit in r.format and r.metadata["Original filename"] == "film 3"
    lines = (tmp_path / "a.ascii").read_text().splitlines()
    (tmp_path / "b.ascii").write_text("\n".join(lines[:-1] + [lines[-1].rsplit("\t", 1)[0]]))
    with pytest.raises(FormatError, match=f"line {len(lines)}: expected"):
        read_tas(tmp_path / "b.ascii")


def test_glotaran_sample(samples):
    r = read_tas(samples / "tas" / "rc_dcm_raw.ascii")
    assert (
        r.signal.shape == (335, 369)
        and r.wavelength_nm[0] == pytest.approx(363.32144)
        and r.delay_ps[0] == pytest.approx(-0.00105)
    )


@pytest.mark.parametrize("delays", ["down", "across"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
def test_text_matrices_in_either_orientation(tmp_path, delays, delimiter):
    write_matrix(tmp_path / "a.txt", T, W, X, delays=delays, delimiter=delimiter)
    same(read_tas(tmp_path / "a.txt"), 1e-8)


def test_decimal_comma_footer_blank_corner_and_comments(tmp_path):
    write_matrix(
        tmp_path / "a.csv",
        T,
        W,
        X,
        delays="across",
        footer="File info\nSample,Perovskite film\nTime units: ps\n",
    )
    r = read_tas(tmp_path / "a.csv")
    same(r)
    assert r.format == "Surface Xplorer csv" and r.metadata["Sample"] == "Perovskite film"
    plain = (tmp_path / "a.csv").read_text().split("File")[0]
    (tmp_path / "b.csv").write_text(plain.replace(",", ";").replace(".", ","))
    same(read_tas(tmp_path / "b.csv"))
    first, rest = plain.split("\n", 1)
    (tmp_path / "c.csv").write_text(
        "# made by hand\n" + first.split(",", 1)[1] + "\n" + rest
    )  # no corner cell
    same(read_tas(tmp_path / "c.csv"))
    (tmp_path / "d.lvm").write_text(
        "LabVIEW Measurement\nWriter_Version\t2\nDelimiter\tTab\n***End_of_Header***\n\n"
        + plain.replace(",", "\t")
    )
    r = read_tas(tmp_path / "d.lvm")
    same(r)
    assert r.format == "LabVIEW lvm"


def test_nan_cells_are_kept_and_counted(tmp_path):
    write_matrix(tmp_path / "a.csv", T, W, np.where(X[3, 2] == X, np.nan, X), delays="across")
    r = read_tas(tmp_path / "a.csv")
    assert r.missing == 1 and np.isnan(r.signal[3, 2])


def test_units_are_converted_where_the_file_says_so_or_the_user_does(tmp_path):
    write_matrix(tmp_path / "a.csv", T * 1e3, W, X)
    text = (tmp_path / "a.csv").read_text().replace("delay (ps)", "delay (fs)")
    (tmp_path / "a.csv").write_text(text)
    same(read_tas(tmp_path / "a.csv"))
    write_matrix(tmp_path / "b.csv", T, 1e7 / W, X)
    same(read_tas(tmp_path / "b.csv", spectral_unit="cm-1", orientation="delays down"))
    np.savez(tmp_path / "c.npz", delay_fs=T * 1e3, wavelength_nm=W, signal=np.stack([X.T] * 4))
    r = read_tas(tmp_path / "c.npz")
    same(r)
    assert r.scans.shape == (4, 8, 6)


def test_npz_with_several_matrices_or_pickles(tmp_path):
    np.savez(tmp_path / "a.npz", t=T, wl=W, one=X, two=2 * X)
    with pytest.raises(FormatError, match="key="):
        read_tas(tmp_path / "a.npz")
    assert np.array_equal(read_tas(tmp_path / "a.npz", key="two").signal, 2 * X)
    np.savez(tmp_path / "b.npz", t=T, wl=W, signal=X, junk=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FormatError, match="pickled"):
        read_tas(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:200])
    with pytest.raises(FormatError, match=r"c\.npz"):
        read_tas(tmp_path / "c.npz")


def test_damage_in_text_is_named_with_line_and_column(tmp_path):
    write_matrix(tmp_path / "a.csv", T, W, X)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    cases = {
        "word": (
            lines[:4] + [lines[4].rsplit(",", 1)[0] + ",oops"] + lines[5:],
            r"line 5, column 7: expected a number, found 'oops'",
        ),
        "short": (lines[:4] + [lines[4].rsplit(",", 2)[0]] + lines[5:], r"line 5: expected"),
        "note": (lines[:4] + ["laser mode-locked again"] + lines[4:], r"line 5: expected 7 cells"),
        "hole": (
            lines[:4] + [lines[4].replace(lines[4].split(",")[3], "")] + lines[5:],
            r"line 5, column 4: expected a number, found an empty cell",
        ),
        "words only": (["nothing", "to see", "here"], "rows of numbers"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / "b.csv").write_text("\n".join(content))
        with pytest.raises(FormatError, match=message):
            read_tas(tmp_path / "b.csv")
        assert name


def test_axes_that_could_be_either_are_refused(tmp_path):
    write_matrix(
        tmp_path / "a.csv", np.linspace(500, 620, 7), np.linspace(480, 700, 9), np.ones((7, 9))
    )
    text = (tmp_path / "a.csv").read_text().replace("delay (ps)\\wavelength (nm)", "")
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError, match="either could be both"):
        read_tas(tmp_path / "a.csv")
    assert read_tas(tmp_path / "a.csv", orientation="delays across").signal.shape == (9, 7)


def test_not_a_matrix_file(tmp_path):
    for name, content in (("empty.ufs", b""), ("a.bin", bytes(range(256)) * 4)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError):
            read_tas(tmp_path / name)
    with pytest.raises(FormatError, match="no such file"):
        read_tas(tmp_path / "missing.ufs")
    with pytest.raises(ValueError, match="delay_unit"):
        read_tas(tmp_path / "a.bin", delay_unit="parsec")


# ---- units, dialects, gaps -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "signal_unit", "factor"),
    [
        ("# dA (mOD)", "mOD", 1e-3),
        ("ps,nm,OD", "OD", 1.0),
        ("Signal unit: mOD", "mOD", 1e-3),
        ("# ΔA in µOD", "µOD", 1e-6),
    ],
)
def test_a_unit_of_the_signal_in_any_head_counts(tmp_path, head, signal_unit, factor):
    write_matrix(tmp_path / "a.csv", T, W, X / factor)
    (tmp_path / "a.csv").write_text(head + "\n" + (tmp_path / "a.csv").read_text(), "utf-8")
    r = read_tas(tmp_path / "a.csv")
    same(r)
    assert (r.signal_unit, r.asks) == (signal_unit, ())


def test_units_that_nobody_says_are_asked_for_and_can_be_said(tmp_path):
    write_matrix(tmp_path / "a.csv", T * 100, W, X * 1e3)
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace("delay (ps)\\wavelength (nm)", "delay"))
    r = read_tas(tmp_path / "a.csv")
    assert r.asks == ("delay_unit", "signal_unit")
    r = read_tas(tmp_path / "a.csv", delay_unit="fs", signal_unit="mOD")
    assert r.asks == () and np.allclose(r.delay_ps, T / 10)
    np.testing.assert_allclose(r.signal, X, rtol=1e-4)
    (tmp_path / "a.csv").write_text("# signal in OD, dA (mOD)\n" + text)
    with pytest.raises(FormatError, match="signal_unit of the sample sheet"):
        read_tas(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="signal_unit"):
        read_tas(tmp_path / "a.csv", signal_unit="V")


@pytest.mark.parametrize("explicit", ["time", "wavelength"])
@pytest.mark.parametrize("dress", ["comma", "decimal comma", "wrapped", "padded", "two ways"])
def test_explicit_files_in_other_dress(tmp_path, explicit, dress):
    write_glotaran(tmp_path / "a.ascii", T, W, X, explicit=explicit)
    head, body = (tmp_path / "a.ascii").read_text().split("\n\t", 1)
    if dress == "comma":
        body = body.replace("\t", ", ")
    elif dress == "decimal comma":
        body = body.replace(".", ",").replace("\t", " ")
    elif dress == "padded":
        head = head.replace("Intervalnr ", " Intervalnr          ")
    elif dress == "two ways":  # the axis by blanks, rows by tabs
        axis, rest = body.split("\n", 1)
        body = "   " + axis.replace("\t", "   ") + "\n" + rest
    else:
        rows = [line.split("\t") for line in body.strip().split("\n")]
        body = "\n".join(" ".join(r[k : k + 3]) for r in rows for k in range(0, len(r), 3))
    (tmp_path / "b.ascii").write_text(f"{head}\n{body}\n")
    r = read_tas(tmp_path / "b.ascii")
    same(r)
    assert sum(r.account.counts.values()) == r.account.lines
    lines = (tmp_path / "b.ascii").read_text().strip().split("\n")
    del lines[-1]
    (tmp_path / "b.ascii").write_text("\n".join(lines))
    if dress == "wrapped":
        with pytest.raises(FormatError, match=r"expected \d+ numbers"):
            read_tas(tmp_path / "b.ascii")
    else:
        assert read_tas(tmp_path / "b.ascii").signal.size < X.size


def test_words_for_missing_become_a_mask_and_nothing_else_does(tmp_path):
    write_matrix(tmp_path / "a.csv", T, W, X)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    for word in ("NaN", "#N/A", "--", "inf"):
        cells = lines[4].split(",")
        cells[3] = word
        (tmp_path / "b.csv").write_text("\n".join([*lines[:4], ",".join(cells), *lines[5:]]))
        r = read_tas(tmp_path / "b.csv")
        assert r.mask.sum() == 1 and r.mask[3, 2] and r.account.counts["data"] == 9
    for k, cell in ((0, "NaN"), (0, ""), (3, ""), (3, "1e400"), (3, "#ERR")):
        cells = lines[4].split(",")
        cells[k] = cell
        (tmp_path / "b.csv").write_text("\n".join([*lines[:4], ",".join(cells), *lines[5:]]))
        with pytest.raises(FormatError):
            read_tas(tmp_path / "b.csv")


@pytest.mark.parametrize("at", [0, 1, 4, 8])
@pytest.mark.parametrize("damage", ["cut", "half", "text"])
def test_damaged_rows_of_a_matrix_are_refused_wherever_they_stand(tmp_path, at, damage):
    write_matrix(tmp_path / "a.csv", T, W, X)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    cells = lines[at].split(",")
    lines[at] = ",".join(
        {"cut": cells[:-1], "half": cells[:4], "text": [*cells[:-1], "1x2"]}[damage]
    )
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(FormatError, match=f"line {at + 1}"):
        read_tas(tmp_path / "a.csv")


def test_numbers_of_pixels_are_no_wavelengths(tmp_path):
    write_matrix(tmp_path / "a.csv", T, np.arange(6.0) + 1, X)
    with pytest.raises(FormatError, match="numbers of pixels are no wavelengths"):
        read_tas(tmp_path / "a.csv")
    write_matrix(tmp_path / "a.csv", T, 1239.841984 / W, X)
    same(read_tas(tmp_path / "a.csv", spectral_unit="eV"))


@pytest.mark.parametrize("down", [True, False])
def test_a_matrix_and_its_axes_in_three_files(tmp_path, down):
    np.savetxt(tmp_path / "times.txt", T, header="ps")
    np.savetxt(tmp_path / "wl.dat", W)
    np.savetxt(tmp_path / "m.txt", X if down else X.T, delimiter="\t")
    for name in ("samples.csv", "lab.csv", "README.md", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_text("no data")
    r = read_tas(tmp_path)
    same(r)
    assert r.delay_unit == "ps" and r.asks == ("signal_unit",)
    counted = tmp_path / "m.txt"  # LabVIEW writes how many rows follow
    rows = counted.read_text()
    counted.write_text(f"{len(T if down else W)}\n{rows}")
    same(read_tas(tmp_path))
    counted.write_text(f"{len(T if down else W) + 1}\n{rows}")
    with pytest.raises(FormatError, match="expected 1 numbers"):
        read_tas(tmp_path)
    counted.write_text(rows)
    (tmp_path / "wl.dat").write_text("500\n600\n")
    with pytest.raises(FormatError, match="as long as its rows and columns"):
        read_tas(tmp_path)


def test_matrices_share_the_axes_that_lie_beside_them(tmp_path):
    """Axes are told by their names; a matrix with axes of its own, and one that fits no axis, are
    read and refused as anywhere."""
    np.savetxt(tmp_path / "delays.txt", T, header="ps")
    np.savetxt(tmp_path / "wavelengths.txt", W)
    np.savetxt(tmp_path / "data1.txt", X)
    np.savetxt(tmp_path / "data2.txt", X.T)
    same(read_tas(tmp_path / "data1.txt"))
    same(read_tas(tmp_path / "data2.txt"))
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=sniff)
    assert [row.file for row in sheet.rows] == ["data1.txt", "data2.txt"]
    assert not any(row.problems for row in sheet.rows)
    write_matrix(tmp_path / "own.txt", T, W, X)
    same(read_tas(tmp_path / "own.txt"))
    np.savetxt(tmp_path / "short.txt", X[:-2])
    with pytest.raises(FormatError, match="as long as its rows and columns"):
        read_tas(tmp_path / "short.txt")
    np.savetxt(tmp_path / "alone.dat", X)
    with pytest.raises(FormatError, match="rise and fall along both; put the axes into the file"):
        read_tas(tmp_path / "alone.dat")


def test_a_matrix_in_a_workbook(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["delay (ps)", *W.tolist()])
    for t, row in zip(T, X, strict=True):
        book.active.append([float(t), *row.tolist()])
    book.save(tmp_path / "a.xlsx")
    same(read_tas(tmp_path / "a.xlsx"))
    (tmp_path / "a.xlsx").write_bytes((tmp_path / "a.xlsx").read_bytes()[:-400])
    with pytest.raises(FormatError):
        read_tas(tmp_path / "a.xlsx")
