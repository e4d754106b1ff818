"""Plots of NMR results: a result and a matplotlib Axes in, artists out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from peled import molecules
from peled.figures import COLOURS
from peled.nmr.lines import LineFit
from peled.nmr.processing import Processed


def stack(
    ax,
    spectra: Sequence[tuple[str, Processed, str]],
    window_ppm: tuple[float, float],
    *,
    step: float = 1.0,
    clip: float | None = None,
    scale_window_ppm=None,
    nucleus: str = "",
    label_at: float = 0.99,
) -> None:
    """Spectra one above the other, each scaled to its highest point in a window.

    Parameters
    ----------
    spectra : sequence of (label, Processed, colour), from bottom to top
    step : float
        Offset between neighbours in units of the scaled height.
    clip : float, optional
        Cut taller signals (solvent) at this height; they are marked with strokes.
    """
    low, high = sorted(window_ppm)
    for i, (label, spectrum, colour) in enumerate(spectra):
        part = spectrum.window(low, high)
        unit = spectrum.real[spectrum.window(*(scale_window_ppm or window_ppm))].max()
        y = spectrum.real[part] / unit
        if clip is not None:
            for at in _tops(spectrum.ppm[part], y > clip):
                ax.text(at, clip + i * step, "//", size=4, rotation=30, ha="center", va="bottom",
                        color=colour)  # fmt: skip
            y = np.minimum(y, clip)
        ax.plot(spectrum.ppm[part], y + i * step, color=colour, lw=0.6)
        ax.text(
            label_at,
            i * step + 0.08 * step,
            label,
            color=colour,
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="bottom",
            size=6,
        )
    ax.set_xlim(high, low)
    ax.set_ylim(-0.12 * step, (len(spectra) - 1) * step + (clip or 1.0) * 1.08)
    ax.set_yticks([])
    ax.set_xlabel(f"{nucleus} chemical shift (ppm)".strip())


def _tops(ppm: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Middles of the stretches that are cut; those closer than a hundredth of the axis are one."""
    places = ppm[cut]
    if not len(places):
        return places
    parts = np.split(places, np.flatnonzero(np.diff(places) > np.ptp(ppm) / 100) + 1)
    return np.array([part.mean() for part in parts])


def mark(ax, ppm: float, text: str, *, y: float, colour: str = "black", size: float = 5.5) -> None:
    """A label with a short tick above a line (y in axes fraction)."""
    ax.annotate(
        text,
        (ppm, y),
        xycoords=("data", "axes fraction"),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        size=size,
        color=colour,
        arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour},
    )


def fit(
    ax,
    result: LineFit,
    *,
    colours: Sequence[str] = ("#7F7F7F", "#D55E00", "#009E73", "#CC79A7"),
    scale: float | None = None,
    offset: float = 0.0,
    labels: bool = True,
) -> None:
    """Data, model and components of a fit."""
    unit = scale or np.abs(result.data).max()
    ax.plot(
        result.ppm,
        result.data / unit + offset,
        color="black",
        lw=0.5,
        label="data" if labels else None,
    )
    ax.plot(
        result.ppm,
        result.model / unit + offset,
        color=COLOURS["orange"],
        lw=0.8,
        label="fit" if labels else None,
    )
    for curve, line, colour in zip(result.curves, result.lines, colours, strict=False):
        ax.fill_between(
            result.ppm,
            offset + result.baseline / unit,
            offset + (curve + result.baseline) / unit,
            color=colour,
            alpha=0.3,
            lw=0,
            label=line.name if labels else None,
        )
    ax.set_xlim(result.ppm[-1], result.ppm[0])
    ax.set_yticks([])
    ax.set_xlabel("chemical shift (ppm)")


def surface(ax, drawings: dict[str, molecules.Molecule]) -> None:
    """The proposed binding: carboxylates, thiol and amide of GL and the carboxylates of EDTA on lead of the NC surface."""
    for column in range(12):
        for row in range(2):
            lead = (column + row) % 2 == 0
            ax.scatter(
                1.35 * column,
                -1.2 * row,
                s=70 if lead else 110,
                color="#6D6D6D" if lead else "#8E44AD",
                alpha=1 if row == 0 else 0.45,
                edgecolor="none",
                zorder=3,
            )
            if lead and row == 0:
                ax.text(
                    1.35 * column,
                    0,
                    "Pb",
                    ha="center",
                    va="center",
                    size=4.5,
                    color="white",
                    zorder=4,
                )
    left = molecules.draw(
        ax,
        drawings["GL"],
        origin=(3.2, 4.0),
        size=0.52,
        flip=True,
        labels=False,
        fontsize=5,
        linewidth=0.8,
    )
    right = molecules.draw(
        ax, drawings["EDTA"], origin=(11.5, 4.0), size=0.52, labels=False, fontsize=5, linewidth=0.8
    )
    leads = np.array([(1.35 * c, 0.0) for c in range(0, 12, 2)])
    for xy, donors in (
        (left, _donors(drawings["GL"], ("S", "Glu α", "Cys α"))),
        (
            right,
            sorted(
                (k for k, e in enumerate(drawings["EDTA"].elements) if e == "O"),
                key=lambda k: right[k][1],
            )[:3],
        ),
    ):
        for k in donors:
            target = leads[np.argmin(np.abs(leads[:, 0] - xy[k][0]))]
            ax.plot(
                *np.array([xy[k] - [0, 0.2], target + [0, 0.35]]).T,
                ls=":",
                lw=1.0,
                color=COLOURS["orange"],
                zorder=2,
            )
    ax.text(3.2, 7.2, "GL", ha="center", size=7, color=COLOURS["GL"], weight="bold")
    ax.text(11.5, 7.2, "EDTA", ha="center", size=7, color=COLOURS["EDTA"], weight="bold")
    ax.text(
        7.4,
        -2.4,
        "lead-halide surface; dotted: lead to carboxylate, thiolate, amide",
        ha="center",
        size=5.5,
    )
    ax.set_xlim(-1.5, 16.5)
    ax.set_ylim(-2.8, 7.9)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _donors(drawing: molecules.Molecule, wanted: Sequence[str]) -> list[int]:
    """Atoms that the paper has on lead: an element, the carboxyl oxygen beside a labelled carbon, or the nitrogen on it."""
    found = []
    for name in wanted:
        for k, (element, label) in enumerate(zip(drawing.elements, drawing.labels, strict=True)):
            if element == name:
                found.append(k)
            elif label == name == "Glu α":
                found += [
                    o
                    for c in drawing.neighbours(k)
                    for o in drawing.neighbours(c)
                    if drawing.elements[o] == "O"
                ][:1]
            elif label == name == "Cys α":
                found += [n for n in drawing.neighbours(k) if drawing.elements[n] == "N"]
    return found


def shift_curves(
    ax,
    ratio: np.ndarray,
    shift_ppm: np.ndarray,
    error_ppm: np.ndarray,
    label: str,
    colour: str,
    model: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Change of shift along a titration, with the fitted isotherm, or dots to guide the eye."""
    ax.errorbar(
        ratio,
        shift_ppm - shift_ppm[0],
        error_ppm,
        fmt="o",
        ms=2.5,
        color=colour,
        label=label,
        lw=0.6,
    )
    if model is not None:
        ax.plot(model[0], model[1] - shift_ppm[0], color=colour, lw=0.7)
    else:
        ax.plot(ratio, shift_ppm - shift_ppm[0], ":", color=colour, lw=0.5)
    ax.set_xlabel("PbI$_2$ : ligand")
    ax.set_ylabel("change of shift (ppm)")
