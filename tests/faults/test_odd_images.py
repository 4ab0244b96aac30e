"""One odd image among the others: its right pixels, or one message that names it."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_folder import CLASSES
from odd_data import copied, refused
from PIL import Image

from tin_lib.data import TinyImageNet, open_data

pytestmark = pytest.mark.usefixtures("own_cache")

KIND = "odd image"
PLACES = (f"train/{CLASSES[1]}/images/{CLASSES[1]}_3.JPEG", "val/images/val_4.JPEG")
PLACES += ("test/images/test_2.JPEG",)
HUGE = (60_000, 60_000)


def picture(mode: str, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A smooth picture whose left upper corner is bright, so that a turned one shows."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    pixels = np.stack([255 * (1 - x) * (1 - y), 200 * x, 150 * y], 2).astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode == "RGBA":
        image.putalpha(Image.fromarray((255 * x).astype(np.uint8)))
        return image
    if mode == "I;16":
        return Image.fromarray((60000 * x * y).astype(np.uint16))
    return image.convert(mode)


def coded(form: str, mode: str = "RGB", size: tuple[int, int] = (64, 64), **options) -> bytes:
    file = io.BytesIO()
    picture(mode, size).save(file, form, **options)
    return file.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return coded("JPEG", exif=exif, quality=95)


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header tells another size."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


def bomb() -> bytes:
    file = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(file, "PNG")
    return file.getvalue()


JPEG = coded("JPEG")
OF_TINY_IMAGENET = {  # read in every layout, as Pillow reads them
    "gray": coded("JPEG", "L"),
    "CMYK": coded("JPEG", "CMYK"),
    "progressive": coded("JPEG", progressive=True),
    "gray progressive": coded("JPEG", "L", progressive=True),
    "quality 1": coded("JPEG", quality=1),
    "quality 100": coded("JPEG", quality=100),
    "without subsampling": coded("JPEG", subsampling=0),
    "restart markers": coded("JPEG", restart_marker_rows=1),
    "bytes after the end": JPEG + b"junk" * 9,
    "a long comment": coded("JPEG", comment=b"x" * 30_000),
    "optimised": coded("JPEG", optimize=True),
    "a profile": coded("JPEG", icc_profile=b"x" * 5000),
}
OTHER = {  # read where wnids.txt does not promise 64×64 JPEG
    "PNG": coded("PNG"),
    "16 bits": coded("PNG", "I;16"),
    "palette": coded("PNG", "P"),
    "alpha": coded("PNG", "RGBA"),
    "gray PNG": coded("PNG", "L"),
    "gray with alpha": coded("PNG", "LA"),
    "one bit": coded("PNG", "1"),
    "GIF": coded("GIF"),
    "BMP": coded("BMP"),
    "WebP": coded("WEBP", lossless=True),
    "TIFF": coded("TIFF"),
    "CMYK TIFF": coded("TIFF", "CMYK"),
    "64x65": coded("JPEG", size=(64, 65)),
    "1x1": coded("JPEG", size=(1, 1)),
    "1x500": coded("JPEG", size=(1, 500)),
    "3000x2000": coded("JPEG", size=(3000, 2000)),
}
BROKEN = {
    "empty": b"",
    "text": b"not an image\n",
    "web page": b"<!DOCTYPE html><html></html>",
    "zeros": bytes(2000),
    "start alone": b"\xff\xd8",
    "start and end alone": b"\xff\xd8\xff\xd9",
    "LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1791\n",
    "header of 60000x60000": with_size(JPEG, *HUGE),
    "larger, of 60000x60000": with_size(coded("JPEG", comment=b"x" * 9000), *HUGE),
    "bomb": bomb(),
    "pickle": b"cos\nsystem\n(S'false'\ntR.",
    **{f"cut to {n}/10": JPEG[: len(JPEG) * n // 10] for n in range(1, 10)},
    **{f"PNG cut to {n}/10": OTHER["PNG"][: len(OTHER["PNG"]) * n // 10] for n in range(1, 10)},
}


def pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def at(data: TinyImageNet, place: str) -> np.ndarray:
    split = data.split(place.split("/")[0])
    return split.images[split.files.tolist().index(place.rsplit("/", 1)[1])]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", OF_TINY_IMAGENET)
def test_jpegs_of_64_by_64(fault, official: Path, tmp_path: Path, name: str, listed: bool) -> None:
    with fault(KIND, f"{name}, {listed=}"), copied(official, tmp_path) as root:
        if not listed:
            (root / "wnids.txt").unlink()
        (root / PLACES[0]).write_bytes(OF_TINY_IMAGENET[name])
        data = open_data(root)
        found, expected = at(data, PLACES[0]), pillow(OF_TINY_IMAGENET[name])
        usual = len(OF_TINY_IMAGENET[name]) < 8192  # a longer one is decoded by Pillow's draft
        np.testing.assert_allclose(found.astype(int), expected, atol=0 if usual or listed else 2)
        assert data.train.gray[data.train.files.tolist().index(PLACES[0].rsplit("/", 1)[1])] == (
            "gray" in name
        )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_by_exif(fault, official: Path, tmp_path: Path, orientation: int) -> None:
    """Tiny ImageNet is read as it is, so that its boxes fit; other pictures as they are shown."""
    data = turned(orientation)
    shown = np.rot90(pillow(data), {3: 2, 6: -1, 8: 1}.get(orientation, 0), (1, 2))
    with fault(KIND, f"EXIF orientation {orientation}"), copied(official, tmp_path) as root:
        (root / PLACES[1]).write_bytes(data)
        np.testing.assert_array_equal(at(open_data(root), PLACES[1]), pillow(data))
        (root / "wnids.txt").unlink()
        found = at(open_data(root), PLACES[1]).astype(int)
        if orientation in (1, 3, 6, 8):
            np.testing.assert_allclose(found, shown, atol=2)


@pytest.mark.parametrize("name", OTHER)
def test_other_formats_and_sizes(fault, official: Path, tmp_path: Path, name: str) -> None:
    place = PLACES[len(name) % 3]
    with fault(KIND, name), copied(official, tmp_path) as root:
        (root / place).write_bytes(OTHER[name])
        told = refused(root, f"{place} is (not a JPEG image|.* pixels, expected 64x64)", ValueError)
        assert "remove wnids.txt" in told
        (root / "wnids.txt").unlink()  # as is advised
        found = at(open_data(root), place)
        if name not in ("1x500", "16 bits", "alpha", "gray with alpha", "3000x2000"):
            with Image.open(io.BytesIO(OTHER[name])) as image:
                small = image.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)
            np.testing.assert_allclose(
                found.astype(int), np.asarray(small).transpose(2, 0, 1), atol=1
            )
        if name == "16 bits":
            expected = np.asarray(picture("I;16")) >> 8
            np.testing.assert_array_equal(found, np.stack([expected] * 3))
        if name == "alpha":  # on white
            alpha = np.asarray(picture("RGBA").split()[3]) / 255
            colour = np.asarray(picture("RGB")).transpose(2, 0, 1)
            np.testing.assert_allclose(found, colour * alpha + 255 * (1 - alpha), atol=1)


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("listed", [True, False])
def test_broken_images(fault, official: Path, tmp_path: Path, name: str, listed: bool) -> None:
    place = PLACES[len(name) % 3]
    with fault(KIND, f"{name}, {listed=}"), copied(official, tmp_path) as root:
        if not listed:
            (root / "wnids.txt").unlink()
        (root / place).write_bytes(BROKEN[name])
        told = refused(root, rf"/{place} (is|cannot)", ValueError)
        assert "unpack the data again" in told or "replace or move it" in told
        if "60000" in name and listed:
            assert "60000x60000 pixels" in told
        shutil.copy(official / place, root / place)  # as is advised
        assert len(open_data(root).val) == 6


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


UNUSUAL: list[tuple[str, Callable[[Path], object], str]] = [
    ("a folder", Path.mkdir, "cannot be read .Is a directory.|contains no images"),
    ("a broken link", link("none.JPEG"), "cannot be read .a broken link."),
    ("a link to itself", lambda path: path.symlink_to(path.name), "cannot be read .a broken link"),
    (
        "a link to the folder above",
        link(".."),
        "cannot be read .* directory|not an image|no images|broken link",
    ),
    (
        "a link to the folder",
        link("."),
        "cannot be read .* directory|not an image|no images|broken link",
    ),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "make", "message"), UNUSUAL, ids=[row[0] for row in UNUSUAL])
def test_no_regular_file(
    fault, official: Path, tmp_path: Path, place: str, name: str, make, message: str
) -> None:
    with fault(KIND, f"{name} at {place}"), copied(official, tmp_path) as root:
        (root / place).unlink()
        make(root / place)
        told = refused(root, message, (OSError, ValueError))
        assert place in told


def test_a_link_to_an_image(fault, official: Path, tmp_path: Path) -> None:
    with fault(KIND, "a link to an image"), copied(official, tmp_path) as root:
        for place in PLACES:
            (root / place).unlink()
            (root / place).symlink_to(official / place)
        assert open_data(root).fingerprint == open_data(official).fingerprint


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_folders_that_contain_themselves(fault, official: Path, tmp_path: Path) -> None:
    with fault(KIND, "two links to the folder above"), copied(official, tmp_path) as root:
        for name in ("a", "b"):
            (root / "val" / name).symlink_to("..")
        refused(root, "val/a is not in wnids.txt; add it or move it away", ValueError)
        for name in ("a", "b"):
            (root / "val" / name).rename(root / name)
        assert open_data(root).fingerprint == open_data(official).fingerprint
