"""The zero of the shift axis, from a line of known shift, with its error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from peled.formats.delimited import read_records
from peled.nmr.lines import Component, LineFit, fit_lines, multiplet, pick_peaks, shape_columns
from peled.nmr.processing import Processed
from peled.tables import table


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
    """A spectrum with its axis moved, by how much, and how sure that is; where other lines of like
    height stand where that of the standard was sought, ppm from the one taken.
    """

    spectrum: Processed
    standard: Standard
    moved_ppm: float
    error_ppm: float
    fit: LineFit
    rivals_ppm: np.ndarray


def _standard_rows(path: Path) -> list[Standard]:
    """Rows of a table of standards."""
    columns = tuple(field.name for field in fields(Standard))
    found = []
    for row in read_records(path, columns)[0]:
        shift, error, partners, coupling = (row.number(name) for name in columns[2:6])
        if partners % 1:
            raise row.refuse("partners", "a whole number")
        names = row["name"], row["nucleus"]
        found.append(Standard(*names, shift, error, int(partners), coupling, row["source"]))
    return found


def reference(
    processed: Processed,
    standard: Standard,
    *,
    width_Hz: float = 1.5,
) -> Referenced:
    """Find the line of a standard near where it should be and move the axis so that it is there.

    Residual CHD2 signals are fitted as the 1:2:3:2:1 quintet that one deuteron pair makes: as two
    couplings to a spin 1 each, here a first-order pattern of `partners` spin-1/2 with the coupling
    stated (4 partners give 1:4:6:4:1, which shares the centre; only the centre is used).
    It is sought as far on either side as `SEARCH_PPM` of the nucleus says.

    Parameters
    ----------
    processed : Processed
    standard : Standard
    width_Hz : float
        Start of the width of its line.

    Returns
    -------
    Referenced

    Raises
    ------
    ValueError
        If no line stands out there, or the nucleus is another.

    References
    ----------
    .. [1] R. K. Harris et al., Pure Appl. Chem. 80, 59 (2008), doi:10.1351/pac200880010059
    """
    if processed.nucleus and standard.nucleus != processed.nucleus:
        raise ValueError(
            f"{standard.name}: a standard for {standard.nucleus}, "
            f"the spectrum is {processed.nucleus}"
        )
    search_ppm = SEARCH_PPM.get(standard.nucleus, 3.0)
    low, high = standard.shift_ppm - search_ppm, standard.shift_ppm + search_ppm
    peaks = pick_peaks(processed, threshold=8.0, window_ppm=(low, high))
    if not len(peaks.ppm):
        raise ValueError(
            f"{standard.name}: expected a line within {search_ppm:g} ppm of "
            f"{standard.shift_ppm:g} ppm, found none above eight times the noise"
        )
    there, height = peaks.ppm, peaks.height
    if not standard.partners and (lone := _lone(there * processed.reference_MHz, height)).any():
        there, height = there[lone], height[lone]
    top = float(height.max())
    if top < FAINTEST * float(np.abs(processed.real).max()):
        raise ValueError(
            f"{standard.name}: what stands near {standard.shift_ppm:g} ppm has less than "
            f"{FAINTEST:g} of the largest line: it may be anything"
        )
    place = float(there[height.argmax()])
    if standard.partners > 1:
        place = _centre(processed, standard, place, width_Hz)
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
                f"referenced to {standard.name} at {standard.shift_ppm:g} ppm, "
                f"moved by {moved:+.4f} ppm",
            ),
        ),
        standard,
        moved,
        error,
        fit,
        (there - place)[(height > RIVAL * top) & (np.abs(there - place) > half)],
    )


#: How far from its place the line of a standard is sought: receivers are set to a few tenths of
#: 1 ppm of the proton scale, and to a few ppm of the carbon scale.
SEARCH_PPM = {"1H": 0.3, "13C": 3.0}

#: A line below this share of the largest is taken for no standard.
FAINTEST = 1e-3

#: Another line of this share of the chosen one may be the standard as well.
RIVAL = 0.3


#: A line with another of that share so many hertz away is one of a multiplet: couplings of vicinal
#: protons [1]_; a line that shims have split is narrower.
#: [1] M. Karplus, J. Am. Chem. Soc. 85, 2870 (1963), doi:10.1021/ja00901a059
SPLIT_HZ = (5.0, 20.0)


def _lone(at_Hz: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Which lines have no neighbour of their size at the distance of a coupling."""
    apart = np.abs(at_Hz[:, None] - at_Hz)
    beside = (apart > SPLIT_HZ[0]) & (apart < SPLIT_HZ[1]) & (height > RIVAL * height[:, None])
    return ~beside.any(axis=1)


def _centre(processed: Processed, standard: Standard, place: float, width_Hz: float) -> float:
    """Where the pattern of a standard fits best around its highest line.

    The highest of the nearly equal lines of a deuterated carbon need not be the middle one.
    """
    offsets, weights = multiplet((standard.coupling_Hz,), (standard.partners,))
    spacing = standard.coupling_Hz / processed.reference_MHz
    reach = np.abs(offsets).max() / processed.reference_MHz
    part = processed.window(place - 2 * reach - spacing, place + 2 * reach + spacing)
    ppm, y = processed.ppm[part], processed.real[part]
    trials = place + spacing * np.arange(-standard.partners // 2, standard.partners // 2 + 1)

    def score(trial: float) -> float:
        columns = shape_columns(processed, ppm, trial + offsets / processed.reference_MHz, width_Hz)
        pattern = columns @ weights
        return float(pattern @ y / np.sqrt(pattern @ pattern))

    return float(max(trials, key=score))


@dataclass(frozen=True)
class Solvents:
    """Solvents by all their usual names, and the lines that reference a spectrum taken in them.

    Attributes
    ----------
    names : mapping of flattened name to solvent
    lines : mapping of (solvent, nucleus) to names of standards, in the order of preference
    """

    names: Mapping[str, str]
    lines: Mapping[tuple[str, str], tuple[str, ...]]

    def find(self, text: str) -> str:
        """The solvent that a sheet or a file names; '' where unknown, the first of a mixture.

        Parameters
        ----------
        text : str

        Returns
        -------
        str

        Examples
        --------
        >>> solvents = read_solvents()
        >>> [solvents.find(t) for t in ("(CD3)2SO", "d6-DMSO", "MeOD", "D2O/H2O 9:1", "brine")]
        ['DMSO-d6', 'DMSO-d6', 'CD3OD', 'D2O', '']
        """
        for one in [text, *re.split(r"[+/,;&]|\band\b|\bin\b|\s+", text)]:
            if found := self.names.get(_flat(one)):
                return found
        return ""

    def standards(
        self, text: str, nucleus: str, known: Mapping[tuple[str, str], Standard]
    ) -> list[Standard]:
        """Standards that may reference a spectrum.

        Parameters
        ----------
        text : str
            The solvent, as a sheet or a file names it.
        nucleus : str
        known : mapping of (solvent, nucleus) to Standard

        Returns
        -------
        list of Standard
        """
        wanted = self.lines.get((self.find(text), nucleus), ())
        return [known[name, nucleus] for name in wanted if (name, nucleus) in known]


def _flat(text: str) -> str:
    text = text.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    return re.sub(r"[^a-z0-9]", "", text.lower())


def read_solvents(folder: str | Path | None = None) -> Solvents:
    """The table of solvents that ships with the package, extended by `solvents.csv` in a folder.

    Columns: solvent, aliases (by semicolons), nucleus, standards (by semicolons), source.

    Parameters
    ----------
    folder : path-like, optional
        Where an own `solvents.csv` may lie.

    Returns
    -------
    Solvents

    Raises
    ------
    FormatError
        Naming the file and line.

    References
    ----------
    .. [1] G. R. Fulmer et al., Organometallics 29, 2176 (2010), doi:10.1021/om100106e
    """
    names: dict[str, str] = {}
    lines: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in _tables("solvents.csv", folder):
        for row in read_records(path, ("solvent", "aliases", "nucleus", "standards", "source"))[0]:
            solvent, aliases = row["solvent"], row["aliases"].split(";")
            wanted = tuple(s.strip() for s in row["standards"].split(";"))
            lines[solvent, row["nucleus"]] = wanted
            names |= {_flat(name): solvent for name in (solvent, *aliases) if _flat(name)}
    return Solvents(names, lines)


def read_standards(folder: str | Path | None = None) -> dict[tuple[str, str], Standard]:
    """Standards by (name, nucleus): the shipped table, extended by `standards.csv` in a folder.

    Parameters
    ----------
    folder : path-like, optional
        Where an own `standards.csv` may lie.

    Returns
    -------
    dict of (str, str) to Standard

    Raises
    ------
    FormatError
        Naming the file and line.

    References
    ----------
    .. [1] R. K. Harris et al., Pure Appl. Chem. 80, 59 (2008), doi:10.1351/pac200880010059
    """
    found: dict[tuple[str, str], Standard] = {}
    for path in _tables("standards.csv", folder):
        found |= {(s.name, s.nucleus): s for s in _standard_rows(path)}
    return found


def _tables(name: str, folder: str | Path | None) -> list[Path]:
    own = Path(folder) / name if folder is not None else None
    return [table(f"nmr/{name}"), *([own] if own is not None and own.exists() else [])]


#: Frequency of a nucleus at 0 ppm over that of 1H in the same field, of DSS in D2O and of TMS [1]_:
#: [1] R. K. Harris et al., Pure Appl. Chem. 80, 59 (2008), doi:10.1351/pac200880010059
XI = {("13C", "D2O"): 0.25144953, ("13C", ""): 0.25145020}

#: What field and lock may have moved by between two spectra of one tube, ppm.
LOCK_PPM = 0.02


def indirect(
    spectrum: Processed, proton: Processed, moved_ppm: float, solvent: str
) -> tuple[float, float]:
    """By how much a spectrum is to be moved so that its zero agrees with that of a 1H spectrum of
    the same tube, and the standard error that field and lock add, ppm.

    The frequency at 0 ppm is Ξ times that of 1H [1]_, by DSS in water, by TMS elsewhere.

    Parameters
    ----------
    spectrum : Processed
        On the scale of the instrument.
    proton : Processed
        Of 1H, referenced.
    moved_ppm : float
        By how much its axis was moved.
    solvent : str
        As in the table of solvents.

    Returns
    -------
    moved_ppm, error_ppm : float

    Raises
    ------
    ValueError
        For a nucleus without Ξ, or where the zero would lie too far from that of the instrument:
        another tube, or frequencies that the files do not hold.

    References
    ----------
    .. [1] R. K. Harris et al., Pure Appl. Chem. 80, 59 (2008), doi:10.1351/pac200880010059
    """
    ratio = XI.get((spectrum.nucleus, solvent), XI.get((spectrum.nucleus, "")))
    if ratio is None:
        raise ValueError(f"{spectrum.nucleus}: no ratio of frequencies to 1H in the table")
    zero = proton.reference_MHz * (1 - 1e-6 * moved_ppm) * ratio
    moved = -1e6 * (zero / spectrum.reference_MHz - 1)
    if not abs(moved) < SEARCH_PPM.get(spectrum.nucleus, 3.0):
        raise ValueError(f"the 1H spectrum puts the zero {moved:+.1f} ppm off: of another field")
    return moved, LOCK_PPM


def first_standard(
    spectrum: Processed, standards: Sequence[Standard]
) -> tuple[Processed, float | None, str]:
    """Reference to the first standard found: spectrum, error of its scale, what was amiss.

    Where the line taken is one of several, the error holds the others.

    Parameters
    ----------
    spectrum : Processed
    standards : sequence of Standard
        In the order of preference.

    Returns
    -------
    spectrum : Processed
        As it was where no standard was found.
    error_ppm : float or None
        None where no standard was found.
    said : str
        Empty where nothing was amiss.
    """
    trouble = "no standard is known for its solvent"
    for standard in standards:
        try:
            found = reference(spectrum, standard)
        except ValueError as error:
            trouble = str(error)
        else:
            rivals = found.rivals_ppm
            if not len(rivals):
                return found.spectrum, found.error_ppm, ""
            said = (
                f"{len(rivals)} more lines like that of {standard.name} stand within reach: which "
                "is the solvent's cannot be told"
            )
            error = float(np.sqrt(found.error_ppm**2 + np.mean(rivals**2)))
            return found.spectrum, error, said
    return spectrum, None, f"not referenced: {trouble}"
