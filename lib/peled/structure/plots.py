"""Panels of several samples beside each other: each takes results by sample, an Axes and `shades`,
the colour of each sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from peled.figures import COLOURS
from peled.structure.xrd import two_theta

GREY = COLOURS["grey"]


def patterns(ax, fits: dict, shades: Mapping[str, str]) -> None:
    """Patterns with fits, residuals below each, indices above the first.

    Parameters
    ----------
    ax : Axes
    fits : dict of str to PawleyFit
        By sample, at least one; the first stands on top.
    shades : mapping of str to colour
        By sample, grey without.
    """
    top = 0.0
    for sample, fit in reversed(list(fits.items())):
        unit = (fit.observed - fit.background).max()
        base = top + 0.28
        ax.plot(
            fit.two_theta_deg,
            base + (fit.observed - fit.background) / unit,
            ".",
            ms=1.0,
            color=shades.get(sample, GREY),
            alpha=0.55,
            rasterized=True,
        )
        ax.plot(
            fit.two_theta_deg, base + (fit.model - fit.background) / unit, color="black", lw=0.6
        )
        ax.plot(
            fit.two_theta_deg,
            base - 0.16 + (fit.observed - fit.model) / unit * 0.9,
            color=GREY,
            lw=0.35,
        )
        ax.text(
            58.5,
            base + 0.30,
            f"{sample}: a = {fit.a_A:.4f}({round(fit.a_error_A * 1e4):.0f}) Å\n"
            f"L = {fit.size_nm:.1f} ± {fit.size_error_nm:.1f} nm",
            ha="right",
            va="bottom",
            size=5.5,
            color=shades.get(sample, GREY),
        )
        top = base + 0.85
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
    """A micrograph with a scale bar, outlines of the particles kept when given.

    Parameters
    ----------
    ax : Axes
    image : Image
    segmentation : Segmentation, optional
    bar_nm : float
        Length of the scale bar.
    """
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


def histogram(ax, distribution, shade: str) -> None:
    """Edges with mean, spread and the printed value's place.

    Parameters
    ----------
    ax : Axes
    distribution : SizeDistribution
    shade : colour
    """
    edges = distribution.edges_nm
    ax.hist(
        edges,
        bins=np.arange(np.floor(edges.min()), np.ceil(edges.max()) + 1),
        color=shade,
        alpha=0.75,
        edgecolor="white",
        lw=0.3,
    )
    ax.set(xlabel="edge (nm)", ylabel="cubes", ylim=(0, 1.25 * ax.get_ylim()[1]))
    ax.axvline(distribution.mean_nm, ymax=0.8, color="black", lw=0.8)
    ax.text(
        0.03,
        0.97,
        f"{distribution.mean_nm:.1f} ± {distribution.sd_nm:.1f} nm\n"
        f"(mean ± {distribution.mean_error_nm:.2f}, magnification aside)\n{len(edges)} cubes",
        transform=ax.transAxes,
        va="top",
        size=5.5,
    )


def transform(ax, lattice) -> None:
    """Central part of the power spectrum with the indexed spots and spacings.

    Parameters
    ----------
    ax : Axes
    lattice : LatticeFit
    """
    reach = 4.0
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
        f"rotation {lattice.rotation_deg:.1f}°, "
        f"axes {lattice.ellipticity:.3f} : 1 at {lattice.angle_deg:.1f}°",
        color="white",
        transform=ax.transAxes,
        size=5.5,
    )
    ax.set(xlabel="1/nm", ylabel="1/nm")


def core_levels(axes, fits: dict[str, dict], surveys: dict, shades: Mapping[str, str]) -> None:
    """Survey and three regions of core levels of each sample, above each other.

    `fits` is sample -> level -> fit, `surveys` sample -> spectrum or None.

    Parameters
    ----------
    axes : sequence of 4 Axes
        Survey, I 3d, Br 3d, Pb 4f.
    fits : dict of str to dict of str to LevelFit
    surveys : dict of str to Spectrum or None
    shades : mapping of str to colour
        By sample, grey without.
    """
    ax = axes[0]
    for i, (sample, survey) in enumerate(surveys.items()):
        if survey is not None:
            y = survey.counts / survey.counts.max() + 0.55 * i
            shade = shades.get(sample, GREY)
            ax.plot(survey.binding_energy_eV, y, lw=0.4, color=shade, label=sample)
    ax.set(xlabel="binding energy (eV)", ylabel="counts (norm.)", yticks=[])
    ax.set_xlim(ax.get_xlim()[::-1])
    ax.legend(loc="upper right")
    for ax, name in zip(axes[1:], ("I 3d", "Br 3d", "Pb 4f"), strict=True):
        for i, (sample, levels) in enumerate(fits.items()):
            if name in levels:
                _level(ax, levels[name], 1.1 * i, shades.get(sample, GREY))
        with_iodine = any("I 4d" in fit.names for f in fits.values() for fit in f.values())
        said = "I 4d, Br 3d" if name == "Br 3d" and with_iodine else name
        ax.set(xlabel="binding energy (eV)", yticks=[], ylim=(-0.05, 2.45))
        ax.set_xlim(ax.get_xlim()[::-1])
        ax.text(0.04, 0.97, said, transform=ax.transAxes, va="top", size=6)


def _level(ax, fit, offset: float, shade: str) -> None:
    unit, low = (fit.counts - fit.background).max(), fit.background.min()
    x = fit.energy_eV
    ax.plot(x, (fit.counts - low) / unit + offset, ".", ms=1, color=shade, alpha=0.6,
            rasterized=True)  # fmt: skip
    ax.plot(x, (fit.model - low) / unit + offset, color="black", lw=0.5)
    ax.plot(x, (fit.background - low) / unit + offset, color=GREY, lw=0.5, ls="--")


def cutoffs(ax, found: dict, shades: Mapping[str, str]) -> None:
    """Secondary edges with fits, bias removed: sample -> spectrum, cut-off, work function (eV).

    Parameters
    ----------
    ax : Axes
    found : dict of str to (Spectrum, Cutoff, float)
    shades : mapping of str to colour
        By sample, grey without.
    """
    for sample, (s, cutoff, work_eV) in found.items():
        bias = s.target_bias_V or 0.0
        x = s.binding_energy_eV - bias
        at = cutoff.energy_eV - bias
        near = np.abs(x - at) < 1.4
        unit = cutoff.curve[:, 1].max()
        ax.plot(x[near], s.counts[near] / unit, ".", ms=2, color=shades.get(sample, GREY))
        ax.plot(cutoff.curve[:, 0] - bias, cutoff.curve[:, 1] / unit, color="black", lw=0.6)
        said = f"{sample}: {at:.2f} eV, work function {work_eV:.2f} eV"
        ax.axvline(at, ymax=0.72, color=shades.get(sample, GREY), lw=0.6, ls="--", label=said)
    ax.set(xlabel="binding energy (eV, bias removed)", ylabel="counts (norm.)", ylim=(-0.03, 1.45))
    ax.invert_xaxis()
    ax.legend(loc="upper left", fontsize=5.5)


def valence(ax, found: dict, shades: Mapping[str, str]) -> None:
    """Valence regions with the fitted edges, bias removed: sample -> spectrum, edge,
    ionisation energy (eV).

    Parameters
    ----------
    ax : Axes
    found : dict of str to (Spectrum, Onset, float)
    shades : mapping of str to colour
        By sample, grey without.
    """
    for i, (sample, (s, onset, ionisation_eV)) in enumerate(found.items()):
        bias = s.target_bias_V or 0.0
        unit = s.counts.max()
        x, at = s.binding_energy_eV - bias, onset.energy_eV - bias
        said = (
            f"{sample}: edge {at:.2f} ± {onset.error_eV:.2f} eV, ionisation {ionisation_eV:.2f} eV"
        )
        shade = shades.get(sample, GREY)
        ax.plot(x, s.counts / unit + 0.5 * i, ".", ms=1.5, color=shade, label=said)
        fitted_at, fitted = onset.curve.T
        ax.plot(fitted_at - bias, fitted / unit + 0.5 * i, color="black", lw=0.6)
    ax.set(
        xlabel="binding energy (eV from the Fermi level)", ylabel="counts (norm., shifted)",
        xlim=(5.5, -1), ylim=(-0.05, 1.95), yticks=[],
    )  # fmt: skip
    ax.legend(loc="upper right", fontsize=5.5)


def infrared(ax, fits: dict, shades: Mapping[str, str]) -> None:
    """Spectra above each other in the order given, baselines removed, bands marked.

    Parameters
    ----------
    ax : Axes
    fits : dict of str to BandFit
        The first stands lowest.
    shades : mapping of str to colour
        By sample, grey without.
    """
    for i, (name, fit) in enumerate(fits.items()):
        unit = 0.8 * np.percentile(fit.absorbance, 99.8)
        shade = shades.get(name, GREY)
        ax.plot(fit.wavenumber_cm1, fit.absorbance / unit + 1.4 * i, lw=0.6, color=shade)
        for band in fit.bands:
            ends = 1.4 * i + np.array([-0.16, -0.06])
            ax.plot([band.position_cm1] * 2, ends, color=shade, lw=0.5)
        ax.text(2050, 1.4 * i + 0.12, name, size=6, color=shade, ha="center")
    ax.set(
        xlabel="wavenumber (cm⁻¹)",
        ylabel="absorbance (norm., shifted)",
        xlim=(4000, 600),
        yticks=[],
    )


def tails(ax, found: dict, shades: Mapping[str, str]) -> None:
    """Sub-gap absorption on a logarithmic scale, fitted tails; inset: the result against the end of
    the window. `found` is sample -> fit, (energy, signal).

    Parameters
    ----------
    ax : Axes
    found : dict of str to (UrbachFit, (ndarray, ndarray))
        Photon energy in eV, signal in any unit.
    shades : mapping of str to colour
        By sample, grey without.
    """
    for sample, (fit, (e, s)) in found.items():
        unit = s.max()
        ax.semilogy(e, np.maximum(s, 1e-12) / unit, ".", ms=1.8, color=shades.get(sample, GREY))
        ax.plot(fit.curve[:, 0], fit.curve[:, 1] / unit, color="black", lw=0.6)
        ax.plot(
            [],
            [],
            ".",
            color=shades.get(sample, GREY),
            label=f"{sample}: {fit.energy_meV:.2f} ± "
            f"{np.hypot(fit.error_meV, fit.window_error_meV):.2f} meV",
        )
    ax.set(xlabel="photon energy (eV)", ylabel="PDS signal (norm.)", ylim=(1.2e-4, 60))
    ax.legend(loc="upper left", fontsize=5.5)
    inset = ax.inset_axes([0.66, 0.14, 0.31, 0.34])
    for sample, (fit, _) in found.items():
        inset.errorbar(
            fit.scan[:, 0],
            fit.scan[:, 1],
            fit.scan[:, 2],
            fmt=".",
            ms=2,
            lw=0.4,
            color=shades.get(sample, GREY),
        )
    inset.set_xlabel("upper end of window (eV)", size=5, labelpad=1)
    inset.set_ylabel("meV", size=5, labelpad=1)
    inset.tick_params(labelsize=5)


def calibration(ax, contents: dict, ceilings: dict, shades: Mapping[str, str]) -> None:
    """Lead contents beside the stoichiometric ceilings.

    Parameters
    ----------
    ax : Axes
    contents : dict of str to Content
        By sample; those of 5 µg per mg or less are left out.
    ceilings : dict of str to float
        By compound, µg per mg.
    shades : mapping of str to colour
        By sample, grey without.
    """
    names = [n for n in contents if contents[n].value > 5]
    ax.bar(
        range(len(names)),
        [contents[n].value for n in names],
        yerr=[1.96 * contents[n].standard_error for n in names],
        color=[shades.get(n, GREY) for n in names],
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
        ax.axhline(value, lw=0.5, ls="--", color=GREY)
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
    """Bromide fractions by method with the joint value.

    Parameters
    ----------
    ax : Axes
    joint : JointComposition
    """
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
        color=GREY,
        alpha=0.3,
    )
    ax.set(yticks=[], xlabel="bromide fraction", ylim=(-0.6, len(joint.estimates) - 0.4))
