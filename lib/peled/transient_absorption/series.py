"""Sets of one sample at rising pump fluence in one fit: the fluence is the third axis.

Rates of every order act on the same density at each fluence, so that what a set alone takes for a
shorter lifetime is told from what pairs and triples of carriers do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import Matrix
from peled.transient_absorption.terms import Recombination

LEAST = 3  #: fluences that tell the orders apart


def fluence_fit(sets: Mapping[float, tuple[Matrix, GlobalFit]], orders: Sequence[int]) -> GlobalFit:
    """One fit of dn/dt = −n/τ₁ − n²/τ₂ − n³/τ₃ to all sets, in place of their slowest decay.

    Densities count in that of the lowest fluence, at which 1/τ of each order is its share of the
    rate. Faster decays, response and dispersion are common to all sets; zero times and spectra are
    each set's own.

    Parameters
    ----------
    sets : mapping
        Fluence → matrix and its own fit.
    orders : sequence of int
        Of 1, 2, 3.

    Returns
    -------
    GlobalFit
        With `tau_first`, `tau_second`, `tau_third`, ps.

    Raises
    ------
    ValueError
        For fewer than `LEAST` fluences, or orders that are none.

    References
    ----------
    .. [1] M. B. Johnston and L. M. Herz, Acc. Chem. Res. 49, 146 (2016),
           doi:10.1021/acs.accounts.5b00411
    """
    if len(sets) < LEAST:
        raise ValueError(f"fluence series: expected at least {LEAST} fluences, found {len(sets)}")
    fluences = sorted(sets)
    first, last = (np.sort(sets[f][1].lifetimes_ps) for f in (fluences[0], fluences[-1]))
    slow, rise = float(first[-1]), fluences[-1] / fluences[0]
    # what the highest fluence adds to the rate, as if of each order alone
    added = max(1 / float(last[-1]) - 1 / slow, 0.1 / slow)
    starts = {n: slow if n == 1 else rise ** (n - 1) / added for n in orders}
    model = sets[fluences[0]][1].model
    model = replace(
        model,
        **{**sets[fluences[0]][1].starts, "lifetimes_ps": tuple(first[:-1]), "t0_ps": None},
        law=Recombination(starts, reference=fluences[0]),
        fixed=tuple(n for n in model.fixed if n.startswith("dispersion")),
        bounds_ps={},
    )
    matrices = [
        replace(sets[f][0], fluence=f, name=f"at {f:g}".replace(".", "p")) for f in fluences
    ]
    return global_fit(matrices, model, starts=1)
