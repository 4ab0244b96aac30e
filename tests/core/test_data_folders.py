"""Anybody's pictures in class folders, and Tiny ImageNet with val sorted into class folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_folder import CLASSES, TRAIN, VAL, write_folder, write_images
from PIL import Image

from tin_lib.analysis.audit import audit
from tin_lib.data import open_data, pack

PETS = ("bird", "golden retriever", "NA")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Three classes: 5 training and 2 validation pictures each, the same names in every class."""
    rng = np.random.default_rng(0)
    for name in PETS:
        for split, count in (("train", 5), ("val", 2)):
            files = [f"{i}.jpg" for i in range(count)]
            write_images(tmp_path / "pets" / split / name, files, rng)
    return tmp_path / "pets"


def test_class_folders_are_read(pets: Path) -> None:
    data = open_data(pets)
    assert data.class_ids == ("NA", "bird", "golden_retriever")  # ids never hold blanks
    assert data.class_names == ("NA", "bird", "golden retriever")
    assert (len(data.train), len(data.val), len(data.test)) == (15, 6, 0)
    assert data.train.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert data.train.files[5:7].tolist() == ["bird/0.jpg", "bird/1.jpg"]  # 0.jpg alone is no name
    assert data.val.labels.tolist() == [0, 1, 2] * 2
    assert (data.train.boxes == -1).all()
    assert data.test.images.shape == (0, 3, 64, 64)
    assert data.test.files.dtype.kind == "U"
    folder = pets / "train" / "golden retriever"
    np.testing.assert_array_equal(
        data.train.images[10], np.asarray(Image.open(folder / "0.jpg")).transpose(2, 0, 1)
    )


def test_subsets_audit_and_request_work_alike(pets: Path) -> None:
    part = open_data(pets, classes=["bird"], per_class=4, holdout=0.25)
    assert part.class_names == ("bird",)
    assert part.heldout is not None
    assert (len(part.train), len(part.heldout), len(part.val), len(part.test)) == (3, 1, 2, 0)
    assert open_data(**part.request).fingerprint == part.fingerprint
    found = audit(open_data(pets))
    assert found.splits.set_index("split").images.to_dict() == {"train": 15, "val": 6}
    assert found.classes.set_index("class").train.tolist() == [5, 5, 5]
    assert not len(found.boxes)


def test_words_images_folders_and_test_are_optional(pets: Path) -> None:
    (pets / "words.txt").write_text("bird\tany bird\n")
    for name in PETS:
        folder = pets / "train" / name
        folder.rename(pets / "moved")
        folder.mkdir()
        (pets / "moved").rename(folder / "images")
    rng = np.random.default_rng(1)
    write_images(pets / "test", ["b.png", "a.png", "aa.png"], rng)
    data = open_data(pets)
    assert data.class_names == ("NA", "any bird", "golden retriever")
    assert len(data.train) == 15
    assert data.test.files.tolist() == ["a.png", "b.png", "aa.png"]
    shutil.rmtree(pets / "test")
    write_images(pets / "test" / "bird", ["x.jpg"], rng)
    write_images(pets / "test" / "NA", ["x.jpg"], rng)
    data = open_data(pets)
    assert data.test.files.tolist() == ["NA/x.jpg", "bird/x.jpg"]
    assert data.test.labels.tolist() == [-1, -1]


def test_every_picture_becomes_64_by_64_rgb(pets: Path) -> None:
    """Sizes, formats, EXIF, transparency, 16 bits: what people's folders hold."""
    folder = pets / "train" / "bird"
    shutil.rmtree(folder)
    folder.mkdir()
    half = np.zeros((100, 200, 3), np.uint8)
    half[:, :100] = (250, 0, 0)  # red left half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise: red above
    Image.fromarray(half).save(folder / "a.jpg", exif=exif, quality=95)
    Image.fromarray(half).resize((2000, 1000)).save(folder / "bb.jpeg", quality=95)
    Image.fromarray(half).convert("P").save(folder / "ccc.gif")
    clear = np.zeros((64, 64, 4), np.uint8)
    clear[:32] = (250, 0, 0, 255)
    Image.fromarray(clear).save(folder / "dddd.png")
    deep = np.full((64, 64), 200 << 8, np.uint16)
    deep[:, :32] = 0
    Image.fromarray(deep).save(folder / "eeeee.png")
    Image.fromarray(half).convert("L").save(folder / "ffffff.bmp")
    small = np.full((1, 1, 3), 90, np.uint8)
    Image.fromarray(small).save(folder / "ggggggg.webp", lossless=True)
    Image.fromarray(half).convert("CMYK").save(folder / "hhhhhhhh.tif")
    data = open_data(pets)
    rows = data.train.labels == 1
    shown, gray = data.train.images[rows].astype(int), data.train.gray[rows]
    assert [name[5] for name in data.train.files[rows]] == list("abcdefgh")
    assert gray.tolist() == [False] * 4 + [True, True, False, False]
    red, black, white = (250, 0, 0), (0, 0, 0), (255, 255, 255)
    for image, top, bottom in ((shown[0], red, black), (shown[3], red, white)):
        np.testing.assert_allclose(image[:, :28].mean((1, 2)), top, atol=6)
        np.testing.assert_allclose(image[:, 36:].mean((1, 2)), bottom, atol=6)
    for image in (shown[1], shown[2], shown[7]):
        np.testing.assert_allclose(image[:, :, :28].mean((1, 2)), red, atol=6)
        np.testing.assert_allclose(image[:, :, 36:].mean((1, 2)), black, atol=6)
    assert shown[4][:, :, 40:].mean() == 200
    assert shown[5][:, :, :28].mean() == pytest.approx(75, abs=2)
    assert (shown[6] == 90).all()


def test_resizing_averages_what_it_drops(pets: Path) -> None:
    """Without antialiasing a fine pattern would become a coarse one."""
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[::2] = 255
    Image.fromarray(stripes).save(pets / "train" / "bird" / "0.jpg", "PNG")
    image = open_data(pets).train.images[5]
    assert 120 < image.min() <= image.max() < 135


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/x", "@eaDir/x", "._0.jpg"]
)
def test_files_of_the_system_do_not_matter(pets: Path, name: str) -> None:
    for folder in (pets / "train", pets / "val", pets / "train" / "bird"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"junk")
    assert open_data(pets).class_ids == ("NA", "bird", "golden_retriever")


def text_beside_images(pets: Path) -> None:
    (pets / "train" / "bird" / "notes.txt").write_text("x")


def damaged(pets: Path) -> None:
    path = pets / "train" / "bird" / "1.jpg"
    path.write_bytes(path.read_bytes()[:400])


def floating_point(pets: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.float32)).save(pets / "train" / "bird" / "f.tif")


def text_named_as_an_image(pets: Path) -> None:
    (pets / "val" / "bird" / "0.jpg").write_text("<html>")


def folder_in_a_class(pets: Path) -> None:
    write_images(pets / "train" / "bird" / "parrots", ["a.jpg"], np.random.default_rng(0))


def loose_image(pets: Path) -> None:
    shutil.copy(pets / "train" / "bird" / "1.jpg", pets / "val" / "1.jpg")


def val_class_of_another_name(pets: Path) -> None:
    (pets / "val" / "bird").rename(pets / "val" / "Bird")


def empty_class(pets: Path) -> None:
    (pets / "train" / "fish").mkdir()


def same_id(pets: Path) -> None:
    (pets / "train" / "golden_retriever").mkdir()


def no_val(pets: Path) -> None:
    shutil.rmtree(pets / "val")


def no_class(pets: Path) -> None:
    shutil.rmtree(pets / "train")
    (pets / "train").mkdir()


def unsorted_val(pets: Path) -> None:
    shutil.rmtree(pets / "val")
    write_images(pets / "val", ["a.jpg"], np.random.default_rng(0))


def blank_in_a_test_image(pets: Path) -> None:
    write_images(pets / "test", ["a (1).jpg"], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (text_beside_images, ValueError, r"train/bird/notes.txt is not an image"),
        (damaged, ValueError, r"train/bird/1.jpg cannot be read as an image"),
        (floating_point, ValueError, r"f.tif cannot be read .*floating-point"),
        (text_named_as_an_image, ValueError, r"val/bird/0.jpg cannot be read as an image"),
        (folder_in_a_class, ValueError, r"train/bird/parrots is not an image"),
        (loose_image, FileNotFoundError, r"val/1.jpg is in no class folder"),
        (val_class_of_another_name, ValueError, r"val/Bird is not a class"),
        (empty_class, FileNotFoundError, r"train/fish contains no images"),
        (same_id, ValueError, r"train lists class golden_retriever twice"),
        (no_val, FileNotFoundError, r"it has no val; give a folder with both"),
        (no_class, ValueError, r"train is empty; it must name the classes"),
        (
            unsorted_val,
            FileNotFoundError,
            r"val/a.jpg is in no class folder, and .* does not exist",
        ),
        (blank_in_a_test_image, ValueError, r"test/a \(1\).jpg: a test image's name"),
    ],
)
def test_a_wrong_folder_is_one_message(pets: Path, damage, kind, message) -> None:
    damage(pets)
    with pytest.raises(kind, match=message) as caught:
        pack(pets)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["val/{}/images", "val/{}", "val/images/{}"])
@pytest.mark.parametrize("annotations", [True, False])
def test_tiny_imagenet_with_sorted_val(tmp_path: Path, place: str, annotations: bool) -> None:
    """Val as the usual scripts sort it: the same rows as from the official layout."""
    official = open_data(write_folder(tmp_path / "official"))
    root = write_folder(tmp_path / "sorted")
    sort_val(root, place)
    if not annotations:
        (root / "val" / "val_annotations.txt").unlink()
    data = open_data(root)
    assert data.val.files.tolist() == official.val.files.tolist()
    np.testing.assert_array_equal(data.val.images, official.val.images)
    np.testing.assert_array_equal(data.val.labels, official.val.labels)
    expected = official.val.boxes if annotations else np.full((3 * VAL, 4), -1)
    np.testing.assert_array_equal(data.val.boxes, expected)
    assert len(data.train) == 3 * TRAIN


def sort_val(root: Path, place: str) -> None:
    annotations = root / "val" / "val_annotations.txt"
    for line in annotations.read_text().splitlines():
        file, wnid = line.split("\t")[:2]
        target = root / place.format(wnid)
        target.mkdir(parents=True, exist_ok=True)
        (root / "val" / "images" / file).rename(target / file)


def test_val_sorted_into_the_wrong_folder_is_named(tmp_path: Path) -> None:
    """Sorted so, a good network scores at chance."""
    root = write_folder(tmp_path / "data")
    sort_val(root, "val/{}")
    first, second = (root / "val" / name for name in CLASSES[:2])
    (first / "val_0.JPEG").rename(second / "val_0.JPEG")
    with pytest.raises(ValueError, match=f"val_0.JPEG is of {CLASSES[0]}, not val/{CLASSES[1]}"):
        open_data(root)


def test_tiny_imagenet_without_test(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    shutil.rmtree(root / "test")
    assert len(open_data(root).test) == 0
    (root / "test").mkdir()
    assert len(open_data(root).test) == 0


def test_a_moved_image_is_seen(pets: Path) -> None:
    before = open_data(pets).fingerprint
    (pets / "val" / "bird" / "0.jpg").rename(pets / "val" / "NA" / "7.jpg")
    assert open_data(pets).fingerprint != before
