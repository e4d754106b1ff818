"""What a laboratory's own stack lets out: over its spectrum, from where it emits, by thickness.

The dipole model of `peled.led.ceiling` at a few wavelengths of equal photon number. With S the
spectrum of the unbounded emitter, F the Purcell factor and η the outcoupling, all of wavelength,

    F̄ = ∫ S F dλ,   η̄ = ∫ S F η dλ / F̄,   EQE_max = q F̄ / (1 − q + q F̄) · η̄

and, with the share a of the emitted light that the emitter takes back from the substrate,
EQE_max / (1 − q a) [1]_.

References
----------
.. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from peled.led.ceiling import Stack, emission
from peled.optics.dipole import substrate_reabsorption
from peled.quantities import Finding, Quantity

LINES = 5  #: wavelengths of equal photon number that stand for a spectrum
DEPTHS = 5  #: places of equal share that stand for a profile
TOLERANCE = 1e-3  #: of each integral: far below what thicknesses and indices leave open


class Assumed(NamedTuple):
    """What a stack's table does not say.

    `vertical` share of the dipoles (1/3: isotropic); `profile_nm` 1/e length of the emission from
    the emitter's upper face (negative: its lower face; 0: uniform); `internal_yield` of the
    unbounded emitter.
    """

    vertical: float = 1 / 3
    profile_nm: float = 0.0
    internal_yield: float = 1.0


PLAIN = Assumed()


class Limit(NamedTuple):
    """Mean outcoupling, Purcell factor and EQE; arrays where a thickness was scanned."""

    outcoupling: np.ndarray
    purcell: np.ndarray
    eqe: np.ndarray


def lines(stack: Stack) -> np.ndarray:
    """Wavelengths of equal photon number of the emission, a Gaussian band per nm.

    Parameters
    ----------
    stack : Stack

    Returns
    -------
    array (LINES,)
        nm; one where the emission is a line.

    Examples
    --------
    >>> from peled.led.ceiling import Stack
    >>> lines(Stack((), 620.0, fwhm_nm=0.0))
    array([620.])
    """
    if not stack.fwhm_nm:
        return np.array([stack.wavelength_nm])
    from scipy.special import ndtri

    share = (np.arange(LINES) + 0.5) / LINES
    return stack.wavelength_nm + stack.fwhm_nm / np.sqrt(8 * np.log(2)) * ndtri(share)


def depths(profile_nm: float, thickness_nm: float) -> np.ndarray | None:
    """Places in the emitter, 0 its bottom and 1 its top, that hold equal shares of the emission.

    Parameters
    ----------
    profile_nm : float
        1/e length from the upper face, negative from the lower.
    thickness_nm : float

    Returns
    -------
    array (DEPTHS,) or None
        None is uniform, for which the dipole model has better ones.

    Examples
    --------
    >>> bool(depths(1.0, 30.0).min() > 0.9), bool(depths(-1.0, 30.0).max() < 0.1)
    (True, True)
    """
    if not profile_nm:
        return None
    length = abs(profile_nm)
    share = (np.arange(DEPTHS) + 0.5) / DEPTHS
    away = -length * np.log1p(share * np.expm1(-thickness_nm / length)) / thickness_nm
    return 1 - away if profile_nm > 0 else away


def limit(stack: Stack, assumed: Assumed = PLAIN) -> Limit:
    """Outcoupling over the spectrum, EQE = q F̄/(1 − q + q F̄) η̄.

    Parameters
    ----------
    stack : Stack
        One thickness may be an array (scan,).
    assumed : Assumed

    Returns
    -------
    Limit

    Raises
    ------
    ValueError
        If a wavelength of the emission lies outside an index table.

    References
    ----------
    .. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1
    """
    emitter = stack["emitter"]
    thick = np.atleast_1d(np.asarray(emitter.thickness_nm, float))
    if assumed.profile_nm and thick.size > 1:  # places move with the thickness
        each = [limit(stack.change("emitter", thickness_nm=d), assumed) for d in thick]
        return Limit(*map(np.array, zip(*each)))
    how = {
        "orientation": assumed.vertical,
        "depth": depths(assumed.profile_nm, float(thick[0])),
        "tolerance": TOLERANCE,
    }
    found = [emission(stack.at(nm), **how) for nm in lines(stack)]
    rate = np.mean([f.purcell for f in found], axis=0)
    out = np.mean([f.purcell * f.outcoupling for f in found], axis=0) / rate
    q = assumed.internal_yield
    return Limit(out, rate, q * rate / (1 - q + q * rate) * out)


def scan(stack: Stack, name: str, thickness_nm: np.ndarray, assumed: Assumed = PLAIN) -> Limit:
    """Outcoupling over the spectrum with one layer at each of several thicknesses.

    Parameters
    ----------
    stack : Stack
    name : str
        Of the layer.
    thickness_nm : array (scan,)
    assumed : Assumed

    Returns
    -------
    Limit
    """
    return limit(stack.change(name, thickness_nm=np.asarray(thickness_nm, float)), assumed)


def slopes(stack: Stack, assumed: Assumed = PLAIN) -> dict[str, float]:
    """Change of the outcoupling with 1 nm of each layer.

    Parameters
    ----------
    stack : Stack
    assumed : Assumed

    Returns
    -------
    dict of str to float
        By the layer's name.
    """
    found = {}
    for layer in stack.layers[1:]:
        step = max(0.02 * layer.thickness_nm, 0.2)
        ends = layer.thickness_nm + step * np.array([-1.0, 1.0])
        low, high = scan(stack, layer.name, np.maximum(ends, 0.0), assumed).outcoupling
        found[layer.name] = float((high - low) / np.ptp(np.maximum(ends, 0.0)))
    return found


def taken_back(stack: Stack, assumed: Assumed = PLAIN) -> float:
    """Share of all emitted light that the emitter absorbs again out of the substrate.

    Of a round slide of 1 mm and 6 mm radius (`peled.optics.dipole.substrate_reabsorption`).

    Parameters
    ----------
    stack : Stack
    assumed : Assumed

    Returns
    -------
    float
        0 without absorption in the emitter at its own emission.

    References
    ----------
    .. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1
    """
    emitter = stack["emitter"]
    if not emitter.k:
        return 0.0
    share = substrate_reabsorption(
        [layer.index for layer in stack.layers] + [1.0],
        [layer.thickness_nm for layer in stack.layers[1:]],
        stack.index("emitter"), stack.wavelength_nm, emitter.k, orientation=assumed.vertical,
    )  # fmt: skip
    return float(share * emission(stack, orientation=assumed.vertical).substrate)


def assumed(settings: Mapping) -> Assumed:
    """What the settings say of dipoles and emitter; a yield of 1 where `internal_yield` is None.

    Parameters
    ----------
    settings : mapping
        `vertical`, `profile_nm` (nm), `internal_yield` (0 to 1, or None).

    Returns
    -------
    Assumed
    """
    q = settings["internal_yield"]
    return Assumed(settings["vertical"], settings["profile_nm"], 1.0 if q is None else q)


def quantities(
    stack: Stack, each: Mapping[str, float], settings: Mapping, labels: Mapping
) -> tuple[Quantity, ...]:
    """Outcoupling and EQE limit, with what thicknesses and dipoles leave open.

    `each` are the `slopes` of the stack. `settings`: `internal_yield` (None: 1, and said),
    `vertical`, `profile_nm`, and `thickness_relative`, the standard error of every thickness.

    Parameters
    ----------
    stack : Stack
    each : mapping of str to float
        By layer, 1/nm.
    settings : mapping
    labels : mapping
        Further fields of each `Quantity`: sample, state, kind, inputs.

    Returns
    -------
    tuple of Quantity
        Outcoupling, EQE limit and, where the emitter absorbs its own light, that with recycling;
        fractions.
    """
    how = assumed(settings)
    found = limit(stack, how)
    by_thickness = np.hypot.reduce([
        each[layer.name] * layer.thickness_nm * settings["thickness_relative"]
        for layer in stack.layers[1:]
    ])  # fmt: skip
    flat = limit(stack, how._replace(vertical=max(how.vertical - 0.1, 0.0)))
    budget = {
        "thicknesses": float(by_thickness),
        "dipoles": float(abs(flat.outcoupling - found.outcoupling)),
    }
    strongest = max(each, key=lambda name: abs(each[name]) * stack[name].thickness_nm)
    note = f"most by {strongest}: {100 * each[strongest]:+.2g} % a nm"
    findings = []
    if settings["internal_yield"] is None:
        said = "internal_yield is not stated (a setting): the limit is that of a yield of 1"
        findings.append(Finding("assumed", "reported", said))
    guessed = [
        x.name for x in stack.layers
        if "assumed" in f"{x.index_source} {x.table.name if x.table else ''}".lower()
    ]  # fmt: skip
    if guessed:
        said = f"index without a measurement behind it: {', '.join(guessed)}"
        findings.append(Finding("assumed", "doubtful", said))
    made = [("outcoupling", float(found.outcoupling)), ("EQE limit", float(found.eqe))]
    if back := taken_back(stack, how):
        grown = float(found.eqe) / (1 - how.internal_yield * back)
        made.append(("EQE limit with recycling", grown))
    return tuple(
        Quantity(
            name, value=value, unit="", note=note, findings=tuple(findings),
            budget={k: e * value / float(found.outcoupling) for k, e in budget.items()}, **labels,
        )
        for name, value in made
    )  # fmt: skip
