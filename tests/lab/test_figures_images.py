"""Grids of images: every pixel where it belongs, at a whole zoom, in little JSON."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tin_lib.lab.figures import images, tiles


def random_images(count: int, height: int = 6, width: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, height, width), dtype=np.uint8)


def decode(uri: str) -> np.ndarray:
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 5), 9, np.uint8),
        np.full((1, 4, 5), 9, np.uint8),
        np.full((3, 4, 5), 9, np.uint8),
        np.full((4, 5, 3), 9, np.uint8),
    ],
)
def test_all_layouts_become_rgb(image: np.ndarray) -> None:
    shown = tiles.to_rgb(image)
    assert shown.shape == (4, 5, 3)
    assert (shown == 9).all()


def test_kernels_of_three_by_three_are_read_channels_first() -> None:
    kernel = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    np.testing.assert_array_equal(tiles.to_rgb(kernel), kernel.transpose(1, 2, 0))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_every_tile_is_drawn_once_at_its_place(
    count: int, columns: int, zoom: int, titled: bool
) -> None:
    given = random_images(count)
    titles = [f"tile<br>{number}" for number in range(count)] if titled else None
    figure = images.grid(given, titles, columns, zoom)
    picture = figure.data[0]
    pixels = decode(picture.source)
    assert (picture.dx, picture.dy) == (zoom, zoom)
    assert figure.layout.xaxis.range[1] == pixels.shape[1] * zoom
    assert figure.layout.yaxis.range[0] == pixels.shape[0] * zoom
    layout = tiles.plan([each.transpose(1, 2, 0) for each in given], columns, zoom, titles or [""])
    for number, tile in enumerate(given):
        top, left = layout.corner(number)
        np.testing.assert_array_equal(
            pixels[top : top + 6, left : left + 5, :3], tile.transpose(1, 2, 0)
        )
    # Opaque exactly where there are tiles.
    assert (pixels[..., 3] > 0).sum() == count * 30


def test_boxes_enclose_their_pixels() -> None:
    boxes = np.array([[-1, -1, -1, -1], [1, 2, 3, 3]])
    figure = images.grid(random_images(2), columns=2, zoom=2, boxes=boxes)
    x, y = (list(getattr(figure.data[-1], axis))[:-1] for axis in "xy")
    left = 5 + tiles.GAP // 2  # of the second tile, in image pixels
    assert (min(x), max(x)) == ((left + 1) * 2, (left + 4) * 2)
    assert (min(y), max(y)) == (4, 8)
    assert len(x) == 5  # one closed outline: the first image has none


def test_titles_and_hover_texts() -> None:
    figure = images.grid(random_images(2), ["one", ""], hover=["the first", "the second"])
    assert [note.text for note in figure.layout.annotations] == ["one"]
    assert list(figure.data[1].text) == ["the first", "the second"]


def test_row_labels_are_vertically_centred() -> None:
    figure = images.grid(random_images(4, 10, 10), columns=2, zoom=4)
    labelled = images.label_rows(figure, ["upper", "lower<br>of both rows"])
    assert [note.y for note in labelled.layout.annotations] == [20, 68]
    margin = labelled.layout.margin.l
    assert 12 * 5 < margin < 12 * 10  # the longest line has 12 letters
    assert labelled.layout.width == figure.layout.xaxis.range[1] + margin + images.MARGIN


def test_json_is_hardly_larger_than_the_pixels() -> None:
    noise = random_images(20, 64, 64)  # which PNG cannot compress
    assert len(images.grid(noise, zoom=3).to_json()) < 2 * noise.size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": [np.zeros((3, 4, 4), np.uint8), np.zeros((3, 5, 5), np.uint8)]}, "one size"),
        ({"images": random_images(2), "titles": ["one"]}, "titles: 1 for 2 images"),
        ({"images": random_images(2), "boxes": np.zeros((3, 4))}, "boxes: 3 for 2 images"),
        ({"images": random_images(2).astype(float)}, "expected uint8"),
        ({"images": np.zeros((1, 7, 4, 4), np.uint8)}, "1 or 3 channels"),
        ({"images": random_images(2), "zoom": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        images.grid(**arguments)


def test_a_grid_of_nothing_says_so() -> None:
    assert images.grid([]).layout.annotations[0].text == "No images."


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (300, 200, 3)])
def test_png_holds_the_very_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.open(io.BytesIO(tiles.small_png(pixels)))
    assert image.format == "PNG"
    assert image.mode == "RGB"
    image.verify()  # the parts' check sums
    assert (np.array(Image.open(io.BytesIO(tiles.small_png(pixels)))) == pixels).all()
