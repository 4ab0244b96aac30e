"""The saliency browser from Python's side: pictures and matching images.

tests/browser looks at them in a real browser.
"""

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_run import NETWORKS

from tin_lib import augment
from tin_lib.analysis import runs, saliency
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import SaliencyBrowser
from tin_lib.lab.widgets.saliency import saliency_card
from tin_lib.lab.widgets.saliency.serve import ServedSaliencyBrowser
from tin_lib.lab.widgets.saliency.view import View, from_query


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> SaliencyBrowser:
    browser = SaliencyBrowser(run, data)
    yield browser
    browser.close()


def pixels_of(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def tile(picture: np.ndarray, row: int, name: str) -> np.ndarray:
    """One tile of a picture at the image's own resolution, uint8 (3, 64, 64)."""
    x, y, zoom = saliency_card.place(row, name)
    part = picture[y : y + 64 * zoom, x : x + 64 * zoom]
    assert (part == part[::zoom, ::zoom].repeat(zoom, 0).repeat(zoom, 1)).all()
    return part[::zoom, ::zoom].transpose(2, 0, 1)


def maps_of(run: runs.Run, data: TinyImageNet, network: str, method: str, row: int):
    """The signed map, computed here, of the class the saved logits say."""
    fit = run.fits[network]
    pixels = torch.from_numpy(np.array(data.val.images[row : row + 1]))
    target = torch.from_numpy(np.array(fit.logits("val")[row : row + 1])).argmax(1)
    inputs = augment.normalise(pixels, fit.mean, fit.std)
    return saliency.explain(fit.network(), inputs, method, target)


def test_picture_shows_the_computed_maps(browser: SaliencyBrowser, run, data) -> None:
    row = 37
    file = str(data.val.files[row])
    browser.look(file=file, box=False, overlay=0.7, methods=("gradient", "grad_cam"))
    picture = pixels_of(browser.png())
    assert (tile(picture, -1, "original") == data.val.images[row]).all()
    shown = [(n, m) for n in NETWORKS for m in ("gradient", "grad_cam")]
    for number, (network, method) in enumerate(shown):
        maps = maps_of(run, data, network, method, row)
        for name, view in saliency.VIEWS.items():
            wanted = saliency.to_uint8(view(maps))[0]
            assert (tile(picture, number, name) == wanted).all(), (network, method, name)
        gray = saliency.to_uint8(saliency.absolute(maps))
        laid = saliency.overlay(data.val.images[row][None], gray, 0.7)[0]
        assert (tile(picture, number, "overlay") == laid).all()


def test_preprocessed_and_box(browser: SaliencyBrowser, run, data) -> None:
    browser.look(file=str(data.val.files[5]), box=False)
    plain = pixels_of(browser.png())
    pixels = torch.from_numpy(np.array(data.val.images[5:6]))
    inputs = augment.normalise(pixels, run.first.mean, run.first.std)
    assert (tile(plain, -1, "preprocessed") == saliency.preprocessed(inputs)[0]).all()
    browser.controls.box.value = True
    boxed = pixels_of(browser.png())
    x, y, zoom = saliency_card.place(-1, "original")
    x0, y0, x1, y1 = (int(v) for v in data.val.boxes[5])
    rows, columns = np.nonzero((boxed != plain).any(2)[y : y + 192, x : x + 192])
    # The outline changes pixels of the object's box and no others.
    assert (rows.min(), columns.min()) == (y0 * zoom, x0 * zoom)
    assert (rows.max(), columns.max()) == ((y1 + 1) * zoom - 1, (x1 + 1) * zoom - 1)


def test_top_five_are_the_fits(browser: SaliencyBrowser, run, data) -> None:
    table = run.fits["vgg_like"].predictions("val")
    for row in (0, 71, 199):
        best = browser.best("vgg_like", row)
        ids = table.top5[row].split()
        assert [name for name, *_ in best] == [browser.class_names[i] for i in ids]
        assert best[0][1] == pytest.approx(table.probability[row], abs=1e-5)
        assert [right for *_, right in best] == [i == table.label[row] for i in ids]


def expected_rows(run: runs.Run, show: str) -> list[int]:
    tables = [fit.predictions("val") for fit in run.fits.values()]
    rows = []
    for i, label in enumerate(tables[0].label):
        given = [table.predicted[i] for table in tables]
        keep = {
            "all": True,
            "right": all(g == label for g in given),
            "wrong": any(g != label for g in given),
            "disagree": len(set(given)) > 1,
        }
        rows += [i] if keep[show] else []
    return rows


@pytest.mark.parametrize("show", ["all", "right", "wrong", "disagree"])
def test_filters(browser: SaliencyBrowser, run, show: str) -> None:
    browser.controls.show.value = show
    assert list(browser.rows) == expected_rows(run, show)


def test_class_and_pair(browser: SaliencyBrowser, run, data) -> None:
    table = run.fits["convnet9"].predictions("val")
    label, predicted = table[table.label != table.predicted][["label", "predicted"]].iloc[0]
    browser.look(label=label, predicted=predicted, networks=("convnet9",))
    wanted = np.flatnonzero((table.label == label) & (table.predicted == predicted))
    assert list(browser.rows) == list(wanted)
    assert browser.controls.label.value == browser.class_names[label]


def test_class_typed_in_part_is_found(browser: SaliencyBrowser) -> None:
    wnid, name = list(browser.class_names.items())[3]
    browser.controls.label.value = name[:-1].upper()
    assert browser.view["label"] == wnid
    assert browser.controls.label.value == name
    browser.controls.label.value = "no such class"
    assert "label" not in browser.view


def test_stepping_by_slider_strip_and_link(browser: SaliencyBrowser, run, data) -> None:
    browser.controls.label.value = list(browser.class_names.values())[1]
    browser.step(1)
    assert browser.strip.selected == 1
    assert browser.controls.place.value == 2
    browser.strip.selected = 3
    assert browser.view["file"] == data.val.files[browser.rows[3]]
    browser.controls.place.value = 5
    assert (browser.index, browser.strip.selected) == (4, 4)
    again = eval(browser.link(), {"SaliencyBrowser": SaliencyBrowser})
    assert again.png() == browser.png()
    assert again.view == browser.view
    again.close()


def test_narrower_filter_keeps_the_image_if_it_fits(browser: SaliencyBrowser) -> None:
    browser.look(file=str(browser.split.files[100]))
    before = browser.png()
    label = browser.split.labels[100]
    browser.controls.label.value = browser.class_names[browser.ids[label]]
    assert browser.view["file"] == browser.split.files[100]
    assert browser.png() == before


def test_strip_turns_pages(browser: SaliencyBrowser) -> None:
    assert (browser.strip.first, browser.strip.total) == (0, len(browser.split))
    before = browser.strip.picture
    browser.strip.selected = 60
    assert (browser.strip.first, browser.strip.selected) == (60, 60)
    assert browser.strip.picture != before


def test_nothing_fits(browser: SaliencyBrowser) -> None:
    ids = browser.ids
    given = {
        (int(a), int(b))
        for name in NETWORKS
        for a, b in zip(browser.split.labels, browser.store.of(name).predicted)
    }
    free = next((a, b) for a in range(10) for b in range(10) if (a, b) not in given)
    browser.look(label=ids[free[0]], predicted=ids[free[1]])
    assert len(browser.rows) == 0
    assert "No image matches" in browser.message.value
    browser.look()
    assert len(browser.rows) == len(browser.split)


def test_no_method_chosen_is_reported(browser: SaliencyBrowser) -> None:
    before = browser.png()
    browser.controls.methods["gradient"].value = False
    assert "Choose at least one" in browser.message.value
    assert browser.png() == before


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"networks": ("resnet",)}, "networks: 'resnet'"),
        ({"methods": ("lime",)}, "methods: 'lime'"),
        ({"label": "n1"}, "label: 'n1'"),
        ({"show": "some"}, "show: 'some'"),
        ({"file": "x.JPEG"}, "no such image"),
        ({"overlay": 2}, "overlay=2"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_parameters_are_named(browser: SaliencyBrowser, bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        browser.look(**bad)


def test_query_round_trip() -> None:
    view = View(label="n01", file="val_3.JPEG", networks=("a", "b"), box=False, overlay=0.25)
    assert View(**from_query(view.query())) == view
    assert View(**from_query("token=abc")) == View()


def test_static_picture_with_the_widget(browser: SaliencyBrowser) -> None:
    bundle = browser._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == browser.png()
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_batch_starts_no_thread(run, data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    browser = SaliencyBrowser(run, data)
    browser.step(1)
    assert browser.prefetcher.thread is None
    browser.close()


def test_served_page_is_live(run, data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")  # voila's kernels have no standard input either
    page = ServedSaliencyBrowser(run, data)
    assert page.live
    page.close()


def test_a_method_that_does_not_apply_is_explained_in_its_row(
    run, data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tin_lib.analysis.saliency.methods.has_relu_modules_only", lambda net: False
    )
    methods = ("guided_backprop", "gradient")
    browser = SaliencyBrowser(run, data, methods=methods, box=False)
    row = browser._row("vgg_like", "guided_backprop", 0)
    assert row.views is None
    assert "nn.ReLU" in row.note
    assert tile(pixels_of(browser.png()), 1, "absolute").max() == 255  # of the gradient
    browser.close()


def test_images_without_boxes_have_no_box_switch(run, data) -> None:
    none = dataclasses.replace(data.val, boxes=np.full_like(data.val.boxes, -1))
    browser = SaliencyBrowser(run, dataclasses.replace(data, val=none))
    assert browser.controls.box.layout.display == "none"
    before = browser.png()
    browser.controls.box.value = False
    assert browser.png() == before
    browser.close()


def test_maps_that_cannot_be_kept_are_reported_once(
    browser: SaliencyBrowser, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    browser.store.cache.folder = tmp_path / "file" / "maps"
    browser.look(methods=("grad_cam",), file=str(browser.split.files[7]))
    assert "not kept" in browser.notice.value
    notices: list[str] = []
    browser.notice.observe(lambda change: notices.append(change.new), "value")
    browser.step(1)
    assert f"{browser.split.files[8]}" in browser.message.value
    assert notices == []


def test_other_data_is_refused(run, tiny: TinyImageNet) -> None:
    with pytest.raises(ValueError, match="other images"):
        SaliencyBrowser(run, tiny)


def test_controls_are_labelled(browser: SaliencyBrowser) -> None:
    controls = browser.controls
    for control in [controls.label, controls.predicted, controls.show, controls.place]:
        assert control.description
        assert control.tooltip
    for tick in [*controls.networks.values(), *controls.methods.values(), controls.box]:
        assert tick.description
        assert tick.tooltip
    assert browser.strip.label
