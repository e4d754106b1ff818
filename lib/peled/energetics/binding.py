"""Binding energies: BE = E(ligand on surface) - E(ligand) - E(surface), negative when bound.

The sign convention is the one of the paper's equation; its Fig. 5 legend quotes the same energies
positive. Bounds come
from the inequalities in the text by interval arithmetic and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from peled.energetics.intervals import Interval


@dataclass(frozen=True)
class Cell:
    """One cell of the table of binding energies: total BE (eV), molecules, and whether it is
    printed or follows as bounds.
    """

    name: str
    energy_eV: Interval
    molecules: int = 1
    printed: bool = True
    why: str = ""

    @property
    def per_molecule_eV(self) -> Interval:
        return self.energy_eV * (1 / self.molecules)


def pair_interaction_eV(pair: Interval, *singles: Interval) -> Interval:
    """Energy of a pair beyond the sum of its molecules adsorbed alone (negative: they attract).

    >>> pair_interaction_eV(Interval(-4.45, -4.45), Interval(-1.85, -1.85), Interval(-1.6, -1.6))
    Interval(low=-1.0, high=-1.0)
    """
    total = Interval(0.0, 0.0)
    for single in singles:
        total = total + single
    return pair - total


def table_cells(
    gl: Interval, edta: Interval, pair: Interval, acid: Interval, amine: Interval
) -> dict[str, Cell]:
    """The table of ED Fig. 10j: the five cells printed in the text, and what the text's
    inequalities leave for the others.

    Parameters
    ----------
    gl, edta, pair, acid, amine : Interval
        Printed binding energies of GL, EDTA, the GL/EDTA pair, acetic acid and methylamine (eV,
        negative).

    Notes
    -----
    Two like molecules: stronger than twice one (the text: pairs exceed the sum of singles), weaker
    than the E+G pair (the
    text: the highest). Amide: stronger than every other GL fragment, so than methylamine; weaker
    than the whole of GL, whose energy is called
    a partial sum of its fragments. Tertiary amine: "may" be stronger than COOH; a lower bound only.
    """
    endless = float("inf")

    def stronger(than: Interval) -> Interval:
        return Interval(-endless, than.high)

    def between(strong: Interval, weak: Interval) -> Interval:
        """What the two inequalities leave; where they contradict, all from one to the other."""
        low, high = weak.low, strong.high
        return Interval(min(low, high), max(low, high))

    return {
        "acetic acid": Cell("acetic acid", acid),
        "methylamine": Cell("methylamine", amine),
        "amide": Cell(
            "amide",
            between(amine, gl),
            printed=False,
            why="stronger than the amine, part of GL's sum",
        ),
        "tertiary amine": Cell(
            "tertiary amine", stronger(acid), printed=False, why="may be stronger than COOH"
        ),
        "GL": Cell("GL", gl),
        "EDTA": Cell("EDTA", edta),
        "GL+EDTA": Cell("GL+EDTA", pair, molecules=2),
        "GL+GL": Cell(
            "GL+GL",
            between(2 * gl, pair),
            molecules=2,
            printed=False,
            why="between twice GL and the E+G pair",
        ),
        "EDTA+EDTA": Cell(
            "EDTA+EDTA",
            between(2 * edta, pair),
            molecules=2,
            printed=False,
            why="between twice EDTA and the E+G pair",
        ),
    }


def like_sign(definition_eV: Interval, legend_eV: Interval) -> bool:
    """Whether two quotations of one energy agree in sign."""
    return (definition_eV.middle < 0) == (legend_eV.middle < 0)
