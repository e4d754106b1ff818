"""Draws written, analysed by the engine of campaigns, and counted."""

from __future__ import annotations

import csv
import importlib
import json
import zlib
from pathlib import Path

import numpy as np

from calibration import Condition, tables
from peled.campaign.engines import Run, engine
from peled.campaign.run import Campaign
from peled.campaign.worker import Budget

SEED = 25
MODULE = "calibration.judged"


class Judged(Campaign):
    """A campaign of a topic's own `analyse`; each number says which gates acted."""

    module = MODULE


def engine_for(workers: int | None = None):
    return engine(Budget(MODULE, 120.0, 1500.0), workers=workers)


def write(room, place: Path, condition: Condition, n: int, seed: int) -> dict[str, dict]:
    """The files of one condition; the truth of each sample."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "samples.csv").write_text(condition.sheet or room.SHEET)
    truth = {}
    for k in range(n):
        rng = np.random.default_rng([seed, zlib.crc32(condition.name.encode()), k])
        sample = f"s{k:04d}"
        truth[sample] = room.draw(place, sample, rng, **condition.settings)
    return truth


def calibrate(topic: str, work: Path, run: Run, share: float = 1.0, seed: int = SEED):
    """(rows of coverage, rows of gates) of a topic.

    Parameters
    ----------
    work : Path
        For files and records; what is kept there is not analysed again.
    share : float
        Of the draws a condition that the topic asks for; one at least.
    """
    room = importlib.import_module(f"calibration.{topic}")
    places = {c: f"c{i:02d}" for i, c in enumerate(room.CONDITIONS)}
    n = max(round(share * room.DRAWS), 1)
    ways = [json.dumps(c.analysis, sort_keys=True) for c in places]
    each, truths = {way: f"s{i}" for i, way in enumerate(dict.fromkeys(ways))}, {}
    for (c, place), way in zip(places.items(), ways, strict=True):
        truths[c] = write(room, work / "in" / each[way] / place, c, n, seed)
    by_sample: dict[tuple[str, str], list[dict]] = {}
    for way, folder in each.items():
        ends = work / "in" / folder, work / "out" / folder
        campaign = Judged(topic, *ends, settings=json.loads(way))
        for row in campaign.rows(campaign.once(run)):
            by_sample.setdefault((row["folder"], row["sample"]), []).append(row)
    matched, found = getattr(room, "matched", lambda rows, truth: rows), {}
    for c, place in places.items():
        for sample, truth in truths[c].items():
            for row in matched(by_sample.get((place, sample), []), truth):
                found.setdefault((place, row.get("name", "")), []).append(row)
    names = dict.fromkeys(name for said in truths.values() for t in said.values() for name in t)
    outcomes = []
    for c, place in places.items():
        for name in names:
            true = {s: t[name] for s, t in truths[c].items() if name in t}
            if true or c.meant == "act":
                rows = found.get((place, name), [])
                outcomes.append(tables.Outcome(c, name, n, rows, true))
    coverage = [tables.coverage_row(topic, one) for one in outcomes if one.truth]
    return coverage, tables.gate_rows(topic, outcomes)


def publish(out: Path, topic: str, coverage: list[dict], gates: list[dict]) -> None:
    """`<topic>.csv` and `<topic>_gates.csv`."""
    out.mkdir(parents=True, exist_ok=True)
    for name, rows, columns in (
        (topic, coverage, tables.COVERAGE), (f"{topic}_gates", gates, tables.GATES),
    ):  # fmt: skip
        with open(out / f"{name}.csv", "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)


def _cell(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
