"""Putting a published file into a run, and what is refused."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from publishing_toys import RECIPE
from tiny_data import make_tiny

from tin_lib import networks, train
from tin_lib.analysis import publishing, runs
from tin_lib.data import TinyImageNet
from tin_lib.networks import registry
from tin_lib.recipes import Recipe


def rewrite(path: Path, **fields: Any) -> None:
    """Change fields of a network's header."""
    network, card = networks.load(path).half(), networks.read_meta(path) | fields
    given = {k: v for k, v in card.items() if k not in ("network", "num_classes", "width")}
    networks.save(network, path, **{k: v for k, v in given.items() if k != "options"})


@pytest.fixture(scope="module")
def file(fit: runs.Fit, tiny: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publishing.publish(fit, tmp_path_factory.mktemp("file") / "p.safetensors", data=tiny)


def test_an_imported_network_is_a_fit_that_says_so(
    file: Path, fit: runs.Fit, tiny: TinyImageNet, tmp_path: Path
) -> None:
    made = publishing.import_network(
        file, tiny, tmp_path / "run", splits=("train", "test"), device="cpu"
    )
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
    assert found.summary["train_accuracy"] == pytest.approx(fit.summary["train_accuracy"], abs=0.05)
    assert len(found.predictions("train")) == len(tiny.train)
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


def test_an_unknown_split_is_named(file: Path, tiny: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="splits: 'valid' is none of train, val, test"):
        publishing.import_network(file, tiny, tmp_path, splits=("valid",))
