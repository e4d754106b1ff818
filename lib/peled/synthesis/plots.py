"""Drawings of the synthesis room: the flow of the procedure, the flow of lead, the ligands, a weighing table."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline

from peled import molecules
from peled.figures import COLOURS
from peled.materials import wavelength_rgb
from peled.synthesis.amounts import molar_mass
from peled.synthesis.procedure import Outcome, Procedure
from peled.synthesis.recipe import Recipe

_STAGES = (("Precursor", "#E8F0F8"), ("Synthesis", "#FBEDE2"), ("treatment", "#E6F4EE"))


def procedure_flow(ax, procedure: Procedure, *, columns: int = 4) -> None:
    """All steps as boxes in reading order, each with its quantities and conditions as the file has them."""
    steps = procedure.steps
    width, gap_x, gap_y, line = 1.0, 0.17, 0.13, 0.072
    titles = [
        textwrap.wrap(f"{k + 1}  {step.get('title', step['id'])}", 27)
        for k, step in enumerate(steps)
    ]
    texts = [_lines(procedure, step) for step in steps]
    rows = [
        range(first, min(first + columns, len(steps))) for first in range(0, len(steps), columns)
    ]
    heights = [0.1 + line * max(1.15 * len(titles[k]) + len(texts[k]) for k in row) for row in rows]
    tops = [-sum(heights[:r]) - r * gap_y for r in range(len(rows))]
    for k, step in enumerate(steps):
        row, place = divmod(k, columns)
        height = heights[row]
        x, y = place * (width + gap_x), tops[row] - height
        colour = next(
            (c for word, c in _STAGES if word.lower() in step.get("section", "").lower()), "#F2F2F2"
        )
        ax.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0.0,rounding_size=0.04",
                facecolor=colour,
                edgecolor="#555555",
                lw=0.6,
            )
        )
        ax.text(
            x + 0.04,
            y + height - 0.04,
            "\n".join(titles[k]),
            va="top",
            ha="left",
            weight="bold",
            fontsize=6,
        )
        ax.text(
            x + 0.04,
            y + height - 0.06 - 1.15 * line * len(titles[k]),
            "\n".join(texts[k]),
            va="top",
            ha="left",
            fontsize=5.8,
            linespacing=1.25,
        )
        if k + 1 < len(steps):
            if step.get("alternative") and steps[k + 1].get("alternative"):
                ax.text(
                    x + width + gap_x / 2,
                    y + height / 2,
                    "or",
                    ha="center",
                    va="center",
                    fontsize=6,
                    style="italic",
                )
            elif place == columns - 1:  # on to the first box of the next row
                middle, down = y - gap_y / 2, y - gap_y
                ax.plot(
                    [x + width / 2, x + width / 2, width / 2],
                    [y, middle, middle],
                    color="#555555",
                    lw=0.8,
                    solid_capstyle="round",
                )
                _arrow(ax, (width / 2, middle), (width / 2, down))
            else:
                _arrow(ax, (x + width, y + height / 2), (x + width + gap_x, y + height / 2))
    ax.set_xlim(-0.03, columns * (width + gap_x) - gap_x + 0.03)
    ax.set_ylim(tops[-1] - heights[-1] - 0.04, 0.04)
    ax.axis("off")


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=6,
            lw=0.8,
            color="#555555",
            shrinkA=0,
            shrinkB=0,
        )
    )


def _entries(step: dict, action: str) -> list[dict]:
    found = step.get(action, [])
    return found if isinstance(found, list) else [found]


def _lines(procedure: Procedure, step: dict) -> list[str]:
    lines = []
    for action in ("add", "treat"):
        for entry in _entries(step, action):
            quantity = entry.get("mass") or entry.get("volume") or entry.get("amount")
            times = f"{entry['times']} × " if entry.get("times") else ""
            if quantity:
                lines.append(
                    f"{times}{quantity} {procedure.chemicals[entry['chemical']].name.replace('L-glutathione (reduced)', 'GL')}"
                )
    for action, verb in (("transfer", ""), ("disperse", "toluene ")):
        for entry in _entries(step, action):
            times = f"{entry['times']} × " if entry.get("times") else ""
            lines.append(
                f"{times}{entry['volume']} {verb}"
                + (f"{entry['from']} → {entry['to']}" if action == "transfer" else "").strip()
            )
    if step.get("note"):
        lines.append("1 + 1 mmol (sum assumed)")
    lines += step.get("conditions", [])
    return [re.sub(r"\s+", " ", piece) for line in lines for piece in textwrap.wrap(line, 33)]


def lead_flow(
    ax, outcome: Outcome, *, component: str = "Pb", names: dict[str, str] | None = None
) -> None:
    """Where a component goes: bands as wide as the amount that moves, from the bottle to where it ends.

    The columns are the vessels in the order they are first filled; what stays in a vessel ends there.
    """
    names = names or {}
    flows = [
        (f.source, f.target, f.amounts[component].nominal_value)
        for f in outcome.flows
        if component in f.amounts and f.amounts[component].nominal_value > 1e-9
    ]
    order: list[str] = []
    for source, target, _ in flows:
        order += [name for name in (source, target) if name not in order]
    depth = {name: 0 for name in order}
    for source, target, _ in flows:
        depth[target] = max(depth[target], depth[source] + 1)
    inflow, outflow = defaultdict(float), defaultdict(float)
    for source, target, amount in flows:
        outflow[source] += amount
        inflow[target] += amount
    size = {name: max(inflow[name], outflow[name]) for name in order}
    top: dict[int, float] = defaultdict(float)
    place = {}
    total = max(size.values())
    for name in order:
        place[name] = top[depth[name]]
        top[depth[name]] -= size[name] + 0.13 * total
    taken, given = defaultdict(float), defaultdict(float)
    bar = 0.1
    for source, target, amount in flows:
        y0, y1 = place[source] - taken[source], place[target] - given[target]
        taken[source] += amount
        given[target] += amount
        x0, x1 = depth[source] + bar, depth[target]
        middle = (x0 + x1) / 2
        vertices = [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, y1 - amount),
            (middle, y1 - amount),
            (middle, y0 - amount),
            (x0, y0 - amount),
            (x0, y0),
        ]
        codes = [
            Outline.MOVETO,
            Outline.CURVE4,
            Outline.CURVE4,
            Outline.CURVE4,
            Outline.LINETO,
            Outline.CURVE4,
            Outline.CURVE4,
            Outline.CURVE4,
            Outline.CLOSEPOLY,
        ]
        ax.add_patch(
            PathPatch(
                Outline(vertices, codes), facecolor=COLOURS["sky"], alpha=0.45, edgecolor="none"
            )
        )
    for name in order:
        ax.add_patch(
            FancyBboxPatch(
                (depth[name], place[name] - size[name]),
                bar,
                size[name],
                boxstyle="square,pad=0",
                facecolor=COLOURS["blue"],
                edgecolor="none",
            )
        )
        stays = size[name] - outflow[name]
        held = f"\n{stays:.3f} left" if 1e-6 < stays < size[name] - 1e-9 else ""
        ax.text(
            depth[name] + bar / 2,
            place[name] + 0.012 * total,
            f"{names.get(name, name)}\n{size[name]:.3f} mmol{held}",
            ha="center",
            va="bottom",
            fontsize=5.6,
        )
    ax.set_xlim(-0.35, max(depth.values()) + 0.45)
    ax.set_ylim(min(place[n] - size[n] for n in order) - 0.04 * total, 0.24 * total)
    ax.axis("off")


def ligand_structures(
    axes,
    procedure: Procedure,
    drawings: dict[str, molecules.Molecule],
    donors: dict[str, list[str]],
) -> None:
    """Skeletal structures with name, formula, molar mass and donor groups, one an Axes."""
    for ax, (key, molecule) in zip(np.ravel(axes), drawings.items(), strict=True):
        molecules.draw(ax, molecule, fontsize=6)
        chemical = procedure.chemicals[key]
        formula = re.sub(r"(\d+)", r"$_{\1}$", chemical.formula)
        ax.set_title(
            f"{chemical.name}\n{formula}, {molar_mass(chemical.formula).nominal_value:.2f} g/mol",
            fontsize=6.2,
            pad=2,
        )
        ax.text(
            0.5,
            0.0,
            "donors: " + ", ".join(donors.get(key, [])),
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=5.8,
            color="#7B3294",
        )


def mass_balance(ax, stated_mg: float, bounds: dict[str, float]) -> None:
    """The stated mass of crystals beside what the lead and the bromide allow."""
    labels = ["stated", *bounds]
    values = [stated_mg, *bounds.values()]
    bars = ax.barh(
        range(len(values)),
        values,
        color=[COLOURS["orange"]] + [COLOURS["blue"]] * len(bounds),
        height=0.62,
    )
    ax.bar_label(bars, [f"{v:.0f} mg" for v in values], padding=2, fontsize=6)
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.18 * max(values))
    ax.set_xlabel("mass of crystals in 12 mL of stock (mg)")


def weighing_table(ax, recipe: Recipe) -> None:
    """The weighing table of a recipe, with a patch in the colour of its bulk emission."""
    cells = [
        [w.salt, f"{w.amount_mmol:.3f}", f"{w.mass_mg:.1f}", f"± {w.tolerance_mg:.1f}"]
        for w in recipe.weighings
    ]
    table = ax.table(
        cells,
        colLabels=["salt", "mmol", "mg", "tolerance (mg)"],
        loc="center",
        cellLoc="right",
        bbox=[0.0, 0.05, 1.0, 0.62],
    )
    table.auto_set_font_size(False)
    table.set_fontsize(6.5)
    ax.text(
        0.0,
        0.98,
        f"x_Br = {recipe.x_br:.3f}: bulk gap {recipe.gap_eV:.3f} eV, {recipe.wavelength_nm:.0f} nm, a = {recipe.a_angstrom:.3f} Å\n"
        f"{recipe.volume_mL:g} mL at {recipe.lead_mol_L:g} mol/L lead; at most {recipe.largest_yield_mg:.0f} mg of crystals",
        transform=ax.transAxes,
        va="top",
        fontsize=6.5,
    )
    ax.add_patch(
        FancyBboxPatch(
            (0.9, 0.8),
            0.09,
            0.15,
            boxstyle="round,pad=0.005",
            transform=ax.transAxes,
            facecolor=wavelength_rgb(recipe.wavelength_nm),
            edgecolor="none",
        )
    )
    ax.axis("off")
