"""Carbon-13 under magic-angle spinning after cross polarisation.

The shift tensor is turned with the rotor in small steps for many orientations of the powder;
sidebands come out of the phase that has been collected, not from a formula for their intensities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORIENTATIONS = 240  #: of crystallites in a powder

MAGIC_ANGLE = np.arccos(1 / np.sqrt(3))


@dataclass(frozen=True)
class Site:
    """One carbon.

    Attributes
    ----------
    name : str
    shift_ppm : float
    amount : float
        Moles per mole of oleyl chains, times carbons.
    lorentz_Hz, gauss_Hz : float
        Homogeneous (decoupling left over) and inhomogeneous width.
    anisotropy_ppm, asymmetry : float
        Of the shift tensor (reduced anisotropy).
    t_is_s, t1rho_s : float
        Cross-polarisation time and proton relaxation in the rotating frame.
    """

    name: str
    shift_ppm: float
    amount: float
    lorentz_Hz: float
    gauss_Hz: float
    anisotropy_ppm: float
    asymmetry: float
    t_is_s: float
    t1rho_s: float


def rotor_echoes(
    anisotropy_ppm: float, asymmetry: float, frequency_MHz: float, mas_rate_Hz: float, steps: int
) -> np.ndarray:
    """Powder signal over one rotor period at `steps` equidistant times: periodic, 1 at time
    zero."""
    if abs(anisotropy_ppm) < 1e-9:
        return np.ones(steps, complex)
    fine = 8 * steps
    angle = 2 * np.pi * np.arange(fine) / fine
    field = np.array(
        [
            np.sin(MAGIC_ANGLE) * np.cos(angle),
            -np.sin(MAGIC_ANGLE) * np.sin(angle),
            np.full(fine, np.cos(MAGIC_ANGLE)),
        ]
    )
    # Fibonacci points on the sphere for the tensor's z axis, golden turns about it; the rotor phase
    # is averaged as well.
    index = np.arange(ORIENTATIONS) + 0.5
    beta, alpha = np.arccos(1 - 2 * index / ORIENTATIONS), np.pi * (1 + 5**0.5) * index
    turn = 2 * np.pi * ((index * 0.5545497) % 1.0)
    principal = anisotropy_ppm * np.array([-(1 + asymmetry) / 2, -(1 - asymmetry) / 2, 1.0])
    total = np.zeros(steps, complex)
    for a, b, c in zip(alpha, beta, turn, strict=True):
        z1 = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        z2 = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        turned = z1 @ y @ z2
        tensor = turned @ np.diag(principal) @ turned.T
        offset = (
            np.einsum("it,ij,jt->t", field, tensor, field) * frequency_MHz
        )  # Hz at each rotor angle
        phase = (
            np.concatenate([[0.0], np.cumsum(0.5 * (offset + np.roll(offset, -1)))])
            * 2
            * np.pi
            / (mas_rate_Hz * fine)
        )
        phase -= np.linspace(0, phase[-1], fine + 1)  # the isotropic part of a finite sum
        wave = np.exp(1j * phase[:fine])
        # Average over the rotor's starting phase: correlation of the wave with itself.
        total += np.fft.ifft(np.abs(np.fft.fft(wave)) ** 2)[:: fine // steps] / fine
    return total / ORIENTATIONS


def polarised(site: Site, contact_s: float) -> float:
    """Carbon magnetisation after a contact: two coupled rate equations integrated in steps
    (abundant protons decay)."""
    steps = 4000
    dt = contact_s / steps
    carbon, proton = 0.0, 1.0
    for _ in range(steps):
        half = proton * np.exp(-0.5 * dt / site.t1rho_s)
        carbon = half + (carbon - half) * np.exp(-dt / site.t_is_s)
        proton *= np.exp(-dt / site.t1rho_s)
    return carbon


def decay(
    time_s: np.ndarray,
    sites: list[Site],
    *,
    contact_s: float,
    mas_rate_Hz: float,
    carrier_ppm: float,
    reference_MHz: float,
) -> np.ndarray:
    """Signal of all sites; amplitude at time zero is the polarised amount."""
    step = time_s[1] - time_s[0]
    per_turn = round(1 / (mas_rate_Hz * step))
    if abs(per_turn * step * mas_rate_Hz - 1) > 1e-9:
        raise ValueError(
            "time step: expected a whole fraction of the rotor period "
            f"{1 / mas_rate_Hz:g} s, found {step:g} s"
        )
    total = np.zeros(len(time_s), complex)
    for site in sites:
        echoes = rotor_echoes(
            site.anisotropy_ppm, site.asymmetry, reference_MHz, mas_rate_Hz, per_turn
        )
        echoes = np.roll(echoes, -round(time_s[0] / step))
        line = np.exp(
            2j * np.pi * (site.shift_ppm - carrier_ppm) * reference_MHz * time_s
            - np.pi * site.lorentz_Hz * time_s
            - (np.pi * site.gauss_Hz * time_s) ** 2 / (4 * np.log(2))
        )
        total += site.amount * polarised(site, contact_s) * line * np.resize(echoes, len(time_s))
    return total
