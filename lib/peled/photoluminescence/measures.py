"""Each measurement of the topic: rows of the sheet, conditioned, fitted, as quantities or
reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import median_filter
from scipy.special import chdtri

from peled.conditioning import (
    ConditioningError,
    Signal,
    condition,
    detector_noise,
    estimate_noise,
    plan,
    scatter_findings,
    with_scatter,
)
from peled.conditioning.noise import third_differences
from peled.conditioning.steps import UNFREE
from peled.lineshapes import HC_EV_NM
from peled.lineshapes.measures import UNSEEN
from peled.materials import index_of_air
from peled.photoluminescence import reciprocity
from peled.photoluminescence.counts import response_counts
from peled.photoluminescence.emission import by_cause, measure
from peled.photoluminescence.gap import (
    elliott_gap,
    interference,
    local_noise,
    refuse_slopes,
    tauc_gap,
)
from peled.photoluminescence.lifetimes import (
    AS_WELL,
    WITH_SCATTER,
    DecayFit,
    Pulse,
    Response,
    fit_decays,
    mean_lifetime,
    no_law,
    preferred,
    prepare_response,
    unseen_pulse,
)
from peled.photoluminescence.plqy import unabsorbed
from peled.photoluminescence.reading import Decay
from peled.photoluminescence.segregation import LEFT, Kinetics, fit_kinetics, partly_exposed, track
from peled.photoluminescence.segregation import drift as slope
from peled.photoluminescence.yields import (
    SphereYield,
    along,
    sphere_yield,
)
from peled.quantities import (
    FALSE_ALARM,
    Finding,
    Quantity,
    described,
    judge,
    possible,
    signal,
    threshold,
    with_error,
)
from peled.report import reason
from peled.samples import Held, Holdings, joined


@dataclass(frozen=True)
class Result:
    """What one measurement gave: quantities, what was conditioned (`raw`, `signal`) and fitted.

    `problems` are sentences about what gave nothing; `intensity_mW_cm2` belongs to `quantities`;
    `kinetics` are those of a series in time, in the dark from `dark_from_s`.
    """

    label: str
    state: str
    quantities: tuple[Quantity, ...]
    raw: Any = field(default=None, repr=False)
    signal: Any = field(default=None, repr=False)
    fit: Any = field(default=None, repr=False)
    problems: tuple[str, ...] = ()
    excitation_nm: float | None = None
    intensity_mW_cm2: tuple[float | None, ...] = ()
    kinetics: Kinetics | None = None
    dark_from_s: float | None = None

    def doubted(self, *findings: Finding) -> Result:
        """The same with findings at every quantity."""
        return replace(self, quantities=tuple(q.found(*findings) for q in self.quantities))


def _companions(holdings: Holdings, held: Held, *roles: str) -> dict[str, Any]:
    found = {role: holdings.companion(held.row, role) for role in roles}
    return {role: h.data for role, h in found.items() if h is not None}


def _vacuum(signal: Signal, air: bool) -> Signal:
    """The signal on wavelengths in vacuum, of which its energies are made."""
    return replace(signal, axis=signal.axis * index_of_air(signal.axis)) if air else signal


def _set(held: Held, name: str):
    return held.row.settings.get(name)


#: Of a spectrum, that means go over at most, and how many of them elsewhere tell the noise.
PART, FREE = 1 / 12, 2.0
QUARTER = 0.3186393639643752  #: of the magnitude of normal noise of deviation 1
LINE_NM = 15.0  #: width of the median that hides laser lines and rays from the search for a band


def _emitted(held: Held, companions: Mapping[str, Signal]) -> Signal:
    """Spectra of emission without dark, rays and laser; the baseline is a part of the fits."""
    steps = plan(held.data, held.row.settings)
    names = [name for name, _ in steps]
    first, last = names.index("dark"), names.index("baseline")
    ready = condition(held.data, steps[:first])
    return condition(ready, steps[first:last], companions) if ready.used.any() else ready


CLEAR = 30.0  #: times what noise makes, from which on a rise is no ripple of a dark spectrum
BESIDE = 0.1  #: of the strongest band, from which on others belong to the emission


def _found(ready: Signal, stated) -> tuple[Signal, tuple[float, float], tuple[float, float]]:
    """Emission without the narrow lines that stand on it; where it is (`stated`, or by `_band`),
    and how far from there its light falls on.
    """
    if stated:
        return condition(ready, [("lines", {"within_nm": stated})]), stated, stated
    low, high = _band(ready)
    # A laser's line is passed over by its width.
    ready = condition(ready, [("lines", {"within_nm": (low - 3 * LINE_NM, high)})])
    window = _band(ready)
    return ready, window, _reach(ready, window)


def _band(ready: Signal) -> tuple[float, float]:
    """Where the emission is: three widths to either side of its maximum, and as far as other bands
    of `BESIDE` of it stand.

    It is the largest rise on the red side of the laser (the strongest line narrower than
    `LINE_NM`): the laser's tail only falls. Others rise above what lies to either side of them.

    Raises
    ------
    ValueError
        If nothing rises out of the noise, or of what the spectrum does elsewhere.
    """
    x = ready.axis
    total = np.nansum(ready.values, axis=0)
    if not np.ptp(total) > 0:
        raise ValueError(
            f"no band: expected emission, found {total[0]:.3g} at all {x.size} points; see whether "
            "the right column was exported"
        )
    smooth, first, least, noise = _smooth(x, total)
    excess = smooth - np.minimum.accumulate(smooth)
    top = int(np.argmax(excess))
    if not excess[top] > least:
        raise ValueError(
            f"no band: the strongest rise, {excess[top]:.2g} at {x[first + top]:.0f} nm, is below "
            f"{least:.2g}, which noise of {noise:.2g} a point could make over {x.size} points"
        )
    inside = excess > 0.5 * excess[top]
    left = top - int(np.argmax(~inside[top::-1])) if not inside[: top + 1].all() else 0
    right = top + int(np.argmax(~inside[top:])) if not inside[top:].all() else inside.size - 1
    if not excess[top] > CLEAR * least:
        _refuse_ripple(x[first:], total[first:], left, right, noise)
    x = x[first:]
    width = max(x[right] - x[left], 3 * float(np.median(np.diff(x))))
    # Where a line was masked, and as far as means carry that, nothing was seen to rise.
    dark = _masked(ready, LINE_NM)[first:]
    begins = np.flatnonzero(np.diff(dark.astype(int), append=0) < 0) + 1
    before = [np.minimum.accumulate(part) for part in np.split(smooth, begins) if part.size]
    after = np.minimum.accumulate(smooth[::-1])[::-1]
    rise = np.where(dark, 0.0, smooth - np.maximum(np.concatenate(before), after))
    lit = np.flatnonzero(rise > max(BESIDE * excess[top], least))
    ends = x[lit[[0, -1]]] if lit.size else x[[top, top]]
    low, high = min(x[top] - 3 * width, ends[0] - width), max(x[top] + 3 * width, ends[1] + width)
    return max(x[0], low), min(x[-1], high)


def _masked(ready: Signal, beside_nm: float) -> np.ndarray:
    """(n_x,) bool: what a mask has replaced, and what is `beside_nm` it."""
    modes = [mode for name, mode in zip(ready.mode_names, ready.modes) if name == "mask"]
    at = ready.axis[np.any(modes, axis=(0, 1))] if modes else np.empty(0)
    return np.searchsorted(at, ready.axis + beside_nm) > np.searchsorted(at, ready.axis - beside_nm)


def _smooth(x, y):
    """A spectrum (n,) without noise and narrow lines, from beyond the laser's on; the index of that
    point; what noise may make of a rise there, and of a point."""
    smooth, noise, size, top = _line(x, y)
    first = min(top + size, x.size - size) if top is not None else 0
    smooth = np.convolve(np.pad(smooth, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")[first:]
    # Noise of a running median, and of a minimum taken over all points before.
    return smooth, first, 8 * noise * np.sqrt(np.pi / 2 / size), noise


def _reach(ready: Signal, window: tuple[float, float]) -> tuple[float, float]:
    """How far from a window its light falls on: where it rises again, half a window at most."""
    x, more = ready.axis, 0.5 * (window[1] - window[0])
    smooth, first, least, _ = _smooth(x, np.nansum(ready.values, axis=0))
    x, ends = x[first:], []
    for side, end in ((-1, window[0]), (1, window[1])):
        beyond = np.flatnonzero((side * (x - end) >= 0) & (side * (x - end) <= more))[::side]
        level = smooth[beyond]
        rises = np.flatnonzero(level - np.minimum.accumulate(level) > least / 3)
        last = int(np.argmin(level[: rises[0]])) if rises.size else beyond.size - 1
        ends.append(float(x[beyond[last]]) if beyond.size else end)
    return ends[0], ends[1]


def _refuse_ripple(x, y, left: int, right: int, white: float) -> None:
    """A band rises, in the mean over its width above those on both sides of it, by more than the
    spectrum (n,) does elsewhere, where that is more than `white` noise a point makes.

    Ripple and wander rise as high in many places.

    Raises
    ------
    ValueError
        If it does not.
    """
    size = max(min(right - left, int(y.size * PART)), 3)
    padded = np.pad(y, size + size // 2, mode="edge")
    mean = np.convolve(padded, np.full(size, 1 / size), mode="valid")[: y.size + 2 * size]
    rise = mean[size:-size] - 0.5 * (mean[: -2 * size] + mean[2 * size :])
    beside = np.arange(y.size)
    beside = np.minimum(np.abs(beside - left), np.abs(beside - right)) > 1.5 * size
    beside[left : right + 1] = beside[: 3 * size // 2] = beside[-(3 * size // 2) :] = False
    freedom = np.count_nonzero(beside) / size  # about as many are independent
    if freedom < FREE:
        return
    # Other bands leave the calmest quarter free; ripple and wander leave none.
    noise = np.quantile(np.abs(rise[beside]), 0.25) / QUARTER
    if noise**2 < 1.5 * white**2 / size * chdtri(freedom, FALSE_ALARM) / freedom:
        return
    top = left + int(np.argmax(rise[left : right + 1]))
    needed = threshold(y.size / size, freedom)
    if not rise[top] > needed * noise:
        raise ValueError(
            f"no band: the strongest rise, {rise[top]:.2g} at {x[top]:.0f} nm, is "
            f"{rise[top] / noise:.1f} times what means over {size * abs(x[1] - x[0]):.0f} nm do "
            f"elsewhere; noise that wanders or ripples alone passes {needed:.1f}; "
            "emission_band_nm says where the emission is, if it is some"
        )


def _line(x, y):
    """A spectrum (n,) without what is narrower than `LINE_NM`, its noise, that width in points, and
    the index of a line that stands out; None where none does."""
    size = max(round(LINE_NM / float(np.median(np.diff(x)))) | 1, 3)
    smooth = median_filter(y, size, mode="nearest")
    noise = np.median(third_differences(y))
    top = int(np.argmax(y - smooth))
    stands = y[top] - smooth[top] > max(0.5 * (y[top] - y.min()), 20 * noise)
    return smooth, noise, size, top if stands else None


class _Run(NamedTuple):
    """What tells a run of a sphere: light of its laser line, where that is, light beyond it."""

    laser: float
    at_nm: float
    beyond: float


def _as_run(one: Signal) -> _Run | None:
    x, y = one.axis, one.finite[0]
    if x.size < 5 or not np.all(np.diff(x) > 0):
        return None
    if np.ptp(x) < ALONE_NM:
        top, low = int(np.argmax(y)), float(y.min())
        stands = y[top] - low > 3 * (max(y[0], y[-1]) - low)
        return _Run(float(np.sum(y - low)), float(x[top]), 0.0) if stands else None
    smooth, _, size, top = _line(x, y)
    if top is None:
        return None
    near = slice(max(top - size, 0), top + size)
    beyond = smooth[top + size :]
    light = float(np.sum(y[near] - smooth[near]))
    return _Run(light, float(x[top]), float(np.sum(beyond - np.median(smooth))))


ALONE_NM = 45.0  #: a file of a shorter range holds a laser line alone


def unnamed_runs(spectra: Mapping[str, Signal]) -> str:
    """A sentence where spectra by file look like runs of a sphere that nobody has named; or "".

    They share an axis and a laser line, the light of which differs by more than 5 %. The sample is
    in the beam where the laser is weakest; of the others the sphere is empty where less light is
    beyond the laser.

    Parameters
    ----------
    spectra : mapping of str to Signal
        By name of the file.

    Returns
    -------
    str
    """
    axes: dict[bytes, list[tuple[_Run, str]]] = {}
    for name, one in spectra.items():
        if (run := _as_run(one)) is not None:
            axes.setdefault(one.axis.tobytes(), []).append((run, name))
    for x, members in axes.items():
        lit, *others = sorted(members)
        lasers = [run.laser for run, _ in members]
        if len(others) not in (1, 2) or np.ptp([run.at_nm for run, _ in members]) > 3:
            continue
        if min(lasers) > 0.95 * max(lasers):
            continue
        alone = np.ptp(np.frombuffer(x)) < ALONE_NM
        names = [name for _, name in sorted(others, key=lambda o: o[0].beyond)]
        roles = ("empty", "indirect")[: len(names)]
        said = f"direct: {lit[1]}, " + (
            f"{' and '.join(roles)}: {' and '.join(names)}" if alone
            else ", ".join(map("{}: {}".format, roles, names))
        )  # fmt: skip
        if alone:
            said += (
                ". They hold the laser alone: write laser into the column band, and give the files "
                "of the emission the same roles and the band emission"
            )
        return (
            f"spectra with one laser line at {lit[0].at_nm:.0f} nm of unlike height: if they are "
            "runs of an integrating sphere, write plqy into the column measurement and into role "
            f"what they are; by the light they hold that is {said}"
        )
    return ""


FRAMES = 8  #: from this many on, files that a number tells apart look like a series


def unplaced(spectra: Mapping[str, Signal]) -> list[str]:
    """Sentences on spectra that look like frames of a series of which no time is known.

    Parameters
    ----------
    spectra : mapping of str to Signal
        By name of the file; those that the sheet places in time left out.

    Returns
    -------
    list of str
    """
    alike: dict[tuple, list[str]] = {}
    for name, one in spectra.items():
        if found := re.fullmatch(r"(.*?)\d+(\.\D*|\D*)", name):
            alike.setdefault((*found.groups(), one.axis.tobytes()), []).append(name)
    return [
        f"{len(names)} spectra, {names[0]} to {names[-1]}, that a number tells apart: not joined "
        "to a series, since neither files nor names say times; if they are one, write one sample "
        "and its times into the columns sample and time_s"
        for names in alike.values()
        if len(names) >= FRAMES
    ]


# ---- absorption ----------------------------------------------------------------------------------

MISFIT = 0.01  #: of an edge, from which on what its law leaves is a doubt


def absorption(holdings: Holdings, members: Sequence[Held], settings: Mapping, labels) -> Result:
    """Optical gaps by Elliott and Tauc, of absorbance made of whatever was measured.

    Parameters
    ----------
    holdings : Holdings
        Not used: the row stands alone.
    members : sequence of Held
        One row, absorbance or what it is made of.
    settings : mapping
        `SETTINGS` of `analyse`; `air`, `wavelength_nm` (standard error), `transition` count here.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        Gaps in eV, Urbach energy in meV; what could not be had is in `problems`.
    """
    held = members[0]
    raw: Signal = held.data
    steps = [("axis", {}), ("noise", {}), ("absorbance", {"unit": raw.unit} if raw.unit else {})]
    ready = _vacuum(condition(raw, steps), settings["air"])
    good = np.isfinite(ready.values[0])
    energy, absorbance = HC_EV_NM / ready.axis[good], ready.values[0][good]
    made, problems, fits, clipped = [], [], {}, _clipped(absorbance)
    scale = settings["wavelength_nm"]
    law = partial(elliott_gap, energy)
    line = partial(tauc_gap, energy, transition=settings["transition"])
    waves = np.empty((0, energy.size))
    for name, fit in ((ELLIOTT, law), (TAUC, line)):
        try:
            found = fit(absorbance)
            gates = [possible(float(energy.min()), float(energy.max()))]
            budget = {"wavelength": found.gap_eV**2 / HC_EV_NM * scale}
            if fit is law:
                waves = found.interference
                budget["interference"], by_fit = found.interference_eV[0], found.errors_eV[0]
                budget |= {"tail": found.tail_eV[0]} if found.tail_eV[0] else {}
                # What is smooth in it is in the error.
                gates += [described(found.misfit_z, found.missed)] * (found.missed > MISFIT)
            else:
                budget["interference"] = _moved(
                    lambda curve: line(absorbance + curve).gap_eV, waves, "interference"
                )
                by_fit = found.standard_error_eV
        except ValueError as error:
            problems.append(f"{name}: {reason(error)}")
            continue
        fits[name] = found
        findings = [*ready.findings, *clipped]
        if not getattr(found, "converged", True):
            findings.append(Finding("determined", "withheld", "the fit did not converge"))
        budget |= {"fit": float(by_fit), "window": float(np.ravel(found.window_spread_eV)[0])}
        q = Quantity(name, value=found.gap_eV, budget=budget, unit="eV",
                     findings=tuple(findings), **labels)  # fmt: skip
        made.append(judge(q, *gates))
    made = _two_gaps(made, fits, settings["transition"])
    try:
        refuse_slopes(energy, absorbance)
        made.append(_urbach(ready, labels))
    except ValueError as error:
        problems.append(f"Urbach energy: {reason(error)}")
    return Result(held.row.label, labels["state"], tuple(made), raw, ready, fits, tuple(problems))


def _moved(number: Callable[[np.ndarray], float], curves: np.ndarray, what: str) -> float:
    """Standard error of a number by what a spectrum may hold: curves (m, n) of one standard
    deviation, with which it is found again; `what` they are.

    Raises
    ------
    ValueError
        If it is not found there.
    """
    try:
        return float(np.linalg.norm([0.5 * (number(c) - number(-c)) for c in curves]))
    except ValueError as error:
        said = f"not found with as much {what} more and less as the spectrum may hold"
        raise ValueError(f"{said}: {error}") from error


def _urbach(ready: Signal, labels) -> Quantity:
    """Urbach energy, its error with the interference that the spectrum allows, up to the end of its
    window, beside an exponential tail on a line.

    What the tail leaves in proportion to itself is no interference.
    """

    def tail(more):
        edge, noise = _edge(ready, more)
        return edge, reciprocity.urbach_energy(*edge, noise)

    (energy, absorbance), line = tail(0.0)
    seen = energy <= line.window_eV[1]
    x, a = energy[seen] - line.window_eV[1], absorbance[seen]
    light = np.exp(x / line.scale_eV)
    design = np.column_stack([light, x * light, np.ones_like(x), x])
    found = np.linalg.lstsq(design, a, rcond=None)[0]
    rest = a - design @ found
    share = np.linalg.norm(rest) / np.linalg.norm(found[0] * light)
    error = np.hypot(local_noise(absorbance)[seen], share * found[0] * light)
    curves = interference(energy[seen], design, rest, error, energy)
    as_measured = np.argsort(np.argsort(HC_EV_NM / ready.axis[np.isfinite(ready.values[0])]))
    moved = _moved(lambda curve: tail(curve)[1].scale_eV, curves[:, as_measured], "interference")
    budget = {"interference": moved}
    return _of_line("Urbach energy", line, "meV", 1e3, ready.findings, labels, budget)


ELLIOTT, TAUC = "optical gap (Elliott)", "optical gap (Tauc)"
CLIPPED = 20  #: points that share the largest absorbance, and hardly one is next to it: a ceiling


def _clipped(absorbance) -> tuple[Finding, ...]:
    """That a film (n,) is too dark for its spectrometer."""
    values, count = np.unique(absorbance, return_counts=True)
    if count[-1] < CLIPPED or count[-2:-1].sum() > 0.2 * count[-1]:
        return ()
    said = f"{count[-1]} points at the ceiling {values[-1]:.4g}: saturated; measure a thinner film"
    return (Finding("undamaged", "withheld", said),)


def _two_gaps(made: list[Quantity], fits: Mapping, transition: str) -> list[Quantity]:
    """Both gaps with a sentence where they differ by more than their errors.

    For direct transitions Tauc's line is Elliott's formula without exciton and broadening: it is in
    doubt where the one that moves it this way is shown to be there. Else nothing says which law is
    wrong, and both are.
    """
    if len(fits) < 2 or any(q.value is None for q in made):
        said = "Elliott's formula gives no gap to hold it against: by how much an exciton, or "
        said += "light that strays, moves Tauc's line is not known"
        doubt = Finding("described", "doubtful", said)
        alone = transition == "direct" and TAUC in fits
        return [q.found(doubt) if alone and q.name == TAUC else q for q in made]
    law, line = fits[ELLIOTT], fits[TAUC]
    apart = law.gap_eV - line.gap_eV
    # Wavelengths are shared.
    causes = [e for q in made for cause, e in q.budget.items() if cause != "wavelength"]
    error = float(np.linalg.norm(causes))
    if abs(apart) <= threshold() * error:
        return made
    said = f"Tauc's line is {with_error(1e3 * abs(apart), 1e3 * error)} meV "
    said += f"{'below' if apart > 0 else 'above'} the gap by Elliott's formula"
    of, value, k = (
        ("exciton, bound by", law.binding_eV, 1) if apart > 0
        else ("broadening, of", law.broadening_eV, 2)
    )  # fmt: skip
    shown = value > threshold() * law.total_errors_eV[k]
    if transition != "direct":
        said += f": the line is one of {transition} transitions, the formula of direct ones"
    elif shown:
        said += f": it neglects the {of} {1e3 * value:.0f} meV"
    else:
        said += ", and nothing that the line neglects says why"
    first = "reported" if shown and transition == "direct" else "doubtful"
    status = (first, "doubtful")
    return [q.found(Finding("described", s, said)) for q, s in zip(made, status, strict=True)]


FLAT = 0.05  #: of the largest absorbance, by which its level far below the gap may rise


def _edge(ready: Signal, more: np.ndarray | float = 0.0):
    """Energies and absorbance (2, n), rising, above the level far below the gap, and its error;
    with `more` (n,) added to what was measured.

    A spectrum that rises from its first points on has no such level.
    """
    good = np.isfinite(ready.values[0])
    energy, value = HC_EV_NM / ready.axis[good], ready.values[0][good] + more
    order = np.argsort(energy)
    energy, value = energy[order], value[order]
    low = value[: max(value.size // 10, 8)]
    first, later = (np.median(part) for part in np.array_split(low, 2))
    if later - first < FLAT * np.max(value):
        value = value - np.median(low)
    if ready.variance is None:
        return np.array([energy, value]), _errors(value, energy)
    # The noise of what was measured, not of its logarithm.
    return np.array([energy, value]), np.sqrt(ready.variance[0][good][order])


def _errors(values, axis):
    """Standard errors (n,) of one spectrum by the scatter of its points."""
    variance = estimate_noise(values[None], axis).variance(values[None])
    return np.sqrt(np.maximum(np.ravel(variance), 1e-18))


def _of_line(name, line, unit, factor, findings, labels, more: Mapping = {}) -> Quantity:
    """The scale of a line; `more` are errors in eV, by cause, that its points do not tell."""
    budget = {cause: factor * e for cause, e in {"fit": line.error_eV, **more}.items()}
    q = Quantity(name, value=factor * line.scale_eV, budget=budget,
                 unit=unit, findings=tuple(findings), **labels,
                 note=f"{line.window_eV[0]:.3f} to {line.window_eV[1]:.3f} eV")  # fmt: skip
    slope = signal(factor * line.scale_eV, np.linalg.norm([*budget.values()]), "the slope")
    return judge(q, slope, described(line.z))


def reciprocity_of(
    absorbed: Result,
    emitted: Result,
    said: Mapping,
    labels,
    yields: Sequence[Result] = (),
    air: bool = False,
) -> Result:
    """What van Roosbroeck and Shockley's relation says of absorption and emission together.

    The temperature of the emitting carriers: a film that is homogeneous and thermal gives that at
    which it was measured; a film of unlike crystals, whose emission comes from the smallest gaps,
    does not, and that is then said. With `photocurrent_mA_cm2` and `temperature_K` in `said` the
    radiative limit of the voltage too, the absorptance going on as the emission; with quantum
    yields of the same state the splitting of the quasi-Fermi levels at each of them.

    Parameters
    ----------
    absorbed, emitted : Result
        Of `absorption` and `emission`, one state.
    said : mapping
        Cells of the row of the absorption.
    labels : mapping
        Sample, state and kind of the quantities.
    yields : sequence of Result
        Of `quantum_yields`, the same state.
    air : bool
        Whether the wavelengths of the emission are those in air.

    Returns
    -------
    Result
        Temperature in K, voltage and splitting where they can be had.

    Raises
    ------
    ValueError
        If the spectra do not overlap above noise, or their ratio is no rising line.
    """
    edge, noise = _edge(absorbed.signal)
    share = 1 - 10 ** -edge[1]
    seen_at = _vacuum(emitted.signal, air)
    energy, error_per_eV = reciprocity.per_energy(seen_at.axis, np.sqrt(seen_at.lumped[0]))
    seen = _between(energy, edge[0], share)
    error = np.interp(energy, edge[0], noise * np.log(10) * 10 ** -edge[1])
    # Between points of the absorption lie several of the emission that are none of their own.
    shared = np.interp(energy, edge[0], np.gradient(edge[0])) / np.gradient(energy)
    error = error * np.sqrt(np.maximum(shared, 1.0))
    grid = np.union1d(edge[0], energy)
    grid = grid[grid >= energy[0]]
    on_grid = _between(grid, edge[0], share)

    def both(more=0.0):
        """What the two say together, with `more` (n,) of a baseline."""
        _, per_eV = reciprocity.per_energy(seen_at.axis, seen_at.values[0] + more)
        line = reciprocity.thermal_energy(energy, per_eV, error_per_eV, seen, error)
        light = np.interp(grid, energy, per_eV, left=0, right=0)
        return _Limit(grid, on_grid, light, line, said)

    limit = both()
    modes = by_cause(seen_at)

    def by_baseline(number) -> dict[str, float]:
        """Errors of a number of a `_Limit` by what was taken off under the emission."""
        return {
            cause: e for cause, curves in modes.items()
            if (e := _moved(lambda curve: number(both(curve)), curves, cause)) > 0
        }  # fmt: skip

    more = by_baseline(lambda one: one.line.scale_eV)
    findings = _thermal(limit.line, said, np.linalg.norm([limit.line.error_eV, *more.values()]))
    made = [
        _of_line("temperature of emission", limit.line, "K", 1 / reciprocity.K_EV, findings,
                 labels, more)
    ]  # fmt: skip
    pumped = [(q, at) for one in yields for q, at in _pumped(one, said)]
    problems = ()
    if pumped and "temperature_K" not in said:
        pumped = []
        problems = ("quasi-Fermi level splitting: expected temperature_K in the sample sheet",)
    currents = [(None, said["photocurrent_mA_cm2"])] if "photocurrent_mA_cm2" in said else []
    if currents and "temperature_K" not in said:
        raise ValueError("radiative limit: expected temperature_K in the sample sheet")
    if currents or pumped:
        # Of all currents and yields alike: they add what is no matter of the emission.
        more = by_baseline(lambda one: one.at(1.0))
        made += [limit.voltage(at, labels, more, plqy) for plqy, at in [*currents, *pumped]]
    return Result(
        emitted.label, emitted.state, tuple(made), (absorbed, emitted), None, limit.line, problems
    )  # fmt: skip


TAIL_KT = 2.0  #: of kT, that the window of a temperature spans at least
TAIL_ERROR = 0.1  #: relative error of a temperature that is still one
APART = 3.0  #: standard errors from the stated temperature at which carriers are not thermal


def _thermal(line, said: Mapping, error_eV: float) -> tuple[Finding, ...]:
    """Whether a line tells a temperature, and whether it is that of the sample."""
    kelvin, error = (e / reciprocity.K_EV for e in (line.scale_eV, error_eV))
    width = (line.window_eV[1] - line.window_eV[0]) / line.scale_eV
    if width < TAIL_KT or error_eV > TAIL_ERROR * line.scale_eV:
        evidence = (
            f"emission and absorption are seen together over {width:.1f} kT alone, which tells "
            f"{with_error(kelvin, error)} K; {TAIL_KT:g} kT and {TAIL_ERROR:.0%} are needed: "
            "measure more of the high-energy tail of the emission, or of the absorption's foot"
        )
        return (Finding("determined", "withheld", evidence),)
    stated = said.get("temperature_K")
    if stated is not None and abs(kelvin - stated) > APART * np.hypot(error, TEMPERATURE_K):
        evidence = (
            f"{with_error(kelvin, error)} K for a sample at {stated:g} K: carriers that are not "
            "thermal, unlike crystals, or emission absorbed again"
        )
        return (Finding("described", "doubtful", evidence),)
    return ()


def _between(energy, at, share):
    """Absorptance (n,) between points of a steep edge, where its logarithm is the straighter."""
    straight = np.log(np.maximum(share, 1e-9))
    return np.exp(np.interp(energy, at, straight, left=-np.inf))


def _pumped(one: Result, said: Mapping) -> Iterator[tuple[Quantity, float]]:
    """Yields of a result and the current, mA/cm², of the carriers that were made: A I λ/(hc), or
    `photocurrent_mA_cm2` where the intensity is not known."""
    pairs = zip(one.quantities[::2], one.quantities[1::2], one.intensity_mW_cm2[::2])
    for q, absorbed, at in pairs:
        share = absorbed.value
        if at is not None and one.excitation_nm is not None and share is not None:
            current = at * share * one.excitation_nm / HC_EV_NM
        else:
            current = said.get("photocurrent_mA_cm2")
        if current is not None and q.value is not None and q.status != "withheld" and q.value > 0:
            yield q, float(current)


TEMPERATURE_K = 2.0  #: standard error of a stated temperature


class _Limit:
    """Voltages that a film's own emission allows: absorptance `share` and emission `per_eV` (n,)
    over `energy` (n,), and the line that joins them."""

    def __init__(self, energy, share, per_eV, line, said: Mapping):
        self.energy, self.share, self.per_eV = energy, np.clip(share, 0, 1), per_eV
        self.line, self.kelvin = line, said.get("temperature_K")

    def at(self, current: float, plqy: float = 1.0, warmer: float = 0.0) -> float:
        """Voltage at a current (mA/cm²) and a yield, `warmer` (K) than stated."""
        kelvin = self.kelvin + warmer
        kT = reciprocity.K_EV * kelvin
        whole = reciprocity.with_tail(self.energy, self.share, self.per_eV, self.line, kT)
        dark = reciprocity.radiative_dark_current(self.energy, whole, kelvin)
        return reciprocity.radiative_voltage(current, dark, kelvin) + kT * np.log(plqy)

    def voltage(
        self, current: float, labels, more: Mapping, plqy: Quantity | None = None
    ) -> Quantity:
        """V_oc,rad at a current (mA/cm²) [1]_; with a yield Δμ/q = V_oc,rad + kT ln PLQY [2]_.

        Its error by the scale of the tail, the slope's doubt, the temperature, the yield and, in
        V by cause, `more`.

        References
        ----------
        .. [1] U. Rau, Phys. Rev. B 76, 085303 (2007), doi:10.1103/PhysRevB.76.085303
        .. [2] R. T. Ross, J. Chem. Phys. 46, 4590 (1967), doi:10.1063/1.1840606
        """
        share = 1.0 if plqy is None else plqy.value
        value = self.at(current, share)
        line, kT = self.line, reciprocity.K_EV * self.kelvin
        # Emission of another slope than kT: the tail's share turns about the window's middle.
        turned = abs(1 / kT - 1 / line.scale_eV) * (line.window_eV[1] - line.window_eV[0])
        budget = {
            **more,
            "temperature": abs(self.at(current, share, TEMPERATURE_K) - value),
            "slope": kT * turned / 12**0.5,
            # the tail's scale, by points this good
            "tail": kT * np.sqrt(2 / line.points) / reciprocity.SEEN,
        }
        name, unit, findings = "radiative limit of the voltage", "V", ()
        if plqy is not None:
            budget["PLQY"] = kT * plqy.standard_error / share
            name = plqy.name.replace("PLQY", "quasi-Fermi level splitting")
            unit, findings = "eV", plqy.findings
        q = Quantity(
            name, value=value, unit=unit, budget={k: float(v) for k, v in budget.items()},
            findings=findings, note=f"at {current:.3g} mA/cm², {self.kelvin:g} K", **labels,
        )  # fmt: skip
        return judge(q, described(line.z), possible(0, float(self.energy.max())))


# ---- emission ------------------------------------------------------------------------------------


def emission(holdings: Holdings, members: Sequence[Held], settings: Mapping, labels) -> Result:
    """Peak, centroid, width and area of one spectrum.

    Narrow lines on the band are taken out and named; other bands from `BESIDE` of the strongest
    belong to the emission. Where light fills the axis there is neither centroid nor area. The tail
    of a laser under the band is light of the band, and so is a filter's edge in it if it rises by
    `BESIDE`: cut both off by `emission_band_nm`.

    Parameters
    ----------
    holdings : Holdings
        Where the dark is looked for.
    members : sequence of Held
        One row.
    settings : mapping
        `SETTINGS` of `analyse`; `air` and `wavelength_nm` (standard error) count here.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        In nm, eV and unit of the spectrum times nm; no quantities where the spectrum is unusable.

    Raises
    ------
    ValueError
        If no band rises out of the noise.
    """
    held = members[0]
    raw: Signal = held.data
    ready = _emitted(held, _companions(holdings, held, "dark"))
    laser = _set(held, "excitation_nm")
    if not ready.used.all():
        said = "; ".join(f.evidence for f in ready.findings if f.status == "withheld")
        return Result(held.row.label, labels["state"], (), raw, ready, None, (said,), laser)
    stated = _set(held, "emission_band_nm")
    ready, window, reach = _found(ready, stated)
    based = condition(ready, [("baseline", {"order": 1, "band_nm": window})])
    inside = (based.axis >= window[0]) & (based.axis <= window[1])
    light = float(np.trapezoid(based.values[0, inside], based.axis[inside]))
    if based.used[0] and not light > 0:
        raise ValueError(
            f"no band: expected light above the baseline from {window[0]:.0f} to {window[1]:.0f} "
            f"nm, found {light:.3g} {ready.unit} nm; integrate longer, or name the band in "
            "emission_band_nm"
        )
    found = measure(based, window, reach, label=labels["sample"])
    if settings["air"]:
        in_air = found.energy_peak_eV
        index = index_of_air(HC_EV_NM / in_air)
        found = replace(found, energy_peak_eV=float(in_air / index))
    scale = settings["wavelength_nm"]
    findings = with_scatter(based.findings, based, window)
    findings += _passed_over(ready, laser) * (not stated)
    cut = _cut(based, window, bool(stated))
    made = []
    for name, of, unit, off in (
        ("PL peak", "peak_nm", "nm", scale),
        ("PL centroid", "centroid_nm", "nm", scale),
        ("PL width", "fwhm_nm", "nm", 0.0),
        ("PL peak energy", "energy_peak_eV", "eV", found.energy_peak_eV**2 / HC_EV_NM * scale),
        ("PL area", "area", f"{ready.unit} nm", 0.0),
    ):
        budget = {**found.budgets[of], **({"wavelength": float(off)} if off else {})}
        # What the baseline lacks is in its error, and no doubt where that is a small part.
        small = budget.get("baseline", 0.0) < 0.5 * sum(e * e for e in budget.values()) ** 0.5
        kept = tuple(f for f in findings if not (small and f.gate == "described"))
        if not np.isfinite(getattr(found, of)):
            said = UNSEEN["fwhm" if of == "fwhm_nm" else "peak"]
            kept += (Finding("determined", "withheld", said),)
        kept += cut * (of in ("centroid_nm", "area"))
        q = Quantity(name, value=float(getattr(found, of)), budget=budget,
                     unit=unit, findings=kept, **labels)  # fmt: skip
        low, high = (
            (ready.axis[0], ready.axis[-1]) if name in ("PL peak", "PL centroid") else (0, np.inf)
        )
        made.append(
            judge(
                q, signal(found.area, found.area_error, "the band", tries=100), possible(low, high)
            )
        )
    return Result(held.row.label, labels["state"], tuple(made), raw, based, found, (), laser)


def _passed_over(ready: Signal, laser: float | None) -> tuple[Finding, ...]:
    """That a line was taken for a laser's, of which nobody says where it is."""
    *_, top = _line(ready.axis, np.nansum(ready.values, axis=0))
    if top is None or laser is not None:
        return ()
    said = (
        f"the line at {ready.axis[top]:.0f} nm is taken for the laser's, and light is looked for "
        "beyond it: fill in excitation_nm, or if it is emission name it in emission_band_nm"
    )
    return (Finding("assumed", "doubtful", said),)


EDGE = 0.05  #: of its maximum, that a band may have left at an end of its window


def _cut(based: Signal, window: tuple[float, float], stated: bool) -> tuple[Finding, ...]:
    """What hinders centroid and area of the whole band: light at the ends of its window, or on all
    of the axis."""
    if any(f.gate == UNFREE for f in based.findings):
        said = "what lies beyond the axis and under the band is not known: measure a wider range"
        return (Finding("determined", "withheld", said),)
    inside = based.cut(*window)
    few, y = max(3, inside.axis.size // 50), inside.values[0]
    error = 3 * np.sqrt(np.mean(inside.variance) / few)
    top = np.quantile(y, 1 - 2 / y.size)
    for end, part in ((window[0], y[:few]), (window[1], y[-few:])):
        if part.mean() - error > EDGE * top:
            said = f"{part.mean() / top:.0%} of the maximum is left at {end:.0f} nm, "
            said += (
                "the end of emission_band_nm: of what is within alone" if stated
                else f"where the band is cut; {EDGE:.0%} allowed"
            )  # fmt: skip
            return (Finding("undamaged", "doubtful" if stated else "withheld", said),)
    return ()


# ---- quantum yield -------------------------------------------------------------------------------


def quantum_yields(
    holdings: Holdings, members: Sequence[Held], settings: Mapping, labels
) -> Result:
    """PLQY of runs (a row each), or of the triples of a table.

    Parameters
    ----------
    holdings : Holdings
        Where the calibration (role gain) is looked for.
    members : sequence of Held
        Runs of one state and intensity, or one row with a table.
    settings : mapping
        Not used: all that counts stands in the rows.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        Fractions.

    Raises
    ------
    ValueError
        If there is no calibration.
    ConditioningError
        If runs are missing or give no yield.
    """
    held = members[0]
    gain = holdings.companion(held.row, "gain")
    if gain is None:
        raise ValueError(
            "sphere: no calibration: PLQY needs the response of sphere and detector; add its file "
            "as a row of role gain (flat where the counts are corrected already)"
        )
    calibrations = gain.data if isinstance(gain.data, dict) else {"": gain.data}
    by_quantity = {
        q: (_of_table(holdings, held, c, labels) if held.row.role == "sample"
            else _of_runs(holdings, members, c, labels))
        for q, c in calibrations.items()
    }  # fmt: skip
    first, fit, raw, ready = next(iter(by_quantity.values()))
    if len(by_quantity) > 1:
        first = tuple(map(_either, *(made for made, *_ in by_quantity.values())))
    cell = _set(held, "intensity_mW_cm2")
    sets = held.data if held.row.role == "sample" else (None,)
    at = tuple(level for one in sets for level in (_level(one, cell), None))
    return Result(held.row.label, labels["state"], first, raw, ready, fit, (),
                  _set(held, "excitation_nm"), at)  # fmt: skip


_INTENSITY = ("mw/cm2", "mw/cm²", "mw cm-2", "mw cm⁻²")


def _level(one, cell: float | None) -> float | None:
    """Intensity of a set: as its head says, or the cell of its row."""
    return one.parameter if one and one.parameter_unit.lower() in _INTENSITY else cell


def _either(energy: Quantity, photons: Quantity) -> Quantity:
    """A yield where nobody says whether the calibration gives power or photons: either."""
    if energy.value is None or photons.value is None or energy.name != "PLQY":
        return energy
    low, high = sorted((energy.value, photons.value))
    said = (
        f"value_unit of the calibration is stated nowhere: {energy.value:.3g} if it gives energy, "
        f"{photons.value:.3g} if photons; fill in that column of its row"
    )
    error = energy.standard_error
    return replace(
        energy, value=(low + high) / 2, budget={**energy.budget, "assumed": (high - low) / 12**0.5},
        interval=(low - 2 * error, high + 2 * error), parts={},
        findings=(*energy.findings, Finding("assumed", "doubtful", said)),
    )  # fmt: skip


def _of_runs(holdings, members, calibration, labels):
    held = members[0]
    served = [
        other
        for h in members
        for role in ("empty", "blank")
        if (other := holdings.companion(h.row, role)) is not None
    ]
    runs = {
        f"{h.row.role} {h.row.settings.get('band', '')}".strip(): h for h in [*members, *served]
    }
    dark = {name: d.data for name, h in runs.items() if (d := holdings.companion(h.row, "dark"))}
    said = {run: _recording(h, SCALES) for run, h in runs.items()}
    heads = {name: h.data.exposure_ms for name, h in runs.items()}
    if not any("integration_ms" in s for s in said.values()) and all(heads.values()):
        said = {name: {**s, "integration_ms": heads[name]} for name, s in said.items()}
    inputs = tuple(dict.fromkeys(h.digest for h in runs.values()))
    spectra = {name: h.data for name, h in runs.items()}
    labels = {**labels, "inputs": inputs}
    return _pair(held, _yield_of(held, spectra, calibration, labels, dark=dark, settings=said))


SCALES = ("integration_ms", "filter_transmission")
BANDS = ("laser_band_nm", "emission_band_nm")


def _recording(held: Held, names: Sequence[str]) -> dict:
    return {name: held.row.settings[name] for name in names if name in held.row.settings}


def _yield_of(held: Held, runs: Mapping, calibration, labels, **recorded) -> SphereYield:
    """The yield of one set of runs, its bands as the row says, or the head of a file."""
    bands = {name: limits for run in runs.values() for name, limits in run.bands.items()}
    bands |= _recording(held, BANDS)
    return sphere_yield(
        runs, calibration, laser_drift=_set(held, "laser_drift"), **recorded, **bands, **labels
    )


def _pair(held: Held, found: SphereYield):
    plqy = _outside(found.plqy, _taken_back(held))
    return (plqy, found.absorptance), found, found.raw, found.runs


def _taken_back(held: Held) -> tuple[float, float] | None:
    """Share of the emission that the sample takes back inside the sphere, and its error."""
    share = _set(held, "self_absorption")
    if share is None:
        return None
    error = _set(held, "self_absorption_error")
    if error is None:
        raise ValueError(
            "self_absorption: fill in the column self_absorption_error beside it (0 if it is known)"
        )
    return share, error


def _outside(plqy: Quantity, taken_back: tuple[float, float] | None) -> Quantity:
    """The yield without self-absorption, by `quantum_yield`'s relation."""
    if taken_back is None or plqy.value is None:
        return plqy
    value, slope, error = unabsorbed(plqy.value, *taken_back)
    budget = {cause: abs(slope) * e for cause, e in plqy.budget.items()}
    return replace(plqy, value=float(value), budget={**budget, "self-absorption": float(error)})


def _of_table(holdings, held: Held, calibration, labels):
    """The sets of a table, each as runs of rows are."""
    dark = holdings.companion(held.row, "dark")
    found = [
        _yield_of(held, one.runs, calibration, labels,
                  dark=dict.fromkeys(one.runs, dark.data) if dark else {},
                  settings=dict.fromkeys(one.runs, _recording(held, SCALES)))
        for one in held.data
    ]  # fmt: skip
    if len(found) == 1:
        return _pair(held, found[0])
    made = []
    for one, of in zip(found, held.data, strict=True):
        at = "" if of.parameter is None else f" at {of.parameter:g} {of.parameter_unit}"
        made += [replace(q, name=q.name + at) for q in _pair(held, one)[0]]
    return tuple(made), along(found, calibration, _taken_back(held)), held.data, held.data


# ---- lifetimes -----------------------------------------------------------------------------------

WITHHELD_Z = 20.0  #: misfit beyond which a law's lifetimes mean nothing
#: Counts below which a decay does not tell its law from scattered light in the response's shape:
#: of 95 % intervals on 100 counts, a fifth of them scatter, 88 % hold the truth.
FEW = 300


NARROW = 0.3  #: width of a curve, relative to the next, below which it may be a response


def unnamed_response(decays: Mapping[str, Decay]) -> str:
    """A sentence where one of the decays of a file looks like a response nobody has named; or "".

    Parameters
    ----------
    decays : mapping of str to Decay
        Of one file without a response, by part.

    Returns
    -------
    str
    """
    widths = []
    for part, decay in decays.items():
        light = np.maximum(decay.counts - np.median(decay.counts), 0.0)
        if light.any():
            widths.append((float(light.sum() ** 2 / (light**2).sum()) * decay.bin_ns, part))
    first, second = (*sorted(widths), (0.0, ""), (0.0, ""))[:2]
    if not first[0] < NARROW * second[0]:
        return ""
    return (
        f"{first[1]!r} is {first[0]:.2g} ns wide, the next {second[0]:.2g}: if it is the response "
        "of this file, write irf into the column role of its row; no name says so, and it was "
        "taken as a decay"
    )


def lifetime(holdings: Holdings, members: Sequence[Held], settings: Mapping, labels) -> Result:
    """Mean lifetimes of the law that the counts prefer, and its own lifetimes.

    Parameters
    ----------
    holdings : Holdings
        Where the response (role irf) is looked for.
    members : sequence of Held
        One decay.
    settings : mapping
        `SETTINGS` of `analyse`; `laws` and `lifetime_error` count here.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        In ns; fits by law.

    Raises
    ------
    ValueError
        As `fit_decays`.
    """
    held = members[0]
    decay = held.data
    other = holdings.companion(held.row, "irf")
    options = {
        "period_ns": decay.period_ns, "cycles": decay.cycles, "background": decay.background,
        "sigma": decay.sigma,
    }  # fmt: skip
    if other is not None:
        seen = other.data
        counts = response_counts(seen.counts, seen.sigma)
        response = prepare_response(seen.time_ns, counts, decay.bin_ns, decay.period_ns)
        options["response"] = response
    else:
        pulse = unseen_pulse(decay.time_ns, decay.counts)
        options |= _from_pulse(pulse)
    fits = fit_decays(decay.time_ns, decay.counts, settings["laws"], **options)
    best = preferred(fits)
    findings = [Finding("assumed", "doubtful", f"{name} is stated nowhere; fill in that column")
                for name in decay.asks]  # fmt: skip
    if best.gain != 1:
        said = f"numbers are no raw counts: divided by {best.gain:.3g}, their variance over mean"
        said += ", by the column of errors" if decay.sigma is not None else ""
        findings.append(Finding("assumed", "reported", said))
    findings += [Finding("determined", "withheld", f"{best.law}: {p}") for p in best.problems]
    if other is not None and response.counts is None:
        said = "the response is narrower than two bins: taken as a Gaussian, its width fitted"
        findings.append(Finding("assumed", "reported", said))
    if other is not None and best.counts.sum() < FEW:
        said = f"{best.counts.sum():.0f} counts: {FEW} are needed to tell scattered light apart"
        findings.append(Finding("determined", "withheld", said))
    light = float(np.sum(best.model - best.model.min()))
    noise = float(np.sqrt(best.counts.sum()))
    if best.goodness_z > WITHHELD_Z:
        said = no_law("counts", best.law, best.goodness_z)
        findings.append(Finding("described", "withheld", said))
    # What the law leaves beyond noise, as if it were noise: errors grow with it.
    grown = np.sqrt(max(best.deviance / best.expected_deviance, 1.0))
    gates = (signal(light, noise, "the light of the decay"), described(best.goodness_z))
    made = {}
    for which in ("amplitude-weighted", "intensity-weighted"):
        mean = mean_lifetime(fits, which)
        budget = {"counting": mean.statistical_ns, "law": mean.model_ns}
        made[f"lifetime, {which}"] = mean.value_ns, budget
    for k, (name, (tau, error)) in enumerate(_lifetimes(best).items()):
        others = [
            abs(fit.lifetimes_ns[k] - tau) for fit in fits.values()
            if fit.law in (f"{best.law}{WITH_SCATTER}", best.law.removesuffix(WITH_SCATTER))
            and fit.deviance < best.deviance + AS_WELL
        ]  # fmt: skip
        made[name] = tau, {"counting": error, "law": max(others, default=0.0)}
    if other is None:
        findings.append(_add_unseen(made, decay, best, pulse, options))
    findings += _add_unstated(made, decay, best, options)
    quantities = []
    for name, (value, budget) in made.items():
        relative = float(np.linalg.norm([*budget.values()]) / value) if value > 0 else np.inf
        found = list(findings)
        if not relative < settings["lifetime_error"]:
            said = f"known to {relative:.0%} only" if relative < 99 else "not known at all"
            said += f", {settings['lifetime_error']:.0%} allowed"
            found.append(Finding("determined", "withheld", said))
        budget = {k: float(v * grown) for k, v in budget.items() if v > 0}
        q = Quantity(name, value=float(value), budget=budget, unit="ns", note=best.law,
                     findings=tuple(found), **labels)  # fmt: skip
        quantities.append(judge(q, *gates))
    irf = None if other is None else (other.data.time_ns, other.data.counts)
    return Result(held.row.label, labels["state"], tuple(quantities), (decay, irf), None, fits, (),
                  _set(held, "excitation_nm"))  # fmt: skip


def _lifetimes(fit: DecayFit) -> dict[str, tuple[float, float]]:
    """Lifetimes of a law with their errors, by name."""
    pairs = zip(fit.lifetimes_ns.tolist(), fit.lifetime_errors_ns.tolist(), strict=True)
    count = len(fit.lifetimes_ns)
    if count == 1:
        return {f"lifetime, {fit.law}": next(pairs)}
    return {f"lifetime {k} of {count}": pair for k, pair in enumerate(pairs, start=1)}


def _from_pulse(pulse: Pulse, later: float = 0.0, begin: float = 0.0) -> dict:
    """Options of `fit_decays` for a pulse as short as a bin, by so many ns later, and for a window
    that begins so many later.
    """
    window = pulse.over_ns + begin, np.inf
    response = Response(pulse.start_ns + later)
    return {"response": response, "fit_shift": False, "window_ns": window}


def _add(made: dict, decay: Decay, best: DecayFit, options: dict, cause: str, share=1.0) -> None:
    """Add to the budgets `made` a share of what the law gives otherwise by these options, beyond
    what fewer counts do.
    """
    try:
        fits = fit_decays(decay.time_ns, decay.counts, (best.asked,), **options)
    except ValueError:  # too few counts are left
        return
    fit = fits.get(best.law) or preferred(fits)
    pairs = [*fit.mean_ns.values(), *_lifetimes(fit).values()]
    for (known, budget), (value, error) in zip(made.values(), pairs, strict=True):
        fewer = max(np.nan_to_num(error) ** 2 - budget["counting"] ** 2, 0.0)
        budget[cause] = share * float(np.sqrt(max((value - known) ** 2 - fewer, 0.0)))


#: Counts per pulse that are taken for possible where pulses are not stated: the rule of thumb
#: (W. Becker, Advanced Time-Correlated Single Photon Counting Techniques (2005),
#: doi:10.1007/3-540-28882-1).
PILE_UP = 0.05


def _add_unstated(made: dict, decay: Decay, best: DecayFit, options: dict) -> list[Finding]:
    """Add to the budgets `made` what earlier pulses and pile-up may do where nobody states them.

    Pulses come no faster than the record is long: all of what that changes is the error. Of up to
    `PILE_UP` counts a pulse, each as likely, the standard deviation is.
    """
    since = decay.time_ns[-1] + decay.bin_ns - decay.time_ns[int(np.argmax(decay.counts))]
    left = np.exp(-since / best.lifetimes_ns.max())
    found = []
    if decay.period_ns is None and left**2 * best.counts.sum() > 1:
        span = decay.bin_ns * decay.counts.size
        _add(made, decay, best, options | {"period_ns": span}, "earlier pulses")
        said = f"repetition_MHz is stated nowhere: {left:.1%} of the longest lifetime is left at "
        said += "the end of the record, and as much may be there of earlier pulses; fill it in"
        found.append(Finding("assumed", "doubtful", said))
    if decay.cycles is None and best.gain == 1:
        cycles = best.counts.sum() / PILE_UP
        _add(made, decay, best, options | {"cycles": cycles}, "pile-up", 3**-0.5)
        said = f"pulses are stated nowhere: up to {PILE_UP:.0%} of them may have given a count"
        found.append(Finding("assumed", "reported", said))
    return found


def _add_unseen(made: dict, decay: Decay, best: DecayFit, pulse: Pulse, options: dict) -> Finding:
    """Add to the budgets `made` what a response that was not recorded may do; what is assumed of
    it.

    Means and stretched laws hang on when the pulse came. What its tail does to lifetimes is how
    they change when the window begins later, beyond what fewer counts do.
    """
    simple = best.asked == "1"
    if not pulse.error_ns > 0:
        said = "no response, and the record begins after its rise: means count from its first bin"
        return Finding("assumed", "reported" if simple else "doubtful", said)
    rise = pulse.over_ns - pulse.start_ns
    later, shorter = _from_pulse(pulse, later=pulse.error_ns), _from_pulse(pulse, begin=rise)
    _add(made, decay, best, options | later, "pulse")
    _add(made, decay, best, options | shorter, "tail of the pulse")
    said = f"no response: the pulse is placed where counts have risen by half, {pulse.start_ns:.4g}"
    said += f" ns, and fitted from {pulse.over_ns:.4g} ns on"
    if not simple:
        said += "; what a longer tail of the pulse adds is in no error"
    return Finding("assumed", "reported" if simple else "doubtful", said)


# ---- series in time ------------------------------------------------------------------------------

#: Part of a red share that the shape of the bands may be, for their misfit to be no doubt.
SHAPE = 0.2


PART_LEFT = 0.5  #: of a change, that an account leaves, above which that is not it
SPECTRA = 4  #: least number of a series in time


def _grown(ready: Signal, low: float, high: float) -> tuple[float, float]:
    """A window with what grows to the red of it, however faint beside the band.

    Compared are the means of the last and the first quarter of a series, brought to one brightness
    within the window and to no difference in the middle of what is beyond; means over a tenth of
    the window that rise beyond noise widen it by as far as they reach, and a fifth.
    """
    x, values = ready.axis, ready.values[ready.used]
    count = max(1, len(values) // 4)
    early, late = np.nanmean(values[:count], axis=0), np.nanmean(values[-count:], axis=0)
    inside, beyond = (x >= low) & (x <= high), x > high
    size = max(np.count_nonzero(inside) // 10, 3)
    if np.count_nonzero(beyond) < 4 * size:
        return low, high
    ratio = np.sum(late[inside]) / np.sum(early[inside])
    more = late - ratio * early
    more -= np.median(more[beyond])
    means = np.convolve(more[beyond], np.full(size, 1 / size), "same")
    noise = 1.4826 * np.median(np.abs(np.diff(more[beyond]))) / np.sqrt(2 * size)
    lit = np.flatnonzero(means > threshold(means.size / size) * noise)
    if not lit.size:
        return low, high
    return low, min(float(x[-1]), float(x[beyond][lit[-1]]) + 0.2 * (high - low))


def segregation(holdings: Holdings, members: Sequence[Held], settings: Mapping, labels) -> Result:
    """Red share and centroid of a series, conditioned before it is followed.

    Parameters
    ----------
    holdings : Holdings
        Where the dark is looked for.
    members : sequence of Held
        One row of a series, or spectra that the sheet places in time.
    settings : mapping
        Not used: all that counts stands in the row.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        Per minute, nm per minute, s and fractions; no quantities of fewer than `SPECTRA`.

    Raises
    ------
    ConditioningError
        If the spectra have no times.
    ValueError
        If no band rises out of the noise.
    """
    held = members[0]
    raw: Signal = joined(members, "time_s" if held.data.at is None else "")
    if raw.at is None:
        raise ConditioningError(f"{held.row.label}: expected times for the spectra, found none")
    ready = _emitted(replace(held, data=raw), _companions(holdings, held, "dark"))
    window = _set(held, "emission_band_nm")
    late = partly_exposed(ready.values, ready.used)
    problems = []
    if late:
        problems.append(
            f"{late} first frames hold less light than the next by more than the series changes: "
            "the shutter opened within them; set aside"
        )
        ready = ready.without(np.arange(len(ready.values)) < late)
    problems += list(dict.fromkeys(
        f"{f.where}: {f.evidence}" for f in ready.findings if f.status == "withheld"
    ))  # fmt: skip
    used = ready.used
    if np.count_nonzero(used) < SPECTRA:
        problems.append(
            f"expected at least {SPECTRA} spectra with a band, found {np.count_nonzero(used)}"
        )
        return Result(held.row.label, labels["state"], (), raw, ready, None, tuple(problems),
                      _set(held, "excitation_nm"))  # fmt: skip
    window = window or _grown(ready, *_band(ready))
    values = ready.values[used]
    variance = detector_noise(*values).variance(values)
    lost = ~ready.good[used]  # rays and masks
    found = track(
        ready.axis, values, ready.at[used], variance=variance, lost=lost, window_nm=window
    )
    curves = scatter_findings(ready, window)[:1]
    # A band of another shape than the fit's leaves a part of what it does.
    if abs(found.left.z) > 2 * LEFT and found.left.share > PART_LEFT:
        where = HC_EV_NM / found.left.energy_eV
        said = f"what changes is not {found.account}: near {where:.0f} nm "
        said += f"{abs(found.left.z):.0f} times its noise is left of it"
        curves += (Finding("described", "withheld", said),)
    made = []
    for name, drift, unit, low, high in (
        ("red share, growth", found.growth, "1/min", -np.inf, np.inf),
        ("centroid, drift", found.drift_nm, "nm/min", -np.inf, np.inf),
    ):
        findings = [*curves, *(f for f in ready.findings if f.status != "withheld")]
        if name.startswith("red") and not found.segregates:
            said = f"the series is best described as: {found.account}; no red band is shown"
            findings.append(Finding("signal", "withheld", said))
        budget = {"scatter": drift.standard_error}
        if name.startswith("red") and found.by_shape.any():
            budget["line shape"] = abs(
                slope(found.time_s, found.by_shape, found.fraction_error).per_minute
            )
        q = Quantity(name, value=float(drift.per_minute), budget=budget,
                     unit=unit, note=found.account, findings=tuple(findings), **labels)  # fmt: skip
        made.append(judge(q, possible(low, high)))
    share, error = found.fraction[-1], found.fraction_error[-1]
    if found.segregates and np.isfinite(error) and error > 0:
        by_shape = float(np.hypot(found.by_shape[-1], found.by_shape_error[-1]))
        budget = {"fit": float(error), "line shape": by_shape}
        q = Quantity("red share at the end", value=float(share), unit="", note=found.account,
                     findings=curves, budget={k: v for k, v in budget.items() if v > 0},
                     **labels)  # fmt: skip
        # What the shape of the bands does to the share is in its error, where it is a small part.
        carried = 0 < budget["line shape"] < SHAPE * share and found.misfit < WITHHELD_Z
        gates = (possible(0, 1), *(() if carried else (described(found.misfit),)))
        made.append(judge(q, *gates))
    kinetics, dark = None, _set(held, "dark_from_s")
    if found.segregates:
        kinetics = fit_kinetics(
            found.time_s, found.fraction, found.fraction_error, dark_from_s=dark
        )
        for name, value, error in (
            ("red share, rise time", kinetics.rise_s, kinetics.rise_error_s),
            ("red share, recovery time", kinetics.recovery_s, kinetics.recovery_error_s),
        ):  # fmt: skip
            if np.isfinite(value):
                made.append(Quantity(name, value=float(value), budget={"fit": float(error)},
                                     unit="s", note=found.account, findings=curves,
                                     **labels))  # fmt: skip
    return Result(held.row.label, labels["state"], tuple(made), raw, ready, found, tuple(problems),
                  _set(held, "excitation_nm"), kinetics=kinetics, dark_from_s=dark)  # fmt: skip
