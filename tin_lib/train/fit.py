"""``fit``: train a network by a recipe; resumes an interrupted fit, returns a finished one."""

import contextlib
import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tin_lib import files, runs
from tin_lib.data import TinyImageNet
from tin_lib.networks.pretrained import weights_file
from tin_lib.progress import Progress, choose
from tin_lib.recipes import Recipe
from tin_lib.train import checkpoint, distributed
from tin_lib.train.device import kept_blocks
from tin_lib.train.distributed import World
from tin_lib.train.losses import Sums
from tin_lib.train.optim import lr_at, size_at
from tin_lib.train.step import Step
from tin_lib.writing import guarded


class Diverged(ArithmeticError):
    """The loss is no longer finite."""


class Interrupted(KeyboardInterrupt):
    """A fit was interrupted after the given number of epochs was saved."""

    def __str__(self) -> str:
        if not self.args[0]:
            return "Stopped before an epoch was saved; run the command again to start over"
        return f"Stopped after epoch {self.args[0]}; run the command again to resume"

    def _render_traceback_(self) -> list[str]:  # IPython shows this line alone
        return [str(self).replace("command", "cell")]


def fit(
    recipe: Recipe,
    data: TinyImageNet,
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | str | None = "auto",
) -> runs.Fit:
    """Train ``recipe.network`` on ``data`` and write the fit's folder ``out``.

    A finished fit of the same recipe and data is returned; an interrupted one resumes from its last
    checkpoint, on the CPU to the same numbers; another fit's folder is moved aside. Under torchrun
    every process calls this. ``device``: auto, cpu or cuda. ``progress``: auto, None (silent) or a
    ``Progress``. Raises ValueError for values that do not fit together and for a folder that
    another job trains in, or that not all processes see; Diverged when a loss is not finite (the
    last good checkpoint stays); Interrupted, a KeyboardInterrupt.
    """
    folder = Path(out).resolve()
    check(recipe, data, folder)
    try:
        with distributed.lost_process_explained(folder):
            fit_here(recipe, data, folder, distributed.join(device), choose(progress))
    except KeyboardInterrupt:
        raise Interrupted(checkpoint.saved_epochs(folder, recipe, data)) from None
    return runs.open_fit(folder)


def check(recipe: Recipe, data: TinyImageNet, folder: Path) -> None:
    """Raise ValueError when recipe, data and folder do not fit together."""
    if (recipe.patience or recipe.keep == "best") and data.heldout is None:
        raise ValueError(
            "patience and keep='best' use a held-out part of train, since val is what is reported: "
            "open the data with, for example, holdout=0.1"
        )
    if not len(data.val):
        raise ValueError(f"{data.root}: val has no image of these classes; choose other classes")
    start = weights_file(recipe.weights)
    if start and start.resolve().is_relative_to(folder):
        raise ValueError(f"weights={recipe.weights}: a fit cannot start from its own folder")


def fit_here(
    recipe: Recipe, data: TinyImageNet, folder: Path, world: World, progress: Progress
) -> None:
    """Train in this process, unless the fit is finished; one job at a time trains in a folder."""
    lock = folder.parent / f".{folder.name}.lock"  # beside it: the folder may be moved aside
    with files.only_one(lock, f"the fit {folder}") if world.writes else contextlib.nullcontext():
        done = checkpoint.holds(folder, recipe, data, *checkpoint.FINISHED)
        if not distributed.agreed(done, world, folder):
            with kept_blocks(world.device):  # outlives all that is allocated, and then trims
                train_and_write(recipe, data, folder, world, progress)
        elif world.writes:
            (folder / checkpoint.CHECKPOINT).unlink(missing_ok=True)  # left by a kill at the end
            checkpoint.report_other_code(folder)
        distributed.check_shared(folder / "summary.json", world)


def train_and_write(
    recipe: Recipe, data: TinyImageNet, folder: Path, world: World, progress: Progress
) -> None:
    """Begin or resume the fit, train its remaining epochs, and write its results."""
    with torch.random.fork_rng([world.device] if world.device.type == "cuda" else []):
        start = checkpoint.as_recorded(folder, recipe, data)
        trainer = Trainer(start, data, world)  # first: it refuses what does not fit together
        if start.weights != recipe.weights:
            trainer.evaluated.origin = str(recipe.weights)
        if world.writes:
            checkpoint.prepare(folder, recipe, data, world.device)
        distributed.check_shared(folder / "recipe.json", world)
        history = checkpoint.load_checkpoint(folder, trainer)
        distributed.agreed(len(history), world, folder)
        with guarded(folder) if world.writes else contextlib.nullcontext():
            train(trainer, folder, history, progress if world.writes else Progress())
            if recipe.keep == "best":
                trainer.evaluated.load_state_dict(trainer.best["weights"])
            if world.writes:
                checkpoint.write_artifacts(folder, trainer, data, history)


def train(trainer: "Trainer", folder: Path, history: list[dict], progress: Progress) -> None:
    """Train and evaluate epoch after epoch; save checkpoints, and always the last epoch's."""
    recipe, saving = trainer.recipe, checkpoint.Saving()
    while not ended(trainer, len(history)):
        number = len(history) + 1

        def report(done: int, total: int, loss: float | None, number: int = number) -> None:
            check_finite(loss or 0.0, number, folder, recipe.lr)
            progress.images(number, done, total, loss)

        row = trainer.epoch(number, report)
        for split in [name for name in trainer.resident if name != "train"]:
            row |= {f"{split}_{k}": v for k, v in trainer.evaluate(split).items()}
        losses = sum(value for name, value in row.items() if "loss" in name or name == "penalty")
        check_finite(losses, number, folder, recipe.lr)
        history.append(row)
        if (accuracy := row.get("heldout_accuracy", -1.0)) > trainer.best["accuracy"]:
            trainer.best = {"epoch": number, "accuracy": accuracy}
            if recipe.keep == "best":
                trainer.best["weights"] = copy.deepcopy(trainer.evaluated.state_dict())
        if trainer.world.writes and (ended(trainer, number) or saving.due()):
            saving.save(folder, trainer.state(history))
        progress.epoch(row, expected_epochs(trainer, number))


def ended(trainer: "Trainer", epochs: int) -> bool:
    """Whether the budget is used up, or ``patience`` epochs went without a better accuracy."""
    recipe, since_best = trainer.recipe, epochs - trainer.best["epoch"]
    late = 0 < recipe.seconds <= trainer.elapsed
    return late or epochs >= recipe.epochs or 0 < recipe.patience <= since_best


def expected_epochs(trainer: "Trainer", done: int) -> int:
    """Epochs of the whole fit: with a budget in seconds, those it is expected to reach."""
    recipe = trainer.recipe
    share = min(trainer.elapsed / recipe.seconds, 1.0) if recipe.seconds else 0.0
    return min(recipe.epochs, math.ceil(done / share)) if share else recipe.epochs


def check_finite(loss: float, epoch: int, folder: Path, lr: float) -> None:
    """Raise Diverged, with advice, unless ``loss`` is finite."""
    if not math.isfinite(loss):
        path = folder / checkpoint.CHECKPOINT
        raise Diverged(
            f"epoch {epoch}: the loss is {loss} at lr={lr:g}. Lower lr (to a third), add warmup or "
            f"clip the gradient (clip=1); last good checkpoint: {path if path.is_file() else None}"
        )


class Trainer(Step):
    """A fit's ``Step`` with its augmentation: trains epochs."""

    def epoch(self, number: int, report: Callable, steps: int | None = None) -> dict[str, Any]:
        """Train one epoch (``steps`` updates of it, if given) and return its history row.

        ``report``: called with images done, images in all, and the mean loss (None if unknown).
        """
        started = time.perf_counter()
        self.network.train()
        for module in self.in_evaluation:
            module.training = False
        seed = (self.recipe.seed * 1_000_003 + number) * 1_000_003 + self.world.rank
        torch.manual_seed(seed % 2**63)  # of dropout: ranks drop different units
        plan = self.augmenter.epoch(number)
        ranges = self.batches(len(plan))
        first, updates = (number - 1) * len(ranges), self.recipe.epochs * len(ranges)
        sums = Sums(self.device)
        plan = plan.to(self.device)
        rng = np.random.default_rng((self.recipe.seed, number))  # for mixup and CutMix
        for update, (start, stop) in enumerate(ranges[:steps]):
            share = (first + update) / updates
            if self.recipe.seconds:
                elapsed = self.elapsed + time.perf_counter() - started
                share = elapsed / self.recipe.seconds
            if share >= 1 and update:
                break
            self.size = size_at(self.recipe, share)
            lr = lr_at(self.recipe, share * updates, updates)
            sums.add(*self.step(plan, (start, stop), lr, rng))
            if sums.due():
                report(stop, len(plan), sums.mean_loss())
        *totals, count = distributed.add_up(sums.totals, self.world).tolist()  # the one wait
        seconds = time.perf_counter() - started
        self.elapsed += seconds
        names, means = ("train_loss", "penalty", "train_accuracy"), [v / count for v in totals]
        row = {"epoch": number, "lr": lr, "size": self.size} | dict(zip(names, means))
        return row | {"seconds": seconds, "images_per_second": count / seconds}

    def batches(self, items: int) -> list[tuple[int, int]]:
        """Ranges of an epoch's items; a last batch too small for batchnorm is left out."""
        size = self.recipe.batch_size
        ranges = [(start, min(start + size, items)) for start in range(0, items, size)]
        return [r for r in ranges if r[1] - r[0] >= 2 * self.world.size]
