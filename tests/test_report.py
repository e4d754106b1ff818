"""Reports: what they print, compare, draw and export, and the command line."""

import csv
import html
import importlib
import io
import json
import math
import re
import sys
import types
import warnings
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

import peled
from peled import report as pr
from peled.cli import main
from peled.quantities import Finding, Quantity, quantity
from peled.report import groups, pdf
from peled.report.text import as_text
from peled.samples import read_sheet

SCHEMA = json.loads((Path(peled.__file__).parent / "tables/report.schema.json").read_text("utf-8"))
DOUBT = Finding("assumed", "doubtful", "joined by name", "d2.csv")
GONE = Finding("signal", "withheld", "the photopic integral is 0.8, 0.8 times its error", "d3.csv")


def eqe(sample, value, *findings, error=0.2, **others):
    budget = {"counting": error} if value is not None else {}
    return Quantity("EQE", sample, value, budget, "%", findings=findings, **others)


def panels(report):
    def draw(figure):
        figure.subplots().plot([1, 2])

    def fail(figure):
        raise RuntimeError("no axis")

    for sample in report.samples:
        yield pr.Panel("jvl", draw, sample, "J-V-L")
        yield pr.Panel("el", fail, sample, "EL")
    yield pr.Panel("all", draw, title="All")


def example():
    groups = {"d1": "control", "d2": "control", "d3": "control", "d4": "control"}
    groups |= {"_e1 (a)": "treated", "=e2": "treated", "e3": "treated"}
    values = [11.8, 12.4, None, 12.1, 16.2, 17.4, 17.9]
    found = [(), (DOUBT,), (GONE,), (), (), (), ()]
    quantities = [eqe(s, v, *f) for s, v, f in zip(groups, values, found)]
    quantities += [
        Quantity("T50", "d1", 190.0, {"fit": 12.0}, "min", interval=(170.0, 222.0), state="drive"),
        Quantity("T50", "d2", 500.0, {}, "min", relation=">", state="drive"),
        Quantity(
            "peak", "d1", 642.13, {"fit": 0.04}, "nm", kind="literature", inputs=("sha256:1",)
        ),
    ]
    return pr.Report(
        "led",
        "sha256:0123",
        tuple(quantities),
        groups,
        problems=(pr.Problem("notes.txt", "not in the sheet"),),
        settings={"area_cm2": 0.045},
        drawers=(panels,),
    )


def small():
    return pr.Report("led", "", (eqe("d1", 11.8),), {"d1": ""}, drawers=(panels,))


# ---- tables --------------------------------------------------------------------------------------


def test_text_and_html_say_value_doubt_and_reason():
    report = example()
    for text in (" ".join(str(report).split()), html.unescape(report._repr_html_())):
        for said in ("11.80±0.20 %", "photopic integral", "joined by name", "> 500 min",
                     "170 to 222", "642.13±0.04 nm", "not in the sheet", "literature"):  # fmt: skip
            assert said in text, said
    assert max(map(len, str(report).splitlines())) < 180
    assert (
        "<script"
        not in pr.Report("led", "", (eqe("<script>", 1.0),), {"<script>": ""})._repr_html_()
    )


def test_a_withheld_number_appears_nowhere():
    report = pr.Report("led", "", (eqe("d1", 97.6).found(GONE),), {"d1": ""})
    for text in (
        str(report),
        report._repr_html_(),
        report_json(report),
        pr.to_csv(report).decode(),
    ):
        assert "97.6" not in text and "photopic integral" in text


def report_json(report):
    return json.dumps(pr.record(report), allow_nan=False)


def test_a_report_of_holdings_names_all_that_was_set_aside():
    def row(sample, group="", role="sample"):
        return types.SimpleNamespace(sample=sample, group=group, role=role, label=f"{sample}.csv")

    rows = [row("d1"), row("d1", "control"), row("d2", "treated"), row("d2", "control"),
            row(""), row("x", role="ignore")]  # fmt: skip
    sheet = types.SimpleNamespace(
        topic="led", digest="sha256:9", rows=rows, messages=["line 3: sampel"], unlisted=["b.csv"]
    )
    held = [types.SimpleNamespace(row=types.SimpleNamespace(file="d1.csv"), digest="sha256:7")]
    lost = [(rows[0], "no column of voltage")]
    holdings = types.SimpleNamespace(sheet=sheet, held=held, problems=lost)
    mine = [pr.Problem("d2.csv", "saturated")]
    report = pr.from_holdings(holdings, [eqe("d1", 3.0)], problems=mine, settings={"a": 1})
    assert (report.topic, report.sheet, report.settings) == ("led", "sha256:9", {"a": 1})
    assert report.groups == {"d1": "control", "d2": "treated"}
    assert report.inputs == {"d1.csv": "sha256:7"}
    said = " | ".join(map(str, report.problems))
    for part in ("sampel", "treated and control", "no column of voltage", "b.csv", "saturated"):
        assert part in said


def test_an_empty_report_is_one():
    report = pr.Report("led", "sha256:0")
    assert "(nothing)" in str(report) and report.panels() == () and report.comparisons == ()
    jsonschema.validate(pr.record(report), SCHEMA)


# ---- groups --------------------------------------------------------------------------------------


def summaries(control, treated, name="EQE"):
    quantities = [eqe(f"c{i}", v) for i, v in enumerate(control)]
    quantities += [eqe(f"t{i}", v) for i, v in enumerate(treated)]
    groups = {f"t{i}": "treated" for i in range(len(treated))}
    groups |= {f"c{i}": "control" for i in range(len(control))}
    return pr.summarise(quantities, groups)


def test_group_statistics_count_what_they_leave_out():
    control, treated, *other = example().summaries
    assert (control.n, control.withheld, control.doubtful) == (3, 1, 1)
    assert control.median == 12.1 and control.mean == pytest.approx(12.1)
    assert treated.standard_deviation == pytest.approx(np.std([16.2, 17.4, 17.9], ddof=1))
    assert (treated.lowest, treated.highest) == (16.2, 17.9)
    life = next(s for s in other if s.name == "T50")
    assert (life.n, life.limits, life.mean) == (1, 1, None)


def test_a_sample_counts_once_however_often_it_was_swept():
    twice = [eqe("c0", 10.0), eqe("c0", 12.0), eqe("c1", 9.0), eqe("c2", 14.0)]
    (s,) = pr.summarise(twice, {"c0": "a", "c1": "a", "c2": "a"})
    assert s.n == 3 and s.values["c0"] == 11.0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_nothing_is_said_of_fewer_than_three(n):
    made = summaries([12.0, 12.5, 11.7, 12.2], [17.0, 18.0][:n])
    assert pr.compare(made) == ()
    assert all(s.mean is None and s.median is None for s in made if s.n < 3)


def test_welch_is_that_of_scipy_with_control_as_reference():
    a, b = [12.0, 12.5, 11.7, 12.2], [17.0, 18.3, 15.9]
    (c,) = pr.compare(summaries(a, b))
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert (c.reference, c.group, c.test) == ("control", "treated", "Welch")
    assert c.p == pytest.approx(expected.pvalue) and c.adjusted == c.p
    assert c.effect == pytest.approx(np.mean(b) - np.mean(a)) and c.effect > c.interval[0] > 0
    assert "n = 3 and 4" in str(c) and "Welch" in str(c) and f"p = {c.p:.2g}" in str(c)


@pytest.mark.parametrize("m, n", [(4, 5), (6, 6), (12, 8), (15, 20)])
def test_mann_whitney_interval_is_the_test_inverted(m, n):
    """A shift is inside the interval exactly where the test does not reject it at 5 %."""
    rng = np.random.default_rng(m)
    a, b = rng.normal(0, 1, m), rng.normal(1.5, 1, n)
    (c,) = pr.compare(summaries(a, b), "Mann-Whitney")
    assert c.p == pytest.approx(stats.mannwhitneyu(b, a, method="auto").pvalue)
    for shift, inside in ((c.interval[0], True), (c.interval[1], True)):
        inward = 1e-9 if shift == c.interval[0] else -1e-9
        for move, kept in ((inward, inside), (-inward, not inside)):
            p = stats.mannwhitneyu(b - shift - move, a, method="auto").pvalue
            assert (p > 0.05) == kept


def test_mann_whitney_of_three_and_three_reaches_no_95_percent():
    (c,) = pr.compare(summaries([1.0, 2.0, 3.0], [7.0, 8.0, 9.0]), "Mann-Whitney")
    assert c.p == pytest.approx(0.1) and c.interval == (-math.inf, math.inf)


@pytest.mark.parametrize("test", ["Welch", "Mann-Whitney"])
def test_groups_that_do_not_differ_are_called_different_at_five_percent(test):
    rng, false, covered = np.random.default_rng(11), 0, 0
    for _ in range(250):
        (c,) = pr.compare(summaries(rng.normal(10, 1, 6), rng.normal(10, 3, 9)), test)
        false += c.p < 0.05
        covered += c.interval[0] <= 0 <= c.interval[1]
    assert false / 250 < 0.1 and covered / 250 > 0.9


def test_several_groups_are_corrected_for():
    groups = {f"{g}{i}": g for g in ("a", "b", "c") for i in range(4)}
    rng = np.random.default_rng(0)
    quantities = [eqe(s, v) for s, v in zip(groups, rng.normal(10, 1, 12))]
    made = pr.compare(pr.summarise(quantities, groups))
    assert [c.group for c in made] == ["b", "c"] and {c.reference for c in made} == {"a"}
    low, high = sorted(made, key=lambda c: c.p)
    assert low.adjusted == pytest.approx(min(2 * low.p, 1))
    assert high.adjusted == pytest.approx(max(high.p, low.adjusted))
    assert "Holm" in str(low)


def test_groups_without_spread_are_not_compared():
    assert pr.compare(summaries([1.0] * 3, [2.0] * 3)) == ()


# ---- pictures and files --------------------------------------------------------------------------


def test_as_many_panels_as_samples_and_one_for_the_batch():
    made = example().panels()
    assert len(made) == 2 * 7 + 1 and [p.sample for p in made[:2]] == ["d1", "d1"]


def test_export(tmp_path):
    report = example()
    written = report.export(tmp_path / "new")
    assert [p.name for p in written] == ["led.csv", "led.json", "led.pdf"]
    record = json.loads(written[1].read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(record, SCHEMA)
    assert record["package"]["code"] == pr.code_digest()
    rows = list(csv.DictReader(io.StringIO(written[0].read_text("utf-8-sig"))))
    assert len(rows) == len(report.quantities)
    gone = next(r for r in rows if r["sample"] == "d3")
    assert (gone["value"], gone["status"], gone["standard_error"]) == ("", "withheld", "")
    assert "photopic" in gone["reasons"] and gone["group"] == "control"
    first = rows[0]
    assert float(first["low_95"]) == pytest.approx(11.8 - 1.96 * 0.2, abs=1e-3)
    assert first["budget"] == "counting 0.2" and first["sheet"] == "sha256:0123"
    assert next(r for r in rows if "e2" in r["sample"])["sample"] == "'=e2"
    limit = next(r for r in rows if r["relation"] == ">")
    assert (limit["low_95"], limit["high_95"], limit["standard_error"]) == ("500.0", "", "")
    data = written[2].read_bytes()
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") == 7 + 1


def test_export_gives_the_same_bytes(tmp_path):
    first, second = (
        [p.read_bytes() for p in small().export(tmp_path / name)] for name in ("a", "b")
    )
    assert first == second


@pytest.mark.parametrize("wrong", [
    {"status": "reported", "value": None},
    {"standard_error": 0},
    {"status": "withheld", "value": 3.0},
    {"kind": "guessed"},
])  # fmt: skip
def test_the_schema_refuses_what_may_not_be(wrong):
    record = pr.record(example())
    record["quantities"][0] |= wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, SCHEMA)


# ---- command line --------------------------------------------------------------------------------


class Sheet:
    source, digest = None, "sha256:5"

    def write_proposal(self, out):
        path = Path(out) / "samples.proposed.csv"
        path.write_text("sample\n", encoding="utf-8")
        return path


@pytest.fixture
def room(monkeypatch, tmp_path):
    """A topic `toy` whose analysis gives what the test puts into `answer`."""
    answer = {"report": small()}
    analyse = types.ModuleType("peled.toy.analyse")
    analyse.analyse = lambda sheet, settings: answer["report"]
    samples = types.ModuleType("peled.samples")
    samples.SheetError = type("SheetError", (ValueError,), {})

    def read_sheet(folder, topic, *, sniff, samples):
        if (Path(folder) / "broken").exists():
            raise sys.modules["peled.samples"].SheetError("samples.csv: line 3: sampel")
        return Sheet()

    samples.read_sheet = read_sheet
    for name, module in (("peled.toy.analyse", analyse), ("peled.samples", samples)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("peled.lab.folder.topics", lambda: ["toy"])
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return answer


def run(*arguments):
    return CliRunner().invoke(main, ["report", *arguments])


def test_the_command_prints_and_writes(room, tmp_path):
    done = run("toy", "data", "--out", "results")
    assert done.exit_code == 0, done.output
    assert "11.80±0.20 %" in done.output and "samples.proposed.csv" in done.output
    names = {p.name for p in (tmp_path / "results").iterdir()}
    assert names == {"led.csv", "led.json", "led.pdf", "samples.proposed.csv"}
    assert list((tmp_path / "data").iterdir()) == []


def test_the_command_says_what_is_wrong(room, tmp_path):
    assert (
        "expected one of toy" in run("leds", "data").output and run("leds", "data").exit_code == 2
    )
    assert run("toy", "nowhere").exit_code == 2
    inside = run("toy", "data", "--out", "data/results")
    assert inside.exit_code == 2 and "outside the data" in inside.output
    room["report"] = pr.Report("led", "", (eqe("d1", None, GONE),), {"d1": ""})
    nothing = run("toy", "data")
    assert nothing.exit_code == 1 and "no number can be reported" in nothing.output
    (tmp_path / "data" / "broken").touch()
    broken = run("toy", "data")
    assert broken.exit_code == 1 and "line 3: sampel" in broken.output
    assert "Traceback" not in broken.output


@pytest.mark.parametrize("width", [118, 60])
def test_columns_of_a_page_fold_within_it_and_between_words(width):
    words = ["zero", "and", "sample", "height", "are", "hardly", "told", "apart", "(correlation"]
    long = " ".join(words * 6)
    rows = [("sample", "quantity", "value", "remark"), ("MAPbI3", long, long, long)]
    lines = as_text(rows, width).splitlines()
    assert max(map(len, lines)) <= width
    assert set(" ".join(lines).split()) == {*words, *rows[0], "MAPbI3"}
    assert max(map(len, as_text(rows).splitlines())) > width


TOPICS = {  # and the samples of its example that are enough to draw every kind of its pictures
    "led": ("1a", "1b", "2a", "stack"),
    "photoluminescence": ("f1", "f4"),
    "transient_absorption": ("film_a",),
    "nmr": (),
    "structure": ("f1", "f4"),
    "energetics": (),
    "synthesis": (),
}


@pytest.mark.parametrize(("topic", "wanted"), TOPICS.items())
def test_where_everything_is_withheld_no_picture_table_or_reason_says_nan(
    topic, wanted, monkeypatch
):
    # Every number is taken back as it is made, so whatever is built on one has to bear that.
    contradictions = quantity._contradictions
    monkeypatch.setattr(
        quantity,
        "_contradictions",
        lambda q: (*contradictions(q), *([GONE] if q.value is not None else [])),
    )
    analysis = importlib.import_module(f"peled.{topic}.analyse")
    folder = Path(peled.__file__).parent / "examples" / topic
    sheet = read_sheet(folder, topic, sniff=analysis.sniff)
    rows = [r for r in sheet.rows if not wanted or r.sample in ("", *wanted)]
    report = analysis.analyse(replace(sheet, rows=tuple(rows)), {})
    assert report.quantities and all(q.value is None for q in report.quantities)
    texts = [str(report), *(q.reasons for q in report.quantities)]
    for panel in report.panels():
        figure = Figure(figsize=(6, 4))
        panel.draw(figure)
        figure.canvas.draw()
        texts += [t.get_text() for t in figure.findobj(Text)]
        for ax in figure.axes:
            drawn = (ax.lines, ax.collections, ax.patches, ax.images, ax.texts)
            assert not ax.axison or any(drawn), f"{panel.name} of {panel.sample} is empty"
    assert not [t for t in texts if re.search(r"\b(nan|None|inf)\b", t)]


def test_a_long_title_stays_above_its_own_picture():
    figure = Figure(figsize=(7.8, 2.2), layout="constrained")
    for place in figure.subfigures(1, 3):
        title = "f4: decay, fluence series, 0.2 uJ/cm2, excited at 405 nm"
        panel = pr.Panel("decay", lambda f: f.subplots().plot([0, 1]), "f4", title)
        pdf.draw(panel, place)
    figure.draw_without_rendering()
    for place in figure.subfigs:
        (title,) = (t for t in place.findobj(Text) if t.get_text().startswith("f4"))
        shown = title.get_window_extent()
        assert place.bbox.x0 < shown.x0 and shown.x1 < place.bbox.x1


def test_an_interval_of_ranks_is_normal_from_nine_on_as_the_test_is():
    """9 x 12 / 2 − 1/2 less 1.96 sqrt(9 x 12 x 22 / 12) is 25.9; eight and less are counted."""
    assert groups._outside(9, 12) == 26 and groups._outside(8, 8) == 14


def test_a_pdf_has_no_page_without_content():
    """Where nothing is to be said there is no page; text fits below pictures."""
    panel = pr.Panel("p", lambda figure: figure.subplots().plot([0, 1]), "a", "a panel")
    q = Quantity("x", "a", 1.0, {"fit": 0.1}, "nm")
    report = pr.Report("led", "sheet", (q,), {"a": "", "b": ""}, drawers=(lambda _: [panel],))
    with_a = pdf.pages(report)
    assert with_a.count(b"/Type /Page ") == 1
    assert pdf.pages(pr.Report("led", "sheet")).count(b"/Type /Page ") == 1
    (first, *others) = pdf._pages("a", [panel] * 6, "line\n" * 100)
    shown = [text for sub in first.subfigs for text in sub.texts]
    first.canvas.draw()
    assert all(text.get_window_extent().y0 > 0 for text in shown) and len(others) == 1


@pytest.mark.parametrize("count", [3, 60])
def test_no_legend_takes_the_place_of_the_axes(count):
    """Whatever a topic draws: of a crowd of curves some are named, from the first to the last."""

    def many(place):
        ax = place.subplots()
        for i in range(count):
            ax.plot([0, 1], [i, i], label=f"device {i}, forward")
        ax.legend()

    figure = Figure(figsize=(2.6, 2.0), layout="constrained")
    pdf.draw(pr.Panel("p", many), figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a layout that cannot be applied
        figure.draw_without_rendering()
    (ax,) = figure.axes
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0].startswith("device 0,") and texts[-1].startswith(f"device {count - 1},")
    assert len(texts) == min(count, 8) and ax.get_position().height > 0.2
