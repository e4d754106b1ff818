"""Whether the checks of a notebook turn: `python tests/integrity.py <notebook> <report> [show]`,
used by test_claims.py.

A notebook is executed, cell by cell, without saving figures. Whenever it asks the ledger for a
claim for the first time, the process forks, and the child finds there what the claim's rivals would
have printed (`ledger.paper.Claim.flipped`): the value on either side, or the predicate reversed;
what was found, where the verdict was no agreement. The child runs on to the end and reports all
verdicts; so each child repeats only what follows the first use of the claim, and a value that the
check itself takes from the claim moves along, as it should not. The ledger is altered by
`PELED_PUBLISHED`, as anybody would. `ledger.claims.flips` does the same from kept evidence, for all
claims at once, but sees no such check.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("agg")

COLUMNS = ("value", "predicate", "tolerance")


def alterations(claim, verdicts: list[dict]) -> list[dict[str, str]]:
    """Altered columns of a claim; `verdicts` are today's, by every route."""
    others = claim.flipped()
    if claim.printed:
        others += [
            claim.printing(v["found"])
            for v in verdicts
            if v["verdict"] == "disagrees" and isinstance(v["found"], (int, float, list))
        ]
    return [{column: getattr(other, column) for column in COLUMNS} for other in others]


def undraw() -> None:
    """No panel is drawn: that is most of a child's time, and no verdict can come of it."""
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("hassan2021.desk").show = lambda *a, **k: None


def run(notebook: Path, report: Path, baseline: list[dict]) -> None:
    from ledger import files, paper
    from ledger import notebook as desk

    today: dict[str, list[dict]] = {}
    for v in baseline:
        today.setdefault(v["claim_id"], []).append(v)
    seen: set[str] = set()
    child: list = []  # the altered claim, in a child
    outcomes: list[dict] = []
    scratch = Path(tempfile.mkdtemp())
    read, read_all = paper.claim, paper.claims
    rooms: list = []

    def alter(claim_id: str, columns: dict[str, str]) -> None:
        shutil.copytree(paper.published_folder(), scratch / "published", dirs_exist_ok=True)
        path = scratch / "published" / "claims.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            if row["id"] == claim_id:
                row |= columns
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
        for columns in alterations(read(claim_id), today.get(claim_id, [])):
            answer = scratch / "answer.json"
            answer.unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                child.append(claim_id)
                alter(claim_id, columns)
                return
            os.waitpid(pid, 0)
            said = (
                json.loads(answer.read_text())
                if answer.exists()
                else {"error": "the process ended"}
            )
            outcomes.append({"claim": claim_id, "altered": columns, **said})

    def claim(claim_id):
        first_use(claim_id)
        return read(claim_id)

    class Ledger(dict):
        def __getitem__(self, key):
            first_use(key)
            return read_all()[key]

    paper.claim = claim
    paper.claims = lambda folder=None: read_all(folder) if folder else Ledger(read_all())
    desk._shell = lambda: None
    desk.Room.save = lambda self, figure, name, **k: self._figures.setdefault(name, {"name": name})
    desk.Room.write = lambda *a, **k: None
    desk.Room.finish = lambda self: None
    undraw()
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
    except Exception as raised:  # no printed value may stop a notebook
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
    """Checks by what happens when their claim is printed otherwise.

    `turns`: another outcome. `stands`: the same, as it may be for a bound or for weak evidence.
    `cannot fail`: the same, though it is said to decide, or to be a number printed twice. `stops`:
    an altered claim that ends the notebook.
    """
    groups: dict[str, list[str]] = {
        name: [] for name in ("turns", "stands", "cannot fail", "stops")
    }
    groups["stops"] = [f"{o['claim']}: {o['error']}" for o in report["outcomes"] if o.get("error")]
    for v in baseline:
        if v["source_kind"] not in ("recomputed", "calculated") or v["verdict"] == "not testable":
            continue
        key = f"{v['claim_id']} {v['route']}"
        before = report["baseline"].get(key, v["verdict"])
        turned = any(
            o["claim"] == v["claim_id"] and o.get("verdicts", {}).get(key, before) != before
            for o in report["outcomes"]
        )
        sure = v["test"] in ("decides", "restated")
        groups["turns" if turned else "cannot fail" if sure else "stands"].append(key)
    return groups


if __name__ == "__main__":
    from ledger import files

    name, place = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    results = files.ROOT / "figures" / "results" / f"{name.stem[3:]}.json"
    rows = json.loads(results.read_text(encoding="utf-8"))["verdicts"]
    run(name, place, rows)
    if len(sys.argv) > 3:
        print(json.dumps(judge(rows, json.loads(place.read_text())), indent=1), file=sys.stderr)
