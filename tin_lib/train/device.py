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
# What glibc's thresholds adapt to once large blocks have been freed. They must be set here: after
# any call of mallopt they no longer adapt, and their initial values are slow for large blocks.
AFTER = {MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 64 << 20}


def precision(recipe: Recipe, device: torch.device) -> str:
    """``bf16`` or ``float32``: the recipe's; for ``auto``, bf16 where the device is made for it."""
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if has_bf16(device) else "float32"


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 matrices in hardware: tensor cores, or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # A CPU without AMX is no faster in bf16 than in float32, and has to convert as well.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # private: may vanish
    return device.type == "cpu" and has_amx()


def autocast(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager:
    """bf16 autocast if ``precision`` is bf16; otherwise nothing."""
    if precision(recipe, device) == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def memory_kept(device: torch.device) -> contextlib.AbstractContextManager:
    """``kept_blocks`` on a CPU. GPUs have PyTorch's caching allocator for this."""
    return kept_blocks() if device.type == "cpu" else contextlib.nullcontext()


@contextlib.contextmanager
def kept_blocks() -> Iterator[bool]:
    """Reuse freed memory of any size; afterwards, what is free is returned to the system.

    The C library takes fresh pages from the kernel for a large tensor and returns them when it is
    freed, so that every update maps and zeroes all activations again: for deep networks that costs
    as much as a good part of their arithmetic. Works in the main thread (in others glibc still maps
    blocks above 64 MB afresh) with Linux's glibc, else changes nothing. Yields whether it works.
    """
    library = glibc()
    if library is None:
        yield False
        return
    try:
        done = [library.mallopt(*setting) for setting in KEEP.items()]
        yield all(done)
    finally:
        for setting in AFTER.items():
            library.mallopt(*setting)
        library.malloc_trim(0)


@functools.cache
def glibc() -> Any:
    """The C library if it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


@contextlib.contextmanager
def kernels_tried(device: torch.device, wanted: bool) -> Iterator[None]:
    """On a GPU, if ``wanted``, cuDNN tries all kernels for a new shape and keeps the fastest.

    That takes seconds, which pay off for a shape that occurs hundreds of times: a full batch, not
    an epoch's last one. ``torch.backends.cudnn.flags`` is not used: it would disable cuDNN.
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


class Compiled(nn.Module):
    """Calls ``module`` compiled; after a failure of the compiler, uncompiled.

    Only the first batch's size is compiled: a second compilation for an epoch's smaller last batch
    would take longer than all such batches of a fit. ``reason`` says why it fell back, else "".
    """

    def __init__(self, module: nn.Module, mode: str) -> None:
        super().__init__()
        self.module, self.reason, self.size = module, "", 0
        self.call: Any = torch.compile(module, mode=mode, dynamic=False)

    def forward(self, *inputs: Any) -> Any:
        """The module's output; the first input is a batch."""
        self.size = self.size or len(inputs[0])
        if self.reason or len(inputs[0]) != self.size:
            return self.module(*inputs)
        try:
            return self.call(*inputs)
        except Exception as error:  # compilers raise anything: no toolchain, unsupported operations
            self.reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            message = f"torch.compile failed, training continues without it: {self.reason}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return self.module(*inputs)


class Rendering(nn.Module):
    """``augment.render`` of resident images, as a module that can be compiled."""

    def __init__(self, images: Tensor, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.images, self.mean, self.std = images, mean, std

    def forward(self, batch: augment.EpochPlan) -> Tensor:
        """Augmented, normalised images float32 (N,3,64,64)."""
        return augment.render(self.images, batch, self.mean, self.std)


def rendering(recipe: Recipe, images: Tensor, mean: Tensor, std: Tensor) -> nn.Module:
    """A ``Rendering``, compiled if the recipe compiles and the images are on a GPU.

    There dozens of small kernels become a few. A CPU is faster if only the images that change are
    touched, and compiled code cannot know their number. Never in a mode with CUDA graphs: a graph's
    output would be overwritten while the network's own graph still reads it.
    """
    module = Rendering(images, mean, std)
    return Compiled(module, "default") if recipe.compile and images.is_cuda else module
