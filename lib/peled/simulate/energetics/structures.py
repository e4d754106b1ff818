"""Geometries: the PbI2-terminated (001) slab of tetragonal MAPbI3, a neutral cluster cut from its surface, molecules put on it.

Positions are the ideal ones of I4/mcm (untilted octahedra) in the published cell. Nothing here is relaxed; whoever
relaxes it (`xtb`) says so. Arrays of positions have shape (atoms, 3) and are in angstrom; z is the surface normal.
"""

from __future__ import annotations

import numpy as np

#: Tetragonal MAPbI3 at room temperature, Poglitsch & Weber 1987, doi:10.1063/1.453467 (angstrom).
CELL_A, CELL_C = 8.855, 12.659
#: Methylammonium with its C-N bond along +z, centred on the bond (angstrom); ideal tetrahedral angles.
_BOND_CN, _BOND_CH, _BOND_NH = 1.49, 1.09, 1.03
DONORS = ("N", "O", "S")


def methylammonium(direction: float = 1.0) -> tuple[list[str], np.ndarray]:
    """CH3NH3+ along z, the ammonium end towards `direction` (+1 or -1)."""
    symbols, positions = ["C", "N"], [(0, 0, -_BOND_CN / 2), (0, 0, _BOND_CN / 2)]
    for end, (z, bond, turn) in (("C", (-_BOND_CN / 2, _BOND_CH, 0.0)), ("N", (_BOND_CN / 2, _BOND_NH, np.pi / 3))):
        outward = -1 if end == "C" else 1
        for k in range(3):
            angle = turn + 2 * np.pi * k / 3
            symbols.append("H")
            positions.append((bond * 0.943 * np.cos(angle), bond * 0.943 * np.sin(angle), z + outward * bond / 3))
    return symbols, np.array(positions) * (1, 1, direction)


def slab(repeat: int = 2, lead_layers: int = 3) -> tuple[list[str], np.ndarray, np.ndarray]:
    """PbI2-terminated slab: `lead_layers` PbI2 sheets with MAI sheets between, mirror symmetric about its middle.

    Parameters
    ----------
    repeat : int
        Cells along a and along b.
    lead_layers : int
        Number of PbI2 sheets (at least 2).

    Returns
    -------
    symbols : list of str
    positions : ndarray, shape (atoms, 3)
        The top PbI2 sheet is at z = 0.
    cell : ndarray, shape (2,)
        Lateral periods, angstrom.
    """
    if lead_layers < 2:
        raise ValueError(f"lead_layers: expected at least 2, found {lead_layers}")
    symbols: list[str] = []
    positions: list[np.ndarray] = []
    spacing = CELL_C / 4
    layers = 2 * lead_layers - 1
    for layer in range(layers):
        z = -layer * spacing
        for i in range(repeat):
            for j in range(repeat):
                origin = np.array([i, j]) * CELL_A
                if layer % 2 == 0:
                    for x, y in ((0, 0), (0.5, 0.5)):
                        symbols.append("Pb")
                        positions.append([*(origin + np.array([x, y]) * CELL_A), z])
                    for x, y in ((0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25)):
                        symbols.append("I")
                        positions.append([*(origin + np.array([x, y]) * CELL_A), z])
                else:
                    for x, y in ((0, 0), (0.5, 0.5)):
                        symbols.append("I")
                        positions.append([*(origin + np.array([x, y]) * CELL_A), z])
                    # Mirror-related cations of the two halves cancel each other's dipole; those in the middle lie in pairs.
                    up = 1.0 if layer < (layers - 1) / 2 else -1.0
                    for k, (x, y) in enumerate(((0.5, 0), (0, 0.5))):
                        if 2 * layer == layers - 1:
                            up = 1.0 if (k + i + j) % 2 == 0 else -1.0
                        names, at = methylammonium(up)
                        symbols += names
                        positions += list(at + [*(origin + np.array([x, y]) * CELL_A), z])
    return symbols, np.array(positions), np.array([repeat * CELL_A, repeat * CELL_A])


def cluster(nx: int = 2, ny: int = 2) -> tuple[list[str], np.ndarray]:
    """A neutral piece of the PbI2-terminated surface with nx by ny lead atoms, all octahedra whole but for the missing top iodide.

    Caesium stands for methylammonium, which has no orientation to guess then; the outermost A sites stay empty where the
    charge balance needs fewer cations than there are sites.
    """
    a, dz = CELL_A / np.sqrt(2), CELL_C / 4
    symbols: list[str] = []
    positions: list[tuple[float, float, float]] = []

    def add(symbol, x, y, z):
        symbols.append(symbol)
        positions.append((x * a, y * a, z))

    for i in range(nx):
        for j in range(ny):
            add("Pb", i, j, 0.0)
            add("I", i, j, -dz)
    for i in range(nx + 1):
        for j in range(ny):
            add("I", i - 0.5, j, 0.0)
    for i in range(nx):
        for j in range(ny + 1):
            add("I", i, j - 0.5, 0.0)
    cations = symbols.count("I") - 2 * symbols.count("Pb")
    middle = ((nx - 1) / 2, (ny - 1) / 2)
    sites = sorted(((i - 0.5, j - 0.5) for i in range(nx + 1) for j in range(ny + 1)), key=lambda s: (s[0] - middle[0]) ** 2 + (s[1] - middle[1]) ** 2)
    for x, y in sites[:cations]:
        add("Cs", x, y, -dz)
    return symbols, np.array(positions)


def rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix drawn uniformly (from a uniform quaternion)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turned(vector: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The rotation matrix that turns `vector` onto `onto` (Rodrigues)."""
    a, b = vector / np.linalg.norm(vector), onto / np.linalg.norm(onto)
    axis, cosine = np.cross(a, b), float(a @ b)
    if np.linalg.norm(axis) < 1e-9:
        if cosine > 0:
            return np.eye(3)
        side = np.cross(a, [1.0, 0, 0] if abs(a[0]) < 0.9 else [0, 1.0, 0])
        side /= np.linalg.norm(side)
        return 2 * np.outer(side, side) - np.eye(3)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + k + k @ k / (1 + cosine)


def donor_down(symbols: list[str], positions: np.ndarray, donor: int, spin: float = 0.0) -> np.ndarray:
    """The molecule with `donor` at the origin and the rest of it above, turned about the normal by `spin` (rad)."""
    rest = np.delete(positions, donor, axis=0).mean(axis=0) - positions[donor]
    at = (positions - positions[donor]) @ turned(rest, np.array([0.0, 0, 1])).T
    turn = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    return at @ turn.T


def above(surface: np.ndarray, molecule: np.ndarray, xy: np.ndarray, clearance: float) -> np.ndarray:
    """`molecule` with its centre over `xy`, lowered until its nearest atom is `clearance` from the nearest of `surface` (angstrom)."""
    at = molecule - [*molecule.mean(axis=0)[:2], molecule[:, 2].min()] + [*xy, 0.0]
    for height in np.arange(8.0, 0.0, -0.05):
        moved = at + [0, 0, height]
        if np.linalg.norm(moved[:, None] - surface[None], axis=2).min() < clearance:
            return at + [0, 0, height + 0.05]
    return at


def side_by_side(free: np.ndarray, surface: np.ndarray, xy: np.ndarray, clearance: float = 2.5) -> np.ndarray:
    """The molecule over `xy` with its longest axis along x and its shortest upright, `clearance` from `surface`: neighbours along y stay apart."""
    centred = free - free.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    axes[2] *= np.sign(np.linalg.det(axes))
    # The second axis is upright for wide molecules, so that two fit beside each other.
    upright = axes[[0, 2, 1]] * np.array([[1], [-1], [1]])
    return above(surface, centred @ upright.T, xy, clearance)
