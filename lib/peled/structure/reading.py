"""Tables of a folder of structure files: lead, X-ray counts, assignments of bands, what went into
simulated ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from peled.formats.contract import FormatError, reader
from peled.formats.delimited import read_records
from peled.structure.eds import Counts, refuse_unknown
from peled.structure.ftir import Assignment
from peled.structure.icpms import Calibration, Content, calibrate, lead_content
from peled.tables import table


def key(text: str) -> str:
    """A sample's name without case and signs: `E+G` and `EG` are one.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Small letters a to z and digits.
    """
    return re.sub(r"[^a-z0-9]", "", text.lower())


@reader("a table of ICP-MS standards and samples")
def read_lead(path: Path) -> tuple[Calibration, dict[str, Content]]:
    """Calibration and lead contents from a table with the columns of `data/structure/icpms.csv`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    line : Calibration
        Of signal ratio against µg/L.
    contents : dict of str to Content
        By sample, µg per mg.

    Raises
    ------
    FormatError
        Naming line and column of what cannot be used.
    """
    measured = ("signal_ratio", "signal_ratio_sd")
    prepared = ("volume_mL", "dilution", "mass_mg")
    rows, account = read_records(
        path, ("kind", "sample", "concentration_ug_L", *measured, *prepared)
    )
    kinds = {"standard": [], "sample": []}
    for row in rows:
        if row["kind"] not in kinds:
            raise row.refuse("kind", "standard or sample")
        kinds[row["kind"]].append(row)
    line = calibrate(
        *(
            [row.number(name) for row in kinds["standard"]]
            for name in ("concentration_ug_L", *measured)
        )
    )
    contents = {}
    for row in kinds["sample"]:
        if row["sample"] in contents:
            advice = "name replicates apart, or average them"
            raise row.refuse("sample", "each sample once", advice)
        signal, error, volume, dilution, mass = (
            row.number(name) for name in (*measured, *prepared)
        )
        contents[row["sample"]] = lead_content(
            line,
            signal,
            error,
            volume_ml=volume,
            dilution=dilution,
            mass_mg=mass,
            mass_error_mg=0.01,
            dilution_relative_error=0.005,
        )
    return replace(line, account=account), contents


@reader("a table of X-ray counts (element, counts, background, k, k_error)")
def read_counts(path: Path) -> tuple[Counts, ...]:
    """Lines of X-rays with k factors: columns element, counts, background, k; k_error of all or
    none; line where an element has several.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tuple of Counts
        One a line, in the order of the file.

    Raises
    ------
    FormatError
        Naming the line of an unknown element, a count below zero or a k factor that is none.
    """
    columns = ("element", "counts", "background", "k", "k_error")
    rows, _ = read_records(path, columns[:4])
    known = any(row.cells.get("k_error") for row in rows)
    lines = tuple(
        Counts(
            row["element"], *(row.number(c) for c in columns[1:4]),
            row.number("k_error") if known else 0.0, f"line {row.line}",
            row.cells.get("line", "").strip(),
        )
        for row in rows
    )  # fmt: skip
    refuse_unknown(path, lines)
    if (count := len({one.element for one in lines})) < 2:
        raise FormatError(path, expected="two elements or more", found=str(count))
    return lines


@reader("a folder with ftir_bands.csv, or none in it", folder=True)
def read_assignments(folder: Path) -> tuple[Assignment, ...]:
    """Infrared assignments of a folder's `ftir_bands.csv`, else the package's.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    tuple of Assignment

    Raises
    ------
    FormatError
        For a missing column, or a bound that is no number.
    """
    columns = "low_cm1", "high_cm1", "vibration", "species", "source"
    rows, _ = read_records(table("structure/ftir_bands.csv", folder), columns)
    return tuple(
        Assignment(*(r.number(c) for c in columns[:2]), *(r[c] for c in columns[2:])) for r in rows
    )


@reader("a folder with truth.csv, or none in it", folder=True)
def read_truth(folder: Path) -> dict[tuple[str, str], float]:
    """What went into simulated files, by sample key and name; empty for real ones.

    Parameters
    ----------
    folder : Path
        Where `truth.csv` is sought.

    Returns
    -------
    dict of (str, str) to float

    Raises
    ------
    FormatError
        For a missing column, or a value that is no number.
    """
    path = folder / "truth.csv"
    if not path.is_file():
        return {}
    rows, _ = read_records(path, ("sample", "name", "value"))
    return {(key(row["sample"]), row["name"]): row.number("value") for row in rows}
