"""What a folder of the energetics room holds: one's own table of outputs, or the bundled ones, and the cluster's results beside either."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from peled import datapackage
from peled.energetics.outputs import EnergyRow, read_table
from peled.formats import FormatError
from peled.formats.atomistic import Structure, read_calculation, read_structure

_STEMS = {
    "GL": "gl",
    "EDTA": "edta",
    "GL+EDTA": "gl_edta",
    "GL+GL": "gl_gl",
    "EDTA+EDTA": "edta_edta",
    "Frenkel bare": "frenkel_bare",
    "Frenkel GL": "frenkel_gl",
    "Frenkel GL+EDTA": "frenkel_gl_edta",
    "bare": "slab",
}
_CLUSTER = {
    "GL+EDTA": "glutathione+edta_on_surface-0.gfn2.xyz",
    "GL+GL": "glutathione+glutathione_on_surface-0.gfn2.xyz",
    "EDTA+EDTA": "edta+edta_on_surface-0.gfn2.xyz",
}


@dataclass(frozen=True)
class Picture:
    """A structure to draw, the file it came from, what kind of source that is, and what to say of it."""

    structure: Structure
    path: Path
    kind: str
    origin: str


@dataclass(frozen=True)
class Holdings:
    """Everything the notebook works on. `rows` and `rows_kind` are the table of outputs, `cluster` the tight-binding rows."""

    table: Path | None
    rows: dict[str, EnergyRow]
    rows_kind: str
    cluster: dict[str, EnergyRow]
    cluster_table: Path
    constants: dict
    citations: list
    molecules: dict[str, Structure]
    files: dict[str, Path] = field(default_factory=dict)
    own: bool = False
    structures_folder: Path | None = None

    def picture(self, name: str) -> Picture | None:
        """The best structure of a system: one's own output, one's own structure file, the relaxed cluster, else the built slab."""
        if self.own and name in self.rows and self.rows[name].complex.structure is not None:
            row = self.rows[name]
            return Picture(row.complex.structure, row.complex.path, self.rows_kind, row.complex.program)
        stem = _STEMS.get(name, name)
        if self.own and (found := sorted(self.table.parent.glob(f"structures/{stem}.*")) if self.table else []):
            return Picture(read_structure(found[0]), found[0], self.rows_kind, "your structure")
        if name in self.cluster:
            c = self.cluster[name].complex
            return Picture(c.structure, c.path, "calculated", "relaxed on a frozen cluster, GFN2-xTB")
        if name in _CLUSTER and (path := self.cluster_table.parent / _CLUSTER[name]).exists():
            c = read_calculation(path, allow_unconverged=True)
            return Picture(c.structure, path, "calculated", "cluster, GFN2-xTB" + ("" if c.geometry_converged else ", not fully relaxed"))
        path = (self.structures_folder or Path()) / f"{stem}.xyz"
        return Picture(read_structure(path), path, "simulated", "built, not relaxed") if path.exists() else None


def load(room) -> Holdings:
    """Read the folder: `table.csv` there is one's own; without it the bundled outputs stand in.

    Raises
    ------
    MissingDataError
        If the folder has nothing of this room.
    FormatError, BookkeepingError
        For a table or an output that cannot be used.
    """
    if not any((room.folder / name).exists() for name in ("table.csv", "espresso/table.csv", "xtb/table.csv", "stability.yaml", "structures", "molecules")):
        room.file("table.csv")  # says what is missing and where it is described
    own_table, bundled = room.folder / "table.csv", room.file_or_bundled("espresso/table.csv")
    own = own_table.exists()
    table = own_table if own else bundled
    rows = {row.name: row for row in read_table(table)}
    cluster_table = room.file_or_bundled("xtb/table.csv")
    files = {name: room.file_or_bundled(name) for name in ("stability.yaml", "citations.yaml")}
    molecules = {}
    for name in ("glutathione", "edta", "acetic_acid", "methylamine", "n_methylacetamide", "trimethylamine"):
        path = room.file_or_bundled(f"molecules/{name}.xyz")
        molecules[name] = read_structure(path, frame=0)
        files[name] = path
    return Holdings(
        table,
        rows,
        datapackage.kind_of(table),
        {row.name: row for row in read_table(cluster_table)},
        cluster_table,
        constants(files["stability.yaml"]),
        yaml.safe_load(files["citations.yaml"].read_text(encoding="utf-8")),
        molecules,
        files,
        own,
        room.file_or_bundled("structures/slab.xyz").parent,
    )


def constants(path: Path) -> dict:
    """Stability constants of a YAML file: by ligand `log_k` (low, high), `pKa`, `source`.

    Raises
    ------
    FormatError
        If an entry lacks one of them or its numbers make no sense.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, entry in found.items():
            low, high = map(float, entry["log_k"])
            if not (np.isfinite([low, high, *map(float, entry["pKa"])]).all() and low <= high and entry["source"]):
                raise ValueError(f"{name}: {entry}")
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(path, expected="for each ligand log_k: [low, high], pKa: [...], source", found=str(error)[:120]) from None
    return found


def ligands_above(picture: Picture | None) -> np.ndarray | None:
    """Positions of what lies on the surface, z from the top lead; None without a picture or an adsorbate."""
    if picture is None:
        return None
    symbols, at = np.array(picture.structure.symbols), picture.structure.positions
    if not (symbols == "Pb").any():
        return None
    top = at[symbols == "Pb", 2].max()
    light = np.isin(symbols, list("HCNOS")) & (at[:, 2] > top + 0.5)
    return at[light] - [0, 0, top] if light.any() else None
