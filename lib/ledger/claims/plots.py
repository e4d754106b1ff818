"""Drawings of the scoreboard."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from ledger import paper
from ledger.claims.scoreboard import HEADINGS, Row, counts, deviation, facts, heading
from peled.figures import COLOURS, KINDS

#: Colour-blind-safe, and told apart by their words everywhere.
VERDICT_COLOURS = {
    "agrees": COLOURS["blue"],
    "partly": COLOURS["amber"],
    "disagrees": COLOURS["orange"],
    "inconclusive": "#D5D5D5",
    "pipeline recovers": COLOURS["green"],
    "pipeline misses": COLOURS["pink"],
    "not testable": "#9A9A9A",
}


def scoreboard(ax, rows: Sequence[Row]) -> None:
    """Claims by topic and verdict; the bar under each number tells what the verdicts stand on."""
    found = counts(rows)
    topics = list(dict.fromkeys(row.claim.topic for row in rows))
    for y, topic in enumerate(topics):
        for x, verdict in enumerate(paper.VERDICTS):
            kinds = {kind: found.get((topic, verdict, kind), 0) for kind in KINDS}
            total = sum(kinds.values())
            ax.text(
                x,
                y - 0.08,
                f"{total}" if total else "·",
                ha="center",
                va="center",
                fontsize=8 if total else 6,
                weight="bold" if total else "normal",
                color="black" if total else "#8A8A8A",
            )
            left = x - 0.36
            for kind, n in kinds.items():
                if n:
                    width = 0.72 * n / total
                    ax.barh(y + 0.27, width, height=0.13, left=left, color=KINDS[kind])
                    left += width
    ax.set_xticks(
        range(len(paper.VERDICTS)), [word.replace(" ", "\n", 1) for word in paper.VERDICTS]
    )
    ax.set_yticks(
        range(len(topics)),
        [
            f"{topic.replace('_', ' ')} ({sum(row.claim.topic == topic for row in rows)})"
            for topic in topics
        ],
    )
    ax.set(xlim=(-0.6, len(paper.VERDICTS) - 0.4), ylim=(len(topics) - 0.45, -0.55))
    ax.tick_params(length=0, top=False, right=False)
    ax.xaxis.tick_top()
    for k in range(len(topics) - 1):
        ax.axhline(k + 0.5, color="#DDDDDD", lw=0.5)
    for spine in ax.spines.values():
        spine.set_visible(False)
    handles = [ax.barh([0], [0], color=colour, label=kind) for kind, colour in KINDS.items()]
    ax.legend(
        handles=handles,
        ncols=len(handles),
        loc="upper center",
        bbox_to_anchor=(0.45, -0.01),
        handlelength=1,
    )


def headlines(ax, rows: Sequence[Row]) -> None:
    """What became of the facts, in bars that are read in ten seconds."""
    told = [heading(row) for row in facts(rows)]
    colours = dict(
        zip(
            HEADINGS,
            [COLOURS["blue"], COLOURS["orange"], COLOURS["amber"], COLOURS["green"]]
            + [COLOURS["pink"], "#7A7A7A", "#A0A0A0", "#BBBBBB", "#CFCFCF", "#E2E2E2"],
            strict=True,
        )
    )
    for y, name in enumerate(HEADINGS):
        n = told.count(name)
        ax.barh(y, n, color=colours[name])
        ax.text(n, y, f" {n}", va="center", weight="bold" if name.startswith("decided") else None)
    ax.set_yticks(range(len(HEADINGS)), HEADINGS)
    most = max(map(told.count, HEADINGS))
    ax.set(xlim=(0, 1.12 * most), ylim=(len(HEADINGS) - 0.5, -0.5), xlabel=f"facts ({len(told)})")
    ax.tick_params(axis="y", length=0)


def found_over_printed(ax, rows: Sequence[Row]) -> None:
    """Every numeric check that tests the paper: found over printed, a lane a topic; the furthest
    are named."""
    topics = list(dict.fromkeys(row.claim.topic for row in rows))
    points = [
        (row, route, deviation(route)[0])
        for row in rows
        for route in row.routes
        if route.source_kind in paper.TESTING
    ]
    points = [
        (row, route, ratio) for row, route, ratio in points if ratio > 0 and math.isfinite(ratio)
    ]
    low, high = 0.25, 4.0
    ax.axvline(1, color="black", lw=0.6)
    placed: dict[str, int] = {}
    for row, route, ratio in sorted(points, key=lambda p: p[2]):
        topic = row.claim.topic
        k = placed[topic] = placed.get(topic, -1) + 1
        y = topics.index(topic) + 0.11 * (k % 7 - 3)
        x, beyond = min(max(ratio, low), high), not low <= ratio <= high
        marker = (
            ("<" if ratio < low else ">")
            if beyond
            else {"agrees": "o", "partly": "D"}.get(route.verdict, "s")
        )
        ax.plot(
            x, y, marker, ms=3, color=VERDICT_COLOURS[route.verdict], mec="black", mew=0.3, zorder=3
        )
    worst = sorted(
        (p for p in points if p[1].verdict != "agrees"), key=lambda p: -abs(math.log(p[2]))
    )[:8]
    for topic in topics:
        named = [
            f"{row.claim.id} {ratio:.2g}"
            for row, _, ratio in sorted(worst, key=lambda p: p[2])
            if row.claim.topic == topic
        ]
        if named:
            ax.annotate(
                textwrap.fill(", ".join(dict.fromkeys(named)), 40),
                (1, topics.index(topic)),
                xycoords=("axes fraction", "data"),
                xytext=(-3, 11),
                textcoords="offset points",
                fontsize=5,
                ha="right",
                va="center",
                color="#333333",
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
            )
    ax.set_xscale("log", base=2)
    ax.set_xticks([0.25, 0.5, 1, 2, 4], ["≤ 1/4", "1/2", "1", "2", "≥ 4"])
    ax.minorticks_off()
    ax.set_yticks(range(len(topics)), [topic.replace("_", " ") for topic in topics])
    ax.set(xlim=(low / 1.1, high * 1.1), ylim=(len(topics) - 0.45, -0.55), xlabel="found / printed")
    ax.tick_params(axis="y", length=0, right=False)
    handles = [
        ax.plot(
            [], [], marker, ms=3, color=VERDICT_COLOURS[word], mec="black", mew=0.3, label=word
        )[0]
        for word, marker in (
            ("agrees", "o"),
            ("partly", "D"),
            ("disagrees", "s"),
            ("inconclusive", "s"),
        )
    ]
    ax.legend(handles=handles, loc="upper left", fontsize=5.5)


def panel_kinds(ax, figures: Mapping[str, Mapping]) -> None:
    """Every panel of the paper as a tile, a row a figure, in the colour of what it stands on."""
    import re

    groups: dict[str, list[str]] = {}
    for name in paper.panels():
        groups.setdefault(re.match(r"(fig|ed)\d+", name)[0], []).append(name)
    for y, (group, names) in enumerate(groups.items()):
        for x, name in enumerate(names):
            kind = figures[name]["source_kind"] if name in figures else None
            ax.add_patch(_tile(x, y, KINDS[kind] if kind else "white"))
            ax.text(
                x,
                y,
                name[len(group) :],
                ha="center",
                va="center",
                fontsize=6,
                color="white" if kind else "#777777",
            )
    ax.set_yticks(
        range(len(groups)), [group.replace("fig", "Fig. ").replace("ed", "ED ") for group in groups]
    )
    ax.set(
        xlim=(-0.6, max(map(len, groups.values())) - 0.4), ylim=(len(groups) - 0.4, -0.6), xticks=[]
    )
    ax.tick_params(length=0, right=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    kinds = [figure["source_kind"] for name, figure in figures.items() if name in paper.panels()]
    handles = [
        _tile(0, 0, colour, label=f"{kind} ({kinds.count(kind)})")
        for kind, colour in KINDS.items()
        if kind in kinds
    ]
    absent = sum(name not in figures for name in paper.panels())
    if absent:
        handles.append(_tile(0, 0, "white", label=f"none ({absent})"))
    ax.legend(handles=handles, loc="upper right", handlelength=1)


def _tile(x: float, y: float, colour: str, **options):
    from matplotlib.patches import Rectangle

    return Rectangle(
        (x - 0.45, y - 0.42), 0.9, 0.84, facecolor=colour, edgecolor="#777777", lw=0.4, **options
    )


def share(ax, rows: Sequence[Row], topic: str = "all", kind: str = "all") -> None:
    """Verdicts on the claims of one topic that stand on one kind of source, as bars."""
    chosen = [
        row for row in rows if topic in ("all", row.claim.topic) and kind in ("all", row.kind)
    ]
    numbers = np.array([sum(row.verdict == word for row in chosen) for word in paper.VERDICTS])
    ax.barh(
        range(len(paper.VERDICTS)),
        numbers,
        color=[VERDICT_COLOURS[word] for word in paper.VERDICTS],
    )
    for y, n in enumerate(numbers):
        ax.text(n, y, f" {n}", va="center")
    ax.set_yticks(range(len(paper.VERDICTS)), paper.VERDICTS)
    ax.set(
        xlim=(0, max(1, numbers.max()) * 1.12),
        ylim=(len(paper.VERDICTS) - 0.5, -0.5),
        xlabel=f"claims ({len(chosen)} in all)",
    )
