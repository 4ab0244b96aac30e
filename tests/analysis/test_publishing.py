"""A published file: its card, its hash, how it is loaded and imported, and what is refused."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_data import make_tiny

from tin_lib import files, networks, predict, train
from tin_lib.analysis import publishing, runs
from tin_lib.data import TinyImageNet
from tin_lib.networks import registry
from tin_lib.recipes import Recipe

RECIPE = Recipe(
    "vgg_like", epochs=1, lr=0.02, width=0.1, network_options={"batchnorm": True}, flip_test=True
)


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory, tiny: TinyImageNet) -> runs.Fit:
    return train.fit(RECIPE, tiny, tmp_path_factory.mktemp("fit") / "vgg_like", device="cpu")


@pytest.fixture
def copied(fit: runs.Fit, tmp_path: Path) -> Path:
    """A copy of the fit's folder, to be changed."""
    return Path(shutil.copytree(fit.path, tmp_path / "copied"))


def change(path: Path, **fields: Any) -> None:
    """Change fields of a JSON file."""
    files.write_json(path, files.read_object(path) | fields)


def rewrite(path: Path, **fields: Any) -> None:
    """Change fields of a network's header."""
    network, card = networks.load(path).half(), networks.read_meta(path) | fields
    given = {k: v for k, v in card.items() if k not in ("network", "num_classes", "width")}
    networks.save(network, path, **{k: v for k, v in given.items() if k != "options"})


def with_value(folder: Path, tensor: str, value: float) -> runs.Fit:
    """The fit in ``folder`` with one value of its weights changed."""
    network = runs.open_fit(folder).network()
    network.state_dict()[tensor].view(-1)[0] = value
    networks.save(network, folder / "weights.safetensors")
    return runs.open_fit(folder)


# --- the file


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


# --- importing


@pytest.fixture(scope="module")
def file(fit: runs.Fit, tiny: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publishing.publish(fit, tmp_path_factory.mktemp("file") / "p.safetensors", data=tiny)


def test_an_imported_network_is_a_fit_that_says_so(
    file: Path, fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path
) -> None:
    made = publishing.import_network(file, tiny, tmp_path / "run", test=True, device="cpu")
    opened = runs.open_run(tmp_path / "run")
    assert opened.fits.keys() == {"vgg_like"}
    found, card = opened.fit("vgg_like"), publishing.read_card(file)
    assert found.path == made.path
    assert (found.path / "weights.safetensors").read_bytes() == file.read_bytes()
    assert found.summary["val_accuracy"] == card["accuracy"]["val_top1"]
    assert found.summary["published"] == "p.safetensors"
    assert "not trained here" in found.meta["published"]["note"]
    assert Recipe.from_dict(found.recipe) == RECIPE
    for split, count in (("val", 32), ("test", 16)):
        assert len(found.predictions(split)) == len(found.logits(split)) == count
        assert np.abs(found.logits(split) - fit.logits(split)).max() < 0.05
    assert torch.equal(found.mean, fit.mean)
    with pytest.raises(FileNotFoundError):
        found.history()
    written = (found.path / "summary.json").stat().st_mtime_ns
    publishing.import_network(file, tiny, tmp_path / "run", device="cpu")
    assert (found.path / "summary.json").stat().st_mtime_ns == written


def test_an_unfinished_import_and_another_file_are_done_anew(
    file: Path, fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path
) -> None:
    made = publishing.import_network(file, tiny, tmp_path, device="cpu")
    (made.path / "summary.json").unlink()
    publishing.import_network(file, tiny, tmp_path, device="cpu")
    assert (made.path / "summary.json").is_file()
    exact = publishing.publish(fit, tmp_path / "exact.safetensors", "float32")
    publishing.import_network(exact, tiny, tmp_path, device="cpu")
    assert runs.open_fit(made.path).meta["published"]["file"] == "exact.safetensors"
    assert torch.equal(
        runs.open_fit(made.path).network().state_dict()["features.0.weight"],
        fit.network().state_dict()["features.0.weight"],
    )


def test_training_by_the_cards_recipe_trains(
    file: Path, tiny: TinyImageNet, tmp_path: Path
) -> None:
    made = publishing.import_network(file, tiny, tmp_path, device="cpu")
    trained = train.fit(RECIPE, tiny, made.path, device="cpu")
    assert "published" not in trained.meta
    assert len(trained.history()) == 1
    with pytest.raises(ValueError, match="holds a network that was trained here"):
        publishing.import_network(file, tiny, tmp_path, device="cpu")


def test_other_classes_are_refused_by_name(file: Path, tiny: TinyImageNet, tmp_path: Path) -> None:
    ids = tiny.class_ids
    for given, message in (
        (make_tiny(classes=3), "; tiny has 3 classes, without n00000003"),
        (make_tiny(classes=5), "has 5 classes and not only these"),
        (dataclasses.replace(tiny, class_ids=ids[::-1]), "the same classes in another order"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            publishing.import_network(file, given, tmp_path / "run")
        assert "tells 4 classes apart" in str(error.value)
        assert "tin train" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_of_other_data_is_refused(file: Path, tiny: TinyImageNet, tmp_path: Path) -> None:
    publishing.import_network(file, tiny, tmp_path, device="cpu")
    (tmp_path / "networks" / "vgg_like").rename(tmp_path / "networks" / "other")
    with pytest.raises(ValueError, match=r"networks/other was made from other images"):
        publishing.import_network(file, make_tiny(seed=1), tmp_path, device="cpu")


def test_what_is_no_published_file_is_refused(
    file: Path, fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path
) -> None:
    changed = Path(shutil.copy(file, tmp_path / "changed.safetensors"))
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    short = Path(shutil.copy(file, tmp_path / "short.safetensors"))
    rewrite(short, mean=[1.0, 2.0])
    untrained = Path(shutil.copy(file, tmp_path / "untrained.safetensors"))
    rewrite(untrained, training={})
    for path, message in (
        (tmp_path / "none.safetensors", r"none\.safetensors does not exist; .*tin publish"),
        (fit.path / "weights.safetensors", "has no usable card"),
        (short, r"has no usable card \(mean"),
        (untrained, r"has no usable card \(training\.recipe"),
        (changed, "SHA-256 of its tensors is not the one on its card"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            publishing.import_network(path, tiny, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_code_that_a_card_names_is_imported(
    file: Path, tiny: TinyImageNet, tmp_path: Path
) -> None:
    """The lines of the card are text for a person."""
    path = Path(shutil.copy(file, tmp_path / "p.safetensors"))
    rewrite(path, load=["raise SystemExit", "", ""], note="<script>")
    assert publishing.import_network(path, tiny, tmp_path / "run", device="cpu").summary
    network = networks.load(file)
    network.name = f"{tmp_path}/net.py:build"
    (tmp_path / "net.py").write_text("raise SystemExit('run')")
    card = networks.read_meta(file)
    given = {k: v for k, v in card.items() if k in publishing.card.KEYS}
    networks.save(network.half(), path, **given)
    with pytest.raises(ValueError, match="no network"):
        publishing.import_network(path, tiny, tmp_path / "other", device="cpu")
    assert "net.py:build" not in registry.names()
