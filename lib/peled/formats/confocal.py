"""Image series of a confocal or wide-field microscope as TIFF stacks (ImageJ, OME or plain),
through tifffile.

Tried on the stacks of github.com/hyperspy/rosettasciio (`rsciio/tests/data/tiff`) that ImageJ and
DigitalMicrograph saved.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import allow, reader
from peled.formats.images import tiff_pixel_nm

_COARSEST_NM = 2e4  # a coarser pixel in the standard tags is a print resolution


@dataclass(frozen=True)
class ImageStack:
    """Frames (t, y, x) of counts, side of a pixel in µm, time between frames in s; None where the
    file does not say.
    """

    path: Path
    frames: np.ndarray = field(repr=False)
    pixel_um: float | None
    interval_s: float | None


@reader("a TIFF image series")
def read_stack(path: str | os.PathLike) -> ImageStack:
    """A series of images of a confocal microscope, from a TIFF stack.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ImageStack

    Raises
    ------
    FormatError
        Not a TIFF, damaged, colour images, or more dimensions than time, y and x.
    """
    import tifffile

    path = Path(path)
    start = read_bytes(path, what="a TIFF image series")[:4]
    if start[:2] not in (b"II", b"MM"):
        raise FormatError(
            path,
            place="byte 0",
            expected="a TIFF file",
            found=repr(start),
            advice="export the series as TIFF (.czi and .lif through the microscope's software)",
        )
    with tifffile.TiffFile(path) as file:
        allow(path, 8 * file.series[0].size, "frames")
        frames = np.squeeze(file.asarray())
        notes = file.imagej_metadata or {}
        pixel_nm = tiff_pixel_nm(file.pages[0], _COARSEST_NM)
    if frames.ndim == 2:
        frames = frames[None]
    if frames.ndim != 3 or frames.shape[-1] in (3, 4):
        raise FormatError(
            path,
            expected="frames of one channel (time, y, x)",
            found=f"shape {frames.shape}",
            advice="export one channel and one plane",
        )
    return ImageStack(
        path,
        frames.astype(float),
        pixel_nm / 1e3 if pixel_nm else None,
        float(notes.get("finterval") or 0) or None,
    )
