"""peled: a perovskite-LED paper made executable.

Seven rooms (synthesis, photoluminescence, transient_absorption, led, nmr, energetics, structure) open off one
corridor (paper, figures, lineshapes, optics, formats, notebook, run). Imports run one way: notebook -> room -> corridor.
This file imports nothing, so that each notebook pays only for what it uses.
"""

__version__ = "0.1.0"
