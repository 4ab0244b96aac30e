"""State dicts in files of other programs. No code in a file is ever run."""

import contextlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

# Keys under which training scripts save a state dict; the first that is there counts.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "ema")
# Modules whose objects they save beside it. Such an object is read as a ``StandIn``.
BESIDE = ("numpy.", "argparse.", "pathlib.", "omegaconf.", "typing.", "types.SimpleNamespace")
KINDS = {  # how files of other kinds begin
    b"version https://git-lfs": "is a pointer of Git LFS: run `git lfs pull` where it comes from",
    b"<": "is a web page (HTML) in place of the file: download it again",
    b"\x89HDF": "is an HDF5 file, as Keras writes, not of PyTorch: export its weights to PyTorch",
    b"\x1f\x8b": "is compressed (gzip): unpack it first",
}
CONVERT = """. Where you trust it, make state.pth of it:
import torch; held = torch.load({path!r}, map_location="cpu", weights_only=False)
held = held.get("state_dict", held.get("model", held)) if isinstance(held, dict) else held
torch.save(getattr(held, "state_dict", lambda: held)(), "state.pth")"""


class StandIn:
    """Takes the place of an object of a harmless class in a pickle, and keeps nothing of it."""

    def __init__(self, *given: Any) -> None: ...

    __setstate__ = __init__


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of ``torch.save`` or safetensors, whatever its suffix. ValueError,
    naming the file, tells what it is instead."""
    if not path.is_file():
        wrong = "is not a regular file: copy it to one" if path.exists() else "does not exist"
        raise FileNotFoundError(f"weights: {path} {wrong}")
    try:
        state = loaded(path)
    except Exception as error:  # torch raises many kinds for damaged and for hostile files
        told = other_kind(path) or f"is damaged or not a file of weights ({type(error).__name__})"
        if found := re.search(r"GLOBAL (\S+) (was|whose)", str(error)):
            told = f"holds {found[1]}, which may run any code when it is unpickled"
            told += CONVERT.format(path=str(path)) if found[2] == "was" else ""
        raise ValueError(f"weights: {path} {told}") from None
    return unwrapped(state, path)


def loaded(path: Path) -> Any:
    """What safetensors or ``torch.save`` wrote, with a ``StandIn`` for each object of the modules
    ``BESIDE``."""
    with contextlib.suppress(SafetensorError):
        return load_file(path)
    beside: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = []
    while True:
        try:
            with (
                open(path, "rb") as file,  # of a path torch would look at the suffix
                warnings.catch_warnings(action="ignore"),  # of old formats
                torch.serialization.safe_globals(beside),
            ):
                return torch.load(file, "cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            found = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
            if found is None or not found[1].startswith(BESIDE):
                raise
            beside.append((type(found[1], (StandIn,), {}), found[1]))


def other_kind(path: Path) -> str:
    """What an unreadable file is instead of weights, and what to do; "" if that is not known."""
    with open(path, "rb") as file:
        head = file.read(300).lstrip()
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        names = {name.rpartition("/")[2] for name in zipfile.ZipFile(path).namelist()}
        if "constants.pkl" in names:
            save = f"torch.save(torch.jit.load({str(path)!r}).state_dict(), 'state.pth')"
            return f"is a TorchScript archive; save its state dict: {save}"
        return "" if "data.pkl" in names else "is a zip archive of something else: unpack it"
    told = next((text for start, text in KINDS.items() if head.startswith(start)), "")
    return told if head else "is empty: fetch or copy it again"


def unwrapped(state: Any, path: Path) -> dict[str, Tensor]:
    """The state dict itself, found under keys of dicts in any depth."""
    found = sorted(candidates(state), key=lambda each: each[0])
    if not found:
        items = state.items() if isinstance(state, dict) else [("it", state)]
        holds = ", ".join(f"{name} ({type(value).__name__})" for name, value in items)
        raise ValueError(f"weights: {path} holds no state dict of tensors; it holds {holds[:300]}")
    if len(found) > 1 and found[0][0] == found[1][0]:
        raise ValueError(f"weights: {path} holds several state dicts; save the network's alone")
    return found[0][1]


def candidates(state: Any, ranks: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], dict]]:
    """The state dicts in nested dicts, each with its keys' places among the ``WRAPPERS``."""
    if not isinstance(state, dict) or len(ranks) > 4:
        return
    if any(isinstance(value, Tensor) and "." in str(key) for key, value in state.items()):
        yield ranks, {str(k): v for k, v in state.items() if isinstance(v, Tensor) or "." in str(k)}
        return
    for key, value in state.items():
        rank = WRAPPERS.index(key) if key in WRAPPERS else len(WRAPPERS)
        yield from candidates(value, (*ranks, rank))


def aligned(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without first parts that all of its names share (``module.``), as many as give
    the most of the names ``wanted``."""
    options = [state]
    while len(first := {k.partition(".")[:2] for k in options[-1]}) == 1 and first.pop()[1]:
        options.append({k.partition(".")[2]: value for k, value in options[-1].items()})
    return max(options, key=lambda option: len(option.keys() & wanted.keys()))


def misfit(state: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> str:
    """What keeps a state dict from being that of ``wanted``, with names; "" if nothing does."""
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    others = [k for k in state if k not in wanted]
    wrong = [f"{k} {odd}" for k in wanted if k in state if (odd := unlike(state[k], wanted[k]))][:1]
    if missing:
        wrong += [f"it lacks {', '.join(missing[:3])} ({len(missing)} of {len(wanted)} tensors)"]
    if others:
        wrong += [f"it has {', '.join(others[:3])} ({len(others)} unknown)"]
    return "; ".join(wrong)


def unlike(value: Any, wanted: Tensor) -> str:
    """What keeps a value from being copied into the tensor ``wanted``."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
        return "is no plain tensor"
    if value.shape != wanted.shape:
        return f"is {tuple(value.shape)}, must be {tuple(wanted.shape)}"
    if value.is_complex() or value.is_floating_point() < wanted.is_floating_point():
        return f"holds {value.dtype}, must hold floating-point numbers"
    return "" if value.double().isfinite().all() else "holds NaN or infinity"
