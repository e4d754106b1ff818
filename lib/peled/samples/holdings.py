"""What was read of a sheet: for each row its data, or the reason why there are none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peled.samples import schema
from peled.samples.expand import Row
from peled.samples.sheet import Sheet, as_html, as_text
from peled.samples.table import SheetError

#: Reads one row: the file's path and the row (its part, its settings) -> the data.
Reader = Callable[[Path, Row], Any]


@dataclass(frozen=True)
class Held:
    """One row with its data, or the reason why there are none; `digest`: of the bytes read."""

    row: Row
    data: Any = field(default=None, repr=False)
    reason: str = ""
    digest: str = ""

    def __bool__(self) -> bool:
        return not self.reason


class Holdings:
    """All rows of a sheet, loaded.

    Parameters
    ----------
    sheet : Sheet
    readers : mapping
        Measurement -> reader(path, row) -> data. Whatever a reader raises becomes that row's
        reason.

    Attributes
    ----------
    held : tuple of Held
        In the order of the sheet, without rows to be ignored.
    """

    def __init__(self, sheet: Sheet, readers: Mapping[str, Reader]):
        self.sheet = sheet
        digests: dict[Path, str] = {}
        self._rows = tuple(row for row in sheet.rows if row.role != "ignore")
        self.held = tuple(_load(_leaning(row, sheet), readers, digests) for row in self._rows)

    def __iter__(self) -> Iterator[Held]:
        return (held for held in self.held if held)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def select(self, **wanted: str) -> tuple[Held, ...]:
        """What was read, of rows as wanted: `select(measurement="jvl", sample="d1")`."""
        return tuple(
            held for held in self if all(getattr(held.row, k) == v for k, v in wanted.items())
        )

    def by(self, attribute: str, **wanted: str) -> dict[str, tuple[Held, ...]]:
        """What was read, by `sample`, `measurement`, `group` or another attribute of the rows.

        Parameters
        ----------
        attribute : str
        **wanted : str
            What other attributes of the rows must be.

        Returns
        -------
        dict of str to tuple of Held
        """
        out: dict[str, tuple[Held, ...]] = {}
        for held in self.select(**wanted):
            value = getattr(held.row, attribute)
            out[value] = (*out.get(value, ()), held)
        return out

    def along(self, measurement: str, *columns: str) -> list[tuple[str, tuple[Held, ...]]]:
        """Spectra of role sample, one file each, by the column that places them on an axis.

        Parameters
        ----------
        measurement : str
        *columns : str
            Of numbers, the first that a row says counts.

        Returns
        -------
        list of (str, tuple of Held)
            Column and rows, rising in it, that differ in nothing else of state, replicate, place
            and wavelengths; a row that none places, or with an axis of its own, stands alone,
            with "".
        """
        places = {name for name, column in schema.columns().items() if column.where}
        found: dict[tuple, list[Held]] = {}
        for held in self.select(measurement=measurement, role="sample"):
            row, said = held.row, held.row.settings
            own = getattr(held.data, "at", None) is not None
            axis = "" if own else next((name for name in columns if name in said), "")
            others = sorted((k, said[k]) for k in places & set(said) - set(columns))
            alike = (row.state, row.replicate, *others, held.data.axis.tobytes())
            key = (row.sample, axis, *(alike if axis else (row.label, len(found))))
            found.setdefault(key, []).append(held)
        return [
            (axis, tuple(sorted(members, key=lambda h, a=axis: h.row.settings.get(a, 0.0))))
            for (_, axis, *_), members in found.items()
        ]

    def companion(self, row: Row, role: str) -> Held | None:
        """What was read of the one row of a role that serves `row`; None if there is none.

        Of several those do whose files state the same exposure.

        Parameters
        ----------
        row : Row
        role : str
            `dark`, `blank`, `irf`, ...

        Returns
        -------
        Held or None

        Raises
        ------
        SheetError
            If two rows would serve.
        """

        def read(of: Row | None) -> Held | None:
            same = (held for row, held in zip(self._rows, self.held, strict=True) if row == of)
            return next(filter(None, same), None)

        def exposed(of: Row) -> float | None:
            return getattr(getattr(read(of), "data", None), "exposure_ms", None)

        return read(self.sheet.companion(row, role, lambda other: exposed(other) == exposed(row)))

    @property
    def problems(self) -> tuple[tuple[Row, str], ...]:
        """Rows that were set aside, with the reason."""
        return tuple((held.row, held.reason) for held in self.held if not held)

    def table(self) -> list[tuple[str, str, str]]:
        """(state, row, remark) of what was read, set aside, not in the sheet."""
        read = [("read", f"{h.row.label} {h.row.measurement}".strip(), h.row.doubt) for h in self]
        aside = [("set aside", row.label, reason) for row, reason in self.problems]
        out = [
            ("not in the sheet", *(str(u).split(": ", 1) + [""])[:2]) for u in self.sheet.unlisted
        ]
        return read + aside + out

    def __repr__(self) -> str:
        return as_text(f"{self.sheet.folder.name} ({self.sheet.topic})", self.table())

    def _repr_html_(self) -> str:
        return as_html(self.table())


def joined(members: Sequence[Held], column: str) -> Any:
    """The spectra of rows as one series along a column.

    Parameters
    ----------
    members : sequence of Held
        As `Holdings.along` gives them; their data are signals (`peled.conditioning.Signal`).
    column : str
        Empty where they are one row that holds all it has to.

    Returns
    -------
    Signal
    """
    first, *others = members
    if not column:
        return first.data
    return first.data.beside(
        [held.data for held in others],
        [held.row.settings[column] for held in members],
        schema.columns()[column].unit,
        f"{first.row.sample}, {len(members)} spectra" if others else first.row.label,
    )


def _leaning(row: Row, sheet: Sheet) -> Row:
    """The row, in doubt where what serves it is: a response that is joined by name, for example."""
    if row.doubt:
        return row
    for role in sorted({r.role for r in sheet.rows if r.doubt} - {"sample", "scan", row.role}):
        try:
            other = sheet.companion(row, role)
        except SheetError:  # said where it is asked for
            continue
        if other is not None and other.doubt:
            return replace(row, doubt=f"its {role}, {other.label}, is {other.doubt}")
    return row


def _load(row: Row, readers: Mapping[str, Reader], digests: dict[Path, str]) -> Held:
    if row.problems:
        return Held(row, reason="; ".join(row.problems))
    if row.measurement not in readers:
        known = ", ".join(readers)
        return Held(row, reason=f"measurement {row.measurement!r}: expected one of {known}")
    try:
        if row.path not in digests:
            digests[row.path] = digest(row.path)
        data = readers[row.measurement](row.path, row)
    except (
        Exception
    ) as error:  # of readers of any kind of file: a row's reason, never the end of the others
        text = str(error) or type(error).__name__
        return Held(row, reason=text, digest=digests.get(row.path, ""))
    return Held(row, data, digest=digests[row.path])


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names, as `sha256:…`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    total = hashlib.sha256()
    inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for one in inside:
        with open(one, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256")
        if one is path:
            return "sha256:" + found.hexdigest()
        total.update(f"{one.relative_to(path).as_posix()}\0{found.hexdigest()}\n".encode())
    return "sha256:" + total.hexdigest()
