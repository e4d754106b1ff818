"""Infrared bands, sub-gap absorption, lead contents and X-ray counts of a sheet."""

from __future__ import annotations

import numpy as np

from peled.quantities import Finding, described, possible, signal, threshold
from peled.samples import Held
from peled.structure import eds, ftir, urbach
from peled.structure.detection import find_lines
from peled.structure.making import Bench, estimates, saturated, with_findings
from peled.structure.reading import read_assignments


def bands(bench: Bench) -> None:
    """Bands of each infrared spectrum that rise out of its own noise.

    Parameters
    ----------
    bench : Bench
        Its rows hold infrared spectra.
    """
    bench.each(_spectrum)


def _spectrum(bench: Bench, held: Held) -> None:
    x, y = held.data.wavenumber_cm1, held.data.absorbance
    clipped = saturated(x, y, held.row.label, "absorbance")
    lost = (y >= y.max()) if clipped else np.zeros(len(y), bool)
    for low, high in _runs(x, lost):
        bench.withheld(held, f"bands from {low:.0f} to {high:.0f}", "1/cm", *clipped)
    if bench.settings["atr"] or held.data.quantity == "ATR":
        y = ftir.atr_corrected(x, y)
        bench.say(held, "ATR: heights as in transmission, over that at 1000 1/cm")
    seen = find_lines(x, y, ftir.local_noise(y), least=5, dof=ftir.NOISE_DOF)
    if not seen.features:
        bench.nothing(held, "bands", "1/cm", "signal", seen.sentence("band"))
        return
    folder = held.row.path.parent
    fit = ftir.fit_bands(x, y, label=bench.sample, assignments=read_assignments(folder), lost=lost)
    bench.keep[held.row.label] = fit
    step = float(np.median(np.diff(x)))
    kept = 0
    for band in fit.bands:
        beside = np.abs(x[lost] - band.position_cm1) < band.fwhm_cm1
        if beside.any() or not seen.near(band.position_cm1, max(band.fwhm_cm1, 4 * step)):
            continue  # a flank of what is at the ceiling is no band
        kept += 1
        noise = float(np.interp(band.position_cm1, x, fit.noise))
        what = " / ".join(dict.fromkeys(a.vibration for a in band.assignments))
        place = estimates(
            ("position",), (band.position_cm1,), ("1/cm",), (max(band.position_error_cm1, 1e-3),)
        )
        bench.make(
            held,
            f"band near {band.position_cm1:.0f}",
            "1/cm",
            lambda p: p["position"],
            place,
            gates=(
                signal(band.height, max(band.height_error, noise), "the band",
                       tries=len(fit.bands), where=held.row.label),
                described(band.misfit_z, band.missed, where=held.row.label),
            ),
            note=what or "no assignment in the table",
            scale=bench.settings["wavenumber_cm1"],
        )  # fmt: skip
    if not kept and not clipped:
        bench.nothing(held, "bands", "1/cm", "signal", seen.sentence("band that can be fitted"))


def _runs(x: np.ndarray, lost: np.ndarray) -> list[tuple[float, float]]:
    """Ends of the ranges that are lost; those closer than eight points are one."""
    at = np.flatnonzero(lost)
    parts = np.split(at, np.flatnonzero(np.diff(at) > 8) + 1) if len(at) else []
    return [tuple(sorted((float(x[p[0]]), float(x[p[-1]])))) for p in parts]


def tails(bench: Bench) -> None:
    """Urbach energy of each absorption measurement that has a tail.

    Parameters
    ----------
    bench : Bench
        Its rows hold photon energy (eV) and signal.
    """
    bench.each(_tail)


def _tail(bench: Bench, held: Held) -> None:
    e, s = held.data
    top, ground = s[-max(len(s) // 8, 5) :], s[: max(len(s) // 8, 5)]
    spread = float(ground.std(ddof=1))
    gain = float(top.mean() - ground.mean())
    error = spread / np.sqrt(len(ground)) * np.sqrt(2)
    if not gain > threshold(tries=len(s)) * error or gain < 10 * spread:
        text = (
            f"no absorption edge above the noise of this file: it rises by {gain:.2g}, the "
            f"noise of its low end is {spread:.2g}; a tail wants ten times that"
        )
        bench.nothing(held, "Urbach energy", "meV", "signal", text)
        return
    try:
        fit = urbach.urbach_energy(e, s)
    except ValueError as refused:
        bench.nothing(held, "Urbach energy", "meV", "signal", str(refused))
        return
    bench.keep[held.row.label] = fit, (e, s)
    found = estimates(("E_U",), (fit.energy_meV,), ("meV",), (fit.error_meV,))
    made = bench.make(
        held, "Urbach energy", "meV", lambda p: p["E_U"], found, gates=(possible(0),),
        note=f"{fit.decades:.1f} decades, {fit.window_eV[0]:.3f} to {fit.window_eV[1]:.3f} eV",
        window=max(fit.window_error_meV, 1e-6),
    )  # fmt: skip
    doubts = [
        Finding("described", "doubtful", n, held.row.label) for n in fit.notes
        if "window" in n
    ]  # fmt: skip
    bench.quantities[-1] = with_findings(made, *doubts)


def contents(bench: Bench) -> None:
    """Lead contents, with a limit's reason where a sample is not above the blank.

    Parameters
    ----------
    bench : Bench
        Its rows hold a calibration line and lead contents (`read_lead`).
    """
    bench.each(_table)


def _table(bench: Bench, held: Held) -> None:
    line, found = held.data
    bench.keep[held.row.label] = line, found
    z = np.sqrt(np.diag(line.covariance))
    slope = signal(line.slope, float(z[1]), "the slope of the calibration line",
                   where=held.row.label)  # fmt: skip
    for name, content in found.items():
        label = "lead content" if len(found) == 1 else f"lead content {name}"
        fit = estimates(("Pb",), (content.value,), ("µg/mg",), (content.standard_error,))
        there = signal(content.value, content.standard_error, "lead above the blank",
                       where=held.row.label)  # fmt: skip
        made = bench.make(held, label, "µg/mg", lambda p: p["Pb"], fit, gates=(slope, there))
        doubts = [Finding("assumed", "doubtful", n, held.row.label) for n in content.notes]
        if line.chi2_reduced > 4:
            text = f"the standards scatter around the line: chi² {line.chi2_reduced:.1f}"
            doubts.append(Finding("described", "doubtful", text, held.row.label))
        bench.quantities[-1] = with_findings(made, *doubts)


def elements(bench: Bench) -> None:
    """Ratios of elements by number, and shares, from counts of X-rays.

    Parameters
    ----------
    bench : Bench
        Its rows hold counts with k factors (`read_counts`).
    """
    bench.each(_counts)


def _counts(bench: Bench, held: Held) -> None:
    lines, where = held.data, held.row.label
    bench.keep[where] = lines
    found = eds.amounts(lines)
    seen = dict(zip(found.names, zip(found.values, found.errors, strict=True), strict=True))
    there = {
        e: signal(value, error, f"the line of {e}", tries=len(seen), where=where)
        for e, (value, error) in seen.items()
    }
    below = max(seen, key=lambda e: seen[e][0] / seen[e][1])
    note = "thin foil: no absorption, no fluorescence"
    doubts = [
        Finding("assumed", "doubtful", f"the k factor of {one.element} has no error", where)
        for one in lines if not one.k_error
    ]  # fmt: skip
    shared = []
    if alike := eds.agreement(lines):
        shared.append(described(*alike, where=where))
    else:
        said = "one line of each element: absorption, or a line of another under it, would not show"
        doubts.append(Finding("assumed", "doubtful", said, where))
    for element in seen:
        gates = (there[element], there[below], *shared)
        if element != below:
            made = bench.make(
                held, f"{element} : {below} (EDS)", "1",
                lambda p, e=element: p[e] / p[below], found, gates=gates, note=note,
            )  # fmt: skip
            bench.quantities[-1] = with_findings(made, *doubts)
        made = bench.make(
            held, f"atomic fraction {element} (EDS)", "1",
            lambda p, e=element: p[e] / sum(p[o] for o in seen), found,
            gates=gates, note=f"{note}; of the elements listed",
        )  # fmt: skip
        bench.quantities[-1] = with_findings(made, *doubts)
