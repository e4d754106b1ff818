"""The experiments of a study, and lines followed through a series of spectra."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import read_records
from peled.formats.nmr import Fid, GYROMAGNETIC_MHz_T, PeakTable, read  # noqa: F401  (the constants are part of the notebook's desk)
from peled.nmr.lines import Component, Line, fit_lines, multiplet, shape_columns
from peled.nmr.processing import Processed, autophase, from_spectrum, process
from peled.nmr.referencing import Solvents, Standard, first_standard, reference
from peled.nmr.spins import fit_spin_system

COLUMNS = ("folder", "experiment", "sample", "solvent", "ligand_mM", "PbI2_mM")
RESONANCE_COLUMNS = (
    "ligand", "name", "shift_ppm", "couplings_Hz", "partners", "width_Hz", "reach_ppm",
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """One row of `experiments.csv`: where the file is and what was measured."""

    path: Path
    experiment: str
    sample: str
    solvent: str
    ligand_mM: float
    lead_mM: float

    @property
    def ratio(self) -> float:
        """Lead iodide per ligand."""
        return self.lead_mM / self.ligand_mM if self.ligand_mM else 0.0


@reader("a list of experiments")
def read_experiments(path: str | os.PathLike) -> list[Experiment]:
    """The list of experiments; folders are relative to the list.

    Raises
    ------
    FormatError
        Naming line and column, or a folder that is not there.
    """
    found = []
    for row in read_records(path, COLUMNS)[0]:
        place = Path(path).parent / row["folder"]
        if not place.exists():
            raise row.refuse("folder", "an existing file or folder", "correct the name")
        amounts = (row.number(name, 0.0) for name in ("ligand_mM", "PbI2_mM"))
        found.append(Experiment(place, row["experiment"], row["sample"], row["solvent"], *amounts))
    return found


def load(
    experiment: Experiment | Path,
    *,
    line_broadening_Hz: float,
    p1_deg: float | None = None,
    phase_window_ppm=None,
    standard: Standard | None = None,
    trace: int = 0,
    strict: bool = False,
) -> Processed:
    """Read, process and reference one experiment; a spectrum that came processed is taken as it is.

    A spectrum that cannot be phased keeps the best phase found and says so in its notes (with `strict`, it is refused).
    """
    path = experiment.path if isinstance(experiment, Experiment) else Path(experiment)
    content = read(path)
    if isinstance(content, PeakTable):
        raise FormatError(path, expected="a spectrum or FID", found="a peak table")
    if isinstance(content, Fid):
        found = process(
            content,
            trace=trace,
            line_broadening_Hz=line_broadening_Hz,
            phase="auto",
            p1_deg=p1_deg,
            phase_window_ppm=phase_window_ppm,
            strict=strict,
        )
        if not found.phase.accepted:
            found = replace(
                found,
                notes=(
                    *found.notes,
                    f"phase uncertain: lines scatter by {found.phase.spread_deg:.0f}°",
                ),
            )
    else:
        found = from_spectrum(content)
    return reference(found, standard).spectrum if standard is not None else found


def receiver_p1(fid: Fid, *, line_broadening_Hz: float = 0.5) -> float:
    """First-order phase of a receiver from a spectrum of sharp, well separated lines (degrees over the sweep).

    It comes from the dead time, which all spectra of one setup share.
    """
    return autophase(process(fid, line_broadening_Hz=line_broadening_Hz)).p1_deg


@dataclass(frozen=True)
class Resonance:
    """A line of a ligand to follow: where it starts, its first-order pattern, how far around it is fitted."""

    ligand: str
    name: str
    shift_ppm: float
    couplings_Hz: tuple[float, ...]
    partners: tuple[int, ...]
    width_Hz: float
    reach_ppm: float


@reader("a table of resonances")
def read_resonances(path: str | os.PathLike) -> list[Resonance]:
    """The table of resonances (columns `RESONANCE_COLUMNS`; lists by semicolons).

    Raises
    ------
    FormatError
        Naming the line.
    """
    found = []
    for row in read_records(path, RESONANCE_COLUMNS)[0]:
        couplings, partners = row.numbers("couplings_Hz"), row.numbers("partners")
        if len(couplings) != len(partners) or any(n % 1 for n in partners):
            raise row.refuse("partners", f"{len(couplings)} whole numbers, one a coupling")
        names, shift = (row["ligand"], row["name"]), row.number("shift_ppm")
        extent = row.number("width_Hz"), row.number("reach_ppm")
        found.append(Resonance(*names, shift, couplings, tuple(map(int, partners)), *extent))
    return found


@dataclass(frozen=True)
class Followed:
    """Resonances through a series: arrays of shape (spectra, resonances), NaN where a line was lost."""

    names: tuple[str, ...]
    ratio: np.ndarray
    shift_ppm: np.ndarray
    shift_error_ppm: np.ndarray
    width_Hz: np.ndarray
    width_error_Hz: np.ndarray
    area: np.ndarray
    area_error: np.ndarray

    def column(self, name: str) -> int:
        return self.names.index(name)


def follow(
    spectra: Sequence[Processed],
    ratios: Sequence[float],
    resonances: Sequence[Resonance],
    *,
    reference_error_ppm: float = 0.001,
    step_ppm: float = 0.12,
) -> Followed:
    """Fit resonances in every spectrum, each sought where its last places point.

    Lines whose windows meet are fitted together. A line is looked for within `step_ppm` of where it is expected by the
    pattern that correlates best with the spectrum there, and is lost when it does not stand out from the noise.

    Parameters
    ----------
    reference_error_ppm : float
        Random error of referencing each spectrum; enters the shift errors.
    """
    count = len(resonances)
    table = {
        key: np.full((len(spectra), count), np.nan)
        for key in ("shift", "shift_error", "width", "width_error", "area", "area_error")
    }
    place = np.array([r.shift_ppm for r in resonances])
    drift, width, area = (
        np.zeros(count),
        np.array([r.width_Hz for r in resonances]),
        np.full(count, np.nan),
    )
    couplings = [r.couplings_Hz for r in resonances]
    for k, spectrum in enumerate(spectra):
        # The first step is the largest and has no history; later ones are expected where the last step points.
        seek = [
            0.05
            if k == 0
            else step_ppm
            if k == 1
            else min(step_ppm, max(0.02, 0.7 * abs(d) + 0.01))
            for d in drift
        ]
        sought = np.array(
            [
                _pattern(spectrum, p, c, r.partners, w, reach, a)
                for p, c, r, w, reach, a in zip(
                    place + drift, couplings, resonances, width, seek, area, strict=True
                )
            ]
        )
        guess, start = sought[:, 0], sought[:, 1]
        # A broad line needs a wide window; neighbours whose windows meet are fitted together.
        reach = [
            max(
                r.reach_ppm,
                (np.abs(multiplet(c, r.partners)[0]).max() + 5 * w) / spectrum.reference_MHz,
            )
            for r, c, w in zip(resonances, couplings, start, strict=True)
        ]
        for group in _groups(guess, reach):
            low, high = (
                min(guess[i] - reach[i] for i in group),
                max(guess[i] + reach[i] for i in group),
            )
            components = [
                Component(
                    resonances[i].name,
                    guess[i],
                    max(start[i], 0.5),
                    couplings_Hz=couplings[i],
                    partners=resonances[i].partners,
                )
                for i in group
            ]
            try:
                fit = fit_lines(spectrum, (low, high), components, baseline_order=1)
            except ValueError:
                continue
            for i, line in zip(group, fit.lines, strict=True):
                if not (
                    line.area > 5 * line.area_error and abs(line.position_ppm - guess[i]) < step_ppm
                ):
                    continue
                _keep(table, k, i, line, reference_error_ppm)
        found = np.isfinite(table["shift"][k])
        if k:
            moved = table["shift"][k] - place
            drift = np.where(found & np.isfinite(moved), moved * _next_step(ratios, k), 0.0)
        place = np.where(found, table["shift"][k], place)
        width = np.where(found, table["width"][k], width)
        area = np.where(found, table["area"][k], area)
    return Followed(
        tuple(r.name for r in resonances),
        np.asarray(ratios, float),
        table["shift"],
        table["shift_error"],
        table["width"],
        table["width_error"],
        table["area"],
        table["area_error"],
    )


def _keep(table, k: int, i: int, line: Line, reference_error_ppm: float) -> None:
    table["shift"][k, i], table["shift_error"][k, i] = (
        line.position_ppm,
        np.hypot(line.position_error_ppm, reference_error_ppm),
    )
    table["width"][k, i], table["width_error"][k, i] = line.width_Hz, line.width_error_Hz
    table["area"][k, i], table["area_error"][k, i] = line.area, line.area_error


def _next_step(ratios, k: int) -> float:
    """How far the next step of a saturating titration goes relative to the last."""
    if k + 1 >= len(ratios):
        return 0.0
    x = [r / (1 + r) for r in ratios]
    return float((x[k + 1] - x[k]) / (x[k] - x[k - 1])) if x[k] != x[k - 1] else 0.0


def _pattern(
    spectrum: Processed, ppm: float, couplings, partners, width_Hz: float, reach: float, area: float
) -> tuple[float, float]:
    """Where, and how wide, the pattern of a multiplet explains the spectrum best within `reach` of a shift.

    With a known area the squared residual under the pattern decides, so that a stronger neighbour does not attract it;
    without, the likeness (cosine) times the size.
    """
    offsets, weights = multiplet(couplings, partners)
    half = (np.abs(offsets).max() + 6 * width_Hz) / spectrum.reference_MHz
    part = spectrum.window(ppm - reach - half, ppm + reach + half)
    axis, y = spectrum.ppm[part], spectrum.real[part] - np.quantile(spectrum.real[part], 0.1)
    lag = axis - axis[len(axis) // 2] + axis.mean()
    inside = np.abs(lag - ppm) <= reach
    best = (-np.inf, ppm, width_Hz)
    for broader in (1.0, 2.5, 6.0):
        template = (
            shape_columns(
                spectrum, axis, axis.mean() + offsets / spectrum.reference_MHz, width_Hz * broader
            )
            @ weights
        )
        overlap = np.correlate(y, template, mode="same")
        support = (
            np.abs(axis - axis.mean())
            <= (np.abs(offsets).max() + 2 * width_Hz * broader) / spectrum.reference_MHz
        ).astype(float)
        power = np.correlate(y**2, support, mode="same")
        norm = float(template @ template)
        if np.isfinite(
            area
        ):  # explained share of what the pattern would bring; steps cost, so that neighbours are not taken
            score = (2 * area * overlap - power) / (area**2 * norm) - 0.5 * (
                (lag - ppm) / reach
            ) ** 2
        else:
            score = np.maximum(overlap, 0) ** 2 / np.sqrt(np.maximum(power, 1e-300) * norm)
        if inside.any() and score[inside].max() > best[0]:
            best = (
                score[inside].max(),
                float(lag[inside][np.argmax(score[inside])]),
                width_Hz * broader,
            )
    return best[1], best[2]


def _groups(place: np.ndarray, reach: Sequence[float]) -> list[list[int]]:
    order = np.argsort(place)
    groups: list[list[int]] = []
    for i in order:
        if groups and place[i] - reach[i] < place[groups[-1][-1]] + reach[groups[-1][-1]]:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    return groups


def follow_geminal(
    spectra: Sequence[Processed], system: dict
) -> tuple[np.ndarray, np.ndarray, list]:
    """Geminal coupling of the beta protons of a spin system along a series: |2J| (Hz), its errors, the fits.

    Parameters
    ----------
    system : dict
        `shifts_ppm`, `couplings_Hz` as [i, j, J], `window_ppm`; the coupling of spins 1 and 2 is fitted with their shifts
        and width, all others are held.
    """
    shifts, couplings = (
        np.array(system["shifts_ppm"], float),
        np.zeros((len(system["shifts_ppm"]),) * 2),
    )
    for i, j, value in system["couplings_Hz"]:
        couplings[i, j] = value
    fits, width = [], 1.5
    for spectrum in spectra:
        # Strongly coupled patterns have false minima in J: start again from other couplings when the fit is poor.
        fit = None
        for factor in (1.0, 0.93, 0.86, 1.07):
            start = couplings.copy()
            start[1, 2] *= factor
            trial = fit_spin_system(
                spectrum,
                tuple(system["window_ppm"]),
                shifts,
                start,
                width_Hz=width,
                free_couplings=[(1, 2)],
            )
            fit = trial if fit is None or trial.misfit < fit.misfit else fit
            if fit.misfit < 5:
                break
        shifts, couplings, width = fit.shifts_ppm, fit.couplings_Hz, fit.width_Hz
        fits.append(fit)
    return (
        np.array([abs(f.couplings_Hz[1, 2]) for f in fits]),
        np.array([f.coupling_errors_Hz[1, 2] for f in fits]),
        fits,
    )


# ---- a whole study -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """All spectra of a list of experiments, processed and referenced.

    Attributes
    ----------
    spectra : dict
        (experiment, sample) -> list of (Experiment, Processed), by ratio.
    p1_deg : dict
        First-order phase of the receiver for each nucleus.
    shift_13c_ppm, shift_13c_error_ppm : float
        By how much the external standard moved the carbon axis, and the standard error of that; 0 and NaN without one.
    problems : tuple of str
    """

    spectra: dict
    p1_deg: dict
    shift_13c_ppm: float
    shift_13c_error_ppm: float
    problems: tuple[str, ...]

    def series(self, experiment: str, sample: str) -> list[tuple[Experiment, Processed]]:
        """Spectra of one sample in one kind of experiment; empty when there are none."""
        return self.spectra.get((experiment, sample), [])

    def one(self, experiment: str, sample: str, solvent: str = "") -> Processed | None:
        """The (first) spectrum of a sample, None when there is none."""
        return next((p for e, p in self.series(experiment, sample) if solvent in e.solvent), None)

    def paths(self, *experiments: str) -> list[Path]:
        """Files of these kinds of experiment."""
        return sorted(
            e.path
            for (kind, _), rows in self.spectra.items()
            if kind in experiments
            for e, _ in rows
        )


def load_study(
    experiments: Sequence[Experiment],
    standards: Mapping[tuple[str, str], Standard],
    solvents: Solvents,
    *,
    proton_broadening_Hz: float = 0.3,
    carbon_broadening_Hz: float = 20.0,
) -> Study:
    """Process and reference everything in a list of experiments.

    The first-order phase of each nucleus comes from its spectrum with the clearest phase. Solutions are referenced to their
    solvent, solids to the external standard (`13C standard`) where there is one.

    Raises
    ------
    FormatError
        From the readers.
    """
    contents = {e.path: read(e.path) for e in experiments}
    p1, problems = {}, []
    for nucleus, broadening in (("1H", 0.5), ("13C", carbon_broadening_Hz)):
        candidates = [
            e
            for e in experiments
            if isinstance(contents[e.path], Fid)
            and contents[e.path].nucleus == nucleus
            and len(contents[e.path].data) == 1
        ]
        standard = [e for e in candidates if e.experiment == f"{nucleus} standard"]
        phases = [
            autophase(process(contents[e.path], line_broadening_Hz=2.0 if standard else broadening))
            for e in standard or candidates
        ]
        good = [phase for phase in phases if phase.accepted]
        p1[nucleus] = min(good, key=lambda phase: phase.spread_deg).p1_deg if good else None
    found: dict = {}
    shift, error = 0.0, float("nan")
    for e in experiments:
        nucleus = getattr(contents[e.path], "nucleus", "") or (
            "13C" if e.experiment.startswith("13C") else "1H"
        )
        colloid = e.solvent.startswith("toluene")
        spectrum = load(
            e,
            line_broadening_Hz=carbon_broadening_Hz if nucleus == "13C" else proton_broadening_Hz,
            p1_deg=p1.get(nucleus),
            phase_window_ppm=(6.5, 7.5) if colloid else None,
        )
        if e.experiment == "13C standard":
            line = reference(
                load(e, line_broadening_Hz=2.0, p1_deg=p1.get(nucleus)),
                standards["adamantane CH2", "13C"],
                search_ppm=3.0,
                width_Hz=6.0,
            )
            shift, error = line.moved_ppm, line.error_ppm
        if e.solvent:
            known = solvents.standards(e.solvent, nucleus, standards)
            spectrum, _, trouble = first_standard(spectrum, known)
            problems += [f"{e.path.name}, {e.solvent}: {trouble}"] if trouble else []
        problems += [
            f"{e.path.name}: {note}"
            for note in spectrum.notes
            if note.startswith("phase uncertain")
        ]
        found.setdefault((e.experiment, e.sample), []).append((e, spectrum))
    for key, rows in found.items():
        rows.sort(key=lambda row: row[0].ratio)
        if key[0].startswith("13C"):
            rows[:] = [(e, s if e.solvent else s.shifted(shift)) for e, s in rows]
    return Study(found, p1, shift, error, tuple(problems))
