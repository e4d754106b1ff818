"""What lies in a folder of structure files: what a file is, and a row of the sheet as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from peled.formats import FormatError, reading_once
from peled.formats.delimited import Column, Table, read_table
from peled.formats.diffraction import Pattern, read_pattern, read_patterns
from peled.formats.images import Image, is_image, read_image
from peled.formats.infrared import InfraredSpectrum, is_infrared, read_infrared
from peled.formats.photoelectrons import is_photoelectrons, read_photoelectrons
from peled.formats.vamas import Spectrum
from peled.materials import HC_EV_NM
from peled.samples import Content, Row
from peled.structure import icpms, xps
from peled.structure.reading import read_counts, read_lead

#: Photon energies by what stands in the column `anode`, eV.
PHOTONS_EV = {"al": xps.AL_EV, "mg": xps.MG_EV, "he": xps.HE_I_EV, "he i": xps.HE_I_EV}
#: Heads of the axis of photoelectron spectra, written out or abbreviated.
_ELECTRONS = re.compile(r"[\s\"]*(b\.? ?e\.?|binding|k\.? ?e\.?|kinetic)(?![a-z])")
_ULTRAVIOLET_EV = 100.0
_LATTICE_NM = 0.13  #: pixels finer than this resolve a lattice plane of 0.3 nm


def sniff(path: Path) -> Content | None:
    """What a file holds, from its content alone (see `peled.samples.Sniffer`).

    Two columns of numbers are told apart by their heads (binding or kinetic energy, wavenumber,
    photon energy, wavelength, 2theta), without heads by the range of the first: wavenumbers reach
    from above 100 beyond 1000, 2theta stays below 170.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        None for a folder.

    Raises
    ------
    FormatError
        If no reader of this topic knows the file.
    """
    if path.is_dir():
        return None
    with reading_once():
        return _sniffed(path)


#: Names of files that only diffractometers write.
_DIFFRACTOMETERS = (".xrdml", ".raw", ".ras", ".rasx", ".brml", ".uxd")


def _sniffed(path: Path) -> Content | None:
    if is_photoelectrons(path):
        return _photoelectrons(read_photoelectrons(path))
    if is_infrared(path):
        return _sniff_infrared(path)
    if is_image(path):
        return _sniff_image(path)
    if path.suffix.lower() in _DIFFRACTOMETERS:
        return _sniff_pattern(path)
    if path.suffix.lower() == ".cif":  # a structure for the setting `phases`
        return None
    if path.suffix.lower() == ".spc":
        raise FormatError(path, expected="SPC over wavenumbers", found="another axis or version",
                          advice="export it as text")  # fmt: skip
    errors = []
    for look in (_sniff_lead, _sniff_counts, _sniff_pattern, _sniff_table):
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
    try:
        image = read_image(path)
    except FormatError:
        read_image(path, pixel_nm=1.0)  # the size of a pixel was all that it lacked
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
    if found := _ELECTRONS.match(head):
        return "ups" if x.max() < 25 and found[1][0] == "b" else "xps"
    if "wavenumber" in head or "cm-1" in head or "cm⁻¹" in head or "1/cm" in head:
        return "ftir"
    if "energy" in head or "wavelength" in head or column.unit in ("eV", "nm"):
        return "absorption"
    if "theta" in head or "θ" in head:
        return "xrd"
    if head.strip():
        return ""
    return "ftir" if x.min() > 100 and x.max() > 1000 else "xrd" if 10 < x.max() < 170 else ""


def _sniff_table(path: Path) -> Content | None:
    table = read_table(path)
    if len(table.numeric) < 2:
        return None
    if not (word := _axis(table)):
        axis = table.numeric[0]
        raise FormatError(
            path, place="column heads", expected="an axis of binding, kinetic or photon energy, "
            "wavelength, wavenumber or 2theta",
            found=f"{axis.head!r} from {axis.values[0]:g} to {axis.values[-1]:g}",
            advice="write it into the head, or the measurement into the sample sheet",
        )  # fmt: skip
    if word == "ftir":
        return _sniff_infrared(path)
    names = tuple(c.name for c in table.numeric[1:])
    return Content(word, names if len(set(names)) == len(names) > 1 else ())


def _sniff_pattern(path: Path) -> Content | None:
    patterns = read_patterns(path)
    if path.suffix.lower() not in _DIFFRACTOMETERS:
        # Any two columns of numbers are a pattern to the reader.
        table = read_table(path)
        if _axis(table) != "xrd":
            return None
    labels = tuple(p.label for p in patterns)
    if len(labels) > 1 and all(re.fullmatch(r"scan \d+", label) for label in labels):
        return Content("xrd", labels, kinds=(Content("xrd"),) * len(labels))  # of one sample
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
    if is_photoelectrons(path):
        spectra = read_photoelectrons(path)
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
    photon = PHOTONS_EV.get(str(row.settings.get("anode", "")).lower())
    energy, counts = _binding(path, table.numeric[0], photon), table.numeric[1 + index].values
    kinetic = photon - energy if photon else np.full_like(energy, np.nan)
    one = Spectrum(
        path, path.stem, row.sample, row.measurement.upper(), path.stem, "", photon, kinetic,
        energy, counts, collection_time_s=row.settings.get("dwell_s"),
    )  # fmt: skip
    return (one,)


def _infrared(path: Path, row: Row) -> InfraredSpectrum:
    spectra = read_infrared(path)
    part = row.part.lower()
    meant = [s for s in spectra if part == s.label.lower()]
    meant = meant or [s for s in spectra if part in s.label.lower()]
    if len(meant) != 1:
        labels = ", ".join(repr(s.label) for s in spectra[:8])
        raise FormatError(path, expected="one spectrum", found=f"{len(meant)} of {labels}",
                          advice="give its label as part")  # fmt: skip
    return meant[0]


def _binding(path: Path, axis: Column, photon: float | None) -> np.ndarray:
    """Binding energies, eV, of an axis of binding or kinetic energies or of E − E_F."""
    head = re.sub(r"[\s_−–]", lambda m: "-" if m[0] in "−–" else "", axis.name.lower())
    electrons = _ELECTRONS.match(axis.name.lower())
    if electrons and electrons[1][0] == "k":
        if photon is None:
            raise FormatError(path, expected="the photon energy of kinetic energies", found="none",
                              advice="give anode (Al, Mg, He I) in the sample sheet")  # fmt: skip
        return photon - axis.values
    return -axis.values if re.match(r"e-e?f", head) else axis.values


#: Photon energy, eV, of an axis in a unit.
_AXIS_EV = {
    "ev": lambda x: x, "mev": lambda x: x / 1e3, "nm": lambda x: HC_EV_NM / x,
    "µm": lambda x: HC_EV_NM / (1e3 * x), "um": lambda x: HC_EV_NM / (1e3 * x),
    "cm-1": lambda x: 1e-7 * HC_EV_NM * x, "1/cm": lambda x: 1e-7 * HC_EV_NM * x,
}  # fmt: skip


def _photon_eV(path: Path, axis: Column, x: np.ndarray) -> np.ndarray:
    """By the unit in the axis' head; without one only what cannot be mistaken is taken."""
    unit = axis.unit.lower().replace("⁻¹", "-1").replace("^", "").replace("μ", "µ").strip()
    if unit not in _AXIS_EV:
        unit = "ev" if x.max() < 12 else "nm" if x.min() > 150 and x.max() < 3500 else ""
    if not unit:
        raise FormatError(
            path, expected="nm, µm, eV or cm-1 in the head of the axis",
            found=f"{axis.name!r} from {x.min():g} to {x.max():g}", advice="write the unit there",
        )  # fmt: skip
    return _AXIS_EV[unit](x)


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
    x = _photon_eV(path, axis, x)
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
