"""One notebook in a process of its own: ``python -m tin_lib.runner.workbook.step JOB RESULT``.

JOB is a JSON object (see ``executor.Job``), RESULT the file that takes the outcome. The process
ends, with its kernel, as soon as its standard input closes: then whoever started it is gone.
"""

import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from tin_lib.locks import only_one
from tin_lib.process import end_with_parent
from tin_lib.runner.jobs.processes import kill_children

PACKAGES = ("tin_lib", "torch", "torchvision", "numpy", "pandas", "plotly", "papermill")


def main(job: dict[str, Any], result: Path) -> int:
    """Run the job, write its outcome, and return 0 when the notebook ran through."""
    end_with_parent(lambda: kill_children(os.getpid()))  # with its kernel
    error = execute(job)
    outcome = {"error": error, "machine": machine(), "versions": versions()}
    result.write_text(json.dumps(outcome), encoding="utf-8")
    return 0 if error is None else 1


def execute(job: dict[str, Any]) -> str | None:
    """Run the notebook; None, or one message with the cell and the error.

    The executed notebook is written after every cell, so that what ran before an error is kept.
    """
    from papermill.exceptions import PapermillExecutionError

    lock = Path(job["run"]) / "steps" / f".{job['name']}.lock"
    try:
        with only_one(lock, f"notebook {job['name']}"):
            run_papermill(job)
    except PapermillExecutionError as error:
        cause = shorten(f"{error.ename}: {error.evalue}")
        return describe(error.exec_count, error.source) + cause
    except Exception as error:  # whatever went wrong is this notebook's failure, not the run's
        return f"{running_cell(Path(job['output']))}{shorten(f'{type(error).__name__}: {error}')}"
    return None


def run_papermill(job: dict[str, Any]) -> None:
    """Execute the notebook in its run's folder, what it prints going to this process's output."""
    import papermill

    papermill.execute_notebook(
        job["notebook"],
        job["output"],
        parameters=job["parameters"],
        kernel_name="python3",
        language="python",
        progress_bar=False,
        start_timeout=300,  # seconds; a loaded machine can take more than papermill's 60
        stdout_file=sys.stdout,
        stderr_file=sys.stderr,
        cwd=job["run"],
    )


def running_cell(output: Path) -> str:
    """``cell In [7] (first line): `` for the last cell begun, when a kernel died; empty if none."""
    try:
        cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return ""
    # Papermill's own marks: a kernel can die before it has told the number of the cell.
    begun = [c for c in cells if c["cell_type"] == "code" and mark(c).get("start_time")]
    return describe(len(begun), "".join(begun[-1]["source"])) if begun else ""


def mark(cell: dict[str, Any]) -> dict[str, Any]:
    """What papermill notes at a cell: when it began, how it went."""
    return cell.get("metadata", {}).get("papermill", {})


def describe(count: int, source: str) -> str:
    """``cell In [7] (first line): ``, the cell as its page shows it."""
    first_line = source.strip().partition("\n")[0]
    return f"cell In [{count}] ({shorten(first_line, 60)}): "


def shorten(text: str, length: int = 400) -> str:
    """Text on one line without terminal colours, at most ``length`` characters."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def machine() -> str:
    """What the step ran on: system, processor kind, number of cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute and draw, without importing them."""
    from importlib import metadata

    import tin_lib

    found = {"python": platform.python_version(), "tin_lib": tin_lib.__version__}
    for package in PACKAGES[1:]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), Path(sys.argv[2])))
