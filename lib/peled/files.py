"""Where things are, and writing them whole or not at all.

Paths in the notebooks are relative to the repository root, wherever the notebook was started from.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class MissingDataError(FileNotFoundError):
    """A data file or folder that a notebook needs is not there."""


def resolve(path: str | os.PathLike) -> Path:
    """The absolute form of `path`, taken from the repository root when it is relative."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


def display_path(path: str | os.PathLike) -> str:
    """`path` as a reader should see it: relative to the repository when inside it, else its last two parts.

    Keeps the folders of one machine out of notebooks, sidecars and results.
    """
    path = Path(path)
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return "/".join(path.parts[-2:])


def topic_folder(data_dir: str | os.PathLike, topic: str) -> Path:
    """The folder that holds a topic's files: `data_dir/topic` when it exists, else `data_dir` itself.

    So one `data_dir` serves all notebooks, and a plain folder of files serves one.

    Raises
    ------
    MissingDataError
        If `data_dir` is not a folder.
    """
    folder = resolve(data_dir)
    if (folder / topic).is_dir():
        return folder / topic
    if folder.is_dir():
        return folder
    raise MissingDataError(
        f"data_dir: expected a folder with {topic} files, found nothing at {data_dir!s}; give an existing folder, absolute or relative to the repository root"
    )


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: str | os.PathLike, content: str | bytes) -> Path:
    """Write `content` beside `path` and rename it into place: readers see the old file or the new one, never a part.

    Raises
    ------
    OSError
        If the folder cannot be made or written; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(
            error.errno, f"cannot write {path.name} into {path.parent}: {error.strerror}"
        ) from error
    return path


def to_json(value) -> str:
    """`value` as JSON text with sorted keys and one trailing newline: the same bytes for the same content."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
