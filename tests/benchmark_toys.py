"""Running benchmarks in processes of their own, and what every last line says."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MACHINE = {"device", "processor", "amx", "cores", "threads", "torch", "torchvision", "python"}
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
# As on a machine that has nothing but what computing needs.
BARE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("plotly", "yaml", "papermill", "nbformat", "dask"), None))
sys.path.insert(0, "benchmarks")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(script: str, *arguments: str, start: tuple[str, ...] = ()) -> str:
    """What a benchmark prints."""
    command = [sys.executable, *start, f"benchmarks/{script}.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def last_line(printed: str) -> dict:
    """The last line as JSON, with what every benchmark says."""
    line = json.loads(printed.splitlines()[-1])
    assert line["ratios"]
    assert all(isinstance(value, float | int) for value in line["ratios"].values())
    assert line["command"].startswith(f"python benchmarks/{line['benchmark']}.py")
    assert tempfile.gettempdir() not in line["command"]  # no folder of this machine
    assert line["commit"]
    assert set(line["machine"]) == MACHINE
    return line


# Of each script: its smallest arguments, and words that its table has.
