"""The pages of the site, written whole or not at all."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import struct
import sys
from pathlib import Path
from urllib.parse import unquote

from ledger import claims, files, paper
from ledger.claims import IncompleteResults
from ledger.site import check, content
from ledger.site.notebooks import SiteError, markdown, notebook_body, small_png

#: The whole site stays below this, in bytes; vector drawings are left out, the largest first, to keep to it.
LIMIT = 20_000_000
TEMPLATES = Path(__file__).with_name("templates")


def build(
    target: Path,
    figures_dir: Path,
    results_dir: Path,
    *,
    accept_missing: bool = False,
    limit: int = LIMIT,
) -> dict:
    """Write the site into `target` and say what is in it.

    Raises
    ------
    IncompleteResults
        If results are missing or stale.
    SiteError
        If nbconvert is not there, a figure is missing, or the site would be larger than `limit`.
    """
    gathered = claims.gather(results_dir, accept_missing=accept_missing)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        said = _write(beside, figures_dir, gathered, limit)
        if found := check.site(beside):
            raise SiteError("the pages are not in order: " + "; ".join(found[:5]))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return said


def _write(folder: Path, figures_dir: Path, gathered: claims.Gathered, limit: int) -> dict:
    try:
        cards = content.cards(figures_dir, gathered)
    except (OSError, ValueError, KeyError) as error:
        raise SiteError(
            f"figures in {files.display_path(figures_dir)}: {error}; run `make figures`"
        ) from None
    for card in cards:
        source = figures_dir / f"{card.name}.png"
        files.write_atomically(folder / "figures" / source.name, _smaller(source))
    write = _Writer(
        folder, content.citation(), next((card.commit for card in cards if card.commit), "")
    )
    notebooks = _notebooks(write, cards)
    notes = _notes(write)
    _data(write)
    write.page(
        "methods.html",
        "methods.html.j2",
        title="Method notes",
        groups=content.methods(),
        notes=notes,
    )
    write.page(
        "notebooks.html",
        "list.html.j2",
        title="Notebooks",
        paragraphs=[
            "The notebooks with their outputs, as stored in the repository. They run with any data folder by parameters alone."
        ],
        entries=notebooks,
    )
    large = _vectors(folder, cards, figures_dir, limit)
    _index(write, gathered, cards, large)
    for name in ("site.css",):
        shutil.copyfile(TEMPLATES / name, folder / name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > limit:
        raise SiteError(
            f"the site has {size / 1e6:.1f} MB; it should stay below {limit / 1e6:.0f} MB"
        )
    return {
        "claims": sum(
            len({v["claim_id"] for v in r["verdicts"]}) for r in gathered.results.values()
        ),
        "panels": len(cards),
        "notebooks": len(notebooks),
        "bytes": size,
    }


class _Writer:
    """Fills templates; every page knows the way back to the others."""

    NAVIGATION = (
        {"href": "notebooks.html", "text": "Notebooks"},
        {"href": "data.html", "text": "Data"},
        {"href": "methods.html", "text": "Methods"},
    )

    def __init__(self, folder: Path, citation: dict, commit: str):
        import jinja2

        self.folder, self.common = (
            folder,
            {"citation": citation, "commit": commit, "nav": self.NAVIGATION},
        )
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=False,
        )

    def page(self, name: str, template: str, **values) -> None:
        up = "../" * name.count("/")
        text = self.environment.get_template(template).render(
            **self.common,
            **{
                "up": up,
                "page": name.removesuffix(".html") if name == "index.html" else name,
                **values,
            },
        )
        files.write_atomically(self.folder / name, text)


def _smaller(path: Path) -> bytes:
    import io

    from PIL import Image

    data = path.read_bytes()
    return small_png(Image.open(io.BytesIO(data)), data)


def _notebooks(write: _Writer, cards: list[content.PanelCard]) -> list[dict]:
    made = []
    folder = files.ROOT / "notebooks"
    for path in [*sorted(folder.glob("[0-9][0-9]_*.ipynb")), *sorted(folder.glob("lab/*.ipynb"))]:
        place = files.display_path(path)
        alt: dict[str, str] = {}
        for card in cards:
            if card.notebook == place and card.cell:
                alt[card.cell] = " ".join(filter(None, [alt.get(card.cell), card.alt]))
        title, body = notebook_body(path, write.folder / "notebooks" / "img", alt)
        made.append(
            {
                "href": f"notebooks/{path.stem}.html",
                "text": title,
                "about": "",
                "stem": path.stem,
                "body": _links(body, write.folder, path.parent, "notebooks"),
            }
        )
    for page in made:
        contents = [
            {"href": f"{other['stem']}.html", "text": other["text"], "current": other is page}
            for other in made
        ]
        write.page(
            page["href"],
            "page.html.j2",
            title=page["text"],
            kind="notebook",
            body=page["body"],
            contents=contents,
            contents_label="Notebooks",
        )
    return made


def _notes(write: _Writer) -> list[dict]:
    sources = [
        path
        for path in (files.ROOT / "README.md", files.ROOT / "CONTRIBUTING.md")
        if path.is_file()
    ]
    sources += sorted((files.ROOT / "docs").glob("*.md")) + sorted(
        (files.ROOT / "data").glob("*/README.md")
    )
    made = []
    for path in sources:
        text = path.read_text(encoding="utf-8")
        name = "-".join([*path.relative_to(files.ROOT).parts[:-1], path.stem]).lower()
        title = next(
            (line[2:].strip() for line in text.splitlines() if line.startswith("# ")), name
        )
        made.append({"href": f"notes/{name}.html", "text": title})
        body = _links(
            markdown(text, write.folder / "notes" / "img"), write.folder, path.parent, "notes"
        )
        write.page(
            f"notes/{name}.html",
            "page.html.j2",
            title=title,
            kind="notebook note",
            body=body,
            contents=[],
            contents_label="",
        )
    return made


def _links(body: str, site: Path, home: Path, here: str) -> str:
    """Links between files of the repository as links between pages; what the site does not hold stays as text."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    for anchor in soup.select("a[href]"):
        href = anchor["href"]
        if re.match(r"[a-z]+:", href) or href.startswith("#"):
            if href.startswith("#") and not soup.find(id=unquote(href[1:])):
                anchor.unwrap()
            continue
        path, _, fragment = href.partition("#")
        page = _page_of((home / path).resolve())
        if page:
            anchor["href"] = os.path.relpath(page, here) + (
                f"#{fragment}" if fragment and page.startswith("notebooks/") else ""
            )
        else:
            anchor.unwrap()
    for image in soup.select("img[src]"):
        source = image["src"]
        if source.startswith(("img/", "data:")):
            continue
        path = (home / source).resolve()
        if path.is_file() and path.is_relative_to(files.ROOT):
            files.write_atomically(site / here / "img" / path.name, path.read_bytes())
            image["src"] = f"img/{path.name}"
        else:
            image.replace_with(f"[{image.get('alt', 'picture')}]")
    return str(soup)


def _page_of(path: Path) -> str:
    if not path.is_relative_to(files.ROOT):
        return ""
    inner = path.relative_to(files.ROOT)
    if inner.suffix == ".ipynb" and path.is_file():
        return f"notebooks/{inner.stem}.html"
    if (
        inner.suffix == ".md"
        and path.is_file()
        and (len(inner.parts) == 1 or inner.parts[0] in ("docs", "data"))
    ):
        name = "-".join([*inner.parts[:-1], inner.stem]).lower()
        return (
            f"notes/{name}.html"
            if name in ("readme", "contributing") or len(inner.parts) > 1
            else ""
        )
    return "data.html" if inner.parts and inner.parts[0] == "data" else ""


def _data(write: _Writer) -> None:
    resources, groups = content.catalogue(), {}
    for resource in resources:
        top, second, *_ = resource["path"].split("/")
        group = second if top == "data" else resource["path"].rsplit("/", 1)[0]
        groups.setdefault(group, []).append(resource)
    write.page(
        "data.html",
        "data.html.j2",
        title="Data",
        count=len(resources),
        groups=groups,
    )


def _vectors(
    folder: Path, cards: list[content.PanelCard], figures_dir: Path, limit: int
) -> dict[str, str]:
    """Copy the vector drawings as far as the limit allows, small ones first; returns what each card links to."""
    room = (
        limit - 1_500_000 - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    )
    links = {}
    for card in sorted(cards, key=lambda card: (figures_dir / f"{card.name}.svg").stat().st_size):
        source = figures_dir / f"{card.name}.svg"
        room -= source.stat().st_size
        if room > 0:
            shutil.copyfile(source, folder / "figures" / source.name)
        links[card.name] = f"figures/{card.name}.{'svg' if room > 0 else 'png'}"
    return links


def _index(
    write: _Writer, gathered: claims.Gathered, cards: list[content.PanelCard], large: dict[str, str]
) -> None:
    board = claims.board(gathered)
    rows = []
    for place, row in enumerate(board):
        cell = content.cell_of_claim(row.claim.id, row.notebook)
        link = (
            f"notebooks/{Path(row.notebook).stem}.html" + (f"#{cell}" if cell else "")
            if row.notebook
            else ""
        )
        rows.append(
            {
                "claim": row.claim,
                "verdict": row.verdict,
                "test": row.test,
                "kind": row.kind,
                "routes": row.routes,
                "panels": row.panels,
                "place": place,
                "link": link,
                "found": claims.found_of(row),
                "order": row.claim.printed[0].value if row.claim.printed else 1e300,
                "verdict_order": paper.VERDICTS.index(row.verdict),
            }
        )
    groups: dict[str, dict] = {}
    for card in cards:
        match = re.match(r"(fig|ed)(\d+)", card.name)
        key = match[0] if match else "beyond"
        title = (
            {"fig": "Figure ", "ed": "Extended Data Figure "}[match[1]] + match[2]
            if match
            else "Beyond the paper"
        )
        width, height = _png_size(write.folder / "figures" / f"{card.name}.png")
        link = (
            f"notebooks/{Path(card.notebook).stem}.html" + (f"#{card.cell}" if card.cell else "")
            if card.notebook
            else "notebooks.html"
        )
        groups.setdefault(key, {"id": f"group-{key}", "title": title, "cards": []})["cards"].append(
            {
                **card.__dict__,
                "large": large[card.name],
                "width": width,
                "height": height,
                "link": link,
            }
        )
    totals = [(word, sum(row.verdict == word for row in board)) for word in paper.VERDICTS]
    choices = [
        ("topic", list(gathered.results)),
        ("verdict", [word for word, n in totals if n]),
        ("kind", [kind for kind in paper.SOURCE_KINDS if any(row.kind == kind for row in board)]),
    ]
    columns = [
        ("id", "Claim"),
        ("what", "What"),
        ("printed", "Printed"),
        ("found", "Found"),
        ("verdict", "Verdict"),
        ("kind", "Kind"),
        ("topic", "Topic"),
        ("where", "Where"),
    ]
    heading = write.common["citation"].get("title", "An executable paper")
    write.page(
        "index.html",
        "index.html.j2",
        title=heading,
        heading=heading,
        rows=rows,
        totals=totals,
        choices=choices,
        columns=columns,
        contradictions=claims.contradictions(board),
        unsettled=claims.unsettled(board),
        groups=list(groups.values()),
        made={card.name for card in cards},
        panel_count=sum(card.name in paper.panels() for card in cards),
        missing=gathered.missing,
        undescribed=[
            name
            for name, panel in paper.panels().items()
            if panel.plotted.startswith("not described")
        ],
        shown=claims.shown,
        script=_script(),
    )


def _script():
    from markupsafe import Markup

    return Markup((TEMPLATES / "site.js").read_text(encoding="utf-8"))


def _png_size(path: Path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when the site is written, 1 when it cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m ledger.site",
        description="Write a static site of all claims, panels, notebooks and data.",
    )
    parser.add_argument(
        "--output", default="build/site", help="the folder to write (default: build/site)"
    )
    parser.add_argument(
        "--figures", default="figures", help="the folder of figures (default: figures)"
    )
    parser.add_argument(
        "--accept-missing", action="store_true", help="go on when a topic has no results"
    )
    options = parser.parse_args(arguments)
    figures_dir, target = files.resolve(options.figures), files.resolve(options.output)
    try:
        said = build(
            target, figures_dir, figures_dir / "results", accept_missing=options.accept_missing
        )
    except (IncompleteResults, SiteError, OSError) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(
        f"{files.display_path(target)}/index.html: {said['claims']} claims, {said['panels']} panels, {said['notebooks']} notebooks, {said['bytes'] / 1e6:.1f} MB"
    )
    return 0
