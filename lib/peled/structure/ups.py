"""Ultraviolet photoelectron spectra: secondary cut-off, valence edge, work function, ionisation
energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled import separable
from peled.quantities import likeness_z, missed_share
from peled.separable import Sought, differences
from peled.structure.xps import edge


@dataclass(frozen=True)
class Cutoff:
    """Secondary cut-off: `energy_eV` on the binding energy scale with error, `width_eV` (standard
    deviation of the edge), and how far the straight-line extrapolation usual in the field would
    have put it (`extrapolated_eV`). `misfit_z` says whether neighbouring residuals are alike,
    `missed` what share of the step that leaves out.
    """

    energy_eV: float
    error_eV: float
    width_eV: float
    extrapolated_eV: float
    curve: np.ndarray
    misfit_z: float = 0.0
    missed: float = 0.0


@dataclass(frozen=True)
class Onset:
    """Valence edge: straight line against background (`energy_eV`), its error with the scatter over
    windows inside, and the edge on a logarithmic scale
    (`log_energy_eV`), which follows weak states at the top of the band. `misfit_z` says whether
    neighbouring residuals of background and line are alike, `missed` what share of the edge they
    leave out.
    """

    energy_eV: float
    error_eV: float
    log_energy_eV: float
    line: tuple[float, float]
    baseline: float
    misfit_z: float = 0.0
    missed: float = 0.0


def secondary_cutoff(binding_eV, counts, *, bias_V: float = 0.0) -> Cutoff:
    """Fit the low-energy edge of the secondary electrons: an error-function step times a straight
    line above a floor.

    Parameters
    ----------
    binding_eV, counts : array, shape (n,)
    bias_V : float
        Potential of the sample (usually negative); it moves all binding energies and is taken back.

    Returns
    -------
    Cutoff

    Raises
    ------
    ValueError
        If there is no falling edge in the data.

    References
    ----------
    .. [1] M. G. Helander et al., Appl. Surf. Sci. 256, 2602 (2010),
           doi:10.1016/j.apsusc.2009.11.002
    """
    x, y = np.asarray(binding_eV, float) - bias_V, np.asarray(counts, float)
    order = np.argsort(x)
    x, y = x[order], y[order]
    if len(x) < 20:
        raise ValueError(f"secondary cut-off: expected at least 20 points, found {len(x)}")
    smooth = np.convolve(y, np.ones(5) / 5, "same")[2:-2]
    slope = np.gradient(smooth, x[2:-2])
    at = int(np.argmin(slope))
    if slope[at] >= 0 or y[-5:].mean() > 0.5 * y.max():
        raise ValueError(
            "secondary cut-off: expected counts that fall to a floor at high binding energy, "
            "found none"
        )
    centre = x[2:-2][at]
    near = (x > centre - 0.6) & (x < centre + 0.8)
    xs, ys = x[near], y[near]

    def columns(p):
        step = edge(xs, *p)
        return np.column_stack([step, step * (xs - centre), np.ones_like(xs)])

    fit = separable.fit(
        differences(columns, [1e-5, 1e-5]),
        ys,
        {
            "energy": Sought(centre, xs[0], xs[-1], 0.05, unit="eV"),
            "width": Sought(0.1, 1e-3, 1.0, 0.3, log=True, unit="eV"),
        },
        ["height", "slope", "floor"],
        error=np.sqrt(np.maximum(ys, 1)),
        variance=separable.larger,
    )
    fitted = fit.model
    i = int(np.argmin(np.gradient(fitted, xs)))
    steep = np.gradient(fitted, xs)[i]
    extrapolated = xs[i] - (fitted[i] - ys[-5:].mean()) / steep
    return Cutoff(
        float(fit.values[0]),
        float(fit.errors[0]),
        float(fit.values[1]),
        float(extrapolated),
        np.column_stack([xs, fitted]),
        likeness_z(fit.residual.ravel()),
        missed_share(fit.residual.ravel(), (fitted - fit.linear[-1]) / np.sqrt(np.maximum(ys, 1))),
    )


def valence_onset(binding_eV, counts) -> Onset:
    """Straight-line extrapolation of the first leading edge to the background, over a range of
    windows; binding energy from the Fermi level.

    Parameters
    ----------
    binding_eV, counts : array, shape (n,)

    Returns
    -------
    Onset

    Raises
    ------
    ValueError
        If no rising edge with at least six points is found.

    References
    ----------
    .. [1] M. G. Helander et al., Appl. Surf. Sci. 256, 2602 (2010),
           doi:10.1016/j.apsusc.2009.11.002
    """
    x, y = np.asarray(binding_eV, float), np.asarray(counts, float)
    order = np.argsort(x)
    x, y = x[order], y[order]
    ground = x < x[0] + 0.2 * (x[-1] - x[0])
    if ground.sum() < 5:
        raise ValueError("valence edge: expected at least five points of background above the edge")
    baseline, noise = y[ground].mean(), max(y[ground].std(ddof=1), 1e-12)
    smooth = np.convolve(y, np.ones(5) / 5, "same")
    first = int(np.argmax((smooth > baseline + 8 * noise) & (x > x[ground][-1])))
    top = _first_shoulder(x, smooth, first)
    height = smooth[top] - baseline
    found = []
    for low in (0.2, 0.25, 0.3, 0.35):
        for high in (0.6, 0.65, 0.7, 0.75, 0.8):
            use = np.flatnonzero(
                (smooth[: top + 1] - baseline > low * height)
                & (smooth[: top + 1] - baseline < high * height)
            )
            use = use[use >= first]
            if len(use) < 6:
                continue
            coefficients, covariance = np.polyfit(
                x[use], y[use], 1, w=1 / np.sqrt(np.maximum(y[use], 1)), cov="unscaled"
            )
            m, b = coefficients
            if m <= 0:
                continue
            at = (baseline - b) / m
            gradient = np.array([-at / m, -1 / m])
            found.append(
                (
                    at,
                    float(gradient @ covariance @ gradient)
                    + (noise / np.sqrt(ground.sum()) / m) ** 2,
                    m,
                    b,
                    use,
                )
            )
    if not found:
        raise ValueError("valence edge: expected a rising edge of at least six points, found none")
    positions = np.array([f[0] for f in found])
    middle = found[int(np.argmin(np.abs(positions - np.median(positions))))]
    above = np.flatnonzero(smooth > baseline + 3.0 * noise)
    above = above[x[above] > x[ground][-1]]
    scatter = float(positions.std(ddof=1)) if len(found) > 1 else 0.0
    *_, m, b, use = max(found, key=lambda one: len(one[-1]))
    sigma = np.sqrt(np.maximum(y, 1))
    rise = (m * x[use] + b - y[use]) / sigma[use]
    level = (baseline - y[ground]) / sigma[ground]
    return Onset(
        float(np.median(positions)),
        float(np.hypot(np.sqrt(middle[1]), scatter)),
        float(x[above[0]]) if len(above) else float("nan"),
        (float(middle[2]), float(middle[3])),
        float(baseline),
        likeness_z(np.concatenate([level, rise])),
        missed_share(rise, (m * x[use] + b - baseline) / sigma[use]),
    )


def _first_shoulder(x, smooth, first: int) -> int:
    """Index where the first edge stops rising steeply: the first maximum, or where the slope has
    fallen to a fifth of its largest.
    """
    slope = np.gradient(np.convolve(smooth, np.ones(5), "same"), x)  # times five
    best = slope[first]
    for i in range(first, len(x) - 3):
        best = max(best, slope[i])
        if slope[i] < 0.2 * best and smooth[i] > smooth[first] * 1.5:
            return i
    return len(x) - 3
