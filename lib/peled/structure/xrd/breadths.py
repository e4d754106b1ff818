"""Widths of single lines: sizes after Scherrer, size and strain after Williamson and Hall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled import separable
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import Estimates, from_normal
from peled.separable import Sought, differences
from peled.structure.xrd.crystal import KALPHA2_RATIO, two_theta
from peled.structure.xrd.pawley import PawleyFit, misfit, of_source
from peled.structure.xrd.phases import widths

_CLEAR = 20.0  #: times its error that a line must have to have a width of its own


@dataclass(frozen=True)
class Breadth:
    """One line: indices, angle (degrees), integral breadth beyond the instrument with error."""

    hkl: tuple
    two_theta_deg: float
    breadth_deg: float
    error_deg: float

    def size_nm(self, wavelength_A: float) -> tuple[float, float]:
        """Volume-weighted column length λ/(β cos θ) [1]_, and its error.

        Parameters
        ----------
        wavelength_A : float

        Returns
        -------
        size_nm, standard_error_nm : float

        References
        ----------
        .. [1] J. I. Langford, A. J. C. Wilson, J. Appl. Cryst. 11, 102 (1978),
           doi:10.1107/S0021889878012844
        """
        beta = np.radians(self.breadth_deg)
        size = 0.1 * wavelength_A / (beta * np.cos(np.radians(self.two_theta_deg / 2)))
        return float(size), float(size * self.error_deg / self.breadth_deg)


def breadths(fit: PawleyFit, wavelengths_A: Sequence[float], fwhm_deg: float) -> list[Breadth]:
    """Of each strong line that no other overlaps; Lorentzian beside a Gaussian instrument.

    Parameters
    ----------
    fit : PawleyFit
        Says where the lines are, and what else the pattern holds.
    wavelengths_A : sequence of float
    fwhm_deg : float
        Width of the instrument's lines.

    Returns
    -------
    list of Breadth

    References
    ----------
    .. [1] T. H. de Keijser et al., J. Appl. Crystallogr. 15, 308 (1982),
           doi:10.1107/S0021889882012035
    """
    x, at = fit.two_theta_deg, two_theta(fit.a_A, np.array(fit.indices), wavelengths_A[0])
    step = float(np.median(np.diff(x)))
    wide = np.degrees(0.0637 * wavelengths_A[0] / fit.size_nm / np.cos(np.radians(at / 2)))
    wide = np.maximum(np.hypot(wide, fwhm_deg), 3 * step)
    found = []
    for i, hkl in enumerate(fit.indices):
        clear = fit.intensities[i] > _CLEAR * fit.intensity_errors[i]
        if not clear or np.abs(np.delete(at, i) - at[i]).min(initial=np.inf) < 4 * wide[i]:
            continue
        near = np.abs(x - at[i]) < 6 * wide[i]
        if near.sum() > 12:
            rest = fit.observed - (fit.model - fit.background - fit.lines[:, i])
            found += _breadth(
                x[near], rest[near], fit.sigma[near], hkl, at[i], wide[i], wavelengths_A, fwhm_deg
            )
    return found


def _breadth(x, y, sigma, hkl, at, wide, wavelengths, fwhm) -> list[Breadth]:
    """Of a line that stands alone, in a list that is empty where it has none."""
    ground = np.column_stack([np.ones_like(x), (x - at) / wide])
    split = [
        (2 * np.degrees(np.arcsin(np.sin(np.radians(at / 2)) * w / wavelengths[0])) - at, share)
        for w, share in zip(wavelengths, (1.0, KALPHA2_RATIO))
    ]

    def columns(p):
        full, mixing, *_ = widths(fwhm, np.array([p[1]]))
        line = sum(
            share * pseudo_voigt(x, p[0] + off, full, mixing, False)[0] for off, share in split
        )
        return np.column_stack([line, ground])

    one = separable.fit(
        differences(columns, [1e-4 * wide, 1e-4 * wide]),
        y,
        {
            "centre": Sought(at, at - 2 * wide, at + 2 * wide, 0.1 * wide, unit="°"),
            "lorentz": Sought(wide, 1e-3 * wide, 20 * wide, 0.3, log=True, unit="°"),
        },
        ["area", "offset", "slope"],
        error=sigma,
        variance=misfit(y, sigma),
        covariance_of=lambda j: of_source(j, one, y, sigma),
    )
    value, error = np.pi / 2 * one.values[1], np.pi / 2 * one.errors[1]
    if not one.estimates.converged or not np.isfinite(error):
        return []
    return [Breadth(tuple(hkl), float(one.values[0]), float(value), float(error))]


def williamson_hall(lines: Sequence[Breadth], wavelength_A: float) -> Estimates:
    """Size (nm) and strain (%) from the breadths of several lines.

    β cos θ = λ/L + 4 ε sin θ [1]_, weighted; errors grow with the scatter about the line.

    Parameters
    ----------
    lines : sequence of Breadth
        Integral breadths of single lines.
    wavelength_A : float

    Returns
    -------
    Estimates
        Inverse size (1/nm) and strain (%).

    Raises
    ------
    ValueError
        For fewer than three lines.

    References
    ----------
    .. [1] G. K. Williamson, W. H. Hall, Acta Metall. 1, 22 (1953),
       doi:10.1016/0001-6160(53)90006-6
    """
    if len(lines) < 3:
        raise ValueError(f"Williamson-Hall: expected three single lines, found {len(lines)}")
    theta = np.radians([b.two_theta_deg / 2 for b in lines])
    y = np.radians([b.breadth_deg for b in lines]) * np.cos(theta)
    error = np.radians([b.error_deg for b in lines]) * np.cos(theta)
    design = np.column_stack([np.full_like(theta, 0.1 * wavelength_A), 0.04 * np.sin(theta)])
    normal = (design / error[:, None] ** 2).T @ design
    values = np.linalg.solve(normal, (design / error[:, None] ** 2).T @ y)
    misfit = float(np.sum(((y - design @ values) / error) ** 2) / (len(y) - 2))
    return from_normal(
        ("inverse size", "strain"), values, ("1/nm", "%"), normal, variance=max(misfit, 1.0)
    )
