"""In which numbers a fit computes, and memory that is kept for it."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import blocks, fit, precision

CPU = torch.device("cpu")
SMALL = Recipe("vgg_like", epochs=6, lr=0.01, width=0.25, batch_size=16, momentum=0.9).replace(
    network_options={"dropout": 0.0}
)


@pytest.mark.parametrize(("amx", "expected"), [(True, "bf16"), (False, "float32")])
def test_auto_is_bf16_where_the_cpu_is_made_for_it(
    amx: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert precision.precision(SMALL, CPU) == expected
    for asked in ("bf16", "float32"):
        assert precision.precision(SMALL.replace(precision=asked), CPU) == asked


def test_autocast_follows() -> None:
    for asked, kind in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        with precision.autocast(SMALL.replace(precision=asked), CPU):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind


def test_bf16_learns_as_float32_and_says_so(tiny: TinyImageNet, tmp_path: Path) -> None:
    for asked in ("bf16", "float32"):
        recipe = SMALL.replace(precision=asked)
        done = fit(recipe, tiny, tmp_path / asked, device="cpu", progress=None)
        assert done.summary["precision"] == done.meta["precision"] == asked
        assert done.summary["val_accuracy"] > 0.9


def test_blocks_are_reused_and_given_back() -> None:
    """In a process of its own: page faults of 40 MB asked for again and again."""
    program = """
import resource, torch
from tin_lib.train.blocks import kept_blocks
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def resident():
    return int(open("/proc/self/statm").read().split()[1])
torch.ones(10)
outside = faults()
with kept_blocks() as kept:
    faults()
    inside, high = faults(), resident()
print(kept, outside, inside, high - resident())
"""
    if blocks.glibc() is None:
        pytest.skip("no glibc here: memory is handled as the system likes")
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    kept, outside, inside, returned = ran.stdout.split()
    assert kept == "True"
    assert int(inside) < int(outside) / 10
    assert int(returned) * resource.getpagesize() > 30e6


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "glibc", lambda: None)
    with blocks.kept_blocks() as kept:
        assert not kept
