"""Decays seen through an instrument response: closed forms and their derivatives.

Conventions: `x` is the time after the centre of the response, `k` a rate, `s` the standard
deviation of a Gaussian response of unit area, FWHM = 2·√(2 ln 2)·s. A decay that starts at x = 0
becomes, convolved,

    c(x) = ½ exp(k²s²/2 − kx) erfc((ks − x/s)/√2)

which is evaluated through the scaled function erfcx where the exponential would overflow, so that
it is right for any rate, width and time. Its derivatives follow from dc/dx = g(x) − k c(x), g the
response (van Stokkum, Larsen, van Grondelle, Biochim. Biophys. Acta 1657, 82 (2004), DOI
10.1016/j.bbabio.2004.04.011, eq. 4 and 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfc, erfcx, wofz

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
_ROOT2, _ROOT2PI = np.sqrt(2.0), np.sqrt(2 * np.pi)
_SATURATED = -6.2  # erfc(z) = 2 to double precision below this


def gaussian(x, s):
    """Gaussian of unit area.

    Parameters
    ----------
    x : ndarray
    s : float
        Standard deviation, in the unit of `x`.

    Returns
    -------
    ndarray
        In the inverse unit of `x`.
    """
    return np.exp(-0.5 * np.square(x / s)) / (s * _ROOT2PI)


def gaussian_decay(x, k, s):
    """exp(−kx) for x ≥ 0, convolved with a unit-area Gaussian of standard deviation `s`.

    Parameters
    ----------
    x : array
        Time after the centre of the response.
    k : array
        Rate ≥ 0, in the inverse unit of `x`; broadcast against it. 0 gives the step.
    s : float
        Standard deviation of the response, > 0.

    Returns
    -------
    array
        Between 0 and 1, without overflow for any argument.

    References
    ----------
    .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657, 82
           (2004), doi:10.1016/j.bbabio.2004.04.011
    """
    x, k = np.asarray(x, float), np.asarray(k, float)
    z = (k * s - x / s) / _ROOT2
    if z.size < 4096:
        # z > 0: g·erfcx(z)/2 cannot overflow. z ≤ 0: kx ≥ k²s², the exponent is ≤ −k²s²/2.
        early = 0.5 * np.exp(-0.5 * np.square(x / s)) * erfcx(np.maximum(z, 0.0))
        late = (
            0.5 * np.exp(np.minimum(0.5 * np.square(k * s) - k * x, 0.0)) * erfc(np.minimum(z, 0.0))
        )
        return np.where(z > 0, early, late)
    # Large arrays: the special functions only where they are not saturated.
    out = np.exp(np.minimum(0.5 * np.square(k * s) - k * x, 0.0))
    near = z > _SATURATED
    xs, ks, zs = (np.broadcast_to(a, z.shape)[near] for a in (x, k, z))
    up = zs > 0
    out[near] *= np.where(up, 0.0, 0.5 * erfc(np.minimum(zs, 0.0)))
    index = np.flatnonzero(near)[up]
    out.flat[index] = 0.5 * np.exp(-0.5 * np.square(xs[up] / s)) * erfcx(zs[up])
    del ks
    return out


def damped_wave(x, kappa, s):
    """exp(−κx) for x ≥ 0 with a complex rate κ = 1/damping − 2πi/period, convolved with a unit-area
    Gaussian of standard deviation `s`.

    Real and imaginary part are the damped cosine and sine. The error function of the complex
    argument is evaluated through the Faddeeva function w, which cannot overflow:
    ½·exp(−x²/2s²)·w(iz) before the response has passed, z = (κs − x/s)/√2.

    Parameters
    ----------
    x : ndarray
        Time, ps.
    kappa : complex
        1/ps.
    s : float
        ps.

    Returns
    -------
    ndarray, complex
    """
    x, kappa = np.asarray(x, float), np.asarray(kappa, complex)
    if s is None:
        return np.where(x >= 0, np.exp(-kappa * np.maximum(x, 0.0)), 0.0)
    z = (kappa * s - x / s) / _ROOT2
    late = z.real < 0
    whole = np.array(np.exp(np.where(late, 0.5 * np.square(kappa * s) - kappa * x, 0.0)) * late)
    near = np.abs(z.real) < -_SATURATED  # beyond, nothing is left of the response
    sign = np.where(late, -1.0, 1.0)[near]
    bell = np.exp(-0.5 * np.square(np.broadcast_to(x, z.shape)[near] / s))
    whole[near] += 0.5 * sign * bell * wofz(1j * sign * z[near])
    return whole


@dataclass(frozen=True)
class MeasuredIRF:
    """A response measured on its own grid, linear between its points and zero outside, used with
    unit area.

    Parameters
    ----------
    time_ps : array
        Increasing.
    intensity : array
        Non-negative where it matters; the background must have been subtracted.

    Raises
    ------
    ValueError
        For an unsorted grid, fewer than two points, or no area.
    """

    time_ps: np.ndarray
    intensity: np.ndarray

    def __post_init__(self):
        time, intensity = np.asarray(self.time_ps, float), np.asarray(self.intensity, float)
        if time.ndim != 1 or time.shape != intensity.shape or len(time) < 2:
            raise ValueError(
                "measured IRF: expected two equal columns of at least 2 points, found shapes "
                f"{time.shape} and {intensity.shape}"
            )
        if not (
            np.all(np.isfinite(time))
            and np.all(np.isfinite(intensity))
            and np.all(np.diff(time) > 0)
        ):
            raise ValueError("measured IRF: expected finite values on increasing times")
        area = np.trapezoid(intensity, time)
        if not area > 0:
            raise ValueError(
                f"measured IRF: expected a positive area, found {area:.3g}; subtract its background"
            )
        object.__setattr__(self, "time_ps", time)
        object.__setattr__(self, "intensity", intensity / area)

    def decay(self, x, k: float):
        """A decay of rate `k` convolved with the response, and its derivative by the rate.

        The response is linear between its points, so each interval integrates in closed form; the
        decay is carried from point to point by the exact recursion c(b) = e^(−kh) c(a) + ∫.

        Parameters
        ----------
        x : ndarray
            Time, ps.
        k : float
            1/ps.

        Returns
        -------
        values, derivative : ndarray
        """
        time, y = self.time_ps, self.intensity
        h, slope = np.diff(time), np.diff(y) / np.diff(time)
        gain, add, dadd = np.exp(-k * h), *_segment(k, h, y[:-1], slope)
        c, dc = np.zeros(len(time)), np.zeros(len(time))
        for j in range(len(h)):
            c[j + 1] = gain[j] * c[j] + add[j]
            dc[j + 1] = gain[j] * (dc[j] - h[j] * c[j]) + dadd[j]
        x = np.asarray(x, float)
        j = np.clip(np.searchsorted(time, x, side="right") - 1, 0, len(time) - 1)
        dx = np.maximum(x - time[j], 0.0)
        inside = (j < len(time) - 1) & (x >= time[0])
        at = np.minimum(j, len(h) - 1)
        a, da = _segment(k, dx, np.where(inside, y[at], 0.0), np.where(inside, slope[at], 0.0))
        fade = np.exp(-k * dx)
        return fade * c[j] + a, fade * (dc[j] - dx * c[j]) + da

    def value(self, x):
        """The response at some times.

        Parameters
        ----------
        x : ndarray
            ps.

        Returns
        -------
        ndarray
            1/ps.
        """
        return np.interp(x, self.time_ps, self.intensity, left=0.0, right=0.0)


def _segment(k, h, y, slope):
    """∫₀ʰ (y + slope·u) e^(−k(h−u)) du and its derivative by k."""
    q = k * h
    small = np.abs(q) < 1e-3
    safe = np.where(small, 1.0, q)
    e = np.exp(-safe)
    # p₀ = (1−e^−q)/q, p₁ = ∫₀¹ v e^(−q(1−v)) dv = (q−1+e^−q)/q², and their derivatives; series for
    # small q.
    p0 = np.where(small, 1 - q / 2 + q**2 / 6, (1 - e) / safe)
    p1 = np.where(small, 0.5 - q / 6 + q**2 / 24, (safe - 1 + e) / safe**2)
    d0 = np.where(small, -0.5 + q / 3 - q**2 / 8, (e * (1 + safe) - 1) / safe**2)
    d1 = np.where(
        small, -1 / 6 + q / 12 - q**2 / 40, ((1 - e) * safe - 2 * (safe - 1 + e)) / safe**3
    )
    return h * (y * p0 + slope * h * p1), h**2 * (y * d0 + slope * h * d1)


def columns(
    x,
    rates,
    s,
    *,
    infinite=False,
    offset=False,
    artefact=0,
    period=None,
    irf=None,
    derivatives=True,
):
    """Columns of the model matrix at times `x` after the centre of the response, and their
    derivatives.

    Parameters
    ----------
    x : array, shape (..., nt)
        Time after the centre, ps.
    rates : array, shape (n,)
        1/ps.
    s : float or None
        Standard deviation of a Gaussian response, ps; None: no response, decays start sharply at x
        = 0.
    infinite, offset : bool
        A component that does not decay; a constant that is there before zero time as well.
    artefact : int
        Number of columns of the coherent artefact: the Gaussian (of height 1) and its derivatives
        by x/s. They follow
        the response (Lorenc et al., Appl. Phys. B 74, 19 (2002), DOI 10.1007/s003400100750).
    period : float, optional
        Period of a synchroscan streak camera, ps: what is left from earlier pulses, and the sweep
        back half a period
        later, are added to each decay (Snellenburg et al., J. Stat. Softw. 49, 3 (2012), DOI
        10.18637/jss.v049.i03).
    irf : MeasuredIRF, optional
        Takes the place of the Gaussian.

    Returns
    -------
    c, dk, dx, ds : arrays, shape (..., nt, n + extra)
        The columns (decays, infinite, offset, artefact), and derivatives by the rate (decays only),
        by x, and by ln s. The last three are None without `derivatives`.

    Raises
    ------
    ValueError
        If an artefact is asked for without a Gaussian response.
    """
    rates = np.asarray(rates, float)
    x = np.asarray(x, float)[..., None]
    n = len(rates)
    all_rates = np.append(rates, 0.0) if infinite else rates
    if irf is not None:
        made = [irf.decay(x[..., 0], k) for k in all_rates]
        c = np.stack([m[0] for m in made], -1) if made else np.zeros((*x.shape[:-1], 0))
        dk = np.stack([m[1] for m in made[:n]], -1) if n else np.zeros((*x.shape[:-1], 0))
        g = irf.value(x)
    elif s is None:
        on = x >= 0
        c = np.where(on, np.exp(-all_rates * np.maximum(x, 0.0)), 0.0)
        g, dk = np.zeros_like(x), -x * c[..., :n]
    else:
        c = gaussian_decay(x, all_rates, s)
        g = gaussian(x, s)
        dk = (rates * s * s - x) * c[..., :n] - s * s * g if derivatives else None
    dx = g - all_rates * c if derivatives else None
    ds = None
    if derivatives and s is not None:
        ds = s * s * all_rates**2 * c - g * (all_rates * s * s + x)
    if period is not None and n:
        c, dk, dx = _streak(x, rates, period, c, dk, dx, derivatives)
    extra, extra_dx, extra_ds = [], [], []
    if offset:
        (
            extra.append(np.ones_like(x)),
            extra_dx.append(np.zeros_like(x)),
            extra_ds.append(np.zeros_like(x)),
        )
    if artefact:
        if s is None:
            raise ValueError("coherent artefact: expected a Gaussian response, found none")
        z = x / s
        bell = np.exp(-0.5 * z * z)
        hermite = [np.ones_like(z), -z]
        for m in range(1, artefact + 1):
            hermite.append(-z * hermite[m] - m * hermite[m - 1])
        for m in range(artefact):
            extra.append(hermite[m] * bell)
            extra_dx.append(hermite[m + 1] * bell / s)
            extra_ds.append(-z * hermite[m + 1] * bell)
    if extra:
        c = np.concatenate([c, *extra], -1)
        if derivatives:
            dx = np.concatenate([dx, *extra_dx], -1)
            ds = None if ds is None else np.concatenate([ds, *extra_ds], -1)
    return c, dk, dx, ds


def _streak(x, rates, period, c, dk, dx, derivatives):
    n = len(rates)
    late = np.exp(-rates * np.maximum(x + period, 0.0))
    back = np.exp(-rates * np.maximum(period / 2 - x, 0.0))
    e = np.exp(-rates * period)
    left = (late + back) / (1 - e)
    c = c.copy()
    c[..., :n] += left
    if derivatives:
        dk = (
            dk
            - ((x + period) * late + (period / 2 - x) * back) / (1 - e)
            - left * period * e / (1 - e)
        )
        dx = dx.copy()
        dx[..., :n] += rates * (back - late) / (1 - e)
    return c, dk, dx
