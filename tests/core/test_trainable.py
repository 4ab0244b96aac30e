"""``Recipe.trainable``: the named layers learn, the others stay as they are to the last bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cut_off import CutOff
from torch import nn

from tin_lib import networks, penalties
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, checkpoint, fit
from tin_lib.train.distributed import join
from tin_lib.train.step import make_network

# With all that touches weights, in a network with batchnorm.
EVERYTHING = Recipe(
    "convnet9",
    epochs=2,
    lr=0.02,
    width=0.1,
    batch_size=16,
    momentum=0.9,
    weight_decay=0.1,
    clip=1.0,
    ema=0.9,
    penalties="paper",
    augment=AugmentSpec(mode="paper_fresh"),
    trainable=("conv2", "dense1"),
)
WHERE = {"conv2": "features.3 features.4", "dense1": "classifier.1 classifier.2"}


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint.Saving, "due", lambda self: True)


def learns(key: str) -> bool:
    """Whether an entry of the state dict belongs to a layer that learns."""
    return key.rpartition(".")[0] in " ".join(WHERE.values()).split()


def test_frozen_parameters_and_statistics_keep_every_bit(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    start = make_network(EVERYTHING, tiny.num_classes).state_dict()
    done = fit(EVERYTHING, tiny, tmp_path / "net", device="cpu", progress=None)
    after = done.network().state_dict()
    frozen = [key for key in start if not learns(key)]
    assert any(key.endswith("running_var") for key in frozen)
    assert [key for key in frozen if not torch.equal(start[key], after[key])] == []
    unmoved = [key for key in start if learns(key) and torch.equal(start[key], after[key])]
    assert unmoved == []
    assert done.recipe["trainable"] == ["conv2", "dense1"]


def test_the_averaged_network_is_frozen_alike(tiny: TinyImageNet) -> None:
    trainer = Trainer(EVERYTHING, tiny, join("cpu"))
    before = {k: v.clone() for k, v in trainer.evaluated.state_dict().items()}
    trainer.epoch(1, lambda done, total, loss: None)
    for network in (trainer.network, trainer.evaluated):
        state = network.state_dict()
        assert all(torch.equal(before[k], v) != learns(k) for k, v in state.items())


def test_frozen_layers_get_no_gradient_no_penalty_and_no_state(tiny: TinyImageNet) -> None:
    trainer = Trainer(EVERYTHING, tiny, join("cpu"))
    seen: list[str] = []

    def look(network: nn.Module, table: Any) -> float:
        seen.extend(k for k, p in network.named_parameters() if p.grad is not None)
        return add(network, table)

    with pytest.MonkeyPatch.context() as patched:
        add = penalties.add_gradient_
        patched.setattr(penalties, "add_gradient_", look)
        trainer.epoch(1, lambda done, total, loss: None, steps=1)
    assert seen
    assert all(learns(key) for key in seen)
    assert list(trainer.penalties) == ["dense1"]  # conv1 and dense2 are frozen
    learning = [p for p in trainer.network.parameters() if p.requires_grad]
    assert len(trainer.optimizers[0].state_dict()["state"]) == len(learning) == 8


def test_activity_penalties_of_frozen_layers_do_not_count(tiny: TinyImageNet) -> None:
    """The paper's for VGG-16 are on conv11 to conv13 and the dense layers."""
    recipe = Recipe("vgg16", 1, 0.01, width=0.05, penalties="paper", trainable=("conv13", "dense2"))
    trainer = Trainer(recipe, tiny, join("cpu"))
    assert trainer.objective.watched == ["conv13", "dense2"]
    every = Trainer(recipe.replace(trainable=None), tiny, join("cpu"))
    assert every.objective.watched == ["conv11", "conv12", "conv13", "dense1", "dense2"]


def test_no_backward_pass_through_frozen_first_layers(tiny: TinyImageNet) -> None:
    recipe = EVERYTHING.replace(trainable=("dense2",), ema=0.0)
    trainer, reached = Trainer(recipe, tiny, join("cpu")), []
    for name in ("features.0", "features.27", "classifier.5"):
        module = trainer.network.get_submodule(name)
        hook = lambda part, inputs, output, name=name: reached.append((name, output.requires_grad))
        module.register_forward_hook(hook)
    trainer.epoch(1, lambda done, total, loss: None, steps=1)
    assert reached == [("features.0", False), ("features.27", False), ("classifier.5", True)]


def test_only_batchnorms_that_learn_are_in_training_mode(tiny: TinyImageNet) -> None:
    trainer = Trainer(EVERYTHING, tiny, join("cpu"))
    trainer.epoch(1, lambda done, total, loss: None, steps=1)
    trainer.evaluate("val")
    modes = {k: m.training for k, m in trainer.network.named_modules() if list(m.buffers(False))}
    assert {k for k, training in modes.items() if training} == {"features.4", "classifier.2"}
    assert trainer.network.get_submodule("classifier.4").training  # dropout drops
    assert all(m.training for m in Trainer(SIMPLE, tiny, join("cpu")).network.modules())


SIMPLE = Recipe("vgg_like", epochs=3, lr=0.003, width=0.1, batch_size=32)


@pytest.mark.parametrize("changes", [{}, {"ema": 0.0, "optimizer": "adamw", "keep": "best"}])
def test_interrupted_fit_ends_with_the_same_bytes(
    tiny: TinyImageNet, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = EVERYTHING.replace(epochs=3, **changes)
    whole = fit(recipe, tiny, tmp_path / "whole", device="cpu", progress=None)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=CutOff(2))
    resumed = fit(recipe, tiny, tmp_path / "cut", device="cpu", progress=None)
    files = ("weights.safetensors", "logits_val.npy", "predictions_val.csv")
    assert all((whole.path / f).read_bytes() == (resumed.path / f).read_bytes() for f in files)


class Odd(nn.Module):
    """A network of one's own: a parameter and a batchnorm that belong to no layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.before, self.shift = nn.BatchNorm2d(3), nn.Parameter(torch.zeros(1))
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 8, 8), nn.BatchNorm2d(4), nn.ReLU()
        self.head = nn.Linear(4 * 8 * 8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        x = self.act(self.norm(self.conv(self.before(x) + self.shift)))
        return self.head(x.flatten(1))


def test_a_wrapped_network_and_what_is_in_no_layer(tiny: TinyImageNet, tmp_path: Path) -> None:
    networks.register("odd", lambda classes: Odd(classes))
    recipe = Recipe("odd", epochs=1, lr=0.01, batch_size=16, momentum=0.9, trainable=("conv",))
    start = make_network(recipe, tiny.num_classes).state_dict()
    after = fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None).network().state_dict()
    moved = {key.split(".")[1] for key in start if not torch.equal(start[key], after[key])}
    assert moved == {"conv", "norm"}
    whole = fit(recipe.replace(trainable=None), tiny, tmp_path / "b", device="cpu", progress=None)
    after = whole.network().state_dict()
    moved = {key.split(".")[1] for key in start if not torch.equal(start[key], after[key])}
    assert moved == {"before", "shift", "conv", "norm", "head"}


@pytest.mark.parametrize("value", [[], "conv1", ["conv1", 2], ["conv1", "conv1"], [["conv1"]], 3])
def test_what_is_no_list_of_layers_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"trainable=.*: must be a list of different layers"):
        EVERYTHING.replace(trainable=value)


def test_an_unknown_layer_is_refused_with_the_layers_before_anything_is_written(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    recipe = EVERYTHING.replace(trainable=["conv1", "conv10"])
    with pytest.raises(ValueError, match=r"no layer 'conv10'; layers: conv1, conv2, .*dense2"):
        fit(recipe, tiny, tmp_path / "net", device="cpu", progress=None)
    assert not (tmp_path / "net").exists()


def test_trainable_survives_json() -> None:
    again = Recipe.from_dict(json.loads(json.dumps(EVERYTHING.to_dict())))
    assert again == EVERYTHING
    assert again.trainable == ("conv2", "dense1")


def test_fits_made_before_these_fields_still_open(tiny: TinyImageNet, tmp_path: Path) -> None:
    """Finished ones are not trained again, and interrupted ones resume."""
    recipe, out = SIMPLE, tmp_path / "net"
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, tiny, out, device="cpu", progress=CutOff(1))
    old = json.loads((out / "recipe.json").read_text())
    del old["trainable"], old["keep_zeros"]
    (out / "recipe.json").write_text(json.dumps(old))
    assert checkpoint.saved_epochs(out, recipe, tiny) == 1
    fit(recipe, tiny, out, device="cpu", progress=None)
    assert "trainable" not in json.loads((out / "recipe.json").read_text())
    fit(recipe, tiny, out, device="cpu", progress=CutOff(1))  # not trained: it would interrupt
    assert not (tmp_path / ".previous").exists()
    other = fit(recipe.replace(trainable=["dense2"]), tiny, out, device="cpu", progress=None)
    assert other.recipe["trainable"] == ["dense2"]
    assert len(list((tmp_path / ".previous").iterdir())) == 1


def test_predictions_of_the_heldout_part_are_written(tiny: TinyImageNet, tmp_path: Path) -> None:
    done = fit(SIMPLE.replace(epochs=1), tiny, tmp_path / "net", device="cpu", progress=None)
    table = done.predictions("heldout")
    assert tiny.heldout is not None
    assert table.file.tolist() == tiny.heldout.files.tolist()
    right = np.mean(done.codes(table.label) == done.codes(table.predicted))
    assert right == pytest.approx(done.summary["heldout_accuracy"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_compiled_training_of_some_layers_gives_the_same_losses(tiny: TinyImageNet) -> None:
    recipe = EVERYTHING.replace(network_options={"dropout": 0.0}, precision="float32")
    losses = []
    for mode in ("", "default"):
        trainer = Trainer(recipe.replace(compile=mode), tiny, join("cpu"))
        losses.append(trainer.epoch(1, lambda done, total, loss: None)["train_loss"])
        assert getattr(trainer.objective, "reason", "") == ""
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
