"""What the signal gains or loses while its delays are measured, one after the other.

Bleaching and a pump that wanes multiply the signal of delay i by 1 + d·s_i, with s from −1/2 at
the first delay to 1/2 at the last. A fit takes that for slower or faster decay, and its residual
hardly shows it. To first order around the optimum of a fit without drift

    d = pᵀr / pᵀp,    p = the part of s·(C·A) that neither spectra nor parameters take up,

with the variance that the noise of the residual r gives it, and everything fitted moves by
−(XᵀX)⁻¹Xᵀ(s·C·A) times d. What is known of d beforehand (so much in a scan at most; what scans
lost from one to the next) counts as a datum more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import Matrix
from peled.transient_absorption.schemes import Model
from peled.transient_absorption.terms import in_order

_ROUNDS = 3  # of correction and fit
_SMALL = 0.05  # step whose square does not matter
_SURE = 2.5  # standard errors from which on a drift is said
_LEAST = 0.02  # and its least size


@dataclass(frozen=True)
class Drift:
    """Relative change of the signal from the first delay to the last with its standard error, and
    what a change of 1 does to each coordinate of the fit."""

    value: float
    standard_error: float
    moves: Mapping[str, float]

    @property
    def sure(self) -> bool:
        """Whether the data show it, and it is worth a word."""
        return abs(self.value) > max(_SURE * self.standard_error, _LEAST)

    def __str__(self) -> str:
        return (
            f"{100 * self.value:+.1f} ± {100 * self.standard_error:.1f} % of the signal "
            "from the first delay to the last"
        )


def drift(m: Matrix, model: Model, known: tuple[float, float]) -> Drift:
    """The drift of one matrix beside the decays of a model, from its own fits.

    Parameters
    ----------
    m : Matrix
    model : Model
        Starts near its optimum.
    known : (float, float)
        Drift and its standard error before the data are seen.

    Returns
    -------
    Drift
    """
    value, start = known[0], model
    for _ in range(_ROUNDS):
        fit = global_fit(without(m, value), start, starts=0)
        step = _beside(fit, (known[0] - value, known[1]))
        value, start = value + step.value, replace(model, **fit.starts)
        if abs(step.value) < _SMALL:
            break
    return replace(step, value=value)


def _beside(fit: GlobalFit, known: tuple[float, float]) -> Drift:
    """What is left of the drift in the residual of a fit, to first order."""
    c, x = fit.directions()
    segment = fit.setup.segments[0]
    present = segment.present.T
    along = np.where(present, (fit.fitted(0) * segment.weights).T, 0.0) * in_order(present.shape[1])
    rest = np.nan_to_num((fit.residual(0) * segment.weights).T)
    q, _ = np.linalg.qr(c)
    along = along - np.matmul(q, np.matmul(np.swapaxes(q, 1, 2), along[:, :, None]))[:, :, 0]
    free = ~fit.minimum.at_bound
    flat = x[:, :, free].reshape(along.size, -1)  # no column where bounds hold all parameters
    taken = np.linalg.lstsq(flat, along.ravel(), rcond=None)[0]
    own = along - (flat @ taken).reshape(along.shape)
    size = float(np.vdot(own, own))
    moves = dict(zip(np.array(fit.free)[free].tolist(), (-taken).tolist(), strict=True))
    if not size > 0:
        return Drift(*known, moves)
    seen = float(np.vdot(own, rest)) / size
    variance = fit.kernels[0].total(rest.T @ own) / size**2
    weight = known[1] ** 2 / (known[1] ** 2 + variance)
    return Drift(known[0] + weight * (seen - known[0]), float(np.sqrt(weight * variance)), moves)


def without(m: Matrix, value: float) -> Matrix:
    """The matrix with a drift divided out.

    Parameters
    ----------
    m : Matrix
    value : float
        Relative change of the signal from the first delay to the last.

    Returns
    -------
    Matrix
    """
    gain = (1 + value * in_order(len(m.delay_ps)))[:, None]
    error = None if m.standard_error is None else m.standard_error / gain
    return replace(m, signal=m.signal / gain, standard_error=error)
