"""Drawings of devices. Every function takes results and a matplotlib Axes; nothing is computed here that is not drawn.

Mappings go from the label in the legend to what is drawn; `colours` from some of the labels to colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from peled.figures import COLOURS
from peled.led.ceiling import Stack

#: Colours of samples in their order.
CYCLE = ("blue", "orange", "green", "pink", "amber", "sky", "brown", "grey")
LAYER_COLOURS = {
    "glass": "#E8F1F5",
    "ITO": "#B9D3E0",
    "PEDOT:PSS": "#8FA8C8",
    "poly-TPD": "#C9B6D9",
    "TFB": "#E3CFE8",
    "nanocrystals": "#E4572E",
    "TPBi": "#B7D8B0",
    "LiF": "#F5E6A8",
    "Al": "#9C9C9C",
}
LIGHT = {
    "luminance": "L (cd m$^{-2}$)",
    "photodiode": "photocurrent (A)",
    "radiance": "radiance (W sr$^{-1}$ m$^{-2}$)",
    "flux": "flux (W)",
}
CHANNELS = {
    "air_bottom": ("air", "amber"),
    "substrate": ("glass", "sky"),
    "guided": ("guided", "green"),
    "plasmon": ("plasmon", "pink"),
    "absorbed": ("absorbed", "grey"),
}


def colours_of(names: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """A colour a name: the one given, else the next of `CYCLE`."""
    names = list(names)
    found = {n: COLOURS[CYCLE[i % len(CYCLE)]] for i, n in enumerate(names)}
    return found | {n: c for n, c in (given or {}).items() if n in found}


# ---- schematics --------------------------------------------------------------------------------------------------------


def stack_to_scale(
    ax, stack: Stack, *, other_emitter_nm: float | None = None, thickness_known: bool = True
) -> None:
    """Layers to scale from the anode up (glass cut off), with names and thicknesses; layers thinner than 4 nm as a line."""
    bottom, labels = 0.0, []
    layers = stack.layers[1:]
    for layer in layers:
        height = layer.thickness_nm if thickness_known else 40.0
        ax.add_patch(
            Rectangle(
                (0, bottom),
                1,
                height,
                facecolor=LAYER_COLOURS.get(layer.name, "0.85"),
                edgecolor="0.3",
                lw=0.4,
            )
        )
        assumed = layer.thickness_source.startswith("assumed")
        text = layer.name + (
            f", {layer.thickness_nm:g} nm{' (assumed)' if assumed else ''}"
            if thickness_known
            else ""
        )
        if layer.role == "emitter" and other_emitter_nm:
            text += f"; Methods: {other_emitter_nm:g} nm"
        labels.append((bottom + height / 2, text))
        bottom += height
    ax.add_patch(
        Rectangle(
            (0, -0.06 * bottom),
            1,
            0.06 * bottom,
            facecolor=LAYER_COLOURS["glass"],
            edgecolor="0.3",
            lw=0.4,
        )
    )
    labels.insert(0, (-0.03 * bottom, "glass"))
    places = _spread([y for y, _ in labels], 0.075 * bottom)
    for (y, text), place in zip(labels, places, strict=True):
        ax.plot([1.0, 1.06, 1.12], [y, place, place], color="0.4", lw=0.5)
        ax.text(1.14, place, text, va="center", fontsize=6)
    ax.annotate(
        "",
        (0.5, -0.24 * bottom),
        (0.5, -0.07 * bottom),
        arrowprops={
            "arrowstyle": "->",
            "color": COLOURS["orange"],
            "lw": 1.2,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
    ax.text(0.56, -0.17 * bottom, "light", fontsize=6, color=COLOURS["orange"], va="center")
    if thickness_known:
        ax.plot([-0.08, -0.08], [0, 50], color="k", lw=1)
        ax.text(-0.11, 25, "50 nm", rotation=90, ha="right", va="center", fontsize=6)
    ax.set(xlim=(-0.3, 3.3), ylim=(-0.25 * bottom, bottom * 1.03))
    ax.set_axis_off()


def _spread(values: Sequence[float], least: float) -> np.ndarray:
    """Move label positions apart to a least distance, keeping their order and their mean."""
    y = np.array(values, float)
    for _ in range(500):
        gap = np.diff(y)
        tight = gap < least
        if not tight.any():
            break
        push = 0.25 * (least - gap) * tight
        y[:-1] -= push
        y[1:] += push
    return y


def level_diagram(ax, levels: Sequence[Mapping]) -> None:
    """Energy levels against vacuum: bars for bands, lines for work functions."""
    for i, level in enumerate(levels):
        colour = LAYER_COLOURS.get(
            str(level["name"]).split("/")[-1], LAYER_COLOURS.get(level["name"], "0.85")
        )
        if "work_function_eV" in level:
            ax.plot([i - 0.38, i + 0.38], [-level["work_function_eV"]] * 2, color="k", lw=1.6)
            ax.text(
                i,
                -level["work_function_eV"] - 0.08,
                f"{level['work_function_eV']:.1f}",
                ha="center",
                va="top",
                fontsize=6,
            )
        else:
            ax.add_patch(
                Rectangle(
                    (i - 0.38, -level["lower_eV"]),
                    0.76,
                    level["lower_eV"] - level["upper_eV"],
                    facecolor=colour,
                    edgecolor="k",
                    lw=0.5,
                )
            )
            ax.text(
                i,
                -level["upper_eV"] + 0.06,
                f"{level['upper_eV']:.1f}",
                ha="center",
                va="bottom",
                fontsize=6,
            )
            ax.text(
                i,
                -level["lower_eV"] - 0.08,
                f"{level['lower_eV']:.1f}",
                ha="center",
                va="top",
                fontsize=6,
            )
    ax.set(
        xticks=range(len(levels)),
        xlim=(-0.6, len(levels) - 0.4),
        ylim=(-6.8, -1.9),
        ylabel="energy from vacuum (eV)",
    )
    ax.set_xticklabels([level["name"] for level in levels], fontsize=5.5, rotation=30, ha="right")


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


def jv_fits(ax, runs: Mapping, fits: Mapping, model, colours=None) -> None:
    """Fitted J-V models as lines into a J-V panel."""
    for label, colour in colours_of(runs, colours).items():
        if label in fits:
            v = np.linspace(0.05, runs[label].sweep.voltage_V.max(), 200)
            ax.plot(v, model(v, fits[label].values), "-", lw=0.7, color=colour)


def efficiency_curve(
    ax, curves: Mapping, *, published: Sequence[tuple[float, float]] = (), colours=None
) -> None:
    """EQE (%) against J with errors of the points; printed points as stars."""
    for (label, curve), colour in zip(curves.items(), colours_of(curves, colours).values()):
        y, e = 100 * curve.eqe, 100 * curve.error
        _against_current(ax, curve.current_mA_cm2, y, e, label, colour)
    if len(published):
        x, y = np.array(published).T
        ax.plot(x, y, "*", ms=6, mfc="white", mec="k", mew=0.6, label="printed (ED Fig. 8)")
    ax.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="EQE (%)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def current_efficiency(ax, runs: Mapping, colours=None) -> None:
    """cd/A against J."""
    for (label, run), colour in zip(runs.items(), colours_of(runs, colours).values()):
        light, j = run.lights["luminance"], run.sweep.current_density_mA_cm2
        y, e = (np.where(light.lit, x, np.nan) / (10 * j) for x in (light.values, light.error()))
        _against_current(ax, j, y, e, label, colour)
    ax.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="luminous efficiency (cd A$^{-1}$)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def _against_current(ax, j, y, e, label, colour) -> None:
    ok = np.isfinite(y) & (e < 0.5 * np.maximum(y, 1e-9))
    ax.errorbar(j[ok], y[ok], e[ok], fmt="o", ms=1.8, lw=0.5, color=colour, label=label)


def device_table(ax, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Numbers of devices: a column a device, label -> {quantity: value}."""
    ax.set_axis_off()
    heads = list(dict.fromkeys(name for rows in columns.values() for name in rows))
    drawn = ax.table(
        [[rows.get(head, "") for rows in columns.values()] for head in heads],
        rowLabels=heads,
        colLabels=list(columns),
        loc="center",
        cellLoc="center",
        bbox=(0.34, 0.02, 0.66, 0.96),
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6)
    for cell in drawn.get_celld().values():
        cell.set_linewidth(0.3)


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


def drive_and_rest(axes, drive: tuple, rest: tuple, fit: tuple | None, colour: str) -> None:
    """Peak under drive (left, min) and at rest (right, h), one scale."""
    for ax, (x, y, e), xlabel in zip(
        axes, (drive, rest), ("driven (min)", "at rest (h)"), strict=True
    ):
        ax.errorbar(x, y, e, fmt="o", ms=2.2, lw=0.6, color=colour)
        ax.set(xlabel=xlabel)
    if fit is not None:
        axes[1].plot(*fit, "-", lw=0.8, color="k")
    axes[1].axvline(6, color="0.6", lw=0.6, ls=":")
    axes[0].set(ylabel="EL peak (nm)")
    both = np.concatenate([drive[1], rest[1]])
    middle, half = (both.min() + both.max()) / 2, max(np.ptp(both) * 0.6, 2.0)
    for ax in axes:
        ax.set_ylim(middle - half, middle + half)
    axes[1].tick_params(labelleft=False)


# ---- lifetime and ceiling --------------------------------------------------------------------------------------------


def lifetimes(ax, logs: Mapping, fits: Mapping | None = None, model=None) -> None:
    """L/L0 against time; `logs` maps a label to (LifetimeLog, Crossing of one half)."""
    chosen = colours_of(logs)
    for label, (log, crossing) in logs.items():
        start = log.initial_luminance_cd_m2 or float(log.signal[0])
        after = log.time_s > 0  # a logarithmic axis has no place for zero
        minutes = log.time_s[after] / 60
        ax.plot(minutes, log.signal[after] / start, ".", ms=1.2, color=chosen[label])
        t50 = f"> {crossing.time:.0f}" if crossing.censored else f"= {crossing.time:.3g}"
        ax.plot([], [], "-", color=chosen[label], label=f"{label}: T50 {t50} min")
        if fits:
            shape = model(minutes, np.nan_to_num(fits[label].values, nan=1.0)) / start
            ax.plot(minutes, shape, "-", lw=0.8, color=chosen[label])
    ax.axhline(0.5, color="0.6", lw=0.6, ls=":")
    low = min((float(np.min(log.signal) / log.signal[0]) for log, _ in logs.values()), default=0.3)
    ax.set(xlabel="time (min)", ylabel="L / L$_0$", xscale="log", ylim=(min(low, 0.4) - 0.1, 1.05))
    ax.legend(frameon=False, fontsize=5.5, loc="lower left")


def loss_channels(ax, thickness_nm, emission, xlabel: str, *, mark: Sequence[float] = ()) -> None:
    """Where the photons go, stacked, against a thickness."""
    shares = [
        np.broadcast_to(getattr(emission, channel), np.shape(thickness_nm)) * 100
        for channel in CHANNELS
    ]
    ax.stackplot(
        thickness_nm,
        shares,
        labels=[text for text, _ in CHANNELS.values()],
        colors=[COLOURS[c] for _, c in CHANNELS.values()],
        alpha=0.85,
        lw=0,
    )
    for x in mark:
        ax.axvline(x, color="k", lw=0.7, ls=":")
    ax.set(
        xlabel=xlabel,
        ylabel="share of photons (%)",
        xlim=(np.min(thickness_nm), np.max(thickness_nm)),
        ylim=(0, 100),
    )
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], frameon=True, fontsize=5.5, loc="upper right")


def ceilings(ax, found, printed: Mapping[str, float]) -> None:
    """Outcoupling by assumption, as a list of points, with the values that the paper's numbers stand for."""
    labels = [label for label, _ in found.table]
    values = 100 * np.array([value for _, value in found.table])
    y = np.arange(len(labels))[::-1]
    ax.plot(values, y, "o", ms=3, color=COLOURS["blue"])
    ax.plot(values[0], y[0], "o", ms=4, color=COLOURS["orange"])
    for (text, value), style in zip(printed.items(), (":", "--", "-."), strict=False):
        ax.axvline(100 * value, color="0.3", lw=0.7, ls=style, label=text)
    ax.set(yticks=y, xlabel="outcoupling (%)", ylim=(-0.6, len(labels) + 1.8))
    ax.set_yticklabels(labels, fontsize=5.5)
    ax.legend(frameon=False, fontsize=5.5, loc="upper left")
