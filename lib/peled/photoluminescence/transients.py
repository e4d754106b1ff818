"""A fluence series of decays as one model: rate equations fitted to all counts at once.

One decay fits several laws; how decays change with fluence tells them apart. All transients share
the rates of `dynamics`; each has its own background, and its own scale unless light was collected
alike for all. Counts are Poisson and the deviance is minimised as for single decays. A quantum
yield in steady state joins as the (y/σ)² counts that would know it as well.

The density after a pulse is fluence × absorbed share/(photon energy × thickness). An error of that
scale leaves every curve as it is and changes the rates by known powers (`dynamics.RATES`).

.. [1] E. V. Péan, S. Dimitrov, C. S. De Castro, M. L. Davies, Phys. Chem. Chem. Phys. 22, 28345
   (2020), doi:10.1039/D0CP04950F
.. [2] C. Fai, A. J. C. Ladd, C. J. Hages, Joule 6, 2585 (2022), doi:10.1016/j.joule.2022.09.002
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, compress

import numpy as np
from scipy import special

from peled.photoluminescence import poisson
from peled.photoluminescence import response as responses
from peled.photoluminescence.dynamics import RATES, Depth, Light, course
from peled.photoluminescence.fluence import generation_rate, yield_of_generation
from peled.photoluminescence.lifetimes import SIGMA_PER_FWHM
from peled.photoluminescence.response import BESIDE, Folding, Response
from peled.quantities import Estimates, from_normal

#: Laws that `fit_laws` tries: the rates that are free in each.
LAWS: Mapping[str, tuple[str, ...]] = {
    "first order + radiative": ("k1", "radiative"),
    "first order + radiative + Auger": ("k1", "radiative", "auger"),
    "first order + radiative + doping": ("k1", "radiative", "doping"),
    "traps + radiative": ("radiative", "capture", "traps", "detrap"),
    "traps + first order + radiative": ("k1", "radiative", "capture", "traps", "detrap"),
}
STEP = 1e-4  #: of a logarithm, for derivatives
LIMIT = 2.706  #: rise of the deviance at a one-sided 95 % limit
#: Share of the largest rate, over all densities and times of a series, that a rate must reach.
REACH = 1e-6


@dataclass(frozen=True)
class Transient:
    """One decay: bin starts in ns (n,), counts (n,), carriers that its pulse made, its response.

    `response` is on the decay's own bins (`lifetimes.prepare_response`); None: the pulse is
    shorter than a bin and comes at time zero.
    """

    time_ns: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    density_cm3: float
    label: str = ""
    response: Response | None = field(default=None, repr=False)

    @property
    def bin_ns(self) -> float:
        """Width of a bin."""
        return float((self.time_ns[-1] - self.time_ns[0]) / (self.time_ns.size - 1))


@dataclass(frozen=True)
class Yields:
    """Quantum yields in steady state (k,) with errors at generation rates (k,) per cm³ and s."""

    generation_cm3_s: np.ndarray
    plqy: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class TransientFit:
    """Rates of a series.

    Attributes
    ----------
    law : str
    estimates : peled.quantities.Estimates
        Rates by the names of `dynamics.RATES`, then `shift`, scales and backgrounds. Errors
        are those of counting, times `growth` where the law leaves more than noise.
    deviance, expected_deviance, deviance_sd, bic : float
    growth : float
        √(deviance over its expectation), at least 1.
    models : tuple of ndarray
        Expected counts of each transient.
    transients : tuple of Transient
    converged : bool
    repeats : bool
        Whether pulses meet the state that they leave (see `dynamics.course`).
    """

    law: str
    estimates: Estimates
    deviance: float
    expected_deviance: float
    deviance_sd: float
    bic: float
    growth: float
    converged: bool
    repeats: bool
    models: tuple[np.ndarray, ...] = field(repr=False)
    transients: tuple[Transient, ...] = field(repr=False)
    _model: _Series = field(repr=False)
    _found: poisson.Descent = field(repr=False)

    @property
    def free(self) -> tuple[str, ...]:
        """Rates that were fitted."""
        return self._model.free

    @property
    def goodness_z(self) -> float:
        """Deviance against its expectation in standard deviations."""
        return (self.deviance - self.expected_deviance) / self.deviance_sd

    def upper_limit(self, name: str) -> float | None:
        """One-sided 95 % upper limit of a rate: all others free, the deviance rises by 2.71.

        None where it does not within the bounds: the data say nothing of this rate.

        Parameters
        ----------
        name : str
            Of `free`.

        Returns
        -------
        float or None
            In the unit of the rate.

        Raises
        ------
        ValueError
            If the rate was not fitted.
        """
        at = self._model.free.index(name)
        high = self._model.bounds[1][at]
        theta = self._found.theta
        low, target = theta[at], self._found.deviance + LIMIT * self.growth**2
        step, top = 0.5, None
        while top is None or top - low > 0.02:
            trial = min(low + step, high) if top is None else 0.5 * (low + top)
            model = replace(self._model, pinned=(at, trial))
            moved = np.where(np.arange(theta.size) == at, trial, theta)
            found, cost, *_ = poisson.descend(model, model.counts, model.inside, moved, 12)
            if cost < target:
                low, theta, step = trial, found, 2 * step
                if trial == high:
                    return None
            else:
                top = trial
        return float(np.exp(0.5 * (low + top)))


def density_per_pulse(
    fluence_uJ_cm2: float, absorptance: float, thickness_nm: float, excitation_nm: float
) -> float:
    """Carriers per cm³ that a pulse makes, mean over the film: F a λ/(hc L).

    Parameters
    ----------
    fluence_uJ_cm2 : float
    absorptance : float
        Absorbed fraction.
    thickness_nm, excitation_nm : float

    Returns
    -------
    float
        cm⁻³.

    Examples
    --------
    >>> print(f"{density_per_pulse(1.0, 0.5, 200.0, 400.0):.3g}")
    5.03e+16
    """
    return float(generation_rate(1e3 * 1e-6 * fluence_uJ_cm2, absorptance, thickness_nm,
                                 excitation_nm))  # fmt: skip


@dataclass(eq=False)
class _Series:
    """Expected counts of all transients, one after the other, then of the yields."""

    transients: tuple[Transient, ...]
    free: tuple[str, ...]
    held: Mapping[str, float]
    depth: Depth | None
    period_ns: float | None
    common: bool
    yields: Yields | None
    pinned: tuple[int, float] | None = None
    merged: bool = False

    def __post_init__(self):
        first = self.transients[0]
        self.shifted = int(any(t.response is not None for t in self.transients))
        self.scales = scales = 1 if self.common else len(self.transients)
        names = [f"scale {i + 1}" for i in range(scales)]
        names += [f"background {i + 1}" for i in range(len(self.transients))]
        self.names = (*self.free, *(["shift"] * self.shifted), *names)
        self.density = np.array([t.density_cm3 for t in self.transients])
        self.alike: dict[tuple, list[int]] = {}  # transients on the same bins, by response too
        for i, t in enumerate(self.transients):
            self.alike.setdefault((id(t.response), t.time_ns.tobytes()), []).append(i)
        self.kernels = [None] * len(self.transients)
        for own in self.alike.values():
            kernel = _Kernel(self.transients[own[0]], self.merged)
            for i in own:
                self.kernels[i] = kernel
        # Farther than a response is wide its light no longer says where it is.
        self.strides = np.full(len(self.names), np.inf)
        self.strides[: len(self.free)] = 1.5
        if self.shifted:
            self.strides[len(self.free)] = max(0.5 * k.width for k in self.kernels if k.response)
        span = max(t.time_ns[-1] + t.bin_ns for t in self.transients) - min(
            min(t.time_ns[0] for t in self.transients), 0.0
        )
        self.span = self.period_ns or 1.02 * span + 10 * first.bin_ns
        self.step = 0.1 * min(t.bin_ns for t in self.transients)
        counts = [np.asarray(t.counts, float) for t in self.transients]
        counts = [kernel.gathered(y) for kernel, y in zip(self.kernels, counts)]
        if self.yields is not None:
            counts.append((self.yields.plqy / self.yields.error) ** 2)
        self.counts = np.concatenate(counts)
        self.inside = slice(0, self.counts.size)
        sizes = [kernel.bins.size for kernel in self.kernels]
        self.rows = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes))]

        self._last: tuple = (None, None)

    @cached_property
    def floors(self) -> np.ndarray:
        """Counts in the darkest bins of each transient."""
        counts = [(np.asarray(t.counts, float), t.counts.size // 50) for t in self.transients]
        return np.array([np.partition(y, dark)[dark] for y, dark in counts])

    @cached_property
    def bounds(self):
        """Rates between none and all within a bin, at the densities of this series."""
        low, high = np.full(len(self.names), -np.inf), np.full(len(self.names), np.inf)
        top, least = self.density.max(), self.density.min()
        slow, fast = REACH / (self.span * 1e-9), 30 / (10 * self.step * 1e-9)
        for i, name in enumerate(self.free):
            power = -RATES[name][1]
            if power < 0:
                limits = 1e-4 * least, 1e3 * top
            elif name in ("diffusion", "front", "back"):
                limits = {"diffusion": (1e-6, 10.0)}.get(name, (1e-2, 1e6))
            else:
                limits = slow / top**power, fast / least**power
            low[i], high[i] = np.log(limits)
        at = len(self.free)
        if self.shifted:
            reach = max(10 * t.bin_ns + k.width for t, k in zip(self.transients, self.kernels))
            low[at], high[at] = -reach, reach
        low[-len(self.transients) :] = 0.0
        if self.pinned is not None:
            low[self.pinned[0]] = high[self.pinned[0]] = self.pinned[1]
        return low, high

    def lanes(self, theta, ways):
        """Rates at theta and at theta moved along `ways` of them, the light of all transients, and
        whether their pulses repeat.
        """
        moved = np.tile(theta[: len(self.free)], (ways + 1, 1))
        moved[1:, :ways] += STEP * np.eye(ways)
        rates = {name: np.full(ways + 1, value) for name, value in self.held.items()}
        rates.update(zip(self.free, np.exp(moved).T))
        size = len(self.transients)
        found = course(
            {name: np.repeat(value, size) for name, value in rates.items()},
            np.tile(self.density, ways + 1), step_ns=self.step, span_ns=self.span,
            depth=self.depth, periodic=self.period_ns is not None,
        )  # fmt: skip
        return rates, Light(found, self.period_ns), found.repeats

    def seen(self, theta, ways):
        """What `lanes` gives, and by transients on the same bins (t,) their places, counts at unit
        scale (t, ways + 1, n), and derivatives by the shift (t, n) where there are `ways`.
        """
        key = ways, theta[: len(self.free) + self.shifted].tobytes()
        if self._last[0] != key:
            lanes, parts = self.lanes(theta, ways), []
            size, shift = len(self.transients), self.shift(theta)
            for own in map(np.array, self.alike.values()):
                kernel = self.kernels[own[0]]
                which = np.add.outer(own, size * np.arange(ways + 1))
                counts = kernel.counts(lanes[1], which.ravel(), shift).reshape(*which.shape, -1)
                wanted = self.shifted and ways
                moved = kernel.by_shift(lanes[1], own, shift) if wanted else None
                parts.append((own, counts, moved))
            self._last = key, (lanes, parts)
        return self._last[1]

    def shift(self, theta):
        """Of the responses, in ns."""
        return theta[len(self.free)] if self.shifted else 0.0

    def expected(self, theta):
        """Expected counts (n,)."""
        return self.jacobian(theta)[0]

    def scale(self, theta, i):
        """Places of the scales of transients `i` in theta, and counts per carrier and light."""
        which = 0 * i if self.common else i
        at = len(self.free) + self.shifted + which
        return at, np.exp(theta[at]) / self.density[which]

    def jacobian(self, theta, ways=None):
        """Expected counts (n,) and their derivatives by `ways` rates (all) and by all that is not a
        rate.
        """
        count, size = len(self.free), len(self.transients)
        ways = count if ways is None else ways
        (rates, *_), seen = self.seen(theta, ways)
        expected, parts = np.zeros(self.counts.size), [None] * size
        for own, counts, moved in seen:
            kernel = self.kernels[own[0]]
            places, scales = self.scale(theta, own)
            shapes = counts * scales[:, None, None]
            floors = theta.size - size + own
            made = shapes[:, 0] + theta[floors, None] * kernel.bins
            slopes = np.empty((len(own), ways + 2 + self.shifted, kernel.bins.size))
            slopes[:, :ways] = (shapes[:, 1:] - shapes[:, :1]) / STEP
            slopes[:, ways], slopes[:, ways + 1] = shapes[:, 0], kernel.bins
            if moved is not None:
                # What is cut off at zero does not change: the response's sharpening overshoots.
                slopes[:, -1] = scales[:, None] * np.where(shapes[:, 0] > 0, moved, 0.0)
            for j, i in enumerate(own):
                expected[self.rows[i]] = made[j]
                which = [*range(ways), places[j], floors[j], *[count] * self.shifted]
                parts[i] = np.array(which), self.rows[i], slopes[j]
        if self.yields is not None:
            rows = slice(self.rows[-1].stop, None)
            y = self._yields(rates)
            known = self.counts[rows] / self.yields.plqy
            expected[rows] = known * y[0]
            parts.append((np.arange(ways), rows, known * (y[1:] - y[0]) / STEP))
        return expected, poisson.Blocks((theta.size, expected.size), parts)

    def _yields(self, rates):
        names = {name: rates.get(name, np.zeros(1)) for name in RATES}
        sets = max(v.size for v in names.values())
        names = {name: np.broadcast_to(v, sets) for name, v in names.items()}
        return np.array([
            yield_of_generation(
                self.yields.generation_cm3_s, names["capture"][i], names["traps"][i],
                names["auger"][i], radiative=names["radiative"][i], detrap=names["detrap"][i],
                first=names["k1"][i], doping=names["doping"][i],
            ) for i in range(sets)
        ])  # fmt: skip

    def start(self, **rates):
        """Start point: given rates, scales from all counts, backgrounds from the darkest bins."""
        size = len(self.transients)
        theta = np.zeros(len(self.names))
        theta[: len(self.free)] = np.log([rates[name] for name in self.free])
        theta = np.clip(theta, *self.bounds)
        at = len(self.free) + self.shifted
        theta[at : at + self.scales] = 0.0
        made = self.expected(theta)
        ratios = []
        for t, floor, rows in zip(self.transients, self.floors, self.rows):
            light = max((t.counts - floor).sum(), 1.0)
            ratios.append(np.log(light / max(made[rows].sum(), 1e-300)))
        theta[at : at + self.scales] = ratios[: self.scales]
        # From none at all a few counts in the dark would be all that a search sees.
        theta[-size:] = np.maximum(self.floors, poisson.DARK)
        return theta

    def beside(self, fit: TransientFit):
        """Start point where a law of fewer rates ended: the others are as good as none."""
        rates = self.bounds[0][: len(self.free)].copy()
        for name, value in zip(fit.free, fit._found.theta):
            rates[self.free.index(name)] = value
        return np.concatenate([rates, fit._found.theta[len(fit.free) :]])


class _Kernel:
    """Bins of one transient, with its response.

    `merged`: bins together where light hardly bends (`response.merged`), which tell as much, to a
    thousandth of their information.
    """

    def __init__(self, transient: Transient, merged: bool = False):
        self.bin, time = transient.bin_ns, transient.time_ns
        response = transient.response
        self.response, self.width = None, 0.0
        if response is not None and response.counts is None:
            # A Gaussian as counts on bins, fine beside its width.
            sigma = response.fwhm_ns * SIGMA_PER_FWHM
            half = int(np.ceil(5 * sigma / self.bin))
            edges = (np.arange(-half, half + 2) - 0.5) * self.bin
            start = response.start_ns + edges[0]
            response = Response(start, np.diff(special.ndtr(edges / sigma)))
        pulse = 0.0, 0.0
        if response is not None:
            self.response = Folding(time, self.bin, response)
            self.width, pulse = self.response.width_ns, self.response.comes_ns
        ends = responses.merged(time, self.bin, *pulse) if merged else np.arange(time.size + 1)
        self.ends, self.bins = ends, np.diff(ends).astype(float)
        self.edges = time[0] + self.bin * ends
        if response is not None:
            lags = self.response.lags
            self.edges = np.concatenate([[lags[0] - self.bin], lags, [lags[-1] + self.bin]])
        self.coarse = None
        if merged and response is not None:
            lag = lags[self.response.taps.size - 1 - BESIDE]
            self.coarse = _Coarse(self.response, self.bin, ends, lag)

    def gathered(self, counts):
        """Counts (n,) of the bins in those that are fitted."""
        return np.add.reduceat(counts, self.ends[:-1])

    def pulse(self, light: Light, lanes, shift, order=2):
        """Light before the response widens it: response and decay spread over their bins; of order
        1, what it is less per ns of shift.
        """
        return np.diff(light.accumulated(self.edges - shift, lanes, order), 2, axis=1) / self.bin

    def counts(self, light: Light, lanes, shift):
        """Light in each bin (lanes, n)."""
        if self.response is None:
            return np.diff(light.accumulated(self.edges, lanes), axis=1)
        if self.coarse is not None:
            return np.maximum(self.coarse.counts(light, lanes, shift, 1), 0)
        return np.maximum(self.response.fold(self.pulse(light, lanes, shift)), 0)

    def by_shift(self, light: Light, lanes, shift):
        """Derivatives of `counts` by the shift of responses (lanes, n)."""
        if self.response is None:
            return np.zeros((len(lanes), self.bins.size))
        if self.coarse is not None:
            return -self.coarse.counts(light, lanes, shift, 0)
        return -self.response.fold(self.pulse(light, lanes, shift, 1))


class _Coarse:
    """Merged bins behind a response: bin by bin while the pulse comes (single ones), elsewhere the
    response is a Gaussian rule of two points, right for light that is a cubic over its width.
    """

    def __init__(self, folding: Folding, bin_ns, ends, lag):
        first, taps = -BESIDE, folding.taps
        at = bin_ns * (first + np.arange(taps.size)) + 0.5 * bin_ns  # a bin's pulse: its middle
        mean = taps @ at
        second, third = (taps @ (at - mean) ** n for n in (2, 3))
        sigma = np.sqrt(max(second + bin_ns**2 / 12, 1e-6 * bin_ns**2))
        skew = 0.5 * third / sigma**3
        root = np.hypot(1.0, skew)
        self.bin, self.weights = bin_ns, 0.5 * np.array([1 - skew / root, 1 + skew / root])
        points = mean + sigma * (skew + np.array([root, -root]))
        single = np.flatnonzero(np.diff(ends) == 1)
        # Single bins in a row around the pulse; others, if any, are as good as merged.
        begin, stop = (ends[single[0]], ends[single[-1] + 1]) if single.size else (0, 0)
        self.before, after = ends[ends <= begin], ends[ends >= stop]
        self.late = lag + bin_ns * np.concatenate([self.before, after]) - points[:, None]
        here = np.arange(begin, stop)
        lags = np.arange(begin - taps.size - first + 1, stop - first)
        self.near = lag + bin_ns * np.arange(lags[0] - 1, lags[-1] + 2)
        which = here[:, None] - lags - first
        inside = (which >= 0) & (which < taps.size)
        self.fold = np.where(inside, taps[np.clip(which, 0, taps.size - 1)], 0.0).T

    def counts(self, light: Light, lanes, shift, order):
        """Light in each bin (lanes, g); of order 0, what it is less per ns of shift."""
        late = light.accumulated((self.late - shift).ravel(), lanes, order)
        late = np.tensordot(self.weights, late.reshape(len(lanes), 2, -1), (0, 1))
        near = np.diff(light.accumulated(self.near - shift, lanes, order + 1), 2, axis=1)
        split = self.before.size
        parts = [np.diff(late[:, :split], axis=1), near @ self.fold / self.bin,
                 np.diff(late[:, split:], axis=1)]  # fmt: skip
        return np.concatenate(parts, axis=1)


def fit_transients(
    transients: Sequence[Transient],
    free: Sequence[str] = ("k1", "radiative"),
    *,
    held: Mapping[str, float] = {},
    depth: Depth | None = None,
    period_ns: float | None = None,
    common: bool = False,
    yields: Yields | None = None,
    law: str = "",
    near: TransientFit | None = None,
) -> TransientFit:
    """Rates that describe all transients at once.

    Parameters
    ----------
    transients : sequence of Transient
        Raw counts.
    free : sequence of str
        Rates to fit, of `dynamics.RATES`.
    held : mapping
        Rates that are known; the others are 0.
    depth : dynamics.Depth, optional
        For `diffusion`, `front`, `back`.
    period_ns : float, optional
        Time between pulses: what is left of one meets the next.
    common : bool
        Light was collected alike for all, so that one scale holds. Their relative brightness then
        bears on the rates.
    yields : Yields, optional
    law : str
        A name for the result.
    near : TransientFit, optional
        The same by a law that has some of the rates alone: where the search begins.

    Returns
    -------
    TransientFit

    Raises
    ------
    ValueError
        Rates that are not there, depth without thickness, counts or densities that are none.

    Notes
    -----
    All derivatives come from one integration of many lanes at once. Starts: the loss per time of
    the slowest and of the fastest decay as first-order rate and as radiative rate.

    References
    ----------
    .. [1] M. B. Johnston and L. M. Herz, Acc. Chem. Res. 49, 146 (2016),
           doi:10.1021/acs.accounts.5b00411
    """
    transients = tuple(transients)
    _checked(transients, free, held, depth)
    model = _Series(transients, tuple(free), dict(held), depth, period_ns, common, yields)
    few = replace(model, merged=True)
    starts = (few.start(**rates) for rates in _starts(few))
    if near is not None:
        starts = chain([few.beside(near)], starts)
    found = poisson.least(few, few.counts, few.inside, starts)
    return _summary(model, few, found, law or " + ".join(free))


def fit_laws(
    transients: Sequence[Transient], laws: Sequence[str] = tuple(LAWS), **options
) -> dict[str, TransientFit]:
    """The series by some of `LAWS`, best BIC first (`options` as `fit_transients`).

    Parameters
    ----------
    transients : sequence of Transient
    laws : sequence of str
        Of `LAWS`.
    **options
        Of `fit_transients`, but `free` and `law`.

    Returns
    -------
    dict of str to TransientFit

    Raises
    ------
    ValueError
        As `fit_transients`, or for a law that is not there.

    References
    ----------
    .. [1] G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136
    """
    if unknown := set(laws) - set(LAWS):
        raise ValueError(f"laws: expected {'; '.join(LAWS)}, found {'; '.join(unknown)}")
    fits: dict[str, TransientFit] = {}
    for law in laws:
        within = [fit for fit in fits.values() if set(fit.free) < set(LAWS[law])]
        near = min(within, key=lambda fit: fit.deviance, default=None)
        fits[law] = fit_transients(transients, LAWS[law], law=law, near=near, **options)
    # Of laws that are one where a rate is nothing, the one with fewer.
    return dict(sorted(fits.items(), key=lambda item: (round(item[1].bic, 1), len(item[1].free))))


def _checked(transients, free, held, depth):
    unknown = [n for n in (*free, *held) if n not in RATES]
    if unknown or not free or set(free) & set(held):
        raise ValueError(
            f"rates: expected some of {', '.join(RATES)}, each free or held, found "
            f"{', '.join(free) or 'none'} free and {', '.join(held) or 'none'} held"
        )
    if depth is None and {"diffusion", "front", "back"} & {*free, *held}:
        raise ValueError("depth: expected thickness and absorption where carriers diffuse")
    for t in transients:
        y = np.asarray(t.counts, float)
        if not np.all(np.isfinite(y)) or (y < 0).any() or not y.sum() > 0:
            raise ValueError(f"{t.label or 'transient'}: expected counts, none negative")
        if not (np.isfinite(t.density_cm3) and t.density_cm3 > 0):
            raise ValueError(
                f"{t.label or 'transient'}: expected a density of carriers, {t.density_cm3:g}"
            )
    if not transients:
        raise ValueError("transients: expected some, found none")


def _starts(model: _Series):
    """First-order and radiative rates from how fast the slowest and the fastest decay lose half."""
    halves = []
    for t, floor in zip(model.transients, model.floors):
        light = np.maximum(t.counts - floor, 0)
        total = np.cumsum(light)
        halves.append(
            max(t.bin_ns, t.bin_ns * (np.searchsorted(total, 0.5 * total[-1]) - np.argmax(light)))
        )
    slow, fast = 0.7e9 / max(halves), 0.7e9 / min(halves)
    top, middle = model.density.max(), np.sqrt(model.density.max() * model.density.min())
    for share, traps in ((0.5, middle), (0.05, 0.1 * middle), (0.5, 0.03 * middle)):
        yield {
            "k1": share * slow,
            "radiative": (1 - 0.5 * share) * fast / top,
            "auger": 0.03 * fast / top**2,
            "capture": 2 * slow / traps,
            "traps": traps,
            "detrap": 0.2 * slow / traps,
            "doping": traps,
            "diffusion": 0.1,
            "front": 100.0,
            "back": 100.0,
        }


def _summary(model: _Series, few: _Series, found: poisson.Descent, law: str) -> TransientFit:
    """What was found on `few` bins, and how it describes all."""
    theta, _, converged, merged, blocks, _ = found
    low, high = model.bounds
    bound = (theta <= low) | (theta >= high)
    merged = np.maximum(merged, 1e-9)
    _, normal = poisson.normal(blocks, few.inside, merged, np.zeros_like(merged))
    log = [n in model.free or n.startswith("scale") for n in model.names]
    values = np.where(log, np.exp(theta), theta)
    units = [RATES[n][0] if n in RATES else {"shift": "ns"}.get(n, "counts") for n in model.names]
    # A background of zero is no open direction and no doubt: it is held there.
    zero = [n for n, b in zip(model.names, bound) if b and n.startswith("background")]
    counted = from_normal(
        model.names, values, units, normal, log=list(compress(model.names, log)), held=zero,
        at_bound=[n for n, b in zip(model.names, bound) if b and n not in zero],
        converged=converged,
    )  # fmt: skip
    mu, _ = model.jacobian(theta, 0)
    (_, light, repeats), _ = model.seen(theta, 0)
    cost = float(poisson.unit_deviance(model.counts, mu).sum())
    shared, more = _response_noise(few, theta, light, merged, blocks, counted.covariance)
    expected, variance = poisson.expected_deviance(mu)
    spare = float(expected + more[0] - np.count_nonzero(~bound))
    sd = float(np.sqrt(variance + more[1]))
    growth = float(np.sqrt(max(cost / spare, 1.0)))
    estimates = replace(
        counted, covariance=growth**2 * counted.covariance + shared, goodness=(cost - spare) / sd
    )
    return TransientFit(
        law, estimates, cost, spare, sd,
        float(cost + np.count_nonzero(~bound) * np.log(model.counts.size)),
        growth, bool(converged), repeats,
        tuple(mu[rows] for rows in model.rows),
        model.transients, few, found,
    )  # fmt: skip


def _response_noise(model: _Series, theta, light: Light, mean, blocks, covariance):
    """Covariance (p, p) from the counts of responses; mean and variance of what they add to the
    deviance.

    Decays with the same response share its noise.
    """
    shift = model.shift(theta)
    shared, more = np.zeros_like(covariance), np.zeros(2)
    for response in dict.fromkeys(of for of, _ in model.alike):
        groups = [np.array(own) for (of, _), own in model.alike.items() if of == response]
        folding = model.kernels[groups[0][0]].response
        if folding is None or folding.variance is None:
            continue
        decays, (moved, score) = [], np.zeros((2, len(covariance), folding.size))
        for alike in groups:
            kernel, scales = model.kernels[alike[0]], model.scale(theta, alike)[1]
            pulses = scales[:, None] * kernel.pulse(light, alike, shift)
            by_bins = responses.windows(pulses[:, BESIDE:-BESIDE], kernel.ends)
            for i, by_bin in zip(alike, by_bins):
                own, rows, part = blocks.parts[i]
                moved[own] += (part / mean[rows]) @ by_bin.T
                score[own] += (part * responses.weights(mean[rows])) @ by_bin.T
                decays.append((by_bin, mean[rows]))
        moved = covariance @ moved
        shared += (moved * folding.variance) @ moved.T
        more += responses.deviance(decays, folding.variance, covariance, score)
    return shared, more
