"""Several phases of any symmetry in one pattern: cells, sizes, weight fractions.

A phase whose structure is given (CIF) has one coefficient, its Rietveld scale, and so a weight
fraction; of the others each line has its own (Pawley).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from peled import separable
from peled.formats import FormatError
from peled.formats.delimited import read_records
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import Estimates
from peled.separable import Slopes, Sought
from peled.structure.xrd.crystal import KALPHA2_RATIO
from peled.structure.xrd.pawley import (
    _freedom,
    _ground,
    errors_of,
    misfit,
    of_source,
    significant,
)
from peled.tables import table

#: Which of a, b, c, alpha, beta, gamma are free, by crystal system; others follow these.
_FREE = {
    "cubic": (0,), "tetragonal": (0, 2), "hexagonal": (0, 2), "trigonal": (0, 2),
    "orthorhombic": (0, 1, 2), "monoclinic": (0, 1, 2, 4), "triclinic": (0, 1, 2, 3, 4, 5),
}  # fmt: skip
_TIED = {"cubic": (0, 0, 0), "tetragonal": (0, 0, 2), "hexagonal": (0, 0, 2), "trigonal": (0, 0, 2)}
_LETTERS = "a", "b", "c", "alpha", "beta", "gamma"


@dataclass(frozen=True)
class Phase:
    """A crystal: name, cell (Å, degrees), space group; atoms where the structure is known."""

    name: str
    cell: tuple[float, float, float, float, float, float]
    spacegroup: str
    structure: Any = field(default=None, repr=False)

    @property
    def system(self) -> str:
        """Crystal system, which says what of the cell is free."""
        import gemmi

        return gemmi.SpaceGroup(self.spacegroup).crystal_system_str()

    @property
    def free(self) -> tuple[int, ...]:
        """Places of the free parameters in `cell`."""
        return _FREE[self.system]

    def moved(self, values: Sequence[float]) -> np.ndarray:
        """The cell with its free parameters at these values.

        Parameters
        ----------
        values : sequence of float
            Of the free parameters.

        Returns
        -------
        ndarray, shape (6,)
            Å and degrees.
        """
        cell = np.array(self.cell, float)
        cell[list(self.free)] = values
        tied = _TIED.get(self.system, (0, 1, 2))
        return np.concatenate([cell[list(tied)], cell[3:]])

    @property
    def mass(self) -> float:
        """Of the atoms of a cell, g/mol."""
        import gemmi

        return sum(
            s.occ * gemmi.Element(s.element.name).weight
            for s in self.structure.get_all_unit_cell_sites()
        )

    def lines(self, least_d_A: float, most_d_A: float) -> tuple[np.ndarray, np.ndarray | None]:
        """One reflection a spacing and, of a known structure, its strength.

        Parameters
        ----------
        least_d_A, most_d_A : float

        Returns
        -------
        hkl : ndarray, shape (m, 3)
        strength : ndarray, shape (m,), or None
            Σ m |F|².
        """
        import gemmi

        cell, group = gemmi.UnitCell(*self.cell), gemmi.SpaceGroup(self.spacegroup)
        hkl = np.asarray(gemmi.make_miller_array(cell, group, least_d_A, most_d_A))
        if not len(hkl):
            raise ValueError(f"{self.name}: no reflection in the pattern")
        d = np.round(spacings(hkl, np.array(self.cell)), 6)
        _, first, which = np.unique(-d, return_index=True, return_inverse=True)
        if self.structure is None:
            return hkl[first], None
        calculator = gemmi.StructureFactorCalculatorX(self.structure.cell)
        operations = group.operations()
        strength = [
            len(
                {tuple(s * i for i in o.apply_to_hkl(list(h))) for o in operations for s in (1, -1)}
            )
            * abs(calculator.calculate_sf_from_small_structure(self.structure, h)) ** 2
            for h in hkl.tolist()
        ]
        return hkl[first], np.bincount(which.ravel(), strength)


def spacings(hkl: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Spacings of reflections of any cell: 1/d² = h G⁻¹ h, G the metric of the cell.

    Parameters
    ----------
    hkl : ndarray, shape (m, 3)
    cell : ndarray, shape (6,)
        Å and degrees.

    Returns
    -------
    ndarray, shape (m,)
        Å.

    Examples
    --------
    >>> spacings(np.array([[1, 1, 0]]), np.array([6.0, 6, 6, 90, 90, 90])).round(4).tolist()
    [4.2426]
    """
    a, (ca, cb, cg) = cell[:3], np.cos(np.radians(cell[3:]))
    metric = np.outer(a, a) * np.array([[1, cg, cb], [cg, 1, ca], [cb, ca, 1]])
    return np.einsum("mi,ij,mj->m", hkl, np.linalg.inv(metric), hkl) ** -0.5


def known_phases(folder: Path | None = None) -> dict[str, Phase]:
    """Phases by name from `cells.csv`, in the folder or the package's; cells to start from.

    Parameters
    ----------
    folder : Path, optional
        Where `cells.csv` may lie; the package's otherwise.

    Returns
    -------
    dict of str to Phase
    """
    columns = ("name", "spacegroup", *_LETTERS)
    rows, _ = read_records(table("structure/cells.csv", folder), columns)
    return {
        r["name"]: Phase(r["name"], tuple(r.number(c) for c in _LETTERS), r["spacegroup"])
        for r in rows
    }


def read_cif(path: Path) -> Phase:
    """The phase of a CIF.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Phase
        Named as the file.

    Raises
    ------
    FormatError
        If it is none, or has no atoms or no space group.

    References
    ----------
    .. [1] S. R. Hall, F. H. Allen, I. D. Brown, Acta Crystallogr. A 47, 655 (1991),
           doi:10.1107/S010876739101067X
    """
    import gemmi

    path = Path(path)
    try:
        block = gemmi.cif.read(str(path)).sole_block()
        small = gemmi.make_small_structure_from_block(block)
        group = small.spacegroup
    except (RuntimeError, ValueError, OSError) as error:
        raise FormatError(path, expected="a CIF of one structure", found=str(error)) from None
    if group is None or not small.sites:
        missing = "no space group" if group is None else "no atoms"
        raise FormatError(path, expected="a space group and atoms", found=missing)
    cell = small.cell
    return Phase(path.stem, tuple(getattr(cell, n) for n in _LETTERS), group.xhm(), small)


@dataclass(frozen=True)
class PhasesFit:
    """Several phases fitted together.

    Attributes
    ----------
    estimates : Estimates
        Cells as `<phase> a` and so on, `<phase> size` (nm, volume-weighted column length), zero,
        height, width of the instrument; `<phase> scale` or a coefficient a line.
    weights : mapping of phase to float
        Z M V of phases with structures: weight fraction = scale x this over their sum.
    two_theta_deg, observed, model, background : (n,) arrays
    chi2_reduced : float
    """

    estimates: Estimates
    weights: dict[str, float]
    two_theta_deg: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    chi2_reduced: float


def fit_phases(
    two_theta_deg,
    intensity,
    sigma=None,
    *,
    phases: Sequence[Phase],
    wavelengths_A: Sequence[float],
    radius_mm: float = 240.0,
    zero_deg: float | tuple[float, float] | None = 0.0,
    displacement_mm: float | tuple[float, float] | None = 0.0,
    instrument_fwhm_deg: float | None = None,
    known: Mapping[str, tuple[float, float]] = {},
) -> PhasesFit:
    """Fit cells and sizes of several phases, of which those with a structure share out the weight.

    Parameters
    ----------
    two_theta_deg, intensity : (n,) arrays
    sigma : (n,) array, optional
        Standard errors; by default from the scatter of the pattern.
    phases : sequence of Phase
        With cells to start from, within a percent or so.
    wavelengths_A, radius_mm, zero_deg, displacement_mm, instrument_fwhm_deg
        As of `pawley_fit`.
    known : mapping of str to (float, float)
        Parameters known from elsewhere, by their names in `estimates`: mean and standard error, as
        of a certified cell.

    Returns
    -------
    PhasesFit

    Raises
    ------
    ValueError
        For equal names, or a phase without a line in the pattern.

    Notes
    -----
    Lines are pseudo-Voigt of a Gaussian instrument and Lorentzian size broadening, widths after
    Thompson, Cox and Hastings [1]_; FWHM 2λ/(π L cos θ) of the second. With structures
    I ∝ m |F|² (1 + cos² 2θ)/(sin² θ cos θ), and the weight fraction is S Z M V / Σ S Z M V [2]_: of
    a random powder without microabsorption.

    References
    ----------
    .. [1] P. Thompson, D. E. Cox, J. B. Hastings, J. Appl. Cryst. 20, 79 (1987),
       doi:10.1107/S0021889887087090
    .. [2] R. J. Hill, C. J. Howard, J. Appl. Cryst. 20, 467 (1987),
       doi:10.1107/S0021889887086199
    """
    x, y = np.asarray(two_theta_deg, float), np.asarray(intensity, float)
    if len({p.name for p in phases}) < len(phases):
        raise ValueError(f"phases: expected different names, found {[p.name for p in phases]}")
    model = _Model(x, phases, wavelengths_A, radius_mm)
    sought = model.sought(zero_deg, displacement_mm, instrument_fwhm_deg)
    sought |= {name: replace(sought[name], known=tuple(said)) for name, said in known.items()}
    errors = errors_of(y, None if sigma is None else np.asarray(sigma, float))

    def fitted(sought, error, noise=None):
        return separable.fit(
            model.basis,
            y,
            sought,
            model.linear,
            error=error,
            variance=misfit(y, error),
            covariance_of=noise,
            max_evaluations=60,
        )

    fit = fitted(sought, errors(uniform_filter1d(y, 5)))
    model.hold(fit)
    error = errors(fit.model)
    last = fitted(fit.continued, error, lambda jacobian: of_source(jacobian, last, y, error))
    values = dict(zip(sought, last.values.tolist(), strict=True))
    weights = {}
    for p in phases:
        if p.structure is not None:
            cell = p.moved([values[f"{p.name} {_LETTERS[i]}"] for i in p.free])
            weights[p.name] = p.mass * _volume(cell)
    grounds = model.ground.shape[1]
    return PhasesFit(
        last.estimates,
        weights,
        x,
        y,
        last.model,
        model.ground @ last.linear[-grounds:],
        last.chi2 / last.freedom,
    )


def _volume(cell: np.ndarray) -> float:
    ca, cb, cg = np.cos(np.radians(cell[3:]))
    return float(np.prod(cell[:3]) * np.sqrt(1 - ca**2 - cb**2 - cg**2 + 2 * ca * cb * cg))


class _Model:
    """Columns of a pattern of several phases and their derivatives."""

    def __init__(self, x, phases, wavelengths_A, radius_mm):
        self.x, self.phases, self.radius = x, tuple(phases), radius_mm
        self.wavelengths = tuple(wavelengths_A)[:2]
        d_of = [self.wavelengths[0] / 2 / np.sin(np.radians(e / 2)) for e in (x[-1], x[0])]
        self.lines = [p.lines(*d_of) for p in self.phases]
        self.ground = _ground(x)
        self.clear = self.still = None  # of `hold`
        self.linear = [
            name
            for p, (hkl, strength) in zip(self.phases, self.lines, strict=True)
            for name in (
                [f"{p.name} scale"]
                if strength is not None
                else [f"{p.name} {' '.join(map(str, h))}" for h in hkl.tolist()]
            )
        ] + [f"background {k}" for k in range(self.ground.shape[1])]

    def hold(self, fit: separable.SeparableFit) -> None:
        """Lines that are not significant stay where that fit has them."""
        clear, first = np.ones(len(self.linear), bool), 0
        for hkl, strength in self.lines:
            own = slice(first, first + (len(hkl) if strength is None else 1))
            if strength is None:
                clear[own] = significant(fit.linear[own], fit.linear_errors[own])
            first = own.stop
        self.clear, self.still = clear, fit.design

    def sought(self, zero, displacement, fwhm) -> dict[str, Sought]:
        """Parameters in the order of `basis`."""
        step = float(np.median(np.diff(self.x)))
        out = {
            "zero": _freedom(zero, 0.02, "°"),
            "height": _freedom(displacement, 0.05, "mm"),
            "width": Sought(fwhm or max(0.1, 3 * step), step / 5, 5.0, 0.3, log=True,
                            held=fwhm is not None, unit="°"),
        }  # fmt: skip
        for p in self.phases:
            for i in p.free:
                at = p.cell[i]
                out[f"{p.name} {_LETTERS[i]}"] = Sought(
                    at, 0.97 * at, 1.03 * at, 2e-3 * at, unit="Å" if i < 3 else "°"
                )
            out[f"{p.name} size"] = Sought(40.0, 1.0, 2000.0, 0.4, log=True, unit="nm")
        return out

    def basis(self, p, derivatives):
        columns, moves, at, done = [], [], 3, 0
        for phase, (hkl, strength) in zip(self.phases, self.lines, strict=True):
            own = np.r_[:3, at : at + len(phase.free) + 1]
            made, moved = self._phase(phase, hkl, strength, p[own], derivatives)
            if self.clear is not None and strength is None:
                clear = self.clear[done : done + made.shape[1]]
                made = np.where(clear, made, self.still[:, done : done + made.shape[1]])
                moved = [(by, chain * clear) for by, chain in moved]
            done += made.shape[1]
            columns.append(made)
            moves.append((own, made.shape[1], moved))
            at = own[-1] + 1

        def times(a):
            out, first = np.zeros((len(p), len(self.x))), 0
            for own, count, moved in moves:
                for by, chain in moved:
                    for slope, links in zip(by, chain, strict=True):
                        out[own] += (links * a[first : first + count]) @ slope
                first += count
            return out

        return np.hstack([*columns, self.ground]), Slopes(times) if derivatives else None

    def _phase(self, phase, hkl, strength, own, derivatives):
        """Columns of one phase of zero, height, instrument, cell, size. For each wavelength its
        lines' derivatives by centre, width, mixing and height, and those of these by the
        parameters."""
        zero, height, gauss, *cell, size = own
        total, moves = 0.0, []
        spacing, step = spacings(hkl, phase.moved(cell)), 1e-6
        wider = [np.where(np.arange(len(cell)) == i, 1 + step, 1.0) for i in range(len(cell))]
        by_cell = [
            (spacings(hkl, phase.moved(cell * one)) / spacing - 1) / (step * a)
            for a, one in zip(cell, wider if derivatives else ())
        ]
        for k, wavelength in enumerate(self.wavelengths):
            share = (1.0, KALPHA2_RATIO)[k] / (1 + KALPHA2_RATIO * (len(self.wavelengths) - 1))

            def geometry(spacing, wavelength=wavelength, share=share):
                theta = np.arcsin(np.minimum(wavelength / 2 / spacing, 1 - 1e-9))
                lever = np.degrees(2 / self.radius) * np.cos(theta)
                lorentz = np.degrees(2 * wavelength / (np.pi * 10 * size * np.cos(theta)))
                polar = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
                weight = share * (np.ones_like(theta) if strength is None else strength * polar)
                return lever, 2 * np.degrees(theta) + zero - height * lever, lorentz, weight

            lever, centre, lorentz, weight = geometry(spacing)
            full, mixing, by_gauss, by_lorentz = widths(gauss, lorentz)
            lines, moved = pseudo_voigt(
                self.x, centre[:, None], full[:, None], mixing[:, None], derivatives
            )
            total = total + weight[:, None] * lines
            if not derivatives:
                continue
            place, broader, stronger = (
                (there - here) / step
                for here, there in zip(
                    (centre, lorentz, weight), geometry(spacing * (1 + step))[1:], strict=True
                )
            )
            by_spacing = np.array([place, *(np.array(by_lorentz) * broader), stronger / weight])
            chain = np.zeros((4, len(own), len(centre)))
            chain[0, :2] = np.ones_like(lever), -lever
            for i, more in enumerate(by_cell):
                chain[:, 3 + i] = by_spacing * more
            chain[1:3, 2] = by_gauss
            chain[1:3, -1] = -np.array(by_lorentz) * lorentz / size
            moves.append(((*moved, lines), chain * weight))
        if strength is not None:
            total = total.sum(axis=0, keepdims=True)
        return total.T, moves


#: Γ⁵ = Σ kᵢ Γ_G^(5-i) Γ_L^i and the share of the Lorentzian, Σ ηᵢ (Γ_L/Γ)^i (Thompson 1987).
_FIFTH = np.array([1, 2.69269, 2.42843, 4.47163, 0.07842, 1])
_SHARE = np.array([0, 1.36603, -0.47719, 0.11116])


def widths(gauss: float, lorentz: np.ndarray):
    """Full width, Lorentzian share, and derivatives of both by Gaussian, Lorentzian width.

    Parameters
    ----------
    gauss : float
        Full width at half maximum, above 0.
    lorentz : ndarray, shape (n,)
        Full widths in the unit of `gauss`, above 0.

    Returns
    -------
    full, share : ndarray, shape (n,)
    by_gauss, by_lorentz : tuple of two ndarrays, shape (n,)
        Derivatives of `full` and of `share`.

    References
    ----------
    .. [1] P. Thompson, D. E. Cox, J. B. Hastings, J. Appl. Cryst. 20, 79 (1987),
       doi:10.1107/S0021889887087090
    """

    def both(g, l):
        powers = [k * g ** (5 - i) * l**i for i, k in enumerate(_FIFTH)]
        full = np.sum(powers, axis=0) ** 0.2
        return full, np.polynomial.polynomial.polyval(l / full, _SHARE)

    here = both(gauss, lorentz)
    by = []
    for g, l, h in ((1e-6, 0, 1e-6 * gauss), (0, 1e-6, 1e-6 * lorentz)):
        there = both(gauss * (1 + g), lorentz * (1 + l))
        by.append(tuple((b - a) / h for a, b in zip(here, there, strict=True)))
    return *here, *by
