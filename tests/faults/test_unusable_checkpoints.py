"""Files that are no usable checkpoint: the true reason is told, and no code in them runs."""

import argparse
import contextlib
import gzip
import io
import itertools
import os
import pathlib
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_toys import State, check_read, check_refused, check_same, plain_state, saved
from torch import nn

from tin_lib import networks
from tin_lib.__main__ import main


@pytest.fixture(scope="module")
def plain() -> State:
    """A sound state dict."""
    return plain_state()


class Payload:
    """Makes a file if it is unpickled without restriction."""

    def __init__(self, call: Callable[..., Any], *given: Any) -> None:
        self.call, self.given = call, given

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.given


def test_no_code_in_a_checkpoint_runs(
    plain: State, tmp_path: Path, fault: Callable[..., Any]
) -> None:
    made = tmp_path / "made"
    calls = {
        "os.system": Payload(os.system, f"touch {made}"),
        "exec": Payload(exec, f"open({str(made)!r}, 'w')"),
        "open": Payload(io.open, str(made), "w"),
        "pathlib": Payload(pathlib.Path.touch, made),
        "numpy": Payload(np.savetxt, str(made), [1.0]),
        "numpy method": Payload(np.load, str(made), None, True),
        "argparse": Payload(argparse.FileType("w"), str(made)),
    }
    for (name, call), wrapped in itertools.product(calls.items(), (True, False)):
        with fault("code in a checkpoint", f"{name}, beside the weights: {wrapped}"):
            held = {"state_dict": plain, "extra": call} if wrapped else call
            torch.save(held, path := tmp_path / "evil.pth")
            with contextlib.suppress(ValueError):
                check_read(path, plain)
            path.write_bytes(pickle.dumps(held))
            check_refused(path)
            assert not made.exists()


def test_what_is_no_file_of_weights(
    plain: State, tmp_path: Path, fault: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(plain, sound := tmp_path / "sound.pth")
    content, path = sound.read_bytes(), tmp_path / "odd.pth"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("weights.npy", b"1")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as packed:
        packed.add(sound, "sound.pth")
    odd: dict[str, tuple[bytes, str]] = {
        "empty": (b"", "is empty"),
        "HTML": (b"\n<!DOCTYPE html><html>Sign in</html>", "web page"),
        "XML": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "web page"),
        "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
        "JSON": (b'{\n  "metadata": {}}', "not a file of weights"),
        "gzip": (gzip.compress(content), "gzip"),
        "zip": (archive.getvalue(), "zip archive of something else"),
        "tar": (tar.getvalue(), "not a file of weights"),
        "text": (b"hello there", "not a file of weights"),
        "pickle": (pickle.dumps({"a": 1}), "not a file of weights"),
        "image": (b"\xff\xd8\xff\xe0" + bytes(50), "not a file of weights"),
        "number": (saved(3), "it (int)"),
        "list": (saved([torch.ones(3)]), "it (list)"),
        "optimizer": (
            saved({"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}),
            "param_groups",
        ),
        "one tensor": (saved(torch.ones(3)), "it (Tensor)"),
        "empty dict": (saved({}), "no state dict"),
        "digits": (saved({0: torch.ones(3)}), "0 (Tensor)"),
    }
    for name, (data, word) in odd.items():
        for suffix in (".pth", ".safetensors"):
            with fault("checkpoint of another library", f"{name} as {suffix}"):
                (path := tmp_path / f"odd{suffix}").write_bytes(data)
                check_refused(path, word)
    for tenth in range(1, 10):
        with fault("truncated checkpoint of another library", f"foreign checkpoint {tenth}/10"):
            path.write_bytes(content[: len(content) * tenth // 10])
            check_refused(path, "damaged")
    with fault("checkpoint of another library", "ONNX"):
        (path := tmp_path / "net.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
        check_refused(path, "not a file of weights")
    with (
        fault("checkpoint of another library", "a folder without a fit"),
        pytest.raises(FileNotFoundError, match=r"weights\.safetensors does not exist"),
    ):
        networks.create("vgg16", 3, 0.1, weights=str(tmp_path))
    with fault("checkpoint of another library", "a pipe"):
        os.mkfifo(path := tmp_path / "pipe")
        check_refused(path, "regular file")
    with fault("checkpoint of another library", "told on the command line"):
        (path := tmp_path / "page.pth").write_bytes(odd["HTML"][0])
        given = ["--recipe", "quick", "--set", f"weights={path}", "--out", str(tmp_path / "fit")]
        assert main(["train", "vgg16", *given]) == 2
        assert capsys.readouterr().err.startswith(f"tin: weights: {path} is a web page")


class Whole(nn.Module):
    """A network as a script saves it whole."""

    def __init__(self) -> None:
        super().__init__()
        self.features = networks.create("vgg16", 3, 0.1, batchnorm=True).features


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_the_advice_how_to_convert_works(
    tmp_path: Path, fault: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = Whole()
    plain, path = whole.state_dict(), tmp_path / "whole.pth"
    forms = {
        "whole module": whole,
        "module under model": {"model": whole, "epoch": 3},
        "object beside": {"state_dict": plain, "config": Fraction(1, 3)},
        "state dict in a class": {"model": plain, "half": Fraction(1, 3)},
    }
    for name, held in forms.items():
        with fault("advice for converting a checkpoint", f"convert: {name}"):
            torch.save(held, path)
            exec(check_refused(path, "may run any code").partition("\n")[2], {})
            check_read(tmp_path / "state.pth", plain)
    with fault("advice for converting a checkpoint", "convert: TorchScript"):
        torch.jit.script(whole.features).save(str(path))
        exec("import torch; " + check_refused(path, "TorchScript").partition("dict: ")[2], {})
        state = torch.load("state.pth", weights_only=True)
        check_same({f"features.{k}": v for k, v in state.items()}, plain)


def test_weights_that_do_not_fit_are_named(
    plain: State, tmp_path: Path, fault: Callable[..., Any]
) -> None:
    first, path = "features.0.weight", tmp_path / "peer.pth"
    shape = tuple(plain[first].shape)
    odd: dict[str, tuple[dict[str, Any], str]] = {
        "missing": ({k: v for k, v in plain.items() if k != first}, f"it lacks {first} (1 of"),
        "extra": (plain | {"features.99.weight": torch.ones(3)}, "it has features.99.weight (1 "),
        "shape": (plain | {first: torch.ones(2, 3)}, f"{first} is (2, 3), must be {shape}"),
        "NaN": (plain | {first: torch.full(shape, float("nan"))}, f"{first} holds NaN"),
        "infinity": (
            plain | {first: torch.full(shape, -np.inf)},
            f"{first} holds NaN or inf",
        ),
        "integers": (plain | {first: torch.ones(shape, dtype=torch.int8)}, "holds torch.int8"),
        "complex": (
            plain | {first: torch.ones(shape) * 1j},
            "holds torch.complex",
        ),
        "sparse": (plain | {first: torch.ones(shape).to_sparse()}, f"{first} is no plain tensor"),
        "text": (plain | {first: "a"}, f"{first} is no plain tensor"),
        "other network": ({"conv1.weight": torch.ones(3)}, "it lacks features.0.weight"),
    }
    for name, (state, word) in odd.items():
        with fault("checkpoint of another library", f"{name} weights"):
            torch.save({"state_dict": state}, path)
            check_refused(path, "does not fit", word)
    counters = {k: v for k, v in plain.items() if "num_batches" not in k}
    for held in (counters, OrderedDict(counters)):
        with fault("checkpoint of another library", "BatchNorm without counters"):
            vars(held).update(_metadata={"": {"version": 2}}) if held is not counters else None
            torch.save(held, path)
            check_read(path, counters)
