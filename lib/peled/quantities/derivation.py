"""From estimates to quantities: the delta method, and no number where that fails.

The error of F(u) follows from its gradient g in the coordinates u of all inputs, var F = gᵀ C g,
with C their joint covariance [1]_. C is never formed: each input is a sum of independent standard
variables (the columns of a fit's root, the `parts` of a quantity), and so is the result; what
shares a variable is correlated.

.. [1] JCGM 100:2008, Guide to the Expression of Uncertainty in Measurement, section 5.2,
   doi:10.59161/JCGM100-2008E
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .estimates import Estimates
from .gates import Gate, described
from .quantity import SOURCE_KINDS, Z95, Finding, Kind, Quantity, independent

#: A gradient with a larger share than this along an open direction is not determined. Differences
#: and the null space itself are good to 1e-6.
CANCELS = 1e-4

#: Sides of a 95 % interval that differ by more than this factor are beyond an expansion around the
#: value; for a logarithm it means a standard error above 1.2.
SKEW = 10.0

Z90 = 1.6448536269514722  # one-sided 95 % of the normal distribution


def derive(
    name: str,
    unit: str,
    function: Callable[..., float],
    *of: Estimates | Quantity,
    sample: str = "",
    state: str = "",
    kind: Kind | None = None,
    gates: Sequence[Gate] = (),
    inputs: Sequence[str] = (),
    note: str = "",
    where: str = "",
    **budget: float,
) -> Quantity:
    """A quantity as a function of estimates and other quantities.

    Parameters
    ----------
    name, unit : str
    function : callable
        Takes one argument for each of `of`, a dict of natural values by name for `Estimates` and a
        float for a `Quantity`, and returns a float.
    *of : Estimates or Quantity
    sample, state, note : str
    kind : str, optional
        Default: the weakest kind among the quantities it is derived from; measured for estimates
        alone.
    gates : sequence of callables
        Called in turn with the quantity; what they find is added.
    inputs : sequence of str
        Digests; those of the quantities are added.
    where : str
        File, part or operating point, for the findings made here.
    **budget : float
        Further standard errors by cause, in `unit`, independent of all else.

    Returns
    -------
    Quantity
        Withheld where an input is withheld, a fit did not converge, the function depends on a
        parameter at its bound or on a direction that the data do not determine, or it is not
        defined within the 95 % region of its inputs or changes there by too much for an expansion
        (`SKEW`). Doubtful with its inputs, and where the function bends back within its error.

    Notes
    -----
    Errors by cause: 'fit' from estimates, the causes of a quantity's own budget from quantities.
    The interval is taken from F at u ± 1.96 C g/σ, the points of the 95 % ellipsoid along which F
    changes most: exact for monotonic functions of one parameter, first order otherwise; a profile
    interval of the only parameter goes through the function as it is. Correlations are kept between
    quantities from equal fits and from the same quantity; two fits of one data set count as
    independent. Where parameters of an open direction came out equal (to 1e-4), their sum, product
    and sum of reciprocals cannot be told apart by gradients, and none is given: such a fit needs
    unequal starting values. A limit moves outwards by the one-sided 95 % error of the other inputs.

    References
    ----------
    .. [1] JCGM 100:2008, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> from peled.quantities import from_normal
    >>> fit = from_normal(["k1", "k2"], [2.0, 3.0], ["1/ns"] * 2, [[100.0] * 2] * 2)
    >>> print(derive("k1 + k2", "1/ns", lambda p: p["k1"] + p["k2"], fit))
    5.00±0.10 1/ns
    >>> print(derive("k1", "1/ns", lambda p: p["k1"], fit))
    withheld: k1 is not determined by the data, only k1 + k2 is
    """
    quantities = [q for q in of if isinstance(q, Quantity)]
    findings = [f for q in quantities for f in q.findings]
    digests = tuple(dict.fromkeys([*inputs, *(d for q in quantities for d in q.inputs)]))
    kind = kind or max((q.kind for q in quantities), key=SOURCE_KINDS.index, default="measured")
    common = {"kind": kind, "inputs": digests, "state": state, "note": note}

    def withheld(*more: Finding) -> Quantity:
        all_found = tuple(dict.fromkeys([*findings, *more]))
        return Quantity(name, sample, None, {}, unit, findings=all_found, **common)

    if any(q.value is None for q in quantities):
        return withheld()
    point = _Point(function, of)
    findings += point.findings(where)
    if any(f.status == "withheld" for f in findings):
        return withheld()
    relation = point.relation()
    if relation is None:
        return withheld(Finding("determined", "withheld", "limits of opposite sense", where))
    parts = point.parts()
    parts.update(independent(name, budget))
    error = float(np.sqrt(sum(e * e for e in parts.values())))
    interval, more = (None, ()) if relation != "=" else point.interval(parts, error, where)
    if any(f.status == "withheld" for f in more):
        return withheld(*more)
    outwards = {"=": 0.0, "<": Z90, ">": -Z90}[relation] * error
    made = Quantity(
        name,
        sample,
        point.value + outwards,
        _by_cause(parts),
        unit,
        findings=tuple(dict.fromkeys([*findings, *more])),
        relation=relation,
        interval=interval,
        parts=parts,
        **common,
    )
    return judge(made, *gates)


def judge(quantity: Quantity, *gates: Gate) -> Quantity:
    """The quantity with what the gates find, each seeing what the one before left.

    Parameters
    ----------
    quantity : Quantity
    *gates : callable
        Each takes the quantity and returns a finding or None.

    Returns
    -------
    Quantity
    """
    for gate in gates:
        if (finding := gate(quantity)) is not None:
            quantity = quantity.found(finding)
    return quantity


def _by_cause(parts: Mapping[tuple[str, str], float]) -> dict[str, float]:
    causes = dict.fromkeys(cause for cause, _ in parts)
    return {
        c: e
        for c in causes
        if (e := float(np.sqrt(sum(v * v for (k, _), v in parts.items() if k == c)))) > 0
    }


class _Point:
    """A function at the joint coordinates of its inputs, with its gradient there."""

    def __init__(self, function: Callable[..., float], of: Sequence[Estimates | Quantity]):
        self.function, self.of = function, of
        blocks = [q.coordinates if isinstance(q, Estimates) else np.array([q.value]) for q in of]
        ends = np.cumsum([len(b) for b in blocks])
        self.slices = [slice(int(e) - len(b), int(e)) for b, e in zip(blocks, ends)]
        self.u = np.concatenate(blocks) if blocks else np.zeros(0)
        self.variables = [_variables(q) for q in of]
        self.value = self.at(self.u)
        self.gradient = self._gradient()

    def at(self, u: np.ndarray) -> float:
        arguments = [
            q.natural(u[s]) if isinstance(q, Estimates) else float(u[s][0])
            for q, s in zip(self.of, self.slices)
        ]
        with np.errstate(all="ignore"):
            try:
                return float(self.function(*arguments))
            except (ArithmeticError, ValueError):  # math.log(-1), 1/0: not defined there
                return float("nan")

    def _gradient(self) -> np.ndarray:
        """By central differences, as wide as round-off wants or 1/1000 of the error."""
        gradient = np.zeros(len(self.u))
        for q, s in zip(self.of, self.slices):
            if isinstance(q, Estimates):
                error, logs = np.sqrt(np.diag(q.covariance)), q.log
                used = np.flatnonzero(~q.held)
            else:
                error, logs, used = np.array([q.standard_error or 0.0]), np.array([False]), [0]
            size = np.where(logs, 1.0, np.abs(self.u[s]))
            size = np.where(size > 0, size, np.where(error > 0, error, 1.0))
            steps = np.maximum(np.cbrt(np.finfo(float).eps) * size, 1e-3 * error)
            for i in used:
                move = np.zeros(len(self.u))
                move[s.start + i] = steps[i]
                rise = self.at(self.u + move) - self.at(self.u - move)
                gradient[s.start + i] = rise / (2 * steps[i])
        return gradient

    def findings(self, where: str) -> list[Finding]:
        """What the fits say against this function of them."""
        if not (np.isfinite(self.value) and np.isfinite(self.gradient).all()):
            said = "the calculation has no finite value and slope at the values found"
            return [Finding("determined", "withheld", said, where)]
        found = []
        for q, s in zip(self.of, self.slices):
            if isinstance(q, Estimates):
                found += _determined(q, self.gradient[s], where)
                found += [Finding("described", "doubtful", p, where) for p in q.problems]
                if q.goodness is not None and (f := described(q.goodness, where=where)(None)):
                    found.append(f)
        return found

    def relation(self) -> str | None:
        """'=' unless an input is a limit; None where limits pull both ways."""
        turned = {"<": ">", ">": "<"}
        said = {
            q.relation if self.gradient[s][0] > 0 else turned[q.relation]
            for q, s in zip(self.of, self.slices)
            if isinstance(q, Quantity) and q.relation != "=" and self.gradient[s][0] != 0
        }
        return said.pop() if len(said) == 1 else None if said else "="

    def parts(self) -> dict[tuple[str, str], float]:
        """The result as a sum of independent standard variables."""
        terms: dict[tuple[str, str], list[np.ndarray]] = {}
        for variables, s in zip(self.variables, self.slices):
            for key, row in variables.items():
                terms.setdefault(key, []).append(self.gradient[s] * row)
        found = {}
        for key, several in terms.items():
            every = np.concatenate(several)
            total = float(every.sum())
            # What cancels to the precision of the differences is no error, small as it may be.
            if abs(total) > 1e-7 * np.abs(every).sum():
                found[key] = total
        return found

    def interval(self, parts: Mapping, error: float, where: str):
        """(95 % interval or None where it is value ± 1.96 σ, findings)."""
        if (profile := self._profile(parts)) is not None:
            return profile, ()
        if not error > 0:
            return None, ()
        move, rest = np.zeros(len(self.u)), dict(parts)
        for variables, s in zip(self.variables, self.slices):
            for key, row in variables.items():
                move[s] += row * parts.get(key, 0.0)
                rest.pop(key, None)
        move *= Z95 / error
        beyond = Z95 * sum(e * e for e in rest.values()) / error
        low, high = self.at(self.u - move) - beyond, self.at(self.u + move) + beyond
        if not np.isfinite([low, high]).all():
            said = "the data allow values at which it is not defined"
            return None, (Finding("determined", "withheld", said, where),)
        if not low < self.value < high:
            said = f"within its error of {error:.2g} it passes a maximum or minimum"
            return None, (Finding("determined", "doubtful", said, where),)
        sides = np.array([self.value - low, high - self.value])
        if sides.max() > SKEW * sides.min():
            said = f"the data only say that it lies between {low:.2g} and {high:.2g}"
            return None, (Finding("determined", "withheld", said, where),)
        straight = np.abs(sides / (Z95 * error) - 1).max() < 0.05
        return (None if straight else (low, high)), ()

    def _profile(self, parts: Mapping) -> tuple[float, float] | None:
        """The profile interval of the one parameter that all depends on, through the function."""
        hit = np.flatnonzero(self.gradient)
        for q, s in zip(self.of, self.slices):
            if len(hit) == 1 and s.start <= hit[0] < s.stop and isinstance(q, Estimates):
                name = q.names[hit[0] - s.start]
                if name in q.intervals and all(cause == "fit" for cause, _ in parts):
                    ends = []
                    for x in q.intervals[name]:
                        u = self.u.copy()
                        u[hit[0]] = np.log(x) if q.log[hit[0] - s.start] else x
                        ends.append(self.at(u))
                    return min(ends), max(ends)
        return None


def _variables(q: Estimates | Quantity) -> dict[tuple[str, str], np.ndarray]:
    """The independent standard variables of an input: what one of each does to its coordinates."""
    if isinstance(q, Estimates):
        return {("fit", f"{q.token} {i}"): column for i, column in enumerate(q.root.T)}
    if q.relation != "=":  # the limit has its own error in it
        return {}
    return {key: np.array([e]) for key, e in q.parts.items()}


# ---- what a fit leaves open ----------------------------------------------------------------------


def _determined(fit: Estimates, gradient: np.ndarray, where: str) -> list[Finding]:
    said = []
    if not fit.converged:
        said.append("the fit did not converge")
    # A parameter that another can replace stands at its bound by chance: the open direction judges.
    for i in np.flatnonzero(fit.at_bound & (gradient != 0) & ~(fit.null != 0).any(axis=1)):
        value = f"{fit.values[i]:.4g} {fit.units[i]}".strip()
        said.append(f"{fit.names[i]} ended at its bound, {value}: its error is not known")
    open_ways = fit.null[:, _along(fit.null, gradient)]
    touched = fit.null[:, (fit.null[gradient != 0] != 0).any(axis=0)]
    if open_ways.shape[1]:
        hit = np.flatnonzero((open_ways != 0).any(axis=1) & (gradient != 0))
        said.append(_sentence(fit, hit, _connected(fit.null, open_ways)))
    elif touched.shape[1] and len(known := _known(fit, _connected(fit.null, touched))) > 1:
        said.append(
            f"{', '.join(known)} cannot be told apart, as the values came out equal; "
            "fit again from unequal starting values"
        )
    return [Finding("determined", "withheld", s, where) for s in said]


def _along(null: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Columns along which a function of this gradient changes."""
    change = np.abs(gradient @ null)
    return change > CANCELS * (np.abs(gradient) @ np.abs(null))


def _connected(null: np.ndarray, start: np.ndarray) -> np.ndarray:
    """All open directions that share parameters with those of `start`, one after the other."""
    rows = (start != 0).any(axis=1)
    while True:
        columns = (null[rows] != 0).any(axis=0)
        grown = (null[:, columns] != 0).any(axis=1)
        if (grown == rows).all():
            return null[:, columns]
        rows = grown


def _sentence(fit: Estimates, hit: np.ndarray, null: np.ndarray) -> str:
    """Which parameters are open, and the combination of them that is not."""
    names = ", ".join(fit.names[i] for i in hit)
    verb = "is" if len(hit) == 1 else "are"
    involved = np.flatnonzero((null != 0).any(axis=1))
    if len(involved) == 1:
        return f"{names} has no effect on the data"
    known = _known(fit, null)
    if not known:
        others = ", ".join(fit.names[i] for i in involved)
        return f"{names} {verb} not determined by the data, which leave {others} free together"
    return f"{names} {verb} not determined by the data, only {' or '.join(known)} is"


def _known(fit: Estimates, null: np.ndarray) -> list[str]:
    """Combinations of the parameters of `null` that do not change along it."""
    involved = np.flatnonzero((null != 0).any(axis=1))
    return [text for text, g in _combinations(fit, involved) if not _along(null, g).any()]


def _combinations(fit: Estimates, involved: np.ndarray):
    """Combinations that physics makes of rates, lifetimes, amplitudes; their gradients."""
    x = fit.values[involved]
    slope = np.where(fit.log[involved], x, 1.0)  # dx/du
    names = [fit.names[i] for i in involved]
    candidates = [(" + ".join(names), np.ones(len(x)))]
    if (x != 0).all():
        candidates.append((" + ".join(f"1/{n}" for n in names), -1 / x**2))
        candidates.append((" · ".join(names), 1 / x))
    if len(x) == 2:
        candidates.append((" − ".join(names), np.array([1.0, -1.0])))
        if (x != 0).all():
            candidates.append((" / ".join(names), np.array([1 / x[0], -1 / x[1]])))
    for text, g in candidates:
        gradient = np.zeros(len(fit.names))
        gradient[involved] = g * slope
        yield text, gradient
