"""Powder patterns by the Debye scattering equation: every pair of atoms in cubes of whole unit
cells, no Bragg's law.

I(q) = sum over pairs f_i f_j sin(q r)/(q r) (P. Debye, Ann. Phys. 351, 809 (1915)), over crystals
whose edges are normally distributed by number; then the diffractometer: polarisation, a thin film's
lit volume, K alpha 1 and 2, a Gaussian instrument width, zero error, sample height, background,
counting noise.
"""

from __future__ import annotations

import numpy as np

INSTRUMENT_FWHM_DEG = 0.08
BIN_A = 0.01  #: of the histogram of distances between atoms

LINES_A = ((1.5405929, 2 / 3), (1.5444274, 1 / 3))
RADIUS_MM = 240.0


def pair_histograms(a_A: float, mean_nm: float, sd_nm: float) -> tuple[np.ndarray, dict]:
    """Numbers of pairs at each distance for lead, halide and cation sites, averaged over the
    distribution of edges."""
    cells = np.arange(1, int((mean_nm + 4 * sd_nm) * 10 / a_A) + 2)
    weight = np.exp(-0.5 * ((cells * a_A / 10 - mean_nm) / sd_nm) ** 2)
    weight = weight[weight > 1e-5 * weight.max()] / weight.sum()
    cells = cells[-len(weight) :] if len(weight) < len(cells) else cells
    top = cells.max()
    i = np.arange(-top, top + 1)
    overlap = np.maximum(0, cells[:, None] - np.abs(i)[None, :]).astype(float)  # (size, shift)
    pairs = np.einsum("n,ni,nj,nk->ijk", weight, overlap, overlap, overlap, optimize=True).ravel()
    grid = np.stack(np.meshgrid(i, i, i, indexing="ij"), axis=-1).reshape(-1, 3)
    grid, pairs = grid[pairs > 0], pairs[pairs > 0]
    sites = {
        "Pb": [(0, 0, 0)],
        "X": [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)],
        "MA": [(0.5, 0.5, 0.5)],
    }
    bins = int((top + 1) * a_A * np.sqrt(3) / BIN_A) + 2
    found = {}
    names = list(sites)
    for m, first in enumerate(names):
        for second in names[m:]:
            histogram = np.zeros(bins)
            for one in sites[first]:
                for two in sites[second]:
                    r = a_A / BIN_A * np.linalg.norm(grid + np.array(two) - np.array(one), axis=1)
                    low = r.astype(int)
                    part = (
                        (r - low) * pairs
                    )  # shared between the two nearest bins: distances stay right on average
                    histogram += np.bincount(low, pairs - part, bins) + np.bincount(
                        low + 1, part, bins
                    )
            found[first, second] = histogram * (1 if first == second else 2)
    return BIN_A * np.arange(bins), found


def debye_intensity(
    q_A: np.ndarray, a_A: float, mean_nm: float, sd_nm: float, x_br: float
) -> np.ndarray:
    """Intensity of a powder of cubes per unit solid angle, up to a factor, at scattering vectors q
    = 4 pi sin(theta)/lambda."""
    import gemmi

    r, histograms = pair_histograms(a_A, mean_nm, sd_nm)
    s2 = (q_A / (4 * np.pi)) ** 2

    def amplitude(element: str) -> np.ndarray:
        fp, fpp = gemmi.cromer_liberman(z=gemmi.Element(element).atomic_number, energy=8047.8)
        return (
            np.array([gemmi.Element(element).it92.calculate_sf(stol2=s) for s in s2])
            + fp
            + 1j * fpp
        )

    factors = {
        "Pb": amplitude("Pb") * np.exp(-1.5 * s2),
        "X": ((1 - x_br) * amplitude("I") + x_br * amplitude("Br")) * np.exp(-3.0 * s2),
        "MA": (amplitude("C") + amplitude("N")) * np.exp(-5.0 * s2 - 0.5 * (0.75**2 / 3) * q_A**2),
    }
    # The sine transform of n(r)/r on a fine q grid by FFT, read off at the q wanted.
    n = 1 << int(np.ceil(np.log2(4 * len(r))))
    fine_q = 2 * np.pi * np.arange(n // 2 + 1) / (n * r[1])
    total = np.zeros(len(q_A))
    for (first, second), histogram in histograms.items():
        at_zero = histogram[0]
        over_r = np.where(r > 0, histogram / np.maximum(r, r[1]), 0.0)
        sine = -np.fft.rfft(over_r, n).imag
        total += (factors[first] * factors[second].conj()).real * (
            at_zero + np.interp(q_A, fine_q, sine) / q_A
        )
    return np.maximum(total, 0)


def film_pattern(
    two_theta_deg,
    *,
    a_A: float,
    mean_nm: float,
    sd_nm: float,
    x_br: float,
    zero_deg: float = 0.0,
    displacement_mm: float = 0.0,
    peak_counts: float = 4000.0,
    background_counts: float = 300.0,
) -> np.ndarray:
    """Expected counts of a film of nanocubes on a Bragg-Brentano diffractometer, before counting
    noise."""
    x = np.asarray(two_theta_deg, float)
    # Where each reading really looks; the arm stands zero too far, and a low sample lowers every
    # angle.
    true = x - zero_deg + np.degrees(2 * displacement_mm * np.cos(np.radians(x) / 2) / RADIUS_MM)
    fine = np.arange(true[0] - 1, true[-1] + 1, 0.01)
    half = np.radians(fine) / 2
    total = np.zeros(len(fine))
    q_max = 4 * np.pi * np.sin(half[-1]) / LINES_A[0][0]
    q = np.linspace(0.5, q_max, 6000)
    curve = debye_intensity(q, a_A, mean_nm, sd_nm, x_br)
    for wavelength, weight in LINES_A:
        total += weight * np.interp(4 * np.pi * np.sin(half) / wavelength, q, curve)
    total *= (1 + np.cos(2 * half) ** 2) / 2
    total /= np.sin(half)  # a film is thinner than the depth of the rays
    sigma = INSTRUMENT_FWHM_DEG / 2.3548 / 0.01
    kernel = np.exp(-0.5 * (np.arange(-int(5 * sigma), int(5 * sigma) + 1) / sigma) ** 2)
    signal = np.interp(true, fine, np.convolve(total, kernel / kernel.sum(), "same"))
    # The small-angle rise of the cubes is left to the background here; the lines carry peak_counts.
    signal *= peak_counts / signal[(x > 13) & (x < 32)].max()
    return signal + background_counts * (
        0.35 + 1.2 * np.exp(-(x - 5) / 9) + 0.45 * np.exp(-0.5 * ((x - 22.5) / 6) ** 2)
    )


def standard_pattern(
    two_theta_deg,
    *,
    zero_deg: float = 0.0,
    displacement_mm: float = 0.0,
) -> np.ndarray:
    """Expected counts of lanthanum hexaboride (NIST SRM 660c: a = 4.156826 ångström): Voigt lines
    with tabulated-like intensities."""
    a_A, gauss_fwhm_deg, lorentz_fwhm_deg, peak_counts = 4.156826, 0.08, 0.015, 20000.0
    from scipy.special import voigt_profile

    x = np.asarray(two_theta_deg, float)
    lines = {
        1: 54,
        2: 100,
        3: 41,
        4: 22,
        5: 45,
        6: 23,
        8: 7,
        9: 22,
        10: 15,
        11: 9,
        12: 2,
        13: 6,
        14: 11,
        16: 3,
        17: 10,
        18: 8,
    }
    total = np.zeros(len(x))
    for n, height in lines.items():
        for wavelength, weight in LINES_A:
            sine = wavelength * np.sqrt(n) / (2 * a_A)
            if sine < 1:
                theta = np.arcsin(sine)
                at = (
                    2 * np.degrees(theta)
                    + zero_deg
                    - np.degrees(2 * displacement_mm * np.cos(theta) / RADIUS_MM)
                )
                total += (
                    height
                    * weight
                    * voigt_profile(
                        x - at, gauss_fwhm_deg / 2.3548, lorentz_fwhm_deg / np.cos(theta) / 2
                    )
                )
    return peak_counts * total / total.max() + 120 + 200 * np.exp(-(x - 10) / 15)
