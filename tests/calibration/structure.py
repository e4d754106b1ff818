"""Powder patterns of films with the line profile standard LaB6: cell, crystal size, height."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lab_examples
from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 10
SHEET = """\
sample,measurement,file,role,anode,standard,radius_mm
{sample},xrd,{sample}.xy,,Cu,,240
,xrd,LaB6.xy,standard,Cu,LaB6 SRM 660c,240
"""
FOUND = ("lattice constant", "crystal size", "sample height")
LINES = {"100": 1.0, "110": 0.25, "111": 0.15, "200": 0.9, "210": 0.45, "211": 0.3, "220": 0.3,
         "300": 0.2}  # fmt: skip
LAB6 = {"100": 0.55, "110": 1.0, "111": 0.45, "200": 0.25, "210": 0.5, "211": 0.3}
X, STANDARD = np.arange(11.0, 48.0, 0.04), np.arange(20.0, 57.0, 0.02)

CONDITIONS = (
    Condition("white", "photon-starved", {"counts": 30.0}, "open"),
    Condition("white", "dim", {"counts": 200.0}),
    Condition("white", "bright"),
    Condition("saturated", "60 % of the strongest line", {"clip": 0.6}, "act", ("crystal size",)),
    Condition("drift", "20 % of the beam over the scan", {"drift": 0.2}),
    Condition("1/f", "2 % of the beam", {"beam": 0.02, "shape": "1/f"}),
    Condition("correlated", "3 % of the beam, three steps", {"beam": 0.03, "shape": "correlated"}),
    Condition("proportional", "3 % of the beam", {"beam": 0.03}),
    Condition("offsets", "five times the background", {"background": 5.0}),
    Condition("contamination", "PbI2, a tenth", {"lead_iodide": 0.1}),
    Condition("no crystals", "", {"size": 0.0}, "act", FOUND),
)


def draw(folder: Path, sample: str, rng, *, counts=900.0, clip=None, drift=0.0, beam=0.0,
         shape="white", background=1.0, lead_iodide=0.0, size=1.0) -> dict[str, float]:  # fmt: skip
    """The pattern of one film.

    Parameters
    ----------
    counts : float
        Of the strongest line, over a background of a tenth.
    clip : float, optional
        Share of the strongest line that is not passed.
    drift : float
        Part of the beam that is lost over the scan.
    beam, shape : float, str
        Relative noise of the beam, and its kind, of `noise.SHAPES`.
    background : float
        1: counts / 15 + counts exp(−2θ/12°) / 4.5.
    lead_iodide : float
        Height of the (001) line of PbI2.
    size : float
        Of the film's lines.
    """
    a, nm, height = rng.uniform(5.95, 6.15), rng.uniform(8, 20), rng.normal(0, 0.08)
    y = size * lab_examples.pattern(X, a, LINES, nm, height_mm=height)
    y += lead_iodide * np.exp(-4 * np.log(2) * ((X - 12.67) / 0.35) ** 2)
    y += background * (1 / 15 + np.exp(-X / 12) / 4.5)
    y *= 1 - drift * np.linspace(0, 1, X.size)
    y *= 1 + beam * SHAPES[shape](rng, X.size)
    seen = rng.poisson(counts * np.maximum(y, 0))
    if clip:
        seen = np.minimum(seen, int(clip * seen.max()))
    _write(folder / f"{sample}.xy", X, seen)
    if not (folder / "LaB6.xy").is_file():
        y = 4000 * lab_examples.pattern(STANDARD, 4.156826, LAB6, 800.0) + 40
        _write(folder / "LaB6.xy", STANDARD, np.random.default_rng(0).poisson(y))
    return dict(zip(FOUND, (a, nm, height))) if size else {}


def _write(path: Path, x, counts) -> None:
    rows = (f"{a:.2f},{n}" for a, n in zip(x, counts))
    path.write_text("\n".join(["2theta (deg),counts", *rows]) + "\n")
