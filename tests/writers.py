"""Writers of text formats that only tests need."""

import numpy as np

from peled.files import write_atomically


def write_glotaran(
    path,
    delay_ps,
    wavelength_nm,
    signal,
    *,
    explicit: str = "time",
    title: str = "",
) -> None:
    """Write a matrix (delays, wavelengths) as glotaran ASCII, `explicit` "time" or "wavelength"."""
    if explicit not in ("time", "wavelength"):
        raise ValueError(f"explicit: expected 'time' or 'wavelength', found {explicit!r}")
    across, down, data = (
        (delay_ps, wavelength_nm, np.asarray(signal).T)
        if explicit == "time"
        else (wavelength_nm, delay_ps, np.asarray(signal))
    )
    lines = [
        "Header",
        f"Original filename: {title}",
        f"{explicit.capitalize()} explicit",
        f"Intervalnr {len(across)}",
        "\t" + "\t".join(f"{x:.10g}" for x in across),
    ]
    lines += [
        f"{y:.10g}\t" + "\t".join(f"{v:.8g}" for v in row)
        for y, row in zip(down, data, strict=True)
    ]
    write_atomically(path, "\n".join(lines) + "\n")


def write_matrix(
    path,
    delay_ps,
    wavelength_nm,
    signal,
    *,
    delays: str = "down",
    delimiter: str = ",",
    footer: str = "",
    digits: int = 6,
) -> None:
    """Write a matrix of text with both axes: `delays` "down" (first column; SIA with tabs) or
    "across" (first row; Surface Xplorer with commas).
    """
    down, across, data = (
        (delay_ps, wavelength_nm, np.asarray(signal))
        if delays == "down"
        else (wavelength_nm, delay_ps, np.asarray(signal).T)
    )
    corner = "delay (ps)\\wavelength (nm)" if delays == "down" else "0"
    lines = [delimiter.join([corner, *(f"{x:.8g}" for x in across)])]
    lines += [
        delimiter.join([f"{y:.8g}", *(f"{v:.{digits}g}" for v in row)])
        for y, row in zip(down, data, strict=True)
    ]
    write_atomically(path, "\n".join(lines) + "\n" + footer)


def write_xy(path, two_theta_deg, intensity, *, comment: str = "") -> None:
    """Write a pattern as `.xy` text: one comment line, two columns."""
    rows = "\n".join(f"{x:.4f} {y:.6g}" for x, y in zip(two_theta_deg, intensity, strict=True))
    write_atomically(path, (f"# {comment}\n" if comment else "") + rows + "\n")
