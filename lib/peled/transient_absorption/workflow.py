"""The steps of a whole analysis in the order in which a person takes them, each one call: find
files, prepare, start, fit, tabulate."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats
from uncertainties import ufloat

from peled import files
from peled.formats import FormatError
from peled.formats.delimited import read_table
from peled.formats.tas import SIGNAL_UNITS_OD, TransientMap, read_tas
from peled.transient_absorption import export, preprocess
from peled.transient_absorption.compare import band_amplitude
from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import resolved_artefact
from peled.transient_absorption.noise import differences, effective_wavelengths
from peled.transient_absorption.preprocess import Matrix
from peled.transient_absorption.scans import average_scans, on_common_axes, smooth_errors
from peled.transient_absorption.schemes import Model
from peled.transient_absorption.setup import identifier

_SEEN = 0.2  # share of the delays, below which a wavelength is left out
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
        Label → file pattern. Several files that match one pattern are scans and get averaged.
        Labels whose pattern matches nothing are left out;
        when none matches, every matrix in the folder is taken under its file's name.
    **reading
        Passed to `read_tas`.

    Returns
    -------
    dict of str to LoadedSet

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
            f"{files.display_path(folder)}: expected delay × wavelength matrices "
            f"({', '.join(SUFFIXES)}), found none; data/transient_absorption/README.md describes "
            "them"
        )
    return found


def _load(label, paths, reading) -> LoadedSet:
    maps = [read_tas(path, **reading) for path in paths]
    one = averaged([scan for m in maps for scan in scans_of(m, label)], label)
    return LoadedSet(one, tuple(paths), maps[0].format)


def averaged(scans: Sequence[Matrix], name: str) -> Matrix:
    """One scan as it is; several as their mean, with smoothed standard errors that weight the
    fits.

    Parameters
    ----------
    scans : sequence of Matrix
    name : str
        Of the mean.

    Returns
    -------
    Matrix
    """
    if len(scans) == 1:
        return scans[0]
    return smooth_errors(average_scans(scans, name=name))


_NO_UNIT = "nobody says the unit of the delays: ps is taken; say delay_unit in the sample sheet"


def scans_of(m: TransientMap, name: str) -> list[Matrix]:
    """The single scans of a file as matrices.

    Parameters
    ----------
    m : TransientMap
    name : str
        Of the matrices, for messages.

    Returns
    -------
    list of Matrix
        One, where the file holds no scans.
    """
    stack = m.signal[None] if m.scans is None else m.scans
    unit = "OD" if m.signal_unit in SIGNAL_UNITS_OD else m.signal_unit
    axes = m.delay_ps, m.wavelength_nm
    made = [preprocess.matrix(*axes, scan, name=name, unit=unit) for scan in stack]
    # no doubt of a unit that is said
    notes = (_NO_UNIT, *made[0].notes) if "delay_unit" in m.asks else ()
    return [replace(each, notes=notes) for each in made]


def like_prepared(scans: Sequence[Matrix], m: Matrix) -> np.ndarray:
    """Single scans on the axes of their prepared mean, each less its own background.

    Parameters
    ----------
    scans : sequence of Matrix
    m : Matrix
        The prepared mean.

    Returns
    -------
    ndarray, shape (scans, nt, nw)
        NaN where missing.
    """
    delay, wavelength, stack = on_common_axes([m, *scans])
    rows = np.isin(np.round(delay, 9), np.round(m.delay_ps, 9))
    columns = np.isin(np.round(wavelength, 6), np.round(m.wavelength_nm, 6))
    stack = stack[1:][:, rows][:, :, columns]
    if m.rise.seen:
        early = stack[:, m.delay_ps <= np.nanmin(m.rise.onset_ps)]
        number = np.isfinite(early).sum(axis=1, keepdims=True)
        stack = stack - np.nansum(early, axis=1, keepdims=True) / np.maximum(number, 1)
    return np.where(np.isfinite(m.signal), stack, np.nan)


def prepare(
    m: Matrix,
    *,
    window_nm: Sequence[float] | None,
    masks_nm: Sequence[Sequence[float]] = (),
    background_before_ps: float | None = None,
    background: bool = True,
    drop_delays_ps: Sequence[float] = (),
) -> Matrix:
    """Crop, mask scatter, drop delays, subtract the background, reject spikes and leave out
    wavelengths at which next to nothing was measured, in this order; what does not apply is left
    out, and said.

    A window that belongs to another probe (it reaches beyond this one and leaves less than a fifth
    of it) is not applied. Delays that look struck are proposed in the steps, not dropped.

    Parameters
    ----------
    m : Matrix
    window_nm : (float, float) or empty
    masks_nm : sequence of (float, float)
    background_before_ps : float, optional
        Only delays before this count as background.
    background : bool
        False: none is subtracted, as for a streak camera with backsweep.
    drop_delays_ps : sequence of float

    Returns
    -------
    Matrix
        With what was done in `steps`.
    """
    m = _windowed(m, window_nm)
    m = preprocess.mask(m, *(tuple(region) for region in masks_nm))
    m = preprocess.drop_delays(m, drop_delays_ps)
    if background:
        m = preprocess.subtract_background(m, background_before_ps)
    struck = preprocess.struck_delays(m)
    if struck:
        named = ", ".join(f"{t:.4g}" for t in struck)
        m = replace(m, steps=(*m.steps, f"struck delays? look at {named} ps"))
    return _measured(preprocess.reject_spikes(m, threshold=10.0))


def _measured(m: Matrix) -> Matrix:
    """Without wavelengths at which next to nothing was measured: no spectrum is known there, and
    what the few cells allow makes a search end before its minimum."""
    there = np.isfinite(m.signal).mean(axis=0) >= _SEEN
    if there.all() or not there.any():
        return m
    named = ", ".join(f"{nm:.4g}" for nm in m.wavelength_nm[~there])
    said = f"less than {100 * _SEEN:.0f} % of the delays measured at {named} nm: left out"
    return m.take(wavelengths=there, step=said)


def _windowed(m: Matrix, window_nm) -> Matrix:
    if not window_nm:
        return m
    first, last = m.wavelength_nm[0], m.wavelength_nm[-1]
    inside = (m.wavelength_nm >= window_nm[0]) & (m.wavelength_nm <= window_nm[1])
    beyond = window_nm[0] < first or window_nm[1] > last
    if not inside.any() or (beyond and inside.mean() < 0.2):
        said = (
            f"window {window_nm[0]:g} to {window_nm[1]:g} nm not applied: "
            f"the probe spans {first:.4g} to {last:.4g} nm"
        )
        return replace(m, steps=(*m.steps, said))
    return preprocess.crop(m, wavelength_nm=(max(window_nm[0], first), min(window_nm[1], last)))


def start_model(
    m: Matrix,
    *,
    lifetimes_ps: Sequence[float],
    fwhm_ps: float,
    dispersion_order: int,
    artefact: int,
) -> tuple[Model, preprocess.Chirp | None]:
    """A model whose centre and dispersion start at the chirp found in the data; without dispersion
    where none can be found, and without artefact where the delays do not resolve it.

    Parameters
    ----------
    m : Matrix
    lifetimes_ps : sequence of float
    fwhm_ps : float
    dispersion_order : int
        0: none.
    artefact : int
        Columns of the coherent artefact.

    Returns
    -------
    (Model, Chirp or None)
    """
    chirp = None
    artefact = resolved_artefact(m, artefact, fwhm_ps)
    if dispersion_order and not m.rise.late:
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


# difference of two dispersions, in widths of the response, below which they are taken for one
_APART = 0.25


def common_dispersion(
    matrices: Sequence[Matrix], model: Model, *, t0_ps: Sequence[float | None] = ()
) -> GlobalFit | None:
    """One fit of all sets with a common response and dispersion, lifetimes and zero times their
    own, on neighbouring wavelengths averaged to about 40.

    The group delay of the probe belongs to the instrument; one set alone may not show it where it
    has no signal. Whether the sets share it is tested: each is fitted alone too, and one whose
    residual falls significantly (p < 10⁻³, F test over effective wavelengths) with a dispersion
    that differs by more than a quarter of the response where it has signal is named in the result's
    flags; its own dispersion must then be fitted (`with_dispersion`). None without dispersion.

    Parameters
    ----------
    matrices : sequence of Matrix
    model : Model
        With start values of the dispersion.
    t0_ps : sequence of float or None
        Zero time at which the search begins, one a set, as from a fit of its own: an artefact's
        derivatives move the rise too, and a start half a response off ends in another minimum.
        Without: from the rise.

    Returns
    -------
    GlobalFit or None

    References
    ----------
    .. [1] S. A. Kovalenko et al., Phys. Rev. A 59, 2369 (1999), doi:10.1103/PhysRevA.59.2369
    """
    wavelengths = 40
    if not model.dispersion:
        return None
    coarse = [
        preprocess.bin_wavelengths(m, max(1, len(m.wavelength_nm) // wavelengths)) for m in matrices
    ]
    free = replace(model, t0_ps=model.t0_ps if len(coarse) == 1 else None)
    names = [identifier(m.name) for m in coarse]
    at = {f"t0_{n}": t for n, t in zip(names, t0_ps, strict=False) if t is not None}
    begun = {"parameters": at, "starts": 0 if at else 2}
    joint = global_fit(coarse, free, link=("fwhm", "dispersion"), **begun)
    if len(coarse) == 1:
        return joint
    apart = tuple(m.name for i, m in enumerate(coarse) if _own_dispersion(joint, i))
    said = tuple(f"{name}: does not share the dispersion of the other sets" for name in apart)
    for sentence in said:
        warnings.warn(sentence, stacklevel=2)
    return replace(joint, flags=(*joint.flags, *said), options={**joint.options, "apart": apart})


def _own_dispersion(joint: GlobalFit, i: int) -> bool:
    """Whether one set is described significantly and visibly better with a dispersion of its
    own."""
    m, model = joint.matrices[i], joint.model
    local = joint.setup.locals[i]
    at = {n: joint.optimum[local[n]] for n in model.names}
    bends = [f"dispersion_{j + 1}" for j in range(len(model.dispersion))]
    alone = global_fit(m, model, parameters=at, starts=0)
    rows = joint.rows[i]
    with_joint = float(np.trace(rows.gram))
    independent = min(effective_wavelengths(differences(rows.gram)), m.shape[1])
    count = max((len(m.delay_ps) - len(model.spectra)) * independent - len(alone.theta), 1)
    extra = len(bends) + 1
    f_value = (with_joint - alone.ssr) / extra / max(alone.ssr / count, 1e-300)
    if stats.f.sf(max(f_value, 0), extra, count) > 1e-3:
        return False
    found = [alone.value(n) - at[n] for n in bends]
    differ = np.array(found) @ model.dispersion_terms(m.wavelength_nm)
    weight = np.sqrt(np.nanmean(m.signal**2, axis=0))
    differ = differ - np.average(differ, weights=weight)
    return float(np.sqrt(np.average(differ**2, weights=weight))) > _APART * alone.value("fwhm")


def with_dispersion(model: Model, joint: GlobalFit | None) -> Model:
    """The model with the dispersion of a fit, kept, and its response as start; where some sets do
    not share it, as a start only.

    Parameters
    ----------
    model : Model
    joint : GlobalFit or None
        As `common_dispersion` gives it.

    Returns
    -------
    Model
    """
    if joint is None:
        return model
    names = [f"dispersion_{i + 1}" for i in range(len(model.dispersion))]
    return replace(
        model,
        t0_ps=joint.value("t0") if "t0" in joint.setup.names else None,
        fwhm_ps=joint.value("fwhm"),
        dispersion=tuple(joint.value(n) for n in names),
        fixed=(*model.fixed, *(() if joint.options.get("apart") else names)),
    )


def with_chirp(model: Model, points: Sequence[tuple[float, float]]) -> Model:
    """The model with its dispersion held at the parabola (line) through points (nm, ps); its zero
    time is still fitted.

    Parameters
    ----------
    model : Model
    points : sequence of (nm, ps)

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        For fewer than two points, or points that are no wavelengths.
    """
    nm, ps = np.asarray(points, float).reshape(len(points), -1).T[:2]
    if len(np.unique(nm)) < 2 or not (nm > 0).all() or not np.isfinite(ps).all():
        raise ValueError(f"chirp: expected two or more points (nm, ps), found {list(points)}")
    xi = 1e3 / nm - 1e3 / model.reference_nm
    t0, *bends = np.polyfit(xi, ps, min(2, len(np.unique(nm)) - 1))[::-1]
    names = [f"dispersion_{i + 1}" for i in range(len(bends))]
    kept = [name for name in model.fixed if not name.startswith("dispersion_")]
    return replace(
        model,
        t0_ps=float(t0),
        dispersion=tuple(map(float, bends)),
        dispersion_axis="wavenumber",
        fixed=(*kept, *names),
    )


def with_components(model: Model, count: int, last_ps: float) -> Model:
    """The model with that many lifetimes; where it has another number, they start spread between
    the response and the last delay.

    Parameters
    ----------
    model : Model
    count : int
    last_ps : float
        Last delay.

    Returns
    -------
    Model
    """
    if count == model.components:
        return model
    spread = np.geomspace(2 * model.fwhm_ps, last_ps / 2, count + 2)
    return replace(model, lifetimes_ps=tuple(spread[1:-1]))


def fitted_chirp(fit: GlobalFit, matrix: int = 0):
    """t0(λ) of a fit as a function of wavelength.

    Parameters
    ----------
    fit : GlobalFit
    matrix : int
        Number of the data set.

    Returns
    -------
    callable
        t0 (ps) of wavelengths (nm).
    """
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
    """The matrix with the fitted chirp taken out; missing cells stay missing, delays that the chirp
    moves out of some wavelengths go.

    Parameters
    ----------
    m : Matrix
    fit : GlobalFit

    Returns
    -------
    Matrix
    """
    if not fit.model.dispersion:
        return m
    chirp = fitted_chirp(fit)
    out = preprocess.correct_chirp(m, chirp)
    shift = chirp(m.wavelength_nm) - np.median(chirp(m.wavelength_nm))
    whole = out.delay_ps >= m.delay_ps[0] - min(shift.min(), 0.0) - 1e-12
    return out.take(delays=whole)


def refit(
    m: Matrix, model: Model, count: int, fwhm_ps: float, from_ps: float, longest_nm: float
) -> GlobalFit:
    """`count` lifetimes at a held response, of a part of a map without chirp: delays from `from_ps`
    on, wavelengths to `longest_nm`, six of them at least.

    Parameters
    ----------
    m : Matrix
    model : Model
        Start values.
    count : int
        Lifetimes.
    fwhm_ps : float
        Held.
    from_ps : float
    longest_nm : float

    Returns
    -------
    GlobalFit
    """
    window = m.wavelength_nm[0], max(longest_nm, m.wavelength_nm[5])
    part = preprocess.crop(m, wavelength_nm=window, delay_ps=(from_ps, m.delay_ps[-1]))
    held = replace(with_components(model, count, part.delay_ps[-1]), fwhm_ps=fwhm_ps)
    return global_fit(part, replace(held, fixed=("fwhm",)))


def lifetime_rows(fits: Mapping[str, GlobalFit]) -> list[tuple[str, ...]]:
    """One row a component: value ± standard error of each fit, ps.

    Parameters
    ----------
    fits : mapping of str to GlobalFit

    Returns
    -------
    list of tuple of str
    """
    n = max(len(f.lifetimes_ps) for f in fits.values())
    rows = []
    for i in range(n):
        cells = [
            f"{ufloat(f.lifetimes_ps[i], f.lifetime_errors()[i]):.1ufP}".replace("±", " ± ")
            if i < len(f.lifetimes_ps)
            else ""
            for f in fits.values()
        ]
        rows.append((f"τ{i + 1} (ps)", *cells))
    return rows


def stem(label: str) -> str:
    """A label as the beginning of a file name.

    Parameters
    ----------
    label : str

    Returns
    -------
    str
        An underscore for all but letters and digits.
    """
    return "".join(c if c.isalnum() else "_" for c in label)


def fit_files(label: str, fit: GlobalFit, corrected: Matrix) -> Iterator[tuple[str, str]]:
    """Names and contents of what is kept of a fit: spectra, chirp-corrected matrix, record.

    Parameters
    ----------
    label : str
        Beginning of the names.
    fit : GlobalFit
    corrected : Matrix
        Its data without the chirp.

    Yields
    ------
    name, content : str
    """
    name = stem(label)
    yield f"{name}_dads.csv", export.spectra_csv(fit.spectra())
    yield f"{name}_eads.csv", export.spectra_csv(fit.eads())
    yield f"{name}_fit.json", files.to_json(export.fit_record(fit))
    yield f"{name}_corrected.csv", export.matrix_csv(corrected)


def save_fit(folder: Path, label: str, fit: GlobalFit, corrected: Matrix) -> None:
    """Write spectra, chirp-corrected matrix and record of a fit into a folder.

    Parameters
    ----------
    folder : Path
    label : str
        Beginning of the names.
    fit : GlobalFit
    corrected : Matrix
        Its data without the chirp.
    """
    for name, content in fit_files(label, fit, corrected):
        files.write_atomically(folder / name, content)


@dataclass(frozen=True)
class PLSeries:
    """Fluorescence spectra of a film: fresh and after each scan. Mean wavelengths in nm;
    `blue_share` is the share of counts bluer than two widths below the fresh mean."""

    fresh_nm: float
    fresh_error_nm: float
    after_nm: np.ndarray
    blue_share_fresh: float
    blue_share_after: float
    blue_share_error: float


def read_pl_series(path: Path) -> PLSeries:
    """Mean wavelengths from a table of counts: wavelength, fresh spectrum, then one column a scan.

    The dark level is the mean of the reddest and bluest twentieth; errors from Poisson counts.

    Parameters
    ----------
    path : Path
        Table of counts over wavelength (nm).

    Returns
    -------
    PLSeries

    Raises
    ------
    FormatError
        If it is no such table.
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
    """Pairs per crystal (from the file's notes), fitted lifetimes and their errors, for files of
    rising fluence.

    Parameters
    ----------
    paths : sequence of Path
        Each with a note 'Average pairs per crystal'.
    model : Model
        Start of the first; each starts where the one before ended.

    Returns
    -------
    (ndarray, ndarray, ndarray)
        Pairs (n,), lifetimes and standard errors (n, components) in ps.
    """
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
    """Mean amplitude of the slowest decay in a band and its standard error, mOD, for each fit that
    reaches into the band.

    Parameters
    ----------
    fits : mapping of label to GlobalFit
    low_nm, high_nm : float

    Returns
    -------
    dict of label to (float, float)
    """
    out = {}
    for label, fit in fits.items():
        try:
            a = band_amplitude(fit, -1, low_nm, high_nm)
        except ValueError:
            continue
        out[label] = (a.value * 1e3, a.standard_error * 1e3)
    return out
