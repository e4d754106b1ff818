"""Results kept as extended XYZ and as JSON: one's own records, and QCSchema as Psi4, QCEngine and
tblite write it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_json
from peled.formats.atomistic.calculation import HARTREE_EV, Calculation
from peled.formats.atomistic.structures import BOHR_ANGSTROM, Structure, symbol, xyz_frames
from peled.formats.contract import reader

_TOLD = {"T": True, "True": True, "true": True, "F": False, "False": False, "false": False}
_SETTINGS = (
    "method",
    "functional",
    "dispersion",
    "basis",
    "ecp",
    "density_fitting",
    "medium",
    "kpoints",
    "charge",
    "spin",
)


def extended_xyz(path: Path, text: str) -> list[Calculation]:
    """Every frame of an extended XYZ that states an energy in eV in its comment line.

    Parameters
    ----------
    path : Path
        For the messages.
    text : str

    Returns
    -------
    list of Calculation
        In the order of the file; energies in eV, positions and cells in ångström.

    Raises
    ------
    FormatError
        For a frame without an energy, cut short, or with positions that are no numbers.
    """
    return [_frame(path, frame) for frame in xyz_frames(path, text.split("\n"))]


def _frame(path: Path, structure: Structure) -> Calculation:
    info = structure.info
    name = next(
        (key for key in ("energy", "energy_eV", "Energy", "free_energy") if key in info), None
    )
    try:
        energy_eV = float(info[name])
    except (KeyError, ValueError):
        raise FormatError(
            path,
            place="line 2",
            expected="energy=<eV> in the comment of an extended XYZ",
            found=repr(info.get("comment", "")[:60]),
        ) from None
    settings: dict = {key: info[key] for key in _SETTINGS if key in info}
    if "charge" in settings:
        settings["charge"] = int(float(settings["charge"]))
    corrected = info.get("dispersion_eV", info.get("d3zero_eV"))
    scf, geometry = _TOLD.get(info.get("scf_converged"), True), _TOLD.get(info.get("converged"))
    return Calculation(
        path,
        info.get("program", "extended XYZ"),
        energy_eV,
        scf,
        geometry,
        True,
        settings,
        structure,
        structure.composition,
        dispersion_eV=None if corrected is None else float(corrected),
    )


def json_record(path: Path) -> Calculation:
    """A record of JSON, of this repository or QCSchema.

    Own records have `program`, `energy_eV`, `converged`, `symbols`, `positions_angstrom`, and of
    `version`, `method`,
    `functional`, `dispersion`, `basis`, `ecp`, `density_fitting`, `medium`, `charge`, `spin`,
    `cell_angstrom` and
    `geometry_converged` what applies.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Calculation
        Energy in eV, positions and cell in ångström.

    Raises
    ------
    FormatError
        For what is no JSON, no object, or has values of the wrong kind.
    """
    data = read_json(path, what="complete JSON")
    if not isinstance(data, dict):
        raise FormatError(path, expected="one record (a JSON object)", found=type(data).__name__)
    try:
        return _qcschema(path, data) if "molecule" in data else _own(path, data)
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            path, expected="a record with values of the right kind", found=str(error)[:100]
        ) from None


@reader("numbers kept as JSON")
def read_numbers(path: str | os.PathLike, needed: Sequence[str] = ()) -> dict[str, float]:
    """The numbers of a kept record by name.

    Parameters
    ----------
    path : path-like
        A JSON object.
    needed : sequence of str
        Names that must be there.

    Returns
    -------
    dict of str to float
        `a/b` for what stands under b in a.

    Raises
    ------
    FormatError
        No JSON object, or one of the numbers that are needed is missing.
    """
    data = read_json(path, what="numbers kept as JSON")
    if not isinstance(data, dict):
        raise FormatError(path, expected="one record (a JSON object)", found=type(data).__name__)
    found = dict(_numbers(data))
    for name in needed:
        if name not in found:
            names = ", ".join(list(found)[:6]) or "no numbers"
            raise FormatError(path, place=name, expected="a finite number", found=names)
    return found


def _numbers(data: dict, above: str = "") -> Iterator[tuple[str, float]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{above}{name}", float(value)


def _present(path: Path, data: dict, *names: str) -> None:
    if missing := [name for name in names if data.get(name) is None]:
        raise FormatError(
            path, expected="the entries " + ", ".join(names), found="no " + ", ".join(missing)
        )


def _number(path: Path, data: dict, name: str) -> float:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FormatError(path, place=name, expected="a finite number", found=repr(value)[:60])
    return float(value)


def _truth(path: Path, data: dict, name: str) -> bool:
    if not isinstance(data[name], bool):
        raise FormatError(path, place=name, expected="true or false", found=repr(data[name])[:60])
    return data[name]


def _atoms(
    path: Path, symbols: list, positions: np.ndarray, cell: np.ndarray | None = None
) -> Structure:
    if positions.shape != (len(symbols), 3) or not len(symbols) or not np.isfinite(positions).all():
        raise FormatError(
            path,
            expected="three finite coordinates for each symbol",
            found=f"{len(symbols)} symbols, positions of shape {positions.shape}",
        )
    return Structure(tuple(symbol(path, str(s), 0) for s in symbols), positions, cell)


def _own(path: Path, data: dict) -> Calculation:
    _present(path, data, "program", "energy_eV", "converged", "symbols", "positions_angstrom")
    cell = (
        np.array(data["cell_angstrom"], float).reshape(3, 3) if data.get("cell_angstrom") else None
    )
    structure = _atoms(path, data["symbols"], np.array(data["positions_angstrom"], float), cell)
    settings = {name: data[name] for name in _SETTINGS if data.get(name) not in (None, "")}
    if settings.get("functional"):
        settings.pop("method", None)  # "DFT" beside a functional says nothing more
    geometry = (
        _truth(path, data, "geometry_converged")
        if data.get("geometry_converged") is not None
        else None
    )
    return Calculation(
        path,
        str(data["program"]),
        _number(path, data, "energy_eV"),
        _truth(path, data, "converged"),
        geometry,
        True,
        settings,
        structure,
        structure.composition,
    )


def _qcschema(path: Path, data: dict) -> Calculation:
    _present(path, data, "molecule", "success", "return_result")
    molecule = data["molecule"]
    _present(path, molecule, "symbols", "geometry")
    asked = (data.get("input_data") or {}).get(
        "specification"
    ) or data  # version 2 keeps the question apart
    model = asked.get("model") or {}
    if asked.get("driver", "energy") != "energy":
        energy_hartree = _number(
            path, data.get("properties") or {"return_energy": None}, "return_energy"
        )
    else:
        energy_hartree = _number(path, data, "return_result")
    structure = _atoms(
        path,
        molecule["symbols"],
        np.array(molecule["geometry"], float).reshape(-1, 3) * BOHR_ANGSTROM,
    )
    settings = {name: model[name] for name in ("method", "basis") if model.get(name)}
    settings |= {
        "charge": round(molecule.get("molecular_charge", 0)),
        "spin": int(molecule.get("molecular_multiplicity", 1)) - 1,
    }
    program = (data.get("provenance") or {}).get("creator", "QCSchema")
    return Calculation(
        path,
        program,
        energy_hartree * HARTREE_EV,
        _truth(path, data, "success"),
        None,
        True,
        settings,
        structure,
        structure.composition,
    )
