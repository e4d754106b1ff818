"""Photoelectron spectra: backgrounds, spin-orbit doublets, sensitivity, mean free paths, atomic
ratios.

Energies are binding energies in eV. Areas are counts x eV above the background, summed over both
lines of a doublet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from peled import separable
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import likeness_z, missed_share, threshold
from peled.separable import Slopes, Sought

MG_EV, AL_EV, HE_I_EV = 1253.6, 1486.7, 21.218

#: How far a fitted level may lie from where it is looked for, eV: chemical shifts, not charging.
REACH_EV = 1.5
#: How far the levels of a region may lie together from where they are expected, eV: charging.
SHIFT_REACH_EV = 12.0
#: What may lie under core levels.
BACKGROUNDS = ("shirley", "tougaard", "linear", "exponential")
_SUBSHELLS = {
    "1s": ("K",),
    "2s": ("L1",),
    "2p": ("L2", "L3"),
    "3s": ("M1",),
    "3p": ("M2", "M3"),
    "3d": ("M4", "M5"),
    "4s": ("N1",),
    "4p": ("N2", "N3"),
    "4d": ("N4", "N5"),
    "4f": ("N6", "N7"),
    "5s": ("O1",),
    "5p": ("O2", "O3"),
    "5d": ("O4", "O5"),
    "2p3/2": ("L3",),
    "3d5/2": ("M5",),
    "3d3/2": ("M4",),
    "4d5/2": ("N5",),
    "4d3/2": ("N4",),
    "4f7/2": ("N7",),
    "4f5/2": ("N6",),
    "5d5/2": ("O5",),
    "5d3/2": ("O4",),
}


@dataclass(frozen=True)
class Doublet:
    """One core level in a fit. `position_eV` is the stronger line's start; `splitting_eV` and
    `ratio` (weak : strong) are held; a ratio of 0 makes a singlet. `asymmetry` above 0 is the start
    of a metal's index, fitted then (see `metal_tail`).
    """

    name: str
    position_eV: float
    splitting_eV: float = 0.0
    ratio: float = 0.0
    fwhm_eV: float = 1.1
    asymmetry: float = 0.0


@dataclass(frozen=True)
class LevelFit:
    """Fitted doublets of one region: `areas`, `area_errors` (counts eV), `positions_eV`, `fwhms_eV`
    with errors, by name; the joint covariance of the areas; `energy_eV`, `counts`, `background`,
    `model`, and one curve a doublet in `parts`. `misfit_z` says whether neighbouring residuals are
    alike, `missed` what share of the lines that leaves out.
    """

    names: tuple[str, ...]
    areas: np.ndarray
    area_errors: np.ndarray
    area_covariance: np.ndarray = field(repr=False)
    positions_eV: np.ndarray
    position_errors_eV: np.ndarray
    fwhms_eV: np.ndarray
    energy_eV: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    model: np.ndarray = field(repr=False)
    parts: np.ndarray = field(repr=False)
    chi2_reduced: float = 1.0
    converged: bool = True
    misfit_z: float = 0.0
    missed: float = 0.0

    def area(self, name: str) -> tuple[float, float]:
        """Area and error of one doublet.

        Parameters
        ----------
        name : str
            Of a doublet.

        Returns
        -------
        area, standard_error : float
            Counts eV.
        """
        i = self.names.index(name)
        return float(self.areas[i]), float(self.area_errors[i])


def fit_levels(
    energy_eV,
    counts,
    doublets: Sequence[Doublet],
    *,
    background: str = "shirley",
) -> LevelFit:
    """Fit the core levels of one region at once, with Poisson weights.

    Each doublet is two sums of Gaussian and Lorentzian with one width, held splitting and ratio;
    their mixing is one for all. The background is fitted with them: a constant, a slope, and a step
    that is the running integral of the signal (Shirley's idea, applied to the model) or Tougaard's
    loss of the signal; or a constant and an exponential, the tail of a strong line at lower energy
    or of the secondaries.

    Parameters
    ----------
    energy_eV, counts : array, shape (n,)
    doublets : sequence of Doublet
    background : {"shirley", "tougaard", "linear", "exponential"}

    Returns
    -------
    LevelFit

    Raises
    ------
    ValueError
        For unusable input, an unknown background, or a level outside the window.

    References
    ----------
    .. [1] D. A. Shirley, Phys. Rev. B 5, 4709 (1972), doi:10.1103/PhysRevB.5.4709
    """
    x, y = _sorted(energy_eV, counts)
    if background not in BACKGROUNDS:
        raise ValueError(f"background: expected {', '.join(BACKGROUNDS)}, found {background!r}")
    if len(x) < 20 or not np.isfinite(y).all():
        raise ValueError(
            f"core levels: expected at least 20 finite counts in the window, found {len(x)}"
        )
    outside = [d.name for d in doublets if not x[0] < d.position_eV < x[-1]]
    if outside:
        raise ValueError(
            f"core levels: expected {', '.join(outside)} between {x[0]:.5g} and {x[-1]:.5g} eV"
        )
    model = _LevelModel(x, y, doublets, background)
    n, sought = len(doublets), model.sought
    sigma = np.sqrt(np.maximum(y, 1))
    for _ in range(4):  # the loss follows the signal just fitted, and the weights the model
        fit = separable.fit(
            model.basis,
            y,
            sought,
            [*(f"{d.name} area" for d in doublets), *model.grounds],
            error=sigma,
            variance=separable.larger,
            max_evaluations=40,
        )
        parts = fit.design[:, :n] * fit.linear[:n]
        ground, chi2 = fit.model - parts.sum(axis=1), fit.chi2 / fit.freedom
        sought = fit.continued
        model.follow(np.maximum(fit.design[:, :n] @ np.maximum(fit.linear[:n], 0), 0))
        sigma = np.sqrt(np.maximum(fit.model, 1))
    areas = slice(len(sought), len(sought) + n)
    return LevelFit(
        tuple(d.name for d in doublets),
        fit.linear[:n],
        fit.errors[areas],
        fit.estimates.covariance[areas, areas],
        fit.values[:n],
        fit.errors[:n],
        fit.values[n : 2 * n],
        x,
        y,
        ground,
        fit.model,
        parts,
        chi2,
        fit.estimates.converged,
        likeness_z(fit.residual.ravel(), _lags(x, doublets)),
        missed_share(fit.residual.ravel(), parts.sum(axis=1) / sigma),
    )


def _lags(x, doublets) -> int:
    """A quarter of the narrowest line's width, in points."""
    return round(min(d.fwhm_eV for d in doublets) / 4 / float(np.median(np.diff(x))))


class _LevelModel:
    """Columns of a region: each doublet, a constant, a slope, and the loss of the signal."""

    def __init__(self, x, y, doublets, background):
        self.x, self.doublets = x, doublets
        self.step, self.ramp = np.gradient(x), (x - x.mean()) / (x[-1] - x[0])
        self.background = background
        if background == "tougaard":
            loss = np.maximum(x[:, None] - x[None, :], 0.0)
            self.tail = loss / (1643 + loss**2) ** 2 * 1643
        lines = [(i, 0.0, 1 / (1 + d.ratio)) for i, d in enumerate(doublets)]
        lines += [
            (i, d.splitting_eV, d.ratio / (1 + d.ratio)) for i, d in enumerate(doublets) if d.ratio
        ]
        self.owner = np.array([i for i, *_ in lines])
        self.offset = np.array([away for _, away, _ in lines])
        self.share = np.zeros((len(doublets), len(lines)))
        self.share[self.owner, np.arange(len(lines))] = [share for *_, share in lines]
        self.decays = background == "exponential"
        self.grounds = ["offset", "tail" if self.decays else "slope"]
        self.loses = background in ("shirley", "tougaard")
        self.grounds += ["loss"] * self.loses
        self.metals = [i for i, d in enumerate(doublets) if d.asymmetry > 0]
        self.sought = {
            f"{d.name} position": Sought(
                d.position_eV, d.position_eV - REACH_EV, d.position_eV + REACH_EV, 0.1, unit="eV"
            )
            for d in doublets
        }
        self.sought |= {
            f"{d.name} width": Sought(d.fwhm_eV, d.fwhm_eV / 4, d.fwhm_eV * 5, 0.2, unit="eV")
            for d in doublets
        }
        self.sought |= {
            f"{doublets[i].name} index": Sought(doublets[i].asymmetry, 0.0, 0.45, 0.05)
            for i in self.metals
        }
        if self.decays:
            span = float(x[-1] - x[0])
            self.sought["decay"] = Sought(span / 3, span / 50, span * 20, 0.3, log=True, unit="eV")
        self.sought["mixing"] = Sought(0.3, 0.0, 1.0, 0.2)
        self.follow(np.maximum(y - np.linspace(y[:5].mean(), y[-5:].mean(), len(y)), 0))

    def follow(self, signal) -> None:
        """Take the loss from this signal."""
        columns = [np.ones_like(self.x), self.ramp]
        if self.loses:
            lost = signal * self.step
            # Shirley: all signal at lower energies.
            behind = np.cumsum(lost) - lost if self.background == "shirley" else self.tail @ lost
            columns.append(behind / max(lost.sum(), 1e-12))
        self.ground = np.column_stack(columns)

    def basis(self, p, derivatives):
        n = len(self.doublets)
        place, width = p[self.owner] + self.offset, p[n + self.owner]
        lines, slopes = pseudo_voigt(self.x, place[:, None], width[:, None], p[-1], derivatives)
        curves, *slopes = (self.share @ one for one in (lines, *slopes))
        tail = []  # what the indices of metals do
        for k, i in enumerate(self.metals):
            index, h = p[2 * n + k], 1e-5
            if derivatives:
                up, down = (metal_tail(self.x, curves[i], max(index + s, 0.0)) for s in (h, -h))
                tail.append((i, (up - down) / (h + min(index, h))))
            for one in (curves, *slopes):
                one[i] = metal_tail(self.x, one[i], index)
        out = np.empty((len(self.x), n + self.ground.shape[1]))
        out[:, :n], out[:, n:] = curves.T, self.ground
        if self.decays:
            lag = (self.x - self.x[0]) / p[-2]
            out[:, n + 1] = np.exp(-lag)

        def times(a):
            by = np.zeros((len(p), len(out)))
            for k in (0, 1):
                by[k * n : k * n + n] = a[:n, None] * slopes[k]
            by[-1] = a[:n] @ slopes[2]
            for k, (i, slope) in enumerate(tail):
                by[2 * n + k] = a[i] * slope
            if self.decays:
                by[-2] = a[n + 1] * out[:, n + 1] * lag / p[-2]
            return by

        return out, Slopes(times) if derivatives else None


def metal_tail(x, line, index: float, *, band_eV: float = 8.0) -> np.ndarray:
    """A line (n,) over even x, eV, with the tail of electron-hole pairs of a metal, area kept.

    The energy lost to pairs is distributed as w^(a-1) exp(-w/band) / (Gamma(a) band^a) [1]_: near
    the line the profile of Doniach and Sunjic [2]_ with index a, but with a finite area. It is the
    share of each point's bin, from the incomplete gamma function, so that the pole at w = 0 is
    integrated.

    Limits: a is held to 0.45; `band_eV`, the width of the band, is not fitted.

    Parameters
    ----------
    x : array, shape (n,)
        Even, eV.
    line : array, shape (n,)
    index : float
        Singularity index a, 0 to 0.45.
    band_eV : float
        Width of the band.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] G. D. Mahan, Phys. Rev. B 11, 4814 (1975), doi:10.1103/PhysRevB.11.4814
    .. [2] S. Doniach, M. Sunjic, J. Phys. C 3, 285 (1970), doi:10.1088/0022-3719/3/2/010
    """
    if index < 1e-6:
        return line
    step = (x[-1] - x[0]) / (len(x) - 1)
    edges = np.r_[0.0, (np.arange(len(x)) + 0.5) * step]
    share = np.diff(special.gammainc(index, edges / band_eV))
    return np.convolve(line, share)[: len(x)]


@dataclass(frozen=True)
class Shift:
    """By how much all levels of a region lie too high, eV, from the levels themselves.

    `significance` is the gain of the levels over background alone, in standard deviations, and
    `rival` what the best other place (more than `REACH_EV` away) loses against this one;
    `threshold` is what both have to pass.
    """

    value_eV: float
    significance: float
    rival: float
    threshold: float

    @property
    def found(self) -> bool:
        """Whether the levels are there, and in one place only."""
        return min(self.significance, self.rival) > self.threshold


def find_shift(energy_eV, counts, doublets: Sequence[Doublet]) -> Shift:
    """Where the levels of a region lie together, against where they were expected.

    All doublets are moved as one over `SHIFT_REACH_EV` both ways, or over the whole of a region
    that lies further off; at each place their areas, not negative, with a step below each and a
    straight background are fitted by weighted least squares. A region with two elements has its own
    ruler; one with a single level cannot tell charging from chemistry, and its place says nothing
    about energies.

    Parameters
    ----------
    energy_eV, counts : array, shape (n,)
    doublets : sequence of Doublet

    Returns
    -------
    Shift

    Raises
    ------
    ValueError
        For fewer than 20 points.
    """
    x, y = _sorted(energy_eV, counts)
    if len(x) < 20 or not np.isfinite(y).all():
        raise ValueError(f"core levels: expected at least 20 finite counts, found {len(x)}")
    weights = 1 / np.sqrt(np.maximum(np.convolve(y, np.ones(3) / 3, "same"), 1))
    ramp = np.linspace(0, 1, len(x))
    ground = np.column_stack([np.ones_like(x), ramp, 1 - ramp]) * weights[:, None]
    alone = optimize.nnls(ground, y * weights)[1] ** 2
    at = np.array([d.position_eV for d in doublets])
    low, high = x[0] + 1 - at.min(), x[-1] - 1 - at.max()
    if not low < high:
        names = " and ".join(d.name for d in doublets)
        raise ValueError(f"the region from {x[0]:.5g} to {x[-1]:.5g} eV has no room for {names}")
    # Somebody may have followed the charging with the window.
    if low > SHIFT_REACH_EV or high < -SHIFT_REACH_EV:
        grid = np.arange(low, high, 0.1)
    else:
        grid = np.arange(-SHIFT_REACH_EV, SHIFT_REACH_EV + 1e-9, 0.1)
    chi2 = np.full(len(grid), alone)

    def look(k: int) -> np.ndarray | None:
        """Columns of the levels at one place."""
        columns = []
        for d in doublets:
            at = d.position_eV + grid[k]
            if not x[0] + 1 < at < x[-1] - 1:
                return None
            line = pseudo_voigt(x, at, d.fwhm_eV, 0.3, False)[0]
            weak = pseudo_voigt(x, at + d.splitting_eV, d.fwhm_eV, 0.3, False)[0]
            line = line + d.ratio * weak
            step = np.cumsum(line)
            columns += [line * weights, step / step[-1] * weights]
        columns = np.column_stack([ground, *columns])
        chi2[k] = optimize.nnls(columns, y * weights)[1] ** 2
        return columns

    for k in range(0, len(grid), 2):  # a fifth of a line's width; then around the best
        look(k)
    near = int(np.argmin(chi2))
    for k in {max(near - 1, 0), min(near + 1, len(grid) - 1)}:
        look(k)
    best = int(np.argmin(chi2))
    columns = look(best)
    columns = ground if columns is None else columns
    left = y * weights - columns @ optimize.nnls(columns, y * weights)[0]
    width = round(min(d.fwhm_eV for d in doublets) / abs(x[1] - x[0]))
    misfit = _inflation(left, width, columns.shape[1])
    away = np.abs(grid - grid[best]) > REACH_EV
    gain, rival = alone - chi2[best], chi2[away].min() - chi2[best]
    return Shift(
        float(grid[best]),
        float(np.sqrt(gain / misfit)),
        float(np.sqrt(rival / misfit)),
        threshold(tries=len(grid) * len(doublets)) + 1.0,
    )


def _inflation(left, width: int, parameters: int) -> float:
    """How much more than white noise of unit variance what is left varies, point by point and over
    windows of a line's width: counts of a source that flickers, or smoothed ones, have neighbours
    that vary together and make lines. At least 1."""
    found = 1.0
    for w in (1, max(width, 1)):
        means = np.convolve(left, np.ones(w) / np.sqrt(w), "valid")
        found = max(found, float(means @ means) / max(len(means) * (1 - parameters / len(left)), 1))
    return found


def _sorted(energy_eV, counts):
    x, y = np.asarray(energy_eV, float), np.asarray(counts, float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(
            f"spectrum: expected two arrays of equal length, found {x.shape} and {y.shape}"
        )
    return (x, y) if x[0] <= x[-1] else (x[::-1], y[::-1])


@lru_cache(maxsize=128)
def sensitivity(element: str, orbital: str, photon_eV: float = AL_EV) -> float:
    """Photo-ionisation cross-section of a subshell or level, relative to C 1s.

    xraylib's partial cross-sections of one electron state times occupancy, which reproduce
    Scofield's [1]_.

    Parameters
    ----------
    element : str
    orbital : str
        `3d5/2`, `3d`, ...
    photon_eV : float

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For an unknown level or a photon energy too low for it.

    References
    ----------
    .. [1] J. H. Scofield, J. Electron Spectrosc. Relat. Phenom. 8, 129 (1976),
       doi:10.1016/0368-2048(76)80015-1
    """
    import xraylib

    if orbital not in _SUBSHELLS:
        raise ValueError(f"level: expected one of {', '.join(_SUBSHELLS)}, found {orbital!r}")

    def total(z: int, shells) -> float:
        return sum(
            xraylib.CSb_Photo_Partial(z, getattr(xraylib, f"{s}_SHELL"), photon_eV / 1e3)
            * xraylib.ElectronConfig(z, getattr(xraylib, f"{s}_SHELL"))
            for s in shells
        )

    return total(xraylib.SymbolToAtomicNumber(element), _SUBSHELLS[orbital]) / total(6, ("K",))


def mean_free_path_nm(
    kinetic_eV,
    *,
    density_g_cm3: float,
    molar_mass_g_mol: float,
    valence_electrons: float,
    gap_eV: float,
):
    """Inelastic mean free path by TPP-2M [1]_, valid from 50 to 2000 eV.

    Parameters
    ----------
    kinetic_eV : float or ndarray
    density_g_cm3 : float
    molar_mass_g_mol : float
        Of a formula unit.
    valence_electrons : float
        Of a formula unit: all s and p electrons of the outermost shells, d of transition metals.
    gap_eV : float

    Returns
    -------
    float or ndarray
        nm.

    References
    ----------
    .. [1] S. Tanuma, C. J. Powell, D. R. Penn, Surf. Interface Anal. 21, 165 (1994),
       doi:10.1002/sia.740210302
    """
    e = np.asarray(kinetic_eV, float)
    u = valence_electrons * density_g_cm3 / molar_mass_g_mol
    plasmon2 = 829.4 * u
    beta = -0.10 + 0.944 / np.sqrt(plasmon2 + gap_eV**2) + 0.069 * density_g_cm3**0.1
    gamma = 0.191 / np.sqrt(density_g_cm3)
    return (
        0.1
        * e
        / (plasmon2 * (beta * np.log(gamma * e) - (1.97 - 0.91 * u) / e + (53.4 - 20.8 * u) / e**2))
    )


def ratio(
    first: tuple[float, float], second: tuple[float, float], covariance: float = 0.0
) -> tuple[float, float]:
    """Quotient of two values with errors (and covariance), first order.

    Parameters
    ----------
    first, second : (float, float)
        Value and standard error.
    covariance : float

    Returns
    -------
    value, standard_error : float

    References
    ----------
    .. [1] JCGM 100:2008, section 5.2, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> value, error = ratio((2.0, 0.1), (4.0, 0.2))
    >>> round(value, 3), round(float(error), 4)
    (0.5, 0.0354)
    """
    q = first[0] / second[0]
    variance = (
        (first[1] / first[0]) ** 2
        + (second[1] / second[0]) ** 2
        - 2 * covariance / (first[0] * second[0])
    )
    return q, abs(q) * np.sqrt(max(variance, 0))


def edge(x, position, width):
    """Step from 1 to 0 with rising x.

    Parameters
    ----------
    x : ndarray
    position, width : float
        Place and standard deviation of its Gaussian blur, in the unit of `x`.

    Returns
    -------
    ndarray
    """
    return 0.5 * special.erfc((x - position) / (np.sqrt(2) * width))
