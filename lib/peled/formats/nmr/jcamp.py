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
def read_jcamp(path: str | os.PathLike, part: str | None = None) -> Fid | Spectrum | PeakTable:
    """Read the NMR content of a JCAMP-DX file: a spectrum, else a free induction decay, else a peak
    table.

    The shift axis comes from `.SHIFT REFERENCE` (a point and its shift) where given, else from
    Bruker's OFFSET and SF, else from the abscissa in ppm or Hz. Where they contradict each other by
    more than 0.05 ppm, a note says so.

    Tried on the NMR files of github.com/cheminfo/jcamp-data-test (JEOL, Varian, Nanalysis, Oxford
    Instruments, MestReNova, TopSpin: `data/nmr/*/1h*.jdx`), cheminfo/jcampconverter and
    nzhagen/jcamp (`TESTSPEC.DX`, `TESTNTUP.DX`, `TESTFID.DX`, `BRUK*.DX`), value by value against
    nmrglue.

    Parameters
    ----------
    path : path-like
    part : str, optional
        Of a file that holds several of a kind: the TITLE of the one wanted, or its number, from 1.

    Returns
    -------
    Spectrum, Fid or PeakTable

    Raises
    ------
    FormatError
        Naming the label or line: no NMR block, several of them and no `part`, a second dimension, a
        compression that is none of the standard's, damaged tables, missing frequency.

    References
    ----------
    .. [1] A. N. Davies and P. Lampen, Appl. Spectrosc. 47, 1093 (1993),
           doi:10.1366/0003702934067874
    """
    path = Path(path)
    blocks = jcampdx.select(path, "an NMR spectrum, FID or peak table", _is_nmr)
    best = min(map(_rank, blocks))
    block = _one([b for b in blocks if _rank(b) == best], path, part)
    nucleus = "".join(re.findall(r"[A-Za-z0-9]", block.text(".OBSERVE NUCLEUS")))
    frequency = block.number(".OBSERVE FREQUENCY", "$SFO1", "$SF")
    if re.search(r"\bND ?NMR", block.kind):
        raise FormatError(
            path,
            place="label DATA TYPE",
            expected="a one-dimensional spectrum",
            found=block.text("DATA TYPE"),
            advice="export the rows one by one",
        )
    table = jcampdx.read_table(block)
    if best == 2:
        return _jcamp_peaks(path, block, table, frequency, nucleus)
    notes: list[str] = []
    if best == 1:
        return _jcamp_fid(path, block, table, frequency, nucleus, notes)
    x, y = (table.x, table.y) if not table.paired else _even(table.x, table.y, notes)
    reference = block.number("$SF", "$BF1") or frequency
    ppm = _jcamp_shift_axis(path, block, x, _unit(table), reference, notes)
    order = slice(None, None, -1) if ppm[0] > ppm[-1] else slice(None)
    return Spectrum(
        path,
        ppm[order],
        y[order],
        reference or float("nan"),
        nucleus,
        None if table.imaginary is None else table.imaginary[order],
        block.text(".SOLVENT NAME"),
        block.text("TITLE"),
        block.parameters(),
        tuple(notes),
    )


def _is_nmr(block: jcampdx.Block) -> bool:
    """By DATA TYPE; a block without one by a spectrometer frequency."""
    return "NMR" in block.kind or (not block.kind and ".OBSERVEFREQUENCY" in block.records)


def _rank(block: jcampdx.Block) -> int:
    """0 for a spectrum, 1 for a free induction decay, 2 for picked or assigned peaks."""
    if not {"XYDATA", "XYPOINTS", "DATATABLE"} & set(block.records):
        return 2
    return 1 if "FID" in block.kind else 0


def _one(blocks: list[jcampdx.Block], path: Path, part: str | None) -> jcampdx.Block:
    titles = [block.text("TITLE") for block in blocks]
    if part is not None:
        blocks = [b for i, b in enumerate(blocks, 1) if part in (titles[i - 1], str(i))]
    if len(blocks) != 1:
        named = ", ".join(f"{i} {title!r}" for i, title in enumerate(titles, 1))
        raise FormatError(
            path,
            expected="one spectrum" if part is None else f"one spectrum named {part!r}",
            found=f"{len(titles)}: {named}",
            advice="give its number or title as part",
        )
    return blocks[0]


def _unit(table: jcampdx.Table) -> str:
    return re.sub(r"[^A-Z]", "", table.x_unit.upper()) or "HZ"


def _even(x: np.ndarray, y: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Points on an even grid: processing takes one."""
    step = np.diff(x)
    if len(x) < 3 or np.abs(step - step.mean()).max() <= 0.02 * abs(step.mean()) + 1e-9:
        return x, y
    grid, order = np.linspace(x[0], x[-1], len(x)), np.argsort(x)
    notes.append("points are not evenly spaced: interpolated linearly")
    return grid, np.interp(grid, x[order], y[order])


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
    point, shift = _shift_reference(block, len(x), notes)
    if shift is not None:
        axes[".SHIFT REFERENCE"] = plain - plain[point] + shift
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
                f"{name} places the spectrum {axis[0] - axes[used][0]:+.3f} ppm from where {used} "
                f"does; {used} is used"
            )
    return axes[used]


def _jcamp_peaks(
    path: Path,
    block: jcampdx.Block,
    table: jcampdx.Table,
    frequency: float | None,
    nucleus: str,
) -> PeakTable:
    x, y, labels = table.x, table.y, table.labels
    if table.x_unit and _unit(table).startswith(("HZ", "HERTZ")):
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
        y[order],
        frequency,
        nucleus,
        tuple(labels[i] for i in order) if labels else (),
        block.text("TITLE"),
        block.parameters(),
    )


def _jcamp_fid(
    path: Path,
    block: jcampdx.Block,
    table: jcampdx.Table,
    frequency: float | None,
    nucleus: str,
    notes: list[str],
) -> Fid:
    real, imaginary, first, last = table.y, table.imaginary, table.x[0], table.x[-1]
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
    sampled = (len(real) - 1) / (last - first) if last > first else 0.0
    width = block.number("$SW_h") or sampled
    if not width > 0:
        raise FormatError(
            path,
            place="labels FIRST, LAST",
            expected="a time axis in seconds",
            found=f"{first:g} to {last:g}",
        )
    if sampled and abs(sampled / width - 1) > 1e-2:
        notes.append(
            f"$SW_h {width:.2f} Hz is not the inverse of the time step, {sampled:.2f} Hz; "
            "$SW_h is used"
        )
    carrier = block.number("$SFO1") or frequency
    if block.text("$REVERSE").lower() in ("yes", "true"):  # Oxford Instruments: the other sense
        imaginary = -imaginary
    zero = _fid_reference(block, len(real), width, carrier, notes)
    return Fid(
        path,
        (real + 1j * imaginary)[None],
        float(width),
        carrier,
        zero or carrier,
        nucleus,
        _delay(path, block),
        solvent=block.text(".SOLVENT NAME"),
        title=block.text("TITLE"),
        scans=int(block.number(".AVERAGES") or 1),
        parameters=block.parameters(),
        notes=tuple(notes),
        referenced=zero is not None,
    )


def _fid_reference(
    block: jcampdx.Block, n: int, width: float, carrier: float, notes: list[str]
) -> float | None:
    """Frequency at 0 ppm, MHz: as stated, else from the reference point; None without.

    The middle of the spectrum at 0 ppm is what programs write that know none.
    """
    if stated := block.number("$SF", "$BF1"):
        return stated
    point, shift = _shift_reference(block, n, notes)
    if shift is None or (shift == 0 and abs(point - (n - 1) / 2) <= 1):
        notes.append(
            "no frequency at 0 ppm ($SF, $BF1, .SHIFT REFERENCE): the carrier is taken as 0 ppm"
        )
        return None
    # Points of the spectrum, from + half the sweep width downwards.
    offset = width / 2 - point * width / n
    return (carrier + offset * 1e-6) / (1 + shift * 1e-6)


def _delay(path: Path, block: jcampdx.Block) -> float:
    """Points by which Bruker's digital filter delays the signal."""
    parameters = {name: block.number("$" + name) for name in ("GRPDLY", "DECIM", "DSPFVS")}
    if not parameters["DECIM"]:
        return 0.0
    return _group_delay({k: v for k, v in parameters.items() if v is not None}, path)


def _shift_reference(
    block: jcampdx.Block, n: int, notes: list[str]
) -> tuple[int, float] | tuple[int, None]:
    """Index and shift of the point in `.SHIFT REFERENCE` (type, solvent, point from 1 or 0,
    shift)."""
    stated = [part.strip("() ") for part in block.list(".SHIFT REFERENCE")]
    if len(stated) < 4:
        return 0, None
    try:
        point, shift = int(float(stated[2])), float(stated[3])
    except (ValueError, OverflowError):
        point, shift = -1, float("nan")
    if not 0 <= point <= n or not abs(shift) < 1e5:
        notes.append(
            f".SHIFT REFERENCE {block.text('.SHIFT REFERENCE')!r} is not (type, solvent, "
            "point, shift); it is not used"
        )
        return 0, None
    return max(point - 1, 0), shift
