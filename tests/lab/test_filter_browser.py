"""The filter browser from Python's side; tests/browser uses it in a real browser."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tin_lib import augment
from tin_lib.analysis import filters, runs
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import FilterBrowser

STEPS = 2
PAGE = 24  # filters in the strip of a page


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> FilterBrowser:
    browser = FilterBrowser(run, data, steps=STEPS)
    yield browser
    browser.close()


@pytest.fixture
def sent(browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to the page as events."""
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(browser, "send", events.append)
    return events


def ask(browser: FilterBrowser, **asked: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a page shows of a view: texts, and pixels (..., H, W)."""
    reply, sent = browser.answer("view", {**browser.view, **asked})
    parts = dict(zip(reply["parts"], (np.frombuffer(part, np.uint8) for part in sent)))
    sides = {"optimised": [64, 64], "kernel": reply["kernel"], "images": [64, 64]}
    return reply, {name: part.reshape(-1, 3, *sides[name]) for name, part in parts.items()}


def want(browser: FilterBrowser, **asked: Any) -> None:
    """Have the strip of a view computed, as a page does: in turns, until an event says no more."""
    for _ in range(3):
        found, _ = ask(browser, **asked)
        first = found["filters"].index(found["filter"]) // PAGE * PAGE
        some = found["filters"][first : first + PAGE]
        browser.answer("want", {**browser.view, **asked, "filters": some})
        browser.task.wait()


def look(browser: FilterBrowser, **view: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Open a view and wait for what is computed; what a page shows."""
    browser.look(**view)
    want(browser)
    return ask(browser)


def answers(run: runs.Run, data: TinyImageNet, layer: str, index: int) -> torch.Tensor:
    """vgg_like's maps of one filter for all val images (N, h, w), computed here."""
    fit = run.fits["vgg_like"]
    inputs = augment.normalise(torch.from_numpy(np.array(data.val.images)), fit.mean, fit.std)
    with torch.inference_mode():
        return filters.activation(fit.network(), layer, inputs)[:, index]


@pytest.mark.parametrize(("layer", "index"), [("conv4", 5), ("conv1", 2)])
def test_box_and_image_are_those_of_the_greatest_activation(
    browser: FilterBrowser, run, data, layer: str, index: int
) -> None:
    found, pixels = look(browser, network="vgg_like", layer=layer, filter=index)
    maps = answers(run, data, layer, index)
    image, row, column = (int(i) for i in np.unravel_index(int(maps.argmax()), maps.shape))
    field = filters.receptive_field(run.fits["vgg_like"].network(), layer)
    (top, bottom), (left, right) = field.span(row), field.span(column)
    assert found["images"][0]["box"] == [left, top, right - 1, bottom - 1]
    assert (pixels["images"][0] == data.val.images[image]).all()
    assert found["images"][0]["file"] == data.val.files[image]
    name = browser.source.class_names[data.val.labels[image]]
    assert found["images"][0]["caption"] == f"{maps.max():.2f} · {name}"
    padded = np.pad(data.val.images[image], ((0, 0), (64, 64), (64, 64)), constant_values=128)
    wanted = padded[:, top + 64 : bottom + 64, left + 64 : right + 64]
    assert (browser.card(browser._view()).patches[0] == wanted).all()


def test_maximising_image_and_kernel_are_the_librarys(browser: FilterBrowser, run) -> None:
    fit = run.fits["convnet9"]
    for layer, made_from in [("conv9", "fourier"), ("conv2", "pixel"), ("conv1", "fourier")]:
        _, pixels = look(browser, layer=layer, filter=3, parametrisation=made_from)
        count = filters.filter_count(fit.network(), layer)
        options = filters.Options(steps=STEPS, parametrisation=made_from)
        page = range(min(PAGE, count))
        best = filters.maximise(fit.network(), layer, (fit.mean, fit.std), page, options)
        assert (pixels["optimised"][0] == best.images[3]).all()
    kernels = filters.first_layer(fit.network())
    assert (pixels["kernel"][0] == kernels[3]).all()
    reply, tiles = browser.answer("tiles", {**browser.view, "filters": [3, 0]})
    assert tiles == [kernels[[3, 0]].tobytes()]
    assert reply["size"] == list(kernels.shape[2:])
    reply, tiles = browser.answer("tiles", {"layer": "conv9", "filters": [3, 200]})
    stored = browser.source.stores["convnet9"].image("conv9", "fourier", 3)
    gray = np.full((3, 64, 64), 128, np.uint8)  # not computed yet
    assert (reply["size"], tiles) == ([64, 64], [stored.tobytes() + gray.tobytes()])


def test_units_with_the_whole_image_as_receptive_field_have_no_boxes(
    browser: FilterBrowser, run, data
) -> None:
    reply, pixels = look(browser, layer="last", filter=1)
    fit = run.fits["convnet9"]
    shown = filters.images_of_split(data.val, fit.mean, fit.std)
    found = filters.survey(fit.network(), "last", shown, top=6)
    assert (pixels["images"] == data.val.images[found.image[1]]).all()
    assert [image["box"] for image in reply["images"]] == [None] * 6


def test_figures_and_preferred_classes(browser: FilterBrowser, run, data) -> None:
    found, _ = look(browser, network="vgg_like", layer="conv3", filter=7)
    fit = run.fits["vgg_like"]
    shown = filters.images_of_split(data.val, fit.mean, fit.std)
    row = filters.filter_table(fit.network(), "conv3", shown).loc[7]
    for text in (
        f"active for {row.active:.0%} of 200 images",
        f"highest activation {row.largest:.2f}",
        f"class selectivity {row.selectivity:.2f} of 1",
        f"roughness of the kernel {row.kernel_roughness:.2f} (white noise: 1)",
        f"most like filter {row.nearest}, cosine {row.similarity:.2f}",
    ):
        assert text in found["figures"]
    assert found["title"].startswith("VGG-like · conv3 · filter 7 (0 to ")
    names, times = zip(*found["classes"])
    assert names[0] == browser.source.class_names[row.preferred]
    assert list(times) == sorted(times, reverse=True)


def test_before_anything_is_computed(browser: FilterBrowser) -> None:
    browser.look(layer="conv7", filter=5)
    found, pixels = ask(browser)
    assert not found["surveyed"]
    assert found["filters"] == list(range(len(found["filters"])))
    assert (found["figures"], found["images"], pixels["images"].size) == ([], [], 0)
    assert "optimised" not in pixels
    assert "not computed yet" in browser.still()


def test_a_layer_that_the_network_lacks_becomes_the_last(browser: FilterBrowser) -> None:
    browser.look(network="convnet9", layer="conv9", filter=40)
    browser.look(network="vgg_like")  # it has four conv layers of at most 32 filters
    assert browser.view == {"network": "vgg_like", "layer": "conv4", "steps": STEPS}
    found, _ = ask(browser, network="vgg_like", layer="conv9", filter=40)
    assert (found["layer"], found["filter"]) == ("conv4", 0)
    counts = browser.source.stores["vgg_like"].layers
    assert found["layers"] == [[name, f"{name}: {n} filters"] for name, n in counts.items()]


@pytest.mark.parametrize(
    ("order", "column", "ascending"),
    [
        ("roughness", "kernel_roughness", False),
        ("dead", "active", True),
        ("strength", "largest", False),
    ],
)
def test_orders(browser: FilterBrowser, order: str, column: str, ascending: bool) -> None:
    found, _ = look(browser, network="vgg_like", layer="conv3", order=order)
    values = browser.source.layer("vgg_like", "conv3").table[column][found["filters"]]
    assert values.is_monotonic_increasing if ascending else values.is_monotonic_decreasing
    assert sorted(found["filters"]) == list(range(len(values)))


def test_dead_filters_have_no_activations(browser: FilterBrowser) -> None:
    look(browser, network="vgg_like", layer="conv4", filter=0)
    browser.source.layer("vgg_like", "conv4").table.loc[6, "dead"] = True
    found, pixels = ask(browser, filter=6)
    assert found["figures"] == ["dead: not active for any of 200 images"]
    assert (found["images"], found["classes"], pixels["images"].size) == ([], [], 0)
    browser.look(filter=6)
    assert "dead: not active" in browser.still()


def test_second_opening_computes_nothing(
    browser: FilterBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, pixels = look(browser, network="vgg_like", layer="conv3", filter=9)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("tin_lib.analysis.filters.store.survey", refuse)
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", refuse)
    known: dict[str, Any] = {}
    exec(browser.link().replace("; ", "; again = "), known)
    again = known["again"]
    want(again)
    assert again.task.thread is None
    found, repeated = ask(again)
    assert found == before
    assert all((repeated[name] == part).all() for name, part in pixels.items())
    assert again.view == browser.view
    assert again.still() == browser.still()
    again.close()


def test_a_file_cut_short_is_made_again(run, data, tmp_path: Path) -> None:
    fit = run.fits["vgg_like"]
    shown = filters.images_of_split(data.val, fit.mean, fit.std, 20)

    def open_store() -> FilterStore:
        return FilterStore(fit, shown, STEPS, tmp_path)

    store = open_store()
    wanted, survey = store.maximised("last", "fourier", [0, 1]), store.survey("conv4")
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        path.write_bytes(path.read_bytes()[:100])
    again = open_store()
    assert again.cached_survey("conv4") is None
    assert again.image("conv4", "fourier", 1) is None
    assert (again.maximised("conv4", "fourier", [1, 0]) == wanted[::-1]).all()
    assert (again.survey("conv4").image == survey.image).all()
    assert open_store().cached_survey("conv4") is not None


def test_long_work_shows_progress_and_can_be_cancelled(
    browser: FilterBrowser, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = filters.maximise

    def slow(*given: Any) -> Any:
        given[-1](1, STEPS)
        begun.set()
        assert go_on.wait(60)
        return real(*given)

    store = browser.source.stores["convnet9"]
    store.survey("conv6")
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", slow)
    asked = {"network": "convnet9", "layer": "conv6", "filters": [2, 3]}
    browser.answer("want", asked)
    assert begun.wait(60)
    told = {"progress": "Optimising images for filters of conv6, 2 at a time …"}
    assert sent[-1] == told | {"done": 1, "total": STEPS}
    thread = browser.task.thread
    browser.answer("want", asked)  # the same: not cancelled
    assert browser.task.thread is thread
    assert sent[-1] == sent[-2]
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", real)
    browser.answer("want", {"network": "vgg_like", "layer": "conv2", "filters": [0]})
    go_on.set()
    thread.join()
    browser.task.wait()
    assert sent[-1] == {"changed": ["vgg_like", "conv2"]}  # surveyed
    want(browser, network="vgg_like", layer="conv2")
    assert store.image("conv6", "fourier", 2) is None  # cancelled
    assert browser.source.stores["vgg_like"].image("conv2", "fourier", 0) is not None
    assert sent[-1]["progress"] == ""


def test_an_error_in_the_thread_is_shown_and_the_work_not_repeated(
    browser: FilterBrowser, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", fail)
    want(browser, layer="conv5")
    thread = browser.task.thread
    want(browser, layer="conv5")
    assert browser.task.thread is thread
    assert sent[-1]["progress"] == "This failed: out of memory"


def test_a_network_without_convolutions_is_not_shown_first(
    run: runs.Run, data: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = vars(FilterStore)["layers"]
    monkeypatch.setattr(
        FilterStore,
        "layers",
        property(lambda store: {} if store.fit.name == "convnet9" else layers.__get__(store)),
    )
    browser = FilterBrowser(run, data, steps=STEPS)
    assert list(browser.description["networks"]) == ["vgg_like", "convnet9"]
    assert browser.answer("view", {**browser.view})[0]["layer"].startswith("conv")
    with pytest.raises(ValueError, match="'convnet9' has no convolution layer"):
        browser.look(network="convnet9")
    browser.close()
