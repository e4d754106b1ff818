"""Does the colour hold? EL spectra followed over time, bias or current: peak, centroid, width,
shoulder; growth, recovery.

Peak, centroid and FWHM are read off without a model (`peled.lineshapes.moments`); the shoulder
comes from one batched fit of the whole series, in which the second band keeps its place and width
and only its share moves. A smooth band is never exactly its model, so a constant share in all
spectra is no shoulder: what counts is growth, by one test of the whole series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression

from peled.led.photometry import SpectrumError, check_spectrum
from peled.lineshapes import BandModel, Parameter, fit_series, moments
from peled.quantities import Quantity, derive, fit_lmfit
from peled.quantities.gates import threshold

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult


@dataclass(frozen=True)
class Followed:
    """A series of spectra in numbers; arrays over the series, errors are standard errors by noise.

    Attributes
    ----------
    parameter : array (m,)
        Time, bias or current, in the unit given.
    peak_nm, centroid_nm, fwhm_nm : array (m,)
    peak_read_off, fwhm_read_off : array (m,)
        What the reading misses of the shape (`lineshapes.Moments`); spectra of one shape share it.
    share : array (m,)
        Area of the second band over both.
    shoulder_nm, shoulder_error : float
        Its common place; NaN where the share does not grow.
    growth, growth_error : array (m,)
        Share minus share of the first spectrum.
    grows : bool
        Later shares exceed earlier ones (`rises`), inside the range allowed for the place.
    converged : bool
    notes : tuple of str
    """

    parameter: np.ndarray
    peak_nm: np.ndarray
    peak_error: np.ndarray
    centroid_nm: np.ndarray
    centroid_error: np.ndarray
    fwhm_nm: np.ndarray
    fwhm_error: np.ndarray
    peak_read_off: np.ndarray
    fwhm_read_off: np.ndarray
    share: np.ndarray
    share_error: np.ndarray
    shoulder_nm: float
    shoulder_error: float
    growth: np.ndarray
    growth_error: np.ndarray
    grows: bool
    converged: bool
    notes: tuple[str, ...] = field(default=())

    def change(self, quantity: str = "peak_nm") -> tuple[float, float]:
        """Last minus first value, with its standard error.

        Parameters
        ----------
        quantity : {"peak_nm", "centroid_nm", "fwhm_nm", "share"}

        Returns
        -------
        change, standard_error : float
        """
        values, errors = (
            getattr(self, quantity),
            getattr(self, quantity.replace("_nm", "") + "_error"),
        )
        return float(values[-1] - values[0]), float(math.hypot(errors[-1], errors[0]))


def follow(
    parameter,
    wavelength_nm,
    spectra,
    *,
    variance=None,
) -> Followed:
    """Follow a series of EL spectra.

    Parameters
    ----------
    parameter : array (m,)
        What was varied; rising or falling.
    wavelength_nm : array (n,)
    spectra : array (m, n)
        Power or photons per nm, background subtracted.
    variance : array (m, n), optional
        Of each point: a detector that counts is noisiest at the peak. Without it, that of the
        spectra beside the band is taken for all points. Spectra that come with it are conditioned:
        whether the axis cuts a band was judged there, with the noise of that very spectrum.

    Returns
    -------
    Followed

    Raises
    ------
    SpectrumError, ValueError
        For unusable spectra or unequal lengths.

    References
    ----------
    .. [1] E. T. Hoke et al., Chem. Sci. 6, 613 (2015), doi:10.1039/C4SC03141E
    """
    edge = {} if variance is None else {"edge": math.inf}
    x, y = check_spectrum(wavelength_nm, np.atleast_2d(spectra), **edge)
    at = np.asarray(parameter, float)
    if at.shape != (y.shape[0],):
        raise SpectrumError(
            f"series: expected one parameter a spectrum, found {at.shape} for {y.shape[0]} spectra"
        )
    top = y.max(axis=1, keepdims=True)
    y = y / top
    spread = None
    if variance is not None:  # in the order of the wavelengths, as the spectra now are
        spread = np.asarray(variance, float)[:, np.argsort(wavelength_nm)] / top**2
    clear = top[:, 0] if spread is None else 1 / np.median(spread, axis=1)
    first = moments(x, y[int(np.argmax(clear))])
    half = 0.5 * first.fwhm if np.isfinite(first.fwhm) else np.ptp(x)  # no width: all of the axis
    # Wide enough for a shoulder, as narrow as noise asks.
    low, high = max(x[0], first.peak - 6 * half), min(x[-1], first.peak + 9 * half)
    seen = moments(x, y, spread, window=(low, high))
    by_noise = [
        np.sqrt(np.maximum(error**2 - missed**2, 0.0))
        for error, missed in (
            (seen.peak_se, seen.peak_read_off), (seen.fwhm_se, seen.fwhm_read_off)
        )
    ]  # fmt: skip
    followed = (seen.peak, by_noise[0], seen.centroid, seen.centroid_se, seen.fwhm, by_noise[1])
    missed = (seen.peak_read_off, seen.fwhm_read_off)
    # One number a spectrum: points that weigh by their counts would let the wings, where no model
    # is exact, speak of the band.
    noise = None if spread is None else spread.mean(axis=1)
    shoulder = _shoulder(x, y, float(first.peak), float(half), noise)
    return Followed(at, *followed, *missed, *shoulder)


#: Share of the emission by which a second band must grow: less is the main band's form.
_LEAST = 0.02


def rises(share, error) -> bool:
    """Whether the later of some shares exceed the earlier ones.

    The means before and after each place of the series are compared, each share weighted by its
    error, and the threshold is that of as many tries. What scatters about the best rising course
    by more than the errors widens them.

    Parameters
    ----------
    share, error : array (m,)
        In the order of the series.

    Returns
    -------
    bool

    References
    ----------
    .. [1] R. E. Barlow et al., Statistical Inference under Order Restrictions (Wiley, 1972)

    Examples
    --------
    >>> rises([0.3, 0.0, 0.01, 0.0, 0.01], [0.1, 0.01, 0.01, 0.01, 0.01])
    False
    >>> rises([0.0, 0.01, 0.0, 0.1, 0.1], [0.1, 0.01, 0.01, 0.01, 0.01])
    True
    """
    share, error = (np.asarray(a, float) for a in (share, error))
    seen = np.isfinite(share) & np.isfinite(error)
    share, weight = share[seen], 1 / np.maximum(error[seen], 1e-9) ** 2  # 0 of exact spectra
    if share.size < 3:
        return False
    course = isotonic_regression(share, weights=weight)
    over = float(weight @ (share - course.x) ** 2)
    widened = max(over / max(share.size - course.weights.size, 1), 1.0)
    sums, weights = np.cumsum(weight * share), np.cumsum(weight)
    before, after = weights[:-1], weights[-1] - weights[:-1]
    step = (sums[-1] - sums[:-1]) / after - sums[:-1] / before
    least = threshold(step.size) * np.sqrt(widened * (1 / before + 1 / after))
    return bool(np.any(step > np.maximum(least, _LEAST)))


def _shoulder(x, y, peak: float, half: float, noise=None) -> tuple:
    """Share of a second band on the long side and its error, its place and error, growth and error,
    whether it grows, whether the fits converged, notes; of spectra with a maximum of 1 each and,
    where it is known, the variance of each (m,)."""
    unknown, count = np.full(len(y), np.nan), len(y)
    range_nm = (peak + 1.6 * half, peak + 6.0 * half)
    if x[-1] <= range_nm[0] + half or count < 3:
        note = "no room for a second band in the range measured, or fewer than three spectra"
        return unknown, unknown, math.nan, math.nan, unknown, unknown, False, True, (note,)
    fits = [_two_bands(x, y, peak, 2 * half, range_nm, shape, noise) for shape in _SHAPES]
    fit, other = sorted(fits, key=lambda f: float(f.chi2.sum()))
    # What the model misses widens the errors; without a noise the fit has taken it for that.
    missed = math.sqrt(max(float(fit.chi2.sum() / fit.dof.sum()), 1.0)) if noise is not None else 1
    converged = bool(fit.converged.all())
    notes = [] if converged else ["two-band fit did not converge for every spectrum"]
    share, share_error = fit.ratio("side")
    (place, *_), (place_error, *_) = fit["side_centre"]
    share_error, place_error = missed * share_error, missed * place_error
    # Two shapes of the main band that both serve put the shoulder at two places: the difference
    # belongs to the error.
    place_error = math.hypot(np.nan_to_num(place_error), place - other.value("side_centre")[0])
    growth = share - share[0]
    growth_error = np.hypot(share_error, share_error[0])
    growth_error[0] = 0.0
    grows = rises(share, share_error)
    if grows and min(place - range_nm[0], range_nm[1] - place) < 0.02 * (range_nm[1] - range_nm[0]):
        grows = False
        notes.append(
            f"the second band ran into the end of its range at {place:.0f} nm: the main band "
            "changes its form, no band of its own is seen"
        )
    if not grows:
        place = place_error = math.nan
    place = float(place), float(place_error)
    return share, share_error, *place, growth, growth_error, grows, converged, tuple(notes)


#: Shapes of the main band: start values in units of its FWHM.
_SHAPES = {
    "exponential_gaussian": {"fwhm_gauss": 0.9, "tail": 0.15},
    "split_gaussian": {"fwhm_low": 0.95, "fwhm_high": 1.05},
}


def _two_bands(x, y, peak, fwhm, range_nm, shape, noise=None):
    """An asymmetric main band, free in each spectrum, and a Gaussian side band with one place and
    width for the series."""
    start = {
        "main_centre": peak,
        "side_centre": float(np.clip(peak + 1.7 * fwhm, range_nm[0] + 1, range_nm[1] - 1)),
        "side_fwhm": 1.2 * fwhm,
    }
    start |= {f"main_{name}": factor * fwhm for name, factor in _SHAPES[shape].items()}
    parameters = {
        f"main_{name}": Parameter(lower=0.01 * fwhm, upper=3 * fwhm) for name in _SHAPES[shape]
    }
    parameters |= {
        "side_centre": Parameter(lower=range_nm[0], upper=range_nm[1]),
        "side_fwhm": Parameter(lower=0.5 * fwhm, upper=3 * fwhm),
    }
    shared = (
        ("side_centre", "side_fwhm", "main_tail")
        if shape == "exponential_gaussian"
        else ("side_centre", "side_fwhm")
    )
    return fit_series(
        x,
        y,
        BandModel({"main": shape, "side": "gaussian"}, parameters=parameters),
        start,
        variance=None if noise is None else np.broadcast_to(noise[:, None], y.shape),
        shared=shared,
        max_iterations=200,
    )


@dataclass(frozen=True)
class Relaxation:
    """An exponential approach v(t) = end + (start − end) exp(−t/τ).

    Attributes
    ----------
    result : lmfit.minimizer.MinimizerResult
        For `lmfit.fit_report`.
    start, end : float
    time_constant : Quantity
    remaining : Quantity
        Part of the step |start − end| that is left at the time asked for.
    determined : bool
        The step exceeds three standard errors, and τ lies inside the times measured.
    """

    result: MinimizerResult = field(repr=False)
    start: float
    end: float
    time_constant: Quantity
    remaining: Quantity
    determined: bool


def relaxation(time, values, errors, *, at: float, unit: str) -> Relaxation:
    """Fit a recovery (or growth) and say what is left of it at time `at`.

    Parameters
    ----------
    time, values, errors : array (n,)
        Errors are widened where the values scatter by more.
    at : float
    unit : str
        Of time.

    Returns
    -------
    Relaxation

    Raises
    ------
    ValueError
        For fewer than five points.

    References
    ----------
    .. [1] E. T. Hoke et al., Chem. Sci. 6, 613 (2015), doi:10.1039/C4SC03141E

    Examples
    --------
    >>> t = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8.0])
    >>> found = relaxation(t, 630 + 10 * np.exp(-t / 1.4), np.full(11, 0.1), at=6, unit="h")
    >>> print(found.time_constant)
    1.400±0.033 h
    """
    import lmfit

    t, v, e = (np.asarray(a, float) for a in (time, values, errors))
    if t.size < 5 or t.shape != v.shape or not (e > 0).all():
        raise ValueError(
            f"recovery: expected at least five values with positive errors, found {t.size}"
        )
    span, size = float(np.ptp(t)), float(np.ptp(v)) or 1.0

    def residual(p: lmfit.Parameters) -> np.ndarray:
        course = p["end"] + p["step"] * np.exp(-(t - t[0]) / np.exp(p["ln_tau"]))
        return (v[0] + size * course - v) / e  # lmfit steps in units of a parameter

    result, estimates = fit_lmfit(
        residual,
        [
            lmfit.create_params(
                end=0.0,
                step=1.0,
                ln_tau={
                    "value": math.log(span * share),
                    "min": math.log(1e-3 * span),
                    "max": math.log(1e2 * span),
                },
            )
            for share in (0.1, 0.4)
        ],
        {},
        least_noise=1.0,
    )
    end, step, ln_tau = estimates.values
    step_error = math.sqrt(estimates.covariance[1, 1])
    end = v[0] + size * end
    return Relaxation(
        result,
        float(end + size * step),
        float(end),
        derive("time constant", unit, lambda p: math.exp(p["ln_tau"]), estimates),
        derive(
            "remaining", "", lambda p: math.exp(-(at - t[0]) / math.exp(p["ln_tau"])), estimates
        ),
        bool(abs(step) > 3 * step_error and 0.01 * span < math.exp(ln_tau) < 3 * span),
    )
