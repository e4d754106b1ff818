"""Powder diffraction: the kinematic pattern of MAPb(I,Br)3, and whole-pattern (Pawley-type) fits of cubic patterns.

Conventions: s = 2 sin(theta)/lambda in 1/ångström; angles in degrees of 2theta; the lattice constant `a_A` is that of the
(pseudo-)cubic perovskite cell. A sample that stands lower than the goniometer axis by d shifts its lines by
-2 d cos(theta)/R (positive `displacement_mm`: too low), a zero error shifts all alike.

Profiles are written in s, where a crystal's shape broadens every line independently of angle; they are carried to 2theta
together with the factor P(theta)/s (polarisation and the spherical average of a powder). For crystals of a few
nanometres this factor varies across one line and pulls its maximum down by up to 0.03 degrees: a fit of symmetric lines
over 2theta finds the lattice constant too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import optimize, special

CU_KALPHA_A = (1.5405929, 1.5444274)  # Hölzer et al., Phys. Rev. A 56, 4554 (1997), as NIST gives them
KALPHA2_RATIO = 0.5
KALPHA_EV = 8047.8
VEGARD_A = (6.284, 5.930)  # cubic MAPbI3 and MAPbBr3, see data/structure/constants.csv
#: What the line profile of cubes misses against exact Debye sums (12 to 16 nm, sample height free): a is found up to 0.012 ångström nm / L
#: too small, L within 0.4 %. Added in quadrature to the standard errors of `shape="cube"` fits.
MODEL_ERROR = (0.012, 0.004)


@dataclass(frozen=True)
class PawleyFit:
    """A whole-pattern fit.

    Attributes
    ----------
    a_A, a_error_A : float
        Lattice constant and standard error, ångström; the cube root of the cell volume when c/a is free.
    zero_deg, zero_error_deg, displacement_mm, displacement_error_mm : float
        Zero error of the goniometer and sample height; an error of 0 means held.
    size_nm, size_error_nm : float
        Edge of the cube (`shape="cube"`) or volume-weighted column length (`shape="lorentzian"`).
    strain, strain_error : float
        Root mean square microstrain.
    instrument_fwhm_deg : float
        Gaussian width beyond size and strain, held or fitted.
    tetragonality, tetragonality_error : float
        c/a - 1 of the pseudo-cubic cell.
    indices : tuple of (h, k, l)
    intensities, intensity_errors : (m,) float arrays
        Integrated intensities (over s, including multiplicity), in the unit of the pattern.
    model, background : (n,) float arrays
    two_theta_deg, observed, sigma : (n,) float arrays
    chi2_reduced, bic : float
    error_scale : float
        Factor by which standard errors were enlarged for misfit and serially correlated residuals.
    names : tuple of str
    covariance : (p, p) float array
        Of the non-linear parameters `names`.
    converged : bool
    notes : tuple of str
        What a reader should doubt.
    """

    a_A: float
    a_error_A: float
    zero_deg: float
    zero_error_deg: float
    displacement_mm: float
    displacement_error_mm: float
    size_nm: float
    size_error_nm: float
    strain: float
    strain_error: float
    instrument_fwhm_deg: float
    tetragonality: float
    tetragonality_error: float
    indices: tuple
    intensities: np.ndarray = field(repr=False)
    intensity_errors: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    two_theta_deg: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    chi2_reduced: float = 0.0
    bic: float = 0.0
    error_scale: float = 1.0
    names: tuple = ()
    covariance: np.ndarray = field(repr=False, default=None)
    converged: bool = True
    notes: tuple = ()

    def intensity(self, *hkl) -> tuple[float, float]:
        """Integrated intensity and error of one reflection family."""
        i = self.indices.index(tuple(hkl))
        return float(self.intensities[i]), float(self.intensity_errors[i])


# ---- crystal ------------------------------------------------------------------------------------------------------


def two_theta(a_A, hkl, wavelength_A: float = CU_KALPHA_A[0]):
    """Bragg angle 2theta, degrees, of reflection `hkl` of a cubic cell. NaN beyond 180 degrees."""
    with np.errstate(invalid="ignore"):
        return 2 * np.degrees(np.arcsin(wavelength_A * np.sqrt(np.sum(np.square(hkl), axis=-1)) / (2 * np.asarray(a_A))))


def lattice_constant(two_theta_deg, hkl, wavelength_A: float = CU_KALPHA_A[0]):
    """Cubic lattice constant, ångström, from one Bragg angle."""
    return wavelength_A * np.sqrt(np.sum(np.square(hkl), axis=-1)) / (2 * np.sin(np.radians(np.asarray(two_theta_deg)) / 2))


def scherrer_fwhm_deg(size_nm, two_theta_deg, shape_factor: float = 0.9, wavelength_A: float = CU_KALPHA_A[0]):
    """Width K lambda/(L cos theta), degrees of 2theta (Scherrer 1918). For the (h00) lines of a cube of edge L, K is 0.886
    for the full width at half maximum and 1 for the integral breadth (Langford and Wilson, J. Appl. Cryst. 11, 102 (1978))."""
    return np.degrees(shape_factor * wavelength_A / (10 * np.asarray(size_nm) * np.cos(np.radians(two_theta_deg) / 2)))


@lru_cache(maxsize=64)
def reflection_families(n_max: int) -> tuple[tuple[int, int, int], ...]:
    """One (h, k, l), h >= k >= l >= 0, for every h2+k2+l2 up to `n_max` of a primitive cubic cell, by increasing sum.

    Families of equal sum, such as (300) and (221), fall together; the one with the most equivalents stands for both.
    """
    best: dict[int, tuple] = {}
    top = int(np.sqrt(n_max)) + 1
    for h in range(top + 1):
        for k in range(h + 1):
            for l in range(k + 1):
                n = h * h + k * k + l * l
                if 0 < n <= n_max and (n not in best or len(_members((h, k, l))) > len(_members(best[n]))):
                    best[n] = (h, k, l)
    return tuple(best[n] for n in sorted(best))


@lru_cache(maxsize=256)
def _members(hkl: tuple) -> tuple:
    from itertools import permutations, product

    return tuple(sorted({tuple(s * i for s, i in zip(signs, order, strict=True)) for order in permutations(hkl) for signs in product((1, -1), repeat=3)}))


def powder_pattern(x_br: float, a_A: float | None = None, *, hkls: Sequence[tuple] | None = None, anomalous: bool = True,
                   b_iso_A2: tuple[float, float, float] = (1.5, 3.0, 5.0), wavelength_A: float = CU_KALPHA_A[0]) -> dict[tuple, float]:
    """Relative integrated intensities m |F|2 LP of cubic MAPb(I,Br)3 (Pm-3m, random powder), by reflection.

    Structure factors from gemmi (International Tables C form factors, Cromer-Liberman anomalous dispersion).
    The cation is placed at the cell's centre as carbon and nitrogen of half weight at +-0.75 Å along the axes.

    Parameters
    ----------
    x_br : float
        Bromide fraction, 0 to 1.
    a_A : float, optional
        Lattice constant; by default Vegard's.
    anomalous : bool
        Include f' and f''. Without them (111) is 17 % too weak.
    b_iso_A2 : tuple
        Debye-Waller B of lead, halide, cation, ångström squared.

    Raises
    ------
    ValueError
        If `x_br` is outside 0 to 1.
    """
    import gemmi

    if not 0 <= x_br <= 1:
        raise ValueError(f"x_br: expected a fraction between 0 and 1, found {x_br}")
    a = a_A or vegard_lattice_A(x_br)
    structure = gemmi.SmallStructure()
    structure.cell = gemmi.UnitCell(a, a, a, 90, 90, 90)
    structure.spacegroup = gemmi.SpaceGroup("P 1")  # every atom is listed, so no symmetry operation is left to apply
    energy = 12398.42 / wavelength_A

    def add(element: str, at, occupancy: float, b: float):
        site = gemmi.SmallStructure.Site()
        site.label, site.type_symbol, site.occ = f"{element}{len(structure.sites)}", element, occupancy
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
            calculator.addends.set(gemmi.Element(element), gemmi.cromer_liberman(z=gemmi.Element(element).atomic_number, energy=energy)[0])
    imaginary = {e: gemmi.cromer_liberman(z=gemmi.Element(e).atomic_number, energy=energy)[1] for e in ("Pb", "I", "Br")} if anomalous else {}
    hkls = hkls or reflection_families(16)
    found = {}
    for hkl in hkls:
        total = 0.0
        for members in _same_length(hkl):
            real = calculator.calculate_sf_from_small_structure(structure, members[0])
            f2 = abs(real + 1j * _imaginary_part(members[0], imaginary, x_br, a, b_iso_A2)) ** 2
            total += len(members) * f2
        theta = np.radians(two_theta(a, hkl, wavelength_A)) / 2
        found[tuple(hkl)] = total * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    return found


def _same_length(hkl) -> list[tuple]:
    """All families with the sum of `hkl`, each as its members."""
    n = sum(i * i for i in hkl)
    top = int(np.sqrt(n))
    return [_members((h, k, l)) for h in range(top + 1) for k in range(h + 1) for l in range(k + 1) if h * h + k * k + l * l == n]


def _imaginary_part(hkl, f2: dict[str, float], x_br: float, a: float, b: tuple) -> float:
    """The contribution of f'' to F, which is real-valued geometry in a centrosymmetric cell."""
    if not f2:
        return 0.0
    s2 = sum(i * i for i in hkl) / (4 * a * a)
    halide = sum(np.cos(np.pi * i) for i in hkl)
    return f2["Pb"] * np.exp(-b[0] * s2) + halide * ((1 - x_br) * f2["I"] + x_br * f2["Br"]) * np.exp(-b[1] * s2)


def vegard_lattice_A(x_br, ends_A: tuple[float, float] = VEGARD_A):
    """Cubic lattice constant, ångström, of MAPb(I(1-x)Br(x))3 by Vegard's law between the end members."""
    return ends_A[0] + (ends_A[1] - ends_A[0]) * np.asarray(x_br)


def vegard_composition(a_A: float, a_error_A: float, ends_A: tuple[float, float] = VEGARD_A, ends_error_A: tuple[float, float] = (0.005, 0.005)) -> tuple[float, float]:
    """Bromide fraction from the lattice constant, with the errors of all three cells propagated."""
    span = ends_A[0] - ends_A[1]
    x = (ends_A[0] - a_A) / span
    return x, float(np.sqrt(a_error_A**2 + ((1 - x) * ends_error_A[0]) ** 2 + (x * ends_error_A[1]) ** 2) / span)


# ---- profiles -----------------------------------------------------------------------------------------------------


_HERMITE = np.polynomial.hermite_e.hermegauss(5)


def cube_transform(t, edge, directions, relative_sd: float = 0.0):
    """Fourier transform of the size profile of cubes: common volume of a cube and its copy shifted by t along a line normal.

    V(t)/V(0) = product over axes of max(0, 1 - |n_i| t/L) (Wilson, X-ray Optics, 1962), averaged over a normal distribution
    of edges by volume with five Gauss-Hermite nodes, and over `directions`, the line normals of the family.

    Parameters
    ----------
    t : (n,) array, same unit as `edge`
    directions : (m, 3) array of unit vectors
    """
    nodes, weights = _HERMITE if relative_sd else (np.zeros(1), np.ones(1))
    edges = edge * np.maximum(1 + relative_sd * nodes, 0.05)
    volume = weights * edges**3
    shifted = np.abs(directions)[:, None, :, None] * t / edges[None, :, None, None]
    return (np.prod(np.maximum(0, 1 - shifted), axis=2).mean(axis=0) * volume[:, None]).sum(axis=0) / volume.sum()


def streaks(t, edge, s0):
    """Factor to the transform of a line for each axis normal to it: the powder average cuts a cube's streaks on a sphere.

    A cube's intensity runs out along its axes as 1/q2; where such a streak stands across a line's direction the sphere of
    radius s meets it at s > s0 only, so the line leans to high angles. With sinc2 across,
    <exp(i pi t q2/s0)> = 1 - sqrt(t/(s0 L2)) exp(-i pi/4)/pi for t << s0 L2 (Fresnel integral). Without it a is found 0.02 ångström nm/L too large.
    """
    return 1 - np.sqrt(np.maximum(t, 0) / (s0 * edge**2)) * np.exp(-0.25j * np.pi) / np.pi


def _direction(hkl) -> np.ndarray:
    v = np.sort(np.abs(np.array(hkl, float)))[::-1]
    return (v / np.linalg.norm(v))[None, :]


class _Profiles:
    """The lines of a pattern as columns of a matrix, for given non-linear parameters."""

    def __init__(self, x, hkls, wavelengths, ratio, radius, shape, relative_sd, polarised, thin_film, falloff_A2):
        self.x, self.hkls, self.shape, self.relative_sd = x, hkls, shape, relative_sd
        self.lines = [(wavelengths[0], 1.0)] + ([(wavelengths[1], ratio)] if len(wavelengths) > 1 and ratio else [])
        self.norm = sum(weight for _, weight in self.lines)
        self.radius, self.polarised, self.thin_film, self.falloff = radius, polarised, thin_film, falloff_A2
        self.sums = np.array([sum(i * i for i in hkl) for hkl in hkls], float)
        # A tetragonal distortion splits a family by l2: share of the equivalents with each l2.
        self.splits = []
        for hkl in hkls:
            integer = all(float(i).is_integer() for i in hkl)
            members = [m for f in _same_length(tuple(int(i) for i in hkl)) for m in f] if integer else [hkl]
            l2 = np.array([m[2] ** 2 for m in members], float)
            values, counts = np.unique(l2, return_counts=True)
            self.splits.append(tuple(zip(values, counts / counts.sum(), strict=True)))
        self.directions = [_direction(hkl) for hkl in hkls]
        self.cache: dict = {}

    def matrix(self, a, zero, displacement, size_A, strain, fwhm, tetragonality) -> np.ndarray:
        columns = np.empty((len(self.x), len(self.hkls)))
        # The measured angle, taken back to the Bragg angle.
        true = self.x - zero + np.degrees(2 * displacement / self.radius) * np.cos(np.radians(self.x) / 2)
        theta = np.radians(true) / 2
        # The mean edge of the distorted cell is kept: (a a c)^(1/3), so that a and c/a stay independent.
        edge = a * (1 + tetragonality) ** (-1 / 3)
        film = 1 / np.maximum(np.sin(theta), 0.02) if self.thin_film else 1.0
        columns[:] = 0
        sines = []
        for wavelength, weight in self.lines:
            s = 2 * np.sin(theta) / wavelength
            sines.append((wavelength, weight / self.norm, s, (1 + self.polarised * np.cos(2 * theta) ** 2) / (1 + self.polarised) / np.maximum(s, 1e-3) * film * np.exp(-self.falloff * s**2)))
        for j in range(len(self.hkls)):
            for l2, share in self.splits[j] if tetragonality else ((0.0, 1.0),):
                s0 = np.sqrt((self.sums[j] - l2) / edge**2 + l2 / (edge * (1 + tetragonality)) ** 2) if tetragonality else np.sqrt(self.sums[j]) / a
                first = self.lines[0][0]
                cosine = np.sqrt(max(1 - (s0 * first / 2) ** 2, 1e-6))
                gauss = np.hypot(np.radians(fwhm) * cosine / first, 2 * np.sqrt(2 * np.log(2)) * strain * s0)
                reach, scale = self._reach(size_A, gauss), share / s0 * np.exp(self.falloff * s0**2)
                for wavelength, weight, s, factor in sines:
                    if s0 * wavelength >= 2:
                        continue
                    near = slice(*np.searchsorted(s, (s0 - reach, s0 + reach)))
                    if near.stop > near.start:
                        columns[near, j] += weight * scale * factor[near] * self._line(s[near] - s0, size_A, gauss, j, s0)
        return columns

    def _reach(self, size_A, gauss) -> float:
        return max(5 * gauss, 12 / size_A) if self.shape == "cube" else max(6 * gauss, 40 / size_A)

    def _cube_line(self, size_A, gauss, j, s0):
        """The line of cubes on a fine axis of s - s0, by FFT; kept until its parameters change."""
        key = (size_A, round(gauss, 7), round(s0, 7))
        if self.cache.get(j, (None,))[0] != key:
            points, n = 81, 4096
            t = np.linspace(0, size_A * (1 + 2.9 * self.relative_sd) / self.directions[j].max(), points)
            transform = cube_transform(t, size_A, self.directions[j], self.relative_sd) * np.exp(-((np.pi * gauss * t) ** 2) / (4 * np.log(2)))
            transform = transform * streaks(t, size_A, s0) ** int((self.directions[j] < 1e-9).sum())
            transform[[0, -1]] /= 2  # trapezium rule
            values = np.fft.fftshift(2 * t[1] * np.fft.fft(transform, n).real)
            self.cache[j] = key, (np.fft.fftshift(np.fft.fftfreq(n, t[1])), values)
        return self.cache[j][1]

    def _line(self, ds, size_A, gauss, j, s0):
        """Line of unit area in s."""
        if self.shape == "cube":
            grid, values = self._cube_line(size_A, gauss, j, s0)
            return np.interp(ds, grid, values)
        # Voigt: Gaussian width, and a Lorentzian of integral breadth 1/size.
        return special.voigt_profile(ds, max(gauss, 1e-9) / (2 * np.sqrt(2 * np.log(2))), 1 / (np.pi * size_A))


def model_pattern(two_theta_deg, *, edge_nm: float, x_br: float, displacement_mm: float = 0.0, zero_deg: float = 0.0, instrument_fwhm_deg: float = 0.08, relative_sd: float = 0.13, radius_mm: float = 240.0) -> np.ndarray:
    """Pattern of a film of cubes with calculated intensities, lattice constant by Vegard, no background: to look at, not to fit.

    Raises
    ------
    ValueError
        If `x_br` is not a fraction or the edge not positive.
    """
    if not edge_nm > 0:
        raise ValueError(f"edge_nm: expected a positive number, found {edge_nm}")
    x, a = np.asarray(two_theta_deg, float), float(vegard_lattice_A(x_br))
    hkls = _lines_in(a, x, CU_KALPHA_A[0])
    # Calculated intensities vary smoothly with composition: a coarse grid is kept, so that a slider answers at once.
    grid = np.round(x_br, 1)
    profiles = _Profiles(x, hkls, CU_KALPHA_A, KALPHA2_RATIO, radius_mm, "cube", relative_sd, 1.0, True, 4.0)
    return profiles.matrix(a, zero_deg, displacement_mm, 10 * edge_nm, 0.0, instrument_fwhm_deg, 0.0) @ np.array([_debye_intensity(hkl, float(grid)) for hkl in hkls])


# ---- the fit ------------------------------------------------------------------------------------------------------


def noise_of(intensity) -> np.ndarray:
    """Standard error of each point of a pattern that is not given in counts.

    The scatter of third differences is regressed on the local intensity: variance = floor + gain * intensity.
    """
    y = np.asarray(intensity, float)
    third = np.convolve(y, [1, -3, 3, -1], "valid") ** 2 / 20
    level = np.convolve(y, np.full(9, 1 / 9), "same")[1:-2]
    order = np.argsort(level)
    groups = np.array_split(order, max(8, min(40, len(order) // 25)))
    # The median of a squared normal variable is 0.455 of its mean, and lines bend the mean, not the median.
    v = np.array([np.median(third[g]) / 0.455 for g in groups])
    m = np.array([level[g].mean() for g in groups])
    weights = 1 / np.maximum(v, np.median(v) * 0.1)
    gain, floor = optimize.nnls(np.column_stack([m - m.min(), np.ones_like(m)]) * weights[:, None], v * weights)[0]
    return np.sqrt(np.maximum(floor + gain * (np.maximum(y, m.min()) - m.min()), 0.1 * np.median(v)) + 1e-300)


def find_cubic_cell(two_theta_deg, intensity, *, wavelength_A: float = CU_KALPHA_A[0], a_range_A: tuple[float, float] = (3.4, 6.9)) -> float:
    """A first lattice constant, ångström: the primitive cubic cell that explains most of the strongest lines with few absent ones.

    Raises
    ------
    ValueError
        If there are no lines, or no cell in the range explains half of what stands in them.
    """
    from scipy.signal import find_peaks, savgol_filter

    x, y = np.asarray(two_theta_deg, float), np.asarray(intensity, float)
    keep = x > max(8.0, x[0])
    x, y = x[keep], y[keep]
    smooth = savgol_filter(y, min(7, len(y) // 2 * 2 - 1), 2)
    floor = np.array([np.percentile(smooth[max(0, i - len(x) // 12): i + len(x) // 12 + 1], 15) for i in range(len(x))])
    net = smooth - floor
    peaks, _ = find_peaks(net, prominence=max(0.03 * net.max(), 5 * np.median(noise_of(y)) * 0.4))
    if len(peaks) < 2:
        raise ValueError(f"powder pattern: expected at least two lines, found {len(peaks)}")
    heights = np.sqrt(net[peaks])  # the strongest line must not decide alone
    d = wavelength_A / (2 * np.sin(np.radians(x[peaks]) / 2))
    sums = np.array([sum(i * i for i in hkl) for hkl in reflection_families(48)])
    best, best_score = None, 0.0
    for i in np.argsort(-heights)[:4]:
        for n in (1, 2, 3, 4, 5, 6, 8):
            a = d[i] * np.sqrt(n)
            if not a_range_A[0] <= a <= a_range_A[1]:
                continue
            lines = two_theta(a, np.sqrt(sums)[:, None], wavelength_A)
            lines = lines[np.isfinite(lines) & (lines > x[0]) & (lines < x[-1])]
            if not len(lines):
                continue
            distance = np.abs(x[peaks][:, None] - lines[None, :])
            tolerance = 0.25 + 0.004 * x[peaks]
            explained = heights[distance.min(axis=1) < tolerance].sum() / heights.sum()
            seen = (distance.min(axis=0) < 0.3 + 0.004 * lines)[: max(4, len(lines) // 2)].mean()
            if explained * (0.4 + 0.6 * seen) > best_score:
                best, best_score, best_explained = a, explained * (0.4 + 0.6 * seen), explained
    if best is None or best_explained < 0.5:
        raise ValueError(f"powder pattern: expected a primitive cubic cell between {a_range_A[0]} and {a_range_A[1]} ångström, found none that explains half of the lines")
    return float(best)


def pawley_fit(two_theta_deg, intensity, sigma=None, *, a_A: float | None = None, wavelengths_A: Sequence[float] = CU_KALPHA_A, kalpha2_ratio: float = KALPHA2_RATIO,
               radius_mm: float = 240.0, zero_deg: float | tuple[float, float] = 0.0, displacement_mm: float | tuple[float, float] | None = None,
               shape: str = "lorentzian", size_relative_sd: float = 0.0, instrument_fwhm_deg: float | None = None, fit_strain: bool = False, tetragonal: bool = False,
               superlattice: bool = False, extra_d_A: Sequence[float] = (), background_order: int | None = None, polarised: float = 1.0, thin_film: bool = False, falloff_A2: float = 4.0, window_deg: tuple[float, float] | None = None, max_evaluations: int = 60) -> PawleyFit:
    """Fit a whole pattern of a primitive cubic crystal with free line intensities (Pawley, J. Appl. Cryst. 14, 357 (1981)).

    Intensities and background are linear and solved for at every step (variable projection); lattice constant, zero,
    sample height, size, strain and instrument width are iterated.

    Parameters
    ----------
    two_theta_deg, intensity : (n,) arrays
    sigma : (n,) array, optional
        Standard errors. Without them whole numbers are taken as counts, others by `noise_of`.
    a_A : float, optional
        Start of the lattice constant, by default from `find_cubic_cell`.
    wavelengths_A, kalpha2_ratio : Kalpha1 and, if not removed, Kalpha2 with its ratio.
    radius_mm : goniometer radius.
    zero_deg, displacement_mm : float, (mean, sd) or None
        Held at a value, fitted with a prior, or (None) fitted freely.
    shape : "lorentzian" or "cube"
        Size broadening: Lorentzian lines, or the exact lines of cubes with edges of relative spread `size_relative_sd`.
    instrument_fwhm_deg : float, optional
        Gaussian width of the instrument; fitted when None.
    fit_strain, tetragonal, superlattice : bool
        Also fit microstrain; c/a; the lines (h/2 k/2 l/2) of octahedra tilted in antiphase (tetragonal (211) and its kin).
    extra_d_A : sequence of float
        Spacings of lines of other phases, fitted in intensity only.
    background_order : int, optional
        Of the Chebyshev polynomial; by default one order for every 8 degrees.
    polarised : float
        1 without monochromator, cos2(2 theta_M) with one.
    thin_film : bool
        The film is much thinner than the X-rays' path: its lit volume goes as 1/sin(theta), which tilts broad lines further.
    falloff_A2 : float
        Decay of |F|2 with s2 across one line (form factors and thermal motion), exp(-falloff s2); 4 for lead halides.
    window_deg : (low, high), optional
        Part of the pattern to fit; by default from 10 degrees.

    max_evaluations : int
        Most steps of the iteration.

    Returns
    -------
    PawleyFit

    Raises
    ------
    ValueError
        If the input is unusable or no cell is found.
    """
    x, y = np.asarray(two_theta_deg, float), np.asarray(intensity, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 30:
        raise ValueError(f"powder pattern: expected two arrays of equal length, at least 30, found {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (np.diff(x) > 0).all()):
        raise ValueError("powder pattern: expected finite intensities over increasing 2theta")
    if shape not in ("lorentzian", "cube"):
        raise ValueError(f"shape: expected lorentzian or cube, found {shape!r}")
    counting = sigma is None and y.min() >= 0 and y.max() >= 20 and np.abs(y - np.round(y)).max() < 1e-6
    if sigma is None:
        sigma = np.sqrt(np.maximum(y, 1)) if counting else noise_of(y)
    a = a_A or find_cubic_cell(x, y, wavelength_A=wavelengths_A[0])
    low, high = window_deg or (10.0, 150.0)
    inside = (x >= low) & (x <= high)
    x, y, sigma = x[inside], y[inside], np.asarray(sigma, float)[inside]
    if len(x) < 30 or not (sigma > 0).all():
        raise ValueError(f"powder pattern: expected at least 30 points with positive errors between {low} and {high} degrees, found {len(x)}")
    hkls = _lines_in(a, x, wavelengths_A[0])
    if superlattice:
        hkls += tuple(tuple(i / 2 for i in hkl) for hkl in ((3, 1, 1), (3, 3, 1), (5, 1, 1), (5, 3, 1)) if two_theta(a, np.array(hkl) / 2, wavelengths_A[0]) < x[-1] - 0.3)
    profiles = _Profiles(x, hkls, wavelengths_A, kalpha2_ratio, radius_mm, shape, size_relative_sd, polarised, thin_film, falloff_A2)
    order = background_order if background_order is not None else int(np.clip((x[-1] - x[0]) / 8, 3, 14))
    chebyshev = np.polynomial.chebyshev.chebvander(2 * (x - x[0]) / (x[-1] - x[0]) - 1, order)

    width = _typical_width(x, y, a, wavelengths_A[0])
    table = {  # name: start, free, prior (mean, sd), scale
        "a": (a, True, None, 1e-3 * a), "zero": _freedom(zero_deg, 0.02), "displacement": _freedom(displacement_mm, 0.05),
        "log size": (np.log(_start_size(width, wavelengths_A[0], instrument_fwhm_deg, shape)), True, None, 0.1),
        "strain": (2e-3 if fit_strain else 0.0, fit_strain, None, 5e-4),
        "fwhm": (instrument_fwhm_deg if instrument_fwhm_deg is not None else 0.5 * width, instrument_fwhm_deg is None, None, 0.2 * width),
        "tetragonality": (0.01 if tetragonal else 0.0, tetragonal, None, 1e-3),
    }
    names = [name for name, entry in table.items() if entry[1]]
    start = {name: entry[0] for name, entry in table.items()}
    scale = np.array([table[name][3] for name in names])
    priors = [(i, *table[name][2]) for i, name in enumerate(names) if table[name][2]]

    def design(p):
        v = start | dict(zip(names, np.asarray(p) * scale + offset, strict=True))
        lines = profiles.matrix(v["a"], v["zero"], v["displacement"], np.exp(v["log size"]), abs(v["strain"]), abs(v["fwhm"]), v["tetragonality"])
        extra = [_extra_line(x, d, v, profiles, width) for d in extra_d_A]
        return np.column_stack([lines, *extra, chebyshev])

    offset = np.array([start[name] for name in names])

    def penalty(p):
        return np.array([(p[i] * scale[i] + offset[i] - mean) / sd for i, mean, sd in priors])

    weights = 1 / sigma

    def residual(p):
        matrix = design(p) * weights[:, None]
        coefficients = np.linalg.lstsq(matrix, y * weights, rcond=1e-10)[0]
        return np.concatenate([y * weights - matrix @ coefficients, penalty(p)])

    solution = optimize.least_squares(residual, np.zeros(len(names)), method="trf", x_scale=1.0, diff_step=1e-4, max_nfev=max_evaluations, ftol=1e-7, xtol=1e-6)
    if counting:  # Poisson weights from the model: weights from the data pull every level down
        matrix = design(solution.x)
        model = matrix @ np.linalg.lstsq(matrix * weights[:, None], y * weights, rcond=1e-10)[0]
        weights = 1 / np.sqrt(np.maximum(model, 1))
        solution = optimize.least_squares(residual, solution.x, diff_step=1e-4, max_nfev=max(max_evaluations // 2, 5), ftol=1e-7, xtol=1e-6)
    return _report(x, y, weights, solution, design, names, scale, offset, start, priors, hkls, len(extra_d_A), shape, chebyshev.shape[1])


def _freedom(value, scale: float):
    if value is None:
        return 0.0, True, None, scale
    if np.ndim(value) == 0:
        return float(value), False, None, scale
    mean, sd = value
    return float(mean), True, (float(mean), float(sd)), scale


def _lines_in(a: float, x: np.ndarray, wavelength: float) -> tuple:
    reach = -0.4  # a line just outside still reaches in with its flank
    families = reflection_families(int((2 * np.sin(np.radians(min(x[-1], 178)) / 2) / wavelength * a) ** 2) + 1)
    return tuple(hkl for hkl in families if x[0] + reach < two_theta(a, hkl, wavelength) < x[-1] - reach)


def _typical_width(x, y, a, wavelength) -> float:
    """Full width at half maximum of the strongest indexed line, degrees."""
    lines = [two_theta(a, hkl, wavelength) for hkl in _lines_in(a, x, wavelength)]
    step = np.median(np.diff(x))
    best, width = -np.inf, 10 * step
    for line in lines:
        near = np.abs(x - line) < 1.5
        if near.sum() < 5:
            continue
        part = y[near] - np.percentile(y[near], 10)
        if part.max() > best:
            best, top = part.max(), int(np.argmax(part))
            above = part > part.max() / 2
            left, right = top, top
            while left > 0 and above[left - 1]:
                left -= 1
            while right < len(part) - 1 and above[right + 1]:
                right += 1
            width = max((right - left + 1) * step, 2 * step)
    return float(width)


def _start_size(width_deg: float, wavelength: float, instrument: float | None, shape: str) -> float:
    excess = np.sqrt(max(width_deg**2 - (instrument or 0.5 * width_deg) ** 2, (0.3 * width_deg) ** 2))
    return float((0.886 if shape == "cube" else 0.64) * wavelength / np.radians(excess))


def _extra_line(x, d, v, profiles: _Profiles, width: float) -> np.ndarray:
    centre = 2 * np.degrees(np.arcsin(profiles.lines[0][0] / (2 * d)))
    shift = v["zero"] - np.degrees(2 * v["displacement"] / profiles.radius) * np.cos(np.radians(centre) / 2)
    u = (x - centre - shift) / (0.5 * width)
    return 0.5 / (1 + u**2) + 0.5 * np.exp(-np.log(2) * u**2)


def _report(x, y, weights, solution, design, names, scale, offset, start, priors, hkls, extras, shape, background_terms) -> PawleyFit:
    p = solution.x
    matrix = design(p)
    weighted = matrix * weights[:, None]
    coefficients = np.linalg.lstsq(weighted, y * weights, rcond=1e-10)[0]
    model = matrix @ coefficients
    # The full Jacobian, linear and non-linear columns together, gives the joint covariance.
    step = 1e-3
    columns = [(design(p + step * e) - design(p - step * e)) @ coefficients / (2 * step) * weights for e in np.eye(len(names))]
    jacobian = np.column_stack([*columns, weighted])
    information = jacobian.T @ jacobian
    for i, _mean, sd in priors:
        information[i, i] += (scale[i] / sd) ** 2
    norm = np.sqrt(np.maximum(np.diag(information), 1e-300))
    covariance = np.linalg.pinv(information / np.outer(norm, norm), rcond=1e-12, hermitian=True) / np.outer(norm, norm)
    residual = (y - model) * weights
    freedom = max(len(y) - len(coefficients) - len(names), 1)
    chi2 = float(residual @ residual)
    factor = np.sqrt(max(1.0, chi2 / freedom)) * _serial_factor(residual)
    covariance = covariance * factor**2
    n = len(names)
    values = start | dict(zip(names, p * scale + offset, strict=True))
    errors = dict.fromkeys(start, 0.0) | dict(zip(names, np.sqrt(np.diag(covariance)[:n]) * scale, strict=True))
    size = float(np.exp(values["log size"])) / 10
    m = len(hkls)
    line_errors = np.sqrt(np.diag(covariance)[n : n + m])
    notes = []
    if not solution.success:
        notes.append("the fit has not converged")
    if errors["log size"] > 0.5 or size > 500:
        notes.append("the lines are as narrow as the instrument: the size is a lower bound")
    if chi2 / freedom > 4:
        notes.append(f"reduced chi-square {chi2 / freedom:.3g}: the model misses something in the pattern")
    if errors["zero"] and errors["displacement"]:
        i, j = names.index("zero"), names.index("displacement")
        correlation = covariance[i, j] / np.sqrt(covariance[i, i] * covariance[j, j])
        if abs(correlation) > 0.98:
            notes.append(f"zero and sample height are hardly told apart (correlation {correlation:.3f}); a prior on one is needed")
    if shape == "cube":  # see MODEL_ERROR
        errors["a"] = np.hypot(errors["a"], MODEL_ERROR[0] / size)
        errors["log size"] = np.hypot(errors["log size"], MODEL_ERROR[1])
    scaled = np.outer(scale, scale) * covariance[:n, :n]
    return PawleyFit(
        float(values["a"]), float(errors["a"]), float(values["zero"]), float(errors["zero"]), float(values["displacement"]), float(errors["displacement"]),
        size, size * float(errors["log size"]), abs(float(values["strain"])), float(errors["strain"]), abs(float(values["fwhm"])), float(values["tetragonality"]), float(errors["tetragonality"]),
        tuple(hkls), coefficients[:m], line_errors, model, matrix[:, m + extras :] @ coefficients[m + extras :], x, y, 1 / weights,
        chi2 / freedom, chi2 + (n + len(coefficients)) * np.log(len(y)), float(factor), tuple(names), scaled, bool(solution.success), tuple(notes))


def _serial_factor(residual: np.ndarray) -> float:
    """Enlargement for serially correlated residuals of a real pattern (after Bérar and Lelann, J. Appl. Cryst. 24, 1 (1991)).

    sqrt of 1 + 2 sum of the autocorrelations that stand clear of noise; 1 for white residuals.
    """
    r = residual - residual.mean()
    n, total, power = len(r), 0.0, r @ r
    for lag in range(1, min(60, n // 8)):
        rho = (r[:-lag] @ r[lag:]) / power
        if rho < 3 / np.sqrt(n):
            break
        total += rho
    return float(np.sqrt(1 + 2 * total))


# ---- what a pattern says ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PhaseTest:
    """Cubic against tetragonal.

    `superlattice_ratio` is the (211) line of the tetragonal cell, near 23.4 degrees, over the strongest line (integrated
    intensities); `delta_bic_superlattice` and `delta_bic_split` are BIC(cubic) - BIC(with those freedoms): positive speaks
    for tetragonal, above 10 strongly.
    """

    superlattice_ratio: float
    superlattice_error: float
    delta_bic_superlattice: float
    delta_bic_split: float

    @property
    def verdict(self) -> str:
        """`tetragonal`, `cubic` or `undecided`, at five standard errors or Delta BIC of 10.

        A line that is absent speaks for cubic only when one of 0.08 (as in MAPbI3) would have been seen.
        """
        if self.superlattice_ratio > 5 * self.superlattice_error and self.superlattice_ratio > 0.01 and self.delta_bic_superlattice > 10:
            return "tetragonal"
        return "cubic" if self.superlattice_ratio + 3 * self.superlattice_error < 0.04 and self.delta_bic_split < 10 else "undecided"


def phase_test(two_theta_deg, intensity, sigma=None, **options) -> PhaseTest:
    """Fit a pattern as cubic, with superlattice lines, and with c/a free; options as `pawley_fit`."""
    cubic = pawley_fit(two_theta_deg, intensity, sigma, **options)
    options = options | {"a_A": cubic.a_A}
    tilted = pawley_fit(two_theta_deg, intensity, sigma, superlattice=True, **options)
    # At c/a = 1 the split is of second order only and the iteration creeps: few steps are enough to see whether it pays.
    split = pawley_fit(two_theta_deg, intensity, sigma, tetragonal=True, **options | {"max_evaluations": 8})
    # From intensities over s to integrated intensities over 2theta, as the pattern shows them.
    sums = np.array([sum(i * i for i in hkl) for hkl in tilted.indices])
    theta = np.arcsin(np.sqrt(sums) * options.get("wavelengths_A", CU_KALPHA_A)[0] / (2 * tilted.a_A))
    over_angle = (1 + np.cos(2 * theta) ** 2) / (sums * np.cos(theta))
    i = tilted.indices.index((1.5, 0.5, 0.5))
    strongest = (tilted.intensities * over_angle)[: len(cubic.indices)].max()
    value, error = tilted.intensities[i] * over_angle[i], tilted.intensity_errors[i] * over_angle[i]
    # Misfit inflates every chi-square alike; it must not count as evidence.
    scale = max(cubic.chi2_reduced, 1.0)
    return PhaseTest(value / strongest, error / strongest, (cubic.bic - tilted.bic) / scale, (cubic.bic - split.bic) / scale)


def lattice_change(first: PawleyFit, second: PawleyFit) -> tuple[float, float]:
    """Difference second - first of two lattice constants and its standard error, ångström, as independent fits."""
    return second.a_A - first.a_A, float(np.hypot(first.a_error_A, second.a_error_A))


def composition_from_intensities(fit: PawleyFit, *, texture: bool = True, hkls: Sequence[tuple] = ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0), (2, 1, 1), (2, 2, 0))) -> tuple[float, float, float, float]:
    """Bromide fraction from line intensities, with a March-Dollase texture along <100> (Dollase, J. Appl. Cryst. 19, 267 (1986)).

    Returns
    -------
    x_br, error, r, r_error
        r = 1 without texture, below 1 for plates lying flat on their cube faces.

    Raises
    ------
    ValueError
        If fewer than three of the lines were fitted.
    """
    use = [hkl for hkl in hkls if hkl in fit.indices]
    if len(use) < 3:
        raise ValueError(f"composition from intensities: expected at least three of the lines, found {len(use)}")
    measured = np.array([fit.intensity(*hkl) for hkl in use])
    grid = np.linspace(0, 1, 21)
    table = np.array([[_debye_intensity(hkl, x) for hkl in use] for x in grid])

    def predict(p):
        f = np.array([np.interp(p[0], grid, column) for column in table.T])
        return f * np.array([_march_dollase(hkl, p[1]) for hkl in use])

    errors = np.hypot(measured[:, 1], 0.02 * measured[:, 0])  # 2 %: Debye-Waller factors, absorption

    def residual(p):
        full = predict([p[0], p[1] if texture else 1.0])
        scale = (full / errors) @ (measured[:, 0] / errors) / ((full / errors) @ (full / errors))
        return (measured[:, 0] - scale * full) / errors

    solution = optimize.least_squares(residual, [0.5, 1.0], bounds=([0, 0.2], [1, 3]), diff_step=1e-3)
    j = solution.jac[:, : 2 if texture else 1]
    freedom = max(len(use) - 3, 1)
    covariance = np.linalg.pinv(j.T @ j) * max(1.0, 2 * solution.cost / freedom)
    return float(solution.x[0]), float(np.sqrt(covariance[0, 0])), float(solution.x[1]) if texture else 1.0, float(np.sqrt(covariance[1, 1])) if texture else 0.0


@lru_cache(maxsize=1024)
def _debye_intensity(hkl: tuple, x_br: float) -> float:
    """m |F|2 without geometry: what `PawleyFit.intensities` is proportional to."""
    a = float(vegard_lattice_A(x_br))
    theta = np.radians(two_theta(a, hkl)) / 2
    return powder_pattern(x_br, a, hkls=(hkl,))[hkl] / ((1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta)))


def _march_dollase(hkl: tuple, r: float) -> float:
    v = np.abs(np.array(hkl, float)) / np.linalg.norm(hkl)
    cos2 = v**2
    return float(np.mean((r**2 * cos2 + (1 - cos2) / r) ** -1.5))
