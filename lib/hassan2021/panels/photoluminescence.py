"""Panels of notebook 02 as data: a drawer, the rows of the sample sheet that it takes, words."""

from __future__ import annotations

from functools import partial

from hassan2021 import desk
from hassan2021.colours import COLOURS
from hassan2021.desk import Missing, Panel
from hassan2021.photoluminescence import BARE, CLOCK, HALVES, NEAT, PLACES, TREATED, Evidence
from peled.materials import HC_EV_NM
from peled.photoluminescence import excitons_per_crystal, plots, preferred

CROSS_SECTION_CM2 = 2.4e-14  #: absorption of one crystal, for the second axis of Fig. 2c


def _absorbed(e: Evidence, ax) -> None:
    curves = e.of((NEAT, TREATED), lambda s: e.kept(s, "absorption", "solution").signal)
    bands = e.of((NEAT,), lambda s: e.band(s, "solution"))
    if not curves and not bands:
        raise Missing("no absorption or emission of a solution in the folder")
    shown = {s: (HC_EV_NM / one.axis, one.values[0]) for s, one in curves.items()}
    plots.absorption_and_emission(ax, shown, bands.get(NEAT), COLOURS)


def films(e: Evidence, ax) -> None:
    """Emission of films after each treatment (Fig. 2b)."""
    if not e.films:
        raise Missing("no emission of films in the folder")
    plots.emissions(ax, list(e.films.values()), colours=COLOURS)


def occupancy() -> float:
    """Excitons in one crystal at 1 mW/cm² of 405 nm and a lifetime of 20 ns."""
    known = {"cross_section_cm2": CROSS_SECTION_CM2, "lifetime_ns": 20.0, "excitation_nm": 405.0}
    return float(excitons_per_crystal(1.0, **known))


def _yields(e: Evidence, ax) -> None:
    if not e.yields:
        raise Missing("no quantum yields in the folder")
    plots.yields(ax, e.yields, occupancy=occupancy(), colours=COLOURS)


def _fits(e: Evidence, state: str, samples) -> dict:
    found = e.of(samples, lambda s: e.kept(s, "decays", state))
    return {s: one for s, one in found.items() if e.of((s,), lambda s: e.mean(s, state))}


def _decays(e: Evidence, ax, state: str, samples=None) -> None:
    found = _fits(e, state, samples or e.report.found)
    if not found:
        raise Missing(f"no decays, {state}, in the folder")
    response = next(iter(found.values())).raw[1]
    plots.decays(ax, {s: preferred(one.fit) for s, one in found.items()}, response, COLOURS)


def _table(e: Evidence, ax) -> None:
    rows = [
        (f"{s}, {place}", preferred(one.fit))
        for place in PLACES
        for s, one in _fits(e, place, (NEAT, TREATED)).items()
    ]
    if not rows:
        raise Missing("no decays in the folder")
    plots.lifetime_table(ax, rows)


def _gap(e: Evidence, ax, sample: str) -> None:
    plots.optical_gap(ax, *e.gap(sample), COLOURS[sample])


def _series(e: Evidence, ax, name: str, every: int = 1) -> None:
    track = e.track(name)
    one = e.tracks[name]
    plots.series(ax, one.signal, track=track, every=every, excitation_nm=one.excitation_nm)


def _images(e: Evidence, axes, sample: str, marked: bool = False) -> None:
    one = e.kept(sample, "images")
    plots.images(axes, one.raw, one.fit if marked else None)


def _halves(e: Evidence, ax, state: str) -> None:
    areas = e.areas(state)
    bands = [e.band(s, state) for s in areas]
    plots.emissions(ax, bands, mark_peaks=False, colours=COLOURS)
    plots.intensity_bars(ax, areas, COLOURS)


def _rows(measurement: str, state: str = "", **more: str) -> tuple[dict, ...]:
    return ({"measurement": measurement, **({"state": state} if state else {}), **more},)


THREE = {"ncols": 3, "width": 4.6, "height": 1.75}
PANELS = {
    "fig2a": Panel(
        _absorbed, _rows("absorption") + _rows("pl", "solution"),
        "Absorption and emission in toluene",
    ),
    "fig2b": Panel(films, _rows("pl", "film"), "Emission of films"),
    "fig2c": Panel(
        _yields, _rows("plqy"), "Quantum yield of films",
        assumptions=(
            f"absorption cross-section {CROSS_SECTION_CM2:g} cm2 and 20 ns for the second axis",
            f"radiative coefficient {CLOCK['radiative']:g} cm3/s",
        ),
    ),
    "ed1d": Panel(
        _table, _rows("trpl", "solution") + _rows("trpl", "film"), "Lifetimes (ns)",
        {"height": 1.5},
    ),
    "ed4c": Panel(
        partial(_images, sample="neat_film"), _rows("confocal", sample="neat_film"),
        "Confocal, neat film", THREE,
    ),
    "ed4e": Panel(
        partial(_images, sample="pmma_0.001", marked=True),
        _rows("confocal", sample="pmma_0.001"), "Confocal, NC:PMMA 0.001", THREE,
    ),
}  # fmt: skip
for _name, _place in (("ed1b", "solution"), ("ed1c", "film")):
    PANELS[_name] = Panel(
        partial(_decays, state=_place, samples=(NEAT, TREATED)), _rows("trpl", _place),
        f"Decay, {_place}",
    )  # fmt: skip
for _name, _sample in (("ed6g", NEAT), ("ed6h", TREATED)):
    PANELS[_name] = Panel(
        partial(_gap, sample=_sample), _rows("absorption", sample=_sample),
        f"Optical gap, {_sample}",
    )  # fmt: skip
for _name, _sample, _title, _every in (
    ("ed4a", "pmma_1.03", "NC:PMMA 1.03", 1), ("ed4b", "pmma_0.006", "NC:PMMA 0.006", 1),
    ("ed4d", "neat_film", "Neat film", 1), ("ed4f", "single", "NC:PMMA 0.001, one region", 4),
):  # fmt: skip
    PANELS[_name] = Panel(
        partial(_series, name=_sample, every=_every), _rows("pl_series", sample=_sample), _title
    )
for _decay, _light, _state, _nm in (
    ("ed6a", "ed6b", "on transport", 350), ("ed6c", "ed6d", "on hole transport", 450)
):  # fmt: skip
    _word = HALVES[_state]
    PANELS[_decay] = Panel(
        partial(_decays, state=_state), _rows("trpl", _state),
        f"Decay with {_word} layers (450 nm)",
    )  # fmt: skip
    PANELS[_light] = Panel(
        partial(_halves, state=_state), _rows("pl", _state),
        f"Intensity with {_word} layers ({_nm} nm)",
    )  # fmt: skip


def show(room, evidence: Evidence, *names: str) -> None:
    """Draw and save panels of this notebook."""
    desk.show(room, evidence, PANELS, *names)


def table(e: Evidence) -> list[str]:
    """A line a half device: lifetime, and its intensity beside the bare film's."""
    light = {}
    for state in HALVES:
        for one in e.of((state,), e.areas).values():
            light = one | light
    return [
        f"{s:12s} {q.value:6.2f} ± {1.96 * q.standard_error:.2f} ns; intensity "
        + (f"{100 * light[s][0]:.0f} % of {BARE}" if s in light else "not measured")
        for s, q in e.half_means.items()
    ]
