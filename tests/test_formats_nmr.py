"""Readers of NMR files: what instruments write, and what they write when something went wrong."""

import itertools
import json
import shutil
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hassan2021.simulate.writers import write_bruker
from peled.formats import FormatError, jcampdx, nmr
from peled.nmr.analyse import analyse, sniff
from peled.samples import read_sheet


def decay(points=512, width=4000.0, lines=((500.0, 1.0), (-900.0, 0.5)), rate=8.0):
    t = np.arange(points) / width
    return sum(a * np.exp(2j * np.pi * f * t - rate * t) for f, a in lines) * 1e5


def bruker(folder, data=None, **options):
    settings = {
        "spectral_width_Hz": 4000.0,
        "base_MHz": 400.13,
        "carrier_MHz": 400.132,
        "reference_MHz": 400.13,
        "nucleus": "1H",
    }
    return write_bruker(folder, decay() if data is None else data, **{**settings, **options})


def highest(fid):
    spectrum = np.fft.fftshift(np.fft.fft(fid.data[0], 8192))
    offset = np.fft.fftshift(np.fft.fftfreq(8192, fid.dwell_s))
    return fid.carrier_ppm + offset[np.abs(spectrum).argmax()] / fid.reference_MHz


def test_bruker_written_and_read_is_the_same(tmp_path):
    data = np.rint(decay().real) + 1j * np.rint(decay().imag)
    fid = nmr.read(
        bruker(tmp_path / "1", data, group_delay=67.5, solvent="DMSO", scans=16, title="a title")
    )
    np.testing.assert_array_equal(fid.data[0], data)
    assert (
        fid.spectral_width_Hz,
        fid.group_delay,
        fid.nucleus,
        fid.solvent,
        fid.scans,
        fid.title,
    ) == (4000.0, 67.5, "1H", "DMSO", 16, "a title")
    assert highest(fid) == pytest.approx((2000 + 500) / 400.13, abs=0.003)


def test_bruker_reference_by_SF_even_12_ppm_from_BF1(tmp_path):
    moved = 400.13 * (1 - 12e-6)
    fid = nmr.read(bruker(tmp_path / "1", reference_MHz=moved))
    assert fid.carrier_ppm == pytest.approx(2000 / 400.13 + 12, abs=1e-3)
    assert any("12" in note and "BF1" in note for note in fid.notes)
    shutil.rmtree(tmp_path / "1" / "pdata")
    assert nmr.read(tmp_path / "1").carrier_ppm == pytest.approx(2000 / 400.13, abs=1e-6)


def test_bruker_series_with_times(tmp_path):
    times = np.array([1e-4, 5e-4, 2e-3])
    fid = nmr.read(
        bruker(tmp_path / "1", np.array([decay(300) * k for k in (1, 2, 3)]), contact_times_s=times)
    )
    assert fid.data.shape == (3, 300)
    np.testing.assert_allclose(fid.delays_s, times)
    np.testing.assert_allclose(
        np.abs(fid.data[:, 0]) / np.abs(fid.data[0, 0]), [1, 2, 3], rtol=1e-4
    )


def test_big_endian_and_old_filter_table(tmp_path):
    folder = bruker(tmp_path / "1")
    values = np.frombuffer((folder / "fid").read_bytes(), "<i4")
    (folder / "fid").write_bytes(values.astype(">i4").tobytes())
    with pytest.raises(FormatError, match=r"acqus, parameter BYTORDA.*set BYTORDA= 1"):
        nmr.read(folder)
    text = (
        (folder / "acqus")
        .read_text()
        .replace("BYTORDA= 0", "BYTORDA= 1")
        .replace("DECIM= 1", "DECIM= 24")
        .replace("DSPFVS= 0", "DSPFVS= 12")
    )
    (folder / "acqus").write_text(text)
    fid = nmr.read(folder)
    np.testing.assert_array_equal(fid.data[0].real, values[0::2])
    assert fid.group_delay == pytest.approx(70.1667, abs=1e-3)  # the manufacturer's table


def test_missing_acqus(tmp_path):
    folder = bruker(tmp_path / "1")
    (folder / "acqus").unlink()
    with pytest.raises(
        FormatError, match=r"acqus: expected Bruker acquisition parameters.*no such file"
    ):
        nmr.read(folder)


def test_truncated_fid(tmp_path):
    folder = bruker(tmp_path / "1")
    (folder / "fid").write_bytes((folder / "fid").read_bytes()[:-400])
    with pytest.raises(FormatError, match=r"1/fid, byte \d+: expected TD = 1024 values.*truncated"):
        nmr.read(folder)


def test_truncated_series(tmp_path):
    folder = bruker(
        tmp_path / "1", np.array([decay(300)] * 3), contact_times_s=np.array([1, 2, 3]) * 1e-3
    )
    (folder / "ser").write_bytes((folder / "ser").read_bytes()[:-2000])
    with pytest.raises(FormatError, match=r"ser.*whole rows of TD"):
        nmr.read(folder)


def test_empty_processed_folder(tmp_path):
    folder = bruker(tmp_path / "1")
    (folder / "fid").unlink()
    for path in (folder, folder / "pdata", folder / "pdata" / "1"):
        with pytest.raises(FormatError, match=r"procs and 1r|empty|processing folder"):
            nmr.read(path, processed=True)


def test_sequential_acquisition_and_odd_parameters(tmp_path):
    folder = bruker(tmp_path / "1")
    original = (folder / "acqus").read_text()
    for old, new, message in (
        ("AQ_mod= 3", "AQ_mod= 2", "AQ_mod"),
        ("TD= 1024", "TD= minus", "parameter TD"),
        ("DTYPA= 0", "DTYPA= 7", "DTYPA"),
        ("SW_h= 4000.0", "SW_h= -3", "parameter SW_h"),
        ("SW_h= 4000.0", "SW_h= 0", "parameter SW|SW_h"),
    ):
        (folder / "acqus").write_text(original.replace(old, new))
        if message.startswith("parameter SW|"):
            assert nmr.read(folder).spectral_width_Hz == pytest.approx(
                4000.0
            )  # SW in ppm and SFO1 serve
            continue
        with pytest.raises(FormatError, match=message):
            nmr.read(folder)
    (folder / "acqus").write_text("nothing here")
    with pytest.raises(FormatError, match="Bruker parameters"):
        nmr.read(folder)


def test_fields_that_contradict_each_other_are_noted(tmp_path):
    folder = bruker(tmp_path / "1", second_nucleus="13C", second_MHz=125.0)
    assert any("different fields" in note for note in nmr.read(folder).notes)


# ---- Varian --------------------------------------------------------------------------------------


def varian(folder, data, *, sw=4000.0, sfrq=400.132, **extra):
    """A minimal Varian folder, as VnmrJ lays it out (values: floats 1 1, strings 2 2)."""
    folder.mkdir(parents=True)
    lines = []
    numbers = {
        "sw": sw,
        "sfrq": sfrq,
        "np": 2 * len(data),
        "nt": 1,
        "ct": 1,
        **{k: v for k, v in extra.items() if not isinstance(v, str)},
    }
    words = {
        "tn": "H1",
        "solvent": "D2O",
        "comment": "x",
        "array": "",
        **{k: v for k, v in extra.items() if isinstance(v, str)},
    }
    for name, value in numbers.items():
        lines += [f"{name} 1 1 1000000000 0 0 2 1 0 1 64", f"1 {value!r} ", "0 "]
    for name, value in words.items():
        lines += [f"{name} 2 2 8 0 0 2 1 0 1 64", f'1 "{value}"', "0 "]
    (folder / "procpar").write_text("\n".join(lines) + "\n")
    raw = np.empty(2 * len(data), ">f4")
    raw[0::2], raw[1::2] = data.real, -data.imag  # the opposite sense of rotation
    head = struct.pack(
        ">6i2hi", 1, 1, 2 * len(data), 4, 8 * len(data), 8 * len(data) + 28, 0, 0x45 | 0x8, 1
    )
    block = struct.pack(">4hi4f", 1, 0x45 | 0x8, 0, 0, 1, 0, 0, 0, 0)
    (folder / "fid").write_bytes(head + block + raw.tobytes())
    return folder


def test_varian_reference_by_reffrq_and_by_rfl(tmp_path):
    by_frequency = nmr.read(varian(tmp_path / "a.fid", decay(), reffrq=400.13))
    assert by_frequency.nucleus == "1H"
    assert highest(by_frequency) == pytest.approx((2000 + 500) / 400.13, abs=0.004)
    # rfl: the line at rfp = 0 lies 0 Hz from the right edge, so the carrier is half the sweep above
    # it
    by_line = nmr.read(varian(tmp_path / "b.fid", decay(), rfl=0.0, rfp=0.0))
    assert highest(by_line) == pytest.approx((2000 + 500) / 400.13, abs=0.004)


@pytest.mark.parametrize("name, kind, unit", [
    ("d2", "3", 1.0), ("p1", "6", 1e-6), ("bt", "1", 1.0), ("nt", "7", None), ("gzlvl1", "1", None),
])  # fmt: skip
def test_varian_times_are_delays_pulses_and_echoes_that_are_varied(name, kind, unit):
    """An array of transients, powers or gradients is no list of times."""
    values = ["0.5", "1", "2"]
    found = nmr.varian._delays({"name": name, "subtype": kind, "values": values}, 3)
    assert found is None if unit is None else found.tolist() == [unit * float(v) for v in values]
    assert nmr.varian._delays({"name": "d2", "subtype": "3", "values": values}, 4) is None
    assert nmr.varian._delays({}, 1) is None


def test_varian_broken(tmp_path):
    folder = varian(tmp_path / "a.fid", decay())
    (folder / "fid").write_bytes((folder / "fid").read_bytes()[:-100])
    with pytest.raises(FormatError, match=r"fid, byte \d+.*truncated"):
        nmr.read(folder)
    (folder / "procpar").unlink()
    with pytest.raises(FormatError):
        nmr.read_varian(folder)


# ---- JCAMP-DX ------------------------------------------------------------------------------------

HEAD = (
    "##TITLE= t\n##JCAMP-DX= 5.0\n##DATA TYPE= NMR {kind}\n##ORIGIN= x\n##OWNER= x\n"
    "##.OBSERVE FREQUENCY= 400.0\n##.OBSERVE NUCLEUS= ^1H\n"
)


def test_jcamp_peak_table_is_not_nothing(tmp_path):
    path = tmp_path / "p.jdx"
    path.write_text(
        HEAD.format(kind="PEAK TABLE")
        + "##DATA CLASS= PEAK TABLE\n##XUNITS= HZ\n##YUNITS= ARBITRARY UNITS\n##NPOINTS= "
        "3\n##PEAK TABLE= (XY..XY)\n2904.0, 10.0\n940.0, 5.0; 500.0, 2.5\n##END=\n"
    )
    table = nmr.read(path)
    assert isinstance(table, nmr.PeakTable)
    np.testing.assert_allclose(table.ppm, [1.25, 2.35, 7.26])
    np.testing.assert_allclose(table.intensity, [2.5, 5.0, 10.0])


def spectrum_file(path, body, *, count, first=4000.0, last=0.0, unit="HZ", extra=""):
    path.write_text(
        HEAD.format(kind="SPECTRUM")
        + f"##XUNITS= {unit}\n##YUNITS= ARBITRARY UNITS\n##XFACTOR= 1.0\n##YFACTOR= 0.5\n"
        f"##FIRSTX= {first}\n##LASTX= {last}\n##NPOINTS= {count}\n{extra}##XYDATA= "
        f"(X++(Y..Y))\n{body}\n##END=\n"
    )
    return path


def test_jcamp_all_compressions_give_one_spectrum(tmp_path):
    # The worked example of the standard's forms: 1 2 3 3 2 1 0 -1 -2 -3
    bodies = {
        "AFFN": "9 1 2 3 3 2 1 0 -1 -2 -3",
        "PAC": "9+1+2+3+3+2+1+0-1-2-3",
        "SQZ": "9ABCCBA@abc",
        "DIF": "9AJJ%jjjjjj",
        "DIFDUP": "9AJT%jX",
    }
    for name, body in bodies.items():
        found = nmr.read(spectrum_file(tmp_path / f"{name}.dx", body, count=10, first=9, last=0))
        np.testing.assert_allclose(
            found.intensity[::-1], 0.5 * np.array([1, 2, 3, 3, 2, 1, 0, -1, -2, -3]), err_msg=name
        )


def test_jcamp_damage_is_refused_with_its_line(tmp_path):
    good = "9AJT%\n5Cjjjj\n1aj"
    for body, count, message in (
        (good.replace("5C", "5D"), 8, r"line 17: expected the check value 3"),
        ("9 1 2 3", 10, "10 points"),
        ("9A&B", 3, "line 16: expected an abscissa and numbers"),
        ("9 1 2 3\n2 4 5 6 7 8 9 9", 10, "abscissa"),
    ):
        with pytest.raises(FormatError, match=message):
            nmr.read(
                spectrum_file(
                    tmp_path / "x.dx",
                    body,
                    count=count,
                    first=9,
                    last=0 if count == 10 else 10 - count,
                )
            )


def test_jcamp_unsupported_form_and_other_techniques(tmp_path):
    path = spectrum_file(tmp_path / "x.dx", "9 1 2", count=2)
    path.write_text(path.read_text().replace("(X++(Y..Y))", "(BINARY HUFFMAN)"))
    with pytest.raises(FormatError, match="without compression"):
        nmr.read(path)
    path.write_text(
        spectrum_file(tmp_path / "y.dx", "9 1 2", count=2, first=9, last=8)
        .read_text()
        .replace("NMR SPECTRUM", "INFRARED SPECTRUM")
    )
    with pytest.raises(FormatError, match=r"DATA TYPE.*INFRARED"):
        nmr.read(path)
    path.write_text("##TITLE= x\n##DATA TYPE= NMR SPECTRUM\n")
    with pytest.raises(FormatError, match="END"):
        nmr.read(path)


def test_jcamp_misreferenced_says_so(tmp_path):
    body = "\n".join(f"{x} {y}" for x, y in zip(np.linspace(10, 0, 11), range(11), strict=True))
    found = nmr.read(
        spectrum_file(
            tmp_path / "x.dx",
            body,
            count=11,
            first=10,
            last=0,
            unit="PPM",
            extra="##.SHIFT REFERENCE= INTERNAL, TMS, 1, 10.6\n",
        )
    )
    assert found.ppm[-1] == pytest.approx(10.6)
    assert any("-0.600 ppm" in note and "SHIFT REFERENCE" in note for note in found.notes)


def decode(body, count, span=None, factor=1.0):
    record = jcampdx.Record("(X++(Y..Y))\n" + body, 1)
    span = span or (0, count - 1)
    return jcampdx.decode("x.dx", record, span=span, factor=factor, counts=(count,))


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("0A00B00C00\n3E12\n4F00G00", [100, 200, 300, 512, 600, 700]),  # E alone on its line
        ("0E1e2", [51, -52]),  # E and e, and no other pseudo-digit to tell
        ("0A5E1", [15, 51]),
        ("0 1E2 3e-1 5E+01", [100, 0.3, 50]),  # exponents of a plain table
        ("0+1E2-3", [100, -3]),
        ("0A1E+2K", [1100, 1102]),  # a signed exponent within squeezed digits
        ("0@VKT%TLkj%J%KLJ%njKjL%kL%jJULJ%kLK1%lLMNPNPRLJ0QTOJ1P\n52A28", None),  # of the standard
        ("0AS BS", [1, 2]),  # a count of one
        ("0A7T8S", None),  # refused: repeats beyond the promise
    ],
)
def test_jcamp_digits(body, values):
    if body.endswith("8S"):
        with pytest.raises(FormatError, match="27 repeats"):
            decode(body, 3)
    elif values is None:
        # Worked example of the ion mobility standard (Baumbach et al., Pure Appl. Chem. 73, 1765
        # (2001)).
        published = (
            "0 0 0 0 2 4 4 4 7 5 4 4 5 5 7 10 11 11 6 5 7 6 9 9 7 10 10 9 10 11 12 15 16 16 14"
        )
        published += " 17 38 38 35 38 42 47 54 59 66 75 78 88 96 104 110 121 128"
        np.testing.assert_array_equal(decode(body, 53), np.array(published.split(), float))
    else:
        np.testing.assert_allclose(decode(body, len(values)), values)


@pytest.mark.parametrize(
    ("heads", "span", "factor"),
    [
        ((4000, 3990, 3980), (4000, 3971), 1.0),  # in the units of the header
        ((400, 399, 398), (4000, 3971), 10.0),  # divided by XFACTOR and rounded
        ((0, 10, 20), (4000, 3971), 1.0),  # points counted from the first
        ((29, 19, 9), (16.1, -0.7), 0.58),  # from the last
        ((-400, -399, -398), (4000, 3971), -10.0),
        (("7.900E1", "6.900E1", "5.900E1"), (790.0, 500.0), 10.0),
    ],
)
def test_jcamp_abscissa_is_judged_by_its_differences(heads, span, factor):
    rows = [f"{head} " + " ".join(["7"] * 10) for head in heads]
    assert len(decode("\n".join(rows), 30, span, factor)) == 30
    for damaged in (rows[:1] + rows[2:], rows[:2] + rows[1:]):
        count = 10 * len(damaged)
        with pytest.raises(FormatError, match=r"abscissa|points"):
            decode("\n".join(damaged), 30, span, factor)
        if abs(factor) != 10.0:  # rounded abscissae show less
            step = (span[1] - span[0]) / 29
            with pytest.raises(FormatError, match="abscissa"):
                decode("\n".join(damaged), count, (span[0], span[0] + step * (count - 1)), factor)


def test_jcamp_one_point_fewer_than_said_but_the_steps_that_are_there(tmp_path):
    path = spectrum_file(tmp_path / "x.dx", "0 1 2 3 4\n4 5 6 7", count=8, first=6, last=0)
    with pytest.raises(FormatError, match="8 points"):
        nmr.read(path)
    path.write_text(path.read_text().replace("##NPOINTS", "##DELTAX= -1.0\n##NPOINTS"))
    assert len(nmr.read(path).ppm) == 7


def test_jcamp_a_spectrum_beside_its_peaks_and_several_spectra(tmp_path):
    peaks = "##XUNITS= PPM\n##NPOINTS= 1\n##PEAK TABLE= (XY..XY)\n1.0, 2.0\n##END=\n"
    path = spectrum_file(tmp_path / "x.dx", "9 1 2 3", count=3, first=9, last=7)
    spectrum = path.read_text()
    link = "##TITLE= all\n##JCAMP-DX= 5.0\n##DATA TYPE= LINK\n##BLOCKS= 3\n"
    path.write_text(link + HEAD.format(kind="PEAK TABLE") + peaks + spectrum + "##END\n")
    np.testing.assert_allclose(nmr.read(path).intensity, [1.5, 1.0, 0.5])
    second = spectrum.replace("##TITLE= t", "##TITLE= u").replace("9 1 2 3", "9 4 5 6")
    path.write_text(link + spectrum + second + "  ##END=\n")
    with pytest.raises(FormatError, match=r"found 2: 1 't', 2 'u'.*part"):
        nmr.read(path)
    for part in ("u", "2"):
        np.testing.assert_allclose(nmr.read(path, part=part).intensity, [3.0, 2.5, 2.0])
    path.write_text((link + spectrum + "##END=\n").replace("NMR SPECTRUM", "nD NMR SPECTRUM"))
    with pytest.raises(FormatError, match="one-dimensional"):
        nmr.read(path)


def fid_file(path, data, *, width=4000.0, extra=""):
    n = len(data)
    time = (np.arange(n) / width).tolist()
    pages = [
        f"##PAGE= N={i}\n##DATA TABLE= (X++({s}..{s})), XYDATA\n"
        + "\n".join(f"{t:.6f} {v:.3f}" for t, v in zip(time, part, strict=True))
        for i, (s, part) in enumerate((("R", data.real), ("I", data.imag)), 1)
    ]
    path.write_text(
        HEAD.format(kind="FID").replace("400.0", "400.13")
        + f"{extra}##NTUPLES= NMR FID\n##SYMBOL= X, R, I, N\n##VAR_DIM= {n}, {n}, {n}, 2\n"
        + "##VAR_TYPE= INDEPENDENT, DEPENDENT, DEPENDENT, PAGE\n##FACTOR= 1, 1, 1, 1\n"
        + f"##UNITS= SECONDS, A, A,\n##FIRST= 0, 0, 0, 1\n##LAST= {time[-1]}, 0, 0, 2\n"
        + "\n".join(pages)
        + "\n##END NTUPLES= NMR FID\n##END=\n"
    )
    return path


def test_jcamp_fid_with_a_shift_for_a_point_and_of_the_other_sense(tmp_path):
    """Lines 500 and -900 Hz from the carrier, which the file puts at 6 ppm by its middle point."""
    said = "##.SHIFT REFERENCE= INTERNAL, CDCl3, 257, 6.0\n"
    fid = nmr.read(fid_file(tmp_path / "a.dx", decay(), extra=said))
    assert fid.carrier_ppm == pytest.approx(6.0, abs=1e-6)
    assert highest(fid) == pytest.approx(6.0 + 500 / 400.13, abs=0.01)
    reverse = said + "##$REVERSE= yes\n"
    fid = nmr.read(fid_file(tmp_path / "b.dx", decay().conj(), extra=reverse))
    assert highest(fid) == pytest.approx(6.0 + 500 / 400.13, abs=0.01)
    first = "##.SHIFT REFERENCE= (INTERNAL, CDCl3, 0, 11.0)\n"
    fid = nmr.read(fid_file(tmp_path / "c.dx", decay(), extra=first))
    assert fid.carrier_ppm == pytest.approx(11.0 - 2000 / 400.13, abs=1e-3)
    odd = "##.SHIFT REFERENCE= INTERNAL, CDCl3, middle, 6.0\n"
    fid = nmr.read(fid_file(tmp_path / "d.dx", decay(), extra=odd))
    assert any("middle" in note and "not used" in note for note in fid.notes)
    assert not fid.referenced


def test_places_from_a_carrier_that_nobody_referenced_are_no_shifts(tmp_path):
    """The middle point at 0 ppm is what programs write that know no reference."""
    for name, middle in (("sample.dx", 0.0), ("other.dx", 6.0)):
        said = f"##.SHIFT REFERENCE= INTERNAL, , 257, {middle}\n"
        fid_file(tmp_path / name, 1e3 * decay(), extra=said)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    shifts = [q for q in report.quantities if q.name.startswith("shift")]
    assert {q.sample: q.value is None for q in shifts} == {"sample": True, "other": False}
    assert all("no frequency at 0 ppm" in q.reasons for q in shifts if q.value is None)


def test_jcamp_utf16_and_ends(tmp_path):
    path = spectrum_file(tmp_path / "x.dx", "9 1 2 3", count=3, first=9, last=7)
    text = path.read_text()
    for encoding in ("utf-16", "utf-8-sig", "latin-1"):
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        assert len(nmr.read(path).ppm) == 3
    for end in ("##END", " ##END=", "##end = $$ of it", "  ##End"):
        path.write_text(text.replace("##END=", end))
        assert len(nmr.read(path).ppm) == 3, end


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-99999, 99999), min_size=3, max_size=200))
def test_jcamp_difference_form_returns_what_was_written(values):
    np.testing.assert_array_equal(decode(difdup(values), len(values)), values)


def difdup(values, per_line=17):
    """The compressed form of the standard, written independently of the reader."""
    squeeze = lambda v: (
        ("@ABCDEFGHI" if v >= 0 else "@abcdefghi")[int(str(abs(v))[0])] + str(abs(v))[1:]
    )
    differ = lambda v: (
        ("%JKLMNOPQR" if v >= 0 else "%jklmnopqr")[int(str(abs(v))[0])] + str(abs(v))[1:]
    )
    lines, at = [], 0
    while at < len(values):
        start = at if at == 0 else at - 1  # the check value: the last ordinate of the line before
        chunk = values[start : at + per_line]
        text, previous, repeat = str(start) + squeeze(chunk[0]), None, 1
        for a, b in itertools.pairwise(chunk):
            if previous is not None and b - a == previous:
                repeat += 1
                continue
            text += dup(repeat) if repeat > 1 else ""
            previous, repeat = b - a, 1
            text += differ(b - a)
        text += dup(repeat) if repeat > 1 else ""
        if len(chunk) == 1 and at:
            break
        lines.append(text)
        at = start + len(chunk)
    return "\n".join(lines)


def dup(count):
    return "_STUVWXYZs"[int(str(count)[0])] + str(count)[1:]


def test_text_table(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "# frequency: 400.13 MHz\n# nucleus: 1H\nppm;intensity\n"
        + "\n".join(f"{10 - 0.01 * k:.2f};{k}".replace(".", ",") for k in range(100))
    )
    found = nmr.read(path)
    assert found.reference_MHz == 400.13 and found.nucleus == "1H"
    assert found.ppm[0] < found.ppm[-1] and found.intensity[-1] == 0
    path.write_text("1.0 2\n2.0 3\n1.5 4\n3.0 1\n")
    with pytest.raises(FormatError, match="only rises or only falls"):
        nmr.read(path)


# ---- real files ----------------------------------------------------------------------------------


def test_sample_bruker_raw_and_processed_agree(samples):
    folder = samples / "nmr" / "bmse000325_1h_bruker"
    fid, done = nmr.read(folder), nmr.read(folder, processed=True)
    assert fid.group_delay == pytest.approx(70.1667, abs=1e-3)
    assert highest(fid) == pytest.approx(done.ppm[done.intensity.argmax()], abs=0.002)
    reference = json.loads((folder / "reference.json").read_text())
    strongest = max(reference["peaks_ppm_intensity"], key=lambda row: row[1])[0]
    assert done.ppm[done.intensity.argmax()] == pytest.approx(strongest, abs=0.001)


def test_sample_jcamp_fid_and_spectrum_agree(samples):
    fid, done = (
        nmr.read(samples / "nmr/aspirin_jcamp/1h.fid.dx"),
        nmr.read(samples / "nmr/aspirin_jcamp/1h.dx"),
    )
    assert fid.data.shape == (1, 8192) and len(done.ppm) == 32768 and done.imaginary is not None
    assert highest(fid) == pytest.approx(done.ppm[done.intensity.argmax()], abs=0.002)
    assert not fid.notes and not done.notes


def test_own_decoder_agrees_with_nmrglue(samples):
    import nmrglue

    path = samples / "nmr/aspirin_jcamp/1h.dx"
    _, data = nmrglue.jcampdx.read(str(path))
    found = nmr.read(path)
    np.testing.assert_allclose(found.intensity[::-1], data[0])
    np.testing.assert_allclose(found.imaginary[::-1], data[1])


def test_a_decay_of_jeol_is_named(tmp_path):
    (tmp_path / "a.jdf").write_bytes(b"JEOL.NMR" + bytes(2000))
    with pytest.raises(FormatError, match="JCAMP-DX"):
        nmr.read(tmp_path / "a.jdf")
