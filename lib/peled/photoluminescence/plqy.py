"""Photoluminescence quantum yield from an integrating sphere, with its error budget.

Three runs (J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9 (1997) 230, doi:10.1002/adma.19970090308): empty
sphere, sample beside the beam (indirect), sample in the beam (direct). A yield counts photons, a calibrated spectrometer
shows power: the weight of each count is written out in one place, `photon_weights`, which cannot be called without the
calibration that says which of the two it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Noise:
    """Variance of a detector count: `offset` + `per_count` × signal. Pure photon counting is `Noise(0, 1)`."""

    offset: float
    per_count: float

    def variance(self, counts: np.ndarray) -> np.ndarray:
        """Variance of counts (n,); the noise itself is smoothed out of the signal over five points first."""
        counts = np.asarray(counts, dtype=float)
        pad = np.pad(counts, 2, mode="edge")
        smooth = np.convolve(pad, np.full(5, 0.2), mode="valid")
        # A laser line is narrower than the smoothing: there the count itself is the better estimate.
        level = np.where(
            counts
            > smooth
            + 10 * np.sqrt(np.maximum(self.offset + self.per_count * np.maximum(smooth, 0), 0)),
            counts,
            smooth,
        )
        return np.maximum(self.offset + self.per_count * np.maximum(level, 0), 1e-300)


@dataclass(frozen=True)
class PLQY:
    """Yields of k sphere triples with their covariance.

    Attributes
    ----------
    plqy, standard_error : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
        Shared runs and the calibration correlate the yields of a series.
    absorptance, absorptance_error : ndarray, shape (k,)
        Absorbed fraction of the laser in the direct run.
    budget : dict of str to ndarray, shape (k,)
        Standard error that each source alone would give: `laser`, `emission`, `calibration`, `self-absorption`.
    flags : tuple of str
        Per triple: "" or what is wrong with it (|PLQY|/σ < 3, absorptance not above zero, PLQY above 1).
    """

    plqy: np.ndarray
    standard_error: np.ndarray
    covariance: np.ndarray = field(repr=False)
    absorptance: np.ndarray = field(repr=False)
    absorptance_error: np.ndarray = field(repr=False)
    budget: dict = field(repr=False)
    flags: tuple[str, ...] = ()


def estimate_noise(*signals: np.ndarray) -> Noise:
    """Noise of a detector from smooth spectra: spread of second differences against signal level.

    Second differences of white noise have six times its variance and remove anything that is straight over three points.

    Parameters
    ----------
    *signals : ndarray, shape (n,) each, n >= 12
        Counts of spectra that are smooth on the scale of their points (an emission band, not a laser line).
    """
    levels, spreads = [], []
    for signal in signals:
        y = np.asarray(signal, dtype=float)
        if y.size < 12:
            raise ValueError(f"noise estimate: expected at least 12 points, found {y.size}")
        levels.append((y[:-2] + y[1:-1] + y[2:]) / 3)
        spreads.append(np.abs(y[:-2] - 2 * y[1:-1] + y[2:]) / np.sqrt(6))
    level, spread = np.concatenate(levels), np.concatenate(spreads)
    order = np.argsort(level)
    groups = np.array_split(order, min(8, max(1, level.size // 24)))
    x = np.array([max(np.mean(level[g]), 0.0) for g in groups])
    v = np.array([(1.4826 * np.median(spread[g])) ** 2 for g in groups])
    if len(groups) < 3 or x[-1] <= 0 or not np.any(v > 0):
        return Noise(float(np.mean(v)), 0.0)
    # Relative least squares with both terms kept from being negative. The weights come from the fit of the round before:
    # weighting by the scattered variances themselves would favour the small ones.
    from scipy.optimize import nnls

    basis, model = np.column_stack([np.ones_like(x), x / x[-1]]), np.full_like(v, v.mean())
    for _ in range(6):
        weight = np.sqrt([g.size for g in groups]) / np.maximum(model, 1e-6 * v.max())
        offset, slope = nnls(basis * weight[:, None], v * weight)[0]
        model = basis @ [offset, slope]
    return Noise(float(offset), float(slope / x[-1]))


def photon_weights(wavelength_nm: np.ndarray, calibration) -> np.ndarray:
    """Weights (n,) by which counts (n,) sum to a number of photons (common factor left out): trapezoid × calibration × λ.

    Parameters
    ----------
    wavelength_nm : ndarray, shape (n,), ascending
    calibration : object with `at(wavelength_nm)` and `quantity`
        `peled.formats.sphere.Calibration`. With quantity "energy", photons are power × λ/hc; with "photons" they are not weighted again.
    """
    w = np.asarray(wavelength_nm, dtype=float)
    if w.size < 2 or np.any(np.diff(w) <= 0):
        raise ValueError(
            f"band: expected at least two ascending wavelengths, found {w.size} points"
        )
    step = np.empty_like(w)
    step[1:-1] = 0.5 * (w[2:] - w[:-2])
    step[0], step[-1] = 0.5 * (w[1] - w[0]), 0.5 * (w[-1] - w[-2])
    if calibration.quantity not in ("energy", "photons"):
        raise ValueError(
            f"calibration: quantity: expected 'energy' or 'photons', found {calibration.quantity!r}"
        )
    return step * calibration.at(w) * (w if calibration.quantity == "energy" else 1.0)


def quantum_yield(
    triples: Sequence,
    calibration,
    *,
    noise: Noise | None = None,
    subtract_blank: bool = True,
    self_absorption: tuple[float, float] | None = None,
) -> PLQY:
    """Quantum yields of one or more sphere triples, analysed together.

    A = 1 − L_d/L_i and PLQY = [E_d − (1 − A) E_i]/(L_e A) with L, E the photons in laser and emission band of the empty,
    indirect and direct run (de Mello 1997, eqs 1 to 4). With `subtract_blank` the empty run's emission band is taken
    from E_d and E_i first. Self-absorption a: PLQY/(1 − a + a PLQY) (T.-S. Ahn et al., Rev. Sci. Instrum. 78 (2007)
    086105, doi:10.1063/1.2768926).

    Parameters
    ----------
    triples : sequence of SphereTriple
        A run that comes again (same file, name and counts) is one measurement, shared by those triples.
    calibration : Calibration
        Its `relative_error`, where it is known, enters every yield in common.
    noise : Noise, optional
        Of the detector; estimated from the emission bands when left out.
    subtract_blank : bool
    self_absorption : (a, standard error), optional

    Raises
    ------
    ValueError
        If a run has no emission band that is needed, or the laser band holds no light.
    """
    if not triples:
        raise ValueError("triples: expected at least one, found none")
    if noise is None:
        noise = estimate_noise(
            *[
                run.emission.counts
                for t in triples
                for run in (t.indirect, t.direct)
                if run.emission is not None
            ]
        )
    columns: dict[tuple, int] = {}
    means: list[float] = []
    variances: list[float] = []
    laser: list[bool] = []

    def photons(triple, run, band) -> int | None:
        part = getattr(run, band)
        if part is None:
            return None
        key = (str(triple.path), run.name, band, np.asarray(part.counts).tobytes())
        if key not in columns:
            weights = photon_weights(part.wavelength_nm, calibration)
            columns[key] = len(means)
            means.append(float(weights @ part.counts))
            variances.append(float(weights**2 @ noise.variance(part.counts)))
            laser.append(band == "laser")
        return columns[key]

    index = [
        [
            photons(t, run, band)
            for band in ("laser", "emission")
            for run in (t.empty, t.indirect, t.direct)
        ]
        for t in triples
    ]
    k, q = len(triples), len(means)
    value, absorbed, jacobian, jacobian_a = (
        np.empty(k),
        np.empty(k),
        np.zeros((k, q)),
        np.zeros((k, q)),
    )
    for row, (triple, (le, li, ld, ee, ei, ed)) in enumerate(zip(triples, index, strict=True)):
        if ei is None or ed is None:
            raise ValueError(
                f"{triple.label}: expected an emission band in the indirect and direct run, found none"
            )
        blank = means[ee] if subtract_blank and ee is not None else 0.0
        if means[le] <= 0 or means[li] <= 0:
            raise ValueError(
                f"{triple.label}: expected laser light in the empty and indirect run, found {means[le]:.3g} and {means[li]:.3g} photons"
            )
        through = means[ld] / means[li]
        a = 1 - through
        net = (means[ed] - blank) - through * (means[ei] - blank)
        y = net / (means[le] * a) if a else np.inf
        d_through = -(means[ei] - blank) / (means[le] * a) + net / (means[le] * a * a)
        jacobian[row, ed] += 1 / (means[le] * a)
        jacobian[row, ei] += -through / (means[le] * a)
        jacobian[row, le] += -y / means[le]
        jacobian[row, ld] += d_through / means[li]
        jacobian[row, li] += -d_through * through / means[li]
        if subtract_blank and ee is not None:
            jacobian[row, ee] += -(1 - through) / (means[le] * a)
        jacobian_a[row, ld], jacobian_a[row, li] = -1 / means[li], through / means[li]
        value[row], absorbed[row] = y, a
    variance, is_laser = np.array(variances), np.array(laser)
    common = value * (calibration.relative_error or 0.0)
    extra = np.zeros(k)
    if self_absorption is not None:
        value, slope, extra = unabsorbed(value, *self_absorption)
        jacobian, common = jacobian * slope[:, None], common * slope
    covariance = (
        (jacobian * variance) @ jacobian.T + np.outer(common, common) + np.outer(extra, extra)
    )
    error = np.sqrt(np.diag(covariance))
    budget = {
        "laser": np.sqrt((jacobian**2 * variance * is_laser).sum(axis=1)),
        "emission": np.sqrt((jacobian**2 * variance * ~is_laser).sum(axis=1)),
        "calibration": np.abs(common),
        "self-absorption": np.abs(extra),
    }
    error_a = np.sqrt((jacobian_a**2 * variance).sum(axis=1))
    flags = tuple(
        "; ".join(
            filter(
                None,
                (
                    "PLQY not significant (below 3 standard errors)" if abs(y) < 3 * s else "",
                    "absorptance not significant" if a < 3 * sa else "",
                    "PLQY above 1" if y > 1 + 3 * s else "",
                ),
            )
        )
        for y, s, a, sa in zip(value, error, absorbed, error_a, strict=True)
    )
    return PLQY(value, error, covariance, absorbed, error_a, budget, flags)


def unabsorbed(plqy, share: float, error: float):
    """Yield without self-absorption η/(1 − a + aη), its slope by η, and its error by that of a.

    Parameters
    ----------
    plqy : float or ndarray
        As measured.
    share, error : float
        Of the emission that the sample takes back, a, and its standard error (T.-S. Ahn et al.,
        Rev. Sci. Instrum. 78 (2007) 086105, doi:10.1063/1.2768926).

    Examples
    --------
    >>> round(unabsorbed(0.5, 0.1, 0.0)[0], 4)
    0.5263
    """
    below = 1 - share + share * plqy
    return plqy / below, (1 - share) / below**2, abs(plqy * (1 - plqy) / below**2 * error)
