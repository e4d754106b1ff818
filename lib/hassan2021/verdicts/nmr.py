"""Verdicts on NMR lines: each first asks whether the line is there.

A fit always returns a place, in noise too. Lines are handed over only where they stand out of the
noise of their own spectrum (`peled.nmr.there`); where none is left, nothing can be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ledger import paper
from peled import nmr

UNSEEN = "no line there stands out of the noise of its spectrum"


def absent(room, *claim_ids: str, why: str = UNSEEN) -> None:
    """None of these claims can be tested."""
    for claim_id in claim_ids:
        room.not_testable(claim_id, why)


def weighted(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of (value, standard error) by weight, and its standard error."""
    values, errors = np.array(pairs, float).T
    return float(np.average(values, weights=errors**-2)), float(np.sum(errors**-2) ** -0.5)


def vinyl_place(room, vinyl: Mapping, scale_error: float, kind: str) -> None:
    """C068: shift of the double bond."""
    if not vinyl:
        return absent(room, "C068")
    place, error = weighted([(v.position_ppm, v.position_error_ppm) for v in vinyl.values()])
    error = float(np.hypot(error, scale_error))
    room.check("C068", place, error, kind=kind, route="fit, referenced to adamantane")


def chain_places(room, chain: Mapping, scale_error: float, kind: str) -> None:
    """C069: range of the chain carbons."""
    if not chain:
        return absent(room, "C069")
    lines = {n: [fit[n] for fit in chain.values()] for n in ("allyl", "chain")}
    ends = [
        weighted([(x.position_ppm, x.position_error_ppm) for x in found])[0]
        for found in lines.values()
    ]
    note = (
        "Glu and Cys beta carbons of GSH (27.0, 26.3) and methylammonium of the perovskite (30.4) "
        "lie under this band; the chain carbons next to the methyl end (32.1, 22.9) lie outside it"
    )
    route = "allylic and main chain carbons"
    room.check("C069", ends, scale_error, kind=kind, route=route, note=note)


def edta(room, limit: Mapping, kind: str) -> None:
    """C071: how much EDTA could be there unseen, per chain: needs the chains' own line."""
    if not limit:
        return absent(room, "C071", why="no spectrum of the EDTA sample in which C=C is seen")
    best = min(limit.values(), key=lambda item: item[1][0].corrected)
    seen = any(x.detected and x.area > 3 * x.area_error for x, _ in limit.values())
    rows = {
        "95 % upper limit, as measured": best[1][0].plain,
        "95 % upper limit, corrected for CP": best[1][0].corrected,
        "detection limit, corrected for CP": best[1][1].corrected,
    }
    for name, value in rows.items():
        room.quantity(f"EDTA per oleyl chain, {name}", value, unit="mol/mol", kind=kind)
    note = (
        "the paper gives no limit; with chains of density 3 per nm2 a limit of 0.01 is one EDTA "
        "per 33 nm2"
    )
    said = f"below {best[1][0].corrected:.3f} EDTA per oleyl chain (95 %)"
    room.check("C071", said, kind=kind, holds=not seen, note=note)


def oxidised(room, lines: Mapping, references: Sequence, scale_error: float, kind: str) -> None:
    """C073: the line near 38 ppm, its place and what it could be."""
    if not lines:
        return absent(room, "C073")
    value, error = weighted([(x.position_ppm, x.position_error_ppm) for x in lines.values()])
    room.check(
        "C073",
        value,
        float(np.hypot(error, scale_error)),
        kind=kind,
        route="position of the line",
    )
    best = nmr.rank(paper.claim("C073").number, 0.5, [r for r in references if r.nucleus == "13C"])
    unique = len(best) == 1 and best[0].label.startswith("GSSG")
    named = any(c.label.startswith("GSSG") for c in best)
    listing = ", ".join(f"{c.label} {c.shift_ppm:g} (z {c.z:+.1f})" for c in best)
    room.check(
        "C073",
        listing or "none within three combined errors",
        kind="recomputed",
        holds=True if unique else "inconclusive" if named else False,
        route="assignment to a disulfide",
        note="the shift alone does not tell these apart; a 13C-1H correlation or a reduced control "
        "would",
    )


def moves(trend, up: bool, z: float = 3.0) -> bool:
    """Whether a line moves up or down by more than z standard errors."""
    return (trend.shift_ppm if up else -trend.shift_ppm) > z * trend.shift_error_ppm


def broadens(trend, z: float = 3.0) -> bool:
    """Whether a line gets broader by more than z standard errors."""
    return trend.broadening_Hz > z * trend.broadening_error_Hz


def followed(trends: Mapping, sample: str, *names: str) -> list | None:
    """Trends of these lines; None where one was lost in the noise or never measured."""
    mine = trends.get(sample, {})
    found = [mine[n] for n in names if n in mine and np.isfinite(mine[n].shift_ppm)]
    return found if len(found) == len(names) else None


def titrations(room, trends: Mapping, kind: str) -> None:
    """C197, C198: which protons answer to lead."""
    note = "the paper prints directions only"
    if kind == "simulated":
        note = f"sizes are assumptions of the forward model; {note}"

    def check(claim_id: str, said: str, parts: Sequence[bool]) -> None:
        holds = True if all(parts) else "partly" if any(parts) else False
        room.check(claim_id, said, kind=kind, holds=holds, note=note)

    if both := followed(trends, "EDTA", "EDTA a", "EDTA b"):
        said = "; ".join(f"{n} {t.kind}" for n, t in zip(("EDTA a", "EDTA b"), both, strict=True))
        check("C197", said, [moves(t, True) and broadens(t) for t in both])
    else:
        absent(room, "C197")
    names = ("Cys beta 1", "Cys beta 2", "NH Cys")
    if three := followed(trends, "GL", *names):
        first, second, amide = three
        parts = [moves(first, True), moves(second, True), broadens(first), moves(amide, False)]
        said = "; ".join(f"{n} {t.shift_ppm:+.2f} ppm" for n, t in zip(names, three, strict=True))
        check("C198", said, parts)
    else:
        absent(room, "C198")


def geminal(room, found, spectra: Sequence, window_ppm: tuple[float, float], kind: str) -> None:
    """C199: whether the geminal coupling of Glu beta falls along the series."""
    if found is None or not all(nmr.matched_filter(s, window_ppm).there for s in spectra):
        return absent(room, "C199")
    value, errors = found[0], found[1]
    drop, error = value[0] - value[-1], float(np.hypot(errors[0], errors[-1]))
    room.quantity("|2J| of Glu beta, change over the series", -drop, error, "Hz", kind)
    note = (
        "read as a smaller coupling; the residue is a gamma-glutamyl, not a glutamine. A coupling "
        "that only broadens away would look alike in a printed spectrum"
    )
    said = f"|2J| {value[0]:.1f} to {value[-1]:.1f} Hz"
    room.check("C199", said, kind=kind, holds=drop > 3 * error, note=note)


def glycine(room, trends: Mapping, point_ppm: float, kind: str) -> None:
    """C200: whether the glycine alpha protons stay where they are."""
    if not (found := followed(trends, "GL", "Gly alpha")):
        return absent(room, "C200")
    t = found[0]
    room.check(
        "C200",
        round(t.shift_ppm, 4) + 0.0,
        round(t.shift_error_ppm, 4),
        kind=kind,
        holds=abs(t.shift_ppm) < max(3 * t.shift_error_ppm, point_ppm),
        route="shift over the series",
        note=f"{t.kind}; the statement's reference 57 is a paper on Quantum ESPRESSO",
    )
