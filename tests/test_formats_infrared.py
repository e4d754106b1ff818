"""Infrared readers: the same spectrum from .spa, .dpt, .jdx in its packings, and text."""

import struct

import numpy as np
import pytest

from peled.formats import FormatError
from peled.formats.infrared import read_infrared

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
        f"##TITLE=film\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=1/CM\n##YUNITS={units}\n##XFACTOR=1.0\n##YFACTOR={factor}\n##FIRSTX={X[0]}\n##LASTX={X[-1]}\n"
        f"##NPOINTS={points}\n##XYDATA=(X++(Y..Y))\n{data}\n##END=\n"
    )


def integers():
    return np.round(Y * 1e6).astype(int)


def affn():
    v = integers()
    return "\n".join(f"{X[i]:.1f} " + " ".join(map(str, v[i : i + 8])) for i in range(0, len(v), 8))


def difdup():
    """Differences, with runs of equal differences counted, and the check value at the head of each line."""
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
    with pytest.raises(FormatError, match=r"check value|NPOINTS|JCAMP-DX values"):
        read_infrared(path)


def test_axes_that_turn_back_and_transmittance_below_zero(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "wavenumber,T (%)\n" + "\n".join(f"{x},{100 if i else -1}" for i, x in enumerate(X))
    )
    with pytest.raises(FormatError, match="positive transmittance"):
        read_infrared(path)[0].absorbance  # noqa: B018
    x = X.copy()
    x[100:] += 500
    path.write_text("wavenumber,A\n" + "\n".join(f"{a},{b}" for a, b in zip(x, Y, strict=True)))
    with pytest.raises(FormatError, match="one order"):
        read_infrared(path)
