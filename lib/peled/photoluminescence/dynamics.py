"""Carriers in a film after a pulse: rate equations of traps, radiation, Auger and doping, in depth.

Electrons n, filled traps m and holes p = n + m + p₀ obey

    ∂n/∂t = D ∂²n/∂z² − k₁ n − k_c n (N_t − m) − k_r n p − C n p²
    ∂m/∂t = k_c n (N_t − m) − k_d m p
    light = k_r ∫ n p dz

with D ∂n/∂z = S n at front and back [1]_, [2]_. k_r is the rate of photons that leave (recycling
makes it smaller than the internal one). In a film without depth n is the mean and the first term is
absent. p₀ = N_t = 0 is the ABC law.

References
----------
.. [1] E. V. Péan, S. Dimitrov, C. S. De Castro, M. L. Davies, Phys. Chem. Chem. Phys. 22, 28345
   (2020), doi:10.1039/D0CP04950F
.. [2] J. M. Richter et al., Nat. Commun. 7, 13941 (2016), doi:10.1038/ncomms13941
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline, PPoly

#: Rates and their units. The third number is the power of the density scale in each: densities all
#: wrong by a factor f change nothing but these, by f to that power.
RATES: Mapping[str, tuple[str, int]] = {
    "k1": ("1/s", 0),
    "radiative": ("cm³/s", -1),
    "auger": ("cm⁶/s", -2),
    "capture": ("cm³/s", -1),
    "traps": ("1/cm³", 1),
    "detrap": ("cm³/s", -1),
    "doping": ("1/cm³", 1),
    "diffusion": ("cm²/s", 0),
    "front": ("cm/s", 0),
    "back": ("cm/s", 0),
}
GROWTH = 1.06  #: of the time step; the light is then good to 1e-4 of its maximum (tested)
SPARSE = 1.09  #: the same of times between which a closed form is interpolated, to a tenth of that
CYCLES = 200  #: pulses after which the state has to repeat
REPEATS = 1e-5  #: change from pulse to pulse that counts as none


class Depth(NamedTuple):
    """Film of `thickness_nm` in `cells`, lit from the front with `absorption_cm` (1/cm)."""

    thickness_nm: float
    absorption_cm: float
    cells: int = 32

    def profile(self) -> np.ndarray:
        """Density (cells,) over its mean right after the pulse."""
        edges = np.linspace(0, self.thickness_nm * 1e-7, self.cells + 1)
        absorbed = -np.diff(np.exp(-self.absorption_cm * edges))
        return absorbed / absorbed.mean()


class Course(NamedTuple):
    """Light (k, ...) per volume and s at times (k,) in ns after a pulse; its slopes (k, ...) per
    ns; whether pulses repeat.
    """

    time_ns: np.ndarray
    light: np.ndarray
    slopes: np.ndarray
    repeats: bool


def course(
    rates: Mapping[str, np.ndarray],
    density_cm3: np.ndarray,
    *,
    step_ns: float,
    span_ns: float,
    depth: Depth | None = None,
    periodic: bool = False,
) -> Course:
    """Light after a pulse that adds `density_cm3` carriers, for many sets of rates at once.

    Parameters
    ----------
    rates : mapping
        Name of `RATES` -> number or array; what is absent is 0.
    density_cm3 : ndarray
        Carriers that a pulse adds (mean over the depth). With the rates, as numpy broadcasts them,
        it spans the lanes (...) of the result.
    step_ns : float
        First time step; the light bends on no shorter scale.
    span_ns : float
        Last time; the time between pulses where `periodic`.
    depth : Depth, optional
    periodic : bool
        Whether what is left at the end meets the next pulse; then until nothing changes.

    Returns
    -------
    Course

    Notes
    -----
    Without traps and Auger dn/dt = −a n − b n² has a closed form. Else recombination goes by
    RODAS3, an L-stable Rosenbrock method of third order [3]_, on steps that grow geometrically.
    Diffusion: the exact exponential of the discrete operator, alternating with recombination
    (Strang).

    References
    ----------
    .. [3] A. Sandu et al., Atmos. Environ. 31, 3459 (1997), doi:10.1016/S1352-2310(97)83212-8
    """
    density = np.asarray(density_cm3, float)
    if depth is None and not any(np.any(rates.get(name, 0.0)) for name in ("capture", "auger")):
        time = _times(step_ns, span_ns, SPARSE)
        return Course(time, *_closed(rates, density, time, periodic))
    unit = density.max()
    lanes = np.broadcast_shapes(density.shape, *(np.shape(rate) for rate in rates.values()))
    k = {name: (np.zeros(lanes) + rates.get(name, 0.0))[..., None] for name in RATES}
    kinetics = _Kinetics(
        *(k[name] * scale for name, scale in (
            ("k1", 1e-9), ("radiative", 1e-9 * unit), ("auger", 1e-9 * unit**2),
            ("capture", 1e-9 * unit), ("traps", 1 / unit), ("detrap", 1e-9 * unit),
            ("doping", 1 / unit),
        ))
    )  # fmt: skip
    time = _times(step_ns, span_ns, GROWTH)
    steps = np.diff(time)
    spread = None if depth is None else _spreads(k, depth, steps)
    pulse = density[..., None] / unit * (np.ones(1) if depth is None else depth.profile())
    pulses = np.zeros((1 + kinetics.capture.any(), *lanes, pulse.shape[-1]))
    pulses[0] = pulse

    def diffused(state, i):
        return state if spread is None else np.array([_spread(spread[i], state[0]), *state[1:]])

    state = pulses
    for _ in range(CYCLES if periodic else 1):
        states = [state]
        for i, h in enumerate(steps):
            states.append(diffused(kinetics.step(diffused(states[-1], i), h), i))
        state = states[-1] + pulses
        change = np.abs(state - states[0]).max()
        if change < REPEATS * np.abs(states[0][0]).max():
            break
    repeats = not periodic or bool(change < REPEATS * np.abs(states[0][0]).max())
    states = np.swapaxes(states, 0, 1)
    light = kinetics.light(states) * unit * 1e9
    if depth is not None:
        return Course(time, light, CubicSpline(time, light)(time, 1), repeats)
    return Course(time, light, kinetics.light_change(states) * unit * 1e9, repeats)


def _closed(rates, density, time, periodic):
    """Light, its slopes and whether pulses repeat, where loss is of first and second order alone:
    n = n₀ e^(−at)/(1 + b n₀ (1 − e^(−at))/a).
    """
    radiative, doping = (np.asarray(rates.get(name, 0.0)) for name in ("radiative", "doping"))
    a, b = 1e-9 * (rates.get("k1", 0.0) + radiative * doping), 1e-9 * radiative
    time = time.reshape(-1, *(1,) * np.broadcast(a, density).ndim)
    falls, gone = np.exp(-a * time), b * time * special.exprel(-a * time)

    def left(start, at=slice(None)):
        return start * falls[at] / (1 + start * gone[at])

    start, change = density, 0.0
    for _ in range(CYCLES if periodic else 0):
        before, start = start, density + left(start, -1)
        change = np.abs(start - before).max() / before.max()
        if change < 1e-6 * REPEATS:
            break
    n = left(start)
    made = radiative * n
    light, slopes = made * (n + doping), (a + b * n) * (2 * n + doping)
    slopes *= -made
    return light, slopes, bool(change < REPEATS)


@lru_cache(maxsize=8)
def _times(step_ns: float, span_ns: float, growth: float) -> np.ndarray:
    """Times from zero to `span_ns`, farther and farther apart."""
    count = int(np.ceil(np.log1p(span_ns / step_ns * (growth - 1)) / np.log(growth)))
    time = np.concatenate([[0.0], np.cumsum(growth ** np.arange(count))])
    return time * (span_ns / time[-1])


class _Kinetics(NamedTuple):
    """Rates per ns, densities in units of the largest; arrays (..., 1).

    A state is electrons and filled traps (2, ..., cells); without the traps where none capture.
    """

    first: np.ndarray
    radiative: np.ndarray
    auger: np.ndarray
    capture: np.ndarray
    traps: np.ndarray
    detrap: np.ndarray
    doping: np.ndarray

    def holes(self, state):
        return sum(state, self.doping)

    def light(self, state):
        return (self.radiative * state[0] * self.holes(state)).mean(axis=-1)

    def light_change(self, state):
        change = self.change(state)
        made = change[0] * self.holes(state) + state[0] * sum(change)
        return (self.radiative * made).mean(axis=-1)

    def change(self, state):
        n, p = state[0], self.holes(state)
        lost = n * (self.first + p * (self.radiative + self.auger * p))
        if len(state) == 1:
            return -lost[None]
        trapped = self.capture * n * (self.traps - state[1])
        change = np.empty_like(state)
        np.negative(lost + trapped, out=change[0])
        np.subtract(trapped, self.detrap * state[1] * p, out=change[1])
        return change

    def solver(self, state, h):
        """What solves (2/h − J) u = f for f (..., cells), J the derivatives of `change`."""
        n, p = state[0], self.holes(state)
        twice = self.auger * p
        slope = n * (self.radiative + 2 * twice)
        a = 2 / h + self.first + p * (self.radiative + twice) + slope
        if len(state) == 1:
            return lambda f: f / a
        empty, by_m = self.capture * (self.traps - state[1]), self.capture * n
        a, b = a + empty, by_m - slope  # 2/h − J = [[a, −b], [−c, d]]
        c = empty - self.detrap * state[1]
        d = 2 / h + by_m + self.detrap * (p + state[1])
        inverse = np.array([[d, b], [c, a]]) / (a * d - b * c)
        return lambda f: np.add.reduce(inverse * f, axis=1)

    def step(self, state, h):
        """One step of RODAS3, γ = 1/2."""
        solved, change = self.solver(state, h), self.change(state)
        u1 = solved(change)
        u2 = solved(change + 4 / h * u1)
        third, past = state + 2 * u1, (u1 - u2) / h
        u3 = solved(self.change(third) + past)
        fourth = third + u3
        return fourth + solved(self.change(fourth) + past - 8 / (3 * h) * u3)


def _spreads(k, depth: Depth, steps) -> np.ndarray:
    """exp(A h/2) of diffusion and surfaces for each step (steps, ..., cells, cells).

    Fluxes between cells D (n_i − n_j)/dz; at a surface the flux S n passes half a cell first.
    """
    speeds = np.concatenate(np.broadcast_arrays(k["diffusion"], k["front"], k["back"]), axis=-1)
    sets, which = np.unique(speeds.reshape(-1, 3), axis=0, return_inverse=True)
    width = depth.thickness_nm * 1e-7 / depth.cells
    made = np.empty((steps.size, len(sets), depth.cells, depth.cells))
    for j, (diffusion, front, back) in enumerate(sets):
        rate = diffusion / width**2 * 1e-9
        matrix = rate * (
            np.eye(depth.cells, k=1) + np.eye(depth.cells, k=-1) - 2 * np.eye(depth.cells)
        )
        for end, speed in ((0, front), (-1, back)):
            resisted = 0.5 * width / diffusion if diffusion > 0 else 0.0
            matrix[end, end] += rate - 1e-9 * speed / width / (1 + speed * resisted)
        values, vectors = np.linalg.eigh(matrix)
        growth = np.exp(values * steps[:, None] / 2)
        made[:, j] = (vectors * growth[:, None]) @ vectors.T
    return made[:, which.reshape(speeds.shape[:-1])]


def _spread(matrix, n):
    return (matrix @ n[..., None])[..., 0]


class Light:
    """Integrals of a course between any times: what falls into the bins of a histogram.

    Parameters
    ----------
    course : Course
    period_ns : float, optional
        The course repeats with it; None: nothing before time zero and after the last time.
    moved : bool
        Give what the first lane loses when all comes an ns later as one more (along the first axis
        of lanes).
    """

    def __init__(self, course: Course, period_ns: float | None, moved: bool = False):
        # Cubics of the given ends and slopes, integrated twice; zero before and after.
        time, light, slopes = course.time_ns, course.light, course.slopes
        h = np.diff(time).reshape(-1, *(1,) * (light.ndim - 1))
        first, before, rise = light[:-1], slopes[:-1], np.diff(light, axis=0) / h
        third = before + slopes[1:] - 2 * rise
        ways, *others = light.shape[1:]
        pieces = np.zeros((6, len(time) + 1, ways + moved, *others))
        made = pieces[:, :, :ways]
        inside = made[:, 1:-1]
        np.divide(third, 20 * h * h, out=inside[0])
        np.divide(rise - before - third, 12 * h, out=inside[1])
        np.divide(before, 6, out=inside[2])
        np.divide(first, 2, out=inside[3])
        once = h * (first + light[1:]) / 2 + h * h * (before - slopes[1:]) / 12
        np.cumsum(once, axis=0, out=made[4, 2:])
        twice = np.zeros_like(first)
        for piece in inside[:5]:
            twice += piece
            twice *= h
        np.cumsum(twice, axis=0, out=made[5, 2:])
        if moved:
            powers = np.arange(-5.0, 0.0).reshape(-1, *(1,) * (light.ndim - 1))
            np.multiply(powers, made[:5, :, 0], out=pieces[1:, :, -1])
        # After a whole turn light begins again.
        self._period, self._turn = period_ns, pieces[4:, -1]
        self._pieces = pieces if period_ns is None else pieces[:, :-1]
        self._times = np.concatenate([[-1.0], time, time[-1:] + 1.0][: 2 + (period_ns is None)])

    def stepped(self, steps: np.ndarray) -> Light:
        """The first lane alone, where `steps` (k,) times the next k lanes less it are added."""
        made = copy(self)
        share = np.concatenate([[1 - steps.sum()], steps])
        of = slice(share.size)
        made._pieces = np.einsum("ijk...,k->ij...", self._pieces[:, :, of], share)[:, :, None]
        made._turn = np.einsum("ik...,k->i...", self._turn[:, of], share)[:, None]
        return made

    def accumulated(self, time_ns: np.ndarray, lanes=slice(None), order: int = 1) -> np.ndarray:
        """Integral of the light of some lanes up to each time, once or twice (`order`); the light
        itself for 0.

        A whole turn adds A = ∫₀ᵀ; k of them and a rest r give once kA + a(r), and twice
        k(k−1)/2 TA + k A₂ + k A r + a₂(r).

        Parameters
        ----------
        time_ns : ndarray, shape (n,)
        lanes : slice or int array
            Along the last axis of the course's light; all.
        order : int
            0, 1 or 2.

        Returns
        -------
        ndarray, shape (n, ...)
            Light times ns^order.
        """
        some = PPoly.construct_fast(self._pieces[..., lanes], self._times)
        if self._period is None:
            return some(time_ns, 2 - order)
        turn = np.floor(time_ns / self._period)
        rest = time_ns - turn * self._period
        found = some(rest, 2 - order)
        turn, rest = (v.reshape(-1, *(1,) * (found.ndim - 1)) for v in (turn, rest))
        once, twice = self._turn[..., lanes]
        if order == 1:
            found += turn * once
        if order == 2:
            found += turn * ((0.5 * (turn - 1) * self._period + rest) * once + twice)
        return found
