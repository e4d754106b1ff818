"""The folder that Sphinx reads: notebooks and documents where they lie, others from templates."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import struct
from functools import cache
from pathlib import Path, PurePosixPath

import jinja2

from ledger import claims, files, paper
from ledger.site import content

TEMPLATES = Path(__file__).with_name("templates")

#: A larger drawing is not copied; its picture is linked to instead.
_LARGEST_SVG = 150_000

_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")


def write(folder: Path, figures_dir: Path, gathered: claims.Gathered) -> dict:
    """Write what Sphinx reads and return what is in it, with the settings that depend on it.

    Raises
    ------
    FileNotFoundError, ValueError, KeyError
        If a figure is missing or a notebook or document links to what is not there.
    """
    source = Source(folder, content.citation())
    board, cards = claims.board(gathered), content.cards(figures_dir, gathered)
    drawn = [source.panel(figures_dir, card) for card in cards]
    for beside in filter(_beside_documents, (files.ROOT / "docs").rglob("*.*")):
        source.put(beside.relative_to(files.ROOT).as_posix(), beside.read_bytes())
    for picture in (files.ROOT / "docs").glob("*.png"):
        source.put(f"_extra/figures/{picture.name}", picture.read_bytes())
    notebooks = [source.notebook(path) for path in _notebooks()]
    documents = [source.document(path) for path in _documents()]
    topics = [
        source.topic(name, board, drawn, gathered) for name in gathered.results if name != "claims"
    ]
    common = {"board": board, "cards": drawn, "topics": topics, "missing": gathered.missing}
    source.page("claims.md", **common, **_claims(board))
    source.page("contradictions.md", contradictions=claims.contradictions(board))
    source.page("open.md", unsettled=claims.unsettled(board))
    source.page("panels.md", groups=_by_figure(drawn), undescribed=_undescribed())
    data = source.data()
    api = source.api()
    source.page(
        "index.md",
        **common,
        summary=claims.summary(board),
        answers=claims.answers(board),
        panels=sum(card["name"] in paper.panels() for card in drawn),
        commit=next((card.commit for card in cards if card.commit), ""),
        notebooks=notebooks,
        documents=[name for name in documents if not name.startswith("data/")],
        data=data,
        api=api,
    )
    for name in ("site.css", "claims.js"):
        source.put(f"_static/{name}", (TEMPLATES / name).read_bytes())
    return {
        "claims": len(board),
        "panels": len(cards),
        "notebooks": len(notebooks),
        "settings": source.settings(cards),
    }


def _notebooks() -> list[Path]:
    folder = files.ROOT / "notebooks"
    return [*sorted(folder.glob("[0-9][0-9]_*.ipynb")), *sorted(folder.glob("lab/*.ipynb"))]


def _documents() -> list[Path]:
    named = [files.ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [
        *filter(Path.is_file, named),
        *sorted((files.ROOT / "docs").glob("*.md")),
        *sorted((files.ROOT / "data").glob("*/README.md")),
    ]


def _beside_documents(path: Path) -> bool:
    """Pictures and tables that documents bring along."""
    return path.is_relative_to(files.ROOT / "docs") and path.suffix in (".png", ".csv")


def _claims(board: list[claims.Row]) -> dict:
    kinds = [kind for kind in paper.SOURCE_KINDS if any(row.kind == kind for row in board)]
    said = {claims.heading(row) for row in board}
    return {
        "choices": {
            "topic": list(dict.fromkeys(row.claim.topic for row in board)),
            "answer": [heading for heading in claims.HEADINGS if heading in said],
            "kind": kinds,
        },
        "columns": {
            "id": "Claim",
            "what": "What",
            "printed": "Printed",
            "found": "Found",
            "verdict": "Verdict",
            "topic": "Topic",
        },
        "summary": claims.summary(board),
    }


def _by_figure(cards: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for card in cards:
        match = re.match(r"(Fig\.|Extended Data Fig\.) \d+", card["letter"])
        groups.setdefault(match[0] if match else "Beyond the paper", []).append(card)
    return groups


def _undescribed() -> list[str]:
    return [n for n, panel in paper.panels().items() if panel.plotted.startswith("not described")]


class Source:
    """Writes sources; knows which repository they come from."""

    def __init__(self, folder: Path, citation: dict):
        self.folder, self.citation = folder, citation
        self.repository = citation.get("repository-code", "").removesuffix("/")
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals |= {
            "shown": claims.shown,
            "found_of": claims.found_of,
            "heading": claims.heading,
            "cell_of_claim": content.cell_of_claim,
            "citation": citation,
            "HEADINGS": claims.HEADINGS,
            "VERDICTS": paper.VERDICTS,
            "topic_title": content.topic_title,
        }

    def put(self, name: str, what: str | bytes) -> None:
        files.write_atomically(self.folder / name, what)

    def page(self, place: str, template: str = "", /, **values) -> None:
        up = "../" * place.count("/")
        text = self.environment.get_template(f"{template or place}.j2").render(up=up, **values)
        self.put(place, text)

    def settings(self, cards: list[content.PanelCard]) -> dict:
        alt: dict[str, str] = {}
        for card in cards:
            place = f"{Path(card.notebook).stem}#{card.cell}"
            alt[place] = " ".join(filter(None, [alt.get(place), card.alt]))
        title = self.citation.get("title", "An executable paper")
        return {
            "project": title,
            "html_title": title.split(":")[0],
            "version": str(self.citation.get("version", "")),
            "copyright": "code BSD-3-Clause, data and figures CC-BY-4.0",
            "html_baseurl": self.citation.get("url", ""),
            "panel_alt": alt,
        }

    def panel(self, figures_dir: Path, card: content.PanelCard) -> dict:
        """Copy a panel; what a template shows of it."""
        picture = _small_png((figures_dir / f"{card.name}.png").read_bytes())
        self.put(f"_extra/figures/{card.name}.png", picture)
        drawing = figures_dir / f"{card.name}.svg"
        large = drawing.stat().st_size <= _LARGEST_SVG
        if large:
            shutil.copyfile(drawing, self.folder / "_extra" / "figures" / drawing.name)
        width, height = struct.unpack(">II", picture[16:24])
        return {
            **card.__dict__,
            "large": f"figures/{card.name}.{'svg' if large else 'png'}",
            "width": width,
            "height": height,
            "link": _notebook_page(card.notebook) + f"#{card.cell}" * bool(card.cell),
            "page": _home(card.notebook),
        }

    def notebook(self, path: Path) -> str:
        """Copy a notebook with outputs, small pictures and links that hold; its document's name."""
        place = path.relative_to(files.ROOT)
        notebook = json.loads(content.with_outputs(path).read_text(encoding="utf-8"))
        bare = json.loads(json.dumps(notebook))
        for cell in bare["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        self.put(f"_extra/{place.as_posix()}", json.dumps(bare, indent=1, ensure_ascii=False))
        for cell in notebook["cells"]:
            cell["source"] = text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                cell["source"] = self.links(text, PurePosixPath(place))
            for output in cell.get("outputs", ()):
                if png := output.get("data", {}).get("image/png"):
                    smaller = _small_png(base64.b64decode("".join(png)))
                    output["data"]["image/png"] = base64.b64encode(smaller).decode()
        if not notebook["cells"][0]["source"].startswith("# "):
            title = {"cell_type": "markdown", "id": "page", "metadata": {}}
            notebook["cells"].insert(0, {**title, "source": f"# {path.stem}"})
        head, _, rest = notebook["cells"][0]["source"].partition("\n")
        notebook["cells"][0]["source"] = f"{head}\n\n{self._actions(place)}\n{rest}"
        self.put(place.as_posix(), json.dumps(notebook))
        return place.with_suffix("").as_posix()

    def _actions(self, notebook: Path) -> str:
        binder = self.repository.replace("https://github.com/", "https://mybinder.org/v2/gh/")
        if binder == self.repository:  # Binder knows GitHub by this address alone
            binder = ""
        template = self.environment.get_template("actions.j2")
        return template.render(
            notebook=notebook.as_posix(), name=notebook.name, binder=binder, home=_home(notebook)
        )

    def document(self, path: Path) -> str:
        """Copy a document with links that hold; its name for Sphinx."""
        place = path.relative_to(files.ROOT)
        self.put(
            place.as_posix(), self.links(path.read_text(encoding="utf-8"), PurePosixPath(place))
        )
        return place.with_suffix("").as_posix()

    def links(self, text: str, source: PurePosixPath, page: PurePosixPath | None = None) -> str:
        """Links of the text of a file as links of a page, of its own by default.

        Raises
        ------
        ValueError
            If a link leads to what is not there.
        """
        home = (page or source).parent

        def turned(match: re.Match) -> str:
            path, hash_, fragment = match[1].partition("#")
            if re.match(r"[a-z]+:", path):
                return match[1]
            if not path and fragment in {*paper.panels(), *paper.claims()}:
                return f"#{fragment}"
            target = (files.ROOT / source.parent / path).resolve() if path else files.ROOT / source
            if not target.exists() or not target.is_relative_to(files.ROOT):
                raise ValueError(f"{source}: a link leads to {match[1]}, which is not there")
            inner = target.relative_to(files.ROOT)
            if inner.parts[0] == "figures" and inner.stem in paper.panels():
                return f"#{inner.stem}"
            shown = inner.suffix == ".png" or _beside_documents(target)
            if shown or target in (*_notebooks(), *_documents()):
                near = "" if page is None and not path else os.path.relpath(inner, home)
                return near + hash_ + _slug(fragment)
            return f"{self.repository}/blob/HEAD/{inner.as_posix()}" if self.repository else ""

        text = re.sub(_LINK, turned, text)
        return re.sub(r"\[([^\]]*)\]\(\)", r"\1", text)

    def topic(
        self, name: str, board: list[claims.Row], cards: list[dict], gathered: claims.Gathered
    ) -> dict:
        """The page of a topic: what was found, panels, verdicts, what is open."""
        rows = [row for row in board if row.claim.topic == name]
        notebook = gathered.results[name]["notebook"]
        panels = [card for card in cards if card["page"] == f"topics/{name}"]
        finding = self.links(
            content.finding(notebook), PurePosixPath(notebook), PurePosixPath(f"topics/{name}")
        )
        ids = {row.claim.id for row in rows}
        topic = {
            "name": name,
            "title": content.topic_title(name),
            "notebook": _notebook_page(notebook),
            "rows": rows,
            "cards": panels,
            "summary": claims.summary(rows),
        }
        self.page(
            f"topics/{name}.md",
            "topic.md",
            **topic,
            finding=finding,
            against=[c for c in claims.contradictions(board) if c.row.claim.id in ids],
            unsettled=[u for u in claims.unsettled(board) if u[1].claim.id in ids],
            made={card["name"] for card in cards},
            lab=(files.ROOT / f"notebooks/lab/{name}.ipynb").is_file(),
            data=(files.ROOT / f"data/{name}/README.md").is_file(),
        )
        return topic

    def data(self) -> list[str]:
        """A page of files for each folder of data, after what its README says."""
        groups: dict[str, list[dict]] = {}
        for resource in content.catalogue():
            top, second, *_ = resource["path"].split("/")
            group = f"data/{second}" if top == "data" else resource["path"].rsplit("/", 1)[0]
            groups.setdefault(group, []).append(resource)
        made = []
        for group, resources in groups.items():
            place = self.folder / group / "README.md"
            said = place.read_text(encoding="utf-8") if place.is_file() else f"# {group}\n"
            self.page(f"{group}/README.md", "data.md", said=said, group=group, resources=resources)
            made.append(f"{group}/README")
        self.page("data/index.md", "data-index.md", groups=groups, pages=made)
        return made

    def api(self) -> list[str]:
        """A page for each module with an exported API."""
        made = []
        for name in content.exported():
            self.put(
                f"api/{name}.rst",
                f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n   :members:\n",
            )
            made.append(f"api/{name}")
        if made:
            self.page("api/index.md", "api-index.md", pages=made)
        return made


def _notebook_page(notebook: str) -> str:
    return str(PurePosixPath(notebook).with_suffix(".html"))


def _home(notebook: str | Path) -> str:
    """The page of the topic that a notebook is about."""
    topic = re.sub(r"^\d\d_", "", Path(notebook).stem)
    return f"topics/{topic}" if topic in claims.topics() else "claims"


def _slug(heading: str) -> str:
    """The identifier of a heading as documents have it, from that or from JupyterLab's."""
    return re.sub(r"[^\w-]", "", heading).lower()


@cache
def _small_png(data: bytes) -> bytes:
    """A PNG with at most 256 colours; the original where that is smaller."""
    from PIL import Image

    stream = io.BytesIO()
    flat = (
        Image.open(io.BytesIO(data))
        .convert("RGB")
        .quantize(256, Image.Quantize.FASTOCTREE, dither=0)
    )
    flat.save(stream, format="PNG", optimize=True)
    return min(stream.getvalue(), data, key=len)
