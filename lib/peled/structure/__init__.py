"""Structure and composition of films: diffraction, microscopy, photoelectrons, infrared, sub-gap
absorption, lead contents.

One module a technique (`xrd`, `microscopy`, `xps`, `ups`, `ftir`, `urbach`, `icpms`), `composition`
for what they say together, `analyse` for a folder, `plots` and `drawers` for the panels.
"""

from peled.structure import (
    composition,
    ftir,
    icpms,
    microscopy,
    plots,
    reading,
    ups,
    urbach,
    xps,
    xrd,
)
from peled.structure.composition import joint_composition
from peled.structure.microscopy import segment, size_change, size_distribution
from peled.structure.urbach import urbach_energy
from peled.structure.xrd import pawley_fit, phase_test, powder_pattern

__all__ = [
    "composition",
    "ftir",
    "icpms",
    "joint_composition",
    "microscopy",
    "pawley_fit",
    "phase_test",
    "plots",
    "powder_pattern",
    "reading",
    "segment",
    "size_change",
    "size_distribution",
    "ups",
    "urbach",
    "urbach_energy",
    "xps",
    "xrd",
]
