"""In which numbers a fit computes: float32, or bf16 where the device has units made for it."""

import contextlib

import torch

from tin_lib.recipes import Recipe


def precision(recipe: Recipe, device: torch.device) -> str:
    """``bf16`` or ``float32``: what the recipe asks for; for ``auto``, bf16 where it is faster."""
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if has_bf16(device) else "float32"


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 matrices in units of their own: tensor cores, or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # A CPU without AMX has no more arithmetic for bf16 than for float32, and converts besides.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # private: may go
    return device.type == "cpu" and has_amx()


def autocast(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager:
    """bf16 autocast where ``precision`` says so; otherwise nothing."""
    if precision(recipe, device) == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
