"""``fit``: train a network by a recipe; resumes an interrupted fit, returns a finished one."""

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from tin_lib import augment, files, predict, runs
from tin_lib.data import TinyImageNet
from tin_lib.data.resident import to_device
from tin_lib.networks.pretrained import weights_file
from tin_lib.progress import Progress, Silent, choose
from tin_lib.recipes import Recipe
from tin_lib.train import checkpoint, distributed
from tin_lib.train.artifacts import write_artifacts
from tin_lib.train.device import memory_kept
from tin_lib.train.distributed import World
from tin_lib.train.errors import Diverged, Interrupted
from tin_lib.train.optim import lr_at
from tin_lib.train.step import Step
from tin_lib.train.sums import Sums, history_row

Report = Callable[[int, int, float | None], None]  # images done, images in all, loss


def fit(
    recipe: Recipe,
    data: TinyImageNet,
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | str | None = "auto",
    processes: int = 1,
) -> runs.Fit:
    """Train ``recipe.network`` on ``data`` and write the fit's folder ``out``.

    A finished fit of the same recipe and data is returned; an interrupted one resumes from its last
    checkpoint, on the CPU to the same numbers as if uninterrupted; another fit's folder is moved
    aside. Seeded by ``recipe.seed``. Under torchrun every process calls this.

    ``device``: auto, cpu or cuda. ``progress``: auto, None (silent) or a ``Progress``.
    ``processes``: if above 1, that many are started on this machine, one per GPU, and share each
    batch; they print a line per epoch, whatever ``progress`` is, unless it is None.
    Raises ValueError for values that do not fit together, for a folder that another process is
    training in, and for one that not all processes see; Diverged when a loss, in training or
    validation, is not finite (the last good checkpoint stays); Interrupted, a KeyboardInterrupt;
    ChildProcessError, quoting the cause, when one of several ``processes`` fails.
    """
    folder = Path(out).resolve()
    check(recipe, data, folder)
    try:
        if processes != 1 and not distributed.launched():
            from tin_lib.train.launcher import fit_apart  # a program, too: not imported before

            fit_apart(recipe, data, folder, processes, device, progress is None)
        else:
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
    if len(data.train) < 2:
        raise ValueError(f"{data.root}: {len(data.train)} training images are too few to train on")
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
        done = checkpoint.finished(folder, recipe, data)
        if not distributed.agreed(done, world, folder):
            with memory_kept(world.device):  # outlives all that is allocated, and then trims
                train_and_write(recipe, data, folder, world, progress)
        elif world.writes:
            checkpoint.report_other_code(folder)
        distributed.wait(world)


def train_and_write(
    recipe: Recipe, data: TinyImageNet, folder: Path, world: World, progress: Progress
) -> None:
    """Begin or resume the fit, train its remaining epochs, and write its results."""
    with torch.random.fork_rng([world.device] if world.device.type == "cuda" else []):
        start = checkpoint.as_recorded(folder, recipe, data)
        trainer = Trainer(start, data, world)  # first: it refuses what does not fit together
        if start.weights != recipe.weights:
            trainer.network.origin = str(recipe.weights)
        if world.writes:
            checkpoint.prepare(folder, recipe, data, world.device)
        distributed.wait(world)
        distributed.check_shared(folder / "recipe.json", world)
        state = checkpoint.load_checkpoint(folder, world.device)
        history = trainer.load(state) if state else []
        distributed.agreed(len(history), world, folder)
        train(trainer, folder, history, progress if world.writes else Silent())
        if recipe.keep == "best":
            trainer.evaluated.load_state_dict(load_file(folder / "best.safetensors"))
        if world.writes:
            write_artifacts(folder, trainer, data, history)


def train(trainer: "Trainer", folder: Path, history: list[dict], progress: Progress) -> None:
    """Train and evaluate epoch after epoch; save checkpoints, and always the last epoch's."""
    recipe, saving = trainer.recipe, checkpoint.Saving()
    while not ended(trainer, len(history)):
        number = len(history) + 1

        def report(done: int, total: int, loss: float | None, number: int = number) -> None:
            check_finite(loss or 0.0, number, folder)
            progress.images(number, done, total, loss)

        row = trainer.epoch(number, report)
        for split in [name for name in trainer.resident if name != "train"]:
            row |= {f"{split}_{k}": v for k, v in trainer.evaluate(split).items()}
        losses = sum(value for name, value in row.items() if "loss" in name or name == "penalty")
        check_finite(losses, number, folder, row["lr"])
        history.append(row)
        renewed = keep_best(trainer, folder, row)
        if trainer.world.writes and (renewed or ended(trainer, number) or saving.due()):
            saving.save(folder, trainer.state(history))
        progress.epoch(row, recipe.epochs)


def ended(trainer: "Trainer", epochs: int) -> bool:
    """Whether all ``epochs`` are done, or ``patience`` of them without a better accuracy."""
    recipe, since_best = trainer.recipe, epochs - trainer.best["epoch"]
    stalled = bool(recipe.patience) and epochs > 0 and since_best >= recipe.patience
    return epochs >= recipe.epochs or stalled


def check_finite(loss: float, epoch: int, folder: Path, lr: float | None = None) -> None:
    """Raise Diverged, with advice, unless ``loss`` is finite."""
    if math.isfinite(loss):
        return
    path, rate = folder / checkpoint.CHECKPOINT, "" if lr is None else f" at learning rate {lr:g}"
    raise Diverged(
        f"epoch {epoch}: the loss is {loss}{rate}. Lower lr (to a third, for example), add warmup "
        f"or clip the gradient (clip=1); last good checkpoint: {path if path.is_file() else 'none'}"
    )


def keep_best(trainer: "Trainer", folder: Path, row: dict[str, Any]) -> bool:
    """Note the epoch of the best held-out accuracy; True if its weights were written to a file."""
    accuracy = row.get("heldout_accuracy", -1.0)
    if accuracy <= trainer.best["accuracy"]:
        return False
    trainer.best = {"epoch": row["epoch"], "accuracy": accuracy}
    if trainer.recipe.keep == "best" and trainer.world.writes:
        weights = {k: v.contiguous() for k, v in trainer.evaluated.state_dict().items()}
        with files.atomic_path(folder / "best.safetensors") as temporary:
            save_file(weights, temporary)
    return trainer.recipe.keep == "best"


class Trainer(Step):
    """The state of a fit: a ``Step``, the data on the device, the augmentation, the best epoch."""

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        size, images = recipe.batch_size, len(data.train)
        if min(size, images) < 2 * world.size:
            raise ValueError(
                f"batch_size={size} of {images} images is too small for {world.size} processes: "
                "each needs at least 2 images a batch"
            )
        super().__init__(recipe, data, world)
        for split in filter(None, (data.heldout, data.val)):
            self.resident[split.name] = to_device(split, self.device, recipe.channels_last)
        self.augmenter = augment.Augmenter(recipe.augment, images, recipe.seed)

    def epoch(self, number: int, report: Report, steps: int | None = None) -> dict[str, Any]:
        """Train one epoch (``steps`` updates of it, if given) and return its history row.

        Nothing waits for the device: losses are summed there and read once, at the end.
        """
        started = time.perf_counter()
        self.network.train()
        self.seed(number)
        plan = self.augmenter.epoch(number)
        ranges = self.batches(len(plan))
        first, sums = (number - 1) * len(ranges), Sums(self.device)
        plan = plan.to(self.device)
        rng = np.random.default_rng((self.recipe.seed, number))  # for mixup and CutMix
        for update, (start, stop) in enumerate(ranges[:steps]):
            lr = lr_at(self.recipe, first + update, self.recipe.epochs * len(ranges))
            sums.add(*self.step(plan, (start, stop), lr, rng))
            if sums.due():
                report(stop, len(plan), sums.mean_loss())
        totals = distributed.add_up(sums.totals, self.world).tolist()  # the one wait
        return history_row(number, lr, totals, time.perf_counter() - started)

    def seed(self, epoch: int) -> None:
        """Seed dropout, the same when an epoch is resumed; ranks drop different units."""
        hashed = self.recipe.seed
        for value in (epoch, self.world.rank):
            hashed = (hashed * 1_000_003 + value) % 2**63
        torch.manual_seed(hashed)

    def batches(self, items: int) -> list[tuple[int, int]]:
        """Ranges of an epoch's items; a last batch too small for batchnorm is left out."""
        size = self.recipe.batch_size
        ranges = [(start, min(start + size, items)) for start in range(0, items, size)]
        return [r for r in ranges if r[1] - r[0] >= 2 * self.world.size]

    def scores(self, images: Tensor) -> Tensor:
        """Scores float32 (N, classes) of uint8 images (N,3,64,64): what a fit is evaluated by.

        In float32, whatever the precision of training, so that those who load the weights get the
        same; averaged with the mirrored images' if the recipe has ``flip_test``.
        """
        return predict.scores(self.evaluated, images, self.mean, self.std, self.recipe.flip_test)

    def evaluate(self, split: str) -> dict[str, float]:
        """Loss, top-1 and top-5 accuracy (0..1) of a split, over all processes."""
        distributed.broadcast_buffers(self.evaluated, self.world)
        rank, size = self.world.rank, self.world.size
        resident = self.resident[split]
        labels, logits = resident.labels[rank::size], self.scores(resident.images[rank::size])
        loss = F.cross_entropy(logits, labels, reduction="sum")
        correct = predict.top(logits, 5) == labels[:, None]
        sums = torch.stack([v.double() for v in (loss, correct[:, 0].sum(), correct.sum())])
        means = distributed.add_up(sums, self.world) / len(resident)
        return dict(zip(("loss", "accuracy", "top5"), means.tolist(), strict=True))
