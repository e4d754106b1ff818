"""A laboratory's folder of photoluminescence, from its sample sheet to numbers or reasons.

>>> from peled.photoluminescence.analyse import analyse, sniff
>>> from peled.samples import read_sheet
>>> report = analyse(read_sheet("folder", "photoluminescence", sniff=sniff))  # doctest: +SKIP
>>> print(report)                                                             # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from peled.photoluminescence import drawers, measures
from peled.photoluminescence.measures import SPECTRA
from peled.photoluminescence.rates import recombination
from peled.photoluminescence.reading import READERS, sniff
from peled.photoluminescence.spots import images
from peled.photoluminescence.transients import LAWS
from peled.quantities import Finding, Quantity
from peled.report import Problem, Report, from_holdings, reason
from peled.samples import Held, Holdings, Sheet, state_of
from peled.sources import kind_of

__all__ = ["SETTINGS", "Sample", "analyse", "sniff"]

#: What `settings` may say, and what is taken where it does not.
SETTINGS: Mapping[str, Any] = {
    "laws": ("1", "2", "3", "stretched"),  # of decay, as `fit_decays`
    "transition": "direct",  # of Tauc's construction
    "wavelength_nm": 0.3,  # standard error of the wavelength scale
    "air": False,  # whether wavelengths are those in air: energies then by its index
    "lifetime_error": 0.25,  # relative error above which a lifetime is withheld
    "rate_laws": tuple(LAWS),  # of recombination, as `fit_laws`
    "fluence_error": 0.1,  # relative standard error that all fluences share
    "test": "Welch",  # between groups: Welch or Mann-Whitney
}


@dataclass(frozen=True)
class Sample:
    """What was found of one sample, each in the order of the sheet.

    `absorption`, `emission`, `yields`, `decays`, `series` and `images` hold a `measures` result a
    row (a yield: a set of runs); `rates` one for all decays of a state at different fluences.
    """

    name: str
    absorption: tuple = field(default=(), repr=False)
    emission: tuple = field(default=(), repr=False)
    yields: tuple = field(default=(), repr=False)
    decays: tuple = field(default=(), repr=False)
    series: tuple = field(default=(), repr=False)
    rates: tuple = field(default=(), repr=False)
    images: tuple = field(default=(), repr=False)


def analyse(sheet: Sheet, settings: Mapping[str, Any] = {}) -> Report:
    """All numbers that a folder of photoluminescence gives, each with its error or a reason.

    Parameters
    ----------
    sheet : peled.samples.Sheet
        Of topic photoluminescence.
    settings : mapping
        Of `SETTINGS`; what is not said is as there.

    Returns
    -------
    Report
        `found[sample]` is a `Sample`.

    Raises
    ------
    ValueError
        If a setting is unknown.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}, found {', '.join(unknown)}")
    chosen = {**SETTINGS, **settings}
    holdings = Holdings(sheet, READERS)
    problems: list[Problem] = []
    quantities: list[Quantity] = []
    found: dict[str, Sample] = {}
    names = dict.fromkeys(h.row.sample for h in holdings if h.row.sample)
    for name in names:
        kept = {}
        for measurement, (attribute, measure) in _MEASURES.items():
            results = []
            for members in _sets(holdings, name, measurement):
                one = _measured(measure, holdings, members, chosen, problems)
                if one is not None:
                    results.append(one)
                    quantities += one.quantities
            kept[attribute] = tuple(results)
        together = partial(recombination, yields=kept["yields"])
        rates = [
            _measured(together, holdings, members, chosen, problems)
            for members in _fluences(holdings, name)
        ]
        kept["rates"] = tuple(one for one in rates if one is not None)
        quantities += [q for one in kept["rates"] for q in one.quantities]
        quantities += _reciprocal(holdings, kept, name, problems, chosen["air"])
        found[name] = Sample(name, **kept)
    plain = [h for h in holdings.select(measurement="pl") if h.row.role == "sample"]
    if said := measures.unnamed_runs({h.row.path.name: h.data for h in plain}):
        problems.append(Problem("folder", said))
    for path, members in holdings.by("path", measurement="trpl").items():
        if all(h.row.role == "sample" for h in members):
            said = measures.unnamed_response({h.row.part: h.data for h in members})
            problems += [Problem(path.name, said)] if said else []
    untimed = {h.row.file: h.data for h in plain if "time_s" not in h.row.settings}
    problems += [Problem("folder", said) for said in measures.unplaced(untimed)]
    return from_holdings(
        holdings, quantities, found=found, problems=problems, settings=chosen,
        drawers=drawers.DRAWERS, test=chosen["test"],
    )  # fmt: skip


#: Measurement -> where its results are kept, and what makes them of a set of rows.
_MEASURES: Mapping[str, tuple[str, Callable]] = {
    "absorption": ("absorption", measures.absorption),
    "pl": ("emission", measures.emission),
    "plqy": ("yields", measures.quantum_yields),
    "trpl": ("decays", measures.lifetime),
    "pl_series": ("series", measures.segregation),
    "confocal": ("images", images),
}


def _sets(holdings: Holdings, name: str, measurement: str) -> list[tuple[Held, ...]]:
    """Rows that make one result: a row of role sample, or the runs of a sphere by state."""
    if measurement in ("pl", "pl_series"):
        single, series = (
            [m for _, m in holdings.along(word, "time_s") if m[0].row.sample == name]
            for word in ("pl", "pl_series")
        )
        if measurement == "pl":
            return [(h,) for m in single if len(m) < SPECTRA for h in m]
        return series + [m for m in single if len(m) >= SPECTRA]
    own = [h for h in holdings.select(measurement=measurement, sample=name)]
    sets = [(h,) for h in own if h.row.role == "sample"]
    if measurement == "plqy":
        runs: dict[tuple, list[Held]] = {}
        for h in own:
            if h.row.role in ("direct", "indirect"):
                key = (h.row.state, h.row.replicate, h.row.settings.get("intensity_mW_cm2"))
                runs.setdefault(key, []).append(h)
        sets += [tuple(members) for members in runs.values()]
    return sets


def _fluences(holdings: Holdings, name: str) -> list[tuple[Held, ...]]:
    """Decays of one state of a sample, where they were taken at different fluences."""
    own = holdings.select(measurement="trpl", sample=name, role="sample")
    own = [h for h in own if "fluence_uJ_cm2" in h.row.settings]
    states: dict[str, list[Held]] = {}
    for h in own:
        alike = state_of([h.row], [one.row for one in own], ["fluence_uJ_cm2"])
        states.setdefault(alike, []).append(h)
    return [
        tuple(members)
        for members in states.values()
        if len({h.row.settings["fluence_uJ_cm2"] for h in members}) > 1
    ]


def _reciprocal(
    holdings: Holdings, kept: Mapping, name: str, problems: list[Problem], air: bool
) -> tuple[Quantity, ...]:
    """What absorption and emission of one state say together, where there is one of each."""
    made: tuple[Quantity, ...] = ()
    rows = {h.row.label: h.row for h in holdings}

    def alike(one, other):
        a, b = rows[one.label], rows[other.label]
        heat = {row.settings.get("temperature_K") for row in (a, b)} - {None}
        return a.state == b.state and len(heat) < 2

    for absorbed in kept["absorption"]:
        emitted = [e for e in kept["emission"] if alike(e, absorbed) and e.fit is not None]
        if len(emitted) != 1 or not absorbed.fit:
            continue
        labels = {"sample": name, "state": absorbed.state, "kind": emitted[0].quantities[0].kind}
        said = rows[absorbed.label].settings
        try:
            yields = [one for one in kept["yields"] if alike(one, absorbed)]
            result = measures.reciprocity_of(absorbed, emitted[0], said, labels, yields, air)
            made += result.quantities
            problems += [Problem(result.label, one) for one in result.problems]
        except ValueError as error:
            problems.append(Problem(emitted[0].label, f"temperature of emission: {reason(error)}"))
    return made


def _measured(measure, holdings, members, settings, problems):
    """A result with doubt, kind and inputs of its rows; None and a problem where there is none."""
    row = members[0].row
    alike = holdings.select(measurement=row.measurement, sample=row.sample)
    labels = {
        "sample": row.sample,
        "state": state_of([h.row for h in members], [h.row for h in alike]),
        "kind": kind_of(*(h.row.path for h in members)),
        "inputs": tuple(dict.fromkeys(h.digest for h in members)),
    }
    try:
        result = measure(holdings, members, settings, labels)
    except Exception as error:  # one row that fails stops no other
        problems.append(Problem(row.label, reason(error)))
        return None
    problems += [Problem(row.label, said) for said in result.problems]
    doubts = dict.fromkeys(h.row.doubt for h in members if h.row.doubt)
    return result.doubted(*(Finding("assumed", "doubtful", d, row.label) for d in doubts))
