"""What the lab notebook on structure lets one try: the window in which a signal is evaluated."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure

from peled.lab import Explorer, Prepared, Step
from peled.report import Report
from peled.samples import Held, Holdings, Sheet
from peled.structure import electrons, optical
from peled.structure.making import Bench
from peled.structure.rows import READERS
from peled.structure.windows import cut
from peled.structure.windows import signals as signals_of

#: What answers while the pointer waits; a whole pattern is fitted anew by `open_folder`.
TECHNIQUES = {
    "xps": electrons.levels,
    "ups": electrons.edges,
    "ftir": optical.bands,
    "absorption": optical.tails,
}
AXES = {
    "xps": "binding energy, as measured (eV)",
    "ups": "binding energy, as measured (eV)",
    "ftir": "wavenumber (cm⁻¹)",
    "absorption": "photon energy (eV)",
}
SAID = 4  #: quantities that are told


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what was done to its signals before or while they were fitted).

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of (str, Prepared)
    """
    out = []
    for sample, kept in report.found.items():
        steps = [s for word, found in kept.items() for s in _steps(word, found, report.settings)]
        out.append((sample, Prepared(sample, tuple(steps))))
    return out


def _steps(word: str, found: dict, settings) -> list[Step]:
    said = {
        "xrd": lambda f: f"zero {f.zero_deg:+.3f}°, background and lines fitted together",
        "tem": lambda o: (
            f"{len(o[1].particles)} outlined, {o[1].cut} cut by the border left out, "
            f"{o[1].odd} odd in shape"
        ),
        "hrtem": lambda o: f"transformed, {len(o[1])} spots above its noise",
        "xps": lambda r: (
            f"levels {r.shift.value_eV:+.2f} eV from where the table has them; "
            f"background {settings['background']}"
        ),
        "ups": lambda _: "edge fitted with its width",
        "ftir": lambda f: f"baseline subtracted, noise {np.median(f.noise):.2g}",
        "absorption": lambda o: (
            f"{o[0].window_eV[0]:.3f} to {o[0].window_eV[1]:.3f} eV, the "
            "window that the data choose"
        ),
        "icpms": lambda o: f"line through {len(o[0].concentrations)} standards",
    }[word]
    return [Step(label, said(one)) for label, one in found.items() if label != "sizes"]


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
    report : Report
        Its analysis.

    Returns
    -------
    Window

    Raises
    ------
    LookupError
        If there is no spectrum to draw a window on.
    """
    found = {}
    for held in Holdings(sheet, READERS):
        if held.row.role == "sample" and held.row.measurement in TECHNIQUES:
            found |= {name: (held, *curve) for name, curve in signals_of(held).items()}
    if not found:
        raise LookupError("no spectrum in this folder: there is no window to draw")
    return Window(found, report)


class Window(Explorer):
    """Drag over a spectrum: it is evaluated there. Choices are `signal` and `window` (low, high,
    or None: all of it)."""

    def __init__(self, found: dict[str, tuple[Held, np.ndarray, np.ndarray]], report: Report):
        self.found, self.report = found, report
        self.kept: dict[str, tuple[float, float]] = {}
        self.menus = {"signal": list(found)}
        self.chosen = {"signal": next(iter(found)), "window": None}
        self.figure = Figure(figsize=(7.0, 3.3), layout="constrained")
        ax = self.axes = self.figure.subplots()
        self.spans = {"window": ax}
        (self.curve,) = ax.plot([], [], lw=0.8, color="0.35")
        self.region = ax.axvspan(0, 0, color="tab:orange", alpha=0.2, lw=0, visible=False)
        ax.set_ylabel("signal")
        self.said = self.figure.suptitle("\n\n\n", fontsize=7)
        self.turned("signal")

    @property
    def settings(self) -> dict:
        """The windows, as a setting of the analysis."""
        return {"windows": {k: list(v) for k, v in self.kept.items()}} if self.kept else {}

    def turned(self, name: str) -> None:
        label, window = self.chosen["signal"], self.chosen["window"]
        if name == "window":
            self.kept.pop(label, None)
            if window is not None:
                self.kept[label] = tuple(sorted(map(float, window)))
            return
        self.chosen["window"] = self.kept.get(label)
        held, x, y = self.found[label]
        self.curve.set_data(x, y)
        word = held.row.measurement
        ends = (x.min(), x.max()) if word == "absorption" else (x.max(), x.min())
        shown = y[y > 0] if word == "absorption" else y
        self.axes.set_yscale("log" if word == "absorption" else "linear")
        self.axes.set(xlabel=AXES[word], xlim=ends)
        low, high = float(shown.min()), float(shown.max())
        room = 0.06 * (high - low)
        self.axes.set_ylim(
            *((low / 2, high * 2) if word == "absorption" else (low - room, high + room))
        )

    def update(self) -> None:
        """Evaluate the window and move the artists."""
        label = self.chosen["signal"]
        held = self.found[label][0]
        window = self.kept.get(label)
        self.region.set_visible(window is not None)
        if window is not None:
            self.region.set_x(window[0])
            self.region.set_width(window[1] - window[0])
        try:
            bench = Bench(held.row.sample, (cut(held, self.kept),), self.report.settings)
            TECHNIQUES[held.row.measurement](bench)
        except ValueError as error:
            self.said.set_text(textwrap.fill(str(error), 120))
            return
        told = sorted(bench.quantities, key=lambda q: q.value is None)
        lines = [line for q in told[:SAID] for line in textwrap.wrap(f"{q.name}: {q}", 120)[:1]]
        lines = lines or [str(p) for p in bench.problems]
        self.said.set_text("\n".join([label, *lines, "", "", "", ""][: SAID + 1]))
