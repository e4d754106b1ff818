"""Claims, verdicts and the ledgers."""

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import paper

CLAIMS = paper.claims()


def entry(value, uncertainty=""):
    return paper.Claim("C001", "", "", "", "", value, uncertainty, "", "", "led", "", "", "")


def test_the_ledgers_are_whole():
    assert len(CLAIMS) == 276
    panels = paper.panels()
    assert len(panels) == 114
    topics = {
        "synthesis",
        "photoluminescence",
        "transient_absorption",
        "led",
        "nmr",
        "energetics",
        "structure",
    }
    assert {c.topic for c in CLAIMS.values()} == topics == {p.topic for p in panels.values()}
    for p in panels.values():
        assert set(p.claims) <= set(CLAIMS), p.name
    for c in CLAIMS.values():
        assert set(c.figure.split()) <= set(panels), c.id


@pytest.mark.parametrize(
    ("value", "uncertainty", "shape", "numbers"),
    [
        ("20.3", "", "number", [(20.3, 0.05, "=")]),
        ("600", "", "number", [(600, 50, "=")]),
        ("0.019", "", "number", [(0.019, 0.0005, "=")]),
        ("14", "~", "number", [(14, 1, "~")]),
        (">=98.0", "", "number", [(98.0, 0.05, ">=")]),
        ("-4.45", "", "number", [(-4.45, 0.005, "=")]),
        ("647-655", "", "range", [(647, 0.5, "="), (655, 0.5, "=")]),
        ("2:1", "", "ratio", [(2.0, 0.1, "=")]),
        ("1.85; 1.60", "", "list", [(1.85, 0.005, "="), (1.60, 0.005, "=")]),
        ("tetragonal", "", "text", []),
        ("560-600;600-640", "", "text", []),
    ],
)
def test_printed_numbers_are_read_with_their_rounding(value, uncertainty, shape, numbers):
    found = entry(value, uncertainty)
    assert found.shape == shape
    assert [(p.value, pytest.approx(p.half_width), p.relation) for p in found.printed] == numbers


@given(st.decimals(min_value="0.001", max_value="9999", places=3), st.integers(0, 3))
def test_a_number_agrees_with_its_own_rounding_and_not_with_one_digit_more_off(value, places):
    printed = f"{value:.{places}f}"
    claim = entry(printed)
    assert paper.compare(claim, float(value))
    width = claim.printed[0].half_width
    assert not paper.compare(claim, float(printed) + 2.1 * width)
    assert paper.compare(claim, float(printed) + 2.1 * width, standard_error=width)


@pytest.mark.parametrize(
    ("value", "uncertainty", "inside", "outside"),
    [
        ("8", "<=", 3.0, 9.0),
        (">90", "", 95.0, 80.0),
        ("647-655", "", 650.0, 644.8),
        ("2:1", "", 2.008, 2.2),
        ("16.3", "2", 13.0, 11.0),
        ("0.1, 1, 10", "", [0.1, 1, 10], [0.1, 1, 30]),
        ("27-30", "", [27.2, 29.9], [20.0, 29.9]),
    ],
)
def test_bounds_ranges_ratios_lists(value, uncertainty, inside, outside):
    assert paper.compare(entry(value, uncertainty), inside)
    assert not paper.compare(entry(value, uncertainty), outside)


def test_simulated_never_agrees_and_published_tests_nothing():
    assert paper.judge("C028", 2.0, kind="simulated").verdict == "pipeline recovers"
    assert paper.judge("C028", 3.0, kind="simulated").verdict == "pipeline misses"
    assert paper.judge("C028", 2.0, kind="published").verdict == "not testable"
    assert paper.judge("C028", 2.0, kind="measured").verdict == "agrees"
    assert paper.judge("C028", kind="recomputed", holds="partly").verdict == "partly"


def test_combined_verdicts():
    assert paper.combine(["agrees", "agrees"]) == "agrees"
    assert paper.combine(["agrees", "disagrees"]) == "partly"
    assert paper.combine(["agrees", "pipeline misses"]) == "agrees"
    assert paper.combine(["pipeline recovers", "pipeline misses"]) == "pipeline misses"
    assert paper.combine(["not testable", "agrees"]) == "agrees"
    assert paper.combine(["not testable"]) == "not testable"


def test_refusals_name_what_is_wrong():
    with pytest.raises(paper.LedgerError, match="C999"):
        paper.claim("C999")
    with pytest.raises(ValueError, match=r"source kind.*guessed"):
        paper.judge("C028", 2.0, kind="guessed")
    with pytest.raises(paper.LedgerError, match="tetragonal"):
        paper.judge("C114", 2.0, kind="recomputed")
    with pytest.raises(paper.LedgerError, match="finite"):
        paper.judge("C028", math.nan, kind="recomputed")
    with pytest.raises(paper.LedgerError, match="3 values"):
        paper.judge("C066", [1.0, 2.0], kind="recomputed")


def broken(tmp_path, change):
    rows = list(csv.DictReader((paper.published_folder() / "claims.csv").open(newline="")))
    lines = [list(rows[0])] + [list(row.values()) for row in rows]
    with (tmp_path / "claims.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(change(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [t[0], t[1][:-1], *t[2:]], "claims.csv, line 2: expected 13 cells, found fewer"),
        (lambda t: [t[0], t[1], t[1]], "line 3: id: expected a new one, found C001"),
        (lambda t: [[n.replace("value", "worth") for n in t[0]], *t[1:]], "line 1.*missing: value"),
        (lambda t: [t[0], ["claim 1", *t[1][1:]]], "line 2: id: expected C and three digits"),
    ],
)
def test_a_broken_ledger_row_is_named(tmp_path, change, message):
    with pytest.raises(paper.LedgerError, match=message):
        paper.claims(broken(tmp_path, change))


def test_a_missing_ledger_is_named(tmp_path):
    with pytest.raises(paper.LedgerError, match=r"claims\.csv: expected a ledger"):
        paper.claims(tmp_path / "nowhere")
