"""Writers of the instrument formats that the forward models leave behind: Bruker folders, VAMAS,
Ultrafast Systems `.ufs`, ImageJ TIFF. They share nothing with the readers but the layout.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np

from peled.files import write_atomically


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
    size, arrayed = 2 * data.shape[1], contact_times_s is not None
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
    offset = (carrier_MHz - reference_MHz) / reference_MHz * 1e6
    edge = offset + spectral_width_Hz / 2 / reference_MHz
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
    write_atomically(folder / ("ser" if arrayed else "fid"), _integers(data, arrayed))
    write_atomically(folder / "acqus", _bruker_text(acqus, origin))
    write_atomically(folder / "pdata" / "1" / "procs", _bruker_text(procs, origin))
    write_atomically(folder / "pdata" / "1" / "title", title + "\n")
    if arrayed:
        write_atomically(folder / "acqu2s", _bruker_text({"TD": len(data), "SW_h": 0}, origin))
        times = "".join(f"{t * 1e6:.6g}u\n" for t in np.asarray(contact_times_s))
        write_atomically(folder / "vplist", times)
    return folder


def _integers(data: np.ndarray, arrayed: bool) -> bytes:
    """Real and imaginary parts in turn; traces of a `ser` are padded to blocks of 1 kB."""
    size = 2 * data.shape[1]
    values = np.zeros((len(data), -(-size // 256) * 256 if arrayed else size), "<i4")
    values[:, 0:size:2], values[:, 1:size:2] = np.rint(data.real), np.rint(data.imag)
    return values.tobytes()


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


def write_vamas(
    path: str | os.PathLike,
    blocks: list[dict],
    *,
    comment: tuple[str, ...] = (),
    irregular: bool = False,
) -> None:
    """Write spectra as VAMAS, regular (binding energy start and step) or irregular (kinetic energy,
    counts, transmission).

    Parameters
    ----------
    blocks : list of dict
        Keys `name`, `sample`, `technique`, `source`, `photon_energy_eV`, `species`, `transition`,
        `kinetic_energy_eV`, `counts`, and optionally `transmission`, `pass_energy_eV`,
        `collection_time_s`, `scans`, `target_bias_V`.
    """
    unknown, nowhere = ["1e+37"], ["Not Specified"]
    out = ["VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"]
    out += [*4 * nowhere, str(len(comment)), *comment, "NORM"]
    out += ["IRREGULAR" if irregular else "REGULAR", str(len(blocks)), "1", "Exp Variable", "d"]
    out += [*"0000", str(len(blocks))]
    for b in blocks:
        kinetic, counts = np.asarray(b["kinetic_energy_eV"], float), np.asarray(b["counts"], float)
        out += [b["name"], b["sample"], "2020", "1", "1", *"00000", b["technique"], "0"]
        out += [b["source"], f"{b['photon_energy_eV']:.6g}", *5 * unknown, "FAT"]
        out += [f"{b.get('pass_energy_eV', 20):g}", *2 * unknown, f"{b.get('target_bias_V', 0):g}"]
        out += [*2 * unknown, *"00", b["species"], b["transition"], "-1"]
        columns = {("Kinetic Energy", "eV"): kinetic} if irregular else {}
        columns["Intensity", "d"] = counts
        if "transmission" in b:
            columns["transmission", "d"] = np.asarray(b["transmission"], float)
        if not irregular:
            step = (kinetic[-1] - kinetic[0]) / (len(kinetic) - 1)
            out += ["Kinetic Energy", "eV", f"{kinetic[0]:.6g}", f"{step:.8g}"]
        out += [str(len(columns)), *(word for head in columns for word in head), "pulse counting"]
        out += [f"{b.get('collection_time_s', 0.1):g}", str(b.get("scans", 1)), *"00000"]
        out += [str(len(columns) * len(counts))]
        out += [f"{f(values):.6g}" for values in columns.values() for f in (np.min, np.max)]
        out += [f"{v:.6g}" for row in zip(*columns.values(), strict=True) for v in row]
    write_atomically(path, "\r\n".join(out) + "\r\nend of experiment\r\n")


def write_ufs(
    path: str | os.PathLike, delay_ps, wavelength_nm, signal, *, metadata: str = ""
) -> None:
    """Write a matrix (delays, wavelengths) as Ultrafast Systems `.ufs`, Version 2."""

    def text(s: str) -> bytes:
        raw = s.encode("latin-1")
        return struct.pack(">i", len(raw)) + raw

    def axis(name: str, unit: str, values) -> bytes:
        return (
            text(name)
            + text(unit)
            + struct.pack(">i", len(values))
            + np.asarray(values, ">f8").tobytes()
        )

    signal = np.asarray(signal, float)
    if signal.shape != (len(delay_ps), len(wavelength_nm)):
        raise ValueError(
            f"ufs: expected {len(delay_ps)} × {len(wavelength_nm)} signals, found {signal.shape}"
        )
    body = (
        text("Version2")
        + axis("Wavelength", "nm", wavelength_nm)
        + axis("Time", "ps", delay_ps)
        + text("DA")
        + struct.pack(">iii", 0, len(wavelength_nm), len(delay_ps))
    )
    write_atomically(path, body + np.ascontiguousarray(signal.T, ">f8").tobytes() + text(metadata))


def write_tiff(path: str | os.PathLike, pixels: np.ndarray, pixel_nm: float) -> None:
    """Write an 8- or 16-bit image as an ImageJ TIFF with its scale, compressed by deflate."""
    import tifffile

    stream = io.BytesIO()
    # tifffile compresses no ImageJ file: the scale goes into the standard tags and the text.
    description = f"ImageJ=1.53\nunit=nm\nmin={int(pixels.min())}\nmax={int(pixels.max())}\n"
    tifffile.imwrite(
        stream,
        pixels,
        resolution=(1 / pixel_nm, 1 / pixel_nm),
        resolutionunit=1,
        description=description,
        compression="zlib",
        predictor=True,
        metadata=None,
        software=False,
    )
    write_atomically(path, stream.getvalue())
