"""The table of a campaign: a row a quantity, as JSON lines and CSV, written as a stream."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import peled
from peled.campaign.units import Unit
from peled.files import writing
from peled.report import code_digest
from peled.report.export import COLUMNS, cells

HEAD = ("folder", *COLUMNS, "key")
_NUMBERS = ("value", "standard_error", "low_95", "high_95")


def rows_of(unit: Unit, record: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The rows of a unit; a sample without any number has one that says why.

    Parameters
    ----------
    unit : Unit
    record : mapping or None
        As `Kept.record` gives it; None: not analysed yet.

    Yields
    ------
    dict
        Columns of `HEAD` as far as known, and those of the sheet.
    """
    record = record or {"status": "lost", "reason": "not analysed yet", "rows": []}
    common = {"folder": unit.place, "key": unit.key}
    for sample in unit.samples or ("",):
        said = {k: v for k, v in unit.columns(sample).items() if k not in HEAD}
        mine = [r for r in record["rows"] if r["sample"] == sample or not unit.samples]
        yield from (common | row | said for row in mine)
        if not mine and (unit.samples or record["status"] != "done"):
            yield common | said | _nothing(unit, sample, record)


def _nothing(unit: Unit, sample: str, record: Mapping[str, Any]) -> dict[str, Any]:
    reason = record.get("reason") or "; ".join(f"{w}: {r}" for w, r in record["problems"])
    group = next((row.group for row in unit.sheet.rows if row.sample == sample and row.group), "")
    return {
        "topic": unit.sheet.topic, "sample": sample, "group": group, "status": "withheld",
        "reasons": f"{record['status']}: {reason}" if record.get("reason") else reason or "no row",
        "sheet": unit.sheet.digest, "version": peled.__version__, "code": code_digest(),
    }  # fmt: skip


def write(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> list[Path]:
    """Write rows to `path` with the endings `.jsonl` and `.csv`; each is whole or absent.

    Parameters
    ----------
    path : Path
        Without an ending.
    rows : iterable of dict
    columns : sequence of str
        Those of the sheets, after `HEAD`.

    Returns
    -------
    list of Path
        JSON lines, CSV.
    """
    written = [path.with_suffix(ending) for ending in (".jsonl", ".csv")]
    head = [*HEAD, *columns]
    with writing(written[0]) as lines, writing(written[1]) as table:
        text = io.TextIOWrapper(table, "utf-8-sig", newline="", write_through=True)
        out = csv.writer(text, lineterminator="\n")
        out.writerow(head)
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            out.writerow(cells(row, head))
        text.detach()
    return written


def write_parquet(path: Path) -> Path:
    """The table of `path` (without an ending) as Parquet.

    Parameters
    ----------
    path : Path
        Beside its CSV, as `write` leaves it.

    Returns
    -------
    Path
        With the ending `.parquet`.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    import pyarrow as pa
    from pyarrow import csv as reader
    from pyarrow import parquet

    types = {c: pa.float64() if c in _NUMBERS else pa.string() for c in HEAD}
    options = reader.ConvertOptions(column_types=types)
    with writing(path.with_suffix(".parquet")) as stream:
        table = reader.read_csv(path.with_suffix(".csv"), convert_options=options)
        parquet.write_table(table, stream)
    return path.with_suffix(".parquet")


def write_problems(path: Path, problems: Iterable[Sequence[str]]) -> Path:
    """Files and rows that gave nothing, each with its reason, once.

    Parameters
    ----------
    path : Path
        Of a CSV.
    problems : iterable of (folder, where, reason)

    Returns
    -------
    Path
        The same.
    """
    with writing(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", newline="", write_through=True)
        out = csv.writer(text, lineterminator="\n")
        out.writerow(("folder", "where", "reason"))
        out.writerows(dict.fromkeys(tuple(problem) for problem in problems))
        text.detach()
    return path
