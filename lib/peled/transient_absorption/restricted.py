"""Fits in which something is demanded of the species' spectra: none below zero, zero in windows,
one the multiple of another, or known but for its size.

At every wavelength the spectra are A = L·b + k, b free, L the relations, k what is known; a window
leaves columns of L out at some wavelengths, and a spectrum that would be negative leaves its own
out. So each wavelength is least squares with a model matrix C·L of its own for the data less C·k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from peled.separable import DispersedBlock


@dataclass(frozen=True)
class Rules:
    """What is demanded of the spectra (species, nw).

    `mix` is L (species, m), `open` (nw, m) which of the free spectra there are at a wavelength,
    `bounded` (m,) which must not be negative; the spectra `values` (known, nw) belong to the
    species `known` and are multiplied by exp of the coordinates `sizes`. `columns` says which of
    the species are those of each of the `segments`. `areas` (k, species, nw) sum the spectra to
    what shall be zero.
    """

    mix: np.ndarray
    open: np.ndarray
    bounded: np.ndarray
    known: np.ndarray
    values: np.ndarray
    sizes: np.ndarray
    segments: tuple
    columns: tuple
    areas: np.ndarray

    @classmethod
    def of(cls, group, columns) -> Rules:
        """Of segments that share their spectra.

        Parameters
        ----------
        group : sequence of Segment
        columns : sequence of int array
            Which of the block's spectra are each segment's.

        Returns
        -------
        Rules

        Raises
        ------
        ValueError
            If a known spectrum does not span the wavelengths.
        """
        first, model = group[0], group[0].model
        names, nm = model.spectra, first.matrix.wavelength_nm
        tied = {*model.alike, *model.known}
        each = {at: name for own in columns for at, name in zip(own, names, strict=True)}
        free = sorted(at for at, name in each.items() if name not in tied)
        mix = np.zeros((len(each), len(free)))
        for own in columns:
            place = dict(zip(names, own.tolist(), strict=True))
            for name, row in place.items():
                base, factor = model.alike.get(name, (name, 1.0))
                if place[base] in free:
                    mix[row, free.index(place[base])] = factor
        shut = np.zeros((len(nm), len(free)), bool)
        for column, at in enumerate(free):
            for low, high in model.zero_nm.get(each[at], ()):
                shut[:, column] |= (nm >= low) & (nm <= high)
        decaying = set(names[: model.components + model.infinite])
        bounded = np.array([model.non_negative and each[at] in decaying for at in free])
        known = np.array([names.index(name) for name in model.known], int)
        values = [_on(nm, *model.known[name], name) for name in model.known]
        values = np.reshape(values, (len(known), len(nm))) * first.wavelength_weight
        areas = np.zeros((len(model.equal_areas), len(each), len(nm)))
        for row, pair in zip(areas, model.equal_areas, strict=True):
            low, high = pair.window_nm or (nm[0], nm[-1])
            within = (nm >= low) & (nm <= high)
            row[names.index(pair.first)] += pair.weight * within / first.wavelength_weight
            row[names.index(pair.second)] -= row[names.index(pair.first)] * pair.ratio
        kept = (first.sizes, tuple(group), tuple(columns), areas)
        return cls(mix, ~shut, bounded, known, values, *kept)

    @property
    def free(self) -> int:
        """Number of free linear coefficients."""
        return int(self.open.sum())

    def part(self, wavelengths) -> Rules:
        """The same at some of the wavelengths.

        Parameters
        ----------
        wavelengths : slice or int array

        Returns
        -------
        Rules
        """
        return replace(
            self,
            open=self.open[wavelengths],
            values=self.values[:, wavelengths],
            areas=self.areas[:, :, wavelengths],
        )

    def given(self, u) -> np.ndarray:
        """k, shape (species, nw).

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        ndarray, shape (species, nw)
            Zero for spectra that are not known.
        """
        out = np.zeros((len(self.mix), self.values.shape[1]))
        out[self.known] = np.exp(u[self.sizes])[:, None] * self.values
        return out


def placed(c, columns, number: int):
    """Columns (..., n) in their places among `number`, zeros elsewhere.

    Parameters
    ----------
    c : ndarray, shape (..., n)
    columns : int array, shape (n,)
    number : int

    Returns
    -------
    ndarray, shape (..., number)
        `c` itself where it has all columns.
    """
    if c.shape[-1] == number:
        return c
    out = np.zeros((*c.shape[:-1], number))
    out[..., columns] = c
    return out


def _on(nm, wavelength_nm, values, name):
    at, values = np.asarray(wavelength_nm, float), np.asarray(values, float)
    order = np.argsort(at)
    at, values = at[order], values[order]
    if not (at[0] <= nm[0] + 1e-6 and at[-1] >= nm[-1] - 1e-6 and np.isfinite(values).all()):
        raise ValueError(
            f"known spectrum of {name}: expected finite values from {nm[0]:.4g} to {nm[-1]:.4g} "
            f"nm, found {at[0]:.4g} to {at[-1]:.4g} nm"
        )
    return np.interp(nm, at, values)


class RestrictedBlock(DispersedBlock):
    """A `separable.DispersedBlock` of species' spectra under `Rules`."""

    def __init__(self, data, basis, index, present, rules: Rules, chunks=()):
        populations = [s.populations for s in rules.segments]
        index = np.concatenate([index, *populations, rules.sizes])
        # rows over all wavelengths are made of all at once
        super().__init__(data, basis, index, present, () if len(rules.areas) else chunks)
        self.rules = rules

    def _species(self, u, derivatives):
        """C (nw, nt, species), and ∂C/∂u applied to spectra (nw, species, 1): (nw, nt, p)."""
        c, local = self.basis(u, derivatives)
        made, turns, row = [], [], 0
        for s, at in zip(self.rules.segments, self.rules.columns, strict=True):
            t, dt = (placed(each, at, len(self.rules.mix)) for each in s.species(u))
            rows = slice(row, row + len(s.data))
            made.append(c[:, rows] @ t)
            turns.append((rows, t, dt))
            row = rows.stop

        def moved(a):
            out, column = np.zeros((*c.shape[:2], len(self.index))), 0
            later = sum(len(s.index) for s in self.rules.segments)
            for s, (rows, t, dt) in zip(self.rules.segments, turns, strict=True):
                own = slice(column, column + len(s.index))
                out[:, rows, own] = local(t @ a)[:, rows, own]
                kinetic, number = len(s.kinetic), len(s.populations)
                places = [*range(column, column + kinetic), *range(later, later + number)]
                for place, each in zip(places, dt, strict=True):
                    out[:, rows, place] += (c[:, rows] @ (each @ a))[:, :, 0]
                column, later = own.stop, later + number
            return out

        return np.concatenate(made, axis=1), moved if derivatives else None

    def _parts(self, u, derivatives):
        """C, ∂C/∂u applied to spectra, the spectra that are known, L of each wavelength, and what
        the known ones leave of the data."""
        c, moved = self._species(u, derivatives)
        k = self.rules.given(u)
        return c, moved, k, self._open(c, k), self.columns - np.matmul(c, k.T[:, :, None])

    def _moved_known(self, c, moved, k):
        """∂(C·k)/∂u (nw, nt, p)."""
        more = moved(k.T[:, :, None])
        first = len(self.index) - len(self.rules.sizes)
        for j, row in enumerate(self.rules.known):
            more[:, :, first + j] += c[:, :, row] * k[row][:, None]
        return more

    def _made(self, u, derivatives):
        c, moved, k, mix, left = self._parts(u, derivatives)
        if not derivatives:
            return np.matmul(c, mix), left, None, 0.0
        more = self._moved_known(c, moved, k)
        return np.matmul(c, mix), left, lambda b: moved(np.matmul(mix, b)), more

    def _evaluate(self, u, derivatives, covariance):
        cost, *rest = super()._evaluate(u, derivatives, covariance)
        if not len(self.rules.areas):
            return cost, *rest
        value, slopes, of_data = self._areas(u)
        cost += float(value @ value)
        if derivatives:
            rest[0] += slopes.T @ value
            rest[1] += slopes.T @ slopes
        if covariance:  # noise of the data goes through the areas too
            rest[3] -= np.einsum("kp,wkt,ws->pts", slopes, of_data, rest[-1], optimize=True)
        return cost, *rest

    def _areas(self, u):
        """What is demanded to be zero of the areas (k,), and its derivatives by the parameters
        (k, p) and by the data (nw, k, nt)."""
        c, moved, k, mix, left = self._parts(u, True)
        more, f = self._moved_known(c, moved, k), np.matmul(c, mix)
        q, inverse = self._project(f)
        back = np.matmul(inverse, np.swapaxes(q, 1, 2))
        b = np.matmul(back, left)
        rest = left - np.matmul(f, b)
        slope = -np.matmul(back, moved(np.matmul(mix, b)) + more)  # (nw, m, p)
        turned = [
            np.einsum("wtp,wt->wp", moved(np.matmul(mix, inverse[:, :, n : n + 1])), rest[:, :, 0])
            for n in range(inverse.shape[2])
        ]
        slope += np.matmul(inverse, np.stack(turned, axis=1))
        a = np.matmul(mix, b)[:, :, 0].T + k
        da = np.matmul(mix, slope).transpose(2, 1, 0) + self.own(u)
        areas = self.rules.areas
        return (
            np.einsum("ksw,sw->k", areas, a),
            np.einsum("ksw,psw->kp", areas, da),
            np.einsum("ksw,wsm,wmt->wkt", areas, mix, back, optimize=True),
        )

    def _open(self, c, k):
        """L of each wavelength (nw, species, m), without the columns that are shut."""
        rules = self.rules
        there = rules.open
        if rules.bounded.any():
            f = np.matmul(c, rules.mix * there[:, None, :])
            left = self.columns - np.matmul(c, k.T[:, :, None])
            there = there & ~_negative(f, left, rules.bounded)
        return rules.mix * there[:, None, :]

    def solve(self, u):
        """The best spectra of the species A (species, nw), their C (nw, nt, species), and the
        derivative of A by the data (nw, species, nt) at u.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        spectra : ndarray, shape (species, nw)
        c : ndarray, shape (nw, nt, species)
        pseudo : ndarray, shape (nw, species, nt)
        """
        c, _, k, mix, left = self._parts(u, False)
        q, inverse = self._project(np.matmul(c, mix))
        pseudo = np.matmul(np.matmul(mix, inverse), np.swapaxes(q, 1, 2))
        return np.matmul(pseudo, left)[:, :, 0].T + k, c, pseudo

    def local(self, u):
        """∂(C·A)/∂u of species' spectra, the known ones growing with their sizes.

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        callable
            A (nw, species, 1) -> (nw, nt, p).
        """
        c, moved = self._species(u, True)
        first = len(self.index) - len(self.rules.sizes)

        def made(a):
            out = moved(a)
            for j, row in enumerate(self.rules.known):
                out[:, :, first + j] += c[:, :, row] * a[:, row]
            return out

        return made

    def own(self, u):
        """Derivative of the known spectra by their sizes, (p, species, nw).

        Parameters
        ----------
        u : ndarray
            Full coordinates.

        Returns
        -------
        ndarray, shape (p, species, nw)
        """
        k = self.rules.given(u)
        out = np.zeros((len(self.index), *k.shape))
        first = len(self.index) - len(self.rules.sizes)
        for j, row in enumerate(self.rules.known):
            out[first + j, row] = k[row]
        return out


def _negative(f, data, bounded):
    """Which bounded spectra of F (nw, nt, m) are zero in non-negative least squares, (nw, m).

    Where the free solution is non-negative it is the answer; elsewhere all sets are tried, and the
    best feasible one is.
    """
    scale = np.sqrt(np.einsum("wij,wij->wj", f, f))
    scale[scale == 0] = 1.0
    f = f / scale[:, None, :]
    gram = np.matmul(np.swapaxes(f, 1, 2), f)
    right = np.matmul(np.swapaxes(f, 1, 2), data)[:, :, 0]
    out = np.zeros(right.shape, bool)
    todo = np.arange(len(f))
    where, best = np.flatnonzero(bounded), np.full(len(f), -np.inf)
    for number in range(2 ** len(where)):  # from the set with none left out on
        gone = np.zeros(f.shape[2], bool)
        gone[where[[j for j in range(len(where)) if number >> j & 1]]] = True
        a = _solved(gram[todo], right[todo], ~gone)
        gain = np.einsum("wn,wn->w", a, right[todo])
        good = (a[:, where] >= 0).all(axis=1) & (gain > best[todo])
        best[todo[good]], out[todo[good]] = gain[good], gone
        if number == 0:
            todo = todo[~good]
            if not len(todo):
                break
    return out


def _solved(gram, right, keep):
    """Least squares with some columns only; a vanished column gets nothing."""
    held = ~keep | (np.einsum("wii->wi", gram) == 0)
    gram = np.where(held[:, :, None] | held[:, None, :], 0.0, gram)
    i = np.arange(gram.shape[1])
    gram[:, i, i] += np.where(held, 1.0, 1e-13)
    return np.linalg.solve(gram, np.where(held, 0.0, right)[:, :, None])[:, :, 0]
