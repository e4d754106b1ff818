"""Peaks and bands of one spectrum or thousands at once, with errors.

`to_energy` makes a spectrum ready; `moments` measures it without a model;
`BandModel` and `fit_series` fit bands to it; `to_lmfit` hands the same model to lmfit for
interactive work.
"""

from peled.lineshapes.bands import SHAPES
from peled.lineshapes.fit import fit_series
from peled.lineshapes.interactive import to_lmfit
from peled.lineshapes.measures import Moments, moments
from peled.lineshapes.model import BandModel, Parameter
from peled.lineshapes.result import SeriesFit
from peled.lineshapes.spectra import (
    HC_EV_NM,
    EnergySpectrum,
    estimate_variance,
    to_energy,
    to_wavelength,
)

__all__ = [
    "HC_EV_NM",
    "SHAPES",
    "BandModel",
    "EnergySpectrum",
    "Moments",
    "Parameter",
    "SeriesFit",
    "estimate_variance",
    "fit_series",
    "moments",
    "to_energy",
    "to_lmfit",
    "to_wavelength",
]
