"""Halide segregation in a series of spectra: two bands whose weights change, one band that moves,
or neither.

Illuminated mixed halides form iodide-rich regions that collect the carriers: a red band grows
beside the one that was there (E. T. Hoke et al., Chem. Sci. 6 (2015) 613). Three accounts of the
same series are fitted and compared: nothing changes but the brightness; one band moves; two bands
stay where they are and trade weight. "No segregation" is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.stats import chi2 as chi2_distribution

from peled import lineshapes, separable
from peled.conditioning import detector_noise
from peled.lineshapes import HC_EV_NM, BandModel, Parameter
from peled.photoluminescence.emission import constant, looks_like_counts
from peled.quantities.gates import threshold
from peled.separable import Sought, differences

# A sloping line per eV stands for a constant dark count per nm.
_ORIGIN_EV = 1.9
_SINGLE = BandModel({"main": "gaussian"}, baseline=1, origin=_ORIGIN_EV)
_SHARED = ("main_centre", "main_fwhm", "red_centre", "red_fwhm")
LIKE_A_SHIFT = 0.9
# An account that is only compared ends at this distance to its optimum, in standard errors: its BIC
# is then right to the square of this.
_COMPARED = {"tolerance": 0.3, "errors": False}


@dataclass(frozen=True)
class Drift:
    """Weighted straight line through a quantity against time: slope per minute, its error widened
    by excess scatter.
    """

    per_minute: float
    standard_error: float
    chi2_per_dof: float

    @property
    def z(self) -> float:
        return self.per_minute / self.standard_error


class Left(NamedTuple):
    """What changes from the first to the last quarter of a series beyond a fit of it: the largest
    mean over a quarter of the main band's width, in standard errors, where it is, and its share of
    the largest change there is.
    """

    z: float
    energy_eV: float
    share: float


@dataclass(frozen=True)
class Segregation:
    """What a series shows.

    Attributes
    ----------
    account : {"steady", "one band moves", "two bands"}
        The account with the lowest BIC; `two bands` only when the red share also changes
        significantly.
    bic : dict of str to float
    time_s : ndarray, shape (m,)
    fraction, fraction_error : ndarray, shape (m,)
        Share of the red band in the emitted photons.
    centroid_nm, centroid_error_nm : ndarray, shape (m,)
    peak_nm, red_nm, red_error_nm : float
        Maxima of main and red band by the shared fit, at their energies.
    growth : Drift
        Of the red share.
    drift_nm : Drift
        Of the centroid.
    blue : Drift
        Of the share of a third band on the blue side; consistent with zero means that no
        bromide-rich emission grows.
    chi2_per_dof : float
        Of the two-band fit.
    misfit : float
        Standard normal deviate of its χ².
    by_shape : ndarray, shape (m,)
        What the red share owes to the shape of the bands, where none tried leaves noise alone: its
        difference between Gaussians and half Gaussians of two widths.
    by_shape_error : ndarray, shape (m,)
        Standard error of that: what the second would err by beyond the first.
    left : Left, optional
        What changes beyond the fit of the account.
    energy_eV, model : ndarray
        Axis (n,) and two-band spectra (m, n) per eV.
    """

    account: str
    bic: dict
    time_s: np.ndarray = field(repr=False)
    fraction: np.ndarray = field(repr=False)
    fraction_error: np.ndarray = field(repr=False)
    centroid_nm: np.ndarray = field(repr=False)
    centroid_error_nm: np.ndarray = field(repr=False)
    peak_nm: float
    red_nm: float
    red_error_nm: float
    growth: Drift
    drift_nm: Drift
    blue: Drift
    chi2_per_dof: float
    energy_eV: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    misfit: float = 0.0
    by_shape: np.ndarray = field(default_factory=lambda: np.zeros(1), repr=False)
    by_shape_error: np.ndarray = field(default_factory=lambda: np.zeros(1), repr=False)
    left: Left | None = None

    @property
    def known(self) -> np.ndarray:
        """(m,) bool: whose 95 % interval of the red share is narrower than all that it may be."""
        return self.fraction_error < 0.25

    @property
    def segregates(self) -> bool:
        return self.account == "two bands"


@dataclass(frozen=True)
class Kinetics:
    """Rise of the red share under light and its return in the dark; a time that the series does not
    determine is NaN.
    """

    initial: float
    final: float
    rise_s: float
    rise_error_s: float
    recovery_s: float
    recovery_error_s: float
    chi2_per_dof: float

    def at(self, time_s: np.ndarray, dark_from_s: float | None = None) -> np.ndarray:
        """The fitted share.

        Parameters
        ----------
        time_s : ndarray, shape (k,)
        dark_from_s : float, optional
            From when on the light is off.

        Returns
        -------
        ndarray, shape (k,)
        """
        t = np.asarray(time_s, dtype=float)
        course = _course(t, dark_from_s, self.rise_s, self.recovery_s)
        return self.initial + (self.final - self.initial) * course


def partly_exposed(values: np.ndarray, used: np.ndarray) -> int:
    """How many first frames of a series (m, n) the shutter cut short.

    Their light is less than that of the next by more than 8 times the scatter of the steps from
    frame to frame further on, and by more than 5 %. At most a tenth of the frames is tried.

    Parameters
    ----------
    values : ndarray, shape (m, n)
    used : ndarray of bool, shape (m,)
        Frames that count; the light of others is not known.

    Returns
    -------
    int
        0 of fewer than 8 frames, without light, and where one beyond the first is not used.
    """
    light = np.where(used, np.nansum(values, axis=1), np.nan)
    m = light.size
    if m < 8 or not np.isfinite(light[1:]).all() or not np.nanmedian(light):
        return 0
    steps = np.diff(light) / np.nanmedian(light)
    later = steps[max(3, m // 10) :]
    spread = 1.4826 * np.median(np.abs(later - np.median(later))) + 1e-12
    for count in range(max(1, m // 10), 0, -1):
        step = steps[count - 1]
        if not np.isfinite(step) or (step > 0.05 and step - np.median(later) > 8 * spread):
            return count
    return 0


LEFT = 8.0  #: standard errors of a change beyond a fit, above which a band is sought there


def track(
    wavelength_nm: np.ndarray,
    counts: np.ndarray,
    time_s: np.ndarray,
    *,
    variance: np.ndarray | None = None,
    lost: np.ndarray | None = None,
    window_nm: tuple[float, float] | None = None,
) -> Segregation:
    """Follow a series under illumination.

    Parameters
    ----------
    wavelength_nm : ndarray, shape (n,)
    counts : ndarray, shape (m, n)
        Photon counts per nm, m >= 4 spectra.
    time_s : ndarray, shape (m,)
    variance : ndarray, shape (m, n), optional
        Of the counts. When left out: Poisson, iterated once on the fitted spectra, for raw counts;
        else estimated from the scatter of each spectrum.
    lost : ndarray of bool, shape (m, n), optional
        Points that were not measured: no fit looks at them, centroids take what was fitted there.
    window_nm : (float, float), optional

    Returns
    -------
    Segregation

    Raises
    ------
    ValueError
        Fewer than four spectra, shapes that do not fit, numbers that are not finite.

    References
    ----------
    .. [1] E. T. Hoke et al., Chem. Sci. 6, 613 (2015), doi:10.1039/C4SC03141E
    """
    w, y, t = (
        np.asarray(wavelength_nm, dtype=float),
        np.atleast_2d(np.asarray(counts, dtype=float)),
        np.asarray(time_s, dtype=float),
    )
    if y.shape != (t.size, w.size) or t.size < 4:
        raise ValueError(
            f"series: expected at least 4 spectra of {w.size} points with one time each, found "
            f"{y.shape} and {t.size} times"
        )
    lost = np.zeros(y.shape, bool) if lost is None else np.asarray(lost, bool)
    if window_nm is not None:
        inside = (w >= window_nm[0]) & (w <= window_nm[1])
        w, y, lost = w[inside], y[:, inside], lost[:, inside]
        variance = None if variance is None else np.asarray(variance)[:, inside]
    if not np.all(np.isfinite(y)):
        raise ValueError("counts: expected finite numbers, found others")
    if variance is None and not looks_like_counts(y):
        variance = detector_noise(*y).variance(y)
    first_variance = (
        np.maximum(uniform_filter1d(y, 5, mode="nearest"), 1.0)
        if variance is None
        else np.broadcast_to(variance, y.shape)
    )
    # A constant of the detector is none per eV: what all spectra have is off before, and the
    # baseline, straight per eV, takes what is left.
    floor, _ = constant(w, y)
    energy, signal, spread = lineshapes.to_energy(w, y - floor, first_variance)
    # One scale for all spectra keeps areas near one.
    scale = np.abs(signal).sum() * abs(np.median(np.diff(energy))) / t.size
    signal, spread = signal / scale, spread / scale**2
    jacobian = (HC_EV_NM / energy) ** 2 / HC_EV_NM / scale
    lost, noise = lost[:, np.argsort(-w)], spread
    spread = _unlooked(noise, lost)
    start, two = _two_bands(energy, signal, spread)
    if variance is None:
        # Weights from the fit rather than from the noisy data take the bias out of them.
        noise = jacobian * np.maximum(two.evaluate(energy) + floor * jacobian, 0.3 * jacobian)
        spread = _unlooked(noise, lost)
    two = lineshapes.fit_series(
        energy, signal, two.model, two.values, variance=spread, shared=_SHARED
    )
    chi2 = float(two.chi2.sum())
    one, moving = (
        _single(energy, signal, spread, start, shared, chi2)
        for shared in (_SHARED[:2], _SHARED[1:2])
    )
    count = np.log(signal.size)
    bic = {
        "steady": one.chi2.sum() + count * (3 * t.size + 2),
        "one band moves": moving.chi2.sum() + count * (4 * t.size + 1),
        "two bands": chi2 + count * (4 * t.size + 4),
    }
    best, by_shape, shape_error = _of_best_shape(energy, signal, spread, two)
    left = _left(energy, signal, spread, best)
    if abs(left.z) > LEFT:
        # A band may have been taken for the side of the other: it is sought where spectra change.
        at = {n: float(two.value(n)[0]) for n in _SHARED} | {"red_centre": left.energy_eV}
        other = lineshapes.fit_series(
            energy, signal, two.model, at, variance=spread, shared=_SHARED
        )
        there = _of_best_shape(energy, signal, spread, other)
        again = _left(energy, signal, spread, there[0])
        if abs(again.z) < abs(left.z):
            two, left, (best, by_shape, shape_error) = other, again, there
    fraction, error = best.ratio("red")
    growth = drift(t, fraction, error)
    main, red = float(best.value("main_centre")[0]), float(best.value("red_centre")[0])
    red_error = float(np.nan_to_num(best.error("red_centre")[0], nan=np.inf))
    account = min(bic, key=bic.get)
    if account == "two bands" and not _varies(fraction, error):
        account = min(("steady", "one band moves"), key=bic.get)
    if account == "two bands" and _shifts(
        energy, signal, spread, one.evaluate(energy), best.evaluate(energy)
    ):
        account = "one band moves"
    # Bands that keep their places leave some light of one that moves to the baseline.
    fit = best
    if account == "one band moves":
        fit = _single(energy, signal, spread, moving.values, _SHARED[1:2])
    filled = np.where(lost, fit.evaluate(energy), signal)
    centroid, centroid_error = _centroids(energy, filled, spread, noise, jacobian, fit)
    reduced, misfit = _goodness(best, signal)
    return Segregation(
        account,
        {k: float(v) for k, v in bic.items()},
        t,
        fraction,
        error,
        centroid,
        centroid_error,
        HC_EV_NM / main,
        HC_EV_NM / red,
        HC_EV_NM / red**2 * red_error,
        growth,
        drift(t, centroid, centroid_error),
        _blue(energy, signal, spread, two, t),
        reduced,
        energy,
        (best.evaluate(energy) + floor * jacobian) * scale,
        misfit,
        by_shape,
        shape_error,
        left if fit is best else _left(energy, signal, spread, fit),
    )


def _single(energy, signal, spread, start, shared, chi2=np.inf):
    """The fit of one band, to its end unless another leaves less `chi2` by far."""
    for tolerance in (100 * _COMPARED["tolerance"], _COMPARED["tolerance"]):
        fit = lineshapes.fit_series(
            energy, signal, _SINGLE, start, variance=spread, shared=shared,
            **_COMPARED | {"tolerance": tolerance},
        )  # fmt: skip
        if fit.chi2.sum() - chi2 > 100 * tolerance**2:
            break
        start = fit.values
    return fit


def _unlooked(variance, lost):
    """Variance (m, n) by which a fit does not look at what is lost."""
    return np.where(lost, 1e4 * variance.max(), variance) if lost.any() else variance


def _centroids(energy, signal, spread, noise, jacobian, fit):
    """Centroids (m,) in nm of spectra less the baseline of their fit, and their errors, of spectra
    with the variance `noise` that were fitted with the variance `spread`.

    A background of b a point draws the centroid to the middle of the window: its drift is short by
    the share of the window's counts that are background. The baseline is linear in the spectrum
    where the bands keep their places and widths, so its noise is a part of the gradient.
    """
    parts = fit.model.components(energy, fit.values)
    wavelength = HC_EV_NM / energy
    weights = -np.gradient(wavelength) / jacobian  # of counts per eV in an integral over nm
    light = signal - parts["baseline"]
    area = light @ weights
    centroid = light @ (weights * wavelength) / area
    plain = weights * (wavelength - centroid[:, None]) / area[:, None]
    bands = [part.mean(axis=0) for name, part in parts.items() if name != "baseline"]
    design = np.column_stack([*bands, np.ones(energy.size), energy])
    design /= np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    weighted = design.T / spread[:, None, :]
    held = np.linalg.pinv(weighted @ design, hermitian=True)[:, :, -2:]
    taken = np.einsum("mij,mj->mi", held, plain @ design[:, -2:])
    gradient = plain - np.einsum("mi,min->mn", taken, weighted)
    return centroid, np.sqrt((gradient**2 * noise).sum(axis=1))


def _change(parts) -> np.ndarray:
    """What the mean of the last quarter of a series (m, n) has more than that of the first."""
    count = max(1, len(parts) // 4)
    return parts[-count:].mean(axis=0) - parts[:count].mean(axis=0)


def _left(energy, signal, spread, fit) -> Left:
    """See `Left`. Where bands have not the shape of the fit's, all spectra miss it alike."""
    count, light = max(1, len(signal) // 4), signal.sum(axis=1, keepdims=True)
    noise = spread / light**2
    variance = (noise[-count:].sum(axis=0) + noise[:count].sum(axis=0)) / count**2
    main = fit.model.components(energy, fit.values)["main"].mean(axis=0)
    size = max(np.count_nonzero(main > 0.5 * main.max()) // 4, 3)
    whole, rest = (
        np.convolve(_change(part), np.ones(size), "same")
        for part in (signal / light, (signal - fit.evaluate(energy)) / light)
    )
    z = rest / np.sqrt(np.convolve(variance, np.ones(size), "same"))
    most = int(np.argmax(np.abs(z)))
    share = abs(rest[most]) / max(np.abs(whole).max(), 1e-300)
    return Left(float(z[most]), float(energy[most]), float(share))


def _goodness(fit, signal) -> tuple[float, float]:
    """χ² per degree of freedom of a two-band fit, and its standard normal deviate."""
    dof = max(signal.size - 4 * len(signal) - 4, 1)
    chi2 = float(fit.chi2.sum())
    return chi2 / dof, (chi2 - dof) / np.sqrt(2 * dof)


def _of_best_shape(energy, signal, spread, two):
    """The two-band fit by Gaussians, or where they leave more than noise by half Gaussians of two
    widths if these describe it better; and what the red shares (m,) of the two differ by and its
    error, unless only the second leaves noise alone: noise hides a wrong shape long before it hides
    what that does to a share.
    """
    good = _goodness(two, signal)[1] < threshold()
    shapes = {"main": "split_gaussian", "red": "split_gaussian"}
    sides = ("fwhm_low", "fwhm_high")
    start, limits = {}, {}
    for name in shapes:
        centre, width = (float(two.value(f"{name}_{of}")[0]) for of in ("centre", "fwhm"))
        start |= {f"{name}_centre": centre} | {f"{name}_{side}": width for side in sides}
        limits |= {f"{name}_centre": Parameter(lower=centre - width, upper=centre + width)}
        limits |= {
            f"{name}_{side}": Parameter(lower=0.4 * width, upper=2.5 * width) for side in sides
        }
    model = BandModel(shapes, baseline=1, origin=_ORIGIN_EV, parameters=limits)
    split = lineshapes.fit_series(
        energy, signal, model, start, variance=spread, shared=tuple(start),
        **({"tolerance": _COMPARED["tolerance"]} if good else {}),
    )  # fmt: skip
    if not good and split.chi2.sum() + 2 * np.log(signal.size) < two.chi2.sum():
        two, split = split, two
        if _goodness(two, signal)[1] < threshold():
            return two, *np.zeros((2, len(signal)))  # the spectra themselves have refused the other
    shares, errors = zip(split.ratio("red"), two.ratio("red"))
    beyond = np.sqrt(np.abs(np.subtract(*np.square(errors))))
    return two, np.nan_to_num(np.subtract(*shares)), np.nan_to_num(beyond)


def _shifts(energy, signal, spread, smooth, two) -> bool:
    """Whether what changes has the shape of the band's own derivative, whatever the band's shape.

    A band that moves adds its derivative; one that grows on its side does not. Compared are the
    squares that the slope of the mean spectrum, smoothed to a tenth of the band's width, takes of
    all changes about that mean, and those that the change of `two` bands takes: from
    `LIKE_A_SHIFT` of them on it is a shift.
    """
    share, model = (part / part.sum(axis=1, keepdims=True) for part in (signal, two))
    mean = share.mean(axis=0)
    weight = 1 / np.sqrt(spread.mean(axis=0))
    wide = np.count_nonzero(smooth.mean(axis=0) > 0.5 * smooth.mean(axis=0).max())
    slope = gaussian_filter1d(mean, max(wide // 10, 1), order=1) * weight
    grown = _change(model) * weight
    shift, growth = (
        np.sum(((share - mean) * weight @ by) ** 2) / max(by @ by, 1e-300) for by in (slope, grown)
    )
    return bool(shift > LIKE_A_SHIFT * growth)


def _varies(fraction, error) -> bool:
    """Whether the red share changes: χ² against a constant one beyond a probability of 1e-4."""
    good = np.isfinite(error) & (error > 0)
    if np.count_nonzero(good) < 3:
        return False
    weight = 1 / error[good] ** 2
    mean = weight @ fraction[good] / weight.sum()
    return bool(
        chi2_distribution.sf(weight @ (fraction[good] - mean) ** 2, np.count_nonzero(good) - 1)
        < 1e-4
    )


def _two_bands(energy, signal, spread):
    """Centre and width of the first spectrum's band, and nearly the fit of two bands to all."""
    first = lineshapes.fit_series(energy, signal[:1], _SINGLE, variance=spread[:1], **_COMPARED)
    centre, width = float(first.value("main_centre")[0]), float(first.value("main_fwhm")[0])
    start = {"main_centre": centre, "main_fwhm": width}
    model = BandModel(
        {"main": "gaussian", "red": "gaussian"},
        baseline=1,
        origin=_ORIGIN_EV,
        parameters={
            "main_centre": Parameter(lower=centre - 0.6 * width, upper=centre + 0.6 * width),
            "main_fwhm": Parameter(lower=0.5 * width, upper=2 * width),
            "red_centre": Parameter(lower=centre - 4 * width, upper=centre - 0.3 * width),
            "red_fwhm": Parameter(lower=0.35 * width, upper=2 * width),
        },
    )
    # The change from first to last spectra, where it is positive on the red side, shows where the
    # red band is.
    k = max(1, len(signal) // 4)
    early, late = signal[:k].sum(axis=0), signal[-k:].sum(axis=0)
    side = (energy < centre - 0.3 * width) & (energy > centre - 4 * width)
    gain = np.maximum(late / late.sum() - early / early.sum(), 0) * side
    guess = float(gain @ energy / gain.sum()) if gain.sum() > 0 else centre - width
    starts = [
        {
            **start,
            "red_centre": float(np.clip(g, centre - 3.5 * width, centre - 0.35 * width)),
            "red_fwhm": width,
        }
        for g in (guess, centre - width)
    ]
    fits = []
    for begin in starts:
        fits.append(
            lineshapes.fit_series(
                energy, signal, model, begin, variance=spread, shared=_SHARED, **_COMPARED
            )
        )
        if fits[-1].converged.all() and _goodness(fits[-1], signal)[1] < threshold():
            break  # what leaves no more than noise no other can better by much
    return start, min(fits, key=lambda f: f.chi2.sum())


def _blue(energy, signal, spread, two, t) -> Drift:
    """Drift of the share of a band one FWHM to the blue of the main one, solved linearly with all
    shapes held.
    """
    main, width = float(two.value("main_centre")[0]), float(two.value("main_fwhm")[0])
    red, red_width = float(two.value("red_centre")[0]), float(two.value("red_fwhm")[0])

    def band(centre, fwhm):
        sigma = fwhm / 2.35482
        return np.exp(-0.5 * ((energy - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))

    basis = np.array(
        [
            band(main, width),
            band(red, red_width),
            band(main + width, width),
            np.ones_like(energy),
            energy - _ORIGIN_EV,
        ]
    )
    weighted = basis[None] / spread[:, None, :]
    normal = weighted @ basis.T
    areas = np.linalg.solve(normal, (weighted @ signal[:, :, None]))[:, :, 0]
    cov = np.linalg.inv(normal)
    total = areas[:, :3].sum(axis=1)
    share = areas[:, 2] / total
    gradient = np.stack([-share, -share, 1 - share, 0 * share, 0 * share], axis=1) / total[:, None]
    return drift(t, share, np.sqrt(np.einsum("mi,mij,mj->m", gradient, cov, gradient)))


def drift(time_s: np.ndarray, values: np.ndarray, errors: np.ndarray) -> Drift:
    """Weighted linear regression; the error is widened by √(χ²/dof) where the points scatter more
    than their errors.

    Parameters
    ----------
    time_s : ndarray, shape (n,)
    values, errors : ndarray, shape (n,)
        Values without a positive error do not count.

    Returns
    -------
    Drift
        Change per minute.

    Raises
    ------
    ValueError
        For fewer than three values with errors.

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932), doi:10.1103/PhysRev.40.207

    Examples
    --------
    >>> found = drift(np.array([0.0, 60, 120]), np.array([620.0, 621, 622]), np.full(3, 0.1))
    >>> round(found.per_minute, 3), round(found.standard_error, 3)
    (1.0, 0.071)
    """
    minutes = np.asarray(time_s, dtype=float) / 60
    errors = np.where(np.isfinite(errors) & (np.asarray(errors) > 0), errors, np.nan)
    good = np.isfinite(errors) & np.isfinite(values)
    if np.count_nonzero(good) < 3:
        raise ValueError(
            f"drift: expected at least 3 values with errors, found {np.count_nonzero(good)}"
        )
    x, v, w = minutes[good], np.asarray(values)[good], 1 / errors[good] ** 2
    centre = (w @ x) / w.sum()
    sxx = w @ (x - centre) ** 2
    slope = float((w * (x - centre)) @ v / sxx)
    residual = v - (w @ v) / w.sum() - slope * (x - centre)
    excess = float(w @ residual**2 / (x.size - 2))
    return Drift(slope, float(np.sqrt(max(excess, 1.0) / sxx)), excess)


def fit_kinetics(
    time_s: np.ndarray, fraction: np.ndarray, error: np.ndarray, *, dark_from_s: float | None = None
) -> Kinetics:
    """Exponential approach of the red share to its end value, and its return in the dark after
    `dark_from_s`.

    Parameters
    ----------
    time_s : ndarray, shape (n,)
    fraction, error : ndarray, shape (n,)
        Red share of the emission, 0 to 1, and its standard error.
    dark_from_s : float, optional
        From when on the light is off.

    Returns
    -------
    Kinetics
        Times that the course does not determine are NaN.

    References
    ----------
    .. [1] E. T. Hoke et al., Chem. Sci. 6, 613 (2015), doi:10.1039/C4SC03141E
    """
    t, f = np.asarray(time_s, dtype=float), np.asarray(fraction, dtype=float)
    s = np.where(np.isfinite(error) & (np.asarray(error) > 0), error, np.nanmax(error))
    light = t <= (dark_from_s if dark_from_s is not None else np.inf)
    span = max(np.ptp(t[light]), 1e-9)
    recovers = dark_from_s is not None and np.count_nonzero(~light) >= 2

    def columns(p):
        course = _course(t, dark_from_s, p[0], p[1] if recovers else np.nan)
        return np.column_stack([np.ones_like(t), course])

    # A course whose time is not told from nothing or from forever is no course.
    slow = {"low": 1e-3 * span, "high": 1e3 * span, "step": 0.5, "log": True, "unit": "s"}
    found = separable.fit(
        differences(columns, [1e-4 * span] * 2, [True, recovers]),
        f,
        {
            "rise": Sought(span / 3, **slow),
            "recovery": Sought(span / 3, **slow, held=not recovers),
        },
        ["start", "gain"],
        error=s,
        variance=separable.larger,
    )
    (start, gain), errors = found.linear.tolist(), found.errors
    times = [(float(v), float(e)) for v, e in zip(found.values, errors[: 1 + recovers])]
    # Relative errors of a time above 1 mean that it is not known.
    rise, back = (
        pair if pair[1] < pair[0] else (np.nan, np.nan)
        for pair in (times[0], times[1] if recovers else (np.nan, np.nan))
    )
    if abs(gain) < 2 * errors[-1]:
        rise = (np.nan, np.nan)
    return Kinetics(start, start + gain, *rise, *back, found.chi2 / found.freedom)


def _course(t, dark_from, rise, recovery):
    """Approach to 1 in the light, and the return in the dark."""
    light = np.minimum(t, dark_from) if dark_from is not None else t
    course = -np.expm1(-light / rise)
    if dark_from is not None and np.isfinite(recovery):
        course = course * np.exp(-np.maximum(t - dark_from, 0) / recovery)
    return course
