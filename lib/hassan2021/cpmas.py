"""13C CP-MAS of ligands on nanocrystals: the windows in which the paper sees its ligands, fitted
with their sidebands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.nmr.detection import Course, Limit, fit_build_up, limit_at
from peled.nmr.integrals import integrate
from peled.nmr.lines import Component, LineFit, fit_lines
from peled.nmr.processing import Processed
from peled.nmr.significance import there


@dataclass(frozen=True)
class Vinyl:
    """The C=C line with its first sidebands and the spinning rate they give; `there`: more than
    noise.
    """

    fit: LineFit
    position_ppm: float
    position_error_ppm: float
    area: float
    area_error: float
    sidebands: dict[int, tuple[float, float]]
    rate_Hz: float
    rate_error_Hz: float
    there: bool


def fit_vinyl(spectrum: Processed, mas_rate_Hz: float) -> Vinyl:
    """Fit the vinyl line, and both first-order sidebands at free places.

    The sidebands are fitted with the shape of the centre line; their distance measures the spinning
    rate.
    """
    shift_ppm = 130.0
    centre = fit_lines(
        spectrum,
        (shift_ppm - 14, shift_ppm + 14),
        [Component("C=C", _highest(spectrum, shift_ppm, 6), 40, 50, "voigt")],
    )
    line = centre["C=C"]
    step = mas_rate_Hz / spectrum.reference_MHz
    sidebands, places = {}, []
    for order in (-1, 1):
        place = line.position_ppm + order * step
        component = Component(
            f"order {order:+d}", place, line.width_Hz, line.gauss_Hz, "voigt", fixed=("width",)
        )
        try:
            side = fit_lines(spectrum, (place - 3.2, place + 3.2), [component]).lines[0]
        except ValueError:
            continue
        sidebands[order] = (side.area, side.area_error)
        if side.area > 5 * side.area_error and abs(side.position_ppm - place) < 1.0:
            places.append(
                (
                    order * (side.position_ppm - line.position_ppm) * spectrum.reference_MHz,
                    np.hypot(side.position_error_ppm, line.position_error_ppm)
                    * spectrum.reference_MHz,
                )
            )
    rate, error = float("nan"), float("inf")
    if places:
        values, errors = np.array(places).T
        rate, error = (
            float(np.average(values, weights=errors**-2)),
            float(np.sum(errors**-2) ** -0.5),
        )
    return Vinyl(
        centre,
        line.position_ppm,
        line.position_error_ppm,
        line.area,
        line.area_error,
        sidebands,
        rate,
        error,
        there(spectrum, line, (shift_ppm - 14, shift_ppm + 14)),
    )


def _highest(spectrum: Processed, ppm: float, reach: float) -> float:
    part = spectrum.window(ppm - reach, ppm + reach)
    return float(spectrum.ppm[part][np.argmax(spectrum.real[part])])


def fit_chain(spectrum: Processed) -> LineFit:
    """Chain carbons between 21 and 35 ppm, each a Voigt line."""
    starts = (
        ("w-1", 22.9),
        ("allyl", 27.3),
        ("chain", _highest(spectrum, 29.8, 1.2)),
        ("w-2", 32.1),
    )
    return fit_lines(
        spectrum, (20.0, 35.5), [Component(name, place, 45, 70, "voigt") for name, place in starts]
    )


def fit_oxidised(spectrum: Processed) -> LineFit:
    """What lies between 35.5 and 47 ppm: a line near 38, the broad carbon beside the ammonium
    group, the glycine alpha carbon.
    """
    components = [
        Component("near 38", 38.0, 130, 130, "gauss"),
        Component("C1 ammonium", 40.2, 330, 330, "gauss", fixed=("width",)),
        Component("Gly alpha", 43.6, 130, 130, "gauss"),
    ]
    return fit_lines(spectrum, (35.3, 48.0), components)


def evidence(
    spectrum: Processed,
    shifts_ppm: Sequence[float],
    width_Hz: float,
    window_ppm: tuple[float, float],
    *,
    sideband: tuple[float, float] | None = None,
    gauss_Hz: float = 0.0,
    others: Sequence[tuple[float, float]] = (),
) -> Limit:
    """Area of ligand lines in a window, the sideband (shift, width) that falls into it fitted
    beside them.
    """
    return limit_at(
        spectrum,
        shifts_ppm,
        width_Hz,
        window_ppm=window_ppm,
        nuisance=(*others, *((sideband,) if sideband else ())),
        baseline_order=1,
        gauss_Hz=gauss_Hz,
    )


@dataclass(frozen=True)
class Amount:
    """An area turned into mol per mol of oleyl chains, as measured and after correction for cross
    polarisation.
    """

    plain: float
    plain_error: float
    corrected: float
    corrected_error: float


def per_chain(
    area: float,
    area_error: float,
    carbons: int,
    vinyl: Vinyl,
    *,
    efficiency: tuple[float, float] = (1.0, 0.0),
    vinyl_efficiency: tuple[float, float] = (1.0, 0.0),
) -> Amount:
    """Moles of a ligand per mole of oleyl chains from its area and that of the two vinyl carbons
    with their sidebands.

    Parameters
    ----------
    efficiency, vinyl_efficiency : (value, error)
        Cross-polarisation efficiencies of the ligand's carbons and of the vinyl carbons at the
        contact time.
    """
    total = vinyl.area + sum(a for a, _ in vinyl.sidebands.values())
    total_error = np.sqrt(vinyl.area_error**2 + sum(e**2 for _, e in vinyl.sidebands.values()))
    plain = area / carbons / (total / 2)
    plain_error = (
        abs(plain) * np.hypot(area_error / area if area else 0.0, total_error / total)
        if area
        else area_error / carbons / (total / 2)
    )
    factor = vinyl_efficiency[0] / efficiency[0]
    relative = np.hypot(efficiency[1] / efficiency[0], vinyl_efficiency[1] / vinyl_efficiency[0])
    return Amount(
        float(plain),
        float(plain_error),
        float(plain * factor),
        float(np.hypot(plain_error * factor, plain * factor * relative)),
    )


def contact_series(
    spectra: Sequence[Processed], times_s: np.ndarray, window_ppm: tuple[float, float]
) -> Course:
    """Build-up of the signal of a window: integrals of each spectrum, fitted with their errors by
    noise and baseline.

    What the wings take is a share common to the whole series; it cancels in the times.
    """
    found = [integrate(s, [window_ppm], flank_ppm=3.0).regions[0] for s in spectra]
    return fit_build_up(
        np.asarray(times_s),
        np.array([r.area for r in found]),
        np.array([np.hypot(r.noise_error, r.baseline_error) for r in found]),
    )
