"""Checkpoints as peers write them: exactly their weights are read."""

import argparse
import itertools
import pathlib
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_toys import State, check_read, check_refused, check_same, plain_state
from safetensors.torch import save_file
from torch import nn

from tin_lib import networks
from tin_lib.analysis.features.pretrained import load_file_

WRAPPERS = (
    "state_dict",
    "model",
    "model_state_dict",
    "net",
    "weights",
    "ema",
    "model_ema",
    "other",
)
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.")
SUFFIXES = (".pth", ".pt", ".ckpt", ".pth.tar", ".bin", ".t7", "", ".safetensors", ".h5", ".zip")
EXTRAS: dict[str, Any] = {
    "numpy scalar": np.float64(55.2),
    "numpy float32": np.float32(55.2),
    "numpy array": np.arange(6.0).reshape(2, 3),
    "numpy bool": np.bool_(True),
    "numpy text": np.array(["a", "b"]),
    "numpy objects": np.array([None, {}], dtype=object),
    "random state": np.random.RandomState(0).get_state(),
    "arguments": argparse.Namespace(lr=0.1, nested=argparse.Namespace(path=pathlib.Path("a"))),
    "namespace": types.SimpleNamespace(lr=0.1),
    "path": pathlib.PurePosixPath("a/b"),
    "set": {1, 2},
    "bytes": b"abc",
    "None": None,
    "tensor": torch.tensor(3.0),
    "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
}


@pytest.fixture(scope="module")
def plain() -> State:
    """A sound state dict."""
    return plain_state()


def test_keys_around_the_state_dict(
    plain: State, tmp_path: Path, fault: Callable[..., Any]
) -> None:
    path, kind = tmp_path / "peer.pth", "checkpoint of another library"
    for outer, inner in itertools.product(WRAPPERS, (*WRAPPERS[:5], "")):
        with fault(kind, f"under {outer} {inner}"):
            torch.save({outer: {inner: plain} if inner else plain, "epoch": 3}, path)
            check_read(path, plain)
    other = {name: torch.zeros_like(value) for name, value in plain.items()}
    for wanted, ignored in (("model", "ema"), ("state_dict", "teacher"), ("net", "discriminator")):
        with fault(kind, f"{wanted} beside {ignored}"):
            torch.save({ignored: other, wanted: plain}, path)
            check_read(path, plain)
    with fault(kind, "two networks of which none is known to be meant"):
        torch.save({"student": plain, "teacher": other}, path)
        check_refused(path, "several state dicts")


def test_prefixes_of_names(plain: State, tmp_path: Path, fault: Callable[..., Any]) -> None:
    path = tmp_path / "peer.pth"
    pairs = ["".join(each) for each in itertools.permutations(PREFIXES, 2)]
    for prefix in (*PREFIXES, *pairs, "model.module._orig_mod."):
        with fault("checkpoint of another library", f"prefix {prefix}"):
            torch.save({"state_dict": {prefix + k: v for k, v in plain.items()}}, path)
            check_read(path, plain)
    own = nn.Sequential(OrderedDict(model=nn.Sequential(OrderedDict(net=nn.Conv2d(3, 4, 1)))))
    with fault("checkpoint of another library", "names that begin with such a prefix themselves"):
        state = {k: v + 1 for k, v in own.state_dict().items()}
        for prefix in ("", "module.", "model."):
            torch.save({prefix + k: v for k, v in state.items()}, path)
            load_file_(own, path, "own")
            check_same(own.state_dict(), state)


def test_suffixes_and_formats(plain: State, tmp_path: Path, fault: Callable[..., Any]) -> None:
    savers: dict[str, Callable[[Path], None]] = {
        "zip": lambda path: torch.save(plain, path),
        "legacy": lambda path: torch.save(plain, path, _use_new_zipfile_serialization=False),
        "safetensors": lambda path: save_file(plain, path),
        "ordered": lambda path: torch.save(OrderedDict(plain), path),
        "parameters": lambda path: torch.save(parameters(plain), path),
    }
    for (form, save), suffix in itertools.product(savers.items(), SUFFIXES):
        with fault("checkpoint of another library", f"{form} as {suffix or 'no suffix'}"):
            save(path := tmp_path / f"peer-{form}{suffix}")
            check_read(path, plain)
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        with fault("checkpoint of another library", f"{kind}"):
            halves = {k: v.to(kind) if v.is_floating_point() else v for k, v in plain.items()}
            torch.save(halves, path := tmp_path / "half.pth")
            check_read(path, plain, kind)


def parameters(plain: State) -> dict[str, nn.Parameter]:
    return {k: nn.Parameter(v, requires_grad=v.is_floating_point()) for k, v in plain.items()}


def test_objects_beside_the_weights(
    plain: State, tmp_path: Path, fault: Callable[..., Any]
) -> None:
    path = tmp_path / "peer.pth"
    for (name, value), zipped in itertools.product(EXTRAS.items(), (True, False)):
        with fault("checkpoint of another library", f"{name} beside the weights, zipped={zipped}"):
            held = {"state_dict": plain, "extra": value}
            torch.save(held, path, _use_new_zipfile_serialization=zipped)
            check_read(path, plain)
    with fault("checkpoint of another library", "counts beside the weights in the state dict"):
        torch.save({"epoch": 3, "accuracy": 0.4} | plain, path)
        check_read(path, plain)
    with fault("checkpoint of another library", "NumPy arrays for weights"):
        torch.save({k: v.numpy() for k, v in plain.items()}, path)
        check_refused(path, "no state dict of tensors", "features.0.weight (numpy")


def test_own_files_of_other_networks(
    plain: State, tmp_path: Path, fault: Callable[..., Any]
) -> None:
    for suffix in (".safetensors", ".pth", ".bin"):
        with fault("checkpoint of another library", f"own weights of another network as {suffix}"):
            networks.save(networks.create("alexnet", 3, 0.1), path := tmp_path / f"own{suffix}")
            check_refused(path, "holds alexnet at width 0.1")
            with pytest.raises(ValueError, match="give its folder as network"):
                load_file_(nn.Linear(2, 2), path, "linear")
    with fault(
        "checkpoint of another library", "own weights of other classes under another suffix"
    ):
        other = networks.create("vgg16", 7, 0.1, batchnorm=True)
        networks.save(other, path := tmp_path / "seven.pt")
        check_read(path, other.features.state_dict(prefix="features."))
