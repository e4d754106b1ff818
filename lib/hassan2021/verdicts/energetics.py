"""The paper's claims on energies: which hold, by which route.

Routes: the paper's own arithmetic (`recomputed`); kept calculations on the slab, of free lead and of cutoffs (`calculated`); one's own outputs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hassan2021.verdicts import energetics_calculated as calculated
from ledger import paper
from peled.energetics import affinity, frenkel, loading, methods
from peled.energetics.binding import Cell, like_sign, pair_interaction_eV, table_cells
from peled.energetics.intervals import Interval

CELL_A_ANGSTROM = 8.855  #: lateral constant of tetragonal MAPbI3 that the paper fixes, Poglitsch & Weber 1987, doi:10.1063/1.453467
_RESTATED = {
    "C202": "C077",
    "C206": "C082",
    "C208": "C085",
    "C210": "C086",
    "C211": "C087",
    "C212": "C088",
    "C274": "C175",
    "C077": "C202",
    "C082": "C206",
    "C085": "C208",
    "C086": "C210",
    "C087": "C211",
    "C088": "C212",
    "C175": "C274",
}


@dataclass(frozen=True)
class Published:
    """The energies of the ledger, with their rounding (eV)."""

    cells: dict[str, Cell]
    interaction: Interval
    frenkel_eV: dict[str, float]
    ether_increase_eV: float

    @property
    def increases_eV(self) -> dict[str, float]:
        """Formation energies above that of the bare surface; the ether's is printed as such."""
        bare = self.frenkel_eV["bare"]
        return {"ether (PEO)": self.ether_increase_eV} | {
            k: v - bare for k, v in self.frenkel_eV.items() if k != "bare"
        }


@dataclass(frozen=True)
class Evidence:
    """What is printed, what was calculated, and how far each method may be off.

    Attributes
    ----------
    told : Published
    held : loading.Holdings
    errors : mapping
        Standard error of each method (eV), without the spread of the starts.
    gaps : mapping
        Preference of free lead by method and medium.
    """

    told: Published
    held: loading.Holdings
    errors: Mapping[str, float]
    gaps: Mapping[str, methods.LeadGap]

    @property
    def compared(self) -> dict[str, Mapping]:
        """Rows by method that stand beside the paper's numbers."""
        wanted = (loading.GFN2, loading.DFT, loading.OWN)
        return {m: self.held.methods[m] for m in wanted if m in self.held.methods}

    @property
    def surfaces(self) -> dict[str, dict]:
        """Formation energies of Frenkel pairs in tight binding, by surface and site."""
        return loading.frenkel_rows(self.held.methods[loading.GFN2])

    @property
    def best(self) -> str:
        """The paper's quantity for free lead in the best method at hand."""
        known = ("PBE-D3/def2-TZVP; vacuum", "PBE-D3/def2-SVP; vacuum")
        return next((m for m in known if m in self.gaps), "GFN2-xTB; vacuum")


def method_errors(held: loading.Holdings) -> dict[str, float]:
    """Standard error of each method (eV): of tight binding measured against PBE-D3."""
    reference = held.methods[loading.DFT]
    measured = {
        m: methods.method_error_eV(held.methods[m], reference)[0]
        for m in (loading.GFN1, loading.GFN2)
    }
    return measured | {loading.DFT: methods.GEOMETRY_ERROR_EV}


def judge(room, evidence: Evidence) -> None:
    """A verdict on every claim about energies, by every route."""
    held = evidence.held
    judge_arithmetic(room, evidence.told)
    calculated.judge_methods(room, held, evidence.errors)
    calculated.judge_own(room, held)
    calculated.judge_cutoffs(room, held)
    calculated.judge_lead(room, evidence.gaps, evidence.best)
    judge_affinity(room, held.constants)
    above = {k: loading.ligands_above(held.picture(k)) for k in ("GL", "EDTA")}
    known = {k: v for k, v in above.items() if v is not None}
    judge_method(room, held.citations, as_slab(held.picture("bare")), known, held.potentials)


def finding(evidence: Evidence, steps: Mapping[str, frenkel.Suppression]) -> list[str]:
    """What the numbers say, in four lines; `steps` are differences of formation energies."""
    told, lines = evidence.told, []
    singles = {
        m: [f"{n} {rows[n].energy_eV:.2f}" for n in ("GL", "EDTA") if n in rows]
        for m, rows in evidence.compared.items()
    }
    said = "; ".join(f"{m}: {', '.join(found)}" for m, found in singles.items() if found)
    printed = ", ".join(f"{n} {told.cells[n].energy_eV.middle:.2f}" for n in ("GL", "EDTA"))
    lines.append(f"one ligand on the surface, eV: printed {printed}; {said}")
    beyond = {}
    for m, rows in evidence.compared.items():
        searched = evidence.held.methods[loading.GFN2]
        found = methods.interaction(rows, "GL+EDTA", evidence.errors.get(m, 0.0), searched)
        if found:
            beyond[m] = f"{m} {found.value_eV:+.2f} ± {found.error_eV:.2f}"
    lines.append(
        f"the pair beyond its singles, eV: printed {told.interaction.middle:.2f}; "
        + "; ".join(beyond.values())
    )
    real = ", ".join(f"{k} {s.difference_eV:+.2f} eV {s.probability:.2f}" for k, s in steps.items())
    lines.append(f"probability that a rise of the formation energy is real: {real}")
    if evidence.best in evidence.gaps:
        g, every = evidence.gaps[evidence.best], [g.gap_eV for g in evidence.gaps.values()]
        lines.append(
            f"EDTA holds free lead {g.gap_eV:.2f} eV more strongly ({evidence.best}; "
            f"{min(every):.2f} to {max(every):.2f} over all), printed "
            f"{paper.claim('C175').number:.2f}"
        )
    return lines


def quantities(evidence: Evidence, steps: Mapping[str, frenkel.Suppression]) -> dict[str, tuple]:
    """Numbers to keep: (value, standard error, unit, kind) by name."""
    held, inter = evidence.held, evidence.told.interaction
    error = inter.half_width / 3  # three uniform roundings
    found = {"interaction of the E+G pair": (inter.middle, error, "eV")}
    for name, s in steps.items():
        difference = (s.difference_eV, s.difference_se_eV, "eV")
        found[f"difference of formation energies, {name}"] = difference
        found[f"probability that the difference is real, {name}"] = (s.probability,)
    for method, rows in held.methods.items():
        for row in rows.values():
            # The method's error is that of adsorption energies; of defects, dimers and variants
            # it is not known.
            own = methods.estimate(row, evidence.errors.get(method, 0.0), "").error_eV
            error = own if methods.on_slab(row.name) else None
            found[f"{row.name}, {method}"] = (row.energy_eV, error, "eV", held.kind(method))
    for name, row in held.box.items():
        found[f"in a box, {name}"] = (row.energy_eV, None, "eV", "calculated")
    for name, g in evidence.gaps.items():
        found[f"EDTA over GL on free lead, {name}"] = (g.gap_eV, g.error_eV, "eV", "calculated")
    return found


def rounded(claim_id: str, index: int = 0) -> Interval:
    """A printed number with its rounding."""
    p = paper.claim(claim_id).printed[index]
    return Interval.rounded(p.value, max(p.half_width, 0.005))


def published() -> Published:
    """What the ledger prints, and the bounds that follow."""
    cells = table_cells(
        gl=rounded("C077"),
        edta=_two_digits("C080"),
        pair=rounded("C082"),
        acid=rounded("C078"),
        amine=rounded("C079"),
    )
    formation = {
        name: paper.claim(c).number
        for name, c in (("bare", "C085"), ("GL", "C086"), ("GL+EDTA", "C087"), ("MAI", "C209"))
    }
    inter = pair_interaction_eV(
        cells["GL+EDTA"].energy_eV, cells["GL"].energy_eV, cells["EDTA"].energy_eV
    )
    return Published(cells, inter, formation, paper.claim("C212").number)


def _two_digits(claim_id: str) -> Interval:
    """A ledger value that lost its last zero (-1.60 stored as -1.6) keeps the rounding of its neighbours."""
    return Interval.rounded(paper.claim(claim_id).number, 0.005)


def judge_arithmetic(room, told: Published) -> None:
    """Claims that the paper's own numbers decide."""
    for claim_id, other in _RESTATED.items():
        room.check(
            claim_id,
            paper.claim(other).number,
            kind="recomputed",
            route="restated",
            note=f"as printed in {other}",
        )
    singles = [paper.claim("C077").number, paper.claim("C080").number]
    magnitudes = all(
        math.isclose(abs(a), b.value, abs_tol=0.005)
        for a, b in zip(singles, paper.claim("C076").printed, strict=True)
    )
    same = all(like_sign(Interval(a, a), rounded("C076", k)) for k, a in enumerate(singles))
    room.check(
        "C076",
        singles,
        kind="recomputed",
        holds=True if magnitudes and same else "partly" if magnitudes else False,
        note="same magnitudes, opposite sign: with BE = E(lig@surf) - E(lig) - E(surf) a bound ligand is negative, the legend has it positive",
    )
    room.check(
        "C080",
        paper.claim("C204").printed[0].value,
        kind="recomputed",
        route="restated",
        note="as printed in C204",
    )
    room.check(
        "C204",
        singles[::-1],
        kind="recomputed",
        route="restated",
        note="as printed in C080 and C077",
    )
    room.check(
        "C083",
        told.interaction.middle,
        told.interaction.half_width / 3,  # three uniform roundings
        kind="recomputed",
        route="restated",
        note="-4.45 + 1.85 + 1.60; two roundings of the singles and one of the pair, ±0.015 eV",
    )
    allowed = {name: told.cells[name].energy_eV for name in ("GL+GL", "EDTA+EDTA")}
    room.check(
        "C084",
        "; ".join(f"{k} {v.low:.2f} to {v.high:.2f}" for k, v in allowed.items()),
        kind="recomputed",
        holds=all(
            told.cells["GL+EDTA"].energy_eV.low <= 2 * told.cells[name].energy_eV.high
            for name in ("GL", "EDTA")
        ),
        route="bound",
        note="the inequalities leave room, so they do not contradict each other; the values stand in an image only",
    )
    total = told.cells["GL"].energy_eV + told.cells["EDTA"].energy_eV
    room.check(
        "C207",
        f"{told.cells['GL+EDTA'].energy_eV.middle:.2f} against {total.middle:.2f} eV",
        kind="recomputed",
        holds=told.cells["GL+EDTA"].energy_eV.below(total) is True,
        route="restated",
        note="shown for E+G; for the like pairs it is the text's word",
    )
    room.check(
        "C275",
        f"{told.cells['GL+EDTA'].per_molecule_eV.middle:.3f} eV",
        kind="recomputed",
        holds=math.isclose(
            2 * told.cells["GL+EDTA"].per_molecule_eV.middle, paper.claim("C082").number
        ),
        route="restated",
        note="a mean: of an unlike pair it belongs to neither molecule",
    )
    _judge_frenkel(room, told)


def _judge_frenkel(room, told: Published) -> None:
    up = told.increases_eV
    like = {name: up[name] / told.ether_increase_eV for name in ("GL", "GL+EDTA")}
    quoted = paper.claim("C087").number
    fair = math.isclose(quoted, up["GL+EDTA"], abs_tol=0.005)
    room.check(
        "C088",
        f"increases {up['GL']:.2f} (GL), {up['GL+EDTA']:.2f} (E+G) against {told.ether_increase_eV:.2f} eV",
        kind="recomputed",
        route="like with like",
        holds=False if up["GL+EDTA"] <= told.ether_increase_eV else True if fair else "partly",
        note=f"the text sets the formation energy {quoted:.2f} beside an increase of {told.ether_increase_eV:.2f}; increase against increase E+G is {like['GL+EDTA']:.1f} times, GL {like['GL']:.1f} times PEO's",
    )
    share = up["GL+EDTA"] / up["MAI"]
    room.check(
        "C213",
        f"{100 * share:.0f} % of MAI's increase, {like['GL+EDTA']:.1f} times PEO's",
        kind="recomputed",
        # The adjective is fair beside the other molecule, not beside the salt of the same paragraph.
        holds=True if share > 0.5 else "partly" if like["GL+EDTA"] > 1 else False,
        note=f"{up['GL+EDTA']:.2f} eV against {told.ether_increase_eV:.2f} for PEO, with which the text compares, and "
        f"{up['MAI']:.2f} eV for full MAI in the same paragraph; {quoted / frenkel.K_EV / 300:.0f} kT in absolute terms",
    )
    room.not_testable(
        "C209",
        f"only the adjective (C213) depends on it; it is the largest increase of the set, {up['MAI']:.2f} eV, and the main text leaves it out",
    )


def judge_method(
    room,
    citations: list[dict],
    slab,
    adsorbates: Mapping[str, np.ndarray],
    potentials: Mapping[str, str],
) -> None:
    """Claims on how the calculations were done.

    Parameters
    ----------
    slab : (symbols, positions, lateral periods) or None
    adsorbates : mapping
        Positions of ligands on it, z from the top lead.
    potentials : mapping
        By element, the valence shells of the potentials that were made here; empty without them.
    """
    for claim_id in ("C214", "C215"):
        room.not_testable(claim_id, "a name; an output file would say it")
    _judge_shells(room, potentials)
    ratio = paper.claim("C218").number / paper.claim("C217").number
    room.check(
        "C218",
        f"{ratio:.0f} times the wavefunction cutoff",
        kind="recomputed",
        holds=8 <= ratio <= 12,
        note="ultrasoft pseudopotentials want 8 to 12 times",
    )
    wrong = [c for c in citations if c["reference_is"] != c["statement_needs"]]
    named = [c["statement"] for c in wrong]
    d3 = any("D3" in n for n in named)
    room.check(
        "C219",
        "reference 58 is the PBE paper" if d3 else "reference fits",
        kind="recomputed",
        holds="partly" if d3 else True,
        note="the method is named, its source is not: DFT-D3 is Grimme et al. 2010, doi:10.1063/1.3382344",
    )
    claimed = ("DFT-D3", "Quantum ESPRESSO", "glycine")
    hit = sum(any(word in n for n in named) for word in claimed)
    room.check(
        "C220",
        f"misplaced: {', '.join(named)}",
        kind="recomputed",
        holds=True if hit == len(claimed) else "partly" if hit else False,
        note="Quantum ESPRESSO's own citation is right; glycine carries its number, dispersion that of PBE",
    )
    _judge_cell(room, slab, adsorbates)


def _judge_shells(room, potentials: Mapping[str, str]) -> None:
    """Whether the shells the paper lists make potentials at all: each was generated with just these and passed its tests."""
    listed = _shells(paper.claim("C216").statement)
    if not potentials or not listed:
        room.not_testable("C216", "pseudopotential files would settle it")
        return
    made = {element: frozenset(shells.split()) for element, shells in potentials.items()}
    same = [element for element in listed if made.get(element) == listed[element]]
    room.check(
        "C216",
        f"{len(same)} of {len(listed)} elements",
        kind="calculated",
        holds=True if len(same) == len(listed) else "partly" if same else False,
        route="potentials made here",
        note="ultrasoft potentials with exactly these shells exist, their tests beside them; which ones the paper used it does not say",
    )


def _shells(statement: str) -> dict[str, frozenset[str]]:
    """`I 5s5p, N/C 2s2p` to shells by element.

    >>> sorted(_shells("Valence shells: N/C 2s2p")["C"])
    ['2p', '2s']
    """
    found = {}
    for entry in statement.split(":")[-1].split(","):
        match = re.fullmatch(r"\s*([A-Z][A-Za-z/]*)\s+((?:\d[spdf])+)\s*", entry)
        if match:
            for element in match[1].split("/"):
                found[element] = frozenset(re.findall(r"\d[spdf]", match[2]))
    return found


def _judge_cell(room, slab, adsorbates) -> None:
    if slab is None or not adsorbates:
        for claim_id in ("C221", "C222", "C223"):
            room.not_testable(claim_id, "no slab or no adsorbed ligand in data_dir")
        return
    symbols, positions, _ = slab
    longest = max(
        float(np.linalg.norm(a[:, None] - a[None], axis=2).max()) for a in adsorbates.values()
    )
    lateral = 2 * CELL_A_ANGSTROM
    room.check(
        "C221",
        f"{lateral:.2f} angstrom against a ligand {longest:.1f} long",
        kind="calculated",
        holds=longest + 3.0 < lateral if lateral > longest else False,
        note="room for one ligand and 3 angstrom to its image; slab thickness and k-points are not stated",
    )
    height = max(float(a[:, 2].max()) for a in adsorbates.values())
    gap = paper.claim("C222").number - height
    room.check(
        "C222",
        gap,
        kind="calculated",
        # Where the 10 were counted from is not printed, so a narrow gap refutes nothing.
        holds=True if gap > 8 else "inconclusive",
        note=f"counted from the bare surface, a ligand {height:.1f} angstrom high leaves {gap:.1f} to the next slab; "
        "counted above the ligand it is wide enough; the text does not say which, an input file would",
    )
    charges = {
        "Pb": 2.0,
        "I": -1.0,
        "C": -0.35,
        "N": -0.3,
        "H": 0.275,
    }  # only the symmetry matters, not the numbers
    q = np.array([charges[s] for s in symbols])
    q = q - q.mean()
    dipole = float(q @ (positions[:, 2] - positions[:, 2].mean()))
    room.check(
        "C223",
        f"dipole {abs(dipole):.2g} e angstrom",
        kind="calculated",
        holds=abs(dipole) < 0.05,
        note="point charges on the built slab: mirrored cations cancel, whatever the charges; the in-plane positions are ideal",
    )


def as_slab(picture):
    """(symbols, positions, lateral periods) of a picture with a cell, or None."""
    if picture is None or picture.structure.cell is None:
        return None
    return (
        picture.structure.symbols,
        picture.structure.positions,
        np.diag(picture.structure.cell)[:2],
    )


def judge_affinity(room, constants: Mapping[str, dict], temperature_K: float = 298.15) -> None:
    """The vacuum difference against water."""
    gap = paper.claim("C175").number
    units = float(affinity.log_units(gap, temperature_K))
    ligand = Interval(*constants["GL"]["log_k"])
    water = Interval(*constants["EDTA"]["log_k"]) - ligand
    energy = water * (gap / units)
    room.check(
        "C175",
        energy.middle,
        energy.half_width / 1.96,
        kind="calculated",
        route="stability constants in water",
        # The sign is the same; the sizes are not of one quantity, so neither confirms the other.
        holds="inconclusive" if energy.low > 0 else False,
        note=f"same order, smaller: {water.low:.1f} to {water.high:.1f} log units ({energy.low:.2f} to {energy.high:.2f} eV) against {units:.1f} for {gap:.2f} eV; water and charges are not in the vacuum number; both constants at 0.1 mol/L, GL's brought there from 3 mol/L",
    )
