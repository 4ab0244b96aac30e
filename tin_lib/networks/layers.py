"""Dropout (Srivastava et al., 2014) that draws its mask faster on a CPU."""

import torch
from torch import Tensor, nn

LEVELS = 2**16  # the rate is a multiple of 1 / LEVELS


class Dropout(nn.Dropout):
    """As torch.nn.Dropout, with other masks on a CPU: one random number of 64 bits serves four
    values, where PyTorch draws one for each value, in one thread."""

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape, some of them 0 and the rest divided by 1 - p in training."""
        idle = not self.training or not 0 < self.p < 1
        if idle or values.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(values)
        return values * kept(values, self.p).mul_(1 / (1 - self.p))


def kept(values: Tensor, rate: float) -> Tensor:
    """1 with probability 1 - ``rate``, else 0: of the values' shape, type and order in memory."""
    like = torch.empty_like(values, dtype=torch.int16)  # preserves the strides of dense tensors
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None)  # every 64-bit number alike
    levels = words.view(torch.int16)[: values.numel()].as_strided(like.shape, like.stride())
    threshold = min(round(rate * LEVELS), LEVELS - 1) - LEVELS // 2  # within int16
    return (levels >= threshold).to(values.dtype)
