"""The list of calculations, as data, and what is done with one of them."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ledger import files
from peled.formats.atomistic import read_calculation
from peled.formats.atomistic.structures import Structure, xyz_frames

#: Where everything is kept, and the list of it.
FOLDER = files.ROOT / "data" / "energetics"
TABLE = FOLDER / "jobs.csv"
#: How far a repeat may be from what is kept (eV): another processor, another library of algebra.
#: Densities of plane waves and Gaussians are converged to less than those of tight binding.
TOLERANCE_EV = {"tight_binding": 2e-5, "stand_in": 2e-3, "pw": 0.01}
USUAL_EV = 1e-3
INSTALL = {
    "program": "Debian: apt install quantum-espresso xtb",
    "package": "make energetics-env",
}


class MissingProgram(RuntimeError):
    """A program or package that a calculation needs is not installed."""


@dataclass(frozen=True)
class Job:
    """One line of the list.

    Attributes
    ----------
    name : str
        The file, relative to `data/energetics`.
    kind : str
        Which module and function runs it (`KINDS` of `__main__`).
    start : str
        Geometry it starts from where it is not kept: `file`, `file#frame`, or a builder with its
        arguments, `covered:0.5` (see `slabs.build`).
    settings : mapping
        `key=value` of the program.
    minutes : float
        About how long it takes on one core.
    """

    name: str
    kind: str
    start: str
    settings: Mapping[str, str]
    minutes: float

    @property
    def path(self) -> Path:
        return FOLDER / self.name

    @property
    def kept(self) -> bool:
        return self.path.exists()

    def __str__(self) -> str:
        state = "kept" if self.kept else "    "
        return f"{state}  {self.name}  ({self.kind}, {self.minutes:g} min)"


def listed() -> list[Job]:
    """All calculations, in the order of the list."""
    with open(TABLE, encoding="utf-8", newline="") as stream:
        return [
            Job(
                row["name"],
                row["kind"],
                row["start"],
                dict(pair.split("=", 1) for pair in row["settings"].split()),
                float(row["minutes"]),
            )
            for row in csv.DictReader(stream)
        ]


def chosen(jobs: Sequence[Job], patterns: Sequence[str]) -> list[Job]:
    """The jobs whose names match any of `patterns`, with or without the suffix of the file.

    Parameters
    ----------
    jobs : sequence of Job
    patterns : sequence of str
        Names, or with * and ?.

    Returns
    -------
    list of Job
        In the order of the list.

    Raises
    ------
    ValueError
        A pattern matches nothing.
    """

    def matches(job: Job, pattern: str) -> bool:
        return fnmatch(job.name, pattern) or fnmatch(job.name.rpartition(".")[0], pattern)

    for pattern in patterns:
        if not any(matches(job, pattern) for job in jobs):
            raise ValueError(
                f"no calculation is called {pattern}; python -m hassan2021.recompute lists them"
            )
    return [job for job in jobs if any(matches(job, p) for p in patterns)]


def require(packages: Iterable[str] = (), programs: Iterable[str] = ()) -> None:
    """Say what is absent and what installs it.

    Raises
    ------
    MissingProgram
    """
    for kind, absent in (
        ("package", [p for p in packages if importlib.util.find_spec(p) is None]),
        ("program", [p for p in programs if shutil.which(p) is None]),
    ):
        if absent:
            raise MissingProgram(f"{', '.join(absent)}: not installed here; {INSTALL[kind]}")


def kept_structure(path: Path, frame: int = 0) -> Structure:
    """Atoms of a kept output or geometry; `info` holds what its comment line says.

    Parameters
    ----------
    path : Path
    frame : int
        Of an XYZ file.

    Returns
    -------
    Structure
    """
    if path.suffix == ".xyz":
        return xyz_frames(path, path.read_text(encoding="utf-8").split("\n"))[frame]
    return read_calculation(path, allow_unconverged=True).structure


def numbers(path: Path) -> np.ndarray:
    """The energies that a kept file holds: every frame, record, row.

    Parameters
    ----------
    path : Path
        .xyz, .json, .csv, or an output.

    Returns
    -------
    ndarray
        eV.
    """
    if path.suffix == ".xyz":
        frames = xyz_frames(path, path.read_text(encoding="utf-8").split("\n"))
        return np.array([float(frame.info["energy"]) for frame in frames])
    if path.suffix == ".json":
        return np.array(list(_energies(json.loads(path.read_text(encoding="utf-8")))))
    if path.suffix == ".csv":
        cells = [cell for row in csv.reader(path.read_text().splitlines()) for cell in row]
        return np.array([float(c) for c in cells if c.replace("-", "").replace(".", "").isdigit()])
    return np.array([read_calculation(path, allow_unconverged=True).energy_eV])


def _energies(found) -> Iterable[float]:
    for key, value in found.items() if isinstance(found, dict) else enumerate(found):
        if isinstance(value, (dict, list)):
            yield from _energies(value)
        elif str(key).endswith("_eV") and key != "highest_occupied_eV":
            yield float(value)


def run_all(
    jobs: Sequence[Job],
    kinds: Mapping[str, Callable[[Job, Path, Path], None]],
    say: Callable[[str], None] = print,
) -> list[str]:
    """Repeat what is kept and compare it, run and keep what is not; one that fails is named and
    the others go on. Returns the names that failed.

    A runner gets the job, the file to write and an empty scratch folder.

    Parameters
    ----------
    jobs : sequence of Job
    kinds : mapping
        By kind, what runs a job: called with the job, the file to write and an empty scratch
        folder.
    say : callable
        Gets one line a job.

    Returns
    -------
    list of str
        Names of those that failed.
    """
    failed = []
    for job in jobs:
        start = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="peled-") as scratch:
                target = Path(scratch) / f"made{job.path.suffix}"
                kinds[job.kind](job, target, Path(scratch))
                said = _compared(job, target) if job.kept else "kept now"
                if not job.kept:
                    files.write_atomically(job.path, target.read_text(encoding="utf-8"))
        except Exception as error:  # hours of other work must not end with one that fails
            failed.append(job.name)
            said = f"{type(error).__name__}: {error}"
        say(f"{job.name}: {said} ({(time.monotonic() - start) / 60:.1f} min)")
    return failed


def _compared(job: Job, made: Path) -> str:
    """What the repeat differs by from what is kept.

    Raises
    ------
    RuntimeError
        By more than `TOLERANCE_EV`.
    """
    mine, kept = numbers(made), numbers(job.path)
    off = np.abs(mine - kept).max() if mine.shape == kept.shape else np.inf
    if off > TOLERANCE_EV.get(job.kind, USUAL_EV):
        raise RuntimeError(f"expected the energies that are kept, found them off by {off:.2g} eV")
    return f"as kept, within {off:.1g} eV"
