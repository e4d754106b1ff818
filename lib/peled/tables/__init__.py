"""Reference tables that ship with the package; `about.yaml` names the source and the kind of
each."""

from __future__ import annotations

from pathlib import Path


def table(name: str, folder: Path | None = None) -> Path:
    """The path of a table, e.g. ``table("cie/cie_1924_photopic.csv")``.

    Parameters
    ----------
    name : str
    folder : Path, optional
        A user's folder: a file of the table's name there takes its place.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        Naming the tables of that folder.
    """
    if folder is not None and (own := Path(folder) / Path(name).name).is_file():
        return own
    path = Path(__file__).parent / name
    if not path.exists():
        there = sorted(p.name for p in path.parent.glob("*.*"))
        raise FileNotFoundError(f"table {name}: expected one of {', '.join(there) or 'nothing'}")
    return path
