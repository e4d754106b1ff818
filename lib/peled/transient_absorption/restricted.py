"""Fits in which something is demanded of the species' spectra: none below zero, zero in windows,
one the multiple of another, known but for its size, or guided by one measured elsewhere.

At every wavelength the spectra are A = L·b + k, b free, L the relations, k what is known; a window
leaves columns of L out at some wavelengths, and a spectrum that would be negative leaves its own
out. So each wavelength is least squares with a model matrix C·L of its own for the data less C·k.
A guide is a data set of one row, whose model is its size times a species' spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from peled.separable import DispersedBlock


@dataclass(frozen=True)
class Guide:
    """A spectrum y measured elsewhere of the species of number `row`: `values` are y/σ, `factor` is
    what the species' spectrum in the block is multiplied by, with exp of the coordinate `size`, to
    be compared with them; (nw,) each."""

    row: int
    size: int
    values: np.ndarray
    factor: np.ndarray

    def part(self, wavelengths) -> Guide:
        """The same at some of the wavelengths.

        Parameters
        ----------
        wavelengths : slice or int array

        Returns
        -------
        Guide
        """
        return replace(self, values=self.values[wavelengths], factor=self.factor[wavelengths])


@dataclass(frozen=True)
class Rules:
    """What is demanded of the spectra (species, nw).

    `mix` is L (species, m), `open` (nw, m) which of the free spectra there are at a wavelength,
    `bounded` (m,) which must not be negative; the spectra `values` (known, nw) belong to the
    species `known` and are multiplied by exp of the coordinates `sizes`. `columns` says which of
    the species are those of each of the `segments`. `areas` (k, species, nw) sum the spectra to
    what shall be zero, `guides` are rows of the data beside the segments'.
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
    guides: tuple[Guide, ...] = ()

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
            If a known spectrum or a guide does not span the wavelengths, or has no errors.
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
        guides = []
        for name, size in zip(model.guides, first.guides.tolist(), strict=True):
            at, y, *error = model.guides[name]
            error = np.broadcast_to(error[0] if error else 1.0, np.shape(at))
            y, error = _on(nm, at, y, name), _on(nm, at, error, name)
            if not (error > 0).all():
                raise ValueError(
                    f"guide of {name}: expected errors above zero, found {error.min():.3g}"
                )
            factor = 1 / (error * first.wavelength_weight)
            guides.append(Guide(names.index(name), size, y / error, factor))
        kept = (first.sizes, tuple(group), tuple(columns), areas, tuple(guides))
        return cls(mix, ~shut, bounded, known, values, *kept)

    @property
    def local(self) -> bool:
        """Whether each wavelength is a problem of its own in the delays alone."""
        return not len(self.areas) and not self.guides

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
            guides=tuple(guide.part(wavelengths) for guide in self.guides),
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
            f"spectrum of {name}: expected finite values from {nm[0]:.4g} to {nm[-1]:.4g} "
            f"nm, found {at[0]:.4g} to {at[-1]:.4g} nm"
        )
    return np.interp(nm, at, values)


class _Moved:
    """∂C/∂u of one set's species' columns, applied to species' spectra: by the coordinates of its
    columns, its populations, and the sizes of known spectra."""

    def __init__(self, segment, rules, c, t, dt, slopes):
        self.segment, self.rules, self.slopes, self.t = segment, rules, slopes, t
        self.c, self.made = c, c @ t
        later = range(len(segment.index), len(segment.index) + len(segment.populations))
        places = [*range(len(segment.kinetic)), *later]
        self.turns = [(at, each) for at, each in zip(places, dt, strict=True) if each.any()]
        self.first = later.stop
        self.number = self.first + len(rules.sizes)

    def __call__(self, a):
        out = np.zeros((*self.c.shape[:2], self.number))
        out[:, :, : len(self.segment.index)] = self.slopes(self.t @ a)
        for place, each in self.turns:
            out[:, :, place] += (self.c @ (each @ a))[:, :, 0]
        return out

    def grown(self, a):
        """The same where the known ones of the spectra grow with their sizes.

        Parameters
        ----------
        a : ndarray, shape (nw, species, 1)

        Returns
        -------
        ndarray, shape (nw, nt, p)
        """
        out = self(a)
        for j, row in enumerate(self.rules.known):
            out[:, :, self.first + j] += self.made[:, :, row] * a[:, row]
        return out

    def against(self, rest):
        """Σ over the delays of rest times ∂C/∂u.

        Parameters
        ----------
        rest : ndarray, shape (nw, nt, 1)

        Returns
        -------
        ndarray, shape (nw, p, species)
        """
        out = np.zeros((len(rest), self.number, self.t.shape[1]))
        out[:, : len(self.segment.index)] = self.slopes.against(rest) @ self.t
        across = np.matmul(np.swapaxes(rest, 1, 2), self.c)
        for place, each in self.turns:
            out[:, place] += (across @ each)[:, 0]
        return out


class _Guided:
    """As `_Moved` of the row of a guide: by the coordinate of its size."""

    def __init__(self, guide, u, species):
        self.made = np.zeros((len(guide.factor), 1, species))
        self.made[:, 0, guide.row] = guide.factor * np.exp(u[guide.size])

    def __call__(self, a):
        return self.made @ a

    grown = __call__

    def against(self, rest):
        return rest * self.made


class RestrictedBlock(DispersedBlock):
    """A `separable.DispersedBlock` of species' spectra under `Rules`; rows of guides come last."""

    def __init__(self, data, basis, index, present, rules: Rules, sets=(), chunks=()):
        index = [
            np.concatenate([each, s.populations, rules.sizes])
            for each, s in zip(index, rules.segments, strict=True)
        ]
        index += [[guide.size] for guide in rules.guides]
        data = np.concatenate([data, *(guide.values[None] for guide in rules.guides)])
        present = np.pad(present, ((0, len(rules.guides)), (0, 0)), constant_values=True)
        super().__init__(data, basis, index, present, (*sets, *[1] * len(rules.guides)), chunks)
        self.rules = rules

    def _parts(self, u, derivatives):
        """C (nw, nt, species), what gives each set's ∂C/∂u·A, the spectra that are known, L of each
        wavelength, and what the known ones leave of the data."""
        c, slopes = self.basis(u, derivatives)
        made, moved = [], []
        for j, (s, at) in enumerate(zip(self.rules.segments, self.rules.columns, strict=True)):
            t, dt = (placed(each, at, len(self.rules.mix)) for each in s.species(u))
            own = c[:, self.sets[j]]
            if derivatives:
                moved.append(_Moved(s, self.rules, own, t, dt, slopes[j]))
            made.append(moved[-1].made if derivatives else own @ t)
        guided = [_Guided(guide, u, len(self.rules.mix)) for guide in self.rules.guides]
        moved += guided if derivatives else []
        made += [each.made for each in guided]
        c = made[0] if len(made) == 1 else np.concatenate(made, axis=1)
        k = self.rules.given(u)
        left = self.columns - np.matmul(c, k.T[:, :, None]) if len(self.rules.known) else None
        left = self.columns if left is None else left
        return c, moved, k, self._open(c, left), left

    def _made(self, u, derivatives):
        c, moved, k, mix, left = self._parts(u, derivatives)
        more = [0.0] * len(moved)
        if len(self.rules.known):
            more = [each.grown(k.T[:, :, None]) for each in moved]
        slopes = [lambda b, each=each: each(np.matmul(mix, b)) for each in moved]
        return np.matmul(c, mix), left, slopes, more, (mix, k, moved)

    def _slopes(self, u):
        return [each.grown for each in self._parts(u, True)[1]]

    def _beside(self, u, kept, solved, slopes, taken):
        """What is demanded to be zero of the areas (k,), and its derivatives by the parameters
        (k, p) and by the data (nw, k, nt)."""
        areas, (mix, k, moved) = self.rules.areas, kept
        if not len(areas):
            return None
        q, inverse, best, rest = solved
        value = np.einsum("ksw,sw->k", areas, np.matmul(mix, best)[:, :, 0].T + k)
        if taken is None:
            return value, None, None
        slope = -np.matmul(inverse, np.concatenate(taken, axis=2))  # (nw, m, p)
        turned = [each.against(rest[:, rows]) for rows, each in zip(self.sets, moved, strict=True)]
        turned = np.matmul(np.concatenate(turned, axis=1), mix)
        square = np.matmul(inverse, np.swapaxes(inverse, 1, 2))
        slope += np.matmul(square, np.swapaxes(turned, 1, 2))
        da = np.matmul(mix, slope).transpose(2, 1, 0) + self.own(u)
        back = np.matmul(np.matmul(mix, inverse), np.swapaxes(q, 1, 2))  # (nw, species, nt)
        flat = areas.reshape(len(areas), -1)
        return value, flat @ da.reshape(len(da), -1).T, np.matmul(areas.transpose(2, 0, 1), back)

    def _add(self, out, beside, moved):
        if not len(self.rules.areas):
            return
        value = sum(part[0] for part in beside)
        out.cost += float(value @ value)
        if out.gradient is None:
            return
        slopes = sum(part[1] for part in beside)
        out.gradient += slopes.T @ value
        out.hessian += slopes.T @ slopes
        if moved:  # noise of the data goes through the areas too
            of_data = np.concatenate([part[2] for part in beside])
            for rows, x in zip(self.sets, moved, strict=True):
                x -= np.swapaxes(of_data[:, :, rows], 1, 2) @ slopes

    def _open(self, c, left):
        """L of each wavelength (nw, species, m), without the columns that are shut; `left` is what
        the known spectra leave of the data."""
        rules = self.rules
        there = rules.open
        if rules.bounded.any():
            f = np.matmul(c, rules.mix * there[:, None, :])
            gram, right = (np.matmul(np.swapaxes(f, 1, 2), x) for x in (f, left))
            there = there & ~negative(gram, right[:, :, 0], rules.bounded)
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
        s = self.rules.segments[0]  # each set has a place for them: once is enough
        first = len(s.index) + len(s.populations)
        for j, row in enumerate(self.rules.known):
            out[first + j, row] = k[row]
        return out


def negative(gram, right, bounded):
    """Which bounded spectra are zero in non-negative least squares.

    Where the free solution is non-negative it is the answer; elsewhere all sets are tried, and the
    best feasible one is.

    Parameters
    ----------
    gram : ndarray, shape (nw, m, m)
        FᵀF of the model matrix F of each wavelength.
    right : ndarray, shape (nw, m)
        FᵀD.
    bounded : bool array, shape (m,)

    Returns
    -------
    bool array, shape (nw, m)
    """
    scale = np.sqrt(np.einsum("wii->wi", gram))
    scale = np.where(scale > 0, scale, 1.0)
    gram, right = gram / (scale[:, :, None] * scale[:, None, :]), right / scale
    out = np.zeros(right.shape, bool)
    todo = np.arange(len(gram))
    where, best = np.flatnonzero(bounded), np.full(len(gram), -np.inf)
    for number in range(2 ** len(where)):  # from the set with none left out on
        gone = np.zeros(right.shape[1], bool)
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


def kept(gram, there, ridge=0.0):
    """Gram matrices in which what is not there has no part: a one in its place.

    Parameters
    ----------
    gram : ndarray, shape (nw, m, m)
    there : bool array, shape (nw, m) or (m,)
    ridge : float
        Added to the diagonal of the others.

    Returns
    -------
    ndarray, shape (nw, m, m)
    """
    gram = np.where(there[..., :, None] & there[..., None, :], gram, 0.0)
    i = np.arange(gram.shape[1])
    gram[:, i, i] += np.where(there, ridge, 1.0)
    return gram


def _solved(gram, right, keep):
    """Least squares with some columns only; a vanished column gets nothing."""
    there = keep & (np.einsum("wii->wi", gram) > 0)
    right = np.where(there, right, 0.0)[:, :, None]
    return np.linalg.solve(kept(gram, there, 1e-13), right)[:, :, 0]
