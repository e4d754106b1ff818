"""`python -m ledger.run.store`: execute the notebooks and keep their outputs in them, the same
bytes every time.

What a reader on a code host sees, and what every later run is compared with. Timing, machine and
widget state are dropped; a digest of the sources is kept, so that outputs older than the code
beside them are found.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ledger import files
from ledger.run import __main__ as runner
from ledger.run import records
from peled.lab import keep_headless


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
    notebook["metadata"]["peled"] = {"sources_sha256": records.source_digest(notebook)} | (
        {"after": declared} if declared else {}
    )
    return notebook


def store(names: list[str] | None = None) -> int:
    """Run the notebooks (all, or those named, `lab/led` among them) and write their outputs into
    them.

    Returns the exit status.
    """
    lab = [name for name in names or () if name.startswith("lab/")]
    ours = [name for name in names or () if name not in lab]
    if (ours or not names) and (status := _store_numbered(ours)):
        return status
    chosen = _lab_notebooks(lab) if lab or not names else []
    for path in chosen:
        try:
            _keep(path, _executed_here(path))
        except Exception as error:  # a cell may raise anything
            print(f"FAILED lab/{path.stem}: {error}", file=sys.stderr)
            return 1
    stored = [path.stem for path in runner.notebooks(ours)] if ours or not names else []
    print(f"outputs stored in {', '.join(stored + [f'lab/{path.stem}' for path in chosen])}")
    return 0


def _lab_notebooks(names: list[str] | None = None) -> list[Path]:
    """The notebooks for a laboratory's own folders, all or those named (`lab/led`).

    Raises
    ------
    ValueError
        For a name that fits none.
    """
    there = {
        f"lab/{path.stem}": path for path in sorted((files.ROOT / "notebooks/lab").glob("*.ipynb"))
    }
    if unknown := [name for name in names or () if name not in there]:
        raise ValueError(f"notebook {unknown[0]!r}: expected one of {', '.join(there)}")
    return [there[name] for name in names or there]


def _store_numbered(names: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix=".store-", dir=_made(records.BUILD)) as scratch:
        # A gathering notebook reads what is published, unless all the others are run here as well.
        gather = ["--gather", "figures/results"] if names else []
        if status := runner.main([*names, "--force", "--figures", scratch, *gather]):
            return status
        for path in runner.notebooks(names):
            executed = records.BUILD / "executed" / f"{path.stem}.ipynb"
            _keep(path, json.loads(executed.read_text(encoding="utf-8")))
            records.record_path(path.stem, Path(scratch)).unlink(missing_ok=True)
    return 0


def _executed_here(path: Path) -> dict:
    """A lab notebook as its reader runs it: a kernel in the notebook's own folder, no
    parameters."""
    import papermill

    keep_headless()
    with tempfile.TemporaryDirectory(prefix=".store-", dir=_made(records.BUILD)) as scratch:
        copy = Path(scratch) / path.name
        papermill.execute_notebook(
            str(path), str(copy), cwd=str(path.parent), progress_bar=False, log_output=False
        )
        return json.loads(copy.read_text(encoding="utf-8"))


def _keep(path: Path, executed: dict) -> None:
    import nbformat

    notebook = nbformat.from_dict(cleaned(executed))
    nbformat.validate(notebook)
    # As Jupyter writes it: saving the notebook unchanged changes no byte.
    files.write_atomically(path, nbformat.writes(notebook) + "\n")


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(store(sys.argv[1:]))
