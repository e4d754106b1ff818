"""Line profiles over s, and the pattern they make over 2theta."""

from __future__ import annotations

import numpy as np
from scipy import special

from peled.materials import lattice_constant_angstrom
from peled.structure.xrd.crystal import (
    CU_KALPHA_A,
    KALPHA2_RATIO,
    line_strength,
    lines_in,
    same_length,
)

#: Decay of |F|² with s² across one line (form factors and thermal motion), exp(-falloff s²).
FALLOFF_A2 = 4.0
_HERMITE = np.polynomial.hermite_e.hermegauss(5)


def cube_transform(t, edge, directions, relative_sd: float = 0.0):
    """Fourier transform of the size profile of cubes: common volume of a cube and its copy shifted
    by t along a line normal.

    V(t)/V(0) = product over axes of max(0, 1 - |n_i| t/L) (Wilson, X-ray Optics, 1962), averaged
    over a normal distribution of edges by volume with five Gauss-Hermite nodes, and over
    `directions`, the line normals of the family.

    Parameters
    ----------
    t : (n,) array, same unit as `edge`
    directions : (m, 3) array of unit vectors
    """
    nodes, weights = _HERMITE if relative_sd else (np.zeros(1), np.ones(1))
    edges = edge * np.maximum(1 + relative_sd * nodes, 0.05)
    volume = weights * edges**3
    shifted = np.abs(directions)[:, None, :, None] * t / edges[None, :, None, None]
    return (np.prod(np.maximum(0, 1 - shifted), axis=2).mean(axis=0) * volume[:, None]).sum(
        axis=0
    ) / volume.sum()


def streaks(t, edge, s0):
    """Factor to the transform of a line for each axis normal to it: the powder average cuts a
    cube's streaks on a sphere.

    A cube's intensity runs out along its axes as 1/q2; where such a streak stands across a line's
    direction the sphere of radius s meets it at s > s0 only, so the line leans to high angles. With
    sinc2 across, <exp(i pi t q2/s0)> = 1 - sqrt(t/(s0 L2)) exp(-i pi/4)/pi for t << s0 L2 (Fresnel
    integral). Without it a is found 0.02 ångström nm/L too large.

    Parameters
    ----------
    t : ndarray
        Length along the line's normal, of the transform of its profile.
    edge : float
        Of the cube, in the unit of `t`.
    s0 : float
        2 sin θ/λ of the line, in the inverse unit.

    Returns
    -------
    ndarray, complex
    """
    return 1 - np.sqrt(np.maximum(t, 0) / (s0 * edge**2)) * np.exp(-0.25j * np.pi) / np.pi


def _direction(hkl) -> np.ndarray:
    v = np.sort(np.abs(np.array(hkl, float)))[::-1]
    return (v / np.linalg.norm(v))[None, :]


class Profiles:
    """The lines of a pattern as columns of a matrix, for given non-linear parameters."""

    def __init__(
        self,
        x,
        hkls,
        wavelengths,
        radius,
        shape,
        relative_sd,
        thin_film,
    ):
        self.x, self.hkls, self.shape, self.relative_sd = x, hkls, shape, relative_sd
        self.lines = [(wavelengths[0], 1.0)] + (
            [(wavelengths[1], KALPHA2_RATIO)] if len(wavelengths) > 1 else []
        )
        self.norm = sum(weight for _, weight in self.lines)
        self.radius, self.thin_film = radius, thin_film
        self.sums = np.array([sum(i * i for i in hkl) for hkl in hkls], float)
        # A tetragonal distortion splits a family by l2: share of the equivalents with each l2.
        self.splits = []
        for hkl in hkls:
            integer = all(float(i).is_integer() for i in hkl)
            members = (
                [m for f in same_length(tuple(int(i) for i in hkl)) for m in f]
                if integer
                else [hkl]
            )
            l2 = np.array([m[2] ** 2 for m in members], float)
            values, counts = np.unique(l2, return_counts=True)
            self.splits.append(tuple(zip(values, counts / counts.sum(), strict=True)))
        self.directions = [_direction(hkl) for hkl in hkls]
        self.cache: dict = {}

    def matrix(self, a, zero, displacement, size_A, fwhm, tetragonality) -> np.ndarray:
        columns = np.empty((len(self.x), len(self.hkls)))
        # The measured angle, taken back to the Bragg angle.
        true = (
            self.x
            - zero
            + np.degrees(2 * displacement / self.radius) * np.cos(np.radians(self.x) / 2)
        )
        theta = np.radians(true) / 2
        # The mean edge of the distorted cell is kept: (a a c)^(1/3), so that a and c/a stay
        # independent.
        edge = a * (1 + tetragonality) ** (-1 / 3)
        film = 1 / np.maximum(np.sin(theta), 0.02) if self.thin_film else 1.0
        columns[:] = 0
        sines = []
        for wavelength, weight in self.lines:
            s = 2 * np.sin(theta) / wavelength
            sines.append(
                (
                    wavelength,
                    weight / self.norm,
                    s,
                    (1 + np.cos(2 * theta) ** 2)
                    / 2
                    / np.maximum(s, 1e-3)
                    * film
                    * np.exp(-FALLOFF_A2 * s**2),
                )
            )
        for j in range(len(self.hkls)):
            for l2, share in self.splits[j] if tetragonality else ((0.0, 1.0),):
                s0 = (
                    np.sqrt((self.sums[j] - l2) / edge**2 + l2 / (edge * (1 + tetragonality)) ** 2)
                    if tetragonality
                    else np.sqrt(self.sums[j]) / a
                )
                first = self.lines[0][0]
                cosine = np.sqrt(max(1 - (s0 * first / 2) ** 2, 1e-6))
                gauss = np.radians(fwhm) * cosine / first
                reach, scale = self._reach(size_A, gauss), share / s0 * np.exp(FALLOFF_A2 * s0**2)
                for wavelength, weight, s, factor in sines:
                    if s0 * wavelength >= 2:
                        continue
                    near = slice(*np.searchsorted(s, (s0 - reach, s0 + reach)))
                    if near.stop > near.start:
                        away = s[near] - s0
                        # Faded out at its ends: a point that comes in must not be a step.
                        fade = np.minimum(10 * (1 - np.abs(away) / reach), 1.0)
                        columns[near, j] += (
                            weight
                            * scale
                            * factor[near]
                            * fade
                            * self._line(away, size_A, gauss, j, s0)
                        )
        return columns

    def _reach(self, size_A, gauss) -> float:
        return max(5 * gauss, 12 / size_A) if self.shape == "cube" else max(6 * gauss, 40 / size_A)

    def _cube_line(self, size_A, gauss, j, s0):
        """The line of cubes on a fine axis of s - s0, by FFT; kept until its parameters change."""
        # Of s0 the streaks alone depend on it, and hardly: a moved cell keeps its profile.
        key = (j, size_A, round(gauss, 7), round(s0, 5))
        if key not in self.cache:
            if len(self.cache) >= 3 * len(self.hkls):
                self.cache.clear()
            points, n = 81, 4096
            t = np.linspace(
                0, size_A * (1 + 2.9 * self.relative_sd) / self.directions[j].max(), points
            )
            transform = cube_transform(t, size_A, self.directions[j], self.relative_sd) * np.exp(
                -((np.pi * gauss * t) ** 2) / (4 * np.log(2))
            )
            transform = transform * streaks(t, size_A, s0) ** int((self.directions[j] < 1e-9).sum())
            transform[[0, -1]] /= 2  # trapezium rule
            values = np.fft.fftshift(2 * t[1] * np.fft.fft(transform, n).real)
            self.cache[key] = np.fft.fftshift(np.fft.fftfreq(n, t[1])), values
        return self.cache[key]

    def _line(self, ds, size_A, gauss, j, s0):
        """Line of unit area in s."""
        if self.shape == "cube":
            grid, values = self._cube_line(size_A, gauss, j, s0)
            return np.interp(ds, grid, values)
        # Voigt: Gaussian width, and a Lorentzian of integral breadth 1/size.
        return special.voigt_profile(
            ds, max(gauss, 1e-9) / (2 * np.sqrt(2 * np.log(2))), 1 / (np.pi * size_A)
        )


def model_pattern(
    two_theta_deg,
    *,
    edge_nm: float,
    x_br: float,
    displacement_mm: float = 0.0,
) -> np.ndarray:
    """Pattern of a film of cubes with calculated intensities, lattice constant by Vegard, no
    background: to look at, not to fit.

    Parameters
    ----------
    two_theta_deg : array, shape (n,)
    edge_nm : float
        Of the cubes, spread by 13 %.
    x_br : float
        Bromide fraction of the halides.
    displacement_mm : float
        Of the sample's surface.

    Returns
    -------
    ndarray, shape (n,)
        For Cu Kα and a goniometer of 240 mm.

    Raises
    ------
    ValueError
        If `x_br` is not a fraction or the edge not positive.
    """
    instrument_fwhm_deg, relative_sd, radius_mm = 0.08, 0.13, 240.0
    if not edge_nm > 0:
        raise ValueError(f"edge_nm: expected a positive number, found {edge_nm}")
    x, a = np.asarray(two_theta_deg, float), float(lattice_constant_angstrom(x_br))
    hkls = lines_in(a, x, CU_KALPHA_A[0])
    # Calculated intensities vary smoothly with composition: a coarse grid is kept, so that a slider
    # answers at once.
    grid = np.round(x_br, 1)
    profiles = Profiles(x, hkls, CU_KALPHA_A, radius_mm, "cube", relative_sd, True)
    return profiles.matrix(
        a, 0.0, displacement_mm, 10 * edge_nm, instrument_fwhm_deg, 0.0
    ) @ np.array([line_strength(hkl, float(grid)) for hkl in hkls])
