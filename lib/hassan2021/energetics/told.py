"""The energies that the paper prints, and what its inequalities leave for those it does not."""

from __future__ import annotations

from dataclasses import dataclass

from ledger import paper
from peled.energetics.binding import Cell, pair_interaction_eV
from peled.energetics.intervals import Interval


@dataclass(frozen=True)
class Published:
    """The energies of the ledger, with their rounding (eV)."""

    cells: dict[str, Cell]
    interaction: Interval
    frenkel_eV: dict[str, float]
    ether_increase_eV: float

    @property
    def increases_eV(self) -> dict[str, float]:
        """Formation energies above that of the bare surface; the ether's is printed as such."""
        bare = self.frenkel_eV["bare"]
        return {"ether (PEO)": self.ether_increase_eV} | {
            k: v - bare for k, v in self.frenkel_eV.items() if k != "bare"
        }


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


def rounded(claim_id: str, index: int = 0) -> Interval:
    """A printed number with its rounding."""
    p = paper.claim(claim_id).printed[index]
    return Interval.rounded(p.value, max(p.half_width, 0.005))


def published() -> Published:
    """What the ledger prints, and the bounds that follow."""
    cells = table_cells(
        gl=rounded("C077"),
        edta=_two_digits("C080"),
        pair=rounded("C082"),
        acid=rounded("C078"),
        amine=rounded("C079"),
    )
    formation = {
        name: paper.claim(c).number
        for name, c in (("bare", "C085"), ("GL", "C086"), ("GL+EDTA", "C087"), ("MAI", "C209"))
    }
    inter = pair_interaction_eV(
        cells["GL+EDTA"].energy_eV, cells["GL"].energy_eV, cells["EDTA"].energy_eV
    )
    return Published(cells, inter, formation, paper.claim("C212").number)


def _two_digits(claim_id: str) -> Interval:
    """A value that lost its last zero (-1.60 kept as -1.6) has the rounding of its neighbours."""
    return Interval.rounded(paper.claim(claim_id).number, 0.005)
