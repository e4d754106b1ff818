"""Quantum yield from whole sphere spectra as recorded: dark, exposure, second order, clipping.

Each run goes through `peled.conditioning` (dark file, integration time and filter, cosmic rays, a
constant from where there is no light, with its error); the photons in laser and emission band then
have one covariance, and the balance of de Mello et al. is taken of them.

Names of the measurements as in IEC 62607-3-1: *three runs* (empty, indirect, direct), *two runs,
direct* (empty and direct, beam on the sample) and *two runs, diffuse* (empty and indirect, the
sample lit by the wall only).

.. [1] J. C. de Mello, H. F. Wittmann, R. H. Friend, Adv. Mater. 9, 230 (1997),
   doi:10.1002/adma.19970090308
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from peled.conditioning import (
    ConditioningError,
    Noise,
    Signal,
    condition,
    covariance,
    detector_noise,
)
from peled.photoluminescence.plqy import photon_weights
from peled.quantities import Finding, Quantity, judge, possible, signal

#: Half of the emission window in full widths at half maximum about the maximum.
REACH = 3.0
#: Standard errors by which a line at twice the laser's wavelength must stand out.
SECOND_ORDER = 4.0
METHODS = {
    ("direct", "empty", "indirect"): "three runs",
    ("direct", "empty"): "two runs, direct",
    ("empty", "indirect"): "two runs, diffuse",
}


@dataclass(frozen=True)
class Bands:
    """Limits (nm) of laser and emission, and the second order (or None)."""

    laser: tuple[float, float]
    emission: tuple[float, float]
    second: tuple[float, float] | None = None


@dataclass(frozen=True)
class SphereYield:
    """A yield with what it was made of: runs by role, as recorded and conditioned."""

    plqy: Quantity
    absorptance: Quantity
    bands: Bands
    method: str
    raw: Mapping[str, Signal] = field(repr=False)
    runs: Mapping[str, Signal] = field(repr=False)


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
        By role: `empty` (or `blank`, the bare substrate), `direct`, `indirect`. With both, `empty`
        counts the laser and `blank` stands for the emission without a film.
    calibration : peled.formats.sphere.Calibration
    dark : mapping of str to Signal
        By role of the run it is for.
    settings : mapping
        By role: `integration_ms`, `filter_transmission` of that run.
    laser_band_nm, emission_band_nm : (float, float), optional
        Else the strongest line of the empty run, and ±3 FWHM about the emission.
    laser_drift : float, optional
        Standard deviation of the laser's power from run to run, relative.
    sample, **labels
        For the quantities (`state`, `kind`, `inputs`).

    Raises
    ------
    ConditioningError
        Runs that are missing, of different axes, without a laser line, or of which some say their
        integration time and others do not.
    """
    method = METHODS.get(
        tuple(sorted(set(runs) - {"blank"} | ({"empty"} if "blank" in runs else set())))
    )
    if method is None:
        found = ", ".join(sorted(runs)) or "none"
        raise ConditioningError(
            f"sphere: expected the runs empty, indirect and direct, or empty and one of them, "
            f"found {found}; name the others in the column role"
        )
    _check_settings(settings, runs)
    ready = {role: _conditioned(run, role, dark, settings) for role, run in runs.items()}
    empty = ready.get("empty", ready.get("blank"))
    for run in ready.values():
        if run.axis.shape != empty.axis.shape or not np.allclose(run.axis, empty.axis, atol=1e-3):
            raise ConditioningError(
                f"{run.source}: expected the wavelengths of the other runs, found another axis"
            )
    findings = [f for run in ready.values() for f in run.findings if f.gate != "signal"]
    if any(f.status == "withheld" for f in findings):
        return _withheld(findings, method, runs, ready, sample, labels)
    laser = laser_band_nm or _laser_band(empty)
    lit = ready.get("direct", ready.get("indirect"))
    bands = Bands(laser, emission_band_nm or _emission_band(lit, empty, laser))
    ready = _with_common_gain(ready, bands, settings)
    bands, ready, more = _without_second_order(bands, ready, ready.get("empty", ready.get("blank")))
    return _balance(
        bands,
        ready,
        calibration,
        method,
        [*findings, *more, *unstated(calibration, laser_drift)],
        laser_drift or 0.0,
        runs,
        sample,
        labels,
    )


def unstated(calibration, laser_drift: float | None) -> tuple[Finding, ...]:
    """Remarks on errors that a yield lacks because nobody has stated them."""
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
    for name in ("integration_ms", "filter_transmission"):
        said = [role for role in runs if name in settings.get(role, {})]
        if said and len(said) < len(runs) and name == "integration_ms":
            others = ", ".join(role for role in runs if role not in said)
            raise ConditioningError(
                f"sphere: integration_ms is known of {', '.join(said)} only; fill in that column "
                f"for {others}"
            )


def _conditioned(run: Signal, role: str, dark, settings) -> Signal:
    said = {k: v for k, v in settings.get(role, {}).items() if v}
    top = float(run.axis[int(np.argmax(np.where(np.isfinite(run.values[0]), run.values[0], 0)))])
    first = condition(replace(run, source=run.source or role), [("axis", {}), ("saturation", {})])
    if not first.used.all():
        return first
    steps = [("dark", {})]
    steps += [("scale", said)] if said else []
    # The strongest line is light, whichever it is; rays are looked for elsewhere.
    steps += [("cosmic", {"excitation_nm": top}), ("baseline", {"order": 0})]
    companions = {"dark": dark[role]} if role in dark else {}
    try:
        return condition(first, steps, companions)
    except ConditioningError:
        raise
    except (ValueError, IndexError, FloatingPointError) as error:
        raise ConditioningError(f"{run.source or role}: {error}") from None


def _with_common_gain(ready, bands: Bands, settings):
    """Runs with the noise of one detector: the gain (variance a count) from all emission bands."""
    factor = {
        role: settings.get(role, {}).get("integration_ms", 1.0)
        * settings.get(role, {}).get("filter_transmission", 1.0)
        for role in ready
    }
    x = next(iter(ready.values())).axis
    inside = (x >= bands.emission[0]) & (x <= bands.emission[1])
    if np.count_nonzero(inside) < 12:
        return ready
    reads = {
        role: float(np.quantile(run.variance[0], 0.1)) * factor[role] ** 2
        for role, run in ready.items()
    }
    bands_of = [run.values[0, inside] * factor[role] for role, run in ready.items()]
    gain = detector_noise(*bands_of, read=float(np.mean([*reads.values()]))).gain
    out = {}
    for role, run in ready.items():
        variance = (
            Noise(reads[role], gain).variance(run.values[0] * factor[role]) / factor[role] ** 2
        )
        out[role] = replace(run, variance=variance, independent=None)
    return out


def _laser_band(empty: Signal) -> tuple[float, float]:
    """From the maximum of the empty run to where it has sunk into the noise, half as far again."""
    x, y = empty.axis, empty.values[0]
    top = int(np.argmax(y))
    noise = float(np.sqrt(np.median(empty.variance[0])))
    if not y[top] > 20 * noise:
        raise ConditioningError(
            f"{empty.source}: expected a laser line in the empty run, found nothing above 20 times "
            f"the noise; include the laser or fill in laser_band_nm"
        )
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


def _emission_band(lit: Signal, empty: Signal, laser) -> tuple[float, float]:
    """±`REACH` FWHM about the maximum on the red side of the laser, its second order left out."""
    x, difference = lit.axis, lit.values[0] - empty.values[0]
    low, high = _second(laser)
    where = (x > laser[1] + 10) & ~((x > low) & (x < high))
    if np.count_nonzero(where) < 20:
        raise ConditioningError(
            f"{lit.source}: expected an emission band beyond {laser[1] + 10:.0f} nm, found the end "
            f"of the axis at {x[-1]:.0f} nm"
        )
    width = max(round(4 / float(np.median(np.diff(x)))) | 1, 3)
    smooth = np.convolve(np.where(where, difference, 0.0), np.full(width, 1 / width), mode="same")
    top = int(np.argmax(np.where(where, smooth, -np.inf)))
    below = smooth < 0.5 * smooth[top]
    left = top - int(np.argmax(below[top::-1])) if below[: top + 1].any() else 0
    right = top + int(np.argmax(below[top:])) if below[top:].any() else x.size - 1
    fwhm = max(x[right] - x[left], 10.0)
    return max(x[top] - REACH * fwhm, laser[1] + 5), min(x[top] + REACH * fwhm, x[-1])


def _without_second_order(bands: Bands, ready, empty: Signal):
    """Runs with the second order replaced by the line between its ends, where it stands out."""
    low, high = _second(bands.laser)
    x = empty.axis
    if high < bands.emission[0] or low > bands.emission[1] or high > x[-1]:
        return bands, ready, []
    inside = (x >= low) & (x <= high)
    ends = ((x >= low - (high - low) / 2) & (x < low)) | (
        (x > high) & (x <= high + (high - low) / 2)
    )
    weights = inside / max(inside.sum(), 1) - ends / max(ends.sum(), 1)
    z = max(
        float(weights @ run.values[0]) / np.sqrt(float(weights**2 @ run.variance[0]))
        for run in (empty, *(ready[r] for r in ("blank",) if r in ready))
    )
    if not z > SECOND_ORDER:
        return bands, ready, []
    cut = {
        role: condition(run, [("mask", {"edges": ((low, high),)})]) for role, run in ready.items()
    }
    said = (
        f"second order of the laser at {(low + high) / 2:.0f} nm, {z:.1f} standard errors in the "
        "empty run: taken out"
    )
    return replace(bands, second=(low, high)), cut, [Finding("undamaged", "reported", said)]


def _balance(
    bands, ready, calibration, method, findings, drift, raw, sample, labels
) -> SphereYield:
    names = sorted(ready)
    values, errors = [], []  # L, E of each run in turn; covariance by cause
    for role in names:
        run = ready[role]
        weights = np.zeros((run.axis.size, 2))
        for column, (low, high) in enumerate((bands.laser, bands.emission)):
            inside = (run.axis >= low) & (run.axis <= high)
            if np.count_nonzero(inside) < 3:
                raise ConditioningError(
                    f"{run.source}: expected a band {low:.0f} to {high:.0f} nm in the data, found "
                    f"{run.axis[0]:.0f} to {run.axis[-1]:.0f} nm"
                )
            weights[inside, column] = photon_weights(run.axis[inside], calibration)
        values += list(run.values[0] @ weights)
        errors.append({cause: c[0] for cause, c in covariance(run, weights).items()})
    values = np.array(values)
    place = {role: 2 * i for i, role in enumerate(names)}

    def balance(v):
        laser = {role: v[at] for role, at in place.items()}
        emission = {role: v[at + 1] for role, at in place.items()}
        empty = laser.get("empty", laser.get("blank"))
        zero = emission.get("blank", emission.get("empty"))
        lit = "direct" if "direct" in place else "indirect"
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
    for i, causes in enumerate(errors):
        for cause, c in causes.items():
            own = jacobian[:, 2 * i : 2 * i + 2]
            for row in range(3):
                squared = budgets[row].get(cause, 0.0) ** 2 + own[row] @ c @ own[row]
                budgets[row][cause] = float(np.sqrt(max(squared, 0.0)))
        if drift:  # all light of a run goes with its laser
            moved = jacobian[:, 2 * i : 2 * i + 2] @ values[2 * i : 2 * i + 2] * drift
            for budget, by in zip(budgets, moved):
                budget["laser drift"] = float(np.hypot(budget.get("laser drift", 0.0), by))
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
    return SphereYield(*made, bands, method, dict(raw), ready)


def _withheld(findings, method, raw, ready, sample, labels) -> SphereYield:
    made = [
        Quantity(name, sample, None, {}, "", findings=tuple(findings), **labels)
        for name in ("PLQY", "absorptance")
    ]
    return SphereYield(*made, None, method, dict(raw), ready)
