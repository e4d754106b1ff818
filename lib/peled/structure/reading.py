"""What a folder of structure files holds: found by name, read by `peled.formats`, ordered by sample."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError
from peled.formats.contract import reader
from peled.formats.delimited import read_records, read_table
from peled.formats.diffraction import Pattern, read_pattern
from peled.formats.images import Image, read_image
from peled.formats.infrared import InfraredSpectrum, read_infrared
from peled.formats.vamas import Spectrum, is_vamas, read_vamas
from peled.materials import HC_EV_NM
from peled.structure.ftir import Assignment
from peled.structure.icpms import Calibration, Content, calibrate, lead_content
from peled.tables import table


@dataclass(frozen=True)
class Holdings:
    """The files of one folder, by technique and sample name; a technique without files is empty."""

    samples: tuple[str, str]
    patterns: dict[str, Pattern] = field(repr=False)
    standard: Pattern | None = field(repr=False)
    images: dict[tuple[str, str], Image] = field(repr=False)
    xps: dict[tuple[str, str], Spectrum] = field(repr=False)
    ups: dict[tuple[str, str], Spectrum] = field(repr=False)
    infrared: dict[str, InfraredSpectrum] = field(repr=False)
    pds: dict[str, tuple[np.ndarray, np.ndarray]] = field(repr=False)
    icpms: Path | None = None
    paths: dict[str, list[Path]] = field(repr=False, default_factory=dict)

    def summary(self) -> str:
        """One line a technique."""
        rows = [
            ("powder patterns", [*self.patterns] + (["standard"] if self.standard else [])),
            ("micrographs", [f"{s} {k}" for s, k in self.images]),
            ("XPS regions", [f"{s} {k}" for s, k in self.xps]),
            ("UPS regions", [f"{s} {k}" for s, k in self.ups]),
            ("infrared", [*self.infrared]),
            ("PDS", [*self.pds]),
            ("ICP-MS", [self.icpms.name] if self.icpms else []),
        ]
        return "\n".join(f"{name:16s} {', '.join(found) or 'none'}" for name, found in rows)


def key(text: str) -> str:
    """A sample's name without case and signs: `E+G` and `EG` are one."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def survey(folder: Path, before: str = "neat", after: str = "EG") -> Holdings:
    """Read all structure files of a folder.

    Raises
    ------
    FormatError
        From the readers, naming the file; or when the folder holds no structure file at all.
    """
    samples = (before, after)
    found = {
        t: sorted(p for p in folder.glob(f"{t}*") if p.is_file() and not p.name.startswith("."))
        for t in ("xrd", "tem", "xps", "ups", "ftir", "pds", "icpms")
    }
    if not any(found.values()):
        raise FormatError(
            folder,
            expected="files such as xrd_neat.xy, tem_neat_overview.tif, xps.vms, ups.vms, ftir_OA.dpt, pds.csv or icpms.csv",
            found="none",
            advice="data/structure/README.md names the files",
        )
    standard = next((p for p in found["xrd"] if "standard" in p.stem.lower()), None)
    patterns = {s: p for s in samples for p in found["xrd"] if key(p.stem) == "xrd" + key(s)}
    images = {}
    for path in found["tem"]:
        sample = _sample_of(path.stem, samples)
        if sample:
            images[
                sample,
                re.sub(rf"^tem_?{re.escape(sample)}_?", "", path.stem, flags=re.IGNORECASE)
                or "overview",
            ] = read_image(path)
    return Holdings(
        samples,
        {s: read_pattern(p) for s, p in patterns.items()},
        read_pattern(standard) if standard else None,
        images,
        _photoelectrons(found["xps"], samples),
        _photoelectrons(found["ups"], samples),
        {
            re.sub(r"^ftir_?", "", p.stem, flags=re.IGNORECASE) or p.stem: read_infrared(p)[0]
            for p in found["ftir"]
            if p.stem != "ftir_bands"
        },
        _deflection(found["pds"], samples),
        found["icpms"][0] if found["icpms"] else None,
        found,
    )


def _sample_of(text: str, samples) -> str | None:
    words = [key(w) for w in re.split(r"[_\s\-]+", text)]
    return next((s for s in samples if key(s) in words), None)


def _photoelectrons(paths: list[Path], samples) -> dict[tuple[str, str], Spectrum]:
    found = {}
    for path in paths:
        if is_vamas(path):
            spectra = read_vamas(path)
            order = list(dict.fromkeys(s.sample for s in spectra))
            for s in spectra:
                # By name; else the first sample of a file is the one before treatment, the second the one after.
                sample = (
                    next(
                        (
                            name
                            for name in samples
                            if key(name) in (key(s.sample), *map(key, s.name.split()))
                        ),
                        None,
                    )
                    or samples[min(order.index(s.sample), 1)]
                )
                region = s.name
                for word in (s.sample, sample):
                    region = re.sub(rf"^{re.escape(word)}\s+", "", region, flags=re.IGNORECASE)
                found[sample, region] = s
        else:
            sample = _sample_of(path.stem, samples)
            columns = read_table(path).numeric
            name = re.sub(
                rf"^[a-z]+_{re.escape(sample or '')}_?", "", path.stem, flags=re.IGNORECASE
            )
            photon = 21.218 if path.stem.lower().startswith("ups") else 1486.7
            if len(columns) != 2 or sample is None:
                raise FormatError(
                    path,
                    expected=f"a name with {samples[0]} or {samples[1]} and two columns, binding energy and counts",
                    found=path.name,
                )
            energy, counts = (column.values for column in columns)
            found[sample, name] = Spectrum(
                path, name, sample, "XPS", name, "", photon, photon - energy, energy, counts
            )
    return found


def region(spectra: dict, sample: str, *words: str) -> Spectrum | None:
    """The region of a sample whose name holds all `words` (case and signs ignored)."""
    for (s, name), spectrum in spectra.items():
        if s == sample and all(key(w) in key(name) for w in words):
            return spectrum
    return None


def _deflection(paths: list[Path], samples) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for path in paths:
        columns = read_table(path).numeric
        x = columns[0].values
        if len(columns) < 2 or x.min() <= 0:
            expected = "a positive axis and a column a sample"
            raise FormatError(path, expected=expected, found=f"{len(columns)} from {x.min():g}")
        if x.min() > 50:  # wavelength
            x = HC_EV_NM / x
        order = np.argsort(x)
        for i, column in enumerate(columns[1:]):
            name = (
                next((s for s in samples if key(s) == key(column.name)), None)
                or _sample_of(path.stem, samples)
                or (samples[i] if i < 2 else column.name)
            )
            found[name] = x[order], column.values[order]
    return found


@reader("a table of ICP-MS standards and samples")
def read_lead(path: Path) -> tuple[Calibration, dict[str, Content]]:
    """Calibration and lead contents from a table with the columns of `data/structure/icpms.csv`.

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


@reader("a folder with ftir_bands.csv, or none in it", folder=True)
def read_assignments(folder: Path) -> tuple[Assignment, ...]:
    """Infrared assignments of a folder's `ftir_bands.csv`, else the package's."""
    columns = "low_cm1", "high_cm1", "vibration", "species", "source"
    rows, _ = read_records(table("structure/ftir_bands.csv", folder), columns)
    return tuple(
        Assignment(*(r.number(c) for c in columns[:2]), *(r[c] for c in columns[2:])) for r in rows
    )


@reader("a folder with truth.csv, or none in it", folder=True)
def read_truth(folder: Path) -> dict[tuple[str, str], float]:
    """What went into simulated files, by sample key and name; empty for real ones."""
    path = folder / "truth.csv"
    if not path.is_file():
        return {}
    rows, _ = read_records(path, ("sample", "name", "value"))
    return {(key(row["sample"]), row["name"]): row.number("value") for row in rows}
