"""A folder of procedures to a report: what each sample got, what is left, what it can give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from uncertainties import UFloat

from peled.quantities import Finding, Quantity
from peled.report import Panel, Report, from_holdings
from peled.samples import Content, Held, Holdings, Sheet
from peled.synthesis import plots
from peled.synthesis.amounts import Laboratory
from peled.synthesis.procedure import ProcedureError, load_procedure
from peled.synthesis.result import Result, carry_out

#: Settings: the errors of balance and pipettes, as `Laboratory` takes them.
SETTINGS: Mapping[str, Any] = {
    name: argument.default for name, argument in signature(Laboratory).parameters.items()
}
#: Causes of an error by how the tags of its sources begin.
_CAUSES = {
    "atomic weight": "atomic weights",
    "purity": "purities",
    "pipettes": "volumes",
    "density": "densities",
    "room": "dissolved solids",
}


def sniff(path: Path) -> Content | None:
    """What a file is: a procedure, whose parts are its alternative treatments; None for anything
    else.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        Also for a procedure with a mistake, then without parts.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None
    try:
        return Content("procedure", load_procedure(path).alternatives)
    except ProcedureError:
        # A file that begins to be a procedure is one, so that its row says what is wrong with it.
        return Content("procedure") if "steps:" in path.read_text("utf-8", "replace") else None


def analyse(sheet: Sheet, settings: Mapping[str, Any]) -> Report:
    """Carry out every procedure of a sheet, a treatment (`part`) by itself.

    Parameters
    ----------
    sheet : Sheet
        Rows of measurement `procedure`; the part is the alternative treatment that the sample got,
        none for none.
    settings : mapping
        Arguments of `Laboratory`: the errors of balance and pipettes.

    Returns
    -------
    Report
    """
    laboratory = Laboratory(**settings)
    holdings = Holdings(
        sheet,
        {
            "procedure": lambda path, row: carry_out(
                path, laboratory=laboratory, treatments=(row.part,) if row.part else ()
            ),
            "crystals": lambda path, row: path,
        },
    )
    held = holdings.select(measurement="procedure")
    return from_holdings(
        holdings,
        (quantity for one in held for quantity in _quantities(one)),
        found={one.row.sample: one.data for one in held},
        settings={"laboratory": str(laboratory)},
        drawers=(_procedures, _ways),
    )


def _quantities(held: Held) -> Iterator[Quantity]:
    result: Result = held.data
    doubt = (Finding("assumed", "doubtful", held.row.doubt),) if held.row.doubt else ()
    said = tuple(Finding("assumed", "reported", text) for text in result.outcome.assumptions)
    for of, name, value, unit, open_ways in result.rows():
        parts = _parts(value)
        budget: dict[str, float] = {}
        for (cause, _), error in parts.items():
            budget[cause] = (budget.get(cause, 0.0) ** 2 + error**2) ** 0.5
        yield Quantity(
            f"{of}, {name}",
            held.row.sample,
            value.nominal_value,
            budget,
            unit,
            "calculated",
            (*doubt, *(said if open_ways else ())),
            inputs=(held.digest,),
            state=held.row.state,
            parts=parts,
        )


def _parts(value: UFloat) -> dict[tuple[str, str], float]:
    """Signed error by cause and source; sources are shared by all samples of a laboratory."""
    found: dict[tuple[str, str], float] = {}
    for variable, slope in value.derivatives.items():
        tag = variable.tag or "unnamed"
        cause = next((c for begin, c in _CAUSES.items() if tag.startswith(begin)), "bench")
        key = (cause, tag)
        found[key] = found.get(key, 0.0) + slope * variable.std_dev
    return {key: error for key, error in found.items() if error}


def _procedures(report: Report) -> Iterator[Panel]:
    """One flow chart a procedure; samples of one file share it."""
    seen = set()
    for result in report.found.values():
        if result.procedure.path not in seen:
            seen.add(result.procedure.path)
            yield Panel(
                "procedure",
                lambda figure, r=result: plots.procedure_flow(figure.subplots(), r.procedure),
                title=result.procedure.title,
                wide=True,
            )


def _ways(report: Report) -> Iterator[Panel]:
    """For each sample the way of the component that limits the product."""
    for sample, result in report.found.items():
        if result.component:
            yield Panel(
                "way",
                lambda figure, r=result: plots.component_flow(
                    figure.subplots(), r.outcome, r.component
                ),
                sample=sample,
                title=f"{result.component} through the procedure",
            )
