"""Integrating-sphere measurements: empty sphere, sample beside the beam (indirect), sample in the
beam (direct).

Three ways to store them are read: a folder with a file a run, named as the run is (`empty`,
`indirect`, `direct`, or the initials A, B, C) and one file for the whole spectrum or one each for
laser and emission band (`B1`, `B2`, ...); one table with a column a run; such a table for a series
(`direct 0.5 mW/cm2`, ...), where a run that stands once is shared. In a table, too, laser and
emission band may be columns of their own, each beside its axis; heads such as `laser on sample`,
`off sample` and `no sample`, or `on` and `off`, name the runs as well.

A calibration says what a count means. Its unit cannot be seen from the numbers, so it must be
stated: `energy` when count × factor is a power per nm, `photons` when it is a photon rate per nm.
Taken wrongly, it spoils every yield.

Tried on files not written here: two sets of runs (a file a band, `A1` to `C2`) with their
calibration (MIT, W. K. Lee), for which the author states absorptance and yield; the tables on files
written here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import Account, stated, stated_number, stem
from peled.formats.spectra import Spectra, read_each, read_spectra

RUNS = ("empty", "indirect", "direct")
_NAMES = {
    "empty": r"empty|blank|reference|(no|without)[ _-]?(sample|film)|(?<![a-z])a(?=\d|$|[_. -])",
    "indirect": r"indirect|diffuse|beside|(?<![a-z])out(?![a-z])|"
    r"off[ _-]?(beam|sample|film|target)|"
    r"(?<!laser[ _-])(?<![a-z])off(?=$|[ _-]*\d)|on[ _-]?(the[ _-])?wall|"
    r"(?<![a-z])b(?=\d|$|[_. -])",
    "direct": r"(?<!in)direct|(?<![a-z])in(?![a-z])|on[ _-]?(the[ _-])?(beam|sample|film|target)|"
    r"(?<![a-z])on(?=$|[ _-]*\d)|(?<![a-z])c(?=\d|$|[_. -])",
}
_WORDS = re.compile(
    r"empty|blank|reference|(no|without)[ _-]?(sample|film)|(?:in)?direct|diffuse|beside|laser|"
    r"emission|excitation|[^0-9A-Za-zµμ./+-]+|"
    r"(?<![a-z])(on|off|in|out|of|the|beam|sample|film|target|wall|band|pl)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Band:
    """One band of one run: wavelength (n,) in nm, ascending, and detector counts (n,)."""

    wavelength_nm: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class SphereRun:
    """The two bands of one run; `emission` is None where it was not recorded. `name` identifies a
    shared run.
    """

    name: str
    laser: Band
    emission: Band | None


@dataclass(frozen=True)
class SphereTriple:
    """Empty, indirect and direct run, with what was varied along a series (`parameter` in
    `parameter_unit`).

    `accounts` holds by file name what each line was taken for.
    """

    path: Path
    label: str
    empty: SphereRun
    indirect: SphereRun
    direct: SphereRun
    parameter: float | None = None
    parameter_unit: str = ""
    metadata: dict = field(default_factory=dict, repr=False)
    accounts: dict[str, Account] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SphereSet:
    """Runs of one setting, whole, by role (`empty`, `direct laser`, `direct emission` ...), with
    what was varied along a series (`parameter` in `parameter_unit`).
    """

    runs: Mapping
    parameter: float | None = None
    parameter_unit: str = ""


@dataclass(frozen=True)
class Calibration:
    """Spectral response: `factor` (n,) at `wavelength_nm` (n,), relative; count × factor ∝
    `quantity` per nm.

    `relative_error` is the standard error of the factor's ratio between emission and laser band,
    None when not known.
    """

    path: Path | None
    wavelength_nm: np.ndarray = field(repr=False)
    factor: np.ndarray = field(repr=False)
    quantity: str
    relative_error: float | None = None
    account: Account = field(default_factory=Account, repr=False)

    def __post_init__(self):
        if self.quantity not in ("energy", "photons"):
            raise ValueError(
                f"calibration: quantity: expected 'energy' or 'photons', found {self.quantity!r}"
            )

    def at(self, wavelength_nm: np.ndarray) -> np.ndarray:
        """The factor, interpolated linearly.

        Parameters
        ----------
        wavelength_nm : (m,) array
            Wavelengths, nm, in any order.

        Returns
        -------
        (m,) float array
            Relative.

        Raises
        ------
        FormatError
            If the calibration does not reach that far or is not positive there.
        """
        w = np.asarray(wavelength_nm, dtype=float)
        where = self.path or Path("calibration")
        if w.min() < self.wavelength_nm[0] - 1e-9 or w.max() > self.wavelength_nm[-1] + 1e-9:
            raise FormatError(
                where,
                expected=f"a calibration from {w.min():g} to {w.max():g} nm",
                found=f"one from {self.wavelength_nm[0]:g} to {self.wavelength_nm[-1]:g} nm",
            )
        factor = np.interp(w, self.wavelength_nm, self.factor)
        if np.any(factor <= 0):
            raise FormatError(
                where,
                place=f"{w[np.argmax(factor <= 0)]:g} nm",
                expected="a positive calibration factor in the bands used",
                found=f"{factor[np.argmax(factor <= 0)]:g}",
            )
        return factor


@reader("a calibration of an integrating sphere")
def read_calibration(path: str | os.PathLike, *, quantity: str | None = None) -> Calibration:
    """A two-column calibration file.

    Parameters
    ----------
    path : path-like
    quantity : {"energy", "photons"}, optional
        What count × factor is proportional to; needed unless the file says `quantity: energy` in
        its header.

    Returns
    -------
    Calibration
        Factor over wavelength in nm.

    Raises
    ------
    FormatError
        If neither file nor caller says what the factor gives.
    """
    spectra = read_spectra(path)
    said = quantity or next(
        (v.strip().lower() for k, v in spectra.metadata.items() if k.lower() == "quantity"), ""
    )
    if said not in ("energy", "photons"):
        raise FormatError(
            path,
            place="header",
            expected="'quantity: energy' or 'quantity: photons'",
            found=repr(said) if said else "neither",
            advice="say which in the header or by the argument quantity: a yield counts photons",
        )
    if len(spectra) > 1:
        found = ", ".join(map(repr, spectra.labels))
        raise FormatError(path, expected="one column of factors", found=found, place="column heads")
    error = stated(path, spectra.metadata, "^relative error", positive=True)
    order = np.argsort(spectra.wavelength_nm)
    return Calibration(
        Path(path),
        spectra.wavelength_nm[order],
        spectra.values[0][order],
        said,
        error[0] if error else None,
        spectra.account,
    )


@reader("counts of an integrating sphere", folder=True)
def read_sphere(
    path: str | os.PathLike,
    *,
    laser_band_nm: tuple[float, float] | None = None,
    emission_band_nm: tuple[float, float] | None = None,
) -> tuple[SphereTriple, ...]:
    """The triples of a folder or a table; one, or a series.

    Parameters
    ----------
    path : path-like
        Folder with a file a run, or a table with a column a run.
    laser_band_nm, emission_band_nm : (float, float), optional
        Limits of the bands. Where files do not separate the bands, the header may give them (`Laser
        band (nm): 398-412`); else the laser band is the strongest peak of the empty run and the
        emission band all that is redder.

    Returns
    -------
    tuple of SphereTriple
        Counts over wavelength in nm.

    Raises
    ------
    FormatError
        A run that is missing or there twice, grids that do not match, no laser line in the empty
        run, bands out of range.
    """
    path = Path(path)
    runs = _recorded(path)
    return tuple(
        SphereTriple(
            path,
            key or stem(path),
            **_bands_of(path, parts, laser_band_nm, emission_band_nm),
            parameter=number[0] if number else None,
            parameter_unit=number[1] if number else "",
            metadata=parts["empty"][0].spectra.metadata,
            accounts={r.spectra.path.name: r.spectra.account for r in runs},
        )
        for key, number, parts in _settings(path, runs, RUNS)
    )


@reader("counts of an integrating sphere", folder=True, missing=("values",))
def read_runs(path: str | os.PathLike, *, x_unit: str | None = None) -> tuple[SphereSet, ...]:
    """The runs of a folder or a table, whole: a set, or one a setting of a series.

    Parameters
    ----------
    path : path-like
        As `read_sphere`; of indirect and direct runs one may be missing.
    x_unit : {"nm", "eV"}, optional
        Of a table whose head does not say it.

    Returns
    -------
    tuple of SphereSet

    Raises
    ------
    FormatError
        A run that is missing or there twice.
    """
    path = Path(path)
    sets = []
    for _, number, parts in _settings(path, _recorded(path, x_unit)):
        apart = any(len(found) > 1 for found in parts.values())
        runs = {
            f"{role} {band}".strip(): run.alone
            for role, found in parts.items()
            for band, run in zip(("laser", "emission") if apart else ("",), found)
        }
        _check_apart(path, parts)
        sets.append(SphereSet(runs, *(number or (None, ""))))
    return tuple(sets)


def stated_bands(spectra: Spectra) -> dict[str, tuple[float, float]]:
    """The bands that the head of a file states.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    dict of str to (float, float)
        `laser_band_nm`, `emission_band_nm`, where the head has them.

    Raises
    ------
    FormatError
        If they are not two wavelengths.
    """
    said = {f"{band}_band_nm": _said(spectra, band) for band in ("laser", "emission")}
    return {name: limits for name, limits in said.items() if limits}


def _recorded(path: Path, x_unit: str | None = None) -> list[_Run]:
    """What was recorded: columns of a table, or files of a folder that are named as runs."""
    if not path.is_dir():
        groups = read_each(path, x_unit=x_unit)
        return [_Run(label, g, k) for g in groups for k, label in enumerate(g.labels)]
    runs = []
    for file in sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")):
        name = stem(file)
        if not re.search(r"qy|calib|^cf", name, re.IGNORECASE) and _role(name):
            spectra = read_spectra(file)
            runs += [_Run(name, spectra, k) for k in range(len(spectra))]
    return runs


@dataclass(frozen=True)
class _Run:
    """One recorded spectrum: the name that says which run it is, and where its counts are."""

    name: str
    spectra: Spectra
    row: int

    @property
    def alone(self) -> Spectra:
        one = {"values": self.spectra.values[self.row : self.row + 1], "labels": (self.name,)}
        return replace(self.spectra, **one, parameter=None, parameter_unit="")

    @property
    def band(self) -> Band:
        order = np.argsort(self.spectra.wavelength_nm)
        return Band(self.spectra.wavelength_nm[order], self.spectra.values[self.row][order])


def _names(path: Path, runs: list[_Run]) -> list[str]:
    """What lies in a folder, or the columns of a table."""
    return sorted(p.name for p in path.iterdir()) if path.is_dir() else [r.name for r in runs]


def _role(name: str) -> str | None:
    found = [run for run, words in _NAMES.items() if re.search(words, name.strip(), re.IGNORECASE)]
    return found[0] if len(found) == 1 else None


def _settings(path: Path, runs: list[_Run], needed: tuple[str, ...] = ()):
    """Of each setting its name, its number with unit, and its runs by role: one that stands once is
    shared by all. The empty run is `needed` and a lit one, or all that are named.
    """
    columns: dict[str, dict[str, list[_Run]]] = {run: {} for run in RUNS}
    for run in runs:
        role = _role(run.name)
        if role is None:
            raise FormatError(
                path,
                place="column heads",
                expected="heads that name the run: empty, indirect or direct",
                found=repr(run.name),
            )
        key = "" if path.is_dir() else " ".join(_WORDS.sub(" ", run.name).split())
        columns[role].setdefault(key, []).append(run)
    there = [run for run in RUNS if columns[run]]
    if not {*(needed or ("empty",))} <= {*there} or len(there) < 2:
        missing = [run for run in RUNS if run not in there]
        raise FormatError(
            path,
            expected="the runs empty, indirect and direct"
            + ("" if needed else ", or empty and one of them")
            + ", a file or a column each",
            found=f"none for {', '.join(missing)} among {', '.join(_names(path, runs)) or 'none'}",
            advice="name each file or column by its run",
        )
    for key in columns[there[-1]]:
        parts = {}
        for run in there:
            shared = next(iter(columns[run].values())) if len(columns[run]) == 1 else None
            found = shared or columns[run].get(key)
            if found is None or len(found) > 2:
                expected = f"one {run} {key}".strip() + ", or one each for laser and emission band"
                said = f"{len(found)}" if found else ", ".join(columns[run])
                raise FormatError(path, expected=expected, found=said)
            parts[run] = sorted(found, key=lambda r: r.band.wavelength_nm[0])
        number = stated_number(key)
        if number is None and re.search(r"\d[.,]\d", key):
            expected, place = "a number and its unit beside the run", "column heads"
            raise FormatError(path, place=place, expected=expected, found=repr(key))
        yield key, number, parts


def _check_apart(path: Path, parts: dict[str, list[_Run]]) -> None:
    """Where bands were recorded apart, lit runs have two that do not overlap."""
    if all(len(found) == 1 for found in parts.values()):
        return
    for run, found in parts.items():
        if run != "empty" and len(found) != 2:
            raise FormatError(
                path,
                expected="a laser and an emission band for indirect and direct run",
                found=f"{len(found)} for {run}",
            )
        first, *others = (part.band.wavelength_nm for part in found)
        if others and first[-1] >= others[0][0]:
            raise FormatError(
                found[1].spectra.path,
                expected="an emission band redder than the laser band",
                found=f"overlap of the two bands of the {run} run",
            )


def _bands_of(path: Path, parts: dict[str, list[_Run]], laser, emission) -> dict[str, SphereRun]:
    """Each run's two bands: recorded apart, or cut out of one spectrum."""
    if all(len(found) == 1 for found in parts.values()):
        first = parts["empty"][0]
        _same_axes(parts)
        limits = _bands(first.spectra, first.spectra.values[first.row], laser, emission)
        return {run: _split(parts[run][0], *limits) for run in RUNS}
    _check_apart(path, parts)
    runs = {}
    for run, found in parts.items():
        bands = [part.band for part in found]
        runs[run] = SphereRun(run, bands[0], bands[1] if len(bands) == 2 else None)
    _same_axes(parts)
    return runs


def _bands(
    spectra: Spectra, empty: np.ndarray, laser, emission
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of the bands: as asked, as the header says, or from the line of the empty run."""
    w = spectra.wavelength_nm
    order = np.argsort(w)
    w, y = w[order], np.asarray(empty, dtype=float)[order]
    laser, emission = laser or _said(spectra, "laser"), emission or _said(spectra, "emission")
    if laser is None:
        floor = np.median(y)
        noise = 1.4826 * np.median(np.abs(np.diff(y))) / np.sqrt(2) + 1e-300
        top = int(np.argmax(y))
        if y[top] - floor < 20 * noise or y[top] <= 0:
            raise FormatError(
                spectra.path,
                expected="a laser line in the empty run",
                found=f"no peak above 20 times the noise ({w[0]:g} to {w[-1]:g} nm)",
                advice="include the laser wavelength, or pass laser_band_nm",
            )
        # To where the line has sunk into the floor, and half as far again for its wings.
        low_enough = y < floor + max(1e-3 * (y[top] - floor), 3 * noise)
        left = top - int(np.argmax(low_enough[top::-1])) if low_enough[: top + 1].any() else 0
        right = top + int(np.argmax(low_enough[top:])) if low_enough[top:].any() else len(w) - 1
        laser = (w[top] - 1.5 * (w[top] - w[left]), w[top] + 1.5 * (w[right] - w[top]))
    if emission is None:
        emission = (
            laser[1] + 0.25 * (w[-1] - laser[1]) if w[-1] - laser[1] < 100 else laser[1] + 25.0,
            w[-1],
        )
    for name, (low, high) in (("laser", laser), ("emission", emission)):
        inside = np.count_nonzero((w >= low) & (w <= high))
        if inside < 3:
            raise FormatError(
                spectra.path,
                expected=f"a {name} band {low:g} to {high:g} nm inside the data",
                found=f"{inside} points there; data from {w[0]:g} to {w[-1]:g} nm",
                advice=f"export the {name} band or pass {name}_band_nm",
            )
    if laser[1] > emission[0]:
        raise FormatError(
            spectra.path,
            expected="bands that do not overlap",
            found=f"laser to {laser[1]:g} nm, emission from {emission[0]:g} nm",
        )
    return laser, emission


def _said(spectra: Spectra, band: str) -> tuple[float, float] | None:
    for key, value in spectra.metadata.items():
        if re.match(rf"{band} band", key, re.IGNORECASE):
            ends = re.fullmatch(r"\s*([\d.,]+)\s*(?:-|–|to)\s*([\d.,]+)\s*(nm)?", value)
            numbers = [stated_number(e) for e in ends.groups()[:2]] if ends else [None]
            if None in numbers:
                expected, place = "two wavelengths such as 398-412", f"header, {key!r}"
                raise FormatError(spectra.path, place=place, expected=expected, found=repr(value))
            return numbers[0][0], numbers[1][0]
    return None


def _split(run: _Run, laser, emission) -> SphereRun:
    whole = run.band
    parts = []
    for low, high in (laser, emission):
        inside = (whole.wavelength_nm >= low) & (whole.wavelength_nm <= high)
        parts.append(Band(whole.wavelength_nm[inside], whole.counts[inside]))
    return SphereRun(run.name, *parts)


def _same_axes(parts: dict[str, list[_Run]]) -> None:
    """Each band has one axis in all runs that recorded it."""
    for band in range(2):
        first, *others = [found[band] for found in parts.values() if len(found) > band] or [None]
        for run in others:
            found, expected = run.band.wavelength_nm, first.band.wavelength_nm
            if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=1e-3):
                raise FormatError(
                    run.spectra.path,
                    place=run.name,
                    expected=f"the wavelengths of {first.name!r} ({expected.size} points, "
                    f"{expected.min():g} to {expected.max():g} nm)",
                    found=f"{found.size} points, {found.min():g} to {found.max():g} nm",
                    advice="record all three runs with one setting",
                )
