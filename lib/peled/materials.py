"""Constants and one-line relations of the perovskite that several rooms use.

x_Br is the bromide fraction of the halide sites: MAPb(I1-x Brx)3. The paper writes x for iodide in
some places and for bromide in others; here it is named every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from peled.formats.delimited import read_records
from peled.tables import table

HC_EV_NM = 1239.841984332003  #: h c / e in eV nm (exact in the SI of 2019)
AXES_NM = (100.0, 5000.0)  #: what an axis of optical spectra lies within
AVOGADRO = 6.02214076e23  #: 1/mol (exact)
K_EV = 8.617333262e-5  #: Boltzmann constant, eV/K


def photon_energy_eV(wavelength_nm: ArrayLike) -> np.ndarray:
    """Photon energy ``E = h c / lambda`` of a vacuum wavelength [1]_; its own inverse.

    Parameters
    ----------
    wavelength_nm : float or array
        In vacuum, nm; eV gives nm.

    Returns
    -------
    array
        eV.

    References
    ----------
    .. [1] E. Tiesinga et al., Rev. Mod. Phys. 93, 025010 (2021),
       doi:10.1103/RevModPhys.93.025010

    Examples
    --------
    >>> float(photon_energy_eV(620.0).round(4))
    1.9997
    """
    return HC_EV_NM / np.asarray(wavelength_nm, float)


def index_of_air(wavelength_nm: ArrayLike) -> np.ndarray:
    """Refractive index of standard air (15 °C, 101.325 kPa, 450 ppm CO₂) [1]_.

    n = 1 + 0.05792105/(238.0185 − σ²) + 0.00167917/(57.362 − σ²), σ = 1000/λ: a wavelength that was
    measured in air times n is that in vacuum.

    Parameters
    ----------
    wavelength_nm : float or array
        230 to 1700 nm.

    Returns
    -------
    array

    References
    ----------
    .. [1] P. E. Ciddor, Appl. Opt. 35, 1566 (1996), doi:10.1364/AO.35.001566

    Examples
    --------
    >>> round(float(index_of_air(650.0)), 6)
    1.000276
    """
    square = (1e3 / np.asarray(wavelength_nm, float)) ** 2
    return 1 + 0.05792105 / (238.0185 - square) + 0.00167917 / (57.362 - square)


@cache
def constants(folder: Path | None = None) -> Mapping[str, tuple[float, float]]:
    """Published values with their standard errors, by name.

    From the package's `tables/constants.csv`, which names the sources; a `constants.csv` in a
    user's folder takes its place.

    Parameters
    ----------
    folder : Path, optional
        The user's.

    Returns
    -------
    mapping of str to (float, float)
        In the unit of the table.

    Raises
    ------
    FormatError
        If a table in `folder` lacks a column or has no rows.

    Examples
    --------
    >>> constants()["a_MAPbBr3"]
    (5.93, 0.003)
    """
    columns = "name", "value", "standard_error"
    rows, _ = read_records(table("constants.csv", folder), columns)
    return {row["name"]: (row.number("value"), row.number("standard_error")) for row in rows}


def _of(*names: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values and standard errors of some constants."""
    values, errors = zip(*(constants()[name] for name in names), strict=True)
    return values, errors


#: Coefficients of the gap's parabola in x_Br (eV) with their standard errors; source:
#: `bulk_gap_eV`.
GAP_EV, GAP_ERROR_EV = _of("gap_c0", "gap_c1", "gap_c2")
#: Lattice constants of MAPbI3 (pseudo-cubic) and MAPbBr3 (ångström) with their standard errors.
ENDS_A, ENDS_ERROR_A = _of("a_MAPbI3", "a_MAPbBr3")


def bulk_gap_eV(x_br: ArrayLike) -> np.ndarray:
    """Optical gap of bulk MAPb(I1-xBrx)3, ``c0 + c1 x + c2 x²`` [1]_.

    Parameters
    ----------
    x_br : float or array
        0 to 1.

    Returns
    -------
    array
        eV.

    References
    ----------
    .. [1] J. H. Noh et al., Nano Lett. 13, 1764 (2013), doi:10.1021/nl400349b

    Examples
    --------
    >>> float(bulk_gap_eV(0.6).round(3))
    1.923
    """
    x = np.asarray(x_br, float)
    return GAP_EV[0] + GAP_EV[1] * x + GAP_EV[2] * x**2


def bulk_gap_slope_eV(x_br: ArrayLike) -> np.ndarray:
    """``d E_g / d x_Br = c1 + 2 c2 x`` of `bulk_gap_eV` [1]_.

    Parameters
    ----------
    x_br : float or array
        0 to 1.

    Returns
    -------
    array
        eV.

    References
    ----------
    .. [1] J. H. Noh et al., Nano Lett. 13, 1764 (2013), doi:10.1021/nl400349b

    Examples
    --------
    >>> rise = bulk_gap_eV(0.61) - bulk_gap_eV(0.59)
    >>> bool(abs(rise / 0.02 - bulk_gap_slope_eV(0.6)) < 1e-9)
    True
    """
    return GAP_EV[1] + 2 * GAP_EV[2] * np.asarray(x_br, float)


def bulk_wavelength_nm(x_br: ArrayLike) -> np.ndarray:
    """Wavelength of a photon of the bulk gap (`bulk_gap_eV` [1]_).

    Parameters
    ----------
    x_br : float or array
        0 to 1.

    Returns
    -------
    array
        nm, in vacuum.

    References
    ----------
    .. [1] J. H. Noh et al., Nano Lett. 13, 1764 (2013), doi:10.1021/nl400349b

    Examples
    --------
    >>> float(bulk_wavelength_nm(0.6).round(1))
    644.8
    """
    return photon_energy_eV(bulk_gap_eV(x_br))


def bromide_fraction_of_gap(gap_eV: ArrayLike) -> np.ndarray:
    """Inverse of `bulk_gap_eV` [1]_ on its rising branch; NaN below the parabola's minimum.

    Parameters
    ----------
    gap_eV : float or array
        eV.

    Returns
    -------
    array
        x_Br, not held to 0 to 1.

    References
    ----------
    .. [1] J. H. Noh et al., Nano Lett. 13, 1764 (2013), doi:10.1021/nl400349b

    Examples
    --------
    >>> float(bromide_fraction_of_gap(bulk_gap_eV(0.6)).round(9))
    0.6
    """
    c0, c1, c2 = GAP_EV
    with np.errstate(invalid="ignore"):
        return (-c1 + np.sqrt(c1**2 + 4 * c2 * (np.asarray(gap_eV, float) - c0))) / (2 * c2)


def lattice_constant_angstrom(x_br: ArrayLike, ends_A: Sequence[float] = ENDS_A) -> np.ndarray:
    """Pseudo-cubic lattice constant by Vegard's law between the end members.

    Parameters
    ----------
    x_br : float or array
        0 to 1.
    ends_A : (float, float)
        Lattice constants of MAPbI3 (pseudo-cubic) and MAPbBr3, ångström.

    Returns
    -------
    array
        Ångström.

    References
    ----------
    .. [1] L. Vegard, Z. Phys. 5, 17 (1921), doi:10.1007/BF01349680

    Examples
    --------
    >>> float(lattice_constant_angstrom(0.6).round(3))
    6.072
    """
    return ends_A[0] + (ends_A[1] - ends_A[0]) * np.asarray(x_br, float)


def bromide_fraction_of_lattice(
    a_A: float,
    a_error_A: float,
    ends_A: Sequence[float] = ENDS_A,
    ends_error_A: Sequence[float] = ENDS_ERROR_A,
) -> tuple[float, float]:
    """Inverse of `lattice_constant_angstrom`, ``x = (a - a_I) / (a_Br - a_I)`` [1]_, with the
    errors of all three cells propagated.

    Parameters
    ----------
    a_A, a_error_A : float
        Lattice constant and its standard error, ångström.
    ends_A, ends_error_A : (float, float)
        Those of MAPbI3 (pseudo-cubic) and MAPbBr3, ångström.

    Returns
    -------
    float, float
        x_Br, not held to 0 to 1, and its standard error.

    References
    ----------
    .. [1] L. Vegard, Z. Phys. 5, 17 (1921), doi:10.1007/BF01349680

    Examples
    --------
    >>> x, error = bromide_fraction_of_lattice(6.05, 0.01, (6.32, 5.92), (0.0, 0.0))
    >>> round(x, 3), round(error, 3)
    (0.675, 0.025)
    """
    span = ends_A[0] - ends_A[1]
    x = (ends_A[0] - a_A) / span
    error = math.hypot(a_error_A, (1 - x) * ends_error_A[0], x * ends_error_A[1]) / span
    return x, error
