"""What NMR readers return, and the constants of the nuclei."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError

#: Gyromagnetic ratio over 2 pi in MHz/T (CODATA 2018 for the proton; Harris et al., Pure Appl.
#: Chem. 73, 1795 (2001), doi:10.1351/pac200173111795).
GYROMAGNETIC_MHz_T = {
    "1H": 42.577478518,
    "2H": 6.53590,
    "13C": 10.70840,
    "15N": 4.31727,
    "19F": 40.07757,
    "31P": 17.25144,
    "207Pb": 8.8816,
    "29Si": 8.4655,
    "11B": 13.6630,
}
#: Frequencies at 0 ppm relative to 1H of TMS, Xi/100 (same source).
XI = {
    "1H": 1.0,
    "2H": 0.15350609,
    "13C": 0.25145020,
    "15N": 0.10136767,
    "19F": 0.94094011,
    "31P": 0.40480742,
}


@dataclass(frozen=True)
class Fid:
    """Free induction decays as acquired.

    Attributes
    ----------
    path : Path
    data : ndarray, complex, shape (traces, points)
    spectral_width_Hz : float
        Inverse of the dwell time between complex points.
    carrier_MHz : float
        Frequency of the receiver: zero frequency of the data.
    reference_MHz : float
        Frequency at 0 ppm.
    nucleus : str
        Such as `1H`; empty when the file does not say.
    group_delay : float
        Points by which a digital filter delays the signal; its time origin is at this point.
    delays_s : ndarray or None
        List of delays or pulse lengths of an arrayed experiment (contact times of a CP series).
    mas_rate_Hz : float or None
    solvent, title : str
    scans : int
    parameters : dict
        Everything the header holds.
    notes : tuple of str
        What in the header contradicts itself, and what was used.
    referenced : bool
        Whether the file states a frequency at 0 ppm; else the carrier stands for it.
    """

    path: Path
    data: np.ndarray = field(repr=False)
    spectral_width_Hz: float
    carrier_MHz: float
    reference_MHz: float
    nucleus: str = ""
    group_delay: float = 0.0
    delays_s: np.ndarray | None = field(default=None, repr=False)
    mas_rate_Hz: float | None = None
    solvent: str = ""
    title: str = ""
    scans: int = 1
    parameters: dict = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    referenced: bool = True

    @property
    def dwell_s(self) -> float:
        return 1.0 / self.spectral_width_Hz

    @property
    def carrier_ppm(self) -> float:
        """Chemical shift of the receiver frequency."""
        return (self.carrier_MHz - self.reference_MHz) / self.reference_MHz * 1e6


@dataclass(frozen=True)
class Spectrum:
    """A spectrum processed by somebody else: `ppm` ascending, `intensity` real, `imaginary` where
    the file has it.
    """

    path: Path
    ppm: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    reference_MHz: float
    nucleus: str = ""
    imaginary: np.ndarray | None = field(default=None, repr=False)
    solvent: str = ""
    title: str = ""
    parameters: dict = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeakTable:
    """Picked peaks: positions (ppm, ascending) and intensities; `labels` where the table assigns
    them.
    """

    path: Path
    ppm: np.ndarray
    intensity: np.ndarray
    reference_MHz: float | None = None
    nucleus: str = ""
    labels: tuple[str, ...] = ()
    title: str = ""
    parameters: dict = field(default_factory=dict, repr=False)


def need(parameters: dict, path: Path, name: str, *, positive: bool = False) -> float:
    """A number that a header has to hold.

    Parameters
    ----------
    parameters : dict
        Parameters of the header by name.
    path : Path
        File of the header, for the message.
    name : str
    positive : bool
        Refuse zero and below.

    Returns
    -------
    int or float

    Raises
    ------
    FormatError
        If it is missing, no finite number, or not positive where it has to be.
    """
    value = parameters.get(name)
    if not isinstance(value, (int, float)) or not np.isfinite(value) or (positive and value <= 0):
        raise FormatError(
            path,
            place=f"parameter {name}",
            expected="a positive number" if positive else "a number",
            found="none" if value is None else repr(value),
        )
    return value


def field_notes(nucleus: str, carrier_MHz: float, parameters: dict) -> list[str]:
    """A header may lie about the nucleus or the field: the two and the second channel are
    compared.

    Parameters
    ----------
    nucleus : str
        Of the first channel, such as `1H`.
    carrier_MHz : float
        Carrier of the first channel (SFO1), MHz.
    parameters : dict
        Parameters of the header, with NUC2 and SFO2 (MHz) where there is a second channel.

    Returns
    -------
    list of str
        One sentence where their fields differ by more than 0.1 %, else empty.
    """
    other, frequency = str(parameters.get("NUC2", "")), parameters.get("SFO2")
    if nucleus in XI and other in XI and isinstance(frequency, (int, float)) and frequency > 0:
        ratio = carrier_MHz / frequency * XI[other] / XI[nucleus]
        if abs(ratio - 1) > 1e-3:
            return [
                f"SFO1 {carrier_MHz:.3f} MHz ({nucleus}) and SFO2 {frequency:.3f} MHz ({other}) "
                "belong to different fields"
            ]
    return []
