"""The scoreboard: every claim of the paper with what the notebooks found, the contradictions, and
what stays untested.

gather      the notebooks' results, refused when missing or older than what they were made from
scoreboard  one row a claim, one verdict a fact, contradictions ranked, flips, what would settle the
            rest
plots       the scoreboard, found over printed, what each panel stands on

Nothing here knows a topic: the ledgers say which there are.
"""

from ledger.claims.gather import (
    Gathered,
    IncompleteResults,
    gather,
    problems,
    results_folder,
    topics,
)
from ledger.claims.scoreboard import (
    HEADINGS,
    Contradiction,
    Row,
    Table,
    answers,
    board,
    contradictions,
    counts,
    deviation,
    facts,
    flips,
    found_of,
    heading,
    must_turn,
    panels_of,
    shown,
    summary,
    unsettled,
)

__all__ = [
    "HEADINGS",
    "Contradiction",
    "Gathered",
    "IncompleteResults",
    "Row",
    "Table",
    "answers",
    "board",
    "contradictions",
    "counts",
    "deviation",
    "facts",
    "flips",
    "found_of",
    "gather",
    "heading",
    "must_turn",
    "panels_of",
    "problems",
    "results_folder",
    "shown",
    "summary",
    "topics",
    "unsettled",
]
