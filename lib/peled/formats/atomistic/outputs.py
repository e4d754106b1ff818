"""Total energies from the outputs of Quantum ESPRESSO, VASP, CP2K, ORCA, xtb, from extended XYZ
and from JSON records.

What is read beside the energy is what makes two energies comparable: functional, cutoffs,
dispersion, k-points, charge,
cell. Which energy: the one each program calls its total (Quantum ESPRESSO `!`, VASP sigma->0, ORCA
FINAL SINGLE POINT).
Own code, since ASE and cclib tell neither settings nor convergence nor truncation; the tests hold
it against ASE.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from peled.formats import FormatError, read_text
from peled.formats.atomistic.calculation import HARTREE_EV, RYDBERG_EV, Calculation
from peled.formats.atomistic.espresso import espresso, espresso_xml
from peled.formats.atomistic.foreign import (
    GAUSSIAN,
    NWCHEM,
    PSI4,
    QCHEM,
    aims,
    castep,
    molecular,
)
from peled.formats.atomistic.molecular import cp2k, xtb
from peled.formats.atomistic.orca import orca
from peled.formats.atomistic.records import extended_xyz, json_record
from peled.formats.atomistic.vasp import outcar, vasprun
from peled.formats.contract import reader

_WHAT = (
    "an output of Quantum ESPRESSO, VASP, CP2K, CASTEP, FHI-aims, ORCA, Gaussian, Psi4, NWChem, "
    "Q-Chem or xtb, "
    "a JSON record, or extended XYZ with an energy"
)
_READERS = (
    (("Program PWSCF",), espresso),
    (("<qes:espresso", "quantum-espresso.org/ns/qes"), espresso_xml),
    (("<modeling>",), vasprun),
    (("energy  without entropy", "free  energy   TOTEN", " vasp."), outcar),
    (("CP2K|", "ENERGY| Total FORCE_EVAL"), cp2k),
    (("* O   R   C   A *", "FINAL SINGLE POINT ENERGY"), orca),
    (("Entering Gaussian System", "Gaussian, Inc."), molecular(GAUSSIAN)),
    (("Psi4: An Open-Source", "PSI4: An Open-Source"), molecular(PSI4)),
    (("Northwest Computational Chemistry Package",), molecular(NWCHEM)),
    (("Welcome to Q-Chem",), molecular(QCHEM)),
    (("Invoking FHI-aims", "FHI-aims", "| Total energy corrected  "), aims),
    (("Welcome to CASTEP", "CASTEP version", "| CCC   AA"), castep),
    (("x T B", "normal termination of xtb"), xtb),
)


@reader(_WHAT)
def read_calculation(path: str | os.PathLike, *, allow_unconverged: bool = False) -> Calculation:
    """Read the last total energy of an output.

    Parameters
    ----------
    path : path-like
        The program is recognised by the content.
    allow_unconverged : bool
        Return also an energy whose self-consistency was not reached or whose run did not finish,
        with what is wrong in
        `complaints`, instead of refusing it.

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström.

    Raises
    ------
    FormatError
        For unknown programs, outputs without a total energy, unconverged self-consistency, and
        outputs that break off.

    References
    ----------
    .. [1] P. Giannozzi et al., J. Phys. Condens. Matter 21, 395502 (2009),
           doi:10.1088/0953-8984/21/39/395502
    .. [2] G. Kresse, J. Furthmüller, Phys. Rev. B 54, 11169 (1996), doi:10.1103/PhysRevB.54.11169
    """
    return _checked(_read(Path(path))[-1], allow_unconverged)


@reader(_WHAT)
def read_calculations(
    path: str | os.PathLike, *, allow_unconverged: bool = False
) -> list[Calculation]:
    """All calculations of a file.

    Parameters
    ----------
    path : path-like
    allow_unconverged : bool
        As in `read_calculation`.

    Returns
    -------
    list of Calculation
        The frames of an extended XYZ if each says whether it `converged` (a set of conformers),
        else the last.

    Raises
    ------
    FormatError
        As `read_calculation`.
    """
    found = _read(Path(path))
    kept = found if all(c.geometry_converged is not None for c in found) else found[-1:]
    return [_checked(c, allow_unconverged) for c in kept]


def _read(path: Path) -> list[Calculation]:
    text = read_text(path, what=_WHAT)
    if text.lstrip()[:1] == "{":
        return [json_record(path)]
    for marks, parse in _READERS:
        if any(mark in text for mark in marks):
            return [parse(path, text)]
    if re.fullmatch(r"\s*\d+\s*", text.split("\n", 1)[0]):
        return extended_xyz(path, text)
    raise FormatError(path, expected=_WHAT, found=repr(text.strip()[:60]))


def _checked(found: Calculation, allow_unconverged: bool) -> Calculation:
    if not math.isfinite(found.energy_eV):
        raise FormatError(found.path, expected="a finite total energy", found=str(found.energy_eV))
    if not (found.scf_converged and found.finished) and not allow_unconverged:
        raise FormatError(
            found.path,
            expected="a converged self-consistency of a run that ended by itself",
            found="; ".join(c for c in found.complaints if "geometry" not in c),
            advice="continue the calculation, or read with allow_unconverged=True",
        )
    return found


__all__ = ["HARTREE_EV", "RYDBERG_EV", "Calculation", "read_calculation", "read_calculations"]
