"""The scoreboard: every claim of the paper with what the notebooks found, the contradictions, and what stays untested.

gather      the notebooks' results, refused when missing or older than what they were made from
scoreboard  one row a claim, counts, contradictions ranked, what could not be tested
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
    Contradiction,
    Row,
    Table,
    board,
    contradictions,
    counts,
    deviation,
    found_of,
    panels_of,
    shown,
    untested,
)

__all__ = [
    "Contradiction",
    "Gathered",
    "IncompleteResults",
    "Row",
    "Table",
    "board",
    "contradictions",
    "counts",
    "deviation",
    "found_of",
    "gather",
    "panels_of",
    "problems",
    "results_folder",
    "shown",
    "topics",
    "untested",
]
