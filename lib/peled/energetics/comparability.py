"""Whether two total energies may stand in one difference.

Comparable means: the same program, functional or method, exact exchange, spin-orbit coupling, dispersion correction, cutoffs,
precision, basis, potentials and Hubbard U of the elements that both contain, and medium. A periodic part (a slab) must have the
cell, the k-points, the occupations and the fields of the whole. An isolated molecule may have a box of its own, sampled at Gamma
only and filled sharply: its bands are flat, so k-points and smearing cancel nothing there; and a correction for what its images
do to each other. Spin may differ where the part is a molecule; of a surface it is doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from peled.energetics.bonding import isolated
from peled.formats.atomistic import Calculation
from peled.formats.atomistic.calculation import RYDBERG_EV
from peled.formats.atomistic.structures import ELEMENTS

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
_VITAL = ("functional", "method", "dispersion", "cutoff_eV")


class BookkeepingError(ValueError):
    """A difference of energies that does not add up, or whose members are not comparable."""


@dataclass(frozen=True)
class Comparison:
    """What forbids a difference, what differs or is missing without much harm, and what makes it doubtful."""

    differences: tuple[str, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def compare(whole: Calculation, part: Calculation, *, same_system: bool = False) -> Comparison:
    """What differs between a calculation and a part of it (or, with `same_system`, another start of it): file, setting, both values."""
    differences, notes, doubts = [], [], []

    def differ(setting: str, a, b) -> None:
        differences.append(
            f"{setting} is {_shown(setting, b)} in {part.path.name}, {_shown(setting, a)} in {whole.path.name}"
        )

    (a, *version), (b, *other_version) = whole.program.split(), part.program.split()
    if a != b:
        differ("program", whole.program, part.program)
    elif version[:1] != other_version[:1]:
        notes.append(f"{part.path.name}: {part.program}, {whole.path.name}: {whole.program}")
    shared = [k for k in whole.settings if k.startswith(("pseudopotential ", "basis "))]
    # The basis is compared element by element where outputs say it so, since a part need not contain every element.
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
    for name in sorted(part.composition or whole.composition):
        a, b = (c.settings.get(f"Hubbard {name}", "none") for c in (whole, part))
        if a != b:
            differ(f"Hubbard {name}", a, b)
    _compare_cells(whole, part, same_system, differ, notes)
    _compare_surroundings(whole, part, same_system, differ, notes, doubts)
    return Comparison(*(tuple(dict.fromkeys(found)) for found in (differences, notes, doubts)))


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
        if free:
            notes.append(said)
        elif key == "spin" and not same_system:
            doubts.append(said)
        else:
            differ(key, a, b)


def _compare_cells(
    whole: Calculation, part: Calculation, same_system: bool, differ, notes: list[str]
) -> None:
    a, b = whole.structure, part.structure
    cells = [None if s is None else s.cell for s in (a, b)]
    sampled, other = whole.settings.get("kpoints"), part.settings.get("kpoints")
    if a is None or b is None:
        if sampled != other and sampled and other:
            differ("kpoints", sampled, other)
        elif (a is None) != (b is None):
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
        if sampled != other and sampled and other:
            differ("kpoints", sampled, other)
        return
    if not same:
        box = "no cell" if cells[1] is None else f"its own box of {_shown('cell', cells[1])}"
        notes.append(f"{part.path.name}: a molecule with {box}" + (f", {other}" if other else ""))
    if sampled != other and sampled and other:
        notes.append(f"{part.path.name}: a molecule at {other}, {whole.path.name} at {sampled}")


def _heavy(calculation: Calculation) -> bool:
    """Whether it contains an element beyond krypton, where core potentials of Gaussian basis sets begin."""
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
