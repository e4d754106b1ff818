"""What conditioning works on: spectra on one axis with what is known of their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from peled.quantities import Finding

Plan = Sequence[tuple[str, Mapping[str, Any]]]


class ConditioningError(ValueError):
    """A signal, a companion or a plan that cannot be used, with what was expected and found."""


class Leaning(NamedTuple):
    """r points whose values were made of others of their spectrum: sum of `shares` (r, s) times
    the values at `sources` (r, s), for the points (`rows`, `points`), (r,) each.
    """

    rows: np.ndarray
    points: np.ndarray
    sources: np.ndarray
    shares: np.ndarray

    def among(self, place: np.ndarray) -> Leaning:
        """The same where point i of the axis is now at `place[i]`, or at none (-1).

        Parameters
        ----------
        place : (n_x,) int array

        Returns
        -------
        Leaning
        """
        points, sources = place[self.points], place[self.sources]
        shares = np.where(sources < 0, 0.0, self.shares)
        left = points >= 0
        return Leaning(*(part[left] for part in (self.rows, points, sources, shares)))

    def moved(self, weights: np.ndarray) -> None:
        """Weights (n, n_x, k) of sums over the points, those of made points given to their sources.

        Parameters
        ----------
        weights : (n, n_x, k) array
            Changed in place.
        """
        given = weights[self.rows, self.points]
        weights[self.rows, self.points] = 0.0
        parts = self.shares[:, :, None] * given[:, None]
        np.add.at(weights, (self.rows[:, None], self.sources), parts)


@dataclass(frozen=True)
class Signal:
    """n spectra on one axis, with errors that a step may have made as modes.

    The covariance of spectrum i is

        C = D^(1/2) R D^(1/2) + W + M^T M - F^T F,    M = modes[:, i], F = fitted[:, i],

    D and W the diagonal matrices of variance[i] - independent[i] and independent[i], R the Toeplitz
    matrix of `correlation`. `fitted` is the noise that a fit to these very points
    has taken out of them: where a baseline was fitted the residual scatters less than the
    detector, elsewhere the mode says how wrong it is.

    Attributes
    ----------
    axis : (n_x,) array
    axis_unit : str
    values : (n, n_x) array
        NaN where a point is lost (saturated, or its whole spectrum set aside): what needs it is
        NaN too.
    unit : str
    at, at_unit : (n,) array or None, str
        Where each spectrum was taken: bias, current, time.
    good : (n, n_x) bool array
        Points as measured; those that are not are either lost (NaN) or replaced from their
        neighbours.
    variance : (n, n_x) array or None
    modes : (m, n, n_x) array
        One standard deviation each, independent of one another; of one spectrum, not of its
        neighbours.
    mode_names : tuple of str
    fitted : (k, n, n_x) array
    correlation : (L,) array
        Autocorrelation of the noise at lags 1 to L; empty for white noise.
    lumping : float
        Variance of a mean over many points, relative to that of white noise, slow modes included.
    leanings : tuple of Leaning
        What replaced points were made of, in the order of the steps: they have no noise of their
        own, and that of their sources counts the more.
    independent : (n, n_x) array or None
        The part of `variance` that neighbours do not share; None: none of it.
    exposure_ms : float or None
    steps, findings, source
        What was done, what was found, and the file.
    """

    axis: np.ndarray
    values: np.ndarray
    axis_unit: str = "nm"
    unit: str = "counts"
    at: np.ndarray | None = None
    at_unit: str = ""
    good: np.ndarray | None = None
    variance: np.ndarray | None = None
    modes: np.ndarray | None = None
    mode_names: tuple[str, ...] = ()
    fitted: np.ndarray | None = None
    correlation: np.ndarray = field(default_factory=lambda: np.empty(0))
    independent: np.ndarray | None = None
    leanings: tuple[Leaning, ...] = ()
    lumping: float = 1.0
    exposure_ms: float | None = None
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    source: str = ""

    def __post_init__(self):
        self._put("axis", np.asarray(self.axis, float))
        self._put("values", np.atleast_2d(np.asarray(self.values, float)))
        shape = self.values.shape
        if self.axis.ndim != 1 or len(shape) != 2 or shape[1] != len(self.axis):
            raise ConditioningError(
                f"{self.source or 'signal'}: expected values (n, {self.axis.size}) over the axis, "
                f"found {shape}"
            )
        good = np.isfinite(self.values) if self.good is None else np.asarray(self.good, bool)
        self._put("good", np.broadcast_to(good, shape))
        for name in ("variance", "independent"):
            if getattr(self, name) is not None:
                self._put(name, np.broadcast_to(np.asarray(getattr(self, name), float), shape))
        for name in ("modes", "fitted"):
            given = getattr(self, name)
            self._put(name, np.empty((0, *shape)) if given is None else np.asarray(given, float))

    def _put(self, name: str, value: np.ndarray) -> None:
        object.__setattr__(self, name, value)

    def label(self, row: int) -> str:
        """Where spectrum `row` was taken, in words.

        Parameters
        ----------
        row : int

        Returns
        -------
        str
            `at` with its unit; without it the number of the spectrum, or the file of a single one.
        """
        if self.at is None:
            return f"spectrum {row + 1}" if len(self.values) > 1 else (self.source or "spectrum")
        return f"{self.at[row]:g} {self.at_unit}".strip()

    def beside(self, others: Sequence[Signal], at, at_unit: str, source: str) -> Signal:
        """These spectra and others as they were read, as one series.

        Parameters
        ----------
        others : sequence of Signal
            On the same axis, in the same unit.
        at : array_like
            Where each spectrum was taken, those of `self` first.
        at_unit, source : str
            As the attributes.

        Returns
        -------
        Signal
        """
        values = np.concatenate([self.values, *(one.values for one in others)])
        alike = {one.exposure_ms for one in others} <= {self.exposure_ms}
        return Signal(
            self.axis, values, self.axis_unit, self.unit, np.asarray(at, float), at_unit,
            exposure_ms=self.exposure_ms if alike else None, source=source,
        )  # fmt: skip

    @property
    def lumped(self) -> np.ndarray:
        """Variance (n, n_x) of points for sums over far more of them than they correlate over: as
        if they were independent.
        """
        alone = 0.0 if self.independent is None else self.independent
        return alone + (self.variance - alone) * max(1 + 2 * float(self.correlation.sum()), 1.0)

    @property
    def used(self) -> np.ndarray:
        """(n,) bool: spectra that were not set aside."""
        return self.good.any(axis=1)

    @property
    def finite(self) -> np.ndarray:
        """Values (n, n_x) with 0 where a point is lost; what was replaced stays as it stands."""
        return np.where(np.isfinite(self.values), self.values, 0.0)

    def only(self, row: int) -> Signal:
        """Spectrum `row` by itself, with all that is known of its errors.

        Parameters
        ----------
        row : int

        Returns
        -------
        Signal
            n = 1.
        """
        each = {n: getattr(self, n) for n in ("values", "good", "variance", "independent")}
        kept = {name: part[[row]] for name, part in each.items() if part is not None}
        modes, fitted = self.modes[:, [row]], self.fitted[:, [row]]
        own = [(one, one.rows == row) for one in self.leanings]
        kept["leanings"] = tuple(
            Leaning(one.rows[at] * 0, *(part[at] for part in one[1:])) for one, at in own
        )
        at = None if self.at is None else self.at[[row]]
        return replace(self, **kept, modes=modes, fitted=fitted, at=at)

    def cut(self, low: float, high: float) -> Signal:
        """The part of the axis from `low` to `high`.

        Parameters
        ----------
        low, high : float
            In the unit of the axis; both ends are kept.

        Returns
        -------
        Signal
        """
        return self.taken((self.axis >= low) & (self.axis <= high))

    def taken(self, points) -> Signal:
        """Those points of the axis alone, in that order (a mask or a slice).

        Parameters
        ----------
        points : (n_x,) bool array or slice

        Returns
        -------
        Signal
        """
        parts = ("axis", "values", "good", "variance", "independent", "modes", "fitted")
        held = {part: getattr(self, part) for part in parts}
        taken = {k: v[..., points] for k, v in held.items() if v is not None}
        place = np.full(self.axis.size, -1)
        place[points] = np.arange(taken["axis"].size)
        return replace(self, **taken, leanings=tuple(one.among(place) for one in self.leanings))

    def without(self, rows: np.ndarray) -> Signal:
        """Those spectra set aside: all their points lost.

        Parameters
        ----------
        rows : (n,) bool array

        Returns
        -------
        Signal
            As many spectra as before; those set aside are NaN and not good.
        """
        rows = np.asarray(rows)
        return replace(
            self,
            values=np.where(rows[:, None], np.nan, self.values),
            good=self.good & ~rows[:, None],
        )


@dataclass(frozen=True)
class Step:
    """What was done: its name and settings, the signal before it, and one sentence with numbers."""

    name: str
    settings: Mapping[str, Any]
    before: Signal = field(repr=False)
    sentence: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence}"
