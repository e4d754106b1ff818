"""What a folder of the energetics room holds: one's own table of outputs where there is one, and
beside it the kept calculations.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.energetics.affinity import constants
from peled.energetics.outputs import EnergyRow, read_table
from peled.formats import read_text, read_yaml
from peled.formats.atomistic import Structure, formula, read_calculation, read_structure
from peled.sources import kind_of

OWN = "own outputs"
GFN2, GFN1, DFT = "GFN2-xTB", "GFN1-xTB", "PBE-D3, 25/200 Ry"
#: Kept tables by what the notebook calls their method, the best last; a folder of one's own adds
#: `OWN`.
TABLES = {GFN1: "gfn1.csv", GFN2: "gfn2.csv", DFT: "dft.csv"}
_STEMS = {
    "GL": "gl",
    "EDTA": "edta",
    "GL+EDTA": "gl_edta",
    "GL+GL": "gl_gl",
    "EDTA+EDTA": "edta_edta",
    "bare": "slab",
}
_MOLECULES = (
    "glutathione",
    "edta",
    "acetic_acid",
    "methylamine",
    "n_methylacetamide",
    "trimethylamine",
    "methanethiol",
    "dimethyl_ether",
)


@dataclass(frozen=True)
class Picture:
    """A structure to draw, the file it came from, what kind of source that is, and what to say of
    it.
    """

    structure: Structure
    path: Path
    kind: str
    origin: str


@dataclass(frozen=True)
class Holdings:
    """Everything the notebook works on.

    Attributes
    ----------
    methods : dict
        By method, then by system, the energy differences; `OWN` among them when `data_dir` has a
        table.csv.
    refused : dict
        By table and system, why a row was not computed.
    lead, box : dict
        Complexes of free lead, and adducts of PbI2 in a box, by name (`Pb GL | PBE-D3/def2-SVP;
        vacuum`; `acetic acid | hard | 25`).
    potentials : dict
        By element, the occupied shells of the pseudopotentials that were made for these
        calculations.
    """

    methods: dict[str, dict[str, EnergyRow]]
    refused: dict[str, str]
    lead: dict[str, EnergyRow]
    box: dict[str, EnergyRow]
    tables: dict[str, Path]
    constants: dict
    citations: list
    molecules: dict[str, Structure]
    files: dict[str, Path] = field(default_factory=dict)
    folder: Path = Path()
    potentials: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        return OWN in self.methods

    def kind(self, method: str) -> str:
        """Kind of source of a method's table; outputs are calculated, whoever ran the program."""
        kind = kind_of(self.tables[method])
        return "calculated" if kind == "measured" else kind

    def picture(self, name: str) -> Picture | None:
        """The best structure of a system: one's own output, one's own structure file, else the
        kept tight-binding geometry.
        """
        if self.own:
            row = self.methods[OWN].get(name)
            if row is not None and row.complex.structure is not None:
                return Picture(
                    row.complex.structure, row.complex.path, self.kind(OWN), row.complex.program
                )
            stem = _STEMS.get(name, name.lower().replace(" ", "_").replace("+", "_"))
            if found := sorted(self.folder.glob(f"structures/{stem}.*")):
                return Picture(read_structure(found[0]), found[0], self.kind(OWN), "your structure")
        row = self.methods[GFN2].get(name)
        if row is not None:
            origin = "GFN2-xTB" + ("" if row.complex.geometry_converged else ", not fully relaxed")
            return Picture(row.complex.structure, row.complex.path, "calculated", origin)
        if name == "bare":
            path = self.files["slab"]
            return Picture(
                read_calculation(path, allow_unconverged=True).structure,
                path,
                "calculated",
                "GFN2-xTB",
            )
        return None


def load(room) -> Holdings:
    """Read the folder: `table.csv` there is one's own; the kept tables stand beside it.

    Raises
    ------
    MissingDataError
        If the folder has nothing of this room.
    FormatError
        For a table that cannot be read; what is wrong with a single row is in `refused`.
    """
    if not any(
        (room.folder / name).exists()
        for name in ("table.csv", *TABLES.values(), "stability.yaml", "structures")
    ):
        room.file("table.csv")  # says what is missing and where it is described
    tables = {method: room.file_or_bundled(name) for method, name in TABLES.items()} | {
        "lead": room.file_or_bundled("lead.csv"),
        "box": room.file_or_bundled("box.csv"),
    }
    if (room.folder / "table.csv").exists():
        tables[OWN] = room.folder / "table.csv"
    read, refused = {}, {}
    for method, path in tables.items():
        rows, failed = read_table(path)
        read[method] = {row.name: row for row in rows}
        refused |= {f"{path.name}: {name}": why for name, why in failed.items()}
    files = {name: room.file_or_bundled(name) for name in ("stability.yaml", "citations.yaml")}
    files |= {name: room.file_or_bundled(f"lead/{name}") for name in ("thermal", "pbe")}
    files["dispersion.json"] = room.file_or_bundled("lead/dispersion.json")
    files["slab"] = room.file_or_bundled("tight_binding/slab-0.gfn2.xyz")
    molecules = {}
    for name in _MOLECULES:
        files[name] = room.file_or_bundled(f"molecules/{name}.xyz")
        molecules[name] = read_structure(files[name], frame=0)
    if OWN in read:
        read[OWN], misnamed = recognised(read[OWN], molecules)
        refused |= {f"{tables[OWN].name}: {name}": why for name, why in misnamed.items()}
    lead, box = read.pop("lead"), read.pop("box")
    return Holdings(
        read,
        refused,
        lead,
        box,
        tables,
        constants(files["stability.yaml"]),
        read_yaml(files["citations.yaml"]),
        molecules,
        files,
        room.folder,
        shells(room.file_or_bundled("espresso/pseudo")),
    )


#: The names the notebook knows, and the molecules they stand for.
NAMES = {
    "GL": ("glutathione",),
    "EDTA": ("edta",),
    "GL+EDTA": ("glutathione", "edta"),
    "GL+GL": ("glutathione", "glutathione"),
    "EDTA+EDTA": ("edta", "edta"),
    "acetic acid": ("acetic_acid",),
    "methylamine": ("methylamine",),
    "amide": ("n_methylacetamide",),
    "tertiary amine": ("trimethylamine",),
    "thiol": ("methanethiol",),
    "ether": ("dimethyl_ether",),
    "Frenkel bare": (),
    "Frenkel GL": (),
    "Frenkel GL+EDTA": (),
}
_SPELLINGS = {name.casefold(): name for name in NAMES} | {
    "e+g": "GL+EDTA",
    "edta+gl": "GL+EDTA",
    "glutathione": "GL",
    "frenkel e+g": "Frenkel GL+EDTA",
    "frenkel edta+gl": "Frenkel GL+EDTA",
}


def recognised(
    rows: dict[str, EnergyRow], molecules: dict[str, Structure]
) -> tuple[dict[str, EnergyRow], dict[str, str]]:
    """Rows of one's own under the names the notebook knows, whatever their case, and those refused
    because they hold something else.

    Hydrogen may be missing or in excess (a ligand can adsorb as its anion); any other element must
    be as in the molecule of that name.

    Parameters
    ----------
    rows : dict of EnergyRow
        By the names in the table.
    molecules : dict of Structure
        By file stem.

    Returns
    -------
    found : dict of EnergyRow
    refused : dict of str
        Why, by the name in the table.
    """
    found, refused = {}, {}
    for given, row in rows.items():
        name = _SPELLINGS.get(re.sub(r"\s*([+/])\s*", "+", given.strip()).casefold(), given)
        wanted = sum(
            (molecules[m].composition for m in NAMES.get(name, ()) if m in molecules), Counter()
        )
        heavy = [Counter({k: n for k, n in c.items() if k != "H"}) for c in (wanted, row.adsorbed)]
        if wanted and row.adsorbed and heavy[0] != heavy[1]:
            refused[given] = (
                f"{given} is {formula(wanted)}, but what adsorbs in {row.complex.path.name} is "
                f"{formula(row.adsorbed)}"
            )
        elif name in found:
            refused[given] = f"{given}: a second row for {name}"
        else:
            found[name] = row
    return found, refused


def shells(folder: Path) -> dict[str, str]:
    """Occupied shells by element of the inputs of `ld1.x` in a folder (`Pb.pbe-dn.in` and so on),
    such as `5d 6p 6s`.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.in")):
        rows = re.findall(r"^(\d[SPDF])\s+\d\s+\d\s+(\d+\.?\d*)", read_text(path), re.MULTILINE)
        found.setdefault(path.name.split(".")[0], set()).update(
            shell.lower() for shell, occupied in rows if float(occupied) > 0
        )
    return {element: " ".join(sorted(names)) for element, names in found.items()}


def ligands_above(picture: Picture | None) -> np.ndarray | None:
    """Positions of what lies on the surface, z from the top lead; None without a picture or an
    adsorbate.
    """
    if picture is None:
        return None
    symbols, at = np.array(picture.structure.symbols), picture.structure.positions
    if not (symbols == "Pb").any():
        return None
    top = at[symbols == "Pb", 2].max()
    light = np.isin(symbols, list("HCNOS")) & (at[:, 2] > top + 0.5)
    return at[light] - [0, 0, top] if light.any() else None


def convergence(box: dict[str, EnergyRow]) -> dict[tuple[str, str], list[tuple[float, EnergyRow]]]:
    """Rows of the box by (system, potentials), each a list of (cutoff in Ry, row), ascending;
    names are `system | potentials | cutoff`.

    Parameters
    ----------
    box : dict of EnergyRow

    Returns
    -------
    dict of list of (cutoff_Ry, EnergyRow)
    """
    found: dict[tuple[str, str], list[tuple[float, EnergyRow]]] = {}
    for name, row in box.items():
        if match := re.fullmatch(r"(.+?) \| (.+?) \| ([\d.]+)", name):
            found.setdefault((match[1], match[2]), []).append((float(match[3]), row))
    return {key: sorted(rows, key=lambda r: r[0]) for key, rows in found.items()}


def frenkel_rows(rows: dict[str, EnergyRow]) -> dict[str, dict[str, EnergyRow]]:
    """Formation energies by surface (`bare`, `GL`, ...) and site (`first`, `second`, ...), in the
    order of the table.

    Sites of one name are one place of the crystal: surfaces are to be compared site by site, since
    two sites of one
    surface can differ by as much as two surfaces do.

    Parameters
    ----------
    rows : dict of EnergyRow
        Such as "Frenkel GL second site".

    Returns
    -------
    dict of dict of EnergyRow
    """
    found: dict[str, dict[str, EnergyRow]] = {}
    for name, row in rows.items():
        if match := re.fullmatch(r"Frenkel (\S+)(?: (\S+) site)?", name):
            found.setdefault(match[1], {})[match[2] or "first"] = row
    return found


def lowest(sites: dict[str, EnergyRow]) -> EnergyRow:
    """The site where a pair costs least, which is the one that is populated."""
    return min(sites.values(), key=lambda row: row.energy_eV)
