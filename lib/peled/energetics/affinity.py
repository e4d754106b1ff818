"""How strongly two chelators hold lead: energies of complexes in vacuum against stability
constants in water.

A difference of binding energies dE is worth dE / (kT ln 10) units of log K if entropies and
solvation were equal.
In water they are not: protons compete for the donors. The conditional constant at a pH counts them,
K' = K / alpha with alpha = sum over j of 10^(sum of the j highest pKa - j pH) (Ringbom,
Complexation in Analytical Chemistry, 1963).
Above pH 8 lead itself takes hydroxide, which a second coefficient counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from peled.formats import FormatError, read_yaml
from peled.formats.contract import reader
from peled.materials import K_EV

#: log10 of the hydrolysis constants of Pb2+, to Pb(OH)+, Pb(OH)2 and Pb(OH)3-, at 25 C and zero
#: ionic strength (Baes & Mesmer, The Hydrolysis of Cations, 1976).
LEAD_HYDROLYSIS = (-7.71, -17.12, -28.06)


def log_units(energy_eV: ArrayLike, temperature_K: float = 300.0) -> np.ndarray:
    """Energy in units of log10 K.

    Parameters
    ----------
    energy_eV : array_like
    temperature_K : float

    Returns
    -------
    ndarray
        E / (kT ln 10), of the shape of `energy_eV`.

    Examples
    --------
    >>> float(log_units(0.80).round(2))
    13.44
    """
    return np.asarray(energy_eV, float) / (K_EV * temperature_K * np.log(10))


def log_alpha(pH: ArrayLike, pKa: Sequence[float]) -> np.ndarray:
    """log10 of the side-reaction coefficient of a ligand with protons: total over fully
    deprotonated ligand.

    Parameters
    ----------
    pH : array_like
    pKa : sequence of float
        Of the fully protonated ligand, in any order.

    Returns
    -------
    ndarray
        Of the shape of `pH`; 0 where the ligand is fully deprotonated.

    References
    ----------
    .. [1] Ringbom, Complexation in Analytical Chemistry (1963).

    Examples
    --------
    >>> float(log_alpha(9.25, [9.25]).round(3))     # half of an amine is protonated
    0.301
    """
    descending = np.sort(np.asarray(pKa, float))[::-1]
    steps = np.concatenate([[0.0], np.cumsum(descending)])
    exponents = steps - np.arange(len(steps)) * np.asarray(pH, float)[..., None]
    return np.log10(np.sum(10.0**exponents, axis=-1))


def log_alpha_metal(pH: ArrayLike, hydrolysis: Sequence[float] = LEAD_HYDROLYSIS) -> np.ndarray:
    """log10 of the side-reaction coefficient of a metal ion with hydroxide: total over free aqua
    ion, from log10 of M + q H2O = M(OH)q + q H.

    Parameters
    ----------
    pH : array_like
    hydrolysis : sequence of float
        Cumulative constants, one hydroxide first; those of Pb2+ by default.

    Returns
    -------
    ndarray
        Of the shape of `pH`; 0 in acid.

    Examples
    --------
    >>> float(log_alpha_metal(7.71).round(2))       # as much Pb(OH)+ as Pb2+, a trace of Pb(OH)2
    0.31
    """
    steps = np.concatenate([[0.0], np.asarray(hydrolysis, float)])
    return np.log10(
        np.sum(10 ** (steps + np.arange(len(steps)) * np.asarray(pH, float)[..., None]), axis=-1)
    )


def conditional_log_k(log_k: ArrayLike, pH: ArrayLike, pKa: Sequence[float]) -> np.ndarray:
    """log10 of the constant that counts all uncomplexed ligand, protonated or not, and all
    uncomplexed lead, hydrolysed or not.

    Parameters
    ----------
    log_k : array_like
        Constant of the free metal with the fully deprotonated ligand.
    pH : array_like
    pKa : sequence of float
        See `log_alpha`; that of lead is by `log_alpha_metal`.

    Returns
    -------
    ndarray
        Of the broadcast shape of `log_k` and `pH`.

    Examples
    --------
    >>> float(conditional_log_k(18.0, 7.0, [10.2, 6.1, 2.7, 2.0]).round(1))
    14.7
    """
    return np.asarray(log_k, float) - log_alpha(pH, pKa) - log_alpha_metal(pH)


@dataclass(frozen=True)
class Speciation:
    """Equilibrium of one metal with several ligands, one to one (all mol/L): free metal and each
    complex.
    """

    free_metal: float
    complexes: tuple[float, ...]


def speciation(metal: float, ligands: Sequence[float], conditional: Sequence[float]) -> Speciation:
    """Distribution of a metal over competing ligands.

    Parameters
    ----------
    metal : float
        Total metal, mol/L.
    ligands : sequence of float
        Total of each ligand, mol/L.
    conditional : sequence of float
        log10 of each conditional constant.

    Returns
    -------
    Speciation

    Raises
    ------
    ValueError
        For negative totals or no metal.
    """
    if metal <= 0 or min(ligands, default=0) < 0 or len(ligands) != len(conditional):
        raise ValueError(
            f"expected metal > 0, ligands >= 0 and a constant for each, found {metal}, "
            f"{list(ligands)}, {list(conditional)}"
        )
    k, total = 10.0 ** np.asarray(conditional, float), np.asarray(ligands, float)

    def surplus(log_free: float) -> float:
        free = 10.0**log_free
        return np.log(free + np.sum(total * k * free / (1 + k * free))) - np.log(metal)

    low = np.log10(metal) - max(0.0, np.log10(1 + np.sum(k * total))) - 1
    free = 10.0 ** brentq(surplus, low, np.log10(metal) + 1e-12)
    return Speciation(float(free), tuple(float(x) for x in total * k * free / (1 + k * free)))


@reader("stability constants in YAML")
def constants(path: Path) -> dict:
    """Stability constants of a YAML file: by ligand `log_k` (low, high), `pKa`, `source`.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict
        Entries by ligand, as in the file.

    Raises
    ------
    FormatError
        If an entry lacks one of them or its numbers make no sense.
    """
    found = read_yaml(path, what="stability constants in YAML")
    try:
        for name, entry in found.items():
            low, high = map(float, entry["log_k"])
            if not (
                np.isfinite([low, high, *map(float, entry["pKa"])]).all()
                and low <= high
                and entry["source"]
            ):
                raise ValueError(f"{name}: {entry}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            path,
            expected="for each ligand log_k: [low, high], pKa: [...], source",
            found=str(error)[:120],
        ) from None
    return found
