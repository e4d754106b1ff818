"""Which kept outputs form which energy: the tables `gfn2.csv`, `gfn1.csv`, `dft.csv`, `lead.csv`, `box.csv` beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hassan2021.recompute.jobs import FOLDER
from ledger.files import write_atomically

FRAGMENTS = {
    "acetic acid": "acetic_acid",
    "methylamine": "methylamine",
    "acetamide": "acetamide",
    "amide": "n_methylacetamide",
    "thiol": "methanethiol",
    "tertiary amine": "trimethylamine",
    "ether": "dimethyl_ether",
}
LIGANDS = {"GL": "glutathione", "EDTA": "edta"}
PAIRS = {
    "GL+EDTA": "glutathione+edta",
    "GL+GL": "glutathione+glutathione",
    "EDTA+EDTA": "edta+edta",
}
#: Ends of the names of rows that vary one thing: a third sheet in the slab, all its atoms free, the ligand relaxed in the program that gives the energy.
THICKER, FREE, RELAXED = "; three sheets", "; free slab", "; ligand relaxed"
_HEAD = "name,complex,parts,molecules,accept"


def _sum(parts: Iterable[str]) -> str:
    """`a + b`, `2*a`."""
    parts = list(parts)
    return " + ".join(
        dict.fromkeys(f"{parts.count(p)}*{p}" if parts.count(p) > 1 else p for p in parts)
    )


def _slab_rows(folder: Path, adduct, molecule, slab: str) -> list[str]:
    """Rows of adsorption energies whose files are there; `adduct` and `molecule` make file patterns from stems."""
    rows = []
    for name, stem in {**FRAGMENTS, **LIGANDS, **PAIRS}.items():
        parts = stem.split("+")
        if any(folder.glob(adduct(stem))) and all((folder / molecule(p)).exists() for p in parts):
            accept = "geometry" if name not in FRAGMENTS else ""
            rows.append(
                f"{name},{adduct(stem)},{_sum(molecule(p) for p in parts)} + {slab},{len(parts)},{accept}"
            )
    return rows


def tight_binding(folder: Path, method: str) -> list[str]:
    """Adducts on the slab, Frenkel pairs against the perfect surface with the same free atoms, adducts of one PbI2."""
    suffix = "" if method == "gfn2" else f".{method}"
    rows = _slab_rows(
        folder,
        lambda s: f"tight_binding/{s}_on_slab-*.{method}.xyz",
        lambda m: f"molecules/{m}{suffix}.xyz",
        f"tight_binding/slab-0.{method}.xyz",
    )
    for end, slab in ((THICKER, "slab_three"), (FREE, "slab_free")):
        for name, stem in {**FRAGMENTS, **LIGANDS, **PAIRS}.items():
            whole, parts = f"tight_binding/{stem}_on_{slab}-0.{method}.xyz", stem.split("+")
            if (folder / whole).exists():
                rows.append(
                    f"{name}{end},{whole},{_sum(f'molecules/{m}{suffix}.xyz' for m in parts)} + tight_binding/{slab}-0.{method}.xyz,{len(parts)},geometry"
                )
    stems = {
        "bare": "slab",
        **{name: f"{stem}_on_slab" for name, stem in (LIGANDS | PAIRS).items()},
    }
    for name, stem in stems.items():
        for k, site in enumerate(("", " second site", " third site")):
            defect, perfect = (
                f"tight_binding/{kind}_{stem}-{k}.{method}.xyz" for kind in ("frenkel", "perfect")
            )
            if (folder / defect).exists() and (folder / perfect).exists():
                rows.append(f"Frenkel {name}{site},{defect},{perfect},0,geometry")
    for name, stem in FRAGMENTS.items():
        adduct = f"tight_binding/{stem}_on_pbi2-0.{method}.xyz"
        if (folder / adduct).exists():
            rows.append(
                f"{name} on PbI2,{adduct},molecules/{stem}{suffix}.xyz + tight_binding/pbi2-0.{method}.xyz,1,"
            )
    dimer = f"tight_binding/acetic_acid_dimer-0.{method}.xyz"
    return rows + (
        [f"acid dimer,{dimer},2*molecules/acetic_acid{suffix}.xyz,2,"]
        if (folder / dimer).exists()
        else []
    )


def plane_waves(folder: Path) -> list[str]:
    """Adducts in Quantum ESPRESSO at the paper's settings, in the tight-binding geometries and with the ligand relaxed in `pw.x`."""
    slab = "espresso/slab/slab.out"
    rows = _slab_rows(
        folder, lambda s: f"espresso/slab/{s}_on_slab.out", lambda m: f"espresso/slab/{m}.out", slab
    )
    for name, stem in FRAGMENTS.items():
        files = [f"espresso/slab/{stem}_on_slab.relaxed.out", f"espresso/slab/{stem}.relaxed.out"]
        if all((folder / f).exists() for f in files):
            rows.append(f"{name}{RELAXED},{files[0]},{files[1]} + {slab},1,geometry")
    return rows


def lead(folder: Path) -> list[str]:
    """Complexes of free lead: tight binding and every basis and medium of the kept PBE-D3 records.

    The free H2Y2- of EDTA is counted with neutral amines like the complex; as a zwitterion it lies 0.02 eV lower.
    """
    rows = []
    forms = {
        "EDTA": ("edta", ""),
        "GL": ("glutathione", ""),
        "EDTA 2-": ("edta_2-", "water"),
        "GL 2-": ("glutathione_2-", "water"),
        "EDTA 4-": ("edta_4-", "water"),
        "GL 3-": ("glutathione_3-", "water"),
    }
    for name, (stem, medium) in forms.items():
        free = f"molecules/{stem}" if not medium else f"lead/{stem}"
        for label, suffix in (("GFN2-xTB", ""), ("GFN1-xTB", ".gfn1")):
            files = [
                f"lead/{stem}_on_lead_ion{suffix}.xyz",
                f"{free}{suffix}.xyz",
                f"lead/lead_ion{suffix}.xyz",
            ]
            if all((folder / f).exists() for f in files):
                rows.append(
                    f"Pb {name} | {label}; {medium or 'vacuum'},{files[0]},{files[1]} + {files[2]},1,geometry"
                )
    levels = sorted(
        {
            m[1]
            for p in (folder / "lead" / "pbe").glob("*.json")
            if (m := re.fullmatch(r".+?-\d+\.(def2-\w+\.\w+)\.json", p.name))
        }
    )
    for level in levels:
        basis, medium = level.split(".")
        for name, (stem, _) in forms.items():
            patterns = [
                f"lead/pbe/{part}.{level}.json"
                for part in (f"{stem}_on_lead_ion-?", f"{stem}-?", "lead_ion-0")
            ]
            if all(any(folder.glob(p)) for p in patterns):
                label = f"PBE-D3/{basis.replace('svp', 'SVP').replace('tzvp', 'TZVP')}; {medium}"
                rows.append(
                    f"Pb {name} | {label},{patterns[0]},{patterns[1]} + {patterns[2]},1,geometry"
                )
    return rows


def box(folder: Path) -> list[str]:
    """Adducts of PbI2 in a box by potentials and cutoff (`acetic acid | soft | 25`), in a larger one, and in a Gaussian basis (`acetic acid | PySCF`)."""
    rows = []
    for place in sorted(
        (folder / "espresso" / "box").glob("*-*"),
        key=lambda p: [(not part.isdigit(), part.zfill(3)) for part in p.name.split("-")],
    ):
        gaussian = place.name == "pyscf-tzvp"
        label = "PySCF" if gaussian else " | ".join(place.name.split("-"))
        for name, stem in FRAGMENTS.items():
            files = [
                f"espresso/box/{place.name}/{f}.{'xyz' if gaussian else 'out'}"
                for f in (f"{stem}_on_lead_iodide", stem, "lead_iodide")
            ]
            if all((folder / f).exists() for f in files):
                rows.append(f"{name} | {label},{files[0]},{files[1]} + {files[2]},1,geometry")
    return rows


def write(folder: Path = FOLDER) -> None:
    """All tables, from the files that are there."""
    made = {
        "gfn2": tight_binding(folder, "gfn2"),
        "gfn1": tight_binding(folder, "gfn1"),
        "dft": plane_waves(folder),
        "lead": lead(folder),
        "box": box(folder),
    }
    for name, rows in made.items():
        write_atomically(folder / f"{name}.csv", "\n".join([_HEAD, *rows]) + "\n")
