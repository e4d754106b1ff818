"""One row a claim, and what the rows say together."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ledger import paper
from ledger.claims.gather import Gathered
from ledger.notebook import as_html, shown

#: Margins from here on are those of counts and logic, which have no standard error.
COUNTED = 1e5


@dataclass(frozen=True)
class Row:
    """One claim with all that was found on it.

    Attributes
    ----------
    claim : Claim
    verdict, test, kind, power
        Combined over the routes of all claims of the same fact; see `ledger.paper.combine`.
    by : tuple of str
        The claims of the fact whose routes settled it.
    routes : tuple of Verdict
        Those of this claim.
    panels : tuple of str
        Panels of the paper that show the claim.
    notebook : str
        Path of the notebook that judged it.
    """

    claim: paper.Claim
    verdict: str
    test: str
    kind: str
    power: float | None
    by: tuple[str, ...]
    routes: tuple[paper.Verdict, ...]
    panels: tuple[str, ...]
    notebook: str


@dataclass(frozen=True)
class Contradiction:
    """A fact that the manuscript's own numbers or independent physics do not support, with its
    arithmetic.

    Attributes
    ----------
    row : Row
        Of the claim that is farthest off.
    claims : tuple of str
        All claims of the fact.
    ratio : float
        Found over printed, NaN where either is no single number.
    excess : float
        Distance between found and printed in units of what rounding and errors allow, NaN for
        statements.
    comparison, arithmetic : str
        The two lines: printed against found, and why.
    """

    row: Row
    claims: tuple[str, ...]
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
        return as_html(self.head, self.rows)


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
    """One row for every claim of the ledger, in its order (for every claim of the topics that are
    there, where some are missing).

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
    pooled: dict[str, list[paper.Verdict]] = {}
    for entry in wanted:
        pooled.setdefault(entry.fact_id, []).extend(routes[entry.id])
    said = {fact: paper.combine(found) for fact, found in pooled.items()}
    shown = panels_of()
    return [
        Row(
            entry,
            said[entry.fact_id].verdict,
            said[entry.fact_id].test,
            said[entry.fact_id].kind,
            said[entry.fact_id].power,
            said[entry.fact_id].by,
            tuple(routes[entry.id]),
            shown.get(entry.id, ()),
            gathered.results[entry.topic]["notebook"],
        )
        for entry in wanted
    ]


def facts(rows: Sequence[Row]) -> list[Row]:
    """One row a fact: the first claim of each."""
    return list({row.claim.fact_id: row for row in reversed(rows)}.values())[::-1]


#: What a reader learns of a fact, in the order of the summary.
HEADINGS = (
    "decided: holds",
    "decided: does not hold",
    "decided: holds in part",
    "within a bound",
    "slip of the text",
    "only restated",
    "open: evidence too weak",
    "open: the method was tested",
    "open: read back",
    "open: nothing to test with",
)


def heading(row: Row) -> str:
    """Under which of `HEADINGS` a fact belongs."""
    if row.verdict == "not testable":
        return HEADINGS[9]
    if row.verdict == "inconclusive":
        return HEADINGS[6]
    if row.test == "decides" or (row.test == "bound" and row.verdict != "agrees"):
        return HEADINGS[("agrees", "disagrees", "partly").index(row.verdict)]
    return HEADINGS[{"bound": 3, "text": 4, "restated": 5, "read back": 8}.get(row.test, 7)]


def summary(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Facts and claims under each of `HEADINGS`."""
    by_fact = Counter(map(heading, facts(rows)))
    by_claim = Counter(map(heading, rows))
    return {name: (by_fact[name], by_claim[name]) for name in HEADINGS}


def answers(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """What became of each finding that the paper is read for (`ledger.paper.headlines`)."""
    of = {row.claim.id: row for row in rows}
    return [(finding, [of[c] for c in ids if c in of]) for finding, ids in paper.headlines()]


def flips(verdicts: Sequence[paper.Verdict]) -> dict[tuple[str, str], list[tuple[str, bool]]]:
    """Whether each piece of evidence turns when its claim is printed as its rivals would print it.

    A disagreement is printed as what was found instead. What holds in part has no contrary.

    Returns
    -------
    dict
        By claim and route: (the altered value or predicate, whether the outcome turned).
    """
    found = {}
    for verdict in verdicts:
        entry = paper.claim(verdict.claim_id)
        if verdict.verdict in ("not testable", "partly"):
            continue
        others = entry.flipped(verdict.limit)
        numeric = entry.printed and not isinstance(verdict.found, str | None)
        if numeric and verdict.verdict in ("disagrees", "pipeline misses"):
            others = [entry.printing(verdict.found)]
        found[verdict.claim_id, verdict.route] = [
            (
                other.value if entry.printed else other.predicate,
                verdict.again(other).verdict != verdict.verdict,
            )
            for other in others
        ]
    return found


def must_turn(verdict: paper.Verdict) -> bool:
    """Whether a rival must turn this verdict: all trials but a limit far from the value and
    evidence without power."""
    weak = verdict.power is not None and verdict.power < paper.POWER
    return verdict.test not in ("", "bound") and not weak


def counts(rows: Sequence[Row]) -> dict[tuple[str, str, str], int]:
    """How many claims there are of each (topic, verdict, kind)."""
    return dict(Counter((row.claim.topic, row.verdict, row.kind) for row in rows))


def deviation(verdict: paper.Verdict) -> tuple[float, float]:
    """Found over printed, and their distance in units of what rounding and errors allow.

    NaN where there is no one number for both, and for matters of text. Of a statement the distance
    is that from where its predicate would turn.

    The allowed distance is that of `ledger.paper.compare`: the rounding, and 1.96 standard errors
    of both.
    """
    entry = paper.claim(verdict.claim_id)
    if verdict.test == "text":
        return math.nan, math.nan
    if not entry.printed and verdict.margin is not None and verdict.margin < COUNTED:
        return math.nan, verdict.margin / paper.Z
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
    """Facts that do not hold, wholly or in part; what they mean comes first, then the distance.

    Accounting of matter and of photons comes before kinetics, those before other numbers, slips of
    the text last.
    """
    worst: dict[str, Contradiction] = {}
    of_fact: dict[str, list[str]] = {}
    for row in rows:
        of_fact.setdefault(row.claim.fact_id, []).append(row.claim.id)
    for row in rows:
        if row.verdict not in ("disagrees", "partly") or row.kind not in paper.TESTING:
            continue
        against = [route for route in row.routes if route.verdict in ("disagrees", "partly")]
        against = [route for route in against if route.test == row.test]
        if not against:
            continue
        route = max(against, key=lambda route: _order(deviation(route)[1]))
        ratio, excess = deviation(route)
        fact = row.claim.fact_id
        if fact in worst and _order(worst[fact].excess) >= _order(excess):
            continue
        worst[fact] = Contradiction(
            row,
            tuple(of_fact[fact]),
            ratio,
            excess,
            _comparison(row, route, ratio, excess),
            _why(route),
        )
    return sorted(
        worst.values(),
        key=lambda c: (
            _meaning(c.row),
            paper.MEANINGS.index(c.row.claim.meaning) if c.row.test == "text" else 0,
            c.row.verdict != "disagrees",
            -_order(c.excess),
            c.row.claim.id,
        ),
    )


def _meaning(row: Row) -> int:
    # The photon account is no less weighty than that of matter.
    place = paper.MEANINGS.index("text" if row.test == "text" else row.claim.meaning)
    return max(place, 1)


def _order(x: float) -> float:
    return 0.0 if math.isnan(x) else x


def found_of(row: Row) -> str:
    """What was found on a claim, by each route that decided it, or the claims of its fact that
    did."""
    if row.claim.id not in row.by:
        return f"see {', '.join(row.by)}"
    said = [
        route
        for route in row.routes
        if route.verdict != "not testable" and route.source_kind in paper.TESTING
    ] or row.routes
    return "; ".join(dict.fromkeys(filter(None, map(shown, said))))


def _comparison(row: Row, verdict: paper.Verdict, ratio: float, excess: float) -> str:
    entry, found = row.claim, shown(verdict)
    printed = entry.as_printed()
    text = f"printed {printed}" if entry.printed else f"as read: {entry.statement}"
    text = f"from printed numbers {printed}" if entry.derived else text
    text += f"; found {found}" if found else ""
    text += "" if math.isnan(ratio) else f" = {ratio:.3g} of it"
    if not math.isnan(excess + ratio):
        text += f", {excess:.2g} times as far off as rounding and errors allow"
    others = [v for v in row.routes if v.test == verdict.test and v.verdict == "agrees"]
    return "; ".join([text, *(f"but {shown(v)} by {v.route}" for v in others)])


def _why(verdict: paper.Verdict) -> str:
    return (
        ": ".join(filter(None, (verdict.route, verdict.note)))
        or paper.claim(verdict.claim_id).derivation
    )


def unsettled(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], Row, str]]:
    """Each fact that nothing at hand decides, its claims, and the measurement or file that would
    settle it.

    The ledger names it (`settles`); where it does not, the file behind the fact's panels would.
    """
    of_fact: dict[str, list[Row]] = {}
    for row in rows:
        of_fact.setdefault(row.claim.fact_id, []).append(row)
    found = []
    for members in of_fact.values():
        if not heading(members[0]).startswith("open"):
            continue
        panels = list(dict.fromkeys(name for row in members for name in row.panels))
        file = f"the file behind {', '.join(panels[:3])}" if panels else "the raw file"
        named = [row.claim.settles for row in members]
        wanting = "; ".join(dict.fromkeys(filter(None, named))) or f"{file}, as measured"
        found.append((tuple(row.claim.id for row in members), members[0], wanting))
    return found
