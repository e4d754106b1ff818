"""Parts of signals: the window of each that somebody chose to be analysed, the rest left out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from peled.formats import FormatError
from peled.formats.vamas import Spectrum
from peled.samples import Held

#: Of a signal with points: its axis, its values.
_AXES = {
    "xrd": ("two_theta_deg", "intensity"),
    "xps": ("binding_energy_eV", "counts"),
    "ups": ("binding_energy_eV", "counts"),
    "ftir": ("wavenumber_cm1", "absorbance"),
}
_LEAST = 12  #: points of a window


def signals(held: Held) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Axis and values of what a row holds, by the name that `cut` knows; none of an image, nor of
    what cannot be converted, of which the report says why.

    Parameters
    ----------
    held : Held

    Returns
    -------
    dict of str to (ndarray, ndarray), each of shape (n,)
        Axis as measured (2θ in degrees, binding or photon energy in eV, wavenumber in 1/cm).
    """
    if held.row.measurement == "absorption":
        return {held.row.label: held.data}
    if held.row.measurement not in _AXES:
        return {}
    x, y = _AXES[held.row.measurement]
    found = {}
    for name, one in zip(_names(held), _parts(held), strict=True):
        with contextlib.suppress(FormatError):
            found[name] = (getattr(one, x), getattr(one, y))
    return found


def cut(held: Held, windows: Mapping[str, tuple[float, float]]) -> Held:
    """The row with its signals inside their windows; the same row where none is chosen.

    Parameters
    ----------
    held : Held
    windows : mapping of str to (float, float)
        Ends by the name of the signal, in the unit of its axis and any order.

    Returns
    -------
    Held

    Raises
    ------
    ValueError
        If fewer than twelve points lie in a window.
    """
    if not any(name in windows for name in _names(held)):
        return held
    if held.row.measurement == "absorption":
        x, y = held.data
        inside = _inside(x, windows[held.row.label])
        return replace(held, data=(x[inside], y[inside]))
    axis = _AXES[held.row.measurement][0]
    parts = tuple(
        part(one, _inside(getattr(one, axis), windows[name])) if name in windows else one
        for name, one in zip(_names(held), _parts(held), strict=True)
    )
    return replace(held, data=parts if isinstance(held.data, tuple) else parts[0])


def _parts(held: Held) -> tuple[Any, ...]:
    return held.data if isinstance(held.data, tuple) else (held.data,)


def _names(held: Held) -> list[str]:
    if held.row.measurement == "absorption":
        return [held.row.label]
    return [
        f"{held.row.label} {one.name}" if isinstance(one, Spectrum) else held.row.label
        for one in _parts(held)
    ]


def part(one: Any, kept: np.ndarray) -> Any:
    """A pattern or spectrum with those of its points alone.

    Parameters
    ----------
    one : dataclass
        With arrays of shape (n,) over its points.
    kept : ndarray of bool, shape (n,)

    Returns
    -------
    dataclass
        Of the same class; fields of other shapes are as they were.
    """
    columns = {f.name: getattr(one, f.name) for f in fields(one)}
    return replace(
        one,
        **{
            name: value[kept]
            for name, value in columns.items()
            if isinstance(value, np.ndarray) and value.shape == kept.shape
        },
    )


def _inside(x: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    low, high = sorted(map(float, ends))
    inside = (x >= low) & (x <= high)
    if inside.sum() < _LEAST:
        raise ValueError(
            f"window {low:g} to {high:g}: expected {_LEAST} points, found {inside.sum()}"
        )
    return inside
