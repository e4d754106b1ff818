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
from typing import NamedTuple

import numpy as np
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
    """Light (k, lanes) per volume and s at times (k,) in ns after a pulse; whether pulses
    repeat; the light's slopes per ns (k, lanes), where they are known.
    """

    time_ns: np.ndarray
    light: np.ndarray
    repeats: bool
    slopes: np.ndarray | None = None


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
        Name of `RATES` -> array (lanes,) or number; what is absent is 0.
    density_cm3 : ndarray, shape (lanes,)
        Carriers that a pulse adds (mean over the depth).
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
    density = np.atleast_1d(np.asarray(density_cm3, float))
    lanes = density.size
    unit = density.max()
    k = {name: np.zeros(lanes) + rates.get(name, 0.0) for name in RATES}
    kinetics = _Kinetics(
        *(k[name][:, None] * scale for name, scale in (
            ("k1", 1e-9), ("radiative", 1e-9 * unit), ("auger", 1e-9 * unit**2),
            ("capture", 1e-9 * unit), ("traps", 1 / unit), ("detrap", 1e-9 * unit),
            ("doping", 1 / unit),
        ))
    )  # fmt: skip
    count = int(np.ceil(np.log1p(span_ns / step_ns * (GROWTH - 1)) / np.log(GROWTH)))
    time = np.concatenate([[0.0], np.cumsum(GROWTH ** np.arange(count))])
    time *= span_ns / time[-1]
    steps = np.diff(time)
    shape = np.ones(1) if depth is None else depth.profile()
    spread = None if depth is None else _spreads(k, depth, steps)
    pulse = density[:, None] / unit * shape
    pulses = np.zeros((1 + kinetics.capture.any(), *pulse.shape))
    pulses[0] = pulse

    def diffused(state, i):
        return state if spread is None else np.array([_spread(spread[i], state[0]), *state[1:]])

    def run(state):
        if spread is None and kinetics.closed:
            return kinetics.fallen(state, time[:, None, None, None])
        states = [state]
        for i, h in enumerate(steps):
            states.append(diffused(kinetics.step(diffused(states[-1], i), h), i))
        return states

    state = pulses
    for _ in range(CYCLES if periodic else 1):
        states = run(state)
        state = states[-1] + pulses
        change = np.abs(state - states[0]).max()
        if change < REPEATS * np.abs(states[0][0]).max():
            break
    repeats = not periodic or bool(change < REPEATS * np.abs(states[0][0]).max())
    states = np.swapaxes(states, 0, 1)
    light = kinetics.light(states) * unit * 1e9
    if depth is not None:
        return Course(time, light, repeats)
    return Course(time, light, repeats, kinetics.light_change(states) * unit * 1e9)


class _Kinetics(NamedTuple):
    """Rates per ns, densities in units of the largest; arrays (lanes, 1).

    A state is electrons and filled traps (2, lanes, cells); without the traps where none capture.
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

    @property
    def closed(self) -> bool:
        """Whether loss is of first and second order alone."""
        return not (self.capture.any() or self.auger.any())

    def fallen(self, state, time):
        """States `time` after one, n = n₀ e^(−at)/(1 + b n₀ (1 − e^(−at))/a), where `closed`."""
        a = self.first + self.radiative * self.doping
        rate = np.where(a > 0, a, 1.0)
        left = np.exp(-a * time)
        gone = np.where(a > 0, -np.expm1(-rate * time) / rate, time)
        return state * left / (1 + self.radiative * state * gone)

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
        return np.array([-lost - trapped, trapped - self.detrap * state[1] * p])

    def solver(self, state, h):
        """What solves (2/h − J) u = f for f (..., lanes, cells), J the derivatives of `change`."""
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
        det = a * d - b * c
        return lambda f: np.array([d * f[0] + b * f[1], c * f[0] + a * f[1]]) / det

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
    """exp(A h/2) of diffusion and surfaces for each step (steps, sets, cells, cells), and lanes'
    set.

    Fluxes between cells D (n_i − n_j)/dz; at a surface the flux S n passes half a cell first.
    """
    sets, which = np.unique(
        np.column_stack([k["diffusion"], k["front"], k["back"]]), axis=0, return_inverse=True
    )
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
    return made[:, np.ravel(which)]


def _spread(matrix, n):
    return (matrix @ n[:, :, None])[:, :, 0]


def _cubics(course: Course) -> PPoly:
    """The light between its times: with its slopes, or with curvatures that are continuous."""
    if course.slopes is None:
        return CubicSpline(course.time_ns, course.light)
    h, before = np.diff(course.time_ns)[:, None], course.slopes[:-1]
    mean = np.diff(course.light, axis=0) / h
    third = (before + course.slopes[1:] - 2 * mean) / h
    parts = [third / h, (mean - before) / h - third, before, course.light[:-1]]
    return PPoly.construct_fast(np.array(parts), course.time_ns)


def _integrated(pieces, widths):
    """Pieces (k + 1, m, lanes) of the integral of a function from its pieces (k, m, lanes)."""
    made = np.empty((len(pieces) + 1, *pieces.shape[1:]))
    np.divide(pieces, np.arange(len(pieces), 0, -1)[:, None, None], out=made[:-1])
    step = made[0] * widths
    for power in made[1:-1]:
        step += power
        step *= widths
    made[-1, 0] = 0.0
    np.cumsum(step[:-1], axis=0, out=made[-1, 1:])
    return made


class Light:
    """Integrals of a course between any times: what falls into the bins of a histogram.

    Parameters
    ----------
    course : Course
    period_ns : float, optional
        The course repeats with it; None: nothing before time zero and after the last time.
    """

    def __init__(self, course: Course, period_ns: float | None):
        pieces = [_cubics(course).c]
        for _ in range(2):
            pieces.append(_integrated(pieces[-1], np.diff(course.time_ns)[:, None]))
        self._pieces, self._times = pieces, course.time_ns
        self._end = period_ns or course.time_ns[-1]
        self._periodic = period_ns is not None

    def accumulated(self, time_ns: np.ndarray, lanes: np.ndarray, order: int = 1) -> np.ndarray:
        """Integral (lanes, n) of the light of some lanes up to each time, once or twice (`order`);
        the light itself for 0.

        A whole turn adds A = ∫₀ᵀ; k of them and a rest r give once kA + a(r), and twice
        k(k−1)/2 TA + k A₂ + k A r + a₂(r).

        Parameters
        ----------
        time_ns : ndarray, shape (n,)
        lanes : int array
            Indices into the lanes of the course.
        order : int
            0, 1 or 2.

        Returns
        -------
        ndarray, shape (lanes, n)
            Light times ns^order.
        """

        def some(at, order=order):
            pieces = np.take(self._pieces[order], lanes, axis=2)
            return PPoly.construct_fast(pieces, self._times, extrapolate=True)(at).T

        if not self._periodic:
            inside, after = some(np.clip(time_ns, 0, self._end)), time_ns - self._end
            if order == 0:
                return np.where((time_ns >= 0) & (after <= 0), inside, 0.0)
            if order == 1 or not (late := after > 0).any():
                return inside
            return inside + some(np.array([self._end]), 1) * np.where(late, after, 0)
        once, twice = (some(np.array([self._end]), of) for of in (1, 2))
        turn = np.floor(time_ns / self._end)
        rest = time_ns - turn * self._end
        if order == 0:
            return some(rest)
        if order == 1:
            return turn * once + some(rest)
        whole = turn * (turn - 1) / 2 * self._end * once + turn * twice
        return whole + turn * once * rest + some(rest)
