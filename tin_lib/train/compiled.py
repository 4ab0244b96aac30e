"""torch.compile that falls back, saying why."""

import warnings
from typing import Any

import torch
from torch import nn


class Compiled(nn.Module):
    """Calls ``module`` compiled; after a failure of the compiler, as it is.

    Compiled for the size of the first batch alone: an epoch's smaller last one would cost a second
    compilation, which takes longer than all such batches of a fit. ``reason`` says why it fell
    back, "" while it has not.
    """

    def __init__(self, module: nn.Module, mode: str) -> None:
        super().__init__()
        self.module, self.reason, self.size = module, "", 0
        self.call: Any = torch.compile(module, mode=mode, dynamic=False)

    def forward(self, *inputs: Any) -> Any:
        """As the module's; the first input is a batch."""
        self.size = self.size or len(inputs[0])
        if self.reason or len(inputs[0]) != self.size:
            return self.module(*inputs)
        try:
            return self.call(*inputs)
        except Exception as error:  # compilers raise anything: no toolchain, unsupported operations
            self.reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            warnings.warn(
                f"torch.compile failed, training goes on without it: {self.reason}",
                RuntimeWarning,
                stacklevel=2,
            )
            return self.module(*inputs)
