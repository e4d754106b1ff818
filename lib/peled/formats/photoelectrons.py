"""Photoelectron spectra as programs of spectrometers write them: VAMAS, Scienta SES text, SPECS
Prodigy text, CasaXPS text.

Tried on files not written here: tests of github.com/FAIRmat-NFDI/pynxtools-xps (`scienta_txt`,
`specs_xy`, `vms_txt_export`, `vms_analysis`) and, VAMAS, `vms_*` there and `samples/*.vms` of
github.com/wojdyr/xylib.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number
from peled.formats.vamas import Spectrum, is_vamas, read_vamas

_SCIENTA = re.compile(r"\A\s*\[Info\]\s*$.*?^\[Region 1\]\s*$", re.MULTILINE | re.DOTALL)
_CASA = re.compile(r"\A\s*Cycle \d+:.*\n\tCharacteristic Energy")
_SPECS = re.compile(r"\A\s*# Created by: +SpecsLab", re.MULTILINE)


def is_photoelectrons(path: str | os.PathLike) -> bool:
    """Whether a file says of itself that it is one of these.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    FormatError
        For a folder or no file.
    """
    if is_vamas(path):
        return True
    head = read_bytes(path)[:4000].decode("latin-1").replace("\r\n", "\n")
    return any(form.search(head) for form in (_SCIENTA, _SPECS, _CASA))


@reader("photoelectron spectra of VAMAS, Scienta SES, SPECS Prodigy or CasaXPS")
def read_photoelectrons(path: str | os.PathLike) -> tuple[Spectrum, ...]:
    """All spectra of a file.

    Counts per second become counts, by the time a point took. Slices of a detector are summed.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tuple of Spectrum
        Binding energies from kinetic ones by the photon energy that the file states.

    Raises
    ------
    FormatError
        Naming the region or the line of what cannot be used.
    """
    path = Path(path)
    if is_vamas(path):
        return read_vamas(path)
    text = read_text(path, what="photoelectron spectra")
    if _SCIENTA.search(text):
        return _scienta(path, text)
    if _SPECS.search(text):
        return _specs(path, text)
    if _CASA.search(text):
        return _casa(path, text)
    raise FormatError(path, expected="VAMAS, Scienta SES, SPECS Prodigy or CasaXPS",
                      found=repr(text[:40]), advice="export it as VAMAS")  # fmt: skip


def _scienta(path: Path, text: str) -> tuple[Spectrum, ...]:
    """Sections `[Region n]`, `[Info n]`, `[Data n]`: energy, then a column a slice."""
    head, *parts = re.split(r"^\[([^\]]+)\]\s*$", text, flags=re.MULTILINE)
    if head.strip():
        raise FormatError(path, place="line 1", expected="[Info]", found=repr(head[:40]))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    found = []
    for name in (n for n in sections if re.fullmatch(r"Region \d+", n)):
        number = name.split()[1]
        said = {
            key.strip().lower(): value.strip()
            for section in (name, f"Info {number}")
            for key, _, value in (
                line.partition("=") for line in sections.get(section, "").splitlines()
            )
        }
        rows = _rows(path, sections.get(f"Data {number}", ""), f"[Data {number}]")
        axis = said.get("dimension 1 name", said.get("energy scale", ""))
        seconds = _number(said, "time per spectrum channel")
        found.append(
            _spectrum(path, said.get("region name", name), said.get("sample", ""), said, rows[:, 0],
                      rows[:, 1:].sum(axis=1), axis, "excitation energy", seconds)
        )  # fmt: skip
    if not found:
        raise FormatError(path, expected="a section [Region 1]", found="none")
    return tuple(found)


def _specs(path: Path, text: str) -> tuple[Spectrum, ...]:
    """Comments `# Key: value` that hold on until said anew, and blocks of rows below."""
    said: dict[str, str] = {}
    found, rows, first = [], [], 0

    def close() -> None:
        if not rows:
            return
        block = _rows(path, "\n".join(rows), f"line {first}")
        seconds = _number(said, "dwell time")
        rate = "per second" in said.get("count rate", "").lower()
        if rate and seconds is None:
            raise FormatError(path, place=f"line {first}", expected="Dwell Time of counts per "
                              "second", found="none", advice="export counts")  # fmt: skip
        counts = block[:, 1] * (seconds if rate else 1.0)
        cycle = said.get("cycle", "")
        name = said.get("region", "") + (f" cycle {cycle}" if cycle not in ("", "0") else "")
        found.append(
            _spectrum(path, name.strip(), said.get("group", ""), said, block[:, 0], counts,
                      said.get("energy axis", ""), "excitation energy", seconds)
        )  # fmt: skip

    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            close()
            rows = []
            key, _, value = line[1:].partition(":")
            if value:
                said[key.strip().lower()] = value.strip().split(",")[0]
        elif line.strip():
            first = first if rows else number
            rows.append(line)
    close()
    if not found:
        raise FormatError(path, expected="rows of energy and counts", found="comments alone")
    return tuple(found)


def _casa(path: Path, text: str) -> tuple[Spectrum, ...]:
    """Blocks `Cycle n:sample:region`, each with its settings, fitted components, and a table whose
    heads begin with K.E.; energies as calibrated there, counts as measured.
    """
    lines = [[cell.strip(' "') for cell in line.split("\t")] for line in text.split("\n")]
    decimal = "," if re.search(r"^\d+,\d+(e|\t|$)", text, re.MULTILINE | re.IGNORECASE) else "."
    starts = [i for i, line in enumerate(lines) if re.match(r"Cycle \d+:", line[0])]
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        cycle, sample, *region = lines[start][0].split(":")
        said = {"cycle": cycle.removeprefix("Cycle ")}
        rows, columns = [], None
        for number, cells in enumerate(lines[start + 1 : end], start=start + 2):
            if cells[0] == "K.E.":
                columns = [cells.index(head) for head in ("B.E.", "Counts") if head in cells]
            elif columns is None and not cells[0]:
                values = (cell.replace(decimal, ".") for cell in cells[2::2])
                said |= zip(map(str.lower, cells[1::2]), values, strict=False)
            elif columns and any(cells):
                row = [parse_number(cells[i], decimal) if i < len(cells) else None for i in columns]
                if None in row or len(row) < 2:
                    raise FormatError(path, place=f"line {number}", expected="energy and counts",
                                      found=repr(" ".join(cells)[:40]))  # fmt: skip
                rows.append(row)
        if not rows or len(columns) < 2:
            raise FormatError(path, place=f"line {start + 1}, {lines[start][0]}",
                              expected="rows below the columns K.E., Counts and B.E.",
                              found=f"{len(rows)} rows of {len(columns or ())} of them",
                              advice="export counts and binding energies")  # fmt: skip
        energy, counts = np.array(rows).T
        found.append(
            _spectrum(path, ":".join(region).strip() or sample, sample, said, energy, counts,
                      "binding energy", "characteristic energy ev",
                      _number(said, "acquisition time s"))
        )  # fmt: skip
    return tuple(found)


def _rows(path: Path, text: str, place: str) -> np.ndarray:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    cells = [[parse_number(cell) for cell in line] for line in lines]
    width = len(cells[0]) if cells else 0
    bad = next((i for i, c in enumerate(cells) if len(c) != width or None in c), None)
    if bad is not None or width < 2:
        said = repr(" ".join(lines[bad])[:40]) if bad is not None else f"{width} columns"
        at = f"{place}, row {(bad or 0) + 1}"
        raise FormatError(path, place=at, expected="energy and counts in each row", found=said,
                          advice="export it again")  # fmt: skip
    return np.array(cells, float)


def _number(said: Mapping[str, str], key: str) -> float | None:
    value = parse_number(said.get(key, ""))
    return value if value is not None and value > 0 else None


def _spectrum(path, name, sample, said, energy, counts, axis, photon_key, seconds) -> Spectrum:
    photon = _number(said, photon_key)
    binding = "binding" in axis.lower()
    if not binding and "kinetic" not in axis.lower():
        raise FormatError(path, place=name, expected="a binding or kinetic energy axis",
                          found=repr(axis))  # fmt: skip
    if not binding and photon is None:
        raise FormatError(path, place=name, expected="the excitation energy of a kinetic axis",
                          found="none", advice="export over binding energy")  # fmt: skip
    other = photon - energy if photon is not None else np.full_like(energy, np.nan)
    kinetic, bound = (other, energy) if binding else (energy, other)
    low = photon is not None and photon < 100.0
    return Spectrum(
        path, name or path.stem, sample, "UPS" if low else "XPS", name, said.get("source", ""),
        photon, kinetic, bound, np.asarray(counts, float), collection_time_s=seconds,
        pass_energy_eV=_number(said, "pass energy"), variables=dict(said),
    )  # fmt: skip
