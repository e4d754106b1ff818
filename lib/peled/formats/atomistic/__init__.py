"""Outputs and structure files of atomistic programs: total energies with what they rest on, and
atoms in a cell.

outputs     Quantum ESPRESSO (`.out`, `.xml`), VASP (`OUTCAR`, `vasprun.xml`), CP2K, ORCA, xtb,
            JSON (own and QCSchema), extended XYZ with an energy
structures  XYZ and extended XYZ, POSCAR/CONTCAR, CIF, Quantum ESPRESSO input

Energies are in eV, lengths in angstrom. An energy whose self-consistency was not reached, or of a
run that broke off, is refused unless asked for.

Tried on what pw.x 6.7 wrote in the runs kept in `data/energetics`, and on their structures; the
other programs on text written here after their manuals.
"""

from peled.formats.atomistic.calculation import Calculation
from peled.formats.atomistic.outputs import read_calculation, read_calculations
from peled.formats.atomistic.records import read_numbers
from peled.formats.atomistic.structures import Structure, formula, read_structure

__all__ = [
    "Calculation",
    "Structure",
    "formula",
    "read_calculation",
    "read_calculations",
    "read_numbers",
    "read_structure",
]
