"""What a sample sheet may hold, as data: `tables/samples.schema.json`, a Frictionless schema.

`topics` says which topics know a column ("*": all), `unit` the unit of a number (it is part of the
name), `words` the words a cell may hold, `names` what stands for them in names of files, `where`
that the column says where on an axis a measurement was taken. The check of a sheet, the proposal
and the page `docs/samples.md` are made from it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from peled.tables import table

NUMBER = r"[-+−]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
#: Units of how something was driven; a share, a length or a concentration belongs to the sample.
#: Where no column of a topic has one, a number with it stands in a column `x_` and the unit.
DRIVE = {prefix + unit for unit in "VAWJ" for prefix in ("", "m", "u", "n")}
DRIVE |= {"Hz", "kHz", "MHz", "ps", "ns", "us", "ms", "s", "min", "h"}
_RANGE = re.compile(r"\s*([\d.,]+)\s*[-–]\s*([\d.,]+)\s*")


@dataclass(frozen=True)
class Word:
    """A word that a cell may hold: what it means, and the words of file names that stand for it.

    Of a measurement, `roles` are those that its rows may have beside `sample` and `ignore`, each
    with further words of file names that stand for it among files of this measurement alone.
    """

    means: str
    names: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column as one topic knows it; `kind` is text, number, range or word."""

    name: str
    kind: str
    description: str
    topics: tuple[str, ...]
    unit: str = ""
    words: Mapping[str, Word] = field(default_factory=dict)
    names: Mapping[str, float] = field(default_factory=dict)
    where: bool = False
    positive: bool = False
    minimum: float = float("-inf")
    maximum: float = float("inf")
    pattern: str = ""

    def read(self, cell: str) -> str | float | tuple[float, float]:
        """The value of a cell.

        Parameters
        ----------
        cell : str

        Returns
        -------
        float, (float, float) or str
            A number or the ends of a range in `unit`, else the text as it is.

        Raises
        ------
        ValueError
            With a sentence that says what was expected and found.
        """
        if self.kind == "number":
            return self._number(cell)
        if self.kind == "range":
            return self._band(cell)
        if self.kind == "word" and cell not in self.words:
            said = ", ".join(self.words) if len(self.words) < 16 else "a word of the schema"
            raise ValueError(f"expected {said}, found {cell!r}{self._instead(cell)}")
        if self.pattern and not re.fullmatch(self.pattern, cell):
            raise ValueError(f"expected the form {self.pattern}, found {cell!r}")
        return cell

    def _number(self, cell: str) -> float:
        of = "a number" if self.unit == "1" else f"a number in {self.unit}"
        if not re.fullmatch(NUMBER, cell):
            start = re.match(NUMBER + r"(?=\s*[^\d\s.,])", cell)
            advice = "; the unit stands in the column's name, not in the cell" if start else ""
            raise ValueError(f"expected {of}, found {cell!r}{advice}")
        value = float(cell.replace(",", ".").replace("−", "-"))
        if self.positive and value <= 0:
            raise ValueError(f"expected {of} above 0, found {cell!r}")
        if not self.minimum <= value <= self.maximum or abs(value) > 1e300:
            limits = f"from {self.minimum:g} to {self.maximum:g}"
            raise ValueError(f"expected {of} {limits}, found {cell!r}")
        return value

    def _band(self, cell: str) -> tuple[float, float]:
        try:
            low, high = (self._number(end) for end in _RANGE.fullmatch(cell).groups())
        except (AttributeError, ValueError):
            raise ValueError(f"expected low-high in {self.unit}, found {cell!r}") from None
        if low >= high:
            raise ValueError(f"expected low-high in {self.unit}, found {cell!r}")
        return low, high

    def _instead(self, cell: str) -> str:
        by_name = (
            w for w, word in self.words.items() if cell.lower() in map(str.lower, word.names)
        )
        near = next(by_name, None) or nearest(cell, self.words)
        return f"; did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that looks most like `word`, or an empty string.

    Parameters
    ----------
    word : str
    known : iterable of str

    Returns
    -------
    str
        Empty where nothing looks like it; case does not count.
    """
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word[:100].lower(), lower, n=1, cutoff=0.5)
    return lower[close[0]] if close else ""


@lru_cache(maxsize=1)
def load() -> dict:
    """The schema as it stands in the package."""
    return json.loads(table("samples.schema.json").read_text(encoding="utf-8"))


def topics() -> tuple[str, ...]:
    """The topics that have sample sheets."""
    return tuple(_field("measurement")["words"])


@lru_cache(maxsize=16)
def columns(topic: str | None = None) -> dict[str, Column]:
    """The columns that a topic knows, by name; those of all topics without one, for `lab.csv`.

    Parameters
    ----------
    topic : str, optional
        One of `topics()`.

    Returns
    -------
    dict
        Name -> Column.
    """
    fields = (f for f in load()["fields"] if topic is None or {"*", topic} & set(f["topics"]))
    return {f["name"]: _column(f, topic) for f in fields}


def _field(name: str) -> dict:
    return next(f for f in load()["fields"] if f["name"] == name)


def _column(f: dict, topic: str | None) -> Column:
    limits = f.get("constraints", {})
    words = {word: Word("") for word in limits.get("enum", ())}
    for of, entries in f.get("words", {}).items():
        if topic is None or of in ("*", topic):
            words |= {w: _word(e) for w, e in entries.items()}
    kind = "range" if f.get("range") else "word" if words else f["type"]
    return Column(
        f["name"],
        "text" if kind == "string" else kind,
        f["description"],
        tuple(f["topics"]),
        f.get("unit", ""),
        words,
        f.get("names", {}),
        f.get("where", False),
        f.get("positive", False),
        f.get("minimum", float("-inf")),
        f.get("maximum", float("inf")),
        limits.get("pattern", ""),
    )


def _word(entry: Mapping) -> Word:
    roles = {role: tuple(names) for role, names in entry.get("roles", {}).items()}
    return Word(entry["means"], tuple(entry["names"]), roles)


def document() -> str:
    """The page `docs/samples.md`, from the schema and the examples in it."""
    head = Path(__file__).with_name("page.md").read_text(encoding="utf-8")
    common = [c for c in columns().values() if "*" in c.topics]
    out = [head.rstrip(), "", "## Columns that every topic knows", "", "| column | holds |"]
    out += ["|---|---|", *(f"| `{c.name}` | {c.description} |" for c in common)]
    out += ["| `x_…` | your own; carried to every export |", "", "## Words of `role`", ""]
    out += ["| word | means | also found in names as |", "|---|---|---|"]
    out += _words(columns()["role"])
    for topic in topics():
        of = columns(topic)
        out += ["", f"## {topic.replace('_', ' ').capitalize()}", ""]
        out += ["| measurement | means | also found in names as | roles |", "|---|---|---|---|"]
        kinds = zip(_words(of["measurement"]), of["measurement"].words.values(), strict=True)
        out += [f"{line} {', '.join(word.roles)} |" for line, word in kinds]
        if own := [c for c in of.values() if "*" not in c.topics]:
            out += ["", "| column | unit | holds | in names of files as |", "|---|---|---|---|"]
            out += [
                f"| `{c.name}` | {c.unit} | {c.description}{_allowed(c)} | {', '.join(c.names)} |"
                for c in own
            ]
    return "\n".join(out) + "\n"


def _words(column: Column) -> list[str]:
    return [f"| `{w}` | {e.means} | {', '.join(e.names)} |" for w, e in column.words.items()]


def _allowed(column: Column) -> str:
    return f": {', '.join(column.words)}" if column.words else ""
