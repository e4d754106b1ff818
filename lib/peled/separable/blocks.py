"""Variable projection for bilinear models D ≈ C(θ)·A: the spectra A are eliminated exactly, θ is
searched.

For each θ the best spectra are A = C⁺D and the residual is PD with P = 1 − CC⁺. Its Jacobian, after
Golub and Pereyra (SIAM J. Numer. Anal. 10, 413 (1973), DOI 10.1137/0710036) in Kaufman's form, is
−P(∂C/∂θ)A: the neglected term is orthogonal to the kept one and to the gradient. Everything a step
needs (cost, gradient JᵀR, JᵀJ) depends on the data only through D·Dᵀ. With equal noise per delay an
exact compression to that small matrix makes a step independent of the number of wavelengths;
weights per delay and per wavelength are absorbed before. Where D·Dᵀ would lose digits (a residual
10⁷ times smaller than the data) the triangular factor of D takes its place.

The same small matrices give what the errors need: the residual over the delays, the covariance of
Jᵀr for noise correlated over wavelengths and delays (`Rows`) and the part of JᵀJ that is noise of
the eliminated spectra (`Evaluation.floor`), see `errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dtrtri

_RANK = 1e-13  # singular values of columns of norm 1, the largest of which is 1 at least
ROUNDED = 1e-15  # of the data's sum of squares, that a cost made as a difference from it is lost in
_PIVOT = 1e-13  # of a Cholesky factor of columns of norm 1, below which it is not accurate
_HATS = 8  # wavelengths whose bases stand for all where each has its own
_VANISHED = (
    1e-100  # a column of this norm is none (a response that has passed before the first delay)
)


@dataclass(frozen=True)
class Slopes:
    """∂C/∂p of a basis as what it does to coefficients: of many columns that depend on few
    parameters far less than the array (p, n, m), which it stands for.

    Attributes
    ----------
    times : callable
        A (m,) -> ∂C/∂p·A (p, n).
    """

    times: Callable[[np.ndarray], np.ndarray]

    def __matmul__(self, a: np.ndarray) -> np.ndarray:
        if a.ndim == 1:
            return self.times(a)
        return np.stack([self.times(column) for column in a.T], axis=-1)


@dataclass(frozen=True)
class Rows:
    """What a block's residual R (nt, nw) says of the noise over its delays.

    `gram` is R·Rᵀ, `signal` the root mean square of the fit at each delay, `hats` (m, nt, n)
    orthonormal bases of the model matrix at some wavelengths, `present` the share of wavelengths at
    which a pair of delays was measured (None: all). `score(K)` is Σ X_p·Σ·X_qᵀ∘K with Σ = RᵀR, X_p
    = ∂(C·A)/∂u_p less what the spectra take up: the covariance of Jᵀr for noise K ⊗ Σ.
    """

    gram: np.ndarray
    signal: np.ndarray
    hats: np.ndarray
    present: np.ndarray | None
    score: Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass
class Evaluation:
    """Cost and derivatives at one θ. `cost` is the sum of squares (not halved), `gradient` = Jᵀr,
    `hessian` = JᵀJ.

    Filled only on request, for covariances: `floor`, the part of JᵀJ that the noise in the spectra
    makes up, and `rows`, one `Rows` a block.
    """

    cost: float
    gradient: np.ndarray | None = None
    hessian: np.ndarray | None = None
    floor: np.ndarray | None = None
    rows: tuple[Rows, ...] = ()


def _crossed(y, rest):
    """`Rows.score` from Y_p = X_p·Rᵀ, shape (p, nt, nt), and Rᵀ (nw, nt): its rows span all that
    the last index holds, where they are fewer than the delays."""
    span = np.linalg.qr(rest.T)[0] if len(rest) < y.shape[2] else None
    y = y if span is None else y @ span

    def score(k, a):
        a = a if span is None or a is None else span.T @ a @ span
        return np.einsum("pij,qij->pq", y if a is None else np.matmul(y, a), np.matmul(k, y))

    return score


class SharedBlock:
    """Data in which every wavelength has the same model matrix.

    Parameters
    ----------
    data : array, shape (nt, nw)
        Already multiplied with the weights.
    basis : callable
        `basis(u, derivatives)` returns C (nt, n) and ∂C/∂u (len(index), nt, n), weighted like the
        data.
    index : int array
        Which entries of the full coordinate vector u the derivatives belong to.
    """

    def __init__(self, data, basis, index, gram=None, *, exact=False):
        self.data, self.basis, self.index = data, basis, np.asarray(index, int)
        self.shape = data.shape
        self.size = data.size
        self.compressed = None
        if exact or data.shape[1] <= data.shape[0]:
            self.compressed, self.gram = data, None
        else:
            # D·Dᵀ by the symmetric product: half the work of a general one.
            upper = dsyrk(1.0, np.ascontiguousarray(data).T, trans=1) if gram is None else None
            self.gram = upper + np.triu(upper, 1).T if gram is None else gram
        self.total = (
            float(np.trace(self.gram))
            if self.compressed is None
            else float(np.sum(self.compressed**2))
        )

    @property
    def rounded(self) -> float:
        """Part of the cost that rounding leaves no meaning."""
        return ROUNDED * self.total if self.compressed is None else 0.0

    def exact(self) -> None:
        """Use the triangular factor of the data from here on: no digit is lost however small the
        residual."""
        if self.compressed is None:
            self.compressed = np.linalg.qr(self.data.T, mode="r").T

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        """Cost and derivatives with the best spectra at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool
            Whether gradient and Hessian are wanted.
        covariance : bool
            Whether `floor` and `rows` are wanted too; not without derivatives.

        Returns
        -------
        Evaluation
            By the coordinates of `index`, shapes (p,) and (p, p).
        """
        c, dc = self.basis(u, derivatives)
        left, back = _factored(c)
        if self.compressed is None:
            gq = self.gram @ left
            middle = left.T @ gq
            cost = self.total - float(np.trace(middle))
        else:
            projected = left.T @ self.compressed
            rest = self.compressed - left @ projected
            cost = float(np.vdot(rest, rest))
        if not derivatives:
            return Evaluation(cost)
        if self.shape[1] == 1 and not covariance:  # one spectrum: its own derivatives are enough
            x = dc @ (back @ projected[:, 0])
            hessian = x - (x @ left) @ left.T
            return Evaluation(cost, -x @ rest[:, 0], hessian @ hessian.T)
        if self.compressed is None:
            b = (gq - left @ middle) @ back.T  # P·D·Aᵀ
            aat = back @ middle @ back.T
        else:
            a = back @ projected
            b, aat = rest @ a.T, a @ a.T
        p, nt, n = dc.shape
        pd = dc - left @ (left.T @ dc)
        gradient = -dc.reshape(p, nt * n) @ b.ravel()
        rows = pd.reshape(p, nt * n)
        hessian = (pd @ aat).reshape(p, nt * n) @ rows.T
        out = Evaluation(cost, gradient, hessian)
        if covariance:
            free = max(nt - left.shape[1], 1)
            inverse = back @ back.T  # (CᵀC)⁻¹
            out.floor = (pd @ inverse).reshape(p, nt * n) @ rows.T * cost / free
            if self.compressed is None:
                half = left @ (gq.T - 0.5 * middle @ left.T)
                gram = self.gram - half - half.T
            else:
                gram = rest @ rest.T
            fitted = left @ (middle if self.compressed is None else projected)
            energy = np.einsum("ij,ij->i", fitted, left if self.compressed is None else fitted)
            signal = np.sqrt(np.maximum(energy, 0) / self.shape[1])

            def score(k, share):
                return (pd @ (b.T @ (b if share is None else share @ b))).reshape(
                    p, nt * n
                ) @ np.matmul(k, pd).reshape(p, nt * n).T

            out.rows = (Rows(gram, signal, left[None], None, score),)
        return out

    def solve(self, u):
        """The best spectra A (n, nw), C, and C⁺ at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        spectra : ndarray, shape (n, nw)
        c : ndarray, shape (nt, n)
        pseudo : ndarray, shape (n, nt)
        """
        c, _ = self.basis(u, False)
        left, back = _factored(c)
        inverse = back @ left.T
        return back @ (left.T @ self.data), c, inverse


class DispersedBlock:
    """Data in which every wavelength has a model matrix of its own: chirp, or weights per point.

    Parameters
    ----------
    data : array, shape (nt, nw)
        Weighted.
    basis : callable
        `basis(u, derivatives)` returns C (nw, nt, n), weighted like the data, and an object that
        called with A (nw, n, 1)
        gives (∂C/∂u_p)·A (nw, nt, p), and whose `full(B)` gives (∂C/∂u_p)·B (nw, nt, p, m).
    present : bool array, shape (nt, nw)
        Which points were measured; the others weigh nothing.
    chunks : sequence of DispersedBlock
        The same data in parts that fit a processor's cache; steps are summed over them.
    """

    rounded = 0.0

    def __init__(self, data, basis, index, present, chunks=()):
        self.data, self.basis, self.index = data, basis, np.asarray(index, int)
        self.present, self.chunks = present, tuple(chunks)
        self.shape, self.size = data.shape, data.size
        self.columns = np.ascontiguousarray(data.T)[:, :, None]
        self.total = float(np.sum(data**2))

    def exact(self) -> None:
        """Nothing to do: the data themselves are used."""

    def local(self, u):
        """(∂C/∂u_p)·A for A (nw, n, 1): shape (nw, nt, p).

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        callable
        """
        return self.basis(u, True)[1]

    def _project(self, c):
        """Orthonormal basis, inverse of the triangular factor with the column scales, rank lost or
        not: batched."""
        scale = np.sqrt(np.einsum("wij,wij->wj", c, c))
        scale[scale < _VANISHED] = np.inf
        q, inverse, bad = _cholesky_qr(c, scale)
        if bad.any():
            # Columns that vanish or coincide for some wavelengths (a delay window that starts after
            # them): by singular values.
            left, s, vt = np.linalg.svd(c[bad] / scale[bad][:, None, :], full_matrices=False)
            cut = s > _RANK
            q[bad] = left * cut[:, None, :]
            inverse[bad] = (
                np.swapaxes(vt, 1, 2)
                * np.where(cut, 1 / np.where(cut, s, 1), 0)[:, None, :]
                / scale[bad][:, :, None]
            )
        return q, inverse

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        """Cost and derivatives with the best spectra at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool
            Whether gradient and Hessian are wanted.
        covariance : bool
            Whether `floor` and `rows` are wanted too; not without derivatives.

        Returns
        -------
        Evaluation
            By the coordinates of `index`, shapes (p,) and (p, p).
        """
        parts = [chunk._evaluate(u, derivatives, covariance) for chunk in self.chunks or (self,)]
        out = Evaluation(sum(part[0] for part in parts))
        if not derivatives:
            return out
        out.gradient, out.hessian = (sum(part[i] for part in parts) for i in (1, 2))
        if covariance:
            out.floor, cross, gram, energy = (sum(part[i] for part in parts) for i in (3, 4, 5, 6))
            hats = np.concatenate([part[7] for part in parts])
            hats = hats[:: -(-len(hats) // _HATS)]
            rest = np.concatenate([part[8] for part in parts])
            seen = self.present.astype(float)
            present = None if self.present.all() else seen @ seen.T / len(seen.T)
            signal = np.sqrt(energy / self.shape[1])
            out.rows = (Rows(gram, signal, hats, present, _crossed(cross, rest)),)
        return out

    def _made(self, u, derivatives):
        """Model matrices, the data (nw, nt, 1) that they describe, what gives (∂C/∂u_p)·A, and what
        the parameters change beside it."""
        c, local = self.basis(u, derivatives)
        return c, self.columns, local, 0.0

    def own(self, u):
        """What the parameters change of the spectra beside C⁺ (p, n, nw).

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        ndarray, shape (p, n, nw), or float
            0 where all that changes is C.
        """
        return 0.0

    def _evaluate(self, u, derivatives, covariance):
        """Cost, Jᵀr, JᵀJ; floor, Σ X·Rᵀ, R·Rᵀ, squares of the fit by delay, the bases of some
        wavelengths, and Rᵀ."""
        c, columns, local, more = self._made(u, derivatives)
        q, inverse = self._project(c)
        qt = np.swapaxes(q, 1, 2)
        qtd = np.matmul(qt, columns)
        rest = columns - np.matmul(q, qtd)
        cost = float(np.vdot(rest, rest))
        if not derivatives:
            return (cost,)

        def projected(x):
            return x - np.matmul(q, np.matmul(qt, x))

        x = projected(local(np.matmul(inverse, qtd)) + more)  # (nw, nt, p)
        p = x.shape[2]
        flat = x.reshape(-1, p)
        gradient, hessian = -flat.T @ rest.ravel(), flat.T @ flat
        if not covariance:
            return cost, gradient, hessian
        r = rest[:, :, 0]
        cross = np.matmul(np.ascontiguousarray(x.transpose(2, 1, 0)), r)
        free = np.maximum(self.present.sum(0) - c.shape[2], 1)
        sd = np.sqrt(np.einsum("wt,wt->w", r, r) / free)[:, None, None]
        floor = np.zeros((p, p))
        for n in range(c.shape[2]):  # R⁻¹R⁻ᵀ = (CᵀC)⁻¹
            m = local(inverse[:, :, n : n + 1]) * sd
            for part, sign in ((m, 1), (np.matmul(qt, m), -1)):
                part = part.reshape(-1, p)
                floor += sign * (part.T @ part)
        fitted = np.matmul(q, qtd)[:, :, 0]
        hats = q[:: max(1, len(q) // _HATS)]
        return (
            cost,
            gradient,
            hessian,
            floor,
            cross,
            r.T @ r,
            np.einsum("wt,wt->t", fitted, fitted),
            hats,
            r,
        )

    def solve(self, u):
        """The best spectra A (n, nw), C (nw, nt, n), and C⁺ (nw, n, nt) at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        spectra : ndarray, shape (n, nw)
        c : ndarray, shape (nw, nt, n)
        pseudo : ndarray, shape (nw, n, nt)
        """
        c, _ = self.basis(u, False)
        q, inverse = self._project(c)
        pseudo = np.matmul(inverse, np.swapaxes(q, 1, 2))
        return np.matmul(pseudo, self.columns)[:, :, 0].T, c, pseudo


class NonNegativeBlock:
    """Data with one model matrix for all wavelengths, and some spectra that must not be negative.

    For each wavelength the best non-negative spectra are ordinary least squares on their positive
    set; with a handful of columns all sets are tried and the best feasible one is the answer.
    Wavelengths with the same set form a `SharedBlock` each.

    Parameters
    ----------
    data, basis, index
        As for `SharedBlock`; the columns of the basis are those whose spectra are bounded.
    bounded : int
        The first so many columns.
    """

    rounded = 0.0

    def __init__(self, data, basis, index, bounded: int):
        self.data, self.basis = data, basis
        self.index, self.bounded = np.asarray(index, int), bounded
        self.shape, self.size, self.total = data.shape, data.size, float(np.sum(data**2))
        if bounded > 8:
            raise ValueError(f"non-negative spectra: expected at most 8 of them, found {bounded}")

    def exact(self) -> None:
        """Nothing to do: the data themselves are used."""

    def _sets(self, c):
        """For each wavelength the number of its positive set, and the sets as column indices."""
        n = c.shape[1]
        scale = np.linalg.norm(c, axis=0)
        scale[scale == 0] = 1.0
        gram, right = (c / scale).T @ (c / scale), (c / scale).T @ self.data
        always = list(range(self.bounded, n))
        sets = [
            [j for j in range(self.bounded) if number >> j & 1] + always
            for number in range(2**self.bounded)
        ]
        best, chosen = np.full(self.shape[1], -np.inf), np.zeros(self.shape[1], int)
        for number, keep in enumerate(sets):
            gain, feasible = np.zeros(self.shape[1]), np.ones(self.shape[1], bool)
            if keep:
                a = np.linalg.lstsq(gram[np.ix_(keep, keep)], right[keep], rcond=1e-13)[0]
                gain = np.einsum("nw,nw->w", a, right[keep])
                feasible = (a[: len(keep) - len(always)] >= 0).all(axis=0)
            better = feasible & (gain > best)
            best[better], chosen[better] = gain[better], number
        return chosen, sets

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        """Cost and derivatives with the best spectra at u, the bounded ones not negative.

        Parameters
        ----------
        u : ndarray
            Full coordinates.
        derivatives : bool
            Whether gradient and Hessian are wanted; zero without.
        covariance : bool
            Whether `floor` and `rows` are wanted too; not without derivatives.

        Returns
        -------
        Evaluation
            By the coordinates of `index`, shapes (p,) and (p, p), the positive sets held.
        """
        c, dc = self.basis(u, derivatives)
        chosen, sets = self._sets(c)
        p, nt = len(self.index), self.shape[0]
        out = Evaluation(0.0, np.zeros(p), np.zeros((p, p)), np.zeros((p, p)))
        gram, energy, cross = np.zeros((nt, nt)), np.zeros(nt), np.zeros((p, nt, nt))
        rests = [np.zeros((0, nt))]
        for number in np.unique(chosen):
            keep, data = sets[number], self.data[:, chosen == number]
            if not keep:
                out.cost += float(np.sum(data**2))
                gram += data @ data.T
                continue
            part = SharedBlock(
                data,
                lambda u, d, keep=keep: (c[:, keep], dc[:, :, keep] if d else None),
                self.index,
                exact=True,
            ).evaluate(u, derivatives, covariance)
            out.cost += part.cost
            if derivatives:
                out.gradient, out.hessian = out.gradient + part.gradient, out.hessian + part.hessian
            if covariance:
                out.floor = out.floor + part.floor
                (rows,) = part.rows
                gram, energy = gram + rows.gram, energy + rows.signal**2 * data.shape[1]
                a = np.linalg.lstsq(c[:, keep], data, rcond=None)[0]
                x = np.einsum("ptn,nw->ptw", dc[:, :, keep], a)
                hat = rows.hats[0]
                x -= np.einsum("tn,pnw->ptw", hat, np.einsum("tn,ptw->pnw", hat, x))
                rests.append((data - c[:, keep] @ a).T)
                cross += np.matmul(x, rests[-1])
        if covariance:  # noise is correlated over wavelengths whatever their sets
            hats = np.linalg.qr(c)[0][None]
            score = _crossed(cross, np.concatenate(rests))
            out.rows = (Rows(gram, np.sqrt(energy / self.shape[1]), hats, None, score),)
        return out

    def solve(self, u):
        """The best spectra (n, nw), their C (nw, nt, n), and C⁺ (nw, n, nt) at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        spectra : ndarray, shape (n, nw)
        c : ndarray, shape (nw, nt, n)
            The same at all wavelengths, read-only.
        pseudo : ndarray, shape (nw, n, nt)
            Zero for spectra outside of the positive set.
        """
        c, _ = self.basis(u, False)
        chosen, sets = self._sets(c)
        n, (nt, nw) = c.shape[1], self.shape
        pseudo = np.zeros((nw, n, nt))
        for number in np.unique(chosen):
            keep = sets[number]
            if keep:
                full = np.zeros((n, nt))
                full[keep] = np.linalg.pinv(c[:, keep])
                pseudo[chosen == number] = full
        return np.einsum("wnt,tw->nw", pseudo, self.data), np.broadcast_to(c, (nw, nt, n)), pseudo


def _factored(c):
    """An orthonormal basis `left` of the columns of C, and `back` with C⁺ = back·leftᵀ: by Cholesky
    as `_cholesky_qr`, by singular values where columns vanish or nearly coincide."""
    gram = c.T @ c
    scale = np.sqrt(gram.diagonal())
    if scale.min() > _VANISHED:
        lower, failed = dpotrf(gram / (scale[:, None] * scale), lower=1)
        if not failed and lower.diagonal().min() ** 2 > _PIVOT:
            back = dtrtri(lower, lower=1)[0].T / scale[:, None]
            left = c @ back
            again = dtrtri(dpotrf(left.T @ left, lower=1)[0], lower=1)[0].T
            return left @ again, back @ again
    scale[scale < _VANISHED] = np.inf
    left, s, vt = np.linalg.svd(c / scale, full_matrices=False)
    keep = s > _RANK
    return left[:, keep], vt[keep].T / s[keep] / scale[:, None]


def _cholesky_qr(c, scale):
    """Orthonormal bases of many thin matrices at once by Cholesky, done twice (as accurate as
    Householder up to condition 10⁷; Yamamoto et al., ETNA 44, 306 (2015)), and which of them are
    too ill-conditioned for it."""
    n = c.shape[2]
    q = c / scale[:, None, :]
    inverse = np.broadcast_to(np.eye(n), (len(c), n, n)).copy() / scale[:, :, None]
    bad = np.zeros(len(c), bool)
    i, vanished = np.arange(n), np.isinf(scale)  # columns that are none stay zero
    for _ in range(2):
        gram = np.matmul(np.swapaxes(q, 1, 2), q)
        gram[:, i, i] += vanished
        lower, failed = _batched_cholesky(gram)
        bad |= failed
        r_inverse = np.swapaxes(_batched_lower_inverse(lower), 1, 2)
        q = np.matmul(q, r_inverse)
        inverse = np.matmul(inverse, r_inverse)
    return q, inverse, bad


def _batched_cholesky(gram):
    """Lower factors, column by column over the whole batch; a pivot below `_PIVOT` marks
    failure."""
    n = gram.shape[1]
    lower = np.zeros_like(gram)
    failed = np.zeros(len(gram), bool)
    for j in range(n):
        pivot = gram[:, j, j] - np.einsum("wk,wk->w", lower[:, j, :j], lower[:, j, :j])
        low = pivot < _PIVOT
        failed |= low
        lower[:, j, j] = np.sqrt(np.where(low, 1.0, pivot))
        for i in range(j + 1, n):
            lower[:, i, j] = (
                gram[:, i, j] - np.einsum("wk,wk->w", lower[:, i, :j], lower[:, j, :j])
            ) / lower[:, j, j]
    return lower, failed


def _batched_lower_inverse(lower):
    n = lower.shape[1]
    out = np.zeros_like(lower)
    for j in range(n):
        out[:, j, j] = 1 / lower[:, j, j]
        for i in range(j + 1, n):
            out[:, i, j] = -np.einsum("wk,wk->w", lower[:, i, j:i], out[:, j:i, j]) / lower[:, i, i]
    return out
