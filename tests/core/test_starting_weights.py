"""Starting weights, this library's and those of others: they fit or are refused by name."""

import fractions
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from weights_toys import SMALL, images, saved

from tin_lib import networks, recipes
from tin_lib.data import TinyImageNet
from tin_lib.networks import pretrained
from tin_lib.train.fit import check


@pytest.mark.parametrize("as_folder", [False, True])
def test_start_from_ours(tmp_path: Path, as_folder: bool) -> None:
    network, path = saved(tmp_path, "convnet9")
    given = tmp_path if as_folder else path
    again = networks.create("convnet9", **SMALL, weights=str(given)).eval()
    assert torch.equal(again(images()), network(images()))
    assert again.origin == str(path)


@pytest.mark.parametrize("name", networks.names())
def test_another_number_of_classes_keeps_all_but_the_output_layer(
    tmp_path: Path, name: str
) -> None:
    network, path = saved(tmp_path, name)
    torch.manual_seed(3)
    fresh = networks.create(name, 9, 0.1)
    torch.manual_seed(3)
    again = networks.create(name, 9, 0.1, weights=str(path))
    last = list(again.layers.values())[-1].weight
    for key, value in again.state_dict().items():
        source = fresh if key.startswith(last) else network
        assert torch.equal(value, source.state_dict()[key]), key
    assert again.origin == f"{path} (of 6 classes; output layer random)"
    networks.save(again, path)
    assert networks.load(path).origin == again.origin


@pytest.mark.parametrize(
    ("name", "width", "options", "message"),
    [
        ("vgg16", 0.1, {}, "holds vgg_like at width 0.1, not vgg16 at width 0.1"),
        ("vgg_like", 0.2, {}, "holds vgg_like at width 0.1, not vgg_like at width 0.2"),
        ("vgg_like", 0.1, {"batchnorm": True}, "made with .*'batchnorm': False.*batchnorm=True"),
    ],
)
def test_unfit_checkpoints_are_refused(
    tmp_path: Path, name: str, width: float, options: dict, message: str
) -> None:
    _, path = saved(tmp_path)
    with pytest.raises(ValueError, match=rf"{path.name}.*{message}"):
        networks.create(name, 6, width, weights=str(path), **options)


def test_dropout_and_variants_may_differ_from_the_checkpoints(tmp_path: Path) -> None:
    network, path = saved(tmp_path, "convnet9")
    again = networks.create("convnet9", **SMALL, weights=str(path), variant="code", dropout=0)
    assert torch.equal(again.eval()(images()), network(images()))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pth"):
        with pytest.raises(FileNotFoundError, match=name):
            networks.create("vgg_like", weights=str(tmp_path / name))


class Hostile:
    """Unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_bad_pth_files_are_refused_and_never_run(tmp_path: Path) -> None:
    path, target = tmp_path / "bad.pth", tmp_path / "was run"
    for content in (Hostile(target), {1: torch.zeros(1)}, [torch.zeros(1)], {"features.0": 1}):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"weights: .*bad\.pth"):
            networks.create("alexnet", width=0.1, weights=str(path))
    path.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"bad\.pth is damaged or not a file of weights"):
        networks.create("alexnet", width=0.1, weights=str(path))
    assert not target.exists()


def checkpoints(folder: Path, plain: dict[str, Tensor]) -> dict[str, Path]:
    """The same state dict in the ways in which it is commonly saved."""
    contents = {
        "wrapped.pth": {"state_dict": plain, "epoch": 3},
        "model_key.pt": {"model": plain, "epoch": 3},
        "parallel.pth": {f"module.{k}": v for k, v in plain.items()},
        "compiled.pth": {f"module._orig_mod.{k}": v for k, v in plain.items()},
        "lightning.ckpt": {"state_dict": {f"model.{k}": v for k, v in plain.items()}},
        "best.pth.tar": plain,
    }
    for name, content in contents.items():
        torch.save(content, folder / name)
    save_file(plain, folder / "theirs.safetensors")
    return {name: folder / name for name in [*contents, "theirs.safetensors"]}


def test_common_forms_of_state_dicts_are_read(tmp_path: Path) -> None:
    theirs = networks.create("vgg16", 3, 0.1)
    plain = {f"features.{k}": v for k, v in theirs.features.state_dict().items()}
    for path in checkpoints(tmp_path, plain).values():
        network = networks.create("vgg16", 3, 0.1, weights=str(path))
        state = network.features.state_dict()
        assert all(torch.equal(v, state[k.removeprefix("features.")]) for k, v in plain.items())
        assert network.origin == f"{path} (conv part; dense layers random)"


def test_objects_stored_with_the_weights_are_named_as_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "args.pth"
    torch.save({"state_dict": {}, "args": fractions.Fraction(1, 10)}, path)
    with pytest.raises(ValueError, match=r"args\.pth holds fractions\.Fraction.* may run any code"):
        networks.create("alexnet", width=0.1, weights=str(path))


def test_imagenet_is_a_keyword_and_no_path(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(recipes.get("paper", "vgg16"), tiny, tmp_path)  # tin train vgg16 --recipe paper --out .
    (tmp_path / "imagenet").mkdir()
    for weights in ("imagenet", None):
        assert pretrained.weights_file(weights) is None
        assert pretrained.weights_digest(weights) == ""
    assert pretrained.weights_file("./imagenet") == Path("imagenet/weights.safetensors")
    assert pretrained.weights_digest("other.pth") is None
