"""A published file: its card, its hash, how it is loaded, and what is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from publishing_toys import RECIPE
from safetensors.torch import load_file
from tiny_data import make_tiny

from tin_lib import files, networks, predict
from tin_lib.analysis import publishing, runs
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe


@pytest.fixture
def copied(fit: runs.Fit, tmp_path: Path) -> Path:
    """A copy of the fit's folder, to be changed: without the digests of its files."""
    folder = Path(shutil.copytree(fit.path, tmp_path / "copied"))
    change(folder / "summary.json", files={})
    return folder


def change(path: Path, **fields: Any) -> None:
    """Change fields of a JSON file."""
    files.write_json(path, files.read_object(path) | fields)


def with_value(folder: Path, tensor: str, value: float) -> runs.Fit:
    """The fit in ``folder`` with one value of its weights changed."""
    network = runs.open_fit(folder).network()
    network.state_dict()[tensor].view(-1)[0] = value
    networks.save(network, folder / "weights.safetensors")
    return runs.open_fit(folder)


@pytest.mark.parametrize("given", [True, False])
def test_the_cards_three_lines_give_the_scores(
    fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path, given: bool
) -> None:
    path = publishing.publish(fit, tmp_path / "mine.safetensors", data=tiny if given else None)
    card = publishing.read_card(path)
    assert len(card["load"]) == 3
    np.save(tmp_path / "images.npy", tiny.val.images)
    script = [
        "import numpy, torch",
        "images = torch.from_numpy(numpy.load('images.npy'))",
        *card["load"],
        "numpy.save('scores.npy', scores.numpy())",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(script)], cwd=tmp_path, check=True)
    scores = np.load(tmp_path / "scores.npy")
    pixels = torch.from_numpy(tiny.val.images)
    ours = predict.scores(networks.load(path), pixels, fit.mean, fit.std, flip_test=True)
    np.testing.assert_allclose(scores, ours.numpy(), atol=1e-5)
    assert predict.accuracy(scores, tiny.val.labels) == card["accuracy"]["val_top1"]
    assert np.abs(scores - fit.logits("val")).max() < 0.05  # the rounding


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_the_file_holds_rounded_weights_and_their_hash(
    fit: runs.Fit, tmp_path: Path, precision: str
) -> None:
    path = publishing.publish(fit, tmp_path / "p.safetensors", precision)
    state, before = load_file(path), fit.network().state_dict()
    kind = getattr(torch, precision)
    assert {v.dtype for v in state.values()} == {kind, torch.int64}  # the latter of batchnorm
    assert state["features.1.running_var"].dtype == kind
    assert all(torch.equal(state[k], v.to(state[k].dtype)) for k, v in before.items())
    card = publishing.read_card(path)
    content = path.read_bytes()
    header = int.from_bytes(content[:8], "little")
    (tmp_path / "tensors").write_bytes(content[8 + header :])
    assert card["tensors"]["sha256"] == files.file_digest(tmp_path / "tensors")
    assert card["tensors"]["precision"] == precision
    size = sum(v.numel() * v.element_size() for v in state.values())
    assert size == len(content) - 8 - header
    assert f" {len(content) / 1e6:.2f} MB, {precision}\n" in publishing.card_text(path)


def test_the_card_says_what_it_is(fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path) -> None:
    path = publishing.publish(fit, tmp_path / "p.safetensors", data=tiny)
    card = publishing.read_card(path)
    assert (card["network"], card["width"], card["num_classes"]) == ("vgg_like", 0.1, 4)
    assert card["options"]["batchnorm"] is True
    assert card["class_ids"] == list(tiny.class_ids)
    assert card["class_names"] == list(tiny.class_names)
    assert card["fingerprint"] == tiny.fingerprint
    assert card["data"]["images"] == {"train": 96, "heldout": 16, "val": 32, "test": 16}
    assert card["mean"] == tiny.mean.tolist()
    assert card["std"] == tiny.std.tolist()
    assert Recipe.from_dict(card["training"]["recipe"]) == RECIPE
    assert card["training"]["seconds"] == fit.summary["seconds"]
    assert card["training"]["versions"]["torch"] == torch.__version__
    text = publishing.card_text(path)
    for part in ("VGG-like", tiny.fingerprint, *card["load"], "not the images", '"lr": 0.02'):
        assert part in text
    assert '"momentum"' not in text  # a default


def test_accuracy_is_of_the_rounded_weights_or_says_that_it_is_not(
    copied: Path, tiny: TinyImageNet
) -> None:
    change(copied / "summary.json", val_accuracy=0.123, val_top5=0.456)
    fit = runs.open_fit(copied)
    card = publishing.read_card(publishing.publish(fit))
    assert (card["accuracy"]["val_top1"], card["accuracy"]["val_top5"]) == (0.123, 0.456)
    assert "before the weights were rounded" in card["accuracy"]["measured"]
    card = publishing.read_card(publishing.publish(fit, data=tiny))
    assert card["accuracy"]["val_top1"] != 0.123
    assert card["accuracy"]["val_top5"] == 1.0  # of four classes
    assert "of the weights in this file" in card["accuracy"]["measured"]


def test_the_same_fit_gives_the_same_bytes_and_no_path_of_this_machine(
    copied: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "somebody"
    change(copied / "recipe.json", weights=str(folder / "start.safetensors"))
    change(copied / "meta.json", data={"data": str(folder / "tiny-imagenet-200"), "per_class": 20})
    network = runs.open_fit(copied).network()
    network.origin = f"{folder}/start.safetensors (output layer random)"
    networks.save(network, copied / "weights.safetensors")
    path = publishing.publish(runs.open_fit(copied), tmp_path / "p.safetensors")
    first, card = path.read_bytes(), publishing.read_card(path)
    assert str(tmp_path) not in json.dumps(card)
    assert card["origin"] == "start.safetensors (output layer random)"
    assert card["training"]["recipe"]["weights"] == "start.safetensors"
    assert (card["data"]["name"], card["data"]["part"]) == ("tiny-imagenet-200", {"per_class": 20})
    path.write_bytes(b"an older file")
    assert publishing.publish(runs.open_fit(copied), path).read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copied", "p.safetensors"]


def test_values_out_of_range_are_refused_by_name(copied: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.safetensors"
    name = "features.1.running_var"
    fit = with_value(copied, name, 1e5)
    with pytest.raises(ValueError, match=rf"{name} holds .* 100000, .*65504.*precision float32"):
        publishing.publish(fit, out)
    assert not out.exists()
    publishing.publish(fit, out, "float32")
    assert networks.load(out).state_dict()[name][0] == 1e5
    with pytest.raises(ValueError, match=r"features\.0\.weight holds a value of size nan"):
        publishing.publish(with_value(copied, "features.0.weight", float("nan")), out, "float32")


def test_bad_requests_are_refused(fit: runs.Fit, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    for out, message in (
        (tmp_path / "p.pt", "must end in .safetensors"),
        (tmp_path / "folder.safetensors", "is a folder"),
        (fit.path / "weights.safetensors", "is the fit's own file"),
    ):
        with pytest.raises(ValueError, match=message):
            publishing.publish(fit, out)
    with pytest.raises(ValueError, match="precision='bf16': choose float16 or float32"):
        publishing.publish(fit, tmp_path / "p.safetensors", "bf16")
    with pytest.raises(ValueError, match="other images than"):
        publishing.publish(fit, tmp_path / "p.safetensors", data=make_tiny(seed=3))
    assert [p.name for p in tmp_path.iterdir()] == ["folder.safetensors"]


def test_only_a_users_own_network_is_imported_first() -> None:
    assert "trust" not in "".join(publishing.loading_lines("torchvision:resnet18", "p.safetensors"))
    assert "networks.trust('net.py:build')" in publishing.loading_lines("net.py:build", "p")[0]
