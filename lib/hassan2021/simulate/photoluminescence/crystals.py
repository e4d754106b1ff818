"""Absorption and emission of an ensemble of nanocrystals, summed crystal by crystal.

Each crystal has an edge and a composition; its gap follows from both, its absorption is Elliott's
with Gaussian broadening on an explicit energy grid and an Urbach tail, its emission follows from
its own absorption by detailed balance (W. van Roosbroeck, W. Shockley, Phys. Rev. 94 (1954) 1558):
absorption × E² × exp(−E/kT).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

HC = 1239.841984332
KT_EV = 0.025693  # 298.15 K


@dataclass(frozen=True)
class Ensemble:
    """Parameters of an ensemble; what the paper does not give is assumed."""

    edge_nm: float = 16.3  # paper
    edge_sd_nm: float = 2.0  # paper
    bromide: float = 0.60  # paper, XPS
    bromide_sd: float = 0.015  # assumed
    exciton_mass: float = 0.44  # assumed, m0
    binding_eV: float = 0.030  # assumed
    width_eV: float = 0.026  # homogeneous Gaussian sigma, assumed
    urbach_eV: float = 0.019  # assumed
    offset_eV: float = 0.0  # set by `tuned`
    nodes: int = 9


def gaps(ensemble: Ensemble) -> tuple[np.ndarray, np.ndarray]:
    """Gaps of the crystals in eV and their weights by volume, (k,) each."""
    x, w = np.polynomial.hermite_e.hermegauss(ensemble.nodes)
    edge, bromide = np.meshgrid(
        ensemble.edge_nm + ensemble.edge_sd_nm * x,
        ensemble.bromide + ensemble.bromide_sd * x,
        indexing="ij",
    )
    weight = np.outer(w, w) * np.maximum(edge, 1.0) ** 3 * (edge > 3.0)
    confinement = (
        3
        * (np.pi * 1.054571817e-34) ** 2
        / (2 * ensemble.exciton_mass * 9.1093837e-31 * (np.maximum(edge, 3.0) * 1e-9) ** 2)
        / 1.602176634e-19
    )
    gap = 1.57 + 0.39 * bromide + 0.33 * bromide**2 + confinement + ensemble.offset_eV
    return gap.ravel(), (weight / weight.sum()).ravel()


def line_absorption(grid_eV: np.ndarray, ensemble: Ensemble) -> np.ndarray:
    """Absorption (n,) of one crystal against E − gap, by brute force: sum over bound states and
    continuum slices."""
    fine = np.arange(-0.4, 1.6, 0.001)
    strength = np.zeros_like(fine)
    eb = ensemble.binding_eV
    for level in (1, 2, 3, 4):
        strength[np.argmin(np.abs(fine + eb / level**2))] += 2 * eb / level**3 / 0.001
    above = fine > 0
    strength[above] += 1 / -np.expm1(
        -2 * np.pi * np.sqrt(eb / fine[above])
    )  # Sommerfeld factor × root density
    kernel_axis = np.arange(-0.25, 0.2501, 0.001)
    kernel = np.exp(-0.5 * (kernel_axis / ensemble.width_eV) ** 2)
    smooth = np.convolve(strength, kernel / kernel.sum(), mode="same")
    # Below the point where the logarithmic slope has fallen to that of the Urbach tail, the tail
    # takes over.
    slope = np.gradient(np.log(np.maximum(smooth, 1e-300)), fine)
    low = np.flatnonzero((slope < 1 / ensemble.urbach_eV) & (fine > -eb - 0.2))[0]
    tail = smooth[low] * np.exp((fine - fine[low]) / ensemble.urbach_eV)
    return np.interp(grid_eV, fine, np.where(np.arange(fine.size) < low, tail, smooth))


def absorption(energy_eV: np.ndarray, ensemble: Ensemble) -> np.ndarray:
    """Relative absorption coefficient (n,) of the ensemble."""
    gap, weight = gaps(ensemble)
    offset = np.arange(-0.45, 1.5, 0.001)
    one = line_absorption(offset, ensemble)
    return weight @ np.interp(energy_eV[None, :] - gap[:, None], offset, one)


def emission(energy_eV: np.ndarray, ensemble: Ensemble) -> np.ndarray:
    """Photons per eV (n,), unit area: each crystal emits as many photons as it has volume, spectrum
    by detailed balance."""
    gap, weight = gaps(ensemble)
    offset = np.arange(-0.45, 0.6, 0.001)
    one = line_absorption(offset, ensemble)
    e = energy_eV[None, :]
    spectra = (
        np.interp(e - gap[:, None], offset, one, left=0)
        * e**2
        * np.exp(-(e - gap[:, None]) / KT_EV)
    )
    spectra /= np.trapezoid(spectra, energy_eV, axis=1)[:, None]
    return weight @ spectra


def emission_nm(wavelength_nm: np.ndarray, ensemble: Ensemble) -> np.ndarray:
    """Photons per nm (n,), unit area."""
    energy = np.linspace(1.4, 2.5, 1101)
    spectrum = emission(energy, ensemble)
    photons = np.interp(HC / wavelength_nm, energy, spectrum) * HC / wavelength_nm**2
    return photons / np.trapezoid(photons, wavelength_nm)


def tuned(ensemble: Ensemble, peak_nm: float) -> Ensemble:
    """The ensemble with its gap moved rigidly so that it emits most photons per nm at `peak_nm`."""
    w = np.arange(peak_nm - 40, peak_nm + 40, 0.02)
    for _ in range(6):
        spectrum = emission_nm(w, ensemble)
        k = int(np.argmax(spectrum))
        found = w[k]
        ensemble = replace(ensemble, offset_eV=ensemble.offset_eV + HC / peak_nm - HC / found)
    return ensemble
