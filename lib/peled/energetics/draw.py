"""Ball-and-stick pictures with matplotlib: one collection of polygons sorted by depth, farther atoms fading into the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb

#: Colour and drawn radius (angstrom) of the elements here; colours keep the repository's meaning of I and Pb.
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
#: Covalent radii, Cordero et al. 2008, doi:10.1039/b801115j (angstrom).
COVALENT = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "S": 1.05, "I": 1.39, "Pb": 1.46, "Cs": 2.44}
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 25)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 25)[:-1])], axis=1)


def bonds(symbols: Sequence[str], positions: np.ndarray, *, slack: float = 1.2) -> np.ndarray:
    """Pairs of atoms nearer than `slack` times the sum of their covalent radii; shape (bonds, 2). Caesium is left unbound.

    >>> bonds(["O", "H", "H"], np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])).tolist()
    [[0, 1], [0, 2]]
    """
    radius = np.array([COVALENT.get(s, 1.2) if s != "Cs" else -9.0 for s in symbols])
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    near = distance < slack * (radius[:, None] + radius[None])
    hydrogen = np.array([s == "H" for s in symbols])
    near &= ~(hydrogen[:, None] & hydrogen[None])
    return np.argwhere(np.triu(near, 1))


def hydrogen_bonds(symbols: Sequence[str], positions: np.ndarray, groups: np.ndarray, *, longest: float = 2.1) -> np.ndarray:
    """Pairs (H, acceptor) between different `groups` (one integer an atom) with H on N or O and H...acceptor up to `longest` angstrom."""
    symbols = np.asarray(symbols)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    polar = np.isin(symbols, ["N", "O"])
    donors = [h for h in np.flatnonzero(symbols == "H") if np.any(polar & (distance[h] < 1.25))]
    found = [
        (h, a) for h in donors for a in np.flatnonzero(polar) if groups[h] != groups[a] and groups[h] >= 0 and groups[a] >= 0 and distance[h, a] <= longest
    ]
    return np.array(found, int).reshape(-1, 2)


def project(positions: np.ndarray, *, tilt_deg: float, turn_deg: float) -> np.ndarray:
    """Orthographic view: turned about z, then tilted (0 is from the side with z up, 90 from above); columns x, y, depth towards the eye."""
    turn, tilt = np.deg2rad(turn_deg), np.deg2rad(tilt_deg)
    x = positions[:, 0] * np.cos(turn) - positions[:, 1] * np.sin(turn)
    y = positions[:, 0] * np.sin(turn) + positions[:, 1] * np.cos(turn)
    z = positions[:, 2]
    return np.stack([x, z * np.cos(tilt) + y * np.sin(tilt), -y * np.cos(tilt) + z * np.sin(tilt)], axis=1)


def atoms(
    ax,
    symbols: Sequence[str],
    positions: np.ndarray,
    *,
    tilt_deg: float = 12.0,
    turn_deg: float = 20.0,
    colours: Mapping[int, str] | None = None,
    sizes: Mapping[int, float] | None = None,
    fade: float = 0.55,
    dashed: np.ndarray | None = None,
    scale: float = 1.0,
) -> np.ndarray:
    """Draw atoms and bonds; returns the projected positions (atoms, 3), for labels.

    Parameters
    ----------
    ax : Axes
    symbols, positions
        The atoms, angstrom.
    tilt_deg, turn_deg : float
        See `project`.
    colours, sizes : dict, optional
        Colour and size factor of single atoms.
    fade : float
        How far the farthest atoms fade into white.
    dashed : ndarray, shape (n, 2), optional
        Pairs joined by a dashed line (hydrogen bonds).
    scale : float
        Factor of all radii.
    """
    colours, sizes = colours or {}, sizes or {}
    view = project(np.asarray(positions, float), tilt_deg=tilt_deg, turn_deg=turn_deg)
    depth = view[:, 2]
    span = max(np.ptp(depth), 1e-9)

    def faded(colour, at) -> np.ndarray:
        share = fade * (depth.max() - at) / span
        return (1 - share) * np.array(to_rgb(colour)) + share

    polygons, faces, edges, order = [], [], [], []
    for i, j in bonds(symbols, np.asarray(positions, float)):
        direction = view[j, :2] - view[i, :2]
        length = np.linalg.norm(direction)
        if length < 1e-6:
            continue
        normal = np.array([-direction[1], direction[0]]) / length * 0.13 * scale
        middle = (view[i, :2] + view[j, :2]) / 2
        for k, (start, end) in ((i, (view[i, :2], middle)), (j, (middle, view[j, :2]))):
            polygons.append(np.array([start - normal, start + normal, end + normal, end - normal]))
            faces.append(faded(colours.get(k, LOOK.get(symbols[k], ("#888888", 0.5))[0]), depth[k]))
            edges.append(faces[-1])
            order.append((depth[i] + depth[j]) / 2)
    for k, s in enumerate(symbols):
        colour, radius = LOOK.get(s, ("#888888", 0.5))
        radius *= scale * sizes.get(k, 1.0)
        face = faded(colours.get(k, colour), depth[k])
        polygons.append(view[k, :2] + radius * _CIRCLE)
        faces.append(face)
        edges.append(face * 0.45 + 0.55 * (1 - (1 - face) * 0.4) * 0.5)
        order.append(depth[k] + 0.05)
        polygons.append(view[k, :2] + radius * np.array([-0.3, 0.3]) + 0.3 * radius * _CIRCLE)  # a highlight makes it a ball
        faces.append(face * 0.5 + 0.5)
        edges.append(faces[-1])
        order.append(depth[k] + 0.06)
    rank = np.argsort(order, kind="stable")
    ax.add_collection(
        PolyCollection([polygons[k] for k in rank], facecolors=[faces[k] for k in rank], edgecolors=[np.clip(edges[k], 0, 1) for k in rank], linewidths=0.25)
    )
    for i, j in dashed if dashed is not None else ():
        ax.plot(*view[[i, j], :2].T, color="#009E73", lw=0.9, ls=(0, (2, 1.5)))
    pad = 0.9
    ax.set_xlim(view[:, 0].min() - pad, view[:, 0].max() + pad)
    ax.set_ylim(view[:, 1].min() - pad, view[:, 1].max() + pad)
    ax.set_aspect("equal", adjustable="box")
    ax.axis("off")
    return view


def legend(ax, symbols: Sequence[str], *, fontsize: float = 5.5) -> None:
    """Coloured element names in a row at the lower left of an Axes."""
    for k, s in enumerate(dict.fromkeys(sorted(set(symbols), key=lambda s: list(LOOK).index(s) if s in LOOK else 99))):
        colour = LOOK.get(s, ("#888888", 0.5))[0]
        ax.text(0.01 + 0.055 * k, 0.01, s, transform=ax.transAxes, fontsize=fontsize, weight="bold", color="#9A9A9A" if s == "H" else colour, va="bottom")
