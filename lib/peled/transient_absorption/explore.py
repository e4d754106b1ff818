"""What the lab notebook on transient absorption lets one try: cuts through the map, the chirp,
delays and the number of components.

Every answer is a fit of the prepared set on about forty averaged wavelengths, as the search for the
number of components does; what is chosen goes as settings into `analyse`, which fits all of them.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from peled.figures import COLOURS
from peled.lab import Explorer, Prepared, Step
from peled.quantities import derive
from peled.report import Report
from peled.samples import Sheet
from peled.transient_absorption import export, plots, preprocess, workflow
from peled.transient_absorption.analyse import Analysed, coarse, said_of, value_of
from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import Matrix

DATA = "by the data"
LOOK, CHIRP, DROP, SCAN = "look", "move the chirp", "drop a delay", "drop a scan"
FIRST = "fit by the data"  #: beside what is chosen
LIVE = 25  #: evaluations of a fit while a person waits; what needs more is said not to converge
DRAWN = 160  #: wavelengths of the map at most: an answer draws it again
KNOTS = 3
SPECTRA = {"DADS": GlobalFit.dads, "EADS": GlobalFit.eads}  #: by decay, or state after state
# settings of each set that are chosen here, and what stands for none
_OF_SETS = {"components": 0, "drop_delays_ps": (), "drop_scans": (), "chirp_ps": ()}


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what was done to its sets).

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Returns
    -------
    list of (str, Prepared)
    """
    return [
        (
            sample,
            Prepared(
                sample,
                tuple(
                    Step(one.label, said)
                    for one in states.values()
                    for said in (*one.matrix.steps, *one.matrix.notes)
                ),
            ),
        )
        for sample, states in report.found.items()
    ]


def files(report: Report) -> Iterator[tuple[str, str | bytes]]:
    """What is kept of each fit: spectra, chirp-corrected map, record, and all as NetCDF.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    name : str
    content : str or bytes
    """
    for states in report.found.values():
        for one in states.values():
            yield from workflow.fit_files(one.label, one.fit, one.flat)
            yield f"{workflow.stem(one.label)}.nc", export.netcdf(one.fit)


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
        Not used: the report holds all that is drawn.
    report : Report
        Of `analyse`.

    Returns
    -------
    Explorer

    Raises
    ------
    LookupError
        If no set could be fitted.
    """
    every = [(sample, one) for sample, states in report.found.items() for one in states.values()]
    if not every:
        raise LookupError("no set could be fitted: there is nothing to try")
    said = {
        one.label: {name: said_of(report.settings[name], one.label, sample, empty)
                    for name, empty in _OF_SETS.items()}
        for sample, one in every
    }  # fmt: skip
    return Cuts({one.label: one for _, one in every}, said)


@dataclass
class _Choice:
    """What was chosen for one set."""

    components: str = DATA
    dropped: set[float] = field(default_factory=set)
    scans: set[int] = field(default_factory=set)  # dropped ones
    knots: np.ndarray | None = None  # (nm, ps)

    @property
    def settings(self) -> dict[str, Any]:
        """What differs from the analysis, by the name of the setting."""
        found = {
            "components": 0 if self.components == DATA else int(self.components),
            "drop_delays_ps": sorted(self.dropped),
            "drop_scans": sorted(self.scans),
            "chirp_ps": [] if self.knots is None else self.knots.tolist(),
        }
        return {name: said for name, said in found.items() if said}


class Cuts(Explorer):
    """A map with the spectrum and the trace under the pointer, their fit, its lifetimes and
    spectra, and the sizes of the single scans.

    Choices are `set`, `components` (their number, or by the data), `beside` (another set or the fit
    by the data, drawn in grey and dashed), `spectra` (of decays or of states that follow each
    other), `pointer` (what a click does), `point`: (ps, nm) on the map and `scan`: (number, size)
    among the scans. A click looks there, moves the nearest of three points of the chirp to that
    delay, or drops the nearest delay or scan and takes it back. `said` are the settings that each
    set was analysed with.
    """

    def __init__(self, sets: dict[str, Analysed], said: dict[str, dict[str, Any]]):
        self.sets, self.analysed_with = sets, said
        self.made = {label: _Choice() for label in sets}
        first = next(iter(sets))
        self.chosen = {
            "set": first, "components": DATA, "beside": "none", "spectra": "DADS", "pointer": LOOK,
            "point": None, "scan": None,
        }  # fmt: skip
        self.menus = {
            "set": list(sets),
            "components": [DATA, *map(str, range(1, 6))],
            "beside": ["none", FIRST, *sets],
            "spectra": list(SPECTRA),
            "pointer": [LOOK, CHIRP, DROP],
        }
        several = any(one.scans for one in sets.values())
        self.figure = Figure(figsize=(7.6, 5.2), layout="constrained")
        self.axes = self.figure.subplot_mosaic(
            [
                ["map", "scale", "spectrum"],
                ["map", "scale", "trace"],
                ["scans" if several else "map", "." if several else "scale", "decays"],
            ],
            width_ratios=(1, 0.03, 0.9),
        )
        self.points = {"point": self.axes["map"]}
        if several:
            self.menus["pointer"].append(SCAN)
            self.points["scan"] = self.axes["scans"]
        self._make_cuts()
        self.said = self.figure.suptitle("\n\n\n", fontsize=7)  # room for what will be said
        self.fits: dict[tuple, GlobalFit] = {}
        self.beside_of: Analysed | None = None
        self._turn_map()

    @property
    def moving(self) -> list[Artist]:
        made = self.lines["spectrum"], self.lines["trace"], *self.spectra, self.marks.values()
        legend = self.axes["spectrum"].get_legend()
        return [*itertools.chain(*made), legend, self.said]

    # ---- choices -------------------------------------------------------------------------------

    @property
    def one(self) -> Analysed:
        return self.sets[self.chosen["set"]]

    @property
    def other(self) -> Analysed | None:
        """What stands beside."""
        beside = self.chosen["beside"]
        return self.one if beside == FIRST else self.sets.get(beside)

    @property
    def choice(self) -> _Choice:
        return self.made[self.chosen["set"]]

    @property
    def follows(self) -> bool:
        return self.chosen["pointer"] not in (DROP, SCAN)

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {name: {} for name in _OF_SETS}
        for label, choice in self.made.items():
            for name, said in choice.settings.items():
                found[name][label] = said
        for name, chosen in found.items():  # what else the sets were analysed with stays
            for label, said in self.analysed_with.items() if chosen else ():
                before, now = said[name], chosen.get(label)
                if name.startswith("drop") and (before or now):
                    chosen[label] = sorted({*before, *(now or ())})
                elif before and now is None:
                    chosen[label] = before
        return {name: chosen for name, chosen in found.items() if chosen}

    def turned(self, name: str) -> None:
        """A set, a number of components, or a click: kept among what was chosen for the set.

        Parameters
        ----------
        name : str
            Of the choice that was made.
        """
        if name == "set":
            self.chosen["components"] = self.choice.components
            self._turn_map()
        elif name == "components":
            self.choice.components = self.chosen["components"]
        elif name == "point" and self.chosen["point"] is not None:
            ps, nm = self.chosen["point"]
            if self.chosen["pointer"] == LOOK:
                self.at = (ps, nm)
            elif self.chosen["pointer"] == CHIRP:
                self._move_chirp(ps, nm)
            elif self.chosen["pointer"] == DROP:
                near = float(
                    self.one.matrix.delay_ps[np.argmin(abs(self.one.matrix.delay_ps - ps))]
                )
                self.choice.dropped ^= {near}
            self.chosen["point"] = None  # the same place may be clicked again
        elif name == "scan" and self.chosen["scan"] is not None:
            if self.chosen["pointer"] == SCAN and self.one.scans:
                near = min(self.one.scans, key=lambda number: abs(number - self.chosen["scan"][0]))
                if self.choice.scans ^ {near} != set(self.one.scans):  # one is left
                    self.choice.scans ^= {near}
            self.chosen["scan"] = None

    def _move_chirp(self, ps: float, nm: float) -> None:
        m = self.one.matrix
        if m.rise.late:
            return
        if self.choice.knots is None:
            ends = m.wavelength_nm[[0, -1]] + np.array([0.05, -0.05]) * np.ptp(m.wavelength_nm)
            at = np.linspace(*ends, KNOTS)
            self.choice.knots = np.column_stack([at, workflow.fitted_chirp(self._fit())(at)])
        nearest = np.argmin(abs(self.choice.knots[:, 0] - nm))
        self.choice.knots = self.choice.knots.copy()
        self.choice.knots[nearest, 1] = ps

    # ---- answers -------------------------------------------------------------------------------

    def _fit(self) -> GlobalFit:
        """The set as chosen, fitted on few wavelengths; kept, as looking fits nothing anew."""
        choice, one = self.choice, self.one
        knots = None if choice.knots is None else choice.knots.tobytes()
        lost = tuple(sorted(choice.dropped)), tuple(sorted(choice.scans))
        key = (one.label, choice.components, lost, knots)
        if key not in self.fits:
            m = preprocess.drop_delays(self._of_scans(), sorted(choice.dropped))
            model = replace(one.fit.model, **one.fit.starts)
            tried = one.components.fits if one.components else ()
            if choice.components != DATA and int(choice.components) <= len(tried):
                model = replace(model, **tried[int(choice.components) - 1].starts)
            if choice.knots is not None:
                model = workflow.with_chirp(model, choice.knots)
            if choice.components != DATA:
                last = one.matrix.delay_ps[-1]
                model = workflow.with_components(model, int(choice.components), last)
            self.fits = {key: global_fit(m, model, starts=0, max_evaluations=LIVE)}
        return self.fits[key]

    def _of_scans(self) -> Matrix:
        """The set on averaged wavelengths without the scans that were dropped."""
        m, lost = coarse(self.one.matrix), self.choice.scans
        if not lost:
            return m
        kept = np.stack([scan for number, scan in self.one.scans.items() if number not in lost])
        there = np.isfinite(kept).any(axis=0) & np.isfinite(m.signal)
        number = np.maximum(np.isfinite(kept).sum(axis=0), 1)
        error, share = m.standard_error, len(self.one.scans) / len(kept)
        return replace(
            m,
            signal=np.where(there, np.nansum(kept, axis=0) / number, np.nan),
            standard_error=None if error is None else error * np.sqrt(share),
        )

    def _sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the scans and their size over that of their mean."""
        mean = np.nan_to_num(coarse(self.one.matrix).signal)
        sizes = [
            float(np.nansum(scan * mean) / np.sum(mean[np.isfinite(scan)] ** 2))
            for scan in self.one.scans.values()
        ]
        return np.array(list(self.one.scans)), np.array(sizes)

    def _make_cuts(self) -> None:
        grey, blue, orange = COLOURS["grey"], COLOURS["blue"], COLOURS["orange"]
        ax = self.axes
        self.lines = {}
        dots = {"marker": ".", "ms": 3, "ls": ""}
        for where, colour, style in (("spectrum", blue, {"lw": 0.8}), ("trace", orange, dots)):
            self.lines[where] = [
                ax[where].plot([], [], **style, color=grey)[0],  # the set beside, and below its fit
                ax[where].plot([], [], **style, color=colour, label="measured")[0],
                ax[where].plot([], [], "--", color="k", lw=0.8, label="fit")[0],
                ax[where].plot([], [], "--", color=grey, lw=0.8)[0],
            ]
            ax[where].axhline(0, color=grey, lw=0.5, zorder=0)
        ax["spectrum"].set_xlabel("Wavelength (nm)")
        ax["spectrum"].legend(handles=self.lines["spectrum"][1:3], fontsize=5.5, loc="best")
        ax["trace"].set_xlabel("Delay (ps)")
        ax["decays"].set_xlabel("Wavelength (nm)")
        ax["decays"].axhline(0, color=grey, lw=0.5, zorder=0)
        self.spectra = [  # of what stands beside, and of the fit
            [ax["decays"].plot([], [], style, color=COLOURS[name], lw=0.8)[0] for name in each]
            for style, each in (("--", plots.COMPONENTS), ("-", plots.COMPONENTS))
        ]

    def _turn_map(self) -> None:
        """The map of another set."""
        m = self.one.matrix
        ax = self.axes["map"]
        ax.clear()
        self.axes["scale"].clear()
        drawn = preprocess.bin_wavelengths(m, -(-len(m.wavelength_nm) // DRAWN))
        zero = self.one.fit.zero_ps
        plots.draw_map(ax, drawn, scale=self.axes["scale"], zero_ps=zero)
        size = np.nan_to_num(np.abs(m.signal))
        late = int(np.argmin(np.abs(m.delay_ps - 1.0)))
        self.at = (float(m.delay_ps[late]), float(m.wavelength_nm[np.argmax(size.mean(axis=0))]))
        self.marks = {
            "delay": ax.axvline(self.at[0], color=COLOURS["blue"], lw=0.8),
            "wavelength": ax.axhline(self.at[1], color=COLOURS["orange"], lw=0.8),
            "chirp": ax.plot([], [], color="k", lw=0.8)[0],
            "knots": ax.plot([], [], "o", color="k", ms=4)[0],
            "dropped": ax.plot([], [], "x", color="k", ms=4, clip_on=False)[0],
        }
        ax.set_autoscale_on(False)
        self.factor, label = plots.shown(m.unit)
        low, high = np.nanquantile(self.factor * m.signal, (0.001, 0.999))
        for where in ("spectrum", "trace"):
            self.axes[where].set_ylabel(label)
            self.axes[where].set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        for where in ("spectrum", "decays"):
            self.axes[where].set_xlim(m.wavelength_nm[0], m.wavelength_nm[-1])
        if "scans" in self.axes:
            scans = self.axes["scans"]
            scans.clear()
            scans.set_xlabel("Scan")
            scans.set_ylabel("Size over mean")
            numbers, sizes = self._sizes()
            scans.plot(numbers, sizes, "o", ms=3, color=COLOURS["blue"])
            self.marks["scans"] = scans.plot([], [], "x", ms=6, color="k")[0]
        plots.delay_axis(self.axes["trace"], m.delay_ps, zero)

    def update(self) -> None:
        """Fit where something was changed, and move the artists."""
        try:
            fit = self._fit()
        except ValueError as error:
            self.said.set_text(str(error))
            return
        m = self.one.matrix
        i = int(np.argmin(np.abs(m.delay_ps - self.at[0])))
        j = m.near(self.at[1])
        ps, nm = m.delay_ps[i], m.wavelength_nm[j]
        self._mark(fit, ps, nm)
        coarse, fitted = fit.matrices[0], self.factor * fit.fitted()
        kept = ~np.isin(m.delay_ps, list(self.choice.dropped))
        at = int(np.argmin(np.abs(coarse.delay_ps - ps)))
        spectrum, trace = self.lines["spectrum"], self.lines["trace"]
        spectrum[1].set_data(m.wavelength_nm, self.factor * m.signal[i])
        spectrum[2].set_data(coarse.wavelength_nm, fitted[at])
        trace[1].set_data(m.delay_ps[kept], self.factor * m.signal[kept, j])
        trace[2].set_data(coarse.delay_ps, fitted[:, coarse.near(nm)])
        self._beside(ps, nm)
        self._decays(fit)
        lines = self._sentences(fit, ps, nm)
        self.said.set_text("\n".join([*lines, "", "", ""][: max(4, len(lines))]))  # room for four

    def _mark(self, fit: GlobalFit, ps: float, nm: float) -> None:
        m, marks = self.one.matrix, self.marks
        marks["delay"].set_xdata([ps, ps])
        marks["wavelength"].set_ydata([nm, nm])
        w = m.wavelength_nm if fit.model.dispersion else np.zeros(0)
        marks["chirp"].set_data(workflow.fitted_chirp(fit)(w) if len(w) else w, w)
        knots = self.choice.knots
        marks["knots"].set_data(*([], []) if knots is None else knots.T[::-1])
        dropped = sorted(self.choice.dropped)
        if "scans" in self.axes:
            numbers, sizes = self._sizes()
            lost = np.isin(numbers, list(self.choice.scans))
            marks["scans"].set_data(numbers[lost], sizes[lost])
        marks["dropped"].set_data(dropped, [m.wavelength_nm[0]] * len(dropped))

    def _decays(self, fit: GlobalFit) -> None:
        """The spectra of the decays, and dashed those of what stands beside; drawn to another scale
        where they leave the axes or fill less than a third."""
        ax, drawn = self.axes["decays"], [0.0]
        ax.set_ylabel(plots.shown(self.one.matrix.unit, self.chosen["spectra"])[1])
        for shown, lines in zip((self.other and self.other.fit, fit), self.spectra, strict=True):
            spectra = SPECTRA[self.chosen["spectra"]](shown) if shown else None
            for i, line in enumerate(lines):
                line.set_data([], [])
                if shown and i < len(spectra.values):
                    y = self.factor * spectra.values[i]
                    line.set_data(spectra.wavelength_nm, y)
                    drawn += y[np.isfinite(y)].tolist()
        low, high = min(drawn), max(drawn)
        bottom, top = ax.get_ylim()
        if not (bottom <= low and high <= top and high - low > (top - bottom) / 3) and high > low:
            ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))

    def _beside(self, ps: float, nm: float) -> None:
        for where in ("spectrum", "trace"):
            for line in self.lines[where][::3]:
                line.set_data([], [])
        if self.other is None:
            return
        m, fitted = self.other.matrix, self._fitted_beside()
        i, j = int(np.argmin(np.abs(m.delay_ps - ps))), m.near(nm)
        for number, y in ((0, m.signal), (3, fitted)):
            if number or self.other is not self.one:
                self.lines["spectrum"][number].set_data(m.wavelength_nm, self.factor * y[i])
                self.lines["trace"][number].set_data(m.delay_ps, self.factor * y[:, j])

    def _fitted_beside(self) -> np.ndarray:
        """The fit of what stands beside, made once."""
        if self.beside_of is not self.other:
            self.beside_of, self.beside_fit = self.other, self.other.fit.fitted()
        return self.beside_fit

    def _sentences(self, fit: GlobalFit, ps: float, nm: float) -> list[str]:
        lines = [f"{self.one.label} at {ps:.4g} ps and {nm:.4g} nm"]
        shown = {"by the data": self.one.fit, "as chosen": fit}
        if self.other not in (None, self.one):
            shown[f"beside, {self.other.label}"] = self.other.fit
        for name, found in shown.items():
            if name == "as chosen" and not self.choice.settings:
                continue
            estimates = found.estimates()
            each = [
                derive("lifetime", "ps", value_of(f"tau_{i + 1}"), estimates)
                for i in range(found.model.components)
            ]
            taus = ", ".join(dict.fromkeys(str(q) for q in each))
            of = f"{len(found.matrices[0].wavelength_nm)} wavelengths"
            unit = {"OD": "mOD"}.get(self.one.matrix.unit, self.one.matrix.unit)
            size = f"{self.factor * found.rms:.3g} {unit}".rstrip()
            said = f"{name}: {taus}; residual {size} on {of}"
            lines += textwrap.wrap(said, 120)[:2]
        if self.chosen["beside"] != "none":
            lines[0] += f"; grey: {self.chosen['beside']}"
        if self.chosen["pointer"] == CHIRP and self.one.matrix.rise.late:
            lines.append("the delays begin after the rise: there is no chirp to move")
        return lines
