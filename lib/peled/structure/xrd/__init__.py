"""Powder diffraction: the kinematic pattern of MAPb(I,Br)3, and whole-pattern (Pawley-type) fits of
cubic patterns.

Conventions: s = 2 sin(theta)/lambda in 1/ångström; angles in degrees of 2theta; the lattice
constant `a_A` is that of the (pseudo-)cubic perovskite cell. A sample that stands lower than the
goniometer axis by d shifts its lines by -2 d cos(theta)/R (positive `displacement_mm`: too low), a
zero error shifts all alike.

Profiles are written in s, where a crystal's shape broadens every line independently of angle; they
are carried to 2theta together with the factor P(theta)/s (polarisation and the spherical average of
a powder). For crystals of a few nanometres this factor varies across one line and pulls its maximum
down by up to 0.03 degrees: a fit of symmetric lines over 2theta finds the lattice constant too
large.
"""

from peled.structure.xrd.breadths import Breadth, breadths, williamson_hall
from peled.structure.xrd.crystal import (
    CU_KALPHA_A,
    KALPHA2_RATIO,
    line_strength,
    powder_pattern,
    reflection_families,
    scherrer_fwhm_deg,
    two_theta,
)
from peled.structure.xrd.evidence import (
    PhaseTest,
    composition_from_intensities,
    lattice_change,
    phase_test,
)
from peled.structure.xrd.pawley import PawleyFit, cubic_cells, find_cubic_cell, noise_of, pawley_fit
from peled.structure.xrd.phases import Phase, PhasesFit, fit_phases, known_phases, read_cif
from peled.structure.xrd.profiles import cube_transform, model_pattern, streaks

__all__ = [
    "williamson_hall",
    "read_cif",
    "known_phases",
    "fit_phases",
    "breadths",
    "PhasesFit",
    "Phase",
    "Breadth",
    "CU_KALPHA_A",
    "KALPHA2_RATIO",
    "PawleyFit",
    "PhaseTest",
    "composition_from_intensities",
    "cube_transform",
    "cubic_cells",
    "find_cubic_cell",
    "lattice_change",
    "line_strength",
    "model_pattern",
    "noise_of",
    "pawley_fit",
    "phase_test",
    "powder_pattern",
    "reflection_families",
    "scherrer_fwhm_deg",
    "streaks",
    "two_theta",
]
