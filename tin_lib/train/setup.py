"""How a device is set up for training."""

import contextlib
from collections.abc import Iterator

import torch

from tin_lib.train.blocks import kept_blocks


def set_up(device: torch.device) -> contextlib.AbstractContextManager:
    """For the time of a fit: on a CPU freed memory is kept for the next batch."""
    return kept_blocks() if device.type == "cpu" else contextlib.nullcontext()


@contextlib.contextmanager
def kernels_tried(device: torch.device, wanted: bool) -> Iterator[None]:
    """On a GPU, if ``wanted``, cuDNN tries all its kernels for a new shape and keeps the fastest.

    That takes seconds, which a shape pays back that comes hundreds of times: a full batch, not an
    epoch's last one or an evaluation's. The one flag is set by itself, since
    ``torch.backends.cudnn.flags`` switches off cuDNN unless told otherwise.
    """
    if device.type == "cpu":
        yield
        return
    cudnn = torch.backends.cudnn
    before, cudnn.benchmark = cudnn.benchmark, wanted
    try:
        yield
    finally:
        cudnn.benchmark = before
