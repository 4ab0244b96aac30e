"""Archives that would write outside the folder, as links, devices or without end."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from data_folder import write_folder

from tin_lib.runner.download import download

LINK, DEVICE = stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666
OUTSIDE = (
    "../escaped",
    "tiny/../../escaped",
    "/tmp/tin-escaped",
    "//server/share/escaped",
    "C:escaped",
    "C:\\escaped",
    "..\\escaped",
    "tiny\\..\\..\\escaped",
    "\\escaped",
    "\\\\?\\C:\\escaped",
    "tiny/train:stream",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Names and contents of a data set's files: without the hostile member all would be well."""
    root = write_folder(tmp_path_factory.mktemp("data") / "tiny")
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return [(str(path.relative_to(root.parent)), path.read_bytes()) for path in paths]


def write_zip(path: Path, sound: list[tuple[str, bytes]], *more: tuple[str, int, bytes]) -> Path:
    """A zip of a data set and members (name, mode, content), the last as they are, unchecked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sound:
            archive.writestr(name, content)
        for name, mode, content in more:
            info = zipfile.ZipInfo("x", (2020, 1, 1, 0, 0, 0))
            info.filename, info.external_attr, info.create_system = name, mode << 16, 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def write_tar(path: Path, sound: list[tuple[str, bytes]], **hostile: object) -> Path:
    """A tar of a data set and one member with these attributes."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in sound:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo("tiny/more")
        for name, value in hostile.items():
            setattr(info, name, value)
        archive.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return path


def refused(archive: Path, words: str) -> None:
    """Nothing is written, in the target's folder or beside it, and one line names the archive."""
    target = archive.parent / "deep" / "target"
    with pytest.raises(ValueError, match=words) as caught:
        download(target, archive, md5=None, size=None)
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    left = [path for path in target.iterdir() if not path.name.endswith(".lock")]
    assert left == []
    assert {path.name for path in archive.parent.iterdir()} == {archive.name, "deep"}
    assert not list(Path("/tmp").glob("tin-escaped*"))
    assert list((archive.parent / "deep").iterdir()) == [target]


def test_without_the_hostile_member_it_is_unpacked(
    tmp_path: Path, sound: list[tuple[str, bytes]]
) -> None:
    """Else the refusals below would mean nothing."""
    for archive in (write_zip(tmp_path / "a.zip", sound), write_tar(tmp_path / "a.tgz", sound)):
        root = download(tmp_path / archive.suffix[1:], archive, md5=None, size=None)
        assert (root / "val" / "val_annotations.txt").is_file()


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_outside(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable, name: str
) -> None:
    with fault("hostile archive", f"zip with {name!r}"):
        refused(write_zip(tmp_path / "a.zip", sound, (name, 0o644, b"x")), "outside")
    (tmp_path / "tar").mkdir()
    with fault("hostile archive", f"tar with {name!r}"):
        refused(write_tar(tmp_path / "tar" / "a.tgz", sound, name=name), "outside")


@pytest.mark.parametrize("mode", [LINK, DEVICE, stat.S_IFIFO | 0o644, stat.S_IFSOCK | 0o644])
def test_links_and_devices_in_a_zip(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable, mode: int
) -> None:
    with fault("hostile archive", f"zip with a member of mode {mode:o}"):
        path = write_zip(tmp_path / "a.zip", sound, ("tiny/train/more", mode, b"/etc/passwd"))
        refused(path, "link or would be written outside")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable, kind: bytes
) -> None:
    with fault("hostile archive", f"tar with a member of type {kind!r}"):
        path = write_tar(tmp_path / "a.tgz", sound, type=kind, linkname="../../etc/passwd")
        refused(path, "link or would be written outside")


def test_a_link_and_then_a_file_through_it(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable
) -> None:
    (outside := tmp_path / "outside").mkdir()
    (tmp_path / "in").mkdir()
    with fault("hostile archive", "zip with a link to a folder and a file in it"):
        more = ("tiny/way", LINK, bytes(outside)), ("tiny/way/escaped", 0o644, b"x")
        refused(write_zip(tmp_path / "in" / "a.zip", sound, *more), "link")
        assert not list(outside.iterdir())


def test_a_bomb_is_refused_before_it_fills_the_disk(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable
) -> None:
    with fault("hostile archive", "zip that declares 5 GiB"):
        path = write_zip(tmp_path / "a.zip", sound, ("tiny/big", 0o644, b"x" * 77777))
        content = path.read_bytes().replace((77777).to_bytes(4, "little"), b"\xff\xff\xff\xf0")
        path.write_bytes(content)
        refused(path, "unpack to|truncated|damaged|overlap")
    (tmp_path / "tar").mkdir()
    with fault("hostile archive", "tar that declares 5 GiB"):
        path = write_tar(tmp_path / "tar" / "a.tgz", sound)
        with tarfile.open(path.with_name("b.tgz"), "w:gz") as archive:
            info = tarfile.TarInfo("tiny/big")
            info.size = 5 << 30
            archive.fileobj.write(info.tobuf())  # type: ignore[union-attr]
        path.unlink()
        refused(path.with_name("b.tgz"), "unpack to|truncated|damaged")
    (tmp_path / "less").mkdir()
    with fault("hostile archive", "zip whose member is larger than it says"):
        path = write_zip(tmp_path / "less" / "a.zip", sound, ("tiny/big", 0o644, b"x" * 77777))
        path.write_bytes(path.read_bytes().replace((77777).to_bytes(4, "little"), b"\x09\0\0\0"))
        refused(path, "truncated|damaged|overlap")


def test_members_that_share_their_bytes(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable
) -> None:
    with fault("hostile archive", "zip with one member's bytes under many names"):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("tiny/kernel", b"0" * (1 << 20))
            for number in range(5000):  # 5 GB from 1 KB
                again = zipfile.ZipInfo(f"tiny/{number}")
                first = archive.filelist[0]
                for name in ("CRC", "compress_size", "file_size", "header_offset"):
                    setattr(again, name, getattr(first, name))
                again.compress_type = first.compress_type
                archive.filelist.append(again)
        refused(path, "unpack to|overlap|damaged")


@pytest.mark.parametrize(
    "name", ["tiny/a\0b", "tiny/a\nb", "tiny/\x1b[31mred", "tiny/\u202egnp.exe"]
)
def test_names_with_control_characters(
    tmp_path: Path, sound: list[tuple[str, bytes]], fault: Callable, name: str
) -> None:
    """Written below the folder under some name, or refused by one line."""
    with fault("hostile archive", f"zip with {name!r}"):
        archive = write_zip(tmp_path / "a.zip", sound, (name, 0o644, b"x"))
        try:
            root = download(tmp_path / "target", archive, md5=None, size=None)
            assert (root / "wnids.txt").is_file()
        except ValueError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
