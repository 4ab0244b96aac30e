"""Layers that drop at random in training: dropout and DropConnect."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16  # a rate on a CPU is a multiple of 1 / LEVELS
Per = Literal["example", "batch"]


def drop(values: Tensor, p: float) -> Tensor:
    """``values`` of any shape, each zero with probability ``p``, the rest divided by 1 - p. On a
    CPU one random number of 64 bits serves four values, where PyTorch draws one for each."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(values, p)
    like = torch.empty_like(values, dtype=torch.int16)  # preserves the strides of dense tensors
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None)  # every 64-bit number alike
    levels = words.view(torch.int16)[: values.numel()].as_strided(like.shape, like.stride())
    threshold = min(round(p * LEVELS), LEVELS - 1) - LEVELS // 2  # within int16
    return values * (levels >= threshold).to(values.dtype).mul_(1 / (1 - p))


class Dropout(nn.Dropout):
    """As torch.nn.Dropout (Srivastava et al., 2014), with other masks on a CPU, drawn faster."""

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape, some of them 0 and the rest divided by 1 - p in training."""
        if self.training and 0 < self.p < 1:
            return drop(values, self.p)
        return super().forward(values)


def dropout(rate: float, factor: float = 1.0) -> nn.Dropout:
    """Dropout at ``factor`` times the published rate, at most 0.95."""
    return Dropout(min(rate * factor, 0.95))


class DropConnect(nn.Module):
    """What ``DropConnectLinear`` and ``DropConnectConv2d`` share (Wan et al., 2013).

    In training each weight and each bias is zero with probability ``p``, else divided by 1 - p, so
    that evaluation with all of them gives the mean over the masks. (The paper multiplies by 1 - p
    in evaluation instead: the same network, at 1 - p times these weights.) ``per`` "example", as in
    the paper: a mask for each, for which the weights are copied as often; "batch": one mask for
    all, at hardly any cost. State dicts are those of the plain layer. ValueError for p outside
    [0, 1). ``tin_lib.analysis.moments`` evaluates by the moments over the masks.
    """

    weight: Tensor
    bias: Any  # a Tensor
    shared: Callable[..., Tensor]  # of inputs, weights and biases: the same for all examples
    single: Callable[..., Tensor]  # the same with a first dimension of examples

    def __init__(self, *sizes: int, p: float = 0.5, per: Per = "example") -> None:
        super().__init__(*sizes)
        if not 0 <= p < 1:
            raise ValueError(f"p={p}: must lie in [0, 1)")
        if per not in get_args(Per):
            raise ValueError(f"per={per!r}: choose {' or '.join(get_args(Per))}")
        self.p, self.per = p, per

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for a batch, which is the first dimension of ``x``."""
        if not self.training or not self.p:
            return self.shared(x, self.weight, self.bias)
        copies = (len(x),) if self.per == "example" else ()
        weight, bias = (each.expand(*copies, *each.shape) for each in (self.weight, self.bias))
        apply = self.single if copies else self.shared
        return apply(x, drop(weight, self.p), drop(bias, self.p))


class DropConnectLinear(DropConnect, nn.Linear):
    """A dense layer with DropConnect, (N, …, inputs) → (N, …, outputs); sizes: inputs, outputs."""

    shared = staticmethod(F.linear)

    def single(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1, self.in_features)
        return torch.baddbmm(bias[:, None], rows, weight.mT).reshape(*x.shape[:-1], -1)


class DropConnectConv2d(DropConnect, nn.Conv2d):
    """A convolution with DropConnect, (N, C, H, W) → (N, K, H', W'); sizes: C, K, kernel, stride,
    padding."""

    shared = nn.Conv2d._conv_forward

    def single(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        joined = x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), bias.flatten()
        y = F.conv2d(*joined, self.stride, self.padding, groups=len(x))  # a group an example
        return y.reshape(len(x), -1, *y.shape[2:])
