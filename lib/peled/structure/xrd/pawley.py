"""Whole-pattern fits with free line intensities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize
from scipy.ndimage import uniform_filter1d

from peled import separable
from peled.quantities import threshold, times
from peled.separable import SeparableFit, Sought, differences
from peled.structure.detection import find_lines
from peled.structure.xrd.crystal import (
    CU_KALPHA_A,
    lines_in,
    reflection_families,
    two_theta,
)
from peled.structure.xrd.profiles import Profiles

CUBIC_RANGE_A = (3.4, 6.9)  #: of lattice constants that are tried

#: What the line profile of cubes misses against exact Debye sums (12 to 16 nm, sample height free):
#: a is found up to 0.012 ångström nm / L too small, L within 0.4 %. Added in quadrature to the
#: standard errors of `shape="cube"` fits.
MODEL_ERROR = (0.012, 0.004)

#: Standard error of the spacings of other phases' lines against their table, relative: strain,
#: stacking, what has gone between their layers.
EXTRA_RELATIVE = 3e-3


#: Times its error that a line must have to tell where lines are.
CLEAR = 4.0


@dataclass(frozen=True)
class PawleyFit:
    """A whole-pattern fit.

    Attributes
    ----------
    a_A, a_error_A : float
        Lattice constant and standard error, ångström; the cube root of the cell volume when c/a is
        free.
    zero_deg, zero_error_deg, displacement_mm, displacement_error_mm : float
        Zero error of the goniometer and sample height; an error of 0 means held.
    size_nm, size_error_nm : float
        Edge of the cube (`shape="cube"`) or volume-weighted column length (`shape="lorentzian"`).
    instrument_fwhm_deg : float
        Gaussian width beyond size, held or fitted.
    tetragonality, tetragonality_error : float
        c/a - 1 of the pseudo-cubic cell.
    indices : tuple of (h, k, l)
    intensities, intensity_errors : (m,) float arrays
        Integrated intensities (over s, including multiplicity), in the unit of the pattern.
    model, background : (n,) float arrays
    lines : (n, m) float array
        What each family of reflections adds to the model.
    two_theta_deg, observed, sigma : (n,) float arrays
    chi2_reduced, bic : float
    error_scale : float
        Factor by which standard errors were enlarged for misfit and serially correlated residuals.
    extra : tuple of (intensity, error)
        Of the lines of other phases, as heights in the unit of the pattern.
    shape : str
        As fitted.
    converged : bool
    narrow : bool
        The lines are as narrow as the instrument's: the size is a lower bound.
    doubts : tuple of (str, str)
        Why a reader should doubt all of it: the gate (`peled.quantities.Finding`), and a sentence.
    notes : tuple of str
        What a reader should know.
    """

    a_A: float
    a_error_A: float
    zero_deg: float
    zero_error_deg: float
    displacement_mm: float
    displacement_error_mm: float
    size_nm: float
    size_error_nm: float
    instrument_fwhm_deg: float
    tetragonality: float
    tetragonality_error: float
    indices: tuple
    intensities: np.ndarray = field(repr=False)
    intensity_errors: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    two_theta_deg: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    chi2_reduced: float = 0.0
    bic: float = 0.0
    error_scale: float = 1.0
    converged: bool = True
    narrow: bool = False
    doubts: tuple = ()
    notes: tuple = ()
    extra: tuple = ()
    shape: str = "lorentzian"
    lines: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)

    def intensity(self, *hkl) -> tuple[float, float]:
        """Integrated intensity and error of one reflection family."""
        i = self.indices.index(tuple(hkl))
        return float(self.intensities[i]), float(self.intensity_errors[i])


def noise_of(intensity, expected=None) -> np.ndarray:
    """Standard error of each point of a pattern that is not given in counts.

    The scatter of third differences is regressed on the local intensity: variance = floor + gain *
    intensity.

    Parameters
    ----------
    intensity : array, shape (n,)
        At even steps.
    expected : array, shape (n,), optional
        What is expected at each point; by default what was measured there.

    Returns
    -------
    ndarray, shape (n,)
        Never zero.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625
    """
    y = np.asarray(intensity, float)
    third = np.convolve(y, [1, -3, 3, -1], "valid") ** 2 / 20
    level = np.convolve(y, np.full(9, 1 / 9), "same")[1:-2]
    order = np.argsort(level)
    groups = np.array_split(order, max(8, min(40, len(order) // 25)))
    # The median of a squared normal variable is 0.455 of its mean, and lines bend the mean, not the
    # median.
    v = np.array([np.median(third[g]) / 0.455 for g in groups])
    if not np.median(v) > 0:
        raise ValueError(
            "pattern: expected intensities that scatter, found half of the points and more without "
            "noise (constant, calculated, no counts); give the pattern as it was measured"
        )
    m = np.array([level[g].mean() for g in groups])
    design, line = np.column_stack([m - m.min(), np.ones_like(m)]), v
    for _ in range(4):  # weights from the line: those of the scatter itself pull it down
        weights = 1 / np.maximum(line, np.median(v) * 0.1)
        gain, floor = optimize.nnls(design * weights[:, None], v * weights)[0]
        line = design @ (gain, floor)
    here = np.maximum(y if expected is None else expected, m.min()) - m.min()
    return np.sqrt(np.maximum(floor + gain * here, 0.1 * np.median(v)) + 1e-300)


def errors_of(y, sigma=None) -> Callable[[np.ndarray], np.ndarray]:
    """Standard errors of a pattern by what is expected at each point.

    Those by what was counted there are smaller where it was little by chance, and pull a fit down
    [1]_.

    Parameters
    ----------
    y : ndarray, shape (n,)
    sigma : ndarray, shape (n,), optional
        As the file has them: of counts they follow the model, others are as they are. Without them
        whole numbers are taken as counts, of others the scatter tells (`noise_of`).

    Returns
    -------
    callable
        Expected intensities (n,) -> standard errors (n,); of counts at least that of one.

    References
    ----------
    .. [1] T. Hauschild, M. Jentschel, Nucl. Instrum. Methods A 457, 384 (2001),
       doi:10.1016/S0168-9002(00)00756-7
    """
    if sigma is None:
        if y.min() < 0 or y.max() < 20 or np.abs(y - np.round(y)).max() > 1e-6:
            return lambda expected: noise_of(y, expected)
        sigma = np.sqrt(np.maximum(y, 1))
    unit = unit_of_counts(y, sigma)
    if unit is None:
        return lambda _: sigma
    return lambda expected: np.sqrt(unit * np.maximum(expected, unit))


def unit_of_counts(y, sigma) -> np.ndarray | None:
    """What one count is worth at each point: σ²/y, where the errors of a pattern are those of
    counts, √N times that.

    Parameters
    ----------
    y, sigma : ndarray, shape (n,)
        The pattern and its standard errors, that of one count where nothing was counted.

    Returns
    -------
    ndarray, shape (n,), or None
        None for other errors.

    Examples
    --------
    >>> unit_of_counts(np.array([0.0, 2.0, 4.5]), np.array([0.5, 1.0, 1.5])).tolist()
    [0.5, 0.5, 0.5]
    >>> unit_of_counts(np.array([1.0, 2.0, 4.5]), np.array([0.3, 0.3, 0.3])) is None
    True
    """
    counted = (y / sigma) ** 2
    if y.min() < 0 or np.median(np.abs(counted - np.round(counted))) > 1e-3:
        return None
    return np.where(y > 0, sigma**2 / np.where(y > 0, y, 1.0), sigma)


def significant(intensity, error) -> np.ndarray:
    """Lines whose places tell a cell: `CLEAR` times their error high.

    The others, fitted in height alone where the lines that are there put them, would lend the fit
    information that is not there: on average the square of a fitted height is larger than that of
    the true one by the square of its error, and a height of nothing moves to where noise is.

    Parameters
    ----------
    intensity, error : ndarray, shape (m,)

    Returns
    -------
    ndarray of bool, shape (m,)
        All true where fewer than two are clear.
    """
    clear = intensity > CLEAR * error
    return clear if clear.sum() >= 2 else np.ones_like(clear)


def find_cubic_cell(two_theta_deg, intensity, *, wavelength_A: float) -> float:
    """The first of `cubic_cells`.

    Parameters
    ----------
    two_theta_deg, intensity : array, shape (n,)
    wavelength_A : float

    Returns
    -------
    float
        Lattice constant, ångström.

    Raises
    ------
    ValueError
        As `cubic_cells`.
    """
    return cubic_cells(two_theta_deg, intensity, wavelength_A=wavelength_A)[0][1]


def cubic_cells(
    two_theta_deg,
    intensity,
    *,
    wavelength_A: float,
) -> list[tuple[float, float]]:
    """Primitive cubic cells that explain the strongest lines with few absent ones, best first.

    Parameters
    ----------
    two_theta_deg, intensity : array, shape (n,)
    wavelength_A : float

    Returns
    -------
    list of (score, a)
        Score: the share of the lines that is explained, less for lines that are absent; a in
        ångström.

    Raises
    ------
    ValueError
        If fewer than two lines stand out of the noise, or no cell in the range explains half of
        what stands in them.
    """
    x, y = np.asarray(two_theta_deg, float), np.asarray(intensity, float)
    keep = x > max(8.0 * wavelength_A / CU_KALPHA_A[0], x[0])
    found = find_lines(x[keep], y[keep], noise_of(y[keep]))
    strong = [f for f in found.features if f.significance > 0.15 * found.best.significance]
    if len(strong) < 2:
        raise ValueError(f"powder pattern: {found.sentence('two lines')}")
    peaks = np.array([f.position for f in strong])
    # Significance grows as the root of the counts: the strongest line does not decide alone.
    heights = np.array([f.significance for f in strong])
    d = wavelength_A / (2 * np.sin(np.radians(peaks) / 2))
    sums = np.array([sum(i * i for i in hkl) for hkl in reflection_families(48)])
    scored = []
    for i in np.argsort(-heights)[:4]:
        for n in (1, 2, 3, 4, 5, 6, 8):
            a = d[i] * np.sqrt(n)
            if not CUBIC_RANGE_A[0] <= a <= CUBIC_RANGE_A[1]:
                continue
            lines = two_theta(a, np.sqrt(sums)[:, None], wavelength_A)
            lines = lines[np.isfinite(lines) & (lines > x[0]) & (lines < x[-1])]
            if not len(lines):
                continue
            distance = np.abs(peaks[:, None] - lines[None, :])
            tolerance = 0.25 + 0.004 * peaks
            explained = heights[distance.min(axis=1) < tolerance].sum() / heights.sum()
            seen = (distance.min(axis=0) < 0.3 + 0.004 * lines)[: max(4, len(lines) // 2)].mean()
            if explained >= 0.5:
                scored.append((float(explained * (0.4 + 0.6 * seen)), float(a)))
    if not scored:
        raise ValueError(
            f"powder pattern: expected a primitive cubic cell between {CUBIC_RANGE_A[0]} and "
            f"{CUBIC_RANGE_A[1]} ångström, found none that explains half of the lines"
        )
    return sorted(scored, reverse=True)


def pawley_fit(
    two_theta_deg,
    intensity,
    sigma=None,
    *,
    wavelengths_A: Sequence[float],
    a_A: float | tuple[float, float] | None = None,
    radius_mm: float = 240.0,
    zero_deg: float | tuple[float, float] = 0.0,
    displacement_mm: float | tuple[float, float] | None = None,
    shape: str = "lorentzian",
    size_relative_sd: float = 0.0,
    instrument_fwhm_deg: float | None = None,
    tetragonal: bool = False,
    superlattice: bool = False,
    extra_d_A: Sequence[float] = (),
    background_order: int | None = None,
    thin_film: bool = False,
    window_deg: tuple[float, float] | None = None,
    max_evaluations: int = 60,
) -> PawleyFit:
    """Fit a whole pattern of a primitive cubic crystal with free line intensities (Pawley, J. Appl.
    Cryst. 14, 357 (1981)).

    Intensities and background are linear and solved for at every step (variable projection);
    lattice constant, zero, sample height, size and instrument width are iterated.

    Parameters
    ----------
    two_theta_deg, intensity : (n,) arrays
    sigma : (n,) array, optional
        Standard errors. Without them whole numbers are taken as counts, others by `noise_of`.
    wavelengths_A : sequence of float
        Kalpha1 and, if not removed, Kalpha2, ångström: `Pattern.radiation_A`. There is no default:
        a pattern taken with cobalt and evaluated with copper gives a cell that is 14 % too small
        and looks good.
    a_A : float or (mean, sd), optional
        Start of the lattice constant, by default from `find_cubic_cell`; with a standard deviation
        it is known from elsewhere (a certificate) and leaves zero and height to be found.
    radius_mm : float
        Of the goniometer.
    zero_deg, displacement_mm : float, (mean, sd) or None
        Held at a value, fitted with a prior, or (None) fitted freely.
    shape : "lorentzian" or "cube"
        Size broadening: Lorentzian lines, or the exact lines of cubes with edges of relative spread
        `size_relative_sd`.
    size_relative_sd : float
        Standard deviation over mean.
    instrument_fwhm_deg : float, optional
        Gaussian width of the instrument; fitted when None.
    tetragonal, superlattice : bool
        Also fit c/a; the lines (h/2 k/2 l/2) of octahedra tilted in antiphase (tetragonal (211) and
        its kin).
    extra_d_A : sequence of float
        Spacings of lines of other phases, fitted in intensity only.
    background_order : int, optional
        Of the Chebyshev polynomial; by default one order for every 8 degrees.
    thin_film : bool
        The film is much thinner than the X-rays' path: its lit volume goes as 1/sin(theta), which
        tilts broad lines further.
    window_deg : (low, high), optional
        Part of the pattern to fit; by default from 10 degrees (less for shorter wavelengths).
    max_evaluations : int
        Most steps of the iteration.

    Returns
    -------
    PawleyFit

    Raises
    ------
    ValueError
        If the input is unusable or no cell is found.

    References
    ----------
    .. [1] G. S. Pawley, J. Appl. Cryst. 14, 357 (1981), doi:10.1107/S0021889881009618
    """
    x, y = np.asarray(two_theta_deg, float), np.asarray(intensity, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 30:
        raise ValueError(
            f"powder pattern: expected two arrays of equal length, at least 30, found {x.shape} "
            f"and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (np.diff(x) > 0).all()):
        raise ValueError("powder pattern: expected finite intensities over increasing 2theta")
    if shape not in ("lorentzian", "cube"):
        raise ValueError(f"shape: expected lorentzian or cube, found {shape!r}")
    a, known = (a_A[0], tuple(a_A)) if np.ndim(a_A) else (a_A, None)
    a = a or find_cubic_cell(x, y, wavelength_A=wavelengths_A[0])
    low, high = window_deg or (10.0 * wavelengths_A[0] / CU_KALPHA_A[0], 150.0)
    inside = (x >= low) & (x <= high)
    x, y = x[inside], y[inside]
    sigma = None if sigma is None else np.asarray(sigma, float)[inside]
    if len(x) < 30 or not (sigma is None or (sigma > 0).all()):
        raise ValueError(
            f"powder pattern: expected at least 30 points with positive errors between {low} and "
            f"{high} degrees, found {len(x)}"
        )
    if not np.ptp(y) > 0:
        raise ValueError(
            f"powder pattern: expected lines between {low} and {high} degrees, found {y[0]:.3g} "
            "at all points; give the pattern as it was measured"
        )
    errors = errors_of(y, sigma)
    sigma = errors(uniform_filter1d(y, 5))
    hkls = lines_in(a, x, wavelengths_A[0])
    if superlattice:
        hkls += tuple(
            tuple(i / 2 for i in hkl)
            for hkl in ((3, 1, 1), (3, 3, 1), (5, 1, 1), (5, 3, 1))
            if two_theta(a, np.array(hkl) / 2, wavelengths_A[0]) < x[-1] - 0.3
        )
    profiles = Profiles(
        x,
        hkls,
        wavelengths_A,
        radius_mm,
        shape,
        size_relative_sd,
        thin_film,
    )
    chebyshev = _ground(x, background_order)

    width = _typical_width(x, y, a, wavelengths_A[0])
    sought = {
        "a": Sought(a, step=1e-3 * a, known=known, unit="Å"),
        "zero": _freedom(zero_deg, 0.02, "°"),
        "displacement": _freedom(displacement_mm, 0.05, "mm"),
        "size": Sought(
            _start_size(width, wavelengths_A[0], instrument_fwhm_deg, shape), step=0.3, log=True
        ),
        "fwhm": Sought(
            0.5 * width if instrument_fwhm_deg is None else instrument_fwhm_deg,
            step=0.2 * width,
            held=instrument_fwhm_deg is not None,
            unit="°",
        ),
        "tetragonality": Sought(0.01 if tetragonal else 0.0, step=1e-3, held=not tetragonal),
        "extra": Sought(0.0, step=1e-3, held=True),
    }

    def lines(p):
        a, zero, displacement, size, fwhm, tetragonality, off = p
        own = profiles.matrix(a, zero, displacement, size, abs(fwhm), tetragonality)
        extra = [
            _extra_line(x, d * (1 + off), zero, displacement, profiles, width) for d in extra_d_A
        ]
        return np.column_stack([own, *extra])

    steps = [1e-5 * s.step * (s.value if s.log else 1.0) for s in sought.values()]
    names = [
        *("line " + " ".join(f"{i:g}" for i in hkl) for hkl in hkls),
        *(f"extra {i}" for i in range(len(extra_d_A))),
        *(f"background {i}" for i in range(chebyshev.shape[1])),
    ]

    def fitted(sought, sigma, most, lines=lines, noise=None) -> SeparableFit:
        return separable.fit(
            differences(
                lambda p: np.hstack([lines(p), chebyshev]),
                steps,
                [not s.held for s in sought.values()],
            ),
            y,
            sought,
            names,
            error=sigma,
            variance=misfit(y, sigma),
            covariance_of=noise,
            max_evaluations=most,
        )

    fit = fitted(sought, sigma, max_evaluations)
    m = len(hkls) + len(extra_d_A)
    found, by_chance = fit.linear[:m], fit.linear_errors[:m]
    clear = significant(found, by_chance)
    strong = bool((found > 5 * by_chance)[len(hkls) :].any())
    now = fit.continued
    if strong:  # else their table would be a ruler of the sample's height
        now["extra"] = Sought(0.0, step=1e-3, known=(0.0, EXTRA_RELATIVE))
    sigma, still = errors(fit.model), fit.design[:, :m]
    most = max(max_evaluations // 2, 5)
    last = fitted(
        now,
        sigma,
        most,
        lambda p: np.where(clear, lines(p), still),
        lambda j: of_source(j, last, y, sigma),
    )
    return _report(x, y, sigma, last, now, hkls, len(extra_d_A), shape)


def _ground(x, order: int | None = None) -> np.ndarray:
    """Chebyshev polynomials over a pattern (n, order + 1), by default one for every 8 degrees."""
    order = int(np.clip(np.ptp(x) / 8, 3, 14)) if order is None else order
    return np.polynomial.chebyshev.chebvander(2 * (x - x[0]) / np.ptp(x) - 1, order)


def _freedom(value, step: float, unit: str) -> Sought:
    if value is None:
        return Sought(0.0, step=step, unit=unit)
    if np.ndim(value) == 0:
        return Sought(float(value), step=step, held=True, unit=unit)
    mean, sd = value
    return Sought(float(mean), step=step, known=(float(mean), float(sd)), unit=unit)


def _typical_width(x, y, a, wavelength) -> float:
    """Full width at half maximum of the strongest indexed line, degrees."""
    lines = [two_theta(a, hkl, wavelength) for hkl in lines_in(a, x, wavelength)]
    step = np.median(np.diff(x))
    best, width = -np.inf, 10 * step
    for line in lines:
        near = np.abs(x - line) < 1.5
        if near.sum() < 5:
            continue
        part = y[near] - np.percentile(y[near], 10)
        if part.max() > best:
            best, top = part.max(), int(np.argmax(part))
            above = part > part.max() / 2
            left, right = top, top
            while left > 0 and above[left - 1]:
                left -= 1
            while right < len(part) - 1 and above[right + 1]:
                right += 1
            width = max((right - left + 1) * step, 2 * step)
    return float(width)


def _start_size(width_deg: float, wavelength: float, instrument: float | None, shape: str) -> float:
    excess = np.sqrt(
        max(width_deg**2 - (instrument or 0.5 * width_deg) ** 2, (0.3 * width_deg) ** 2)
    )
    return float((0.886 if shape == "cube" else 0.64) * wavelength / np.radians(excess))


def _extra_line(x, d, zero, displacement, profiles: Profiles, width: float) -> np.ndarray:
    centre = 2 * np.degrees(np.arcsin(profiles.lines[0][0] / (2 * d)))
    shift = zero - np.degrees(2 * displacement / profiles.radius) * np.cos(np.radians(centre) / 2)
    u = (x - centre - shift) / (0.5 * width)
    return 0.5 / (1 + u**2) + 0.5 * np.exp(-np.log(2) * u**2)


def _report(x, y, sigma, fit: SeparableFit, sought, hkls, extras, shape) -> PawleyFit:
    values = dict(zip(sought, fit.values.tolist(), strict=True))
    found = fit.estimates
    errors = dict.fromkeys(sought, 0.0) | dict(zip(found.names, fit.errors.tolist()))
    free = [name for name in found.names if name in sought]
    n, m = len(free), len(hkls)
    size = values["size"] / 10
    errors["size"] /= values["size"]
    line_errors = fit.errors[n : n + m + extras]
    reduced = fit.chi2 / fit.freedom
    doubts, notes = [], []
    narrow = errors["size"] > 0.5 or size > 500
    if narrow:
        notes.append("the lines are as narrow as the instrument: the size is a lower bound")
    if reduced > 4:
        said = f"reduced chi-square {reduced:.3g}: the model misses something in the pattern"
        doubts.append(("described", said))
    for name, of in sought.items():
        if of.known and not of.held and name != "extra":
            pull = (values[name] - of.known[0]) / of.known[1]
            if abs(pull) > threshold():
                said = (
                    f"{name} is {values[name]:.3g} {of.unit}, {times(abs(pull), 'standard errors')}"
                )
                doubts.append(("assumed", f"{said} from the {of.known[0]:.3g} assumed"))
    if errors["zero"] and errors["displacement"]:
        i, j = free.index("zero"), free.index("displacement")
        c = found.covariance
        correlation = c[i, j] / np.sqrt(c[i, i] * c[j, j])
        if abs(correlation) > 0.98:
            notes.append(
                f"zero and sample height are hardly told apart (correlation {correlation:.3f}); a "
                "prior on one is needed"
            )
    if shape == "cube":  # see MODEL_ERROR
        errors["a"] = np.hypot(errors["a"], MODEL_ERROR[0] / size)
        errors["size"] = np.hypot(errors["size"], MODEL_ERROR[1])
    scale = np.sqrt(misfit(y, sigma)(fit.residual, fit.freedom))
    return PawleyFit(
        values["a"],
        float(errors["a"]),
        values["zero"],
        errors["zero"],
        values["displacement"],
        errors["displacement"],
        size,
        size * float(errors["size"]),
        abs(values["fwhm"]),
        values["tetragonality"],
        errors["tetragonality"],
        tuple(hkls),
        fit.linear[:m],
        line_errors[:m],
        fit.model,
        fit.design[:, m + extras :] @ fit.linear[m + extras :],
        x,
        y,
        sigma,
        reduced,
        fit.chi2 + (n + len(fit.linear)) * np.log(len(y)),
        float(scale),
        found.converged,
        bool(narrow),
        tuple(doubts),
        tuple(notes),
        tuple(zip(fit.linear[m : m + extras], line_errors[m:], strict=True)),
        shape,
        fit.design[:, :m] * fit.linear[:m],
    )


def misfit(y, sigma):
    """By how much a fit to a pattern enlarges the variances of what it finds: `variance` of
    `separable.fit`.

    The mean square of the residual times 1 + 2 Σ ρ, ρ its autocorrelations that stand clear of
    noise (after [1]_), over the lower half of the pattern: noise that goes with the lines is for
    `separable.covariance_over_correlations`. At least 1.

    Parameters
    ----------
    y : ndarray, shape (n,)
        The pattern.
    sigma : ndarray, shape (n,)
        Its standard errors.

    Returns
    -------
    callable

    References
    ----------
    .. [1] J.-F. Bérar, P. Lelann, J. Appl. Cryst. 24, 1 (1991)
    """

    def variance(residual: np.ndarray, freedom: int) -> float:
        r = residual.ravel()
        height = (y - r * sigma) / sigma
        quiet = (height <= np.median(height)).astype(float)
        quiet = _serial(r, quiet) * np.sum(quiet * r**2) / np.sum(quiet)
        return max(1.0, quiet * len(r) / freedom)

    return variance


def of_source(jacobian, fit: SeparableFit, y, sigma) -> np.ndarray:
    """JᵀΣJ of a pattern with the noise of its beam: `covariance_of` of `separable.fit`.

    Parameters
    ----------
    jacobian : ndarray, shape (n, k)
    fit : SeparableFit
        The fit itself.
    y, sigma : ndarray, shape (n,)
        The pattern and the errors it was fitted with.

    Returns
    -------
    ndarray, shape (k, k)
        In units of what `misfit` says.
    """
    residual = fit.residual / np.sqrt(misfit(y, sigma)(fit.residual, fit.freedom))
    return separable.covariance_over_correlations(jacobian, residual, fit.model / sigma)


def _serial(r: np.ndarray, weight: np.ndarray) -> float:
    """1 + 2 Σ ρ of a residual whose points have weights; 1 where neighbours are independent."""
    points = np.sum(weight) ** 2 / np.sum(weight**2)
    root, total = np.sqrt(weight) * r, 0.0
    power = root @ root
    for lag in range(1, min(60, len(r) // 8)):
        rho = root[:-lag] @ root[lag:] / power
        if rho < 2 / np.sqrt(points):
            break
        total += rho
    return 1 + 2 * total
