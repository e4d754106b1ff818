"""A folder of outputs and a table of them to a report: energies with what they rest on, and
statistics over rows.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peled.energetics import draw
from peled.energetics.outputs import BookkeepingError, EnergyRow, EnergyTable, named, read_table
from peled.energetics.poses import lateral, poses, site_shares, standard_error
from peled.energetics.waterfall import waterfall
from peled.figures import COLOURS
from peled.formats import FormatError
from peled.quantities import Finding, Quantity
from peled.report import Panel, Problem, Report, from_holdings
from peled.samples import Content, Holdings, Row, Sheet

SETTINGS: Mapping[str, Any] = {
    "temperature_K": 300.0,  # of the populations
    "single_eV": 0.1,  # standard error of a row that has one start only, an assumption
}


def sniff(path: Path) -> Content | None:
    """What a file is: a table of outputs, whose parts are its rows; an output that a table beside
    or above it names, which needs no row of its own; None for anything else.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        Parts of a table are the names of its rows, those that were refused last.
    """
    if path.suffix.lower() != ".csv":
        return Content("energy_table", role="ignore") if _named(path) else None
    try:
        table = read_table(path)
    except FormatError:
        return None
    return Content("energy_table", tuple(row.name for row in table.rows) + tuple(table.refused))


def _named(path: Path) -> bool:
    """Whether a table names an output."""
    for folder in path.parents[:2]:
        here = path.relative_to(folder).as_posix()
        for table in folder.glob("*.csv"):
            with contextlib.suppress(FormatError):
                patterns = named(table)
                if any(fnmatch.fnmatchcase(here, pattern) for pattern in patterns):
                    return True
    return False


def analyse(sheet: Sheet, settings: Mapping[str, Any]) -> Report:
    """Energies of every row of the tables of a sheet, and what rows say together.

    Parameters
    ----------
    sheet : Sheet
        Rows of measurement `energy_table`; the part is a row of the table, none means all of them.
    settings : mapping
        Of `SETTINGS`; what is not said is as there.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        For a setting that is not in `SETTINGS`.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}, found {', '.join(unknown)}")
    temperature_K, single_eV = (float({**SETTINGS, **settings}[name]) for name in SETTINGS)
    tables: dict[Path, EnergyTable] = {}

    def read(path: Path, row: Row) -> list[EnergyRow]:
        if path not in tables:
            tables[path] = read_table(path)
        table = tables[path]
        if not row.part:
            return table.rows
        if row.part in table.refused:
            raise BookkeepingError(table.refused[row.part])
        return [found for found in table.rows if found.name == row.part]

    holdings = Holdings(sheet, {"energy_table": read, "constants": lambda path, row: path})
    quantities: list[Quantity] = []
    found: dict[str, dict[str, EnergyRow]] = {}
    by_table: dict[tuple[Path, str], list[EnergyRow]] = {}
    for held in holdings.select(measurement="energy_table"):
        mine = {(held.row.sample if held.row.part else "") or r.name: r for r in held.data}
        for sample, row in mine.items():
            found.setdefault(sample, {})[held.row.state] = row
        by_table.setdefault((held.row.path, held.row.state), []).extend(held.data)
        common = {"state": held.row.state, "inputs": (held.digest,)}
        doubt = held.row.doubt
        for sample, row in mine.items():
            quantities += _of_row(row, sample, temperature_K, single_eV, doubt, common)
    refused = [
        Problem(f"{path.name}: {name}", why)
        for path, table in tables.items()
        for name, why in table.refused.items()
    ]
    for (_, state), rows in by_table.items():
        quantities += _of_rows(rows, state, temperature_K, single_eV)
    return from_holdings(
        holdings,
        quantities,
        found=found,
        problems=refused,
        settings={"temperature_K": temperature_K, "single_eV": single_eV},
        drawers=(_chart, _waterfalls, _structures),
    )


def _of_row(
    row: EnergyRow,
    sample: str,
    temperature_K: float,
    single_eV: float,
    doubt: str,
    common: Mapping[str, Any],
) -> Iterator[Quantity]:
    """The energy of one row, its parts, and the statistics of its poses."""
    findings = tuple(
        Finding("assumed", "doubtful", text) for text in (doubt, *row.warnings) if text
    )
    findings += tuple(Finding("assumed", "reported", text) for text in row.notes)
    many = len(row.starts_eV) > 1
    budget = {"self-consistency": max(abs(row.complex.scf_step_eV or 0.0), 1e-3)}
    if many:
        budget["poses"] = row.spread_eV
    else:
        budget["assumed for one start"] = single_eV
    options = {"budget": budget, "unit": "eV", "kind": "calculated", **common}
    yield Quantity("energy", sample, row.energy_eV, findings=findings, note=row.caption, **options)
    if row.molecules > 1:
        each = {cause: error / row.molecules for cause, error in budget.items()}
        yield Quantity(
            "energy a molecule",
            sample,
            row.energy_eV / row.molecules,
            findings=findings,
            **(options | {"budget": each}),
        )
    if row.dispersion_eV is not None:
        yield Quantity("dispersion part", sample, row.dispersion_eV, findings=findings, **options)
        rest = row.energy_eV - row.dispersion_eV
        yield Quantity("part of the functional", sample, rest, findings=findings, **options)
    if row.gibbs_eV is not None:
        yield Quantity("Gibbs energy", sample, row.gibbs_eV, findings=findings, **options)
    if many:
        p = poses(row.starts_eV, temperature_K)
        said = (
            f"{len(row.starts_eV)} starts over {p.range_eV:.3f} eV, "
            f"{p.populated:.2f} poses populated"
        )
        yield Quantity(
            f"Boltzmann mean at {temperature_K:g} K",
            sample,
            p.mean_eV,
            findings=findings,
            note=said,
            **options,
        )


def _of_rows(
    rows: list[EnergyRow], state: str, temperature_K: float, single_eV: float
) -> Iterator[Quantity]:
    """Pairs beyond their members, sites of one surface, neighbours at a coverage: within one
    table.
    """
    by_name = {row.name: row for row in rows}
    for row in rows:
        members = row.name.split("+")
        if len(members) > 1 and all(m in by_name for m in members):
            beyond = row.energy_eV - sum(by_name[m].energy_eV for m in members)
            each = [standard_error(by_name[n], single_eV) for n in (row.name, *members)]
            yield Quantity(
                "beyond its members",
                row.name,
                beyond,
                {"poses": float(np.linalg.norm(each))},
                "eV",
                "calculated",
                state=state,
            )
    groups: dict[tuple[str, ...], list[EnergyRow]] = {}
    for row in rows:
        if "adsorbate" in row.labels:
            key = tuple(row.labels.get(k, "") for k in ("adsorbate", "surface", "coverage"))
            groups.setdefault(("site", *key), []).append(row)
            groups.setdefault(("coverage", *key[:2]), []).append(row)
    for (kind, *key), members in groups.items():
        name = " on ".join(filter(None, key[:2]))
        if kind == "site":
            sites = {r.labels["site"]: r for r in members if "site" in r.labels}
            if len(sites) > 1:
                energies = {
                    s: (r.energy_eV, standard_error(r, single_eV)) for s, r in sites.items()
                }
                for share in site_shares(energies, temperature_K):
                    half = max((share.high - share.low) / 3.92, 1e-6)
                    yield Quantity(
                        f"share of site {share.site} at {temperature_K:g} K",
                        name,
                        share.share,
                        {"energies": half},
                        "",
                        "calculated",
                        interval=(share.low, share.high),
                        state=state,
                    )
        elif (slope := lateral(members, single_eV)) is not None:
            at = ", ".join(f"{c:g}" for c in slope.coverages)
            yield Quantity(
                "lateral interaction",
                name,
                slope.slope_eV,
                {"poses": slope.error_eV},
                "eV per coverage",
                "calculated",
                note=f"per molecule, coverages {at}; positive repels",
                state=state,
            )


def _chart(report: Report) -> Iterator[Panel]:
    """All energies side by side, every start a tick."""
    if any(q.value is not None for q in report.select(name="energy")):
        yield Panel(
            "energies", lambda figure: _bars(figure.subplots(), report), "", "energies", True
        )


def _bars(ax, report: Report) -> None:
    energies = [q for q in report.select(name="energy") if q.value is not None]
    at = range(len(energies))
    ax.barh(at, [q.value for q in energies], color=COLOURS["sky"], height=0.6)
    for y, q in zip(at, energies, strict=True):
        starts = report.found[q.sample][q.state].starts_eV
        ax.plot(starts, [y] * len(starts), "|", color="black", ms=7, mew=0.7)
        ax.errorbar(q.value, y, xerr=q.standard_error, color="black", capsize=2, lw=0.8)
    ax.set_yticks(at, [f"{q.sample} {q.state}".strip() for q in energies])
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.6)
    ax.set_xlabel("energy (eV); ticks: all starts")


def _waterfalls(report: Report) -> Iterator[Panel]:
    """A pair as its members and what is between them."""
    for q in report.select(name="beyond its members"):
        if q.value is None:
            continue
        yield Panel(
            "waterfall",
            lambda figure, q=q: _fall(figure.subplots(), report, q),
            sample=q.sample,
            title=f"{q.sample}, part by part",
        )


def _fall(ax, report: Report, beyond: Quantity) -> None:
    members = [report.found[name][beyond.state] for name in beyond.sample.split("+")]
    steps = [(row.name, row.energy_eV, None, "member") for row in members]
    between = ("between\nthem", beyond.value, beyond.standard_error, "between")
    waterfall(ax, {members[0].method: [*steps, between]}, total=beyond.sample)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.12 * (high - low), high)  # what is written below a bar


def _structures(report: Report) -> Iterator[Panel]:
    """The lowest start of each system from the side and from above, where the output has its
    atoms.
    """
    kept = [(sample, row) for sample, rows in report.found.items() for row in rows.values()]
    for sample, row in kept:
        if row.complex.structure is not None:
            yield Panel(
                "structure",
                lambda figure, r=row: draw.two_views(
                    figure.subplots(1, 2), r.complex.structure, fontsize=5
                ),
                sample=sample,
                title=f"{sample}, {row.method}",
            )
