"""Infrared spectra: Thermo OMNIC `.spa` and `.spg`, Bruker OPUS and `.dpt`, JCAMP-DX `.jdx`,
Galactic `.spc` (with spc-io), and delimited text.
"""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, jcampdx, read_bytes
from peled.formats.contract import Bytes, reader
from peled.formats.delimited import Account, read_table

_OPUS_RESULTS = {
    "a": "absorbance",
    "t": "transmittance",
    "r": "reflectance",
    "km": "Kubelka-Munk",
    "logr": "log reflectance",
    "atr": "ATR",
}
#: Ordinates of Galactic files, as spc-io names them.
_SPC = {"YABSRB": "absorbance", "YTRANS": "transmittance", "YREFLEC": "reflectance",
        "YKMONK": "Kubelka-Munk", "YLOGDR": "log reflectance"}  # fmt: skip
_OPUS = b"\x0a\x0a\xfe\xfe"  # the first bytes of every Bruker OPUS file


@dataclass(frozen=True)
class InfraredSpectrum:
    """One spectrum: wavenumber increasing, cm-1; `values` as `quantity` says (`absorbance`,
    `transmittance`, ...).
    """

    path: Path
    label: str
    wavenumber_cm1: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    quantity: str = "absorbance"
    metadata: dict = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)

    @property
    def absorbance(self) -> np.ndarray:
        """Absorbance, computed from transmittance where that was recorded; of ATR as recorded.

        Where no light comes through, noise takes the transmittance below zero: absorbance ends at
        the size of its lowest value.

        Raises
        ------
        FormatError
            Where less than half of the transmittance is above that, or the quantity is neither.
        """
        if self.quantity in ("absorbance", "ATR"):
            return self.values
        if self.quantity.startswith("transmittance"):
            fraction = self.values / (100 if self.quantity.endswith("%") else 1)
            if (dark := fraction.min()) <= 0:
                floor = -dark or fraction[fraction > 0].min(initial=1.0)
                if np.median(fraction) <= floor:
                    raise FormatError(
                        self.path,
                        expected="positive transmittance",
                        found=f"{dark:.3g}",
                        advice="measure the background again, or cut the range",
                    )
                fraction = np.maximum(fraction, floor)
            return -np.log10(fraction)
        raise FormatError(self.path, expected="absorbance or transmittance", found=self.quantity)


def is_infrared(path: str | os.PathLike) -> bool:
    """Whether a file is of a program that writes spectra over wavenumbers, or JCAMP-DX.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    head = read_bytes(path)[:4000]
    of_program = head[:18] == b"Spectral Data File" or head[:4] == _OPUS or _is_spc(head)
    return of_program or jcampdx.is_jcampdx(head)


def _is_spc(head: bytes) -> bool:
    """Whether a Galactic file over wavenumbers: version 4B or 4D, axis 1, a binary header."""
    return len(head) > 512 and head[1] in b"KM" and head[28] == 1 and b"\0" in head[4:256]


@reader("an infrared spectrum")
def read_infrared(path: str | os.PathLike) -> tuple[InfraredSpectrum, ...]:
    """All spectra of a file.

    Tried on files not written here: OPUS on the ten of github.com/spectral-cockpit/opusreader2
    (`inst/extdata`), spectrochempy/spectrochempy_data (`testdata/irdata/OPUS`) and
    joshduran/brukeropus (`examples/file.0`); OMNIC on spectrochempy_data (83 `.spa`, `wodger.spg`,
    `CO@Mo_Al2O3.SPG`); JCAMP-DX on the 88 infrared files of nzhagen/jcamp and
    cheminfo/jcampconverter, value by value against the `jcamp` package; SPC on the three over
    wavenumbers of github.com/rohanisaac/spc.

    Parameters
    ----------
    path : path-like
        OMNIC, OPUS, JCAMP-DX, Galactic SPC, or text with a column of wavenumbers.

    Returns
    -------
    tuple of InfraredSpectrum
        Wavenumbers increasing, cm⁻¹; labels are numbered where they do not tell them apart.

    Raises
    ------
    FormatError
        For a missing, cut or unknown file, another technique, a wavenumber axis that is not
        monotonic, or values that are not finite.
    """
    path = Path(path)
    content = read_bytes(path, what="an infrared spectrum")
    if content[:18] == b"Spectral Data File":
        found = _read_omnic(path, content)
    elif content[:4] == _OPUS:
        found = _read_opus(path)
    elif _is_spc(content[:4000]):
        found = _read_spc(path, content)
    elif jcampdx.is_jcampdx(content[:4000]):
        found = _read_jcamp(path)
    else:
        found = _read_columns(path)
    found = [_ordered(s) for s in found]
    if len({s.label for s in found}) < len(found):
        found = [replace(s, label=f"{s.label or path.stem} {i}") for i, s in enumerate(found, 1)]
    return tuple(found)


def _ordered(s: InfraredSpectrum) -> InfraredSpectrum:
    x, y = np.asarray(s.wavenumber_cm1, float), np.asarray(s.values, float)
    step = np.diff(x)
    if (step < 0).all():
        x, y, step = x[::-1], y[::-1], np.diff(x[::-1])
    if len(x) < 10 or not (step > 0).all():
        bad = int(np.argmin(step > 0)) if len(x) >= 10 else 0
        raise FormatError(
            s.path,
            place=f"point {bad + 2}",
            expected="wavenumbers in one order, at least 10",
            found=f"{x[bad]:.6g} then {x[min(bad + 1, len(x) - 1)]:.6g}" if len(x) else "none",
        )
    if x[0] < 0 or x[-1] > 20000:
        raise FormatError(
            s.path,
            expected="wavenumbers in cm-1 between 0 and 20000",
            found=f"{x[0]:.5g} to {x[-1]:.5g}",
        )
    return replace(s, wavenumber_cm1=x, values=y)


def _quantity(text: str, values: np.ndarray, default: str = "absorbance") -> str:
    """What an ordinate is, by its name or unit; `default` where that names neither of the usual
    ones.
    """
    text = text.lower()
    if "transm" in text or re.search(r"%\s*t\b|^t\s*[(\[]?\s*%?\s*[)\]]?$", text.strip()):
        return (
            "transmittance, %"
            if "%" in text or "percent" in text or values.max() > 5
            else "transmittance"
        )
    if "reflect" in text and "log" not in text:
        return "reflectance"
    return "absorbance" if "absorbance" in text or not text.strip() else default


def _read_columns(path: Path) -> list[InfraredSpectrum]:
    table = read_table(path)
    expected = "columns of numbers: wavenumber, then one or more spectra"
    axis, spectra = table.along_first(expected, r"wave ?(number|length)|cm-1")
    x = axis.values
    if re.search(r"(?<![a-z])([µμu]m(?![a-z])|micro)", axis.head, re.IGNORECASE):
        if (x <= 0).any():
            raise FormatError(path, expected="positive wavelengths", found=f"{x.min():g} µm")
        x = 1e4 / x
    elif re.search(r"(?<![A-Za-z])(nm|eV|2.?theta|time|ppm)(?![A-Za-z])", axis.head):
        raise FormatError(
            path,
            place="column heads",
            expected="wavenumbers (cm-1) or wavelengths in µm",
            found=repr(axis.head),
            advice="export over wavenumber",
        )
    return [
        InfraredSpectrum(
            path, c.name, x, c.values, _quantity(c.head, c.values), table.metadata, table.account
        )
        for c in spectra
    ]


def _read_omnic(path: Path, content: bytes) -> list[InfraredSpectrum]:
    """OMNIC `.spa` and `.spg`: from byte 304 a table of sections of 16 bytes (key, address, size).

    Key 2 is the header of a spectrum, key 3 its values, key 107 its name in a group.
    """
    sections: dict[int, list[tuple[int, int]]] = {}
    at = 304
    while at + 16 <= len(content) and content[at] not in (0, 1):
        sections.setdefault(content[at], []).append(struct.unpack_from("<II", content, at + 2))
        at += 16
    heads, values = sections.get(2, []), sections.get(3, [])
    if not heads or len(heads) != len(values):
        raise FormatError(
            path,
            place="byte 304",
            expected="sections 2 (header) and 3 (values), one of each a spectrum",
            found=", ".join(f"{len(found)} of {key}" for key, found in sections.items()) or "none",
            advice="export it as CSV",
        )
    names = [content[address : address + 256] for address, _ in sections.get(107, [])]
    if len(names) != len(heads):
        names = [content[30:286]] * len(heads)
    labels = [name.split(b"\0")[0].decode("latin-1").strip() for name in names]
    return [
        _omnic_spectrum(Bytes(path, content, "<"), label, head, *value)
        for label, (head, _), value in zip(labels, heads, values, strict=True)
    ]


def _omnic_spectrum(
    content: Bytes, label: str, head: int, address: int, size: int
) -> InfraredSpectrum:
    n, kind_x, kind_y, first, last = content.get("IB3xB3xff", "a header", head + 4)
    if n < 2 or size < 4 * n:
        raise content.refuse(head + 4, f"{size // 4} values", f"{n} in the header")
    if kind_x not in (1, 32):
        advice = "export it as CSV over wavenumber"
        raise content.refuse(head + 8, "wavenumbers (code 1)", f"code {kind_x}", advice)
    quantity = {
        16: "transmittance, %",
        17: "absorbance",
        11: "reflectance",
        12: "absorbance",
        20: "Kubelka-Munk",
        22: "volt",
    }.get(kind_y, f"ordinate of code {kind_y}")
    return InfraredSpectrum(
        content.path,
        label,
        np.linspace(first, last, n),
        content.values("f4", n, "values", address),
        quantity,
        {"title": label},
    )


def _read_opus(path: Path) -> list[InfraredSpectrum]:
    """Bruker OPUS: every result over wavenumber; single channels, interferograms and derivatives
    are none.
    """
    from brukeropus import OPUSFile

    content = OPUSFile(str(path))
    names = [
        key
        for key in content.all_data_keys
        if key.split("_")[0] in _OPUS_RESULTS
        and getattr(content, key).block.type[4] == 0  # else a derivative
        and not key.endswith("ch")
    ]
    broken = [b for b in content.parse_error_blocks if b.type[:2] != (0, 0)]
    if broken or not names:
        held = [getattr(content, key).label for key in content.all_data_keys]
        raise FormatError(
            path,
            expected=f"one of {', '.join(_OPUS_RESULTS.values())}",
            found=f"{len(broken)} damaged blocks" if broken else ", ".join(held) or "no spectrum",
            advice="save the result spectrum in OPUS, or copy the file again",
        )
    found = []
    for name in names:
        data, (kind, *number) = getattr(content, name), name.split("_")
        for i, y in enumerate(rows := np.atleast_2d(data.y), 1):
            if len(y) != len(data.x):
                raise FormatError(
                    path,
                    place=data.label,
                    expected=f"{len(data.x)} values",
                    found=str(len(y)),
                    advice="the file is cut; copy it again",
                )
            words = [str(getattr(content.params, "snm", ""))]
            words += [data.label, *number] if len(names) > 1 else []
            words += [str(i)] if len(rows) > 1 else []
            found.append(
                InfraredSpectrum(
                    path,
                    " ".join(words).strip(),
                    np.asarray(data.wn, float),
                    np.asarray(y, float),
                    _quantity(_OPUS_RESULTS[kind], y, default=data.label.lower()),
                    dict(content.params.items()),
                )
            )
    return found


def _read_spc(path: Path, content: bytes) -> list[InfraredSpectrum]:
    """Galactic `.spc` of version 4B, its spectra one by one."""
    try:
        import spc_io
    except ImportError:
        advice = "pip install 'peled[spc]', or export it as JCAMP-DX"
        raise FormatError(
            path, expected="spc-io to read .spc", found="none installed", advice=advice
        ) from None
    if content[1:2] != b"K":
        raise FormatError(path, place="byte 1", expected="version 4B of SPC", found="4D, of DOS",
                          advice="save it anew, or export it as JCAMP-DX")  # fmt: skip
    file = spc_io.SPC.from_bytes_io(io.BytesIO(content))
    spectra, kind = list(file), _SPC.get(file.ytype, file.ytype)
    return [
        InfraredSpectrum(
            path, path.stem if len(spectra) == 1 else f"{path.stem} {number}", one.xarray,
            one.yarray, _quantity(kind, one.yarray, kind),
        )
        for number, one in enumerate(spectra, start=1)
    ]  # fmt: skip


def _read_jcamp(path: Path) -> list[InfraredSpectrum]:
    """The infrared spectra of a JCAMP-DX file: by DATA TYPE and XUNITS, not by being JCAMP-DX."""
    found = []
    for block in jcampdx.select(path, "an infrared spectrum over 1/CM", _is_infrared):
        table = jcampdx.read_table(block)
        length = re.sub(r"[^A-Z]", "", table.x_unit.upper())
        micrometres = {"MICROMETERS": 1.0, "MICROMETRES": 1.0, "MICRONS": 1.0, "NANOMETERS": 1e-3}
        x = 1e4 / (table.x * micrometres[length]) if length in micrometres else table.x
        quantity = _quantity(table.y_unit, table.y, default=table.y_unit.lower())
        found.append(
            InfraredSpectrum(path, block.text("TITLE"), x, table.y, quantity, block.parameters())
        )
    return found


def _is_infrared(block: jcampdx.Block) -> bool:
    """A spectrum, no list of peaks, over wavenumbers or wavelengths, of infrared light and no
    other.
    """
    unit = re.sub(r"[^A-Z0-9/]", "", block.text("XUNITS").upper())
    return (
        bool(re.search(r"INFRA ?RED|FT-?IR\b|^IR\b", block.kind))
        and bool({"XYDATA", "XYPOINTS"} & set(block.records))
        and unit in ("1/CM", "CM1", "MICROMETERS", "MICROMETRES", "MICRONS", "NANOMETERS")
    )
