"""Panels of a report on photoluminescence, labelled from the sample sheet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from peled.figures import MOST, colours_of, legend_above, plain, shades, thinned
from peled.lineshapes import HC_EV_NM
from peled.photoluminescence import plots
from peled.photoluminescence.lifetimes import preferred
from peled.report.parts import Panel

if TYPE_CHECKING:
    from peled.report import Report


def _title(sample: str, result, what: str) -> str:
    laser = f"excited at {result.excitation_nm:g} nm" if result.excitation_nm else ""
    said = dict.fromkeys([what, plain(result.state), laser])  # a state may be called what it is
    return f"{plain(sample)}: {', '.join(filter(None, said))}"


def absorption(report: Report) -> Iterator[Panel]:
    """Absorbance with Elliott's curve and Tauc's line, a panel a spectrum.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.absorption:
            yield Panel(
                "absorption", partial(_absorption, one), sample, _title(sample, one, "absorption")
            )


def _absorption(one, figure) -> None:
    ax = figure.subplots()
    ready = one.signal
    ax.plot(HC_EV_NM / ready.axis, ready.values[0], lw=0.9, color="0.5", label="measured")
    fit = one.fit.get("optical gap (Elliott)")
    if fit is not None:
        ax.plot(fit.energy_eV, fit.model, lw=0.9, label=f"Elliott, gap {fit.gap_eV:.3f} eV")
    tauc = one.fit.get("optical gap (Tauc)")
    if tauc is not None:
        ax.axvline(tauc.gap_eV, lw=0.7, ls=":", color="C1", label=f"Tauc, {tauc.gap_eV:.3f} eV")
    label = rf"$-\log_{{10}}$(1 $-$ {one.raw.of})" if one.raw.of else "Absorbance"
    ax.set(xlabel="Photon energy (eV)", ylabel=label)
    ax.legend()


def emission(report: Report) -> Iterator[Panel]:
    """Spectra of a sample, and of all samples together.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    every = []
    for sample, found in report.found.items():
        fitted = [one for one in found.emission if one.fit is not None]
        every += [(sample, one) for one in fitted]
        for one in fitted:
            yield Panel(
                "pl", partial(_emission, [(sample, one)]), sample, _title(sample, one, "PL")
            )
    if len(every) > 1:
        yield Panel("pl_all", partial(_emission, every), "", "PL of all samples")


def _emission(members, figure) -> None:
    ax = figure.subplots()
    top = max(np.nanmax(one.signal.values) for _, one in members)
    for (_, one), (colour, label) in zip(members, _told_apart(members)):
        ax.plot(one.signal.axis, one.signal.values[0] / top, lw=0.8, color=colour, label=label)
    ax.set(xlabel="Wavelength (nm)", ylabel="PL intensity (relative)")
    if len(members) > 1:
        legend_above(ax)
    else:
        ax.legend()


def _told_apart(members) -> list[tuple]:
    """Colour and label of each spectrum: one by one; of many, by sample, lighter to darker in the
    order of the sheet; of many samples, by that order, some of them named.
    """
    if len(members) <= MOST:
        colours = colours_of(map(str, range(len(members)))).values()
        short = len(members) <= MOST // 2  # with peaks, eight lines would take the axes' place
        return list(zip(colours, (_said(*member, peak=short) for member in members)))
    of: dict[str, list[int]] = {}
    for i, (sample, _) in enumerate(members):
        of.setdefault(sample, []).append(i)
    if 1 < len(of) <= MOST:
        told: list = [None] * len(members)
        for (sample, mine), colour in zip(of.items(), colours_of(of).values()):
            states = [plain(members[i][1].state) for i in (mine[0], mine[-1])]
            said = " to ".join(dict.fromkeys(filter(None, states)))
            for i, alpha in zip(mine, np.linspace(0.3, 1.0, len(mine)) if len(mine) > 1 else [1.0]):
                told[i] = (colour, alpha), None
            told[mine[-1]] = colour, ", ".join(filter(None, (plain(sample), said)))
        return told
    named = thinned(len(members))
    labels = [_said(*m, peak=False) if i in named else None for i, m in enumerate(members)]
    return list(zip(shades(len(members)), labels))


def _said(sample: str, one, *, peak: bool) -> str:
    (nm,) = (q.value for q in one.quantities if q.name == "PL peak")
    told = f"{nm:.1f} nm" if peak and nm is not None else ""  # one that is withheld is not written
    return ", ".join(filter(None, (plain(sample), plain(one.state), told)))


def yields(report: Report) -> Iterator[Panel]:
    """Runs of the sphere, and the yield against intensity; a single point is a panel too.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.yields:
            if not one.quantities:
                continue
            title = _title(sample, one, "quantum yield")
            draw = _runs if isinstance(one.raw, dict) else _yield_series
            yield Panel("plqy", partial(draw, one), sample, title)


def _runs(one, figure) -> None:
    ax = figure.subplots()
    for role, run in one.signal.items():
        ax.plot(run.axis, np.maximum(run.values[0], 1e-9), lw=0.8, label=role)
    top = max(np.nanmax(run.values) for run in one.signal.values())
    ax.set(xlabel="Wavelength (nm)", ylabel=next(iter(one.signal.values())).unit, yscale="log")
    ax.set_ylim(1e-5 * top, 2 * top)
    if one.fit.bands is not None:
        for band in (one.fit.bands.laser, one.fit.bands.emission):
            ax.axvspan(*band, color="0.92", zorder=0)
    found = one.quantities[0]
    ax.set_title("withheld" if found.value is None else f"{found}")
    ax.legend()


def _yield_series(one, figure) -> None:
    ax = figure.subplots()
    at = np.array([t.parameter if t.parameter is not None else i for i, t in enumerate(one.raw)])
    ax.errorbar(at, 100 * one.fit.plqy, 196 * one.fit.standard_error, fmt="o", ms=3)
    unit = one.raw[0].parameter_unit
    ax.set(xlabel=f"Excitation ({unit})" if unit else "Measurement", ylabel="PLQY (%)")
    if len(at) > 1 and at.min() > 0 and at.max() > 30 * at.min():
        ax.set_xscale("log")


def decays(report: Report) -> Iterator[Panel]:
    """Each decay with the preferred law.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.decays:
            title = _title(sample, one, "decay")
            yield Panel("trpl", partial(_decay, sample, one), sample, title)


def _decay(sample, one, figure) -> None:
    label, mean = plain(sample), one.quantities[0]
    said = {label: "lifetime withheld" if mean.value is None else f"{mean}"}
    plots.decays(figure.subplots(), {label: preferred(one.fit)}, one.raw[1], said=said)


def rates(report: Report) -> Iterator[Panel]:
    """All decays of a fluence series with the one model, and what it leaves.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.rates:
            title = _title(sample, one, "fluence series")
            yield Panel("trpl_fluence", partial(_rates, one), sample, title)


def _rates(one, figure) -> None:
    fit = next(iter(one.fit.values()))
    ax, rest = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for i, (transient, model) in enumerate(zip(fit.transients, fit.models)):
        step = max(1, model.size // 250)
        n = model.size // step * step
        time, counts, mean = (
            np.asarray(a, float)[:n].reshape(-1, step).mean(axis=1)
            for a in (transient.time_ns, transient.counts, model)
        )
        colour = f"C{i % 10}"
        ax.plot(time, np.maximum(counts, 0.1), ".", ms=1.2, color=colour, alpha=0.5)
        ax.plot(transient.time_ns, model, lw=0.9, color=colour, label=plain(transient.label))
        rest.plot(time, (counts - mean) / np.sqrt(mean / step), lw=0.5, color=colour)
    ax.set(yscale="log", ylabel="Counts")
    ax.set_ylim(bottom=max(0.3 * min(m.min() for m in fit.models), 0.1))
    legend_above(ax)
    rest.set(xlabel="Time (ns)", ylabel="Residual/σ", ylim=(-5, 5))


def series(report: Report) -> Iterator[Panel]:
    """Spectra of each series in time, and the course of the centroid and of a red share.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.series:
            title = _title(sample, one, "PL in time")
            if one.signal is not None and one.signal.used.any():
                yield Panel("pl_series", partial(_series, one), sample, title)
            if one.fit is not None:
                yield Panel("pl_course", partial(_course, one), sample, f"{title}: course")


def _series(one, figure) -> None:
    ax = figure.subplots()
    rows = np.flatnonzero(one.signal.used)
    rows = rows[thinned(rows.size)]
    for row, colour in zip(rows, shades(rows.size)):
        label = one.signal.label(row)
        ax.plot(one.signal.axis, one.signal.values[row], lw=0.8, color=colour, label=label)
    ax.set(xlabel="Wavelength (nm)", ylabel=f"PL ({plain(one.signal.unit)})")
    legend_above(ax)


def _course(one, figure) -> None:
    panels = figure.subplots(1 + one.fit.segregates, 1, sharex=True, squeeze=False)[:, 0]
    t, known = one.fit.time_s / 60, one.fit.known
    panels[0].errorbar(t, one.fit.centroid_nm, 1.96 * one.fit.centroid_error_nm, fmt="o", ms=2.5)
    panels[0].set(ylabel="Centroid\n(nm)", title=one.fit.account)
    for ax in panels[1:]:  # without a second band there is no share of it
        share, error = one.fit.fraction[known], one.fit.fraction_error[known]
        ax.errorbar(t[known], 100 * share, 196 * error, fmt="o", ms=2.5)
        ax.set(ylabel="Red share\n(%)")
    panels[-1].set(xlabel="Time (min)")


def images(report: Report) -> Iterator[Panel]:
    """Frames of each confocal series, the spots that were found in the first.

    Parameters
    ----------
    report : Report
        Of `analyse`.

    Yields
    ------
    Panel
    """
    for sample, found in report.found.items():
        for one in found.images:
            yield Panel("confocal", partial(_images, one), sample, _title(sample, one, "confocal"))


def _images(one, figure) -> None:
    plots.images(
        figure.subplots(1, min(3, len(one.raw.frames)), squeeze=False)[0], one.raw, one.fit
    )


DRAWERS = (absorption, emission, yields, decays, rates, series, images)
