"""What structure adds to a lab notebook."""

from __future__ import annotations

from peled.conditioning import Signal
from peled.lab.live import Explorer
from peled.report import Report
from peled.samples import Sheet


def signals(report: Report) -> list[tuple[str, Signal]]:
    """None: backgrounds of patterns, regions and bands are fitted together with their lines."""
    return []


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """Nothing is chosen by hand.

    Raises
    ------
    LookupError
        Always, with that sentence.
    """
    raise LookupError("Structure: every choice is a column of the sheet or a setting.")
