"""Integrating-sphere measurements: empty sphere, sample beside the beam (indirect), sample in the beam (direct).

Three ways to store them are read: a folder with a file a run, named as the run is (`empty`, `indirect`, `direct`, or the
initials A, B, C) and one file for the whole spectrum or one each for laser and emission band (`B1`, `B2`, ...); one
table with a column a run; such a table for a series (`direct 0.5 mW/cm2`, ...), where a run that stands once is shared.

A calibration says what a count means. Its unit cannot be seen from the numbers, so it must be stated: `energy` when
count × factor is a power per nm, `photons` when it is a photon rate per nm. Taken wrongly, it spoils every yield.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.files import display_path
from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.spectra import Spectra, read_spectra

RUNS = ("empty", "indirect", "direct")
_NAMES = {
    "empty": re.compile(
        r"empty|blank|reference|no[ _-]?sample|(?<![a-z])a(?=\d|$|[_. -])", re.IGNORECASE
    ),
    "indirect": re.compile(
        r"indirect|diffuse|(?<![a-z])out(?![a-z])|off[ _-]?beam|beside|(?<![a-z])b(?=\d|$|[_. -])",
        re.IGNORECASE,
    ),
    "direct": re.compile(
        r"(?<!in)direct|(?<![a-z])in(?![a-z])|on[ _-]?beam|(?<![a-z])c(?=\d|$|[_. -])",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class Band:
    """One band of one run: wavelength (n,) in nm, ascending, and detector counts (n,)."""

    wavelength_nm: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class SphereRun:
    """The two bands of one run; `emission` is None where it was not recorded. `name` identifies a shared run."""

    name: str
    laser: Band
    emission: Band | None


@dataclass(frozen=True)
class SphereTriple:
    """Empty, indirect and direct run, with what was varied along a series (`parameter` in `parameter_unit`)."""

    path: Path
    label: str
    empty: SphereRun
    indirect: SphereRun
    direct: SphereRun
    parameter: float | None = None
    parameter_unit: str = ""
    metadata: dict = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Calibration:
    """Spectral response: `factor` (n,) at `wavelength_nm` (n,), relative; count × factor ∝ `quantity` per nm.

    `relative_error` is the standard error of the factor's ratio between emission and laser band, 0 when not known.
    """

    path: Path | None
    wavelength_nm: np.ndarray = field(repr=False)
    factor: np.ndarray = field(repr=False)
    quantity: str
    relative_error: float = 0.0

    def __post_init__(self):
        if self.quantity not in ("energy", "photons"):
            raise ValueError(
                f"calibration: quantity: expected 'energy' or 'photons', found {self.quantity!r}"
            )

    def at(self, wavelength_nm: np.ndarray) -> np.ndarray:
        """The factor, interpolated linearly.

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
        What count × factor is proportional to; needed unless the file says `quantity: energy` in its header.

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
    error = next(
        (float(v) for k, v in spectra.metadata.items() if k.lower() == "relative error"), 0.0
    )
    order = np.argsort(spectra.wavelength_nm)
    return Calibration(
        Path(path), spectra.wavelength_nm[order], spectra.values[0][order], said, error
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
        Limits of the bands. Where files do not separate the bands, the header may give them (`Laser band (nm): 398-412`);
        else the laser band is the strongest peak of the empty run and the emission band all that is redder.

    Raises
    ------
    FormatError
        A run that is missing or there twice, grids that do not match, no laser line in the empty run, bands out of range.
    """
    path = Path(path)
    return (
        (_from_folder(path, laser_band_nm, emission_band_nm),)
        if path.is_dir()
        else _from_table(path, laser_band_nm, emission_band_nm)
    )


def _role(name: str) -> str | None:
    found = [run for run, pattern in _NAMES.items() if pattern.search(name)]
    return found[0] if len(found) == 1 else None


def _from_folder(folder: Path, laser, emission) -> SphereTriple:
    found: dict[str, list[Spectra]] = {run: [] for run in RUNS}
    for file in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        name = file.name.split(".")[0]
        run = _role(name) if not re.search(r"qy|calib|^cf", name, re.IGNORECASE) else None
        if run:
            found[run].append(read_spectra(file))
    missing = [run for run in RUNS if not found[run]]
    if missing:
        raise FormatError(
            folder,
            expected="files of the runs empty (A), indirect (B) and direct (C)",
            found=f"none for {', '.join(missing)}",
            advice="name each file by its run",
        )
    if any(len(spectra) > 2 for spectra in found.values()):
        run = next(r for r, spectra in found.items() if len(spectra) > 2)
        raise FormatError(
            folder,
            expected="one file a run, or one each for laser and emission band",
            found=f"{len(found[run])} for {run}",
        )
    runs = {}
    if len(found["indirect"]) == 2 or len(found["direct"]) == 2:
        for run in RUNS:
            parts = sorted(found[run], key=lambda s: s.wavelength_nm.min())
            if run != "empty" and len(parts) != 2:
                raise FormatError(
                    folder,
                    expected="a laser and an emission band for indirect and direct run",
                    found=f"{len(parts)} file for {run}",
                )
            if len(parts) == 2 and parts[0].wavelength_nm.max() >= parts[1].wavelength_nm.min():
                raise FormatError(
                    parts[1].path,
                    expected="an emission band redder than the laser band",
                    found=f"overlap with {parts[0].path.name}",
                )
            runs[run] = SphereRun(
                run, _band(parts[0], 0), _band(parts[1], 0) if len(parts) == 2 else None
            )
        _same_grid(folder, runs)
    else:
        spectra = {run: found[run][0] for run in RUNS}
        for run in RUNS[1:]:
            _same_axis(
                spectra[run].path, spectra[run].wavelength_nm, spectra["empty"].wavelength_nm, run
            )
        bands = _bands(spectra["empty"], spectra["empty"].values[0], laser, emission)
        runs = {run: _split(run, spectra[run], 0, *bands) for run in RUNS}
    return SphereTriple(folder, folder.name, **runs, metadata=found["empty"][0].metadata)


def _from_table(path: Path, laser, emission) -> tuple[SphereTriple, ...]:
    spectra = read_spectra(path)
    roles = [_role(label) for label in spectra.labels]
    if None in roles:
        raise FormatError(
            path,
            place="column heads",
            expected="heads that name the run: empty, indirect or direct",
            found=repr(spectra.labels[roles.index(None)]),
        )
    keys = [
        re.sub(
            r"(?i)empty|blank|reference|(?:in)?direct|diffuse|[^0-9A-Za-zµμ./+-]+", " ", label
        ).strip()
        for label in spectra.labels
    ]
    columns = {run: {keys[i]: i for i in range(len(keys)) if roles[i] == run} for run in RUNS}
    for run in RUNS:
        if not columns[run]:
            raise FormatError(
                path,
                place="column heads",
                expected="a column for each of empty, indirect and direct",
                found=f"none for {run}",
            )
        if len(columns[run]) != roles.count(run):
            raise FormatError(
                path,
                place="column heads",
                expected="one column a run and setting",
                found=f"{run} more than once with the same setting",
            )
    series = [s for s in columns["direct"]]
    triples = []
    for key in series:
        index = {}
        for run in RUNS:
            shared = len(columns[run]) == 1
            if not shared and key not in columns[run]:
                raise FormatError(
                    path,
                    place="column heads",
                    expected=f"a column {run} {key}",
                    found=", ".join(columns[run]),
                )
            index[run] = next(iter(columns[run].values())) if shared else columns[run][key]
        bands = _bands(spectra, spectra.values[index["empty"]], laser, emission)
        runs = {run: _split(spectra.labels[i], spectra, i, *bands) for run, i in index.items()}
        number = re.search(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\S.*)?$", key)
        triples.append(
            SphereTriple(
                path,
                key or path.name.split(".")[0],
                **runs,
                parameter=float(number[1]) if number else None,
                parameter_unit=(number[2] or "") if number else "",
                metadata=spectra.metadata,
            )
        )
    return tuple(triples)


def _bands(
    spectra: Spectra, empty: np.ndarray, laser, emission
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of the bands: as asked, as the header says, or from the laser line of the empty run."""
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
        if re.match(rf"{band} band", key, re.IGNORECASE) and (
            m := re.match(r"\s*([\d.]+)\s*(?:-|–|to)\s*([\d.]+)", value)
        ):
            return float(m[1]), float(m[2])
    return None


def _split(name: str, spectra: Spectra, row: int, laser, emission) -> SphereRun:
    whole = _band(spectra, row)
    parts = []
    for low, high in (laser, emission):
        inside = (whole.wavelength_nm >= low) & (whole.wavelength_nm <= high)
        parts.append(Band(whole.wavelength_nm[inside], whole.counts[inside]))
    return SphereRun(name, *parts)


def _band(spectra: Spectra, row: int) -> Band:
    order = np.argsort(spectra.wavelength_nm)
    return Band(spectra.wavelength_nm[order], spectra.values[row][order])


def _same_grid(folder: Path, runs: dict[str, SphereRun]) -> None:
    for run in RUNS[1:]:
        _same_axis(
            folder,
            runs[run].laser.wavelength_nm,
            runs["empty"].laser.wavelength_nm,
            f"{run}, laser band",
        )
    _same_axis(
        folder,
        runs["direct"].emission.wavelength_nm,
        runs["indirect"].emission.wavelength_nm,
        "direct, emission band",
    )
    if runs["empty"].emission is not None:
        _same_axis(
            folder,
            runs["empty"].emission.wavelength_nm,
            runs["indirect"].emission.wavelength_nm,
            "empty, emission band",
        )


def _same_axis(path: Path, found: np.ndarray, expected: np.ndarray, what: str) -> None:
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=1e-3):
        raise FormatError(
            path,
            place=what,
            expected=f"the wavelengths of the other runs ({expected.size} points, {expected.min():g} to {expected.max():g} nm)",
            found=f"{found.size} points, {found.min():g} to {found.max():g} nm in {display_path(path)}",
            advice="record all three runs with one setting",
        )
