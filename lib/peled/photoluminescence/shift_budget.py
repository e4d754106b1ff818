"""What could make the emission move: composition, confinement, surroundings, and whether the
numbers tell them apart.

Composition: `peled.materials.bulk_gap_eV`. Confinement in a cube of edge L: a particle of mass m
has its ground level at 3 h²/(8 m L²); in weak confinement m is the exciton's mass M (the exciton
moves as one), in strong confinement its reduced mass μ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled.materials import (
    HC_EV_NM,
    bromide_fraction_of_gap,
    bulk_wavelength_nm,
    photon_energy_eV,
)

H2_8M0_EV_NM2 = 0.376030  # h²/(8 m0)


@dataclass(frozen=True)
class Contribution:
    """One cause: the shift in energy, and in wavelength from the start wavelength (blue is
    positive), with errors.
    """

    cause: str
    shift_meV: float
    error_meV: float
    shift_nm: float
    error_nm: float


@dataclass(frozen=True)
class Combination:
    """Causes added up against an observed shift: `z` is the distance in standard errors."""

    causes: tuple[str, ...]
    shift_nm: float
    error_nm: float
    z: float

    @property
    def explains(self) -> bool:
        """Within two standard errors of what is observed."""
        return abs(self.z) < 2


def bromide_for_wavelength(wavelength_nm):
    """Bromide fraction whose gap has this wavelength.

    Parameters
    ----------
    wavelength_nm : float or ndarray

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        Outside the relation's range, 0 ≤ x ≤ 1.
    """
    wavelength = np.asarray(wavelength_nm, dtype=float)
    low, high = bulk_wavelength_nm(1.0), bulk_wavelength_nm(0.0)
    if np.any(~((wavelength >= low - 1e-9) & (wavelength <= high + 1e-9))):
        raise ValueError(
            f"wavelength: expected {low:.0f} to {high:.0f} nm, "
            f"found {np.atleast_1d(wavelength)[0]:g} nm"
        )
    return bromide_fraction_of_gap(photon_energy_eV(wavelength))


def cube_energy_meV(edge_nm, mass):
    """Ground level of a particle in a cube with hard walls, 3 ħ²π²/(2 m L²).

    Parameters
    ----------
    edge_nm : float or ndarray
    mass : float
        In m0.

    Returns
    -------
    float or ndarray
        meV.

    References
    ----------
    .. [1] A. L. Efros and M. Rosen, Annu. Rev. Mater. Sci. 30, 475 (2000),
           doi:10.1146/annurev.matsci.30.1.475

    Examples
    --------
    >>> round(float(cube_energy_meV(12.0, 0.11)), 1)
    71.2
    """
    return 3e3 * H2_8M0_EV_NM2 / mass / np.asarray(edge_nm, dtype=float) ** 2


def kane_energy_meV(edge_nm, mass, gap_eV):
    """As `cube_energy_meV` in a band whose mass grows with energy: E_g/2 (√(1 + 4 E/E_g) − 1)
    (Kane's two-band model [1]_).

    Parameters
    ----------
    edge_nm : float or ndarray
    mass : float
        At the edge of the band, in m0.
    gap_eV : float

    Returns
    -------
    float or ndarray
        meV.

    References
    ----------
    .. [1] E. O. Kane, J. Phys. Chem. Solids 1, 249 (1957), doi:10.1016/0022-3697(57)90013-6
    """
    parabolic = cube_energy_meV(edge_nm, mass) * 1e-3
    return 1e3 * gap_eV / 2 * (np.sqrt(1 + 4 * parabolic / gap_eV) - 1)


def linearity(edge_nm: np.ndarray, energy_meV: np.ndarray) -> float:
    """R² of a straight line of energy against 1/L².

    Parameters
    ----------
    edge_nm, energy_meV : ndarray, shape (n,)

    Returns
    -------
    float
    """
    return float(np.corrcoef(1 / np.asarray(edge_nm, dtype=float) ** 2, energy_meV)[0, 1] ** 2)


def edge_for_shift(bulk_nm: float, shift_nm: float, mass: float) -> float:
    """Edge at which confinement moves emission to the blue by some nm.

    Parameters
    ----------
    bulk_nm, shift_nm : float
    mass : float
        In m0.

    Returns
    -------
    float
        nm.
    """
    energy = HC_EV_NM / (bulk_nm - shift_nm) - HC_EV_NM / bulk_nm
    return float(np.sqrt(3 * H2_8M0_EV_NM2 / mass / energy))


def shift_in_meV(from_nm: float, to_nm: float) -> float:
    """Energy in meV from one wavelength to another.

    Parameters
    ----------
    from_nm, to_nm : float

    Returns
    -------
    float
        meV.

    Examples
    --------
    >>> round(float(shift_in_meV(642.0, 620.0)), 1)
    68.5
    """
    return 1e3 * HC_EV_NM * (1 / to_nm - 1 / from_nm)


def confinement(
    from_edge_nm: float,
    to_edge_nm: float,
    *,
    mass: float,
    start_nm: float,
    edge_errors_nm: tuple[float, float] = (0.0, 0.0),
    regime: str = "weak",
) -> Contribution:
    """Shift between two cube edges, with the errors of both edges.

    Parameters
    ----------
    from_edge_nm, to_edge_nm : float
    mass : float
        In units of m0: M for weak, μ for strong confinement.
    start_nm : float
        Emission wavelength before.
    edge_errors_nm : (float, float)
        Standard errors of the mean edges.
    regime : str
        Name to show.

    Returns
    -------
    Contribution
    """
    before, after = cube_energy_meV(from_edge_nm, mass), cube_energy_meV(to_edge_nm, mass)
    error = np.hypot(
        2 * before / from_edge_nm * edge_errors_nm[0], 2 * after / to_edge_nm * edge_errors_nm[1]
    )
    return _contribution(f"{regime} confinement", float(after - before), float(error), start_nm)


def given(cause: str, shift_nm: float, error_nm: float, start_nm: float) -> Contribution:
    """A contribution that is stated in nm.

    Parameters
    ----------
    cause : str
    shift_nm : float
        Blue is positive.
    error_nm : float
    start_nm : float
        Wavelength before the shift.

    Returns
    -------
    Contribution
    """
    slope = 1e3 * HC_EV_NM / start_nm**2
    return Contribution(
        cause, shift_in_meV(start_nm, start_nm - shift_nm), slope * error_nm, shift_nm, error_nm
    )


def combinations(
    observed_nm: float,
    observed_error_nm: float,
    parts: list[Contribution],
    *,
    exclusive: tuple[str, ...] = (),
) -> list[Combination]:
    """All sums of contributions against the observed shift, nearest first.

    `exclusive` names causes of which only one can act (weak and strong confinement).

    Parameters
    ----------
    observed_nm, observed_error_nm : float
        Blue is positive.
    parts : list of Contribution
    exclusive : tuple of str

    Returns
    -------
    list of Combination
        Of one part and more; the error is that of sum and observation together.
    """
    found = []
    for mask in range(1, 2 ** len(parts)):
        chosen = [part for i, part in enumerate(parts) if mask >> i & 1]
        if sum(part.cause in exclusive for part in chosen) > 1:
            continue
        total, error = (
            sum(p.shift_nm for p in chosen),
            float(np.sqrt(sum(p.error_nm**2 for p in chosen) + observed_error_nm**2)),
        )
        found.append(
            Combination(
                tuple(p.cause for p in chosen),
                float(total),
                error,
                float((total - observed_nm) / error) if error else np.inf,
            )
        )
    return sorted(found, key=lambda c: abs(c.z))


def _contribution(cause: str, shift_meV: float, error_meV: float, start_nm: float) -> Contribution:
    after = HC_EV_NM / (HC_EV_NM / start_nm + 1e-3 * shift_meV)
    return Contribution(
        cause,
        shift_meV,
        error_meV,
        float(start_nm - after),
        float(after**2 / HC_EV_NM * 1e-3 * error_meV),
    )


def volume_fraction(
    mass_ratio: float, *, density_crystal: float = 4.01, density_matrix: float = 1.18
) -> float:
    """Volume fraction of crystals in a matrix.

    Parameters
    ----------
    mass_ratio : float
        Crystals over matrix.
    density_crystal, density_matrix : float
        g/cm³.

    Returns
    -------
    float
    """
    crystals = mass_ratio / density_crystal
    return crystals / (crystals + 1 / density_matrix)


def mean_spacing_nm(mass_ratio: float, edge_nm: float, **densities: float) -> float:
    """Cube root of the matrix volume that one crystal has for itself, nm.

    Parameters
    ----------
    mass_ratio : float
        Crystals over matrix.
    edge_nm : float
        Of the crystals.
    **densities : float
        As for `volume_fraction`.

    Returns
    -------
    float
        nm.
    """
    return float(edge_nm / volume_fraction(mass_ratio, **densities) ** (1 / 3))
