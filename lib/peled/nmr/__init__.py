"""NMR: from a free induction decay to a claim with an error.

`processing` (window, transform, phase, baseline, noise covariance), `referencing`, `lines` (lines,
multiplets, sidebands), `spins` (strong coupling), `integrals`, `detection` (limits, cross
polarisation), `titration` (tracking, binding, exchange), `assignment`, `series` (lines through
spectra), `plots`.
"""

from peled.nmr.assignment import Candidate, Reference, collisions, rank, read_references, sidebands
from peled.nmr.detection import (
    Course,
    build_up,
    fit_build_up,
    fit_diffusion,
    fit_relaxation,
    limit_at,
)
from peled.nmr.integrals import integrate
from peled.nmr.lines import Component, Line, LineFit, fit_lines, pick_peaks
from peled.nmr.processing import (
    Phase,
    PhaseError,
    Processed,
    apply_phase,
    autophase,
    baseline,
    from_spectrum,
    process,
)
from peled.nmr.referencing import (
    Solvents,
    Standard,
    read_solvents,
    read_standards,
    reference,
)
from peled.nmr.series import (
    follow,
    read_resonances,
)
from peled.nmr.significance import Matched, matched_filter, there
from peled.nmr.spins import fit_spin_system, transitions
from peled.nmr.titration import bound_fractions, fit_binding, fit_exchange, track, trend, two_site

__all__ = [
    "Candidate",
    "Component",
    "Course",
    "Line",
    "LineFit",
    "Matched",
    "Phase",
    "PhaseError",
    "Processed",
    "Reference",
    "Solvents",
    "Standard",
    "apply_phase",
    "autophase",
    "baseline",
    "bound_fractions",
    "build_up",
    "collisions",
    "fit_binding",
    "fit_build_up",
    "fit_diffusion",
    "fit_relaxation",
    "fit_exchange",
    "fit_lines",
    "fit_spin_system",
    "follow",
    "from_spectrum",
    "integrate",
    "limit_at",
    "matched_filter",
    "pick_peaks",
    "process",
    "rank",
    "read_references",
    "read_resonances",
    "read_solvents",
    "read_standards",
    "reference",
    "sidebands",
    "there",
    "track",
    "transitions",
    "trend",
    "two_site",
]
