"""Panels of notebook 04 as data: a drawer, the rows of the sample sheet that it takes, words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from hassan2021 import desk
from hassan2021.colours import COLOURS
from hassan2021.desk import Missing, Panel
from hassan2021.led import BATCH, LATER_LAYERS, Evidence
from ledger import paper
from peled.led import plots
from peled.led.ceiling import Layer, Stack, implied_outcoupling
from peled.led.current_voltage import jv_current
from peled.led.lifetime import decay_model
from peled.led.photometry import A_M2_PER_MA_CM2

#: How the paper names the samples of the sheet; the colour of each surface in all panels.
LABELS = {
    "fig3_neat": "neat", "fig3_EG": "E+G", "ed5_EDTA": "EDTA", "ed5_GL": "GL", "ed5_EG": "E+G",
    "ed7_OA": "OA", "ed7_EG": "E+G", "ed8_neat": "neat", "ed8_EG": "E+G",
}  # fmt: skip
SURFACES = {name: COLOURS[name] for name in ("neat", "E+G", "EDTA", "GL")} | {"OA": COLOURS["neat"]}
LAYER_COLOURS = {
    "glass": "#E8F1F5", "ITO": "#B9D3E0", "PEDOT:PSS": "#8FA8C8", "poly-TPD": "#C9B6D9",
    "TFB": "#E3CFE8", "nanocrystals": "#E4572E", "TPBi": "#B7D8B0", "LiF": "#F5E6A8",
    "Al": "#9C9C9C", "LiF/Al": "#9C9C9C",
}  # fmt: skip


def show(room, evidence: Evidence, *names: str) -> None:
    """Draw and save panels of this notebook."""
    desk.show(room, evidence, PANELS, *names)


def label_of(sample: str) -> str:
    """The paper's name of a sample."""
    return LABELS.get(sample, sample)


def _named(samples: Iterable[str], look: Callable[[str], Any]) -> dict[str, Any]:
    """Label -> what is there of it."""
    found, reasons = {}, []
    for sample in samples:
        try:
            found[label_of(sample)] = look(sample)
        except Missing as reason:
            reasons.append(str(reason))
    if not found:
        raise Missing("; ".join(reasons))
    return found


def finding(e: Evidence, ax) -> None:
    """Printed efficiencies, what light and current say of them, and the ceiling of the stack."""
    p = e.points
    found = np.array([[q.value, q.value - q.low, q.high - q.value] for q in p.eqe_found]).T * 100
    top, low, high = (100 * x for x in e.ceiling.eqe(e.internal_yield))
    ax.axhspan(low, high, color=COLOURS["sky"], alpha=0.25, lw=0, label="ceiling of the stack")
    ax.axhline(top, color=COLOURS["blue"], lw=0.8)
    limit, champion, at = (paper.claim(c).number for c in ("C058", "C056", "C057"))
    ax.axhline(limit, color="k", lw=0.8, ls="--", label=f"ceiling of the paper, {limit:g} %")
    beside = np.multiply(1.15, p.drive)  # what two numbers say beside the third
    ax.errorbar(beside, found[0], found[1:], fmt="o", ms=3, lw=0.8, capsize=2, zorder=3,
                color=COLOURS["orange"], label="from luminance and current")  # fmt: skip
    ax.plot(p.drive, [100 * s.value for s in p.eqe], "*", ms=7, mfc="white", mec="k", mew=0.7,
            zorder=4, label="printed, lifetime device")  # fmt: skip
    ax.plot(at, champion, "D", ms=4, color=COLOURS["green"], label="printed, champion")
    ax.set(xscale="log", xlim=(0.05, 20), ylim=(0, 38), xlabel="J (mA cm$^{-2}$)", ylabel="EQE (%)")
    ax.legend(frameon=False, fontsize=6, loc="center right", bbox_to_anchor=(1, 0.31))


def in_words(e: Evidence) -> str:
    """The findings in four lines of Markdown, their numbers from the evidence."""
    p, out = e.points, e.ceiling
    found, stated = ([f"{100 * q.value:.1f}" for q in x] for x in (p.eqe_found, p.eqe))
    top, low, high = (100 * x for x in out.eqe(e.internal_yield))
    limit, champion = (paper.claim(c).number for c in ("C058", "C056"))
    needed = implied_outcoupling(limit / 100, e.internal_yield)
    drive = ", ".join(f"{j:g}" for j in p.drive)
    return f"""
1. **Light, current and yield fit, within rounding.** At {drive} mA cm⁻² luminance and current give
   {", ".join(found)} %; printed are {", ".join(stated)} %. One band serves all, at
   {p.rounded.low_nm:.1f} to {p.rounded.high_nm:.1f} nm.
2. **The champion is not the device whose lifetime is shown.** {champion:g} % at
   {p.drive[0]:g} mA cm⁻² needs {p.champion.value:.0f} cd m⁻²; the lifetime device has
   {p.luminance[0].value:g} cd m⁻² and {stated[0]} % there.
3. **{limit:g} % is not what the stack lets out.** It needs an outcoupling of {100 * needed:.1f} %;
   calculated are {100 * out.central:.0f} %: a ceiling of {top:.0f} % ({low:.0f} to {high:.0f} %),
   unless photons are recycled.
4. **Colour, lifetime and batch cannot be tested** without files; from simulated ones the analysis
   gets back what was put in.
"""


# ---- stack ---------------------------------------------------------------------------------------


def _stack(e: Evidence, ax) -> None:
    stack_to_scale(ax, e.stack, other_emitter_nm=paper.claim("C177").number)


def _earlier_stack(e: Evidence, ax) -> None:
    names = [layer.name for layer in e.stack.layers if layer.name not in LATER_LAYERS]
    stack_to_scale(ax, e.stack.only(names), thickness_known=False)


def _levels(e: Evidence, ax) -> None:
    level_diagram(ax, e.stack.levels)


def _block(ax, x, y, width, height, name: str) -> None:
    colour = LAYER_COLOURS.get(name, "0.85")
    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="0.3", lw=0.4))


def stack_to_scale(
    ax, stack: Stack, *, other_emitter_nm: float | None = None, thickness_known: bool = True
) -> None:
    """Layers to scale from the anode up (glass cut off), with names and thicknesses."""
    bottom, labels = 0.0, []
    for layer in stack.layers[1:]:
        height = layer.thickness_nm if thickness_known else 40.0
        _block(ax, 0, bottom, 1, height, layer.name)
        text = _thickness(layer) if thickness_known else layer.name
        if layer.role == "emitter" and other_emitter_nm:
            text += f"; Methods: {other_emitter_nm:g} nm"
        labels.append((bottom + height / 2, text))
        bottom += height
    _block(ax, 0, -0.06 * bottom, 1, 0.06 * bottom, "glass")
    labels.insert(0, (-0.03 * bottom, "glass"))
    places = _spread([y for y, _ in labels], 0.075 * bottom)
    for (y, text), place in zip(labels, places, strict=True):
        ax.plot([1.0, 1.06, 1.12], [y, place, place], color="0.4", lw=0.5)
        ax.text(1.14, place, text, va="center", fontsize=6)
    look = {"arrowstyle": "->", "color": COLOURS["orange"], "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (0.5, -0.24 * bottom), (0.5, -0.07 * bottom), arrowprops=look)
    ax.text(0.56, -0.17 * bottom, "light", fontsize=6, color=COLOURS["orange"], va="center")
    if thickness_known:
        ax.plot([-0.08, -0.08], [0, 50], color="k", lw=1)
        ax.text(-0.11, 25, "50 nm", rotation=90, ha="right", va="center", fontsize=6)
    ax.set(xlim=(-0.3, 3.3), ylim=(-0.25 * bottom, bottom * 1.03))
    ax.set_axis_off()


def _thickness(layer: Layer) -> str:
    assumed = " (assumed)" if layer.thickness_source.startswith("assumed") else ""
    return f"{layer.name}, {layer.thickness_nm:g} nm{assumed}"


def _spread(values: Sequence[float], least: float) -> np.ndarray:
    """Label positions moved apart to a least distance, keeping their order and their mean."""
    y = np.array(values, float)
    for _ in range(500):
        gap = np.diff(y)
        tight = gap < least
        if not tight.any():
            break
        push = 0.25 * (least - gap) * tight
        y[:-1] -= push
        y[1:] += push
    return y


def level_diagram(ax, levels: Sequence[Mapping]) -> None:
    """Energy levels against vacuum: bars for bands, lines for work functions."""
    for i, level in enumerate(levels):
        word = {"ha": "center", "fontsize": 6}
        if "work_function_eV" in level:
            low = level["work_function_eV"]
            ax.plot([i - 0.38, i + 0.38], [-low, -low], color="k", lw=1.6)
        else:
            low, high = level["lower_eV"], level["upper_eV"]
            _block(ax, i - 0.38, -low, 0.76, low - high, level["name"])
            ax.text(i, -high + 0.06, f"{high:.1f}", va="bottom", **word)
        ax.text(i, -low - 0.08, f"{low:.1f}", va="top", **word)
    ax.set(
        xticks=range(len(levels)), xlim=(-0.6, len(levels) - 0.4), ylim=(-6.8, -1.9),
        ylabel="energy from vacuum (eV)",
    )  # fmt: skip
    ax.set_xticklabels([level["name"] for level in levels], fontsize=5.5, rotation=30, ha="right")


# ---- devices -------------------------------------------------------------------------------------


def _jvl(e: Evidence, ax, samples, fits: bool = False, **parts) -> None:
    runs = _named(samples, e.run)
    plots.current_and_luminance(ax, runs, colours=SURFACES, **parts)
    for sample in samples if fits else ():
        fit = e.jv.get(sample, "")
        if not isinstance(fit, str):  # why there is none is said where the fits are printed
            v = np.linspace(0.05, e.run(sample).sweep.voltage_V.max(), 200)
            colour = SURFACES.get(label_of(sample), "k")
            ax.plot(v, jv_current(v, fit.values), "-", lw=0.7, color=colour)


def _eqe(e: Evidence, ax, samples, printed: bool = False) -> None:
    plots.efficiency_curve(ax, _named(samples, e.curve), colours=SURFACES)
    if printed:
        y = [100 * s.value for s in e.points.eqe]
        ax.plot(e.points.drive, y, "*", ms=6, mfc="white", mec="k", mew=0.6,
                label="printed (ED Fig. 8)")  # fmt: skip
        ax.legend(frameon=False, fontsize=6)


def _cd_A(e: Evidence, ax, samples) -> None:
    plots.current_efficiency(ax, _named(samples, e.run), colours=SURFACES)


TABLE = (
    "V_on (V)", "L_max (cd/m²)", "LE_max (cd/A)", "PE_max (lm/W)", "EQE_max (%)", "at J (mA/cm²)",
    "J½ (mA/cm²)", "x, y",
)  # fmt: skip


def table(e: Evidence, samples: Iterable[str]) -> dict[str, list[str]]:
    """Label -> cells under `TABLE`."""
    return _named(samples, partial(_cells, e))


def _cells(e: Evidence, sample: str) -> list[str]:
    run, peak, colour = e.run(sample), e.curve(sample).peak, e.colour(sample)
    per_watt = "–"
    if light := run.lights.get("luminance"):
        power = A_M2_PER_MA_CM2 * run.sweep.current_density_mA_cm2 * run.sweep.voltage_V
        per_watt = f"{np.max(np.pi * light.values[light.lit] / power[light.lit]):.1f}"
    half = f"{peak.half_current_mA_cm2:.2g}" if peak.half_reached else "beyond"

    def cell(name: str, digits: int, error: bool = False) -> str:
        try:
            q = e.quantity(sample, name)
        except Missing:
            return "–"
        return f"{q.value:.{digits}f}" + (f" ± {q.standard_error:.{digits}f}" if error else "")

    return [
        cell("turn-on voltage", 2),
        cell("largest luminance", 0),
        cell("largest current efficiency", 1),
        per_watt,
        cell("peak EQE", 1, error=True),
        f"{peak.current_density_mA_cm2:.2g}",
        half,
        f"{colour['x'][0]:.3f}, {colour['y'][0]:.3f}",
    ]


def _table(e: Evidence, ax, samples) -> None:
    columns = table(e, samples)
    ax.set_axis_off()
    drawn = ax.table(
        list(zip(*columns.values(), strict=True)), rowLabels=TABLE, colLabels=list(columns),
        loc="center", cellLoc="center", bbox=(0.34, 0.02, 0.66, 0.96),
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6)
    for cell in drawn.get_celld().values():
        cell.set_linewidth(0.3)


def _histogram(e: Evidence, ax) -> None:
    values = {"E+G": [q.value for q in e.batch]}
    plots.histogram(ax, values, "peak EQE (%)", colours=SURFACES)
    best = max(values["E+G"])
    ax.plot(best, 0.35, "v", color="k", ms=4, label=f"best {best:.1f} %")
    ax.legend(frameon=False, fontsize=5.5, loc="upper left")


# ---- spectra and their course --------------------------------------------------------------------


def _spectra(e: Evidence, axes, of, labels=None) -> None:
    axes = np.atleast_1d(axes)
    for ax, (sample, state, current) in zip(axes, of, strict=True):
        title = label_of(sample) + (" + ADAC" if "ADAC" in state else "")
        plots.spectra(ax, e.series(sample, state, current), title=title, labels=labels)
    x, y = (np.array([getattr(ax, get)() for ax in axes]) for get in ("get_xlim", "get_ylim"))
    for ax in axes:
        ax.set(xlim=(x[:, 0].min(), x[:, 1].max()), ylim=(y[:, 0].min(), y[:, 1].max()))


def _peak_against_current(e: Evidence, ax, samples) -> None:
    courses = _named(samples, partial(_course, e))
    plots.peak_course(ax, courses, xlabel="J (mA cm$^{-2}$)", log=True, colours=SURFACES)


def _course(e: Evidence, sample: str):
    """Peak of a series against bias, at the current densities of the sweep."""
    f, sweep = e.followed(sample), e.run(sample).sweep
    forward = sweep.current_density_mA_cm2 > 0
    logs = np.log(sweep.current_density_mA_cm2[forward])
    return np.exp(np.interp(f.parameter, sweep.voltage_V[forward], logs)), f.peak_nm, f.peak_error


def _drive_and_rest(e: Evidence, axes, sample: str) -> None:
    """Peak under drive (left, min) and at rest (right, h), one scale."""
    both = [e.followed(sample, state) for state in ("drive", "rest")]
    colour = SURFACES[label_of(sample)]
    words = ("Driven (min)", "At rest (h)")
    for ax, f, seconds, xlabel in zip(axes, both, (60, 3600), words, strict=True):
        ax.errorbar(f.parameter / seconds, f.peak_nm, f.peak_error, fmt="o", ms=2.2, lw=0.6,
                    color=colour)  # fmt: skip
        ax.set(xlabel=xlabel)
    rest, hours = e.rest(sample), np.linspace(0, both[1].parameter.max() / 3600, 100)
    if rest.determined:
        y = rest.end + (rest.start - rest.end) * np.exp(-hours / rest.time_constant.value)
        axes[1].plot(hours, y, "-", lw=0.8, color="k")
    axes[1].axvline(paper.claim("C257").number, color="0.6", lw=0.6, ls=":")
    axes[0].set(ylabel="EL peak (nm)")
    peaks = np.concatenate([f.peak_nm for f in both])
    middle, half = (peaks.min() + peaks.max()) / 2, max(np.ptp(peaks) * 0.6, 2.0)
    for ax in axes:
        ax.set_ylim(middle - half, middle + half)
    axes[1].tick_params(labelleft=False)


def _lifetimes(e: Evidence, ax) -> None:
    logs = e.report.found["ed8_EG"].lifetimes if "ed8_EG" in e.report.found else ()
    if not logs:
        raise Missing("no lifetime logs of ed8_EG in the folder")
    ordered = sorted(logs, key=lambda entry: entry[0].settings["current_mA_cm2"])
    named = {
        f"{row.settings['current_mA_cm2']:g} mA cm$^{{-2}}$": (log, crossing)
        for row, log, crossing in ordered
    }
    plots.lifetimes(ax, named)
    for row, log, _ in ordered:
        values = np.nan_to_num(e.decays[row.file].values, nan=1.0)
        after = log.time_s[log.time_s > 0] / 60
        start = log.initial_luminance_cd_m2 or float(log.signal[0])
        ax.plot(after, decay_model(after, values) / start, "-", lw=0.6, color="k")


# ---- the table of panels -------------------------------------------------------------------------

STACK = {"measurement": "stack", "role": "stack"}
PAIR, OLDER = ("fig3_neat", "fig3_EG"), ("ed7_OA", "ed7_EG")
LIGANDS = ("fig3_neat", "ed5_EDTA", "ed5_GL", "fig3_EG")
STEPS = (
    "100 %",
    "90 %",
    "80 %",
    "70 %",
    "60 %",
    "50 %",
)  #: luminances at which ED Fig. 8 shows spectra
TEN = "10 mA cm$^{-2}$"


def _sweeps(samples: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    return tuple({"measurement": "jvl", "sample": s} for s in samples)


def _el(sample: str, state: str = "", current: float | None = None) -> dict[str, Any]:
    wanted = {"measurement": "el_series", "sample": sample, "state": state}
    return wanted | ({"current_mA_cm2": current} if current else {})


def _devices(draw, samples, title: str = "", size: Mapping = {}, **more) -> Panel:
    rows = _sweeps(samples) + tuple(_el(s) for s in samples)
    return Panel(partial(draw, samples=samples, **more), rows, title, size)


def _series(*of: tuple, title: str, labels=None) -> Panel:
    of = tuple((*one, *("", None)[len(one) - 1 :]) for one in of)
    size = {"ncols": len(of), "width": 3.5 if len(of) == 1 else 5.4, "height": 2.3}
    rows = tuple(_el(*one) for one in of)
    return Panel(partial(_spectra, of=of, labels=labels), rows, title, size)


def _rested(sample: str) -> Panel:
    title = f"{label_of(sample)}, 0.5 mA cm$^{{-2}}$, then rest"
    rows = (_el(sample, "drive"), _el(sample, "rest"))
    return Panel(partial(_drive_and_rest, sample=sample), rows, title, {"ncols": 2})


def _stepped(sample: str, current: float) -> Panel:
    title = f"{current:g} mA cm$^{{-2}}$, at steps of the luminance"
    return _series((sample, "steps", current), title=title, labels=STEPS)


PANELS = {
    "fig3a": Panel(
        _stack, (STACK,), "Stack to scale", {"height": 2.9}, kind="published",
        assumptions=("ITO thickness", "split of the 30 nm among the three hole layers"),
    ),
    "fig3b": Panel(
        _levels, (STACK,), "Levels (usual literature values, none printed)", {"height": 2.6},
        kind="literature", assumptions=("all energies: the paper prints none",),
    ),
    "fig3c": _devices(_jvl, PAIR, "J (filled), L (open)", fits=True),
    "fig3d": _devices(_eqe, PAIR, "Lambertian, CIE 1924 V(λ)", printed=True),
    "fig3e": _devices(_table, PAIR, "Device table", {"height": 2.3}),
    "fig3f": _series(*((s, "drive") for s in PAIR), title="1.5 mA cm$^{-2}$"),
    "fig3g": _series(*((s,) for s in PAIR), title="Against current density"),
    "ed5a": _devices(_jvl, LIGANDS, "Current density", light=False),
    "ed5b": _devices(_jvl, LIGANDS, "Luminance", current=False),
    "ed5c": _devices(_eqe, LIGANDS, "External quantum efficiency"),
    "ed5d": _series(("ed5_EDTA",), title="Against bias"),
    "ed5e": _series(("ed5_GL",), title="Against bias"),
    "ed5f": _series(("ed5_EG",), title="Against bias"),
    "ed5g": _series(("ed5_EDTA", "drive"), title=TEN),
    "ed5h": _series(("ed5_GL", "drive"), title=TEN),
    "ed5i": _series(("ed5_EG", "drive"), title=TEN),
    "ed5j": _series(("ed5_EDTA", "drive ADAC"), title=TEN),
    "ed5k": _series(("ed5_GL", "drive ADAC"), title=TEN),
    "ed5l": _series(("ed5_EG", "drive ADAC"), title=TEN),
    "ed7a": Panel(
        _earlier_stack, (STACK,), "Earlier stack, thicknesses not printed", {"height": 2.4},
        kind="published",
    ),
    "ed7b": _devices(_jvl, OLDER, "J (filled), L (open)"),
    "ed7c": _devices(_cd_A, OLDER, "Current efficiency"),
    "ed7d": _devices(_eqe, OLDER, "External quantum efficiency"),
    "ed7e": _series(("ed7_OA",), title="Against bias"),
    "ed7f": _series(("ed7_EG",), title="Against bias"),
    "ed7g": _devices(_peak_against_current, OLDER, "EL peak"),
    "ed7h": _rested("ed7_OA"),
    "ed7i": _rested("ed7_EG"),
    "ed8a": Panel(
        _histogram, tuple({"measurement": m, "group": BATCH} for m in ("jvl", "el_series")),
        "Peak EQE of the batch",
    ),
    "ed8b": Panel(
        _lifetimes, ({"measurement": "lifetime", "sample": "ed8_EG"},),
        "With burn-in and stretched exponential",
    ),
    "ed8c": _stepped("ed8_neat", 1.0),
    "ed8d": _stepped("ed8_neat", 10.0),
    "ed8h": _stepped("ed8_EG", 1.0),
    "ed8i": _stepped("ed8_EG", 10.0),
}  # fmt: skip
