"""Names, digests and whole writing of files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SHEETS = ("samples.csv", "samples.xlsx")
LAB = "lab.csv"
_NOT_DATA = {*SHEETS, LAB, "samples.proposed.csv", "about.yaml", "datapackage.json"}
_SYSTEM = {"thumbs.db", "desktop.ini"}


def may_be_data(name: str) -> bool:
    """Whether a file of this name may hold data: none that is hidden, the system's, a sheet or a
    word to the reader.

    Parameters
    ----------
    name : str
        Without the folder.

    Returns
    -------
    bool
    """
    hidden = name.startswith((".", "~")) or name.lower() in _SYSTEM
    return not (hidden or name in _NOT_DATA or name.lower().startswith("readme"))


class MissingDataError(FileNotFoundError):
    """A data file or folder that a notebook needs is not there."""


def display_path(path: str | os.PathLike) -> str:
    """`path` as a reader should see it: from the working folder when inside it, else its last two
    parts.

    Numbered folders, as those of Bruker experiments, say nothing without the one above. Keeps the
    folders of one machine out of messages and results.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        With `/` between the parts; numbered folders and `pdata` do not count as one of the two.
    """
    path = Path(path)
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        parts, count = path.parts, 2
        while count < len(parts) and re.fullmatch(r"\d+|pdata", parts[-count]):
            count += 1
        return "/".join(parts[-count:])


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's content.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A stream to a file beside `path` that is renamed into place at the end: readers see the old
    file or the new one, never a part.

    Parameters
    ----------
    path : path-like
        Its folder is made where there is none.

    Yields
    ------
    binary stream
        Open for writing.

    Raises
    ------
    OSError
        If the folder cannot be made or written; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise OSError(
            error.errno, f"cannot write {path.name} into {path.parent}: {error.strerror}"
        ) from error


def write_atomically(path: str | os.PathLike, content: str | bytes) -> Path:
    """Write `content` to `path`, whole or not at all (`writing`).

    Parameters
    ----------
    path : path-like
    content : str or bytes
        Text is written as UTF-8.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        As `writing`.
    """
    with writing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    return Path(path)


def to_json(value) -> str:
    """`value` as JSON text with sorted keys and one trailing newline: the same bytes for the same
    content.

    Parameters
    ----------
    value : dict, list, tuple, str, float, int, bool or None

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For NaN or infinity.
    TypeError
        For a value that JSON has no form for.
    """
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
