"""Several processes under torchrun: joining them, sums over all, and lost processes."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tin_lib.process import DEVICE

TIMEOUT = timedelta(hours=3)  # to wait for a process that writes; a lost one is noticed at once
LOST = "another process has failed or was ended"
SHOW_UP = 60  # seconds until a file written on one machine must be visible on another


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


class LostProcess(ConnectionError):
    """Another process of the job has failed or was ended."""


def launched() -> bool:
    """Whether torchrun has started this process."""
    return "WORLD_SIZE" in os.environ


def join(device: str = "auto") -> World:
    """Join torchrun's process group, once; without torchrun this process is alone."""
    chosen = choose_device(device)
    if not launched():
        return World(chosen)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=TIMEOUT)
    return World(chosen, dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """Leave the process group, if one was joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def choose_device(device: str) -> torch.device:
    """The device of that name; ``auto`` takes a GPU if there is one. ValueError for any other."""
    on_gpu = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda" if on_gpu else "cpu")
    if not DEVICE.fullmatch(device):
        raise ValueError(f"device={device!r} is not supported; use auto, cpu or cuda")
    if device != "cpu" and not on_gpu:
        raise ValueError(f"device={device!r}: no CUDA device is available here; use cpu or auto")
    return torch.device(device)


@contextlib.contextmanager
def collective(world: World) -> Iterator[None]:
    """For a call that all processes make together: raises LostProcess when another is lost.

    NCCL raises a DistError then, gloo a bare RuntimeError: only here it can mean nothing else.
    """
    try:
        yield
    except RuntimeError as error:
        if world.size > 1 and (type(error) is RuntimeError or isinstance(error, dist.DistError)):
            raise LostProcess(str(error).partition("\n")[0]) from error
        raise


def together(world: World, call: Callable, *args: Any) -> None:
    """Make the collective ``call``, if there are several processes."""
    if world.size > 1:
        with collective(world):
            call(*args)


def add_up(totals: torch.Tensor, world: World) -> torch.Tensor:
    """Sum ``totals`` over all processes, in place."""
    together(world, dist.all_reduce, totals)
    return totals


def agreed(value: int, world: World, folder: Path) -> int:
    """``value``, which every process read from ``folder``; ValueError, in all, if they differ."""
    ends = torch.tensor([value, -value], device=world.device)
    together(world, dist.all_reduce, ends, dist.ReduceOp.MAX)
    if ends[0] != -ends[1]:
        raise ValueError(
            f"{folder}: the processes of this job do not see the same files there; on several "
            "machines it must be on a file system that all share, under the same path"
        )
    return value


def check_shared(path: Path, world: World) -> None:
    """Wait for the process that writes ``path``; ValueError, in every one, unless all see it."""
    together(world, dist.barrier)
    end = time.monotonic() + (SHOW_UP if world.size > 1 else 0)
    while not path.is_file() and time.monotonic() < end:
        time.sleep(0.5)
    agreed(path.is_file(), world, path.parent)


@contextlib.contextmanager
def lost_process_explained(folder: Path) -> Iterator[None]:
    """Under torchrun: a LostProcess says how to resume; SIGTERM, by torchrun, raises one too."""
    handles = launched() and threading.current_thread() is threading.main_thread()

    def terminated(number: int, frame: Any) -> None:
        raise LostProcess("ended by torchrun")

    before = signal.signal(signal.SIGTERM, terminated) if handles else None
    try:
        yield
    except LostProcess as error:
        raise LostProcess(
            f"process {os.environ.get('RANK', '0')} of the job stops: {LOST} ({error}). "
            f"Run the same command again to resume from the last checkpoint in {folder}"
        ) from error
    finally:
        if handles:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
