"""Monte Carlo of a synthesis at the bench: weighing, pipetting, purity, spills and solvent that
leaves.

It shares nothing with the first-order propagation in `peled.synthesis`: atomic weights are typed
here, every trial draws its own bottle, balance and pipette, and effects that the propagation does
not know (spills, evaporation) can be switched on to show what it would miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Abridged standard atomic weights and the bounds around them, IUPAC 2021
#: (doi:10.1515/pac-2019-0603).
ATOMIC_WEIGHTS = {
    "H": (1.008, 0.0002),
    "C": (12.011, 0.002),
    "N": (14.007, 0.001),
    "Br": (79.904, 0.003),
    "I": (126.90447, 0.00003),
    "Pb": (207.2, 1.1),
}
PBI2 = {"Pb": 1, "I": 2}
MABR = {"C": 1, "H": 6, "N": 1, "Br": 1}


@dataclass(frozen=True)
class Bench:
    """What goes wrong at a bench, as standard deviations unless said otherwise.

    Parameters
    ----------
    balance_calibration, balance_repeatability_mg : float
        Relative error common to the weighings of a trial; error of each weighing.
    pipette_calibration, pipette_repeatability : float
        Relative errors of volumes, common and each.
    purity_pbi2, purity_mabr : float
        Lower limit of the purity, uniform from there to 1.
    spill : float
        Mean fraction of each powder that misses the vial (exponential).
    evaporation : float
        Mean fraction of the solvent lost (exponential).
    """

    balance_calibration: float = 1e-4
    balance_repeatability_mg: float = 0.3
    pipette_calibration: float = 0.005
    pipette_repeatability: float = 0.008
    purity_pbi2: float = 0.9999
    purity_mabr: float = 1.0
    spill: float = 0.0
    evaporation: float = 0.0


def precursor(
    trials: int,
    *,
    mass_pbi2_mg: float,
    mass_mabr_mg: float,
    volume_mL: float,
    injected_mL: float,
    batches: int,
    bench: Bench,
    seed: int,
) -> dict[str, np.ndarray]:
    """Make the precursor solution `trials` times and inject it.

    Returns
    -------
    dict of ndarray
        Each of shape (trials,): `n_pbi2_mmol`, `n_mabr_mmol`, `iodide_to_bromide`, `x_iodide`,
        `lead_mol_L`, `injected_lead_mmol`.
    """
    rng = np.random.default_rng(seed)
    weight = {
        symbol: rng.uniform(value - error, value + error, trials)
        for symbol, (value, error) in ATOMIC_WEIGHTS.items()
    }
    balance = rng.normal(1, bench.balance_calibration, trials)
    pipette = rng.normal(1, bench.pipette_calibration, trials)

    def moles(mass: float, formula: dict, purity: float) -> np.ndarray:
        true = rng.normal(mass, bench.balance_repeatability_mg, trials) * balance
        if bench.spill:
            true = true * (1 - np.minimum(rng.exponential(bench.spill, trials), 0.5))
        return (
            true
            * rng.uniform(purity, 1, trials)
            / sum(count * weight[s] for s, count in formula.items())
        )

    def volume(nominal: float, times: int = 1) -> np.ndarray:
        each = rng.normal(1, bench.pipette_repeatability / times**0.5, trials)
        return nominal * times * pipette * each

    lead, bromide = (
        moles(mass_pbi2_mg, PBI2, bench.purity_pbi2),
        moles(mass_mabr_mg, MABR, bench.purity_mabr),
    )
    solvent = volume(volume_mL)
    if bench.evaporation:
        solvent = solvent * (1 - np.minimum(rng.exponential(bench.evaporation, trials), 0.5))
    concentration = lead / solvent
    return {
        "n_pbi2_mmol": lead,
        "n_mabr_mmol": bromide,
        "iodide_to_bromide": 2 * lead / bromide,
        "x_iodide": 2 * lead / (2 * lead + bromide),
        "lead_mol_L": concentration,
        "injected_lead_mmol": concentration * volume(injected_mL, batches),
    }


def crystals(
    count: int, *, edge_nm: float, edge_sd_nm: float, a_angstrom: float, seed: int
) -> dict[str, np.ndarray]:
    """Draw cubes and count their cells one by one: whole cells along each edge, lead atoms, lead
    atoms of the outer layer."""
    rng = np.random.default_rng(seed)
    cells = np.maximum(np.rint(rng.normal(edge_nm, edge_sd_nm, count) * 10 / a_angstrom), 1).astype(
        int
    )
    inner = np.maximum(cells - 2, 0)
    return {"cells": cells, "lead": cells**3, "surface_lead": cells**3 - inner**3}
