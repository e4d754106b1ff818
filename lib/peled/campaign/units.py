"""What a campaign divides its folders into: samples with all that their analysis needs.

A unit is the samples that share a file, mostly one; with its rows go those that may serve any
sample (no sample, or a role such as dark, irf, standard) and those of samples that a setting names.
Its key is a digest of all that its numbers rest on: rows, bytes of the files, settings, code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from peled.files import SHEETS
from peled.report import code_digest
from peled.samples import Row, Sheet
from peled.samples.holdings import digest as digest_of


@dataclass(frozen=True)
class Unit:
    """Samples that are analysed together.

    Attributes
    ----------
    module : str
        Name of the module whose `analyse` is called.
    sheet : Sheet
        The rows that serve these samples, nothing else.
    place : str
        Folder of the sheet below that of the campaign.
    samples : tuple of str
        Empty for what no sample is said of.
    settings : mapping
        Of the analysis.
    digests : mapping of file to digest
        Of the bytes, when the unit was made.
    """

    module: str
    sheet: Sheet
    place: str
    samples: tuple[str, ...]
    settings: Mapping[str, Any] = field(repr=False)
    digests: Mapping[str, str] = field(repr=False)

    @cached_property
    def key(self) -> str:
        parts = [
            self.module, self.place, self.samples, self.sheet.digest, self.digests, self.settings,
            code_digest(),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.place, ", ".join(self.samples))))

    def columns(self, sample: str) -> dict[str, Any]:
        """What the sheet says of a sample: columns with one value in all of its rows.

        Parameters
        ----------
        sample : str

        Returns
        -------
        dict of str to value
            Settings and free columns; rows of a role other than sample do not count.
        """
        own = [row for row in self.sheet.rows if row.sample == sample and row.role == "sample"]
        said: dict[str, set] = {}
        for row in own:
            for name, value in {**row.settings, **row.free}.items():
                said.setdefault(name, set()).add(value)
        return {name: one.pop() for name, one in said.items() if len(one) == 1}

    def line(self, **more: Any) -> str:
        """The unit as one line of JSON, for a worker."""
        rows = [asdict(row) | {"path": str(row.path)} for row in self.sheet.rows]
        said = {
            "key": self.key, "code": code_digest(), "folder": str(self.sheet.folder.resolve()),
            "topic": self.sheet.topic, "rows": rows, "samples": self.samples,
            "settings": self.settings, "digests": self.digests,
        }  # fmt: skip
        return json.dumps(said | more, ensure_ascii=True)


def sheet_of(task: Mapping[str, Any]) -> Sheet:
    """The sheet in a line that `Unit.line` made.

    Parameters
    ----------
    task : mapping
        The line, read as JSON.

    Returns
    -------
    Sheet
    """
    rows = tuple(Row(**_unlisted(row)) for row in task["rows"])
    return Sheet(Path(task["folder"]), task["topic"], rows)


def _unlisted(row: dict[str, Any]) -> dict[str, Any]:
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in row["settings"].items()}
    path, problems = Path(row["path"]), tuple(row["problems"])
    return row | {"path": path, "problems": problems, "settings": settings}


def sheets_below(folder: Path) -> list[Path]:
    """Folders with a sample sheet in and below a folder, in order; `folder` if there is none.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        Hidden folders and those that begin with ~ are left out.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "~")))
        if set(SHEETS) & set(names):
            found.append(Path(place))
    return found or [folder]


class Digests:
    """Digests of files, kept while size and time of change stay."""

    def __init__(self):
        self._kept: dict[Path, tuple[Any, str]] = {}

    def __call__(self, path: Path) -> str:
        """The digest, or a word where there is nothing to read."""
        try:
            seen = stamp(path)
            if self._kept.get(path, ("",))[0] != seen:
                self._kept[path] = (seen, digest_of(path))
        except OSError as error:
            return f"{type(error).__name__}"
        return self._kept[path][1]


def stamp(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file, or of all files of a folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of (str, int, int)
        Size in bytes, time in ns.

    Raises
    ------
    OSError
        If a file cannot be looked at.
    """
    inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return [(str(p), s.st_size, s.st_mtime_ns) for p in inside for s in [p.stat()]]


def units_of(
    sheet: Sheet, module: str, place: str, settings: Mapping[str, Any], digest: Digests
) -> Iterator[Unit]:
    """The units of a sheet, in its order.

    Parameters
    ----------
    sheet : Sheet
    module : str
        Name of the module whose `analyse` is called.
    place : str
        Folder of the sheet below that of the campaign.
    settings : mapping
        Of the analysis; samples that they name go with every unit.
    digest : Digests

    Yields
    ------
    Unit
        Last the rows without a sample, where one of them is to be analysed.
    """
    rows = [row for row in sheet.rows if row.role != "ignore" and (row.sample or not row.problems)]
    named = _words(settings) & {row.sample for row in rows}
    shared, own = {}, {}
    for at, row in enumerate(rows):
        if row.sample:
            own.setdefault(row.sample, {})[at] = row
        if not row.sample or row.role != "sample" or row.sample in named:
            shared[at] = row

    def unit(samples: tuple[str, ...], mine: Mapping[int, Row]) -> Unit:
        kept = tuple(mine[at] for at in sorted(mine))
        files = {row.file: digest(row.path) for row in kept if not row.problems}
        cut = replace(sheet, rows=kept, unlisted=(), messages=(), lines=())
        return Unit(module, cut, place, samples, settings, files)

    for samples in _together(rows):
        yield unit(samples, shared | {k: v for s in samples for k, v in own[s].items()})
    alone = {at: row for at, row in enumerate(rows) if not row.sample}
    if any(row.role == "sample" for row in alone.values()):
        yield unit((), alone)


def _together(rows: list[Row]) -> list[tuple[str, ...]]:
    """Samples in the order of the sheet, those that share a file together."""
    own = [row for row in rows if row.sample and row.role == "sample"]
    head = {row.sample: row.sample for row in own}

    def top(sample: str) -> str:
        while head[sample] != sample:
            sample = head[sample]
        return sample

    first: dict[Path, str] = {}
    for row in own:
        if not row.problems:
            head[top(row.sample)] = top(first.setdefault(row.path, row.sample))
    out: dict[str, list[str]] = {}
    for sample in head:
        out.setdefault(top(sample), []).append(sample)
    return [tuple(samples) for samples in out.values()]


def _words(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*map(_words, value.values())) if value else set()
    if isinstance(value, (list, tuple)):
        return set().union(*map(_words, value)) if value else set()
    return {value} if isinstance(value, str) else set()
