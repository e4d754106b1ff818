"""Bruker: raw experiments with the digital filter removed, processed spectra, and a writer for
simulated experiments.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number
from peled.formats.nmr.records import Fid, Spectrum, field_notes, need


@reader("a Bruker parameter file (##$NAME= value)")
def read_bruker_parameters(path: str | os.PathLike) -> dict:
    """A Bruker parameter file (`acqus`, `procs`): names without `$`, values as int, float, str or
    list.

    Parameters
    ----------
    path : path-like
        `acqus`, `procs` or another of their kind.

    Returns
    -------
    dict
        Name -> value.

    Raises
    ------
    FormatError
        If the file is missing or holds no parameter.
    """
    text = read_text(path, what="a Bruker parameter file (##$NAME= value)")
    found: dict = {}
    for match in re.finditer(
        r"^##\$?([^=\n]+)=[ \t]*(.*?)(?=^##|^\$\$|\Z)", text, re.MULTILINE | re.DOTALL
    ):
        name, value = match[1].strip(), match[2].strip()
        if array := re.match(r"\(\d+\.\.\d+\)\s*(.*)", value, re.DOTALL):
            items = re.findall(r"<[^>]*>|\S+", array[1])
            found[name] = [_bruker_value(item) for item in items]
        else:
            found[name] = _bruker_value(value)
    if not any(name in found for name in ("TD", "SI", "SF", "SW_h", "SW_p", "BF1")):
        raise FormatError(
            path,
            expected="Bruker parameters (##$TD=, ##$SW_h=, ...)",
            found=f"{len(found)} other entries",
            advice="copy the file again from the spectrometer",
        )
    return found


def _bruker_value(text: str):
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        return text[1:-1]
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    value = parse_number(text)
    return text if value is None else value


@reader("a Bruker experiment folder", folder=True)
def read_bruker(path: str | os.PathLike) -> Fid:
    """Read the raw data of a Bruker experiment folder.

    The digital filter's delay is reported, not removed (`Fid.group_delay`). The frequency at 0 ppm
    is SF of the processing parameters where there are any, else BF1: the two differ by whatever the
    operator referenced to.

    Parameters
    ----------
    path : path-like
        Folder of the experiment, or its `fid` or `ser`.

    Returns
    -------
    Fid

    Raises
    ------
    FormatError
        For a missing `acqus`, a truncated `fid`, a wrong byte order (BYTORDA), an acquisition mode
        without quadrature, a firmware whose filter delay is not known.

    References
    ----------
    .. [1] J. J. Helmus and C. P. Jaroniec, J. Biomol. NMR 55, 355 (2013),
           doi:10.1007/s10858-013-9718-x
    """
    path = Path(path)
    acqus_path = path / "acqus"
    if not acqus_path.exists():
        raise FormatError(
            acqus_path,
            expected="Bruker acquisition parameters beside the raw data",
            found="no such file",
            advice="copy the whole experiment folder",
        )
    acqus = read_bruker_parameters(acqus_path)
    needed = partial(need, acqus, acqus_path)
    carrier = float(needed("SFO1", positive=True))
    width_Hz = float(
        needed("SW_h", positive=True)
        if acqus.get("SW_h", 0) != 0
        else needed("SW", positive=True) * carrier
    )
    mode = acqus.get("AQ_mod", 3)
    if mode not in (1, 3):
        raise FormatError(
            acqus_path,
            place="parameter AQ_mod",
            expected="1 (qsim) or 3 (DQD): complex points",
            found=f"{mode} (real points in sequence)",
            advice="use the processed spectrum in pdata",
        )
    reference, notes = _reference(path, acqus, acqus_path, carrier, width_Hz)
    nucleus = str(acqus.get("NUC1") or acqus.get("NUCLEUS") or "").strip()
    nucleus = nucleus if nucleus.lower() != "off" else ""
    rate, title_file = acqus.get("MASR"), path / "pdata" / "1" / "title"
    titled = title_file.exists() and title_file.stat().st_size
    return Fid(
        path,
        _raw(path, acqus, acqus_path),
        width_Hz,
        carrier,
        reference,
        nucleus,
        _group_delay(acqus, acqus_path),
        _bruker_list(path),
        float(rate) if _is_number(rate) and rate > 0 else None,
        str(acqus.get("SOLVENT", "")),
        read_text(title_file).strip() if titled else "",
        int(needed("NS")) or 1 if "NS" in acqus else 1,
        acqus,
        (*notes, *field_notes(nucleus, carrier, acqus)),
    )


def _is_number(value) -> bool:
    return isinstance(value, (int, float))


def _reference(
    path: Path, acqus: dict, acqus_path: Path, carrier: float, width_Hz: float
) -> tuple[float, list[str]]:
    """Frequency at 0 ppm, and where the parameters contradict each other."""
    notes = []
    base = float(need(acqus, acqus_path, "BF1", positive=True)) if "BF1" in acqus else carrier
    O1, SW = acqus.get("O1"), acqus.get("SW")
    if _is_number(O1) and abs(base + O1 * 1e-6 - carrier) > 1e-7 * carrier:
        notes.append(
            f"SFO1 {carrier:.6f} MHz is not BF1 + O1 = {base + O1 * 1e-6:.6f} MHz; SFO1 is used"
        )
    if _is_number(SW) and SW > 0 and abs(SW * carrier / width_Hz - 1) > 1e-3:
        notes.append(
            f"SW_h {width_Hz:.3f} Hz is not SW x SFO1 = {SW * carrier:.3f} Hz; SW_h is used"
        )
    procs = sorted(path.glob("pdata/*/procs"), key=lambda p: (len(p.parent.name), p.parent.name))
    processing = read_bruker_parameters(procs[0]) if procs else {}
    frequency, offset = processing.get("SF"), processing.get("OFFSET")
    if not _is_number(frequency):
        return base, notes
    if abs(frequency / base - 1) >= 2e-3:
        said = f"SF {frequency:.6f} MHz does not belong to BF1 {base:.6f} MHz; BF1 is used"
        return base, [*notes, said]
    moved = (frequency / base - 1) * 1e6
    if abs(moved) > 0.5:
        notes.append(f"referenced by SF = {frequency:.7f} MHz, {moved:+.3f} ppm from BF1")
    edge = (carrier - frequency) / frequency * 1e6 + width_Hz / 2 / frequency
    if _is_number(offset) and abs(offset - edge) > 0.05:
        notes.append(
            f"OFFSET {offset:.4f} ppm is not the edge that SFO1, SF and SW_h give, "
            f"{edge:.4f} ppm; SF is used"
        )
    return float(frequency), notes


def _numbers(path: Path, parameters: dict, said: Path, kind: str, order: str) -> np.ndarray:
    """All numbers of a binary file, of the type and byte order that its parameters name."""
    content = read_bytes(path, what="Bruker data")
    known = {
        kind: {0: "i4", 2: "f8"},  # 32-bit integers, 64-bit floats
        order: {0: "<", 1: ">"},  # little and big endian
    }
    for name, values in known.items():
        if (value := parameters.get(name, 0)) not in values:
            expected = " or ".join(map(str, values))
            raise FormatError(said, place=f"parameter {name}", expected=expected, found=repr(value))
    dtype = np.dtype(known[order][parameters.get(order, 0)] + known[kind][parameters.get(kind, 0)])
    values = np.frombuffer(content, dtype, len(content) // dtype.itemsize)
    if _looks_swapped(values[:65536]):
        now = parameters.get(order, 0)
        raise FormatError(
            said,
            place=f"parameter {order}",
            expected="the byte order of the data",
            found=f"{now}, with which those of {path.name} are noise of full scale and without "
            "which they are not",
            advice=f"set {order}= {1 - now}",
        )
    return values


def _raw(folder: Path, acqus: dict, acqus_path: Path) -> np.ndarray:
    """Complex points by trace; traces of a `ser` are padded to blocks of 1 kB."""
    arrayed = (folder / "ser").exists() and not (folder / "fid").exists()
    path = folder / ("ser" if arrayed else "fid")
    size = int(need(acqus, acqus_path, "TD", positive=True))
    if size % 2:
        expected = "an even number (real and imaginary parts)"
        raise FormatError(acqus_path, place="parameter TD", expected=expected, found=str(size))
    values = _numbers(path, acqus, acqus_path, "DTYPA", "BYTORDA")
    row = -(-size // (1024 // values.itemsize)) * (1024 // values.itemsize) if arrayed else size
    rest = -len(values) % row if arrayed else 0
    if len(values) < size or rest > row - size:
        whole = "whole rows of " if arrayed else ""
        raise FormatError(
            path,
            place=f"byte {len(values) * values.itemsize}",
            expected=f"{whole}TD = {size} values ({size * values.itemsize} bytes, by acqus)",
            found=f"{len(values)} values",
            advice="the file is truncated: copy it again",
        )
    values = np.append(values, np.zeros(rest)) if arrayed else values[:size]
    values = values.reshape(-1, row)[:, :size].astype(float)
    return values[:, 0::2] + 1j * values[:, 1::2]


def _looks_swapped(values: np.ndarray) -> bool:
    swapped = values.byteswap()
    if values.dtype.kind == "f":
        with np.errstate(all="ignore"):
            bad = lambda v: np.mean(
                ~np.isfinite(v) | (np.abs(v) > 1e30) | ((np.abs(v) < 1e-30) & (v != 0))
            )
            return bad(values) > 0.2 and bad(swapped) < 0.01
    large = lambda v: np.mean(np.abs(v.astype(float)) > 2.0**27)
    return large(values) > 0.3 and large(swapped) < 0.02


def _group_delay(acqus: dict, path: Path) -> float:
    delay = acqus.get("GRPDLY")
    if isinstance(delay, (int, float)) and delay > 0:
        return float(delay)
    decimation, firmware = acqus.get("DECIM", 1), acqus.get("DSPFVS", 0)
    if (
        not isinstance(decimation, (int, float))
        or decimation <= 1
        or firmware in (0, None)
        or firmware >= 14
    ):
        return 0.0
    from nmrglue.fileio.bruker import bruker_dsp_table

    try:
        return float(bruker_dsp_table[int(firmware)][int(decimation)])
    except KeyError:
        raise FormatError(
            path,
            place="parameters DECIM, DSPFVS",
            expected="a digital filter whose delay is tabulated, or GRPDLY",
            found=f"DECIM {decimation}, DSPFVS {firmware}",
        ) from None


def _bruker_list(path: Path) -> np.ndarray | None:
    units = {"u": 1e-6, "m": 1e-3, "s": 1.0, "n": 1e-9}
    for name, unit in (
        ("vplist", 1e-6),
        ("vdlist", 1.0),
    ):  # bare numbers: microseconds for pulses, seconds for delays
        if (path / name).exists():
            values = []
            for number, line in enumerate(read_text(path / name).split("\n"), 1):
                if not line.strip():
                    continue
                cell = line.strip()
                value = parse_number(cell.rstrip("munsMUNS"))
                suffix = cell[len(cell.rstrip("munsMUNS")) :]
                if value is None or suffix.lower() not in ("", *units):
                    raise FormatError(
                        path / name,
                        place=f"line {number}",
                        expected="a time such as 500u or 0.002",
                        found=repr(cell[:40]),
                    )
                values.append(value * (units[suffix.lower()] if suffix else unit))
            return np.array(values)
    return None


@reader("a processed Bruker spectrum", folder=True)
def read_bruker_processed(path: str | os.PathLike) -> Spectrum:
    """Read a processed one-dimensional Bruker spectrum (`1r`, with `1i` where present).

    `path` is `pdata/1` itself or the experiment above it.

    Parameters
    ----------
    path : path-like
        Folder of the experiment, or of its processed data.

    Returns
    -------
    Spectrum
        Shifts ascending, ppm.

    Raises
    ------
    FormatError
        For an empty processed folder, missing `procs`, a truncated `1r`.
    """
    path = _processed_folder(Path(path))
    procs_path = path / "procs"
    procs = read_bruker_parameters(procs_path)
    needed = partial(need, procs, procs_path)
    size = int(needed("SI", positive=True))
    reference = float(needed("SF", positive=True))
    offset, width = needed("OFFSET"), needed("SW_p", positive=True)

    def part(name: str) -> np.ndarray:
        values = _numbers(path / name, procs, procs_path, "DTYPP", "BYTORDP")
        if len(values) < size:
            raise FormatError(
                path / name,
                place=f"byte {len(values) * values.itemsize}",
                expected=f"SI = {size} values ({size * values.itemsize} bytes)",
                found=f"{len(values)} values",
                advice="the file is truncated",
            )
        scale = 2.0 ** float(procs.get("NC_proc", 0) or 0) if values.dtype.kind == "i" else 1.0
        return values[:size][::-1].astype(float) * scale

    above = path.parent.parent / "acqus"
    acqus = read_bruker_parameters(above) if above.exists() else {}
    return Spectrum(
        path,
        (offset - np.arange(size) * width / reference / size)[::-1],
        part("1r"),
        reference,
        str(acqus.get("NUC1") or acqus.get("NUCLEUS") or procs.get("AXNUC") or ""),
        part("1i") if (path / "1i").exists() else None,
        str(acqus.get("SOLVENT", "")),
        parameters={**acqus, **procs},
    )


def _processed_folder(path: Path) -> Path:
    """The folder with `procs` and `1r`: `path`, or the first filled one of its `pdata`."""
    there = sorted(p.name for p in path.iterdir()) if path.is_dir() else []
    inside = path / "pdata"
    if not {"procs", "1r"} & set(there) and inside.is_dir():
        folders = sorted(
            (p for p in inside.iterdir() if p.is_dir()), key=lambda p: (len(p.name), p.name)
        )
        path = next((p for p in folders if (p / "1r").exists()), inside)
        there = sorted(p.name for p in path.iterdir())
    if not {"procs", "1r"} <= set(there):
        raise FormatError(
            path,
            expected="procs and 1r" if path != inside else "a folder with procs and 1r",
            found=", ".join(there[:6]) or "an empty folder",
            advice="process the data, or read the raw fid",
        )
    return path
