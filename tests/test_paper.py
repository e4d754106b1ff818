"""Claims, verdicts and the ledgers."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import paper

CLAIMS = paper.claims()


def entry(value, uncertainty="", **more):
    texts = ("section", "figure", "quantity", "statement", "unit", "conditions")
    texts += ("check_kind", "derivation", "note")
    columns = dict.fromkeys(texts, "") | {"id": "C001", "topic": "led"} | more
    return paper.Claim(value=value, uncertainty=uncertainty, **columns)


def judged(claim, found=None, error=0.0, kind="recomputed", **more):
    options = {"holds": None, "margin": None, "limit": "", "route": "", "note": ""} | more
    return paper.evaluate(claim, found, error, kind=kind, **options)


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


def test_a_coarse_tolerance_has_a_written_rule():
    """Trailing zeros mislead: what allows a tenth of the value or more says in its row why."""
    for c in CLAIMS.values():
        rule = c.tolerance.partition(":")[2].strip()
        assert bool(rule) == bool(c.tolerance), f"{c.id}: a tolerance without its rule"
        coarse = [p for p in c.printed if p.half_width >= 0.0999 * abs(p.value)]
        assert not coarse or rule, f"{c.id}: {c.as_printed()} ± half a digit"


@given(st.decimals(min_value="0.001", max_value="9999", places=3), st.integers(0, 3))
def test_a_number_agrees_with_its_own_rounding_and_not_with_one_digit_more_off(value, places):
    printed = f"{value:.{places}f}"
    claim = entry(printed)
    assert paper.compare(claim, float(value))[0]
    width = claim.printed[0].half_width
    assert not paper.compare(claim, float(printed) + 2.1 * width)[0]
    assert paper.compare(claim, float(printed) + 2.1 * width, width)[0]


def test_the_spread_of_a_population_is_no_error_of_its_mean():
    spread, error = entry("16.3", "sd 2"), entry("16.3", "2")
    assert paper.compare(error, 18.0)[0] and not paper.compare(spread, 18.0, 0.1)[0]
    assert (spread.printed_spread, spread.printed_uncertainty) == (2.0, 0.0)
    assert spread.as_printed().startswith("16.3 (population ± 2)")


def test_a_number_made_of_printed_ones_says_so():
    made = replace(entry("480"), check_kind="derive")
    assert made.as_printed().endswith("(derived)") and made.printed == entry("480").printed


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
    assert paper.compare(entry(value, uncertainty), inside)[0]
    assert not paper.compare(entry(value, uncertainty), outside)[0]


def test_simulated_never_agrees_and_published_tests_nothing():
    assert paper.judge("C028", 2.0, kind="simulated").verdict == "pipeline recovers"
    assert paper.judge("C028", 3.0, kind="simulated").verdict == "pipeline misses"
    assert paper.judge("C028", 2.0, kind="published").verdict == "not testable"
    assert paper.judge("C028", 2.0, kind="measured").verdict == "agrees"


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 6.0])
def test_power_is_the_share_of_rivals_rejected(sigma):
    """Against draws of what would be found if the truth were the rival: the closed form, and which
    tests decide."""
    claim = entry("20.0", rival="30.0: a third more", tolerance="0.5: halves")
    _, power = paper.compare(claim, 20.0, sigma)
    found = np.random.default_rng(1).normal(30.0, sigma, 4000)
    rejected = np.mean([not paper.compare(claim, float(x), sigma)[0] for x in found])
    assert rejected == pytest.approx(power, abs=0.03)
    verdict = judged(claim, 20.0, sigma)
    assert (verdict.verdict, verdict.test) == (
        ("agrees", "decides") if power >= 0.9 else ("inconclusive", "")
    )


def test_what_has_no_power_is_inconclusive_either_way():
    claim = entry("650", rival="655: five more", tolerance="0.5: whole")
    assert judged(claim, 652.0, 8.0).verdict == "inconclusive"
    assert judged(claim, 668.0, 8.0).verdict == "inconclusive"  # 2.2 standard errors
    far = judged(claim, 700.0, 8.0)  # what was found is then the rival
    assert (far.verdict, far.test) == ("disagrees", "decides")
    assert judged(claim, 650.0, 0.0).test == "decides"


@pytest.mark.parametrize(
    ("limit", "found", "expected"),
    [
        ("upper", 30.0, ("inconclusive", "")),  # the rival, 26, would pass too
        ("upper", 24.9, ("agrees", "bound")),  # and here it would more often not
        ("upper", 21.0, ("agrees", "decides")),
        ("upper", 12.0, ("disagrees", "decides")),
        ("lower", 8.0, ("inconclusive", "")),
        ("lower", 15.1, ("agrees", "bound")),
        ("lower", 28.0, ("disagrees", "decides")),
    ],
)
def test_limits(limit, found, expected):
    verdict = judged(entry("20.0"), found, 0.5, limit=limit)
    assert (verdict.verdict, verdict.test) == expected


def test_statements_follow_their_predicate_and_decide_only_by_their_margin():
    claim = entry("", predicate="greater: treated over neat")
    (contrary,) = claim.flipped()
    assert contrary.predicate == "not greater: treated over neat" and contrary.flipped()[0] == claim
    sure = judged(claim, "2 against 1", holds=True, margin=10.0)
    assert (sure.verdict, sure.test) == ("agrees", "decides")
    assert sure.again(contrary).verdict == "disagrees"
    assert judged(claim, "2 against 1", holds=True).verdict == "inconclusive"
    assert judged(claim, "2 against 1", holds=True, margin=1.0).verdict == "inconclusive"
    named = replace(claim, test="text")
    assert judged(named, "a word", holds=False).test == "text"


def test_the_ledger_names_tests_by_route_and_pipelines_by_kind():
    claim = entry("2.0", test="restated; read back; own=bound")
    assert judged(claim, 2.0).test == "restated"
    assert judged(claim, 2.0, kind="simulated").test == "read back"
    assert judged(claim, 2.0, 0.1, kind="calculated", route="own").test == "bound"
    assert judged(entry("2.0"), 2.0, kind="simulated").test == "method tested"


@pytest.mark.parametrize(
    ("value", "more", "flipped"),
    [
        ("20.0", {}, ["14", "26"]),
        ("615-640", {"rival": "±25: width"}, ["590-615", "640-665"]),
        ("2:1", {}, ["1.4:1", "2.6:1"]),
        ("-1.60; -1.85", {"rival": "±0.4: alike"}, ["-1.2; -1.3875", "-2; -2.3125"]),
        ("0", {"rival": "0.0107: what would show"}, ["-1.05", "1.05"]),
        (">=98.0", {"rival": "90: technical"}, [">=106"]),
        ("<0.5", {}, ["<0.35"]),
    ],
)
def test_flips_print_the_rival_on_either_side(value, more, flipped):
    assert sorted(c.value for c in entry(value, **more).flipped()) == sorted(flipped)


def route(verdict, test, kind="recomputed", power=None):
    return paper.Verdict("C001", "", verdict, kind, "", None, None, "", "", test, power)


@pytest.mark.parametrize(
    ("routes", "verdict", "test"),
    [
        (["agrees decides", "agrees decides"], "agrees", "decides"),
        (["agrees decides", "disagrees decides"], "partly", "decides"),
        (["agrees restated", "disagrees decides"], "disagrees", "decides"),
        (["agrees restated", "inconclusive "], "agrees", "restated"),
        (["agrees restated", "inconclusive /0.95"], "inconclusive", ""),
        (["agrees restated", "inconclusive /0.2"], "agrees", "restated"),
        (["agrees bound", "inconclusive "], "agrees", "bound"),
        (["disagrees text", "agrees restated"], "disagrees", "text"),
        (["agrees restated", "pipeline misses/method tested"], "agrees", "restated"),
        (["not testable/"], "not testable", ""),
        (["not testable/", "agrees decides"], "agrees", "decides"),
        (
            ["pipeline recovers/read back", "pipeline misses/method tested"],
            "pipeline misses",
            "method tested",
        ),
    ],
)
def test_the_weightiest_trial_speaks(routes, verdict, test):
    said = []
    for text in routes:
        text, _, power = text.partition("/0")
        words = text.split("/" if "/" in text else " ", 1)
        kind = "simulated" if "pipe" in text else "recomputed"
        said.append(route(*words, kind, power=float(power) if power else None))
    found = paper.combine(said)
    assert (found.verdict, found.test) == (verdict, test)


def test_every_row_says_how_it_is_tested():
    for c in CLAIMS.values():
        assert bool(c.printed) or c.predicate, c.id
        for word in filter(None, map(str.strip, c.test.split(";"))):
            assert word.rpartition("=")[2] in paper.TESTS, c.id
        if c.fact:
            assert c.meaning in paper.MEANINGS, c.id
        if c.printed:
            assert c.rival_distance > 0, c.id
        if c.tolerance:
            assert ":" in c.tolerance, c.id


@given(
    st.floats(-1e4, 1e4),
    st.floats(0, 1e3),
    st.sampled_from([c for c in CLAIMS.values() if c.printed]),
)
def test_no_evidence_crashes_a_verdict(found, error, claim):
    values = [found] * len(claim.printed) if claim.shape == "list" else found
    verdict = judged(claim, values, error)
    assert verdict.verdict in ("agrees", "disagrees", "inconclusive")
    assert verdict.test != "decides" or verdict.power >= 0.9 or claim.test
    for other in claim.flipped():
        verdict.again(other)


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
        (lambda t: [t[0], t[1][:-1], *t[2:]], "claims.csv, line 2: expected 19 cells, found fewer"),
        (lambda t: [t[0], t[1], t[1]], "line 3: id: expected a new one, found C001"),
        (lambda t: [[n.replace("value", "worth") for n in t[0]], *t[1:]], "line 1.*missing: value"),
        (lambda t: [t[0], ["claim 1", *t[1][1:]]], "line 2: id: expected C and three digits"),
    ],
)
def test_a_broken_ledger_row_is_named(tmp_path, change, message):
    with pytest.raises(paper.LedgerError, match=message):
        paper.claims(broken(tmp_path, change))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"read": "memory", "doi": "10.1/x"}, "expected a DOI and read from full text"),
        ({"read": "abstract"}, "found no DOI, abstract"),
        ({"read": "searched", "holds": "not found"}, "expected no value, a place"),
        ({"read": "searched", "holds": "not found", "place": "pages", "value": "3"}, "no value"),
        ({"read": "searched", "place": "pages"}, "found no DOI, searched"),
        ({"read": "database", "place": "a file, line 3"}, ""),
        ({"read": "searched", "holds": "not found", "place": "stored pages"}, ""),
    ],
)
def test_a_published_value_can_be_found_again_or_says_where_it_was_sought(tmp_path, row, message):
    names = (
        "claim,route,quantity,value,unit,conditions,found,error,holds,source,doi,place,read,note"
    )
    with (tmp_path / "literature.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names.split(","), restval="")
        writer.writeheader()
        writer.writerow({"claim": "C001"} | row)
    if message:
        with pytest.raises(paper.LedgerError, match=message):
            paper.literature(tmp_path)
    else:
        assert paper.literature(tmp_path)[0]["claim"] == "C001"


def test_a_missing_ledger_is_named(tmp_path):
    with pytest.raises(paper.LedgerError, match=r"claims\.csv: expected a ledger"):
        paper.claims(tmp_path / "nowhere")
