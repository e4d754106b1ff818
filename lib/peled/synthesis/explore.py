"""What the lab notebook on syntheses lets one look at: the way of each component of each sample."""

from __future__ import annotations

from matplotlib.figure import Figure

from peled.lab import Explorer, Prepared, Step
from peled.report import Report
from peled.samples import Sheet
from peled.synthesis import plots
from peled.synthesis.result import Result


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what its numbers take for granted)."""
    return [
        (name, Prepared(found.procedure.path.name, _steps(found)))
        for name, found in report.found.items()
    ]


def _steps(found: Result) -> tuple[Step, ...]:
    return tuple(Step("assumed", sentence) for sentence in found.assumptions)


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

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
