"""The browsers with a torchvision network, two classes, and names with blanks and umlauts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_data import make_tiny

from tin_lib import catalog, train
from tin_lib.analysis import runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import (
    ConfusionBrowser,
    FilterBrowser,
    SaliencyBrowser,
    write_static_browser,
    write_static_filters,
)
from tin_lib.recipes import Recipe

IDS, NAMES = ("Großer_Bär", "tabby_cat"), ("Großer Bär", "tabby cat")
NETWORK = "torchvision:mobilenet_v3_small"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data() -> TinyImageNet:
    """Two classes without boxes, as from a user's folders."""
    data = make_tiny(classes=2, per_class=16)
    none = np.full_like(data.val.boxes, -1)
    val = dataclasses.replace(data.val, boxes=none)
    return dataclasses.replace(data, class_ids=IDS, class_names=NAMES, val=val)


@pytest.fixture(scope="module")
def run(data: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    folder = tmp_path_factory.mktemp("run")
    recipe = Recipe(NETWORK, epochs=1, lr=0.01)
    train.fit(recipe, data, folder / "networks" / catalog.folder_name(NETWORK), device="cpu")
    return runs.open_run(folder)


@pytest.fixture(autouse=True)
def batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")


def test_saliency_browser(run: runs.Run, data: TinyImageNet) -> None:
    browser = SaliencyBrowser(
        run, data, label="Großer_Bär", methods=("guided_backprop", "grad_cam")
    )
    assert len(browser.rows) == (data.val.labels == 0).sum()
    assert "Großer Bär" in browser.still()
    line = browser.link().partition("; ")[2]
    assert eval(line, {"SaliencyBrowser": lambda _, **view: view}) == browser.view
    name = next(iter(run.fits))
    assert "nn.ReLU" in browser.description["networks"][name]["unavailable"]["guided_backprop"]
    assert browser.still().count("<img") == 2 + 4  # the image, and the maps of Grad-CAM
    assert len(browser.best(name, 0)) == 2


def test_filter_browser(run: runs.Run, data: TinyImageNet, tmp_path: Path) -> None:
    browser = FilterBrowser(run, data, layer="features.0.0", filter=3, steps=2)
    store = browser.source.stores[run.first.name]
    assert store.image("features.0.0", "fourier", 3) is not None
    assert "features.0.0 · filter 3" in browser.still()
    assert "Großer Bär" in browser.still()
    browser.look(layer="last", filter=0)
    assert store.problem == ""
    page = write_static_filters(run, data, tmp_path, shown=2, steps=2)
    assert "features.0.0: 2 of 16 filters" in (page.parent / "data.js").read_text()


def test_confusion_browser(run: runs.Run, data: TinyImageNet) -> None:
    browser = ConfusionBrowser(run, data, label="tabby_cat", predicted="Großer_Bär")
    assert "tabby cat predicted as Großer Bär" in browser.still()
    assert browser.description["zooms"] == []
    with pytest.raises(ValueError, match="zoom: 5 is not one of 0 for all classes"):
        browser.look(zoom=5)


def test_static_browser(run: runs.Run, data: TinyImageNet, tmp_path: Path) -> None:
    write_static_browser(run, data, tmp_path, ["gradient", "guided_backprop"], limit=4)
    page = json.loads((tmp_path / "data.js").read_text().removeprefix("const DATA = ")[:-2])
    name = next(iter(run.fits))
    assert [path.name for path in (tmp_path / "maps").iterdir()] == [f"{name}_gradient.js"]
    assert page["networks"][name]["unavailable"].keys() >= {"guided_backprop"}
    assert all(box == [-1] * 4 for box in page["allBoxes"])
