"""NMRPipe files of one dimension, decays and spectra, through nmrglue."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import reader
from peled.formats.nmr.records import XI, Fid, Spectrum

#: Third number of the header of every NMRPipe file, in either byte order.
_ORDER = 2.345
_HEADER = 2048  #: bytes


def is_pipe(head: bytes) -> bool:
    """Whether a file begins as an NMRPipe file does.

    Parameters
    ----------
    head : bytes
        The first of the file.

    Returns
    -------
    bool
    """
    if len(head) < 12:
        return False
    return any(abs(np.frombuffer(head, f"{o}f4", 3)[2] - _ORDER) < 1e-6 for o in "<>")


@reader("an NMRPipe file")
def read_pipe(path: str | os.PathLike) -> Fid | Spectrum:
    """Read an NMRPipe file of one dimension.

    A decay keeps the delay of its digital filter where the header says one (FDDMXVAL). The axis is
    that of the header: FDF2ORIG, the frequency of the last point, and FDF2OBS at 0 ppm.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Fid or Spectrum

    Raises
    ------
    FormatError
        For another format, more than one dimension, fewer points than the header says, or a
        header without sweep width or frequency.

    References
    ----------
    .. [1] F. Delaglio et al., J. Biomol. NMR 6, 277 (1995), doi:10.1007/BF00197809
    """
    import nmrglue

    path = Path(path)
    data = read_bytes(path, what="an NMRPipe file")
    if not is_pipe(data):
        raise FormatError(path, expected="an NMRPipe header", found="another format")
    if len(data) < _HEADER:
        raise FormatError(
            path, place=f"byte {len(data)}", expected=f"a header of {_HEADER} bytes",
            found=f"{len(data)} bytes", advice="the file is truncated: copy it again",
        )  # fmt: skip
    order = "<" if abs(np.frombuffer(data, "<f4", 3)[2] - _ORDER) < 1e-6 else ">"
    head = nmrglue.pipe.fdata2dic(np.frombuffer(data[:_HEADER], f"{order}f4").astype("f4"))
    if int(head["FDDIMCOUNT"]) != 1:
        raise FormatError(
            path, expected="one dimension", found=f"{head['FDDIMCOUNT']:g}",
            advice="extract a trace",
        )  # fmt: skip
    width, at_zero, count = (float(head[f"FD{n}"]) for n in ("F2SW", "F2OBS", "SIZE"))
    if not (width > 0 and at_zero > 0 and count > 1):
        found = f"{width:g} Hz, {at_zero:g} MHz, {count:g} points"
        raise FormatError(path, expected="sweep width, frequency and points", found=found)
    points = np.frombuffer(data[_HEADER : _HEADER + (len(data) - _HEADER) // 4 * 4], f"{order}f4")
    halves = 2 if int(head["FDQUADFLAG"]) == 0 else 1
    count = int(count)
    if len(points) != halves * count:
        raise FormatError(
            path, expected=f"{halves * count} numbers after the header", found=str(len(points)),
            advice="the file is truncated: copy it again",
        )  # fmt: skip
    real = points[:count].astype(float)
    imaginary = points[count:].astype(float) if halves == 2 else None
    label = str(head["FDF2LABEL"]).strip()
    nucleus = label if label in XI else ""
    if not int(head["FDF2FTFLAG"]):
        if imaginary is None:
            raise FormatError(path, expected="complex points of a decay", found="real ones")
        # The last point of a spectrum is the lowest frequency; zero is the one after the middle.
        carrier = float(head["FDF2ORIG"]) + width / 2 - width / count
        delay = float(head["FDDMXVAL"]) if int(head["FDDMXFLAG"]) != 1 else 0.0
        return Fid(
            path, (real + 1j * imaginary)[None], width, at_zero + carrier * 1e-6, at_zero,
            nucleus, max(delay, 0.0), parameters=head,
        )  # fmt: skip
    shift = (float(head["FDF2ORIG"]) + width * np.arange(count) / count) / at_zero
    turned = None if imaginary is None else imaginary[::-1]
    return Spectrum(path, shift, real[::-1], at_zero, nucleus, turned, parameters=head)
