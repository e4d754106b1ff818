"""Confocal images of a folder as quantities: spots that single crystals may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from peled.formats.confocal import ImageStack
from peled.photoluminescence.confocal import find_spots
from peled.photoluminescence.measures import Result
from peled.quantities import Finding, Quantity
from peled.samples import Held, Holdings

LEAST = 5  #: spots that say anything of a film


def images(holdings: Holdings, members: Sequence[Held], settings: Mapping, labels) -> Result:
    """Spots per area, their width, and the share that still shines in the last frame.

    There are none where fewer than `LEAST` stand out of what noise of the same strength shows.

    Parameters
    ----------
    holdings : Holdings
        Not used: the row stands alone.
    members : sequence of Held
        One stack of images.
    settings : mapping
        Not used.
    labels : mapping
        Sample, state, kind and inputs of the quantities.

    Returns
    -------
    Result
        Per µm², nm (px where the file states no size of a pixel) and a fraction.

    Raises
    ------
    ValueError
        If the images are smaller than a few spots.
    """
    held = members[0]
    stack: ImageStack = held.data
    found = find_spots(stack.frames, pixel_um=stack.pixel_um)
    by_chance = len(find_spots(_noise_alone(stack.frames)))
    if len(found) < max(LEAST, by_chance + 4 * np.sqrt(by_chance)):
        said = (
            f"images: expected at least {LEAST} spots beside those of noise, found {len(found)}, "
            f"and {by_chance} in noise of the same strength"
        )
        return Result(held.row.label, labels["state"], (), stack, problems=(said,))
    made = []
    findings = ()
    if stack.pixel_um is None:
        said = "the file states no size of a pixel: no density, and widths in pixels"
        findings = (Finding("assumed", "reported", said),)
    else:
        made.append(("spots per area", found.per_um2, found.per_um2_error, "1/µm²"))
    if np.isfinite(found.fwhm_px):
        scale, unit = (1e3 * stack.pixel_um, "nm") if stack.pixel_um else (1.0, "px")
        made.append(("spot width", scale * found.fwhm_px, scale * found.fwhm_error_px, unit))
    if len(stack.frames) > 1:
        share = float(found.on_fraction()[-1])
        error = float(np.sqrt(max(share * (1 - share), 1 / len(found)) / len(found)))
        made.append(("share of spots that shine at the end", share, error, ""))
    quantities = tuple(
        Quantity(name, value=float(value), budget={"counting": float(error)}, unit=unit,
                 findings=findings, **labels)
        for name, value, error, unit in made
    )  # fmt: skip
    return Result(held.row.label, labels["state"], quantities, stack, None, found)


def _noise_alone(frames: np.ndarray) -> np.ndarray:
    """A frame of white noise as strong as that between neighbouring pixels of the mean image."""
    mean = frames.mean(axis=0)
    step = np.diff(mean, axis=1)
    spread = 1.4826 * np.median(np.abs(step - np.median(step))) / np.sqrt(2)
    return np.random.default_rng(0).normal(np.median(mean), spread, (1, *mean.shape))
