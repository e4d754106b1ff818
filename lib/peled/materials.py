"""Constants and one-line relations of the perovskite that several rooms use.

x_Br is the bromide fraction of the halide sites: MAPb(I1-x Brx)3. The paper writes x for iodide in some places and for
bromide in others; here it is named every time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

HC_EV_NM = 1239.841984332003  #: h c / e in eV nm (exact in the SI of 2019)
KT_EV_300K = 8.617333262e-5 * 300  #: thermal energy at 300 K, eV
AVOGADRO = 6.02214076e23  #: 1/mol (exact)

A_MAPBI3_ANGSTROM = 6.284  #: pseudo-cubic MAPbI3, Noh et al. 2013, doi:10.1021/nl400349b
A_MAPBBR3_ANGSTROM = 5.930  #: cubic MAPbBr3, same source


def photon_energy_eV(wavelength_nm: ArrayLike) -> np.ndarray:
    """Photon energy of a vacuum wavelength; its own inverse.

    >>> float(photon_energy_eV(620.0).round(4))
    1.9997
    """
    return HC_EV_NM / np.asarray(wavelength_nm, float)


def bulk_gap_eV(x_br: ArrayLike) -> np.ndarray:
    """Optical gap of bulk MAPb(I1-xBrx)3: 1.57 + 0.39 x + 0.33 x² (Noh et al. 2013, doi:10.1021/nl400349b).

    >>> float(photon_energy_eV(bulk_gap_eV(0.6)).round(1))
    644.8
    """
    x = np.asarray(x_br, float)
    return 1.57 + 0.39 * x + 0.33 * x**2


def bromide_fraction_of_gap(gap_eV: ArrayLike) -> np.ndarray:
    """Inverse of `bulk_gap_eV` on its rising branch; NaN below the gap of the pure iodide's parabola minimum."""
    gap = np.asarray(gap_eV, float)
    with np.errstate(invalid="ignore"):
        return (-0.39 + np.sqrt(0.39**2 + 4 * 0.33 * (gap - 1.57))) / (2 * 0.33)


def lattice_constant_angstrom(x_br: ArrayLike) -> np.ndarray:
    """Pseudo-cubic lattice constant by Vegard's law between the end members.

    >>> float(lattice_constant_angstrom(0.6).round(3))
    6.072
    """
    return A_MAPBI3_ANGSTROM + (A_MAPBBR3_ANGSTROM - A_MAPBI3_ANGSTROM) * np.asarray(x_br, float)


def bromide_fraction_of_lattice(a_angstrom: ArrayLike) -> np.ndarray:
    """Inverse of `lattice_constant_angstrom`."""
    return (np.asarray(a_angstrom, float) - A_MAPBI3_ANGSTROM) / (
        A_MAPBBR3_ANGSTROM - A_MAPBI3_ANGSTROM
    )


def wavelength_rgb(wavelength_nm: float) -> tuple[float, float, float]:
    """A screen colour for a wavelength, by piecewise hue with dimming at both ends; for colour patches, not for colorimetry."""
    anchors = [
        (380, 0.3, 0, 0.45),
        (440, 0, 0, 1),
        (490, 0, 1, 1),
        (510, 0, 1, 0),
        (580, 1, 1, 0),
        (645, 1, 0, 0),
        (780, 0.35, 0, 0),
    ]
    points = np.array(anchors, float)
    return tuple(float(np.interp(wavelength_nm, points[:, 0], points[:, i])) for i in (1, 2, 3))
