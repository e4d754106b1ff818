"""Counts of X-ray lines in the electron microscope turned into composition (Cliff and Lorimer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.formats.contract import FormatError
from peled.quantities import Estimates, from_normal, goodness_z


@dataclass(frozen=True)
class Counts:
    """One element's line: counts in its window, those of the background there, and its k factor.

    `line` tells several of one element apart.
    """

    element: str
    counts: float
    background: float
    k: float
    k_error: float
    place: str
    line: str = ""

    @property
    def net(self) -> tuple[float, float]:
        """Counts above the background, and their Poisson error."""
        variance = max(self.counts + self.background, 1.0)  # no count at all is known to one
        return self.counts - self.background, float(np.sqrt(variance))

    @property
    def amount(self) -> tuple[float, float]:
        """k I/M and its error, by counts and k factor."""
        net, error = self.net
        share = self.k / atomic_weight(self.element)
        return net * share, float(np.hypot(error * share, net * share * self.k_error / self.k))


def atomic_weight(element: str) -> float:
    """Of an element, g/mol (xraylib).

    Parameters
    ----------
    element : str

    Returns
    -------
    float
        g/mol.

    References
    ----------
    .. [1] J. Meija et al., Pure Appl. Chem. 88, 265 (2016), doi:10.1515/pac-2015-0305
    """
    import xraylib

    return float(xraylib.AtomicWeight(xraylib.SymbolToAtomicNumber(element)))


def refuse_unknown(path, lines: Sequence[Counts]) -> None:
    """FormatError for a symbol that is no element, a line twice, or counts below zero.

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

    seen: set[tuple[str, str]] = set()
    for line in lines:
        try:
            known = xraylib.SymbolToAtomicNumber(line.element) > 0
        except ValueError:
            known = False
        if not known or (line.element, line.line) in seen:
            raise FormatError(
                path, place=line.place,
                expected="each element once, by its symbol, or each of its lines, in a column line",
                found=f"{line.element} {line.line}".strip(),
            )  # fmt: skip
        if min(line.counts, line.background) < 0 or not line.k > 0 or line.k_error < 0:
            raise FormatError(
                path, place=line.place, expected="counts of 0 or more, a k factor above 0",
                found=f"{line.counts:g}, {line.background:g}, k {line.k:g} ± {line.k_error:g}",
            )  # fmt: skip
        seen.add((line.element, line.line))


def _by_element(lines: Sequence[Counts]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Amounts by each line of an element and their weights, 1/variance."""
    found = {}
    for name in dict.fromkeys(line.element for line in lines):
        values, errors = np.array([one.amount for one in lines if one.element == name]).T
        found[name] = values, errors**-2.0
    return found


def amounts(lines: Sequence[Counts]) -> Estimates:
    """Relative amounts of the elements, `<element>`, with the errors of counts and k factors.

    Parameters
    ----------
    lines : sequence of Counts
        Of several lines of one element the weighted mean counts.

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
    found = _by_element(lines)
    weights = np.array([weight.sum() for _, weight in found.values()])
    means = [max(float(v @ w / w.sum()), 1e-12) for v, w in found.values()]
    return from_normal(list(found), means, [""] * len(found), np.diag(weights))


def agreement(lines: Sequence[Counts]) -> tuple[float, float] | None:
    """Whether the lines of one element give one amount, as in a thin foil without overlaps.

    Parameters
    ----------
    lines : sequence of Counts

    Returns
    -------
    z, missed : float
        For `quantities.described`: standard normal deviate of their χ², root mean square of what
        they differ by beyond their errors over the amounts. None where no element has two lines.
    """
    chi2 = power = 0.0
    found = _by_element(lines)
    for values, weights in found.values():
        mean = values @ weights / weights.sum()
        chi2 += float(weights @ (values - mean) ** 2)
        power += float(weights.sum() * mean**2) if len(values) > 1 else 0.0
    more = len(lines) - len(found)
    if not more:
        return None
    missed = np.sqrt(max(chi2 - more, 0.0) / power) if power > 0 else np.inf
    return goodness_z(chi2, more), float(missed)
