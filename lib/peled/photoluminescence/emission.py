"""Emission spectra measured: centre, width, area with errors by cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from peled import lineshapes
from peled.conditioning import ConditioningError, Signal, covariance
from peled.conditioning.noise import LEAST_FREE, free_region
from peled.conditioning.steps import WING_SHARE
from peled.lineshapes.starts import calm_and_top, run


@dataclass(frozen=True)
class Emission:
    """One emission spectrum, measured.

    Attributes
    ----------
    label : str
    peak_nm, peak_error_nm, centroid_nm, centroid_error_nm, fwhm_nm, fwhm_error_nm : float
    area, area_error : float
        In the unit of the spectrum times nm.
    energy_peak_eV, energy_peak_error_eV : float
        Maximum of the same spectrum per unit energy: not the energy of `peak_nm`.
    budgets : mapping of str to mapping of str to float
        Standard errors by cause of `peak_nm`, `centroid_nm`, `fwhm_nm`, `area`, `energy_peak_eV`.
    wavelength_nm, counts : ndarray, shape (n,)
        Baseline off.
    """

    label: str
    peak_nm: float
    peak_error_nm: float
    centroid_nm: float
    centroid_error_nm: float
    fwhm_nm: float
    fwhm_error_nm: float
    area: float
    area_error: float
    energy_peak_eV: float
    energy_peak_error_eV: float
    budgets: Mapping[str, Mapping[str, float]] = field(repr=False)
    wavelength_nm: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)


#: Modes of error that are one cause: what lies under the band.
_BASELINE = ("offset", "slope", "baseline model", "wings")


def measure(
    signal: Signal,
    window_nm: tuple[float, float],
    reach_nm: tuple[float, float] | None = None,
    *,
    label: str = "",
) -> Emission:
    """Peak, centroid, width and area of one emission spectrum.

    Each is, near the data, a sum over the points (`lineshapes.moments`): noise and what
    conditioning may have got wrong, the baseline under the wings above all, go on through the
    same weights. What peak and width miss of the shape is the cause "read-off".

    Parameters
    ----------
    signal : peled.conditioning.Signal
        One spectrum per nm, rising axis, with the variance of its points: conditioned as far as
        `baseline`.
    window_nm : (float, float)
        Where the emission is.
    reach_nm : (float, float), optional
        As far as its wings may reach. What centroid and area owe to light beyond the window counts
        as far as it is seen there, against what is known of wings beforehand (`WING_SHARE` of the
        band in each half of a Lorentzian); the rest of that is the cause "beyond the window".
    label : str

    Returns
    -------
    Emission

    Raises
    ------
    ConditioningError
        If the spectrum was set aside: too little of it is free of emission for a baseline.
    ValueError
        If there is no positive area in the window.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.1, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> from peled.conditioning import condition
    >>> x, rng = np.arange(500.0, 800.0, 0.5), np.random.default_rng(0)
    >>> counts = rng.poisson(3000 * np.exp(-0.5 * ((x - 640) / 12) ** 2) + 15)
    >>> ready = condition(Signal(x, counts[None]), [("baseline", {"order": 1})])
    >>> found = measure(ready, (570, 710))
    >>> bool(abs(found.peak_nm - 640) < 3 * found.peak_error_nm < 0.5)
    True
    """
    if not signal.used[0]:
        said = "; ".join(f.evidence for f in signal.findings if f.status == "withheld")
        raise ConditioningError(f"{label or 'spectrum'}: {said}")
    x, y = signal.axis, signal.values[0]
    found = lineshapes.moments(x, y, signal.variance[0], window=window_nm)
    found, beyond = _with_wings(signal, found, window_nm, reach_nm or window_nm)
    per_eV = lineshapes.to_energy(x, y, signal.variance[0])
    hc = lineshapes.HC_EV_NM
    low, high = _of_peak(x, y, window_nm)
    energy = lineshapes.moments(
        per_eV.energy_eV, per_eV.signal, per_eV.variance, window=(hc / high, hc / low)
    )
    # The density per eV is that per nm times lambda^2/hc, on the axis turned round.
    by_energy = energy.gradient[2, ::-1] * x**2 / hc
    weights = np.column_stack([*found.gradient[[2, 1, 3, 0]], by_energy])
    budgets: list[dict[str, float]] = [{} for _ in range(5)]
    for name, cov in covariance(signal, weights).items():
        cause = _cause(name)
        for budget, square in zip(budgets, np.diag(cov[0])):
            if square > 0:
                budget[cause] = float(np.hypot(budget.get(cause, 0.0), np.sqrt(square)))
    for k, missed in zip((3, 1), beyond):
        if missed:
            budgets[k]["beyond the window"] = float(missed)
    for k, missed in (
        (0, found.peak_read_off),
        (2, found.fwhm_read_off),
        (4, energy.peak_read_off),
    ):
        if missed:
            budgets[k]["read-off"] = abs(missed)
    names = ("peak_nm", "centroid_nm", "fwhm_nm", "area", "energy_peak_eV")
    values = (found.peak, found.centroid, found.fwhm, found.area, energy.peak)
    pairs = [n for v, b in zip(values, budgets) for n in (v, sum(e * e for e in b.values()) ** 0.5)]
    return Emission(label, *pairs, dict(zip(names, budgets)), x, y)


def _with_wings(signal: Signal, found, window_nm, reach_nm):
    """Moments with what area and centroid owe to light beyond a window, as far as it is known
    better than beforehand; the errors (2,) of the rest.

    With a prior 0 ± p, of which `beyond` ± e is seen, the mean is p²/(p² + e²) of it.
    """
    (low, high), (first, last) = window_nm, reach_nm
    if not (first < low or last > high):
        return found, np.zeros(2)
    x = signal.axis
    whole = lineshapes.moments(x, signal.values[0], signal.variance[0], window=reach_nm)
    more = np.array([whole.area - found.area, whole.centroid - found.centroid])
    slopes = whole.gradient[:2] - found.gradient[:2]
    square = np.diag(sum(covariance(signal, slopes.T).values())[0])
    half = 0.5 * np.nan_to_num(found.fwhm, nan=(high - low) / 6)
    ends = np.abs(np.array([[first, low], [high, last]]) - found.peak) / half
    ends = np.nan_to_num(ends)
    area = np.abs(np.diff(np.arctan(ends))).ravel() / np.pi * found.area
    shift = np.abs(np.diff(np.log1p(ends**2))).ravel() * half / (2 * np.pi)
    prior = WING_SHARE**2 * np.array([area @ area, shift @ shift])
    prior = np.maximum(prior, more**2 - square)
    share = prior / np.maximum(prior + square, 1e-300)
    gradient = found.gradient.copy()
    gradient[:2] += share[:, None] * slopes
    value = np.array([found.area, found.centroid]) + share * more
    found = replace(found, area=value[0], centroid=value[1], gradient=gradient)
    return found, (1 - share) * np.sqrt(prior)


def _cause(name: str) -> str:
    """Of which cause in a budget a mode of conditioning is."""
    return "baseline" if name in _BASELINE else name


BAND = 0.3  #: of the maximum, down to which the band of the peak goes


def _of_peak(x, y, window_nm):
    """The part of a window (low, high) in which the band of the peak lies: that per unit energy has
    its maximum there, too."""
    inside = np.flatnonzero((x >= min(window_nm)) & (x <= max(window_nm)))
    calm, top = calm_and_top(y[inside])
    low, high = run(calm > BAND * calm[top], top)
    low, high = max(low - 2, 0), min(high + 1, inside.size - 1)  # five points at least
    return float(x[inside[low]]), float(x[inside[high]])


def by_cause(signal: Signal) -> dict[str, np.ndarray]:
    """What conditioning may have got wrong in one spectrum, as curves by cause.

    Parameters
    ----------
    signal : peled.conditioning.Signal
        One spectrum.

    Returns
    -------
    dict of str to (m, n_x) array
        Of one standard deviation each, in the unit of the spectrum.
    """
    causes: dict[str, list[np.ndarray]] = {}
    for name, mode in zip(signal.mode_names, signal.modes[:, 0]):
        causes.setdefault(_cause(name), []).append(mode)
    return {cause: np.array(curves) for cause, curves in causes.items()}


FLOOR = 0.05  #: of the points of a mean spectrum, below which its constant is where none are free


def constant(axis: np.ndarray, values: np.ndarray) -> tuple[float, int]:
    """What stands under spectra everywhere, on the axis on which a detector made it.

    It bends where spectra go from wavelengths to energies or back, and comes off before.

    Parameters
    ----------
    axis : ndarray, shape (n,)
    values : ndarray, shape (m, n)

    Returns
    -------
    level : float
        Of the mean spectrum where that is free of signal; where fewer than `LEAST_FREE` points are,
        its lowest `FLOOR`.
    count : int
        Points that are free: how far the spectrum is a straight line there.
    """
    mean, level, count = np.nanmean(values, axis=0), np.nan, 0
    if axis.size >= LEAST_FREE:
        region = free_region(axis, np.nan_to_num(mean)[None], np.isfinite(mean)[None])
        level, count = region.offset[0], int(region.count[0])
    return float(level if count >= LEAST_FREE else np.nanquantile(mean, FLOOR)), count


def per_nanometre(spectra) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of a file per nanometre, whichever axis it has.

    Of a file per eV its `constant` comes off, unless what is free of signal is the straighter per
    nm: then it was turned to energies with the constant in it.

    Parameters
    ----------
    spectra : Spectra
        Over wavelength (nm) or photon energy (eV), shape (m, n).

    Returns
    -------
    wavelength_nm : ndarray, shape (n,)
        Ascending.
    values : ndarray, shape (m, n)
        Times hc/λ² where the file is per eV.

    References
    ----------
    .. [1] J. Mooney and P. Kambhampati, J. Phys. Chem. Lett. 4, 3316 (2013),
           doi:10.1021/jz401508t
    """
    if spectra.x_unit == "nm":
        return spectra.x, spectra.values
    order = np.argsort(spectra.wavelength_nm)
    wavelength, values = spectra.wavelength_nm[order], spectra.values[:, order]
    to_nm = lineshapes.HC_EV_NM / wavelength**2
    level, straight = constant(lineshapes.HC_EV_NM / wavelength[::-1], values[:, ::-1])
    if constant(wavelength, values * to_nm)[1] > straight:
        level = 0.0
    return wavelength, (values - level) * to_nm


def looks_like_counts(values: np.ndarray) -> bool:
    """Whole numbers, none negative, and more than a few of them: what a photon counter writes
    before anybody scales it.

    Parameters
    ----------
    values : ndarray

    Returns
    -------
    bool

    Examples
    --------
    >>> looks_like_counts([0, 3, 12]), looks_like_counts([0.5, 3.0])
    (True, False)
    """
    y = np.asarray(values, dtype=float)
    return bool(
        np.all(y >= 0) and np.all(np.abs(y - np.round(y)) < 1e-6) and y.max(initial=0) >= 10
    )
