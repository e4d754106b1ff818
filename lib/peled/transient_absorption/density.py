"""Lifetime-density map: no number of components is chosen, every lifetime on a grid may contribute,
and roughness is penalised.

Minimises |D − C·X|² + λ²|L·X|² per wavelength, C the decays of a grid of lifetimes through the
response, L the identity or the second difference over ln τ (Slavov, Hartmann, Wachtveitl, Anal.
Chem. 87, 2328 (2015), DOI 10.1021/ac504348h). λ by generalised cross-validation (Golub, Heath,
Wahba, Technometrics 21, 215 (1979)), by the corner of the L curve, or so that the residual is as
large as the noise (discrepancy principle), which is the safest where the noise is known:
cross-validation follows every trace of structure in very good data, the L curve may have a corner
far from either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled.transient_absorption.irf import FWHM_PER_SIGMA, columns
from peled.transient_absorption.matrices import Matrix, filled


@dataclass(frozen=True)
class LifetimeDensity:
    """Amplitude per grid lifetime, shape (lifetimes, nw), in the unit of the signal; and the curves
    that chose `strength`.

    `strengths`, `residual_norms`, `solution_norms` belong together.
    """

    lifetimes_ps: np.ndarray
    wavelength_nm: np.ndarray
    density: np.ndarray
    strength: float
    chosen_by: str
    strengths: np.ndarray
    residual_norms: np.ndarray
    solution_norms: np.ndarray

    def peaks(self, *, least: float = 0.1) -> np.ndarray:
        """Lifetimes at which the density, as root mean square over wavelengths, has a maximum.

        Parameters
        ----------
        least : float
            Height that counts, as a share of the highest.

        Returns
        -------
        ndarray
            ps, ascending.
        """
        y = np.sqrt(np.mean(self.density**2, axis=1))
        inner = (
            np.flatnonzero((y[1:-1] >= y[:-2]) & (y[1:-1] > y[2:]) & (y[1:-1] > least * y.max()))
            + 1
        )
        return self.lifetimes_ps[inner]


def lifetime_density(
    m: Matrix,
    *,
    t0_ps: float,
    fwhm_ps: float,
    lifetimes_ps=None,
    strength: float | str = "gcv",
    noise: float | None = None,
    penalty: str = "second difference",
    offset: bool = False,
    artefact: int = 0,
) -> LifetimeDensity:
    """The lifetime-density map of one matrix.

    Parameters
    ----------
    m : Matrix
        Without chirp (corrected). Missing points do not count: they are filled with the fit until
        it no longer changes.
    t0_ps, fwhm_ps : float
        Of the Gaussian response.
    lifetimes_ps : array, optional
        Grid; 80 values from half the response to three times the longest delay by default.
    strength : float, "gcv", "lcurve" or "discrepancy"
    noise : float, optional
        Standard deviation of the noise, for "discrepancy".
    penalty : "second difference" or "identity"
    offset, artefact
        Unpenalised columns, projected out first.

    Returns
    -------
    LifetimeDensity

    Raises
    ------
    ValueError
        For an unknown choice.

    References
    ----------
    .. [1] C. Slavov, H. Hartmann, J. Wachtveitl, Anal. Chem. 87, 2328 (2015), doi:10.1021/ac504348h
    """
    if penalty not in ("second difference", "identity"):
        raise ValueError(f"penalty: expected 'second difference' or 'identity', found {penalty!r}")
    tau = (
        np.geomspace(0.5 * fwhm_ps, 3 * m.delay_ps[-1], 80)
        if lifetimes_ps is None
        else np.asarray(lifetimes_ps, float)
    )
    c = columns(
        m.delay_ps - t0_ps,
        1 / tau,
        fwhm_ps / FWHM_PER_SIGMA,
        offset=offset,
        artefact=artefact,
        derivatives=False,
    )[0]
    present = np.isfinite(m.signal)
    d, n = filled(m.delay_ps, m.signal), len(tau)
    q, _ = np.linalg.qr(c[:, n:])  # empty where there is nothing unpenalised
    c = c[:, :n] - q @ (q.T @ c[:, :n])
    # An invertible L makes the problem that of the identity: second differences, pinned to zero
    # beyond both ends of the grid.
    back = np.eye(n)
    if penalty == "second difference":
        back = np.linalg.inv(2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1))
    left, s, right = np.linalg.svd(c @ back, full_matrices=False)
    curves = _curves(left, s, d - q @ (q.T @ d), len(d) - q.shape[1])
    chosen = _chosen(strength, noise, curves, (len(d) - q.shape[1]) * d.shape[1])
    gain = s / (s**2 + chosen**2)
    _fill(d, present, lambda y: q @ (q.T @ y) + left @ ((gain * s)[:, None] * (left.T @ y)))
    return LifetimeDensity(
        tau,
        m.wavelength_nm,
        back @ (right.T @ (gain[:, None] * (left.T @ d))),
        chosen,
        strength if isinstance(strength, str) else "given",
        *curves[:3],
    )


def _curves(left, s, d, free: int):
    """Strengths, norms of residual and solution, and the cross-validation score."""
    weight = np.sum((left.T @ d) ** 2, axis=1)
    outside = max(float(np.sum(d**2) - np.sum(weight)), 0.0)
    strengths = np.geomspace(max(s[-1], 1e-8 * s[0]), s[0], 120)
    keep = s[None, :] ** 2 / (s[None, :] ** 2 + strengths[:, None] ** 2)
    residual = np.sqrt(((1 - keep) ** 2) @ weight + outside)
    solution = np.sqrt((keep / s) ** 2 @ weight)
    return strengths, residual, solution, residual**2 / (free - keep.sum(1)) ** 2


def _chosen(strength, noise, curves, points: int) -> float:
    strengths, residual, solution, gcv = curves
    if strength == "gcv":
        return float(strengths[np.argmin(gcv)])
    if strength == "lcurve":
        return float(strengths[_corner(np.log(residual), np.log(solution))])
    if strength == "discrepancy":
        if noise is None or not noise > 0:
            raise ValueError(f"strength 'discrepancy': expected the noise, found {noise!r}")
        allowed = residual <= noise * np.sqrt(points)
        return float(strengths[allowed].max()) if allowed.any() else float(strengths[0])
    if isinstance(strength, str):
        raise ValueError(
            f"strength: expected a number, 'gcv', 'lcurve' or 'discrepancy', found {strength!r}"
        )
    return float(strength)


def _fill(d, present, fit) -> None:
    """Missing points take the fit's values until these no longer change: least squares over the
    points that are there."""
    if present.all():
        return
    some = ~present.all(axis=0)
    part, missing = d[:, some], ~present[:, some]
    scale = float(np.abs(part).max())
    for _ in range(500):
        new = np.where(missing, fit(part), part)
        moved, part = float(np.abs(new - part).max()), new
        if moved < 1e-9 * scale:
            break
    d[:, some] = part


def _corner(x, y) -> int:
    """Index of the largest curvature of the L curve."""
    dx, dy = np.gradient(x), np.gradient(y)
    ddx, ddy = np.gradient(dx), np.gradient(dy)
    curvature = (dx * ddy - dy * ddx) / np.maximum((dx**2 + dy**2) ** 1.5, 1e-300)
    return int(np.argmax(np.abs(curvature[3:-3]))) + 3
