"""JCAMP-DX apart from NMR and infrared: optical spectra over wavelength, and files that are of
neither kind.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from peled.formats import FormatError, nmr
from peled.formats.diffraction import read_pattern, read_patterns
from peled.formats.infrared import read_infrared
from peled.formats.spectra import read_each

X = np.linspace(400.0, 700.0, 61)
Y = 0.2 + np.exp(-0.5 * ((X - 520) / 20) ** 2)


FAILING = Path(
    os.environ.get("PELED_FAILING", Path(__file__).resolve().parents[2] / "shared" / "failing")
)


@pytest.mark.skipif(not FAILING.is_dir(), reason="the failing files are not here")
def test_failing_files_of_nmr_and_structure_are_read():
    folder = FAILING / "nmr_structure"
    numbers = [100, 200, 300, 512, 600, 700]
    np.testing.assert_array_equal(nmr.read(folder / "sqz_lone_E.jdx").intensity, numbers)
    (infrared,) = read_infrared(folder / "ir_blank_before_END.jdx")
    np.testing.assert_array_equal(infrared.values, np.arange(1.0, 13))
    assert len(read_pattern(folder / "mini.rasx").intensity) == 500
    scans = read_patterns(folder / "multi.brml")
    assert [p.label for p in scans] == ["scan 1", "scan 2"]
    for p in (*scans, read_pattern(folder / "co_kalpha_no_wavelength.xy")):
        with pytest.raises(FormatError, match=r"wavelength_A .* or anode"):
            p.radiation_A  # noqa: B018


def block(title, x, y, *, unit="NANOMETERS", ordinate="ABSORBANCE", comma=False):
    rows = "\n".join(f"{a:.2f}, {b:.5f}" for a, b in zip(x, y, strict=True))
    head = f"##FIRSTX= {x[0]:.2f}\n##LASTX= {x[-1]:.2f}\n##XYPOINTS= (XY..XY)\n{rows}\n"
    head = head.replace(".", ",").replace("XY,,XY", "XY..XY") if comma else head
    return (
        f"##TITLE= {title}\n##JCAMP-DX= 5\n##DATA TYPE= UV/VIS SPECTRUM\n##XUNITS= {unit}\n"
        f"##YUNITS= {ordinate}\n##NPOINTS= {len(x)}\n{head}##END=\n"
    )


def linked(*blocks):
    return "##TITLE= all\n##DATA TYPE= LINK\n##BLOCKS= 3\n" + "".join(blocks) + "##END=\n"


@pytest.mark.parametrize("comma", [False, True])
def test_blocks_of_a_spectrometer_with_decimal_points_and_commas(tmp_path, comma):
    path = tmp_path / "a.jdx"
    blocks = [block(name, X, k * Y, comma=comma) for k, name in enumerate(("one", "two"), 1)]
    path.write_text(linked(*blocks, block("other axis", X[::-2], Y[::-2], comma=comma)))
    together, other = read_each(path)
    assert together.labels == ("one", "two") and together.value_unit == "absorbance"
    np.testing.assert_allclose(together.x, X)
    np.testing.assert_allclose(together.values, [Y, 2 * Y], atol=1e-5)
    np.testing.assert_allclose(other.x, X[::2])
    np.testing.assert_allclose(other.values[0], Y[::2], atol=1e-5)


def test_transmittance_in_one_unit(tmp_path):
    path = tmp_path / "a.jdx"
    for ordinate, factor in (("TRANSMITTANCE", 1.0), ("Transmission (%)", 100.0)):
        film = block("film", X, factor * 10**-Y, ordinate=ordinate)
        path.write_text(linked(film, block("film", X, Y, ordinate="VARIANCE")))
        found, other = read_each(path)
        assert other.value_unit == "variance"  # on the same axis, and no second transmittance
        assert found.value_unit == "transmittance_percent"
        np.testing.assert_allclose(found.values[0], 100 * 10**-Y, atol=2e-3)


def test_others_are_refused_by_name_and_damage_by_place(tmp_path):
    path = tmp_path / "a.jdx"
    for kind, unit in (("MASS", "M/Z"), ("INFRARED", "1/CM"), ("RAMAN", "1/CM"), ("NMR", "HZ")):
        path.write_text(block("film", X, Y, unit=unit).replace("UV/VIS", kind))
        with pytest.raises(FormatError, match=f"found {kind} SPECTRUM over {unit}"):
            read_each(path)
    good = block("film", X, Y)
    for old, new, message in (
        ("405.00, ", "4O5.00, ", "line 11: expected groups of 2 numbers"),
        ("405.00, 0.2", "405.00, , 0.2", None),
        ("405.00, ", "405.00 ", None),
        ("NPOINTS= 61", "NPOINTS= 62", "62 points.*found 61"),
        ("405.00, ", "400.00, ", "rises or falls throughout"),
        ("##END=", "", "the end of the file"),
    ):
        path.write_text(good.replace(old, new))
        if message is None:
            np.testing.assert_allclose(read_each(path)[0].x, X)
            continue
        with pytest.raises(FormatError, match=message):
            read_each(path)
