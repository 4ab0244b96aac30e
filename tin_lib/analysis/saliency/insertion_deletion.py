"""Insertion and deletion (Petsiuk et al., 2018): does the score follow the salient pixels?"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tin_lib.analysis.saliency.methods import CHUNK, explaining

if TYPE_CHECKING:
    from tin_lib.networks import Network

SHARES = torch.linspace(0, 1, 10)  # of the pixels inserted or deleted


def pixel_order(maps: Tensor, seed: int = 0) -> Tensor:
    """Place of each pixel from the most salient (0) on: int64, of the shape (N, H, W) of ``maps``.

    Equal pixels follow in a random order; by position, the top of an empty map would go first.
    """
    flat = maps.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    shuffle = torch.randperm(flat.shape[1], generator=generator).to(maps.device)
    pixels = shuffle[flat[:, shuffle].argsort(stable=True, dim=1, descending=True)]
    places = torch.arange(flat.shape[1], device=maps.device).expand_as(pixels)
    return torch.empty_like(pixels).scatter_(1, pixels, places).view(maps.shape)


@torch.no_grad()
def curves(network: "Network", inputs: Tensor, maps: Tensor) -> dict[str, Tensor]:
    """Probability of each image's winning class along SHARES: ``insertion``, ``deletion`` (N, 10).

    Pixels go in the order of ``maps`` (N, H, W), the most salient first. A deleted pixel, or one
    not yet inserted, has the mean colour (0 in the normalised ``inputs`` (N, 3, H, W)).
    """
    order = pixel_order(maps).to(inputs.device)
    with explaining(network):
        parts = [
            _curves(network, x.to(memory_format=torch.channels_last), places)
            for x, places in zip(inputs.split(CHUNK), order.split(CHUNK), strict=True)
        ]
    found = torch.cat(parts, 2).cpu()
    return {"insertion": found[0].T, "deletion": found[1].T}


def _curves(network: "Network", inputs: Tensor, places: Tensor) -> Tensor:
    """Both curves of a batch, (2, SHARES, N)."""
    whole = network(inputs).softmax(1)
    target = whole.argmax(1)
    blank = network(torch.zeros_like(inputs[:1])).softmax(1).expand_as(whole)
    inserted, deleted = [blank], [whole]
    for share in SHARES[1:-1]:
        reached = (places < share * places[0].numel())[:, None]
        inserted.append(network(inputs * reached).softmax(1))
        deleted.append(network(inputs * ~reached).softmax(1))
    both = torch.stack([torch.stack([*inserted, whole]), torch.stack([*deleted, blank])])
    return both[:, :, torch.arange(len(inputs)), target]


def area(curve: Tensor) -> Tensor:
    """Area under each curve (N, SHARES) by the trapezoid rule: (N,), in 0..1."""
    return torch.trapezoid(curve.double(), SHARES.double().to(curve.device), dim=1)
