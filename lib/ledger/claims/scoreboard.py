"""One row a claim, and what the rows say together."""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ledger import paper
from ledger.claims.gather import Gathered
from ledger.notebook import shown

#: Kinds of source that put the paper itself to the test.
TESTING = ("measured", "calculated", "recomputed")


@dataclass(frozen=True)
class Row:
    """One claim with all that was found on it.

    Attributes
    ----------
    claim : Claim
    verdict : str
        Combined over the routes; see `ledger.paper.combine`.
    kind : str
        What the verdict stands on: the strongest kind among the routes that decided it.
    routes : tuple of Verdict
    panels : tuple of str
        Panels of the paper that show the claim.
    notebook : str
        Path of the notebook that judged it.
    """

    claim: paper.Claim
    verdict: str
    kind: str
    routes: tuple[paper.Verdict, ...]
    panels: tuple[str, ...]
    notebook: str


@dataclass(frozen=True)
class Contradiction:
    """A claim that the paper's own numbers or independent physics do not support, with its arithmetic.

    Attributes
    ----------
    row : Row
    place : int
        3 for abstract and conclusion, 2 for main text and the legends of the figures, 1 for methods and Extended Data.
    ratio : float
        Found over printed, NaN where either is no single number.
    excess : float
        Distance between found and printed in units of what rounding and errors allow, NaN for statements.
    comparison, arithmetic : str
        The two lines: printed against found, and why.
    """

    row: Row
    place: int
    ratio: float
    excess: float
    comparison: str
    arithmetic: str


class Table:
    """Rows of text under a head: HTML in a notebook, aligned text elsewhere."""

    def __init__(
        self, head: Sequence[str], rows: Sequence[Sequence[object]], widths: Sequence[int] = ()
    ):
        self.head, self.rows = tuple(head), [tuple(map(str, row)) for row in rows]
        self.widths = tuple(widths) or tuple(
            max([len(title), *(len(row[i]) for row in self.rows)])
            for i, title in enumerate(self.head)
        )

    def __repr__(self) -> str:
        def line(cells):
            return "  ".join(
                cell[:width].ljust(width) for cell, width in zip(cells, self.widths, strict=True)
            ).rstrip()

        return "\n".join([line(self.head), *map(line, self.rows)])

    def _repr_html_(self) -> str:
        def row(cells, tag):
            return (
                "<tr>"
                + "".join(
                    f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in cells
                )
                + "</tr>"
            )

        return (
            "<table>"
            + row(self.head, "th")
            + "".join(row(cells, "td") for cells in self.rows)
            + "</table>"
        )


def panels_of() -> dict[str, tuple[str, ...]]:
    """Panels by claim, from both ledgers, in the paper's order."""
    ledger = paper.panels()
    found: dict[str, dict[str, None]] = {}
    for name, panel in ledger.items():
        for claim_id in panel.claims:
            found.setdefault(claim_id, {})[name] = None
    for entry in paper.claims().values():
        for name in re.split(r"[\s,;]+", entry.figure.strip()):
            if name in ledger:
                found.setdefault(entry.id, {})[name] = None
    order = list(ledger)
    return {claim_id: tuple(sorted(names, key=order.index)) for claim_id, names in found.items()}


def board(gathered: Gathered) -> list[Row]:
    """One row for every claim of the ledger, in its order (for every claim of the topics that are there, where some are missing).

    Raises
    ------
    ValueError
        Naming claims without a verdict: no claim is left out.
    """
    routes: dict[str, list[paper.Verdict]] = {}
    for verdict in gathered.verdicts:
        routes.setdefault(verdict.claim_id, []).append(verdict)
    wanted = [entry for entry in paper.claims().values() if entry.topic not in gathered.missing]
    lacking = [entry.id for entry in wanted if entry.id not in routes]
    if lacking:
        raise ValueError(
            f"scoreboard: expected a verdict on every claim; none on {', '.join(lacking)}"
        )
    shown = panels_of()
    return [
        _row(
            entry,
            routes[entry.id],
            shown.get(entry.id, ()),
            gathered.results[entry.topic]["notebook"],
        )
        for entry in wanted
    ]


def _row(
    entry: paper.Claim, routes: list[paper.Verdict], panels: tuple[str, ...], notebook: str
) -> Row:
    verdict = paper.combine([route.verdict for route in routes])
    said = [route for route in routes if route.verdict != "not testable"]
    deciding = (
        [route for route in said if not route.verdict.startswith("pipeline")] or said or routes
    )
    strength = ("measured", "calculated", "recomputed", "literature", "simulated", "published")
    return Row(
        entry,
        verdict,
        min((route.source_kind for route in deciding), key=strength.index),
        tuple(routes),
        panels,
        notebook,
    )


def counts(rows: Sequence[Row]) -> dict[tuple[str, str, str], int]:
    """How many claims there are of each (topic, verdict, kind)."""
    return dict(Counter((row.claim.topic, row.verdict, row.kind) for row in rows))


def place_of(section: str) -> int:
    """How much of the paper rests on a section: 3 abstract, conclusion; 2 main text, introduction, figure legends; 1 the rest.

    >>> place_of("abstract"), place_of("legend of Fig. 2"), place_of("legend of Extended Data Fig. 3"), place_of("Methods, Synthesis")
    (3, 2, 1, 1)
    """
    lower = section.lower()
    if lower.startswith(("title", "abstract", "conclusion")):
        return 3
    if lower.startswith(("main text", "introduction", "legend of fig")):
        return 2
    return 1


def deviation(verdict: paper.Verdict) -> tuple[float, float]:
    """Found over printed, and their distance in units of what rounding and errors allow; NaN where there is no one number for both.

    The allowed distance is that of `ledger.paper.compare`: half the last printed digit, and 1.96 standard errors of both.
    """
    entry = paper.claim(verdict.claim_id)
    if isinstance(verdict.found, (str, list)) or verdict.found is None or not entry.printed:
        return math.nan, math.nan
    found, error = float(verdict.found), float(verdict.standard_error or 0)
    if len(entry.printed) == 2 and entry.shape == "range":
        low, high = sorted(entry.printed, key=lambda p: p.value)
        end = low if found < (low.value + high.value) / 2 else high
        nearest, half = min(max(found, low.value), high.value), end.half_width
    elif len(entry.printed) == 1:
        nearest, half = entry.number, entry.printed[0].half_width
    else:
        return math.nan, math.nan
    allowed = half + 1.96 * math.hypot(entry.printed_uncertainty, error)
    return (found / nearest if nearest else math.nan), (
        abs(found - nearest) / allowed if allowed else math.nan
    )


def contradictions(rows: Sequence[Row]) -> list[Contradiction]:
    """Claims that disagree, wholly or in part, on a kind of source that tests the paper; what changes most comes first.

    Ranked by where the claim stands in the paper, then by whether it fails wholly, then by how many panels show it, then by
    how far printed and found are apart.
    """
    found = []
    for row in rows:
        if row.verdict not in ("disagrees", "partly") or row.kind not in TESTING:
            continue
        against = [
            route
            for route in row.routes
            if route.verdict in ("disagrees", "partly") and route.source_kind in TESTING
        ]
        worst = max(against, key=lambda route: _order(deviation(route)[1]))
        ratio, excess = deviation(worst)
        found.append(
            Contradiction(
                row,
                place_of(row.claim.section),
                ratio,
                excess,
                _comparison(row.claim, worst, ratio, excess),
                _why(worst),
            )
        )
    return sorted(
        found,
        key=lambda c: (
            -c.place,
            c.row.verdict != "disagrees",
            -len(c.row.panels),
            -abs(_order(math.log(c.ratio)) if c.ratio > 0 else 0),
            c.row.claim.id,
        ),
    )


def _order(x: float) -> float:
    return 0.0 if math.isnan(x) else x


def found_of(row: Row) -> str:
    """What was found on a claim, by each route that decided it."""
    said = [
        route
        for route in row.routes
        if route.verdict != "not testable" and route.source_kind in TESTING
    ] or row.routes
    return "; ".join(dict.fromkeys(filter(None, map(shown, said))))


def _comparison(entry: paper.Claim, verdict: paper.Verdict, ratio: float, excess: float) -> str:
    printed, found = entry.as_printed(), shown(verdict)
    text = f"printed {printed}" if entry.printed else f"stated: {entry.statement}"
    text += f"; found {found}" if found else ""
    if not math.isnan(ratio) and not math.isnan(excess):
        text += f" = {ratio:.3g} of it, {excess:.2g} times as far off as rounding and errors allow"
    return text


def _why(verdict: paper.Verdict) -> str:
    return (
        ": ".join(filter(None, (verdict.route, verdict.note)))
        or paper.claim(verdict.claim_id).derivation
    )


def untested(rows: Sequence[Row]) -> list[tuple[paper.Claim, str]]:
    """Claims that nothing at hand can test, each with the reason and the file that would settle it."""
    return [
        (row.claim, "; ".join(dict.fromkeys(route.note for route in row.routes)))
        for row in rows
        if row.verdict == "not testable"
    ]
