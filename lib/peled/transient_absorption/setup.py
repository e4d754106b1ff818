"""What a fit consists of: named parameters with bounds and relations, and data sets as blocks of
one separable problem.

Translates between names (`tau_2`, `t0_after`), search coordinates (logarithms of times and widths)
and the columns of each set's model matrix.
"""

from __future__ import annotations

import copy
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peled.separable import DispersedBlock, Problem, SharedBlock
from peled.transient_absorption.dispersed import NormalBlock, usable
from peled.transient_absorption.irf import FWHM_PER_SIGMA, MeasuredIRF, columns
from peled.transient_absorption.preprocess import Matrix, correct_chirp, estimate_t0
from peled.transient_absorption.restricted import RestrictedBlock, Rules, placed
from peled.transient_absorption.schemes import Model, Relation
from peled.transient_absorption.terms import LOGARITHMIC, FreeInduction

_LINE = 5.0  # 1/cm
_CHUNK = 16000  # points whose model matrices fit a processor's cache


@dataclass(frozen=True)
class Parameter:
    """A non-linear parameter: a value or a relation, within bounds. Times in ps."""

    name: str
    value: float
    low: float = -np.inf
    high: float = np.inf
    vary: bool = True
    relation: str = ""

    @property
    def logarithmic(self) -> bool:
        return self.name.startswith(("tau", "fwhm", "size", "guide", "population", *LOGARITHMIC))


class Segment:
    """One data set inside a block: how its columns follow from the coordinates.

    `data` (nt, nw) is weighted and zero where points are missing, `delay_weight` (nt,),
    `wavelength_weight` (nw,) and, where weights do not factorise, `point_weight` (nw, nt) are the
    weights in it.
    """

    def __init__(
        self,
        matrix: Matrix,
        model: Model,
        position: Mapping[str, int],
        local: Mapping[str, str],
        weighted,
    ):
        self.matrix, self.model = matrix, model
        self.data, self.delay_weight, self.wavelength_weight, self.point_weight = weighted
        self.kinetic = np.array([position[local[name]] for name in model.kinetic_names], int)
        self.terms = model.terms
        self.moved = np.array([position[local[name]] for name in model.term_names], int)
        self.t0 = position[local["t0"]]
        self.fwhm = position[local["fwhm"]] if model.irf == "gaussian" else None
        self.dispersion = np.array(
            [position[local[f"dispersion_{i + 1}"]] for i in range(len(model.dispersion))], int
        )
        self.scale = position.get(local.get("scale", ""), None)
        width = [] if self.fwhm is None else [self.fwhm]
        scale = [] if self.scale is None else [self.scale]
        self.index = np.array(
            [*self.kinetic, *self.moved, self.t0, *width, *self.dispersion, *scale], int
        )
        self.populations, self.sizes, self.guides = (
            np.array([position[local[name]] for name in names], int)
            for names in (model.population_names, model.sizes, model.guide_names)
        )
        self.powers = model.dispersion_terms(matrix.wavelength_nm)
        self._said: dict = {}

    @property
    def apart(self) -> bool:
        """Whether the columns differ from wavelength to wavelength."""
        return bool(len(self.dispersion)) or any(isinstance(t, FreeInduction) for t in self.terms)

    @property
    def present(self) -> np.ndarray:
        """Which points were measured, shape (nt, nw)."""
        return (
            np.ones(self.data.shape, bool) if self.point_weight is None else self.point_weight.T > 0
        )

    @property
    def weights(self) -> np.ndarray:
        """Weight of each point, shape (nt, nw)."""
        if self.point_weight is None:
            return self.delay_weight[:, None] * self.wavelength_weight
        return self.point_weight.T

    def unweighted(self) -> Segment:
        """The same set with all points measured and alike."""
        out = copy.copy(self)
        out.point_weight, out.delay_weight = None, np.ones_like(self.delay_weight)
        return out

    def part(self, wavelengths) -> Segment:
        """The same set at some of its wavelengths, by index.

        Parameters
        ----------
        wavelengths : slice or int array

        Returns
        -------
        Segment
        """
        out = copy.copy(self)
        out.matrix = self.matrix.take(wavelengths=wavelengths)
        out.data, out.powers = self.data[:, wavelengths], self.powers[:, wavelengths]
        out.wavelength_weight = self.wavelength_weight[wavelengths]
        out.point_weight = None if self.point_weight is None else self.point_weight[wavelengths]
        return out

    def shift(self, u) -> np.ndarray:
        """Zero time of each wavelength.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        ndarray, shape (nw,)
            ps.
        """
        return u[self.t0] + u[self.dispersion] @ self.powers

    def rates(self, u):
        """Decay rates and their derivatives, as `Model.rates`.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        k : ndarray, shape (components,)
            1/ps.
        derivatives : ndarray, shape (components, kinetic parameters)
            1/ps.
        """
        return self._known("rates", u[self.kinetic])

    def species(self, u):
        """What makes the species' columns of those of the model, as `Model.species`.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        t : ndarray, shape (columns, species)
        derivatives : ndarray, shape (kinetic parameters + populations, columns, species)
        """
        return self._known("species", u[self.kinetic], u[self.populations])

    def _known(self, name, *coordinates):
        """What the model says of these coordinates: once, for all parts of the set."""
        key = name, *(each.tobytes() for each in coordinates)
        if key not in self._said:
            if len(self._said) > 8:
                self._said.clear()
            self._said[key] = getattr(self.model, name)(*coordinates)
        return self._said[key]

    def _columns(self, x, u, derivatives):
        """Columns of decays, offset and artefact, see `irf.columns`."""
        k, dk_du = self.rates(u)
        s = np.exp(u[self.fwhm]) / FWHM_PER_SIGMA if self.fwhm is not None else None
        m = self.model
        irf = m.irf if isinstance(m.irf, MeasuredIRF) else None
        return dk_du, columns(
            x,
            k,
            s,
            infinite=m.infinite,
            offset=m.offset,
            artefact=m.narrow,
            period=m.period_ps,
            irf=irf,
            derivatives=derivatives,
        )

    def _with_terms(self, x, u, made, derivatives):
        """Columns and their derivatives by x and ln s with those of the terms behind them, and the
        latter by the terms' own parameters: (position among these, columns, values) each."""
        if not self.terms:
            return made, []
        s = np.exp(u[self.fwhm]) / FWHM_PER_SIGMA if self.fwhm is not None else None
        whole, slopes = [[part] for part in made], []
        parameter, column = 0, made[0].shape[-1]
        for term in self.terms:
            v = u[self.moved[parameter : parameter + len(term.names)]]
            c, d, dx, ds = term.made(v, x, s, self, derivatives)
            own = slice(column, column + len(term.spectra))
            slopes += [(parameter + j, own, each) for j, each in enumerate(() if d is None else d)]
            for parts, more in zip(whole, (c, None, dx, ds), strict=True):
                if more is not None:
                    parts.append(more)
            parameter, column = parameter + len(term.names), own.stop
        return [p[0] if len(p) == 1 else np.concatenate(p, -1) for p in whole], slopes

    def shared(self, u, derivatives):
        """C (nt, n) and ∂C/∂u (p, nt, n), weighted per delay.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (nt, n)
        slopes : ndarray, shape (p, nt, n), or None
            By the coordinates of `index`.
        """
        x = self.matrix.delay_ps - u[self.t0]
        dk_du, made = self._columns(x, u, derivatives)
        (c, dk, dx, ds), slopes = self._with_terms(x, u, made, derivatives)
        w = self.delay_weight[:, None]
        scale = u[self.scale] if self.scale is not None else 1.0
        if not derivatives:
            return c * (w * scale), None
        p, n = len(self.index), dk_du.shape[0]
        dc = np.zeros((p, *c.shape))
        if self.model.scheme is None:
            for i in range(n):
                dc[i, :, i] = dk[:, i] * dk_du[i, i]
        elif n:
            dc[: len(self.kinetic), :, :n] = np.einsum("ti,im->mti", dk[:, :n], dk_du)
        for parameter, own, moved in slopes:
            dc[len(self.kinetic) + parameter, :, own] = moved
        at = len(self.kinetic) + len(self.moved)
        dc[at] = -dx
        if self.fwhm is not None:
            dc[at + 1] = ds
        dc *= w * scale
        if self.scale is not None:
            dc[-1] = c * w
        return c * (w * scale), dc

    def _chirped_columns(self, shift, u, derivatives):
        """`_columns` for every wavelength's own centre; the special functions only for delays that
        any response reaches.

        Before all responses everything is zero. 9.5 standard deviations after all of them a decay
        is exp(k²s²/2 − kx) to double precision (a rate above 8/s leaves nothing there), which is a
        product of a delay and a wavelength factor.
        """
        t, m = self.matrix.delay_ps, self.model
        if self.fwhm is None or m.period_ps is not None:
            return self._columns(t[None, :] - shift[:, None], u, derivatives)
        s = np.exp(u[self.fwhm]) / FWHM_PER_SIGMA
        first, last = np.searchsorted(t, [shift.min() - 9.5 * s, shift.max() + 9.5 * s])
        dk_du, near = self._columns(t[None, first:last] - shift[:, None], u, derivatives)
        if first == 0 and last == len(t):
            return dk_du, near
        k, _ = self.rates(u)
        n, nw = len(k), len(shift)
        late, latest = t[last:], shift.max()
        factor = np.where(
            k * s < 8, np.exp((shift[:, None] - latest) * k + 0.5 * np.minimum(k * s, 8) ** 2), 0.0
        )
        decay = np.exp(-(late[:, None] - latest) * k)[None] * factor[:, None, :]

        def whole(part, columns_):
            if part is None:
                return None
            out = np.zeros((nw, len(t), columns_))
            out[:, first:last] = part
            return out

        c, dk, dx, ds = (
            whole(part, n if i == 1 else near[0].shape[-1]) for i, part in enumerate(near)
        )
        c[:, last:, :n] = decay
        if m.infinite:
            c[:, last:, n] = 1.0
        if m.offset:
            c[:, :, n + m.infinite] = 1.0
        after = (late[None, :] - shift[:, None])[:, :, None]
        if derivatives:
            dk[:, last:, :n] = (k * s * s - after) * decay
            dx[:, last:, :n] = -k * decay
            ds[:, last:, :n] = (s * k) ** 2 * decay
        return dk_du, (c, dk, dx, ds)

    def dispersed(self, u, derivatives):
        """C (nw, nt, n) and its derivatives applied to spectra, weighted per point.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool

        Returns
        -------
        c : ndarray, shape (nw, nt, n)
        slopes : callable or None
            As the basis of a `DispersedBlock` gives it.
        """
        shift = self.shift(u) if self.apart else u[[self.t0]]
        dk_du, made = self._chirped_columns(shift, u, derivatives)
        x = self.matrix.delay_ps[None, :] - shift[:, None] if self.terms else None
        (c, dk, dx, ds), slopes = self._with_terms(x, u, made, derivatives)
        w = self.point_weight
        if w is None and np.any(self.delay_weight != 1):
            w = self.delay_weight[None, :]
        scale = None if self.scale is None else u[self.scale]
        if w is not None:
            c = c * w[:, :, None]
        whole = np.broadcast_to(
            c if scale is None else c * scale, (self.data.shape[1], *c.shape[1:])
        )
        if not derivatives:
            return whole, None
        return whole, _Derivatives(self, c, dk, dk_du, dx, ds, slopes, w, scale)


class _Derivatives:
    """∂C/∂u of a dispersed segment, applied to spectra (or to any matrix) without being formed."""

    def __init__(self, segment, c, dk, dk_du, dx, ds, slopes, w, scale):
        self.segment, self.c, self.slopes = segment, c, slopes
        self.dk, self.dk_du, self.dx, self.ds = dk, dk_du, dx, ds
        self.w, self.scale = w, scale

    def __call__(self, a):
        """(∂C/∂u_p)·A for A (nw, n, 1): shape (nw, nt, p)."""
        s, n = self.segment, self.dk_du.shape[0]
        kinetic = len(s.kinetic) + len(s.moved)
        out = np.zeros((len(a), self.dx.shape[1], len(s.index)))  # scaled before its last is set
        if s.model.scheme is None:
            each = self.dk_du.diagonal() * a[:, :n, 0]
            out[:, :, :n] = self.dk[..., :n] * each[:, None, :]
        else:
            out[:, :, : len(s.kinetic)] = np.matmul(self.dk[..., :n], a[:, :n] * self.dk_du)
        for parameter, own, moved in self.slopes:
            out[:, :, len(s.kinetic) + parameter] = np.matmul(moved, a[:, own])[:, :, 0]
        early = -np.matmul(self.dx, a)[:, :, 0]
        out[:, :, kinetic] = early
        at = kinetic + 1
        if s.fwhm is not None:
            out[:, :, at] = np.matmul(self.ds, a)[:, :, 0]
            at += 1
        for j in range(len(s.dispersion)):
            out[:, :, at + j] = early * s.powers[j][:, None]
        if self.w is not None:
            out *= self.w[:, :, None]
        if self.scale is not None:
            out *= self.scale
            out[:, :, -1] = np.matmul(self.c, a)[:, :, 0]
        return out

    def against(self, rest):
        """Σ over the delays of rest (nw, nt, 1) times ∂C/∂u: shape (nw, p, n)."""
        s, n = self.segment, self.dk_du.shape[0]
        rest = np.swapaxes(rest, 1, 2)
        scaled = np.matmul(rest, self.c) if self.scale is not None else None
        if self.w is not None:
            rest = rest * self.w[:, None, :]
        kinetic = len(s.kinetic) + len(s.moved)
        out = np.zeros((len(rest), len(s.index), self.dx.shape[2]))
        out[:, : len(s.kinetic), :n] = np.matmul(rest, self.dk[..., :n]) * self.dk_du.T
        for parameter, own, moved in self.slopes:
            out[:, len(s.kinetic) + parameter, own] = np.matmul(rest, moved)[:, 0]
        early = -np.matmul(rest, self.dx)[:, 0]
        out[:, kinetic] = early
        at = kinetic + 1
        if s.fwhm is not None:
            out[:, at] = np.matmul(rest, self.ds)[:, 0]
            at += 1
        for j in range(len(s.dispersion)):
            out[:, at + j] = early * s.powers[j][:, None]
        if self.scale is not None:
            out *= self.scale
            out[:, -1] = scaled[:, 0]
        return out


class _Placed:
    """∂C/∂u of one of several segments, applied to spectra of which `columns` are its own."""

    def __init__(self, part, columns):
        self.part, self.columns = part, columns

    def __call__(self, a):
        return self.part(a[:, self.columns])


class Setup:
    """The parameters and blocks of one fit; keeps the translation between names, coordinates and
    data sets.

    `late` names the sets whose signal is there from the first delay on: their zero time and
    response are held. `own` are the spectra, among `Model.spectra`, that sets which share the
    others have each for itself; `columns` says of each set which of its block's spectra are its.
    """

    def __init__(
        self,
        matrices: Sequence[Matrix],
        model: Model,
        parameters: Sequence[Parameter],
        locals_: Sequence[Mapping[str, str]],
        shared_spectra: bool,
        late: Sequence[str] = (),
        own: Sequence[str] = (),
    ):
        self.own = tuple(own) if shared_spectra else ()
        self.matrices, self.model, self.parameters = tuple(matrices), model, tuple(parameters)
        self.shared_spectra, self.locals, self.late = shared_spectra, tuple(locals_), tuple(late)
        self.names = [p.name for p in parameters]
        self.position = {name: i for i, name in enumerate(self.names)}
        self.logarithmic = np.array([p.logarithmic for p in parameters])
        self.relations = _relations(parameters)
        self.free = [i for i, p in enumerate(parameters) if p.vary and not p.relation]
        self.start = np.array(
            [
                np.log(p.value) if log else p.value
                for p, log in zip(parameters, self.logarithmic, strict=True)
            ]
        )
        low = np.array([p.low for p in parameters], float)
        high = np.array([p.high for p in parameters], float)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.low = np.where(self.logarithmic, np.log(np.maximum(low, 0)), low)[self.free]
            self.high = np.where(self.logarithmic, np.log(np.maximum(high, 0)), high)[self.free]
        self.selection = np.zeros((len(parameters), len(self.free)))
        self.selection[self.free, np.arange(len(self.free))] = 1.0
        self.segments = [
            Segment(m, model, self.position, local, _weighted(m, shared_spectra))
            for m, local in zip(matrices, locals_, strict=True)
        ]
        self._make_problem()

    def thinned(self, count: int) -> Setup:
        """The same fit on about `count` wavelengths of each set.

        Parameters
        ----------
        count : int

        Returns
        -------
        Setup
        """
        return Setup(
            [_thin(m, count) for m in self.matrices],
            self.model,
            self.parameters,
            self.locals,
            self.shared_spectra,
            self.late,
            self.own,
        )

    def _make_problem(self):
        groups = [self.segments] if self.shared_spectra else [[s] for s in self.segments]
        self.place, self.columns, blocks, guides = [], [], [], []
        for number, group in enumerate(groups):
            columns_ = _places(self.model.spectra, self.own, len(group))
            blocks.append(self._block(group, columns_))
            self.columns += columns_
            row = 0
            for s in group:
                self.place.append((number, slice(row, row + len(s.data))))
                row += len(s.data)
            guides += [(number, own) for own in blocks[-1].sets[len(group) :]]
        self.place += guides
        self.problem = Problem(blocks, self.expand, self.low, self.high, self._reach())
        self.linear = sum(
            block.rules.free
            if self.model.restricted
            else (len(self.model.spectra) + len(self.own) * (len(group) - 1)) * block.shape[1]
            for block, group in zip(blocks, groups, strict=True)
        )
        self.size = sum(int(np.count_nonzero(s.present)) for s in self.segments)
        self.size += sum(len(b.rules.guides) * b.shape[1] for b in blocks if self.model.restricted)

    def ordered(self, rows) -> tuple:
        """Rows of an evaluation in the order of `place`: those of the data sets, then of guides.

        Parameters
        ----------
        rows : sequence
            In that of the blocks.

        Returns
        -------
        tuple
        """
        at = sorted(range(len(rows)), key=lambda j: (self.place[j][0], self.place[j][1].start))
        return tuple(rows[j] for j in np.argsort(at))

    def _reach(self) -> np.ndarray:
        """What counts as one in each free coordinate: a factor e, a picosecond at zero time or at
        the wavelength that a dispersion moves most, the width of a line in wavenumbers."""
        out = np.array([_LINE if p.name.startswith("line") else 1.0 for p in self.parameters])
        for s in self.segments:
            furthest = np.abs(s.powers).max(axis=1, initial=0.0)
            out[s.dispersion] = 1 / np.maximum(furthest, 1e-300)
        return out[self.free]

    def _block(self, group, columns_):
        """The block of segments that share their spectra, or those but their own."""
        model, first = self.model, group[0]
        if model.restricted or first.apart or any(s.point_weight is not None for s in group):
            rules = Rules.of(group, columns_)
            if model.restricted:
                every = [np.arange(len(model.columns))] * len(group)
                exact = _blocks(group, RestrictedBlock, every, rules)
            else:
                exact = _blocks(group, DispersedBlock, columns_)
            return NormalBlock(exact, rules) if usable(model) and rules.local else exact
        if len(group) == 1:
            return SharedBlock(first.data, first.shared, first.index)
        data = np.concatenate([s.data for s in group])
        index, sets = np.concatenate([s.index for s in group]), [len(s.data) for s in group]
        return SharedBlock(data, _stacked(group, columns_), index, sets=sets)

    def expand(self, theta):
        """The full coordinate vector and its Jacobian by the free ones.

        Parameters
        ----------
        theta : ndarray, shape (free,)

        Returns
        -------
        u : ndarray, shape (parameters,)
            Logarithms where `logarithmic` is true.
        jacobian : ndarray, shape (parameters, free)

        Raises
        ------
        ValueError
            If a relation gives such a parameter a value that is not positive.
        """
        u = self.start.copy()
        u[self.free] = theta
        if not self.relations:
            return u, self.selection
        values = {
            name: float(np.exp(u[i]) if self.logarithmic[i] else u[i])
            for name, i in self.position.items()
            if i not in self.relations
        }
        jacobian = self.selection.copy()
        for i, relation in self.relations.items():
            value, slopes = relation.value(values)
            if self.logarithmic[i] and not value > 0:
                raise ValueError(
                    f"{self.names[i]} = {relation.text}: expected a positive value, found "
                    f"{value:.4g}"
                )
            u[i] = np.log(value) if self.logarithmic[i] else value
            for name, slope in slopes.items():
                j = self.position[name]
                jacobian[i] += (
                    slope
                    * (values[name] if self.logarithmic[j] else 1.0)
                    / (value if self.logarithmic[i] else 1.0)
                    * self.selection[j]
                )
        return u, jacobian


def _relations(parameters) -> dict[int, Relation]:
    """Relations by the position of the parameter they set."""
    out = {i: Relation(p.relation) for i, p in enumerate(parameters) if p.relation}
    independent = {p.name for p in parameters if not p.relation}
    for i, relation in out.items():
        unknown = [n for n in relation.names if n not in independent]
        if unknown:
            raise ValueError(
                f"{parameters[i].name} = {relation.text}: expected names of independent "
                f"parameters, found {', '.join(unknown)}"
            )
    return out


def _thin(matrix: Matrix, count: int) -> Matrix:
    if len(matrix.wavelength_nm) <= count:
        return matrix
    keep = np.unique(np.linspace(0, len(matrix.wavelength_nm) - 1, count).astype(int))
    return matrix.take(wavelengths=keep)


def own_of(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    """The spectra that names or groups of them (first words) stand for.

    Parameters
    ----------
    model : Model
    names : sequence of str

    Returns
    -------
    tuple of str
        In the order of `Model.spectra`.

    Raises
    ------
    ValueError
        For names that no spectrum has, and for a spectrum that is known.
    """
    every = {word for name in model.spectra for word in (name, name.split()[0])}
    bad = [name for name in names if name not in every or name in model.known]
    if bad:
        raise ValueError(
            f"own spectra: expected some of {', '.join(model.spectra)} that are not known, found "
            f"{', '.join(bad)}"
        )
    return tuple(n for n in model.spectra if n in names or n.split()[0] in names)


def _places(spectra, own, sets: int) -> list[np.ndarray]:
    """Which spectra of a block are each set's: those of the first come first, then what the others
    have of their own."""
    mine = np.flatnonzero([name in own for name in spectra])
    out = [np.arange(len(spectra)) for _ in range(sets)]
    for j, columns_ in enumerate(out[1:]):
        columns_[mine] = len(spectra) + j * len(mine) + np.arange(len(mine))
    return out


def _blocks(group, kind, columns_, *rules):
    """One block of segments with a model matrix for each wavelength, in chunks of about `_CHUNK`
    points. `columns_` are those of each segment among all."""

    def basis(segments):
        def made(u, derivatives):
            parts = [s.dispersed(u, derivatives) for s in segments]
            if len(parts) == 1:
                return parts[0][0], parts[0][1:]
            number = columns_[-1].max() + 1
            each = list(zip(parts, columns_, strict=True))
            c = np.concatenate([placed(c, at, number) for (c, _), at in each], axis=1)
            if not derivatives:
                return c, None
            return c, [d if len(at) == number else _Placed(d, at) for (_, d), at in each]

        return made

    def block(segments, rules, chunks=()):
        data = np.concatenate([s.data for s in segments])
        present = np.concatenate([s.present for s in segments])
        index, sets = [s.index for s in segments], [len(s.data) for s in segments]
        return kind(data, basis(segments), index, present, *rules, sets=sets, chunks=chunks)

    nw, nt = group[0].data.shape[1], sum(len(s.data) for s in group)
    number = min(nt * nw // _CHUNK, nw)
    parts = np.array_split(np.arange(nw), number) if number > 1 else []
    chunks = [block([s.part(part) for s in group], [r.part(part) for r in rules]) for part in parts]
    return block(group, rules, chunks)


def _stacked(segments, columns_):
    number = columns_[-1].max() + 1
    offsets = np.cumsum([0, *(len(s.index) for s in segments)])

    def basis(u, derivatives):
        made = [s.shared(u, derivatives) for s in segments]
        c = np.concatenate([placed(m[0], at, number) for m, at in zip(made, columns_, strict=True)])
        if not derivatives:
            return c, None
        dc = np.zeros((offsets[-1], *c.shape))
        row = 0
        for j, (part, dpart) in enumerate(made):
            own = slice(offsets[j], offsets[j + 1]), slice(row, row + len(part))
            dc[own] = placed(dpart, columns_[j], number)
            row += len(part)
        return c, dc

    return basis


def _weighted(matrix: Matrix, together: bool):
    """Weighted data, weights per delay and per wavelength where they factorise, else per point (nw,
    nt); missing points weigh nothing. Sets that go `together`, with common spectra, have no weights
    of their own for these."""
    signal, error = matrix.signal, matrix.standard_error
    nt, nw = signal.shape
    missing = ~np.isfinite(signal)
    if error is None and not missing.any():
        return signal, np.ones(nt), np.ones(nw), None
    if error is None:
        weight = np.ones_like(signal)
    else:
        if np.any(~missing & ~(np.isfinite(error) & (error > 0))):
            raise ValueError(
                f"{matrix.name}: standard errors: expected positive finite values, found others; "
                "mask those points first"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = 1 / error
        if not missing.any() and not together:
            delay, wavelength = weight[:, 0] / weight[0, 0], weight[0]
            if np.allclose(weight, delay[:, None] * wavelength, rtol=1e-12, atol=0):
                return signal * weight, delay, wavelength, None
    weight = np.where(missing, 0.0, weight)
    return (
        np.where(missing, 0.0, signal) * weight,
        np.ones(nt),
        np.ones(nw),
        np.ascontiguousarray(weight.T),
    )


def parameters_of(
    model: Model,
    matrices: Sequence[Matrix],
    link: Sequence[str] = ("tau", "fwhm", "dispersion"),
    shared_spectra: bool = False,
):
    """The parameters of a fit with start values and bounds, and each data set's names for them.

    Default bounds: lifetimes between a hundredth of the smallest step and a thousand windows,
    widths from a twentieth of the step (with an artefact from the step) on, the centre inside the
    window. Where no zero time is given and the signal is there from the first delay on, zero time
    is put before the delays by four widths and held with the response.

    Parameters
    ----------
    model : Model
    matrices : sequence of Matrix
    link : sequence of str
        Groups (`tau`, `t0`, `fwhm`, `dispersion`, or a single name such as `tau_2`) that all data
        sets share; other parameters get the data set's name as suffix.
    shared_spectra : bool

    Returns
    -------
    parameters : list of Parameter
    names : list of dict
        Of each data set.
    early : list
        Sets whose signal is there from the first delay on.

    Raises
    ------
    ValueError
        If `link` holds an unknown name.
    """
    bad = [
        name
        for name in link
        if name not in ("tau", "t0", "fwhm", "dispersion") and name not in model.names
    ]
    if bad:
        raise ValueError(
            "link: expected tau, t0, fwhm, dispersion or names of parameters, found "
            f"{', '.join(bad)}"
        )
    parameters: dict[str, Parameter] = {}
    locals_, late = [], []
    shape = () if model.law is None else model.law.names  # goes with the lifetimes
    tied = {name for pair in model.equal_areas for name in (pair.first, pair.second)}
    untied = [
        name
        for name, species in zip(model.population_names, model.populations, strict=True)
        if species not in tied
    ]
    for j, m in enumerate(matrices):
        step, span = float(np.diff(m.delay_ps).min()), float(np.ptp(m.delay_ps))
        given = model.t0_ps is not None
        if not given and model.irf == "gaussian" and m.rise.late:
            late.append(m.name)
        if given or model.irf is None:
            t0 = model.t0_ps if given else float(m.delay_ps[0])
        else:
            t0 = m.delay_ps[0] - 4 * model.fwhm_ps if m.name in late else _centre(m, model)
        start = {
            "t0": t0,
            "fwhm": model.fwhm_ps,
            **dict(zip(model.kinetic_names, model.kinetic_start, strict=True)),
            **dict(zip(model.term_names, [x for t in model.terms for x in t.start], strict=True)),
            **dict.fromkeys((*model.sizes, *model.guide_names), 1.0),
            **dict(zip(model.population_names, model.population_start, strict=True)),
            **{f"dispersion_{i + 1}": d for i, d in enumerate(model.dispersion)},
        }
        bounds = {
            **{
                n: b
                for t in model.terms
                for n, b in zip(t.names, t.bounds(step, span), strict=True)
            },
            **dict.fromkeys(
                (*model.sizes, *model.guide_names, *model.population_names), (1e-6, 1e6)
            ),
            "t0": (float(m.delay_ps[0]) - span, float(m.delay_ps[-1])),
            # an artefact narrower than a step takes up single delays, each wavelength others
            "fwhm": (step if model.narrow else step / 20, span),
        }
        local = {}
        for name in model.names:
            linked = len(matrices) == 1 or name in link or name.split("_")[0] in link
            linked |= name in shape and "tau" in link
            linked |= name in (*model.sizes, *model.guide_names) and shared_spectra
            full = name if linked else f"{name}_{identifier(m.name)}"
            local[name] = full
            low, high = model.bounds_ps.get(
                name,
                bounds.get(
                    name, (step / 100, span * 1000) if name.startswith("tau") else (-np.inf, np.inf)
                ),
            )
            if full not in parameters:
                held = name in model.fixed or (name == "t0" and model.irf is None)
                held |= name.startswith(("t0", "fwhm", "dispersion")) and m.name in late
                held |= name in untied and (not j or not shared_spectra)
                widened = (
                    (low, high)
                    if name in model.bounds_ps
                    else (min(low, start[name]), max(high, start[name]))
                )
                parameters[full] = Parameter(full, start[name], *widened, vary=not held)
        if shared_spectra and j:
            local["scale"] = f"scale_{identifier(m.name)}"
            parameters[local["scale"]] = Parameter(local["scale"], 1.0)
        locals_.append(local)
    return list(parameters.values()), locals_, late


def _centre(m: Matrix, model: Model) -> float:
    """Zero time at the reference wavelength: from the rise, less what a given dispersion makes of
    it."""
    if not model.dispersion or not m.rise.seen:
        return estimate_t0(m)
    delay = np.asarray(model.dispersion) @ model.dispersion_terms(m.wavelength_nm)
    straight = correct_chirp(m, lambda _: delay, keep_zero=False)
    return estimate_t0(straight)


def lmfit_parameters(
    model: Model,
    data,
    *,
    link: Sequence[str] = ("tau", "fwhm", "dispersion"),
    shared_spectra: bool = False,
):
    """The fit's parameters as `lmfit.Parameters`, to set values, bounds and relations and hand them
    to `global_fit(parameters=...)`.

    Parameters
    ----------
    model : Model
    data : Matrix, or sequence or mapping of them
    link : names
        Groups of parameters that several sets share.
    shared_spectra : bool
        Whether the sets share their spectra, and have a `scale` each.

    Returns
    -------
    lmfit.Parameters

    References
    ----------
    .. [1] M. Newville et al., LMFIT, doi:10.5281/zenodo.598352
    """
    import lmfit

    found, _, _ = parameters_of(model, as_matrices(data), link, shared_spectra)
    out = lmfit.Parameters()
    for p in found:
        out.add(p.name, value=p.value, min=p.low, max=p.high, vary=p.vary)
    return out


def overridden(parameters, given):
    """Parameters with values, bounds and relations replaced.

    Parameters
    ----------
    parameters : list of Parameter
    given : lmfit.Parameters or mapping of str to float

    Returns
    -------
    list of Parameter

    Raises
    ------
    ValueError
        For a name that the fit does not have, or a start that is not positive.
    """
    names = [p.name for p in parameters]
    strangers = [name for name in given if name not in names]
    if strangers:
        raise ValueError(f"parameters: expected {', '.join(names)}; found {', '.join(strangers)}")
    out = []
    for p in parameters:
        g = given.get(p.name)
        if g is None:
            out.append(p)
        elif hasattr(g, "vary"):
            out.append(
                Parameter(
                    p.name,
                    float(g.value),
                    float(g.min),
                    float(g.max),
                    bool(g.vary) or bool(g.expr),
                    g.expr or "",
                )
            )
        else:
            out.append(
                Parameter(
                    p.name,
                    float(g),
                    min(p.low, float(g)),
                    max(p.high, float(g)),
                    p.vary,
                    p.relation,
                )
            )
    for p in out:
        if p.logarithmic and not p.relation and not p.value > 0:
            raise ValueError(f"{p.name}: expected a positive start value, found {p.value}")
    return out


def identifier(name: str) -> str:
    """The name of a data set as it stands in those of its parameters.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        Letters, digits and underscores; "set" where nothing is left, and before a keyword.

    Examples
    --------
    >>> identifier("film 1, after")
    'film_1_after'
    """
    text = re.sub(r"\W+", "_", name).strip("_") or "set"
    return f"set_{text}" if keyword.iskeyword(text) else text


def as_matrices(data) -> list[Matrix]:
    """One data set or several as a list.

    Parameters
    ----------
    data : Matrix, sequence of Matrix or mapping to Matrix
        The names of parameters are made of those of the matrices, not of the keys of a mapping.

    Returns
    -------
    list of Matrix

    Raises
    ------
    ValueError
        If there is none, something else is among them, or two share a name.
    """
    matrices = (
        [data]
        if isinstance(data, Matrix)
        else list(data.values())
        if isinstance(data, Mapping)
        else list(data)
    )
    if not matrices or not all(isinstance(m, Matrix) for m in matrices):
        raise ValueError(
            "global fit: expected one Matrix or several, found something else; make one by "
            "matrix(delay_ps, wavelength_nm, signal)"
        )
    names = [identifier(m.name) for m in matrices]
    if len(matrices) > 1 and len(set(names)) < len(names):
        raise ValueError(
            f"global fit: expected data sets with different names, found {', '.join(names)}"
        )
    return matrices
