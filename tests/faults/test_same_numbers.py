"""The same seeds give the same numbers: what is guaranteed, and to what tolerance.

| between | guaranteed |
|---|---|
| two runs on a CPU, same versions, threads and processes | the same bytes |
| an interrupted and resumed fit, and an uninterrupted one | the same bytes |
| two runs of two processes under torchrun | the same bytes |
| one process and two | LOSS, for networks without dropout and batchnorm |
| another number of threads | LOSS |
| two runs on a GPU | ON_GPU |

Dropout is drawn by each process, and batchnorm's statistics are those of a process's share: with
them, another number of processes is another training.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_data import make_tiny

from tin_lib import files, runs, train
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.progress import Progress
from tin_lib.recipes import Recipe
from tin_lib.runner.verification.comparison import compare_fits

KIND = "repeated with the same seed"
LOSS = 2e-4  # relative, of the losses of a few epochs: rounding of sums in another order
ON_GPU = 0.02  # share of val images whose prediction may differ: kernels add in any order

# Everything that draws random numbers at once.
RANDOM = Recipe(
    "vgg16",
    epochs=3,
    lr=0.01,
    width=0.1,
    batch_size=16,
    optimizer="adamw",
    augment=AugmentSpec(mode="paper_fresh"),
    network_options={"batchnorm": True},
    mixup=0.2,
    cutmix=1.0,
    mix_probability=0.7,
    label_smoothing=0.1,
    weight_decay=0.01,
    ema=0.9,
    keep="best",
    precision="float32",
)
# Neither dropout nor batchnorm: the same for any number of processes, apart from rounding.
PLAIN = Recipe(
    "vgg_like",
    epochs=2,
    lr=0.002,
    width=0.25,
    batch_size=25,
    momentum=0.9,
    network_options={"dropout": 0.0},
    augment=AugmentSpec(mode="paper_fresh"),
    precision="float32",
)
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tiny_data import make_tiny
from tin_lib.recipes import Recipe
from tin_lib.train import distributed, fit
fit(Recipe.from_dict(json.loads(sys.argv[2])), make_tiny(), sys.argv[3], device="cpu")
distributed.leave()
"""
TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def trained(recipe: Recipe, out: Path, device: str = "cpu", progress: Any = None) -> Path:
    """The folder of a fit of the small data set, trained here."""
    return train.fit(recipe, make_tiny(), out, device=device, progress=progress).path


def elsewhere(recipe: Recipe, out: Path, launcher: list[str] | None = None) -> Path:
    """The same, trained in a process of its own, or in those that ``launcher`` starts."""
    import json

    script = out.parent / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, *(launcher or []), str(script), str(Path(__file__).parents[1])]
    command += [json.dumps(recipe.to_dict()), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def assert_same(one: Path, other: Path) -> None:
    """Weights, history without times, predictions and scores of two fits are identical."""
    for name, compare in compare_fits(one, other).items():
        assert "identical" in compare(), name
    names = [path.name for path in one.glob("*.*") if path.suffix in (".safetensors", ".npy")]
    assert len(names) == 3
    for name in names:
        assert files.file_digest(one / name) == files.file_digest(other / name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted fit with everything that is random."""
    return trained(RANDOM, tmp_path_factory.mktemp("whole") / "fit")


def test_another_process_gives_the_same_bytes(whole: Path, tmp_path: Path, fault: Any) -> None:
    with fault(KIND, "in another process"):
        assert_same(whole, elsewhere(RANDOM, tmp_path / "fit"))


def test_random_numbers_drawn_before_change_nothing(
    whole: Path, tmp_path: Path, fault: Any
) -> None:
    with fault(KIND, "after other random numbers"):
        torch.rand(7)
        np.random.rand(7)  # noqa: NPY002
        assert_same(whole, trained(RANDOM, tmp_path / "fit"))


def test_another_seed_is_another_fit(whole: Path, tmp_path: Path) -> None:
    other = trained(RANDOM.replace(seed=1), tmp_path / "fit")
    with pytest.raises(ValueError, match="largest difference"):
        compare_fits(whole, other)["weights.safetensors"]()


class StopAfter(Progress):
    """Interrupts a fit when a number of epochs is complete, or at the start of one."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def epoch(self, row: dict[str, Any], epochs: int) -> None:
        """Interrupt."""
        if row["epoch"] == self.last:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_resumed_fit_gives_the_same_bytes(
    whole: Path, tmp_path: Path, fault: Any, epoch: int
) -> None:
    with fault(KIND, f"resumed after epoch {epoch}"):
        with pytest.raises(KeyboardInterrupt):
            trained(RANDOM, tmp_path / "fit", progress=StopAfter(epoch))
        assert_same(whole, trained(RANDOM, tmp_path / "fit"))


def test_losses_are_close_with_another_number_of_threads(tmp_path: Path, fault: Any) -> None:
    with fault(KIND, "with another number of threads"):
        before, found = torch.get_num_threads(), []
        try:
            for threads in (1, 2):
                torch.set_num_threads(threads)
                found.append(trained(PLAIN, tmp_path / str(threads)))
        finally:
            torch.set_num_threads(before)
        losses_are_close(*found)
        assert [runs.open_fit(fit).meta["threads"] for fit in found] == [1, 2]


def losses_are_close(one: Path, other: Path) -> None:
    """Two fits' losses differ by rounding alone."""
    first, second = (runs.open_fit(path).history() for path in (one, other))
    for column in ("train_loss", "val_loss"):
        assert second[column].tolist() == pytest.approx(first[column].tolist(), rel=LOSS)


@pytest.mark.slow
def test_two_processes_agree_with_two_and_with_one(tmp_path: Path, fault: Any) -> None:
    pairs = [elsewhere(PLAIN, tmp_path / name, TWO) for name in ("two", "again")]
    with fault(KIND, "in two processes, twice"):
        assert_same(*pairs)
        assert runs.open_fit(pairs[0]).meta["processes"] == 2
    with fault(KIND, "in one process and in two"):
        losses_are_close(trained(PLAIN, tmp_path / "one"), pairs[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("default")
def test_on_a_gpu_numbers_agree_to_a_tolerance(
    tmp_path: Path, fault: Any, tiny: TinyImageNet
) -> None:
    with fault(KIND, "on a GPU"):
        found = [runs.open_fit(trained(PLAIN, tmp_path / n, "cuda")) for n in ("one", "two")]
        first, second = (fit.predictions("val") for fit in found)
        assert (first.predicted != second.predicted).mean() <= ON_GPU
        losses = [fit.history().train_loss.tolist() for fit in found]
        assert losses[0] == pytest.approx(losses[1], rel=1e-2)
