"""Powder patterns of a sheet: lines that are there, the lattice, crystal size, other phases."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.delimited import read_records
from peled.formats.diffraction import Pattern
from peled.materials import bromide_fraction_of_lattice
from peled.quantities import Finding, possible, signal, threshold
from peled.report import reason
from peled.samples import Held, Holdings
from peled.structure import standards, xrd
from peled.structure.detection import find_lines
from peled.structure.making import Bench, asked, estimates, saturated, with_findings
from peled.structure.windows import part
from peled.tables import table

#: Half range of a zero error that no standard told, degrees.
ZERO_DEG = 0.02

#: Two cells of scores closer than this are not told apart: 0.94 for a pattern with three lines in
#: the ratio 3 : 4 : 8, at most 0.76 for perovskites and LaB6.
RIVAL_CELL = 0.85

#: Sums h² + k² + l² that no lattice point has, and how near (degrees) a line stands where they
#: would: a body-centred cell whose constant is √2 times as large has such lines.
NO_SUMS, NEAR_DEG = (7, 15, 23, 28), 0.12


@lru_cache(maxsize=1)
def _phases() -> dict[str, tuple[tuple[str, float], ...]]:
    found = defaultdict(list)
    for row in read_records(table("structure/phases.csv"), ("name", "hkl", "d_A"))[0]:
        found[row["name"]].append((row["hkl"], row.number("d_A")))
    return {name: tuple(lines) for name, lines in found.items()}


def ruler_of(holdings: Holdings, settings) -> tuple[standards.Ruler | None, list]:
    """Zero, height and width from the standard of a sheet; what is to say about it.

    Parameters
    ----------
    holdings : Holdings
        Rows of role "standard" first, then those that show the lines of a known standard.
    settings : mapping
        Of the analysis; none is used.

    Returns
    -------
    ruler : Ruler or None
        Of the first standard that could be fitted; None without one.
    said : list of (str, str)
        Label of a row and a remark on it.
    """
    known = standards.read_standards(holdings.sheet.folder)
    said: list[tuple[str, str]] = []
    rows = sorted(holdings.select(measurement="xrd"), key=lambda h: h.row.role != "standard")
    for held in rows:
        if held.row.role != "standard" and not held.data.wavelengths_A:
            continue
        try:
            word = str(held.row.settings.get("standard", ""))
            seen = standards.recognised(held.data, known)
            named = standards.named(word, known)
            if held.row.role != "standard" and seen is None:
                continue
            if seen and named and seen is not named:
                said.append((held.row.label, f"named {named.name}, shows the lines of {seen.name}"))
                continue
            standard = named or seen
            if standard is None:
                said.append((held.row.label, "a standard that is neither named nor recognised"))
                continue
            pattern, clipped = _unclipped(held)
            said += [(f.where, f.evidence) for f in clipped]
            crystals = held.row.settings.get("standard_size_nm")
            ruler = standards.calibrate(pattern, standard, _radius(held)[0], crystals)
        except Exception as error:  # a standard that fails leaves the others
            said.append((held.row.label, reason(error)))
            continue
        text = (
            f"{standard.name}: a = {ruler.free.a_A:.6f} Å with the height held at 0, certificate "
            f"{standard.a_A:.6f} Å: {ruler.off_sigma:+.1f} standard errors"
        )
        if abs(ruler.off_sigma) > threshold():
            text += (
                f"; the standard stood {ruler.fit.displacement_mm:+.3f} mm off, or the wavelength"
                " or radius is not as said"
            )
        return ruler, [*said, (held.row.label, text)]
    return None, said


def _unclipped(held: Held) -> tuple[Pattern, tuple[Finding, ...]]:
    """The pattern without points at a ceiling of the counts, whose flanks still tell cell and size,
    and what that leaves in doubt.
    """
    y = held.data.intensity
    said = saturated(held.data.two_theta_deg, y, held.row.label)
    if not said:
        return held.data, ()
    doubts = tuple(
        replace(f, status="doubtful", evidence=f"{f.evidence}; they have no weight") for f in said
    )
    return part(held.data, y < y.max()), doubts


def _radius(held: Held) -> tuple[float, bool]:
    """Radius of the goniometer, mm, and whether anybody said it."""
    said = held.row.settings.get("radius_mm")
    return (float(said), True) if said else (240.0, False)


def evaluate(bench: Bench, ruler: standards.Ruler | None, spread: float | None) -> None:
    """All patterns of a sample; `spread` is the relative one of its edges from micrographs.

    Parameters
    ----------
    bench : Bench
        Its rows hold powder patterns.
    ruler : Ruler, optional
        Zero and instrumental width, from `ruler_of`.
    spread : float, optional
        Standard deviation over mean.
    """
    bench.each(_pattern, ruler, spread)


def _pattern(bench: Bench, held: Held, ruler, spread) -> None:
    pattern = held.data
    try:
        wavelengths = pattern.radiation_A
    except FormatError as error:
        finding = asked("wavelength_A", held.row.label)
        for name, unit in (("lattice constant", "Å"), ("crystal size", "nm")):
            bench.withheld(held, name, unit, finding)
        bench.say(held, str(error))
        return
    for note in pattern.notes:
        bench.say(held, note)
    x, y = pattern.two_theta_deg, pattern.intensity
    lines = find_lines(x, y, pattern.sigma)
    if len(lines.features) < 2:
        bench.nothing(held, "lattice constant", "Å", "signal", lines.sentence("two lines"))
        return
    try:
        _one_cell(x, y, wavelengths[0], lines)
        sound, clipped = _unclipped(held)
        held = replace(held, data=sound)
        fit, wings = _fit(held, ruler, spread, bench.settings)
    except ValueError as error:
        bench.nothing(held, "lattice constant", "Å", "determined", reason(error))
        return
    of_all = float(np.hypot(fit.size_error_nm, wings))
    bench.keep[held.row.label] = replace(fit, size_error_nm=of_all)
    since = len(bench.quantities)
    _quantities(bench, held, fit, ruler, wings)
    _other_phases(bench, held, fit, wavelengths)
    # Errors are widened by a misfit, but it may have a direction; so has what was assumed wrongly.
    bench.doubt(since, *(Finding(g, "doubtful", said, held.row.label) for g, said in fit.doubts))
    if ruler is not None and fit.size_nm < 200:
        _single_lines(bench, held, fit, ruler, wavelengths)
    if bench.settings["phases"]:
        _several(bench, held, fit, ruler)
    bench.doubt(since, *clipped)


def _one_cell(x, y, wavelength: float, lines) -> None:
    """ValueError where another cubic cell explains the lines nearly as well as the best, or two
    lines stand where no primitive one has any.
    """
    (best, a), *others = xrd.cubic_cells(x, y, wavelength_A=wavelength)
    for score, other in others:
        if score > RIVAL_CELL * best and abs(other / a - 1) > 0.03:
            raise ValueError(
                f"cubic cells of {a:.3f} and {other:.3f} Å explain the lines alike "
                f"({best:.2f} and {score:.2f}): measure a wider range, or the lattice is another"
            )
    sines = wavelength / (2 * a) * np.sqrt(NO_SUMS)
    seen = [at for at in 2 * np.degrees(np.arcsin(sines[sines < 1])) if lines.near(at, NEAR_DEG)]
    if len(seen) > 1:
        raise ValueError(
            f"lines at {' and '.join(f'{at:.2f}' for at in seen)}° are of no primitive cubic cell "
            f"of {a:.3f} Å: a body-centred one of {a * np.sqrt(2):.3f} Å has them"
        )


def fit_options(held: Held, ruler: standards.Ruler | None, spread: float | None, settings) -> dict:
    """Options of `xrd.pawley_fit` for the pattern of a row: what sheet, standard and settings
    say.

    Parameters
    ----------
    held : Held
        Row with a powder pattern.
    ruler : Ruler, optional
        Without one, zero is 0 ± `ZERO_DEG` and no instrumental width is known.
    spread : float, optional
        Relative standard deviation of the edges; by default the setting `edge_spread`.
    settings : mapping
        With `crystals`; for cubes also `edge_spread` and `thin_film`.

    Returns
    -------
    dict

    Raises
    ------
    FormatError
        If the wavelength is not known.
    """
    options = {
        "wavelengths_A": held.data.radiation_A,
        "radius_mm": _radius(held)[0],
        "zero_deg": ruler.zero_deg if ruler else (0.0, ZERO_DEG),
        "displacement_mm": None,
        "instrument_fwhm_deg": ruler.gauss_deg if ruler else None,
    }
    if settings["crystals"] == "cubes":
        options |= {
            "instrument_fwhm_deg": ruler.fwhm_deg if ruler else None,
            "shape": "cube",
            "size_relative_sd": spread if spread is not None else settings["edge_spread"],
            "thin_film": settings["thin_film"],
        }
    return options


def _fit(held: Held, ruler, spread, settings) -> tuple[xrd.PawleyFit, float]:
    """The fit, its size less the instrument's Lorentzian width where lines are Lorentzians, and
    what that width adds to the error of the size, nm.
    """
    pattern = held.data
    data = (pattern.two_theta_deg, pattern.intensity, pattern.sigma)
    others = [d for lines in _phases().values() for _, d in lines]
    if settings["crystals"] == "cubes":
        fit = xrd.pawley_fit(*data, extra_d_A=others, **fit_options(held, ruler, spread, settings))
        if fit.converged and fit.size_nm < 60:  # the width held is that of all its wings
            error = replace(ruler, crystals_nm=None).wings_per_nm[1] if ruler else 0.0
            return fit, error * fit.size_nm**2
    options = fit_options(held, ruler, spread, {**settings, "crystals": "any"})
    fit = xrd.pawley_fit(*data, extra_d_A=others, **options)
    if not ruler:
        return fit, 0.0
    if fit.size_nm > 200:  # narrower than the instrument of the standard
        options |= {"instrument_fwhm_deg": None}
        return xrd.pawley_fit(*data, extra_d_A=others, **options), 0.0
    size, *errors = _less_wings(fit.size_nm, fit.size_error_nm, ruler)
    return replace(fit, size_nm=size, size_error_nm=errors[0]), errors[1]


def _less_wings(
    size_nm: float, error_nm: float, ruler: standards.Ruler
) -> tuple[float, float, float]:
    """Size without the Lorentzian width of the instrument, as such widths add up; its error by that
    of the fit and by that of the instrument's width.

    Where nothing is left the size is as good as unknown.
    """
    wings, wings_error = ruler.wings_per_nm
    error = error_nm / size_nm**2
    inverse = max(1 / size_nm - wings, float(np.hypot(error, wings_error)))
    return 1 / inverse, error / inverse**2, wings_error / inverse**2


def _quantities(bench, held, fit, ruler, wings) -> None:
    where = held.row.label
    strength = fit.intensities / np.maximum(fit.intensity_errors, 1e-300)
    second = int(np.argsort(-strength)[min(1, len(strength) - 1)])
    there = signal(
        float(fit.intensities[second]),
        float(fit.intensity_errors[second]),
        "the second strongest reflection",
        tries=len(fit.indices),
        where=where,
    )
    notes = "; ".join(["of a primitive cubic cell", *fit.notes])
    cell = estimates(
        ("a", "height", "size"),
        (fit.a_A, fit.displacement_mm, fit.size_nm),
        ("Å", "mm", "nm"),
        (fit.a_error_A, max(fit.displacement_error_mm, 1e-6), max(fit.size_error_nm, 1e-6)),
        converged=fit.converged,
    )
    if ruler is None:
        notes = f"{notes}; zero 0 ± {ZERO_DEG}° assumed: no standard in the sheet"
    lattice = bench.make(
        held, "lattice constant", "Å", lambda p: p["a"], cell, gates=(there,), note=notes
    )
    if _radius(held)[1]:
        bench.make(held, "sample height", "mm", lambda p: p["height"], cell, gates=(there,))
    else:
        bench.withheld(held, "sample height", "mm", asked("radius_mm", where))
    kind_of_size = "edge of cubes" if fit.shape == "cube" else "volume-weighted column length"
    if fit.narrow or np.hypot(fit.size_error_nm, wings) > 0.5 * fit.size_nm:
        text = "the lines are as narrow as the instrument's: larger than the pattern can tell"
        bench.nothing(held, "crystal size", "nm", "determined", text)
    else:
        bench.make(held, "crystal size", "nm", lambda p: p["size"], cell, gates=(there,),
                   note=kind_of_size, wings=wings)  # fmt: skip
        if ruler is None and fit.shape != "cube":
            said = "the instrument's width was fitted with the size: no standard in the sheet"
            finding = Finding("assumed", "doubtful", said, where)
            bench.quantities[-1] = with_findings(bench.quantities[-1], finding)
    if bench.settings["alloy"] and lattice.value is not None:
        ends = bromide_fraction_of_lattice(lattice.value, 0.0)[1]
        bench.make(
            held, "x_Br (lattice)", "1", lambda a: bromide_fraction_of_lattice(a, 0.0)[0], lattice,
            gates=(possible(0, 1, where=where),), note="Vegard, bulk end members",
            **{"end members": ends},
        )  # fmt: skip


def _single_lines(bench: Bench, held: Held, fit, ruler, wavelengths) -> None:
    """Sizes after Scherrer and Williamson-Hall beside that of the whole pattern."""
    narrower = (_narrower(b, wavelengths[0], ruler) for b in
                xrd.breadths(fit, wavelengths, ruler.gauss_deg))  # fmt: skip
    lines = [line for line, wings in narrower
             if line.breadth_deg > np.hypot(line.error_deg, wings)]  # fmt: skip
    wings = ruler.wings_per_nm[1]
    for line in lines[:1]:
        size, error = line.size_nm(wavelengths[0])
        name = f"crystal size (Scherrer, {' '.join(f'{i:g}' for i in line.hkl)})"
        one = estimates(("size",), (size,), ("nm",), (error,))
        note = "volume-weighted column length, no strain"
        bench.make(held, name, "nm", lambda p: p["size"], one, note=note, wings=wings * size**2)
    if len(lines) < 3:
        return
    both = xrd.williamson_hall(lines, wavelengths[0])
    note = f"{len(lines)} single lines"
    gates = (possible(0, where=held.row.label),)
    bench.make(held, "crystal size (Williamson-Hall)", "nm", lambda p: 1 / p["inverse size"], both,
               gates=gates, note=note, wings=wings / both.values[0] ** 2)  # fmt: skip
    bench.make(held, "microstrain (Williamson-Hall)", "%", lambda p: p["strain"], both, note=note)


def _narrower(line: xrd.Breadth, wavelength_A: float, ruler: standards.Ruler):
    """A line less the breadth of the instrument's Lorentzian part, and the error of that, degrees:
    lines have it in common.
    """
    turn = np.degrees(0.1 * wavelength_A) / np.cos(np.radians(line.two_theta_deg / 2))
    wings, error = (float(turn * w) for w in ruler.wings_per_nm)
    return replace(line, breadth_deg=line.breadth_deg - wings), error


def _phase_of(word: str, folder: Path) -> xrd.Phase:
    """A phase that the settings name: a CIF of the folder, or one of the table."""
    if word.lower().endswith(".cif"):
        return xrd.read_cif(folder / word)
    known = xrd.known_phases(folder)
    if word not in known:
        raise ValueError(f"phases: expected a CIF or one of {', '.join(known)}, found {word!r}")
    return known[word]


def _several(bench: Bench, held: Held, fit, ruler) -> None:
    """Cells of the phases that the settings name, beside the lattice found; shares of the weight
    where two or more of them have structures."""
    phases = [_phase_of(word, held.row.path.parent) for word in bench.settings["phases"]]
    if not any(p.system == "cubic" and abs(p.cell[0] / fit.a_A - 1) < 0.05 for p in phases):
        phases.insert(0, xrd.Phase("lattice", (*[fit.a_A] * 3, 90, 90, 90), "P m -3 m"))
    options = fit_options(held, ruler, None, {**bench.settings, "crystals": "any"})
    options["phases"] = phases
    together = xrd.fit_phases(fit.two_theta_deg, fit.observed, fit.sigma, **options)
    found = together.estimates
    for p in phases:
        for i in p.free:
            label = (
                f"{p.name} {'abc'[i]}" if i < 3 else f"{p.name} {('alpha', 'beta', 'gamma')[i - 3]}"
            )
            unit = "Å" if i < 3 else "°"
            bench.make(held, label, unit, lambda q, n=label: q[n], found)
        label, wings, error = f"{p.name} size", 0.0, 0.0
        if ruler:
            wings = ruler.wings_per_nm[0]
            size = found.values[found.names.index(label)]
            error = _less_wings(size, 0.0, ruler)[2]
        bench.make(held, label, "nm", lambda q, n=label, w=wings: 1 / (1 / q[n] - w), found,
                   gates=(possible(0),), wings=error)  # fmt: skip
    total = together.weights
    if len(total) < 2:
        return
    where = held.row.label
    said = "of a random powder without microabsorption; a texture of the film is in it"
    for name in total:
        made = bench.make(
            held, f"weight fraction, {name}", "1",
            lambda q, n=name: q[f"{n} scale"] * total[n]
            / sum(q[f"{k} scale"] * m for k, m in total.items()),
            found, gates=(possible(0, 1, where=where),),
        )  # fmt: skip
        bench.quantities[-1] = with_findings(made, Finding("assumed", "doubtful", said, where))


def _other_phases(bench, held, fit, wavelengths) -> None:
    """Strongest line of each other phase over the strongest of the lattice: found, or a limit."""
    index = 0
    above = fit.model - fit.background
    top = float(above.max())
    for name, lines in _phases().items():
        values = fit.extra[index : index + len(lines)]
        index += len(lines)
        inside = [
            (hkl, d, *value)
            for (hkl, d), value in zip(lines, values, strict=True)
            if fit.two_theta_deg[0] + 0.3
            < 2 * np.degrees(np.arcsin(min(wavelengths[0] / (2 * d), 1)))
            < fit.two_theta_deg[-1] - 0.3
        ]
        if not inside or top <= 0:
            continue
        hkl, _, height, error = inside[0]  # the table begins with the line that films show
        label = f"{name} ({hkl}) : strongest line"
        line = estimates(("h",), (height / top,), ("1",), (error / top,))
        needed = threshold(tries=len(inside))
        if height > needed * error:
            bench.make(held, label, "1", lambda p: p["h"], line, note="heights, not fractions")
        else:
            text = (
                f"not there: below {max(height, 0) / top + needed * error / top:.2g} of the "
                f"strongest line, where noise alone passes {needed:.1f} standard errors seldom"
            )
            bench.nothing(held, label, "1", "signal", text)
