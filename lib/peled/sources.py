"""What a number stands on: the kinds of source, and the kind of a file by the catalogue above it.

A `datapackage.json` in a folder above a file says what the file is; a file without one is
somebody's own and *measured*.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from peled.files import display_path

Kind = Literal["measured", "calculated", "recomputed", "published", "literature", "simulated"]
#: Strongest first; what is derived is as strong as its weakest input.
SOURCE_KINDS: tuple[str, ...] = get_args(Kind)
CATALOGUE = "datapackage.json"
_PACKAGE = Path(__file__).resolve().parent


class CatalogueError(ValueError):
    """The catalogue and the files of a folder do not fit."""


def kind_of(*paths: str | Path) -> str:
    """The kind of source of data files, the weakest when there are several.

    Raises
    ------
    CatalogueError
        If a catalogue stands above the file but does not list it; for a file of this package
        without a catalogue.
    """
    kinds = {_kind(Path(path).resolve()) for path in paths} or {"published"}
    return max(kinds, key=SOURCE_KINDS.index)


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


def forget() -> None:
    """Read catalogues again: for a process that goes on while people write them."""
    _catalogue.cache_clear()


def _kind(path: Path) -> str:
    for folder in path.parents:
        kinds = _catalogue(folder)
        if kinds is None:
            continue
        name = path.relative_to(folder).as_posix()
        if name in kinds:
            return kinds[name]
        # A folder such as a Bruker experiment is as strong as its weakest file.
        inside = {kind for known, kind in kinds.items() if known.startswith(name + "/")}
        if inside:
            return max(inside, key=SOURCE_KINDS.index)
        raise CatalogueError(
            f"{display_path(path)}: not listed in {display_path(folder / CATALOGUE)}"
        )
    if path.is_relative_to(_PACKAGE):
        raise CatalogueError(f"{display_path(path)}: a table of the package without a catalogue")
    return "measured"
