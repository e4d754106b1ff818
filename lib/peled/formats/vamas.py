"""VAMAS files (ISO 14976:1998) of photoelectron spectra, regular and irregular scans, with or
without CasaXPS comments; a writer too.

Energies come out as binding energies where the file has them or where the photon energy tells them;
the kinetic axis is kept.

Tried on files not written here: `samples/*.vms` of github.com/wojdyr/xylib and the Fe 2p example of
pynxtools-xps (irregular, with comments of CasaXPS).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes, read_text
from peled.formats.contract import reader
from peled.formats.delimited import parse_number

UNKNOWN = 1e36  # the standard writes 1E+37 for "not known"
_SPUTTER_MODES = {"MAPDP", "MAPSVDP", "SDP", "SDPSV"}
_SPUTTER_TECHNIQUES = {"AES diff", "AES dir", "EDX", "ELS", "UPS", "XPS", "XRF"}
_ION_TECHNIQUES = {
    "FABMS",
    "FABMS energy spec",
    "ISS",
    "SIMS",
    "SIMS energy spec",
    "SNMS",
    "SNMS energy spec",
}
_MODES = {"MAP", "MAPDP", "MAPSV", "MAPSVDP", "NORM", "SDP", "SDPSV", "SEM", "NOEXP"}


@dataclass(frozen=True)
class Spectrum:
    """One block of a VAMAS file.

    Attributes
    ----------
    name, sample, technique, transition : str
    source : str
        Label of the source, such as `Al K alpha` or `He I`.
    photon_energy_eV : float or None
    kinetic_energy_eV, binding_energy_eV : (n,) float arrays; NaN-free, in the order of the file
    counts : (n,) float array
        Ordinate in the file's unit, summed over scans.
    count_unit : str
    transmission : (n,) float array or None
    collection_time_s : float or None
        Time a point and scan.
    scans : int
    pass_energy_eV, target_bias_V : float or None
    casa_regions, casa_components : tuple of dict
        What CasaXPS wrote into the comments.
    comment : tuple of str
    variables : dict
        The experimental variables and numerical parameters.
    """

    path: Path
    name: str
    sample: str
    technique: str
    transition: str
    source: str
    photon_energy_eV: float | None
    kinetic_energy_eV: np.ndarray = field(repr=False)
    binding_energy_eV: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    count_unit: str = "counts"
    transmission: np.ndarray | None = field(repr=False, default=None)
    collection_time_s: float | None = None
    scans: int = 1
    pass_energy_eV: float | None = None
    target_bias_V: float | None = None
    casa_regions: tuple[dict, ...] = field(repr=False, default=())
    casa_components: tuple[dict, ...] = field(repr=False, default=())
    comment: tuple[str, ...] = field(repr=False, default=())
    variables: dict = field(repr=False, default_factory=dict)


class _Lines:
    def __init__(self, path: Path, text: str):
        self.path, self.lines, self.at = path, text.split("\n"), 0

    def refuse(self, expected: str, found: str, advice: str = "export it again") -> FormatError:
        """A FormatError at the line read last."""
        place = f"line {self.at}"
        return FormatError(self.path, place=place, expected=expected, found=found, advice=advice)

    def text(self, what: str) -> str:
        self.at += 1
        if self.at > len(self.lines):
            raise self.refuse(what, "the end of the file", "the file is cut; export it again")
        return self.lines[self.at - 1].strip()

    def number(self, what: str) -> float:
        cell = self.text(what)
        value = parse_number(cell.replace(",", "."))
        if value is None:
            advice = "the file does not follow ISO 14976 here; export it again"
            raise self.refuse(f"a number: {what}", repr(cell[:40]), advice)
        return value

    def known(self, what: str) -> float | None:
        value = self.number(what)
        return None if abs(value) >= UNKNOWN else value

    def count(self, what: str, most: int = 10_000_000) -> int:
        value = self.number(what)
        if value != int(value) or not -1 <= value <= most:
            raise self.refuse(f"a whole number: {what}", f"{value:g}")
        return int(value)

    def texts(self, n: int, what: str) -> tuple[str, ...]:
        return tuple(self.text(what) for _ in range(n))


@reader("a VAMAS file")
def is_vamas(path: str | os.PathLike) -> bool:
    """Whether a file begins as VAMAS files do.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    FormatError
        For a folder or no file.
    """
    return read_bytes(path)[:200].lstrip().partition(b"\n")[0].startswith(b"VAMAS")


@reader("a VAMAS file")
def read_vamas(path: str | os.PathLike) -> tuple[Spectrum, ...]:
    """All spectra of a VAMAS file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tuple of Spectrum
        One a block, in the order of the file.

    Raises
    ------
    FormatError
        With line, expectation and finding: no VAMAS file, cut, a mapping scan, or a block that does
        not follow the standard.
    """
    path = Path(path)
    lines = _Lines(path, read_text(path, what="a VAMAS file"))
    while lines.at < len(lines.lines) and not lines.lines[lines.at].strip():
        lines.at += 1  # some programs begin with empty lines
    head = lines.text("the VAMAS format identifier")
    if "VAMAS" not in head:
        expected = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
        raise lines.refuse(expected, repr(head[:60]))
    lines.texts(4, "institution, instrument, operator, experiment")
    lines.texts(lines.count("number of comment lines"), "comment")
    mode = lines.text("experiment mode")
    if mode not in _MODES:
        expected = f"an experiment mode, one of {', '.join(sorted(_MODES))}"
        raise lines.refuse(expected, repr(mode[:40]))
    scan = lines.text("scan mode").upper()
    if scan not in ("REGULAR", "IRREGULAR"):
        advice = "export the spectra of a map one by one"
        raise lines.refuse("scan mode REGULAR or IRREGULAR", repr(scan[:40]), advice)
    if mode in ("MAP", "MAPDP", "NORM", "SDP"):
        lines.count("number of spectral regions")
    for what in ("analysis positions", "x coordinates", "y coordinates"):
        if mode in ("MAP", "MAPDP"):
            lines.count(f"number of {what}")
    variables = [
        lines.texts(2, "label and unit of an experimental variable")[0]
        for _ in range(lines.count("number of experimental variables"))
    ]
    listed = lines.count("number of entries in the parameter inclusion or exclusion list")
    if listed:
        advice = "such files leave out parts of each block; export without the list"
        raise lines.refuse("no parameter inclusion or exclusion list", f"{listed} entries", advice)
    manual = lines.count("number of manually entered items in a block")
    lines.texts(manual, "manually entered item")
    upgrades = lines.count("number of future upgrade experiment entries")
    block_upgrades = lines.count("number of future upgrade block entries")
    lines.texts(upgrades, "future upgrade experiment entry")
    blocks = lines.count("number of blocks", 100_000)
    if blocks < 1:
        raise lines.refuse("at least one block", str(blocks))
    return tuple(_block(lines, mode, scan, variables, block_upgrades) for _ in range(blocks))


def _block(lines: _Lines, mode: str, scan: str, variables: list[str], upgrades: int) -> Spectrum:
    name, sample = lines.texts(2, "block and sample identifier")
    for what in ("year", "month", "day", "hours", "minutes", "seconds", "GMT offset"):
        lines.number(what)
    comment = lines.texts(lines.count("number of block comment lines"), "block comment")
    technique = lines.text("technique")
    if mode in ("MAP", "MAPDP"):
        lines.texts(2, "coordinates")
    values = {label: lines.number(f"value of {label}") for label in variables}
    source = lines.text("source label")
    if mode in _SPUTTER_MODES or technique in _ION_TECHNIQUES:
        lines.texts(3, "sputtering ion")
    energy = lines.known("source energy")
    lines.texts(3, "source strength and beam width")
    if mode in ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM"):
        lines.texts(2, "field of view")
    if mode in ("MAPSV", "MAPSVDP", "SEM"):
        lines.texts(6, "line scan coordinates")
    lines.texts(2, "angles of incidence")
    passing, bias = _analyser(lines, technique)
    transition = " ".join(lines.texts(2, "species and transition label")).strip()
    lines.number("charge of the detected particle")
    measured = _measured(lines, mode, technique, regular=scan == "REGULAR", upgrades=upgrades)
    label, axis, ordinates, (seconds, scans), more = measured
    other = energy - axis if energy else -axis
    binding, kinetic = (axis, other) if "binding" in label.lower() else (other, axis)
    (counts, unit), transmission = ordinates
    return Spectrum(
        lines.path,
        name,
        sample,
        technique,
        transition,
        source,
        energy,
        kinetic,
        binding,
        counts,
        unit,
        transmission,
        seconds,
        int(scans) if scans and scans > 0 else 1,
        passing,
        bias,
        *_casa(comment, energy),
        comment,
        values | more,
    )


def _analyser(lines: _Lines, technique: str) -> tuple[float | None, float | None]:
    """Pass energy where it is fixed, and the bias of the target."""
    mode = lines.text("analyser mode")
    passing = lines.known("pass energy or retard ratio")
    if technique == "AES diff":
        lines.text("differential width")
    lines.texts(2, "magnification and work function")
    bias = lines.known("target bias")
    lines.texts(4, "analysis width and take-off angles")
    return passing if mode.upper() == "FAT" else None, bias


def _measured(lines: _Lines, mode: str, technique: str, *, regular: bool, upgrades: int):
    """The second half of a block: its abscissa (label, eV), counts with their unit and the
    transmission, time and scans, further parameters.
    """
    if regular:
        label, unit = lines.texts(2, "abscissa label and unit")
        start, step = lines.number("abscissa start"), lines.number("abscissa increment")
    columns = [
        lines.texts(2, "label and unit of a corresponding variable")
        for _ in range(lines.count("number of corresponding variables", 100))
    ]
    if not columns:
        raise lines.refuse("at least one corresponding variable", "none")
    lines.text("signal mode")
    taken = lines.known("collection time"), lines.known("number of scans")
    lines.text("signal time correction")
    if mode in _SPUTTER_MODES and technique in _SPUTTER_TECHNIQUES:
        lines.texts(7, "sputtering source")
    lines.texts(3, "sample tilt and rotation")
    more = {}
    for _ in range(lines.count("number of additional numerical parameters")):
        key, _unit = lines.texts(2, "label and unit of a parameter")
        more[key] = lines.number(f"value of {key}")
    lines.texts(upgrades, "future upgrade block entry")
    n = lines.count("number of ordinate values")
    if n < len(columns) or n % len(columns):
        raise lines.refuse(f"a multiple of {len(columns)} ordinate values", str(n))
    lines.texts(2 * len(columns), "minimum and maximum")
    # What the standard calls not known is a gap, and a spectrum has none.
    known = [lines.known("an ordinate value") for _ in range(n)]
    if None in known:
        lines.at -= n - 1 - known.index(None)
        raise lines.refuse("an ordinate value", "1E+37, which stands for not known")
    table = np.array(known).reshape(-1, len(columns))
    words = {"energy": [], "transmission": [], "": []}
    for i, (text, _) in enumerate(columns):
        words[next(word for word in words if word in text.lower())].append(i)
    if regular:
        axis = start + step * np.arange(len(table))
    elif words["energy"]:
        axis, (label, unit) = table[:, words["energy"][0]], columns[words["energy"][0]]
    else:
        raise lines.refuse("a column with the energy", ", ".join(text for text, _ in columns))
    if unit.lower() not in ("ev", ""):
        advice = "only photoelectron spectra are read"
        raise lines.refuse("an abscissa in eV", f"{label} in {unit!r}", advice)
    if not words[""]:
        raise lines.refuse("a column with counts", ", ".join(text for text, _ in columns))
    counts = table[:, words[""][0]], columns[words[""][0]][1]
    transmission = table[:, words["transmission"][0]] if words["transmission"] else None
    return label, axis, (counts, transmission), taken, more


def _casa(
    comment: tuple[str, ...], energy: float | None
) -> tuple[tuple[dict, ...], tuple[dict, ...]]:
    """Regions and components from CasaXPS comment lines; energies there are kinetic."""
    regions, components = [], []
    for line in comment:
        kind, _, rest = line.partition(" (*")
        name, _, rest = rest.partition("*) (*")
        shape, closed, rest = rest.partition("*) ")
        words = rest.split()
        numbers = [parse_number(word) for word in words]
        if not closed or None in numbers[: 3 if kind == "CASA region" else 0]:
            continue
        if kind == "CASA region" and len(words) > 2:
            low, high, rsf = numbers[:3]
            regions.append(
                {
                    "name": name,
                    "background": shape,
                    "kinetic_range_eV": (low, high),
                    "rsf": rsf,
                    "binding_range_eV": (energy - high, energy - low) if energy else None,
                }
            )
        elif kind == "CASA comp":
            said = dict(zip(words, numbers[1:], strict=False))
            keys = ("Area", "MFWHM", "Position", "RSF")
            if any(said.get(key) is None for key in keys):
                continue
            area, width, position, rsf = (said[key] for key in keys)
            components.append(
                {
                    "name": name,
                    "shape": shape,
                    "area": area,
                    "fwhm_eV": width,
                    "kinetic_energy_eV": position,
                    "rsf": rsf,
                    "binding_energy_eV": energy - position if energy else None,
                }
            )
    return tuple(regions), tuple(components)
