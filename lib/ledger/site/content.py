"""What the pages show."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ledger import claims, files, paper
from ledger.datapackage import roots
from ledger.run import records
from peled.sources import CATALOGUE


@dataclass(frozen=True)
class PanelCard:
    """One figure with its provenance, ready to show.

    Attributes
    ----------
    name, title, kind, notebook, cell : str
    letter : str
        As the paper names it: `Fig. 2g`, `Extended Data Fig. 3n`; the name itself for figures that the paper does not have.
    alt : str
        What is drawn and on which footing, for those who do not see it.
    record : dict
        The sidecar.
    claims : tuple of str
        Claims that the panel shows.
    modules : dict
        Modules and other files that the run read, with their SHA-256, where the runner kept a record.
    commit : str
        Of the run, empty where not known.
    """

    name: str
    letter: str
    title: str
    kind: str
    alt: str
    notebook: str
    cell: str
    record: dict
    claims: tuple[str, ...]
    modules: dict[str, str]
    commit: str


def panel_letter(name: str) -> str:
    """
    >>> panel_letter("fig2g"), panel_letter("ed10k"), panel_letter("extra_lead_flow")
    ('Fig. 2g', 'Extended Data Fig. 10k', 'lead flow')
    """
    if match := re.fullmatch(r"(fig|ed)(\d+[a-z]*)", name):
        return {"fig": "Fig. ", "ed": "Extended Data Fig. "}[match[1]] + match[2]
    return name.removeprefix("extra_").replace("_", " ")


def cards(figures_dir: Path, gathered: claims.Gathered) -> list[PanelCard]:
    """All figures: the paper's panels in its order, then the others.

    Raises
    ------
    FileNotFoundError, ValueError
        If a figure that the results name has no sidecar, or none that can be read.
    """
    ledger = paper.panels()
    of_panel: dict[str, list[str]] = {}
    for claim_id, names in claims.panels_of().items():
        for name in names:
            of_panel.setdefault(name, []).append(claim_id)
    runs = _runs()
    beyond = {name for name in gathered.figures if name not in ledger} | {
        path.stem for path in figures_dir.glob("extra_*.json")
    }  # those of the scoreboard, too
    order = [name for name in ledger if name in gathered.figures] + sorted(beyond)
    made = []
    for name in order:
        sidecar = figures_dir / f"{name}.json"
        record = json.loads(sidecar.read_text(encoding="utf-8"))
        run = runs.get(records.key(sidecar.resolve()))
        known = ledger.get(name)
        title = known.plotted if known else record["title"]
        code = {
            path: digest
            for path, digest in (run.inputs if run else {}).items()
            if path.startswith(("lib/", "notebooks/")) or path.endswith(".lock")
        }
        made.append(
            PanelCard(
                name,
                panel_letter(name),
                title,
                record["source_kind"],
                f"{panel_letter(name)}: {title}. Drawn from {record['source_kind']} values.",
                record["notebook"],
                record["cell"],
                record,
                tuple(sorted(of_panel.get(name, ()))),
                code,
                run.commit if run else "",
            )
        )
    return made


def _runs() -> dict[str, records.Record]:
    found = {}
    for place in sorted((records.BUILD / "records").glob("*.json")):
        record = records.load(place)
        for name in record.outputs if record else ():
            found[name] = record
    return found


@cache
def _cells(notebook: str) -> tuple[dict, ...]:
    path = files.ROOT / notebook
    if not notebook or not path.is_file():
        return ()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return tuple({**cell, "source": "".join(cell["source"])} for cell in cells)


def cell_of_claim(claim_id: str, notebook: str) -> str:
    """Where a notebook judges a claim: the last code cell that names it, else the section of verdicts."""
    cells = _cells(notebook)
    named = [c["id"] for c in cells if c["cell_type"] == "code" and claim_id in c["source"]]
    section = ["verdicts" for c in cells if re.match(r"## Verdicts *(\n|$)", c["source"])]
    return (named or section or [""])[-1]


def with_outputs(path: Path) -> Path:
    """The committed notebook where it carries outputs, else the copy that the runner has executed, else the notebook without."""
    executed = records.BUILD / "executed" / path.name
    stored = any(
        cell.get("outputs") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    )
    return executed if executed.is_file() and not stored else path


def finding(notebook: str) -> str:
    """What a notebook says under its title, before its first section; its first section where there is nothing."""
    text = "\n\n".join(c["source"] for c in _cells(notebook) if c["cell_type"] == "markdown")
    _, *sections = re.split(r"^#+ .*$", text, flags=re.MULTILINE)
    return next((section.strip() for section in sections if section.strip()), "")


def topic_title(topic: str) -> str:
    """As its notebook calls a topic, without the number."""
    for path in (files.ROOT / "notebooks").glob(f"[0-9][0-9]_{topic}.ipynb"):
        if match := re.match(r"# (?:\d+ )?(.+)", _cells(files.display_path(path))[0]["source"]):
            return match[1]
    return topic.replace("_", " ").capitalize()


def exported() -> list[str]:
    """Modules of the library whose API is public: those that list what they export, and readers and corridors of one file."""
    project = files.ROOT / "pyproject.toml"
    built = tomllib.loads(project.read_text(encoding="utf-8")) if project.is_file() else {}
    wheel = (
        built.get("tool", {}).get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    )
    found = []
    for package in wheel.get("packages", ()):
        for path in sorted((files.ROOT / package).rglob("*.py")):
            inner = path.relative_to((files.ROOT / package).parent)
            text = path.read_text(encoding="utf-8")
            if path.name == "__init__.py":
                public = "\n__all__ = " in text
            else:
                alone = len(inner.parts) == 2 or inner.parts[1] == "formats"
                public = alone and len(inner.parts) < 4 and path.stem not in ("__main__", "cli")
            if public:
                found.append(".".join(inner.with_suffix("").parts).removesuffix(".__init__"))
    return found


def catalogue() -> list[dict]:
    """What all catalogues list, with paths from the repository root."""
    found = []
    for folder in roots():
        path = folder / CATALOGUE
        if path.is_file():
            place = folder.relative_to(files.ROOT).as_posix()
            for entry in json.loads(path.read_text(encoding="utf-8"))["resources"]:
                found.append({**entry, "path": f"{place}/{entry['path']}"})
    return found


def citation() -> dict:
    """Title and links of the repository."""
    import yaml

    path = files.ROOT / "CITATION.cff"
    return (
        yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.is_file()
        else {"title": "An executable paper"}
    )
