"""Global fit of one or several delay × wavelength matrices: lifetimes, response and spectra with
their errors.

>>> fit = global_fit(matrix, Model(lifetimes_ps=(0.4, 14, 280)))      # doctest: +SKIP
>>> fit.lifetimes_ps, fit.spectra("before").values                    # doctest: +SKIP

Lifetimes and widths are searched as logarithms, by variable projection with analytic derivatives
(`peled.separable`). Several starts are tried by default; the distinct minima they find are kept in
the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from peled.quantities import Estimates
from peled.separable import DispersedBlock, Minimum, Rows, minimise
from peled.transient_absorption import errors, noise
from peled.transient_absorption.dispersed import NormalBlock
from peled.transient_absorption.preprocess import Matrix
from peled.transient_absorption.restricted import placed
from peled.transient_absorption.schemes import Model, sequential
from peled.transient_absorption.setup import Setup, as_matrices, overridden, own_of, parameters_of

UNRESOLVED = "response not resolved by the delays"
"""Beginning of a flag: its width is held, and no number comes of it."""
_TIED = 1e-11  # of the cost: less than a thousandth of an error
_SCREENED = 40  # candidate starts judged by their cost alone
_SAID = (
    "undetermined",
    "at bound",
    "not converged",
    "structure",
    "residual correlated",
    "residual after",
)
"""Flags that `Estimates` says by null space, bounds, convergence, goodness and covariance."""
_UNITS = {
    **dict.fromkeys(("scale", "size", "guide", "population", "alpha", "beta"), ""),
    "line": "1/cm",
}
"""Of parameters by their beginnings; all others: ps."""
_COARSE = 2.0  # steps of the delays that a response must be wide to be resolved for certain
_LONG = 6.0  # steps of the delays from which on a lifetime does not depend on the response
_SURE = 10.8  # rise of χ² that one width in a thousand reaches by chance
# wavelengths kept while searching starts of a fit in which every wavelength has a basis of its own
_THIN = 48


@dataclass(frozen=True)
class Estimate:
    """A fitted parameter. `standard_error` is None for one that was held and NaN at a bound; both
    numbers are NaN where the data do not determine it."""

    name: str
    value: float
    standard_error: float | None
    unit: str
    vary: bool
    at_bound: bool
    relation: str = ""


@dataclass(frozen=True)
class Spectra:
    """Linear spectra, shape (components, nw), in the unit of the signal, with standard errors of
    the same shape."""

    names: tuple[str, ...]
    wavelength_nm: np.ndarray
    values: np.ndarray
    standard_errors: np.ndarray
    lifetimes_ps: tuple[float, ...] = ()


@dataclass(frozen=True)
class FoundMinimum:
    """A minimum that the search ended in, `count` times. `rise`: its χ² above the best one's,
    wavelengths counted by their effective number."""

    cost: float
    rise: float
    lifetimes_ps: tuple[float, ...]
    count: int


@dataclass(frozen=True)
class GlobalFit:
    """Result of `global_fit`.

    `ssr` is the sum of squared (weighted) residuals, `degrees_of_freedom` data less parameters less
    spectra. `covariance` is that of the search coordinates `free` (logarithms of lifetimes and
    widths), for noise that may be correlated over wavelengths and delays; `covariance_white` for
    independent noise. Both are zero for coordinates at a bound (held, as far as the others go) and
    along `null`, the directions that the data do not determine; `combinations` says what they do
    determine of the parameters in it. `flags` name everything that makes the result doubtful.
    `kernels` and `rows` describe the noise of each data set, with those of guides behind them.
    """

    model: Model
    matrices: tuple[Matrix, ...]
    parameters: tuple[Estimate, ...]
    free: tuple[str, ...]
    theta: np.ndarray
    covariance: np.ndarray
    covariance_white: np.ndarray
    ssr: float
    size: int
    degrees_of_freedom: int
    minimum: Minimum
    minima: tuple[FoundMinimum, ...]
    flags: tuple[str, ...]
    null: np.ndarray
    combinations: tuple[errors.Combination, ...]
    kernels: tuple[noise.Kernel, ...] = field(repr=False)
    rows: tuple[Rows, ...] = field(repr=False)
    options: Mapping[str, object] = field(default_factory=dict)
    setup: Setup = field(repr=False, default=None)

    def value(self, name: str) -> float:
        """Value of one parameter.

        Parameters
        ----------
        name : str
            As in `parameters`.

        Returns
        -------
        float
        """
        return self[name].value

    def __getitem__(self, name: str) -> Estimate:
        for p in self.parameters:
            if p.name == name:
                return p
        raise KeyError(f"{name}: expected one of {', '.join(p.name for p in self.parameters)}")

    @property
    def zero_ps(self) -> float:
        """Fitted zero time of the first data set."""
        return self.optimum[self.setup.locals[0]["t0"]]

    @property
    def rms(self) -> float:
        """Standard deviation of the residual, in the unit of the signal."""
        if all(m.standard_error is None for m in self.matrices):
            return float(np.sqrt(self.ssr / max(self.degrees_of_freedom, 1)))
        square = sum(np.nansum(self.residual(i) ** 2) for i in range(len(self.matrices)))
        return float(np.sqrt(square / max(self.degrees_of_freedom, 1)))

    @property
    def converged(self) -> bool:
        return self.minimum.converged

    @cached_property
    def _u(self) -> np.ndarray:
        return self.setup.expand(self.theta)[0]

    def _which(self, matrix: int | str) -> int:
        if isinstance(matrix, str):
            names = [m.name for m in self.matrices]
            if matrix not in names:
                raise KeyError(f"{matrix}: expected one of {', '.join(names)}")
            return names.index(matrix)
        return matrix

    @property
    def lifetimes_ps(self) -> np.ndarray:
        """Lifetimes of the first data set's decays, fastest first."""
        return self.lifetimes(0)

    def lifetimes(self, matrix: int | str = 0) -> np.ndarray:
        """Lifetimes of one data set's decays.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        ndarray, shape (decays,)
            ps.
        """
        k, _ = self.setup.segments[self._which(matrix)].rates(self._u)
        with np.errstate(divide="ignore"):
            return 1 / k

    def lifetime_errors(self, matrix: int | str = 0) -> np.ndarray:
        """Standard errors of `lifetimes`.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        ndarray, shape (decays,)
            ps; 0 for fixed ones, NaN for one at its bound or not determined.
        """
        segment = self.setup.segments[self._which(matrix)]
        k, dk = segment.rates(self._u)
        _, jacobian = self.setup.expand(self.theta)
        d = dk @ jacobian[segment.kinetic]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(np.maximum(np.einsum("ip,pq,iq->i", d, self.covariance, d), 0)) / k**2
        lost = errors.touches(d, np.column_stack([self.null, np.diag(1.0 * self.minimum.at_bound)]))
        return np.where(lost, np.nan, error)

    @cached_property
    def _solved(self):
        return [block.solve(self._u) for block in self.setup.problem.blocks]

    @property
    def optimum(self) -> dict[str, float]:
        """The parameters at which the search ended, those included that the data do not determine:
        start values of a further fit."""
        log = self.setup.logarithmic
        return dict(
            zip(
                self.setup.names,
                np.where(log, np.exp(np.where(log, self._u, 0)), self._u).tolist(),
                strict=True,
            )
        )

    @property
    def starts(self) -> dict:
        """Lifetimes, zero time, width and dispersion at the optimum, as fields of a `Model` of
        parallel decays to start from."""
        at, model = self.optimum, self.model
        made = {
            "lifetimes_ps": tuple(self.lifetimes_ps),
            "infinite": model.infinite,
            "dispersion": tuple(at[f"dispersion_{i + 1}"] for i in range(len(model.dispersion))),
        }
        late = bool(self.setup.late)
        width = {"fwhm_ps": at["fwhm"]} if model.irf == "gaussian" and not late else {}
        return made | width | ({} if late else {"t0_ps": at["t0"]})

    def estimates(self) -> Estimates:
        """All parameters with their joint covariance and null space, for `peled.quantities.derive`.

        The goodness is that of neighbouring delays being alike in the residual, against the noise
        of their differences.
        """
        log, names = self.setup.logarithmic, self.setup.names
        _, jacobian = self.setup.expand(self.theta)
        fitted = np.any(jacobian != 0, axis=1)
        found = [errors.segment_structure(self.setup, self.rows, s) for s in self.setup.segments]
        z = [f.z for f in found if f is not None]
        # a lifetime many steps long does not feel how wide a response is that they do not resolve
        fastest = min(self.lifetimes(i).min(initial=np.inf) for i in range(len(self.matrices)))
        said = (*_SAID, UNRESOLVED) if fastest > _LONG * _step(self.matrices) else _SAID
        return Estimates(
            tuple(names),
            np.array([self.optimum[n] for n in names]),
            tuple(p.unit for p in self.parameters),
            jacobian @ self.covariance @ jacobian.T,
            np.array(log),
            ~fitted,
            np.any(jacobian[:, self.minimum.at_bound] != 0, axis=1),
            jacobian @ self.null,
            self.converged,
            max(z) if z else None,
            tuple(f for f in self.flags if not f.startswith(said)),
        )

    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Of a fit of one matrix: model matrices (nw, nt, n) and what the free parameters change of
        the weighted fit beyond what the spectra take up (nw, nt, free)."""
        (block,) = self.setup.problem.blocks
        a, c, pseudo = self._solved[0]
        _, jacobian = self.setup.expand(self.theta)
        if c.ndim == 2:
            _, dc = block.basis(self._u, True)
            x = np.einsum("ptn,nw->wtp", dc, a, optimize=True) @ jacobian[block.index]
            c = np.broadcast_to(c, (a.shape[1], *c.shape))
        else:
            x = block.local(self._u)(a.T[:, :, None]) @ jacobian[block.index]
        return c, x - c @ (pseudo @ x)

    def with_scans(self, scans) -> GlobalFit:
        """The same fit of one matrix with errors of its parameters from the scatter of its single
        scans.

        That scatter is the noise as it is, correlated over pixels and delays or not, and knows
        nothing of what the model fails to describe. Along one parameter few scans may agree by
        chance: no error is below that for their scatter at all points, taken as independent.
        Spectra keep their errors from the residual.

        Parameters
        ----------
        scans : array, shape (n, nt, nw)
            Treated like the fitted mean; NaN where missing.

        Returns
        -------
        GlobalFit

        Raises
        ------
        ValueError
            For a fit of several matrices, other axes, or fewer than four scans.
        """
        scans = np.asarray(scans, float)
        if len(self.matrices) != 1 or scans.ndim != 3 or scans.shape[1:] != self.matrices[0].shape:
            raise ValueError(
                f"scans: expected (scans, {self.matrices[0].shape}) of the one fitted matrix, "
                f"found {scans.shape}"
            )
        if len(scans) < 4:
            raise ValueError(f"scans: expected at least 4, found {len(scans)}")
        now = self.setup.problem.evaluate(self.theta, covariance=True)
        _, even = errors.residual_scores(now.rows, self.kernels)
        scores, quiet = errors.scan_scores(self, scans)
        trust = errors.covariances(
            self.setup, now, self.minimum, scores, even, self.degrees_of_freedom
        ).at_least(quiet)
        kept = [
            f for f in self.flags if not f.startswith(("residual correlated", "undetermined: tau"))
        ]
        estimates = _estimates(self.setup, self.minimum, trust)
        names, found = errors.combinations(self.setup, self.theta, trust)
        said = [errors.null_flag(names, found)] if names else []
        return replace(
            self,
            parameters=estimates,
            covariance=trust.covariance,
            combinations=found,
            flags=(*kept, *said, *errors.nearly_free(estimates)),
        )

    def widened(self, moves: Mapping[str, float], standard_error: float) -> GlobalFit:
        """The same fit with what a further unknown adds to the covariance.

        Parameters
        ----------
        moves : mapping of str to float
            Derivatives of the coordinates `free` by the unknown.
        standard_error : float
            Of the unknown.

        Returns
        -------
        GlobalFit
        """
        along = standard_error * np.array([moves.get(name, 0.0) for name in self.free])
        along = np.where(self.minimum.at_bound, 0.0, along)
        covariance = self.covariance + np.outer(along, along)
        trust = errors.Trust(covariance, self.covariance_white, self.null, 1.0)
        estimates = _estimates(self.setup, self.minimum, trust)
        return replace(self, parameters=estimates, covariance=covariance)

    def fitted(self, matrix: int | str = 0) -> np.ndarray:
        """The model of one data set, without weights, at missing points too.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        ndarray, shape (nt, nw)
            OD.
        """
        i = self._which(matrix)
        block, rows = self.setup.place[i]
        segment = self.setup.segments[i]
        a, c, _ = self._solved[block]
        if segment.point_weight is not None:
            a = a[self.setup.columns[i]]
            if self.model.restricted:
                a = segment.species(self._u)[0] @ a
            return np.einsum("wtn,nw->tw", segment.unweighted().dispersed(self._u, False)[0], a)
        product = np.einsum("wtn,nw->tw", c[:, rows], a) if c.ndim == 3 else c[rows] @ a
        return product / segment.weights

    def residual(self, matrix: int | str = 0) -> np.ndarray:
        """Data less model.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        ndarray, shape (nt, nw)
            OD; NaN where the data are missing.
        """
        i = self._which(matrix)
        return self.matrices[i].signal - self.fitted(i)

    def spectra(self, matrix: int | str = 0) -> Spectra:
        """The linear spectra as fitted, named by `Model.spectra`: DADS (those of the species where
        something is demanded of them), infinite component, offset, coherent artefact, further
        terms.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        Spectra
            OD, with standard errors.
        """
        i = self._which(matrix)
        values, errors_ = self._linear(i)
        return Spectra(
            self.model.spectra,
            self.matrices[i].wavelength_nm,
            values,
            errors_,
            tuple(self.lifetimes(i)),
        )

    def dads(self, matrix: int | str = 0) -> Spectra:
        """Decay-associated spectra [1]_: the amplitude of each decay.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        Spectra
            OD, with standard errors; the infinite component last.

        References
        ----------
        .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657,
           82 (2004), doi:10.1016/j.bbabio.2004.04.011
        """
        i = self._which(matrix)
        names = self.model.columns[: self._decays]
        to = (lambda u: self._to_decays(i, u)) if self.model.restricted else None
        found = self._transformed(i, to, names)
        later = (np.inf,) if self.model.infinite else ()
        return replace(found, lifetimes_ps=found.lifetimes_ps + later)

    @property
    def _decays(self) -> int:
        return self.model.components + self.model.infinite

    def _to_decays(self, i: int, u) -> np.ndarray:
        """What makes the decays' spectra of those that are fitted."""
        if not self.model.restricted:
            return np.eye(len(self.model.columns))[: self._decays]
        return self.setup.segments[i].species(u)[0][: self._decays]

    def eads(self, matrix: int | str = 0) -> Spectra:
        """Evolution-associated spectra: those of the compartments of 1 → 2 → … in the order of
        increasing lifetimes.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        Spectra
            OD, with standard errors.
        """
        i = self._which(matrix)

        def transform(u):
            k, _ = self.setup.segments[i].rates(u)
            k = np.append(k, 0.0) if self.model.infinite else k
            order = np.argsort(-k)
            back = np.linalg.inv(sequential(k[order]))
            full = np.zeros_like(back)
            full[:, order] = back
            return full @ self._to_decays(i, u)

        return self._transformed(i, transform, tuple(f"state {j + 1}" for j in range(self._decays)))

    def sads(self, matrix: int | str = 0) -> Spectra:
        """Species-associated spectra of the model's scheme.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        Spectra
            OD, with standard errors.

        Raises
        ------
        ValueError
            If the model has no scheme, or its decays do not determine the spectra (two compartments
            with the same time course).
        """
        scheme = self.model.scheme
        if scheme is None:
            raise ValueError(
                "species-associated spectra: expected a model with a scheme, found parallel "
                "decays; use eads() for a sequential one"
            )
        i = self._which(matrix)
        names = (*scheme.compartments, *(("infinite",) if self.model.infinite else ()))
        if self.model.restricted:  # those that are fitted
            first = np.eye(len(self.model.spectra))[: len(names)]
            return self._transformed(i, lambda u: first, names)

        def transform(u):
            t = scheme.rates(np.exp(u[self.setup.segments[i].kinetic]))[2]
            if np.linalg.cond(t) > 1e10:
                raise ValueError(
                    "species-associated spectra: the compartments' time courses are not "
                    "independent; the scheme has more species than the decays can tell apart"
                )
            back = np.eye(self._decays)
            back[: len(t), : len(t)] = np.linalg.inv(t)
            return back @ self._to_decays(i, u)

        return self._transformed(i, transform, names)

    def _transformed(self, i, transform, names) -> Spectra:
        values, errors_ = self._linear(i, transform)
        count = min(len(names), len(values))
        return Spectra(
            names[:count],
            self.matrices[i].wavelength_nm,
            values[:count],
            errors_[:count],
            tuple(self.lifetimes(i)),
        )

    def _to_own(self, i, transform):
        """What makes the spectra of data set i, transformed on request, of its block's: those that
        it has for itself are multiplied by its scale, which stands for what sets share."""
        segment, own = self.setup.segments[i], self.setup.columns[i]
        number = len(self._solved[self.setup.place[i][0]][0])
        mine = np.array([name in self.setup.own for name in self.model.spectra])

        def to(u):
            back = np.eye(len(own)) if transform is None else transform(u)
            size = 1.0 if segment.scale is None else np.where(mine, u[segment.scale], 1.0)
            return placed(back * size, own, number)

        return to

    @cached_property
    def _moving(self) -> dict:
        """Of data sets: what the free parameters change of their block's spectra (free, n, nw), and
        what noise makes of these, without transformation (nw, n, n)."""
        return {}

    def _moved(self, i):
        if i in self._moving:
            return self._moving[i]
        block_number, _ = self.setup.place[i]
        block = self.setup.problem.blocks[block_number]
        a, c, pseudo = self._solved[block_number]
        u, jacobian = self.setup.expand(self.theta)
        if c.ndim == 3:
            rest = block.data - np.matmul(c, a.T[:, :, None])[:, :, 0].T
            local = block.local(u)
            slope = -np.matmul(pseudo, local(a.T[:, :, None])).transpose(2, 1, 0)  # (p, n, nw)
            slope = slope + block.own(u)
        else:
            rest = block.data - c @ a
            _, dc = block.basis(u, True)
            slope = -(pseudo @ dc) @ a
        slope = np.tensordot(jacobian[block.index], slope, axes=(0, 0))
        spread = sum(
            kernel.variance(pseudo[..., rows], rest[rows])
            for kernel, (number, rows) in zip(self.kernels, self.setup.place, strict=True)
            if number == block_number
        )
        self._moving[i] = slope, spread
        return slope, spread

    def _linear(self, i, transform=None):
        """Spectra of data set i and their errors, linearly transformed on request."""
        a = self._solved[self.setup.place[i][0]][0]
        to = self._to_own(i, transform)
        back = to(self._u)
        slope, spread = self._moved(i)
        slope = back @ slope
        if transform is not None or self.setup.own:
            for q in range(
                len(self.theta)
                # the transformation depends on the lifetimes too: derivative by a central step of
                # 10⁻⁵
            ):
                step = np.zeros(len(self.theta))
                step[q] = 1e-5
                up, down = (to(self.setup.expand(self.theta + sign * step)[0]) for sign in (1, -1))
                slope[q] += (up - down) / 2e-5 @ a
        white = np.einsum("in,wnm,im->iw", back, spread, back)
        shape = np.sum(slope * np.tensordot(self.covariance, slope, axes=(1, 0)), axis=0)
        scale = self.setup.segments[i].wavelength_weight
        value, error = back @ a / scale, np.sqrt(np.maximum(white + shape, 0)) / scale
        if self.null.shape[1]:
            along = np.linalg.norm(np.einsum("piw,pk->kiw", slope, self.null), axis=(0, 2))
            lost = along > errors.TOUCHED * np.linalg.norm(slope, axis=(0, 2))
            value[lost], error[lost] = np.nan, np.nan
        return value, error

    def oscillations(self, matrix: int | str = 0) -> tuple[Spectra, Spectra]:
        """Amplitude and phase of each oscillation over wavelength, with standard errors.

        Cosine and sine are taken as independent, as they are over several periods.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        amplitude, phase : Spectra
            OD, and rad of a cosine at zero time.
        """
        found = self.spectra(matrix)
        n = len(self.model.oscillations)
        first = found.names.index("oscillation 1 cosine")
        names = tuple(f"oscillation {i + 1}" for i in range(n))
        c, s = (found.values[first + i : first + 2 * n : 2] for i in (0, 1))
        ec, es = (found.standard_errors[first + i : first + 2 * n : 2] for i in (0, 1))
        size = np.maximum(np.hypot(c, s), 1e-300)
        error = np.hypot(c * ec, s * es) / size
        turn = np.hypot(s * ec, c * es) / size**2
        periods = tuple(
            self.optimum[self.setup.locals[self._which(matrix)][f"period_{i + 1}"]]
            for i in range(n)
        )
        return (
            Spectra(names, found.wavelength_nm, size, error, periods),
            Spectra(names, found.wavelength_nm, np.arctan2(s, c), turn, periods),
        )

    def residual_singular_values(self, matrix: int | str = 0):
        """Singular values of the residual, and its singular vectors; missing cells count as zero.

        Parameters
        ----------
        matrix : int or str
            Number or name of the data set.

        Returns
        -------
        values : ndarray, shape (k,)
            OD, k = min(nt, nw).
        left : ndarray, shape (nt, k)
            Over delays.
        right : ndarray, shape (k, nw)
            Over wavelengths.
        """
        left, s, right = np.linalg.svd(np.nan_to_num(self.residual(matrix)), full_matrices=False)
        return s, left, right


def global_fit(
    data,
    model: Model,
    *,
    parameters=None,
    link: Sequence[str] = ("tau", "fwhm", "dispersion"),
    shared_spectra: bool = False,
    own_spectra: Sequence[str] = (),
    starts: int = 2,
    seed: int = 0,
    max_evaluations: int = 300,
    noise: float | None = None,
) -> GlobalFit:
    """Fit one or several matrices.

    Parameters
    ----------
    data : Matrix, or sequence or mapping of them
    model : Model
    parameters : lmfit.Parameters or mapping, optional
        Start values, bounds and relations that replace those of the model; see `lmfit_parameters`.
    link : names
        Groups of parameters that several data sets share; t0 is each set's own by default.
    shared_spectra : bool
        The data sets (with the same wavelengths) also share their spectra, up to a factor
        `scale_<name>`.
    own_spectra : names
        Of the spectra (`Model.spectra`; `artefact` is all of the artefact's) that each set has for
        itself all the same.
    starts : int
        Further searches, from the most promising of a screen of random starts, beside the one from
        the model's start. 0: none.
    seed : int
        Of the screen.
    max_evaluations : int
        Of one search.
    noise : float, optional
        Standard deviation of the noise where it is known; a residual significantly above it is
        flagged.

    Returns
    -------
    GlobalFit

    Raises
    ------
    ValueError
        For data that no fit can use: fewer delays than parameters, no signal, unsorted delays; for
        an unknown name.

    References
    ----------
    .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657, 82
           (2004), doi:10.1016/j.bbabio.2004.04.011
    .. [2] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036
    """
    matrices = as_matrices(data)
    found, locals_, late = parameters_of(model, matrices, link, shared_spectra)
    if parameters is not None:
        found = overridden(found, parameters)
    if shared_spectra and any(
        not np.array_equal(m.wavelength_nm, matrices[0].wavelength_nm) for m in matrices
    ):
        raise ValueError(
            "shared spectra: expected the same wavelengths in all data sets, found different "
            "ones; interpolate or crop first"
        )
    for m in matrices:
        needed = len(model.spectra) + len(model.names)
        if len(m.delay_ps) <= needed:
            raise ValueError(
                f"{m.name}: expected more delays than the {needed} parameters per wavelength, "
                f"found {len(m.delay_ps)}"
            )
        if not np.nanmax(np.abs(m.signal)) > 0:
            raise ValueError(f"{m.name}: expected a signal, found zeros only")
    own = own_of(model, own_spectra)
    options = {
        "link": tuple(link),
        "shared_spectra": shared_spectra,
        "own_spectra": own,
        "starts": starts,
        "seed": seed,
        "noise": noise,
    }

    def fitted(found):
        setup = Setup(matrices, model, found, locals_, shared_spectra, late, own)
        best, minima = _search(setup, starts, seed, max_evaluations)
        return _result(*_ordered(setup, best, model), minima, matrices, options)

    fit = fitted(found)
    held = _unresolved(fit)
    if held:
        fit = fitted(
            [
                replace(p, value=held.get(p.name, p.value), vary=p.vary and p.name not in held)
                for p in found
            ]
        )
    said = [f"{UNRESOLVED}: {name} held at {width:.3g} ps" for name, width in held.items()]
    return replace(fit, flags=(*fit.flags, *said))


def _step(matrices) -> float:
    return min(float(np.diff(m.delay_ps).min()) for m in matrices)


def _unresolved(fit: GlobalFit) -> dict[str, float]:
    """Widths that a response far narrower than any step of the delays describes as well, and what
    to hold them at: the start, or what was found where the start is too wide."""
    setup, out = fit.setup, {}
    if "fwhm" in fit.model.bounds_ps:
        return out
    for j, name in enumerate(fit.free):
        width = float(np.exp(fit.theta[j])) if name.startswith("fwhm") else np.inf
        if not np.isfinite(width):
            continue
        if fit.minimum.at_bound[j] and fit.theta[j] <= setup.low[j]:
            out[name] = fit.model.fwhm_ps
        elif (
            width < _COARSE * _step(fit.matrices)
            and fit.model.narrow <= 1  # the derivatives of more are changes of the width
            and fit.covariance_white[j, j] > 0
        ):
            others = np.delete(fit.theta, j)
            ends = setup.low[j], np.log(fit.model.fwhm_ps)
            narrow, start = (errors.rise_at(fit, j, end, others)[0] < _SURE for end in ends)
            if narrow:
                out[name] = fit.model.fwhm_ps if start else width
    return out


def _search(setup: Setup, starts: int, seed: int, limit: int):
    theta0 = setup.start[setup.free]
    if len(theta0) == 0:
        found = minimise(setup.problem, theta0, max_evaluations=limit)
        return found, [found]
    # Where every wavelength has a basis of its own, a fit of some wavelengths goes before that of
    # all.
    widest = max(len(m.wavelength_nm) for m in setup.matrices)
    each = any(isinstance(b, (DispersedBlock, NormalBlock)) for b in setup.problem.blocks)
    heavy = widest > 2 * _THIN and each
    scout = setup.thinned(_THIN).problem if heavy else setup.problem
    found = [minimise(scout, theta0, max_evaluations=limit)]
    screened = []
    for theta in _candidates(setup, theta0, found[0], seed) if starts else ():
        theta = np.clip(theta, setup.low, setup.high)
        screened.append((scout.evaluate(theta, derivatives=False).cost, theta))
    screened.sort(key=lambda pair: pair[0])
    found += [minimise(scout, theta, max_evaluations=limit) for _, theta in screened[:starts]]
    found = _by_cost(found)
    if heavy:
        # The thinned data may rank minima otherwise than all: each of the best few different ones
        # is followed on the full data.
        followed = []
        for m in found:
            near = any(abs(m.cost - k.cost) < 1e-6 * k.cost for k in followed)
            if not near and len(followed) < 3 and m.cost < 1.1 * found[0].cost:
                followed.append(m)
        found = _by_cost(
            [minimise(setup.problem, m.theta, max_evaluations=limit) for m in followed]
        )
    return found[0], found


def _by_cost(found):
    """Minima, lowest first. Of those that rounding alone tells apart, which may be one with its
    decays exchanged, that of the earliest search comes first: it keeps the names that were given
    to it."""
    lowest = min(m.cost for m in found)
    tied = [m for m in found if m.cost <= lowest * (1 + _TIED)]
    return tied + sorted((m for m in found if m.cost > lowest * (1 + _TIED)), key=lambda m: m.cost)


def _candidates(setup: Setup, theta0, first, seed):
    """Random starts: lifetimes spread over everything the delays can tell; centre, width and
    dispersion as given, as found, or moved."""
    rng = np.random.default_rng(seed)
    names = [setup.names[i] for i in setup.free]
    kinetic = np.array([i for i, n in enumerate(names) if n.startswith("tau")], int)
    widths = [i for i, n in enumerate(names) if n.startswith("fwhm")]
    centres = [i for i, n in enumerate(names) if n.startswith("t0")]
    bends = [i for i, n in enumerate(names) if n.startswith("dispersion")]
    step = _step(setup.matrices)
    last = max(float(m.delay_ps[-1]) for m in setup.matrices)
    width = setup.model.fwhm_ps if setup.model.irf == "gaussian" else step
    low, high = np.log(max(step, 0.5 * width)), np.log(max(2 * last, 10 * step))
    groups: dict[str, list[int]] = {}
    for i in kinetic:  # sets with lifetimes of their own start alike
        groups.setdefault("_".join(names[i].split("_")[:2]), []).append(i)
    if not len(theta0):
        return
    for j in range(_SCREENED):
        theta = theta0.copy() if j % 2 else first.theta.copy()
        # One lifetime in each of as many equal strata, so that they are apart.
        edges = np.linspace(low, high, len(groups) + 1)
        draw = edges[:-1] + rng.random(len(groups)) * np.diff(edges)
        for members, value in zip(groups.values(), draw, strict=True):
            theta[members] = value
        if j % 4 > 1:
            theta[widths] += rng.uniform(-1.2, 1.2, len(widths))
            theta[centres] += width * rng.standard_normal(len(centres))
            theta[bends] *= rng.uniform(0.5, 1.5, len(bends))
        yield theta


def _ordered(setup: Setup, best: Minimum, model: Model):
    """Fastest lifetime first, where the lifetimes are interchangeable (no other bounds, no
    relations)."""
    if model.scheme is not None or setup.relations or len(model.lifetimes_ps) < 2:
        return setup, best
    theta = best.theta.copy()
    place = {setup.names[i]: j for j, i in enumerate(setup.free)}
    changed = False
    for local in setup.locals:
        names = [local[f"tau_{i + 1}"] for i in range(len(model.lifetimes_ps))]
        mine = [place[n] for n in names if n in place]
        if len(mine) < len(names) or not (
            np.ptp(setup.low[mine]) == 0 and np.ptp(setup.high[mine]) == 0
        ):
            continue
        order = np.argsort(theta[mine], kind="stable")
        if np.any(order != np.arange(len(order))):
            theta[mine] = theta[mine][order]
            changed = True
    if changed:
        check = setup.problem.evaluate(theta, derivatives=False).cost
        if (
            not abs(check - best.cost) <= 1e-9 * setup.problem.total
        ):  # sets share some lifetimes only: leave them as they are
            return setup, best
        at_bound = (theta <= setup.low) | (theta >= setup.high)
        best = replace(best, theta=theta, at_bound=at_bound)
    return setup, best


def _result(setup: Setup, best: Minimum, minima, matrices, options) -> GlobalFit:
    now = setup.problem.evaluate(best.theta, covariance=True)
    dof = setup.size + len(setup.model.equal_areas) - setup.linear - len(best.theta)
    now.rows = setup.ordered(now.rows)
    widths = [setup.problem.blocks[number].shape[1] for number, _ in setup.place]
    kernels = tuple(noise.kernel(*each) for each in zip(now.rows, widths, strict=True))
    scores, even = errors.residual_scores(now.rows, kernels)
    trust = errors.covariances(setup, now, best, scores, even, dof)
    determined = errors.combinations(setup, best.theta, trust)
    estimates = _estimates(setup, best, trust)
    distinct = _distinct(setup, minima, sum(k.total_degrees for k in kernels))
    said = errors.flags(setup, now, best, estimates, trust, determined, options["noise"], distinct)
    return GlobalFit(
        setup.model,
        tuple(matrices),
        estimates,
        tuple(setup.names[i] for i in setup.free),
        best.theta,
        trust.covariance,
        trust.white,
        now.cost,
        setup.size,
        dof,
        best,
        distinct,
        said,
        trust.null,
        determined[1],
        kernels,
        now.rows,
        options,
        setup,
    )


def _estimates(setup: Setup, best: Minimum, trust) -> tuple[Estimate, ...]:
    u, jacobian = setup.expand(best.theta)
    variance = np.einsum("ip,pq,iq->i", jacobian, trust.covariance, jacobian)
    lost = errors.touches(jacobian, trust.null) & np.any(jacobian != 0, axis=1)
    bound = np.any(jacobian[:, best.at_bound] != 0, axis=1)
    out = []
    for i, p in enumerate(setup.parameters):
        value = float(np.exp(u[i]) if setup.logarithmic[i] else u[i])
        error, fitted = None, i in setup.free or i in setup.relations
        if fitted:
            error = float(np.sqrt(max(variance[i], 0))) * (value if setup.logarithmic[i] else 1.0)
        if fitted and (lost[i] or bound[i]):
            value, error = (np.nan if lost[i] else value), np.nan
        unit = next((u for start, u in _UNITS.items() if p.name.startswith(start)), "ps")
        at_bound = i in setup.free and bool(bound[i])
        out.append(Estimate(p.name, value, error, unit, i in setup.free, at_bound, p.relation))
    return tuple(out)


def _distinct(setup, minima, degrees: float) -> tuple[FoundMinimum, ...]:
    """Each different minimum found, best first."""
    out: list[FoundMinimum] = []
    lowest = max(min(m.cost for m in minima), 1e-300)
    for m in sorted(minima, key=lambda m: m.cost):
        u, _ = setup.expand(m.theta)
        with np.errstate(divide="ignore"):
            tau = tuple(float(x) for x in np.sort(1 / setup.segments[0].rates(u)[0]))
        for j, known in enumerate(out):
            alike = np.allclose(np.log(known.lifetimes_ps), np.log(tau), atol=0.02)
            if alike or abs(m.cost - known.cost) < 1e-7 * known.cost:
                out[j] = replace(known, count=known.count + 1)
                break
        else:
            rise = degrees * (m.cost - lowest) / lowest
            out.append(FoundMinimum(float(m.cost), float(rise), tau, 1))
    return tuple(out)
