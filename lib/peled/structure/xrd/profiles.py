"""Line profiles over s, and the pattern they make over 2theta."""

from __future__ import annotations

import numpy as np
from scipy import special

from peled.lineshapes.bands import SIGMA_PER_FWHM
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
    edge : float
        Mean.
    directions : (m, 3) array of unit vectors
    relative_sd : float
        Standard deviation of the edges over their mean.

    Returns
    -------
    ndarray, shape (n,)
        1 at t = 0.

    References
    ----------
    .. [1] J. I. Langford and A. J. C. Wilson, J. Appl. Cryst. 11, 102 (1978),
           doi:10.1107/S0021889878012844
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
        self.x, self.shape = x, shape
        weights = (1.0, KALPHA2_RATIO)[: len(wavelengths)]
        self.lines = [(w, k / sum(weights)) for w, k in zip(wavelengths, weights, strict=False)]
        self.radius, self.thin_film = radius, thin_film
        self.sums = np.array([sum(i * i for i in hkl) for hkl in hkls], float)
        self.families = len(hkls)
        # A tetragonal distortion splits a family by l2: share of the equivalents with each l2.
        splits = []
        for j, hkl in enumerate(hkls):
            integer = all(float(i).is_integer() for i in hkl)
            members = (
                [m for f in same_length(tuple(int(i) for i in hkl)) for m in f]
                if integer
                else [hkl]
            )
            values, counts = np.unique([m[2] ** 2 for m in members], return_counts=True)
            splits += [(j, l2, count / len(members)) for l2, count in zip(values, counts)]
        self.whole = np.arange(len(hkls)), np.zeros(len(hkls)), np.ones(len(hkls))
        family, *others = np.array(splits, float).T
        self.splits = (family.astype(int), *others)
        if shape == "cube":
            self._shape_transforms([_direction(hkl) for hkl in hkls], relative_sd)

    def _shape_transforms(self, directions, relative_sd) -> None:
        """What of the cubes' lines depends on nothing that is fitted: over t in units of the edge,
        the transform of the size profile and the number of streaks across."""
        reach = [(1 + 2.9 * relative_sd) / n.max() for n in directions]
        self.t = np.linspace(0, reach, 81).T
        self.volume = np.array(
            [cube_transform(t, 1.0, n, relative_sd) for t, n in zip(self.t, directions)]
        )
        self.volume[:, -1] /= 2  # trapezium rule
        self.across = np.array([(n < 1e-9).sum() for n in directions])[:, None]

    def matrix(self, a, zero, displacement, size_A, fwhm, tetragonality) -> np.ndarray:
        """Lines of all families over 2θ, one a column, for a `line_strength` of 1.

        Parameters
        ----------
        a : float
            Lattice constant, of the cube of the cell's volume if it is tetragonal; ångström.
        zero : float
            Of 2θ, degrees.
        displacement : float
            Height of the specimen, mm; above 0 the lines move to low angles.
        size_A : float
            Of the crystals, ångström.
        fwhm : float
            Full width of the instrument's Gaussian, degrees of 2θ.
        tetragonality : float
            c/a − 1.

        Returns
        -------
        ndarray, shape (n, families)
        """
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
        family, l2, share = self.splits if tetragonality else self.whole
        s0 = np.sqrt((self.sums[family] - l2) / edge**2 + l2 / (edge * (1 + tetragonality)) ** 2)
        first = self.lines[0][0]
        gauss = np.radians(fwhm) * np.sqrt(np.maximum(1 - (s0 * first / 2) ** 2, 1e-6)) / first
        cube = self.shape == "cube"
        reach = np.maximum(5 * gauss, 12 / size_A) if cube else np.maximum(6 * gauss, 40 / size_A)
        line = (self._cubes if cube else self._voigts)(size_A, gauss, s0, family)
        scale = share / s0 * np.exp(FALLOFF_A2 * s0**2)
        film = 1 / np.maximum(np.sin(theta), 0.02) if self.thin_film else 1.0
        tilt = (1 + np.cos(2 * theta) ** 2) / 2 * film
        columns = np.zeros(len(self.x) * self.families)
        for wavelength, weight in self.lines:
            s = 2 * np.sin(theta) / wavelength
            factor = weight * tilt / np.maximum(s, 1e-3) * np.exp(-FALLOFF_A2 * s**2)
            begin, end = np.searchsorted(s, s0 - reach), np.searchsorted(s, s0 + reach)
            count = np.where(s0 * wavelength < 2, end - begin, 0)
            which = np.repeat(np.arange(len(s0)), count)
            near = np.arange(len(which)) + np.repeat(begin - np.cumsum(count) + count, count)
            away = s[near] - s0[which]
            # Faded out at its ends: a point that comes in must not be a step.
            fade = np.minimum(10 * (1 - np.abs(away) / reach[which]), 1.0)
            columns += np.bincount(
                near * self.families + family[which],
                scale[which] * factor[near] * fade * line(which, away),
                len(columns),
            )
        return columns.reshape(len(self.x), self.families)

    def _cubes(self, size_A, gauss, s0, family):
        """Lines of unit area of cubes over s - s0, by FFT and interpolation."""
        t = size_A * self.t[family]
        transform = (
            self.volume[family]
            * np.exp(-((np.pi * gauss[:, None] * t) ** 2) / (4 * np.log(2)))
            * streaks(t, size_A, s0[:, None]) ** self.across[family]
        )
        fine = 4096 * t[:, 1]
        values = np.fft.irfft(transform.conj(), 4096) * fine[:, None]

        def line(which, away):
            place = np.clip(away * fine[which], -2047, 2046)
            left = np.floor(place).astype(int)
            low, high = values[which, left], values[which, (left + 1) % 4096]
            return low + (place - left) * (high - low)

        return line

    def _voigts(self, size_A, gauss, s0, family):
        """Lines of unit area: Gaussian width, and a Lorentzian of integral breadth 1/size."""
        sigma = np.maximum(gauss, 1e-9) * SIGMA_PER_FWHM
        return lambda which, away: special.voigt_profile(away, sigma[which], 1 / (np.pi * size_A))


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

    References
    ----------
    .. [1] L. Vegard, Z. Phys. 5, 17 (1921), doi:10.1007/BF01349680
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
