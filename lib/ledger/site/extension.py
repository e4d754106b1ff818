"""What Sphinx lacks: anchors of cells, alternative texts, formulas without scripts, descriptions."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from textwrap import indent

from bs4 import BeautifulSoup
from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective


class Entries(SphinxDirective):
    """Places in HTML of one's own, one a line as `identifier title`: the search finds them by title, `[text](#identifier)` links to them."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        places = [line.split(" ", 1) for line in self.content]
        standard = self.env.domains.standard_domain
        for name, title in places:
            standard.anonlabels[name.lower()] = self.env.docname, name
            standard.labels[name.lower()] = self.env.docname, name, title
        listed = [("single", title.replace(";", ","), name, "", None) for name, title in places]
        return [addnodes.index(entries=listed)]


def _cells(app, doctree: nodes.document) -> None:
    """Each code cell can be linked to by its identifier; its pictures say what they show."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    for cell in doctree.findall(lambda n: isinstance(n, nodes.container) and "cell_index" in n):
        name = cells[cell["cell_index"]]["id"]
        if name not in doctree.ids:
            doctree.ids[name] = cell
            cell["ids"].append(name)
        section = cell.parent.next_node(nodes.title)
        for image in cell.findall(nodes.image):
            image["alt"] = app.config.panel_alt.get(
                f"{source.stem}#{name}", f"Drawn by cell {name}: {section.astext()}"
            )
        for raw in cell.findall(nodes.raw):
            raw.children = [nodes.Text(_inert(raw.astext()))]


def _inert(text: str) -> str:
    """HTML of which nothing is executed or loaded."""
    soup = BeautifulSoup(text, "html.parser")
    for element in soup.select("script, iframe, object, embed, link, base, meta, form"):
        element.decompose()
    for element in soup.find_all(True):
        address = str(element.get("href", "")).strip().lower()
        for name in [name for name in element.attrs if name.lower().startswith("on")]:
            del element[name]
        if address.startswith(("javascript:", "data:", "vbscript:")):
            del element["href"]
    return str(soup)


def _inline(translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator, node: nodes.math_block) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def _head(app, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """What search engines and messengers show of a page."""
    first = next(doctree.findall(nodes.paragraph), None) if doctree else None
    said = " ".join(first.astext().split()) if first else app.config.project
    about = {
        "og:title": BeautifulSoup(context.get("title", ""), "html.parser").get_text(),
        "og:description": said[:200],
        "og:type": "article",
        "og:site_name": app.config.html_title,
    }
    if app.config.html_baseurl:
        about["og:url"] = f"{app.config.html_baseurl.rstrip('/')}/{page}.html"
        about["og:image"] = f"{app.config.html_baseurl.rstrip('/')}/figures/overview.png"
    lines = [
        f'<meta property="{name}" content="{html.escape(value)}">' for name, value in about.items()
    ]
    lines.append(f'<meta name="description" content="{html.escape(said[:200])}">')
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def _prose(app, what: str, name: str, thing, options, lines: list[str]) -> None:
    """Docstrings are prose: a bar is an absolute value, and a table by blanks stays as it is written."""
    prose = [re.sub(r"(?<!`)\|(?=\S)", r"\|", line) for line in lines]
    lines[:] = [o if "``" in o or o.startswith(">>>") else p for o, p in zip(lines, prose)]
    if what == "module":
        parts = re.split(r"\n\s*\n", "\n".join(lines))
        lines[:] = "\n\n".join(
            "::\n\n" + indent(part, "   ") if re.search(r"\S {2,}\S", part) else part
            for part in parts
        ).splitlines()


def setup(app) -> dict:
    """For Sphinx."""
    app.add_config_value("panel_alt", {}, "env")
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.add_directive("entries", Entries)
    app.connect("doctree-read", _cells)
    app.connect("autodoc-process-docstring", _prose)
    app.connect("html-page-context", _head)
    return {"parallel_read_safe": True}
