"""Text as Quantum ESPRESSO's pw.x writes it after a relaxation: enough of it for a reader to find
its way.

The energies in it are invented so that their differences are the published ones; nothing here is a
calculation.
"""

from __future__ import annotations

import numpy as np

BOHR = 0.529177210544
EV_PER_RY = 13.605693122990  # CODATA 2022
PSEUDO = {
    "H": "H.pbe-rrkjus.UPF",
    "C": "C.pbe-rrkjus.UPF",
    "N": "N.pbe-rrkjus.UPF",
    "O": "O.pbe-rrkjus.UPF",
    "S": "S.pbe-van_bm.UPF",
    "I": "I.pbe-n-rrkjus.UPF",
    "Pb": "Pb.pbe-dn-rrkjus.UPF",
}
VALENCE = {"H": 1, "C": 4, "N": 5, "O": 6, "S": 6, "I": 7, "Pb": 14}


def relaxation(
    symbols: list[str],
    positions: np.ndarray,
    cell: np.ndarray,
    energy_eV: float,
    *,
    cutoff_Ry: float = 25.0,
    density_Ry: float = 200.0,
    functional: str = "PBE ( 1  4  3  4 0 0 0)",
    dispersion: bool = True,
    converged: bool = True,
    complete: bool = True,
) -> str:
    """The output of one relaxation: two self-consistencies, the second with the final energy."""
    alat = cell[0][0] / BOHR
    kinds = sorted(set(symbols))
    energy = energy_eV / EV_PER_RY
    lines = [
        "",
        "     Program PWSCF v.6.1 (svn rev. 13369) starts on  1Jan2020 at 12: 0: 0 ",
        "",
        "     This program is part of the open-source Quantum ESPRESSO suite",
        "     for quantum simulation of materials",
        "",
        "     bravais-lattice index     =            0",
        f"     lattice parameter (alat)  = {alat:12.4f}  a.u.",
        f"     unit-cell volume          = {abs(np.linalg.det(cell)) / BOHR**3:12.4f} (a.u.)^3",
        f"     number of atoms/cell      = {len(symbols):12d}",
        f"     number of atomic types    = {len(kinds):12d}",
        f"     number of electrons       = {sum(VALENCE[s] for s in symbols):12.2f}",
        f"     kinetic-energy cutoff     = {cutoff_Ry:12.4f}  Ry",
        f"     charge density cutoff     = {density_Ry:12.4f}  Ry",
        "     convergence threshold     =      1.0E-06",
        f"     Exchange-correlation      = {functional}",
        "     nstep                     =           50",
        "",
    ]
    if dispersion:
        lines += [
            "     -------------------------------------------------",
            "     Parameters for Dispersion (Grimme-D3) Correction:",
            "     -------------------------------------------------",
            "",
        ]
    lines += [
        f"     celldm(1)= {alat:10.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000",
        "     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000",
        "",
    ]
    lines += ["     crystal axes: (cart. coord. in units of alat)"]
    lines += [
        f"               a({k + 1}) = ( {v[0]:10.6f} {v[1]:10.6f} {v[2]:10.6f} )  "
        for k, v in enumerate(np.asarray(cell) / cell[0][0])
    ]
    lines.append("")
    for k, kind in enumerate(kinds):
        lines += [
            f"     PseudoPot. #{k + 1:2d} for {kind:2s} read from file:",
            f"     ./pseudo/{PSEUDO[kind]}",
            "",
        ]
    lines += [
        "     atomic species   valence    mass     pseudopotential",
        *(
            f"        {k:2s}            {VALENCE[k]:5.2f}     1.00000     {k:2s}( 1.00)"
            for k in kinds
        ),
        "",
        "     No symmetry found",
        "",
        "   Cartesian axes",
        "",
        "     site n.     atom                  positions (alat units)",
    ]
    lines += [
        f"     {n + 1:5d}           {s:2s}  tau({n + 1:4d}) = ({x:12.7f}{y:12.7f}{z:12.7f}  )"
        for n, (s, (x, y, z)) in enumerate(
            zip(symbols, np.asarray(positions) / cell[0][0], strict=True)
        )
    ]
    lines += [
        "",
        "     number of k points=     1",
        "                       cart. coord. in units 2pi/alat",
        "        k(    1) = (   0.0000000   0.0000000   0.0000000), wk =   2.0000000",
        "",
    ]
    rows = [
        f"{s:4s} {x:14.7f} {y:14.7f} {z:14.7f}"
        for s, (x, y, z) in zip(symbols, positions, strict=True)
    ]
    for step, value in enumerate((energy + 0.0312, energy)):
        last = step == 1
        lines += ["     Self-consistent Calculation", ""]
        for iteration in range(1, 4):
            lines += [
                f"     iteration # {iteration:2d}     ecut={cutoff_Ry:10.2f} Ry     beta= 0.40",
                f"     total energy              ={value + 0.3 / 10**iteration:17.8f} Ry",
                "",
            ]
        if last and not converged:
            return "\n".join(
                [
                    *lines,
                    f"     total energy              ={value:17.8f} Ry",
                    "",
                    "     convergence NOT achieved after 100 iterations: stopping",
                    "",
                ]
            )
        lines += [
            "     End of self-consistent calculation",
            "",
            "          k = 0.0000 0.0000 0.0000 ( 99999 PWs)   bands (ev):",
            "",
            "   -12.0000  -3.0000",
            "",
            "     highest occupied level (ev):    -3.0000",
            "",
            f"!    total energy              ={value:17.8f} Ry",
            f"     estimated scf accuracy    <{4e-7:17.8f} Ry",
            "",
            f"     convergence has been achieved in {12 - step:3d} iterations",
            "",
        ]
        if not step:
            lines += [
                "     BFGS Geometry Optimization",
                "     number of scf cycles    =   1",
                "",
                "ATOMIC_POSITIONS (angstrom)",
                *rows,
                "",
            ]
        if last and not complete:
            return "\n".join(lines)
    lines += [
        "     bfgs converged in   2 scf cycles and   1 bfgs steps",
        "     End of BFGS Geometry Optimization",
        "",
        f"     Final energy   = {energy:18.10f} Ry",
        "Begin final coordinates",
        "",
        "ATOMIC_POSITIONS (angstrom)",
    ]
    lines += rows
    lines += [
        "End final coordinates",
        "",
        "     PWSCF        :     2h13m CPU     2h20m WALL",
        "",
        "   JOB DONE.",
        "",
    ]
    return "\n".join(lines)
