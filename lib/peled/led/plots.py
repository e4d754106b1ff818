"""Drawings of devices. Every function takes results and a matplotlib Axes; nothing is computed
here that is not drawn.

Mappings go from the label in the legend to what is drawn; `colours` from some of the labels to
colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from peled.figures import COLOURS, colours_of, plain, shades, thinned
from peled.led.photometry import A_M2_PER_MA_CM2

LIGHT = {
    "luminance": "L (cd m$^{-2}$)",
    "photodiode": "photocurrent (A)",
    "radiance": "radiance (W sr$^{-1}$ m$^{-2}$)",
    "flux": "flux (W)",
}


# ---- device characteristics ----------------------------------------------------------------------


def current_and_luminance(
    ax, runs: Mapping, *, current: bool = True, light: bool = True, colours=None
) -> None:
    """J (filled) and light (open, right axis when both are drawn) of sweeps against V, logarithmic.

    Points in compliance or at a range step are crosses; light only where it is above its noise.

    Parameters
    ----------
    ax : Axes
    runs : mapping of str to Run
    current, light : bool
        What is drawn.
    colours : mapping of str to str, optional
    """
    right = ax.twinx() if current and light else ax
    for (label, run), colour in zip(runs.items(), colours_of(runs, colours).values()):
        sweep = run.sweep
        v, j = sweep.voltage_V, sweep.current_density_mA_cm2
        if current:
            ok, bad = (j > 0) & sweep.good, (j > 0) & ~sweep.good
            ax.plot(v[ok], j[ok], "o", ms=1.8, color=colour, label=label)
            ax.plot(v[bad], j[bad], "x", ms=4, color="k", label="set aside" if bad.any() else None)
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
    """EQE (%) against J with errors of the points.

    Parameters
    ----------
    ax : Axes
    curves : mapping of str to Curve
    colours : mapping of str to str, optional
    """
    for (label, curve), colour in zip(curves.items(), colours_of(curves, colours).values()):
        y, e = 100 * curve.eqe, 100 * curve.error
        _against_current(ax, curve.current_mA_cm2, y, e, label, colour)
    ax.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="EQE (%)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def current_efficiency(ax, runs: Mapping, *, colours=None) -> None:
    """Current efficiency (cd/A) of sweeps against J with errors of the points.

    Parameters
    ----------
    ax : Axes
    runs : mapping of str to Run
    colours : mapping of str to str, optional
    """
    for (label, run), colour in zip(runs.items(), colours_of(runs, colours).values()):
        j, light = run.sweep.current_density_mA_cm2, run.lights["luminance"]
        with np.errstate(divide="ignore", invalid="ignore"):
            y, e = (
                np.where(light.lit, x / (A_M2_PER_MA_CM2 * j), np.nan)
                for x in (light.values, light.error())
            )
        _against_current(ax, j, y, e, label, colour)
    ax.set(xscale="log", xlabel="J (mA cm$^{-2}$)", ylabel="current efficiency (cd A$^{-1}$)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=6)


def _against_current(ax, j, y, e, label, colour) -> None:
    ok = np.isfinite(y) & (e < 0.5 * np.maximum(y, 1e-9))
    ax.errorbar(j[ok], y[ok], e[ok], fmt="o", ms=1.8, lw=0.5, color=colour, label=label)


def histogram(ax, groups: Mapping[str, Sequence[float]], label: str, colours=None) -> None:
    """One number of many devices by group: mean with standard deviation (line), median (dots).

    Parameters
    ----------
    ax : Axes
    groups : mapping of str to sequence of float
    label : str
        Of the number, with its unit.
    colours : mapping of str to str, optional
    """
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
        ax.axvline(v.mean(), ymax=0.66, color=colour, lw=0.8)  # below the legend
        ax.axvline(np.median(v), ymax=0.66, color=colour, lw=0.8, ls=":")
    ax.set(xlabel=label, ylabel="devices", ylim=(0, top * 1.6))
    ax.legend(frameon=False, fontsize=5.5, loc="upper left")


# ---- spectra -------------------------------------------------------------------------------------


ALIKE = 0.1  #: of the maximum: curves that change less lie on each other
MOST = 7  #: curves of a series, the first and the last among them


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"
    return f"{value:.3g} {unit.replace('mA/cm2', 'mA cm$^{-2}$')}"


def spectra(ax, series, *, title: str = "", labels: Sequence[str] | None = None) -> None:
    """Normalised conditioned spectra of one series, light to dark, with a key of first to last.

    Where they lie on each other what changed since the first is drawn below, magnified. A spectrum
    whose band is not clear of the noise has no maximum to divide by: it is left out, which is
    said; where all are such they are drawn as they were read.

    Parameters
    ----------
    ax : Axes
    series : Series
    title : str
    labels : sequence of str, optional
        Of the spectra.
    """
    s = series.signal
    clear = series.clear
    used = np.flatnonzero(clear if clear.any() else series.used)
    pick = used[thinned(used.size, MOST)]
    colours = shades(pick.size)
    unit = s.at_unit.replace("mA/cm2", "mA cm$^{-2}$")
    top = np.nanmax(s.values[pick], axis=1, keepdims=True) if clear.any() else 1.0
    shapes = s.values[pick] / top
    for k, y, shade in zip(pick, shapes, colours):
        text = labels[k] if labels else _shown(s.at[k], unit) if s.at is not None else ""
        ax.plot(s.axis, y, color=shade, lw=0.8, label=text)
    if not clear.any():
        _within_noise(ax, "no band clear of the noise: not normalised")
        ax.set(
            xlabel="wavelength (nm)", ylabel=f"EL ({plain(series.unit)})" if series.unit else "EL"
        )
        _key(ax, title)
        return
    if aside := int(np.sum(series.used & ~clear)):
        _within_noise(ax, f"{aside} dimmer not drawn: not clear of the noise")
    smooth = uniform_filter1d(np.nan_to_num(shapes), 9, axis=1)
    emitting = (smooth > 0.03).any(axis=0)
    change = float(np.abs(smooth - smooth[0]).max())
    alike = pick.size > 1 and change < ALIKE
    times = 10 if change < 0.4 * ALIKE else 4
    for y, shade in zip(shapes[1:] - shapes[0] if alike else (), colours[1:]):
        ax.plot(s.axis, times * y - 0.4, color=shade, lw=0.5)
    low, high = (s.axis[emitting][[0, -1]] if emitting.any() else s.axis[[0, -1]]).tolist()
    margin = max(0.4 * (high - low), 20.0)
    ax.set(
        xlabel="wavelength (nm)",
        ylabel="normalised EL",
        ylim=(-0.8 if alike else -0.05, 1.1),
        xlim=(max(s.axis[0], low - margin), min(s.axis[-1], high + 1.5 * margin)),
    )
    ax.set_yticks([0, 0.5, 1])
    if alike:
        ax.text(0.03, 0.04, f"{times} × what changed", fontsize=5.2, transform=ax.transAxes)
    _key(ax, title)


def _within_noise(ax, said: str) -> None:
    ax.text(0.03, 0.96, said, fontsize=5.2, va="top", transform=ax.transAxes)


def _key(ax, title: str) -> None:
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize=5.2, title=title or None, title_fontsize=6,
                  handlelength=1.2, loc="upper right", labelspacing=0.25)  # fmt: skip


def peak_course(
    ax,
    courses: Mapping[str, tuple],
    *,
    xlabel: str,
    log: bool = False,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Peak (or width) against time or current.

    Parameters
    ----------
    ax : Axes
    courses : mapping of str to (x, y, error)
    xlabel : str
    log : bool
        Axis of time or current.
    colours : mapping of str to str, optional
    """
    chosen = colours_of(courses, colours)
    for label, (x, y, e) in courses.items():
        ax.errorbar(x, y, e, fmt="o-", ms=2, lw=0.6, color=chosen[label], label=label)
    ax.set(xlabel=xlabel, ylabel="EL peak (nm)", xscale="log" if log else "linear")
    low, high = ax.get_ylim()
    if high - low < 4:  # a shift of a tenth of a nanometre must not fill the panel
        ax.set_ylim((low + high) / 2 - 2, (low + high) / 2 + 2)
    ax.legend(frameon=False, fontsize=6)


# ---- lifetime and ceiling ------------------------------------------------------------------------


def lifetimes(ax, logs: Mapping) -> None:
    """L/L0 against time.

    Parameters
    ----------
    ax : Axes
    logs : mapping of str to (LifetimeLog, Crossing)
        The crossing of one half.
    """
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


CHANNELS = {
    "air_bottom": ("air", "amber"),
    "substrate": ("glass", "sky"),
    "guided": ("guided", "green"),
    "plasmon": ("plasmon", "pink"),
    "absorbed": ("absorbed", "grey"),
}


def loss_channels(ax, thickness_nm, emission, xlabel: str, *, mark: Sequence[float] = ()) -> list:
    """Where the photons of `ceiling.emission` go, against a thickness; gives the bands drawn.

    Parameters
    ----------
    ax : Axes
    thickness_nm : (scan,) array
        nm.
    emission : DipoleEmission
        Channels of shape (scan,), or one number each.
    xlabel : str
    mark : sequence of float
        Thicknesses with a dotted line, nm.

    Returns
    -------
    list of PolyCollection
        In the order of `CHANNELS`.
    """
    shape = np.shape(thickness_nm)
    shares = [100 * np.broadcast_to(getattr(emission, channel), shape) for channel in CHANNELS]
    names, words = zip(*CHANNELS.values(), strict=True)
    shades = [COLOURS[word] for word in words]
    bands = ax.stackplot(thickness_nm, shares, labels=names, colors=shades, alpha=0.85, lw=0)
    for x in mark:
        ax.axvline(x, color="k", lw=0.7, ls=":")
    ends = (np.min(thickness_nm), np.max(thickness_nm))
    ax.set(xlabel=xlabel, ylabel="share of photons (%)", xlim=ends, ylim=(0, 100))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], frameon=True, fontsize=5.5, loc="upper right")
    return bands


def ceilings(ax, found, marks: Mapping[str, float]) -> None:
    """Outcoupling of a `Ceiling` by assumption, as a list of points, with values to compare.

    Parameters
    ----------
    ax : Axes
    found : Ceiling
    marks : mapping of str to float
        Outcouplings to compare with, 0 to 1, by label; the first three are drawn.
    """
    labels = [label for label, _ in found.table]
    values = 100 * np.array([value for _, value in found.table])
    y = np.arange(len(labels))[::-1]
    ax.plot(values, y, "o", ms=3, color=COLOURS["blue"])
    ax.plot(values[0], y[0], "o", ms=4, color=COLOURS["orange"])
    for (text, value), style in zip(marks.items(), (":", "--", "-."), strict=False):
        ax.axvline(100 * value, color="0.3", lw=0.7, ls=style, label=text)
    ax.set(yticks=y, xlabel="outcoupling (%)", ylim=(-0.6, len(labels) + 1.8))
    ax.set_yticklabels(labels, fontsize=5.5)
    ax.legend(fontsize=5.5, loc="upper left")


class LossChannels:
    """Loss channels against a thickness on a figure of their own, whose artists are made once."""

    def __init__(self, thickness_nm, xlabel: str):
        self.thickness_nm, self.xlabel = np.asarray(thickness_nm, float), xlabel
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(3.5, 2.4), layout="constrained")
        self.axes = self.figure.subplots()
        self.bands: list = []

    def move(self, emission, at_nm: float, title: str) -> None:
        """Show an emission at `thickness_nm`, one thickness marked.

        Parameters
        ----------
        emission : DipoleEmission
            Channels over `thickness_nm`.
        at_nm : float
            The marked one, nm.
        title : str
        """
        if not self.bands:
            from peled.lab.live import lay_out

            self.bands = loss_channels(self.axes, self.thickness_nm, emission, self.xlabel)
            self.line = self.axes.axvline(at_nm, color="k", lw=0.7, ls=":")
            self.title = self.axes.set_title(title, fontsize=6.5)
            lay_out(self.figure)
        below = np.zeros(self.thickness_nm.size)
        for band, channel in zip(self.bands, CHANNELS, strict=True):
            above = below + 100 * getattr(emission, channel)
            band.set_data(self.thickness_nm, below, above)
            below = above
        self.line.set_xdata([at_nm, at_nm])
        self.title.set_text(title)
