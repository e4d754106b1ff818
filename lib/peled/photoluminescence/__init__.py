"""Photoluminescence: spectra, quantum yields, lifetimes, photon recycling, optical gaps, halide
segregation.

`analyse.analyse` turns a folder into numbers or reasons; `measure` takes a spectrum;
`quantum_yield` and `fit_recombination` take sphere runs; `fit_decay` and `fit_decays` take TCSPC
histograms; `tauc_gap` and `elliott_gap` take absorbance; `track` and
`fit_kinetics` take series under light; `recycling` turns an external yield into an internal one, by
named optics.
"""

from peled.photoluminescence import confocal, plots, recycling, shift_budget
from peled.photoluminescence.emission import (
    Emission,
    looks_like_counts,
    measure,
    per_nanometre,
)
from peled.photoluminescence.fluence import (
    Recombination,
    excitons_per_crystal,
    fit_recombination,
    generation_rate,
)
from peled.photoluminescence.gap import ElliottGap, TaucGap, elliott_gap, tauc_gap
from peled.photoluminescence.lifetimes import (
    DecayFit,
    MeanLifetime,
    Response,
    fit_decay,
    fit_decays,
    least_squares_lifetime,
    mean_lifetime,
    preferred,
    prepare_response,
)
from peled.photoluminescence.plqy import PLQY, photon_weights, quantum_yield
from peled.photoluminescence.reading import read_truth
from peled.photoluminescence.segregation import Kinetics, Segregation, drift, fit_kinetics, track

__all__ = [
    "DecayFit",
    "ElliottGap",
    "Emission",
    "Kinetics",
    "MeanLifetime",
    "PLQY",
    "Recombination",
    "Response",
    "Segregation",
    "TaucGap",
    "confocal",
    "drift",
    "elliott_gap",
    "excitons_per_crystal",
    "fit_decay",
    "fit_decays",
    "fit_kinetics",
    "fit_recombination",
    "generation_rate",
    "least_squares_lifetime",
    "looks_like_counts",
    "mean_lifetime",
    "measure",
    "per_nanometre",
    "photon_weights",
    "plots",
    "preferred",
    "prepare_response",
    "quantum_yield",
    "read_truth",
    "recycling",
    "shift_budget",
    "tauc_gap",
    "track",
]
