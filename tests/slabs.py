"""A small periodic surface with a ligand on it, for the tests of readers and pictures."""

import numpy as np

from peled.formats.atomistic import Structure, read_structure

A = 8.855
CELL = np.diag([2 * A, 2 * A, 30.0])


def sheet():
    """A square PbI2 sheet, two by two cells, endless in the plane."""
    symbols, at = [], []
    for i in range(2):
        for j in range(2):
            for s, x, y in (
                ("Pb", 0, 0),
                ("Pb", 0.5, 0.5),
                ("I", 0.25, 0.25),
                ("I", 0.75, 0.75),
                ("I", 0.25, 0.75),
                ("I", 0.75, 0.25),
            ):
                symbols.append(s)
                at.append([(i + x) * A, (j + y) * A, 12.0])
    return tuple(symbols), np.array(at)


def ligand(root):
    """Glutathione, whole, its lowest oxygen at the origin."""
    found = read_structure(root / "data/energetics/molecules/glutathione.xyz", frame=0)
    oxygen = [k for k, s in enumerate(found.symbols) if s == "O"]
    return found.symbols, found.positions - min(found.positions[oxygen], key=lambda p: p[2])


def adduct(root):
    """Glutathione 2.4 angstrom above a lead atom of the sheet."""
    (s, p), (t, q) = sheet(), ligand(root)
    return Structure(s + t, np.vstack([p, q + [A, A, 14.4]]), CELL)
