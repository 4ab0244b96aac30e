"""How a device computes: precision, memory that is kept, cuDNN's kernels, torch.compile."""

import contextlib
import ctypes
import functools
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tin_lib import augment
from tin_lib.recipes import Recipe

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # mallopt's parameters, from malloc.h
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: -1}  # no block is a mapping of its own; nothing is trimmed
# What glibc's thresholds adapt to by themselves, unless mallopt has ever been called.
AFTER = {MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 64 << 20}


def precision(recipe: Recipe, device: torch.device) -> str:
    """``bf16`` or ``float32``: the recipe's; for ``auto``, bf16 if the hardware multiplies in it.

    That is tensor cores, or AMX: without it a CPU is no faster in bf16, and has to convert.
    """
    if recipe.precision != "auto":
        return recipe.precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = getattr(torch.cpu, "_is_amx_tile_supported", bool)()  # private: may vanish
    return "bf16" if fast else "float32"


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """bf16 autocast if ``precision`` is bf16; otherwise none."""
    enabled = precision(recipe, device) == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled)


@contextlib.contextmanager
def kept_blocks(device: torch.device) -> Iterator[bool]:
    """On a CPU, reuse freed memory of any size; at the end, return what is free to the system.

    Mapping and zeroing fresh pages for every large tensor costs deep networks a good part of their
    arithmetic; GPUs have PyTorch's caching allocator. Works with Linux's glibc, in the main thread
    (elsewhere blocks above 64 MB are still mapped afresh). Yields whether it works.
    """
    library = glibc() if device.type == "cpu" else None
    if library is None:
        yield False
        return
    try:
        yield all([library.mallopt(*setting) for setting in KEEP.items()])
    finally:
        for setting in AFTER.items():
            library.mallopt(*setting)
        library.malloc_trim(0)


@functools.cache
def glibc() -> Any:
    """The C library if it is glibc, else None."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "gnu_get_libc_version") else None


@contextlib.contextmanager
def kernels_tried(device: torch.device, wanted: bool) -> Iterator[None]:
    """On a GPU, if ``wanted``, cuDNN tries all kernels for a new shape and keeps the fastest.

    That pays off for a full batch, which occurs hundreds of times, not for an epoch's last one.
    ``torch.backends.cudnn.flags`` is not used: it would disable cuDNN.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.benchmark = cudnn.benchmark, wanted and device.type == "cuda"
    try:
        yield
    finally:
        cudnn.benchmark = before


class Compiled(nn.Module):
    """Calls ``module`` compiled; after a failure of the compiler, uncompiled.

    Only the first batch's size is compiled: another compilation, for an epoch's smaller last batch,
    would take longer than all such batches of a fit. ``reason`` says why it fell back, else "".
    """

    def __init__(self, module: Any, mode: str) -> None:
        super().__init__()
        self.module, self.reason, self.size = module, "", 0
        self.call: Any = torch.compile(module, mode=mode, dynamic=False)

    def forward(self, *inputs: Any) -> Any:
        """The module's output; the first input is a batch."""
        self.size = self.size or len(inputs[0])
        if not self.reason and len(inputs[0]) == self.size:
            try:
                return self.call(*inputs)
            except Exception as error:  # anything: no toolchain, unsupported operations
                self.reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
                message = f"torch.compile failed, training continues without it: {self.reason}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
        return self.module(*inputs)


def renderer(recipe: Recipe, images: Tensor, mean: Tensor, std: Tensor) -> Any:
    """``augment.render`` of plans for resident images, compiled if the recipe is and on a GPU.

    A CPU is faster if only the images that change are touched; compiled code cannot know how many.
    Never in a mode with CUDA graphs: a graph's output would be overwritten while the network's own
    graph still reads it.
    """

    def render(batch: augment.EpochPlan) -> Tensor:
        return augment.render(images, batch, mean, std)

    return Compiled(render, "default") if recipe.compile and images.is_cuda else render
