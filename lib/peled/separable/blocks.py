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

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

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
    """What the residual R (nt, nw) of one data set says of the noise over its delays.

    `gram` is R·Rᵀ, `signal` the root mean square of the fit at each delay, `hats` (m, nt, n) the
    set's rows of orthonormal bases of its block's model matrix at some wavelengths, `present` the
    share of wavelengths at which a pair of delays was measured (None: all). `moved` (p, nt, m) and
    `turn` (nt, m; None: one) hold X_p = ∂(C·A)/∂p less what the spectra take up: for any A (nt, nt)
    X_p·Rᵀ·A·R·X_qᵀ is moved_p·turnᵀ·A·turn·moved_qᵀ.
    """

    gram: np.ndarray
    signal: np.ndarray
    hats: np.ndarray
    present: np.ndarray | None
    moved: np.ndarray
    turn: np.ndarray | None

    def by(self, jacobian) -> Rows:
        """The same by coordinates of which those of `moved` are functions.

        Parameters
        ----------
        jacobian : ndarray, shape (p, coordinates)

        Returns
        -------
        Rows
        """
        return replace(self, moved=np.tensordot(jacobian, self.moved, axes=(0, 0)))

    def scores(self, kernels, share=None) -> list[np.ndarray]:
        """Σ X_p·Σ·X_qᵀ∘K with Σ = Rᵀ·A·R: the covariance of Jᵀr for noise K ⊗ Σ in this set.

        Parameters
        ----------
        kernels : sequence of ndarray, shape (nt, nt)
            Covariances K over the delays.
        share : ndarray, shape (nt, nt), optional
            A, with no negative eigenvalue; one by default.

        Returns
        -------
        list of ndarray, shape (p, p)
            One a kernel.
        """
        p, seen = len(self.moved), self.moved
        if share is not None:
            half = share if self.turn is None else self.turn.T @ share @ self.turn
            values, vectors = np.linalg.eigh(half)
            kept = values > _RANK * max(values[-1], 0.0)
            seen = seen @ (vectors[:, kept] * np.sqrt(values[kept]))
        elif self.turn is not None:
            seen = seen @ np.linalg.qr(self.turn, mode="r").T
        flat = seen.reshape(p, seen[0].size if p else 0)
        return [flat @ _times(k, seen).reshape(flat.shape).T for k in kernels]


def _times(k, values):
    """K (nt, nt) times values (p, nt, m); K is often diagonal."""
    diagonal = k.diagonal()
    if np.count_nonzero(k) == np.count_nonzero(diagonal):
        return diagonal[:, None] * values
    return np.matmul(k, values)


def _slices(lengths) -> list[slice]:
    """Neighbouring slices of these lengths."""
    ends = np.cumsum([0, *lengths]).tolist()
    return [slice(*pair) for pair in itertools.pairwise(ends)]


@dataclass
class Evaluation:
    """Cost and derivatives at one θ. `cost` is the sum of squares (not halved), `gradient` = Jᵀr,
    `hessian` = JᵀJ.

    Filled only on request, for covariances: `floor`, the part of JᵀJ that the noise in the spectra
    makes up, and `rows`, one `Rows` a data set.
    """

    cost: float
    gradient: np.ndarray | None = None
    hessian: np.ndarray | None = None
    floor: np.ndarray | None = None
    rows: tuple[Rows, ...] = ()


def _turned(x, rest):
    """`moved` and `turn` of `Rows` from X (p, nt, nw) and R (nt, nw), by whichever is fewer,
    wavelengths or delays."""
    return (x, rest) if rest.shape[1] <= len(rest) else (x @ rest.T, None)


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
    sets : sequence of int
        Numbers of rows of the data sets one above the other, whose noise is each its own; () is
        one.
    """

    def __init__(self, data, basis, index, gram=None, *, sets=(), exact=False):
        self.data, self.basis, self.index = data, basis, np.asarray(index, int)
        self.shape, self.sets = data.shape, _slices(sets or data.shape[:1])
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

            out.rows = tuple(
                Rows(gram[own, own], signal[own], left[None, own], None, pd[:, own], b[own])
                for own in self.sets
            )
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


@dataclass
class Piece:
    """Sums over some wavelengths that an `Evaluation` of a `DispersedBlock` is made of.

    Filled only on request: `floor` as there; for the sums of `Rows`, each set's X (nw, nt, p) in
    `moved`, the residual `rest` (nw, nt), squares of the fit `energy` (nt,) and some bases `hats`.
    `beside` is for what a kind of block adds of its own.
    """

    cost: float
    gradient: np.ndarray | None = None
    hessian: np.ndarray | None = None
    floor: np.ndarray | None = None
    moved: list[np.ndarray] = field(default_factory=list)
    rest: np.ndarray | None = None
    energy: np.ndarray | None = None
    hats: np.ndarray | None = None
    beside: object = None


class DispersedBlock:
    """Data in which every wavelength has a model matrix of its own: chirp, or weights per point.

    Several data sets that share their spectra stand one above the other. A coordinate moves the
    rows of its own set only, and what this leaves in the others is what the spectra take up: with
    C = Q·R, Q_s the rows of set s and M = Q_sᵀ·D the part of D = ∂C/∂u·A in the span, JᵀJ of two
    sets' coordinates is −MᵀM, of one set's (D − Q_s·M)ᵀ(D − Q_s·M) + Mᵀ(1 − Q_sᵀQ_s)M. So a step
    takes each set's own derivatives only.

    Parameters
    ----------
    data : array, shape (nt, nw)
        Weighted.
    basis : callable
        `basis(u, derivatives)` returns C (nw, nt, n), weighted like the data, and for each set an
        object that called with A (nw, n, 1) gives (∂C/∂u_p)·A (nw, rows, p), p over the set's part
        of `index`.
    index : sequence of int array
        Which entries of the full coordinate vector u the derivatives of each set belong to.
    present : bool array, shape (nt, nw)
        Which points were measured; the others weigh nothing.
    sets : sequence of int
        Numbers of rows of the sets; () is one.
    chunks : sequence of DispersedBlock
        The same data in parts that fit a processor's cache; steps are summed over them.
    """

    rounded = 0.0

    def __init__(self, data, basis, index, present, sets=(), chunks=()):
        self.data, self.basis = data, basis
        self.index = np.concatenate([np.asarray(each, int) for each in index])
        self.present, self.chunks = present, tuple(chunks)
        self.sets, self.own_index = _slices(sets or data.shape[:1]), _slices(map(len, index))
        self.shape, self.size = data.shape, data.size
        self.columns = np.ascontiguousarray(data.T)[:, :, None]
        self.total = float(np.sum(data**2))

    def exact(self) -> None:
        """Nothing to do: the data themselves are used."""

    def local(self, u):
        """(∂C/∂u_p)·A for A (nw, n, 1): shape (nw, nt, p), p over `index`.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        callable
        """
        slopes = self._slopes(u)

        def made(a):
            out = np.zeros((len(a), self.shape[0], len(self.index)))
            for rows, own, each in zip(self.sets, self.own_index, slopes, strict=True):
                out[:, rows, own] = each(a)
            return out

        return made

    def _slopes(self, u):
        """What gives each set's (∂C/∂u_p)·A of the spectra A that `solve` gives."""
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
        pieces = [chunk._evaluate(u, derivatives, covariance) for chunk in self.chunks or (self,)]
        out = Evaluation(sum(piece.cost for piece in pieces))
        if derivatives:
            out.gradient = sum(piece.gradient for piece in pieces)
            out.hessian = sum(piece.hessian for piece in pieces)
        moved = []
        if covariance:
            out.floor = sum(piece.floor for piece in pieces)
            moved = [np.concatenate(each) for each in zip(*(p.moved for p in pieces), strict=True)]
        self._add(out, [piece.beside for piece in pieces], moved)
        if covariance:
            out.rows = tuple(self._rows(pieces, moved))
        return out

    def _add(self, out: Evaluation, beside, moved) -> None:
        """Add what a kind of block has beside the residual, also to X of each set (nw, nt, p)."""

    def _rows(self, pieces, moved):
        hats = np.concatenate([piece.hats for piece in pieces])
        hats = hats[:: -(-len(hats) // _HATS)]
        rest = np.concatenate([piece.rest for piece in pieces]).T
        signal = np.sqrt(sum(piece.energy for piece in pieces) / self.shape[1])
        for own, x in zip(self.sets, moved, strict=True):
            seen, r = self.present[own].astype(float), rest[own]
            present = None if seen.all() else seen @ seen.T / len(seen.T)
            made = _turned(np.ascontiguousarray(x.transpose(2, 1, 0)), r)
            yield Rows(r @ r.T, signal[own], hats[:, own], present, *made)

    def _made(self, u, derivatives):
        """Model matrices, the data (nw, nt, 1) that they describe, for each set what gives
        (∂C/∂u_p)·A and what the parameters change beside it, and what `_beside` wants."""
        c, slopes = self.basis(u, derivatives)
        return c, self.columns, slopes, [0.0] * len(self.sets), None

    def _beside(self, u, kept, solved, slopes, taken):
        """What `_add` needs of these wavelengths: `solved` are q, inverse, the best spectra and the
        residual, `taken` each set's M, or None where no derivatives are wanted."""

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

    def _evaluate(self, u, derivatives, covariance) -> Piece:
        c, columns, slopes, more, kept = self._made(u, derivatives)
        q, inverse = self._project(c)
        qtd = np.matmul(np.swapaxes(q, 1, 2), columns)
        rest = columns - np.matmul(q, qtd)
        out = Piece(float(np.vdot(rest, rest)))
        solved = q, inverse, np.matmul(inverse, qtd), rest
        if not derivatives:
            out.beside = self._beside(u, kept, solved, None, None)
            return out
        d = [each(solved[2]) + part for each, part in zip(slopes, more, strict=True)]
        taken, x = self._parted(q, d)
        out.beside = self._beside(u, kept, solved, slopes, taken)
        out.gradient = -np.concatenate(
            [
                each.reshape(-1, each.shape[2]).T @ rest[:, rows].ravel()
                + np.einsum("wnp,wn->p", m, self._along(q, rows, rest)[:, :, 0])
                for rows, each, m in zip(self.sets, x, taken, strict=True)
            ]
        )
        out.hessian = self._product(q, taken, x)
        if not covariance:
            return out
        r = rest[:, :, 0]
        free = np.maximum(self.present.sum(0) - c.shape[2], 1)
        sd = np.sqrt(np.einsum("wt,wt->w", r, r) / free)[:, None, None]
        out.floor = np.zeros((len(self.index),) * 2)
        for n in range(c.shape[2]):  # R⁻¹R⁻ᵀ = (CᵀC)⁻¹
            noisy = inverse[:, :, n : n + 1] * sd
            out.floor += self._product(q, *self._parted(q, [each(noisy) for each in slopes]))
        fitted = np.matmul(q, qtd)[:, :, 0]
        out.rest, out.energy = r, np.einsum("wt,wt->t", fitted, fitted)
        out.hats = q[:: max(1, len(q) // _HATS)]
        everything = np.concatenate(taken, axis=2)
        for rows, own, each in zip(self.sets, self.own_index, x, strict=True):
            out.moved.append(-np.matmul(q[:, rows], everything))
            out.moved[-1][:, :, own] = each
        return out

    @staticmethod
    def _along(q, rows, d):
        return np.matmul(np.swapaxes(q[:, rows], 1, 2), d[:, rows])

    def _parted(self, q, d):
        """Of each set's D (nw, rows, p) the part M (nw, n, p) in the span, and what it leaves in
        the set's own rows."""
        taken, left = [], []
        for rows, each in zip(self.sets, d, strict=True):
            taken.append(np.matmul(np.swapaxes(q[:, rows], 1, 2), each))
            left.append(each - np.matmul(q[:, rows], taken[-1]))
        return taken, left

    def _product(self, q, taken, left):
        """Σ over wavelengths of Dᵀ·P·D (p, p)."""
        if len(left) == 1:
            flat = left[0].reshape(-1, left[0].shape[2])
            return flat.T @ flat
        whole = np.concatenate(taken, axis=2).reshape(-1, len(self.index))
        out = -whole.T @ whole
        for rows, own, m, x in zip(self.sets, self.own_index, taken, left, strict=True):
            flat, part = x.reshape(-1, x.shape[2]), q[:, rows]
            other = np.eye(q.shape[2]) - np.matmul(np.swapaxes(part, 1, 2), part)
            out[own, own] = flat.T @ flat
            out[own, own] += m.reshape(-1, m.shape[2]).T @ np.matmul(other, m).reshape(
                -1, m.shape[2]
            )
        return out

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
        p, (nt, nw) = len(self.index), self.shape
        out = Evaluation(0.0, np.zeros(p), np.zeros((p, p)), np.zeros((p, p)))
        energy, moved, rests = np.zeros(nt), [], []
        for number in np.unique(chosen):
            keep, data = sets[number], self.data[:, chosen == number]
            if not keep:
                out.cost += float(np.sum(data**2))
                moved.append(np.zeros((p, *data.shape)))
                rests.append(data)
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
                energy += rows.signal**2 * data.shape[1]
                a = np.linalg.lstsq(c[:, keep], data, rcond=None)[0]
                x = np.einsum("ptn,nw->ptw", dc[:, :, keep], a)
                hat = rows.hats[0]
                x -= np.einsum("tn,pnw->ptw", hat, np.einsum("tn,ptw->pnw", hat, x))
                rests.append(data - c[:, keep] @ a)
                moved.append(x)
        if covariance:  # noise is correlated over wavelengths whatever their sets
            rest, hats = np.concatenate(rests, axis=1), np.linalg.qr(c)[0][None]
            made = _turned(np.concatenate(moved, axis=2), rest)
            out.rows = (Rows(rest @ rest.T, np.sqrt(energy / nw), hats, None, *made),)
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
