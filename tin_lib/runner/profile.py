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
from tin_lib.train.device import kept_blocks
from tin_lib.train.distributed import join
from tin_lib.train.fit import Trainer

WARM_UP = 3  # updates before: allocations, autotuning and compiling would hide the rest
PHASES = {  # parts of Step that make up an update
    "render": "gather, augment, normalise, mix",
    "objective": "forward",
    "differentiate": "backward",
    "update": "penalties, clipping, optimizer, averaged weights",
}


def profile(recipe: Recipe, data: TinyImageNet, out: Path, steps: int, device: str = "auto") -> str:
    """Record ``steps`` updates, then time the phases of as many, at most an epoch of each.

    Writes ``out``/profile.txt, the text that is returned: a table of the phases and one of the
    operations, and ``out``/trace.json, a timeline for ui.perfetto.dev or chrome://tracing. Under
    torchrun the first process writes them and the others return "". Raises ValueError when
    ``steps`` is not positive.
    """
    if steps < 1:
        raise ValueError(f"profile steps {steps}: must be at least 1")
    world = join(device)
    trainer = Trainer(recipe, data, world)
    with kept_blocks(world.device):
        trainer.epoch(1, _quiet, WARM_UP)
        recorded = record(trainer, steps)
        phases = phase_table(trainer, steps)
    if not world.writes:
        return ""
    by = "self_cuda_time_total" if world.device.type == "cuda" else "self_cpu_time_total"
    operations = recorded.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=60)
    text = f"{phases}\n\n{operations}"
    files.atomic_write(out / "profile.txt", text)
    recorded.export_chrome_trace(str(out / "trace.json"))
    return f"{text}\n{out / 'trace.json'}"


def record(trainer: Trainer, steps: int) -> torch_profile:
    """``steps`` updates under PyTorch's profiler."""
    activities = [ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch_profile(activities=activities) as recorded:
        trainer.epoch(1, _quiet, steps)
    return recorded


def phase_table(trainer: Trainer, steps: int) -> str:
    """Milliseconds per update and share of each phase, over ``steps`` updates."""
    seconds = dict.fromkeys(PHASES, 0.0)
    for name in PHASES:
        setattr(trainer, name, timed(getattr(trainer, name), name, seconds, trainer.device))
    total = trainer.epoch(1, _quiet, steps)["seconds"]
    seconds["rest"] = total - sum(seconds.values())
    updates = min(steps, len(trainer.batches(trainer.augmenter.items())))
    lines = [f"{'phase':<14}{'ms per update':>13}{'share':>8}  what"]
    for name, what in (PHASES | {"rest": "the epoch's plan, sums of losses"}).items():
        spent = seconds[name]
        lines.append(f"{name:<14}{1e3 * spent / updates:>13.2f}{spent / total:>8.1%}  {what}")
    return "\n".join(lines)


def timed(call: Callable, name: str, seconds: dict[str, float], device: torch.device) -> Callable:
    """``call``, adding its time to ``seconds[name]``.

    It waits for the device before and after, so what would overlap on a GPU does not.
    """

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def run(*args: Any) -> Any:
        started = now()
        result = call(*args)
        seconds[name] += now() - started
        return result

    return run


def _quiet(done: int, total: int, loss: float | None) -> None:
    """No progress."""
