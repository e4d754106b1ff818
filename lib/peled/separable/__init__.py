"""Separable least squares: models that are linear in some parameters once the others are given.

`fit` is for one spectrum or a table of them and returns `Estimates`. `SharedBlock`,
`DispersedBlock` and `NonNegativeBlock` eliminate the linear coefficients, `Problem` and `minimise`
search the others; large problems with structure of their own (transient absorption) use these
directly. Many spectra that share nothing are `peled.lineshapes.fit_series`' business.
"""

from .blocks import (
    ROUNDED,
    DispersedBlock,
    Evaluation,
    NonNegativeBlock,
    Rows,
    SharedBlock,
    Slopes,
)
from .fitting import Basis, SeparableFit, Sought, differences, fit, larger, scatter
from .search import Minimum, Problem, minimise
from .serial import averaged, covariance_over_correlations, fits_over_correlations, waves

__all__ = [
    "ROUNDED",
    "Basis",
    "DispersedBlock",
    "Evaluation",
    "Minimum",
    "NonNegativeBlock",
    "Problem",
    "Rows",
    "SeparableFit",
    "SharedBlock",
    "Slopes",
    "Sought",
    "averaged",
    "covariance_over_correlations",
    "differences",
    "fit",
    "fits_over_correlations",
    "larger",
    "minimise",
    "scatter",
    "waves",
]
