"""Drawings of photoluminescence: each function draws a result on given axes.

`colours` maps some of the labels to colours; the others follow `peled.figures.CYCLE`.
"""

from __future__ import annotations

import numpy as np

from peled.figures import COLOURS, colours_of
from peled.materials import HC_EV_NM
from peled.photoluminescence import fluence as rates


def absorption_and_emission(ax, absorbances: dict, emission, colours=None) -> None:
    """Absorbance of every sample and one emission spectrum, normalised, against wavelength.

    Parameters
    ----------
    ax : Axes
    absorbances : dict of str to (energy_eV, absorbance)
    emission : Emission or None
    colours : mapping of str to str, optional
    """
    chosen = colours_of(absorbances, colours)
    for i, (label, (energy, absorbance)) in enumerate(absorbances.items()):
        ax.plot(
            HC_EV_NM / energy,
            absorbance,
            color=chosen[label],
            ls="--" if i else "-",
            label=f"absorbance, {label}",
        )
    ax.set(xlabel="Wavelength (nm)", ylabel="Absorbance")
    top = (
        max(
            float(np.max(a[1][HC_EV_NM / a[0] > 430]))
            if np.any(HC_EV_NM / a[0] > 430)
            else float(np.max(a[1]))
            for a in absorbances.values()
        )
        if absorbances
        else 1.0
    )
    ax.set_ylim(0, 1.25 * top)
    if emission is not None:
        right = ax.twinx()
        keep = np.abs(emission.wavelength_nm - emission.peak_nm) < 120
        right.fill_between(
            emission.wavelength_nm[keep],
            emission.counts[keep] / emission.counts[keep].max(),
            color=COLOURS["orange"],
            alpha=0.25,
            lw=0,
        )
        right.plot(
            emission.wavelength_nm[keep],
            emission.counts[keep] / emission.counts[keep].max(),
            color=COLOURS["orange"],
            label="PL",
        )
        right.set(ylabel="PL (normalised)", ylim=(0, 1.25))
        right.text(emission.peak_nm + 4, 1.04, f"{emission.peak_nm:.1f} nm", size=6.5, ha="left")
        right.legend(loc="upper right")
    ax.set_xlim(430, 770)
    if absorbances:
        ax.legend(loc="upper left")


def emissions(ax, measured, *, mark_peaks: bool = True, colours=None) -> None:
    """Emission spectra of several samples.

    Parameters
    ----------
    ax : Axes
    measured : sequence of Emission
    mark_peaks : bool
        Whether the legend tells their peaks.
    colours : mapping of str to str, optional
    """
    top = max(m.counts.max() for m in measured)
    chosen = colours_of((m.label for m in measured), colours)
    for m in measured:
        text = f"{m.label}, {m.peak_nm:.1f} nm" if mark_peaks else m.label
        ax.plot(m.wavelength_nm, m.counts / top, color=chosen[m.label], label=text)
    ax.set(
        xlabel="Wavelength (nm)",
        ylabel="PL intensity (relative)",
        ylim=(0, 1.12),
    )
    middle = float(np.median([m.peak_nm for m in measured]))
    ax.set_xlim(middle - 75, middle + 105)
    ax.legend(loc="upper right")


def yields(ax, series: dict, *, occupancy=None, colours=None) -> None:
    """PLQY against excitation, with fits and, on top, excitons per crystal.

    Parameters
    ----------
    ax : Axes
    series : dict of str to (intensity_mW_cm2, PLQY, Recombination or None, generation per mW/cm²)
    occupancy : float, optional
        Excitons per crystal at 1 mW/cm².
    colours : mapping of str to str, optional
    """
    chosen = colours_of(series, colours)
    for name, (intensity, result, fit, per_mW) in series.items():
        c = chosen[name]
        ax.errorbar(
            intensity,
            100 * result.plqy,
            196 * result.standard_error,
            fmt="o",
            color=c,
            label=name,
            ms=3,
        )
        if fit is not None:
            x = np.geomspace(intensity.min() / 1.5, intensity.max() * 1.5, 120)
            v = fit.values
            ax.plot(
                x,
                100
                * rates.yield_of_generation(
                    x * per_mW,
                    v["capture_cm3_s"],
                    v["traps_cm3"],
                    v["auger_cm6_s"],
                    radiative=fit.fixed["radiative"],
                    detrap=fit.fixed["detrap"],
                ),
                color=c,
            )
    ax.set(
        xscale="log", xlabel="Excitation intensity (mW cm$^{-2}$)", ylabel="PLQY (%)", ylim=(0, 100)
    )
    if occupancy is not None:
        ax.tick_params(which="both", top=False)
        top = ax.secondary_xaxis(
            "top", functions=(lambda x: x * occupancy, lambda x: x / occupancy)
        )
        top.set_xlabel("Excitons per crystal")
    ax.legend(loc="upper left")


def profiles(axes, fits: dict, colours=None) -> None:
    """Profile likelihoods of the recombination parameters, one column each.

    Parameters
    ----------
    axes : three Axes
    fits : dict of str to Recombination
    colours : mapping of str to str, optional
    """
    titles = {
        "capture_rate_s": "Capture rate $k_cN_t$ (s$^{-1}$)",
        "traps_cm3": "Trap density (cm$^{-3}$)",
        "auger_cm6_s": "Auger (cm$^6$ s$^{-1}$)",
    }
    chosen = colours_of(fits, colours)
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        for sample, fit in fits.items():
            x, delta = fit.profiles[name]
            ax.plot(x, delta, color=chosen[sample], label=sample)
        ax.axhline(3.84, color=COLOURS["grey"], lw=0.6, ls=":")
        ax.set(xscale="log", xlabel=title, ylim=(0, 12))
    axes[0].set_ylabel(r"$\Delta\chi^2$")
    axes[0].legend(loc="upper center")


def decays(ax, fits: dict, response=None, colours=None, said=None) -> None:
    """Decays with their fits on a logarithmic scale, each divided by its maximum.

    Parameters
    ----------
    ax : Axes
    fits : dict of str to DecayFit
    response : (time_ns, counts), optional
    colours : mapping of str to str, optional
    said : mapping of str to str, optional
        What the legend says of each decay; else its amplitude-weighted mean.
    """
    chosen = colours_of(fits, colours)
    for label, fit in fits.items():
        c, top = chosen[label], fit.model.max()
        step = max(1, fit.time_ns.size // 350)
        n = fit.counts.size // step * step
        t = fit.time_ns[:n].reshape(-1, step).mean(axis=1)
        y = fit.counts[:n].reshape(-1, step).mean(axis=1)
        mean, error = fit.mean_ns["amplitude-weighted"]
        ax.plot(t, np.maximum(y, 0.05) / top, ".", ms=1.2, color=c, alpha=0.55)
        ax.plot(
            fit.time_ns,
            fit.model / top,
            color=c,
            lw=0.9,
            label=f"{label}, " + (said or {}).get(label, f"{mean:.1f}({error * 10:.0f}) ns"),
        )
    if response is not None:
        time, counts = response
        ax.plot(
            time,
            np.maximum(counts, 0.05) / counts.max(),
            color=COLOURS["grey"],
            lw=0.6,
            label="IRF",
            zorder=0,
        )
    end = max(f.time_ns[-1] for f in fits.values())
    ax.set(
        yscale="log",
        xlabel="Time (ns)",
        ylabel="PL (normalised)",
        ylim=(1e-4, 3),
        xlim=(0, min(end, 260)),
    )
    ax.legend(loc="upper right")


def lifetime_table(ax, rows: list[tuple[str, object]]) -> None:
    """Lifetimes as a table.

    Parameters
    ----------
    ax : Axes
    rows : list of (sample, DecayFit)
    """
    ax.axis("off")
    heads = [
        "sample",
        "τ in ns (share of light in %)",
        r"$\langle\tau\rangle_{amp}$",
        r"$\langle\tau\rangle_{int}$",
    ]
    cells = []
    for name, fit in rows:
        parts = ", ".join(
            f"{t:.1f} ({100 * f:.0f})" for t, f in zip(fit.lifetimes_ns, fit.fractions, strict=True)
        ) + (f", β {fit.beta:.2f}" if fit.beta != 1 else "")
        cells.append(
            [
                name,
                parts,
                *(
                    f"{v:.2f}({100 * e:.0f})"
                    for v, e in (
                        fit.mean_ns["amplitude-weighted"],
                        fit.mean_ns["intensity-weighted"],
                    )
                ),
            ]
        )
    table = ax.table(
        cells,
        colLabels=heads,
        loc="center",
        cellLoc="left",
        edges="horizontal",
        colWidths=[0.22, 0.44, 0.17, 0.17],
    )
    table.auto_set_font_size(False)
    table.set_fontsize(5.8)
    table.scale(1, 1.5)


def series(ax, signal, *, track=None, every: int = 1, excitation_nm=None) -> None:
    """Spectra of a timed series, each divided by its maximum, coloured by time.

    Parameters
    ----------
    ax : Axes
    signal : Signal
    track : Segregation, optional
    every : int
        Which spectra are drawn: each, every second, ...
    excitation_nm : float, optional
    """
    import matplotlib as mpl

    x, times, values = signal.axis, signal.at[signal.used], signal.values[signal.used]
    chosen = list(range(0, times.size, every))
    labelled = {
        chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, 5).round().astype(int))
    }
    for k in chosen:
        y = np.convolve(np.pad(values[k], 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
        floor = np.quantile(y, 0.05)
        shade = mpl.colormaps["cividis"](0.92 * (chosen.index(k) / max(len(chosen) - 1, 1)))
        ax.plot(
            x,
            (y - floor) / (y.max() - floor),
            color=shade,
            lw=0.7,
            label=f"{times[k]:g} s" if k in labelled else None,
        )
    said = f"under {excitation_nm:g} nm" if excitation_nm else None
    ax.legend(loc="upper right", title=said, title_fontsize=6)
    ax.set(xlabel="Wavelength (nm)", ylabel="PL (normalised)", ylim=(0, 1.25))
    ax.set_xlim(x.min() + 15, x.max() - 10)
    if track is not None:
        word = {
            "two bands": f"red band at {track.red_nm:.0f} nm",
            "one band moves": f"band moves {track.drift_nm.per_minute:+.2f} nm/min",
            "steady": "steady",
        }[track.account]
        ax.text(0.03, 0.95, word, transform=ax.transAxes, va="top", size=6)


def tracks(axes, found: dict, kinetics: dict) -> None:
    """Red share and centroid against time.

    Parameters
    ----------
    axes : two Axes
    found : dict of str to Segregation
    kinetics : dict of str to (Kinetics, dark_from_s)
    """
    chosen = colours_of(found)
    for name, t in found.items():
        c = chosen[name]
        axes[0].errorbar(
            t.time_s[t.known] / 60,
            100 * t.fraction[t.known],
            196 * t.fraction_error[t.known],
            fmt="o",
            ms=2.5,
            color=c,
            label=name,
        )
        if name in kinetics:
            k, dark = kinetics[name]
            x = np.linspace(0, t.time_s.max(), 200)
            if np.isfinite(k.rise_s):
                axes[0].plot(x / 60, 100 * k.at(x, dark), color=c, lw=0.8)
        axes[1].errorbar(
            t.time_s / 60,
            t.centroid_nm,
            1.96 * t.centroid_error_nm,
            fmt="o-",
            ms=2.5,
            lw=0.5,
            color=c,
        )
    axes[0].set(xlabel="Time (min)", ylabel="Share of the red band (%)")
    axes[1].set(xlabel="Time (min)", ylabel="Centroid (nm)")
    axes[0].legend(loc="best")


def images(axes, stack, spots=None) -> None:
    """Frames of a confocal series, one scale of brightness, a scale bar in the last.

    Parameters
    ----------
    axes : sequence of Axes
    stack : ImageStack
    spots : optional
        Found in the first frame.
    """
    frames = stack.frames
    chosen = np.linspace(0, len(frames) - 1, len(axes)).round().astype(int)
    low, high = np.quantile(frames, [0.01, 0.998])
    for ax, k in zip(axes, chosen, strict=True):
        ax.imshow(frames[k], cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        label = f"{k * stack.interval_s:.0f} s" if stack.interval_s else f"frame {k + 1}"
        ax.text(0.04, 0.94, label, color="white", transform=ax.transAxes, va="top", size=6)
    if spots is not None and len(spots):
        axes[0].plot(spots.x_px, spots.y_px, "o", mfc="none", mec="white", ms=5, mew=0.4)
    if stack.pixel_um:
        length = 1.0 / stack.pixel_um
        y = frames.shape[1] * 0.93
        axes[-1].plot(
            [frames.shape[2] * 0.06, frames.shape[2] * 0.06 + length], [y, y], color="white", lw=1.6
        )
        axes[-1].text(
            frames.shape[2] * 0.06 + length / 2,
            y - 3,
            "1 µm",
            color="white",
            ha="center",
            va="bottom",
            size=6,
        )


def optical_gap(ax, tauc, elliott, colour: str = COLOURS["blue"]) -> None:
    """Tauc plot with its line and window, and Elliott's gap.

    Parameters
    ----------
    ax : Axes
    tauc : TaucGap
    elliott : ElliottGap
    colour : str
    """
    keep = (tauc.energy_eV > tauc.gap_eV - 0.28) & (tauc.energy_eV < tauc.gap_eV + 0.30)
    e, y = tauc.energy_eV[keep], tauc.tauc[keep]
    scale = y.max()
    ax.plot(e, y / scale, color=colour, lw=1.0)
    x = np.array([tauc.gap_eV, tauc.window_eV[1] + 0.25 * (tauc.window_eV[1] - tauc.window_eV[0])])
    ax.plot(x, (tauc.slope * x + tauc.intercept) / scale, color=COLOURS["black"], lw=0.7, ls="--")
    ax.axvspan(*tauc.window_eV, color=COLOURS["grey"], alpha=0.18, lw=0)
    ax.axvspan(
        tauc.gap_eV - tauc.total_error_eV,
        tauc.gap_eV + tauc.total_error_eV,
        color=COLOURS["black"],
        alpha=0.10,
        lw=0,
    )
    ax.axvline(elliott.gap_eV, color=COLOURS["green"], lw=0.8)
    ax.text(
        0.97,
        0.08,
        f"Tauc {tauc.gap_eV:.3f} ± {tauc.total_error_eV:.3f} eV\nElliott {elliott.gap_eV:.3f} ± "
        f"{elliott.total_error_eV:.3f} eV\nexciton {elliott.exciton_eV:.3f} eV",
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        size=6,
    )
    ax.set(
        xlabel="Photon energy (eV)",
        ylabel=r"$(A\,h\nu)^2$ (normalised)",
        ylim=(0, 1.1),
        xlim=(e.min(), e.max()),
    )
    inset = ax.inset_axes([0.03, 0.50, 0.27, 0.40])
    inset.plot(elliott.energy_eV, elliott.absorbance, ".", ms=1, color=colour)
    inset.plot(elliott.energy_eV, elliott.model, color=COLOURS["black"], lw=0.6)
    inset.plot(elliott.energy_eV, elliott.continuum, color=COLOURS["green"], lw=0.6, ls=":")
    inset.tick_params(labelsize=4.5)
    inset.set_yticks([])
    inset.set_title("Elliott", size=5.5, pad=2)


def intensity_bars(ax, ratios: dict, colours=None) -> None:
    """Relative intensities with errors as an inset of bars.

    Parameters
    ----------
    ax : Axes
    ratios : dict of str to (value, standard_error)
    colours : mapping of str to str, optional
    """
    names = list(ratios)
    inset = ax.inset_axes([0.66, 0.34, 0.32, 0.30])
    inset.bar(
        range(len(names)),
        [ratios[n][0] for n in names],
        yerr=[1.96 * ratios[n][1] for n in names],
        color=list(colours_of(names, colours).values()),
        width=0.7,
    )
    inset.set_xticks([])
    inset.tick_params(labelsize=4.5)
    inset.set_title("area", size=5.5, pad=2)


def optical_models(ax, models: list, external: float) -> None:
    """The three (and more) optical models: escape probability and the internal yield each
    implies.

    Parameters
    ----------
    ax : Axes
    models : list of OpticalModel
    external : float
        Quantum yield, 0 to 1.
    """
    names = [m.name for m in models]
    y = np.arange(len(models))[::-1]
    ax.barh(y + 0.18, [100 * m.escape for m in models], 0.34, color=COLOURS["sky"], label="escape")
    ax.barh(
        y - 0.18,
        [100 * m.internal(external) for m in models],
        0.34,
        color=COLOURS["blue"],
        label=rf"$\eta_{{int}}$ for $\eta_{{ext}}$ = {100 * external:.0f} %",
    )
    for yi, m in zip(y, models, strict=True):
        ax.text(100 * m.escape + 1, yi + 0.18, f"{100 * m.escape:.1f}", va="center", size=5.5)
        ax.text(
            100 * m.internal(external) + 1,
            yi - 0.18,
            f"{100 * m.internal(external):.1f}",
            va="center",
            size=5.5,
        )
    ax.set_yticks(y, names)
    ax.set(xlabel="%", xlim=(0, 112))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def shift_combinations(ax, found: list, observed_nm: float, observed_error_nm: float) -> None:
    """Sums of causes against the observed shift.

    Parameters
    ----------
    ax : Axes
    found : list of Combination
    observed_nm, observed_error_nm : float
    """
    y = np.arange(len(found))[::-1]
    ax.axvspan(
        observed_nm - 2 * observed_error_nm,
        observed_nm + 2 * observed_error_nm,
        color=COLOURS["grey"],
        alpha=0.2,
        lw=0,
    )
    ax.axvline(observed_nm, color=COLOURS["grey"], lw=0.8)
    for yi, c in zip(y, found, strict=True):
        ax.errorbar(
            c.shift_nm,
            yi,
            xerr=2 * c.error_nm,
            fmt="o",
            ms=3,
            color=COLOURS["green"] if c.explains else COLOURS["orange"],
        )
    ax.set_yticks(y, [" + ".join(c.causes) for c in found])
    ax.set(xlabel="Blue-shift (nm)")


def wavelength_colour(wavelength_nm: float) -> tuple[float, float, float]:
    """sRGB of a Gaussian band 30 nm wide, for a patch of colour: CIE 1931 by fits [1]_.

    Parameters
    ----------
    wavelength_nm : float

    Returns
    -------
    (float, float, float)
        0 to 1.

    References
    ----------
    .. [1] C. Wyman, P.-P. Sloan, P. Shirley, J. Comput. Graph. Tech. 2, 1 (2013)
    """
    width_nm = 30.0
    w = np.arange(400.0, 801.0, 2.0)
    band = np.exp(-0.5 * ((w - wavelength_nm) / (width_nm / 2.35482)) ** 2)

    def lobe(centre, low, high):
        return np.exp(-0.5 * ((w - centre) * np.where(w < centre, low, high)) ** 2)

    x = (
        0.362 * lobe(442.0, 0.0624, 0.0374)
        + 1.056 * lobe(599.8, 0.0264, 0.0323)
        - 0.065 * lobe(501.1, 0.0490, 0.0382)
    )
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    xyz = np.array([band @ x, band @ y, band @ z])
    rgb = np.array(
        [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    ) @ (xyz / xyz.sum())
    rgb = np.clip(rgb / max(rgb.max(), 1e-9), 0, 1)
    return tuple(
        float(v) for v in np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    )
