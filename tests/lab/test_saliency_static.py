"""The page without Python: what its sheets hold, when they are written; the store of its maps.

tests/browser opens it in a real browser.
"""

import base64
import io
import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_run import NETWORKS

from tin_lib.analysis import runs, saliency
from tin_lib.analysis.saliency.store import MapStore
from tin_lib.lab.figures.tiles import sheet
from tin_lib.lab.widgets import pages
from tin_lib.lab.widgets.saliency import sprites, static

METHODS = ("gradient", "grad_cam")


@pytest.fixture(scope="module")
def page(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return static.write_static_browser(run, run.data(), folder, METHODS, limit=30)


def received(path: Path) -> tuple[str, list[list[float]], np.ndarray]:
    """What a sheet's script hands over: name, gains, picture (H, W, 3)."""
    found = re.search(r"^receive\((.*)\);$", path.read_text(), re.M)
    assert found
    name, gains, address = json.loads(f"[{found[1]}]")
    content = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
    return name, gains, np.array(Image.open(io.BytesIO(content)))


def unpacked(tile: np.ndarray, gains: list[float]) -> dict[str, np.ndarray]:
    """The views of a tile uint8 (3, H, W), by the formula in ``sprites.pack``."""
    value = (tile.astype(float) - 128) / 127
    views = {"absolute": np.abs(value).max(0), "positive": value, "negative": -value}
    return {k: (255 * g * v).clip(0, 255) for (k, v), g in zip(views.items(), gains)}


def test_packed_maps_give_the_views_back() -> None:
    maps = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = maps * torch.tensor([1e-6, 1, 50, 1e4])[:, None, None, None]
    packed, gains = sprites.pack(maps)
    for name, view in saliency.VIEWS.items():
        wanted = saliency.to_uint8(view(maps))
        found = np.stack([unpacked(*each)[name] for each in zip(packed, gains)])
        assert np.abs(found - wanted).max() <= 255 / 127 * gains.max()


def test_an_empty_map_is_black_in_every_view() -> None:
    packed, gains = sprites.pack(torch.zeros(1, 3, 8, 8))
    assert (packed == 128).all()
    assert (gains == 0).all()


def test_a_map_of_one_sign_has_a_black_opposite_view() -> None:
    packed, gains = sprites.pack(torch.rand(1, 3, 8, 8) + 0.1)
    assert gains[0, 2] == 0
    assert unpacked(packed[0], gains[0])["negative"].max() == 0


def test_tiles_lie_row_by_row() -> None:
    tiles = np.arange(5, dtype=np.uint8)[:, None, None, None] * 50 + np.zeros(
        (5, 3, 8, 8), np.uint8
    )
    picture = np.array(Image.open(io.BytesIO(sheet(tiles, columns=3, quality=95))))
    assert picture.shape == (16, 24, 3)
    assert abs(int(picture[4, 20, 0]) - 100) <= 2
    assert abs(int(picture[12, 12, 0]) - 200) <= 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 50))
def test_images_are_spread_over_the_classes(labels: list[int], limit: int) -> None:
    given = np.array(labels)
    rows = static.spread(given, limit)
    assert len(rows) == len(set(rows)) == min(limit, len(labels))
    assert (np.diff(given[rows]) >= 0).all()
    counts = np.bincount(given[rows], minlength=6)
    # A class has fewer than another only if it has no more images.
    short = counts < np.bincount(given, minlength=6)
    assert (counts[short] >= counts.max() - 1).all()


def test_page_and_its_parts(page: Path, run: runs.Run) -> None:
    made = {str(p.relative_to(page.parent)) for p in page.parent.rglob("*") if p.is_file()}
    sheets = {f"maps/{network}_{method}.js" for network in NETWORKS for method in METHODS}
    assets = ("index.html", "page.css", "browser.css", "browser.js")
    assert made == {*assets, "data.js", "images.js", *sheets}
    given = json.loads((page.parent / "data.js").read_text().removeprefix("const DATA = ")[:-2])
    assert len(given["files"]) == len(given["labels"]) == len(given["allBoxes"]) == 30
    assert given["note"].startswith(f"This copy has 30 of {len(run.data().val)} images")
    table = run.fits["convnet9"].predictions("val").set_index("file")
    for file, best in zip(given["files"], given["networks"]["convnet9"]["best"]):
        assert [given["classes"][i]["id"] for i, _ in best] == table.top5[file].split()
        assert best[0][1] == pytest.approx(table.probability[file], abs=1e-4)
    named = " ".join((page.parent / name).read_text() for name in assets)
    assert "http:" not in named  # nothing from a network
    assert "https:" not in named


def test_sheets_hold_the_maps_of_the_predicted_class(page: Path, run: runs.Run) -> None:
    data, fit = run.data(), run.fits["vgg_like"]
    rows = static.spread(data.val.labels, 30)
    name, gains, sheet = received(page.parent / "maps" / "vgg_like_gradient.js")
    assert name == "vgg_like_gradient"
    inputs = saliency_inputs(fit, data.val.images[rows])
    target = torch.from_numpy(np.array(fit.logits("val")[rows])).argmax(1)
    maps = saliency.explain(fit.network(), inputs, "gradient", target)
    wanted = saliency.to_uint8(saliency.absolute(maps)).astype(float)
    for place in (0, 19, 20, 29):
        row, column = divmod(place, pages.COLUMNS)
        tile = sheet[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64].transpose(2, 0, 1)
        found = unpacked(tile, gains[place])["absolute"]
        off = [np.abs(found - other).mean() for other in wanted]
        assert np.argmin(off) == place
        assert off[place] < 255 * 0.1


def saliency_inputs(fit: runs.Fit, pixels: np.ndarray) -> torch.Tensor:
    from tin_lib import augment

    return augment.normalise(torch.from_numpy(np.array(pixels)), fit.mean, fit.std)


def test_sheets_are_kept_and_outdated_ones_rewritten(page: Path, run: runs.Run) -> None:
    sheet, other = (page.parent / "maps" / f"{name}_gradient.js" for name in NETWORKS)
    before, text = sheet.stat().st_mtime_ns, other.read_text()
    other.write_text("// another network's\n")
    done: list[tuple[int, int]] = []
    static.write_static_browser(
        run, run.data(), page.parent, METHODS, 30, lambda *n: done.append(n)
    )
    assert sheet.stat().st_mtime_ns == before
    assert other.read_text() == text
    assert done == [(n, 4) for n in (1, 2, 3, 4)]


def test_bad_requests_are_refused(run: runs.Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gradcam"):
        static.write_static_browser(run, run.data(), tmp_path, ["gradcam"])
    with pytest.raises(ValueError, match="limit=0"):
        static.write_static_browser(run, run.data(), tmp_path, METHODS, limit=0)
    assert not list(tmp_path.iterdir())


def test_methods_that_do_not_apply_are_named_on_the_page(
    run: runs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tin_lib.analysis.saliency.methods.has_relu_modules_only", lambda net: False
    )
    static.write_static_browser(run, run.data(), tmp_path, ["guided_backprop", "gradient"], limit=2)
    sheets = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert sheets == [f"{name}_gradient.js" for name in NETWORKS]
    page = json.loads((tmp_path / "data.js").read_text().removeprefix("const DATA = ")[:-2])
    for network in page["networks"].values():
        assert "nn.ReLU" in network["unavailable"]["guided_backprop"]


def test_store_keeps_maps_on_disk_and_few_in_memory(run, data, tmp_path: Path) -> None:
    store = MapStore(run.fits, data.val, tmp_path, keep=4)
    made = [store.get("vgg_like", "gradient", row) for row in range(10)]
    assert len(store.recent) == 4
    again = MapStore(run.fits, data.val, tmp_path)
    again.of("vgg_like").compute = None  # everything must come from the disk
    for row, views in enumerate(made):
        assert (again.get("vgg_like", "gradient", row) == views).all()


def test_store_without_a_folder_writes_nothing(run, data, tmp_path: Path) -> None:
    MapStore(run.fits, data.val).get("vgg_like", "gradient", 0)
    assert list(tmp_path.iterdir()) == []


def test_store_rebuilds_a_file_cut_short(run, data, tmp_path: Path) -> None:
    store = MapStore(run.fits, data.val, tmp_path)
    wanted = store.get("vgg_like", "gradient", 3)
    path = store.of("vgg_like").path("gradient")
    path.write_bytes(path.read_bytes()[:1000])
    again = MapStore(run.fits, data.val, tmp_path)
    assert (again.get("vgg_like", "gradient", 3) == wanted).all()
    assert again.of("vgg_like").read("gradient", 3) is not None


def test_store_names_what_is_unknown(run, data) -> None:
    store = MapStore(run.fits, data.val)
    with pytest.raises(ValueError, match="network='x'"):
        store.get("x", "gradient", 0)
    with pytest.raises(ValueError, match="method='x'"):
        store.get("vgg_like", "x", 0)


def test_memory_does_not_grow_with_what_was_seen(run, data, tmp_path: Path) -> None:
    store = MapStore(run.fits, data.val, tmp_path, keep=8)
    for row in range(200):
        store.of("vgg_like").write("gradient", row, np.full((7, 64, 64), row, np.uint8))
    tracemalloc.start()
    try:
        for row in range(20):
            store.get("vgg_like", "gradient", row)
        before, _ = tracemalloc.get_traced_memory()
        for row in range(20, 200):
            store.get("vgg_like", "gradient", row)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000  # 180 images' views are 5 MB
