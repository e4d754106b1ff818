"""What the lab notebook on NMR lets one try: two regions drawn with the pointer, their ratio."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from peled.formats.nmr import Fid, read
from peled.lab import Explorer, Prepared, Step
from peled.nmr.analyse import Region, integrals
from peled.nmr.drawers import nucleus, thinned
from peled.nmr.processing import Phase, apply_phase, autophase, from_spectrum, process
from peled.nmr.reading import Seen
from peled.nmr.titration import bound_fractions, two_site
from peled.report import Report
from peled.samples import Sheet

FIRST, OTHER = "one", "other"
COLOURS = {FIRST: "tab:blue", OTHER: "tab:orange"}


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what was done to its spectra).

    Parameters
    ----------
    report : peled.report.Report

    Returns
    -------
    list of (str, Prepared)
    """
    return [
        (sample, Prepared(sample, tuple(s for seen, _ in tube.spectra for s in _steps(seen))))
        for sample, tube in report.found.items()
    ]


def _steps(seen: Seen) -> list[Step]:
    spectrum, name = seen.spectrum, seen.row.label
    phase = spectrum.phase
    turned = f"{phase.p0_deg:.1f}° and {phase.p1_deg:.1f}° over the width"
    told = f", from {phase.lines} lines that scatter by {phase.spread_deg:.1f}°"
    said = [f"window: exponential, {spectrum.line_broadening_Hz:g} Hz"] if spectrum.points else []
    said += [f"phase: {turned}{told if phase.lines else ''}"]
    if phase.aside:
        said.append("the largest line has a phase of its own and was left out of it")
    said += list(spectrum.notes)
    said += [f.evidence for f in (*seen.findings, *seen.scale)]
    said += [f"noise: {spectrum.noise_sd:.3g} a point, lines of it by its own correlation"]
    return [Step(name, one) for one in said]


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : peled.samples.Sheet
    report : peled.report.Report

    Returns
    -------
    Ratio

    Raises
    ------
    LookupError
        If no spectrum shows a line.
    """
    found = {
        seen.row.label: (seen, regions)
        for tube in report.found.values()
        for seen, regions in tube.spectra
        if regions
    }
    if not found:
        raise LookupError("no spectrum shows a line: there is nothing to try")
    return Ratio(found)


class Ratio(Explorer):
    """Drag over a spectrum: the integral of that region over the other one.

    Choices are `spectrum`, `region` (which of the two is drawn) and `region_ppm` (low, high, or
    None: what the analysis took).
    """

    def __init__(self, found: dict[str, tuple[Seen, tuple[Region, ...]]]):
        self.found = found
        self.kept: dict[str, dict[str, tuple[float, float]]] = {}
        self.menus = {"spectrum": list(found), "region": [FIRST, OTHER]}
        self.chosen = {"spectrum": next(iter(found)), "region": FIRST, "region_ppm": None}
        self.figure = Figure(figsize=(7.6, 3.3), layout="constrained")
        whole, *near = self.figure.subplot_mosaic(
            [["whole", "whole"], [FIRST, OTHER]], height_ratios=(1.4, 1)
        ).values()
        self.whole, self.near = whole, dict(zip((FIRST, OTHER), near, strict=True))
        self.spans = {"region_ppm": whole}
        self.curve = whole.plot([], [], lw=0.6, color="black")[0]
        self.marks, self.lines, self.sums = {}, {}, {}
        for name, ax in self.near.items():
            self.marks[name] = whole.axvspan(0, 0, color=COLOURS[name], alpha=0.25, lw=0)
            self.lines[name] = ax.plot([], [], lw=0.7, color="black")[0]
            self.sums[name] = ax.plot([], [], lw=1.0, color=COLOURS[name])[0]
            ax.set(yticks=[], ylim=(-0.1, 1.1), xlabel="ppm")
        whole.set(yticks=[], ylim=(-0.1, 1.1))
        self.said = self.figure.suptitle("\n\n", fontsize=7)
        self.turned("spectrum")

    @property
    def settings(self) -> dict:
        """The drawn regions of each spectrum; the first is what the others are over."""
        drawn = {label: {n: list(ends) for n, ends in self.ends(label).items()}
                 for label in self.kept}  # fmt: skip
        return {"regions_ppm": drawn} if drawn else {}

    def ends(self, label: str) -> dict[str, tuple[float, float]]:
        """Both regions of a spectrum; what nobody drew is as the analysis took it.

        Parameters
        ----------
        label : str
            Of the spectrum.

        Returns
        -------
        dict of str to (float, float)
            Low and high end by name of the region, ppm.
        """
        _, regions = self.found[label]
        own = [r for r in regions if not r.solvent] or list(regions)
        size = sorted(own, key=lambda r: -sum(line.area for line in r.lines))
        windows = [r.window for r in size] + [r.window for r in regions if r not in size]
        taken = {FIRST: windows[0], OTHER: windows[min(1, len(windows) - 1)]}
        return taken | self.kept.get(label, {})

    def turned(self, name: str) -> None:
        label, region = self.chosen["spectrum"], self.chosen["region"]
        if name == "region_ppm":
            if self.chosen["region_ppm"] is None:
                self.kept.get(label, {}).pop(region, None)
                if not self.kept.get(label, True):
                    self.kept.pop(label)
            else:
                low, high = sorted(map(float, self.chosen["region_ppm"]))
                self.kept.setdefault(label, {})[region] = (low, high)
            return
        self.chosen["region_ppm"] = self.kept.get(label, {}).get(region)
        if name == "spectrum":
            seen, _ = self.found[label]
            self.curve.set_data(*thinned(seen))
            self.whole.set_xlim(seen.spectrum.ppm[-1], seen.spectrum.ppm[0])
            self.whole.set_xlabel(f"{nucleus(seen)} chemical shift (ppm)")

    def update(self) -> None:
        """Integrate both regions and move the artists; a few hundredths of a second."""
        label = self.chosen["spectrum"]
        seen, _ = self.found[label]
        ends = self.ends(label)
        for name, (low, high) in ends.items():
            self.marks[name].set_x(low)
            self.marks[name].set_width(high - low)
            self._draw_near(seen, name, low, high)
        regions = [Region(name, (), window) for name, window in ends.items()]
        try:
            (ratio,) = integrals(seen, regions, 0, "")
            said = f"{label}: {ratio.name} {ratio}"
        except ValueError as error:
            said = str(error)
        self.said.set_text(textwrap.fill(said, 130) + "\n" * max(3 - len(said) // 130, 0))

    def _draw_near(self, seen: Seen, name: str, low: float, high: float) -> None:
        room = (high - low) / 2
        ppm, y = seen.spectrum.ppm, seen.spectrum.real
        part = slice(*np.searchsorted(ppm, (low - room, high + room)))
        x, y = ppm[part], y[part]
        inside = (x >= low) & (x <= high)
        if inside.sum() < 2:
            self.lines[name].set_data([], [])
            self.sums[name].set_data([], [])
            return
        self.lines[name].set_data(x, y / np.abs(y).max())
        running = np.cumsum(y[inside])
        self.sums[name].set_data(x[inside], running / np.abs(running).max())
        self.near[name].set_xlim(high + room, low - room)


# ---- views of the paper's notebook ---------------------------------------------------------------


def phase_view(path) -> Callable:
    """A drawing of one spectrum for given phases (relative to the automatic p0) and polynomial
    baseline.

    Parameters
    ----------
    path : path-like
        A spectrum or a decay.

    Returns
    -------
    callable
    """
    content = read(path)
    spectrum = (
        process(content, line_broadening_Hz=0.3 if content.nucleus == "1H" else 20.0, zero_fill=0)
        if isinstance(content, Fid)
        else from_spectrum(content)
    )
    automatic = autophase(spectrum)

    def draw(p0_deg: float, p1_deg: float, baseline_order: int) -> None:
        import matplotlib.pyplot as plt

        turned = apply_phase(spectrum, Phase(automatic.p0_deg + p0_deg, p1_deg))
        y = turned.real
        # Baseline through the points that do not stand out from the median.
        x = np.linspace(-1, 1, len(y))
        quiet = np.abs(y - np.median(y)) < 4 * turned.noise_sd
        if quiet.sum() > 50:
            y = y - np.polynomial.polynomial.polyval(
                x, np.polynomial.polynomial.polyfit(x[quiet][::4], y[quiet][::4], baseline_order)
            )
        _, ax = plt.subplots(figsize=(6.2, 2.2), layout="constrained")
        step = max(len(y) // 4000, 1)
        ax.plot(turned.ppm[::step], y[::step] / y.max(), lw=0.5)
        ax.set_xlim(turned.ppm[-1], turned.ppm[0])
        ax.set_ylim(-0.15, 0.5)
        ax.set_xlabel("chemical shift (ppm)")
        ax.set_yticks([])

    return draw


def exchange_view(
    *,
    ligand_M: float,
    log10_K: float,
    shift_Hz: float,
) -> Callable:
    """A drawing of one proton in exchange between free and bound ligand for given lead and rate.

    Parameters
    ----------
    ligand_M : float
        Its total concentration, mol/L.
    log10_K : float
        Of the association constant, L/mol.
    shift_Hz : float
        Of the bound from the free place.

    Returns
    -------
    callable
    """
    width_free_Hz, width_bound_Hz = 1.3, 5.0
    offset = np.linspace(-0.8 * shift_Hz, 1.8 * shift_Hz, 1200)

    def draw(lead_per_ligand: float, log10_k_off: float) -> None:
        import matplotlib.pyplot as plt

        fraction = float(
            bound_fractions(
                np.array([ligand_M]), np.array([ligand_M * lead_per_ligand]), [10**log10_K]
            )[0, 0]
        )
        k_ex = 10**log10_k_off / max(1 - fraction, 1e-9)
        _, ax = plt.subplots(figsize=(4.0, 2.2), layout="constrained")
        ax.plot(
            offset, two_site(offset, fraction, 0.0, shift_Hz, k_ex, width_free_Hz, width_bound_Hz)
        )
        ax.axvline(0, color="grey", lw=0.5, ls=":")
        ax.axvline(shift_Hz, color="grey", lw=0.5, ls=":")
        ax.set_xlabel("offset from the free ligand (Hz)")
        ax.set_yticks([])
        ax.set_title(
            f"{fraction:.0%} bound, k_ex / (2π Δν) = {k_ex / (2 * np.pi * shift_Hz):.2g}", size=6.5
        )
        ax.invert_xaxis()

    return draw
