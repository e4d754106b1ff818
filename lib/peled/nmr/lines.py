"""Lines with uncertainties: singlets, first-order multiplets, families of spinning sidebands, any of them overlapping.

Amplitudes and baseline enter linearly and are eliminated (Golub and Pereyra, Inverse Problems 19, R1 (2003),
doi:10.1088/0266-5611/19/2/201); positions, widths and couplings are sought. The covariance of the estimates is
(G'G)^-1 G'CG (G'G)^-1 with the true covariance C of the processed noise, so that it holds for any line broadening and
zero filling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import find_peaks
from scipy.special import comb, wofz
from scipy.stats import f as f_distribution

from peled.nmr.processing import Processed

_LN2 = np.log(2)


@dataclass(frozen=True)
class Component:
    """One signal to fit, with its starting values.

    Attributes
    ----------
    name : str
    centre_ppm : float
    width_Hz : float
        Full width at half maximum of the Lorentzian; without the line broadening of the window when that is known.
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
                f"{self.name}: expected one count of partners for each coupling, found {len(self.partners)} for {len(self.couplings_Hz)}"
            )
        if self.sidebands and not self.mas_rate_Hz > 0:
            raise ValueError(f"{self.name}: sidebands need mas_rate_Hz, found {self.mas_rate_Hz}")


@dataclass(frozen=True)
class Line:
    """A fitted signal. Areas are over Hz, in the units of the spectrum; `areas_by_order` from the lowest sideband up."""

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
        Root mean square of the residual over the noise. Above about 1.2 the model misses structure; errors are then
        scaled by it.
    bic : float
        Bayesian information criterion with the count of independent points.
    independent_points : float
    parameters : int
    rss : float
    converged : bool
    """

    lines: tuple[Line, ...]
    area_covariance: np.ndarray = field(repr=False)
    ppm: np.ndarray = field(repr=False)
    data: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    baseline: np.ndarray = field(repr=False)
    curves: np.ndarray = field(repr=False)
    misfit: float
    bic: float
    independent_points: float
    parameters: int
    rss: float
    converged: bool

    def __getitem__(self, name: str) -> Line:
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(f"{name!r}: expected one of {', '.join(line.name for line in self.lines)}")


@dataclass(frozen=True)
class SeparableFit:
    """Least squares with linear amplitudes eliminated. `covariance` is of (nonlinear, linear) in this order."""

    nonlinear: np.ndarray
    linear: np.ndarray
    covariance: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    design: np.ndarray = field(repr=False)
    rss: float
    converged: bool
    misfit: float
    independent_points: float


def shape_columns(
    processed: Processed,
    ppm: np.ndarray,
    positions_ppm: np.ndarray,
    width_Hz: float,
    gauss_Hz: float = 0.0,
) -> np.ndarray:
    """Absorption lines of unit area over Hz at each position, as the processing of this spectrum would draw them.

    Parameters
    ----------
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
    A Lorentzian from a decay of known length is summed as the discrete transform sums it, sum z^n = (1 - z^T) / (1 - z),
    so that truncation wiggles and the window are in the model. A line with Gaussian width is the real part of the
    Faddeeva function (a Voigt profile).
    """
    offset = (ppm[:, None] - positions_ppm[None, :]) * processed.reference_MHz
    gauss = float(np.hypot(gauss_Hz, processed.gaussian_Hz))
    width = width_Hz + processed.line_broadening_Hz
    if gauss > 1e-3 * abs(width) and gauss > 0:
        sigma = gauss / (2 * np.sqrt(2 * _LN2))
        z = (offset + 0.5j * max(width, 0.0)) / (sigma * np.sqrt(2))
        return wofz(z).real / (sigma * np.sqrt(2 * np.pi))
    if processed.points:
        dwell = 1.0 / processed.spectral_width_Hz
        exponent = -(np.pi * width + 2j * np.pi * offset) * dwell
        z = np.exp(exponent)
        return 2 * dwell * ((1 - np.exp(exponent * processed.points)) / (1 - z) - 0.5).real
    return (width / (2 * np.pi)) / (offset**2 + (width / 2) ** 2)


def multiplet(
    couplings_Hz: Sequence[float], partners: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (Hz) and relative intensities (sum 1) of a first-order multiplet of spin-1/2 partners."""
    offsets, weights = np.zeros(1), np.ones(1)
    for coupling, count in zip(couplings_Hz, partners, strict=True):
        steps = (np.arange(count + 1) - count / 2) * coupling
        binomial = comb(count, np.arange(count + 1)) / 2.0**count
        offsets, weights = (offsets[:, None] + steps).ravel(), (weights[:, None] * binomial).ravel()
    return offsets, weights


def fit_separable(
    design: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    data: np.ndarray,
    processed: Processed,
    *,
    bounds=None,
    scale: np.ndarray | None = None,
    max_evaluations: int = 200,
) -> SeparableFit:
    """Fit data = design(p) a for p and a, with the covariance of the processed noise.

    Parameters
    ----------
    design : callable
        p -> matrix, shape (points, amplitudes).
    start : ndarray, shape (parameters,)
    data : ndarray, shape (points,)
    processed : Processed
        Whose noise the data have; the points are neighbours.
    bounds : (low, high), optional
    scale : ndarray, optional
        Natural size of a step in each parameter.

    Returns
    -------
    SeparableFit
    """
    start = np.asarray(start, float)
    scale = np.ones_like(start) if scale is None else np.asarray(scale, float)
    norm = max(np.sqrt(np.mean(data**2)), 1e-300)

    def solve(p):
        matrix = design(p)
        size = np.sqrt((matrix**2).sum(axis=0))
        size[size == 0] = 1.0
        amplitudes = np.linalg.lstsq(matrix / size, data, rcond=1e-12)[0] / size
        return matrix, amplitudes

    def residual(p):
        matrix, amplitudes = solve(p)
        return (data - matrix @ amplitudes) / norm

    def jacobian(p):
        """Kaufman's projection: -P_perp (dPhi/dp) a."""
        matrix, amplitudes = solve(p)
        q = np.linalg.qr(matrix / np.maximum(np.sqrt((matrix**2).sum(axis=0)), 1e-300))[0]
        columns = _derivatives(design, p, amplitudes, scale) / norm
        return -(columns - q @ (q.T @ columns))

    if len(start):
        low, high = (
            bounds
            if bounds is not None
            else (np.full(len(start), -np.inf), np.full(len(start), np.inf))
        )
        found = least_squares(
            residual,
            np.clip(start, low, high),
            jac=jacobian,
            bounds=(low, high),
            x_scale=scale,
            xtol=1e-8,
            ftol=1e-9,
            gtol=1e-10,
            max_nfev=max_evaluations,
        )
        p, converged = found.x, bool(found.status > 0)
    else:
        p, converged = start, True
    matrix, amplitudes = solve(p)
    model = matrix @ amplitudes
    full = np.hstack([_derivatives(design, p, amplitudes, scale), matrix]) if len(p) else matrix
    size = np.sqrt((full**2).sum(axis=0))
    size[size == 0] = 1.0
    unit = full / size
    inverse = np.linalg.pinv(unit.T @ unit, rcond=1e-13, hermitian=True)
    operator = unit @ inverse
    covariance = processed.covariance_of(operator) / np.outer(size, size)
    independent = processed.independent_points(len(data))
    rest = data - model
    noise = processed.noise_sd
    freedom = max(independent - full.shape[1], 1.0) / independent
    misfit = float(np.sqrt(np.mean(rest**2) / freedom) / noise) if noise > 0 else np.inf
    if misfit**2 > 1 + 4 * np.sqrt(2 / max(independent - full.shape[1], 2.0)):
        covariance = covariance * misfit**2
    return SeparableFit(
        p, amplitudes, covariance, model, matrix, float(rest @ rest), converged, misfit, independent
    )


def _derivatives(design, p, amplitudes, scale) -> np.ndarray:
    columns = []
    for i in range(len(p)):
        step = np.zeros_like(p)
        step[i] = 1e-4 * scale[i]
        columns.append((design(p + step) - design(p - step)) @ amplitudes / (2 * step[i]))
    return np.array(columns).T


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
    layout = _Layout(components, processed)
    matrix_size = layout.size + layout.columns + baseline_order + 1
    if len(ppm) <= matrix_size:
        raise ValueError(
            f"window {window_ppm[0]:g} to {window_ppm[1]:g} ppm: expected more points than the {matrix_size} parameters, found {len(ppm)}"
        )
    x = np.linspace(-1, 1, len(ppm))
    polynomial = (
        np.vander(x, baseline_order + 1, increasing=True)
        if baseline_order >= 0
        else np.empty((len(ppm), 0))
    )

    def design(p):
        return np.hstack([layout.design(p, ppm), polynomial])

    found = fit_separable(
        design, layout.start, data, processed, bounds=layout.bounds(ppm), scale=layout.scale
    )
    lines = layout.lines(found)
    k = layout.size
    area_jacobian = np.zeros((len(components), len(found.covariance)))
    curves = []
    for i, columns in enumerate(layout.column_slices):
        area_jacobian[i, k + columns.start : k + columns.stop] = 1.0
        curves.append(found.design[:, columns] @ found.linear[columns])
    area_covariance = area_jacobian @ found.covariance @ area_jacobian.T
    under = polynomial @ found.linear[layout.columns :]
    independent, parameters = found.independent_points, k + len(found.linear)
    bic = independent * np.log(found.rss / len(data)) + parameters * np.log(independent)
    return LineFit(
        lines,
        area_covariance,
        ppm,
        data,
        found.model,
        under,
        np.array(curves),
        found.misfit,
        float(bic),
        independent,
        parameters,
        found.rss,
        found.converged,
    )


class _Layout:
    """Where each component's centre, width and couplings stand in the parameter vector."""

    def __init__(self, components: list[Component], processed: Processed):
        self.components, self.processed = components, processed
        start, scale, self.kinds = [], [], []
        self.places: list[dict] = []
        shared: dict[str, dict] = {}
        for c in components:
            place: dict = {}

            def add(value, step, kind):
                start.append(value)
                scale.append(step)
                self.kinds.append(kind)
                return len(start) - 1

            place["centre"] = (
                None
                if "centre" in c.fixed
                else add(0.0, max(c.width_Hz, c.gauss_Hz, processed.hz_per_point), "centre")
            )
            known = shared.get(c.shared_width) if c.shared_width else None
            if known:
                place["width"], place["gauss"] = known["width"], known["gauss"]
            else:
                lorentzian = c.shape in ("lorentz", "voigt")
                gaussian = c.shape in ("gauss", "voigt")
                place["width"] = (
                    add(np.log(max(c.width_Hz, 1e-3)), 0.3, "width")
                    if lorentzian and "width" not in c.fixed
                    else None
                )
                place["gauss"] = (
                    add(np.log(max(c.gauss_Hz or c.width_Hz, 1e-3)), 0.3, "width")
                    if gaussian and "width" not in c.fixed
                    else None
                )
                if c.shared_width:
                    shared[c.shared_width] = place
            place["couplings"] = [
                None if "couplings" in c.fixed else add(j, max(0.3 * c.width_Hz, 0.1), "coupling")
                for j in c.couplings_Hz
            ]
            self.places.append(place)
        self.start, self.scale = np.array(start), np.array(scale)
        self.size = len(start)
        self.column_slices, at = [], 0
        for c in components:
            self.column_slices.append(slice(at, at + 2 * c.sidebands + 1))
            at += 2 * c.sidebands + 1
        self.columns = at

    def bounds(self, ppm):
        low, high = np.full(self.size, -np.inf), np.full(self.size, np.inf)
        reach = (ppm[-1] - ppm[0]) * self.processed.reference_MHz
        for c, place in zip(self.components, self.places, strict=True):
            if place["centre"] is not None:
                low[place["centre"]], high[place["centre"]] = -reach / 2, reach / 2
            for key in ("width", "gauss"):
                if place[key] is not None:
                    low[place[key]], high[place[key]] = (
                        np.log(1e-3),
                        np.log(max(2 * reach, 10 * c.width_Hz)),
                    )
        return low, high

    def values(self, p, i):
        c, place = self.components[i], self.places[i]
        centre = c.centre_ppm + (
            p[place["centre"]] / self.processed.reference_MHz
            if place["centre"] is not None
            else 0.0
        )
        width = (
            0.0
            if c.shape == "gauss"
            else np.exp(p[place["width"]])
            if place["width"] is not None
            else c.width_Hz
        )
        gauss = (
            0.0
            if c.shape == "lorentz"
            else np.exp(p[place["gauss"]])
            if place["gauss"] is not None
            else c.gauss_Hz
        )
        couplings = [
            p[k] if k is not None else j
            for k, j in zip(place["couplings"], c.couplings_Hz, strict=True)
        ]
        return centre, width, gauss, couplings

    def design(self, p, ppm):
        out = np.empty((len(ppm), self.columns))
        for i, c in enumerate(self.components):
            centre, width, gauss, couplings = self.values(p, i)
            offsets, weights = multiplet(couplings, c.partners)
            for column, order in enumerate(range(-c.sidebands, c.sidebands + 1)):
                positions = (
                    centre + (offsets + order * c.mas_rate_Hz) / self.processed.reference_MHz
                )
                out[:, self.column_slices[i].start + column] = (
                    shape_columns(self.processed, ppm, positions, width, gauss) @ weights
                )
        return out

    def lines(self, found: SeparableFit) -> tuple[Line, ...]:
        error = np.sqrt(np.maximum(np.diag(found.covariance), 0))
        p, out = found.nonlinear, []
        for i, c in enumerate(self.components):
            place = self.places[i]
            centre, width, gauss, couplings = self.values(p, i)
            columns = self.column_slices[i]
            areas = found.linear[columns]
            block = slice(self.size + columns.start, self.size + columns.stop)

            def of(index, factor=1.0):
                return 0.0 if index is None else float(error[index] * factor)

            out.append(
                Line(
                    c.name,
                    float(centre),
                    of(place["centre"], 1 / self.processed.reference_MHz),
                    float(width),
                    of(place["width"], width),
                    float(areas.sum()),
                    float(np.sqrt(max(found.covariance[block, block].sum(), 0))),
                    float(gauss),
                    of(place["gauss"], gauss),
                    tuple(abs(float(j)) for j in couplings),
                    tuple(of(k) for k in place["couplings"]),
                    tuple(float(a) for a in areas) if c.sidebands else (),
                )
            )
        return tuple(out)


# ---- how many lines ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """How many lines a window holds: the fits with 1, 2, ... lines, which is best by BIC, and the F test of each step."""

    best: LineFit
    fits: tuple[LineFit, ...]
    f_p_values: tuple[float, ...]


def choose_lines(
    processed: Processed,
    window_ppm: tuple[float, float],
    *,
    max_lines: int = 4,
    width_Hz: float | None = None,
    shape: str = "lorentz",
    baseline_order: int = 1,
    significance: float = 0.05,
) -> Choice:
    """Add lines one by one where the residual is largest, as long as BIC falls and the F test finds the step worth it.

    The F test compares each fit with the one before, with the counts of independent points, not of points; a step
    needs p < `significance` over the count of independent points, as the new line's place was looked for.
    """
    part = processed.window(*window_ppm)
    ppm, data = processed.ppm[part], processed.real[part]
    rest = data - np.median(data[[0, 1, -2, -1]])
    narrow = width_Hz or _guess_width(processed, rest)
    maxima, _ = find_peaks(np.convolve(rest, np.ones(3) / 3, mode="same"))
    maxima = maxima[np.argsort(rest[maxima])[::-1]]

    def attempt(places, widths):
        lines = [
            Component(
                f"line {i + 1}",
                float(place),
                float(w),
                float(w) if shape != "lorentz" else 0.0,
                shape,
            )
            for i, (place, w) in enumerate(zip(places, widths, strict=True))
        ]
        try:
            return fit_lines(processed, window_ppm, lines, baseline_order=baseline_order)
        except ValueError:
            return None

    fits: list[LineFit] = []
    p_values: list[float] = []
    for count in range(1, max_lines + 1):
        # Two starts: a new line where the last fit misses most, and all lines on the highest maxima.
        old = fits[-1].lines if fits else ()
        missed = ppm[int(np.argmax(np.convolve(rest, np.ones(3) / 3, mode="same")))]
        trials = [
            attempt(
                [*(line.position_ppm for line in old), missed],
                [
                    *(max(line.width_Hz, line.gauss_Hz) for line in old),
                    min([narrow, *(max(line.width_Hz, line.gauss_Hz) for line in old)]),
                ],
            )
        ]
        if count > 1 and len(maxima) >= count:
            trials.append(
                attempt(
                    ppm[maxima[:count]], [_local_width(processed, rest, m) for m in maxima[:count]]
                )
            )
        trials = [trial for trial in trials if trial is not None]
        if not trials:
            break
        fit = min(trials, key=lambda trial: trial.rss)
        if fits:
            extra, freedom = (
                fit.parameters - fits[-1].parameters,
                max(fit.independent_points - fit.parameters, 1.0),
            )
            gain = max((fits[-1].rss - fit.rss) / fit.rss * freedom / extra, 0.0)
            p_values.append(float(f_distribution.sf(gain, extra, freedom)))
        fits.append(fit)
        if len(fits) > 1 and fit.bic > fits[-2].bic:
            break
        rest = fit.data - fit.model
    best = fits[0]
    for fit, p in zip(fits[1:], p_values, strict=True):
        if fit.bic >= best.bic or p >= significance / fit.independent_points:
            break
        best = fit
    return Choice(best, tuple(fits), tuple(p_values))


def _local_width(processed: Processed, y: np.ndarray, peak: int) -> float:
    """Full width at half height of one maximum, by its nearer side."""
    reach, limit = 1, min(peak, len(y) - 1 - peak)
    while reach < limit and y[peak - reach] > y[peak] / 2 and y[peak + reach] > y[peak] / 2:
        reach += 1
    return max(
        2 * reach * processed.hz_per_point - processed.line_broadening_Hz,
        0.5 * processed.hz_per_point,
    )


def _guess_width(processed: Processed, y: np.ndarray) -> float:
    peak = int(np.argmax(y))
    level = y[peak] / 2
    left = right = peak
    while left > 0 and y[left] > level:
        left -= 1
    while right < len(y) - 1 and y[right] > level:
        right += 1
    return max(
        (right - left) * processed.hz_per_point - processed.line_broadening_Hz,
        0.5 * processed.hz_per_point,
    )


@dataclass(frozen=True)
class Peaks:
    """Picked maxima: positions (ppm, ascending), heights, and heights over the noise."""

    ppm: np.ndarray
    height: np.ndarray
    signal_to_noise: np.ndarray


def pick_peaks(
    processed: Processed, *, threshold: float = 6.0, window_ppm: tuple[float, float] | None = None
) -> Peaks:
    """Maxima of the absorption spectrum that stand `threshold` noise standard deviations above their surroundings.

    Positions are those of a parabola through the three highest points.
    """
    part = processed.window(*window_ppm) if window_ppm else slice(0, len(processed.ppm))
    y = processed.real[part]
    index, found = find_peaks(y, prominence=threshold * processed.noise_sd)
    left, mid, right = y[index - 1], y[index], y[index + 1]
    curve = left - 2 * mid + right
    shift = np.where(curve < 0, 0.5 * (left - right) / np.where(curve == 0, 1, curve), 0.0)
    step = processed.ppm[1] - processed.ppm[0]
    return Peaks(
        processed.ppm[part][index] + shift * step,
        mid - 0.25 * (left - right) * shift,
        found["prominences"] / processed.noise_sd,
    )
