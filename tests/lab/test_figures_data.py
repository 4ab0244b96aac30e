"""Figures of the data show the numbers they are given."""

import numpy as np
import plotly.io
import pytest
from plotly.colors import hex_to_rgb

from tin_lib.lab.figures import data, style


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 64, 64), dtype=np.uint8)


def test_augmentations_have_a_title_each() -> None:
    titles = ["original", "flip", "crop", "contrast", "tint", "both"]
    figure = data.augmentations(pictures(6), titles)
    assert [note.text for note in figure.layout.annotations] == titles


@pytest.mark.parametrize(
    ("name", "short"),
    [("goldfish, Carassius auratus", "goldfish"), ("American alligator", "American alliga…")],
)
def test_names_are_short_in_titles_and_complete_on_hover(name: str, short: str) -> None:
    figure = data.gallery(pictures(1), [name])
    assert figure.layout.annotations[0].text == short
    assert figure.data[1].text[0] == name


def test_channel_histograms_keep_their_area() -> None:
    counts = np.random.default_rng(0).integers(1, 1000, (3, 256))
    mean, std = np.array([120.0, 110.0, 100.0]), np.array([70.0, 60.0, 50.0])
    figure = data.channel_histograms(counts, mean, std)
    for channel in range(3):
        before, after = figure.data[2 * channel : 2 * channel + 2]
        assert np.sum(before.y) == pytest.approx(1, abs=1e-3)
        width = 1 / std[channel]
        assert np.diff(after.x) == pytest.approx(width, abs=2e-4)
        assert np.sum(after.y) * width == pytest.approx(1, abs=1e-3)
        assert after.x[128] == pytest.approx((128 - mean[channel]) * width, abs=1e-4)


def test_box_sizes_count_every_box_once() -> None:
    boxes = np.array([[0, 0, 63, 63], [0, 0, 63, 63], [10, 10, 10, 29], [-1, -1, -1, -1]])
    heat = data.box_sizes(boxes).data[0]
    assert np.nansum(10 ** np.asarray(heat.z)) == pytest.approx(3)
    assert heat.customdata[-1][-1] == 2  # 64 × 64
    assert heat.customdata[4][0] == 1  # 1 wide, 20 high


def test_images_without_boxes() -> None:
    figure = data.box_sizes(np.full((3, 4), -1))
    assert figure.layout.annotations[0].text == "These images have no boxes."
    assert len(data.gallery(pictures(2), ["a", "b"], np.full((2, 4), -1)).data[-1].x) == 0


def test_a_live_notebook_has_its_own_text_colour_in_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TIN_BATCH", "PLOTLY_RENDERER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    figure = style.nothing("text")
    shown: list[str] = []
    monkeypatch.setattr("IPython.display.display", lambda each: shown.append(each.data))
    plotly.io.renderers._perform_external_rendering(figure.to_dict())
    assert shown == [style.THEMED]
    red, green, blue = hex_to_rgb(style.TEXT)
    assert f"fill: rgb({red}, {green}, {blue})" in style.THEMED  # as browsers write it
