"""Who is bound to whom: covalent bonds, contacts to the surface and hydrogen bonds, across cell
boundaries where there is a cell.

Positions have shape (atoms, 3) and are in angstrom; a cell has its vectors as rows (3, 3), or is
None. A link is (i, j, shift):
atom j, moved by `shift` (three integers) cell vectors, is the partner of atom i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from peled.formats.atomistic import Structure
from peled.formats.atomistic.structures import ELEMENTS

#: Covalent radii, Cordero et al. 2008, doi:10.1039/b801115j (angstrom).
_RADII_H_TO_CM = (
    "0.31 0.28 1.28 0.96 0.84 0.76 0.71 0.66 0.57 0.58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 "
    "2.03 1.76 1.70 1.60 1.53 1.39 1.39 1.32 1.26 1.24 1.32 1.22 "
    "1.22 1.20 1.19 1.20 1.20 1.16 2.20 1.95 1.90 1.75 1.64 1.54 1.47 1.46 1.42 1.39 1.45 1.44 "
    "1.42 1.39 1.39 1.38 1.39 1.40 2.44 2.15 2.07 2.04 2.03 2.01 "
    "1.99 1.98 1.98 1.96 1.94 1.92 1.92 1.89 1.90 1.87 1.87 1.75 1.70 1.62 1.51 1.44 1.41 1.36 "
    "1.36 1.32 1.45 1.46 1.48 1.40 1.50 1.50 2.60 2.21 2.15 2.06 "
    "2.00 1.96 1.90 1.87 1.80 1.69"
)
COVALENT = dict(zip(ELEMENTS, map(float, _RADII_H_TO_CM.split()), strict=True))
#: Cations of the A site, which are bound to nothing.
_FREE_CATIONS = ("Cs", "Rb", "K")
#: What molecules are made of; all else is metal, semimetal or a cation by itself.
_NONMETALS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I")
#: Without one of these a cluster of nonmetals belongs to the surface (I2 over a vacancy, Se rows).
_OF_MOLECULES = ("H", "B", "C", "N", "O", "P")
#: Longest contact of a ligand's donor to a metal that is drawn: of lead (angstrom) about the
#: first-shell limits of Pb(II) in crystals, whose lone pair keeps some far; of other metals this
#: many times the sum of covalent radii.
LONGEST_TO_LEAD = {"N": 3.1, "O": 3.1, "S": 3.4}
_LONGEST_TO_METAL = 1.3
#: A halogen within this many times the sum of radii is shared with its neighbour.
_SHARED = 1.1
_DONORS = ("N", "O", "P", "S", "Se")
#: Longest H...acceptor distance called a hydrogen bond (angstrom); those to halides are not drawn.
LONGEST_HYDROGEN = {"N": 2.5, "O": 2.5, "S": 2.9}
_HALIDES = ("I", "Br", "Cl")
#: Smallest angle donor-H...acceptor of a hydrogen bond (degrees); with the lengths, the usual
#: geometric criterion (Steiner 2002,
#: doi:10.1002/1521-3773(20020104)41:1<48::AID-ANIE48>3.0.CO;2-U).
LEAST_ANGLE_DEG = 120.0
_SHIFTS = np.array(list(product((-1, 0, 1), repeat=3)))


@dataclass(frozen=True)
class Link:
    """Atoms i and j, the cell vectors by which j is moved, their distance in angstrom, and what
    binds: `bond`, `metal` or `hydrogen`.
    """

    i: int
    j: int
    shift: tuple[int, int, int] = (0, 0, 0)
    distance_angstrom: float = field(default=float("nan"), compare=False)
    kind: str = "bond"


def near_pairs(
    positions: np.ndarray, cell: np.ndarray | None, limit: np.ndarray
) -> list[tuple[int, int, tuple[int, int, int], float]]:
    """Pairs i <= j with distance below `limit[i, j]`, with the shift of j and the distance;
    neighbouring cells included once each.

    Parameters
    ----------
    positions : ndarray, shape (atoms, 3)
        Angstrom; also outside the cell.
    cell : ndarray, shape (3, 3), or None
    limit : ndarray, shape (atoms, atoms)
        Symmetric, angstrom; 0 leaves a pair out.

    Returns
    -------
    list of (i, j, shift, distance)
        Sorted.
    """
    positions, found = np.asarray(positions, float), []
    shifts = _SHIFTS if cell is not None else np.zeros((1, 3), int)
    home = np.zeros((len(positions), 3), int)
    if (
        cell is not None
    ):  # what lies outside the cell is brought in first, so that one shell of cells is enough
        fractions = positions @ np.linalg.inv(cell)
        home = np.floor(fractions + 1e-9).astype(int)
        positions = (fractions - home) @ cell
    reach = float(np.max(limit, initial=0.0))
    low, high = (
        positions.min(axis=0, initial=np.inf) - reach,
        positions.max(axis=0, initial=-np.inf) + reach,
    )
    for shift in shifts:
        moved = positions + (shift @ cell if cell is not None else 0.0)
        inside = np.flatnonzero(((moved >= low) & (moved <= high)).all(axis=1))
        distance = np.linalg.norm(positions[:, None] - moved[None, inside], axis=2)
        for i, column in np.argwhere(distance < limit[:, inside]):
            j = inside[column]
            if i < j or (i == j and tuple(shift) > (0, 0, 0)):
                found.append(
                    (
                        int(i),
                        int(j),
                        tuple(int(x) for x in shift - home[j] + home[i]),
                        float(distance[i, column]),
                    )
                )
    return sorted(found)


def links(
    symbols: Sequence[str], positions: np.ndarray, cell: np.ndarray | None = None
) -> list[Link]:
    """Bonds: pairs nearer than 1.2 times the sum of their covalent radii. Cations of the A
    site and pairs of hydrogens are left unbound.

    Parameters
    ----------
    symbols : sequence of str
    positions : ndarray, shape (atoms, 3)
        Angstrom.
    cell : ndarray, shape (3, 3), optional
        Vectors as rows; with it bonds cross its faces.

    Returns
    -------
    list of Link
        Each pair once, i <= j.

    References
    ----------
    .. [1] B. Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j
    """
    radius = np.array([COVALENT[s] if s not in _FREE_CATIONS else -9.0 for s in symbols])
    hydrogen = np.array([s == "H" for s in symbols], bool)
    limit = np.where(
        hydrogen[:, None] & hydrogen[None], 0.0, 1.2 * (radius[:, None] + radius[None])
    )
    return [Link(i, j, s, d) for i, j, s, d in near_pairs(positions, cell, limit)]


def _straight(donor: np.ndarray, hydrogen: np.ndarray, acceptor: np.ndarray) -> bool:
    back, on = donor - hydrogen, acceptor - hydrogen
    return bool(
        back @ on <= np.cos(np.deg2rad(LEAST_ANGLE_DEG)) * np.linalg.norm(back) * np.linalg.norm(on)
    )


def components(count: int, bound: Sequence[Link]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Connected parts: a number for each atom, the shift that makes each part whole, and whether
    each part repeats without end.

    Parameters
    ----------
    count : int
        Number of atoms.
    bound : sequence of Link
        What connects them.

    Returns
    -------
    part : ndarray of int, shape (atoms,)
    shift : ndarray of int, shape (atoms, 3)
        Cell vectors to add to an atom so that it lies beside those it is bound to.
    endless : ndarray of bool, shape (parts,)
        True where a part is bound to its own periodic image (a slab, a crystal).
    """
    neighbours: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count)]
    for b in bound:
        neighbours[b.i].append((b.j, np.array(b.shift)))
        neighbours[b.j].append((b.i, -np.array(b.shift)))
    part, shift, endless = np.full(count, -1), np.zeros((count, 3), int), []
    for start in range(count):
        if part[start] >= 0:
            continue
        part[start], stack = len(endless), [start]
        endless.append(False)
        while stack:
            k = stack.pop()
            for other, by in neighbours[k]:
                if part[other] < 0:
                    part[other], shift[other] = part[k], shift[k] + by
                    stack.append(other)
                elif np.any(shift[other] != shift[k] + by):
                    endless[part[k]] = True
    return part, shift, np.array(endless, bool)


def metals(symbols: Sequence[str]) -> np.ndarray:
    """Which atoms are metals or semimetals of a framework; cations of the A site are not.

    Parameters
    ----------
    symbols : sequence of str

    Returns
    -------
    ndarray of bool, shape (atoms,)

    Examples
    --------
    >>> metals(["Cs", "Pb", "I", "C", "Ti"]).tolist()
    [False, True, False, False, True]
    """
    return ~np.isin(np.asarray(symbols), (*_NONMETALS, *_FREE_CATIONS))


def molecules(structure: Structure, bound: Sequence[Link] | None = None) -> np.ndarray:
    """The number of the molecule to which each atom belongs, -1 for the atoms of surfaces.

    A molecule is a set of nonmetals bound to each other that does not go on without end and holds
    more than halogens or chalcogens: so an organic cation, water or CO is one, and an iodide,
    sulphide or oxide of a lattice, silica and graphene are none. Beside a single metal atom (a
    complex) single atoms of H, C, N, O and S are ligands too.

    Parameters
    ----------
    structure : Structure
    bound : sequence of Link, optional
        Its `links`, if they are known.

    Returns
    -------
    ndarray of int, shape (atoms,)

    Examples
    --------
    >>> slab = Structure(("Zn", "O", "O", "H", "H"), np.array(
    ...     [[0, 0, 0], [0, 0, -2.0], [0, 0, 2.1], [0.8, 0, 2.7], [-0.8, 0, 2.7]]), np.eye(3) * 12)
    >>> molecules(Structure(slab.symbols + ("Zn",), np.vstack([slab.positions, [3, 0, 0]])))
    array([-1, -1,  0,  0,  0, -1])
    """
    return _molecules(structure, _links_of(structure, bound))[0]


def _links_of(structure: Structure, bound: Sequence[Link] | None) -> Sequence[Link]:
    return links(structure.symbols, structure.positions, structure.cell) if bound is None else bound


def _molecules(
    structure: Structure, bound: Sequence[Link]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of molecules, the parts that bonds between atoms of molecules make, and the shifts
    that make these whole.
    """
    symbols = np.asarray(structure.symbols)
    nonmetal = np.isin(symbols, _NONMETALS)

    def holds(b: Link) -> bool:
        """A halide of the surface may come near a ligand; that of a molecule sits on no H."""
        pair = symbols[b.i], symbols[b.j]
        near = b.distance_angstrom < _SHARED * (COVALENT[pair[0]] + COVALENT[pair[1]])
        return not set(pair) & set(_HALIDES) or (near and "H" not in pair)

    within = [b for b in bound if nonmetal[b.i] and nonmetal[b.j] and holds(b)]
    part, _, endless = components(len(symbols), within)
    counts = np.bincount(part, minlength=len(endless))
    proper = np.isin(np.arange(len(endless)), part[np.isin(symbols, _OF_MOLECULES)])
    inside = nonmetal & (proper & (counts > 1) & ~endless)[part]
    if metals(symbols).sum() <= 1:
        whole, _, goes_on = components(len(symbols), bound)
        inside |= np.isin(symbols, ("H", "C", "N", "O", "S")) & ~goes_on[whole]
    part, shift, _ = components(len(symbols), [b for b in within if inside[b.i] and inside[b.j]])
    return np.where(inside, np.searchsorted(np.unique(part[inside]), part), -1), part, shift


def _widest_gaps(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """Along each axis of the cell the widest slab without atoms (angstrom), and where its middle
    is (fraction of the cell).
    """
    inverse = np.linalg.inv(structure.cell)
    ordered = np.sort((structure.positions @ inverse) % 1.0, axis=0)
    gaps = np.diff(np.vstack([ordered, ordered[:1] + 1.0]), axis=0)
    heights = 1 / np.linalg.norm(inverse, axis=0)  # distances between opposite faces
    widest = gaps.max(axis=0)
    return widest * heights, ordered[gaps.argmax(axis=0), range(3)] + widest / 2


def arranged(structure: Structure, bound: Sequence[Link] | None = None) -> Structure:
    """The same periodic structure written so that it can be looked at: molecules whole, the vacuum
    at the cell's faces, ligands in its middle.

    Every atom is moved by whole cell vectors only, so all distances between nearest images stay.
    Along an axis with a gap of
    more than 4 angstrom the cell is cut in the gap; along the others ligands come to the middle.

    Parameters
    ----------
    structure : Structure
    bound : sequence of Link, optional
        Its `links`, if they are known.

    Returns
    -------
    Structure
        Atoms in the same order; without a cell the structure itself.
    """
    if structure.cell is None:
        return structure
    bound = _links_of(structure, bound)
    group, part, shift = _molecules(structure, bound)
    fractions = structure.positions @ np.linalg.inv(structure.cell)
    gaps, middles = _widest_gaps(structure)
    gapped = gaps > 4.0
    cut = np.where(gapped, middles, 0.0)

    def placed(origin: np.ndarray) -> np.ndarray:
        whole = fractions + shift - origin
        for p in np.unique(part):
            whole[part == p] -= np.floor(whole[part == p].mean(axis=0) + 1e-6)
        return whole

    whole = placed(cut)
    first = Structure(structure.symbols, whole @ structure.cell, structure.cell, structure.info)
    ligands = np.isin(group, adsorbed(first, group))
    if ligands.any() and not ligands.all():
        turns = np.exp(2j * np.pi * whole[ligands]).mean(axis=0)
        middle = np.angle(turns) / (2 * np.pi) - 0.5
        whole = placed(np.where(gapped, cut, cut + middle))
    return Structure(structure.symbols, whole @ structure.cell, structure.cell, structure.info)


#: Gap to its own images in all directions that a molecule in a box has at least (angstrom).
LEAST_GAP = 3.5


def isolated(structure: Structure) -> bool:
    """A molecule in a box rather than a surface or a crystal: nothing is bound to its own image,
    and along every axis there is a gap of `LEAST_GAP`.

    The gap keeps out what is layered or ionic, where no bond is seen.

    Parameters
    ----------
    structure : Structure
        Without a cell it is isolated.

    Returns
    -------
    bool
    """
    if structure.cell is None:
        return True
    if _widest_gaps(structure)[0].min() < LEAST_GAP:
        return False
    return not components(
        len(structure), links(structure.symbols, structure.positions, structure.cell)
    )[2].any()


def adsorbed(structure: Structure, group: np.ndarray) -> np.ndarray:
    """Which molecules (by number) are ligands: those whose middle is more than 0.8 angstrom above
    the topmost atom of the surface (`_top`), or all where there is no surface.

    Cations of the A site lie between the sheets and are none.

    Parameters
    ----------
    structure : Structure
        As `arranged`, z the surface normal.
    group : ndarray of int, shape (atoms,)
        Of `molecules`.

    Returns
    -------
    ndarray of int
    """
    top = _top(structure, group) + 0.8
    numbers = np.unique(group[group >= 0])
    return np.array([n for n in numbers if structure.positions[group == n, 2].mean() > top], int)


def _top(structure: Structure, group: np.ndarray) -> float:
    """Height of the topmost metal, or where there is none, of the topmost atom of no molecule;
    minus infinity where these are fewer than two.
    """
    found = metals(structure.symbols)
    if not found.any():
        found = group < 0
    return structure.positions[found, 2].max() if found.sum() > 1 else -np.inf


def contacts(structure: Structure) -> list[Link]:
    """Donor-metal contacts of adsorbed molecules, hydrogen bonds between molecules; with lengths.

    Parameters
    ----------
    structure : Structure
        With a cell, the nearest images count.

    Returns
    -------
    list of Link
        Of kind `metal` or `hydrogen`.
    """
    symbols = np.asarray(structure.symbols)
    bound = links(structure.symbols, structure.positions, structure.cell)
    group = molecules(structure, bound)
    ligands = np.isin(group, adsorbed(arranged(structure, bound), group))
    limit = np.zeros((len(symbols), len(symbols)))
    metal = metals(symbols)
    for name, other in product(_DONORS, np.unique(symbols[metal])):
        longest = _LONGEST_TO_METAL * (COVALENT[name] + COVALENT[other])
        if other == "Pb":
            longest = LONGEST_TO_LEAD.get(name, longest)
        pair = (ligands & (symbols == name))[:, None] & (symbols == other)[None]
        limit[pair | pair.T] = longest
    heavy: dict[int, np.ndarray] = {}  # of a hydrogen that can be given, where what it sits on is
    cell = np.zeros((3, 3)) if structure.cell is None else structure.cell
    for b in bound:
        for h, other, sign in ((b.i, b.j, 1), (b.j, b.i, -1)):
            if symbols[h] == "H" and symbols[other] in ("N", "O", "S") and ligands[h]:
                heavy[h] = structure.positions[other] + sign * np.array(b.shift) @ cell
    donor = np.isin(np.arange(len(symbols)), list(heavy))
    for name, longest in LONGEST_HYDROGEN.items():
        accepts = (symbols == name) & ligands
        pair = donor[:, None] & accepts[None] & (group[:, None] != group[None])
        limit[pair | pair.T] = longest
    found = []
    for i, j, shift, d in near_pairs(structure.positions, structure.cell, limit):
        if metal[i] or metal[j]:
            found.append(Link(i, j, shift, d, "metal"))
            continue
        h, acceptor, sign = (i, j, 1) if i in heavy else (j, i, -1)
        if _straight(
            heavy[h],
            structure.positions[h],
            structure.positions[acceptor] + sign * np.array(shift) @ cell,
        ):
            found.append(Link(i, j, shift, d, "hydrogen"))
    return found


def cropped(structure: Structure, depth_angstrom: float | None) -> tuple[Structure, list[Link]]:
    """What lies no deeper than `depth_angstrom` under the topmost metal (everything for None), and
    the contacts among it.

    Contacts are found in the whole structure; `info["kept"]` of the result names the indices of
    the atoms that stay.

    Parameters
    ----------
    structure : Structure
    depth_angstrom : float or None

    Returns
    -------
    Structure
    contacts : list of Link
    """
    found = contacts(structure)
    metal = metals(structure.symbols)
    if depth_angstrom is None or not metal.any():
        return structure, found
    top = structure.positions[metal, 2].max()
    keep = np.flatnonzero(structure.positions[:, 2] > top - depth_angstrom)
    new = {int(old): k for k, old in enumerate(keep)}
    kept = [
        Link(new[c.i], new[c.j], c.shift, c.distance_angstrom, c.kind)
        for c in found
        if c.i in new and c.j in new
    ]
    return Structure(
        tuple(structure.symbols[k] for k in keep),
        structure.positions[keep],
        structure.cell,
        structure.info | {"kept": keep},
    ), kept
