"""Light in planar layers: indices, plane waves, escape in the ray picture, and emission of dipoles.

`index_table` and `read_index` give n + ik; `multilayer` a plane wave's R, T and A; `film_escape`
and its kin the ray optics of a film; `dipole_emission` the wave optics.
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
    film_escape,
    fresnel_transmittance,
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
    "far_field",
    "film_escape",
    "fresnel_transmittance",
    "index_table",
    "multilayer",
    "power_spectrum",
    "read_index",
    "substrate_reabsorption",
    "waveguide_cutoff",
]
