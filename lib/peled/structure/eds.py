"""Counts of X-ray lines in the electron microscope turned into composition (Cliff and Lorimer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.formats.contract import FormatError
from peled.quantities import Estimates, from_normal


@dataclass(frozen=True)
class Counts:
    """One element's line: counts in its window, those of the background there, and its k factor."""

    element: str
    counts: float
    background: float
    k: float
    k_error: float
    place: str

    @property
    def net(self) -> tuple[float, float]:
        """Counts above the background, and their Poisson error."""
        variance = max(self.counts + self.background, 1.0)  # no count at all is known to one
        return self.counts - self.background, float(np.sqrt(variance))


def atomic_weight(element: str) -> float:
    """Of an element, g/mol (xraylib).

    Parameters
    ----------
    element : str

    Returns
    -------
    float
        g/mol.
    """
    import xraylib

    return float(xraylib.AtomicWeight(xraylib.SymbolToAtomicNumber(element)))


def refuse_unknown(path, lines: Sequence[Counts]) -> None:
    """FormatError for a symbol that is no element, an element twice, or counts below zero.

    Parameters
    ----------
    path : path-like
        File that the error names.
    lines : sequence of Counts

    Raises
    ------
    FormatError
        Also for a k factor that is not above zero, or one with an error below zero.
    """
    import xraylib

    seen: set[str] = set()
    for line in lines:
        try:
            known = xraylib.SymbolToAtomicNumber(line.element) > 0
        except ValueError:
            known = False
        if not known or line.element in seen:
            raise FormatError(
                path, place=line.place, expected="each element once, by its symbol",
                found=repr(line.element),
            )  # fmt: skip
        if min(line.counts, line.background) < 0 or not line.k > 0 or line.k_error < 0:
            raise FormatError(
                path, place=line.place, expected="counts of 0 or more, a k factor above 0",
                found=f"{line.counts:g}, {line.background:g}, k {line.k:g} ± {line.k_error:g}",
            )  # fmt: skip
        seen.add(line.element)


def amounts(lines: Sequence[Counts]) -> Estimates:
    """Relative amounts of the elements, `<element>`, with the errors of counts and k factors.

    Parameters
    ----------
    lines : sequence of Counts

    Returns
    -------
    Estimates

    Notes
    -----
    C_A/C_B = k_AB I_A/I_B by weight [1]_, so that amounts by number go as k I/M: thin foils, in
    which X-rays are neither absorbed nor excited. Two elements share no error unless k does.

    References
    ----------
    .. [1] G. Cliff, G. W. Lorimer, J. Microsc. 103, 203 (1975),
       doi:10.1111/j.1365-2818.1975.tb03895.x

    Examples
    --------
    >>> lines = [Counts("Pb", 10400, 400, 2.0, 0.0, ""), Counts("I", 18000, 600, 1.5, 0.0, "")]
    >>> pb, i = amounts(lines).values
    >>> print(round(float(i / pb), 3))
    2.131
    """
    values, variances = [], []
    for line in lines:
        net, error = line.net
        share = line.k / atomic_weight(line.element)
        values.append(max(net, 1e-9) * share)
        variances.append((error * share) ** 2 + (net * share * line.k_error / line.k) ** 2)
    names = [line.element for line in lines]
    return from_normal(names, values, [""] * len(lines), np.diag(1 / np.array(variances)))
