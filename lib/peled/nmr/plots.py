"""Plots of NMR results: a result and a matplotlib Axes in, artists out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    ax : Axes
    spectra : sequence of (label, Processed, colour), from bottom to top
    window_ppm : (float, float)
        What is shown.
    step : float
        Offset between neighbours in units of the scaled height.
    clip : float, optional
        Cut taller signals (solvent) at this height; they are marked with strokes.
    scale_window_ppm : (float, float), optional
        Where the highest point is taken; by default `window_ppm`.
    nucleus : str
        For the label of the axis.
    label_at : float
        Right end of the labels, as a fraction of the width of the axes.
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
    """A label with a short tick above a line (y in axes fraction).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ppm : float
    text : str
    y : float
        Fraction of the axes.
    colour : str
    size : float
        Of the type, points.
    """
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
    """Data, model and components of a fit.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : LineFit
    colours : sequence of str
        Of the components, in their order.
    scale : float, optional
        Height that is drawn as 1; by default the largest.
    offset : float
        Of the whole drawing.
    labels : bool
        Whether the legend names them.
    """
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


def shift_curves(
    ax,
    ratio: np.ndarray,
    shift_ppm: np.ndarray,
    error_ppm: np.ndarray,
    label: str,
    colour: str,
    model: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    axis: str = "equivalents",
) -> None:
    """Change of shift along a titration, with the fitted isotherm, or dots to guide the eye.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ratio, shift_ppm, error_ppm : ndarray, shape (points,)
    label, colour : str
    model : (ratio, shift in ppm), optional
        Of the isotherm.
    axis : str
        What the ratio is of.
    """
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
    ax.set_xlabel(axis)
    ax.set_ylabel("change of shift (ppm)")
