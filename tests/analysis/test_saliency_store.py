"""Maps on disk: kept, found again, and never the end of the process, whatever the disk does."""

import contextlib
import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_data import make_tiny

from tin_lib import networks
from tin_lib.analysis import disk_cache
from tin_lib.analysis.filters.images import images_of_split
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.analysis.saliency import store as saliency_store
from tin_lib.analysis.saliency.store import RECORD, MapStore
from tin_lib.data import TinyImageNet

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def make_fit(data: TinyImageNet, name: str = "vgg_like") -> SimpleNamespace:
    """What the stores read of a fit, of an untrained network."""
    logits = np.random.default_rng(0).random((len(data.val), 4), dtype=np.float32)
    mean, std = (np.asarray(v, np.float32) for v in (data.mean, data.std))
    images = images_of_split(data.val, mean, std)
    return SimpleNamespace(
        name=name,
        digest="0123456789ab",
        path=Path(name),
        mean=images.mean,
        std=images.std,
        logits=lambda split: logits,
        network=lambda: networks.create("vgg_like", 4, 0.1).eval(),
    )


def open_store(data: TinyImageNet, folder: Path, *names: str) -> MapStore:
    fits = {name: make_fit(data, name) for name in names or ("vgg_like",)}
    return MapStore(fits, data.val, folder)  # type: ignore[arg-type]


def test_records_are_found_again_and_partial_ones_are_not(
    tiny: TinyImageNet, tmp_path: Path
) -> None:
    wanted = open_store(tiny, tmp_path).get("vgg_like", "gradient", 3)
    again = open_store(tiny, tmp_path).of("vgg_like")
    assert (again.read("gradient", 3) == wanted).all()
    assert again.read("gradient", 2) is None  # a hole of the file
    assert again.read("gradient", 9) is None  # behind its end
    path = again.path("gradient")
    path.write_bytes(path.read_bytes()[:-1])  # without the byte that says that it is whole
    assert again.read("gradient", 3) is None
    again.write("gradient", 3, wanted)
    assert (again.read("gradient", 3) == wanted).all()
    assert path.stat().st_size == 4 * RECORD


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_failed_write_is_said_once_and_maps_still_come(
    tiny: TinyImageNet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: int,
) -> None:
    def fail(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(saliency_store, "_write", fail)
    store = open_store(tiny, tmp_path, "one", "two")
    assert store.problem == ""
    with caplog.at_level(logging.WARNING):
        made = [store.get(name, "gradient", row) for name in ("one", "two") for row in (0, 1)]
    assert all(views.shape == (7, 64, 64) for views in made)
    assert os.strerror(code) in store.problem
    assert str(tmp_path) in store.problem
    assert [record.message for record in caplog.records] == [store.problem]


def test_a_short_write_is_a_full_disk(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Short:
        def __enter__(self) -> "Short":
            return self

        def __exit__(self, *given: object) -> None: ...

        def seek(self, place: int) -> None: ...

        def write(self, data: bytes) -> int:
            return len(data) // 2

    store = open_store(tiny, tmp_path)
    monkeypatch.setattr(saliency_store, "open", lambda *a, **k: Short(), raising=False)
    store.of("vgg_like").write("gradient", 0, np.zeros((7, 64, 64), np.uint8))
    assert os.strerror(errno.ENOSPC) in store.problem


def test_filters_are_not_kept_on_a_full_disk(
    tiny: TinyImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    def fail(*given: object) -> None:
        raise FULL

    monkeypatch.setattr("tin_lib.files.atomic_write", fail)
    monkeypatch.setattr("tin_lib.files.atomic_path", fail)
    fit = make_fit(tiny)
    store = FilterStore(fit, images_of_split(tiny.val, fit.mean, fit.std), 2, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert store.survey("conv1").layer == "conv1"
        store.optimise("conv1", "fourier", [0, 1])
    assert store.image("conv1", "fourier", 1) is not None  # kept in memory
    assert os.strerror(errno.ENOSPC) in store.problem
    assert [record.message for record in caplog.records] == [store.problem]


def test_filters_of_a_wrapped_network_are_kept(tiny: TinyImageNet, tmp_path: Path) -> None:
    fit = make_fit(tiny, "torchvision-mobilenet")
    fit.network = lambda: networks.create("torchvision:mobilenet_v3_small", 4).eval()
    shown = images_of_split(tiny.val, fit.mean, fit.std, 8)
    store = FilterStore(fit, shown, 2, tmp_path)
    layer = "features.1.block.0.0"
    assert layer in store.layers
    wanted = store.survey(layer)
    store.optimise(layer, "fourier", [1])
    again = FilterStore(fit, shown, 2, tmp_path)
    assert (again.cached_survey(layer).value == wanted.value).all()
    assert (again.image(layer, "fourier", 1) == store.image(layer, "fourier", 1)).all()
    assert store.problem == ""


def test_names_of_layers_become_safe_file_names() -> None:
    assert disk_cache.safe_name("conv1") == "conv1"
    assert disk_cache.safe_name("features.0.0") == "features.0.0"
    assert disk_cache.safe_name("torchvision:a/b") == "torchvision%3Aa%2Fb"
    assert disk_cache.safe_name("..") == "%2E."
    assert len({disk_cache.safe_name(n) for n in ("a/b", "a:b", "a%2Fb", "a_b")}) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, if it can be mounted here."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from test_saliency_store import fill_and_look
fill_and_look(Path(sys.argv[1]))
"""


def fill_and_look(folder: Path) -> None:
    """Fill the disk, look at images all the same, at holes too; then read-only."""
    data = make_tiny()
    store = open_store(data, folder)
    maps = store.of("vgg_like")
    wanted = store.get("vgg_like", "gradient", 20)  # the records before it are holes
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
        while file.write(b"x" * 4096) == 4096:
            pass
    assert store.problem == ""
    assert maps.read("gradient", 5) is None
    assert store.get("vgg_like", "gradient", 5).shape == (7, 64, 64)
    assert store.get("vgg_like", "grad_cam", 5).shape == (7, 64, 64)
    assert os.strerror(errno.ENOSPC) in store.problem
    assert (maps.read("gradient", 20) == wanted).all()
    assert maps.read("gradient", 5) is None
    print("looked at all")


def test_a_full_disk_does_not_end_the_process(small_disk: Path) -> None:
    """In a child process: the bus error of a memory map would end pytest."""
    here = Path(__file__).parent
    code = CHILD.format(tests=str(here.parent), here=str(here))
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_disk)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "looked at all"), done.stderr
    assert done.stderr.count("are not kept") == 1


def test_a_read_only_disk_is_reported(tiny: TinyImageNet, small_disk: Path) -> None:
    kept = open_store(tiny, small_disk).get("vgg_like", "gradient", 0)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = open_store(tiny, small_disk)
    store.of("vgg_like").compute = lambda method, row: np.ones((7, 64, 64), np.uint8)
    assert (store.get("vgg_like", "gradient", 0) == kept).all()
    assert (store.get("vgg_like", "gradient", 1) == 1).all()
    assert os.strerror(errno.EROFS) in store.problem
