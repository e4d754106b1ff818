"""`python -m ledger.run.store`: execute the notebooks and keep their outputs in them, the same bytes every time.

What a reader on a code host sees, and what every later run is compared with. Timing, machine and widget state are
dropped; a digest of the sources is kept, so that outputs older than the code beside them are found.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from ledger import files
from ledger.run import __main__ as runner
from ledger.run import records


def source_digest(notebook: dict) -> str:
    """SHA-256 over the code cells of a notebook."""
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def cleaned(executed: dict) -> dict:
    """An executed notebook without anything that differs between runs or machines."""
    cells = []
    for cell in executed["cells"]:
        metadata = {
            key: value for key, value in cell["metadata"].items() if key == "tags" and value
        }
        kept = {
            "cell_type": cell["cell_type"],
            "id": cell["id"],
            "metadata": metadata,
            "source": cell["source"],
        }
        if cell["cell_type"] == "code":
            kept |= {"execution_count": cell["execution_count"], "outputs": cell["outputs"]}
            for output in kept["outputs"]:
                output.get("metadata", {}).clear()
        cells.append(kept)
    declared = executed["metadata"].get("peled", {}).get("after")
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    notebook["metadata"]["peled"] = {"sources_sha256": source_digest(notebook)} | (
        {"after": declared} if declared else {}
    )
    return notebook


def store(names: list[str] | None = None) -> int:
    """Run the notebooks (all, or those named) into a scratch folder and write their outputs into them. Returns the exit status."""
    import nbformat

    with tempfile.TemporaryDirectory(prefix=".store-", dir=_made(records.BUILD)) as scratch:
        # A gathering notebook reads what is published, unless all the others are run here as well.
        status = runner.main(
            [
                *(names or []),
                "--force",
                "--figures",
                scratch,
                *(["--gather", "figures/results"] if names else []),
            ]
        )
        if status:
            return status
        for path in runner.notebooks(names):
            executed = json.loads(
                (records.BUILD / "executed" / f"{path.stem}.ipynb").read_text(encoding="utf-8")
            )
            notebook = cleaned(executed)
            nbformat.validate(notebook)
            files.write_atomically(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
            records.record_path(path.stem, Path(scratch)).unlink(missing_ok=True)
    print(f"outputs stored in {', '.join(path.stem for path in runner.notebooks(names))}")
    return 0


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(store(sys.argv[1:]))
