"""The paper's claims on energies: one short function a route to a claim.

Here what the paper's own numbers, its Methods and published constants decide; what was calculated
stands in `energetics_calculated`, which enters its routes beside these.
"""

from __future__ import annotations

import math
import re

import numpy as np

from hassan2021.desk import Checks, Found, Missing, number
from hassan2021.energetics import Evidence, loading
from ledger import paper
from peled.energetics import affinity, frenkel
from peled.energetics.intervals import Interval

#: Lateral constant of tetragonal MAPbI3 that the paper fixes: Poglitsch & Weber 1987,
#: doi:10.1063/1.453467.
CELL_A_ANGSTROM = 8.855
#: Claims that print one number twice.
TWICE = (
    ("C202", "C077"), ("C206", "C082"), ("C208", "C085"), ("C210", "C086"), ("C211", "C087"),
    ("C212", "C088"), ("C274", "C175"),
)  # fmt: skip
TEMPERATURE_K = 298.15

claims = Checks(
    {
        "C214": "a name; an output file would say it",
        "C215": "a name; an output file would say it",
        "C081": "no total energies",
        "C218": "eight times the cutoff of the waves, of the usual 8 to 12 for ultrasoft "
        "potentials",
        "C275": "the values of one molecule stand in the image only",
    }
)


# ---- the same number twice -----------------------------------------------------------------------


def as_printed(e: Evidence, other: str) -> Found:
    return {"found": number(other), "note": f"as printed in {other}"}


for _one, _other in TWICE:
    claims(_one, "restated", other=_other)(as_printed)
    claims(_other, "restated", other=_one)(as_printed)


@claims("C080", "restated")
def edta_twice(e: Evidence) -> Found:
    return {"found": paper.claim("C204").printed[0].value, "note": "as printed in C204"}


@claims("C204", "restated")
def both_twice(e: Evidence) -> Found:
    return {"found": [number("C080"), number("C077")], "note": "as printed in C080 and C077"}


# ---- signs and sums ------------------------------------------------------------------------------


@claims("C076")
def sign_of_binding(e: Evidence) -> Found:
    singles = [number("C077"), number("C080")]
    return {
        "found": [-x for x in singles],
        "note": "same magnitudes: E_b is positive where BE = E(lig@surf) - E(lig) - E(surf) is "
        "negative, as is common, and not defined",
    }


@claims("C083", "restated")
def beyond_the_singles(e: Evidence) -> Found:
    return {
        "found": e.told.interaction.middle,
        "standard_error": e.told.interaction.half_width / 3,  # three uniform roundings
        "note": "-4.45 + 1.85 + 1.60; two roundings of the singles and one of the pair, ±0.015 eV",
    }


@claims("C207", "restated")
def more_than_the_sum(e: Evidence) -> Found:
    cells = e.told.cells
    pair, total = cells["GL+EDTA"].energy_eV, cells["GL"].energy_eV + cells["EDTA"].energy_eV
    return {
        "found": f"{pair.middle:.2f} against {total.middle:.2f} eV",
        "holds": pair.below(total) is True,
        "note": "shown for E+G; for the like pairs it is the text's word",
    }


# ---- Frenkel pairs -------------------------------------------------------------------------------


@claims("C088", "like with like")
def increase_with_increase(e: Evidence) -> Found:
    up, ether, quoted = e.told.increases_eV, e.told.ether_increase_eV, number("C087")
    pair, gl = up["GL+EDTA"], up["GL"]
    fair = math.isclose(quoted, pair, abs_tol=0.005)
    return {
        "found": f"increases {gl:.2f} (GL), {pair:.2f} (E+G) against {ether:.2f} eV",
        "holds": False if pair <= ether else True if fair else "partly",
        "note": f"the text sets the formation energy {quoted:.2f} beside an increase of "
        f"{ether:.2f}; increase against increase E+G is {pair / ether:.1f} times, "
        f"GL {gl / ether:.1f} times PEO's, so what is concluded stands; read as the rise, what the "
        "text calls significantly higher is right as it is",
    }


@claims("C213")
def the_adjective(e: Evidence) -> Found:
    up, ether = e.told.increases_eV, e.told.ether_increase_eV
    share = up["GL+EDTA"] / up["MAI"]
    return {
        "found": ", ".join(f"{name} {up[name] / ether:.1f}" for name in ("GL", "GL+EDTA"))
        + " times PEO's increase",
        "holds": min(up["GL"], up["GL+EDTA"]) > ether,
        "note": f"{up['GL+EDTA']:.2f} eV against {ether:.2f} for PEO, of interstitial iodine "
        "there, "
        f"of a Frenkel pair here; it is {100 * share:.0f} % of the {up['MAI']:.2f} eV "
        "for full MAI; "
        f"the energy itself, {number('C087'):g} eV, is {number('C087') / frenkel.K_EV / 300:.0f} "
        "kT",
    }


# ---- how it was calculated -----------------------------------------------------------------------


@claims("C216", "potentials made here")
def valence_shells(e: Evidence) -> Found:
    """Each potential was generated with just the shells that the paper lists, and tested."""
    listed = shells(paper.claim("C216").statement)
    if not e.held.potentials or not listed:
        raise Missing("pseudopotential files would settle it")
    made = {element: frozenset(names.split()) for element, names in e.held.potentials.items()}
    same = [element for element in listed if made.get(element) == listed[element]]
    return {
        "found": f"{len(same)} of {len(listed)} elements",
        "holds": True if len(same) == len(listed) else "partly" if same else False,
        "kind": "calculated",
        "note": "ultrasoft potentials with exactly these shells exist, their tests beside them; "
        "which ones the paper used it does not say",
    }


def shells(statement: str) -> dict[str, frozenset[str]]:
    """`I 5s5p, N/C 2s2p` to shells by element.

    >>> sorted(shells("Valence shells: N/C 2s2p")["C"])
    ['2p', '2s']
    """
    found = {}
    for entry in statement.split(":")[-1].split(","):
        match = re.fullmatch(r"\s*([A-Z][A-Za-z/]*)\s+((?:\d[spdf])+)\s*", entry)
        for element in match[1].split("/") if match else ():
            found[element] = frozenset(re.findall(r"\d[spdf]", match[2]))
    return found


def _misplaced(e: Evidence) -> list[str]:
    wrong = [c for c in e.held.citations if c["reference_is"] != c["statement_needs"]]
    return [c["statement"] for c in wrong]


@claims("C219")
def source_of_dispersion(e: Evidence) -> Found:
    wrong = any("D3" in name for name in _misplaced(e))
    return {
        "found": "reference 58 is the PBE paper" if wrong else "reference fits",
        "holds": not wrong,
        "note": "the method is named, its source is not cited: DFT-D3 is Grimme et al. 2010, "
        "doi:10.1063/1.3382344",
    }


@claims("C220")
def misplaced_references(e: Evidence) -> Found:
    named = _misplaced(e)
    return {
        "found": f"misplaced: {', '.join(named)}",
        "holds": not named,
        "note": "Quantum ESPRESSO's own citation is right; glycine carries its number, dispersion "
        "that of PBE",
    }


def _ligands(e: Evidence) -> list[np.ndarray]:
    """Positions of the ligands that lie on the slab, z from the top lead."""
    above = [loading.ligands_above(e.held.picture(name)) for name in ("GL", "EDTA")]
    slab = e.held.picture("bare")
    if slab is None or slab.structure.cell is None or all(a is None for a in above):
        raise Missing("no slab or no adsorbed ligand in data_dir")
    return [a for a in above if a is not None]


@claims("C221")
def room_for_a_ligand(e: Evidence) -> Found:
    longest = max(np.linalg.norm(a[:, None] - a[None], axis=2).max() for a in _ligands(e))
    lateral = 2 * CELL_A_ANGSTROM
    return {
        "found": f"{lateral:.2f} angstrom against a ligand {longest:.1f} long",
        "kind": "calculated",
        "holds": bool(lateral > longest),
        # Half an angstrom for the pose in which the ligand lies.
        "margin": (lateral - longest - 3.0) / 0.5,
        "note": "room for one ligand, and the rest to its image; ± 0.5 angstrom for its pose; slab "
        "thickness and k-points are not stated",
    }


@claims("C222")
def vacuum(e: Evidence) -> Found:
    height = float(max(a[:, 2].max() for a in _ligands(e)))
    gap = number("C222") - height
    return {
        "found": gap,
        "kind": "calculated",
        # Where the 10 were counted from is not printed, so a narrow gap refutes nothing.
        "holds": True if gap > 8 else "inconclusive",
        "note": f"counted from the bare surface, a ligand {height:.1f} angstrom high leaves "
        f"{gap:.1f} to the next slab; counted above the ligand it is wide enough; the text does "
        "not say which, an input file would",
    }


@claims("C223")
def dipole(e: Evidence) -> Found:
    _ligands(e)
    slab = e.held.picture("bare").structure
    # Only the symmetry matters, not the numbers.
    charges = {"Pb": 2.0, "I": -1.0, "C": -0.35, "N": -0.3, "H": 0.275}
    q = np.array([charges[s] for s in slab.symbols])
    z = slab.positions[:, 2]
    moment = float((q - q.mean()) @ (z - z.mean()))
    return {
        "found": f"dipole {abs(moment):.2g} e angstrom",
        "kind": "calculated",
        "holds": abs(moment) < 0.05,
        "note": "point charges on the built slab: mirrored cations cancel, whatever the charges; "
        "the in-plane positions are ideal",
    }


# ---- water ---------------------------------------------------------------------------------------


@claims("C175", "stability constants in water")
def grip_in_water(e: Evidence) -> Found:
    gap, constants = number("C175"), e.held.constants
    units = float(affinity.log_units(gap, TEMPERATURE_K))
    water = Interval(*constants["EDTA"]["log_k"]) - Interval(*constants["GL"]["log_k"])
    energy = water * (gap / units)
    return {
        "found": energy.middle,
        "standard_error": energy.half_width / 1.96,
        "kind": "calculated",
        # The sign is the same; the sizes are not of one quantity, so neither confirms the other.
        "holds": "inconclusive" if energy.low > 0 else False,
        "note": f"same order, smaller: {water.low:.1f} to {water.high:.1f} log units "
        f"({energy.low:.2f} to {energy.high:.2f} eV) against {units:.1f} for {gap:.2f} eV; water "
        "and charges are not in the vacuum number; both constants at 0.1 mol/L, GL's brought "
        "there from 3 mol/L",
    }
