"""The zero of the shift axis, from a line of known shift, with its error."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from peled.formats import FormatError
from peled.nmr.lines import Component, LineFit, fit_lines, pick_peaks
from peled.nmr.processing import Processed


@dataclass(frozen=True)
class Standard:
    """A line of known shift: residual solvent, internal or external standard."""

    name: str
    nucleus: str
    shift_ppm: float
    error_ppm: float
    partners: int
    coupling_Hz: float
    source: str


@dataclass(frozen=True)
class Referenced:
    """A spectrum with its axis moved, by how much, and how sure that is."""

    spectrum: Processed
    standard: Standard
    moved_ppm: float
    error_ppm: float
    fit: LineFit


def read_standards(path) -> dict[str, Standard]:
    """The table of standards (`name, nucleus, shift_ppm, error_ppm, partners, coupling_Hz, source`).

    Raises
    ------
    FormatError
        Naming line and column.
    """
    path = Path(path)
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        found = {}
        for row in reader:
            try:
                found[row["name"]] = Standard(
                    row["name"],
                    row["nucleus"],
                    float(row["shift_ppm"]),
                    float(row["error_ppm"]),
                    int(row["partners"]),
                    float(row["coupling_Hz"]),
                    row["source"],
                )
            except (KeyError, TypeError, ValueError) as error:
                raise FormatError(
                    path,
                    place=f"line {reader.line_num}",
                    expected="name, nucleus, shift_ppm, error_ppm, partners, coupling_Hz, source",
                    found=repr(error),
                ) from None
    return found


def reference(
    processed: Processed, standard: Standard, *, search_ppm: float = 0.3, width_Hz: float = 1.5
) -> Referenced:
    """Find the line of a standard near where it should be and move the axis so that it is there.

    Residual CHD2 signals are fitted as the 1:2:3:2:1 quintet that one deuteron pair makes: as two couplings to a
    spin 1 each, here a first-order pattern of `partners` spin-1/2 with the coupling stated (4 partners give 1:4:6:4:1,
    which shares the centre; only the centre is used).

    Raises
    ------
    ValueError
        If no line stands out within `search_ppm`, or the nucleus is another.
    """
    if processed.nucleus and standard.nucleus != processed.nucleus:
        raise ValueError(
            f"{standard.name}: a standard for {standard.nucleus}, the spectrum is {processed.nucleus}"
        )
    low, high = standard.shift_ppm - search_ppm, standard.shift_ppm + search_ppm
    peaks = pick_peaks(processed, threshold=8.0, window_ppm=(low, high))
    if not len(peaks.ppm):
        raise ValueError(
            f"{standard.name}: expected a line within {search_ppm:g} ppm of {standard.shift_ppm:g} ppm, found none above eight times the noise"
        )
    place = float(peaks.ppm[peaks.height.argmax()])
    half = (
        4 * standard.coupling_Hz * max(standard.partners, 1)
        + 12 * (width_Hz + processed.line_broadening_Hz)
    ) / processed.reference_MHz
    couplings, partners = (
        ((standard.coupling_Hz,), (standard.partners,)) if standard.partners else ((), ())
    )
    fit = fit_lines(
        processed,
        (place - half, place + half),
        [
            Component(
                "standard",
                place,
                width_Hz,
                couplings_Hz=couplings,
                partners=partners,
                fixed=("couplings",),
            )
        ],
    )
    line = fit["standard"]
    moved = standard.shift_ppm - line.position_ppm
    error = (line.position_error_ppm**2 + standard.error_ppm**2) ** 0.5
    return Referenced(
        replace(
            processed.shifted(moved),
            notes=(
                *processed.notes,
                f"referenced to {standard.name} at {standard.shift_ppm:g} ppm, moved by {moved:+.4f} ppm",
            ),
        ),
        standard,
        moved,
        error,
        fit,
    )
