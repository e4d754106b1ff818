"""What several methods say of one quantity: their disagreement as the error of the lesser one,
differences of rows, the spread of starts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peled.energetics.outputs import EnergyRow
from peled.formats.atomistic import read_numbers

#: Standard error of a tight-binding adsorption energy where nothing better is at hand to compare
#: with (eV): the few tenths by which GFN2-xTB
#: misses non-covalent energies of heavy elements (Bannwarth et al. 2019,
#: doi:10.1021/acs.jctc.8b01176).
ASSUMED_ERROR_EV = 0.2
#: Standard error of the preference of lead in PBE-D3/def2-SVP (eV): for the neutral chelates the
#: step to def2-TZVP lowers it by 0.05 and the counterpoise by 0.07.
BASIS_ERROR_EV = 0.1
#: Standard error of a PBE-D3 energy at a geometry that PBE-D3 did not relax, and of poses of one
#: rigid fragment (eV): an assumption.
GEOMETRY_ERROR_EV = 0.1

#: Methods and media of free lead that are the paper's quantity, the best first.
LEAD_METHODS = (
    "PBE-D3/def2-TZVP; vacuum",
    "PBE-D3/def2-SVP; vacuum",
    "GFN2-xTB; vacuum",
)


@dataclass(frozen=True)
class Estimate:
    """A value with a standard error and where the error comes from (eV)."""

    value_eV: float
    error_eV: float
    made_of: str

    def agrees_with(self, other_eV: float) -> bool:
        """Within 1.96 standard errors."""
        return abs(self.value_eV - other_eV) <= 1.96 * self.error_eV


def on_slab(name: str) -> bool:
    """Whether a row is of ligands adsorbed on the slab: no defect, no molecules by themselves, no
    single PbI2, no variant (`changes`).
    """
    return (
        not name.startswith("Frenkel")
        and " on " not in name
        and "; " not in name
        and name != "acid dimer"
    )


def changes(rows: Mapping[str, EnergyRow]) -> dict[str, float]:
    """By variant (`methylamine; three sheets`), by how much it differs from the row it varies
    (eV): what one choice in the model is worth.
    """
    found = {name: name.partition("; ")[0] for name in rows if "; " in name}
    return {
        name: rows[name].energy_eV - rows[base].energy_eV
        for name, base in found.items()
        if base in rows
    }


def method_error_eV(
    rows: Mapping[str, EnergyRow], reference: Mapping[str, EnergyRow]
) -> tuple[float, int]:
    """Root mean square difference of two methods over the adducts both have, and how many those
    are.

    Frenkel pairs and molecules without a surface are left out. With fewer than three the assumed
    error is returned.

    Parameters
    ----------
    rows, reference : mapping of EnergyRow
        By system, of the method and of the better one.

    Returns
    -------
    error_eV : float
    shared : int
    """
    shared = [n for n in rows if n in reference and on_slab(n)]
    if len(shared) < 3:
        return ASSUMED_ERROR_EV, len(shared)
    return float(
        np.sqrt(np.mean([(rows[n].energy_eV - reference[n].energy_eV) ** 2 for n in shared]))
    ), len(shared)


def mean_difference_eV(rows: Mapping[str, EnergyRow], reference: Mapping[str, EnergyRow]) -> float:
    """Mean of what `method_error_eV` is the root mean square of: the part of the error that has
    one sign; nan where nothing is shared.
    """
    shared = [
        rows[n].energy_eV - reference[n].energy_eV for n in rows if n in reference and on_slab(n)
    ]
    return float(np.mean(shared)) if shared else math.nan


def spread(row: EnergyRow, searched: EnergyRow | None = None) -> float:
    """Standard error of the lowest start (`outputs.error_of_minimum`); of a single start that of
    the search it came from, else 0.

    Parameters
    ----------
    row : EnergyRow
    searched : EnergyRow, optional
        The same system where it was searched, for a row of one start.

    Returns
    -------
    float
        eV.
    """
    if len(row.starts_eV) > 1:
        return row.spread_eV
    return spread(searched) if searched is not None else 0.0


def estimate(
    row: EnergyRow, error_eV: float, what: str, searched: EnergyRow | None = None
) -> Estimate:
    """A row with the error of its method and the spread of its starts (see `spread`).

    Parameters
    ----------
    row : EnergyRow
    error_eV : float
        Of the method.
    what : str
        Names it.
    searched : EnergyRow, optional
        See `spread`.

    Returns
    -------
    Estimate
    """
    s = spread(row, searched)
    starts = "starts" if len(row.starts_eV) > 1 else "starts of the search it came from"
    return Estimate(
        row.energy_eV,
        math.hypot(error_eV, s),
        f"{what} {error_eV:.2f}" + (f", {starts} {s:.2f}" if s else ""),
    )


def interaction(
    rows: Mapping[str, EnergyRow],
    pair: str,
    error_eV: float,
    searched: Mapping[str, EnergyRow] | None = None,
) -> Estimate | None:
    """Energy of a pair `A+B` beyond A and B adsorbed alone; None where one of the three is missing
    (`searched`: rows of the search, see `spread`).

    The surface contacts are alike in the three, so the method's error counts once, not for each.

    Parameters
    ----------
    rows : mapping of EnergyRow
    pair : str
        Such as "GL+EDTA".
    error_eV : float
        Of the method.
    searched : mapping of EnergyRow, optional
        See `spread`.

    Returns
    -------
    Estimate or None
    """
    names = pair.split("+")
    if pair not in rows or any(n not in rows for n in names):
        return None
    starts = math.sqrt(sum(spread(rows[n], (searched or {}).get(n)) ** 2 for n in (pair, *names)))
    value = rows[pair].energy_eV - sum(rows[n].energy_eV for n in names)
    return Estimate(
        value, math.hypot(error_eV, starts), f"method {error_eV:.2f}, starts {starts:.2f}"
    )


@dataclass(frozen=True)
class Parts:
    """An energy split into what the functional gives and what a dispersion correction adds to it
    (eV).
    """

    functional_eV: float
    dispersion_eV: float


def parts(rows: Mapping[str, EnergyRow], *terms: tuple[int, str]) -> Parts | None:
    """Sum of rows, each counted as often as its term says, split by origin; None where a row or
    its dispersion is missing.

    With ``(1, "A+B"), (-1, "A"), (-1, "B")`` the interaction of a pair: attraction that the
    functional gives (hydrogen
    bonds, electrostatics) is another statement than attraction by dispersion, whose correction
    knows no electrons [1]_.

    Parameters
    ----------
    rows : mapping of EnergyRow
    *terms : (count, name)

    Returns
    -------
    Parts or None

    References
    ----------
    .. [1] Grimme et al., J. Chem. Phys. 132, 154104 (2010), doi:10.1063/1.3382344.
    """
    found = [(count, rows.get(name)) for count, name in terms]
    if any(row is None or row.dispersion_eV is None for _, row in found):
        return None
    dispersion = sum(count * row.dispersion_eV for count, row in found)
    return Parts(sum(count * row.energy_eV for count, row in found) - dispersion, dispersion)


def conformers(folder: Path, system: str) -> dict[str, Parts]:
    """Kept conformers of a molecule or complex in PBE-D3(BJ)/def2-SVP.

    From the records `pbe/<system>-<k>.def2-svp.vacuum.json` and their D3 in `dispersion.json`;
    empty without them.

    Parameters
    ----------
    folder : Path
        `lead` of the kept calculations.
    system : str
        Such as "edta" or "edta_on_lead_ion".

    Returns
    -------
    dict of Parts
    """
    table = folder / "dispersion.json"
    if not table.exists():
        return {}
    terms, found = read_numbers(table), {}
    for path in sorted(folder.glob(f"pbe/{system}-[0-9].def2-svp.vacuum.json")):
        name = path.name.split(".")[0]
        if (d3 := terms.get(f"{name}/d3bj_eV")) is not None:
            found[name] = Parts(read_numbers(path, ("energy_eV",))["energy_eV"] - d3, d3)
    return found


def _lowest(found: Mapping[str, Parts]) -> Parts:
    return min(found.values(), key=lambda p: p.functional_eV + p.dispersion_eV)


def lead_parts(folder: Path) -> Parts | None:
    """The preference of free lead for EDTA over glutathione in PBE-D3(BJ)/def2-SVP, split into
    what PBE gives and what D3 adds; None without the records of both complexes and ligands.
    """
    systems = ("glutathione_on_lead_ion", "glutathione", "edta_on_lead_ion", "edta")
    kept = [conformers(folder, system) for system in systems]
    if not all(kept):
        return None
    terms = [(sign, _lowest(found)) for sign, found in zip((1, -1, -1, 1), kept, strict=True)]
    return Parts(
        sum(sign * p.functional_eV for sign, p in terms),
        sum(sign * p.dispersion_eV for sign, p in terms),
    )


@dataclass(frozen=True)
class LeadGap:
    """By how much EDTA holds lead more strongly than glutathione (eV), in one method and medium,
    with the standard error of the conformer searches and the basis.
    """

    method: str
    gap_eV: float
    error_eV: float
    edta_eV: float
    gl_eV: float
    conformers: tuple[int, int]


def lead_gap(
    edta: EnergyRow,
    gl: EnergyRow,
    method: str,
    searched: tuple[EnergyRow | None, EnergyRow | None] = (None, None),
) -> LeadGap:
    """E(Pb GL) - E(Pb EDTA); the error from the spread of both searches (`searched`: see
    `spread`), and from a small basis.
    """
    error = math.hypot(
        spread(edta, searched[0]),
        spread(gl, searched[1]),
        BASIS_ERROR_EV if "def2-SVP" in method else 0.0,
    )
    return LeadGap(
        method,
        gl.energy_eV - edta.energy_eV,
        error,
        edta.energy_eV,
        gl.energy_eV,
        (len(edta.starts_eV), len(gl.starts_eV)),
    )


def lead_gaps(lead: Mapping[str, EnergyRow]) -> dict[str, LeadGap]:
    """Every pair of rows `Pb EDTA<form> | <method>`, `Pb GL<form> | <method>` of the same method
    and form (`` neutral, `2-`, ...).

    A larger basis or a solvent is given to the lowest conformer only; its error is then the widest
    that a search among conformers of the same species left.

    Parameters
    ----------
    lead : mapping of EnergyRow

    Returns
    -------
    dict of LeadGap
        By method and, for anions, their forms.
    """
    # Ascending, so that the widest stays.
    searches = {
        name.partition(" | ")[0]: row
        for name, row in sorted(lead.items(), key=lambda item: spread(item[1]))
    }
    found = {}
    for name, row in lead.items():
        species, _, method = name.partition(" | ")
        if not species.startswith("Pb EDTA"):
            continue
        form = species.removeprefix("Pb EDTA").strip()
        for partner in _partners(form):
            twin = f"Pb GL{' ' + partner if partner else ''}"
            if f"{twin} | {method}" in lead:
                label = method if not form else f"{method}, EDTA {form} and GL {partner}"
                found[label] = lead_gap(
                    row, lead[f"{twin} | {method}"], label, (searches[species], searches[twin])
                )
    return found


def _partners(form: str) -> tuple[str, ...]:
    """Which form of glutathione is set beside a form of EDTA: neutral beside neutral, the anions
    of water beside each other.
    """
    return {"": ("",), "2-": ("2-",), "4-": ("3-",)}.get(form, ())


def counterpoise_eV(folder: Path, system: str, basis: str = "def2-svp") -> float | None:
    """By how much a complex of lead is too strongly bound because its halves borrow each other's
    basis functions (positive, eV); None without the records.

    Boys & Bernardi 1970, doi:10.1080/00268977000101561: each half alone less the same with the
    other's functions on ghost atoms, at the geometry of the
    complex, from the kept records `<system>-<conformer>.<part>.<basis>.vacuum.json` and
    `lead_ion-0.<basis>.vacuum.json`.

    Parameters
    ----------
    folder : Path
        Of the records.
    system : str
    basis : str

    Returns
    -------
    float or None
        eV.
    """
    found = {}
    for part in ("ligand", "ligand+ghost", "lead+ghost"):
        paths = sorted(folder.glob(f"{system}-[0-9].{part}.{basis}.vacuum.json"))
        if len(paths) != 1:
            return None
        found[part] = read_numbers(paths[0], ("energy_eV",))["energy_eV"]
    ion = folder / f"lead_ion-0.{basis}.vacuum.json"
    if not ion.exists():
        return None
    alone = found["ligand"] + read_numbers(ion, ("energy_eV",))["energy_eV"]
    return alone - found["ligand+ghost"] - found["lead+ghost"]


@dataclass(frozen=True)
class Thermal:
    """What vibration, rotation and translation add to the preference of lead for EDTA over
    glutathione (eV): Gibbs energy, and T S in it.
    """

    gibbs_eV: float
    entropy_eV: float
    temperature_K: float


def thermal_preference(folder: Path) -> Thermal | None:
    """From the kept records `edta.json`, `glutathione.json` and of both complexes; None where one
    is missing.

    The sign is that of the gap: positive where it helps EDTA. The lead ion is on both sides and
    cancels.
    """
    paths = [
        folder / f"{name}.json"
        for name in ("edta", "glutathione", "edta_on_lead_ion", "glutathione_on_lead_ion")
    ]
    if not all(p.exists() for p in paths):
        return None
    keys = ("gibbs_correction_eV", "temperature_times_entropy_eV", "temperature_K")
    edta, gl, pb_edta, pb_gl = (read_numbers(p, keys) for p in paths)

    def change(key: str) -> float:
        return (pb_gl[key] - gl[key]) - (pb_edta[key] - edta[key])

    return Thermal(
        *map(change, keys[:2]),
        edta["temperature_K"],
    )
