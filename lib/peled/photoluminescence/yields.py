"""Quantum yield from whole sphere spectra as recorded: dark, exposure, second order, clipping.

Each run goes through `peled.conditioning` (dark file, integration time and filter, cosmic rays, a
constant from where there is no light, with its error); the photons in laser and emission band then
have one covariance, and the balance of de Mello et al. is taken of them.

A run is one spectrum that holds both bands, or two: the laser's line and the emission recorded
apart, with integration times of their own. A file of the laser alone has no place without light:
unless a dark file has been subtracted, what its ends hold may lie under the line as well, and is in
the error.

Names of the measurements as in IEC 62607-3-1: *three runs* (empty, indirect, direct), *two runs,
direct* (empty and direct, beam on the sample) and *two runs, diffuse* (empty and indirect, the
sample lit by the wall only).

.. [1] J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9, 230 (1997),
   doi:10.1002/adma.19970090308
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from peled.conditioning import (
    ConditioningError,
    Noise,
    Signal,
    condition,
    covariance,
    detector_noise,
    find_band,
    with_scatter,
)
from peled.conditioning.noise import LEAST_FREE, free_region
from peled.conditioning.steps import TAIL
from peled.photoluminescence.plqy import PLQY, photon_weights, unabsorbed
from peled.quantities import Finding, Quantity, judge, possible, signal

#: Half of the emission window in full widths at half maximum about the maximum, and of where no
#: baseline is sought: a Gaussian has fallen to 0.2 % there.
REACH, LIT = 3.0, 1.5
#: Standard errors by which a line at twice the laser's wavelength must stand out.
SECOND_ORDER = 4.0
ALONE = 64  #: points below which a file of the laser holds no more than its line
FOUND = 0.84  #: of the width of the clearest Gaussian, of steps of √2: that of a band is no less
BRIGHT = 0.03  #: of its maximum, from which on points of a laser's line tell its noise
LIT_ROLES = ("direct", "indirect")
METHODS = {
    ("direct", "empty", "indirect"): "three runs",
    ("direct", "empty"): "two runs, direct",
    ("empty", "indirect"): "two runs, diffuse",
}


@dataclass(frozen=True)
class Bands:
    """Limits (nm) of laser and emission, the second order (or None), and what share of the emission
    lies beyond the calibration and is not counted."""

    laser: tuple[float, float]
    emission: tuple[float, float]
    second: tuple[float, float] | None = None
    beyond: float = 0.0


@dataclass(frozen=True)
class SphereYield:
    """A yield with what it was made of: runs by name, as recorded and conditioned.

    `estimate` holds PLQY and absorptance as they came, also where they are withheld, and their
    errors; `slopes`, by run, how the yield goes with its photons (k,) and their covariance (k, k).
    """

    plqy: Quantity
    absorptance: Quantity
    bands: Bands
    method: str
    raw: Mapping[str, Signal] = field(repr=False)
    runs: Mapping[str, Signal] = field(repr=False)
    estimate: tuple[float, ...] = (np.nan,) * 4
    slopes: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)


def sphere_yield(
    runs: Mapping[str, Signal],
    calibration,
    *,
    dark: Mapping[str, Signal] = {},
    settings: Mapping[str, Mapping[str, float]] = {},
    laser_band_nm: tuple[float, float] | None = None,
    emission_band_nm: tuple[float, float] | None = None,
    laser_drift: float | None = None,
    sample: str = "",
    **labels,
) -> SphereYield:
    """PLQY and absorptance of one set of runs.

    A = 1 − L_d/L_i and η = [E_d − (1 − A) E_i − A E_0]/(L_e A), L and E the photons in laser and
    emission band of the direct, indirect and empty run, E_0 what the empty sphere emits there. Of
    two runs, with s direct or indirect: A = 1 − L_s/L_e, η = (E_s − E_0)/(L_e − L_s).

    Parameters
    ----------
    runs : mapping of str to Signal
        By role: `empty` (or `blank`, the bare substrate), `direct`, `indirect`; where the bands
        were recorded apart `empty laser`, `direct emission` and so on. With both, `empty` counts
        the laser and `blank` stands for the emission without a film. An empty sphere whose emission
        was not recorded is taken to have none.
    calibration : peled.formats.sphere.Calibration
    dark : mapping of str to Signal
        By the name of the run it is for.
    settings : mapping
        By the name of a run: its `integration_ms`, `filter_transmission`.
    laser_band_nm, emission_band_nm : (float, float), optional
        Else the strongest line of the empty run, and ±3 FWHM about the emission, as far as the
        calibration goes.
    laser_drift : float, optional
        Standard deviation of the laser's power from run to run, relative.
    sample, **labels
        For the quantities (`state`, `kind`, `inputs`).

    Returns
    -------
    SphereYield
        Withheld where a run is not fit to be used.

    Raises
    ------
    ConditioningError
        Runs that are missing, of different axes, without a laser line, or of which some say their
        integration time and others do not.

    References
    ----------
    .. [1] J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9, 230 (1997),
           doi:10.1002/adma.19970090308
    """
    method, laser_of, emission_of = _named(runs)
    _check_settings(settings, runs)
    recorded = {name: _conditioned(run, name, dark, settings) for name, run in runs.items()}
    if not all(run.used.all() for run in recorded.values()):
        return _withheld(recorded, method, runs, sample, labels)
    rough = _on_one_axes(
        {name: _roughly(run) for name, run in recorded.items()}, laser_of, emission_of
    )
    laser = laser_band_nm or _laser_band(_of(rough, laser_of, "empty", "blank"))
    lit, unlit = _of(rough, emission_of, *LIT_ROLES), _of(rough, emission_of, "empty", "blank")
    band, wide = (emission_band_nm,) * 2
    if band is None:
        band, wide = _emission_bands(lit, unlit, laser)
    ready = {}
    for names in (laser_of, emission_of):
        group = {name: recorded[name] for name in names.values()}
        lit_nm = _lit(group, (laser, _second(laser), wide))
        ready |= {name: _based(run, lit_nm, name in dark) for name, run in group.items()}
    if not all(run.used.all() for run in ready.values()):
        return _withheld(ready, method, runs, sample, labels)
    findings = [f for run in ready.values() for f in run.findings if f.gate != "signal"]
    ready = _on_one_axes(ready, laser_of, emission_of)
    lit = _of(ready, emission_of, *LIT_ROLES)
    bands = _within(calibration, Bands(laser, band), lit)
    findings = [*with_scatter(tuple(findings), lit, bands.emission)]
    findings += _assumed(bands, calibration, laser_of, emission_of, settings)
    ready = _with_common_gain(ready, bands, settings, laser_of.values(), emission_of.values())
    bands, ready, more = _without_second_order(bands, ready, emission_of)
    return _balance(
        bands,
        ready,
        {"laser": laser_of, "emission": emission_of},
        calibration,
        method,
        [*findings, *more, *unstated(calibration, laser_drift)],
        laser_drift or 0.0,
        runs,
        sample,
        labels,
    )


def _named(runs) -> tuple[str, dict[str, str], dict[str, str]]:
    """Method, and by role the name of the run that holds its laser and its emission."""
    laser_of, emission_of = {}, {}
    for name in runs:
        role, _, band = name.partition(" ")
        if band in ("", "laser"):
            laser_of[role] = name
        if band in ("", "emission"):
            emission_of[role] = name
    if "empty" in laser_of:  # the blank then says what a bare substrate emits
        laser_of.pop("blank", None)
    roles = {"empty" if role == "blank" else role for role in laser_of}
    method = METHODS.get(tuple(sorted(roles)))
    if method is None or roles - set(emission_of) - {"empty"}:
        found = ", ".join(sorted(runs)) or "none"
        raise ConditioningError(
            f"sphere: expected the runs empty, indirect and direct, or empty and one of them, "
            f"found {found}; name the others in the column role, and in the column band what "
            "holds laser or emission alone"
        )
    return method, laser_of, emission_of


def _of(ready, names: Mapping[str, str], *roles: str) -> Signal | None:
    """The run of the first of these roles that there is."""
    return next((ready[names[role]] for role in roles if role in names), None)


def _on_one_axes(runs, *of) -> dict[str, Signal]:
    """The runs, those of the lasers on one axis and those of the emissions."""
    for names in of:
        runs = runs | _on_one_axis({name: runs[name] for name in names.values()})
    return runs


def _on_one_axis(runs: Mapping[str, Signal]) -> dict[str, Signal]:
    """The runs from the first to the last wavelength that all of them have."""
    low = max(run.axis[0] for run in runs.values()) - 1e-3
    high = min(run.axis[-1] for run in runs.values()) + 1e-3
    out = {name: run.cut(low, high) for name, run in runs.items()}
    first = next(iter(out.values()))
    for run in out.values():
        if run.axis.shape != first.axis.shape or not np.allclose(run.axis, first.axis, atol=1e-3):
            raise ConditioningError(
                f"{run.source}: expected the wavelengths of the other runs, found another axis"
            )
    return out


def _within(calibration, bands: Bands, lit: Signal) -> Bands:
    """The emission band as far as the calibration goes, and the share of its counts beyond."""
    low, high = bands.emission
    ends = max(low, calibration.wavelength_nm[0]), min(high, calibration.wavelength_nm[-1])
    if ends == (low, high) or not ends[0] < ends[1]:
        return bands
    x, y = lit.axis, lit.values[0]
    inside = (x >= ends[0]) & (x <= ends[1])
    beyond = float(y[(x >= low) & (x <= high) & ~inside].sum() / y[inside].sum())
    return replace(bands, emission=ends, beyond=max(beyond, 0.0))


def _assumed(bands: Bands, calibration, laser_of, emission_of, settings) -> list[Finding]:
    """Remarks on what the files of a yield lack."""
    said = []
    if bands.beyond:
        low, high = calibration.wavelength_nm[[0, -1]]
        said.append(("reported", (
            f"the calibration goes from {low:g} to {high:g} nm: {bands.beyond:.1%} of the counts "
            "of the emission lie beyond, and are in the error"
        )))  # fmt: skip
    apart = set(laser_of.values()) != set(emission_of.values()) - {emission_of.get("blank")}
    if apart and not any("integration_ms" in one for one in settings.values()):
        said.append(("doubtful", (
            "laser and emission were recorded apart and integration_ms is stated nowhere: taken as "
            "equal; fill in that column"
        )))  # fmt: skip
    if not {"empty", "blank"} & set(emission_of):
        said.append(("reported", "the emission of the empty sphere was not recorded: none taken"))
    return [Finding("assumed", status, evidence) for status, evidence in said]


def unstated(calibration, laser_drift: float | None) -> tuple[Finding, ...]:
    """Remarks on errors that a yield lacks because nobody has stated them.

    Parameters
    ----------
    calibration
        Its `relative_error` is None where the file states none.
    laser_drift : float or None
        Relative drift from run to run.

    Returns
    -------
    tuple of Finding
    """
    said = []
    if calibration.relative_error is None:
        said.append(
            "the calibration states no error, so none is in that of the yield; a line "
            "'relative error: 0.02' in its head says it"
        )
    if laser_drift is None:
        said.append(
            "how far the laser's power drifts from run to run is stated nowhere, so it is not in "
            "the error; fill in the column laser_drift (0.01 for 1 %)"
        )
    return tuple(Finding("assumed", "reported", one) for one in said)


def _check_settings(settings, runs) -> None:
    said = [name for name in runs if "integration_ms" in settings.get(name, {})]
    if said and len(said) < len(runs):
        others = ", ".join(name for name in runs if name not in said)
        raise ConditioningError(
            f"sphere: integration_ms is known of {', '.join(said)} only; fill in that column "
            f"for {others}"
        )


def _conditioned(run: Signal, name: str, dark, settings) -> Signal:
    said = {k: v for k, v in settings.get(name, {}).items() if v}
    run = replace(run, source=run.source or name)
    companions = {"dark": dark[name]} if name in dark else {}
    scale = [("scale", said)] if said else []
    # The strongest line is light, whichever it is; rays are looked for elsewhere.
    top = float(run.axis[int(np.argmax(run.finite[0]))])
    try:
        alone = name.endswith(" laser") and run.axis.size < ALONE
        begin = [("saturation", {}), ("missing", {})]
        first = condition(run, begin if alone else [("axis", {}), *begin])
        if not first.used.all():
            return first
        first = condition(first, [("dark", {}), *scale], companions)
        if alone:
            return first if companions else _on_its_ends(first)
        return condition(first, [("cosmic", {"excitation_nm": top})])
    except ConditioningError:
        raise
    except (ValueError, IndexError, FloatingPointError) as error:
        raise ConditioningError(f"{run.source}: {error}") from None


def _roughly(run: Signal) -> Signal:
    """A run with its noise, above its darkest tenth: enough to see where its bands are."""
    if run.axis.size < ALONE:
        return run
    run = condition(run, [("noise", {})])
    return replace(run, values=run.values - np.quantile(run.finite, 0.1))


def _lit(runs: Mapping[str, Signal], lines) -> tuple[tuple[float, float], ...]:
    """Ranges (low, high) that hold light: by the course of all runs together, and the `lines`; one
    of both where too little is left by both."""
    some = list(_on_one_axis(runs).values())
    x, good = some[0].axis, np.all([run.good[0] for run in some], axis=0)
    if x.size < ALONE:
        return ()
    free = free_region(x, sum(run.finite for run in some), good[None]).free[0]
    beside = np.all([(x < low) | (x > high) for low, high in lines], axis=0)
    least = max(LEAST_FREE, TAIL * x.size)
    dark = next((d for d in (free & beside, free) if np.count_nonzero(d) >= least), beside)
    starts = np.flatnonzero(np.diff(dark, prepend=True, append=True) != 0)
    return tuple((float(x[a]), float(x[b - 1])) for a, b in zip(starts[::2], starts[1::2]))


def _based(run: Signal, lit_nm, dark: bool) -> Signal:
    """A run less its baseline, found where no run holds light."""
    if run.axis.size < ALONE:
        return run
    free = run.good[0].copy()
    for low, high in lit_nm:
        free &= (run.axis < low) | (run.axis > high)
    # A line where it is drawn between points free of light; beyond them it would go too far.
    at = np.flatnonzero(free)
    spans = at.size > 1 and np.ptp(at) > 0.5 * run.axis.size
    based = condition(run, [("baseline", {"order": int(spans), "signal_nm": lit_nm})])
    if based.used.all() or not dark:
        return based
    return condition(run, [("noise", {})])  # nothing is free of light, and the dark is off


def _on_its_ends(run: Signal) -> Signal:
    """A line alone, with the mode that what its ends hold is an offset, from none to all of it."""
    ends = max(min(run.values[0, 0], run.values[0, -1]), 0.0)
    mode = np.full((1, *run.values.shape), ends / np.sqrt(3))
    modes = np.concatenate([run.modes, mode])
    return replace(run, modes=modes, mode_names=(*run.mode_names, "offset"))


def _with_common_gain(ready, bands: Bands, settings, lasers, emissions):
    """Runs with the noise of one detector: the gain (variance a count) from all emission bands, of
    the laser what its lines differ by if that is more."""
    factor = {
        name: settings.get(name, {}).get("integration_ms", 1.0)
        * settings.get(name, {}).get("filter_transmission", 1.0)
        for name in ready
    }

    def counts(names, band):
        return [
            run.values[0, _inside(run, band)] * factor[name]
            for name, run in ((name, ready[name]) for name in names)
        ]

    light = counts(emissions, bands.emission)
    if min(map(len, light)) < 12:
        raise ConditioningError(
            f"sphere: expected an emission band of at least 12 points, found {min(map(len, light))}"
        )
    reads = {
        name: float(np.quantile(run.variance[0], 0.1)) * factor[name] ** 2
        for name, run in ready.items()
        if run.variance is not None
    }
    common = float(np.mean([*reads.values()]))
    gain = detector_noise(*light, read=common).gain
    of_line = max(gain, _line_gain(np.array(counts(lasers, bands.laser)), common))
    out = {}
    for name, run in ready.items():
        read, level = reads.get(name, common), run.values[0] * factor[name]
        variance = Noise(read, gain).variance(level)
        if name in lasers:
            line = Noise(read, of_line).variance(level)
            variance = np.where(_inside(run, bands.laser), line, variance)
        out[name] = replace(run, variance=variance / factor[name] ** 2, independent=None)
    return out


def _inside(run: Signal, band) -> np.ndarray:
    return (run.axis >= band[0]) & (run.axis <= band[1])


def _line_gain(lines: np.ndarray, read: float) -> float:
    """Variance a count by which lines (m, n) of one shape differ beside their heights: chi² of the
    table of their counts [1]_, less what the noise of reading makes of it, over its freedom.

    References
    ----------
    .. [1] K. Pearson, Phil. Mag. 50, 157 (1900), doi:10.1080/14786440009463897
    """
    lines = lines[:, lines.sum(axis=0) > BRIGHT * lines.sum(axis=0).max()]
    expected = np.outer(lines.sum(axis=1), lines.sum(axis=0)) / lines.sum()
    freedom = (lines.shape[0] - 1) * (lines.shape[1] - 1)
    chi2 = np.sum((lines - expected) ** 2 / expected)
    of_reading = read * np.mean(1 / expected) * freedom
    return float((chi2 - of_reading) / freedom) if freedom and (expected > 0).all() else 0.0


def _laser_band(empty: Signal) -> tuple[float, float]:
    """From the maximum of the empty run to where it has sunk into the noise, half as far again."""
    x, y = empty.axis, empty.values[0]
    top = int(np.argmax(y))
    alone = empty.variance is None
    noise = max(y[0], y[-1]) if alone else float(np.sqrt(np.median(empty.variance[0])))
    if not y[top] > (3 if alone else 20) * noise:
        beside = "its ends" if alone else "the noise"
        raise ConditioningError(
            f"{empty.source}: expected a laser line in the empty run, found nothing above "
            f"{3 if alone else 20} times {beside}; include the laser or fill in laser_band_nm"
        )
    if alone:
        return x[0], x[-1]
    low = y < max(1e-3 * y[top], 3 * noise)
    left = top - int(np.argmax(low[top::-1])) if low[: top + 1].any() else 0
    right = top + int(np.argmax(low[top:])) if low[top:].any() else x.size - 1
    return (
        max(x[0], x[top] - 1.5 * (x[top] - x[left])),
        min(x[-1], x[top] + 1.5 * (x[right] - x[top])),
    )


def _second(laser: tuple[float, float]) -> tuple[float, float]:
    """Where the laser's second order lies: 2 × its band, its width for either side."""
    centre, half = laser[0] + laser[1], max(laser[1] - laser[0], 4.0)
    return centre - half, centre + half


def _emission_bands(lit: Signal, empty: Signal | None, laser):
    """±`REACH` FWHM about the maximum on the red side of the laser, its second order left out, and
    ±`LIT` FWHM as far as noise allows: as that of the clearest Gaussian, and two errors of it."""
    x, difference = lit.axis, lit.values[0] - (0.0 if empty is None else empty.values[0])
    low, high = _second(laser)
    where = (x > laser[1] + 10) & ~((x > low) & (x < high))
    if np.count_nonzero(where) < 20:
        raise ConditioningError(
            f"{lit.source}: expected an emission band beyond {laser[1] + 10:.0f} nm, found the end "
            f"of the axis at {x[-1]:.0f} nm"
        )
    found = find_band(difference[None], where[None])
    width = max(round(4 / float(np.median(np.diff(x)))) | 1, round(found.fwhm[0] / 4) | 1, 3)
    smooth = np.convolve(np.where(where, difference, 0.0), np.full(width, 1 / width), mode="same")
    top = int(np.argmax(np.where(where, smooth, -np.inf)))
    below = smooth < 0.5 * smooth[top]
    left = top - int(np.argmax(below[top::-1])) if below[: top + 1].any() else 0
    right = top + int(np.argmax(below[top:])) if below[top:].any() else x.size - 1
    found_nm = found.fwhm[0] * float(np.median(np.diff(x)))
    fwhm = max(x[right] - x[left], 10.0)
    wide = max(fwhm, FOUND * found_nm) * (1 + 2 / max(float(found.significance[0]), 2.0))
    return tuple(
        (max(x[top] - half, laser[1] + 5), min(x[top] + half, x[-1]))
        for half in (REACH * fwhm, LIT * wide)
    )


def second_order(bands: Bands, unlit: Sequence[Signal]) -> tuple[float, str]:
    """Standard errors by which the laser's second order stands out of runs without emission, and a
    sentence; (0, "") where it lies outside of the emission band.

    Parameters
    ----------
    bands : Bands
    unlit : sequence of Signal
        Runs without emission, on one axis.

    Returns
    -------
    z : float
        The largest of the runs.
    said : str
    """
    low, high = _second(bands.laser)
    x = unlit[0].axis if unlit else np.zeros(1)
    if high < bands.emission[0] or low > bands.emission[1] or high > x[-1]:
        return 0.0, ""
    inside = (x >= low) & (x <= high)
    ends = ((x >= low - (high - low) / 2) & (x < low)) | (
        (x > high) & (x <= high + (high - low) / 2)
    )
    weights = inside / max(inside.sum(), 1) - ends / max(ends.sum(), 1)
    z = max(
        float(weights @ run.values[0]) / np.sqrt(float(weights**2 @ run.variance[0]))
        for run in unlit
    )
    return z, (
        f"second order of the laser at {(low + high) / 2:.0f} nm, {z:.1f} standard errors in the "
        "empty run"
    )


def _without_second_order(bands: Bands, ready, emission_of):
    """Runs with the second order replaced by the line between its ends, where it stands out."""
    unlit = [ready[emission_of[role]] for role in ("empty", "blank") if role in emission_of]
    z, said = second_order(bands, unlit)
    if not z > SECOND_ORDER:
        return bands, ready, []
    low, high = _second(bands.laser)
    mask = [("mask", {"edges": ((low, high),)})]
    cut = ready | {name: condition(ready[name], mask) for name in emission_of.values()}
    return (
        replace(bands, second=(low, high)),
        cut,
        [Finding("undamaged", "reported", f"{said}: taken out")],
    )


def _photons(bands: Bands, ready, names, calibration):
    """Photons (k,), the place of each (band, role) in them, and by run its places and its
    covariance by cause."""
    place: dict[tuple[str, str], int] = {}
    values: list[float] = []
    errors = []
    for name, run in ready.items():
        own = [(band, role) for band, of in names.items() for role, at in of.items() if at == name]
        weights = np.zeros((run.axis.size, len(own)))
        for column, (band, role) in enumerate(own):
            low, high = getattr(bands, band)
            inside = _inside(run, (low, high))
            if np.count_nonzero(inside) < 3:
                raise ConditioningError(
                    f"{run.source}: expected a band {low:.0f} to {high:.0f} nm in the data, found "
                    f"{run.axis[0]:.0f} to {run.axis[-1]:.0f} nm"
                )
            weights[inside, column] = photon_weights(run.axis[inside], calibration)
            place[band, role] = len(values) + column
        causes = {cause: c[0] for cause, c in covariance(run, weights).items()}
        errors.append((slice(len(values), len(values) + len(own)), causes))
        values += list(run.values[0] @ weights)
    return np.array(values), place, errors


def _balance(
    bands, ready, names, calibration, method, findings, drift, raw, sample, labels
) -> SphereYield:
    values, place, errors = _photons(bands, ready, names, calibration)

    def balance(v):
        laser, emission = (
            {role: v[at] for (of, role), at in place.items() if of == band}
            for band in ("laser", "emission")
        )
        empty = laser.get("empty", laser.get("blank"))
        zero = emission.get("blank", emission.get("empty", 0.0))
        lit = "direct" if "direct" in laser else "indirect"
        before = laser["indirect"] if method == "three runs" else empty
        beside = emission["indirect"] if method == "three runs" else zero
        absorbed = 1 - laser[lit] / before
        net = emission[lit] - (1 - absorbed) * beside - absorbed * zero
        return np.array([net / (empty * absorbed), absorbed, net / empty])

    found = balance(values)
    size = np.abs(values).max()
    jacobian = np.array(
        [
            (balance(values + h) - balance(values - h)) / (2e-6 * size)
            for h in 1e-6 * size * np.eye(values.size)
        ]
    ).T
    budgets: list[dict[str, float]] = [{}, {}, {}]
    slopes = {}
    for name, (at, causes) in zip(ready, errors, strict=True):
        own = jacobian[:, at]
        together = drift**2 * np.outer(values[at], values[at]) + sum(causes.values())
        slopes[name] = own[0], together
        for cause, c in causes.items():
            for row in range(3):
                squared = budgets[row].get(cause, 0.0) ** 2 + own[row] @ c @ own[row]
                budgets[row][cause] = float(np.sqrt(max(squared, 0.0)))
        if drift:  # all light of a recording goes with its laser
            for budget, by in zip(budgets, own @ values[at] * drift):
                budget["laser drift"] = float(np.hypot(budget.get("laser drift", 0.0), by))
    if bands.beyond:
        budgets[0]["beyond the calibration"] = abs(found[0]) * bands.beyond
    if calibration.relative_error:
        budgets[0]["calibration"] = abs(found[0]) * calibration.relative_error
    total = [float(np.sqrt(sum(e * e for e in b.values()))) for b in budgets]
    made = []
    for name, row, gates in (
        (
            "PLQY",
            0,
            (
                signal(found[1], total[1], "the absorbed share of the laser"),
                signal(found[2], total[2], "the emission of the sample"),
                possible(0, 1),
            ),
        ),
        ("absorptance", 1, (signal(found[1], total[1], "the absorbed share"), possible(0, 1))),
    ):
        q = Quantity(
            name, sample, float(found[row]), budgets[row], "", findings=tuple(findings),
            note=method if row == 0 else "", **labels,
        )  # fmt: skip
        made.append(judge(q, *gates))
    estimate = float(found[0]), float(found[1]), total[0], total[1]
    return SphereYield(*made, bands, method, dict(raw), ready, estimate, slopes)


def along(found: Sequence[SphereYield], calibration, taken_back=None) -> PLQY:
    """The yields of a series, also those that are withheld, with their covariance: by calibration,
    self-absorption and the runs that they share.

    Parameters
    ----------
    found : sequence of SphereYield, length k
    calibration : Calibration
    taken_back : (float, float), optional
        Share of the emission that the sample takes back, and its standard error.

    Returns
    -------
    PLQY
    """
    value, absorbed, error, error_a = np.array([one.estimate for one in found]).T
    covariance = np.diag(error**2)
    for i, j in combinations(range(len(found)), 2):
        one, other = found[i], found[j]
        shared = sum(
            slope @ of @ other.slopes[name][0]
            for name, (slope, of) in one.slopes.items()
            if name in other.slopes and one.raw[name].source == other.raw[name].source
        )
        common = (calibration.relative_error or 0.0) ** 2 * value[i] * value[j]
        covariance[i, j] = covariance[j, i] = shared + common
    budget = {
        cause: np.array([one.plqy.budget.get(cause, 0.0) for one in found])
        for cause in dict.fromkeys(c for one in found for c in one.plqy.budget)
    }
    if taken_back is not None:
        value, slope, extra = unabsorbed(value, *taken_back)
        covariance = np.outer(slope, slope) * covariance + np.outer(extra, extra)
        budget = {cause: slope * e for cause, e in budget.items()} | {"self-absorption": extra}
    error = np.sqrt(np.diag(covariance))
    return PLQY(value, error, covariance, absorbed, error_a, budget)


def _withheld(ready, method, raw, sample, labels) -> SphereYield:
    findings = tuple(f for run in ready.values() for f in run.findings if f.gate != "signal")
    made = [
        Quantity(name, sample, None, {}, "", findings=findings, **labels)
        for name in ("PLQY", "absorptance")
    ]
    return SphereYield(*made, None, method, dict(raw), ready)
