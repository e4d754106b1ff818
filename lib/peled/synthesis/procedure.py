"""A procedure file, run step by step on vessels.

The file (YAML) lists chemicals, vessels' names by use, and steps. Each step does one thing:

    add         a chemical into a vessel, by mass, volume or amount
    transfer    a volume (or `all`) from one vessel to another, `times` times
    precipitate keep part of a vessel's content as a solid, the rest goes to waste; `keep` gives the fraction of each component
    disperse    a solvent volume onto what a vessel holds; the vessel's volume becomes that volume

Contents are amounts of components (Pb, I, Br, MA, or a ligand's name), so that each is conserved: what has been added
stands in the vessels and in the waste, to rounding. Using more than a vessel holds is an error.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from uncertainties import UFloat

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

ACTIONS = ("add", "transfer", "precipitate", "disperse", "treat")
_STEP_KEYS = {"id", "title", "section", "note", "conditions", "alternative", *ACTIONS}


class ProcedureError(FormatError):
    """A procedure that cannot be carried out as written."""


@dataclass(frozen=True)
class Chemical:
    """One bottle. `releases` maps components to moles per mole of formula."""

    key: str
    name: str
    formula: str
    releases: dict[str, float]
    purity: float | None = None
    at_least: bool = True
    density_g_mL: float | None = None
    donors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Procedure:
    """A procedure as read: chemicals, steps in order, assumptions beyond the source."""

    path: Path
    title: str
    source: str
    chemicals: dict[str, Chemical]
    steps: tuple[dict, ...]
    assumptions: tuple[str, ...] = ()


@dataclass
class Vessel:
    """Content of one vessel (or set of equal vessels): amounts of components in mmol, and its volume in mL."""

    amounts: dict[str, UFloat] = field(default_factory=lambda: defaultdict(float))
    volume_mL: UFloat | float = 0.0


@dataclass(frozen=True)
class Flow:
    """One movement of matter: step, from where, to where, amounts in mmol."""

    step: str
    source: str
    target: str
    amounts: dict[str, UFloat]


@dataclass(frozen=True)
class Outcome:
    """What a procedure leads to: vessels (with `waste`), all that was added, all movements in order."""

    vessels: dict[str, Vessel]
    added: dict[str, UFloat]
    flows: tuple[Flow, ...]
    weighed_mg: dict[str, UFloat]

    def imbalance(self) -> dict[str, float]:
        """Relative difference between what was added of each component and what stands in the vessels."""
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

    Raises
    ------
    ProcedureError
        Naming the file and the entry: not YAML, a missing or unknown key, an unknown formula, a purity that is no
        fraction, a quantity without a unit, a step that does nothing or two things, a chemical that is not listed.
    """
    path = Path(path)
    content = read_yaml(path, what="a procedure in YAML")
    if not isinstance(content, dict):
        raise ProcedureError(
            path,
            expected="a mapping with the keys title, chemicals, steps",
            found=type(content).__name__,
        )
    for key in ("title", "chemicals", "steps"):
        if not content.get(key):
            raise ProcedureError(
                path, expected=f"the key {key!r}", found=f"only {', '.join(map(str, content))}"
            )
    chemicals = {key: _chemical(path, key, entry) for key, entry in content["chemicals"].items()}
    for number, step in enumerate(content["steps"], 1):
        _check_step(path, number, step, chemicals)
    return Procedure(
        path,
        content["title"],
        content.get("source", ""),
        chemicals,
        tuple(content["steps"]),
        tuple(content.get("assumptions", ())),
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

    Raises
    ------
    ProcedureError
        Naming file and step: a vessel that is not there, or holds less than is taken from it.
    """
    laboratory = laboratory or Laboratory()
    runner = _Runner(procedure, laboratory, with_purity)
    for number, step in enumerate(procedure.steps, 1):
        if step.get("alternative") and step["alternative"] not in alternatives:
            continue
        runner.do(number, step)
    return Outcome(dict(runner.vessels), dict(runner.added), tuple(runner.flows), runner.weighed)


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

    def do(self, number: int, step: dict) -> None:
        for action in ACTIONS:
            if action in step:
                entries = step[action] if isinstance(step[action], list) else [step[action]]
                for entry in entries:
                    getattr(self, action)(_place(number, step), step["id"], entry)

    def add(self, place: str, step: str, entry: dict) -> None:
        chemical = self.procedure.chemicals[entry["chemical"]]
        times = entry.get("times", 1)
        what = f"{place}: {entry['chemical']}"
        vessel = self.vessels[entry["to"]]
        if "mass" in entry:
            mass = self.laboratory.weighed_mg(
                parse_quantity(entry["mass"], "mg", what=what), tag=what
            )
        elif "volume" in entry:
            volume = self.laboratory.measured_mL(
                parse_quantity(entry["volume"], "mL", what=what), tag=what
            )
            vessel.volume_mL += volume * times
            if chemical.density_g_mL is None:
                if chemical.releases:
                    raise ProcedureError(
                        self.procedure.path,
                        place=what,
                        expected="a density, since it is added by volume",
                        found="none",
                    )
                return
            mass = volume * chemical.density_g_mL * 1000
        elif "amount" in entry:
            mass = self.laboratory.weighed_mg(
                parse_quantity(entry["amount"], "mmol", what=what)
                * molar_mass(chemical.formula).nominal_value,
                tag=what,
            )
        else:
            return  # an unmeasured amount, such as a gas bubbled through
        self.weighed[entry["chemical"]] = self.weighed.get(entry["chemical"], 0) + mass * times
        moles = amount_mmol(chemical.formula, mass, self.purity[chemical.key]) * times
        amounts = {component: moles * count for component, count in chemical.releases.items()}
        for component, amount in amounts.items():
            vessel.amounts[component] += amount
            self.added[component] += amount
        self.flows.append(Flow(step, f"bottle: {chemical.name}", entry["to"], amounts))

    def transfer(self, place: str, step: str, entry: dict) -> None:
        source = self._existing(place, entry["from"])
        times = entry.get("times", 1)
        if entry.get("volume") == "all":
            fraction, volume = 1.0, source.volume_mL
        else:
            volume = (
                self.laboratory.measured_mL(
                    parse_quantity(entry["volume"], "mL", what=place), tag=place
                )
                * times
            )
            if _nominal(volume) > _nominal(source.volume_mL) * (1 + 1e-9):
                raise ProcedureError(
                    self.procedure.path,
                    place=place,
                    expected=f"at most {_nominal(source.volume_mL):.4g} mL, which is all that {entry['from']} holds",
                    found=f"{_nominal(volume):.4g} mL taken",
                    advice="take less or make more",
                )
            fraction = volume / source.volume_mL
        amounts = {component: amount * fraction for component, amount in source.amounts.items()}
        self._move(step, entry["from"], entry["to"], amounts)
        source.volume_mL = source.volume_mL - volume
        self.vessels[entry["to"]].volume_mL += volume

    def precipitate(self, place: str, step: str, entry: dict) -> None:
        vessel = self._existing(place, entry["vessel"])
        keep = entry.get("keep", {})
        for component, fraction in keep.items():
            if not 0 <= fraction <= 1:
                raise ProcedureError(
                    self.procedure.path,
                    place=f"{place}: keep: {component}",
                    expected="a fraction from 0 to 1",
                    found=str(fraction),
                )
        # A component that `keep` does not name stays in the liquid that is thrown away.
        amounts = {
            component: amount * (1 - keep.get(component, 0.0))
            for component, amount in vessel.amounts.items()
        }
        self._move(step, entry["vessel"], "waste", amounts)
        self.vessels["waste"].volume_mL += vessel.volume_mL
        vessel.volume_mL = 0.0

    def disperse(self, place: str, step: str, entry: dict) -> None:
        vessel = self._existing(place, entry["vessel"])
        vessel.volume_mL = self.laboratory.measured_mL(
            parse_quantity(entry["volume"], "mL", what=place), tag=place
        ) * entry.get("times", 1)

    def treat(self, place: str, step: str, entry: dict) -> None:
        self.add(place, step, entry)

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


def _nominal(value) -> float:
    return float(getattr(value, "nominal_value", value))


def _place(number: int, step: dict) -> str:
    return f"step {number} ({step.get('id', '?')})"


def _chemical(path: Path, key: str, entry: dict) -> Chemical:
    place = f"chemicals: {key}"
    if not isinstance(entry, dict) or "formula" not in entry:
        raise ProcedureError(path, place=place, expected="the key 'formula'", found=str(entry))
    if unknown := set(entry) - {
        "name",
        "formula",
        "releases",
        "purity",
        "grade",
        "density",
        "smiles",
        "donors",
        "supplier",
        "source",
    }:
        raise ProcedureError(
            path,
            place=place,
            expected="name, formula, releases, purity, grade, density, smiles, donors, supplier, source",
            found=", ".join(sorted(unknown)),
        )
    try:
        composition(entry["formula"])
        purity = (
            None
            if entry.get("purity") is None
            else parse_quantity(entry["purity"], "percent", what="purity") / 100
        )
        if purity is not None:
            purity_factor(purity, tag=key)
        density = (
            None
            if entry.get("density") is None
            else parse_quantity(entry["density"], "g/mL", what="density")
        )
    except (ValueError, UnitError) as error:
        raise ProcedureError(
            path,
            place=place,
            expected="a formula, a purity in % and a density that can be used",
            found=str(error),
        ) from None
    return Chemical(
        key,
        entry.get("name", key),
        entry["formula"],
        {c: float(n) for c, n in entry.get("releases", {}).items()},
        purity,
        entry.get("grade", "at least") == "at least",
        density,
        tuple(entry.get("donors", ())),
    )


def _check_step(path: Path, number: int, step: dict, chemicals: dict[str, Chemical]) -> None:
    if not isinstance(step, dict) or "id" not in step:
        raise ProcedureError(
            path, place=f"step {number}", expected="the key 'id'", found=str(step)[:60]
        )
    place = _place(number, step)
    if unknown := set(step) - _STEP_KEYS:
        raise ProcedureError(
            path,
            place=place,
            expected=", ".join(sorted(_STEP_KEYS)),
            found=", ".join(sorted(unknown)),
        )
    for action in ACTIONS:
        for entry in (
            step.get(action, [])
            if isinstance(step.get(action), list)
            else [step[action]]
            if action in step
            else []
        ):
            needed = {
                "add": ("chemical", "to"),
                "treat": ("chemical", "to"),
                "transfer": ("from", "to", "volume"),
                "precipitate": ("vessel",),
                "disperse": ("vessel", "volume"),
            }[action]
            for key in needed:
                if key not in entry:
                    raise ProcedureError(
                        path,
                        place=f"{place}: {action}",
                        expected=f"the key {key!r}",
                        found=", ".join(entry),
                    )
            if action in ("add", "treat") and entry["chemical"] not in chemicals:
                raise ProcedureError(
                    path,
                    place=f"{place}: {action}",
                    expected=f"a listed chemical ({', '.join(chemicals)})",
                    found=repr(entry["chemical"]),
                )
            for key, unit in (("mass", "mg"), ("volume", "mL"), ("amount", "mmol")):
                if key in entry and entry[key] != "all":
                    try:
                        parse_quantity(entry[key], unit, what=key)
                    except UnitError as error:
                        raise ProcedureError(
                            path,
                            place=f"{place}: {action}",
                            expected=f"a quantity in {unit} or the like",
                            found=str(error),
                        ) from None


def yield_limit_mmol(amounts: dict[str, UFloat], x_br: float) -> tuple[UFloat, str]:
    """Largest amount of MAPb(I1-xBrx)3 that given amounts allow, and the component that limits it.

    Raises
    ------
    ValueError
        If x_br is no fraction.
    """
    if not 0 <= x_br <= 1:
        raise ValueError(f"x_br: expected a fraction from 0 to 1, found {x_br}")
    needs = {"Pb": 1.0, "I": 3 * (1 - x_br), "Br": 3 * x_br}
    limits = {
        component: amounts.get(component, 0.0) / need
        for component, need in needs.items()
        if need > 0
    }
    limiting = min(limits, key=lambda component: _nominal(limits[component]))
    return limits[limiting], limiting


def perovskite_formula(x_br: float) -> str:
    """Formula of MAPb(I1-xBrx)3, for `molar_mass`."""
    return f"CH3NH3PbI{3 * (1 - x_br):.9f}Br{3 * x_br:.9f}"
