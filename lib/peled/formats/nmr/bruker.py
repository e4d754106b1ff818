"""Bruker: raw experiments with the digital filter removed, processed spectra, and a writer for simulated experiments."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from peled.files import write_atomically
from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number
from peled.formats.nmr.records import Fid, Spectrum, field_notes, need


@reader("a Bruker parameter file (##$NAME= value)")
def read_bruker_parameters(path: str | os.PathLike) -> dict:
    """A Bruker parameter file (`acqus`, `procs`): names without `$`, values as int, float, str or list.

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

    The digital filter's delay is reported, not removed (`Fid.group_delay`). The frequency at 0 ppm is SF of the
    processing parameters where there are any, else BF1: the two differ by whatever the operator referenced to.

    Raises
    ------
    FormatError
        For a missing `acqus`, a truncated `fid`, a wrong byte order (BYTORDA), an acquisition mode without quadrature,
        a firmware whose filter delay is not known.
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
    arrayed = (path / "ser").exists() and not (path / "fid").exists()
    raw_path = path / ("ser" if arrayed else "fid")
    size = int(need(acqus, acqus_path, "TD", positive=True))
    width_Hz = (
        float(need(acqus, acqus_path, "SW_h", positive=True))
        if acqus.get("SW_h", 0) != 0
        else need(acqus, acqus_path, "SW", positive=True)
        * need(acqus, acqus_path, "SFO1", positive=True)
    )
    carrier = float(need(acqus, acqus_path, "SFO1", positive=True))
    mode = acqus.get("AQ_mod", 3)
    if mode not in (1, 3):
        raise FormatError(
            acqus_path,
            place="parameter AQ_mod",
            expected="1 (qsim) or 3 (DQD): complex points",
            found=f"{mode} (real points in sequence)",
            advice="use the processed spectrum in pdata",
        )
    data = _bruker_binary(raw_path, size, acqus, acqus_path, arrayed)
    notes = []
    base = float(need(acqus, acqus_path, "BF1", positive=True)) if "BF1" in acqus else carrier
    if (
        isinstance(acqus.get("O1"), (int, float))
        and abs(base + acqus["O1"] * 1e-6 - carrier) > 1e-5 * carrier * 0.01
    ):
        notes.append(
            f"SFO1 {carrier:.6f} MHz is not BF1 + O1 = {base + acqus['O1'] * 1e-6:.6f} MHz; SFO1 is used"
        )
    if (
        isinstance(acqus.get("SW"), (int, float))
        and acqus["SW"] > 0
        and abs(acqus["SW"] * carrier / width_Hz - 1) > 1e-3
    ):
        notes.append(
            f"SW_h {width_Hz:.3f} Hz is not SW x SFO1 = {acqus['SW'] * carrier:.3f} Hz; SW_h is used"
        )
    reference, procs = (
        base,
        sorted(path.glob("pdata/*/procs"), key=lambda p: (len(p.parent.name), p.parent.name)),
    )
    if procs:
        processing = read_bruker_parameters(procs[0])
        frequency = processing.get("SF")
        if isinstance(frequency, (int, float)) and abs(frequency / base - 1) < 2e-3:
            reference = float(frequency)
            if abs(reference / base - 1) > 0.5e-6:
                notes.append(
                    f"referenced by SF = {reference:.7f} MHz, {(reference / base - 1) * 1e6:+.3f} ppm from BF1"
                )
            edge = (carrier - reference) / reference * 1e6 + width_Hz / 2 / reference
            if (
                isinstance(processing.get("OFFSET"), (int, float))
                and abs(processing["OFFSET"] - edge) > 0.05
            ):
                notes.append(
                    f"OFFSET {processing['OFFSET']:.4f} ppm is not the edge that SFO1, SF and SW_h give, {edge:.4f} ppm; SF is used"
                )
        elif isinstance(frequency, (int, float)):
            notes.append(
                f"SF {frequency:.6f} MHz does not belong to BF1 {base:.6f} MHz; BF1 is used"
            )
    nucleus = str(acqus.get("NUC1") or acqus.get("NUCLEUS") or "").strip()
    nucleus = nucleus if nucleus.lower() != "off" else ""
    notes += field_notes(nucleus, carrier, acqus)
    rate = acqus.get("MASR")
    title_file = path / "pdata" / "1" / "title"
    title = (
        read_text(title_file).strip() if title_file.exists() and title_file.stat().st_size else ""
    )
    return Fid(
        path,
        data,
        float(width_Hz),
        carrier,
        reference,
        nucleus,
        _group_delay(acqus, acqus_path),
        _bruker_list(path),
        float(rate) if isinstance(rate, (int, float)) and rate > 0 else None,
        str(acqus.get("SOLVENT", "")),
        title,
        int(need(acqus, acqus_path, "NS")) or 1 if "NS" in acqus else 1,
        acqus,
        tuple(notes),
    )


def _bruker_binary(
    path: Path, size: int, acqus: dict, acqus_path: Path, arrayed: bool
) -> np.ndarray:
    content = read_bytes(path, what="Bruker raw data")
    kind = acqus.get("DTYPA", 0)
    if kind not in (0, 2):
        raise FormatError(
            acqus_path,
            place="parameter DTYPA",
            expected="0 (32-bit integers) or 2 (64-bit floats)",
            found=repr(kind),
        )
    order = acqus.get("BYTORDA", 0)
    if order not in (0, 1):
        raise FormatError(
            acqus_path,
            place="parameter BYTORDA",
            expected="0 (little endian) or 1 (big endian)",
            found=repr(order),
        )
    dtype = np.dtype({0: "i4", 2: "f8"}[kind]).newbyteorder(">" if order else "<")
    count = len(content) // dtype.itemsize
    block = 1024 // dtype.itemsize
    row = -(-size // block) * block if arrayed else size
    if arrayed:
        if count < size or (count % row and (count + row - size) % row):
            raise FormatError(
                path,
                place=f"byte {len(content)}",
                expected=f"whole rows of TD = {size} values (acqus), padded to 1 kB",
                found=f"{count} values",
                advice="the file is truncated: copy it again",
            )
        rows = (count + row - size) // row
        values = np.frombuffer(content, dtype, count)
        values = (
            np.concatenate([values, np.zeros(rows * row - count, dtype)])
            if count < rows * row
            else values[: rows * row]
        )
        values = values.reshape(rows, row)[:, :size]
    else:
        if count < size:
            raise FormatError(
                path,
                place=f"byte {len(content)}",
                expected=f"TD = {size} values ({size * dtype.itemsize} bytes, by acqus)",
                found=f"{count} values ({len(content)} bytes)",
                advice="the file is truncated: copy it again",
            )
        values = np.frombuffer(content, dtype, size)[None]
    if size % 2:
        raise FormatError(
            acqus_path,
            place="parameter TD",
            expected="an even number (real and imaginary parts)",
            found=str(size),
        )
    probe = values.ravel()[:65536]
    if _looks_swapped(probe):
        raise FormatError(
            acqus_path,
            place="parameter BYTORDA",
            expected="the byte order of the raw data",
            found=f"{order}, with which the data are noise of full scale and without which they are not",
            advice=f"set BYTORDA= {1 - order}",
        )
    return values[:, 0::2].astype(float) + 1j * values[:, 1::2].astype(float)


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

    Raises
    ------
    FormatError
        For an empty processed folder, missing `procs`, a truncated `1r`.
    """
    path = Path(path)
    if not ((path / "procs").exists() or (path / "1r").exists()) and (path / "pdata").is_dir():
        candidates = sorted(
            (p for p in (path / "pdata").iterdir() if p.is_dir()),
            key=lambda p: (len(p.name), p.name),
        )
        filled = [p for p in candidates if (p / "1r").exists()]
        if not filled:
            raise FormatError(
                path / "pdata",
                expected="a processing folder with procs and 1r",
                found="empty folders: " + ", ".join(p.name for p in candidates)
                if candidates
                else "an empty folder",
                advice="process the data, or read the raw fid",
            )
        path = filled[0]
    procs_path = path / "procs"
    if not procs_path.exists() or not (path / "1r").exists():
        there = ", ".join(sorted(p.name for p in path.iterdir())[:5]) if path.is_dir() else ""
        raise FormatError(
            path,
            expected="procs and 1r",
            found=there or "an empty folder",
            advice="process the data, or read the raw fid",
        )
    procs = read_bruker_parameters(procs_path)
    size = int(need(procs, procs_path, "SI", positive=True))
    reference = float(need(procs, procs_path, "SF", positive=True))
    offset, width = (
        need(procs, procs_path, "OFFSET"),
        need(procs, procs_path, "SW_p", positive=True),
    )
    dtype = np.dtype({0: "i4", 2: "f8"}.get(procs.get("DTYPP", 0), "i4")).newbyteorder(
        ">" if procs.get("BYTORDP", 0) else "<"
    )
    scale = 2.0 ** float(procs.get("NC_proc", 0) or 0) if dtype.kind == "i" else 1.0

    def part(name: str) -> np.ndarray:
        content = read_bytes(path / name, what="processed Bruker data")
        if len(content) < size * dtype.itemsize:
            raise FormatError(
                path / name,
                place=f"byte {len(content)}",
                expected=f"SI = {size} values ({size * dtype.itemsize} bytes)",
                found=f"{len(content)} bytes",
                advice="the file is truncated",
            )
        values = np.frombuffer(content, dtype, size)
        if _looks_swapped(values):
            raise FormatError(
                procs_path,
                place="parameter BYTORDP",
                expected="the byte order of the data",
                found=repr(procs.get("BYTORDP", 0)),
            )
        return values[::-1].astype(float) * scale

    ppm = (offset - np.arange(size) * width / reference / size)[::-1]
    acqus = {}
    for above in (path.parent.parent / "acqus",):
        if above.exists():
            acqus = read_bruker_parameters(above)
    nucleus = str(acqus.get("NUC1") or acqus.get("NUCLEUS") or procs.get("AXNUC") or "")
    return Spectrum(
        path,
        ppm,
        part("1r"),
        reference,
        nucleus,
        part("1i") if (path / "1i").exists() else None,
        str(acqus.get("SOLVENT", "")),
        parameters={**acqus, **procs},
    )


def write_bruker(
    folder: str | os.PathLike,
    data: np.ndarray,
    *,
    spectral_width_Hz: float,
    base_MHz: float,
    carrier_MHz: float,
    reference_MHz: float,
    nucleus: str,
    group_delay: float = 0.0,
    scans: int = 1,
    solvent: str = "",
    title: str = "",
    pulse_program: str = "zg",
    mas_rate_Hz: float | None = None,
    contact_times_s: np.ndarray | None = None,
    second_nucleus: str = "",
    second_MHz: float = 0.0,
    origin: str = "simulated",
) -> Path:
    """Write free induction decays as a Bruker experiment folder (32-bit integers, little endian).

    Parameters
    ----------
    folder : path-like
    data : ndarray, complex, shape (points,) or (traces, points)
        Already in digitiser units: rounded to integers here.

    Raises
    ------
    ValueError
        If the data do not fit 32-bit integers.
    """
    folder = Path(folder)
    data = np.atleast_2d(np.asarray(data))
    if not np.isfinite(data).all() or max(abs(data.real).max(), abs(data.imag).max()) >= 2**31:
        raise ValueError(
            f"{folder.name}: data: expected finite values below 2^31, found {abs(data).max():.3g}"
        )
    size = 2 * data.shape[1]
    arrayed = contact_times_s is not None
    row = -(-size // 256) * 256 if arrayed else size
    values = np.zeros((len(data), row), "<i4")
    values[:, 0:size:2], values[:, 1:size:2] = np.rint(data.real), np.rint(data.imag)
    acqus = {
        "AQ_mod": 3,
        "BF1": base_MHz,
        "BYTORDA": 0,
        "DECIM": 1 if not group_delay else 2000,
        "DSPFVS": 21 if group_delay else 0,
        "DTYPA": 0,
        "GRPDLY": group_delay if group_delay else -1,
        "MASR": mas_rate_Hz or 0,
        "NS": scans,
        "NUC1": f"<{nucleus}>",
        "NUC2": f"<{second_nucleus or 'off'}>",
        "O1": round((carrier_MHz - base_MHz) * 1e6, 6),
        "PULPROG": f"<{pulse_program}>",
        "SFO1": carrier_MHz,
        "SFO2": second_MHz,
        "SOLVENT": f"<{solvent}>",
        "SW": spectral_width_Hz / carrier_MHz,
        "SW_h": spectral_width_Hz,
        "TD": size,
    }
    edge = (
        carrier_MHz - reference_MHz
    ) / reference_MHz * 1e6 + spectral_width_Hz / 2 / reference_MHz
    procs = {
        "AXNUC": f"<{nucleus}>",
        "BYTORDP": 0,
        "DTYPP": 0,
        "NC_proc": 0,
        "OFFSET": round(edge, 7),
        "SF": reference_MHz,
        "SI": size // 2,
        "SW_p": spectral_width_Hz,
    }
    write_atomically(folder / ("ser" if arrayed else "fid"), values.tobytes())
    write_atomically(folder / "acqus", _bruker_text(acqus, origin))
    write_atomically(folder / "pdata" / "1" / "procs", _bruker_text(procs, origin))
    write_atomically(folder / "pdata" / "1" / "title", title + "\n")
    if arrayed:
        write_atomically(folder / "acqu2s", _bruker_text({"TD": len(data), "SW_h": 0}, origin))
        write_atomically(
            folder / "vplist", "".join(f"{t * 1e6:.6g}u\n" for t in np.asarray(contact_times_s))
        )
    return folder


def _bruker_text(parameters: dict, origin: str) -> str:
    lines = [
        "##TITLE= Parameter file",
        "##JCAMPDX= 5.0",
        "##DATATYPE= Parameter Values",
        f"##ORIGIN= {origin}",
        "##OWNER= peled",
    ]
    lines += [
        f"##${name}= {value!r}" if not isinstance(value, str) else f"##${name}= {value}"
        for name, value in parameters.items()
    ]
    return "\n".join(lines + ["##END=", ""])
