"""Spectra and confocal images of crystals that segregate under light.

A film is many crystals, each with its own emission energy and its own moment at which an
iodide-rich region nucleates; from then on its carriers funnel into that region. Crystals bleach and
blink independently. Nothing is a sum of two Gaussian bands here: the two bands of the analysis are
a description to be tested.
"""

from __future__ import annotations

import numpy as np

from hassan2021.simulate.photoluminescence.crystals import HC


def spectra(
    rng: np.random.Generator,
    wavelength_nm: np.ndarray,
    times_s: np.ndarray,
    *,
    crystals: int,
    peak_nm: float,
    red_shift_eV: float,
    nucleation_s: float,
    extent: float,
    bleach_s: float,
    counts: float,
    spread_eV: float = 0.018,
    width_eV: float = 0.032,
    blinking: bool = False,
    dark: float = 20.0,
    dark_from_s: float = np.inf,
    recovery_s: float = 600.0,
) -> np.ndarray:
    """Photon counts (m, n) at m times.

    Parameters
    ----------
    crystals : int
        In view.
    nucleation_s, extent : float
        Mean time to the red region, and the mean share of emission it takes at the end.
    bleach_s : float
        Time in which half of the crystals have gone dark for good.
    counts : float
        Peak counts per nm of the first spectrum.
    dark_from_s, recovery_s : float
        When the light is switched off, and how fast the halides mix again.
    """
    home = HC / peak_nm + 0.0015 + rng.normal(0, spread_eV, crystals)
    share = np.clip(rng.normal(extent, 0.12 * extent, crystals), 0, 0.95)
    start = rng.exponential(nucleation_s, crystals)
    end = rng.exponential(bleach_s / np.log(2), crystals)
    red = home - red_shift_eV + rng.normal(0, 0.006, crystals)
    energy = HC / wavelength_nm
    out = np.empty((times_s.size, wavelength_nm.size))
    scale = None
    for k, t in enumerate(times_s):
        lit = min(t, dark_from_s)
        part = share * (start < lit) * np.exp(-max(t - dark_from_s, 0) / recovery_s)
        bright = (end > lit).astype(float)
        if blinking:
            bright *= rng.random(crystals) < 0.75
        main = np.zeros_like(energy)
        for centre, weight in ((home, bright * (1 - part)), (red, bright * part)):
            # Crystals binned by energy to 0.5 meV, each with its own Lorentz-Gauss line.
            grid = np.arange(1.6, 2.15, 0.0005)
            amount = np.histogram(
                centre, bins=np.append(grid, grid[-1] + 0.0005) - 0.00025, weights=weight
            )[0]
            use = amount > 0
            u = (energy[:, None] - grid[use]) / width_eV
            main += (0.92 * np.exp(-0.5 * u * u) + 0.08 / (1 + u * u) ** 2) @ amount[use]
        photons = main * energy**2  # per nm
        scale = scale or counts / photons.max()
        out[k] = rng.poisson(photons * scale + dark)
    return out


def confocal(
    rng: np.random.Generator,
    frames: int,
    pixels: int,
    pixel_nm: float,
    *,
    spacing_nm: float,
    layer_nm: float,
    psf_fwhm_nm: float,
    photons: float,
    dark: float,
    bleach_frames: float,
    dense: bool = False,
) -> np.ndarray:
    """Image stack (frames, pixels, pixels) of crystals at random places in a thin layer, blurred,
    blinking, counted."""
    side = pixels * pixel_nm
    margin = 2 * psf_fwhm_nm  # crystals just outside shine into the frame
    number = rng.poisson((side + 2 * margin) ** 2 * layer_nm / spacing_nm**3)
    x, y = rng.uniform(-margin, side + margin, (2, number))
    bright = photons * rng.gamma(4.0, 0.25, number) * (0.15 if dense else 1.0)
    end = rng.exponential(bleach_frames / np.log(2), number)
    sigma = psf_fwhm_nm / 2.35482
    centres = (np.arange(pixels) + 0.5) * pixel_nm
    gx = np.exp(-0.5 * ((centres[:, None] - x) / sigma) ** 2)
    gy = np.exp(-0.5 * ((centres[:, None] - y) / sigma) ** 2)
    on = rng.random((frames, number)) < (0.95 if dense else 0.7)
    stack = [rng.poisson((gy * (bright * on[f] * (end > f))) @ gx.T + dark) for f in range(frames)]
    return np.minimum(np.array(stack), 65535).astype(np.uint16)
