"""Subsets, the held-out part, statistics and the audit."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_folder import CLASSES, TRAIN, VAL, write_folder
from hypothesis import given, settings
from hypothesis import strategies as st

from tin_lib.analysis.audit import audit, identical_groups
from tin_lib.data import TinyImageNet, open_data
from tin_lib.data.decode import channel_sums, mean_std


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("subset") / "data")


def reference(data: TinyImageNet) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.asarray(data.train.images, dtype=np.float64)
    return pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))


@pytest.mark.parametrize(
    "options",
    [{}, {"classes": 2}, {"per_class": 5}, {"holdout": 0.25}, {"classes": 2, "holdout": 0.5}],
)
def test_statistics_are_those_of_the_training_images(root: Path, options: dict) -> None:
    data = open_data(root, **options)
    mean, std = reference(data)
    np.testing.assert_allclose(data.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(data.std, std, rtol=1e-12)


@given(st.integers(1, 20), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 256]))
@settings(deadline=None, max_examples=25)
def test_sums_are_exact(count: int, seed: int, levels: int) -> None:
    """Compared in integers, for noise and for the largest sums there can be."""
    rng = np.random.default_rng(seed)
    images = (255 - rng.integers(0, levels, (count, 3, 64, 64))).astype(np.uint8)
    sums, squares = channel_sums(images)
    wide = images.astype(np.int64)
    np.testing.assert_array_equal(sums, wide.sum((2, 3)))
    np.testing.assert_array_equal(squares, (wide**2).sum((2, 3)))


def test_constant_images_have_no_deviation() -> None:
    sums, squares = channel_sums(np.full((3, 3, 64, 64), 7, np.uint8))
    mean, std = mean_std(sums, squares, 64 * 64)
    assert mean.tolist() == [7, 7, 7]
    assert std.tolist() == [0, 0, 0]


def test_classes_by_number_are_evenly_spread(root: Path) -> None:
    data = open_data(root, classes=2)
    assert data.class_ids == (CLASSES[0], CLASSES[1])
    assert open_data(root, classes=1).class_ids == (CLASSES[0],)


def test_classes_by_name_are_renumbered(root: Path) -> None:
    data = open_data(root, classes=[CLASSES[2], CLASSES[0]])
    assert data.class_ids == (CLASSES[0], CLASSES[2])  # the class order, not the one given
    assert data.class_names == ("thing 1, object", "thing 3, object")
    for split in (data.train, data.val):
        assert set(split.labels) == {0, 1}
    owners = np.array([file.split("_")[0] for file in data.train.files])
    np.testing.assert_array_equal(np.array(data.class_ids)[data.train.labels], owners)
    assert (len(data.val), len(data.test)) == (2 * VAL, 4)
    assert (data.test.labels == -1).all()


def test_rows_stay_together(root: Path) -> None:
    whole, part = open_data(root), open_data(root, classes=[CLASSES[1]], per_class=3, holdout=0.4)
    for split in (part.train, part.heldout):
        assert split is not None
        for image, file, box in zip(split.images, split.files, split.boxes, strict=True):
            row = whole.train.files.tolist().index(file)
            np.testing.assert_array_equal(image, whole.train.images[row])
            np.testing.assert_array_equal(box, whole.train.boxes[row])


def test_per_class_takes_the_first_by_number(root: Path) -> None:
    data = open_data(root, per_class=11)
    first = [f"{CLASSES[0]}_{i}.JPEG" for i in range(11)]  # 10 after 9, not after 1
    assert data.train.files[:11].tolist() == first
    assert len(data.val) == 3 * VAL


@given(st.floats(0.05, 0.95), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_holdout_parts_the_training_images(root: Path, holdout: float, seed: int) -> None:
    data = open_data(root, holdout=holdout, seed=seed)
    assert data.heldout is not None
    assert data.heldout.name == "heldout"
    stay, held = set(data.train.files), set(data.heldout.files)
    assert not stay & held
    assert stay | held == set(open_data(root).train.files)
    assert np.bincount(data.heldout.labels).tolist() == [round(holdout * TRAIN)] * 3


def test_holdout_follows_the_seed(root: Path) -> None:
    def held(seed: int) -> list[str]:
        split = open_data(root, holdout=0.5, seed=seed).heldout
        assert split is not None
        return split.files.tolist()

    assert held(1) == held(1)
    assert held(1) != held(2)


def test_subsets_have_different_fingerprints(root: Path) -> None:
    options: list[dict] = [
        {}, {"classes": 2}, {"classes": 1}, {"per_class": 5}, {"per_class": 6},
        {"holdout": 0.5}, {"holdout": 0.25}, {"holdout": 0.5, "seed": 1},
    ]  # fmt: skip
    prints = [open_data(root, **option).fingerprint for option in options]
    assert len(set(prints)) == len(prints)
    assert all(len(one) == 64 and int(one, 16) >= 0 for one in prints)


@pytest.mark.parametrize(
    "options",
    [{"classes": 3}, {"classes": CLASSES}, {"per_class": TRAIN}, {"per_class": 999}, {"seed": 5}],
)
def test_what_changes_nothing_keeps_the_fingerprint(root: Path, options: dict) -> None:
    assert open_data(root, **options).fingerprint == open_data(root).fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "classes must lie between 1 and 3, not 0"),
        ({"classes": 4}, "classes must lie between 1 and 3, not 4"),
        ({"classes": ["n7"]}, "classes: n7 is not a class of the data"),
        ({"classes": CLASSES[0]}, "classes must be a number or a list"),
        ({"classes": []}, "classes must be a number or a list"),
        ({"per_class": 0}, f"per_class must lie between 1 and {TRAIN}, not 0"),
        ({"holdout": 1.0}, "holdout must be at least 0 and below 1"),
        ({"holdout": -0.1}, "holdout must be at least 0 and below 1"),
        ({"holdout": 0.01}, "holdout=0.01 of 12 images a class .*; one image is 0.083"),
    ],
)
def test_bad_parameters_are_named(root: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_data(root, **options)


def test_split_by_name(root: Path) -> None:
    data = open_data(root)
    assert data.split("val") is data.val
    with pytest.raises(ValueError, match=r"known are train, val, test; open .* holdout"):
        data.split("heldout")
    with pytest.raises(ValueError, match="no split 'dev': known are train, val, test"):
        data.split("dev")


def test_the_sample_by_name() -> None:
    assert open_data("sample").num_classes == open_data(Path("sample")).num_classes == 10


def test_audit_finds_what_was_planted(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(root, folder, ignore=shutil.ignore_patterns(".tin_packed"))
    train = folder / "train"
    one = train / CLASSES[0] / "images" / f"{CLASSES[0]}_4.JPEG"
    shutil.copy(one, train / CLASSES[1] / "images" / f"{CLASSES[1]}_7.JPEG")  # another label
    shutil.copy(one, folder / "val" / "images" / "val_3.JPEG")
    two = train / CLASSES[2] / "images" / f"{CLASSES[2]}_0.JPEG"
    shutil.copy(two, train / CLASSES[2] / "images" / f"{CLASSES[2]}_1.JPEG")  # the same label
    shutil.copy(two, folder / "test" / "images" / "test_2.JPEG")  # no label
    found = audit(folder)
    groups = identical_groups(found.identical)
    assert groups.splits.tolist() == ["train+val", "train+test"]
    assert groups.conflict.tolist() == [True, False]
    assert groups.files[0].split() == [one.name, f"{CLASSES[1]}_7.JPEG", "val_3.JPEG"]
    assert found.splits.images.tolist() == [36, 6, 4]
    assert found.splits.grayscale.tolist() == [0, 1, 1]
    assert found.splits.classes.tolist() == [3, 3, 0]
    assert found.classes[["train", "val"]].to_numpy().tolist() == [[12, 2]] * 3
    assert len(found.boxes) == 42
    assert found.boxes.loc[0, ["width", "height"]].tolist() == [21, 40]
    assert found.boxes.share[0] == 21 * 40 / 4096


def test_audit_without_identical_files(root: Path) -> None:
    found = audit(open_data(root, classes=2, holdout=0.5))
    assert found.identical.empty
    assert identical_groups(found.identical).empty
    assert found.splits["split"].tolist() == ["train", "heldout", "val", "test"]
    assert found.classes.columns.tolist() == ["class", "name", "train", "heldout", "val"]


@pytest.mark.slow
def test_audit_of_the_real_data(tin_data: Path) -> None:
    """Against what PAPER.md measured on it by other means."""
    found = audit(tin_data)
    assert found.splits.grayscale.tolist() == [1821, 168, 189]
    groups = identical_groups(found.identical)
    assert len(groups) == 39
    assert ((groups.splits == "train+val") & groups.conflict).sum() == 7


@pytest.mark.slow
def test_statistics_of_the_real_data(tin_data: Path) -> None:
    data = open_data(tin_data)
    total, square = np.zeros(3), np.zeros(3)
    for start in range(0, len(data.train), 2000):
        pixels = data.train.images[start : start + 2000].astype(np.float64)
        total += pixels.sum((0, 2, 3))
        square += (pixels**2).sum((0, 2, 3))
    count = len(data.train) * 64**2
    np.testing.assert_allclose(data.mean, total / count, rtol=1e-14)
    np.testing.assert_allclose(data.std, np.sqrt(square / count - (total / count) ** 2), rtol=1e-13)


def test_one_image_of_a_split(root: Path) -> None:
    val = open_data(root).val
    assert (val.one(1).images == val.images[1:2]).all()
    assert val.one(1).files.tolist() == [val.files[1]]
    for row in (-1, len(val)):
        with pytest.raises(ValueError, match=f"image {row}: val has images 0 to {len(val) - 1}"):
            val.one(row)


def test_whole_numbers_of_other_types() -> None:
    """As pandas and YAML write them; what is no whole number is named."""
    assert open_data("sample", classes=2.0, per_class=5.0).request["per_class"] == 5
    for name in ("classes", "per_class"):
        for value in (2.5, True, float("nan"), float("inf")):
            with pytest.raises(ValueError, match=f"{name}={value}: must be a whole number"):
                open_data("sample", **{name: value})
    with pytest.raises(ValueError, match="classes must lie between 1 and 10, not 9999"):
        open_data("sample", classes=int("9" * 400))
