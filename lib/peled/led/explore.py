"""What the lab notebook on LEDs lets one try: the region that a spectrum's baseline is taken from.

A drag over the foot of a band conditions the series again, and the EQE follows with its error, its
gates and its reasons: the same functions as in `analyse`, on one device.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from peled.conditioning import ConditioningError, Signal, condition
from peled.lab import Explorer
from peled.led import thinner
from peled.led.analyse import READERS, sweeps
from peled.led.device import Device
from peled.led.reading import Series
from peled.quantities import Quantity
from peled.report import Report
from peled.samples import Holdings, Sheet

#: Further explorers of `lab.explore`, by name.
OTHERS = {"stack": thinner.explorer}
FOOT = (-0.04, 0.16)  #: of the maximum: where a baseline is seen
GREY, COLOUR = "0.65", "C1"


def signals(report: Report) -> list[tuple[str, Signal]]:
    """(sample, conditioned signal) of every series.

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of (str, Signal)
    """
    return [(name, s.signal) for name, device in report.found.items() for s in device.series]


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
    report : Report
        Of its analysis.

    Returns
    -------
    Explorer

    Raises
    ------
    LookupError
        If no device has both a sweep with light and spectra of its own.
    """
    devices = {
        name: device
        for name, device in report.found.items()
        if any(run.lights for run in device.runs) and any(_placed(s) for s in device.series)
    }
    if not devices:
        raise LookupError("no device has a sweep with light and spectra: there is nothing to try")
    return Baseline(Holdings(sheet, READERS), report, devices)


def _placed(series: Series) -> bool:
    return series.axis != "time_s" and series.used.any()


class Baseline(Explorer):
    """Drag over the foot of a spectrum: its baseline is taken from there.

    Choices are `sample`, `spectrum` (which one is drawn) and `region_nm` (low, high, or None: where
    the data show no signal).
    """

    def __init__(self, holdings: Holdings, report: Report, devices: dict[str, Device]):
        self.holdings, self.report, self.devices = holdings, report, devices
        self.kept: dict[str, tuple[float, float]] = {}
        self.device = next(iter(devices.values()))
        self.chosen = {"sample": self.device.sample, "spectrum": "", "region_nm": None}
        self.menus = {"sample": list(devices), "spectrum": self._spectra()}
        self.chosen["spectrum"] = self.menus["spectrum"][-1]
        self.figure = Figure(figsize=(7.2, 3.1), layout="constrained")
        left, right = self.figure.subplots(1, 2)
        self.spans = {"region_nm": left}
        (self.raw,) = left.plot([], [], lw=0.7, color=GREY, label="as read")
        (self.line,) = left.plot([], [], lw=0.9, color="k", ls="--", label="baseline")
        (self.after,) = left.plot([], [], lw=0.9, color=COLOUR, label="less baseline")
        self.region = left.axvspan(0, 0, color="tab:orange", alpha=0.2, lw=0, visible=False)
        left.set(xlabel="wavelength (nm)", ylabel="EL (of the maximum)", ylim=FOOT)
        left.legend(loc="upper left", fontsize=6)
        (self.before,) = right.plot([], [], "o", ms=2, color=GREY, label="baseline by the data")
        (self.now,) = right.plot([], [], "o", ms=2, color=COLOUR, label="baseline chosen")
        right.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="EQE (%)")
        right.legend(fontsize=6)
        right.xaxis.set_major_formatter("{x:g}")
        for axes in (left, right):  # ticks are most of what an answer's picture costs
            axes.xaxis.set_minor_locator(NullLocator())
            axes.tick_params(which="both", top=False, right=False)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        left.xaxis.set_major_locator(MaxNLocator(5))
        self.axes = left, right
        self.said = self.figure.suptitle("\n\n\n", fontsize=7)  # room for what will be said

    # ---- choices -------------------------------------------------------------------------------

    def _series(self) -> list[Series]:
        return [s for s in self.device.series if _placed(s)]

    def _spectra(self) -> list[str]:
        return [
            s.signal.label(i) for s in self._series()[:1] for i in np.flatnonzero(s.used)
        ]  # fmt: skip

    @property
    def rows(self) -> list[dict[str, str]]:
        """A line of the sheet for each device whose region was chosen."""
        return [
            {
                "sample": name,
                "measurement": measurement,
                "baseline_nm": f"{low:.1f}-{high:.1f}",
            }
            for name, (low, high) in self.kept.items()
            for measurement in sorted(self._measurements(name))
        ]

    def _measurements(self, name: str) -> set[str]:
        of = {row.measurement for row in self.holdings.sheet.select(sample=name, role="sample")}
        return of & {"el", "el_series"}

    def turned(self, name: str) -> None:
        if name == "sample":
            self.device = self.devices[self.chosen["sample"]]
            self.menus["spectrum"] = self._spectra()
            self.chosen["spectrum"] = self.menus["spectrum"][-1]
            self.chosen["region_nm"] = self.kept.get(self.chosen["sample"])

    # ---- answers -------------------------------------------------------------------------------

    def update(self) -> None:
        """Condition, analyse and move the artists; a few hundredths of a second."""
        sample = self.chosen["sample"]
        region = self.chosen["region_nm"]
        if region is None:
            self.kept.pop(sample, None)
        else:
            self.kept[sample] = tuple(map(float, region))
        first = self._series()[0]
        try:
            series = [_with_region(s, region) for s in self._series()]
        except ConditioningError as error:
            self.said.set_text(str(error))
            return
        quantities, curves = self._analysed(series)
        self._draw_spectrum(first, series[0], region)
        self._draw_curves(curves)
        before = [q for q in self.report.select(sample=sample) if q.name.startswith("peak EQE")]
        lost = [
            f"{f.where}: {f.evidence}" for s in series for f in s.signal.findings
            if f.status == "withheld" and f.where == self.chosen["spectrum"]
        ]  # fmt: skip
        self.said.set_text(_sentence(before, quantities, region, lost))

    def _analysed(self, series: list[Series]):
        device = replace(self.device, series=tuple(series))
        others = [s for d in self.report.found.values() if d is not self.device for s in d.series]
        settings = self.report.settings
        return sweeps(self.holdings, device, [*series, *others], settings, [])

    def _draw_spectrum(self, first: Series, series: Series, region) -> None:
        labels = [first.signal.label(i) for i in range(len(first.signal.values))]
        row = labels.index(self.chosen["spectrum"])
        step = next(s for s in series.signal.steps if s.name == "baseline")
        raw, x = step.before.values[row], first.signal.axis
        after = _after(series.signal, step)[row]
        top = np.nanmax(raw)
        self.raw.set_data(x, raw / top)
        self.line.set_data(x, (raw - after) / top)
        self.after.set_data(x, after / top)
        if region is not None:
            self.region.set_x(region[0])
            self.region.set_width(region[1] - region[0])
        self.region.set_visible(region is not None)
        self.axes[0].set_xlim(x[0], x[-1])

    def _draw_curves(self, curves) -> None:
        place = next((key for key, c in self.device.curves.items()), None)
        for artist, found in ((self.before, self.device.curves), (self.now, curves)):
            curve = found.get(place)
            lit = np.isfinite(curve.eqe) if curve else np.zeros(0, bool)
            x, y = (curve.current_mA_cm2, 100 * curve.eqe) if curve else (np.zeros(0), np.zeros(0))
            artist.set_data(x[lit], y[lit])
        self.axes[1].relim()
        self.axes[1].autoscale_view()
        self.axes[1].set_ylim(bottom=0)


def _with_region(series: Series, region: tuple[float, float] | None) -> Series:
    """The series conditioned again, its baseline from a region."""
    steps = [
        (name, {**{k: v for k, v in said.items() if k != "region_nm"},
                **({"region_nm": region} if region and name == "baseline" else {})})
        for name, said in series.plan
    ]  # fmt: skip
    return replace(series, plan=steps, signal=condition(series.raw, steps, series.companions))


def _after(signal: Signal, step) -> np.ndarray:
    """Values right after a step, before later steps set spectra aside."""
    later = signal.steps[signal.steps.index(step) + 1 :]
    return later[0].before.values if later else signal.values


def _sentence(before: list[Quantity], now: list[Quantity], region, lost: list[str]) -> str:
    """Peak EQE as it was and as it is, with what speaks against it."""
    where = "by the data" if region is None else f"from {region[0]:.0f} to {region[1]:.0f} nm"
    lines = []
    for q in now:
        if not q.name.startswith("peak EQE"):
            continue
        old = next((b for b in before if (b.name, b.state) == (q.name, q.state)), None)
        said = f"{q.name}, baseline {where}: {q}"
        if region is not None and old is not None:
            said += f"; by the data: {old}"
        lines.append(said)
        if q.value is not None and q.findings:
            lines.append(q.reasons)
    return "\n".join(part for line in lines + lost for part in textwrap.wrap(line, 130))
