"""Atoms in a cell from XYZ, extended XYZ, POSCAR/CONTCAR, CIF and Quantum ESPRESSO input."""

from __future__ import annotations

import io
import os
import re
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import periodictable

from peled.formats import FormatError, read_text
from peled.formats.contract import reader

BOHR_ANGSTROM = 0.529177210544  # CODATA 2022
_FLOAT = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?"
#: Element symbols, hydrogen first; deuterium is read as hydrogen.
ELEMENTS = [periodictable.elements[z].symbol for z in range(1, 97)]


@dataclass(frozen=True)
class Structure:
    """Atoms: symbols, positions (atoms, 3) in angstrom, and the cell's rows (3, 3) or None for a
    molecule.
    """

    symbols: tuple[str, ...]
    positions: np.ndarray = field(repr=False)
    cell: np.ndarray | None = field(default=None, repr=False)
    info: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def composition(self) -> Counter:
        """Number of atoms by element."""
        return Counter(self.symbols)


def formula(composition: Counter) -> str:
    """Composition in Hill order: carbon and hydrogen first, then the alphabet.

    Parameters
    ----------
    composition : Counter
        Number of atoms by element.

    Returns
    -------
    str

    References
    ----------
    .. [1] E. A. Hill, J. Am. Chem. Soc. 22, 478 (1900), doi:10.1021/ja02046a005

    Examples
    --------
    >>> formula(Counter({"O": 2, "H": 4, "C": 2}))
    'C2H4O2'
    """
    first = [s for s in ("C", "H") if s in composition and "C" in composition]
    order = first + sorted(s for s in composition if s not in first)
    return "".join(s + (str(composition[s]) if composition[s] != 1 else "") for s in order)


def element(label: str) -> str | None:
    """The element of an atom label (`Pb`, `PB`, `C12`, `H_ca`, `O1-`, `Pb.pbe`), or None.

    Parameters
    ----------
    label : str

    Returns
    -------
    str or None

    Examples
    --------
    >>> element("PB"), element("C12"), element("xx")
    ('Pb', 'C', None)
    """
    if not (match := re.match(r"([A-Za-z]{1,2})(.*)$", label.strip())):
        return None
    two, rest = match[1].capitalize(), match[2]
    if two == "D" or (label.strip() in ("T",)):
        return "H"
    if two in ELEMENTS and (
        len(two) == 1 or not label[1].isupper() or not rest or not rest[0].isalpha()
    ):
        return two
    return two[0] if two[0] in ELEMENTS else None


#: Fortran's own limit is far below.
_LONGEST_LINE = 2000


@reader("a structure (XYZ, POSCAR, CIF or Quantum ESPRESSO input)")
def read_structure(path: str | os.PathLike, *, frame: int = -1) -> Structure:
    """Read the atoms of a structure file; outputs of programs are read by `read_calculation`.

    Parameters
    ----------
    path : path-like
        XYZ, extended XYZ, POSCAR/CONTCAR (VASP 5), CIF, or Quantum ESPRESSO input.
    frame : int
        Which frame of an XYZ with several.

    Returns
    -------
    Structure
        Positions and cell in ångström.

    Raises
    ------
    FormatError
        For what is none of these, cut short, without elements, or holds positions that are no
        numbers.

    References
    ----------
    .. [1] S. R. Hall, F. H. Allen, I. D. Brown, Acta Crystallogr. A 47, 655 (1991),
           doi:10.1107/S010876739101067X
    """
    path = Path(path)
    text = read_text(path, what="a structure (XYZ, POSCAR, CIF or Quantum ESPRESSO input)")
    lines = text.split("\n")
    if re.search(r"^[ \t]*data_", text, re.M) and "_cell_length_a" in text:
        return _read_cif(path, text)
    if re.search(r"^[ \t]*ATOMIC_POSITIONS", text, re.M | re.I):
        # ASE takes a time that grows with the square of a line of brackets.
        number, longest = max(enumerate(lines, 1), key=lambda pair: len(pair[1]))
        if len(longest) > _LONGEST_LINE:
            expected = f"at most {_LONGEST_LINE} characters in a line of an input of pw.x"
            found = f"{len(longest)} characters"
            raise FormatError(path, place=f"line {number}", expected=expected, found=found)
        return _with_ase(path, text, "espresso-in", "an input of Quantum ESPRESSO's pw.x")
    if re.fullmatch(r"\s*\d+\s*", lines[0]):
        frames = xyz_frames(path, lines)
        try:
            return frames[frame]
        except IndexError:
            raise FormatError(
                path, expected=f"frame {frame}", found=f"{len(frames)} frames"
            ) from None
    if len(lines) > 7 and re.fullmatch(rf"\s*{_FLOAT}(\s+{_FLOAT}\s+{_FLOAT})?\s*", lines[1]):
        return _read_poscar(path, text)
    raise FormatError(
        path,
        expected="XYZ, POSCAR/CONTCAR, CIF or Quantum ESPRESSO input",
        found=f"{lines[0][:60]!r} as the first line",
    )


def numbers(path: Path, line: str, count: int, at: int, what: str) -> list[float]:
    """The first `count` finite numbers of a line, or FormatError.

    Parameters
    ----------
    path : Path
        For the message.
    line : str
        Cells between blanks, exponents with D or E.
    count : int
    at : int
        Number of the line (from 1), for the message.
    what : str
        What the numbers are, for the message.

    Returns
    -------
    list of float
        `count` numbers.

    Raises
    ------
    FormatError
        For fewer, or one that is not finite.
    """
    parts = line.replace("D", "E").replace("d", "e").split()
    try:
        found = [float(p) for p in parts[:count]]
    except ValueError:
        found = []
    if len(found) < count or not np.all(np.isfinite(found)):
        raise FormatError(
            path,
            place=f"line {at}",
            expected=f"{count} numbers ({what})",
            found=repr(line.strip()[:60]),
        )
    return found


def symbol(path: Path, label: str, at: int) -> str:
    """The element of a label, or FormatError.

    Parameters
    ----------
    path : Path
        For the message.
    label : str
        Label of an atom, or an atomic number.
    at : int
        Number of the line (from 1), for the message.

    Returns
    -------
    str

    Raises
    ------
    FormatError
        For a label of no element.
    """
    if label.isdigit() and 0 < int(label) <= len(ELEMENTS):
        return ELEMENTS[int(label) - 1]
    if (found := element(label)) is None:
        raise FormatError(path, place=f"line {at}", expected="an element symbol", found=repr(label))
    return found


def xyz_frames(path: Path, lines: list[str]) -> list[Structure]:
    """All frames of an XYZ file.

    Not by ASE: it takes `nan` for a position, knows no labels (`C12`, `82`, `D`) and does not say
    which line is wrong.

    Parameters
    ----------
    path : Path
        Named in errors.
    lines : list of str

    Returns
    -------
    list of Structure
    """
    frames, start = [], 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        if not re.fullmatch(r"\s*\d+\s*", lines[start]) or int(lines[start]) == 0:
            raise FormatError(
                path,
                place=f"line {start + 1}",
                expected="the number of atoms of a frame",
                found=repr(lines[start][:40]),
            )
        count = int(lines[start])
        body = lines[start + 2 : start + 2 + count]
        if len(body) < count or (body and not body[-1].strip()):
            raise FormatError(
                path,
                place=f"line {start + 1}",
                expected=f"{count} atoms",
                found=f"{sum(bool(b.strip()) for b in body)}",
                advice="the file is cut short",
            )
        info = _comment_keys(lines[start + 1])
        names, places = _columns(path, info, start + 2)
        symbols, positions = [], []
        for k, row in enumerate(body):
            parts = row.split()
            if len(parts) < places + 3:
                raise FormatError(
                    path,
                    place=f"line {start + 3 + k}",
                    expected="an element and three coordinates",
                    found=repr(row[:60]),
                )
            symbols.append(symbol(path, parts[names], start + 3 + k))
            positions.append(
                numbers(
                    path,
                    " ".join(parts[places : places + 3]),
                    3,
                    start + 3 + k,
                    "x y z in angstrom",
                )
            )
        cell = None
        if lattice := info.get("Lattice"):
            cell = np.array(numbers(path, lattice, 9, start + 2, "Lattice")).reshape(3, 3)
        frames.append(Structure(tuple(symbols), np.array(positions), cell, info))
        start += 2 + count
    return frames


def _columns(path: Path, info: dict, at: int) -> tuple[int, int]:
    """Columns of species and position from the Properties of extended XYZ."""
    if not (properties := info.get("Properties")):
        return 0, 1
    fields, column, found = properties.split(":"), 0, {}
    try:
        for name, _, count in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            found[name.lower()] = column
            column += int(count)
        return found.get("species", found.get("element", 0)), found["pos"]
    except (ValueError, KeyError):
        raise FormatError(
            path, place=f"line {at}", expected="Properties=species:S:1:pos:R:3...", found=properties
        ) from None


def _comment_keys(line: str) -> dict:
    """`key=value` pairs of an extended-XYZ comment line; quoted values may hold blanks."""
    try:
        words = shlex.split(line)
    except ValueError:  # an apostrophe in a plain comment
        return {"comment": line.strip()}
    return {k: v for k, eq, v in (w.partition("=") for w in words) if eq and k} | {
        "comment": line.strip()
    }


def _read_poscar(path: Path, text: str) -> Structure:
    # ASE would take missing elements from the title or from other files of the folder, and leave
    # out atoms where counts are missing.
    lines = text.rstrip().split("\n")
    names, counts = (line.split("!")[0].split() for line in lines[5:7])
    if not names or names[0].isdigit():
        raise FormatError(
            path,
            place="line 6",
            expected="element symbols (VASP 5)",
            found=repr(" ".join(names)[:40]),
            advice="VASP 4 files do not name their elements; add the line",
        )
    if len(counts) != len(names) or not all(c.isdigit() for c in counts):
        raise FormatError(
            path,
            place="line 7",
            expected=f"{len(names)} atom counts",
            found=repr(" ".join(counts)[:40]),
        )
    if sum(map(int, counts)) > len(lines) - 7:
        raise FormatError(
            path,
            place="line 7",
            expected="as many atoms as there are lines of positions",
            found=f"{sum(map(int, counts))} atoms, {len(lines) - 7} lines",
        )
    found = _with_ase(path, text, "vasp", "a POSCAR or CONTCAR of VASP 5")
    if abs(np.linalg.det(found.cell)) < 1e-3:
        raise FormatError(
            path,
            place="line 3",
            expected="lattice vectors that span a volume",
            found=f"{abs(np.linalg.det(found.cell)):.1e} cubic angstrom",
        )
    return found


def _with_ase(path: Path, text: str, name: str, what: str) -> Structure:
    """The last structure that ASE (doi:10.1088/1361-648X/aa680e) finds in a text of the format it
    calls `name`.

    Raises
    ------
    FormatError
        Whatever ASE fails with, and for atoms that are nowhere.
    """
    from ase.io import read  # half a second to import, so only where it is needed

    try:
        atoms = read(io.StringIO(text), format=name, index=-1)
    except Exception as error:  # ASE's readers raise anything: assertions, StopIteration, KeyError
        raise FormatError(
            path,
            expected=what,
            found=f"what ASE cannot read ({type(error).__name__}: {str(error)[:80]})".replace(
                ": )", ")"
            ),
        ) from None
    cell = atoms.cell.array if atoms.cell.rank else None
    if (
        not len(atoms)
        or not np.isfinite(atoms.positions).all()
        or (cell is not None and not np.isfinite(cell).all())
    ):
        raise FormatError(
            path,
            expected=what,
            found="no atoms" if not len(atoms) else "positions that are no numbers",
        )
    return Structure(
        tuple(atoms.get_chemical_symbols()),
        atoms.positions.copy(),
        None if cell is None else cell.copy(),
    )


def _read_cif(path: Path, text: str) -> Structure:
    import gemmi  # and not ASE, which keeps one element of a site that two share

    try:
        small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())
    except (RuntimeError, ValueError) as error:
        raise FormatError(
            path, expected="a CIF with one crystal structure", found=str(error).split("\n")[0][:120]
        ) from None
    sites = list(small.get_all_unit_cell_sites())
    if not sites or small.cell.volume < 1:
        raise FormatError(
            path,
            expected="a cell and atom sites",
            found=f"{len(sites)} sites in {small.cell.volume:.1f} cubic angstrom",
        )
    if any(site.element.name == "X" for site in sites):
        raise FormatError(
            path,
            expected="sites of known elements",
            found=next(s.label for s in sites if s.element.name == "X"),
        )
    info = {
        "spacegroup": small.spacegroup_hm,
        "partial occupancy": any(site.occ < 0.999 for site in sites),
    }
    positions = np.array([list(small.cell.orthogonalize(site.fract)) for site in sites])
    return Structure(
        tuple(
            site.element.name.capitalize().replace("D", "H")
            if site.element.name == "D"
            else site.element.name
            for site in sites
        ),
        positions,
        np.array(small.cell.orth.mat).T,
        info,
    )
