"""How a device computes: the compiler and its failures, cuDNN's kernels, names of devices."""

from typing import Any

import pytest
import torch
from train_toys import SMALL

from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.train import Trainer, step
from tin_lib.train.device import Compiled, kernels_tried
from tin_lib.train.distributed import choose_device, join


def test_a_failed_compiler_is_reported_and_training_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(module: Any, **options: Any) -> Any:
        def call(*inputs: Any) -> Any:
            raise RuntimeError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    layer = torch.nn.Linear(2, 1)
    compiled = Compiled(layer, "default")
    with pytest.warns(RuntimeWarning, match="continues without it: RuntimeError: no compiler here"):
        out = compiled(torch.ones(1, 2))
    torch.testing.assert_close(out, layer(torch.ones(1, 2)))
    assert compiled(torch.ones(1, 2)).shape == (1, 1)


def test_only_the_first_batch_size_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def spy(module: Any, **options: Any) -> Any:
        return lambda batch: sizes.append(len(batch)) or module(batch)

    monkeypatch.setattr(torch, "compile", spy)
    compiled = Compiled(torch.nn.Linear(2, 1), "default")
    shapes = [compiled(torch.ones(count, 2)).shape for count in (4, 3, 4)]
    assert sizes == [4, 4]
    assert shapes == [(4, 1), (3, 1), (4, 1)]


def test_cudnn_tries_kernels_for_full_batches_and_stays_on(
    tiny: TinyImageNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``torch.backends.cudnn.flags`` would switch cuDNN off; here a GPU is only pretended."""
    seen: list[tuple[bool, bool]] = []
    cudnn = torch.backends.cudnn
    with kernels_tried(torch.device("cuda"), wanted=True):
        assert (cudnn.enabled, cudnn.benchmark) == (True, True)
    assert (cudnn.enabled, cudnn.benchmark) == (True, False)
    trainer = Trainer(SMALL.replace(batch_size=70, augment=AugmentSpec()), tiny, join("cpu"))
    on_gpu = lambda device, wanted: kernels_tried(torch.device("cuda"), wanted)
    monkeypatch.setattr(step, "kernels_tried", on_gpu)
    backward = trainer.differentiate
    look = lambda losses: seen.append((cudnn.enabled, cudnn.benchmark)) or backward(losses)
    monkeypatch.setattr(trainer, "differentiate", look)
    trainer.epoch(1, lambda done, total, loss: None)
    assert seen == [(True, True), (True, False)]  # 70 images, and the last 26


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="use auto, cpu or cuda"):
        choose_device("gpu0")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device is available"):
            choose_device("cuda")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_compiled_training_gives_the_same_losses(tiny: TinyImageNet) -> None:
    """With CutMix, whose share changes every batch, and penalties on the weights."""
    recipe = SMALL.replace(
        cutmix=1.0, network_options={"dropout": 0.0}, batch_size=32, precision="float32"
    )
    losses = []
    for mode in ("", "default"):
        trainer = Trainer(recipe.replace(compile=mode), tiny, join("cpu"))
        row = trainer.epoch(1, lambda done, total, loss: None)
        losses.append((row["train_loss"], row["penalty"]))
        assert getattr(trainer.objective, "reason", "") == ""
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
