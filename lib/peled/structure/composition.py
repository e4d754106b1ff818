"""One bromide fraction from several methods, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from peled.materials import (
    HC_EV_NM,
    bromide_fraction_of_gap,
    bulk_gap_eV,
    bulk_gap_slope_eV,
)


@dataclass(frozen=True)
class JointComposition:
    """Weighted mean of bromide fractions with the tension between them.

    `chi2`, `p_value` test that all estimate one number; `error` is enlarged by sqrt(chi2/(n-1))
    where they do not (Birge); `pulls` is each estimate's distance from the mean of the others, in
    standard errors; `estimates` as given.
    """

    x_br: float
    error: float
    chi2: float
    p_value: float
    pulls: dict[str, float]
    estimates: dict[str, tuple[float, float]] = field(repr=False, default_factory=dict)

    @property
    def tension_sigma(self) -> float:
        """The p-value as a number of standard deviations of a normal variable."""
        return float(stats.norm.isf(max(self.p_value, 1e-300) / 2))


def joint_composition(estimates: Mapping[str, tuple[float, float]]) -> JointComposition:
    """Combine independent estimates.

    Parameters
    ----------
    estimates : mapping of str to (float, float)
        By method: value and standard error.

    Returns
    -------
    JointComposition
        The mean weighted by 1/σ², its error widened by the Birge ratio [1]_ where above 1, and how
        far each method lies from the others.

    Raises
    ------
    ValueError
        For fewer than two estimates or errors that are not positive.

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207

    Examples
    --------
    >>> found = joint_composition({"XRD": (0.60, 0.01), "XPS": (0.62, 0.02)})
    >>> round(found.x_br, 3)
    0.604
    """
    values, errors = (
        np.array(list(estimates.values()), float).T if estimates else (np.empty(0), np.empty(0))
    )
    if len(values) < 2 or not (errors > 0).all():
        raise ValueError(
            "joint composition: expected at least two estimates with positive errors, found "
            f"{dict(estimates)}"
        )
    w = errors**-2.0
    mean = float(w @ values / w.sum())
    chi2 = float(w @ (values - mean) ** 2)
    pulls = {}
    for i, name in enumerate(estimates):
        others = np.delete(np.arange(len(values)), i)
        rest = w[others] @ values[others] / w[others].sum()
        pulls[name] = float((values[i] - rest) / np.hypot(errors[i], w[others].sum() ** -0.5))
    return JointComposition(
        mean,
        float(w.sum() ** -0.5 * max(1.0, np.sqrt(chi2 / (len(values) - 1)))),
        chi2,
        float(stats.chi2.sf(chi2, len(values) - 1)),
        pulls,
        dict(estimates),
    )


def composition_from_gap(
    wavelength_nm: float,
    error_nm: float = 1.0,
    confinement_eV: float = 0.0,
    confinement_error_eV: float = 0.0,
) -> tuple[float, float]:
    """Bromide fraction whose bulk gap, plus a confinement energy, emits at a wavelength.

    Parameters
    ----------
    wavelength_nm, error_nm : float
    confinement_eV, confinement_error_eV : float

    Returns
    -------
    x_br, standard_error : float

    Raises
    ------
    ValueError
        If no fraction between -0.2 and 1.2 does.
    """
    energy = HC_EV_NM / wavelength_nm - confinement_eV
    low, high = bulk_gap_eV(-0.2), bulk_gap_eV(1.2)
    if not low < energy < high:
        raise ValueError(
            f"gap: expected an emission between {HC_EV_NM / high:.4g} and "
            f"{HC_EV_NM / low:.4g} nm, found {wavelength_nm:.4g} nm"
        )
    x = float(bromide_fraction_of_gap(energy))
    error = np.hypot(HC_EV_NM / wavelength_nm**2 * error_nm, confinement_error_eV)
    return x, float(error / bulk_gap_slope_eV(x))


def wavelength_slope_nm(x_br):
    """Change of the bulk's wavelength with composition, -dλ/dx.

    Parameters
    ----------
    x_br : float or ndarray

    Returns
    -------
    float or ndarray
        nm per unit of the bromide fraction.
    """
    return HC_EV_NM / bulk_gap_eV(x_br) ** 2 * bulk_gap_slope_eV(x_br)
