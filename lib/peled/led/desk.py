"""What notebook 04 does again and again: find the files of a folder, analyse them by name, draw what is there.

Files lie in the subfolders `sweeps`, `spectra`, `lifetime` and `batch`, or all in one folder; there each file is taken for what it reads
as. The spectra of a device are those whose names begin with its own: `X.csv` with `X_voltage.csv` or `X_current.csv` for its efficiency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.files import MissingDataError, display_path
from peled.formats import FormatError
from peled.formats.spectra import Spectra, read_spectra
from peled.formats.sweeps import LifetimeLog, Sweep, read_lifetime, read_sweeps
from peled.led import plots
from peled.led.devices import Device, Readings, analyse
from peled.led.stability import Followed, follow
from peled.lineshapes import to_wavelength
from peled.sources import kind_of

SUBFOLDERS = ("sweeps", "spectra", "lifetime", "batch")
_SUFFIXES = {".csv", ".tsv", ".txt", ".dat", ".xlsx", ".asc"}


@dataclass(frozen=True)
class Collection:
    """Everything readable in a folder, by file stem; `problems` says what could not be used, and why."""

    folder: Path
    sweeps: dict[str, tuple[Sweep, ...]] = field(repr=False)
    spectra: dict[str, Spectra] = field(repr=False)
    lifetimes: dict[str, LifetimeLog] = field(repr=False)
    batch: dict[str, tuple[Sweep, ...]] = field(repr=False)
    paths: dict[str, Path] = field(repr=False)
    problems: tuple[str, ...] = ()

    def kind(self, *names: str) -> str:
        """Kind of source of the named files."""
        return kind_of(*(self.paths[name] for name in names if name in self.paths))

    def inputs(self, *names: str) -> list[Path]:
        return [self.paths[name] for name in names if name in self.paths]


def collect(
    folder: Path, *, area_cm2: float | None = None, aliases: Mapping[str, str] | None = None
) -> Collection:
    """Read all files of a folder.

    Parameters
    ----------
    folder : Path
    area_cm2 : float, optional
        For sweeps whose files do not give one.
    aliases : mapping, optional
        The paper's name of a device or series -> the stem of one's own file.

    Raises
    ------
    MissingDataError
        If no sweep, spectrum or lifetime log can be read; the message carries the reasons.
    """
    kept: dict[str, dict] = {name: {} for name in SUBFOLDERS}
    paths: dict[str, Path] = {}
    problems: list[str] = []
    by_folder = {
        name: sorted((folder / name).glob("*")) for name in SUBFOLDERS if (folder / name).is_dir()
    }
    for kind, found in by_folder.items():
        for path in _data_files(found):
            _keep(kept, paths, problems, path, (kind,), area_cm2)
    for path in _data_files(sorted(folder.glob("*"))):
        if not path.name.startswith("cie_") and path.stem not in ("samples", "lab"):
            _keep(kept, paths, problems, path, ("sweeps", "lifetime", "spectra"), area_cm2)
    own = {own: paper for paper, own in (aliases or {}).items()}
    for store in kept.values():
        for stem in list(store):
            if stem in own:
                store[own[stem]] = store.pop(stem)
    for stem in list(paths):
        if stem in own:
            paths[own[stem]] = paths.pop(stem)
    if not any(kept.values()):
        raise MissingDataError(
            f"{display_path(folder)}: expected sweeps, spectra or lifetime logs, found none that can be read"
            + (": " + "; ".join(problems[:3]) if problems else "")
        )
    return Collection(
        folder,
        kept["sweeps"],
        kept["spectra"],
        kept["lifetime"],
        kept["batch"],
        paths,
        tuple(problems),
    )


def _data_files(found) -> list[Path]:
    return [
        path
        for path in found
        if path.is_file()
        and path.suffix.lower() in _SUFFIXES
        and not path.name.startswith(".")
        and path.stem.lower() != "readme"
    ]


def _keep(
    kept, paths, problems, path: Path, kinds: tuple[str, ...], area_cm2: float | None
) -> None:
    readers = {
        "sweeps": lambda p: read_sweeps(p, area_cm2=area_cm2),
        "batch": lambda p: read_sweeps(p, area_cm2=area_cm2),
        "lifetime": read_lifetime,
        "spectra": read_spectra,
    }
    errors = []
    for kind in kinds:
        try:
            found = readers[kind](path)
            if kind == "sweeps" and "lifetime" in kinds and _is_constant_drive(found):
                kind, found = "lifetime", read_lifetime(path)
            kept[kind][path.stem] = _per_nanometre(found) if kind == "spectra" else found
            # Batch and sweeps may bear the same names; the plain name belongs to whoever comes first.
            paths.setdefault(path.stem, path)
            return
        except FormatError as error:
            errors.append(str(error))
    problems.append(errors[0])


def _per_nanometre(series: Spectra) -> Spectra:
    """A series measured per eV as one per nm: the density takes the Jacobian with it."""
    if series.x_unit == "nm":
        return series
    wavelength, values, _ = to_wavelength(series.x, series.values)
    return replace(series, x=wavelength, x_unit="nm", values=values)


def _is_constant_drive(sweeps: tuple[Sweep, ...]) -> bool:
    """A log with times whose current stands still is a lifetime test, whatever its voltage does."""
    current = np.concatenate([s.current_density_mA_cm2 for s in sweeps])
    return all(s.time_s is not None for s in sweeps) and float(np.ptp(current)) < 0.05 * float(
        np.max(np.abs(current))
    )


def analyse_all(
    sweeps: Mapping[str, tuple[Sweep, ...]],
    spectra: Mapping[str, Spectra],
    *,
    shared: str | None = None,
    band: tuple[float, float] = (620.0, 35.0),
    readings: Readings | None = None,
    turn_on_cd_m2: float = 1.0,
) -> tuple[dict[str, Device], tuple[str, ...]]:
    """All devices, each with its own series (`<name>_voltage`, `<name>_current`, else `<name>` itself) or the shared one; and the reasons for those left out."""
    found, problems = {}, []
    single = [name for name, s in spectra.items() if len(s) == 1]
    if not shared and len(single) == 1:  # the only single spectrum of the folder is everybody's
        shared = single[0]
    for name, sets in sweeps.items():
        series = next(
            (
                spectra[key]
                for key in (f"{name}_current", f"{name}_voltage", f"{name}_spectrum", shared)
                if key in spectra
            ),
            None,
        )
        try:
            found[name] = analyse(
                name, sets, series, band=band, readings=readings, turn_on_cd_m2=turn_on_cd_m2
            )
        except ValueError as error:
            problems.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    return found, tuple(problems)


def follow_all(spectra: Mapping[str, Spectra]) -> tuple[dict[str, Followed], tuple[str, ...]]:
    """All series with a varied parameter, followed; and the reasons for those left out."""
    found, problems = {}, []
    for name, series in spectra.items():
        if series.parameter is None or len(series) < 2:
            problems.append(f"{name}: no series (times, voltages or currents in the column heads)")
            continue
        try:
            found[name] = follow(series.parameter, series.wavelength_nm, series.values)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return found, tuple(problems)


def pick(store: Mapping, *names: str, otherwise: int = 0) -> dict:
    """The named entries that are there; when none is, the first `otherwise` entries of the store (one's own devices)."""
    found = {name: store[name] for name in names if name in store}
    return found or dict(list(store.items())[:otherwise])


def draw_series(
    room,
    panel: str,
    data: Collection,
    *names: str,
    titles: tuple[str, ...] = (),
    title: str = "",
    labels=None,
) -> None:
    """One panel of EL spectra, a column of axes for each named series; says "no file" where it is missing."""
    width = 3.5 if len(names) == 1 else 5.4
    titles = titles or tuple(plots.label_of(name) for name in names)
    fig, axes = room.panel(
        panel, ncols=len(names), title=title, width=width, height=2.3, squeeze=False
    )
    for ax, name, text in zip(axes[0], names, titles, strict=True):
        if name in data.spectra:
            plots.spectra(ax, data.spectra[name], title=text, labels=labels)
        else:
            plots.no_file(ax, name)
    room.save(fig, panel, inputs=data.inputs(*names))


def order_of(values: Mapping[str, float]) -> str:
    """`a < b < c` in rising order, for a note."""
    return " < ".join(
        f"{name} ({value:.3g})" for name, value in sorted(values.items(), key=lambda item: item[1])
    )


def relative_peak_shift(followed: Mapping[str, Followed], *names: str) -> dict[str, float]:
    """Largest move of the centroid (nm) in each named series: it counts shift, broadening to one side and shoulder alike."""
    return {
        plots.label_of(name): float(
            np.max(np.abs(followed[name].centroid_nm - followed[name].centroid_nm[0]))
        )
        for name in names
    }
