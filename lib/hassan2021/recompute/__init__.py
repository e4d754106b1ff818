"""Recomputes the kept energies of `data/energetics`: tight binding, PySCF and Quantum ESPRESSO on structures built here.

    python -m hassan2021.recompute                   what there is, what is kept, what it needs
    python -m hassan2021.recompute tight_binding/*   run what is missing of these, one after the other, one core

No notebook imports this package; the notebooks read what it wrote. Each calculation is a `jobs.Job`: it is done when its
file is there, so a run that was interrupted goes on where it was.

jobs         the calculations by name, and running them
molecules    ligands and fragments from SMILES, conformers
surface      crystal, slab, adsorbates, Frenkel pairs
tightbinding GFN-xTB, relaxations that resume
adsorbates   molecules on the slab; poses: searching where they may lie; adsorption: what is relaxed there, Frenkel pairs
lead         complexes of free Pb2+: conformer search and PBE-D3
thermal      their free-energy corrections
espresso     inputs of Quantum ESPRESSO, runs, trimmed outputs; espresso_box: cutoff convergence; pseudopotentials: made and tested
tables       which kept outputs form which energy
"""
