"""What the yield's dependence on excitation says about traps, and what it cannot say.

Steady state of free electrons n, filled traps n_t and holes p = n + n_t under a generation rate G:

    capture   k_c n (N_t − n_t) = k_d n_t p            (Shockley-Read-Hall with filling)
    balance   G = k_c n (N_t − n_t) + B n p + C n p²
    yield     B n p / G

with B the rate of photons that leave (recycling lowers it below the internal one). Given n, all
else is algebra, so the yield as a function of G is parametrised by n: no root finding. See J. M.
Richter et al., Nat. Commun. 7 (2016) 13941.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from peled.quantities import fit_lmfit

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

H_C = 1.98644586e-25  # J m
PARAMETERS = ("capture_rate_s", "traps_cm3", "auger_cm6_s")
_LIMITS = np.log([1e1, 1e10, 1e-34]), np.log([1e12, 1e22, 1e-20])  # capture rate, traps, Auger
_LOG_N = np.linspace(np.log(1e7), np.log(1e20), 520)


@dataclass(frozen=True)
class Recombination:
    """Fit of a yield series; values and errors in natural logarithms beside the plain values.

    Attributes
    ----------
    values : dict of str to float
        `PARAMETERS`, of which `capture_rate_s` = k_c N_t is the rate by which empty traps take a
        carrier, and `capture_cm3_s` = k_c.
    log_errors : dict of str to float
        Relative standard errors from the curvature; infinite where the data do not determine the
        parameter.
    profiles : dict of str to (ndarray, ndarray)
        Value and Δχ² of the profile likelihood; below 3.84 is the 95 % interval.
    intervals : dict of str to (float, float)
        95 % profile intervals; an end that the scan does not reach is 0 or inf.
    chi2, dof : float, int
    converged : bool
    fixed : dict
        What was held.
    result : lmfit.minimizer.MinimizerResult
        Of the natural logarithms, for `lmfit.fit_report`.
    """

    values: dict
    log_errors: dict
    profiles: dict = field(repr=False)
    intervals: dict
    chi2: float
    dof: int
    converged: bool
    fixed: dict
    result: MinimizerResult = field(repr=False)

    def determined(self, name: str) -> bool:
        """Whether both ends of the 95 % interval lie inside the scan.

        Parameters
        ----------
        name : str

        Returns
        -------
        bool
        """
        low, high = self.intervals[name]
        return low > 0 and np.isfinite(high)


def yield_of_generation(
    generation_cm3_s: np.ndarray,
    capture: float,
    traps: float,
    auger: float,
    *,
    radiative: float,
    detrap: float,
    first: float = 0.0,
    doping: float = 0.0,
) -> np.ndarray:
    """Yield (n,) at generation rates (n,) in cm⁻³ s⁻¹.

    Parameters
    ----------
    generation_cm3_s : ndarray, shape (n,)
    capture : float
        k_c, cm³ s⁻¹.
    traps : float
        N_t, cm⁻³.
    auger : float
        C, cm⁶ s⁻¹.
    radiative : float
        B, cm³ s⁻¹, photons that leave.
    detrap : float
        k_d, cm³ s⁻¹, a hole meets a filled trap.
    first : float
        s⁻¹, losses that never fill.
    doping : float
        cm⁻³, holes without light.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] J. M. Richter et al., Nat. Commun. 7, 13941 (2016), doi:10.1038/ncomms13941
    """
    n = np.exp(_LOG_N)
    filled = np.zeros_like(n)
    if capture > 0 and traps > 0:
        b = n * (capture + detrap) + detrap * doping
        filled = 2 * capture * n * traps / (b + np.sqrt(b * b + 4 * detrap * capture * n * traps))
    p = n + filled + doping
    light = radiative * n * p
    total = first * n + capture * n * (traps - filled) + light + auger * n * p * p
    return np.exp(np.interp(np.log(generation_cm3_s), np.log(total), np.log(light / total)))


def fit_recombination(
    generation_cm3_s: np.ndarray,
    plqy: np.ndarray,
    covariance: np.ndarray,
    *,
    radiative: float,
    detrap: float,
    scan: int = 17,
) -> Recombination:
    """Fit trap capture, trap density and Auger coefficient to a yield series, and profile each.

    `radiative` and `detrap` are held: a yield in steady state is a ratio and cannot set the clock.
    The yields enter with their full covariance.

    Parameters
    ----------
    generation_cm3_s, plqy : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
    radiative, detrap : float
        cm³ s⁻¹, see `yield_of_generation`.
    scan : int
        Points of each profile.

    Returns
    -------
    Recombination

    Raises
    ------
    ValueError
        Fewer points than parameters, generation not positive, covariance not positive definite.

    References
    ----------
    .. [1] J. M. Richter et al., Nat. Commun. 7, 13941 (2016), doi:10.1038/ncomms13941
    """
    import lmfit

    g, y = np.asarray(generation_cm3_s, dtype=float), np.asarray(plqy, dtype=float)
    if g.size < 4 or g.shape != y.shape or np.any(g <= 0):
        raise ValueError(
            "yield series: expected at least 4 positive excitation levels with one yield each, "
            f"found {g.size} and {y.size}"
        )
    try:
        root = np.linalg.inv(np.linalg.cholesky(np.asarray(covariance, dtype=float)))
    except np.linalg.LinAlgError:
        raise ValueError(
            "covariance: expected a positive definite matrix, found one that is not"
        ) from None

    def residual(p):
        rate, traps, auger = (np.exp(p[name].value) for name in PARAMETERS)
        return root @ (
            yield_of_generation(g, rate / traps, traps, auger, radiative=radiative, detrap=detrap)
            - y
        )

    peak = min(max(float(np.max(y)), 1e-3), 0.98)
    rate = np.sqrt(radiative * np.sqrt(g.min() * g.max())) * (1 - peak)
    starts = []
    for density in (3e14, 3e15, 3e16, 3e17):
        start = lmfit.Parameters()
        for name, value, *ends in zip(PARAMETERS, (rate, density, radiative / 1e18), *_LIMITS):
            start.add(name, np.log(value), min=ends[0], max=ends[1])
        starts.append(start)
    best, estimates = fit_lmfit(residual, starts, {}, least_noise=1.0)
    covariance, errors, at = estimates.covariance, estimates.errors, estimates.values
    profiles, intervals = {}, {}
    for k, name in enumerate(PARAMETERS):
        reach = min(max(4 * errors[k], 0.3), 7.0)
        grid = at[k] + np.linspace(-reach, reach, scan | 1)
        delta = np.empty(grid.size)
        middle = grid.size // 2
        for side in (range(middle, grid.size), range(middle, -1, -1)):
            near = best.params
            for i in side:
                near = near.copy()
                near[name].set(grid[i], vary=False, min=-np.inf, max=np.inf)
                found = lmfit.minimize(residual, near, method="least_squares", max_nfev=400)
                near, delta[i] = found.params, max(found.chisqr - best.chisqr, 0.0)
        profiles[name] = (np.exp(grid), delta)
        intervals[name] = _crossings(grid, delta, middle)
    rate, traps, auger = np.exp(at)
    values = {
        "capture_rate_s": rate,
        "traps_cm3": traps,
        "auger_cm6_s": auger,
        "capture_cm3_s": rate / traps,
    }
    relative = dict(zip(PARAMETERS, errors.tolist(), strict=True))
    of_ratio = errors[0] ** 2 + errors[1] ** 2 - 2 * covariance[0, 1]
    relative["capture_cm3_s"] = float(np.sqrt(max(of_ratio, 0)))
    return Recombination(
        values,
        relative,
        profiles,
        intervals,
        float(best.chisqr),
        int(g.size - 3),
        bool(best.success),
        {"radiative": radiative, "detrap": detrap},
        best,
    )


def _crossings(grid: np.ndarray, delta: np.ndarray, middle: int) -> tuple[float, float]:
    """Where Δχ² passes 3.84 on either side, its root interpolated; 0 or inf where it does not."""
    high = next((i for i in range(middle, grid.size) if delta[i] > 3.84), None)
    low = next((i for i in range(middle, -1, -1) if delta[i] > 3.84), None)

    def cross(i, j):
        near, far = np.sqrt(delta[[j, i]])
        return float(np.exp(grid[j] + (grid[i] - grid[j]) * (3.84**0.5 - near) / (far - near)))

    return (0.0 if low is None else cross(low, low + 1)), (
        np.inf if high is None else cross(high, high - 1)
    )


def generation_rate(
    intensity_mW_cm2: np.ndarray, absorptance: float, thickness_nm: float, excitation_nm: float
) -> np.ndarray:
    """Carriers made per volume and time, cm⁻³ s⁻¹, from the intensity of a continuous laser.

    Parameters
    ----------
    intensity_mW_cm2 : ndarray
    absorptance : float
        Absorbed fraction.
    thickness_nm, excitation_nm : float

    Returns
    -------
    ndarray

    References
    ----------
    .. [1] M. B. Johnston and L. M. Herz, Acc. Chem. Res. 49, 146 (2016),
           doi:10.1021/acs.accounts.5b00411
    """
    photon_J = H_C / (excitation_nm * 1e-9)
    return (
        np.asarray(intensity_mW_cm2, dtype=float)
        * 1e-3
        / photon_J
        * absorptance
        / (thickness_nm * 1e-7)
    )


def excitons_per_crystal(
    intensity_mW_cm2: np.ndarray,
    *,
    cross_section_cm2: float,
    lifetime_ns: float,
    excitation_nm: float,
) -> np.ndarray:
    """Mean number of excitons in one crystal under continuous light.

    Parameters
    ----------
    intensity_mW_cm2 : ndarray
    cross_section_cm2 : float
        Of one crystal, at the excitation.
    lifetime_ns : float
    excitation_nm : float

    Returns
    -------
    ndarray
        σ I τ λ/(hc), below saturation.

    References
    ----------
    .. [1] V. I. Klimov et al., Science 287, 1011 (2000), doi:10.1126/science.287.5455.1011

    Examples
    --------
    >>> known = {"cross_section_cm2": 2e-14, "lifetime_ns": 20.0, "excitation_nm": 405.0}
    >>> float(excitons_per_crystal(100.0, **known).round(4))
    0.0001
    """
    photon_J = H_C / (excitation_nm * 1e-9)
    return (
        np.asarray(intensity_mW_cm2, dtype=float)
        * 1e-3
        / photon_J
        * cross_section_cm2
        * lifetime_ns
        * 1e-9
    )
