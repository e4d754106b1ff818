"""Ligands stripped into DMSO-d6 beside a standard: one decay of protons a tube."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lab_examples
from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 10
SHEET = """\
sample,measurement,file,solvent
{sample},1h,{sample},DMSO-d6
,line_table,lines.csv,
"""
LINES = """\
ligand,name,shift_ppm,couplings_Hz,partners,width_Hz,reach_ppm
,ring H,6.09,,,1.2,0.03
,OCH3,3.69,,,1.2,0.03
,vinyl,5.32,4.8,2,1.5,0.04
,CH2,1.24,,,15,0.05
,CH3,0.85,6.8,2,1.5,0.04
"""
SHIFTS = {"ring H": 6.09, "OCH3": 3.69, "vinyl": 5.32, "CH2": 1.24, "CH3": 0.85}
INTEGRALS = tuple(f"integral, 1H {name} over ring H" for name in ("OCH3", "vinyl", "CH2", "CH3"))
MOVED = 0.03  # ppm that the scale is off: the solvent's line tells
WIDTH_HZ, POINTS = 4800.0, 4096

CONDITIONS = (
    Condition("white", "photon-starved", {"noise": 30.0}, "open"),
    Condition("white", "dim", {"noise": 4.0}),
    Condition("white", "bright"),
    Condition("saturated", "60 % of the first point", {"clip": 0.6}, "act", INTEGRALS),
    Condition("drift", "field, 1 Hz within the decay", {"drift": 1.0}),
    Condition("1/f", "", {"shape": "1/f", "noise": 4.0}),
    Condition("correlated", "three points", {"shape": "correlated", "noise": 4.0}),
    Condition("proportional", "0.5 % of each point", {"proportional": 0.005}),
    Condition("missing cells", "the first two points", {"lost": 2}, "open"),
    Condition("offsets", "2 % of the decay", {"offset": 0.02}),
    Condition("contamination", "a line 0.02 ppm from vinyl, a tenth", {"beside": 0.1}, "open"),
    Condition("no light", "", {"size": 0.0}, "act", INTEGRALS),
)


def draw(folder: Path, sample: str, rng, *, noise=0.4, clip=None, drift=0.0, shape="white",
         proportional=0.0, lost=0, offset=0.0, beside=0.0,
         size=1.0) -> dict[str, float]:  # fmt: skip
    """The folder of one tube.

    Parameters
    ----------
    noise : float
        Of a point; the line of 9 ring protons begins with 30.
    clip : float, optional
        Share of the largest point that is not passed.
    drift : float
        Of the frequency from the first point to the last, Hz.
    shape : str
        Of `noise.SHAPES`, along the decay.
    proportional, offset : float
        Of each point by chance; of the first point, under all.
    lost : int
        First points without a value, written as zero.
    beside : float
        A line of an impurity beside the vinyl protons', of its size.
    size : float
        Of all lines.
    """
    ratio = rng.uniform(0.3, 1.2)
    lines = [
        *lab_examples.multiplet(2.50 + MOVED, (1, 2, 3, 2, 1), 1.9, 1.2, 9.0),
        (3.33 + MOVED, 4.0, 25.0), (6.09 + MOVED, 1.2, 30.0), (3.69 + MOVED, 1.2, 90.0),
        (1.24 + MOVED, 15.0, 200 * ratio), (5.34 + MOVED, 1.5, 30 * ratio * beside),
        *lab_examples.multiplet(5.32 + MOVED, (1, 2, 1), 4.8, 1.5, 30.0 * ratio),
        *lab_examples.multiplet(0.85 + MOVED, (1, 2, 1), 6.8, 1.5, 45.0 * ratio),
    ]  # fmt: skip
    mhz, t = lab_examples.PROTON_MHZ, np.arange(POINTS) / WIDTH_HZ
    data = lab_examples.decay(rng, lines, mhz, WIDTH_HZ, POINTS, 0.0, carrier=5.0, size=size) / 2e4
    data = data * np.exp(2j * np.pi * drift * t**2 / (2 * t[-1]))
    white = SHAPES[shape](rng, 2, POINTS)
    top = max(np.abs(data).max(), 1.0)
    data = data * (1 + proportional * rng.standard_normal(POINTS))
    data += noise * (white[0] + 1j * white[1]) + offset * top
    data[:lost] = 0
    if clip:
        data = np.clip(data.real, -clip * top, clip * top) + 1j * np.clip(
            data.imag, -clip * top, clip * top
        )
    lab_examples.bruker(folder / sample, 2e4 * data, "1H", WIDTH_HZ, 5.0, solvent="DMSO")
    (folder / "lines.csv").write_text(LINES)
    if not size:
        return {}
    areas = (3.0, ratio, 200 * ratio / 30, 1.5 * ratio)
    return {f"shift, 1H {name}": ppm for name, ppm in SHIFTS.items()} | dict(zip(INTEGRALS, areas))
