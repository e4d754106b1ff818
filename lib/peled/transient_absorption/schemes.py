"""What is fitted: decays, response, dispersion, coherent artefact, and the kinetic scheme behind
the decays.

Any linear scheme dc/dt = K·c decays with the eigenvalues of K. Its spectra (SADS) are fixed linear
combinations of the decay-associated ones (DADS), so every scheme is fitted through its
exponentials, and DADS, EADS and SADS of one fit describe the data equally well (van Stokkum et al.
2004, DOI 10.1016/j.bbabio.2004.04.011, section 4).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from peled.transient_absorption.irf import MeasuredIRF
from peled.transient_absorption.terms import FreeInduction, Law, Pulse, Ramp, Wave

BLEACH = "bleach"  # the species that is the depleted ground state
_SPLIT = 1e-3  # by which equal rates in a chain are told apart; the error it makes is half of that
# relative to the fastest: slow ones that are told apart by `_SPLIT` are still two beside one of
# 10⁸ times their rate, and rounding is below this
_EQUAL = 1e-12


def _closest(values) -> float:
    """Least relative distance of two eigenvalues."""
    apart = np.abs(values[:, None] - values) + np.diag(np.full(len(values), np.inf))
    return float(apart.min() / np.abs(values).max())


@dataclass(frozen=True)
class Scheme:
    """A first-order kinetic scheme.

    Parameters
    ----------
    transfers : mapping
        `(from, to)` → name of the time constant; `to` None is the decay to the ground state. One
        name may stand for
        several transfers; where that makes two decays equal (a chain of equal steps) they are told
        apart by a thousandth.
    start_ps : mapping
        Name → start value of the time constant 1/k, ps.
    initial : mapping
        Compartment → population at zero time. Others start empty.

    Examples
    --------
    >>> transfers = {("hot", "cold"): "cool", ("cold", None): "decay"}
    >>> Scheme(transfers, {"cool": 0.4, "decay": 300.0}, {"hot": 1.0}).compartments
    ('hot', 'cold')
    """

    transfers: Mapping[tuple[str, str | None], str]
    start_ps: Mapping[str, float]
    initial: Mapping[str, float]
    apart: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        missing = sorted(set(self.transfers.values()) - set(self.start_ps))
        if missing:
            raise ValueError(
                "scheme: expected a start value for each time constant, found none for "
                f"{', '.join(missing)}"
            )
        strangers = sorted(set(self.initial) - set(self.compartments))
        if strangers or not any(self.initial.values()):
            raise ValueError(
                f"scheme: expected initial populations of {', '.join(self.compartments)}, found "
                f"{dict(self.initial)}"
            )
        start = np.array([self.start_ps[name] for name in self.names])
        object.__setattr__(self, "apart", {})
        decays = np.linalg.eigvals(self.matrix(start)[0])
        if len(decays) > 1 and _closest(decays) < _EQUAL:
            # Steps with one rate in a chain decay as t·exp(−kt), the limit of two close
            # exponentials.
            seen: dict[str, int] = {}
            for pair, name in self.transfers.items():
                self.apart[pair] = 1 + _SPLIT * seen.get(name, 0)
                seen[name] = seen.get(name, 0) + 1
        self.rates(start)

    @property
    def compartments(self) -> tuple[str, ...]:
        """Compartments in the order in which the transfers name them."""
        return tuple(dict.fromkeys(c for pair in self.transfers for c in pair if c is not None))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the time constants."""
        return tuple(dict.fromkeys(self.transfers.values()))

    def matrix(self, tau_ps) -> tuple[np.ndarray, np.ndarray]:
        """K (1/ps) and ∂K/∂ln τ, shape (names, n, n).

        Parameters
        ----------
        tau_ps : array, shape (names,)

        Returns
        -------
        k : ndarray, shape (n, n)
            1/ps.
        derivatives : ndarray, shape (names, n, n)
        """
        where = {c: i for i, c in enumerate(self.compartments)}
        n = len(where)
        dk = np.zeros((len(self.names), n, n))
        for (source, target), name in self.transfers.items():
            m = self.names.index(name)
            rate = self.apart.get((source, target), 1.0) / tau_ps[m]
            dk[m, where[source], where[source]] += rate
            if target is not None:
                dk[m, where[target], where[source]] -= rate
        return -dk.sum(0), dk

    def rates(self, tau_ps):
        """Decay rates (eigenvalues of −K, fastest first), their derivatives by ln τ, shape (n,
        names), and the matrix T of `concentrations = decays @ T`.

        Parameters
        ----------
        tau_ps : array, shape (names,)

        Returns
        -------
        k : ndarray, shape (n,)
            1/ps.
        derivatives : ndarray, shape (n, names)
            1/ps.
        weights : ndarray, shape (n, n)

        Raises
        ------
        ValueError
            If the eigenvalues are complex or coincide: such a scheme is no sum of exponentials.
        """
        k, dk = self.matrix(np.asarray(tau_ps, float))
        values, v = np.linalg.eig(k)
        scale = np.abs(values).max()
        if np.abs(values.imag).max() > 1e-10 * scale:
            raise ValueError(
                "scheme: expected real decay rates, found an oscillating cycle; its transfers do "
                "not obey detailed balance"
            )
        order = np.argsort(values.real)
        values, v = values.real[order], v.real[:, order]
        if len(values) > 1 and np.diff(values).min() < _EQUAL * scale:
            raise ValueError(
                "scheme: expected different decay rates, found two equal ones; choose other "
                "start values or merge the compartments"
            )
        w = np.linalg.inv(v)
        derivatives = -np.einsum("ia,mab,bi->im", w, dk, v)
        return np.maximum(-values, 0.0), derivatives, (v * (w @ self.populations)).T

    @property
    def populations(self) -> np.ndarray:
        """Initial population of each compartment."""
        return np.array([self.initial.get(c, 0.0) for c in self.compartments], float)

    def responses(self, tau_ps):
        """T of `concentrations = decays @ T` for a population of one in each compartment, and
        ∂T/∂ln τ, by first-order perturbation of the eigenvectors.

        Parameters
        ----------
        tau_ps : array, shape (names,)

        Returns
        -------
        weights : ndarray, shape (n, n, n)
            First index: the compartment that is populated.
        derivatives : ndarray, shape (names, n, n, n)
        """
        k, dk = self.matrix(np.asarray(tau_ps, float))
        values, v = np.linalg.eig(k)
        order = np.argsort(values.real)
        values, v = values.real[order], v.real[:, order]
        w = np.linalg.inv(v)
        gap = values[None, :] - values[:, None] + np.eye(len(values))
        x = np.einsum("ja,mab,bi->mji", w, dk, v) / gap * (1 - np.eye(len(values)))
        dv, dw = v @ x, -x @ w
        return np.einsum("si,ic->cis", v, w), (
            np.einsum("msi,ic->mcis", dv, w) + np.einsum("si,mic->mcis", v, dw)
        )


def sequential(rates):
    """The matrix T of `concentrations = decays @ T` for 1 → 2 → … → n.

    T_jl = Π_{m<l} k_m / Π_{i≤l, i≠j} (k_i − k_j); a last rate of 0 is a product that stays.

    Parameters
    ----------
    rates : array, shape (n,)
        1/ps, in the order of the compartments.

    Returns
    -------
    ndarray, shape (n, n)

    References
    ----------
    .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657, 82
           (2004), doi:10.1016/j.bbabio.2004.04.011
    """
    k = np.asarray(rates, float)
    n = len(k)
    t = np.zeros((n, n))
    for last in range(n):
        for j in range(last + 1):
            others = np.delete(k[: last + 1], j) - k[j]
            t[j, last] = np.prod(k[:last]) / np.prod(others) if last else 1.0
    return t


class EqualAreas(NamedTuple):
    """A demand that the areas of two species' spectra have a ratio: one more row of the fit, weight
    · (Σ A_first − ratio · Σ A_second), the sums over the wavelengths of a window.

    Parameters
    ----------
    first, second : str
        Species.
    ratio, weight : float
    window_nm : (low, high), or empty for all wavelengths
    """

    first: str
    second: str
    ratio: float = 1.0
    weight: float = 0.1
    window_nm: tuple[float, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model of one or several data sets, with start values.

    Parameters
    ----------
    lifetimes_ps : tuple of float
        Start values, one for each decay (`tau_1`, `tau_2`, ...); not used with `scheme`.
    scheme : Scheme, optional
        Gives the decays instead; its time constants are the parameters `tau_<name>`.
    infinite : bool
        One more component that does not decay.
    offset : bool
        A constant present before zero time as well.
    ramp : bool
        A baseline that moves steadily from one delay to the next while they are measured.
    artefact : int
        Columns of the coherent artefact: 0 none, 1 a Gaussian as wide as the response, 2 to 4 with
        its derivatives.
    artefact_fwhm_ps : float, optional
        Start value of a width of the artefact's own, `width_artefact`; without it is as wide as the
        response.
    irf : "gaussian", None or MeasuredIRF
        None: no response; the decays start sharply at `t0_ps`, which is then not fitted.
    t0_ps, fwhm_ps : float or None
        Start values of centre and full width at half maximum of the response. None for t0:
        estimated from the data.
    dispersion : tuple of float
        Start values of the coefficients d_j in t0(λ) = t0 + Σ d_j ξ^j, ps; empty: none.
    reference_nm : float
        Where ξ = 0.
    dispersion_axis : "wavenumber" or "wavelength"
        ξ = 10³/λ − 10³/λ_ref, or (λ − λ_ref)/100.
    period_ps : float, optional
        Period of a synchroscan streak camera.
    fixed : tuple of str
        Names of parameters that keep their start value.
    bounds_ps : mapping
        Parameter → (lowest, highest).
    oscillations : tuple of (period, damping time), ps
        Start values of damped oscillations (wave packets), `period_1`, `damping_1`, ...; each has a
        cosine and a sine spectrum. A damping time below zero is one of an oscillation before zero
        time that rises until then; the parameter is its size.
    free_induction : tuple of (line in cm⁻¹, dephasing time in ps)
        Start values of perturbed free induction before zero time, `line_1`, `dephasing_1`, ...
    law : Law, optional
        Kinetics that are no sum of exponentials beside the decays (`terms.Stretched`, `PowerLaw`,
        `Recombination`); one more spectrum, `law`.
    non_negative : bool
        No spectrum of a species below zero: those of the scheme's compartments, else the
        decay-associated ones. For emission.
    zero_nm : mapping
        Species → windows (low, high) in nm in which its spectrum is zero.
    alike : mapping
        Species → (other species, factor): its spectrum is that of the other times the factor.
    known : mapping
        Species → (wavelengths in nm, spectrum): given but for its size, the parameter
        `size_<species>`. With a scheme the species "bleach" is the depleted ground state, minus all
        populations times, for example, the absorbance before the pulse; its size is determined only
        where the excited species' spectra are restricted.
    guides : mapping
        Species → (wavelengths in nm, spectrum, standard error of its points): measured elsewhere
        and one more row of the fit, `guide_<species>` times the species' spectrum, which so may
        differ from it as its errors allow. Without errors 1: a row as good as a delay of data
        without errors.
    populations : tuple of str
        Species whose initial population, `population_<species>`, is fitted for each of several sets
        that share their spectra: at other pump wavelengths or in other samples the same species are
        made in other proportions. One species at least is left out: the others count in its
        population, and `scale_<name>` is the size of a set. The first set's populations keep their
        start (that of the scheme; 1), in which the spectra are given, but for those of species in
        `equal_areas`.
    equal_areas : tuple of EqualAreas
        What ties populations to spectra, also of a single set: as many as the first set has free
        populations leave the residual as it is.
    """

    lifetimes_ps: tuple[float, ...] = ()
    scheme: Scheme | None = None
    infinite: bool = False
    offset: bool = False
    ramp: bool = False
    artefact: int = 0
    artefact_fwhm_ps: float | None = None
    irf: str | MeasuredIRF | None = "gaussian"
    t0_ps: float | None = None
    fwhm_ps: float = 0.1
    dispersion: tuple[float, ...] = ()
    reference_nm: float = 600.0
    dispersion_axis: str = "wavenumber"
    period_ps: float | None = None
    fixed: tuple[str, ...] = ()
    bounds_ps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    oscillations: tuple[tuple[float, float], ...] = ()
    free_induction: tuple[tuple[float, float], ...] = ()
    law: Law | None = None
    non_negative: bool = False
    zero_nm: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    alike: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    known: Mapping[str, tuple] = field(default_factory=dict)
    guides: Mapping[str, tuple] = field(default_factory=dict)
    populations: tuple[str, ...] = ()
    equal_areas: tuple[EqualAreas, ...] = ()

    def __post_init__(self):
        object.__setattr__(
            self, "lifetimes_ps", tuple(float(tau) for tau in np.atleast_1d(self.lifetimes_ps))
        )
        object.__setattr__(
            self, "dispersion", tuple(float(d) for d in np.atleast_1d(self.dispersion))
        )
        pairs = tuple(EqualAreas(*pair) for pair in self.equal_areas)
        object.__setattr__(self, "equal_areas", pairs)
        for name in ("oscillations", "free_induction"):
            pairs = tuple((float(a), float(b)) for a, b in getattr(self, name))
            object.__setattr__(self, name, pairs)
            signed = name == "oscillations"
            sizes = [(a, abs(b) if signed else b) for a, b in pairs]
            if any(not (math.isfinite(x) and x > 0) for pair in sizes for x in pair):
                raise ValueError(f"model: {name}: expected positive numbers, found {pairs}")
        alone = self.infinite or self.terms
        if self.scheme is None and not self.lifetimes_ps and not alone:
            raise ValueError(
                "model: expected start lifetimes, a scheme or the infinite component, found none"
            )
        if self.terms and (isinstance(self.irf, MeasuredIRF) or self.period_ps is not None):
            raise ValueError(
                "model: oscillations, free induction and laws need the Gaussian response or none"
            )
        if any(not (math.isfinite(tau) and tau > 0) for tau in self.lifetimes_ps):
            raise ValueError(
                f"model: expected positive start lifetimes in ps, found {self.lifetimes_ps}; for "
                "a component that stays use infinite=True"
            )
        if (
            self.irf is not None
            and not isinstance(self.irf, MeasuredIRF)
            and self.irf != "gaussian"
        ):
            raise ValueError(
                f"model: irf: expected 'gaussian', a MeasuredIRF or None, found {self.irf!r}"
            )
        if self.irf == "gaussian" and not self.fwhm_ps > 0:
            raise ValueError(
                f"model: fwhm_ps: expected a positive width, found {self.fwhm_ps}; use irf=None "
                "for none"
            )
        if self.dispersion_axis not in ("wavenumber", "wavelength"):
            raise ValueError(
                "model: dispersion_axis: expected 'wavenumber' or 'wavelength', found "
                f"{self.dispersion_axis!r}"
            )
        if self.artefact and self.irf != "gaussian":
            raise ValueError("model: a coherent artefact needs the Gaussian response")
        if not 0 <= self.artefact <= 4:
            raise ValueError(f"model: artefact: expected 0 to 4 columns, found {self.artefact}")
        if self.artefact_fwhm_ps is not None and not (self.artefact and self.artefact_fwhm_ps > 0):
            raise ValueError(
                "model: artefact_fwhm_ps: expected a positive width of an artefact, found "
                f"{self.artefact_fwhm_ps} of {self.artefact} columns"
            )
        self._check_species()
        known = set(self.names)
        strangers = sorted((set(self.fixed) | set(self.bounds_ps)) - known)
        if strangers:
            raise ValueError(
                f"model: expected names among {', '.join(sorted(known))}; found "
                f"{', '.join(strangers)}"
            )

    def _check_species(self):
        used = {*self.zero_nm, *self.alike, *self.known, *(a for a, _ in self.alike.values())}
        used |= set(self.guides)
        used |= {name for pair in self.equal_areas for name in (pair.first, pair.second)}
        strangers = sorted(used - set(self.spectra))
        if strangers:
            raise ValueError(
                f"model: expected species among {', '.join(self.spectra)}; found "
                f"{', '.join(strangers)}"
            )
        strangers = sorted(set(self.populations) - set(self.spectra[: self.components]))
        if strangers:
            raise ValueError(
                f"model: expected populations of {', '.join(self.spectra[: self.components])}; "
                f"found {', '.join(strangers)}"
            )
        if any(not start > 0 for start in self.population_start):
            raise ValueError(
                "model: expected fitted populations that start above zero, found "
                f"{dict(zip(self.populations, self.population_start, strict=True))}"
            )
        if BLEACH in self.known and self.scheme is None:
            raise ValueError("model: the bleach is minus the populations of a scheme: give one")
        if set(self.guides) & set(self.known):
            raise ValueError(
                "model: a spectrum that is known needs no guide: expected others, found "
                f"{', '.join(sorted(set(self.guides) & set(self.known)))}"
            )
        tied = set(self.alike) | set(self.known)
        double = sorted(
            (set(self.alike) & {*self.known, *self.zero_nm})
            | ({a for a, _ in self.alike.values()} & tied)
            | (set(self.known) & set(self.zero_nm))
        )
        if double:
            raise ValueError(f"model: more than one rule for the spectrum of {', '.join(double)}")

    @property
    def kinetic_names(self) -> tuple[str, ...]:
        """Names of the parameters that set the decays."""
        if self.scheme is not None:
            return tuple(f"tau_{name}" for name in self.scheme.names)
        return tuple(f"tau_{i + 1}" for i in range(len(self.lifetimes_ps)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all non-linear parameters of one data set."""
        width = ("fwhm",) if self.irf == "gaussian" else ()
        return (
            *self.kinetic_names,
            *self.term_names,
            "t0",
            *width,
            *(f"dispersion_{i + 1}" for i in range(len(self.dispersion))),
            *self.population_names,
            *self.sizes,
            *self.guide_names,
        )

    @property
    def narrow(self) -> int:
        """Columns of an artefact as wide as the response."""
        return self.artefact if self.artefact_fwhm_ps is None else 0

    @property
    def terms(self) -> tuple:
        """Columns beside decays, offset and artefact, see `terms`."""
        return (
            *(
                ()
                if self.narrow == self.artefact
                else (Pulse(self.artefact, self.artefact_fwhm_ps),)
            ),
            *((Ramp(),) if self.ramp else ()),
            *(Wave(i + 1, start) for i, start in enumerate(self.oscillations)),
            *(FreeInduction(i + 1, start) for i, start in enumerate(self.free_induction)),
            *(() if self.law is None else (self.law,)),
        )

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the parameters of the terms."""
        return tuple(name for term in self.terms for name in term.names)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of the sizes of known spectra."""
        return tuple("size_" + species.replace(" ", "_") for species in self.known)

    @property
    def guide_names(self) -> tuple[str, ...]:
        """Names of the sizes of guides."""
        return tuple("guide_" + species.replace(" ", "_") for species in self.guides)

    @property
    def population_names(self) -> tuple[str, ...]:
        """Names of the fitted populations."""
        return tuple("population_" + species.replace(" ", "_") for species in self.populations)

    @property
    def population_start(self) -> tuple[float, ...]:
        """Start values of `population_names`."""
        start = np.ones(self.components) if self.scheme is None else self.scheme.populations
        each = dict(zip(self.spectra[: self.components], start.tolist(), strict=True))
        return tuple(each[species] for species in self.populations)

    @property
    def restricted(self) -> bool:
        """Whether anything is demanded of the species' spectra, or fitted of their populations."""
        rules = self.zero_nm, self.alike, self.known, self.guides, self.populations
        return self.non_negative or any(map(bool, (*rules, self.equal_areas)))

    @property
    def kinetic_start(self) -> tuple[float, ...]:
        return (
            self.lifetimes_ps
            if self.scheme is None
            else tuple(self.scheme.start_ps[name] for name in self.scheme.names)
        )

    @property
    def components(self) -> int:
        """Number of decays, the infinite one not counted."""
        return len(self.lifetimes_ps) if self.scheme is None else len(self.scheme.compartments)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the model matrix."""
        return (
            *(f"decay {i + 1}" for i in range(self.components)),
            *(("infinite",) if self.infinite else ()),
            *(("offset",) if self.offset else ()),
            *(f"artefact {i + 1}" for i in range(self.narrow)),
            *(name for term in self.terms for name in term.spectra),
        )

    @property
    def spectra(self) -> tuple[str, ...]:
        """Names of the linear spectra that are fitted: those of the columns; of the species where
        something is demanded of these."""
        if not self.restricted:
            return self.columns
        species = self.columns
        if self.scheme is not None:
            species = (*self.scheme.compartments, *species[self.components :])
        return (*species, *((BLEACH,) if BLEACH in self.known else ()))

    def species(self, log_tau, log_populations=()):
        """T of `species' columns = columns @ T` and its derivatives by ln τ and ln populations.

        Parameters
        ----------
        log_tau : ndarray, shape (names,)
            Of times in ps.
        log_populations : ndarray, shape (populations,)
            Of `population_names`.

        Returns
        -------
        t : ndarray, shape (columns, species)
        derivatives : ndarray, shape (names + populations, columns, species)
        """
        n, size, names = self.components, len(self.columns), len(log_tau)
        if self.scheme is None:
            initial = np.ones(n)
            each = np.eye(n)[:, :, None] * np.eye(n)
            moved = np.zeros((names, *each.shape))
        else:
            initial = self.scheme.populations
            each, moved = self.scheme.responses(np.exp(log_tau))
        at = [self.spectra.index(species) for species in self.populations]
        initial[at] = np.exp(log_populations)
        t, dt = np.eye(size), np.zeros((names + len(at), size, size))
        t[:n, :n] = np.tensordot(initial, each, 1)
        dt[:names, :n, :n] = np.einsum("c,mcis->mis", initial, moved)
        dt[names:, :n, :n] = initial[at, None, None] * each[at]
        if BLEACH in self.known:
            t, dt = (
                np.concatenate([x, -x[..., :n].sum(-1, keepdims=True)], axis=-1) for x in (t, dt)
            )
        return t, dt

    def rates(self, log_tau):
        """Decay rates and ∂k/∂ln τ, shape (components, kinetic parameters).

        Parameters
        ----------
        log_tau : ndarray, shape (kinetic parameters,)
            Of times in ps.

        Returns
        -------
        k : ndarray, shape (components,)
            1/ps.
        derivatives : ndarray, shape (components, kinetic parameters)
            1/ps.

        Raises
        ------
        ValueError
            As `Scheme.rates`.
        """
        if self.scheme is None:
            k = np.exp(-log_tau)
            return k, -np.diag(k)
        k, dk, _ = self.scheme.rates(np.exp(log_tau))
        return k, dk

    def dispersion_terms(self, wavelength_nm):
        """ξ^j for j = 1 … order, shape (order, nw).

        Parameters
        ----------
        wavelength_nm : array, shape (nw,)

        Returns
        -------
        ndarray, shape (order, nw)
        """
        wavelength_nm = np.asarray(wavelength_nm, float)
        xi = (
            1e3 / wavelength_nm - 1e3 / self.reference_nm
            if self.dispersion_axis == "wavenumber"
            else (wavelength_nm - self.reference_nm) / 100
        )
        return np.array([xi ** (j + 1) for j in range(len(self.dispersion))]).reshape(
            len(self.dispersion), len(wavelength_nm)
        )


class Relation:
    """An arithmetic relation between parameters such as `2*tau_1 + 0.1`, with its exact
    derivatives; nothing is executed.

    >>> Relation("2*a/b").value({"a": 3.0, "b": 2.0})
    (3.0, {'a': 1.0, 'b': -1.5})
    """

    _FUNCTIONS = {
        "exp": (math.exp, lambda x: math.exp(x)),
        "log": (math.log, lambda x: 1 / x),
        "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    }

    def __init__(self, text: str):
        self.text = text
        try:
            self.tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            raise ValueError(f"relation {text!r}: expected arithmetic of parameter names") from None
        self.names = tuple(
            sorted(
                {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
                - set(self._FUNCTIONS)
            )
        )
        self.value(dict.fromkeys(self.names, 1.2345))

    def value(self, at: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        """Value and derivatives by each name.

        Parameters
        ----------
        at : mapping of str to float
            Value of each of `names`.

        Returns
        -------
        value : float
        slopes : dict of str to float

        Raises
        ------
        KeyError
            If a name is missing.
        """
        return self._walk(self.tree, at)

    def _walk(self, node, at):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, (int, float))
            and not isinstance(node.value, bool)
        ):
            return float(node.value), {}
        if isinstance(node, ast.Name):
            return float(at[node.id]), {node.id: 1.0}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign = -1 if isinstance(node.op, ast.USub) else 1
            v, d = self._walk(node.operand, at)
            return sign * v, {n: sign * x for n, x in d.items()}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self._FUNCTIONS
            and len(node.args) == 1
            and not node.keywords
        ):
            v, d = self._walk(node.args[0], at)
            f, slope = self._FUNCTIONS[node.func.id]
            return f(v), {n: slope(v) * x for n, x in d.items()}
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
        ):
            (a, da), (b, db) = self._walk(node.left, at), self._walk(node.right, at)
            if isinstance(node.op, ast.Add):
                v, fa, fb = a + b, 1.0, 1.0
            elif isinstance(node.op, ast.Sub):
                v, fa, fb = a - b, 1.0, -1.0
            elif isinstance(node.op, ast.Mult):
                v, fa, fb = a * b, b, a
            elif isinstance(node.op, ast.Div):
                v, fa, fb = a / b, 1 / b, -a / b**2
            else:
                v, fa, fb = a**b, b * a ** (b - 1), a**b * math.log(a) if db else 0.0
            return v, {n: fa * da.get(n, 0.0) + fb * db.get(n, 0.0) for n in {**da, **db}}
        raise ValueError(
            f"relation {self.text!r}: expected + - * / **, exp, log, sqrt of parameter names and "
            f"numbers, found {ast.unparse(node)!r}"
        )
