"""Skeletal structures from stored 2-D coordinates, drawn with matplotlib: no chemistry library is
needed to look at them.

A drawing file (JSON) holds, under `molecules`, atoms (`element`, `hydrogens`, `x`, `y` in units of
about 1.5 per bond, and optionally a `label`) and bonds (`[i, j, order]`) by name. It is made once
from SMILES by RDKit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from peled.formats import FormatError, read_json
from peled.formats.contract import reader

#: Colours of donor atoms; carbon is the line.
ELEMENT_COLOURS = {
    "O": "#C0392B",
    "N": "#0072B2",
    "S": "#B8860B",
    "Pb": "#404040",
    "I": "#7B3294",
    "Br": "#8C564B",
}


@dataclass(frozen=True)
class Molecule:
    """A drawn molecule: elements, hydrogens and labels by atom, positions (n, 2), bonds (i, j,
    order)."""

    name: str
    elements: tuple[str, ...]
    hydrogens: tuple[int, ...]
    positions: np.ndarray
    bonds: tuple[tuple[int, int, int], ...]
    labels: tuple[str, ...]

    def neighbours(self, atom: int) -> list[int]:
        """Atoms bonded to `atom`.

        Parameters
        ----------
        atom : int
            Index.

        Returns
        -------
        list of int
        """
        return [j if i == atom else i for i, j, _ in self.bonds if atom in (i, j)]


@reader("molecule drawings in JSON")
def read_molecules(path: str | os.PathLike) -> dict[str, Molecule]:
    """All molecules of a drawing file by name.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to Molecule

    Raises
    ------
    FormatError
        If the file is no such JSON, or a bond names an atom that is not there.
    """
    content = read_json(path, what="molecule drawings in JSON")
    try:
        found = {
            name: Molecule(
                name,
                tuple(a["element"] for a in m["atoms"]),
                tuple(int(a["hydrogens"]) for a in m["atoms"]),
                np.array([(a["x"], a["y"]) for a in m["atoms"]], float),
                tuple((int(i), int(j), int(order)) for i, j, order in m["bonds"]),
                tuple(a.get("label", "") for a in m["atoms"]),
            )
            for name, m in content["molecules"].items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            path,
            expected="`molecules` with atoms (element, hydrogens, x, y) and bonds [i, j, order]",
            found=repr(error),
        ) from None
    for molecule in found.values():
        worst = max((max(i, j) for i, j, _ in molecule.bonds), default=-1)
        if worst >= len(molecule.elements):
            raise FormatError(
                path,
                place=molecule.name,
                expected=f"bonds between atoms 0 to {len(molecule.elements) - 1}",
                found=f"atom {worst}",
            )
    return found


def draw(
    ax,
    molecule: Molecule,
    *,
    origin: tuple[float, float] | None = None,
    size: float = 1.0,
    flip: bool = False,
    labels: bool = True,
    colours: dict[str, str] | None = None,
    fontsize: float = 6.5,
    linewidth: float = 0.9,
) -> np.ndarray:
    """Draw a skeletal structure: carbons as corners, other atoms by symbol with their hydrogens,
    labels in bold.

    Parameters
    ----------
    ax : matplotlib Axes
    molecule : Molecule
    origin : pair of float, optional
        Where its centre stands; without one the molecule fills the Axes.
    size : float
        Scale.
    flip : bool
        Upside down.
    labels : bool
        Whether labels are written.
    colours : dict, optional
        Colour by label.
    fontsize, linewidth : float

    Returns
    -------
    ndarray, shape (atoms, 2)
        Where the atoms stand.
    """
    xy = size * (molecule.positions - molecule.positions.mean(axis=0)) * [
        1,
        -1 if flip else 1,
    ] + np.array(origin or (0.0, 0.0))
    named = [element != "C" for element in molecule.elements]
    for i, j, order in molecule.bonds:
        direction = (xy[j] - xy[i]) / np.linalg.norm(xy[j] - xy[i])
        normal = np.array([-direction[1], direction[0]])
        start, end = (
            xy[i] + 0.33 * size * named[i] * direction,
            xy[j] - 0.33 * size * named[j] * direction,
        )
        for offset in {1: (0.0,), 2: (-0.09, 0.09), 3: (-0.14, 0.0, 0.14)}[order]:
            ax.plot(
                *np.transpose([start + offset * size * normal, end + offset * size * normal]),
                color="black",
                lw=linewidth,
                solid_capstyle="round",
            )
    for k, element in enumerate(molecule.elements):
        bonds = xy[molecule.neighbours(k)] - xy[k]
        if named[k]:
            count = molecule.hydrogens[k]
            hydrogens = "" if not count else "H" if count == 1 else f"H$_{count}$"
            left = len(bonds) == 1 and bonds[0][0] > 0.2 * size
            place = xy[k] + np.array([0.16 if left else -0.16, 0.0]) * size * bool(hydrogens)
            ax.text(
                *place,
                hydrogens + element if left else element + hydrogens,
                color=ELEMENT_COLOURS.get(element, "black"),
                ha="center" if not hydrogens else "right" if left else "left",
                va="center",
                fontsize=fontsize,
            )
        if labels and molecule.labels[k]:
            away = _widest_gap(bonds)
            ax.text(
                *(xy[k] + 0.6 * size * away),
                molecule.labels[k],
                ha="center" if abs(away[0]) < 0.5 else "left" if away[0] > 0 else "right",
                va="center",
                fontsize=fontsize,
                weight="bold",
                color=(colours or {}).get(molecule.labels[k], "#0072B2"),
            )
    if origin is None:
        ax.update_datalim(
            [xy.min(axis=0) - 0.75 * size, xy.max(axis=0) + 0.75 * size]
        )  # room for the letters at the ends
        ax.margins(0)
        ax.set_aspect("equal", adjustable="datalim")
    ax.axis("off")
    return xy


def _widest_gap(bonds: np.ndarray) -> np.ndarray:
    """Unit vector into the widest gap between bonds."""
    angles = np.sort(np.arctan2(bonds[:, 1], bonds[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    angle = angles[gaps.argmax()] + gaps.max() / 2
    return np.array([np.cos(angle), np.sin(angle)])
