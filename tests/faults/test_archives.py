"""Archives as re-uploads have them, and hostile ones: unpacked to the same data, or refused."""

import contextlib
import gzip
import io
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_data import same, sort_val

from tin_lib.data import TinyImageNet, open_data
from tin_lib.runner.download import download, extract

pytestmark = pytest.mark.usefixtures("own_cache")

Rename = Callable[[str], str]


def contents(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file() and ".tin" not in str(path))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # ZipInfo(name) would make \ of Windows a /
            opened.writestr(info, data)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            opened.addfile(info, io.BytesIO(data))
    return path


def unpacked(archive: Path, folder: Path) -> Path:
    return download(folder / "out", archive, md5=None, size=None)


NAMES: dict[str, Rename] = {
    "as the official zip": lambda name: f"tiny-imagenet-200/{name}",
    "without a top folder": lambda name: name,
    "one folder more": lambda name: f"tiny-imagenet-200/tiny-imagenet-200/{name}",
    "two folders more": lambda name: f"archive/data/tiny-imagenet-200/{name}",
    "with ./ in front": lambda name: f"./tiny-imagenet-200/{name}",
    "by Windows": lambda name: f"tiny-imagenet-200\\{name}".replace("/", "\\"),
    "by Windows, half": lambda name: f"tiny-imagenet-200\\{name}",
    "blanks, braces and signs": lambda name: f"my {{tiny}} %d's \u00fcml\u00e4ut & co/{name}",
}
FORMATS = {"zip": write_zip, "tar": write_tar}
FORMATS |= {  # type: ignore[dict-item]
    f"tar.{kind}": lambda path, files, kind=kind: write_tar(path, files, f"w:{kind}")
    for kind in ("gz", "bz2", "xz")
}


@pytest.mark.parametrize("form", FORMATS)
def test_archives_of_others(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, form: str
) -> None:
    junk = {
        "__MACOSX/tiny-imagenet-200/train/._n1": b"x",
        "__MACOSX/tiny-imagenet-200/val/._x": b"",
    }
    junk |= {".DS_Store": b"x", "tiny-imagenet-200/train/Thumbs.db": b"x"}
    for name, rename in NAMES.items():
        with fault("odd archive", f"{form} {name}"):
            files = {rename(path): data for path, data in contents(official).items()}
            archive = FORMATS[form](tmp_path / f"data.{form}", files | junk)
            folder = unpacked(archive, tmp_path)
            assert folder == tmp_path / "out" / "tiny-imagenet-200"
            same(open_data(folder), expected)
            assert not list(folder.rglob("Thumbs.db"))
            assert len(list(folder.parent.iterdir())) == 2  # the lock
            shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("absent", ["wnids.txt", "words.txt", "test"])
def test_an_archive_without(fault, official: Path, tmp_path: Path, absent: str) -> None:
    with fault("odd archive", f"without {absent}"):
        files = {f"x/{k}": v for k, v in contents(official).items() if not k.startswith(absent)}
        folder = unpacked(write_zip(tmp_path / "data.zip", files), tmp_path)
        assert open_data(folder).num_classes == 3
        assert unpacked(tmp_path / "absent.zip", tmp_path) == folder  # it is there already


def test_an_archive_of_sorted_val(fault, official, expected: TinyImageNet, tmp_path: Path) -> None:
    with fault("odd archive", "val sorted"):
        shutil.copytree(official, tmp_path / "sorted")
        sort_val(tmp_path / "sorted", "val/{}/images")
        archive = write_tar(tmp_path / "data.tar.gz", contents(tmp_path / "sorted"), "w:gz")
        same(open_data(unpacked(archive, tmp_path)), expected)


def refused(archive: Path, folder: Path, message: str) -> None:
    """Assert one message, and that nothing is left, inside the folder or outside."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match=message) as caught:
        unpacked(archive, folder)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (folder / "out").iterdir()] == [".tiny-imagenet-200.lock"]
    shutil.rmtree(folder / "out")
    assert sorted(folder.rglob("*")) == before


OUTSIDE = (
    "../x",
    "a/../../x",
    "/tmp/outside",
    "..\\x",
    "C:\\x",
    "\\\\server\\x",
    "a/..",
    "c:x",
    "..",
)


@pytest.mark.parametrize("form", FORMATS)
def test_no_member_leaves_the_folder(fault, official: Path, tmp_path: Path, form: str) -> None:
    for name in OUTSIDE:
        with fault("hostile archive", f"{form}: {name}"):
            files = contents(official) | {name: b"escaped"}
            archive = FORMATS[form](tmp_path / f"data.{form}", files)
            refused(
                archive, tmp_path, "is a link or would be written outside the folder; nothing was"
            )


TYPES = {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a pipe": tarfile.FIFOTYPE,
}
TYPES |= {"a device": tarfile.CHRTYPE, "a disk": tarfile.BLKTYPE}


@pytest.mark.parametrize("name", TYPES)
def test_links_and_devices_in_a_tar(fault, official: Path, tmp_path: Path, name: str) -> None:
    with fault("hostile archive", f"tar: {name}"):
        archive = write_tar(tmp_path / "data.tar", contents(official))
        with tarfile.open(archive, "a") as opened:
            info = tarfile.TarInfo("val/images/val_9.JPEG")
            info.type, info.linkname = TYPES[name], "/etc/passwd"
            opened.addfile(info)
        refused(archive, tmp_path, "'val/images/val_9.JPEG' is a link")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(fault, official: Path, tmp_path: Path, mode: int) -> None:
    with fault("hostile archive", f"zip: mode {mode:o}"):
        archive = write_zip(tmp_path / "data.zip", contents(official))
        info = zipfile.ZipInfo("val/images/val_9.JPEG")
        info.external_attr = (mode | 0o777) << 16
        with zipfile.ZipFile(archive, "a") as opened:
            opened.writestr(info, "/etc/passwd")
        refused(archive, tmp_path, "'val/images/val_9.JPEG' is a link")


@pytest.mark.parametrize("form", FORMATS)
def test_bombs(fault, official: Path, tmp_path: Path, form: str, monkeypatch) -> None:
    """The limit is small here, so that the test need not write gigabytes."""
    monkeypatch.setattr(extract, "MAX_BYTES", 1 << 20)
    with fault("hostile archive", f"bomb in a {form}"):
        archive = FORMATS[form](
            tmp_path / f"data.{form}", contents(official) | {"zeros": bytes(2 << 20)}
        )
        refused(archive, tmp_path, "would unpack to .* bytes or more.*nothing was unpacked")


def test_a_header_that_would_fill_the_memory(fault, tmp_path: Path) -> None:
    with fault("hostile archive", "a tar's header of 8 GB"):
        info = tarfile.TarInfo("long")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
        archive = tmp_path / "data.tar.gz"
        archive.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
        refused(archive, tmp_path, "has a header of 8,589,9.* bytes; nothing was unpacked")


def test_the_same_name_twice(fault, official: Path, tmp_path: Path) -> None:
    with fault("hostile archive", "tar: twice the same name"):
        archive = write_tar(tmp_path / "data.tar", contents(official))
        with tarfile.open(archive, "a") as opened:
            opened.addfile(tarfile.TarInfo("val/val_annotations.txt"))
        refused(archive, tmp_path, "has member 'val/val_annotations.txt' twice")
    with fault("odd archive", "two data sets"):
        both = {f"{top}/{k}": v for top in "ab" for k, v in contents(official).items()}
        refused(write_zip(tmp_path / "data.zip", both), tmp_path, "several data sets, a and b;")


@pytest.mark.parametrize("form", FORMATS)
def test_cut_at_every_tenth(fault, official: Path, tmp_path: Path, form: str) -> None:
    archive = FORMATS[form](tmp_path / f"data.{form}", contents(official))
    whole = archive.read_bytes()
    for tenth in range(10):
        with fault("truncated archive", f"{form} {tenth}/10"):
            archive.write_bytes(whole[: len(whole) * tenth // 10])
            refused(archive, tmp_path, "damaged|not a whole zip|truncated")


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_flipped_bytes(
    fault, official: Path, expected: TinyImageNet, tmp_path: Path, form: str
) -> None:
    """Found by a checksum, or of no consequence; a tar alone has none of its contents."""
    archive = FORMATS[form](tmp_path / f"data.{form}", contents(official))
    whole = archive.read_bytes()
    for at in range(7, len(whole), len(whole) // 15):
        with fault("flipped byte in an archive", f"{form} byte {at}"):
            archive.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
            with contextlib.suppress(ValueError):
                same(open_data(unpacked(archive, tmp_path)), expected)
            shutil.rmtree(tmp_path / "out")


OTHER = {
    "a web page": (b"<!DOCTYPE html><html>Not found</html>", "is a web page, not an archive"),
    "empty": (b"", "neither a zip nor a tar archive, or is damaged"),
    "text": (b"hello\n", "neither a zip nor a tar archive, or is damaged; .* another program"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(200), "neither a zip nor a tar archive"),
    "gzip of text": (gzip.compress(b"hello"), "neither a zip nor a tar archive"),
    "an empty zip": (b"PK\x05\x06" + bytes(18), "no folder in it has train and val"),
    "an empty tar": (bytes(10240), "no folder in it has train and val"),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_files(fault, tmp_path: Path, name: str) -> None:
    data, message = OTHER[name]
    with fault("odd archive", name):
        (tmp_path / "data.zip").write_bytes(data)
        refused(tmp_path / "data.zip", tmp_path, message)
