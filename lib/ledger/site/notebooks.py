"""Notebooks and Markdown to HTML by nbconvert, with pictures and formulas as files beside the page."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from pathlib import Path

from ledger import files
from ledger.run import records

_FORMULA_PT = 11


class SiteError(RuntimeError):
    """The site cannot be made; the message says what is missing."""


def notebook_body(path: Path, pictures: Path, alt: dict[str, str]) -> tuple[str, str]:
    """Title and HTML body of a notebook.

    Parameters
    ----------
    path : Path
    pictures : Path
        Folder for its pictures; the body refers to it as `img/`.
    alt : dict
        Alternative text of the pictures by cell identifier.

    Raises
    ------
    SiteError
        If nbconvert is not installed, or the file is no notebook.
    """
    try:
        import nbformat
        from bs4 import BeautifulSoup
        from nbconvert import HTMLExporter
    except ImportError as error:
        raise SiteError(
            f"notebooks are rendered by nbconvert, which is not installed ({error.name}); `make site` installs it"
        ) from None
    import logging

    logging.getLogger("traitlets").setLevel(logging.ERROR)  # alternative texts are given below
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(
        nbformat.read(with_outputs(path), as_version=4)
    )
    soup = BeautifulSoup(body, "html.parser")
    _inert(soup)
    title = soup.h1.get_text().removesuffix("¶").strip() if soup.h1 else path.stem
    for cell in soup.select("div.cell"):
        cell["id"] = cell.get("id", "").removeprefix("cell-id=")
        for number, image in enumerate(cell.select("img")):
            source = image.get("src", "")
            if match := re.fullmatch(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", source):
                image["src"] = "img/" + _write_picture(base64.b64decode(match[1]), pictures)
                image["alt"] = (
                    alt.get(cell["id"], "")
                    or f"Figure {number + 1} drawn by the cell {cell['id']}: {_heading_before(cell)}"
                )
                image["loading"] = "lazy"
        for wide in cell.select("pre, .output_html"):
            wide["tabindex"] = "0"  # so that a keyboard can scroll what is wider than the page
            wide["role"] = "region"
            wide["aria-label"] = (
                f"{'code' if wide.find_parent(class_='input') else 'output'} of cell {cell['id']}"
            )
        for name in ("stream", "prompt"):
            for part in cell.select(f".{name}"):
                if not part.get_text(strip=True) and not part.find("img"):
                    part.decompose()
    for mark in soup.select("pre > span"):
        if not mark.contents:  # `:empty` would take the blanks between words for nothing
            mark.decompose()
    _own_ids(soup)
    _formulas(soup, pictures)
    return title, str(soup)


def with_outputs(path: Path) -> Path:
    """The committed notebook where it carries outputs, else the copy that the runner has executed, else the notebook without."""
    executed = records.BUILD / "executed" / path.name
    try:
        stored = any(
            cell.get("outputs") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        )
    except (OSError, ValueError, KeyError) as error:
        raise SiteError(
            f"{files.display_path(path)}: expected a notebook, found {error!r}"
        ) from None
    return executed if executed.is_file() and not stored else path


def markdown(text: str, pictures: Path) -> str:
    """HTML of Markdown as nbconvert renders it, with formulas as pictures."""
    try:
        from bs4 import BeautifulSoup
        from nbconvert.filters.markdown import markdown2html
    except ImportError as error:
        raise SiteError(
            f"Markdown is rendered by nbconvert, which is not installed ({error.name}); `make site` installs it"
        ) from None
    soup = BeautifulSoup(markdown2html(text), "html.parser")
    _inert(soup)
    for wide in soup.select("pre"):
        wide["tabindex"], wide["role"], wide["aria-label"] = "0", "region", "example"
    _own_ids(soup)
    _formulas(soup, pictures)
    return str(soup)


def _inert(soup) -> None:
    """Nothing that a notebook or document brings along is executed or loaded."""
    for element in soup.select("script, iframe, object, embed, link, base, meta, form"):
        element.decompose()
    for element in soup.find_all(True):
        for name in [name for name in element.attrs if name.lower().startswith("on")]:
            del element[name]
        if (
            str(element.get("href", ""))
            .strip()
            .lower()
            .startswith(("javascript:", "data:", "vbscript:"))
        ):
            del element["href"]


def _own_ids(soup) -> None:
    """Every identifier once, without spaces."""
    seen: set[str] = set()
    for element in soup.select("[id]"):
        base = re.sub(r"\s+", "-", element["id"]) or "part"
        name, n = base, 1
        while name in seen:
            n += 1
            name = f"{base}-{n}"
        seen.add(name)
        element["id"] = name
    for anchor in soup.select("a.anchor-link"):
        anchor["aria-label"] = "link to this heading"
        anchor["href"] = "#" + anchor.find_parent(["h1", "h2", "h3", "h4", "h5", "h6"])["id"]


def _heading_before(cell) -> str:
    heading = cell.find_previous(["h1", "h2", "h3", "h4"])
    return heading.get_text().removesuffix("¶").strip() if heading else ""


def _write_picture(content: bytes, folder: Path) -> str:
    """Write a picture under the digest of its content, with a palette where that is smaller and loses nothing that is seen."""
    from PIL import Image

    name = hashlib.sha256(content).hexdigest()[:16] + ".png"
    if not (folder / name).exists():
        files.write_atomically(folder / name, small_png(Image.open(io.BytesIO(content)), content))
    return name


def small_png(image, content: bytes) -> bytes:
    """A PNG with at most 256 colours; the original where that is smaller."""
    flat = image.convert("RGB").quantize(256, dither=0)
    stream = io.BytesIO()
    flat.save(stream, format="PNG", optimize=True)
    return min(stream.getvalue(), content, key=len)


def _formulas(soup, pictures: Path) -> None:
    """Formulas between dollars as pictures drawn by matplotlib, which needs no network; the source is their alternative text."""
    from bs4 import BeautifulSoup, NavigableString

    for text in list(soup.find_all(string=re.compile(r"\$"))):
        if text.find_parent(["pre", "code", "script", "style"]):
            continue
        parts = re.split(r"(\$\$.+?\$\$|\$[^$\n]+\$)", str(text), flags=re.DOTALL)
        if len(parts) == 1:
            continue
        made = "".join(
            _formula(part, pictures)
            if part.startswith("$") and len(part) > 2
            else html.escape(part, quote=False)
            for part in parts
        )
        text.replace_with(
            *[
                child.extract()
                if not isinstance(child, NavigableString)
                else NavigableString(child)
                for child in list(BeautifulSoup(made, "html.parser").contents)
            ]
        )


def _formula(source: str, pictures: Path) -> str:
    import matplotlib as mpl
    from matplotlib import font_manager, mathtext

    latex = source.strip("$").strip()
    name = "formula-" + hashlib.sha256(latex.encode()).hexdigest()[:12] + ".svg"
    font = font_manager.FontProperties(
        family="DejaVu Sans", math_fontfamily="dejavusans", size=_FORMULA_PT
    )
    try:
        with mpl.rc_context(
            {
                "savefig.transparent": True,
                "svg.hashsalt": "peled",
                "svg.fonttype": "path",
                "savefig.bbox": None,
            }
        ):
            stream = io.BytesIO()
            depth = mathtext.math_to_image(f"${latex}$", stream, prop=font, format="svg", dpi=72)
    except (ValueError, RuntimeError):  # beyond the subset of TeX that matplotlib draws
        return f"<code>{html.escape(latex)}</code>"
    drawing = re.sub(r"<dc:date>.*?</dc:date>", "", stream.getvalue().decode("utf-8"))
    files.write_atomically(pictures / name, drawing)
    height = float(re.search(r'<svg[^>]*? height="([\d.]+)pt"', drawing)[1])
    style = f"height:{height / _FORMULA_PT:.2f}em;vertical-align:{-depth / _FORMULA_PT:.2f}em"
    return f'<img class="formula" src="img/{name}" alt="{html.escape(latex)}" style="{style}">'
