"""The results of all notebooks, or a refusal that names what is missing or stale.

Results are stale when a file they were made from has changed since: a data file (its digest stands
beside each figure), a row of the ledger (its printed value stands in each verdict), or, where the
runner kept a record of the run, any module, notebook or lock file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ledger import files, paper
from ledger.notebook import RESULTS, misfit


class IncompleteResults(ValueError):
    """Results are missing, stale or unusable; the message names each."""


@dataclass(frozen=True)
class Gathered:
    """Results by topic, and what could not be vouched for.

    Attributes
    ----------
    results : dict
        Content of `<results_dir>/<topic>.json` by topic, in the ledger's order.
    missing : tuple of str
        Topics of the ledger without results, when that was accepted.
    unchecked : tuple of str
        Inputs that lie outside the repository, so that their content today is not known.
    """

    results: dict[str, dict] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def verdicts(self) -> list[paper.Verdict]:
        """All verdicts, all routes."""
        return [
            paper.Verdict(**row) for result in self.results.values() for row in result["verdicts"]
        ]

    @property
    def figures(self) -> dict[str, dict]:
        """All saved panels by name, each with its topic and notebook."""
        return {
            figure["name"]: {**figure, "topic": topic, "notebook": result["notebook"]}
            for topic, result in self.results.items()
            for figure in result["figures"]
        }


def results_folder(results_dir: str | os.PathLike) -> Path:
    """Where the other notebooks' results are: the folder that a headless run names, else
    `results_dir` itself."""
    return Path(os.environ.get(RESULTS) or files.resolve(results_dir))


def topics() -> list[str]:
    """The topics of the ledgers, in the order of the notebooks, then of first mention."""
    named = dict.fromkeys(
        [entry.topic for entry in paper.claims().values()]
        + [panel.topic for panel in paper.panels().values()]
    )
    order = [
        path.stem[3:] for path in sorted((files.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    ]
    return sorted(named, key=lambda topic: order.index(topic) if topic in order else len(order))


def gather(folder: str | os.PathLike, *, accept_missing: bool = False) -> Gathered:
    """The results of all topics in the ledger.

    Parameters
    ----------
    folder : path
        Holds one `<topic>.json` a notebook.
    accept_missing : bool
        Take what is there; missing topics are then listed in the answer. Stale results are refused
        all the same.

    Raises
    ------
    IncompleteResults
        Naming every topic that is missing, stale or unusable, and why.
    """
    folder, results, missing, unchecked, wrong = Path(folder), {}, [], [], []
    for topic in topics():
        path = folder / f"{topic}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            missing.append(topic)
            continue
        except ValueError as error:
            wrong.append(f"{topic}: {path.name}: expected JSON, found {error}")
            continue
        found, outside = problems(topic, content, path)
        wrong += [f"{topic}: {reason}" for reason in found]
        unchecked += outside
        results[topic] = content
    if missing and not accept_missing:
        wrong = [f"{topic}: no results ({topic}.json is not there)" for topic in missing] + wrong
    if wrong or not results:
        raise IncompleteResults(
            f"results in {files.display_path(folder)}: "
            + ("; ".join(wrong) or "expected one JSON file a topic, found none")
            + ". Run `make figures` first"
        )
    return Gathered(results, tuple(missing), tuple(sorted(set(unchecked))))


def problems(topic: str, content: dict, path: Path | None = None) -> tuple[list[str], list[str]]:
    """Why one notebook's results cannot be used (empty when they can), and which of its inputs lie
    elsewhere.

    Parameters
    ----------
    topic : str
    content : dict
        A results file.
    path : Path, optional
        Where it was read from; with it, the runner's record of the run is asked as well.
    """
    if problem := misfit(content):
        return [f"does not fit the schema of results: {problem}"], []
    if content["topic"] != topic:
        return [f"expected the results of {topic}, found those of {content['topic']}"], []
    return _ledger_problems(topic, content) + (stale := _stale_inputs(content))[0] + (
        _stale_code(path) if path and not stale[0] else []
    ), stale[1]


def _ledger_problems(topic: str, content: dict) -> list[str]:
    ledger = paper.claims()
    own = {entry.id for entry in ledger.values() if entry.topic == topic}
    judged = {verdict["claim_id"] for verdict in content["verdicts"]}
    found = []
    if unknown := sorted(judged - set(ledger)):
        found.append(f"verdicts on claims that are not in the ledger: {_few(unknown)}")
    if lacking := sorted(own - judged):
        found.append(f"no verdict on {_few(lacking)}")
    changed = sorted(
        {
            v["claim_id"]
            for v in content["verdicts"]
            if v["claim_id"] in ledger and v["published"] != ledger[v["claim_id"]].as_printed()
        }
    )
    if changed:
        found.append(f"stale: the ledger prints other values now for {_few(changed)}")
    elif turned := sorted(
        {
            v["claim_id"]
            for v in content["verdicts"]
            if v["claim_id"] in ledger
            and paper.Verdict(**v).again(ledger[v["claim_id"]]).record() != v
        }
    ):
        found.append(f"stale: the ledger tests in other ways now {_few(turned)}")
    described = {
        p.name
        for p in paper.panels().values()
        if p.topic == topic and not p.plotted.startswith("not described")
    }
    if lacking := sorted(described - {figure["name"] for figure in content["figures"]}):
        found.append(f"no panel {_few(lacking)}")
    return found


def _stale_inputs(content: dict) -> tuple[list[str], list[str]]:
    inputs: dict[str, str] = {}
    contradicting, changed, elsewhere = [], [], []
    for figure in content["figures"]:
        for name, digest in figure["inputs"].items():
            if inputs.setdefault(name, digest) != digest:
                contradicting.append(name)
    own = files.resolve(content["parameters"].get("data_dir", "data"))
    for name, digest in sorted(inputs.items()):
        path = files.ROOT / name
        if path.is_file():
            if files.sha256(path) != digest:
                changed.append(name)
        elif (own.is_dir() and path.is_relative_to(own)) or name.startswith(("data/", "lib/")):
            changed.append(f"{name} (gone)")
        else:
            elsewhere.append(name)
    found = [f"stale: made from another {_few(changed)}"] if changed else []
    return found + (
        [f"figures made from two contents of {_few(contradicting)}"] if contradicting else []
    ), elsewhere


def _stale_code(path: Path) -> list[str]:
    from ledger.run import records

    record = records.of_output(path)
    reason = records.moved(record, outputs=False)[0] if record else ""
    return [f"stale: {reason}"] if reason else []


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
