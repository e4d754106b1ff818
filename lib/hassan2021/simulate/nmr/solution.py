"""Protons in solution: coupled spins by their density matrix, exchanging between free ligand and
lead complex.

The coherences with one flip are propagated in time steps under the commutator with the Hamiltonian,
relaxation and exchange (Bloch-McConnell); no frequency of a line is ever calculated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import expm
from scipy.optimize import brentq


@dataclass(frozen=True)
class Spins:
    """A spin system in one chemical state: shifts (ppm), couplings (Hz, {(i, j): J}), natural
    widths (Hz) of each spin."""

    shifts_ppm: tuple[float, ...]
    couplings_Hz: dict
    widths_Hz: tuple[float, ...]

    def moved(self, shifts=None, couplings=None, widths=None) -> Spins:
        """The same system with some shifts added, couplings replaced and widths added."""
        shift = np.array(self.shifts_ppm) + np.array(
            shifts if shifts is not None else np.zeros(len(self.shifts_ppm))
        )
        width = np.array(self.widths_Hz) + np.array(
            widths if widths is not None else np.zeros(len(self.widths_Hz))
        )
        return replace(
            self,
            shifts_ppm=tuple(shift),
            couplings_Hz={**self.couplings_Hz, **(couplings or {})},
            widths_Hz=tuple(width),
        )


def decay(
    time_s: np.ndarray,
    free: Spins,
    bound: Spins | None,
    fraction_bound: float,
    k_off_s: float,
    carrier_ppm: float,
    reference_MHz: float,
) -> np.ndarray:
    """Signal of one spin system that exchanges between two states; amplitude at time zero is the
    number of spins.

    Parameters
    ----------
    time_s : ndarray
        Equidistant.
    fraction_bound : float
        Population of the bound state at equilibrium.
    k_off_s : float
        Rate of leaving it.
    """
    n = len(free.shifts_ppm)
    states = (
        [(free, 1.0)]
        if bound is None or fraction_bound <= 0
        else [(free, 1 - fraction_bound), (bound, fraction_bound)]
    )
    blocks = [_blocks(state, carrier_ppm, reference_MHz) for state, _ in states]
    k_on = k_off_s * fraction_bound / (1 - fraction_bound) if len(states) == 2 else 0.0
    step = time_s[1] - time_s[0]
    total = np.zeros(len(time_s), complex)
    stride = int(np.ceil(np.sqrt(len(time_s))))
    for k in range(n):
        liouvillians = [block[k][0] for block in blocks]
        ladder = blocks[0][k][1]
        size = len(ladder)
        if len(states) == 1:
            generator, start, detect = liouvillians[0], ladder.astype(complex), ladder
        else:
            one = np.eye(size)
            generator = np.block(
                [
                    [liouvillians[0] - k_on * one, k_off_s * one],
                    [k_on * one, liouvillians[1] - k_off_s * one],
                ]
            )
            start = np.concatenate([states[0][1] * ladder, states[1][1] * ladder]).astype(complex)
            detect = np.concatenate([ladder, ladder])
        if time_s[0]:
            start = expm(generator * time_s[0]) @ start
        small = expm(generator * step)
        # Small steps from the start, large steps from the detector: their products are all times.
        states_in = np.empty((len(start), stride), complex)
        states_in[:, 0] = start
        filled = 1
        power = small
        while filled < stride:
            width = min(filled, stride - filled)
            states_in[:, filled : filled + width] = power @ states_in[:, :width]
            filled += width
            power = power @ power
        large = np.linalg.matrix_power(small, stride)
        rows = np.empty((stride, len(start)), complex)
        rows[0] = detect
        for i in range(1, stride):
            rows[i] = rows[i - 1] @ large
        total += (rows @ states_in).ravel()[: len(time_s)]
    return total / 2 ** (n - 1)


def _blocks(state: Spins, carrier_ppm: float, reference_MHz: float):
    """For each step of the total z component: the Liouvillian on its coherences and the raising
    operator there."""
    n = len(state.shifts_ppm)
    half = {"z": np.diag([0.5, -0.5]), "+": np.array([[0.0, 1.0], [0.0, 0.0]])}
    half["-"] = half["+"].T

    def operator(which: str, spin: int) -> np.ndarray:
        full = np.eye(1)
        for i in range(n):
            full = np.kron(full, half[which] if i == spin else np.eye(2))
        return full

    z = [operator("z", i) for i in range(n)]
    raise_ = [operator("+", i) for i in range(n)]
    hamiltonian = sum(
        2 * np.pi * (shift - carrier_ppm) * reference_MHz * z[i]
        for i, shift in enumerate(state.shifts_ppm)
    )
    for (i, j), coupling in state.couplings_Hz.items():
        flip = 0.5 * (raise_[i] @ raise_[j].T + raise_[i].T @ raise_[j])
        hamiltonian = hamiltonian + 2 * np.pi * coupling * (z[i] @ z[j] + flip)
    magnetisation = np.rint(sum(np.diag(m) for m in z) + n / 2).astype(int)
    spins_up = np.array([np.diag(m) > 0 for m in z])
    found = []
    for k in range(n):
        upper, lower = np.flatnonzero(magnetisation == k + 1), np.flatnonzero(magnetisation == k)
        a, b = hamiltonian[np.ix_(upper, upper)], hamiltonian[np.ix_(lower, lower)]
        commutator = np.kron(a, np.eye(len(lower))) - np.kron(np.eye(len(upper)), b.T)
        # Coherences in which a spin is flipped decay with that spin's rate.
        differs = spins_up[:, upper][:, :, None] != spins_up[:, lower][:, None, :]
        rate = np.einsum(
            "i,iab->ab", np.pi * np.array(state.widths_Hz), differs.astype(float)
        ).ravel()
        ladder = sum(m[np.ix_(upper, lower)] for m in raise_).ravel()
        found.append((1j * commutator - np.diag(rate), ladder))
    return found


def exponential(
    time_s: np.ndarray,
    shift_ppm: float,
    protons: float,
    width_Hz: float,
    carrier_ppm: float,
    reference_MHz: float,
    *,
    gauss_Hz: float = 0.0,
) -> np.ndarray:
    """An uncoupled line with Lorentzian and Gaussian decay."""
    t = time_s
    return protons * np.exp(
        2j * np.pi * (shift_ppm - carrier_ppm) * reference_MHz * t
        - np.pi * width_Hz * t
        - (np.pi * gauss_Hz * t) ** 2 / (4 * np.log(2))
    )


def chd2(
    time_s: np.ndarray,
    shift_ppm: float,
    protons: float,
    coupling_Hz: float,
    width_Hz: float,
    carrier_ppm: float,
    reference_MHz: float,
) -> np.ndarray:
    """Residual CHD2 of a deuterated methyl: coupled to two spins 1."""
    modulation = (1 + 2 * np.cos(2 * np.pi * coupling_Hz * time_s)) ** 2 / 9
    return (
        exponential(time_s, shift_ppm, protons, width_Hz, carrier_ppm, reference_MHz) * modulation
    )


def bound_fractions(lead_M: float, ligands_M: list[float], constants: list[float]) -> list[float]:
    """Fraction of each ligand in a 1:1 complex when all compete for the same lead (mass balance of
    the free lead)."""
    if lead_M <= 0:
        return [0.0] * len(ligands_M)

    def surplus(free: float) -> float:
        return (
            free
            + sum(
                total * k * free / (1 + k * free)
                for total, k in zip(ligands_M, constants, strict=True)
            )
            - lead_M
        )

    free = brentq(surplus, 0.0, lead_M, xtol=1e-15)
    return [k * free / (1 + k * free) for k in constants]
