"""Exports of a luminance meter: spectral radiance and luminance of each measurement."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import Account, Sheet, is_name


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
    account: Account = field(default_factory=Account, repr=False)


@reader("radiances of a luminance meter")
def read_radiances(path: str | os.PathLike) -> Radiances:
    """A Konica-Minolta CS-2000 export (CS-S10w).

    A column a measurement, rows named (Lv, x, y, ...), then one row a wavelength.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Radiances

    Raises
    ------
    FormatError
        If there are no rows of wavelengths, or rows of unequal length.
    """
    sheet = Sheet.read(path, what="a CS-2000 export")
    wavelength, values, head = _rows(sheet)
    account = sheet.settle()
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
        lum = np.array([np.nan if (v := sheet.number(c)) is None else v for c in luminance])
        if lum.size != len(values[0]) or np.isnan(lum).any():
            expected = f"{len(values[0])} luminances"
            raise FormatError(path, expected=expected, found=", ".join(luminance), place="row Lv")
    labels = next(
        (
            head[key]
            for key in head
            if re.search(r"data.?name|sample|^no\.?$|comment", key, re.IGNORECASE)
        ),
        tuple(str(i + 1) for i in range(len(values[0]))),
    )
    return Radiances(
        sheet.path,
        np.array(wavelength)[order],
        np.array(values, float)[order].T.copy(),
        lum,
        tuple(labels),
        head,
        account,
    )


def _rows(sheet: Sheet) -> tuple[list[float], list[list[float]], dict[str, tuple[str, ...]]]:
    """Wavelengths, their rows of numbers, and the named rows."""
    wavelength, values, head = [], [], {}
    for i in sheet.content:
        cells = sheet.row(i)[0]
        while len(cells) > 1 and not cells[-1]:
            cells = cells[:-1]
        if len(cells) < 2 or sheet.is_comment(i):
            continue
        match = re.fullmatch(r"(?:Le\()?\s*(\d{3,4}(?:[.,]\d+)?)\s*(?:nm)?\s*\)?", cells[0])
        if match:
            width = len(values[0]) if values else len(cells) - 1
            values.append(sheet.numbers(i, width, skip=1))
            wavelength.append(float(match[1].replace(",", ".")))
        elif not is_name(cells[0]):
            raise sheet.refuse(i, "a wavelength or a name", repr(cells[0]), "mend the cell", 0)
        else:
            head[cells[0]] = tuple(cells[1:])
            sheet.claims[i] = "key"
    rows = [i for i, kind in sheet.claims.items() if kind == "data"]
    between = [
        i for i, kind in sheet.claims.items() if kind == "key" and rows and rows[0] < i < rows[-1]
    ]
    if between:
        raise sheet.refuse(between[0], "a wavelength", advice="mend the cell", column=0)
    return wavelength, values, head
