"""Drawings of notebook 04. Every function takes results and a matplotlib Axes; nothing is computed here that is not drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from peled.figures import COLOURS
from peled.led.ceiling import Stack

#: One colour for one surface through all panels.
SURFACES = {"neat": "neat", "OA": "neat", "EG": "E+G", "E+G": "E+G", "EDTA": "EDTA", "GL": "GL"}
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
CHANNELS = {
    "air_bottom": ("air", "amber"),
    "substrate": ("glass", "sky"),
    "guided": ("guided", "green"),
    "plasmon": ("plasmon", "pink"),
    "absorbed": ("absorbed", "grey"),
}


def label_of(name: str) -> str:
    """`fig3_EG` -> `E+G`, `ed5_EDTA_ADAC` -> `EDTA + ADAC`; other names stay."""
    parts = name.split("_")
    if len(parts) > 1 and re.fullmatch(
        r"(fig|ed)\d+", parts[0]
    ):  # the paper's names; one's own stay as they are
        parts = [
            part
            for part in parts[1:]
            if part not in ("voltage", "current", "time", "drive", "rest", "steps")
            and not part.endswith("mA")
        ]
    return " + ".join("E+G" if p == "EG" else p for p in parts)


def colour_of(name: str) -> str:
    """The colour of a device's surface, by the words in its name."""
    for part in name.replace("+ADAC", "").split("_"):
        if part in SURFACES:
            return COLOURS[SURFACES[part]]
    return COLOURS["black"]


def no_file(ax, what: str) -> None:
    """Say in the panel that its file is not there."""
    ax.set_axis_off()
    ax.text(
        0.5, 0.5, f"no file: {what}", ha="center", va="center", transform=ax.transAxes, color="0.4"
    )


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
    ax, devices: Mapping, *, current: bool = True, light: bool = True
) -> None:
    """J (filled) and L (open, right axis when both are drawn) against V on logarithmic axes; flagged points as crosses."""
    right = ax.twinx() if current and light else ax
    for name, d in devices.items():
        colour = colour_of(name)
        if current:
            ok = (d.current_density_mA_cm2 > 0) & d.good
            bad = (d.current_density_mA_cm2 > 0) & ~d.good
            ax.plot(
                d.voltage_V[ok],
                d.current_density_mA_cm2[ok],
                "o",
                ms=1.8,
                color=colour,
                label=label_of(name),
            )
            ax.plot(
                d.voltage_V[bad],
                d.current_density_mA_cm2[bad],
                "x",
                ms=4,
                color="k",
                label="range step" if bad.any() else None,
            )
        if light:
            lit = np.isfinite(d.luminance_cd_m2) & (d.luminance_cd_m2 > 0.1)
            right.plot(
                d.voltage_V[lit],
                d.luminance_cd_m2[lit],
                "^" if current else "o",
                ms=2.2 if current else 1.8,
                mfc="none" if current else colour,
                mew=0.5,
                color=colour,
                label=None if current else label_of(name),
            )
    ax.set(xlabel="voltage (V)", yscale="log")
    if current:
        ax.set(ylabel="J (mA cm$^{-2}$)", ylim=(1e-6, 1e3))
    if light:
        right.set(yscale="log", ylabel="L (cd m$^{-2}$)", ylim=(0.08, 1e5 if current else 1e4))
    ax.legend(loc="lower right", frameon=False, fontsize=6)


def jv_fits(ax, devices: Mapping, fits: Mapping, model) -> None:
    """Fitted J-V models as lines into a J-V panel."""
    for name, fit in fits.items():
        v = np.linspace(0.05, devices[name].voltage_V.max(), 200)
        ax.plot(v, model(v, fit.values), "-", lw=0.7, color=colour_of(name))


def efficiency_curve(
    ax, devices: Mapping, *, quantity: str = "eqe", published: Sequence[tuple[float, float]] = ()
) -> None:
    """EQE (%) or cd/A against J with errors; printed points as stars."""
    for name, d in devices.items():
        if quantity == "eqe":
            y, e = 100 * d.efficiency.eqe, 100 * d.efficiency.eqe_error
        else:
            y, e = d.efficiency.current_efficiency_cd_A, np.zeros(d.voltage_V.size)
        ok = np.isfinite(y) & (e < 0.5 * np.maximum(y, 1e-9))
        ax.errorbar(
            d.current_density_mA_cm2[ok],
            y[ok],
            e[ok],
            fmt="o",
            ms=1.8,
            lw=0.5,
            color=colour_of(name),
            label=label_of(name),
        )
    if len(published):
        x, y = np.array(published).T
        ax.plot(x, y, "*", ms=6, mfc="white", mec="k", mew=0.6, label="printed (ED Fig. 8)")
    ax.set(
        xscale="log",
        xlabel="J (mA cm$^{-2}$)",
        ylabel="EQE (%)" if quantity == "eqe" else "luminous efficiency (cd A$^{-1}$)",
    )
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def device_table(ax, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The performance table, transposed: a column a device."""
    ax.set_axis_off()
    cells = [[row[i] for row in rows] for i in range(1, len(head))]
    drawn = ax.table(
        cells,
        rowLabels=list(head[1:]),
        colLabels=[label_of(row[0]) for row in rows],
        loc="center",
        cellLoc="center",
        bbox=(0.34, 0.02, 0.66, 0.96),
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6)
    for cell in drawn.get_celld().values():
        cell.set_linewidth(0.3)


def histogram(ax, b, unit: str = "%", scale: float = 100.0) -> None:
    """Histogram with kernel density, mean with interval, median and champion."""
    v = scale * b.values
    step = max(np.ptp(v) / 9, 1e-9)
    counts, edges = np.histogram(
        v, np.arange(np.floor(v.min() / step) * step, v.max() + step, step)
    )
    ax.stairs(counts, edges, fill=True, color=COLOURS["E+G"], alpha=0.35)
    ax.plot(
        scale * b.density_at,
        b.density / scale * v.size * step,
        color=COLOURS["E+G"],
        lw=1,
        label="kernel density",
    )
    top = counts.max() * 1.25
    mean = [scale * x for x in b.mean]
    ax.axvspan(mean[1], mean[2], color="0.5", alpha=0.25, lw=0)
    ax.axvline(
        mean[0],
        color="0.2",
        lw=0.8,
        label=f"mean {mean[0]:.1f} ({mean[1]:.1f} to {mean[2]:.1f}) {unit}",
    )
    ax.axvline(
        scale * b.median[0],
        color="0.2",
        lw=0.8,
        ls=":",
        label=f"median {scale * b.median[0]:.1f} {unit}",
    )
    ax.plot(
        scale * b.champion,
        0.35,
        "v",
        color="k",
        ms=4,
        label=f"best {scale * b.champion:.1f} {unit}",
    )
    ax.set(xlabel=f"peak EQE ({unit})", ylabel="devices", ylim=(0, top * 1.35))
    ax.legend(frameon=False, fontsize=5.5, loc="upper left")


# ---- spectra ---------------------------------------------------------------------------------------------------------


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"
    return f"{value:.3g} {unit.replace('mA/cm2', 'mA cm$^{-2}$')}"


def spectra(
    ax, series, *, title: str = "", most: int = 7, labels: Sequence[str] | None = None
) -> None:
    """Normalised spectra of one series, light to dark, with a key of first to last."""
    pick = np.unique(np.linspace(0, len(series) - 1, min(most, len(series))).astype(int))
    shades = plt.get_cmap("viridis_r")(np.linspace(0.15, 1.0, pick.size))
    values = series.values / series.values.max(axis=1, keepdims=True)
    for k, shade in zip(pick, shades, strict=True):
        text = (
            labels[k]
            if labels
            else (
                _shown(series.parameter[k], series.parameter_unit)
                if series.parameter is not None
                else series.labels[k]
            )
        )
        ax.plot(series.wavelength_nm, values[k], color=shade, lw=0.8, label=text)
    ax.set(
        xlabel="wavelength (nm)",
        ylabel="normalised EL",
        ylim=(-0.03, 1.08),
        xlim=(max(series.wavelength_nm.min(), 545), min(series.wavelength_nm.max(), 780)),
    )
    ax.legend(
        frameon=False,
        fontsize=5.2,
        title=title or None,
        title_fontsize=6,
        handlelength=1.2,
        loc="upper right",
        labelspacing=0.25,
    )


def peak_course(
    ax,
    courses: Mapping[str, tuple],
    *,
    xlabel: str,
    ylabel: str = "EL peak (nm)",
    log: bool = False,
    fits: Mapping[str, tuple] | None = None,
) -> None:
    """Peak (or width) against time or current, with errors; `courses` maps a name to (x, y, error), `fits` to (x, y)."""
    for name, (x, y, e) in courses.items():
        ax.errorbar(x, y, e, fmt="o-", ms=2, lw=0.6, color=colour_of(name), label=label_of(name))
    for name, (x, y) in (fits or {}).items():
        ax.plot(x, y, "--", lw=0.8, color=colour_of(name))
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    low, high = ax.get_ylim()
    if high - low < 4:  # a shift of a tenth of a nanometre must not fill the panel
        ax.set_ylim((low + high) / 2 - 2, (low + high) / 2 + 2)
    ax.legend(frameon=False, fontsize=6)


def drive_and_rest(axes, drive: tuple, rest: tuple, fit: tuple | None, name: str) -> None:
    """Peak under drive (left, min) and at rest (right, h), one scale."""
    colour = colour_of(name)
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


def lifetimes(ax, logs: Mapping, crossings: Mapping, fits: Mapping, model) -> None:
    """L/L0 against time with fits and the crossing of one half."""
    ordered = sorted(logs.items(), key=lambda item: item[1].current_density_mA_cm2 or 0.0)
    for (name, log), colour in zip(
        ordered,
        (COLOURS["blue"], COLOURS["green"], COLOURS["orange"], COLOURS["pink"], COLOURS["grey"]),
        strict=False,
    ):
        start = log.initial_luminance_cd_m2 or float(log.signal[0])
        after = log.time_s > 0  # a logarithmic axis has no place for zero
        minutes = log.time_s[after] / 60
        text = (
            f"{log.current_density_mA_cm2:g} mA cm$^{{-2}}$" if log.current_density_mA_cm2 else name
        )
        ax.plot(minutes, log.signal[after] / start, ".", ms=1.2, color=colour)
        c = crossings[name]
        ax.plot(
            [],
            [],
            "-",
            color=colour,
            label=f"{text}: "
            + (f"T50 > {c.time:.0f} min" if c.censored else f"T50 = {c.time:.3g} min"),
        )
        ax.plot(
            minutes,
            model(minutes, np.nan_to_num(fits[name].values, nan=1.0)) / start,
            "-",
            lw=0.8,
            color=colour,
        )
    ax.axhline(0.5, color="0.6", lw=0.6, ls=":")
    ax.set(xlabel="time (min)", ylabel="L / L$_0$", xscale="log", ylim=(0.25, 1.05))
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
