"""A laboratory's folder of NMR experiments, from its sample sheet to numbers or reasons.

>>> from peled.nmr.analyse import analyse, sniff
>>> from peled.samples import read_sheet
>>> report = analyse(read_sheet("folder", "nmr", sniff=sniff))          # doctest: +SKIP
>>> print(report)                                                       # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from peled.formats.nmr import Fid
from peled.nmr import drawers
from peled.nmr.detection import Course, fit_build_up, fit_relaxation
from peled.nmr.integrals import Integral, Integrals, integrate
from peled.nmr.lines import Component, Line, fit_lines
from peled.nmr.processing import Processed
from peled.nmr.reading import (
    READERS,
    SERIES,
    SPECTRA,
    Seen,
    broadening,
    see,
    sniff,
    spectrum_of,
    traces_of,
)
from peled.nmr.referencing import Solvents, Standard, read_solvents, read_standards, reference
from peled.nmr.series import follow
from peled.nmr.significance import there
from peled.nmr.titration import trend
from peled.quantities import FALSE_ALARM, Finding, Gate, Quantity, judge, signal
from peled.report import Problem, Report, from_holdings
from peled.samples import Held, Holdings, Sheet
from peled.sources import kind_of

__all__ = ["SETTINGS", "analyse", "sniff"]

#: What `settings` may say, and what is taken where it does not.
SETTINGS: Mapping[str, Any] = {
    "line_broadening_1h_Hz": 0.3,  # exponential window, protons
    "line_broadening_13c_Hz": 1.0,  # carbons in solution
    "line_broadening_solid_Hz": 20.0,  # solids
    "false_alarm": FALSE_ALARM,  # chance that noise makes a line anywhere in a spectrum
    "lines": 12,  # strongest lines of a spectrum that are fitted
    "tables": "",  # folder with own solvents.csv and standards.csv; empty: that of the data
    "test": "Welch",  # between groups: Welch or Mann-Whitney
}

#: An integral that another flank moves by more than this many of its noise errors, and by more than
#: this share of itself, is withheld.
FLANK_SIGMA, FLANK_SHARE = 10.0, 0.05


@dataclass(frozen=True)
class Tube:
    """What was found of one sample: spectra with their lines, courses of lines against a time."""

    sample: str
    spectra: tuple[tuple[Seen, tuple[Line, ...]], ...]
    courses: tuple[tuple[str, Course], ...]


@dataclass(frozen=True)
class _Bench:
    """What every spectrum of the folder shares."""

    settings: Mapping[str, Any]
    standards: Mapping[tuple[str, str], Standard]
    solvents: Solvents
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
        series, T1 or T2 of a relaxation series, shifts along a titration.

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
    bench = _Bench(chosen, read_standards(folder), read_solvents(folder), {})
    bench = _Bench(chosen, bench.standards, bench.solvents, _external(holdings, bench, problems))
    found, quantities = {}, []
    names = dict.fromkeys(h.row.sample for h in holdings if h.row.role == "sample")
    for name in filter(None, names):
        found[name], made = _tube(name, holdings, bench, problems)
        quantities += made
    for held in holdings.select(measurement="dosy"):
        problems.append(Problem(held.row.label, "diffusion is not analysed yet"))
    return from_holdings(
        holdings, quantities, found=found, problems=problems, settings=chosen,
        drawers=drawers.DRAWERS, test=chosen["test"],
    )  # fmt: skip


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
            spectrum = spectrum_of(content, 2.0)
            moved = reference(spectrum, known[0], width_Hz=6.0)
        except ValueError as error:
            problems.append(Problem(row.label, str(error)))
        else:
            out[content.nucleus] = moved.moved_ppm, moved.error_ppm
    return out


def _tube(name: str, holdings: Holdings, bench: _Bench, problems: list[Problem]):
    spectra, courses, quantities = [], [], []
    held = holdings.select(sample=name, role="sample")
    for one in held:
        try:
            if one.row.measurement in SPECTRA:
                seen, lines, made = _one(one, bench, problems)
                spectra.append((seen, lines))
            elif one.row.measurement in SERIES:
                mine, made = _series(one, bench, problems)
                courses += mine
            else:
                continue
        except ValueError as error:  # a spectrum that cannot be processed stops no other
            problems.append(Problem(one.row.label, str(error)))
            continue
        quantities += made
    quantities += _titration(name, [s for s, _ in spectra], holdings)
    return Tube(name, tuple(spectra), tuple(courses)), quantities


# ---- one spectrum --------------------------------------------------------------------------------


def _one(held: Held, bench: _Bench, problems: list[Problem]):
    row, content, chosen = held.row, held.data, bench.settings
    solid = row.measurement == "13c_cpmas"
    spectrum = spectrum_of(content, broadening(content, chosen, solid))
    external = bench.external.get(spectrum.nucleus) if solid else None
    known = bench.standards, bench.solvents, external
    seen = see(row, content, spectrum, *known, chosen["false_alarm"])
    if not seen.matched.there:
        problems.append(Problem(row.label, f"no line: {seen.matched}"))
        return seen, (), []
    lines, regions = _lines(seen, chosen["lines"], problems)
    return seen, lines, [*_shifts(seen, lines, held), *_integrals(seen, lines, regions, held)]


def _lines(seen: Seen, count: int, problems: list[Problem]):
    """The strongest lines, each fitted in its own window, and the regions of their integrals."""
    m, spectrum = seen.matched, seen.spectrum
    index = m.lines if len(m.lines) else np.array([m.best])
    index = np.sort(index[np.argsort(m.ratio[index])[::-1][:count]])
    lines, regions = [], []
    for k, i in enumerate(index):
        width = m.width_Hz[i] + spectrum.line_broadening_Hz
        half = max(8 * width, 12 * spectrum.hz_per_point) / spectrum.reference_MHz
        gaps = [abs(m.ppm[j] - m.ppm[i]) / 2 for j in index if j != i]
        half = max(min([half, *gaps]), 6 * spectrum.hz_per_point / spectrum.reference_MHz)
        window = float(m.ppm[i] - half), float(m.ppm[i] + half)
        start = Component(f"line {k + 1}", float(m.ppm[i]), float(m.width_Hz[i]))
        try:
            line = fit_lines(spectrum, window, [start]).lines[0]
        except ValueError as error:
            problems.append(Problem(f"{seen.row.label}, {m.ppm[i]:.2f} ppm", str(error)))
            continue
        if there(spectrum, line, window):
            lines.append(line)
            ends = spectrum.ppm[[1, -2]]
            regions.append((max(window[0], float(ends[0])), min(window[1], float(ends[1]))))
    return tuple(lines), regions


def _label(seen: Seen, line: Line) -> str:
    digits = 2 if seen.spectrum.nucleus == "1H" else 1
    return f"{seen.spectrum.nucleus} line near {line.position_ppm:.{digits}f} ppm"


def _common(seen: Seen, held: Held) -> dict[str, Any]:
    settings = seen.row.settings
    said = (f"{settings['equivalents']:g} equivalents" if "equivalents" in settings else "",)
    return {
        "kind": kind_of(seen.row.path),
        "inputs": (held.digest,),
        "state": ", ".join(filter(None, (seen.row.state, *said))),
    }


def _shifts(seen: Seen, lines: Sequence[Line], held: Held) -> list[Quantity]:
    """Position of each line: noise, scale, and what a wrong phase would move it by.

    Absorption with a share φ of dispersion has its maximum φ Γ/4 off, a fit less than twice that.
    """
    phase = seen.spectrum.phase  # two numbers were fitted to the phases of its lines
    free = max(phase.lines - 2, 1)
    few = np.sqrt(max(phase.lines / free, 1.0)) * student.ppf(0.8413, free)
    turn = np.deg2rad(min(phase.spread_deg * few, 90.0))
    out = []
    for line in lines:
        width = line.width_Hz + seen.spectrum.line_broadening_Hz
        budget = {
            "noise": line.position_error_ppm,
            "phase": turn * width / 2 / seen.spectrum.reference_MHz,
            "scale": seen.scale_error_ppm or 0.0,
        }
        budget = {cause: float(e) for cause, e in budget.items() if e > 0}
        out.append(
            Quantity(
                f"shift, {_label(seen, line)}",
                seen.row.sample,
                line.position_ppm,
                budget,
                "ppm",
                findings=(*seen.findings, *seen.scale),
                **_common(seen, held),
            )
        )
    return out


def _integrals(seen: Seen, lines: Sequence[Line], regions, held: Held) -> list[Quantity]:
    """Integrals over that of the strongest line, wings corrected."""
    if len(lines) < 2:
        return []
    found = integrate(seen.spectrum, regions, wings=True)
    strongest = int(np.argmax([r.area for r in found.regions]))
    out = []
    for i, line in enumerate(lines):
        if i == strongest:
            continue
        value, error = found.ratio(i, strongest)
        noise = min(_noise_of_ratio(found, i, strongest), error)
        budget = {"noise": noise, "baseline and wings": float(np.sqrt(error**2 - noise**2))}
        over = f"over that near {lines[strongest].position_ppm:.2f}"
        name = f"integral, {_label(seen, line)} {over}"
        q = Quantity(name, seen.row.sample, value, {k: v for k, v in budget.items() if v > 0},
                     "", findings=seen.findings, **_common(seen, held))  # fmt: skip
        q = judge(q, signal(value, error, "the integral", tries=len(lines), where=seen.row.label))
        out.append(judge(q, *(_flank(found.regions[k], seen.row.label) for k in (i, strongest))))
    return out


def _flank(region: Integral, where: str) -> Gate:
    """Withholds what rests on an integral that another flank or the wings move too far."""
    moved, noise = region.systematic_error, region.noise_error

    def gate(_: Quantity) -> Finding | None:
        if moved <= max(FLANK_SIGMA * noise, FLANK_SHARE * abs(region.area)):
            return None
        said = (
            f"another flank or the wings move the integral by {moved:.2g} of {region.area:.3g}, "
            f"{moved / noise:.0f} times its noise"
        )
        return Finding("determined", "withheld", said, where)

    return gate


def _noise_of_ratio(found: Integrals, i: int, j: int) -> float:
    a, b, c = found.regions[i].area, found.regions[j].area, found.covariance
    variance = c[i, i] / b**2 + c[j, j] * a**2 / b**4 - 2 * c[i, j] * a / b**3
    return float(np.sqrt(max(variance, 0.0)))


# ---- series --------------------------------------------------------------------------------------


def _series(held: Held, bench: _Bench, problems: list[Problem]):
    """Courses of the strongest lines of a contact or relaxation series."""
    row, content = held.row, held.data
    if not isinstance(content, Fid) or content.delays_s is None:
        raise ValueError("a series needs its list of times (vdlist, vclist, vplist) in the folder")
    contact = row.measurement == "contact"
    traces = traces_of(content, broadening(content, bench.settings, contact))
    largest = int(np.argmax([np.abs(t.real).max() for t in traces]))
    solid = bench.external.get(content.nucleus) if contact else None
    known = bench.standards, bench.solvents, solid, bench.settings["false_alarm"]
    seen = see(row, content, traces[largest], *known)
    if not seen.matched.there:
        raise ValueError(f"no line in the strongest trace: {seen.matched}")
    moved = float(seen.spectrum.ppm[0] - traces[largest].ppm[0])
    lines, regions = _lines(seen, bench.settings["lines"], problems)
    courses, quantities = [], []
    areas = integrate(seen.spectrum, regions, wings=True).regions if regions else ()
    for line, region, area in zip(lines, regions, areas, strict=True):
        course = _course([t.shifted(moved) for t in traces], content.delays_s, region, contact)
        label = _label(seen, line)
        courses.append((label, course))
        common = _common(seen, held) | {"sample": row.sample, "where": row.label}
        for name in (n[3:] for n in course.estimates.names if n.startswith("ln ")):
            q = course.time(name, "ms", label=f"{name}, {label}", **common)
            against = [_always(f) for f in seen.findings]
            quantities.append(judge(q, *against, _flank(area, row.label)))
    return courses, quantities


def _always(finding: Finding) -> Gate:
    return lambda _: finding


def _course(traces: Sequence[Processed], times, region, contact: bool) -> Course:
    found = [integrate(t, [region]).regions[0] for t in traces]
    areas = np.array([r.area for r in found])
    # Wings and flank cost each trace the same share.
    errors = np.array([r.noise_error for r in found])
    return (fit_build_up if contact else fit_relaxation)(times, areas, errors)


def _titration(name: str, seen: Sequence[Seen], holdings: Holdings) -> list[Quantity]:
    """How far the lines of a table moved along a titration."""
    steps = [s for s in seen if "equivalents" in s.row.settings and s.matched.there]
    steps.sort(key=lambda s: s.row.settings["equivalents"])
    tables = [h.data for h in holdings.select(measurement="line_table") if isinstance(h.data, list)]
    wanted = [r for table in tables for r in table]
    wanted = [r for r in wanted if r.ligand == name] or wanted
    ratios = [s.row.settings["equivalents"] for s in steps]
    if len(set(ratios)) < 3 or not wanted:
        return []
    f = follow([s.spectrum for s in steps], ratios, wanted)
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
        findings = tuple(dict.fromkeys(x for s in steps for x in (*s.findings, *s.scale)))
        budget = {"lines": t.shift_error_ppm}
        out.append(
            Quantity(label, name, t.shift_ppm, budget, findings=findings, note=t.kind, **common)
        )
    return out
