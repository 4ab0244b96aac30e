"""``tin run`` on a full or read-only disk: one message that names the file, and the same command
resumes once there is space."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workbook_toys
from test_full_disk_commands import mounted, one_message, tin


@pytest.fixture
def arguments(tmp_path: Path) -> list[Any]:
    """One toy notebook, and the report, written to a disk."""
    workbook_toys.diamond(tmp_path / "notebooks")
    run = tmp_path / "disk" / "run"
    return ["run", "--workbook", tmp_path / "notebooks", "--run", run, "--only", "05"]


# What is full first: the record of the run; the notebook; the report, of which plotly.js is most.
@pytest.mark.parametrize(("size", "runs"), [("4k", 0), ("16k", 0), ("100k", 1)])
def test_a_full_disk(
    size: str,
    runs: int,
    arguments: list[Any],
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = tmp_path / "disk"
    with fault("full disk", f"run in {size}"), mounted(disk, size) as change:
        assert tin(*arguments) == 2
        said = one_message(capsys)
        assert str(disk) in said
        assert "no space is left" in said
        assert workbook_toys.count_runs(disk / "run", "05_apart") == runs
        assert not list(disk.rglob("*.tmp"))
        change("size=64m")
        assert tin(*arguments) == 0
        assert workbook_toys.count_runs(disk / "run", "05_apart") == 1
        assert (disk / "run" / "report" / "05_apart.html").is_file()


def test_a_read_only_folder(
    arguments: list[Any],
    tmp_path: Path,
    fault: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = tmp_path / "disk"
    with fault("read-only folder", "run"), mounted(disk, "64m") as change:
        change("ro")
        assert tin(*arguments) == 2
        said = one_message(capsys)
        assert str(disk) in said
        assert "ead-only" in said
        change("rw")
        assert tin(*arguments) == 0
