"""A report as tidy CSV and as JSON (`tables/report.schema.json`)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peled

if TYPE_CHECKING:
    from peled.quantities import Quantity

    from .groups import Comparison, Summary
    from .report import Report

COLUMNS = (
    "topic", "sample", "group", "state", "name", "relation", "value", "standard_error",
    "low_95", "high_95", "unit", "status", "kind", "budget", "reasons", "note", "inputs",
    "sheet", "version", "code",
)  # fmt: skip


@cache
def code_digest() -> str:
    """SHA-256 over names and content of everything in the package, tables included."""
    root, total = Path(peled.__file__).parent, hashlib.sha256()
    names = sorted(
        p.relative_to(root).as_posix()
        for p in root.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    )
    for name in names:
        content = hashlib.sha256((root / name).read_bytes()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return "sha256:" + total.hexdigest()


def to_csv(report: Report) -> bytes:
    """One row a quantity, UTF-8 with the mark by which Excel knows it; full precision.

    Parameters
    ----------
    report : Report

    Returns
    -------
    bytes
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells(row, COLUMNS) for row in rows(report))
    return stream.getvalue().encode("utf-8-sig")


def rows(report: Report) -> list[dict[str, Any]]:
    """The quantities as flat records with the keys `COLUMNS`, ready for JSON.

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of dict
    """
    common = {
        "topic": report.topic, "sheet": report.sheet, "version": peled.__version__,
        "code": code_digest(),
    }  # fmt: skip
    out = []
    for q in report.quantities:
        row = _quantity(q, report) | common
        row["low_95"], row["high_95"] = row.pop("interval_95") or (None, None)
        row["reasons"] = q.reasons
        out.append({column: row[column] for column in COLUMNS})
    return out


def cells(row: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """A flat record as text for CSV.

    Parameters
    ----------
    row : mapping of str
        One of `rows`.
    columns : iterable of str
        In the order wanted; one that the row has not is empty.

    Returns
    -------
    list of str
    """
    row = dict(row)
    row["budget"] = "; ".join(f"{k} {v:.3g}" for k, v in (row.get("budget") or {}).items())
    row["inputs"] = " ".join(row.get("inputs") or ())
    return [_cell(row.get(column)) for column in columns]


def record(report: Report) -> dict[str, Any]:
    """The whole report as plain data, ready for JSON.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        As `tables/report.schema.json` describes it.
    """
    return {
        "topic": report.topic,
        "sheet": report.sheet,
        "package": {"name": "peled", "version": peled.__version__, "code": code_digest()},
        "settings": json.loads(json.dumps(dict(report.settings), default=str)),
        "samples": [{"sample": s, "group": report.groups.get(s, "")} for s in report.samples],
        "quantities": [_quantity(q, report) for q in report.quantities],
        "groups": [_summary(s) for s in report.summaries],
        "comparisons": [_comparison(c) for c in report.comparisons],
        "problems": [{"where": p.where, "reason": p.reason} for p in report.problems],
    }


def _quantity(q: Quantity, report: Report) -> dict[str, Any]:
    return {
        "sample": q.sample,
        "group": report.groups.get(q.sample, ""),
        "state": q.state,
        "name": q.name,
        "relation": q.relation,
        "value": q.value,
        "standard_error": q.standard_error,
        "interval_95": _ends(q.bounds),
        "unit": q.unit,
        "status": q.status,
        "kind": q.kind,
        "budget": dict(q.budget),
        "findings": [
            {"gate": f.gate, "status": f.status, "evidence": f.evidence, "where": f.where}
            for f in q.findings
        ],
        "note": q.note,
        "inputs": list(q.inputs),
    }


def _summary(s: Summary) -> dict[str, Any]:
    names = (
        "name", "state", "unit", "group", "n", "withheld", "limits", "doubtful", "median", "mean",
        "standard_deviation", "lowest", "highest",
    )  # fmt: skip
    return {name: getattr(s, name) for name in names}


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "name": c.name,
        "state": c.state,
        "unit": c.unit,
        "reference": c.reference,
        "group": c.group,
        "test": c.test,
        "n_reference": c.n_reference,
        "n_group": c.n_group,
        "p": c.p,
        "p_holm": c.adjusted,
        "effect": c.effect,
        "interval_95": _ends(c.interval),
    }


def _ends(interval: tuple[float, float] | None) -> list[float | None] | None:
    """Infinite ends have no JSON: null."""
    return None if interval is None else [e if math.isfinite(e) else None for e in interval]


def _cell(value: Any) -> str:
    """Text of a cell; what a spreadsheet would take for a formula stays text."""
    text = "" if value is None else str(value)
    formula = isinstance(value, str) and len(text) > 1 and text[0] in "=+-@\t\r"
    return f"'{text}" if formula else text
