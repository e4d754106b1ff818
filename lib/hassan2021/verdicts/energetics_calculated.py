"""Verdicts that the kept calculations and one's own outputs give, each method a route of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ledger import paper
from peled.energetics import methods
from peled.energetics.loading import (
    DFT,
    GFN1,
    GFN2,
    OWN,
    Holdings,
    convergence,
    frenkel_rows,
    lowest,
)
from peled.energetics.outputs import EnergyRow
from peled.formats.atomistic.calculation import RYDBERG_EV

#: Systems whose energies the paper prints, by their names in a table of outputs.
ROW_CLAIMS = {
    "GL": "C077",
    "EDTA": "C080",
    "acetic acid": "C078",
    "methylamine": "C079",
    "GL+EDTA": "C082",
    "Frenkel bare": "C085",
    "Frenkel GL": "C086",
    "Frenkel GL+EDTA": "C087",
}


#: What the search for conformers of the two lead complexes may still miss in their difference (eV): a second search, by
#: molecular dynamics, moved the tight-binding gap from 0.17 to 0.42 eV; in PBE-D3 one conformer of each was kept.
SEARCH_ERROR_EV = 0.25
#: Wave-function cutoff (Ry) that counts as converged for a kind of potentials.
AMPLE_RY = 45.0


def judge_methods(room, held: Holdings, errors: Mapping[str, float]) -> None:
    """The kept calculations: sizes, signs and orders, each method a route of its own.

    Parameters
    ----------
    errors : mapping
        Standard error of each method (eV), without the spread of the starts.
    """
    for method, error in errors.items():
        if method == GFN1:
            continue  # a second model of the same family shows what a model can change; it is no better witness than the first
        rows, route, kind = held.methods.get(method, {}), _route(method), held.kind(method)
        # Single points in geometries of another search carry that search's error.
        searched = held.methods.get(GFN2, {}) if method == DFT else {}
        what = "method" if method != DFT else "geometry"
        for name in ROW_CLAIMS:
            if name in rows and not name.startswith("Frenkel"):
                _judge_energy(
                    room,
                    name,
                    methods.estimate(rows[name], error, what, searched.get(name)),
                    rows[name],
                    route,
                    kind,
                )
        surface = [row for name, row in rows.items() if methods.on_slab(name)]
        if surface:
            room.check(
                "C081",
                f"{sum(r.energy_eV < 0 for r in surface)} of {len(surface)} negative",
                kind=kind,
                holds=all(r.energy_eV < 0 for r in surface),
                route=route,
                note="the equation makes a bound ligand negative; atoms balance in every row, settings are the same in each",
            )
        else:
            room.not_testable("C081", "no total energies")
        _order(
            room,
            "C203",
            rows,
            "amide",
            ("acetic acid", "methylamine", "thiol"),
            error,
            "the strongest of GL's fragments",
            route,
            kind,
        )
        _order(
            room,
            "C205",
            rows,
            "tertiary amine",
            ("acetic acid",),
            error,
            "stronger than COOH where nothing is in the way",
            route,
            kind,
        )
        if {"GL", "EDTA"} <= set(rows):
            gap = rows["GL"].energy_eV - rows["EDTA"].energy_eV
            found = [
                methods.estimate(rows[n], error, what, searched.get(n)).error_eV
                for n in ("GL", "EDTA")
            ]  # unlike ligands, so the method errs for each
            room.check(
                "C204",
                f"GL {rows['GL'].energy_eV:.2f}, EDTA {rows['EDTA'].energy_eV:.2f} eV",
                kind=kind,
                route=f"order, {route}",
                holds=_resolved(gap, math.hypot(*found)),
                note=f"order only, GL minus EDTA {gap:+.2f} ± {math.hypot(*found):.2f} eV; a gap below 1.96 times its error decides nothing",
            )
        _judge_pairs(room, rows, error, route, kind, searched)
    if GFN2 in held.methods:
        _judge_calculated_frenkel(room, held.methods[GFN2], held.kind(GFN2))


def _route(method: str) -> str:
    return f"{method} on the slab" if method != OWN else "own outputs"


def _one_pose(found: methods.Estimate, printed: float) -> tuple[bool | str, str]:
    """What one pose of a flexible molecule, or what is between two, says of a printed binding.

    A better pose binds more: so the energy is a bound from above, which refutes only what is printed above it. It
    confirms nothing, near or not, and an attraction that was not found may still be there.
    """
    if found.value_eV < printed and not found.agrees_with(printed):
        return False, "binds more than printed, which no better pose can mend"
    if found.value_eV > 0 and not found.agrees_with(0.0):
        return False, "of the other sign"
    if found.agrees_with(0.0):
        return "inconclusive", "cannot be told from none; a better pose would bind more"
    return "inconclusive", "the sign holds; one pose is a bound from above, a better one binds more"


def _judge_energy(
    room, name: str, found: methods.Estimate, row: EnergyRow, route: str, kind: str
) -> None:
    flexible = name in ("GL", "EDTA", "GL+EDTA")
    printed = paper.claim(ROW_CLAIMS[name]).number
    holds, words = _one_pose(found, printed) if flexible else (None, "")
    room.check(
        ROW_CLAIMS[name],
        found.value_eV,
        found.error_eV,
        kind=kind,
        route=route,
        holds=holds,
        note=(f"{words}; " if words else "")
        + f"{row.caption}; standard error of {found.made_of} eV",
    )


def _judge_pairs(
    room,
    rows: Mapping[str, EnergyRow],
    error: float,
    route: str,
    kind: str,
    searched: Mapping[str, EnergyRow],
) -> None:
    found = {
        pair: methods.interaction(rows, pair, error, searched)
        for pair in ("GL+EDTA", "GL+GL", "EDTA+EDTA")
    }
    found = {pair: e for pair, e in found.items() if e is not None}
    mixed = found.get("GL+EDTA")
    if mixed is not None:
        holds, words = _one_pose(mixed, paper.claim("C083").number)
        split = methods.parts(rows, (1, "GL+EDTA"), (-1, "GL"), (-1, "EDTA"))
        room.check(
            "C083",
            mixed.value_eV,
            mixed.error_eV,
            kind=kind,
            route=route,
            holds=holds,
            note=f"pair minus singles, {len(rows['GL+EDTA'].starts_eV)} start(s) of the pair; {mixed.made_of} eV"
            + (f"; {words}" if words else "")
            + (
                f"; {split.functional_eV:+.2f} of it by the functional, {split.dispersion_eV:+.2f} by dispersion"
                if split
                else ""
            ),
        )
    if found:
        surplus = {pair: _resolved(e.value_eV, e.error_eV) for pair, e in found.items()}
        room.check(
            "C207",
            "; ".join(f"{pair} {e.value_eV:+.2f} eV" for pair, e in found.items()),
            kind=kind,
            route=route,
            holds=True if all(v is True for v in surplus.values()) else "inconclusive",
            note="pairs minus the sum of their singles, negative is more than the sum; a pair that does not reach its singles has a pose that was not found",
        )
    if len(found) == 3:
        totals = {pair: rows[pair].energy_eV for pair in found}
        error_of = {pair: methods.spread(rows[pair], searched.get(pair)) for pair in found}
        behind = [
            _resolved(
                totals["GL+EDTA"] - totals[p], math.hypot(error, error_of[p], error_of["GL+EDTA"])
            )
            for p in ("GL+GL", "EDTA+EDTA")
        ]
        room.check(
            "C084",
            "; ".join(f"{pair} {value:.2f}" for pair, value in totals.items()) + " eV",
            kind=kind,
            route=route,
            holds=False
            if False in behind
            else True
            if all(v is True for v in behind)
            else "inconclusive",
            note="E+G against each like pair; differences within errors decide nothing",
        )


def _judge_calculated_frenkel(room, rows: Mapping[str, EnergyRow], kind: str) -> None:
    """Formation energies. On covered surfaces the rise above the bare one is judged, site by site, mean over the sites.

    In the rise what the method misses of the bare displacement cancels. Half the range over sites is part of its error.
    What is compared is that rise on top of the bare energy as printed. One site, or one not relaxed, decides nothing.
    """
    surfaces = frenkel_rows(rows)
    bare = surfaces.get("bare", {})
    for name, claim_id in (("bare", "C085"), ("GL", "C086"), ("GL+EDTA", "C087")):
        sites = surfaces.get(name, {})
        shared = [site for site in sites if site in bare]
        if not shared:
            continue
        base = 0.0 if name == "bare" else paper.claim("C085").number
        printed = paper.claim(claim_id).number - base
        rises = [
            sites[s].energy_eV - (0.0 if name == "bare" else bare[s].energy_eV) for s in shared
        ]
        value = min(rises) if name == "bare" else sum(rises) / len(rises)
        error = math.hypot(methods.ASSUMED_ERROR_EV, (max(rises) - min(rises)) / 2)
        settled = all(sites[s].complex.geometry_converged for s in shared)
        sure = len(shared) > 1 and settled
        above = "" if name == "bare" else " above bare"
        by_site = ", ".join(f"{s} {rise:+.2f}" for s, rise in zip(shared, rises, strict=True))
        row = lowest(sites)
        room.check(
            claim_id,
            base + value,
            error,
            kind=kind,
            route=_route(GFN2),
            holds=None if sure else "inconclusive",
            note=f"site by site{above}: {by_site} eV, printed {printed:+.2f}; {row.caption}; "
            f"{methods.ASSUMED_ERROR_EV} eV assumed for the method"
            + (
                ", more than the number itself: an order of magnitude"
                if error >= abs(printed)
                else ""
            )
            + "; only the atoms around the defect are free"
            + ("" if settled else ", not fully relaxed"),
        )


def judge_lead(room, gaps: Mapping[str, methods.LeadGap], best: str) -> None:
    """Preference of free lead: the best method decides, all others show how far it hangs on the method.

    Parameters
    ----------
    gaps : mapping
        By method and medium.
    best : str
        Which of them is the paper's quantity in the best method at hand (neutral ligands, vacuum).
    """
    for claim_id in ("C175", "C274"):
        if best not in gaps:
            room.not_testable(claim_id, "no calculation of both complexes in data_dir")
            continue
        vacuum = [
            g.gap_eV for name, g in gaps.items() if "GL " not in name and name.endswith("vacuum")
        ]
        g = gaps[best]
        # GFN2-xTB geometries; a difference of the lowest conformers of two searches.
        error = math.hypot(methods.GEOMETRY_ERROR_EV, g.error_eV, SEARCH_ERROR_EV)
        near, zero = (
            abs(g.gap_eV - value) <= 1.96 * error for value in (paper.claim(claim_id).number, 0.0)
        )
        room.check(
            claim_id,
            g.gap_eV,
            error,
            kind="calculated",
            route=best,
            holds="inconclusive"
            if near and zero
            else True
            if near
            else "inconclusive"
            if g.gap_eV > 1.96 * error
            else False,
            note=f"E(Pb GL) - E(Pb EDTA), neutral ligands, lowest of {g.conformers[0]} and {g.conformers[1]} conformers, ± {SEARCH_ERROR_EV} eV for the search; other methods {min(vacuum):.2f} to {max(vacuum):.2f} eV"
            + (
                ""
                if near
                else "; the sign holds, the size does not"
                if g.gap_eV > 1.96 * error
                else ""
            ),
        )


def _resolved(gap: float, error: float) -> bool | str:
    """True when `gap` is negative by more than 1.96 times its standard error, False when positive by more, else "inconclusive"."""
    return True if gap < -1.96 * error else False if gap > 1.96 * error else "inconclusive"


def _order(
    room,
    claim_id: str,
    found,
    name: str,
    others: tuple[str, ...],
    error: float,
    what: str,
    route: str,
    kind: str,
) -> None:
    others = tuple(k for k in others if k in found)
    if name not in found or not others:
        if route == _route(GFN2):
            room.not_testable(
                claim_id,
                "no calculation of these fragments in data_dir; the value stands in an image",
            )
        return
    strongest = min(others, key=lambda k: found[k].energy_eV)
    room.check(
        claim_id,
        f"{name} {found[name].energy_eV:.2f}, {strongest} {found[strongest].energy_eV:.2f} eV",
        kind=kind,
        holds=_resolved(found[name].energy_eV - found[strongest].energy_eV, error),
        route=route,
        note=f"{what}; differences under {1.96 * error:.2f} eV decide nothing",
    )


def judge_own(room, held: Holdings) -> None:
    """One's own table of outputs: every row that the paper prints."""
    for name, claim_id in ROW_CLAIMS.items():
        row = held.methods.get(OWN, {}).get(name)
        if row is not None:
            room.check(
                claim_id,
                row.energy_eV,
                methods.spread(row),
                kind=held.kind(OWN),
                route=_route(OWN),
                note=f"{row.caption}" + ("; " + "; ".join(row.warnings) if row.warnings else ""),
            )


def judge_cutoffs(room, held: Holdings) -> None:
    """The paper's cutoffs by what they do to a binding energy: for each kind of potentials, 25 Ry against its own highest cutoff.

    A set whose own highest cutoff is below `AMPLE_RY` is held against the highest of any.
    """
    found = convergence(held.box)
    paper_Ry = paper.claim("C217").number
    off = {}
    for (system, potentials), rows in found.items():
        own = max(rows, key=lambda r: r[0])
        best = (
            own
            if own[0] >= AMPLE_RY
            else max(
                (r for (name, _), rows_of in found.items() if name == system for r in rows_of),
                key=lambda r: r[0],
            )
        )
        at = [row.energy_eV for cutoff, row in rows if abs(cutoff - paper_Ry) < 0.1]
        if at and best[0] > paper_Ry + 0.1:
            off[f"{system}, {potentials}"] = at[0] - best[1].energy_eV
    if not off:
        room.not_testable(
            "C217", f"{paper_Ry * RYDBERG_EV:.0f} eV; no calculation at other cutoffs in data_dir"
        )
        return
    small = {k for k, v in off.items() if abs(v) < 0.05}
    room.check(
        "C217",
        "; ".join(f"{k} {v:+.2f} eV" for k, v in off.items()),
        kind="calculated",
        route="convergence in a box",
        holds=True if len(small) == len(off) else "inconclusive" if small else False,
        note=f"binding energy on PbI2 at {paper_Ry:.0f} Ry less that at the highest cutoff; within 0.05 eV: {', '.join(sorted(small)) or 'none'}; the paper does not name its potentials",
    )
