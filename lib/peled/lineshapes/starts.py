"""First guesses for a fit, from the data: only good enough to start from."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks, peak_widths

from peled.lineshapes.bands import SHAPES
from peled.lineshapes.model import BandModel


def smooth(y: np.ndarray, width: int) -> np.ndarray:
    """Running mean over an odd number of points, twice, along the last axis."""
    width = max(1, int(width) // 2 * 2 + 1)
    return y if width == 1 else uniform_filter1d(uniform_filter1d(y, width, axis=-1, mode="nearest"), width, axis=-1, mode="nearest")


def guess(model: BandModel, x: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Start values (n, q) of the free parameters: what the model states, the rest read off each spectrum's peaks."""
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
        line = np.full(m, min(left, right)) if model.baseline == 0 else left + (right - left) * (x - x[0]) / span
    signal = y - line
    calm = smooth(signal, m // 60)
    sign = 1.0 if calm.max() >= -calm.min() else -1.0
    peaks, properties = find_peaks(sign * calm, prominence=0.02 * np.ptp(calm) if np.ptp(calm) > 0 else None)
    ranked = list(peaks[np.argsort(-properties["prominences"], kind="stable")]) if len(peaks) else [int(np.argmax(sign * calm))]
    spec = model.specification
    stated = {band: spec[f"{band}_centre"].value for band in model.bands}
    weight = np.maximum(sign * calm, 0)
    cumulative = np.cumsum(weight) / max(weight.sum(), 1e-300)
    found = {}
    open_bands = [band for band, centre in stated.items() if centre is None and spec[f"{band}_centre"].tie is None]
    taken = [centre for centre in stated.values() if centre is not None]
    free_peaks = [p for p in ranked if all(abs(x[p] - c) > 0.02 * span for c in taken)] or ranked
    for k, band in enumerate(open_bands):
        if k < len(free_peaks):
            found[band] = x[free_peaks[k]]
        else:  # fewer maxima than bands: spread the rest over the intensity
            found[band] = x[min(np.searchsorted(cumulative, (k - len(free_peaks) + 1) / (len(open_bands) - len(free_peaks) + 1)), m - 1)]
    start = {}
    for band, shape in model.bands.items():
        centre = stated[band] if stated[band] is not None else found.get(band, x[ranked[0]])
        at = int(np.argmin(np.abs(x - centre)))
        near = min(peaks, key=lambda p: abs(p - at), default=ranked[0])
        width = float(peak_widths(sign * calm, [near], rel_height=0.5)[0][0]) * span / max(m - 1, 1) if len(peaks) else 0.0
        width = width if width > 0 else span / 10
        height = calm[at] if calm[at] != 0 else sign * np.abs(calm).max()
        guesses = {"area": height * width * 1.064, "centre": centre, "fwhm": width, "fwhm_gauss": 0.7 * width, "fwhm_lorentz": 0.4 * width,
                   "fraction": 0.5, "tail": 0.2 * width, "fwhm_low": width, "fwhm_high": width}
        for parameter in ("area", *SHAPES[shape].parameters):
            start[f"{band}_{parameter}"] = guesses[parameter]
    start["base_0"] = float(np.median(line))
    return np.array([spec[name].value if spec[name].value is not None else start.get(name, 0.0) for name in model.free])
