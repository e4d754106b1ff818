"""Maps of transient absorption: two decaying species, a chirped response of 0.11 ps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from calibration import Condition
from calibration.noise import SHAPES

DRAWS = 10
SHEET = """\
sample,measurement,file
{sample},ta,{sample}.csv
"""
T = np.r_[np.arange(-1.0, 1.6, 0.08), np.geomspace(1.7, 900, 24)].round(3)
X = np.arange(480.0, 701.0, 10.0)
# as fine around zero as the response asks for
FINE = np.r_[-1.0, -0.8, -0.6, -0.45, np.arange(-0.3, 0.5, 0.02), np.geomspace(0.52, 1.6, 14),
             np.geomspace(1.7, 900, 22)].round(3)  # fmt: skip
FWHM = 0.11
LIFETIMES = ("lifetime 1", "lifetime 2")
PLAIN = {"artefact": 0}  # columns of an artefact that is not there say nothing of the width

CONDITIONS = (
    Condition("white", "photon-starved", {"noise": 1.0}, "open"),
    Condition("white", "dim", {"noise": 0.25}),
    Condition("white", "bright"),
    Condition("saturated", "60 % of the largest change", {"clip": 0.6}, "act", LIFETIMES),
    Condition("drift", "10 % of the signal over the scan", {"drift": 0.1}),
    Condition("1/f", "along the delays", {"shape": "1/f"}),
    Condition("common mode", "0.1 mOD of each delay", {"common": 0.1}),
    Condition("correlated", "three wavelengths", {"shape": "correlated"}),
    Condition("proportional", "2 % of each delay", {"proportional": 0.02}),
    Condition("missing cells", "3 %", {"missing": 0.03}),
    Condition("offsets", "0.3 mOD of each wavelength", {"offset": 0.3}),
    Condition("contamination", "scattered pump at 520 nm", {"pump": 5.0}),
    Condition("white", "fine delays", {"fine": True}, analysis=PLAIN),
    Condition("white", "fine delays, dim", {"fine": True, "noise": 0.25}, analysis=PLAIN),
    Condition(
        "white",
        "fine delays, an artefact",
        {"fine": True, "artefact": 1.5},
        analysis={"artefact": 1},
    ),
    Condition("1/f", "fine delays", {"fine": True, "shape": "1/f"}, analysis=PLAIN),
    Condition("correlated", "fine delays", {"fine": True, "shape": "correlated"}, analysis=PLAIN),
    Condition("proportional", "fine delays", {"fine": True, "proportional": 0.02}, analysis=PLAIN),
    Condition("drift", "fine delays", {"fine": True, "drift": 0.1}, analysis=PLAIN),
    Condition("no signal", "", {"size": 0.0}, "act", LIFETIMES),
)


def draw(folder: Path, sample: str, rng, *, noise=0.05, clip=None, drift=0.0, shape="white",
         common=0.0, proportional=0.0, missing=0.0, offset=0.0, pump=0.0,
         size=1.0, fine=False, artefact=0.0) -> dict[str, float]:  # fmt: skip
    """The map of one film, mOD.

    Parameters
    ----------
    noise : float
        Of a cell, mOD; the signal is 10 at most.
    clip : float, optional
        Share of the largest change that is not passed.
    drift : float
        Part of the signal lost from the first delay to the last.
    shape : str
        Of `noise.SHAPES`; along the delays where it is 1/f, else along the wavelengths.
    common, proportional : float
        Of all wavelengths of a delay together: mOD, and share of the signal.
    missing : float
        Share of cells without a value.
    offset : float
        Of a wavelength at all delays, mOD.
    pump : float
        Scatter of the pump on four wavelengths, other at each delay, mOD.
    size : float
        Of the signal.
    fine : bool
        Delays that tell the width of the response.
    artefact : float
        As wide as the response, of a spectrum with both signs, mOD.
    """
    delays = FINE if fine else T
    taus = rng.uniform(1.5, 4), rng.uniform(40, 120)
    xi = 1e3 / X - 1e3 / 590
    zero = 0.05 - 0.55 * xi + 0.25 * xi**2
    y = np.zeros((delays.size, X.size))
    for i, tau in enumerate(taus):
        spectrum = sum(
            h[i] * np.exp(-(((X - c[i]) / w) ** 2) / 2)
            for h, c, w in zip(((-2.0, 5.0), (4.0, -9.0)), ((520, 535), (608, 620)), (28, 22))
        )
        y += size * spectrum * _convolved(delays[:, None] - zero, tau, FWHM / 2.3548)
    pulse = np.exp(-0.5 * ((delays[:, None] - zero) / (FWHM / 2.3548)) ** 2)
    y += artefact * pulse * (0.3 + np.sin(X / 30))
    y *= 1 - drift * np.linspace(0, 1, delays.size)[:, None]
    y *= 1 + proportional * rng.standard_normal((delays.size, 1))
    along = (
        SHAPES[shape](rng, X.size, delays.size).T
        if shape == "1/f"
        else SHAPES[shape](rng, *y.shape)
    )
    y += noise * along + common * rng.standard_normal((delays.size, 1))
    y += offset * rng.standard_normal(X.size)
    y += pump * np.exp(-0.5 * ((X - 520) / 8) ** 2) * rng.standard_normal((delays.size, 1))
    if clip:
        most = clip * np.abs(y).max()
        y = np.clip(y, -most, most)
    cells = np.char.mod("%.4f", y)
    cells[rng.random(y.shape) < missing] = "NaN"
    lines = ["# dA (mOD)", ",".join(["delay (ps)\\wavelength (nm)", *np.char.mod("%g", X)])]
    lines += [",".join([f"{t:g}", *row]) for t, row in zip(delays, cells)]
    (folder / f"{sample}.csv").write_text("\n".join(lines) + "\n")
    truth = dict(zip(LIFETIMES, taus)) if size else {}
    return truth | ({"response FWHM": FWHM} if fine else {})


def matched(rows: list[dict], truth: dict[str, float]) -> list[dict]:
    """Lifetimes under the names of the true ones that they are nearest to, as a fit may find fewer
    or more; what is left over keeps a name that is none of theirs."""
    known = [name for name in LIFETIMES if name in truth]
    found = [r for r in rows if r.get("name", "").startswith("lifetime") and r["value"]]
    apart = [[abs(np.log(row["value"] / truth[name])) for name in known] for row in found]
    pairs = zip(*linear_sum_assignment(apart)) if known and found else ()
    called = {id(found[i]): known[j] for i, j in pairs}
    more = {id(row): f"further {row['name']}" for row in found}
    return [{**r, "name": called.get(id(r), more.get(id(r), r.get("name", "")))} for r in rows]


def _convolved(t: np.ndarray, tau: float, sigma: float) -> np.ndarray:
    """exp(−t/τ) from zero on, convolved with a Gaussian."""
    rise = np.vectorize(math.erfc)((sigma / tau - t / sigma) / math.sqrt(2))
    return 0.5 * np.exp(np.minimum(sigma**2 / (2 * tau**2) - t / tau, 50.0)) * rise
