"""Panels of transient absorption: a result and a matplotlib `Axes` in, nothing out."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import TwoSlopeNorm

from peled.figures import COLOURS
from peled.transient_absorption.preprocess import Matrix, band_average, correct_chirp

COMPONENTS = ("blue", "green", "orange", "pink", "amber")
BANDS = ("blue", "green", "amber", "orange")


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
    >>> time_label(0.4), time_label(14.2), time_label(float("inf"))
    ('400 fs', '14.2 ps', 'stays')
    """
    if not np.isfinite(tau_ps):
        return "stays"
    return (
        f"{tau_ps * 1e3:.0f} fs"
        if tau_ps < 1
        else f"{tau_ps:.3g} ps"
        if tau_ps < 1e4
        else f"{tau_ps / 1e3:.3g} ns"
    )


def draw_spectra(ax, spectra, *, style: str = "-", label: bool = True) -> None:
    """Spectra with bands of 95 % confidence.

    A point known to no better than three times what the spectra reach is left out: a wavelength
    with a few cells left would set the scale.

    Parameters
    ----------
    ax : Axes
    spectra : Spectra
        OD; drawn in mOD.
    style : str
        Of the lines.
    label : bool
        Whether the lines stand in a legend.
    """
    errors = spectra.standard_errors
    level = np.nanmedian(errors) if np.isfinite(errors).any() else np.inf
    usual = np.isfinite(spectra.values) & (errors <= 30 * level)
    reach = np.abs(spectra.values[usual]).max(initial=0.0)
    known = np.where(usual | ~(errors > 3 * reach), spectra.values, np.nan)
    for i, (y, e) in enumerate(zip(known, errors, strict=True)):
        colour = COLOURS[COMPONENTS[i % len(COMPONENTS)]]
        tau = spectra.lifetimes_ps[i] if i < len(spectra.lifetimes_ps) else np.nan
        ax.plot(
            *_broken(spectra.wavelength_nm, y * 1e3),
            style,
            color=colour,
            lw=1.1,
            label=(time_label(tau) if np.isfinite(tau) else spectra.names[i]) if label else None,
        )
        ax.fill_between(
            *_broken(spectra.wavelength_nm, (y - 1.96 * e) * 1e3),
            _broken(spectra.wavelength_nm, (y + 1.96 * e) * 1e3)[1],
            color=colour,
            alpha=0.18,
            lw=0,
        )
    ax.axhline(0, color=COLOURS["grey"], lw=0.5, zorder=0)
    ax.set(xlabel="Wavelength (nm)", ylabel="Amplitude (mOD)")


def draw_pair(ax, before, after, *, edge: float | None = None) -> None:
    """Decay-associated spectra before (solid) and after (dashed) irradiation, an arrow at the red
    edge.

    Parameters
    ----------
    ax : Axes
    before, after : Spectra
        `after` may be None.
    edge : float, optional
        Where the arrow stands, nm.
    """
    draw_spectra(ax, before)
    if after is not None:
        draw_spectra(ax, after, style="--", label=False)
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
    ax.legend(fontsize=5.5, ncols=2, loc="best")


def draw_map(
    ax,
    m: Matrix,
    *,
    label: str = "ΔA (mOD)",
    scale=None,
) -> None:
    """The matrix as a map, delays linear up to 1 ps and logarithmic beyond; blank where nothing was
    measured.

    Parameters
    ----------
    ax : Axes
    m : Matrix
        OD; drawn in mOD.
    label : str
        Of the scale of colours.
    scale : Axes, optional
        Of the colours; beside the map otherwise.
    """
    z = m.signal.T * 1e3
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
    delay_axis(ax, m.delay_ps)
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
    model = Matrix(m.delay_ps, m.wavelength_nm, fitted, m.name)
    if chirp is not None:
        m, model = correct_chirp(m, chirp), correct_chirp(model, chirp)
    inside = (
        slice(None) if span_ps is None else (m.delay_ps >= span_ps[0]) & (m.delay_ps <= span_ps[1])
    )
    for (low, high), colour in zip(windows_nm, BANDS, strict=False):
        y, f = band_average(m, low, high) * 1e3, band_average(model, low, high) * 1e3
        if not np.isfinite(y).any():
            continue
        ax.plot(
            m.delay_ps[inside],
            y[inside],
            ".",
            ms=3,
            color=COLOURS[colour],
            label=f"{low:.4g}–{high:.4g} nm",
        )
        ax.plot(model.delay_ps[inside], f[inside], "--", color="black", lw=0.7)
    ax.axhline(0, color=COLOURS["grey"], lw=0.5, zorder=0)
    if logarithmic:
        ax.set_xscale("log")
    ax.set(xlabel="Delay (ps)", ylabel="ΔA (mOD)")
    ax.legend(fontsize=5.5, loc="best")


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
    draw_map(axes[0], Matrix(m.delay_ps, m.wavelength_nm, residual, m.name), label="residual (mOD)")
    s, left, right = fit.residual_singular_values(0)
    axes[1].semilogy(np.arange(1, len(s[:15]) + 1), s[:15] * 1e3, "o", ms=3, color=COLOURS["blue"])
    axes[1].set(xlabel="Number", ylabel="Singular value (mOD)")
    axes[2].plot(m.delay_ps, left[:, 0], "-", lw=0.8, color=COLOURS["blue"])
    axes[2].set_xscale("symlog", linthresh=1.0)
    _delay_ticks(axes[2], m.delay_ps)
    axes[2].set(xlabel="Delay (ps)", ylabel="First left vector")
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


def delay_axis(ax, delay_ps) -> None:
    """Delays along x, linear up to 1 ps and logarithmic beyond.

    Parameters
    ----------
    ax : Axes
    delay_ps : ndarray, shape (nt,)
    """
    ax.set_xscale("symlog", linthresh=1.0, linscale=0.8)
    ax.set(xlabel="Delay (ps)", xlim=(delay_ps[0], delay_ps[-1]))
    _delay_ticks(ax, delay_ps)


def _delay_ticks(ax, delay_ps) -> None:
    ticks = [t for t in (-1, 0, 1, 10, 100, 1000, 10000) if delay_ps[0] <= t <= delay_ps[-1]]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
