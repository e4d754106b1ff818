"""Panels of the structure notebook: each takes results and an Axes."""

from __future__ import annotations

import numpy as np

from peled.figures import COLOURS

NAMES = {"EG": "E+G"}


def colour(sample: str) -> str:
    """The sample's colour; `neat` and `E+G` as everywhere."""
    return COLOURS.get(NAMES.get(sample, sample), COLOURS["grey"])


def absent(ax, what: str) -> None:
    """A plain word where a file is missing."""
    ax.set_axis_off()
    ax.text(
        0.5,
        0.5,
        f"no {what} file in data_dir",
        ha="center",
        va="center",
        transform=ax.transAxes,
        size=6.5,
        color=COLOURS["grey"],
    )


def patterns(ax, fits: dict) -> None:
    """Patterns with fits, residuals below each, indices above the first."""
    top = 0.0
    for sample, fit in reversed(list(fits.items())):
        unit = (fit.observed - fit.background).max()
        base = top + 0.28
        ax.plot(
            fit.two_theta_deg,
            base + (fit.observed - fit.background) / unit,
            ".",
            ms=1.0,
            color=colour(sample),
            alpha=0.55,
            rasterized=True,
        )
        ax.plot(
            fit.two_theta_deg, base + (fit.model - fit.background) / unit, color="black", lw=0.6
        )
        ax.plot(
            fit.two_theta_deg,
            base - 0.16 + (fit.observed - fit.model) / unit * 0.9,
            color=COLOURS["grey"],
            lw=0.35,
        )
        ax.text(
            58.5,
            base + 0.30,
            f"{NAMES.get(sample, sample)}: a = {fit.a_A:.4f}({round(fit.a_error_A * 1e4):.0f}) Å\nL = {fit.size_nm:.1f} ± {fit.size_error_nm:.1f} nm",
            ha="right",
            va="bottom",
            size=5.5,
            color=colour(sample),
        )
        top = base + 0.85
    from peled.structure.xrd import two_theta

    for hkl in fit.indices:
        at = two_theta(fit.a_A, hkl)
        if at < fit.two_theta_deg[-1] - 2 and sum(i * i for i in hkl) in (
            1,
            2,
            3,
            4,
            5,
            6,
            8,
            9,
            12,
            13,
        ):
            ax.text(
                at,
                top + 0.24,
                "".join(f"{i:.0f}" for i in hkl),
                ha="center",
                va="bottom",
                size=5,
                rotation=90,
            )
    ax.set(
        xlabel="2θ (degrees, Cu Kα)",
        ylabel="counts above background (norm.)",
        yticks=[],
        ylim=(0, top + 0.62),
        xlim=(fit.two_theta_deg[0], fit.two_theta_deg[-1]),
    )


def micrograph(ax, image, segmentation=None, *, bar_nm: float = 20.0) -> None:
    """A micrograph with a scale bar, outlines of the particles kept when given."""
    low, high = np.percentile(image.pixels, [1, 99.5])
    width, height = image.extent_nm
    ax.imshow(
        image.pixels,
        cmap="gray",
        vmin=low,
        vmax=high,
        extent=(0, width, height, 0),
        interpolation="nearest",
        rasterized=True,
    )
    if segmentation is not None:
        names = [segmentation.labels[round(p.row), round(p.column)] for p in segmentation.particles]
        kept = np.isin(segmentation.labels, names)
        rows, columns = kept.shape
        ax.contour(
            np.linspace(0, width, columns),
            np.linspace(0, height, rows),
            kept,
            levels=[0.5],
            colors=COLOURS["amber"],
            linewidths=0.5,
        )
    x = 0.05 * width
    ax.plot([x, x + bar_nm], [0.93 * height] * 2, color="white", lw=3, solid_capstyle="butt")
    ax.text(
        x + bar_nm / 2,
        0.91 * height,
        f"{bar_nm:g} nm",
        color="white",
        ha="center",
        va="bottom",
        size=6.5,
        bbox={"facecolor": "black", "alpha": 0.5, "pad": 0.8, "edgecolor": "none"},
    )
    ax.set(xticks=[], yticks=[])


def histogram(ax, distribution, sample: str) -> None:
    """Edges with mean, spread and the printed value's place."""
    edges = distribution.edges_nm
    ax.hist(
        edges,
        bins=np.arange(np.floor(edges.min()), np.ceil(edges.max()) + 1),
        color=colour(sample),
        alpha=0.75,
        edgecolor="white",
        lw=0.3,
    )
    ax.axvline(distribution.mean_nm, color="black", lw=0.8)
    ax.set(xlabel="edge (nm)", ylabel="cubes")
    ax.text(
        0.03,
        0.97,
        f"{distribution.mean_nm:.1f} ± {distribution.sd_nm:.1f} nm\n(mean ± {distribution.mean_error_nm:.2f})\n{len(edges)} cubes",
        transform=ax.transAxes,
        va="top",
        size=5.5,
    )


def transform(ax, lattice, sample: str, *, reach: float = 4.0) -> None:
    """Central part of the power spectrum with the indexed spots and spacings."""
    n = lattice.power.shape[0]
    k = min(int(reach / lattice.frequency_step), n // 2 - 1)
    part = np.log(lattice.power[n // 2 - k : n // 2 + k + 1, n // 2 - k : n // 2 + k + 1])
    edge = k * lattice.frequency_step
    ax.imshow(
        part,
        cmap="gray",
        extent=(-edge, edge, edge, -edge),
        vmin=np.percentile(part, 30),
        vmax=np.percentile(part, 99.95),
        rasterized=True,
    )
    for (h, l), spot in lattice.spots:
        for sign in (1, -1):
            ax.plot(
                sign * spot.fx,
                sign * spot.fy,
                "o",
                mfc="none",
                mec=COLOURS["amber"] if h * l == 0 else COLOURS["sky"],
                ms=7,
                mew=0.7,
            )
    ax.text(
        0.02,
        0.98,
        f"{{100}} {lattice.d100_nm:.3f} ± {lattice.d100_error_nm:.3f} nm",
        color=COLOURS["amber"],
        transform=ax.transAxes,
        va="top",
        size=6,
    )
    if np.isfinite(lattice.d110_nm):
        ax.text(
            0.02,
            0.91,
            f"{{110}} {lattice.d110_nm:.3f} ± {lattice.d110_error_nm:.3f} nm",
            color=COLOURS["sky"],
            transform=ax.transAxes,
            va="top",
            size=6,
        )
    ax.text(
        0.02,
        0.02,
        f"rotation {lattice.rotation_deg:.1f}°, axes {lattice.ellipticity:.3f} : 1 at {lattice.angle_deg:.1f}°",
        color="white",
        transform=ax.transAxes,
        size=5.5,
    )
    ax.set(xlabel="1/nm", ylabel="1/nm")


def core_levels(axes, results: dict, spectra: dict) -> None:
    """Survey and three core-level regions, one row each for both samples."""
    from peled.structure.reading import region

    ax = axes[0]
    for i, sample in enumerate(results):
        survey = region(spectra, sample, "survey")
        if survey is not None:
            y = survey.counts / survey.counts.max()
            ax.plot(
                survey.binding_energy_eV,
                y + 0.55 * i,
                lw=0.4,
                color=colour(sample),
                label=NAMES.get(sample, sample),
            )
    ax.set(
        xlabel="binding energy (eV)", ylabel="counts (norm.)", yticks=[], xlim=ax.get_xlim()[::-1]
    )
    ax.legend(loc="upper right")
    for ax, name in zip(axes[1:], ("I 3d", "Br 3d", "Pb 4f"), strict=True):
        for i, (sample, result) in enumerate(results.items()):
            fit = result.fits.get(name)
            if fit is None:
                continue
            unit = (fit.counts - fit.background).max()
            ax.plot(
                fit.energy_eV,
                (fit.counts - fit.background.min()) / unit + 1.1 * i,
                ".",
                ms=1,
                color=colour(sample),
                alpha=0.6,
                rasterized=True,
            )
            ax.plot(
                fit.energy_eV,
                (fit.model - fit.background.min()) / unit + 1.1 * i,
                color="black",
                lw=0.5,
            )
            ax.plot(
                fit.energy_eV,
                (fit.background - fit.background.min()) / unit + 1.1 * i,
                color=COLOURS["grey"],
                lw=0.5,
                ls="--",
            )
        ax.set(
            xlabel="binding energy (eV)", yticks=[], xlim=ax.get_xlim()[::-1], ylim=(-0.05, 2.45)
        )
        ax.text(
            0.04,
            0.97,
            "I 4d, Br 3d"
            if name == "Br 3d" and any("I 4d" in r.ratios for r in results.values())
            else name,
            transform=ax.transAxes,
            va="top",
            size=6,
        )


def cutoffs(ax, results: dict, spectra: dict) -> None:
    """Secondary edges on the scale of the work function, with fits."""
    from peled.structure.reading import region

    for sample, (cutoff, _, levels) in results.items():
        s = region(spectra, sample, "cut")
        x = s.binding_energy_eV - (s.target_bias_V or 0.0)
        near = np.abs(x - cutoff.energy_eV) < 1.4
        unit = cutoff.curve[:, 1].max()
        ax.plot(x[near], s.counts[near] / unit, ".", ms=2, color=colour(sample))
        ax.plot(cutoff.curve[:, 0], cutoff.curve[:, 1] / unit, color="black", lw=0.6)
        ax.axvline(
            cutoff.energy_eV,
            ymax=0.72,
            color=colour(sample),
            lw=0.6,
            ls="--",
            label=f"{NAMES.get(sample, sample)}: {cutoff.energy_eV:.2f} eV, work function {levels.work_function_eV:.2f} eV",
        )
    ax.set(xlabel="binding energy (eV, bias removed)", ylabel="counts (norm.)", ylim=(-0.03, 1.45))
    ax.invert_xaxis()
    ax.legend(loc="upper left", fontsize=5.5)


def valence(ax, results: dict, spectra: dict) -> None:
    """Valence regions with the extrapolated edges."""
    from peled.structure.reading import region

    for i, (sample, (_, onset, levels)) in enumerate(results.items()):
        s = region(spectra, sample, "valence")
        x = s.binding_energy_eV - (s.target_bias_V or 0.0)
        unit = s.counts.max()
        ax.plot(x, s.counts / unit + 0.5 * i, ".", ms=1.5, color=colour(sample))
        line = np.array([onset.energy_eV - 0.05, onset.energy_eV + 0.9])
        ax.plot(
            line, (onset.line[0] * line + onset.line[1]) / unit + 0.5 * i, color="black", lw=0.6
        )
        ax.axhline(onset.baseline / unit + 0.5 * i, color=COLOURS["grey"], lw=0.4)
        ax.plot(
            [],
            [],
            ".",
            color=colour(sample),
            label=f"{NAMES.get(sample, sample)}: edge {onset.energy_eV:.2f} ± {onset.error_eV:.2f} eV, ionisation {levels.ionisation_eV:.2f} eV",
        )
    ax.set(
        xlabel="binding energy (eV from the Fermi level)",
        ylabel="counts (norm., shifted)",
        xlim=(5.5, -1),
        ylim=(-0.05, 1.95),
        yticks=[],
    )
    ax.legend(loc="upper right", fontsize=5.5)


def infrared(ax, fits: dict) -> None:
    """Spectra above each other, baselines removed, bands marked."""
    order = {
        "OA": COLOURS["black"],
        "EDTA": COLOURS["EDTA"],
        "GL": COLOURS["GL"],
        "EG": COLOURS["E+G"],
    }
    for i, (name, fit) in enumerate(
        sorted(fits.items(), key=lambda kv: [*order, kv[0]].index(kv[0]))
    ):
        unit = 0.8 * np.percentile(fit.absorbance, 99.8)
        shade = order.get(name, COLOURS["grey"])
        ax.plot(fit.wavenumber_cm1, fit.absorbance / unit + 1.4 * i, lw=0.6, color=shade)
        for band in fit.bands:
            ax.plot(
                [band.position_cm1] * 2,
                np.array([1.1, 1.22]) * 0 + 1.4 * i + np.array([-0.16, -0.06]),
                color=shade,
                lw=0.5,
            )
        ax.text(2050, 1.4 * i + 0.12, NAMES.get(name, name), size=6, color=shade, ha="center")
    ax.set(
        xlabel="wavenumber (cm⁻¹)",
        ylabel="absorbance (norm., shifted)",
        xlim=(4000, 600),
        yticks=[],
    )


def tails(ax, fits: dict, data: dict) -> None:
    """Sub-gap absorption on a logarithmic scale, fitted tails, and in an inset the result against the window's end."""
    for sample, fit in fits.items():
        e, s = data[sample]
        unit = s.max()
        ax.semilogy(e, np.maximum(s, 1e-12) / unit, ".", ms=1.8, color=colour(sample))
        ax.plot(fit.curve[:, 0], fit.curve[:, 1] / unit, color="black", lw=0.6)
        ax.plot(
            [],
            [],
            ".",
            color=colour(sample),
            label=f"{NAMES.get(sample, sample)}: {fit.energy_meV:.1f} ± {fit.error_meV:.1f} (window {fit.window_error_meV:.1f}) meV",
        )
    ax.set(xlabel="photon energy (eV)", ylabel="PDS signal (norm.)", ylim=(1.2e-4, 60))
    ax.legend(loc="upper left", fontsize=5.5)
    inset = ax.inset_axes([0.66, 0.14, 0.31, 0.34])
    for sample, fit in fits.items():
        inset.errorbar(
            fit.scan[:, 0],
            fit.scan[:, 1],
            fit.scan[:, 2],
            fmt=".",
            ms=2,
            lw=0.4,
            color=colour(sample),
        )
    inset.set_xlabel("upper end of window (eV)", size=5, labelpad=1)
    inset.set_ylabel("meV", size=5, labelpad=1)
    inset.tick_params(labelsize=5)


def calibration(ax, line, contents: dict, ceilings: dict) -> None:
    """Lead contents beside the stoichiometric ceilings."""
    names = [n for n in contents if contents[n].value > 5]
    ax.bar(
        range(len(names)),
        [contents[n].value for n in names],
        yerr=[1.96 * contents[n].standard_error for n in names],
        color=[COLOURS.get(n, COLOURS["grey"]) for n in names],
        width=0.6,
        capsize=2,
    )
    groups: list[list[tuple[str, float]]] = []
    for name, value in sorted(
        ceilings.items(), key=lambda item: item[1]
    ):  # ceilings closer than a label's height share one
        groups.append([(name, value)]) if not groups or value - groups[-1][-1][1] > 45 else groups[
            -1
        ].append((name, value))
        ax.axhline(value, lw=0.5, ls="--", color=COLOURS["grey"])
    for group in groups:
        ax.text(
            len(names) - 0.45,
            np.mean([v for _, v in group]),
            "\n".join(f"{n} {v:.0f}" for n, v in reversed(group)),
            size=5,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    ax.set(
        xticks=range(len(names)),
        xticklabels=names,
        ylabel="Pb (µg per mg)",
        xlim=(-0.6, len(names) + 0.9),
    )


def compositions(ax, joint) -> None:
    """Bromide fractions by method with the joint value."""
    for i, (name, (value, error)) in enumerate(joint.estimates.items()):
        ax.errorbar(value, i, xerr=1.96 * error, fmt="o", ms=3, color=COLOURS["blue"], capsize=2)
        ax.text(
            1.02,
            i,
            f"{name} ({joint.pulls[name]:+.1f}σ)",
            transform=ax.get_yaxis_transform(),
            va="center",
            size=5.5,
        )
    ax.axvspan(
        joint.x_br - 1.96 * joint.error,
        joint.x_br + 1.96 * joint.error,
        color=COLOURS["grey"],
        alpha=0.3,
    )
    ax.set(yticks=[], xlabel="bromide fraction", ylim=(-0.6, len(joint.estimates) - 0.4))
