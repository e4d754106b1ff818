"""Synthesis: the procedure as a checked calculation with uncertainties, and a recipe calculator.

amounts    formulas, purities, masses and volumes to amounts of substance, errors propagated with
           their correlations
analyse    a sheet of procedures to a report
result     one procedure carried out, each alternative treatment by itself
procedure  a procedure file run step by step on vessels; elements are conserved, nothing is used
           that is not there
crystals   lead atoms, surface and ligands per crystal over a size distribution
recipe     target composition to a weighing table with the tolerance that each weighing needs
plots      the flow of the synthesis, the way of a component, the weighing sheet
"""

from peled.synthesis.amounts import Laboratory, UnitError, amount_mmol, molar_mass, parse_quantity
from peled.synthesis.crystals import CrystalPopulation, lead_complex_ceiling
from peled.synthesis.procedure import (
    Outcome,
    Procedure,
    ProcedureError,
    load_procedure,
    run_procedure,
)
from peled.synthesis.recipe import Recipe, components, make_recipe, salt
from peled.synthesis.result import Result, carry_out

__all__ = [
    "CrystalPopulation",
    "Laboratory",
    "Outcome",
    "Procedure",
    "ProcedureError",
    "Recipe",
    "Result",
    "UnitError",
    "amount_mmol",
    "carry_out",
    "components",
    "lead_complex_ceiling",
    "load_procedure",
    "make_recipe",
    "molar_mass",
    "parse_quantity",
    "run_procedure",
    "salt",
]
