"""The paper's claims about structure and composition: one short function a route to a claim."""

from __future__ import annotations

from functools import partial

import numpy as np

from hassan2021.desk import Checks, Found, Missing, number, of_paper
from hassan2021.structure import (
    LIGANDS,
    NEAT,
    PAIR,
    TREATED,
    Evidence,
    balance,
    step,
    stoichiometric_ceilings,
)
from ledger import paper
from peled import materials
from peled.structure import composition, icpms, microscopy
from peled.structure.reading import key

claims = Checks({"C168": "a count of washing steps; a laboratory notebook would settle it"})


def judge_all(room, evidence: Evidence) -> None:
    """A verdict on every claim of the topic."""
    claims.judge(room, evidence, own=of_paper(evidence))


# ---- size ----------------------------------------------------------------------------------------


def _edge(e: Evidence, sample: str, claim_id: str) -> Found:
    mean, spread = (e.quantity(sample, f"particle edge, {x}") for x in ("mean", "spread"))
    printed = paper.claim(claim_id).printed_spread
    return {
        "found": mean.value, "standard_error": mean.standard_error, "kind": mean.kind,
        "holds": abs(spread.value - printed) < 0.5 + 1.96 * spread.standard_error,
        "note": f"printed ± {printed:g} nm is the spread of the crystals, no error of the mean; "
        f"found {spread.value:.1f} ± {spread.standard_error:.1f} nm",
    }  # fmt: skip


def _edge_by_lines(e: Evidence, sample: str, claim_id: str) -> Found:
    q = e.quantity(sample, "crystal size")
    return {"found": q.value, "standard_error": q.standard_error, "kind": q.kind}


for _id, _sample in (("C022", NEAT), ("C021", TREATED)):
    claims(_id, "micrographs")(partial(_edge, sample=_sample, claim_id=_id))
    claims(_id, "line widths")(partial(_edge_by_lines, sample=_sample, claim_id=_id))


@claims("C025", "printed edges")
def shrinkage_printed(e: Evidence) -> Found:
    s = step()
    return {
        "found": number("C021") / number("C022"),
        "note": f"{100 * s.volume_lost:.0f} % of the volume, {s.layers_lost:.1f} unit cells from "
        f"every face; the populations lie {s.population_separation:.1f} combined spreads apart",
    }


@claims("C025", "micrographs")
def shrinkage_seen(e: Evidence) -> Found:
    edges = [
        [e.quantity(s, f"particle edge, {x}") for x in ("mean", "spread")] for s in PAIR
    ]  # fmt: skip
    found = microscopy.size_change(
        *((m.value, s.value) for m, s in edges), 6.05,
        errors_nm=tuple(m.standard_error for m, _ in edges),
    )  # fmt: skip
    return {
        "found": found.ratio, "standard_error": found.ratio_error, "kind": edges[0][0].kind,
        "note": "the magnification is counted in both errors although it is common",
    }  # fmt: skip


@claims("C075", "printed edges")
def lead_stripped(e: Evidence) -> Found:
    s = step()
    surface = 1 - ((s.cells[0] - 2) / s.cells[0]) ** 3  # lead in the outermost layer of cells
    return {
        "found": f"{100 * s.volume_lost:.0f} % of lead gone, {s.layers_lost:.1f} layers a face; "
        f"one layer holds {100 * surface:.0f} %",
        "holds": "inconclusive",
        "note": "smaller cubes fit a removal of lead, layer after layer, as part of the ligands' "
        "role, which the text postulates; they fit as well crystals that were selected",
    }


# ---- lattice and phase ---------------------------------------------------------------------------


def _lattice(e: Evidence, sample: str) -> Found:
    q = e.quantity(sample, "lattice constant")
    return {
        "found": q.value, "standard_error": q.standard_error, "kind": q.kind,
        "note": "zero error from the standard, height fitted",
    }  # fmt: skip


def _phase(e: Evidence, sample: str) -> Found:
    if sample not in e.phases:
        raise Missing(f"{sample}: its phase was not asked for")
    t = e.phases[sample]
    return {
        "found": t.verdict, "holds": t.verdict == "cubic", "kind": e.kind("xrd"),
        "note": f"(211)t {t.superlattice_ratio:.3f} ± {t.superlattice_error:.3f} of the strongest "
        "line",
    }  # fmt: skip


def _spacing(e: Evidence, sample: str, which: str) -> Found:
    f = e.lattice(sample)
    value, error = getattr(f, f"{which}_nm"), getattr(f, f"{which}_error_nm")
    if not np.isfinite(value):
        raise Missing(f"{sample}: no spot of that plane")
    return {"found": value, "standard_error": error, "kind": e.kind("hrtem")}


for _sample in PAIR:
    claims("C033", f"whole pattern, {_sample}")(partial(_lattice, sample=_sample))
    claims("C233", f"(211)t and splitting, {_sample}")(partial(_phase, sample=_sample))
    claims("C231", f"FFT, {_sample}")(partial(_spacing, sample=_sample, which="d100"))
    claims("C232", f"FFT, {_sample}")(partial(_spacing, sample=_sample, which="d110"))


@claims("C035", "two patterns")
def unchanged(e: Evidence) -> Found:
    change, error = e.change()
    return {
        "found": change, "standard_error": error, "holds": abs(change) < 1.96 * error,
        "kind": e.kind("xrd"),
        "note": f"a change of {1.96 * error:.4f} Å would show: with height and zero fitted, "
        "'unchanged' is a strong statement",
    }  # fmt: skip


def _per_nm(e: Evidence, x_br: float = 0.6) -> float:
    """Change of the lattice constant for 1 nm of emission, ångström."""
    a = e.ends[0]
    return (a[0] - a[1]) / composition.wavelength_slope_nm(x_br)


#: Relative error of a change of the lattice constant for 1 nm: coefficients of the gap 4 to 8 %,
#: end members 3 %.
SLOPE_ERROR = {0.6: 0.05, 0.0: 0.083}


@claims("C032", "Vegard and Noh")
def slope(e: Evidence) -> Found:
    claim = paper.claim("C032")
    found = {x: (10 * _per_nm(e, x), 10 * _per_nm(e, x) * SLOPE_ERROR[x]) for x in SLOPE_ERROR}
    (there, there_error), (end, end_error) = found[0.6], found[0.0]
    both = [paper.compare(claim, *found[x])[0] for x in (0.6, 0.0)]
    return {
        "found": there, "standard_error": there_error,
        "holds": all(both) or ("inconclusive" if any(both) else False),
        "note": f"at x_Br = 0.6, where the argument stands, {100 * (1 - there / claim.number):.0f} "
        f"% below the printed value; near pure iodide {end:.4f} ± {end_error:.4f}, which it meets: "
        "the relation bows, and the sentence names no composition",
    }  # fmt: skip


@claims("C035", "printed precision")
def precision(e: Evidence) -> Found:
    per_nm, half = _per_nm(e), paper.claim("C033").printed[0].half_width
    needed = [n * number("C032") / 10 for n in (8.0, 12.0)]
    return {
        "found": f"8 to 12 nm need {needed[0]:.3f} to {needed[1]:.3f} Å by the printed slope, "
        f"{8 * per_nm:.3f} to {12 * per_nm:.3f} Å by Vegard",
        "holds": 8 * per_nm > 2 * half,
        "margin": (8 * per_nm - 2 * half) / (8 * per_nm * 0.05),
        "note": "two constants printed to 0.01 Å may differ by up to 0.01 Å: the digits alone only "
        "just exclude it",
    }


@claims("C114", "against the main text")
def tetragonal_in_methods(e: Evidence) -> Found:
    return {
        "found": f"cubic in {paper.claim('C033').section}, and in the FFT",
        "holds": False,
        "note": "the Methods say tetragonal for the panel, 2f, of which the main text says cubic, "
        "6.05 Å",
    }  # fmt: skip


@claims("C233", "against Methods")
def cubic_by_fft(e: Evidence) -> Found:
    return {
        "found": paper.claim("C114").value + " in Methods", "holds": False,
        "note": "one panel, 2f, and two phases; the pseudo-cubic spacings of a tetragonal cell "
        "differ by 1 %, less than an image can tell",
    }  # fmt: skip


@claims("C231", "a")
def plane_100(e: Evidence) -> Found:
    return {"found": number("C033") / 10, "note": "d(001) = a"}


@claims("C232", "a/√2")
def plane_110(e: Evidence) -> Found:
    a, relative = number("C033") / 10, e.report.settings["pixel_relative"]
    low = 100 * (1 - number("C232") * np.sqrt(2) / a)
    return {
        "found": a / np.sqrt(2), "standard_error": relative * a / np.sqrt(2),
        "note": f"{number('C232'):g} is {low:.1f} % low, inside the error of a magnification",
    }  # fmt: skip


# ---- composition ---------------------------------------------------------------------------------


def _dx() -> float:
    """Bromide that the paper's 8 nm need."""
    return number("C030") / composition.wavelength_slope_nm(0.6)


@claims("C034", "Vegard")
def by_lattice(e: Evidence) -> Found:
    ratio = number("C029")
    x, error = e.printed.estimates["XRD, 6.05 Å"]
    other = e.printed.estimates["XPS, I:Br 2:3"][1]
    pull = (x - 1 / (1 + ratio)) / np.hypot(error, other)
    return {
        "found": f"x_Br = {x:.3f} ± {error:.3f}, {pull:.1f}σ from XPS",
        "holds": bool(abs(pull) < 1.96), "margin": float(abs(pull)),
        "note": f"bulk gap there {materials.bulk_wavelength_nm(x):.0f} nm; far from the "
        "precursor's 0.33",
    }  # fmt: skip


def _same_crystals(dx: float) -> bool:
    """Whether 2:3 of the main text and 0.4 of the legend are one number within its rounding, and
    that rounding holds the change of composition between the two samples."""
    ratio, half = number("C029"), paper.claim("C225").printed[0].half_width
    return dx <= half and abs(ratio / (1 + ratio) - number("C225")) <= half


@claims("C029", "which sample")
def ratio_twice(e: Evidence) -> Found:
    iodide, dx = number("C225"), _dx()
    return {
        "found": iodide / (1 - iodide), "holds": _same_crystals(dx),
        "note": f"x_I = {iodide} in the legend of ED1, of the treated crystals; the main text has "
        f"its 2:3 of those as synthesised, and the {dx:.3f} of bromide that 8 nm need is within "
        "its rounding",
    }  # fmt: skip


@claims("C225", "which sample")
def fraction_twice(e: Evidence) -> Found:
    ratio, dx = number("C029"), _dx()
    return {
        "found": ratio / (1 + ratio), "holds": _same_crystals(dx),
        "note": "2:3 of the main text, of the untreated crystals; tenths cannot show the "
        f"{dx:.3f} of bromide that 8 nm need; tables of sensitivity factors differ more",
    }  # fmt: skip


@claims("C029", "I 4d and Br 3d")
def ratio_by_xps(e: Evidence) -> Found:
    q = e.quantity(NEAT, "I : Br (I 4d)")
    return {
        "found": q.value, "standard_error": q.standard_error, "kind": q.kind,
        "note": "with 10 % for the sensitivity factors",
    }  # fmt: skip


@claims("C225", "I 4d and Br 3d")
def fraction_by_xps(e: Evidence) -> Found:
    q = e.quantity(TREATED, "x_Br (I 4d)")
    return {
        "found": 1 - q.value, "standard_error": q.standard_error, "kind": q.kind,
        "note": "with 10 % for the sensitivity factors",
    }  # fmt: skip


@claims("C030", "shift less confinement")
def bromide_or_size(e: Evidence) -> Found:
    mass, edges = e.constants["exciton_mass"], (number("C022"), number("C021"))
    # Three directions of a box: eV nm², hbar²/m0 = 0.0762 eV nm².
    kinetic = 3 * np.pi**2 * 0.0762 / 2 / mass[0]
    energy = kinetic * (1 / edges[1] ** 2 - 1 / edges[0] ** 2)
    confined = energy * number("C012") ** 2 / materials.HC_EV_NM
    return {
        "found": number("C018") - confined, "standard_error": confined * mass[1] / mass[0],
        "kind": "calculated",
        "note": f"12 nm less {confined:.1f} nm of confinement is left for bromide; 8 nm are "
        f"{_dx():.3f} of it, which XPS would have to resolve between two like samples",
    }  # fmt: skip


# ---- lead ----------------------------------------------------------------------------------------

RESIDUES = {"C170": "GL", "C171": "E+G", "C172": "EDTA"}


def _ceiling(e: Evidence, claim_id: str) -> Found:
    name = RESIDUES[claim_id]
    one = stoichiometric_ceilings()[f"Pb-{name} 1:1"]
    mass = LIGANDS.get(name, sum(LIGANDS.values()) / 2)
    # Glutathione has a thiol and two acids, and may hold two; 5 % for digestion and weighing.
    most = icpms.ceiling(LIGANDS[name] / 2) if name == "GL" else one
    per = icpms.lead_per_ligand(number(claim_id), mass)
    return {
        "found": most, "standard_error": 0.05 * most, "limit": "upper",
        "note": f"{per:.2f} lead atoms for one ligand; one to one allows {one:.0f} µg/mg",
    }  # fmt: skip


def _content(e: Evidence, name: str) -> Found:
    c = e.content(name)
    return {"found": c.value, "standard_error": c.standard_error, "kind": e.kind("icpms")}


for _id, _name in {**RESIDUES, "C174": "supernatant"}.items():
    if _id in RESIDUES:
        claims(_id, "lead that the ligand can hold")(partial(_ceiling, claim_id=_id))
    claims(_id, "calibration line")(partial(_content, name=_name))


@claims("C169", "mass balance")
def ligand_left_in(e: Evidence) -> Found:
    measured, kept = [number(c) for c in RESIDUES], balance().values()
    low, high = min(kept), max(kept)
    return {
        "found": f"at most {low:.0f} to {high:.0f} µg/mg, reported {min(measured):.0f} to "
        f"{max(measured):.0f}",
        "holds": max(measured) < high,
        "margin": (min(measured) - high) / (0.05 * min(measured)),
        "note": f"the reported contents are {min(measured) / high:.0f} to "
        f"{max(measured) / low:.0f} times what is possible with the ligand left in, if the samples "
        "were made with the 2 mmol for 3 mL that are typical: nearly all excess ligand must have "
        "left, though toluene dissolves little of either; weighing the washes would settle it",
    }


@claims("C173", "printed order")
def order(e: Evidence) -> Found:
    measured = [number(c) for c in RESIDUES]
    return {
        "found": " > ".join(f"{m:g}" for m in measured),
        "holds": measured == sorted(measured, reverse=True),
        "note": "increasing in comparison with the supernatant, which holds almost none; the "
        "order is opposite to that of the computed affinities (EDTA by 0.80 eV)",
    }


# ---- tails, bands, levels: the paper prints no number --------------------------------------------


def _recovered(e: Evidence, sample: str, name: str, value: float, error: float) -> bool:
    return abs(value - e.truth.get((key(sample), name), value)) <= 1.96 * error


@claims("C228", "window scan")
def tails(e: Evidence) -> Found:
    found = e.of("absorption", lambda s: e.quantity(s, "Urbach energy"))
    good = [
        _recovered(e, s, "urbach_meV", q.value, q.standard_error) for s, q in found.items()
    ]  # fmt: skip
    return {
        "found": "; ".join(f"{s} {q.value:.1f} meV" for s, q in found.items()),
        "holds": all(good), "kind": e.kind("absorption"),
        "note": "the paper prints its values in the inset of ED1a only; what went in: "
        + ", ".join(f"{x:g} meV" for (_, name), x in e.truth.items() if name == "urbach_meV"),
    }  # fmt: skip


EDGES = {"work_function_eV": "work function", "onset_eV": "valence edge below Fermi"}


@claims("C253", "fitted edges")
def edges(e: Evidence) -> Found:
    found = e.of("ups", lambda s: [e.quantity(s, n) for n in EDGES.values()])
    good = [
        _recovered(e, s, truth, q.value, q.standard_error)
        for s, pair in found.items()
        for truth, q in zip(EDGES, pair, strict=True)
    ]
    return {
        "found": "; ".join(f"{s} work function {w}, edge {v}" for s, (w, v) in found.items()),
        "holds": all(good), "kind": e.kind("ups"),
        "note": "no value printed; the edge is where a power of the energy begins, "
        "for a weak foot of states moves the logarithmic one by 0.2 eV; what went in: "
        + ", ".join(f"{x:g} eV" for (_, n), x in e.truth.items() if n in EDGES),
    }  # fmt: skip


@claims("C230", "bands")
def new_bands(e: Evidence) -> Found:
    fits = e.of("ftir", lambda s: next(iter(e.kept(s, "ftir").values())))
    if "OA" not in fits:
        raise Missing("no infrared spectrum of OA to compare with")
    named = {
        s: {a.vibration + ", " + a.species for b in f.bands for a in b.assignments}
        for s, f in fits.items()
    }
    new = [s for s in fits if s != "OA" and not named[s] <= named["OA"]]
    return {
        "found": f"new bands in {', '.join(new)}", "holds": len(new) == len(fits) - 1,
        "kind": e.kind("ftir"), "note": "no band position is printed",
    }  # fmt: skip


@claims("C227", "ledger of panels")
def letters(e: Evidence) -> Found:
    found = [letter for letter in "abcdef" if f"ed1{letter}" in paper.panels()]
    return {
        "found": f"panels {', '.join(found)}; the legend begins its letters at b",
        "holds": False,
        "note": "may be an artefact of the text conversion",
    }
