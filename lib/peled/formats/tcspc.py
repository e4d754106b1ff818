"""Time-correlated single-photon counting: decays and instrument responses as histograms of counts.

What is read, told from content: text in one or more columns (Edinburgh, Horiba DataStation with channels and a time
calibration, FluoFit, spreadsheets), PicoQuant text exports (`#ns/channel` ... `#counts`), Becker & Hickl ASCII blocks,
MetroTRPL tables (three leading rows: power, filter, background), all of them gzipped or not; PicoQuant .ptu and .phu
(through ptufile) and Becker & Hickl .sdt (through sdtfile).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, delimited, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number, split_unit

_TO_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1.0, "ps": 1e-3, "fs": 1e-6}


@dataclass(frozen=True)
class Histogram:
    """Decays on one time axis.

    Attributes
    ----------
    path : Path
    time_ns : ndarray, shape (n,)
        Left edges of the bins, evenly spaced.
    counts : ndarray, shape (m, n)
        One row a decay.
    labels : tuple of str
    bin_ns : float
        Width of a bin.
    period_ns : float or None
        Time between two excitation pulses, when the file says it.
    cycles : ndarray, shape (m,), or None
        Number of excitation pulses behind each decay, when the file says it: pile-up depends on it.
    background : ndarray, shape (m,), or None
        Counts per bin stated in the file.
    metadata : dict
    """

    path: Path
    time_ns: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    labels: tuple[str, ...]
    bin_ns: float
    period_ns: float | None = None
    cycles: np.ndarray | None = field(default=None, repr=False)
    background: np.ndarray | None = field(default=None, repr=False)
    metadata: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.counts)

    def decay(self, which: int | str = 0) -> np.ndarray:
        """The counts of one decay by number, or by label (a regular expression that fits exactly one)."""
        if not isinstance(which, str):
            return self.counts[which]
        found = [i for i, label in enumerate(self.labels) if re.search(which, label, re.IGNORECASE)]
        if len(found) != 1:
            raise FormatError(
                self.path,
                expected=f"one decay named like {which!r}",
                found=", ".join(map(repr, self.labels)),
            )
        return self.counts[found[0]]


@reader("a TCSPC histogram")
def read_histogram(path: str | os.PathLike, *, time_unit: str | None = None) -> Histogram:
    """All decays of a file.

    Parameters
    ----------
    path : path-like
    time_unit : {"ns", "ps", "us", "s"}, optional
        Unit of the time axis where the file does not say; ns otherwise.

    Raises
    ------
    FormatError
        With the place: no numbers, one column without a time per channel, text among the numbers, negative or
        non-finite counts, an uneven time axis, a damaged binary file.
    """
    path = Path(path)
    start = read_bytes(path, what="a TCSPC histogram")[:4096]
    if start[:6] in (b"PQTTTR", b"PQHIST"):
        return _checked(_picoquant(path))
    if start[32:34] == b"\x55\x55" or path.suffix.lower() == ".sdt":
        return _checked(_becker_hickl(path))
    lines = read_text(path, what="a TCSPC histogram").split("\n")
    for sniffed in (_picoquant_text, _becker_hickl_text, _metrotrpl):
        found = sniffed(path, lines)
        if found is not None:
            return _checked(found)
    return _checked(_table(path, lines, time_unit))


# ---- binary ------------------------------------------------------------------------------------------------------------


def _picoquant(path: Path) -> Histogram:
    import ptufile

    try:
        if path.read_bytes()[:6] == b"PQHIST":
            with ptufile.PhuFile(path) as file:
                tags, curves = file.tags, [np.asarray(h) for h in file.histograms()]
                bins = [
                    float(x) * 1e9
                    for x in tags.get(
                        "HistResDscr_MDescResolution", [file.tcspc_resolution] * len(curves)
                    )
                ]
                sync = tags.get("HistResDscr_SyncRate") or [tags.get("TTResult_SyncRate", 0)] * len(
                    curves
                )
                stop = (
                    tags.get("HistResDscr_MDescStopAfter")
                    or tags.get("HistResDscr_MDescAcqTime")
                    or [tags.get("MeasDesc_AcquisitionTime", 0)] * len(curves)
                )
                labels = tuple(f"curve {i + 1}" for i in range(len(curves)))
        else:
            with ptufile.PtuFile(path) as file:
                if not file.is_t3:
                    raise FormatError(
                        path,
                        expected="T3 records (time since the excitation pulse)",
                        found="T2 records",
                        place="tag Measurement_Mode",
                    )
                tags, counts = (
                    file.tags,
                    np.asarray(file.decode_histogram(dtype=np.uint32, dtime=0)),
                )
                used = [i for i in range(len(counts)) if counts[i].any()]
                if not used:
                    raise FormatError(path, expected="photon records", found="none")
                curves, bins = [counts[i] for i in used], [file.tcspc_resolution * 1e9] * len(used)
                sync, stop = (
                    [file.syncrate] * len(used),
                    [tags.get("MeasDesc_AcquisitionTime", file.acquisition_time * 1e3)] * len(used),
                )
                labels = tuple(
                    f"channel {file.active_channels[i] + 1}"
                    if i < len(file.active_channels)
                    else f"channel {i + 1}"
                    for i in used
                )
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(
            path,
            expected="a whole PicoQuant file",
            found=f"{type(error).__name__}: {str(error)[:120]}",
            advice="export it again",
        ) from None
    if not curves:
        raise FormatError(path, expected="at least one decay", found="none")
    if max(bins) - min(bins) > 1e-6 * max(bins) or len({c.size for c in curves}) > 1:
        raise FormatError(
            path,
            expected="decays with one bin width and length",
            found=f"{sorted(set(bins))} ns",
            advice="export them one by one",
        )
    counts = np.array(curves, dtype=float)
    last = int(np.max(np.flatnonzero(counts.sum(axis=0)), initial=0)) + 1
    period = 1e9 / sync[0] if sync and sync[0] else None
    # The time axis ends with the period, or with the last count where no period is known.
    keep = min(counts.shape[1], int(period / bins[0]) if period else last)
    cycles = (
        np.array([float(r) * float(t) * 1e-3 for r, t in zip(sync, stop, strict=False)])
        if sync and stop and all(sync) and all(stop)
        else None
    )
    comment = str(tags.get("File_Comment") or "")
    names = re.findall(r"[^|;\n]+", comment)
    labels = tuple(n.strip() for n in names) if len(names) == len(curves) else labels
    return Histogram(
        path,
        np.arange(keep) * bins[0],
        counts[:, :keep],
        labels,
        bins[0],
        period,
        cycles,
        metadata={"comment": comment},
    )


def _becker_hickl(path: Path) -> Histogram:
    import sdtfile

    try:
        with sdtfile.SdtFile(path) as file:
            data, times = [np.atleast_2d(d) for d in file.data], file.times
            if not data:
                raise FormatError(path, expected="at least one decay", found="no data block")
            if any(d.ndim > 2 for d in data):
                data = [
                    d.reshape(-1, d.shape[-1]).sum(axis=0, keepdims=True) for d in data
                ]  # an image: the decay of all pixels
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(
            path,
            expected="a whole Becker & Hickl .sdt file",
            found=f"{type(error).__name__}: {str(error)[:120]}",
            advice="export it again",
        ) from None
    size = data[0].shape[-1]
    if any(d.shape[-1] != size for d in data):
        raise FormatError(
            path,
            expected="decays of one length",
            found=", ".join(str(d.shape[-1]) for d in data),
            advice="export them one by one",
        )
    counts = np.vstack(data).astype(float)
    time = np.asarray(times[0], dtype=float) * 1e9
    return Histogram(
        path,
        time,
        counts,
        tuple(f"decay {i + 1}" for i in range(len(counts))),
        float(time[1] - time[0]),
    )


# ---- text --------------------------------------------------------------------------------------------------------------


def _picoquant_text(path: Path, lines: list[str]) -> Histogram | None:
    """`#ns/channel` on one line, its value on the next; then `#counts` and one row a channel, one column a curve."""
    marks = {line.strip().lower(): i for i, line in enumerate(lines[:400]) if line.startswith("#")}
    if "#ns/channel" not in marks or "#counts" not in marks:
        return None
    at = marks["#ns/channel"] + 1
    widths = [parse_number(c) for c in lines[at].split()]
    rows = []
    for i in range(marks["#counts"] + 1, len(lines)):
        if lines[i].strip():
            row = [parse_number(c) for c in lines[i].split()]
            if None in row or (rows and len(row) != len(rows[0])):
                raise FormatError(
                    path,
                    place=f"line {i + 1}",
                    expected=f"{len(rows[0]) if rows else 'a row of'} counts",
                    found=repr(lines[i].strip()[:40]),
                )
            rows.append(row)
    if not rows or None in widths or not widths or min(widths) <= 0 or max(widths) != min(widths):
        raise FormatError(
            path,
            place=f"line {at + 1}",
            expected="one positive time per channel, and counts",
            found=repr(lines[at].strip()[:40]),
        )
    counts = np.array(rows).T
    last = int(np.max(np.flatnonzero(counts.sum(axis=0)), initial=0)) + 1
    return Histogram(
        path,
        np.arange(last) * widths[0],
        counts[:, :last],
        tuple(f"curve {k + 1}" for k in range(len(counts))),
        widths[0],
    )


def _becker_hickl_text(path: Path, lines: list[str]) -> Histogram | None:
    """`*BLOCK n` ... `*END`: time and counts, or counts alone with a time range in the header."""
    starts = [i for i, line in enumerate(lines) if line.strip().startswith("*BLOCK")]
    if not starts:
        return None
    blocks, axis, labels = [], None, []
    for i in starts:
        rows = []
        for j in range(i + 1, len(lines)):
            cell = lines[j].strip()
            if cell.startswith("*"):
                break
            if not cell:
                continue
            row = [parse_number(c) for c in cell.replace(",", ".").split()]
            if None in row:
                raise FormatError(
                    path, place=f"line {j + 1}", expected="numbers", found=repr(cell[:40])
                )
            rows.append(row)
        block = np.array(rows) if rows and len({len(r) for r in rows}) == 1 else None
        if block is None:
            raise FormatError(
                path,
                place=f"line {i + 1}",
                expected="a block of even rows",
                found="an empty or ragged one",
            )
        blocks.append(block[:, -1])
        labels.append(
            lines[i].strip().split(maxsplit=2)[1] if len(lines[i].split()) > 1 else str(len(blocks))
        )
        if block.shape[1] > 1:
            axis = block[:, 0]
    if axis is None:
        match = next(
            (
                m
                for line in lines[: starts[0]]
                if (
                    m := re.search(
                        r"SP_TAC_TC,F,([\d.eE+-]+)|time per channel\D*([\d.]+)\s*(ps|ns)",
                        line,
                        re.IGNORECASE,
                    )
                )
            ),
            None,
        )
        if match is None:
            raise FormatError(
                path,
                place=f"line {starts[0] + 2}",
                expected="time and counts",
                found="counts alone and no time per channel in the header",
                advice="export with the time axis",
            )
        step = float(match[1]) * 1e9 if match[1] else float(match[2]) * _TO_NS[match[3].lower()]
        axis = np.arange(len(blocks[0])) * step
    if len({b.size for b in blocks}) > 1:
        raise FormatError(
            path, expected="blocks of one length", found=", ".join(str(b.size) for b in blocks)
        )
    return Histogram(path, axis, np.array(blocks), tuple(labels), float(axis[1] - axis[0]))


def _metrotrpl(path: Path, lines: list[str]) -> Histogram | None:
    """Three leading rows (power, filter, background) with time 0, then the decays."""
    rows = [[parse_number(c) for c in line.split(",")] for line in lines[1:6]]
    if (
        not re.match(r"x1,x2", lines[0])
        or len(rows) < 5
        or any(None in r for r in rows)
        or any(r[0] != 0 for r in rows[:4])
        or rows[4][0] == 0
    ):
        return None
    body = []
    for i, line in enumerate(lines[4:]):
        if line.strip():
            row = [parse_number(c) for c in line.split(",")]
            if None in row or len(row) != len(rows[0]):
                raise FormatError(
                    path,
                    place=f"line {i + 5}",
                    expected=f"{len(rows[0])} numbers",
                    found=repr(line[:40]),
                )
            body.append(row)
    table = np.array(body).T
    head = np.array(rows[:3])[:, 1:]
    return Histogram(
        path,
        table[0],
        table[1:],
        tuple(f"power {p:.3g}, filter {f:.3g}" for p, f in zip(*head[:2], strict=True)),
        float(np.median(np.diff(table[0]))),
        background=head[2],
        metadata={"power": head[0].tolist(), "filter": head[1].tolist(), "time unit": "ns"},
    )


def _table(path: Path, lines: list[str], time_unit: str | None) -> Histogram:
    table = delimited.read_table(path)
    numeric = [c for c in table.columns if c.values.dtype.kind == "f"]
    said = {k.lower(): v for k, v in table.metadata.items()}
    width = _bin_width(said, lines)
    if len(numeric) == 1:
        if width is None:
            raise FormatError(
                path,
                place=f"line {table.first_line}",
                expected="a time and a counts column, or a time per channel in the header",
                found="one column",
                advice="export with the time axis",
            )
        time, decays = np.arange(len(table)) * width, numeric
    else:
        axis, decays = numeric[0], numeric[1:]
        repeats = [c for c in decays if re.match(r"time|chan", c.name, re.IGNORECASE)]
        if repeats and any(not np.array_equal(c.values, axis.values) for c in repeats):
            raise FormatError(
                path,
                place="column heads",
                expected="one time axis",
                found=f"{1 + len(repeats)} different ones",
                advice="export the decays one by one",
            )
        decays = [
            c
            for c in decays
            if c not in repeats and not re.match(r"fit|resid", c.name, re.IGNORECASE)
        ]
        if re.match(r"chan", axis.name, re.IGNORECASE):
            if width is None:
                raise FormatError(
                    path,
                    place="header",
                    expected="a time per channel beside a column of channels",
                    found="none",
                    advice="write 'Time calibration = 2.7e-11 sec/ch' above",
                )
            time = axis.values * width
        else:
            head = f"{axis.name} {axis.unit} {said.get('xaxis', '')}"
            unit = (
                time_unit
                or axis.unit
                or next(
                    iter(re.findall(r"(?<![A-Za-z])(ps|ns|us|µs|μs|ms|s)(?![A-Za-z])", head)), ""
                )
                or "ns"
            )
            if unit.lower() not in _TO_NS:
                raise FormatError(
                    path,
                    place="column heads",
                    expected="a time in ps, ns, µs, ms or s",
                    found=repr(unit),
                    advice="name the unit in the column's head or pass time_unit",
                )
            time = axis.values * _TO_NS[unit.lower()]
    stem = path.name.split(".")[0]
    names = [c.name for c in decays]
    if "labels" in said and len(said["labels"].strip(",").split(",")) == len(decays):
        names = [n.strip() for n in said["labels"].strip(",").split(",")]
    labels = tuple(
        n
        if n and not re.fullmatch(r"counts?|intensity|y|decay", n, re.IGNORECASE)
        else (stem if len(decays) == 1 else f"{stem} {k + 1}")
        for k, n in enumerate(names)
    )
    steps = np.diff(time)
    if steps.size == 0 or not np.all(steps > 0):
        i = int(np.argmax(steps <= 0)) if steps.size else 0
        raise FormatError(
            path,
            place=f"line {table.first_line + i + 1}, column 1",
            expected="times that rise",
            found=f"{time[i]:g} then {time[min(i + 1, len(time) - 1)]:g} ns",
        )
    cycles = next(
        (
            float(m[0])
            for k, v in said.items()
            if re.search(r"excitation (pulses|cycles)|^cycles", k)
            and (m := re.search(r"[\d.]+(e[+-]?\d+)?", v, re.IGNORECASE))
        ),
        None,
    )
    return Histogram(
        path,
        time,
        np.array([c.values for c in decays]),
        labels,
        float(np.median(steps)),
        _period(said),
        None if cycles is None else np.full(len(decays), cycles),
        metadata=table.metadata,
    )


def _bin_width(said: dict, lines: list[str]) -> float | None:
    for line in lines[:60]:
        if m := re.search(
            r"time[ /](?:cal\w*|per ch\w*)\D*?([\d.]+(?:[eE][+-]?\d+)?)\s*(ps|ns|us|µs|s)?",
            line,
            re.IGNORECASE,
        ):
            return float(m[1]) * _TO_NS[(m[2] or "s").lower()]
        if m := re.search(
            r"(?:ch\w*\.? ?width|bin ?width|resolution)\W*([\d.]+(?:[eE][+-]?\d+)?)?\s*\(?(ps|ns|us|µs)?\)?\W*([\d.]+(?:[eE][+-]?\d+)?)?\s*(ps|ns|us|µs)?",
            line,
            re.IGNORECASE,
        ):
            number, unit = m[1] or m[3], m[2] or m[4]
            if number and unit:
                return float(number) * _TO_NS[unit.lower()]
    return None


def _period(said: dict) -> float | None:
    for key, value in said.items():
        head, unit = split_unit(key)
        if m := re.search(r"([\d.]+(?:e[+-]?\d+)?)\s*([kM]?Hz|ns|us|µs)?", value, re.IGNORECASE):
            unit = (m[2] or unit).lower()
            if re.search(
                r"rep\w*\.? ?rate|sync ?rate|frequency", head, re.IGNORECASE
            ) and unit.endswith("hz"):
                return 1e9 / (float(m[1]) * {"hz": 1.0, "khz": 1e3, "mhz": 1e6}[unit])
            if re.search(r"period", head, re.IGNORECASE) and unit in _TO_NS:
                return float(m[1]) * _TO_NS[unit]
    return None


def _checked(histogram: Histogram) -> Histogram:
    counts, time = histogram.counts, histogram.time_ns
    if counts.size == 0 or counts.shape[1] < 8:
        raise FormatError(
            histogram.path,
            expected="at least 8 bins",
            found=f"{counts.shape[1] if counts.ndim == 2 else 0}",
        )
    bad = np.argwhere(~np.isfinite(counts) | (counts < 0))
    if bad.size:
        m, i = bad[0]
        raise FormatError(
            histogram.path,
            place=f"{histogram.labels[m]}, {time[i]:g} ns",
            expected="counts, none negative",
            found=f"{counts[m, i]:g}",
            advice="export raw counts, without subtracting a background: the statistics need them",
        )
    steps = np.diff(time)
    # Rounded times may differ in their last digit; a changed bin width may not.
    if (
        np.max(
            np.abs(time - (time[0] + np.arange(time.size) * (time[-1] - time[0]) / (time.size - 1)))
        )
        > 0.51 * histogram.bin_ns
    ):
        i = int(np.argmax(np.abs(steps - histogram.bin_ns)))
        raise FormatError(
            histogram.path,
            place=f"{time[i]:g} ns",
            expected=f"even bins of {histogram.bin_ns:g} ns",
            found=f"a step of {steps[i]:g} ns",
            advice="export one time range",
        )
    return histogram
