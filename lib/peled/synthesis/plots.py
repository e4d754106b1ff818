"""Drawings of the synthesis room: the flow of the procedure, the flow of lead, the ligands, a
weighing table.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter, defaultdict

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline

from peled import molecules
from peled.figures import COLOURS
from peled.synthesis.amounts import composition, molar_mass
from peled.synthesis.procedure import Outcome, Procedure, entries
from peled.synthesis.recipe import Recipe

#: Fill of the boxes, a colour a section of the source in the order of the file.
_STAGES = ("#E8F0F8", "#FBEDE2", "#E6F4EE", "#F3EAF5", "#FBF6DC")


def procedure_flow(ax, procedure: Procedure) -> None:
    """All steps as boxes in reading order, each with its quantities and conditions as the file has
    them.

    Parameters
    ----------
    ax : Axes
    procedure : Procedure
        With one step or more.
    """
    columns = 4
    steps = procedure.steps
    sections = list(dict.fromkeys(step["section"] for step in steps if step.get("section")))
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
        section = step.get("section")
        colour = _STAGES[sections.index(section) % len(_STAGES)] if section else "#F2F2F2"
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
            if word := _beside(step, steps[k + 1]):
                ax.text(
                    x + width + gap_x / 2,
                    y + height / 2,
                    word,
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


def _beside(step: dict, following: dict) -> str:
    """The word between two steps of which the second does not take what the first gave."""
    if step.get("alternative") and following.get("alternative"):
        return "or"
    given = {entry["to"] for entry in entries(step, "transfer")}
    taken = {entry["from"] for entry in entries(following, "transfer")}
    return "and" if given and taken and not given & taken else ""


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


def _lines(procedure: Procedure, step: dict) -> list[str]:
    lines = []
    for action in ("add", "treat", "transfer", "disperse"):
        for entry in entries(step, action):
            quantity = entry.get("mass") or entry.get("volume") or entry.get("amount")
            times = f"{entry['times']} × " if entry.get("times") else ""
            chemical = procedure.chemicals.get(entry.get("chemical"))
            if action == "transfer":
                what = f"{entry['from']} → {entry['to']}"
            elif action == "treat":
                what = ", ".join(chemical.releases) or chemical.name
            elif chemical:
                what = chemical.name
            else:
                what = f"in {entry['vessel']}"
            if quantity:
                lines.append(f"{times}{quantity} {what}")
    if step.get("note"):
        lines.append(step["note"])
    lines += step.get("conditions") or []
    return [re.sub(r"\s+", " ", piece) for line in lines for piece in textwrap.wrap(line, 33)]


def component_flow(ax, outcome: Outcome, component: str) -> None:
    """Where a component goes: bands as wide as the amount that moves, from the bottle to where it
    ends.

    The columns are the vessels in the order they are first filled; what stays in a vessel ends
    there.

    Parameters
    ----------
    ax : Axes
    outcome : Outcome
    component : str
        One that is moved (`outcome.added`).

    Raises
    ------
    ValueError
        If none of it is moved.
    """
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
            f"{name}\n{size[name]:.3f} mmol{held}",
            ha="center",
            va="bottom",
            fontsize=5.6,
        )
    ax.set_xlim(-0.35, max(depth.values()) + 0.45)
    ax.set_ylim(min(place[n] - size[n] for n in order) - 0.04 * total, 0.24 * total)
    ax.axis("off")


def ligand_structures(axes, procedure: Procedure, drawings: dict[str, molecules.Molecule]) -> None:
    """Skeletal structures of the chemicals with donor groups, with name, formula, molar mass and
    donors, one an Axes.

    A drawing belongs to the chemical of its key, else to that of its composition; one without is
    named only.

    Parameters
    ----------
    axes : Axes or array of Axes
        Chemicals beyond their number are left out, Axes beyond the chemicals stay empty.
    procedure : Procedure
    drawings : dict of str to Molecule
        By key of the chemical.
    """
    by_formula = {_composition(drawing): drawing for drawing in drawings.values()}
    chemicals = [c for c in procedure.chemicals.values() if c.donors]
    for ax in np.ravel(axes):
        ax.axis("off")
    for ax, chemical in zip(np.ravel(axes), chemicals, strict=False):
        drawing = drawings.get(chemical.key) or by_formula.get(composition(chemical.formula))
        if drawing:
            molecules.draw(ax, drawing, fontsize=6)
        formula = re.sub(r"(\d+)", r"$_{\1}$", chemical.formula)
        ax.set_title(
            f"{chemical.name}\n{formula}, {molar_mass(chemical.formula).nominal_value:.2f} g/mol",
            fontsize=6.2,
            pad=2,
        )
        ax.text(
            0.5,
            0.0,
            "donors: " + ", ".join(chemical.donors),
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=5.8,
            color="#7B3294",
        )


def _composition(drawing: molecules.Molecule) -> tuple[tuple[str, float], ...]:
    counts = Counter(drawing.elements) + Counter(H=sum(drawing.hydrogens))
    return tuple((symbol, float(n)) for symbol, n in sorted(counts.items()))


def mass_balance(ax, stated_mg: float, bounds: dict[str, float]) -> None:
    """The stated mass of crystals beside what the lead and the bromide allow.

    Parameters
    ----------
    ax : Axes
    stated_mg : float
    bounds : dict
        Largest masses by what limits them, mg.
    """
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
    ax.set_xlabel("mass of crystals (mg)")


def weighing_table(ax, recipe: Recipe) -> None:
    """The weighing table of a recipe, with what to expect of it.

    Parameters
    ----------
    ax : Axes
    recipe : Recipe
    """
    cells = [
        [w.salt, f"{w.amount_mmol:.3f}", f"{w.mass_mg:.1f}", f"± {w.tolerance_mg:.1f}"]
        for w in recipe.weighings
    ]
    table = ax.table(
        cells,
        colLabels=["salt", "mmol", "mg", "tolerance (mg)"],
        loc="center",
        cellLoc="right",
        bbox=[0.0, 0.0, 1.0, 0.6],
    )
    table.auto_set_font_size(False)
    table.set_fontsize(6.5)
    said = (recipe.title, *textwrap.wrap(recipe.summary, 78), *recipe.expected)
    ax.text(0.0, 1.0, "\n".join(said), transform=ax.transAxes, va="top", fontsize=6.2)
    ax.axis("off")
