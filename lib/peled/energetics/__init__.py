"""Energetics: binding of ligands to the surface and to lead, and the cost of iodide Frenkel pairs.

intervals      what follows from rounded numbers and inequalities
binding        sign convention, cells of a table as intervals, pair interactions
frenkel        formation energies to numbers of pairs, in bulk and in one small crystal, with the
               error of the energies
affinity       vacuum energies against stability constants, protons, competition for lead
outputs        a folder of outputs and a table that says which belong together, to checked energy
               differences
comparability  which energies may stand in one difference
poses          poses, sites and neighbours: range, bootstrap, Boltzmann, lateral interaction
analyse        a sheet of tables to a report
bonding, draw, view3d, waterfall    bonds and contacts across cell boundaries; pictures
"""

from peled.energetics.binding import Cell, pair_interaction_eV
from peled.energetics.frenkel import (
    Suppression,
    dilute_fraction,
    pair_fraction,
    pairs_per_crystal,
    suppression,
)
from peled.energetics.intervals import Interval
from peled.energetics.outputs import BookkeepingError, EnergyRow, read_table, to_csv

__all__ = [
    "BookkeepingError",
    "Cell",
    "EnergyRow",
    "Interval",
    "Suppression",
    "dilute_fraction",
    "pair_fraction",
    "pair_interaction_eV",
    "pairs_per_crystal",
    "read_table",
    "suppression",
    "to_csv",
]
