"""Ball-and-stick pictures with matplotlib: one collection of polygons sorted by depth, farther
atoms fading into the page.

`atoms` draws what it is given; `structure` first writes a periodic structure so that molecules are
whole, then marks
contacts to metals and hydrogen bonds with their lengths. Bonds that leave the cell are drawn as
half sticks on both sides.

Own code, since `ase.visualize.plot.plot_atoms` (3.29: deterministic, self-contained) draws circles
alone: neither bonds nor contacts nor depth.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from peled.energetics import bonding
from peled.energetics.bonding import COVALENT, Link
from peled.figures import COLOURS
from peled.formats.atomistic import Structure

__all__ = [
    "COVALENT",
    "LOOK",
    "MARKS",
    "Drawn",
    "Label",
    "appearance",
    "atoms",
    "clearest",
    "legend",
    "meaning",
    "project",
    "scale_bar",
    "structure",
    "two_views",
]

#: Colour and drawn radius (angstrom) of the elements here; colours keep the repository's meaning
#: of I and Pb.
LOOK = {
    "H": ("#E8E8E8", 0.28),
    "C": ("#505050", 0.42),
    "N": ("#0072B2", 0.45),
    "O": ("#C0392B", 0.43),
    "S": ("#D4AC0D", 0.55),
    "I": ("#7B3294", 0.85),
    "Pb": ("#2F2F2F", 0.75),
    "Cs": ("#B9D7EA", 0.8),
}
#: Colour of dashed lines.
MARKS = {"metal": COLOURS["orange"], "hydrogen": COLOURS["green"]}


@cache
def appearance(symbol: str) -> tuple[str, float]:
    """Colour and drawn radius (angstrom) of an element: of `LOOK`, else the colour of Jmol and half
    the covalent radius.

    Parameters
    ----------
    symbol : str
        Of an element.

    Returns
    -------
    colour : str
        As #rrggbb.
    radius_angstrom : float
    """
    if symbol in LOOK:
        return LOOK[symbol]
    from ase.data import atomic_numbers
    from ase.data.colors import jmol_colors

    return to_hex(jmol_colors[atomic_numbers[symbol]]), 0.5 * COVALENT[symbol]


def meaning(kind: str, symbols: Collection[str]) -> str:
    """What a dashed line of a kind says in a picture of these elements.

    Parameters
    ----------
    kind : str
        Of a `Link`: `metal` or `hydrogen`.
    symbols : collection of str
        Elements of the picture.

    Returns
    -------
    str
        Such as "donor–Pb"; "donor–metal" where there are several.
    """
    if kind == "hydrogen":
        return "hydrogen bond"
    here = sorted({s for s in symbols if bonding.metals([s])[0]})
    return f"donor\u2013{here[0] if len(here) == 1 else 'metal'}"


_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 25)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 25)[:-1])], axis=1
)
_PAD, _PAD_PERIODIC = (
    0.9,
    1.7,
)  # angstrom around the outermost atoms; half sticks leave a cell by up to 1.6
_BAR_ROOM = 1.1  # angstrom under the atoms for the scale bar


@dataclass(frozen=True)
class Label:
    """A length written beside its dashed line: text, middle (x, y) and size of its box in the
    units of the axes (angstrom).
    """

    text: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawn:
    """What a picture shows: the structure as written for it, its contacts, projected positions
    (atoms, 3), and labels.
    """

    structure: Structure
    contacts: tuple[Link, ...]
    view: np.ndarray
    labels: tuple[Label, ...]


def project(positions: np.ndarray, *, tilt_deg: float, turn_deg: float) -> np.ndarray:
    """Orthographic view: turned about z, then tilted (0 is from the side with z up, 90 from
    above); columns x, y, depth towards the eye.

    Parameters
    ----------
    positions : ndarray, shape (atoms, 3)
        Cartesian, ångström.
    tilt_deg, turn_deg : float

    Returns
    -------
    ndarray, shape (atoms, 3)
        Ångström.

    Examples
    --------
    >>> project(np.array([[1.0, 2.0, 3.0]]), tilt_deg=90.0, turn_deg=0.0).round(6).tolist()
    [[1.0, 2.0, 3.0]]
    """
    turn, tilt = np.deg2rad(turn_deg), np.deg2rad(tilt_deg)
    x = positions[:, 0] * np.cos(turn) - positions[:, 1] * np.sin(turn)
    y = positions[:, 0] * np.sin(turn) + positions[:, 1] * np.cos(turn)
    z = positions[:, 2]
    return np.stack(
        [x, z * np.cos(tilt) + y * np.sin(tilt), -y * np.cos(tilt) + z * np.sin(tilt)], axis=1
    )


def atoms(
    ax,
    symbols: Sequence[str],
    positions: np.ndarray,
    *,
    cell: np.ndarray | None = None,
    tilt_deg: float = 12.0,
    turn_deg: float = 20.0,
    colours: Mapping[int, str] | None = None,
    fade: float = 0.55,
    scale: float = 1.0,
    without: Collection[tuple[int, int]] = (),
) -> np.ndarray:
    """Draw atoms and bonds; returns the projected positions (atoms, 3), for labels.

    Parameters
    ----------
    ax : Axes
    symbols, positions
        The atoms, angstrom.
    cell : ndarray, shape (3, 3), optional
        With it, bonds through the cell's faces are drawn as half sticks.
    tilt_deg, turn_deg : float
        See `project`.
    colours : dict, optional
        Of single atoms.
    fade : float
        How far the farthest atoms fade into white.
    scale : float
        Factor of all radii.
    without : collection of (i, j)
        Pairs, i < j, that get no stick.

    Returns
    -------
    ndarray, shape (atoms, 3)
        Angstrom.
    """
    colours, positions = colours or {}, np.asarray(positions, float)
    view = project(positions, tilt_deg=tilt_deg, turn_deg=turn_deg)
    depth = view[:, 2]
    span = max(np.ptp(depth), 1e-9)

    def faded(colour, at) -> np.ndarray:
        share = fade * np.clip((depth.max() - at) / span, 0, 1)
        return (1 - share) * np.array(to_rgb(colour)) + share

    polygons, faces, edges, order = [], [], [], []
    for b in bonding.links(symbols, positions, cell):
        if (b.i, b.j) in without:
            continue
        away = (
            positions[b.j]
            - positions[b.i]
            + (np.array(b.shift) @ cell if cell is not None else 0.0)
        )
        along = project(away[None], tilt_deg=tilt_deg, turn_deg=turn_deg)[0]
        length = np.linalg.norm(along[:2])
        if length < 1e-6:
            continue
        normal = np.array([-along[1], along[0]]) / length * 0.13 * scale
        for k, half in ((b.i, along / 2), (b.j, -along / 2)):
            start, end = view[k, :2], view[k, :2] + half[:2]
            polygons.append(np.array([start - normal, start + normal, end + normal, end - normal]))
            faces.append(faded(colours.get(k, appearance(symbols[k])[0]), depth[k]))
            edges.append(faces[-1])
            order.append(depth[k] + half[2])
    for k, s in enumerate(symbols):
        colour, radius = appearance(s)
        radius *= scale
        face = faded(colours.get(k, colour), depth[k])
        polygons.append(view[k, :2] + radius * _CIRCLE)
        faces.append(face)
        edges.append(face * 0.45 + 0.55 * (1 - (1 - face) * 0.4) * 0.5)
        order.append(depth[k] + 0.05)
        polygons.append(
            view[k, :2] + radius * np.array([-0.3, 0.3]) + 0.3 * radius * _CIRCLE
        )  # a highlight makes it a ball
        faces.append(face * 0.5 + 0.5)
        edges.append(faces[-1])
        order.append(depth[k] + 0.06)
    rank = np.argsort(order, kind="stable")
    ax.add_collection(
        PolyCollection(
            [polygons[k] for k in rank],
            facecolors=[faces[k] for k in rank],
            edgecolors=[np.clip(edges[k], 0, 1) for k in rank],
            linewidths=0.25,
        )
    )
    pad = _PAD if cell is None else _PAD_PERIODIC
    ax.set_xlim(view[:, 0].min() - pad, view[:, 0].max() + pad)
    ax.set_ylim(view[:, 1].min() - pad, view[:, 1].max() + pad)
    ax.set_aspect("equal", adjustable="box")
    ax.axis("off")
    return view


def structure(
    ax,
    found: Structure,
    *,
    tilt_deg: float = 8.0,
    turn_deg: float = 0.0,
    fontsize: float = 5.5,
    **look,
) -> Drawn:
    """A structure with molecules whole, contacts dashed and their lengths (angstrom) beside them.

    Parameters
    ----------
    ax : Axes
    found : Structure
        With a cell it is taken as periodic.
    tilt_deg, turn_deg : float
        See `project`.
    fontsize : float
        Of lengths and scale bar, points.
    **look
        As for `atoms`.

    Returns
    -------
    Drawn
    """
    shown, contacts = bonding.cropped(bonding.arranged(found), None)
    return _structure(ax, shown, contacts, tilt_deg, turn_deg, look, fontsize=fontsize)


def _structure(
    ax,
    shown: Structure,
    contacts: Sequence[Link],
    tilt_deg: float,
    turn_deg: float,
    look: Mapping,
    *,
    fontsize: float,
    limits: tuple[float, float, float, float] | None = None,
    shortest: float = 0.0,
    bar: bool = True,
) -> Drawn:
    """As `structure`, of what is arranged already; in axes of `limits` (x, then y), without lengths
    of contacts that look shorter than `shortest`, both in angstrom."""
    view = atoms(
        ax,
        shown.symbols,
        shown.positions,
        cell=shown.cell,
        tilt_deg=tilt_deg,
        turn_deg=turn_deg,
        without={(c.i, c.j) for c in contacts},
        **look,
    )
    if limits is not None:
        ax.set(xlim=limits[:2], ylim=limits[2:])
    elif bar:
        ax.set_ylim(ax.get_ylim()[0] - _BAR_ROOM, ax.get_ylim()[1])
    ends = []
    for c in contacts:
        away = (
            shown.positions[c.j]
            - shown.positions[c.i]
            + (np.array(c.shift) @ shown.cell if shown.cell is not None else 0.0)
        )
        start, along = (
            view[c.i, :2],
            project(away[None], tilt_deg=tilt_deg, turn_deg=turn_deg)[0, :2],
        )
        pieces = [(start, start + along)]
        # The partner is beyond the cell's face: the same line also ends at the atom that is drawn.
        if any(c.shift):
            pieces.append((view[c.j, :2] - along, view[c.j, :2]))
        for a, b in pieces:
            ax.plot(
                *np.array([a, b]).T,
                color=MARKS[c.kind],
                lw=0.9,
                ls=(0, (2, 1.3)),
                zorder=3,
                solid_capstyle="butt",
                path_effects=[_halo(1.4)],
            )
        ends.append(pieces[0])
    labels: tuple[Label, ...] = ()
    long = [k for k, (a, b) in enumerate(ends) if np.linalg.norm(b - a) >= shortest]
    if long:
        radii = np.array([0.7 * look.get("scale", 1.0) * appearance(s)[1] for s in shown.symbols])
        labels = _write_lengths(
            ax, [contacts[k] for k in long], [ends[k] for k in long], view, radii, fontsize
        )
    if bar:
        scale_bar(ax, fontsize=fontsize)
    return Drawn(shown, tuple(contacts), view, labels)


def two_views(
    axes,
    found: Structure,
    *,
    turn_deg: float = 0.0,
    depth_angstrom: float | None = None,
    fontsize: float = 5.5,
    **look,
) -> tuple[Drawn, Drawn]:
    """The same structure from the side (first Axes) and from above (second), to one scale if the
    two Axes are equally large; as `structure` otherwise.

    Parameters
    ----------
    axes : pair of Axes
    found : Structure
    turn_deg : float
        About the surface's normal.
    depth_angstrom : float, optional
        Leave out what lies deeper than this under the topmost lead.
    fontsize : float
        Of the lengths, points.
    **look
        Colours and labels, as for `structure`.

    Returns
    -------
    side, top : Drawn
    """
    shown, contacts = bonding.cropped(bonding.arranged(found), depth_angstrom)
    tilts = (4.0, 90.0)
    flat = [project(shown.positions, tilt_deg=tilt, turn_deg=turn_deg)[:, :2] for tilt in tilts]
    half = (
        np.max([np.ptp(v, axis=0) for v in flat], axis=0) / 2
        + (_PAD if shown.cell is None else _PAD_PERIODIC)
        + [0.0, _BAR_ROOM / 2]
    )
    drawn = []
    for k, (ax, tilt, v) in enumerate(zip(axes, tilts, flat, strict=True)):
        x, y = (v.min(axis=0) + v.max(axis=0)) / 2
        # Seen from above most contacts are points; their lengths stand in the first view.
        limits = (x - half[0], x + half[0], y - half[1], y + half[1])
        drawn.append(
            _structure(
                ax, shown, contacts, tilt, turn_deg, look,
                fontsize=fontsize, limits=limits, shortest=float(k), bar=not k,
            )
        )  # fmt: skip
    return drawn[0], drawn[1]


def clearest(found: Structure) -> tuple[float, float]:
    """The view (tilt_deg, turn_deg) of a molecule or complex in which heavy atoms hide each other
    least and contacts look longest.

    Parameters
    ----------
    found : Structure

    Returns
    -------
    tilt_deg, turn_deg : float
        On a grid of 15 and 10 degrees.
    """
    heavy = [k for k, s in enumerate(found.symbols) if s != "H"]
    marked = bonding.contacts(found)
    ends = np.array([[c.i, c.j] for c in marked if not any(c.shift)], int).reshape(-1, 2)
    best = (-np.inf, 0.0, 0.0)
    for tilt in range(-75, 90, 15):
        for turn in range(0, 180, 10):
            flat = project(found.positions, tilt_deg=tilt, turn_deg=turn)[:, :2]
            apart = np.linalg.norm(flat[heavy][:, None] - flat[heavy][None], axis=2)[
                np.triu_indices(len(heavy), 1)
            ]
            score = float(np.minimum(apart, 1.5).mean()) if len(apart) else 0.0
            score += (
                0.3 * float(np.linalg.norm(flat[ends[:, 0]] - flat[ends[:, 1]], axis=1).mean())
                if len(ends)
                else 0.0
            )
            best = max(best, (round(score, 9), float(tilt), float(turn)))
    return best[1], best[2]


def _halo(width: float):
    return withStroke(linewidth=width, foreground="white")


def _points_per_angstrom(ax) -> float:
    """How large an angstrom is on the page, after the layout has been done once."""
    if ax.figure.get_layout_engine() is not None:
        ax.figure.draw_without_rendering()
    ax.apply_aspect()
    box = ax.get_position()
    (width, height), (x0, x1), (y0, y1) = ax.figure.get_size_inches(), ax.get_xlim(), ax.get_ylim()
    return 72 * min(box.width * width / (x1 - x0), box.height * height / (y1 - y0))


def _write_lengths(
    ax, contacts: Sequence[Link], ends, view: np.ndarray, radii: np.ndarray, fontsize: float
) -> tuple[Label, ...]:
    """Lengths near the middles of their lines, moved aside until they touch neither each other
    nor, where there is room, a line or an atom.
    """
    points = _points_per_angstrom(ax)
    height = 1.15 * fontsize / points
    middles = [(np.array(a) + np.array(b)) / 2 for a, b in ends]
    on_lines = np.vstack([np.linspace(a, b, 9) for a, b in ends])
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    placed: list[Label] = []
    for c, middle in sorted(
        zip(contacts, middles, strict=True), key=lambda pair: (-pair[1][1], pair[1][0])
    ):
        text = f"{c.distance_angstrom:.2f}"
        width = 0.6 * len(text) * fontsize / points
        best = None
        for ring in range(1, 13):
            for angle in np.arange(16) * np.pi / 8:
                at = middle + ring * 0.45 * height * np.array([1.6 * np.cos(angle), np.sin(angle)])
                if any(
                    abs(at[0] - p.x) < (width + p.width) / 2
                    and abs(at[1] - p.y) < (height + p.height) / 2
                    for p in placed
                ):
                    continue
                near_atoms = _covered(at, width, height, view[:, :2], radii)
                cost = (
                    1.4 * near_atoms
                    + 0.8 * _covered(at, width, height, on_lines, 0.0)
                    + 0.45 * ring
                )
                cost += 9.0 * (
                    not (
                        x0 + width / 2 <= at[0] <= x1 - width / 2
                        and y0 + height / 2 <= at[1] <= y1 - height / 2
                    )
                )
                if best is None or cost < best[0] - 1e-9:
                    best = (cost, at, ring)
        if best is None:  # a crowd: leaving a length out is better than two on top of each other
            continue
        _, at, ring = best
        if ring > 3:
            ax.plot([middle[0], at[0]], [middle[1], at[1]], color="#999999", lw=0.4, zorder=3)
        ax.text(
            *at,
            text,
            fontsize=fontsize,
            ha="center",
            va="center",
            color=MARKS[c.kind],
            zorder=5,
            path_effects=[_halo(2.0)],
            gid="length",
        )
        placed.append(Label(text, float(at[0]), float(at[1]), float(width), float(height)))
    return tuple(placed)


def _covered(
    at: np.ndarray, width: float, height: float, points: np.ndarray, margin: float | np.ndarray
) -> int:
    away = np.abs(points - at)
    return int(
        np.count_nonzero((away[:, 0] < width / 2 + margin) & (away[:, 1] < height / 2 + margin))
    )


def scale_bar(ax, *, fontsize: float = 5.5) -> None:
    """A bar of known length in the lower right corner.

    Parameters
    ----------
    ax : Axes
        Whose unit is the angstrom.
    fontsize : float
        Points.
    """
    length_angstrom = 2.0
    (_, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    y = y0 + 0.02 * (y1 - y0)
    ax.plot(
        [x1 - length_angstrom - 0.1, x1 - 0.1],
        [y, y],
        color="black",
        lw=1.4,
        solid_capstyle="butt",
        zorder=6,
    )
    text = f"{length_angstrom:g} \u00c5"
    ax.text(
        x1 - length_angstrom / 2 - 0.1,
        y + 0.01 * (y1 - y0),
        text,
        fontsize=fontsize,
        ha="center",
        va="bottom",
        zorder=6,
        path_effects=[_halo(1.5)],
    )


def legend(
    ax, symbols: Sequence[str], kinds: Sequence[str] = (), *, fontsize: float = 5.5, **where
):
    """Elements as balls, and what the dashed lines mean; below the Axes unless `where` (arguments
    of `Axes.legend`) says otherwise.

    Parameters
    ----------
    ax : Axes
    symbols : sequence of str
        Elements, each shown once.
    kinds : sequence of str
        Kinds of contacts, see `meaning`.
    fontsize : float
    **where
        Of `Axes.legend`.

    Returns
    -------
    Legend
    """
    known = list(LOOK)
    handles = []
    for s in sorted(set(symbols), key=lambda s: (known.index(s) if s in LOOK else 99, s)):
        colour, radius = appearance(s)
        handles.append(
            Line2D(
                [],
                [],
                ls="",
                marker="o",
                ms=2.2 + 3.4 * radius,
                mfc=colour,
                mec="#444444",
                mew=0.3,
                label=s,
            )
        )
    for kind in dict.fromkeys(kinds):
        colour, said = MARKS[kind], meaning(kind, symbols)
        handles.append(
            Line2D([], [], color=colour, lw=0.9, ls=(0, (2, 1.3)), label=f"{said} (\u00c5)")
        )
    where = {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, 0.0),
        "ncols": len(handles),
        "borderaxespad": 0.1,
        **where,
    }
    return ax.legend(
        handles=handles,
        fontsize=fontsize,
        frameon=False,
        handletextpad=0.2,
        columnspacing=0.8,
        handlelength=1.6,
        **where,
    )
