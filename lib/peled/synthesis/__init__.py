"""Synthesis: the procedure as a checked calculation with uncertainties, and a recipe calculator.

amounts    formulas, purities, masses and volumes to amounts of substance, errors propagated with their correlations
procedure  a procedure file run step by step on vessels; elements are conserved, nothing is used that is not there
crystals   lead atoms, surface and ligands per crystal over a size distribution
recipe     target composition to a weighing table with the tolerance that each weighing needs
plots      the flow of the synthesis, the flow of lead, the weighing sheet
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
from peled.synthesis.recipe import Recipe, make_recipe

__all__ = [
    "CrystalPopulation",
    "Laboratory",
    "Outcome",
    "Procedure",
    "ProcedureError",
    "Recipe",
    "UnitError",
    "amount_mmol",
    "lead_complex_ceiling",
    "load_procedure",
    "make_recipe",
    "molar_mass",
    "parse_quantity",
    "run_procedure",
]
