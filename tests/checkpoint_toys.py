"""A state dict of a narrow VGG-16, and what its reading must give."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tin_lib import networks

State = dict[str, Tensor]


def plain_state() -> State:
    """A sound state dict: that of a narrow VGG-16's conv part."""
    torch.manual_seed(5)
    state = networks.create("vgg16", 3, 0.1, batchnorm=True).features.state_dict()
    return {f"features.{key}": value.clone() for key, value in state.items()}


def check_read(path: Path, plain: State, kind: torch.dtype = torch.float32) -> None:
    """The network and the feature extractor get exactly these weights."""
    network = networks.create("vgg16", 3, 0.1, batchnorm=True, weights=str(path))
    check_same(network.state_dict(), plain, kind)


def check_same(found: State, plain: State, kind: torch.dtype = torch.float32) -> None:
    """Each value is that of ``plain``, rounded to ``kind``."""
    for name, value in plain.items():
        expected = value.to(kind).to(value.dtype) if value.is_floating_point() else value
        assert torch.equal(found[name], expected), name


def check_refused(path: Path, *words: str) -> str:
    """One message that names the file and the reason; returns it."""
    with pytest.raises((ValueError, OSError)) as caught:
        networks.create("vgg16", 3, 0.1, batchnorm=True, weights=str(path))
    text = str(caught.value)
    assert text.startswith(f"weights: {path}"), text
    assert all(word in text for word in words), (words, text)
    return text


def saved(value: Any) -> bytes:
    """What ``torch.save`` writes."""
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()
