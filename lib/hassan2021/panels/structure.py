"""Panels of notebook 07 as data: a drawer, the rows of the sample sheet that it takes, words."""

from __future__ import annotations

from functools import partial

import numpy as np

from hassan2021 import desk
from hassan2021.colours import COLOURS
from hassan2021.desk import Missing, Panel, number
from hassan2021.structure import NEAT, PAIR, TREATED, Evidence, stoichiometric_ceilings
from peled.structure import plots


def finding(e: Evidence, axes) -> None:
    """Left: lead that the paper found and the most there can be; right: bromide by four routes."""
    names = {"GL": "C170", "E+G": "C171", "EDTA": "C172"}
    ceilings = stoichiometric_ceilings()
    ax = axes[0]
    for i, (name, claim) in enumerate(names.items()):
        limit = ceilings[f"Pb-{name} 1:1"]
        ax.bar(i, number(claim), 0.6, color=COLOURS[name])
        ax.plot([i - 0.4, i + 0.4], [limit, limit], color="black", lw=1)
    ax.plot([], [], color="black", lw=1, label="one lead for one ligand")
    ax.set(xticks=range(3), xticklabels=list(names), ylabel="Pb printed (µg per mg)", ylim=(0, 640))
    ax.legend(fontsize=6)
    found = e.printed.estimates
    for i, (name, (x, error)) in enumerate(found.items()):
        axes[1].errorbar(x, i, xerr=1.96 * error, fmt="o", ms=3, capsize=2, color=COLOURS["blue"])
        axes[1].text(1.02, i, name, transform=axes[1].get_yaxis_transform(), va="center", size=6)
    axes[1].set(yticks=[], xlabel="bromide fraction", ylim=(-0.6, len(found) - 0.4))


def _patterns(e: Evidence, ax) -> None:
    plots.patterns(ax, e.of("xrd", e.fit), COLOURS)


def _image(e: Evidence, ax, sample: str, word: str, bar_nm: float) -> None:
    plots.micrograph(ax, e.images(sample, word)[0], bar_nm=bar_nm)


def _overview(e: Evidence, axes, sample: str) -> None:
    found = [one for name, one in e.kept(sample, "tem").items() if name != "sizes"]
    plots.micrograph(axes[0], *found[0], bar_nm=50)
    plots.histogram(axes[1], e.sizes(sample), COLOURS[sample])


def _transform(e: Evidence, ax, sample: str) -> None:
    plots.transform(ax, e.lattice(sample))


def _core_levels(e: Evidence, axes) -> None:
    found = e.of("xps", e.levels)
    plots.core_levels(axes, found, {s: e.survey(s) for s in found}, COLOURS)


def _tails(e: Evidence, ax) -> None:
    found = e.of("absorption", e.tail)
    plots.tails(ax, found, COLOURS)


def _infrared(e: Evidence, ax) -> None:
    found = e.of("ftir", lambda s: next(iter(e.kept(s, "ftir").values())))
    order = ["OA", "EDTA", "GL", TREATED]
    shown = sorted(found, key=lambda s: [*order, s].index(s))
    plots.infrared(ax, {s: found[s] for s in shown}, COLOURS)


def _ups(e: Evidence, ax, edge: str, name: str, draw) -> None:
    found = {}
    for sample, kept in e.of("ups", lambda s: e.kept(s, "ups")).items():
        if edge in kept:
            found[sample] = (*kept[edge], e.quantity(sample, name).value)
    if not found:
        raise Missing(f"no {edge} in the folder")
    draw(ax, found, COLOURS)


def _lead(e: Evidence, axes) -> None:
    limits = stoichiometric_ceilings()
    if not e.lead:
        raise Missing("no icpms in the folder")
    shown = {k: v for k, v in limits.items() if "1:1" in k or k == "PbI2"}
    plots.calibration(axes[0], e.lead, shown, COLOURS)
    plots.compositions(axes[1], e.crystals)


def _rows(measurement: str, sample: str | None = None) -> tuple[dict, ...]:
    wanted = {"measurement": measurement}
    return ({**wanted, "sample": sample} if sample else wanted,)


CUBES = ("zone axis [001], in-plane rotation random", "200 kV, defocus -60 nm")
PANELS = {
    "fig2f": Panel(
        _patterns, _rows("xrd"), "Powder patterns with whole-pattern fits",
        assumptions=("Cu K alpha 1 and 2", "no texture", "height of each film free"),
    ),
    "ed1a": Panel(
        _tails, _rows("absorption"), "Photothermal deflection",
        assumptions=("Urbach energies 22 and 18 meV",),
    ),
    "ed1e": Panel(
        _infrared, _rows("ftir"), "Infrared, baselines removed", {"width": 5.0, "height": 3.0},
        assumptions=("band positions from literature", "diamond ATR"),
    ),
    "ed1f": Panel(
        _core_levels, _rows("xps"), "Photoelectrons",
        {"width": 7.2, "height": 2.3, "ncols": 4,
         "gridspec_kw": {"width_ratios": [1.6, 1, 1, 1]}},
        assumptions=("ligand shell 0.6 nm", "Tougaard losses", "Al K alpha"),
    ),
    "ed6e": Panel(
        partial(_ups, edge="cutoff", name="work function", draw=plots.cutoffs), _rows("ups"),
        "Secondary cut-off, He I", assumptions=("work functions",),
    ),
    "ed6f": Panel(
        partial(_ups, edge="valence", name="ionisation energy", draw=plots.valence), _rows("ups"),
        "Valence region, He I", assumptions=("valence edges",),
    ),
    "extra_lead": Panel(
        _lead, _rows("icpms"), "Lead contents and compositions",
        {"width": 7.2, "height": 2.4, "ncols": 2},
    ),
}  # fmt: skip
for _sample, (_lattice, _over, _cube, _fft) in zip(
    PAIR, (("fig2d", "ed2a", "ed2b", "ed2c"), ("fig2e", "ed2d", "ed2e", "ed2f")), strict=True
):
    _hrtem = _rows("hrtem", _sample)
    PANELS |= {
        _lattice: Panel(
            partial(_image, sample=_sample, word="medium", bar_nm=10), _hrtem,
            f"{_sample}, lattice image", {"height": 3.0}, assumptions=CUBES,
        ),
        _over: Panel(
            partial(_overview, sample=_sample), _rows("tem", _sample),
            f"{_sample}, overview and edges",
            {"width": 5.2, "height": 3.0, "ncols": 2, "gridspec_kw": {"width_ratios": [1.5, 1]}},
            assumptions=("one cube thick, lying on faces",),
        ),
        _cube: Panel(
            partial(_image, sample=_sample, word="zoom", bar_nm=5), _hrtem, f"{_sample}, one cube",
            {"height": 3.0}, assumptions=CUBES,
        ),
        _fft: Panel(
            partial(_transform, sample=_sample), _hrtem, f"{_sample}, Fourier transform",
            {"height": 3.1}, assumptions=CUBES,
        ),
    }  # fmt: skip


def show(room, evidence: Evidence, *names: str) -> None:
    """Draw and save panels of this notebook."""
    desk.show(room, evidence, PANELS, *names)


def lattice_table(e: Evidence) -> list[str]:
    """A line a film: lattice constant, edge, height, goodness."""
    out = []
    for sample in (NEAT, TREATED):
        try:
            f = e.fit(sample)
        except Missing as reason:
            out.append(str(reason))
            continue
        a, size = (e.quantity(sample, n) for n in ("lattice constant", "crystal size"))
        out.append(
            f"{sample:5s} a = {a}, edge {size}, "
            f"height {f.displacement_mm:.2f} ± {f.displacement_error_mm:.2f} mm, "
            f"χ² {np.round(f.chi2_reduced, 2)}"
        )
    return out
