"""Panels of notebook 06 as data: what each draws, of which files, under which title."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hassan2021 import desk
from hassan2021.energetics import Evidence, charts, loading, methods
from ledger import paper
from peled.energetics import affinity
from peled.energetics.waterfall import waterfall

CRYSTAL = "lead and iodide in the positions of the crystal, octahedra turned by 9 degrees"
RELAXED = (
    "positions of the crystal but for atoms within 4 angstrom of the defect",
    "displaced iodide placed by hand, then relaxed",
)
#: Molecules of ED Fig. 10a by their files, and their rows.
MOLECULES = {
    "glutathione": "GL",
    "edta": "EDTA",
    "acetic_acid": "acetic acid",
    "methylamine": "methylamine",
    "n_methylacetamide": "amide",
    "trimethylamine": "tertiary amine",
}


@dataclass(frozen=True)
class Panel:
    """`draw(evidence, axes)` of `files(evidence)`; `title` may depend on the evidence; `name` is
    for the panels that the paper does not have.
    """

    draw: Callable[[Evidence, Any], None]
    files: Callable[[Evidence], Sequence[Path]]
    title: str | Callable[[Evidence], str]
    size: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    kind: str = "calculated"
    assumptions: Callable[[Evidence], Sequence[str]] = lambda e: ()


def show(room, evidence: Evidence, *names: str) -> None:
    """Draw and save panels."""
    for name in names:
        panel = PANELS[name]
        title = panel.title if isinstance(panel.title, str) else panel.title(evidence)
        size = {k: v(evidence) if callable(v) else v for k, v in panel.size.items()}
        figure, axes = room.panel(name, title=title, **size)
        panel.draw(evidence, axes)
        room.save(
            figure,
            name,
            inputs=list(panel.files(evidence)),
            kind=panel.kind,
            title=panel.name,
            assumptions=list(panel.assumptions(evidence)),
        )


def _tables(*methods_: str) -> Callable[[Evidence], list[Path]]:
    """Tables of these methods, of all that are compared where none is named."""
    return lambda e: [e.held.tables[m] for m in methods_ or e.compared]


def _files(*names: str) -> Callable[[Evidence], list[Path]]:
    return lambda e: [e.held.files[name] for name in names]


def _minus_own(e: Evidence) -> dict[str, float]:
    return {**e.errors, loading.OWN: 0.0}


def _every(e: Evidence) -> dict[str, Mapping]:
    return {loading.GFN1: e.rows(loading.GFN1)} | e.compared


# ---- structures ----------------------------------------------------------------------------------


def _on_slab(name: str, *, beyond: bool = False, **options) -> Panel:
    """Ligands on the slab from the side and from above, with the energies of paper and methods;
    `beyond` adds what a pair gains over its singles.
    """

    def draw(e: Evidence, axes) -> None:
        picture = e.held.picture(name)
        if picture:
            charts.adsorbate(axes, picture.structure, _binding(e, name, beyond), **options)
        for ax in () if picture else axes:
            desk.nothing(ax, f"no structure of {name}")

    size = {"width": 4.7, "height": 3.1, "ncols": 2}
    return Panel(draw, *_pictured(name, name), size, assumptions=lambda e: [CRYSTAL])


def _pictured(row: str, name: str) -> tuple[Callable, Callable]:
    """Files and title of a picture; where there is none, the table that has no row of it."""

    def files(e: Evidence) -> list[Path]:
        picture = e.held.picture(row)
        return [picture.path if picture else e.held.tables[loading.GFN2]]

    def title(e: Evidence) -> str:
        picture = e.held.picture(row)
        between = ", " if row == name else ": "
        return f"{name}{between}{picture.origin}" if picture else name

    return files, title


def _binding(e: Evidence, name: str, beyond: bool) -> list[str]:
    cell = e.told.cells[name]
    lines = [f"paper: BE {charts.quoted(cell)} eV" + ("" if cell.printed else " (bounds)")]
    for method, rows in e.compared.items():
        if name in rows:
            gain = methods.interaction(rows, name, 0.0) if beyond else None
            more = f", beyond the singles {gain.value_eV:+.2f}" if gain else ""
            lines.append(f"{method}: {rows[name].energy_eV:.2f} eV{more}")
    return lines


def _displaced(name: str, **options) -> Panel:
    """The displaced iodide on one surface, with what it costs."""

    def draw(e: Evidence, ax) -> None:
        picture, sites = e.held.picture(f"Frenkel {name}"), e.surfaces.get(name)
        if picture is None:
            desk.nothing(ax, f"no structure of the pair with {name}")
            return
        above = "" if name == "bare" else f", {e.told.increases_eV[name]:.2f} above bare"
        lines = [f"paper: formation {e.told.frenkel_eV[name]:.2f} eV{above}"]
        if sites:
            lines.append(f"GFN2-xTB: {loading.lowest(sites).energy_eV:.2f} eV")
        charts.frenkel_pair(ax, picture.structure, lines, **options)

    files, title = _pictured(f"Frenkel {name}", f"Frenkel pair, {name}")
    return Panel(draw, files, title, {"height": 2.8}, assumptions=lambda e: RELAXED)


def _molecules(e: Evidence, axes) -> None:
    captions = {}
    for file, name in MOLECULES.items():
        lines = [name, f"paper {charts.quoted(e.told.cells[name])} eV"]
        for method, rows in e.compared.items():
            if name in rows:
                lines.append(f"{method.split(',')[0]} {rows[name].energy_eV:.2f} eV")
        captions[file] = "\n".join(lines)
    charts.fragments(axes.flat, {k: e.held.molecules[k] for k in MOLECULES}, captions)


LEAD = ("Pb EDTA", "Pb GL")


def _on_lead(e: Evidence, axes) -> None:
    for ax, name in zip(axes, LEAD, strict=True):
        if row := e.held.lead.get(f"{name} | {e.best}"):
            said = f"{name}: {row.energy_eV:.2f} eV, {len(row.starts_eV)} conformer(s)"
            charts.complex_of_lead(ax, row.complex.structure, [said, e.best])
        else:
            desk.nothing(ax, f"no {name}")
    if e.best:
        printed = paper.claim("C175").number
        said = f"EDTA stronger by {e.gaps[e.best].gap_eV:.2f} eV; paper {printed:.2f}"
        axes[0].text(0.0, 1.0, said, transform=axes[0].transAxes, fontsize=6, va="top")


def _lead_files(e: Evidence) -> list[Path]:
    rows = [e.held.lead.get(f"{name} | {e.best}") for name in LEAD]
    return [e.held.tables["lead"], *(row.complex.path for row in rows if row)]


# ---- charts --------------------------------------------------------------------------------------


def _members(e: Evidence, ax) -> None:
    """A pair as its members and what is between them, paper and methods side by side."""

    def steps(energies, between, spread=lambda name: None):
        each = [(n, energies(n), spread(n), "member") for n in ("GL", "EDTA")]
        return [*each, ("between\nthem", between, None, "between")]

    told = e.told
    series = {"paper": steps(lambda n: told.cells[n].energy_eV.middle, told.interaction.middle)}
    for method, rows in e.compared.items():
        if {"GL", "EDTA", "GL+EDTA"} <= set(rows):
            series[method] = steps(
                lambda n, r=rows: r[n].energy_eV,
                methods.interaction(rows, "GL+EDTA", 0.0).value_eV,
                lambda n, r=rows: methods.spread(r[n]) or None,
            )
    waterfall(ax, series, total="E+G")


def gaussian(e: Evidence) -> dict:
    """Rows of the box in a Gaussian basis, by system."""
    return {name.partition(" | ")[0]: row for name, row in e.held.box.items() if "PySCF" in name}


def _cutoffs(e: Evidence, axes) -> None:
    scan = loading.convergence(e.held.box)
    shown = {key: rows for key, rows in scan.items() if key[0] in ("acetic acid", "methylamine")}
    charts.cutoff_chart(axes, shown, gaussian(e), paper_Ry=paper.claim("C217").number)


def _pairs(e: Evidence, ax) -> None:
    a = e.assumed
    charts.pairs_against_energy(
        ax,
        e.told.frenkel_eV,
        temperature_K=a.temperature_K,
        sites=a.iodides,
        error_eV=a.errors_eV[0],
    )


PANELS = {
    "extra_binding": Panel(
        lambda e, ax: charts.binding_chart(ax, e.told.cells, _every(e), _minus_own(e)),
        lambda e: [e.held.tables[m] for m in _every(e)],
        "Paper, bounds, calculations; ticks: all starts",
        {"width": 4.8, "height": 3.6},
        "binding energies: paper, bounds and calculations",
    ),
    "ed10a": Panel(
        _molecules,
        lambda e: [*_files(*MOLECULES)(e), *_tables(loading.GFN2)(e)],
        "Ligands and their fragments, lowest conformers",
        {"width": 7.2, "height": 3.6, "nrows": 2, "ncols": 3},
    ),
    "ed10j": Panel(
        lambda e, ax: charts.binding_table(ax, e.told.cells, e.compared),
        _tables(),
        "Binding energies; in parentheses per molecule",
        {"width": 6.4, "height": 2.2},
        kind="recomputed",
        assumptions=lambda e: [c.why for c in e.told.cells.values() if not c.printed],
    ),
    "ed10b": _on_slab("GL"),
    "ed10c": _on_slab("EDTA"),
    "extra_waterfall": Panel(
        _members,
        _tables(),
        "Members of the pair, and what is between them",
        {"width": 5.2, "height": 2.8},
        "binding energy of the pair: members and what is between them",
    ),
    "fig5a": _on_slab("GL+GL", beyond=True),
    "fig5b": _on_slab("EDTA+EDTA", beyond=True),
    "fig5c": _on_slab("GL+EDTA", beyond=True),
    "ed10d": _on_slab("GL+EDTA", turn_deg=90),
    "ed10e": _on_slab("EDTA+EDTA", turn_deg=90),
    "ed10f": _on_slab("GL+GL", turn_deg=90),
    "extra_cutoffs": Panel(
        _cutoffs,
        _tables("box"),
        "Binding energies against cutoff",
        {"width": 5.4, "height": 2.5, "ncols": 2, "sharey": True},
        "binding energies against cutoff, for two kinds of potentials",
    ),
    "extra_frenkel": Panel(
        _pairs,
        _tables(loading.GFN2),
        "Frenkel pairs",
        {"height": 2.7},
        "pairs per crystal against formation energy",
        "recomputed",
    ),
    "extra_suppression": Panel(
        lambda e, ax: charts.suppression_chart(ax, e.factors, e.assumed.errors_eV),
        _tables(loading.GFN2),
        "Suppression, 95 % intervals; P that the rise is real",
        {"height": 2.3, "width": 4.6},
        "suppression of Frenkel pairs",
        "recomputed",
        lambda e: [f"error {e.assumed.errors_eV[0]} eV each, correlation {e.assumed.correlation}"],
    ),
    "fig5d": _displaced("GL+EDTA"),
    "ed10g": _displaced("bare", tilt_deg=55),
    "ed10h": _displaced("GL"),
    "ed10i": _displaced("GL+EDTA", tilt_deg=62),
    "ed10k": Panel(
        _on_lead,
        _lead_files,
        "[Pb(ligand)]$^{2+}$, lowest conformers",
        {"width": 5.2, "height": 2.8, "ncols": 2},
    ),
    "extra_preference": Panel(
        lambda e, ax: charts.lead_chart(ax, e.gaps, paper.claim("C175").number),
        _tables("lead"),
        "Preference of free lead by method and medium",
        {"width": 5.4, "height": lambda e: 0.9 + 0.24 * len(e.gaps)},
        "preference of free lead by method and medium",
    ),
    "extra_affinity": Panel(
        lambda e, ax: charts.conditional_constants(
            ax, e.held.constants, float(affinity.log_units(paper.claim("C175").number, 298.15))
        ),
        _files("stability.yaml"),
        "Grip on lead in water",
        {"height": 2.5},
        "conditional stability constants",
        assumptions=lambda e: [c["source"] for c in e.held.constants.values()],
    ),
}
