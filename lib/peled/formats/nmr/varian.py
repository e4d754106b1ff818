"""Varian and Agilent folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import reader
from peled.formats.nmr.records import Fid


@reader("a Varian folder (procpar and fid)", folder=True)
def read_varian(path: str | os.PathLike) -> Fid:
    """Read a Varian/Agilent folder (`procpar` and `fid`).

    The imaginary part is negated to the convention of this module; the reference is `reffrq`, else `rfl` and `rfp`.

    Raises
    ------
    FormatError
        For a missing or truncated file, or a missing parameter.
    """
    import nmrglue

    path = Path(path)
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
    start = (path / "fid").read_bytes()[:32].ljust(32, b"\0")
    head = [int(n) for n in np.frombuffer(start, ">i4", 6)]
    headers = int(np.frombuffer(start, ">i4", 1, 28)[0])
    expected = 32 + head[0] * head[5]
    actual = (path / "fid").stat().st_size
    # nmrglue believes these counts: what they promise has to be the size of a block.
    block = head[1] * head[2] * head[3] + 28 * headers
    if min(head) <= 0 or head[3] not in (2, 4) or not 0 < headers < 10 or block != head[5]:
        raise FormatError(
            path / "fid",
            place="byte 0",
            expected="a Varian file header (blocks, traces, points, bytes a point, a trace, a block)",
            found=f"{head}, {headers} block headers",
            advice="wrong byte order or another format",
        )
    if actual < expected:
        raise FormatError(
            path / "fid",
            place=f"byte {actual}",
            expected=f"{expected} bytes in {head[0]} blocks",
            found=f"{actual} bytes",
            advice="the file is truncated: copy it again",
        )
    try:
        _, data = nmrglue.varian.read_fid(str(path / "fid"), as_2d=True)
    except Exception as error:
        raise FormatError(
            path / "fid", expected="Varian raw data", found=f"data that cannot be read ({error})"
        ) from None

    def number(name: str) -> float | None:
        try:
            return float(procpar[name]["values"][0])
        except (KeyError, IndexError, ValueError):
            return None

    def text(name: str) -> str:
        return (
            str(procpar[name]["values"][0]) if name in procpar and procpar[name]["values"] else ""
        )

    width, carrier = number("sw"), number("sfrq")
    for name, value in (("sw", width), ("sfrq", carrier)):
        if not value or value <= 0:
            raise FormatError(
                path / "procpar",
                place=f"parameter {name}",
                expected="a positive number",
                found=repr(value),
            )
    notes, reference = [], number("reffrq")
    rfl, rfp = number("rfl"), number("rfp")
    if not reference or abs(reference / carrier - 1) > 2e-3:
        reference = carrier
        if (
            rfl is not None and rfp is not None
        ):  # rfl: reference line from the right edge; rfp: its own frequency
            reference = carrier - (width / 2 - rfl + rfp) * 1e-6
        else:
            notes.append("no reference (reffrq, or rfl and rfp): the carrier is taken as 0 ppm")
    element = re.fullmatch(r"([A-Za-z]+)(\d+)", text("tn"))
    nucleus = f"{element[2]}{element[1].capitalize()}" if element else text("tn")
    data = np.conj(np.atleast_2d(np.asarray(data, complex)))
    if number("lsfid"):
        data = data[:, int(number("lsfid")) :]
    arrayed = text("array")
    delays = None
    if arrayed and arrayed in procpar:
        values = [float(v) for v in procpar[arrayed]["values"]]
        delays = np.array(values) if len(values) == len(data) else None
    parameters = {
        name: (entry["values"][0] if len(entry["values"]) == 1 else entry["values"])
        for name, entry in procpar.items()
        if entry.get("values")
    }
    return Fid(
        path,
        data,
        width,
        carrier,
        reference,
        nucleus,
        0.0,
        delays,
        number("srate") or None,
        text("solvent"),
        text("comment"),
        int(number("ct") or number("nt") or 1),
        parameters,
        tuple(notes),
    )
