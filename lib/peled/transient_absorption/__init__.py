"""Transient absorption: from delay × wavelength matrices to lifetimes, spectra and what they prove.

`matrix` and the functions of `preprocess` make data ready; `global_fit` fits a `Model`; `errors`,
`compare`, `density` say how far the result carries; `plots` and `export` show and keep it.
"""

from peled.transient_absorption.compare import (
    band_amplitude,
    before_after,
    carriers_per_crystal,
    shape_change,
)
from peled.transient_absorption.components import number_of_components
from peled.transient_absorption.density import lifetime_density
from peled.transient_absorption.errors import profile
from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.irf import MeasuredIRF
from peled.transient_absorption.preprocess import Chirp, Matrix, matrix
from peled.transient_absorption.resample import bootstrap
from peled.transient_absorption.schemes import EqualAreas, Model, Scheme
from peled.transient_absorption.setup import lmfit_parameters

__all__ = [
    "Chirp",
    "EqualAreas",
    "GlobalFit",
    "Matrix",
    "MeasuredIRF",
    "Model",
    "Scheme",
    "band_amplitude",
    "before_after",
    "bootstrap",
    "carriers_per_crystal",
    "global_fit",
    "lifetime_density",
    "lmfit_parameters",
    "matrix",
    "number_of_components",
    "profile",
    "shape_change",
]
