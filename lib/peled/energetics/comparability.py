"""Whether two total energies may stand in one difference.

Silence is no agreement: what every energy hangs on (functional or method, its dispersion, its
basis or cutoff) and neither
output states makes a difference doubtful. An odd number of electrons in an isolated system without
spin polarisation is an
error of that calculation. Comparable means: the same program, functional or method, exact
exchange, spin-orbit coupling, dispersion correction, cutoffs,
precision, basis, potentials and Hubbard U of the elements that both contain, and medium. A
periodic part (a slab) must have the
cell, the mesh of k-points, the occupations and the fields of the whole. An isolated molecule may
have a box of its own, sampled at Gamma
only and filled sharply: its bands are flat, so k-points and smearing cancel nothing there; and a
correction for what its images
do to each other. Spin may differ where the one without is a closed shell (even electrons in an
isolated system) or where the
part is a molecule on a surface; else it is doubtful.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from peled.energetics.bonding import isolated
from peled.formats.atomistic import Calculation
from peled.formats.atomistic.calculation import RYDBERG_EV
from peled.formats.atomistic.structures import ELEMENTS

_MODEL = ("functional", "method")
_COMPARED = (
    "functional",
    "method",
    "exact_exchange",
    "spin_orbit",
    "dispersion",
    "cutoff_eV",
    "density_cutoff_eV",
    "precision",
    "ecp",
    "density_fitting",
    "medium",
)
#: What an isolated molecule may have otherwise than the surface it adsorbs on.
_OF_THE_CELL = ("occupations", "field", "isolation")
#: What every energy hangs on: where one output does not state it, the difference is doubtful.
_VITAL = ("functional", "method", "dispersion", "cutoff_eV", "basis")
#: Methods that bring their own basis and dispersion.
_WHOLE = re.compile(
    r"gfn|xtb|dftb|pm\d|am1|mndo|rm1|ani|mace|pair[ -]potential|force[ -]field|.*-3c\b", re.I
)


class BookkeepingError(ValueError):
    """A difference of energies that does not add up, or whose members are not comparable."""


@dataclass(frozen=True)
class Comparison:
    """What forbids a difference, what differs or is missing without much harm, and what makes it
    doubtful.
    """

    differences: tuple[str, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def compare(whole: Calculation, part: Calculation, *, same_system: bool = False) -> Comparison:
    """What differs between a calculation and a part of it (or, with `same_system`, another start
    of it): file, setting, both values.

    Parameters
    ----------
    whole, part : Calculation
    same_system : bool
        Another start of one system: cell and spin have to agree even for a molecule.

    Returns
    -------
    Comparison
        `differences` forbid, `doubts` make doubtful, `notes` are to be known.
    """
    differences, notes, doubts = [], [], []

    def differ(setting: str, a, b) -> None:
        differences.append(
            f"{setting} is {_shown(setting, b)} in {part.path.name}, {_shown(setting, a)} in "
            f"{whole.path.name}"
        )

    (a, *version), (b, *other_version) = whole.program.split(), part.program.split()
    if a != b:
        differ("program", whole.program, part.program)
    elif version[:1] != other_version[:1]:
        notes.append(f"{part.path.name}: {part.program}, {whole.path.name}: {whole.program}")
    shared = [k for k in whole.settings if k.startswith(("pseudopotential ", "basis "))]
    # The basis is compared element by element where outputs say it so, since a part need not
    # contain every element.
    single = () if any(k.startswith("basis ") for k in shared) else ("basis",)
    for key in (*_COMPARED, *single, *shared):
        a, b = (c.settings.get(key, "vacuum" if key == "medium" else None) for c in (whole, part))
        if (a is None and b is None) or (key in shared and b is None):
            continue
        if key == "ecp" and "none" in (a, b) and not _heavy(part if b == "none" else whole):
            continue  # there is nothing in it that a core potential would stand for
        if a is None or b is None:
            silent = whole if a is None else part
            (doubts if key in _VITAL else notes).append(
                f"{silent.path.name} does not state {key.removesuffix('_eV')}"
            )
        elif not _equal(a, b):
            differ(key, a, b)
    _silence(whole, part, doubts)
    for c in (part, whole):
        if c.settings.get("spin") == "none" and _odd(c) and c.structure and isolated(c.structure):
            differences.append(
                f"{c.path.name} has an odd number of electrons and no spin polarisation"
            )
    for name in sorted(part.composition or whole.composition):
        a, b = (c.settings.get(f"Hubbard {name}", "none") for c in (whole, part))
        if a != b:
            differ(f"Hubbard {name}", a, b)
    _compare_cells(whole, part, same_system, differ, notes, doubts)
    _compare_surroundings(whole, part, same_system, differ, notes, doubts)
    return Comparison(*(tuple(dict.fromkeys(found)) for found in (differences, notes, doubts)))


def _silence(whole: Calculation, part: Calculation, doubts: list[str]) -> None:
    """What neither of the two states although every energy hangs on it."""
    stated = [{k for k, v in c.settings.items() if v is not None} for c in (whole, part)]
    both = set.union(*stated)
    model = " ".join(str(c.settings.get(k, "")) for c in (whole, part) for k in _MODEL)
    names = f"neither {whole.path.name} nor {part.path.name} states its"
    if not both & set(_MODEL):
        doubts.append(f"{names} functional or method")
    if _WHOLE.match(model.strip()):
        return
    if "functional" in both and "dispersion" not in both:
        doubts.append(f"{names} dispersion")
    if "/" in model:  # PBE-D3/def2-SVP
        return
    if not both & {"cutoff_eV", "density_cutoff_eV", "basis"} and not any(
        k.startswith("basis ") for k in both
    ):
        doubts.append(f"{names} basis or cutoff")


def _odd(c: Calculation) -> bool | None:
    """Whether the number of electrons is odd; None where the output does not tell."""
    electrons = c.settings.get("electrons")
    if electrons is None and c.composition and c.settings.get("charge") is not None:
        protons = sum(n * (ELEMENTS.index(s) + 1) for s, n in c.composition.items())
        electrons = protons - c.settings["charge"]
    return None if electrons is None else abs(electrons % 2 - 1) < 0.01


def _compare_meshes(whole: Calculation, part: Calculation, differ, doubts: list[str]) -> None:
    """Meshes of k-points; a number of irreducible points, which hangs on symmetry, forbids
    nothing.
    """
    a, b = (c.settings.get("kpoints") for c in (whole, part))
    if a == b or not a or not b:
        return
    if "irreducible" in a + b and "Gamma" not in (a, b):
        doubts.append(f"kpoints is {b} in {part.path.name}, {a} in {whole.path.name}: which mesh?")
    else:
        differ("kpoints", a, b)


def _compare_surroundings(
    whole: Calculation,
    part: Calculation,
    same_system: bool,
    differ,
    notes: list[str],
    doubts: list[str],
) -> None:
    """Spin, occupations, fields and corrections for images."""
    free = (
        not same_system
        and (part.structure is None or isolated(part.structure))
        and not (whole.structure is not None and isolated(whole.structure))
    )
    for key in (*_OF_THE_CELL, "spin"):
        a, b = whole.settings.get(key), part.settings.get(key)
        if a is None or b is None or a == b:
            continue
        said = f"{key} is {b} in {part.path.name}, {a} in {whole.path.name}"
        without = whole if a == "none" else part
        closed = (
            key == "spin"
            and "none" in (a, b)
            and _odd(without) is False
            and without.structure is not None
            and isolated(without.structure)
        )
        if free or closed:
            notes.append(said)
        elif key == "spin" and not same_system:
            doubts.append(said)
        else:
            differ(key, a, b)


def _compare_cells(
    whole: Calculation,
    part: Calculation,
    same_system: bool,
    differ,
    notes: list[str],
    doubts: list[str],
) -> None:
    a, b = whole.structure, part.structure
    cells = [None if s is None else s.cell for s in (a, b)]
    sampled, other = whole.settings.get("kpoints"), part.settings.get("kpoints")
    if a is None or b is None:
        _compare_meshes(whole, part, differ, doubts)
        if (a is None) != (b is None):
            notes.append(f"{(whole if a is None else part).path.name} does not state its cell")
        return
    if all(c is None for c in cells):
        return
    same = (
        cells[0] is not None and cells[1] is not None and np.allclose(cells[0], cells[1], atol=2e-3)
    )
    if same_system or not isolated(b):
        if not same:
            differ("cell", cells[0], cells[1])
        _compare_meshes(whole, part, differ, doubts)
        return
    if not same:
        box = "no cell" if cells[1] is None else f"its own box of {_shown('cell', cells[1])}"
        notes.append(f"{part.path.name}: a molecule with {box}" + (f", {other}" if other else ""))
    if sampled != other and sampled and other:
        notes.append(f"{part.path.name}: a molecule at {other}, {whole.path.name} at {sampled}")


def _heavy(calculation: Calculation) -> bool:
    """Whether it contains an element beyond krypton, where core potentials of Gaussian basis sets
    begin.
    """
    return any(ELEMENTS.index(s) + 1 > 36 for s in calculation.composition)


def _equal(a, b) -> bool:
    numbers = [isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b)]
    return bool(np.isclose(a, b, rtol=1e-4)) if all(numbers) else a == b


def _shown(setting: str, value) -> str:
    if setting == "cell":
        return (
            "none"
            if value is None
            else "x".join(f"{x:.2f}" for x in np.linalg.norm(value, axis=1)) + " angstrom"
        )
    if setting.endswith("cutoff_eV"):
        return f"{value:g} eV ({value / RYDBERG_EV:.4g} Ry)"
    return str(value)
