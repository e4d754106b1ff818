"""Infrared spectra: Thermo OMNIC `.spa`, Bruker `.dpt`, JCAMP-DX `.jdx`, and delimited text."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.delimited import Account, read_table


@dataclass(frozen=True)
class InfraredSpectrum:
    """One spectrum: wavenumber increasing, cm-1; `values` as `quantity` says (`absorbance`, `transmittance`, ...)."""

    path: Path
    label: str
    wavenumber_cm1: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    quantity: str = "absorbance"
    metadata: dict = field(default_factory=dict, repr=False)
    account: Account = field(default_factory=Account, repr=False)

    @property
    def absorbance(self) -> np.ndarray:
        """Absorbance, computed from transmittance where that was recorded.

        Raises
        ------
        FormatError
            Where transmittance is not positive, or the quantity is neither.
        """
        if self.quantity == "absorbance":
            return self.values
        if self.quantity.startswith("transmittance"):
            fraction = self.values / (100 if self.quantity.endswith("%") else 1)
            if (fraction <= 0).any():
                raise FormatError(
                    self.path,
                    expected="positive transmittance",
                    found=f"{fraction.min():.3g}",
                    advice="measure the background again, or cut the range",
                )
            return -np.log10(fraction)
        raise FormatError(self.path, expected="absorbance or transmittance", found=self.quantity)


def read_infrared(path: str | os.PathLike) -> tuple[InfraredSpectrum, ...]:
    """All spectra of a file.

    Raises
    ------
    FormatError
        For a missing, cut or unknown file, a wavenumber axis that is not monotonic, or values that are not finite.
    """
    path = Path(path)
    content = read_bytes(path, what="an infrared spectrum")
    if content[:18] == b"Spectral Data File":
        found = [_read_spa(path, content)]
    elif b"##JCAMP" in content[:4000].upper().replace(b" ", b""):
        found = [_read_jcamp(path)]
    else:
        found = _read_columns(path)
    return tuple(_ordered(s) for s in found)


def _ordered(s: InfraredSpectrum) -> InfraredSpectrum:
    x, y = np.asarray(s.wavenumber_cm1, float), np.asarray(s.values, float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise FormatError(s.path, expected="finite wavenumbers and values", found="others")
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


def _quantity(text: str, values: np.ndarray) -> str:
    text = text.lower()
    if "transm" in text or re.search(r"%\s*t\b|^t\s*[(\[]?\s*%?\s*[)\]]?$", text.strip()):
        return (
            "transmittance, %"
            if "%" in text or "percent" in text or values.max() > 5
            else "transmittance"
        )
    if "reflect" in text and "log" not in text:
        return "reflectance"
    return "absorbance"


def _read_columns(path: Path) -> list[InfraredSpectrum]:
    table = read_table(path)
    numeric = [j for j, column in enumerate(table.columns) if column.numeric]
    if len(numeric) < 2 or numeric[0]:
        raise FormatError(
            path,
            expected="columns of numbers: wavenumber, then one or more spectra",
            found=f"{len(table.columns)} columns",
            place=f"line {table.first_line}",
        )
    table.refuse_second_axis(numeric[1:])
    axis, *spectra = table.numeric
    x = axis.values
    if re.search(r"µm|μm|um|micro", axis.head, re.IGNORECASE):
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
    again = [c.head for c in spectra if re.search(r"wave ?(number|length)|cm-1", c.head, re.I)]
    if again:
        raise FormatError(
            path,
            place="column heads",
            expected="one axis",
            found=f"a second one, {again[0]!r}",
            advice="export the spectra one by one or on one axis",
        )
    return [
        InfraredSpectrum(
            path, c.name, x, c.values, _quantity(c.head, c.values), table.metadata, table.account
        )
        for c in spectra
    ]


def _read_spa(path: Path, content: bytes) -> InfraredSpectrum:
    """OMNIC: a table of sections at byte 304, 16 bytes each (key, address, size); key 2 is the header, key 3 the values."""
    label = content[30:286].split(b"\0")[0].decode("latin-1").strip()
    sections, at = {}, 304
    while at + 16 <= len(content) and content[at] not in (0, 1):
        address, size = struct.unpack_from("<II", content, at + 2)
        sections.setdefault(content[at], (address, size))
        at += 16
    if 2 not in sections or 3 not in sections:
        raise FormatError(
            path,
            place="byte 304",
            expected="sections 2 (header) and 3 (values)",
            found=", ".join(map(str, sections)) or "none",
            advice="export it as CSV",
        )
    head, (address, size) = sections[2][0], sections[3]
    if head + 40 > len(content) or address + size > len(content):
        raise FormatError(
            path,
            place=f"byte {len(content)}",
            expected=f"{address + size} bytes",
            found=f"{len(content)}",
            advice="the file is cut; copy it again",
        )
    n, (kind_x, kind_y), (first, last) = (
        struct.unpack_from("<I", content, head + 4)[0],
        (content[head + 8], content[head + 12]),
        struct.unpack_from("<ff", content, head + 16),
    )
    if n < 2 or size < 4 * n:
        raise FormatError(
            path,
            place=f"byte {head + 4}",
            expected=f"{size // 4} values",
            found=f"{n} in the header",
        )
    if kind_x not in (1, 32):
        raise FormatError(
            path,
            place=f"byte {head + 8}",
            expected="wavenumbers (code 1)",
            found=f"code {kind_x}",
            advice="export it as CSV over wavenumber",
        )
    quantity = {
        16: "transmittance, %",
        17: "absorbance",
        11: "reflectance",
        12: "absorbance",
        20: "Kubelka-Munk",
        22: "volt",
    }.get(kind_y, "absorbance")
    return InfraredSpectrum(
        path,
        label,
        np.linspace(first, last, n),
        np.frombuffer(content, "<f4", n, address).astype(float),
        quantity,
        {"title": label},
    )


def _read_jcamp(path: Path) -> InfraredSpectrum:
    """JCAMP-DX with `(X++(Y..Y))`, packed or plain, or `(XY..XY)`; compressed forms are decoded by nmrglue."""
    text = read_text(path, what="a JCAMP-DX file")
    labels = {}
    for match in re.finditer(r"^##([^=\n]+)=(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        labels.setdefault(re.sub(r"[ \-_/]", "", match[1]).upper(), match[2].strip())
    kind, block = next(
        ((k, labels[k]) for k in ("XYDATA", "XYPOINTS", "PEAKTABLE") if k in labels), ("", "")
    )
    if "END" not in labels and not re.search(r"^##END", text, re.MULTILINE):
        raise FormatError(
            path,
            place=f"line {text.count(chr(10)) + 1}",
            expected="##END=",
            found="the end of the file",
            advice="the file is cut; export it again",
        )
    if not block:
        raise FormatError(
            path, expected="##XYDATA= or ##XYPOINTS=", found=", ".join(list(labels)[:8])
        )

    def number(label: str, default: float | None = None) -> float:
        cell = labels.get(label, "").split("$$")[0].strip().replace(",", ".")
        try:
            return float(cell) if cell or default is None else default
        except ValueError:
            raise FormatError(
                path, place=f"##{label}=", expected="a number", found=repr(cell)
            ) from None

    body = re.sub(r"\$\$.*", "", block.split("\n", 1)[1] if "\n" in block else "")
    fx, fy = number("XFACTOR", 1.0), number("YFACTOR", 1.0)
    if "XY..XY" in block.split("\n")[0].replace(" ", "").upper():
        cells = np.array(re.findall(r"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?", body), float)
        if len(cells) % 2:
            raise FormatError(
                path, place=f"##{kind}=", expected="pairs of numbers", found=f"{len(cells)} numbers"
            )
        x, y = cells[::2] * fx, cells[1::2] * fy
    else:
        y = _decode(path, body) * fy
        x = np.linspace(number("FIRSTX"), number("LASTX"), len(y))
        if labels.get("NPOINTS") and int(number("NPOINTS")) != len(y):
            raise FormatError(
                path,
                place="##NPOINTS=",
                expected=labels["NPOINTS"],
                found=f"{len(y)} values",
                advice="the file is cut or edited; export it again",
            )
    if "MICRO" in labels.get("XUNITS", "").upper():
        x = 1e4 / x
    return InfraredSpectrum(
        path, labels.get("TITLE", ""), x, y, _quantity(labels.get("YUNITS", ""), y), labels
    )


_SQZ = {c: str(i) for i, c in enumerate("@ABCDEFGHI")} | {
    c: f"-{i}" for i, c in enumerate("abcdefghi", 1)
}
_DIF = {c: str(i) for i, c in enumerate("%JKLMNOPQR")} | {
    c: f"-{i}" for i, c in enumerate("jklmnopqr", 1)
}
_DUP = {c: str(i) for i, c in enumerate("STUVWXYZ", 1)} | {"s": "9"}


def _decode(path: Path, body: str) -> np.ndarray:
    """The ASDF forms of JCAMP-DX 4.24 (McDonald and Wilks, Appl. Spectrosc. 42, 151 (1988)): AFFN, PAC, SQZ, DIF, DUP."""
    values: list[float] = []
    last_was_difference = False
    # E is a digit in squeezed forms and an exponent in plain ones: there only when it carries a sign, or no other letter is about.
    exponent = r"(?:[eE][+-]\d+)?" if re.search(r"[@%A-DF-Za-df-s]", body) else r"(?:[eE][+-]?\d+)?"
    pattern = re.compile(r"[+-]?\d+\.?\d*" + exponent + r"|[@A-Ia-i%J-Rj-rS-Zs]\d*\.?\d*")
    for number, line in enumerate(body.split("\n"), 1):
        tokens = pattern.findall(line.strip())
        if not tokens:
            continue
        tokens, step, row = tokens[1:], None, []  # the first number is the abscissa
        try:
            for token in tokens:
                head = token[0]
                if head in _DUP:
                    for _ in range(int(_DUP[head] + token[1:]) - 1):
                        row.append(row[-1] + step if step is not None else row[-1])
                elif head in _DIF:
                    step = float(_DIF[head] + token[1:])
                    row.append(row[-1] + step)
                else:
                    step = None
                    row.append(float(_SQZ[head] + token[1:]) if head in _SQZ else float(token))
        except (ValueError, IndexError):
            raise FormatError(
                path, place=f"data line {number}", expected="JCAMP-DX values", found=repr(line[:40])
            ) from None
        if (
            last_was_difference and values and row
        ):  # a line after differences repeats the last value as a check
            if abs(values[-1] - row[0]) > 1.5:
                raise FormatError(
                    path,
                    place=f"data line {number}",
                    expected=f"the check value {values[-1]:g}",
                    found=f"{row[0]:g}",
                    advice="the file is damaged; export it again",
                )
            row = row[1:]
        values += row
        last_was_difference = step is not None
    return np.array(values)
