"""The paper's claims about transient absorption: one short function a route to a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hassan2021.desk import Checks, Found, Missing, number
from ledger import paper
from peled import transient_absorption as ta

NOTHING = "nothing else printed depends on it"
claims = Checks(
    {
        "C011": "a convention of drawing; the panels follow it",
        "C127": f"{NOTHING}; one scan is 50 000 pulses",
        "C128": f"sets the photon number used above; {NOTHING}",
        "C129": "an instrument detail; its chirp is fitted",
        "C136": "72 scans of 50 s take an hour; nothing printed to compare with",
        "C140": "an instrument detail",
        "C141": NOTHING,
        "C239": "drawn in Extended Data Fig. 3a; the 'few seconds' of Methods are another claim",
        "C240": "drawn in Extended Data Fig. 3a; the 'few seconds' of Methods are another claim",
        "C241": "a label; the windows are taken over as printed",
        "C242": "a label; the windows are taken over as printed, 30 nm wide, the neat ones 40 nm",
    }
)


@dataclass(frozen=True)
class Evidence:
    """What the files say: fits and maps by set, red edges and shapes by film, series, scans, PL.

    Attributes
    ----------
    kind : str
        Of the files.
    fits, data : mapping
        Global fit and map by set (`neat before`, ...).
    red : mapping
        By film: signal of the slowest spectrum at the red edge, before and after (mOD, error).
    shapes : mapping
        By film: how the slowest spectrum changes.
    fluence : (pairs a crystal, lifetimes in ps, ...), or None
    order : mapping
        Fits of scans with their order of delays; empty without them.
    scans : mapping
        Number of scans by set.
    noise : float
        Standard errors after over before, NaN without scans.
    pl : mapping
        PL series by film.
    """

    kind: str
    fits: Mapping[str, Any]
    data: Mapping[str, Any]
    red: Mapping[str, Mapping[str, tuple[float, float]]]
    red_window_nm: tuple[float, float]
    shapes: Mapping[str, Any]
    fluence: tuple[np.ndarray, ...] | None = None
    order: Mapping[str, Any] = field(default_factory=dict)
    scans: Mapping[str, int] = field(default_factory=dict)
    noise: float = float("nan")
    pl: Mapping[str, Any] = field(default_factory=dict)

    def series(self, film: str):
        """The PL of one film."""
        if film not in self.pl:
            raise Missing(f"needs pl_{film.replace('+', '')}.csv")
        return self.pl[film]


def judge_all(room, e: Evidence) -> None:
    """A verdict on every claim of the topic."""
    claims.judge(room, e)


def lifetime(e: Evidence, component: int) -> tuple[float, float]:
    """Mean of one time constant over the sets, and their spread (ps)."""
    tau = [f.lifetimes_ps[component] for f in e.fits.values() if len(f.lifetimes_ps) > component]
    if not tau:
        raise Missing("fewer components were fitted")
    alone = next(iter(e.fits.values())).lifetime_errors()[component]
    return float(np.mean(tau)), float(np.std(tau, ddof=1) if len(tau) > 1 else alone)


def bleach(e: Evidence) -> tuple[float, float]:
    """Growth of the low-energy bleach of the neat film (mOD), and its standard error."""
    if len(e.red["neat"]) != 2:
        raise Missing("needs the neat film before and after exposure in data_dir")
    (before, error_before), (after, error_after) = e.red["neat"].values()
    return after - before, float(np.hypot(error_before, error_after))


def finding(e: Evidence) -> list[str]:
    """What the files say, in four lines."""
    lines = []
    try:
        tau = [lifetime(e, i) for i in range(3)]
        said = ", ".join(f"{t:.3g} ± {s:.1g}" for t, s in tau)
        printed = ", ".join(f"~{number(c):g}" for c in ("C008", "C009", "C010"))
        lines.append(
            f"{e.kind} files: three constants describe all sets, {said} ps (printed {printed})"
        )
        change, error = bleach(e)
        low, high = e.red_window_nm
        lines.append(
            f"after the exposure the neat film gains {change:.2f} ± {error:.2f} mOD at {low:g} to "
            f"{high:g} nm"
        )
        s = e.shapes["E+G"]
        lines.append(
            f"the treated film keeps its shape to {100 * s.difference:.1f} % "
            f"(errors alone make {100 * s.expected_difference:.1f} %)"
        )
        found = fluence_of_the_constants(e)
        lines.append(
            f"the printed constants fit a fluence of {found['found']:.0f} ± "
            f"{found['standard_error']:.0f} uJ cm-2, printed {number('C130'):g}: they are no rates "
            "of crystals with tens of pairs"
        )
    except (Missing, KeyError) as reason:
        lines.append(f"the rest is not in this folder ({reason})")
    return lines


def quantities(e: Evidence) -> dict[str, tuple[float, float, str]]:
    """Numbers to keep: (value, standard error, unit) by name."""
    found = {}
    for i in range(3):
        try:
            found[f"tau_{i + 1}"] = (*lifetime(e, i), "ps")
        except Missing:
            break
    if len(e.red["neat"]) == 2:
        found["low_energy_bleach_neat"] = (*bleach(e), "mOD")
    return found


# ---- what follows from printed numbers -----------------------------------------------------------


@claims("C007", "Methods against legend")
def power_in_legend(e: Evidence) -> Found:
    found = number("C139")
    return {
        "found": found,
        "note": f"{found:g} in Methods rounds to the legend's {number('C007'):g}",
    }


@claims("C139", "legend against Methods")
def power_in_methods(e: Evidence) -> Found:
    dose = number("C139") * number("C138")
    return {"found": number("C007"), "note": f"dose {dose:.0f} J cm-2 in the exposure"}


@claims("C036")
def laser_of_the_exposure(e: Evidence) -> Found:
    # As Methods and two legends print it, which are no claims of their own.
    return {"found": 405.0, "note": "405 nm as printed in Methods and in the legend of Fig. 2"}


@claims("C138", "Methods against main text", twin="C038")
@claims("C038", "main text against Methods", twin="C138")
def exposure(e: Evidence, twin: str) -> Found:
    return {"found": number(twin), "note": f"{paper.claim(twin).as_printed()} as printed in {twin}"}


@claims("C131", "weaker than the pump", which="C131")
@claims("C132", "weaker than the pump", which="C132")
def probe(e: Evidence, which: str) -> Found:
    pump = number("C130")
    ratio = number(which) / pump
    return {
        "found": pump,
        "limit": "upper",
        # Unusual is not impossible: a strong probe spoils a measurement, it does not forbid one.
        "holds": "inconclusive" if ratio < 3 else False,
        "note": f"{ratio:.2f} times the pump's {pump:g} uJ cm-2; a probe is usually far weaker, so "
        "a unit, or pump and probe, may be exchanged; the laboratory's log would settle it",
    }


@claims("C142")
def few_seconds(e: Evidence) -> Found:
    scans, few = number("C143"), {"neat": number("C239"), "E+G": number("C240")}
    short = [seconds / 2 <= 5 for seconds in few.values()]
    return {
        "found": f"{few['neat']:g} s neat, {few['E+G']:g} s E+G",
        # Before and after each scan: T may be each of the two exposures, or their sum.
        "holds": "inconclusive" if all(short) else "partly" if any(short) else False,
        "note": "'a few seconds' fits the E+G film, and the neat one if T is shared by the "
        f"exposures before and after, {few['neat'] / 2:g} s each; T counted once a scan is "
        f"{scans * few['neat']:.0f} s in all, the other film's {scans * few['E+G']:.0f} s",
    }


@claims("C238", "printed wavelengths")
def ratio_of_shifts(e: Evidence) -> Found:
    neat, treated = number("C235") - number("C234"), number("C237") - number("C236")
    u = paper.claim("C235").printed_uncertainty
    ratio = neat / treated
    error = ratio * float(np.hypot(u / neat, u / treated))
    note = f"{neat:g} nm over {treated:g} nm, {u:g} nm on each: {ratio:.1f} ± {error:.1f}"
    return {"found": ratio, "standard_error": error, "note": note}


@claims("C243")
def title_of_the_figure(e: Evidence) -> Found:
    all_of = [p for p in paper.panels().values() if p.name.startswith("ed3")]
    tas = [p for p in all_of if p.kind != "schematic"]
    return {
        "found": f"{len(tas)} of {len(all_of)} panels show transient absorption",
        "holds": len(tas) < len(all_of) / 2,
        "note": "the title names photoluminescence, of which the schematic (panel a) gives "
        "wavelengths, and structure, of which there is none; of transient absorption, which fills "
        "the figure, it does not speak",
    }


# ---- what the files say --------------------------------------------------------------------------


@claims("C008", "mean of the sets, ± their spread", component=0)
@claims("C009", "mean of the sets, ± their spread", component=1)
@claims("C010", "mean of the sets, ± their spread", component=2)
def time_constant(e: Evidence, component: int) -> Found:
    found, spread = lifetime(e, component)
    each = [f"{k} {f.lifetimes_ps[component]:.3g}" for k, f in e.fits.items()]
    return {
        "found": found,
        "standard_error": spread,
        "kind": e.kind,
        "note": "; ".join(each) + " ps; went in crystals that cool and recombine pair by pair, not "
        "three exponentials",
    }


@claims("C039")
def low_energy_bleach(e: Evidence) -> Found:
    change, error = bleach(e)
    (before, _), (after, after_error) = e.red["neat"].values()
    low, high = e.red_window_nm
    return {
        "found": f"{change:.2f} ± {error:.2f} mOD",
        "kind": e.kind,
        "holds": bool(after + 1.96 * after_error < 0 and change + 1.96 * error < 0),
        "note": f"slowest DADS at {low:g} to {high:g} nm: {before:.2f} before, {after:.2f} after",
    }


@claims("C040")
def lasting_shape(e: Evidence) -> Found:
    if len(e.shapes) != 2:
        raise Missing("needs both films before and after exposure in data_dir")
    s, n = e.shapes["E+G"], e.shapes["neat"]
    return {
        "found": f"{100 * s.difference:.1f} % (neat: {100 * n.difference:.1f} %)",
        "kind": e.kind,
        "holds": s.difference < 0.05 and s.difference < 0.5 * n.difference,
        "note": "relative difference of the scaled slowest DADS; errors alone make "
        f"{100 * s.expected_difference:.1f} %; centroid shift {s.shift_nm:.1f} ± "
        f"{s.shift_error_nm:.1f} nm",
    }


def _fluence(e: Evidence) -> tuple[np.ndarray, np.ndarray]:
    if e.fluence is None:
        raise Missing("needs a fluence series (fluence_*.ufs)")
    return e.fluence[:2]


@claims("C037", "slowest is recombination")
def slowest(e: Evidence) -> Found:
    pairs, tau = _fluence(e)
    change = tau[-1] / tau[0]
    said = ", ".join(f"tau{i} x {x:.2f}" for i, x in enumerate(change, 1))
    return {
        "found": f"{said} from {pairs[0]:g} to {pairs[-1]:g} pairs",
        "kind": e.kind,
        "holds": bool(abs(np.log(tau[1, 2] / tau[0, 2])) < 0.15),
        "note": "the slowest constant levels off at low fluence: decay of single pairs",
    }


@claims("C037", "sub-ps is cooling and renormalisation")
def fastest(e: Evidence) -> Found:
    _, tau = _fluence(e)
    low, high, fast = tau[0], tau[-1], tau[:, 0]
    return {
        "found": f"tau1 stays within {fast.min():.2g} to {fast.max():.2g} ps, tau2 falls to "
        f"{high[1]:.2g} ps",
        "kind": e.kind,
        "holds": bool(low[0] < 1 and fast.min() > 0.75 * low[0] and high[1] < 0.75 * low[1]),
        "note": "Auger recombination shows in the middle constant, not in the sub-ps one, at a few "
        "pairs",
    }


@claims("C130", "constants at the pairs the fluence implies")
def fluence_of_the_constants(e: Evidence) -> Found:
    """Fluence at which the model has the two slow constants as printed, by the pairs it makes."""
    pairs, tau = _fluence(e)
    printed = np.log([number("C009"), number("C010")])
    fine = np.geomspace(pairs[0], pairs[-1], 400)
    model = np.array([np.interp(np.log(fine), np.log(pairs), np.log(tau[:, i])) for i in (1, 2)])
    best = fine[np.argmin(np.abs(model - printed[:, None]).max(axis=0))]
    edge, pump = number("C022"), number("C128")
    made = [ta.carriers_per_crystal(1.0, pump, a, edge)[1] for a in (3e4, 5e4)]  # pairs a uJ cm-2
    found = best / np.mean(made)
    error = found * float(np.hypot(np.ptp(made) / 12**0.5 / np.mean(made), 0.3))
    return {
        "found": float(found),
        "standard_error": error,
        "kind": e.kind,
        "note": f"{number('C130'):g} uJ cm-2 make {number('C130') * min(made):.0f} to "
        f"{number('C130') * max(made):.0f} pairs in a neat crystal, where the model has "
        f"{tau[-1, 1]:.2g} and {tau[-1, 2]:.3g} ps; the printed constants fit {best:.1f} pairs. "
        "Called a pulse energy, given as a fluence",
    }


@claims("C133")
def time_resolution(e: Evidence) -> Found:
    width = np.array(
        [[1e3 * f["fwhm"].value, 1e3 * (f["fwhm"].standard_error or 0)] for f in e.fits.values()]
    )
    return {
        "found": width[:, 0].mean(),
        "standard_error": float(np.hypot(width[:, 0].std(), width[:, 1].mean())),
        "kind": e.kind,
        "note": "fitted full width at half maximum of files made with 100 fs: hot carriers do not "
        "cool exponentially, and the artefact's derivatives, free at each wavelength, trade what "
        "is left of the rise for width. Without both the same fit finds 100 fs; this says nothing "
        "about the paper, which does not print what its 100 fs are",
    }


@claims("C134")
def longest_delay(e: Evidence) -> Found:
    found = max(float(m.delay_ps[-1]) for m in e.data.values())
    return {"found": found, "kind": e.kind, "note": "longest delay in the files"}


@claims("C135")
def order_of_delays(e: Evidence) -> Found:
    if len(e.order) != 3:
        raise Missing("needs scans with their order; the order_*.ufs files simulate it")
    steady = e.order["steady"].lifetimes_ps[-1]
    bias = {k: f.lifetimes_ps[-1] / steady - 1 for k, f in e.order.items()}
    return {
        "found": f"slowest lifetime off by {100 * bias['alternating']:.1f} % "
        f"(ascending: {100 * bias['ascending']:.0f} %)",
        "kind": e.kind,
        "holds": bool(abs(bias["alternating"]) < 0.3 * abs(bias["ascending"])),
        "note": "10 % drift per scan",
    }


@claims("C137", "counted in the scan file", label="neat before")
@claims("C143", "counted in the scan file", label="neat after")
def scans(e: Evidence, label: str) -> Found:
    if label not in e.scans:
        raise Missing("needs the single scans")
    note = f"median standard errors after/before: {e.noise:.3f}, expected 1.095"
    return {"found": e.scans[label], "kind": e.kind, "note": note}


@claims("C234", "mean of the PL spectra", film="neat", exposed=False)
@claims("C235", "mean of the PL spectra", film="neat", exposed=True)
@claims("C236", "mean of the PL spectra", film="E+G", exposed=False)
@claims("C237", "mean of the PL spectra", film="E+G", exposed=True)
def pl_wavelength(e: Evidence, film: str, exposed: bool) -> Found:
    s = e.series(film)
    found, error = float(s.fresh_nm), float(s.fresh_error_nm)
    if exposed:
        found = float(s.after_nm.mean())
        error = float(s.after_nm.std(ddof=1) / np.sqrt(len(s.after_nm)))
    return {"found": found, "standard_error": error, "kind": e.kind}


@claims("C144")
def steady_pl(e: Evidence) -> Found:
    if not e.pl:
        raise Missing("needs the PL spectra of the scans")
    sd = {film: s.after_nm.std(ddof=1) for film, s in e.pl.items()}
    return {
        "found": ", ".join(f"{k} {v:.2f} nm" for k, v in sd.items()),
        "kind": e.kind,
        "holds": bool(max(sd.values()) <= paper.claim("C235").printed_uncertainty),
        "note": "standard deviation of the mean PL wavelength over the scans",
    }


@claims("C041")
def no_blue_band(e: Evidence) -> Found:
    s = e.series("neat")
    grown = s.blue_share_after - s.blue_share_fresh
    return {
        "found": f"blue share of the PL {100 * grown:+.2g} ± {100 * s.blue_share_error:.2g} %",
        "kind": e.kind,
        "holds": bool(grown + 1.645 * s.blue_share_error < 0.01),
        "note": "a growth of 1 % is excluded at 95 %; segregation between crystals would leave "
        "bromide-rich, bluer ones",
    }
