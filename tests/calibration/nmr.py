"""Ligands stripped into DMSO-d6 beside a standard: one decay of protons a tube; series of two
lines: a recovery, echoes, a diffusion experiment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lab_examples
from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 40
SHEET = """\
sample,measurement,file,solvent
{sample},1h,{sample},DMSO-d6
,line_table,lines.csv,
"""
SHEET_SERIES = """\
sample,measurement,file,solvent
{sample},relaxation,{sample}_t1,DMSO-d6
{sample},relaxation,{sample}_t2,DMSO-d6
{sample},dosy,{sample}_d,DMSO-d6
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
SOLVENT_PPM = 0.01  #: standard error of that line's shift, as the analysis states it
DELAYS = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.3, 2.0, 3.5, 6.0, 12.0])  # s
ECHOES = np.array([0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.4])  # s
GRADIENTS = np.linspace(2.0, 48.0, 10)  # G/cm
PULSE_S, BETWEEN_S = 2e-3, 0.05
COURSES = tuple(f"{of}, 1H {line}" for of in ("T1", "T2", "D") for line in ("ring H", "OCH3"))
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
    *(
        Condition(f"series, {kind}", level, {"series": True, **said}, meant, (), SHEET_SERIES)
        for kind, level, said, meant in (
            ("white", "photon-starved", {"noise": 20.0}, "open"),
            ("white", "dim", {"noise": 4.0}, "quiet"), ("white", "bright", {}, "quiet"),
            ("1/f", "", {"shape": "1/f", "noise": 4.0}, "quiet"),
            ("correlated", "three points", {"shape": "correlated", "noise": 4.0}, "quiet"),
            # traces that scatter more than their noise are rightly in doubt
            ("proportional", "2 % of each trace", {"proportional": 0.02}, "open"),
        )
    ),
    Condition("series, no light", "", {"series": True, "size": 0.0}, "act", COURSES,
              SHEET_SERIES),
    Condition("no light", "", {"size": 0.0}, "act", INTEGRALS),
)  # fmt: skip


def draw(folder: Path, sample: str, rng, *, noise=0.4, clip=None, drift=0.0, shape="white",
         proportional=0.0, lost=0, offset=0.0, beside=0.0, size=1.0,
         series=False) -> dict[str, float]:  # fmt: skip
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
        Of each point (of a series: trace) by chance; of the first point, under all.
    lost : int
        First points without a value, written as zero.
    beside : float
        A line of an impurity beside the vinyl protons', of its size.
    size : float
        Of all lines.
    series : bool
        A recovery, echoes and gradients of two lines, in place of one decay.
    """
    (folder / "lines.csv").write_text(LINES)
    if series:
        return _series(folder, sample, rng, noise, SHAPES[shape], proportional, size)
    ratio = rng.uniform(0.3, 1.2)
    lines = [
        *lab_examples.multiplet(_solvent(rng), (1, 2, 3, 2, 1), 1.9, 1.2, 9.0),
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
    if not size:
        return {}
    areas = (3.0, ratio, 200 * ratio / 30, 1.5 * ratio)
    return {f"shift, 1H {name}": ppm for name, ppm in SHIFTS.items()} | dict(zip(INTEGRALS, areas))


def _solvent(rng) -> float:
    """Where the line of the solvent stands, ppm."""
    return 2.50 + MOVED + SOLVENT_PPM * rng.standard_normal()


def _series(folder, sample, rng, noise, shape, proportional, size) -> dict[str, float]:
    """Two lines beside the solvent's, whose relaxation and diffusion are drawn."""
    turn = 2 * np.pi * 42.577478518e6 * GRADIENTS * 0.01 * PULSE_S
    weights = turn**2 * (BETWEEN_S - PULSE_S / 3)
    truth = dict(zip(COURSES, [*rng.uniform(0.6, 2.5, 2) * 1e3, *rng.uniform(0.1, 0.5, 2) * 1e3,
                               *10 ** rng.uniform(-9.6, -9.0, 2)]))  # fmt: skip
    for of, axis, programme in (
        ("T1", DELAYS, "t1ir"), ("T2", ECHOES, "cpmg"), ("D", weights, "ledbpgp2s"),
    ):  # fmt: skip
        rate = [
            (1e3 / truth[f"{of}, 1H {line}"] if of != "D" else truth[f"D, 1H {line}"])
            for line in ("ring H", "OCH3")
        ]
        left = np.exp(-np.outer([*rate, 0.0 if of == "D" else rate[0]], axis))
        left = 1 - 1.94 * left if of == "T1" else left
        at, traces = _solvent(rng), []
        for a, b, c in left.T:
            lines = [(6.09 + MOVED, 6.0, 30 * a), (3.69 + MOVED, 6.0, 90 * b), (at, 6.0, 20 * c)]
            data = lab_examples.decay(rng, lines, lab_examples.PROTON_MHZ, 2400.0, 1024, 0.0,
                                      carrier=5.0, turn=0.7, size=size) / 2e4  # fmt: skip
            white = noise * shape(rng, 2, 1024)
            data = data * (1 + proportional * rng.standard_normal()) + white[0] + 1j * white[1]
            traces.append(2e4 * data)
        place = folder / f"{sample}_{of.lower()}"
        lab_examples.bruker(place, np.array(traces), "1H", 2400.0, 5.0, solvent="DMSO",
                            pulse_program=programme, contact_times_s=axis)  # fmt: skip
    (place / "difflist").write_text("".join(f"{g:.4f}\n" for g in GRADIENTS))
    said = (place / "acqus").read_text().replace("##END=", "")
    said += f"##$P= (0..63)\n{'0 ' * 30}{PULSE_S / 2 * 1e6:g}\n"
    said += f"##$D= (0..63)\n{'0 ' * 20}{BETWEEN_S:g}\n##END=\n"
    (place / "acqus").write_text(said)
    return truth if size else {}
