"""NMR files: Bruker (raw and processed), Varian/Agilent, JCAMP-DX, NMRPipe, ppm tables.

One convention for all that is returned: a complex free induction decay whose plain forward Fourier
transform has the higher chemical shift at the higher frequency, and spectra with the chemical shift
ascending. The shift axis follows from the frequency at 0 ppm (`reference_MHz`), never from the
nominal field.

`nmrglue` serves for Varian binaries and Bruker's table of digital-filter delays. The JCAMP-DX
reader is our own: on 63 public spectra and decays both give the same values, but nmrglue's returns
nothing, and no error, for peak tables and skips the check values that the format provides against
damage. JEOL `.jdf` is not read; JEOL's JCAMP-DX export is.

Bruker folders were tried on the one-dimensional ones of github.com/cheminfo/bruker-data-test and
spectrochempy/spectrochempy_data (`testdata/nmrdata`): the same values as nmrglue, without its
padding beyond TD. Tables of ppm were tried on TopSpin's `totxt` in `tests/data` of
github.com/nomad-hzb/nomad-hysprint, Varian folders on one of nmrglue's examples.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from peled.formats import FormatError, jcampdx, read_bytes
from peled.formats.contract import reader
from peled.formats.delimited import Column, Table, parse_number, read_table, stated
from peled.formats.nmr.bruker import read_bruker, read_bruker_processed
from peled.formats.nmr.diffusion import Gradients, read_gradients
from peled.formats.nmr.jcamp import read_jcamp
from peled.formats.nmr.pipe import is_pipe, read_pipe
from peled.formats.nmr.records import Fid, GYROMAGNETIC_MHz_T, PeakTable, Spectrum
from peled.formats.nmr.varian import read_varian

__all__ = [
    "Fid",
    "GYROMAGNETIC_MHz_T",
    "Gradients",
    "PeakTable",
    "Spectrum",
    "read",
    "read_bruker",
    "read_bruker_processed",
    "read_gradients",
    "read_jcamp",
    "read_pipe",
    "read_ppm_table",
    "read_varian",
]


@reader("an NMR file or folder", folder=True, missing=("reference_MHz",))
def read(
    path: str | os.PathLike, *, processed: bool = False, part: str | None = None
) -> Fid | Spectrum | PeakTable:
    """Read any NMR file or folder this module knows, by its content.

    Parameters
    ----------
    path : path-like
        A Bruker experiment or `pdata` folder, a Varian folder, a JCAMP-DX or NMRPipe file, or a
        table of ppm and intensity.
    processed : bool
        Of a Bruker experiment that holds both, take the processed spectrum.
    part : str, optional
        Of a JCAMP-DX file that holds several spectra, the title of one or its number.

    Returns
    -------
    Fid, Spectrum or PeakTable

    Raises
    ------
    FormatError
        Naming file and parameter.

    References
    ----------
    .. [1] A. N. Davies and P. Lampen, Appl. Spectrosc. 47, 1093 (1993),
           doi:10.1366/0003702934067874
    .. [2] F. Delaglio et al., J. Biomol. NMR 6, 277 (1995), doi:10.1007/BF00197809
    """
    path = Path(path)
    if path.is_file() and path.name in ("fid", "ser", "acqus", "1r", "procs", "procpar"):
        path = path.parent
    if path.is_dir():
        if (path / "procpar").exists():
            return read_varian(path)
        if (path / "procs").exists() or (path / "1r").exists():
            return read_bruker_processed(path)
        if processed:
            return read_bruker_processed(path)
        if (path / "acqus").exists() or (path / "fid").exists() or (path / "ser").exists():
            if (
                not ((path / "fid").exists() or (path / "ser").exists())
                and (path / "pdata").is_dir()
            ):
                return read_bruker_processed(path)
            return read_bruker(path)
        if (path / "pdata").is_dir() or path.parent.name == "pdata":
            return read_bruker_processed(path)
        raise FormatError(
            path,
            expected="a Bruker experiment (acqus and fid or ser, or pdata) or a Varian folder "
            "(procpar and fid)",
            found=", ".join(sorted(p.name for p in path.iterdir())[:6]) or "an empty folder",
        )
    head = read_bytes(path, what="an NMR file")[:800]
    if is_pipe(head):
        return read_pipe(path)
    if head[:8] in (b"JEOL.NMR", b"RMN.LOEJ"):
        raise FormatError(path, expected="a format that is read here", found="a JEOL .jdf file",
                          advice="export it from Delta as JCAMP-DX")  # fmt: skip
    if jcampdx.is_jcampdx(head):
        return read_jcamp(path, part)
    return read_ppm_table(path)


@reader("a table of chemical shift and intensity", missing=("reference_MHz",))
def read_ppm_table(path: str | os.PathLike) -> Spectrum:
    """Read a text table of chemical shift and intensity (and imaginary part), or intensities alone
    between the limits that TopSpin's `totxt` writes above them (`# LEFT = 16.3 ppm. RIGHT = ...`).

    The spectrometer frequency is taken from the header (`frequency: 400.13 MHz`, `SF = ...`).

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Spectrum
        Shifts rise; without a frequency in the file it is NaN, with a note.

    Raises
    ------
    FormatError
        If the first column is no shift axis, or the stated frequency no number above 0.
    """
    table = read_table(path)
    axis, columns = _between_limits(table) or table.along_first(
        "columns: chemical shift (ppm), intensity", r"ppm|shift|^hz"
    )
    shift, step = axis.values, np.diff(axis.values)
    if not (np.all(step > 0) or np.all(step < 0)):
        bad = int(np.argmax(np.sign(step) != np.sign(np.median(step))))
        expected = "a chemical shift that only rises or only falls"
        raise table.refuse(expected, f"{shift[bad]:g} then {shift[bad + 1]:g}", row=bad + 1)
    unit = (axis.unit or axis.name).lower()
    found = stated(path, table.metadata, r"freq(uency)?$|^SF(O1)?$|^MHz$|^larmor", positive=True)
    frequency = found[0] if found else None
    if unit == "hz":
        if not frequency:
            raise FormatError(
                path,
                place="header",
                expected="the spectrometer frequency, since the axis is in Hz",
                found="none",
                advice="add a line `frequency: 400.13 MHz`",
            )
        shift = shift / frequency
    order = slice(None, None, -1) if step[0] < 0 else slice(None)
    nucleus = next((v for k, v in table.metadata.items() if k.lower() == "nucleus"), "")
    return Spectrum(
        Path(path),
        shift[order],
        columns[0].values[order],
        frequency or float("nan"),
        nucleus,
        columns[1].values[order] if len(columns) > 1 else None,
        parameters=table.metadata,
        notes=()
        if frequency
        else ("no spectrometer frequency in the file: widths and couplings stay in ppm",),
    )


def _between_limits(table: Table) -> tuple[Column, list[Column]] | None:
    """The axis of one column of intensities, if the lines above say its two ends and its size."""
    said = " ".join(table.notes)
    ends = re.search(r"LEFT = (\S+) ppm\.? +RIGHT = (\S+) ppm", said)
    size = re.search(r"SIZE = (\d+)\b", said)
    if len(table.columns) > 1 or not (ends and size):
        return None
    left, right = map(parse_number, ends.groups())
    if None in (left, right) or parse_number(size[1]) != len(table):
        expected = f"two limits in ppm and SIZE = {len(table)} as there are rows"
        raise table.refuse(expected, f"{ends[0]}, {size[0]}", "export it again", place="header")
    return Column("shift", "ppm", np.linspace(left, right, len(table))), list(table.columns)
