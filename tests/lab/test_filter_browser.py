"""The filter browser from Python's side; tests/browser uses it in a real JupyterLab."""

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tin_lib import augment
from tin_lib.analysis import filters, runs
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import FilterBrowser
from tin_lib.lab.widgets.filters import filter_card
from tin_lib.lab.widgets.filters.browser import PAGE

STEPS = 2


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> FilterBrowser:
    browser = FilterBrowser(run, data, steps=STEPS)
    browser.task.wait()
    yield browser
    browser.close()


def look(browser: FilterBrowser, **view: Any) -> np.ndarray:
    """Open a view and wait for what is computed; the picture."""
    browser.look(**view)
    browser.task.wait()
    return np.array(Image.open(io.BytesIO(browser.png())))


def tile(picture: np.ndarray, side: int, room: int, *where: Any) -> np.ndarray:
    """One tile at its own resolution, uint8 (3, side, side)."""
    zoom = filter_card.zoom_of(side, room)
    x, y = filter_card.place(*where)
    part = picture[y : y + side * zoom, x : x + side * zoom]
    assert (part == part[::zoom, ::zoom].repeat(zoom, 0).repeat(zoom, 1)).all()
    return part[::zoom, ::zoom].transpose(2, 0, 1)


def answers(run: runs.Run, data: TinyImageNet, layer: str, index: int) -> torch.Tensor:
    """vgg_like's maps of one filter for all val images (N, h, w), computed here."""
    fit = run.fits["vgg_like"]
    inputs = augment.normalise(torch.from_numpy(np.array(data.val.images)), fit.mean, fit.std)
    with torch.inference_mode():
        return filters.activation(fit.network(), layer, inputs)[:, index]


@pytest.mark.parametrize(("layer", "index"), [("conv4", 5), ("conv1", 2)])
def test_patch_and_image_are_those_of_the_greatest_activation(
    browser: FilterBrowser, run, data, layer: str, index: int
) -> None:
    picture = look(browser, network="vgg_like", layer=layer, filter=index)
    maps = answers(run, data, layer, index)
    image, row, column = (int(i) for i in np.unravel_index(int(maps.argmax()), maps.shape))
    field = filters.receptive_field(run.fits["vgg_like"].network(), layer)
    (top, bottom), (left, right) = field.span(row), field.span(column)
    pixels = np.pad(data.val.images[image], ((0, 0), (64, 64), (64, 64)), constant_values=128)
    wanted = pixels[:, top + 64 : bottom + 64, left + 64 : right + 64]
    assert (tile(picture, field.size, filter_card.SMALL, "patches") == wanted).all()
    x, y = filter_card.place("images")
    shown = picture[y : y + 128 : 2, x : x + 128 : 2].transpose(2, 0, 1)
    differs = np.argwhere((shown != data.val.images[image]).any(0))
    # The outline: within the receptive field, which it frames.
    assert differs.min(0).tolist() == [max(top, 0), max(left, 0)]
    assert differs.max(0).tolist() == [min(bottom, 64) - 1, min(right, 64) - 1]
    assert f"{maps.max():.2f}  {data.val.files[image]}" in browser.message.value


def test_maximising_image_and_kernel_are_the_librarys(browser: FilterBrowser, run) -> None:
    fit = run.fits["convnet9"]
    for layer, made_from in [("conv9", "fourier"), ("conv2", "pixel"), ("conv1", "fourier")]:
        picture = look(browser, layer=layer, filter=3, parametrisation=made_from)
        count = filters.filter_count(fit.network(), layer)
        options = filters.Options(steps=STEPS, parametrisation=made_from)
        page = range(min(PAGE, count))
        best = filters.maximise(fit.network(), layer, (fit.mean, fit.std), page, options)
        assert (tile(picture, 64, filter_card.LARGE, "optimised") == best.images[3]).all()
    kernel = filters.first_layer(fit.network())[3]
    assert (tile(picture, kernel.shape[1], filter_card.LARGE, "kernel") == kernel).all()


def test_units_with_the_whole_image_as_receptive_field_have_no_patches(
    browser: FilterBrowser, run, data
) -> None:
    picture = look(browser, layer="last", filter=1)
    fit = run.fits["convnet9"]
    found = filters.survey(
        fit.network(), "last", filters.images_of_split(data.val, fit.mean, fit.std), top=6
    )
    for rank, image in enumerate(found.image[1]):
        shown = tile(picture, 64, filter_card.SMALL, "images", rank, False)
        assert (shown == data.val.images[image]).all()


def test_message_contains_the_figures(browser: FilterBrowser, run, data) -> None:
    look(browser, network="vgg_like", layer="conv3", filter=7)
    fit = run.fits["vgg_like"]
    shown = filters.images_of_split(data.val, fit.mean, fit.std)
    row = filters.filter_table(fit.network(), "conv3", shown).loc[7]
    for text in (
        f"active for {row.active:.0%} of 200 images",
        f"highest activation {row.largest:.2f}",
        f"class selectivity {row.selectivity:.2f}",
        f"of the kernel {row.kernel_roughness:.2f}",
        f"most like filter {row.nearest}, cosine {row.similarity:.2f}",
        f"mean activation: {browser.class_names[row.preferred]}",
    ):
        assert text in browser.message.value


def test_switching_network_and_layer_by_the_controls(browser: FilterBrowser) -> None:
    before = look(browser, network="convnet9", layer="conv9", filter=40)
    browser.controls.network.value = "vgg_like"  # it has four conv layers
    browser.task.wait()
    assert browser.view == {"network": "vgg_like", "layer": "conv4", "filter": 0, "steps": STEPS}
    counts = [text.split(": ")[1] for text, _ in browser.controls.layer.options]
    assert counts == [f"{n} filters" for n in browser.stores["vgg_like"].layers.values()]
    assert browser.controls.layer.value == "conv4"
    browser.controls.layer.value = "conv2"
    browser.controls.filter.value = 4
    browser.controls.parametrisation.value = "pixel"
    browser.task.wait()
    picture = np.array(Image.open(io.BytesIO(browser.png())))
    assert picture.shape != before.shape
    assert (picture == look(browser)).all()
    assert "VGG-like · conv2 · filter 4" in browser.message.value


def test_strip_steps_through_the_order_and_turns_pages(browser: FilterBrowser) -> None:
    look(browser, layer="conv9", order="strength", filter=0)
    order = browser.layer.table.sort_values("largest", ascending=False, kind="stable")["filter"]
    browser.strip.selected = 0
    assert browser.view["filter"] == order.iloc[0]
    browser.strip.selected = 1
    assert browser.view["filter"] == browser.controls.filter.value == order.iloc[1]
    assert browser.strip.names == [f"filter {index}" for index in order[:PAGE]]
    browser.strip.selected = PAGE
    browser.task.wait()
    assert (browser.strip.first, browser.strip.total) == (PAGE, len(order))
    assert browser.view["filter"] == order.iloc[PAGE]
    assert "being computed" not in browser.message.value
    assert browser.store.image("conv9", "fourier", order.iloc[PAGE + 5]) is not None


@pytest.mark.parametrize(
    ("order", "column", "ascending"),
    [("roughness", "kernel_roughness", False), ("dead", "active", True)],
)
def test_orders(browser: FilterBrowser, order: str, column: str, ascending: bool) -> None:
    look(browser, network="vgg_like", layer="conv3", order=order)
    values = browser.layer.table[column][browser.layer.ordered(order)]
    assert values.is_monotonic_increasing if ascending else values.is_monotonic_decreasing


def test_dead_filters_have_no_activations(
    browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(browser, network="vgg_like", layer="conv4", filter=0)
    browser.layer.table.loc[6, "dead"] = True
    shown = browser.layer.card("fourier", 6)
    assert shown.figures == ["dead: not active for any of 200 images"]
    assert (len(shown.images), shown.patches, shown.classes) == (0, None, [])
    assert filter_card.draw(shown).png()


def test_second_opening_computes_nothing(
    run, data, browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(browser, network="vgg_like", layer="conv3", filter=9)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("tin_lib.analysis.filters.store.survey", refuse)
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", refuse)
    again = eval(browser.link(), {"FilterBrowser": FilterBrowser})
    again.task.wait()
    assert again.png() == browser.png()
    assert np.array(Image.open(io.BytesIO(again.png()))).shape == before.shape
    assert again.view == browser.view
    again.close()


def test_a_file_cut_short_is_made_again(run, data, tmp_path: Path) -> None:
    fit = run.fits["vgg_like"]
    shown = filters.images_of_split(data.val, fit.mean, fit.std, 20)

    def open_store() -> FilterStore:
        return FilterStore(fit, shown, STEPS, tmp_path)

    store = open_store()
    store.optimise("conv4", "fourier", [0, 1])
    wanted, survey = store.image("conv4", "fourier", 1), store.survey("conv4")
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        path.write_bytes(path.read_bytes()[:100])
    again = open_store()
    assert again.cached_survey("conv4") is None
    assert again.image("conv4", "fourier", 1) is None
    again.optimise("conv4", "fourier", [0, 1])
    assert (again.image("conv4", "fourier", 1) == wanted).all()
    assert (again.survey("conv4").image == survey.image).all()
    assert open_store().cached_survey("conv4") is not None


def test_long_work_shows_progress_and_can_be_cancelled(
    browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = filters.maximise

    def slow(*given: Any) -> Any:
        given[-1](1, STEPS)
        begun.set()
        assert go_on.wait(60)
        return real(*given)

    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", slow)
    browser.look(network="convnet9", layer="conv6", filter=2)
    assert begun.wait(60)
    assert "Optimising images for filters of conv6" in browser.progress.value
    assert (browser.bar.value, browser.bar.max) == (1, STEPS)
    assert browser.bar.layout.visibility == "visible"
    browser.look(filter=3)  # on the same page: not cancelled
    assert "filter 3" in browser.message.value
    thread = browser.task.thread
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", real)
    browser.look(network="vgg_like", layer="first", filter=0)
    go_on.set()
    thread.join()
    browser.task.wait()
    assert browser.stores["convnet9"].image("conv6", "fourier", 2) is None  # cancelled
    assert browser.stores["vgg_like"].image("conv1", "fourier", 0) is not None
    assert browser.bar.layout.visibility == "hidden"


def test_an_error_in_the_thread_is_shown(
    browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", fail)
    look(browser, network="convnet9", layer="conv5")
    assert "This failed: out of memory" in browser.progress.value


def test_batch_run_computes_one_picture_and_starts_no_thread(
    run, data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    browser = FilterBrowser(run, data, network="vgg_like", layer="conv2", filter=5, steps=3)
    assert browser.task.thread is browser.prefetcher.thread is None
    assert browser.store.image("conv2", "fourier", 5) is not None
    assert browser.store.image("conv2", "fourier", 0) is None
    picture = np.array(Image.open(io.BytesIO(browser.png())))
    made = browser.store.image("conv2", "fourier", 5)
    assert (tile(picture, 64, filter_card.LARGE, "optimised") == made).all()
    assert "image/png" in browser._repr_mimebundle_()
    browser.close()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"network": "resnet"}, "network: 'resnet' is not one of convnet9, vgg_like"),
        ({"layer": "dense1"}, "layer: 'dense1' is not one of conv1, conv2"),
        ({"filter": 5000}, "filter=5000: conv9 has 0 to 255"),
        ({"filter": -1}, "filter=-1"),
        ({"order": "beauty"}, "order: 'beauty' is not one of index"),
        ({"parametrisation": "words"}, "parametrisation: 'words' is not one of fourier, pixel"),
        ({"colour": 1}, "parameter: 'colour' is not one of network, layer"),
        ({"images": 0}, "images: 0 are too few"),
        ({"steps": 0}, "steps: must be above zero"),
    ],
)
def test_bad_parameters_are_named(run, data, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FilterBrowser(run, data, **bad)


def test_other_data_are_refused(run, tiny: TinyImageNet) -> None:
    with pytest.raises(ValueError, match="other images"):
        FilterBrowser(run, tiny)


def test_controls_are_labelled(browser: FilterBrowser) -> None:
    for control in browser.controls.by_name().values():
        assert control.description
        assert control.tooltip
    assert browser.strip.label
