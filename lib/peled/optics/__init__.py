"""Light in planar layers: indices, plane waves, escape in the ray picture, and emission of dipoles.

`index_table` and `read_index` give n + ik; `multilayer` a plane wave's R, T and A; `film_escape` and its kin the ray
optics of a film, `external_yield` and `internal_yield` photon recycling; `dipole_emission` the wave optics.
"""

from peled.optics.dipole import (
    CHANNELS,
    DipoleEmission,
    dipole_emission,
    far_field,
    power_spectrum,
    substrate_reabsorption,
)
from peled.optics.escape import (
    FilmEscape,
    escape_fresnel,
    escape_small_angle,
    external_yield,
    film_escape,
    film_escape_small_angle,
    fresnel_transmittance,
    internal_yield,
    internal_yield_error,
    slab_modes,
    waveguide_cutoff,
)
from peled.optics.indices import IndexTable, index_table, read_index
from peled.optics.planewave import PlaneWave, multilayer

__all__ = [
    "CHANNELS",
    "DipoleEmission",
    "FilmEscape",
    "IndexTable",
    "PlaneWave",
    "dipole_emission",
    "escape_fresnel",
    "escape_small_angle",
    "external_yield",
    "far_field",
    "film_escape",
    "film_escape_small_angle",
    "fresnel_transmittance",
    "index_table",
    "internal_yield",
    "internal_yield_error",
    "multilayer",
    "power_spectrum",
    "read_index",
    "slab_modes",
    "substrate_reabsorption",
    "waveguide_cutoff",
]
