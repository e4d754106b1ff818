"""First guesses for a fit, from the data: only good enough to start from."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from peled.lineshapes.bands import SHAPES
from peled.lineshapes.model import BandModel


def smooth(y: np.ndarray, width: int) -> np.ndarray:
    """Running mean over an odd number of points, twice, along the last axis.

    Parameters
    ----------
    y : ndarray, shape (..., m)
    width : int
        Points; of an even number one more, and none are averaged below 2.

    Returns
    -------
    ndarray, shape (..., m)
    """
    width = max(1, int(width) // 2 * 2 + 1)
    return (
        y
        if width == 1
        else uniform_filter1d(
            uniform_filter1d(y, width, axis=-1, mode="nearest"), width, axis=-1, mode="nearest"
        )
    )


def calm_and_top(y: np.ndarray) -> tuple[np.ndarray, int]:
    """One spectrum smoothed over about an eighth of its main band, and the index of its maximum.

    The noisy top of a broad band has many maxima; a line of a few points must not be smoothed at
    all. So: as much as the noise asks for (left under 4 % of the maximum), then as much as the
    width found allows.

    Parameters
    ----------
    y : ndarray, shape (m,)
        Less its baseline, with the main band upright.

    Returns
    -------
    calm : ndarray, shape (m,)
    top : int
    """
    m = len(y)
    noise = (
        float(np.median(np.abs(np.diff(y, 3)))) / (0.6744897501960817 * np.sqrt(20))
        if m >= 8
        else 0.0
    )
    width, calm = 1, y
    while (
        noise * np.sqrt(1.0 if width == 1 else 2 / (3 * width)) > 0.04 * calm.max()
        and 2 * width + 1 <= m // 6
    ):
        width = 2 * width + 1
        calm = smooth(y, width)
    for _ in range(2):
        low, high = run(calm > 0.5 * calm.max(), int(np.argmax(calm)))
        calm = (
            smooth(y, max(width, (high - low) // 8))
            if high - low >= 16
            else (smooth(y, width) if width > 1 else y)
        )
    return calm, int(np.argmax(calm))


def run(condition: np.ndarray, at: int) -> tuple[int, int]:
    """First and one past the last index of the unbroken run of True around `at`.

    Parameters
    ----------
    condition : ndarray of bool, shape (m,)
        True at `at`.
    at : int

    Returns
    -------
    low, high : int
    """
    breaks = np.flatnonzero(~condition)
    place = np.searchsorted(breaks, at)
    return (int(breaks[place - 1]) + 1 if place > 0 else 0), (
        int(breaks[place]) if place < len(breaks) else len(condition)
    )


def guess(model: BandModel, x: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Start values (n, q) of the free parameters: what the model states, the rest read off each
    spectrum.

    Bands without a stated centre are peeled off from the strongest to the weakest, in the order of
    the model.

    Parameters
    ----------
    model : BandModel
    x : ndarray, shape (1, m) or (n, m)
        One axis for all spectra, or one each.
    Y : ndarray, shape (n, m)

    Returns
    -------
    ndarray, shape (n, q)
        Within the bounds of the model.
    """
    rows = np.array([_guess_one(model, x[i if len(x) > 1 else 0], y) for i, y in enumerate(Y)])
    return np.clip(rows, model.lower, model.upper)


def _guess_one(model, x, y):
    order = np.argsort(x)
    x, y = x[order], y[order]
    m, span = len(x), x[-1] - x[0]
    line = np.zeros(m)
    if model.baseline is not None:
        edge = max(1, m // 20)
        left, right = np.median(y[:edge]), np.median(y[-edge:])
        line = (
            np.full(m, min(left, right))
            if model.baseline == 0
            else left + (right - left) * (x - x[0]) / span
        )
    signal = y - line
    upright, downward = calm_and_top(signal), calm_and_top(-signal)
    sign = 1.0 if upright[0].max() >= 0.5 * downward[0].max() else -1.0
    rest = (upright if sign > 0 else downward)[0].copy()
    spec = model.specification
    start = {"base_0": float(np.median(line))}
    # stated bands first, so that the others are looked for in what they leave
    for band in sorted(model.bands, key=lambda name: spec[f"{name}_centre"].value is None):
        shape = SHAPES[model.bands[band]]
        stated = spec[f"{band}_centre"].value
        top = int(np.argmax(rest)) if stated is None else int(np.argmin(np.abs(x - stated)))
        centre, height = (
            (x[top] if stated is None else stated),
            max(rest[top], 1e-3 * np.abs(signal).max()),
        )
        low, high = run(rest > 0.5 * height, top)
        # the steeper side belongs to this band, the other may be a neighbour's
        half = min(x[min(high, m - 1)] - x[top], x[top] - x[max(low - 1, 0)])
        width = max(
            2 * half if half > 0 else x[min(high, m - 1)] - x[max(low - 1, 0)], 1.5 * span / m
        )
        values = {
            "area": sign * height * width * 1.064,
            "centre": centre,
            "fwhm": width,
            "fwhm_gauss": 0.7 * width,
            "fwhm_lorentz": 0.4 * width,
            "fraction": 0.5,
            "tail": 0.2 * width,
            "fwhm_low": width,
            "fwhm_high": width,
        }
        for parameter in ("area", *shape.parameters):
            start[f"{band}_{parameter}"] = values[parameter]
        rest -= height * np.exp(-4 * np.log(2) * ((x - centre) / width) ** 2)
    return np.array(
        [
            spec[name].value if spec[name].value is not None else start.get(name, 0.0)
            for name in model.free
        ]
    )
