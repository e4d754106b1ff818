"""A report as PDF: a page a sample, a page for the batch."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from peled import figures
from peled.quantities import shown

from .parts import Panel, by_kind
from .text import NOTHING, as_text

if TYPE_CHECKING:
    from .groups import Summary
    from .report import Report

PAGE = (8.27, 11.69)  # A4, inch
PANELS = 6  # on a page
LINES, FULL = 22, 88  # of text on a quarter of a page, on a whole one
WIDTH = 118  # of a line, characters


def pages(report: Report) -> bytes:
    """A report as PDF: the same report gives the same bytes.

    Parameters
    ----------
    report : Report

    Returns
    -------
    bytes
    """
    stream = io.BytesIO()
    dates = {"CreationDate": None, "ModDate": None, "Title": f"{report.topic} report"}
    with mpl.rc_context():
        figures.use_style()
        with PdfPages(stream, metadata=dates) as pdf:
            for title, panels, text in chapters(report):
                if panels or text != NOTHING:
                    for page in _pages(title, panels, text):
                        _save(pdf, page)
            if not pdf.get_pagecount():
                _save(pdf, _page(f"{report.topic} report", [], [NOTHING]))
    return stream.getvalue()


def chapters(report: Report) -> Iterator[tuple[str, list[Panel], str]]:
    """Title, panels and text of each sample and of the batch.

    Parameters
    ----------
    report : Report

    Yields
    ------
    title : str
    panels : list of Panel
    text : str
    """
    panels = report.panels()
    for sample in report.samples:
        group = report.groups.get(sample, "")
        title = f"{sample} ({group})" if group else sample
        yield title, [p for p in panels if p.sample == sample], as_text(report.rows(sample), WIDTH)
    batch = [*(p for p in panels if not p.sample), *spreads(report)]
    yield f"{report.topic}: batch", batch, _batch_text(report)


def _save(pdf: PdfPages, page: Figure) -> None:
    """Laid out here, once: while a figure has a layout engine matplotlib draws it twice."""
    page.get_layout_engine().execute(page)
    page.set_layout_engine(None)
    pdf.savefig(page)


def _batch_text(report: Report) -> str:
    parts = [as_text(report.rows(""), WIDTH)] if report.select(sample="") else []
    if report.summaries:
        parts.append(as_text(report.group_rows(), WIDTH))
    parts += [str(c) for c in report.comparisons]
    parts += [f"Set aside: {p}" for p in by_kind(report.problems)]
    return "\n".join(parts) or NOTHING


def _pages(title: str, panels: Sequence[Panel], text: str) -> Iterator[Figure]:
    """As many pages as the pictures and the lines need; most samples need one."""
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH) or [""]]
    narrow = [panel for panel in panels if not panel.wide]
    chunks = [narrow[i : i + PANELS] for i in range(0, len(narrow), PANELS)]
    chunks += [[panel] for panel in panels if panel.wide]
    end = LINES * (4 - _rows(len(chunks[0]))[0]) if chunks else FULL
    for i, chunk in enumerate(chunks or [[]]):
        yield _page(title, chunk, [] if i else lines[:end])
    for first in range(end, len(lines), FULL):
        yield _page(title, [], lines[first : first + FULL])


def _rows(count: int) -> tuple[int, int]:
    """Rows and columns of so many panels on a page."""
    columns = 1 if count == 1 else 2
    return -(-count // columns), columns


def _page(title: str, panels: Sequence[Panel], lines: Sequence[str]) -> Figure:
    figure = Figure(figsize=PAGE, layout="constrained")
    figure.suptitle(title, fontsize=11)
    rows, columns = _rows(len(panels))
    top, bottom = figure.subfigures(2, 1, height_ratios=[rows + 0.01, 4 - rows])
    if panels:
        grid = top.subfigures(rows, columns, squeeze=False)
        for panel, place in zip(panels, grid.ravel()):
            draw(panel, place)
    bottom.text(0.04, 0.98, "\n".join(lines), family="monospace", size=7, va="top")
    return figure


def draw(panel: Panel, place) -> None:
    """A panel with its title into a figure or subfigure, or the reason why it cannot be.

    Parameters
    ----------
    panel : Panel
    place : Figure or SubFigure
    """
    try:
        panel.draw(place)
        for ax in place.axes:
            legend = ax.get_legend()
            if legend and len(legend.get_texts()) > 2 * figures.MOST:  # it would leave no axes
                figures.legend_above(ax)
        if panel.title:
            letters = int(place.bbox.width / place.dpi * 72 / 4.4)  # one is about 4.4 points wide
            place.suptitle(textwrap.fill(panel.title, letters), fontsize=8)
    except Exception as error:  # one picture that fails does not take the page with it
        place.clear()
        said = f"{panel.title or panel.name}: not drawn ({type(error).__name__}: {error})"
        place.text(0.5, 0.5, said, ha="center", va="center", wrap=True)


def spreads(report: Report) -> Iterator[Panel]:
    """Samples by group with the median, a picture a quantity that several groups have.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for (name, state, unit), found in itertools.groupby(
        report.summaries, key=lambda s: (s.name, s.state, s.unit)
    ):
        mine = [s for s in found if s.n]
        if len(mine) > 1:
            title = f"{name} ({state})" if state else name
            yield Panel(
                title, partial(_spread, mine, f"{name}, {unit}" if shown(unit) else name), "", title
            )


def _spread(summaries: Sequence[Summary], label: str, place) -> None:
    ax = place.subplots()
    for i, s in enumerate(summaries):
        aside = np.linspace(-0.12, 0.12, s.n) if s.n > 1 else np.zeros(1)
        ax.plot(i + aside, list(s.values.values()), "o", ms=3)
        if s.median is not None:
            ax.plot([i - 0.25, i + 0.25], [s.median] * 2, "k-", lw=1)
    ax.set_xticks(range(len(summaries)), [f"{s.group}\nn = {s.n}" for s in summaries])
    ax.set_xlim(-0.6, len(summaries) - 0.4)
    ax.set_ylabel(label)
