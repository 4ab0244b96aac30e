"""Where the time of a training step goes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.distributed import World, join
from tin_lib.train.loop import Trainer
from tin_lib.train.setup import set_up

WARM_UP = 3  # updates before: allocations, autotuning and compiling would hide the rest
PHASES = {  # methods of Trainer that make up a step
    "render": "gather, augment, normalise, mix",
    "losses": "forward",
    "differentiate": "backward",
    "update": "penalties, clipping, optimizer, averaged weights",
}


class Timed(Trainer):
    """A trainer that adds up the seconds of each phase, once ``seconds`` is a dict.

    It waits for the device around each, so what would overlap on a GPU does not.
    """

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        super().__init__(recipe, data, world)
        self.seconds: dict[str, float] | None = None
        for name in PHASES:
            setattr(self, name, self.timed(name, getattr(self, name)))

    def timed(self, name: str, call: Callable) -> Callable:
        """``call``, with its seconds added up."""

        def run(*args: Any) -> Any:
            if self.seconds is None:
                return call(*args)
            started = self.now()
            result = call(*args)
            self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - started
            return result

        return run

    def now(self) -> float:
        """Seconds on a clock, when the device has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def profile(recipe: Recipe, data: TinyImageNet, out: Path, steps: int, device: str = "auto") -> str:
    """Time the phases of ``steps`` updates, then record as many, at most an epoch of each.

    Writes ``out``/profile.txt, the text that is returned: a table of the phases and one of the
    operations, and ``out``/trace.json, a timeline for ui.perfetto.dev or chrome://tracing. Under
    torchrun the first process writes them and the others return "". Raises ValueError when
    ``steps`` is not positive.
    """
    if steps < 1:
        raise ValueError(f"profile steps {steps}: must be at least 1")
    world = join(device)
    trainer = Timed(recipe, data, world)
    with set_up(world.device):
        trainer.epoch(1, _quiet, WARM_UP)
        phases = phase_table(trainer, steps)
        recorded = record(trainer, steps)
    if not world.writes:
        return ""
    by = "self_cuda_time_total" if world.device.type == "cuda" else "self_cpu_time_total"
    operations = recorded.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=60)
    text = f"{phases}\n\n{operations}"
    out.mkdir(parents=True, exist_ok=True)
    recorded.export_chrome_trace(str(out / "trace.json"))
    (out / "profile.txt").write_text(text)
    return f"{text}\n{out / 'trace.json'}"


def phase_table(trainer: Timed, steps: int) -> str:
    """Milliseconds an update and share of each phase, over ``steps`` updates."""
    trainer.seconds = {}
    row = trainer.epoch(1, _quiet, steps)
    spent, trainer.seconds = trainer.seconds, None
    total = row["seconds"]
    named = [(name, what, spent[name]) for name, what in PHASES.items()]
    named += [("rest", "the epoch's plan, sums of losses", total - sum(spent.values()))]
    updates = min(steps, len(trainer.batches(trainer.augmenter.items())))
    lines = [f"{'phase':<14}{'ms an update':>13}{'share':>8}  what"]
    lines += [f"{n:<14}{1e3 * s / updates:>13.2f}{s / total:>8.1%}  {w}" for n, w, s in named]
    return "\n".join(lines)


def record(trainer: Trainer, steps: int) -> torch_profile:
    """``steps`` updates under PyTorch's profiler."""
    activities = [ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch_profile(activities=activities) as recorded:
        trainer.epoch(1, _quiet, steps)
    return recorded


def _quiet(done: int, total: int, loss: float | None) -> None:
    """No progress."""
