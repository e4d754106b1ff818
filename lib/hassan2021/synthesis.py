"""The paper's mixed halides as a target for `peled.synthesis.make_recipe`."""

from __future__ import annotations

from peled.materials import bulk_gap_eV, lattice_constant_angstrom, photon_energy_eV
from peled.synthesis.procedure import Chemical

#: Salts of MAPb(I1-xBrx)3; PbBr2 last, since it is needed only above x_Br = 1/3.
MIXED_HALIDE_SALTS = tuple(
    Chemical(name, name, formula, releases)
    for name, formula, releases in (
        ("PbI2", "PbI2", {"Pb": 1, "I": 2}),
        ("MAI", "CH3NH3I", {"MA": 1, "I": 1}),
        ("MABr", "CH3NH3Br", {"MA": 1, "Br": 1}),
        ("PbBr2", "PbBr2", {"Pb": 1, "Br": 2}),
    )
)


def mixed_halide(x_br: float) -> tuple[dict[str, float], tuple[str, ...]]:
    """Target and expectations of MAPb(I1-xBrx)3, for `make_recipe`.

    Raises
    ------
    ValueError
        If x_br is no fraction.
    """
    if not 0 <= x_br <= 1:
        raise ValueError(f"x_br: expected a fraction from 0 to 1, found {x_br}")
    gap = float(bulk_gap_eV(x_br))
    sentence = (
        f"x_Br = {x_br:.3f}: bulk gap {gap:.3f} eV ({float(photon_energy_eV(gap)):.0f} nm), "
        f"lattice constant {float(lattice_constant_angstrom(x_br)):.3f} Å."
    )
    return {"MA": 1.0, "Pb": 1.0, "I": 3 * (1 - x_br), "Br": 3 * x_br}, (sentence,)
