"""What a notebook read and wrote last time, and whether that still holds."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from ledger import files
from ledger.run.quick import listing

BUILD = files.ROOT / "build"
LOCK = files.ROOT / "requirements.lock"


@dataclass
class Record:
    """The trace of one good run.

    Attributes
    ----------
    parameters : dict
        As given to the notebook.
    inputs, outputs : dict
        Path (relative to the repository root where inside it) to SHA-256.
    listings : dict
        Folders the notebook listed, with a digest of the names found there: a new data file counts
        as a change.
    absent : list
        Files looked for and not there: their appearance counts as a change.
    stats : dict
        Size, modification time and inode of every file when it was hashed; while they stand, it is
        not hashed again.
    seconds : float
        How long the run took; the longest notebooks start first.
    commit : str
        Of the repository at that time, with `+` where files under version control had been changed;
        empty where there is none.
    """

    parameters: dict
    inputs: dict[str, str]
    outputs: dict[str, str]
    listings: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    stats: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    commit: str = ""

    def save(self, path: Path) -> None:
        files.write_atomically(path, files.to_json(self.__dict__))


def load(path: Path) -> Record | None:
    """The record, None when there is none or it cannot be used."""
    try:
        record = Record(**json.loads(path.read_bytes()))
        maps = record.inputs, record.outputs, record.listings, record.stats, record.parameters
        return record if all(isinstance(found, dict) for found in maps) else None
    except (OSError, ValueError, TypeError):
        return None


def record_path(stem: str, figures_dir: Path) -> Path:
    """Where the record of a notebook is kept; another output folder has records of its own."""
    default = figures_dir == files.ROOT / "figures"
    return (
        BUILD
        / "records"
        / (
            f"{stem}.json"
            if default
            else f"{stem}-{hashlib.sha256(str(figures_dir).encode()).hexdigest()[:10]}.json"
        )
    )


def runs_after_all(notebook: Path) -> bool:
    """Whether the notebook's metadata say that it reads the results of all others. A file that is
    no notebook says nothing."""
    try:
        return (
            json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
            .get("peled", {})
            .get("after")
            == "all"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def key(path: Path) -> str:
    """How a path is written in a record."""
    try:
        return path.relative_to(files.ROOT).as_posix()
    except ValueError:
        return str(path)


def source_digest(notebook: dict) -> str:
    """SHA-256 over the code cells of a notebook; outputs, prose, ids and metadata aside."""
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def digest(path: Path) -> str:
    """What a file counts as: SHA-256 of its bytes, of a notebook's sources; empty where it is no
    file."""
    try:
        if path.suffix == ".ipynb":
            return source_digest(json.loads(path.read_bytes()))
        return files.sha256(path)
    except OSError:
        return ""
    except (ValueError, KeyError, TypeError):  # no notebook: its bytes
        return files.sha256(path)


def stat_of(path: Path) -> list[int]:
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def whats_changed(path: Path, parameters: dict) -> str:
    """Why a notebook must run, in a few words; empty when its record still holds.

    Content decides, not dates: a file with another date and the same content is noted as such and
    changes nothing.
    """
    record = load(path)
    if record is None:
        return "no record of a good run"
    if record.parameters != parameters:
        return "other parameters"
    reason, touched = moved(record)
    if touched and not reason:
        record.save(path)
    return reason


def moved(record: Record, *, outputs: bool = True) -> tuple[str, bool]:
    """What has moved since a record was made, in a few words (empty when nothing has), and whether
    dates alone did.

    `outputs=False` asks only whether what was read is still the same.
    """
    touched = False
    for kind, entries in (("input", record.inputs), ("output", record.outputs if outputs else {})):
        for name, kept in entries.items():
            file = files.ROOT / name
            try:
                now = stat_of(file)
            except OSError:
                return f"{kind} {name} is gone", touched
            if record.stats.get(name) != now:
                if digest(file) != kept:
                    return f"{kind} {name} has changed", touched
                record.stats[name] = now
                touched = True
    for name, kept in record.listings.items():
        if listing(files.ROOT / name) != kept:
            return f"files came or went in {name}", touched
    for name in record.absent:
        if (files.ROOT / name).exists():
            return f"{name} has appeared", touched
    return "", touched


def of_output(path: Path) -> Record | None:
    """The record of the run that wrote a file, None when no record names it with its present
    content."""
    name = key(path.resolve())
    for place in sorted((BUILD / "records").glob("*.json")):
        record = load(place)
        if record and name in record.outputs and record.outputs[name] == files.sha256(path):
            return record
    return None


def commit() -> str:
    """The checked-out commit, with `+` where tracked files have been changed; empty outside version
    control."""
    import subprocess

    try:
        said = [
            subprocess.run(
                ["git", "-C", str(files.ROOT), *arguments],
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            ).stdout.strip()
            for arguments in (
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return ""
    return said[0] + ("+" if said[1] else "")
