"""Folders and files of unusual names, and data with no place for what is packed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from data_folder import CLASSES
from odd_data import annotation_rows, copied, refused, same

from tin_lib import files
from tin_lib.__main__ import main
from tin_lib.data import TinyImageNet, open_data, pack

NAMES = {
    "blanks": " two  blanks ",
    "umlauts": "Bilder für Zürich",
    "umlauts of a Mac": "Zu\u0308rich",
    "Japanese": "画像",
    "Arabic": "صور",
    "emoji": "🐟🐠",
    "braces": "{data}",
    "brackets": "[data]",
    "stars": "a*b?c",
    "quotes": 'it\'s "here"',
    "percents": "100%d%%s%20",
    "dollars": "$HOME`id`",
    "backslash": "a\\b",
    "a dash": "-data",
    "a tilde": "~data",
    "colons": "c:data;x",
    "ampersand": "a&b|c<d>e",
    "commas": "a,b;c",
    "hash": "#1",
    "long": "x" * 200,
    "a zip's name": "data.zip",
    "an image's name": "data.JPEG",
}
WITH_BLANKS = ("blanks", "umlauts", "quotes")  # a submission cannot carry such test images


@pytest.fixture
def expected(official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyImageNet:
    monkeypatch.setenv("TIN_CACHE", str(tmp_path / "first"))
    found = open_data(official)
    monkeypatch.delenv("TIN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cache", [False, True])
def test_the_folder(
    fault, official: Path, expected, tmp_path: Path, monkeypatch, capsys, name: str, cache: bool
) -> None:
    """The folder that is given, and with ``cache`` the cache's folder too."""
    with fault("odd path", f"{name}, {cache=}"), copied(official, tmp_path, NAMES[name]) as root:
        if cache:
            monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache" / NAMES[name]))
        monkeypatch.chdir(tmp_path)
        given = f"./{NAMES[name]}" if name in ("a dash", "a tilde") else NAMES[name]
        assert main(["pack", given]) == 0, capsys.readouterr().err
        same(open_data(root), expected)
        if cache:
            assert not (root / ".tin_packed").exists()


@pytest.mark.parametrize("name", NAMES)
def test_classes_and_images(fault, official: Path, expected, tmp_path: Path, name: str) -> None:
    """Pictures without lists, in class folders of that name, and of that name themselves."""
    if name in ("an image's name", "long"):
        pytest.skip("a class is no image; with its suffix an image's name would be too long")
    with fault("odd path", f"class and images: {name}"), copied(official, tmp_path) as root:
        (root / "wnids.txt").unlink()
        for number in range(2):
            (root / f"test/images/test_{number}.JPEG").unlink()
        labels = {file: CLASSES.index(wnid) for file, wnid, *_ in annotation_rows(root)}
        path = root / "val/val_annotations.txt"
        path.write_text(path.read_text().replace(CLASSES[0], NAMES[name]))
        (root / f"train/{CLASSES[0]}/{CLASSES[0]}_boxes.txt").unlink()
        (root / "train" / CLASSES[0]).rename(root / "train" / NAMES[name])
        image = root / "train" / NAMES[name] / "images" / f"{CLASSES[0]}_3.JPEG"
        image.rename(image.with_name(f"{NAMES[name]}.JPEG"))
        data = open_data(root)
        own = NAMES[name].replace(" ", "_")
        assert sorted(data.class_ids) == sorted([own, *CLASSES[1:]])
        ids = [own, *CLASSES[1:]]
        for file, label in zip(data.val.files.tolist(), data.val.labels.tolist(), strict=True):
            assert data.class_ids[label] == ids[labels[file]]
        row = data.train.files.tolist().index(f"{NAMES[name]}.JPEG")
        before = expected.train.files.tolist().index(f"{CLASSES[0]}_3.JPEG")
        assert (data.train.images[row] == expected.train.images[before]).all()


BAD = [b"\xff\xfe.JPEG", b"new\nline.JPEG", b"tab\t.JPEG", b"\x1b[31m.JPEG", b"z\xfcrich.JPEG"]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("place", ["train/n00000001/images", "val/images", "test/images", "train"])
def test_names_that_no_table_can_hold(
    fault, official: Path, expected, tmp_path: Path, name: bytes, place: str
) -> None:
    with fault("odd path", f"{name!r} in {place}"), copied(official, tmp_path) as root:
        odd = os.fsencode(root / place) + b"/" + name
        shutil.copy(root / "val/images/val_0.JPEG", odd)
        told = refused(root, "its name contains a control character or is not UTF-8", ValueError)
        assert told.isascii()
        assert place in told
        os.unlink(odd)
        same(open_data(root), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are UTF-8")
def test_a_folder_whose_name_is_not_utf8(fault, official: Path, expected, tmp_path: Path) -> None:
    with fault("odd path", "folder not in UTF-8"):
        root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/z\xfcrich"))
        shutil.copytree(official, root)
        same(open_data(root), expected)
        same(open_data(root), expected)


def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user without an account, in a container for example."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    for name in ("TIN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_no_home(fault, official: Path, expected, tmp_path: Path, monkeypatch, capsys) -> None:
    no_home(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with fault("no home folder", "data that can be written"), copied(official, tmp_path) as root:
        assert pack(root).parent == root / ".tin_packed"
        same(open_data(root), expected)
    with fault("no home folder", "the sample"):
        assert main(["pack", "sample"]) == 2
        told = capsys.readouterr().err
        assert (
            "home folder of ~/.cache is not known; set the environment variable TIN_CACHE" in told
        )
        monkeypatch.setenv("TIN_CACHE", str(tmp_path / "cache"))  # as is advised
        assert files.cache_folder().parent == tmp_path / "cache"
    with (
        fault("no home folder", "TIN_CACHE in an unknown home"),
        copied(official, tmp_path) as root,
    ):
        monkeypatch.setenv("TIN_CACHE", "~nobody/cache")
        refused(root, "home folder of ~nobody/cache is not known; set .*TIN_CACHE", OSError)
    assert not list(tmp_path.glob("~*"))


@pytest.mark.parametrize("cache", ["file", "file/below", "/proc/none"])
def test_a_cache_that_cannot_be(fault, official: Path, tmp_path: Path, monkeypatch, cache) -> None:
    with (
        fault("no writable folder for packed data", f"TIN_CACHE={cache}"),
        copied(official, tmp_path) as root,
    ):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TIN_CACHE", str(tmp_path / cache))
        refused(root, "cannot be written .*; set the environment variable TIN_CACHE to an", OSError)
        monkeypatch.setenv("TIN_CACHE", str(tmp_path / "another"))
        assert len(open_data(root).val) == 6


def unprivileged() -> list[str] | None:
    """What takes the right to write anywhere from root; None if that is not possible."""
    if os.name == "nt" or os.geteuid() != 0:
        return [] if os.name != "nt" else None
    drop = "-dac_override,-dac_read_search"
    words = ["setpriv", "--inh-caps=-all", "--ambient-caps=-all", f"--bounding-set={drop}"]
    return words if shutil.which("setpriv") else None


@pytest.mark.parametrize("home", ["read-only", "unknown"])
def test_nowhere_to_write(fault, official: Path, tmp_path: Path, home: str) -> None:
    """Data and home that cannot be written; then with TIN_CACHE, as is advised."""
    words = unprivileged()
    if words is None:
        pytest.skip("needs setpriv, or a user who is not root")
    with (
        fault("no writable folder for packed data", f"home {home}"),
        copied(official, tmp_path) as root,
    ):
        given = {k: v for k, v in os.environ.items() if k not in ("TIN_CACHE", "XDG_CACHE_HOME")}
        given["HOME"] = str(tmp_path / "home") if home == "read-only" else "~"
        (tmp_path / "home").mkdir(mode=0o500)
        root.chmod(0o500)
        command = [*words, sys.executable, "-m", "tin_lib", "pack", str(root)]
        here = Path(__file__).parents[2]
        run = subprocess.run(command, capture_output=True, text=True, env=given, cwd=here)
        assert run.returncode == 2, run.stderr
        assert "cannot be written (Permission denied); set the environment variable" in run.stderr
        assert "Traceback" not in run.stderr
        if home == "unknown":
            return  # a process costs seconds
        given["TIN_CACHE"] = str(tmp_path / "cache")
        run = subprocess.run(command, capture_output=True, text=True, env=given, cwd=here)
        assert run.returncode == 0, run.stderr
