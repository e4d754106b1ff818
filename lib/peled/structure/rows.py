"""What lies in a folder of structure files: what a file is, and a row of the sheet as data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.delimited import Table, read_table
from peled.formats.diffraction import Pattern, read_pattern, read_patterns
from peled.formats.images import Image, read_image
from peled.formats.infrared import InfraredSpectrum, read_infrared
from peled.formats.vamas import Spectrum, is_vamas, read_vamas
from peled.materials import HC_EV_NM
from peled.samples import Content, Row
from peled.structure import icpms, xps
from peled.structure.reading import read_counts, read_lead

#: Photon energies by what stands in the column `anode`, eV.
PHOTONS_EV = {"al": xps.AL_EV, "mg": xps.MG_EV, "he": xps.HE_I_EV, "he i": xps.HE_I_EV}
_ULTRAVIOLET_EV = 100.0
_LATTICE_NM = 0.13  #: pixels finer than this resolve a lattice plane of 0.3 nm


def sniff(path: Path) -> Content | None:
    """What a file holds, from its content alone (see `peled.samples.Sniffer`).

    Two columns of numbers are told apart by their heads (binding energy, wavenumber, photon energy,
    wavelength, 2theta), without heads by the range of the first: wavenumbers reach beyond 1000,
    2theta stays below 170.
    """
    if path.is_dir():
        return None
    if is_vamas(path):
        return _photoelectrons(read_vamas(path))
    errors = []
    for look in (
        _sniff_image,
        _sniff_lead,
        _sniff_counts,
        _sniff_pattern,
        _sniff_table,
        _sniff_infrared,
    ):
        try:
            found = look(path)
        except FormatError as error:
            errors.append(error)
        else:
            if found is not None:
                return found
    raise errors[-1]


def _photoelectrons(spectra: Sequence[Spectrum]) -> Content:
    low = all((s.photon_energy_eV or xps.AL_EV) < _ULTRAVIOLET_EV for s in spectra)
    samples = tuple(dict.fromkeys(s.sample for s in spectra))
    return Content("ups" if low else "xps", samples if len(samples) > 1 else ())


def _sniff_image(path: Path) -> Content:
    image = read_image(path, pixel_nm=1.0)
    try:
        image = read_image(path)
    except FormatError:
        return Content("tem")
    return Content("hrtem" if image.pixel_nm < _LATTICE_NM else "tem")


def _sniff_lead(path: Path) -> Content:
    return Content("icpms", tuple(read_lead(path)[1]))


def _sniff_counts(path: Path) -> Content:
    read_counts(path)
    return Content("eds")


def _axis(table: Table) -> str:
    """What the first column is: a measurement word, or nothing."""
    column = table.numeric[0]
    head, x = f"{column.name} {column.unit}".lower(), column.values
    if "binding" in head:
        return "ups" if x.max() < 25 else "xps"
    if "wavenumber" in head or "cm-1" in head or "cm⁻¹" in head or "1/cm" in head:
        return "ftir"
    if "energy" in head or "wavelength" in head or column.unit in ("eV", "nm"):
        return "absorption"
    if "theta" in head or "θ" in head:
        return "xrd"
    if head.strip():
        return ""
    return "ftir" if x.max() > 1000 else "xrd" if 10 < x.max() < 170 else ""


def _sniff_table(path: Path) -> Content | None:
    table = read_table(path)
    if len(table.numeric) < 2 or not (word := _axis(table)):
        return None
    names = tuple(c.name for c in table.numeric[1:])
    return Content(word, names if len(names) > 1 else ())


def _sniff_pattern(path: Path) -> Content | None:
    patterns = read_patterns(path)
    if path.suffix.lower() not in (".xrdml", ".raw", ".ras", ".rasx", ".brml", ".uxd"):
        # Any two columns of numbers are a pattern to the reader.
        table = read_table(path)
        if _axis(table) != "xrd":
            return None
    labels = tuple(p.label for p in patterns)
    return Content("xrd", labels if len(set(labels)) == len(labels) > 1 else ())


def _sniff_infrared(path: Path) -> Content:
    spectra = read_infrared(path)
    labels = tuple(s.label for s in spectra)
    return Content("ftir", labels if len(set(labels)) == len(labels) > 1 else ())


# ---- rows as data --------------------------------------------------------------------------------


def _xrd(path: Path, row: Row) -> Pattern:
    said = row.settings
    return read_pattern(
        path, row.part or None, wavelength_A=said.get("wavelength_A"), anode=said.get("anode")
    )


def _image(path: Path, row: Row) -> Image:
    return read_image(path, pixel_nm=row.settings.get("pixel_nm"))


def _spectra(path: Path, row: Row) -> tuple[Spectrum, ...]:
    if is_vamas(path):
        spectra = read_vamas(path)
        if row.part:
            word = row.part.lower()
            spectra = tuple(s for s in spectra if s.sample.lower() == word) or tuple(
                s for s in spectra if word in s.name.lower()
            )
        if not spectra:
            raise FormatError(path, expected=f"blocks of {row.part!r}", found="none")
        return spectra
    table = read_table(path)
    if len(table.numeric) < 2:
        raise FormatError(path, expected="binding energy and counts", found="one column")
    names = [c.name for c in table.numeric[1:]]
    index = names.index(row.part) if row.part in names else 0
    energy, counts = table.numeric[0].values, table.numeric[1 + index].values
    photon = PHOTONS_EV.get(str(row.settings.get("anode", "")).lower())
    kinetic = photon - energy if photon else np.full_like(energy, np.nan)
    one = Spectrum(
        path, path.stem, row.sample, row.measurement.upper(), path.stem, "", photon, kinetic,
        energy, counts, collection_time_s=row.settings.get("dwell_s"),
    )  # fmt: skip
    return (one,)


def _infrared(path: Path, row: Row) -> InfraredSpectrum:
    spectra = read_infrared(path)
    if row.part:
        spectra = tuple(s for s in spectra if row.part.lower() in s.label.lower())
    if len(spectra) != 1:
        raise FormatError(
            path, expected="one spectrum", found=str(len(spectra)), advice="give its label as part"
        )
    return spectra[0]


def _tail(path: Path, row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Photon energy, eV, increasing, and signal."""
    table = read_table(path)
    if len(table.numeric) < 2:
        raise FormatError(path, expected="an axis and a signal", found="one column")
    axis, names = table.numeric[0], [c.name for c in table.numeric[1:]]
    if row.part and row.part not in names:
        raise FormatError(path, expected=f"a column {row.part}", found=", ".join(names))
    if not row.part and len(names) > 1:
        raise FormatError(path, expected="one signal", found=", ".join(names),
                          advice="give its head as part")  # fmt: skip
    x, y = axis.values, table.numeric[1 + (names.index(row.part) if row.part else 0)].values
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if len(x) < 20 or x.min() <= 0:
        raise FormatError(path, expected="20 points over a positive axis", found=f"{len(x)}")
    if x.min() > 50:
        x = HC_EV_NM / x
    elif x.max() > 12:
        raise FormatError(path, expected="nm or eV", found=f"{x.min():g} to {x.max():g}")
    order = np.argsort(x)
    return x[order], y[order]


def _lead(path: Path, row: Row) -> tuple[icpms.Calibration, dict[str, icpms.Content]]:
    line, contents = read_lead(path)
    wanted = row.part or row.sample
    if wanted in contents:
        contents = {wanted: contents[wanted]}
    return line, contents


READERS = {
    "xrd": _xrd, "tem": _image, "hrtem": _image, "xps": _spectra, "ups": _spectra,
    "ftir": _infrared, "absorption": _tail, "icpms": _lead,
    "eds": lambda path, row: read_counts(path),
}  # fmt: skip
