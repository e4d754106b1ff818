"""TCSPC histograms and sphere runs: formats, real files, damaged files."""

import gzip
import struct

import numpy as np
import pytest

from hassan2021.simulate.photoluminescence.tcspc import phu_file
from peled.formats import FormatError
from peled.formats.sphere import (
    Calibration,
    read_calibration,
    read_runs,
    read_sphere,
    stated_bands,
)
from peled.formats.tcspc import read_histogram, read_histograms
from peled.photoluminescence.reading import sniff

T = np.arange(64) * 0.5
C = np.random.default_rng(1).poisson(1000 * np.exp(-T / 8) + 2)


def _text(time, counts, head="Time (ns)\tneat\n"):
    return head + "".join(f"{t:.4f}\t{c}\n" for t, c in zip(time, counts, strict=True))


LAYOUTS = {
    "nanoseconds": _text(T, C),
    "picoseconds": _text(T * 1e3, C, "Time [ps]\tneat\n"),
    "seconds": "Time (s),neat\n"
    + "".join(f"{t:.4e},{c}\n" for t, c in zip(T * 1e-9, C, strict=True)),
    "Edinburgh": "Labels,neat,\nXaxis,Time,\nYaxis,Counts,\n\n"
    + "".join(f"{t:.3f},{c},\n" for t, c in zip(T, C, strict=True)),
    "DataStation": "Time Calibration = 5.0E-10 sec/ch\n\nChan\tneat\n"
    + "".join(f"{i}\t{c}\n" for i, c in enumerate(C)),
    "time on the second line": "film\n5.0E-01 ns/chan\n" + "".join(f"{c}\n" for c in C),
    "time and channels without heads": "film\nTime calibration = 5.0E-10 sec/ch\n"
    + "".join(f"{i}\t{c}\n" for i, c in enumerate(C)),
    "unit in the key": "ns/chan: 0.5\nChannel\tCounts\n"
    + "".join(f"{i}\t{c}\n" for i, c in enumerate(C)),
    "time a channel": "Time/ch = 500 ps\n\nDecay\n" + "".join(f"{c}\n" for c in C),
    "PicoHarp ASCII": "#PicoHarp 300  Histogram data\n#channels per curve\n64\n"
    "#ns/channel\n0.5\n#counts\n" + "".join(f"{c}\n" for c in C),
    "SPCM ASCII": "  SPCM data\n*BLOCK neat  ( t= 0.0 s )\n"
    + "".join(f"{t:.4f} {c}\n" for t, c in zip(T, C, strict=True))
    + "*END\n",
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_text_layouts(tmp_path, name, packed):
    path = tmp_path / ("d.txt.gz" if packed else "d.txt")
    path.write_bytes(gzip.compress(LAYOUTS[name].encode()) if packed else LAYOUTS[name].encode())
    found = read_histogram(path)
    np.testing.assert_allclose(found.bin_ns, 0.5)
    assert bool(found.asks) == (name == "Edinburgh")  # its axis has no unit
    assert found.labels[0] in ("neat", "d", "curve 1")
    np.testing.assert_allclose(found.time_ns[: C.size], T[: found.time_ns.size], atol=1e-9)
    np.testing.assert_array_equal(found.counts[0], C[: found.time_ns.size])


def test_a_time_per_channel_without_a_unit_is_asked_for(tmp_path):
    path = tmp_path / "d.txt"
    path.write_text("film\nTime calibration = 5.0E-10\n" + "".join(f"{c}\n" for c in C))
    with pytest.raises(FormatError, match="time per channel in the header"):
        read_histogram(path)
    assert read_histogram(path, bin_ns=0.5).bin_ns == pytest.approx(0.5)


def test_repetition_rate_and_pulses_from_the_header(tmp_path):
    path = tmp_path / "d.txt"
    path.write_text("# Repetition rate: 2 MHz\n# Excitation pulses: 1.5e7\n" + _text(T, C))
    found = read_histogram(path)
    assert found.period_ns == pytest.approx(500) and found.cycles[0] == 1.5e7


def test_a_response_with_bins_of_its_own(tmp_path):
    path = tmp_path / "d.csv"
    rows = [
        f"{t / 4:.4f},{c // 2},{t:.4f},{c}" if i < 40 else f",,{t:.4f},{c}"
        for i, (t, c) in enumerate(zip(T, C, strict=True))
    ]
    path.write_text("Time (ns),IRF,Time (ns),film\n" + "\n".join(rows))
    irf, film = read_histograms(path)
    assert (irf.labels, film.labels) == (("IRF",), ("film",))
    assert irf.bin_ns == pytest.approx(0.125) and film.bin_ns == pytest.approx(0.5)
    assert irf.counts.shape == (1, 40)
    np.testing.assert_array_equal(film.counts[0], C)
    assert sum(film.account.counts.values()) == film.account.lines == 65
    with pytest.raises(FormatError, match="read_histograms"):
        read_histogram(path)
    path.write_text("\n".join(rows[:40]))
    with pytest.raises(FormatError, match="a second one"):
        read_histogram(path)


HEAD = "Time (ns),counts\n"


def _stack(between=("", ""), key=("", ""), head=HEAD):
    both = zip(between, key, (T, T[:40]), (C, C[::-1]), strict=True)
    rows = ("".join(f"{k}{t},{c}\n" for t, c in zip(time, y)) for _, k, time, y in both)
    return head + "".join(f"{b}{r}" for b, r in zip(between, rows, strict=True))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (_stack(), ("d 1", "d 2")),
        (_stack(("", "\n")), ("d 1", "d 2")),
        (_stack(("", HEAD)), ("d 1", "d 2")),
        (_stack((HEAD, "film B\n" + HEAD), head="Analyser 7\nfilm A\n"), ("film A", "film B")),
        (_stack((HEAD, "film B\n" + HEAD), head="Unit: ns\n"), ("d 1", "d 2")),
        (_stack((HEAD, "\n# film B\n" + HEAD), head="# film A\n"), ("film A", "film B")),
        (_stack(("Time (ns),IRF\n", "Time (ns),film\n"), head=""), ("IRF", "film")),
        (_stack(key=("A,", "B,"), head="sample," + HEAD), ("A", "B")),
        (_stack(key=("1,", "10,"), head="power (uW)," + HEAD), ("1 uW", "10 uW")),
        (_stack(key=("1,", "1,"), head="power (uW)," + HEAD), None),
    ],
)
def test_decays_one_under_the_other(tmp_path, text, labels):
    """A row of numbers is never another decay's, and none is lost; a column of settings that
    does not tell them apart is no time axis."""
    path = tmp_path / "d.csv"
    path.write_text(text)
    if labels is None:
        with pytest.raises(FormatError):
            read_histograms(path)
        return
    first, second = read_histograms(path)
    assert (*first.labels, *second.labels) == labels
    np.testing.assert_array_equal(first.counts, [C])
    np.testing.assert_array_equal(second.counts, [C[::-1][:40]])
    np.testing.assert_allclose(second.time_ns, T[:40])
    assert sum(first.account.counts.values()) == first.account.lines


@pytest.mark.parametrize(
    ("time", "line"),
    [
        (np.r_[T[:30], 3.0, T[31:]], 32),  # a slip in one time
        (np.r_[T[32:], T[:32]], 34),  # a record in the wrong order
        (np.r_[T, T[:5]], 66),  # a second decay that breaks off
        (T[::-1], 3),
    ],
)
def test_times_that_do_not_rise_are_refused_with_their_row(tmp_path, time, line):
    path = tmp_path / "d.csv"
    path.write_text(HEAD + "".join(f"{t},{i}\n" for i, t in enumerate(time)))
    with pytest.raises(FormatError, match=rf"line {line}, column 1: .*begin at .*columns of its"):
        read_histograms(path)


def test_errors_and_fits_are_no_decays(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(
        "Time (ns),film,sigma,fit\n"
        + "".join(f"{t},{c},{c**0.5:.3f},{c + 0.5}\n" for t, c in zip(T, C, strict=True))
    )
    found = read_histogram(path)
    np.testing.assert_array_equal(found.counts, [C])
    assert found.left_out == ("sigma", "fit")


def test_times_that_can_only_be_seconds_are_asked_for_their_unit(tmp_path):
    t, path = 5e-11 * np.arange(80), tmp_path / "film.csv"
    counts = np.round(900 * np.exp(-t / 2e-9) + 3)
    rows = "".join(f"{a:.5e},{b:.0f}\n" for a, b in zip(t, counts))
    path.write_text("x,y\n" + rows)
    with pytest.raises(
        FormatError, match=r"unit of the times.*5e-11.*0\.05 into the column bin_ns"
    ):
        read_histogram(path)
    assert read_histogram(path, bin_ns=0.05).time_ns[-1] == pytest.approx(3.95)
    path.write_text("time (s),y\n" + rows)
    assert read_histogram(path).bin_ns == pytest.approx(0.05)


def test_a_time_without_unit_is_asked_for(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(_text(T, C, "t\tfilm\n"))
    assert read_histogram(path).asks == ("bin_ns",)
    said = read_histogram(path, bin_ns=0.064)
    assert said.asks == () and said.bin_ns == pytest.approx(0.064)
    path.write_text("counts\n" + "".join(f"{c}\n" for c in C))
    assert read_histogram(path, bin_ns=0.064).time_ns[-1] == pytest.approx(63 * 0.064)


@pytest.mark.parametrize(
    "head", ["Rep. rate: 0 Hz", "Rep. rate: fast", "Resolution 1.2.3 ns", "Excitation pulses: -2"]
)
def test_headers_that_cannot_be_are_refused(tmp_path, head):
    path = tmp_path / "d.txt"
    path.write_text(head + "\n" + _text(T, C))
    with pytest.raises(FormatError, match="header"):
        read_histogram(path)


def test_phu_through_ptufile(tmp_path):
    path = tmp_path / "d.phu"
    path.write_bytes(phu_file([C, 2 * C], 0.5, 2e6, 10.0, "IRF|neat"))
    found = read_histogram(path)
    assert (
        found.labels == ("IRF", "neat")
        and found.period_ns == pytest.approx(500)
        and found.cycles[1] == pytest.approx(2e7)
    )
    np.testing.assert_array_equal(found.counts[found.labels.index("neat")], 2 * C)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FormatError, match=r"d\.phu"):
        read_histogram(path)


def _ptu(counts, resolution_s=5e-10, sync_Hz=2e6):
    """A T3 file of a HydraHarp 2: one photon a sync pulse."""

    def tag(name, kind, value):
        return struct.pack("<32siI8s", name.encode(), -1, kind, value)

    def integer(name, value):
        return tag(name, 0x10000008, struct.pack("<q", value))

    def real(name, value):
        return tag(name, 0x20000008, struct.pack("<d", value))

    dtime = np.repeat(np.arange(counts.size), counts)
    sync = np.arange(dtime.size)
    records, overflow = [], 0
    for n, d in zip(sync, dtime, strict=True):
        while n - overflow >= 1024:
            records.append((1 << 31) | (63 << 25) | 1)
            overflow += 1024
        records.append((int(d) << 10) | (int(n) - overflow))
    header = [
        integer("TTResultFormat_TTTRRecType", 0x01010304),
        integer("TTResultFormat_BitsPerRecord", 32),
        integer("Measurement_Mode", 3),
        integer("Measurement_SubMode", 0),
        real("MeasDesc_Resolution", resolution_s),
        real("MeasDesc_GlobalResolution", 1 / sync_Hz),
        integer("MeasDesc_AcquisitionTime", 1000),
        integer("TTResult_SyncRate", int(sync_Hz)),
        integer("TTResult_NumberOfRecords", len(records)),
        tag("Header_End", 0xFFFF0008, b"\0" * 8),
    ]
    return (
        b"PQTTTR\0\0" + b"1.0.00\0\0" + b"".join(header) + np.array(records, dtype="<u4").tobytes()
    )


def test_ptu_through_ptufile(tmp_path):
    path = tmp_path / "d.ptu"
    path.write_bytes(_ptu(C))
    found = read_histogram(path)
    assert found.bin_ns == pytest.approx(0.5) and found.period_ns == pytest.approx(500, rel=0.01)
    np.testing.assert_array_equal(found.counts[0][: C.size], C)


def _sdt(counts, range_s=64 * 0.5e-9):
    from sdtfile import sdtfile

    info = (
        b"*IDENTIFICATION\r\n  ID        : SPC Setup & Data File\r\n  Title     : test\r\n*END\r\n"
    )
    dtype = np.dtype(sdtfile.MEASURE_INFO)
    measure = np.zeros(1, dtype)
    measure["tac_r"], measure["tac_g"], measure["adc_re"] = range_s, 1, counts.size
    header = np.zeros(1, np.dtype(sdtfile.FILE_HEADER).newbyteorder("<"))
    block = np.zeros(1, np.dtype(sdtfile.BLOCK_HEADER).newbyteorder("<"))
    size = header.itemsize
    header["revision"], header["info_offs"], header["info_length"] = 0x28F, size, len(info)
    (
        header["meas_desc_block_offs"],
        header["no_of_meas_desc_blocks"],
        header["meas_desc_block_length"],
    ) = size + len(info), 1, measure.itemsize
    header["data_block_offs"], header["no_of_data_blocks"] = size + len(info) + measure.itemsize, 1
    header["header_valid"], header["chksum"] = 0x5555, 0x55AA
    start = int(header["data_block_offs"][0]) + block.itemsize
    block["data_offs"], block["next_block_offs"], block["block_length"] = (
        start,
        start + 2 * counts.size,
        2 * counts.size,
    )
    return (
        header.tobytes()
        + info
        + measure.tobytes()
        + block.tobytes()
        + counts.astype("<u2").tobytes()
    )


def test_sdt_through_sdtfile(tmp_path):
    path = tmp_path / "d.sdt"
    path.write_bytes(_sdt(C))
    found = read_histogram(path)
    assert found.bin_ns == pytest.approx(0.5, rel=1e-6)
    np.testing.assert_array_equal(found.counts[0], C)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FormatError, match=r"d\.sdt"):
        read_histogram(path)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "Time (ns)\tc\n"
            + "".join(f"{t}\t{c}\n" for t, c in zip(T, np.r_[C[:10], -3, C[11:]], strict=True)),
            "none negative.*-3",
        ),
        ("c\n" + "".join(f"{c}\n" for c in C), "time per channel"),
        ("Chan\tc\n" + "".join(f"{i}\t{c}\n" for i, c in enumerate(C)), "time per channel"),
        (_text(np.r_[T[:30], T[29:-1]], C), "times that rise"),
        (_text(np.r_[T[:32], T[32] + 4 * (T[32:] - T[32])], C), "even bins"),
        (_text(T[:5], C[:5]), "at least 8 bins"),
        ("", "empty"),
    ],
)
def test_bad_histograms_are_told_what_and_where(tmp_path, text, said):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(FormatError, match=said) as raised:
        read_histogram(path)
    assert "bad.txt" in str(raised.value)


def test_truncated_gzip_is_named(tmp_path):
    path = tmp_path / "d.txt.gz"
    path.write_bytes(gzip.compress(_text(T, C).encode())[:-20])
    with pytest.raises(FormatError, match="breaks off"):
        read_histogram(path)


def test_real_metrotrpl_table(samples):
    found = read_histogram(samples / "trpl" / "sample1.csv.gz")
    assert (
        found.counts.shape == (5, 5604)
        and found.background[0] == pytest.approx(0.69294, abs=1e-4)
        and found.time_ns[0] == 0
    )


# ---- the sphere ----------------------------------------------------------------------------------

WS = np.concatenate([np.arange(396.0, 416.0, 0.5), np.arange(416.0, 760.0, 2.0)])


def _run(laser, emission):
    return (
        1e5 * laser * np.exp(-0.5 * ((WS - 405) / 1.0) ** 2)
        + 900 * emission * np.exp(-0.5 * ((WS - 630) / 12) ** 2)
        + 2.0
    )


def _table(heads=("empty", "indirect", "direct"), columns=None, extra=""):
    columns = columns or [_run(1, 0), _run(0.95, 0.2), _run(0.7, 1)]
    return (
        extra
        + "Wavelength (nm),"
        + ",".join(heads)
        + "\n"
        + "\n".join(",".join(f"{v:.3f}" for v in row) for row in zip(WS, *columns, strict=True))
        + "\n"
    )


def test_sphere_table_finds_laser_and_emission_by_itself(tmp_path):
    path = tmp_path / "film.csv"
    path.write_text(_table())
    (triple,) = read_sphere(path)
    assert (
        396
        <= triple.empty.laser.wavelength_nm[0]
        < 403
        < 408
        < triple.empty.laser.wavelength_nm[-1]
        < 420
    )
    assert (
        triple.direct.emission.wavelength_nm[0] < 590
        and triple.direct.emission.wavelength_nm[-1] == WS[-1]
    )


def test_sphere_series_shares_a_run_that_stands_once(tmp_path):
    path = tmp_path / "film.csv"
    path.write_text(
        _table(
            ("empty", "indirect", "direct 1 mW/cm2", "direct 10 mW/cm2"),
            [_run(1, 0), _run(0.95, 0.2), _run(0.7, 1), _run(0.7, 1.2)],
        )
    )
    first, second = read_sphere(path)
    assert (first.parameter, second.parameter, first.parameter_unit) == (1, 10, "mW/cm2")
    np.testing.assert_array_equal(first.empty.laser.counts, second.empty.laser.counts)


@pytest.mark.parametrize(
    "heads",
    [
        ("no sample", "laser off sample", "laser on sample"),
        ("empty", "off", "on"),
        ("blank", "beside the film", "on film"),
        ("A", "B", "C"),
        ("without film", "laser on wall", "in"),
    ],
)
def test_heads_of_sphere_runs(tmp_path, heads):
    path = tmp_path / "film.csv"
    path.write_text(_table(heads))
    (triple,) = read_sphere(path)
    assert (triple.empty.name, triple.indirect.name, triple.direct.name) == heads
    account = triple.accounts["film.csv"]
    assert sum(account.counts.values()) == account.lines == WS.size + 1


def test_bands_recorded_apart_and_axes_side_by_side(tmp_path):
    path = tmp_path / "film.csv"
    low, high = WS[WS < 416], WS[WS >= 540]
    runs = {"empty": _run(1, 0), "indirect": _run(0.95, 0.2), "direct": _run(0.7, 1)}
    heads, columns = [], []
    for name, y in runs.items():
        for band, inside in (("laser", WS < 416), ("emission", WS >= 540)):
            if (name, band) != ("empty", "emission"):
                heads += ["Wavelength (nm)", f"{name} {band}"]
                columns += [WS[inside], y[inside]]
    rows = [
        ",".join(f"{c[i]:.3f}" if i < c.size else "" for c in columns) for i in range(high.size)
    ]
    path.write_text(",".join(heads) + "\n" + "\n".join(rows))
    (triple,) = read_sphere(path)
    np.testing.assert_allclose(triple.direct.laser.wavelength_nm, low)
    np.testing.assert_allclose(triple.direct.emission.counts, runs["direct"][WS >= 540], atol=1e-3)
    assert triple.empty.emission is None


@pytest.mark.parametrize(
    "extra, heads, said",
    [
        ("# Laser band (nm): 398..412\n", ("empty", "indirect", "direct"), "header, 'Laser band"),
        ("", ("empty", "indirect", "direct 0.2.071 mW/cm2"), "a number and its unit"),
        ("", ("empty", "indirect", "direct indirect"), "name the run"),
    ],
)
def test_heads_of_a_sphere_that_cannot_be(tmp_path, extra, heads, said):
    path = tmp_path / "film.csv"
    path.write_text(_table(heads, extra=extra))
    with pytest.raises(FormatError, match=said):
        read_sphere(path)


def test_whole_runs_of_a_table_need_the_empty_sphere_and_one_more(tmp_path):
    path = tmp_path / "film.csv"
    columns = [_run(1, 0), _run(0.7, 1)]
    path.write_text(_table(("empty", "direct 5 mW"), columns, "# Laser band (nm): 398-412\n"))
    (found,) = read_runs(path)
    assert (found.parameter, found.parameter_unit) == (5, "mW")
    np.testing.assert_allclose(found.runs["direct"].values, [columns[1]], atol=1e-3)
    assert stated_bands(found.runs["empty"]) == {"laser_band_nm": (398, 412)}
    path.write_text(path.read_text().replace("Wavelength (nm)", "Energy (eV)"))
    (mended,) = read_runs(path, x_unit="nm")
    np.testing.assert_allclose(mended.runs["empty"].wavelength_nm, WS)
    for heads, said in (
        (("indirect", "direct"), "or empty and one of them.*none for empty among"),
        (("empty", "empty 2"), "none for indirect, direct among"),
    ):
        path.write_text(_table(heads, columns))
        with pytest.raises(FormatError, match=said):
            read_runs(path)
    with pytest.raises(FormatError, match="overlap of the two bands of the direct run"):
        path.write_text(_table(("empty", "direct", "direct"), [*columns, columns[1]]))
        read_runs(path)


def test_sphere_folder_of_real_runs(samples):
    (triple,) = read_sphere(samples / "plqy_sphere" / "1")
    assert (
        triple.empty.emission is None
        and triple.empty.laser.counts.size == 21
        and triple.direct.emission.counts.size == 302
    )


@pytest.mark.parametrize(
    "text, options, said",
    [
        (_table(("empty", "indirect", "extra")), {}, "name the run"),
        (_table(("empty", "indirect", "indirect 2")), {}, "none for direct"),
        (
            _table(columns=[0 * WS + np.random.default_rng(1).normal(0, 1, WS.size)] * 3),
            {},
            "laser line in the empty run",
        ),
        (_table(), {"laser_band_nm": (300.0, 330.0)}, "laser band 300 to 330"),
        (
            _table(),
            {"laser_band_nm": (398.0, 640.0), "emission_band_nm": (560.0, 700.0)},
            "do not overlap",
        ),
    ],
)
def test_bad_sphere_tables(tmp_path, text, options, said):
    path = tmp_path / "film.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=said):
        read_sphere(path, **options)


def test_bad_sphere_folders(tmp_path):
    for name, w in (("empty", WS), ("indirect", WS), ("direct", WS + 0.1)):
        (tmp_path / f"{name}.csv").write_text(
            "Wavelength (nm),Counts\n"
            + "\n".join(f"{a:.3f},{b:.3f}" for a, b in zip(w, _run(0.9, 0.5), strict=True))
        )
    with pytest.raises(FormatError, match=r"direct\.csv.*wavelengths of 'empty'"):
        read_sphere(tmp_path)
    (tmp_path / "direct.csv").unlink()
    with pytest.raises(FormatError, match="none for direct"):
        read_sphere(tmp_path)


def test_calibration_must_say_what_it_gives(tmp_path):
    path = tmp_path / "cal.csv"
    path.write_text("wavelength_nm,factor\n" + "\n".join(f"{w},{1.0}" for w in range(380, 801, 20)))
    with pytest.raises(FormatError, match="quantity: energy"):
        read_calibration(path)
    assert read_calibration(path, quantity="photons").quantity == "photons"
    path.write_text("# quantity: energy\n# relative error: 0.02\n" + path.read_text())
    found = read_calibration(path)
    assert found.quantity == "energy" and found.relative_error == 0.02
    path.write_text(path.read_text().replace("0.02", "0,015"))
    assert read_calibration(path).relative_error == 0.015
    with pytest.raises(FormatError, match="calibration from 300"):
        found.at(np.array([300.0, 500.0]))
    with pytest.raises(ValueError, match="quantity"):
        Calibration(None, np.array([1.0, 2.0]), np.array([1.0, 1.0]), "power")


def test_counts_alone_of_a_counter_take_their_bins_from_the_sheet(tmp_path):
    """A block without times or a header that gives them: its own reader says what is missing."""
    path = tmp_path / "decay.asc"
    counts = "\n".join(map(str, [2, 9, 40, 30, 22, 16, 12, 9, 7, 5]))
    path.write_text(f"  Title : 8\n  Revision : 10 bits ADC\n\n*BLOCK 1\n{counts}\n*END\n")
    with pytest.raises(FormatError, match="say bin_ns in the sample sheet"):
        sniff(path)
    found = read_histogram(path, bin_ns=0.05)
    assert found.bin_ns == pytest.approx(0.05) and found.counts[0, 2] == 40


def test_channels_beside_times_are_no_axis(tmp_path):
    """A column that counts them, and a quantity over its unit in the head of the times."""
    time, path = np.arange(60) * 0.055, tmp_path / "das.txt"
    rows = [f"{i + 1}\t{t:.4f}\t{5 + i % 3}\t{90 - i}" for i, t in enumerate(time)]
    path.write_text("\n".join(["Chan\tTime/ns\tPrompt\tDecay", *rows]) + "\n")
    (found,) = read_histograms(path)
    assert found.labels == ("Prompt", "Decay") and not found.asks
    np.testing.assert_allclose(found.time_ns, time, atol=1e-4)
    path.write_text("\n".join(["Chan\tTime/ps\tPrompt\tDecay", *rows]) + "\n")
    np.testing.assert_allclose(read_histograms(path)[0].time_ns, 1e-3 * time, atol=1e-7)
