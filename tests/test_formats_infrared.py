"""Infrared readers: the same spectrum from .spa, .dpt, .jdx in its packings, and text."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from peled.formats import FormatError
from peled.formats.infrared import is_infrared, read_infrared
from peled.samples import read_sheet
from peled.structure import rows
from peled.structure.analyse import sniff

X = np.arange(4000.0, 599.0, -4.0)
Y = 0.2 * np.exp(-0.5 * ((X - 2920) / 20) ** 2) + 0.1 * np.exp(-0.5 * ((X - 1640) / 30) ** 2) + 0.01


def spa(path, y=Y, kind=17):
    head, data = 700, 1000
    content = bytearray(data)
    content[:18] = b"Spectral Data File"
    content[30:34] = b"film"
    struct.pack_into("<BBII", content, 304, 2, 0, head, 100)
    struct.pack_into("<BBII", content, 320, 3, 0, data, 4 * len(y))
    struct.pack_into("<I", content, head + 4, len(y))
    content[head + 8], content[head + 12] = 1, kind
    struct.pack_into("<ff", content, head + 16, X[0], X[-1])
    path.write_bytes(bytes(content) + y.astype("<f4").tobytes())


def jcamp(path, data, factor=1e-6, units="ABSORBANCE", points=851):
    path.write_text(
        "##TITLE=film\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=1/CM\n"
        f"##YUNITS={units}\n##XFACTOR=1.0\n##YFACTOR={factor}\n##FIRSTX={X[0]}\n"
        f"##LASTX={X[-1]}\n"
        f"##NPOINTS={points}\n##XYDATA=(X++(Y..Y))\n{data}\n##END=\n"
    )


def integers():
    return np.round(Y * 1e6).astype(int)


def affn():
    v = integers()
    return "\n".join(f"{X[i]:.1f} " + " ".join(map(str, v[i : i + 8])) for i in range(0, len(v), 8))


def difdup():
    """Differences, with runs of equal differences counted, and the check value at the head of each
    line.
    """
    sqz = lambda n: (
        ("@ABCDEFGHI"[int(str(abs(n))[0])] if n >= 0 else "_abcdefghi"[int(str(abs(n))[0])])
        + str(abs(n))[1:]
    )
    dif = lambda n: (
        ("%JKLMNOPQR"[int(str(abs(n))[0])] if n >= 0 else "_jklmnopqr"[int(str(abs(n))[0])])
        + str(abs(n))[1:]
    )
    v, lines, i = [int(n) for n in integers()], [], 0
    while i < len(v) - 1:
        stop = min(i + 10, len(v) - 1)
        text, j = f"{X[i]:.0f}" + sqz(v[i]), i
        while j < stop:
            step, run = v[j + 1] - v[j], 1
            while run < 9 and j + run < stop and v[j + run + 1] - v[j + run] == step:
                run += 1
            text += dif(step) + ("_STUVWXYZs"[run] if run > 1 else "")
            j += run
        lines.append(text)
        i = stop
    return "\n".join([*lines, f"{X[-1]:.0f}" + sqz(v[-1])])


def check(path, tolerance=2e-6):
    (s,) = read_infrared(path)
    assert s.wavenumber_cm1 == pytest.approx(X[::-1], abs=1e-3)
    assert s.absorbance == pytest.approx(Y[::-1], abs=tolerance)


def test_spa(tmp_path):
    path = tmp_path / "a.spa"
    spa(path)
    check(path)
    spa(path, 100 * 10**-Y, 16)
    assert read_infrared(path)[0].quantity == "transmittance, %"
    check(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FormatError, match="cut"):
        read_infrared(path)


def test_spg_gives_all_spectra_of_the_group(tmp_path):
    path = tmp_path / "a.spg"
    content = bytearray(3000)
    content[:18] = b"Spectral Data File"
    for i in range(3):
        head, name, data = 1000 + 400 * i, 1100 + 400 * i, 3000 + 4 * len(Y) * i
        for j, section in enumerate(((2, head, 140), (107, name, 264), (3, data, 4 * len(Y)))):
            struct.pack_into("<BBII", content, 304 + 16 * (3 * i + j), section[0], 0, *section[1:])
        struct.pack_into("<IBBBBB", content, head + 4, len(Y), 1, 0, 0, 0, 17)
        struct.pack_into("<ff", content, head + 16, X[0], X[-1])
        content[name : name + 4] = b"run" + str(i).encode()
    values = np.array([k * Y for k in (1, 2, 3)], "<f4").tobytes()
    path.write_bytes(bytes(content) + values)
    found = read_infrared(path)
    assert [s.label for s in found] == ["run0", "run1", "run2"]
    for k, s in enumerate(found, 1):
        assert s.absorbance == pytest.approx(k * Y[::-1], abs=1e-6)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FormatError, match="cut"):
        read_infrared(path)


@pytest.mark.parametrize("packing", [affn, difdup])
def test_jcamp_packings(tmp_path, packing):
    path = tmp_path / "a.jdx"
    jcamp(path, packing())
    check(path)
    jcamp(path, packing(), points=len(X) + 3)
    with pytest.raises(FormatError, match="NPOINTS"):
        read_infrared(path)
    path.write_text(path.read_text()[:-60])
    with pytest.raises(FormatError, match="END"):
        read_infrared(path)


def test_jcamp_transmittance(tmp_path):
    path = tmp_path / "a.jdx"
    jcamp(
        path,
        "\n".join(f"{x:.1f} {t:.8f}" for x, t in zip(X, 10**-Y, strict=True)),
        1.0,
        "TRANSMITTANCE",
    )
    check(path)


def test_text_with_decimal_commas(tmp_path):
    path = tmp_path / "a.dpt"
    path.write_text(
        "\n".join(f"{x:.2f};{y:.7f}".replace(".", ",") for x, y in zip(X, Y, strict=True))
    )
    check(path)


def test_damaged_differences_are_noticed(tmp_path):
    path = tmp_path / "a.jdx"
    lines = difdup().split("\n")
    at = next(i for i, line in enumerate(lines) if i > 20)
    lines[at] = lines[at][:4] + "A99999" + lines[at][10:]
    jcamp(path, "\n".join(lines))
    with pytest.raises(FormatError, match=r"check value|NPOINTS|JCAMP-DX forms"):
        read_infrared(path)


def test_axes_that_turn_back_and_transmittance_below_zero(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "wavenumber,T (%)\n" + "\n".join(f"{x},{80 if i % 5 else -1}" for i, x in enumerate(X))
    )
    found = read_infrared(path)[0].absorbance  # opaque in places: 1 % is what can be told from none
    assert np.unique(found) == pytest.approx([-np.log10(0.8), 2.0])
    path.write_text(path.read_text().replace(",80", ",0.5"))
    with pytest.raises(FormatError, match="positive transmittance"):
        read_infrared(path)[0].absorbance  # noqa: B018
    x = X.copy()
    x[100:] += 500
    path.write_text("wavenumber,A\n" + "\n".join(f"{a},{b}" for a, b in zip(x, Y, strict=True)))
    with pytest.raises(FormatError, match="one order"):
        read_infrared(path)


def test_jcamp_only_infrared_is_infrared(tmp_path):
    path = tmp_path / "a.jdx"
    jcamp(path, affn())
    good = path.read_text()
    for old, new in (
        ("INFRARED SPECTRUM", "MASS SPECTRUM"),
        ("INFRARED SPECTRUM", "RAMAN SPECTRUM"),
        ("INFRARED SPECTRUM", "UV/VIS SPECTRUM"),
        ("INFRARED SPECTRUM", "NMR SPECTRUM"),
        ("XUNITS=1/CM", "XUNITS=MILLISECONDS"),
        ("XYDATA=(X++(Y..Y))", "PEAK TABLE=(XY..XY)"),
    ):
        path.write_text(good.replace(old, new))
        with pytest.raises(FormatError, match=r"infrared spectrum over 1/CM, found .* over"):
            read_infrared(path)
    path.write_text(good.replace("YUNITS=ABSORBANCE", "YUNITS=(micromol/mol)-1m-1 (base 10)"))
    (s,) = read_infrared(path)
    assert s.quantity == "(micromol/mol)-1m-1 (base 10)"
    with pytest.raises(FormatError, match="absorbance or transmittance"):
        s.absorbance  # noqa: B018


def test_jcamp_encodings_ends_blocks_and_wavelengths(tmp_path):
    path = tmp_path / "a.jdx"
    jcamp(path, affn())
    good = path.read_text()
    for text, encoding in (
        (good, "utf-16"),
        (good.replace("##END=", "  ##END"), "utf-8"),
        (good.replace("XUNITS=1/CM", "XUNITS= CM-1"), "utf-8-sig"),
    ):
        path.write_bytes(text.encode(encoding))
        check(path)
    other = good.replace("=film", "=other").replace(str(Y[0]), "")
    path.write_text(f"##TITLE=two\n##DATA TYPE=LINK\n##BLOCKS=2\n{good}{other}##END=\n")
    assert [s.label for s in read_infrared(path)] == ["film", "other"]
    microns = "\n".join(f"{1e4 / x:.6f}, {y:.6f}" for x, y in zip(X, Y, strict=True))
    jcamp(path, microns, 1.0)
    text = path.read_text().replace("1/CM", "MICROMETERS").replace("(X++(Y..Y))", "(XY..XY)")
    path.write_text(text)
    s = read_infrared(path)[0]
    assert s.wavenumber_cm1 == pytest.approx(X[::-1], abs=2e-2)
    commas = text.replace(f"FIRSTX={X[0]}", "FIRSTX=2,5").replace(", ", ";").replace(".", ",")
    path.write_text(commas.replace("(XY,,XY)", "(XY..XY)").replace(";", ", "))
    assert read_infrared(path)[0].values == pytest.approx(s.values)


def opus_block(parameters):
    """Parameters of an OPUS file: names of three letters, type 0 integer, 1 float, 2 text, length
    in words.
    """
    out = b""
    for name, value in parameters.items():
        if isinstance(value, int):
            kind, body = 0, struct.pack("<i", value)
        elif isinstance(value, float):
            kind, body = 1, struct.pack("<d", value)
        else:
            body = value.encode("latin-1") + b"\0"
            kind, body = 2, body + bytes(-len(body) % 2)
        out += name.encode() + b"\0" + struct.pack("<hh", kind, len(body) // 2) + body
    return out + b"END\0" + struct.pack("<hh", 0, 0)


def opus(path, kind):
    """A file with one result spectrum: a directory, its values, their description, and the sample's
    name.
    """
    status = {"DPF": 1, "NPT": len(X), "FXV": float(X[0]), "LXV": float(X[-1]), "CSF": 1.0}
    status |= {"MXY": 1.0, "MNY": 0.0, "DAT": "28/11/2026", "TIM": "12:00:00.000", "DXU": "WN"}
    y, code = Y if kind == 4 else 10**-Y, 1 if kind == 1 else 3
    blocks = [
        ((3, code, 0, kind, 0, 0), y.astype("<f4").tobytes()),
        ((3, code, 1, kind, 0, 0), opus_block(status)),
        ((0, 0, 10, 0, 0, 0), opus_block({"SNM": "film"})),
    ]
    at = 24 + 12 * (len(blocks) + 1)
    entries, body = [((0, 0, 0, 13, 0, 0), 12 * (len(blocks) + 1), 24)], b""
    for key, content in blocks:
        content += bytes(-len(content) % 4)
        entries.append((key, len(content), at + len(body)))
        body += content
    directory = b""
    for key, size, start in entries:
        word = 0
        for value, shift in zip(key, (0, 2, 4, 10, 17, 19), strict=True):
            word |= value << shift
        directory += struct.pack("<III", word, size // 4, start)
    head = b"\x0a\x0a\xfe\xfe" + struct.pack("<dIII", 920622.0, 24, 40, len(entries))
    path.write_bytes(head + directory + body)


def test_opus(tmp_path):
    path = tmp_path / "film.0"
    opus(path, 4)
    check(path)
    (s,) = read_infrared(path)
    assert (s.label, s.quantity) == ("film", "absorbance")
    opus(path, 5)
    assert read_infrared(path)[0].quantity == "transmittance"
    check(path)
    opus(path, 1)  # the sample's single channel is no result
    with pytest.raises(FormatError, match=r"expected one of absorbance.*found Sample Spectrum"):
        read_infrared(path)


@pytest.mark.parametrize(
    "text, said",
    [
        ("wavelength (nm),A\n", "wavenumbers"),
        ("wavenumber,a,wavenumber,b\n", "a second one"),
        ("", "a second one"),
    ],
)
def test_columns_that_are_no_infrared_spectra(tmp_path, text, said):
    path = tmp_path / "a.csv"
    two = "nm" not in text
    path.write_text(
        text + "".join(f"{x},{y}" + f",{x},{y}" * two + "\n" for x, y in zip(X, Y, strict=True))
    )
    with pytest.raises(FormatError, match=said):
        read_infrared(path)


def test_every_line_of_a_text_spectrum_is_accounted_for(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "# film 3\nResolution: 4 cm-1\nwavenumber (cm-1),A\n"
        + "".join(f"{x},{y}\n" for x, y in zip(X, Y, strict=True))
    )
    (s,) = read_infrared(path)
    assert s.account.counts == {"head": 1, "key": 1, "comment": 1, "data": len(X)}


@pytest.mark.parametrize(
    ("head", "first"),
    [("wavenumber", 600.0), ("Wavenumber (cm-1)", 600.0), ("wavelength (um)", 1e4 / 620)],
)
def test_a_wavenumber_is_not_a_micrometre(tmp_path, head, first):
    """The letters of the unit stand alone: `wavenumber` holds `um` too."""
    rows = "".join(f"{600 + 2 * i},0.{i:02d}\n" for i in range(11))
    (tmp_path / "a.csv").write_text(f"{head},absorbance\n{rows}", encoding="utf-8")
    (spectrum,) = read_infrared(tmp_path / "a.csv")
    assert spectrum.wavenumber_cm1[0] == pytest.approx(first)


def spc_of(values, axis: int = 1, ordinate: int = 2, version: bytes = b"K") -> bytes:
    """A Galactic file of one spectrum of 32-bit floats over an even axis, from 4000 down."""
    head = struct.pack(
        "<BcbbiddiBB", 0, version, 0, -128, len(values), 4000.0, 400.0, 1, axis, ordinate
    )
    sub = struct.pack("<BbHfffIIf4x", 0, -128, 0, 0.0, 0.0, 0.0, 0, 0, 0.0)
    return head.ljust(512, b"\0") + sub + np.asarray(values, "<f4").tobytes()


def test_galactic_spc_over_wavenumbers_is_infrared(tmp_path):
    """Read with spc-io, asked for where that is missing; another axis is no infrared spectrum."""
    path, values = tmp_path / "a.spc", np.linspace(0.1, 0.5, 40)
    path.write_bytes(spc_of(values, axis=3))
    assert not is_infrared(path)
    path.write_bytes(spc_of(values))
    assert is_infrared(path)
    try:
        import spc_io  # noqa: F401
    except ImportError:
        with pytest.raises(FormatError, match=r"peled\[spc\]"):
            read_infrared(path)
        return
    (found,) = read_infrared(path)
    assert found.quantity == "absorbance"
    assert found.wavenumber_cm1 == pytest.approx(np.linspace(400, 4000, 40))
    assert found.values == pytest.approx(values[::-1])
    path.write_bytes(spc_of(values, version=b"M"))
    with pytest.raises(FormatError, match="4B of SPC"):
        read_infrared(path)


def test_spectra_without_names_are_told_by_their_numbers(tmp_path):
    """Columns without heads: each is a row of its own, `films 1` is not the eleventh too."""
    path = tmp_path / "films.csv"
    np.savetxt(path, np.column_stack([X, *(Y * k for k in range(1, 12))]), delimiter=",")
    found = read_infrared(path)
    assert [s.label for s in found] == [f"films {k}" for k in range(1, 12)]
    assert found[10].values == pytest.approx(11 * Y[::-1])
    sheet = read_sheet(tmp_path, "structure", sniff=sniff)
    assert [row.part for row in sheet] == [s.label for s in found]
    first = next(iter(sheet))
    assert rows.READERS["ftir"](path, first).values == pytest.approx(Y[::-1])
    with pytest.raises(FormatError, match="found 0 of 'films 1', 'films 2'"):
        rows.READERS["ftir"](path, replace(first, part="foil"))
