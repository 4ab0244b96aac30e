"""Features, saliency maps and cached filters, truncated or with bytes changed."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import in_child
from torch import nn

from tin_lib import networks, runs
from tin_lib.analysis import features
from tin_lib.analysis.features import extraction
from tin_lib.analysis.features.backbone import Backbone, Preprocessing
from tin_lib.analysis.filters.images import images_of_split
from tin_lib.analysis.filters.store import ARRAYS, FilterStore
from tin_lib.analysis.saliency.store import MapStore
from tin_lib.data import TinyImageNet

PLACES = (0.0, 0.15, 0.4, 0.6, 0.8, 1.0)
TENTHS = range(10)
FEATURES = ("train.npy", "val.npy", "head.safetensors", "features.json")
Damage = Callable[[bytes], bytes]


def damages() -> Iterator[tuple[str, str, Damage]]:
    """Kind, name and function of each way in which a file is damaged."""
    for tenth in TENTHS:
        yield (
            "truncated",
            f"at {tenth}/10",
            lambda content, t=tenth: content[: len(content) * t // 10],
        )
    for place in PLACES:
        yield "flipped byte in", f"at {place:.0%}", lambda content, p=place: flipped(content, p)


def flipped(content: bytes, place: float) -> bytes:
    at = min(int(place * len(content)), len(content) - 1)
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 8), nn.Linear(8, 4)).eval()
    return Backbone("toy", module, Preprocessing(8, (0.0,) * 3, (1.0,) * 3), "random")


def extract(backbone: Backbone, data: TinyImageNet, folder: Path) -> features.Features:
    options = features.Options("float32", "float32", batch_size=8, device="cpu")
    return features.extract(backbone, data, folder, options=options)


@pytest.mark.parametrize("name", FEATURES)
def test_features(
    name: str,
    backbone: Backbone,
    tiny: TinyImageNet,
    tmp_path: Path,
    fault: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading names the file; the same command computes again what is damaged, and no more."""
    monkeypatch.setattr(extraction, "CHUNK", 16)
    whole = extract(backbone, tiny, tmp_path / "whole")
    expected = {split: whole.rows(split) for split in ("train", "val")}
    computed: list[int] = []
    compute = extraction.Work.batch

    def batch(work: extraction.Work, images: np.ndarray) -> np.ndarray:
        computed.append(len(images))
        return compute(work, images)

    monkeypatch.setattr(extraction.Work, "batch", batch)
    content = (tmp_path / "whole" / name).read_bytes()
    for number, (kind, place, damage) in enumerate(damages()):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / name).write_bytes(damage(content))
        computed.clear()
        with fault(f"{kind} features", f"{name} {place}"):
            with pytest.raises(ValueError, match=name) as caught:
                read(features.open_features(folder), name)
            assert str(folder / name) in str(caught.value)
            if name == "features.json":
                assert "remove" in str(caught.value)
                shutil.rmtree(folder)
            again = extract(backbone, tiny, folder)
            for split, rows in expected.items():
                np.testing.assert_array_equal(again.rows(split), rows)
            head = again.head() or pytest.fail("no head")
            np.testing.assert_array_equal(head[0], backbone.module[2].weight.detach())
            if name == "train.npy" and place in ("at 8/10", "at 80%"):
                assert sum(computed) == 32  # of 96: the last two chunks


def read(opened: features.Features, name: str) -> None:
    """Read the file."""
    if name.endswith(".npy"):
        opened.rows(name.removesuffix(".npy"))
    else:
        opened.head()


def test_features_that_are_cut_after_they_were_read(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path, fault: Callable
) -> None:
    found = extract(backbone, tiny, tmp_path)
    expected = found.rows("train").copy()

    def check() -> None:
        rows = features.open_features(tmp_path).rows("train")
        os.truncate(tmp_path / "train.npy", 0)
        np.testing.assert_array_equal(rows, expected)

    with fault("truncated while open", "features"):
        in_child(check)


@pytest.fixture(scope="module")
def fit(tiny: TinyImageNet) -> runs.Fit:
    """What the stores read of a fit, of an untrained network."""
    torch.manual_seed(0)
    network = networks.create("vgg_like", 4, 0.1).eval()
    logits = np.random.default_rng(0).random((len(tiny.val), 4), dtype=np.float32)

    @dataclasses.dataclass
    class Untrained:
        name = "vgg_like"
        digest = "0123456789ab"
        mean, std = (torch.tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))

        def logits(self, split: str) -> np.ndarray:
            return logits

        def network(self) -> networks.Network:
            return network

    return Untrained()  # type: ignore[return-value]


def test_saliency_maps(fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path, fault: Callable) -> None:
    """What is damaged is computed again, and kept."""
    rows = (0, 3)

    def maps() -> list[np.ndarray]:
        store = MapStore({"vgg_like": fit}, tiny.val, tmp_path)
        return [store.get("vgg_like", "gradient", row) for row in rows]

    expected = maps()
    (path,) = tmp_path.rglob("*.maps")
    content = path.read_bytes()
    for kind, place, damage in damages():
        with fault(f"{kind} saliency maps", place):
            path.write_bytes(damage(content))
            for found, wanted in zip(maps(), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)
            assert path.read_bytes().rstrip(b"\0") == content.rstrip(b"\0") or "byte" in kind


def test_what_the_filter_browser_keeps(
    fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path, fault: Callable
) -> None:
    images = images_of_split(tiny.val.select(np.arange(8)), fit.mean, fit.std)

    def compute() -> list[np.ndarray]:
        torch.manual_seed(0)
        store = FilterStore(fit, images, 1, tmp_path)
        layer = next(iter(store.layers))
        found = store.survey(layer)
        store.optimise(layer, "pixel", [0])
        image = store.image(layer, "pixel", 0)
        assert image is not None
        return [getattr(found, name) for name in ARRAYS] + [image]

    expected = compute()
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {".npz", ".png"}
    for path in paths:
        content = path.read_bytes()
        for kind, place, damage in damages():
            with fault(f"{kind} cached filters", f"{path.suffix} {place}"):
                path.write_bytes(damage(content))
                for found, wanted in zip(compute(), expected, strict=True):
                    np.testing.assert_array_equal(found, wanted)
        for at in range(0, len(content), max(1, len(content) // 150)):
            changed = content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :]
            with fault("flipped byte in cached filters", f"{path.suffix} {at}"):
                path.write_bytes(changed)
                store = FilterStore(fit, images, 1, tmp_path)
                layer = next(iter(store.layers))
                survey, image = store.cached_survey(layer), store.image(layer, "pixel", 0)
                if survey is not None:
                    for name, wanted in zip(ARRAYS, expected):
                        np.testing.assert_array_equal(getattr(survey, name), wanted)
                if image is not None:
                    np.testing.assert_array_equal(image, expected[-1])
