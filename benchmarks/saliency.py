"""Saliency maps per second, and the latency of one image's maps.

    python benchmarks/saliency.py [--networks ...] [--methods ...] [--batches 1 8 32]
        [--device cpu|cuda] [--width 1] [--rounds 3] [--work 300] [--images 30]

Random weights, 200 classes: the time does not depend on what was learnt. Measured alternately, for
each network:
  every method of tin_lib.analysis.saliency at every batch size that costs at most --work
  evaluations of the network, or else at the smallest (occlusion takes 196 evaluations per image)
  bare    the limit of `gradient`: forward, and backward to the image, for a known class; no
          gradients of parameters, channels last
  captum  its Saliency on the unchanged network, for the class that it predicts in a forward pass
`gradient` also predicts the class: one forward pass more than bare. Last, the time from one uint8
image to its three displayed views by gradient saliency, for all networks together. Mark: a median
under 150 ms for the four full-width networks on 2 cores.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable

from _common import Rate, Work, by_turns, finish, table, timed, wait  # isort: split

import torch
from torch import Tensor

from tin_lib import augment, networks
from tin_lib.analysis import saliency
from tin_lib.networks import Network

NETWORKS = ("convnet9", "vgg_like", "vgg16", "alexnet")
# Evaluations of the network an image, forward alone or with backward.
COSTS = {"smoothgrad": 16, "integrated_gradients": 32, "occlusion": 196}
Row = dict[str, object]


def bare(network: Network, images: Tensor, target: Tensor) -> Tensor:
    """The gradient and nothing else."""
    images = images.to(memory_format=torch.channels_last).requires_grad_(True)
    scores = network(images).gather(1, target[:, None]).sum()
    return torch.autograd.grad(scores, images)[0]


def captum_saliency(network: Network, images: Tensor) -> Tensor:
    """A peer's gradient of the predicted class."""
    from captum.attr import Saliency

    with torch.no_grad():
        target = network(images).argmax(1)
    return Saliency(network).attribute(images.requires_grad_(True), target=target, abs=False)


def contenders(
    network: Network, methods: list[str], batches: list[int], work: int, device: str
) -> dict[tuple[str, int], Work]:
    """What is measured of one network, by name and batch size."""
    found: dict[tuple[str, int], Work] = {}
    for method in methods:
        allowed = [b for b in batches if b * COSTS.get(method, 1) <= work] or [min(batches)]
        for batch in allowed:
            explain = functools.partial(saliency.explain, network, method=method)
            found[method, batch] = job(explain, batch, device)
    for batch in batches if "gradient" in methods else []:
        target = torch.zeros(batch, dtype=torch.int64, device=device)
        frozen = copy_without_gradients(network)
        found["bare", batch] = job(functools.partial(bare, frozen, target=target), batch, device)
        found["captum", batch] = job(functools.partial(captum_saliency, network), batch, device)
    return found


def copy_without_gradients(network: Network) -> Network:
    """The same weights, none of which requires a gradient."""
    made = networks.create(network.name, network.num_classes, network.width)
    made.load_state_dict(network.state_dict())
    return made.to(next(network.parameters()).device).eval().requires_grad_(False)


def job(explain: Callable[[Tensor], Tensor], batch: int, device: str) -> Work:
    """Explain one batch."""
    images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)

    def work() -> int:
        return len(explain(images.clone()))

    return timed(work, device)


def rows_of(name: str, rates: dict[tuple[str, int], Rate]) -> list[Row]:
    """The table's part of one network."""
    return [
        {
            "network": name,
            "method": method,
            "batch": batch,
            "maps/s": f"{rate.median:.1f}",
            "± %": f"{100 * rate.spread:.0f}",
            "ms a map": f"{1000 / rate.median:.1f}",
        }
        for (method, batch), rate in rates.items()
    ]


def latency(nets: list[Network], images: int, device: str) -> list[float]:
    """Seconds from each of some uint8 images to the three views of every network's gradient."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images + 3, 1, 3, 64, 64), generator=generator, dtype=torch.uint8)
    mean, std = torch.full((3,), 120.0), torch.full((3,), 70.0)
    seconds = []
    for image in pixels:
        wait(device)
        start = time.perf_counter()
        inputs = augment.normalise(image, mean, std).to(device)
        for network in nets:
            maps = saliency.explain(network, inputs)
            for view in saliency.VIEWS.values():
                saliency.to_uint8(view(maps))
        seconds.append(time.perf_counter() - start)
    return seconds[3:]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=networks.names())
    parser.add_argument(
        "--methods", nargs="+", default=list(saliency.METHODS), choices=list(saliency.METHODS)
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=int, default=300, help="evaluations for one measurement")
    parser.add_argument("--images", type=int, default=30, help="images of the latency")
    return parser.parse_args()


def main() -> None:
    args = parse()
    made = [networks.create(name, 200, args.width) for name in args.networks]
    nets = [network.to(args.device).eval() for network in made]
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for network in nets:
        jobs = contenders(network, args.methods, args.batches, args.work, args.device)
        rates = by_turns({f"{m} {b}": work for (m, b), work in jobs.items()}, args.rounds)
        named = dict(zip(jobs, rates.values(), strict=True))
        rows += rows_of(network.name, named)
        for peer in ("bare", "captum") if "gradient" in args.methods else ():
            for batch in args.batches:
                ratio = named["gradient", batch].median / named[peer, batch].median
                ratios[f"{network.name} gradient/{peer}, batch {batch}"] = ratio
    print(table(rows))
    waited = [1000 * s for s in latency(nets, args.images, args.device)]
    middle, ninth = statistics.median(waited), sorted(waited)[int(0.9 * len(waited))]
    print(f"\nOne image, {len(nets)} networks, gradient, three views: median {middle:.0f} ms,")
    print(f"90th percentile {ninth:.0f} ms, of {len(waited)} images.\n")
    about = {"latency_ms": round(middle, 1), "width": args.width, "seed": 0}
    finish("saliency", ratios, args.device, **about)


if __name__ == "__main__":
    main()
