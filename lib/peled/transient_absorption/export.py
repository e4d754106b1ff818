"""What is kept of a fit: spectra and matrices as CSV, and a record from which the fit can be
repeated."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from scipy.io import netcdf_file

from peled.transient_absorption import terms
from peled.transient_absorption.globalfit import global_fit
from peled.transient_absorption.irf import MeasuredIRF
from peled.transient_absorption.schemes import Model, Scheme
from peled.transient_absorption.setup import as_matrices


def spectra_csv(spectra) -> str:
    """Spectra with standard errors, one row a wavelength.

    Parameters
    ----------
    spectra : Spectra
        nm, and the unit of the signal.

    Returns
    -------
    str
    """
    heads = ["wavelength (nm)"]
    for name in spectra.names:
        heads += [name, f"{name} standard error"]
    rows = [
        [w, *(x for pair in zip(v, e, strict=True) for x in pair)]
        for w, v, e in zip(
            spectra.wavelength_nm, spectra.values.T, spectra.standard_errors.T, strict=True
        )
    ]
    return "\n".join([",".join(heads), *(",".join(f"{x:.7g}" for x in row) for row in rows)]) + "\n"


def matrix_csv(m) -> str:
    """A matrix with delays down and wavelengths across; missing points are empty-free `NaN`.

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    str
    """
    head = ",".join(["delay (ps)\\wavelength (nm)", *(f"{w:.7g}" for w in m.wavelength_nm)])
    return (
        "\n".join(
            [
                head,
                *(
                    ",".join(
                        [f"{t:.7g}", *("NaN" if not np.isfinite(v) else f"{v:.6g}" for v in row)]
                    )
                    for t, row in zip(m.delay_ps, m.signal, strict=True)
                ),
            ]
        )
        + "\n"
    )


def netcdf(fit, matrix: int = 0) -> bytes:
    """One data set and its fit as NetCDF (version 3, 64-bit offsets), for xarray and pyglotaran.

    Variables `data`, `fitted_data`, `residual` (time, spectral) and, where there are errors,
    `standard_error`; the fitted spectra and their errors (component, spectral) with `lifetime` (ps;
    NaN for what is no decay); times in ps, wavelengths in nm. The record of the fit stands as JSON
    in the attribute `record`.

    Parameters
    ----------
    fit : GlobalFit
    matrix : int
        Number of the set.

    Returns
    -------
    bytes
        Of the file.
    """
    m, spectra = fit.matrices[matrix], fit.spectra(matrix)
    stream = io.BytesIO()
    out = netcdf_file(stream, "w", version=2)
    names = [name.encode() for name in spectra.names]
    width = max(map(len, names))
    lifetimes = np.full(len(names), np.nan)
    if not fit.model.restricted:
        lifetimes[: len(spectra.lifetimes_ps)] = spectra.lifetimes_ps
    sizes = {"time": m.shape[0], "spectral": m.shape[1], "component": len(names), "letter": width}
    for name, size in sizes.items():
        out.createDimension(name, size)
    tables = {
        "time": (("time",), m.delay_ps, "ps"),
        "spectral": (("spectral",), m.wavelength_nm, "nm"),
        "lifetime": (("component",), lifetimes, "ps"),
        "data": (("time", "spectral"), m.signal, m.unit),
        "fitted_data": (("time", "spectral"), fit.fitted(matrix), m.unit),
        "residual": (("time", "spectral"), fit.residual(matrix), m.unit),
        "spectra": (("component", "spectral"), spectra.values, m.unit),
        "spectra_standard_error": (("component", "spectral"), spectra.standard_errors, m.unit),
    }
    if m.standard_error is not None:
        tables["standard_error"] = (("time", "spectral"), m.standard_error, m.unit)
    for name, (axes, values, unit) in tables.items():
        variable = out.createVariable(name, "f8", axes)
        variable[:] = values
        variable.units = unit
    letters = out.createVariable("component", "c", ("component", "letter"))
    letters[:] = np.array([list(n.ljust(width, b"\0").decode("latin-1")) for n in names], "S1")
    letters._Encoding = "utf-8"  # read as words, not as bytes
    out.record = json.dumps(fit_record(fit), allow_nan=False)
    out.flush()
    content = stream.getvalue()
    out.close()
    return content


def fit_record(fit) -> dict:
    """Model, start values, data windows, options, results and versions of a fit.

    Parameters
    ----------
    fit : GlobalFit

    Returns
    -------
    dict
        Plain JSON values.
    """
    return {
        "model": _record_of(fit.model),
        "start": [
            {
                "name": p.name,
                "value": p.value,
                "low": _plain(p.low),
                "high": _plain(p.high),
                "vary": p.vary,
                "relation": p.relation,
            }
            for p in fit.setup.parameters
        ],
        "options": {k: list(v) if isinstance(v, tuple) else v for k, v in fit.options.items()},
        "data": [
            {
                "name": m.name,
                "unit": m.unit,
                "delays": len(m.delay_ps),
                "wavelengths": len(m.wavelength_nm),
                "delay_window_ps": [float(m.delay_ps[0]), float(m.delay_ps[-1])],
                "wavelength_window_nm": [float(m.wavelength_nm[0]), float(m.wavelength_nm[-1])],
                "steps": list(m.steps),
                "weighted": m.standard_error is not None,
            }
            for m in fit.matrices
        ],
        "result": {
            "parameters": [{k: _plain(v) for k, v in asdict(p).items()} for p in fit.parameters],
            "ssr": fit.ssr,
            "degrees_of_freedom": fit.degrees_of_freedom,
            "noise": fit.rms,
            "converged": fit.converged,
            "scaled_gradient_norm": fit.minimum.gradient_norm,
            "minima": [
                {
                    k: list(map(_plain, v)) if isinstance(v, tuple) else v
                    for k, v in asdict(m).items()
                }
                for m in fit.minima
            ],
            "determined": [asdict(c) for c in fit.combinations],
            "undetermined_directions": fit.null.tolist(),
            "flags": list(fit.flags),
            "free": list(fit.free),
            "covariance_of_logarithms": [[_plain(x) for x in row] for row in fit.covariance],
        },
        "versions": {name: _version(name) for name in ("numpy", "scipy", "peled")},
    }


def _record_of(model: Model) -> dict:
    out = {f.name: _listed(getattr(model, f.name)) for f in fields(Model)}
    if isinstance(model.irf, MeasuredIRF):
        out["irf"] = _listed(asdict(model.irf))
    if model.scheme is not None:
        s = model.scheme
        out["scheme"] = {
            "transfers": [[a, b, name] for (a, b), name in s.transfers.items()],
            "start_ps": dict(s.start_ps),
            "initial": dict(s.initial),
        }
    if model.law is not None:
        out["law"] = {"name": type(model.law).__name__, **_listed(asdict(model.law))}
    return out


def _listed(value):
    """Tuples and arrays as lists, mappings with text as keys."""
    if isinstance(value, Mapping):
        return {str(k): _listed(v) for k, v in value.items()}
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_listed(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def _tupled(value):
    if isinstance(value, Mapping):
        return {k: _tupled(v) for k, v in value.items()}
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value


def model_from_record(record: dict) -> Model:
    """The model of a record; with its `start` and `options`, `global_fit` repeats the fit.

    Parameters
    ----------
    record : dict
        As `fit_record` gives it.

    Returns
    -------
    Model
    """
    given = dict(record["model"])
    if given["scheme"]:
        s = given["scheme"]
        given["scheme"] = Scheme(
            {(a, b): name for a, b, name in s["transfers"]}, s["start_ps"], s["initial"]
        )
    if isinstance(given["irf"], dict):
        given["irf"] = MeasuredIRF(
            np.array(given["irf"]["time_ps"]), np.array(given["irf"]["intensity"])
        )
    if given["law"]:
        law = dict(given["law"])
        kind = getattr(terms, law.pop("name"))
        if kind is terms.Recombination:
            law["tau_ps"] = {int(order): tau for order, tau in law["tau_ps"].items()}
        given["law"] = kind(**law)
    plain = {k: v for k, v in given.items() if k not in ("scheme", "irf", "law")}
    return Model(**{**given, **_tupled(plain)})


def repeat(record: dict, data):
    """Repeat a recorded fit on the same data.

    Parameters
    ----------
    record : dict
        Of `fit_record`.
    data : Matrix, or sequence of them

    Returns
    -------
    GlobalFit

    Raises
    ------
    ValueError
        If the data are not those of the record (their shape or window differ).
    """
    matrices = as_matrices(data)
    for m, known in zip(matrices, record["data"], strict=True):
        if [len(m.delay_ps), len(m.wavelength_nm)] != [known["delays"], known["wavelengths"]]:
            raise ValueError(
                f"{m.name}: expected {known['delays']} delays × {known['wavelengths']} "
                f"wavelengths as in the record, found {len(m.delay_ps)} × {len(m.wavelength_nm)}"
            )
    given = {
        p["name"]: _Given(
            p["value"], _bound(p["low"], -1), _bound(p["high"], 1), p["vary"], p["relation"]
        )
        for p in record["start"]
    }
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in record["options"].items()}
    return global_fit(matrices, model_from_record(record), parameters=given, **options)


class _Given:
    def __init__(self, value, low, high, vary, expr):
        self.value, self.min, self.max, self.vary, self.expr = value, low, high, vary, expr


def _plain(x):
    if isinstance(x, (float, np.floating)):
        return float(x) if np.isfinite(x) else None
    return x


def _bound(x, sign):
    return sign * np.inf if x is None else x


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
