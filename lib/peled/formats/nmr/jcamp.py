"""NMR in JCAMP-DX: spectra, free induction decays and peak tables."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from peled.formats import FormatError, jcampdx
from peled.formats.contract import reader
from peled.formats.nmr.bruker import _group_delay
from peled.formats.nmr.records import Fid, PeakTable, Spectrum


@reader("a JCAMP-DX file of NMR", missing=("reference_MHz",))
def read_jcamp(path: str | os.PathLike) -> Fid | Spectrum | PeakTable:
    """Read the NMR content of a JCAMP-DX file: a spectrum, else a free induction decay, else a peak table.

    The shift axis comes from `.SHIFT REFERENCE` (a point and its shift) where given, else from Bruker's OFFSET and SF,
    else from the abscissa in ppm or Hz. Where they contradict each other by more than 0.05 ppm, a note says so.

    Raises
    ------
    FormatError
        Naming the label or line: no NMR block, a compression that is none of the standard's, damaged tables, missing
        frequency.
    """
    path = Path(path)
    blocks = [
        block
        for block in jcampdx.read_blocks(path)
        if any(
            label in block.records
            for label in ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "DATATABLE")
        )
    ]
    if not blocks:
        raise FormatError(
            path,
            expected="a data table (XYDATA, XYPOINTS, NTUPLES, PEAK TABLE)",
            found="labels only",
        )

    def rank(block: jcampdx.Block) -> int:
        kind = jcampdx.normalise(block.text("DATA TYPE"))
        return 0 if "SPECTRUM" in kind and "PEAK" not in kind else 1 if "FID" in kind else 2

    block = min(blocks, key=rank)
    kind = jcampdx.normalise(block.text("DATA TYPE"))
    if kind and "NMR" not in kind and "LINK" not in kind:
        raise FormatError(
            path,
            place="label DATA TYPE",
            expected="an NMR spectrum, FID or peak table",
            found=block.text("DATA TYPE"),
        )
    nucleus = "".join(re.findall(r"[A-Za-z0-9]", block.text(".OBSERVE NUCLEUS")))
    frequency = block.number(".OBSERVE FREQUENCY", "$SFO1", "$SF")
    if "PEAKTABLE" in block.records or "PEAKASSIGNMENTS" in block.records:
        return _jcamp_peaks(path, block, frequency, nucleus)
    real, imaginary, unit, first, last, notes = _jcamp_columns(path, block)
    if "FID" in kind or unit.startswith("SEC"):
        return _jcamp_fid(path, block, real, imaginary, first, last, frequency, nucleus, notes)
    reference = block.number("$SF", "$BF1") or frequency
    x = np.linspace(first, last, len(real))
    ppm = _jcamp_shift_axis(path, block, x, unit, reference, notes)
    order = slice(None, None, -1) if ppm[0] > ppm[-1] else slice(None)
    return Spectrum(
        path,
        ppm[order],
        real[order],
        reference or float("nan"),
        nucleus,
        None if imaginary is None else imaginary[order],
        block.text(".SOLVENT NAME"),
        block.text("TITLE"),
        block.parameters(),
        tuple(notes),
    )


def _jcamp_columns(path: Path, block: jcampdx.Block):
    """Real and imaginary ordinates, unit of the abscissa, its ends, notes."""
    notes: list[str] = []
    if "DATATABLE" in block.records:
        symbols = [symbol.upper() for symbol in block.list("SYMBOL")]
        rows = {name: block.list(name) for name in ("UNITS", "FACTOR", "FIRST", "LAST", "VAR_DIM")}

        def entry(name: str, symbol: str) -> float:
            try:
                return float(rows[name][symbols.index(symbol)])
            except (ValueError, IndexError):
                raise FormatError(
                    path,
                    place=f"label {name}",
                    expected=f"a number for {symbol}",
                    found=", ".join(rows[name]) or "none",
                ) from None

        x_symbol = "X" if "X" in symbols else symbols[0] if symbols else "X"
        columns: dict[str, np.ndarray] = {}
        for record in block.records["DATATABLE"]:
            match = re.match(r"\s*\(\s*X\s*\+\+\s*\(\s*(\w)", record.text, re.IGNORECASE)
            if not match:
                raise FormatError(
                    path,
                    place=f"line {record.line}",
                    expected="a table X++(R..R) or X++(I..I)",
                    found=repr(record.text.split("\n")[0]),
                )
            symbol = match[1].upper()
            if symbol in columns:
                raise FormatError(
                    path,
                    place=f"line {record.line}",
                    expected="one page for each variable (a one-dimensional spectrum)",
                    found=f"a second page for {symbol}",
                    advice="export the rows of a 2D set one by one",
                )
            factor = entry("FACTOR", x_symbol)
            count = int(entry("VAR_DIM", symbol))
            step = (
                (entry("LAST", x_symbol) - entry("FIRST", x_symbol)) / max(count - 1, 1) / factor
                if factor
                else None
            )
            columns[symbol] = jcampdx.decode(
                path,
                record,
                first_x=entry("FIRST", x_symbol) / factor if factor else None,
                step=step,
                count=count,
            ) * entry("FACTOR", symbol)
        real = columns.get("R", columns.get("Y"))
        if real is None:
            raise FormatError(
                path, place="label SYMBOL", expected="a real part R or Y", found=", ".join(columns)
            )
        unit = rows["UNITS"][symbols.index(x_symbol)].upper() if rows["UNITS"] else "HZ"
        return (
            real,
            columns.get("I"),
            unit,
            entry("FIRST", x_symbol),
            entry("LAST", x_symbol),
            notes,
        )
    unit = block.text("XUNITS", default="HZ").upper()
    x_factor, y_factor = block.number("XFACTOR") or 1.0, block.number("YFACTOR") or 1.0
    first, last = block.number("FIRSTX"), block.number("LASTX")
    if record := block.records.get("XYDATA", [None])[0]:
        form = record.text.split("\n")[0].upper().replace(" ", "")
        if "XY..XY" not in form:
            if "X++" not in form:
                raise FormatError(
                    path,
                    place=f"line {record.line}",
                    expected="(X++(Y..Y)) or (XY..XY)",
                    found=repr(form),
                    advice="export without compression",
                )
            count = block.number("NPOINTS")
            if first is None or last is None:
                raise FormatError(
                    path,
                    place="labels FIRSTX, LASTX",
                    expected="both ends of the abscissa",
                    found="none",
                )
            count = int(count) if count else None
            step = (last - first) / (count - 1) / x_factor if count and count > 1 else None
            return (
                jcampdx.decode(path, record, first_x=first / x_factor, step=step, count=count)
                * y_factor,
                None,
                unit,
                first,
                last,
                notes,
            )
    record = (block.records.get("XYDATA") or block.records["XYPOINTS"])[0]
    x, y, _ = jcampdx.pairs(path, record)
    x, y = x * x_factor, y * y_factor
    step = np.diff(x)
    if len(x) > 2 and np.abs(step - step.mean()).max() > 0.02 * abs(step.mean()) + 1e-9:
        grid = np.linspace(x[0], x[-1], len(x))
        order = np.argsort(x)
        y = np.interp(grid, x[order], y[order])
        notes.append("points are not evenly spaced: interpolated linearly")
    return y, None, unit, x[0], x[-1], notes


def _jcamp_shift_axis(
    path: Path,
    block: jcampdx.Block,
    x: np.ndarray,
    unit: str,
    reference: float | None,
    notes: list[str],
) -> np.ndarray:
    if unit == "PPM":
        plain = x
    elif unit.startswith("HZ") or unit.startswith("HERTZ"):
        if not reference:
            raise FormatError(
                path,
                place="label .OBSERVE FREQUENCY",
                expected="the spectrometer frequency, since the axis is in Hz",
                found="none",
            )
        plain = x / reference
    else:
        raise FormatError(
            path, place="label XUNITS", expected="HZ, PPM or SECONDS", found=unit or "none"
        )
    axes = {"the abscissa": plain}
    offset = block.number("$OFFSET")
    if offset is not None:
        axes["OFFSET"] = plain - plain.max() + offset
    stated = block.list(".SHIFT REFERENCE")
    if len(stated) >= 4:
        try:
            index, shift = int(float(stated[2])), float(stated[3])
            if 1 <= index <= len(x):
                axes[".SHIFT REFERENCE"] = plain - plain[index - 1] + shift
        except ValueError:
            notes.append(
                f".SHIFT REFERENCE {block.text('.SHIFT REFERENCE')!r} is not (type, solvent, point, shift); it is not used"
            )
    used = next(name for name in (".SHIFT REFERENCE", "OFFSET", "the abscissa") if name in axes)
    for name, axis in axes.items():
        # An abscissa from 0 to the sweep width is how many writers leave it: no contradiction.
        if (
            name != used
            and abs(axis[0] - axes[used][0]) > 0.05
            and not (
                name == "the abscissa"
                and unit != "PPM"
                and min(abs(plain[0]), abs(plain[-1])) < 1e-6 * abs(plain).max()
            )
        ):
            notes.append(
                f"{name} places the spectrum {axis[0] - axes[used][0]:+.3f} ppm from where {used} does; {used} is used"
            )
    return axes[used]


def _jcamp_peaks(
    path: Path, block: jcampdx.Block, frequency: float | None, nucleus: str
) -> PeakTable:
    record = (block.records.get("PEAKTABLE") or block.records["PEAKASSIGNMENTS"])[0]
    x, y, labels = jcampdx.pairs(path, record)
    x = x * (block.number("XFACTOR") or 1.0)
    unit = block.text("XUNITS", default="PPM").upper()
    if unit.startswith("HZ") or unit.startswith("HERTZ"):
        if not frequency:
            raise FormatError(
                path,
                place="label .OBSERVE FREQUENCY",
                expected="the spectrometer frequency, since the positions are in Hz",
                found="none",
            )
        x = x / frequency
    order = np.argsort(x, kind="stable")
    return PeakTable(
        path,
        x[order],
        (y * (block.number("YFACTOR") or 1.0))[order],
        frequency,
        nucleus,
        tuple(labels[i] for i in order) if len(labels) == len(x) else (),
        block.text("TITLE"),
        block.parameters(),
    )


def _jcamp_fid(
    path: Path, block: jcampdx.Block, real, imaginary, first, last, frequency, nucleus, notes
) -> Fid:
    if imaginary is None:
        raise FormatError(
            path,
            place="label SYMBOL",
            expected="real and imaginary parts of the FID",
            found="the real part alone",
            advice="export the FID as NTUPLES, or the spectrum",
        )
    if not frequency:
        raise FormatError(
            path,
            place="label .OBSERVE FREQUENCY",
            expected="the spectrometer frequency",
            found="none",
        )
    width = block.number("$SW_h") or ((len(real) - 1) / (last - first) if last > first else None)
    if not width or width <= 0:
        raise FormatError(
            path,
            place="labels FIRST, LAST",
            expected="a time axis in seconds",
            found=f"{first:g} to {last:g}",
        )
    if last > first and abs((len(real) - 1) / (last - first) / width - 1) > 1e-2:
        notes.append(
            f"$SW_h {width:.2f} Hz is not the inverse of the time step, {(len(real) - 1) / (last - first):.2f} Hz; $SW_h is used"
        )
    parameters = {name: block.number("$" + name) for name in ("GRPDLY", "DECIM", "DSPFVS")}
    delay = (
        _group_delay({name: value for name, value in parameters.items() if value is not None}, path)
        if parameters["DECIM"]
        else 0.0
    )
    carrier = block.number("$SFO1") or frequency
    reference = block.number("$SF", "$BF1")
    stated = block.list(".SHIFT REFERENCE")
    if reference is None and len(stated) >= 4:
        # The shift of the first point, the left edge of the spectrum at + half the sweep width.
        reference = (carrier + width / 2 * 1e-6) / (1 + float(stated[3]) * 1e-6)
    if reference is None:
        notes.append(
            "no frequency at 0 ppm ($SF, $BF1, .SHIFT REFERENCE): the carrier is taken as 0 ppm"
        )
    return Fid(
        path,
        (real + 1j * imaginary)[None],
        float(width),
        carrier,
        reference or carrier,
        nucleus,
        delay,
        solvent=block.text(".SOLVENT NAME"),
        title=block.text("TITLE"),
        scans=int(block.number(".AVERAGES") or 1),
        parameters=block.parameters(),
        notes=tuple(notes),
    )
