"""What the kept calculations and one's own outputs say, each method a route of its own.

A second model of one family (GFN1-xTB) shows what a model can change; it is no better witness than
the first, and has no route.
"""

from __future__ import annotations

import math

from hassan2021.desk import Found, Missing
from hassan2021.energetics import Evidence, methods
from hassan2021.energetics.loading import DFT, GFN2, OWN, convergence, lowest
from hassan2021.verdicts.energetics import claims
from ledger import paper
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
FLEXIBLE = ("GL", "EDTA", "GL+EDTA")
PAIRS = ("GL+EDTA", "GL+GL", "EDTA+EDTA")
#: What the search for conformers of the two lead complexes may still miss in their difference
#: (eV): a second search, by molecular dynamics, moved the tight-binding gap from 0.17 to 0.42 eV;
#: in PBE-D3 one conformer of each was kept.
SEARCH_ERROR_EV = 0.25
#: Wave-function cutoff (Ry) that counts as converged for a kind of potentials.
AMPLE_RY = 45.0


def judge_all(room, evidence: Evidence) -> None:
    """A verdict on every claim about energies, by every route."""
    claims.judge(room, evidence)


def by_every_method(claim_id: str, what: str = "", **fixed):
    """Enter a function of evidence and method as one route a method."""

    def keep(function):
        for method in (GFN2, DFT):
            route = f"{what}{method} on the slab"
            claims(claim_id, route, method=method, **fixed)(function)
        return function

    return keep


def _of(e: Evidence, method: str, *names: str) -> list:
    """Rows of a method; `Missing` where there is none of one of them."""
    rows = e.rows(method)
    if absent := [name for name in names if name not in rows]:
        raise Missing(f"no calculation of {', '.join(absent)} in data_dir")
    return [rows[name] for name in names]


def resolved(gap: float, error: float) -> bool | str:
    """True when `gap` is negative by more than 1.96 times its standard error, False when positive
    by more, else "inconclusive".
    """
    return True if gap < -1.96 * error else False if gap > 1.96 * error else "inconclusive"


def one_pose(found: methods.Estimate, printed: float) -> tuple[bool | str, str]:
    """What one pose of a flexible molecule, or what is between two, says of a printed binding.

    A better pose binds more: so the energy is a bound from above, which refutes only what is
    printed above it. It confirms nothing, near or not, and an attraction that was not found may
    still be there.
    """
    if found.value_eV < printed and not found.agrees_with(printed):
        return False, "binds more than printed, which no better pose can mend"
    if found.value_eV > 0 and not found.agrees_with(0.0):
        return False, "of the other sign"
    if found.agrees_with(0.0):
        return "inconclusive", "cannot be told from none; a better pose would bind more"
    return "inconclusive", "the sign holds; one pose is a bound from above, a better one binds more"


# ---- one molecule --------------------------------------------------------------------------------


def binding(e: Evidence, name: str, method: str) -> Found:
    (row,) = _of(e, method, name)
    found = e.estimate(method, name)
    holds, words = (
        one_pose(found, paper.claim(ROW_CLAIMS[name]).number) if name in FLEXIBLE else (None, "")
    )
    return {
        "found": found.value_eV,
        "standard_error": found.error_eV,
        "kind": e.held.kind(method),
        "holds": holds,
        "note": (f"{words}; " if words else "")
        + f"{row.caption}; standard error of {found.made_of} eV",
    }


def own(e: Evidence, name: str) -> Found:
    """One's own table of outputs."""
    (row,) = _of(e, OWN, name)
    return {
        "found": row.energy_eV,
        "standard_error": methods.spread(row),
        "kind": e.held.kind(OWN),
        "note": "; ".join((row.caption, *row.warnings)),
    }


for _name, _claim in ROW_CLAIMS.items():
    if not _name.startswith("Frenkel"):
        by_every_method(_claim, name=_name)(binding)
    claims(_claim, OWN, name=_name)(own)


@by_every_method("C081")
def negative(e: Evidence, method: str) -> Found:
    energies = [row.energy_eV for name, row in e.rows(method).items() if methods.on_slab(name)]
    if not energies:
        raise Missing("no total energies")
    return {
        "found": f"{sum(x < 0 for x in energies)} of {len(energies)} negative",
        "kind": e.held.kind(method),
        "holds": all(x < 0 for x in energies),
        "margin": min(abs(x) for x in energies) / 0.1,  # no search of poses is better than 0.1 eV
        "note": "the equation makes a bound ligand negative; atoms balance in every row, settings "
        "are the same in each",
    }


@by_every_method(
    "C203",
    name="amide",
    others=("acetic acid", "methylamine", "thiol"),
    what_it_is="the strongest of GL's fragments",
)
@by_every_method(
    "C205",
    name="tertiary amine",
    others=("acetic acid",),
    what_it_is="stronger than COOH where nothing is in the way",
)
def order(e: Evidence, method: str, name: str, others: tuple, what_it_is: str) -> Found:
    rows = e.rows(method)
    others = tuple(k for k in others if k in rows)
    if name not in rows or not others:
        raise Missing("no calculation of these fragments in data_dir; the value stands in an image")
    strongest = min(others, key=lambda k: rows[k].energy_eV)
    mine, theirs, error = rows[name].energy_eV, rows[strongest].energy_eV, e.errors[method]
    return {
        "found": f"{name} {mine:.2f}, {strongest} {theirs:.2f} eV",
        "kind": e.held.kind(method),
        "holds": resolved(mine - theirs, error),
        "note": f"{what_it_is}; differences under {1.96 * error:.2f} eV decide nothing",
    }


@by_every_method("C204", "order, ")
def ligand_order(e: Evidence, method: str) -> Found:
    gl, edta = _of(e, method, "GL", "EDTA")
    gap = gl.energy_eV - edta.energy_eV
    # Unlike ligands, so the method errs for each.
    error = math.hypot(*(e.estimate(method, n).error_eV for n in ("GL", "EDTA")))
    return {
        "found": f"GL {gl.energy_eV:.2f}, EDTA {edta.energy_eV:.2f} eV",
        "kind": e.held.kind(method),
        "holds": resolved(gap, error),
        "note": f"order only, GL minus EDTA {gap:+.2f} ± {error:.2f} eV; a gap below 1.96 times "
        "its error decides nothing",
    }


# ---- pairs ---------------------------------------------------------------------------------------


def _beyond(e: Evidence, method: str) -> dict[str, methods.Estimate]:
    rows, error, searched = e.rows(method), e.errors[method], e.searched(method)
    found = {pair: methods.interaction(rows, pair, error, searched) for pair in PAIRS}
    if not any(found.values()):
        raise Missing("no calculation of a pair and its singles in data_dir")
    return {pair: estimate for pair, estimate in found.items() if estimate is not None}


@by_every_method("C083")
def mixed_pair(e: Evidence, method: str) -> Found:
    mixed, rows = _beyond(e, method).get("GL+EDTA"), e.rows(method)
    if mixed is None:
        raise Missing("no calculation of the mixed pair and its singles in data_dir")
    holds, words = one_pose(mixed, paper.claim("C083").number)
    split = methods.parts(rows, (1, "GL+EDTA"), (-1, "GL"), (-1, "EDTA"))
    said = [
        f"pair minus singles, {len(rows['GL+EDTA'].starts_eV)} start(s) of the pair; "
        f"{mixed.made_of} eV",
        words,
    ]
    if split:
        said.append(
            f"{mixed.value_eV:+.2f} is {split.functional_eV:+.2f} of the functional and "
            f"{split.dispersion_eV:+.2f} of dispersion"
        )
    return {
        "found": mixed.value_eV,
        "standard_error": mixed.error_eV,
        "kind": e.held.kind(method),
        "holds": holds,
        "note": "; ".join(filter(None, said)),
    }


@by_every_method("C207")
def pairs_and_sums(e: Evidence, method: str) -> Found:
    found = _beyond(e, method)
    sure = all(resolved(x.value_eV, x.error_eV) is True for x in found.values())
    return {
        "found": "; ".join(f"{pair} {x.value_eV:+.2f} eV" for pair, x in found.items()),
        "kind": e.held.kind(method),
        "holds": True if sure else "inconclusive",
        "note": "pairs minus the sum of their singles, negative is more than the sum; a pair that "
        "does not reach its singles has a pose that was not found",
    }


@by_every_method("C084")
def pair_against_pairs(e: Evidence, method: str) -> Found:
    if len(_beyond(e, method)) < len(PAIRS):
        raise Missing("no calculation of all three pairs in data_dir")
    rows, searched = e.rows(method), e.searched(method)
    total = {pair: rows[pair].energy_eV for pair in PAIRS}
    error = {pair: methods.spread(rows[pair], searched.get(pair)) for pair in PAIRS}
    behind = [
        resolved(
            total["GL+EDTA"] - total[pair],
            math.hypot(e.errors[method], error[pair], error["GL+EDTA"]),
        )
        for pair in PAIRS[1:]
    ]
    every = all(v is True for v in behind)
    return {
        "found": "; ".join(f"{pair} {value:.2f}" for pair, value in total.items()) + " eV",
        "kind": e.held.kind(method),
        "holds": False if False in behind else True if every else "inconclusive",
        "note": "E+G against each like pair; differences within errors decide nothing",
    }


# ---- Frenkel pairs -------------------------------------------------------------------------------


@claims("C085", f"{GFN2} on the slab", surface="bare")
@claims("C086", f"{GFN2} on the slab", surface="GL")
@claims("C087", f"{GFN2} on the slab", surface="GL+EDTA")
def formation(e: Evidence, surface: str) -> Found:
    """On covered surfaces the rise above the bare one is judged, site by site, mean over the sites.

    In the rise what the method misses of the bare displacement cancels. Half the range over sites
    is part of its error. What is compared is that rise on top of the bare energy as printed. One
    site, or one not relaxed, decides nothing.
    """
    bare, sites = (e.surfaces.get(name, {}) for name in ("bare", surface))
    shared = [site for site in sites if site in bare]
    if not shared:
        raise Missing("no calculation of the pair on this surface in data_dir")
    printed, base, above = paper.claim(ROW_CLAIMS[f"Frenkel {surface}"]).number, 0.0, ""
    rises = [sites[s].energy_eV for s in shared]
    if surface != "bare":
        base, above = paper.claim("C085").number, " above bare"
        rises = [rise - bare[s].energy_eV for rise, s in zip(rises, shared, strict=True)]
    value = min(rises) if surface == "bare" else sum(rises) / len(rises)
    error = math.hypot(methods.ASSUMED_ERROR_EV, (max(rises) - min(rises)) / 2)
    settled = all(sites[s].complex.geometry_converged for s in shared)
    by_site = ", ".join(f"{s} {rise:+.2f}" for s, rise in zip(shared, rises, strict=True))
    rough = error >= abs(printed - base)
    return {
        "found": base + value,
        "standard_error": error,
        "kind": e.held.kind(GFN2),
        "holds": None if len(shared) > 1 and settled else "inconclusive",
        "note": f"site by site{above}: {by_site} eV, printed {printed - base:+.2f}; "
        f"{lowest(sites).caption}; {methods.ASSUMED_ERROR_EV} eV assumed for the method"
        + (", more than the number itself: an order of magnitude" if rough else "")
        + "; only the atoms around the defect are free"
        + ("" if settled else ", not fully relaxed"),
    }


@claims("C209", f"{GFN2} on the slab, half covered")
def covered_by_salt(e: Evidence) -> Found:
    """A control: half the surface under methylammonium iodide, at the site next to it."""
    bare, half = (e.surfaces.get(name, {}) for name in ("bare", "half-MAI"))
    shared = [site for site in half if site in bare]
    if not shared:
        raise Missing("no calculation of a covered surface in data_dir")
    rise = min(half[s].energy_eV - bare[s].energy_eV for s in shared)
    printed = e.told.increases_eV["MAI"]
    return {
        "found": f"{rise:+.2f} eV above bare at half coverage",
        "kind": e.held.kind(GFN2),
        "holds": "inconclusive",
        "note": f"printed {printed:+.2f} eV at full coverage, the largest increase of the set, "
        f"which the main text leaves out; {methods.ASSUMED_ERROR_EV} eV assumed for the method; "
        "not fully relaxed; an iodide still finds a place beside the salt, and full cover was not "
        "calculated",
    }


# ---- free lead -----------------------------------------------------------------------------------


def preference(e: Evidence, claim: str, method: str) -> Found:
    """The best method decides, all others show how far it hangs on the method."""
    if not e.best:
        raise Missing("no calculation of both complexes in data_dir")
    if method != e.best:
        raise Missing(f"{e.best} is at hand")
    neutral = [n for n in e.gaps if "GL " not in n and n.endswith("vacuum")]
    vacuum, g = [e.gaps[n].gap_eV for n in neutral], e.gaps[method]
    # GFN2-xTB geometries; a difference of the lowest conformers of two searches.
    error = math.hypot(methods.GEOMETRY_ERROR_EV, g.error_eV, SEARCH_ERROR_EV)
    near = abs(g.gap_eV - paper.claim(claim).number) <= 1.96 * error
    zero, positive = abs(g.gap_eV) <= 1.96 * error, g.gap_eV > 1.96 * error
    sign = "" if near or not positive else "; the sign holds, the size does not"
    return {
        "found": g.gap_eV,
        "standard_error": error,
        "kind": "calculated",
        "holds": True if near and not zero else "inconclusive" if near or positive else False,
        "note": "E(Pb GL) - E(Pb EDTA), neutral ligands, lowest of "
        f"{g.conformers[0]} and {g.conformers[1]} conformers, ± {SEARCH_ERROR_EV} eV for the "
        f"search; other methods {min(vacuum):.2f} to {max(vacuum):.2f} eV{sign}",
    }


for _claim in ("C175", "C274"):
    for _method in methods.LEAD_METHODS:
        claims(_claim, _method, claim=_claim, method=_method)(preference)


# ---- cutoffs -------------------------------------------------------------------------------------


@claims("C217", "convergence in a box")
def cutoff(e: Evidence) -> Found:
    """The paper's cutoff by what it does to a binding energy: for each kind of potentials, against
    its own highest; a set whose own highest is below `AMPLE_RY` against the highest of any.
    """
    paper_Ry, found = paper.claim("C217").number, convergence(e.held.box)
    off = {}
    for (system, potentials), rows in found.items():
        best = max(rows, key=lambda r: r[0])
        if best[0] < AMPLE_RY:
            every = (r for (name, _), mine in found.items() if name == system for r in mine)
            best = max(every, key=lambda r: r[0])
        at = [row.energy_eV for cutoff, row in rows if abs(cutoff - paper_Ry) < 0.1]
        if at and best[0] > paper_Ry + 0.1:
            off[f"{system}, {potentials}"] = at[0] - best[1].energy_eV
    if not off:
        raise Missing(
            f"{paper_Ry * RYDBERG_EV:.0f} eV; no calculation at other cutoffs in data_dir"
        )
    small = {k for k, v in off.items() if abs(v) < 0.05}
    nearest = min(abs(abs(v) - 0.05) for v in off.values())
    return {
        "found": "; ".join(f"{k} {v:+.2f} eV" for k, v in off.items()),
        "kind": "calculated",
        "holds": True if len(small) == len(off) else "inconclusive" if small else False,
        "margin": nearest / 0.01,  # energies in a box repeat to 0.01 eV
        "note": f"binding energy on PbI2 at {paper_Ry:.0f} Ry less that at the highest cutoff; "
        f"within 0.05 eV: {', '.join(sorted(small)) or 'none'}; the paper does not name its "
        "potentials",
    }
