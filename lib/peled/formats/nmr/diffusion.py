"""Gradients of a diffusion experiment: Bruker (difflist) and Varian (gzlvl1)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number
from peled.formats.nmr.bruker import read_bruker_parameters

_G_CM = 0.01  #: tesla per metre


@dataclass(frozen=True)
class Gradients:
    """Strength of each trace, length of one gradient pulse, time between the two."""

    path: Path
    strength_T_m: np.ndarray
    pulse_s: float
    between_s: float

    def weights_s_m2(self, gamma_MHz_T: float) -> np.ndarray:
        """b of each trace: the signal of a diffusing molecule falls as exp(-b D).

        b = (γ g δ)² (Δ - δ/3), rectangular gradients [1]_. What other shapes and a pair of
        opposite pulses change is in the δ that the spectrometer states, or it is not known here.

        Parameters
        ----------
        gamma_MHz_T : float
            Gyromagnetic ratio γ/2π, MHz/T.

        Returns
        -------
        (traces,) float array
            b, s/m².

        References
        ----------
        .. [1] E. O. Stejskal, J. E. Tanner, J. Chem. Phys. 42, 288 (1965), doi:10.1063/1.1695690
        """
        turn = 2e6 * np.pi * gamma_MHz_T * self.strength_T_m * self.pulse_s
        return turn**2 * (self.between_s - self.pulse_s / 3)


@reader("a folder of a diffusion experiment", folder=True)
def read_gradients(path: str | os.PathLike) -> Gradients:
    """Gradients, δ and Δ of a Bruker or Varian folder.

    Bruker: `difflist` in G/cm, δ and Δ from `pdata/*/dosy` (Glen, Gdist), else from P30 and D20,
    P30 twice in a bipolar programme. Varian: `gzlvl1` times `gcal_` (or `DAC_to_G`), `gt1` and
    `del`.

    Parameters
    ----------
    path : path-like
        Folder of the experiment.

    Returns
    -------
    Gradients
        Strengths in T/m, δ and Δ in s.

    Raises
    ------
    FormatError
        Naming what is missing.

    References
    ----------
    .. [1] C. S. Johnson, Prog. Nucl. Magn. Reson. Spectrosc. 34, 203 (1999),
           doi:10.1016/S0079-6565(99)00003-5
    """
    path = Path(path)
    if (path / "procpar").exists():
        return _varian(path)
    levels = []
    for number, line in enumerate(read_text(path / "difflist").split("\n"), 1):
        if not line.strip():
            continue
        value = parse_number(line.strip())
        if value is None:
            said = {"expected": "a gradient in G/cm", "found": repr(line.strip()[:40])}
            raise FormatError(path / "difflist", place=f"line {number}", **said)
        levels.append(value)
    return Gradients(path, np.array(levels) * _G_CM, *_bruker_times(path))


def _bruker_times(path: Path) -> tuple[float, float]:
    for said in sorted(path.glob("pdata/*/dosy")):
        text = read_text(said)
        found = [
            parse_number(text.split(f"##${n}=", 1)[1].split("\n")[0].strip())
            if f"##${n}=" in text else None
            for n in ("Glen", "Gdist")
        ]  # fmt: skip
        if all(found):
            return found[0] * 1e-3, found[1] * 1e-3
    acqus = read_bruker_parameters(path / "acqus")
    pulses, delays = (acqus.get(n, []) for n in ("P", "D"))
    if len(pulses) < 31 or len(delays) < 21 or not (pulses[30] and delays[20]):
        raise FormatError(
            path / "acqus", expected="P30 and D20, length and distance of the gradients",
            found="zero or none", advice="copy pdata with the file dosy too",
        )  # fmt: skip
    twice = 2 if "bp" in str(acqus.get("PULPROG", "")).lower() else 1
    return pulses[30] * 1e-6 * twice, float(delays[20])


def _varian(path: Path) -> Gradients:
    import nmrglue

    procpar = nmrglue.varian.read_procpar(str(path / "procpar"))
    said = {
        name: [parse_number(v) for v in procpar[name]["values"]]
        for name in ("gzlvl1", "gt1", "del", "gcal_", "DAC_to_G") if name in procpar
    }  # fmt: skip
    scale = said.get("gcal_") or said.get("DAC_to_G")
    lost = [n for n in ("gzlvl1", "gt1", "del") if not said.get(n)]
    lost += [] if scale else ["gcal_ or DAC_to_G"]
    if lost:
        raise FormatError(path / "procpar", expected=", ".join(lost), found="none")
    strength = np.array(said["gzlvl1"]) * scale[0] * _G_CM
    return Gradients(path, strength, said["gt1"][0], said["del"][0])
