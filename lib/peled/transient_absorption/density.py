"""Lifetime-density map: no number of components is chosen, every lifetime on a grid may contribute, and roughness is penalised.

Minimises |D − C·X|² + λ²|L·X|² per wavelength, C the decays of a grid of lifetimes through the response, L the identity or
the second difference over ln τ (Slavov, Hartmann, Wachtveitl, Anal. Chem. 87, 2328 (2015), DOI 10.1021/ac504348h). λ by
generalised cross-validation (Golub, Heath, Wahba, Technometrics 21, 215 (1979)), by the corner of the L curve, or so that the
residual is as large as the noise (discrepancy principle), which is the safest where the noise is known: cross-validation follows every trace of structure in
very good data, the L curve may have a corner far from either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled.transient_absorption.irf import FWHM_PER_SIGMA, columns
from peled.transient_absorption.preprocess import Matrix


@dataclass(frozen=True)
class LifetimeDensity:
    """Amplitude per grid lifetime, shape (lifetimes, nw), in the unit of the signal; and the curves that chose `strength`.

    `strengths`, `residual_norms`, `solution_norms`, `gcv` belong together.
    """

    lifetimes_ps: np.ndarray
    wavelength_nm: np.ndarray
    density: np.ndarray
    strength: float
    chosen_by: str
    strengths: np.ndarray
    residual_norms: np.ndarray
    solution_norms: np.ndarray
    gcv: np.ndarray

    def peaks(self, *, least: float = 0.1) -> np.ndarray:
        """Lifetimes at which the density, as root mean square over wavelengths, has a maximum of at least `least` times the highest."""
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
    t0_of=None,
) -> LifetimeDensity:
    """The lifetime-density map of one matrix.

    Parameters
    ----------
    m : Matrix
        Without chirp (corrected), without missing points.
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

    Raises
    ------
    ValueError
        For missing points or an unknown choice.
    """
    if not np.all(np.isfinite(m.signal)):
        raise ValueError(
            f"{m.name}: lifetime density: expected no missing points; mask whole wavelengths or delays first"
        )
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
    d = m.signal
    n = len(tau)
    if c.shape[1] > n:
        q, _ = np.linalg.qr(c[:, n:])
        d, c = d - q @ (q.T @ d), c[:, :n] - q @ (q.T @ c[:, :n])
        free = len(d) - q.shape[1]
    else:
        free = len(d)
    # An invertible L makes the problem that of the identity: second differences, pinned to zero beyond both ends of the grid.
    back = np.eye(n)
    if penalty == "second difference":
        back = np.linalg.inv(2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1))
    left, s, right = np.linalg.svd(c @ back, full_matrices=False)
    beta = left.T @ d
    weight = np.sum(beta**2, axis=1)
    outside = max(float(np.sum(d**2) - np.sum(weight)), 0.0)
    strengths = np.geomspace(max(s[-1], 1e-8 * s[0]), s[0], 120)
    keep = s[None, :] ** 2 / (s[None, :] ** 2 + strengths[:, None] ** 2)
    residual = np.sqrt(((1 - keep) ** 2) @ weight + outside)
    solution = np.sqrt((keep / s) ** 2 @ weight)
    gcv = residual**2 / (free - keep.sum(1)) ** 2
    if strength == "gcv":
        chosen = float(strengths[np.argmin(gcv)])
    elif strength == "lcurve":
        chosen = float(strengths[_corner(np.log(residual), np.log(solution))])
    elif strength == "discrepancy":
        if noise is None or not noise > 0:
            raise ValueError(f"strength 'discrepancy': expected the noise, found {noise!r}")
        allowed = residual <= noise * np.sqrt(free * d.shape[1])
        chosen = float(strengths[allowed].max()) if allowed.any() else float(strengths[0])
    elif isinstance(strength, str):
        raise ValueError(
            f"strength: expected a number, 'gcv', 'lcurve' or 'discrepancy', found {strength!r}"
        )
    else:
        chosen = float(strength)
    x = back @ (right.T @ ((s / (s**2 + chosen**2))[:, None] * beta))
    return LifetimeDensity(
        tau,
        m.wavelength_nm,
        x,
        chosen,
        strength if isinstance(strength, str) else "given",
        strengths,
        residual,
        solution,
        gcv,
    )


def _corner(x, y) -> int:
    """Index of the largest curvature of the L curve."""
    dx, dy = np.gradient(x), np.gradient(y)
    ddx, ddy = np.gradient(dx), np.gradient(dy)
    curvature = (dx * ddy - dy * ddx) / np.maximum((dx**2 + dy**2) ** 1.5, 1e-300)
    return int(np.argmax(np.abs(curvature[3:-3]))) + 3
