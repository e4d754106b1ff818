"""Strongly coupled spin systems by their Hamiltonian, up to eight spins 1/2.

H = sum nu_i I_iz + sum J_ij I_i . I_j, in blocks of the total magnetic quantum number (it commutes
with H); lines are the transitions of I+ between neighbouring blocks (Corio, Structure of
High-Resolution NMR Spectra, 1966).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from peled.nmr.lines import fit_window, shape_columns
from peled.nmr.processing import Processed
from peled.separable import Sought, differences

MAX_SPINS = 8


@dataclass(frozen=True)
class Transitions:
    """Lines of a spin system: frequency offsets (Hz, from 0 ppm) and intensities whose sum is the
    number of spins.
    """

    frequency_Hz: np.ndarray
    intensity: np.ndarray


@lru_cache(maxsize=16)
def _bases(spins: int):
    """Basis states by total M, the z components, flip-flop partners and the raising operator
    between blocks.
    """
    states = np.arange(2**spins)
    bits = (states[:, None] >> np.arange(spins)) & 1  # 1: spin up
    ups = bits.sum(axis=1)
    blocks = [states[ups == k] for k in range(spins + 1)]
    places = np.empty(2**spins, int)
    for block in blocks:
        places[block] = np.arange(len(block))
    raising = []
    for k in range(spins):
        matrix = np.zeros((len(blocks[k + 1]), len(blocks[k])))
        for column, state in enumerate(blocks[k]):
            for i in range(spins):
                if not state >> i & 1:
                    matrix[places[state | 1 << i], column] = 1.0
        raising.append(matrix)
    flips = []
    for block in blocks:
        entries = {}
        for i in range(spins):
            for j in range(i + 1, spins):
                rows = [
                    (row, places[state ^ (1 << i) ^ (1 << j)])
                    for row, state in enumerate(block)
                    if (state >> i & 1) != (state >> j & 1)
                ]
                entries[i, j] = np.array(rows, int).reshape(-1, 2)
        flips.append(entries)
    return bits - 0.5, blocks, flips, raising


def transitions(
    shifts_ppm: Sequence[float],
    couplings_Hz: np.ndarray,
    reference_MHz: float,
    *,
    smallest: float = 1e-4,
) -> Transitions:
    """Lines of a spin system.

    Parameters
    ----------
    shifts_ppm : sequence of float, length n <= 8
    couplings_Hz : ndarray, shape (n, n)
        Only the upper triangle is read.
    reference_MHz : float
        Frequency at 0 ppm. Positions in Hz depend on it only through the shifts: a header that lies
        about the field gives wrong ppm, not wrong patterns.
    smallest : float
        Weaker transitions are left out.

    Returns
    -------
    Transitions

    Raises
    ------
    ValueError
        For more than eight spins or arrays that do not fit.

    References
    ----------
    .. [1] P. L. Corio, Chem. Rev. 60, 363 (1960), doi:10.1021/cr60206a003
    """
    nu = np.asarray(shifts_ppm, float) * reference_MHz
    n = len(nu)
    couplings = np.asarray(couplings_Hz, float)
    if not 1 <= n <= MAX_SPINS:
        raise ValueError(f"shifts: expected 1 to {MAX_SPINS} spins, found {n}")
    if couplings.shape != (n, n):
        raise ValueError(f"couplings: expected a matrix {n} by {n}, found {couplings.shape}")
    z, blocks, flips, raising = _bases(n)
    energies, vectors = [], []
    upper = np.triu(couplings, 1)
    for block, entries in zip(blocks, flips, strict=True):
        zb = z[block]
        h = np.diag(zb @ nu + np.einsum("si,ij,sj->s", zb, upper, zb))
        for (i, j), rows in entries.items():
            if upper[i, j] and len(rows):
                h[rows[:, 0], rows[:, 1]] += 0.5 * upper[i, j]
        e, v = np.linalg.eigh(h)
        energies.append(e)
        vectors.append(v)
    frequencies, intensities = [], []
    for k in range(n):
        strength = (vectors[k + 1].T @ raising[k] @ vectors[k]) ** 2
        gap = energies[k + 1][:, None] - energies[k][None, :]
        keep = strength > smallest
        frequencies.append(gap[keep])
        intensities.append(strength[keep])
    intensity = np.concatenate(intensities) / 2 ** (n - 1)
    return Transitions(np.concatenate(frequencies), intensity)


@dataclass(frozen=True)
class SpinFit:
    """A spin system fitted to a spectrum, with standard errors in the order of what was free."""

    shifts_ppm: np.ndarray
    shift_errors_ppm: np.ndarray
    couplings_Hz: np.ndarray
    coupling_errors_Hz: np.ndarray
    width_Hz: float
    width_error_Hz: float
    area: float
    area_error: float
    misfit: float
    converged: bool
    ppm: np.ndarray = field(repr=False)
    data: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)


def fit_spin_system(
    processed: Processed,
    window_ppm: tuple[float, float],
    shifts_ppm: Sequence[float],
    couplings_Hz: np.ndarray,
    *,
    width_Hz: float = 1.0,
    free_couplings: Sequence[tuple[int, int]] | None = None,
) -> SpinFit:
    """Fit shifts, couplings and one width of a spin system to a window.

    Parameters
    ----------
    processed : Processed
    window_ppm : (low, high)
        Spins whose lines lie outside may take part (their couplings act); their shifts are then
        held.
    shifts_ppm, couplings_Hz
        Starting values.
    width_Hz : float
        Starting value.
    free_couplings : sequence of (i, j), optional
        Couplings to fit; by default all that are not zero at the start.

    Returns
    -------
    SpinFit

    References
    ----------
    .. [1] P. L. Corio, Chem. Rev. 60, 363 (1960), doi:10.1021/cr60206a003
    """
    shifts = np.asarray(shifts_ppm, float)
    start = np.asarray(couplings_Hz, float)
    n = len(shifts)
    part = processed.window(*window_ppm)
    ppm, data = processed.ppm[part], processed.real[part]
    low, high = sorted(window_ppm)
    moved = np.flatnonzero((low <= shifts) & (shifts <= high))  # spins of the window
    pairs = (
        [(min(i, j), max(i, j)) for i, j in free_couplings]
        if free_couplings is not None
        else [(i, j) for i in range(n) for j in range(i + 1, n) if start[i, j] or start[j, i]]
    )
    base_j = np.triu(np.where(np.triu(start, 1) != 0, start, start.T), 1)
    frequency = processed.reference_MHz

    def unpack(p):
        s, j = shifts.copy(), base_j.copy()
        s[moved] += p[: len(moved)] / frequency
        for k, (a, b) in enumerate(pairs):
            j[a, b] = p[len(moved) + k]
        return s, j, float(p[-1])

    margin = 0.02 * (high - low)

    def design(p):
        s, j, width = unpack(p)
        found = transitions(s, j, frequency)
        place = found.frequency_Hz / frequency
        inside = (place > low - margin) & (place < high + margin)
        # Degenerate transitions are drawn once: lines closer than a hundredth of the width are one.
        order = np.argsort(place[inside])
        place, weight = place[inside][order], found.intensity[inside][order]
        bins = (
            np.floor(
                (place - low) * frequency / (0.01 * (width + processed.line_broadening_Hz))
            ).astype(np.int64)
            if len(place) > 64
            else np.arange(len(place))
        )
        _, inverse = np.unique(bins, return_inverse=True)
        total = np.bincount(inverse, weight)
        centre = np.bincount(inverse, weight * place) / np.maximum(total, 1e-300)
        if not len(total):
            return np.zeros((len(ppm), 1))
        return (shape_columns(processed, ppm, centre, width) @ total)[:, None]

    sought = {f"shift {k}": Sought(0.0, step=width_Hz, unit="Hz") for k in range(len(moved))}
    sought |= {
        f"coupling {a} {b}": Sought(base_j[a, b], step=0.3 * width_Hz, unit="Hz") for a, b in pairs
    }
    sought["width"] = Sought(width_Hz, step=0.3, log=True, unit="Hz")
    steps = [1e-4 * (s.step * s.value if s.log else s.step) for s in sought.values()]
    found, misfit = fit_window(
        processed, window_ppm, differences(design, steps), sought, ["area"], 1
    )
    s, j, width = unpack(found.values)
    error = found.errors
    shift_errors, coupling_errors = np.zeros(n), np.zeros((n, n))
    shift_errors[moved] = error[: len(moved)] / frequency
    for k, (a, b) in enumerate(pairs):
        coupling_errors[a, b] = error[len(moved) + k]
    k = len(sought)
    return SpinFit(
        s,
        shift_errors,
        j,
        coupling_errors,
        width,
        float(error[k - 1]),
        float(found.linear[0]),
        float(error[k]),
        misfit,
        found.estimates.converged,
        ppm,
        data,
        found.model,
    )
