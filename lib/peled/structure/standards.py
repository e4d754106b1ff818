"""Certified diffraction standards: recognised by their lines, compared, and used as a ruler."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from peled.formats.delimited import read_records
from peled.formats.diffraction import Pattern
from peled.structure import xrd
from peled.structure.detection import find_lines
from peled.structure.xrd.phases import widths
from peled.tables import table


@dataclass(frozen=True)
class Standard:
    """One row of `tables/structure/standards.csv`; `sd_A` is half the expanded uncertainty."""

    name: str
    words: tuple[str, ...]
    system: str
    a_A: float
    c_A: float
    sd_A: float
    extinction: str
    source: str

    @property
    def group(self) -> str:
        """Its space group, as `gemmi` writes it."""
        return {"P": "P m -3 m", "diamond": "F d -3 m", "R-3c": "R -3 c"}[self.extinction]

    def lines_deg(self, wavelength_A: float, low: float, high: float) -> np.ndarray:
        """Its reflections in a range.

        Parameters
        ----------
        wavelength_A : float
        low, high : float
            Degrees of 2θ.

        Returns
        -------
        ndarray
            Degrees of 2θ.
        """
        d = {
            round(self._spacing(hkl), 6)
            for hkl in product(range(9), repeat=3)
            if any(hkl) and self._allowed(*hkl)
        }
        sine = wavelength_A / 2 / np.array(sorted(d, reverse=True))
        angles = 2 * np.degrees(np.arcsin(sine[sine < 1]))
        return angles[(angles > low) & (angles < high)]

    def _spacing(self, hkl) -> float:
        h, k, l = hkl
        if self.system == "cubic":
            return float(self.a_A / np.sqrt(h * h + k * k + l * l))
        return float((4 / 3 * (h * h + h * k + k * k) / self.a_A**2 + l * l / self.c_A**2) ** -0.5)

    def _allowed(self, h: int, k: int, l: int) -> bool:
        if self.extinction == "diamond":
            odd = {h % 2, k % 2, l % 2}
            return len(odd) == 1 and (1 in odd or (h + k + l) % 4 == 0)
        if self.extinction == "R-3c":  # obverse; (h 0 l) and (0 k l) with l even
            return (-h + k + l) % 3 == 0 and (h * k != 0 or l % 2 == 0)
        return True


@lru_cache(maxsize=8)
def read_standards(folder: Path | None = None) -> tuple[Standard, ...]:
    """The table of standards; a `standards.csv` in `folder` takes its place.

    Parameters
    ----------
    folder : Path, optional

    Returns
    -------
    tuple of Standard
    """
    columns = "name", "words", "system", "a_A", "c_A", "expanded_A", "extinction", "source"
    return tuple(
        Standard(
            r["name"],
            tuple(r["words"].lower().split()),
            r["system"],
            r.number("a_A"),
            r.number("c_A", np.nan),
            r.number("expanded_A") / 2,
            r["extinction"],
            r["source"],
        )
        for r in read_records(table("structure/standards.csv", folder), columns)[0]
    )


def named(text: str, known: tuple[Standard, ...]) -> Standard | None:
    """The standard that a cell of the sheet names.

    Parameters
    ----------
    text : str
    known : tuple of Standard

    Returns
    -------
    Standard or None
    """
    words = text.lower().replace("₆", "6").replace("₂", "2").replace("₃", "3").split()
    return next((s for s in known if set(words) & set(s.words)), None)


def recognised(pattern: Pattern, known: tuple[Standard, ...]) -> Standard | None:
    """The standard whose lines, and no others, a pattern shows.

    At least four of its lines are there, all of those expected up to the last of them that is seen
    but one, and nine tenths of what is found (by significance) is one of them; within 0.3 degrees,
    which leaves room for zero and height.

    Parameters
    ----------
    pattern : Pattern
    known : tuple of Standard

    Returns
    -------
    Standard or None
    """
    x, wavelengths = pattern.two_theta_deg, pattern.radiation_A
    found = find_lines(x, pattern.intensity, pattern.sigma)
    strong = [f for f in found.features if f.significance > 0.05 * found.best.significance]
    for standard in known:
        lines = standard.lines_deg(wavelengths[0], x[0] + 0.5, x[-1] - 0.5)
        lines = lines[:8]
        if len(lines) < 4:
            continue
        seen = np.array([found.near(line, 0.3) for line in lines])
        reach = 0.4
        within = [f for f in strong if f.position < lines[-1] + reach]
        own = sum(f.significance for f in within if np.abs(lines - f.position).min() < reach)
        if seen.sum() >= max(4, len(lines) - 1) and own > 0.9 * sum(f.significance for f in within):
            return standard
    return None


#: Relative error of a stated size of a standard's crystals.
KNOWN = 0.2


class Reading(NamedTuple):
    """What a pattern of a standard that is not cubic says, under the names of a `PawleyFit`."""

    a_A: float
    a_error_A: float
    zero_deg: float
    zero_error_deg: float
    displacement_mm: float
    displacement_error_mm: float
    instrument_fwhm_deg: float
    size_nm: float
    size_error_nm: float


def _reading(data, standard: Standard, **options) -> tuple[Reading, tuple[np.ndarray, np.ndarray]]:
    """The fit of a standard's cell, and the intensities of its lines with errors."""
    name = standard.name
    angles = 90.0, 90.0, 120.0 if standard.system == "hexagonal" else 90.0
    cell = (standard.a_A, standard.a_A, standard.c_A, *angles)
    found = xrd.fit_phases(*data, phases=[xrd.Phase(name, cell, standard.group)], **options)
    value = dict(zip(found.estimates.names, found.estimates.values.tolist(), strict=True))
    error = dict(zip(found.estimates.names, found.estimates.errors.tolist(), strict=True))
    both = [(value.get(n, 0.0), error.get(n, 0.0)) for n in (f"{name} a", "zero", "height")]
    lines = [n for n in value if n.removeprefix(name)[-1:].isdigit() and n.startswith(name)]
    strengths = tuple(np.array([of[n] for n in lines]) for of in (value, error))
    size = value[f"{name} size"], error.get(f"{name} size", 0.0)
    return Reading(*sum(both, ()), value["width"], *size), strengths


@dataclass(frozen=True)
class Ruler:
    """Zero, height and line width of a diffractometer from a standard, with what it was made from.

    `fwhm_deg` is of the lines as a whole: their Gaussian part is the instrument's, their wings are
    its own or those of the standard's crystals. `free` is the fit with the lattice constant free
    and the height held at 0, `off_sigma` its distance from the certificate in standard errors of
    both; `crystals_nm` the size of the standard's crystals, where anybody knows it.
    """

    standard: Standard
    fit: xrd.PawleyFit | Reading
    free: xrd.PawleyFit | Reading
    fwhm_deg: float
    off_sigma: float
    crystals_nm: float | None = None

    @property
    def zero_deg(self) -> tuple[float, float]:
        """Zero error and its standard error, degrees; at least 0.002."""
        return self.fit.zero_deg, max(self.fit.zero_error_deg, 0.002)

    @property
    def gauss_deg(self) -> float:
        """Full width of the Gaussian part of its lines, degrees."""
        return self.fit.instrument_fwhm_deg

    @property
    def wings_per_nm(self) -> tuple[float, float]:
        """Lorentzian width of the instrument, as one over the size of crystals that widen lines by
        as much, and its error: nothing and all that the standard shows lie within 1.25 errors, as
        sizes fall with it faster than in proportion. Where the size of the standard's crystals is
        known, to a fifth, what they leave of its lines' width.
        """
        shown = 1 / self.fit.size_nm
        if self.crystals_nm is None:
            return 0.5 * shown, 0.4 * shown
        own = min(1 / self.crystals_nm, shown)
        return shown - own, float(np.hypot(self.fit.size_error_nm * shown**2, KNOWN * own))


def calibrate(
    pattern: Pattern, standard: Standard, radius_mm: float, crystals_nm: float | None = None
) -> Ruler:
    """Zero and height from a standard whose lattice constant is certified.

    Parameters
    ----------
    pattern : Pattern
    standard : Standard
    radius_mm : float
        Of the goniometer.
    crystals_nm : float, optional
        Volume-weighted column length of the standard's crystals.

    Returns
    -------
    Ruler

    Raises
    ------
    ValueError
        For a pattern that is not of the standard.
    """
    options = {"wavelengths_A": pattern.radiation_A, "radius_mm": radius_mm, "zero_deg": None}
    data = (pattern.two_theta_deg, pattern.intensity, pattern.sigma)
    if standard.system == "cubic":
        known = (standard.a_A, standard.sd_A)
        free = xrd.pawley_fit(*data, a_A=standard.a_A, displacement_mm=0.0, **options)
        fit = xrd.pawley_fit(*data, a_A=known, displacement_mm=None, **options)
        lines = fit.intensities, fit.intensity_errors
    else:
        free, _ = _reading(data, standard, displacement_mm=0.0, **options)
        cell = {"a": (standard.a_A, standard.sd_A), "c": (standard.c_A, standard.sd_A)}
        known = {f"{standard.name} {letter}": said for letter, said in cell.items()}
        fit, lines = _reading(data, standard, displacement_mm=None, known=known, **options)
    if not (lines[0] > 5 * lines[1]).sum() >= 3:
        raise ValueError(f"the lines of {standard.name} do not stand out of this pattern")
    lorentz = np.degrees(0.64 * pattern.radiation_A[0] / (fit.size_nm * 10))
    return Ruler(
        standard,
        fit,
        free,
        float(widths(fit.instrument_fwhm_deg, lorentz)[0]),
        float((free.a_A - standard.a_A) / np.hypot(free.a_error_A, standard.sd_A)),
        crystals_nm,
    )
