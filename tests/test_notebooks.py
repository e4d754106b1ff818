"""Every notebook is in order: parameters, title, sections, short cells, stored outputs that are its
own."""

import ast
import json
import re

import nbformat
import pytest

from ledger import files, paper
from ledger.notebook import COMMON_PARAMETERS
from ledger.run.records import source_digest

NOTEBOOKS = sorted((files.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LAST = ["Verdicts", "Explore", "Results"]  # what comes before stands where it is argued
LONGEST_CELL = 25

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code(path):
    return [cell for cell in load(path)["cells"] if cell["cell_type"] == "code"]


def text_of(output):
    parts = [output.get("text", "")] + [
        value for kind, value in output.get("data", {}).items() if kind.startswith("text/")
    ]
    return "".join("".join(part) for part in parts)


def test_it_is_a_valid_notebook(path):
    nbformat.validate(load(path))


def test_title_parameters_sections(path):
    cells = load(path)["cells"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith(
        f"# {path.stem[:2]} "
    )
    assert "parameters" in cells[1]["metadata"].get("tags", []), (
        "the second cell is tagged `parameters`"
    )
    assigned = {
        t.id: n.value
        for n in ast.parse("".join(cells[1]["source"])).body
        if isinstance(n, ast.Assign)
        for t in n.targets
    }
    assert {
        name: ast.literal_eval(assigned[name]) for name in COMMON_PARAMETERS
    } == COMMON_PARAMETERS
    headings = [
        line[3:].strip()
        for cell in cells
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith("## ")
    ]
    assert headings[-len(LAST) :] == LAST
    assert "".join(code(path)[-1]["source"]).strip().endswith("room.finish()")


def test_cells_are_short_and_need_no_shell(path):
    for cell in code(path):
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= LONGEST_CELL, (
            f"cell {cell['id']} has {len(lines)} lines; what is longer belongs into the module"
        )
        assert not any(re.match(r"\s*[!%]", line) for line in lines), (
            f"cell {cell['id']} calls a shell or a magic"
        )


def test_it_reads_on_a_page(path):
    """Lines of 100 characters at most, paragraphs of 90 words, and links from where things are
    said."""
    sources = {cell["id"]: "".join(cell["source"]) for cell in load(path)["cells"]}
    long = [name for name, text in sources.items() if any(len(x) > 100 for x in text.splitlines())]
    assert not long
    prose = {c["id"]: sources[c["id"]] for c in load(path)["cells"] if c["cell_type"] == "markdown"}
    wordy = [
        name
        for name, text in prose.items()
        for paragraph in re.split(r"\n\s*\n|\n(?=[*-] )", text)
        if len(paragraph.split()) > 90
    ]
    assert not wordy
    assert any("](" in text for text in prose.values())


def test_stored_outputs_are_its_own_and_clean(path):
    notebook = load(path)
    assert notebook["metadata"].get("peled", {}).get("sources_sha256") == source_digest(notebook), (
        "stale or missing outputs: run `make notebooks`"
    )
    assert [cell["execution_count"] for cell in code(path)] == list(range(1, len(code(path)) + 1))
    for cell in code(path):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", (
                f"cell {cell['id']} warns: {text_of(output)[:200]}"
            )
            text = text_of(output)
            assert not re.search(
                r"(?:^|[\s'\"(=])/(?:[\w.-]+/)+|[A-Z]:\\\\|0x[0-9a-f]{8,}", text
            ), f"cell {cell['id']} prints a path or an address"
            assert not re.search(r"\d\d:\d\d:\d\d", text), f"cell {cell['id']} prints a time"
    assert path.stat().st_size < 3_000_000


def test_every_panel_of_its_topic_is_saved_by_it(path):
    topic = path.stem[3:]
    source = "\n".join("".join(cell["source"]) for cell in code(path))
    module = "\n".join(
        p.read_text(encoding="utf-8")
        for p in (files.ROOT / "lib").rglob("*.py")
        if topic in p.as_posix()
    )
    missing = [
        p.name
        for p in paper.panels().values()
        if p.topic == topic
        and not p.plotted.startswith("not described")
        and p.name not in source + module
    ]
    results = files.ROOT / "figures" / "results" / f"{topic}.json"
    if results.exists():
        saved = {figure["name"] for figure in json.loads(results.read_text())["figures"]}
        missing = [
            p.name
            for p in paper.panels().values()
            if p.topic == topic
            and not p.plotted.startswith("not described")
            and p.name not in saved
        ]
    assert not missing


def test_its_panels_are_its_own(path):
    """Two notebooks that save a panel of one name would overwrite each other's file, and neither
    would ever be up to date."""

    def saved(notebook):
        return set(
            re.findall(
                r"room\.save\(\s*\w+,\s*\"(\w+)\"",
                "\n".join("".join(cell["source"]) for cell in code(notebook)),
            )
        )

    for other in NOTEBOOKS:
        assert other == path or not saved(path) & saved(other), other.stem
