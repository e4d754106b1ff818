"""How far the numbers of a global fit can be trusted: covariance, null space, flags, profile
likelihood.

The noise of a broadband probe is correlated over wavelengths and delays, and each of hundreds of
spectra eliminated from the fit takes its own noise along. Both make the textbook covariance
σ²(JᵀJ)⁻¹ wrong: by the square root of the number of wavelengths at worst. Here

    cov(θ) = M⁻¹ V M⁻¹,    M = JᵀJ − F,    V = cov(Jᵀr)

with F the part of JᵀJ that noise in the spectra makes up (its expectation does not belong to the
curvature of the cost, whose noise term tr P does not depend on θ), and V from the residual's
covariance over wavelengths and delays (`noise.kernel`). For independent noise and strong signals
this is the textbook formula again.

Directions of θ in which the cost does not change are the null space: what moves along them has no
number, what does not has one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, stats

from peled.quantities import NULL_TOLERANCE, from_normal, with_error
from peled.separable import Problem, minimise
from peled.transient_absorption import noise

_GROWN = 2.0  # residual after zero time over that before, from which on it is said
_QUIET = 5  # delays before zero time that tell the noise
TOUCHED = 1e-4  # part of a direction in the null space from which on a number is withheld


@dataclass(frozen=True)
class Trust:
    """Covariances of the free coordinates and what they do not cover.

    `covariance` is for noise of any correlation over wavelengths and delays, `white` the
    textbook's; both are zero for coordinates at a bound and along `null`, the directions (free, k)
    that the data do not determine. `widened` is the largest ratio of a standard error to that for
    noise independent over delays.
    """

    covariance: np.ndarray
    white: np.ndarray
    null: np.ndarray
    widened: float

    def at_least(self, part: float) -> Trust:
        """The same with no variance below this part of the textbook's; correlations kept.

        Parameters
        ----------
        part : float

        Returns
        -------
        Trust
        """
        found, least = np.diag(self.covariance), part * np.diag(self.white)
        low = (found > 0) & (least > found)
        scale = np.where(low, np.sqrt(least / np.where(low, found, 1.0)), 1.0)
        return replace(self, covariance=self.covariance * np.outer(scale, scale))


def covariances(setup, now, best, scores, even, dof: int) -> Trust:
    """Covariance of the free coordinates at the optimum.

    A coordinate at its bound counts as held for all others.

    Parameters
    ----------
    setup : Setup
    now : Evaluation
        At the optimum, with `floor`.
    best : Minimum
    scores : sequence of (arrays, relative covariance)
        Parts of cov(Jᵀr), (free, free) each, of the noise as it is, and how well the sizes of those
        that belong together are known.
    even : array
        The same for noise alike and independent at all delays.
    dof : int
        Degrees of freedom of the residual.

    Returns
    -------
    Trust

    References
    ----------
    .. [1] H. White, Econometrica 48, 817 (1980), doi:10.2307/1912934
    """
    n = len(best.theta)
    robust, white, null = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, 0))
    free = np.flatnonzero(~best.at_bound)
    if not len(free) or dof <= 0:
        return Trust(np.full((n, n), np.nan), np.full((n, n), np.nan), null, 1.0)
    pick = np.ix_(free, free)
    h, floor = now.hessian[pick], now.floor[pick]
    if not h.any():  # no column is there at any delay
        return Trust(robust, white, np.eye(n)[:, free], 1.0)
    scale = np.sqrt(np.maximum(np.diag(h), 0))
    scale = np.maximum(scale, 1e-12 * max(scale.max(), 1e-300))
    outer = np.outer(scale, scale)
    values, vectors = np.linalg.eigh(h / outer)
    lost = values < NULL_TOLERANCE * values.max()
    names = [setup.names[i] for i in setup.free]
    bound = [name for name, at in zip(names, best.at_bound, strict=True) if at]
    size = np.diag(now.hessian)
    felt = size > 1e-24 * size.max()  # the curvature of others is what rounding leaves
    normal = now.hessian * np.outer(felt, felt)
    null = from_normal(names, np.ones(n), [""] * n, normal, at_bound=bound).null
    kept = vectors[:, ~lost]
    inverse = (kept / values[~lost]) @ kept.T / outer
    white[pick] = inverse * now.cost / dof
    # Where noise makes up most of JᵀJ the expansion around the optimum has no meaning; the larger
    # of the two is then nearer the truth.
    signal = kept.T @ ((h - floor) / outer) @ kept
    if np.linalg.eigvalsh(signal).min() > 0.05 * values[~lost].min():
        inverse = kept @ np.linalg.inv(signal) @ kept.T / outer
    parts = [inverse @ score[pick] @ inverse for group, _ in scores for score in group]
    full, plain = sum(parts), inverse @ even[pick] @ inverse
    spread = linalg.block_diag(*(spread for _, spread in scores))
    wider = noise.widening([np.diag(part) for part in parts], spread)
    robust[pick] = full * np.outer(wider, wider)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = wider * np.sqrt(np.diag(full) / np.diag(plain))
    return Trust(robust, white, null, float(np.nanmax(ratio, initial=1.0)))


def residual_scores(rows, kernels):
    """Parts of cov(Jᵀr) from the residual, with the relative covariance of their sizes, and their
    sum for noise that is even over the delays. The noise of a data set is independent of the
    others'.

    Parameters
    ----------
    rows : sequence of Rows
        One a data set, at the optimum.
    kernels : sequence of noise.Kernel
        One a data set.

    Returns
    -------
    scores : list of (list of ndarray, ndarray)
        Parts (free, free) of one share of the noise, with the relative covariance (parts, parts).
    even : ndarray, shape (free, free)
    """
    pairs = list(zip(rows, kernels, strict=True))
    scores = [score for row, kernel in pairs for score in kernel.scores(row)]
    return scores, sum(kernel.even(row) for row, kernel in pairs)


def scan_scores(fit, scans):
    """cov(Jᵀr) of a fit of one matrix from its single scans (n, nt, nw), whatever their noise is
    like, with n − 1 degrees of freedom; and the mean variance of their mean at a point, over that
    of the residual.

    Parameters
    ----------
    fit : GlobalFit
    scans : ndarray, shape (n, nt, nw)
        Two at least, NaN where a point is missing.

    Returns
    -------
    scores : list of (list of ndarray, ndarray)
        As `residual_scores`, one part (free, free).
    ratio : float
    """
    segment, (_, x) = fit.setup.segments[0], fit.directions()
    mean = np.nansum(scans, axis=0) / np.maximum(np.isfinite(scans).sum(axis=0), 1)
    off = (scans - mean) * segment.weights
    off = np.where(np.isfinite(off), off, 0.0)
    each = np.einsum("wtp,stw->sp", x, off, optimize=True)
    n = len(scans)
    scores = [([each.T @ each / (n * (n - 1))], np.array([[2 / (n - 1)]]))]
    variance = float(np.sum(off**2)) / (n * (n - 1)) / fit.size
    return scores, variance * fit.degrees_of_freedom / max(fit.ssr, 1e-300)


def touches(gradient, null) -> np.ndarray:
    """Whether a function with this gradient (..., free) changes along the null space (free, k).

    Parameters
    ----------
    gradient : array, shape (..., free)
    null : ndarray, shape (free, k)

    Returns
    -------
    ndarray of bool, shape (...)
        Shape (1,) for a single gradient.
    """
    gradient = np.atleast_2d(gradient)
    size = np.linalg.norm(gradient, axis=-1)
    part = np.linalg.norm(gradient @ null, axis=-1)
    return part > TOUCHED * np.maximum(size, 1e-300)


# ---- what is determined where single numbers are not ---------------------------------------------


@dataclass(frozen=True)
class Combination:
    """What the data determine of parameters that they do not determine one by one."""

    text: str
    value: float
    standard_error: float
    unit: str


def combinations(setup, theta, trust: Trust) -> tuple[tuple[str, ...], tuple[Combination, ...]]:
    """Undetermined parameters, and sums of rates, products and ratios of time constants among them
    that are determined.

    Subsets of two and three are tried, products and ratios of two.

    Parameters
    ----------
    setup : Setup
    theta : ndarray, shape (free,)
    trust : Trust

    Returns
    -------
    names : tuple of str
        Undetermined parameters.
    found : tuple of Combination
    """
    u, jacobian = setup.expand(theta)
    moved = np.flatnonzero(touches(jacobian, trust.null) & np.any(jacobian != 0, axis=1))
    names = tuple(setup.names[i] for i in moved)
    rates = [i for i in moved if setup.names[i].startswith("tau")]
    found, sums = [], []
    for size in (2, 3):
        for subset in itertools.combinations(rates, size):
            if not any(set(known) <= set(subset) for known in sums):
                total, others = _determined(setup, u, jacobian, trust, subset)
                sums += [subset] * bool(total)
                found += total + others
    return names, tuple(found)


def _determined(setup, u, jacobian, trust, subset):
    """The sum of rates, and product and ratio, of a subset that the data determine: two lists."""
    names = [setup.names[i] for i in subset]
    tau = np.exp(u[list(subset)])
    kinds = [(" + ".join(f"1/{n}" for n in names), np.sum(1 / tau), -1 / tau, "1/ps")]
    if len(subset) == 2:
        (a, b), (x, y) = names, tau
        kinds.append((f"{a} * {b}", x * y, np.array([x * y, x * y]), "ps2"))
        kinds.append((f"{a} / {b}", x / y, np.array([x / y, -x / y]), ""))
    found: tuple[list, list] = ([], [])
    for number, (text, value, slope, unit) in enumerate(kinds):
        gradient = slope @ jacobian[list(subset)]
        if not touches(gradient, trust.null)[0]:
            error = float(np.sqrt(gradient @ trust.covariance @ gradient))
            found[number > 0].append(Combination(text, float(value), error, unit))
    return found


# ---- flags ---------------------------------------------------------------------------------------


def flags(setup, now, best, estimates, trust, determined, stated, minima) -> tuple[str, ...]:
    """What makes a result doubtful, in words; empty when nothing does.

    Parameters
    ----------
    setup : Setup
    now : Evaluation
        At the optimum, with `rows`.
    best : Minimum
    estimates : sequence of Estimate
    trust : Trust
    determined : (tuple of str, tuple of Combination)
        Of `combinations`.
    stated : float or None
        Standard deviation of the noise where it is known.
    minima : sequence of FoundMinimum
        Best first.

    Returns
    -------
    tuple of str
    """
    said = _search_flags(best, estimates)
    if trust.null.shape[1]:
        said.append(null_flag(*determined))
    said += nearly_free(estimates)
    said += [f"no rise in the window: zero time and response of {n} are held" for n in setup.late]
    for segment in setup.segments:
        name = f"{segment.matrix.name}: " if len(setup.segments) > 1 else ""
        said += [name + text for text in _lifetime_flags(segment, setup.expand(best.theta)[0])]
        said += [f"{name}{note}" for note in segment.matrix.notes]
        said += [name + text for text in _residual_flags(setup, now, best, segment)]
    if trust.widened > 1.25:
        said.append(f"residual correlated over delays: errors widened {trust.widened:.1f} times")
    said += _level_flags(setup, now, best, stated)
    if len(minima) > 1 and minima[1].rise < stats.chi2.ppf(0.95, 1):
        other = ", ".join(f"{t:.3g}" for t in minima[1].lifetimes_ps)
        said.append(f"another minimum as good as this one: lifetimes {other} ps")
    return tuple(said)


def _search_flags(best, estimates) -> list[str]:
    said = []
    if not best.converged:
        said.append(
            f"not converged: after {best.evaluations} evaluations a step still promises "
            f"{best.decrement:.1e} of the cost"
        )
    elif best.gradient_norm > 1e-4:
        said.append(f"gradient not zero: scaled norm {best.gradient_norm:.1e}")
    return said + [f"at bound: {e.name} = {e.value:.4g}" for e in estimates if e.at_bound]


def null_flag(names, found) -> str:
    """What is undetermined, and what of it is determined together, in words.

    Parameters
    ----------
    names : sequence of str
        Undetermined parameters.
    found : sequence of Combination

    Returns
    -------
    str
    """
    only = "; ".join(
        f"{c.text} = {with_error(c.value, c.standard_error)} {c.unit}".rstrip() for c in found
    )
    rest = f"only {only} is determined" if found else "no simple combination of them is determined"
    return f"undetermined: {', '.join(names)}; {rest}"


def nearly_free(estimates) -> list[str]:
    """Time constants known to no better than half their value, a sentence each.

    Parameters
    ----------
    estimates : sequence of Estimate

    Returns
    -------
    list of str
    """
    return [
        f"undetermined: {e.name} = {with_error(e.value, e.standard_error)}"
        for e in estimates
        if e.name.startswith("tau")
        and e.standard_error is not None
        and np.isfinite(e.standard_error)
        and e.standard_error > 0.5 * e.value
    ]


def _lifetime_flags(segment, u) -> list[str]:
    with np.errstate(divide="ignore"):
        tau = np.sort(1 / segment.rates(u)[0])
    delay = segment.matrix.delay_ps
    window = segment.model.period_ps or delay[-1] - u[segment.t0]  # a backsweep is later light
    fwhm = float(np.exp(u[segment.fwhm])) if segment.fwhm is not None else 0.0
    step = float(np.diff(delay).min())
    said = [
        f"coalescing lifetimes: {a:.4g} and {b:.4g} ps"
        for a, b in itertools.pairwise(tau)
        if b < 1.5 * a and not (segment.model.scheme and segment.model.scheme.apart)
    ]
    if segment.model.narrow and fwhm > 3 * segment.model.fwhm_ps:
        said.append(f"wide artefact: a response of {fwhm:.3g} ps may stand for a decay")
    for t in tau:
        if fwhm and t < 0.5 * fwhm:
            said.append(f"spike: {t:.3g} ps is shorter than half the response of {fwhm:.3g} ps")
        elif t < 0.1 * step:
            said.append(f"runaway rate: {t:.3g} ps is far below the smallest step of {step:.3g} ps")
        if np.isfinite(t) and t > 1.5 * window:
            said.append(
                f"longer than the window: {t:.4g} ps in {window:.4g} ps; the delays tell it from a "
                "component that stays by its curvature alone"
            )
    return said


def _residual_flags(setup, now, best, segment) -> list[str]:
    said = []
    found = segment_structure(setup, now.rows, segment)
    if found is not None and found.found:
        said.append(
            f"structure in the residual: correlation of neighbouring delays "
            f"{found.correlation:.2f}, residual {found.excess:.1f} times the noise between "
            "neighbours"
        )
    ratio = _after_over_before(setup, now.rows, setup.expand(best.theta)[0], segment)
    if ratio > _GROWN:
        said.append(
            f"residual after zero time {ratio:.1f} times that before: "
            "structure, or noise that grows with the signal"
        )
    return said


def _after_over_before(setup, rows, u, segment) -> float:
    """Size of the residual after zero time over that before all responses, which no model has a
    part in; 1 where that is not seen."""
    if segment.fwhm is None or segment.model.period_ps is not None:
        return 1.0
    gram = rows[setup.segments.index(segment)].gram
    power = np.diag(gram) / np.maximum(segment.present.sum(1), 1)
    shift = segment.shift(u)
    width = min(float(np.exp(u[segment.fwhm])), 3 * segment.model.fwhm_ps)  # a misfit may widen it
    before = segment.matrix.delay_ps < shift.min() - 1.5 * width
    after = segment.matrix.delay_ps > shift.max()
    if before.sum() < _QUIET or after.sum() <= len(setup.model.spectra) or not power[before].any():
        return 1.0
    free = 1 - len(setup.model.spectra) / after.sum()  # what the spectra take up lies after
    return float(np.sqrt(power[after].mean() / free / power[before].mean()))


def segment_structure(setup, rows, segment):
    """`noise.structure` of one data set's residual; `rows` are those of all sets.

    Parameters
    ----------
    setup : Setup
    rows : sequence of Rows
    segment : Segment
        One of the setup's.

    Returns
    -------
    noise.Structure or None
        None where nothing is left, or of fewer than 8 delays.
    """
    gram = rows[setup.segments.index(segment)].gram
    return noise.structure(gram, len(setup.model.spectra), segment.data.shape[1])


def _level_flags(setup, now, best, stated) -> list[str]:
    """The residual against noise stated by a person, or by scans (standard errors, of 1 in weighted
    data)."""
    dof = setup.size - setup.linear - len(best.theta)
    if stated is None and all(m.standard_error is not None for m in setup.matrices):
        stated = 1.0
    if stated is None or dof <= 0:
        return []
    ratio = np.sqrt(now.cost / dof) / stated
    independent = sum(
        min(noise.effective_wavelengths(noise.differences(row.gram)), m.shape[1]) / m.shape[1]
        for row, m in zip(now.rows, setup.matrices, strict=False)
    ) / len(setup.matrices)
    if ratio > 1 + 4 / np.sqrt(2 * dof * independent) and ratio > 1.05:
        return [f"residual {ratio:.2f} times the stated noise"]
    return []


# ---- profile likelihood --------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A confidence interval of one parameter, and how the cost rose along it: `values`, `rise` (in
    units of the squared standard deviation)."""

    name: str
    low: float
    high: float
    level: float
    values: np.ndarray
    rise: np.ndarray


def rise_at(fit, j: int, value: float, start) -> tuple[float, np.ndarray]:
    """What the cost rises by where one coordinate is held and everything else refitted, in the
    variance that the rise really has when noise is correlated.

    Parameters
    ----------
    fit : GlobalFit
    j : int
        Number of the free coordinate.
    value : float
        Of it.
    start : ndarray, shape (free − 1,)
        Of the others.

    Returns
    -------
    rise : float
    others : ndarray, shape (free − 1,)
        Where they end.
    """
    problem, others = fit.setup.problem, np.arange(len(fit.theta)) != j

    def expand(theta):
        full = np.empty(len(fit.theta))
        full[others], full[j] = theta, value
        u, jacobian = fit.setup.expand(full)
        return u, jacobian[:, others]

    ends = problem.low[others], problem.high[others]
    reach = np.broadcast_to(problem.reach, len(others))[others]
    sub = Problem(problem.blocks, expand, *ends, reach)
    found = minimise(sub, start, tolerance=1e-10, max_evaluations=60)
    inflation = fit.covariance[j, j] / fit.covariance_white[j, j]
    return (found.cost - fit.ssr) * fit.degrees_of_freedom / (inflation * fit.ssr), found.theta


def profile(fit, name: str, *, level: float = 0.95) -> Interval:
    """Profile-likelihood interval of one parameter: it is held at a series of values and everything
    else refitted.

    The cost's rise is divided by the variance that the rise really has when noise is correlated
    (the ratio of `covariance` to `covariance_white`), and compared with the χ² distribution. An end
    that is not reached within 8 standard errors is infinite (or 0).

    Parameters
    ----------
    fit : GlobalFit
    name : str
        One of `fit.free`.
    level : float
        Of confidence.

    Returns
    -------
    Interval
        In the parameter's unit.

    Raises
    ------
    ValueError
        If the parameter was not fitted.

    References
    ----------
    .. [1] D. J. Venzon and S. H. Moolgavkar, Appl. Stat. 37, 87 (1988), doi:10.2307/2347496
    """
    points = 9
    if name not in fit.free:
        raise ValueError(f"profile: expected one of {', '.join(fit.free)}; found {name!r}")
    j = fit.free.index(name)
    setup, problem = fit.setup, fit.setup.problem
    others = np.arange(len(fit.theta)) != j
    sigma = np.sqrt(fit.covariance[j, j])
    log = setup.logarithmic[setup.free[j]]
    change = np.exp if log else (lambda x: x)
    if not sigma > 0:  # at its bound, or not determined by the data
        none = np.array([])
        return Interval(name, float(change(-np.inf)), np.inf, level, none, none)
    limit = stats.chi2.ppf(level, 1)  # the covariance is widened for its degrees of freedom already
    ends, values, rises = {}, [fit.theta[j]], [0.0]
    for sign in (-1, 1):
        start, last, step = fit.theta[others], 0.0, np.sqrt(limit) * sigma
        inside = fit.theta[j]
        reach = fit.theta[j]
        for _ in range(points):
            reach = np.clip(inside + sign * step, problem.low[j], problem.high[j])
            if reach == inside:
                break
            rise, theta = rise_at(fit, j, reach, start)
            values.append(reach), rises.append(rise)
            if rise < limit:
                inside, last, start = reach, rise, theta
                step *= 0.6
                if abs(inside - fit.theta[j]) > 8 * sigma * np.sqrt(limit):
                    break
                if last > 0.97 * limit:
                    break
            else:
                # Between the last value inside and this one: the root of the rise is nearly linear.
                a, b = np.sqrt(max(last, 0)), np.sqrt(rise)
                guess = inside + (np.sqrt(limit) - a) / (b - a) * (reach - inside)
                if abs(rise - limit) < 0.03 * limit or abs(guess - inside) < 1e-3 * sigma:
                    break
                step = abs(guess - inside)
        order = np.argsort(values)
        v, r = np.array(values)[order], np.sqrt(np.maximum(np.array(rises)[order], 0))
        beyond = v > fit.theta[j] if sign > 0 else v < fit.theta[j]
        if r[beyond].size and r[beyond].max() >= 0.98 * np.sqrt(limit):
            side = beyond | (v == fit.theta[j])
            x, y = (v[side], r[side]) if sign > 0 else (v[side][::-1], r[side][::-1])
            ends[sign] = float(np.interp(np.sqrt(limit), np.maximum.accumulate(y), x))
        else:
            ends[sign] = sign * np.inf
    order = np.argsort(values)
    return Interval(
        name,
        float(change(ends[-1])),
        float(change(ends[1])),
        level,
        change(np.array(values)[order]),
        np.array(rises)[order],
    )
