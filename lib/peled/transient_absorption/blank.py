"""A solvent or substrate measured alone, subtracted from a sample with its own size and zero
time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import Matrix, filled
from peled.transient_absorption.schemes import Model

_SHIFTS = np.linspace(-2, 2, 41)  # zero times that are tried, in widths of the response
_ROUNDS = 4


def subtract_blank(m: Matrix, blank: Matrix, model: Model) -> Matrix:
    """The matrix less a blank, whose size and zero time are fitted together with a model of the
    sample.

    The blank's chirp is in its file; its size differs from that in the sample, which absorbs pump
    light, and its zero time may. For each zero time the size follows from linear least squares over
    the residual of the model's fit, the directions of the model's parameters beside it; fit and
    blank take turns. A blank that would have to be added is not in the sample.

    Parameters
    ----------
    m, blank : Matrix
    model : Model
        Of the sample, without coherent artefact.

    Returns
    -------
    Matrix
        Its `steps` name the size and zero time found.

    Raises
    ------
    ValueError
        If the two share no wavelengths or delays.
    """
    shared = (
        blank.wavelength_nm[-1] > m.wavelength_nm[0],
        blank.wavelength_nm[0] < m.wavelength_nm[-1],
    )
    if not all(shared) or blank.delay_ps[-1] < m.delay_ps[0] or blank.delay_ps[0] > m.delay_ps[-1]:
        raise ValueError(f"{blank.name}: expected wavelengths and delays of {m.name}, found others")
    on_pixels = np.array(
        [
            np.interp(m.wavelength_nm, blank.wavelength_nm, row, left=0, right=0)
            for row in filled(blank.delay_ps, blank.signal)
        ]
    )

    def moved(later: float) -> np.ndarray:
        t = m.delay_ps - later
        columns = [np.interp(t, blank.delay_ps, y, left=0, right=0) for y in on_pixels.T]
        return np.column_stack(columns)

    size, later = 0.0, 0.0
    for _ in range(_ROUNDS):
        fit = global_fit(replace(m, signal=m.signal - size * moved(later)), model, starts=0)
        size, later = _best(fit, m, moved, later)
        model = replace(model, **fit.starts)
    if not size:
        said = f"blank {blank.name} not subtracted: nothing of it is found in the sample"
        return replace(m, steps=(*m.steps, said))
    said = f"blank {blank.name} subtracted: {size:.3g} times, {1e3 * later:.0f} fs later"
    return replace(m, signal=m.signal - size * moved(later), steps=(*m.steps, said))


def _best(fit: GlobalFit, m: Matrix, moved, later: float) -> tuple[float, float]:
    """Size and zero time that leave least, the model's parameters free to first order."""
    c, directions = fit.directions()
    q = np.linalg.qr(c)[0]
    good = np.isfinite(m.signal)

    def outside(values):
        values = np.where(good, values, 0.0).T[:, :, None]
        return (values - q @ (np.swapaxes(q, 1, 2) @ values)).ravel()

    data = outside(m.signal)
    beside = np.linalg.qr(directions.reshape(-1, directions.shape[2]))[0]
    data = data - beside @ (beside.T @ data)
    found = (np.inf, 0.0, later)
    for shift in _SHIFTS * fit.optimum["fwhm"]:
        b = outside(moved(shift))
        b = b - beside @ (beside.T @ b)
        square = float(b @ b)
        scale = float(b @ data) / square if square > 0 else 0.0
        found = min(found, (float(np.sum((data - scale * b) ** 2)), scale, float(shift)))
    return max(found[1], 0.0), found[2]
