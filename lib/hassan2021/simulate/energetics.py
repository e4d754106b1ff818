"""Frenkel pairs counted state by state in one small crystal: no mass action, no Stirling.

A crystal with N lattice sites and M interstitial sites has C(N, n) C(M, n) ways to hold n pairs,
each of weight exp(-nE/kT).
"""

from __future__ import annotations

import numpy as np

TEMPERATURE_K = 300.0  #: of the crystal

BOLTZMANN_EV_K = 1.380649e-23 / 1.602176634e-19  # exact in the SI of 2019


def pair_distribution(energy_eV: float, sites: int, interstitials: int) -> np.ndarray:
    """Probability of n = 0, 1, ... pairs; shape (min(sites, interstitials) + 1,)."""
    most = min(sites, interstitials)
    log_weight = np.zeros(most + 1)
    n = np.arange(most)
    # W(n+1)/W(n) = (N - n)(M - n)/(n + 1)² exp(-E/kT): one pair more, one choice of each site less.
    log_weight[1:] = np.cumsum(
        np.log((sites - n) * (interstitials - n) / (n + 1.0) ** 2)
        - energy_eV / (BOLTZMANN_EV_K * TEMPERATURE_K)
    )
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def hopping(
    energy_eV: float,
    sites: int,
    interstitials: int,
    *,
    sweeps: int = 2000,
    seed: int = 0,
) -> float:
    """Mean number of pairs in a Metropolis walk of single ions between lattice and interstitial
    sites.

    Each move picks an ion and an empty site of the other kind at random; the ratio of the numbers
    of choices there and back keeps detailed balance.
    """
    rng = np.random.default_rng(seed)
    factor = np.exp(-energy_eV / (BOLTZMANN_EV_K * TEMPERATURE_K))
    n, total, counted = 0, 0, 0
    draws = rng.random((sweeps * sites, 2))
    for k, (way, accept) in enumerate(draws):
        if (
            way < 0.5
            # make a pair: one of N - n ions, one of M - n empty interstitials; back: one of n each
        ):
            if (
                n < min(sites, interstitials)
                and accept < factor * (sites - n) * (interstitials - n) / (n + 1) ** 2
            ):
                n += 1
        elif n > 0 and accept < n * n / ((sites - n + 1) * (interstitials - n + 1)) / factor:
            n -= 1
        if k > len(draws) // 10:
            total, counted = total + n, counted + 1
    return total / counted


def noisy_energies(
    true_eV: np.ndarray, *, error_eV: float, shared: float, sets: int, seed: int
) -> np.ndarray:
    """Formation energies as a method with errors would give them: one error shared by all surfaces,
    one for each; shape (sets, surfaces)."""
    rng = np.random.default_rng(seed)
    true = np.asarray(true_eV, float)
    common = rng.normal(0, error_eV * np.sqrt(shared), (sets, 1))
    return true + common + rng.normal(0, error_eV * np.sqrt(1 - shared), (sets, len(true)))
