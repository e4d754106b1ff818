"""What a fitted pattern says: phase, change of the lattice, composition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled import separable
from peled.separable import Sought, differences
from peled.structure.xrd.crystal import line_strength
from peled.structure.xrd.pawley import PawleyFit, pawley_fit

#: Lines whose intensities tell the composition.
STRONG_LINES = (
    (1, 0, 0),
    (1, 1, 0),
    (1, 1, 1),
    (2, 0, 0),
    (2, 1, 0),
    (2, 1, 1),
    (2, 2, 0),
)


@dataclass(frozen=True)
class PhaseTest:
    """Cubic against tetragonal.

    `superlattice_ratio` is the (211) line of the tetragonal cell, near 23.4 degrees, over the
    strongest line (integrated intensities); `delta_bic_superlattice` and `delta_bic_split` are
    BIC(cubic) - BIC(with those freedoms): positive speaks for tetragonal, above 10 strongly.
    """

    superlattice_ratio: float
    superlattice_error: float
    delta_bic_superlattice: float
    delta_bic_split: float

    @property
    def verdict(self) -> str:
        """`tetragonal`, `cubic` or `undecided`, at five standard errors or Delta BIC of 10.

        A line that is absent speaks for cubic only when one of 0.08 (as in MAPbI3) would have been
        seen.
        """
        if (
            self.superlattice_ratio > 5 * self.superlattice_error
            and self.superlattice_ratio > 0.01
            and self.delta_bic_superlattice > 10
        ):
            return "tetragonal"
        return (
            "cubic"
            if self.superlattice_ratio + 3 * self.superlattice_error < 0.04
            and self.delta_bic_split < 10
            else "undecided"
        )


def phase_test(two_theta_deg, intensity, sigma=None, **options) -> PhaseTest:
    """Fit a pattern as cubic, with superlattice lines, and with c/a free.

    Parameters
    ----------
    two_theta_deg, intensity : ndarray, shape (n,)
    sigma : ndarray, shape (n,), optional
        Standard errors.
    **options
        For `pawley_fit`; `wavelengths_A` among them.

    Returns
    -------
    PhaseTest
        Differences of BIC are divided by the reduced χ² of the cubic fit: misfit is no evidence.

    References
    ----------
    .. [1] G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136
    """
    cubic = pawley_fit(two_theta_deg, intensity, sigma, **options)
    options = options | {"a_A": cubic.a_A}
    tilted = pawley_fit(two_theta_deg, intensity, sigma, superlattice=True, **options)
    # At c/a = 1 the split is of second order only and the iteration creeps: few steps are enough to
    # see whether it pays.
    split = pawley_fit(
        two_theta_deg, intensity, sigma, tetragonal=True, **options | {"max_evaluations": 8}
    )
    # From intensities over s to integrated intensities over 2theta, as the pattern shows them.
    sums = np.array([sum(i * i for i in hkl) for hkl in tilted.indices])
    theta = np.arcsin(np.sqrt(sums) * options["wavelengths_A"][0] / (2 * tilted.a_A))
    over_angle = (1 + np.cos(2 * theta) ** 2) / (sums * np.cos(theta))
    i = tilted.indices.index((1.5, 0.5, 0.5))
    strongest = (tilted.intensities * over_angle)[: len(cubic.indices)].max()
    value, error = tilted.intensities[i] * over_angle[i], tilted.intensity_errors[i] * over_angle[i]
    # Misfit inflates every chi-square alike; it must not count as evidence.
    scale = max(cubic.chi2_reduced, 1.0)
    return PhaseTest(
        value / strongest,
        error / strongest,
        (cubic.bic - tilted.bic) / scale,
        (cubic.bic - split.bic) / scale,
    )


def lattice_change(first: PawleyFit, second: PawleyFit) -> tuple[float, float]:
    """Difference of two lattice constants of independent fits.

    Parameters
    ----------
    first, second : PawleyFit

    Returns
    -------
    change_A, standard_error_A : float
        Second less first, ångström.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.1, doi:10.59161/JCGM100-2008E
    """
    return second.a_A - first.a_A, float(np.hypot(first.a_error_A, second.a_error_A))


def composition_from_intensities(
    fit: PawleyFit,
    *,
    texture: bool = True,
) -> tuple[float, float, float, float]:
    """Bromide fraction from line intensities, with a March-Dollase texture along <100> [1]_.

    Parameters
    ----------
    fit : PawleyFit
        At Cu Kα, with at least three of `STRONG_LINES`.
    texture : bool
        Whether r is free; 1 otherwise.

    Returns
    -------
    x_br, error, r, r_error
        r = 1 without texture, below 1 for plates lying flat on their cube faces.

    Raises
    ------
    ValueError
        If fewer than three of the lines were fitted.

    References
    ----------
    .. [1] W. A. Dollase, J. Appl. Cryst. 19, 267 (1986), doi:10.1107/S0021889886089458
    """
    use = [hkl for hkl in STRONG_LINES if hkl in fit.indices]
    if len(use) < 3:
        raise ValueError(
            f"composition from intensities: expected at least three of the lines, found {len(use)}"
        )
    measured = np.array([fit.intensity(*hkl) for hkl in use])
    grid = np.linspace(0, 1, 21)
    table = np.array([[line_strength(hkl, x) for hkl in use] for x in grid])

    def columns(p):
        line = np.array([np.interp(p[0], grid, column) for column in table.T])
        return (line * [_march_dollase(hkl, p[1]) for hkl in use])[:, None]

    def fitted(r):
        return separable.fit(
            differences(columns, [1e-3, 1e-3], [True, texture]),
            measured[:, 0],
            {
                "x": Sought(0.5, 0.0, 1.0, 0.2),
                "r": Sought(r, 0.2, 3.0, 0.2, held=not texture),
            },
            ["scale"],
            # 2 %: Debye-Waller factors, absorption
            error=np.hypot(measured[:, 1], 0.02 * measured[:, 0]),
            variance=separable.larger,
        )

    # Plates and needles each have a minimum of their own.
    found = min(map(fitted, (0.8, 1.25) if texture else (1.0,)), key=lambda f: f.chi2)
    x, r = found.values.tolist()
    return x, float(found.errors[0]), r, float(found.errors[1]) if texture else 0.0


def _march_dollase(hkl: tuple, r: float) -> float:
    v = np.abs(np.array(hkl, float)) / np.linalg.norm(hkl)
    cos2 = v**2
    return float(np.mean((r**2 * cos2 + (1 - cos2) / r) ** -1.5))
