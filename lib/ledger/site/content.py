"""What the pages show."""

from __future__ import annotations

import ast
import json
import re
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
def _cell_sources(notebook: str) -> tuple[tuple[str, str], ...]:
    path = files.ROOT / notebook
    if not notebook or not path.is_file():
        return ()
    return tuple(
        (cell.get("id", ""), "".join(cell["source"]))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    )


def cell_of_claim(claim_id: str, notebook: str) -> str:
    """Identifier of the notebook cell that judges a claim: the last code that names it, else the section of verdicts."""
    cells = _cell_sources(notebook)
    named = [name for name, source in cells if claim_id in source]
    section = [name for name, source in cells if source.startswith("## Verdicts")]
    return (named or section or [""])[-1]


def methods() -> list[dict]:
    """The head of each module, which tells its conventions, grouped by folder or topic; read without importing anything."""
    library = files.ROOT / "lib"
    groups: dict[str, dict] = {}
    for path in sorted(library.rglob("*.py")):
        package, *rest = path.relative_to(library).parts
        inner = Path(*rest)
        if inner.name == "__main__.py" or "__pycache__" in inner.parts:
            continue
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if text:
            named = inner.parts[0].removesuffix(".py")
            inside = package == "peled" and (len(inner.parts) > 1 or named in claims.topics())
            group = named if inside else f"package {package}"
            name = ".".join([package, *inner.with_suffix("").parts]).removesuffix(".__init__")
            groups.setdefault(group, {"name": group, "modules": []})["modules"].append(
                {"name": name, "path": f"lib/{package}/{inner.as_posix()}", "text": text}
            )
    ours = claims.topics()
    return sorted(
        groups.values(),
        key=lambda g: (ours.index(g["name"]) if g["name"] in ours else len(ours), g["name"]),
    )


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
