"""Drawings of devices. Every function takes results and a matplotlib Axes; nothing is computed here that is not drawn.

Mappings go from the label in the legend to what is drawn; `colours` from some of the labels to colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from peled.figures import COLOURS

#: Colours of samples in their order.
CYCLE = ("blue", "orange", "green", "pink", "amber", "sky", "brown", "grey")
LIGHT = {
    "luminance": "L (cd m$^{-2}$)",
    "photodiode": "photocurrent (A)",
    "radiance": "radiance (W sr$^{-1}$ m$^{-2}$)",
    "flux": "flux (W)",
}


def colours_of(names: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """A colour a name: the one given, else the next of `CYCLE`."""
    names = list(names)
    found = {n: COLOURS[CYCLE[i % len(CYCLE)]] for i, n in enumerate(names)}
    return found | {n: c for n, c in (given or {}).items() if n in found}


# ---- device characteristics ------------------------------------------------------------------------------------------


def current_and_luminance(
    ax, runs: Mapping, *, current: bool = True, light: bool = True, colours=None
) -> None:
    """J (filled) and light (open, right axis when both are drawn) of sweeps against V, logarithmic.

    Points in compliance or at a range step are crosses; light only where it is above its noise.
    """
    right = ax.twinx() if current and light else ax
    for (label, run), colour in zip(runs.items(), colours_of(runs, colours).values()):
        sweep = run.sweep
        v, j = sweep.voltage_V, sweep.current_density_mA_cm2
        if current:
            ok, bad = (j > 0) & sweep.good, (j > 0) & ~sweep.good
            ax.plot(v[ok], j[ok], "o", ms=1.8, color=colour, label=label)
            ax.plot(v[bad], j[bad], "x", ms=4, color="k")
        for name, channel in list(run.lights.items())[:1] if light else ():
            marks = {"ms": 2.2, "mfc": "none"} if current else {"ms": 1.8, "label": label}
            lit = channel.lit
            right.plot(v[lit], channel.values[lit], "^" if current else "o", mew=0.5, color=colour,
                       **marks)  # fmt: skip
            right.set_ylabel(LIGHT[name])
    ax.set(xlabel="voltage (V)", yscale="log")
    if current:
        ax.set(ylabel="J (mA cm$^{-2}$)")
    right.set(yscale="log")
    ax.legend(loc="lower right", frameon=False, fontsize=6)


def efficiency_curve(ax, curves: Mapping, *, colours=None) -> None:
    """EQE (%) against J with errors of the points."""
    for (label, curve), colour in zip(curves.items(), colours_of(curves, colours).values()):
        y, e = 100 * curve.eqe, 100 * curve.error
        _against_current(ax, curve.current_mA_cm2, y, e, label, colour)
    ax.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="EQE (%)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def _against_current(ax, j, y, e, label, colour) -> None:
    ok = np.isfinite(y) & (e < 0.5 * np.maximum(y, 1e-9))
    ax.errorbar(j[ok], y[ok], e[ok], fmt="o", ms=1.8, lw=0.5, color=colour, label=label)


def histogram(ax, groups: Mapping[str, Sequence[float]], label: str, colours=None) -> None:
    """One number of many devices by group, with the mean, its standard deviation, and the median."""
    every = np.concatenate([np.asarray(v, float) for v in groups.values()])
    step = max(np.ptp(every) / 9, 1e-9)
    edges = np.arange(np.floor(every.min() / step) * step, every.max() + 1.001 * step, step)
    top = 1
    for (group, values), colour in zip(groups.items(), colours_of(groups, colours).values()):
        v = np.asarray(values, float)
        counts, _ = np.histogram(v, edges)
        top = max(top, counts.max())
        said = f"{group}, n = {v.size}" if group else f"n = {v.size}"
        if v.size > 2:
            said += f": {v.mean():.3g} ± {v.std(ddof=1):.2g}, median {np.median(v):.3g}"
        ax.stairs(counts, edges, fill=True, color=colour, alpha=0.35, label=said)
        ax.axvline(v.mean(), color=colour, lw=0.8)
        ax.axvline(np.median(v), color=colour, lw=0.8, ls=":")
    ax.set(xlabel=label, ylabel="devices", ylim=(0, top * 1.6))
    ax.legend(frameon=False, fontsize=5.5, loc="upper left")


# ---- spectra ---------------------------------------------------------------------------------------------------------


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"
    return f"{value:.3g} {unit.replace('mA/cm2', 'mA cm$^{-2}$')}"


def spectra(
    ax, series, *, title: str = "", most: int = 7, labels: Sequence[str] | None = None
) -> None:
    """Normalised conditioned spectra of one series, light to dark, with a key of first to last."""
    s = series.signal
    used = np.flatnonzero(series.used)
    pick = used[np.unique(np.linspace(0, used.size - 1, min(most, used.size)).astype(int))]
    shades = plt.get_cmap("viridis_r")(np.linspace(0.15, 1.0, pick.size))
    unit = s.at_unit.replace("mA/cm2", "mA cm$^{-2}$")
    emitting = np.zeros(s.axis.size, bool)
    for k, shade in zip(pick, shades):
        y = s.values[k] / np.nanmax(s.values[k])
        text = labels[k] if labels else _shown(s.at[k], unit) if s.at is not None else ""
        ax.plot(s.axis, y, color=shade, lw=0.8, label=text)
        emitting |= np.convolve(np.nan_to_num(y), np.ones(9) / 9, "same") > 0.03
    low, high = (s.axis[emitting][[0, -1]] if emitting.any() else s.axis[[0, -1]]).tolist()
    margin = max(0.4 * (high - low), 20.0)
    ax.set(
        xlabel="wavelength (nm)",
        ylabel="normalised EL",
        ylim=(-0.05, 1.1),
        xlim=(max(s.axis[0], low - margin), min(s.axis[-1], high + 1.5 * margin)),
    )
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize=5.2, title=title or None, title_fontsize=6,
                  handlelength=1.2, loc="upper right", labelspacing=0.25)  # fmt: skip


def peak_course(
    ax,
    courses: Mapping[str, tuple],
    *,
    xlabel: str,
    ylabel: str = "EL peak (nm)",
    log: bool = False,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Peak (or width) against time or current, with errors; `courses` maps a label to (x, y, error)."""
    chosen = colours_of(courses, colours)
    for label, (x, y, e) in courses.items():
        ax.errorbar(x, y, e, fmt="o-", ms=2, lw=0.6, color=chosen[label], label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    low, high = ax.get_ylim()
    if high - low < 4:  # a shift of a tenth of a nanometre must not fill the panel
        ax.set_ylim((low + high) / 2 - 2, (low + high) / 2 + 2)
    ax.legend(frameon=False, fontsize=6)


# ---- lifetime and ceiling --------------------------------------------------------------------------------------------


def lifetimes(ax, logs: Mapping) -> None:
    """L/L0 against time; `logs` maps a label to (LifetimeLog, Crossing of one half)."""
    chosen = colours_of(logs)
    for label, (log, crossing) in logs.items():
        start = log.initial_luminance_cd_m2 or float(log.signal[0])
        after = log.time_s > 0  # a logarithmic axis has no place for zero
        minutes = log.time_s[after] / 60
        ax.plot(minutes, log.signal[after] / start, ".", ms=1.2, color=chosen[label])
        t50 = f"> {crossing.time:.0f}" if crossing.censored else f"= {crossing.time:.3g}"
        ax.plot([], [], "-", color=chosen[label], label=f"{label}: T50 {t50} min")
    ax.axhline(0.5, color="0.6", lw=0.6, ls=":")
    low = min((float(np.min(log.signal) / log.signal[0]) for log, _ in logs.values()), default=0.3)
    ax.set(xlabel="time (min)", ylabel="L / L$_0$", xscale="log", ylim=(min(low, 0.4) - 0.1, 1.05))
    ax.legend(frameon=False, fontsize=5.5, loc="lower left")
