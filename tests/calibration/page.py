"""`docs/calibration.md`, from the published tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from calibration import TOPICS, tables
from peled.files import write_atomically


def published(folder: Path, name: str) -> list[dict]:
    """Rows of a table, numbers as such, what is empty left out."""
    with open(folder / f"{name}.csv", encoding="utf-8") as stream:
        return [{k: _read(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]


def _read(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def write(folder: Path) -> Path:
    """The page beside the folder of tables."""
    prose = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    topics = [
        "\n".join(_topic(folder, topic)) for topic in TOPICS if (folder / f"{topic}.csv").is_file()
    ]
    text = prose.replace("{topics}", "\n\n".join(topics))
    return write_atomically(folder.with_suffix(".md"), text)


def _topic(folder: Path, topic: str) -> Iterator[str]:
    rows, gates = published(folder, topic), published(folder, f"{topic}_gates")
    name, place = topic.replace("_", " "), folder.name
    yield f"## {name[0].upper()}{name[1:]}\n"
    yield f"![Share of intervals that hold the truth, {name}]({place}/{topic}.png)\n"
    yield f"All of it: [{topic}.csv]({place}/{topic}.csv), [gates]({place}/{topic}_gates.csv)."
    yield f"Each cell rests on {rows[0]['n']:.0f} files. Over all kinds of noise:\n"
    yield from _table(("quantity", "intervals", "50 %", "68 %", "95 %", "bias", "spread"),
                      _pooled(rows))  # fmt: skip
    off = [row for row in rows if row["covers"] not in ("95 %", "no number")]
    yield "\nNot what is written on them:\n" if off else "\nNone is off by more than chance.\n"
    if off:
        over = [row for row in off if row["covers"] == "over 97 %"]
        if over:
            names = ", ".join(dict.fromkeys(row["quantity"] for row in over))
            yield f"Wider than need be in {len(over)} of {len(rows)} cells: {names}.\n"
        off = [row for row in off if row not in over]
        cells = [
            (r["quantity"], f"{r['kind']} {r.get('level', '')}".strip(), r["covers"],
             f"{r['low_95']:.0%} to {r['high_95']:.0%}".replace("%", " %"), f"{r['reported']:.0f}",
             f"{r.get('bias', np.nan):.1f}")
            for r in off
        ]  # fmt: skip
        yield from _table(("quantity", "noise", "covers", "between", "of", "bias"), cells)
    alarms = [g for g in gates if g["meant"] == "quiet" and g["wrong"]]
    missed = [g for g in gates if g["meant"] == "act"]
    yield "\nGates that act on sound files, and numbers reported of unfit ones:\n"
    yield from _table(("gate", "quantity", "rate", "between", "files"), [
        (g["gate"] if g["meant"] == "quiet" else f"missed: {g['conditions']}", g["quantity"],
         _percent(g["share"]), f"{_percent(g['low'])} to {_percent(g['high'])}", f"{g['n']:.0f}")
        for g in [*alarms, *missed]
    ])  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _pooled(rows: list[dict]) -> Iterator[tuple[str, ...]]:
    for name in dict.fromkeys(row["quantity"] for row in rows):
        mine = [row for row in rows if row["quantity"] == name and "inside_95" in row]
        n = sum(row["reported"] for row in mine)
        if not n:
            yield name, "0", *["–"] * 5
            continue
        shares = [
            _with_error(sum(r[f"inside_{level}"] * r["reported"] for r in mine), n)
            for level in ("50", "68", "95")
        ]
        known = [row for row in mine if "spread" in row]
        middle = [
            f"{np.median([row[k] for row in known]):.2f}" if known else "–"
            for k in ("bias", "spread")
        ]
        yield name, f"{n:.0f}", *shares, *middle


def _with_error(count: float, n: float) -> str:
    low, high = tables.wilson(round(count), round(n))
    return f"{100 * count / n:.0f} ({100 * low:.0f}–{100 * high:.0f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
