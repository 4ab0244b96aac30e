"""The saliency browser from Python's side: its answers to the page, views, and still form.

tests/browser looks at it in a real browser.
"""

import base64
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tin_lib import augment
from tin_lib.analysis import runs, saliency
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import SaliencyBrowser
from tin_lib.lab.widgets.serve import page


@pytest.fixture
def browser(run: runs.Run, data: TinyImageNet) -> Any:
    browser = SaliencyBrowser(run, data)
    yield browser
    browser.close()


def ask(browser: SaliencyBrowser, kind: str, **request: Any) -> tuple[dict[str, Any], list[bytes]]:
    """What Python answers to a request of the page, as it is sent."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    browser.send = lambda content, buffers=None: sent.append((content, buffers))
    browser._handle_custom_msg({"id": "7", "kind": kind, **request}, [])
    reply, buffers = sent.pop()
    assert reply.pop("id") == "7"
    return reply, buffers


def maps_of(run: runs.Run, data: TinyImageNet, network: str, method: str, row: int):
    """The signed map, computed here, of the class the saved logits say."""
    fit = run.fits[network]
    pixels = torch.from_numpy(np.array(data.val.images[row : row + 1]))
    target = torch.from_numpy(np.array(fit.logits("val")[row : row + 1])).argmax(1)
    inputs = augment.normalise(pixels, fit.mean, fit.std)
    return saliency.explain(fit.network(), inputs, method, target)


@pytest.mark.parametrize("network", ["convnet9", "vgg_like"])
@pytest.mark.parametrize("method", ["gradient", "grad_cam"])
def test_maps_are_the_computed_ones(
    browser: SaliencyBrowser, run, data, network: str, method: str
) -> None:
    reply, (found,) = ask(browser, "maps", image=37, network=network, method=method)
    assert reply == {}
    views = np.frombuffer(found, np.uint8).reshape(7, 64, 64)
    maps = maps_of(run, data, network, method, 37)
    wanted = [
        saliency.to_uint8(view(maps))[0].reshape(-1, 64, 64) for view in saliency.VIEWS.values()
    ]
    assert (views == np.concatenate(wanted)).all()


def test_image_its_box_and_predictions(browser: SaliencyBrowser, run, data) -> None:
    table = run.fits["vgg_like"].predictions("val")
    for row in (0, 71, 199):
        reply, (pixels,) = ask(browser, "image", image=row)
        assert (np.frombuffer(pixels, np.uint8).reshape(3, 64, 64) == data.val.images[row]).all()
        assert reply["box"] == data.val.boxes[row].tolist()
        best = reply["best"]["vgg_like"]
        assert [browser.ids[at] for at, _ in best] == table.top5[row].split()
        assert best[0][1] == pytest.approx(table.probability[row], abs=1e-4)


def test_thumbnails_are_the_images(browser: SaliencyBrowser, data) -> None:
    reply, (sheet,) = ask(browser, "thumbnails", images=[3, 150, 7, 9, 11, 30, 2])
    assert Image.open(io.BytesIO(sheet)).size == (64 * reply["columns"], 128)
    tile = np.array(Image.open(io.BytesIO(sheet)))[64:, :64].transpose(2, 0, 1).astype(float)
    assert np.abs(tile - data.val.images[2]).mean() < 255 * 0.02


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "maps", "image": 200, "network": "convnet9", "method": "gradient"}, "0 to 199"),
        ({"kind": "maps", "image": "1", "network": "convnet9", "method": "gradient"}, "0 to 199"),
        ({"kind": "maps", "image": 1, "network": "resnet", "method": "gradient"}, "convnet9"),
        ({"kind": "maps", "image": 1, "network": "convnet9", "method": "lime"}, "gradient"),
        ({"kind": "maps", "image": 1}, "network"),
        ({"kind": "paint"}, "thumbnails, image, maps"),
    ],
)
def test_bad_requests_are_answered(browser: SaliencyBrowser, request_: dict, message: str) -> None:
    reply, buffers = ask(browser, **request_)
    assert message in reply["error"]
    assert buffers == []


def test_the_page_knows_what_it_chooses_from(browser: SaliencyBrowser, run, data) -> None:
    known = browser.description
    assert known["files"] == data.val.files.tolist()
    assert known["labels"] == data.val.labels.tolist()
    table = run.fits["convnet9"].predictions("val")
    given = [browser.ids[at] for at in known["networks"]["convnet9"]["predicted"]]
    assert given == table.predicted.tolist()
    assert known["boxes"] is True


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
    browser.look(show=show)
    assert list(browser.rows) == expected_rows(run, show)


def test_class_and_pair(browser: SaliencyBrowser, run) -> None:
    table = run.fits["convnet9"].predictions("val")
    label, predicted = table[table.label != table.predicted][["label", "predicted"]].iloc[0]
    browser.look(label=label, predicted=predicted, networks=("convnet9",))
    wanted = np.flatnonzero((table.label == label) & (table.predicted == predicted))
    assert list(browser.rows) == list(wanted)


def test_view_and_link_open_it_again(browser: SaliencyBrowser, run, data) -> None:
    browser.look(file=str(data.val.files[5]), methods=("grad_cam",), overlay=0.7, box=np.False_)
    assert browser.view == {
        "file": data.val.files[5],
        "methods": ("grad_cam",),
        "overlay": 0.7,
        "box": False,
    }
    known: dict[str, Any] = {}
    exec(browser.link().replace("; ", "; again = "), known)
    assert known["again"].view == browser.view
    known["again"].close()
    reply, _ = ask(browser, "link", state={"label": browser.ids[1], "methods": ["gradient"]})
    assert reply["link"].endswith(f"label={browser.ids[1]!r}, methods=['gradient'])")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"networks": ("resnet",)}, "networks: 'resnet'"),
        ({"methods": ("lime",)}, "methods: 'lime'"),
        ({"label": "n1"}, "label: 'n1'"),
        ({"show": "some"}, "show: 'some'"),
        ({"file": "x.JPEG"}, "no such image"),
        ({"overlay": 2}, "overlay=2"),
        ({"overlay": "much"}, "overlay='much'"),
        ({"methods": ()}, "methods: name at least one of gradient"),
        ({"pinned": "x.JPEG"}, "pinned=.*no such image"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_parameters_are_named(browser: SaliencyBrowser, bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        browser.look(**bad)


def pictures(html: str) -> list[np.ndarray]:
    """The pictures in HTML, uint8 (3, H, W) each."""
    found = re.findall(r"data:image/png;base64,([\w+/=]+)", html)
    opened = [Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB") for each in found]
    return [np.array(each).transpose(2, 0, 1) for each in opened]


def test_still_form_shows_the_computed_maps(browser: SaliencyBrowser, run, data) -> None:
    row = 37
    browser.look(file=str(data.val.files[row]), networks=("vgg_like",), overlay=0.7)
    html = browser.still()
    original, preprocessed, overlay, *maps = pictures(html)
    assert (original == data.val.images[row]).all()
    inputs = augment.normalise(torch.from_numpy(original[None]), run.first.mean, run.first.std)
    assert (preprocessed == saliency.preprocessed(inputs)[0]).all()
    signed = maps_of(run, data, "vgg_like", "gradient", row)
    views = [saliency.to_uint8(view(signed))[0] for view in saliency.VIEWS.values()]
    for found, wanted in zip(maps, views, strict=True):
        assert (found == wanted).all()
    assert (overlay == saliency.overlay(original[None], views[0][None], 0.7)[0]).all()
    assert html.count("<li>") == 5
    assert "VGG-like · gradient" in html


def test_still_form_goes_with_the_widget(browser: SaliencyBrowser) -> None:
    bundle = browser._repr_mimebundle_()
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    assert bundle["text/html"] == browser.still()
    assert bundle["text/plain"] == browser.link()
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_still_form_without_a_matching_image(browser: SaliencyBrowser, run) -> None:
    pairs = {
        (a, b)
        for fit in run.fits.values()
        for a, b in fit.predictions("val")[["label", "predicted"]].itertuples(index=False)
    }
    free = next((a, b) for a in browser.ids for b in browser.ids if (a, b) not in pairs)
    browser.look(label=free[0], predicted=free[1])
    assert browser.still() == "<p>No image matches.</p>"


def test_prefetched_maps_are_kept(browser: SaliencyBrowser) -> None:
    request = {"images": [8, 9], "networks": ["convnet9"], "methods": ["gradient"]}
    assert ask(browser, "expect", **request) == ({}, [])
    assert browser.prefetcher.thread is not None
    for image in request["images"]:
        ask(browser, "maps", image=image, network="convnet9", method="gradient")
    assert {key.row for key in browser.prefetcher.kept} == {8, 9}


def test_batch_starts_no_thread(run, data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    browser = SaliencyBrowser(run, data)
    ask(browser, "expect", images=[1], networks=["convnet9"], methods=["gradient"])
    browser.still()
    assert browser.prefetcher.thread is None
    browser.close()


def test_served_page_is_live(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")  # voila's kernels have no standard input either
    browser = page("saliency", str(run.path), str(run.data().root))
    assert browser.live
    assert browser.page
    browser.close()


def test_a_method_that_does_not_apply_is_explained(
    run, data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tin_lib.analysis.saliency.methods.has_relu_modules_only", lambda net: False
    )
    browser = SaliencyBrowser(run, data, methods=("guided_backprop", "gradient"))
    assert (
        "nn.ReLU" in browser.description["networks"]["vgg_like"]["unavailable"]["guided_backprop"]
    )
    reply, _ = ask(browser, "maps", image=0, network="vgg_like", method="guided_backprop")
    assert "nn.ReLU" in reply["error"]
    assert "nn.ReLU" in browser.still()
    assert len(pictures(browser.still())) == 2 + 4 * 2  # the gradient of both networks
    browser.close()


def test_images_without_boxes_have_no_box_switch(run, data) -> None:
    none = dataclasses.replace(data.val, boxes=np.full_like(data.val.boxes, -1))
    browser = SaliencyBrowser(run, dataclasses.replace(data, val=none))
    assert browser.description["boxes"] is False
    browser.close()


def test_maps_that_cannot_be_kept_are_reported(browser: SaliencyBrowser, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    browser.store.cache.folder = tmp_path / "file" / "maps"
    reply, (found,) = ask(browser, "maps", image=7, network="convnet9", method="smoothgrad")
    assert "not kept" in reply["notice"]
    assert len(found) == 7 * 64 * 64


def test_other_data_is_refused(run, tiny: TinyImageNet) -> None:
    with pytest.raises(ValueError, match="other images"):
        SaliencyBrowser(run, tiny)
