"""What a fit of a series found: parameters with covariance, derived quantities with errors, and how
far to trust them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from peled.lineshapes.bands import SHAPES
from peled.lineshapes.model import BandModel


@dataclass(frozen=True)
class SeriesFit:
    """Fitted parameters of n spectra.

    Attributes
    ----------
    model : BandModel
    values : (n, p) array
        All parameters, in the order of `names`, fixed and tied ones included.
    covariance : (n, p, p) array
        Zero for fixed parameters and for those at a bound (they are held there).
    chi2 : (n,) array
        Weighted sum of squares; with Poisson likelihood, the deviance.
    dof : (n,) array of int
        Points used minus free parameters (shared ones counted as their share of the series).
    converged : (n,) array of bool
        The next undamped step would be smaller than the tolerance in standard errors.
    at_bound : (n, p) array of bool
        Free parameters that ended at a bound: their error is undefined (nan in `standard_errors`).
    degenerate : (n,) array of bool
        Parameters that the data cannot tell apart (curvature singular to 1e-12); their errors mean
        nothing.
    iterations : (n,) array of int
    """

    model: BandModel
    values: np.ndarray = field(repr=False)
    covariance: np.ndarray = field(repr=False)
    chi2: np.ndarray = field(repr=False)
    dof: np.ndarray = field(repr=False)
    converged: np.ndarray = field(repr=False)
    at_bound: np.ndarray = field(repr=False)
    degenerate: np.ndarray = field(repr=False)
    iterations: np.ndarray = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return self.model.names

    @property
    def standard_errors(self) -> np.ndarray:
        """Square roots of the covariance's diagonal (n, p): 0 where fixed, nan where at a bound or
        degenerate."""
        errors = np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0))
        return np.where(self.at_bound | (self.degenerate[:, None] & (errors > 0)), np.nan, errors)

    @property
    def ok(self) -> np.ndarray:
        """Converged, nothing at a bound, nothing degenerate (n,)."""
        return self.converged & ~self.degenerate & ~self.at_bound.any(axis=1)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values and standard errors (n,), (n,) of one parameter by name."""
        column = self.model.index(name)
        return self.values[:, column], self.standard_errors[:, column]

    def value(self, name: str) -> np.ndarray:
        """Values of one parameter.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray, shape (n,)
        """
        return self.values[:, self.model.index(name)]

    def error(self, name: str) -> np.ndarray:
        """Standard errors of one parameter.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray, shape (n,)
        """
        return self.standard_errors[:, self.model.index(name)]

    def derived(self, function) -> tuple[np.ndarray, np.ndarray]:
        """A function of the parameters with its standard errors, by central differences.

        Parameters
        ----------
        function : callable
            Takes all values (n, p), gives (n,); it must work row by row, e.g.
            `lambda v: v[:, 3] / v[:, 0]`.

        Returns
        -------
        values, standard_errors : ndarray, shape (n,)
        """
        centre = np.asarray(function(self.values), float)
        step = 1e-4 * np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0))
        gradient = np.zeros_like(self.values)
        for k in range(self.values.shape[1]):
            if step[:, k].any():
                move = np.zeros_like(self.values)
                move[:, k] = step[:, k]
                difference = np.asarray(function(self.values + move), float) - np.asarray(
                    function(self.values - move), float
                )
                gradient[:, k] = np.divide(
                    difference, 2 * step[:, k], out=np.zeros(len(self)), where=step[:, k] > 0
                )
        return centre, np.sqrt(
            np.maximum(np.einsum("ni,nij,nj->n", gradient, self.covariance, gradient), 0)
        )

    def ratio(self, band: str, *others: str) -> tuple[np.ndarray, np.ndarray]:
        """Area of a band over the area of it and others together.

        Parameters
        ----------
        band : str
        *others : str
            All bands when none is named.

        Returns
        -------
        values, standard_errors : ndarray, shape (n,)
        """
        total = [
            self.model.index(f"{name}_area")
            for name in ((band, *others) if others else self.model.bands)
        ]
        part = self.model.index(f"{band}_area")
        return self.derived(lambda v: v[:, part] / v[:, total].sum(axis=1))

    def band(self, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What is read off one band of any shape.

        Parameters
        ----------
        name : str

        Returns
        -------
        dict of str to (values, standard_errors)
            `area`, `position` (of the maximum), `height` and `fwhm`, each of shape (n,).

        Raises
        ------
        KeyError
            If there is no such band.
        """
        if name not in self.model.bands:
            raise KeyError(f"no band {name!r}; the bands are {', '.join(self.model.bands)}")
        shape = SHAPES[self.model.bands[name]]
        first = self.model.index(f"{name}_area")
        columns = slice(first + 1, first + 1 + len(shape.parameters))
        found = {"area": self[f"{name}_area"]}
        for k, what in enumerate(("position", "height", "fwhm")):
            scale = (lambda v: v[:, first]) if what == "height" else (lambda v: 1.0)
            found[what] = self.derived(
                lambda v, k=k, scale=scale: _profile_summary(shape, v[:, columns])[k] * scale(v)
            )
        return found

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """Fitted spectra.

        Parameters
        ----------
        x : ndarray, shape (m,)

        Returns
        -------
        ndarray, shape (n, m)
        """
        return np.atleast_2d(self.model.evaluate(np.atleast_2d(np.asarray(x, float)), self.values))


def _profile_summary(shape, values):
    """Position, height (for unit area) and FWHM (each (n,)) of profiles with shape parameters (n,
    k)."""
    centre, widths = values[:, 0], values[:, 1:]
    width = shape.fwhm(*widths.T)
    shift = widths[:, 1] if shape is SHAPES["exponential_gaussian"] else np.zeros(len(values))

    def profile(at):
        return shape.function(
            at, *[values[:, k, None] for k in range(values.shape[1])], derivatives=False
        )[0]

    if shape is SHAPES["exponential_gaussian"]:
        # the mode lies between the Gaussian's centre and the mean; the slope in the centre is minus
        # that in x
        low, high = np.minimum(centre, centre + shift), np.maximum(centre, centre + shift)
        for _ in range(60):
            middle = 0.5 * (low + high)
            slope = shape.function(
                middle[:, None], *[values[:, k, None] for k in range(values.shape[1])]
            )[1][0][:, 0]
            low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
        mode = 0.5 * (low + high)
    else:
        mode = centre
    height = profile(mode[:, None])[:, 0]
    edges = []
    for side in (-1.0, 1.0):
        inner, outer = mode.copy(), mode + side * 3 * width
        for _ in range(60):
            middle = 0.5 * (inner + outer)
            above = profile(middle[:, None])[:, 0] > 0.5 * height
            inner, outer = np.where(above, middle, inner), np.where(above, outer, middle)
        edges.append(0.5 * (inner + outer))
    return mode, height, edges[1] - edges[0]
