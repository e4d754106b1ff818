"""Statistics of what a search left: poses of one system, sites of one surface, neighbours at a
coverage.

A single lowest energy hides three things: how far it hangs on where the search began (range,
bootstrap), how many poses
are populated at a temperature (Boltzmann), and what neighbours do to each other (lateral
interaction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peled.energetics.outputs import EnergyRow
from peled.materials import K_EV

APART_EV = 0.002  #: minima closer than this are one


@dataclass(frozen=True)
class Poses:
    """Energies of the poses of one system (eV).

    Attributes
    ----------
    range_eV : float
    mean_eV : float
        Boltzmann mean.
    populated : float
        exp of the entropy of the populations: 1 where one pose holds all, n where all n are alike.
    """

    range_eV: float
    mean_eV: float
    populated: float


def populations(energies_eV: Sequence[float], temperature_K: float = 300.0) -> np.ndarray:
    """Boltzmann populations p = exp(-E/kT)/sum.

    Parameters
    ----------
    energies_eV : sequence of float
    temperature_K : float

    Returns
    -------
    ndarray
        Adds up to 1.

    Raises
    ------
    ValueError
        Without energies, or at a temperature that is not positive.

    Examples
    --------
    >>> populations([0.0, 0.0259], 300.0).round(2).tolist()
    [0.73, 0.27]
    """
    energies = np.asarray(energies_eV, float)
    if not energies.size or not temperature_K > 0:
        raise ValueError(
            f"expected energies and a temperature above 0, found {energies.size} and "
            f"{temperature_K}"
        )
    weights = np.exp(-(energies - energies.min()) / (K_EV * temperature_K))
    return weights / weights.sum()


def distinct(energies_eV: Sequence[float]) -> np.ndarray:
    """Energies of different minima: of those closer than `APART_EV` to a lower one, which are the
    same found twice, the lower.

    Parameters
    ----------
    energies_eV : sequence of float

    Returns
    -------
    ndarray
        Ascending.

    Examples
    --------
    >>> distinct([-1.0, -1.5, -1.4995]).tolist()
    [-1.5, -1.0]
    """
    kept: list[float] = []
    for energy in sorted(energies_eV):
        if not kept or energy - kept[-1] > APART_EV:
            kept.append(float(energy))
    return np.array(kept)


def poses(energies_eV: Sequence[float], temperature_K: float = 300.0) -> Poses:
    """Statistics of the poses of one system; starts that ended in one minimum are one pose for the
    populations.

    Parameters
    ----------
    energies_eV : sequence of float
        Of all starts.
    temperature_K : float

    Returns
    -------
    Poses

    Examples
    --------
    >>> found = poses([-1.50, -1.47, -1.20], 300.0)
    >>> round(found.range_eV, 2), round(found.populated, 2)
    (0.3, 1.73)
    """
    minima = distinct(energies_eV)
    p = populations(minima, temperature_K)
    entropy = -float(np.sum(p * np.log(np.maximum(p, 1e-300))))
    return Poses(
        float(max(energies_eV) - minima[0]),
        float(p @ minima),
        math.exp(entropy),
    )


@dataclass(frozen=True)
class Share:
    """Population of one site, with the interval that the errors of the energies leave (95 %)."""

    site: str
    share: float
    low: float
    high: float


def site_shares(
    energies_eV: Mapping[str, tuple[float, float]], temperature_K: float = 300.0
) -> list[Share]:
    """Populations of the sites of one surface from their energies and standard errors (eV).

    Each interval moves its own site by 1.96 times the error of its distance to the others' lowest.
    An error of a few kT
    (26 meV at 300 K) leaves 0 to 1: such a calculation does not say which site is populated.

    Parameters
    ----------
    energies_eV : mapping
        By site, the energy of its lowest pose and that energy's standard error.
    temperature_K : float

    Returns
    -------
    list of Share
        In the order of the mapping.

    Examples
    --------
    >>> top, bridge = site_shares({"top": (-1.0, 0.01), "bridge": (-0.9, 0.01)})
    >>> round(top.share, 2), top.low > 0.8
    (0.98, True)
    """
    names, pairs = list(energies_eV), list(energies_eV.values())
    e, s = (np.array([pair[k] for pair in pairs], float) for k in (0, 1))
    found = []
    for k, name in enumerate(names):
        others = np.delete(e, k)
        rival = np.delete(s, k)[others.argmin()] if others.size else 0.0
        error = 1.96 * math.hypot(s[k], rival)
        moved = [
            populations(np.where(np.arange(len(e)) == k, e + by, e), temperature_K)[k]
            for by in (0.0, error, -error)
        ]
        found.append(Share(name, *map(float, moved)))
    return found


@dataclass(frozen=True)
class Lateral:
    """Change of the energy per molecule with coverage: slope and its standard error (eV per unit
    of coverage).
    """

    slope_eV: float
    error_eV: float
    coverages: tuple[float, ...]


def lateral(rows: Sequence[EnergyRow], single_eV: float) -> Lateral | None:
    """Lateral interaction of one adsorbate on one surface, from rows at two coverages or more.

    Weighted straight line of energy per molecule against coverage; positive: neighbours repel. At
    each coverage the lowest row counts, whatever its site. Each energy counts with the bootstrap
    error of its starts, a row of one start with `single_eV`. The slope's error is that of these,
    not of the scatter about the line: two points have none.

    Parameters
    ----------
    rows : sequence of EnergyRow
        With the label `coverage` (any unit); others are left out.
    single_eV : float
        Standard error of a row of one start.

    Returns
    -------
    Lateral or None
        None with fewer than two coverages.
    """
    points: dict[float, tuple[float, float]] = {}
    for r in rows:
        if r.molecules and "coverage" in r.labels:
            each = r.energy_eV / r.molecules, standard_error(r, single_eV) / r.molecules
            at = float(r.labels["coverage"])
            points[at] = min(points.get(at, each), each)
    if len(points) < 2:
        return None
    x = np.array(list(points))
    y, error = np.array(list(points.values())).T
    weight = 1 / error**2
    centre = np.average(x, weights=weight)
    spread = np.sum(weight * (x - centre) ** 2)
    slope = np.sum(weight * (x - centre) * y) / spread
    return Lateral(float(slope), float(spread**-0.5), tuple(sorted(points)))


def standard_error(row: EnergyRow, single_eV: float) -> float:
    """Standard error of the lowest of a row's starts; starts that agree to the last digit leave a
    meV.

    Parameters
    ----------
    row : EnergyRow
    single_eV : float
        Standard error of a row of one start.

    Returns
    -------
    float
        eV.
    """
    return single_eV if len(row.starts_eV) < 2 else max(row.spread_eV, 1e-3)
