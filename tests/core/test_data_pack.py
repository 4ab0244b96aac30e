"""Packing: pixels and columns are the files', once, in any number of processes."""

import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_folder import CLASSES, TEST, TRAIN, VAL, builds, pil_pixels, write_folder

from tin_lib.data import decode as decode_module
from tin_lib.data import images as images_module
from tin_lib.data import open_data, pack
from tin_lib.data.images import decode_with_pil


def test_pixels_are_those_of_pil(root: Path) -> None:
    data = open_data(root)
    for split, folder in ((data.val, "val"), (data.test, "test")):
        for image, file in zip(split.images, split.files, strict=True):
            np.testing.assert_array_equal(image, pil_pixels(root / folder / "images" / file))
    for image, file in zip(data.train.images, data.train.files, strict=True):
        wnid = file.split("_")[0]
        np.testing.assert_array_equal(image, pil_pixels(root / "train" / wnid / "images" / file))


def test_columns(root: Path) -> None:
    data = open_data(root)
    assert data.class_ids == CLASSES  # sorted, though wnids.txt is not
    assert data.class_names[0] == "thing 1, object"
    assert (len(data.train), len(data.val), len(data.test)) == (3 * TRAIN, 3 * VAL, TEST)
    assert data.train.files[:12].tolist() == [f"n00000001_{i}.JPEG" for i in range(12)]
    assert data.train.labels.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert data.train.boxes[11].tolist() == [11, 1, 31, 40]
    assert data.val.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.val.boxes[5].tolist() == [0, 0, 62, 5]
    assert data.val.gray.tolist() == [False, True, False, False, False, False]
    assert data.test.gray.tolist() == [True, False, False, False]
    assert (data.test.labels == -1).all()
    assert (data.test.boxes == -1).all()
    assert not data.train.gray.any()
    kinds = {name: getattr(data.train, name).dtype for name in ("labels", "boxes", "gray")}
    assert kinds == {"labels": np.int64, "boxes": np.int16, "gray": np.bool_}


def test_images_are_a_read_only_memory_map(root: Path) -> None:
    images = open_data(root).train.images
    assert isinstance(images, np.memmap)
    assert images.dtype == np.uint8
    assert images.shape == (36, 3, 64, 64)
    assert not images.flags.writeable
    assert images.flags.c_contiguous


def test_packed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = builds(monkeypatch)
    folder = pack(root)
    assert folder.parent == root / ".tin_packed"
    assert pack(root) == folder
    open_data(root)
    assert len(calls) == 1


def test_the_packed_form_of_a_newer_version_is_kept(root: Path) -> None:
    """Two versions of the library can share the data; what an older one packed is removed."""
    home = root / ".tin_packed"
    others = {"v3-0a": True, "v12-0a": True, "vx-0a": True, "notes": True, "v2-0a": False}
    others["v1-0a"] = False
    for name in others:
        (home / name).mkdir(parents=True)
        (home / name / "train.npy").write_bytes(b"packed")
    made = pack(root)
    assert {name: (home / name / "train.npy").is_file() for name in others} == others
    assert pack(root) == made


def test_progress_counts_all_splits(root: Path) -> None:
    seen: list[tuple[int, int]] = []
    pack(root, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (46, 46)
    assert seen == sorted(seen)


def test_fingerprint_depends_on_contents_not_on_the_path(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    assert open_data(copy).fingerprint == open_data(root).fingerprint
    other = write_folder(tmp_path / "other", seed=1)
    assert open_data(other).fingerprint != open_data(root).fingerprint


def test_the_second_of_two_waits_for_the_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is on an open file, so that threads meet at it as processes do."""
    calls = builds(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(pack, [root] * 4))
    assert len(folders) == 1
    assert len(calls) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(root: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, state = open_data(root), torch.get_rng_state()
    shutil.rmtree(root / ".tin_packed")
    monkeypatch.setattr(decode_module, "CHUNK", 2)
    monkeypatch.setattr(decode_module, "CHUNKS_A_WORKER", 1)
    seen: list[tuple[int, int]] = []
    pack(root, workers=workers, progress=lambda done, total: seen.append((done, total)))
    found = open_data(root)
    assert found.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert [done for done, _ in seen] == [*range(2, 48, 2)]
    assert torch.equal(torch.get_rng_state(), state)  # seeds mean the same, packed before or not


def test_a_damaged_file_is_named_by_a_worker_too(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_module, "CHUNK", 2)
    monkeypatch.setattr(decode_module, "CHUNKS_A_WORKER", 1)
    path = root / "train" / CLASSES[1] / "images" / f"{CLASSES[1]}_3.JPEG"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"^{path} is truncated or damaged"):
        pack(root, workers=2)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a decoding process was killed"),
        (lambda: (_ for _ in ()).throw(MemoryError("no room")), "no room"),
    ],
)
def test_a_worker_that_is_lost_is_one_message(
    root: Path, how: Callable[[], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_module, "CHUNK", 2)
    monkeypatch.setattr(decode_module, "CHUNKS_A_WORKER", 1)
    parent, decode = os.getpid(), decode_module._decode_chunk

    def lost(paths: list[str], *rest: Any) -> object:
        if os.getpid() != parent and paths and "_5.JPEG" in paths[-1]:
            how()
        return decode(paths, *rest)

    monkeypatch.setattr(decode_module, "_decode_chunk", lost)
    with pytest.raises((OSError, MemoryError), match=message):
        pack(root, workers=2)
    monkeypatch.undo()
    assert len(open_data(root).train) == 36


def test_errors_of_the_system_name_the_file(root: Path) -> None:
    path = root / "train" / CLASSES[0] / "images" / f"{CLASSES[0]}_3.JPEG"
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError, match=f"{CLASSES[0]}_3.JPEG"):
        pack(root)


def test_packing_without_torchvisions_decoder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.array(open_data(root).train.images)
    monkeypatch.setattr(images_module, "decode_jpeg", decode_with_pil)
    shutil.rmtree(root / ".tin_packed")
    np.testing.assert_array_equal(open_data(root).train.images, expected)


@pytest.mark.slow
def test_real_images_are_those_of_pil(tin_data: Path) -> None:
    data = open_data(tin_data)
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(~data.train.gray), 400), np.flatnonzero(data.train.gray)[:100]]
    )
    for row in rows:
        file = data.train.files[row]
        path = tin_data / "train" / file.split("_")[0] / "images" / file
        np.testing.assert_array_equal(data.train.images[row], pil_pixels(path), err_msg=file)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="Linux counts what a process reads")
def test_opening_real_data_again_reads_no_image(tin_data: Path) -> None:
    """What makes opening fast; how fast, says benchmarks/pack.py."""

    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split("\n")[0].removeprefix("rchar: "))

    open_data(tin_data)
    before = bytes_read()
    data = open_data(tin_data)
    assert bytes_read() - before < data.train.images.nbytes / 20  # tables alone
    assert isinstance(data.train.images, np.memmap)
    assert data.num_classes == 200
    assert len(data.train) == 100_000
