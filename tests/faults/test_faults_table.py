"""The table that ends `make faults` counts what happened."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TRIED = """
import pytest

def test_one_survives(fault):
    with fault("cut file", "weights") as tried:
        tried.lost = "1 epoch"

def test_one_does_not(fault):
    with fault("cut file", "history"):
        raise AssertionError("damaged")

def test_one_is_left_out(fault):
    with fault("cut file", "features"):
        pytest.skip("none here")
"""


def test_survived_faults_are_told_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((HERE / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_tried.py").write_text(TRIED)
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    for workers in ("0", "2"):
        table = tmp_path / f"table{workers}.md"
        command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "--rootdir", tmp_path]
        command += ["-p", "no:cacheprovider", "--faults-table", table, tmp_path]
        ended = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert "| cut file | 2 | 1 | 1 epoch |" in table.read_text("utf-8").splitlines()
