"""Files of a finished fit, truncated or with one byte changed: never a wrong number."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from forked import in_child

from tin_lib import files, runs, train
from tin_lib.data import TinyImageNet
from tin_lib.recipes import Recipe

READERS: dict[str, Callable[[runs.Fit], Any]] = {
    "weights.safetensors": lambda fit: fit.network().state_dict(),
    "predictions_val.csv": lambda fit: fit.predictions("val"),
    "predictions_train.csv": lambda fit: fit.predictions("train"),
    "logits_val.npy": lambda fit: np.array(fit.logits("val")),
    "history.jsonl": lambda fit: fit.history(),
}
JSON = ("meta.json", "recipe.json", "summary.json")


@pytest.fixture(scope="module")
def fit(tiny: TinyImageNet, tmp_path_factory: pytest.TempPathFactory) -> runs.Fit:
    recipe = Recipe("vgg_like", epochs=2, lr=0.01, width=0.1)
    return train.fit(recipe, tiny, tmp_path_factory.mktemp("fit") / "net", device="cpu")


def damaged(fit: runs.Fit, folder: Path, name: str, change: Callable[[bytes], bytes]) -> runs.Fit:
    """A copy of the fit in which the file is changed."""
    shutil.copytree(fit.path, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(change(content))
    return runs.open_fit(folder)


def flipped(content: bytes, place: float) -> bytes:
    position = min(int(place * len(content)), len(content) - 1)
    return content[:position] + bytes([content[position] ^ 0x04]) + content[position + 1 :]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("tenth", range(10))
def test_a_cut_file(name: str, tenth: int, fit: runs.Fit, tmp_path: Path, fault: Callable) -> None:
    with fault("truncated file of a fit", f"{name} at {tenth}/10"):
        cut = damaged(fit, tmp_path / "net", name, lambda c: c[: len(c) * tenth // 10])
        with pytest.raises(ValueError, match=name) as caught:
            READERS[name](cut)
        assert str(cut.path / name) in str(caught.value)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_a_flipped_bit(
    name: str, place: float, fit: runs.Fit, tmp_path: Path, fault: Callable
) -> None:
    with fault("flipped bit in a fit", f"{name} at {place:.0%}"):
        changed = damaged(fit, tmp_path / "net", name, lambda c: flipped(c, place))
        with pytest.raises(ValueError, match=name) as caught:
            READERS[name](changed)
        assert str(changed.path / name) in str(caught.value)


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("tenth", range(10))
def test_cut_json(name: str, tenth: int, fit: runs.Fit, tmp_path: Path, fault: Callable) -> None:
    with fault("truncated file of a fit", f"{name} at {tenth}/10"):
        cut = damaged(fit, tmp_path / "net", name, lambda c: c[: len(c) * tenth // 10])
        with pytest.raises(ValueError, match=name):
            getattr(cut, name.removesuffix(".json"))


@pytest.mark.parametrize("tenth", range(10))
def test_a_cut_checkpoint(tenth: int, tiny: TinyImageNet, tmp_path: Path, fault: Callable) -> None:
    from cut_off import CutOff

    recipe, folder = Recipe("vgg_like", epochs=3, lr=0.01, width=0.1), tmp_path / "net"
    with pytest.raises(KeyboardInterrupt):
        train.fit(recipe, tiny, folder, device="cpu", progress=CutOff(1))
    path = folder / "checkpoint.pt"
    content = path.read_bytes()
    with fault("truncated file of a fit", f"checkpoint.pt at {tenth}/10"):
        path.write_bytes(content[: len(content) * tenth // 10])
        with pytest.raises(ValueError, match=r"not a usable checkpoint.*delete it"):
            train.fit(recipe, tiny, folder, device="cpu", progress=None)
        path.unlink()  # the advice
        made = train.fit(recipe, tiny, folder, device="cpu", progress=None)
        assert made.summary["epochs"] == 3


def test_cut_after_it_was_read(fit: runs.Fit, tmp_path: Path, fault: Callable) -> None:
    """What was read is in memory: nothing of it is read from the file afterwards."""
    folder = tmp_path / "net"
    shutil.copytree(fit.path, folder)
    images = torch.zeros(2, 3, 64, 64)
    scores, logits = fit.network()(images), fit.logits("val").copy()

    def read() -> None:
        opened = runs.open_fit(folder)
        network, rows = opened.network(), opened.logits("val")
        for name in READERS:
            (folder / name).write_bytes(b"")
        np.testing.assert_array_equal(rows, logits)
        torch.testing.assert_close(network(images), scores)

    with fault("truncated while open", "weights and logits"):
        in_child(read)


def test_a_file_is_hashed_once(
    fit: runs.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    digest = files.file_digest
    monkeypatch.setattr(
        files, "file_digest", lambda path: (hashed.append(path.name), digest(path))[1]
    )
    changed = damaged(fit, tmp_path / "net", "logits_val.npy", lambda content: content)
    for _ in range(3):
        for read in READERS.values():
            read(changed)
        assert changed.digest
    assert sorted(hashed) == sorted(READERS)
    (changed.path / "logits_val.npy").write_bytes(b"another")
    with pytest.raises(ValueError, match=r"logits_val\.npy"):
        changed.logits("val")
    content = (fit.path / "logits_val.npy").read_bytes()
    (changed.path / "logits_val.npy").write_bytes(flipped(content, 0.7))
    with pytest.raises(ValueError, match=r"logits_val\.npy is damaged"):
        changed.logits("val")


def test_a_fit_without_recorded_digests_is_read(fit: runs.Fit, tmp_path: Path) -> None:
    import json

    folder = tmp_path / "net"
    shutil.copytree(fit.path, folder)
    summary = json.loads((folder / "summary.json").read_text())
    del summary["files"]
    (folder / "summary.json").write_text(json.dumps(summary))
    older = runs.open_fit(folder)
    for name, read in READERS.items():
        found, expected = read(older), read(fit)
        if isinstance(found, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)
        elif name == "weights.safetensors":
            assert all(torch.equal(found[key], expected[key]) for key in expected)
        else:
            np.testing.assert_array_equal(found, expected)
