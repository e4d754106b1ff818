"""One finished calculation: its total energy and what that rests on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.atomistic.structures import Structure, element, symbol

HARTREE_EV = 27.211386245981  # CODATA 2022
RYDBERG_EV = HARTREE_EV / 2
NUMBER = r"([+-]?\d+(?:\.\d*)?(?:[eEdD][+-]?\d+)?)"


@dataclass(frozen=True)
class Calculation:
    """One calculation.

    `scf_converged` speaks of the last self-consistency, `geometry_converged` of an optimisation
    (None where there was
    none), `finished` of the program having said good-bye. `settings` holds what must be equal for
    two energies to be
    subtracted; what an output does not say is not in it. Keys: functional, method, exact_exchange,
    dispersion, cutoff_eV,
    density_cutoff_eV, precision, basis, ecp, density_fitting, medium, kpoints, occupations,
    charge, spin, spin_orbit, field,
    isolation, electrons, and by element `pseudopotential <element>`, `basis <element>` and
    `Hubbard <element>`.
    `scf_step_eV` is what the last iteration of the self-consistency still moved the energy by,
    `dispersion_eV` the part of
    the energy that a dispersion correction adds, `thermal_eV` what turns it into a Gibbs energy
    where frequencies are
    there (zero-point energy, heat, entropy); None where the output does not say.
    """

    path: Path
    program: str
    energy_eV: float
    scf_converged: bool
    geometry_converged: bool | None
    finished: bool
    settings: dict = field(default_factory=dict)
    structure: Structure | None = field(default=None, repr=False)
    composition: Counter = field(default_factory=Counter)
    scf_step_eV: float | None = None
    dispersion_eV: float | None = None
    thermal_eV: float | None = None

    @property
    def complaints(self) -> tuple[str, ...]:
        """What speaks against using the energy."""
        said = []
        if not self.scf_converged:
            said.append("self-consistency not reached")
        if self.geometry_converged is False:
            said.append("geometry not converged")
        if not self.finished:
            said.append("the program did not finish")
        return tuple(said)

    @property
    def label(self) -> str:
        """Method, basis or cutoffs, sampling and medium in a few words, as stands beside a number.

        >>> of = {"functional": "PBE", "dispersion": "DFT-D3", "kpoints": "Gamma",
        ...       "cutoff_eV": 25 * RYDBERG_EV, "density_cutoff_eV": 200 * RYDBERG_EV}
        >>> Calculation(Path("a"), "Quantum ESPRESSO", -1.0, True, None, True, of).label
        'PBE-D3, 25/200 Ry, Gamma'
        """
        get = self.settings.get
        model = get("functional") or get("method") or self.program
        if get("exact_exchange", "none") != "none":
            model += "+exact exchange"
        if any(key.startswith("Hubbard") for key in self.settings):
            model += "+U"
        if get("spin_orbit") == "yes":
            model += "+spin-orbit"
        if get("functional") and get("dispersion", "none") != "none":
            model += "-" + get("dispersion").removeprefix("DFT-")
        if get("basis"):
            model += "/" + get("basis")
        cutoffs = [
            f"{round(get(key) / RYDBERG_EV, 1):g}"
            for key in ("cutoff_eV", "density_cutoff_eV")
            if get(key)
        ]
        sampling = get("kpoints") if cutoffs or get("kpoints") != "Gamma" else None
        medium = get("medium") if get("medium") != "vacuum" or get("basis") else None
        return ", ".join(
            part
            for part in (model, f"{'/'.join(cutoffs)} Ry" if cutoffs else None, sampling, medium)
            if part
        )


def last(pattern: str, text: str, flags: int = 0) -> re.Match | None:
    """The last match of a pattern.

    Parameters
    ----------
    pattern, text : str
    flags : int
        Those of `re`.

    Returns
    -------
    re.Match or None
        None where the pattern does not occur.
    """
    found = None
    for found in re.finditer(pattern, text, flags):  # noqa: B007  the last match is wanted
        pass
    return found


def to_float(number: str) -> float:
    """A number as Fortran prints it.

    Parameters
    ----------
    number : str
        The exponent with D or E.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For what is no number.
    """
    return float(number.lower().replace("d", "e"))


def numbers(rows: Iterable[Sequence[str]]) -> np.ndarray:
    """Rows of numbers as Fortran prints them.

    Parameters
    ----------
    rows : iterable of sequence of str
        All of one length.

    Returns
    -------
    (rows, columns) float array

    Raises
    ------
    ValueError
        For what is no number, or rows of different lengths.
    """
    return np.array([[to_float(x) for x in row] for row in rows])


def listed_atoms(path: Path, block: str) -> Structure:
    """Atoms from lines of an element and three coordinates.

    Parameters
    ----------
    path : Path
        For the message.
    block : str
        One atom a line, coordinates in ångström.

    Returns
    -------
    Structure
        Without a cell.

    Raises
    ------
    FormatError
        For a label of no element.
    """
    rows = [row.split() for row in block.strip().split("\n")]
    names = tuple(symbol(path, row[0], 0) for row in rows)
    return Structure(names, numbers(row[1:4] for row in rows))


def energy(path: Path, match: re.Match | None, unit_eV: float, what: str) -> float:
    """The energy of a match in eV, or FormatError.

    Parameters
    ----------
    path : Path
        For the message.
    match : re.Match or None
        Its first group is the number.
    unit_eV : float
        The program's unit of energy, eV.
    what : str
        What was looked for, for the message.

    Returns
    -------
    float
        Energy, eV.

    Raises
    ------
    FormatError
        If there is no match.
    """
    if match is None:
        raise FormatError(
            path,
            expected=what,
            found="none",
            advice="the run stopped before its first self-consistency",
        )
    return to_float(match[1]) * unit_eV


def by_element(what: str, found: list[tuple[str, str]]) -> dict[str, str]:
    """Values by element, of labels that need not be elements (`Fe1`, `hy`).

    Parameters
    ----------
    what : str
        Name of the setting, put before each element.
    found : list of (str, str)
        Label and value.

    Returns
    -------
    dict
        `what element` -> value; different values of one element joined by "and".
    """
    values: dict[str, set[str]] = {}
    for label, value in found:
        values.setdefault(element(label) or label, set()).add(value)
    return {f"{what} {name}": " and ".join(sorted(v)) for name, v in values.items()}
