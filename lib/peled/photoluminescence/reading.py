"""What lies in a folder of photoluminescence: what a file is, and a row of the sheet as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from peled.conditioning import Signal
from peled.formats import FormatError, delimited
from peled.formats.confocal import read_stack
from peled.formats.contract import reader
from peled.formats.delimited import read_records, split_unit, stated, stated_number
from peled.formats.spectra import Spectra, choose, read_each, sniff_each
from peled.formats.sphere import read_calibration, read_runs, stated_bands
from peled.formats.tcspc import of_a_counter, read_histograms
from peled.photoluminescence.emission import per_nanometre
from peled.samples import Content, Row
from peled.samples.propose import role_in
from peled.samples.schema import columns

#: Words for the runs of a sphere in heads of a table, and their roles.
_RUNS = {
    name.lower(): role
    for role, names in columns("photoluminescence")["measurement"].words["plqy"].roles.items()
    if role != "gain"
    for name in (role, *names, *columns("photoluminescence")["role"].words[role].names)
}
_RUN = re.compile(rf"(?:^|[\W_])({'|'.join(_RUNS)})(?:$|[\W_])", re.IGNORECASE)
_ABSORBED = re.compile(r"(?:^|[\W_])(transmi\w+|absor\w+|abs|uv[\W_]?vis|%?T|OD)(?:$|[\W_])", re.I)
_SPHERE = re.compile(r"sphere|plqy|(?<![a-z])qy", re.IGNORECASE)
#: What a spectrometer writes of one measurement, each in a column.
_STAGES = {
    stage: re.compile(words, re.IGNORECASE)
    for stage, words in (
        ("dark", r"\b(dark|background)\b"),
        ("reference", r"\bref(erence)?\b"),
        ("absorption", r"transmi(ttance|ssion)|absorbance|reflectance"),
        ("pl", r"\((photons|[mµun]?W)\b.*nm.*\)|\bprocessed\b"),
        ("counted", r"\braw\b|^(signal|sample|spectrum)\b"),
    )
}
_UNITS = {
    "transmittance_percent": "%T", "transmittance": "T", "absorbance": "absorbance",
    "absorptance": "absorptance", "absorptance_percent": "%A",
}  # fmt: skip


@dataclass(frozen=True)
class Run(Signal):
    """A run of a sphere; `bands` are those that its head states, as the columns of the sheet."""

    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Absorbed(Signal):
    """An absorption; `of` is the absorptance or efficiency that T = 1 − a was made of, or empty."""

    of: str = ""


@dataclass(frozen=True)
class Decay:
    """One decay of a file, with what the file or the sheet says of how it was taken."""

    label: str
    time_ns: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    bin_ns: float = 0.0
    period_ns: float | None = None
    cycles: float | None = None
    background: float | None = None
    asks: tuple[str, ...] = ()
    sigma: np.ndarray | None = field(default=None, repr=False)


#: Names by which heads of files say when they were measured.
_STAMP = re.compile(
    r"(date|time)([ _/-]*(and[ _]?)?(time|date))?|time[ _]?stamp|"
    r"(acquired|measured|recorded|created)([ _](on|at))?|"
    r"(acquisition|measurement|start)[ _](date|time|date[ _/]?time)"
)


def sniff(path: Path) -> Content | None:
    """What a file holds, from its content alone (see `peled.samples.Sniffer`).

    Times in ns or a counter's own format make a decay, an image a confocal stack; of spectra the
    unit of the values, the heads and the axis of a series tell. A file with a sphere in its name or
    that of its folder is of one, and one named as a run (direct, in, empty) may be; so is one of an
    absorption that is named so, where its values have no unit.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None
        None for a folder.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    if path.is_dir():
        return None
    if path.suffix.lower() in (".tif", ".tiff"):
        read_stack(path)
        return Content("confocal")
    if of_a_counter(path):
        return _sniff_decays(path)
    errors = []
    for look in (_sniff_spectra, _sniff_decays):
        try:
            return look(path)
        except FormatError as error:
            errors.append(error)
    raise max(errors, key=lambda e: "column heads" not in e.place)


def _sniff_decays(path: Path) -> Content:
    labels = tuple(label for h in read_histograms(path) for label in h.labels)
    return Content("trpl", labels if len(labels) > 1 else ())


def _sniff_spectra(path: Path) -> Content:
    groups = sniff_each(path)
    labels = tuple(label for g in groups for label in g.labels)
    first, many = groups[0], tuple(dict.fromkeys(labels)) if len(labels) > 1 else ()
    runs = [_RUNS[m[1].lower()] for label in labels if (m := _RUN.search(label))]
    if {"empty", "direct"} <= set(runs) or {"empty", "indirect"} <= set(runs):
        if len(set(runs)) < len(labels) or len(groups) > 1:
            return Content("plqy")  # a series, or bands side by side
        return Content("", labels, kinds=tuple(Content("plqy", role=run) for run in runs))
    if len(labels) == 1 and re.search(r"factor|calibration", labels[0], re.IGNORECASE):
        return Content("plqy", role="gain")
    if len(labels) == 1 and _SPHERE.search(f"{path.parent.name} {path.stem}"):
        return Content("plqy")
    if len(groups) == 1 and (kinds := _one_spectrum(labels, first.value_unit)):
        return Content("", labels, kinds=kinds)
    if first.value_unit in _UNITS:
        return Content("absorption", many)
    if len(groups) == 1 and first.parameter is not None and first.parameter_unit == "s":
        return Content("pl_series", labels, "time_s")
    if first.value_unit in ("", "a.u.") and _ABSORBED.search(path.stem):
        return Content("absorption", many)
    if many:
        return Content("pl", many)
    return Content("pl", cells=_when(first), clock_s=_clock(first), also=("plqy",))


def _clock(one: Spectra) -> float | None:
    """When a spectrum was measured, by a date with a time, or the two, in its head."""
    said = {key.lower().strip(): str(text) for key, text in one.metadata.items()}
    stamps = [text for key, text in said.items() if _STAMP.fullmatch(key)]
    stamps += [f"{said['date']} {said['time']}"] if {"date", "time"} <= set(said) else []
    known = (delimited.clock_s(stamp) for stamp in stamps)
    return next((clock for clock in known if clock is not None), None)


def _when(one: Spectra) -> tuple[tuple[str, str], ...]:
    """The cell `time_s` of a spectrum whose head states a time with its unit, or its number in a
    row of frames and their interval.
    """
    units = columns("photoluminescence")["time_s"].names

    def said(pattern: str) -> tuple[float, str]:
        fits = ((split_unit(key), text) for key, text in one.metadata.items())
        texts = ((unit, text) for (key, unit), text in fits if re.fullmatch(pattern, key, re.I))
        unit, text = next(texts, ("", ""))
        number = stated_number(text)
        return (number[0], number[1].strip(" ()[]") or unit) if number else (np.nan, "")

    time, unit = said(r"t|time|delay|(elapsed|relative|frame)[ _]?time|time[ _](since|after)\b.*")
    if unit not in units:
        interval, unit = said(r"(time|frame|acquisition|kinetic)?[ _]?(interval|cycle([ _]time)?)")
        numbers = re.findall(r"\d+", delimited.stem(one.path))
        frame, _ = said(r"frame([ _]?(no\.?|number|index))?")
        if np.isnan(frame) and numbers:
            frame = float(numbers[-1])
        time = frame * interval
    return (("time_s", f"{time * units[unit]:.12g}"),) if unit in units and time == time else ()


def _one_spectrum(labels: tuple[str, ...], unit: str) -> tuple[Content, ...]:
    """What each column is where all are of one spectrum: its result, or what it is made of.

    With a result (calibrated light, a transmittance) the others are what it was made of; without,
    counts have their dark.
    """
    said = [next((k for k, words in _STAGES.items() if words.search(one)), "") for one in labels]
    results = [one for one in said if one in ("absorption", "pl")]
    if len(labels) < 2 or "" in said or len(set(said)) < len(said):
        return ()
    if len(results) == 1:
        kind = "absorption" if unit in _UNITS else results[0]
        return tuple(Content(kind, role="" if one in results else "ignore") for one in said)
    if set(said) == {"counted", "dark"}:
        return tuple(Content("pl", role="dark" if one == "dark" else "") for one in said)
    return ()


# ---- rows as data --------------------------------------------------------------------------------


def _part(path: Path, row: Row) -> Spectra:
    """The spectra of a row on one axis: all, or the part that it names."""
    groups = read_each(path, x_unit=row.settings.get("spectral_unit"))
    if row.part:
        return choose(groups, row.part)
    if len(groups) > 1:
        raise FormatError(
            path,
            expected="spectra on one axis",
            found=f"{len(groups)} axes",
            advice="name one spectrum in the column part of the sample sheet",
        )
    return groups[0]


def _one(path: Path, row: Row) -> Spectra:
    found = _part(path, row)
    if len(found) > 1:
        raise FormatError(
            path,
            expected="one spectrum a row",
            found=", ".join(map(repr, found.labels[:4])),
            advice="name one in the column part of the sample sheet, or write part = {sample}",
        )
    return found


def exposure_ms(spectra: Spectra) -> float | None:
    """The integration time that the head of a file states.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    float or None
        ms; None where there is none, or none with a unit of time.
    """
    said = stated(spectra.path, spectra.metadata, "^(integration|exposure)")
    if not said:
        return None
    factor = {"s": 1e3, "sec": 1e3, "ms": 1.0, "us": 1e-3, "": None}.get(said[1].lower())
    return None if factor is None else said[0] * factor


def read_emission(path: Path, row: Row) -> Signal:
    """One emission spectrum per nm.

    Parameters
    ----------
    path : Path
    row : Row
        Its `part` names one of several spectra, its cell `value_unit` overrules the file's.

    Returns
    -------
    Signal

    Raises
    ------
    FormatError
        If the file cannot be read, or holds more than one spectrum and none is named.
    """
    return _emitted(_one(path, row), row, row.label)


def _emitted(found: Spectra, row: Row, source: str, kind: Callable = Signal):
    x, values = per_nanometre(found)
    unit = str(row.settings.get("value_unit") or found.value_unit or "a.u.")
    return kind(x, values, unit=unit, source=source, exposure_ms=exposure_ms(found))


def read_absorption(path: Path, row: Row) -> Signal:
    """One absorption spectrum; its unit the sheet's, or the head's, or none.

    An absorptance (`absorptance`, `%A`) is what is not transmitted, reflection left out: it is
    turned into T = 1 − a. So is the quantum efficiency of a photovoltaic device (`EQE`), which is
    an absorptance in its relation to emission.

    Parameters
    ----------
    path : Path
    row : Row
        Its `part` names one of several spectra.

    Returns
    -------
    Signal
        Over rising wavelengths.

    Raises
    ------
    FormatError
        If the file cannot be read, or holds more than one spectrum and none is named, or fractions
        where per cent are stated.
    """
    found = _one(path, row)
    order = np.argsort(found.wavelength_nm)
    x, values = found.wavelength_nm[order], found.values[:, order]
    unit = str(row.settings.get("value_unit") or _UNITS.get(found.value_unit, ""))
    of = {"absorptance": "absorptance", "%A": "absorptance", "EQE": "EQE"}.get(unit, "")
    if of:
        top = float(np.nanmax(values))
        if unit == "%A" and top <= 1:
            raise FormatError(
                path,
                expected="per cent, as value_unit says",
                found=f"{top:.3g} at most",
                advice="write absorptance or EQE into value_unit where the values are fractions",
            )
        per_cent = unit == "%A" or top > 1.5
        values, unit = 1 - values / (100 if per_cent else 1), "T"
    return Absorbed(x, values, unit=unit, source=row.label, of=of)


def read_series(path: Path, row: Row) -> Signal:
    """Emission spectra per nm against time, or one that the row places in time.

    Parameters
    ----------
    path : Path
    row : Row

    Returns
    -------
    Signal
        At times in s, of several.

    Raises
    ------
    FormatError
        If the file cannot be read, or its spectra have no times in s.
    """
    found = _part(path, row)
    if len(found) == 1 and "time_s" in row.settings:
        return _emitted(found, row, row.label)
    if found.parameter is None or found.parameter_unit != "s":
        raise FormatError(
            path,
            place="heads of the spectra",
            expected="a time with its unit for each spectrum, and beside it the same name",
            found=found.heads,
            advice="head the spectra '0 s', '5 s' … or put times into a first column 'time (s)'; "
            "of one file a spectrum write it into the column time_s, or {time_s} where it stands "
            "in the names; of several films measurement pl and a part such as {sample} {time_s} s",
        )
    x, values = per_nanometre(found)
    return Signal(
        x, values, unit=found.value_unit or "counts", at=found.parameter, at_unit="s",
        source=row.label, exposure_ms=exposure_ms(found),
    )  # fmt: skip


def read_plqy(path: Path, row: Row):
    """A calibration (role gain), one run (the roles of a sphere), or the sets of a table.

    Parameters
    ----------
    path : Path
    row : Row
        Role gain, sample (a table), or that of a run.

    Returns
    -------
    calibration, sets or Run
        As `read_calibration` gives it, by quantity (energy, photons) where the file does not say
        which it is of; as `read_runs`, each run a `Run`; a `Run`.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    if row.role == "gain":
        said = str(row.settings.get("value_unit", "")).lower()
        return read_calibration(path, quantity=said or None) if said else _calibration(path)
    if row.role != "sample":
        return _run(_one(path, row), row)
    return tuple(
        replace(one, runs={k: _run(run, row, run.labels[0]) for k, run in one.runs.items()})
        for one in read_runs(path, x_unit=row.settings.get("spectral_unit"))
    )


def _run(spectra: Spectra, row: Row, name: str = "") -> Run:
    kind = partial(Run, bands=stated_bands(spectra))
    return _emitted(spectra, row, f"{row.label} {name}".strip(), kind)


def _calibration(path: Path):
    """As the file says; where it says neither, both (a dict), and the yield carries the doubt."""
    try:
        return read_calibration(path)
    except FormatError as error:
        if "quantity" not in error.expected:
            raise
    return {q: read_calibration(path, quantity=q) for q in ("energy", "photons")}


def read_decay(path: Path, row: Row) -> Decay:
    """One decay, or a response (role irf); with several in the file, the part that the row
    names.

    Parameters
    ----------
    path : Path
    row : Row
        Its cells `repetition_MHz` and `pulses` overrule the file's; `bin_ns` is for a file that
        does not state it.

    Returns
    -------
    Decay

    Raises
    ------
    FormatError
        If the file cannot be read, or does not hold just one decay as asked for.
    """
    bin_ns = row.settings.get("bin_ns")
    groups = read_histograms(path, bin_ns=bin_ns)
    found = [(g, i) for g in groups for i in range(len(g))]
    if row.part:
        chosen = [(g, i) for g, i in found if g.labels[i] == row.part]
    elif len(found) > 1:
        said = columns("photoluminescence")
        named = {k: role_in(k, "trpl", said) == "irf" for g, _ in found for k in g.labels}
        chosen = [(g, i) for g, i in found if named[g.labels[i]] == (row.role == "irf")]
    else:
        chosen = found
    if len(chosen) != 1:
        raise FormatError(
            path,
            expected=f"one decay {row.part!r}" if row.part else "one decay a row",
            found=", ".join(repr(g.labels[i]) for g, i in found),
            advice="name it in the column part of the sample sheet",
        )
    g, i = chosen[0]
    errors = None if g.errors is None or np.isnan(g.errors[i]).any() else g.errors[i]
    rate, pulses = row.settings.get("repetition_MHz"), row.settings.get("pulses")
    cycles = pulses or (None if g.cycles is None else float(g.cycles[i]))
    return Decay(
        g.labels[i],
        g.time_ns,
        np.asarray(g.counts[i], float),
        g.bin_ns,
        1e3 / rate if rate else g.period_ns,
        cycles,
        None if g.background is None else float(g.background[i]),
        g.asks,
        errors,
    )


@reader("a table of name, value, unit")
def read_truth(path: Path) -> dict[str, float]:
    """What went into simulated files.

    Parameters
    ----------
    path : Path
        Table of name, value, unit.

    Returns
    -------
    dict of str to float

    Raises
    ------
    FormatError
        Naming the row whose value is no number.
    """
    return {row["name"]: row.number("value") for row in read_records(path, ("name", "value"))[0]}


READERS = {
    "absorption": read_absorption,
    "pl": read_emission,
    "pl_series": read_series,
    "plqy": read_plqy,
    "trpl": read_decay,
    "confocal": lambda path, row: read_stack(path),
}

__all__ = ["READERS", "Decay", "read_truth", "sniff"]
