"""Where things are in the repository; paths in notebooks count from its root, wherever they run."""

from __future__ import annotations

import os
from pathlib import Path

from peled.files import MissingDataError, sha256, to_json, write_atomically

__all__ = [
    "ROOT",
    "MissingDataError",
    "display_path",
    "resolve",
    "sha256",
    "to_json",
    "topic_folder",
    "write_atomically",
]

ROOT = Path(__file__).resolve().parents[2]


def resolve(path: str | os.PathLike) -> Path:
    """The absolute form of `path`, taken from the repository root when it is relative."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


def display_path(path: str | os.PathLike) -> str:
    """`path` as a reader should see it: relative to the repository when inside it, else its last
    two parts.

    Keeps the folders of one machine out of notebooks, sidecars and results.
    """
    path = Path(path)
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return "/".join(path.parts[-2:])


def topic_folder(data_dir: str | os.PathLike, topic: str) -> Path:
    """The folder that holds a topic's files: `data_dir/topic` when it exists, else `data_dir`
    itself.

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
        f"data_dir: expected a folder with {topic} files, found nothing at {data_dir!s}; "
        "give an existing folder, absolute or relative to the repository root"
    )
