"""The built-in sample: its layout, its boxes, and that it is neither trivial nor hopeless."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tin_lib import files as files_module
from tin_lib import recipes, sample, train
from tin_lib.data import open_data
from tin_lib.sample import build, drawing
from tin_lib.sample.drawing import CLASSES

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.sampled_from(list(CLASSES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write(tmp_path_factory.mktemp("sample") / "official")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images a class and split, for tests of the writing alone."""
    for name in ("TRAIN", "VAL", "TEST"):
        monkeypatch.setattr(build, name, 2)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its path in the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), float)


def train_files(folder: Path, wnid: str) -> list[Path]:
    return sorted((folder / "train" / wnid / "images").iterdir())


def test_has_the_official_layout(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "test",
        "train",
        "val",
        "wnids.txt",
        "words.txt",
    ]
    wnids = (folder / "wnids.txt").read_text().split()
    assert len(set(wnids)) == 10
    assert wnids != sorted(wnids)
    words = dict(rows(folder / "words.txt"))
    assert words.keys() > set(wnids)
    assert {path.name for path in (folder / "train").iterdir()} == set(wnids)


def test_every_train_image_has_one_box_row(folder: Path) -> None:
    for wnid in CLASSES:
        table = rows(folder / "train" / wnid / f"{wnid}_boxes.txt")
        names = [f"{wnid}_{number}.JPEG" for number in range(120)]
        assert [row[0] for row in table] == names
        assert {path.name for path in train_files(folder, wnid)} == set(names)


def test_val_and_test_are_mixed_and_balanced(folder: Path) -> None:
    table = rows(folder / "val" / "val_annotations.txt")
    assert [row[0] for row in table] == [f"val_{i}.JPEG" for i in range(200)]
    assert {path.name for path in (folder / "val/images").iterdir()} == {r[0] for r in table}
    labels = [row[1] for row in table]
    assert set(Counter(labels).values()) == {20}
    assert labels != sorted(labels)
    names = {path.name for path in (folder / "test/images").iterdir()}
    assert names == {f"test_{i}.JPEG" for i in range(200)}


def test_images_are_64_pixel_jpegs_and_a_few_are_gray(folder: Path) -> None:
    modes: Counter[str] = Counter()
    for path in folder.rglob("*.JPEG"):
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (64, 64))
            modes[image.mode] += 1
    assert modes.keys() == {"RGB", "L"}
    assert 0.005 < modes["L"] / modes.total() < 0.05


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert digests(sample.write(tmp_path / "again")) == digests(folder)


@pytest.mark.usefixtures("few")
def test_another_seed_gives_other_images(folder: Path, tmp_path: Path) -> None:
    other = digests(sample.write(tmp_path / "other", seed=1))
    images = {digest for name, digest in digests(folder).items() if name.endswith("JPEG")}
    assert not images & set(other.values())


def test_twins_within_train_and_with_val_some_under_two_labels(folder: Path) -> None:
    labels = {row[0]: row[1] for row in rows(folder / "val" / "val_annotations.txt")}
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, digest in digests(folder).items():
        if name.endswith(".JPEG") and not name.startswith("test/"):
            split, base = name.split("/")[0], name.split("/")[-1]
            groups.setdefault(digest, []).append((split, labels.get(base, base.split("_")[0])))
    twins = [sorted(group) for group in groups.values() if len(group) > 1]
    found = Counter((group[0][0], group[1][0], group[0][1] == group[1][1]) for group in twins)
    assert found == {
        ("train", "train", True): 1,
        ("train", "train", False): 1,
        ("train", "val", True): 1,
        ("train", "val", False): 1,
    }


@settings(deadline=None, max_examples=40)
@given(SHAPES, SEEDS)
def test_box_is_the_smallest_around_the_shape(wnid: str, seed: int) -> None:
    cover = drawing.cover_of(CLASSES[wnid][1], np.random.default_rng(seed))
    x0, y0, x1, y1 = drawing.box_of(cover)
    assert 0 <= x0 <= x1 < 64
    assert 0 <= y0 <= y1 < 64
    half = cover >= cover.max() / 2
    assert half[y0 : y1 + 1, x0 : x1 + 1].sum() == half.sum()
    assert half[y0].any()
    assert half[y1].any()
    assert half[:, x0].any()
    assert half[:, x1].any()


@settings(deadline=None, max_examples=40)
@given(SHAPES, SEEDS)
def test_the_box_holds_what_was_painted(wnid: str, seed: int) -> None:
    """The picture with the shape differs from the one without it in the box and only there."""
    shape = CLASSES[wnid][1]
    cover = drawing.cover_of(shape, np.random.default_rng(seed))
    box = drawing.draw(shape, np.random.default_rng(seed)).box
    ground = np.full((64, 64, 3), 90.0)
    with_shape = drawing.paint(ground, cover, np.random.default_rng(1)).astype(float)
    without = drawing.paint(ground, cover * 0 + 1e-12, np.random.default_rng(1)).astype(float)
    rows_, columns = np.nonzero((with_shape - without).mean(2) > drawing.LIGHTER)
    x0, y0, x1, y1 = box
    assert columns.size
    assert columns.min() >= x0 - 1
    assert columns.max() <= x1 + 1
    assert rows_.min() >= y0 - 1
    assert rows_.max() <= y1 + 1


def test_boxes_in_the_tables_enclose_the_lighter_shape(folder: Path) -> None:
    """Read back from the files: the box is on average lighter than the rest, in nearly all."""
    lighter = []
    for name, _, *box in rows(folder / "val" / "val_annotations.txt"):
        x0, y0, x1, y1 = map(int, box)
        image = pixels(folder / "val" / "images" / name).mean(2)
        inside = np.zeros((64, 64), bool)
        inside[y0 : y1 + 1, x0 : x1 + 1] = True
        lighter.append(image[inside].mean() > image[~inside].mean())
    assert np.mean(lighter) > 0.9


def test_boxes_vary_in_size_shape_and_some_are_cut_by_the_border(folder: Path) -> None:
    tables = [rows(folder / "train" / wnid / f"{wnid}_boxes.txt") for wnid in CLASSES]
    boxes = np.array([row[1:] for table in tables for row in table], int)
    width, height = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    share = width * height / 64**2
    assert np.quantile(share, 0.1) < 0.1
    assert np.quantile(share, 0.9) > 0.3
    assert np.quantile(width / height, 0.95) / np.quantile(width / height, 0.05) > 2
    cut = (boxes[:, :2] == 0).any(1) | (boxes[:, 2:] == 63).any(1)
    assert 0.05 < cut.mean() < 0.5


def test_mean_colour_predicts_little(folder: Path) -> None:
    """The nearest class mean of the mean colour is right for under 35 % of val (chance: 10 %)."""
    means = {
        wnid: np.mean([pixels(path).mean((0, 1)) for path in train_files(folder, wnid)], 0)
        for wnid in CLASSES
    }
    centres = np.array(list(means.values()))
    right = 0
    for name, label, *_ in rows(folder / "val" / "val_annotations.txt"):
        colour = pixels(folder / "val" / "images" / name).mean((0, 1))
        nearest = ((centres - colour) ** 2).sum(1).argmin()
        right += list(means)[nearest] == label
    assert right / 200 < 0.35


@pytest.mark.slow
def test_the_quick_convnet_learns_most_of_it_but_not_all(folder: Path, tmp_path: Path) -> None:
    recipe = recipes.get("quick", "convnet9")
    fit = train.fit(recipe, open_data(folder), tmp_path / "fit", device="cpu", progress=None)
    assert 0.8 < fit.summary["val_accuracy"] < 1.0


def test_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        sample.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.usefixtures("few")
def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "_write_mixed", full)
    with pytest.raises(OSError, match="No space left"):
        sample.write(tmp_path / "official")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("few")
def test_ensure_writes_once_and_repairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path))
    folder = sample.ensure()
    assert folder == tmp_path / "tin_lib" / "sample-v1"
    written = (folder / "wnids.txt").stat().st_mtime_ns
    assert sample.ensure() == folder
    assert (folder / "wnids.txt").stat().st_mtime_ns == written
    (folder / "val" / "images" / "val_17.JPEG").unlink()
    sample.ensure()
    assert (folder / "val" / "images" / "val_17.JPEG").is_file()


@pytest.mark.usefixtures("few")
def test_ensure_accepts_what_another_process_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path))
    real = sample.write

    def raced(folder: Path) -> Path:
        real(folder)  # the other process
        return real(folder)

    monkeypatch.setattr(build, "write", raced)
    assert (sample.ensure() / "wnids.txt").is_file()


def test_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", os.sep + "elsewhere")
    assert files_module.cache_folder() == Path(os.sep + "elsewhere") / "tin_lib"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files_module.cache_folder() == Path.home() / ".cache" / "tin_lib"
