"""Electron micrographs: TIFF, Gatan `.dm3`/`.dm4`, FEI/TIA `.ser`/`.emi`, `.mrc`, JEOL
`.img`/`.map`, with their pixel size.

Reading is done by rosettasciio, which knows where each microscope writes the size of a pixel; the
places that it leaves out in TIFF (an ImageJ scale in nanometres, OME, the standard tags) are looked
up here. What holds a series is refused: which frame is meant is for its owner to say.

Tried on the test files of github.com/hyperspy/rosettasciio (`rsciio/tests/data`): `tiff/` (FEI
Helios, Zeiss SEM, TVIPS, JEOL SightX, Olympus SIS, ImageJ, DigitalMicrograph),
`digitalmicrograph/`, `tia/`, `mrc/`, `jeol/`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_bytes
from peled.formats.contract import reader, rosettasciio

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
_LARGEST_NM = 1e5  # above it no microscope's pixel: a diffraction pattern whose unit got lost
# A coarser one in the standard tags is a print resolution (72 dpi and the like).
_INSTRUMENT_LIMIT_NM = 50.0


_READERS = {
    "tiff": lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "digitalmicrograph": lambda head: head[:4] in (b"\0\0\0\3", b"\0\0\0\4"),
    "tia": lambda head: head[:4] in (b"II\x97\1", b"JK\0\2"),
    "jeol": lambda head: head[4:8] == b"JED-",
    "mrc": lambda head: head[208:212] == b"MAP ",
    "png": lambda head: head[:8] == b"\x89PNG\r\n\x1a\n",
}


@dataclass(frozen=True)
class Image:
    """One micrograph: `pixels` (rows, columns) float32, `pixel_nm` the edge of a square pixel,
    `metadata` as the file has it.
    """

    path: Path
    pixels: np.ndarray = field(repr=False)
    pixel_nm: float
    metadata: dict = field(default_factory=dict, repr=False)

    @property
    def extent_nm(self) -> tuple[float, float]:
        """Width and height in nanometres."""
        rows, columns = self.pixels.shape
        return columns * self.pixel_nm, rows * self.pixel_nm


def is_image(path: str | os.PathLike) -> bool:
    """Whether a file begins as one of these formats does.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    head = read_bytes(path)[:512]
    return any(is_it(head) for is_it in _READERS.values())


@reader("a micrograph")
def read_image(path: str | os.PathLike, *, pixel_nm: float | None = None) -> Image:
    """Read a micrograph.

    Parameters
    ----------
    path : path-like
    pixel_nm : float, optional
        Size of a pixel; overrides the file's.

    Returns
    -------
    Image
        Gray, (rows, columns), with the edge of a pixel in nm.

    Raises
    ------
    FormatError
        For a missing, cut or unknown file, a stack, non-square pixels, or no pixel size.
    """
    path = Path(path)
    head = read_bytes(path, what="a micrograph")[:512]
    reader = next((name for name, is_it in _READERS.items() if is_it(head)), None)
    if reader is None:
        raise FormatError(
            path,
            place="byte 0",
            expected="a .tif, .dm3, .dm4, .ser, .mrc, JEOL .img or .png image",
            found=repr(head[:8]),
            advice="save it as .tif with its scale",
        )
    if reader == "png":
        from matplotlib.image import imread

        images = [_Raw(imread(path), None)]  # a picture: its pixel size must be given
    else:
        images = _read_tiff(path) if reader == "tiff" else _read_rosetta(path, reader)
    image = _the_one(path, images)
    pixels = _gray(path, image.pixels())
    size = pixel_nm if pixel_nm is not None else image.pixel_nm
    if size is None or not 0 < size < _LARGEST_NM:
        raise FormatError(
            path,
            place="metadata",
            expected="the size of a pixel",
            found="none" if size is None else f"{size:g} nm, which is no pixel of a micrograph",
            advice="give pixel_nm, or save the image with its scale",
        )
    return Image(path, pixels, float(size), image.metadata)


@dataclass(frozen=True)
class _Raw:
    """One image of a file before it is chosen: `data` an array or, for a large file, what makes
    one.
    """

    data: object
    pixel_nm: float | None
    metadata: dict = field(default_factory=dict)
    series: int = 1

    def pixels(self) -> np.ndarray:
        return np.asarray(self.data() if callable(self.data) else self.data)


def _the_one(path: Path, images: list[_Raw]) -> _Raw:
    """The image with a scale, since the others are previews; a series or several are refused."""
    wanted = [image for image in images if image.pixel_nm] or images
    if len(wanted) != 1 or wanted[0].series > 1:
        series = ", ".join(f"a series of {i.series}" if i.series > 1 else "one" for i in wanted)
        raise FormatError(
            path,
            expected="one two-dimensional image",
            found=f"{len(wanted)} ({series})" if wanted else "none",
            advice="save the frame that is meant on its own",
        )
    return wanted[0]


def _gray(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.names:  # R, G, B
        pixels = np.stack([pixels[name] for name in pixels.dtype.names[:3]], axis=-1)
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4):
        pixels = pixels[..., :3].mean(axis=-1)
    if pixels.ndim != 2 or min(pixels.shape) < 16 or np.iscomplexobj(pixels):
        raise FormatError(
            path,
            expected="one two-dimensional image of at least 16 by 16 pixels",
            found=f"{pixels.dtype} of shape {pixels.shape}",
            advice="save one frame",
        )
    return pixels.astype(np.float32)


def _read_tiff(path: Path) -> list[_Raw]:
    import tifffile

    found = _read_rosetta(path, "tiff", lazy=True)
    with tifffile.TiffFile(path) as tif:  # values of tags are read when they are asked for
        pages = [series.pages[0] for series in tif.series]
        for i, page in enumerate(pages if len(pages) == len(found) else []):
            size = found[i].pixel_nm or tiff_pixel_nm(page, _INSTRUMENT_LIMIT_NM)
            metadata = found[i].metadata | {"ImageDescription": page.description}
            read = partial(tifffile.imread, path, series=i)
            found[i] = _Raw(read, size, metadata, found[i].series)
    return found


def tiff_pixel_nm(page, coarsest_nm: float) -> float | None:
    """Size of a pixel as ImageJ, OME or the standard tags of a page say it; of the last none that
    is coarser than what an instrument has.

    Parameters
    ----------
    page : tifffile.TiffPage
    coarsest_nm : float
        Coarsest pixel of the instrument, nm.

    Returns
    -------
    float or None
        Edge of a pixel, nm; None where nothing says it.

    Raises
    ------
    ValueError
        Where tags of ImageJ say that pixels are not square.
    """
    tags = {tag.name: tag.value for tag in page.tags.values()}
    return _imagej(tags) or _ome(page.description) or _resolution(tags, coarsest_nm)


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
    factor = _NM.get(unit[1].strip().lower()) if unit else 1e3  # µm where OME names none
    return float(match[1]) * factor if factor else None


def _resolution(tags, coarsest_nm: float) -> float | None:
    """The standard tags; a unit of inch or centimetre with a coarse value is a print setting and
    does not count.
    """
    resolution, unit = tags.get("XResolution"), int(tags.get("ResolutionUnit", 1) or 1)
    if not resolution or not resolution[1] or not resolution[0] or unit == 1:
        return None
    size = (2.54e7 if unit == 2 else 1e7) / (resolution[0] / resolution[1])
    return size if size < coarsest_nm else None


def _require_square(tags) -> None:
    x, y = tags.get("XResolution"), tags.get("YResolution")
    if x and y and x[0] and y[0] and abs(x[0] / x[1] / (y[0] / y[1]) - 1) > 0.01:
        raise ValueError("pixels that are not square")


def _read_rosetta(path: Path, reader: str, **options) -> list[_Raw]:
    """The images of a file; spectra and maps of spectra are left out."""
    found = []
    for entry in rosettasciio(reader).file_reader(str(path), **options):
        axes = entry["axes"]
        across = [axis for axis in axes if not axis.get("navigate")]
        if len(across) != 2:
            continue
        scales = [abs(float(axis.get("scale") or 0)) for axis in across]
        factors = [_NM.get(str(axis.get("units") or "").strip().lower()) for axis in across]
        if all(factors) and abs(scales[0] * factors[0] / (scales[1] * factors[1]) - 1) > 0.01:
            raise FormatError(
                path,
                expected="square pixels",
                found=" by ".join(f"{axis.get('scale')} {axis.get('units')}" for axis in across),
            )
        size = scales[1] * factors[1] if all(factors) else None
        frames = int(np.prod([axis["size"] for axis in axes if axis.get("navigate")], dtype=int))
        found.append(_Raw(entry["data"], size, entry.get("metadata", {}), frames))
    return found
