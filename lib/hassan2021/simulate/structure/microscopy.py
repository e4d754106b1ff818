"""Bright-field micrographs of nanocubes on amorphous carbon, built from atoms' projected potential
and the microscope's transfer.

The object is a weak phase plus absorption: cubes lying on a face, rotated at random, edges normally
distributed, some touching; inside, Gaussian atom columns of lead and halide. It is filtered by a
contrast transfer function with envelope, an amorphous film with a flat random phase is added before
filtering, and electrons are counted.
"""

from __future__ import annotations

import numpy as np

GAP_NM = 3.0  #: between cubes, at least


def transfer(
    shape,
    pixel_nm: float,
    *,
    defocus_nm: float = -60.0,
    cs_mm: float = 1.0,
    wavelength_pm: float = 2.51,
    envelope_nm: float = 0.11,
) -> np.ndarray:
    """sin(chi) with a Gaussian envelope, for 200 kV by default."""
    fy = np.fft.fftfreq(shape[0], pixel_nm)[:, None]
    fx = np.fft.rfftfreq(shape[1], pixel_nm)[None, :]
    k2 = fx**2 + fy**2
    wavelength = wavelength_pm * 1e-3
    chi = np.pi * wavelength * defocus_nm * k2 + 0.5 * np.pi * cs_mm * 1e6 * wavelength**3 * k2**2
    return np.sin(chi) * np.exp(-((np.pi * envelope_nm) ** 2) * k2)


def place_cubes(
    rng,
    extent_nm: tuple[float, float],
    mean_nm: float,
    sd_nm: float,
    *,
    touching: float = 0.15,
) -> np.ndarray:
    """Cubes on a disordered square lattice: rows of (x, y, edge, rotation in radians). A share of
    pairs touches face to face."""
    pitch = mean_nm + GAP_NM + 1.2 * sd_nm + 0.17 * mean_nm
    found = []
    for x in np.arange(-0.3 * pitch, extent_nm[0] + pitch, pitch):
        for y in np.arange(-0.3 * pitch, extent_nm[1] + pitch, pitch):
            edge = max(rng.normal(mean_nm, sd_nm), 0.4 * mean_nm)
            angle = rng.uniform(0, np.pi / 2)
            found.append(
                [
                    x + rng.uniform(-0.06, 0.06) * pitch,
                    y + rng.uniform(-0.06, 0.06) * pitch,
                    edge,
                    angle,
                ]
            )
    cubes = np.array(found)
    for i in np.flatnonzero(rng.random(len(cubes)) < touching):
        j = i + 1
        if (
            j < len(cubes) and abs(cubes[j, 0] - cubes[i, 0]) < 0.3 * pitch
        ):  # the next one along y moves to the face
            cubes[i, 3] = cubes[j, 3] = rng.choice([0.0, np.radians(3)])
            cubes[j, 0] = cubes[i, 0] + rng.uniform(-1, 1)
            cubes[j, 1] = cubes[i, 1] + 0.5 * (cubes[i, 2] + cubes[j, 2]) + 0.3
    return cubes


def micrograph(
    rng,
    shape,
    pixel_nm: float,
    cubes,
    *,
    a_nm: float = 0.605,
    dose_per_nm2: float = 3000.0,
    lattice_contrast: float = 0.35,
    **optics,
) -> np.ndarray:
    """Counts of electrons, float array; rows are y."""
    film_contrast, thickness_contrast = 0.05, 0.35
    rows, columns = shape
    y, x = np.mgrid[0:rows, 0:columns] * pixel_nm
    absorption, phase = np.zeros(shape), np.zeros(shape)
    mean_edge = np.mean(cubes[:, 2])
    for cx, cy, edge, angle in cubes:
        r = edge
        window = (
            slice(max(int((cy - r) / pixel_nm), 0), max(int((cy + r) / pixel_nm) + 1, 0)),
            slice(max(int((cx - r) / pixel_nm), 0), max(int((cx + r) / pixel_nm) + 1, 0)),
        )
        dx, dy = x[window] - cx, y[window] - cy
        if dx.size == 0:
            continue
        u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
        # Soft faces, half a pixel and the round of a real cube's corners.
        inside = np.clip((edge / 2 - np.abs(u)) / pixel_nm + 0.5, 0, 1) * np.clip(
            (edge / 2 - np.abs(v)) / pixel_nm + 0.5, 0, 1
        )
        absorption[window] += thickness_contrast * edge / mean_edge * inside
        if pixel_nm < 0.2:
            phase[window] += lattice_contrast * inside * _columns(u / a_nm, v / a_nm, a_nm)
    phase += film_contrast * rng.normal(size=shape) / pixel_nm * 0.3
    filtered = np.fft.irfft2(np.fft.rfft2(phase) * transfer(shape, pixel_nm, **optics), s=shape)
    expected = (
        np.maximum(np.exp(-absorption) * (1 + 2 * filtered), 0.02) * dose_per_nm2 * pixel_nm**2
    )
    return rng.poisson(expected).astype(float)


def _columns(u, v, a_nm: float) -> np.ndarray:
    """Projected potential along [001]: lead with halide at corners, halide at edge centres, as sums
    of Gaussians on the repeated cell."""

    def column(du, dv, weight, width_nm):
        pu, pv = (u - du + 0.5) % 1 - 0.5, (v - dv + 0.5) % 1 - 0.5
        return weight * np.exp(-0.5 * (pu**2 + pv**2) * (a_nm / width_nm) ** 2)

    return (
        column(0, 0, 1.0, 0.07)
        + column(0.5, 0, 0.33, 0.07)
        + column(0, 0.5, 0.33, 0.07)
        + column(0.5, 0.5, 0.10, 0.10)
        - 0.15
    )


def to_8bit(counts) -> np.ndarray:
    """Grey values as a camera program exports them, 0.1 to 99.9 percentile."""
    low, high = np.percentile(counts, [0.1, 99.9])
    return np.clip(255 * (counts - low) / (high - low), 0, 255).astype(np.uint8)
