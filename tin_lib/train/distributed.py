"""Many processes under torch's own launcher: who am I, and what did all of us sum up to."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


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


def join(device: str = "auto") -> World:
    """Join the process group that torchrun's environment describes, once; alone without one."""
    if "WORLD_SIZE" not in os.environ:
        return World(choose_device(device))
    local = int(os.environ.get("LOCAL_RANK", 0))
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
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
