"""The steps of a whole analysis in the order in which a person takes them, each one call: find files, prepare, start, fit, tabulate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peled import files
from peled.formats import FormatError
from peled.formats.delimited import read_table
from peled.formats.tas import TransientMap, read_tas
from peled.transient_absorption import export, preprocess
from peled.transient_absorption.compare import band_amplitude
from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.preprocess import Matrix
from peled.transient_absorption.schemes import Model

SUFFIXES = (".ufs", ".csv", ".txt", ".dat", ".sia", ".lvm", ".ascii", ".npz", ".asc")


@dataclass(frozen=True)
class LoadedSet:
    """One data set and the files it was read from (several: scans that were averaged)."""

    matrix: Matrix
    paths: tuple[Path, ...]
    format: str


def load_sets(folder: Path, patterns: Mapping[str, str], **reading) -> dict[str, LoadedSet]:
    """The matrices of a folder by label.

    Parameters
    ----------
    folder : path
    patterns : mapping
        Label → file pattern. Several files that match one pattern are scans and get averaged. Labels whose pattern matches nothing are left out;
        when none matches, every matrix in the folder is taken under its file's name.
    **reading
        Passed to `read_tas`.

    Raises
    ------
    MissingDataError
        If the folder holds no matrix at all.
    FormatError
        For a file that matches a pattern and cannot be read.
    """
    found = {}
    for label, pattern in patterns.items():
        paths = (
            [
                p
                for p in sorted(folder.glob(pattern))
                if p.is_file() and p.suffix.lower() in SUFFIXES
            ]
            if pattern
            else []
        )
        if paths:
            found[label] = _load(label, paths, reading)
    if found:
        return found
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "pl_")):
            try:
                found[path.stem] = _load(path.stem, [path], reading)
            except FormatError:
                if path.suffix.lower() not in (
                    ".csv",
                    ".txt",
                    ".dat",
                    ".asc",
                ):  # other tables may lie about
                    raise
    if not found:
        raise files.MissingDataError(
            f"{files.display_path(folder)}: expected delay × wavelength matrices ({', '.join(SUFFIXES)}), found none; data/transient_absorption/README.md describes them"
        )
    return found


def _load(label, paths, reading) -> LoadedSet:
    maps = [read_tas(path, **reading) for path in paths]
    scans = [scan for m in maps for scan in scans_of(m, label)]
    one = scans[0] if len(scans) == 1 else preprocess.average_scans(scans, name=label)
    return LoadedSet(replace(one, standard_error=None), tuple(paths), maps[0].format)


def scans_of(m: TransientMap, name: str) -> list[Matrix]:
    """The single scans of a file as matrices (one, where the file holds none)."""
    stack = m.signal[None] if m.scans is None else m.scans
    return [preprocess.matrix(m.delay_ps, m.wavelength_nm, scan, name=name) for scan in stack]


def prepare(
    m: Matrix,
    *,
    window_nm: Sequence[float] | None,
    masks_nm: Sequence[Sequence[float]] = (),
    background_before_ps: float | None = None,
    spikes: bool = True,
) -> Matrix:
    """Crop, mask scatter, subtract the background and reject spikes, in this order; what does not apply to the data is left out."""
    if window_nm:
        low, high = max(window_nm[0], m.wavelength_nm[0]), min(window_nm[1], m.wavelength_nm[-1])
        m = preprocess.crop(m, wavelength_nm=(low, high) if low < high else None)
    m = preprocess.mask(m, *(tuple(region) for region in masks_nm))
    before = (
        background_before_ps
        if background_before_ps is not None and background_before_ps > m.delay_ps[0]
        else None
    )
    if m.delay_ps[0] < preprocess.estimate_t0(m):
        m = preprocess.subtract_background(m, before)
    # Masked points give every wavelength its own model matrix; a few spikes are worth that only when they are there.
    return preprocess.reject_spikes(m, threshold=10.0) if spikes else m


def start_model(
    m: Matrix,
    *,
    lifetimes_ps: Sequence[float],
    fwhm_ps: float,
    dispersion_order: int,
    artefact: int,
) -> tuple[Model, preprocess.Chirp | None]:
    """A model whose centre and dispersion start at the chirp found in the data; without dispersion where none can be found."""
    chirp = None
    if dispersion_order:
        try:
            chirp = preprocess.find_chirp(
                m, order=dispersion_order, fwhm_ps=max(fwhm_ps, float(np.diff(m.delay_ps).min()))
            )
        except ValueError:
            chirp = None
    if chirp is None:
        return Model(tuple(lifetimes_ps), fwhm_ps=fwhm_ps, artefact=artefact), None
    return Model(
        tuple(lifetimes_ps),
        fwhm_ps=fwhm_ps,
        artefact=artefact,
        t0_ps=chirp.coefficients[0],
        dispersion=chirp.coefficients[1:],
        reference_nm=chirp.reference_nm,
    ), chirp


def common_dispersion(
    matrices: Sequence[Matrix], model: Model, *, wavelengths: int = 40
) -> GlobalFit | None:
    """One fit of all sets with a common response and dispersion, lifetimes and zero times their own, on neighbouring wavelengths averaged to about `wavelengths`.

    The group delay of the probe belongs to the instrument; one set alone may not show it where it has no signal. None without dispersion.
    """
    if not model.dispersion:
        return None
    coarse = [
        preprocess.bin_wavelengths(m, max(1, len(m.wavelength_nm) // wavelengths)) for m in matrices
    ]
    return global_fit(coarse, model, link=("t0", "fwhm", "dispersion"), starts=0)


def with_dispersion(model: Model, joint: GlobalFit | None) -> Model:
    """The model with the dispersion of a fit, kept, and its response as start."""
    if joint is None:
        return model
    names = [f"dispersion_{i + 1}" for i in range(len(model.dispersion))]
    return replace(
        model,
        t0_ps=joint.value("t0"),
        fwhm_ps=joint.value("fwhm"),
        dispersion=tuple(joint.value(n) for n in names),
        fixed=(*model.fixed, *names),
    )


def fitted_chirp(fit: GlobalFit, matrix: int = 0):
    """t0(λ) of a fit as a function of wavelength."""
    segment = fit.setup.segments[matrix]
    u = fit.setup.expand(fit.theta)[0]
    coefficients = u[segment.dispersion]

    def t0(wavelength_nm):
        terms = fit.model.dispersion_terms(wavelength_nm)
        return u[segment.t0] + (
            coefficients @ terms
            if len(coefficients)
            else np.zeros(len(np.atleast_1d(wavelength_nm)))
        )

    return t0


def without_chirp(m: Matrix, fit: GlobalFit) -> Matrix:
    """The matrix with the fitted chirp taken out, complete rows only."""
    if not fit.model.dispersion:
        return m
    out = preprocess.correct_chirp(m, fitted_chirp(fit))
    return out.take(delays=np.isfinite(out.signal).all(axis=1))


def lifetime_rows(fits: Mapping[str, GlobalFit]) -> list[tuple[str, ...]]:
    """One row a component: value ± standard error of each fit, ps."""
    n = max(len(f.lifetimes_ps) for f in fits.values())
    rows = []
    for i in range(n):
        cells = [
            f"{f.lifetimes_ps[i]:.3g} ± {f.lifetime_errors()[i]:.1g}"
            if i < len(f.lifetimes_ps)
            else ""
            for f in fits.values()
        ]
        rows.append((f"τ{i + 1} (ps)", *cells))
    return rows


def save_fit(folder: Path, label: str, fit: GlobalFit, corrected: Matrix | None = None) -> None:
    """Write spectra, chirp-corrected matrix and record of a fit into a folder."""
    stem = "".join(c if c.isalnum() else "_" for c in label)
    files.write_atomically(folder / f"{stem}_dads.csv", export.spectra_csv(fit.spectra()))
    files.write_atomically(folder / f"{stem}_eads.csv", export.spectra_csv(fit.eads()))
    files.write_atomically(folder / f"{stem}_fit.json", files.to_json(fit.record()))
    if corrected is not None:
        files.write_atomically(folder / f"{stem}_corrected.csv", export.matrix_csv(corrected))


@dataclass(frozen=True)
class PLSeries:
    """Fluorescence spectra of a film: fresh and after each scan. Mean wavelengths in nm; `blue_share` is the share of counts bluer than two widths below the fresh mean."""

    fresh_nm: float
    fresh_error_nm: float
    after_nm: np.ndarray
    blue_share_fresh: float
    blue_share_after: float
    blue_share_error: float


def read_pl_series(path: Path) -> PLSeries:
    """Mean wavelengths from a table of counts: wavelength, fresh spectrum, then one column a scan.

    The dark level is the median of the reddest and bluest twentieth; errors from Poisson counts.
    """
    table = read_table(path)
    w, counts = table.columns[0].values, np.column_stack([c.values for c in table.columns[1:]])
    edge = max(3, len(w) // 20)
    dark = np.mean(np.r_[counts[:edge], counts[-edge:]], axis=0)
    y = counts - dark
    mean = w @ y / y.sum(0)
    width = float(np.sqrt((w - mean[0]) ** 2 @ y[:, 0] / y[:, 0].sum()))
    blue = w < mean[0] - 2 * width
    total_after = y[:, 1:].sum()
    share = [float(y[blue, 0].sum() / y[:, 0].sum()), float(y[blue, 1:].sum() / total_after)]
    # Variance of a sum of counts less the dark level, itself known from 2·edge channels.
    error = np.sqrt(counts[blue, 0].sum() + blue.sum() ** 2 * dark[0] / (2 * edge)) / y[:, 0].sum()
    error_after = (
        np.sqrt(counts[blue, 1:].sum() + (blue.sum() ** 2 * dark[1:] / (2 * edge)).sum())
        / total_after
    )
    fresh_error = float(np.sqrt(((w - mean[0]) ** 2) @ counts[:, 0]) / y[:, 0].sum())
    return PLSeries(
        float(mean[0]), fresh_error, mean[1:], *share, float(np.hypot(error, error_after))
    )


def fluence_series(
    paths: Sequence[Path], model: Model
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs per crystal (from the file's notes), fitted lifetimes and their errors, for files of rising fluence."""
    pairs, tau, error = [], [], []
    start = model
    for path in paths:
        m = read_tas(path)
        fit = global_fit(
            preprocess.matrix(m.delay_ps, m.wavelength_nm, m.signal, name=path.stem),
            start,
            starts=1,
        )
        pairs.append(float(m.metadata["Average pairs per crystal"]))
        tau.append(fit.lifetimes_ps)
        error.append(fit.lifetime_errors())
    return np.array(pairs), np.array(tau), np.array(error)


def red_edge(
    fits: Mapping[str, GlobalFit], low_nm: float, high_nm: float
) -> dict[str, tuple[float, float]]:
    """Mean amplitude of the slowest decay in a band and its standard error, mOD, for each fit that reaches into the band."""
    out = {}
    for label, fit in fits.items():
        try:
            a = band_amplitude(fit, -1, low_nm, high_nm)
        except ValueError:
            continue
        out[label] = (a.value * 1e3, a.standard_error * 1e3)
    return out
