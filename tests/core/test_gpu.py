"""What only a GPU can show. Skipped, saying so, where there is none."""

from pathlib import Path

import pytest
import torch
from train_toys import SMALL

from tin_lib.data import TinyImageNet
from tin_lib.train import Trainer, fit
from tin_lib.train.distributed import join

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # There some versions of PyTorch warn of their own doing: TF32, the profiler, sync debugging.
    pytest.mark.filterwarnings("default", "error:torch.compile failed"),
]

RECIPE = SMALL.replace(epochs=2, nesterov=False, penalties="none", network_options={"dropout": 0.0})


def quiet(done: int, total: int, loss: float | None) -> None:
    """No progress."""


def test_gpu_and_cpu_agree(tiny: TinyImageNet) -> None:
    recipe = RECIPE.replace(precision="float32")
    losses = [Trainer(recipe, tiny, join(d)).epoch(1, quiet)["train_loss"] for d in ("cpu", "cuda")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_no_update_waits_for_the_device(tiny: TinyImageNet) -> None:
    import numpy as np

    recipe = RECIPE.replace(cutmix=1.0, ema=0.9, penalties="paper", weight_decay=0.01)
    trainer = Trainer(recipe, tiny, join("cuda"))
    trainer.epoch(1, quiet)  # warm-up: libraries may wait while they set themselves up
    plan = trainer.augmenter.epoch(1).to("cuda")
    rng = np.random.default_rng(0)
    try:
        torch.cuda.set_sync_debug_mode("error")
        for start in range(0, 64, 16):
            trainer.step(plan, (start, start + 16), 0.001, rng)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("mode", ["", "default"])
def test_bf16_learns(tiny: TinyImageNet, tmp_path: Path, mode: str) -> None:
    recipe = RECIPE.replace(epochs=8, precision="bf16", compile=mode)
    done = fit(recipe, tiny, tmp_path / "net", device="cuda", progress=None)
    assert done.summary["val_accuracy"] > 0.9
    assert done.summary["compiled"] == mode
    assert "cpu" not in done.summary["device"]
