"""A calculation that can be asked for by name and is done once its file is kept."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from ledger import files

#: Where everything is kept, relative to the repository.
FOLDER = files.ROOT / "data" / "energetics"
#: What installs what a job may need.
INSTALL = {
    "program": "Quantum ESPRESSO 6.7 or newer (Debian: apt install quantum-espresso)",
    "package": "make energetics-env",
}


class MissingProgram(RuntimeError):
    """A program or package that a calculation needs is not installed."""


@dataclass(frozen=True)
class Job:
    """One calculation.

    Parameters
    ----------
    name : str
        Path of its main output under `data/energetics`, without suffix: `tight_binding/methylamine_on_slab-0.gfn2`.
    run : callable
        Takes an empty scratch folder; writes `outputs`, each atomically and the main one last.
    outputs : tuple of Path
        Files that exist once it is done.
    packages, programs : tuple of str
        Importable packages and executables it needs.
    after : tuple of str
        Names of jobs whose outputs it reads.
    minutes : float
        About how long it takes on one core.
    finished : callable, optional
        A further condition, for a job that improves files others wrote.
    """

    name: str
    run: Callable[[Path], None] = field(repr=False)
    outputs: tuple[Path, ...]
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    minutes: float = 1.0
    finished: Callable[[], bool] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether its files are there and, where that is not enough, `finished` says so."""
        return all(path.exists() for path in self.outputs) and (
            self.finished is None or self.finished()
        )


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
            raise MissingProgram(
                f"{', '.join(absent)}: not installed here; {INSTALL[kind]} installs what recomputing needs"
            )


def chosen(jobs: Sequence[Job], patterns: Sequence[str]) -> list[Job]:
    """The jobs whose names match any of `patterns`, in their order.

    Raises
    ------
    ValueError
        A pattern matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatch(job.name, pattern) for job in jobs):
            raise ValueError(
                f"no calculation is called {pattern}; python -m hassan2021.recompute lists them"
            )
    return [job for job in jobs if any(fnmatch(job.name, p) for p in patterns)]


def run_all(
    jobs: Sequence[Job], *, again: bool = False, say: Callable[[str], None] = print
) -> list[str]:
    """Run what is missing, one after the other; a job that fails is named and the others go on. Returns the names that failed."""
    failed = []
    for job in jobs:
        if job.done and not again:
            continue
        start = time.monotonic()
        try:
            require(job.packages, job.programs)
            claim = _claim(job)
            if claim is None:
                say(f"{job.name}: another process is at it")
                continue
            try:
                with tempfile.TemporaryDirectory(prefix="peled-") as scratch:
                    job.run(Path(scratch))
            finally:
                claim.unlink(missing_ok=True)
        except Exception as error:  # hours of other work must not end with one start that fails
            failed.append(job.name)
            say(f"{job.name}: {type(error).__name__}: {error}")
            continue
        say(f"{job.name}: done in {(time.monotonic() - start) / 60:.1f} min")
    return failed


def _claim(job: Job) -> Path | None:
    """A lock beside the scratch folders, so that two processes share the list; None when a living process holds it."""
    path = Path(tempfile.gettempdir()) / ("peled-" + job.name.replace("/", "-") + ".lock")
    try:
        if path.exists():
            os.kill(int(path.read_text() or 0), 0)
            return None
    except (ValueError, ProcessLookupError):
        path.unlink(missing_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return None
    with os.fdopen(handle, "w") as f:
        f.write(str(os.getpid()))
    return path
