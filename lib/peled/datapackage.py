"""The catalogue of data files: `data/datapackage.json`, in the Frictionless standard, made from one `about.yaml` a topic.

`about.yaml` lists a topic's files with title, kind of source, how they were made and, for plain tables, their columns.
The catalogue adds size and SHA-256 of each file; every file in `data/` is in it. From it a notebook learns the kind of
what it read; a folder without a catalogue is somebody's own, and its files are `measured`.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

from peled import files
from peled.paper import SOURCE_KINDS

CATALOGUE = "datapackage.json"
LICENCES = {
    "CC-BY-4.0": {
        "name": "CC-BY-4.0",
        "title": "Creative Commons Attribution 4.0",
        "path": "https://creativecommons.org/licenses/by/4.0/",
    },
    "BSD-3-Clause": {
        "name": "BSD-3-Clause",
        "title": "BSD 3-Clause",
        "path": "https://opensource.org/license/bsd-3-clause",
    },
    "CC0-1.0": {
        "name": "CC0-1.0",
        "title": "Creative Commons Zero 1.0",
        "path": "https://creativecommons.org/publicdomain/zero/1.0/",
    },
}
#: A derived panel is as strong as its weakest input.
WEAKEST_LAST = ("measured", "calculated", "recomputed", "published", "simulated")
_IGNORED = {"README.md", "about.yaml", CATALOGUE}


class CatalogueError(ValueError):
    """The catalogue and the files of a data folder do not fit."""


def kind_of(*paths: str | Path) -> str:
    """The kind of source of data files, the weakest when there are several.

    The nearest `datapackage.json` in a folder above each file tells; where there is none, the file is `measured`.

    Raises
    ------
    CatalogueError
        If a catalogue stands above the file but does not list it.
    """
    kinds = {_kind(Path(path).resolve()) for path in paths} or {"published"}
    return max(kinds, key=WEAKEST_LAST.index)


def build(data: Path | None = None) -> dict:
    """The catalogue of a data folder, from its `about.yaml` files and its content.

    Raises
    ------
    CatalogueError
        Naming the entry: unknown kind or licence, a file listed and missing, present and not listed, or listed twice.
    """
    import yaml

    data = data or files.ROOT / "data"
    resources: dict[str, dict] = {}
    for about in sorted(data.rglob("about.yaml")):
        place = about.relative_to(data.parent).as_posix()
        try:
            entries = yaml.safe_load(about.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise CatalogueError(f"{place}: expected YAML, found {error}") from None
        for entry in entries["files"]:
            pattern = entry["path"]
            found = sorted(path for path in about.parent.glob(pattern) if path.is_file())
            if not found:
                raise CatalogueError(f"{place}: {pattern}: expected a file, found none")
            for path in found:
                name = path.relative_to(data).as_posix()
                if name in resources:
                    raise CatalogueError(f"{place}: {name}: listed twice")
                resources[name] = _resource(entry, entries, path, name, place)
    present = {
        p.relative_to(data).as_posix()
        for p in data.rglob("*")
        if p.is_file() and p.name not in _IGNORED and not p.name.startswith(".")
    }
    if unlisted := sorted(present - set(resources)):
        raise CatalogueError(
            f"{data.name}: not listed in any about.yaml: {', '.join(unlisted[:5])}"
            + (f" and {len(unlisted) - 5} more" if len(unlisted) > 5 else "")
        )
    return {
        "name": "peled",
        "title": "Data of the executable perovskite-LED paper",
        "profile": "data-package",
        "homepage": "https://doi.org/10.1038/s41586-021-03217-8",
        "description": "Numbers transcribed from the paper, reference tables, and raw-like files from stated forward models. The authors' raw files are not public; no file here is one.",
        "licenses": [LICENCES["CC-BY-4.0"]],
        "resources": [resources[name] for name in sorted(resources)],
    }


def _resource(entry: dict, defaults: dict, path: Path, name: str, place: str) -> dict:
    def value(key: str, needed: bool = True) -> object:
        found = entry.get(key, defaults.get(key))
        if needed and not found:
            raise CatalogueError(f"{place}: {name}: expected the key {key!r}, found none")
        return found

    kind, licence = value("kind"), value("licence", False) or "CC-BY-4.0"
    if kind not in SOURCE_KINDS:
        raise CatalogueError(
            f"{place}: {name}: kind: expected one of {', '.join(SOURCE_KINDS)}, found {kind!r}"
        )
    if licence not in LICENCES:
        raise CatalogueError(
            f"{place}: {name}: licence: expected one of {', '.join(LICENCES)}, found {licence!r}"
        )
    slug = "".join(c if c.isalnum() and c.isascii() else "-" for c in name.lower()).strip("-")
    resource = {
        "name": slug,
        "path": name,
        "title": value("title"),
        "sourceKind": kind,
        "made": value("made"),
        "licenses": [LICENCES[licence]],
        "bytes": path.stat().st_size,
        "hash": "sha256:" + files.sha256(path),
        "format": path.suffix.lstrip(".").lower() or path.name,
    }
    if sources := value("sources", False):
        resource["sources"] = [
            source if isinstance(source, dict) else {"title": source} for source in sources
        ]
    if fields := entry.get("fields"):
        resource |= {
            "type": "table",
            "profile": "tabular-data-resource",
            "encoding": "utf-8",
            "schema": {"fields": fields},
        }
        if dialect := entry.get("dialect"):
            resource["dialect"] = dialect
    else:
        resource["type"] = "file"  # an instrument's own layout, not a plain table
        if units := entry.get("units"):
            resource["units"] = units
    return resource


@lru_cache(maxsize=32)
def _catalogue(folder: Path) -> dict[str, str] | None:
    path = folder / CATALOGUE
    if not path.is_file():
        return None
    resources = json.loads(path.read_text(encoding="utf-8")).get("resources", [])
    return {
        resource["path"]: resource["sourceKind"]
        for resource in resources
        if "sourceKind" in resource
    }


def _kind(path: Path) -> str:
    for folder in path.parents:
        kinds = _catalogue(folder)
        if kinds is not None:
            name = path.relative_to(folder).as_posix()
            if name in kinds:
                return kinds[name]
            inside = {
                kind for known, kind in kinds.items() if known.startswith(name + "/")
            }  # a folder such as a Bruker experiment
            if inside:
                return max(inside, key=WEAKEST_LAST.index)
            raise CatalogueError(
                f"{files.display_path(path)}: not listed in {files.display_path(folder / CATALOGUE)}; run `make datapackage`"
            )
    if path.is_relative_to(
        files.ROOT / "data"
    ):  # nothing of this repository may pass for a measurement for want of a list
        raise CatalogueError(
            f"{files.display_path(path)}: expected data/{CATALOGUE}, found none; run `make datapackage`"
        )
    return "measured"


def main(arguments: list[str] | None = None) -> int:
    """Write `data/datapackage.json`; with `--check` only say whether it is up to date."""
    arguments = sys.argv[1:] if arguments is None else arguments
    path = files.ROOT / "data" / CATALOGUE
    try:
        text = files.to_json(build())
    except CatalogueError as error:
        print(f"data catalogue: {error}", file=sys.stderr)
        return 1
    if "--check" in arguments:
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        print(
            "data catalogue: up to date"
            if same
            else "data catalogue: out of date; run `make datapackage`"
        )
        return 0 if same else 1
    files.write_atomically(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
