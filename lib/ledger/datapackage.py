"""Catalogues of files, `datapackage.json` in the Frictionless standard, made from `about.yaml`
files.

`about.yaml` lists files with title, kind of source, how they were made and, for plain tables, their
columns; the one at the root of a catalogue describes the whole (`package`). The catalogue adds size
and SHA-256 of each file, and every file of the folder is in it. `peled.sources.kind_of` reads it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger import files
from peled.sources import CATALOGUE, SOURCE_KINDS, CatalogueError

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
_IGNORED = {"README.md", "about.yaml", "__init__.py", CATALOGUE}


def roots() -> list[Path]:
    """The folders that have a catalogue: `data`, and the topmost below `lib` that say what they
    hold."""
    below = sorted((files.ROOT / "lib").rglob("about.yaml"), key=lambda path: len(path.parts))
    top: list[Path] = []
    for about in below:
        if not any(about.is_relative_to(folder) for folder in top):
            top.append(about.parent)
    return [files.ROOT / "data", *sorted(top)]


def build(data: Path) -> dict:
    """The catalogue of a folder, from its `about.yaml` files and its content.

    Raises
    ------
    CatalogueError
        Naming the entry: unknown kind or licence, a file listed and missing, present and not
        listed, or listed twice.
    """
    import yaml

    resources: dict[str, dict] = {}
    header: dict[str, str] = {}
    for about in sorted(data.rglob("about.yaml")):
        place = about.relative_to(data.parent).as_posix()
        try:
            entries = yaml.safe_load(about.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise CatalogueError(f"{place}: expected YAML, found {error}") from None
        if about.parent == data:
            header = entries.get("package", {})
        for entry in entries.get("files", []):
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
        if p.is_file()
        and p.name not in _IGNORED
        and not p.name.startswith(".")
        and "__pycache__" not in p.parts
    }
    if unlisted := sorted(present - set(resources)):
        raise CatalogueError(
            f"{data.name}: not listed in any about.yaml: {', '.join(unlisted[:5])}"
            + (f" and {len(unlisted) - 5} more" if len(unlisted) > 5 else "")
        )
    return {
        "name": data.name,
        "profile": "data-package",
        **header,
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


def main(arguments: list[str] | None = None) -> int:
    """Write the catalogues; with `--check` only say whether they are up to date."""
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    status = 0
    for folder in roots():
        path = folder / CATALOGUE
        try:
            text = files.to_json(build(folder))
        except CatalogueError as error:
            print(f"catalogue: {error}", file=sys.stderr)
            status = 1
            continue
        if not check:
            files.write_atomically(path, text)
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"catalogue of {files.display_path(folder)}: out of date; `make datapackage`")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
