"""What a campaign keeps: one file a unit, named by its key, whole or absent.

A record lies in `kept/<key>.json`, written beside and renamed into place: a process that is killed
leaves at most a temporary file. One campaign at a time works in a results folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peled.campaign.units import Digests, Unit
from peled.files import write_atomically

#: What the next run takes up again: perhaps it was the machine, or the budget is larger now.
AGAIN = ("stopped", "crashed", "lost")


class Kept:
    """The records in a results folder.

    Parameters
    ----------
    folder : Path
        Made when needed.
    digest : Digests
    """

    def __init__(self, folder: Path, digest: Digests):
        self.folder, self.digest = folder, digest

    def path(self, unit: Unit) -> Path:
        return self.folder / f"{unit.key}.json"

    def record(self, unit: Unit) -> dict[str, Any] | None:
        """What is kept of a unit, if it still holds.

        Parameters
        ----------
        unit : Unit

        Returns
        -------
        dict or None
            None without a readable record, or where a file that its analysis opened has changed.
        """
        try:
            record = json.loads(self.path(unit).read_bytes())
        except (OSError, ValueError):
            return None
        holds = record["key"] == unit.key and all(
            self.digest(unit.sheet.folder / file) == seen
            for file, seen in record.get("also", {}).items()
        )
        return record if holds else None

    def add(self, unit: Unit, answer: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer.

        Parameters
        ----------
        unit : Unit
        answer : dict
            As `peled.campaign.worker.answer` gives it.

        Returns
        -------
        dict
            The record as written.
        """
        record = {
            "key": unit.key, "place": unit.place, "samples": unit.samples, "rows": [],
            "problems": [], **answer,
        }  # fmt: skip
        write_atomically(self.path(unit), json.dumps(record, ensure_ascii=True))
        return record

    def tidy(self, keys: set[str]) -> None:
        """Remove what other bytes, sheets or code gave, and what a killed process left.

        Parameters
        ----------
        keys : set of str
            Of the units whose records stay.
        """
        for path in self.folder.glob("*.json"):
            if path.stem not in keys:
                path.unlink(missing_ok=True)
        for path in self.folder.glob(".*.part"):
            path.unlink(missing_ok=True)
