"""Panels of transient absorption: a result and a matplotlib `Axes` in, nothing out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.scale import SymmetricalLogTransform
from matplotlib.ticker import Formatter

from peled.figures import COLOURS, legend_above
from peled.transient_absorption.preprocess import Matrix, band_average, correct_chirp

COMPONENTS = ("blue", "green", "orange", "pink", "amber")
BANDS = ("blue", "green", "amber", "orange")
_DRAWN = 512  # points of a spectrum


def time_label(tau_ps: float) -> str:
    """A lifetime with a fitting unit.

    Parameters
    ----------
    tau_ps : float

    Returns
    -------
    str

    Examples
    --------
    >>> time_label(0.4), time_label(14.2), time_label(2734.0), time_label(float("inf"))
    ('400 fs', '14.2 ps', '2.73 ns', 'stays')
    """
    if not np.isfinite(tau_ps):
        return "stays"
    return (
        f"{tau_ps * 1e3:.0f} fs"
        if tau_ps < 1
        else f"{tau_ps:.3g} ps"
        if tau_ps < 999.5
        else f"{tau_ps / 1e3:.3g} ns"
    )


def shown(unit: str, what: str = "ΔA") -> tuple[float, str]:
    """By what a signal is multiplied to be drawn, and what stands at its axis.

    Parameters
    ----------
    unit : str
        Of a `Matrix`.
    what : str
        What an absorbance is called.

    Returns
    -------
    factor : float
    label : str

    Examples
    --------
    >>> shown("OD"), shown("counts"), shown("")
    ((1000.0, 'ΔA (mOD)'), (1.0, 'Signal (counts)'), (1.0, 'Signal (unit not said)'))
    """
    if unit == "OD":
        return 1e3, f"{what} (mOD)"
    return 1.0, f"{'Signal' if what == 'ΔA' else what} ({unit or 'unit not said'})"


def draw_spectra(ax, spectra, *, style: str = "-", label: bool = True, unit: str = "OD") -> None:
    """Spectra with bands of 95 % confidence.

    A point known to no better than three times what the spectra reach is left out: a wavelength
    with a few cells left would set the scale. More points than can be told apart are drawn as
    means of neighbours, with the mean of their errors (pixels err alike).

    Parameters
    ----------
    ax : Axes
    spectra : Spectra
        OD is drawn in mOD.
    style : str
        Of the lines.
    label : bool
        Whether the lines stand in a legend.
    unit : str
        Of the spectra, as that of a `Matrix`.
    """
    factor, said = shown(unit, "Amplitude")
    errors = spectra.standard_errors
    level = np.nanmedian(errors) if np.isfinite(errors).any() else np.inf
    usual = np.isfinite(spectra.values) & (errors <= 30 * level)
    reach = np.abs(spectra.values[usual]).max(initial=0.0)
    known = np.where(usual | ~(errors > 3 * reach), spectra.values, np.nan)
    nm, known, errors = _thinned(spectra.wavelength_nm, known, errors)
    for i, (y, e) in enumerate(zip(known, errors, strict=True)):
        colour = COLOURS[COMPONENTS[i % len(COMPONENTS)]]
        tau = spectra.lifetimes_ps[i] if i < len(spectra.lifetimes_ps) else np.nan
        ax.plot(
            *_broken(nm, y * factor),
            style,
            color=colour,
            lw=1.1,
            label=(time_label(tau) if np.isfinite(tau) else spectra.names[i]) if label else None,
        )
        ax.fill_between(
            *_broken(nm, (y - 1.96 * e) * factor),
            _broken(nm, (y + 1.96 * e) * factor)[1],
            color=colour,
            alpha=0.18,
            lw=0,
        )
    ax.axhline(0, color=COLOURS["grey"], lw=0.5, zorder=0)
    ax.set(xlabel="Wavelength (nm)", ylabel=said)


def _thinned(x, values, errors):
    """Means of neighbours, to at most `_DRAWN` points; gaps in x stay gaps."""
    step = -(-len(x) // _DRAWN)
    if step == 1:
        return x, values, errors
    whole = np.flatnonzero(np.diff(x) > 3 * np.median(np.diff(x))) + 1
    parts = [
        group
        for part in np.split(np.arange(len(x)), whole)
        for group in np.array_split(part, -(-len(part) // step))
    ]

    def mean(rows):
        seen = [rows[:, part] for part in parts]
        count = np.column_stack([np.isfinite(each).sum(axis=1) for each in seen])
        total = np.column_stack([np.nansum(each, axis=1) for each in seen])
        return np.where(count, total / np.maximum(count, 1), np.nan)

    return mean(x[None])[0], mean(values), mean(errors)


def draw_pair(ax, before, after, *, edge: float | None = None, unit: str = "OD") -> None:
    """Decay-associated spectra before (solid) and after (dashed) irradiation, an arrow at the red
    edge.

    Parameters
    ----------
    ax : Axes
    before, after : Spectra
        `after` may be None.
    edge : float, optional
        Where the arrow stands, nm.
    unit : str
        As that of a `Matrix`.
    """
    draw_spectra(ax, before, unit=unit)
    if after is not None:
        draw_spectra(ax, after, style="--", label=False, unit=unit)
    if edge is not None:
        low, _high = ax.get_ylim()
        ax.annotate(
            "",
            (edge, 0.02 * low),
            (edge, 0.45 * low),
            arrowprops={"arrowstyle": "->", "color": COLOURS["orange"], "lw": 1.2},
        )
    (
        ax.plot([], [], "-", color="black", lw=0.8, label="before"),
        ax.plot([], [], "--", color="black", lw=0.8, label="after"),
    )
    legend_above(ax)


def draw_map(
    ax,
    m: Matrix,
    *,
    what: str = "ΔA",
    scale=None,
    zero_ps: float = 0.0,
) -> None:
    """The matrix as a map over `delay_axis`; blank where nothing was measured.

    Parameters
    ----------
    ax : Axes
    m : Matrix
        OD is drawn in mOD.
    what : str
        Is drawn.
    scale : Axes, optional
        Of the colours; beside the map otherwise.
    zero_ps : float
        Zero time.
    """
    factor, label = shown(m.unit, what)
    z = m.signal.T * factor
    limit = np.nanquantile(np.abs(z), 0.998)
    gaps = np.diff(m.wavelength_nm)
    cut = np.flatnonzero(gaps > 3 * np.median(gaps)) if len(gaps) else []
    for part in np.split(np.arange(len(m.wavelength_nm)), np.asarray(cut, int) + 1):
        if len(part) > 1:
            mesh = ax.pcolormesh(
                m.delay_ps,
                m.wavelength_nm[part],
                z[part],
                cmap="RdBu_r",
                norm=TwoSlopeNorm(0, -limit, limit),
                shading="nearest",
                rasterized=True,
            )
    delay_axis(ax, m.delay_ps, zero_ps)
    ax.set_ylabel("Wavelength (nm)")
    place = {"ax": ax, "pad": 0.02} if scale is None else {"cax": scale}
    ax.figure.colorbar(mesh, label=label, **place)


def draw_transients(
    ax, m: Matrix, fitted, windows_nm, *, chirp=None, span_ps=None, logarithmic: bool = False
) -> None:
    """Averages over bands of wavelengths with the global fit (dashed), after the chirp has been
    taken out of both.

    Parameters
    ----------
    ax : Axes
    m : Matrix
    fitted : ndarray, shape (nt, nw)
        OD.
    windows_nm : sequence of (low, high)
    chirp : callable, optional
        Zero time (ps) of a wavelength (nm).
    span_ps : (first, last), optional
    logarithmic : bool
        Axis of the delays.
    """
    factor, label = shown(m.unit)
    model = replace(m, signal=fitted, standard_error=None)
    if chirp is not None:
        m, model = correct_chirp(m, chirp), correct_chirp(model, chirp)
    inside = (
        slice(None) if span_ps is None else (m.delay_ps >= span_ps[0]) & (m.delay_ps <= span_ps[1])
    )
    for (low, high), colour in zip(windows_nm, BANDS, strict=False):
        y, f = (band_average(each, low, high) * factor for each in (m, model))
        if not np.isfinite(y).any():
            continue
        ax.plot(
            m.delay_ps[inside],
            y[inside],
            ".",
            ms=3,
            color=COLOURS[colour],
            label=f"{low:.0f}–{high:.0f} nm",
        )
        ax.plot(model.delay_ps[inside], f[inside], "--", color="black", lw=0.7)
    ax.axhline(0, color=COLOURS["grey"], lw=0.5, zorder=0)
    if logarithmic:
        ax.set_xscale("log")
    ax.set(xlabel="Delay (ps)", ylabel=label)
    legend_above(ax)


def draw_missing(ax, what: str) -> None:
    """A panel for which there is no file.

    Parameters
    ----------
    ax : Axes
    what : str
    """
    ax.text(
        0.5,
        0.5,
        f"no file: {what}",
        ha="center",
        va="center",
        transform=ax.transAxes,
        size=7,
        color=COLOURS["grey"],
    )
    ax.set(xticks=[], yticks=[])


def draw_table(ax, rows: list[tuple[str, ...]], heads: tuple[str, ...]) -> None:
    """A small table.

    Parameters
    ----------
    ax : Axes
    rows : list of tuple of str
    heads : tuple of str
    """
    table = ax.table(
        cellText=rows, colLabels=heads, loc="center", cellLoc="center", edges="horizontal"
    )
    table.auto_set_font_size(False)
    table.set_fontsize(5.5)
    table.scale(1, 1.5)
    ax.axis("off")


def draw_overview(axes, fit) -> None:
    """Residual map, residual singular values, first residual vectors: four axes in a row.

    Parameters
    ----------
    axes : four Axes
    fit : GlobalFit
        Its first data set is drawn.
    """
    residual = fit.residual(0)
    m = fit.matrices[0]
    draw_map(axes[0], replace(m, signal=residual), what="residual")
    factor, label = shown(m.unit, "Singular value")
    s, left, right = fit.residual_singular_values(0)
    axes[1].semilogy(
        np.arange(1, len(s[:15]) + 1), s[:15] * factor, "o", ms=3, color=COLOURS["blue"]
    )
    axes[1].set(xlabel="Number", ylabel=label)
    axes[2].plot(m.delay_ps, left[:, 0], "-", lw=0.8, color=COLOURS["blue"])
    delay_axis(axes[2], m.delay_ps)
    axes[2].set_ylabel("First left vector")
    axes[3].plot(*_broken(m.wavelength_nm, right[0]), "-", lw=0.8, color=COLOURS["blue"])
    axes[3].set(xlabel="Wavelength (nm)", ylabel="First right vector")


def draw_density(axes, density) -> None:
    """Lifetime-density map and the L curve with the chosen strength.

    Parameters
    ----------
    axes : two Axes
    density : LifetimeDensity
    """
    z = density.density.T * 1e3
    limit = np.quantile(np.abs(z), 0.999)
    mesh = axes[0].pcolormesh(
        density.lifetimes_ps,
        density.wavelength_nm,
        z,
        cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -limit, limit),
        shading="nearest",
        rasterized=True,
    )
    axes[0].set_xscale("log")
    axes[0].set(xlabel="Lifetime (ps)", ylabel="Wavelength (nm)")
    axes[0].figure.colorbar(mesh, ax=axes[0], label="Density (mOD)", pad=0.02)
    axes[1].loglog(
        density.residual_norms, density.solution_norms, "-", lw=0.9, color=COLOURS["blue"]
    )
    at = int(np.argmin(np.abs(np.log(density.strengths / density.strength))))
    axes[1].loglog(
        density.residual_norms[at],
        density.solution_norms[at],
        "o",
        ms=4,
        color=COLOURS["orange"],
        label=f"chosen by {density.chosen_by}",
    )
    axes[1].set(xlabel="Residual norm", ylabel="Roughness")
    axes[1].legend(fontsize=5.5)


def draw_fluence(ax, pairs, lifetimes, errors) -> None:
    """Fitted lifetimes against the number of pairs per crystal.

    Parameters
    ----------
    ax : Axes
    pairs : ndarray, shape (files,)
    lifetimes, errors : ndarray, shape (files, components)
        ps.
    """
    for i in range(lifetimes.shape[1]):
        ax.errorbar(
            pairs,
            lifetimes[:, i],
            1.96 * errors[:, i],
            fmt="o-",
            ms=3,
            lw=0.8,
            color=COLOURS[COMPONENTS[i]],
            label=f"component {i + 1}",
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="Pairs per crystal",
        ylabel="Fitted lifetime (ps)",
        ylim=(0.5 * lifetimes.min(), 5 * lifetimes.max()),
    )
    ax.legend(fontsize=5.5, ncols=lifetimes.shape[1], loc="upper right")


def _broken(x, y):
    """A curve with gaps where the wavelengths have been masked."""
    gaps = np.flatnonzero(np.diff(x) > 3 * np.median(np.diff(x))) if len(x) > 2 else []
    return np.insert(x, np.asarray(gaps, int) + 1, np.nan), np.insert(
        y, np.asarray(gaps, int) + 1, np.nan
    )


def delay_axis(ax, delay_ps, zero_ps: float = 0.0) -> None:
    """Delays along x, linear around zero time and logarithmic beyond: up to 1 ps, or to what a few
    steps are where these are longer.

    Where zero time is not in the linear part around the stage's zero, the axis is drawn around
    zero time, and its ticks count from there.

    Parameters
    ----------
    ax : Axes
    delay_ps : ndarray, shape (nt,)
    zero_ps : float
        Zero time.
    """
    steps = np.diff(delay_ps)
    linear = max(1.0, 10.0 ** np.ceil(np.log10(steps.min())))
    zero = zero_ps if abs(zero_ps) > linear else 0.0
    there = SymmetricalLogTransform(10, linear, 0.8)
    back = there.inverted()
    ax.set_xscale(
        "function",
        functions=(
            lambda t: there.transform(np.asarray(t, float) - zero),
            lambda u: back.transform(np.asarray(u, float)) + zero,
        ),
    )
    label = f"Delay after {zero:.4g} ps (ps)" if zero else "Delay (ps)"
    ax.set(xlabel=label, xlim=(delay_ps[0], delay_ps[-1]))
    decades = linear * 10.0 ** np.arange(0, 10)
    ticks = [t for t in (*-decades[::-1], 0.0, *decades) if delay_ps[0] <= t + zero <= delay_ps[-1]]
    before = [t for t in ticks if t < 0][-1:]  # one is enough: there is no signal
    ticks = before + [t for t in ticks if t >= 0]
    ax.set_xticks([t + zero for t in ticks])
    ax.xaxis.set_major_formatter(_Apart(zero))
    ax.minorticks_off()


class _Apart(Formatter):
    """Delays after zero time, said from there on outwards; nothing where it would touch the
    last."""

    def __init__(self, zero_ps: float):
        self.zero_ps = zero_ps

    def __call__(self, x, pos=None) -> str:
        return f"{x - self.zero_ps:g}"

    def format_ticks(self, values) -> list[str]:
        """What stands at the ticks, as wide as the axes are when they are drawn."""
        ax, said = self.axis.axes, [self(x) for x in values]
        at = ax.transData.transform([(x, ax.get_ylim()[0]) for x in values])[:, 0]
        at = at * 72 / ax.figure.dpi
        digit = 0.62 * self.axis.get_major_ticks(1)[0].label1.get_fontsize()
        first = int(np.argmin(np.abs(np.asarray(values) - self.zero_ps)))
        for way in (range(first + 1, len(said)), range(first - 1, -1, -1)):
            last = first
            for i in way:
                if abs(at[i] - at[last]) < digit * (len(said[i]) + len(said[last]) + 1) / 2:
                    said[i] = ""
                else:
                    last = i
        return said
