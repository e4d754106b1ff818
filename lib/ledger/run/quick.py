"""Is everything up to date? Answered before anything heavy is imported.

Only file dates, sizes and the names in folders are looked at. Whatever this is not sure of (a date
that moved, a record that is missing) is left to the full check in `records`, which decides by
content.
"""

import hashlib
import json
import os
import time

#: When this process began: what it has imported by then is older.
STARTED = time.time_ns()


def nothing_to_do(root: str) -> int:
    """The number of notebooks when all records of plain runs stand untouched, else 0."""
    known: dict[str, list[int]] = {}
    folders: dict[str, str] = {}
    names = sorted(os.listdir(os.path.join(root, "notebooks")))
    stems = [n[:-6] for n in names if n.endswith(".ipynb") and n[:2].isdigit() and n[2] == "_"]
    try:
        for stem in stems:
            with open(os.path.join(root, "build", "records", f"{stem}.json"), "rb") as stream:
                if not _stands(json.loads(stream.read()), root, known, folders):
                    return 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return len(stems)


def _stands(record: dict, root: str, known: dict, folders: dict) -> bool:
    if record["parameters"]:
        return False
    for name in (*record["inputs"], *record["outputs"]):
        if name not in known:
            found = os.stat(os.path.join(root, name))
            known[name] = [found.st_size, found.st_mtime_ns, found.st_ino]
        if record["stats"][name] != known[name]:
            return False
    for name, digest in record["listings"].items():
        if name not in folders:
            folders[name] = listing(os.path.join(root, name))
        if folders[name] != digest:
            return False
    return not any(os.path.exists(os.path.join(root, name)) for name in record["absent"])


def listing(folder: str | os.PathLike) -> str:
    """A digest of the names in a folder, without caches and editors' leftovers."""
    try:
        found = [n for n in os.listdir(folder) if not n.startswith((".", "__pycache__"))]
    except OSError:
        found = ["(no folder)"]
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
