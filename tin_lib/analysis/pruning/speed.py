"""What pruning saves in time: training steps, inference, and one dense layer, measured.

All arms take turns in every round, so that what else the machine does meets all alike. On a CPU one
thread computes, as in fits in parallel. Figures are one machine's. A ratio's interval is the range
over the rounds: of six rounds it covers the median ratio with a probability of 97 %.
"""

import contextlib
import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from tin_lib.data import TinyImageNet
from tin_lib.networks import Network
from tin_lib.networks.base import evaluation_mode
from tin_lib.recipes import Recipe
from tin_lib.train.device import kept_blocks
from tin_lib.train.distributed import World, choose_device
from tin_lib.train.fit import Trainer

WARM_UP = 3  # updates or batches before the first round
BATCH = 128  # images of a batch in inference


def training_speed(
    recipes: Mapping[str, Recipe],
    data: TinyImageNet,
    *,
    device: str = "auto",
    updates: int = 12,
    rounds: int = 6,
) -> pd.DataFrame:
    """Images per second of training steps, augmentation included, for each recipe by name.

    ``updates``: of each round, at most an epoch. Returns ``speed_table``; the first recipe is the
    reference. No fit's folder is written.
    """
    world = World(choose_device(device))
    with torch.random.fork_rng([world.device] if world.device.type == "cuda" else []):
        trainers = {name: Trainer(recipe, data, world) for name, recipe in recipes.items()}
        with one_thread(), kept_blocks(world.device):
            for trainer in trainers.values():
                trainer.epoch(1, _quiet, WARM_UP)
            rates = [
                {n: t.epoch(1, _quiet, updates)["images_per_second"] for n, t in trainers.items()}
                for _ in range(rounds)
            ]
    return speed_table(pd.DataFrame(rates))


def inference_speed(
    networks: Mapping[str, nn.Module],
    *,
    device: str = "auto",
    batches: int = 2,
    rounds: int = 6,
) -> pd.DataFrame:
    """Images per second of each network in evaluation mode, on ``batches`` batches of 128.

    The images are noise, normalised and on the device already. Returns ``speed_table``; the first
    network is the reference. The networks are moved to the device.
    """
    place = choose_device(device)
    images = torch.randn(BATCH, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(place)
    calls = {name: forward_pass(network.to(place), images) for name, network in networks.items()}
    return take_turns(calls, batches, len(images), rounds, place)


def forward_pass(network: nn.Module, images: Tensor) -> Callable[[], None]:
    """A call that computes the scores of ``images``."""

    def run() -> None:
        with evaluation_mode(network), torch.inference_mode():
            network(images)

    return run


def dense_layer_speed(
    units: int, keeps: list[float], *, batch: int = 1, calls: int = 20, rounds: int = 6
) -> pd.DataFrame:
    """Examples per second of one dense layer of ``units`` inputs and outputs on the CPU.

    Dense, with zeros in the dense matrix, and as sparse matrix (CSR), at each kept share.
    ``batch``: examples of a call. Returns ``speed_table``, the first row the dense layer.
    """
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(units, units, bias=False).requires_grad_(False)
    layer.weight.normal_(generator=generator)
    examples = torch.randn(batch, units, generator=generator)
    layers: dict[str, nn.Module] = {"dense": layer}
    for keep in keeps:
        zeroed = copy.deepcopy(layer)
        zeroed.weight *= torch.rand(units, units, generator=generator) < keep
        layers |= {f"zeros, {100 * keep:g} %": zeroed}
        layers |= {f"sparse matrix, {100 * keep:g} %": SparseLinear(zeroed)}
    passes = {name: forward_pass(each, examples) for name, each in layers.items()}
    return take_turns(passes, calls, batch, rounds, torch.device("cpu"))


class SparseLinear(nn.Module):
    """A dense layer in inference with its weights as a sparse matrix (compressed rows, CSR)."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        dense = layer.weight.detach()
        with warnings.catch_warnings():  # torch calls the format a beta
            warnings.filterwarnings("ignore", message="Sparse CSR", category=UserWarning)
            rows = dense.to_sparse_csr()
            numbers = rows.crow_indices().int(), rows.col_indices().int()  # as MKL takes them
            given = (*numbers, rows.values(), dense.shape)
            sparse = torch.sparse_csr_tensor(*given, check_invariants=True)
        self.register_buffer("weight", sparse)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (N, units) of inputs (N, features)."""
        outputs = (self.weight @ inputs.T).T
        return outputs if self.bias is None else outputs + self.bias


def with_sparse_layers(network: Network) -> Network:
    """A copy for inference whose dense layers compute with sparse matrices (CSR).

    PyTorch has no sparse convolutions: those stay as they are.
    """
    changed = copy.deepcopy(network).requires_grad_(False).eval()
    for part in list(changed.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                setattr(part, name, SparseLinear(child))
    return changed


def take_turns(
    calls: Mapping[str, Callable[[], None]],
    repeats: int,
    items: int,
    rounds: int,
    device: torch.device,
) -> pd.DataFrame:
    """``speed_table`` of calls that each handle ``items``, ``repeats`` in every round."""
    with one_thread():
        for call in calls.values():
            seconds(call, WARM_UP, device)
        rates = [
            {name: repeats * items / seconds(call, repeats, device) for name, call in calls.items()}
            for _ in range(rounds)
        ]
    return speed_table(pd.DataFrame(rates))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Context in which PyTorch computes with one thread on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(call: Callable[[], None], repeats: int, device: torch.device) -> float:
    """Seconds of ``repeats`` calls, until the device has finished."""
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def speed_table(rates: pd.DataFrame) -> pd.DataFrame:
    """One row an arm, of ``rates``: images per second, one row a round, one column an arm.

    Columns: arm, images_per_second (median), ratio (median over the rounds of the arm's rate to the
    first arm's in the same round), low and high (range of the ratios), rounds.
    """
    ratios = rates.div(rates.iloc[:, 0], axis=0)
    found = {"images_per_second": rates.median(), "ratio": ratios.median()}
    table = pd.DataFrame(found | {"low": ratios.min(), "high": ratios.max()})
    return table.assign(rounds=len(rates)).rename_axis("arm").reset_index()


def _quiet(done: int, total: int, loss: float | None) -> None:
    """No progress."""
