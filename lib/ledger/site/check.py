"""What a page must hold: well-formed HTML, unique identifiers, alternative texts, labels, and links that lead somewhere.

Where the HTML5 parser that bleach brings along is installed, each page is parsed by it as well and every parse error counts.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
_PHRASING_ONLY = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "span",
    "strong",
    "em",
    "code",
    "button",
    "summary",
    "label",
}
_BLOCK = {
    "p",
    "div",
    "section",
    "article",
    "nav",
    "header",
    "footer",
    "main",
    "table",
    "ul",
    "ol",
    "dl",
    "pre",
    "figure",
    "form",
    "details",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
}
_HEADINGS_ALLOWED = {"summary"}
_INSIDE = {
    "tr": {"thead", "tbody", "tfoot", "table"},
    "td": {"tr"},
    "th": {"tr"},
    "li": {"ul", "ol", "menu"},
    "dt": {"dl", "div"},
    "dd": {"dl", "div"},
    "option": {"select", "datalist", "optgroup"},
    "figcaption": {"figure"},
    "summary": {"details"},
    "thead": {"table"},
    "tbody": {"table"},
}
_KNOWN = set(
    [
        "a",
        "abbr",
        "article",
        "aside",
        "b",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "i",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "legend",
        "fieldset",
        "li",
        "link",
        "main",
        "mark",
        "meta",
        "nav",
        "ol",
        "optgroup",
        "option",
        "output",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "script",
        "section",
        "select",
        "small",
        "span",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "svg",
        "path",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "u",
        "ul",
        "var",
    ]
)


class Page(HTMLParser):
    """One page: its links, identifiers and faults."""

    def __init__(self, name: str, text: str):
        super().__init__(convert_charrefs=True)
        self.name, self.faults, self.links, self.ids = name, [], [], set()
        self._open: list[tuple[str, dict]] = []
        self._text: list[str] = []
        self._seen = {"title": 0, "h1": 0, "main": 0, "lang": False}
        self._labelled: set[str] = set()
        self._fields: list[dict] = []
        if not text.lstrip().lower().startswith("<!doctype html>"):
            self._fault("expected <!DOCTYPE html> first")
        self.feed(text)
        self.close()
        for tag, _ in self._open:
            self._fault(f"<{tag}> is never closed")
        if self._seen["title"] != 1 or self._seen["main"] != 1 or not self._seen["lang"]:
            self._fault("expected one title, one main and a language")
        for field in self._fields:
            if not field["inside"] and field["id"] not in self._labelled and not field["aria"]:
                self._fault(f"a field without a label: {field['id'] or field['tag']}")

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.name}, line {self.getpos()[0]}: {text}")

    def handle_starttag(self, tag: str, attributes) -> None:
        given = dict(attributes)
        if len(given) != len(attributes):
            self._fault(f"<{tag}> has an attribute twice")
        parents = [name for name, _ in self._open]
        if tag not in _KNOWN:
            self._fault(f"unknown element <{tag}>")
        if tag in _INSIDE and (not parents or parents[-1] not in _INSIDE[tag]):
            self._fault(f"<{tag}> stands in <{parents[-1] if parents else 'nothing'}>")
        if (
            tag in _BLOCK
            and (within := next((p for p in reversed(parents) if p in _PHRASING_ONLY), None))
            and not (within in _HEADINGS_ALLOWED and re.fullmatch(r"h\d", tag))
        ):
            self._fault(f"<{tag}> stands in <{within}>")
        if tag in ("a", "button") and any(p in ("a", "button") for p in parents):
            self._fault(f"<{tag}> stands in another link or button")
        if "id" in given:
            name = given["id"] or ""
            if not name or re.search(r"\s", name):
                self._fault(f"identifier {name!r} is empty or has spaces")
            if name in self.ids:
                self._fault(f"identifier {name!r} is used twice")
            self.ids.add(name)
        if tag == "img" and not (given.get("alt") or "").strip():
            self._fault(f"picture without alternative text: {given.get('src', '')[:60]}")
        if tag == "html":
            self._seen["lang"] = bool(given.get("lang"))
        if tag in self._seen:
            self._seen[tag] += 1
        if tag == "label" and given.get("for"):
            self._labelled.add(given["for"])
        if tag in ("input", "select", "textarea"):
            self._fields.append(
                {
                    "tag": tag,
                    "id": given.get("id", ""),
                    "inside": "label" in parents,
                    "aria": bool(given.get("aria-label")),
                }
            )
        for attribute in ("href", "src"):
            if attribute in given:
                self.links.append((tag, given[attribute] or "", self.getpos()[0]))
        if tag not in _VOID:
            self._open.append((tag, given))
            self._text.append(given.get("aria-label") or "")

    def handle_startendtag(self, tag: str, attributes) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        for k in range(len(self._text)):
            if len(self._text[k]) < 40:
                self._text[k] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            self._fault(f"</{tag}> closes what has no content")
            return
        if not self._open or self._open[-1][0] != tag:
            self._fault(f"</{tag}> closes <{self._open[-1][0] if self._open else 'nothing'}>")
            while (
                self._open
                and any(name == tag for name, _ in self._open)
                and self._open[-1][0] != tag
            ):
                self._open.pop()
                self._text.pop()
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
            text = self._text.pop()
            if tag in ("button", "th", "title", "summary", "h1", "h2", "h3") and not text:
                self._fault(f"<{tag}> says nothing")


def site(folder: Path) -> list[str]:
    """Every fault of the pages in a folder, each with page and line; empty when all is in order."""
    pages = {
        path: Page(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
    }
    found = [fault for page in pages.values() for fault in page.faults]
    for path, page in pages.items():
        found += _dead_links(folder, path, page, pages)
        found += _parse_errors(path, page.name)
    return found


def _dead_links(folder: Path, path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    found = []
    for tag, link, line in page.links:
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto"):
            if tag not in ("a",):
                found.append(f"{page.name}, line {line}: loads {link} from the network")
            continue
        if parts.scheme == "data":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if (
            parts.scheme
            or parts.netloc
            or parts.path.startswith("/")
            or not target.is_relative_to(folder.resolve())
        ):
            found.append(f"{page.name}, line {line}: {link} leads out of the site")
        elif not target.is_file():
            found.append(f"{page.name}, line {line}: {link} leads nowhere")
        elif (
            parts.fragment
            and (goal := pages.get(folder / target.relative_to(folder.resolve()))) is not None
            and unquote(parts.fragment) not in goal.ids
        ):
            found.append(f"{page.name}, line {line}: {link} names no place on its page")
    return found


def _parse_errors(path: Path, name: str) -> list[str]:
    try:
        from bleach._vendor import html5lib
    except ImportError:
        return []
    parser = html5lib.HTMLParser()
    parser.parse(path.read_text(encoding="utf-8"))
    return [
        f"{name}, line {place[0]}: {code} {details or ''}".strip()
        for place, code, details in parser.errors
    ]
