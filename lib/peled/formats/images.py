"""Electron micrographs: `.tif`, Gatan `.dm3`/`.dm4`, `.mrc`, with the size of a pixel.

Reading is done by tifffile and rosettasciio; this module finds the pixel size in the places where microscopes and
programs put it, in nanometres, and refuses what is cut or has none.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import reader

_NM = {
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "µm": 1e3,
    "um": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "a": 0.1,
    "å": 0.1,
    "angstrom": 0.1,
    "angstroms": 0.1,
    "ångström": 0.1,
    "pm": 1e-3,
    "m": 1e9,
    "cm": 1e7,
    "mm": 1e6,
    "\\u00b5m": 1e3,
}
_INSTRUMENT_LIMIT_NM = 50.0  # a coarser pixel comes from a print resolution (72 dpi and the like), not from a microscope


@dataclass(frozen=True)
class Image:
    """One micrograph: `pixels` (rows, columns) float32, `pixel_nm` the edge of a square pixel, `metadata` as the file has it."""

    path: Path
    pixels: np.ndarray = field(repr=False)
    pixel_nm: float
    metadata: dict = field(default_factory=dict, repr=False)

    @property
    def extent_nm(self) -> tuple[float, float]:
        """Width and height in nanometres."""
        rows, columns = self.pixels.shape
        return columns * self.pixel_nm, rows * self.pixel_nm


@reader("a micrograph")
def read_image(path: str | os.PathLike, *, pixel_nm: float | None = None) -> Image:
    """Read a micrograph.

    Parameters
    ----------
    path : path-like
    pixel_nm : float, optional
        Size of a pixel; overrides the file's.

    Raises
    ------
    FormatError
        For a missing, cut or unknown file, a stack, non-square pixels, or no pixel size.
    """
    path = Path(path)
    head = read_bytes(path, what="a micrograph")[:512]
    suffix = path.suffix.lower()
    try:
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            pixels, size, metadata = _read_tiff(path)
        elif suffix in (".dm3", ".dm4") or head[:4] in (b"\0\0\0\3", b"\0\0\0\4"):
            pixels, size, metadata = _read_rosetta(path, "digitalmicrograph")
        elif suffix in (".mrc", ".map", ".rec", ".st") or head[208:212] == b"MAP ":
            pixels, size, metadata = _read_rosetta(path, "mrc")
        elif head[:8] == b"\x89PNG\r\n\x1a\n":
            from matplotlib.image import imread

            pixels, size, metadata = (
                imread(path),
                None,
                {},
            )  # a picture: its pixel size must be given
        else:
            raise FormatError(
                path,
                place="byte 0",
                expected="a .tif, .dm3, .dm4, .mrc or .png image",
                found=repr(head[:8]),
                advice="save it as .tif with its scale",
            )
    except FormatError:
        raise
    except Exception as error:  # the libraries raise whatever the damaged bytes lead to
        raise FormatError(
            path,
            expected="a whole image",
            found=f"{type(error).__name__}: {error}",
            advice="the file is cut or damaged; copy it again",
        ) from None
    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and pixels.shape[0] > 4:
        pixels = pixels[..., :3].mean(axis=-1)
    pixels = np.squeeze(pixels)
    if pixels.ndim != 2 or min(pixels.shape) < 16:
        raise FormatError(
            path,
            expected="one two-dimensional image",
            found=f"an array of shape {pixels.shape}",
            advice="save one frame",
        )
    pixels = pixels.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise FormatError(
            path,
            expected="finite pixel values",
            found=f"{int((~np.isfinite(pixels)).sum())} that are not",
        )
    size = pixel_nm if pixel_nm is not None else size
    if size is None or not 0 < size < np.inf:
        raise FormatError(
            path,
            place="metadata",
            expected="the size of a pixel",
            found="none",
            advice="give pixel_nm, or save the image with its scale",
        )
    return Image(path, pixels, float(size), metadata)


def write_tiff(path: str | os.PathLike, pixels: np.ndarray, pixel_nm: float) -> None:
    """Write an 8- or 16-bit image as an ImageJ TIFF with its scale, compressed by deflate."""
    import io

    import tifffile

    from peled import files

    stream = io.BytesIO()
    # An ImageJ file may not be compressed with metadata in every reader: the scale goes into the standard tags and the description.
    description = f"ImageJ=1.53\nunit=nm\nmin={int(pixels.min())}\nmax={int(pixels.max())}\n"
    tifffile.imwrite(
        stream,
        pixels,
        resolution=(1 / pixel_nm, 1 / pixel_nm),
        resolutionunit=1,
        description=description,
        compression="zlib",
        predictor=True,
        metadata=None,
        software=False,
    )
    files.write_atomically(path, stream.getvalue())


def _read_tiff(path: Path):
    import tifffile

    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        pixels = page.asarray()
        tags = {tag.name: tag.value for tag in page.tags.values()}
        metadata = {"ImageDescription": str(tags.get("ImageDescription", ""))}
        size = (
            _fei(tif)
            or _imagej(tags)
            or _ome(metadata["ImageDescription"])
            or _sis(tif)
            or _resolution(tags)
        )
    return pixels, size, metadata


def _fei(tif) -> float | None:
    fei = tif.fei_metadata
    if not fei:
        return None
    width = next(
        (
            section["PixelWidth"]
            for section in fei.values()
            if isinstance(section, dict) and section.get("PixelWidth")
        ),
        None,
    )
    return float(width) * 1e9 if width else None


def _sis(tif) -> float | None:
    try:
        sis = tif.sis_metadata
    except Exception:  # other programs write tags that only look like it
        return None
    return float(sis["pixelsizex"]) * 1e9 if sis and sis.get("pixelsizex") else None


def _imagej(tags) -> float | None:
    description = str(tags.get("ImageDescription", ""))
    match = re.search(r"^unit=(.+?)\s*$", description, re.MULTILINE)
    resolution = tags.get("XResolution")
    if not (match and resolution):
        return None
    factor = _NM.get(match[1].strip().lower())
    per_unit = resolution[0] / resolution[1] if resolution[1] else 0
    _require_square(tags)
    return factor / per_unit if factor and per_unit else None


def _ome(description: str) -> float | None:
    match = re.search(r'PhysicalSizeX="([^"]+)"', description)
    if not match:
        return None
    unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', description)
    return float(match[1]) * _NM.get(unit[1].lower() if unit else "µm", 1e3)


def _resolution(tags) -> float | None:
    """The standard tags; a unit of inch or centimetre with a coarse value is a print setting and does not count."""
    resolution, unit = tags.get("XResolution"), int(tags.get("ResolutionUnit", 1) or 1)
    if not resolution or not resolution[1] or not resolution[0] or unit == 1:
        return None
    size = (2.54e7 if unit == 2 else 1e7) / (resolution[0] / resolution[1])
    return size if size < _INSTRUMENT_LIMIT_NM else None


def _require_square(tags) -> None:
    x, y = tags.get("XResolution"), tags.get("YResolution")
    if x and y and x[0] and y[0] and abs(x[0] / x[1] / (y[0] / y[1]) - 1) > 0.01:
        raise ValueError("pixels that are not square")


def _read_rosetta(path: Path, reader: str):
    import importlib
    import logging

    logging.getLogger("rsciio").setLevel(logging.ERROR)
    found = importlib.import_module(f"rsciio.{reader}").file_reader(str(path))
    images = [entry for entry in found if np.squeeze(entry["data"]).ndim == 2]
    if not images:
        raise FormatError(
            path,
            expected="one two-dimensional image",
            found=f"{len(found)} entries of other shapes",
            advice="save one frame",
        )
    entry = max(images, key=lambda e: np.asarray(e["data"]).size)
    axes = [axis for axis in entry["axes"] if axis.get("size", 0) > 1]
    factor = _NM.get(str(axes[-1].get("units", "")).strip().lower())
    scale = float(axes[-1].get("scale", 0) or 0)
    if len(axes) == 2 and factor and abs(float(axes[0].get("scale", 0)) / scale - 1) > 0.01:
        raise FormatError(
            path,
            expected="square pixels",
            found=f"{axes[0].get('scale')} by {scale} {axes[-1].get('units')}",
        )
    return (
        entry["data"],
        scale * factor if factor and scale > 0 else None,
        entry.get("metadata", {}),
    )
