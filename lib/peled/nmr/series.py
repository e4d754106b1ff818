"""Lines followed through a series of spectra, from a table of resonances."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.formats.contract import reader
from peled.formats.delimited import read_records
from peled.nmr.lines import Component, Line, fit_lines, multiplet, shape_columns
from peled.nmr.processing import Processed
from peled.nmr.spins import fit_spin_system

STEP_PPM = 0.12  #: by which a line moves from one spectrum to the next, at most

RESONANCE_COLUMNS = (
    "ligand", "name", "shift_ppm", "couplings_Hz", "partners", "width_Hz", "reach_ppm",
)  # fmt: skip


@dataclass(frozen=True)
class Resonance:
    """A line of a ligand to follow: where it starts, its first-order pattern, how far around it is
    fitted.
    """

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

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Resonance

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
    """Resonances through a series: arrays of shape (spectra, resonances), NaN where a line was
    lost.
    """

    names: tuple[str, ...]
    ratio: np.ndarray
    shift_ppm: np.ndarray
    shift_error_ppm: np.ndarray
    width_Hz: np.ndarray
    width_error_Hz: np.ndarray
    area: np.ndarray
    area_error: np.ndarray

    def column(self, name: str) -> int:
        """Place of a resonance in the second axis of the arrays.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it was not followed.
        """
        return self.names.index(name)


def follow(
    spectra: Sequence[Processed],
    ratios: Sequence[float],
    resonances: Sequence[Resonance],
    *,
    reference_error_ppm: float = 0.001,
) -> Followed:
    """Fit resonances in every spectrum, each sought where its last places point.

    Lines whose windows meet are fitted together. A line is looked for within `step_ppm` of where it
    is expected by the pattern that correlates best with the spectrum there, and is lost when it
    does not stand out from the noise.

    Parameters
    ----------
    spectra : sequence of Processed
    ratios : sequence of float
        One a spectrum.
    resonances : sequence of Resonance
    reference_error_ppm : float
        Random error of referencing each spectrum; enters the shift errors.

    Returns
    -------
    Followed
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
        # The first step is the largest and has no history; later ones are expected where the last
        # step points.
        seek = [
            0.05
            if k == 0
            else STEP_PPM
            if k == 1
            else min(STEP_PPM, max(0.02, 0.7 * abs(d) + 0.01))
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
                    line.area > 5 * line.area_error and abs(line.position_ppm - guess[i]) < STEP_PPM
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
    """Where, and how wide, the pattern of a multiplet explains the spectrum best within `reach` of
    a shift.

    With a known area the squared residual under the pattern decides, so that a stronger neighbour
    does not attract it; without, the likeness (cosine) times the size.
    """
    offsets, weights = multiplet(couplings, partners)
    half = (np.abs(offsets).max() + 6 * width_Hz) / spectrum.reference_MHz
    try:
        part = spectrum.window(ppm - reach - half, ppm + reach + half)
    except ValueError:  # the spectrum does not reach there: the line will be lost
        return ppm, width_Hz
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
        if np.isfinite(area):
            # Explained share of what the pattern would bring; steps cost, so that neighbours are
            # not taken.
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
    """Geminal coupling of the beta protons of a spin system along a series: |2J| (Hz), its errors,
    the fits.

    Parameters
    ----------
    spectra : sequence of Processed
    system : dict
        `shifts_ppm`, `couplings_Hz` as [i, j, J], `window_ppm`; the coupling of spins 1 and 2 is
        fitted with their shifts and width, all others are held.

    Returns
    -------
    coupling_Hz, error_Hz : ndarray, shape (spectra,)
    fits : list of SpinFit
    """
    shifts, couplings = (
        np.array(system["shifts_ppm"], float),
        np.zeros((len(system["shifts_ppm"]),) * 2),
    )
    for i, j, value in system["couplings_Hz"]:
        couplings[i, j] = value
    fits, width = [], 1.5
    for spectrum in spectra:
        # Strongly coupled patterns have false minima in J: start again from other couplings when
        # the fit is poor.
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
