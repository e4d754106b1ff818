"""A structure to turn with the mouse: one self-contained piece of HTML, no network, no package
beside this one.

The picture is an SVG of the first view; over it lies a frame whose script paints the turning one.
Where scripts do not run (a
notebook that is not trusted, a static page without them) the frame stays transparent or is taken
out, and the SVG is seen.
The same structure gives the same bytes.

Own code, since no library tried does both: py3Dmol 2.5 and ASE's X3DOM fetch their scripts from a
network, py3Dmol numbers its elements by the clock, so the same structure gives other bytes each
time, and nglview 4.0 shows nothing without a running kernel and 29 MB of widget files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from peled.energetics import bonding
from peled.energetics.draw import LOOK, MARKS, appearance, meaning, project
from peled.formats.atomistic import Structure, formula

_SCRIPT = Path(__file__).parents[1] / "style" / "view3d.js"
_LAYERS = 8  # of depth in the still picture


@dataclass(frozen=True)
class View3D:
    """What `view` returns: shown by Jupyter as the turning picture.

    `svg` is the still picture, `html` the whole; `description` says in words what is there.
    """

    structure: Structure = field(repr=False)
    contacts: tuple[bonding.Link, ...] = field(repr=False)
    title: str
    tilt_deg: float
    turn_deg: float
    width: int
    height: int

    @cached_property
    def description(self) -> str:
        """Alternative text: what is shown, and the lengths of its contacts."""
        said = [
            f"{self.title or 'Structure'}: {formula(self.structure.composition)}, "
            f"{len(self.structure)} atoms"
        ]
        for kind in MARKS:
            if lengths := sorted(c.distance_angstrom for c in self.contacts if c.kind == kind):
                meant = meaning(kind, self.structure.symbols)
                said.append(f"{meant} {', '.join(f'{x:.2f}' for x in lengths)} \u00c5")
        return "; ".join(said)

    @cached_property
    def scale(self) -> tuple[float, float, float, float]:
        """Pixels per angstrom of the first view, and the middle of the atoms (x, y, z) around
        which it turns.
        """
        at = self.structure.positions
        middle = (at.min(axis=0) + at.max(axis=0)) / 2
        view = (
            np.abs(project(at - middle, tilt_deg=self.tilt_deg, turn_deg=self.turn_deg)[:, :2]).max(
                axis=0
            )
            + 1.6
        )
        return (
            float(min(self.width / 2 / view[0], (self.height - 18) / 2 / view[1])),
            *(float(x) for x in middle),
        )

    @cached_property
    def svg(self) -> str:
        """The still picture, as text of an SVG file."""
        pixels, *middle = self.scale
        at = self.structure.positions - middle
        view = project(at, tilt_deg=self.tilt_deg, turn_deg=self.turn_deg) * (
            pixels,
            -pixels,
            pixels,
        ) + (self.width / 2, (self.height - 18) / 2, 0)
        depth = (view[:, 2].max() - view[:, 2]) / max(np.ptp(view[:, 2]), 1e-9)
        layer = np.minimum((1 - depth) * _LAYERS, _LAYERS - 1).astype(int)
        sticks: list[list[str]] = [[] for _ in range(_LAYERS)]
        for i, end in self._half_sticks():
            x, y = project(end[None], tilt_deg=self.tilt_deg, turn_deg=self.turn_deg)[0, :2] * (
                pixels,
                -pixels,
            )
            sticks[layer[i]].append(f"M{view[i, 0]:.0f} {view[i, 1]:.0f}l{x:.0f} {y:.0f}")
        rows = []
        for level in range(_LAYERS):
            fog = 0.5 * (1 - (level + 0.5) / _LAYERS)
            inside = [k for k in np.argsort(view[:, 2], kind="stable") if layer[k] == level]
            if sticks[level]:
                rows.append(
                    f"<path d='{''.join(sticks[level])}' stroke='{_foggy('#777777', fog)}' "
                    f"stroke-width='{0.26 * pixels:.1f}'/>"
                )
            for s in sorted({self.structure.symbols[k] for k in inside}):
                colour, radius = appearance(s)
                # A line of no length with a round cap is a disc: all discs of an element and layer
                # in one path.
                discs = "".join(
                    f"M{view[k, 0]:.0f} {view[k, 1]:.0f}h0"
                    for k in inside
                    if self.structure.symbols[k] == s
                )
                rows.append(
                    f"<path d='{discs}' stroke='{_foggy('#555555', fog)}' "
                    f"stroke-width='{2 * radius * pixels + 1:.1f}'/>"
                )
                rows.append(
                    f"<path d='{discs}' stroke='{_foggy(colour, fog)}' "
                    f"stroke-width='{2 * radius * pixels:.1f}'/>"
                )
        for c in self.contacts:
            x, y = project(self._away(c)[None], tilt_deg=self.tilt_deg, turn_deg=self.turn_deg)[
                0, :2
            ] * (pixels, -pixels)
            a, colour = view[c.i, :2], MARKS[c.kind]
            rows.append(
                f"<path d='M{a[0]:.0f} {a[1]:.0f}l{x:.0f} {y:.0f}' stroke='{colour}' "
                "stroke-width='1.5' stroke-dasharray='3 4'/>"
            )
            rows.append(
                f"<text x='{a[0] + x / 2 + 5:.0f}' y='{a[1] + y / 2 + 3:.0f}' "
                f"fill='{colour}'>{c.distance_angstrom:.2f}</text>"
            )
        left = 6
        for s in self._elements():
            colour = appearance(s)[0]
            rows.append(
                f"<circle cx='{left + 4}' cy='{self.height - 8}' r='4' fill='{colour}' "
                "stroke='#555'/>"
            )
            rows.append(f"<text x='{left + 11}' y='{self.height - 4}' fill='#333'>{s}</text>")
            left += 34
        size = (
            f"viewBox='0 0 {self.width} {self.height}' width='{self.width}' height='{self.height}'"
        )
        style = "font-family='sans-serif' font-size='11' fill='none' stroke-linecap='round'"
        words = "<style>text{paint-order:stroke;stroke:#fff;stroke-width:2px}</style>"
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' {size} {style}>{words}"
            f"<path d='M0 0h{self.width}v{self.height}H0z' fill='#fff'/>{''.join(rows)}</svg>"
        )

    @cached_property
    def page(self) -> str:
        """The document inside the frame."""
        pixels, *middle = self.scale
        elements = self._elements()
        data = {
            "e": [[s, appearance(s)[0], appearance(s)[1]] for s in elements],
            "s": [elements.index(s) for s in self.structure.symbols],
            "p": [int(x) for x in np.rint(100 * (self.structure.positions - middle)).ravel()],
            "b": [k for b in self._bonds() if not any(b.shift) for k in (b.i, b.j)],
            "h": [
                v
                for i, end in self._half_sticks(through=True)
                for v in (i, *(int(x) for x in np.rint(100 * end)))
            ],
            "c": [
                [
                    c.i,
                    *(int(x) for x in np.rint(100 * self._away(c))),
                    MARKS[c.kind],
                    f"{c.distance_angstrom:.2f}",
                ]
                for c in self.contacts
            ],
            "v": [self.tilt_deg, self.turn_deg, round(pixels, 3), self.width, self.height - 18],
        }
        if "kept" in self.structure.info:
            data["k"] = [
                int(k) for k in self.structure.info["kept"]
            ]  # the numbers that atoms have in their file
        symbols = self.structure.symbols
        kinds = dict.fromkeys(c.kind for c in self.contacts)
        keys = "".join(f"<i style='background:{appearance(s)[0]}'></i>{s}" for s in elements)
        keys += "".join(
            f"<b style='border-color:{MARKS[kind]}'></b>{meaning(kind, symbols)} (\u00c5)"
            for kind in kinds
        )
        style = (
            "html,body{margin:0;overflow:hidden;font:11px sans-serif;color:#333}"
            "canvas{display:block;cursor:grab;touch-action:pan-y}"
            "canvas:focus-visible{outline:2px solid #0072B2;outline-offset:-2px}"
            "#k{height:18px;line-height:18px;white-space:nowrap;display:none;background:#fff}"
            "i{display:inline-block;width:8px;height:8px;border-radius:8px;border:1px solid #555;"
            "margin:0 3px 0 8px}"
            "b{display:inline-block;width:14px;border-top:2px dashed;margin:0 3px 3px 8px}"
            "#o{float:right;margin-right:6px;color:#666}"
        )
        words = json.dumps(data, separators=(",", ":")).replace(
            '"', "'"
        )  # element names, colours and numbers only: no quotes inside
        canvas = (
            "<canvas id='c' tabindex='0' role='img' aria-label='"
            f"{escape(self.description, quote=True)}. Arrow keys turn, plus and minus "
            "zoom.'></canvas>"
        )
        script = _SCRIPT.read_text(encoding="utf-8")
        return (
            "<!DOCTYPE html><html lang='en'><meta "
            f"charset='utf-8'><title>{escape(self.title or 'Structure')}</title>"
            f"<style>{style}</style>{canvas}"
            f"<div id='k'><span id='o' role='status'></span>{keys}</div><script>const "
            f"D={words};\n{script}</script></html>"
        )

    @cached_property
    def html(self) -> str:
        """The still picture with the frame over it; safe to put several on one page."""
        still = "data:image/svg+xml," + quote(self.svg, safe=" =:/'(),;.-")
        size = f'width="{self.width}" height="{self.height}"'
        alt = escape(self.description, quote=True)
        page = escape(self.page, quote=False).replace('"', "&quot;")
        return (
            f'<div style="position:relative;width:{self.width}px;height:{self.height}px;'
            'max-width:100%;overflow:hidden">'
            f'<img {size} alt="{alt}" src="{still}">'
            f'<iframe title="{escape(self.title or "Structure", quote=True)}, to turn" {size} '
            'sandbox="allow-scripts" loading="lazy" '
            f'style="position:absolute;left:0;top:0;border:0" srcdoc="{page}"></iframe></div>'
        )

    def _elements(self) -> list[str]:
        known = list(LOOK)
        return sorted(
            set(self.structure.symbols), key=lambda s: (known.index(s) if s in LOOK else 99, s)
        )

    def _away(self, link: bonding.Link) -> np.ndarray:
        """From atom i to its partner."""
        at, cell = self.structure.positions, self.structure.cell
        return at[link.j] - at[link.i] + (np.array(link.shift) @ cell if cell is not None else 0.0)

    def _bonds(self) -> list[bonding.Link]:
        """Bonds drawn as sticks: those that are not marked as contacts."""
        marked = {(c.i, c.j) for c in self.contacts}
        return [
            b
            for b in bonding.links(
                self.structure.symbols, self.structure.positions, self.structure.cell
            )
            if (b.i, b.j) not in marked
        ]

    def _half_sticks(self, *, through: bool = False) -> list[tuple[int, np.ndarray]]:
        """Every bond (or, with `through`, those through the cell's faces) as two halves: the atom,
        and the vector to the bond's middle.
        """
        chosen = [b for b in self._bonds() if any(b.shift) or not through]
        return [
            half for b in chosen for half in ((b.i, self._away(b) / 2), (b.j, -self._away(b) / 2))
        ]

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None) -> Mapping[str, str]:
        return {"text/html": self.html, "text/plain": self.description}


def view(
    found: Structure,
    title: str = "",
    *,
    depth_angstrom: float | None = None,
    width: int = 480,
    height: int = 380,
) -> View3D:
    """A structure to turn, with contacts to lead and hydrogen bonds as `draw.structure` marks them.

    Parameters
    ----------
    found : Structure
        With a cell it is taken as periodic: molecules whole, bonds through the faces as half
        sticks.
    title : str
        For screen readers and the frame's name.
    depth_angstrom : float, optional
        Leave out what lies deeper than this under the topmost lead.
    width, height : int
        Pixels.

    Returns
    -------
    View3D
    """
    shown, contacts = bonding.cropped(bonding.arranged(found), depth_angstrom)
    first = {"tilt_deg": 8.0, "turn_deg": 0.0}
    return View3D(shown, tuple(contacts), title, **first, width=int(width), height=int(height))


def _foggy(colour: str, share: float) -> str:
    return to_hex((1 - share) * np.array(to_rgb(colour)) + share)
