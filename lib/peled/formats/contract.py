"""What every reader promises: the whole content in stated units, or `FormatError`.

A public reader is marked with `reader`, which enters it into `READERS` and stands between it and
its caller:

* whatever a parser or library raises on a damaged file leaves as `FormatError`, with the line
  where the text that could not be used stands in one line of the file only;
* a folder or nothing in place of a file is refused before anything is opened;
* a number that is not finite is refused, unless the format has a word for "missing" and the reader
  names the field that then holds NaN (its mask). Infinity is never a value.

Budgets come before allocation. `allow` is asked before memory is taken for what a header promises;
`unpacked`, `archive`, `arrays` and `sheets` unfold compressed content within `limits`. The rule is
one: a file may ask for as much memory as it has bytes itself, or for the limit, whichever is more.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import logging
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np

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


# ---- budgets -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a file may ask for: bytes when unpacked, and cells of all sheets of a workbook."""

    unpacked: int = 64 * 2**20
    cells: int = 2_000_000


_DEFAULT = Limits()
_LIMITS: ContextVar[Limits] = ContextVar("limits", default=_DEFAULT)
_WIDEST_GAP = 10_000  # rows without a cell between two with
_RAISE = "if the file is what it should be, read it within peled.formats.limits({}=...)"


@contextlib.contextmanager
def limits(**changed: int) -> Iterator[Limits]:
    """Other limits for the readers called within.

    Parameters
    ----------
    **changed : int
        Fields of `Limits`.

    Yields
    ------
    Limits

    Examples
    --------
    >>> with limits(unpacked=2**30) as now:
    ...     now.unpacked >> 20
    1024
    """
    token = _LIMITS.set(dataclasses.replace(_LIMITS.get(), **changed))
    try:
        yield _LIMITS.get()
    finally:
        _LIMITS.reset(token)


def allow(path: str | os.PathLike, size: int, what: str, *, place: str = "") -> int:
    """The bytes that a header asks for, if they are within the limit or what the file holds itself.

    Parameters
    ----------
    path : path-like
    size : int
    what, place : str
        What they are for, and where the header is, for the message.

    Returns
    -------
    int
        `size`.

    Raises
    ------
    FormatError
        If they are not, or negative.
    """
    most = max(_LIMITS.get().unpacked, os.path.getsize(path))
    if not 0 <= size <= most:
        raise FormatError(
            path,
            place=place,
            expected=f"{what} of at most {most / 2**20:.0f} MB",
            found="a negative size" if size < 0 else f"{size / 2**20:.4g} MB",
            advice="the header is damaged; " + _RAISE.format("unpacked"),
        )
    return size


def unpacked(path: str | os.PathLike, content: bytes, what: str) -> bytes:
    """Content with gzip (all members) or bzip2 taken off, within the limit; anything else as it is.

    Parameters
    ----------
    path : path-like
        For the message.
    content : bytes
    what : str
        What was expected of the file.

    Returns
    -------
    bytes

    Raises
    ------
    FormatError
        Damaged, cut off, or larger than the limit.
    """
    if content[:3] == b"\x1f\x8b\x08":
        name, make = "gzip", functools.partial(zlib.decompressobj, wbits=31)
    elif content[:3] == b"BZh" and content[4:10] == b"1AY&SY":
        name, make = "bzip2", bz2.BZ2Decompressor
    else:
        return content
    left, parts = _LIMITS.get().unpacked, []
    try:
        while content.rstrip(b"\0"):  # members follow each other; tapes pad with zeros
            stream = make()
            parts.append(stream.decompress(content, left + 1))
            left -= len(parts[-1])
            if left < 0:
                raise FormatError(
                    path,
                    expected=f"{what} of at most {_LIMITS.get().unpacked >> 20} MB",
                    found="more when unpacked",
                    advice=_RAISE.format("unpacked"),
                )
            if not stream.eof:
                raise EOFError("it breaks off")
            content = stream.unused_data
    except (zlib.error, OSError, EOFError) as error:
        raise FormatError(
            path,
            expected=what,
            found=f"a damaged {name} file ({error})",
            advice="copy it again",
        ) from None
    return b"".join(parts)


class Archive:
    """The members of a zip archive whose directory has been held against the limit; never unpacks
    to disk."""

    def __init__(self, path: Path, stream: zipfile.ZipFile, what: str):
        self.path, self._stream, self._what = path, stream, what

    @property
    def names(self) -> list[str]:
        """Names of the members, folders left out."""
        return [name for name in self._stream.namelist() if not name.endswith("/")]

    def read(self, name: str) -> bytes:
        """One member.

        Parameters
        ----------
        name : str
            One of `names`.

        Returns
        -------
        bytes
            Unpacked.

        Raises
        ------
        FormatError
            Not there, encrypted, damaged, or compressed in a way that Python does not know.
        """
        try:
            return self._stream.read(name)
        except (
            KeyError,
            RuntimeError,
            NotImplementedError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            raise self._refused(name, error) from None
        except (zipfile.BadZipFile, zlib.error) as error:
            raise self._refused(name, error) from None

    def _refused(self, name: str, error: Exception) -> FormatError:
        encrypted = isinstance(error, RuntimeError) and "password" in str(error)
        found = "an encrypted one" if encrypted else f"one that does not open ({error})"
        return FormatError(
            self.path,
            place=f"member {name}",
            expected=f"a whole member of {self._what}",
            found=found,
            advice="save it without a password" if encrypted else "copy or export the file again",
        )


@contextlib.contextmanager
def archive(path: str | os.PathLike, what: str) -> Iterator[Archive]:
    """Open a zip archive, of which no more is unpacked than its directory says, which is limited.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected of the file, for the messages.

    Yields
    ------
    Archive

    Raises
    ------
    FormatError
        No zip archive, or more than the limit when unpacked.
    """
    path = Path(path)
    try:
        stream = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise FormatError(
            path,
            expected=what,
            found=f"a damaged zip archive ({error})",
            advice="copy or export it again",
        ) from None
    with stream:
        allow(path, sum(member.file_size for member in stream.infolist()), f"{what}, unpacked,")
        yield Archive(path, stream, what)


def sheets(path: str | os.PathLike) -> list[tuple[str, list[tuple]]]:
    """Name and rows of each sheet of an Excel workbook, values as calculated, rows of one width.

    Rows are streamed, so that a stray cell far out costs no rectangle: where one of all rows would
    be more than the limit, each is as wide as its last filled cell.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of (str, list of tuple)

    Raises
    ------
    FormatError
        No workbook, encrypted, damaged, or more cells than the limit.
    """
    import openpyxl

    what, found, left = "an Excel workbook (.xlsx)", [], _LIMITS.get().cells
    with archive(path, what) as members:
        for name in members.names:  # each holds what its check sum says
            members.read(name)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with contextlib.closing(book):
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what the file says of its extent need not be so
                rows: list[tuple] = []
                for number, row in enumerate(sheet.iter_rows(values_only=True)):
                    if not (row := _trimmed(row)):
                        continue
                    left -= len(row)
                    if left < 0 or number - len(rows) > _WIDEST_GAP:
                        raise FormatError(
                            path,
                            place=f"sheet {sheet.title!r}, row {number + 1}",
                            expected=f"at most {_LIMITS.get().cells} cells, close together",
                            found="more" if left < 0 else f"nothing since row {len(rows)}",
                            advice="delete stray cells and unused sheets; "
                            + _RAISE.format("cells"),
                        )
                    rows += [()] * (number - len(rows)) + [row]
                width = max(map(len, rows), default=0)
                if width * len(rows) <= _LIMITS.get().cells:
                    rows = [row + (None,) * (width - len(row)) for row in rows]
                found.append((sheet.title, rows))
    except FormatError:
        raise
    except Exception as error:  # whatever the damaged XML leads openpyxl to
        raise FormatError(
            path,
            expected=what,
            found=f"one that does not open ({_said(error)})",
            advice="save it again as .xlsx or .csv",
        ) from None
    return found


def _trimmed(row) -> tuple:
    row = tuple(row)
    stop = len(row)
    while stop and row[stop - 1] is None:
        stop -= 1
    return row[:stop]


def arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """All arrays of a NumPy archive (.npz), each as large as its member and not as its header says.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to array

    Raises
    ------
    FormatError
        No archive, damaged, too large, or arrays of Python objects, which would be pickled.
    """
    what, found = "a NumPy archive (.npz)", {}
    with archive(path, what) as members:
        for name in members.names:
            content = members.read(name)
            stream = io.BytesIO(content)
            try:
                version = np.lib.format.read_magic(stream)
                read_header = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape, _, dtype = read_header(stream)
                held = len(content) - stream.tell()
                if dtype.hasobject:
                    raise ValueError("pickled Python objects")
                promised = dtype.itemsize * int(np.prod(shape, dtype=object))
                if min(shape, default=0) < 0 or promised != held:
                    raise ValueError(f"{shape} of {dtype} in {held} bytes")
                stream.seek(0)
                found[name.removesuffix(".npy")] = np.lib.format.read_array(
                    stream, allow_pickle=False
                )
            except Exception as error:  # the header is a Python literal, which fails in many ways
                raise FormatError(
                    path,
                    place=f"member {name}",
                    expected="an array of numbers or text",
                    found=f"what NumPy cannot read ({_said(error)})",
                    advice="save it again with numpy.savez",
                ) from None
    return found


def rosettasciio(name: str) -> ModuleType:
    """The module of rosettasciio that reads a format; of what it has to say, errors alone.

    Parameters
    ----------
    name : str
        Such as `emd`.

    Returns
    -------
    module
    """
    found = importlib.import_module(f"rsciio.{name}")
    logging.getLogger("rsciio").setLevel(logging.ERROR)  # which its import lowers
    return found


def xml_root(path: str | os.PathLike, content: str | bytes, what: str) -> ElementTree.Element:
    """The root of an XML text without entities, with which a few lines unfold without end.

    Parameters
    ----------
    path : path-like
        For the message.
    content : str or bytes
    what : str
        What was expected of the file.

    Returns
    -------
    xml.etree.ElementTree.Element

    Raises
    ------
    FormatError
        With the line: damaged, cut, or with entities of its own.
    """
    if "<!ENTITY" in content if isinstance(content, str) else b"<!ENTITY" in content:
        raise FormatError(
            path,
            expected=what,
            found="XML entities, which are not expanded here",
            advice="export it again",
        )
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise FormatError(
            path,
            place=f"line {error.position[0]}",
            expected=what,
            found=str(error),
            advice="the file is damaged or cut; export it again",
        ) from None


class Bytes:
    """A binary file, read from `at` on; what would run over its end is refused with the byte.

    Parameters
    ----------
    order : "<" or ">"
        Little or big endian.
    """

    def __init__(self, path: Path, content: bytes, order: str):
        self.path, self.content, self.order, self.at = path, content, order, 0

    def refuse(self, place: int, expected: str, found: str, advice: str = "") -> FormatError:
        """A FormatError at a byte.

        Parameters
        ----------
        place : int
            Byte (from 0).
        expected, found : str
        advice : str
            By default to copy or export the file again.

        Returns
        -------
        FormatError
            For the caller to raise.
        """
        advice = advice or "the file is cut or damaged: copy or export it again"
        where = f"byte {place}"
        return FormatError(self.path, place=where, expected=expected, found=found, advice=advice)

    def take(self, count: int, what: str, at: int | None = None) -> bytes:
        """The next bytes; the place moves behind them.

        Parameters
        ----------
        count : int
            Number of bytes.
        what : str
            What they are, for the message.
        at : int, optional
            Byte (from 0) from which to take them; by default the place reached.

        Returns
        -------
        bytes

        Raises
        ------
        FormatError
            If the file ends before.
        """
        at = self.at if at is None else at
        if count < 0 or at < 0 or at + count > len(self.content):
            found = f"{max(len(self.content) - at, 0)} bytes to the end of the file"
            raise self.refuse(at, f"{what} ({count} bytes)", found)
        self.at = at + count
        return self.content[at : self.at]

    def get(self, code: str, what: str, at: int | None = None):
        """One value, or a tuple of several, by the letters of `struct`.

        Parameters
        ----------
        code : str
            Letters of `struct`, without the byte order.
        what : str
            What they are, for the message.
        at : int, optional
            Byte (from 0); by default the place reached.

        Returns
        -------
        int, float, bytes or tuple

        Raises
        ------
        FormatError
            If the file ends before.
        """
        code = self.order + code
        values = struct.unpack(code, self.take(struct.calcsize(code), what, at))
        return values[0] if len(values) == 1 else values

    def values(self, code: str, count: int, what: str, at: int | None = None) -> np.ndarray:
        """Many values of one kind.

        Parameters
        ----------
        code : str
            Letter of a NumPy type (`f4`, `u2`), without the byte order.
        count : int
        what : str
            What they are, for the message.
        at : int, optional
            Byte (from 0); by default the place reached.

        Returns
        -------
        (count,) float array

        Raises
        ------
        FormatError
            If the file ends before.
        """
        dtype = np.dtype(self.order + code)
        return np.frombuffer(self.take(dtype.itemsize * count, what, at), dtype).astype(float)


# ---- the wrapper ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Reader:
    """One public reader: its function, what it expects, whether a folder will do, the fields that
    may hold NaN."""

    function: Callable
    what: str
    folder: bool
    missing: tuple[str, ...]


#: No instrument writes more, and squares and products of what lies between are numbers.
LARGEST, SMALLEST = 1e60, 1e-60

#: All readers by `module.function` (the part after `peled.`), as `reader` has marked them.
READERS: dict[str, Reader] = {}


def reader(what: str, *, folder: bool = False, missing: tuple[str, ...] = ()) -> Callable:
    """Mark a function whose first argument is a path as a public reader, and hold it to the
    contract of this module.

    Parameters
    ----------
    what : str
        What it expects, as errors shall say it: "a VAMAS file".
    folder : bool
        Whether the path may be a folder.
    missing : tuple of str
        Names of the result's fields in which NaN stands for what the file itself calls missing.

    Returns
    -------
    callable
        The decorator.

    Raises
    ------
    FormatError
        From the marked function, for whatever is wrong with the file. A call with wrong arguments
        stays a `TypeError`.
    """

    def mark(function: Callable) -> Callable:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def read(*arguments, **settings):
            path = next(iter(signature.bind(*arguments, **settings).arguments.values()))
            require_file(path, what, folder)
            try:
                found = function(*arguments, **settings)
            except FormatError:
                raise
            except Exception as error:
                if str(error).partition(":")[0] in signature.parameters:
                    raise  # it speaks of the call, not of the file
                raise FormatError(
                    path,
                    place=_place(path, error),
                    expected=what,
                    found=f"what cannot be read ({_said(error)})",
                    advice="the file is damaged, or of a dialect that is not known here; export it "
                    "again, or send it with its row of the sample sheet",
                ) from error
            # Of a folder nothing here knows which file held a size that cannot be.
            sizes = (0.0, np.inf) if os.path.isdir(path) else (SMALLEST, LARGEST)
            if bad := _not_finite(found, missing, sizes):
                raise FormatError(
                    path,
                    place=bad[0],
                    expected=f"finite numbers from {SMALLEST:.0e} to {LARGEST:.0e}",
                    found=bad[1],
                    advice="mend the values or their unit; where there are none, "
                    + ("leave cells empty" if missing else "leave out the row of the table"),
                )
            return found

        name = f"{function.__module__}.{function.__qualname__}".removeprefix("peled.")
        READERS[name] = Reader(read, what, folder, missing)
        return read

    return mark


def require_file(path: str | os.PathLike, what: str, folder: bool = False) -> None:
    """Refuse what is not there, a folder unless it will do, and what is no file at all.

    Parameters
    ----------
    path : path-like
    what : str
        What was expected, for the message.
    folder : bool
        Whether a folder will do.

    Raises
    ------
    FormatError
    """
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        missing = isinstance(error, FileNotFoundError)
        raise FormatError(
            path,
            expected=what,
            found="no such file" if missing else _said(error),
            advice="check data_dir and the file's name",
        ) from None
    if stat.S_ISDIR(kind) and not folder:
        raise FormatError(path, expected=what, found="a folder", advice="name the file in it")
    if not stat.S_ISDIR(kind) and not stat.S_ISREG(kind):
        raise FormatError(path, expected=what, found="a device or pipe, not a file")


def _said(error: Exception) -> str:
    """An exception in a few words, without the folders of this machine."""
    text = isinstance(error, OSError) and error.strerror
    text = text if isinstance(text, str) and text else str(error)  # libraries put numbers there
    return f"{type(error).__name__}: {' '.join(text.split())[:120]}".rstrip(": ")


def _place(path: str | os.PathLike, error: Exception) -> str:
    """Where it went wrong, if the exception knows, or quotes a text that only one line of the file
    holds."""
    if position := getattr(error, "position", None):  # XML
        return f"line {position[0]}"
    if isinstance(line := getattr(error, "lineno", None), int):  # JSON
        return f"line {line}"
    if mark := getattr(error, "problem_mark", None):  # YAML
        return f"line {mark.line + 1}"
    quoted = re.search(r"'([^'\n]{2,60})'", str(error))
    if not quoted or not os.path.isfile(path) or os.path.getsize(path) > _LIMITS.get().unpacked:
        return ""
    lines = Path(path).read_bytes().split(b"\n")
    hits = [i for i, line in enumerate(lines, 1) if quoted[1].encode() in line]
    return f"line {hits[0]}" if len(hits) == 1 else ""


def _not_finite(
    found,
    missing: tuple[str, ...],
    sizes: tuple[float, float],
    name: str = "",
    allowed: bool = False,
) -> tuple[str, str] | None:
    """Name and content of the first values that are not finite or too large, or all too small."""
    if isinstance(found, (float, complex, np.floating, np.complexfloating, np.ndarray)):
        values = np.asarray(found)
        if values.dtype.kind not in "fc":
            return None
        size = np.abs(values)
        finite = np.isfinite(size)
        largest = float(np.max(size, where=finite, initial=0.0))
        if largest > sizes[1] or 0 < largest < sizes[0]:
            return name or "value", f"{largest:.2g} as the largest"
        bad = np.isinf(values) if allowed else ~finite
        return (name or "value", "one that is infinite or not a number") if bad.any() else None
    if dataclasses.is_dataclass(found):
        parts = ((f.name, getattr(found, f.name)) for f in dataclasses.fields(found))
    elif isinstance(found, Mapping):
        parts = ((str(key), value) for key, value in found.items())
    elif isinstance(found, (list, tuple)):
        parts = ((name, value) for value in found if not isinstance(value, (int, str)))
    else:
        return None
    return next(
        (
            bad
            for key, value in parts
            if (bad := _not_finite(value, missing, sizes, key, allowed or key in missing))
        ),
        None,
    )
