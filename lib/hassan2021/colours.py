"""Colours of the paper's samples, one meaning through all figures."""

from __future__ import annotations

from peled import figures

COLOURS = figures.COLOURS | {
    "neat": figures.COLOURS["blue"],
    "E+G": figures.COLOURS["orange"],
    "GL": figures.COLOURS["green"],
    "EDTA": figures.COLOURS["pink"],
    "OA": figures.COLOURS["black"],
}
