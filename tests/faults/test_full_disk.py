"""A full disk during a write: one message that names the file; the old file stays, nothing else."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from tin_lib import files

NUMBERS = torch.arange(100_000, dtype=torch.float32)  # 400 kB


def write_torch(path: Path) -> None:
    with files.atomic_path(path) as temporary:
        torch.save({"state": NUMBERS}, temporary)


def write_weights(path: Path) -> None:
    with files.atomic_path(path) as temporary:
        save_file({"weight": NUMBERS}, temporary)


WRITES: dict[str, Callable[[Path], None]] = {
    "checkpoint.pt": write_torch,
    "weights.safetensors": write_weights,
    "predictions_val.csv": lambda path: files.write_table(
        pd.DataFrame({"probability": NUMBERS.numpy()}), path
    ),
    "logits_val.npy": lambda path: files.write_array(path, NUMBERS.numpy()),
    "summary.json": lambda path: files.write_json(path, NUMBERS.tolist()),
    "report.html": lambda path: files.atomic_write(path, "x" * 400_000),
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_named_and_the_old_file_kept(
    name: str, small_disk: Path, tmp_path: Path, fault: Callable
) -> None:
    with fault("full disk", name):
        (small_disk / name).write_bytes(b"the last good one")
        with pytest.raises(OSError) as found:
            WRITES[name](small_disk / name)
        assert str(small_disk / name) in str(found.value)
        assert "free some space" in str(found.value)
        assert (small_disk / name).read_bytes() == b"the last good one"
        assert os.listdir(small_disk) == [name]  # no temporary file
        WRITES[name](tmp_path / name)
        assert os.path.getsize(tmp_path / name) > 400_000 - 1
        subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
        WRITES[name](small_disk / name)
        if name == "checkpoint.pt":  # torch stores the temporary file's name in it
            state = torch.load(small_disk / name, weights_only=True)["state"]
            assert torch.equal(state, NUMBERS)
        else:
            assert (small_disk / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_read_only_file_system_is_named(small_disk: Path, fault: Callable) -> None:
    with fault("read-only", "array"):
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        with pytest.raises(OSError, match="read-only; choose another folder"):
            files.write_array(small_disk / "array.npy", np.zeros(3))
