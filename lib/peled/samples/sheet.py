"""The sample sheet of a folder: `read_sheet` gives a `Sheet`, whose rows are all that an analysis sees."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from peled.files import write_atomically
from peled.samples import expand, schema
from peled.samples.expand import Row
from peled.samples.propose import Content, Sniffer, explicit, propose
from peled.samples.table import Line, Message, SheetError, Table, read_table

NAMES = ("samples.csv", "samples.xlsx")
LAB = "lab.csv"
_NOT_DATA = {*NAMES, LAB, "samples.proposed.csv", "about.yaml", "datapackage.json"}
_SYSTEM = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Unlisted:
    """A file, or a part of one, that is in no row: why, and the row proposed for it (empty cells: none can be)."""

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
        """Rows without problems whose attributes are as wanted: `select(measurement="jvl", role="sample")`."""
        return tuple(
            row
            for row in self.rows
            if not row.problems and all(getattr(row, k) == v for k, v in wanted.items())
        )

    def companions(self, row: Row, role: str) -> tuple[Row, ...]:
        """The rows of a role that serve `row`: same measurement, and sample, group and state where they say one."""
        return tuple(
            other
            for other in self.select(role=role)
            if other.measurement in ("", row.measurement)
            and all(
                getattr(other, k) in ("", getattr(row, k)) for k in ("sample", "group", "state")
            )
        )

    def companion(self, row: Row, role: str) -> Row | None:
        """The one row of a role that serves `row`, or None.

        Of several, those taken with other settings than the row (another integration time) do not serve.

        Raises
        ------
        SheetError
            If two would serve: the message names both.
        """
        found = self.companions(row, role)
        if len(found) > 1:
            found = tuple(other for other in found if _agree(other, row))
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
        """SHA-256 of the expanded rows: the same for the same meaning, whatever the sheet looks like."""
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
        """The sheet as it could stand beside the data: what is written, and a row for each file in no row. CSV."""
        names = [*schema.columns(self.topic)]
        rows = [dict(line.cells) for line in self.lines]
        rows += [dict(one.proposed) for one in self.unlisted if one.proposed]
        used = {name for row in rows for name in row}
        heads = [name for name in names if name in used] + sorted(used - set(names))
        stream = io.StringIO()
        stream.write(
            "# Proposed. Correct it, delete 'yes' where a row is right, save it beside the data\n"
        )
        stream.write("# as samples.csv.\n")
        writer = csv.DictWriter(stream, heads, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()

    def write_proposal(self, results: str | os.PathLike) -> Path:
        """Write `samples.proposed.csv` into the results folder.

        Raises
        ------
        SheetError
            If that folder is the data folder or lies in it: nothing is written into data.
        """
        results = Path(results)
        if results.resolve().is_relative_to(self.folder.resolve()):
            raise SheetError([f"{results}: expected a folder outside the data, found one in it"])
        path = results / "samples.proposed.csv"
        return write_atomically(path, "\ufeff" + self.proposal())  # the mark makes Excel read UTF-8

    def table(self) -> list[tuple[str, str, str]]:
        """What is there as (file, what it is, remark): rows, rows with problems, files in no row."""
        where = [c.name for c in schema.columns(self.topic).values() if c.where]
        out = []
        for row in self.rows:
            if row.role != "ignore":
                taken = [f"{name} {row.settings[name]:g}" for name in where if name in row.settings]
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


def as_text(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines of text with aligned columns."""
    widths = [max(map(len, column), default=0) for column in zip(*rows)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows)
    return "\n".join([title, *lines])


def as_html(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as a table for a notebook."""
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _agree(one: Row, other: Row) -> bool:
    shared = set(one.settings) & set(other.settings)
    return all(one.settings[k] == other.settings[k] for k in shared)


def read_sheet(
    folder: str | os.PathLike,
    topic: str,
    *,
    sniff: Sniffer | None = None,
    samples: str | os.PathLike | None = None,
) -> Sheet:
    """The sample sheet of a folder, expanded over its files; a proposal where there is no sheet.

    Parameters
    ----------
    folder : path-like
        The data; relative paths count from the working directory.
    topic : str
        One of `schema.topics()`.
    sniff : callable, optional
        Path of a file or folder -> `Content`: tells parts, and the measurement where no row says it. What it raises
        counts as "not known" and stands beside the file.
    samples : path-like, optional
        A sheet elsewhere, instead of `samples.csv` or `samples.xlsx` in the folder.

    Raises
    ------
    SheetError
        If the folder is missing, or no row of the sheet can be understood. Anything less is a message, or a row with
        its problem.
    """
    if topic not in schema.topics():
        near = schema.nearest(topic, schema.topics())
        raise SheetError([f"topic: expected one of {', '.join(schema.topics())}, found {topic!r}"
                          + (f"; nearest: {near!r}" if near else "")])  # fmt: skip
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise SheetError([f"expected a folder with {topic} files, found none at {folder}"])
    source = _source(folder, samples)
    columns = schema.columns(topic)
    table = read_table(source, columns) if source else Table((), ())
    reading = _Reading(folder, columns, sniff)
    if source:
        rows, unlisted = reading.expand(table.lines, source)
        lines = table.lines
    else:
        lines = tuple(propose(reading.contents(reading.files), columns))
        rows, _ = reading.expand(lines, None)
        listed = {row.file for row in rows}
        unlisted = [
            Unlisted(file, "", reading.reason(file))
            for file in reading.measurements(reading.files)
            if file not in listed
        ]
    messages = (*table.messages, *reading.messages)
    return Sheet(folder, topic, tuple(rows), tuple(unlisted), messages, source, lines)


def _source(folder: Path, samples) -> Path | None:
    if samples is not None:
        return Path(samples).expanduser()
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        raise SheetError([f"{folder.name}: expected one sheet, found {' and '.join(NAMES)}"])
    return found[0] if found else None


def _files(folder: Path) -> list[str]:
    """All files below a folder that may be data, with `/`, in order; links to folders are not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "~"))]
        for name in names:
            hidden = name.startswith((".", "~")) or name.lower() in _SYSTEM
            if not (hidden or name in _NOT_DATA or name.lower().startswith("readme")):
                found.append((Path(place) / name).relative_to(folder).as_posix())
    return sorted(found)


class _Reading:
    """The files of one folder while its sheet is being expanded: each is sniffed at most once."""

    def __init__(self, folder: Path, columns: Mapping[str, schema.Column], sniff: Sniffer | None):
        self.folder, self.columns, self.sniff = folder, columns, sniff
        self.files = _files(folder)
        self.messages: list[Message] = []
        self._seen: dict[str, Content | str] = {}
        self._labs: dict[Path, tuple[Line, ...]] = {}

    def content(self, file: str) -> Content | None:
        """What a file holds, or None."""
        if file not in self._seen:
            self._seen[file] = self._sniff(file)
        seen = self._seen[file]
        return seen if isinstance(seen, Content) else None

    def reason(self, file: str) -> str:
        """Why a file's content is not known."""
        return "not recognised" if self.content(file) else str(self._seen[file])

    def _sniff(self, file: str) -> Content | str:
        if self.sniff is None:
            return "not recognised"
        try:
            return self.sniff(self.folder / file) or "not recognised"
        except Exception as error:  # one odd file, or a fault of its reader, never stops another
            return str(error) or type(error).__name__

    def measurements(self, files: Sequence[str]) -> list[str]:
        """Files, and in place of the files of a folder that is one measurement that folder."""
        out: dict[str, None] = {}
        for file in files:
            above = [p.as_posix() for p in PurePosixPath(file).parents][-2::-1]
            out[next((f for f in above if self.content(f)), file)] = None
        return list(out)

    def contents(self, files: Sequence[str]) -> dict[str, Content]:
        """Content of all that is known among files."""
        return {
            name: content
            for name in self.measurements(files)
            if (content := self.content(name)) is not None
        }

    def expand(
        self, lines: Sequence[Line], source: Path | None
    ) -> tuple[list[Row], list[Unlisted]]:
        """Rows in the order of files and parts, and what is in none."""
        claims = expand.claims(lines, self.files, self.columns)
        settings = [line for line in lines if "file" not in line.cells]
        rows, left, used = [], [], set()
        for file, fits in sorted(claims.items()):
            parted = any("part" in claim.line.cells for claim in fits)
            content = self.content(file) if parted else None
            kept, problems, parts = expand.resolve(
                fits, content.parts if content else None, self.columns
            )
            rows += [self._row(file, claim, settings) for claim in kept]
            rows += [Row(self.folder / file, file, problems=(text,)) for text in problems]
            left += [(file, part) for part in parts]
            used |= {claim.line.number for claim in kept}
            if parted and not (kept or problems):
                rows.append(self._no_part(file, fits))
            if problems or not kept:
                used |= {claim.line.number for claim in fits}
        rows += [self._no_file(line, claims) for line in lines if self._idle(line, used)]
        return _numbered(rows), self._unlisted(set(claims), left) if source else []

    def _row(self, file: str, claim: expand.Claim, settings: list[Line]) -> Row:
        sources = [settings, *self._lab_lines(file)]
        said = claim.line.cells.get("measurement") or "measurement" in claim.captured
        ignored = claim.line.cells.get("role") == "ignore"
        content = None if said or ignored else self.content(file)
        measurement = content.measurement if content else ""
        row = expand.to_row(self.folder / file, file, claim, sources, self.columns, measurement)
        content = self.content(file) if claim.part else None
        if content and content.parts and claim.part not in content.parts:
            text = f"part: {claim.part!r} is not among {', '.join(content.parts[:12])}"
            return Row(row.path, file, claim.part, problems=(text,), origin=row.origin)
        return row

    def _no_part(self, file: str, fits: Sequence[expand.Claim]) -> Row:
        line = fits[0].line
        content = self.content(file)
        found = ", ".join(content.parts[:12]) if content else self.reason(file)
        text = f"part: no part fits {line.cells['part']!r}; the file holds: {found or 'one thing'}"
        return Row(self.folder / file, file, problems=(text,), origin=line.place)

    @staticmethod
    def _idle(line: Line, used: set[int]) -> bool:
        return (
            bool(line.problems or "file" in line.cells)
            and line.number not in used
            and line.cells.get("role") != "ignore"
        )

    def _no_file(self, line: Line, claims: Mapping[str, list[expand.Claim]]) -> Row:
        pattern = line.cells.get("file", "")
        fits = [f for f, all_ in claims.items() if any(c.line.number == line.number for c in all_)]
        text = f"file: expected a file that fits {pattern}, found none"
        if fits:
            text = f"file: {', '.join(fits[:3])} fit {pattern}, other lines fit them better"
        problems = line.problems or (text,)
        keep = {k: line.cells[k] for k in ("sample", "measurement", "group") if k in line.cells}
        return Row(self.folder, pattern, problems=problems, origin=line.place, **keep)

    def _unlisted(self, claimed: set[str], left: list[tuple[str, str]]) -> list[Unlisted]:
        files = [
            file
            for file in self.files
            if file not in claimed
            and not claimed.intersection(p.as_posix() for p in PurePosixPath(file).parents)
        ]
        names = self.measurements(files)
        contents = self.contents([*files, *(file for file, _ in left)])
        proposed = {}
        for cells in explicit(contents, self.columns):
            proposed.setdefault(cells["file"], {})[cells.get("part", "")] = cells
        out = []
        for file in names:
            reason = "in no row of the sheet" if self.content(file) else self.reason(file)
            for part, cells in proposed.get(file, {"": {}}).items():
                out.append(Unlisted(file, part, reason, cells))
        for file, part in left:
            cells = proposed.get(file, {}).get(part, {})
            out.append(Unlisted(file, part, "this part is in no row of the sheet", cells))
        return out

    def _lab_lines(self, file: str) -> list[tuple[Line, ...]]:
        place = (self.folder / file).resolve().parent
        return [lines for above in (place, *place.parents) if (lines := self._lab(above))]

    def _lab(self, folder: Path) -> tuple[Line, ...]:
        if folder not in self._labs:
            self._labs[folder] = ()
            if (folder / LAB).is_file():
                try:
                    table = read_table(folder / LAB, schema.columns(), lab=True)
                except SheetError as error:
                    self.messages += error.messages
                else:
                    self.messages += table.messages
                    self._labs[folder] = tuple(li for li in table.lines if not li.problems)
        return self._labs[folder]


def _numbered(rows: Sequence[Row]) -> list[Row]:
    """Replicates of rows that are equal in all else and say none: 1, 2, 3 in the order of files."""
    count: dict[str, int] = {}
    out = []
    for row in rows:
        if row.replicate:
            out.append(row)
            continue
        key = repr((row.sample, row.measurement, row.role, row.group, row.state, row.settings))
        count[key] = count.get(key, 0) + 1
        out.append(replace(row, replicate=str(count[key])))
    return out
