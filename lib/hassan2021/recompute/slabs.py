"""Geometries on the surface, built with ASE: slab, what covers it, a displaced iodide.

The crystal is tetragonal MAPbI3 (I4/mcm) in the cell of Poglitsch & Weber 1987 [1]_, octahedra
turned about c by 9 degrees, as refinements at room temperature find them (an assumption: the
cell's paper gives no positions). The cations lie in the plane with C-N along ±[110], every
neighbour antiparallel, so each layer is its own mirror image and has no dipole. Angstrom
throughout; z is the surface normal, and the top PbI2 sheet of an unrelaxed slab is at z = `TOP`.

References
----------
.. [1] Poglitsch & Weber, J. Chem. Phys. 87, 6373 (1987), doi:10.1063/1.453467.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from hassan2021.recompute.jobs import FOLDER, kept_structure
from peled.formats.atomistic.structures import Structure

CELL_A, CELL_C, TILT_DEG = 8.855, 12.659, 9.0
#: Height of the cell: two sheets (6.33), a ligand lying on them (7.5), and the 10 angstrom of
#: vacuum the paper states.
HEIGHT = 24.0
BOTTOM = 1.5
TOP = BOTTOM + CELL_C / 2
TOP_THIN = 5.0  # the same of the stand-in (`thin`)
_BOND_CN, _BOND_CH, _BOND_NH = 1.49, 1.09, 1.03
#: Place of in-plane iodide in the sheet, I on 8h at (x, x + 1/2, 0): tan(tilt) = 1 - 4 x.
_X = (1 - np.tan(np.deg2rad(TILT_DEG))) / 4


def methylammonium(angle_deg: float, at: np.ndarray) -> Atoms:
    """CH3NH3 in the plane, C to N at `angle_deg` from x, its bond centred at `at`, staggered."""
    rows = [(-_BOND_CN / 2, 0, 0), (_BOND_CN / 2, 0, 0)]
    for end, bond, turn in ((-1, _BOND_CH, 0.0), (1, _BOND_NH, np.pi)):
        for angle in turn + 2 * np.pi / 3 * np.arange(3):
            out = end * (_BOND_CN / 2 + bond / 3)
            rows.append((out, bond * 0.943 * np.cos(angle), bond * 0.943 * np.sin(angle)))
    cation = Atoms("CNH6", positions=rows)
    cation.rotate(angle_deg, "z")
    cation.translate(at)
    return cation


def _lead_sheet(x: float) -> Atoms:
    """PbI2 of one cell, octahedra turned by x."""
    at = [(0, 0), (0.5, 0.5), (x, x + 0.5), (-x, 0.5 - x), (0.5 - x, x), (x + 0.5, -x)]
    return Atoms("Pb2I4", positions=np.c_[np.array(at) % 1.0, np.zeros(6)] * CELL_A)


def _salt_sheet(parity: int, turned: bool) -> Atoms:
    """Methylammonium iodide of one cell; antiparallel to its neighbours."""
    sheet = Atoms("I2", positions=np.array([(0, 0, 0), (0.5, 0.5, 0)]) * CELL_A)
    for k, at in enumerate(((0.5, 0, 0), (0, 0.5, 0))):
        angle = 45.0 + 180.0 * ((parity + k) % 2) + 90.0 * turned
        sheet += methylammonium(angle, np.array(at) * CELL_A)
    return sheet


def _repeated(sheet, z: float, tag: int) -> Atoms:
    """`sheet(parity)` in every cell of the slab, at height z."""
    repeat = 2
    whole = Atoms()
    for i, j in np.ndindex(repeat, repeat):
        cell = sheet(i + j)
        cell.translate((i * CELL_A, j * CELL_A, z))
        whole += cell
    whole.set_tags(tag)
    return whole


def slab(lead_sheets: int = 2) -> Atoms:
    """PbI2-terminated (001) slab of 2 x 2 cells: PbI2 sheets with MAI sheets between them.

    The top sheet is turned alike for any number; every further one lifts it by half of `CELL_C`.
    Tags: 0 top PbI2 sheet, 1 apical iodide and cations below it, 2 everything lower.

    Parameters
    ----------
    lead_sheets : int

    Returns
    -------
    ase.Atoms
        Unrelaxed, 10 angstrom of vacuum above a ligand.

    Raises
    ------
    ValueError
        With fewer than two sheets.
    """
    if lead_sheets < 2:
        raise ValueError(f"lead_sheets: expected at least 2, found {lead_sheets}")
    thickness = (lead_sheets - 1) * CELL_C / 2
    whole = Atoms()
    for layer in range(2 * lead_sheets - 1):
        z = BOTTOM + thickness - layer * CELL_C / 4
        # I4/mcm: the octahedra of the next sheet are turned the other way.
        turned = layer % 4 >= 2
        if layer % 2:
            whole += _repeated(lambda p, t=turned: _salt_sheet(p, t), z, min(layer, 2))
        else:
            x = 0.5 - _X if turned else _X
            whole += _repeated(lambda p, x=x: _lead_sheet(x), z, min(layer, 2))
    whole.cell = [2 * CELL_A, 2 * CELL_A, HEIGHT + thickness - CELL_C / 2]
    whole.pbc = True
    return whole


def covered(on: Atoms, share: float = 1.0) -> Atoms:
    """A slab with methylammonium iodide on its top sheet, iodide over lead, where the crystal
    would go on; below full coverage the cells are taken in a chequerboard.

    Parameters
    ----------
    on : ase.Atoms
        The slab, from `slab` or relaxed.
    share : float
        In quarters, from 0 to 1.

    Returns
    -------
    ase.Atoms
        What was added is tagged 10.
    """
    salt = _repeated(lambda p: _salt_sheet(p, True), TOP + CELL_C / 4, 10)
    cells = np.arange(len(salt)) // (len(salt) // 4)
    taken = [0, 3, 1, 2][: round(4 * share)]
    return on + salt[np.isin(cells, taken)]


def thin(atoms: Atoms) -> Atoms:
    """The top sheet of a slab, its apical iodides, and caesium for the cations, under the same
    ligands (tags from 10): a neutral, cheap stand-in on which poses were searched.
    """
    tags = atoms.get_tags()
    top = atoms[(tags == 0) | ((tags == 1) & (atoms.numbers == 53))]
    nitrogen, carbon = (atoms.positions[(atoms.numbers == z) & (tags == 1)] for z in (7, 6))
    cations = Atoms(f"Cs{len(nitrogen)}", positions=(nitrogen + carbon) / 2)
    found = top + cations + atoms[tags >= 10]
    found.positions[:, 2] -= TOP - TOP_THIN
    found.cell = [*atoms.cell.lengths()[:2], 32.0]
    found.pbc = True
    return found


def displaced(atoms: Atoms, rank: int) -> Atoms:
    """An iodide of the top sheet moved to a place of its own, 4.5 to 9 angstrom from its vacancy:
    over a lead, or where none is free, in the widest hollow above the surface.

    `rank` counts the iodides that have such a place, nearest to what lies on the slab first, since
    it is its effect that is asked for. `info` says which atom moved and from where.

    Parameters
    ----------
    atoms : ase.Atoms
        A slab with what lies on it tagged 10 or more.
    rank : int

    Returns
    -------
    ase.Atoms
        With `interstitial` and `vacancy` in `info`.

    Raises
    ------
    ValueError
        When there are not so many.
    """
    top = np.flatnonzero((atoms.numbers == 53) & (atoms.get_tags() == 0))
    over = np.flatnonzero(atoms.get_tags() >= 10)
    if len(over):
        top = top[np.argsort([atoms.get_distances(i, over, mic=True).min() for i in top])]
    found = 0
    for site in top:
        if (place := _over_lead(atoms, site)) is None and (place := _hollow(atoms, site)) is None:
            continue
        if found == rank:
            made = atoms.copy()
            vacancy = " ".join(f"{x:.4f}" for x in atoms.positions[site])
            made.positions[site] = place
            made.info = {"interstitial": int(site), "vacancy": vacancy}
            return made
        found += 1
    raise ValueError(f"{found} iodides have a place to go to, number {rank + 1} asked for")


def _room(atoms: Atoms, places: np.ndarray, but: list[int]) -> np.ndarray:
    """Distance of places from the nearest atom, images included, `but` left out."""
    others = np.setdiff1d(np.arange(len(atoms)), but)
    apart = places[:, None] - atoms.positions[others]
    period = atoms.cell.lengths()  # the slab's cell is rectangular
    apart -= period * np.round(apart / period)
    return np.linalg.norm(apart, axis=2).min(axis=1)


def _over_lead(atoms: Atoms, site: int) -> np.ndarray | None:
    """The nearest place on a lead that is free, upright where it can be."""
    lead = np.flatnonzero((atoms.numbers == 82) & (np.abs(atoms.positions[:, 2] - TOP) < 1.2))
    distances = atoms.get_distances(site, lead, mic=True)
    tilt, turn = np.deg2rad([(t, a) for t in (0, 20, 35) for a in range(0, 360, 45)]).T
    out = np.c_[np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)]
    for k in lead[np.argsort(distances)][np.sort(distances) >= 4.5]:
        places = atoms.positions[k] + 3.05 * out
        free = _room(atoms, places, [site, int(k)]) > 2.8
        if free.any():
            return places[int(np.argmax(free))]
    return None


def _hollow(atoms: Atoms, site: int) -> np.ndarray | None:
    """The nearest of the widest places over the surface."""
    r, angle, z = (
        x.ravel()
        for x in np.meshgrid(
            (4.5, 5.5, 6.5, 7.5), np.deg2rad(np.arange(0, 360, 15)), (2, 3, 4, 5.5, 6.5),
            indexing="ij",
        )
    )  # fmt: skip
    places = atoms.positions[site] + np.c_[r * np.cos(angle), r * np.sin(angle), z]
    wide = np.minimum(_room(atoms, places, [site]), 3.2)  # wide enough, and then the nearest
    best = int(np.argmax(wide))
    return places[best] if wide[best] > 2.6 else None


def to_atoms(found: Structure) -> Atoms:
    """A kept structure as `ase.Atoms`; what stands on the slab's own atoms is tagged 10."""
    atoms = Atoms(
        found.symbols, positions=found.positions, cell=found.cell, pbc=found.cell is not None
    )
    for sheets in (2, 3):
        if atoms.symbols.count("Pb") == 8 * sheets:
            clean = slab(sheets).get_tags()
            atoms.set_tags(np.r_[clean, np.full(len(atoms) - len(clean), 10)])
    return atoms


def build(start: str) -> Atoms:
    """The start of a job: `slab:2`, `covered:0.5`, `displaced:<kept file>:<rank>`, or a kept file,
    `#` and the number of its frame behind it where it has several.

    Parameters
    ----------
    start : str

    Returns
    -------
    ase.Atoms
    """
    what, _, rest = start.partition(":")
    if what == "slab":
        return slab(int(rest))
    if what == "covered":
        return covered(build("tight_binding/slab-0.gfn2.xyz"), float(rest))
    if what == "displaced":
        file, _, rank = rest.rpartition(":")
        return displaced(build(file), int(rank))
    file, _, frame = start.partition("#")
    return to_atoms(kept_structure(FOLDER / file, int(frame or 0)))
