"""torch.compile that falls back, saying why."""

import warnings
from typing import Any

import torch
from torch import nn


class Compiled(nn.Module):
    """Calls ``module`` compiled; after a failure of the compiler, as it is.

    ``reason`` says why it fell back, "" while it has not.
    """

    def __init__(self, module: nn.Module, mode: str) -> None:
        super().__init__()
        self.module, self.reason = module, ""
        self.call: Any = torch.compile(module, mode=mode, dynamic=False)

    def forward(self, *inputs: Any) -> Any:
        """As the module's."""
        if self.reason:
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
