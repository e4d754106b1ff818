"""The files of this topic: which there are, read by what they hold; what is missing stays missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from peled.formats import FormatError
from peled.formats.confocal import read_stack
from peled.formats.contract import reader
from peled.formats.delimited import read_records
from peled.formats.spectra import read_each, read_spectra
from peled.formats.sphere import read_calibration, read_sphere
from peled.formats.tcspc import read_histogram

#: Name of each set (a file of that name with any suffix, or a folder for sphere runs), and its reader.
SETS = {
    "absorption_solution": read_each,
    "pl_solution": read_spectra,
    "pl_films": read_spectra,
    "sphere_neat": read_sphere,
    "sphere_EG": read_sphere,
    "sphere_calibration": read_calibration,
    "trpl_solution": read_histogram,
    "trpl_film": read_histogram,
    "trpl_transport": read_histogram,
    "trpl_hole_transport": read_histogram,
    "pl_transport_350nm": read_spectra,
    "pl_hole_transport_450nm": read_spectra,
    "segregation_pmma_1.03": read_spectra,
    "segregation_pmma_0.006": read_spectra,
    "segregation_neat_film": read_spectra,
    "segregation_single": read_spectra,
    "segregation_recovery": read_spectra,
    "segregation_EG_film": read_spectra,
    "confocal_neat_film": read_stack,
    "confocal_pmma_0.001": read_stack,
}


@dataclass(frozen=True)
class Collection:
    """What a folder holds: `data[name]` as read, `paths[name]` where from."""

    data: dict = field(repr=False)
    paths: dict[str, Path] = field(repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def get(self, name: str):
        """The set as read, None when there is no such file."""
        return self.data.get(name)

    def inputs(self, *names: str) -> list[Path]:
        """Files of those sets that are there."""
        return [self.paths[name] for name in names if name in self.paths]

    def missing(self) -> list[str]:
        return [name for name in SETS if name not in self.data and name != "sphere_calibration"]


def collect(folder: Path, *, calibration_quantity: str | None = None) -> Collection:
    """Read every set that `folder` holds.

    Parameters
    ----------
    folder : Path
    calibration_quantity : {"energy", "photons"}, optional
        What the sphere's calibration gives, when its file does not say.

    Raises
    ------
    FormatError
        From the reader of a file that cannot be used; two files for one set; none at all.
    """
    data, paths = {}, {}
    for name, read in SETS.items():
        found = sorted(
            p
            for p in folder.glob(f"{name}*")
            if p.name == name or (p.name.startswith(f"{name}.") and not _longer_name(p.name, name))
        )
        if len(found) > 1:
            raise FormatError(
                folder,
                expected=f"one file for {name}",
                found=", ".join(p.name for p in found),
                advice="keep one of them",
            )
        if found:
            data[name] = (
                read(found[0], quantity=calibration_quantity)
                if name == "sphere_calibration"
                else read(found[0])
            )
            paths[name] = found[0]
    if not data:
        raise FormatError(
            folder,
            expected="files named " + ", ".join(list(SETS)[:4]) + ", ...",
            found=", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "an empty folder",
            advice="data/photoluminescence/README.md names the files",
        )
    return Collection(data, paths)


def _longer_name(file: str, name: str) -> bool:
    """Whether the file belongs to another set whose name goes on after this one's."""
    return any(
        other != name and len(other) > len(name) and file.startswith(f"{other}.") for other in SETS
    )


def absorbance_by_label(groups) -> dict[str, tuple]:
    """{label: (energy_eV, absorbance)} of all samples, each on its own axis."""
    return {
        label: (group.energy_eV, row)
        for group in groups
        for label, row in zip(group.labels, group.values, strict=True)
    }


@reader("a table of name, value, unit")
def read_truth(path: Path) -> dict[str, float]:
    """What went into simulated files: {name: value} from a table of name, value, unit."""
    return {row["name"]: row.number("value") for row in read_records(path, ("name", "value"))[0]}
