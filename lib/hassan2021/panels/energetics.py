"""Panels of notebook 06 that are drawn more than once: adsorbed ligands, Frenkel pairs."""

from __future__ import annotations

from hassan2021.verdicts.energetics import Evidence
from peled.energetics import loading, methods, plots

CRYSTAL = "lead and iodide in the positions of the crystal, octahedra turned by 9 degrees"
RELAXED = (
    "positions of the crystal but for atoms within 4 angstrom of the defect",
    "displaced iodide placed by hand, then relaxed",
)


def _save(room, fig, panel: str, evidence: Evidence, picture, assumptions) -> None:
    """A picture stands on its own file; where there is none, on the table that has no row of it."""
    path = picture.path if picture else evidence.held.tables[loading.GFN2]
    kind = picture.kind if picture else "calculated"
    room.save(fig, panel, inputs=[path], kind=kind, assumptions=assumptions)


def adsorbed(
    room, evidence: Evidence, panel: str, name: str, *, beyond: bool = False, **options
) -> None:
    """Ligands on the slab from the side and from above, with the energies of paper and methods.

    `beyond` adds what a pair gains over its singles.
    """
    picture = evidence.held.picture(name)
    title = f"{name}, {picture.origin}" if picture else name
    fig, axes = room.panel(panel, width=4.7, height=3.1, title=title, ncols=2)
    if picture:
        plots.adsorbate(axes, picture.structure, _binding(evidence, name, beyond), **options)
    else:
        for ax in axes:
            plots.no_file(ax, f"no structure of {name}")
    _save(room, fig, panel, evidence, picture, [CRYSTAL])


def _binding(evidence: Evidence, name: str, beyond: bool) -> list[str]:
    cell = evidence.told.cells[name]
    lines = [f"paper: BE {plots.quoted(cell)} eV" + ("" if cell.printed else " (bounds)")]
    for method, rows in evidence.compared.items():
        if name in rows:
            gain = methods.interaction(rows, name, 0.0) if beyond else None
            more = f", beyond the singles {gain.value_eV:+.2f}" if gain else ""
            lines.append(f"{method}: {rows[name].energy_eV:.2f} eV{more}")
    return lines


def frenkel_pair(room, evidence: Evidence, panel: str, name: str, **options) -> None:
    """The displaced iodide on one surface, with what it costs."""
    picture = evidence.held.picture(f"Frenkel {name}")
    title = f"Frenkel pair, {name}: {picture.origin}" if picture else name
    fig, ax = room.panel(panel, height=2.8, title=title)
    if picture:
        plots.frenkel_pair(ax, picture.structure, _cost(evidence, name), **options)
    else:
        plots.no_file(ax, f"no structure of the pair with {name}")
    _save(room, fig, panel, evidence, picture, RELAXED)


def _cost(evidence: Evidence, name: str) -> list[str]:
    told, sites = evidence.told, evidence.surfaces.get(name)
    printed = told.frenkel_eV[name]
    above = "" if name == "bare" else f", {told.increases_eV[name]:.2f} above bare"
    lines = [f"paper: formation {printed:.2f} eV{above}"]
    if sites:
        lines.append(f"GFN2-xTB: {loading.lowest(sites).energy_eV:.2f} eV")
    return lines
