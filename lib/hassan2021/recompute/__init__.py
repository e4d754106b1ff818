"""The kept calculations of `data/energetics`, repeated: each energy from its own geometry.

    python -m hassan2021.recompute                    the list: what is kept, what is prepared only
    python -m hassan2021.recompute tight_binding/*    those that are kept again, held against what
                                                      is kept; those that are not, run and kept

The list is data, `data/energetics/jobs.csv`: a name (the file), a kind (which program), a start,
settings, minutes. A repeat writes nothing into the data. No notebook imports this package.

jobs          the list, running, comparing
slabs         crystal, slab, what covers it, displaced iodide (ASE)
tightbinding  GFN-xTB by tblite through ASE; vibrations by xtb
gaussians     PBE-D3 by PySCF
waves         pw.x: inputs, runs, trimmed outputs
potentials    pseudopotentials by ld1.x, and their tests
"""
