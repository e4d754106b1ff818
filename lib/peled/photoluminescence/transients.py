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
from typing import NamedTuple

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
NEAR = 1e-3  #: of a logarithm, over which light is linear
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


class _Group(NamedTuple):
    """Transients of a series on the same bins with one response: their places `own` (t,) in it,
    their lanes and rows of merged bins, the densities (t,) that their scales go with, the places
    (t, q) of what their counts hang on (scale, rates, shift if there is one, background), and their
    counts (t, n).
    """

    kernel: _Kernel
    own: np.ndarray
    lanes: slice
    rows: slice
    unit: np.ndarray
    places: np.ndarray
    counts: np.ndarray


@dataclass(eq=False)
class _Series:
    """Expected counts of all transients in merged bins, group by group, then of the yields."""

    transients: tuple[Transient, ...]
    free: tuple[str, ...]
    held: Mapping[str, float]
    depth: Depth | None
    period_ns: float | None
    common: bool
    yields: Yields | None
    pinned: tuple[int, float] | None = None

    def __post_init__(self):
        count, size = len(self.free), len(self.transients)
        self.shifted = int(any(t.response is not None for t in self.transients))
        self.scales = 1 if self.common else size
        names = [f"scale {i + 1}" for i in range(self.scales)]
        names += [f"background {i + 1}" for i in range(size)]
        self.names = (*self.free, *(["shift"] * self.shifted), *names)
        alike: dict[tuple, list[int]] = {}
        for i, t in enumerate(self.transients):
            same = id(t.response), t.time_ns.size, t.time_ns[0], t.time_ns[-1]
            alike.setdefault(same, []).append(i)
        order = np.concatenate([*alike.values()])
        density = np.array([t.density_cm3 for t in self.transients])
        self.density, self.groups, counts, lane, row = density[order], [], [], 0, 0
        for own in map(np.array, alike.values()):
            kernel, which = _Kernel(self.transients[own[0]]), 0 * own if self.common else own
            known = np.array([self.transients[i].counts for i in own], float)
            counts.append(np.add.reduceat(known, kernel.ends[:-1], axis=1).ravel())
            lanes, rows = slice(lane, lane + own.size), slice(row, row + counts[-1].size)
            lane, row = lanes.stop, rows.stop
            shared = count + (kernel.response is not None)  # rates, and shift if there is one
            places = np.empty((own.size, shared + 2), int)
            places[:, 1:-1] = np.arange(shared)
            places[:, 0], places[:, -1] = count + self.shifted + which, len(self.names) - size + own
            self.groups.append(_Group(kernel, own, lanes, rows, density[which], places, known))
        self.rows = row
        # Farther than a response is wide its light no longer says where it is.
        self.strides = np.full(len(self.names), np.inf)
        self.strides[:count] = 1.5
        self.strides[count : count + self.shifted] = 0.5 * max(g.kernel.width for g in self.groups)
        time = [t.time_ns[i] for t in self.transients for i in (0, -1)]
        first = self.transients[0].bin_ns
        self.step = 0.1 * min(group.kernel.bin for group in self.groups)
        self.span = self.period_ns or 1.02 * (max(time) + first - min(*time, 0.0)) + 10 * first
        if self.yields is not None:
            counts.append((self.yields.plqy / self.yields.error) ** 2)
        self.counts = np.concatenate(counts)
        self.inside = slice(0, self.counts.size)
        self._last: tuple | None = None

    @cached_property
    def floors(self) -> np.ndarray:
        """Counts in the darkest bins of each transient."""
        found = np.empty(len(self.transients))
        for group in self.groups:
            dark = group.counts.shape[1] // 50
            found[group.own] = np.partition(group.counts, dark, axis=1)[:, dark]
        return found

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
            reach = max(10 * group.kernel.bin + group.kernel.width for group in self.groups)
            low[at], high[at] = -reach, reach
        low[-len(self.transients) :] = 0.0
        if self.pinned is not None:
            low[self.pinned[0]] = high[self.pinned[0]] = self.pinned[1]
        return low, high

    def rates(self, theta, ways):
        """Rates by name: held ones, and free ones (1 + ways, 1) at theta and moved one by one."""
        moved = np.tile(theta[: len(self.free)], (1 + ways, 1))
        moved[1:] += STEP * np.eye(ways, len(self.free))
        return {**self.held, **dict(zip(self.free, np.exp(moved).T[:, :, None]))}

    def light(self, theta, ways):
        """Light of all transients at theta, at rates moved one by one and, where there is a shift,
        its derivative by that (1 + ways + 1, t); whether pulses repeat.
        """
        found = course(
            self.rates(theta, ways), self.density, step_ns=self.step, span_ns=self.span,
            depth=self.depth, periodic=self.period_ns is not None,
        )  # fmt: skip
        return Light(found, self.period_ns, bool(self.shifted and ways)), found.repeats

    def seen(self, theta):
        """By groups: counts (t, 1 + ways, g) at unit scale, after the first their derivatives by
        the rates and the shift.
        """
        at = theta[: len(self.free) + self.shifted]
        if self._last is None or (at != self._last[0]).any():
            light, shift, parts = self.light(theta, len(self.free)), self.shift(theta), []
            for group in self.groups:
                made = group.kernel.seen(light[0], group.lanes, shift)
                by_rates = made[:, 1 : 1 + len(self.free)]
                by_rates -= made[:, :1]
                by_rates /= STEP
                # What is cut off at zero does not change: the response's sharpening overshoots.
                made *= made[:, :1] > 0
                parts.append(made)
            self._last = at.copy(), light, parts
        return self._last[2]

    def shift(self, theta):
        """Of the responses, in ns."""
        return theta[len(self.free)] if self.shifted else 0.0

    def expected(self, theta):
        """Expected counts (n,)."""
        return self.jacobian(theta)[0]

    def jacobian(self, theta):
        """Expected counts (n,) and their derivatives."""
        expected, parts = np.empty(self.counts.size), []
        for group, shapes in zip(self.groups, self.seen(theta)):
            scales = np.exp(theta[group.places[:, 0]]) / group.unit
            part = np.empty((*group.places.shape, shapes.shape[2]))
            np.multiply(shapes[:, : part.shape[1] - 1], scales[:, None, None], out=part[:, :-1])
            part[:, -1] = group.kernel.bins
            dark = theta[group.places[:, -1], None] * group.kernel.bins
            expected[group.rows] = (part[:, 0] + dark).ravel()
            parts.append((group.places, group.rows, part))
        if self.yields is not None:
            rows, ways = slice(self.rows, None), np.arange(len(self.free))
            made = self._yields(theta) * (self.counts[rows] / self.yields.plqy)
            expected[rows] = made[0]
            parts.append((ways[None], rows, (made[1:] - made[0])[None] / STEP))
        return expected, poisson.Blocks((theta.size, expected.size), parts)

    def everywhere(self, theta):
        """By groups: light accumulated before the response widens it (t, n + m), None without one,
        and expected counts (t, n) in all bins; whether pulses repeat.
        """
        moved = theta[: len(self.free)] - self._last[0][: len(self.free)]
        if np.abs(moved).max() < NEAR:
            light, repeats = self._last[1]
            light = light.stepped(moved / STEP)
        else:
            light, repeats = self.light(theta, 0)
        shift, found = self.shift(theta), []
        for group in self.groups:
            once, counts = group.kernel.everywhere(light, group.lanes, shift)
            scales = (np.exp(theta[group.places[:, 0]]) / group.unit)[:, None]
            counts *= scales
            counts += theta[group.places[:, -1], None]
            found.append((None if once is None else scales * once, counts))
        return found, repeats

    def _yields(self, theta):
        rates = self.rates(theta, len(self.free))
        sets = np.hstack([np.zeros((1 + len(self.free), 1)) + rates.get(name, 0.0) for name in (
            "capture", "traps", "auger", "radiative", "detrap", "k1", "doping")])  # fmt: skip
        return np.array([
            yield_of_generation(
                self.yields.generation_cm3_s, capture, traps, auger, radiative=radiative,
                detrap=detrap, first=first, doping=doping,
            ) for capture, traps, auger, radiative, detrap, first, doping in sets
        ])  # fmt: skip

    def start(self, **rates):
        """Start point: given rates, scales from all counts, backgrounds from the darkest bins."""
        size = len(self.transients)
        theta = np.zeros(len(self.names))
        theta[: len(self.free)] = np.log([rates[name] for name in self.free])
        theta = np.clip(theta, *self.bounds)
        # From none at all a few counts in the dark would be all that a search sees.
        theta[-size:] = np.maximum(self.floors, poisson.DARK)
        light, made = np.zeros((2, size))
        for group, shapes in zip(self.groups, self.seen(theta)):
            dark = self.floors[group.own] * group.counts.shape[1]
            light[group.own] = group.counts.sum(axis=1) - dark
            made[group.own] = shapes[:, 0].sum(axis=1) / group.unit
        scales = np.log(np.maximum(light, 1.0) / np.maximum(made, 1e-300))
        theta[len(self.free) + self.shifted : -size] = scales[: self.scales]
        return theta

    def beside(self, fit: TransientFit):
        """Start point where a law of fewer rates ended: the others are as good as none."""
        rates = self.bounds[0][: len(self.free)].copy()
        for name, value in zip(fit.free, fit._found.theta):
            rates[self.free.index(name)] = value
        return np.concatenate([rates, fit._found.theta[len(fit.free) :]])


class _Kernel:
    """Bins of transients, with their response.

    Fitted are merged bins, together where light hardly bends (`response.merged`), which tell as
    much, to a thousandth of their information. Behind a response bins are single while the pulse
    comes, and light is folded bin by bin; elsewhere the response is a Gaussian rule of two points,
    right for light that is a cubic over its width.
    """

    def __init__(self, transient: Transient):
        self.bin, time, self.width = transient.bin_ns, transient.time_ns, 0.0
        response = transient.response
        if response is not None and response.counts is None:
            # A Gaussian as counts on bins, fine beside its width.
            sigma = response.fwhm_ns * SIGMA_PER_FWHM
            half = int(np.ceil(5 * sigma / self.bin))
            edges = (np.arange(-half, half + 2) - 0.5) * self.bin
            start = response.start_ns + edges[0]
            response = Response(start, np.diff(special.ndtr(edges / sigma)))
        self.response = response and Folding(time, self.bin, response)
        comes = np.zeros(2) if response is None else self.response.comes_ns
        self.ends = ends = responses.merged(time, self.bin, *comes)
        self.bins = np.diff(ends).astype(float)
        if response is None:
            self.edges = time[0] + self.bin * np.arange(time.size + 1)
            self.late, self.weights = self.edges[ends], np.ones(1)
            return
        # For what noise of the response does.
        wide = responses.merged(time, self.bin, *comes, responses.COARSE)
        self.coarse = np.flatnonzero(np.bincount(np.searchsorted(ends, wide)))
        taps, lags = self.response.taps, self.response.lags
        self.width = self.response.width_ns
        self.edges = np.concatenate([[lags[0] - self.bin], lags, [lags[-1] + self.bin]])
        # Single bins in a row around the pulse are folded.
        wide = np.flatnonzero(self.bins > 1)
        turns = np.searchsorted(ends[wide], (comes.mean() - time[0]) / self.bin)
        wide = np.concatenate([[-1], wide, [ends.size - 1]])
        self.split, stop = wide[turns] + 1, wide[turns + 1]
        self.near = self.edges[ends[self.split] : ends[stop] + taps.size + 1]
        at = self.bin * (np.arange(taps.size) - BESIDE + 0.5)  # a bin's pulse: its middle
        mean = taps @ at
        second, third = (taps @ (at - mean) ** n for n in (2, 3))
        sigma = np.sqrt(max(second + self.bin**2 / 12, 1e-6 * self.bin**2))
        skew = 0.5 * third / sigma**3
        root = np.hypot(1.0, skew)
        self.weights = 0.5 * np.array([1 - skew / root, 1 + skew / root])
        points = mean + sigma * (skew + np.array([root, -root]))
        late = np.concatenate([ends[: self.split + 1], ends[stop:]])
        since = time[0] - response.start_ns + self.bin * late
        self.late = (since - points[:, None]).ravel()

    def seen(self, light: Light, lanes, shift):
        """Light of lanes (ways, t) in merged bins (t, ways, g)."""
        if self.response is None:
            return np.diff(light.accumulated(self.late, lanes), axis=0).T
        late = light.accumulated(self.late - shift, lanes)
        late = (self.weights @ late.reshape(2, -1)).reshape(-1, *late.shape[1:])
        late = (late[1:] - late[:-1]).T
        near = light.accumulated(self.near - shift, lanes, 2).T
        near = self.response.fold_integrated(np.ascontiguousarray(near))
        return np.concatenate([late[..., : self.split], near, late[..., self.split + 1 :]], axis=-1)

    def everywhere(self, light: Light, lanes, shift):
        """Light accumulated before the response widens it (t, n + m), response and decay spread
        over their bins, None without one; light in all bins (t, n).
        """
        if self.response is None:
            return None, np.diff(light.accumulated(self.edges, lanes)[:, 0], axis=0).T
        twice = np.ascontiguousarray(light.accumulated(self.edges - shift, lanes, 2)[:, 0].T)
        once = (twice[:, 1:] - twice[:, :-1]) / self.bin
        return once, np.maximum(self.response.fold_integrated(twice), 0)


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
    starts = (model.start(**rates) for rates in _starts(model))
    if near is not None:
        starts = chain([model.beside(near)], starts)
    found = poisson.least(model, model.counts, model.inside, starts)
    return _summary(model, found, law or " + ".join(free))


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
        if not (y.min() >= 0 and 0 < y.sum() < np.inf):
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
    for group in model.groups:
        light = np.maximum(group.counts - model.floors[group.own, None], 0)
        total = np.cumsum(light, axis=1)
        bins = (total < 0.5 * total[:, -1:]).sum(axis=1) - light.argmax(axis=1)
        halves.extend(group.kernel.bin * np.maximum(bins, 1))
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


def _summary(model: _Series, found: poisson.Descent, law: str) -> TransientFit:
    """What was found on merged bins, and how it describes all."""
    theta, _, converged, mean, blocks, _ = found
    low, high = model.bounds
    bound = (theta <= low) | (theta >= high)
    mean = np.maximum(mean, 1e-9)
    _, normal = poisson.normal(blocks, model.inside, mean, np.zeros_like(mean))
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
    everywhere, repeats = model.everywhere(theta)
    models = dict(chain.from_iterable(
        zip(group.own.tolist(), seen) for group, (_, seen) in zip(model.groups, everywhere)
    ))  # fmt: skip
    mu = np.concatenate([*(seen.ravel() for _, seen in everywhere), mean[model.rows :]])
    y = *(group.counts.ravel() for group in model.groups), model.counts[model.rows :]
    cost = float(poisson.unit_deviance(np.concatenate(y), mu).sum())
    lights = [once for once, _ in everywhere]
    shared, more = _response_noise(model, lights, mean, blocks, counted.covariance)
    expected, variance = poisson.expected_deviance(mu)
    spare = float(expected + more[0] - np.count_nonzero(~bound))
    sd = float(np.sqrt(variance + more[1]))
    growth = float(np.sqrt(max(cost / spare, 1.0)))
    estimates = replace(
        counted, covariance=growth**2 * counted.covariance + shared, goodness=(cost - spare) / sd
    )
    return TransientFit(
        law, estimates, cost, spare, sd,
        float(cost + np.count_nonzero(~bound) * np.log(mu.size)),
        growth, bool(converged), repeats, tuple(models[i] for i in range(len(models))),
        model.transients, model, found,
    )  # fmt: skip


def _response_noise(model: _Series, lights, mean, blocks, covariance):
    """Covariance (p, p) from the counts of responses; mean and variance of what they add to the
    deviance.

    Decays with the same response share its noise. `lights` by groups, as of `_Series.everywhere`.
    """
    shared, more = np.zeros_like(covariance), np.zeros(2)
    alike: dict[int, list] = {}
    for group, once, (_, rows, part) in zip(model.groups, lights, blocks.parts):
        response = model.transients[group.own[0]].response
        if response is not None and response.variance is not None:
            alike.setdefault(id(response), []).append((group, once, mean[rows], part))
    for groups in alike.values():
        variance = groups[0][0].kernel.response.variance
        decays, (moved, score) = [], np.zeros((2, len(covariance), variance.size))
        for group, once, seen, part in groups:
            kernel, ends = group.kernel, group.kernel.coarse
            by_bin = responses.windows(once[:, BESIDE:-BESIDE], kernel.ends[ends])
            turned, part = by_bin.swapaxes(1, 2), np.add.reduceat(part, ends[:-1], axis=2)
            within = np.add.reduceat(seen.reshape(len(part), 1, -1), ends[:-1], axis=2)
            np.add.at(moved, group.places, (part / within) @ turned)
            np.add.at(score, group.places, (part * responses.weights(within)) @ turned)
            decays.append((np.concatenate([*by_bin], axis=1), within.ravel()))
        moved = covariance @ moved
        shared += (moved * variance) @ moved.T
        more += responses.deviance(decays, variance, covariance, score)
    return shared, more
