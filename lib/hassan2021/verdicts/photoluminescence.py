"""The paper's claims about its emission: one short function a route to a claim.

Printed numbers come from the ledger; what stands in files, from the report on the sheet's folder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from hassan2021.desk import Checks, Found, Missing, number, of_paper
from hassan2021.photoluminescence import (
    BARE,
    EMISSION_NM,
    NEAT,
    PLACES,
    TFB,
    TPBI,
    TPD,
    TREATED,
    Evidence,
    Film,
)
from hassan2021.verdicts import evidence as shared
from ledger import paper
from peled.materials import GAP_ERROR_EV, HC_EV_NM, bulk_wavelength_nm
from peled.photoluminescence import confocal, recycling, shift_budget

#: Optical gaps of the transport layers in eV, onset of absorption: common values of suppliers' data
#: sheets.
LAYER_GAPS_EV = {"poly-TPD": 3.0, "TFB": 2.9, "TPBi": 3.5}
#: Standard error of the internal yield that rays in a slide give: traced at a density of 0.015 to
#: 0.025 (0.868 to 0.881) and in glass of 1.50 to 1.52 (0.874 to 0.871).
SLIDE_ERROR = 0.004
#: Of the escape from a slide, likewise: 0.355 to 0.316 by the density, 0.336 to 0.346 by the glass.
SLIDE_ESCAPE_ERROR = 0.013

OUTCOUPLING = (
    "needs the outcoupling of reference 53, which is not printed; it would have to be {:.3f}; the "
    "limit is the same number as the film's escape probability, 32.4 %: coincidence or mix-up"
)
claims = Checks({
    "C002": "about other groups' crystals; their files would settle it",
    "C150": "index of another paper's OLED layer; 1.82 of the crystals rounds to it, which is the "
    "reason for the analogy",
    "C155": "size of the slide; it enters only the share of light that leaves by its edges",
    "C157": "inputs of the escape formulas; 1.5 is a usual glass, the index table of soda-lime "
    "glass has 1.52 at 620 nm",
    "C160": "assumed in the paper, not measured; the raw absorptance of the film at 620 nm would "
    "settle it",
    "C248": "laser type and wavelength: a condition; the metadata of the raw images would settle "
    "it",
})  # fmt: skip


def judge_all(room, e: Evidence) -> None:
    """A verdict on every claim of the topic, and on what no topic owns."""
    shared.judge_all(room)
    claims.judge(room, e, own=of_paper(e))


def _untested(claim_id: str):
    """Enter a function that says why nothing here tests a claim."""

    def keep(reason: Callable[[Evidence], str]):
        def find(e: Evidence) -> Found:
            raise Missing(reason(e))

        return claims(claim_id)(find)

    return keep


# ---- conditions, of which something follows ------------------------------------------------------


@_untested("C005")
def window_of_displays(e: Evidence) -> str:
    try:
        low, high = (
            f"{shift_budget.bromide_for_wavelength(p.value):.2f}"
            for p in paper.claim("C005").printed
        )
    except ValueError:  # no alloy of the series emits there
        low = high = "impossible"
    return (
        "what displays ask for is not measured here; by Noh's relation the window is "
        f"x_Br = {low} to {high}, and the films at 625, 630 and 635 nm lie inside it, the solution "
        "at 642 nm and the neat film at 649 nm outside"
    )


@_untested("C250")
def blue_laser(e: Evidence) -> str:
    gaps = LAYER_GAPS_EV
    return (
        f"a condition; {HC_EV_NM / number('C250'):.2f} eV lies below the gaps of poly-TPD, TFB and "
        f"TPBi ({gaps['poly-TPD']}, {gaps['TFB']}, {gaps['TPBi']} eV), so it excites the crystals "
        "alone"
    )


@_untested("C251")
def violet_laser(e: Evidence) -> str:
    return (
        f"a condition; {HC_EV_NM / number('C251'):.2f} eV lies above all three gaps, so in panel b "
        "the layers absorb part of the light and may pass energy on: its intensities are no pure "
        "measure of quenching, unlike those of panel d at 450 nm"
    )


def spacing(claim_id: str) -> tuple[float, float]:
    """Share of the volume that crystals fill in PMMA, and their mean distance in nm."""
    ratio = number(claim_id)
    return (
        shift_budget.volume_fraction(ratio),
        shift_budget.mean_spacing_nm(ratio, number("C022")),
    )


def _mixture(e: Evidence, claim_id: str) -> str:
    share, distance = spacing(claim_id)
    return (
        "weighed in, not measured here; with 4.01 and 1.18 g/cm3 it is "
        f"{100 * share:.2g} % of the volume and one crystal per ({distance:.0f} nm) cubed"
    )


MIXTURES = ("C244", "C245", "C247")
for _id in MIXTURES:
    _untested(_id)(partial(_mixture, claim_id=_id))


def _outcoupling(e: Evidence) -> str:
    return OUTCOUPLING.format(number("C152") / number("C151"))


for _id in ("C058", "C152"):
    _untested(_id)(_outcoupling)


# ---- where the emission is -----------------------------------------------------------------------


def _shift_printed(e: Evidence, end: str) -> Found:
    start, film = number("C012"), number(end)
    return {
        "found": start - film,
        "note": f"{start:g} − {film:g} nm = {shift_budget.shift_in_meV(start, film):.1f} meV; the "
        "film's number less the solution's: two surroundings; against the neat film (649 nm) it "
        f"would be {649 - film:g} nm",
    }  # fmt: skip


def _shift_seen(e: Evidence, sample: str) -> Found:
    value, error = e.shift(sample)
    return {"found": value, "standard_error": error, "kind": e.kind("pl")}


def _peak(e: Evidence, sample: str) -> Found:
    q = e.quantity(sample, "PL peak", "film")
    return {
        "found": q.value, "standard_error": q.standard_error, "kind": q.kind,
        "note": "printed to whole nanometres, as its neighbours show",
    }  # fmt: skip


for _sample, _end, _id in (("GL", "C013", "C016"), ("EDTA", "C014", "C017"),
                           (TREATED, "C015", "C018")):  # fmt: skip
    claims(_id, "printed wavelengths")(partial(_shift_printed, end=_end))
    claims(_end, "peak per nm")(partial(_peak, sample=_sample))
    claims(_id, "spectra")(partial(_shift_seen, sample=_sample))


@claims("C012", "peak per nm")
def solution(e: Evidence) -> Found:
    q = e.quantity(NEAT, "PL peak", "solution")
    per_eV = e.quantity(NEAT, "PL peak energy", "solution").value
    return {
        "found": q.value, "standard_error": q.standard_error, "kind": q.kind,
        "note": f"per eV the maximum is at {HC_EV_NM / per_eV:.1f} nm",
    }  # fmt: skip


@claims("C026", "two-band model")
def linear_in_size(e: Evidence) -> Found:
    edges, weak = np.linspace(8.0, 25.0, 60), e.masses[0]
    worst = min(
        shift_budget.linearity(edges, shift_budget.kane_energy_meV(edges, m, 1.95))
        for m in e.masses
    )
    size = shift_budget.cube_energy_meV(12.0, weak) - shift_budget.cube_energy_meV(16.3, weak)
    return {
        "found": f"R² = {worst:.4f} against 1/L² from 8 to 25 nm", "kind": "calculated",
        "holds": bool(worst > 0.99),
        "note": "non-parabolicity bends the line by little; but from 16.3 to 12 nm it gives "
        f"{size:.1f} meV, not the {shift_budget.shift_in_meV(642, 630):.1f} meV of 12 nm",
    }  # fmt: skip


@claims("C027", "particle in a cube, strong confinement")
def confinement(e: Evidence) -> Found:
    bulk, asked, strong = 780.0, number("C027"), e.masses[1]
    lifted = HC_EV_NM / bulk + 1e-3 * float(shift_budget.cube_energy_meV(12.0, strong))
    at_12, edge = bulk - HC_EV_NM / lifted, shift_budget.edge_for_shift(bulk, asked, strong)
    return {
        "found": at_12, "kind": "calculated",
        # An estimate with an assumed mass and bulk line cannot refute a published measurement.
        "holds": True if at_12 >= asked else "inconclusive",
        "note": f"at 12 nm even full strong confinement (μ = {strong:g} m0, bulk at {bulk:.0f} nm) "
        f"shifts by {at_12:.0f} nm; {asked:g} nm needs cubes of {edge:.1f} nm, or flat crystals; "
        "the other paper's sizes and spectra would settle it",
    }  # fmt: skip


def _gap_error_nm(x_br: float) -> float:
    """Error of the bulk line from those of the gap's coefficients, taken as independent."""
    gap = HC_EV_NM / float(bulk_wavelength_nm(x_br))
    terms = np.multiply(GAP_ERROR_EV, x_br ** np.arange(3))
    return HC_EV_NM / gap**2 * float(np.hypot.reduce(terms))


@claims("C031", "Noh's relation at x_Br = 0.6")
def composition(e: Evidence) -> Found:
    found, error = float(bulk_wavelength_nm(0.6)), _gap_error_nm(0.6)
    ends = [
        float(shift_budget.bromide_for_wavelength(p.value)) for p in paper.claim("C031").printed
    ]
    ratios = [2 * x / (1 - x) for x in ends]
    return {
        "found": found, "standard_error": error,
        "note": f"± {error:.1f} nm from the standard errors of the relation's coefficients, their "
        f"covariance being unknown; so the {number('C012') - found:+.1f} nm to the crystals' "
        f"emission are not resolved; the printed range is x_Br = {ends[0]:.2f} to {ends[1]:.2f}, "
        f"I:Br = 2:{ratios[0]:.1f} to 2:{ratios[1]:.1f}; 2:3 itself gives {found:.1f} nm",
    }  # fmt: skip


@claims("C113", "against the main text")
def same_crystals(e: Evidence) -> Found:
    return {
        "found": number("C012"),
        "holds": "inconclusive",
        "note": "crystals without ligand treatment: 630 nm purified twice (Methods), 642 nm as "
        "made, in toluene (main text), 649 nm as a film (legend of Extended Data Fig. 3); no "
        "sentence says why purifying should move it, and 630 nm is the treated film's",
    }


@claims("C019", "areas per absorbed photon")
def brighter(e: Evidence) -> Found:
    relative = e.relative
    if len(relative) < 3:
        raise Missing("no films with and without treatment in the folder")
    treated = {k: v for k, v in relative.items() if k != NEAT}
    above = all(value - 2 * error > 1 for value, error in treated.values())
    return {
        "found": "; ".join(f"{k} {v:.2f}" for k, (v, _) in relative.items()),
        "holds": bool(above),
        "kind": e.kind("pl"),
    }  # fmt: skip


# ---- quantum yields ------------------------------------------------------------------------------


@claims("C148", "largest PLQY of the series")
def outside(e: Evidence) -> Found:
    q = e.largest(TREATED)
    return {
        "found": 100 * q.value, "standard_error": 100 * q.standard_error, "kind": q.kind,
        "note": "the paper prints no uncertainty; of the error here "
        f"{100 * q.budget.get('calibration', 0.0):.1f} is calibration",
    }  # fmt: skip


@claims("C020", "neat below E+G at every intensity")
def neat_below(e: Evidence) -> Found:
    q, neat, treated = e.largest(TREATED), e.yield_series(NEAT)[1], e.yield_series(TREATED)[1]
    if neat.plqy.shape != treated.plqy.shape:
        raise Missing("the two films were not measured at the same intensities")
    z = (treated.plqy - neat.plqy) / np.hypot(treated.standard_error, neat.standard_error)
    return {
        "found": 100 * q.value, "standard_error": 100 * q.standard_error, "kind": q.kind,
        "holds": bool(np.all(z > 2)),
        "note": f"smallest difference {z.min():.1f} standard errors; only the 70 % is printed, the "
        "neat film's yield stands in the figure alone",
    }  # fmt: skip


@claims("C024", "trap filling fit")
def traps(e: Evidence) -> Found:
    neat, treated = (e.yield_series(s)[2] for s in (NEAT, TREATED))
    if neat is None or treated is None:
        raise Missing("the fluence series is too short for a fit")
    name = "capture_rate_s"
    ratio = neat.values[name] / treated.values[name]
    factor = np.exp(1.96 * np.hypot(neat.log_errors[name], treated.log_errors[name]))
    return {
        "found": f"capture rate falls by {ratio:.0f}x (95 %: {ratio / factor:.0f} to "
        f"{ratio * factor:.0f})",
        "holds": bool(ratio / factor > 1), "kind": e.kind("plqy"),
        "note": "number of traps times their capture; a steady-state yield fixes rates only "
        "against an assumed radiative coefficient",
    }  # fmt: skip


# ---- lifetimes and gaps --------------------------------------------------------------------------


@claims("C229", "slower decay after treatment")
def slower(e: Evidence) -> Found:
    means = e.means
    pairs = [p for p in PLACES if (p, NEAT) in means and (p, TREATED) in means]
    if not pairs:
        raise Missing("no decays of both crystals, in solution or as a film, in the folder")
    ends = {p: (means[p, NEAT], means[p, TREATED]) for p in pairs}
    longer = [
        b.value - a.value > 2 * np.hypot(a.standard_error, b.standard_error)
        for a, b in ends.values()
    ]
    return {
        "found": "; ".join(f"{p} {a.value:.1f} -> {b.value:.1f} ns" for p, (a, b) in ends.items()),
        "holds": all(longer) or ("partly" if any(longer) else False), "kind": e.kind("trpl"),
        "note": "the paper prints its lifetimes only inside the panel; amplitude-weighted means "
        "here",
    }  # fmt: skip


@claims("C229", "recovery of the mean lifetimes")
def lifetimes_recovered(e: Evidence) -> Found:
    known = {key: e.truth.get(f"mean_lifetime_{key[0]}_{key[1]}") for key in e.means}
    if not known or None in known.values():
        raise Missing("what went into the decays is not known")
    pull = max(abs(e.means[k].value - v) / e.means[k].standard_error for k, v in known.items())
    return {
        "found": f"farthest from what went in: {pull:.1f} standard errors",
        "holds": bool(pull < 3), "kind": e.kind("trpl"),
    }  # fmt: skip


def _half(e: Evidence, sample: str):
    if sample not in e.half_means:
        raise Missing(f"no decay of {sample} in the folder")
    return e.half_means[sample]


@claims("C252", "mean lifetimes")
def quenching(e: Evidence) -> Found:
    tpd, tfb, tpbi, bare = (_half(e, s) for s in (TPD, TFB, TPBI, BARE))
    order = (
        tpd.value + 2 * tpd.standard_error < tfb.value - 2 * tfb.standard_error
        and tfb.value < bare.value
    )
    return {
        "found": f"poly-TPD {tpd.value:.1f}, TFB {tfb.value:.1f}, TPBi {tpbi.value:.1f}, bare "
        f"{bare.value:.1f} ns",
        "holds": bool(order and tpbi.value > 0.9 * bare.value), "kind": e.kind("trpl"),
    }  # fmt: skip


@claims("C053", "order of half devices")
def layers_alike(e: Evidence) -> Found:
    areas, (tfb, tpd) = e.areas("on hole transport"), (_half(e, s) for s in (TFB, TPD))
    if not {TFB, TPD} <= set(areas):
        raise Missing("no intensities of both hole-transport layers in the folder")
    agree = (areas[TFB][0] > areas[TPD][0]) == (tfb.value > tpd.value)
    return {
        "found": "TFB over poly-TPD by intensity and by lifetime" if agree
        else "intensity and lifetime disagree",
        "holds": bool(agree), "kind": e.kind("trpl"),
        "note": "the paper shows intensities and decays of half devices, no quantum yields",
    }  # fmt: skip


@claims("C254", "Elliott")
def gaps(e: Evidence) -> Found:
    if not e.gaps:
        raise Missing("no absorbance of a solution in the folder")
    known = {NEAT: e.truth.get("gap_solution"), TREATED: e.truth.get("gap_E+G")}
    known = {k: v for k, v in known.items() if v is not None and k in e.gaps}
    found = {
        "found": "; ".join(
            f"{k}: Tauc {t.gap_eV:.3f}, Elliott {x.gap_eV:.3f} eV" for k, (t, x) in e.gaps.items()
        ),
        "kind": e.kind("absorption"),
    }  # fmt: skip
    if not known:
        every = all(x.converged for _, x in e.gaps.values())
        return {**found, "holds": every, "note": "the paper prints no value to compare with"}
    pull = max(abs(e.gaps[k][1].gap_eV - v) / e.gaps[k][1].total_error_eV for k, v in known.items())
    misses = ", ".join(f"{1e3 * (e.gaps[k][0].gap_eV - v):+.0f} meV" for k, v in known.items())
    return {
        **found, "holds": bool(pull < 2.5),
        "note": f"the paper prints no value; what went in is met within {pull:.1f} standard errors "
        f"by Elliott's formula, while Tauc's line misses it ({misses}): the exciton steepens the "
        "edge",
    }  # fmt: skip


# ---- segregation ---------------------------------------------------------------------------------


@claims("C042", "dilute film")
def no_blue_band(e: Evidence) -> Found:
    dilute = e.track("pmma_0.006")
    limit = max(dilute.blue.per_minute + 1.96 * dilute.blue.standard_error, 0)
    return {
        "found": f"{dilute.account}; blue share grows by less than {100 * limit:.2g} % per minute",
        "holds": bool(dilute.segregates and dilute.blue.z < 1.96), "kind": e.kind("pl_series"),
        "note": f"red share {100 * dilute.fraction[0]:.0f} -> {100 * dilute.fraction[-1]:.0f} %",
    }  # fmt: skip


@claims("C246", "1.03 against 0.006")
def dose_alone(e: Evidence) -> Found:
    z = _largest_difference(e.track("pmma_1.03"), e.track("pmma_0.006"))
    return {
        "found": f"red shares at equal dose differ by at most {z:.1f} standard errors",
        "holds": bool(z < 3.5), "kind": e.kind("pl_series"),
        "note": "largest of all common times: of so many, 3.5 standard errors are no sign",
    }  # fmt: skip


def _largest_difference(a, b) -> float:
    times = np.intersect1d(a.time_s, b.time_s)
    if not times.size:
        raise Missing("the two series share no time")
    i, j = np.searchsorted(a.time_s, times), np.searchsorted(b.time_s, times)
    spread = np.hypot(
        np.nan_to_num(a.fraction_error[i], nan=np.inf),
        np.nan_to_num(b.fraction_error[j], nan=np.inf),
    )
    return float(np.max(np.abs(a.fraction[i] - b.fraction[j]) / spread))


@claims("C043", "spacing against resolution")
def single_crystals(e: Evidence) -> Found:
    distance = spacing("C247")[1]
    near, far = confocal.resolution_nm(640.0, 1.4), confocal.resolution_nm(640.0, 0.9)
    possible = distance**2 * (distance / 100) > near**2
    return {
        "found": f"one crystal per ({distance:.0f} nm) cubed; resolution {near:.0f} to {far:.0f} "
        "nm",
        "holds": True if distance > far else "inconclusive" if possible else False,
        "note": "0.61 λ/NA for NA 1.4 to 0.9 (not stated) exceeds the mean spacing: spots are "
        "single crystals only in films thinner than about 200 nm, and then not all; plausible, not "
        "proven",
    }  # fmt: skip


@claims("C043", "red-shift of the spot's spectrum")
def spot_turns_red(e: Evidence) -> Found:
    single = e.track("single")
    return {
        "found": f"{single.account}; centroid {single.drift_nm.per_minute:+.1f} nm/min",
        "holds": bool(single.segregates and single.drift_nm.z > 3), "kind": e.kind("pl_series"),
    }  # fmt: skip


# ---- optics of the film: out through its faces ---------------------------------------------------


@claims("C146", "effective medium")
def film_index(e: Evidence) -> Found:
    low, high = (film_effective_index(fill) for fill in (0.27, 0.52))
    return {
        "found": (low + high) / 2, "standard_error": (high - low) / 12**0.5, "kind": "calculated",
        "note": "Maxwell Garnett, bulk 2.35 in ligands of 1.48; 12 nm cubes with a 2 nm shell fill "
        f"27 % (random packing) to 52 % (filling space): n = {low:.2f} to {high:.2f}; 1.82 needs "
        "close packing, which the paper's unshown ellipsometry may have seen",
    }  # fmt: skip


def film_effective_index(fill: float) -> float:
    """Maxwell Garnett index of crystals (2.35) that fill this share of a ligand matrix (1.48)."""
    inside, around = 2.35**2, 1.48**2
    ratio = (inside - around) / (inside + 2 * around)
    return float(np.sqrt(around * (1 + 2 * fill * ratio) / (1 - fill * ratio)))


def _outside(e: Evidence, claim_id: str) -> float:
    """Index beyond the face that a printed probability is of: air or glass."""
    return {"C158": 1.0, "C159": e.film.n_glass}[claim_id]


def _small_angle(e: Evidence, claim_id: str) -> float:
    return 100 * e.film.small_angle(_outside(e, claim_id))


@claims("C156", "n₂³/[n₁(n₁+n₂)²]")
def lost_equation(e: Evidence) -> Found:
    small = {c: _small_angle(e, c) for c in ("C158", "C159")}
    return {
        "found": f"{small['C158']:.2f} % and {small['C159']:.2f} %",
        "holds": all(round(value, 1) == number(c) for c, value in small.items()),
        "note": "small-angle cone times transmittance at normal incidence: the lost equation, "
        "inferred, gives both numbers",
    }


def _cone(e: Evidence, claim_id: str) -> Found:
    return {
        "found": _small_angle(e, claim_id),
        "note": "its own arithmetic holds; the formula was inferred from the numbers, so it "
        "decides nothing",
    }


def _fresnel(e: Evidence, claim_id: str) -> Found:
    def exact(f: Film) -> float:
        return 100 * recycling.escape.escape_fresnel(f.n, _outside(e, claim_id))

    found, error = exact(e.film), e.film.error(exact)
    low = 1 - _small_angle(e, claim_id) / found
    near = paper.compare(paper.claim(claim_id), found, error)[0]
    return {
        "found": found, "standard_error": error, "kind": "calculated",
        "holds": None if near else "partly",
        "note": "s and p, exact solid angle; the printed number follows from its formula, by which "
        f"the text estimates, and that small-angle form is low by {100 * low:.0f} % for this cone",
    }  # fmt: skip


for _id in ("C158", "C159"):
    claims(_id, "small-angle formula")(partial(_cone, claim_id=_id))
    claims(_id, "Fresnel over angle")(partial(_fresnel, claim_id=_id))


@claims("C163", "16.8 − 6.9")
def difference(e: Evidence) -> Found:
    small = [round(_small_angle(e, c), 1) for c in ("C159", "C158")]
    return {
        "found": small[0] - small[1],
        "note": f"{number('C159'):g} − {number('C158'):g} %",
    }  # fmt: skip


def _paper_escape(e: Evidence, claim_id: str) -> Found:
    found = 100 * e.film.paper().escape
    holds = None if claim_id == "C147" else paper.compare(paper.claim("C147"), found)[0]
    return {
        "found": found, "holds": holds,
        "note": "(P_g+P_a)·10^(−OD/2) + (P_g−P_a)·10^(−3OD/2), inferred from the printed numbers",
    }  # fmt: skip


for _id in ("C147", "C164"):
    claims(_id, "paper's formula, decadic")(partial(_paper_escape, claim_id=_id))


@claims("C147", "exact rays")
def escape_of_rays(e: Evidence) -> Found:
    f = e.film
    clear = recycling.ray_model(f.n, f.n_glass, 0.0).escape
    return {
        "found": 100 * f.rays().escape, "standard_error": f.error(lambda f: 100 * f.rays().escape),
        "kind": "calculated",
        "note": "all bounces, light in air and glass as the text counts it; at OD 0 it would be "
        f"{100 * clear:.1f} %",
    }  # fmt: skip


@claims("C147", "wave optics, light in air")
def escape_of_waves(e: Evidence) -> Found:
    f, printed_nm = e.film, [number("C045"), number("C177")]
    thin, thick = (100 * f.waves(d).air for d in printed_nm)
    trapped = [100 * f.waves(d).glass for d in printed_nm]
    cutoff = recycling.escape.waveguide_cutoff(f.n, f.n_glass, 1.0, EMISSION_NM, "s")
    rounded = f.error(lambda f: 100 * f.waves(30.0).air)
    return {
        "found": (thin + thick) / 2, "kind": "calculated",
        "standard_error": float(np.hypot((thin - thick) / 12**0.5, rounded)),
        "holds": "inconclusive",
        "note": f"light in air alone, not in glass; {thick:.1f} to {thin:.1f} % for "
        f"{printed_nm[1]:g} to {printed_nm[0]:g} nm, both "
        f"printed; so thin a film guides nothing (TE0 needs {cutoff:.0f} nm): {trapped[0]:.0f} to "
        f"{trapped[1]:.0f} % is trapped in the glass instead",
    }  # fmt: skip


@claims("C147", "rays traced in a 1 mm slide")
def escape_from_a_slide(e: Evidence) -> Found:
    escape, error = e.slide.escape
    return {
        "found": 100 * escape, "kind": "calculated",
        "standard_error": 100 * float(np.hypot(error, SLIDE_ESCAPE_ERROR)),
        "holds": "inconclusive",
        "note": "what leaves the slide by its faces and edges before the film has absorbed it: the "
        "number that the internal yield needs, near the printed one, but not the sum over air and "
        "glass that the text forms",
    }  # fmt: skip


@claims("C162", "OD/2")
def half_path(e: Evidence) -> Found:
    return {
        "found": e.film.od / 2,
        "note": "at normal incidence; over the escape cone into glass the mean path is longer by "
        "1/cos θ, about 1.3",
    }


@claims("C161", "hc/λ")
def photon_energy(e: Evidence) -> Found:
    return {
        "found": HC_EV_NM / EMISSION_NM,
        "note": f"{HC_EV_NM:.2f} eV nm over {EMISSION_NM:g} nm",
    }  # fmt: skip


def _observed(e: Evidence, words: str) -> Found:
    return {"found": number("C056"), "note": words}


for _id, _words in (("C145", "20.3 is above 20"), ("C153", "20.3 rounded down")):
    claims(_id, "20.3 %")(partial(_observed, words=_words))


# ---- optics of the film: the yield inside --------------------------------------------------------


@claims("C165", "round by round")
def summed(e: Evidence) -> Found:
    model, wanted = e.film.paper(), e.film.plqy
    total, alive, inner = 0.0, 1.0, model.internal(wanted)
    for _ in range(400):
        total += alive * inner * model.escape
        alive *= inner * (1 - model.escape)
    return {
        "found": f"summed round by round {total:.4f} for {wanted:.2f}", "kind": "calculated",
        "holds": bool(abs(total - wanted) < 1e-6),
        "note": "form of reference 51 inferred from the printed numbers; the formula is exact for "
        "a given escape",
    }  # fmt: skip


def _printed_inputs(e: Evidence, scale: float) -> Found:
    def inside(f: Film) -> float:
        return f.plqy / (0.324 + f.plqy * (1 - 0.324))

    return {
        "found": scale * inside(e.film), "standard_error": scale * e.film.error(inside),
        "note": "87.6 and 87.8 % are printed for one quantity; both are within the rounding of "
        "0.70",
    }  # fmt: skip


def _exact_rays(e: Evidence, scale: float) -> Found:
    def inside(f: Film) -> float:
        return f.rays().internal(f.plqy)

    return {
        "found": scale * inside(e.film), "standard_error": scale * e.film.error(inside),
        "kind": "calculated", "holds": "inconclusive",
        "note": "with the escape of all rays, 0.41; how much of the light in the glass returns is "
        "not in it, so it is a lower limit",
    }  # fmt: skip


def _in_slide(e: Evidence, scale: float) -> Found:
    film, slide = e.film, e.slide
    model = recycling.OpticalModel("slide", slide.escape[0], slide.reabsorption[0])
    below = slide.escape[0] + film.plqy * slide.reabsorption[0]
    traced = film.plqy * (1 - film.plqy) / below**2 * slide.escape[1]
    rounded = model.internal_error(film.plqy, film.half / 3**0.5)
    return {
        "found": scale * model.internal(film.plqy), "kind": "calculated",
        "standard_error": scale * float(np.hypot.reduce([traced, rounded, SLIDE_ERROR])),
        "holds": "inconclusive",
        "note": f"escape {slide.escape[0]:.3f}: light trapped in the glass returns to the film and "
        "is mostly re-absorbed; by rays, in a film that is too thin for them, and wave optics "
        "leaves 70 to 87 %",
    }  # fmt: skip


for _id, _scale in (("C151", 100), ("C167", 1)):
    for _route, _find in (("exact rays", _exact_rays), ("rays traced in a 1 mm slide", _in_slide)):
        claims(_id, _route)(partial(_find, scale=_scale))
for _id, _scale in (("C149", 100), ("C151", 100), ("C167", 1)):
    claims(_id, "0.70 and 0.324")(partial(_printed_inputs, scale=_scale))


@claims("C166")
def inputs_of_the_formula(e: Evidence) -> Found:
    return {"found": [number("C148"), number("C147")], "note": "as printed in C148 and C147"}


@claims("C149", "against the second quotation")
def quoted_twice(e: Evidence) -> Found:
    return {
        "found": number("C151"),
        "note": "two numbers for one quantity from the same 70 and 32.4 %, which give 87.8; 87.6 "
        "needs an escape of 33.0 %, as attenuation to base e would give",
    }


@claims("C149", "attenuation to base e")
def natural(e: Evidence) -> Found:
    return {
        "found": 100 * e.film.paper(np.e).internal(e.film.plqy),
        "note": "an absorbance used as if it were natural gives the first quotation",
    }


@claims("C151", "wave optics")
def inside_by_waves(e: Evidence) -> Found:
    wave = e.film.waves(number("C177"))
    low, high = (100 * wave.model(f).internal(e.film.plqy) for f in (0.0, 1.0))
    return {
        "found": f"{low:.0f} to {high:.0f} %", "kind": "calculated",
        "holds": "inconclusive" if low <= number("C151") <= high + 1 else False,
        "note": "set by how much of the light trapped in the glass is re-absorbed before it leaves "
        "by the edges",
    }  # fmt: skip


@claims("C154", "path in the film")
def guided(e: Evidence) -> Found:
    thickness_nm, slide = number("C177"), e.slide
    wave = e.film.waves(thickness_nm)
    path = recycling.optical_density_of_path(e.film.od, thickness_nm, np.array([30.0]))[0]
    edges = 100 * slide.edge / max(slide.escaped, 1)
    return {
        "found": f"{100 * path:.0f} % within 30 µm inside the film; {100 * wave.guided:.0f} % of "
        "the light is guided there",
        "kind": "calculated",
        "holds": "inconclusive",
        "note": "true of a ray in the film; but a film as thin as the LED's guides none, and light "
        "in a 1 mm slide meets the film once in millimetres of path, so that there "
        f"{edges:.0f} % of what leaves does so by the edges; neither thickness is printed for the "
        "film of this measurement",
    }  # fmt: skip
