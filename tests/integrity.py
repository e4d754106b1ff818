"""Whether the checks of the notebooks can fail: run as `python tests/integrity.py <notebook> <report>`, used by test_claims.py.

A notebook is executed, cell by cell, without saving figures. Whenever it asks the ledger for a claim for the first time,
the process forks, and the child finds another printed value there: 1.2 times the number (0.8, 2, 1/2, 10, 1/10 times where
that changes nothing; what was found, where the verdict was no agreement), or other text. The child runs on to the end and
reports all verdicts; so each child repeats only what follows the first use of the claim, and a value that the check itself
takes from the claim moves along, as it should not. The ledger is altered by `PELED_PUBLISHED`, as anybody would.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("agg")

FACTORS = (1.2, 0.8, 2.0, 0.5, 10.0, 0.1)
OTHER_TEXT = "something else"


def alterations(claim, verdicts: list[dict]) -> list[tuple[str, str]]:
    """Altered values of a claim, each with a name; `verdicts` are today's, by every route."""
    if claim.shape == "text":
        return [("text", OTHER_TEXT)] if claim.value else []
    found = [
        v["found"]
        for v in verdicts
        if v["verdict"] in ("disagrees", "partly") and isinstance(v["found"], (int, float, list))
    ]
    values = [
        ("found", _text(claim, f if isinstance(f, list) else [f]))
        for f in found
        if claim.shape != "ratio"
    ]
    return [(f"x{factor:g}", _scaled(claim, factor)) for factor in FACTORS] + [
        v for v in values if v[1]
    ]


def _numbers(claim) -> list[float]:
    import re

    return [
        float(x)
        for x in re.findall(
            r"(?<![\d.eE])[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
            claim.value.replace("-", " ") if claim.shape == "range" else claim.value,
        )
    ]


def _scaled(claim, factor: float) -> str:
    prefix = claim.value[: len(claim.value) - len(claim.value.lstrip("<>=~ "))]
    numbers = [
        f"{x * (factor if i == 0 or claim.shape != 'ratio' else 1):.6g}"
        for i, x in enumerate(_numbers(claim))
    ]
    return prefix + {"range": "-", "ratio": ":", "list": "; "}.get(claim.shape, "").join(numbers)


def _text(claim, found: list[float]) -> str:
    if claim.shape == "range" and len(found) == 1:
        found = found * 2
    return (
        {"range": "-", "list": "; "}.get(claim.shape, "").join(f"{x:.6g}" for x in found)
        if len(found) == len(claim.printed)
        else ""
    )


def undraw(notebook: Path) -> None:
    """Functions of the room's `plots` that return nothing do nothing: half the time of a child is drawing, and no verdict can come of it."""
    try:
        plots = importlib.import_module(f"peled.{notebook.stem[3:]}.plots")
    except ModuleNotFoundError:
        return
    for name, function in inspect.getmembers(plots, inspect.isfunction):
        if (
            function.__module__ == plots.__name__
            and function.__annotations__.get("return") in (None, "None")
            and "return" in function.__annotations__
        ):
            setattr(plots, name, lambda *a, **k: None)


def run(notebook: Path, report: Path, baseline: list[dict]) -> None:
    from ledger import files, paper
    from ledger import notebook as desk

    today: dict[str, list[dict]] = {}
    for v in baseline:
        today.setdefault(v["claim_id"], []).append(v)
    seen: set[str] = set()
    child: list = []  # (claim id, name of the alteration) in a child
    outcomes: list[dict] = []
    scratch = Path(tempfile.mkdtemp())
    read, read_all = paper.claim, paper.claims
    rooms: list = []

    def alter(claim_id: str, value: str) -> None:
        shutil.copytree(paper.published_folder(), scratch / "published", dirs_exist_ok=True)
        path = scratch / "published" / "claims.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            if row["id"] == claim_id:
                row["value"] = value
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        paper._read_claims.cache_clear()
        os.environ["PELED_PUBLISHED"] = str(scratch / "published")

    def words(rows) -> dict[str, str]:
        return {f"{v['claim_id']} {v['route']}": v["verdict"] for v in rows}

    def first_use(claim_id: str) -> None:
        if child or claim_id in seen:
            return
        seen.add(claim_id)
        checked = [
            v
            for v in today.get(claim_id, ())
            if v["source_kind"] in ("recomputed", "calculated") and v["verdict"] != "not testable"
        ]
        own = {key for key in words(checked)}
        flipped: set[str] = set()
        for name, value in alterations(read(claim_id), checked):
            if name not in ("x1.2", "text", "found") and flipped >= own:
                continue
            answer = scratch / "answer.json"
            answer.unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                child.append((claim_id, name))
                alter(claim_id, value)
                return
            os.waitpid(pid, 0)
            said = (
                json.loads(answer.read_text())
                if answer.exists()
                else {"error": "the process ended"}
            )
            outcomes.append({"claim": claim_id, "alteration": name, **said})
            now = said.get("verdicts", {})
            flipped |= {
                key for key in own if "error" in said or now.get(key) != words(checked)[key]
            }

    def claim(claim_id):
        first_use(claim_id)
        return read(claim_id)

    class Ledger(dict):
        def __getitem__(self, key):
            first_use(key)
            return read_all()[key]

    paper.claim = claim
    paper.claims = lambda folder=None: read_all(folder) if folder else Ledger(read_all())
    desk.explore = lambda *a, **k: None
    desk._shell = lambda: None
    desk.Room.save = lambda self, figure, name, **k: self._figures.setdefault(name, {"name": name})
    desk.Room.write = lambda *a, **k: None
    desk.Room.finish = lambda self: None
    undraw(notebook)
    made = desk.Room.__init__

    def init(self, *arguments):
        made(self, *arguments)
        rooms.append(self)

    desk.Room.__init__ = init
    scope = {"__name__": "__main__", "display": lambda *a, **k: None}
    os.chdir(files.ROOT / "notebooks")
    sys.stdout = open(os.devnull, "w")
    error = ""
    try:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                if "parameters" in cell["metadata"].get("tags", []):
                    source += "\nquick = True"
                exec(compile(source, cell["id"], "exec"), scope)
                import matplotlib.pyplot as plt

                plt.close("all")
    except Exception as raised:  # a value that makes the notebook stop is noticed, too
        error = f"{type(raised).__name__}: {raised}"
    found = words(v.record() for v in rooms[-1].verdicts().rows) if rooms else {}
    if child:
        (scratch / "answer.json").write_text(
            json.dumps({"error": error} if error else {"verdicts": found})
        )
        os._exit(0)
    report.write_text(json.dumps({"error": error, "baseline": found, "outcomes": outcomes}))
    shutil.rmtree(scratch, ignore_errors=True)


def judge(baseline: list[dict], report: dict) -> dict[str, list[str]]:
    """Checks by what it takes to change their verdict.

    `flips`: 1.2 times its own number, or other text. `blunt`: only more than that. `others`: it has no value of its own, or
    disagrees as a statement, and changes with another claim's. `agrees with what was found`: it disagreed, and agrees where
    the ledger prints what was found. `stands on data`: a statement that no printed value moves. `cannot fail`: it has a
    printed number and nothing done to it changes the verdict.
    """
    from ledger import paper

    groups: dict[str, list[str]] = {
        name: []
        for name in (
            "flips",
            "blunt",
            "others",
            "agrees with what was found",
            "stands on data",
            "cannot fail",
        )
    }
    for v in baseline:
        if v["source_kind"] not in ("recomputed", "calculated") or v["verdict"] == "not testable":
            continue
        key, entry = f"{v['claim_id']} {v['route']}", paper.claim(v["claim_id"])
        before = report["baseline"].get(key, v["verdict"])
        changed = [
            o
            for o in report["outcomes"]
            if o.get("error") or o["verdicts"].get(key, before) != before
        ]
        own = [o["alteration"] for o in changed if o["claim"] == v["claim_id"]]
        agreed = [
            o
            for o in report["outcomes"]
            if o["claim"] == v["claim_id"]
            and o["alteration"] == "found"
            and o.get("verdicts", {}).get(key) == "agrees"
        ]
        if before != "agrees" and agreed:
            groups["agrees with what was found"].append(key)
        elif "x1.2" in own or "text" in own:
            groups["flips"].append(key)
        elif own:
            groups["blunt"].append(key)
        elif changed:
            groups["others"].append(key)
        elif entry.shape == "text":
            groups["stands on data"].append(key)
        else:
            groups["cannot fail"].append(key)
    return groups


if __name__ == "__main__":
    from ledger import files

    name, place = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    results = files.ROOT / "figures" / "results" / f"{name.stem[3:]}.json"
    rows = json.loads(results.read_text(encoding="utf-8"))["verdicts"]
    run(name, place, rows)
    if len(sys.argv) > 3:
        print(json.dumps(judge(rows, json.loads(place.read_text())), indent=1), file=sys.stderr)
