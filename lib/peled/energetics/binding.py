"""Binding energies: BE = E(ligand on surface) - E(ligand) - E(surface), negative when bound."""

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

    Parameters
    ----------
    pair : Interval
        Binding energy of the pair, eV.
    *singles : Interval
        Of each molecule alone, eV.

    Returns
    -------
    Interval
        E(pair) minus the sum of the singles, eV; all half widths add.

    Examples
    --------
    >>> pair_interaction_eV(Interval(-4.45, -4.45), Interval(-1.85, -1.85), Interval(-1.6, -1.6))
    Interval(low=-1.0, high=-1.0)
    """
    total = Interval(0.0, 0.0)
    for single in singles:
        total = total + single
    return pair - total
