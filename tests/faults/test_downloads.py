"""``tin download`` from servers and files that are not what was meant; its advice is followed."""

import shlex
import shutil
from pathlib import Path

import pytest
from archive_server import Server, zip_of

from tin_lib.__main__ import main
from tin_lib.data import open_data
from tin_lib.runner.download.archive import _part_name

pytestmark = pytest.mark.usefixtures("own_cache", "direct")
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to this network</body></html>"


@pytest.fixture(scope="module")
def archive(official: Path) -> bytes:
    """A zip of the data set, not the official one."""
    return zip_of(official)


@pytest.fixture
def tin(capsys: pytest.CaptureFixture[str]):
    """Run ``tin`` with these words; return the exit status and what it printed on stderr."""

    def run(*words: object) -> tuple[int, str]:
        status = main([*map(str, words)])
        told = capsys.readouterr().err
        assert "Traceback" not in told
        return status, told.strip().splitlines()[-1] if told.strip() else ""

    return run


def fingerprint(folder: Path) -> str:
    return open_data(folder / "tiny-imagenet-200").fingerprint


def test_an_archive_in_place_of_a_folder(fault, official: Path, archive, tmp_path, tin) -> None:
    with fault("advice of a message followed", "an archive given as the data"):
        path = tmp_path / "my data's.zip"
        path.write_bytes(archive)
        status, told = tin("pack", path)
        assert status == 2
        advised = shlex.split(told.split("`")[1].replace("FOLDER", shlex.quote(str(tmp_path))))[1:]
        status, told = tin(*advised)  # the message says what to add for one of another checksum
        assert (status, "expected 248,100,043" in told) == (2, True)
        assert tin(*advised, *shlex.split(told.split("`")[1]))[0] == 0
        assert fingerprint(tmp_path) == open_data(official).fingerprint
        assert tin("pack", tmp_path)[0] == 0  # the folder above will do


def test_absent_data(fault, official: Path, server: Server, tmp_path: Path, tin) -> None:
    with fault("advice of a message followed", "no such folder"):
        folder = tmp_path / "with blanks" / "tiny-imagenet-200"
        status, told = tin("pack", folder)
        assert status == 2
        advised = shlex.split(told.split("`")[1])[1:]
        assert tin(*advised, "--source", server.url, "--md5", "none")[0] == 0
        assert open_data(folder).fingerprint == open_data(official).fingerprint


def test_a_mirror_of_another_size(fault, official: Path, server: Server, tmp_path, tin) -> None:
    with fault("advice of a message followed", "a mirror of another size"):
        words = ("download", tmp_path, "--source", server.url)
        status, told = tin(*words)
        assert (status, "expected 248,100,043" in told) == (2, True)
        assert tin(*words, *shlex.split(told.split("`")[1]))[0] == 0
        assert fingerprint(tmp_path) == open_data(official).fingerprint


@pytest.mark.parametrize("length", [True, False])
def test_another_checksum(fault, server: Server, tmp_path: Path, tin, length: bool) -> None:
    with fault("advice of a message followed", f"another checksum, {length=}"):
        server.length = length
        words = ("download", tmp_path, "--source", server.url)
        status, told = tin(*words, "--md5", "0" * 32)
        assert (status, "its md5 is" in told, "was removed" in told) == (2, True, True)
        found = told.split("its md5 is ")[1].split(",")[0]
        assert tin(*words, "--md5", found)[0] == 0


def test_half_a_data_set_there(fault, official: Path, server: Server, tmp_path, tin) -> None:
    """Unpacked by hand and stopped: it is not silently used as the data set."""
    with fault("advice of a message followed", "half a data set"):
        folder = tmp_path / "tiny-imagenet-200"
        shutil.copytree(official, folder)
        shutil.rmtree(folder / "train" / "n00000002")
        status, told = tin("pack", folder)
        assert (status, "unpack the data again" in told) == (2, True)
        words = ("download", tmp_path, "--source", server.url, "--md5", "none")
        status, told = tin(*words)
        assert (status, "already exists; to unpack it again, move it away" in told) == (0, True)
        folder.rename(tmp_path / "away")
        assert tin(*words) == (0, tin("pack", folder)[1])
        assert fingerprint(tmp_path) == open_data(official).fingerprint


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("md5", ["none", "0" * 32])
def test_a_web_page_in_place_of_the_archive(
    fault, archive: bytes, server: Server, tmp_path: Path, tin, length: bool, md5: str
) -> None:
    with fault("web page instead of an archive", f"{length=}, md5 {md5}"):
        server.body, server.length = PAGE, length
        words = ("download", tmp_path, "--source", server.url, "--md5", "none")
        status, told = tin(*words[:-1], md5)
        assert (status, "sends a web page, not an archive" in told) == (2, True)
        server.body = archive
        assert tin(*words)[0] == 0


def test_a_web_page_while_resuming(
    fault, archive: bytes, server: Server, tmp_path: Path, tin
) -> None:
    """What had come is kept, though the network's login page has answered since."""
    with fault("web page instead of an archive", "while resuming"):
        half = len(archive) // 2
        part = _part_name(tmp_path, server.url)
        part.write_bytes(archive[:half])
        server.body, server.ranges = PAGE, False
        words = ("download", tmp_path, "--source", server.url, "--md5", "none")
        status, told = tin(*words)
        assert (status, "the partial download is kept" in told) == (2, True)
        assert part.read_bytes() == archive[:half]
        server.body, server.ranges, server.requested = archive, True, []
        assert tin(*words)[0] == 0
        assert server.requested == [f"bytes={half}-"]


def test_cut_at_every_tenth(fault, official: Path, archive, server: Server, tmp_path, tin) -> None:
    expected = open_data(official).fingerprint
    for tenth in range(10):
        for later in (False, True):
            with fault("interrupted download", f"at {tenth}/10, {later=}"):
                at = len(archive) * tenth // 10
                words = ("download", tmp_path, "--source", server.url, "--md5", "none")
                server.requested, server.cuts = [], [at] + [0] * 4 * later
                status, told = tin(*words)
                if later:  # ATTEMPTS without a byte more
                    assert (status, "run again to resume" in told) == (2, True)
                    server.cuts = []
                    assert tin(*words)[0] == 0
                assert server.requested[-1] == (f"bytes={at}-" if at else None)
                assert fingerprint(tmp_path) == expected
                shutil.rmtree(tmp_path / "tiny-imagenet-200")


def test_cut_by_a_server_that_tells_no_length(
    fault, archive: bytes, server: Server, tmp_path: Path, tin
) -> None:
    """It looks complete; the next call must not resume from it."""
    with fault("interrupted download", "no length told"):
        server.length, server.cuts = False, [len(archive) // 3]
        words = ("download", tmp_path, "--source", server.url, "--md5", "none")
        status, told = tin(*words)
        assert (status, "was removed: " in told, "not a whole zip" in told) == (2, True, True)
        assert tin(*words)[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has this device")
def test_a_full_disk_is_told_at_once(fault, server: Server, tmp_path: Path, tin) -> None:
    with fault("full disk", "download"):
        _part_name(tmp_path, server.url).symlink_to("/dev/full")
        status, told = tin("download", tmp_path, "--source", server.url, "--md5", "none")
        assert (status, "No space left" in told) == (2, True)
        assert len(server.requested) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("FILE",), "FILE"),
        (("~nobody_of_this_name/x",), "nobody_of_this_name/x: the home folder is not known"),
        (("out", "--source", "none.zip"), "none.zip: no such file; give an archive or an address"),
        (("out", "--source", "ftp://127.0.0.1/x.zip"), "only http and https addresses"),
        (("out", "--source", "http:///x.zip"), "no host given|no host"),
        (("out", "--source", "http://127.0.0.1:x/x.zip"), "nonnumeric port"),
        (("out", "--source", "."), "no such file"),
    ],
)
def test_addresses_and_folders_that_cannot_be(
    fault, tmp_path: Path, tin, words, message, monkeypatch
) -> None:
    with fault("wrong download address", " ".join(words)):
        monkeypatch.chdir(tmp_path)
        Path("FILE").write_text("")
        status, told = tin("download", *words)
        assert status == 2
        assert any(part in told for part in message.split("|")), told
        assert not list(tmp_path.glob("~*"))
