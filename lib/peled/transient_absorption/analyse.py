"""A folder of transient absorption, described by its sample sheet, to lifetimes, spectra and
pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from peled.figures import legend_above
from peled.formats.tas import is_axis, read_tas
from peled.quantities import Finding, Quantity, derive
from peled.report import Panel, Problem, Report, from_holdings, reason
from peled.samples import Content, Held, Holdings, Row, Sheet
from peled.sources import kind_of
from peled.transient_absorption import plots, preprocess, workflow
from peled.transient_absorption.blank import subtract_blank
from peled.transient_absorption.components import (
    STAYS,
    ComponentTable,
    lasting,
    moving_baseline,
    number_of_components,
)
from peled.transient_absorption.drift import Drift, drift, without
from peled.transient_absorption.globalfit import UNRESOLVED, GlobalFit, global_fit
from peled.transient_absorption.matrices import Matrix
from peled.transient_absorption.scans import loss_over_scans
from peled.transient_absorption.schemes import Model
from peled.transient_absorption.series import fluence_fit

SETTINGS = {
    # start values; their number is tested where `components` is 0
    "lifetimes_ps": (0.4, 14.0, 280.0),
    "components": 0,  # 0: as many as the data support; or set -> number
    "fwhm_ps": 0.1,
    "dispersion_order": 2,
    "period_ps": None,  # of a synchroscan streak camera, whose backsweep comes half of it later
    "orders": (),  # 1, 2, 3: recombination fitted to all fluences of a sample together
    "oscillations_ps": (),  # start values (period, damping time) of wave packets
    "free_induction": (),  # start values (line in cm⁻¹, dephasing in ps), before zero time
    "artefact": 3,
    # part of the signal that may be lost or gained over the delays of a scan, as a standard error;
    # 0 where they were measured together or in random order
    "drift": 0.1,
    "window_nm": (),
    "masks_nm": (),
    "weights_nm": (),  # (low, high, weight): how much residuals count there
    "background_before_ps": None,
    "drop_delays_ps": {},  # set -> delays
    "drop_scans": {},  # set -> numbers, from 1
    "chirp_ps": {},  # set -> points (nm, ps) that give the dispersion instead of the fit
}
"""Settings of `analyse` that no column of a sheet holds. What is said of a set stands under its
label (sample and state) or, for all sets of a sample, under the sample."""


COARSE = 40  #: wavelengths on which numbers of components are tried
# columns of its own at every wavelength leave the common width biased beyond its error
_WIDTH = Finding(
    "determined",
    "withheld",
    "the artefact's derivatives are changes of the width: set artefact to 0 or 1 to measure it",
)
# one that is noise trades places with a shift of zero time, of which the width takes the square:
# 1.2 errors too wide where it is not there, 0.2 from 9 errors on
_FAINT = Finding(
    "determined",
    "withheld",
    "an artefact that does not stand out of its noise widens the response: set artefact to 0",
)
_STANDS_OUT = 6.0  # root mean square over wavelengths, in standard errors
_CHANCE = 1e-4  # of noise looking like the signal, above which there is none
_MOVED = 0.02  # of the largest signal, by which a baseline moves before it is a doubt
_SCANS = 6  # single scans from which on their scatter gives the errors


@dataclass(frozen=True)
class Analysed:
    """What is kept of one set: its label, and that without the sample's name; prepared and
    chirp-corrected matrix, fit, numbers of components tried, drift over the delays, its single
    scans by number on averaged wavelengths, the files' digests."""

    label: str
    part: str
    matrix: Matrix
    flat: Matrix
    fit: GlobalFit
    components: ComponentTable | None
    drift: Drift | None
    scans: Mapping[int, np.ndarray] = field(default_factory=dict, repr=False)
    inputs: tuple[str, ...] = field(default=(), repr=False)


class Prepared(NamedTuple):
    """A set before its fit: state, series and replicate in words, its matrix, the scans in it by
    number, where they come from."""

    part: str
    matrix: Matrix
    scans: dict[int, Matrix]
    members: list[Held]


def sniff(path: Path) -> Content | None:
    """What a file holds, for a proposed sheet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        None for an axis of the matrices in its folder.

    Raises
    ------
    FormatError
        If the file cannot be read, or is no matrix.
    """
    if path.is_file() and is_axis(path):
        return None
    read_tas(path)
    return Content("ta")


def analyse(sheet: Sheet, settings: Mapping[str, object]) -> Report:
    """Lifetimes of every set of a sheet, the number of components that each supports, and changes
    from before to after.

    Rows of one sample, state and replicate with different `scan` are scans and averaged by their
    scatter; `role` blank is subtracted with its own amplitude and zero time. The dispersion is
    fitted to all sets together where they share it. What the signal may have lost while the delays
    were measured (`drift`) and what is left of the background are fitted beside the decays. With
    `orders`, all fluences of a sample (columns `fluence_uJ_cm2` or `pairs`) are fitted together.

    Parameters
    ----------
    sheet : Sheet
        Of the topic `transient_absorption`; rows with the measurement `ta`.
    settings : mapping
        Overrides of `SETTINGS`.

    Returns
    -------
    Report
        `found`: sample -> label of the set -> `Analysed`.

    Raises
    ------
    ValueError
        For an unknown setting.
    """
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}; found {', '.join(unknown)}")
    settings = {**SETTINGS, **settings}
    holdings = Holdings(sheet, {"ta": _read})
    problems: list[Problem] = []
    prepared = dict(_sets(holdings, settings, problems))
    found: dict[str, dict[str, Analysed]] = {}
    quantities: list[Quantity] = []
    for (sample, state, _), one in _fitted(prepared, settings, problems):
        row = prepared[sample, state, one.label].members[0].row
        found.setdefault(sample, {})[one.part or one.label] = one
        quantities += _quantities(one, row, sample)
    quantities += _changes(quantities, found, problems)
    quantities += _recombination(prepared, found, settings["orders"], problems)
    return from_holdings(
        holdings,
        quantities,
        found=found,
        problems=problems,
        settings=settings,
        drawers=(_panels, _pairs),
    )


# ---- reading -------------------------------------------------------------------------------------


def _read(path: Path, row: Row) -> list[Matrix]:
    """The scans of one file in OD."""
    said = row.settings.get("signal_unit")
    relative = {"dT/T": 1.0, "%": 0.01}.get(said)
    asked = {k: row.settings.get(k) for k in ("orientation", "delay_unit", "spectral_unit")}
    m = read_tas(path, signal_unit=None if relative else said, **asked)
    if relative:
        scans = None if m.scans is None else preprocess.from_transmission(relative * m.scans)
        signal = preprocess.from_transmission(relative * m.signal)
        m = replace(m, signal=signal, scans=scans, signal_unit="OD")
    return workflow.scans_of(m, row.part or row.sample or path.stem)


def _sets(holdings: Holdings, settings, problems) -> Iterator[tuple[tuple, Prepared]]:
    """Prepared matrices by sample, state and label."""
    groups: dict[tuple, list[Held]] = {}
    for held in holdings.select(measurement="ta", role="sample"):
        row = held.row
        series = tuple(
            f"{k}={v:g}" for k, v in row.settings.items() if k in ("pairs", "fluence_uJ_cm2")
        )
        replicate = "" if "scan" in row.settings else row.replicate
        groups.setdefault((row.sample, row.state, replicate, series), []).append(held)
    for (sample, state, replicate, series), members in groups.items():
        several = sum(k[:2] == (sample, state) and k[3] == series for k in groups) > 1
        part = " ".join(filter(None, (state, *series, replicate if several else "")))
        label = f"{sample} {part}".strip()
        try:
            every = enumerate((scan for held in members for scan in held.data), 1)
            dropped = said_of(settings["drop_scans"], label or "set", sample, ())
            scans = {number: scan for number, scan in every if number not in dropped}
            if not scans:
                raise ValueError(f"drop_scans: no scan of {label or 'set'} is left")
            m = replace(workflow.averaged(list(scans.values()), label), name=label or "set")
            m = _prepared(m, members[0], holdings, sample, settings)
            yield (sample, state, m.name), Prepared(part, m, scans, members)
        except Exception as error:  # one that fails stops no other
            problems.append(Problem(members[0].row.label, reason(error)))


def _prepared(m: Matrix, held: Held, holdings: Holdings, sample: str, settings) -> Matrix:
    blank = holdings.companion(held.row, "blank")
    scatter = preprocess.find_scatter(m)
    if blank:
        options = {k: settings[k] for k in ("lifetimes_ps", "fwhm_ps", "dispersion_order")}
        model, _ = workflow.start_model(m, artefact=0, **options)
        m = subtract_blank(m, workflow.averaged(blank.data, "blank"), model)
    m = workflow.prepare(
        m,
        window_nm=settings["window_nm"],
        masks_nm=[*settings["masks_nm"], *scatter],
        background_before_ps=settings["background_before_ps"],
        background=not settings["period_ps"],  # a backsweep is no background
        drop_delays_ps=said_of(settings["drop_delays_ps"], m.name, sample, ()),
    )
    return preprocess.weigh(m, *settings["weights_nm"])


# ---- fitting -------------------------------------------------------------------------------------


def _fitted(prepared, settings, problems) -> Iterator[tuple[tuple, Analysed]]:
    started, tables = {}, {}
    for key, made in prepared.items():
        try:
            zero = made.members[0].row.settings.get("zero_ps")
            started[key], tables[key] = _started(made.matrix, settings, key[0], zero)
        except Exception as error:  # one that fails stops no other
            problems.append(Problem(made.members[0].row.label, reason(error)))
    models = _with_shared_dispersion({k: prepared[k].matrix for k in started}, started)
    for key, model in models.items():
        made = prepared[key]
        try:
            drifts = 0.0 if settings["period_ps"] else settings["drift"]  # all delays at once
            yield key, _one(made, model, tables[key], drifts)
        except Exception as error:  # one that fails stops no other
            problems.append(Problem(made.members[0].row.label, reason(error)))


def said_of(setting, label: str, sample: str, otherwise):
    """What a setting says of a set; a setting that is no mapping says it of all.

    Parameters
    ----------
    setting : mapping or anything else
        By label or sample.
    label, sample : str
        Of the set.
    otherwise : anything
        Where nothing is said.

    Returns
    -------
    anything
    """
    if not isinstance(setting, Mapping):
        return setting
    return setting.get(label, setting.get(sample, otherwise))


def _started(
    m: Matrix, settings, sample: str, zero_ps: float | None
) -> tuple[Model, ComponentTable | None]:
    """A model with its own dispersion and as many lifetimes as asked for, or as the data support;
    where no rise tells zero time, with the stage's."""
    options = {k: settings[k] for k in ("lifetimes_ps", "fwhm_ps", "dispersion_order", "artefact")}
    period = settings["period_ps"]
    model, _ = workflow.start_model(m, **{**options, **({"artefact": 0} if period else {})})
    # what the mean of a few delays leaves of the background is the same at all delays: a slow decay
    # would take it up
    model = replace(
        model,
        oscillations=tuple(settings["oscillations_ps"]),
        free_induction=tuple(settings["free_induction"]),
        offset=m.rise.seen and not period,
        period_ps=period,
    )
    if zero_ps is not None and m.rise.late:
        if zero_ps > m.delay_ps[0]:
            raise ValueError(
                f"zero_ps: expected none after the first delay, {m.delay_ps[0]:g} ps, where the "
                f"signal is there already; found {zero_ps:g}"
            )
        model = replace(model, t0_ps=zero_ps, fixed=("t0", "fwhm"))
    if points := said_of(settings["chirp_ps"], m.name, sample, ()):
        model = workflow.with_chirp(model, points)
    rough = coarse(m)
    if count := said_of(settings["components"], m.name, sample, 0):
        model = workflow.with_components(model, count, m.delay_ps[-1])
        moves = model.offset and moving_baseline(global_fit(rough, model))
        return replace(model, ramp=moves), None
    table = number_of_components(rough, model, starts=1)
    best = table.fits[table.supported - 1]
    # what decays that cannot be told apart describe is no baseline
    fewer = table.fits[table.supported - 2] if table.supported > 1 else None
    fullest = table.fits[-1] if table.at_least else best
    if model.offset and moving_baseline(fullest, fewer, starts=1):
        model = replace(model, ramp=True)
        table = number_of_components(rough, model, starts=1)
        best = table.fits[table.supported - 1]
    return replace(model, **best.starts), table


def _with_shared_dispersion(matrices, models) -> dict[tuple, Model]:
    """Each set's model with the dispersion of all sets where it shares it; else as it was."""
    own = {k for k, model in models.items() if model.fixed or not model.dispersion}
    keys = [k for k, m in matrices.items() if k not in own and not m.rise.late]
    if len(keys) < 2:
        return models
    richest = max((models[k] for k in keys), key=lambda model: model.components)
    try:
        zero = [models[k].t0_ps for k in keys]
        joint = workflow.common_dispersion([matrices[k] for k in keys], richest, t0_ps=zero)
    except ValueError:  # too few delays for so many lifetimes: each keeps its own
        return models
    shared = workflow.with_dispersion(
        richest, replace(joint, options={**joint.options, "apart": ()})
    )
    out = dict(models)
    for key, local in zip(keys, joint.setup.locals, strict=True):
        if matrices[key].name not in joint.options["apart"]:
            kept = {k: getattr(models[key], k) for k in ("lifetimes_ps", "infinite", "ramp")}
            out[key] = replace(shared, **kept, t0_ps=joint.value(local["t0"]))
    return out


def _one(made: Prepared, model: Model, table: ComponentTable | None, drifts: float) -> Analysed:
    m, scans, stack = made.matrix, {}, None
    if len(made.scans) > 1:
        stack = workflow.like_prepared(list(made.scans.values()), m)
    found = None
    if drifts:
        found = drift(coarse(m), model, _known_drift(stack, drifts))
        m = replace(without(m, found.value), steps=(*m.steps, f"drift divided out: {found}"))
    fit = lasting(global_fit(m, model))
    if stack is not None:
        if found:
            stack = np.stack([without(replace(m, signal=one), found.value).signal for one in stack])
        if len(stack) >= _SCANS:
            fit = fit.with_scans(stack)
        scans = {
            number: coarse(replace(m, signal=one, standard_error=None)).signal
            for number, one in zip(made.scans, stack, strict=True)
        }
    if found:
        fit = fit.widened(found.moves, found.standard_error)
    inputs = tuple(held.digest for held in made.members)
    flat = workflow.without_chirp(m, fit)
    return Analysed(m.name, made.part, m, flat, fit, table, found, scans, inputs)


def _known_drift(stack, drifts: float) -> tuple[float, float]:
    """What is lost in a scan, and its standard error: as assumed for a single one; of several what
    they lose from one to the next, which may not be steady."""
    each = None if stack is None else loss_over_scans(stack)
    return (0.0, drifts) if each is None else (each[0], float(np.hypot(each[1], each[0] / 2)))


def coarse(m: Matrix) -> Matrix:
    """Neighbouring wavelengths averaged to about `COARSE`.

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    Matrix
        All wavelengths where there are fewer than twice that many.
    """
    return preprocess.bin_wavelengths(m, max(1, len(m.wavelength_nm) // COARSE))


# ---- numbers -------------------------------------------------------------------------------------


def _quantities(one: Analysed, row: Row, sample: str) -> Iterator[Quantity]:
    estimates = one.fit.estimates()
    kind = kind_of(row.path)
    common = {"sample": sample, "state": one.part}
    common |= {"kind": kind, "inputs": one.inputs, "where": row.label}
    gates = [_said(finding) for finding in _findings(one, row)]
    for i in range(one.fit.model.components):
        name = f"lifetime {i + 1}"
        yield derive(name, "ps", value_of(f"tau_{i + 1}"), estimates, gates=gates, **common)
    silent = {
        STAYS: f"lifetime {one.fit.model.components + 1}",
        UNRESOLVED: "response FWHM",
    }
    for flag, (start, name) in itertools.product(one.fit.flags, silent.items()):
        if flag.startswith(start):
            why = Finding("determined", "withheld", flag, row.label)
            said = {key: common[key] for key in ("sample", "state", "kind", "inputs")}
            yield Quantity(name, value=None, budget={}, unit="ps", findings=(why,), **said)
    for name in one.fit.model.term_names:
        said, unit = name.replace("_", " "), one.fit[name].unit
        yield derive(said, unit, value_of(name), estimates, gates=gates, **common)
    if "fwhm" in one.fit.free:
        if one.fit.model.artefact > 1:
            gates.append(_said(_WIDTH))
        elif one.fit.model.artefact and not _artefact_stands_out(one.fit):
            gates.append(_said(_FAINT))
        yield derive("response FWHM", "ps", value_of("fwhm"), estimates, gates=gates, **common)


def _artefact_stands_out(fit: GlobalFit) -> bool:
    spectra = fit.spectra()
    at = spectra.names.index("artefact 1")
    ratio = spectra.values[at] / np.maximum(spectra.standard_errors[at], 1e-300)
    return bool(np.sqrt(np.nanmean(ratio**2)) > _STANDS_OUT)


def noise_explains(fit: GlobalFit) -> float:
    """Probability that noise alone lets the fit take up as much of the map as it does: F test of
    its spectra and parameters against an empty map.

    Parameters
    ----------
    fit : GlobalFit
        Of one matrix.

    Returns
    -------
    float
    """
    y = fit.matrices[0].signal
    there = np.isfinite(y)
    count = len(fit.model.spectra) * y.shape[1] + len(fit.free)
    rest = int(there.sum()) - count
    left = float(np.nansum(fit.residual(0) ** 2))
    taken = max(float(np.sum(y[there] ** 2)) - left, 0.0)
    return float(stats.f.sf(taken / count / max(left / rest, 1e-300), count, rest))


def _moved(fit: GlobalFit) -> float:
    """By how much the baseline moves, root mean square over the wavelengths."""
    spectra = fit.spectra()
    ramp = spectra.values[spectra.names.index("baseline ramp")]
    return float(np.sqrt(np.nanmean(ramp**2)) / np.nanmax(np.abs(fit.matrices[0].signal)))


def value_of(name: str):
    """The function that takes a parameter out of all.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable
        Mapping by name -> value.
    """
    return lambda values: values[name]


def _said(finding: Finding):
    return lambda _: finding


def _findings(one: Analysed, row: Row) -> list[Finding]:
    found = []
    if row.doubt:
        found.append(Finding("assumed", "doubtful", row.doubt, row.label))
    if (chance := noise_explains(one.fit)) > _CHANCE:
        said = f"no signal: as large a map is noise with a probability of {chance:.2g}"
        found.append(Finding("signal", "withheld", said, row.label))
    share = 1 - float(np.isfinite(one.matrix.signal).mean())
    if share > 0:
        found.append(Finding("undamaged", "reported", f"{100 * share:.2g} % of the cells missing"))
    if one.components is not None and one.components.at_least:
        said = f"at least {one.components.supported} components: more cannot be told apart"
        found.append(Finding("described", "doubtful", said))
    if one.drift and one.drift.sure:
        said = f"{one.drift}: a drift is taken out, a decay missing in the model would look like it"
        found.append(Finding("described", "doubtful", said))
    if one.fit.model.ramp:
        share = _moved(one.fit)
        said = (
            f"the baseline moves by {100 * share:.2g} % of the largest signal over all delays: "
            "fitted as a steady ramp; if it moves otherwise a decay may be none"
        )
        found.append(Finding("described", "doubtful" if share > _MOVED else "reported", said))
    found += [
        Finding("described", "reported", flag)
        for flag in one.fit.flags
        if flag.startswith(("residual correlated", "residual after"))
    ]
    return found


def _changes(quantities, found, problems) -> Iterator[Quantity]:
    """Ratios after/before of the lifetimes of samples with both states and as many lifetimes in
    each."""
    for sample, states in found.items():
        if not {"before", "after"} <= set(states):
            continue
        models = [states[state].fit.model for state in ("before", "after")]
        numbers = [model.components + model.infinite for model in models]
        if numbers[0] != numbers[1] or models[0].infinite != models[1].infinite:
            said = (
                f"{numbers[0]} components before, {numbers[1]} after: not compared; give a number"
            )
            problems.append(Problem(sample, said))
            continue
        pick = {(q.state, q.name): q for q in quantities if q.sample == sample}
        for i in range(models[0].components):
            name = f"lifetime {i + 1}"
            both = (pick["after", name], pick["before", name])
            yield derive(f"{name}, after/before", "", lambda a, b: a / b, *both, sample=sample)


def _recombination(prepared, found, orders, problems) -> Iterator[Quantity]:
    """Lifetimes of each order at the lowest fluence of each sample, from all its fluences."""
    if not orders:
        return
    for sample, states in found.items():
        series: dict[str, dict[float, Analysed]] = {}
        for one in states.values():
            made = next(p for key, p in prepared.items() if key[::2] == (sample, one.label))
            row = made.members[0].row
            fluence = row.settings.get("fluence_uJ_cm2", row.settings.get("pairs"))
            if fluence:
                series.setdefault(row.state, {})[fluence] = one
        for state, sets in series.items():
            try:
                fit = fluence_fit({f: (coarse(o.matrix), o.fit) for f, o in sets.items()}, orders)
            except Exception as error:  # one that fails stops no other
                problems.append(Problem(f"{sample} {state}".strip(), reason(error)))
                continue
            inputs = [digest for one in sets.values() for digest in one.inputs]
            estimates = fit.estimates()
            for name in fit.model.law.names:
                said = f"lifetime of {name.removeprefix('tau_')} order at the lowest fluence"
                yield derive(
                    said, "ps", value_of(name), estimates,
                    sample=sample, state=state, inputs=inputs, where=f"{len(sets)} fluences",
                )  # fmt: skip


# ---- pictures ------------------------------------------------------------------------------------


def _panels(report: Report) -> Iterator[Panel]:
    for sample, states in report.found.items():
        for one in states.values():
            yield Panel(f"{one.label} map", _drawn(_map, one), sample, one.label)
            yield Panel(f"{one.label} transients", _drawn(_transients, one), sample, one.label)
            yield Panel(f"{one.label} spectra", _drawn(_spectra, one), sample, one.label)
            if one.fit.model.oscillations:
                yield Panel(f"{one.label} oscillations", _drawn(_waves, one), sample, one.label)


def _pairs(report: Report) -> Iterator[Panel]:
    for sample, states in report.found.items():
        if {"before", "after"} <= set(states):
            pair = (states["before"], states["after"])
            name = f"{sample} before and after"
            yield Panel(name, _drawn(_pair, pair), sample, name)


def _drawn(draw, what):
    return lambda figure: draw(figure.subplots(), what)


def _map(ax, one: Analysed) -> None:
    plots.draw_map(ax, one.flat, zero_ps=one.fit.zero_ps)


def _spectra(ax, one: Analysed) -> None:
    plots.draw_spectra(ax, one.fit.dads(), unit=one.matrix.unit)
    legend_above(ax)


def _waves(ax, one: Analysed) -> None:
    amplitude, _ = one.fit.oscillations()
    plots.draw_spectra(ax, amplitude, unit=one.matrix.unit)
    legend_above(ax)


def _pair(ax, pair) -> None:
    plots.draw_pair(ax, *(one.fit.dads() for one in pair), unit=pair[0].matrix.unit)


def _transients(ax, one: Analysed) -> None:
    """At the extrema of the slowest spectrum and in its middle."""
    w = one.matrix.wavelength_nm
    slow = np.nan_to_num(one.fit.dads().values[-1])
    centres = sorted({float(w[i]) for i in (np.argmin(slow), np.argmax(slow), len(w) // 2)})
    half = 0.02 * np.ptp(w)
    chirp = workflow.fitted_chirp(one.fit) if one.fit.model.dispersion else None
    windows = [(c - half, c + half) for c in centres]
    plots.draw_transients(ax, one.matrix, one.fit.fitted(), windows, chirp=chirp)
    plots.delay_axis(ax, one.matrix.delay_ps, one.fit.zero_ps)
