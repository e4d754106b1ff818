"""Noise as instruments make it, each of standard deviation 1."""

from __future__ import annotations

import numpy as np


def pink(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Power as 1/f along the last axis, from one turn over the axis on."""
    n = shape[-1]
    f = np.fft.rfftfreq(n)
    f[0] = np.inf
    made = np.fft.irfft(np.fft.rfft(rng.standard_normal(shape)) / np.sqrt(f), n)
    return made / np.sqrt(2 / n * np.sum(1 / f))


def correlated(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Neighbours along the last axis err together: white noise seen through three points."""
    wide = rng.standard_normal((*shape[:-1], shape[-1] + 2))
    return (wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / np.sqrt(6)


def white(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


SHAPES = {"white": white, "1/f": pink, "correlated": correlated}
