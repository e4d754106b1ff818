"""Lines with uncertainties: singlets, first-order multiplets, families of spinning sidebands, any
of them overlapping.

Amplitudes and baseline enter linearly and are eliminated (`peled.separable`); positions, widths and
couplings are sought. The covariance of the estimates is (G'G)^-1 G'CG (G'G)^-1 with the true
covariance C of the processed noise, so that it holds for any line broadening and zero filling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import comb

import numpy as np
from scipy.signal import find_peaks

from peled import separable
from peled.lineshapes.bands import lorentzian, voigt
from peled.nmr.processing import Processed
from peled.separable import SeparableFit, Slopes, Sought


@dataclass(frozen=True)
class Component:
    """One signal to fit, with its starting values.

    Attributes
    ----------
    name : str
    centre_ppm : float
    width_Hz : float
        Full width at half maximum of the Lorentzian; without the line broadening of the window when
        that is known.
    gauss_Hz : float
        Full width of the Gaussian; used by `gauss` and `voigt`.
    shape : "lorentz", "gauss" or "voigt"
    couplings_Hz : tuple of float
    partners : tuple of int
        Equivalent spin-1/2 nuclei behind each coupling.
    sidebands : int
        Spinning sidebands of free intensity on each side.
    mas_rate_Hz : float
    fixed : tuple of str
        Of "centre", "width", "couplings".
    shared_width : str
        Components of the same non-empty word share their widths.
    """

    name: str
    centre_ppm: float
    width_Hz: float = 1.0
    gauss_Hz: float = 0.0
    shape: str = "lorentz"
    couplings_Hz: tuple[float, ...] = ()
    partners: tuple[int, ...] = ()
    sidebands: int = 0
    mas_rate_Hz: float = 0.0
    fixed: tuple[str, ...] = ()
    shared_width: str = ""

    def __post_init__(self):
        if self.shape not in ("lorentz", "gauss", "voigt"):
            raise ValueError(
                f"{self.name}: shape: expected lorentz, gauss or voigt, found {self.shape!r}"
            )
        if len(self.couplings_Hz) != len(self.partners):
            raise ValueError(
                f"{self.name}: expected one count of partners for each coupling, found "
                f"{len(self.partners)} for {len(self.couplings_Hz)}"
            )
        if self.sidebands and not self.mas_rate_Hz > 0:
            raise ValueError(f"{self.name}: sidebands need mas_rate_Hz, found {self.mas_rate_Hz}")


@dataclass(frozen=True)
class Line:
    """A fitted signal. Areas are over Hz, in the units of the spectrum; `areas_by_order` from the
    lowest sideband up.
    """

    name: str
    position_ppm: float
    position_error_ppm: float
    width_Hz: float
    width_error_Hz: float
    area: float
    area_error: float
    gauss_Hz: float = 0.0
    gauss_error_Hz: float = 0.0
    couplings_Hz: tuple[float, ...] = ()
    coupling_errors_Hz: tuple[float, ...] = ()
    areas_by_order: tuple[float, ...] = ()


@dataclass(frozen=True)
class LineFit:
    """Result of fitting one window.

    Attributes
    ----------
    lines : tuple of Line
    area_covariance : ndarray, shape (lines, lines)
    ppm, data, model, baseline : ndarray, shape (points,)
    curves : ndarray, shape (lines, points)
    misfit : float
        Root mean square of the residual over the noise. Above about 1.2 the model misses structure;
        errors are then scaled by it.
    converged : bool
    fit : SeparableFit
        As it was found, with `to_lmfit` for what is not offered here.
    """

    lines: tuple[Line, ...]
    area_covariance: np.ndarray = field(repr=False)
    ppm: np.ndarray = field(repr=False)
    data: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    baseline: np.ndarray = field(repr=False)
    curves: np.ndarray = field(repr=False)
    misfit: float
    converged: bool
    fit: SeparableFit = field(repr=False)

    def __getitem__(self, name: str) -> Line:
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(f"{name!r}: expected one of {', '.join(line.name for line in self.lines)}")


def shape_columns(
    processed: Processed,
    ppm: np.ndarray,
    positions_ppm: np.ndarray,
    width_Hz: float,
    gauss_Hz: float = 0.0,
) -> np.ndarray:
    """Absorption lines of unit area over Hz at each position, as the processing of this spectrum
    would draw them.

    Parameters
    ----------
    processed : Processed
    ppm : ndarray, shape (points,)
    positions_ppm : ndarray, shape (lines,)
    width_Hz : float
        Lorentzian full width at half maximum, without the window's broadening where that is known.
    gauss_Hz : float
        Gaussian full width at half maximum.

    Returns
    -------
    ndarray, shape (points, lines)

    Notes
    -----
    A Lorentzian from a decay of known length is summed as the discrete transform sums it, sum z^n =
    (1 - z^T) / (1 - z), so that truncation wiggles and the window are in the model. A line with
    Gaussian width is the real part of the Faddeeva function (a Voigt profile).
    """
    positions = np.asarray(positions_ppm, float)
    widths = (np.full(len(positions), w) for w in (width_Hz, gauss_Hz))
    return _Shapes(processed, ppm)(positions, *widths, 0.0, False)[0].T


class _Shapes:
    """Line shapes on a stretch of the axis; what depends on the axis alone is made once."""

    def __init__(self, processed: Processed, ppm: np.ndarray):
        self.processed, self.mhz = processed, processed.reference_MHz
        self.x = ppm * self.mhz
        if processed.points:
            self.turn = -2j * np.pi / processed.spectral_width_Hz
            self.once = np.exp(self.turn * self.x)
            self.whole = np.exp(self.turn * processed.points * self.x)

    def __call__(self, positions_ppm, width_Hz, gauss_Hz, phase, derivatives: bool) -> np.ndarray:
        """Lines and their derivatives by position (Hz), width, Gaussian width and phase.

        Parameters
        ----------
        positions_ppm, width_Hz, gauss_Hz : ndarray, shape (lines,)
        phase : float
            By which lines of a decay are turned, rad.

        Returns
        -------
        ndarray, shape (5, lines, points), without `derivatives` (1, lines, points)
        """
        place = (positions_ppm * self.mhz)[:, None]
        width = (width_Hz + self.processed.line_broadening_Hz)[:, None]
        own = gauss_Hz[:, None]
        gauss = np.hypot(own, self.processed.gaussian_Hz)
        voigts = (gauss > 1e-3 * np.abs(width))[:, 0]
        out = np.zeros((5 if derivatives else 1, len(place), len(self.x)))
        if not voigts.all():
            chosen = slice(None) if not voigts.any() else ~voigts
            if self.processed.points:
                found = self._decays(place[chosen], width[chosen], phase, derivatives)
            else:
                found = self._lorentzians(place[chosen], width[chosen], derivatives)
            for k, part in found.items():
                out[k, chosen] = part
        if voigts.any():
            g = gauss[voigts]
            values, slopes = voigt(
                self.x, place[voigts], g, np.maximum(width[voigts], 0.0), derivatives
            )
            out[0, voigts] = values
            if derivatives:
                out[1, voigts], out[2, voigts] = slopes[0], slopes[2]
                out[3, voigts] = slopes[1] * own[voigts] / g
        return out

    def _lorentzians(self, place, width, derivatives: bool):
        values, slopes = lorentzian(self.x, place, width, derivatives)
        return dict(enumerate((values, *slopes)))

    def _decays(self, place, width, phase: float, derivatives: bool):
        """Transforms of exponentials of the length of the decay."""
        dwell, length = 1.0 / self.processed.spectral_width_Hz, self.processed.points
        rate = -np.pi * width * dwell - self.turn * place
        z, last = np.exp(rate) * self.once, np.exp(rate * length) * self.whole
        # Turned by the phase, in units of the spectrum; the first point counts by half.
        turn = complex(2 * dwell * np.exp(1j * phase))
        share = 1 / (1 - z)
        line = (1 - last) * share
        turned = turn * (line - 0.5)
        if not derivatives:
            return {0: turned.real}
        slope = (np.pi * dwell * turn) * ((line * z - length * last) * share)
        return {0: turned.real, 1: -2 * slope.imag, 2: -slope.real, 4: -turned.imag}


def multiplet(
    couplings_Hz: Sequence[float], partners: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (Hz) and relative intensities (sum 1) of a first-order multiplet of spin-1/2
    partners.

    Parameters
    ----------
    couplings_Hz : sequence of float
    partners : sequence of int
        Equivalent nuclei behind each coupling.

    Returns
    -------
    offsets_Hz, intensity : ndarray, shape (lines,)
    """
    steps, weights = _multiplet(tuple(partners))
    return steps @ np.asarray(couplings_Hz, float), weights


@lru_cache(maxsize=256)
def _multiplet(partners: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in units of each coupling (lines, couplings), and intensities (lines,)."""
    steps, weights = np.zeros((1, 0)), np.ones(1)
    for count in partners:
        k = np.arange(count + 1)
        ways = np.repeat(steps, count + 1, axis=0)
        steps = np.column_stack([ways, np.tile(k - count / 2, len(steps))])
        ways_of = np.array([comb(count, i) for i in range(count + 1)])
        weights = np.outer(weights, ways_of / 2.0**count).ravel()
    return steps, weights


#: Fits that end at all have ended by then; of two lines where there is one, none ends.
MOST_EVALUATIONS = 90


def fit_window(
    processed: Processed,
    window_ppm: tuple[float, float],
    basis: separable.Basis,
    sought: dict[str, Sought],
    amplitudes: Sequence[str],
    baseline_order: int,
    **options,
) -> tuple[SeparableFit, float]:
    """A separable fit of one window over a polynomial baseline, and its misfit.

    Errors are those of the processed noise; where the root mean square of the residual over the
    noise, the misfit, says that the model misses structure, they grow with it.

    Parameters
    ----------
    processed : Processed
    window_ppm : (low, high)
    basis : callable
        Of the signals alone, whose coefficients are `amplitudes`; see `peled.separable.fit`.
    sought : dict of str to Sought
        Non-linear parameters.
    amplitudes : sequence of str
    baseline_order : int
        Degree of the polynomial; -1 for none.
    **options
        Of `peled.separable.fit`.

    Returns
    -------
    found : SeparableFit
    misfit : float
        Infinite where the noise is 0.

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036
    """
    part = processed.window(*window_ppm)
    data = processed.real[part]
    polynomial = np.vander(np.linspace(-1, 1, len(data)), baseline_order + 1, increasing=True)
    independent = processed.independent_points(len(data))
    linear = [*amplitudes, *(f"baseline {k}" for k in range(baseline_order + 1))]
    options = {"max_evaluations": MOST_EVALUATIONS} | options
    misfits = []

    def whole(values, derivatives):
        columns, moved = basis(values, derivatives)
        design = np.concatenate([columns, polynomial], axis=1)
        return design, Slopes(lambda a: moved @ a[: columns.shape[1]]) if derivatives else None

    def variance(residual, freedom):
        spare = independent - (len(data) - freedom)
        mean = np.mean(residual**2) / (max(spare, 1.0) / independent)
        misfits.append(float(np.sqrt(mean) / processed.noise_sd) if processed.noise_sd else np.inf)
        return misfits[0] ** 2 if misfits[0] ** 2 > 1 + 4 * np.sqrt(2 / max(spare, 2.0)) else 1.0

    found = separable.fit(
        whole,
        data,
        sought,
        linear,
        covariance_of=processed.covariance_of,
        variance=variance,
        **options,
    )
    return found, misfits[0]


def fit_lines(
    processed: Processed,
    window_ppm: tuple[float, float],
    components: Sequence[Component],
    *,
    baseline_order: int = 1,
) -> LineFit:
    """Fit signals in one window.

    Parameters
    ----------
    processed : Processed
    window_ppm : (low, high)
    components : sequence of Component
    baseline_order : int
        Degree of the polynomial under the signals; -1 for none.

    Returns
    -------
    LineFit

    Raises
    ------
    ValueError
        For no components, equal names, or a window with fewer points than parameters.

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036
    """
    components = list(components)
    if not components:
        raise ValueError("components: expected at least one signal, found none")
    if len({c.name for c in components}) < len(components):
        raise ValueError(
            f"components: expected different names, found {', '.join(c.name for c in components)}"
        )
    part = processed.window(*window_ppm)
    ppm, data = processed.ppm[part], processed.real[part]
    layout = _Layout(components, processed, ppm)
    matrix_size = layout.free + len(layout.areas) + baseline_order + 1
    if len(ppm) <= matrix_size:
        raise ValueError(
            f"window {window_ppm[0]:g} to {window_ppm[1]:g} ppm: expected more points than the "
            f"{matrix_size} parameters, found {len(ppm)}"
        )
    found, misfit = fit_window(
        processed,
        window_ppm,
        layout.basis,
        layout.sought,
        layout.areas,
        baseline_order,
        relations=layout.relations,
    )
    names, columns = found.estimates.names, layout.columns
    areas = np.array([[name in own for name in names] for own in layout.own_areas], float)
    area_covariance = areas @ found.estimates.covariance @ areas.T
    lost = areas[:, np.isinf(found.errors)].any(axis=1)
    area_covariance[lost, lost] = np.inf
    return LineFit(
        layout.lines(found, np.sqrt(np.maximum(np.diag(area_covariance), 0))),
        area_covariance,
        ppm,
        data,
        found.model,
        found.design[:, len(layout.areas) :] @ found.linear[len(layout.areas) :],
        np.array([found.design[:, own] @ found.linear[own] for own in columns]),
        misfit,
        found.estimates.converged,
        found,
    )


class _Layout:
    """The parameters of each component, and the model's columns made of them."""

    def __init__(self, components: list[Component], processed: Processed, ppm: np.ndarray):
        self.components, self.processed, self.ppm = components, processed, ppm
        self.shapes = _Shapes(processed, ppm)
        # Sought is a width as drawn, the window's with it: one's own may be nothing, and a fit in
        # its logarithm has no end there.
        self.window_Hz = max(processed.line_broadening_Hz, 0.0)
        self.sought: dict[str, Sought] = {}
        self.relations: dict = {}
        self.columns: list[slice] = []
        self.own_areas: list[list[str]] = []
        self.multiplets = [_multiplet(c.partners) for c in components]
        self.shared: dict[str, str] = {}
        for c in components:
            self._seek(c)
            first = self.shared.setdefault(c.shared_width or c.name, c.name)
            if first != c.name:
                for kind in ("width", "gauss"):
                    leader = f"{first} {kind}"
                    self.relations[f"{c.name} {kind}"] = lambda v, leader=leader: v[leader]
            at = len(self.areas)
            self.columns.append(slice(at, at + 2 * c.sidebands + 1))
            self.own_areas.append(
                [f"{c.name} area {order}" for order in range(-c.sidebands, c.sidebands + 1)]
            )
        # Where lines stand depends on a phase that was sought, too: it is fitted with them.
        turned = processed.phase.sought and processed.points > 0
        turned &= any(c.shape == "lorentz" for c in components)
        self.sought["phase"] = Sought(0.0, -1.0, 1.0, 0.1, held=not turned, unit="rad")
        self._share()
        self.free = sum(not s.held and n not in self.relations for n, s in self.sought.items())

    @property
    def areas(self) -> list[str]:
        return [name for own in self.own_areas for name in own]

    def _share(self) -> None:
        """Share of each line in each area; where the parameters of a component begin."""
        counts = [
            (2 * c.sidebands + 1) * len(weights)
            for c, (_, weights) in zip(self.components, self.multiplets, strict=True)
        ]
        ends = np.cumsum(counts)
        self.own_lines = [slice(e - n, e) for e, n in zip(ends.tolist(), counts, strict=True)]
        self.share = np.zeros((len(self.areas), int(ends[-1])))
        starts = np.cumsum([0, *(3 + len(c.couplings_Hz) for c in self.components)])
        self.starts = starts[:-1].tolist()
        # By what each parameter moves each line's position (Hz), width and Gaussian width.
        self.moves = np.zeros((4, int(starts[-1]) + 1, int(ends[-1])))
        self.moves[3, -1] = 1.0
        for c, at, own, columns, (steps, weights) in zip(
            self.components, self.starts, self.own_lines, self.columns, self.multiplets, strict=True
        ):
            orders = 2 * c.sidebands + 1
            self.share[columns, own] = np.kron(np.eye(orders), weights)
            self.moves[0, at, own] = self.processed.reference_MHz
            self.moves[1, at + 1, own] = self.moves[2, at + 2, own] = 1.0
            self.moves[0, at + 3 : at + 3 + steps.shape[1], own] = np.tile(steps.T, orders)

    def _seek(self, c: Component) -> None:
        mhz = self.processed.reference_MHz
        reach = self.ppm[-1] - self.ppm[0]
        step = max(c.width_Hz, c.gauss_Hz, self.processed.hz_per_point) / mhz
        self.sought[f"{c.name} centre"] = Sought(
            c.centre_ppm,
            c.centre_ppm - reach / 2,
            c.centre_ppm + reach / 2,
            step,
            held="centre" in c.fixed,
            unit="ppm",
        )
        fixed, point = "width" in c.fixed, self.processed.hz_per_point
        for kind, start, window, used in (
            ("width", c.width_Hz, self.window_Hz, c.shape != "gauss"),
            ("gauss", c.gauss_Hz or (not fixed) * c.width_Hz, 0.0, c.shape != "lorentz"),
        ):
            start, least = (start if used else 0.0) + window, max(window, 0.02 * point)
            self.sought[f"{c.name} {kind}"] = Sought(
                start if fixed or not used else max(start, 1.01 * least),
                least,
                max(2 * reach * mhz, 10 * start),
                0.3,
                log=True,
                held=fixed or not used,
                unit="Hz",
            )
        for k, coupling in enumerate(c.couplings_Hz):
            self.sought[f"{c.name} coupling {k}"] = Sought(
                coupling,
                step=max(0.3 * c.width_Hz, 0.1),
                held="couplings" in c.fixed,
                unit="Hz",
            )

    def basis(self, values, derivatives):
        """Columns (points, areas) and their derivatives."""
        mhz, count = self.processed.reference_MHz, self.share.shape[1]
        place, width, gauss = np.empty((3, count))
        for c, at, own, (steps, _) in zip(
            self.components, self.starts, self.own_lines, self.multiplets, strict=True
        ):
            offsets = steps @ values[at + 3 : at + 3 + len(c.couplings_Hz)]
            if c.sidebands:
                orders = np.arange(-c.sidebands, c.sidebands + 1)
                offsets = np.add.outer(orders * c.mas_rate_Hz, offsets).ravel()
            place[own] = values[at] + offsets / mhz
            width[own], gauss[own] = values[at + 1] - self.window_Hz, values[at + 2]
        found = self.shapes(place, width, gauss, values[-1], derivatives)

        def times(a):
            return np.matmul(self.moves * (a @ self.share), found[1:]).sum(axis=0)

        return (self.share @ found[0]).T, Slopes(times) if derivatives else None

    def lines(self, found: SeparableFit, area_errors) -> tuple[Line, ...]:
        value = dict(zip(self.sought, found.values.tolist()))
        error = dict.fromkeys(self.sought, 0.0) | dict(
            zip(found.estimates.names, found.errors.tolist())
        )
        out = []
        for c, columns, area_error in zip(
            self.components, self.columns, area_errors.tolist(), strict=True
        ):
            leader = self.shared[c.shared_width or c.name]
            couplings = [f"{c.name} coupling {k}" for k in range(len(c.couplings_Hz))]
            areas = found.linear[columns]
            out.append(
                Line(
                    c.name,
                    value[f"{c.name} centre"],
                    error[f"{c.name} centre"],
                    value[f"{c.name} width"] - self.window_Hz,
                    error[f"{leader} width"],
                    float(areas.sum()),
                    area_error,
                    value[f"{c.name} gauss"],
                    error[f"{leader} gauss"],
                    tuple(abs(value[name]) for name in couplings),
                    tuple(error[name] for name in couplings),
                    tuple(areas.tolist()) if c.sidebands else (),
                )
            )
        return tuple(out)


# ---- how many lines ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peaks:
    """Picked maxima: positions (ppm, ascending) and heights."""

    ppm: np.ndarray
    height: np.ndarray


def pick_peaks(
    processed: Processed, *, threshold: float = 6.0, window_ppm: tuple[float, float] | None = None
) -> Peaks:
    """Maxima of the absorption spectrum that stand `threshold` noise standard deviations above
    their surroundings.

    Positions are those of a parabola through the three highest points.

    Parameters
    ----------
    processed : Processed
    threshold : float
        Prominence in standard deviations of the noise.
    window_ppm : (low, high), optional

    Returns
    -------
    Peaks
    """
    part = processed.window(*window_ppm) if window_ppm else slice(0, len(processed.ppm))
    y = processed.real[part]
    index, _ = find_peaks(y, prominence=threshold * processed.noise_sd)
    left, mid, right = y[index - 1], y[index], y[index + 1]
    curve = left - 2 * mid + right
    shift = np.where(curve < 0, 0.5 * (left - right) / np.where(curve == 0, 1, curve), 0.0)
    step = processed.ppm[1] - processed.ppm[0]
    return Peaks(
        processed.ppm[part][index] + shift * step,
        mid - 0.25 * (left - right) * shift,
    )
