"""Where the time of a training step goes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from tin_lib import files
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.device import memory_kept
from tin_lib.train.distributed import World, join
from tin_lib.train.fit import Trainer

WARM_UP = 3  # updates before: allocations, autotuning and compiling would hide the rest
PHASES = {  # methods of Step that make up an update
    "render": "gather, augment, normalise, mix",
    "losses": "forward",
    "differentiate": "backward",
    "update": "penalties, clipping, optimizer, averaged weights",
}


class Timed(Trainer):
    """A trainer that adds up the seconds of each phase in ``seconds``.

    It waits for the device around each, so what would overlap on a GPU does not.
    """

    def __init__(self, recipe: Recipe, data: TinyImageNet, world: World) -> None:
        super().__init__(recipe, data, world)
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.plain = {name: getattr(self, name) for name in PHASES}

    def time_phases(self) -> None:
        """Start to time."""
        for name, call in self.plain.items():
            setattr(self, name, self.timed(name, call))

    def stop(self) -> None:
        """Stop to time, and to wait."""
        vars(self).update(self.plain)

    def timed(self, name: str, call: Callable) -> Callable:
        """``call``, with its seconds added up."""

        def run(*args: Any) -> Any:
            started = self.now()
            result = call(*args)
            self.seconds[name] += self.now() - started
            return result

        return run

    def now(self) -> float:
        """Seconds on a clock, once the device has finished its work."""
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
    with memory_kept(world.device):
        trainer.epoch(1, _quiet, WARM_UP)
        phases = phase_table(trainer, steps)
        recorded = record(trainer, steps)
    if not world.writes:
        return ""
    by = "self_cuda_time_total" if world.device.type == "cuda" else "self_cpu_time_total"
    operations = recorded.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=60)
    text = f"{phases}\n\n{operations}"
    files.atomic_write(out / "profile.txt", text)
    recorded.export_chrome_trace(str(out / "trace.json"))
    return f"{text}\n{out / 'trace.json'}"


def phase_table(trainer: Timed, steps: int) -> str:
    """Milliseconds per update and share of each phase, over ``steps`` updates."""
    trainer.time_phases()
    total = trainer.epoch(1, _quiet, steps)["seconds"]
    trainer.stop()
    rest = total - sum(trainer.seconds.values())
    rows = [(name, what, trainer.seconds[name]) for name, what in PHASES.items()]
    rows.append(("rest", "the epoch's plan, sums of losses", rest))
    updates = min(steps, len(trainer.batches(trainer.augmenter.items())))
    lines = [f"{'phase':<14}{'ms per update':>13}{'share':>8}  what"]
    lines += [f"{n:<14}{1e3 * s / updates:>13.2f}{s / total:>8.1%}  {w}" for n, w, s in rows]
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
