"""Lifetimes from single-photon counting: Poisson maximum likelihood with reconvolution.

A decay is modelled bin by bin: integral over the bin of instrument response ⊗ decay law, wrapped
around the repetition period, plus a background, then distorted by pile-up when the number of
excitation pulses is known. Counts are Poisson, so the deviance is minimised; least squares on
counts is biased or misweighted (K. Santra et al., J. Phys. Chem. A 120 (2016) 2484,
doi:10.1021/acs.jpca.6b00728).

Conventions: times in ns, `counts` per bin, amplitudes in counts per ns at time zero of the
component.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.ndimage import uniform_filter1d
from scipy.optimize import nnls

from peled.lineshapes.bands import SIGMA_PER_FWHM
from peled.photoluminescence import poisson
from peled.photoluminescence import response as responses
from peled.photoluminescence.counts import as_counts
from peled.photoluminescence.response import BESIDE, Folding, Response
from peled.quantities import deviate

#: Gain of BIC for which a law takes a scatter term: strong evidence (R. E. Kass, A. E. Raftery,
#: J. Am. Stat. Assoc. 90 (1995) 773, doi:10.1080/01621459.1995.10476572).
SCATTER = 6.0
AS_WELL = 12.0  #: deviance above the preferred law's below which another describes as well
MISFIT = 3.0  #: `goodness_z` above which a law does not describe the counts
KNOWN = 0.25  #: relative error above which a law says nothing of a mean lifetime
BELOW = 0.2  #: of a lifetime: one beside it that few counts do not show
MEANS = ("amplitude-weighted", "intensity-weighted")
WITH_SCATTER = " + scatter"
PROMPT_SAID = "shorter than the response"
#: A component that decays within this share of the response's width is no lifetime.
PROMPT = 0.2
PULSES = 20  #: in one record, above which times or repetition are in another unit
UNRESOLVED = 4  #: bins that hold what is too narrow a response to be folded as it was counted
STEP = 1e-4  #: of logarithms and exponents, for derivatives


@dataclass(frozen=True)
class DecayFit:
    """One fitted decay.

    Attributes
    ----------
    law : str
        "1 exponential", "2 exponentials", ..., "stretched exponential", with " + scatter" where
        light in the shape of the response was fitted beside it.
    lifetimes_ns, lifetime_errors_ns, amplitudes, amplitude_errors : ndarray, shape (k,)
        Sorted by lifetime. Errors are NaN where a parameter ended at a bound.
    beta, beta_error : float
        Stretching exponent (1 and 0 for exponentials).
    background, background_error, shift_ns, shift_error_ns : float
        Counts per bin; shift of the response. Held values have error 0. A background that may be
        none is the mean over its bounded likelihood, with its standard deviation; the errors of
        the others contain it (see `_bounded`).
    scatter, scatter_error : float
        Counts of scattered excitation light, in no mean and no fraction.
    gain : float
        By which the given numbers were divided to be counts (see `counts.as_counts`).
    mean_ns : dict of str to (float, float)
        `amplitude-weighted` Σaτ/Σa (area over initial height; the one that goes with a yield) and
        `intensity-weighted` Σaτ²/Σaτ (mean arrival time), with standard errors.
    unseen_ns : dict of str to float
        What a second lifetime a fifth as long, as faint as counts leave open, adds to the errors of
        the means of one exponential.
    fractions : ndarray, shape (k,)
        Share of each component in the emitted light.
    deviance, expected_deviance, deviance_sd : float
        Deviance and what Poisson noise alone would give; few counts per bin do not give 1 a bin.
    dof, bic, runs_z : int, float, float
        BIC = deviance + p ln n; z value of the Wald-Wolfowitz test on residual signs (below −2:
        structure is left).
    converged, problems : bool, tuple of str
    time_ns, counts, model : ndarray, shape (n,)
        Inside the fit window.
    covariance, parameters, theta : ndarray, tuple of str, ndarray
        Of the parameters, lifetimes as logarithms, unsorted; zero for those at a bound.
    """

    law: str
    lifetimes_ns: np.ndarray
    lifetime_errors_ns: np.ndarray
    amplitudes: np.ndarray
    amplitude_errors: np.ndarray
    beta: float
    beta_error: float
    background: float
    background_error: float
    shift_ns: float
    shift_error_ns: float
    mean_ns: dict
    fractions: np.ndarray
    deviance: float
    expected_deviance: float
    deviance_sd: float
    dof: int
    bic: float
    runs_z: float
    converged: bool
    problems: tuple[str, ...]
    time_ns: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    covariance: np.ndarray = field(repr=False)
    parameters: tuple[str, ...] = field(repr=False)
    theta: np.ndarray = field(repr=False)
    scatter: float = 0.0
    scatter_error: float = 0.0
    gain: float = 1.0
    unseen_ns: dict = field(default_factory=dict)

    @property
    def asked(self) -> str:
        """The law as `fit_decays` is asked for it, scatter or not: "1", "2", ..., "stretched"."""
        return "stretched" if "β" in self.parameters else str(len(self.lifetimes_ns))

    @property
    def goodness_z(self) -> float:
        """Deviance against its expectation in standard deviations; above 3 the model does not
        describe the counts.
        """
        return (self.deviance - self.expected_deviance) / self.deviance_sd


# ---- the model
# --------------------------------------------------------------------------------------------------


def _accumulated(u, lifetime, beta, sigma, period):
    """Integral from −∞ to u of the decay law (unit height at zero), Gaussian-broadened and periodic
    where asked.
    """
    if beta != 1.0:
        area = lifetime / beta * special.gamma(1 / beta)

        def single(v):
            return area * special.gammainc(1 / beta, (np.maximum(v, 0) / lifetime) ** beta)
    elif sigma > 0:

        def single(v):
            # Exponentially modified Gaussian, integrated; erfcx keeps it finite where exp and erfc
            # would not be.
            a = (sigma / lifetime - v / sigma) / np.sqrt(2)
            gauss = np.exp(-0.5 * (v / sigma) ** 2)
            with np.errstate(over="ignore", invalid="ignore"):
                tail = np.where(
                    a > 0,
                    gauss * special.erfcx(np.maximum(a, 0)),
                    np.exp(np.minimum(0.5 * (sigma / lifetime) ** 2 - v / lifetime, 700))
                    * special.erfc(np.minimum(a, 0)),
                )
            return lifetime * (special.ndtr(v / sigma) - 0.5 * tail)
    else:

        def single(v):
            return -lifetime * np.expm1(-np.maximum(v, 0) / lifetime)

    if period is None:
        return single(u)
    if beta == 1.0 and sigma == 0:
        turn = np.floor(u / period)
        rest = u - turn * period
        return lifetime * (turn - np.expm1(-rest / lifetime) / -np.expm1(-period / lifetime))
    # Earlier pulses one by one; 12 lifetimes back nothing is left of an exponential.
    back = int(min(np.ceil(12 * lifetime / beta**2 / period) + 2, 60))
    return sum(single(u + k * period) for k in range(-1, back + 1))


def _images(period, lifetime, beta):
    """Pulses whose light is still there, by the time since each (0 the last; −1 the one to
    come).
    """
    if period is None:
        return [0.0]
    back = int(min(np.ceil(12 * lifetime / beta**2 / period) + 2, 60))
    return [k * period for k in range(-1, back + 1)]


NODES = 40  #: of the interpolation of what earlier pulses left
_AT = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
#: Gauss's rule for a bin spread over itself: (place in bins, weight), exact to the fifth power.
_TRIANGLE = ((-math.sqrt(0.4), 5 / 24), (0.0, 7 / 12), (math.sqrt(0.4), 5 / 24))
NEAR = 20  #: bins after a pulse that are integrated in closed form


@lru_cache(maxsize=8)
def _from_nodes(count: int) -> np.ndarray:
    """Interpolation from the Chebyshev nodes to `count` points from end to end."""
    vander = np.polynomial.chebyshev.chebvander
    return vander(np.linspace(-1, 1, count), NODES - 1) @ np.linalg.inv(vander(_AT, NODES - 1))


def _stretched_in_bins(edges, bin_ns, lifetime, beta, period, slopes):
    """Light of a stretched decay I = exp(−(v/τ)^β) spread over its bins (n,); see
    `_exponentials_in_bins`.

    Close to the pulse second differences of F₂, the decay integrated twice; ∂F₂/∂ln τ =
    2 F₂ − v F₁, ∂F₂/∂v = F₁. After that Gauss's rule, quicker than incomplete gamma functions and
    within 1e-8 of them. What pulses have left that came a quarter of a period or more before the
    first bin is smooth: it is summed at `NODES` Chebyshev nodes and interpolated.
    """
    area = lifetime / beta * special.gamma(1 / beta)
    moment = lifetime**2 / beta * special.gamma(2 / beta)

    def exact(v):
        v = np.maximum(v, 0)
        z = (v / lifetime) ** beta
        once = area * special.gammainc(1 / beta, z)
        first = moment * special.gammainc(2 / beta, z)
        found = v * once - first
        twice = np.array([found, 2 * found - v * once, -once] if slopes else [found])
        return np.diff(twice, 2) / bin_ns

    def by_rule(v):
        total = 0.0
        for place, weight in _TRIANGLE:
            at = v + place * bin_ns
            z = (at / lifetime) ** beta
            light = weight * bin_ns * np.exp(-z)
            bent = beta * z * light
            total = total + np.array([light, bent, bent / at] if slopes else [light])
        return total

    images = np.array(_images(period, lifetime, beta))
    images = images[images + edges.max() > 0]  # pulses that have come by then
    middles = edges[1:-1]
    smooth = images + edges.min() > 0.25 * (period or np.inf)
    if edges.size < 4 * NODES:
        smooth[:] = False
    total = np.zeros((3 if slopes else 1, middles.size))
    for image in images[~smooth]:
        near = int(np.searchsorted(middles, NEAR * bin_ns - image))
        parts = [exact(edges[: near + 2] + image)] if near else []
        total = total + np.hstack([*parts, by_rule(middles[near:] + image)])
    if smooth.any():
        nodes = 0.5 * (middles[0] + middles[-1]) + 0.5 * np.ptp(middles) * _AT
        left = by_rule(nodes + images[smooth, None]).sum(axis=1)
        total = total + left @ _from_nodes(middles.size).T
    return total


def _exponentials_twice(edges, bin_ns, lifetimes, period, slopes):
    """Exponential decays (k,) integrated twice, F₂(v) = τ v + τ² (e^(−v/τ) − 1), v the time since
    the pulse, from the first of these times on; and the light in bins h that pulses before it have
    left, A e^(−v/τ) (`_scales`), None where there are none.

    Returns
    -------
    twice : ndarray, shape (1 or 3, k, n + 2)
        With `slopes` its derivatives by ln τ and by a shift of the pulse too.
    left : ndarray, shape (1 or 3, k, n), or None
    """
    tau, left, pulses = lifetimes[:, None], None, [0.0]
    if period is not None:
        first, last = np.floor(edges[[0, -1]] / period)
        pulses = period * np.arange(first + 1, max(last, first + 1) + 1)
        left = np.empty((3 if slopes else 1, tau.size, edges.size - 2))
        _falling(edges[:-2] - first * period, tau, *_scales(bin_ns, lifetimes, period), left)

    def since(pulse):
        v = np.maximum(edges - pulse, 0)
        fall = np.expm1(v / -tau)
        fall *= tau
        twice = (v + fall) * tau
        return np.array([twice, 2 * twice + v * fall, fall] if slopes else [twice])

    return reduce(np.add, map(since, pulses)), left


def _exponentials_in_bins(edges, bin_ns, lifetimes, period, slopes):
    """Light of exponential decays (k,) whose pulse and bins are both spread over `bin_ns` = h:
    second differences over h of `_exponentials_twice`.

    Parameters
    ----------
    edges : ndarray, shape (n + 2,)
        Times of the bins' ends since the pulse, from one bin before the first.
    slopes : bool
        Give derivatives by ln τ and by a shift of the pulse too.

    Returns
    -------
    ndarray, shape (1 or 3, k, n)
    """
    twice, left = _exponentials_twice(edges, bin_ns, lifetimes, period, slopes)
    light = np.diff(twice, 2) / bin_ns
    return light if left is None else light + left


def _scales(bin_ns, lifetimes, period):
    """A (k, 1) of light A e^(−s/τ) in bins h after a pulse that is spread over one, s the time of
    the bin's earliest photon, and dA/d ln τ: τ² (1 − e^(−h/τ))²/h, divided by 1 − e^(−T/τ) where
    pulses repeat after T.
    """
    made = []
    for tau in lifetimes.tolist():
        left = -math.expm1(-bin_ns / tau)
        scale = (tau * left) ** 2 / bin_ns
        growth = 2 - 2 * bin_ns / tau * (1 - left) / left
        if period is not None:
            full = -math.expm1(-period / tau)
            scale, growth = scale / full, growth + period / tau * (1 - full) / full
        made.append((scale, scale * growth))
    return np.array(made).T[:, :, None]


def _falling(since, tau, scale, growth, out):
    """A e^(−s/τ) at times s ≥ 0 into `out` (1 or 3, k, n); where there is room, its derivatives by
    ln τ, `growth` being dA/d ln τ, and by a shift.
    """
    late = since / tau
    np.exp(-late, out=out[0])
    if len(out) > 1:
        late *= scale
        late += growth
        np.multiply(out[0], late, out=out[1])
    out[0] *= scale
    if len(out) > 1:
        np.divide(out[0], tau, out=out[2])


def _lit(light):
    """Light and its derivatives (1 or 3, k, n), cut off at zero: a response's sharpening
    overshoots.
    """
    light *= light[0] > 0
    return light


def _begins(since, reach_ns, period):
    """Bins from the first to the last at times (n,) since the pulse after which one comes within
    `reach_ns`.
    """
    if period is None:
        first, stop = np.searchsorted(since, (-reach_ns, 0.0), side="right").tolist()
        return slice(first, stop)
    within = np.flatnonzero(since % period + reach_ns > period)
    return slice(within[0], within[-1] + 1) if within.size else slice(0, 0)


class _Model:
    """Expected counts per bin and their derivatives, for one set of data."""

    def __init__(
        self,
        time,
        bin_ns,
        response,
        components,
        stretched,
        period,
        cycles,
        free_shift,
        free_width,
        free_background,
        background,
        scatter=False,
    ):
        self.scatter = int(scatter)
        self.time, self.bin, self.components, self.stretched = time, bin_ns, components, stretched
        self.period, self.cycles = period, cycles
        self.free_shift, self.free_width, self.free_background, self.held_background = (
            free_shift,
            free_width,
            free_background,
            background,
        )
        self.width = response.fwhm_ns or 0.0
        if response.counts is not None:
            self.response = Folding(time, bin_ns, response)
            self.lags = self.response.lags
        else:
            self.response, self.lags = None, time - response.start_ns
        ends = [self.lags[0] - bin_ns], self.lags, [self.lags[-1] + bin_ns]
        self.finer = np.concatenate(ends)  # from one bin before the first
        self.edges = self.finer[1:]
        self._last: tuple = (None, None)
        self.names = tuple(
            [f"ln τ{k + 1}" for k in range(components)]
            + (["β"] if stretched else [])
            + (["shift"] if free_shift else [])
            + (["ln FWHM"] if free_width else [])
            + [f"a{k + 1}" for k in range(components)]
            + (["scatter"] if scatter else [])
            + (["background"] if free_background else [])
        )
        self.linear = components + self.scatter
        self.nonlinear = len(self.names) - self.linear - free_background
        self.bounds = self._bounds()
        self.strides = np.full(len(self.names), np.inf)
        self.strides[:components] = 1.5
        if free_shift:
            # Farther than a response is wide its light no longer says where it is.
            self.strides[components + stretched] = 0.5 * max(_width(self), bin_ns)

    def _bounds(self):
        span = self.time[-1] - self.time[0]
        # A lifetime beyond a hundred windows is a background.
        within = [(math.log(0.02 * self.bin), math.log(100 * (span + self.bin)))] * self.components
        within += [(0.15, 1.5)] * self.stretched + [(-span, span)] * self.free_shift
        if self.free_width:
            within += [(math.log(0.1 * self.bin), math.log(span))]
        within += [(0.0, math.inf)] * (len(self.names) - self.nonlinear)
        return np.array(within).T

    def shapes(self, theta):
        """Bin integrals (components, n) at unit amplitude; scatter, where it is fitted, last."""
        rows = self._seen(theta, theta[: self.components], True)[0]
        return np.vstack([rows, self.prompt(theta)]) if self.scatter else rows

    def _edges(self, theta):
        at = self.components + self.stretched
        shift = theta[at] if self.free_shift else 0.0
        sigma = (
            np.exp(theta[at + self.free_shift]) if self.free_width else self.width
        ) * SIGMA_PER_FWHM
        return self.edges - shift, sigma

    def _light(self, theta, log_lifetimes):
        """Light of each lifetime before a measured response widens it, unit amplitude (k, ·)."""
        if self.response is not None:
            return self._in_bins(theta, log_lifetimes, False)[0]
        beta = theta[self.components] if self.stretched else 1.0
        edges, sigma = self._edges(theta)
        return np.array([
            np.diff(_accumulated(edges, t, beta, sigma, self.period))
            for t in np.exp(log_lifetimes)
        ])  # fmt: skip

    def _in_bins(self, theta, log_lifetimes, slopes):
        """Light (k, ·) for a measured response, and its derivatives by ln τ and shift."""
        at, lifetimes = self.components + self.stretched, np.exp(log_lifetimes)
        finer = self.finer - (theta[at] if self.free_shift else 0.0)
        if not self.stretched:
            return _exponentials_in_bins(finer, self.bin, lifetimes, self.period, slopes)
        beta = theta[self.components]
        found = _stretched_in_bins(finer, self.bin, lifetimes[0], beta, self.period, slopes)
        return found[:, None]

    def _seen(self, theta, log_lifetimes, slopes):
        """Light of each lifetime as it is recorded, unit amplitude (1, k, n); with `slopes`, for a
        measured response, its derivatives by ln τ and shift.

        An exponential that a response widens is the same exponential again, times Σ w e^(t/τ), as
        soon as the pulse is over: only bins that its beginning reaches are folded.
        """
        if self.response is None:
            return self._light(theta, log_lifetimes)[None]
        key = log_lifetimes.tobytes(), theta[self.components : self.nonlinear].tobytes(), slopes
        if self._last[0] != key:
            made = self._stretched_seen if self.stretched else self._exponentials_seen
            self._last = key, made(theta, log_lifetimes, slopes)
        return self._last[1]

    def _stretched_seen(self, theta, log_lifetimes, slopes):
        return _lit(self.response.fold(self._in_bins(theta, log_lifetimes, slopes)))

    def _exponentials_seen(self, theta, log_lifetimes, slopes):
        finer = self.finer - (theta[self.components] if self.free_shift else 0.0)
        response, lifetimes = self.response, np.exp(log_lifetimes)
        size, tau, since = response.taps.size, lifetimes[:, None], finer[: self.time.size]
        near = _begins(since, (size + 1) * self.bin, self.period)
        scale, growth = _scales(self.bin, lifetimes, self.period)
        whole, late = response.fallen(tau)
        growth = growth * whole + scale * late
        out = np.zeros((3 if slopes else 1, tau.size, since.size))
        if self.period is None:
            over = slice(near.stop, None)
            _falling(since[over], tau, scale * whole, growth, out[:, :, over])
        else:
            _falling(since % self.period, tau, scale * whole, growth, out)
        if near.stop > near.start:
            some = finer[near.start : near.stop + size + 1]
            twice, left = _exponentials_twice(some, self.bin, lifetimes, self.period, slopes)
            light = response.fold_integrated(twice)
            out[:, :, near] = _lit(light if left is None else light + response.fold(left))
        return out

    def _slopes(self, theta, amplitudes, by):
        """Light of each lifetime (k, n); how all of it changes with what is not linear goes to
        `by`.
        """
        k = self.components
        light, *slopes = self._seen(theta, theta[:k], True)
        if slopes:
            np.multiply(slopes[0], amplitudes[:k, None], out=by[:k])
            if self.free_shift:
                np.matmul(amplitudes[:k], slopes[1], out=by[k + self.stretched])
            rest = [k] if self.stretched else []
        else:
            # The step is small beside any standard error. A lifetime changes its own light alone.
            (moved,) = self._seen(theta, theta[:k] + STEP, False)
            by[:k] = (moved - light) * amplitudes[:k, None] / STEP
            rest = range(k, self.nonlinear)
        for j in rest:
            # Central: a decay that begins at its maximum leaves shift and amplitude open, and
            # a one-sided difference would seem to tell them apart.
            ends, step = self._either_way(theta, j)
            up, down = (self._seen(end, end[:k], False)[0] for end in ends)
            by[j] = amplitudes[:k] @ (up - down) / (2 * step)
        return light

    def _either_way(self, theta, j):
        step = 3e-3 * self.bin if self.names[j] == "shift" else STEP
        move = step * (np.arange(theta.size) == j)
        return (theta + move, theta - move), step

    def pulse(self, theta):
        """All light before a measured response widens it (n + kernel - 1,)."""
        rows = self._light(theta, theta[: self.components])
        if self.scatter:
            rows = np.vstack([rows, self._instant(self._edges(theta)[0][:-1])])
        return theta[self.nonlinear : self.nonlinear + self.linear] @ rows

    def _instant(self, lags):
        """Light of no duration on the bins, between which a cubic goes (Catmull and Rom)."""
        ways = [0.0] if self.period is None else [-self.period, 0.0, self.period]
        x = np.abs([(lags + way) / self.bin for way in ways])
        inner, outer = (1.5 * x - 2.5) * x**2 + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
        return np.where(x < 1, inner, np.where(x < 2, outer, 0.0)).sum(axis=0)

    def prompt(self, theta):
        """Light that follows the response itself (n,), one count in all: the limit τ → 0."""
        edges, sigma = self._edges(theta)
        if self.response is not None:
            return np.maximum(self.response.fold_instant(self._instant(edges[:-1])), 0)
        ways = [0.0] if self.period is None else [-self.period, 0.0, self.period]
        if sigma > 0:
            return sum(np.diff(special.ndtr((edges + way) / sigma)) for way in ways)
        return sum(np.diff((edges + way > 0).astype(float)) for way in ways)

    def jacobian(self, theta):
        k, linear = self.components, slice(self.nonlinear, self.nonlinear + self.linear)
        amplitudes = theta[linear]
        jac = np.empty((theta.size, self.time.size))
        jac[linear.stop :] = 1.0
        by = jac[: self.nonlinear]
        shapes = self._slopes(theta, amplitudes, by)
        if self.scatter:
            for j in range(k, self.nonlinear):
                (up, down), step = self._either_way(theta, j)
                by[j] += amplitudes[-1] * (self.prompt(up) - self.prompt(down)) / (2 * step)
            shapes = np.vstack([shapes, self.prompt(theta)])
        jac[linear] = shapes
        ideal = amplitudes @ shapes + (theta[-1] if self.free_background else self.held_background)
        if self.cycles is None:
            return ideal, jac
        before = np.concatenate([[0.0], np.cumsum(ideal)]) / self.cycles
        sums = np.hstack([np.zeros((len(jac), 1)), np.cumsum(jac, axis=1)])
        survive = np.exp(-before)
        return -self.cycles * np.diff(survive), np.diff(survive * sums)


# ---- the fit
# --------------------------------------------------------------------------------------------------


def fit_decay(
    time_ns: np.ndarray,
    counts: np.ndarray,
    *,
    components: int = 1,
    stretched: bool = False,
    response: Response | None = None,
    background: float | None = None,
    period_ns: float | None = None,
    cycles: float | None = None,
    window_ns: tuple[float, float] | None = None,
    fit_shift: bool | None = None,
    fit_width: bool | None = None,
    scatter: bool = False,
    sigma: np.ndarray | None = None,
) -> DecayFit:
    """Fit a decay law to a TCSPC histogram by Poisson maximum likelihood.

    Parameters
    ----------
    time_ns : ndarray, shape (n,)
        Left edges of evenly spaced bins.
    counts : ndarray, shape (n,)
        Counts, no background subtracted; normalised or averaged ones are recognised and fitted
        with their variance (`counts.as_counts`).
    components : int
        Number of exponentials, 1 to 4.
    stretched : bool
        One stretched exponential exp(−(t/τ)^β) instead.
    response : Response, optional
        On bins of the same width; without it the excitation is a short pulse at the start of the
        histogram (tail fit).
    background : float, optional
        Counts per bin, held; fitted when left out.
    period_ns : float, optional
        Time between pulses, for decays longer than that.
    cycles : float, optional
        Excitation pulses behind the histogram; turns on the pile-up correction.
    window_ns : (float, float), optional
        Bins whose left edge lies in [low, high) are fitted.
    fit_shift : bool, optional
        Fit a shift of the response; default yes when there is a response.
    fit_width : bool, optional
        Fit the width of a Gaussian response; default yes where it is narrower than a bin.
    scatter : bool
        Fit scattered excitation light, in the shape of the response.
    sigma : ndarray, shape (n,), optional
        Standard errors that came with the counts; they tell by what counts were scaled.

    Returns
    -------
    DecayFit

    Raises
    ------
    ValueError
        Uneven bins, numbers that are no counts, negative or non-finite counts, no counts, an
        unsuitable response, fewer bins than parameters.

    References
    ----------
    .. [1] M. Maus et al., Anal. Chem. 73, 2078 (2001), doi:10.1021/ac000877g
    .. [2] S. Baker and R. D. Cousins, Nucl. Instrum. Methods 221, 437 (1984),
           doi:10.1016/0167-5087(84)90016-4
    """
    time, y, bin_ns = _prepared(time_ns, counts)
    y, gain, _ = as_counts(y, sigma)
    if cycles is not None and gain != 1:
        cycles = None  # how many pulses are behind a rescaled histogram is not known
    inside = slice(0, time.size)
    if window_ns is not None:
        inside = slice(*np.searchsorted(time, np.array(window_ns) - 1e-9))
    bins = len(range(*inside.indices(time.size)))
    if response is None:  # a tail fit starts where its window starts
        first = min(inside.start, time.size - 1)
        response, fit_shift = Response(start_ns=float(time[first])), False
        time, y, inside = time[inside], y[inside], slice(0, bins)
    if fit_width is None:
        fit_width = response.counts is None and 0 < (response.fwhm_ns or 0.0) < bin_ns
    _check_response(response, bin_ns, fit_width)
    if period_ns is not None and (passed := time.size * bin_ns / period_ns) > PULSES:
        raise ValueError(
            f"period_ns: expected at most {PULSES} pulses in a record, found {passed:.0f}: "
            f"{time.size * bin_ns:.4g} ns at {1e3 / period_ns:.4g} MHz; see the unit of the times"
        )
    if not 1 <= components <= 4:
        raise ValueError(f"components: expected 1 to 4, found {components}")
    if stretched:
        components = 1
    shift = fit_shift is not False
    model = _Model(
        time,
        bin_ns,
        response,
        components,
        stretched,
        period_ns,
        cycles,
        shift,
        fit_width,
        background is None,
        (background or 0.0) / gain,
        scatter,
    )
    if bins <= len(model.names):
        raise ValueError(f"window: expected more than {len(model.names)} bins, found {bins}")
    if y[inside].sum() < 10 * len(model.names):
        raise ValueError(
            f"counts: expected at least {10 * len(model.names)} in the window for "
            f"{len(model.names)} parameters, found {y[inside].sum():.0f}"
        )
    found = poisson.least(model, y, inside, _starts(model, y, inside, response))
    return _summary(model, y, inside, found, gain)


def fit_decays(
    time_ns: np.ndarray,
    counts: np.ndarray,
    laws: Sequence[str] = ("1", "2", "3", "stretched"),
    **options,
) -> dict[str, DecayFit]:
    """The same decay by several laws, best BIC first.

    A law that the data cannot support (fewer counts than it needs) is left out. Where there is a
    response, a law takes a scatter term if that lowers its BIC by more than `SCATTER`; the
    `preferred` law is given with scatter in any case, beside the one without: few counts do not
    show it, and bend to it.

    Parameters
    ----------
    time_ns, counts : ndarray, shape (n,)
    laws : sequence of str
        Numbers of exponentials as text, or "stretched".
    **options
        For `fit_decay`.

    Returns
    -------
    dict of str to DecayFit

    Raises
    ------
    ValueError
        If not even the first law can be fitted.

    References
    ----------
    .. [1] G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136
    """
    fits, scattered, errors = {}, {}, []

    def tried(law, **more):
        stretched = law == "stretched"
        one = {"stretched": stretched, "components": 1 if stretched else int(law)} | options | more
        try:
            return fit_decay(time_ns, counts, **one)
        except ValueError as error:
            errors.append(error)

    for law in laws:
        fit = tried(law)
        if fit is None:
            continue
        # A shift takes up much of what scatter adds: only the fit itself tells them apart.
        more = tried(law, scatter=True) if _widens(options.get("response")) else None
        if more is not None:
            scattered[fit.law] = more
            fit = more if more.bic < fit.bic - SCATTER else fit
        fits[fit.law] = fit
    if not fits:
        raise errors[0]
    if beside := scattered.get(preferred(fits).law):
        fits[beside.law] = beside
    return dict(sorted(fits.items(), key=lambda item: item[1].bic))


def _widens(response: Response | None) -> bool:
    """Whether a response lasts for more than a moment."""
    return response is not None and bool(response.counts is not None or response.fwhm_ns)


def preferred(fits: dict[str, DecayFit]) -> DecayFit:
    """The law to report: lowest BIC among the fits without problems, or lowest BIC when all have
    some.

    Parameters
    ----------
    fits : dict of str to DecayFit
        As `fit_decays` gives them.

    Returns
    -------
    DecayFit

    References
    ----------
    .. [1] G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136
    """
    sound = [fit for fit in fits.values() if not fit.problems]
    return min(sound or fits.values(), key=lambda fit: fit.bic)


def no_law(of: str, law: str, z: float) -> str:
    """That `law`, the best, does not describe the counts or the series that it is `of`.

    Parameters
    ----------
    of, law : str
    z : float
        Of its misfit.

    Returns
    -------
    str
    """
    return f"no law describes the {of}: {law}, the best, leaves {deviate(z)}"


@dataclass(frozen=True)
class MeanLifetime:
    """A mean lifetime with its statistical error and the spread over decay laws that describe the
    counts as well.
    """

    value_ns: float
    statistical_ns: float
    model_ns: float
    law: str
    goodness_z: float
    problems: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """Why the number is not to be quoted as it stands; '' where the law describes the decay."""
        if self.goodness_z > MISFIT:
            return no_law("counts", self.law, self.goodness_z)
        return "; ".join(self.problems)

    @property
    def error_ns(self) -> float:
        """Both errors together."""
        return float(np.hypot(self.statistical_ns, self.model_ns))


def mean_lifetime(fits: dict[str, DecayFit], which: str = "amplitude-weighted") -> MeanLifetime:
    """The mean lifetime of the preferred law; the farthest of the laws that describe the counts as
    well gives the model error.

    Parameters
    ----------
    fits : dict
        From `fit_decays`.
    which : {"amplitude-weighted", "intensity-weighted"}

    Returns
    -------
    MeanLifetime
        ns.

    References
    ----------
    .. [1] J. R. Lakowicz, Principles of Fluorescence Spectroscopy (2006), chapter 4,
           doi:10.1007/978-0-387-46312-4
    """
    best = preferred(fits)
    value, error = best.mean_ns[which]
    bin_ns = best.time_ns[1] - best.time_ns[0]
    # A component shorter than two bins is a correction to the response, not a lifetime: its
    # amplitude is unbounded.
    near = [
        fit.mean_ns[which][0]
        for fit in fits.values()
        if fit.converged
        and fit.deviance < best.deviance + AS_WELL
        and fit.lifetimes_ns[0] > 2 * bin_ns
        and fit.mean_ns[which][1] < KNOWN * fit.mean_ns[which][0]
        and not any(PROMPT_SAID in problem for problem in fit.problems)
    ]
    spread = max(abs(v - value) for v in [*near, value])
    spread = float(max(spread, best.unseen_ns.get(which, 0.0)))
    return MeanLifetime(value, error, spread, best.law, best.goodness_z, best.problems)


def _prepared(time_ns, counts):
    time, y = np.asarray(time_ns, dtype=float), np.asarray(counts, dtype=float)
    if time.ndim != 1 or time.shape != y.shape or time.size < 8:
        raise ValueError(
            f"decay: expected times and counts of one length, at least 8, found {time.shape} and "
            f"{y.shape}"
        )
    if not (0 <= y.min() <= y.max() < np.inf):
        i = int(np.argmax(~np.isfinite(y) | (y < 0)))
        raise ValueError(
            "counts: expected none negative (raw counts, no background subtracted), found "
            f"{y[i]:g} at {time[i]:g} ns"
        )
    if y.sum() == 0:
        raise ValueError("counts: expected some, found none")
    bin_ns = (time[-1] - time[0]) / (time.size - 1)
    even = time[0] + bin_ns * np.arange(time.size)
    # Files round times: the grid must be even on the whole, not in the last digit of each time.
    if bin_ns <= 0 or np.abs(time - even).max() > 0.51 * bin_ns:
        steps = np.diff(time)
        raise ValueError(
            f"times: expected even bins, found steps from {steps.min():g} to {steps.max():g} ns"
        )
    return even, y, bin_ns


def _check_response(response, bin_ns, fit_width):
    if response.counts is not None:
        kernel = np.asarray(response.counts, dtype=float)
        if kernel.ndim != 1 or not kernel.size or not 0 <= kernel.min() <= kernel.max() < np.inf:
            raise ValueError("response: expected finite counts in a row, none negative")
        if not kernel.any():
            raise ValueError("response: expected some light, found none")
        if fit_width:
            raise ValueError("response: a measured one has no width to fit")
    elif fit_width and not response.fwhm_ns:
        raise ValueError("response: expected a first guess of fwhm_ns to fit its width")
    if response.fwhm_ns is not None and response.fwhm_ns <= 0:
        raise ValueError(f"response: expected a positive fwhm_ns, found {response.fwhm_ns:g}")


def prepare_response(
    time_ns: np.ndarray, counts: np.ndarray, bin_ns: float, period_ns: float | None = None
) -> Response:
    """A measured response ready for reconvolution: background off, cut to where it has light, on
    bins of `bin_ns`.

    The background is the level of the darkest twentieth of the smoothed bins. Rebinning conserves
    counts. A record that is longer than the period holds a second pulse, which is cut off: the
    model of the decay repeats the first. Where `UNRESOLVED` bins hold all light, they do not tell
    the shape: it is a Gaussian, whose width `fit_decay` finds.

    Parameters
    ----------
    time_ns, counts : ndarray, shape (n,)
    bin_ns : float
        Bin width of the decay it is for.
    period_ns : float, optional
        Time between pulses.

    Returns
    -------
    Response
        Counts with their variance, or a Gaussian.
    """
    time, y, width = _prepared(time_ns, counts)
    # The darkest bins of a smoothed trace, wherever they are: a trace may begin in the rise or end
    # in the tail.
    floor = float(np.quantile(_smoothed(y), 0.05))
    # Light is where five bins together are above what their background makes once in a thousand
    # traces, and beside it; elsewhere positive counts are noise, not response.
    dark = 5 * floor + 1
    least = special.gammaincinv(dark, 1 - 1e-3 / y.size) / 5
    lit = _smoothed(y) - floor > max(least - floor, 1e-4 * (y.max() - floor))
    lit |= y == y.max()
    lit = np.convolve(np.pad(lit, 2), np.ones(5), "valid") > 0
    ends = np.flatnonzero(lit)[[0, -1]] + [0, 1]
    variance = np.where(lit, y, 0.0)[slice(*ends)]
    y, time = np.where(lit, np.maximum(y - floor, 0), 0.0)[slice(*ends)], time[slice(*ends)]
    if abs(width - bin_ns) > 1e-6 * bin_ns:
        edges = np.append(time, time[-1] + width)
        first = np.floor(edges[0] / bin_ns) * bin_ns
        grid = first + bin_ns * np.arange(int(np.ceil((edges[-1] - first) / bin_ns)) + 1)
        y, variance = (
            np.diff(np.interp(grid, edges, np.concatenate([[0.0], np.cumsum(values)])))
            for values in (y, variance)
        )
        time = grid[:-1]
    one = slice(None if period_ns is None else max(int(period_ns / bin_ns), 1))
    y, variance = y[one], variance[one]
    if np.convolve(y, np.ones(UNRESOLVED)).max() > 0.99 * y.sum():
        centre = time[0] + bin_ns * (0.5 + np.arange(y.size) @ y / y.sum())
        return Response(float(centre), fwhm_ns=0.5 * bin_ns)
    return Response(float(time[0]), y, variance=variance)


class Pulse(NamedTuple):
    """When a pulse came whose response was not recorded, and from when on its decay is alone; the
    error is NaN where the record begins too late to tell, and both are the fullest bin.
    """

    start_ns: float
    error_ns: float
    over_ns: float


def unseen_pulse(time_ns: np.ndarray, counts: np.ndarray) -> Pulse:
    """When the pulse of a decay came, from its rise.

    Half of the light of a response that is short beside the decay has come when counts have risen
    by half; where a bin takes up the whole rise, what it has of the maximum tells where in it. From
    there to nine tenths a Gaussian response takes 1.3 standard deviations. Its centre is taken as
    known to a third of that, which covers a tail as long as its width too; three times that
    time after it the decay is alone.

    Parameters
    ----------
    time_ns, counts : ndarray, shape (n,)
        Starts of even bins.

    Returns
    -------
    Pulse

    Examples
    --------
    >>> time = np.arange(0.0, 100.0, 0.5)
    >>> counts = np.where(time >= 20.0, 1e4 * np.exp(-(time - 20.0) / 15.0), 3.0)
    >>> print(f"{unseen_pulse(time, counts).start_ns:.1f} ns")
    20.0 ns
    """
    bin_ns = (time_ns[-1] - time_ns[0]) / (len(time_ns) - 1)
    top = int(np.argmax(counts))
    floor = _floor(counts)
    risen = (counts - floor) / max(counts[top] - floor, 1e-300)
    half, most = (int(np.argmax(risen >= part)) for part in (0.5, 0.9))
    late = Pulse(float(time_ns[top]), np.nan, float(time_ns[top]))
    if half == 0:
        return late
    before, after = (
        time_ns[i] - bin_ns * (0.5 - (part - risen[i - 1]) / (risen[i] - risen[i - 1]))
        for i, part in ((half, 0.5), (most, 0.9))
    )
    rise = max(after - before, 0.5 * bin_ns)
    if before + 3 * rise > time_ns[-1]:  # no decay after the rise, if it is one
        return late
    return Pulse(float(before), float(rise / 3), float(before + 3 * rise))


def _starts(model, y, inside, response):
    """Start points: lifetimes from the decay's own time scales, amplitudes by non-negative least
    squares.
    """
    time = model.time
    floor = _floor(y[inside]) if model.free_background else model.held_background
    top = inside.start + int(np.argmax(y[inside]))
    since, light = time[top : inside.stop] - time[top], y[top : inside.stop] - floor
    light = np.maximum(light, 0)
    mean = max((light @ since) / max(light.sum(), 1e-9), 0.5 * model.bin)
    mean = min(mean, since[-1] + model.bin)
    if model.stretched:
        sets = [[mean * 0.6], [mean]]
    elif model.components == 1:
        sets = [[mean]]
    elif model.components == 2:
        sets = [[mean * 0.25, mean * 1.5], [mean * 0.05, mean * 1.05]]
    else:
        sets = [
            list(mean * np.geomspace(0.06, 2.2, model.components)),
            list(mean * np.geomspace(0.2, 1.6, model.components)),
        ]
    # Half of the response's light has come when a decay's has risen by half, unless light that is
    # no decay has come as well.
    shifts = {0.0}
    if model.free_shift:
        centre = response.start_ns
        if response.counts is not None:
            come = np.cumsum(response.counts)
            centre += model.bin * (0.5 + np.searchsorted(come, 0.5 * come[-1]))
        shift = time[np.argmax(y >= floor + 0.5 * (y[top] - floor))] + 0.5 * model.bin - centre
        if abs(shift) > 1.5 * model.bin:
            shifts.add(float(shift))
    weight = 1 / np.sqrt(y[inside] + 1)
    light = (y if model.free_background else y - model.held_background)[inside]

    def start(lifetimes, shift):
        theta = np.zeros(len(model.names))
        theta[: model.components] = np.log(lifetimes)
        at = model.components
        if model.stretched:
            theta[at], at = 0.8, at + 1
        if model.free_shift:
            theta[at], at = shift, at + 1
        if "ln FWHM" in model.names:
            theta[at] = np.log(model.width)
        shapes = model.shapes(theta)
        columns = np.vstack([shapes, np.ones_like(time)]) if model.free_background else shapes
        amplitudes, left = nnls((columns[:, inside] * weight).T, light * weight)
        # From none at all a search would see nothing of it.
        lit = amplitudes[: len(shapes)]
        theta[model.nonlinear :] = np.maximum(amplitudes, poisson.DARK)
        theta[model.nonlinear :][: lit.size] = np.maximum(lit, 1e-3 * max(lit.max(), 1e-12))
        return left, theta

    for lifetimes in sets:
        tried = sorted((start(lifetimes, shift) for shift in shifts), key=itemgetter(0))
        yield from (theta for _, theta in tried)


def _floor(y):
    """Level of the darkest twentieth of the bins."""
    return np.partition(y, y.size // 20)[y.size // 20]


def _smoothed(y):
    return uniform_filter1d(y, 5, mode="nearest")


def _inverse(curvature, free):
    """Covariance (p, p) of the free parameters, and eigenvalues and vectors of their curvature in
    units of their own errors.
    """
    covariance = np.zeros_like(curvature)
    free = free.nonzero()[0]
    s, values, vectors = poisson.modes(curvature, free)
    sure = values > 1e-15 * values[-1]
    half = vectors[:, sure] / np.sqrt(values[sure]) / s[:, None]
    covariance[free[:, None], free] = half @ half.T
    return covariance, values, vectors


def _bounded(model, theta, low, covariance, gradient):
    """Covariance (p, p) and values (p,) with a background that cannot be negative.

    The likelihood of the background, all others at their best, is Gaussian around b − g/h with
    variance 1/h (g: slope of −ln L at b, zero inside; h: curvature), cut at zero. Its mean and
    variance replace maximum and 1/h, and what is correlated with it follows by regression. Far from
    the bound nothing changes.
    """
    b = len(theta) - 1
    if not model.free_background or covariance[b, b] <= 0:
        return covariance, theta
    spread = np.sqrt(covariance[b, b])
    centre = theta[b] - max(gradient[b], 0.0) * covariance[b, b]
    a = (low[b] - centre) / spread
    if a > -6:
        hazard = np.sqrt(2 / np.pi) / special.erfcx(a / np.sqrt(2))  # of the normal distribution
        mean = centre + spread * hazard
        left = max(1 + a * hazard - hazard**2, 1e-12)
        if a > 50:  # nearly exponential: mean distance 1/slope
            mean, left = low[b] + spread / a, 1 / a**2
        slope = covariance[:, b] / covariance[b, b]
        covariance = covariance - np.outer(slope, slope) * covariance[b, b] * (1 - left)
        theta = theta + slope * (mean - theta[b])
        linear = np.arange(theta.size) >= model.nonlinear
        theta[linear] = np.maximum(theta[linear], 0.0)
    return covariance, theta


def _lifetimes_open(model, values, vectors, free) -> bool:
    """Whether what the data do not determine has a part in a lifetime or a mean of several.

    A decay that begins at its maximum leaves amplitude and shift undetermined, not its lifetime.
    """
    if values[0] >= 1e-12 * values[-1]:
        return False
    null = vectors[:, values < 1e-12 * values[-1]]
    shape = np.flatnonzero(free) < model.components + model.stretched
    return bool(model.components > 1 or np.abs(null[shape]).max(initial=0) > 1e-3)


class _Known(NamedTuple):
    """What the counts say of the parameters: values, errors (p,) and covariance (p, p), `counted`
    that without the noise of the response; which are `free`, and whether a lifetime is left `open`.
    """

    theta: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    counted: np.ndarray
    free: np.ndarray
    at_bound: np.ndarray
    open: bool


def _known(model, theta, y, inside, mu, jac, noise) -> _Known:
    """See `_Known`; `noise` of the response, or None."""
    data, m, j = y[inside], np.maximum(mu[inside], 1e-9), jac[:, inside]
    low, high = model.bounds
    at_bound = (theta <= low) | (theta >= high)
    floor = model.free_background and theta[-1] * data.size < 3
    # With hardly a count of background the expected curvature of an empty bin has no bound; the
    # observed one is 0.
    curvature = (j * (data / m**2 if floor else 1 / m)) @ j.T
    if floor:
        at_bound[-1] = False
        if curvature[-1, -1] <= 0:
            curvature[-1, -1] = 1e-12 + (j[-1].sum() / max(m.sum(), 1.0)) ** 2
    if model.free_width and model.free_shift:
        # In the middle of a bin a narrow pulse may be moved without a trace, to its ends at most.
        at = model.components + model.stretched
        curvature[at, at] += 12 / model.bin**2
    free = ~at_bound & (curvature.diagonal() > 0)
    if not free.any():
        none = np.zeros((theta.size, theta.size))
        return _Known(theta, np.full(theta.size, np.nan), none, none, free, at_bound, False)
    gradient = j @ ((m - data) / m)
    counted, values, vectors = _inverse(curvature, free)
    covariance, theta = _bounded(model, theta, low, counted, gradient)
    if noise is not None:
        weight = noise.counts / noise.mean**2 if floor else 1 / noise.mean
        by_bin = covariance @ ((noise.jacobian * weight) @ noise.moved.T)
        covariance = covariance + (by_bin * noise.variance) @ by_bin.T
    errors = np.where(free, np.sqrt(np.maximum(covariance.diagonal(), 0)), np.nan)
    left_open = _lifetimes_open(model, values, vectors, free)
    return _Known(theta, errors, covariance, counted, free, at_bound, left_open)


class _Noise(NamedTuple):
    """What a response with noise of its own does to bins (g,) merged where light hardly bends: it
    `moved` them (k, g); `variance` (k,) of its bins; counts, expected ones and derivatives (p, g).
    """

    moved: np.ndarray
    variance: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    jacobian: np.ndarray

    def deviance(self, covariance) -> tuple[float, float]:
        """Mean and variance of what it adds to the deviance."""
        score = (self.jacobian * responses.weights(self.mean)) @ self.moved.T
        decays = [(self.moved, self.mean)]
        return responses.deviance(decays, self.variance, covariance, score)


def _noise(model, theta, y, inside, mu, jac) -> _Noise | None:
    """See `_Noise`; None where the response has none."""
    if model.response is None or model.response.variance is None:
        return None
    at = model.components + model.stretched
    pulse = model.response.comes_ns + (theta[at] if model.free_shift else 0.0)
    ends = inside.start + responses.merged(model.time[inside], model.bin, *pulse, responses.COARSE)
    within = slice(inside.stop)
    counts, mean, jacobian = (
        np.add.reduceat(part[..., within], ends[:-1], axis=-1)
        for part in (y, np.maximum(mu, 1e-9), jac)
    )
    light = model.pulse(theta)[BESIDE : BESIDE + inside.stop + model.response.size - 1]
    moved = responses.windows(np.concatenate([[0.0], np.cumsum(light)]), ends)
    return _Noise(moved, model.response.variance, counts, mean, jacobian)


def _problems(model, best, known: _Known, converged) -> tuple[str, ...]:
    """Why a fit with its likeliest parameters `best` is not to be trusted."""
    k, at = model.components, model.nonlinear
    problems = [] if converged else ["not converged"]
    if known.open:
        problems.append("degenerate: the data cannot tell the parameters apart")
    problems += [
        f"{name} at a bound"
        for name, b in zip(model.names, known.at_bound, strict=True)
        if b and name not in ("background", "ln FWHM")
    ]
    if (width := _width(model)) and np.exp(best[:k].min()) < PROMPT * width:
        problems.append(f"a component is {PROMPT_SAID}: no lifetime")
    if model.stretched and known.theta[1] - 2 * known.errors[1] > 1:
        problems.append("β above 1: no sum of lifetimes falls so")
    if k == 1:
        return tuple(problems)
    a, amplitude_errors = known.theta[at : at + k], known.errors[at : at + k]
    if converged and np.any(amplitude_errors > 0.5 * a):
        problems.append("a component is not significant")
    order = np.argsort(known.theta[:k])
    apart = np.diff(known.theta[order])
    if not problems and np.any(apart < 2 * known.errors[order[1:]]):
        problems.append("two lifetimes not distinct")
    return tuple(problems)


_POWERS = np.arange(3.0)[:, None]  #: of a lifetime, in height and `_areas`


def _areas(model, theta):
    """∫ I dt and ∫ t I dt of each component, unit amplitude, and their logarithms' slopes by β."""
    tau = np.exp(theta[: model.components])
    if not model.stretched:
        return (tau, tau**2), (0.0, 0.0)
    beta = theta[model.components]
    areas = tau * special.gamma(1 + 1 / beta), tau**2 * special.gamma(2 / beta) / beta
    digammas = special.digamma([1 + 1 / beta, 2 / beta]) / beta**2
    return areas, (-digammas[0], -2 * digammas[1] - 1 / beta)


def _mean_lifetimes(model, known: _Known) -> dict[str, tuple[float, float]]:
    """Mean lifetimes weighted by amplitude, Σaτ/Σa, and by intensity, with their errors."""
    k, at = model.components, model.nonlinear
    amplitude = known.theta[at : at + k]
    # A component without width or amplitude can make these overflow; it is reported as a problem.
    with np.errstate(all="ignore"):
        (each, first), by_beta = _areas(model, known.theta)
        moments = np.array([np.ones(k), each, first])
        sums = np.maximum(moments @ amplitude, 1e-300)
        slopes = np.zeros((3, known.theta.size))
        slopes[:, :k] = _POWERS * amplitude * moments
        slopes[:, at : at + k] = moments
        if model.stretched:
            slopes[1:, k] = sums[1:] * by_beta
        slopes /= sums[:, None]  # of the logarithms
        values = sums[1:] / sums[:-1]
        gradient = np.where(known.free, values[:, None] * (slopes[1:] - slopes[:-1]), 0.0)
        variances = (gradient @ known.covariance * gradient).sum(axis=1)
        errors = np.sqrt(np.where(np.isnan(variances), np.inf, np.maximum(variances, 0)))
    return dict(zip(MEANS, zip(values.tolist(), errors.tolist(), strict=True), strict=True))


def _unseen(model, known: _Known, inside, m, jac) -> dict[str, float]:
    """What a second component, `BELOW` times as long and as faint as counts leave open, adds to the
    errors of the means of one exponential: in ns.

    To first order means change with its amplitude b by −(1 − r) τ/a, weighted by amplitude, and by
    −r (1 − r) τ/a, weighted by intensity, and with τ, which is fitted beside it.
    """
    a = known.theta[model.nonlinear]
    if model.components > 1 or model.stretched or not known.errors[0] < 1 or a <= 0:
        return {}
    tau = math.exp(known.theta[0])
    ratio = max(BELOW, PROMPT * _width(model) / tau)
    short = model._seen(known.theta, known.theta[:1] + math.log(ratio), False)[0]
    j = np.vstack([jac, short])[:, inside]
    covariance = _inverse((j / m) @ j.T, np.append(known.free, True))[0]
    slopes = np.zeros((2, len(j)))
    slopes[:, 0], slopes[:, -1] = tau, np.array([-1.0, -ratio]) * (1 - ratio) * tau / a
    variances = (slopes @ covariance * slopes).sum(axis=1) - tau**2 * known.counted[0, 0]
    return dict(zip(MEANS, np.sqrt(np.maximum(variances, 0)).tolist(), strict=True))


def _summary(model, y, inside, found, gain) -> DecayFit:
    best, cost, converged, mu, jac, (expected, variance) = found
    data, m = y[inside], np.maximum(mu[inside], 1e-9)
    noise = _noise(model, best, y, inside, mu, jac)
    known = _known(model, best, y, inside, mu, jac, noise)
    if noise is not None:
        more = noise.deviance(known.counted)
        expected, variance = expected + more[0], variance + more[1]
    theta, errors = known.theta, known.errors
    k, at = model.components, model.nonlinear
    amplitudes = theta[at : at + k]
    with np.errstate(over="ignore", invalid="ignore"):  # noise alone; said among the problems
        tau = np.exp(theta[:k])
        light = amplitudes * _areas(model, theta)[0][0]
        fractions = light / max(light.sum(), 1e-300)
    order = np.argsort(tau)
    lookup = dict(zip(model.names, zip(theta.tolist(), errors.tolist(), strict=True), strict=True))
    background = lookup.get("background", (float(model.held_background), 0.0))
    count = int(known.free.sum())
    return DecayFit(
        law=("stretched exponential" if model.stretched else f"{k} exponential{'s' * (k > 1)}")
        + (WITH_SCATTER if model.scatter else ""),
        lifetimes_ns=tau[order],
        lifetime_errors_ns=(tau * errors[:k])[order],
        amplitudes=amplitudes[order],
        amplitude_errors=errors[at : at + k][order],
        beta=lookup.get("β", (1.0, 0.0))[0],
        beta_error=lookup.get("β", (1.0, 0.0))[1],
        background=background[0],
        background_error=0.0 if math.isnan(background[1]) else background[1],
        shift_ns=lookup.get("shift", (0.0, 0.0))[0],
        shift_error_ns=lookup.get("shift", (0.0, 0.0))[1],
        mean_ns=_mean_lifetimes(model, known),
        unseen_ns=_unseen(model, known, inside, m, jac),
        fractions=fractions[order],
        deviance=cost,
        expected_deviance=float(expected - count),
        deviance_sd=float(np.sqrt(variance)),
        dof=data.size - count,
        bic=float(cost + theta.size * np.log(data.size)),
        runs_z=poisson.runs_z(data - m),
        converged=bool(converged),
        problems=_problems(model, best, known, converged),
        time_ns=model.time[inside],
        counts=data,
        model=mu[inside],
        covariance=known.covariance,
        parameters=model.names,
        theta=theta,
        scatter=lookup.get("scatter", (0.0, 0.0))[0],
        scatter_error=lookup.get("scatter", (0.0, 0.0))[1],
        gain=float(gain),
    )


def _width(model):
    """Full width of the response at half its maximum, of a bin at least; 0 without a response."""
    if model.response is not None:
        return model.response.width_ns
    return max(model.width, model.bin) if model.width else 0.0


def least_squares_lifetime(
    time_ns: np.ndarray, counts: np.ndarray, *, background: float
) -> tuple[float, float]:
    """Lifetime and its claimed standard error by unweighted least squares of one exponential: for
    comparison only.

    It treats a bin of ten thousand counts as well known as a bin of ten, so its error is not one.

    Parameters
    ----------
    time_ns, counts : ndarray, shape (n,)
    background : float
        Counts a bin.

    Returns
    -------
    lifetime_ns, claimed_error_ns : float

    References
    ----------
    .. [1] M. Maus et al., Anal. Chem. 73, 2078 (2001), doi:10.1021/ac000877g

    Examples
    --------
    >>> t = np.arange(200) * 0.5
    >>> counts = np.random.default_rng(0).poisson(1000 * np.exp(-t / 8.0))
    >>> bool(abs(least_squares_lifetime(t, counts, background=0.0)[0] - 8.0) < 0.2)
    True
    """
    from scipy.optimize import curve_fit

    time, y, _ = _prepared(time_ns, counts)
    t = time - time[0]
    mean = max(
        float(t @ np.maximum(y - background, 0) / max(np.maximum(y - background, 0).sum(), 1e-9)),
        1e-6,
    )
    values, covariance = curve_fit(
        lambda x, a, log_tau: a * np.exp(-x / np.exp(log_tau)) + background,
        t,
        y,
        p0=(y.max(), np.log(mean)),
    )
    tau = float(np.exp(values[1]))
    return tau, float(tau * np.sqrt(covariance[1, 1]))
