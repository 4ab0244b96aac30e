"""The full size in little memory, and a run of a hundred fits listed by reading little."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_folder import write_folder

from tin_lib import data, files, train
from tin_lib.analysis.runs import open_run
from tin_lib.recipes import Recipe
from tin_lib.runner.report.results import collect_results
from tin_lib.runner.workbook import same_data

resource = pytest.importorskip("resource", reason="limits of a process are of Unix")
KIND = "large data set or run"
CLASSES, TRAIN, VAL = 200, 500, 50  # images a class: the size of Tiny ImageNet
LIMIT = 3 << 30  # bytes
FITS = 100
# RLIMIT_DATA counts all memory that a process writes to, of itself and not of files that it maps:
# a limit on addresses (ulimit -v) would count the libraries, which with CUDA fill it alone.
PACK = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]),) * 2)
from tin_lib.data import open_data, pack
pack(sys.argv[1])
opened = open_data(sys.argv[1])
starts = range(0, len(opened.train), 5000)
total = sum(int(opened.train.images[s : s + 5000].sum(dtype="int64")) for s in starts)
print(json.dumps([opened.num_classes, len(opened.train), len(opened.val), total]))
"""


@pytest.fixture
def full_size() -> Iterator[Path]:
    """The real data set if TIN_DATA names it, else as many files: links to one a class. Removed at
    once: pytest would keep it."""
    with tempfile.TemporaryDirectory(prefix="tin-large-") as folder:
        real = os.environ.get("TIN_DATA")
        yield Path(real) if real else write_links(Path(folder) / "tiny-imagenet-200")


def write_links(root: Path) -> Path:
    """Tiny ImageNet's layout and numbers of files, each a link to one of a few images."""
    images = write_folder(root.with_name("images"))
    given = sorted((images / "train").rglob("*.JPEG"))
    ids = [f"n{number:08}" for number in range(CLASSES)]
    rows = []
    (root / "val" / "images").mkdir(parents=True)
    (root / "test" / "images").mkdir(parents=True)
    for number, wnid in enumerate(ids):
        own, image = root / "train" / wnid / "images", given[number % len(given)]
        own.mkdir(parents=True)
        names = [f"{wnid}_{i}.JPEG" for i in range(TRAIN)]
        for name in names:
            os.link(image, own / name)
        boxes = "".join(f"{name}\t0\t0\t62\t62\n" for name in names)
        (own.parent / f"{wnid}_boxes.txt").write_text(boxes)
        for i in range(number * VAL, (number + 1) * VAL):
            os.link(image, root / "val" / "images" / f"val_{i}.JPEG")
            rows.append(f"val_{i}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    os.link(given[0], root / "test" / "images" / "test_0.JPEG")
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in ids))
    (root / "words.txt").write_text("".join(f"{wnid}\tthing {wnid}\n" for wnid in ids))
    return root


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_DATA"), reason="no limit on data here")
def test_the_full_size_is_packed_and_opened_in_3_gib(full_size: Path, fault: Any) -> None:
    with fault(KIND, "200 classes of 500 images in 3 GiB"), tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", PACK, str(full_size), str(LIMIT)]
        environment = os.environ | {"TIN_CACHE": cache}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        *counts, total = json.loads(done.stdout.splitlines()[-1])
        assert counts == [CLASSES, CLASSES * TRAIN, CLASSES * VAL]
        assert total > 0


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a hundred fits, each of the same part of the sample."""
    run = tmp_path_factory.mktemp("hundred")
    recipe = Recipe("vgg_like", epochs=1, lr=0.01, width=0.1)
    part = data.open_data("sample", classes=3, per_class=8)
    first = run / "networks" / "fit0"
    train.fit(recipe, part, first, device="cpu", progress=None)
    for number in range(1, FITS):
        shutil.copytree(first, run / "networks" / f"fit{number}", copy_function=os.link)
    return run


OPENED: list[str] | None = None  # files opened while it is a list


def note(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook, which cannot be removed."""
    if event == "open" and OPENED is not None:
        OPENED.append(str(arguments[0]))


sys.addaudithook(note)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened from now on."""
    found: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", found)
    return found


LISTINGS: dict[str, Callable[[Path], Any]] = {
    "the networks of a run": open_run,
    "the table of results": collect_results,
    "the scan of tin run": lambda run: same_data.check(run, "sample", fingerprint()),
}


def fingerprint() -> str:
    """Of the whole sample, of which the fits have a part."""
    return data.open_data("sample").fingerprint


@pytest.mark.parametrize("name", LISTINGS)
def test_a_hundred_fits_are_listed_by_reading_little(
    hundred: Path, opened: list[str], fault: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with fault(KIND, f"{name} with a hundred fits"):
        LISTINGS[name](hundred)
        of_run = [path for path in opened if path.startswith(str(hundred))]
        assert len(of_run) >= FITS, "the hook counts nothing"
        assert {Path(path).name for path in of_run} <= {"summary.json", "meta.json"}
        assert len(of_run) <= 4 * FITS
        assert len(opened) - len(of_run) < 60  # the data are opened once or twice, not for each


def test_a_hundred_names_are_in_the_table(hundred: Path) -> None:
    assert set(collect_results(hundred).name) == {f"fit{number}" for number in range(FITS)}
    assert files.read_object(hundred / "networks" / "fit7" / "meta.json")["num_classes"] == 3
