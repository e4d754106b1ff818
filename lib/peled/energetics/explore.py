"""What the lab notebook on energies lets one look at: the atoms of each start of each row."""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from peled.energetics import draw, view3d
from peled.energetics.outputs import EnergyRow
from peled.lab import Explorer, Prepared, Step
from peled.report import Report
from peled.samples import Sheet


def signals(report: Report) -> list[tuple[str, Prepared]]:
    """(sample, what its differences were held against before they were taken).

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of (str, Prepared)
    """
    return [
        (sample, Prepared(sample, tuple(step for row in rows.values() for step in _steps(row))))
        for sample, rows in report.found.items()
    ]


def _steps(row: EnergyRow) -> list[Step]:
    files = ", ".join(dict.fromkeys(path.name for path in row.files))
    return [
        Step("method", row.method),
        Step("outputs", files),
        Step("starts", row.caption),
        *(Step("doubtful", said) for said in row.warnings),
        *(Step("without harm", said) for said in row.notes),
    ]


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder.

    Parameters
    ----------
    sheet : Sheet
    report : Report

    Returns
    -------
    Structures

    Raises
    ------
    LookupError
        If no output holds its atoms.
    """
    found = {
        f"{sample} {state}".strip(): row
        for sample, rows in report.found.items()
        for state, row in rows.items()
        if row.complex.structure is not None
    }
    if not found:
        raise LookupError("no output of a computed row holds its atoms: there is nothing to see")
    return Structures(found)


class Structures(Explorer):
    """The lowest start of a row from the side and from above beside the energies of all starts;
    the choice is `row`. An export writes every row as a page to turn.
    """

    def __init__(self, found: dict[str, EnergyRow]):
        self.found = found
        self.chosen = {"row": next(iter(found))}
        self.menus = {"row": list(found)}
        self.figure = Figure(figsize=(7.6, 3.0), layout="constrained")
        self.axes = self.figure.subplots(1, 3)
        self.said = self.figure.suptitle("\n", fontsize=7)  # room for what will be said

    def update(self) -> None:
        """Draw the row."""
        row = self.found[self.chosen["row"]]
        for ax in self.axes:
            ax.clear()
        draw.two_views(self.axes[:2], row.complex.structure, fontsize=5)
        starts = row.starts_eV
        self.axes[2].plot(range(1, len(starts) + 1), starts, "_", ms=14, color="k")
        self.axes[2].set(xlabel="start, lowest first", ylabel="energy (eV)")
        self.axes[2].set(xlim=(0.4, len(starts) + 0.6), xticks=range(1, len(starts) + 1))
        self.said.set_text(f"{self.chosen['row']}: {row.energy_eV:.3f} eV\n{row.caption}")

    @property
    def files(self) -> dict[str, str]:
        """Pages to turn, by the names of the rows in the table."""
        found = {}
        for name, row in self.found.items():
            stem = re.sub(r"[^\w.+-]+", "-", name)
            page = view3d.view(row.complex.structure, name, width=760, height=560).page
            found[f"views/{stem}.html"] = page
        return found
