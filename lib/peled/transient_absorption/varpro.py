"""Variable projection for bilinear models D ≈ C(θ)·A: the spectra A are eliminated exactly, θ is searched.

For each θ the best spectra are A = C⁺D and the residual is PD with P = 1 − CC⁺. Its Jacobian, after Golub and Pereyra
(SIAM J. Numer. Anal. 10, 413 (1973), DOI 10.1137/0710036) in Kaufman's form, is −P(∂C/∂θ)A: the neglected term is orthogonal to
the kept one and to the gradient. Everything a step needs (cost, gradient JᵀR, JᵀJ) depends on the data only through
D·Dᵀ. With equal noise per delay an exact compression to that small matrix makes a step independent of the number of
wavelengths; weights per delay and per wavelength are absorbed before. Where D·Dᵀ would lose digits (a residual 10⁷
times smaller than the data) the triangular factor of D takes its place.

The same small matrices give the covariance of θ for noise that is correlated over wavelengths (`Evaluation.score`) and the
correction for the noise of the eliminated spectra (`Evaluation.floor`), see `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

_RANK = 1e-13


@dataclass
class Evaluation:
    """Cost and derivatives at one θ. `cost` is the sum of squares (not halved), `gradient` = Jᵀr, `hessian` = JᵀJ.

    Filled only on request, for covariances: `floor`, the part of JᵀJ that the noise in the spectra makes up; `score`, the covariance of Jᵀr for
    noise of any correlation over wavelengths; `delay_scores`, the terms of Jᵀr from each delay.
    """

    cost: float
    gradient: np.ndarray | None = None
    hessian: np.ndarray | None = None
    floor: np.ndarray | None = None
    score: np.ndarray | None = None
    delay_scores: np.ndarray | None = None
    rank: int = 0


class SharedBlock:
    """Data in which every wavelength has the same model matrix.

    Parameters
    ----------
    data : array, shape (nt, nw)
        Already multiplied with the weights.
    basis : callable
        `basis(u, derivatives)` returns C (nt, n) and ∂C/∂u (len(index), nt, n), weighted like the data.
    index : int array
        Which entries of the full coordinate vector u the derivatives belong to.
    """

    def __init__(self, data, basis, index, gram=None):
        self.data, self.basis, self.index = data, basis, np.asarray(index, int)
        self.shape = data.shape
        self.size = data.size
        self.compressed = None
        if data.shape[1] <= data.shape[0]:
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

    def exact(self) -> None:
        """Use the triangular factor of the data from here on: no digit is lost however small the residual."""
        if self.compressed is None:
            self.compressed = np.linalg.qr(self.data.T, mode="r").T

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        c, dc = self.basis(u, derivatives)
        scale = np.sqrt(np.einsum("ij,ij->j", c, c))
        scale[scale == 0] = 1.0
        left, s, vt = np.linalg.svd(c / scale, full_matrices=False)
        keep = s > _RANK * s[0] if s[0] > 0 else s > 0
        if not keep.all():
            left, s, vt = left[:, keep], s[keep], vt[keep]
        if self.compressed is None:
            gq = self.gram @ left
            middle = left.T @ gq
            cost = self.total - float(np.trace(middle))
        else:
            projected = left.T @ self.compressed
            rest = self.compressed - left @ projected
            cost = float(np.einsum("ij,ij->", rest, rest))
        if not derivatives:
            return Evaluation(cost)
        back = (vt.T / s) / scale[:, None]  # C⁺ = back·leftᵀ
        if self.compressed is None:
            b = (gq - left @ middle) @ back.T  # P·D·Aᵀ
            aat = back @ middle @ back.T
        else:
            a = back @ projected
            b, aat = rest @ a.T, a @ a.T
        p, nt, n = dc.shape
        flat = dc.transpose(1, 0, 2).reshape(nt, p * n)
        pd = (flat - left @ (left.T @ flat)).reshape(nt, p, n).transpose(1, 0, 2)
        gradient = -np.einsum("pik,ik->p", dc, b)
        rows = pd.reshape(p, nt * n)
        hessian = np.einsum("pik,kl->pil", pd, aat).reshape(p, nt * n) @ rows.T
        out = Evaluation(cost, gradient, hessian, rank=len(s))
        if covariance:
            free = max(nt - len(s), 1)
            inverse = back @ back.T  # (CᵀC)⁻¹
            out.floor = (pd @ inverse).reshape(p, nt * n) @ rows.T * cost / free
            out.score = (pd @ (b.T @ b)).reshape(p, nt * n) @ rows.T / free
            out.delay_scores = np.einsum("pik,ik->pi", pd, b)
        return out

    def solve(self, u):
        """The best spectra A (n, nw), C, and C⁺ at u."""
        c, _ = self.basis(u, False)
        scale = np.linalg.norm(c, axis=0)
        scale[scale == 0] = 1.0
        left, s, vt = np.linalg.svd(c / scale, full_matrices=False)
        keep = s > _RANK * s[0] if s[0] > 0 else s > 0
        inverse = ((vt[keep].T / s[keep]) @ left[:, keep].T) / scale[:, None]
        return inverse @ self.data, c, inverse


class DispersedBlock:
    """Data in which every wavelength has a model matrix of its own: chirp, or weights per point.

    Parameters
    ----------
    data : array, shape (nt, nw)
        Weighted.
    basis : callable
        `basis(u, derivatives)` returns C (nw, nt, n), weighted like the data, and an object that called with A (nw, n, 1)
        gives (∂C/∂u_p)·A (nw, nt, p), and whose `full(B)` gives (∂C/∂u_p)·B (nw, nt, p, m).
    chunks : sequence of DispersedBlock
        The same data in parts that fit a processor's cache; steps are summed over them.
    """

    def __init__(self, data, basis, index, chunks=()):
        self.data, self.basis, self.index, self.chunks = (
            data,
            basis,
            np.asarray(index, int),
            tuple(chunks),
        )
        self.shape, self.size = data.shape, data.size
        self.columns = np.ascontiguousarray(data.T)[:, :, None]
        self.total = float(np.sum(data**2))

    def exact(self) -> None:
        """Nothing to do: the data themselves are used."""

    def local(self, u):
        """(∂C/∂u_p)·A for A (nw, n, 1): shape (nw, nt, p)."""
        return self.basis(u, True)[1]

    def _project(self, c):
        """Orthonormal basis, inverse of the triangular factor with the column scales, rank lost or not: batched."""
        scale = np.sqrt(np.einsum("wij,wij->wj", c, c))
        scale[scale == 0] = 1.0
        q, inverse, bad = _cholesky_qr(c, scale)
        if bad.any():
            # Columns that vanish or coincide for some wavelengths (a delay window that starts after them): by singular values.
            left, s, vt = np.linalg.svd(c[bad] / scale[bad][:, None, :], full_matrices=False)
            cut = s > _RANK * s[:, :1]
            q[bad] = left * cut[:, None, :]
            inverse[bad] = (
                np.swapaxes(vt, 1, 2)
                * np.where(cut, 1 / np.where(cut, s, 1), 0)[:, None, :]
                / scale[bad][:, :, None]
            )
        return q, inverse

    def evaluate(self, u, derivatives=True, covariance=False) -> Evaluation:
        if self.chunks and not covariance:
            parts = [chunk.evaluate(u, derivatives) for chunk in self.chunks]
            cost = sum(part.cost for part in parts)
            if not derivatives:
                return Evaluation(cost)
            return Evaluation(
                cost,
                sum(part.gradient for part in parts),
                sum(part.hessian for part in parts),
                rank=parts[0].rank,
            )
        c, local = self.basis(u, derivatives)
        q, inverse = self._project(c)
        qtd = np.matmul(np.swapaxes(q, 1, 2), self.columns)
        rest = self.columns - np.matmul(q, qtd)
        cost = float(np.vdot(rest, rest))
        if not derivatives:
            return Evaluation(cost)
        a = np.matmul(inverse, qtd)  # (nw, n, 1)
        x = local(a)  # (nw, nt, p) : (∂C/∂u_p)·A
        x = x - np.matmul(q, np.matmul(np.swapaxes(q, 1, 2), x))
        p = x.shape[2]
        flat = x.reshape(-1, p)
        out = Evaluation(cost, -flat.T @ rest.ravel(), flat.T @ flat, rank=c.shape[2])
        if covariance:
            nw, nt = rest.shape[:2]
            free = max(nt - c.shape[2], 1)
            r = rest[:, :, 0]
            # Y_p = X_p·Rᵀ over delays, for the covariance of the score; noise may be correlated over wavelengths.
            gram = r @ r.T
            out.score = np.empty((p, p))
            weighted = [np.tensordot(gram, x[:, :, i], axes=(1, 0)) for i in range(p)]
            for i in range(p):
                for j in range(p):
                    out.score[i, j] = np.vdot(x[:, :, i], weighted[j]) / free
            variance = np.einsum("wt,wt->w", r, r) / free
            m = local.full(inverse)  # (nw, nt, p, n) : (∂C/∂u_p)·R⁻¹ , R⁻¹R⁻ᵀ = (CᵀC)⁻¹
            m = m.reshape(nw, nt, -1)
            m = (m - np.matmul(q, np.matmul(np.swapaxes(q, 1, 2), m))) * np.sqrt(variance)[
                :, None, None
            ]
            m = m.reshape(nw, nt, p, -1).transpose(2, 0, 1, 3).reshape(p, -1)
            out.floor = m @ m.T
            out.delay_scores = np.einsum("wtp,wt->pt", x, r)
        return out

    def solve(self, u):
        """The best spectra A (n, nw), C (nw, nt, n), and C⁺ (nw, n, nt) at u."""
        c, _ = self.basis(u, False)
        q, inverse = self._project(c)
        pseudo = np.matmul(inverse, np.swapaxes(q, 1, 2))
        return np.matmul(pseudo, self.columns)[:, :, 0].T, c, pseudo


class NonNegativeBlock:
    """Data with one model matrix for all wavelengths, and some spectra that must not be negative.

    For each wavelength the best non-negative spectra are ordinary least squares on their positive set; with a handful
    of columns all sets are tried and the best feasible one is the answer. Wavelengths with the same set form a `SharedBlock` each.

    Parameters
    ----------
    data, basis, index
        As for `SharedBlock`; the columns of the basis are those whose spectra are bounded.
    bounded : int
        The first so many columns.
    decays : callable, optional
        `decays(u)` returns C and ∂C/∂u of the plain decays and T with `basis = C·T`; spectra are handed out for the decays.
    """

    def __init__(self, data, basis, index, bounded: int, decays=None):
        self.data, self.basis, self.index, self.bounded, self.decays = (
            data,
            basis,
            np.asarray(index, int),
            bounded,
            decays,
        )
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
        c, dc = self.basis(u, derivatives)
        chosen, sets = self._sets(c)
        p, nt = len(self.index), self.shape[0]
        out = Evaluation(
            0.0,
            np.zeros(p),
            np.zeros((p, p)),
            np.zeros((p, p)),
            np.zeros((p, p)),
            np.zeros((p, nt)),
        )
        for number in np.unique(chosen):
            keep, data = sets[number], self.data[:, chosen == number]
            if not keep:
                out.cost += float(np.sum(data**2))
                continue
            group = SharedBlock.__new__(SharedBlock)
            group.compressed, group.basis = (
                data,
                lambda u, d, keep=keep: (c[:, keep], dc[:, :, keep] if d else None),
            )
            part = group.evaluate(u, derivatives, covariance)
            out.cost += part.cost
            if derivatives:
                out.gradient, out.hessian, out.rank = (
                    out.gradient + part.gradient,
                    out.hessian + part.hessian,
                    max(out.rank, part.rank),
                )
            if covariance:
                out.floor, out.delay_scores = (
                    out.floor + part.floor,
                    out.delay_scores + part.delay_scores,
                )
        if covariance:  # from the sums over all wavelengths at each delay: their correlation across groups counts
            out.score = out.delay_scores @ out.delay_scores.T * nt / max(nt - c.shape[1], 1)
        return out

    def solve(self, u):
        """The best spectra of the decays (n, nw), their C (nw, nt, n), and C⁺ (nw, n, nt) at u."""
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
        if self.decays is not None:
            c, _, t = self.decays(u)
            pseudo = t @ pseudo
        return np.einsum("wnt,tw->nw", pseudo, self.data), np.broadcast_to(c, (nw, nt, n)), pseudo

    def local(self, u):
        """(∂C/∂u_p)·A of the plain decays for A (nw, n, 1): shape (nw, nt, p)."""
        dc = self.decays(u)[1] if self.decays is not None else self.basis(u, True)[1]
        return lambda a: np.einsum("ptn,wn->wtp", dc, a[:, :, 0], optimize=True)


def _cholesky_qr(c, scale):
    """Orthonormal bases of many thin matrices at once by Cholesky, done twice (as accurate as Householder up to
    condition 10⁷; Yamamoto et al., ETNA 44, 306 (2015)), and which of them are too ill-conditioned for it."""
    n = c.shape[2]
    q = c / scale[:, None, :]
    inverse = np.broadcast_to(np.eye(n), (len(c), n, n)).copy() / scale[:, :, None]
    bad = np.zeros(len(c), bool)
    for _ in range(2):
        gram = np.matmul(np.swapaxes(q, 1, 2), q)
        lower, failed = _batched_cholesky(gram)
        bad |= failed
        r_inverse = np.swapaxes(_batched_lower_inverse(lower), 1, 2)
        q = np.matmul(q, r_inverse)
        inverse = np.matmul(inverse, r_inverse)
    return q, inverse, bad


def _batched_cholesky(gram):
    """Lower factors, column by column over the whole batch; a pivot below 10⁻¹³ marks failure."""
    n = gram.shape[1]
    lower = np.zeros_like(gram)
    failed = np.zeros(len(gram), bool)
    for j in range(n):
        pivot = gram[:, j, j] - np.einsum("wk,wk->w", lower[:, j, :j], lower[:, j, :j])
        low = pivot < 1e-13
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


class Problem:
    """Blocks that share parameters. Coordinates `theta` are the free ones; `expand` makes the full vector and its Jacobian."""

    def __init__(self, blocks, expand, low, high):
        self.blocks, self.expand = blocks, expand
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        self.total = sum(block.total for block in blocks)
        self.evaluations = 0

    def evaluate(self, theta, derivatives=True, covariance=False) -> Evaluation:
        self.evaluations += 1
        u, jacobian = self.expand(theta)
        parts = [(block, block.evaluate(u, derivatives, covariance)) for block in self.blocks]
        out = Evaluation(sum(part.cost for _, part in parts))
        if not derivatives:
            return out
        full = len(u)
        names = ["hessian"] + (["floor", "score"] if covariance else [])
        gradient, matrices = np.zeros(full), {name: np.zeros((full, full)) for name in names}
        scores = []
        for block, part in parts:
            np.add.at(gradient, block.index, part.gradient)
            for name in names:
                np.add.at(matrices[name], np.ix_(block.index, block.index), getattr(part, name))
            if covariance:
                local = np.zeros((full, part.delay_scores.shape[1]))
                np.add.at(local, block.index, part.delay_scores)
                scores.append(jacobian.T @ local)
        out.gradient = jacobian.T @ gradient
        for name in names:
            setattr(out, name, jacobian.T @ matrices[name] @ jacobian)
        if covariance:
            out.delay_scores = np.concatenate(scores, axis=1)
        return out


@dataclass(frozen=True)
class Minimum:
    """Where a search ended. `decrement` is the fall of cost that a Newton step still promises, over the cost."""

    theta: np.ndarray
    cost: float
    evaluations: int
    converged: bool
    decrement: float
    gradient_norm: float
    at_bound: np.ndarray


def minimise(problem: Problem, start, *, tolerance=1e-13, max_evaluations=200) -> Minimum:
    """Levenberg–Marquardt within bounds on the projected cost.

    A coordinate at its bound whose gradient points outward is held there. The search ends when the fall of the cost
    that the quadratic model still promises is below `tolerance` of the cost or of what rounding leaves of it.
    """
    low, high = problem.low, problem.high
    theta = np.clip(np.asarray(start, float), low, high)
    now = problem.evaluate(theta)
    used, damping, converged = 1, 1e-3, False
    if len(theta) == 0:
        return Minimum(theta, now.cost, 1, True, 0.0, 0.0, np.zeros(0, bool))
    while used < max_evaluations:
        if now.cost < 1e-7 * problem.total and any(
            b.compressed is None for b in problem.blocks if isinstance(b, SharedBlock)
        ):
            for block in problem.blocks:
                block.exact()
            now = problem.evaluate(theta)
        held, decrement, _ = _stationarity(now, theta, low, high)
        floor = max(now.cost, 1e-14 * problem.total, 1e-300)
        if decrement <= tolerance * floor:
            converged = True
            break
        free = ~held
        h, g = now.hessian[np.ix_(free, free)], now.gradient[free]
        diagonal = np.diag(h).copy()
        diagonal[diagonal <= 0] = max(diagonal.max(), 1.0) * 1e-12
        improved = False
        while used < max_evaluations:
            step = np.zeros(len(theta))
            step[free] = np.linalg.lstsq(h + damping * np.diag(diagonal), -g, rcond=1e-15)[0]
            largest = np.max(np.abs(step))
            if (
                largest > 2.0
            ):  # coordinates are logarithms or picoseconds near zero time: never leap by more than e²
                step *= 2.0 / largest
            trial = np.clip(theta + step, low, high)
            moved = trial - theta
            promised = -(2 * now.gradient @ moved + moved @ now.hessian @ moved)
            used += 1
            then = problem.evaluate(
                trial
            )  # nearly every trial is accepted, so its derivatives are made at once
            if np.isfinite(then.cost) and then.cost < now.cost:
                ratio = (now.cost - then.cost) / promised if promised > 0 else 0.5
                damping = max(
                    damping * (0.1 if ratio > 0.5 else 0.5 if ratio > 0.2 else 2.0), 1e-12
                )
                theta, now, improved = trial, then, True
                break
            damping *= 8.0
            if damping > 1e12 or promised < tolerance * floor:
                break
        if not improved:
            converged = _stationarity(now, theta, low, high)[1] <= 1e-9 * floor
            break
    held, decrement, norm = _stationarity(now, theta, low, high)
    scale = max(now.cost, 1e-300)
    return Minimum(
        theta, now.cost, used, converged, decrement / scale, norm, (theta <= low) | (theta >= high)
    )


def _stationarity(now: Evaluation, theta, low, high):
    """Held coordinates, Newton decrement gᵀH⁻¹g of the others, and their scaled gradient norm."""
    g = now.gradient
    held = ((theta <= low) & (g > 0)) | ((theta >= high) & (g < 0))
    free = ~held
    if not free.any():
        return held, 0.0, 0.0
    h = now.hessian[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.diag(h), max(1e-28 * np.diag(h).max(), 1e-200)))
    scaled = g[free] / scale
    step = np.linalg.lstsq(h / np.outer(scale, scale), scaled, rcond=1e-14)[0]
    norm = float(np.linalg.norm(scaled) / np.sqrt(max(now.cost, 1e-300)))
    return held, float(abs(scaled @ step)), norm
