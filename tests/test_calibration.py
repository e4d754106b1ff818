"""A reduced calibration agrees with the published one; noise and counting are what they are
called."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from calibration import TOPICS, Condition, noise, page, tables
from calibration.run import calibrate, engine_for

PUBLISHED = Path(__file__).resolve().parents[1] / "docs" / "calibration"
#: How many conditions of sound files are tried, with one file each that was not published.
TRIED = {
    "led": 6, "photoluminescence": 3, "transient_absorption": 2, "nmr": 3, "structure": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def run():
    with engine_for(workers=1) as go:
        yield go


@pytest.mark.parametrize("topic", TOPICS)
def test_a_reduced_calibration_agrees_with_the_published_one(topic, run, tmp_path, monkeypatch):
    room = importlib.import_module(f"calibration.{topic}")
    sound = [c for c in room.CONDITIONS if c.meant == "quiet"]
    unfit = [c for c in room.CONDITIONS if c.meant == "act"]
    few = [*sound[: TRIED[topic]], unfit[-1]]
    monkeypatch.setattr(room, "CONDITIONS", few)
    coverage, gates = calibrate(topic, tmp_path, run, 1 / room.DRAWS, seed=26)
    names = {(c.kind, c.level) for c in few}
    before = [
        row for row in page.published(PUBLISHED, topic)
        if (row["kind"], row.get("level", "")) in names
    ]  # fmt: skip
    assert {row["quantity"] for row in coverage} == {row["quantity"] for row in before}
    inside, of = counted(coverage)
    expected, n = counted(before)
    # Numbers of one file go together: as if each had half the weight.
    p = stats.binomtest(round(inside / 2), max(round(of / 2), 1), min(expected / n, 0.999)).pvalue
    assert p > 1e-3, f"{inside:.0f} of {of:.0f} intervals hold the truth, published {expected / n}"
    missed = [row for row in gates if row["meant"] == "act" and row["wrong"]]
    known = {
        (r["quantity"], r["conditions"]): r["wrong"]
        for r in page.published(PUBLISHED, f"{topic}_gates")
        if r["meant"] == "act"
    }  # fmt: skip
    assert all(known[row["quantity"], row["conditions"]] for row in missed), missed


def test_the_page_says_what_the_tables_hold(tmp_path):
    shutil.copytree(PUBLISHED, tmp_path / "calibration")
    said = page.write(tmp_path / "calibration").read_text(encoding="utf-8")
    assert said == PUBLISHED.with_suffix(".md").read_text(encoding="utf-8")
    assert all(f"{topic}.csv" in said for topic in TOPICS)


def counted(rows):
    """(intervals of 95 % that hold the truth, all of them)."""
    rows = [row for row in rows if "inside_95" in row]
    return (
        sum(row["inside_95"] * row["reported"] for row in rows),
        sum(row["reported"] for row in rows),
    )


@pytest.mark.parametrize("shape", sorted(noise.SHAPES))
def test_noise_has_unit_variance_and_its_name(shape):
    made = noise.SHAPES[shape](np.random.default_rng(0), 400, 256)
    assert abs(made.std() - 1) < 0.03
    power = (np.abs(np.fft.rfft(made)[:, 1:]) ** 2).mean(axis=0)
    slope = np.polyfit(np.log(np.arange(1, 65)), np.log(power[:64]), 1)[0]
    neighbours = np.mean(made[:, 1:] * made[:, :-1])
    if shape == "1/f":
        assert abs(slope + 1) < 0.06
    else:
        assert abs(neighbours - {"white": 0, "correlated": 2 / 3}[shape]) < 0.02


def rows_of(values, status="reported", note="[]"):
    return [
        {"sample": f"s{k}", "value": v, "low_95": v - 1.96, "high_95": v + 1.96, "unit": "nm",
         "status": status, "relation": "=", "note": note}
        for k, v in enumerate(values)
    ]  # fmt: skip


def test_shares_are_those_of_a_normal_distribution_and_a_narrow_error_is_relabelled():
    found = np.random.default_rng(1).standard_normal(4000)
    truth = {f"s{k}": 0.0 for k in range(4000)}
    sound = Condition("white", "")
    row = tables.coverage_row("led", tables.Outcome(sound, "x", 4000, rows_of(found), truth))
    for level, share in (("50", 0.5), ("68", 0.68), ("95", 0.95)):
        assert row[f"low_{level}"] < share < row[f"high_{level}"]
    assert row["covers"] == "95 %" and abs(row["spread"] - 1) < 0.05
    narrow = tables.Outcome(sound, "x", 4000, rows_of(2 * found), truth)
    assert tables.coverage_row("led", narrow)["covers"] in ("67 %", "68 %")
    few = tables.Outcome(sound, "x", 20, rows_of(found[:8]), truth)
    row = tables.coverage_row("led", few)
    assert (row["reported"], row["withheld"]) == (8, 12), "what gives no row is withheld"


def test_false_alarms_and_misses_are_counted():
    sound, dark = Condition("white", ""), Condition("dark", "", {}, "act", ("x",))
    truth = {f"s{k}": 0.0 for k in range(10)}
    acted = [*rows_of([0.0] * 8), *rows_of([0.0], "withheld", '["signal"]')]
    gates = tables.gate_rows("led", [
        tables.Outcome(sound, "x", 10, acted, truth),
        tables.Outcome(dark, "x", 10, rows_of([0.5, 30.0]), {}),
        tables.Outcome(dark, "x", 10, rows_of([0.5, 30.0]), truth),
    ])  # fmt: skip
    wrong = [row["wrong"] for row in gates if row["wrong"]]
    assert wrong == [1, 1, 2, 1], "signal, no row; of nothing at all; of what was damaged"
