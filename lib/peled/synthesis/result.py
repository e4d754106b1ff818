"""A procedure carried out on paper: what is weighed, where it goes, what it can give. Any
chemistry.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from uncertainties import UFloat, nominal_value, std_dev

from peled.synthesis.amounts import Laboratory, molar_mass
from peled.synthesis.procedure import (
    Outcome,
    Procedure,
    Vessel,
    load_procedure,
    run_procedure,
    yield_limit_mmol,
)


@dataclass(frozen=True)
class Result:
    """What follows from one procedure.

    Attributes
    ----------
    procedure : Procedure
    outcomes : dict
        By treatment (one entry, "", for a procedure without alternatives): the outcome with
        labels' purities.
    pure : Outcome
        The first of them with every bottle taken as pure.
    laboratory : Laboratory
    """

    procedure: Procedure
    outcomes: dict[str, Outcome]
    pure: Outcome
    laboratory: Laboratory

    @property
    def outcome(self) -> Outcome:
        """The first treatment's."""
        return next(iter(self.outcomes.values()))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the file says it assumes, and what the calculation had to."""
        made = (a for outcome in self.outcomes.values() for a in outcome.assumptions)
        errors = f"Errors of the tools: {self.laboratory}."
        return tuple(dict.fromkeys((*self.procedure.assumptions, *made, errors)))

    @property
    def yield_mmol(self) -> tuple[UFloat, str] | None:
        """Largest amount of product and the component that limits it; None where the file names no
        product.
        """
        product = self.procedure.product
        if product is None:
            return None
        at_hand = (
            self.outcome.added if product.vessel is None else self.outcome.received(product.vessel)
        )
        return yield_limit_mmol(at_hand, product.components)

    @property
    def component(self) -> str:
        """The component whose way is drawn: what limits the product, else what is added first."""
        return self.yield_mmol[1] if self.yield_mmol else next(iter(self.outcome.added), "")

    def rows(self) -> list[tuple[str, str, UFloat, str, bool]]:
        """Quantities: of what, quantity, value with its error by source, unit, and whether it rests
        on what the procedure leaves open (a way through the vessels does, a weighing does not)."""
        found = []
        weighed = {
            k: v for outcome in self.outcomes.values() for k, v in outcome.weighed_mg.items()
        }
        for key, mass in weighed.items():
            found.append((self.procedure.chemicals[key].name, "mass", mass, "mg", False))
        for component, amount in self.outcome.added.items():
            found.append((component, "added", amount, "mmol", False))
        vessels: dict[str, Vessel] = {}
        for outcome in self.outcomes.values():  # what comes before the treatments is alike in all
            vessels = outcome.vessels | vessels
        for name, vessel in vessels.items():
            for component, amount in vessel.amounts.items():
                if name != "waste" and nominal_value(amount) > 1e-9:
                    found.append((component, f"in {name}", amount, "mmol", True))
        if limit := self.yield_mmol:
            formula = self.procedure.product.formula
            found.append((formula, f"at most, {limit[1]} limits", limit[0], "mmol", True))
            found.append((formula, "at most", limit[0] * molar_mass(formula), "mg", True))
        return found

    def to_csv(self) -> str:
        """The quantities as CSV."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["of", "quantity", "value", "standard error", "unit"])
        for what, name, value, unit, _ in self.rows():
            numbers = f"{nominal_value(value):.6g}", f"{std_dev(value):.2g}"
            writer.writerow([what, name, *numbers, unit])
        return stream.getvalue()

    def __str__(self) -> str:
        procedure = self.procedure
        lines = [
            procedure.title,
            f"{len(procedure.chemicals)} chemicals, {len(procedure.steps)} steps; "
            f"alternatives: {', '.join(procedure.alternatives) or 'none'}",
            *(
                f"  {what:24.24s} {name:34.34s} {nominal_value(v):10.4f} ± {std_dev(v):.4f} {unit}"
                for what, name, v, unit, _ in self.rows()
            ),
            "assumed:",
            *(f"  {assumption}" for assumption in self.assumptions),
        ]
        return "\n".join(lines)


def carry_out(
    source: str | os.PathLike,
    *,
    laboratory: Laboratory | None = None,
    treatments: tuple[str, ...] | None = None,
) -> Result:
    """Read a procedure and carry it out on paper, each alternative treatment by itself.

    Parameters
    ----------
    source : path-like
        A procedure file, or a folder with `procedure.yaml`.
    laboratory : Laboratory, optional
        Errors of balance and pipettes.
    treatments : tuple of str, optional
        Which alternatives; all by default.

    Returns
    -------
    Result

    Raises
    ------
    ProcedureError
        Naming file and entry, as `load_procedure` and `run_procedure`.
    """
    path, laboratory = Path(source), laboratory or Laboratory()
    procedure = load_procedure(path / "procedure.yaml" if path.is_dir() else path)
    names = procedure.alternatives if treatments is None else tuple(treatments)
    chosen = [(name,) for name in names] or [()]
    outcomes = {
        "".join(which): run_procedure(procedure, laboratory, alternatives=which) for which in chosen
    }
    pure = run_procedure(procedure, laboratory, with_purity=False, alternatives=chosen[0])
    return Result(procedure, outcomes, pure, laboratory)
