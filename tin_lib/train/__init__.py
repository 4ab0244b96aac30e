"""``fit``: the one training loop, for any recipe, network and device; it resumes."""

import contextlib
import math
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tin_lib import files, runs
from tin_lib.data import TinyImageNet
from tin_lib.locks import only_one
from tin_lib.networks.pretrained import digest_of, file_of
from tin_lib.process import usable_cores
from tin_lib.progress import Progress, Silent, choose
from tin_lib.recipes import Recipe
from tin_lib.train import distributed
from tin_lib.train.artifacts import finish
from tin_lib.train.checkpoint import (
    CHECKPOINT,
    holds,
    identity,
    load_checkpoint,
    precision_of,
    prepare,
    save_checkpoint,
)
from tin_lib.train.launcher import launch
from tin_lib.train.loop import Trainer
from tin_lib.train.setup import set_up

__all__ = ["Diverged", "Trainer", "fit"]


class Diverged(ArithmeticError):
    """The loss is no longer finite."""


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

    A finished fit of the same recipe and data is returned as it is; an interrupted one goes on from
    its last checkpoint, with the same numbers on the CPU as without the interruption; a folder with
    another fit is moved aside. Seeded by ``recipe.seed``. Under torchrun every process calls this.

    ``device``: auto, cpu or cuda. ``progress``: auto, None (silent) or a ``Progress``.
    ``processes``: above 1, so many are started on this machine, one a GPU, and share each batch;
    they print a line an epoch, whatever ``progress`` is unless it is None.
    Raises ValueError for fields that do not fit together and for a folder that another process is
    training in, or that not all processes see; and Diverged when a loss, in training or
    validation, is not finite (the last good checkpoint stays). What goes wrong in several
    ``processes`` is a ChildProcessError that quotes it.
    """
    check(recipe, data)
    if recipe.weights and file_of(recipe.weights).resolve().is_relative_to(Path(out).resolve()):
        raise ValueError(f"weights={recipe.weights}: a fit cannot start from its own folder {out}")
    if processes != 1 and not distributed.launched():
        return fit_apart(recipe, data, Path(out).resolve(), processes, device, progress is None)
    folder, world = Path(out).resolve(), distributed.join(device)
    lock = folder.parent / f".{folder.name}.lock"  # beside it: the folder may be moved aside
    with only_one(lock, f"the fit {folder}") if world.writes else contextlib.nullcontext():
        if not distributed.agreed(finished(folder, recipe, data), world, folder):
            # Around all that lives in there, so that its memory goes back to the system as well.
            with set_up(world.device):
                _fit(recipe, data, folder, world, progress)
        distributed.wait(world)
    return runs.open_fit(folder)


def fit_apart(
    recipe: Recipe, data: TinyImageNet, folder: Path, processes: int, device: str, quiet: bool
) -> runs.Fit:
    """The fit by several processes of this machine."""
    on_gpus = distributed.choose_device(device).type == "cuda"
    most = torch.cuda.device_count() if on_gpus else len(usable_cores())
    if not 1 <= processes <= most:
        what = "GPUs" if on_gpus else "cores"
        raise ValueError(
            f"processes={processes}: must be from 1 to {most}, the {what} that this process may "
            "use (of jobs side by side each has its share)"
        )
    if not finished(folder, recipe, data):
        launch(recipe, data, folder, processes, device, quiet)
    return runs.open_fit(folder)


def finished(folder: Path, recipe: Recipe, data: TinyImageNet) -> bool:
    """Whether the folder holds this fit, with its weights."""
    there = all((folder / name).is_file() for name in ("summary.json", "weights.safetensors"))
    return there and holds(folder, identity(recipe, data))


def begun(recipe: Recipe, data: TinyImageNet, folder: Path) -> Recipe:
    """The recipe as its checkpoint goes on with it, where there is one.

    Without a file of starting weights that is lost, and in the precision that it began in: another
    machine might choose another.
    """
    if not (folder / CHECKPOINT).is_file() or not holds(folder, identity(recipe, data)):
        return recipe
    if digest_of(recipe.weights) is None:
        recipe = recipe.replace(weights=None)
    return recipe.replace(precision=precision_of(folder, recipe.precision))


def _fit(
    recipe: Recipe,
    data: TinyImageNet,
    folder: Path,
    world: distributed.World,
    progress: Progress | str | None,
) -> None:
    """Train what is left of a fit and write its results."""
    with torch.random.fork_rng([world.device] if world.device.type == "cuda" else []):
        start = begun(recipe, data, folder)
        trainer = Trainer(start, data, world)  # first: it refuses what does not fit together
        if start.weights != recipe.weights:
            trainer.network.origin = str(recipe.weights)
        if world.writes:
            prepare(folder, recipe, data, world.device)
        distributed.wait(world)
        distributed.check_shared(folder / "recipe.json", world)
        history = resume(trainer, folder)
        distributed.agreed(len(history), world, folder)
        train(trainer, folder, history, choose(progress) if world.writes else Silent())
        if recipe.keep == "best":
            trainer.evaluated.load_state_dict(load_file(folder / "best.safetensors"))
        if world.writes:
            finish(folder, trainer, data, history)


def check(recipe: Recipe, data: TinyImageNet) -> None:
    """Raise ValueError when the recipe asks for what the data cannot give."""
    if (recipe.patience or recipe.keep == "best") and data.heldout is None:
        raise ValueError(
            "patience and keep='best' choose by a held-out part of train, since val is what is "
            "reported: open the data with holdout=0.1, say"
        )
    if len(data.train) < 2:
        raise ValueError(f"{data.root}: {len(data.train)} training images are too few to train on")
    if not len(data.val):
        raise ValueError(f"{data.root}: val has no image of these classes; choose other classes")


def train(trainer: Trainer, folder: Path, history: list[dict], progress: Progress) -> None:
    """Run the epochs that are left; checkpoints after them, and always after the last."""
    recipe, saving = trainer.recipe, Saving()
    for number in range(len(history) + 1, recipe.epochs + 1):
        if stalled(trainer.best, len(history), recipe.patience):
            break
        tell = lambda done, total, loss, n=number: watch(progress, folder, n, (done, total, loss))
        row = trainer.epoch(number, tell)
        check_finite(row["train_loss"] + row["penalty"], number, row["lr"], folder)
        for split in [name for name in trainer.resident if name != "train"]:
            row |= {f"{split}_{k}": v for k, v in trainer.evaluate(split).items()}
            check_finite(row[f"{split}_loss"], number, row["lr"], folder)
        history.append(row)
        keep_best(trainer, folder, row)
        ends = number == recipe.epochs or stalled(trainer.best, len(history), recipe.patience)
        renewed = recipe.keep == "best" and trainer.best["epoch"] == number  # beside its weights
        if trainer.world.writes and (ends or renewed or saving.due()):
            with saving:
                save_checkpoint(folder, trainer.state() | {"history": history})
        progress.epoch(row, recipe.epochs)


class Saving:
    """When to save: after every epoch, unless that would take more than a tenth of the time.

    It would for large networks whose epochs last a second or two, as on a GPU. After the last
    epoch, and after a new best one that is kept, it is done in any case.
    """

    def __init__(self) -> None:
        self.started = self.ended = self.took = -math.inf

    def due(self) -> bool:
        """Whether nine times as long as the last saving took has passed since."""
        return time.monotonic() - self.ended >= 9 * self.took

    def __enter__(self) -> None:
        self.started = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self.ended = time.monotonic()
        self.took = self.ended - self.started


def watch(progress: Progress, folder: Path, number: int, news: tuple[int, int, Any]) -> None:
    """Pass on progress within an epoch, and stop early when the loss is gone."""
    done, total, loss = news
    if loss is not None:
        check_finite(loss, number, None, folder)
    progress.images(number, done, total, loss)


def check_finite(loss: float, epoch: int, lr: float | None, folder: Path) -> None:
    """Raise Diverged, with advice, unless ``loss`` is finite."""
    if math.isfinite(loss):
        return
    rate = "" if lr is None else f" at learning rate {lr:g}"
    kept = folder / CHECKPOINT if (folder / CHECKPOINT).is_file() else "none yet"
    raise Diverged(
        f"epoch {epoch}: the loss is {loss}{rate}. Lower lr (a third, say), add warmup or clip the "
        f"gradient (clip=1); last good checkpoint: {kept}"
    )


def stalled(best: dict[str, float], epochs: int, patience: int) -> bool:
    """Whether ``patience`` epochs have passed without a better held-out accuracy."""
    return bool(patience) and epochs - best["epoch"] >= patience and epochs > 0


def keep_best(trainer: Trainer, folder: Path, row: dict[str, Any]) -> None:
    """Remember the epoch with the best held-out accuracy, and its weights if they are kept."""
    accuracy = row.get("heldout_accuracy", -1.0)
    if accuracy <= trainer.best["accuracy"]:
        return
    trainer.best = {"epoch": row["epoch"], "accuracy": accuracy}
    if trainer.recipe.keep == "best" and trainer.world.writes:
        with files.atomic_path(folder / "best.safetensors") as temporary:
            save_file(
                {k: v.contiguous() for k, v in trainer.evaluated.state_dict().items()}, temporary
            )


def resume(trainer: Trainer, folder: Path) -> list[dict[str, Any]]:
    """Bring the trainer to the last checkpoint; its history, [] where there is none."""
    state = load_checkpoint(folder, trainer.device)
    if state is None:
        return []
    trainer.load(state)
    return state["history"]
