"""Redraws the molecules of the ligands: 2-D coordinates and bonds by RDKit, kept as
`data/nmr/molecules.json` and as SVG.

Only this file needs RDKit (the optional dependency `molecules`): `python -m
hassan2021.simulate.nmr.molecules`.
"""

from __future__ import annotations

from pathlib import Path

from ledger.files import ROOT, to_json, write_atomically

SMILES = {
    "EDTA": "OC(=O)CN(CCN(CC(=O)O)CC(=O)O)CC(=O)O",
    "GL": "N[C@@H](CCC(=O)N[C@@H](CS)C(=O)NCC(=O)O)C(=O)O",
}
#: Labels of carbons by SMARTS: the first atom of each match is labelled.
LABELS = {
    "EDTA": (("[CH2]C(=O)O", "a"), ("[CH2]([N])[CH2]N", "b")),
    "GL": (
        ("[CH1](N)(C(=O)[OH])", "Glu α"),
        ("[CH2]([CH1])[CH2]C(=O)N", "Glu β"),
        ("[CH2]([CH2])C(=O)N", "Glu γ"),
        ("[CH1](N)(CS)", "Cys α"),
        ("[CH2](S)", "Cys β"),
        ("[CH2](N)C(=O)[OH]", "Gly α"),
    ),
}


def main(folder: Path | None = None) -> None:
    """Write molecules.json and one SVG a molecule."""
    from rdkit import Chem
    from rdkit.Chem import AllChem
    from rdkit.Chem.Draw import rdMolDraw2D

    folder = folder or ROOT / "data" / "nmr"
    found = {}
    for name, smiles in SMILES.items():
        molecule = Chem.MolFromSmiles(smiles)
        AllChem.Compute2DCoords(molecule)
        Chem.rdDepictor.StraightenDepiction(molecule)
        place = molecule.GetConformer().GetPositions()[:, :2]
        labels = {}
        for smarts, label in LABELS[name]:
            for match in molecule.GetSubstructMatches(Chem.MolFromSmarts(smarts), uniquify=False):
                labels.setdefault(match[0], label)
        Chem.Kekulize(molecule)
        found[name] = {
            "smiles": smiles,
            "atoms": [
                {
                    "element": a.GetSymbol(),
                    "hydrogens": a.GetTotalNumHs(),
                    "x": round(float(place[i, 0]), 3),
                    "y": round(float(place[i, 1]), 3),
                    "label": labels.get(i, ""),
                }
                for i, a in enumerate(molecule.GetAtoms())
            ],
            "bonds": [
                [b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())]
                for b in molecule.GetBonds()
            ],
        }
        drawing = rdMolDraw2D.MolDraw2DSVG(420, 260)
        for index, label in labels.items():
            molecule.GetAtomWithIdx(index).SetProp("atomNote", label)
        rdMolDraw2D.PrepareAndDrawMolecule(drawing, molecule)
        drawing.FinishDrawing()
        write_atomically(folder / f"{name}.svg", drawing.GetDrawingText())
    write_atomically(folder / "molecules.json", to_json({"molecules": found}))


if __name__ == "__main__":
    main()
