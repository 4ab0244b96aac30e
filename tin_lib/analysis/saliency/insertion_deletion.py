"""Insertion and deletion (Petsiuk et al., 2018): does the score follow the salient pixels?"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tin_lib.analysis.saliency.methods import CHUNK
from tin_lib.networks.base import evaluation_mode

if TYPE_CHECKING:
    from tin_lib.networks import Network

STEPS = torch.linspace(0, 1, 10)  # shares of the pixels inserted or deleted


def pixel_order(maps: Tensor, seed: int = 0) -> Tensor:
    """Rank of each pixel, 0 the most salient: int64, of the shape (N, H, W) of ``maps``.

    Equal pixels are in random order; by position, the top of a constant map would come first.
    """
    flat = maps.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    shuffle = torch.randperm(flat.shape[1], generator=generator).to(maps.device)
    pixels = shuffle[flat[:, shuffle].argsort(stable=True, dim=1, descending=True)]
    places = torch.arange(flat.shape[1], device=maps.device).expand_as(pixels)
    return torch.empty_like(pixels).scatter_(1, pixels, places).view(maps.shape)


@torch.no_grad()
def insertion_deletion(network: "Network", inputs: Tensor, maps: Tensor) -> dict[str, Tensor]:
    """Probability of each image's predicted class at STEPS: ``insertion``, ``deletion`` (N, 10).

    Pixels are taken in the order of ``maps`` (N, H, W), the most salient first. A pixel that is
    deleted, or not yet inserted, has the mean colour (0 in ``inputs``, normalised (N, 3, H, W)).
    """
    order = pixel_order(maps).to(inputs.device)
    with evaluation_mode(network):
        parts = [
            _both_curves(network, x.to(memory_format=torch.channels_last), places)
            for x, places in zip(inputs.split(CHUNK), order.split(CHUNK), strict=True)
        ]
    found = torch.cat(parts, 2).cpu()
    return {"insertion": found[0].T, "deletion": found[1].T}


def _both_curves(network: "Network", inputs: Tensor, places: Tensor) -> Tensor:
    """Both curves of a batch, (2, STEPS, N)."""
    whole = network(inputs).softmax(1)
    target = whole.argmax(1)
    blank = network(torch.zeros_like(inputs[:1])).softmax(1).expand_as(whole)
    inserted, deleted = [blank], [whole]
    for share in STEPS[1:-1]:
        reached = (places < share * places[0].numel())[:, None]
        inserted.append(network(inputs * reached).softmax(1))
        deleted.append(network(inputs * ~reached).softmax(1))
    both = torch.stack([torch.stack([*inserted, whole]), torch.stack([*deleted, blank])])
    return both[:, :, torch.arange(len(inputs)), target]


def area(curve: Tensor) -> Tensor:
    """Area under each curve (N, STEPS) by the trapezoid rule: (N,), in 0..1."""
    return torch.trapezoid(curve.double(), STEPS.double().to(curve.device), dim=1)
