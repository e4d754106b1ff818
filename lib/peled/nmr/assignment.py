"""Assignment by shift: candidates ranked by distance over combined error, never asserted;
collisions shown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.formats.contract import reader
from peled.formats.delimited import read_records

COLUMNS = ("nucleus", "molecule", "site", "shift_ppm", "spread_ppm", "medium", "source")


@dataclass(frozen=True)
class Reference:
    """A shift from the literature: value, spread (media, ionisation, solid against solution), where
    it is from.
    """

    nucleus: str
    molecule: str
    site: str
    shift_ppm: float
    spread_ppm: float
    medium: str
    source: str

    @property
    def label(self) -> str:
        return f"{self.molecule} {self.site}"


@dataclass(frozen=True)
class Candidate:
    """One reading of a line. `z` is the distance over the combined error; `weight` the share of its
    likelihood.
    """

    label: str
    shift_ppm: float
    distance_ppm: float
    z: float
    weight: float
    is_sideband: bool = False


@reader("a table of reference shifts")
def read_references(path: str | os.PathLike) -> list[Reference]:
    """The table of reference shifts (columns `COLUMNS`).

    Parameters
    ----------
    path : path-like
        A table with the columns of the package's `tables/nmr/shifts.csv`.

    Returns
    -------
    list of Reference

    Raises
    ------
    FormatError
        Naming line and column.
    """
    found = []
    for row in read_records(path, COLUMNS)[0]:
        if not (spread := row.number("spread_ppm")) > 0:
            raise row.refuse("spread_ppm", "a spread above 0")
        site = (row[name] for name in COLUMNS[:3])
        found.append(
            Reference(*site, row.number("shift_ppm"), spread, row["medium"], row["source"])
        )
    return found


def sidebands(
    lines: Sequence[tuple[str, float]], mas_rate_Hz: float, reference_MHz: float, *, orders: int = 2
) -> list[tuple[str, float]]:
    """Where the spinning sidebands of lines lie: (label, shift) for each order, delta +- k nu_r /
    nu_0.

    Parameters
    ----------
    lines : sequence of (label, shift in ppm)
    mas_rate_Hz : float
        Spinning rate.
    reference_MHz : float
        Frequency at 0 ppm.
    orders : int
        Highest order, on either side.

    Returns
    -------
    list of (str, float)

    References
    ----------
    .. [1] M. M. Maricq and J. S. Waugh, J. Chem. Phys. 70, 3300 (1979), doi:10.1063/1.437915
    """
    step = mas_rate_Hz / reference_MHz
    return [
        (f"{name} sideband {order:+d}", shift + order * step)
        for name, shift in lines
        for order in range(-orders, orders + 1)
        if order
    ]


def rank(
    position_ppm: float,
    error_ppm: float,
    references: Sequence[Reference],
    *,
    extra: Sequence[tuple[str, float, float]] = (),
) -> list[Candidate]:
    """Candidates for a line, best first.

    Parameters
    ----------
    position_ppm, error_ppm : float
        The line, with the error of referencing.
    references : sequence of Reference
    extra : sequence of (label, shift_ppm, error_ppm)
        Spinning sidebands and other artefacts, which compete on equal terms.

    Returns
    -------
    list of Candidate

    Notes
    -----
    Weights are Gaussian likelihoods normalised to one [1]_: a flat prior over the candidates
    listed. They say how much the shift alone tells them apart, not which is true.

    References
    ----------
    .. [1] R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90, 773 (1995),
       doi:10.1080/01621459.1995.10476572
    """
    rows = [(r.label, r.shift_ppm, r.spread_ppm, False) for r in references] + [
        (label, shift, error, True) for label, shift, error in extra
    ]
    found = []
    for label, shift, spread, artefact in rows:
        combined = float(np.hypot(error_ppm, spread))
        z = (position_ppm - shift) / combined
        if abs(z) <= 3.0:
            found.append(
                (
                    label,
                    shift,
                    position_ppm - shift,
                    combined,
                    z,
                    artefact,
                    np.exp(-0.5 * z**2) / combined,
                )
            )
    total = sum(row[-1] for row in found)
    ranked = [
        Candidate(label, shift, distance, float(z), float(density / total), artefact)
        for label, shift, distance, combined, z, artefact, density in found
    ]
    return sorted(ranked, key=lambda c: abs(c.z))


@dataclass(frozen=True)
class Collision:
    """Two expected lines that a spectrum cannot tell apart: closer than their spreads and the line
    width.
    """

    first: str
    second: str
    distance_ppm: float
    limit_ppm: float


def collisions(lines: Sequence[tuple[str, float, float]], width_ppm: float) -> list[Collision]:
    """Pairs of (label, shift, spread) closer than the larger of the line width and their combined
    spread, nearest first.

    Parameters
    ----------
    lines : sequence of (label, shift, spread)
        In ppm.
    width_ppm : float
        Full width of a line at half its height.

    Returns
    -------
    list of Collision
        Nearest first.
    """
    found = []
    for i, (a, x, s) in enumerate(lines):
        for b, y, t in lines[i + 1 :]:
            limit = max(width_ppm, float(np.hypot(s, t)))
            if abs(x - y) < limit:
                found.append(Collision(a, b, abs(x - y), limit))
    return sorted(found, key=lambda c: c.distance_ppm)
