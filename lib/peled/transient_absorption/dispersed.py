"""Steps of fits in which every wavelength has its own zero time or weights, from one small Gram
matrix a wavelength.

Everything a step needs (C, ∂C/∂u·A and the data) lies, at one wavelength, in the span of a few
functions of x = t − t0(λ): the decays c_i, x·c_i, the response times Hermite polynomials, a step,
an offset, a ramp, and the data. Their Gram matrix takes the place of the delays. Near the rise it
is one batched product; long after it c_i(t, λ) = e_i(t)·f_i(λ), so that one product of the e_i
serves all wavelengths, with weights w too: (w²)·(e ⊗ e). Segments that share their spectra add
their Gram matrices of C, where they share them, and keep their own of the derivatives. What is
demanded of the spectra (`restricted.Rules`) acts on these matrices as it does on the model's.

Normal equations lose digits where columns nearly coincide and where the residual is tiny; there the
orthogonal projection of `separable.DispersedBlock` is used, as it is for covariances.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx

from peled.separable import ROUNDED, Evaluation
from peled.transient_absorption.irf import FWHM_PER_SIGMA
from peled.transient_absorption.restricted import kept, negative, placed
from peled.transient_absorption.terms import Ramp, in_order

_ROOT2, _ROOT2PI = np.sqrt(2.0), np.sqrt(2 * np.pi)
# of a unit column: its part outside the others' span, below which normal equations are not trusted
_SMALL = 1e-5
_EXACT = 1e-7  # residual over data below which they are not either
_CHUNK = 192  # wavelengths whose functions fit a processor's cache
_BEFORE, _AFTER = 8.5, 9.5  # standard deviations of the response beyond which it is zero, or over


def usable(model) -> bool:
    """Whether a model's columns are in the span described above: a Gaussian response, no earlier
    pulses, no further terms but a ramp.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bool
    """
    plain = all(isinstance(term, Ramp) for term in model.terms)
    return model.irf == "gaussian" and model.period_ps is None and plain


class NormalBlock:
    """Stands in for a `separable.DispersedBlock` of segments with a Gaussian response.

    Parameters
    ----------
    exact : DispersedBlock
        Takes over where normal equations are not accurate enough, and for covariances.
    rules : Rules
        Its segments, of which spectra each has which, and what is demanded of these, but for areas
        and guides.
    """

    def __init__(self, exact, rules):
        self.exact_block = exact
        self.index, self.shape, self.size, self.total = (
            exact.index,
            exact.shape,
            exact.size,
            exact.total,
        )
        self.data, self.basis, self.present = exact.data, exact.basis, exact.present
        self.solve, self.local, self.own = exact.solve, exact.local, exact.own
        self.sets, self.rules = exact.sets, rules
        self.families = [_Family(s) for s in rules.segments]
        nw = exact.shape[1]
        parts = np.array_split(np.arange(nw), max(1, round(nw / _CHUNK)))
        self.parts = [(part, rules.part(part)) for part in parts]
        self.normal = True

    @property
    def rounded(self) -> float:
        """Part of the cost that rounding leaves no meaning."""
        return ROUNDED * self.total if self.normal else 0.0

    def exact(self) -> None:
        """Use orthogonal projections from here on."""
        self.normal = False

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        """Cost and derivatives with the best spectra at u, by normal equations where accurate
        enough.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool
            Whether gradient and Hessian are wanted.
        covariance : bool
            Whether `floor` and `rows` are wanted too; the exact block gives them.

        Returns
        -------
        Evaluation
            By the coordinates of `index`, shapes (p,) and (p, p).
        """
        if covariance or not self.normal:
            return self.exact_block.evaluate(u, derivatives, covariance)
        p = len(self.index)
        cost, gradient, hessian = 0.0, np.zeros(p), np.zeros((p, p))
        for part, rules in self.parts:
            done = self._part(part, rules, u, derivatives)
            if done is None:
                return self.exact_block.evaluate(u, derivatives)
            cost += done[0]
            if derivatives:
                gradient, hessian = gradient + done[1], hessian + done[2]
        if cost < _EXACT * self.total:
            self.normal = False
            return self.exact_block.evaluate(u, derivatives)
        return Evaluation(cost, gradient, hessian) if derivatives else Evaluation(cost)

    def _part(self, part, rules, u, derivatives):
        """Cost, Jᵀr, JᵀJ of some wavelengths; None where normal equations are not to be trusted."""
        given = rules.given(u).T if len(rules.known) else None
        sets = [
            _Seen(family, part, rules, at, u, given, derivatives)
            for family, at in zip(self.families, rules.columns, strict=True)
        ]
        whole, right = sum(each.whole for each in sets), sum(each.right for each in sets)
        there = rules.open
        if rules.bounded.any():
            there = there & ~negative(kept(whole, there), right * there, rules.bounded)
        if not there.all():
            whole, right = kept(whole, there), right * there
        scale = np.sqrt(np.einsum("wii->wi", whole))
        if not np.all(scale > 0):
            return None
        try:
            lower = np.linalg.cholesky(whole / (scale[:, :, None] * scale[:, None, :]))
        except np.linalg.LinAlgError:
            return None
        if np.einsum("wii->wi", lower).min() < _SMALL:
            return None
        inverse = np.linalg.inv(lower) / scale[:, None, :]
        y = np.matmul(inverse, right[:, :, None])
        cost = sum(each.square for each in sets) - float(np.vdot(y, y))
        if not derivatives:
            return (cost,)
        a = np.matmul(inverse.transpose(0, 2, 1), y)[:, :, 0] @ rules.mix.T
        if given is not None:
            a += given
        gradients, hessians, crosses = [], [], []
        for each in sets:
            phi = each.slopes(a, given)
            gp = np.matmul(each.gram, phi)
            # Lᵀ⁻¹-projected part of each derivative
            taken = np.matmul(each.lift.T, gp[:, each.family.linear])
            crosses.append(np.matmul(inverse, taken if there.all() else taken * there[:, :, None]))
            gradients.append(
                each.family.by_parameter(
                    each.against(gp) - np.matmul(crosses[-1].transpose(0, 2, 1), y)[:, :, 0],
                    each.family.segment.powers[:, part],
                )
            )
            hessians.append(np.matmul(phi.transpose(0, 2, 1), gp))
        return (
            cost,
            -np.concatenate([g.sum(0) for g in gradients]),
            self._hessian(hessians, crosses, part),
        )

    def _hessian(self, hessians, crosses, part):
        """Σ over wavelengths of the derivatives' products less their projections, for the
        parameters of all segments."""
        rows = []
        for i, (f, a) in enumerate(zip(self.families, crosses, strict=True)):
            row = []
            for j, (g, b) in enumerate(zip(self.families, crosses, strict=True)):
                h = -np.matmul(a.transpose(0, 2, 1), b) + (hessians[i] if i == j else 0.0)
                row.append(_expanded(h, f, g, part))
            rows.append(np.concatenate(row, axis=1))
        return np.concatenate(rows)


class _Seen:
    """One segment at one u and some wavelengths: what its functions add to the normal equations
    `whole` · b = `right` of the free spectra b, and `square` to the sum of squares.

    A = mix·b + k are the species' spectra; `lift` makes the segment's columns of b.
    """

    def __init__(self, family, part, rules, at, u, given, derivatives):
        self.family, self.rules, self.u = family, rules, u
        s, lin = family.segment, family.linear
        self.gram = g = family.gram(part, u, derivatives)
        number = len(rules.mix)
        turned = s.species(u) if s.model.restricted else (np.eye(lin.stop), ())
        self.turn = placed(turned[0], at, number)
        self.moved = [placed(d, at, number) for d in turned[1]]
        self.scale = 1.0 if s.scale is None else u[s.scale]
        self.lift = self.scale * self.turn @ rules.mix
        self.known = None if given is None else self.scale * given @ self.turn.T
        left = g[:, :, -1]
        if given is not None:
            left = left - np.matmul(g[:, :, lin], self.known[:, :, None])[:, :, 0]
        self.whole = np.matmul(self.lift.T, g[:, lin, lin] @ self.lift)
        self.right = left[:, lin] @ self.lift
        self.square = float(left[:, -1].sum())
        if given is not None:
            self.square -= float(np.vdot(self.known, left[:, lin]))

    def against(self, products):
        """Products (nw, size, p) of the functions with the data less what is known (nw, p)."""
        if self.known is None:
            return products[:, -1]
        known = np.matmul(self.known[:, None], products[:, self.family.linear])
        return products[:, -1] - known[:, 0]

    def slopes(self, a, given):
        """What the coordinates change of the segment's model at species' spectra a (nw, species),
        as combinations of the functions (nw, size, p); those of the dispersion are left out."""
        family, lin, s = self.family, self.family.linear, self.family.segment
        columns = a @ self.turn.T
        phi = family.slopes(columns, self.u) * self.scale
        more = [] if s.scale is None else [columns]
        for j, moved in enumerate(self.moved):
            if j >= len(s.kinetic):
                more.append(self.scale * a @ moved.T)
            elif moved.any():
                phi[:, lin, j] += self.scale * a @ moved.T
        for row in self.rules.known:
            more.append(self.scale * given[:, row, None] * self.turn[:, row])
        if not more:
            return phi
        out = np.zeros((*phi.shape[:2], phi.shape[2] + len(more)))
        out[:, :, : phi.shape[2]] = phi
        out[:, lin, phi.shape[2] :] = np.stack(more, axis=2)
        return out


def _expanded(h, left, right, part):
    """Derivatives by a dispersion coefficient are those by the shift times a number a wavelength:
    from (w, a, b) to parameters, summed."""
    tl, tr = left.segment.powers[:, part], right.segment.powers[:, part]
    il, ir = left.shift, right.shift
    plain = h.sum(0)
    down = np.tensordot(tl, h[:, il], axes=(1, 0))
    across = np.tensordot(h[:, :, ir], tr, axes=(0, 1))
    corner = (tl * h[:, il, ir]) @ tr.T
    at = left.shift + 2
    to = right.shift + 2
    top = np.concatenate([plain[:, :to], across, plain[:, to:]], axis=1)
    middle = np.concatenate([down[:, :to], corner, down[:, to:]], axis=1)
    return np.concatenate([top[:at], middle, top[at:]])


class _Family:
    """The functions of one segment. First the columns of the model: decays c (n), step, offset,
    Hermite functions of the artefact, ramp; then what their derivatives take beside them: two more
    Hermite functions, x·c (n). The data are the last."""

    def __init__(self, segment):
        m, self.segment = segment.model, segment
        self.t, self.n, self.infinite, self.offset = (
            segment.matrix.delay_ps,
            m.components,
            int(m.infinite),
            int(m.offset),
        )
        self.artefact, self.ramp = m.artefact, len(m.terms)
        first = self.n + self.infinite + self.offset
        count = first + self.artefact + self.ramp
        self.linear = slice(0, count)
        self.hermites = [*range(first, first + self.artefact), count, count + 1]
        self.at_x = count + 2
        self.size = self.at_x + self.n + 1
        # what does not fall to nothing after the response: rows, and which of the functions each is
        self.staying = [(self.n + i, 0) for i in range(self.infinite + self.offset)]
        self.staying += [(count - 1, 1)] * self.ramp
        self.order = in_order(len(self.t))
        self.shift = len(segment.kinetic)  # position of zero time among rates, zero time, width
        self.data = np.ascontiguousarray(segment.data.T)
        w = segment.point_weight
        if w is None and np.any(segment.delay_weight != 1):
            w = np.broadcast_to(segment.delay_weight, self.data.shape)
        # else all wavelengths have the same functions
        self.apart = len(segment.dispersion) > 0 or segment.point_weight is not None
        self.w = w
        self.square = np.einsum("wt,wt->w", self.data, self.data)

    def by_parameter(self, g, terms):
        """Gradient by rates, zero time, width (and scale) with the dispersion coefficients put
        in."""
        return np.concatenate(
            [g[:, : self.shift + 2], terms.T * g[:, self.shift, None], g[:, self.shift + 2 :]],
            axis=1,
        )

    def gram(self, part, u, derivatives):
        """Gram matrices (nw, size, size) of the functions at some wavelengths; without derivatives
        of the columns and the data alone."""
        s = np.exp(u[self.segment.fwhm]) / FWHM_PER_SIGMA
        k, _ = self.segment.rates(u)
        shift = self.segment.shift(u)[part] if self.apart else u[[self.segment.t0]]
        t = self.t
        first, last = np.searchsorted(t, [shift.min() - _BEFORE * s, shift.max() + _AFTER * s])
        first = 0 if self.offset or self.ramp else first
        size = self.size if derivatives else self.linear.stop + 1
        b = np.empty((len(shift), size - 1, last - first))
        z = (t[None, first:last] - shift[:, None]) / s
        bell = np.exp(-0.5 * z * z)
        x = z * s
        for i, rate in enumerate([*k, *([0.0] * self.infinite)]):
            y = (rate * s - z) / _ROOT2
            early = (0.5 * bell) * erfcx(np.abs(y))
            full = np.exp(np.minimum(0.5 * (rate * s) ** 2 - rate * x, 0.0)) if rate else 1.0
            b[:, i] = np.where(y > 0, early, full - early)
        if derivatives:
            b[:, self.at_x :] = x[:, None] * b[:, : self.n]
        before, now = 0.0, bell
        for m, at in enumerate(self.hermites if derivatives else self.hermites[: self.artefact]):
            b[:, at] = now
            before, now = now, -z * now - m * before
        if self.offset:
            b[:, self.n + self.infinite] = 1.0
        if self.ramp:
            b[:, self.linear.stop - 1] = self.order[first:last]
        w = None if self.w is None else self.w[part][: len(shift)]
        if w is not None:
            b *= w[:, None, first:last]
        gram = np.empty((len(part), size, size))
        gram[:, :-1, :-1] = np.matmul(b, b.transpose(0, 2, 1))
        right = np.matmul(b, self.data[part, first:last, None])[:, :, 0]
        gram[:, :-1, -1] = gram[:, -1, :-1] = right
        if last < len(t):
            self._late(gram, part, shift, k, s, last, w, derivatives)
        gram[:, -1, -1] = self.square[part]
        return gram

    def _late(self, gram, part, shift, k, s, last, w, derivatives):
        """Add the delays after all responses: e_i(t), t·e_i(t), 1 and the ramp, common to all
        wavelengths but for factors."""
        n, t, latest = self.n, self.t[last:], shift.max()
        e = np.exp(-(t[:, None] - latest) * k)
        decays = [e, t[:, None] * e] if derivatives else [e]
        stays = np.column_stack([np.ones(len(t)), self.order[last:]])[:, : 1 + self.ramp]
        common = np.concatenate([*decays, stays], axis=1)
        q, plain = common.shape[1], n * len(decays)
        data = self.data[part, last:]
        if w is None:
            square = (common.T @ common)[None]
        else:
            w = w[:, last:]
            pairs = (common[:, :, None] * common[:, None, :]).reshape(len(t), q * q)
            square, data = (np.square(w) @ pairs).reshape(-1, q, q), data * w
        f = np.where(
            k * s < 8, np.exp((shift[:, None] - latest) * k + 0.5 * np.minimum(k * s, 8) ** 2), 0.0
        )
        rows = [*range(n), *(range(self.at_x, self.at_x + n) if derivatives else ())]
        to = np.zeros((len(shift), len(rows) + len(self.staying), q))
        i = np.arange(n)
        to[:, i, i] = f
        if derivatives:
            to[:, n + i, n + i] = f
            to[:, n + i, i] = -f * shift[:, None]
        for row, which in self.staying:
            to[:, len(rows), plain + which] = 1.0
            rows.append(row)
        gram[np.ix_(range(len(part)), rows, rows)] += np.matmul(
            np.matmul(to, square), to.transpose(0, 2, 1)
        )
        d = np.matmul(to, (data @ common)[:, :, None])[:, :, 0]
        gram[:, rows, -1] += d
        gram[:, -1, rows] += d

    def slopes(self, a, u):
        """∂C/∂(ln τ…, zero time, ln width)·A as combinations of the functions, shape (nw, size,
        parameters)."""
        s = np.exp(u[self.segment.fwhm]) / FWHM_PER_SIGMA
        k, dk_du = self.segment.rates(u)
        n, h, at, kinetic = self.n, self.hermites, self.shift, dk_du.shape[1]
        phi = np.zeros((len(a), self.size, kinetic + 2))
        decays = a[:, :n]
        height = 1 / (s * _ROOT2PI)  # of the response, whose shape is the first Hermite function
        for m in range(kinetic):
            moved = decays * dk_du[:, m]
            phi[:, :n, m] = moved * (k * s * s)
            phi[:, self.at_x : -1, m] = -moved
            phi[:, h[0], m] = -s * s * height * moved.sum(1)
        everything = a[:, : n + self.infinite].sum(1)
        phi[:, :n, at] = decays * k
        phi[:, h[0], at] = -height * everything
        phi[:, :n, at + 1] = decays * (s * k) ** 2
        phi[:, h[0], at + 1] = -height * s * s * (decays * k).sum(1)
        phi[:, h[1], at + 1] = height * s * everything
        first = n + self.infinite + self.offset
        for m in range(self.artefact):
            phi[:, h[m + 1], at] -= a[:, first + m] / s
            phi[:, h[m + 2], at + 1] += a[:, first + m]
            phi[:, h[m], at + 1] += (m + 1) * a[:, first + m]
        return phi
