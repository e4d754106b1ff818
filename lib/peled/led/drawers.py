"""Panels of a report on LEDs: what each device and series shows, labelled from the sample sheet.

Names go into titles and legends as they stand in the sheet; `_` and `$` are no markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from peled.figures import CYCLE, legend_above, plain
from peled.led import plots
from peled.led.device import Device
from peled.report.parts import Panel

if TYPE_CHECKING:
    from peled.report import Report


def devices(report: Report) -> Iterator[Panel]:
    """J-V-L and EQE of each device.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `jvl`, `eqe`.
    """
    for sample, device in report.found.items():
        if device.runs:
            yield Panel("jvl", partial(_jvl, device), sample, f"{plain(sample)}: J (filled), light")
        if any(curve.peak for curve in device.curves.values()):
            yield Panel("eqe", partial(_eqe, device), sample, f"{plain(sample)}: efficiency")


def stacks(report: Report) -> Iterator[Panel]:
    """What each layer's thickness does to the outcoupling.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `stack`, for devices whose slopes were calculated.
    """
    for sample, device in report.found.items():
        if device.slopes:
            title = f"{plain(sample)}: outcoupling"
            yield Panel("stack", partial(_stack, device), sample, title)


def _stack(device: Device, figure) -> None:
    each = device.slopes
    ax = figure.subplots()
    per_tenth = [100 * v * 0.1 * device.stack[name].thickness_nm for name, v in each.items()]
    ax.barh(range(len(each)), per_tenth, height=0.6)
    ax.axvline(0, color="k", lw=0.5)
    ax.set_yticks(range(len(each)), [plain(name) for name in each])
    ax.set(xlabel="Change of outcoupling (% absolute)\nwith 10 % more thickness")


def _label(device: Device, index: int, route: str = "") -> str:
    run = device.runs[index]
    said = (run.row.state, run.sweep.direction, route if route != "luminance" else "")
    return plain(", ".join(filter(None, said)))


def _jvl(device: Device, figure) -> None:
    runs = {_label(device, i): run for i, run in enumerate(device.runs)}
    plots.current_and_luminance(figure.subplots(), runs)


def _eqe(device: Device, figure) -> None:
    curves = {_label(device, *key): c for key, c in device.curves.items() if c.peak}
    plots.efficiency_curve(figure.subplots(), curves)


def series(report: Report) -> Iterator[Panel]:
    """Spectra of each series, and the course of its peak where there are several.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `el`, `el_course`.
    """
    for sample, device in report.found.items():
        for one in device.series:
            if not one.used.any():
                continue
            said = ", ".join(filter(None, (one.state, AXES.get(one.axis, ""))))
            title = f"{plain(sample)}: EL {said}".rstrip()
            yield Panel("el", partial(_spectra, one), sample, title)
            followed = device.followed.get((one.state, one.label))
            if one.axis and followed is not None and followed.parameter.size > 2:
                yield Panel("el_course", partial(_course, one, followed), sample, f"{title}: peak")


AXES = {"bias_V": "against bias", "current_mA_cm2": "against current", "time_s": "with time"}
_X = {"bias_V": "bias (V)", "current_mA_cm2": "J (mA cm$^{-2}$)", "time_s": "time (min)"}


def _spectra(one, figure) -> None:
    ax = figure.subplots()
    plots.spectra(ax, one)
    if ax.get_legend():
        legend_above(ax)


def _course(one, followed, figure) -> None:
    x = followed.parameter / (60 if one.axis == "time_s" else 1)
    course = {plain(one.sample): (x, followed.peak_nm, followed.peak_error)}
    log = one.axis == "current_mA_cm2"
    ax = figure.subplots()
    plots.peak_course(ax, course, xlabel=_X[one.axis], log=log)
    legend_above(ax)


def lifetimes(report: Report) -> Iterator[Panel]:
    """All logs of a device in one panel.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `lifetime`.
    """
    for sample, device in report.found.items():
        if device.lifetimes:
            title = f"{plain(sample)}: lifetime"
            yield Panel("lifetime", partial(_lifetimes, device), sample, title)


def _lifetimes(device: Device, figure) -> None:
    logs = {}
    for row, log, crossing in device.lifetimes:
        drive = row.settings.get("current_mA_cm2", log.current_density_mA_cm2)
        said = (row.state, f"{drive:g} mA cm$^{{-2}}$" if drive else "")
        label = ", ".join(filter(None, said)) or plain(row.file)
        logs[label if label not in logs else plain(row.file)] = (log, crossing)
    plots.lifetimes(figure.subplots(), logs)


def batch(report: Report) -> Iterator[Panel]:
    """EQE of all devices together, and the distribution of its peak.

    Parameters
    ----------
    report : Report

    Yields
    ------
    Panel
        `all`, from two devices with an EQE; `histogram`, from five.
    """
    curves = {
        plain(sample): next((c for c in device.curves.values() if c.peak), None)
        for sample, device in report.found.items()
    }
    curves = {label: c for label, c in curves.items() if c}
    if len(curves) > 1:
        yield Panel("all", partial(_together, curves), "", "EQE of all devices")
    groups: dict[str, dict[str, float]] = {}
    for q in report.select(name="peak EQE"):
        if q.value is not None:
            groups.setdefault(report.groups.get(q.sample, ""), {})[q.sample] = q.value
    if sum(map(len, groups.values())) > 4:
        values = {plain(g): list(v.values()) for g, v in groups.items()}
        yield Panel("histogram", partial(_histogram, values), "", "peak EQE")


def _together(curves, figure) -> None:
    ax = figure.subplots()
    plots.efficiency_curve(ax, curves)
    if len(curves) > len(CYCLE):
        ax.get_legend().remove()


def _histogram(values, figure) -> None:
    plots.histogram(figure.subplots(), values, "peak EQE (%)")


DRAWERS = (devices, series, lifetimes, batch, stacks)
