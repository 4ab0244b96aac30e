"""Downloading from a local server that misbehaves, and zips that are not what they say."""

import hashlib
import io
import shutil
import socket
import stat
import zipfile
from pathlib import Path

import pytest
from archive_server import Server, zip_of
from data_folder import write_folder

from tin_lib.data import open_data
from tin_lib.runner.download import download
from tin_lib.runner.download import fetch as fetch_module

pytestmark = pytest.mark.usefixtures("direct")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A zip laid out like the official one."""
    return zip_of(write_folder(tmp_path_factory.mktemp("source") / "tiny-imagenet-200"))


def checks(body: bytes) -> dict:
    return {"md5": hashlib.md5(body).hexdigest(), "size": len(body)}


def names(folder: Path) -> list[str]:
    """What is in the folder besides the lock."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_download_from_start_to_end(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    unpacked: list[tuple[int, int]] = []
    folder = download(
        tmp_path / "new" / "folder",
        server.url,
        progress=lambda *count: seen.append(count),
        unpack_progress=lambda *count: unpacked.append(count),
        **checks(server.body),
    )
    assert folder == tmp_path / "new" / "folder" / "tiny-imagenet-200"
    assert seen[-1] == (len(server.body), len(server.body))
    assert unpacked[-1][0] == unpacked[-1][1] > 46
    assert len(open_data(folder).train) == 36
    assert names(folder.parent) == ["tiny-imagenet-200"]


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    half = len(server.body) // 2
    server.cuts = [half, 100]
    download(tmp_path, server.url, **checks(server.body))
    assert server.requested == [None, f"bytes={half}-", f"bytes={half + 100}-"]


def test_a_later_call_resumes(server: Server, tmp_path: Path) -> None:
    half = len(server.body) // 2
    server.cuts = [half, 0, 0, 0, 0, 0]
    with pytest.raises(OSError, match=r"the partial download is kept: run again"):
        download(tmp_path, server.url, **checks(server.body))
    assert names(tmp_path)[0].endswith(".part")
    server.cuts, server.requested = [], []
    download(tmp_path, server.url, **checks(server.body))
    assert server.requested == [f"bytes={half}-"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [1000]
    folder = download(tmp_path, server.url, **checks(server.body))
    assert (folder / "wnids.txt").is_file()
    assert server.requested == [None, "bytes=1000-"]


def test_complete_part_of_unknown_size(server: Server, tmp_path: Path) -> None:
    """Killed between the last byte and unpacking: the server answers 416, all is there."""
    from tin_lib.runner.download.archive import _part_name

    _part_name(tmp_path, server.url).write_bytes(server.body)
    download(tmp_path, server.url, md5=checks(server.body)["md5"], size=None)
    assert (tmp_path / "tiny-imagenet-200" / "wnids.txt").is_file()


def test_a_partial_file_that_is_too_long_is_downloaded_again(
    server: Server, tmp_path: Path
) -> None:
    from tin_lib.runner.download.archive import _part_name

    _part_name(tmp_path, server.url).write_bytes(server.body + b"more")
    download(tmp_path, server.url, md5=checks(server.body)["md5"], size=None)
    assert server.requested[-1] is None


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.errors = [503, 429]
    download(tmp_path, server.url, **checks(server.body))
    assert len(server.requested) == 3


def test_an_absent_file_is_not(server: Server, tmp_path: Path) -> None:
    server.errors = [404] * 9
    with pytest.raises(OSError, match="the server answers 404"):
        download(tmp_path, server.url, **checks(server.body))
    assert len(server.requested) == 1


def test_attempts_are_bounded(server: Server, tmp_path: Path) -> None:
    server.errors = [503] * 99
    with pytest.raises(OSError, match="503"):
        download(tmp_path, server.url, **checks(server.body))
    assert len(server.requested) == fetch_module.ATTEMPTS


def test_no_server_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        download(tmp_path, f"http://127.0.0.1:{port}/data.zip")


def test_a_damaged_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    expected = checks(server.body)
    server.body = server.body[:5000] + b"damaged" + server.body[5007:]
    with pytest.raises(ValueError, match=r"was removed: .* is damaged .*: its md5 is .*, expected"):
        download(tmp_path, server.url, **expected)
    assert names(tmp_path) == []


def test_another_size_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"offers .* bytes, expected 248,100,043"):
        download(tmp_path, server.url)
    assert names(tmp_path) == []


def test_local_file(archive: bytes, tmp_path: Path) -> None:
    path = tmp_path / "copy.zip"
    path.write_bytes(archive)
    folder = download(tmp_path / "out", path, **checks(archive))
    assert (folder / "words.txt").is_file()
    assert path.is_file()  # it is the user's


def test_what_is_there_is_left_alone(archive: bytes, tmp_path: Path) -> None:
    write_folder(tmp_path / "tiny-imagenet-200")
    assert download(tmp_path, "http://127.0.0.1:9/none") == tmp_path / "tiny-imagenet-200"


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tiny-imagenet-200").mkdir()
    with pytest.raises(ValueError, match="already exists and is not"):
        download(tmp_path)


def test_local_file_problems(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none.zip: no such file"):
        download(tmp_path, tmp_path / "none.zip")
    with pytest.raises(ValueError, match="only http and https"):
        download(tmp_path, "ftp://example.org/data.zip")
    path = tmp_path / "short.zip"
    path.write_bytes(archive[:-10])
    with pytest.raises(ValueError, match=r"short.zip is damaged or is another file: it has"):
        download(tmp_path, path, **checks(archive))
    with pytest.raises(ValueError, match=r"short.zip is not a whole zip file"):
        download(tmp_path, path, md5=None, size=None)
    assert path.is_file()
    assert names(tmp_path) == ["short.zip"]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE: list[str | zipfile.ZipInfo] = [
    "../outside.txt",
    "tiny-imagenet-200/../../outside.txt",
    "/tmp/outside.txt",
    "..\\outside.txt",
    "C:\\outside.txt",
    link("tiny-imagenet-200/link"),
]


@pytest.mark.parametrize("member", HOSTILE, ids=str)
def test_no_path_leaves_the_folder(member: str | zipfile.ZipInfo, tmp_path: Path) -> None:
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("tiny-imagenet-200/wnids.txt", "n1")
        opened.writestr(member, "/etc/passwd")
    with pytest.raises(ValueError, match="nothing was unpacked"):
        download(tmp_path / "out", path, md5=None, size=None)
    assert names(tmp_path / "out") == []
    assert names(tmp_path) == ["hostile.zip", "out"]


def test_another_zip(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="is not Tiny ImageNet: no folder in it has train"):
        download(tmp_path / "out", path, md5=None, size=None)
    assert names(tmp_path / "out") == []


def test_damage_inside_the_zip(archive: bytes, tmp_path: Path) -> None:
    """A member whose bytes do not match its checksum, behind a correct directory."""
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        offset = opened.getinfo("tiny-imagenet-200/val/images/val_0.JPEG").header_offset
    path.write_bytes(archive[: offset + 200] + b"\0" * 100 + archive[offset + 300 :])
    with pytest.raises(ValueError, match=r"bad.zip is damaged"):
        download(tmp_path / "out", path, md5=None, size=None)
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("above", ["tiny-imagenet-200", "archive/data"])
def test_zip_with_more_folders(tmp_path: Path, above: str) -> None:
    write_folder(tmp_path / "source" / above / "tiny-imagenet-200")
    shutil.make_archive(str(tmp_path / "deep"), "zip", tmp_path / "source")
    folder = download(tmp_path / "out", tmp_path / "deep.zip", md5=None, size=None)
    assert len(open_data(folder).val) == 6
    assert names(folder.parent) == ["tiny-imagenet-200"]


def test_zip_without_a_top_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "flat")
    shutil.make_archive(str(tmp_path / "flat"), "zip", tmp_path / "flat")
    folder = download(tmp_path / "out", tmp_path / "flat.zip", md5=None, size=None)
    assert len(open_data(folder).val) == 6


def test_a_full_disk_is_foreseen(
    archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(archive)
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="bytes are needed, 10 are free"):
        download(tmp_path / "out", path, **checks(archive))
