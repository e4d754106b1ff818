"""Bragg geometry, reflections, structure factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from peled.formats.diffraction import KALPHA_A
from peled.materials import lattice_constant_angstrom

CU_KALPHA_A = KALPHA_A["Cu"]
KALPHA2_RATIO = 0.5


def two_theta(a_A, hkl, wavelength_A: float = CU_KALPHA_A[0]):
    """Bragg angle of a reflection of a cubic cell.

    Parameters
    ----------
    a_A : float or ndarray
        Lattice constant, ångström.
    hkl : array, shape (..., 3)
    wavelength_A : float

    Returns
    -------
    float or ndarray
        2θ in degrees; NaN where λ √(h² + k² + l²) is above 2a.

    References
    ----------
    .. [1] W. H. Bragg and W. L. Bragg, Proc. R. Soc. A 88, 428 (1913), doi:10.1098/rspa.1913.0040

    Examples
    --------
    >>> float(two_theta(6.05, (1, 0, 0)).round(3))
    14.63
    """
    with np.errstate(invalid="ignore"):
        return 2 * np.degrees(
            np.arcsin(
                wavelength_A * np.sqrt(np.sum(np.square(hkl), axis=-1)) / (2 * np.asarray(a_A))
            )
        )


def scherrer_fwhm_deg(
    size_nm, two_theta_deg, shape_factor: float = 0.9, wavelength_A: float = CU_KALPHA_A[0]
):
    """Breadth of a line by the size of the crystals, K λ/(L cos θ) [1]_.

    For the (h00) lines of a cube of edge L, K is 0.886 for the full width at half maximum and 1 for
    the integral breadth [2]_.

    Parameters
    ----------
    size_nm : float or ndarray
    two_theta_deg : float or ndarray
    shape_factor : float
        K.
    wavelength_A : float
        By default Cu Kα1.

    Returns
    -------
    float or ndarray
        Degrees of 2θ.

    References
    ----------
    .. [1] P. Scherrer, Nachr. Ges. Wiss. Göttingen, Math.-Phys. Kl. 1918, 98 (1918)
    .. [2] J. I. Langford, A. J. C. Wilson, J. Appl. Cryst. 11, 102 (1978),
       doi:10.1107/S0021889878012844

    Examples
    --------
    >>> float(scherrer_fwhm_deg(12.0, 14.6, 0.886).round(3))
    0.657
    """
    return np.degrees(
        shape_factor
        * wavelength_A
        / (10 * np.asarray(size_nm) * np.cos(np.radians(two_theta_deg) / 2))
    )


@lru_cache(maxsize=64)
def reflection_families(n_max: int) -> tuple[tuple[int, int, int], ...]:
    """One (h, k, l), h >= k >= l >= 0, for every h2+k2+l2 up to `n_max` of a primitive cubic cell,
    by increasing sum.

    Families of equal sum, such as (300) and (221), fall together; the one with the most equivalents
    stands for both.

    Parameters
    ----------
    n_max : int
        Largest h² + k² + l².

    Returns
    -------
    tuple of (h, k, l)

    Examples
    --------
    >>> reflection_families(4)
    ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0))
    """
    best: dict[int, tuple] = {}
    top = int(np.sqrt(n_max)) + 1
    for h in range(top + 1):
        for k in range(h + 1):
            for l in range(k + 1):
                n = h * h + k * k + l * l
                if 0 < n <= n_max and (
                    n not in best or len(members((h, k, l))) > len(members(best[n]))
                ):
                    best[n] = (h, k, l)
    return tuple(best[n] for n in sorted(best))


@lru_cache(maxsize=256)
def members(hkl: tuple) -> tuple:
    """Equivalent reflections of a cubic family: all orders and signs, each once, sorted.

    Parameters
    ----------
    hkl : tuple of 3 int

    Returns
    -------
    tuple of (h, k, l)
    """
    from itertools import permutations, product

    return tuple(
        sorted(
            {
                tuple(s * i for s, i in zip(signs, order, strict=True))
                for order in permutations(hkl)
                for signs in product((1, -1), repeat=3)
            }
        )
    )


def powder_pattern(
    x_br: float,
    a_A: float | None = None,
    *,
    hkls: Sequence[tuple] | None = None,
    anomalous: bool = True,
    wavelength_A: float = CU_KALPHA_A[0],
) -> dict[tuple, float]:
    """Relative integrated intensities m |F|2 LP of cubic MAPb(I,Br)3 (Pm-3m, random powder), by
    reflection.

    Structure factors from gemmi (International Tables C form factors, Cromer-Liberman anomalous
    dispersion). The cation is placed at the cell's centre as carbon and nitrogen of half weight at
    +-0.75 Å along the axes.

    Parameters
    ----------
    x_br : float
        Bromide fraction, 0 to 1.
    a_A : float, optional
        Lattice constant; by default Vegard's.
    hkls : sequence of (h, k, l), optional
        By default all families up to h² + k² + l² = 16.
    anomalous : bool
        Include f' and f''. Without them (111) is 17 % too weak.
    wavelength_A : float

    Returns
    -------
    dict of (h, k, l) to float

    Raises
    ------
    ValueError
        If `x_br` is outside 0 to 1.

    References
    ----------
    .. [1] D. Waasmaier and A. Kirfel, Acta Cryst. A51, 416 (1995), doi:10.1107/S0108767394013292
    """
    b_iso_A2 = (1.5, 3.0, 5.0)
    import gemmi

    if not 0 <= x_br <= 1:
        raise ValueError(f"x_br: expected a fraction between 0 and 1, found {x_br}")
    a = a_A or lattice_constant_angstrom(x_br)
    structure = gemmi.SmallStructure()
    structure.cell = gemmi.UnitCell(a, a, a, 90, 90, 90)
    structure.spacegroup = gemmi.SpaceGroup(
        "P 1"
    )  # every atom is listed, so no symmetry operation is left to apply
    energy = 12398.42 / wavelength_A

    def add(element: str, at, occupancy: float, b: float):
        site = gemmi.SmallStructure.Site()
        site.label, site.type_symbol, site.occ = (
            f"{element}{len(structure.sites)}",
            element,
            occupancy,
        )
        site.element = gemmi.Element(element)
        site.fract = gemmi.Fractional(*at)
        site.u_iso = b / (8 * np.pi**2)
        structure.add_site(site)

    add("Pb", (0, 0, 0), 1, b_iso_A2[0])
    for at in ((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)):
        add("I", at, 1 - x_br, b_iso_A2[1])
        add("Br", at, x_br, b_iso_A2[1])
    for axis in np.eye(3):
        for sign in (1, -1):
            at = 0.5 + sign * 0.75 / a * axis
            add("C", at, 1 / 6, b_iso_A2[2])
            add("N", at, 1 / 6, b_iso_A2[2])
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    if anomalous:
        for element in ("Pb", "I", "Br", "C", "N"):
            calculator.addends.set(
                gemmi.Element(element),
                gemmi.cromer_liberman(z=gemmi.Element(element).atomic_number, energy=energy)[0],
            )
    imaginary = (
        {
            e: gemmi.cromer_liberman(z=gemmi.Element(e).atomic_number, energy=energy)[1]
            for e in ("Pb", "I", "Br")
        }
        if anomalous
        else {}
    )
    hkls = hkls or reflection_families(16)
    found = {}
    for hkl in hkls:
        total = 0.0
        for members in same_length(hkl):
            real = calculator.calculate_sf_from_small_structure(structure, members[0])
            f2 = abs(real + 1j * _imaginary_part(members[0], imaginary, x_br, a, b_iso_A2)) ** 2
            total += len(members) * f2
        theta = np.radians(two_theta(a, hkl, wavelength_A)) / 2
        found[tuple(hkl)] = (
            total * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
        )
    return found


def same_length(hkl) -> list[tuple]:
    """All families with the sum of `hkl`, each as its members.

    Parameters
    ----------
    hkl : tuple of 3 int

    Returns
    -------
    list of tuple of (h, k, l)
    """
    n = sum(i * i for i in hkl)
    top = int(np.sqrt(n))
    return [
        members((h, k, l))
        for h in range(top + 1)
        for k in range(h + 1)
        for l in range(k + 1)
        if h * h + k * k + l * l == n
    ]


def _imaginary_part(hkl, f2: dict[str, float], x_br: float, a: float, b: tuple) -> float:
    """The contribution of f'' to F, which is real-valued geometry in a centrosymmetric cell."""
    if not f2:
        return 0.0
    s2 = sum(i * i for i in hkl) / (4 * a * a)
    halide = sum(np.cos(np.pi * i) for i in hkl)
    return f2["Pb"] * np.exp(-b[0] * s2) + halide * (
        (1 - x_br) * f2["I"] + x_br * f2["Br"]
    ) * np.exp(-b[1] * s2)


@lru_cache(maxsize=1024)
def line_strength(hkl: tuple, x_br: float) -> float:
    """m |F|2 without geometry: what `PawleyFit.intensities` is proportional to.

    Parameters
    ----------
    hkl : (int, int, int)
    x_br : float
        Bromide fraction of the halides.

    Returns
    -------
    float
        In the units of `powder_pattern`, for Cu Kα1.

    References
    ----------
    .. [1] H. M. Rietveld, J. Appl. Cryst. 2, 65 (1969), doi:10.1107/S0021889869006558
    """
    a = float(lattice_constant_angstrom(x_br))
    theta = np.radians(two_theta(a, hkl)) / 2
    return powder_pattern(x_br, a, hkls=(hkl,))[hkl] / (
        (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    )


def lines_in(a: float, x: np.ndarray, wavelength: float) -> tuple:
    """Reflections of a primitive cubic cell in a pattern, or up to 0.4° outside it.

    Parameters
    ----------
    a : float
        Lattice constant, ångström.
    x : ndarray, shape (n,)
        2θ in degrees, rising.
    wavelength : float
        Ångström.

    Returns
    -------
    tuple of (h, k, l)
        One a family (`reflection_families`), by increasing angle.
    """
    reach = -0.4  # a line just outside still reaches in with its flank
    families = reflection_families(
        int((2 * np.sin(np.radians(min(x[-1], 178)) / 2) / wavelength * a) ** 2) + 1
    )
    return tuple(
        hkl for hkl in families if x[0] + reach < two_theta(a, hkl, wavelength) < x[-1] - reach
    )
