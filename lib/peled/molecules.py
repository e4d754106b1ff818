"""Skeletal structures from stored 2-D coordinates, drawn with matplotlib: no chemistry library is needed to look at them.

A drawing file (JSON) holds, under `molecules`, atoms (`element`, `hydrogens`, `x`, `y` in units of about 1.5 per bond)
and bonds (`[i, j, order]`) by name. It is made once from SMILES by RDKit.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np

from peled.formats import FormatError, read_text

#: Colours of donor atoms; carbon is the line.
ELEMENT_COLOURS = {"O": "#C0392B", "N": "#0072B2", "S": "#B8860B", "Pb": "#404040", "I": "#7B3294", "Br": "#8C564B"}


@dataclass(frozen=True)
class Molecule:
    """A drawn molecule: elements and hydrogens by atom, positions (n, 2), bonds (i, j, order)."""

    name: str
    elements: tuple[str, ...]
    hydrogens: tuple[int, ...]
    positions: np.ndarray
    bonds: tuple[tuple[int, int, int], ...]


def read_molecules(path: str | os.PathLike) -> dict[str, Molecule]:
    """All molecules of a drawing file by name.

    Raises
    ------
    FormatError
        If the file is no such JSON, or a bond names an atom that is not there.
    """
    try:
        content = json.loads(read_text(path, what="molecule drawings in JSON"))["molecules"]
        found = {
            name: Molecule(name, tuple(a["element"] for a in m["atoms"]), tuple(int(a["hydrogens"]) for a in m["atoms"]),
                           np.array([(a["x"], a["y"]) for a in m["atoms"]], float), tuple((int(i), int(j), int(order)) for i, j, order in m["bonds"]))
            for name, m in content.items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(path, expected="`molecules` with atoms (element, hydrogens, x, y) and bonds [i, j, order]", found=repr(error)) from None
    for molecule in found.values():
        worst = max((max(i, j) for i, j, _ in molecule.bonds), default=-1)
        if worst >= len(molecule.elements):
            raise FormatError(path, place=molecule.name, expected=f"bonds between atoms 0 to {len(molecule.elements) - 1}", found=f"atom {worst}")
    return found


def draw(ax, molecule: Molecule, *, fontsize: float = 6.5, linewidth: float = 0.9, labels: dict[int, str] | None = None) -> None:
    """Draw a skeletal structure into an Axes: carbons as corners, other atoms by symbol with their hydrogens.

    `labels` writes further text beside atoms, such as the letter of an NMR peak.
    """
    xy = molecule.positions
    named = [element != "C" for element in molecule.elements]
    centre = xy.mean(axis=0)
    for i, j, order in molecule.bonds:
        direction = (xy[j] - xy[i]) / np.linalg.norm(xy[j] - xy[i])
        start, end = xy[i] + 0.34 * named[i] * direction, xy[j] - 0.34 * named[j] * direction
        normal = np.array([-direction[1], direction[0]])
        offsets = {1: (0.0,), 2: (-0.09, 0.09), 3: (-0.14, 0.0, 0.14)}[order]
        for offset in offsets:
            ax.plot(*np.transpose([start + offset * normal, end + offset * normal]), color="black", lw=linewidth, solid_capstyle="round")
    for k, element in enumerate(molecule.elements):
        if named[k]:
            neighbours = [xy[j if i == k else i] for i, j, _ in molecule.bonds if k in (i, j)]
            left = bool(neighbours) and np.mean([n[0] for n in neighbours]) > xy[k][0] + 0.3
            count = molecule.hydrogens[k]
            hydrogens = "" if not count else "H" if count == 1 else f"H$_{count}$"
            text = hydrogens + element if left else element + hydrogens
            shift = (-0.17 if left else 0.17) * len(hydrogens.strip("$_{}")) ** 0.5 if hydrogens else 0.0
            ax.text(xy[k][0] + shift, xy[k][1], text, color=ELEMENT_COLOURS.get(element, "black"), ha="center", va="center", fontsize=fontsize)
    for k, text in (labels or {}).items():
        away = xy[k] - np.mean([xy[j if i == k else i] for i, j, _ in molecule.bonds if k in (i, j)], axis=0)
        away = away / max(np.linalg.norm(away), 1e-9) if np.linalg.norm(away) > 1e-6 else (xy[k] - centre) / max(np.linalg.norm(xy[k] - centre), 1e-9)
        ax.text(*(xy[k] + 0.62 * away), text, ha="center", va="center", fontsize=fontsize, weight="bold", color="#7B3294")
    ax.update_datalim([xy.min(axis=0) - 0.75, xy.max(axis=0) + 0.75])  # room for the letters at the ends
    ax.margins(0)
    ax.set_aspect("equal", adjustable="datalim")
    ax.axis("off")
