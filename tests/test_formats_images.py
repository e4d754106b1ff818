"""Micrographs: pixel sizes from every place they are written in; no size, no image."""

import struct

import numpy as np
import pytest
import tifffile

from hassan2021.simulate.writers import write_tiff
from ledger import files
from peled.formats import FormatError
from peled.formats.images import read_image

PIXELS = np.random.default_rng(0).integers(0, 255, (64, 80)).astype(np.uint8)


def test_own_tiff_round_trip(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path, PIXELS, 0.0483)
    image = read_image(path)
    assert np.array_equal(image.pixels, PIXELS)
    assert image.pixel_nm == pytest.approx(0.0483, rel=1e-6)
    assert image.extent_nm == pytest.approx((80 * 0.0483, 64 * 0.0483))


@pytest.mark.parametrize(
    ("unit", "per_pixel", "expected"),
    [("nm", 0.1, 0.1), ("micron", 2e-4, 0.2), ("\\u00B5m", 5e-4, 0.5)],
)
def test_imagej_scales(tmp_path, unit, per_pixel, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        PIXELS.astype(np.uint16),
        imagej=True,
        resolution=(1 / per_pixel, 1 / per_pixel),
        metadata={"unit": unit},
    )
    assert read_image(path).pixel_nm == pytest.approx(expected, rel=1e-4)


def test_standard_tags_and_print_resolutions(tmp_path):
    fine, coarse = tmp_path / "fine.tif", tmp_path / "print.tif"
    tifffile.imwrite(fine, PIXELS, resolution=(1e7 / 0.25, 1e7 / 0.25), resolutionunit="CENTIMETER")
    tifffile.imwrite(coarse, PIXELS, resolution=(72, 72), resolutionunit="INCH")
    assert read_image(fine).pixel_nm == pytest.approx(0.25, rel=1e-4)
    with pytest.raises(FormatError, match="size of a pixel"):
        read_image(coarse)
    assert read_image(coarse, pixel_nm=0.3).pixel_nm == pytest.approx(0.3)


def test_ome(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path,
        PIXELS,
        metadata={
            "axes": "YX",
            "PhysicalSizeX": 0.0002,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.0002,
            "PhysicalSizeYUnit": "µm",
        },
    )
    assert read_image(path).pixel_nm == pytest.approx(0.2)
    path.write_bytes(path.read_bytes().replace("µm".encode(), b"px "))  # of no known length
    with pytest.raises(FormatError, match="size of a pixel"):
        read_image(path)


def test_mrc(tmp_path):
    path = tmp_path / "a.mrc"
    rows, columns = PIXELS.shape
    header = bytearray(1024)
    struct.pack_into("<10i", header, 0, columns, rows, 1, 2, 0, 0, 0, columns, rows, 1)
    struct.pack_into("<6f", header, 40, columns * 2.5, rows * 2.5, 2.5, 90, 90, 90)  # ångström
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    header[208:212], header[212:216] = b"MAP ", b"DD\0\0"
    path.write_bytes(bytes(header) + PIXELS.astype("<f4").tobytes())
    image = read_image(path)
    assert image.pixel_nm == pytest.approx(0.25)
    assert np.array_equal(image.pixels, PIXELS)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FormatError, match=r"a micrograph.*damaged"):
        read_image(path)


@pytest.mark.parametrize("share", [0.02, 0.4, 0.8])
def test_cut_tiff(tmp_path, share):
    path = tmp_path / "a.tif"
    content = (files.ROOT / "data" / "structure" / "tem_neat_zoom.tif").read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"a\.tif"):
        read_image(path)


def ser(path, frames=1, pixel_nm=0.5, unit_m=1e-9):
    """FEI/TIA: a header, one dimension (the frames), where each frame lies, then the frames with
    their calibration.
    """
    rows, columns = PIXELS.shape
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, frames, frames)
    dimension = struct.pack("<IddII", frames, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<I", 0)
    at = 30 + len(dimension)
    head += struct.pack("<II", at, 1) + dimension
    size = 50 + 4 * PIXELS.size
    start = at + 8 * frames
    places = [start + i * (size + 8) for i in range(frames)]
    head += struct.pack(f"<{2 * frames}I", *places, *(place + size for place in places))
    scale = pixel_nm * unit_m
    frame = struct.pack("<ddIddIHII", 0.0, scale, 0, 0.0, scale, 0, 6, columns, rows)
    frame += PIXELS[::-1].astype("<i4").tobytes()  # from the lower left corner
    path.write_bytes(head + (frame + struct.pack("<HHI", 0x4152, 0, 0)) * frames)


def test_ser(tmp_path):
    path = tmp_path / "a.ser"
    ser(path)
    image = read_image(path)
    assert image.pixel_nm == pytest.approx(0.5)
    assert np.array_equal(image.pixels, PIXELS)
    ser(path, frames=3)
    with pytest.raises(FormatError, match="a series of 3"):
        read_image(path)
    ser(path, unit_m=1e9)  # a diffraction pattern: 1/nm written as if it were m
    with pytest.raises(FormatError, match="no pixel of a micrograph"):
        read_image(path)
    assert read_image(path, pixel_nm=0.2).pixel_nm == 0.2
    ser(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(FormatError, match="a micrograph"):
        read_image(path)


def test_imagej_stack_is_not_its_first_page(tmp_path):
    path = tmp_path / "a.tif"
    stack = np.stack([PIXELS, PIXELS[::-1], PIXELS[:, ::-1]])
    scale = {"imagej": True, "resolution": (2.0, 2.0), "metadata": {"unit": "nm", "axes": "ZYX"}}
    tifffile.imwrite(path, stack, **scale)
    with pytest.raises(FormatError, match="a series of 3"):
        read_image(path)


def test_preview_gives_way_to_the_image_with_a_scale(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.stack([PIXELS] * 3, axis=-1), photometric="rgb")
        tif.write(PIXELS, resolution=(2e7, 2e7), resolutionunit="CENTIMETER")
    image = read_image(path)
    assert image.pixel_nm == pytest.approx(0.5)
    assert np.array_equal(image.pixels, PIXELS)
    with tifffile.TiffWriter(path) as tif:
        for pixels in (PIXELS, PIXELS[:40]):
            tif.write(pixels, resolution=(2e7, 2e7), resolutionunit="CENTIMETER")
    with pytest.raises(FormatError, match="expected one two-dimensional image, found 2"):
        read_image(path)


def test_pixels_that_are_not_square(tmp_path):
    path = tmp_path / "a.tif"
    scale = {"imagej": True, "resolution": (2.0, 4.0), "metadata": {"unit": "nm"}}
    tifffile.imwrite(path, PIXELS, **scale)
    with pytest.raises(FormatError, match="not square"):
        read_image(path)


def test_stacks_and_strangers(tmp_path):
    stack, other = tmp_path / "stack.tif", tmp_path / "photo.jpg"
    tifffile.imwrite(
        stack, np.zeros((5, 40, 40), np.uint8), photometric="minisblack", planarconfig="separate"
    )
    with pytest.raises(FormatError, match="two-dimensional"):
        read_image(stack, pixel_nm=1)
    other.write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    with pytest.raises(FormatError, match=r"\.dm3"):
        read_image(other)
    damaged = tmp_path / "a.dm3"
    damaged.write_bytes(b"\0\0\0\3" + bytes(200))
    with pytest.raises(FormatError, match="a micrograph"):
        read_image(damaged)
