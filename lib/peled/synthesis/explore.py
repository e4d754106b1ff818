"""What the lab notebook on syntheses lets one look at: the way of each component of each sample,
and a recipe for a target from the bottles of the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from peled.files import to_json
from peled.lab import Explorer, Prepared, Step
from peled.report import Report
from peled.samples import Sheet
from peled.synthesis import plots
from peled.synthesis.procedure import Chemical
from peled.synthesis.recipe import Recipe, components, make_recipe, salt
from peled.synthesis.result import Result


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what its numbers take for granted).

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of (str, Prepared)
    """
    return [
        (name, Prepared(found.procedure.path.name, _steps(found)))
        for name, found in report.found.items()
    ]


def _steps(found: Result) -> tuple[Step, ...]:
    return tuple(Step("assumed", sentence) for sentence in found.assumptions)


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
    report : Report

    Returns
    -------
    Ways

    Raises
    ------
    LookupError
        If no procedure could be carried out.
    """
    found = {name: result for name, result in report.found.items() if _components(result)}
    if not found:
        raise LookupError("no procedure could be carried out: there is nothing to follow")
    return Ways(found)


def _components(found: Result) -> list[str]:
    return list(found.outcome.added)


class Ways(Explorer):
    """Bands as wide as the amount that moves; choices are `sample` and `component`."""

    def __init__(self, found: dict[str, Result]):
        self.found = found
        sample = next(iter(found))
        self.chosen = {"sample": sample, "component": ""}
        self.menus = {"sample": list(found)}
        self.turned("sample")
        self.figure = Figure(figsize=(6.0, 3.2), layout="constrained")
        self.axes = self.figure.subplots()
        self.said = self.figure.suptitle("\n", fontsize=7)  # room for what will be said

    def turned(self, name: str) -> None:
        if name == "sample":
            now = self.found[self.chosen["sample"]]
            self.menus["component"] = _components(now)
            if self.chosen["component"] not in self.menus["component"]:
                self.chosen["component"] = now.component

    def update(self) -> None:
        """Draw the way of the component."""
        component, sample = self.chosen["component"], self.chosen["sample"]
        result = self.found[sample]
        self.axes.clear()
        plots.component_flow(self.axes, result.outcome, component)
        added = result.outcome.added[component]
        self.said.set_text(
            f"{sample}, {component}: {added.nominal_value:.4g} ± {added.std_dev:.1g} mmol added\n"
        )


def recipe(sheet: Sheet, report: Report) -> Explorer:
    """The recipe calculator on the bottles of a folder: those of its procedures that release
    something and are weighed. It begins with the product that a procedure names.

    Parameters
    ----------
    sheet : Sheet
    report : Report

    Returns
    -------
    Planned
    """
    bottles: dict[str, Chemical] = {}
    products = []
    for result in report.found.values():
        for chemical in result.procedure.chemicals.values():
            if chemical.releases and chemical.state in ("solid", "paste"):
                bottles.setdefault(chemical.name, chemical)
        if result.procedure.product:
            products.append(result.procedure.product.components)
    return Planned(tuple(bottles.values()), products[0] if products else {})


OTHERS = {"recipe": recipe}


class Planned(Explorer):
    """The weighing sheet of a target.

    Choices are `target` (a formula such as ``Cs0.1FA0.9Pb(I0.8Br0.2)3``, or components with their
    numbers), `salts` (further bottles, ``"CsI, PbI2 99.9 %"``), `replaced` and `by` with the
    `share` of it (one site mixed by hand), `concentration_mol_L`, `volume_mL`, `batches` and
    `batch_volume_mL`. `lab.export()` writes the sheet and the choices.
    """

    sliders = {
        "share": (0.0, 1.0, 0.01),
        "concentration_mol_L": (0.01, 2.0, 0.01),
        "volume_mL": (0.5, 100.0, 0.5),
        "batches": (1, 50, 1),
        "batch_volume_mL": (0.05, 20.0, 0.05),
    }

    def __init__(self, bottles: Sequence[Chemical], target: dict[str, float]):
        self.bottles = tuple(bottles)
        self.chosen: dict[str, Any] = {
            "salts": "",
            "target": dict(target),
            "replaced": "",
            "by": "",
            "share": 0.0,
            "concentration_mol_L": 0.1,
            "volume_mL": 10.0,
            "batches": 1,
            "batch_volume_mL": 1.0,
        }
        self.menus: dict[str, list[str]] = {}
        self.sheet: Recipe | None = None
        self.figure = Figure(figsize=(5.0, 2.4), layout="constrained")
        self.axes = self.figure.subplots()
        self.turned("salts")

    @property
    def _salts(self) -> tuple[Chemical, ...]:
        more = [part for part in self.chosen["salts"].split(",") if part.strip()]
        return (*self.bottles, *map(salt, more))

    @property
    def _components(self) -> dict[str, float]:
        target = self.chosen["target"]
        found = components(target) if isinstance(target, str) else dict(target)
        out, into = self.chosen["replaced"], self.chosen["by"]
        if out in found and into:
            moved = found[out] * self.chosen["share"]
            found[out] -= moved
            found[into] = found.get(into, 0.0) + moved
        return found

    def turned(self, name: str) -> None:
        if name not in ("target", "salts"):
            return
        target = self.chosen["target"]
        mine = list(components(target) if isinstance(target, str) else target)
        brought = list(dict.fromkeys(c for s in self._salts for c in s.releases))
        self.menus |= {"replaced": ["", *mine], "by": ["", *brought]}
        for menu in ("replaced", "by"):
            if self.chosen[menu] not in self.menus[menu]:
                self.chosen[menu] = ""

    def update(self) -> None:
        """Draw the weighing sheet, or what keeps it from being made."""
        said = self.chosen
        self.axes.clear()
        self.sheet, batches = None, round(said["batches"])
        try:
            self.sheet = make_recipe(
                self._components,
                self._salts,
                concentration_mol_L=said["concentration_mol_L"],
                volume_mL=max(said["volume_mL"], batches * said["batch_volume_mL"]),
                batches=batches,
                batch_volume_mL=said["batch_volume_mL"],
            )
        except ValueError as error:
            self.axes.text(0.0, 0.9, str(error), va="top", fontsize=7, wrap=True)
            self.axes.axis("off")
            return
        plots.weighing_table(self.axes, self.sheet)

    @property
    def files(self) -> dict[str, str]:
        """The weighing sheet of the last choices, as CSV and to print, and the choices."""
        if self.sheet is None:
            return {}
        return {
            "weighing_sheet.csv": self.sheet.to_csv(),
            "weighing_sheet.html": self.sheet.to_html(),
            "recipe.explored.json": to_json(self.chosen),
        }
