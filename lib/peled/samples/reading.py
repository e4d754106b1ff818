"""`read_sheet`: a folder, its sheet and the `lab.csv` above become expanded rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from filecmp import cmp
from pathlib import Path, PurePosixPath

from peled import tables
from peled.files import LAB, SHEETS, may_be_data
from peled.samples import expand, schema
from peled.samples.expand import WHOLE, Row
from peled.samples.propose import Content, Sniffer, explicit, propose
from peled.samples.sheet import Sheet, Unlisted
from peled.samples.table import Line, Message, SheetError, Table, read_table

#: A file of a package table's name takes its place (`peled.tables.table`).
_TABLES = {path.name for path in Path(tables.__file__).parent.glob("*/*.csv")}


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
        Path of a file or folder -> `Content`: tells parts, and the measurement where no row says
        it. What it raises counts as "not known" and stands beside the file.
    samples : path-like, optional
        A sheet elsewhere, instead of `samples.csv` or `samples.xlsx` in the folder.

    Returns
    -------
    Sheet

    Raises
    ------
    SheetError
        If the folder is missing, or no row of the sheet can be understood. Anything less is a
        message, or a row with its problem.
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
        known = reading.contents(reading.files)
        lines = tuple(propose(known, columns, reading.name, reading.strangers()))
        rows, _ = reading.expand(lines, None)
        listed = {row.file for row in rows}
        unlisted = [
            Unlisted(file, "", reading.reason(file))
            for file in reading.measurements(reading.files)
            if file not in listed
        ]
    messages = (*table.messages, *reading.messages)
    rows, copies = _once(rows, bool(source))
    unlisted = [*unlisted, *copies]
    return Sheet(folder, topic, tuple(rows), tuple(unlisted), messages, source, lines)


def _source(folder: Path, samples) -> Path | None:
    if samples is not None:
        return Path(samples).expanduser()
    found = [folder / name for name in SHEETS if (folder / name).is_file()]
    if len(found) > 1:
        raise SheetError([f"{folder.name}: expected one sheet, found {' and '.join(SHEETS)}"])
    return found[0] if found else None


def _files(folder: Path) -> list[str]:
    """All files below a folder that may be data, with `/`, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "~"))]
        for name in names:
            if may_be_data(name):
                found.append((Path(place) / name).relative_to(folder).as_posix())
    return sorted(found, key=expand.in_order)


_STRANGE = "not recognised"


class _Reading:
    """The files of one folder while its sheet is being expanded: each is sniffed at most once."""

    def __init__(self, folder: Path, columns: Mapping[str, schema.Column], sniff: Sniffer | None):
        self.folder, self.columns, self.sniff = folder, columns, sniff
        self.files, self.name = _files(folder), folder.resolve().name
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
        return _STRANGE if self.content(file) else str(self._seen[file])

    def strangers(self) -> list[str]:
        """Files that were looked at and are none of the topic's."""
        return [file for file, seen in self._seen.items() if seen == _STRANGE]

    def _sniff(self, file: str) -> Content | str:
        if self.sniff is None:
            return _STRANGE
        try:
            return self.sniff(self.folder / file) or _STRANGE
        except Exception as error:  # one odd file, or a fault of its reader, never stops another
            return str(error) or type(error).__name__

    def measurements(self, files: Sequence[str]) -> list[str]:
        """Files, and in place of the files of a folder that is one measurement that folder."""
        out: dict[str, None] = {}
        for file in files:
            above = [p.as_posix() for p in PurePosixPath(file).parents][::-1]
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
        settings = [li for li in lines if "file" not in li.cells and not li.problems]
        rows, left, used = [], [], set()
        for file in sorted(claims, key=expand.in_order):
            fits = claims[file]
            parted = any("part" in claim.line.cells for claim in fits)
            content = self.content(file) if parted else None
            kept, problems, parts = expand.resolve(
                fits, content.parts if content else None, self.columns
            )
            rows += [self._row(file, claim, settings) for claim in kept]
            rows += [Row(self.folder / file, file, problems=(text,)) for text in problems]
            left += [(file, part) for part in parts if kept]
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
        measurement = content.of(claim.part).measurement if content else ""
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
        if fits and (part := line.cells.get("part")):
            text = f"part: nothing in {', '.join(fits[:3])} fits {part!r} best"
        elif fits:
            text = f"file: {', '.join(fits[:3])} fit {pattern}, other lines fit them better"
        problems = line.problems or (text,)
        keep = {k: line.cells[k] for k in ("sample", "measurement", "group") if k in line.cells}
        return Row(self.folder, pattern, problems=problems, origin=line.place, **keep)

    def _unlisted(self, claimed: set[str], left: list[tuple[str, str]]) -> list[Unlisted]:
        files = [
            file
            for file in self.files
            if file not in claimed
            and file not in _TABLES
            and not claimed.intersection(p.as_posix() for p in PurePosixPath(file).parents)
        ]
        names = self.measurements(files)
        contents = self.contents([*files, *(file for file, _ in left)])
        proposed = {}
        for cells in explicit(contents, self.columns, self.name):
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
        place = (self.folder / file).resolve()
        place = place if file == WHOLE else place.parent
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


def _once(rows: Sequence[Row], written: bool) -> tuple[list[Row], list[Unlisted]]:
    """Rows without those of samples that are, bit for bit, those of another file of the folder and
    say nothing else than it; and these files. What two lines of a `written` sheet name are two.
    """
    alike: dict[tuple, list[Row]] = {}
    for row in rows:
        if row.role == "sample" and not row.problems and row.path.is_file():
            said = row.measurement, row.group, row.state, repr(row.settings), row.origin * written
            key = row.path.parent, row.path.stat().st_size, row.part, *said
            alike.setdefault(key, []).append(row)
    copies: dict[str, str] = {}
    for members in alike.values():
        first: list[Row] = []
        for row in sorted(members, key=lambda row: (len(row.file), row.file)):
            others = (one for one in first if one.file != row.file)
            same = next((one for one in others if cmp(one.path, row.path, shallow=False)), None)
            if same is None:
                first.append(row)
            else:
                copies[row.file] = f"bit for bit the same as {same.file}, which is counted"
    kept = [row for row in rows if row.file not in copies]
    return kept, [Unlisted(file, "", said) for file, said in copies.items()]


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
