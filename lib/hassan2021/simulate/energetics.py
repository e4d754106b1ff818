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
