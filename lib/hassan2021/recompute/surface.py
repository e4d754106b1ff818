"""Geometries on the surface: crystal, PbI2-terminated slab, ligands docked on it, iodide Frenkel pairs (built with ASE).

The crystal is tetragonal MAPbI3 (I4/mcm) in the cell of Poglitsch & Weber 1987, doi:10.1063/1.453467. Its octahedra are turned
about c by 9 degrees, as refinements at room temperature find them (an assumption: the cell's paper gives no positions); the cations
lie in the plane with C-N along ±[110], every neighbour antiparallel, so each layer is its own mirror image and has no dipole.
All arrays are in angstrom; z is the surface normal and the top PbI2 sheet of an unrelaxed slab is at z = `TOP`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CELL_A, CELL_C = 8.855, 12.659
TILT_DEG = 9.0
#: Height of the cell: two sheets (6.33), a ligand lying on them (7.5), and the 10 angstrom of vacuum the paper states.
HEIGHT = 24.0
BOTTOM = 1.5
TOP = BOTTOM + CELL_C / 2
TOP_THIN = 5.0  # the same of the stand-in (`thin`)
_BOND_CN, _BOND_CH, _BOND_NH = 1.49, 1.09, 1.03


def crystal(tilt_deg: float = TILT_DEG):
    """The conventional cell as `ase.Atoms`: Pb 4c, I 4a and 8h; methylammonium left out (it is put in by `slab`).

    I on 8h is at (x, x + 1/2, 0) with tan(tilt) = 1 - 4 x.
    """
    from ase.spacegroup import crystal as build

    x = (1 - np.tan(np.deg2rad(tilt_deg))) / 4
    return build(
        ("Pb", "I", "I"),
        [(0, 0, 0), (0, 0, 0.25), (x, x + 0.5, 0)],
        spacegroup=140,
        cellpar=(CELL_A, CELL_A, CELL_C, 90, 90, 90),
        primitive_cell=False,
    )


def methylammonium(angle_deg: float) -> tuple[list[str], np.ndarray]:
    """CH3NH3+ lying in the plane, C to N at `angle_deg` from x, centred on the bond, staggered, one N-H upright in the mirror plane's normal."""
    symbols, rows = ["C", "N"], [(-_BOND_CN / 2, 0, 0), (_BOND_CN / 2, 0, 0)]
    for end, bond, turn in ((-1, _BOND_CH, 0.0), (1, _BOND_NH, np.pi)):
        for k in range(3):
            angle = turn + 2 * np.pi * k / 3
            symbols.append("H")
            rows.append(
                (
                    end * (_BOND_CN / 2 + bond / 3),
                    bond * 0.943 * np.cos(angle),
                    bond * 0.943 * np.sin(angle),
                )
            )
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return symbols, np.array(rows) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])


def slab(repeat: int = 2, lead_sheets: int = 2, *, height: float | None = None):
    """PbI2-terminated (001) slab: `lead_sheets` PbI2 sheets with MAI sheets between them, periodic in all directions.

    Parameters
    ----------
    repeat : int
        Cells along a and along b.
    lead_sheets : int
        At least 2. The top sheet is turned alike for any number; every further one lifts it by half of `CELL_C`.
    height : float, optional
        Period along z; by default the one of two sheets and as much more as the slab is thicker.

    Returns
    -------
    ase.Atoms
        Tags: 0 top PbI2 sheet, 1 apical iodide and cations below it, 2 everything lower.

    Raises
    ------
    ValueError
        With fewer than two sheets.
    """
    from ase import Atoms

    if lead_sheets < 2:
        raise ValueError(f"lead_sheets: expected at least 2, found {lead_sheets}")
    x = (1 - np.tan(np.deg2rad(TILT_DEG))) / 4
    symbols, positions, tags = [], [], []
    for layer in range(2 * lead_sheets - 1):
        tag, z = min(layer, 2), -layer * CELL_C / 4
        for i in range(repeat):
            for j in range(repeat):
                origin = np.array([i, j, 0.0])
                if layer % 2 == 0:
                    # I4/mcm: the octahedra of the next sheet are turned the other way.
                    u = x if layer % 4 == 0 else 0.5 - x
                    names = ["Pb", "Pb", "I", "I", "I", "I"]
                    at = (
                        np.array(
                            [
                                (0, 0),
                                (0.5, 0.5),
                                (u, u + 0.5),
                                (-u, 0.5 - u),
                                (0.5 - u, u),
                                (u + 0.5, -u),
                            ]
                        )
                        % 1.0
                    )
                    rows = (np.column_stack([at, np.zeros(6)]) + origin) * CELL_A
                else:
                    names, rows = (
                        ["I", "I"],
                        (np.array([(0, 0, 0), (0.5, 0.5, 0)]) + origin) * CELL_A,
                    )
                    for k, (a, b) in enumerate(((0.5, 0), (0, 0.5))):
                        kind, cation = methylammonium(
                            45.0
                            + (180.0 if (i + j + k) % 2 else 0.0)
                            + (90.0 if layer % 4 == 3 else 0.0)
                        )
                        names, rows = (
                            names + kind,
                            np.vstack([rows, cation + (np.array([a, b, 0]) + origin) * CELL_A]),
                        )
                symbols += names
                positions += list(rows + [0, 0, z])
                tags += [tag] * len(names)
    thickness = (lead_sheets - 1) * CELL_C / 2
    period = height if height is not None else HEIGHT + thickness - CELL_C / 2
    positions = np.array(positions) + [0, 0, BOTTOM + thickness]
    return Atoms(
        symbols,
        positions=positions,
        tags=tags,
        cell=[repeat * CELL_A, repeat * CELL_A, period],
        pbc=True,
    )


def thin(atoms):
    """The top sheet of a slab, its apical iodides, and caesium for the cations: a neutral, cheap stand-in for finding poses.

    Parameters
    ----------
    atoms : ase.Atoms
        A slab with its tags (see `slab`), with or without ligands (tags from 10), which come along.

    Returns
    -------
    ase.Atoms
        Ligands last, in their order; period 32 angstrom, the sheet at z = `TOP_THIN`.
    """
    from ase import Atoms

    tags = atoms.get_tags()
    top = atoms[(tags == 0) | ((tags == 1) & (atoms.numbers == 53))]
    nitrogen, carbon = (
        [a.position for a in atoms if a.symbol == s and a.tag == 1] for s in ("N", "C")
    )
    cations = Atoms(
        "Cs" * len(nitrogen),
        positions=(np.array(nitrogen) + np.array(carbon)) / 2,
        tags=[1] * len(nitrogen),
    )
    found = top + cations + atoms[tags >= 10]
    found.positions[:, 2] -= TOP - TOP_THIN
    found.cell = [*atoms.cell.lengths()[:2], 32.0]
    found.pbc = True
    return found


# --- docking -----------------------------------------------------------------------------------------------------------

#: Depth (eV) and distance (angstrom) of contacts in the docking score, round numbers from GFN2-xTB fragments; only an order of poses comes from it.
_CONTACT = {
    ("N", "Pb"): (0.75, 2.6),
    ("O", "Pb"): (0.45, 2.6),
    ("S", "Pb"): (0.5, 3.0),
    ("H", "I"): (0.12, 2.6),
}
#: Hydrogen bonds to a ligand that is there already, for poses that look for them; `H+` is a hydrogen on N, O or S.
_BETWEEN = {("H", "O"): (0.3, 1.8), ("O", "H+"): (0.3, 1.8), ("N", "H+"): (0.3, 1.8)}
_RADIUS = {"H": 1.2, "C": 1.7, "N": 1.55, "O": 1.5, "S": 1.8, "I": 2.0, "Pb": 2.0}
#: Donors that have no lone pair to give: an amide's nitrogen is told from an amine's by its neighbours (`donors`).
_DONORS = ("N", "O", "S")


@dataclass(frozen=True)
class Pose:
    """A rigid conformer on the surface: its number, where its atoms are, and the score (eV, lower is better)."""

    conformer: int
    positions: np.ndarray
    score_eV: float


def _well(r: np.ndarray, depth, best) -> np.ndarray:
    """Morse well of width 0.45 angstrom."""
    e = np.exp(-(r - best) / 0.45 / np.sqrt(2))
    return depth * (e * e - 2 * e)


def neighbours(symbols: Sequence[str], positions: np.ndarray) -> list[list[int]]:
    """Covalent neighbours of each atom (natural cutoffs of ASE)."""
    from ase import Atoms
    from ase.neighborlist import build_neighbor_list, natural_cutoffs

    atoms = Atoms(symbols, positions=positions)
    pairs = build_neighbor_list(
        atoms, natural_cutoffs(atoms, mult=1.1), self_interaction=False, bothways=True
    )
    return [list(map(int, pairs.get_neighbors(k)[0])) for k in range(len(atoms))]


def contact_table(
    symbols: Sequence[str], positions: np.ndarray, surface: Sequence[str], *, between: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, best distance and wall distance for every pair (ligand atom, surface atom); `between` counts hydrogen bonds among ligands."""
    near = neighbours(symbols, positions)
    contacts = _CONTACT | (_BETWEEN if between else {})
    depth, best, wall = (np.zeros((len(symbols), len(surface))) for _ in range(3))
    for i, s in enumerate(symbols):
        carbonyl_carbon = [
            n
            for n in near[i]
            if symbols[n] == "C" and any(symbols[m] == "O" and len(near[m]) == 1 for m in near[n])
        ]
        if s == "N":
            donor = not carbonyl_carbon  # an amide's lone pair is in its pi system
        elif s == "O":
            donor = len(near[i]) == 1 or not carbonyl_carbon
        else:
            donor = s == "S"
        if s == "H":
            donor = symbols[near[i][0]] in _DONORS if near[i] else False
        for j, t in enumerate(surface):
            if donor and (s, t) in contacts:
                depth[i, j], best[i, j] = contacts[s, t]
            wall[i, j] = 0.82 * (_RADIUS[s] + _RADIUS[t.rstrip("+")])
    return depth, best, wall


def dock(
    conformers: Sequence[tuple[Sequence[str], np.ndarray, float]],
    surface,
    *,
    count: int,
    trials: int = 60,
    seed: int = 0,
    apart: float = 1.2,
    between: bool = False,
) -> list[Pose]:
    """Lowest-scoring rigid poses of flexible molecules on a surface that stays put.

    Parameters
    ----------
    conformers : sequence of (symbols, positions, strain_eV)
    surface : ase.Atoms
        What is there already, periodic in the plane; may hold another ligand (tags from 10).
    count : int
        Number of poses, no two nearer than `apart` (root mean square angstrom, atoms in order) to each other.
    trials : int
        Random starts a conformer; each is refined over the six rigid degrees of freedom.
    between : bool
        Whether hydrogen bonds to the ligand that is there count; otherwise it only repels.

    Returns
    -------
    list of Pose, best first
    """
    from scipy.optimize import minimize
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(seed)
    top = surface.positions[:, 2].max()
    near_top = surface.positions[:, 2] > min(TOP, top) - 4.0
    kinds = np.array(surface.get_chemical_symbols(), dtype="<U2")
    if between:
        bound = neighbours(list(kinds), surface.positions)
        kinds[
            [
                k
                for k, s in enumerate(kinds)
                if s == "H" and surface[k].tag >= 10 and any(kinds[n] in _DONORS for n in bound[k])
            ]
        ] = "H+"
    fixed, names = surface.positions[near_top], kinds[near_top]
    period = surface.cell.lengths()[:2]
    sheet = fixed[names == "Pb"][:, 2].max()
    found: list[Pose] = []
    for number, (symbols, positions, strain) in enumerate(conformers):
        depth, best, wall = contact_table(symbols, positions, names, between=between)
        centred = positions - positions.mean(axis=0)

        def placed(v, centred=centred):
            return Rotation.from_rotvec(v[3:]).apply(centred) + v[:3]

        def score(v, depth=depth, best=best, wall=wall, placed=placed):
            d = placed(v)[:, None] - fixed[None]
            d[..., :2] -= period * np.round(d[..., :2] / period)
            r = np.linalg.norm(d, axis=2)
            wells = np.where(
                depth > 0, _well(np.maximum(r, 1.5), depth, np.where(depth > 0, best, 1.0)), 0.0
            )
            clash = np.where(depth > 0, 0.0, np.maximum(wall - r, 0.0) ** 2 * 3.0)
            # One lead atom holds one donor well and a second one half; without this all donors would crowd on one atom.
            crowd = (
                np.maximum(
                    (wells * (names == "Pb")).min(axis=0, initial=0.0)
                    - (wells * (names == "Pb")).sum(axis=0),
                    0.0,
                ).sum()
                * 0.5
            )
            return (
                wells.sum()
                + clash.sum()
                + crowd
                + 0.02 * max(placed(v)[:, 2].mean() - sheet - 6.0, 0.0)
            )

        for _ in range(trials):
            turn = Rotation.random(random_state=rng).as_rotvec()
            start = np.array([*(rng.random(2) * period), sheet, *turn])
            start[2] += 2.2 - (placed(start)[:, 2].min() - sheet)
            rough = score(start)
            if rough > 3.0:
                continue
            got = minimize(
                score, start, method="Powell", options={"maxiter": 3, "xtol": 0.05, "ftol": 0.01}
            )
            found.append(Pose(number, placed(got.x), float(got.fun) + strain))
    found.sort(key=lambda p: p.score_eV)
    kept: list[Pose] = []
    for pose in found:
        alike = (
            k
            for k in kept
            if k.positions.shape == pose.positions.shape and k.conformer == pose.conformer
        )
        if all(
            np.sqrt(((k.positions - pose.positions) ** 2).sum(axis=1).mean()) > apart for k in alike
        ):
            kept.append(pose)
        if len(kept) == count:
            break
    return kept


# --- Frenkel pairs -----------------------------------------------------------------------------------------------------


def frenkel_pair(atoms, site: int, *, hollow: int):
    """Displace one iodide of the top sheet to a surface hollow: an interstitial bound to one surface Pb, 4.5 to 9 angstrom from its vacancy.

    Parameters
    ----------
    atoms : ase.Atoms
        Slab with or without ligands.
    site : int
        Index of the iodide.
    hollow : int
        Which of the possible places (ordered by distance from the vacancy): above a Pb that is not a neighbour of the vacancy, where nothing is nearer
        than 2.8 angstrom except that Pb.

    Returns
    -------
    ase.Atoms

    Raises
    ------
    ValueError
        When `site` is no iodide of the top sheet or there is no such place.
    """
    at = atoms.copy()
    lead = [k for k, a in enumerate(at) if a.symbol == "Pb" and abs(a.position[2] - TOP) < 1.2]
    if at[site].symbol != "I" or abs(at[site].position[2] - TOP) > 1.2:
        raise ValueError(
            f"site {site}: expected an iodide of the top sheet, found {at[site].symbol} at z = {at[site].position[2]:.2f}"
        )
    distances = at.get_distances(site, lead, mic=True)
    places = []
    for k in np.argsort(distances):
        if distances[k] < 4.5:
            continue
        pb = at[lead[k]].position
        for tilt in (0.0, 20.0, 35.0):
            for turn in np.arange(0, 360, 45):
                t, a = np.deg2rad(tilt), np.deg2rad(turn)
                there = pb + 3.05 * np.array(
                    [np.sin(t) * np.cos(a), np.sin(t) * np.sin(a), np.cos(t)]
                )
                trial = at.copy()
                trial[site].position = there
                d = np.sort(
                    trial.get_distances(
                        site, [m for m in range(len(at)) if m not in (site, lead[k])], mic=True
                    )
                )
                if d[0] > 2.8:
                    places.append(there)
                    break
            else:
                continue
            break
    if hollow >= len(places):
        raise ValueError(
            f"hollow {hollow}: only {len(places)} places for the displaced iodide on this surface"
        )
    at[site].position = places[hollow]
    return at
