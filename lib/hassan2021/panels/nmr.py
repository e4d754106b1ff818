"""Panels of notebook 05 as data: a drawer, the rows of the sample sheet that it takes, words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from hassan2021 import desk
from hassan2021.colours import COLOURS
from hassan2021.desk import Missing, Panel
from hassan2021.nmr import SOLIDS, Evidence
from peled import molecules
from peled.figures import DOUBLE
from peled.nmr import plots

#: Marks of the carbon spectra: shift, text, colour; asterisks are sidebands of the double bond.
CARBONS = (
    (130.2, "C=C", "blue"), (174.5, "CO", "amber"), (55.8, r"$\alpha$-C", "brown"),
    (38.0, "38", "orange"), (50.7, "*", "black"), (209.7, "*", "black"),
    (29.0, "CH$_2$", "grey"),
)  # fmt: skip
RAISED = ("Cys beta 1", "NH Cys", "EDTA a")  #: labels that would stand in their neighbours


def greek(name: str) -> str:
    return name.replace("beta", r"$\beta$").replace("alpha", r"$\alpha$")


def _spectra(found: dict) -> list:
    if not found:
        raise Missing("no spectrum in the folder")
    return [(name, s, COLOURS[name]) for name, s in found.items()]


def finding(e: Evidence, axes) -> None:
    """Left: the alpha-carbon window with the sideband in it; right: shifts along the titrations."""
    found = [(n, s, COLOURS[n]) for n, s in e.solids.items() if n in ("neat", "E+G")]
    if found:
        plots.stack(axes[0], found, (44, 64), step=0.5, nucleus="$^{13}$C", label_at=0.98)
        for ppm, text in ((50.7, "sideband"), (55.8, r"$\alpha$-C of GL")):
            plots.mark(axes[0], ppm, text, y=0.85)
    for name, line, colour in (("EDTA", "EDTA b", "pink"), ("GL", "Cys beta 1", "green"),
                               ("GL", "NH Cys", "blue"), ("GL", "Gly alpha", "black")):  # fmt: skip
        if name in e.followed:
            _curve(e, axes[1], name, line, COLOURS[colour])
    axes[1].legend(fontsize=5.5)


def _solids(e: Evidence, ax) -> None:
    plots.stack(ax, _spectra({n: e.solids[n] for n in SOLIDS if n in e.solids}), (0, 220),
                step=0.34, clip=0.42, nucleus="$^{13}$C")  # fmt: skip
    ax.set_ylim(top=1.75)
    for ppm, text, colour in CARBONS:
        plots.mark(ax, ppm, text, y=0.9, colour=COLOURS[colour])


def _structures(e: Evidence, axes) -> None:
    colours = {
        "EDTA": {"a": "pink", "b": "blue"}, "GL": {"Cys β": "orange", "Glu β": "green"},
    }  # fmt: skip
    for ax, (name, marked) in zip(axes, colours.items(), strict=True):
        shades = {label: COLOURS[c] for label, c in marked.items()}
        molecules.draw(ax, e.drawings[name], fontsize=6, colours=shades)


def _with_lead(e: Evidence, ax) -> None:
    steps = e.titration("E+G")
    last = f"+ {steps[-1].row.settings['equivalents']:g} PbI$_2$"
    pair = [("E+G", steps[0].spectrum, COLOURS["E+G"]), (last, steps[-1].spectrum, "black")]
    plots.stack(ax, pair, (1.6, 8.9), step=1.7, clip=1.6, scale_window_ppm=(2.47, 2.53),
                nucleus="$^1$H", label_at=0.45)  # fmt: skip
    ax.set_ylim(top=4.1)
    for r in e.resonances:
        y = 0.81 + 0.08 * (r.name in RAISED)
        plots.mark(ax, r.shift_ppm, greek(r.name), y=y, size=4.5)


def _surface(e: Evidence, ax) -> None:
    """The proposed binding: carboxylates, thiol and amide of GL and the carboxylates of EDTA on
    lead of the NC surface."""
    drawings = e.drawings
    for column in range(12):
        for row in range(2):
            lead = (column + row) % 2 == 0
            ax.scatter(
                1.35 * column,
                -1.2 * row,
                s=70 if lead else 110,
                color="#6D6D6D" if lead else "#8E44AD",
                alpha=1 if row == 0 else 0.45,
                edgecolor="none",
                zorder=3,
            )
            if lead and row == 0:
                ax.text(
                    1.35 * column,
                    0,
                    "Pb",
                    ha="center",
                    va="center",
                    size=4.5,
                    color="white",
                    zorder=4,
                )
    left = molecules.draw(
        ax,
        drawings["GL"],
        origin=(3.2, 4.0),
        size=0.52,
        flip=True,
        labels=False,
        fontsize=5,
        linewidth=0.8,
    )
    right = molecules.draw(
        ax, drawings["EDTA"], origin=(11.5, 4.0), size=0.52, labels=False, fontsize=5, linewidth=0.8
    )
    leads = np.array([(1.35 * c, 0.0) for c in range(0, 12, 2)])
    for xy, donors in (
        (left, _donors(drawings["GL"], ("S", "Glu α", "Cys α"))),
        (
            right,
            sorted(
                (k for k, e in enumerate(drawings["EDTA"].elements) if e == "O"),
                key=lambda k: right[k][1],
            )[:3],
        ),
    ):
        for k in donors:
            target = leads[np.argmin(np.abs(leads[:, 0] - xy[k][0]))]
            ax.plot(
                *np.array([xy[k] - [0, 0.2], target + [0, 0.35]]).T,
                ls=":",
                lw=1.0,
                color=COLOURS["orange"],
                zorder=2,
            )
    ax.text(3.2, 7.2, "GL", ha="center", size=7, color=COLOURS["GL"], weight="bold")
    ax.text(11.5, 7.2, "EDTA", ha="center", size=7, color=COLOURS["EDTA"], weight="bold")
    ax.text(
        7.4,
        -2.4,
        "lead-halide surface; dotted: lead to carboxylate, thiolate, amide",
        ha="center",
        size=5.5,
    )
    ax.set_xlim(-1.5, 16.5)
    ax.set_ylim(-2.8, 7.9)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _donors(drawing: molecules.Molecule, wanted: Sequence[str]) -> list[int]:
    """Atoms that the paper has on lead: an element, the carboxyl oxygen beside a labelled carbon,
    or the nitrogen on it."""
    found = []
    for name in wanted:
        for k, (element, label) in enumerate(zip(drawing.elements, drawing.labels, strict=True)):
            if element == name:
                found.append(k)
            elif label == name == "Glu α":
                found += [
                    o
                    for c in drawing.neighbours(k)
                    for o in drawing.neighbours(c)
                    if drawing.elements[o] == "O"
                ][:1]
            elif label == name == "Cys α":
                found += [n for n in drawing.neighbours(k) if drawing.elements[n] == "N"]
    return found


def _colloids(e: Evidence, ax) -> None:
    found = e.of(("neat", "E+G"), e.in_toluene)
    plots.stack(ax, _spectra(found), (0.4, 7.6), step=0.7, clip=0.7, scale_window_ppm=(1.2, 1.6),
                nucleus="$^1$H", label_at=0.6)  # fmt: skip


def _vinyl(e: Evidence, ax) -> None:
    if not e.colloid:
        raise Missing("no colloid in toluene in the folder")
    for i, name in enumerate(n for n in ("neat", "E+G") if n in e.colloid):
        plots.fit(ax, e.colloid[name], offset=1.15 * i, labels=i == 0)
        ax.text(0.02, 1.15 * i + 0.35, name, color=COLOURS[name],
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.legend(loc="upper right")


def _curve(e: Evidence, ax, sample: str, line: str, colour: str) -> None:
    f = e.followed[sample]
    i = f.column(line)
    bound = e.binding.get(sample)
    model = bound.curves.get(line) if bound else None
    y, error = f.shift_ppm[:, i], f.shift_error_ppm[:, i]
    plots.shift_curves(ax, f.ratio, y, error, greek(line), colour, model, axis="PbI$_2$ : ligand")


def _titration(e: Evidence, axes, sample: str, windows: Sequence, lines: Sequence) -> None:
    """Spectra of a titration in windows, and the shifts of some lines with their isotherm."""
    steps = e.titration(sample)
    shades = [
        (f"{s.row.settings['equivalents']:g}", s.spectrum, (0.15 * i, 0.25, 0.8 - 0.15 * i))
        for i, s in enumerate(steps)
    ]
    for ax, window in zip(axes, windows, strict=False):
        plots.stack(ax, shades, window, step=0.8, clip=1.05, nucleus="$^1$H")
    for line, colour in lines:
        _curve(e, axes[-1], sample, line, COLOURS[colour])
    axes[-1].legend()


def _mixture(e: Evidence, ax, solvent: str, window, step: float, clip: float, scale) -> None:
    """Both ligands and their mixture in one solvent."""
    found = e.of(("EDTA", "GL", "E+G"), lambda s: e.spectrum("1h", s, solvent))
    plots.stack(ax, _spectra(found), window, step=step, clip=clip, scale_window_ppm=scale,
                nucleus="$^1$H", label_at=0.5)  # fmt: skip


def _exchange(e: Evidence, ax) -> None:
    found = []
    for label, measurement, solvent, colour in (
        ("d-DMSO", "1h", "DMSO", "GL"), ("+ D$_2$O", "exchange", "", "blue"),
    ):  # fmt: skip
        look = e.of(("GL",), lambda s, m=measurement, v=solvent: e.spectrum(m, s, v))
        found += [(label, s, COLOURS[colour]) for s in look.values()]
    if not found:
        raise Missing("GL: no spectrum before or after D2O in the folder")
    plots.stack(ax, found, (1.5, 8.9), step=0.7, clip=0.65, scale_window_ppm=(3.69, 3.77),
                nucleus="$^1$H", label_at=0.4)  # fmt: skip
    plots.mark(ax, 8.38, "amide NH", y=0.3)


def _in(solvent: str, *samples: str) -> tuple[dict, ...]:
    """1H rows in a solvent; of these samples, or of all."""
    return tuple(
        {"measurement": "1h", "solvent": solvent} | ({"sample": s} if s else {})
        for s in samples or ("",)
    )


WIDE = {"width": DOUBLE, "height": 2.4}
SOLID = ("amounts, widths and tensors of the forward model", "contact time")
SOLUTION = ("shifts, binding constants and rates",)
FREE = ("free share of oleyl ligands",)
DMSO, D2O, TOLUENE = "DMSO-d6", "D2O", "toluene-d8"
PANELS = {
    "fig4a": Panel(
        _solids, ({"measurement": "13c_cpmas"},), "$^{13}$C CP-MAS, 8 kHz",
        {"width": DOUBLE, "height": 3.2}, assumptions=SOLID,
    ),
    "fig4b": Panel(
        _structures, title="EDTA and L-glutathione (GL)",
        files=("molecules.json",), size={"nrows": 2, "height": 3.0},
    ),
    "fig4c": Panel(
        _with_lead, _in(DMSO, "E+G"), "E+G with and without PbI$_2$, d-DMSO",
        {"width": DOUBLE, "height": 2.3}, assumptions=SOLUTION,
    ),
    "fig4d": Panel(
        _surface, title="Proposed binding (drawing of the statement)",
        files=("molecules.json",), size={"height": 2.3}, kind="published",
    ),
    "ed9a": Panel(
        _colloids, _in(TOLUENE), "Nanocrystals in d-toluene", {"width": DOUBLE, "height": 2.1},
        assumptions=FREE,
    ),
    "ed9b": Panel(_vinyl, _in(TOLUENE), "Vinyl protons, fit", {"height": 2.3}, assumptions=FREE),
    "ed9c": Panel(
        partial(_titration, sample="E+G", windows=[(7.95, 8.6), (2.55, 3.85)],
                lines=[("EDTA b", "pink"), ("Cys beta 1", "green"), ("NH Cys", "blue"),
                       ("Gly alpha", "black")]),
        _in(DMSO, "E+G"), "E+G and PbI$_2$ : ligand", {**WIDE, "ncols": 3}, assumptions=SOLUTION,
    ),
    "ed9d": Panel(
        partial(_mixture, solvent="DMSO", window=(1.5, 8.9), step=1.1, clip=1.05,
                scale=(2.47, 2.53)),
        _in(DMSO), "Ligands and mixture, d-DMSO", WIDE, assumptions=SOLUTION,
    ),
    "ed9e": Panel(
        partial(_mixture, solvent="D2O", window=(1.9, 5.1), step=0.45, clip=0.42, scale=(4.6, 5.0)),
        _in(D2O), "Ligands and mixture, D$_2$O", WIDE, assumptions=SOLUTION,
    ),
    "ed9f": Panel(
        _exchange, (*_in(DMSO, "GL"), {"measurement": "exchange"}),
        "GL: amide protons and D$_2$O", {"width": DOUBLE, "height": 2.1}, assumptions=SOLUTION,
    ),
    "ed9g": Panel(
        partial(_titration, sample="EDTA", windows=[(3.45, 3.85), (2.85, 3.25)],
                lines=[("EDTA a", "pink"), ("EDTA b", "orange")]),
        _in(DMSO, "EDTA"), "EDTA and PbI$_2$ : ligand", {**WIDE, "ncols": 3}, assumptions=SOLUTION,
    ),
    "ed9h": Panel(
        partial(_titration, sample="GL", windows=[(8.0, 8.6), (1.65, 3.15)],
                lines=[("Cys beta 1", "green"), ("Cys beta 2", "orange"), ("NH Cys", "blue"),
                       ("Gly alpha", "black")]),
        _in(DMSO, "GL"), "GL and PbI$_2$ : ligand", {**WIDE, "ncols": 3}, assumptions=SOLUTION,
    ),
}  # fmt: skip


def show(room, evidence: Evidence, *names: str) -> None:
    """Draw and save panels of this notebook."""
    desk.show(room, evidence, PANELS, *names)


def sigma(limits: dict) -> str:
    """Areas over their errors, in words."""
    return ", ".join(f"{n} {np.round(x.area / x.area_error):z.0f}" for n, x in limits.items())
