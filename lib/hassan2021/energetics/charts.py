"""Charts of notebook 06."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Circle

from hassan2021.colours import COLOURS
from hassan2021.energetics.methods import LeadGap
from peled.energetics import affinity, draw, frenkel
from peled.energetics.binding import Cell
from peled.energetics.outputs import EnergyRow
from peled.formats.atomistic import Structure

_SURFACE_COLOURS = {
    "bare": COLOURS["neat"],
    "GL": COLOURS["GL"],
    "GL+EDTA": COLOURS["E+G"],
    "MAI": COLOURS["grey"],
}


def quoted(cell: Cell, digits: int = 2) -> str:
    """An energy as printed, or its bounds.

    >>> from peled.energetics.intervals import Interval
    >>> quoted(Cell("GL+GL", Interval(-4.455, -3.69), printed=False))
    '-4.46 to -3.69'
    """
    e = cell.energy_eV
    if cell.printed:
        return f"{e.middle:.{digits}f}"
    if np.isinf(e.low):
        return f"below {e.high:.{digits}f}"
    return f"{e.low:.{digits}f} to {e.high:.{digits}f}"


def adsorbate(
    axes,
    structure: Structure,
    caption: Sequence[str],
    *,
    depth_angstrom: float = 4.2,
    turn_deg: float = 0.0,
) -> None:
    """Adsorbed molecules from the side and from above with contacts to lead and hydrogen bonds
    dashed, their lengths in angstrom, and text below.
    """
    drawn, _ = draw.two_views(
        axes, structure, turn_deg=turn_deg, depth_angstrom=depth_angstrom, fontsize=5
    )
    draw.legend(
        axes[1], drawn.structure.symbols, [c.kind for c in drawn.contacts], fontsize=5, ncols=5
    )
    axes[0].text(
        0.5,
        -0.02,
        _minus("\n".join(caption)),
        transform=axes[0].transAxes,
        ha="center",
        va="top",
        fontsize=6,
        linespacing=1.3,
    )


def complex_of_lead(ax, structure: Structure, caption: Sequence[str]) -> None:
    """A free complex with the lengths of its bonds to lead, from where they are seen best, and
    text below.
    """
    tilt_deg, turn_deg = draw.clearest(structure)
    draw.structure(ax, structure, tilt_deg=tilt_deg, turn_deg=turn_deg, fontsize=5)
    _caption(ax, caption)


def _caption(ax, lines: Sequence[str]) -> None:
    low, high = ax.get_ylim()
    room = 0.085 * len(lines)
    ax.set_ylim(low - room / (1 - room) * (high - low), high)
    ax.text(
        0.5,
        0.0,
        _minus("\n".join(lines)),
        transform=ax.transAxes,
        ha="center",
        va="bottom",
        fontsize=6,
        linespacing=1.3,
    )


def frenkel_pair(
    ax,
    structure: Structure,
    caption: Sequence[str],
    *,
    tilt_deg: float = 35.0,
    turn_deg: float = 0.0,
) -> None:
    """A slab with its displaced iodide in yellow (blue ring) and the place it came from as a dashed
    red circle; both from the structure's own comment line.
    """
    symbols, at = np.array(structure.symbols), structure.positions
    keep = np.flatnonzero(at[:, 2] > np.sort(at[symbols == "Pb", 2])[-4] - 1.5)
    top = Structure(tuple(symbols[keep]), at[keep], structure.cell, structure.info)
    colours, vacancy, moved = {}, None, None
    if "interstitial" in structure.info:
        moved = int(np.flatnonzero(keep == int(structure.info["interstitial"]))[0])
        colours[moved] = "#F1C40F"
        vacancy = np.array([float(x) for x in structure.info["vacancy"].split()])
    view = draw.atoms(
        ax,
        top.symbols,
        top.positions,
        cell=top.cell,
        tilt_deg=tilt_deg,
        turn_deg=turn_deg,
        colours=colours,
    )
    if vacancy is not None:
        there = draw.project(vacancy[None], tilt_deg=tilt_deg, turn_deg=turn_deg)[0]
        _ring(ax, there, "#C0392B", "empty site", ls=(0, (2.2, 1.4)))
        _ring(ax, view[moved], "#0072B2", "displaced iodide")
        # Between the slab and the caption, where no atom is.
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 0.17), ncol=2, fontsize=5, frameon=False,
            handlelength=1.2, borderaxespad=0,
        )  # fmt: skip
        apart = (top.positions[moved] - vacancy) @ np.linalg.inv(top.cell)
        caption = [
            *caption,
            f"{np.linalg.norm((apart - np.round(apart)) @ top.cell):.1f} \u00c5 from its site",
        ]
    _caption(ax, caption)


def _ring(ax, at: np.ndarray, colour: str, label: str, ls="-") -> None:
    """A circle around an iodide, or around the place of one, and its entry in the key."""
    radius = 1.12 * draw.LOOK["I"][1]
    ax.add_patch(Circle(at[:2], radius, fill=False, ec=colour, lw=1.2, ls=ls, zorder=5))
    ax.plot([], [], color=colour, lw=1.2, ls=ls, label=label)


def fragments(axes, structures: Mapping[str, Structure], captions: Mapping[str, str]) -> None:
    """A row of molecules, each with its name and energies."""
    for ax, (name, structure) in zip(axes, structures.items(), strict=False):
        centred = structure.positions - structure.positions.mean(axis=0)
        lying = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
        flat = lying[:, [0, 2, 1]]  # longest axis across, second upright
        draw.atoms(ax, structure.symbols, flat, tilt_deg=8, turn_deg=0, fade=0.3)
        half = (
            8.5 if len(structure) > 20 else 4.5
        )  # one scale for the ligands, one for the fragments
        middle = np.mean(ax.get_ylim())
        ax.set(xlim=(-half, half), ylim=(middle - 0.52 * half, middle + 0.52 * half))
        _caption(ax, captions[name].split("\n"))


def _minus(text: str) -> str:
    """A minus sign for every hyphen before a digit."""
    return re.sub(r"(?<![\w])-(?=\d)", "\u2212", text)


def binding_table(
    ax, cells: Mapping[str, Cell], computed: Mapping[str, Mapping[str, EnergyRow]]
) -> None:
    """Table of binding energies: printed, bounds for what is not printed, and one column for each
    method of `computed`.
    """
    head = ("molecule", "BE, paper (eV)", "per molecule", *computed)
    left = (0.0, 0.18, 0.37, *np.linspace(0.54, 0.84, len(computed)))
    rows = []
    for name, cell in cells.items():
        per = (
            f"({quoted(Cell(name, cell.per_molecule_eV, printed=cell.printed))})"
            if cell.molecules > 1
            else ""
        )
        found = []
        for rows_of in computed.values():
            row = rows_of.get(name)
            spread = f" ± {row.spread_eV:.2f}" if row and len(row.starts_eV) > 1 else ""
            each = f" ({row.energy_eV / row.molecules:.2f})" if row and row.molecules > 1 else ""
            found.append(_minus(f"{row.energy_eV:.2f}{spread}{each}") if row else "\u2013")
        rows.append((name, _minus(quoted(cell)), _minus(per), *found))
    for k, row in enumerate([head, *rows]):
        y = 1 - (k + 0.5) / (len(rows) + 1)
        bounds_only = k and not list(cells.values())[k - 1].printed
        for column, (x, text) in enumerate(zip(left, row, strict=True)):
            ax.text(
                x,
                y,
                text,
                fontsize=6,
                va="center",
                weight="normal" if k else "bold",
                color="#7B3294" if bounds_only and column in (1, 2) else "black",
                transform=ax.transAxes,
            )
    ax.axhline(1 - 1 / (len(rows) + 1), color="black", lw=0.6)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")


_METHOD_LOOK = (
    ("o", COLOURS["grey"]),
    ("o", COLOURS["blue"]),
    ("s", COLOURS["orange"]),
    ("^", COLOURS["amber"]),
)


def binding_chart(
    ax,
    cells: Mapping[str, Cell],
    computed: Mapping[str, Mapping[str, EnergyRow]],
    errors: Mapping[str, float],
) -> None:
    """Printed energies, bounds, and each method's energy with its standard error and all starts,
    on one axis.
    """
    names = [
        *cells,
        *(
            n
            for n in ("acetamide", "thiol", "ether")
            if any(n in rows for rows in computed.values())
        ),
    ]
    for k, name in enumerate(names):
        if name in cells:
            e = cells[name].energy_eV
            if cells[name].printed:
                ax.plot(e.middle, k - 0.28, "D", color="black", ms=3.6)
            else:
                ax.plot(
                    [max(e.low, -5.3), e.high],
                    [k - 0.28] * 2,
                    color=COLOURS["pink"],
                    lw=3,
                    solid_capstyle="butt",
                    alpha=0.6,
                )
                if np.isinf(e.low):
                    ax.annotate(
                        "",
                        xy=(-5.4, k - 0.28),
                        xytext=(-5.0, k - 0.28),
                        arrowprops={"arrowstyle": "-|>", "color": COLOURS["pink"], "lw": 1},
                    )
        for (_method, rows), (marker, colour), shift in zip(
            computed.items(), _METHOD_LOOK, (0.22, 0.0, 0.42, 0.55), strict=False
        ):
            if row := rows.get(name):
                ax.plot(
                    row.starts_eV,
                    np.full(len(row.starts_eV), k + shift),
                    "|",
                    color=colour,
                    ms=4.5,
                    alpha=0.8,
                )
                ax.errorbar(
                    row.energy_eV,
                    k + shift,
                    xerr=errors[_method],
                    fmt=marker,
                    ms=3,
                    color=colour,
                    lw=0.8,
                )
    for label, style in (
        ("paper", {"marker": "D", "ls": "", "color": "black"}),
        ("bounds from the text", {"color": COLOURS["pink"], "lw": 3, "alpha": 0.6}),
    ):
        ax.plot([], [], label=label, ms=3.6, **style)
    for method, (marker, colour) in zip(computed, _METHOD_LOOK, strict=False):
        ax.plot([], [], marker=marker, ls="", ms=3, color=colour, label=method)
    ax.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="binding energy (eV); bars: standard error of the method",
        xlim=(-5.5, 0.1),
    )
    ax.invert_yaxis()
    ax.legend(fontsize=5.5, loc="upper left")


def cutoff_chart(
    axes,
    found: Mapping[tuple[str, str], Sequence[tuple[float, EnergyRow]]],
    references: Mapping[str, EnergyRow],
    *,
    paper_Ry: float,
) -> None:
    """Binding energy against cutoff for each kind of potentials, one Axes a system; dashed what a
    Gaussian basis gives in the same geometry.
    """
    systems = list(dict.fromkeys(system for system, _ in found))
    looks = {"soft": ("o", COLOURS["blue"]), "hard": ("s", COLOURS["orange"])}
    for ax, system in zip(axes, systems, strict=False):
        for (name, potentials), rows in found.items():
            if name == system:
                marker, colour = looks.get(potentials, ("^", COLOURS["grey"]))
                ax.plot(
                    [c for c, _ in rows],
                    [r.energy_eV for _, r in rows],
                    marker=marker,
                    color=colour,
                    ms=3.5,
                    lw=0.9,
                    label=f"{potentials} potentials",
                )
        if system in references:
            ax.axhline(
                references[system].energy_eV,
                color="black",
                lw=0.8,
                ls="--",
                label="PySCF, def2-TZVP",
            )
        ax.axvline(paper_Ry, color="grey", lw=0.6, ls=":")
        ax.set(title=f"{system} on PbI$_2$", xlabel="wavefunction cutoff (Ry)")
        ax.title.set_fontsize(6.5)
    axes[0].set_ylabel("binding energy (eV)")
    axes[0].legend(fontsize=5.5, loc="lower right")


def lead_chart(ax, gaps: Mapping[str, LeadGap], printed_eV: float) -> None:
    """By how much EDTA holds free lead more strongly than glutathione, by method and medium,
    against the printed value.
    """
    for k, g in enumerate(gaps.values()):
        ax.errorbar(
            g.gap_eV,
            k,
            xerr=1.96 * g.error_eV,
            fmt="o",
            ms=3.2,
            lw=0.8,
            color=COLOURS["blue"] if "xTB" not in g.method else COLOURS["grey"],
        )
        ax.annotate(
            f"{g.gap_eV:+.2f}".replace("-", "\u2212"),
            (g.gap_eV, k),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=5.5,
            ha="center",
            zorder=4,
            bbox={"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none"},
        )
    ax.axvline(0, color="grey", lw=0.6)
    ax.axvline(printed_eV, color="black", lw=0.8, ls="--")
    ax.text(
        printed_eV,
        1.0,
        "paper",
        transform=ax.get_xaxis_transform(),
        fontsize=5.5,
        ha="center",
        va="bottom",
    )
    ax.set(
        yticks=range(len(gaps)),
        yticklabels=list(gaps),
        xlabel="E$_b$(GL) \u2212 E$_b$(EDTA) on Pb$^{2+}$ (eV); bars: 95 %",
    )
    ax.set_ylim(len(gaps) - 0.5, -0.7)
    ax.tick_params(axis="y", labelsize=5.5)


def pairs_against_energy(
    ax,
    energies: Mapping[str, float],
    *,
    temperature_K: float,
    sites: int,
    error_eV: float,
    marked_eV: float | None = None,
) -> None:
    """Pairs per crystal against formation energy: large-crystal mass action, its dilute limit, and
    one small crystal.
    """
    grid = np.linspace(0, 0.9, 181)
    ax.semilogy(
        grid,
        sites * frenkel.pair_fraction(grid, temperature_K),
        color="black",
        lw=1,
        label="mass action",
    )
    ax.semilogy(
        grid,
        sites * frenkel.dilute_fraction(grid, temperature_K),
        color="grey",
        lw=0.8,
        ls=":",
        label="exp(-E/2kT)",
    )
    ax.semilogy(
        grid,
        frenkel.pairs_per_crystal(grid, sites, temperature_K),
        color=COLOURS["orange"],
        lw=1.1,
        ls="--",
        label="one closed crystal",
    )
    for name, energy in energies.items():
        n = frenkel.pairs_per_crystal(energy, sites, temperature_K)
        low, high = (
            frenkel.pairs_per_crystal(energy + s * 1.96 * error_eV, sites, temperature_K)
            for s in (1, -1)
        )
        ax.errorbar(
            energy,
            n,
            yerr=[[n - low], [high - n]],
            fmt="o",
            ms=4,
            lw=0.9,
            capsize=2,
            color=_SURFACE_COLOURS.get(name, "black"),
        )
        ax.annotate(
            name,
            (energy, n),
            xytext=(-12, -12) if name == "GL" else (5, 6),
            textcoords="offset points",
            fontsize=6,
            color=_SURFACE_COLOURS.get(name, "black"),
        )
    if marked_eV is not None:
        n = float(frenkel.pairs_per_crystal(marked_eV, sites, temperature_K))
        ax.plot(marked_eV, n, "*", ms=9, color=COLOURS["amber"], zorder=6)
        ax.annotate(
            f"{n:.2g} pairs",
            (marked_eV, n),
            xytext=(6, -10),
            textcoords="offset points",
            fontsize=6,
        )
    ax.set(
        xlabel="formation energy (eV)",
        ylabel=f"pairs per crystal of {sites} surface I",
        xlim=(-0.02, 0.92),
        ylim=(
            max(1e-9, 1e-3 * float(frenkel.pairs_per_crystal(0.9, sites, temperature_K))),
            3 * sites,
        ),
    )
    ax.text(
        0.98,
        0.97,
        f"{temperature_K:.0f} K",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=6,
    )
    ax.legend(fontsize=5.5, loc="lower left")


def suppression_chart(
    ax,
    found: Mapping[str, tuple[frenkel.Suppression, frenkel.Suppression]],
    errors: tuple[float, float],
) -> None:
    """Suppression factors with 95 % intervals for two errors of the energies."""
    for k, pair in enumerate(found.values()):
        for s, shift, colour, error in zip(
            pair, (-0.13, 0.13), (COLOURS["blue"], COLOURS["amber"]), errors, strict=True
        ):
            ax.plot(
                [s.low, s.high],
                [k + shift] * 2,
                color=colour,
                lw=2,
                label=f"± {error:g} eV each" if not k else None,
            )
            ax.plot(s.factor, k + shift, "o", ms=3.5, color=colour)
        ax.text(
            0.99,
            k,
            f"P {pair[0].probability:.2f} / {pair[1].probability:.2f}",
            transform=ax.get_yaxis_transform(),
            fontsize=5.5,
            ha="right",
            va="center",
        )
    ax.axvline(1, color="grey", lw=0.7)
    ax.set(
        xscale="log",
        yticks=range(len(found)),
        yticklabels=list(found),
        xlabel="pairs on the reference / pairs on the treated surface",
        xlim=(0.02, 3e11),
    )
    ax.set_ylim(len(found) - 0.5, -0.9)
    ax.legend(fontsize=5.5, loc="upper right", ncols=2)


def conditional_constants(ax, constants: Mapping[str, dict], gap_log: float) -> None:
    """log K' against pH for each chelator (a band over the range of its constant), lead's
    hydroxides counted, and what the vacuum difference would mean.
    """
    pH = np.linspace(0, 13, 131)
    for name, entry in constants.items():
        low, high = entry["log_k"]
        bottom, top = (affinity.conditional_log_k(k, pH, entry["pKa"]) for k in (low, high))
        ax.fill_between(pH, bottom, top, color=COLOURS[name], alpha=0.3, lw=0)
        ax.plot(pH, (bottom + top) / 2, color=COLOURS[name], lw=1, label=f"Pb-{name}")
    edta = affinity.conditional_log_k(
        np.mean(constants["EDTA"]["log_k"]), pH, constants["EDTA"]["pKa"]
    )
    ax.plot(
        pH,
        edta - gap_log,
        color="grey",
        ls="--",
        lw=0.9,
        label=f"EDTA less {gap_log:.1f} (0.80 eV)",
    )
    ax.set(xlabel="pH", ylabel="log K' (water)", xlim=(0, 13))
    ax.axhline(0, color="black", lw=0.4)
    ax.legend(fontsize=5.5, loc="lower right")


def ladder(
    ax, name: str, rows: Mapping[str, EnergyRow], cells: Mapping[str, Cell], error_eV: float
) -> None:
    """Energy levels from apart to adsorbed: members alone, then together for a pair; all starts
    thin, the paper's level dashed.

    Parameters
    ----------
    name : str
        A system of the table, `GL` or `GL+EDTA`.
    error_eV : float
        Standard error of the method, drawn on the lowest level.
    """
    members = name.split("+")
    levels: list[tuple[str, float, Sequence[float], float | None]] = [("apart", 0.0, (), 0.0)]
    if len(members) > 1 and all(m in rows for m in members):
        printed = (
            [cells[m].energy_eV.middle for m in members]
            if all(m in cells and cells[m].printed for m in members)
            else None
        )
        levels.append(
            (
                "each alone",
                sum(rows[m].energy_eV for m in members),
                (),
                sum(printed) if printed else None,
            )
        )
    if name in rows:
        cell = cells.get(name)
        levels.append(
            (
                "together" if len(members) > 1 else "adsorbed",
                rows[name].energy_eV,
                rows[name].starts_eV,
                cell.energy_eV.middle if cell and cell.printed else None,
            )
        )
    for k, (_label, value, starts, printed) in enumerate(levels):
        ax.hlines(starts, k - 0.3, k + 0.3, color=COLOURS["sky"], lw=0.6)
        ax.hlines(value, k - 0.3, k + 0.3, color=COLOURS["blue"], lw=2)
        ax.annotate(
            _minus(f"{value:.2f}"),
            (k, value),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=6,
        )
        if printed is not None and k:
            ax.hlines(printed, k - 0.3, k + 0.3, color="black", lw=0.9, ls="--")
        if k:
            ax.plot([k - 0.7, k - 0.3], [levels[k - 1][1], value], color="grey", lw=0.6, ls=":")
    if len(levels) > 1:
        ax.errorbar(
            len(levels) - 0.62,
            levels[-1][1],
            yerr=error_eV,
            color=COLOURS["blue"],
            lw=0.8,
            capsize=2,
        )
    ax.plot([], [], color="black", lw=0.9, ls="--", label="paper")
    ax.set(
        xticks=range(len(levels)),
        xticklabels=[level[0] for level in levels],
        ylabel="energy (eV)",
        title=name,
    )
    ax.margins(y=0.15)
    ax.legend(fontsize=5.5, loc="lower left")
