"""The filter browser's page without Python: what its files hold.

tests/browser opens it in a real browser.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_run import NETWORKS

from tin_lib.analysis import filters, runs
from tin_lib.lab.widgets import FilterBrowser, write_static_filters
from tin_lib.lab.widgets.filters.view import ORDERS

SHOWN, IMAGES, STEPS = 3, 40, 2


@pytest.fixture(scope="module")
def page(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return write_static_filters(run, run.data(), folder, SHOWN, IMAGES, STEPS).parent


@pytest.fixture(scope="module")
def known(page: Path) -> dict[str, Any]:
    """What the page knows from the start."""
    return json.loads((page / "data.js").read_text().removeprefix("const DATA = ")[:-2])


def tiles(path: Path) -> np.ndarray:
    """The tiles of a sheet of one row, uint8 (N, 3, 64, 64)."""
    _, _, address = json.loads(f"[{path.read_text().strip().removeprefix('receive(')[:-2]}]")
    content = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
    picture = np.array(Image.open(io.BytesIO(content)))
    rows, columns = picture.shape[0] // 64, picture.shape[1] // 64
    parts = picture.reshape(rows, 64, columns, 64, 3).transpose(0, 2, 4, 1, 3)
    return parts.reshape(-1, 3, 64, 64)


def near(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether pixels are the same but for the compression."""
    return bool(np.abs(found.astype(float) - wanted).mean() < 255 * 0.05)


def test_files_and_what_they_copy(page: Path, known: dict[str, Any], run: runs.Run) -> None:
    made = {str(p.relative_to(page)) for p in page.rglob("*") if p.is_file()}
    ends = {"convnet9": ["conv1", "conv9"], "vgg_like": ["conv1", "conv4"]}
    sheets = {f"optimised/{name}_{layer}.js" for name in NETWORKS for layer in ends[name]}
    texts = {"index.html", "browser.js", "browser.css", "page.css"}
    assert made == texts | sheets | {"data.js", "images.js"}
    assert {name: list(layers) for name, layers in known["copied"].items()} == ends
    total = 0
    for name, fit in run.fits.items():
        network = fit.network()
        total += sum(filters.filter_count(network, each) for each in filters.conv_layers(network))
        for layer, copied in known["copied"][name].items():
            count = filters.filter_count(network, layer)
            assert copied["text"] == f"{layer}: {SHOWN} of {count} filters"
            assert copied["filters"] == [0, 1, 2]
            assert all(sorted(copied["orders"][order]) == [0, 1, 2] for order in ORDERS)
    assert f"{4 * SHOWN} of {total:,} filters" in known["note"]
    named = " ".join((page / name).read_text() for name in texts)
    assert "http:" not in named  # nothing from a network
    assert "https:" not in named


def test_the_copy_holds_what_the_browser_shows(
    page: Path, known: dict[str, Any], run: runs.Run
) -> None:
    browser = FilterBrowser(run, images=IMAGES, steps=STEPS)
    images = tiles(page / "images.js")
    for name, layer in [("convnet9", "conv1"), ("vgg_like", "conv4")]:
        optimised = tiles(page / "optimised" / f"{name}_{layer}.js")
        for index, card in enumerate(known["copied"][name][layer]["cards"]):
            asked = {"network": name, "layer": layer, "filter": index}
            reply, sent = browser.answer("view", asked)
            assert reply["surveyed"]
            for key in ("title", "figures", "classes", "images", "kernel"):
                assert card[key] == reply[key]
            parts = dict(zip(reply["parts"], sent))
            pixels = np.frombuffer(parts["optimised"], np.uint8).reshape(3, 64, 64)
            assert near(optimised[index], pixels)
            assert base64.b64decode(card["kernelBytes"]) == parts.get("kernel", b"")
            shown = np.frombuffer(parts["images"], np.uint8).reshape(-1, 3, 64, 64)
            assert len(shown) == len(card["places"])
            assert near(images[card["places"]], shown)
    browser.close()


def test_a_second_call_computes_nothing(
    page: Path, run: runs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("tin_lib.analysis.filters.store.survey", refuse)
    monkeypatch.setattr("tin_lib.analysis.filters.store.maximise", refuse)
    done: list[tuple[int, int]] = []
    again = write_static_filters(
        run, run.data(), tmp_path, SHOWN, IMAGES, STEPS, lambda *n: done.append(n), back="x.html"
    )
    assert done == [(n, 4) for n in (1, 2, 3, 4)]
    assert (tmp_path / "data.js").read_text() == (page / "data.js").read_text()
    assert 'href="x.html"' in again.read_text()


def test_bad_requests_are_refused(run: runs.Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shown=0: at least one filter"):
        write_static_filters(run, run.data(), tmp_path, shown=0)
    with pytest.raises(ValueError, match="images: 0 are too few"):
        write_static_filters(run, run.data(), tmp_path, images=0)
    assert not list(tmp_path.iterdir())
