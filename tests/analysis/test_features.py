"""Features of all images: what they are, that they resume, what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_data import make_tiny
from torch import nn

from tin_lib import files
from tin_lib.analysis import features, runs
from tin_lib.analysis.features import extraction, pretrained, store
from tin_lib.analysis.features.backbone import Backbone, Preprocessing
from tin_lib.analysis.work_report import Stopped
from tin_lib.data import TinyImageNet

NETWORK = "torchvision:mobilenet_v3_small"
FLOAT32 = features.Options(precision="float32", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return features.open_backbone(NETWORK, "random", 32)


def test_features_are_the_input_of_the_last_layer(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path
) -> None:
    found = features.extract(backbone, tiny, tmp_path, ["val"], FLOAT32)
    rows = found.rows("val")
    assert rows.shape == (len(tiny.val), 1024)
    pixels = torch.from_numpy(tiny.val.images)
    with torch.inference_mode():
        scores = backbone.module(backbone.preprocessing(pixels))
    weight, bias = found.head() or pytest.fail("no head")
    np.testing.assert_allclose(rows @ weight.T + bias, scores, atol=2e-4)


def test_input_is_scaled_and_normalised() -> None:
    images = torch.full((2, 3, 64, 64), 255, dtype=torch.uint8)
    made = Preprocessing(32, (0.5, 0.5, 0.0), (0.5, 0.25, 1.0), "bicubic")(images)
    assert made.shape == (2, 3, 32, 32)
    assert made[0, :, 5, 5].tolist() == [1.0, 2.0, 1.0]
    same = Preprocessing(64, (0.0,) * 3, (1.0,) * 3)(images)
    assert same.max() == same.min() == 1.0


def test_a_convolution_at_the_end_gives_averaged_maps() -> None:
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 1), nn.Flatten())
    made = Backbone("toy", module, Preprocessing(16, (0.0,) * 3, (1.0,) * 3), "random")
    assert made.dimensions == 6
    assert made.head is None
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    expected = module[:2](made.preprocessing(images)).mean((2, 3))
    torch.testing.assert_close(made.features(images), expected)


def test_interrupted_work_continues_with_the_same_numbers(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "CHUNK", 16)
    options = features.Options("float32", "float32", batch_size=8, device="cpu")
    whole = features.extract(backbone, tiny, tmp_path / "whole", options=options)
    calls: list[int] = []
    stop, compute = 6, extraction.Work.batch

    def batch(work: extraction.Work, images: np.ndarray) -> np.ndarray:
        calls.append(len(images))
        if len(calls) == stop:
            raise KeyboardInterrupt
        return compute(work, images)

    monkeypatch.setattr(extraction.Work, "batch", batch)
    with pytest.raises(Stopped, match="Stopped after 32 of 128 images; run the command again"):
        features.extract(backbone, tiny, tmp_path / "cut", options=options)
    partly = features.open_features(tmp_path / "cut", tiny)
    assert partly.header["splits"]["train"]["done"] == 32  # two chunks of two batches
    with pytest.raises(ValueError, match="32 of 96 rows of train are done; run the same command"):
        partly.rows("train")
    stop = 0
    calls.clear()
    again = features.extract(backbone, tiny, tmp_path / "cut", options=options)
    assert sum(calls) == 96 - 32 + 32  # the rest of train, and val
    for split in ("train", "val"):
        np.testing.assert_array_equal(again.rows(split), whole.rows(split))
    calls.clear()
    features.extract(backbone, tiny, tmp_path / "cut", options=options)
    assert not calls


def test_the_recorded_precision_is_kept(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "fast_bf16", lambda device: True)
    features.extract(backbone, tiny, tmp_path, ["val"])
    monkeypatch.setattr(extraction, "fast_bf16", lambda device: False)
    found = features.extract(backbone, tiny, tmp_path, ["test"])
    assert found.header["precision"] == "bf16"
    assert set(found.header["splits"]) == {"val", "test"}


def test_other_features_and_other_data_are_refused(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path
) -> None:
    found = features.extract(backbone, tiny, tmp_path, ["val"], FLOAT32)
    other = features.open_backbone(NETWORK, "random", 48)
    with pytest.raises(ValueError, match=r"holds features with size=32, not 48; choose another"):
        features.extract(other, tiny, tmp_path, ["val"], FLOAT32)
    with pytest.raises(ValueError, match="with other images"):
        features.extract(backbone, make_tiny(seed=1), tmp_path, ["val"], FLOAT32)
    with pytest.raises(ValueError, match="of another data set: the images differ"):
        found.check(make_tiny(seed=1))
    with pytest.raises(ValueError, match=r"another data set .4 classes, not of these 5"):
        features.open_features(tmp_path, make_tiny(classes=5))
    with pytest.raises(ValueError, match="no features of 'train', only of val"):
        found.rows("train")
    with pytest.raises(ValueError, match="there is no split 'tset'"):
        features.extract(backbone, tiny, tmp_path, ["tset"], FLOAT32)


@pytest.mark.parametrize("size", [100, 0, -20])
def test_a_file_cut_short_is_named(
    size: int, backbone: Backbone, tiny: TinyImageNet, tmp_path: Path
) -> None:
    features.extract(backbone, tiny, tmp_path, ["val"], FLOAT32)
    path = tmp_path / "val.npy"
    content = path.read_bytes()
    path.write_bytes(content[: size or None] if size else b"")
    with pytest.raises(ValueError, match=r"val\.npy is damaged or was truncated.*command again"):
        features.open_features(tmp_path).rows("val")
    features.extract(backbone, tiny, tmp_path, ["val"], FLOAT32)
    assert path.read_bytes() == content


def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no features; run tin features"):
        features.open_features(tmp_path)
    for content in ("{", "[]", "{}", f'{{"format": {store.FORMAT}, "network": 3}}'):
        (tmp_path / store.HEADER).write_text(content)
        with pytest.raises(ValueError, match=r"features\.json"):
            features.open_features(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("torchvision:nothing",), "torchvision has no such network"),
        (("timm:nothing",), "timm"),
        (("convnet9",), "must be torchvision:NAME, timm:NAME or the folder of a finished fit"),
        ((NETWORK, "random", 0), "size=0: must lie between 8 and 1024"),
        ((NETWORK, "random", 32, "nearest"), "interpolation='nearest': choose one of"),
        (("torchvision:vit_b_16", "random", 32), "size=32: torchvision:vit_b_16 fails on images"),
    ],
)
def test_unknown_networks_and_impossible_sizes_are_refused(
    arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        features.open_backbone(*arguments)


@pytest.mark.parametrize("change", [{"precision": "fp8"}, {"dtype": "int8"}, {"batch_size": 0}])
def test_impossible_options_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        features.Options(**change)


def test_features_that_overflow_are_refused(tiny: TinyImageNet, tmp_path: Path) -> None:
    wide = nn.Linear(3 * 64, 8)
    nn.init.constant_(wide.weight, 1e6)
    module = nn.Sequential(nn.Flatten(), wide, nn.Linear(8, 5))
    large = Backbone("large", module, Preprocessing(8, (0.0,) * 3, (1.0,) * 3), "random")
    with pytest.raises(ValueError, match="large: features overflow float16"):
        features.extract(large, tiny, tmp_path, ["val"])


def test_weights_of_a_file(backbone: Backbone, tmp_path: Path) -> None:
    changed = {k: v.contiguous() + 1 for k, v in backbone.module.state_dict().items()}
    torch.save({"state_dict": changed}, tmp_path / "a.pth")
    save_file(changed, tmp_path / "a.safetensors")
    opened = [
        features.open_backbone(NETWORK, tmp_path / name, 32) for name in ("a.pth", "a.safetensors")
    ]
    assert opened[0].digest == opened[1].digest != backbone.digest
    assert opened[0].origin == "a.pth"


def test_weights_that_do_not_fit_are_refused(
    backbone: Backbone, run: runs.Run, tmp_path: Path
) -> None:
    state = backbone.module.state_dict()
    torch.save(dict(list(state.items())[:-2]), tmp_path / "part.pth")
    (tmp_path / "text.pth").write_text("no weights")
    own = run.fit("convnet9").path / "weights.safetensors"
    for path, message in (
        (tmp_path / "absent.pth", "does not exist"),
        (tmp_path / "part.pth", f"part.pth does not fit {NETWORK}"),
        (tmp_path / "text.pth", "damaged or not a file of weights"),
        (own, "is a fit of this library; give its folder as network"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            features.open_backbone(NETWORK, path, 32)


def test_default_weights_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    message = r"could not be fetched \(OSError: no route to host\).*mobilenet.*path as weights"
    with pytest.raises(ValueError, match=message):
        features.open_backbone(NETWORK)


def test_weights_of_another_implementation_are_renamed_by_order() -> None:
    def net(*names: str) -> dict[str, torch.Tensor]:
        shapes = [(4, 3, 3, 3), (4,), (2, 4)]
        return {name: torch.rand(shape) for name, shape in zip(names, shapes, strict=True)}

    theirs = net("_conv.weight", "_bn.weight", "_fc.weight")
    ours = net("stem.weight", "norm.weight", "head.weight")
    found = pretrained.renamed(theirs, ours)
    assert list(found) == list(ours)
    assert found["head.weight"] is theirs["_fc.weight"]
    for other in (
        net("_conv.weight", "_bn.bias", "_fc.weight"),  # another kind
        net("stem.weight", "_bn.weight", "_fc.weight"),  # one name agrees: no renaming
        theirs | {"_fc.weight": torch.rand(3, 4)},  # another shape
        theirs | {"_fc.bias": torch.rand(2)},  # one more
    ):
        assert pretrained.renamed(other, ours) is other


def test_a_fit_and_its_untrained_twin(run: runs.Run, data: TinyImageNet, tmp_path: Path) -> None:
    fit = run.fit("convnet9")
    trained = features.open_backbone(str(fit.path))
    twin = features.open_backbone(str(fit.path), "random")
    assert trained.digest != twin.digest == features.open_backbone(str(fit.path), "random").digest
    found = features.extract(trained, data, tmp_path, ["val"], FLOAT32)
    weight, bias = found.head() or pytest.fail("no head")
    expected = fit.logits("val")
    np.testing.assert_allclose(found.rows("val") @ weight.T + bias, expected, atol=2e-2)


def test_a_folder_is_named_by_what_it_holds(
    backbone: Backbone, tiny: TinyImageNet, tmp_path: Path
) -> None:
    first = features.keep(backbone, tiny, tmp_path, FLOAT32)
    assert first.folder.name.startswith("torchvision-mobilenet_v3_small-32-")
    moved = dataclasses.replace(tiny, request={"data": "elsewhere"})
    assert features.keep(backbone, moved, tmp_path, FLOAT32).folder == first.folder
    assert features.keep(backbone, make_tiny(seed=1), tmp_path, FLOAT32).folder != first.folder


def test_weights_in_the_cache_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert features.downloaded("torchvision:alexnet") is None
    path = tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert features.downloaded("torchvision:alexnet") == path


def test_networks_of_timm(tiny: TinyImageNet, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    made = features.open_backbone("timm:test_efficientnet", "random", 32)
    found = features.extract(made, tiny, tmp_path, ["val"], FLOAT32)
    assert found.rows("val").shape == (len(tiny.val), made.dimensions)
    assert features.open_backbone("timm:test_vit", "random", 96).dimensions == 64
    assert files.read_object(tmp_path / store.HEADER)["network"] == "timm:test_efficientnet"
