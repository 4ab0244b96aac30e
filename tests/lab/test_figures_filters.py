"""Figures of filters show the pictures and numbers they are given."""

import base64
import io

import numpy as np
import pandas as pd
from PIL import Image

from tin_lib.lab.figures import filters

COLUMNS = ["network", "place", "layer", "figure", "filters", "mean", "low", "high"]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_kernels_are_enlarged_by_a_whole_number() -> None:
    figure = filters.kernel_grid(noise(64, 3, 3, 3))
    assert figure.data[0].dx == 16
    assert figure.data[1].text[63] == "filter 63"
    assert filters.kernel_grid(noise(4, 3, 11, 11)).data[0].dx == 4


def test_networks_are_rows_of_equal_length() -> None:
    pictures = {"a": noise(9, 3, 5, 5), "b": noise(4, 3, 11, 11), "c": noise(20, 3, 64, 64)}
    figure = filters.by_network(pictures)
    assert [note.text for note in figure.layout.annotations] == ["a", "b", "c"]
    assert figure.layout.xaxis.range[1] == 4 * (64 + 8) - 8
    assert figure.data[1].text[5] == "b, filter 1"
    encoded = figure.data[0].source.split(",")[1]
    mosaic = np.array(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert (mosaic[:64, 72:136, :3][::13, ::13] == pictures["a"][1].transpose(1, 2, 0)).all()
    assert (mosaic[144:208, 72:136, :3] == pictures["c"][1].transpose(1, 2, 0)).all()


def test_top_activations_grid_has_a_row_for_each_filter() -> None:
    figure = filters.top_activations_grid(noise(2, 4, 3, 15, 15), ["a", "b"], noise(2, 3, 64, 64))
    assert [note.text for note in figure.layout.annotations] == ["a", "b"]
    assert figure.layout.xaxis.range[1] == 5 * (64 + 8) - 8  # the picture and four patches
    alone = filters.top_activations_grid(noise(2, 4, 3, 15, 15), ["a", "b"])
    assert alone.layout.xaxis.range[1] == 4 * (15 + 8) - 8


def test_comparison_shows_intervals() -> None:
    rows = [
        (network, place, "conv1", figure, 64, mean, mean - 0.1, mean + 0.2)
        for figure in ("dead", "kernel_roughness")
        for place in ("first", "last")
        for network, mean in (("trained", 0.4), ("untrained", 0.9))
    ]
    figure = filters.comparison(pd.DataFrame(rows, columns=COLUMNS))
    assert len(figure.data) == 4
    dots = figure.data[0]
    assert list(dots.y) == ["trained", "untrained"]
    np.testing.assert_allclose(dots.error_x.array, 0.2)
    np.testing.assert_allclose(dots.error_x.arrayminus, 0.1)
    assert len(figure.layout.shapes) == 1  # white noise, in the roughness panel alone


def test_networks_have_their_titles() -> None:
    figure = filters.by_network(
        {"vgg16": noise(2, 3, 5, 5), "vgg16 (untrained)": noise(2, 3, 5, 5)}
    )
    assert [note.text for note in figure.layout.annotations] == ["VGG-16", "VGG-16 (untrained)"]
