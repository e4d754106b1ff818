"""A laboratory's folder of NMR experiments, from its sample sheet to numbers or reasons.

>>> from peled.nmr.analyse import analyse, sniff
>>> from peled.samples import read_sheet
>>> report = analyse(read_sheet("folder", "nmr", sniff=sniff))          # doctest: +SKIP
>>> print(report)                                                       # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import chdtrc

from peled.formats.nmr import Fid, GYROMAGNETIC_MHz_T, read_gradients
from peled.nmr import drawers
from peled.nmr.detection import Course, fit_build_up, fit_diffusion, fit_relaxation
from peled.nmr.integrals import Integral, Integrals, integrate
from peled.nmr.lines import Component, Line, LineFit, fit_lines
from peled.nmr.processing import Processed
from peled.nmr.reading import (
    READERS,
    SERIES,
    SOLIDS,
    SPECTRA,
    Seen,
    broadening,
    receiver,
    see,
    sniff,
    spectrum_of,
    traces_of,
)
from peled.nmr.referencing import (
    SEARCH_PPM,
    Solvents,
    Standard,
    indirect,
    read_solvents,
    read_standards,
    reference,
)
from peled.nmr.series import Followed, Resonance, follow
from peled.nmr.significance import is_hum, there
from peled.nmr.titration import LOG_K_RANGE, fit_binding, trend
from peled.quantities import (
    FALSE_ALARM,
    Z95,
    Finding,
    Gate,
    Quantity,
    judge,
    possible,
    signal,
    times,
)
from peled.report import Problem, Report, from_holdings, reason
from peled.samples import Held, Holdings, Sheet
from peled.sources import kind_of

__all__ = ["SETTINGS", "analyse", "sniff"]

#: What `settings` may say, and what is taken where it does not.
SETTINGS: Mapping[str, Any] = {
    "line_broadening_1h_Hz": 0.3,  # exponential window, protons
    "line_broadening_13c_Hz": 1.0,  # carbons in solution
    "line_broadening_solid_Hz": 20.0,  # solids
    "false_alarm": FALSE_ALARM,  # chance that noise makes a line anywhere in a spectrum
    "lines": 12,  # strongest signals of a spectrum that are fitted
    "regions_ppm": {},  # by label of a row: [low, high] by name; the first is that of the others
    "tables": "",  # folder with own solvents.csv and standards.csv; empty: that of the data
    "test": "Welch",  # between groups: Welch or Mann-Whitney
}

#: A signal's window, on either side, in widths of its outer lines.
REACH = 4.0

#: In solution at least so far, Hz: the foot of a real line is wider than its half height.
LEAST_HZ = 12.0

#: Lines of one signal that are fitted; of a forest the strongest.
TOGETHER = 8

#: How far from its table a solvent's line may stand once the scale is set, ppm.
SOLVENT_PPM = 0.02

#: An integral that another flank moves by more than this many of its noise errors, and by more than
#: this share of itself, is withheld.
FLANK_SIGMA, FLANK_SHARE = 10.0, 0.15

#: A fit that misses no more than this over the noise describes its lines.
DESCRIBED = 1.3

#: Where lines of a nucleus are, hydrides and paramagnets included: a shift beyond says that the
#: receiver's frequencies in the file are not those of a scale.
POSSIBLE_PPM = {"1H": (-300.0, 500.0), "13C": (-1000.0, 2000.0)}


@dataclass(frozen=True)
class Region:
    """A line, or lines whose wings overlap, with the window of its fit and its integral.

    `area_error` is of the sum of the lines, `outside` what of it lies beyond the window, `misfit`
    what the fit misses over the noise. Lines of a fit that has not `converged` are more than the
    spectrum tells apart.
    """

    name: str
    lines: tuple[Line, ...]
    window: tuple[float, float]
    solvent: bool = False
    area_error: float = 0.0
    outside: float = 0.0
    misfit: float = np.inf
    converged: bool = True

    @property
    def strongest(self) -> Line:
        """Its largest line."""
        return max(self.lines, key=lambda line: line.area)


@dataclass(frozen=True)
class Series:
    """A contact, relaxation or diffusion series: its strongest trace, all of them, courses of
    lines.

    `axis` is a time (s), of diffusion b (s/m²).
    """

    seen: Seen
    axis: np.ndarray
    traces: tuple[Processed, ...]
    courses: tuple[tuple[str, Course], ...]


@dataclass(frozen=True)
class Tube:
    """What was found of one sample: spectra with their regions, courses of lines against a time."""

    sample: str
    spectra: tuple[tuple[Seen, tuple[Region, ...]], ...]
    series: tuple[Series, ...]

    @property
    def courses(self) -> tuple[tuple[str, Course], ...]:
        """Name of a line and its course, of all series."""
        return tuple(one for series in self.series for one in series.courses)


@dataclass(frozen=True)
class _Bench:
    """What every spectrum of the folder shares."""

    settings: Mapping[str, Any]
    standards: Mapping[tuple[str, str], Standard]
    solvents: Solvents
    table: Sequence[Resonance]
    p1_deg: Mapping[tuple, float]
    external: Mapping[str, tuple[float, float]]


def analyse(sheet: Sheet, settings: Mapping[str, Any] = {}) -> Report:
    """All numbers that a folder of NMR experiments gives, each with its error or a reason.

    Parameters
    ----------
    sheet : peled.samples.Sheet
        Of topic nmr.
    settings : mapping
        Of `SETTINGS`; what is not said is as there.

    Returns
    -------
    Report
        `found[sample]` is a `Tube`. Quantities: shifts of the lines that stand out of the noise of
        their spectrum, integrals over that of the strongest line, T_IS and T1rho of a contact
        series, T1 or T2 of a relaxation series, D of a diffusion series, shifts along a titration
        and, where all its spectra have `host_mM`, the constant of a one-to-one complex.

    Raises
    ------
    ValueError
        If a setting is unknown.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}, found {', '.join(unknown)}")
    chosen = {**SETTINGS, **settings}
    holdings = Holdings(sheet, READERS)
    folder = chosen["tables"] or sheet.folder
    problems: list[Problem] = []
    tables = [h.data for h in holdings.select(measurement="line_table")]
    named = tuple(row for rows in tables if isinstance(rows, list) for row in rows)
    p1 = _receivers(holdings, chosen)
    bench = _Bench(chosen, read_standards(folder), read_solvents(folder), named, p1, {})
    bench = replace(bench, external=_external(holdings, bench, problems))
    found, quantities = {}, []
    names = dict.fromkeys(h.row.sample for h in holdings if h.row.role == "sample")
    for name in filter(None, names):
        found[name], made = _tube(name, holdings, bench, problems)
        quantities += made
    return from_holdings(
        holdings, quantities, found=found, problems=problems, settings=chosen,
        drawers=drawers.DRAWERS, test=chosen["test"],
    )  # fmt: skip


def _receivers(holdings: Holdings, settings) -> dict[tuple, float]:
    """First-order phase of each receiver, from its spectrum with the clearest phase.

    It comes from the dead time, which the spectra of one setup share.
    """
    best: dict[tuple, Any] = {}
    for held in holdings:
        if held.row.measurement not in SPECTRA or (key := receiver(held.data)) is None:
            continue
        solid = held.row.measurement == "13c_cpmas"
        width = 2.0 if held.row.role == "standard" else broadening(held.data, settings, solid)
        try:
            phase = spectrum_of(held.data, width).phase
        except ValueError:
            continue
        order = (held.row.role != "standard", phase.spread_deg)
        least = 2 if held.row.role == "standard" else 3
        if phase.accepted and phase.lines >= least and order < best.get(key, ((True, np.inf),))[0]:
            best[key] = order, phase.p1_deg
    return {key: p1 for key, (_, p1) in best.items()}


def _external(holdings: Holdings, bench: _Bench, problems: list[Problem]):
    """Nucleus -> (move, error) of the scale in ppm, from rows with the role standard."""
    out = {}
    for held in (h for h in holdings if h.row.role == "standard"):
        content, row = held.data, held.row
        shift = row.settings.get("reference_ppm")
        if shift is not None:
            known = [Standard(row.sample, content.nucleus, float(shift), 0.0, 0, 0.0, "the sheet")]
        else:
            known = [
                s
                for (name, nucleus), s in bench.standards.items()
                if nucleus == content.nucleus and row.sample.lower() in name.lower().split()
            ]
        try:
            if not known:
                raise ValueError(f"{row.sample}: no such standard; fill in reference_ppm")
            spectrum = spectrum_of(content, 2.0, p1_deg=bench.p1_deg.get(receiver(content)))
            moved = reference(spectrum, known[0], width_Hz=6.0)
        except Exception as error:
            problems.append(Problem(row.label, reason(error)))
        else:
            out[content.nucleus] = moved.moved_ppm, moved.error_ppm
    return out


def _contacts(held: Sequence[Held]) -> list[Held]:
    """Contact times of one file each (`contact_ms`) as one series, a scan's worth of each."""
    out: list[Held] = []
    series: dict[tuple, list[Held]] = {}
    for one in held:
        row, content = one.row, one.data
        said = row.measurement == "contact" and "contact_ms" in row.settings
        if said and isinstance(content, Fid) and len(content.data) == 1:
            setup = content.data.shape, receiver(content), content.reference_MHz
            series.setdefault((row.state, row.replicate, *setup), []).append(one)
        else:
            out.append(one)
    for members in series.values():
        members.sort(key=lambda one: one.row.settings["contact_ms"])
        times = np.array([one.row.settings["contact_ms"] for one in members]) * 1e-3
        data = np.concatenate([one.data.data / max(one.data.scans, 1) for one in members])
        first = members[0]
        out.append(replace(first, data=replace(first.data, data=data, delays_s=times)))
    return out


def _tube(name: str, holdings: Holdings, bench: _Bench, problems: list[Problem]):
    spectra, series, quantities = [], [], []
    held = _contacts(holdings.select(sample=name, role="sample"))
    for one in held:
        try:
            if one.row.measurement in SPECTRA:
                protons = [h for h in held if isinstance(h.data, Fid) and h.data.nucleus == "1H"]
                seen, regions, made = _one(one, bench, problems, protons)
                spectra.append((seen, regions))
            elif one.row.measurement in SERIES:
                mine, made = _series(one, bench, problems)
                series.append(mine)
            else:
                continue
        except Exception as error:  # a spectrum that cannot be processed stops no other
            problems.append(Problem(one.row.label, reason(error)))
            continue
        quantities += made
    quantities += _titration(name, [s for s, _ in spectra], bench.table)
    return Tube(name, tuple(spectra), tuple(series)), quantities


# ---- one spectrum --------------------------------------------------------------------------------


def _by_protons(spectrum: Processed, content, row, protons: Sequence[Held], bench: _Bench):
    """Move and error of the scale by a 1H spectrum of the same sample; None without such a one."""
    for held in protons:
        known = bench.standards, bench.solvents, None, bench.settings["false_alarm"]
        with suppress(ValueError):
            raw = spectrum_of(
                held.data, broadening(held.data, bench.settings, False),
                p1_deg=bench.p1_deg.get(receiver(held.data)),
            )  # fmt: skip
            seen = see(held.row, held.data, raw, *known)
            if seen.scale_error_ppm is None:
                continue
            solvent = bench.solvents.find(str(row.settings.get("solvent") or content.solvent))
            moved = seen.spectrum.carrier_ppm - raw.carrier_ppm
            move, error = indirect(spectrum, raw, moved, solvent)
            return move, float(np.hypot(error, seen.scale_error_ppm))
    return None


def _one(held: Held, bench: _Bench, problems: list[Problem], protons: Sequence[Held] = ()):
    row, content, chosen = held.row, held.data, bench.settings
    solid = row.measurement == "13c_cpmas"
    p1 = bench.p1_deg.get(receiver(content))
    spectrum = spectrum_of(content, broadening(content, chosen, solid), p1_deg=p1)
    external = bench.external.get(spectrum.nucleus) if solid else None
    if spectrum.nucleus != "1H" and not solid:
        external = _by_protons(spectrum, content, row, protons, bench)
    known = bench.standards, bench.solvents, external
    seen = see(row, content, spectrum, *known, chosen["false_alarm"])
    if not seen.matched.there:
        problems.append(Problem(row.label, f"no line: {seen.matched}"))
        return seen, (), []
    regions = _regions(seen, bench, problems)
    drawn = [
        Region(name, (), tuple(sorted(map(float, ends))))
        for name, ends in chosen["regions_ppm"].get(row.label, {}).items()
    ]
    made = integrals(seen, drawn or regions, _first(drawn, regions, bench), held.digest)
    return seen, tuple(drawn or regions), [*_shifts(seen, regions, held.digest), *made]


def _regions(seen: Seen, bench: _Bench, problems: list[Problem]) -> list[Region]:
    """The strongest signals: lines that overlap are fitted together, in a window of their own."""
    m = seen.matched
    index, widths = m.lines()
    if not len(index):
        index, widths = np.array([m.best]), m.width_Hz[[m.best]]
    found = [
        Component(f"line {k + 1}", *pair)
        for k, pair in enumerate(zip(m.ppm[index].tolist(), widths.tolist(), strict=True))
    ]
    ratio = {c.name: m.ratio[i] for c, i in zip(found, index, strict=True)}
    groups = _windows(seen, found)
    order = sorted(groups, key=lambda g: -max(ratio[c.name] for c in g[0]))
    out = []
    for group, window in sorted(order[: bench.settings["lines"]], key=lambda g: g[1]):
        strongest = sorted(group, key=lambda c: -ratio[c.name])[:TOGETHER]
        place = f"{seen.row.label}, {np.mean(window):.2f} ppm"
        try:
            fits = _fits(seen, sorted(strongest, key=lambda c: c.centre_ppm), window)
        except Exception as error:
            problems.append(Problem(place, reason(error)))
            continue
        if not fits:
            said = "what stands there is no line: wider than its window, or of no sure area"
            problems.append(Problem(place, said))
        for fit, own in fits:
            if all(is_hum(seen.spectrum, line) for line in fit.lines):
                said = "pick-up of the mains: a multiple of its frequency from the receiver's"
                problems.append(Problem(place, f"{said}, without decay"))
            else:
                out.append(_named(seen, fit, own, bench))
    return out


def _windows(seen: Seen, lines: Sequence[Component]):
    """Lines that overlap, with the window that holds them and their wings."""
    spectrum, end = seen.spectrum, seen.spectrum.ppm[[1, -2]]
    places, widths = np.array([(c.centre_ppm, c.width_Hz) for c in lines]).T
    full = np.maximum(widths + spectrum.line_broadening_Hz, spectrum.hz_per_point)
    least = 0.0 if seen.row.measurement in SOLIDS else LEAST_HZ
    reach = np.maximum(REACH * full, least) / spectrum.reference_MHz
    out = []
    for g in _overlapping(places, 1.5 * reach):
        low, high = (places[g] - reach[g]).min(), (places[g] + reach[g]).max()
        out.append(([lines[k] for k in g], (float(max(low, end[0])), float(min(high, end[1])))))
    return out


def _fits(seen: Seen, lines: Sequence[Component], window) -> list[tuple[LineFit, tuple]]:
    """Fits of lines in their windows, until all that are fitted are there and overlap.

    What a fit makes wider than its window, or moves out of it, is baseline.
    """
    spectrum = seen.spectrum
    fit = fit_lines(spectrum, window, lines)
    wide = (window[1] - window[0]) * spectrum.reference_MHz
    kept = [
        replace(
            c,
            centre_ppm=line.position_ppm,
            width_Hz=line.width_Hz if fit.converged else c.width_Hz,
        )
        for c, line in zip(lines, fit.lines, strict=True)
        if window[0] < line.position_ppm < window[1]
        and line.width_Hz < wide
        and there(spectrum, line, window)
    ]
    groups = _windows(seen, kept) if kept else []
    if len(groups) == 1 and len(kept) == len(lines):
        return [(fit, window)]
    out = []
    for group, (low, high) in groups:
        out += _fits(seen, group, (max(low, window[0]), min(high, window[1])))
    return out


def _overlapping(places: np.ndarray, reach: np.ndarray) -> list[list[int]]:
    """Indices of places, ascending, in groups whose reaches meet."""
    out: list[list[int]] = []
    end = -np.inf
    for k in np.argsort(places):
        if not out or places[k] - reach[k] > end:
            out.append([])
        out[-1].append(int(k))
        end = max(end, places[k] + reach[k]) if len(out[-1]) > 1 else places[k] + reach[k]
    return out


def _named(seen: Seen, fit: LineFit, window, bench: _Bench) -> Region:
    """The region with the name of the table's line or the solvent's that stands nearest in reach.

    A line of the table that is split is fitted anew by its first-order pattern.
    """
    kept = fit.lines
    centre = float(np.average([q.position_ppm for q in kept], weights=[q.area for q in kept]))
    known = [
        (abs(r.shift_ppm - centre) / r.reach_ppm, r.name, r)
        for r in bench.table
        if seen.spectrum.nucleus == "1H" and r.ligand in ("", seen.row.sample)
    ]
    known += [(abs(s.shift_ppm - centre) / SOLVENT_PPM, s.name, None) for s in seen.solvent]
    distance, name, row = min(known, key=lambda k: k[0], default=(np.inf, "", None))
    if distance > 1:
        name, row = "", ()
    if row and row.couplings_Hz:
        width = min(q.width_Hz for q in kept)
        pattern = {"couplings_Hz": row.couplings_Hz, "partners": row.partners}
        with suppress(ValueError):  # too few points for the pattern: the lines as they are
            fit = fit_lines(seen.spectrum, window, [Component(name, centre, width, **pattern)])
    error = float(np.sqrt(max(fit.area_covariance.sum(), 0.0)))
    inside = float(fit.curves.sum()) * seen.spectrum.hz_per_point
    outside = abs(sum(line.area for line in fit.lines) - inside)
    return Region(name, fit.lines, window, row is None, error, outside, fit.misfit, fit.converged)


def _place(seen: Seen, line: Line) -> str:
    return f"{line.position_ppm:.{2 if seen.spectrum.nucleus == '1H' else 1}f}"


def _label(seen: Seen, region: Region, line: Line | None = None) -> str:
    """The name of a region, or where it is; of one of its lines, where that has no name."""
    nucleus = seen.spectrum.nucleus
    if region.name and (line is None or len(region.lines) == 1):
        return f"{nucleus} {region.name}"
    if len(region.lines) == 1:
        return f"{nucleus} line near {_place(seen, region.lines[0])} ppm"
    if line is not None:  # neighbours differ in the next digit
        return f"{nucleus} line near {line.position_ppm:.{3 if nucleus == '1H' else 2}f} ppm"
    ends = _place(seen, region.lines[0]), _place(seen, region.lines[-1])
    return f"{nucleus} lines near {ends[0]} to {ends[1]} ppm"


def _common(seen: Seen, digest: str) -> dict[str, Any]:
    settings = seen.row.settings
    said = (f"{settings['equivalents']:g} equivalents" if "equivalents" in settings else "",)
    return {
        "kind": kind_of(seen.row.path),
        "inputs": (digest,),
        "state": ", ".join(filter(None, (seen.row.state, *said))),
    }


def _shifts(seen: Seen, regions: Sequence[Region], digest: str) -> list[Quantity]:
    """Position of each line: noise, with that of the phase, which is fitted with it, and scale."""
    # A scale that nothing set is the receiver's: anywhere in the range a standard is sought in.
    unset = SEARCH_PPM.get(seen.spectrum.nucleus, 3.0) / np.sqrt(3)
    out = []
    for region, line in ((r, line) for r in regions for line in r.lines):
        budget = {
            "noise": line.position_error_ppm,
            "scale": unset if seen.scale_error_ppm is None else seen.scale_error_ppm,
        }
        budget = {cause: float(e) for cause, e in budget.items() if e > 0}
        findings = [*seen.findings, *seen.scale]
        told = region.converged and all(f.status != "withheld" for f in seen.scale)
        if not region.converged:
            count = len(region.lines)
            said = f"the {count} lines fitted there are more than the spectrum tells apart"
            said = said if count > 1 else "no line shape that is known describes what stands there"
            findings.append(Finding("determined", "withheld", said, seen.row.label))
        q = Quantity(
            f"shift, {_label(seen, region, line)}",
            seen.row.sample,
            line.position_ppm if told else None,
            budget if told else {},
            "ppm",
            findings=tuple(findings),
            **_common(seen, digest),
        )
        ends = POSSIBLE_PPM.get(seen.spectrum.nucleus, ())
        out.append(judge(q, possible(*ends, where=seen.row.label)))
    return out


def _first(drawn: Sequence[Region], regions: Sequence[Region], bench: _Bench) -> int | None:
    """Which integral the others are to be over: the first region drawn, else the first line of the
    table that is there."""
    named = {r.name: i for i, r in enumerate(regions) if not r.solvent}
    return 0 if drawn else next((named[r.name] for r in bench.table if r.name in named), None)


def _largest(found: Integrals, regions: Sequence[Region]) -> int:
    """The largest integral, of no solvent's line and of a sure size where there is such a one."""

    def order(i: int) -> tuple[bool, bool, float]:
        one = found.regions[i]
        return one.error < FLANK_SHARE * one.area, not regions[i].solvent, one.area

    return max(range(len(regions)), key=order)


def integrals(
    seen: Seen, regions: Sequence[Region], over: int | None, digest: str
) -> list[Quantity]:
    """Integrals of the other regions over that of region `over`, by default the largest.

    Where fitted lines describe a signal their areas are taken: they hold all of its wings. Else, as
    the foot of a real line is no Lorentzian's, the integral with its wings corrected, and by what
    the lines differ from it is part of its error.

    Parameters
    ----------
    seen : Seen
    regions : sequence of Region
    over : int or None
        Index of the region that the others are over.
    digest : str
        Of the file, for the record of the quantity.

    Returns
    -------
    list of Quantity
        One for each other region, without unit; withheld where flank or wings move it too far.
    """
    if len(regions) < 2:
        return []
    found = integrate(seen.spectrum, [r.window for r in regions], wings=True, local=True)
    found = _by_lines(found, regions)
    over = _largest(found, regions) if over is None else over
    where = seen.row.label
    below = regions[over].name or f"that near {_place(seen, regions[over].strongest)}"
    out = []
    for i, region in enumerate(regions):
        if i == over:
            continue
        value, error = found.ratio(i, over)
        noise = min(_noise_of_ratio(found, i, over), error)
        budget = {"noise": noise, "baseline and wings": float(np.sqrt(error**2 - noise**2))}
        name = f"integral, {_label(seen, region)} over {below}"
        q = Quantity(name, seen.row.sample, value, {k: v for k, v in budget.items() if v > 0},
                     "", findings=seen.findings, **_common(seen, digest))  # fmt: skip
        q = judge(q, signal(value, error, "the integral", tries=len(regions), where=where))
        q = judge(q, *_areas(seen))
        out.append(judge(q, *(_flank(found.regions[k], where) for k in (i, over))))
    return out


def _by_lines(found: Integrals, regions: Sequence[Region]) -> Integrals:
    """Areas of fitted lines where the fit describes them, and what fit and integral differ by.

    What an integral has above the lines is signal that they do not describe. Lines above the
    integral have bent the baseline: they are heard on their wings beyond the window alone.
    """
    covariance, systematic, out = found.covariance.copy(), found.systematic.copy(), []
    apart = np.zeros(len(regions))
    for i, (one, region) in enumerate(zip(found.regions, regions, strict=True)):
        area = sum(line.area for line in region.lines)
        if region.lines and region.converged and region.misfit < DESCRIBED:
            one = Integral(one.low_ppm, one.high_ppm, area, region.area_error, 0.0, 0.0)
            for of in (covariance, *systematic):
                of[i], of[:, i] = 0.0, 0.0
            covariance[i, i] = region.area_error**2
        elif region.lines:
            beyond = np.sqrt(max((area - one.area) ** 2 - one.noise_error**2, 0.0))
            apart[i] = beyond if area < one.area else min(beyond, region.outside)
            wing_error = float(np.hypot(one.wing_error, apart[i]))
            one = replace(one, wing_error=wing_error)
        out.append(one)
    return Integrals(tuple(out), covariance, np.array([*systematic, np.diag(apart**2)]))


def _flank(region: Integral, where: str) -> Gate:
    """Withholds what rests on an integral that another flank or the wings move too far."""
    moved, noise = region.systematic_error, region.noise_error

    def gate(_: Quantity) -> Finding | None:
        if moved <= max(FLANK_SIGMA * noise, FLANK_SHARE * abs(region.area)):
            return None
        said = (
            f"another flank or the wings move the integral by {moved:.2g} of {region.area:.3g}, "
            f"{times(moved / noise)} its noise"
        )
        return Finding("determined", "withheld", said, where)

    return gate


def _areas(seen: Seen) -> list[Gate]:
    """Withhold what rests on areas of a decay that reached its ceiling, or of lines that do not
    stand upright.
    """
    lost = [f for f in seen.findings if f.gate in ("undamaged", "described")]
    return [_always(replace(f, status="withheld")) for f in lost]


def _noise_of_ratio(found: Integrals, i: int, j: int) -> float:
    a, b, c = found.regions[i].area, found.regions[j].area, found.covariance
    variance = c[i, i] / b**2 + c[j, j] * a**2 / b**4 - 2 * c[i, j] * a / b**3
    return float(np.sqrt(max(variance, 0.0)))


# ---- series --------------------------------------------------------------------------------------


def _series(held: Held, bench: _Bench, problems: list[Problem]):
    """Courses of the strongest lines of a contact, relaxation or diffusion series."""
    row, content = held.row, held.data
    axis = _axis(row, content)
    contact = row.measurement == "contact"
    p1 = bench.p1_deg.get(receiver(content))
    traces = traces_of(content, broadening(content, bench.settings, contact), p1)
    largest = int(np.argmax([np.abs(t.real).max() for t in traces]))
    solid = bench.external.get(content.nucleus) if contact else None
    known = bench.standards, bench.solvents, solid, bench.settings["false_alarm"]
    seen = see(row, content, traces[largest], *known)
    if not seen.matched.there:
        raise ValueError(f"no line in the strongest trace: {seen.matched}")
    moved = float(seen.spectrum.ppm[0] - traces[largest].ppm[0])
    traces = tuple(t.shifted(moved) for t in traces)
    regions = _regions(seen, bench, problems)
    windows = [r.window for r in regions]
    courses, quantities = [], []
    areas = integrate(seen.spectrum, windows, wings=True).regions if regions else ()
    each = [integrate(t, windows, local=True).regions for t in traces] if regions else []
    for k, (region, area) in enumerate(zip(regions, areas, strict=True)):
        course = _course([of[k] for of in each], axis, row.measurement)
        label = _label(seen, region)
        courses.append((label, course))
        common = _common(seen, held.digest) | {"sample": row.sample, "where": row.label}
        for name in (n[3:] for n in course.estimates.names if n.startswith("ln ")):
            if name == "1/D":
                q = course.diffusion(label=f"D, {label}", **common)
            else:
                q = course.time(name, "ms", label=f"{name}, {label}", **common)
            against = [*(_always(f) for f in seen.findings), *_areas(seen)]
            quantities.append(judge(q, *against, _flank(area, row.label)))
    return Series(seen, axis, traces, tuple(courses)), quantities


def _axis(row, content) -> np.ndarray:
    """Time (s) of each trace; of a diffusion experiment b, s/m²."""
    if row.measurement == "dosy" and isinstance(content, Fid):
        axis = read_gradients(content.path).weights_s_m2(GYROMAGNETIC_MHz_T[content.nucleus])
    elif not isinstance(content, Fid) or content.delays_s is None:
        raise ValueError(
            "a series needs its list of times (vdlist, vclist, vplist) in the folder; contact "
            "times of one file each stand in contact_ms of the sample sheet"
        )
    else:
        axis = content.delays_s
    if len(axis) < len(content.data) and row.measurement == "dosy":
        raise ValueError(f"{len(axis)} gradients for {len(content.data)} traces")
    return axis[: len(content.data)]


#: Fit of a series by its measurement.
_FITS = {"contact": fit_build_up, "relaxation": fit_relaxation, "dosy": fit_diffusion}


def _always(finding: Finding) -> Gate:
    return lambda _: finding


def _course(found: Sequence[Integral], times, measurement: str) -> Course:
    areas = np.array([r.area for r in found])
    # Wings and flank cost each trace the same share.
    errors = np.array([r.noise_error for r in found])
    return _FITS[measurement](times, areas, errors)


def _titration(name: str, seen: Sequence[Seen], table: Sequence[Resonance]) -> list[Quantity]:
    """How far the lines of a table moved along a titration."""
    steps = [s for s in seen if "equivalents" in s.row.settings and s.matched.there]
    steps.sort(key=lambda s: s.row.settings["equivalents"])
    wanted = [r for r in table if r.ligand == name] or table
    ratios = [s.row.settings["equivalents"] for s in steps]
    if len(set(ratios)) < 3 or not wanted:
        return []
    f = follow([s.spectrum for s in steps], ratios, wanted)
    said = [x for s in steps for x in (*s.findings, *s.scale)]
    findings = tuple(dict.fromkeys(x for x in said if x.status != "withheld"))  # a difference
    out = []
    for i, line in enumerate(f.names):
        common = {"kind": kind_of(*(s.row.path for s in steps)), "unit": "ppm"}
        label = f"shift of {line} over the titration"
        kept = np.isfinite(f.shift_ppm[:, i])
        if kept.sum() < 3:
            said = f"{line}: seen in {kept.sum()} of {len(kept)} spectra; three are needed"
            lost = (Finding("signal", "withheld", said, steps[0].row.label),)
            out.append(Quantity(label, name, None, {}, findings=lost, **common))
            continue
        columns = (f.shift_ppm, f.shift_error_ppm, f.width_Hz, f.width_error_Hz)
        t = trend(line, f.ratio[kept], *(c[kept, i] for c in columns))
        budget = {"lines": t.shift_error_ppm}
        out.append(
            Quantity(label, name, t.shift_ppm, budget, findings=findings, note=t.kind, **common)
        )
    return [*out, *(q.found(*findings) for q in _bound(name, steps, f))]


def _bound(name: str, steps: Sequence[Seen], f: Followed) -> list[Quantity]:
    """The constant of a one-to-one complex, by the lines that were followed through all spectra;
    none where a spectrum does not say `host_mM`, or the shifts are too few."""
    host = [s.row.settings.get("host_mM") for s in steps]
    through = np.isfinite(f.shift_ppm).all(axis=0)
    if None in host or not through.any():
        return []
    host_M = np.array(host) * 1e-3
    shifts = f.shift_ppm[:, through], f.shift_error_ppm[:, through]
    try:
        b = fit_binding(host_M, host_M * f.ratio, *shifts)
    except ValueError:
        return []
    low, high = b.log10_K_intervals[0]
    findings = []
    if low <= LOG_K_RANGE[0] or high >= LOG_K_RANGE[1]:
        said = f"log10 K lies between {low:.2g} and {high:.2g}, an end of the search"
        findings.append(Finding("determined", "withheld", said, steps[0].row.label))
    if chdtrc(b.freedom, b.chi2) < FALSE_ALARM:
        said = f"one-to-one binding leaves chi2 = {b.chi2:.3g} of {b.freedom} degrees of freedom"
        findings.append(Finding("described", "doubtful", said, steps[0].row.label))
    added = " and ".join(dict.fromkeys(s.row.settings.get("titrant", "") for s in steps))
    of = f"log10 K of {added}".removesuffix(" of ")
    error = {"shifts": (high - low) / (2 * Z95)}
    kind = kind_of(*(s.row.path for s in steps))
    note = f"L/mol, 1:1, by {', '.join(np.array(f.names)[through])}"
    ends = {"interval": (low, high), "findings": tuple(findings), "kind": kind, "note": note}
    return [Quantity(of, name, b.log10_K[0], error, "1", **ends)]
