"""A laboratory's own stack: table of layers, spectrum, profile, sensitivity, and the picture."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from peled.formats import FormatError
from peled.lab.live import lay_out, picture
from peled.led import drawers
from peled.led.analyse import analyse, sniff
from peled.led.ceiling import Layer, Stack, emission, read_stack
from peled.led.explore import OTHERS
from peled.led.outcoupling import Assumed, depths, limit, lines, scan, slopes, taken_back
from peled.samples import read_sheet

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "lib" / "peled" / "examples" / "led" / "stack.csv"


@pytest.fixture(scope="module")
def stack():
    return read_stack(EXAMPLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    shutil.copy(EXAMPLE, folder)
    (folder / "samples.csv").write_text("measurement,file\nstack,stack.csv\n")
    return folder


def test_a_table_says_the_same_as_yaml(tmp_path):
    yaml = read_stack(ROOT / "data" / "led" / "device.yaml")
    rows = ["name,role,thickness_nm,n,k,wavelength_nm"]
    for x in yaml.layers:
        nm = yaml.wavelength_nm if x.role == "emitter" else ""
        thick = "" if x.thickness_nm is None else x.thickness_nm
        rows.append(f"{x.name},{x.role},{thick},{x.n!r},{x.k!r},{nm}")
    (tmp_path / "s.csv").write_text("\n".join(rows))
    own = emission(read_stack(tmp_path / "s.csv"))
    # The same stack by an independent code with tmm: Purcell factor 1.18994867, into air .27432.
    assert own.outcoupling == pytest.approx(0.27432, abs=1e-5)
    assert own.purcell == pytest.approx(1.18994867, abs=1e-6)


def test_tables_that_are_none_are_refused_by_layer(tmp_path):
    text = EXAMPLE.read_text()
    for old, new, said in (
        ("HTL,hole,40", "HTL,hole,forty", "a number"),
        ("nanocrystals,emitter", "nanocrystals,hole", "one layer with the role emitter"),
        ("653,36", ",36", "wavelength_nm"),
        ("Al_Rakic", "unobtainium", "a table of n and k"),
    ):
        assert old in text
        (tmp_path / "s.csv").write_text(text.replace(old, new))
        with pytest.raises(FormatError, match=said):
            read_stack(tmp_path / "s.csv")


def test_without_interfaces_all_light_leaves_whatever_the_thickness():
    layers = [Layer("space", 1.0, 0.0, None, "substrate")]
    layers += [Layer(name, 1.0, 0.0, 50.0, name) for name in ("hole", "emitter", "electron")]
    empty = Stack(tuple(layers), 600.0, fwhm_nm=40.0)
    for assumed in (Assumed(), Assumed(vertical=0.0, profile_nm=5.0)):
        found = limit(empty, assumed)
        assert found.outcoupling == pytest.approx(1, abs=2e-3)
        assert found.purcell == pytest.approx(1, abs=2e-3)
    assert all(abs(v) < 1e-5 for v in slopes(empty).values()) and taken_back(empty) == 0


def test_a_spectrum_is_the_mean_over_its_lines_by_rate(stack):
    narrow = replace(stack, fwhm_nm=0.0)
    assert limit(narrow).outcoupling == pytest.approx(float(emission(narrow).outcoupling), rel=2e-3)
    assert np.mean(lines(stack)) == pytest.approx(653) and 25 < np.ptp(lines(stack)) < 45
    each = [limit(narrow.at(nm)) for nm in lines(stack)]
    rate = np.array([e.purcell for e in each])
    mean = rate @ np.array([e.outcoupling for e in each]) / rate.sum()
    assert limit(stack).outcoupling == pytest.approx(float(mean), rel=1e-9)
    # A table has its value at each wavelength: aluminium is not the same over 100 nm.
    assert stack.at(600.0)["cathode"].k != stack["cathode"].k


def test_a_profile_has_its_own_mean_and_ends():
    for length in (3.0, 20.0, 1e6):
        d = 30.0
        mean = length - d / np.expm1(d / length) if length < 1e5 else d / 2
        assert d * (1 - depths(length, d)).mean() == pytest.approx(mean, rel=0.08)
        np.testing.assert_allclose(depths(-length, d), 1 - depths(length, d))
    assert depths(0.0, 30.0) is None


def test_slopes_are_those_of_the_scan(stack):
    each = slopes(stack)
    for name in ("HTL", "ETL"):
        nm = stack[name].thickness_nm + np.array([-2.0, 0.0, 2.0])
        low, _, high = scan(stack, name, nm).outcoupling
        assert each[name] == pytest.approx((high - low) / 4, rel=0.05, abs=3e-5)
    assert abs(each["Al"]) < 1e-4  # thicker than its skin depth


def test_the_folder_gives_limits_with_what_they_hang_on(folder):
    report = analyse(read_sheet(folder, "led", sniff=sniff), {"internal_yield": 0.6})
    out, eqe = report.select(name="outcoupling") + report.select(name="EQE limit")
    stack = report.found["stack"].stack
    assert eqe.value == pytest.approx(float(limit(stack, Assumed(internal_yield=0.6)).eqe))
    assert 0.4 * out.value < eqe.value < out.value and out.standard_error > 0
    assert "a nm" in out.note and set(out.budget) == {"thicknesses", "dipoles"}
    unstated = analyse(read_sheet(folder, "led", sniff=sniff)).select(name="EQE limit")[0]
    assert "internal_yield is not stated" in unstated.reasons
    assert list(report.found["stack"].slopes) == [layer.name for layer in stack.layers[1:]]


def test_without_a_limit_there_is_no_panel_of_it(folder, monkeypatch):
    """An index table that ends before the emission is a problem of that file, not of the report."""

    def outside(*_):
        raise ValueError("620 nm lies outside the table")

    monkeypatch.setattr("peled.led.outcoupling.slopes", outside)
    report = analyse(read_sheet(folder, "led", sniff=sniff))
    assert any("outside the table" in str(p) for p in report.problems)
    assert not report.found["stack"].slopes
    assert "stack" not in [panel.name for panel in drawers.stacks(report)]


def test_a_thinner_layer_answers_at_once(folder):
    sheet = read_sheet(folder, "led", sniff=sniff)
    explorer = OTHERS["stack"](sheet, analyse(sheet))
    explorer.update()
    lay_out(explorer.figure)
    before = explorer.said.get_text()
    spent = []
    for nm in (30.0, 35.0, 50.0):
        start = time.process_time()
        explorer.choose(thickness_nm=nm)
        picture(explorer.figure)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.2 and "50 nm" in explorer.said.get_text() != before
    explorer.choose(layer="HTL")
    assert explorer.chosen["thickness_nm"] is None and "HTL" in explorer.said.get_text()
    shown = float(scan(report_stack(explorer), "HTL", [45.0, 46.0]).eqe[0])
    for beyond in (-1.0, 1e5, float("nan")):
        with pytest.raises(ValueError, match="nm of HTL, found"):
            explorer.choose(thickness_nm=beyond)
        assert explorer.chosen["thickness_nm"] is None
    explorer.choose(thickness_nm=(45.0, 0.0))
    assert f"{100 * shown:.1f} %" in explorer.said.get_text()


def report_stack(explorer):
    return explorer.stacks[explorer.chosen["stack"]]
