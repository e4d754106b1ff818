"""The paper's claims about its LEDs: one short function a claim, evidence in, found value out.

A function returns the arguments of `ledger.paper.judge` (found, standard_error, holds, note, ...).
What the folder does not hold raises `Missing`: the claim is then not testable, for that reason.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from hassan2021.desk import Checks, Found, Missing, number, of_paper
from hassan2021.led import LATER_LAYERS, Evidence, printed_ageing
from hassan2021.verdicts.evidence import iodide_by_xps
from ledger import paper
from peled.led.ceiling import implied_outcoupling
from peled.led.consistency import common_band
from peled.led.current_voltage import rolloff
from peled.led.device import Run
from peled.led.lifetime import lifetime_at
from peled.led.stability import Followed

#: Full widths of the emission that are usual; the paper prints none.
WIDTHS_NM = (25.0, 45.0)
RECIPE = "a step of the recipe; no other printed number depends on it"
CONDITION = "a condition of the measurement; only the log of the run would show it"
claims = Checks({
    **dict.fromkeys(
        ("C179", "C180", "C181", "C182", "C183", "C184", "C185", "C186", "C187", "C189", ),
        RECIPE,
    ),
    "C191": "enters the 80 nm of the legend, within their rounding",
    **dict.fromkeys(("C060", "C249", "C255", "C256", "C266"), CONDITION),
    "C001": "about other groups' devices; what they published speaks",
    "C044": "needs the SEM image",
    "C049": "the table's cells are in the image only; fig3e shows the same table from files",
    "C268": "the main text has 1.5 mA cm-2 in Fig. 3f and 10 in Extended Data Fig. 8, its legend 1 "
    "and 10: three series or a slip",
})  # fmt: skip


def judge_all(room, evidence: Evidence) -> None:
    """A verdict on every claim of the room."""
    claims.judge(room, evidence, own=of_paper(evidence))


# ---- operating points: light, current and yield of the lifetime device ---------------------------


def _eqe(e: Evidence, i: int) -> Found:
    point = e.points.eqe_found[i]
    exact = 100 * (point.value / e.points.eqe[i].value - 1)
    return {
        "found": 100 * point.value,
        "standard_error": 100 * (point.high - point.low) / 12**0.5,
        "note": f"{100 * point.low:.1f} to {100 * point.high:.1f} % within the rounding of the "
        f"luminance; taken as exact it would be {exact:+.0f} %"
        + "; solved for the luminance the same relation decides"
        * (point.high > 1.3 * point.low),
    }


def _luminance(e: Evidence, i: int) -> Found:
    point = e.points.luminance_found[i]
    return {"found": point.value, "standard_error": (point.high - point.low) / 12**0.5}


for _i, (_of_eqe, _of_luminance) in enumerate(
    (("C259", "C262"), ("C260", "C263"), ("C261", "C264"))
):
    claims(_of_eqe, "from L0 and J at 620 nm, 35 nm")(partial(_eqe, i=_i))
    claims(_of_luminance, "from EQE0 and J at 620 nm, 35 nm")(partial(_luminance, i=_i))


@claims("C066")
def unit_of_the_drive(e: Evidence) -> Found:
    return {
        "found": [1e4 * p.value for p in e.points.drive_found],
        "note": "found in mA m-2: L0 and EQE0 need "
        f"{', '.join(f'{p.value:.3g}' for p in e.points.drive_found)} mA cm-2; "
        "in mA per m2, what is printed less its missing letters, L0 and EQE0 need 1e4 "
        "times as much; mA cm-2 is meant, as the legend has it, and is right within the rounding "
        "of L0; the letters may be lost in the conversion of the text",
    }


@claims("C003", "common band of L0, J, EQE0")
def wavelength_of_the_points(e: Evidence) -> Found:
    p, band = e.points, e.points.rounded
    ends = [common_band(p.luminance, p.drive, p.eqe, fwhm_nm=w).low_nm for w in WIDTHS_NM]
    return {
        "found": (band.low_nm + band.high_nm) / 2,
        "standard_error": math.hypot(band.high_nm - band.low_nm, ends[1] - ends[0]) / 12**0.5,
        "holds": band.possible,
        "note": "the only centre that serves all three points within rounding, for a line of "
        f"{WIDTHS_NM[0]:g} to {WIDTHS_NM[1]:g} nm, whose width is not printed; yields are usually "
        "made of luminance, current and spectrum, so this reads the wavelength back",
    }


@claims("C004", "abstract against main text")
def champion_of_the_abstract(e: Evidence) -> Found:
    return {"found": number("C056"), "note": "the same number in the main text"}


@claims("C265")
def roll_off(e: Evidence) -> Found:
    found = rolloff(e.points.drive, [s.value for s in e.points.eqe])
    misfits = ", ".join(f"{f.name} {100 * f.largest:.0f} %" for f in found.fits)
    return {
        "found": "slopes " + ", ".join(f"{s:.2f}" for s in found.local_slopes),
        "holds": bool((found.local_slopes < 0).all()),
        "note": f"d ln EQE / d ln J between the drives; largest misfit of each law: {misfits}; "
        f"{found.why}",
    }


@claims("C269")
def last_slope(e: Evidence) -> Found:
    slopes = rolloff(e.points.drive, [s.value for s in e.points.eqe]).local_slopes
    return {
        "found": ", ".join(f"{s:.2f}" for s in slopes),
        "holds": bool(slopes[1] < slopes[0] and slopes[1] < -1 / 3),
        "note": "the last decade is steeper than the -1/3 of free-carrier Auger",
    }


@claims("C067")
def ageing_law(e: Evidence) -> Found:
    law = printed_ageing()
    low, high = law.exponents
    routes = [t for name, t in lifetime_at(100.0, law).items() if name != "n = 1.5"]
    return {
        "found": f"{low:.2f}, {high:.2f}",
        "holds": bool(high > low and not law.single_law),
        "margin": law.largest_difference_sigma,
        "note": f"differ by {law.largest_difference_sigma:.0f} standard errors from rounding; T50 "
        f"at 100 cd m-2 is "
        f"{min(routes):.0f} to {max(routes):.0f} min by the route taken",
    }


# ---- the champion and its ceiling ----------------------------------------------------------------


@claims("C089")
def above_twenty(e: Evidence) -> Found:
    champion = number("C056")
    return {"found": champion, "note": f"{champion:g} is above 20"}


@claims("C059")
def share_of_the_limit(e: Evidence) -> Found:
    limit = number("C058")
    implied = implied_outcoupling(limit / 100, e.internal_yield)
    return {
        "found": number("C056") / limit,
        "note": f"the implied outcoupling is {100 * implied:.1f} %, printed nowhere",
    }


def _ceiling(e: Evidence) -> tuple[float, float, float]:
    return tuple(100 * x for x in e.ceiling.eqe(e.internal_yield))


@claims("C056", "optical ceiling")
def champion_below_the_ceiling(e: Evidence) -> Found:
    top, low, high = _ceiling(e)
    return {
        "found": top,
        "standard_error": (high - low) / 4,
        "kind": "calculated",
        "limit": "upper",
        "note": f"possible: below the ceiling of {top:.0f} % ({low:.0f} to {high:.0f} %) without "
        f"recycling at an internal yield of {e.internal_yield:g}, which so near the printed number "
        "could hardly have excluded it",
    }


@claims("C058", "optical ceiling")
@claims("C152", "optical ceiling")
def limit_of_the_stack(e: Evidence) -> Found:
    top, low, high = _ceiling(e)
    needed = implied_outcoupling(number("C058") / 100, e.internal_yield)
    return {
        "found": top,
        "standard_error": (high - low) / 4,
        "kind": "calculated",
        "holds": "inconclusive",
        "note": f"{low:.0f} to {high:.0f} % for the stated stack without recycling, which the text "
        "counts in; it adds what parasitic losses allow, and those are printed nowhere; taken as "
        f"internal yield times outcoupling {number('C058'):g} % needs {100 * needed:.1f} %",
    }


# ---- numbers and text against themselves ---------------------------------------------------------


@claims("C045")
def emitter_of_the_legend(e: Evidence) -> Found:
    return {
        "found": number("C177"),
        "note": "legend of Fig. 3 against Methods: 20 or 30 nm; 1.7 or 2.5 edges of a 12 nm "
        "nanocrystal",
    }


@claims("C177")
def emitter_of_methods(e: Evidence) -> Found:
    note = "the same conflict seen from Methods, read as 25 to 35 nm"
    return {"found": number("C045"), "note": note}


@claims("C046")
def transport_layer_of_the_legend(e: Evidence) -> Found:
    return {"found": number("C190"), "note": "legend and Methods agree"}


@claims("C190")
def transport_layer_of_methods(e: Evidence) -> Found:
    return {"found": number("C046"), "note": "legend and Methods agree"}


@claims("C047")
def cathode_of_the_legend(e: Evidence) -> Found:
    return {"found": number("C191") + number("C192"), "note": "1 nm LiF and 80 nm Al"}


@claims("C192")
def cathode_of_methods(e: Evidence) -> Found:
    note = "80 nm for LiF/Al together less 1 nm of LiF"
    return {"found": number("C047") - number("C191"), "note": note}


@claims("C048")
def drive_of_the_series(e: Evidence) -> Found:
    # As the legend of Fig. 3 prints it, which is no claim of its own.
    return {"found": 1.5, "note": "1.5 mA cm-2 as printed in the legend of Fig. 3"}


@claims("C188")
def name_of_the_emitter(e: Evidence) -> Found:
    return {
        "found": f"x_I = 0.67 by name, {number('C225'):g} by XPS",
        "holds": abs(2 / 3 - number("C225")) < 0.05,
        "note": "MAPbI2Br is the precursor ratio; the paper's own XPS has MAPb(I0.4Br0.6)3, and "
        f"{iodide_by_xps('I 3d5/2'):.2f} if the mean free path was left out of it (C225): neither "
        "is 2/3; to name a product by its precursors is usual",
    }


@claims("C267")
def undescribed_panels(e: Evidence) -> Found:
    found = [
        name
        for name, panel in paper.panels().items()
        if name.startswith("ed8") and panel.plotted.startswith("not described")
    ]
    letters = ", ".join(name[-1] for name in found)
    return {
        "found": f"no word of {letters}", "holds": not found,
        "note": "the letters go from d to h; whether those between are panels was not seen; may be "
        "an artefact of the text conversion",
    }  # fmt: skip


@claims("C054")
def call_out(e: Evidence) -> Found:
    shown = paper.panels()["fig3b"].plotted
    return {
        "found": f"3b is {shown}",
        "holds": "SEM" in shown,
        "note": "both are in 3a, and 3b shows the levels",
    }


@claims("C176")
def two_stacks(e: Evidence) -> Found:
    return {
        "found": paper.claim("C176").value or "the layers of Methods, in the legend of Fig. 3",
        "holds": True,
        "note": "the legend names the layers of Methods; that of Extended Data Fig. 7 has its own, "
        f"without {', '.join(LATER_LAYERS)}: an earlier stack, whose numbers must not be mixed",
    }


@claims("C178")
def misspelt(e: Evidence) -> Found:
    note = "a slip of the manuscript's text; nothing depends on it"
    return {"found": "TBPI for TPBi in Methods", "holds": False, "note": note}


# ---- what follows from the files: devices --------------------------------------------------------


@claims("C004", "peak of the sweep")
@claims("C056", "peak of the sweep")
def peak_of_the_sweep(e: Evidence) -> Found:
    q = e.quantity("fig3_EG", "peak EQE")
    note = "from L, J and the spectrum at each current"
    return {"found": q.value, "standard_error": q.standard_error, "kind": q.kind, "note": note}


@claims("C057")
def current_at_the_peak(e: Evidence) -> Found:
    q = e.quantity("fig3_EG", "J at peak EQE")
    return {"found": q.value, "standard_error": q.standard_error, "kind": q.kind}


@claims("C055")
def treated_against_neat(e: Evidence) -> Found:
    treated, neat = e.quantity("fig3_EG", "peak EQE"), e.quantity("fig3_neat", "peak EQE")
    from_V = max(e.quantity(s, "turn-on voltage").value for s in ("fig3_EG", "fig3_neat"))
    ratio = current_ratio(e.run("fig3_EG"), e.run("fig3_neat"), from_V)
    gain = treated.value / neat.value
    return {
        "found": f"J ratio {ratio:.1f}, EQE ratio {gain:.1f}",
        "holds": bool(ratio > 1 and gain > 1),
        "kind": treated.kind,
    }


def current_ratio(first: Run, second: Run, from_V: float) -> float:
    """Mean ratio (geometric) of the current densities of two devices at equal voltage, above "
    "`from_V`."""
    v = first.sweep.voltage_V
    v = v[(v >= from_V) & (v <= second.sweep.voltage_V.max())]
    if v.size < 2:
        raise Missing(f"no common voltages above {from_V:g} V")
    logs = [
        np.interp(v, s.voltage_V, np.log(np.clip(s.current_density_mA_cm2, 1e-12, None)))
        for s in (first.sweep, second.sweep)
    ]
    return float(np.exp(np.mean(logs[0] - logs[1])))


@claims("C258")
def devices_of_the_histogram(e: Evidence) -> Found:
    return {"found": len(e.batch), "kind": e.batch[0].kind}


# ---- what follows from the files: colour ---------------------------------------------------------


def _moved(followed: Followed) -> float:
    """Largest move of the centroid (nm): it counts shift, broadening to one side and shoulder "
    "alike."""
    return float(np.max(np.abs(followed.centroid_nm - followed.centroid_nm[0])))


@claims("C003", "peak of the EL series")
def wavelength_of_the_series(e: Evidence) -> Found:
    f = e.followed("fig3_EG", "drive")
    kind = e.series("fig3_EG", "drive").kind
    return {"found": f.peak_nm[0], "standard_error": f.peak_error[0], "kind": kind}


@claims("C061", "second band of the series")
def shoulder_of_the_neat_device(e: Evidence) -> Found:
    f, kind = e.followed("fig3_neat", "drive"), e.series("fig3_neat", "drive").kind
    if not f.grows:
        return {"found": "no shoulder", "holds": False, "kind": kind}
    return {"found": f.shoulder_nm, "standard_error": f.shoulder_error, "kind": kind}


@claims("C062")
def treated_device_stays(e: Evidence) -> Found:
    treated, neat = e.followed("fig3_EG", "drive"), e.followed("fig3_neat", "drive")
    move, error = treated.change("peak_nm")
    return {
        "found": float(treated.peak_nm[-1]),
        "standard_error": float(treated.peak_error[-1]),
        "kind": e.series("fig3_EG", "drive").kind,
        "note": f"moves by {move:+.1f} ± {error:.1f} nm in 20 min; neat "
        f"{neat.change('peak_nm')[0]:+.1f} nm",
    }


@claims("C050")
def ligands_suppress_segregation(e: Evidence) -> Found:
    samples = ("fig3_neat", "ed5_EDTA", "ed5_GL")
    neat, edta, gl = (e.followed(s, "drive") for s in samples)
    wider = [f.change("fwhm_nm")[0] for f in (neat, edta, gl)]
    suppressed = max(edta.growth[-1], gl.growth[-1]) < 0.3 * neat.growth[-1]
    return {
        "found": "FWHM " + ", ".join(f"{w:+.1f}" for w in wider) + " nm (neat, EDTA, GL)",
        "holds": bool(suppressed and wider[1] > 3 * wider[2]),
        "kind": e.series("ed5_EDTA", "drive").kind,
    }


@claims("C051")
def most_stable_least_efficient(e: Evidence) -> Found:
    named = {"EDTA": "ed5_EDTA", "GL": "ed5_GL", "E+G": "ed5_EG"}
    moved = {name: _moved(e.followed(sample, "drive")) for name, sample in named.items()}
    swept = {"GL": "ed5_GL", "EDTA": "ed5_EDTA", "E+G": "fig3_EG"}
    eqe = {name: e.quantity(sample, "peak EQE").value for name, sample in swept.items()}
    order = " < ".join(f"{n} ({x:.3g})" for n, x in sorted(moved.items(), key=lambda i: i[1]))
    return {
        "found": f"{order} nm; EQE " + ", ".join(f"{n} {q:.0f} %" for n, q in eqe.items()),
        "holds": min(moved, key=moved.get) == "GL" and min(eqe, key=eqe.get) == "GL",
        "kind": e.series("ed5_GL", "drive").kind,
    }


@claims("C052")
def second_treatment(e: Evidence) -> Found:
    named = {"EDTA": "ed5_EDTA", "GL": "ed5_GL", "E+G": "ed5_EG"}
    moved, after = (
        {name: _moved(e.followed(sample, state)) for name, sample in named.items()}
        for state in ("drive", "drive ADAC")
    )
    freed = [after[name] for name in ("EDTA", "E+G")]
    grown = min(after[name] / moved[name] for name in ("EDTA", "E+G"))
    both = [f"{n} {moved[n]:.1f}; {n} + ADAC {after[n]:.1f}" for n in named]
    return {
        "found": "; ".join(both) + " nm",
        "holds": bool(grown > 3 and after["GL"] < 0.3 * min(freed)),
        "kind": e.series("ed5_GL", "drive ADAC").kind,
    }


@claims("C257")
def recovery(e: Evidence) -> Found:
    r, folds = e.rest("ed7_OA"), math.log(20)
    return {
        "found": folds * r.time_constant.value,
        "standard_error": folds * r.time_constant.standard_error,
        "limit": "lower", "holds": r.determined, "kind": e.series("ed7_OA", "rest").kind,
        "note": "hours until a twentieth of the shift is left, time constant "
        f"{r.time_constant.value:.1f} h; after 6 h {100 * r.remaining.value:.1f} % are left",
    }  # fmt: skip


# ---- what follows from the files: lifetime -------------------------------------------------------


def _half_life(e: Evidence, drive: str) -> Found:
    q = e.quantity("ed8_EG", "T50", drive)
    if q.relation == ">":
        raise Missing(f"T50 at {drive}: the run ended before")
    return {"found": q.value, "standard_error": q.standard_error, "kind": q.kind}


for _id, _drive in (("C063", "0.1 mA/cm2"), ("C064", "1 mA/cm2"), ("C065", "10 mA/cm2")):
    claims(_id, "crossing of L0/2")(partial(_half_life, drive=_drive))
