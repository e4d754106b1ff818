"""What the photoelectron, infrared, photothermal and mass spectrometers would have recorded.

Photoelectron spectra: Scofield's printed cross-sections, depth integrated layer by layer under a
ligand shell, losses by convolution with Tougaard's loss function (the analysis uses Shirley's
step), the analyser's transmission, counting noise.
"""

from __future__ import annotations

import numpy as np

WIDTH_EV = 0.12  #: standard deviation of the blur of analyser and helium line

PHOTON_EV = 1486.7
#: Level: binding energy of the strong line, splitting, weak : strong, Scofield cross-section of the
#: pair (C 1s = 1), lifetime and Gaussian width, all eV.
LEVELS = {
    "I 3d": (619.0, 11.50, 0.69, 33.64, 0.55, 0.75),
    "I 4d": (49.4, 1.70, 0.69, 4.13, 0.25, 0.75),
    "Br 3d": (68.4, 1.05, 0.69, 2.84, 0.20, 0.75),
    "Pb 4f": (138.2, 4.87, 0.786, 22.74, 0.25, 0.75),
    "Pb 5d": (19.8, 2.60, 0.70, 2.51, 0.30, 0.80),
    "N 1s": (402.4, 0, 0, 1.80, 0.2, 1.0),
    "C 1s": (285.0, 0, 0, 1.00, 0.2, 1.2),
    "O 1s": (532.0, 0, 0, 2.93, 0.2, 1.6),
}


def attenuation_length_nm(kinetic_eV):
    """A power law of the kinetic energy, 2.9 nm at 1400 eV, exponent 0.76; not the formula of the
    analysis."""
    return 2.9 * (np.asarray(kinetic_eV) / 1400) ** 0.76


def transmission(kinetic_eV):
    """Of a hemispherical analyser at fixed pass energy, relative to 1000 eV."""
    return (np.asarray(kinetic_eV) / 1000) ** -0.55


def depth_factor(kinetic_eV, *, shell_nm: float = 0.0) -> float:
    """Signal of a core under a ligand shell, summed over thin layers and particles, in nm of
    core."""
    edge_nm, layers = 14.0, 400
    length = attenuation_length_nm(kinetic_eV)
    pitch = edge_nm + 2 * shell_nm
    z = (np.arange(layers * 8) + 0.5) * pitch / layers
    core = np.abs((z % pitch) - pitch / 2) < edge_nm / 2
    return float((core * np.exp(-z / length)).sum() * pitch / layers)


def core_levels(
    energy_eV,
    amounts: dict[str, float],
    *,
    counts_per_unit: float,
    shell_nm: float = 0.0,
) -> np.ndarray:
    """Expected counts over binding energy; `amounts` are atoms per formula unit by element, C and O
    as given (shell)."""
    loss_B_eV2, floor = 1800.0, 150.0
    from scipy.special import voigt_profile

    x = np.asarray(energy_eV, float)
    # Losses of lines below the window's low edge come from a wider, coarser spectrum.
    wide = np.arange(0, x.max() + 15, 0.1)
    signal = np.zeros_like(wide)
    for name, (at, split, weak, cross, lorentz, gauss) in LEVELS.items():
        element = name.split()[0]
        if not amounts.get(element) or at > wide[-1]:
            continue
        kinetic = PHOTON_EV - at
        shape = voigt_profile(wide - at, gauss / 2.355, lorentz / 2)
        if weak:
            shape = (
                shape + weak * voigt_profile(wide - at - split, gauss / 2.355, lorentz / 2)
            ) / (1 + weak)
        depth = (
            depth_factor(kinetic, shell_nm=shell_nm)
            if element not in ("C", "O")
            else attenuation_length_nm(kinetic)
        )
        signal += counts_per_unit * amounts[element] * cross * depth * transmission(kinetic) * shape
    t = np.arange(0.05, wide[-1], 0.1)
    loss = loss_B_eV2 * t / (1643 + t**2) ** 2
    background = np.convolve(signal, loss)[: len(wide)] * 0.1
    return np.interp(x, wide, signal) + np.interp(x, wide, background) + floor


def secondary_edge(
    binding_eV,
    *,
    work_function_eV: float,
) -> np.ndarray:
    """Expected counts of the secondary cascade E/(E + phi)^4 above the vacuum level, blurred by the
    analyser."""
    height, photon_eV = 40000.0, 21.218
    x = np.asarray(binding_eV, float)
    fine = np.arange(x.min() - 2, x.max() + 2, 0.005)
    kinetic = photon_eV - fine - work_function_eV  # above the vacuum level
    # A smooth surface barrier lets the cascade start steeply: escape probability 1 - sqrt(phi/(E +
    # phi)) would soften it.
    cascade = np.where(
        kinetic > 0, (0.35 + np.maximum(kinetic, 0)) / (1.4 + np.maximum(kinetic, 0)) ** 3.2, 0
    )
    n = int(5 * WIDTH_EV / 0.005)
    kernel = np.exp(-0.5 * (np.arange(-n, n + 1) * 0.005 / WIDTH_EV) ** 2)
    return (
        np.interp(x, fine, np.convolve(cascade / cascade.max(), kernel / kernel.sum(), "same"))
        * height
        + 60
    )


def valence_region(binding_eV, *, onset_eV: float) -> np.ndarray:
    """Expected counts of a valence band: density of states with a weak foot at the edge (Endres et
    al., J. Phys. Chem. Lett. 7, 2722 (2016)), blurred."""
    x = np.asarray(binding_eV, float)
    fine = np.arange(x.min() - 2, x.max() + 3, 0.01)
    e = fine - onset_eV
    density = (
        np.where(e > 0, np.minimum(e, 1.1), 0)
        + 0.9 * np.exp(-0.5 * ((e - 2.3) / 0.55) ** 2)
        + 0.6 * np.exp(-0.5 * ((e - 3.9) / 0.8) ** 2) * (e > 0)
    )
    density += 0.02 * np.where(e > -0.35, np.clip(e + 0.35, 0, 0.35) / 0.35, 0)
    n = int(5 * WIDTH_EV / 0.01)
    kernel = np.exp(-0.5 * (np.arange(-n, n + 1) * 0.01 / WIDTH_EV) ** 2)
    return (
        np.interp(x, fine, np.convolve(density, kernel / kernel.sum(), "same")) * 9000.0 / 1.4 + 120
    )


def photothermal(
    energy_eV,
    *,
    gap_eV: float,
    urbach_meV: float,
) -> np.ndarray:
    """Deflection signal: Elliott absorption above, exponential tail below, saturation 1 -
    exp(-alpha d), and a floor of scattered light."""
    exciton_meV, thickness_um, floor = 25.0, 0.25, 3e-4
    e = np.asarray(energy_eV, float)
    u = urbach_meV * 1e-3
    # The tail joins where the broadened edge has its slope: one Urbach energy below the exciton.
    join = gap_eV - exciton_meV * 1e-3 - u
    above = np.maximum(e - gap_eV, 0)
    rydberg = exciton_meV * 1e-3
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.pi * np.sqrt(rydberg / np.maximum(above, 1e-12))
        continuum = np.where(above > 0, 2 * np.pi * np.sqrt(rydberg) / (1 - np.exp(-2 * k)), 0.0)
    sigma = u
    grid = np.arange(e.min() - 0.2, e.max() + 0.2, 0.001)
    bare = np.interp(grid, e, continuum)
    n = int(6 * sigma / 0.001)
    kernel = 1 / np.cosh(np.arange(-n, n + 1) * 0.001 / sigma)
    smooth = np.interp(e, grid, np.convolve(bare, kernel / kernel.sum(), "same"))
    peak = np.interp(join, e, smooth) + 1e-12
    alpha = (
        np.where(e < join, peak * np.exp((e - join) / u), smooth) / peak * 2.0
    )  # per micrometre at the join
    return 1 - np.exp(-alpha * thickness_um) + floor


#: Bands of the model films: position, width, relative height, Lorentzian share; by component.
BANDS = {
    "oleic": (
        (2924, 26, 1.0, 0.5),
        (2853, 20, 0.75, 0.5),
        (1710, 26, 0.25, 0.4),
        (1545, 42, 0.35, 0.5),
        (1466, 18, 0.30, 0.5),
        (1406, 26, 0.18, 0.5),
        (3005, 16, 0.08, 0.4),
        (722, 14, 0.12, 0.5),
    ),
    "MA": (
        (3180, 75, 0.40, 0.3),
        (3130, 60, 0.30, 0.3),
        (1585, 30, 0.15, 0.4),
        (1469, 16, 0.22, 0.4),
        (1250, 18, 0.05, 0.4),
        (960, 14, 0.32, 0.5),
        (911, 22, 0.38, 0.5),
    ),
    "EDTA": (
        (1688, 38, 0.40, 0.4),
        (1610, 48, 0.55, 0.5),
        (1392, 34, 0.35, 0.5),
        (1318, 24, 0.15, 0.5),
        (1210, 26, 0.12, 0.5),
        (3020, 120, 0.12, 0.2),
    ),
    "GL": (
        (3345, 70, 0.28, 0.3),
        (3250, 80, 0.25, 0.3),
        (1713, 24, 0.30, 0.4),
        (1645, 40, 0.60, 0.5),
        (1535, 44, 0.50, 0.5),
        (1280, 30, 0.16, 0.5),
        (1072, 26, 0.10, 0.5),
        (2525, 24, 0.10, 0.4),
    ),
}


def infrared_film(wavenumber_cm1, parts: dict[str, float], rng) -> np.ndarray:
    """ATR absorbance on diamond: bands weighted by the depth of the wave, a sloping foot, water and
    carbon dioxide, detector noise."""
    index, crystal = 1.8, 2.40
    x = np.asarray(wavenumber_cm1, float)
    total = np.zeros_like(x)
    for name, amount in parts.items():
        for at, width, height, share in BANDS[name]:
            u = (x - at) / width
            total += amount * height * (share / (1 + 4 * u**2) + (1 - share) * 2.0 ** (-4 * u**2))
    depth = 1e4 / x / (2 * np.pi * np.sqrt((crystal * np.sin(np.pi / 4)) ** 2 - index**2 * 0.85))
    vapour = (
        sum(
            a * 2.0 ** (-4 * ((x - p) / 5) ** 2)
            for p, a in ((1558, 3), (1653, 3), (1684, 2), (1734, 2), (3736, 3), (3854, 2))
        )
        * 4e-4
    )
    dioxide = 0.006 * (2.0 ** (-4 * ((x - 2340) / 22) ** 2) + 2.0 ** (-4 * ((x - 2363) / 18) ** 2))
    foot = 0.02 + 0.015 * ((4000 - x) / 3400) ** 2 + 0.01 * np.sin(x / 900)
    return 0.16 * total * depth / 1.6 + vapour + dioxide + foot + rng.normal(0, 3e-4, len(x))
