"""In which numbers a fit computes, and memory that is kept for it."""

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cut_off import CutOff

from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe
from tin_lib.train import device, fit

CPU = torch.device("cpu")
SMALL = Recipe("vgg_like", epochs=6, lr=0.01, width=0.25, batch_size=16, momentum=0.9).replace(
    network_options={"dropout": 0.0}
)


UNITS = "_is_amx_tile_supported", "_is_avx512_bf16_supported"


def pretend(monkeypatch: pytest.MonkeyPatch, *units: str) -> None:
    """A CPU with these of the UNITS alone."""
    for name in UNITS:
        monkeypatch.setattr(torch.cpu, name, lambda there=name in units: there)


@pytest.mark.parametrize(
    ("units", "expected"), [(UNITS, "bf16"), (UNITS[1:], "bf16"), ((), "float32")]
)
def test_auto_is_bf16_where_the_cpu_is_made_for_it(
    units: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, *units)
    assert device.precision(SMALL, CPU) == expected
    for asked in ("bf16", "float32"):
        assert device.precision(SMALL.replace(precision=asked), CPU) == asked


def test_autocast_follows() -> None:
    for asked, kind in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        with device.autocast(SMALL.replace(precision=asked), CPU):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == kind


def test_bf16_learns_as_float32_and_says_so(tiny: TinyImageNet, tmp_path: Path) -> None:
    for asked in ("bf16", "float32"):
        recipe = SMALL.replace(precision=asked)
        done = fit(recipe, tiny, tmp_path / asked, device="cpu", progress=None)
        assert done.summary["precision"] == done.meta["precision"] == asked
        assert done.summary["val_accuracy"] > 0.9


def test_blocks_are_reused_and_given_back() -> None:
    """In a separate process: page faults of repeated allocations of 40 MB, and of 8 MB."""
    program = """
import resource, torch
from tin_lib.train.device import kept_blocks
def faults(size):
    torch.ones(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def resident():
    return int(open("/proc/self/statm").read().split()[1])
outside, small = faults(10_000_000), faults(2_000_000)
with kept_blocks(torch.device("cpu")) as kept:
    inside, high = faults(10_000_000), resident()
print(kept, outside, inside, high - resident(), small, faults(2_000_000))
"""
    if device.glibc() is None:
        pytest.skip("no glibc here: memory is handled as the system likes")
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    kept, outside, inside, returned, before, after = output.split()
    assert kept == "True"
    assert int(inside) < int(outside) / 10
    assert int(returned) * resource.getpagesize() > 30e6
    assert max(int(before), int(after)) < int(outside) / 10  # no slower than it was


def test_fits_keep_blocks_on_a_cpu(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @contextlib.contextmanager
    def watched(device: torch.device) -> Iterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    monkeypatch.setattr(sys.modules["tin_lib.train.fit"], "kept_blocks", watched)
    fit(SMALL.replace(epochs=1), tiny, tmp_path / "net", device="cpu", progress=None)
    assert seen == ["in", "out"]


def test_a_fit_resumes_in_the_recorded_precision(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun without AMX, cut off, resumed on a CPU that has it: as float32 throughout."""
    pretend(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=CutOff(2))
    pretend(monkeypatch, *UNITS)
    done = fit(SMALL, tiny, tmp_path / "net", device="cpu", progress=None)
    assert done.summary["precision"] == done.meta["precision"] == "float32"
    assert done.recipe["precision"] == "auto"
    recipe = SMALL.replace(precision="float32")
    whole = fit(recipe, tiny, tmp_path / "whole", device="cpu", progress=None)
    assert done.history().train_loss.tolist() == whole.history().train_loss.tolist()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "glibc", lambda: None)
    with device.kept_blocks(CPU) as kept:
        assert not kept
