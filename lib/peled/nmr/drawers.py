"""Panels of a report on NMR: spectra with the lines that are there, courses with their fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from peled.figures import plain
from peled.report.parts import Panel

if TYPE_CHECKING:
    from peled.report import Report

POINTS = 6000  #: of a drawn spectrum; more cannot be told apart


def spectra(report: Report) -> Iterator[Panel]:
    """Each spectrum, its signals named and their windows shaded.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, tube in report.found.items():
        for seen, regions in tube.spectra:
            said = ", ".join(filter(None, (seen.row.measurement, seen.row.state)))
            title = plain(f"{sample}: {said}")
            draw = partial(_spectrum, seen, regions)
            yield Panel("spectrum", draw, sample, title, wide=True)


def thinned(seen):
    """Shift and height over the largest, of each block its extremes: no sharp line is lost.

    Parameters
    ----------
    seen : Seen

    Returns
    -------
    ppm, height : ndarray, shape (n,)
    """
    ppm, y = seen.spectrum.ppm, seen.spectrum.real
    top = float(np.abs(y).max())
    block = max(len(y) // POINTS, 1)
    if block > 1:
        cut = len(y) // block * block
        rows = y[:cut].reshape(-1, block)
        y = np.column_stack([rows.min(axis=1), rows.max(axis=1)]).ravel()
        ppm = np.repeat(ppm[:cut:block], 2)
    return ppm, y / top


def _spectrum(seen, regions, figure) -> None:
    ax = figure.subplots()
    ax.plot(*thinned(seen), lw=0.6, color="black")
    label = ax.get_xaxis_transform()
    for region in regions:
        colour = "0.7" if region.solvent else "tab:orange"
        ax.axvspan(*region.window, color=colour, alpha=0.25, lw=0)
        for line in region.lines:
            ax.axvline(line.position_ppm, ymin=0.94, color="tab:red", lw=0.6)
        if region.name:
            at = region.strongest.position_ppm
            ax.annotate(plain(region.name), (at, 0.92), xycoords=label, xytext=(4, 0),
                        textcoords="offset points", rotation=90, size=5, ha="center",
                        va="top")  # fmt: skip
    if not regions:
        ax.text(0.5, 0.9, "no line above the noise", transform=ax.transAxes, ha="center", size=6)
    ax.set_xlim(seen.spectrum.ppm[-1], seen.spectrum.ppm[0])
    ax.set_ylim(top=1.25)
    ax.set_xlabel(f"{nucleus(seen)} chemical shift (ppm)")
    ax.set_yticks([])


def nucleus(seen) -> str:
    """The nucleus as it is written, mass number raised.

    Parameters
    ----------
    seen : Seen

    Returns
    -------
    str
        For matplotlib: "$^{13}$C".
    """
    return re.sub(r"^(\d+)", r"$^{\1}$", seen.spectrum.nucleus)


def courses(report: Report) -> Iterator[Panel]:
    """Signals against contact or relaxation time, or b of gradients, all lines of a sample
    together.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, tube in report.found.items():
        for word, unit, factor in (("time", "ms", 1e3), ("b", "s/m²", 1.0)):
            kept = [
                one for series in tube.series for one in series.courses
                if (series.seen.row.measurement == "dosy") == (word == "b")
            ]  # fmt: skip
            if kept:
                title = plain(f"{sample}: signal against {word}")
                draw = partial(_courses, kept, f"{word} ({unit})", factor)
                yield Panel("course", draw, sample, title)


def _courses(kept, axis: str, factor: float, figure) -> None:
    ax = figure.subplots()
    for label, course in kept:
        scale, x = np.abs(course.signal).max() or 1.0, course.time_s * factor
        drawn = ax.errorbar(x, course.signal / scale, course.error / scale, fmt="o", ms=2)
        colour = drawn.lines[0].get_color()
        ax.plot(x, course.model / scale, color=colour, lw=0.8, label=plain(label))
    least = min(c.time_s[c.time_s > 0].min() for _, c in kept)
    ax.set_xscale("symlog", linthresh=max(least * factor, 1e-6))
    ax.set_xlabel(axis)
    ax.set_ylabel("signal (norm.)")
    ax.legend(fontsize=5)


DRAWERS = (spectra, courses)
