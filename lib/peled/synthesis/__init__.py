"""Synthesis: the procedure as a checked calculation with uncertainties, and a recipe calculator.

amounts    formulas, purities, masses and volumes to amounts of substance, errors propagated with their correlations
analyse    a folder with a procedure to a report
procedure  a procedure file run step by step on vessels; elements are conserved, nothing is used that is not there
crystals   lead atoms, surface and ligands per crystal over a size distribution
recipe     target composition to a weighing table with the tolerance that each weighing needs
plots      the flow of the synthesis, the way of a component, the weighing sheet
"""

from peled.synthesis.amounts import Laboratory, UnitError, amount_mmol, molar_mass, parse_quantity
from peled.synthesis.analyse import Report, analyse
from peled.synthesis.crystals import CrystalPopulation, lead_complex_ceiling
from peled.synthesis.procedure import (
    Outcome,
    Procedure,
    ProcedureError,
    load_procedure,
    run_procedure,
)
from peled.synthesis.recipe import MIXED_HALIDE_SALTS, Recipe, make_recipe, mixed_halide

__all__ = [
    "MIXED_HALIDE_SALTS",
    "CrystalPopulation",
    "Laboratory",
    "Outcome",
    "Procedure",
    "ProcedureError",
    "Recipe",
    "Report",
    "UnitError",
    "amount_mmol",
    "analyse",
    "lead_complex_ceiling",
    "load_procedure",
    "make_recipe",
    "mixed_halide",
    "molar_mass",
    "parse_quantity",
    "run_procedure",
]
