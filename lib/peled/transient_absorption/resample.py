"""Bootstrap: the distribution of lifetimes and spectra by refitting resampled data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from peled.separable import Problem, SharedBlock, minimise
from peled.transient_absorption.globalfit import global_fit


@dataclass(frozen=True)
class Bootstrap:
    """Refits of resampled data: `lifetimes` (draws, components), `spectra` (draws, spectra, nw) of
    one data set."""

    lifetimes: np.ndarray
    spectra: np.ndarray
    failed: int

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Percentile intervals of the lifetimes.

        Parameters
        ----------
        level : float

        Returns
        -------
        ndarray, shape (2, components)
            ps.
        """
        tail = (1 - level) / 2
        return np.quantile(self.lifetimes, [tail, 1 - tail], axis=0)

    def band(self, level: float = 0.95) -> np.ndarray:
        """Percentile bands of the spectra.

        Parameters
        ----------
        level : float

        Returns
        -------
        ndarray, shape (2, spectra, nw)
            OD.
        """
        tail = (1 - level) / 2
        return np.quantile(self.spectra, [tail, 1 - tail], axis=0)


def bootstrap(fit, draws: int = 1000, *, scans=None) -> Bootstrap:
    """Distribution of lifetimes and spectra by refitting resampled data, from the optimum on.

    Missing cells take the fit's values and the residuals of their wavelengths grow accordingly.

    Parameters
    ----------
    fit : GlobalFit
        Of one matrix whose wavelengths share their model matrix (no fitted dispersion).
    draws : int
    scans : array, shape (scans, nt, nw), optional
        Single scans, already treated like the fitted mean; whole scans are drawn. Without them,
        rows of the residual
        (all wavelengths of a delay together, so that their correlation stays) are drawn and added
        to the fit.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ValueError
        For a fit of several matrices or with dispersion.

    References
    ----------
    .. [1] B. Efron, Ann. Stat. 7, 1 (1979), doi:10.1214/aos/1176344552
    """
    if len(fit.matrices) != 1 or fit.model.dispersion or fit.model.restricted:
        raise ValueError(
            "bootstrap: expected a fit of one matrix without fitted dispersion (correct the chirp "
            "first) and with free spectra"
        )
    missing = ~fit.setup.segments[0].present
    fit = _completed(fit) if missing.any() else fit
    blocks = fit.setup.problem.blocks
    if not isinstance(blocks[0], SharedBlock):
        raise ValueError("bootstrap: expected free spectra and errors that factorise, found others")
    rng = np.random.default_rng(0)
    original, segment = blocks[0], fit.setup.segments[0]
    u = fit.setup.expand(fit.theta)[0]
    a, c, pseudo = original.solve(u)
    model = c @ a
    rest = original.data - model
    nt, nw = rest.shape
    # Raw residuals are too small by the share of the data that the fit takes up at each delay.
    leverage = np.clip(np.einsum("ij,ji->i", c, pseudo), 0, 0.95)
    # Where cells are missing the residual is zero, and the rest has to tell for them: its variance
    # falls by their share twice, once as it is found and once as it is drawn.
    rest = rest / np.sqrt(1 - leverage)[:, None] / (1 - missing.mean(0))
    weights = segment.delay_weight[:, None] * segment.wavelength_weight[None, :]
    stack = None
    if scans is not None:
        stack = np.where(np.isfinite(scans), scans, fit.fitted()) * weights
        stack = stack.reshape(len(scans), -1)
    lifetimes, spectra, failed = [], [], 0
    basis = _remembered(original.basis, u)
    mm, mr, rr = model @ model.T, model @ rest.T, rest @ rest.T
    for _ in range(draws):
        if stack is None:  # D·Dᵀ of a resample follows from three small products
            rows = rng.integers(nt, size=nt)
            cross = mr.take(rows, 1)
            gram = mm + cross + cross.T + rr.take(rows, 0).take(rows, 1)
            trial = _gram_block(model + rest.take(rows, 0), gram, original.index, basis)
        else:
            share = rng.multinomial(len(stack), np.full(len(stack), 1 / len(stack))) / len(stack)
            data = (share @ stack).reshape(nt, nw)
            trial = SharedBlock(data, basis, original.index)
        setup = fit.setup
        problem = Problem([trial], setup.expand, setup.low, setup.high, setup.problem.reach)
        found = minimise(problem, fit.theta, tolerance=1e-7, max_evaluations=60)
        failed += not found.converged
        v = fit.setup.expand(found.theta)[0]
        k, _ = segment.rates(v)
        lifetimes.append(1 / k)
        spectra.append(trial.solve(v)[0])
    return Bootstrap(np.array(lifetimes), np.array(spectra) / segment.wavelength_weight, failed)


def _remembered(basis, start):
    """The basis, made once where every search starts."""
    first = basis(start, True)

    def made(u, derivatives):
        return first if np.array_equal(u, start) else basis(u, derivatives)

    return made


def _completed(fit):
    """The fit of the same matrix with missing cells filled by it, from the optimum on."""
    (m,) = fit.matrices
    signal = np.where(fit.setup.segments[0].present, m.signal, fit.fitted())
    whole = replace(m, signal=signal, standard_error=None)
    return global_fit(whole, fit.model, parameters=fit.optimum, starts=0)


def _gram_block(data, gram, index, basis):
    """A block that is searched by the Gram matrix of its data alone."""
    made = SharedBlock(data, basis, index, gram=gram)
    made.compressed, made.gram, made.total = None, gram, float(np.trace(gram))
    made.exact = lambda: None
    return made
