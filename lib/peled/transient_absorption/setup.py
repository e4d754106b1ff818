"""What a fit consists of: named parameters with bounds and relations, and data sets as blocks of one separable problem.

Translates between names (`tau_2`, `t0_after`), search coordinates (logarithms of times and widths) and the columns of each set's model matrix.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peled.transient_absorption.irf import FWHM_PER_SIGMA, MeasuredIRF, columns
from peled.transient_absorption.preprocess import Matrix, estimate_t0
from peled.transient_absorption.schemes import Model, Relation
from peled.transient_absorption.varpro import DispersedBlock, NonNegativeBlock, Problem, SharedBlock

_CHUNK = 96  # wavelengths whose model matrices fit a processor's cache


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
        return self.name.startswith(("tau", "fwhm"))


class Segment:
    """One data set inside a block: how its columns follow from the coordinates."""

    def __init__(
        self,
        matrix: Matrix,
        model: Model,
        position: Mapping[str, int],
        local: Mapping[str, str],
        weights,
        wavelength_weight,
    ):
        self.matrix, self.model = matrix, model
        self.weights, self.wavelength_weight = weights, wavelength_weight
        self.kinetic = np.array([position[local[name]] for name in model.kinetic_names], int)
        self.t0 = position[local["t0"]]
        self.fwhm = position[local["fwhm"]] if model.irf == "gaussian" else None
        self.dispersion = np.array(
            [position[local[f"dispersion_{i + 1}"]] for i in range(len(model.dispersion))], int
        )
        self.scale = position.get(local.get("scale", ""), None)
        self.index = np.concatenate(
            [
                self.kinetic,
                [self.t0],
                [] if self.fwhm is None else [self.fwhm],
                self.dispersion,
                [] if self.scale is None else [self.scale],
            ]
        ).astype(int)
        self.terms = model.dispersion_terms(matrix.wavelength_nm)

    def rates(self, u):
        return self.model.rates(u[self.kinetic])

    def _columns(self, x, u, derivatives):
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
            artefact=m.artefact,
            period=m.period_ps,
            irf=irf,
            derivatives=derivatives,
        )

    def shared(self, u, derivatives):
        """C (nt, n) and ∂C/∂u (p, nt, n), weighted per delay."""
        dk_du, (c, dk, dx, ds) = self._columns(self.matrix.delay_ps - u[self.t0], u, derivatives)
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
            dc[: len(self.kinetic), :, :n] = np.einsum("ti,im->mti", dk, dk_du)
        at = len(self.kinetic)
        dc[at] = -dx
        if self.fwhm is not None:
            dc[at + 1] = ds
        dc *= w * scale
        if self.scale is not None:
            dc[-1] = c * w
        return c * (w * scale), dc

    def decays(self, u):
        """Columns of the plain decays, their derivatives, and the matrix that makes the species' columns of them."""
        c, dc = self.shared(u, True)
        t = np.eye(c.shape[1])
        n = self.model.components
        t[:n, :n] = self.model.scheme.weights(np.exp(u[self.kinetic]))[0]
        return c, dc, t

    def species(self, u, derivatives):
        """Columns of the scheme's species and their derivatives."""
        c, dc, t = self.decays(u)
        if not derivatives:
            return c @ t, None
        made = dc @ t
        n = self.model.components
        made[: len(self.kinetic), :, :n] += (
            c[:, :n] @ self.model.scheme.weights(np.exp(u[self.kinetic]))[1]
        )
        return c @ t, made

    @property
    def delay_weight(self):
        return self._delay_weight

    def _chirped_columns(self, shift, u, derivatives):
        """`_columns` for every wavelength's own centre; the special functions only for delays that any response reaches.

        Before all responses everything is zero. 13 standard deviations after all of them a decay is exp(k²s²/2 − kx) to double precision
        (a rate above 8/s leaves nothing there), which is a product of a delay and a wavelength factor.
        """
        t, m = self.matrix.delay_ps, self.model
        if self.fwhm is None or m.period_ps is not None:
            return self._columns(t[None, :] - shift[:, None], u, derivatives)
        s = np.exp(u[self.fwhm]) / FWHM_PER_SIGMA
        first, last = np.searchsorted(t, [shift.min() - 9.5 * s, shift.max() + 13 * s])
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
            whole(part, n if i == 1 else len(m.spectra)) for i, part in enumerate(near)
        )
        c[:, last:, :n] = decay
        if m.infinite:
            c[:, last:, n] = 1.0
        if m.offset:
            c[:, :, n + m.infinite] = 1.0
        if derivatives:
            dk[:, last:] = (k * s * s - (late[None, :] - shift[:, None])[:, :, None]) * decay
            dx[:, last:, :n] = -k * decay
            ds[:, last:, :n] = (s * k) ** 2 * decay
        return dk_du, (c, dk, dx, ds)

    def dispersed(self, u, derivatives):
        """C (nw, nt, n) and its derivatives applied to spectra, weighted per point."""
        shift = u[self.t0] + (
            u[self.dispersion] @ self.terms
            if len(self.dispersion)
            else np.zeros(len(self.matrix.wavelength_nm))
        )
        dk_du, (c, dk, dx, ds) = self._chirped_columns(shift, u, derivatives)
        w = self._point_weight
        if w is not None:
            c = c * w[:, :, None]
        if not derivatives:
            return c, None
        return c, _Derivatives(self, dk, dk_du, dx, ds, w)


class _Derivatives:
    """∂C/∂u of a dispersed segment, applied to spectra (or to any matrix) without being formed."""

    def __init__(self, segment, dk, dk_du, dx, ds, w):
        self.segment, self.dk, self.dk_du, self.dx, self.ds, self.w = segment, dk, dk_du, dx, ds, w

    def full(self, b):
        """(∂C/∂u_p)·B for B (nw, n, m): shape (nw, nt, p, m)."""
        s, n = self.segment, self.dk_du.shape[0]
        kinetic = len(s.kinetic)
        shape = (*self.dx.shape[:2], len(s.index), b.shape[2])
        out = np.empty(shape)
        if s.model.scheme is None:
            for i in range(n):
                out[:, :, i] = (self.dk[:, :, i] * self.dk_du[i, i])[:, :, None] * b[:, i][
                    :, None, :
                ]
        else:
            for m in range(kinetic):
                out[:, :, m] = np.matmul(self.dk * self.dk_du[:, m], b[:, :n])
        early = -np.matmul(self.dx, b)
        out[:, :, kinetic] = early
        at = kinetic + 1
        if s.fwhm is not None:
            out[:, :, at] = np.matmul(self.ds, b)
            at += 1
        for j in range(len(s.dispersion)):
            out[:, :, at + j] = early * s.terms[j][:, None, None]
        if self.w is not None:
            out *= self.w[:, :, None, None]
        return out

    def __call__(self, a):
        return self.full(a)[..., 0]


class Setup:
    """The parameters and blocks of one fit; keeps the translation between names, coordinates and data sets."""

    def __init__(
        self,
        matrices: Sequence[Matrix],
        model: Model,
        parameters: Sequence[Parameter],
        locals_: Sequence[Mapping[str, str]],
        shared_spectra: bool,
    ):
        self.matrices, self.model, self.parameters, self.shared_spectra, self.locals = (
            tuple(matrices),
            model,
            tuple(parameters),
            shared_spectra,
            tuple(locals_),
        )
        self.names = [p.name for p in parameters]
        self.position = {name: i for i, name in enumerate(self.names)}
        self.logarithmic = np.array([p.logarithmic for p in parameters])
        self.relations = {i: Relation(p.relation) for i, p in enumerate(parameters) if p.relation}
        for i, relation in self.relations.items():
            unknown = [
                n
                for n in relation.names
                if n not in self.position or self.position[n] in self.relations
            ]
            if unknown:
                raise ValueError(
                    f"{self.names[i]} = {relation.text}: expected names of independent parameters, found {', '.join(unknown)}"
                )
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
        self.segments, self.place, blocks = [], [], []
        made = [_weighted(m) for m in matrices]
        for j, (matrix, (data, delay, wavelength, point)) in enumerate(
            zip(matrices, made, strict=True)
        ):
            total = (
                delay[:, None] * wavelength[None, :]
                if point is None
                else np.where(point.T > 0, point.T, np.nan)
            )
            segment = Segment(
                matrix,
                model,
                self.position,
                locals_[j],
                total,
                np.ones_like(wavelength) if point is not None else wavelength,
            )
            segment._delay_weight, segment._point_weight = delay, point
            segment.data = data
            self.segments.append(segment)
        dispersed = bool(model.dispersion) or any(point is not None for *_, point in made)
        if model.non_negative and (dispersed or shared_spectra):
            raise ValueError(
                "non-negative spectra: not together with shared spectra, fitted dispersion or missing points"
            )
        if shared_spectra:
            if dispersed:
                raise ValueError(
                    "shared spectra: not together with a fitted dispersion or missing points; correct the chirp and mask whole wavelengths first"
                )
            blocks.append(
                SharedBlock(
                    np.concatenate([s.data for s in self.segments]),
                    _stacked(self.segments),
                    np.concatenate([s.index for s in self.segments]),
                )
            )
            row = 0
            for s in self.segments:
                self.place.append((0, slice(row, row + len(s.data))))
                row += len(s.data)
        else:
            for j, s in enumerate(self.segments):
                if model.dispersion or s._point_weight is not None:
                    if s._point_weight is None and not np.all(s._delay_weight == 1):
                        s._point_weight = np.broadcast_to(
                            s._delay_weight, (s.data.shape[1], s.data.shape[0])
                        )
                    blocks.append(
                        DispersedBlock(
                            s.data,
                            s.dispersed,
                            s.index,
                            _chunks(
                                s,
                                lambda part, j=j: Segment(
                                    part, model, self.position, locals_[j], None, None
                                ),
                            ),
                        )
                    )
                elif model.non_negative:
                    species = model.scheme is not None
                    blocks.append(
                        NonNegativeBlock(
                            s.data,
                            s.species if species else s.shared,
                            s.index,
                            model.components + model.infinite,
                            s.decays if species else None,
                        )
                    )
                else:
                    blocks.append(SharedBlock(s.data, s.shared, s.index))
                self.place.append((j, slice(None)))
        self.problem = Problem(blocks, self.expand, self.low, self.high)
        self.linear = sum(len(model.spectra) * block.shape[1] for block in blocks)
        self.size = sum(
            int(np.count_nonzero(s._point_weight)) if s._point_weight is not None else s.data.size
            for s in self.segments
        )

    def expand(self, theta):
        """The full coordinate vector and its Jacobian by the free ones."""
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
                    f"{self.names[i]} = {relation.text}: expected a positive value, found {value:.4g}"
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


def _chunks(segment, make) -> list[DispersedBlock]:
    """A wide segment in parts of about `_CHUNK` wavelengths."""
    nw = segment.data.shape[1]
    if nw < 2 * _CHUNK:
        return []
    blocks = []
    for columns_ in np.array_split(np.arange(nw), nw // _CHUNK):
        part = make(segment.matrix.take(wavelengths=columns_))
        part._delay_weight, part._point_weight = (
            segment._delay_weight,
            None if segment._point_weight is None else segment._point_weight[columns_],
        )
        blocks.append(DispersedBlock(segment.data[:, columns_], part.dispersed, part.index))
    return blocks


def _stacked(segments):
    offsets = np.cumsum([0, *(len(s.index) for s in segments)])

    def basis(u, derivatives):
        made = [s.shared(u, derivatives) for s in segments]
        c = np.concatenate([m[0] for m in made])
        if not derivatives:
            return c, None
        dc = np.zeros((offsets[-1], *c.shape))
        row = 0
        for j, (part, dpart) in enumerate(made):
            dc[offsets[j] : offsets[j + 1], row : row + len(part)] = dpart
            row += len(part)
        return c, dc

    return basis


def _weighted(matrix: Matrix):
    """Weighted data, weights per delay and per wavelength where they factorise, else per point (nw, nt); missing points weigh nothing."""
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
                f"{matrix.name}: standard errors: expected positive finite values, found others; mask those points first"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = 1 / error
        if not missing.any():
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
    """The parameters of a fit with start values and default bounds, and each data set's names for them.

    `link` names the groups (`tau`, `t0`, `fwhm`, `dispersion`, or a single name such as `tau_2`) that all data sets share;
    other parameters get the data set's name as suffix. Default bounds: lifetimes between a hundredth of the smallest step and a
    thousand windows, the centre inside the window.
    """
    bad = [
        name
        for name in link
        if name not in ("tau", "t0", "fwhm", "dispersion") and name not in model.names
    ]
    if bad:
        raise ValueError(
            f"link: expected tau, t0, fwhm, dispersion or names of parameters, found {', '.join(bad)}"
        )
    parameters: dict[str, Parameter] = {}
    locals_ = []
    for j, m in enumerate(matrices):
        step, span = float(np.diff(m.delay_ps).min()), float(np.ptp(m.delay_ps))
        t0 = (
            model.t0_ps
            if model.t0_ps is not None
            else (estimate_t0(m) if model.irf is not None else float(m.delay_ps[0]))
        )
        start = {
            "t0": t0,
            "fwhm": model.fwhm_ps,
            **dict(zip(model.kinetic_names, model.kinetic_start, strict=True)),
            **{f"dispersion_{i + 1}": d for i, d in enumerate(model.dispersion)},
        }
        bounds = {
            "t0": (float(m.delay_ps[0]) - span, float(m.delay_ps[-1])),
            "fwhm": (step / 20, span),
        }
        local = {}
        for name in model.names:
            linked = len(matrices) == 1 or name in link or name.split("_")[0] in link
            full = name if linked else f"{name}_{_identifier(m.name)}"
            local[name] = full
            low, high = model.bounds_ps.get(
                name,
                bounds.get(
                    name, (step / 100, span * 1000) if name.startswith("tau") else (-np.inf, np.inf)
                ),
            )
            if full not in parameters:
                held = name in model.fixed or (name == "t0" and model.irf is None)
                widened = (
                    (low, high)
                    if name in model.bounds_ps
                    else (min(low, start[name]), max(high, start[name]))
                )
                parameters[full] = Parameter(full, start[name], *widened, vary=not held)
        if shared_spectra and j:
            local["scale"] = f"scale_{_identifier(m.name)}"
            parameters[local["scale"]] = Parameter(local["scale"], 1.0)
        locals_.append(local)
    return list(parameters.values()), locals_


def lmfit_parameters(
    model: Model,
    data,
    *,
    link: Sequence[str] = ("tau", "fwhm", "dispersion"),
    shared_spectra: bool = False,
):
    """The fit's parameters as `lmfit.Parameters`, to set values, bounds and relations and hand them to `global_fit(parameters=...)`."""
    import lmfit

    found, _ = parameters_of(model, as_matrices(data), link, shared_spectra)
    out = lmfit.Parameters()
    for p in found:
        out.add(p.name, value=p.value, min=p.low, max=p.high, vary=p.vary)
    return out


def overridden(parameters, given):
    """Parameters with values, bounds and relations taken from `lmfit.Parameters` or a mapping name → value."""
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


def _identifier(name: str) -> str:
    text = re.sub(r"\W+", "_", name).strip("_") or "set"
    return f"set_{text}" if keyword.iskeyword(text) else text


def as_matrices(data) -> list[Matrix]:
    matrices = (
        [data]
        if isinstance(data, Matrix)
        else list(data.values())
        if isinstance(data, Mapping)
        else list(data)
    )
    if not matrices or not all(isinstance(m, Matrix) for m in matrices):
        raise ValueError(
            "global fit: expected one Matrix or several, found something else; make one by matrix(delay_ps, wavelength_nm, signal)"
        )
    names = [_identifier(m.name) for m in matrices]
    if len(matrices) > 1 and len(set(names)) < len(names):
        raise ValueError(
            f"global fit: expected data sets with different names, found {', '.join(names)}"
        )
    return matrices
