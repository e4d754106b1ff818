"""NMR files: Bruker (raw and processed), Varian/Agilent, JCAMP-DX, ppm tables.

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
padding beyond TD.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from peled.formats import FormatError, jcampdx, read_bytes
from peled.formats.contract import reader
from peled.formats.delimited import read_table, stated
from peled.formats.nmr.bruker import (
    read_bruker,
    read_bruker_parameters,
    read_bruker_processed,
    write_bruker,
)
from peled.formats.nmr.jcamp import read_jcamp
from peled.formats.nmr.records import XI, Fid, GYROMAGNETIC_MHz_T, PeakTable, Spectrum
from peled.formats.nmr.varian import read_varian

__all__ = [
    "Fid",
    "GYROMAGNETIC_MHz_T",
    "PeakTable",
    "Spectrum",
    "XI",
    "read",
    "read_bruker",
    "read_bruker_parameters",
    "read_bruker_processed",
    "read_fids",
    "read_jcamp",
    "read_ppm_table",
    "read_varian",
    "write_bruker",
]


@reader("an NMR file or folder", folder=True, missing=("reference_MHz",))
def read(
    path: str | os.PathLike, *, processed: bool = False, part: str | None = None
) -> Fid | Spectrum | PeakTable:
    """Read any NMR file or folder this module knows, by its content.

    Parameters
    ----------
    path : path-like
        A Bruker experiment or `pdata` folder, a Varian folder, a JCAMP-DX file, or a table of ppm
        and intensity.
    processed : bool
        Of a Bruker experiment that holds both, take the processed spectrum.
    part : str, optional
        Of a JCAMP-DX file that holds several spectra, the title of one or its number.

    Raises
    ------
    FormatError
        Naming file and parameter.
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
    if jcampdx.is_jcampdx(head):
        return read_jcamp(path, part)
    return read_ppm_table(path)


def read_fids(paths, *, same_width: bool = True) -> list[Fid]:
    """Read the raw files of one series.

    Raises
    ------
    FormatError
        If a file is no raw FID, or (with `same_width`) sweep widths or nuclei differ within the
        series.
    """
    series = []
    for path in paths:
        fid = read(path)
        if not isinstance(fid, Fid):
            raise FormatError(
                path,
                expected="a raw FID, as the rest of the series",
                found="a processed spectrum" if isinstance(fid, Spectrum) else "a peak table",
            )
        if series and same_width:
            first = series[0]
            if abs(fid.spectral_width_Hz / first.spectral_width_Hz - 1) > 1e-6:
                raise FormatError(
                    path,
                    place="parameter SW_h",
                    expected=f"{first.spectral_width_Hz:.2f} Hz as in {first.path.name}",
                    found=f"{fid.spectral_width_Hz:.2f} Hz",
                    advice="a series must share its sweep width; process the files one by one",
                )
            if fid.nucleus != first.nucleus:
                raise FormatError(
                    path,
                    place="parameter NUC1",
                    expected=f"{first.nucleus} as in {first.path.name}",
                    found=fid.nucleus or "none",
                )
        series.append(fid)
    return series


@reader("a table of chemical shift and intensity", missing=("reference_MHz",))
def read_ppm_table(path: str | os.PathLike, *, reference_MHz: float | None = None) -> Spectrum:
    """Read a text table of chemical shift and intensity (and imaginary part).

    The spectrometer frequency is taken from the header (`frequency: 400.13 MHz`, `SF = ...`), else
    from `reference_MHz`.

    Raises
    ------
    FormatError
        If the first column is no shift axis, or the stated frequency no number above 0.
    """
    table = read_table(path)
    numeric = [column.values for column in table.columns if column.values.dtype.kind == "f"]
    if len(numeric) < 2:
        raise FormatError(
            path,
            expected="two columns: chemical shift (ppm) and intensity",
            found=f"{len(numeric)} numeric column(s)",
        )
    step = np.diff(numeric[0])
    if not (np.all(step > 0) or np.all(step < 0)):
        bad = int(np.argmax(np.sign(step) != np.sign(np.median(step))))
        raise FormatError(
            path,
            place=f"line {table.first_line + bad + 1}",
            expected="a chemical shift that only rises or only falls",
            found=f"{numeric[0][bad]:g} then {numeric[0][bad + 1]:g}",
        )
    unit = table.columns[0].unit.lower() or table.columns[0].name.lower()
    frequency = reference_MHz
    if frequency is None:
        found = stated(
            path, table.metadata, r"freq(uency)?$|^SF(O1)?$|^MHz$|^larmor", positive=True
        )
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
        numeric[0] = numeric[0] / frequency
    order = slice(None, None, -1) if step[0] < 0 else slice(None)
    nucleus = next((v for k, v in table.metadata.items() if k.lower() == "nucleus"), "")
    return Spectrum(
        Path(path),
        numeric[0][order],
        numeric[1][order],
        frequency or float("nan"),
        nucleus,
        numeric[2][order] if len(numeric) > 2 else None,
        parameters=table.metadata,
        notes=()
        if frequency
        else ("no spectrometer frequency in the file: widths and couplings stay in ppm",),
    )
