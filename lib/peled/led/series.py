"""Logs and series of a device as numbers: lifetimes, peak and width, colour, their stability."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.linalg import norm

from peled.conditioning import propagate, scatter_findings
from peled.led import photometry, routes
from peled.led.lifetime import Crossing, acceleration, crossing_time
from peled.led.photometry import SpectrumError
from peled.led.reading import CLEAR, Series
from peled.led.stability import Followed, follow
from peled.lineshapes import moments
from peled.lineshapes.measures import UNSEEN
from peled.quantities import Finding, Quantity, derive, times
from peled.report import reason
from peled.samples import Held
from peled.sources import kind_of

LEVELS = (0.8, 0.5)  #: fractions of the first luminance
NAMES = ("T80", "T50")


def lifetime_quantities(logs: Sequence[Held]):
    """((row, log, crossing of one half) of each log, T80, T50 and acceleration).

    Parameters
    ----------
    logs : sequence of Held
        Each with a `LifetimeLog` as its data.

    Returns
    -------
    tuple of (Row, LifetimeLog, Crossing), list of Quantity
        Times in min. A log that cannot be evaluated is left out of the first and withheld in the
        second.
    """
    kept, out = [], []
    for held in logs:
        row, log = held.row, held.data
        current = row.settings.get("current_mA_cm2", log.current_density_mA_cm2)
        drive = f"{current:g} mA/cm2" if current else ""
        state = ", ".join(filter(None, (row.state, drive)))
        minutes, start = log.time_s / 60, log.initial_luminance_cd_m2 or None
        try:
            crossings = [crossing_time(minutes, log.signal, x, initial=start) for x in LEVELS]
        except ValueError as error:
            out += [_no_crossing(held, name, state, reason(error)) for name in NAMES]
            continue
        kept.append((row, log, crossings[-1]))
        out += [_crossing(held, *one) for one in zip(NAMES, [state] * 2, crossings)]
    return tuple(kept), [*out, *_accelerated(kept)]


def _common(held: Held, state: str) -> dict:
    row = held.row
    return {
        "sample": row.sample, "state": state, "kind": kind_of(row.path), "inputs": (held.digest,)
    }  # fmt: skip


def _no_crossing(held: Held, name: str, state: str, said: str) -> Quantity:
    gone = Finding("signal", "withheld", said, held.row.label)
    return Quantity(name, value=None, budget={}, unit="min", findings=(gone,),
                    **_common(held, state))  # fmt: skip


def _crossing(held: Held, name: str, state: str, c: Crossing) -> Quantity:
    row, common = held.row, _common(held, state)
    doubt = (Finding("assumed", "doubtful", row.doubt, row.label),) if row.doubt else ()
    if c.censored:
        return Quantity(name, value=c.time, budget={}, unit="min", relation=">", findings=doubt,
                        note="the run ended before", **common)  # fmt: skip
    if not math.isfinite(c.standard_error):
        said = f"the signal passes the level once, by noise, at {c.time:.3g} min"
        return _no_crossing(held, name, state, said)
    note = f"passed {c.crossings} times" if c.crossings > 1 else ""
    made = derive(name, "min", lambda: c.time, note=note, reading=c.standard_error, **common)
    return made.found(*doubt)


def _accelerated(kept) -> list[Quantity]:
    """Exponent n of T50 ∝ L0^(-n) where one device (or sample) was driven at several luminances."""
    usable = [
        (log.initial_luminance_cd_m2 or float(log.signal[0]), c.time, c.standard_error, row)
        for row, log, c in kept
        if not c.censored and math.isfinite(c.standard_error) and log.signal_unit == "cd m-2"
    ]
    drives = [u[0] for u in usable]
    if len(usable) < 2 or len(set(drives)) < len(drives):
        return []
    law = acceleration(drives, [u[1] for u in usable], [u[2] for u in usable])
    row = usable[0][3]
    note = f"{len(usable)} drives, {min(drives):.3g} to {max(drives):.3g} cd/m2"
    made = derive("acceleration exponent", "1", lambda: law.power_law, sample=row.sample,
                  kind=kind_of(*(u[3].path for u in usable)), note=note,
                  lifetimes=law.power_law_error)  # fmt: skip
    if not law.single_law and len(usable) > 2:
        said = (
            f"no one power law: local exponents {', '.join(f'{n:.2f}' for n in law.exponents)} "
            f"differ by {times(law.largest_difference_sigma, 'standard errors')}"
        )
        made = made.found(Finding("described", "doubtful", said))
    return [made]


def colour_quantities(series: Sequence[Series], wavelength_nm: float):
    """({(state, label): Followed}, peak, width, colour and what changes along each series).

    Parameters
    ----------
    series : sequence of Series
    wavelength_nm : float
        Standard error of the wavelength scale where the sheet does not state it
        (`wavelength_error_nm`). All spectra of a series share it: shifts do not have it.

    Returns
    -------
    dict of (str, str) to Followed, list of Quantity
        A series that cannot be followed is withheld in the second.
    """
    followed, out = {}, []
    for one in series:
        if not one.used.any():
            continue
        s = one.signal
        smooth = scatter_findings(s)
        if gone := [f for f in smooth if f.status == "withheld"]:
            out.append(_lost(one, gone[0]))
            continue
        used = np.flatnonzero(one.clear)
        if not used.size:
            most = times(one.clearness[one.used].max(), "standard errors")
            said = f"the clearest band stands {most} out of the noise, {CLEAR:g} are needed for "
            said += "its peak and width"
            out.append(_lost(one, Finding("signal", "withheld", said, one.label)))
            continue
        values = s.values[used]
        at = s.at[used] if s.at is not None else np.zeros(used.size)
        try:
            # Neighbours that err together carry less than as many points; peak and width are read
            # over far more points than they correlate over.
            found = follow(at, s.axis, np.nan_to_num(values), variance=s.lumped[used])
            by_modes = _by_modes(s, used)
        except (SpectrumError, ValueError) as error:
            out.append(_lost(one, Finding("signal", "withheld", reason(error), one.label)))
            continue
        followed[one.state, one.label] = found
        made = _colours(one, found, used, by_modes, *routes.scale_error(one, wavelength_nm))
        out += [q.found(*smooth[:1]) for q in made]
    return followed, out


def _lost(one: Series, gone: Finding) -> Quantity:
    return Quantity("EL peak", one.sample, None, {}, "nm", one.kind, (gone,), state=_state(one))


_UNSEEN = {"EL peak": "peak", "EL FWHM": "fwhm"}


def _state(one: Series) -> str:
    axis = {"bias_V": "against bias", "current_mA_cm2": "against current", "time_s": "with time"}
    return ", ".join(filter(None, (one.state, axis.get(one.axis, ""))))


def _by_modes(signal, used: np.ndarray) -> np.ndarray:
    """What each mode of conditioning, a standard error of it, does to peak and FWHM (2, k, m)."""
    x, values = signal.axis, np.nan_to_num(signal.values[used])
    top = values.max(axis=1, keepdims=True)
    plain = moments(x, values / top, signal.variance[used] / top**2)
    rows = np.zeros((2, len(signal.modes), used.size))
    for k, mode in enumerate(signal.modes[:, used]):
        moved = moments(x, (values + np.nan_to_num(mode)) / top, signal.variance[used] / top**2)
        rows[:, k] = moved.peak - plain.peak, moved.fwhm - plain.fwhm
    return np.nan_to_num(rows)


def _colours(
    one: Series,
    found: Followed,
    used: np.ndarray,
    by_modes: np.ndarray,
    scale: float,
    said: tuple[Finding, ...],
) -> list[Quantity]:
    s = one.signal
    doubt = (Finding("assumed", "doubtful", one.doubt, one.label),) if one.doubt else ()
    doubt += tuple(f for f in s.findings if f.status == "reported")
    common = {"sample": one.sample, "kind": one.kind, "inputs": one.inputs, "where": one.label}
    state = _state(one)
    brightest = int(np.nanargmax(np.nanmax(np.nan_to_num(s.values[used]), axis=1)))
    first = 0 if one.axis == "time_s" else brightest
    place = f"at {s.label(used[first])}" if s.at is not None else ""

    def make(name, unit, value, note=place, more=(), **budget):
        if not np.isfinite(value) and name in _UNSEEN:
            more = (*more, Finding("determined", "withheld", UNSEEN[_UNSEEN[name]]))
            return Quantity(name, value=None, budget={}, unit=unit, state=state, note=note,
                            findings=(*more, *doubt), **common)  # fmt: skip
        kept = {cause: float(e) for cause, e in budget.items() if e != 0}
        made = derive(name, unit, lambda: value, state=state, note=note, **kept, **common)
        return made.found(*more, *doubt)

    of_scale = {"wavelength scale": scale}
    out = [
        make("EL peak", "nm", found.peak_nm[first], more=said, reading=found.peak_error[first],
             conditioning=norm(by_modes[0, :, first]),
             **{"read-off": abs(found.peak_read_off[first])}, **of_scale),
        make("EL FWHM", "nm", found.fwhm_nm[first], reading=found.fwhm_error[first],
             conditioning=norm(by_modes[1, :, first]),
             **{"read-off": abs(found.fwhm_read_off[first])}),
        *_cie(one, used[first], scale, make),
    ]  # fmt: skip
    if used.size > 1:
        shift, error = found.change("peak_nm")
        span = f"{s.label(used[0])} to {s.label(used[-1])}"
        ends = norm(by_modes[0][:, [0, -1]])  # the modes of one spectrum are not those of another
        out.append(make("EL peak shift", "nm", shift, span, reading=error, conditioning=ends))
        if found.grows:
            out.append(make("shoulder", "nm", found.shoulder_nm, span,
                            reading=found.shoulder_error, **of_scale))  # fmt: skip
    return out


def _cie(one: Series, row: int, scale: float, make) -> list[Quantity]:
    """CIE 1931 x and y, errors by counting, the modes of conditioning, and the wavelength scale."""
    only = one.signal.only(row)
    x, y = only.axis, np.nan_to_num(only.values[0])
    step = 0.5 * (np.r_[np.diff(x), 0.0] + np.r_[0.0, np.diff(x)])

    def seen(shift):
        functions = photometry.matching_functions(x + shift) * step
        total = functions.sum(axis=0) @ y
        return functions, total, functions @ y / total

    functions, total, value = seen(0.0)
    moved = (seen(scale)[2] - seen(-scale)[2]) / 2
    out = []
    for k, name in enumerate(("CIE x", "CIE y")):
        gradient = (functions[k] - value[k] * functions.sum(axis=0)) / total
        _, errors = propagate(only, gradient)
        budget = {cause: float(e[0]) for cause, e in errors.items()}
        out.append(make(name, "1", float(value[k]), **budget,
                        **{"wavelength scale": abs(float(moved[k]))}))  # fmt: skip
    return out
