"""The filter browser without a person: in batch, as still HTML, and with bad parameters."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tin_lib.analysis import filters, runs
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets import FilterBrowser


def pictures(html: str) -> list[np.ndarray]:
    """The pictures in HTML, uint8 (3, H, W)."""
    found = re.findall(r"data:image/png;base64,([^\"]+)", html)
    images = [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]
    return [np.array(image).transpose(2, 0, 1) for image in images]


def test_batch_run_computes_one_filter_and_starts_no_thread(
    run: runs.Run, data: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    browser = FilterBrowser(run, data, network="vgg_like", layer="first", filter=5, steps=3)
    store = browser.source.stores["vgg_like"]
    assert store.image("conv1", "fourier", 5) is not None
    assert store.image("conv1", "fourier", 0) is None
    browser.answer("want", {**browser.view, "filters": [0]})
    assert browser.task.thread is None
    browser.close()


def test_still_has_the_same_content(
    run: runs.Run, data: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_BATCH", "1")
    browser = FilterBrowser(run, data, network="vgg_like", layer="first", filter=5, steps=3)
    bundle = browser._repr_mimebundle_()
    html = bundle[0]["text/html"] if isinstance(bundle, tuple) else bundle["text/html"]
    store, survey = (
        browser.source.stores["vgg_like"],
        browser.source.stores["vgg_like"].survey("conv1"),
    )
    patches = filters.patches(survey, store.images, [5])[0]
    wanted = [store.image("conv1", "fourier", 5), filters.first_layer(store.network)[5]]
    wanted += [*patches, *data.val.images[survey.image[5]]]
    found = pictures(html)
    assert len(found) == len(wanted)
    assert all((a == b).all() for a, b in zip(found, wanted))
    assert html.count("position:absolute") == 6  # the receptive fields, outlined
    reply, _ = browser.answer("view", browser.view)
    for text in (reply["title"], *reply["figures"], *(i["caption"] for i in reply["images"])):
        assert text in html
    assert all(f"{times:.1f} {name}" in html for name, times in reply["classes"])
    assert "<script" not in html
    browser.close()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"network": "resnet"}, "network: 'resnet' is not one of convnet9, vgg_like"),
        ({"layer": "dense1"}, "layer: 'dense1' is not one of conv1, conv2"),
        ({"filter": 5000}, "filter=5000: conv9 has 0 to"),
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


def test_bad_requests_are_answered(run, data) -> None:
    browser = FilterBrowser(run, data)
    with pytest.raises(ValueError, match="kind='png': choose view, tiles or want"):
        browser.answer("png", {})
    with pytest.raises(ValueError, match="network: 'resnet'"):
        browser.answer("view", {"network": "resnet"})
    with pytest.raises(ValueError, match="order: 'beauty'"):
        browser.answer("view", {"order": "beauty"})
    browser.close()


def test_other_data_are_refused(run, tiny: TinyImageNet) -> None:
    with pytest.raises(ValueError, match="other images"):
        FilterBrowser(run, tiny)


def test_results_that_cannot_be_kept_are_reported(run, data, tmp_path) -> None:
    browser = FilterBrowser(run, data, network="vgg_like", steps=2)
    (tmp_path / "file").touch()
    store = browser.source.stores["vgg_like"]
    store.cache.folder = tmp_path / "file" / "browser"
    store.survey("conv4")
    reply, _ = browser.answer("view", browser.view)
    assert "not kept" in reply["notice"]
    browser.close()
