"""Varian and Agilent folders."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import reader
from peled.formats.delimited import parse_number
from peled.formats.nmr.records import Fid, need

#: How far the frequency of 0 ppm may be from the carrier, of it.
FARTHEST = 2e-3


@reader("a Varian folder (procpar and fid)", folder=True)
def read_varian(path: str | os.PathLike) -> Fid:
    """Read a Varian/Agilent folder (`procpar` and `fid`).

    The imaginary part is negated to the convention of this module; the reference is `reffrq`, else
    `rfl` and `rfp`.

    Parameters
    ----------
    path : path-like
        Folder with `fid` and `procpar`.

    Returns
    -------
    Fid

    Raises
    ------
    FormatError
        For a missing or truncated file, or a missing parameter.

    References
    ----------
    .. [1] J. J. Helmus and C. P. Jaroniec, J. Biomol. NMR 55, 355 (2013),
           doi:10.1007/s10858-013-9718-x
    """
    path = Path(path)
    procpar, data = _by_nmrglue(path)
    parameters = {
        name: (entry["values"][0] if len(entry["values"]) == 1 else entry["values"])
        for name, entry in procpar.items()
        if entry.get("values")
    }
    number, text = partial(_number, parameters), partial(_text, parameters)
    needed = {"sw": number("sw"), "sfrq": number("sfrq")}
    width, carrier = (need(needed, path / "procpar", name, positive=True) for name in needed)
    rfl, rfp = number("rfl"), number("rfp")
    # A line's place from the right edge, and its own frequency.
    by_line = None if None in (rfl, rfp) else carrier - (width / 2 - rfl + rfp) * 1e-6
    known = [f for f in (number("reffrq"), by_line) if f and abs(f / carrier - 1) < FARTHEST]
    reference, notes = known[0] if known else carrier, ()
    if not known:
        notes = (
            "no reference near the carrier (reffrq, or rfl and rfp): the carrier is taken as 0 ppm",
        )
    element = re.fullmatch(r"([A-Za-z]+)(\d+)", text("tn"))
    data = np.conj(np.atleast_2d(np.asarray(data, complex)))[:, int(number("lsfid") or 0) :]
    delays = _delays(procpar.get(text("array"), {}), len(data))
    return Fid(
        path,
        data,
        width,
        carrier,
        reference,
        f"{element[2]}{element[1].capitalize()}" if element else text("tn"),
        0.0,
        delays,
        number("srate") or None,
        text("solvent"),
        text("comment"),
        int(number("ct") or number("nt") or 1),
        parameters,
        notes,
        not notes,
    )


#: What a parameter is, by its kind in `procpar`: delays in s, pulses in µs; and those of series of
#: echoes, which are plain numbers there.
_SECONDS, _ECHOES = {"3": 1.0, "6": 1e-6}, ("bigtau", "bt")


def _delays(varied: dict, count: int) -> np.ndarray | None:
    """Times that an experiment varies, s; None where it varies transients, powers, gradients."""
    values = varied.get("values", ())
    unit = 1.0 if varied.get("name") in _ECHOES else _SECONDS.get(varied.get("subtype", ""))
    return unit * np.array(values, float) if unit and len(values) == count > 1 else None


def _by_nmrglue(path: Path) -> tuple[dict, np.ndarray]:
    """Parameters and data, once both files are there and whole."""
    import nmrglue

    for name in ("procpar", "fid"):
        read_bytes(path / name, what=f"the Varian file {name}")
    try:
        procpar = nmrglue.varian.read_procpar(str(path / "procpar"))
    except Exception as error:  # nmrglue raises whatever its parsing stumbles on
        raise FormatError(
            path / "procpar",
            expected="Varian parameters",
            found=f"text that cannot be parsed ({error})",
        ) from None
    _require_whole(path / "fid")
    try:
        _, data = nmrglue.varian.read_fid(str(path / "fid"), as_2d=True)
    except Exception as error:
        raise FormatError(
            path / "fid", expected="Varian raw data", found=f"data that cannot be read ({error})"
        ) from None
    return procpar, data


def _require_whole(path: Path) -> None:
    """nmrglue believes the counts of the header: what they promise has to be there."""
    start = path.read_bytes()[:32].ljust(32, b"\0")
    head = [int(n) for n in np.frombuffer(start, ">i4", 6)]
    headers = int(np.frombuffer(start, ">i4", 1, 28)[0])
    block = head[1] * head[2] * head[3] + 28 * headers
    if min(head) <= 0 or head[3] not in (2, 4) or not 0 < headers < 10 or block != head[5]:
        raise FormatError(
            path,
            place="byte 0",
            expected="a Varian file header (blocks, traces, points, bytes a point, a trace, a "
            "block)",
            found=f"{head}, {headers} block headers",
            advice="wrong byte order or another format",
        )
    expected, actual = 32 + head[0] * head[5], path.stat().st_size
    if actual < expected:
        raise FormatError(
            path,
            place=f"byte {actual}",
            expected=f"{expected} bytes in {head[0]} blocks",
            found=f"{actual} bytes",
            advice="the file is truncated: copy it again",
        )


def _first(parameters: dict, name: str):
    value = parameters.get(name, "")
    return value[0] if isinstance(value, list) else value


def _number(parameters: dict, name: str) -> float | None:
    return parse_number(str(_first(parameters, name)))


def _text(parameters: dict, name: str) -> str:
    return str(_first(parameters, name))
