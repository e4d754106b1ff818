"""The paper's LEDs: a sheet through the analysis, panels as data, one function a claim."""

import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from hassan2021 import led
from hassan2021.desk import Checks, Missing, rows
from hassan2021.panels import led as panels
from hassan2021.simulate import led as simulate
from hassan2021.verdicts import led as verdicts
from ledger import paper
from ledger.files import ROOT
from peled.lab.live import picture
from peled.led import ceiling, photometry, plots
from peled.led.analyse import analyse, sniff
from peled.report import Report
from peled.samples import read_sheet

DATA = ROOT / "data" / "led"
KEPT = ("sweeps/fig3_*", "spectra/fig3_*", "lifetime/*_1mA.csv", "batch/EG_0[1-7].csv",
        "spectra/batch_*", "device.yaml", "samples.csv")  # fmt: skip
LIMIT = ceiling.Ceiling(0.27, 0.18, 0.30, 0.15, 0.41, (("as described", 0.27),), 1.1)


def evidence_of(folder):
    sheet = read_sheet(folder, "led", sniff=sniff)
    stack = ceiling.read_stack(DATA / "device.yaml")
    points = led.printed_points(620.0, 35.0)
    return led.Evidence(sheet, analyse(sheet), stack, LIMIT, 0.878, points)


def folder_of(tmp, *patterns):
    for pattern in patterns:
        for path in DATA.glob(pattern):
            target = tmp / path.relative_to(DATA)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    return tmp


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """The devices of Fig. 3, a lifetime and seven devices of the batch, in a folder of their
    own."""
    return evidence_of(folder_of(tmp_path_factory.mktemp("led"), *KEPT))


class Desk:
    """Keeps what a room would."""

    def __init__(self):
        self.checked, self.lost = {}, {}

    def check(self, claim_id, found=None, standard_error=0.0, *, route="", **options):
        verdict = paper.judge(claim_id, found, standard_error, route=route, **options)
        self.checked[claim_id, route] = verdict

    def not_testable(self, claim_id, why):
        self.lost[claim_id] = why


def judged(evidence):
    desk = Desk()
    verdicts.judge_all(desk, evidence)
    return desk


# ---- numbers -------------------------------------------------------------------------------------


def test_peaks_are_those_put_in(some):
    for sample in ("fig3_EG", "fig3_neat"):
        q = some.quantity(sample, "peak EQE")
        low, high = q.bounds
        assert low <= 100 * simulate.DEVICES[sample].peak_eqe <= high, str(q)
    shift = some.quantity("fig3_EG", "hysteresis (down − up)")
    assert shift.value == pytest.approx(0.02, abs=0.005)


def test_spectra_of_a_row_without_a_sample_serve_their_group_alone(some):
    """The batch has the spectra of one of its devices, and the error of that; Fig. 3 its own."""
    assert len(some.batch) == 7
    for q in some.batch:
        assert q.budget["spectrum of another device"] > 0.02 * q.value
    own = some.quantity("fig3_EG", "peak EQE")
    assert "spectrum of another device" not in own.budget
    lonely = evidence_of_group(some, "another batch")
    assert all(q.value is None for q in lonely.select(name="peak EQE", sample="EG_01"))


def evidence_of_group(some, group):
    folder = some.sheet.folder
    text = (folder / "samples.csv").read_text(encoding="utf-8")
    line = ",el_series,spectra/batch_EG_current.csv,,E+G batch"
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    for path in [*other.glob("batch/EG_0[2-7]*"), *other.glob("*/fig3_*")]:
        path.unlink()
    (other / "samples.csv").write_text(text.replace(line, line.replace("E+G batch", group)))
    return analyse(read_sheet(other, "led", sniff=sniff))


def test_colours_cover(some):
    """Distances to the standard reds with the errors that the spectra leave."""
    j = some.curve("fig3_EG").peak.current_density_mA_cm2
    spectrum = simulate.emission(simulate.EMITTERS["EG"], *simulate.driven("EG", np.array([j])))
    true = photometry.colour(simulate.WAVELENGTH_NM, spectrum[0])
    found = some.colour("fig3_EG")
    for red, distance in true.distance.items():
        value, error = found[red]
        assert 0 < error < 2e-3 and abs(value - distance) < 3 * error


def test_wider_axis_left_the_bands_as_they_were():
    """The noise of the points from 540 to 780 nm is drawn first."""
    flat = np.ones((3, simulate.WAVELENGTH_NM.size))
    inner = np.random.default_rng(1).standard_normal((3, int(simulate.BANDS.sum())))
    got = simulate.noisy(flat, np.random.default_rng(1), 0.1)[:, simulate.BANDS]
    np.testing.assert_allclose(got, 1 + 0.1 * inner * np.sqrt(1.1))


# ---- claims --------------------------------------------------------------------------------------


def test_every_claim_of_the_room_has_a_function_or_a_reason():
    known = {check.claim for check in verdicts.claims} | set(verdicts.claims.not_testable)
    assert {c.id for c in paper.claims().values() if c.topic == "led"} <= known
    routes = [(check.claim, check.route) for check in verdicts.claims]
    assert len(set(routes)) == len(routes)


def test_what_the_folder_lacks_is_not_testable_and_says_why(some):
    desk = judged(some)
    assert "ed5_EDTA" in desk.lost["C050"] and "ed7_OA" in desk.lost["C257"]
    assert desk.checked["C004", "peak of the sweep"].source_kind == "measured"  # no catalogue there
    assert ("C064", "crossing of L0/2") in desk.checked and "C063" in desk.lost


def test_a_folder_that_names_no_doi_has_no_verdict_on_its_files(some):
    sheet = replace(some.sheet, rows=tuple(replace(r, doi="") for r in some.sheet.rows))
    desk = judged(replace(some, sheet=sheet))
    assert "DOI" in desk.lost["C057"] and ("C004", "peak of the sweep") not in desk.checked
    assert desk.checked["C003", "common band of L0, J, EQE0"].verdict == "agrees"  # no file needed


@pytest.mark.parametrize("scale,holds", [(1.0, True), (0.5, False)])
def test_a_dimmer_device_turns_the_verdict(some, scale, holds):
    """Found values come from the report, not from what is expected."""
    moved = tuple(
        replace(q, value=scale * q.value, parts={}) if q.name == "peak EQE" and q.value else q
        for q in some.report.quantities
    )
    desk = judged(replace(some, report=replace(some.report, quantities=moved)))
    assert (desk.checked["C004", "peak of the sweep"].verdict == "agrees") == holds


def test_a_lower_ceiling_turns_the_bound(some):
    low = replace(LIMIT, central=0.12, low=0.10, high=0.13)
    found = judged(replace(some, ceiling=low)).checked["C056", "optical ceiling"]
    assert found.verdict == "disagrees"
    # The real one lies so near that it would have let the rival pass, too.
    assert judged(some).checked["C056", "optical ceiling"].verdict == "inconclusive"


def printed_otherwise():
    """Operating points and lifetimes as their rivals would print them, one at a time."""
    for claim_id in ("C056", "C057", "C064", "C066", "C259", "C261", "C262", "C264"):
        for other in paper.claim(claim_id).flipped():
            if all(p.value > 0 for p in other.printed):
                yield pytest.param(other, id=f"{claim_id}={other.value}")


@pytest.mark.parametrize("other", printed_otherwise())
def test_another_printed_number_stops_nothing(some, other, monkeypatch):
    real = paper.claim
    monkeypatch.setattr(paper, "claim", lambda c: other if c == other.id else real(c))
    points = led.printed_points(620.0, 35.0)
    desk = judged(replace(some, points=points))
    assert {c for c, _ in desk.checked} | set(desk.lost) >= {
        check.claim for check in verdicts.claims
    }


# ---- panels --------------------------------------------------------------------------------------


def test_panels_of_the_paper_are_all_in_the_table():
    described = {
        p.name
        for p in paper.panels().values()
        if p.topic == "led" and not p.plotted.startswith("not described")
    }
    assert set(panels.PANELS) == described


def test_rows_of_every_panel_are_in_the_bundled_sheet():
    sheet = read_sheet(DATA, "led", sniff=sniff)
    bundled = led.Evidence(sheet, Report("led", ""), None, LIMIT, 0.9, None)
    for name, panel in panels.PANELS.items():
        for wanted in panel.rows:
            if wanted.get("measurement") == "el_series" and name in ("ed5a", "ed5b", "ed5c"):
                continue
            assert rows(bundled, **wanted), (name, wanted)


def test_panel_of_what_is_not_there_says_so(some):
    saved = {}

    class Room:
        def panel(self, name, title="", ncols=1, **size):
            figure = Figure()
            return figure, figure.subplots(1, ncols)

        def save(self, figure, name, inputs=(), **more):
            saved[name] = figure, list(inputs)

    panels.show(Room(), some, "fig3d", "ed7h", "fig3f")
    words = [t.get_text() for ax in saved["ed7h"][0].axes for t in ax.texts]
    assert any("ed7_OA" in w for w in words) and not saved["ed7h"][1]
    assert {p.name for p in saved["fig3d"][1]} == {
        "fig3_EG.csv", "fig3_neat.csv", "fig3_EG_current.csv", "fig3_neat_current.csv"
    }  # fmt: skip
    assert len(saved["fig3f"][0].axes) == 2


def test_loss_channels_answer_at_once():
    """A slider's answer with its picture: the artists move, and they show what was calculated."""
    stack = ceiling.read_stack(DATA / "device.yaml")
    scan = np.linspace(20, 140, 13)
    channels = plots.LossChannels(scan, "nm")
    for nm in (20.0, 40.0):
        made = stack.change("emitter", thickness_nm=nm).change("TPBi", thickness_nm=scan)
        emitted = ceiling.emission(made, tolerance=1e-3)
        channels.move(emitted, 70.0, "")
    top = channels.bands[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(100 * emitted.air_bottom.max())
    spent = []
    for _ in range(3):
        start = time.process_time()
        channels.move(ceiling.emission(made, tolerance=1e-3), 60.0, "")
        picture(channels.figure)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.2


def test_a_claim_that_one_route_reaches_is_not_called_untestable_for_another():
    checks, room = Checks({"C001": "nothing to test with"}), Desk()

    @checks("C057", "first", value=1.5)
    def seen(evidence, value):
        return {"found": value, "standard_error": 0.1}

    @checks("C057", "second")
    @checks("C058")
    def lost(evidence):
        raise Missing("no such file")

    @checks("C061")
    def foreign(evidence):
        return {"found": 1.0, "kind": "measured"}

    checks.judge(room, None, own=False)
    assert [check.route for check in checks] == ["first", "", "second", ""]
    assert set(room.checked) == {("C057", "first")}
    assert room.lost == {
        "C001": "nothing to test with",
        "C058": "no such file",
        "C061": "the sample sheet does not name the paper's DOI",
    }
