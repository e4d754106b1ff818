"""`Report`: what an analysis found in a folder, as a table, as pictures, as files."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peled.quantities import Quantity, shown

from .groups import Comparison, Summary, Test, compare, summarise
from .parts import Drawer, Panel, Problem, by_kind
from .text import as_html, as_text

if TYPE_CHECKING:
    from peled.samples import Holdings

WIDTH = 100  # of text, characters


@dataclass(frozen=True)
class Report:
    """What `analyse(sheet, settings)` of a topic returns.

    Attributes
    ----------
    topic : str
    sheet : str
        Digest of the sample sheet.
    quantities : tuple of Quantity
    groups : mapping of sample to group
        In the order of the sheet, every sample that was analysed; '' for no group.
    found : mapping of sample to what the topic keeps of it
        Conditioned signals and fits, for its drawers and for the user.
    problems : tuple of Problem
        Rows and files that gave nothing.
    inputs : mapping of file to digest
        Of the bytes that were read.
    settings : mapping
        As the analysis used them.
    drawers : tuple of callables
        Each takes the report and yields its panels.
    test : str
        For groups: Welch or Mann-Whitney.
    """

    topic: str
    sheet: str
    quantities: tuple[Quantity, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    drawers: tuple[Drawer, ...] = field(default=(), repr=False)
    test: Test = "Welch"

    @property
    def samples(self) -> tuple[str, ...]:
        """In the order of the sheet; those of quantities and pictures only come last."""
        named = [q.sample for q in self.quantities if q.sample]
        return tuple(dict.fromkeys([*self.groups, *self.found, *named]))

    def select(self, **wanted: str) -> tuple[Quantity, ...]:
        """Quantities whose attributes are as wanted: `select(sample="d1", name="EQE")`."""
        return tuple(
            q for q in self.quantities if all(getattr(q, k) == v for k, v in wanted.items())
        )

    def panels(self) -> tuple[Panel, ...]:
        """Every picture that the drawers can make of this report."""
        return tuple(panel for drawer in self.drawers for panel in drawer(self))

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """Statistics by quantity and group."""
        return summarise(self.quantities, self.groups)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Groups against the reference."""
        return compare(self.summaries, self.test)

    # ---- tables ----------------------------------------------------------------------------------

    def rows(self, sample: str | None = None) -> list[tuple[str, ...]]:
        """Head and rows (sample, group, state, quantity, value, remark).

        Parameters
        ----------
        sample : str, optional
            One of them; all otherwise.

        Returns
        -------
        list of tuple of str
        """
        head = ("sample", "group", "state", "quantity", "value", "remark")
        order = {s: i for i, s in enumerate(self.samples)}
        kept = [q for q in self.quantities if sample in (None, q.sample)]
        kept.sort(key=lambda q: order.get(q.sample, -1))
        rows, said = [], set()
        for q in kept:
            cells = _cells(q, {text for name, text in said if name == q.sample})
            rows.append((q.sample, self.groups.get(q.sample, ""), q.state, q.name, *cells))
            said |= {(q.sample, str(f)) for f in q.findings}
        return [head, *rows]

    def group_rows(self) -> list[tuple[str, ...]]:
        """Head and rows of the statistics by group."""
        head = ("quantity", "state", "group", "n", "median", "mean ± SD", "lowest … highest")
        rows = []
        for s in self.summaries:
            counts = {"withheld": s.withheld, "only a limit": s.limits, "doubtful": s.doubtful}
            left = [f"{count} {what}" for what, count in counts.items() if count]
            n = f"{s.n}" + (f" ({', '.join(left)})" if left else "")
            numbers = ("", "", "")
            if s.mean is not None:
                numbers = (
                    f"{s.median:.4g}",
                    f"{s.mean:.4g} ± {s.standard_deviation:.2g}",
                    f"{s.lowest:.4g} … {s.highest:.4g} {shown(s.unit)}".rstrip(),
                )
            rows.append((s.name, s.state, s.group, n, *numbers))
        return [head, *rows]

    def __str__(self) -> str:
        parts = [f"{self.topic}, sheet {self.sheet[:19]}", as_text(self.rows())]
        if self.summaries:
            parts.append(as_text(self.group_rows()))
        if self.comparisons:
            parts.append("\n".join(map(str, self.comparisons)))
        if self.problems:
            kinds = map(str, by_kind(self.problems))
            lines = (textwrap.fill(p, WIDTH, subsequent_indent="  ") for p in kinds)
            parts.append("Set aside:\n" + "\n".join(lines))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [as_html(self.rows())]
        if self.summaries:
            parts.append(as_html(self.group_rows()))
        parts += [f"<p>{html.escape(str(c))}</p>" for c in self.comparisons]
        if self.problems:
            items = "".join(f"<li>{html.escape(str(p))}</li>" for p in by_kind(self.problems))
            parts.append(f"<p>Set aside:</p><ul>{items}</ul>")
        return "\n".join(parts)

    # ---- files -----------------------------------------------------------------------------------

    def export(self, folder: str | Path, *, pictures: bool = True) -> list[Path]:
        """Write `<topic>.csv`, `.json` and `.pdf` into a folder; each is whole or absent.

        Parameters
        ----------
        folder : path-like
        pictures : bool
            Without them there is no PDF.

        Returns
        -------
        list of Path

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        from peled.files import to_json, write_atomically

        from . import export, pdf

        written = [
            write_atomically(Path(folder) / f"{self.topic}.csv", export.to_csv(self)),
            write_atomically(Path(folder) / f"{self.topic}.json", to_json(export.record(self))),
        ]
        if pictures:
            written.append(write_atomically(Path(folder) / f"{self.topic}.pdf", pdf.pages(self)))
        return written


def from_holdings(holdings: Holdings, quantities: Iterable[Quantity], **others) -> Report:
    """The report of what was read of a sheet: digest, samples, groups, and all that was set aside.

    Parameters
    ----------
    holdings : peled.samples.Holdings
    quantities : iterable of Quantity
    **others
        Further fields of `Report`; `problems` are added to those of the sheet.

    Returns
    -------
    Report
    """
    sheet = holdings.sheet
    groups: dict[str, str] = {}
    problems = [Problem("sample sheet", str(message)) for message in sheet.messages]
    for row in sheet.rows:
        if row.sample and row.role != "ignore":
            known = groups.get(row.sample, "")
            groups[row.sample] = known or row.group
            if known and row.group not in ("", known):
                said = (
                    f"sample {row.sample} is in the groups {known} and {row.group}; {known} taken"
                )
                problems.append(Problem(row.label, said))
    problems += [Problem(row.label, reason) for row, reason in holdings.problems]
    problems += [Problem("not in the sheet", str(one)) for one in sheet.unlisted]
    problems += others.pop("problems", ())
    inputs = {held.row.file: held.digest for held in holdings.held if held.digest}
    quantities = tuple(quantities)
    problems += () if quantities else _unexplained(holdings, problems)
    return Report(
        sheet.topic, sheet.digest, quantities, groups,
        problems=tuple(problems), inputs=inputs, **others,
    )  # fmt: skip


def _unexplained(holdings: Holdings, problems: Sequence[Problem]) -> list[Problem]:
    """A reason for each row without one in a report without a number."""
    if not holdings.held and not problems:
        return [Problem("folder", f"expected files of {holdings.sheet.topic}, found none")]
    told = "\n".join(p.where for p in problems)
    out = []
    for row in (held.row for held in holdings if held.row.label not in told):
        said = f"read as {row.measurement}, of which no number comes without other rows"
        advice = "correct measurement and role if it is another"
        if row.role != "sample":
            said = (
                f"read as {row.measurement} of role {row.role}, which serves other rows of "
                f"{row.measurement}; none of these gave a number"
            )
            others = (h.row for h in holdings.held if h.row.measurement == row.measurement)
            if any(other.label in told for other in others):
                advice = "their reasons stand here"
        out.append(Problem(row.label, f"{said}; {advice}"))
    return out


def _cells(q: Quantity, said: set[str]) -> tuple[str, str]:
    """(value, remark) of a quantity; what was `said` of the same sample before is not repeated."""
    remarks = [q.note] if q.note else []
    if q.value is None:
        return str(q), "; ".join(remarks)
    fresh = replace(q, findings=tuple(f for f in q.findings if str(f) not in said)).reasons
    if q.status == "doubtful":
        remarks.append(f"doubtful: {fresh or 'as above'}")
    elif fresh:
        remarks.append(fresh)
    if q.kind != "measured":
        remarks.append(q.kind)
    return str(q), "; ".join(remarks)
