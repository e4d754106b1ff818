"""The scoreboard: whole, refused when stale, ranked; checks that can fail; another paper with the
same machine."""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import integrity
from ledger import claims, files, paper
from ledger.claims import scoreboard
from toy import Toy, cell

RESULTS = files.ROOT / "figures" / "results"
NOTEBOOKS = {
    path.stem[3:]: path for path in sorted((files.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
}


# ---- another paper -------------------------------------------------------------------------------

PAPER = [
    {
        "id": "C001",
        "section": "abstract",
        "figure": "fig1a",
        "quantity": "length",
        "statement": "The stick is two metres long",
        "value": "2.0",
        "unit": "m",
        "topic": "stick",
    },
    {
        "id": "C002",
        "section": "main text, Fig. 1",
        "quantity": "area",
        "statement": "A square on it has five square metres",
        "value": "5.0",
        "unit": "m2",
        "topic": "stick",
        "fact": "matter: area",
    },
    {
        "id": "C003",
        "section": "Methods, Weighing",
        "quantity": "weight",
        "statement": "It weighs ten grams",
        "value": "10",
        "uncertainty": "~",
        "unit": "g",
        "topic": "stick",
    },
]


@pytest.fixture(scope="module")
def three_claims(tmp_path_factory):
    """A repository with a paper of three claims, made as docs/new-paper.md says."""
    toy = Toy(tmp_path_factory.mktemp("paper") / "three")
    (toy.root / "notebooks" / "02_stone.ipynb").unlink()
    shutil.rmtree(toy.root / "data" / "stone")
    published = toy.root / "lib" / "toy" / "published"
    with (published / "claims.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, paper.Claim.__dataclass_fields__, restval="")
        writer.writeheader()
        writer.writerows(PAPER)
    with (published / "panels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, paper.Panel.__dataclass_fields__, restval="")
        writer.writeheader()
        writer.writerow(
            {
                "panel": "1a",
                "name": "fig1a",
                "plotted": "the stick's length",
                "topic": "stick",
                "claims": "C001",
            }
        )
    notebook = json.loads((toy.root / "notebooks" / "01_stick.ipynb").read_text())
    notebook["cells"][-1] = cell(
        "from ledger import paper\nlength = sum(values)\nroom.check('C001', length, "
        "0.01, kind='measured')\n"
        "room.check('C002', paper.claim('C001').number ** 2, kind='recomputed', "
        "note='two metres squared are four square metres')\n"
        "room.not_testable('C003', 'a balance reading would settle it')\nroom.finish()",
        "finish",
    )
    (toy.root / "notebooks" / "01_stick.ipynb").write_text(json.dumps(notebook))
    toy.gather()
    return toy


def test_a_paper_of_three_claims_has_its_scoreboard(three_claims):
    toy = three_claims
    assert toy.run("-j1") == ["01_stick", "08_claims"]
    board = {
        q["name"]: q["value"]
        for q in json.loads((toy.root / "figures/results/claims.json").read_text())["quantities"]
    }
    assert (
        board["claims"] == 3
        and board["claims: agrees"]
        == board["claims: disagrees"]
        == board["claims: not testable"]
        == 1
    )
    assert board["panels made"] == 1 and board["contradictions"] == 1
    said = "".join(
        "".join(o.get("text", ""))
        for c in json.loads((toy.root / "build/executed/08_claims.ipynb").read_text())["cells"]
        for o in c.get("outputs", [])
    )
    assert (
        "1. C002 area (main text, Fig. 1; disagrees, decides, recomputed)" in said
        and "printed 5.0 m2; found 4 m2" in said
        and "two metres squared" in said
    )
    assert toy.run() == [] and "up to date" in toy.out


def test_the_gathering_notebook_runs_after_the_others_and_when_they_change(three_claims):
    toy = three_claims
    toy.run()
    record = json.loads((toy.root / "build/records/08_claims.json").read_text())
    assert (
        "figures/results/stick.json" in record["inputs"]
        and "figures/results/claims.json" not in record["inputs"]
    )
    text = toy.root / "data/stick/a.txt"
    text.write_text("3.0")
    assert toy.run("-j2") == ["01_stick", "08_claims"], "in one go, one after the other"
    assert {
        q["name"]: q["value"]
        for q in json.loads((toy.root / "figures/results/claims.json").read_text())["quantities"]
    }["claims: disagrees"] == 2
    text.write_text("2.0")
    toy.run("08", status=1)
    assert "stick: stale: made from another data/stick/a.txt" in toy.err
    assert toy.run("01") == ["01_stick"] and toy.run() == ["08_claims"]
    (toy.root / "lib/toy/stick.py").write_text("COLOUR = 'green'\n")
    toy.run("08", "--force", status=1)
    assert "stale: input lib/toy/stick.py has changed" in toy.err
    toy.run()
    (toy.root / "figures/results/stick.json").unlink()
    toy.run("08", status=1)
    assert "stick: no results" in toy.err
    assert toy.run() == ["01_stick", "08_claims"] or toy.run() == []
    toy.write("stick", middle="raise ValueError('no stick')")
    toy.run(status=1)
    assert (
        "not run, for it gathers the results of all: 08_claims" in toy.err
        and "1 of 2 notebooks failed: 01_stick" in toy.err
    )


def test_engines_and_stored_outputs_agree_for_the_gathering_notebook(tmp_path):
    toy = Toy(tmp_path / "toy")
    toy.gather()
    assert toy.run("-j2") == ["01_stick", "02_stone", "08_claims"]
    first = toy.figures()
    toy.run("08", "--engine", "kernel", "--force")
    assert toy.figures() == first
    record = json.loads((toy.root / "build/records/08_claims.json").read_text())
    assert {"figures/results/stick.json", "figures/results/stone.json"} <= set(record["inputs"])
    toy.python("-m", "ledger.run.store", "08")
    stored = json.loads((toy.root / "notebooks/08_claims.ipynb").read_text())
    assert stored["metadata"]["peled"]["after"] == "all"
    assert "6 of 6 claims have a row" in json.dumps(stored)
    toy.python(
        "-m",
        "papermill",
        "notebooks/08_claims.ipynb",
        str(tmp_path / "out.ipynb"),
        "-k",
        "python3",
        "-p",
        "figures_dir",
        str(tmp_path / "own"),
    )
    assert (tmp_path / "own" / "extra_scoreboard.svg").is_file()


def test_verify_says_what_is_stale_or_altered(tmp_path):
    toy = Toy(tmp_path / "toy")
    toy.python("-m", "ledger.run.verify", status=2)
    toy.run()
    assert "2 figures: 2 good" in toy.python("-m", "ledger.run.verify")
    (toy.root / "data/stick/a.txt").write_text("2.5")
    assert (
        "stale    fig1a: data/stick/a.txt has changed"
        in (said := toy.python("-m", "ledger.run.verify", status=1))
        and "1 good, 1 stale" in said
    )
    (toy.root / "data/stick/a.txt").write_text("2.0")
    (toy.root / "lib/toy/stick.py").write_text("COLOUR = 'green'\n")
    assert "stale    fig1a: input lib/toy/stick.py has changed" in toy.python(
        "-m", "ledger.run.verify", status=1
    )
    (toy.root / "lib/toy/stick.py").write_text("COLOUR = 'red'\n")
    picture = toy.root / "figures/fig1b.png"
    kept = picture.read_bytes()
    picture.write_bytes(kept + b" ")
    assert "altered  fig1b: fig1b.png is not the file that was saved" in toy.python(
        "-m", "ledger.run.verify", status=1
    )
    picture.write_bytes(kept)
    sidecar = toy.root / "figures/fig1b.json"
    record = json.loads(sidecar.read_text())
    sidecar.write_text(
        json.dumps(
            {
                **record,
                "source_kind": "measured" if record["source_kind"] != "measured" else "published",
            }
        )
    )
    assert "fig1b.json says something else than fig1b.svg says of itself" in toy.python(
        "-m", "ledger.run.verify", status=1
    )
    sidecar.unlink()
    assert "unknown  fig1b: no sidecar" in toy.python("-m", "ledger.run.verify", status=1)


# ---- rows, ranks, distances ----------------------------------------------------------------------


def results_of(topic):
    """Results for a topic of the real ledger in which nothing could be tested."""
    entries = [c for c in paper.claims().values() if c.topic == topic]
    figures = [
        {"name": p.name, "source_kind": "published", "title": "", "inputs": {}, "cell": ""}
        for p in paper.panels().values()
        if p.topic == topic
    ]
    return {
        "topic": topic,
        "notebook": "",
        "parameters": {},
        "quantities": [],
        "verdicts": [paper.not_testable(c.id, "why").record() for c in entries],
        "figures": figures,
    }


@pytest.fixture
def folder(tmp_path):
    for topic in claims.topics():
        (tmp_path / f"{topic}.json").write_text(json.dumps(results_of(topic)))
    return tmp_path


def test_no_claim_without_a_row(folder):
    rows = claims.board(claims.gather(folder))
    assert [row.claim.id for row in rows] == list(paper.claims())
    assert sum(claims.counts(rows).values()) == len(rows)
    facts = claims.facts(rows)
    assert len(claims.unsettled(rows)) == len(facts) < len(rows)
    assert claims.summary(rows)["open: nothing to test with"] == (len(facts), len(rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["verdicts"].pop(), "led: no verdict on C"),
        (
            lambda r: r["verdicts"][0].update(published="99 %"),
            r"led: stale: the ledger prints other values now for C001",
        ),
        (lambda r: r["figures"].pop(0), "led: no panel fig3a"),
        (
            lambda r: r["figures"][0].update(
                inputs={"lib/hassan2021/published/claims.csv": "0" * 64}
            ),
            "led: stale: made from another lib/hassan2021/published/claims.csv",
        ),
        (
            lambda r: r["figures"][0].update(inputs={"data/led/nothing.csv": "0" * 64}),
            r"led: stale: made from another data/led/nothing.csv \(gone\)",
        ),
        (
            lambda r: r["verdicts"][0].update(source_kind="simulated", verdict="agrees"),
            "led: does not fit the schema",
        ),
        (lambda r: r.update(topic="nmr"), "expected the results of led, found those of nmr"),
        (
            lambda r: r["verdicts"].append({**r["verdicts"][0], "claim_id": "C999"}),
            "claims that are not in the ledger: C999",
        ),
    ],
)
def test_missing_and_stale_results_are_refused_by_name(folder, change, message):
    content = results_of("led")
    change(content)
    (folder / "led.json").write_text(json.dumps(content))
    with pytest.raises(claims.IncompleteResults, match=message):
        claims.gather(folder)


def test_missing_topics_are_all_named_or_accepted(folder):
    (folder / "nmr.json").unlink()
    (folder / "led.json").write_text("{")
    with pytest.raises(
        claims.IncompleteResults, match=r"nmr: no results.*led: led.json: expected JSON"
    ):
        claims.gather(folder)
    (folder / "led.json").unlink()
    found = claims.gather(folder, accept_missing=True)
    assert set(found.missing) == {"led", "nmr"} and all(
        row.claim.topic not in found.missing for row in claims.board(found)
    )


def test_inputs_elsewhere_are_counted_not_trusted(folder):
    content = results_of("led")
    content["figures"][0]["inputs"] = {"mylab/a.csv": "0" * 64}
    (folder / "led.json").write_text(json.dumps(content))
    assert claims.gather(folder).unchecked == ("mylab/a.csv",)


def test_distances_are_those_of_the_comparison():
    """The excess passes 1 exactly where the printed value is rejected."""
    for claim_id in ("C003", "C118", "C005", "C028", "C007"):
        entry = paper.claim(claim_id)
        for error in (0.0, 0.3):
            for factor in (0.2, 0.9, 0.97, 0.999, 1.0, 1.001, 1.03, 1.1, 5.0):
                found = entry.printed[0].value * factor
                verdict = paper.judge(claim_id, found, error, kind="recomputed")
                ratio, excess = claims.deviation(verdict)
                holds = paper.compare(entry, found, error)[0]
                assert math.isfinite(ratio) and (excess <= 1 + 1e-9) == holds, (claim_id, factor)


def row(fact, verdict, found, test="decides", kind="recomputed"):
    entry = replace(paper.claim("C118"), id=fact, fact=fact)
    said = replace(paper.judge("C118", found, kind=kind), verdict=verdict, test=test)
    return scoreboard.Row(entry, verdict, test, kind, 1.0, (fact,), (said,), (), "")


def test_what_means_most_comes_first():
    rows = [
        row("text: a", "disagrees", 100.0, "text"),
        row("numbers: a", "disagrees", 100.0),
        row("kinetics: a", "disagrees", 470.0),
        row("photons: a", "partly", 100.0),
        row("matter: a", "disagrees", 400.0),
        row("photons: b", "disagrees", 100.0),
        row("photons: c", "agrees", 480.0),
    ]
    ranked = [c.row.claim.fact for c in claims.contradictions(rows)]
    assert ranked == [
        "photons: b",
        "matter: a",
        "photons: a",
        "kinetics: a",
        "numbers: a",
        "text: a",
    ]


def test_one_fact_is_contradicted_once_by_its_farthest_claim():
    near, far = row("matter: a", "disagrees", 470.0), row("matter: a", "disagrees", 100.0)
    (found,) = claims.contradictions([near, far])
    assert found.row is far and len(found.claims) == 2


def test_simulated_data_contradict_nothing():
    assert paper.judge("C118", 100.0, kind="simulated").verdict == "pipeline misses"
    rows = [row("matter: a", "pipeline misses", 100.0, "method tested", "simulated")]
    assert not claims.contradictions(rows)


def test_claims_of_one_fact_share_the_verdict_and_evidence_comes_from_any_topic(folder):
    content = results_of("synthesis")
    content["verdicts"] = [v for v in content["verdicts"] if v["claim_id"] not in ("C112",)]
    content["verdicts"].append(
        paper.judge("C112", 20.0, 0.5, kind="recomputed", limit="upper").record()
    )
    (folder / "synthesis.json").write_text(json.dumps(content))
    content = results_of("nmr")
    content["verdicts"].append(paper.judge("C058", 20.0, 0.5, kind="calculated").record())
    (folder / "nmr.json").write_text(json.dumps(content))
    found = {r.claim.id: (r.verdict, r.test) for r in claims.board(claims.gather(folder))}
    assert found["C112"] == found["C118"] == found["C058"] == ("disagrees", "decides")


# ---- the real results ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    try:
        return claims.gather(RESULTS)
    except claims.IncompleteResults as error:
        if all(f"{topic}: stale" not in str(error) for topic in claims.topics()):
            pytest.skip(f"not all results are here: {error}")
        raise


def test_every_claim_and_every_described_panel_is_there(real):
    rows = claims.board(real)
    assert len(rows) == len(paper.claims())
    described = {
        name
        for name, panel in paper.panels().items()
        if not panel.plotted.startswith("not described")
    }
    assert {name for name in real.figures if name in paper.panels()} == described
    assert set(paper.panels()) - described == {"ed8e", "ed8f", "ed8g"}
    assert all(
        v.verdict in ("pipeline recovers", "pipeline misses", "not testable")
        for v in real.verdicts
        if v.source_kind == "simulated"
    )


def test_each_open_fact_names_what_would_settle_it(real):
    rows = claims.board(real)
    for ids, row, settles in claims.unsettled(rows):
        assert settles, ids
        simulated = any(v.source_kind == "simulated" for v in row.routes)
        assert row.claim.settles or simulated, f"{ids}: neither the ledger nor a panel's file"


def test_nothing_decides_without_power_and_every_verdict_is_whole(real):
    for v in real.verdicts:
        assert v.note, v
        assert v.test != "decides" or v.power >= paper.POWER, v
        assert (v.test == "") == (v.verdict in ("inconclusive", "not testable")), v
        assert v.verdict != "not testable" or v.note, v


def test_every_claim_has_outcome_test_kind_power_and_a_note_with_arithmetic(real):
    rows = claims.board(real)
    assert len(rows) == len(paper.claims())
    for row in rows:
        assert row.verdict in paper.VERDICTS and row.kind in paper.SOURCE_KINDS
        assert row.test in paper.TESTS or row.verdict in ("inconclusive", "not testable"), row
        for v in row.routes:
            compared = row.claim.printed and not isinstance(v.found, str | None)
            assert v.power is not None or not compared, v
            said = f"{v.found or ''} {v.note}"
            spoken = v.verdict == "not testable" or "text" in v.test or v.test == "read back"
            assert spoken or any(map(str.isdigit, said)), v


def test_no_claim_borrows_a_verdict_where_the_paper_was_not_tested(real):
    """What only simulated data or nothing speaks on has no word of the paper's, whatever its fact
    says."""
    for row in claims.board(real):
        if row.verdict in ("agrees", "disagrees", "partly"):
            assert any(v.source_kind in paper.TESTING for v in row.routes), row.claim.id


def test_what_the_paper_is_read_for_is_not_said_to_be_decided(real):
    """Notebook 08 says so in a sentence."""
    rows = claims.board(real)
    told = {claims.heading(row) for _, members in claims.answers(rows) for row in members}
    assert "decided: holds" not in told and len(told) > 3


def test_what_decides_turns_when_its_claim_is_printed_otherwise(real):
    """All claims from kept evidence: what decides turns on every side that is contrary, and nothing
    crashes."""
    test = {(v.claim_id, v.route): v.test for v in real.verdicts}
    turned = claims.flips(real.verdicts)
    stand = [
        k for k, found in turned.items() if test[k] == "decides" and not all(ok for _, ok in found)
    ]
    assert not stand


def test_of_a_hundred_random_flips_those_turn_that_should(real):
    """Each rival on its own, drawn from all evidence but limits and what has no power."""
    flips = claims.flips(real.verdicts)
    all_flips = [
        (v.claim_id, v.route, altered, ok)
        for v in real.verdicts
        if claims.must_turn(v)
        for altered, ok in flips.get((v.claim_id, v.route), [])
    ]
    assert len(all_flips) > 250
    drawn = np.random.default_rng(23).choice(len(all_flips), 100, replace=False)
    stand = [all_flips[i] for i in drawn if not all_flips[i][-1]]
    assert len(stand) <= 5, stand


def test_impossible_values_stop_no_notebook(tmp_path, monkeypatch):
    """An E+G pair that binds less than its singles; a wavelength that no alloy of the series
    has."""
    from types import SimpleNamespace

    from hassan2021.desk import Missing
    from hassan2021.energetics.told import published
    from hassan2021.verdicts import energetics, evidence, photoluminescence

    shutil.copytree(paper.published_folder(), tmp_path / "published")
    path = tmp_path / "published" / "claims.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["value"] = {"C082": "-3.40", "C005": "430-448"}.get(row["id"], row["value"])
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setenv("PELED_PUBLISHED", str(tmp_path / "published"))
    said = {}

    class Desk:
        def check(self, claim_id, *values, **options):
            said[claim_id, options.get("route", "")] = paper.judge(claim_id, *values, **options)

        def not_testable(self, claim_id, why):
            said[claim_id, ""] = paper.not_testable(claim_id, why)

        def quantity(self, *values, **options):
            pass

    (check,) = (c for c in energetics.claims if c.find.func is energetics.beyond_the_singles)
    found = check.find(SimpleNamespace(told=published()))
    Desk().check(check.claim, route=check.route, kind="recomputed", **found)
    evidence.judge_all(Desk())
    with pytest.raises(Missing, match="impossible"):
        photoluminescence.window_of_displays(None)
    assert said["C083", "restated"].verdict == "disagrees"


def test_checks_in_their_notebook_can_fail(tmp_path, topic="synthesis"):
    """The same by running the notebook, which sees a check that compares a claim with itself."""
    results = RESULTS / f"{topic}.json"
    if not results.is_file():
        pytest.skip(f"no results of {topic}")
    content = json.loads(results.read_text())
    if problems := claims.problems(topic, content)[0]:
        pytest.fail("; ".join(problems))
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PELED_STAGE", "PELED_PUBLISHED")
    } | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, str(Path(integrity.__file__)), str(NOTEBOOKS[topic]), str(report)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    groups = integrity.judge(content["verdicts"], found)
    assert not found["error"] and not groups["stops"]
    assert not groups["cannot fail"]


def test_a_check_that_cannot_fail_is_found(tmp_path):
    """The same machine on a toy: one honest check, one that compares a claim with itself, one that
    is written down."""
    toy = Toy(tmp_path / "toy")
    notebook = json.loads((toy.root / "notebooks/01_stick.ipynb").read_text())
    notebook["cells"][-1] = cell(
        "from ledger import paper\nroom.check('C001', sum(values), 0.01, "
        "kind='recomputed')\nroom.check('C002', 'red', kind='recomputed', holds=True)\n"
        "room.check('C003', paper.claim('C003').number, kind='recomputed')\n"
        "room.check('C003', 10, kind='recomputed', holds=True, route='written down')\n"
        "room.finish()",
        "finish",
    )
    (toy.root / "notebooks/01_stick.ipynb").write_text(json.dumps(notebook))
    toy.run("01")
    shutil.copy(integrity.__file__, toy.root)
    groups = json.loads(
        toy.python("integrity.py", "notebooks/01_stick.ipynb", "report.json", "show")
    )
    assert (
        groups["turns"] == ["C001 ", "C003 written down"]  # a number is compared, whatever is said
        and groups["stands"] == ["C002 "]  # without a margin it decides nothing
        and groups["cannot fail"] == ["C003 "]
        and not groups["stops"]
    )
