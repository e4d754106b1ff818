"""What the lab notebook on photoluminescence lets one try: the window a spectrum is measured in.

A drag over the spectrum measures the band again there, its baseline from outside, and centre,
width and area follow with their errors and reasons: the same function as in `analyse`.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from peled.conditioning import Signal
from peled.lab import Explorer
from peled.photoluminescence import measures
from peled.photoluminescence.reading import READERS
from peled.report import Report
from peled.samples import Held, Holdings, Sheet

SHOWN = ("PL peak", "PL centroid", "PL width", "PL area")
GREY, COLOUR = "0.65", "C1"


def signals(report: Report) -> list[tuple[str, Signal]]:
    """(sample, conditioned signal) of every spectrum and series.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Returns
    -------
    list of (str, Signal)
    """
    return [
        (name, one.signal)
        for name, found in report.found.items()
        for one in (*found.emission, *found.series, *found.absorption)
    ]


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
    report : Report
        Of that sheet, by `analyse`.

    Returns
    -------
    Explorer

    Raises
    ------
    LookupError
        If no sample has a spectrum with a band.
    """
    holdings = Holdings(sheet, READERS)
    bands = {
        name: held
        for name, found in report.found.items()
        for held in holdings.select(measurement="pl", sample=name, role="sample")
        if any(one.fit is not None and one.label == held.row.label for one in found.emission)
    }
    if not bands:
        raise LookupError("no sample has an emission spectrum: there is nothing to try")
    return Window(holdings, report, bands)


class Window(Explorer):
    """Drag over a spectrum: its band is measured there.

    Choices are `sample` and `emission_band_nm` (low, high, or None: by the data).
    """

    def __init__(self, holdings: Holdings, report: Report, bands: dict[str, Held]):
        self.holdings, self.report, self.bands = holdings, report, bands
        self.kept: dict[str, tuple[float, float]] = {}
        self.menus = {"sample": list(bands)}
        self.chosen = {"sample": next(iter(bands)), "emission_band_nm": None}
        self.figure = Figure(figsize=(5.2, 3.1), layout="constrained")
        ax = self.figure.subplots()
        self.spans = {"emission_band_nm": ax}
        (self.raw,) = ax.plot([], [], lw=0.7, color=GREY, label="as read")
        (self.after,) = ax.plot([], [], lw=0.9, color=COLOUR, label="less baseline")
        self.region = ax.axvspan(0, 0, color="tab:orange", alpha=0.2, lw=0, visible=False)
        ax.set(xlabel="wavelength (nm)", ylabel="PL (of the maximum)", ylim=(-0.1, 1.1))
        ax.legend(loc="upper right", fontsize=6)
        self.axes = ax
        self.said = self.figure.suptitle("\n\n\n", fontsize=7)

    @property
    def rows(self) -> list[dict[str, str]]:
        """A line of the sheet for each sample whose window was chosen."""
        return [
            {"sample": name, "measurement": "pl", "emission_band_nm": f"{low:.1f}-{high:.1f}"}
            for name, (low, high) in self.kept.items()
        ]

    def turned(self, name: str) -> None:
        """Another sample: its window as it was left.

        Parameters
        ----------
        name : str
            Of the choice that was made.
        """
        if name == "sample":
            self.chosen["emission_band_nm"] = self.kept.get(self.chosen["sample"])

    def update(self) -> None:
        """Measure again and move the artists; a few hundredths of a second."""
        sample, region = self.chosen["sample"], self.chosen["emission_band_nm"]
        held = self.bands[sample]
        if region is None:
            self.kept.pop(sample, None)
        else:
            self.kept[sample] = tuple(map(float, region))
            settings = {**held.row.settings, "emission_band_nm": self.kept[sample]}
            held = replace(held, row=replace(held.row, settings=settings))
        labels = {"sample": sample, "state": held.row.state}
        try:
            found = measures.emission(self.holdings, (held,), self.report.settings, labels)
        except ValueError as error:
            self.said.set_text(textwrap.fill(str(error), 90))
            return
        raw = held.data.values[0]
        top = float(np.nanmax(raw))
        self.raw.set_data(held.data.axis, raw / top)
        if found.fit is not None:
            self.after.set_data(found.fit.wavelength_nm, found.fit.counts / top)
        if region is not None:
            self.region.set_x(region[0])
            self.region.set_width(region[1] - region[0])
        self.region.set_visible(region is not None)
        self.axes.set_xlim(held.data.axis.min(), held.data.axis.max())
        shown = [q for q in found.quantities if q.name in SHOWN]
        lines = [f"{q.name} {q}" for q in shown if q.value is not None]
        if gone := [q for q in shown if q.value is None]:
            every = replace(gone[0], findings=tuple(f for q in gone for f in q.findings))
            lines.append(f"{', '.join(q.name for q in gone)} {every}")  # each reason once
        said = "; ".join(lines)
        said = said or "; ".join(found.problems)
        self.said.set_text(textwrap.fill(said, 90))
