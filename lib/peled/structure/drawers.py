"""Panels of a report on structure: what each measurement shows, labelled from the sample sheet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from peled.figures import plain
from peled.report.parts import Panel

if TYPE_CHECKING:
    from peled.report import Report


def _kept(report: Report, word: str) -> Iterator[tuple[str, str, object]]:
    for sample, kept in report.found.items():
        for label, one in kept.get(word, {}).items():
            yield sample, label, one


def patterns(report: Report) -> Iterator[Panel]:
    """Each powder pattern with its fit and what is left.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, label, fit in _kept(report, "xrd"):
        cells = (q.value for q in report.select(sample=sample, name="lattice constant"))
        draw = partial(_pattern, fit, fit.a_A in cells)
        yield Panel("xrd", draw, sample, f"{plain(label)}: powder pattern")


def _pattern(fit, told: bool, figure) -> None:
    """A cell that is withheld is not written beside the lines."""
    top, rest = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x = fit.two_theta_deg
    top.plot(x, fit.observed, ".", ms=1.5, color="0.5", rasterized=True)
    said = f"a = {fit.a_A:.4f} ± {fit.a_error_A:.4f} Å" if told else "fit"
    top.plot(x, fit.model, color="black", lw=0.7, label=said)
    top.plot(x, fit.background, color="0.3", lw=0.5, ls="--")
    top.legend()
    rest.plot(x, (fit.observed - fit.model) / fit.sigma, color="0.4", lw=0.4)
    top.set_ylabel("intensity")
    rest.set(xlabel="2θ (degrees)", ylabel="residual / σ")


def pictures(report: Report) -> Iterator[Panel]:
    """Micrographs with outlines, the distribution of edges, transforms with spots.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, label, one in _kept(report, "tem"):
        title = plain(label if label != "sizes" else sample)
        draw = _edges if label == "sizes" else _outlines
        yield Panel(draw.__name__[1:], partial(draw, one), sample, f"{title}: particles")
    for sample, label, one in _kept(report, "hrtem"):
        yield Panel("transform", partial(_transform, one), sample, f"{plain(label)}: lattice")


def _outlines(one, figure) -> None:
    from peled.structure import plots

    plots.micrograph(figure.subplots(), *one)


def _edges(distribution, figure) -> None:
    ax = figure.subplots()
    ax.hist(distribution.edges_nm, bins="auto", color="0.6")
    ax.axvline(distribution.mean_nm, color="black", lw=0.8)
    ax.set(xlabel="edge (nm)", ylabel="particles")


def _transform(one, figure) -> None:
    _, spots, power, step = one
    ax = figure.subplots()
    n = len(power)
    reach = 1.4 * max(1 / s.d_nm for s in spots)
    k = min(int(reach / step) + 1, n // 2 - 1)
    part = np.log(power[n // 2 - k : n // 2 + k + 1, n // 2 - k : n // 2 + k + 1] + 1e-30)
    ax.imshow(part, cmap="gray", extent=[-k * step, k * step, k * step, -k * step])
    for s in spots:
        ax.plot([s.fx, -s.fx], [s.fy, -s.fy], "o", mfc="none", ms=6, color="tab:orange")
    ax.set(xlabel="1/nm", ylabel="1/nm")


def levels(report: Report) -> Iterator[Panel]:
    """Each photoelectron region with its levels.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, _, one in _kept(report, "xps"):
        name = plain(one.spectrum.name)
        yield Panel("xps", partial(_level, one.fit), sample, f"{name}: levels")
    for sample, label, one in _kept(report, "ups"):
        yield Panel("ups", partial(_edge, *one), sample, f"{plain(sample)}: {label}")


def _level(fit, figure) -> None:
    ax = figure.subplots()
    ax.plot(fit.energy_eV, fit.counts, ".", ms=2, color="0.5")
    ax.plot(fit.energy_eV, fit.background, color="0.3", lw=0.5, ls="--")
    for name, part in zip(fit.names, fit.parts.T, strict=True):
        ax.plot(fit.energy_eV, fit.background + part, lw=0.8, label=name)
    ax.set(xlabel="binding energy, as measured (eV)", ylabel="counts")
    ax.invert_xaxis()
    ax.legend()


def _edge(spectrum, found, figure) -> None:
    ax = figure.subplots()
    ax.plot(spectrum.binding_energy_eV, spectrum.counts, ".", ms=2, color="0.5")
    ax.axvline(found.energy_eV, color="black", lw=0.7)
    ax.set(xlabel="binding energy, as measured (eV)", ylabel="counts")
    ax.invert_xaxis()


def spectra(report: Report) -> Iterator[Panel]:
    """Infrared spectra with their bands, tails below the gap, calibration lines.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
    """
    for sample, label, fit in _kept(report, "ftir"):
        yield Panel("ftir", partial(_infrared, fit), sample, f"{plain(label)}: infrared")
    for sample, label, one in _kept(report, "absorption"):
        yield Panel("tail", partial(_tail, *one), sample, f"{plain(label)}: sub-gap absorption")
    seen = set()
    for sample, label, (line, _) in _kept(report, "icpms"):
        if line.signals.tobytes() not in seen:
            seen.add(line.signals.tobytes())
            yield Panel("icpms", partial(_line, line), sample, f"{plain(label)}: calibration")


def _infrared(fit, figure) -> None:
    ax = figure.subplots()
    ax.plot(fit.wavenumber_cm1, fit.absorbance, lw=0.6, color="0.4")
    ax.plot(fit.wavenumber_cm1, fit.model, lw=0.6, color="black")
    above = max((band.height for band in fit.bands), default=1.0)
    apart, written = 0.03 * np.ptp(fit.wavenumber_cm1), []
    for band in sorted(fit.bands, key=lambda band: -band.height):
        near = any(abs(band.position_cm1 - at) < apart for at in written)
        if band.height > 0.15 * above and not near:
            written.append(band.position_cm1)
            ax.text(band.position_cm1, band.height + 0.03 * above, f"{band.position_cm1:.0f}",
                    rotation=90, size=5, ha="center", va="bottom")  # fmt: skip
    ax.set_ylim(top=1.35 * above)
    ax.set(xlabel="wavenumber (cm⁻¹)", ylabel="absorbance less baseline")
    ax.invert_xaxis()


def _tail(fit, data, figure) -> None:
    ax = figure.subplots()
    energy, values = data
    good = values > 0
    ax.semilogy(energy[good], values[good], ".", ms=2, color="0.5")
    ax.semilogy(*fit.curve.T, color="black", lw=0.7, label=f"{fit.energy_meV:.1f} meV")
    ax.set(xlabel="photon energy (eV)", ylabel="signal")
    ax.legend()


def _line(line, figure) -> None:
    ax = figure.subplots()
    ax.plot(line.concentrations, line.signals, "o", ms=3)
    x = np.array(line.range)
    ax.plot(x, line.intercept + line.slope * x, color="black", lw=0.7)
    ax.set(xlabel="concentration (µg/L)", ylabel="signal ratio")


DRAWERS = (patterns, pictures, levels, spectra)
