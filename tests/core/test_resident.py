"""Batches of resident images: rendered as one graph, and without waiting for a GPU."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch._dynamo.testing
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from tin_lib import augment
from tin_lib.augment import AugmentSpec
from tin_lib.data import TinyImageNet
from tin_lib.data.types import to_device
from tin_lib.recipes import Recipe
from tin_lib.train import Trainer, step
from tin_lib.train.device import Compiled, renderer
from tin_lib.train.distributed import World
from tin_lib.train.losses import Sums

MODERN = AugmentSpec("modern", shift=4, resized_crop_scale=(0.3, 1.0), jitter=0.3, erase=0.5)
SPECS = [AugmentSpec("none"), AugmentSpec("paper_copies"), AugmentSpec("paper_fresh"), MODERN]
CUDA = torch.device("cuda")


def made(tiny: TinyImageNet, channels_last: bool = True) -> Callable:
    images = to_device(tiny.train, torch.device("cpu"), channels_last).images
    mean, std = (torch.as_tensor(v, dtype=torch.float32) for v in (tiny.mean, tiny.std))
    return renderer(Recipe("vgg_like", 1, 0.1), images, mean, std)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.mode)
def test_one_graph_renders_the_same(
    tiny: TinyImageNet, spec: AugmentSpec, channels_last: bool
) -> None:
    """As it is compiled for a GPU: one graph, whatever the batch holds."""
    module = made(tiny, channels_last)
    plan = augment.Augmenter(spec, len(tiny.train)).epoch(1)
    torch._dynamo.reset()
    graphs = torch._dynamo.testing.CompileCounter()  # runs the graph with PyTorch's own operations
    compiled = torch.compile(module, backend=graphs, fullgraph=True, dynamic=False)
    for rows in (slice(0, 32), slice(32, 64)):
        expected = module(plan[rows])
        found = compiled(plan[rows])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        assert found.stride() == expected.stride()
    assert graphs.frame_count == 1


def pretended() -> FakeTensorMode:
    """Within it tensors may be on a GPU that is not there; asking for one's values fails."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def test_compiled_where_kernel_launches_dominate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **options: module)
    plain, compiling = (Recipe("vgg_like", 1, 0.1, compile=mode) for mode in ("", "default"))
    constants = torch.ones(3), torch.ones(3)
    with pretended():
        here, there = (torch.empty(8, 3, 64, 64, device=name) for name in ("cpu", "cuda"))
    assert isinstance(renderer(compiling, there, *constants), Compiled)
    assert not isinstance(renderer(plain, there, *constants), Compiled)
    assert not isinstance(renderer(compiling, here, *constants), Compiled)


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks start on the pretended GPU; what cannot be pretended is left out."""
    make = step.make_network

    def made_there(recipe: Recipe, num_classes: int) -> torch.nn.Module:
        with CUDA:
            return make(recipe, num_classes)

    monkeypatch.setattr(step, "make_network", made_there)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *args, **options: self)
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: None)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available:UserWarning")
@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor:UserWarning")
@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.mode)
def test_no_part_of_an_update_asks_a_gpu_for_a_value(tiny: TinyImageNet, spec: AugmentSpec) -> None:
    """All of it but backward and the optimizer's kernel, which need a real one."""
    recipe = Recipe(
        "vgg16", 1, 0.1, width=0.05, batch_size=16, penalties="paper", augment=spec, ema=0.9
    ).replace(cutmix=1.0, mixup=0.2, label_smoothing=0.1, weight_decay=0.1, clip=1.0)
    plan = augment.Augmenter(spec, len(tiny.train)).epoch(1)
    rng, sums = np.random.default_rng(0), Sums(torch.device("cpu"))
    with pretended():
        trainer = Trainer(recipe, tiny, World(CUDA))
        plan, sums.totals = plan.to(CUDA), sums.totals.to(CUDA)
        for start in range(0, 64, 16):
            images, target = trainer.render(plan[start : start + 16], rng)
            losses = trainer.objective(images, target)
            for parameter in trainer.network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            sums.add(losses[1], trainer.update(0.1), 16)
        assert images.is_cuda
        assert sums.totals.is_cuda
        with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
            sums.totals.sum().item()  # what would wait does fail
