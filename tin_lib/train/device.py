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
    """``bf16`` or ``float32``: the recipe's; ``auto`` is bf16 on tensor cores and CPUs made for it
    (AMX or AVX512_BF16: about three times and twice as fast as float32 there)."""
    if recipe.precision != "auto":
        return recipe.precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        private = "_is_amx_tile_supported", "_is_avx512_bf16_supported"  # may vanish
        fast = any(getattr(torch.cpu, name, bool)() for name in private)
    return "bf16" if fast else "float32"


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """bf16 autocast if ``precision`` is bf16; otherwise none."""
    return torch.autocast(device.type, torch.bfloat16, precision(recipe, device) == "bf16")


@contextlib.contextmanager
def kept_blocks(device: torch.device) -> Iterator[bool]:
    """On a CPU, reuse freed memory of any size; at the end, return what is free to the system.

    Fresh pages for every large tensor cost deep networks a good part of their time. Works with
    Linux's glibc, in the main thread (elsewhere up to blocks of 64 MB). Yields whether it works.
    """
    library = glibc() if device.type == "cpu" else None
    try:
        yield library is not None and all(library.mallopt(*setting) for setting in KEEP.items())
    finally:
        if library is not None:
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
    """On a GPU, if ``wanted``, cuDNN tries all kernels for a new shape and keeps the fastest."""
    cudnn = torch.backends.cudnn  # its context manager ``flags`` would disable cuDNN
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
    """``augment.render`` of a plan at a size for resident images, compiled if the recipe is and on
    a GPU."""

    def render(batch: augment.EpochPlan, size: int = 64) -> Tensor:
        return augment.render(images, batch, mean, std, size=size)

    # On a CPU compiled code is slower: it also touches the images that do not change. Never with
    # CUDA graphs ("reduce-overhead"): one's output is overwritten while the network's reads it.
    return Compiled(render, "default") if recipe.compile and images.is_cuda else render
