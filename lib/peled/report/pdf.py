"""A report as PDF: a page a sample, a page for the batch."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from peled import figures

from .report import as_text

if TYPE_CHECKING:
    from .report import Panel, Report

PAGE = (8.27, 11.69)  # A4, inch
PANELS, LINES = 6, 46  # on a page


def pages(report: Report) -> bytes:
    """The PDF's bytes: the same report gives the same."""
    stream, panels = io.BytesIO(), report.panels()
    dates = {"CreationDate": None, "ModDate": None, "Title": f"{report.topic} report"}
    with mpl.rc_context():
        figures.use_style()
        with PdfPages(stream, metadata=dates) as pdf:
            for sample in report.samples:
                mine = [p for p in panels if p.sample == sample]
                group = report.groups.get(sample, "")
                title = f"{sample} ({group})" if group else sample
                for page in _pages(title, mine, as_text(report.rows(sample))):
                    pdf.savefig(page)
            batch = [p for p in panels if not p.sample] + [_spread(report)] * bool(report.summaries)
            for page in _pages(f"{report.topic}: batch", batch, _batch_text(report)):
                pdf.savefig(page)
    return stream.getvalue()


def _batch_text(report: Report) -> str:
    parts = [as_text(report.rows(""))] if report.select(sample="") else []
    if report.summaries:
        parts.append(as_text(report.group_rows()))
    parts += [str(c) for c in report.comparisons]
    parts += [f"Set aside: {p}" for p in report.problems]
    return "\n".join(parts) or "(nothing)"


def _pages(title: str, panels: Sequence[Panel], text: str) -> Iterator[Figure]:
    """As many pages as the pictures and the lines need; most samples need one."""
    lines = [part for line in text.splitlines() for part in _folded(line)]
    for first in range(0, max(len(panels), 1), PANELS):
        yield _page(title, panels[first : first + PANELS], lines[:LINES] if first == 0 else [])
    for first in range(LINES, len(lines), 2 * LINES):
        yield _page(title, [], lines[first : first + 2 * LINES])


def _folded(line: str, width: int = 118) -> list[str]:
    return [line[i : i + width] for i in range(0, len(line), width)] or [""]


def _page(title: str, panels: Sequence[Panel], lines: Sequence[str]) -> Figure:
    figure = Figure(figsize=PAGE, layout="constrained")
    figure.suptitle(title, fontsize=11)
    shares = [2.0 if panels else 0.02, 1.0 if lines else 0.02]
    top, bottom = figure.subfigures(2, 1, height_ratios=shares)
    if panels:
        columns = 1 if len(panels) == 1 else 2
        grid = top.subfigures(-(-len(panels) // columns), columns, squeeze=False)
        for panel, place in zip(panels, grid.ravel()):
            _draw(panel, place)
    bottom.text(0.04, 0.98, "\n".join(lines), family="monospace", size=5.8, va="top")
    return figure


def _draw(panel: Panel, place) -> None:
    try:
        panel.draw(place)
        if panel.title:
            place.suptitle(panel.title, fontsize=8)
    except Exception as error:  # one picture that fails does not take the page with it
        place.clear()
        said = f"{panel.title or panel.name}: not drawn ({type(error).__name__}: {error})"
        place.text(0.5, 0.5, said, ha="center", va="center", wrap=True)


def _spread(report: Report) -> Panel:
    """Every sample of every group, with the median, one axis a quantity."""
    from .report import Panel

    def draw(place) -> None:
        heads = list(dict.fromkeys((s.name, s.state, s.unit) for s in report.summaries))
        axes = np.ravel(place.subplots(1, len(heads), squeeze=False))
        for (name, state, unit), ax in zip(heads, axes):
            mine = [s for s in report.summaries if (s.name, s.state, s.unit) == (name, state, unit)]
            for i, s in enumerate(mine):
                values = np.array(list(s.values.values()))
                aside = np.linspace(-0.12, 0.12, s.n) if s.n > 1 else np.zeros(s.n)
                ax.plot(i + aside, values, "o", ms=3)
                if s.median is not None:
                    ax.plot([i - 0.25, i + 0.25], [s.median] * 2, "k-", lw=1)
            ax.set_xticks(range(len(mine)), [f"{s.group}\nn = {s.n}" for s in mine])
            ax.set_ylabel(f"{name}{f' ({state})' if state else ''}" + (f", {unit}" if unit else ""))

    return Panel("groups", draw, title="Samples by group; line: median")
