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
        said.append(f"not converged: after {best.evaluations} evaluations a step still promises {best.decrement:.1e} of the cost")
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
        for a, b in zip(tau, tau[1:], strict=False):
            if b < 1.5 * a:
                said.append(f"{name}coalescing lifetimes: {a:.4g} and {b:.4g} ps")
        for t in tau:
            if fwhm and t < 0.5 * fwhm:
                said.append(f"{name}spike: {t:.3g} ps is shorter than half the response of {fwhm:.3g} ps")
            elif t < 0.1 * step:
                said.append(f"{name}runaway rate: {t:.3g} ps is far below the smallest step of {step:.3g} ps")
            if np.isfinite(t) and t > 1.5 * window:
                said.append(f"{name}longer than the window: {t:.4g} ps in {window:.4g} ps; use infinite=True or a longer delay")
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
    return [f"undetermined: {e.name} = {e.value:.3g} ± {e.standard_error:.2g}" for e in estimates
            if e.name.startswith("tau") and e.standard_error is not None and np.isfinite(e.standard_error) and e.standard_error > 0.5 * e.value]


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
    return [f"{name}structure in the residual: correlation of neighbouring delays {mean:.2f}"] if z > 5 and mean > 0.1 else []


def residual_gram(block, u) -> np.ndarray:
    """Residual times its transpose, shape (nt, nt), without forming the residual where the block is compressed."""
    _, c, pseudo = (None, *_model_matrix(block, u))
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
