"""A full disk during a write: one message that names the file; the old file stays, nothing else."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from forked import in_child
from safetensors import SafetensorError
from safetensors.torch import save_file

from tin_lib import files
from tin_lib.train.checkpoint import HISTORY, Saving

NUMBERS = torch.arange(100_000, dtype=torch.float32)  # 400 kB


def write_checkpoint(path: Path) -> None:
    Saving().save(path.parent, {"state": NUMBERS, "history": []})
    path.with_name(HISTORY).unlink()


def write_weights(path: Path) -> None:
    with files.atomic_path(path) as temporary:
        save_file({"weight": NUMBERS}, temporary)


WRITES: dict[str, Callable[[Path], None]] = {
    "checkpoint.pt": write_checkpoint,
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
        assert (small_disk / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_read_only_file_system_is_named(small_disk: Path, fault: Callable) -> None:
    with fault("read-only folder", "array"):
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        with pytest.raises(OSError, match="read-only; choose another folder"):
            files.write_array(small_disk / "array.npy", np.zeros(3))


@pytest.mark.parametrize("name", WRITES)
def test_a_limit_on_files_is_not_called_a_full_disk(
    name: str, tmp_path: Path, fault: Callable
) -> None:
    def write() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(OSError, match=rf"{name} was not written: it is larger than files may"):
            WRITES[name](tmp_path / name)
        assert not os.listdir(tmp_path)

    with fault("limit on file size", name):
        in_child(write)


ERRORS: dict[str, tuple[Exception, str]] = {
    "quota": (OSError(errno.EDQUOT, "x"), "was not written: the disk quota is used up"),
    "a disk that fails": (OSError(errno.EIO, "x"), "was not written: Input/output error"),
    "safetensors": (SafetensorError("I/O error: x (os error 5)"), "not written: Input/output err"),
    "an error of torch's own": (
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 5 vs 3"),
        r"^\[enforce fail at inline_container",
    ),
    "another file": (
        PermissionError(errno.EACCES, "Denied", "other"),
        r"^\[Errno 13\] Denied: 'oth",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_other_errors_keep_their_reason(name: str, tmp_path: Path, fault: Callable) -> None:
    error, message = ERRORS[name]
    with (
        fault("failed write", name),
        pytest.raises((OSError, RuntimeError), match=message),
        files.atomic_path(tmp_path / "a"),
    ):
        raise error
