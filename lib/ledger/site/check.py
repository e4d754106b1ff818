"""What a page must hold: balanced elements, unique identifiers, alternative texts, labels, and links that lead somewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """One page: its links, identifiers and faults."""

    def __init__(self, name: str, text: str):
        super().__init__(convert_charrefs=True)
        self.name, self.faults, self.links, self.ids = name, [], [], set()
        self._open, self._fields, self._labelled = [], {}, set()
        self._expected = {"html", "title"}
        if not text.lstrip().lower().startswith("<!doctype html>"):
            self._fault("expected <!DOCTYPE html> first")
        self.feed(text)
        self.close()
        self.faults += [f"{name}: <{tag}> is never closed" for tag in self._open]
        self.faults += [f"{name}: has no <{tag}>" for tag in sorted(self._expected)]
        for field, line in self._fields.items():
            if field not in self._labelled:
                self.faults.append(f"{name}, line {line}: a field without a label: {field}")

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.name}, line {self.getpos()[0]}: {text}")

    def handle_starttag(self, tag: str, attributes) -> None:
        given = dict(attributes)
        self._expected.discard(tag)
        if tag in ("a", "button") and any(outer in ("a", "button") for outer in self._open):
            self._fault(f"<{tag}> stands in another link or button")
        if tag == "html" and not given.get("lang"):
            self._fault("names no language")
        if "problematic" in (given.get("class") or ""):
            self._fault("markup that could not be understood")
        if name := given.get("id"):
            if name in self.ids:
                self._fault(f"identifier {name!r} is used twice")
            self.ids.add(name)
        if tag == "img" and "alt" not in given:
            self._fault(f"picture without alternative text: {given.get('src', '')[:60]}")
        if tag == "label":
            self._labelled.add(given.get("for"))
        named = given.get("aria-label") or "label" in self._open
        if tag in ("input", "select", "textarea") and not named and given.get("type") != "hidden":
            self._fields[given.get("id") or tag] = self.getpos()[0]
        self.links += [
            (tag, given[name] or "", self.getpos()[0]) for name in ("href", "src") if name in given
        ]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self._fault(f"</{tag}> closes <{self._open[-1] if self._open else 'nothing'}>")
        if tag in self._open:
            while self._open.pop() != tag:
                pass


def site(folder: Path) -> list[str]:
    """Every fault of the pages in a folder, each with page and line; empty when all is in order."""
    pages = {
        path.resolve(): Page(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
    }
    found = [fault for page in pages.values() for fault in page.faults]
    for path, page in pages.items():
        for tag, link, line in page.links:
            if fault := _dead(folder.resolve(), path, tag, link, pages):
                found.append(f"{page.name}, line {line}: {fault}")
    return found


def _dead(folder: Path, path: Path, tag: str, link: str, pages: dict[Path, Page]) -> str:
    parts = urlsplit(link)
    if parts.scheme in ("http", "https", "mailto"):
        return "" if tag == "a" else f"loads {link} from the network"
    if parts.scheme == "data":
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if parts.scheme or parts.netloc or not target.is_relative_to(folder):
        return f"{link} leads out of the site"
    if not target.is_file():
        return f"{link} leads nowhere"
    goal = pages.get(target)
    if parts.fragment and goal and unquote(parts.fragment) not in goal.ids:
        return f"{link} names no place on its page"
    return ""
