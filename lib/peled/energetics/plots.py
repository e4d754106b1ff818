"""The panels of the energetics room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from peled.energetics import affinity, draw, frenkel
from peled.energetics.binding import Cell
from peled.energetics.outputs import EnergyRow
from peled.figures import COLOURS
from peled.formats.atomistic import Structure

_SURFACE_COLOURS = {"bare": COLOURS["neat"], "GL": COLOURS["GL"], "GL+EDTA": COLOURS["E+G"], "MAI": COLOURS["grey"]}


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


def no_file(ax, text: str) -> None:
    """A panel whose file is not there says so."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=6.5, color="#777777")
    ax.axis("off")


def near(structure: Structure, *, depth: float = 4.0, reach: float | None = None) -> Structure:
    """The top of a slab: what lies above `depth` angstrom under the top lead, within `reach` of the adsorbate's middle."""
    symbols, at = np.array(structure.symbols), structure.positions
    top = at[symbols == "Pb", 2].max()
    keep = at[:, 2] > top - depth
    if reach is not None:
        light = (at[:, 2] > top + 1.0) & ~np.isin(symbols, ["Pb", "I"])
        middle = at[light, :2].mean(axis=0) if light.any() else at[:, :2].mean(axis=0)
        keep &= np.linalg.norm(at[:, :2] - middle, axis=1) < reach
    index = np.flatnonzero(keep)
    return Structure(tuple(symbols[index]), at[index], None, structure.info | {"kept": index})


def molecules_above(structure: Structure) -> np.ndarray:
    """A number for each molecule above the surface (connected light atoms over the top lead), -1 for the rest."""
    symbols, at = structure.symbols, structure.positions
    lead = at[[s == "Pb" for s in symbols], 2]
    light = np.array([s in "HCNOS" for s in symbols]) & (at[:, 2] > (lead.max() if len(lead) else -np.inf) + 0.8)
    groups = np.full(len(symbols), -1)
    neighbours: dict[int, list[int]] = {k: [] for k in np.flatnonzero(light)}
    for i, j in draw.bonds(symbols, at):
        if light[i] and light[j]:
            neighbours[i].append(j)
            neighbours[j].append(i)
    count = 0
    for start in neighbours:
        if groups[start] >= 0:
            continue
        stack = [start]
        while stack:
            k = stack.pop()
            if groups[k] < 0:
                groups[k] = count
                stack += neighbours[k]
        count += 1
    return groups


def adsorbate(ax, structure: Structure, caption: Sequence[str], *, tilt_deg: float = 12.0, turn_deg: float = 20.0, scale: float = 1.0) -> None:
    """Adsorbed molecules with hydrogen bonds between them dashed, and lines of text below."""
    groups = molecules_above(structure)
    links = draw.hydrogen_bonds(structure.symbols, structure.positions, groups)
    draw.atoms(ax, structure.symbols, structure.positions, tilt_deg=tilt_deg, turn_deg=turn_deg, dashed=links, scale=scale)
    _caption(ax, caption)


def _caption(ax, lines: Sequence[str]) -> None:
    low, high = ax.get_ylim()
    room = 0.085 * len(lines)
    ax.set_ylim(low - room / (1 - room) * (high - low), high)
    ax.text(0.5, 0.0, "\n".join(lines), transform=ax.transAxes, ha="center", va="bottom", fontsize=6, linespacing=1.3)


def frenkel_pair(ax, structure: Structure, caption: Sequence[str], *, tilt_deg: float = 28.0, turn_deg: float = 20.0) -> None:
    """A slab with its displaced iodide in yellow and the empty site circled; both come from the structure's own comment line."""
    top = near(structure, depth=4.0)
    kept = list(top.info["kept"])
    colours, vacancy = {}, None
    if "interstitial" in structure.info:
        moved = kept.index(int(structure.info["interstitial"]))
        colours[moved] = "#F1C40F"
        vacancy = np.array([float(x) for x in structure.info["vacancy"].split()])
    at = top.positions if vacancy is None else np.vstack([top.positions, vacancy])
    view = draw.project(at, tilt_deg=tilt_deg, turn_deg=turn_deg)
    draw.atoms(ax, top.symbols, top.positions, tilt_deg=tilt_deg, turn_deg=turn_deg, colours=colours)
    if vacancy is not None:
        ax.plot(*view[-1, :2], "o", ms=9, mfc="none", mec="#C0392B", mew=1.1, ls="", zorder=5)
        ax.plot(*view[moved, :2], "o", ms=11, mfc="none", mec="#0072B2", mew=1.1, ls="", zorder=5)
        ax.annotate(
            "",
            xy=view[moved, :2],
            xytext=view[-1, :2],
            arrowprops={"arrowstyle": "-|>", "lw": 0.9, "color": "#C0392B", "shrinkA": 4.5, "shrinkB": 5.5, "mutation_scale": 6},
        )
    _caption(ax, caption)


def fragments(axes, structures: Mapping[str, Structure], captions: Mapping[str, str]) -> None:
    """A row of molecules, each with its name and energies."""
    for ax, (name, structure) in zip(axes, structures.items(), strict=False):
        centred = structure.positions - structure.positions.mean(axis=0)
        lying = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
        flat = lying[:, [0, 2, 1]]  # longest axis across, second upright
        draw.atoms(ax, structure.symbols, flat, tilt_deg=8, turn_deg=0, fade=0.3)
        half = 8.5 if len(structure) > 20 else 4.5  # one scale for the ligands, one for the fragments
        middle = np.mean(ax.get_ylim())
        ax.set(xlim=(-half, half), ylim=(middle - 0.52 * half, middle + 0.52 * half))
        _caption(ax, captions[name].split("\n"))


def binding_table(ax, cells: Mapping[str, Cell], computed: Mapping[str, EnergyRow]) -> None:
    """Table of binding energies: printed, bounds for what is not printed, and the independent cluster's."""
    head = ("molecule", "BE (eV)", "per molecule", "stands on", "cluster (eV)")
    left = (0.0, 0.25, 0.49, 0.67, 0.86)
    rows = []
    for name, cell in cells.items():
        per = quoted(Cell(name, cell.per_molecule_eV, printed=cell.printed)) if cell.molecules > 1 else ""
        found = computed.get(name)
        spread = f" ± {found.spread_eV:.2f}" if found and len(found.starts_eV) > 1 else ""
        rows.append(
            (
                name,
                quoted(cell),
                f"({per})" if per else "",
                "printed in text" if cell.printed else "bounds only",
                f"{found.energy_eV:.2f}{spread}" if found else "",
            )
        )
    for k, row in enumerate([head, *rows]):
        y = 1 - (k + 0.5) / (len(rows) + 1)
        for x, text in zip(left, row, strict=True):
            ax.text(
                x,
                y,
                text.replace("-", "\u2212") if k and text[:1] in "-(b" and any(c.isdigit() for c in text) else text,
                fontsize=6,
                va="center",
                weight="bold" if not k else "normal",
                color="#7B3294" if k and row[3] == "bounds only" else "black",
                transform=ax.transAxes,
            )
    ax.axhline(1 - 1 / (len(rows) + 1), color="black", lw=0.6)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")


def binding_chart(ax, cells: Mapping[str, Cell], computed: Mapping[str, EnergyRow], *, method_error_eV: float) -> None:
    """Printed energies, bounds, and the cluster's energies with all starts, on one axis."""
    names = list(cells)
    for k, name in enumerate(names):
        e = cells[name].energy_eV
        if cells[name].printed:
            ax.plot(e.middle, k, "D", color="black", ms=4, label="paper" if not k else None)
        else:
            ax.plot(
                [max(e.low, -5.0), e.high],
                [k, k],
                color=COLOURS["pink"],
                lw=3.5,
                solid_capstyle="butt",
                alpha=0.6,
                label="bounds from the text" if name == "amide" else None,
            )
            if np.isinf(e.low):
                ax.annotate("", xy=(-5.05, k), xytext=(-4.7, k), arrowprops={"arrowstyle": "-|>", "color": COLOURS["pink"], "lw": 1})
        if row := computed.get(name):
            ax.plot(row.starts_eV, np.full(len(row.starts_eV), k - 0.22), "|", color=COLOURS["sky"], ms=5)
            ax.errorbar(
                row.energy_eV, k - 0.22, xerr=method_error_eV, fmt="o", ms=3, color=COLOURS["blue"], lw=0.8, label="cluster, GFN2-xTB" if not k else None
            )
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel="binding energy (eV)", xlim=(-5.1, 0.1))
    ax.invert_yaxis()
    ax.legend(fontsize=5.5, loc="upper left")


def pairs_against_energy(ax, energies: Mapping[str, float], *, temperature_K: float, sites: int, error_eV: float, marked_eV: float | None = None) -> None:
    """Pairs per crystal against formation energy: large-crystal mass action, its dilute limit, and one small crystal."""
    grid = np.linspace(0, 0.9, 181)
    ax.semilogy(grid, sites * frenkel.pair_fraction(grid, temperature_K), color="black", lw=1, label="mass action")
    ax.semilogy(grid, sites * frenkel.dilute_fraction(grid, temperature_K), color="grey", lw=0.8, ls=":", label="exp(-E/2kT)")
    ax.semilogy(grid, frenkel.pairs_per_crystal(grid, sites, temperature_K), color=COLOURS["orange"], lw=1.1, ls="--", label="one closed crystal")
    for name, energy in energies.items():
        n = frenkel.pairs_per_crystal(energy, sites, temperature_K)
        low, high = (frenkel.pairs_per_crystal(energy + s * 1.96 * error_eV, sites, temperature_K) for s in (1, -1))
        ax.errorbar(energy, n, yerr=[[n - low], [high - n]], fmt="o", ms=4, lw=0.9, capsize=2, color=_SURFACE_COLOURS.get(name, "black"))
        ax.annotate(
            name, (energy, n), xytext=(-12, -12) if name == "GL" else (5, 6), textcoords="offset points", fontsize=6, color=_SURFACE_COLOURS.get(name, "black")
        )
    if marked_eV is not None:
        n = float(frenkel.pairs_per_crystal(marked_eV, sites, temperature_K))
        ax.plot(marked_eV, n, "*", ms=9, color=COLOURS["amber"], zorder=6)
        ax.annotate(f"{n:.2g} pairs", (marked_eV, n), xytext=(6, -10), textcoords="offset points", fontsize=6)
    ax.set(
        xlabel="formation energy (eV)",
        ylabel=f"pairs per crystal of {sites} surface I",
        xlim=(-0.02, 0.92),
        ylim=(max(1e-9, 1e-3 * float(frenkel.pairs_per_crystal(0.9, sites, temperature_K))), 3 * sites),
    )
    ax.text(0.98, 0.97, f"{temperature_K:.0f} K", transform=ax.transAxes, ha="right", va="top", fontsize=6)
    ax.legend(fontsize=5.5, loc="lower left")


def suppression_chart(ax, found: Mapping[str, tuple[frenkel.Suppression, frenkel.Suppression]], errors: tuple[float, float]) -> None:
    """Suppression factors with 95 % intervals for two errors of the energies."""
    for k, pair in enumerate(found.values()):
        for s, shift, colour, error in zip(pair, (-0.13, 0.13), (COLOURS["blue"], COLOURS["amber"]), errors, strict=True):
            ax.plot([s.low, s.high], [k + shift] * 2, color=colour, lw=2, label=f"± {error:g} eV each" if not k else None)
            ax.plot(s.factor, k + shift, "o", ms=3.5, color=colour)
        ax.text(0.99, k, f"P {pair[0].probability:.2f} / {pair[1].probability:.2f}", transform=ax.get_yaxis_transform(), fontsize=5.5, ha="right", va="center")
    ax.axvline(1, color="grey", lw=0.7)
    ax.set(xscale="log", yticks=range(len(found)), yticklabels=list(found), xlabel="pairs on the reference / pairs on the treated surface", xlim=(0.02, 3e11))
    ax.set_ylim(len(found) - 0.5, -0.9)
    ax.legend(fontsize=5.5, loc="upper right", ncols=2)


def conditional_constants(ax, constants: Mapping[str, dict], gap_log: float) -> None:
    """log K' against pH for each chelator (a band where the literature scatters), and what the vacuum difference would mean."""
    pH = np.linspace(0, 13, 131)
    for name, entry in constants.items():
        low, high = entry["log_k"]
        bottom, top = (affinity.conditional_log_k(k, pH, entry["pKa"]) for k in (low, high))
        ax.fill_between(pH, bottom, top, color=COLOURS[name], alpha=0.3, lw=0)
        ax.plot(pH, (bottom + top) / 2, color=COLOURS[name], lw=1, label=f"Pb-{name}")
    edta = affinity.conditional_log_k(np.mean(constants["EDTA"]["log_k"]), pH, constants["EDTA"]["pKa"])
    ax.plot(pH, edta - gap_log, color="grey", ls="--", lw=0.9, label=f"EDTA less {gap_log:.1f} (0.80 eV)")
    ax.set(xlabel="pH", ylabel="log K' (water)", xlim=(0, 13))
    ax.axhline(0, color="black", lw=0.4)
    ax.legend(fontsize=5.5, loc="upper left")
