"""A procedure file, run step by step on vessels.

The file (YAML) lists chemicals, vessels' names by use, steps, and may name the product. Each step
does one or more of:

    add         a chemical into a vessel, by mass, volume or amount; a gas by volume at a
                temperature and pressure
    transfer    a volume (or `all`) from one vessel to another, `times` times
    precipitate keep part of a vessel's content as a solid, the rest goes to waste; `keep` gives
    the fraction of each component
    disperse    bring a vessel to a volume with a solvent (`chemical`)
    treat       as add: a ligand

Contents are amounts of components (Pb, I, Br, MA, or a ligand's name), so that each is conserved:
what has been added
stands in the vessels and in the waste, to rounding. Using more than a vessel holds is an error,
and so is a key that is
not known. Volumes of liquids add up. That a solution takes the room of its solvent is an
assumption: dissolved solids add between nothing and the room of their crystals, V = m/density, and
the root mean square of that, V/√3, is in the error of the volume; `Outcome.assumptions` says so.
"""

from __future__ import annotations

import csv
import difflib
import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from scipy.constants import N_A, R
from uncertainties import UFloat, ufloat

from peled.formats import FormatError, read_yaml
from peled.formats.contract import reader
from peled.synthesis.amounts import (
    Laboratory,
    UnitError,
    amount_mmol,
    composition,
    molar_mass,
    parse_quantity,
    purity_factor,
)
from peled.tables import table

#: Keys of each kind of entry, those in capitals needed. Keys that begin with `x_` are the user's
#: own everywhere.
_KEYS = {
    "procedure": "TITLE CHEMICALS STEPS source assumptions product",
    "chemical": "FORMULA name releases purity grade state density concentration smiles donors "
    "supplier source",
    "product": "FORMULA components vessel",
    "step": "ID title section note conditions alternative add transfer precipitate disperse treat",
    "add": "CHEMICAL TO mass volume amount times temperature pressure",
    "treat": "CHEMICAL TO mass volume amount times temperature pressure",
    "transfer": "FROM TO VOLUME times",
    "precipitate": "VESSEL keep",
    "disperse": "VESSEL VOLUME times chemical",
}
ACTIONS = ("add", "transfer", "precipitate", "disperse", "treat")
#: Quantities of entries and chemicals with a unit of the dimension that is expected.
_UNITS = {
    "mass": "mg",
    "volume": "mL",
    "amount": "mmol",
    "temperature": "kelvin",
    "pressure": "bar",
    "density": "g/mL",
    "concentration": "mol/L",
}
_WORDS = {"grade": ("at least", "technical"), "state": ("solid", "liquid", "gas", "paste")}


#: Relative standard error of a density taken from the table: 25 ± 5 °C at an expansion of 0.1 %
#: a kelvin, all temperatures equally likely.
ROOM = 0.003
#: Room of an atom in a solid whose density the file does not have (cubic angstrom), by its element:
#: of organic matter, up to argon, beyond. An assumed bound, above what crystals of salts and
#: ligands have (PbI2 150 for 124, CsBr 100 for 79, NaCl 50 for 45, EDTA 396 for 309).
_ATOM_A3 = {"organic": 11.0, "light": 25.0, "heavy": 50.0}


class ProcedureError(FormatError):
    """A procedure that cannot be carried out as written."""


@dataclass(frozen=True)
class Chemical:
    """One bottle. `releases` maps components to moles per mole of formula; `concentration_mol_L`
    is that of a solution.
    """

    key: str
    name: str
    formula: str
    releases: dict[str, float]
    purity: float | None = None
    at_least: bool = True
    density_g_mL: float | None = None
    concentration_mol_L: float | None = None
    state: str = "solid"
    donors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    """What is to be made: its formula, the components one formula unit takes, and the vessel whose
    inflow limits it.
    """

    formula: str
    components: dict[str, float]
    vessel: str | None = None


@dataclass(frozen=True)
class Procedure:
    """A procedure as read: chemicals, steps in order, assumptions beyond the source."""

    path: Path
    title: str
    source: str
    chemicals: dict[str, Chemical]
    steps: tuple[dict, ...]
    assumptions: tuple[str, ...] = ()
    product: Product | None = None

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Names of the alternative treatments, in the order of the file."""
        names = (step.get("alternative") for step in self.steps)
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def ligands(self) -> dict[str, Chemical]:
        """Chemicals of `treat` steps, by the component each releases."""
        used = [self.chemicals[e["chemical"]] for s in self.steps for e in entries(s, "treat")]
        return {component: chemical for chemical in used for component in chemical.releases}


@dataclass
class Vessel:
    """Content of one vessel (or set of equal vessels): amounts of components in mmol, its volume
    in mL.

    `solids` has what was added as a solid since the volume was last measured, with the room of its
    crystals (mL).
    """

    amounts: dict[str, UFloat] = field(default_factory=lambda: defaultdict(float))
    volume_mL: UFloat | float = 0.0
    solids: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """One movement of matter: step, from where, to where, amounts in mmol."""

    step: str
    source: str
    target: str
    amounts: dict[str, UFloat]


@dataclass(frozen=True)
class Outcome:
    """What a procedure leads to: vessels (with `waste`), all that was added, all movements in
    order.

    `weighed_mg` has the masses by chemical, `assumptions` what the calculation had to take for
    granted.
    """

    vessels: dict[str, Vessel]
    added: dict[str, UFloat]
    flows: tuple[Flow, ...]
    weighed_mg: dict[str, UFloat]
    assumptions: tuple[str, ...] = ()

    def received(self, vessel: str) -> dict[str, UFloat]:
        """All that has come into a vessel, by component (mmol).

        Parameters
        ----------
        vessel : str

        Returns
        -------
        dict of str to ufloat
            Empty for a vessel that nothing came into.
        """
        total: dict[str, UFloat] = defaultdict(float)
        for flow in self.flows:
            if flow.target == vessel:
                for component, amount in flow.amounts.items():
                    total[component] += amount
        return dict(total)

    def imbalance(self) -> dict[str, float]:
        """Relative difference between what was added of each component and what stands in the
        vessels.
        """
        found = defaultdict(float)
        for vessel in self.vessels.values():
            for component, amount in vessel.amounts.items():
                found[component] += amount
        return {
            c: abs((found[c] - n).nominal_value / n.nominal_value)
            for c, n in self.added.items()
            if n.nominal_value
        }


@reader("a procedure in YAML")
def load_procedure(path: str | os.PathLike) -> Procedure:
    """Read a procedure file; nothing in it is executed.

    Parameters
    ----------
    path : path-like
        YAML, its form as in the head of this module.

    Returns
    -------
    Procedure

    Raises
    ------
    ProcedureError
        Naming the file and the entry: not YAML, a missing or unknown key, an unknown formula, a
        purity that is no
        fraction, a quantity without a unit, a step that does nothing or two things, a chemical
        that is not listed.
    """
    path = Path(path)
    content = read_yaml(path, what="a procedure in YAML")
    _check_keys(path, "", "procedure", content)
    for key, kind in (("chemicals", dict), ("steps", list)):
        if not content[key] or not isinstance(content[key], kind):
            raise ProcedureError(
                path,
                place=key,
                expected="entries by name" if kind is dict else "a list of steps",
                found=_short(content[key]),
            )
    poured = {
        entry["chemical"]
        for step in content["steps"]
        if isinstance(step, dict)
        for action in ("add", "treat")
        for entry in entries(step, action)
        if isinstance(entry, dict) and "volume" in entry and "chemical" in entry
    }
    chemicals = {
        key: _chemical(path, str(key), entry, "liquid" if key in poured else "solid")
        for key, entry in content["chemicals"].items()
    }
    for number, step in enumerate(content["steps"], 1):
        _check_step(path, number, step, chemicals)
    product = content.get("product")
    return Procedure(
        path,
        content["title"],
        content.get("source", ""),
        chemicals,
        tuple(content["steps"]),
        tuple(content.get("assumptions") or ()),
        None if product is None else _product(path, product, chemicals),
    )


def run_procedure(
    procedure: Procedure,
    laboratory: Laboratory | None = None,
    *,
    with_purity: bool = True,
    alternatives: tuple[str, ...] = (),
) -> Outcome:
    """Carry out a procedure on paper.

    Parameters
    ----------
    procedure : Procedure
    laboratory : Laboratory, optional
        Errors of balance and pipettes; its defaults are stated there.
    with_purity : bool
        Whether the labels' purities count, or every bottle is taken as pure.
    alternatives : tuple of str
        Which steps marked `alternative: NAME` are done; the others are left out.

    Returns
    -------
    Outcome

    Raises
    ------
    ProcedureError
        Naming file and step: a vessel that is not there, or holds less than is taken from it; an
        alternative that
        the file does not have.
    """
    if unknown := set(alternatives) - set(procedure.alternatives):
        raise ProcedureError(
            procedure.path,
            place="alternative",
            expected=f"one of {', '.join(procedure.alternatives) or 'none, since no step is one'}",
            found=", ".join(sorted(unknown)),
        )
    laboratory = laboratory or Laboratory()
    runner = _Runner(procedure, laboratory, with_purity)
    for number, step in enumerate(procedure.steps, 1):
        if step.get("alternative") and step["alternative"] not in alternatives:
            continue
        runner.do(number, step)
    return Outcome(
        dict(runner.vessels),
        dict(runner.added),
        tuple(runner.flows),
        runner.weighed,
        tuple(runner.assumptions),
    )


class _Runner:
    def __init__(self, procedure: Procedure, laboratory: Laboratory, with_purity: bool):
        self.procedure, self.laboratory = procedure, laboratory
        self.purity = {
            key: purity_factor(c.purity, at_least=c.at_least, tag=key)
            if with_purity and c.purity
            else 1.0
            for key, c in procedure.chemicals.items()
        }
        self.vessels: dict[str, Vessel] = defaultdict(Vessel)
        self.added: dict[str, UFloat] = defaultdict(float)
        self.flows: list[Flow] = []
        self.weighed: dict[str, UFloat] = {}
        self.assumptions: dict[str, None] = {}  # in order, each once

    def do(self, number: int, step: dict) -> None:
        for action in ACTIONS:
            for entry in entries(step, action):
                getattr(self, action)(_place(number, step), step["id"], entry)

    def add(self, place: str, step: str, entry: dict) -> None:
        chemical = self.procedure.chemicals[entry["chemical"]]
        what, vessel = f"{place}: {entry['chemical']}", self.vessels[entry["to"]]
        if not {"mass", "volume", "amount"} & set(entry):  # such as a gas bubbled through
            if chemical.releases:
                self.assumptions[
                    f"{place}: how much {chemical.name} is not said, so it is not counted"
                ] = None
            return
        moles, volume = self._measure(what, chemical, entry)
        vessel.volume_mL += volume
        amounts = {component: moles * count for component, count in chemical.releases.items()}
        for component, amount in amounts.items():
            vessel.amounts[component] += amount
            self.added[component] += amount
        if amounts:
            self.flows.append(Flow(step, f"bottle: {chemical.name}", entry["to"], amounts))
        if chemical.state == "solid":
            room = _nominal(moles) * _room_mL_mmol(chemical)
            vessel.solids[chemical.name] = vessel.solids.get(chemical.name, 0.0) + room
            if room:
                vessel.volume_mL += ufloat(0.0, room / 3**0.5, tag=f"room of {chemical.name}")

    treat = add

    def _measure(self, what: str, chemical: Chemical, entry: dict) -> tuple[UFloat, UFloat]:
        """Amount (mmol) in an entry and what liquid it brings (mL)."""
        times = entry.get("times", 1)
        if "volume" in entry:
            poured = parse_quantity(entry["volume"], "mL", what=what)
            volume = self.laboratory.measured_mL(poured, tag=what, times=times)
            if chemical.state == "paste":
                raise ProcedureError(
                    self.procedure.path,
                    place=what,
                    expected="a mass, since a paste is weighed",
                    found=f"the volume {entry['volume']}",
                )
            if chemical.state == "gas":
                return volume * self._gas_mmol_mL(what, entry) * self.purity[chemical.key], 0.0
            if chemical.concentration_mol_L is not None:
                return volume * chemical.concentration_mol_L, volume
            density = self._density(what, chemical) if chemical.releases else chemical.density_g_mL
            if density is None:
                if chemical.releases:
                    raise ProcedureError(
                        self.procedure.path,
                        place=what,
                        expected="a density, since it is added by volume",
                        found="none",
                    )
                return 0.0, volume  # a solvent, none of whose components is counted
            mass = volume * density * 1000
        else:
            mg = (
                parse_quantity(entry["mass"], "mg", what=what)
                if "mass" in entry
                else parse_quantity(entry["amount"], "mmol", what=what)
                * molar_mass(chemical.formula).nominal_value
            )
            mass = self.laboratory.weighed_mg(mg, tag=what, times=times)
            volume = 0.0
            if chemical.state in ("liquid", "paste"):
                if (density := self._density(what, chemical)) is None:
                    self.assumptions[f"{what}: weighed, no density: adds no volume"] = None
                else:
                    volume = mass / (1000 * density)
            if chemical.concentration_mol_L is not None:
                if not volume:
                    raise ProcedureError(
                        self.procedure.path,
                        place=what,
                        expected="a volume, or the density of the solution, since it is one",
                        found="a mass",
                    )
                return volume * chemical.concentration_mol_L, volume
        self.weighed[chemical.key] = self.weighed.get(chemical.key, 0) + mass
        return amount_mmol(chemical.formula, mass, self.purity[chemical.key]), volume

    def _density(self, what: str, chemical: Chemical) -> UFloat | float | None:
        """As the file has it, else of the table of solvents (`peled.tables`), which is said."""
        if chemical.density_g_mL is not None:
            return chemical.density_g_mL
        for row in _densities():
            names = {row["name"], *row["also"].split("; ")}
            same = composition(row["formula"]) == composition(chemical.formula)
            if same and {chemical.name.lower(), chemical.key.lower()} & {n.lower() for n in names}:
                value = float(row["density_g_mL"])
                self.assumptions[
                    f"{what}: {value:g} g/mL at {row['temperature_C']} °C from the table "
                    f"({row['source']}), {100 * ROOM:g} % for the temperature of the room"
                ] = None
                return ufloat(value, ROOM * value, tag=f"density of {row['name']}")
        return None

    def _gas_mmol_mL(self, what: str, entry: dict) -> float:
        """Ideal gas: n/V = p/RT in mmol/mL, at the stated temperature and pressure."""
        for key in ("temperature", "pressure"):
            if key not in entry:
                raise ProcedureError(
                    self.procedure.path,
                    place=what,
                    expected=f"the {key} at which the volume of gas is measured",
                    found="none",
                )
        pressure = parse_quantity(entry["pressure"], "pascal", what=what)
        return pressure / (R * parse_quantity(entry["temperature"], "kelvin", what=what)) * 1e-3

    def transfer(self, place: str, step: str, entry: dict) -> None:
        source = self._existing(place, entry["from"])
        times = entry.get("times", 1)
        if entry.get("volume") == "all":
            fraction, volume = 1.0, source.volume_mL
        else:
            volume = self.laboratory.measured_mL(
                parse_quantity(entry["volume"], "mL", what=place), tag=place, times=times
            )
            if source.solids:
                added = ", ".join(f"{n} {room:.2g} mL" for n, room in source.solids.items())
                self.assumptions[
                    f"{entry['from']}: the volume of the solution is that of its liquids added up; "
                    f"what solids add to it, at most {added}, is in its error"
                ] = None
            if _nominal(volume) > _nominal(source.volume_mL) * (1 + 1e-9):
                raise ProcedureError(
                    self.procedure.path,
                    place=place,
                    expected=f"at most {_nominal(source.volume_mL):.4g} mL, "
                    f"which is all that {entry['from']} holds",
                    found=f"{_nominal(volume):.4g} mL taken",
                    advice="take less or make more",
                )
            fraction = volume / source.volume_mL
        self.vessels[entry["to"]].solids |= source.solids
        amounts = {component: amount * fraction for component, amount in source.amounts.items()}
        self._move(step, entry["from"], entry["to"], amounts)
        source.volume_mL = source.volume_mL - volume
        self.vessels[entry["to"]].volume_mL += volume

    def precipitate(self, place: str, step: str, entry: dict) -> None:
        vessel = self._existing(place, entry["vessel"])
        keep = entry.get("keep") or {}
        # A component that `keep` does not name stays in the liquid that is thrown away.
        amounts = {
            component: amount * (1 - keep.get(component, 0.0))
            for component, amount in vessel.amounts.items()
        }
        self._move(step, entry["vessel"], "waste", amounts)
        self.vessels["waste"].volume_mL += vessel.volume_mL
        vessel.volume_mL, vessel.solids = 0.0, {}

    def disperse(self, place: str, step: str, entry: dict) -> None:
        vessel = self._existing(place, entry["vessel"])
        volume = self.laboratory.measured_mL(
            parse_quantity(entry["volume"], "mL", what=place),
            tag=place,
            times=entry.get("times", 1),
        )
        if _nominal(vessel.volume_mL) > _nominal(volume) * (1 + 1e-9):
            raise ProcedureError(
                self.procedure.path,
                place=place,
                expected=f"at least the {_nominal(vessel.volume_mL):.4g} mL that are in it",
                found=f"{_nominal(volume):.4g} mL",
                advice="`disperse` brings a vessel to a volume; precipitate or evaporate before",
            )
        vessel.volume_mL, vessel.solids = volume, {}

    def _move(self, step: str, source: str, target: str, amounts: dict) -> None:
        for component, amount in amounts.items():
            self.vessels[source].amounts[component] -= amount
            self.vessels[target].amounts[component] += amount
        self.flows.append(Flow(step, source, target, amounts))

    def _existing(self, place: str, name: str) -> Vessel:
        if name not in self.vessels:
            raise ProcedureError(
                self.procedure.path,
                place=place,
                expected=f"a vessel filled before ({', '.join(self.vessels) or 'none yet'})",
                found=repr(name),
            )
        return self.vessels[name]


def _room_mL_mmol(chemical: Chemical) -> float:
    """Room of a solid: by its density, else at most that of its atoms (`_ATOM_A3`)."""
    if chemical.density_g_mL is not None:
        return molar_mass(chemical.formula).nominal_value / 1000 / chemical.density_g_mL
    import periodictable

    volume = 0.0
    for symbol, count in composition(chemical.formula):
        organic, number = symbol in ("H", "C", "N", "O"), getattr(periodictable, symbol).number
        kind = "organic" if organic else "light" if number <= 18 else "heavy"
        volume += count * _ATOM_A3[kind]
    return volume * N_A * 1e-27


@cache
def _densities() -> list[dict[str, str]]:
    with open(table("synthesis/densities.csv"), encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _nominal(value) -> float:
    return float(getattr(value, "nominal_value", value))


def _place(number: int, step: dict) -> str:
    return f"step {number} ({step.get('id', '?')})"


def entries(step: dict, action: str) -> list[dict]:
    """What a step does of one kind; a single entry need not be a list.

    Parameters
    ----------
    step : dict
    action : str
        One of `ACTIONS`.

    Returns
    -------
    list of dict
    """
    found = step.get(action) or []
    return found if isinstance(found, list) else [found]


def _short(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"[:60]


def _check_keys(path: Path, place: str, kind: str, entry: object) -> None:
    """Refuse what is no mapping, a key that is not known (with the nearest that is) and one that
    is missing.
    """
    known = _KEYS[kind].lower().split()
    if not isinstance(entry, dict):
        raise ProcedureError(
            path,
            place=place,
            expected=f"a mapping with the keys {', '.join(known)}",
            found=_short(entry),
        )
    for key in entry:
        if key not in known and not str(key).startswith("x_"):
            near = difflib.get_close_matches(str(key), known, 1, 0.5)
            advice = f"did you mean {near[0]!r}?" if near else "your own keys begin with x_"
            if key == "concentration":
                advice = "a stock solution is a chemical of its own with a concentration"
            raise ProcedureError(
                path,
                place=place,
                expected=f"the keys {', '.join(known)}",
                found=str(key),
                advice=advice,
            )
    for key in (k.lower() for k in _KEYS[kind].split() if k.isupper()):
        if entry.get(key) is None:
            raise ProcedureError(
                path,
                place=place,
                expected=f"the key {key!r}",
                found=", ".join(map(str, entry)) or "none",
            )


def _check_quantities(path: Path, place: str, entry: dict) -> None:
    """Refuse a quantity that cannot be read, a count that is none, and words that are not known."""
    for key, unit in _UNITS.items():
        if key in entry and not (key == "volume" and entry[key] == "all" and "from" in entry):
            try:
                parse_quantity(entry[key], unit, what=key)
            except UnitError as error:
                raise ProcedureError(
                    path,
                    place=place,
                    expected=f"a quantity in {unit} or the like",
                    found=str(error),
                ) from None
    times = entry.get("times", 1)
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ProcedureError(
            path, place=f"{place}: times", expected="a whole number above 0", found=_short(times)
        )
    for key, words in _WORDS.items():
        if key in entry and entry[key] not in words:
            raise ProcedureError(
                path, place=f"{place}: {key}", expected=" or ".join(words), found=_short(entry[key])
            )


def _counts(path: Path, place: str, found: object, *, most: float = math.inf) -> dict[str, float]:
    """Numbers by component, each from 0 to `most`."""
    what = "a number by component" if most == math.inf else f"a fraction from 0 to {most:g}"
    if not isinstance(found, dict):
        raise ProcedureError(path, place=place, expected=what, found=_short(found))
    for component, number in found.items():
        right = isinstance(number, int | float) and not isinstance(number, bool)
        if not (right and math.isfinite(number) and 0 <= number <= most):
            raise ProcedureError(
                path, place=f"{place}: {component}", expected=what, found=_short(number)
            )
    return {str(component): float(number) for component, number in found.items()}


def _chemical(path: Path, key: str, entry: dict, state: str) -> Chemical:
    place = f"chemicals: {key}"
    _check_keys(path, place, "chemical", entry)
    _check_quantities(path, place, entry)
    try:
        inside = dict(composition(entry["formula"]))
        purity = (
            None
            if entry.get("purity") is None
            else parse_quantity(entry["purity"], "percent", what="purity") / 100
        )
        if purity is not None:
            purity_factor(purity, tag=key)
    except ValueError as error:  # a UnitError too
        raise ProcedureError(
            path, place=place, expected="a formula and a purity in %", found=str(error)
        ) from None
    releases = _counts(path, f"{place}: releases", entry.get("releases") or {})
    for component, count in releases.items():
        element = re.fullmatch(r"([A-Z][a-z]?)(?:\d*[+-]|\([IV]+\))?", component)
        if element and element[1] in inside and count > inside[element[1]] * (1 + 1e-9):
            raise ProcedureError(
                path,
                place=f"{place}: releases: {component}",
                expected=f"at most the {inside[element[1]]:g} that {entry['formula']} has",
                found=f"{count:g}",
            )

    def quantity(name: str) -> float | None:
        return None if entry.get(name) is None else parse_quantity(entry[name], _UNITS[name])

    return Chemical(
        key,
        str(entry.get("name", key)),
        str(entry["formula"]),
        releases,
        purity,
        entry.get("grade", "at least") == "at least",
        quantity("density"),
        quantity("concentration"),
        entry.get("state", "liquid" if entry.get("concentration") else state),
        tuple(entry.get("donors") or ()),
    )


def _product(path: Path, entry: dict, chemicals: dict[str, Chemical]) -> Product:
    _check_keys(path, "product", "product", entry)
    released = {component for c in chemicals.values() for component in c.releases}
    try:
        inside = dict(composition(entry["formula"]))
    except ValueError as error:
        raise ProcedureError(
            path, place="product", expected="a formula", found=str(error)
        ) from None
    given = entry.get("components", {c: n for c, n in inside.items() if c in released})
    components = _counts(path, "product: components", given)
    for component in components or {"": 0}:
        if component not in released:
            raise ProcedureError(
                path,
                place="product: components",
                expected=f"what a chemical releases ({', '.join(sorted(released))})",
                found=component or "none",
            )
    return Product(str(entry["formula"]), components, entry.get("vessel"))


def _check_step(path: Path, number: int, step: dict, chemicals: dict[str, Chemical]) -> None:
    place = _place(number, step if isinstance(step, dict) else {})
    _check_keys(path, place, "step", step)
    released = {component for c in chemicals.values() for component in c.releases}
    for action in ACTIONS:
        for entry in entries(step, action):
            where = f"{place}: {action}"
            _check_keys(path, where, action, entry)
            _check_quantities(path, where, entry)
            if "chemical" in entry and entry["chemical"] not in chemicals:
                raise ProcedureError(
                    path,
                    place=where,
                    expected=f"a listed chemical ({', '.join(map(str, chemicals))})",
                    found=repr(entry["chemical"]),
                )
            if action in ("add", "treat"):
                told = [key for key in ("mass", "volume", "amount") if key in entry]
                if len(told) > 1:
                    raise ProcedureError(
                        path,
                        place=where,
                        expected="one of mass, volume and amount",
                        found=" and ".join(told),
                        advice="nothing says which of them was done",
                    )
            kept = _counts(path, f"{place}: keep", entry.get("keep") or {}, most=1.0)
            if unknown := set(kept) - released:
                raise ProcedureError(
                    path,
                    place=f"{place}: keep",
                    expected=f"what a chemical releases ({', '.join(sorted(released))})",
                    found=", ".join(sorted(unknown)),
                )


def yield_limit_mmol(
    amounts: Mapping[str, UFloat], needs: Mapping[str, float]
) -> tuple[UFloat, str]:
    """Largest amount of a product that given amounts allow, and the component that limits it.

    n = min over components of amount/need, of those whose need is above 0.

    Parameters
    ----------
    amounts : mapping
        Components at hand (mmol); one that is missing counts as none.
    needs : mapping
        Components that one formula unit takes.

    Returns
    -------
    amount : ufloat
        mmol.
    limiting : str

    Raises
    ------
    ValueError
        If no component is needed.

    Examples
    --------
    >>> yield_limit_mmol({"Cs": 5.0, "Pb": 0.2, "Br": 0.4}, {"Cs": 1, "Pb": 1, "Br": 3})[1]
    'Br'
    """
    limits = {c: amounts.get(c, 0.0) / need for c, need in needs.items() if need > 0}
    if not limits:
        raise ValueError(f"needs: expected a component above 0, found {dict(needs)}")
    limiting = min(limits, key=lambda component: _nominal(limits[component]))
    return limits[limiting], limiting


def perovskite_needs(x_br: float) -> dict[str, float]:
    """Lead and halides in one MAPb(I1-xBrx)3, for `yield_limit_mmol`.

    Parameters
    ----------
    x_br : float
        Bromide fraction, 0 to 1.

    Returns
    -------
    dict of str to float
        Number in one formula unit by component.
    """
    return {"Pb": 1.0, "I": 3 * (1 - x_br), "Br": 3 * x_br}


def perovskite_formula(x_br: float) -> str:
    """Formula of MAPb(I1-xBrx)3, for `molar_mass`.

    Parameters
    ----------
    x_br : float
        Bromide fraction, 0 to 1.

    Returns
    -------
    str
    """
    return f"CH3NH3PbI{3 * (1 - x_br):.9f}Br{3 * x_br:.9f}"
