"""Many processes under torch's own launcher: who am I, and what did all of us sum up to."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

# For one process to wait for another, which may be writing predictions. A process that is lost is
# noticed at once by those that talk to it, and by torchrun.
TIMEOUT = timedelta(hours=3)
LOST = "another process has failed or was ended"
SHOW_UP = 60  # seconds until what one machine wrote can be seen on another


@dataclass(frozen=True)
class World:
    """This process among those of one ``torchrun``; rank 0 of 1 without it."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and progress."""
        return self.rank == 0


def launched() -> bool:
    """Whether torchrun has started this process."""
    return "WORLD_SIZE" in os.environ


def join(device: str = "auto") -> World:
    """Join the process group that torchrun's environment describes, once; alone without one."""
    if not launched():
        return World(choose_device(device))
    local = int(os.environ.get("LOCAL_RANK", 0))
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=TIMEOUT)
    return World(chosen, dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """Leave the process group, if one was joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def choose_device(device: str) -> torch.device:
    """``auto`` takes a GPU where there is one.

    Raises ValueError for an unknown device or a GPU that is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"device={device!r} is unknown; use auto, cpu or cuda") from None
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r} is not supported; use auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}: no CUDA device is available here; use cpu or auto")
    return chosen


def add_up(totals: torch.Tensor, world: World) -> torch.Tensor:
    """Sum ``totals`` over all processes, in place."""
    if world.size > 1:
        dist.all_reduce(totals)
    return totals


def wait(world: World) -> None:
    """Wait until every process is here."""
    if world.size > 1:
        dist.barrier()


def agreed(value: int, world: World, folder: Path) -> int:
    """``value``, which all processes read from ``folder``; ValueError where they do not agree."""
    if world.size > 1:
        ends = torch.tensor([value, -value], device=world.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX)
        if ends[0] != -ends[1]:
            raise not_shared(folder)
    return value


def check_shared(path: Path, world: World) -> None:
    """Raise ValueError, in every process, unless all see the file that one has just written."""
    end = time.monotonic() + (SHOW_UP if world.size > 1 else 0)
    while not path.is_file() and time.monotonic() < end:
        time.sleep(0.5)
    seen = add_up(torch.tensor(int(path.is_file()), device=world.device), world)
    if seen < world.size:
        raise not_shared(path.parent)


def not_shared(folder: Path) -> ValueError:
    """What is wrong when processes see different things in a folder."""
    return ValueError(
        f"{folder}: the processes of this job do not see the same files there; on several machines "
        "it must be on a file system that all share, under the same path"
    )


@contextlib.contextmanager
def losses_explained(folder: Path) -> Iterator[None]:
    """Under torchrun: ConnectionError, saying how to go on, once another process is lost.

    The others notice by their connection, or because torchrun ends them (SIGTERM).
    """
    if not launched():
        yield
        return

    def ended(number: int, frame: Any) -> None:
        raise lost(folder, "torchrun was told to stop, or ends it for that")

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends anyway; let it say why
        gone = isinstance(error, dist.DistError) or "gloo" in str(error)
        if isinstance(error, RuntimeError) and gone:  # what gloo raises has no class of its own
            raise lost(folder, str(error).splitlines()[0]) from error
        raise
    signal.signal(signal.SIGTERM, before)


def lost(folder: Path, why: str) -> ConnectionError:
    """What to say in a process that cannot go on without the others."""
    rank = os.environ.get("RANK", "0")
    return ConnectionError(
        f"process {rank} of the job stops: {LOST} ({why}). "
        f"Run the same command again: it goes on from the last checkpoint in {folder}"
    )
