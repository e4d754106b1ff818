"""Columns of the model matrix beside decays, offset and artefact: damped oscillations, perturbed
free induction, and kinetics that are no sum of exponentials.

A term has parameters (`names`, with start values), `spectra` (one name a column), and `made`, which
gives at times x after the centre of the response its columns c (..., nt, columns) and their
derivatives by its coordinates (parameters, ..., nt, columns), by x, and by ln s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from peled.transient_absorption.irf import FWHM_PER_SIGMA, columns, damped_wave, gaussian

LOGARITHMIC = ("period", "damping", "dephasing", "beta", "alpha", "width")
"""Beginnings of the names of parameters that are searched as logarithms, beside lifetimes."""

CM_PER_PS = 0.0299792458
_NODES = 64  # of the quadrature over the response
_REACH = 8.0  # standard deviations of the response that it spans
_PANELS, _FOLDS = 1200, 34.0  # of the table of a recombination: steps, and decades of e it falls by


class Pulse:
    """A coherent artefact of a width of its own: a Gaussian at zero time and its derivatives, as
    the response's."""

    names = ("width_artefact",)

    def __init__(self, columns: int, fwhm_ps: float):
        self.spectra = tuple(f"artefact {i + 1}" for i in range(columns))
        self.start = (fwhm_ps,)

    def bounds(self, step: float, span: float):
        """Lowest and highest width: the same as those of a response with an artefact.

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            ps.
        """
        return ((step, span),)

    def made(self, v, x, s, segment, derivatives):
        """Gaussian (of height 1) and its derivatives by −x/width.

        Parameters
        ----------
        v : array, shape (1,)
            Logarithm of the full width at half maximum in ps.
        x : ndarray, shape (..., nt)
            Times after the centre of the response, ps.
        s : float
            Not used: of the response.
        segment : Segment
            Not used: alike at all wavelengths.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (..., nt, columns)
        d : ndarray, shape (1, ..., nt, columns), or None
            By the logarithm of the width.
        dx, ds : ndarray, shape (..., nt, columns), or None
            By x and ln s.
        """
        width = np.exp(v[0]) / FWHM_PER_SIGMA
        c, _, dx, d = columns(
            x, np.zeros(0), width, artefact=len(self.spectra), derivatives=derivatives
        )
        return (c, d[None], dx, np.zeros_like(c)) if derivatives else (c, None, None, None)


def in_order(delays: int) -> np.ndarray:
    """When each of so many delays was measured, if one after the other: from −1/2 to 1/2.

    Parameters
    ----------
    delays : int

    Returns
    -------
    ndarray, shape (delays,)
    """
    return np.linspace(-0.5, 0.5, delays)


class Ramp:
    """A baseline that moves steadily while the delays are measured, one after the other: a column
    that rises by one from the first delay to the last, whatever their times."""

    names, start, spectra = (), (), ("baseline ramp",)

    def bounds(self, step: float, span: float):
        """None: it has no parameters.

        Parameters
        ----------
        step, span : float
            Not used.

        Returns
        -------
        tuple
        """
        return ()

    def made(self, v, x, s, segment, derivatives):
        """The number of the delay, from −1/2 to 1/2.

        Parameters
        ----------
        v : array, shape (0,)
        x : ndarray, shape (..., nt)
            Times; their values do not count.
        s : float or None
            Not used.
        segment : Segment
            Not used.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (..., nt, 1)
        d : ndarray, shape (0, ..., nt, 1), or None
        dx, ds : ndarray, shape (..., nt, 1), or None
            Zeros.
        """
        c = np.broadcast_to(in_order(x.shape[-1]), x.shape)[..., None]
        if not derivatives:
            return c, None, None, None
        nothing = np.zeros(c.shape)
        return c, np.zeros((0, *c.shape)), nothing, None if s is None else nothing


class Wave:
    """A damped oscillation exp(−t/damping) cos, sin(2πt/period) from zero time on; one that rises,
    exp(t/damping), until then where its start has a damping time below zero."""

    def __init__(self, number: int, start: tuple[float, float]):
        self.names = (f"period_{number}", f"damping_{number}")
        self.spectra = (f"oscillation {number} cosine", f"oscillation {number} sine")
        self.start, self.sign = (start[0], abs(start[1])), float(np.sign(start[1]))

    def bounds(self, step: float, span: float):
        """Lowest and highest period and damping time.

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            ps.
        """
        return (2 * step, 4 * span), (step, 100 * span)

    @staticmethod
    def rate(v):
        """Complex rate 1/damping − 2πi/period, and its derivatives by ln period, ln damping.

        Parameters
        ----------
        v : array, shape (2,)
            Logarithms of period and damping time in ps.

        Returns
        -------
        kappa : complex
            1/ps.
        slopes : (complex, complex)
            1/ps.
        """
        period, damping = np.exp(v)
        kappa = 1 / damping - 2j * np.pi / period
        return kappa, (2j * np.pi / period, -1 / damping + 0j)

    def made(self, v, x, s, segment, derivatives):
        """Cosine and sine through the response.

        Parameters
        ----------
        v : array, shape (2,)
            Logarithms of period and damping time in ps.
        x : ndarray, shape (..., nt)
            Times after the centre of the response, ps.
        s : float or None
            Standard deviation of the response, ps; None: no response.
        segment : Segment
            Not used: alike at all wavelengths.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (..., nt, 2)
        d : ndarray, shape (2, ..., nt, 2), or None
            By the entries of `v`.
        dx, ds : ndarray, shape (..., nt, 2), or None
            By x and ln s.
        """
        return _wave(*self.rate(v), x, s, self.sign, derivatives)


class FreeInduction:
    """Perturbed free induction of a line: before zero time the probe's polarisation decays with the
    dephasing time T₂ until the pump changes it, exp(t/T₂) cos, sin(2πc(ν − ν₀)t) for t < 0
    (P. Hamm, Chem. Phys. 200, 415 (1995), DOI 10.1016/0301-0104(95)00262-6)."""

    def __init__(self, number: int, start: tuple[float, float]):
        self.names = (f"line_{number}", f"dephasing_{number}")
        self.spectra = (f"free induction {number} cosine", f"free induction {number} sine")
        self.start = start

    def bounds(self, step: float, span: float):
        """Lowest and highest dephasing time, and wavenumber of the line (10 % about its start).

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            Of the line in cm⁻¹, of the dephasing time in ps.
        """
        return (0.9 * self.start[0], 1.1 * self.start[0]), (step / 10, 10 * span)

    def made(self, v, x, s, segment, derivatives):
        """Cosine and sine through the response.

        Parameters
        ----------
        v : array, shape (2,)
            Line in cm⁻¹, logarithm of the dephasing time in ps.
        x : ndarray, shape (nw, nt)
            Times after the centre of the response, ps.
        s : float or None
            Standard deviation of the response, ps; None: no response.
        segment : Segment
            Its wavelengths count.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (nw, nt, 2)
        d : ndarray, shape (2, nw, nt, 2), or None
            By the entries of `v`.
        dx, ds : ndarray, shape (nw, nt, 2), or None
            By x and ln s.
        """
        t2 = np.exp(v[1])
        off = 1e7 / segment.matrix.wavelength_nm[:, None] - v[0]
        kappa = 1 / t2 - 2j * np.pi * CM_PER_PS * off
        slopes = (2j * np.pi * CM_PER_PS, -1 / t2 + 0j)
        return _wave(kappa, slopes, x, s, -1.0, derivatives)


def _wave(kappa, slopes, x, s, sign: float, derivatives):
    """Cosine and sine of exp(−κy), y = sign·x > 0, through the response."""
    y = sign * x
    c = damped_wave(y, kappa, s)
    if not derivatives:
        return _parts(c), None, None, None
    g, width = (0.0, 0.0) if s is None else (gaussian(y, s), s * s)
    by_rate = (kappa * width - y) * c - width * g
    d = np.stack([_parts(by_rate * slope) for slope in slopes])
    dx = _parts(sign * (g - kappa * c))
    if s is None:
        return _parts(c), d, dx, None
    return _parts(c), d, dx, _parts(width * kappa**2 * c - g * (kappa * width + y))


def _parts(z):
    return np.stack([z.real, z.imag], -1)


class Law:
    """Kinetics n(t) that are no sum of exponentials: one column, n through the response.

    A subclass gives `names`, `start` and `population(v, t, fluence)`: n and its derivatives by the
    logarithms v of the parameters, (parameters, *t.shape).
    """

    spectra = ("law",)

    def made(self, v, x, s, segment, derivatives):
        """Population through the response.

        Parameters
        ----------
        v : array, shape (parameters,)
            Logarithms of the parameters.
        x : ndarray, shape (..., nt)
            Times after the centre of the response, ps.
        s : float or None
            Standard deviation of the response, ps; None: no response.
        segment : Segment
            The fluence of its matrix counts.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (..., nt, 1)
        d : ndarray, shape (parameters, ..., nt, 1), or None
            By the entries of `v`.
        dx, ds : ndarray, shape (..., nt, 1), or None
            By x and ln s.
        """
        fluence = segment.matrix.fluence
        if s is None:
            n, dn = self.population(v, np.maximum(x, 0.0), fluence)
            on = (x >= 0)[..., None]
            nothing = np.zeros((*x.shape, 1))
            return n[..., None] * on, dn[..., None] * on, nothing, None
        node, weight = _legendre()
        low = np.maximum(x - _REACH * s, 0.0)[..., None]
        span = np.maximum(x[..., None] + _REACH * s - low, 0.0)
        y = low + span * node**2  # dense where a law may be steep
        z = (x[..., None] - y) / s
        g = gaussian(z, 1.0) / s * (2 * node * weight * span)
        n, dn = self.population(v, y, fluence)
        n = n * g
        c = n.sum(-1)[..., None]
        if not derivatives:
            return c, None, None, None
        d = np.einsum("p...k,...k->p...", dn, g)[..., None]
        return c, d, -(n * z).sum(-1)[..., None] / s, (n * (z**2 - 1)).sum(-1)[..., None]


@lru_cache(maxsize=1)
def _legendre():
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    return (node + 1) / 2, weight / 2


@dataclass(frozen=True)
class Stretched(Law):
    """Stretched exponential exp(−(t/τ)^β): rates spread over sites, transport to sinks.

    Parameters
    ----------
    tau_ps, beta : float
        Start values of `tau_law` and `beta`.
    """

    tau_ps: float
    beta: float = 0.7
    names = ("tau_law", "beta")

    @property
    def start(self):
        return self.tau_ps, self.beta

    def bounds(self, step: float, span: float):
        """Lowest and highest τ and β.

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            τ in ps; the other is a number.
        """
        return (step / 100, 1000 * span), (0.1, 2.0)

    def population(self, v, t, fluence):
        """Population and its derivatives by ln τ, ln β.

        Parameters
        ----------
        v : array, shape (2,)
            ln τ (ps), ln β.
        t : ndarray
            Times after the pulse, ps.
        fluence : float or None
            Not used.

        Returns
        -------
        n : ndarray, shape of t
        derivatives : ndarray, shape (2, *t.shape)
        """
        tau, beta = np.exp(v)
        log = np.log(np.maximum(t / tau, 1e-300))
        power = np.exp(beta * log)
        n = np.exp(-power)
        slope = n * power * beta
        return n, np.stack([slope, -slope * log])


@dataclass(frozen=True)
class PowerLaw(Law):
    """(1 + t/τ)^−α: detrapping, or recombination of distant pairs, over decades of time.

    Parameters
    ----------
    tau_ps, alpha : float
        Start values of `tau_law` and `alpha`.
    """

    tau_ps: float
    alpha: float = 0.5
    names = ("tau_law", "alpha")

    @property
    def start(self):
        return self.tau_ps, self.alpha

    def bounds(self, step: float, span: float):
        """Lowest and highest τ and α.

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            τ in ps; the other is a number.
        """
        return (step / 100, 1000 * span), (0.02, 10.0)

    def population(self, v, t, fluence):
        """Population and its derivatives by ln τ, ln α.

        Parameters
        ----------
        v : array, shape (2,)
            ln τ (ps), ln α.
        t : ndarray
            Times after the pulse, ps.
        fluence : float or None
            Not used.

        Returns
        -------
        n : ndarray, shape of t
        derivatives : ndarray, shape (2, *t.shape)
        """
        tau, alpha = np.exp(v)
        base = 1 + t / tau
        n = base**-alpha
        return n, np.stack([alpha * n * (t / tau) / base, -alpha * n * np.log(base)])


_ORDER = {1: "tau_first", 2: "tau_second", 3: "tau_third"}


@dataclass(frozen=True)
class Recombination(Law):
    """dn/dt = −n/τ₁ − n²/τ₂ − n³/τ₃ from n(0) = fluence/reference: monomolecular, bimolecular and
    Auger recombination, densities counted in that of the reference fluence.

    With a density N₀ at the reference k₂ = 1/(τ₂ N₀) and k₃ = 1/(τ₃ N₀²). Sets of a fluence series
    are told apart by their `Matrix.fluence`; fitted together with `shared_spectra` they need
    `fixed` scales, as their size follows from the fluence.

    Parameters
    ----------
    tau_ps : mapping
        Order (1, 2, 3) → start value of `tau_first`, `tau_second`, `tau_third`.
    reference : float
        In the unit of the fluences.
    """

    tau_ps: Mapping[int, float]
    reference: float = 1.0

    def __post_init__(self):
        if not self.tau_ps or set(self.tau_ps) - set(_ORDER):
            raise ValueError(f"recombination: expected orders 1, 2, 3, found {set(self.tau_ps)}")
        if not self.reference > 0:
            raise ValueError(f"recombination: expected a positive reference, {self.reference=}")

    @property
    def names(self):
        return tuple(_ORDER[order] for order in sorted(self.tau_ps))

    @property
    def start(self):
        return tuple(self.tau_ps[order] for order in sorted(self.tau_ps))

    def bounds(self, step: float, span: float):
        """Lowest and highest τ of each order.

        Parameters
        ----------
        step, span : float
            Smallest step and range of the delays, ps.

        Returns
        -------
        tuple of (float, float)
            ps.
        """
        return ((step / 100, 1000 * span),) * len(self.tau_ps)

    def population(self, v, t, fluence):
        """Density, in that of the reference fluence, and its derivatives by ln τ.

        Parameters
        ----------
        v : array, shape (orders,)
            ln τ (ps), by rising order.
        t : ndarray
            Times after the pulse, ps.
        fluence : float
            In the unit of the reference.

        Returns
        -------
        n : ndarray, shape of t
        derivatives : ndarray, shape (orders, *t.shape)

        Raises
        ------
        ValueError
            If there is no fluence above 0.
        """
        if fluence is None or not fluence > 0:
            raise ValueError("recombination: expected the fluence of each set, found none")
        table, first = self._table(np.exp(v), float(fluence) / self.reference)
        late = t > table.x[-1]
        found = table(np.minimum(t, table.x[-1]))
        n = np.where(late, 0.0, np.exp(first + found[..., 0]))
        fall = sum(n**order / tau for order, tau in zip(sorted(self.tau_ps), np.exp(v)))
        return n, fall * np.moveaxis(found[..., 1:], -1, 0)

    def _table(self, tau, density):
        """ln n/n(0) and ∂t/∂ln τ at fixed n over time: t = ∫ dn/(n R), R = Σ n^(order−1)/τ, by
        Gauss–Legendre steps in ln n."""
        log = np.log(density) - np.linspace(0, _FOLDS, _PANELS + 1)
        node, weight = np.polynomial.legendre.leggauss(4)
        step = _FOLDS / _PANELS
        inner = log[:-1, None] - step * (node + 1) / 2
        steps = self._integrands(inner, tau) @ weight * step / 2
        at = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
        slope = self._integrands(log, tau)
        values = np.column_stack([log - log[0], at[1:].T])
        slopes = np.column_stack([-1 / slope[0], (slope[1:] / slope[0]).T])
        keep = np.r_[True, np.diff(at[0]) > 1e-14 * np.maximum(at[0][1:], 1e-300)]
        return CubicHermiteSpline(at[0][keep], values[keep], slopes[keep]), log[0]

    def _integrands(self, log, tau):
        orders = np.array(sorted(self.tau_ps))
        rates = np.exp((orders - 1).reshape(-1, *[1] * log.ndim) * log)
        rates = rates / tau.reshape(-1, *[1] * log.ndim)
        total = rates.sum(0)
        return np.concatenate([1 / total[None], rates / total**2])
