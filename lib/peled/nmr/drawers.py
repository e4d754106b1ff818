"""Panels of a report on NMR: spectra with the lines that are there, courses with their fits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from peled.report.report import Panel

if TYPE_CHECKING:
    from peled.report import Report

POINTS = 6000  #: of a drawn spectrum; more cannot be told apart


def plain(text: str) -> str:
    """A name that matplotlib draws as it stands, without mathematics."""
    return text.replace("$", r"\$")


def spectra(report: Report) -> Iterator[Panel]:
    """Each spectrum, its lines marked."""
    for sample, tube in report.found.items():
        for seen, lines in tube.spectra:
            said = ", ".join(filter(None, (seen.row.measurement, seen.row.state)))
            title = plain(f"{sample}: {said}")
            yield Panel("spectrum", partial(_spectrum, seen, lines), sample, title)


def _spectrum(seen, lines, figure) -> None:
    ax = figure.subplots()
    ppm, y = seen.spectrum.ppm, seen.spectrum.real
    block = max(len(y) // POINTS, 1)
    if block > 1:  # of each block its extremes, so that no sharp line is lost
        cut = len(y) // block * block
        rows = y[:cut].reshape(-1, block)
        y = np.column_stack([rows.min(axis=1), rows.max(axis=1)]).ravel()
        ppm = np.repeat(ppm[:cut:block], 2)
    ax.plot(ppm, y / np.abs(y).max(), lw=0.6, color="black")
    for line in lines:
        ax.axvline(line.position_ppm, ymin=0.94, color="tab:red", lw=0.8)
    if not lines:
        ax.text(0.5, 0.9, "no line above the noise", transform=ax.transAxes, ha="center", size=6)
    ax.set_xlim(seen.spectrum.ppm[-1], seen.spectrum.ppm[0])
    ax.set_xlabel(f"{seen.spectrum.nucleus} chemical shift (ppm)")
    ax.set_yticks([])


def courses(report: Report) -> Iterator[Panel]:
    """Signals against contact or relaxation time, all lines of a sample together."""
    for sample, tube in report.found.items():
        if tube.courses:
            title = plain(f"{sample}: signal against time")
            yield Panel("course", partial(_courses, tube), sample, title)


def _courses(tube, figure) -> None:
    ax = figure.subplots()
    for label, course in tube.courses:
        scale = np.abs(course.signal).max() or 1.0
        drawn = ax.errorbar(
            course.time_s * 1e3, course.signal / scale, course.error / scale, fmt="o", ms=2
        )
        colour = drawn.lines[0].get_color()
        ax.plot(course.time_s * 1e3, course.model / scale, color=colour, lw=0.8, label=plain(label))
    ax.set_xscale(
        "symlog",
        linthresh=max(min(c.time_s[c.time_s > 0].min() for _, c in tube.courses) * 1e3, 1e-6),
    )
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("signal (norm.)")
    ax.legend(fontsize=5)


DRAWERS = (spectra, courses)
