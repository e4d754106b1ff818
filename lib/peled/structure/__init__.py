"""Structure and composition of nanocube films: diffraction, microscopy, photoelectrons, infrared, sub-gap absorption, lead contents.

One module a technique (`xrd`, `microscopy`, `xps`, `ups`, `ftir`, `urbach`, `icpms`), `composition` for what they say together,
`films` for whole evaluations, `reading` for a folder of files, `plots` for the panels.
"""

from peled.structure import (
    composition,
    films,
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
from peled.structure.reading import survey
from peled.structure.urbach import urbach_energy
from peled.structure.xrd import pawley_fit, phase_test, powder_pattern

__all__ = [
    "composition",
    "films",
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
    "survey",
    "ups",
    "urbach",
    "urbach_energy",
    "xps",
    "xrd",
]
