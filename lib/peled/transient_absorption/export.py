"""What is kept of a fit: spectra and matrices as CSV, and a record from which the fit can be
repeated."""

from __future__ import annotations

from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from peled.transient_absorption.globalfit import global_fit
from peled.transient_absorption.irf import MeasuredIRF
from peled.transient_absorption.schemes import Model, Scheme
from peled.transient_absorption.setup import as_matrices


def spectra_csv(spectra) -> str:
    """Spectra with standard errors, one row a wavelength."""
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
    """A matrix with delays down and wavelengths across; missing points are empty-free `NaN`."""
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


def fit_record(fit) -> dict:
    """Model, start values, data windows, options, results and versions of a fit, as plain JSON
    values."""
    model = {f.name: getattr(fit.model, f.name) for f in fields(Model)}
    if isinstance(model["irf"], MeasuredIRF):
        model["irf"] = {
            "time_ps": list(map(float, model["irf"].time_ps)),
            "intensity": list(map(float, model["irf"].intensity)),
        }
    if model["scheme"] is not None:
        s = model["scheme"]
        model["scheme"] = {
            "transfers": [[a, b, name] for (a, b), name in s.transfers.items()],
            "start_ps": dict(s.start_ps),
            "initial": dict(s.initial),
        }
    model = {
        k: list(v)
        if isinstance(v, tuple)
        else {n: list(b) for n, b in v.items()}
        if k == "bounds_ps"
        else v
        for k, v in model.items()
    }
    return {
        "model": model,
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


def model_from_record(record: dict) -> Model:
    """The model of a record; with its `start` and `options`, `global_fit` repeats the fit."""
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
    given["bounds_ps"] = {k: tuple(v) for k, v in given["bounds_ps"].items()}
    return Model(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def repeat(record: dict, data):
    """Repeat a recorded fit on the same data.

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
