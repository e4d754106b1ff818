"""Gates: each lets a number pass (None) or says why not, in a sentence with numbers.

A gate is made with its evidence and then called with the quantity: ``signal(peak, noise,
tries=1024)(quantity)``. What a fit itself says (converged, rank, bounds) `derive` looks at; the
gates here judge against what the fit does not know. The rate of false alarm is `FALSE_ALARM`, per
number, and stands in the sentence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri, stdtrit

from .quantity import Finding, Quantity

Gate = Callable[[Quantity], Finding | None]

#: Share of good numbers that a statistical gate stops, and of noise that passes for a signal.
FALSE_ALARM = 1e-3

#: What a model may miss of a signal before nothing that it says of it is a number.
MISSED = 0.1


def threshold(tries: int = 1, dof: float | None = None, false_alarm: float = FALSE_ALARM) -> float:
    """How many times its noise a value must be, so that the largest of `tries` seldom is.

    One-sided; 1 − (1 − α)^(1/tries) for each try (Šidák), exact for independent tries and safe for
    correlated ones.

    Parameters
    ----------
    tries : int
        Places at which a signal could have been found: channels, lines, bands.
    dof : float, optional
        Degrees of freedom of the noise estimate (Student's t); without, the noise is known.
    false_alarm : float
        Chance that noise alone passes.

    References
    ----------
    .. [1] Z. Šidák, J. Am. Stat. Assoc. 62, 626 (1967), doi:10.1080/01621459.1967.10482935

    Examples
    --------
    >>> round(threshold(), 2), round(threshold(tries=1024), 2), round(threshold(dof=8), 2)
    (3.09, 4.76, 4.5)
    """
    each = -np.expm1(np.log1p(-false_alarm) / tries)
    return float(-ndtri(each) if dof is None else -stdtrit(dof, each))


MOST = 1000.0  #: standard errors above which nobody asks how many


def times(ratio: float, unit: str = "times") -> str:
    """How many times its error, or its noise, something is, in digits that mean something.

    Parameters
    ----------
    ratio : float
    unit : str
        What is counted: "standard errors" where that is all that is said.

    Returns
    -------
    str

    Examples
    --------
    >>> times(2.6e-76), times(0.46), times(3.94), times(250.3), times(2.6e7)
    ('less than 0.1 times', '0.46 times', '3.9 times', '250 times', 'more than 1000 times')
    >>> times(-4.2)
    'minus 4.2 times'
    """
    if abs(ratio) < 0.1:
        return f"less than 0.1 {unit}"
    if abs(ratio) > MOST:
        return f"{'' if ratio > 0 else 'minus '}more than {MOST:.0f} {unit}"
    return f"{'' if ratio > 0 else 'minus '}{_digits(abs(ratio))} {unit}"


def deviate(z: float) -> str:
    """A standard normal deviate in digits that mean something.

    Parameters
    ----------
    z : float

    Returns
    -------
    str

    Examples
    --------
    >>> deviate(4.26), deviate(26360699.6)
    ('z = 4.3', 'z > 1000')
    """
    if abs(z) > MOST:
        return f"z > {MOST:.0f}" if z > 0 else f"z < -{MOST:.0f}"
    return f"z = {z:.1f}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def signal(
    value: float,
    noise: float,
    what: str = "the signal",
    *,
    tries: int = 1,
    where: str = "",
) -> Gate:
    """Withholds what rests on a line, band, step or integral that noise could have made.

    Parameters
    ----------
    value : float
        The number itself, or what stands in a denominator (photopic integral, absorbed photons).
    noise : float
        Standard deviation of that very number, from noise *and* baseline.
    what : str
        Its name in the sentence.
    tries : int
        As in `threshold`.
    where : str
        File, part or operating point, for the finding.

    Returns
    -------
    callable
        A gate for `derive` or `judge`.

    References
    ----------
    .. [1] L. A. Currie, Anal. Chem. 40, 586 (1968), doi:10.1021/ac60259a007

    Examples
    --------
    >>> print(signal(4.0, 1.0, "the line")(None))
    None
    >>> signal(4.0, 1.0, "the line", tries=1024)(None).status
    'withheld'
    """
    needed = threshold(tries)

    def gate(_: Quantity | None) -> Finding | None:
        if noise > 0 and value > needed * noise:
            return None
        if not np.isfinite(value):
            return Finding("signal", "withheld", f"{what} is not determined by the data", where)
        known = 0 < noise < np.inf
        ratio = f"{times(value / noise)} its error" if known else "without a known error"
        over = f" over {tries} places" if tries > 1 else ""
        return Finding(
            "signal",
            "withheld",
            f"{what} is {value:.3g}, {ratio}; noise alone passes {needed:.2g} with a chance of "
            f"{FALSE_ALARM:.2g}{over}",
            where,
        )

    return gate


def possible(
    low: float = float("-inf"),
    high: float = float("inf"),
    *,
    where: str = "",
) -> Gate:
    """Withholds a value outside [low, high] by more than its error; nothing is clipped.

    Parameters
    ----------
    low, high : float
        Limits of what is possible, in the unit of the quantity.
    where : str
        For the finding.

    Returns
    -------
    callable
        A gate for `derive` or `judge`.

    Examples
    --------
    >>> from peled.quantities import derive
    >>> gates = (possible(0, 1),)
    >>> derive("share", "1", lambda: 1.02, gates=gates, reading=0.02).status
    'reported'
    >>> derive("share", "1", lambda: 1.10, gates=gates, reading=0.02).status
    'withheld'
    """
    needed = threshold()

    def gate(q: Quantity) -> Finding | None:
        if q.value is None:
            return None
        ends, half = q.bounds, threshold(false_alarm=0.025)
        if q.relation == "=":
            below = (low - q.value) / ((ends[1] - q.value) / half)
            above = (q.value - high) / ((q.value - ends[0]) / half)
        else:  # a limit is impossible only where it leaves nothing of the range
            below = float("inf") if q.relation == "<" and q.value < low else 0.0
            above = float("inf") if q.relation == ">" and q.value > high else 0.0
        if max(below, above) <= needed:
            return None
        edge, side = (low, "below") if below > above else (high, "above")
        return Finding(
            "possible", "withheld", f"{q} is {side} {edge:g}, the limit of what is possible", where
        )

    return gate


def described(z: float, missed: float = 0.0, *, where: str = "") -> Gate:
    """Marks as doubtful what comes from a model that leaves more than noise; withholds it where
    that is more than `MISSED` of the signal.

    Parameters
    ----------
    z : float
        Standard normal deviate of the residual (`goodness_z`, `likeness_z`) against noise.
    missed : float
        What is left beyond noise, as a share of the signal (`missed_share`).
    where : str
        For the finding.

    Returns
    -------
    callable
        A gate for `derive` or `judge`.

    References
    ----------
    .. [1] K. Pearson, Phil. Mag. 50, 157 (1900), doi:10.1080/14786440009463897

    Examples
    --------
    >>> described(2.0)(None) is None, described(9.0)(None).status, described(9.0, 0.3)(None).status
    (True, 'doubtful', 'withheld')
    """
    needed = threshold()

    def gate(_: Quantity | None) -> Finding | None:
        if z <= needed:
            return None
        if np.isnan(z):
            said = "nothing tells whether the model describes the data: no point is left over"
            return Finding("described", "doubtful", said, where)
        said = (
            f"the model leaves more than noise: {deviate(z)}, above {needed:.1f} in "
            f"{FALSE_ALARM:.2g} of good fits"
        )
        if missed > MISSED:
            return Finding("described", "withheld", f"{said}; {missed:.0%} of the signal", where)
        return Finding("described", "doubtful", said, where)

    return gate


def assumed(
    column: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    where: str = "",
) -> Quantity:
    """A setting that nobody stated, as a quantity to `derive` from.

    With a range it stands for any value in it (middle, standard error (high − low)/√12, cause
    'assumed') and the widened error is all that happens; without, whatever is derived from it is
    withheld. The finding names the column of the sample sheet to fill in.

    Parameters
    ----------
    column, unit : str
    low, high : float, optional
        In `unit`.
    where : str
        For the finding.

    Returns
    -------
    Quantity

    References
    ----------
    .. [1] JCGM 100:2008, section 4.3.7, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> print(assumed("excitation_nm"))
    withheld: excitation_nm is stated nowhere; fill in that column of the sample sheet
    >>> print(assumed("filter_transmission", "", 0.8, 1.0))
    0.90±0.06 (95 %: 0.8 to 1)
    """
    remedy = "fill in that column of the sample sheet"
    if low is None or high is None:
        said = f"{column} is stated nowhere; {remedy}"
        finding = Finding("assumed", "withheld", said, where)
        return Quantity(column, "", None, {}, unit, "measured", (finding,))
    said = f"{column} is stated nowhere; {low:g} to {high:g} {unit}".rstrip() + f" taken; {remedy}"
    return Quantity(
        column,
        "",
        (low + high) / 2,
        {"assumed": (high - low) / 12**0.5},
        unit,
        "measured",
        (Finding("assumed", "reported", said, where),),
        interval=(low, high),
    )
