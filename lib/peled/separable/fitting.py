"""One separable fit for spectra and tables: what is searched, what is eliminated, what is known.

D ≈ C(p)·A: the parameters p are searched, the coefficients A follow from them. The errors are those
of both together, from the Jacobian of the whole model at the minimum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from peled.quantities import Estimates, from_normal, goodness_z

from .blocks import DispersedBlock, Evaluation, NonNegativeBlock, SharedBlock, Slopes
from .search import Problem, minimise

if TYPE_CHECKING:
    from lmfit import Minimizer

_CLOSE = 1e-2  # length of its last step, in standard errors, at which a search ends
_STALLED = 0.05  # the same, at which one that finds nothing better has arrived nevertheless
_CHI2_95 = 3.841458820694124  # 95 % of chi-square with one degree of freedom

#: `basis(values, derivatives)`: C (n, m) and, where asked for, ∂C/∂values (p, n, m) or `Slopes`.
Basis = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray | Slopes | None]]


@dataclass(frozen=True)
class Sought:
    """A parameter that is searched for.

    Attributes
    ----------
    value : float
        Where the search begins.
    low, high : float
        Bounds of the value.
    step : float
        By how much it may well change: of the value, or of its logarithm where `log`.
    log : bool
        Searched as logarithm; its errors are symmetric there.
    known : (float, float), optional
        Value and standard error from elsewhere, which count as one more datum.
    held : bool
        Not searched for after all.
    unit : str
    """

    value: float
    low: float = -math.inf
    high: float = math.inf
    step: float = 1.0
    log: bool = False
    known: tuple[float, float] | None = None
    held: bool = False
    unit: str = ""


@dataclass(frozen=True, eq=False)
class SeparableFit:
    """A fit: what is quoted stands in `estimates`, what is drawn in the arrays.

    Attributes
    ----------
    values : ndarray, shape (p,)
        All parameters in the order given, tied ones too.
    linear : ndarray, shape (m,) or (m, columns)
    design : ndarray, shape (n, m)
    model : ndarray, shape of the data
    residual : ndarray, shape of the data
        Data less model in units of the error; 0 where nothing was measured.
    chi2 : float
        Sum of its squares.
    freedom : int
        Points measured less parameters fitted, at least 1.
    """

    values: np.ndarray
    linear: np.ndarray
    design: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    residual: np.ndarray = field(repr=False)
    chi2: float
    freedom: int
    _estimated: Callable[[], Estimates] = field(repr=False)
    _profile: Callable[[str, float], float] = field(repr=False)
    _weighted: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    _place: _Place = field(repr=False)

    @cached_property
    def estimates(self) -> Estimates:
        """The parameters that were searched, then the linear ones, column by column."""
        return self._estimated()

    @cached_property
    def errors(self) -> np.ndarray:
        """Standard errors of `estimates.values`."""
        return self.estimates.errors

    @property
    def linear_errors(self) -> np.ndarray:
        """Those of `linear`, column by column."""
        return self.errors[len(self._place.free) :]

    @property
    def continued(self) -> dict[str, Sought]:
        """The parameters as they were given, to start from where this fit ended."""
        return self._place.at(self.values)

    def interval(self, name: str, low: float, high: float, rise: float = _CHI2_95):
        """The interval around a parameter in which chi-square rises by less than a bound.

        All others are fitted again.

        Parameters
        ----------
        name : str
        low, high : float
            How far it is looked for; an end is there where chi-square rises by less up to it.
        rise : float
            Of chi-square; by default that of 95 %.

        Returns
        -------
        low, high : float
        """
        place = self.estimates.names.index(name)
        at, error = float(self.estimates.values[place]), float(self.errors[place])

        def end(edge):
            if excess(edge) <= 0:
                return edge
            fine = error if 0 < error < math.inf else abs(edge - at)
            return float(brentq(excess, at, edge, xtol=0.01 * fine))

        def excess(value):
            return self._profile(name, value) - self.chi2 - rise

        return end(low), end(high)

    def to_lmfit(self) -> Minimizer:
        """The same least squares in lmfit, to play on: other bounds, held parameters, other
        minimisers, `conf_interval`, `emcee`.

        Returns
        -------
        lmfit.Minimizer
            Its parameters begin at this minimum and carry the names of `estimates`, with `_` for
            what lmfit allows in no name; the linear ones are searched like the others. Its residual
            is in units of the error, and what was `known` counts as data; errors follow from that,
            or from the scatter where no error was given.

        Examples
        --------
        >>> import lmfit
        >>> t = np.linspace(0, 5, 200)
        >>> decay = 2 * np.exp(-t / 1.5) + np.random.default_rng(0).normal(0, 0.02, 200)
        >>> basis = differences(lambda v: np.exp(-t / v[0])[:, None], [1e-4])
        >>> found = fit(basis, decay, {"lifetime": Sought(1.0)}, ["height"], error=0.02)
        >>> minimizer = found.to_lmfit()
        >>> result = minimizer.minimize()
        >>> interval = lmfit.conf_interval(minimizer, result, sigmas=[0.95])["lifetime"]
        >>> [f"{value:.3f}" for _, value in interval]
        ['1.493', '1.503', '1.514']
        """
        import lmfit

        e, place = self.estimates, self._place
        searched = len(place.free)
        names = [re.sub(r"\W", "_", name) for name in e.names]
        start = lmfit.Parameters()
        for i, (name, value) in enumerate(zip(names, e.values.tolist(), strict=True)):
            own = place.sought[e.names[i]] if i < searched else Sought(value)
            start.add(name, value, min=own.low, max=own.high)

        def residual(parameters):
            return self._weighted(np.array([parameters[name].value for name in names]))

        # As here: errors that are known are not measured anew by the scatter.
        return lmfit.Minimizer(residual, start, scale_covar=e.goodness is None)


def scatter(residual: np.ndarray, freedom: int) -> float:
    """Variance of one residual by their scatter: the errors of the points are known but for a
    factor.

    Parameters
    ----------
    residual : ndarray
        In units of the stated errors.
    freedom : int
        Degrees of freedom.

    Returns
    -------
    float

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207
    """
    return float(np.sum(residual**2) / freedom)


def larger(residual: np.ndarray, freedom: int) -> float:
    """Variance of one residual: 1, or their scatter where that is larger (the model misses
    something).

    Parameters
    ----------
    residual : ndarray
        In units of the stated errors.
    freedom : int
        Degrees of freedom.

    Returns
    -------
    float

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207
    """
    return max(scatter(residual, freedom), 1.0)


def differences(
    columns: Callable[[np.ndarray], np.ndarray],
    steps: Sequence[float],
    searched: Sequence[bool] | None = None,
) -> Basis:
    """A basis from `columns(values)` alone, with derivatives by one-sided differences.

    Parameters
    ----------
    columns : callable
        values (p,) -> C (n, m).
    steps : (p,) floats
        How far to go: a thousandth of what makes a difference is enough.
    searched : (p,) bool, optional
        Of the others, which are held, the derivatives are left at 0.

    Returns
    -------
    Basis

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, Numerical Optimization, section 8.1 (2006),
       doi:10.1007/978-0-387-40065-5
    """
    moves = np.diag(np.asarray(steps, float))
    chosen = range(len(moves)) if searched is None else np.flatnonzero(searched)

    def basis(values, derivatives):
        here = columns(values)
        if not derivatives:
            return here, None
        slopes = np.zeros((len(moves), *here.shape))
        for i in chosen:
            slopes[i] = (columns(values + moves[i]) - here) / steps[i]
        return here, slopes

    return basis


def fit(
    basis: Basis,
    data: np.ndarray,
    sought: Mapping[str, Sought],
    linear: Sequence[str],
    *,
    error: np.ndarray | float | None = None,
    relations: Mapping[str, Callable[[Mapping[str, float]], float]] | None = None,
    covariance_of: Callable[[np.ndarray], np.ndarray] | None = None,
    variance: Callable[[np.ndarray, int], float] | None = None,
    non_negative: int = 0,
    max_evaluations: int = 200,
) -> SeparableFit:
    """Fit D = C(p)·A by least squares in p and A.

    The coefficients A are eliminated at every step [1]_, so that only p is searched. The covariance
    is that of p and A together: σ²(JᵀJ)⁻¹ with J = [∂C/∂p·A, C], or (JᵀJ)⁻¹ JᵀΣJ (JᵀJ)⁻¹ for noise
    that is correlated.

    Parameters
    ----------
    basis : callable
        `basis(values, derivatives)` returns C (n, m) and, where `derivatives`, ∂C/∂p (p, n, m) by
        the values themselves, for one spectrum as `Slopes` too; `differences` makes one of a
        callable of the values alone.
    data : ndarray, shape (n,) or (n, columns)
        Not finite where nothing was measured.
    sought : mapping of name to Sought
        In the order of `values`.
    linear : sequence of str, length m
        Names of the coefficients; with several columns each is numbered.
    error : float or ndarray, shape (n,) or of the data, optional
        Standard error of each point. Without it all count alike.
    relations : mapping of name to callable, optional
        Parameters that follow from others: of their values by name.
    covariance_of : callable, optional
        (n, k) -> (k, k): XᵀΣX for the noise Σ of one spectrum, for correlated noise.
    variance : callable, optional
        Of the residual in units of `error` and the degrees of freedom: what the covariance is
        multiplied with. `scatter` without `error`; 1 with it, or with `covariance_of`.
    non_negative : int
        So many of the first coefficients must not be negative.
    max_evaluations : int

    Returns
    -------
    SeparableFit

    Raises
    ------
    ValueError
        Fewer points than parameters; non-negative coefficients with errors that differ between
        columns.

    References
    ----------
    .. [1] G. Golub, V. Pereyra, Inverse Problems 19, R1 (2003), doi:10.1088/0266-5611/19/2/201

    Examples
    --------
    >>> import numpy as np
    >>> from peled.quantities import derive
    >>> t = np.linspace(0, 5, 200)
    >>> noise = np.random.default_rng(0).normal(0, 0.02, 200)
    >>> decay = 2 * np.exp(-t / 1.5) + 0.3 + noise
    >>> found = fit(
    ...     differences(lambda v: np.column_stack([np.exp(-t / v[0]), np.ones_like(t)]), [1e-4]),
    ...     decay,
    ...     {"lifetime": Sought(1.0, log=True, step=0.3, unit="ns")},
    ...     ["height", "offset"],
    ...     error=0.02,
    ... )
    >>> print(derive("lifetime", "ns", lambda p: p["lifetime"], found.estimates))
    1.518±0.012 ns
    """
    data = np.asarray(data, float)
    table = data[:, None] if data.ndim == 1 else data
    spread = np.ones_like(table)
    if error is not None:
        wide = np.asarray(error, float)
        spread = np.broadcast_to(wide[:, None] if wide.ndim == 1 else wide, table.shape)
    present = np.isfinite(table) & np.isfinite(spread)
    place = _Place(sought, relations or {})
    count, fitted = int(present.sum()), len(place.free) + len(linear) * table.shape[1]
    if count < fitted:
        raise ValueError(
            f"fit: expected at least as many points as the {fitted} parameters, found {count}"
        )
    if not (spread[present] > 0).all():
        none = int(np.sum(spread[present] <= 0))
        raise ValueError(
            f"error: expected errors above 0, found none at {none} of {count} points: constant, "
            "calculated or rounded; give the data as they were measured"
        )
    weight = np.where(present, 1 / np.where(present, spread, 1.0), 0.0)
    block = _block(basis, np.where(present, table, 0.0) * weight, weight, len(sought), non_negative)
    freedom = max(count - fitted, 1)
    tolerance = _CLOSE**2 / freedom

    def search(place, start):
        problem = Problem([block, *place.priors], place.expand, place.low, place.high)
        return minimise(problem, start, tolerance=tolerance, max_evaluations=max_evaluations)

    found = search(place, np.zeros(len(place.free)))
    values, moves = place.expand(found.theta)

    def profile(name: str, value: float) -> float:
        now = place.at(values)
        now[name] = replace(now[name], value=value, held=True)
        other = _Place(now, relations or {})
        return search(other, np.zeros(len(other.free))).cost

    def weighted(quoted: np.ndarray) -> np.ndarray:
        tied, _ = place.expand(place.coordinates(quoted[: len(place.free)]))
        amplitudes = quoted[len(place.free) :].reshape(table.shape[1], -1).T
        away = np.where(present, basis(tied, False)[0] @ amplitudes - table, 0.0) * weight
        known = [(tied[p.index[0]] - p.mean) / p.error for p in place.priors]
        return np.concatenate([away.T.ravel(), known])

    design, slopes = basis(values, True)
    coefficients = block.solve(values)[0]
    model = design @ coefficients
    residual = np.where(present, table - model, 0.0) * weight
    if variance is None and error is None and covariance_of is None:
        variance = scatter
    factor = 1.0 if variance is None else variance(residual, freedom)

    def estimated() -> Estimates:
        jacobian = _jacobian(design, slopes, coefficients, weight, moves / place.steps)
        normal = jacobian.T @ jacobian
        score = None if covariance_of is None else covariance_of(jacobian) * factor
        for prior in place.priors:
            at = place.free.index(prior.index[0])
            told = (moves[prior.index[0], at] / place.steps[at] / prior.error) ** 2
            normal[at, at] += told
            if score is not None:
                score[at, at] += told
        return _estimates(
            place,
            values,
            coefficients,
            linear,
            found.at_bound,
            non_negative,
            normal=normal,
            converged=found.converged or found.decrement <= _STALLED**2 / freedom,
            variance=factor,
            score=score,
            goodness=goodness_z(float(np.sum(residual**2)), freedom) if error is not None else None,
        )

    shape = (lambda x: x[:, 0]) if data.ndim == 1 else (lambda x: x)
    return SeparableFit(
        values,
        shape(coefficients),
        design,
        shape(model),
        shape(residual),
        float(np.sum(residual**2)) + sum(p.evaluate(values).cost for p in place.priors),
        freedom,
        estimated,
        profile,
        weighted,
        place,
    )


class _Place:
    """Where each parameter stands among the coordinates of the search, in units of its step."""

    def at(self, values) -> dict[str, Sought]:
        pairs = zip(self.sought.items(), values.tolist(), strict=True)
        return {name: replace(s, value=value) for (name, s), value in pairs}

    def __init__(self, sought, relations):
        self.sought, self.relations = sought, relations
        self.names = list(sought)
        self.free = [
            i for i, (n, s) in enumerate(sought.items()) if not s.held and n not in relations
        ]
        chosen = [sought[self.names[i]] for i in self.free]
        self.log = np.array([s.log for s in chosen], bool)
        self.steps = np.array([s.step for s in chosen])
        self.values = np.array([s.value for s in sought.values()], float)
        self.begin = self.values[self.free]
        with np.errstate(divide="ignore"):
            ends = [np.array([getattr(s, end) for s in chosen]) for end in ("low", "high")]
            self.low, self.high = (
                np.where(
                    self.log,
                    np.log(np.where(self.log, np.maximum(end, 0.0), 1.0) / np.abs(self.begin)),
                    end - self.begin,
                )
                / self.steps
                for end in ends
            )
        self.priors = [
            _Prior(i, *s.known) for i, s in zip(self.free, chosen, strict=True) if s.known
        ]

    def coordinates(self, values):
        """Of the parameters searched, given by their values (free,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = np.log(np.where(self.log, values / self.begin, 1.0))
        return np.where(self.log, grown, values - self.begin) / self.steps

    def expand(self, theta):
        """All values (p,), and their derivatives by the coordinates (p, free)."""
        moved = theta * self.steps
        grown = np.exp(np.where(self.log, moved, 0.0))
        found = np.where(self.log, self.begin * grown, self.begin + moved)
        values, slopes = self.values.copy(), np.zeros((len(self.values), len(theta)))
        values[self.free] = found
        slopes[self.free, np.arange(len(theta))] = self.steps * np.where(self.log, found, 1.0)
        for name, relation in self.relations.items():
            at = self.names.index(name)
            values[at] = relation(dict(zip(self.names, values.tolist())))
            for k in range(len(theta)):
                h = 1e-6 * slopes[:, k]
                up, down = (relation(dict(zip(self.names, values + s * h))) for s in (1, -1))
                slopes[at, k] = (up - down) / 2e-6
        return values, slopes


class _Prior:
    """What is known of one parameter from elsewhere, as a block of one datum."""

    rounded = 0.0

    def __init__(self, index, mean, error):
        self.index, self.mean, self.error, self.total = np.array([index]), mean, error, 0.0

    def exact(self) -> None:
        """Nothing to do."""

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        away = (u[self.index[0]] - self.mean) / self.error
        return Evaluation(away**2, np.array([away / self.error]), np.array([[1 / self.error**2]]))


def _block(basis, data, weight, parameters, non_negative):
    """The block for these data: one matrix for all columns, or one for each where weights
    differ."""
    index = np.arange(parameters)
    rows = weight[:, :1]

    def weighted(values, derivatives):
        c, dc = basis(values, derivatives)
        if isinstance(dc, Slopes):
            return c * rows, Slopes(lambda a: (dc @ a) * rows[:, 0])
        return c * rows, None if dc is None else dc * rows

    shared = basis if (rows == 1).all() else weighted

    if (weight == rows).all():
        if non_negative:
            return NonNegativeBlock(data, shared, index, non_negative)
        return SharedBlock(data, shared, index, exact=True)
    if non_negative:
        raise ValueError("fit: expected one set of errors for all columns of non-negative spectra")

    def dispersed(values, derivatives):
        c, dc = basis(values, derivatives)
        each = weight.T[:, :, None]
        return c * each, [lambda a: (dc @ a[:, :, 0].T).transpose(2, 1, 0) * each]

    return DispersedBlock(data, dispersed, [index], weight > 0)


def _jacobian(design, slopes, coefficients, weight, moves):
    """d(model)/d(coordinates, then coefficients column by column), weighted: (n·columns, …)."""
    n, m = design.shape
    columns = weight.shape[1]
    searched = np.tensordot(slopes @ coefficients, moves, (0, 0)).transpose(1, 0, 2)
    whole = np.zeros((columns, n, moves.shape[1] + m * columns))
    whole[:, :, : moves.shape[1]] = searched
    for w in range(columns):
        first = moves.shape[1] + w * m
        whole[w, :, first : first + m] = design
    return (whole * weight.T[:, :, None]).reshape(columns * n, -1)


def _estimates(place, values, coefficients, linear, at_bound, bounded, **others) -> Estimates:
    """Of the parameters searched and of the coefficients, of which the first may be bounded."""
    columns = coefficients.shape[1]
    names = [place.names[i] for i in place.free]
    ends = [n for n, at in zip(names, at_bound, strict=True) if at]
    chosen = [place.sought[n] for n in names]
    log = [n for n, s in zip(names, chosen, strict=True) if s.log]
    labels = [n if columns == 1 else f"{n} {w + 1}" for w in range(columns) for n in linear]
    flat = coefficients.T.ravel()
    ends += [label for k, label in enumerate(labels) if k % len(linear) < bounded and flat[k] <= 0]
    return from_normal(
        [*names, *labels],
        [*values[place.free], *flat],
        [*(s.unit for s in chosen), *[""] * len(labels)],
        log=log,
        at_bound=ends,
        **others,
    )
