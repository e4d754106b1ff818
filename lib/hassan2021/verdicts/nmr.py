"""The paper's claims about NMR: one short function a route to a claim.

A fit always returns a place, in noise too. Lines are judged only where they stand out of the noise
of their own spectrum (`peled.nmr.there`); where none is left, nothing can be judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hassan2021.desk import Checks, Found, Missing, of_paper
from hassan2021.nmr import Evidence, free_share
from ledger import paper
from peled import nmr
from peled.formats.nmr import GYROMAGNETIC_MHz_T

UNSEEN = "no line there stands out of the noise of its spectrum"

claims = Checks({
    "C194": "a property of the probe; nothing printed depends on it, the acquisition file (PROBHD) "
    "would settle it",
})  # fmt: skip


def judge_all(room, evidence: Evidence) -> None:
    """A verdict on every claim of the topic."""
    claims.judge(room, evidence, own=of_paper(evidence))


@claims("C196")
def decoupling(e: Evidence) -> Found:
    pulse = 1e6 / 4 / (paper.claim("C196").number * 1e3)
    raise Missing(
        f"100 kHz is a proton quarter turn of {pulse:.1f} µs; pulse lengths are not printed, the "
        "acquisition file would settle it"
    )


def weighted(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of (value, standard error) by weight, and its standard error."""
    values, errors = np.array(pairs, float).T
    return float(np.average(values, weights=errors**-2)), float(np.sum(errors**-2) ** -0.5)


# ---- the spectrometer ----------------------------------------------------------------------------


@claims("C193", "field of a 400 MHz magnet")
def field(e: Evidence) -> Found:
    return {"found": paper.claim("C276").number / GYROMAGNETIC_MHz_T["1H"]}


@claims("C276", "proton frequency at 9.4 T")
def frequency(e: Evidence) -> Found:
    return {
        "found": paper.claim("C193").number * GYROMAGNETIC_MHz_T["1H"],
        "note": "9.4 T is 400.2 MHz; the class of a spectrometer is named to the nearest 5 MHz or "
        "more coarsely",
    }


@claims("C195", "distance of the sidebands")
def spinning(e: Evidence) -> Found:
    rates = [(v.rate_Hz, v.rate_error_Hz) for v in e.vinyl.values() if np.isfinite(v.rate_Hz)]
    if not rates:
        raise Missing("no 13C spectrum in the folder with sidebands above the noise")
    rate, error = weighted(rates)
    return {
        "found": rate / 1e3, "standard_error": error / 1e3, "kind": e.kind("13c_cpmas"),
        "note": "the sideband at 50.7 ppm lies in the alpha-carbon window used as evidence for GL",
    }  # fmt: skip


# ---- solids --------------------------------------------------------------------------------------


def _solid(e: Evidence, found: Found) -> Found:
    return {"kind": e.kind("13c_cpmas"), **found}


@claims("C068", "fit, referenced to adamantane")
def vinyl_place(e: Evidence) -> Found:
    if not e.vinyl:
        raise Missing(UNSEEN)
    place, error = weighted([(v.position_ppm, v.position_error_ppm) for v in e.vinyl.values()])
    error = float(np.hypot(error, e.scale_error_ppm))
    return _solid(e, {"found": place, "standard_error": error})


@claims("C069", "allylic and main chain carbons")
def chain_places(e: Evidence) -> Found:
    if not e.chain:
        raise Missing(UNSEEN)
    lines = {n: [fit[n] for fit in e.chain.values()] for n in ("allyl", "chain")}
    ends = [
        weighted([(x.position_ppm, x.position_error_ppm) for x in found])[0]
        for found in lines.values()
    ]
    note = (
        "Glu and Cys beta carbons of GSH (27.0, 26.3) and methylammonium of the perovskite (30.4) "
        "lie under this band; the chain carbons next to the methyl end (32.1, 22.9) lie outside it"
    )
    return _solid(e, {"found": ends, "standard_error": e.scale_error_ppm, "note": note})


@claims("C070")
def native_ligands(e: Evidence) -> Found:
    least = min(v.area / v.area_error for v in e.all_vinyl.values())
    return _solid(e, {"found": f"C=C at {least:.0f} sigma or more in all", "holds": least > 5})


@claims("C071")
def no_edta(e: Evidence) -> Found:
    best = min(e.edta.values(), key=lambda item: item[1][0].corrected)
    seen = any(x.detected and x.area > 3 * x.area_error for x, _ in e.edta.values())
    return _solid(
        e,
        {
            "found": f"below {best[1][0].corrected:.3f} EDTA per oleyl chain (95 %)",
            "holds": not seen,
            "note": "the paper gives no limit; with chains of density 3 per nm2 a limit of 0.01 is "
            "one EDTA per 33 nm2",
        },
    )


@claims("C072")
def glutathione(e: Evidence) -> Found:
    both = [n for n in ("GL", "E+G") if n in e.windows]
    if not both or "neat" not in e.windows:
        raise Missing("no line of C=C above the noise in neat and treated solids")
    sigma = {n: min(x.area / x.area_error for x in e.windows[n].values()) for n in both}
    clean = all(x.area < 3 * x.area_error for x in e.windows["neat"].values())
    return _solid(
        e,
        {
            "found": f"{min(sigma.values()):.0f} sigma in both windows beside the sideband; "
            f"neat sample empty: {clean}",
            "holds": bool(min(sigma.values()) > 5 and clean),
        },
    )


@claims("C073", "position of the line")
def oxidised_place(e: Evidence) -> Found:
    if not e.oxidised:
        raise Missing(UNSEEN)
    lines = e.oxidised.values()
    value, error = weighted([(x.position_ppm, x.position_error_ppm) for x in lines])
    error = float(np.hypot(error, e.scale_error_ppm))
    return _solid(e, {"found": value, "standard_error": error})


@claims("C073", "assignment to a disulfide")
def oxidised_assigned(e: Evidence) -> Found:
    if not e.oxidised:
        raise Missing(UNSEEN)
    carbons = [r for r in e.references if r.nucleus == "13C"]
    best = nmr.rank(paper.claim("C073").number, 0.5, carbons)
    unique = len(best) == 1 and best[0].label.startswith("GSSG")
    named = any(c.label.startswith("GSSG") for c in best)
    listing = ", ".join(f"{c.label} {c.shift_ppm:g} (z {c.z:+.1f})" for c in best)
    return {
        "found": listing or "none within three combined errors",
        "holds": True if unique else "inconclusive" if named else False,
        "note": "the shift alone does not tell these apart; a 13C-1H correlation or a reduced "
        "control would",
    }


@claims("C224")
def letters(e: Evidence) -> Found:
    # As the paper prints the two legends of Fig. 4.
    below, listed = {"13C": "a", "structures": "b"}, {"13C": "b", "structures": "a"}
    return {
        "found": "13C is 4a below the figure and in the text, 4b in the legend list",
        "holds": below == listed,
        "note": "the text cites 4a for 13C; may be an artefact of the text conversion",
    }  # fmt: skip


# ---- solutions -----------------------------------------------------------------------------------


def moves(trend, up: bool) -> bool:
    """Whether a line moves up or down by more than three standard errors."""
    return (trend.shift_ppm if up else -trend.shift_ppm) > 3.0 * trend.shift_error_ppm


def broadens(trend) -> bool:
    """Whether a line gets broader by more than three standard errors."""
    return trend.broadening_Hz > 3.0 * trend.broadening_error_Hz


def _directions(e: Evidence, said: str, parts: Sequence[bool]) -> Found:
    holds = True if all(parts) else "partly" if any(parts) else False
    return {"found": said, "holds": holds, "kind": e.kind("1h"), "note": _sizes(e)}


def _sizes(e: Evidence) -> str:
    note = "the paper prints directions only"
    simulated = e.kind("1h") == "simulated"
    return f"sizes are assumptions of the forward model; {note}" if simulated else note


@claims("C197")
def protons_of_edta(e: Evidence) -> Found:
    names = ("EDTA a", "EDTA b")
    both = e.lines("EDTA", *names)
    said = "; ".join(f"{n} {t.kind}" for n, t in zip(names, both, strict=True))
    return _directions(e, said, [moves(t, True) and broadens(t) for t in both])


@claims("C198")
def protons_of_cysteine(e: Evidence) -> Found:
    names = ("Cys beta 1", "Cys beta 2", "NH Cys")
    first, second, amide = three = e.lines("GL", *names)
    parts = [moves(first, True), moves(second, True), broadens(first), moves(amide, False)]
    said = "; ".join(f"{n} {t.shift_ppm:+.2f} ppm" for n, t in zip(names, three, strict=True))
    return _directions(e, said, parts)


@claims("C199")
def geminal(e: Evidence) -> Found:
    value, errors = e.geminal[:2]
    drop, error = value[0] - value[-1], float(np.hypot(errors[0], errors[-1]))
    return {
        "found": f"|2J| {value[0]:.1f} to {value[-1]:.1f} Hz",
        "holds": bool(drop > 3 * error), "kind": e.kind("1h"),
        "note": "read as a smaller coupling; the residue is a gamma-glutamyl, not a glutamine. A "
        "coupling that only broadens away would look alike in a printed spectrum",
    }  # fmt: skip


@claims("C200", "shift over the series")
def glycine(e: Evidence) -> Found:
    (t,) = e.lines("GL", "Gly alpha")
    spectrum = e.titration("GL")[0].spectrum
    point = spectrum.hz_per_point / spectrum.reference_MHz
    return {
        "found": round(t.shift_ppm, 4) + 0.0, "standard_error": round(t.shift_error_ppm, 4),
        "kind": e.kind("1h"), "holds": bool(abs(t.shift_ppm) < max(3 * t.shift_error_ppm, point)),
        "note": f"{t.kind}; the statement's reference 57 is a paper on Quantum ESPRESSO",
    }  # fmt: skip


def _mixture(e: Evidence) -> dict:
    if "E+G" not in e.trends:
        raise Missing("E+G: no titration in the folder")
    return e.trends["E+G"]


@claims("C074")
def both_bind(e: Evidence) -> Found:
    mixture = _mixture(e)
    binds = {
        n: any(t.kind != "unchanged" for m, t in mixture.items() if m.startswith("EDTA") == edta)
        for n, edta in (("EDTA", True), ("GL", False))
    }
    return {
        "found": f"lines answer to PbI2: {', '.join(n for n in binds if binds[n]) or 'of none'}",
        "holds": all(binds.values()),
        "kind": e.kind("1h"), "note": _sizes(e),
    }  # fmt: skip


@claims("C201")
def as_alone(e: Evidence) -> Found:
    alone = {m: t for s in ("EDTA", "GL") for m, t in e.trends.get(s, {}).items()}
    same = [
        np.sign(t.shift_ppm) == np.sign(alone[m].shift_ppm)
        or t.shift_error_ppm * 3 > abs(t.shift_ppm)
        for m, t in _mixture(e).items()
        if m in alone
    ]
    if not same:
        raise Missing("no line is followed both alone and in the mixture")
    return {
        "found": f"{sum(same)} of {len(same)} lines answer as alone", "holds": all(same),
        "kind": e.kind("1h"),
        "note": "sizes are smaller, as both ligands compete for the same lead",
    }  # fmt: skip


@claims("C270")
def vinyl_of_colloids(e: Evidence) -> Found:
    if len(e.colloid) < 2:
        raise Missing("no spectra of both colloids in the folder")
    lines = [fit[n] for fit in e.colloid.values() for n in ("free", "bound")]
    share = {n: free_share(f) for n, f in e.colloid.items()}
    middle = np.mean([end.value for end in paper.claim("C270").printed])
    outermost = max(lines, key=lambda line: abs(line.position_ppm - middle))
    return {
        "found": outermost.position_ppm, "standard_error": outermost.position_error_ppm,
        "holds": bool(share["E+G"] > share["neat"]), "kind": e.kind("1h"),
        "note": "of the sharp and broad vinyl lines the farthest from the middle of the window; "
        f"free share {share['neat']:.2f} before, {share['E+G']:.2f} after",
    }  # fmt: skip


@claims("C271")
def binding(e: Evidence) -> Found:
    if not e.binding:
        raise Missing("no titration of four steps in the folder")
    ends = [b.fit.log10_K_intervals[0] for b in e.binding.values()]
    said = "; ".join(
        f"{n}: log K {b.fit.log10_K[0]:.2f} ({b.fit.model})" for n, b in e.binding.items()
    )
    return {
        "found": said, "holds": all(high - low < 1.0 for low, high in ends), "kind": e.kind("1h"),
        "note": "the isotherm is recovered; the paper fits none and prints no concentrations",
    }  # fmt: skip


@claims("C272")
def amide_exchanges(e: Evidence) -> Found:
    if len(e.amide) < 2:
        raise Missing("no spectra of GL before and after D2O in the folder")
    left = [e.amide["DMSO + D2O"][i][0] / e.amide["DMSO"][i][0] for i in (0, 1)]
    return {
        "found": f"{max(left):.0%} of the amide protons left", "holds": max(left) < 0.2,
        "kind": e.kind("exchange"), "note": "after D2O over before, the larger of two lines; 20 % "
        "would count as there",
    }  # fmt: skip


@claims("C273")
def mixture_is_sum(e: Evidence) -> Found:
    if not e.mixing:
        raise Missing("no spectra of the ligands alone and mixed in the folder")
    most = max(e.mixing.values())
    return {
        "found": f"lines within {most * 1e3:.1f} ppb of their places alone", "holds": most < 0.01,
        "kind": e.kind("1h"),
    }  # fmt: skip
