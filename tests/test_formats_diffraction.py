"""Readers of powder patterns: every format gives the same pattern; damaged files say where."""

import struct
import zipfile

import numpy as np
import pytest

from ledger import files
from peled.formats import FormatError
from peled.formats.diffraction import KALPHA_A, read_pattern, read_patterns
from writers import write_xy

X = np.round(np.arange(10, 40, 0.05), 4)
Y = (
    np.random.default_rng(0)
    .poisson(100 + 900 * np.exp(-0.5 * ((X - 14.6) / 0.2) ** 2))
    .astype(float)
)
WAVES = (1.5405929, 1.5444274)


def raw1(path):
    header = (
        b"RAW "
        + struct.pack("<Iff", len(X), 1.0, 0.05)
        + struct.pack("<II", 0, 0)
        + struct.pack("<ffff", 10, 5, 0, 0)
        + b"film".ljust(32, b"\0")
        + struct.pack("<ff", *WAVES)
        + bytes(72)
        + struct.pack("<I", 0)
    )
    path.write_bytes(header + Y.astype("<f4").tobytes())


def raw2(path):
    header = bytearray(256)
    header[:6] = b"RAW2" + struct.pack("<H", 1)
    header[188:190] = b"Cu"
    header[190:198] = struct.pack("<ff", *WAVES)
    block = struct.pack("<HHI", 48, len(X), 0) + struct.pack("<fff", 1.0, 0.05, 10.0) + bytes(28)
    path.write_bytes(bytes(header) + block + Y.astype("<f4").tobytes())


def raw3(path):
    header = bytearray(712)
    header[:8] = b"RAW1.01\0"
    struct.pack_into("<II", header, 8, 1, 1)
    header[326:330] = b"film"
    struct.pack_into("<dd", header, 624, *WAVES)
    block = bytearray(304)
    struct.pack_into("<II", block, 0, 304, len(X))
    struct.pack_into("<dd", block, 8, 5.0, 10.0)
    struct.pack_into("<d", block, 176, 0.05)
    struct.pack_into("<f", block, 192, 1.0)
    path.write_bytes(bytes(header) + bytes(block) + Y.astype("<f4").tobytes())


def raw4(path):
    header = bytearray(61)
    header[:7] = b"RAW4.00"
    hardware = bytearray(120)
    struct.pack_into("<II", hardware, 0, 30, 120)
    struct.pack_into("<dd", hardware, 80, *WAVES)
    block = bytearray(160)
    block[32:46] = b"Locked Coupled"
    struct.pack_into("<ddIf", block, 72, 10.0, 0.05, len(X), 1.0)
    struct.pack_into("<II", block, 136, 4, 0)
    path.write_bytes(bytes(header) + bytes(hardware) + bytes(block) + Y.astype("<f4").tobytes())


def xrdml(path, counts=Y):
    path.write_text(f"""<?xml version="1.0"?><xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.3"><xrdMeasurement><usedWavelength><kAlpha1 unit="Angstrom">{WAVES[0]}</kAlpha1>
<kAlpha2 unit="Angstrom">{WAVES[1]}</kAlpha2></usedWavelength><scan><dataPoints><positions axis="2Theta" unit="deg"><startPosition>10</startPosition><endPosition>{X[-1]}</endPosition></positions>
<positions axis="Omega" unit="deg"><startPosition>5</startPosition><endPosition>19.9</endPosition></positions><commonCountingTime>2.0</commonCountingTime>
<intensities unit="counts">{" ".join(str(int(c)) for c in counts)}</intensities></dataPoints></scan></xrdMeasurement></xrdMeasurements>""")  # noqa: E501


def ras(path):
    rows = "\r\n".join(f"{a:.4f} {b:.4f} 1.0000" for a, b in zip(X, Y, strict=True))
    path.write_bytes(
        '*RAS_DATA_START\r\n*RAS_HEADER_START\r\n*FILE_SAMPLE "film"\r\n'
        f'*HW_XG_WAVE_LENGTH_ALPHA1 "{WAVES[0]}"\r\n*HW_XG_WAVE_LENGTH_ALPHA2 '
        f'"{WAVES[1]}"\r\n*MEAS_SCAN_UNIT_Y "counts"\r\n'
        f"*RAS_HEADER_END\r\n*RAS_INT_START\r\n{rows}\r\n*RAS_INT_END\r\n*RAS_DATA_END\r\n".encode(
            "latin-1"
        )
    )


def brml(path):
    data = "".join(
        f"<Datum>1,1,{a:.4f},{a / 2:.4f},{b:.0f}</Datum>" for a, b in zip(X, Y, strict=True)
    )
    text = (
        f'<RawData><WaveLengthAlpha1 Value="{WAVES[0]}"/><WaveLengthAlpha2 '
        f'Value="{WAVES[1]}"/><ScanInformation><ScanAxes><ScanAxisInfo '
        'AxisId="TwoTheta"/><ScanAxisInfo AxisId="Theta"/></ScanAxes>'
        f"</ScanInformation><DataRoutes>{data}</DataRoutes></RawData>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Experiment0/RawData0.xml", text)


def uxd(path, form="_2THETACOUNTS", waves=True):
    head = "; converted\n_FILEVERSION=2\n_SAMPLE='film'\n_ANODE='Cu'\n"
    head += f"_WL_UNIT='A'\n_WL1={WAVES[0]}\n_WL2={WAVES[1]}\n_WL3=1.392220\n" if waves else ""
    head += f"; (Data for Range number 1)\n_DRIVE='COUPLED'\n_STEPCOUNT={len(X)}\n"
    head += f"_STEPSIZE=0.05\n_START=10.0\n{form}\n"
    pairs = form.startswith("_2THETA")
    rows = [f"{a:.4f}\t{b:.0f}" if pairs else f"{b:.0f}" for a, b in zip(X, Y, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n")


def rasx(path, scans=1, axis="TwoThetaTheta"):
    conditions = f"""<?xml version="1.0" encoding="utf-8"?><MeasurementConditions>
<GeneralInformation><SampleName>film</SampleName></GeneralInformation><HWConfigurations>
<XrayGenerator><TargetName>Cu</TargetName><WaveType>Ka</WaveType>
<WavelengthKalpha1>{WAVES[0]}</WavelengthKalpha1><WavelengthKalpha2>{WAVES[1]}</WavelengthKalpha2>
</XrayGenerator></HWConfigurations><ScanInformation><AxisName>{axis}</AxisName>
<Step>0.05</Step><DataCount>{len(X)}</DataCount><IntensityUnit>counts</IntensityUnit></ScanInformation></MeasurementConditions>"""
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(scans):
            rows = "\r\n".join(f"{a:.4f}\t{b + i:.0f}\t1" for a, b in zip(X, Y, strict=True))
            archive.writestr(f"Data{i}/Profile{i}.txt", ("\ufeff" + rows).encode())
            archive.writestr(f"Data{i}/MesurementConditions{i}.xml", conditions)


def brml_with_views(path, absorber=1.0):
    """As a diffractometer with an absorber writes it: a second counter follows the one that is
    meant.
    """
    views = """<DataViews><RawDataView Start="0" LogicName="MeasuredTime"/>
<RawDataView Start="1" LogicName="AbsorptionFactor"/><RawDataView Start="2"><Varying>
<FieldDefinitions AxisId="Theta"/><FieldDefinitions AxisId="TwoTheta"/></Varying></RawDataView>
<RawDataView Start="4"><Recording LogicName="Counter0D" Category="Count"/></RawDataView>
<RawDataView Start="5"><Recording LogicName="maxPixelCount" Category="Technical"/></RawDataView>
</DataViews>"""
    rows = "".join(
        f"<Datum>1,{absorber},{a / 2:.4f},{a:.4f},{round(b * absorber):.0f},7</Datum>"
        for a, b in zip(X, Y, strict=True)
    )
    head = '<RawData><InfoItem Name="SampleName" Value="film"/>'
    head += f'<WaveLengthAlpha1 Value="{WAVES[0]}"/><WaveLengthAlpha2 Value="{WAVES[1]}"/>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Experiment0/RawData0.xml", f"{head}{views}{rows}</RawData>")


WRITERS = {
    "a.raw": raw1,
    "b.raw": raw2,
    "c.raw": raw3,
    "d.raw": raw4,
    "e.xrdml": xrdml,
    "f.ras": ras,
    "g.brml": brml,
    "i.uxd": uxd,
    "j.uxd": lambda p: uxd(p, "_COUNTS"),
    "k.rasx": rasx,
    "l.brml": brml_with_views,
    "h.xy": lambda p: write_xy(p, X, Y, comment="film"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_pattern(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    p = read_pattern(path)
    assert p.two_theta_deg == pytest.approx(X, abs=2e-5)
    assert np.array_equal(p.intensity, Y)
    assert p.unit == "counts"
    assert p.sigma == pytest.approx(np.sqrt(Y))
    if not name.endswith(".xy"):
        assert p.wavelengths_A == pytest.approx(WAVES, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "h.xy"])
def test_cut_files_are_refused(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(FormatError, match=name.replace(".", r"\.")):
            read_patterns(path)


def test_two_theta_that_turns_back_is_refused(tmp_path):
    path = tmp_path / "scan.xy"
    x = X.copy()
    x[300:] -= 2
    write_xy(path, x, Y)
    with pytest.raises(FormatError, match=r"point 301: expected 2theta above .* found"):
        read_pattern(path)


def test_attenuated_counts_keep_their_poisson_error(tmp_path):
    path = tmp_path / "a.xrdml"
    xrdml(path)
    factors = np.where(Y > 500, 10.0, 1.0)
    text = (
        path.read_text()
        .replace(
            '<intensities unit="counts">',
            "<beamAttenuationFactors>"
            + " ".join(map(str, factors))
            + '</beamAttenuationFactors><counts unit="counts">',
        )
        .replace("</intensities>", "</counts>")
    )
    path.write_text(text)
    p = read_pattern(path)
    assert np.array_equal(p.intensity, Y * factors)
    assert p.sigma == pytest.approx(np.sqrt(Y) * factors)


def test_absorbers_of_bruker_and_of_corrected_intensities(tmp_path):
    """What was multiplied with the factor of the absorber has its error multiplied, not the root of
    the product.
    """
    path = tmp_path / "a.brml"
    brml_with_views(path, absorber=77.3)
    p = read_pattern(path)
    assert p.intensity == pytest.approx(Y * 77.3, abs=0.51)
    assert p.sigma == pytest.approx(np.sqrt(Y) * 77.3, rel=1e-3)
    path = tmp_path / "a.xrdml"
    factors = np.where(Y > 500, 131.32, 1.0)
    xrdml(path, np.round(Y * factors))
    listed = f"<beamAttenuationFactors>{' '.join(map(str, factors))}</beamAttenuationFactors>"
    path.write_text(path.read_text().replace("<intensities", listed + "<intensities"))
    p = read_pattern(path)
    assert p.intensity == pytest.approx(Y * factors, abs=0.51)
    assert p.sigma == pytest.approx(np.sqrt(Y) * factors, rel=1e-3)


def test_several_scans_have_labels_by_which_to_choose(tmp_path):
    path = tmp_path / "a.rasx"
    rasx(path, scans=12)
    patterns = read_patterns(path)
    assert [p.label for p in patterns] == [f"film, scan {i}" for i in range(1, 13)]
    for i, p in enumerate(patterns):  # Data10 after Data2
        assert np.array_equal(p.intensity, Y + i)
    assert np.array_equal(read_pattern(path, "film, scan 11").intensity, Y + 10)
    with pytest.raises(FormatError, match=r"found 12: .*as part"):
        read_pattern(path)
    rasx(path, axis="Omega")
    with pytest.raises(FormatError, match="a scan of Omega"):
        read_pattern(path)


def test_a_lost_row_shows_against_the_step_of_the_header(tmp_path):
    path = tmp_path / "a.uxd"
    uxd(path)
    lines = path.read_text().replace(f"_STEPCOUNT={len(X)}\n", "").split("\n")
    path.write_text("\n".join(lines[:100] + lines[101:]))
    with pytest.raises(FormatError, match=r"one step of 0.05 on.*rows are missing"):
        read_patterns(path)
    ras(tmp_path / "a.ras")
    text = (tmp_path / "a.ras").read_text("latin-1")
    text = text.replace("*MEAS_SCAN_UNIT_Y", f'*MEAS_DATA_COUNT "{len(X)}.0"\n*MEAS_SCAN_UNIT_Y')
    (tmp_path / "a.ras").write_text(text.replace("\n39.9500", "\n*RAS_INT_END\n39.9500"))
    with pytest.raises(FormatError, match="600 points, as MEAS_DATA_COUNT says"):
        read_patterns(tmp_path / "a.ras")
    uxd(path, "_COUNTS")
    path.write_text("\n".join(path.read_text().split("\n")[:-20]))
    with pytest.raises(FormatError, match="600 points, as STEPCOUNT says"):
        read_patterns(path)


def test_wavelength_of_the_caller_of_the_anode_and_none(tmp_path):
    path = tmp_path / "film.uxd"
    uxd(path, waves=False)
    assert read_pattern(path).radiation_A == KALPHA_A["Cu"]  # the file names its anode
    path.write_text(path.read_text().replace("_ANODE='Cu'\n", ""))
    p = read_pattern(path)
    assert p.wavelengths_A == ()
    with pytest.raises(FormatError, match=r"film\.uxd.*give wavelength_A .* or anode"):
        p.radiation_A  # noqa: B018
    assert read_pattern(path, anode="Mo").radiation_A == KALPHA_A["Mo"]
    assert read_pattern(path, wavelength_A=0.8266).radiation_A == (0.8266,)
    for wrong in ({"anode": "Kupfer"}, {"wavelength_A": 8048.0}):
        with pytest.raises(ValueError, match=r"anode|wavelength_A"):
            read_pattern(path, **wrong)
    uxd(path)
    p = read_pattern(path, anode="Co")
    assert p.radiation_A == KALPHA_A["Co"]
    assert p.notes == ("the wavelength given is 1.789 Å, the file's 1.54059 Å",)


def test_columns_become_patterns(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(
        "two_theta_deg,neat,E+G\n"
        + "\n".join(f"{a:.2f},{b:.4f},{2 * b:.4f}" for a, b in zip(X, Y / Y.max(), strict=True))
    )
    first, second = read_patterns(path)
    assert (first.label, second.label) == ("neat", "E+G")
    assert first.sigma is None and first.unit == "arb. unit"
    assert read_pattern(path, "e+g").label == "E+G"
    with pytest.raises(FormatError, match="expected one pattern"):
        read_pattern(path)


def test_errors_of_xye(tmp_path):
    path = tmp_path / "film.xye"
    path.write_text(
        "\n".join(f"{a:.2f} {b:.4f} {0.1 + b / 50:.4f}" for a, b in zip(X, Y, strict=True))
    )
    assert read_pattern(path).sigma == pytest.approx(0.1 + Y / 50, abs=1e-4)


@pytest.mark.parametrize(
    ("head", "waves"),
    [
        ("# wavelength (A): 1,5406", (1.5406,)),
        ("Wavelength: 0.15406 nm", (1.5406,)),
        ("# a film", ()),
    ],
)
def test_wavelength_in_the_head_of_columns(tmp_path, head, waves):
    path = tmp_path / "film.xy"
    path.write_text(head + "\n" + "".join(f"{a:.2f} {b:.0f}\n" for a, b in zip(X, Y, strict=True)))
    found = read_pattern(path)
    assert found.wavelengths_A == pytest.approx(waves)
    assert sum(found.account.counts.values()) == found.account.lines == len(X) + 1
    path.write_text(path.read_text().replace("1,5406", "1.54.06").replace("0.15406", "15.4"))
    if waves:
        with pytest.raises(FormatError, match="header"):
            read_pattern(path)


def test_entities_are_not_expanded(tmp_path):
    path = tmp_path / "bomb.xrdml"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a '
        '"aaaa">]><xrdMeasurements><xrdMeasurement>&a;</xrdMeasurement></xrdMeasurements>'
    )
    with pytest.raises(FormatError, match="entities"):
        read_patterns(path)


def test_bundled_standard():
    p = read_pattern(files.ROOT / "data" / "structure" / "xrd_standard_LaB6.xrdml")
    assert p.label == "LaB6 SRM 660c"
    assert p.unit == "counts"
