"""A laboratory's folder of light-emitting diodes, from its sample sheet to numbers or reasons.

>>> from peled.led.analyse import analyse, sniff
>>> from peled.samples import read_sheet
>>> report = analyse(read_sheet("folder", "led", sniff=sniff))          # doctest: +SKIP
>>> print(report)                                                       # doctest: +SKIP
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from peled.led import drawers, held, outcoupling, printed, routes, series, sphere
from peled.led.device import (
    NO_SPECTRUM,
    Context,
    Curve,
    Device,
    Run,
    asked,
    consistent_units,
    efficiency,
    eqe_quantities,
    hysteresis_quantity,
    light_error,
    luminance_quantities,
    rescaled,
    run_of,
    silent_units,
)
from peled.led.reading import READERS, Pattern, Series, series_of, sniff
from peled.quantities import Finding, Quantity
from peled.report import Problem, Report, from_holdings, reason
from peled.samples import Held, Holdings, Sheet
from peled.sources import kind_of

__all__ = ["SETTINGS", "analyse", "sniff"]

#: What `settings` may say, and what is taken where it does not.
SETTINGS: Mapping[str, Any] = {
    "turn_on_cd_m2": 1.0,  # luminance that counts as turned on
    "luminance_relative": 0.02,  # standard error of the luminance meter's calibration
    "detector_relative": 0.02,  # of a photodiode's responsivity, a power meter
    "current_relative": 0.003,  # of the current
    "wavelength_nm": 0.3,  # of the wavelength scale
    "pattern_relative": 0.1,  # half range of the effective solid angle without a pattern
    "spectrum_shift_nm": 2.0,  # half range of a spectrum's shift where it was not measured
    "internal_yield": None,  # of the emitter without a cavity, for the limit of a stack; None: 1
    "vertical": 1 / 3,  # share of vertical dipoles; 1/3 is isotropic
    "profile_nm": 0.0,  # 1/e length of the emission from the emitter's top, < 0 bottom, 0 uniform
    "thickness_relative": 0.05,  # standard error of every thickness of a stack
    "test": "Welch",  # between groups: Welch or Mann-Whitney
}

#: Notes of a sweep that are said: what was left out, and what differs from the sheet.
SAID = "compliance|without a reading|the sheet says"


def analyse(sheet: Sheet, settings: Mapping[str, Any] = {}) -> Report:
    """All numbers that a folder of LED measurements gives, each with its error or a reason.

    Parameters
    ----------
    sheet : peled.samples.Sheet
        Of topic led.
    settings : mapping
        Of `SETTINGS`; what is not said is as there.

    Returns
    -------
    Report
        `found[sample]` is a `peled.led.device.Device`: sweeps with offset and noise of their light
        (`runs`), spectra as read and conditioned (`series`), EQE against current (`curves`),
        series followed (`followed`), logs (`lifetimes`).

    Raises
    ------
    ValueError
        If a setting is unknown.

    Notes
    -----
    What the numbers mean stands in `peled.led.routes` (photons), `peled.led.light` (offset and
    noise) and `peled.conditioning` (spectra). A peak EQE takes the spectrum of that device at that
    bias; beyond the spectra measured the error grows, without any there is no number.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}, found {', '.join(unknown)}")
    chosen = {**SETTINGS, **settings}
    holdings = Holdings(sheet, READERS)
    all_series, aside = series_of(holdings)
    problems = [Problem(*one) for one in aside]
    names = list(dict.fromkeys(h.row.sample for h in holdings if h.row.role == "sample"))
    found, quantities = {}, []
    for name in filter(None, names):
        device, made, said = _device(holdings, name, all_series, chosen)
        found[name] = device
        quantities += made
        problems += said
    for h in holdings.select(measurement="stack"):
        name = h.row.sample or "stack"
        labels = {"sample": name, "kind": "calculated", "inputs": (h.digest,)}
        each = {}
        try:
            each = outcoupling.slopes(h.data, outcoupling.assumed(chosen))
            quantities += outcoupling.quantities(h.data, each, chosen, labels)
        except ValueError as error:
            problems.append(Problem(h.row.label, reason(error)))
        found[name] = replace(found.get(name, Device(name)), stack=h.data, slopes=each)
    return from_holdings(
        holdings, quantities, found=found, problems=problems, settings=chosen,
        drawers=(*drawers.DRAWERS, held.panels), test=chosen["test"],
    )  # fmt: skip


def _device(holdings: Holdings, name: str, all_series: list[Series], settings: Mapping):
    """(Device, its quantities, problems)."""
    own = tuple(s for s in all_series if s.sample == name)
    problems: list[Problem] = []
    logs, made = series.lifetime_quantities(holdings.select(measurement="lifetime", sample=name))
    followed, more = series.colour_quantities(own, settings["wavelength_nm"])
    runs = _runs(holdings.select(measurement="jvl", sample=name, role="sample"))
    device = Device(
        name,
        tuple(r for r in runs if r.sweep.direction != "hold"),
        own,
        {},
        followed,
        logs,
        _pattern(holdings, name, problems),
        tuple(r for r in runs if r.sweep.direction == "hold"),
    )
    swept, curves = sweeps(holdings, device, all_series, settings, problems)
    kept = stabilised(holdings, device, all_series, settings, problems)
    spheres = sphere.quantities(device, settings)
    device = replace(device, curves=curves)
    return device, [*swept, *kept, *spheres, *more, *made], problems


def _runs(rows: tuple[Held, ...]) -> tuple[Run, ...]:
    out = []
    for one in rows:
        kind = kind_of(one.row.path)
        out += [run_of(s, one.row, kind, one.digest) for s in one.data]
    return tuple(out)


def _pattern(holdings: Holdings, name: str, problems: list[Problem]) -> Pattern | None:
    rows = [
        h for h in holdings.select(measurement="goniometer") if h.row.sample in ("", name)
    ]  # fmt: skip
    rows.sort(key=lambda h: h.row.sample == "")
    for one in rows:
        try:
            routes.effective_angle(one.data, "", 0.0, "")
        except ValueError as error:
            problems.append(Problem(one.row.label, reason(error)))
        else:
            return one.data
    return None


def _series_for(device: Device, all_series: list[Series], run: Run):
    """(series that serve a sweep, whether they are those of another device).

    Its own, else those of a row without a sample: of its group, or of all.
    """
    usable = [s for s in all_series if s.axis != "time_s" and s.state in ("", run.row.state)]
    mine = [s for s in usable if s.sample == device.sample]
    shared = [s for s in usable if not s.sample and s.group in ("", run.row.group)]
    return mine or shared, not mine


def sweeps(holdings, device: Device, all_series, settings, problems: list[Problem]):
    """Quantities and curves of every sweep of a device.

    Parameters
    ----------
    holdings : Holdings
    device : Device
    all_series : sequence of Series
        Of all devices; those of this one serve first.
    settings : mapping
        All of `SETTINGS`.
    problems : list of Problem
        Added to.

    Returns
    -------
    list of Quantity, dict of (index of run, route) to Curve
    """
    quantities: list[Quantity] = []
    curves: dict[tuple[int, str], Curve] = {}
    for index, run in enumerate(device.runs):
        forward = any(not r.backward and r.row == run.row for r in device.runs)
        suffix = ", backward" if run.backward and forward else ""
        c = _context(device, run, settings, suffix)
        if not run.lights:
            said = "no luminance and no photocurrent: current and voltage only"
            problems.append(Problem(run.row.label, said))
        serving, borrowed = _series_for(device, all_series, run)
        for route in run.lights:
            made, curve = _by_route(holdings, device, c, route, serving, borrowed)
            quantities += made
            curves[index, route] = curve
        excluded = [n for n in run.sweep.notes if re.search(SAID, n)]
        problems += [Problem(run.row.label, note) for note in excluded]
        if run.backward and forward:
            ahead = next(r for r in device.runs if not r.backward and r.row == run.row)
            quantities += filter(None, [hysteresis_quantity(replace(c, suffix=""), ahead, run)])
    return quantities, curves


def _context(device: Device, run: Run, settings: Mapping, suffix: str = "") -> Context:
    doubt = (Finding("assumed", "doubtful", run.row.doubt, run.row.label),)
    return Context(device.sample, run, suffix, settings, doubt if run.row.doubt else ())


def stabilised(holdings, device: Device, all_series, settings, problems: list[Problem]):
    """Quantities of every run at one bias.

    Parameters
    ----------
    holdings : Holdings
    device : Device
        With the sweeps that tell the offset of its light.
    all_series : sequence of Series
        Of all devices; those of this one serve first.
    settings : mapping
        All of `SETTINGS`.
    problems : list of Problem
        Added to.

    Returns
    -------
    list of Quantity
    """
    quantities: list[Quantity] = []
    for run in device.held:
        where = run.row.label
        if run.sweep.time_s is None:
            problems.append(Problem(where, "the bias stands still and no time is given"))
            continue
        serving, borrowed = _series_for(device, all_series, run)
        for route in run.lights:
            swept = tuple(r for r in device.runs if route in r.lights)
            lit = held.with_offset(run, swept, route)
            if lit is None:
                said = "the bias is held, and no sweep of this device tells the offset of its light"
                problems.append(Problem(where, said))
                continue
            c = _context(device, lit, settings)
            if silent := silent_units(run.sweep, run.row.settings, route):
                quantities.append(c.without("stabilised EQE", "%", *asked(list(silent), where)))
                continue
            way = _way(holdings, device, lit, route, serving, borrowed, settings)
            if way.missing or way.response is None or not way.response.value.size:
                gone = way.missing or way.unseen(where)
                quantities.append(c.without("stabilised EQE", "%", *gone))
                continue
            curve = held.curve_of(c, route, way.response, way.share.value)
            quantities += held.quantities(c, route, curve, way.share, way.detector)
    return quantities


@dataclass(frozen=True)
class Way:
    """How a channel of light becomes an EQE: response to the spectra, geometry, or what is missing.

    `angle` is the effective solid angle, `share` the geometry of this channel, `detector` the
    relative error of its calibration.
    """

    response: routes.Response | None
    angle: Quantity
    share: Quantity
    detector: float
    missing: tuple[Finding, ...]

    def unseen(self, where: str) -> tuple[Finding, ...]:
        """Why there is no spectrum.

        Parameters
        ----------
        where : str
            File, part or operating point, for the finding.

        Returns
        -------
        tuple of Finding
            One, withheld.
        """
        said = "; ".join(self.response.reasons if self.response else ()) or NO_SPECTRUM
        return (Finding("signal", "withheld", said, where),)


def _way(holdings, device: Device, run: Run, route: str, serving, borrowed, settings) -> Way:
    where = run.row.label
    geometry = str(run.row.settings.get("geometry", ""))
    angle = routes.effective_angle(device.pattern, geometry, settings["pattern_relative"], where)
    detector = light_error(run, settings, route)
    share, weights, what, needed = angle, routes.photopic, "photopic integral", []
    if route == "photodiode":
        weights, needed = _responsivity(holdings, run)
        what = "integral of spectrum and responsivity"
    elif route in ("radiance", "flux"):
        weights, what = np.ones_like, "integral of the spectrum"
    if route in ("photodiode", "flux"):
        share, more = _collected(run, angle)
        needed += more
    found = routes.response(serving, weights, what) if weights else None
    if found is not None and borrowed:
        found = found.borrowed(settings["spectrum_shift_nm"])
    if np.isnan(run.sweep.current_density_mA_cm2).all():
        needed.append("area_cm2")
    missing = asked(dict.fromkeys(needed), where)
    missing += share.findings if share.value is None else ()
    return Way(found, angle, share, detector, missing)


def _by_route(holdings, device: Device, c: Context, route: str, serving, borrowed: bool):
    """Quantities of one channel of light of a sweep, and its curve."""
    run, where = c.run, c.run.row.label
    way = _way(holdings, device, run, route, serving, borrowed, c.settings)
    found, share = way.response, way.share
    made = luminance_quantities(c, way.angle) if route == "luminance" else []
    empty = Curve(route, run.sweep.current_density_mA_cm2, *[np.full(len(run.sweep), np.nan)] * 2,
                  None, response=found)  # fmt: skip
    if way.missing:
        return [*made, c.without("peak EQE", "%", *way.missing)], empty
    curve = efficiency(run, route, found, share.value) if found is not None else empty
    if silent := silent_units(run.sweep, run.row.settings, route):
        units = consistent_units(run, curve, silent)
        if not units:
            kept = [q for q in made if _independent(q, silent)]
            return [*kept, c.without("peak EQE", "%", *asked(list(silent), where))], curve
        run = rescaled(run, silent, units)
        said = ", ".join(f"{column} {unit}" for column, unit in units.items())
        text = f"{said}: stated nowhere; taken, as the EQE is possible with it; write it down"
        c = replace(c, run=run, extra=(*c.extra, Finding("assumed", "doubtful", text, where)))
        curve = efficiency(run, route, found, share.value)
        made = luminance_quantities(c, way.angle) if route == "luminance" else []
    made += eqe_quantities(c, curve, share, way.detector)
    return [*made, *printed.quantities(c, curve)], curve


def _independent(q: Quantity, silent: Mapping) -> bool:
    """Whether a number does not rest on a unit that nobody said."""
    per_current = q.unit in ("cd/A", "lm/W")
    return not (("current_unit" in silent and per_current) or "luminance_unit" in silent)


def _responsivity(holdings: Holdings, run: Run):
    """Wavelengths -> A/W, from a row of the sheet or the column; else what to fill in."""
    said = run.row.settings.get("responsivity_A_W")
    if said:
        return lambda x: np.full(np.shape(x), said), []
    tables = [
        h.data
        for h in holdings.select(measurement="responsivity")
        if h.row.sample in ("", run.row.sample)
    ]
    if tables:
        x, y = tables[0].axis, tables[0].values[0]
        return lambda at: np.interp(at, x, y, left=0.0, right=0.0), []
    return None, ["responsivity_A_W"]


def _collected(run: Run, angle: Quantity):
    """G of a photodiode or power meter, 1/(share collected × filter × area in m²), and columns that
    are missing."""
    said, area = run.row.settings, run.sweep.area_cm2
    share = routes.collected_share(said, area or 1.0, run.row.label)
    if area is None:
        return share, ["area_cm2"]
    if share.value is None:
        return share, []
    total = share.value * said.get("filter_transmission", 1.0) * area * 1e-4
    budget = {name: e / share.value / total for name, e in share.budget.items()}
    findings = share.findings
    if "geometry" in share.budget and "geometry" not in said:  # a part of the pattern was seen
        budget |= {name: e / angle.value / total for name, e in angle.budget.items()}
        findings += angle.findings
    return Quantity("geometry", "", 1 / total, budget, "1", findings=findings), []
