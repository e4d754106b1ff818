"""Readers of instrument files: a path in, labelled arrays in stated units out. They know no
analysis.

A reader looks at the content, not only at the suffix, and either returns everything the file holds
or raises `FormatError` with the file, the place, what was expected, what was found, and what to do.
One module a technique; `delimited` is the pattern for the others and reads most text exports.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from peled.formats.contract import FormatError, limits, require_file, unpacked

__all__ = [
    "FormatError",
    "limits",
    "read_bytes",
    "read_json",
    "read_text",
    "read_yaml",
    "reading_once",
]

_held: ContextVar[dict[str, bytes] | None] = ContextVar("held", default=None)


@contextlib.contextmanager
def reading_once() -> Iterator[None]:
    """Within it a file is opened once, however many readers look at it one after the other; of
    libraries that are handed a path each opens it itself.

    Yields
    ------
    None
    """
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


def read_bytes(path: str | os.PathLike, *, what: str = "a data file") -> bytes:
    """The content of a file, gzip or bzip2 taken off.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected of the file, for the messages.

    Returns
    -------
    bytes

    Raises
    ------
    FormatError
        No file, a folder, an empty or damaged file, or more than the limit when unpacked.
    """
    require_file(path, what)
    held = _held.get()
    held = {} if held is None else held
    try:
        content = held.get(os.fspath(path)) or Path(path).read_bytes()
    except OSError as error:
        raise FormatError(
            path,
            expected=what,
            found=f"a file that may not be read ({error.strerror})",
            advice="check its permissions",
        ) from None
    if not content:
        raise FormatError(path, expected=what, found="an empty file", advice="export it again")
    held[os.fspath(path)] = content
    return unpacked(path, content, what)


#: What a binary file is, by its first bytes, in place of a word on bytes.
_BINARY = {
    b"PK\x03\x04": "a zip archive or an Office file",
    b"\xd0\xcf\x11\xe0": "an old or an encrypted Office file",
    b"\x89HDF": "an HDF5 file (Velox .emd, NeXus)",
}


def read_text(path: str | os.PathLike, *, what: str = "a text file") -> str:
    """The whole text of a file, packed or not, in any common encoding, with plain newlines.

    UTF-8 or UTF-16 with or without a mark, else Windows-1252 or Latin-1.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected of the file, for the messages.

    Returns
    -------
    str

    Raises
    ------
    FormatError
        As `read_bytes`; with the byte, where the content is binary.
    """
    content = read_bytes(path, what=what)
    text = _decoded(content)
    if text is None:
        raise FormatError(
            path,
            expected=what,
            found=_BINARY.get(content[:4], "binary content"),
            place=f"byte {content.index(0)}",
            advice="export it as text",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes) -> str | None:
    """UTF-8 or UTF-16 with or without a mark, else Windows-1252 or Latin-1; None for what is no
    text.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    start = content[:4096]
    for name, zeros, others in (
        ("utf-16-le", start[1::2], start[::2]),
        ("utf-16-be", start[::2], start[1::2]),
    ):
        if zeros and zeros.count(0) > 0.9 * len(zeros) and 0 not in others:
            return content.decode(name, errors="replace")
    if 0 in start:  # Avantes pads a name to the end of its line with zeros
        content = re.sub(rb"(?<!\0)\0++(?=\r?\n)", b"", content)
        if 0 in content[:4096]:
            return None
    for name in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def read_yaml(path: str | os.PathLike, *, what: str = "a YAML file"):
    """The content of a YAML file of plain values.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected of the file, for the messages.

    Returns
    -------
    dict, list, str, float, int, bool or None

    Raises
    ------
    FormatError
        With the line: no YAML, an alias (with which a few lines unfold without end), brackets
        without end, or no file.
    """
    import yaml

    text = read_text(path, what=what)
    try:
        depth, said = 0, ""
        for event in yaml.parse(text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                said = f"an alias *{event.anchor}; write its value out"
            elif depth > 50:
                said = "lists in lists, more than 50 deep"
            if said:
                raise yaml.MarkedYAMLError(problem=said, problem_mark=event.start_mark)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise FormatError(
            path,
            place=f"line {mark.line + 1}" if mark else "",
            expected=what,
            found=str(getattr(error, "problem", None) or error)[:120],
        ) from None
    except (ValueError, RecursionError) as error:  # a date that is none; brackets without end
        raise FormatError(path, expected=what, found=str(error)[:120]) from None


def read_json(path: str | os.PathLike, *, what: str = "a JSON file"):
    """The content of a JSON file, whose numbers are finite.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected of the file, for the messages.

    Returns
    -------
    dict, list, str, float, int, bool or None

    Raises
    ------
    FormatError
        With the line: no JSON, NaN or infinity, brackets without end, or no file.
    """

    def refuse(word: str):
        raise FormatError(path, expected="finite numbers", found=word, advice="write null")

    try:
        return json.loads(read_text(path, what=what), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise FormatError(
            path,
            place=f"line {error.lineno}",
            expected=what,
            found=error.msg,
            advice="the file may have been cut short; copy it again",
        ) from None
    except RecursionError as error:
        raise FormatError(path, expected=what, found=str(error)) from None
