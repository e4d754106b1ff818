"""`Sheet`: the rows of a folder, all that an analysis sees of what lies in it."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from peled.files import write_atomically
from peled.samples import schema
from peled.samples.expand import Row
from peled.samples.table import Line, Message, SheetError


@dataclass(frozen=True)
class Unlisted:
    """A file, or a part of one, that is in no row: why, and the cells of the row proposed."""

    file: str
    part: str
    reason: str
    proposed: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        said = ", ".join(f"{k} {v}" for k, v in self.proposed.items() if k not in ("file", "part"))
        place = f"{self.file} [{self.part}]" if self.part else self.file
        return f"{place}: {self.reason}" + (f"; proposed: {said}" if said else "")


@dataclass(frozen=True)
class Sheet:
    """What lies in a folder.

    Attributes
    ----------
    folder : Path
    topic : str
    rows : tuple of Row
        Expanded, in the order of files and parts; those with `problems` too.
    unlisted : tuple of Unlisted
        What is in no row and is not analysed.
    messages : tuple of Message
        What is wrong in the sheet and the `lab.csv` above.
    source : Path or None
        The sheet; None where there is none and the rows are proposed.
    lines : tuple of Line
        The sheet as written.
    """

    folder: Path
    topic: str
    rows: tuple[Row, ...]
    unlisted: tuple[Unlisted, ...] = ()
    messages: tuple[Message, ...] = ()
    source: Path | None = None
    lines: tuple[Line, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def select(self, **wanted: str) -> tuple[Row, ...]:
        """Rows without problems whose attributes are as wanted: `select(measurement="jvl")`."""
        return tuple(
            row
            for row in self.rows
            if not row.problems and all(getattr(row, k) == v for k, v in wanted.items())
        )

    def companions(self, row: Row, role: str) -> tuple[Row, ...]:
        """Rows of a role that serve `row`: same measurement; sample, group, state empty or same.

        Parameters
        ----------
        row : Row
        role : str
            `dark`, `blank`, `irf`, ...

        Returns
        -------
        tuple of Row
        """
        return tuple(
            other
            for other in self.select(role=role)
            if other.measurement in ("", row.measurement)
            and all(
                getattr(other, k) in ("", getattr(row, k)) for k in ("sample", "group", "state")
            )
        )

    def companion(
        self, row: Row, role: str, alike: Callable[[Row], bool] = lambda _: True
    ) -> Row | None:
        """The one row of a role that serves `row`, or None.

        Of several, one in the row's own file goes first, then one in a file of its own; then those
        of another kind than the row (another word in a column), and those taken with other settings
        (another integration time), do not serve.

        Parameters
        ----------
        row : Row
        role : str
            `dark`, `blank`, `irf`, ...
        alike : callable
            Whether a row was taken as `row` was, as its file says; asked where two would serve.

        Returns
        -------
        Row or None

        Raises
        ------
        SheetError
            If two would serve: the message names both.
        """
        found = self.companions(row, role)
        found = tuple(other for other in found if other.path == row.path) or found
        # One that stands among what it serves is of that file.
        serves = {other.path for other in self.rows if other.role in ("sample", "scan")}
        found = tuple(other for other in found if other.path not in serves - {row.path}) or found
        for kind in (str, object):
            if len(found) > 1:
                found = tuple(other for other in found if _agree(other, row, kind))
        if len(found) > 1:
            found = tuple(filter(alike, found)) or found
        if len(found) > 1:
            both = " and ".join(f"{other.label} ({other.origin})" for other in found[:2])
            raise SheetError([f"{row.label}: two rows of role {role} would serve it: {both}"])
        return found[0] if found else None

    @property
    def doi(self) -> str:
        """DOI of the paper whose own samples these are: only if every row says the same one."""
        said = {row.doi for row in self.rows if row.role != "ignore" and not row.problems}
        return said.pop() if len(said) == 1 else ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the expanded rows: the same meaning, the same digest."""
        rows = [
            [
                row.file, row.part, row.sample, row.measurement, row.role, row.group, row.state,
                row.replicate, row.settings, row.free, row.doi, row.doubt, row.problems != (),
            ]
            for row in self.rows
        ]  # fmt: skip
        text = json.dumps([self.topic, rows], sort_keys=True, ensure_ascii=False)
        return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def proposal(self) -> str:
        """The sheet completed by a row for each file in no row, as CSV."""
        said = (
            "# Proposed. Correct it, delete 'yes' where a row is right, save it beside the data\n"
        )
        more = [one.proposed for one in self.unlisted if one.proposed]
        return said + "# as samples.csv.\n" + self.with_lines(more)

    def with_lines(self, more: Sequence[Mapping[str, str]]) -> str:
        """The sheet as written with further lines.

        Parameters
        ----------
        more : sequence of mapping
            Column to cell.

        Returns
        -------
        str
            CSV.
        """
        rows = [dict(line.cells) for line in self.lines] + [dict(cells) for cells in more]
        names = [*schema.columns(self.topic)]
        used = {name for row in rows for name in row}
        heads = [name for name in names if name in used] + sorted(used - set(names))
        stream = io.StringIO()
        writer = csv.DictWriter(stream, heads, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()

    def write_proposal(self, results: str | os.PathLike) -> Path:
        """Write `samples.proposed.csv` into the results folder.

        Parameters
        ----------
        results : path-like
            Folder.

        Returns
        -------
        Path

        Raises
        ------
        SheetError
            If that folder is the data folder or lies in it: nothing is written into data.
        """
        results = Path(results)
        if results.resolve().is_relative_to(self.folder.resolve()):
            raise SheetError([f"{results}: expected a folder outside the data, found one in it"])
        path = results / "samples.proposed.csv"
        text = "\ufeff" + self.proposal()  # the mark makes Excel read UTF-8
        return write_atomically(path, text.encode("utf-8", "replace"))

    def table(self) -> list[tuple[str, str, str]]:
        """(file, what it is, remark) of rows, also those with problems, and files in no row."""
        out = []
        for row in self.rows:
            if row.role != "ignore":
                taken = [f"{name} {said.split()[0]}" for name, said in _taken(row).items()]
                said = (row.sample, row.measurement, row.group, row.state, *taken)
                what = " ".join(filter(None, said))
                what += "" if row.role == "sample" else f" ({row.role})"
                remark = "; ".join(row.problems) or row.doubt
                out.append((f"{row.file} [{row.part}]" if row.part else row.file, what, remark))
        return out + [
            (u.file, "not in the sheet", str(u).partition(": ")[2]) for u in self.unlisted
        ]

    def __repr__(self) -> str:
        name = self.source.name if self.source else "no sheet, rows proposed"
        return as_text(f"{self.folder.name} ({self.topic}, {name})", self.table())

    def _repr_html_(self) -> str:
        return as_html(self.table())


def state_of(rows: Sequence[Row], among: Iterable[Row], besides: Collection[str] = ()) -> str:
    """State of rows of one sample, and where they were taken if others were taken elsewhere.

    Parameters
    ----------
    rows : sequence of Row
        What makes one result; a setting in which they differ does not count.
    among : iterable of Row
        Rows of the sample and measurement; those of another state do not count.
    besides : collection of str
        Columns that do not count.

    Returns
    -------
    str

    Examples
    --------
    >>> taken = [Row(Path(), "", state="aged", settings={"temperature_K": t}) for t in (77, 295)]
    >>> state_of(taken[:1], taken), state_of(taken[:1], taken[:1])
    ('aged, 77 K', 'aged')
    >>> taken = [Row(Path(), "", free={"x_V": v}) for v in ("2.5", "3")]
    >>> state_of(taken[:1], taken)
    '2.5 V'
    """
    said = [rows[0].state]
    others = [_taken(row) for row in among if row.state == rows[0].state]
    every = [_taken(row) for row in rows]
    for name in every[0]:
        mine = {taken.get(name) for taken in every}
        if name not in besides and len(mine) == 1 and mine != {o.get(name) for o in others}:
            said.append(mine.pop())
    return ", ".join(filter(None, said))


def _taken(row: Row) -> dict[str, str]:
    """Where on which axis a row was taken: column -> number and unit.

    So says a column of the topic or, of a unit that none of them has, one of the row's own (`x_V`).
    """
    out = {}
    for column in schema.columns().values():
        if column.where and column.name in row.settings:
            unit = column.name if column.unit == "1" else column.unit
            out[column.name] = f"{row.settings[column.name]:g} {unit}"
    for name, value in row.free.items():
        if name.removeprefix("x_") in schema.DRIVE:
            out[name] = f"{value} {name.removeprefix('x_')}"
    return out


def as_text(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines of text with aligned columns.

    Parameters
    ----------
    title : str
        First line.
    rows : sequence of tuple of str
        All of one length.

    Returns
    -------
    str
    """
    widths = [max(map(len, column), default=0) for column in zip(*rows)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows)
    return "\n".join([title, *lines])


def as_html(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as a table for a notebook.

    Parameters
    ----------
    rows : sequence of tuple of str
        Characters that HTML gives a meaning are escaped.

    Returns
    -------
    str
    """
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _agree(one: Row, other: Row, kind: type) -> bool:
    shared = set(one.settings) & set(other.settings)
    return all(
        one.settings[k] == other.settings[k] for k in shared if isinstance(one.settings[k], kind)
    )
