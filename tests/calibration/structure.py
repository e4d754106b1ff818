"""Powder patterns of films with the line profile standard LaB6: cell, crystal size, height; core
levels of charged films, micrographs of cubes, tails below a gap.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lab_examples
from calibration import Condition
from calibration.noise import SHAPES
from hassan2021.simulate.writers import write_tiff

DRAWS = 30
MAGNIFIED = 0.03  #: standard error of a magnification, as the analysis states it
SHEET = """\
sample,measurement,file,role,anode,standard,radius_mm,charge_reference_eV,\
density_g_cm3,molar_mass_g_mol,valence_electrons,gap_eV
{sample},xrd,{sample}.xy,,Cu,,240,,,,,
,xrd,LaB6.xy,standard,Cu,LaB6 SRM 660c,240,,,,,
{sample},xps,xps_{sample}_*.csv,,Al,,,284.8,4.3,544.8,40,1.93
{sample},tem,{sample}.tif,,,,,,,,,
{sample},absorption,pds_{sample}.csv,,,,,,,,,
"""
FOUND = ("lattice constant", "crystal size", "sample height")
LINES = {"100": 1.0, "110": 0.25, "111": 0.15, "200": 0.9, "210": 0.45, "211": 0.3, "220": 0.3,
         "300": 0.2}  # fmt: skip
LAB6 = {"100": 0.55, "110": 1.0, "111": 0.45, "200": 0.25, "210": 0.5, "211": 0.3}
#: Wings of the standard's lines, as the size of crystals that have them. Which part of them is the
#: instrument's own, so that the film has it too, no pattern says: it is drawn from none to all, as
#: the analysis states it.
STANDARD_NM = 800.0
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
    *(
        Condition("core levels", level, {"levels": counts})
        for level, counts in (("dim", 0.03), ("bright", 1.0))
    ),
    *(Condition("cubes", f"{n}", {"cubes": n}) for n in (25, 196, 1936)),
    *(
        Condition("tail", f"{noise:.0%} of the signal", {"tail": noise})
        for noise in (0.003, 0.01, 0.05)
    ),
    Condition("no crystals", "", {"size": 0.0}, "act", FOUND),
)


def draw(folder: Path, sample: str, rng, *, counts=900.0, clip=None, drift=0.0, beam=0.0,
         shape="white", background=1.0, lead_iodide=0.0, size=1.0, levels=0.0, cubes=0, tail=0.0,
         ) -> dict[str, float]:  # fmt: skip
    """The pattern of one film, or its core levels, a micrograph, a tail below the gap.

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
    levels : float
        Counts of core levels, 1 for 900 above 300.
    cubes : int
        On a micrograph.
    tail : float
        Relative noise of sub-gap absorption.
    """
    if levels:
        return _levels(folder, sample, rng, levels)
    if cubes:
        return _cubes(folder, sample, rng, cubes)
    if tail:
        return _tail(folder, sample, rng, tail)
    a, nm, height = rng.uniform(5.95, 6.15), rng.uniform(8, 20), rng.normal(0, 0.08)
    wide = 1 / nm + rng.uniform() / STANDARD_NM  # 1/nm, of crystals and instrument
    y = size * powder(X, a, LINES, 1 / wide, height)
    y += lead_iodide * np.exp(-4 * np.log(2) * ((X - 12.67) / 0.35) ** 2)
    y += background * (1 / 15 + np.exp(-X / 12) / 4.5)
    y *= 1 - drift * np.linspace(0, 1, X.size)
    y *= 1 + beam * SHAPES[shape](rng, X.size)
    seen = rng.poisson(counts * np.maximum(y, 0))
    if clip:
        seen = np.minimum(seen, int(clip * seen.max()))
    _write(folder / f"{sample}.xy", X, seen)
    if not (folder / "LaB6.xy").is_file():
        y = 4000 * powder(STANDARD, 4.156826, LAB6, STANDARD_NM) + 40
        _write(folder / "LaB6.xy", STANDARD, rng.poisson(y))
    return dict(zip(FOUND, (a, nm, height))) if size else {}


def _levels(folder: Path, sample: str, rng, counts: float) -> dict[str, float]:
    """Iodine and bromine doublets and C 1s on a step, charged; sensitivities good to a tenth."""
    ratio, charging = rng.uniform(0.4, 1.5), rng.normal(0, 1.5)
    seen = lab_examples.IODINE * ratio * (1 + 0.1 * rng.standard_normal())
    for region, doublets in {
        "I 4d + Br 3d": ((49.4, 1.70, 9e3 * seen), (68.4, 1.05, 9e3)), "C 1s": ((284.8, 0.0, 6e3),),
    }.items():  # fmt: skip
        x = np.arange(doublets[0][0] - 8, doublets[-1][0] + 8, 0.1)
        y = np.full(x.size, 300.0)
        for at, splitting, area in doublets:
            for place, part in ((at, 1 / 1.69), (at + splitting, 0.69 / 1.69)):
                line = np.exp(-4 * np.log(2) * ((x - place - charging) / 1.2) ** 2)
                line *= part * area / (1.2 * 1.0645)
                y += line + 0.03 * np.cumsum(line) * 0.1
        rows = (f"{a:.1f},{n}" for a, n in zip(x, rng.poisson(counts * y)))
        text = "\n".join(["binding energy (eV),counts", *rows])
        (folder / f"xps_{sample}_{region}.csv").write_text(text + "\n")
    found = {"charging": charging, "I : Br (I 4d)": ratio}
    return found | {"binding energy I 4d": 49.4, "binding energy Br 3d": 68.4}


def _cubes(folder: Path, sample: str, rng, number: int) -> dict[str, float]:
    """Squares turned at random, 8 % spread, dark on the film; magnified as is assumed."""
    edge, side = rng.uniform(10, 16), round(np.sqrt(number))
    pixel, apart = 0.5, 24.0
    grey = np.full((round((side + 0.6) * apart / pixel),) * 2, 170.0)
    for row, column in np.ndindex(side, side):
        centre = (np.array([row, column]) + 0.8) * apart
        turn, half = rng.uniform(0, np.pi / 2), edge * (1 + rng.normal(0, 0.08)) / 2
        low = ((centre - 15) / pixel).astype(int)
        at = [np.arange(max(i, 0), min(i + round(30 / pixel), len(grey))) for i in low]
        y, x = (p * pixel - c for p, c in zip(np.meshgrid(*at, indexing="ij"), centre))
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        outside = np.maximum(abs(u), abs(v)) - half
        grey[np.ix_(*at)] -= 70 / (1 + np.exp(np.clip(outside / 0.25, -40, 40)))
    grey = np.clip(grey + rng.normal(0, 7, grey.shape), 0, 255).round().astype("uint8")
    write_tiff(folder / f"{sample}.tif", grey, pixel * (1 + MAGNIFIED * rng.standard_normal()))
    return {"particle edge, mean": edge, "particle edge, spread": 0.08 * edge}


def _tail(folder: Path, sample: str, rng, noise: float) -> dict[str, float]:
    """A film that ends up absorbing all light; noise of the lamp and of the lock-in."""
    energy, e = rng.uniform(14, 30), np.arange(1.4, 2.2, 0.005)
    depth = 1.5 * np.exp((np.minimum(e, 1.9) - 1.9) / energy * 1e3)
    y = 1 - np.exp(-depth - 6 * np.sqrt(np.maximum(e - 1.9, 0)))
    y = y * (1 + rng.normal(0, noise, e.size)) + 2e-4 + rng.normal(0, 2e-5, e.size)
    rows = (f"{a:.3f},{b:.5e}" for a, b in zip(e, y))
    text = "\n".join(["energy (eV),signal", *rows])
    (folder / f"pds_{sample}.csv").write_text(text + "\n")
    return {"Urbach energy": energy}


def powder(x, a: float, lines: dict, nm: float, height_mm: float = 0.0) -> np.ndarray:
    """Lines of `lab_examples`, each tilted by what varies across it: polarisation, the share of a
    powder that a detector sees (1/s), form factors and thermal motion (exp(−4 Å² s²)).
    """

    def tilt(angle):
        s = 2 * np.sin(np.radians(angle) / 2) / 1.5406
        return (1 + np.cos(np.radians(angle)) ** 2) / s * np.exp(-4 * s**2)

    y = np.zeros_like(x)
    for hkl, height in lines.items():
        s = np.sqrt(sum(int(i) ** 2 for i in hkl)) / a
        at = 2 * np.degrees(np.arcsin(1.5406 / 2 * s))
        one = lab_examples.pattern(x, a, {hkl: height}, nm, height_mm=height_mm)
        y += one * tilt(x) / tilt(at)
    return y


def _write(path: Path, x, counts) -> None:
    rows = (f"{a:.2f},{n}" for a, n in zip(x, counts))
    path.write_text("\n".join(["2theta (deg),counts", *rows]) + "\n")
