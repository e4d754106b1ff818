"""JCAMP-DX blocks: labelled records, tables of numbers plain or compressed (AFFN, PAC, SQZ, DIF, DUP).

After McDonald and Wilks, Appl. Spectrosc. 42, 151 (1988), doi:10.1366/0003702884428734, and for NMR Davies and Lampen,
Appl. Spectrosc. 47, 1093 (1993), doi:10.1366/0003702934067874. The abscissa at the start of each line and the check
value that the difference form repeats there are compared with what was decoded, so that a damaged file is refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_text
from peled.formats.contract import reader

_SQZ = {
    **{c: str(i) for i, c in enumerate("@ABCDEFGHI")},
    **{c: str(-i - 1) for i, c in enumerate("abcdefghi")},
    "+": "+",
    "-": "-",
}
_DIF = {
    **{c: str(i) for i, c in enumerate("%JKLMNOPQR")},
    **{c: str(-i - 1) for i, c in enumerate("jklmnopqr")},
}
_DUP = {c: str(i + 1) for i, c in enumerate("STUVWXYZs")}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
# An E right after the abscissa is a pseudo-digit, not an exponent, unless a blank ends the number.
_FIRST = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?=[\s,;]))?)")


@dataclass(frozen=True)
class Record:
    """One labelled record: its text and the line it starts on (from 1)."""

    text: str = field(repr=False)
    line: int


@dataclass
class Block:
    """One block from TITLE to END. `records` maps normalised labels to all records of that label, in order."""

    path: Path
    records: dict[str, list[Record]] = field(default_factory=dict, repr=False)

    def text(self, *labels: str, default: str = "") -> str:
        """The first of these labels that is present."""
        for label in labels:
            if found := self.records.get(normalise(label)):
                return found[0].text.strip()
        return default

    def number(self, *labels: str) -> float | None:
        """The first of these labels that is present, as a number."""
        for label in labels:
            found = self.records.get(normalise(label))
            if found and (match := _NUMBER.search(found[0].text)):
                return float(match[0])
        return None

    def list(self, label: str) -> list[str]:
        """A comma-separated record."""
        return (
            [part.strip() for part in self.text(label).replace("\n", " ").split(",")]
            if self.text(label)
            else []
        )

    def parameters(self) -> dict:
        """All short records as text."""
        return {
            label: found[0].text.strip()
            for label, found in self.records.items()
            if len(found[0].text) < 400
        }


def normalise(label: str) -> str:
    """A label as it is compared: upper case, without blanks, dashes, slashes and underscores."""
    return re.sub(r"[\s\-/_]", "", label).upper()


@reader("a JCAMP-DX file")
def read_blocks(path: str | os.PathLike) -> list[Block]:
    """All blocks of a JCAMP-DX file, inner ones of a compound file included, in the order in which they start.

    Raises
    ------
    FormatError
        If the file does not start a block, or a block is not ended.
    """
    path = Path(path)
    text = read_text(path, what="a JCAMP-DX file")
    blocks: list[Block] = []
    stack: list[Block] = []
    current: list[str] | None = None
    label, start = "", 0

    def close() -> None:
        if current is not None and stack:
            stack[-1].records.setdefault(label, []).append(Record("\n".join(current), start))

    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.split("$$", 1)[0].rstrip() if "$$" in line else line.rstrip()
        if match := re.match(r"\s*##([^=]*)=\s?(.*)$", stripped):
            close()
            label, current, start = normalise(match[1]), [match[2]], number
            if label == "TITLE":
                blocks.append(Block(path))
                stack.append(blocks[-1])
            elif label == "END":
                if stack:
                    stack.pop()
                current = None
            elif not stack:
                raise FormatError(
                    path,
                    place=f"line {number}",
                    expected="##TITLE= at the start of a JCAMP-DX block",
                    found=repr(stripped[:40]),
                )
        elif current is not None:
            current.append(stripped)  # blank and comment lines too, so that line numbers stay right
    if not blocks:
        raise FormatError(path, expected="a JCAMP-DX block (##TITLE= ... ##END=)", found="none")
    if stack:
        raise FormatError(
            path,
            place=f"line {text.count(chr(10)) + 1}",
            expected=f"##END= for {len(stack)} block(s)",
            found="the end of the file",
            advice="the file is truncated: export it again",
        )
    return blocks


def decode(
    path: Path,
    record: Record,
    *,
    first_x: float | None = None,
    step: float | None = None,
    count: int | None = None,
    check: bool = True,
) -> np.ndarray:
    """Ordinates of an `X++(Y..Y)` table in any of the compressions.

    Parameters
    ----------
    first_x, step : float, optional
        First abscissa and increment in the units of the table (before XFACTOR): the abscissa of each line is compared.
    count : int, optional
        Number of points that the header promises.

    Raises
    ------
    FormatError
        With the line: unknown characters, a check value or abscissa that does not fit, too few or too many points.
    """
    lines = record.text.split("\n")
    values: list[float] = []
    last_was_difference = False
    for offset, line in enumerate(lines[1:], 1):
        if not line.strip():
            continue
        place = f"line {record.line + offset}"
        head = _FIRST.match(line)
        if not head:
            raise FormatError(
                path,
                place=place,
                expected="an abscissa at the start of the line",
                found=repr(line[:30]),
            )
        body = line[head.end() :].strip()
        try:
            decoded, differences = _decode_line(body, values[-1] if last_was_difference else None)
        except ValueError as error:
            raise FormatError(
                path,
                place=place,
                expected="numbers in one of the JCAMP-DX forms (AFFN, PAC, SQZ, DIF, DUP)",
                found=str(error),
                advice="export without compression",
            ) from None
        if last_was_difference and decoded:
            if check and abs(decoded[0] - values[-1]) > 1e-6 * max(abs(values[-1]), 1.0):
                raise FormatError(
                    path,
                    place=place,
                    expected=f"the check value {values[-1]:g} of the line before",
                    found=f"{decoded[0]:g}",
                    advice="the table is damaged: export it again",
                )
            decoded = decoded[1:]
        if check and first_x is not None and step and decoded:
            at = len(values) - (1 if last_was_difference else 0)
            expected = first_x + step * at
            # Writers round the abscissa of a line: half a per cent of the span is damage, less is rounding.
            if abs(float(head[1]) - expected) > max(
                1.5 * abs(step), 0.005 * abs(step) * max(count or 0, 200)
            ):
                raise FormatError(
                    path,
                    place=place,
                    expected=f"the abscissa {expected:.6g} after {at} points",
                    found=head[1],
                    advice="points are missing or doubled before this line",
                )
        values.extend(decoded)
        last_was_difference = differences
    if count is not None and len(values) == count + 1 and last_was_difference:
        values.pop()  # a lone check value closes the table
    if count is not None and len(values) != count:
        raise FormatError(
            path,
            place=f"line {record.line}",
            expected=f"{count} points, as the header says",
            found=str(len(values)),
            advice="the file is truncated or damaged: export it again",
        )
    return np.array(values, float)


def _decode_line(body: str, previous: float | None) -> tuple[list[float], bool]:
    """Values of one line and whether its last was given as a difference."""
    if not re.search(r"[@A-DF-Za-df-z%]", body):
        return [float(m) for m in _NUMBER.findall(body)], False
    values: list[float] = []
    last, differences = 0.0, False  # last token value: repeated by DUP
    position = 0
    for match in re.finditer(r"([@A-Ia-i%J-Rj-rS-Zs+\-]|\s|,|(?<=[\s,]))(\d*\.?\d*)", body):
        if match.start() != position:
            raise ValueError(repr(body[position : position + 12]))
        position = match.end()
        sign, digits = match[1], match[2]
        if sign in _DIF and sign:
            last, differences = float(_DIF[sign] + digits), True
            if not values and previous is None:
                raise ValueError(f"a difference at the start of a line: {body[:12]!r}")
            values.append((values[-1] if values else previous) + last)
        elif sign in _DUP and sign:
            for _ in range(int(_DUP[sign] + digits) - 1):
                values.append(values[-1] + last if differences else last)
        elif digits or sign in _SQZ:
            text = _SQZ.get(sign, "") + digits
            if text in ("", "+", "-"):
                continue
            last, differences = float(text), False
            values.append(last)
    if position != len(body):
        raise ValueError(repr(body[position : position + 12]))
    return values, differences


def pairs(path: Path, record: Record) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Abscissae, ordinates and assignments of a `(XY..XY)`, `(XYW..)` or `(XYA)` table.

    Raises
    ------
    FormatError
        If a line holds an odd count of numbers.
    """
    lines = record.text.split("\n")
    form = lines[0].upper().replace(" ", "")
    width = 3 if "XYW" in form or "XYM" in form else 2
    xs, ys, labels = [], [], []
    for offset, line in enumerate(lines[1:], 1):
        if not line.strip():
            continue
        if re.match(r"\s*\(", line):
            match = re.match(r"\s*\(\s*([^,]+),\s*([^,<)]+)(.*)", line)
            x, y, rest = match[1], match[2], re.search(r"<([^>]*)>", match[3] if match else "")
            numbers = [x, y]
            labels.append(rest[1] if rest else "")
        else:
            numbers = _NUMBER.findall(line)
        if len(numbers) % width:
            raise FormatError(
                path,
                place=f"line {record.line + offset}",
                expected=f"groups of {width} numbers {lines[0].strip()}",
                found=repr(line.strip()[:40]),
            )
        try:
            xs += [float(v) for v in numbers[0::width]]
            ys += [float(v) for v in numbers[1::width]]
        except ValueError:
            raise FormatError(
                path,
                place=f"line {record.line + offset}",
                expected="numbers",
                found=repr(line.strip()[:40]),
            ) from None
    if not xs:
        raise FormatError(
            path, place=f"line {record.line}", expected="a table of pairs", found="none"
        )
    return np.array(xs), np.array(ys), labels
