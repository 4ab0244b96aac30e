"""Magnitude pruning: the smallest weights become zero (Han, Pool, Tran and Dally, 2015)."""

import pandas as pd
import torch
from torch import Tensor, nn

from tin_lib.networks import Network

SCOPES = ("global", "layer")
TOTAL = "all layers"


@torch.no_grad()
def prune_(network: Network, keep: float, scope: str = "global") -> pd.DataFrame:
    """Set the smallest weights to zero, in place; returns ``weight_table`` of what is left.

    ``keep``: share of the weights that stay, in (0, 1]: round(keep × weights), at least one. Those
    of the largest magnitude over the whole network (``scope="global"``) or in each layer
    (``"layer"``); of equal ones the first. Weights are matrices and filters, without biases and
    normalisations. Zeros of an earlier pruning count as pruned: ``keep`` is always a share of all.
    Raises ValueError for another ``keep`` or ``scope``, and for weights that are not finite.
    """
    check_keep(keep)
    if scope not in SCOPES:
        raise ValueError(f"scope={scope!r}: choose global or layer")
    weights = list(prunable(network).values())
    for group in [weights] if scope == "global" else [[weight] for weight in weights]:
        prune_group_(group, keep)
    return weight_table(network)


def check_keep(keep: float) -> None:
    """Raise ValueError unless ``keep`` is a share in (0, 1]."""
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise ValueError(f"keep={keep!r}: must be a share above 0 and at most 1, for example 0.1")


def prunable(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that pruning may remove, by name: matrices and filters."""
    named = network.named_parameters()
    found = {name: p for name, p in named if p.ndim >= 2 and name.endswith("weight")}
    if not found:
        raise ValueError("the network has no weight matrices or filters to prune")
    return found


def prune_group_(weights: list[nn.Parameter], keep: float) -> None:
    """Keep the largest of all these weights together, set the others to zero."""
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    if not magnitudes.isfinite().all():
        raise ValueError("the network has weights that are not finite; train it again")
    kept = largest(magnitudes, max(1, round(keep * len(magnitudes))))
    for weight, mask in zip(weights, kept.split([w.numel() for w in weights]), strict=True):
        weight.masked_fill_(~mask.view_as(weight), 0.0)


def largest(values: Tensor, count: int) -> Tensor:
    """Mask, bool (N,), of the ``count`` largest of ``values`` (N,); of equal ones the first."""
    threshold, _ = values.kthvalue(len(values) - count + 1)
    mask = values > threshold
    ties = (values == threshold).nonzero().flatten()
    mask[ties[: count - int(mask.sum())]] = True
    return mask


def weight_table(network: Network) -> pd.DataFrame:
    """Weights of each layer (biases and normalisations apart), index ``layer``.

    Columns: weights, kept (those that are not zero), share (kept / weights). The last row, "all
    layers", is their sum. What is no named layer has its parameter's name.
    """
    names = {f"{layer.weight}.weight": name for name, layer in network.layers.items()}
    weights = {names.get(name, name): weight for name, weight in prunable(network).items()}
    found = {name: (w.numel(), int(w.count_nonzero())) for name, w in weights.items()}
    table = pd.DataFrame.from_dict(found, "index", columns=["weights", "kept"])
    table.loc[TOTAL] = table.sum()
    return table.assign(share=table["kept"] / table["weights"]).rename_axis("layer")
