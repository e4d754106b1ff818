"""What the paper's notebooks share: look-ups that say what is missing, panels as data, checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ledger import paper
from peled.quantities import Quantity
from peled.report import Report
from peled.samples import Row, Sheet
from peled.sources import kind_of

#: The paper: a sheet that names it describes its samples, and may have verdicts.
DOI = "10.1038/s41586-021-03217-8"
Found = dict[str, Any]


class Missing(LookupError):
    """A row of the sheet that is not there, or a number that is withheld."""


class Evidence(Protocol):
    """What a topic's folder says; its look-ups raise `Missing` with a reason."""

    sheet: Sheet


def rows(evidence: Evidence, **wanted: Any) -> list[Row]:
    """Rows of the sheet whose columns are as wanted."""
    return [
        row
        for row in evidence.sheet.rows
        if row.role != "ignore"
        and all(getattr(row, k, row.settings.get(k)) == v for k, v in wanted.items())
    ]


def number(claim_id: str) -> float:
    """The printed number of a claim."""
    return paper.claim(claim_id).number


def quantity(report: Report, sample: str, name: str, **more: str) -> Quantity:
    """A number of the report that is not withheld; `more` as for `Report.select`."""
    found = report.select(sample=sample, name=name, **more)
    if not found:
        what = ", ".join(filter(None, (sample, *more.values())))
        raise Missing(f"no {name} of {what} in the folder")
    if found[0].value is None:
        raise Missing(f"{name} of {sample}: {found[0].reasons}")
    return found[0]


def of_paper(evidence: Evidence) -> bool:
    """Whether the sheet says that the samples are the paper's own."""
    return evidence.sheet.doi == DOI


@dataclass(frozen=True)
class Panel:
    """One panel: `draw(evidence, axes)` of what `rows` of the sheet hold, and `files` beside.

    `assumptions` are those of the forward model: they are said of simulated files alone.
    """

    draw: Callable[[Any, Any], None]
    rows: tuple[Mapping[str, Any], ...] = ()
    title: str = ""
    size: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    kind: str | None = None
    assumptions: tuple[str, ...] = ()


def show(room, evidence: Evidence, panels: Mapping[str, Panel], *names: str) -> None:
    """Draw and save panels; one whose samples the folder does not hold says so."""
    for name in names:
        panel = panels[name]
        figure, axes = room.panel(name, title=panel.title, **panel.size)
        try:
            panel.draw(evidence, axes)
        except Missing as reason:
            nothing(axes, str(reason))
        paths = [row.path for wanted in panel.rows for row in rows(evidence, **wanted)]
        beside = [room.file_or_bundled(file) for file in panel.files]
        paths = list(dict.fromkeys([*paths, *beside]))
        made = panel.kind or kind_of(*paths)
        assumptions = panel.assumptions if made != "measured" else ()
        room.save(figure, name, inputs=paths, kind=panel.kind, assumptions=assumptions)


def nothing(axes, what: str) -> None:
    """A plain word where a file is missing."""
    every = np.atleast_1d(axes).ravel()
    for ax in every:
        ax.clear()
        ax.set_axis_off()
    every[0].text(0.5, 0.5, what, ha="center", va="center", size=6, wrap=True, color="0.4",
                  transform=every[0].transAxes)  # fmt: skip


class Check(NamedTuple):
    """One route to one claim: evidence in, found value out."""

    claim: str
    route: str
    find: Callable[[Any], Found]


class Checks:
    """The routes to the claims of a topic, in the order in which they are written.

    A function returns the arguments of `ledger.paper.judge` (found, standard_error, holds, note
    ...); what is not there raises `Missing`, and a claim that no other route reaches is then not
    testable for that reason. `not_testable` are claims that nothing here can test, and why.

    Examples
    --------
    >>> claims = Checks()
    >>> @claims("C033", "whole pattern")
    ... def lattice(e):
    ...     return {"found": 6.05, "standard_error": 0.01}
    >>> [check.route for check in claims]
    ['whole pattern']
    """

    def __init__(self, not_testable: Mapping[str, str] | None = None):
        self.not_testable = dict(not_testable or {})
        self._entered: list[Check] = []

    def __iter__(self) -> Iterator[Check]:
        return iter(self._entered)

    def __call__(self, claim_id: str, route: str = "", **fixed: Any):
        """Enter a function as a route to a claim; `fixed` are further arguments of it."""

        def keep(function: Callable[..., Found]):
            self._entered.append(Check(claim_id, route, partial(function, **fixed)))
            return function

        return keep

    def judge(self, room, evidence, *, own: bool = True) -> None:
        """A verdict on every claim; from files only where the samples are the paper's `own`."""
        lost, judged = dict(self.not_testable), set()
        for check in self:
            try:
                found = {"kind": "recomputed", **check.find(evidence)}
                if found["kind"] in ("simulated", "measured") and not own:
                    raise Missing("the sample sheet does not name the paper's DOI")
            except Missing as reason:
                lost[check.claim] = str(reason)
            else:
                room.check(check.claim, route=check.route, **found)
                judged.add(check.claim)
        for claim_id, why in lost.items():
            if claim_id not in judged:
                room.not_testable(claim_id, why)
