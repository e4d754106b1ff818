"""Numbers that may be quoted: estimates of a fit, quantities derived from them, gates.

An engine returns `Estimates`; `derive` makes a `Quantity` of a function of them, with its error by
cause, or withholds it; gates add what speaks against it.
"""

from .derivation import derive, judge
from .estimates import (
    NULL_TOLERANCE,
    Estimates,
    from_jacobian,
    from_normal,
    goodness_z,
    likeness_z,
    missed_share,
)
from .gates import (
    FALSE_ALARM,
    Gate,
    assumed,
    described,
    deviate,
    possible,
    signal,
    threshold,
    times,
)
from .lmfit_adapter import fit_lmfit, from_lmfit
from .quantity import (
    SOURCE_KINDS,
    STATUSES,
    Z95,
    Finding,
    Kind,
    Quantity,
    Status,
    shown,
    with_error,
)

__all__ = [
    "FALSE_ALARM",
    "NULL_TOLERANCE",
    "SOURCE_KINDS",
    "STATUSES",
    "Z95",
    "Estimates",
    "Finding",
    "Gate",
    "Kind",
    "Quantity",
    "Status",
    "assumed",
    "derive",
    "described",
    "deviate",
    "from_jacobian",
    "fit_lmfit",
    "from_lmfit",
    "from_normal",
    "goodness_z",
    "judge",
    "likeness_z",
    "missed_share",
    "possible",
    "shown",
    "signal",
    "threshold",
    "times",
    "with_error",
]
