"""How far the numbers of a global fit can be trusted: covariance, flags, profile likelihood, bootstrap, number of components.

The noise of a broadband probe is correlated over wavelengths (every pixel sees the same pulse), and each of hundreds of
spectra eliminated from the fit takes its own noise along. Both make the textbook covariance σ²(JᵀJ)⁻¹ wrong: by the
square root of the number of wavelengths at worst in the first case. Here

    cov(θ) = M⁻¹ V M⁻¹,    M = JᵀJ − F,    V = cov(Jᵀr)

with F the part of JᵀJ that noise in the spectra makes up (its expectation does not belong to the curvature of the cost,
whose noise term tr P does not depend on θ), and V from the residual's covariance over wavelengths, delays being
independent. For independent noise and strong signals this is the textbook formula again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import stats


def covariances(now, best, dof: int):
    """Covariance of the free coordinates: for noise correlated over wavelengths, and for independent noise (σ²(JᵀJ)⁻¹).

    Coordinates held at a bound get NaN.
    """
    n = len(best.theta)
    robust, white = np.full((n, n), np.nan), np.full((n, n), np.nan)
    free = ~best.at_bound
    if not free.any() or dof <= 0:
        return robust, white
    pick = np.ix_(free, free)
    h, floor, score = now.hessian[pick], now.floor[pick], now.score[pick]
    scale = np.sqrt(np.maximum(np.diag(h), 1e-300))
    outer = np.outer(scale, scale)
    inverse = _inverse(h / outer) / outer
    white[pick] = inverse * now.cost / dof
    signal = h - floor
    # Where noise makes up most of JᵀJ the expansion around the optimum has no meaning; the larger of the two is then nearer the truth.
    values = np.linalg.eigvalsh(signal / outer)
    if values.min() > 0.05 * max(np.linalg.eigvalsh(h / outer).min(), 1e-300):
        inverse = _inverse(signal / outer) / outer
    robust[pick] = inverse @ score @ inverse
    return robust, white


def _inverse(a):
    values, vectors = np.linalg.eigh(a)
    with np.errstate(divide="ignore"):
        inverse = np.where(values > 1e-14 * values.max(), 1 / values, np.inf)
    return vectors * np.minimum(inverse, 1e14) @ vectors.T


def flags(setup, now, best, estimates, dof, noise, minima) -> tuple[str, ...]:
    """What makes a result doubtful, in words; empty when nothing does."""
    said = []
    if not best.converged:
        said.append(
            f"not converged: after {best.evaluations} evaluations a step still promises {best.decrement:.1e} of the cost"
        )
    elif best.gradient_norm > 1e-4:
        said.append(f"gradient not zero: scaled norm {best.gradient_norm:.1e}")
    for e in estimates:
        if e.at_bound:
            said.append(f"at bound: {e.name} = {e.value:.4g}")
    said += _nearly_free(estimates)
    for segment in setup.segments:
        u, _ = setup.expand(best.theta)
        with np.errstate(divide="ignore"):
            tau = np.sort(1 / segment.rates(u)[0])
        name = f"{segment.matrix.name}: " if len(setup.segments) > 1 else ""
        t0 = u[segment.t0]
        window = segment.matrix.delay_ps[-1] - t0
        fwhm = float(np.exp(u[segment.fwhm])) if segment.fwhm is not None else 0.0
        step = float(np.diff(segment.matrix.delay_ps).min())
        for a, b in itertools.pairwise(tau):
            if b < 1.5 * a:
                said.append(f"{name}coalescing lifetimes: {a:.4g} and {b:.4g} ps")
        for t in tau:
            if fwhm and t < 0.5 * fwhm:
                said.append(
                    f"{name}spike: {t:.3g} ps is shorter than half the response of {fwhm:.3g} ps"
                )
            elif t < 0.1 * step:
                said.append(
                    f"{name}runaway rate: {t:.3g} ps is far below the smallest step of {step:.3g} ps"
                )
            if np.isfinite(t) and t > 1.5 * window:
                said.append(
                    f"{name}longer than the window: {t:.4g} ps in {window:.4g} ps; use infinite=True or a longer delay"
                )
        said += [f"{name}{note}" for note in segment.matrix.notes]
        said += _residual_structure(setup, segment, best, name)
    if noise is not None and dof > 0:
        ratio = np.sqrt(now.cost / dof) / noise
        if ratio > 1 + 4 / np.sqrt(2 * dof) and ratio > 1.05:
            said.append(f"residual {ratio:.2f} times the stated noise")
    if len(minima) > 1 and minima[1][0] < now.cost * (1 + stats.chi2.ppf(0.95, 1) / max(dof, 1)):
        other = ", ".join(f"{t:.3g}" for t in minima[1][1])
        said.append(f"another minimum as good as this one: lifetimes {other} ps")
    return tuple(said)


def _nearly_free(estimates):
    return [
        f"undetermined: {e.name} = {e.value:.3g} ± {e.standard_error:.2g}"
        for e in estimates
        if e.name.startswith("tau")
        and e.standard_error is not None
        and np.isfinite(e.standard_error)
        and e.standard_error > 0.5 * e.value
    ]


def _residual_structure(setup, segment, best, name):
    """Correlation of neighbouring delays in the residual, tested with the effective number of independent wavelengths."""
    block = setup.problem.blocks[setup.place[setup.segments.index(segment)][0]]
    gram = residual_gram(block, setup.expand(best.theta)[0])
    _, rows = setup.place[setup.segments.index(segment)]
    gram = gram[rows, rows]
    total = np.trace(gram)
    if not total > 0:
        return []
    nt = len(gram)
    norm = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    pairs = np.diag(gram, 1) / (norm[1:] * norm[:-1])
    independent = effective_wavelengths(gram)
    mean = float(np.mean(pairs))
    # The fit itself makes neighbours anticorrelated by about the number of its parameters over nt.
    z = mean * np.sqrt((nt - 1) * independent)
    return (
        [f"{name}structure in the residual: correlation of neighbouring delays {mean:.2f}"]
        if z > 5 and mean > 0.1
        else []
    )


def residual_gram(block, u) -> np.ndarray:
    """Residual times its transpose, shape (nt, nt), without forming the residual where the block is compressed."""
    if hasattr(block, "bounded"):
        a, c, _ = block.solve(u)
        rest = block.data - c[0] @ a
        return rest @ rest.T
    c, pseudo = _model_matrix(block, u)
    if c.ndim == 3:
        rest = block.data - np.einsum("wtn,wn->tw", c, np.matmul(pseudo, block.columns)[:, :, 0])
        return rest @ rest.T
    project = np.eye(len(c)) - c @ pseudo
    if getattr(block, "compressed", None) is not None:
        rest = project @ block.compressed
        return rest @ rest.T
    return project @ block.gram @ project


def _model_matrix(block, u):
    if hasattr(block, "columns"):
        c, _ = block.basis(u, False)
        q, inverse = block._project(c)
        return c, np.matmul(inverse, np.swapaxes(q, 1, 2))
    c, _ = block.basis(u, False)
    return c, np.linalg.pinv(c)


def effective_wavelengths(gram) -> float:
    """Effective number of independent wavelengths, (tr Σ)²/tr Σ², from the residual's Gram matrix; unbiased for few delays.

    Noise common to all wavelengths gives 1, independent noise of equal size their number.
    """
    nt = len(gram)
    trace, square = float(np.trace(gram)), float(np.sum(gram * gram))
    excess = square - trace**2 / nt  # independent delays put this much into tr Σ² by chance
    return float(np.clip(trace**2 / max(excess, 1e-300) * (nt / (nt + 1.0)), 1.0, 1e9))


# ---- profile likelihood ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A confidence interval of one parameter, and how the cost rose along it: `values`, `rise` (in units of the squared standard deviation)."""

    name: str
    low: float
    high: float
    level: float
    values: np.ndarray
    rise: np.ndarray


def profile(fit, name: str, *, level: float = 0.95, points: int = 9) -> Interval:
    """Profile-likelihood interval of one parameter: it is held at a series of values and everything else refitted.

    The cost's rise is divided by the variance that the rise really has when noise is correlated over wavelengths (the
    ratio of `covariance` to `covariance_white`), and compared with the F distribution. An end that is not reached within 8 standard errors is infinite (or 0).

    Raises
    ------
    ValueError
        If the parameter was not fitted.
    """
    from peled.transient_absorption.varpro import Problem, minimise

    if name not in fit.free:
        raise ValueError(f"profile: expected one of {', '.join(fit.free)}; found {name!r}")
    j = fit.free.index(name)
    setup, problem = fit.setup, fit.setup.problem
    others = np.arange(len(fit.theta)) != j
    sigma = np.sqrt(fit.covariance[j, j])
    inflation = fit.covariance[j, j] / fit.covariance_white[j, j]
    unit = inflation * fit.ssr / fit.degrees_of_freedom
    limit = stats.f.ppf(level, 1, _error_degrees(fit))

    def cost(value: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        def expand(theta):
            full = np.empty(len(fit.theta))
            full[others], full[j] = theta, value
            u, jacobian = setup.expand(full)
            return u, jacobian[:, others]

        sub = Problem(problem.blocks, expand, problem.low[others], problem.high[others])
        found = minimise(sub, start, tolerance=1e-10, max_evaluations=60)
        return (found.cost - fit.ssr) / unit, found.theta

    ends, values, rises = {}, [fit.theta[j]], [0.0]
    for sign in (-1, 1):
        start, last, step = fit.theta[others], 0.0, np.sqrt(limit) * sigma
        inside = fit.theta[j]
        reach = fit.theta[j]
        for _ in range(points):
            reach = inside + sign * step
            rise, theta = cost(reach, start)
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
    log = setup.logarithmic[setup.free[j]]
    change = np.exp if log else (lambda x: x)
    return Interval(
        name,
        float(change(ends[-1])),
        float(change(ends[1])),
        level,
        change(np.array(values)[order]),
        np.array(rises)[order],
    )


def _error_degrees(fit) -> float:
    """Degrees of freedom of the estimated noise: delays less columns, times the effective number of independent wavelengths."""
    total = 0.0
    u = fit.setup.expand(fit.theta)[0]
    for block in fit.setup.problem.blocks:
        gram = residual_gram(block, u)
        total += max(len(gram) - len(fit.model.spectra), 1) * min(
            effective_wavelengths(gram), block.shape[1]
        )
    return max(total - len(fit.theta), 1.0)


# ---- bootstrap ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bootstrap:
    """Refits of resampled data: `lifetimes` (draws, components), `spectra` (draws, spectra, nw) of one data set."""

    lifetimes: np.ndarray
    spectra: np.ndarray
    failed: int

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Percentile intervals of the lifetimes, shape (2, components)."""
        tail = (1 - level) / 2
        return np.quantile(self.lifetimes, [tail, 1 - tail], axis=0)

    def band(self, level: float = 0.95) -> np.ndarray:
        """Percentile bands of the spectra, shape (2, spectra, nw)."""
        tail = (1 - level) / 2
        return np.quantile(self.spectra, [tail, 1 - tail], axis=0)


def bootstrap(fit, draws: int = 1000, *, scans=None, block: int = 1, seed: int = 0) -> Bootstrap:
    """Distribution of lifetimes and spectra by refitting resampled data, from the optimum on.

    Parameters
    ----------
    fit : GlobalFit
        Of one matrix whose wavelengths share their model matrix (no fitted dispersion).
    draws : int
    scans : array, shape (scans, nt, nw), optional
        Single scans, already treated like the fitted mean; whole scans are drawn. Without them, rows of the residual
        (all wavelengths of a delay together, so that their correlation stays) are drawn and added to the fit.
    block : int
        Neighbouring delays drawn together, where the noise is correlated along the delays.
    seed : int

    Raises
    ------
    ValueError
        For a fit of several matrices or with dispersion.
    """
    from peled.transient_absorption.varpro import Problem, SharedBlock, minimise

    blocks = fit.setup.problem.blocks
    if len(blocks) != 1 or not isinstance(blocks[0], SharedBlock) or len(fit.matrices) != 1:
        raise ValueError(
            "bootstrap: expected a fit of one matrix without fitted dispersion; correct the chirp first"
        )
    rng = np.random.default_rng(seed)
    original, segment = blocks[0], fit.setup.segments[0]
    u = fit.setup.expand(fit.theta)[0]
    a, c, pseudo = original.solve(u)
    model = c @ a
    rest = original.data - model
    nt, nw = rest.shape
    # Raw residuals are too small by the share of the data that the fit takes up at each delay.
    leverage = np.clip(np.einsum("ij,ji->i", c, pseudo), 0, 0.95)
    rest = rest / np.sqrt(1 - leverage)[:, None]
    weights = segment.delay_weight[:, None] * segment.wavelength_weight[None, :]
    stack = None
    if scans is not None:
        stack = (np.asarray(scans, float) * weights).reshape(len(scans), -1)
    lifetimes, spectra, failed = [], [], 0
    compressed = stack is None
    if compressed:  # D·Dᵀ of a resample follows from three small products
        mm, mr, rr = model @ model.T, model @ rest.T, rest @ rest.T
    for _ in range(draws):
        if compressed:
            rows = _rows(rng, nt, block)
            gram = mm + mr[:, rows] + mr[:, rows].T + rr[np.ix_(rows, rows)]
            trial = _GramBlock(gram, original)
        else:
            share = rng.multinomial(len(stack), np.full(len(stack), 1 / len(stack))) / len(stack)
            data = (share @ stack).reshape(nt, nw)
            trial = SharedBlock(data, original.basis, original.index)
        problem = Problem([trial], fit.setup.expand, fit.setup.low, fit.setup.high)
        found = minimise(problem, fit.theta, tolerance=1e-7, max_evaluations=60)
        failed += not found.converged
        v = fit.setup.expand(found.theta)[0]
        k, _ = segment.rates(v)
        lifetimes.append(1 / k)
        _, inverse = _model_matrix(original, v)
        spectra.append(inverse @ model + inverse @ rest[rows] if compressed else inverse @ data)
    return Bootstrap(np.array(lifetimes), np.array(spectra) / segment.wavelength_weight, failed)


def _GramBlock(gram, like):
    from peled.transient_absorption.varpro import SharedBlock

    made = SharedBlock.__new__(SharedBlock)
    made.data, made.basis, made.index, made.shape, made.size = (
        like.data,
        like.basis,
        like.index,
        like.shape,
        like.size,
    )
    made.compressed, made.gram, made.total = None, gram, float(np.trace(gram))
    made.exact = lambda: None
    return made


def _rows(rng, nt: int, block: int) -> np.ndarray:
    if block <= 1:
        return rng.integers(nt, size=nt)
    starts = rng.integers(nt - block + 1, size=-(-nt // block))
    return (starts[:, None] + np.arange(block)).ravel()[:nt]


# ---- number of components ----------------------------------------------------------------------------------------------


def small_p(p: float) -> str:
    """A p value as text; below 10⁻¹⁰ its size says nothing.

    >>> small_p(0.0312), small_p(1e-40)
    ('0.031', '< 1e-10')
    """
    return "< 1e-10" if p < 1e-10 else f"{p:.2g}"


@dataclass(frozen=True)
class Candidate:
    """One number of components: the fit's cost, the residual's largest singular value over what noise makes, F test against one fewer, BIC."""

    components: int
    lifetimes_ps: tuple[float, ...]
    rms: float
    largest_singular_value: float
    p_value: float
    bic: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ComponentTable:
    """Fits with 1, 2, … components. `supported` is the number on which BIC and F test agree best; `fits` are the fits themselves."""

    rows: tuple[Candidate, ...]
    supported: int
    effective_wavelengths: float
    fits: tuple

    def __str__(self) -> str:
        head = (
            "components  rms         residual SVD / noise  F test p   BIC - lowest  lifetimes (ps)"
        )
        lowest = min(r.bic for r in self.rows)
        return "\n".join(
            [
                head,
                *(
                    f"{r.components:<11d} {r.rms:<11.3e} {r.largest_singular_value:<21.2f} {small_p(r.p_value):<10s} {r.bic - lowest:<13.0f} "
                    + ", ".join(f"{float(f'{t:.2g}'):g}" for t in r.lifetimes_ps)
                    for r in self.rows
                ),
            ]
        )


def number_of_components(
    data, model, *, most: int = 5, noise: float | None = None, **options
) -> ComponentTable:
    """Fit with 1 to `most` lifetimes and say how many the data support.

    The F test and the Bayesian information criterion count wavelengths by their effective independent number, found from
    the residual of the richest fit: noise common to many pixels is otherwise taken for signal. A further component counts
    as supported when its p value is below 0.01 and BIC falls, and no fit with it is flagged as coalescing, spike or runaway.

    Parameters
    ----------
    data, model
        As for `global_fit`; the model's lifetimes are replaced, the rest is kept.
    """
    from dataclasses import replace

    from peled.transient_absorption.globalfit import global_fit

    fits = []
    last = float(data.delay_ps[-1])
    low = max(
        2 * model.fwhm_ps if model.irf == "gaussian" else 0.0,
        2 * float(np.diff(data.delay_ps).min()),
    )
    for n in range(1, most + 1):
        start = tuple(np.geomspace(low, last / 2, n + 2)[1:-1])
        fits.append(
            global_fit(
                data,
                replace(
                    model,
                    lifetimes_ps=start,
                    fixed=tuple(f for f in model.fixed if not f.startswith("tau")),
                    bounds_ps={},
                ),
                noise=noise,
                **options,
            )
        )
    grams = [residual_gram(f.setup.problem.blocks[0], f.setup.expand(f.theta)[0]) for f in fits]
    nt, nw = data.shape
    independent = min(effective_wavelengths(grams[-1]), nw)
    share = independent / nw
    # Largest singular value that noise alone leaves (Marchenko–Pastur edge for the effective number of wavelengths).
    level = np.trace(grams[-1]) / max(nt - len(fits[-1].model.spectra), 1)
    edge = np.sqrt(level * (1 + np.sqrt(nt / independent)) ** 2)
    rows = []
    for i, (fit, gram) in enumerate(zip(fits, grams, strict=True)):
        free = len(fit.theta) + len(fit.model.spectra) * independent
        count = nt * independent
        p = 0.0
        if i:
            extra = free - (len(fits[i - 1].theta) + len(fits[i - 1].model.spectra) * independent)
            left = max(count - free, 1)
            f_value = max(fits[i - 1].ssr - fit.ssr, 0) / extra / (fit.ssr / left)
            p = float(stats.f.sf(f_value, extra, left))
        bic = count * np.log(fit.ssr * share / count) + free * np.log(count)
        bad = tuple(
            f
            for f in fit.flags
            if any(
                word in f
                for word in ("coalescing", "spike", "runaway", "at bound", "not converged")
            )
        )
        rows.append(
            Candidate(
                i + 1,
                tuple(fit.lifetimes_ps),
                fit.rms,
                float(np.sqrt(np.linalg.eigvalsh(gram)[-1]) / edge),
                p,
                float(bic),
                bad,
            )
        )
    supported = 1
    for before, row in itertools.pairwise(rows):
        if row.p_value < 0.01 and row.bic < before.bic and not row.flags:
            supported = row.components
        else:
            break
    return ComponentTable(tuple(rows), supported, float(independent), tuple(fits))
