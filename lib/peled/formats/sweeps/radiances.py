"""Exports of a luminance meter: spectral radiance and luminance of each measurement."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, read_text
from peled.formats.contract import reader


@dataclass(frozen=True)
class Radiances:
    """Measurements of a spectroradiometer: spectral radiance and its own luminance for each.

    Attributes
    ----------
    wavelength_nm : ndarray (n,)
    radiance : ndarray (m, n)
        W sr⁻¹ m⁻² nm⁻¹.
    luminance_cd_m2 : ndarray (m,) or None
        As the instrument states it.
    labels : tuple of str
    metadata : dict
        Further rows of the head (integration time, x, y, ...), a tuple each.
    """

    path: Path
    wavelength_nm: np.ndarray = field(repr=False)
    radiance: np.ndarray = field(repr=False)
    luminance_cd_m2: np.ndarray | None
    labels: tuple[str, ...]
    metadata: dict = field(default_factory=dict, repr=False)


@reader("radiances of a luminance meter")
def read_radiances(path: str | os.PathLike) -> Radiances:
    """A Konica-Minolta CS-2000 export (CS-S10w): a column a measurement, rows named (Lv, x, y, ...), then one row a wavelength.

    Raises
    ------
    FormatError
        If there are no rows of wavelengths, or rows of unequal length.
    """
    path = Path(path)
    lines = read_text(path, what="a CS-2000 export").split("\n")
    delimiter = max("\t,;", key=lambda d: sum(line.count(d) for line in lines))
    decimal = "," if delimiter != "," and re.search(r"\d,\d", "".join(lines)) else "."
    wavelength, values, head = [], [], {}
    for number, line in enumerate(lines, 1):
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        while len(cells) > 1 and not cells[-1]:
            cells.pop()
        if len(cells) < 2:
            continue
        match = re.fullmatch(r"(?:Le\()?\s*(\d{3,4}(?:[.,]\d+)?)\s*(?:nm)?\s*\)?", cells[0])
        row = [delimited.parse_number(cell, decimal) for cell in cells[1:]]
        if match and None not in row:
            if values and len(row) != len(values[0]):
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected=f"{len(values[0])} values",
                    found=f"{len(row)}",
                    advice="mend or remove the line",
                )
            wavelength.append(float(match[1].replace(",", ".")))
            values.append(row)
        elif not match:
            head[cells[0]] = tuple(cells[1:])
    if len(values) < 5:
        raise FormatError(
            path,
            expected="rows that begin with a wavelength in nm",
            found=f"{len(values)}",
            advice="export with spectral data",
        )
    order = np.argsort(wavelength)
    luminance = next(
        (head[key] for key in head if re.fullmatch(r"L_?v\b.*|Luminance.*", key, re.IGNORECASE)),
        None,
    )
    lum = None
    if luminance is not None:
        parsed = [delimited.parse_number(cell, decimal) for cell in luminance]
        lum = (
            np.array(parsed, float)
            if None not in parsed and len(parsed) == len(values[0])
            else None
        )
    labels = next(
        (
            head[key]
            for key in head
            if re.search(r"data.?name|sample|^no\.?$|comment", key, re.IGNORECASE)
        ),
        tuple(str(i + 1) for i in range(len(values[0]))),
    )
    return Radiances(
        path,
        np.array(wavelength)[order],
        np.array(values, float)[order].T.copy(),
        lum,
        tuple(labels),
        head,
    )
