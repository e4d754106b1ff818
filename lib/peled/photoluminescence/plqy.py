"""Photoluminescence quantum yield from an integrating sphere, with its error budget.

Three runs (J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9 (1997) 230,
doi:10.1002/adma.19970090308): empty sphere, sample beside the beam (indirect), sample in the beam
(direct). A yield counts photons, a calibrated spectrometer shows power: the weight of each count is
written out in one place, `photon_weights`, which cannot be called without the calibration that says
which of the two it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from peled.conditioning import Noise, detector_noise


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
        Standard error that each source alone would give: `laser`, `emission`, `laser drift`,
        `calibration`, `self-absorption`.
    flags : tuple of str
        Per triple: "" or what is wrong with it (|PLQY|/σ < 3, absorptance not above zero, PLQY
        above 1).
    """

    plqy: np.ndarray
    standard_error: np.ndarray
    covariance: np.ndarray = field(repr=False)
    absorptance: np.ndarray = field(repr=False)
    absorptance_error: np.ndarray = field(repr=False)
    budget: dict = field(repr=False)
    flags: tuple[str, ...] = ()


def photon_weights(wavelength_nm: np.ndarray, calibration) -> np.ndarray:
    """Weights (n,) by which counts (n,) sum to a number of photons (common factor left out):
    trapezoid × calibration × λ.

    Parameters
    ----------
    wavelength_nm : ndarray, shape (n,), ascending
    calibration : object with `at(wavelength_nm)` and `quantity`
        `peled.formats.sphere.Calibration`. With quantity "energy", photons are power × λ/hc; with
        "photons" they are not weighted again.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If wavelengths do not rise or are fewer than two, or the quantity is neither.

    References
    ----------
    .. [1] J. Mooney and P. Kambhampati, J. Phys. Chem. Lett. 4, 3316 (2013), doi:10.1021/jz401508t
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
    laser_drift: float = 0.0,
) -> PLQY:
    """Quantum yields of one or more sphere triples, analysed together.

    A = 1 − L_d/L_i and PLQY = [E_d − (1 − A) E_i]/(L_e A) with L, E the photons in laser and
    emission band of the empty, indirect and direct run [1]_, eqs 1 to 4. With
    `subtract_blank` the empty run's emission band is taken from E_d and E_i first. Self-absorption
    a: PLQY/(1 − a + a PLQY) [2]_.

    Parameters
    ----------
    triples : sequence of SphereTriple
        A run that comes again (same file, name and counts) is one measurement, shared by those
        triples.
    calibration : Calibration
        Its `relative_error`, where it is known, enters every yield in common.
    noise : Noise, optional
        Of the detector; estimated from the emission bands when left out.
    subtract_blank : bool
    self_absorption : (a, standard error), optional
    laser_drift : float
        Standard deviation of the laser's power from run to run, relative.

    Returns
    -------
    PLQY
        A value each triple.

    Raises
    ------
    ValueError
        If a run has no emission band that is needed, or the laser band holds no light.

    References
    ----------
    .. [1] J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9, 230 (1997),
           doi:10.1002/adma.19970090308
    .. [2] T.-S. Ahn et al., Rev. Sci. Instrum. 78, 086105 (2007), doi:10.1063/1.2768926
    """
    if not triples:
        raise ValueError("triples: expected at least one, found none")
    if noise is None:
        noise = detector_noise(
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
            variances.append(float(weights**2 @ noise.variance(np.asarray(part.counts, float))))
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
                f"{triple.label}: expected an emission band in the indirect and direct run, found "
                "none"
            )
        blank = means[ee] if subtract_blank and ee is not None else 0.0
        if means[le] <= 0 or means[li] <= 0:
            raise ValueError(
                f"{triple.label}: expected laser light in the empty and indirect run, found "
                f"{means[le]:.3g} and {means[li]:.3g} photons"
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
    # All light of a run goes with its laser.
    runs = dict.fromkeys((row[i], row[i + 3]) for row in index for i in range(3))
    drifts = laser_drift * np.array([
        sum(jacobian[:, c] * means[c] for c in run if c is not None) for run in runs
    ])  # fmt: skip
    covariance = (jacobian * variance) @ jacobian.T + drifts.T @ drifts
    covariance += np.outer(common, common) + np.outer(extra, extra)
    error = np.sqrt(np.diag(covariance))
    budget = {
        "laser": np.sqrt((jacobian**2 * variance * is_laser).sum(axis=1)),
        "emission": np.sqrt((jacobian**2 * variance * ~is_laser).sum(axis=1)),
        "laser drift": np.sqrt((drifts**2).sum(axis=0)),
        "calibration": np.abs(common),
        "self-absorption": np.abs(extra),
    }
    error_a = np.sqrt(
        (jacobian_a**2 * variance).sum(axis=1) + 2 * (laser_drift * (1 - absorbed)) ** 2
    )
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

    Returns
    -------
    value, slope, error : float or ndarray

    Examples
    --------
    >>> round(unabsorbed(0.5, 0.1, 0.0)[0], 4)
    0.5263
    """
    below = 1 - share + share * plqy
    return plqy / below, (1 - share) / below**2, abs(plqy * (1 - plqy) / below**2 * error)
