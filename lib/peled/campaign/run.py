"""`Campaign`: a topic over all samples of all sheets below a folder, again and again if need be."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peled.campaign import overview, table
from peled.campaign.engines import Run
from peled.campaign.kept import AGAIN, Kept
from peled.campaign.units import Digests, Unit, sheets_below, units_of
from peled.samples import Sheet, SheetError, read_sheet

#: Number of units done, of all, and what was last done with its status.
Told = Callable[[int, int, str, str], None]
ROUNDS = 3  # for files that changed while they were read


@dataclass
class Campaign:
    """A topic, a folder of folders, and where the results lie.

    Parameters
    ----------
    topic : str
    folder : Path
        Every `samples.csv` in and below it counts; without any the folder's sheet is proposed.
    out : Path
        Outside the data.
    settings : mapping
        Of the topic's analysis.
    reports : bool
        Whether each unit gets its report (CSV, JSON, PDF) in `out/reports`.
    parquet : bool
    """

    topic: str
    folder: Path
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    reports: bool = False
    parquet: bool = False

    def __post_init__(self):
        self.digest = Digests()
        self.kept = Kept(self.out / "kept", self.digest)
        self.problems: list[tuple[str, str, str]] = []
        self._tried: Counter[str] = Counter()

    @property
    def module(self) -> str:
        """Of the topic's analysis."""
        return f"peled.{self.topic}.analyse"

    def units(self) -> list[Unit]:
        """What lies there now, in the order of folders and sheets; `problems` is of the same
        look."""
        found, self.problems = [], []
        places = sheets_below(self.folder)
        for folder in places:
            place = "" if folder == self.folder else folder.relative_to(self.folder).as_posix()
            inner = [p for p in places if p != folder and p.is_relative_to(folder)]
            try:
                sheet = self._sheet(folder, inner)
            except SheetError as error:
                self.problems.append((place, "samples.csv", str(error)))
                continue
            found += units_of(sheet, self.module, place, self.settings, self.digest)
            self.problems += [(place, "samples.csv", str(m)) for m in sheet.messages]
            self.problems += [(place, u.file, u.reason) for u in sheet.unlisted]
            aside = (r for r in sheet.rows if r.problems and r.role != "ignore")
            self.problems += [(place, row.label, "; ".join(row.problems)) for row in aside]
        return found

    def _sheet(self, folder: Path, inner: list[Path]) -> Sheet:
        """The sheet of a folder without what lies in a folder with a sheet of its own."""
        sniff = getattr(importlib.import_module(self.module), "sniff", None)
        sheet = read_sheet(folder, self.topic, sniff=sniff)
        if sheet.source is None:
            sheet.write_proposal(self.out)
        if not inner:
            return sheet
        rows = tuple(r for r in sheet.rows if not any(r.path.is_relative_to(p) for p in inner))
        left = (
            u for u in sheet.unlisted if not any((folder / u.file).is_relative_to(p) for p in inner)
        )
        return replace(sheet, rows=rows, unlisted=tuple(left))

    def todo(self, units: list[Unit]) -> list[Unit]:
        """Units of which nothing that holds is kept; what failed for no reason of its own is tried
        once in each process, what was lost with its worker twice.

        Parameters
        ----------
        units : list of Unit

        Returns
        -------
        list of Unit
            In the same order.
        """
        return [unit for unit in units if not self._done(unit)]

    def _done(self, unit: Unit) -> bool:
        record = self.kept.record(unit)
        if record is None:
            return False
        tries = 2 if record["status"] == "lost" else 1
        if record["status"] in AGAIN and self._tried[unit.key] < tries:
            return False
        return not (self.reports and record["status"] == "done") or self.report_of(unit).exists()

    def report_of(self, unit: Unit) -> Path:
        """The PDF of a unit; its folder carries a part of the key, so that it is never an old
        one.

        Parameters
        ----------
        unit : Unit

        Returns
        -------
        Path
            Whether there is a file or not.
        """
        return (
            self.out
            / "reports"
            / unit.place
            / f"{_name(unit)}-{unit.key[:8]}"
            / f"{self.topic}.pdf"
        )

    def analyse(self, run: Run, units: list[Unit], told: Told = lambda *_: None) -> None:
        """Have units analysed, and keep each as it comes.

        Parameters
        ----------
        run : callable
            Of an engine (`peled.campaign.engines`).
        units : list of Unit
        told : callable
            Called after each unit with the number done, of all, its label and its status.

        Raises
        ------
        EngineError
            If the engine is lost; what was kept stays.
        OSError
            If a record cannot be written.
        """
        by_key = {unit.key: unit for unit in units}
        for count, (key, answer) in enumerate(run(self._lines(units)), start=1):
            unit = by_key[key]
            self._tried[key] += 1
            self.kept.add(unit, answer)
            told(count, len(units), unit.label, answer["status"])

    def _lines(self, units: list[Unit]) -> Iterator[tuple[str, str]]:
        for unit in units:
            where = str(self.report_of(unit).parent.resolve()) if self.reports else ""
            yield unit.key, unit.line(report=where)

    def once(self, run: Run, told: Told = lambda *_: None) -> list[Unit]:
        """Analyse what is not kept, and look again for what changed meanwhile.

        Parameters
        ----------
        run : callable
            Of an engine (`peled.campaign.engines`).
        told : callable
            As for `analyse`.

        Returns
        -------
        list of Unit
            Those of the last look, for `write`.
        """
        for _ in range(ROUNDS):
            units = self.units()
            todo = self.todo(units)
            if not todo:
                break
            self.analyse(run, todo, told)
        self.kept.tidy({unit.key for unit in units})
        return units

    def watch(self, run: Run, told: Told = lambda *_: None) -> Iterator[int]:
        """Look again and again; yields after each look how many units it had analysed.

        A unit is analysed once its files are the same in two looks, and is left to a later one if
        they change while they are read.

        Parameters
        ----------
        run : callable
            Of an engine (`peled.campaign.engines`).
        told : callable
            As for `analyse`.

        Yields
        ------
        int
            Without an end; results are written first where it is not 0.
        """
        before: set[str] = set()
        while True:
            units = self.units()
            still = [unit for unit in units if unit.key in before]
            before = {unit.key for unit in units}
            todo = self.todo(still)
            self.analyse(run, todo, told)
            if todo:
                self.write(units)
            yield len(todo)

    def rows(self, units: list[Unit]) -> Iterator[dict[str, Any]]:
        """The rows of the table.

        Parameters
        ----------
        units : list of Unit

        Yields
        ------
        dict
            As `peled.campaign.table.rows_of` gives them.
        """
        for unit in units:
            yield from table.rows_of(unit, self.kept.record(unit))

    def write(self, units: list[Unit]) -> list[Path]:
        """Write the table, the problems and the overview.

        Parameters
        ----------
        units : list of Unit

        Returns
        -------
        list of Path
            JSON lines, CSV, Parquet if asked for, problems, HTML, PDF.

        Raises
        ------
        OSError
            If the results folder cannot be written.
        """
        stem = self.out / self.topic
        said = (name for u in units for s in u.samples for name in u.columns(s))
        columns = [name for name in dict.fromkeys(said) if name not in table.HEAD]
        gathered = overview.Gathered(columns)
        written = table.write(stem, gathered.passing(self.rows(units)), columns)
        if self.parquet:
            written.append(table.write_parquet(stem))
        written.append(
            table.write_problems(self.out / f"{self.topic}_problems.csv", self._aside(units))
        )
        links = {}
        for unit in units:
            if (pdf := self.report_of(unit)).exists():
                links |= {
                    (unit.place, s): pdf.relative_to(self.out).as_posix() for s in unit.samples
                }
        return written + overview.write(stem, self.topic, gathered, links)

    def _aside(self, units: list[Unit]) -> Iterator[tuple[str, str, str]]:
        yield from self.problems
        for unit in units:
            record = self.kept.record(unit) or {"problems": ()}
            yield from ((unit.place, where, reason) for where, reason in record["problems"])


def _name(unit: Unit) -> str:
    """Of the unit as a file."""
    text = "+".join(unit.samples) or "samples"
    return "".join(c if c.isalnum() or c in "._-+" else "-" for c in text)[:80]
