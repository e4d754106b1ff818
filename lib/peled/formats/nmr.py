"""NMR files: Bruker (raw and processed), Varian/Agilent, JCAMP-DX, ppm tables.

One convention for all that is returned: a complex free induction decay whose plain forward Fourier transform has the
higher chemical shift at the higher frequency, and spectra with the chemical shift ascending. The shift axis follows
from the frequency at 0 ppm (`reference_MHz`), never from the nominal field.

`nmrglue` serves for Varian binaries and Bruker's table of digital-filter delays. Its JCAMP-DX reader returns nothing,
and no error, for peak tables, and skips the check values that the format provides against damage; that one is our own.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.files import write_atomically
from peled.formats import FormatError, jcampdx, read_bytes, read_text
from peled.formats.delimited import read_table

#: Gyromagnetic ratio over 2 pi in MHz/T (CODATA 2018 for the proton; Harris et al., Pure Appl. Chem. 73, 1795 (2001), doi:10.1351/pac200173111795).
GYROMAGNETIC_MHz_T = {
    "1H": 42.577478518,
    "2H": 6.53590,
    "13C": 10.70840,
    "15N": 4.31727,
    "19F": 40.07757,
    "31P": 17.25144,
    "207Pb": 8.8816,
    "29Si": 8.4655,
    "11B": 13.6630,
}
#: Frequencies at 0 ppm relative to 1H of TMS, Xi/100 (same source).
XI = {"1H": 1.0, "2H": 0.15350609, "13C": 0.25145020, "15N": 0.10136767, "19F": 0.94094011, "31P": 0.40480742}


@dataclass(frozen=True)
class Fid:
    """Free induction decays as acquired.

    Attributes
    ----------
    path : Path
    data : ndarray, complex, shape (traces, points)
    spectral_width_Hz : float
        Inverse of the dwell time between complex points.
    carrier_MHz : float
        Frequency of the receiver: zero frequency of the data.
    reference_MHz : float
        Frequency at 0 ppm.
    nucleus : str
        Such as `1H`; empty when the file does not say.
    group_delay : float
        Points by which a digital filter delays the signal; its time origin is at this point.
    delays_s : ndarray or None
        List of delays or pulse lengths of an arrayed experiment (contact times of a CP series).
    mas_rate_Hz : float or None
    solvent, title : str
    scans : int
    parameters : dict
        Everything the header holds.
    notes : tuple of str
        What in the header contradicts itself, and what was used.
    """

    path: Path
    data: np.ndarray = field(repr=False)
    spectral_width_Hz: float
    carrier_MHz: float
    reference_MHz: float
    nucleus: str = ""
    group_delay: float = 0.0
    delays_s: np.ndarray | None = field(default=None, repr=False)
    mas_rate_Hz: float | None = None
    solvent: str = ""
    title: str = ""
    scans: int = 1
    parameters: dict = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def dwell_s(self) -> float:
        return 1.0 / self.spectral_width_Hz

    @property
    def carrier_ppm(self) -> float:
        """Chemical shift of the receiver frequency."""
        return (self.carrier_MHz - self.reference_MHz) / self.reference_MHz * 1e6


@dataclass(frozen=True)
class Spectrum:
    """A spectrum processed by somebody else: `ppm` ascending, `intensity` real, `imaginary` where the file has it."""

    path: Path
    ppm: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    reference_MHz: float
    nucleus: str = ""
    imaginary: np.ndarray | None = field(default=None, repr=False)
    solvent: str = ""
    title: str = ""
    parameters: dict = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeakTable:
    """Picked peaks: positions (ppm, ascending) and intensities; `labels` where the table assigns them."""

    path: Path
    ppm: np.ndarray
    intensity: np.ndarray
    reference_MHz: float | None = None
    nucleus: str = ""
    labels: tuple[str, ...] = ()
    title: str = ""
    parameters: dict = field(default_factory=dict, repr=False)


def read(path: str | os.PathLike, *, processed: bool = False) -> Fid | Spectrum | PeakTable:
    """Read any NMR file or folder this module knows, by its content.

    Parameters
    ----------
    path : path-like
        A Bruker experiment or `pdata` folder, a Varian folder, a JCAMP-DX file, or a table of ppm and intensity.
    processed : bool
        Of a Bruker experiment that holds both, take the processed spectrum.

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
            if not ((path / "fid").exists() or (path / "ser").exists()) and (path / "pdata").is_dir():
                return read_bruker_processed(path)
            return read_bruker(path)
        if (path / "pdata").is_dir() or path.parent.name == "pdata":
            return read_bruker_processed(path)
        raise FormatError(
            path,
            expected="a Bruker experiment (acqus and fid or ser, or pdata) or a Varian folder (procpar and fid)",
            found=", ".join(sorted(p.name for p in path.iterdir())[:6]) or "an empty folder",
        )
    head = read_bytes(path, what="an NMR file")[:400].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith((b"##", b"$$")):
        return read_jcamp(path)
    return read_ppm_table(path)


def read_fids(paths, *, same_width: bool = True) -> list[Fid]:
    """Read the raw files of one series.

    Raises
    ------
    FormatError
        If a file is no raw FID, or (with `same_width`) sweep widths or nuclei differ within the series.
    """
    series = []
    for path in paths:
        fid = read(path)
        if not isinstance(fid, Fid):
            raise FormatError(
                path, expected="a raw FID, as the rest of the series", found="a processed spectrum" if isinstance(fid, Spectrum) else "a peak table"
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
                raise FormatError(path, place="parameter NUC1", expected=f"{first.nucleus} as in {first.path.name}", found=fid.nucleus or "none")
        series.append(fid)
    return series


# ---- Bruker ------------------------------------------------------------------------------------------------------------


def read_bruker_parameters(path: str | os.PathLike) -> dict:
    """A Bruker parameter file (`acqus`, `procs`): names without `$`, values as int, float, str or list.

    Raises
    ------
    FormatError
        If the file is missing or holds no parameter.
    """
    text = read_text(path, what="a Bruker parameter file (##$NAME= value)")
    found: dict = {}
    for match in re.finditer(r"^##\$?([^=\n]+)=[ \t]*(.*?)(?=^##|^\$\$|\Z)", text, re.MULTILINE | re.DOTALL):
        name, value = match[1].strip(), match[2].strip()
        if array := re.match(r"\(\d+\.\.\d+\)\s*(.*)", value, re.DOTALL):
            items = re.findall(r"<[^>]*>|\S+", array[1])
            found[name] = [_bruker_value(item) for item in items]
        else:
            found[name] = _bruker_value(value)
    if not any(name in found for name in ("TD", "SI", "SF", "SW_h", "SW_p", "BF1")):
        raise FormatError(
            path, expected="Bruker parameters (##$TD=, ##$SW_h=, ...)", found=f"{len(found)} other entries", advice="copy the file again from the spectrometer"
        )
    return found


def _bruker_value(text: str):
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        return text[1:-1]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _need(parameters: dict, path: Path, name: str, *, positive: bool = False) -> float:
    value = parameters.get(name)
    if not isinstance(value, (int, float)) or not np.isfinite(value) or (positive and value <= 0):
        raise FormatError(
            path, place=f"parameter {name}", expected="a positive number" if positive else "a number", found="none" if value is None else repr(value)
        )
    return value


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
            acqus_path, expected="Bruker acquisition parameters beside the raw data", found="no such file", advice="copy the whole experiment folder"
        )
    acqus = read_bruker_parameters(acqus_path)
    arrayed = (path / "ser").exists() and not (path / "fid").exists()
    raw_path = path / ("ser" if arrayed else "fid")
    size = int(_need(acqus, acqus_path, "TD", positive=True))
    width_Hz = (
        float(acqus["SW_h"])
        if isinstance(acqus.get("SW_h"), (int, float)) and acqus["SW_h"] > 0
        else _need(acqus, acqus_path, "SW", positive=True) * _need(acqus, acqus_path, "SFO1", positive=True)
    )
    carrier = float(_need(acqus, acqus_path, "SFO1", positive=True))
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
    base = float(acqus["BF1"]) if isinstance(acqus.get("BF1"), (int, float)) else carrier
    if isinstance(acqus.get("O1"), (int, float)) and abs(base + acqus["O1"] * 1e-6 - carrier) > 1e-5 * carrier * 0.01:
        notes.append(f"SFO1 {carrier:.6f} MHz is not BF1 + O1 = {base + acqus['O1'] * 1e-6:.6f} MHz; SFO1 is used")
    if isinstance(acqus.get("SW"), (int, float)) and acqus["SW"] > 0 and abs(acqus["SW"] * carrier / width_Hz - 1) > 1e-3:
        notes.append(f"SW_h {width_Hz:.3f} Hz is not SW x SFO1 = {acqus['SW'] * carrier:.3f} Hz; SW_h is used")
    reference, procs = base, sorted(path.glob("pdata/*/procs"), key=lambda p: (len(p.parent.name), p.parent.name))
    if procs:
        processing = read_bruker_parameters(procs[0])
        frequency = processing.get("SF")
        if isinstance(frequency, (int, float)) and abs(frequency / base - 1) < 2e-3:
            reference = float(frequency)
            if abs(reference / base - 1) > 0.5e-6:
                notes.append(f"referenced by SF = {reference:.7f} MHz, {(reference / base - 1) * 1e6:+.3f} ppm from BF1")
            edge = (carrier - reference) / reference * 1e6 + width_Hz / 2 / reference
            if isinstance(processing.get("OFFSET"), (int, float)) and abs(processing["OFFSET"] - edge) > 0.05:
                notes.append(f"OFFSET {processing['OFFSET']:.4f} ppm is not the edge that SFO1, SF and SW_h give, {edge:.4f} ppm; SF is used")
        elif isinstance(frequency, (int, float)):
            notes.append(f"SF {frequency:.6f} MHz does not belong to BF1 {base:.6f} MHz; BF1 is used")
    nucleus = str(acqus.get("NUC1") or acqus.get("NUCLEUS") or "").strip()
    nucleus = nucleus if nucleus.lower() != "off" else ""
    notes += _field_notes(nucleus, carrier, acqus)
    rate = acqus.get("MASR")
    title_file = path / "pdata" / "1" / "title"
    title = read_text(title_file).strip() if title_file.exists() and title_file.stat().st_size else ""
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
        int(acqus.get("NS", 1) or 1),
        acqus,
        tuple(notes),
    )


def _field_notes(nucleus: str, carrier_MHz: float, parameters: dict) -> list[str]:
    """A header may lie about the nucleus or the field: the two and the second channel are compared."""
    other, frequency = str(parameters.get("NUC2", "")), parameters.get("SFO2")
    if nucleus in XI and other in XI and isinstance(frequency, (int, float)) and frequency > 0:
        ratio = carrier_MHz / frequency * XI[other] / XI[nucleus]
        if abs(ratio - 1) > 1e-3:
            return [f"SFO1 {carrier_MHz:.3f} MHz ({nucleus}) and SFO2 {frequency:.3f} MHz ({other}) belong to different fields"]
    return []


def _bruker_binary(path: Path, size: int, acqus: dict, acqus_path: Path, arrayed: bool) -> np.ndarray:
    content = read_bytes(path, what="Bruker raw data")
    kind = acqus.get("DTYPA", 0)
    if kind not in (0, 2):
        raise FormatError(acqus_path, place="parameter DTYPA", expected="0 (32-bit integers) or 2 (64-bit floats)", found=repr(kind))
    order = acqus.get("BYTORDA", 0)
    if order not in (0, 1):
        raise FormatError(acqus_path, place="parameter BYTORDA", expected="0 (little endian) or 1 (big endian)", found=repr(order))
    dtype = np.dtype({0: "i4", 2: "f8"}[kind]).newbyteorder(">" if order else "<")
    count = len(content) // dtype.itemsize
    block = 1024 // dtype.itemsize
    row = -(-size // block) * block if arrayed else size
    if arrayed:
        if count < size or (count % row and (count + row - size) % row):
            raise FormatError(
                path,
                place=f"byte {len(content)}",
                expected=f"whole rows of TD = {size} values, padded to 1 kB",
                found=f"{count} values",
                advice="the file is truncated: copy it again",
            )
        rows = (count + row - size) // row
        values = np.frombuffer(content, dtype, count)
        values = np.concatenate([values, np.zeros(rows * row - count, dtype)]) if count < rows * row else values[: rows * row]
        values = values.reshape(rows, row)[:, :size]
    else:
        if count < size:
            raise FormatError(
                path,
                place=f"byte {len(content)}",
                expected=f"TD = {size} values ({size * dtype.itemsize} bytes)",
                found=f"{count} values ({len(content)} bytes)",
                advice="the file is truncated: copy it again",
            )
        values = np.frombuffer(content, dtype, size)[None]
    if size % 2:
        raise FormatError(acqus_path, place="parameter TD", expected="an even number (real and imaginary parts)", found=str(size))
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
            bad = lambda v: np.mean(~np.isfinite(v) | (np.abs(v) > 1e30) | ((np.abs(v) < 1e-30) & (v != 0)))  # noqa: E731
            return bad(values) > 0.2 and bad(swapped) < 0.01
    large = lambda v: np.mean(np.abs(v.astype(float)) > 2.0**27)  # noqa: E731
    return large(values) > 0.3 and large(swapped) < 0.02


def _group_delay(acqus: dict, path: Path) -> float:
    delay = acqus.get("GRPDLY")
    if isinstance(delay, (int, float)) and delay > 0:
        return float(delay)
    decimation, firmware = acqus.get("DECIM", 1), acqus.get("DSPFVS", 0)
    if not isinstance(decimation, (int, float)) or decimation <= 1 or firmware in (0, None) or firmware >= 14:
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
    for name, unit in (("vplist", 1e-6), ("vdlist", 1.0)):  # bare numbers: microseconds for pulses, seconds for delays
        if (path / name).exists():
            values = []
            for number, line in enumerate(read_text(path / name).split("\n"), 1):
                if not line.strip():
                    continue
                match = re.fullmatch(r"\s*([\d.eE+-]+)\s*([munsMUNS]?)\s*", line)
                if not match:
                    raise FormatError(path / name, place=f"line {number}", expected="a time such as 500u or 0.002", found=repr(line.strip()))
                values.append(float(match[1]) * (units[match[2].lower()] if match[2] else unit))
            return np.array(values)
    return None


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
        candidates = sorted((p for p in (path / "pdata").iterdir() if p.is_dir()), key=lambda p: (len(p.name), p.name))
        filled = [p for p in candidates if (p / "1r").exists()]
        if not filled:
            raise FormatError(
                path / "pdata",
                expected="a processing folder with procs and 1r",
                found="empty folders: " + ", ".join(p.name for p in candidates) if candidates else "an empty folder",
                advice="process the data, or read the raw fid",
            )
        path = filled[0]
    procs_path = path / "procs"
    if not procs_path.exists() or not (path / "1r").exists():
        there = ", ".join(sorted(p.name for p in path.iterdir())[:5]) if path.is_dir() else ""
        raise FormatError(path, expected="procs and 1r", found=there or "an empty folder", advice="process the data, or read the raw fid")
    procs = read_bruker_parameters(procs_path)
    size = int(_need(procs, procs_path, "SI", positive=True))
    reference = float(_need(procs, procs_path, "SF", positive=True))
    offset, width = _need(procs, procs_path, "OFFSET"), _need(procs, procs_path, "SW_p", positive=True)
    dtype = np.dtype({0: "i4", 2: "f8"}.get(procs.get("DTYPP", 0), "i4")).newbyteorder(">" if procs.get("BYTORDP", 0) else "<")
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
            raise FormatError(procs_path, place="parameter BYTORDP", expected="the byte order of the data", found=repr(procs.get("BYTORDP", 0)))
        return values[::-1].astype(float) * scale

    ppm = (offset - np.arange(size) * width / reference / size)[::-1]
    acqus = {}
    for above in (path.parent.parent / "acqus",):
        if above.exists():
            acqus = read_bruker_parameters(above)
    nucleus = str(acqus.get("NUC1") or acqus.get("NUCLEUS") or procs.get("AXNUC") or "")
    return Spectrum(
        path, ppm, part("1r"), reference, nucleus, part("1i") if (path / "1i").exists() else None, str(acqus.get("SOLVENT", "")), parameters={**acqus, **procs}
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
        raise ValueError(f"{folder.name}: data: expected finite values below 2^31, found {abs(data).max():.3g}")
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
    edge = (carrier_MHz - reference_MHz) / reference_MHz * 1e6 + spectral_width_Hz / 2 / reference_MHz
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
        write_atomically(folder / "vplist", "".join(f"{t * 1e6:.6g}u\n" for t in np.asarray(contact_times_s)))
    return folder


def _bruker_text(parameters: dict, origin: str) -> str:
    lines = ["##TITLE= Parameter file", "##JCAMPDX= 5.0", "##DATATYPE= Parameter Values", f"##ORIGIN= {origin}", "##OWNER= peled"]
    lines += [f"##${name}= {value!r}" if not isinstance(value, str) else f"##${name}= {value}" for name, value in parameters.items()]
    return "\n".join(lines + ["##END=", ""])


# ---- Varian ------------------------------------------------------------------------------------------------------------


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
        raise FormatError(path / "procpar", expected="Varian parameters", found=f"text that cannot be parsed ({error})") from None
    head = np.frombuffer((path / "fid").read_bytes()[:32].ljust(32, b"\0"), ">i4", 6)
    expected = 32 + int(head[0]) * int(head[5])
    actual = (path / "fid").stat().st_size
    if head[0] <= 0 or head[2] <= 0 or head[3] not in (2, 4):
        raise FormatError(
            path / "fid",
            place="byte 0",
            expected="a Varian file header (blocks, traces, points, bytes a point)",
            found=str(head[:4].tolist()),
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
        raise FormatError(path / "fid", expected="Varian raw data", found=f"data that cannot be read ({error})") from None

    def number(name: str) -> float | None:
        try:
            return float(procpar[name]["values"][0])
        except (KeyError, IndexError, ValueError):
            return None

    def text(name: str) -> str:
        return str(procpar[name]["values"][0]) if name in procpar and procpar[name]["values"] else ""

    width, carrier = number("sw"), number("sfrq")
    for name, value in (("sw", width), ("sfrq", carrier)):
        if not value or value <= 0:
            raise FormatError(path / "procpar", place=f"parameter {name}", expected="a positive number", found=repr(value))
    notes, reference = [], number("reffrq")
    rfl, rfp = number("rfl"), number("rfp")
    if not reference or abs(reference / carrier - 1) > 2e-3:
        reference = carrier
        if rfl is not None and rfp is not None:  # rfl: reference line from the right edge; rfp: its own frequency
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
    parameters = {name: (entry["values"][0] if len(entry["values"]) == 1 else entry["values"]) for name, entry in procpar.items() if entry.get("values")}
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


# ---- ppm tables --------------------------------------------------------------------------------------------------------


def read_ppm_table(path: str | os.PathLike, *, reference_MHz: float | None = None) -> Spectrum:
    """Read a text table of chemical shift and intensity (and imaginary part).

    The spectrometer frequency is taken from the header (`frequency: 400.13 MHz`, `SF = ...`), else from `reference_MHz`.

    Raises
    ------
    FormatError
        If the first column is no shift axis.
    """
    table = read_table(path)
    numeric = [column.values for column in table.columns if column.values.dtype.kind == "f"]
    if len(numeric) < 2:
        raise FormatError(path, expected="two columns: chemical shift (ppm) and intensity", found=f"{len(numeric)} numeric column(s)")
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
    for name, value in table.metadata.items():
        if frequency is None and re.search(r"freq|^SF$|MHz|larmor", name, re.IGNORECASE) and (match := re.search(r"[\d.]+", value)):
            frequency = float(match[0])
    if unit == "hz":
        if not frequency:
            raise FormatError(
                path, place="header", expected="the spectrometer frequency, since the axis is in Hz", found="none", advice="add a line `frequency: 400.13 MHz`"
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
        notes=() if frequency else ("no spectrometer frequency in the file: widths and couplings stay in ppm",),
    )


# ---- JCAMP-DX ----------------------------------------------------------------------------------------------------------


def read_jcamp(path: str | os.PathLike) -> Fid | Spectrum | PeakTable:
    """Read the NMR content of a JCAMP-DX file: a spectrum, else a free induction decay, else a peak table.

    The shift axis comes from `.SHIFT REFERENCE` (a point and its shift) where given, else from Bruker's OFFSET and SF,
    else from the abscissa in ppm or Hz. Where they contradict each other by more than 0.05 ppm, a note says so.

    Raises
    ------
    FormatError
        Naming the label or line: no NMR block, a compression that is none of the standard's, damaged tables, missing
        frequency.
    """
    path = Path(path)
    blocks = [
        block
        for block in jcampdx.read_blocks(path)
        if any(label in block.records for label in ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "DATATABLE"))
    ]
    if not blocks:
        raise FormatError(path, expected="a data table (XYDATA, XYPOINTS, NTUPLES, PEAK TABLE)", found="labels only")

    def rank(block: jcampdx.Block) -> int:
        kind = jcampdx.normalise(block.text("DATA TYPE"))
        return 0 if "SPECTRUM" in kind and "PEAK" not in kind else 1 if "FID" in kind else 2

    block = min(blocks, key=rank)
    kind = jcampdx.normalise(block.text("DATA TYPE"))
    if kind and "NMR" not in kind and "LINK" not in kind:
        raise FormatError(path, place="label DATA TYPE", expected="an NMR spectrum, FID or peak table", found=block.text("DATA TYPE"))
    nucleus = "".join(re.findall(r"[A-Za-z0-9]", block.text(".OBSERVE NUCLEUS")))
    frequency = block.number(".OBSERVE FREQUENCY", "$SFO1", "$SF")
    if "PEAKTABLE" in block.records or "PEAKASSIGNMENTS" in block.records:
        return _jcamp_peaks(path, block, frequency, nucleus)
    real, imaginary, unit, first, last, notes = _jcamp_columns(path, block)
    if "FID" in kind or unit.startswith("SEC"):
        return _jcamp_fid(path, block, real, imaginary, first, last, frequency, nucleus, notes)
    reference = block.number("$SF", "$BF1") or frequency
    x = np.linspace(first, last, len(real))
    ppm = _jcamp_shift_axis(path, block, x, unit, reference, notes)
    order = slice(None, None, -1) if ppm[0] > ppm[-1] else slice(None)
    return Spectrum(
        path,
        ppm[order],
        real[order],
        reference or float("nan"),
        nucleus,
        None if imaginary is None else imaginary[order],
        block.text(".SOLVENT NAME"),
        block.text("TITLE"),
        block.parameters(),
        tuple(notes),
    )


def _jcamp_columns(path: Path, block: jcampdx.Block):
    """Real and imaginary ordinates, unit of the abscissa, its ends, notes."""
    notes: list[str] = []
    if "DATATABLE" in block.records:
        symbols = [symbol.upper() for symbol in block.list("SYMBOL")]
        rows = {name: block.list(name) for name in ("UNITS", "FACTOR", "FIRST", "LAST", "VAR_DIM")}

        def entry(name: str, symbol: str) -> float:
            try:
                return float(rows[name][symbols.index(symbol)])
            except (ValueError, IndexError):
                raise FormatError(path, place=f"label {name}", expected=f"a number for {symbol}", found=", ".join(rows[name]) or "none") from None

        x_symbol = "X" if "X" in symbols else symbols[0] if symbols else "X"
        columns: dict[str, np.ndarray] = {}
        for record in block.records["DATATABLE"]:
            match = re.match(r"\s*\(\s*X\s*\+\+\s*\(\s*(\w)", record.text, re.IGNORECASE)
            if not match:
                raise FormatError(path, place=f"line {record.line}", expected="a table X++(R..R) or X++(I..I)", found=repr(record.text.split("\n")[0]))
            symbol = match[1].upper()
            if symbol in columns:
                raise FormatError(
                    path,
                    place=f"line {record.line}",
                    expected="one page for each variable (a one-dimensional spectrum)",
                    found=f"a second page for {symbol}",
                    advice="export the rows of a 2D set one by one",
                )
            factor = entry("FACTOR", x_symbol)
            count = int(entry("VAR_DIM", symbol))
            step = (entry("LAST", x_symbol) - entry("FIRST", x_symbol)) / max(count - 1, 1) / factor if factor else None
            columns[symbol] = jcampdx.decode(path, record, first_x=entry("FIRST", x_symbol) / factor if factor else None, step=step, count=count) * entry(
                "FACTOR", symbol
            )
        real = columns.get("R", columns.get("Y"))
        if real is None:
            raise FormatError(path, place="label SYMBOL", expected="a real part R or Y", found=", ".join(columns))
        unit = rows["UNITS"][symbols.index(x_symbol)].upper() if rows["UNITS"] else "HZ"
        return real, columns.get("I"), unit, entry("FIRST", x_symbol), entry("LAST", x_symbol), notes
    unit = block.text("XUNITS", default="HZ").upper()
    x_factor, y_factor = block.number("XFACTOR") or 1.0, block.number("YFACTOR") or 1.0
    first, last = block.number("FIRSTX"), block.number("LASTX")
    if record := block.records.get("XYDATA", [None])[0]:
        form = record.text.split("\n")[0].upper().replace(" ", "")
        if "XY..XY" not in form:
            if "X++" not in form:
                raise FormatError(path, place=f"line {record.line}", expected="(X++(Y..Y)) or (XY..XY)", found=repr(form), advice="export without compression")
            count = block.number("NPOINTS")
            if first is None or last is None:
                raise FormatError(path, place="labels FIRSTX, LASTX", expected="both ends of the abscissa", found="none")
            count = int(count) if count else None
            step = (last - first) / (count - 1) / x_factor if count and count > 1 else None
            return jcampdx.decode(path, record, first_x=first / x_factor, step=step, count=count) * y_factor, None, unit, first, last, notes
    record = (block.records.get("XYDATA") or block.records["XYPOINTS"])[0]
    x, y, _ = jcampdx.pairs(path, record)
    x, y = x * x_factor, y * y_factor
    step = np.diff(x)
    if len(x) > 2 and np.abs(step - step.mean()).max() > 0.02 * abs(step.mean()) + 1e-9:
        grid = np.linspace(x[0], x[-1], len(x))
        order = np.argsort(x)
        y = np.interp(grid, x[order], y[order])
        notes.append("points are not evenly spaced: interpolated linearly")
    return y, None, unit, x[0], x[-1], notes


def _jcamp_shift_axis(path: Path, block: jcampdx.Block, x: np.ndarray, unit: str, reference: float | None, notes: list[str]) -> np.ndarray:
    if unit == "PPM":
        plain = x
    elif unit.startswith("HZ") or unit.startswith("HERTZ"):
        if not reference:
            raise FormatError(path, place="label .OBSERVE FREQUENCY", expected="the spectrometer frequency, since the axis is in Hz", found="none")
        plain = x / reference
    else:
        raise FormatError(path, place="label XUNITS", expected="HZ, PPM or SECONDS", found=unit or "none")
    axes = {"the abscissa": plain}
    offset = block.number("$OFFSET")
    if offset is not None:
        axes["OFFSET"] = plain - plain.max() + offset
    stated = block.list(".SHIFT REFERENCE")
    if len(stated) >= 4:
        try:
            index, shift = int(float(stated[2])), float(stated[3])
            if 1 <= index <= len(x):
                axes[".SHIFT REFERENCE"] = plain - plain[index - 1] + shift
        except ValueError:
            notes.append(f".SHIFT REFERENCE {block.text('.SHIFT REFERENCE')!r} is not (type, solvent, point, shift); it is not used")
    used = next(name for name in (".SHIFT REFERENCE", "OFFSET", "the abscissa") if name in axes)
    for name, axis in axes.items():
        # An abscissa from 0 to the sweep width is how many writers leave it: no contradiction.
        if (
            name != used
            and abs(axis[0] - axes[used][0]) > 0.05
            and not (name == "the abscissa" and unit != "PPM" and min(abs(plain[0]), abs(plain[-1])) < 1e-6 * abs(plain).max())
        ):
            notes.append(f"{name} places the spectrum {axis[0] - axes[used][0]:+.3f} ppm from where {used} does; {used} is used")
    return axes[used]


def _jcamp_peaks(path: Path, block: jcampdx.Block, frequency: float | None, nucleus: str) -> PeakTable:
    record = (block.records.get("PEAKTABLE") or block.records["PEAKASSIGNMENTS"])[0]
    x, y, labels = jcampdx.pairs(path, record)
    x = x * (block.number("XFACTOR") or 1.0)
    unit = block.text("XUNITS", default="PPM").upper()
    if unit.startswith("HZ") or unit.startswith("HERTZ"):
        if not frequency:
            raise FormatError(path, place="label .OBSERVE FREQUENCY", expected="the spectrometer frequency, since the positions are in Hz", found="none")
        x = x / frequency
    order = np.argsort(x, kind="stable")
    return PeakTable(
        path,
        x[order],
        (y * (block.number("YFACTOR") or 1.0))[order],
        frequency,
        nucleus,
        tuple(labels[i] for i in order) if len(labels) == len(x) else (),
        block.text("TITLE"),
        block.parameters(),
    )


def _jcamp_fid(path: Path, block: jcampdx.Block, real, imaginary, first, last, frequency, nucleus, notes) -> Fid:
    if imaginary is None:
        raise FormatError(
            path,
            place="label SYMBOL",
            expected="real and imaginary parts of the FID",
            found="the real part alone",
            advice="export the FID as NTUPLES, or the spectrum",
        )
    if not frequency:
        raise FormatError(path, place="label .OBSERVE FREQUENCY", expected="the spectrometer frequency", found="none")
    width = block.number("$SW_h") or ((len(real) - 1) / (last - first) if last > first else None)
    if not width or width <= 0:
        raise FormatError(path, place="labels FIRST, LAST", expected="a time axis in seconds", found=f"{first:g} to {last:g}")
    if last > first and abs((len(real) - 1) / (last - first) / width - 1) > 1e-2:
        notes.append(f"$SW_h {width:.2f} Hz is not the inverse of the time step, {(len(real) - 1) / (last - first):.2f} Hz; $SW_h is used")
    parameters = {name: block.number("$" + name) for name in ("GRPDLY", "DECIM", "DSPFVS")}
    delay = _group_delay({name: value for name, value in parameters.items() if value is not None}, path) if parameters["DECIM"] else 0.0
    carrier = block.number("$SFO1") or frequency
    reference = block.number("$SF", "$BF1")
    stated = block.list(".SHIFT REFERENCE")
    if reference is None and len(stated) >= 4:
        # The shift of the first point, the left edge of the spectrum at + half the sweep width.
        reference = (carrier + width / 2 * 1e-6) / (1 + float(stated[3]) * 1e-6)
    if reference is None:
        notes.append("no frequency at 0 ppm ($SF, $BF1, .SHIFT REFERENCE): the carrier is taken as 0 ppm")
    return Fid(
        path,
        (real + 1j * imaginary)[None],
        float(width),
        carrier,
        reference or carrier,
        nucleus,
        delay,
        solvent=block.text(".SOLVENT NAME"),
        title=block.text("TITLE"),
        scans=int(block.number(".AVERAGES") or 1),
        parameters=block.parameters(),
        notes=tuple(notes),
    )


__all__ = [
    "GYROMAGNETIC_MHz_T",
    "XI",
    "Fid",
    "PeakTable",
    "Spectrum",
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
