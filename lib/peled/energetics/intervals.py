"""Interval arithmetic: what follows from rounded numbers and from inequalities in a text, without
guessing a distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """All numbers between `low` and `high`; either end may be infinite.

    >>> Interval(-1.855, -1.845) + Interval(-1.605, -1.595)
    Interval(low=-3.46, high=-3.44)
    """

    low: float
    high: float

    def __post_init__(self):
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"interval: expected low <= high, found {self.low} and {self.high}")

    @classmethod
    def rounded(cls, value: float, half_width: float) -> Interval:
        """A number printed to a last digit of which `half_width` is half.

        Parameters
        ----------
        value : float
        half_width : float
            Half a unit of the last digit, 0 or more.

        Returns
        -------
        Interval

        Raises
        ------
        ValueError
            For a half width below 0 or NaN.
        """
        return cls(value - half_width, value + half_width)

    def __add__(self, other: Interval | float) -> Interval:
        other = _interval(other)
        return Interval(_tidy(self.low + other.low), _tidy(self.high + other.high))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Interval | float) -> Interval:
        return self + (-_interval(other))

    def __mul__(self, factor: float) -> Interval:
        ends = sorted((self.low * factor, self.high * factor))
        return Interval(_tidy(ends[0]), _tidy(ends[1]))

    __rmul__ = __mul__
    __radd__ = __add__

    def __and__(self, other: Interval) -> Interval:
        """What both allow.

        Raises
        ------
        ValueError
            If they exclude each other: the statements behind them contradict.
        """
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low > high:
            raise ValueError(f"{self} and {other} exclude each other")
        return Interval(low, high)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def below(self, other: Interval) -> bool | None:
        """Whether every number here is less than every number there; None where the intervals do
        not decide.

        Parameters
        ----------
        other : Interval

        Returns
        -------
        bool or None
        """
        return True if self.high < other.low else False if self.low >= other.high else None

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def _interval(x: Interval | float) -> Interval:
    return x if isinstance(x, Interval) else Interval(float(x), float(x))


def _tidy(x: float) -> float:
    """Removes the last digits of binary fractions, so that 1.855 + 1.605 is 3.46 and no inequality
    hangs on them.
    """
    return round(x, 12) if math.isfinite(x) else x
