"""What lies in a folder of NMR experiments: what a file is, and a row as a spectrum."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from peled.formats import FormatError
from peled.formats.nmr import Fid, PeakTable, read
from peled.nmr.processing import Processed, from_spectrum, process
from peled.nmr.referencing import Solvents, Standard, first_standard
from peled.nmr.series import read_resonances
from peled.nmr.significance import Matched, matched_filter
from peled.quantities import FALSE_ALARM, Finding
from peled.samples import Content, Row

SERIES = ("contact", "relaxation", "dosy")
SPECTRA = ("1h", "13c", "13c_cpmas", "exchange")
SOLIDS = ("13c_cpmas", "contact")  #: their lock solvent, if the file names one, says nothing


def sniff(path: Path) -> Content | None:
    """What a file or a folder of an experiment holds, from its content alone.

    Nucleus and pulse programme say what was measured; several traces with a list of times are a
    series.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        None for a table of peaks.

    Raises
    ------
    FormatError
        For a single spectrum of another nucleus than 1H and 13C.
    """
    content = read(path)
    if isinstance(content, PeakTable):
        return None
    programme = str(content.parameters.get("PULPROG", "")).lower()
    if isinstance(content, Fid) and len(content.data) > 1:
        if any(word in programme for word in ("ste", "led", "dosy", "diff")):
            return Content("dosy")
        return Content("contact" if _is_contact(content, programme) else "relaxation")
    if content.nucleus == "13C":
        return Content("13c_cpmas" if "cp" in programme else "13c")
    if content.nucleus == "1H":
        return Content("1h")
    raise FormatError(
        path, expected="a spectrum of 1H or 13C", found=content.nucleus or "no nucleus stated",
        advice="other nuclei have no shifts here; where the file is wrong, name the measurement in "
        "the sample sheet",
    )  # fmt: skip


#: Longest contact that probes stand, s: what is varied over longer is a delay.
CONTACT_S = 0.1


def _is_contact(content: Fid, programme: str) -> bool:
    """Whether the contact of a cross polarisation is varied, no delay before or after it."""
    varied = content.delays_s is None or float(np.max(content.delays_s)) < CONTACT_S
    return varied and "cp" in programme and not re.search(r"cpmg|sat|inv|t1|t2|rec", programme)


def _experiment(path: Path, row: Row) -> Any:
    content = read(path)
    if isinstance(content, PeakTable):
        raise FormatError(path, expected="a decay or a spectrum", found="a table of peaks")
    return content


def _lines(path: Path, row: Row) -> Any:
    return read_resonances(path) if path.suffix.lower() == ".csv" else path


READERS = {name: _experiment for name in (*SERIES, *SPECTRA)}
READERS |= {"line_table": _lines, "shift_table": lambda path, row: path}


@dataclass(frozen=True)
class Seen:
    """One spectrum, processed and referenced.

    Attributes
    ----------
    scale_error_ppm : float or None
        Standard error of the zero of its axis; None where it is not referenced.
    matched : Matched
        What stands out of its noise.
    findings : tuple of Finding
        What speaks against all its numbers.
    scale : tuple of Finding
        What speaks against its shifts alone.
    solvent : tuple of Standard
        Lines that its solvent shows.
    """

    row: Row
    spectrum: Processed
    scale_error_ppm: float | None
    matched: Matched
    findings: tuple[Finding, ...]
    scale: tuple[Finding, ...]
    solvent: tuple[Standard, ...] = ()


def broadening(content: Any, settings: Mapping[str, Any], solid: bool) -> float:
    """Line broadening (Hz) of the window for this nucleus.

    Parameters
    ----------
    content : Fid or Spectrum
    settings : mapping
        Of the analysis.
    solid : bool
        Whether the sample is one; then the nucleus does not matter.

    Returns
    -------
    float
        Hz; that of 13C for every nucleus but 1H.
    """
    if solid:
        return settings["line_broadening_solid_Hz"]
    return settings[
        "line_broadening_1h_Hz" if content.nucleus == "1H" else "line_broadening_13c_Hz"
    ]


def spectrum_of(
    content: Any,
    broadening_Hz: float,
    trace: int = 0,
    phase: Any = "auto",
    p1_deg: float | None = None,
):
    """One trace as a spectrum; what came processed is taken as it is.

    Parameters
    ----------
    content : Fid or Spectrum
    broadening_Hz : float
        Exponential window of a decay.
    trace : int
    phase : "auto", (p0, p1) in degrees or None
    p1_deg : float, optional
        First-order phase that is known.

    Returns
    -------
    Processed
    """
    if not isinstance(content, Fid):
        return from_spectrum(content)
    options = {"line_broadening_Hz": broadening_Hz, "strict": False, "p1_deg": p1_deg}
    return process(content, trace=trace, phase=phase, **options)


def clipped(decays: np.ndarray) -> int:
    """Points of decays, shape (traces, points), at the ceiling of the converter; 0 for sound ones.

    A ceiling is a largest value, of either sign, that several points of a component share: more
    than lie 0.2 % below it, as the top of a slow line in its noise has none, and more than chance
    gives. Of n points anywhere in that range of m steps of the converter k fall onto one in
    C(n, k)/mᵏ⁻¹ of decays.

    Limits: a converter that overflows ahead of a digital filter leaves no ceiling in the decay that
    is stored; the filter rounds it off, and it counts as sound. So does a single point cut off.

    Parameters
    ----------
    decays : ndarray of complex, shape (traces, points) or (points,)

    Returns
    -------
    int
        Real and imaginary parts counted apart.
    """
    lost, decays = 0, np.atleast_2d(decays)
    for one in decays:
        for part in (np.abs(one.real), np.abs(one.imag)):
            values = np.unique(part)
            top = values[-1]
            at, near = np.count_nonzero(part == top), np.count_nonzero(part >= 0.998 * top)
            steps = max(0.002 * top / np.diff(values).min(initial=np.inf), 1.0)
            chance = math.comb(near, at) / steps ** (at - 1)
            lost += at if 2 * at > near and chance < FALSE_ALARM / (2 * len(decays)) else 0
    return lost


#: Share of the signal below the baseline that a spectrum in phase may have: 0.02 at most in a score
#: of spectra as their vendors' programs wrote them, 0.42 in one that nobody had phased.
UPRIGHT = 0.05


def below(spectrum: Processed) -> float:
    """Share of a spectrum's signal that lies below its baseline, five times its noise and more.

    Parameters
    ----------
    spectrum : Processed

    Returns
    -------
    float
        0 without signal.
    """
    y = spectrum.real - np.median(spectrum.real)
    y = y[np.abs(y) > 5 * spectrum.noise_sd]
    whole = float(np.abs(y).sum())
    return float(-y[y < 0].sum()) / whole if whole else 0.0


def receiver(content: Any) -> tuple | None:
    """What spectra must share to share the first-order phase; None for what came processed.

    Parameters
    ----------
    content : Fid or Spectrum

    Returns
    -------
    tuple or None
        Nucleus, carrier (whole ppm), spectral width (Hz), group delay (points).
    """
    if not isinstance(content, Fid):
        return None
    where = round(content.carrier_ppm), round(content.spectral_width_Hz, 3)
    return content.nucleus, *where, round(content.group_delay, 3)


def see(
    row: Row,
    content: Any,
    spectrum: Processed,
    standards: Mapping[tuple[str, str], Standard],
    solvents: Solvents,
    external: tuple[float, float] | None,
    false_alarm: float,
) -> Seen:
    """Reference a spectrum and look for what stands out of its noise.

    The scale comes from the column reference_ppm, else from a line of the solvent (sheet before
    file), else from the external standard (its move and error, ppm).

    Parameters
    ----------
    row : peled.samples.Row
    content : Fid or Spectrum
    spectrum : Processed
        Of it, on the scale of the instrument.
    standards, solvents
        As of `read_standards` and `read_solvents`.
    external : (float, float), optional
        Move of the scale by an external standard and its error, ppm.
    false_alarm : float
        Chance that noise makes a line anywhere.

    Returns
    -------
    Seen
    """
    where, nucleus, solid = row.label, spectrum.nucleus, row.measurement in SOLIDS
    solvent = str(row.settings.get("solvent") or ("" if solid else content.solvent))
    lines = solvents.standards(solvent, nucleus, standards) if solvent else []
    known = lines
    if shift := row.settings.get("reference_ppm"):
        known = [Standard("reference_ppm", nucleus, float(shift), 0.0, 0, 0.0, "the sample sheet")]
    findings, scale, error = [], [], None
    trouble = f"{solvent}: not referenced: no standard is known for it"
    if known:
        spectrum, error, trouble = first_standard(spectrum, known)
        trouble = trouble and f"{solvent or 'reference_ppm'}: {trouble}"
    elif solvents.find(solvent) and nucleus != "1H":
        trouble = (
            f"{solvent} has no line of {nucleus} in the table: the scale is the instrument's; add "
            "a 1H spectrum of the same sample, or fill in reference_ppm"
        )
    elif not solvent:
        said = "no row with the role standard" if solid else "solvent is stated nowhere"
        trouble = f"{said}: the scale is the instrument's; fill in that column"
    if error is None and external is not None:
        spectrum, error, trouble = spectrum.shifted(external[0]), external[1], ""
    if error is None and isinstance(content, Fid) and not content.referenced:
        said = (
            "the file has no frequency at 0 ppm: places from its carrier are no shifts; reference "
            "it in the program of the spectrometer and export it again"
        )
        scale.append(Finding("assumed", "withheld", said, where))
    elif trouble:
        scale.append(Finding("assumed", "doubtful", trouble, where))
    if isinstance(content, Fid) and (lost := clipped(content.data)):
        said = f"{lost} points of the decay at its ceiling: lines that are none may stand there"
        findings.append(Finding("undamaged", "doubtful", said, where))
    phase = spectrum.phase
    if isinstance(content, Fid) and not phase.accepted:
        said = f"phase and baseline cannot be told apart: lines scatter by {phase.spread_deg:.0f}°"
        findings.append(Finding("determined", "doubtful", said, where))
    if not isinstance(content, Fid) and (share := below(spectrum)) > UPRIGHT:
        said = f"{share:.0%} of the signal lies below the baseline: the phase was not set"
        findings.append(Finding("described", "doubtful", said, where))
    if row.doubt:
        findings.append(Finding("assumed", "doubtful", row.doubt, where))
    matched = matched_filter(spectrum, false_alarm=false_alarm)
    said = tuple(findings), tuple(scale)
    return Seen(row, spectrum, error, matched, *said, tuple(lines))


def traces_of(content: Fid, broadening_Hz: float, p1_deg: float | None = None) -> list[Processed]:
    """All traces of a series, phased alike: as the one with the largest signal.

    Parameters
    ----------
    content : Fid
    broadening_Hz : float
    p1_deg : float, optional

    Returns
    -------
    list of Processed
        One a trace.
    """
    strongest = int(np.argmax((np.abs(content.data) ** 2).sum(axis=1)))
    phase = spectrum_of(content, broadening_Hz, strongest, p1_deg=p1_deg).phase
    turn = (phase.p0_deg, phase.p1_deg)
    made = [spectrum_of(content, broadening_Hz, i, turn) for i in range(len(content.data))]
    return [replace(one, phase=phase) for one in made]
