"""`Lab`: one folder of measurements from the first look to the files that are kept."""

from __future__ import annotations

import html
import importlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from peled.lab.live import Explorer
    from peled.report import Panel, Report
    from peled.samples import Sheet

PACKAGE = Path(__file__).resolve().parents[1]
FIRST_LOOK = 2  #: samples that `quick` draws
COLUMNS = 3  #: panels beside each other
SIZE = (2.6, 2.0)  #: of a panel in the notebook, inch


def topics() -> list[str]:
    """Topics that analyse a folder."""
    return sorted(path.parent.name for path in PACKAGE.glob("*/analyse.py"))


def open_folder(
    topic: str,
    data_dir: str | os.PathLike | None = None,
    *,
    samples: str | os.PathLike | None = None,
    results_dir: str | os.PathLike = "results",
    quick: bool = False,
    **settings: Any,
) -> Lab:
    """Read what lies in a folder; propose a sample sheet where there is none.

    Parameters
    ----------
    topic : str
        One of `topics()`.
    data_dir : path-like, optional
        The folder; relative paths count from the working directory. None: the small simulated
        example that comes with the package.
    samples : path-like, optional
        A sheet elsewhere, instead of the `samples.csv` in the folder.
    results_dir : path-like
        Where everything is written; nothing is written into the data.
    quick : bool
        A first look: pictures of two samples, and tables alone in the export.
    **settings
        Of the topic's analysis, such as `turn_on_cd_m2=1.0`; it refuses what it does not know.

    Returns
    -------
    Lab

    Raises
    ------
    ValueError
        For an unknown topic, a `results_dir` inside the data, or a sheet of which no
        row can be understood (`peled.samples.SheetError`).
    """
    from peled import figures
    from peled.samples import read_sheet

    if topic not in topics():
        raise ValueError(f"topic: expected one of {', '.join(topics())}, found {topic!r}")
    room = importlib.import_module(f"peled.{topic}.analyse")
    folder = PACKAGE / "examples" / topic if data_dir is None else Path(data_dir).expanduser()
    results = Path(results_dir).expanduser()
    if results.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"results_dir: expected a folder outside the data, found {results}")
    sheet = read_sheet(folder, topic, sniff=room.sniff, samples=samples)
    if sheet.source is None:
        sheet.write_proposal(results)
    figures.use_style()
    return Lab(sheet, room, results, quick, settings)


class Lab:
    """A folder on the desk. Made by `open_folder`."""

    def __init__(self, sheet: Sheet, room: ModuleType, results: Path, quick: bool,
                 settings: Mapping[str, Any]):  # fmt: skip
        self.sheet = sheet
        self.room = room
        self.results_dir = results
        self.quick = quick
        self.settings = dict(settings)
        self.explorer: Explorer | None = None
        self._others: dict[str, Explorer] = {}

    @property
    def topic(self) -> str:
        return self.sheet.topic

    @cached_property
    def report(self) -> Report:
        """All numbers of the folder, each with its error or a reason, and what was set aside."""
        return self.room.analyse(self.sheet, self.settings)

    @cached_property
    def _side(self) -> ModuleType:
        """What the topic adds to a lab notebook: its conditioned signals and its explorer."""
        return importlib.import_module(f"peled.{self.topic}.explore")

    # ---- looking -------------------------------------------------------------------------------

    def look(self) -> Shown:
        """What lies in the folder and as what it is taken; what is in no row of the sheet."""
        rows = [("file", "is", "remark"), *self.sheet.table()]
        notes = [str(message) for message in self.sheet.messages]
        if self.sheet.source is None:
            notes.append(
                "No samples.csv: the rows above are proposed, from the content and the names of "
                "the files, and what rests on names stays doubtful. Correct "
                f"{(self.results_dir / 'samples.proposed.csv').as_posix()} and save it beside the "
                "data as samples.csv."
            )
        return Shown(rows, notes)

    def conditioning(self, sample: str | None = None) -> Shown:
        """What was done to the signals of a sample before any analysis, in sentences and a picture.

        The sample with the first signal where none is named. The picture shows the strongest of the
        spectra before and after each step that changed it; a topic whose data are no such signals
        gives the sentences alone.

        Parameters
        ----------
        sample : str, optional

        Returns
        -------
        Shown
            One row a step; where there is no signal, a sentence that says so.
        """
        signals = self._side.signals(self.report)
        mine = [s for name, s in signals if sample in (None, name)][:1]
        if not mine:
            of = f" of {sample}" if sample else ""
            return Shown([("step", "what it did")], [f"There is no signal{of} to condition."])
        rows = [(step.name, step.sentence) for step in mine[0].steps]
        if not isinstance(mine[0], Prepared):
            self._draw_steps(mine[0])
        return Shown([("step", "what it did"), *rows], [mine[0].source])

    def _draw_steps(self, signal) -> None:
        import numpy as np
        from matplotlib.figure import Figure

        from peled.conditioning import changes, draw
        from peled.lab.live import show_picture

        if not signal.used.any():
            return
        row = int(np.nanargmax(np.nan_to_num(signal.values, nan=-np.inf).max(axis=1)))
        steps = [
            step for step, after in changes(signal)
            if not np.array_equal(step.before.values[row], after.values[row])
        ]  # fmt: skip
        signal, count = replace(signal, steps=tuple(steps)), len(steps)
        if not count:
            return
        figure = Figure(figsize=(SIZE[0] * max(count, 2), SIZE[1] * 1.1), layout="constrained")
        axes = figure.subplots(1, count, squeeze=False)[0]
        draw(signal, axes, row)
        top = np.nanmax(signal.values[row])
        for ax in axes:
            ax.set_ylim(-0.04 * top, 0.16 * top)  # a baseline is seen at the foot of a band
        figure.suptitle(f"{signal.label(row)}, the foot of the band", fontsize=7)
        show_picture(figure)

    # ---- pictures ------------------------------------------------------------------------------

    def panels(self) -> None:
        """Show all panels: a row of pictures for each sample, one for the batch."""
        from peled.lab.live import show_picture

        shown = self.report.samples[: FIRST_LOOK if self.quick else None]
        for sample in [*shown, ""]:
            mine = [p for p in self.report.panels() if p.sample == sample]
            narrow = [p for p in mine if not p.wide]
            for one in filter(None, (narrow, *([p] for p in mine if p.wide))):
                show_picture(_sheet_of(one, self._title(sample)))
        if len(shown) < len(self.report.samples):
            print(f"quick: {len(shown)} of {len(self.report.samples)} samples are drawn")

    def groups(self) -> Shown:
        """Statistics of the groups of the sheet and the test between them, with a picture."""
        from peled.lab.live import show_picture
        from peled.report.pdf import spreads

        if not self.report.summaries:
            note = "No groups: name them in the column group of the sheet."
            return Shown([("quantity", "group")], [note])
        found = list(spreads(self.report))
        if found:
            show_picture(_sheet_of(found, "by group, with the median", columns=4))
        return Shown(self.report.group_rows(), [str(c) for c in self.report.comparisons])

    def _title(self, sample: str) -> str:
        said = [sample or "batch", self.report.groups.get(sample, "")]
        kind = self._kind(sample)
        return ", ".join(filter(None, [*said, "" if kind == "measured" else kind]))

    def explore(self, what: str = "", **chosen: Any) -> None:
        """Choose with menus and pointer and see what it makes of the numbers.

        Parameters
        ----------
        what : str
            Another explorer of the topic, by its name: `stack` of LEDs, `recipe` of syntheses. Its
            choices touch neither sheet nor settings; `export` writes what it makes of them.
        **chosen
            What to begin with, as the topic's explorer names it. What is chosen last is written by
            `export`: as `samples.explored.csv`, the sheet with the choices as further lines, for
            `open_folder(..., samples=...)`; choices that are settings of the analysis, with those
            that the folder was opened with, as `settings.explored.json`, for
            `open_folder(..., **settings)`.
        """
        from peled.lab.live import show

        try:
            make = self._side.OTHERS[what] if what else self._side.explorer
            explorer = make(self.sheet, self.report)
        except LookupError as error:
            print(error)
            return
        if what:
            self._others[what] = explorer
        else:
            self.explorer = explorer
        if chosen:
            explorer.choose(**chosen)
        show(explorer)

    # ---- files ---------------------------------------------------------------------------------

    def export(self, *, slides: bool = False) -> list[Path]:
        """Write the report (CSV, JSON, PDF), every panel (PNG, SVG, sidecar), the choices, and what
        the topic keeps of its fits.

        Parameters
        ----------
        slides : bool
            The report as PowerPoint too, a slide a sample; needs the package python-pptx.

        Returns
        -------
        list of Path
            Every file written.

        Raises
        ------
        OSError
            If the results folder cannot be written.
        ImportError
            For slides without python-pptx.
        """
        from peled import figures
        from peled.files import to_json, write_atomically
        from peled.report.pdf import draw

        written = self.report.export(self.results_dir, pictures=not self.quick)
        if self.explorer and self.explorer.rows:
            text = "\ufeff" + self.sheet.with_lines(self.explorer.rows)
            path = self.results_dir / "samples.explored.csv"
            written.append(write_atomically(path, text.encode("utf-8", "replace")))
        if self.explorer and self.explorer.settings:
            path = self.results_dir / "settings.explored.json"
            session = {**self.settings, **self.explorer.settings}
            written.append(write_atomically(path, to_json(session)))
        for explorer in filter(None, (self.explorer, *self._others.values())):
            for name, content in explorer.files.items():
                written.append(write_atomically(self.results_dir / name, content))
        if slides:
            from peled.report.slides import slides as made

            path = self.results_dir / f"{self.topic}.pptx"
            written.append(write_atomically(path, made(self.report)))
        kept = getattr(self._side, "files", None)
        for name, content in () if kept is None or self.quick else kept(self.report):
            written.append(write_atomically(self.results_dir / "fits" / name, content))
        names: dict[str, int] = {}
        for panel in () if self.quick else self.report.panels():
            stem = re.sub(r"[^\w.-]+", "-", f"{panel.sample}_{panel.name}".strip("_"))
            names[stem] = names.get(stem, 0) + 1
            name = stem if names[stem] == 1 else f"{stem}_{names[stem]}"
            figure = figures.blank(panel.title)
            if panel.wide:
                figure.set_figwidth(SIZE[0] * COLUMNS)
            draw(replace(panel, title=""), figure)  # the title stands in the strip
            origin = figures.Provenance(
                name, self._kind(panel.sample), panel.title, self._inputs(panel.sample),
                parameters=self.settings,
            )  # fmt: skip
            written += figures.save(figure, self.results_dir / "panels", origin)
        return written

    def _rows(self, sample: str) -> list:
        rows = (row for row in self.sheet.rows if row.file in self.report.inputs)
        return [row for row in rows if not sample or row.sample in ("", sample)]

    def _kind(self, sample: str) -> str:
        from peled.sources import kind_of

        return (
            kind_of(*(row.path for row in self._rows(sample))) if self._rows(sample) else "measured"
        )

    def _inputs(self, sample: str) -> dict[str, str]:
        digests = self.report.inputs
        return {
            row.file: digests[row.file].removeprefix("sha256:") for row in self._rows(sample)
        }  # fmt: skip


def _sheet_of(panels: Sequence[Panel], title: str, columns: int = COLUMNS):
    """Panels beside and below each other on one figure."""
    from matplotlib.figure import Figure

    from peled.report.pdf import draw

    across = min(columns, max(len(panels), 2))
    columns = 1 if panels[0].wide else across
    rows = -(-len(panels) // columns)
    width = SIZE[0] * (COLUMNS if panels[0].wide else across)
    figure = Figure(figsize=(width, SIZE[1] * rows + 0.2), layout="constrained")
    figure.suptitle(title, fontsize=8)
    places = figure.subfigures(rows, columns, squeeze=False).ravel()
    for panel, place in zip(panels, places):
        draw(panel, place)
    return figure


class Step(NamedTuple):
    """One step before an analysis, and what it did."""

    name: str
    sentence: str


class Prepared(NamedTuple):
    """What was done to data that are no `peled.conditioning.Signal` before their analysis."""

    source: str
    steps: tuple[Step, ...]


class Shown:
    """A table with notes below it: text in a terminal, HTML in a notebook."""

    def __init__(self, rows: Iterable[tuple[str, ...]], notes: Iterable[str] = ()):
        self.rows = list(rows)
        self.notes = list(notes)

    def __repr__(self) -> str:
        from peled.report.text import as_text

        return "\n".join([as_text(self.rows), *self.notes])

    def _repr_html_(self) -> str:
        from peled.report.text import as_html

        return as_html(self.rows) + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
