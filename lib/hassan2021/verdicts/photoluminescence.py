"""The paper's claims of this topic against what was found: one function a group of claims.

Printed numbers come from the ledger. `kind` is the kind of source of the files behind a result, from the catalogue; an
argument that is None means that there was no such file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hassan2021.verdicts import evidence
from ledger import paper
from peled.materials import GAP_ERROR_EV, bulk_wavelength_nm
from peled.photoluminescence import confocal, recycling, shift_budget
from peled.photoluminescence.shift_budget import HC_EV_NM

#: Optical gaps of the transport layers in eV, onset of absorption: common values of suppliers' data sheets.
LAYER_GAPS_EV = {"poly-TPD": 3.0, "TFB": 2.9, "TPBi": 3.5}


def _gap_error_nm(x_br: float) -> float:
    """Error of the bulk line from those of the gap's coefficients, taken as independent: their covariance is unknown."""
    gap = HC_EV_NM / float(bulk_wavelength_nm(x_br))
    return (
        HC_EV_NM / gap**2 * float(np.hypot.reduce(np.multiply(GAP_ERROR_EV, x_br ** np.arange(3))))
    )


def _number(claim_id: str) -> float:
    return paper.claim(claim_id).number


def finding(solution, films: dict, models, masses: tuple[float, float], kind: str) -> list[str]:
    """What printed numbers, optics and the spectra at hand say, in four lines."""
    start, treated = _number("C012"), _number("C015")
    sizes = _number("C021"), _number("C022")
    alone = [
        float(np.diff([shift_budget.cube_energy_meV(edge, m) for edge in sizes[::-1]])[0])
        for m in masses
    ]
    external = _number("C148") / 100
    inside = [100 * m.internal(external) for m in models]
    lines = [
        f"the blue-shift of {start - treated:g} nm is {shift_budget.shift_in_meV(start, treated):.1f} meV; the crystals' "
        f"size gives {alone[0]:.1f} (exciton as one) to {alone[1]:.1f} meV (electron and hole each for itself)",
        f"{100 * external:.0f} % outside are {min(inside):.0f} to {max(inside):.0f} % inside, by the optics taken; "
        f"printed {_number('C149'):g} and {_number('C151'):g} %",
        f"the escape printed as {_number('C147'):g} % is {100 * models[0].escape:.1f} % by its own formula and "
        f"{100 * models[1].escape:.1f} % by all rays",
    ]
    if solution is not None and films:
        each = ", ".join(f"{name} {film.peak_nm:.1f}" for name, film in films.items())
        lines.append(
            f"the {kind} files have {solution.peak_nm:.1f} nm in toluene and, in films, {each} nm"
        )
    return lines


def literature(room) -> None:
    """Conditions, inputs and statements about other work, which nothing here can test."""
    try:
        window = [
            f"{shift_budget.bromide_for_wavelength(p.value):.2f}"
            for p in paper.claim("C005").printed
        ]
    except ValueError:  # no alloy of the series emits there
        window = ["impossible"] * 2
    evidence.literature(room)
    evidence.xps_reading(room)
    evidence.stability_of_drive(room)
    evidence.ageing(room)
    evidence.losses(room)
    room.not_testable("C002", "about other groups' crystals; their files would settle it")
    room.not_testable(
        "C005",
        f"what displays ask for is not measured here; by Noh's relation the window is x_Br = {window[0]} to {window[1]}, and the films at 625, 630 and 635 nm lie inside it, "
        "the solution at 642 nm and the neat film at 649 nm outside",
    )
    room.not_testable(
        "C150",
        "index of another paper's OLED layer; 1.82 of the crystals rounds to it, which is the reason for the analogy",
    )
    room.not_testable(
        "C155", "size of the slide; it enters only the share of light that leaves by its edges"
    )
    room.not_testable(
        "C157",
        "inputs of the escape formulas; 1.5 is a usual glass, the index table of soda-lime glass has 1.52 at 620 nm",
    )
    room.not_testable(
        "C160",
        "assumed in the paper, not measured; the raw absorptance of the film at 620 nm would settle it",
    )
    room.not_testable(
        "C166", "inputs of the recycling formula, 70 % and 32.4 %, used in C165 and C167"
    )
    room.not_testable(
        "C248",
        "laser type and wavelength: a condition; the metadata of the raw images would settle it",
    )
    energy = {w: HC_EV_NM / w for w in (_number("C250"), _number("C251"))}
    blue, violet = energy.values()
    room.not_testable(
        "C250",
        f"a condition; {blue:.2f} eV lies below the gaps of poly-TPD, TFB and TPBi ({LAYER_GAPS_EV['poly-TPD']}, {LAYER_GAPS_EV['TFB']}, {LAYER_GAPS_EV['TPBi']} eV), "
        "so it excites the crystals alone",
    )
    room.not_testable(
        "C251",
        f"a condition; {violet:.2f} eV lies above all three gaps, so in panel b the layers absorb part of the light and may pass energy on: its intensities are no pure measure of quenching, "
        "unlike those of panel d at 450 nm",
    )


def mixtures(room, edge_nm: float) -> None:
    """Mass ratios in PMMA: preparation data; what follows from them is kept as quantities."""
    for claim_id in ("C244", "C245", "C247"):
        ratio = _number(claim_id)
        share, spacing = (
            shift_budget.volume_fraction(ratio),
            shift_budget.mean_spacing_nm(ratio, edge_nm),
        )
        room.quantity(f"volume_fraction_pmma_{ratio:g}", share, unit="1", kind="recomputed")
        room.quantity(f"spacing_pmma_{ratio:g}", spacing, unit="nm", kind="recomputed")
        room.not_testable(
            claim_id,
            f"weighed in, not measured here; with 4.01 and 1.18 g/cm3 it is {100 * share:.2g} % of the volume and one crystal per ({spacing:.0f} nm) cubed",
        )


def shifts(room, masses: tuple[float, float]) -> None:
    """Arithmetic of the blue-shifts and of the composition."""
    start = _number("C012")
    same = "the film's number less the solution's: two surroundings"
    for claim_id, end in (("C016", "C013"), ("C017", "C014"), ("C018", "C015")):
        shift = start - _number(end)
        room.check(
            claim_id,
            shift,
            kind="recomputed",
            route="printed wavelengths",
            note=f"{start:g} − {_number(end):g} nm = {shift_budget.shift_in_meV(start, _number(end)):.1f} meV; {same}; against the neat film (649 nm) it would be {649 - _number(end):g} nm",
        )
    edges = np.linspace(8.0, 25.0, 60)
    weak, strong = masses
    worst = min(
        shift_budget.linearity(edges, shift_budget.kane_energy_meV(edges, m, 1.95)) for m in masses
    )
    size = shift_budget.cube_energy_meV(12.0, weak) - shift_budget.cube_energy_meV(16.3, weak)
    room.check(
        "C026",
        f"R² = {worst:.4f} against 1/L² from 8 to 25 nm",
        kind="calculated",
        holds=bool(worst > 0.99),
        route="two-band model",
        note=f"non-parabolicity bends the line by little; but from 16.3 to 12 nm it gives {size:.1f} meV, not the {shift_budget.shift_in_meV(642, 630):.1f} meV of 12 nm",
    )
    bulk, asked = 780.0, _number("C027")
    edge = shift_budget.edge_for_shift(bulk, asked, strong)
    at_12 = bulk - HC_EV_NM / (
        HC_EV_NM / bulk + 1e-3 * float(shift_budget.cube_energy_meV(12.0, strong))
    )
    room.check(
        "C027",
        at_12,
        kind="calculated",
        route="particle in a cube, strong confinement",
        # An estimate with an assumed mass and bulk line cannot refute a published measurement.
        holds=True if at_12 >= asked else "inconclusive",
        note=f"at 12 nm even full strong confinement (μ = {strong:g} m0, bulk at {bulk:.0f} nm) shifts by {at_12:.0f} nm; {asked:g} nm needs cubes of {edge:.1f} nm, or flat crystals; "
        "the other paper's sizes and spectra would settle it",
    )
    composition, error = float(bulk_wavelength_nm(0.6)), _gap_error_nm(0.6)
    ends = [
        float(shift_budget.bromide_for_wavelength(p.value)) for p in paper.claim("C031").printed
    ]
    room.check(
        "C031",
        composition,
        error,
        kind="recomputed",
        route="Noh's relation at x_Br = 0.6",
        note=f"± {error:.1f} nm from the standard errors of the relation's coefficients, their covariance being unknown; so the {start - composition:+.1f} nm to the crystals' emission are not resolved; the printed range is x_Br = {ends[0]:.2f} to {ends[1]:.2f}, I:Br = 2:{2 * ends[0] / (1 - ends[0]):.1f} to 2:{2 * ends[1] / (1 - ends[1]):.1f}; 2:3 itself gives {composition:.1f} nm",
    )
    room.check(
        "C113",
        start,
        kind="recomputed",
        route="against the main text",
        note="the same crystals are said to emit at 630 nm (Methods), 642 nm (main text, toluene) and 649 nm (film, legend of Extended Data Fig. 3); 630 nm is also the number of the treated film",
    )


def spectra(room, solution, films: dict, kind: str) -> None:
    """Centres of the emission and the order of the intensities."""
    if solution is None:
        room.not_testable("C012", "no file pl_solution in data_dir")
    else:
        room.check(
            "C012",
            solution.peak_nm,
            solution.peak_error_nm,
            kind=kind,
            route="peak per nm",
            note=f"per eV the maximum is at {HC_EV_NM / solution.energy_peak_eV:.1f} nm",
        )
    for claim_id, name, shift_id in (
        ("C013", "GL", "C016"),
        ("C014", "EDTA", "C017"),
        ("C015", "E+G", "C018"),
    ):
        if name not in films:
            room.not_testable(claim_id, f"no film {name} in data_dir")
            continue
        film = films[name]
        room.check(
            claim_id,
            film.peak_nm,
            film.peak_error_nm,
            kind=kind,
            route="peak per nm",
            note="printed to whole nanometres, as its neighbours show",
        )
        if solution is not None:
            room.check(
                shift_id,
                solution.peak_nm - film.peak_nm,
                float(np.hypot(solution.peak_error_nm, film.peak_error_nm)),
                kind=kind,
                route="spectra",
            )


def intensities(room, relative: dict, kind: str) -> None:
    """`relative` maps treatments to (photons per absorbed photon relative to neat, standard error)."""
    if "neat" not in relative or len(relative) < 3:
        room.not_testable("C019", "no films with and without treatment in data_dir")
        return
    treated = {k: v for k, v in relative.items() if k != "neat"}
    above = all(value - 2 * error > 1 for value, error in treated.values())
    best = max(treated, key=lambda k: treated[k][0])
    room.check(
        "C019",
        "; ".join(f"{k} {v:.2f}" for k, (v, _) in relative.items()),
        kind=kind,
        holds=bool(above and best == "E+G") or ("partly" if above else False),
        route="areas per absorbed photon",
    )


def yields(room, series: dict, kind: str) -> None:
    """`series` maps "neat" and "E+G" to (intensity, PLQY, Recombination or None, generation per mW/cm²)."""
    if "E+G" not in series:
        for claim_id in ("C020", "C024", "C148"):
            room.not_testable(claim_id, "no file sphere_EG in data_dir")
        return
    _, treated, fit, _ = series["E+G"]
    top = int(np.argmax(treated.plqy))
    value, error = 100 * treated.plqy[top], 100 * treated.standard_error[top]
    room.check(
        "C148",
        value,
        error,
        kind=kind,
        route="largest PLQY of the series",
        note=f"the paper prints no uncertainty; of the error here {100 * treated.budget['calibration'][top]:.1f} is calibration",
    )
    if "neat" not in series:
        for claim_id in ("C020", "C024"):
            room.not_testable(claim_id, "no file sphere_neat in data_dir")
        return
    _, neat, neat_fit, _ = series["neat"]
    if neat.plqy.shape == treated.plqy.shape:
        z = (treated.plqy - neat.plqy) / np.hypot(treated.standard_error, neat.standard_error)
        room.check(
            "C020",
            value,
            error,
            kind=kind,
            holds=bool(np.all(z > 2)),
            route="neat below E+G at every intensity",
            note=f"smallest difference {z.min():.1f} standard errors; only the 70 % is printed, the neat film's yield stands in the figure alone",
        )
    else:
        room.check("C020", value, error, kind=kind, route="largest PLQY")
    if fit is None or neat_fit is None:
        room.not_testable("C024", "the fluence series is too short for a fit")
        return
    ratio = neat_fit.values["capture_rate_s"] / fit.values["capture_rate_s"]
    spread = 1.96 * np.hypot(
        neat_fit.log_errors["capture_rate_s"], fit.log_errors["capture_rate_s"]
    )
    room.check(
        "C024",
        f"capture rate falls by {ratio:.0f}x (95 %: {ratio * np.exp(-spread):.0f} to {ratio * np.exp(spread):.0f})",
        kind=kind,
        holds=bool(ratio * np.exp(-spread) > 1),
        route="trap filling fit",
        note="number of traps times their capture; a steady-state yield fixes rates only against an assumed radiative coefficient",
    )


def lifetimes(room, means: dict, truth: dict, kind: str) -> None:
    """`means` maps (place, sample) to MeanLifetime."""
    pairs = [
        place
        for place in ("solution", "film")
        if (place, "neat") in means and (place, "E+G") in means
    ]
    if not pairs:
        room.not_testable("C229", "no files trpl_solution and trpl_film in data_dir")
        return
    longer = [
        means[p, "E+G"].value_ns - means[p, "neat"].value_ns
        > 2 * np.hypot(means[p, "E+G"].error_ns, means[p, "neat"].error_ns)
        for p in pairs
    ]
    text = "; ".join(
        f"{p} {means[p, 'neat'].value_ns:.1f} -> {means[p, 'E+G'].value_ns:.1f} ns" for p in pairs
    )
    room.check(
        "C229",
        text,
        kind=kind,
        holds=all(longer) or ("partly" if any(longer) else False),
        route="slower decay after treatment",
        note="the paper prints its lifetimes only inside the panel; amplitude-weighted means here",
    )
    known = {key: truth.get(f"mean_lifetime_{key[0]}_{key[1]}") for key in means}
    if all(v is not None for v in known.values()):
        pull = max(abs(means[k].value_ns - v) / means[k].error_ns for k, v in known.items())
        room.check(
            "C229",
            f"farthest from what went in: {pull:.1f} standard errors",
            kind=kind,
            holds=bool(pull < 3),
            route="recovery of the mean lifetimes",
        )


def transport(room, means: dict, areas: dict, kind: str) -> None:
    """`means` maps sample labels to MeanLifetime; `areas` maps panel to {label: (relative intensity, error)}."""

    def find(table, word):
        return next((table[k] for k in table if word.lower() in k.lower()), None)

    bare = means.get("PNCs") or next(iter(means.values()), None)
    tpd, tfb, tpbi = (find(means, w) for w in ("TPD", "TFB", "TPBi"))
    if None in (bare, tpd, tfb, tpbi):
        room.not_testable(
            "C252", "no decays of all of bare, poly-TPD, TFB and TPBi films in data_dir"
        )
    else:
        order = (
            tpd.value_ns + 2 * tpd.error_ns < tfb.value_ns - 2 * tfb.error_ns
            and tfb.value_ns < bare.value_ns
        )
        little = tpbi.value_ns > 0.9 * bare.value_ns
        room.check(
            "C252",
            f"poly-TPD {tpd.value_ns:.1f}, TFB {tfb.value_ns:.1f}, TPBi {tpbi.value_ns:.1f}, bare {bare.value_ns:.1f} ns",
            kind=kind,
            holds=bool(order and little),
            route="mean lifetimes",
        )
    both = areas.get("hole_transport")
    if not both or tpd is None or tfb is None:
        room.not_testable("C053", "no intensities of half devices in data_dir")
        return
    agree = (find(both, "TFB")[0] > find(both, "TPD")[0]) == (tfb.value_ns > tpd.value_ns)
    room.check(
        "C053",
        "TFB over poly-TPD by intensity and by lifetime"
        if agree
        else "intensity and lifetime disagree",
        kind=kind,
        holds=bool(agree),
        route="order of half devices",
        note="the paper shows intensities and decays of half devices, no quantum yields",
    )


def gaps(room, found: dict, truth: dict, kind: str) -> None:
    """`found` maps "neat" and "E+G" to (TaucGap, ElliottGap)."""
    if not found:
        room.not_testable("C254", "no file absorption_solution in data_dir")
        return
    text = "; ".join(
        f"{k}: Tauc {t.gap_eV:.3f}, Elliott {e.gap_eV:.3f} eV" for k, (t, e) in found.items()
    )
    known = {"neat": truth.get("gap_solution"), "E+G": truth.get("gap_E+G")}
    usable = {k: v for k, v in known.items() if v is not None and k in found}
    if usable:
        pull = max(
            abs(found[k][1].gap_eV - v) / found[k][1].total_error_eV for k, v in usable.items()
        )
        misses = ", ".join(f"{1e3 * (found[k][0].gap_eV - v):+.0f} meV" for k, v in usable.items())
        room.check(
            "C254",
            text,
            kind=kind,
            holds=bool(pull < 2.5),
            route="Elliott",
            note=f"the paper prints no value; what went in is met within {pull:.1f} standard errors by Elliott's formula, while Tauc's line misses it ({misses}): the exciton steepens the edge",
        )
    else:
        room.check(
            "C254",
            text,
            kind=kind,
            holds=all(e.converged for _, e in found.values()),
            route="Elliott",
            note="the paper prints no value to compare with",
        )


def segregation(room, tracks: dict, edge_nm: float, kind: str) -> None:
    """`tracks` maps names of series to Segregation."""
    dilute, dense, single = (tracks.get(n) for n in ("pmma_0.006", "pmma_1.03", "single"))
    if dilute is None:
        room.not_testable("C042", "no file segregation_pmma_0.006 in data_dir")
    else:
        limit = dilute.blue.per_minute + 1.96 * dilute.blue.standard_error
        room.check(
            "C042",
            f"{dilute.account}; blue share grows by less than {100 * max(limit, 0):.2g} % per minute",
            kind=kind,
            holds=bool(dilute.segregates and dilute.blue.z < 1.96),
            route="dilute film",
            note=f"red share {100 * dilute.fraction[0]:.0f} -> {100 * dilute.fraction[-1]:.0f} %",
        )
    if dilute is None or dense is None:
        room.not_testable("C246", "no pair of concentrations in data_dir")
    else:
        z = _largest_difference(dense, dilute)
        room.check(
            "C246",
            f"red shares at equal dose differ by at most {z:.1f} standard errors",
            kind=kind,
            holds=bool(z < 3.5),
            route="1.03 against 0.006",
            note="largest of all common times; 3.5 allows for their number",
        )
    ratio = _number("C247")
    spacing = shift_budget.mean_spacing_nm(ratio, edge_nm)
    near, far = confocal.resolution_nm(640.0, 1.4), confocal.resolution_nm(640.0, 0.9)
    room.check(
        "C043",
        f"one crystal per ({spacing:.0f} nm) cubed; resolution {near:.0f} to {far:.0f} nm",
        kind="recomputed",
        holds=True
        if spacing > far
        else "inconclusive"
        if spacing**2 * (spacing / 100) > near**2
        else False,
        route="spacing against resolution",
        note="0.61 λ/NA for NA 1.4 to 0.9 (not stated) exceeds the mean spacing: spots are single crystals only in films thinner than about 200 nm, and then not all; plausible, not proven",
    )
    if single is not None:
        room.check(
            "C043",
            f"{single.account}; centroid {single.drift_nm.per_minute:+.1f} nm/min",
            kind=kind,
            holds=bool(single.segregates and single.drift_nm.z > 3),
            route="red-shift of the spot's spectrum",
        )


def _largest_difference(a, b) -> float:
    times = np.intersect1d(a.time_s, b.time_s)
    i, j = np.searchsorted(a.time_s, times), np.searchsorted(b.time_s, times)
    spread = np.hypot(
        np.nan_to_num(a.fraction_error[i], nan=np.inf),
        np.nan_to_num(b.fraction_error[j], nan=np.inf),
    )
    return (
        float(np.max(np.abs(a.fraction[i] - b.fraction[j]) / spread))
        if times.size
        else float("nan")
    )


#: Standard error of the internal yield that rays in a slide give: traced at a density of 0.015 to 0.025 (0.868 to 0.881)
#: and in glass of 1.50 to 1.52 (0.874 to 0.871).
SLIDE_ERROR = 0.004
#: Of the escape from a slide, likewise: 0.355 to 0.316 by the density, 0.336 to 0.346 by the glass.
SLIDE_ESCAPE_ERROR = 0.013


@dataclass(frozen=True)
class Film:
    """The film on glass of the paper's optics, and how far each input may be off by its rounding."""

    n: float
    n_glass: float
    od: float
    plqy: float
    wavelength_nm: float
    half: float = 0.005  # of density and yield

    def error(self, value) -> float:
        """Standard error of `value(film)` from the rounding of index ("~"), density and external yield."""
        here, index = value(self), paper.claim("C146").printed[0].half_width
        moved = [
            value(replace(self, **{name: getattr(self, name) + half}))
            for name, half in (("n", index), ("od", self.half), ("plqy", self.half))
        ]
        return float(np.hypot.reduce([(v - here) / 3**0.5 for v in moved]))

    def rays(self):
        return recycling.ray_model(self.n, self.n_glass, self.od)

    def waves(self, thickness_nm: float):
        return recycling.wave_optics(self.n, self.n_glass, thickness_nm, self.wavelength_nm)


def optics(
    room,
    *,
    n_film: float,
    n_glass: float,
    optical_density: float,
    wavelength_nm: float,
    slide=None,
) -> None:
    """Escape, recycling, internal yield and the limit of the EQE.

    `slide` is what a ray tracing found for the film on a slide of finite size (`escape` and `reabsorption`, each with
    its standard error), or None.
    """
    film = Film(n_film, n_glass, optical_density, _number("C148") / 100, wavelength_nm)
    _interfaces(room, film)
    _film_escape(room, film, slide)
    _internal_yield(room, film, slide)
    _guided(room, film, slide)
    room.check("C161", HC_EV_NM / wavelength_nm, kind="recomputed", route="hc/λ",
               note=f"{HC_EV_NM:.2f} eV nm over {wavelength_nm:g} nm")  # fmt: skip
    observed, implied = _number("C056"), _number("C152") / _number("C151")
    for claim_id, words in (("C145", "20.3 is above 20"), ("C153", "20.3 rounded down")):
        room.check(claim_id, observed, kind="recomputed", route="20.3 %", note=words)
    for claim_id in ("C058", "C152"):
        room.not_testable(
            claim_id,
            f"needs the outcoupling of reference 53, which is not printed; it would have to be {implied:.3f}; the limit "
            "is the same number as the film's escape probability, 32.4 %: coincidence or mix-up",
        )


def _interfaces(room, film: Film) -> None:
    """The two printed probabilities: the formula that the text lost, and exact angles."""
    small = {
        claim_id: 100 * recycling.escape.escape_small_angle(film.n, outside)
        for claim_id, outside in (("C158", 1.0), ("C159", film.n_glass))
    }
    said = {claim_id: _number(claim_id) for claim_id in small}
    room.check(
        "C156",
        f"{small['C158']:.2f} % and {small['C159']:.2f} %",
        kind="recomputed",
        route="n₂³/[n₁(n₁+n₂)²]",
        holds=all(round(value, 1) == said[c] for c, value in small.items()),
        note="small-angle cone times transmittance at normal incidence: the lost equation, inferred, gives both numbers",
    )
    for claim_id, outside in (("C158", 1.0), ("C159", film.n_glass)):
        room.check(
            claim_id,
            small[claim_id],
            kind="recomputed",
            route="small-angle formula",
            note="its own arithmetic holds; the formula was inferred from the numbers, so it decides nothing",
        )

        def exact(f, outside=outside):
            return 100 * recycling.escape.escape_fresnel(f.n, outside)

        room.check(
            claim_id,
            exact(film),
            film.error(exact),
            kind="calculated",
            route="Fresnel over angle",
            note="s and p, exact solid angle: the small-angle form is low by "
            f"{100 * (1 - small[claim_id] / exact(film)):.0f} % for this cone, more than 1.82 may be off",
        )
    room.check(
        "C163",
        round(small["C159"], 1) - round(small["C158"], 1),
        kind="recomputed",
        route="16.8 − 6.9",
        note=f"{said['C159']:g} − {said['C158']:g} %",
    )


def _film_escape(room, film: Film, slide) -> None:
    """The escape of the whole film: the paper's formula, all rays, waves, and rays in a slide."""
    paper_s = 100 * recycling.paper_model(film.n, film.n_glass, film.od).escape
    note = "(P_g+P_a)·10^(−OD/2) + (P_g−P_a)·10^(−3OD/2), inferred from the printed numbers"
    for claim_id in ("C147", "C164"):
        holds = None if claim_id == "C147" else paper.compare(paper.claim("C147"), paper_s)[0]
        room.check(claim_id, paper_s, kind="recomputed", holds=holds, note=note,
                   route="paper's formula, decadic")  # fmt: skip
    room.check(
        "C147",
        100 * film.rays().escape,
        film.error(lambda f: 100 * f.rays().escape),
        kind="calculated",
        route="exact rays",
        note="all bounces, light in air and glass as the text counts it; at OD 0 it would be "
        f"{100 * recycling.ray_model(film.n, film.n_glass, 0.0).escape:.1f} %",
    )
    printed_nm = [_number("C045"), _number("C177")]
    thin, thick = (100 * film.waves(d).air for d in printed_nm)
    cutoff = recycling.escape.waveguide_cutoff(film.n, film.n_glass, 1.0, film.wavelength_nm, "s")
    trapped = [100 * film.waves(d).glass for d in printed_nm]
    room.check(
        "C147",
        (thin + thick) / 2,
        float(np.hypot((thin - thick) / 12**0.5, film.error(lambda f: 100 * f.waves(30.0).air))),
        kind="calculated",
        route="wave optics, light in air",
        note=f"{thick:.1f} to {thin:.1f} % for {printed_nm[1]:g} to {printed_nm[0]:g} nm, both printed; so thin a film guides "
        f"nothing (TE0 needs {cutoff:.0f} nm): {trapped[0]:.0f} to {trapped[1]:.0f} % is trapped in the glass instead",
    )
    if slide is not None:
        room.check(
            "C147",
            100 * slide.escape[0],
            100 * float(np.hypot(slide.escape[1], SLIDE_ESCAPE_ERROR)),
            kind="calculated",
            route="rays traced in a 1 mm slide",
            note="what leaves the slide by its faces and edges before the film has absorbed it: the number that the "
            "internal yield needs, and near the printed one though no light was taken for escaped in the glass",
        )
    room.check(
        "C162",
        film.od / 2,
        kind="recomputed",
        route="OD/2",
        note="at normal incidence; over the escape cone into glass the mean path is longer by 1/cos θ, about 1.2",
    )


def _internal_yield(room, film: Film, slide) -> None:
    """The internal yield by the printed formula, by its series, and by three optical models."""
    decadic = recycling.paper_model(film.n, film.n_glass, film.od)
    natural = recycling.paper_model(film.n, film.n_glass, film.od, base=np.e)
    # The recycling formula against the series it sums: emitted, re-absorbed, emitted again.
    summed, alive, inner = 0.0, 1.0, decadic.internal(film.plqy)
    for _ in range(400):
        summed += alive * inner * decadic.escape
        alive *= inner * (1 - decadic.escape)
    room.check(
        "C165",
        f"summed round by round {summed:.4f} for {film.plqy:.2f}",
        kind="calculated",
        route="round by round",
        holds=bool(abs(summed - film.plqy) < 1e-6),
        note="form of reference 51 inferred from the printed numbers; the formula is exact for a given escape",
    )

    def printed_inputs(f):
        return f.plqy / (0.324 + f.plqy * (1 - 0.324))

    def rays(f):
        return f.rays().internal(f.plqy)

    for claim_id, scale in (("C149", 100), ("C151", 100), ("C167", 1)):
        for route, find, kind, note in (
            ("0.70 and 0.324", printed_inputs, "recomputed",
             "87.6 and 87.8 % are printed for one quantity; both are within the rounding of 0.70"),
            ("exact rays", rays, "calculated",
             "with the escape of all rays, 0.41; how much of the light in the glass returns is not in it"),
        ):  # fmt: skip
            room.check(
                claim_id,
                scale * find(film),
                scale * film.error(find),
                kind=kind,
                route=route,
                note=note,
            )
        if slide is not None:
            value, error = _in_slide(film, slide)
            room.check(
                claim_id,
                scale * value,
                scale * error,
                kind="calculated",
                route="rays traced in a 1 mm slide",
                note=f"escape {slide.escape[0]:.3f}: light trapped in the glass returns to the film and is mostly "
                "re-absorbed; the printed number is met for another reason than the paper's",
            )
    room.check(
        "C149",
        100 * natural.internal(film.plqy),
        kind="recomputed",
        route="attenuation to base e",
        note="an absorbance used as if it were natural gives the first quotation",
    )
    wave = film.waves(_number("C177"))
    band = [100 * wave.model(f).internal(film.plqy) for f in (0.0, 1.0)]
    room.check(
        "C151",
        f"{band[0]:.0f} to {band[1]:.0f} %",
        kind="calculated",
        route="wave optics",
        holds="inconclusive" if band[0] <= _number("C151") <= band[1] + 1 else False,
        note="set by how much of the light trapped in the glass is re-absorbed before it leaves by the edges",
    )


def _in_slide(film: Film, slide) -> tuple[float, float]:
    """Internal yield by rays in a slide, its error from tracing, from the external yield and from the slide's inputs."""
    model = recycling.OpticalModel("slide", slide.escape[0], slide.reabsorption[0])
    below = slide.escape[0] + film.plqy * slide.reabsorption[0]
    traced = film.plqy * (1 - film.plqy) / below**2 * slide.escape[1]
    rounded = model.internal_error(film.plqy, film.half / 3**0.5)
    return model.internal(film.plqy), float(np.hypot.reduce([traced, rounded, SLIDE_ERROR]))


def _guided(room, film: Film, slide) -> None:
    """C154: what becomes of the light that is guided."""
    thickness_nm = _number("C177")
    wave = film.waves(thickness_nm)
    path = recycling.optical_density_of_path(film.od, thickness_nm, np.array([30.0]))[0]
    edges = 100 * slide.edge / max(slide.escaped, 1) if slide is not None else None
    room.check(
        "C154",
        f"{100 * path:.0f} % within 30 µm inside the film; {100 * wave.guided:.0f} % of the light is guided there",
        kind="calculated",
        route="path in the film",
        holds="partly" if path > 0.9 and wave.glass > wave.guided else bool(path > 0.9),
        note="true of a ray in the film, but a film this thin guides none; light in the 1 mm slide crosses the film once "
        "per millimetres, not per micrometres"
        + (
            f"; traced in such a slide, {edges:.0f} % of the light that leaves does so by its edges, not very little"
            if edges is not None
            else ""
        ),
    )


def film_index(room) -> None:
    """Index of a film of crystals in their ligands by effective-medium theory, and of one that was measured."""
    low, high = (film_effective_index(fill) for fill in (0.27, 0.52))
    room.check(
        "C146",
        (low + high) / 2,
        (high - low) / 12**0.5,
        kind="calculated",
        route="effective medium",
        note=f"Maxwell Garnett, bulk 2.35 in ligands of 1.48; 12 nm cubes with a 2 nm shell fill 27 % (random packing) to 52 % (filling space): n = {low:.2f} to {high:.2f}; 1.82 needs close packing, which the paper's unshown ellipsometry may have seen",
    )


def film_effective_index(fill: float, *, n_crystal: float = 2.35, n_ligand: float = 1.48) -> float:
    """Maxwell Garnett index of crystals that fill this share of a ligand matrix."""
    inside, outside = n_crystal**2, n_ligand**2
    ratio = (inside - outside) / (inside + 2 * outside)
    return float(np.sqrt(outside * (1 + 2 * fill * ratio) / (1 - fill * ratio)))
