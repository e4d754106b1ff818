"""Readers of instrument files: a path in, labelled arrays in stated units out. They know no
analysis.

A reader looks at the content, not only at the suffix, and either returns everything the file holds
or raises `FormatError` with the file, the place, what was expected, what was found, and what to do.
One module a technique; `delimited` is the pattern for the others and reads most text exports.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from peled.files import display_path


class FormatError(ValueError):
    """A file that cannot be used, said so that its owner can mend it.

    Parameters
    ----------
    path : path-like
        The file.
    expected, found : str
        What the reader needed at that place, and what stands there.
    place : str, optional
        Where: "line 12", "byte 348", "parameter SW_h", "column 3".
    advice : str, optional
        What to do about it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        expected: str,
        found: str,
        place: str = "",
        advice: str = "",
    ):
        self.path, self.place, self.expected, self.found, self.advice = (
            Path(path),
            place,
            expected,
            found,
            advice,
        )
        where = f"{display_path(path)}, {place}" if place else display_path(path)
        super().__init__(
            f"{where}: expected {expected}, found {found}" + (f"; {advice}" if advice else "")
        )

    def __reduce__(self):
        return _rebuild, (self.path, self.expected, self.found, self.place, self.advice)


def _rebuild(path, expected, found, place, advice):
    return FormatError(path, expected=expected, found=found, place=place, advice=advice)


def read_bytes(path: str | os.PathLike, *, what: str = "a data file") -> bytes:
    """The whole content of a file, refusing with `FormatError` what is missing, a folder, or empty."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FormatError(
            path, expected=what, found="no such file", advice="check data_dir and the file's name"
        ) from None
    except IsADirectoryError:
        raise FormatError(path, expected=what, found="a folder") from None
    except PermissionError:
        raise FormatError(
            path, expected=what, found="a file that may not be read", advice="check its permissions"
        ) from None
    if not content:
        raise FormatError(path, expected=what, found="an empty file", advice="export it again")
    return content


_LARGEST_TEXT = 512 * 2**20  # bytes; a small gzip can unfold to more than the memory


def _unzipped(path: str | os.PathLike, content: bytes, what: str) -> bytes:
    try:
        unfolder = zlib.decompressobj(wbits=31)
        text = unfolder.decompress(content, _LARGEST_TEXT)
        if unfolder.unconsumed_tail:
            raise FormatError(
                path,
                expected=f"{what} of at most {_LARGEST_TEXT >> 20} MB",
                found="more when unzipped",
            )
        if not unfolder.eof:
            raise FormatError(
                path,
                expected=what,
                found="a gzip file that breaks off",
                place=f"byte {len(content)}",
                advice="copy it again",
            )
        return text if not unfolder.unused_data else gzip.decompress(content)
    except (zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise FormatError(
            path, expected=what, found=f"a damaged gzip file ({error})", advice="copy it again"
        ) from None


def read_text(path: str | os.PathLike, *, what: str = "a text file") -> str:
    """The whole text of a file, gzipped or not: in any common encoding, with plain newlines."""
    content = read_bytes(path, what=what)
    if content[:2] == b"\x1f\x8b":
        content = _unzipped(path, content, what)
    text = _decoded(content)
    if text is None:
        raise FormatError(
            path,
            expected=what,
            found="binary content",
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
    if 0 in start:
        return None
    for name in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
