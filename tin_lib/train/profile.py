"""Where the time of a training step goes."""

from pathlib import Path

from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train.blocks import kept_blocks
from tin_lib.train.distributed import join
from tin_lib.train.loop import Trainer

WARM_UP = 3  # updates before: allocations, autotuning and compiling would hide the rest


def profile(recipe: Recipe, data: TinyImageNet, out: Path, steps: int, device: str = "auto") -> str:
    """Profile ``steps`` updates; write ``out``/trace.json (chrome://tracing) and return a table.

    Raises ValueError when ``steps`` is not positive.
    """
    if steps < 1:
        raise ValueError(f"profile steps {steps}: must be at least 1")
    world = join(device)
    trainer = Trainer(recipe, data, world)
    activities = [ProfilerActivity.CPU]
    if world.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with kept_blocks():
        trainer.epoch(1, _quiet, WARM_UP)
        with torch_profile(activities=activities) as recorded:
            trainer.epoch(1, _quiet, steps)
    out.mkdir(parents=True, exist_ok=True)
    recorded.export_chrome_trace(str(out / "trace.json"))
    by = "self_cuda_time_total" if world.device.type == "cuda" else "self_cpu_time_total"
    text = recorded.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=60)
    (out / "profile.txt").write_text(text)
    return f"{text}\n{out / 'trace.json'}"


def _quiet(done: int, total: int, loss: float | None) -> None:
    """No progress."""
