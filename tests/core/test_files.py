"""Atomic writes, locks, tables whose types are not guessed, digests."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from tin_lib import files

HALF = """
import sys, time
from tin_lib import files
with files.atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""
HOLDS = """
import sys, time
from pathlib import Path
from tin_lib import files
with files.only_one(Path(sys.argv[1]), "the fit"):
    print("held", flush=True)
    time.sleep(60)
"""


def started(program: str, path: Path) -> subprocess.Popen:
    """A process that runs ``program`` and has reached its first line of output."""
    command = [sys.executable, "-c", program, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def killed(process: subprocess.Popen) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    files.atomic_write(target, "old")
    with pytest.raises(TypeError), files.atomic_path(target) as temporary:
        temporary.write_bytes("text, which is refused once the file is open")  # type: ignore
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    target, seen, stop = tmp_path / "file", set(), threading.Event()
    files.atomic_write(target, "a" * 200_000)

    def read() -> None:
        while not stop.is_set():
            text = target.read_text()
            seen.add((len(text), len(set(text))))

    reader = threading.Thread(target=read)
    reader.start()
    for letter in "bcdefg" * 10:
        files.atomic_write(target, letter * 200_000)
    stop.set()
    reader.join()
    assert seen == {(200_000, 1)}


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "checkpoint.pt"
    writer = started(HALF, target)
    (left,) = tmp_path.iterdir()
    files.atomic_write(target, "while it lives")
    assert left.exists()
    killed(writer)
    files.atomic_write(tmp_path / "other", "another target")
    assert left.exists()
    files.atomic_write(target, "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "other"]
    assert target.read_text() == "whole"


def test_a_writer_on_another_host_is_given_a_day(tmp_path: Path) -> None:
    fresh, old = tmp_path / ".t.00000000-1-0.tmp", tmp_path / ".t.00000000-2-0.tmp"
    for path in (fresh, old):
        path.write_text("half")
    os.utime(old, (time.time() - 90_000,) * 2)
    files.atomic_write(tmp_path / "t", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [fresh.name, "t"]


def test_the_mode_follows_the_umask_which_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "umask", None)  # it is the whole process's, among threads
            files.atomic_write(tmp_path / "t", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o640


def test_file_and_folder_are_flushed_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power loss there is either the old file or the complete new one."""
    order, fsync, replace = [], os.fsync, os.replace

    def flushed(handle: int) -> None:
        order.append("folder" if os.path.samestat(os.fstat(handle), tmp_path.stat()) else "file")
        fsync(handle)

    def replaced(source: Path, target: Path) -> None:
        order.append("rename")
        replace(source, target)

    monkeypatch.setattr(files.os, "fsync", flushed)
    monkeypatch.setattr(files.os, "replace", replaced)
    files.atomic_write(tmp_path / "t", "x")
    assert order == ["file", "rename", "folder"]


def test_a_full_disk_found_by_the_flush_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.atomic_write(tmp_path / "t", "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        files.atomic_write(tmp_path / "t", "new")
    monkeypatch.undo()
    assert (tmp_path / "t").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("through", ["pipe", "link"])
def test_a_pipe_is_written_into(tmp_path: Path, through: str) -> None:
    pipe, link, got = tmp_path / "pipe", tmp_path / "link", []
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    files.write_table(pd.DataFrame({"a": [1]}), tmp_path / through)
    reader.join()
    assert got == ["a\n1\n"]
    assert pipe.is_fifo()
    assert link.is_symlink()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout")
def test_standard_output_is_written_into(tmp_path: Path) -> None:
    program = "from tin_lib import files; print(1, flush=True); "
    program += "files.atomic_write('/dev/stdout', 'two')"
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "1\ntwo"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "t")  # whether t is there or not
    for text in ("new", "newer"):
        files.atomic_write(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "t").read_text() == text


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "new" / ".lock"
    holder = started(HOLDS, lock)
    by = f"the fit is being run by process {holder.pid} on"
    with pytest.raises(ValueError, match=by), files.only_one(lock, "the fit"):
        pytest.fail("two hold it")
    killed(holder)
    with files.only_one(lock, "the fit"):
        by = f"the fit is being run by process {os.getpid()} on"
        with pytest.raises(ValueError, match=by), files.only_one(lock, "the fit"):
            pytest.fail("two hold it")


def test_waiting_for_a_lock_removes_what_killed_holders_left(tmp_path: Path) -> None:
    (tmp_path / "tmp-killed").mkdir()
    (tmp_path / "kept").mkdir()
    with files.waiting_lock(tmp_path / "lock", "tmp-*"):
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["kept"]


def test_a_file_system_without_locks_holds_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp-of-another").mkdir()

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(FileLock, "acquire", refused)
    with files.only_one(tmp_path / "a", "it"), files.only_one(tmp_path / "a", "it"):
        pass
    with files.waiting_lock(tmp_path / "b", "tmp-*"):
        assert (tmp_path / "tmp-of-another").exists()  # it may be in use


def test_no_type_of_a_column_is_guessed(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "label": ["00000", "NA", "null", "nan", "None", "1e5", "True", ""],
            "share": [0.5, 1.0, float("nan"), 0, 1, 2, 3, 4],
        }
    )
    files.write_table(table, tmp_path / "t.csv")
    read = files.read_table(tmp_path / "t.csv", dtype={"share": float, "absent": float})
    assert read.label.tolist() == table.label.tolist()
    pd.testing.assert_series_equal(read.share, table.share)
    assert set(files.read_table(tmp_path / "t.csv").share) >= {"0.5", ""}


def test_json_comes_back(tmp_path: Path) -> None:
    files.write_json(tmp_path / "v.json", {"k": [1.5]})
    assert files.read_json(tmp_path / "v.json") == {"k": [1.5]}


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text("{half")
    with pytest.raises(ValueError, match=r"v\.json is not valid JSON"):
        files.read_json(tmp_path / "v.json")
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(ValueError, match=r"t\.csv is not a readable table"):
        files.read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("a\nx\n")
    with pytest.raises(ValueError, match=r"t\.csv is not a readable table .*'x'"):
        files.read_table(tmp_path / "t.csv", dtype={"a": float})
    with pytest.raises(FileNotFoundError, match=r"u\.csv does not exist"):
        files.read_table(tmp_path / "u.csv")


def test_source_digest_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(files.source_digest()) == 12
    assert files.source_digest() != files.source_digest(core=True)
    monkeypatch.setattr(files, "__file__", str(tmp_path / "files.py"))
    (tmp_path / "lab").mkdir()
    (tmp_path / "data").mkdir()

    def digests(name: str, text: str) -> tuple[str, str]:
        (tmp_path / name).write_text(text)
        compute = files.source_digest.__wrapped__
        return compute(), compute(core=True)

    first = digests("data/a.py", "x = 1")
    lab = digests("lab/b.py", "x = 1")
    assert lab[0] != first[0]
    assert lab[1] == first[1]
    assert digests("data/a.py", "x = 2")[1] != first[1]
    assert digests("notes.txt", "x") == digests("data/a.py", "x = 2")
