"""A topic's own `analyse`, with the gates that acted as the remark of each number."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

from peled.report import Report


def analyse(sheet, settings) -> Report:
    report = importlib.import_module(f"peled.{sheet.topic}.analyse").analyse(sheet, settings)
    noted = tuple(
        replace(q, note=json.dumps(sorted({f.gate for f in q.findings if f.status != "reported"})))
        for q in report.quantities
    )
    return replace(report, quantities=noted)
